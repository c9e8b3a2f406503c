/* SPDX-License-Identifier: MIT */
/*
 * source_decode.c -- a program's bytes to UTF-8 text with LF line ends.
 *
 * As CPython does it (PEP 263): a UTF-8 byte order mark, or a coding cookie in
 * a comment on line 1, or on line 2 when line 1 is blank or a comment; UTF-8
 * without either.  A mark and a cookie that names anything else contradict
 * each other.
 */
#include "tracer/source_internal.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/utf8.h"

struct cookie {
    const char *name; /* borrowed from the data; NULL: none */
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* One past the line's last byte, its end not included. */
static const char *line_end(const char *p, const char *end)
{
    while (p < end && *p != '\n' && *p != '\r') {
        p++;
    }
    return p;
}

/* "coding" + [:=] + blanks + name, in a comment that begins the line. */
static struct cookie line_cookie(const char *p, const char *end)
{
    static const char word[] = "coding";
    struct cookie none = {NULL, 0};

    while (p < end && is_blank(*p)) {
        p++;
    }
    if (p == end || *p != '#') {
        return none;
    }
    for (; (size_t)(end - p) > sizeof word; p++) {
        const char *q = p + sizeof word - 1;
        const char *name;

        if (memcmp(p, word, sizeof word - 1) != 0 || (*q != ':' && *q != '=')) {
            continue;
        }
        q++;
        while (q < end && (*q == ' ' || *q == '\t')) {
            q++;
        }
        name = q;
        while (q < end && is_name_char(*q)) {
            q++;
        }
        if (q > name) {
            return (struct cookie){name, (size_t)(q - name)};
        }
    }
    return none;
}

static struct cookie find_cookie(const char *data, const char *end)
{
    const char *p = data;
    struct cookie found = {NULL, 0};

    for (int line = 1; line <= 2 && !found.name; line++) {
        const char *stop = line_end(p, end);

        found = line_cookie(p, stop);
        while (p < stop && is_blank(*p)) {
            p++;
        }
        if (p < stop && *p != '#') {
            break; /* code: no cookie behind it */
        }
        p = stop;
        if (p < end) {
            p += *p == '\r' && end - p > 1 && p[1] == '\n' ? 2 : 1;
        }
    }
    return found;
}

/*
 * CPython knows these names, and what begins with one and a hyphen
 * ("utf-8-unix", as an editor writes it), before it asks for a codec.  With a
 * mark only the first will do.  `want` is in lower case.
 */
static bool is_or_begins_with(struct cookie c, const char *want)
{
    size_t len = strlen(want);

    if (c.len < len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char have = c.name[i] == '_' ? '-' : c.name[i];

        if (have >= 'A' && have <= 'Z') {
            have = (char)(have + ('a' - 'A'));
        }
        if (have != want[i]) {
            return false;
        }
    }
    return c.len == len || c.name[len] == '-' || c.name[len] == '_';
}

static struct cookie normal_name(struct cookie c)
{
    if (is_or_begins_with(c, "latin-1") || is_or_begins_with(c, "iso-8859-1") ||
        is_or_begins_with(c, "iso-latin-1")) {
        return (struct cookie){"iso-8859-1", 10};
    }
    return c;
}

/* 1-based line of data[at], whatever ends the lines. */
static size_t line_of(const char *data, size_t at)
{
    size_t line = 1;

    for (size_t i = 0; i < at; i++) {
        if (data[i] == '\n' ||
            (data[i] == '\r' && (i + 1 == at || data[i + 1] != '\n'))) {
            line++;
        }
    }
    return line;
}

static enum cwm_rc fail_byte(const char *data, size_t at, const char *name,
                             struct cookie cookie, struct cwm_err *err)
{
    size_t line = line_of(data, at);
    unsigned byte = (unsigned char)data[at];

    if (cookie.name) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot decode '%s': line %zu, byte %zu of the file "
                        "(0x%02x) is not %.*s, which the file says it is",
                        name, line, at + 1, byte, (int)cookie.len, cookie.name);
    }
    return CWM_FAIL(err, CWM_FORMAT,
                    "cannot decode '%s': line %zu, byte %zu of the file "
                    "(0x%02x) is not UTF-8\n"
                    "name its encoding on line 1: # coding: latin-1",
                    name, line, at + 1, byte);
}

/* What no encoding of programs can hold. */
static enum cwm_rc check_bytes(const char *data, size_t len, const char *name,
                               struct cwm_err *err)
{
    const char *nul;

    if (len > SOURCE_MAX_BYTES) {
        return CWM_FAIL(err, CWM_LIMIT,
                        "cannot read '%s': %zu bytes are over the limit of %zu",
                        name, len, SOURCE_MAX_BYTES);
    }
    if (len >= 2 && (memcmp(data, "\xFF\xFE", 2) == 0 ||
                     memcmp(data, "\xFE\xFF", 2) == 0)) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot decode '%s': it begins like UTF-16, which "
                        "Python does not read programs in\n"
                        "save it as UTF-8",
                        name);
    }
    nul = len ? memchr(data, '\0', len) : NULL;
    if (nul) {
        size_t at = (size_t)(nul - data);

        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot read '%s': line %zu, byte %zu of the file is "
                        "a NUL, which no program may hold",
                        name, line_of(data, at), at + 1);
    }
    return CWM_OK;
}

/* CRLF and CR to LF, in place; the new length. */
static size_t unify_line_ends(char *text, size_t len)
{
    char *to = memchr(text, '\r', len);
    const char *from = to;
    const char *end = text + len;

    if (!to) {
        return len;
    }
    while (from < end) {
        if (*from == '\r') {
            from += end - from > 1 && from[1] == '\n' ? 2 : 1;
            *to++ = '\n';
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

/* The codec to use, after the mark and the cookie have been compared. */
static enum cwm_rc choose_codec(struct cookie cookie, bool has_mark,
                                const char *name,
                                const struct source__codec **ret_codec,
                                struct cwm_err *err)
{
    const struct source__codec *codec;

    if (!cookie.name || is_or_begins_with(cookie, "utf-8")) {
        *ret_codec = source__codec_find("utf8", 4);
        return CWM_OK;
    }
    if (has_mark) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot decode '%s': a UTF-8 byte order mark and the "
                        "encoding '%.*s' contradict each other",
                        name, (int)cookie.len, cookie.name);
    }
    cookie = normal_name(cookie);
    codec = source__codec_find(cookie.name, cookie.len);
    if (!codec) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot decode '%s': there is no decoder for its "
                        "encoding '%.*s'\nsave it as UTF-8",
                        name, cookie.len > 40 ? 40 : (int)cookie.len,
                        cookie.name);
    }
    *ret_codec = codec;
    return CWM_OK;
}

enum cwm_rc source__decode(const char *data, size_t len, bool is_text,
                           const char *name, char **ret_text, size_t *ret_len,
                           struct cwm_err *err)
{
    bool has_mark =
        !is_text && len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0;
    size_t begin = has_mark ? 3 : 0;
    const struct source__codec *codec = NULL;
    struct cookie cookie = {NULL, 0};
    struct cwm_buf out;
    size_t bad = 0;
    enum cwm_rc rc;

    cwm_buf_init(&out, SOURCE_MAX_BYTES);
    rc = check_bytes(data, len, name, err);
    if (rc != CWM_OK) {
        goto out;
    }
    if (!is_text) {
        cookie = find_cookie(data + begin, data + len);
    }
    rc = choose_codec(cookie, has_mark, name, &codec, err);
    if (rc != CWM_OK) {
        goto out;
    }
    if (source__codec_is_utf8(codec)) {
        bad = cwm_utf8_valid_prefix(data + begin, len - begin);
        if (bad < len - begin) {
            cookie.name = NULL;
            rc = fail_byte(data, begin + bad, name, cookie, err);
            goto out;
        }
        cwm_buf_add(&out, data + begin, len - begin);
    } else {
        rc = source__codec_decode(codec, data + begin, len - begin, &out, &bad,
                                  err);
        if (rc == CWM_FORMAT) {
            rc = fail_byte(data, begin + bad, name, cookie, err);
        }
        if (rc != CWM_OK) {
            goto out;
        }
    }
    rc = cwm_buf_check(&out, "the program", err);
    if (rc != CWM_OK) {
        goto out;
    }
    *ret_len = unify_line_ends(out.data, out.len);
    *ret_text = out.data;
    out.data = NULL; /* now the caller's */
out:
    cwm_buf_release(&out);
    return rc;
}
