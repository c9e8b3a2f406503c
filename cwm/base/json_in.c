/* SPDX-License-Identifier: MIT */
/* json_in.c -- see json_in.h. */
#include "cwm/base/json_in.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/utf8.h"

enum { MAX_NUMBER_BYTES = 400 }; /* the longest that printf("%f") makes */

#define MAX_COUNT UINT64_C(9007199254740992) /* exact as a double */

static bool fail(struct json_in *in, enum cwm_rc why)
{
    if (in->failed == CWM_OK) {
        in->failed = why;
    }
    return false;
}

char json_peek(struct json_in *in)
{
    while (in->at < in->len && memchr(" \t\r\n", in->text[in->at], 4)) {
        in->at++;
    }
    return in->failed == CWM_OK && in->at < in->len ? in->text[in->at] : '\0';
}

bool json_open(struct json_in *in, char sign)
{
    if (json_peek(in) != sign) {
        return fail(in, CWM_FORMAT);
    }
    in->at++;
    return true;
}

bool json_more(struct json_in *in, char close, bool first)
{
    char next = json_peek(in);

    if (in->failed != CWM_OK) {
        return false;
    }
    if (next == close && next != '\0') {
        in->at++;
        return false;
    }
    if (first) {
        return next != '\0' || fail(in, CWM_FORMAT);
    }
    if (next != ',') {
        return fail(in, CWM_FORMAT);
    }
    in->at++;
    return true;
}

bool json_key(struct json_in *in, struct cwm_buf *name)
{
    return json_string(in, name) && json_open(in, ':');
}

/* ---- strings ---- */

/* Four hexadecimal digits at `at`; false: there are none. */
static bool hex4(const struct json_in *in, size_t at, uint32_t *ret_unit)
{
    uint32_t unit = 0;

    if (in->len - at < 4) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        char c = in->text[at + i];

        if (c >= '0' && c <= '9') {
            unit = unit << 4 | (uint32_t)(c - '0');
        } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
            unit = unit << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        } else {
            return false;
        }
    }
    *ret_unit = unit;
    return true;
}

/* \uXXXX, and the second half of a pair behind it; `at` is at the digits. */
static bool unicode_escape(struct json_in *in, char out[4], size_t *ret_len)
{
    uint32_t code = 0;
    uint32_t low = 0;

    if (!hex4(in, in->at, &code)) {
        return fail(in, CWM_FORMAT);
    }
    in->at += 4;
    if (code >= 0xD800 && code < 0xDC00 && in->len - in->at >= 6 &&
        in->text[in->at] == '\\' && in->text[in->at + 1] == 'u' &&
        hex4(in, in->at + 2, &low) && low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        in->at += 6;
    }
    *ret_len = cwm_utf8_encode(code, out);
    return true;
}

/* What follows a backslash, which has been passed over. */
static bool escape(struct json_in *in, struct cwm_buf *out)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char bytes[4];
    size_t len = 1;

    if (in->at == in->len) {
        return fail(in, CWM_FORMAT);
    }
    if (in->text[in->at] == 'u') {
        in->at++;
        if (!unicode_escape(in, bytes, &len)) {
            return false;
        }
    } else {
        const char *letter = memchr(letters, in->text[in->at], 8);

        if (!letter) {
            return fail(in, CWM_FORMAT);
        }
        bytes[0] = meanings[letter - letters];
        in->at++;
    }
    if (out && cwm_buf_add(out, bytes, len) != CWM_OK) {
        return fail(in, out->failed);
    }
    return true;
}

bool json_string(struct json_in *in, struct cwm_buf *out)
{
    if (!json_open(in, '"')) {
        return false;
    }
    for (;;) {
        size_t start = in->at;

        while (in->at < in->len && in->text[in->at] != '"' &&
               in->text[in->at] != '\\' &&
               (unsigned char)in->text[in->at] >= 0x20) {
            in->at++;
        }
        if (out && in->at > start &&
            cwm_buf_add(out, in->text + start, in->at - start) != CWM_OK) {
            return fail(in, out->failed);
        }
        if (in->at == in->len || (unsigned char)in->text[in->at] < 0x20) {
            return fail(in, CWM_FORMAT);
        }
        if (in->text[in->at++] == '"') {
            return true;
        }
        if (!escape(in, out)) {
            return false;
        }
    }
}

/* ---- other values ---- */

static bool is_digit(const struct json_in *in)
{
    return in->at < in->len && in->text[in->at] >= '0' &&
           in->text[in->at] <= '9';
}

static bool digits(struct json_in *in)
{
    if (!is_digit(in)) {
        return fail(in, CWM_FORMAT);
    }
    while (is_digit(in)) {
        in->at++;
    }
    return true;
}

static bool passes(struct json_in *in, const char *signs)
{
    if (in->at < in->len && in->text[in->at] != '\0' &&
        strchr(signs, in->text[in->at])) {
        in->at++;
        return true;
    }
    return false;
}

static bool number(struct json_in *in)
{
    passes(in, "-");
    if (!passes(in, "0") && !digits(in)) {
        return false;
    }
    if (passes(in, ".") && !digits(in)) {
        return false;
    }
    if (passes(in, "eE")) {
        passes(in, "+-");
        return digits(in);
    }
    return true;
}

bool json_count(struct json_in *in, uint64_t *ret_number)
{
    uint64_t n = 0;
    size_t start;

    json_peek(in);
    start = in->at;
    if (in->failed != CWM_OK || !number(in)) {
        return false;
    }
    for (size_t i = start; i < in->at; i++) {
        char c = in->text[i];

        if (c < '0' || c > '9' || n > MAX_COUNT) {
            in->at = start;
            return fail(in, CWM_FORMAT);
        }
        n = n * 10 + (uint64_t)(c - '0');
    }
    *ret_number = n;
    return n <= MAX_COUNT || fail(in, CWM_FORMAT);
}

static bool word(struct json_in *in, const char *text)
{
    size_t len = strlen(text);

    if (in->len - in->at < len || memcmp(in->text + in->at, text, len) != 0) {
        return false;
    }
    in->at += len;
    return true;
}

bool json_null(struct json_in *in)
{
    return json_peek(in) == 'n' && word(in, "null");
}

bool json_bool(struct json_in *in, bool *ret_value)
{
    bool is_true = json_peek(in) == 't';

    if (in->failed != CWM_OK || !word(in, is_true ? "true" : "false")) {
        return fail(in, CWM_FORMAT);
    }
    *ret_value = is_true;
    return true;
}

bool json_real(struct json_in *in, double *ret_number)
{
    char digits_of_it[MAX_NUMBER_BYTES + 1];
    double value;
    size_t start;
    size_t len;

    json_peek(in);
    start = in->at;
    if (in->failed != CWM_OK || !number(in)) {
        return false;
    }
    len = in->at - start;
    if (len <= MAX_NUMBER_BYTES) {
        memcpy(digits_of_it, in->text + start, len);
        digits_of_it[len] = '\0';
        value = strtod(digits_of_it, NULL);
        if (isfinite(value)) {
            *ret_number = value;
            return true;
        }
    }
    in->at = start;
    return fail(in, CWM_FORMAT);
}

/* A value that has no members. */
static bool leaf(struct json_in *in)
{
    switch (json_peek(in)) {
    case '"':
        return json_string(in, NULL);
    case 't':
        return word(in, "true") || fail(in, CWM_FORMAT);
    case 'f':
        return word(in, "false") || fail(in, CWM_FORMAT);
    case 'n':
        return word(in, "null") || fail(in, CWM_FORMAT);
    default:
        return in->failed == CWM_OK && number(in);
    }
}

bool json_skip(struct json_in *in)
{
    char closing[JSON_IN_MAX_DEPTH]; /* of what is open */
    size_t depth = 0;
    bool first = true; /* in the innermost one */

    do {
        char next;

        /* Here a value begins, or another member of what is open. */
        if (depth > 0 && !json_more(in, closing[depth - 1], first)) {
            if (in->failed != CWM_OK) {
                return false;
            }
            depth--;
            first = false;
            continue;
        }
        if (depth > 0 && closing[depth - 1] == '}' && !json_key(in, NULL)) {
            return false;
        }
        first = false;
        next = json_peek(in);
        if (next == '{' || next == '[') {
            if (depth == JSON_IN_MAX_DEPTH) {
                return fail(in, CWM_FORMAT);
            }
            closing[depth++] = next == '{' ? '}' : ']';
            in->at++;
            first = true;
        } else if (!leaf(in)) {
            return false;
        }
    } while (depth > 0);
    return true;
}

/* ---- members by their names ---- */

bool json_find(struct json_in *in, const char *key, struct json_in *ret_value)
{
    struct json_in walk = *in;
    size_t n_found = 0;
    struct cwm_buf name;

    cwm_buf_init(&name, in->len + 1);
    json_open(&walk, '{');
    for (bool first = true; json_more(&walk, '}', first); first = false) {
        cwm_buf_clear(&name);
        if (!json_key(&walk, &name)) {
            break;
        }
        if (name.len == strlen(key) &&
            memcmp(name.data ? name.data : "", key, name.len) == 0) {
            *ret_value = walk;
            if (++n_found > 1) {
                fail(&walk, CWM_FORMAT);
            }
        }
        json_skip(&walk);
    }
    cwm_buf_release(&name);
    if (walk.failed != CWM_OK) {
        in->failed = walk.failed;
        in->at = walk.at;
        return false;
    }
    return n_found == 1;
}

bool json_whole(struct json_in *in)
{
    struct json_in walk = *in;

    if (json_skip(&walk)) {
        json_peek(&walk);
        if (walk.at == walk.len) {
            return true;
        }
        fail(&walk, CWM_FORMAT);
    }
    *in = walk;
    return false;
}

size_t json_line(const struct json_in *in)
{
    size_t line = 1;

    for (size_t i = 0; i < in->at && i < in->len; i++) {
        line += in->text[i] == '\n';
    }
    return line;
}
