/* SPDX-License-Identifier: MIT */
/* buf.c -- the growable buffer and the JSON string writer. */
#include "cwm/base/buf.h"

#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/utf8.h"

void cwm_buf_init(struct cwm_buf *b, size_t max_bytes)
{
    memset(b, 0, sizeof *b);
    b->max_bytes = max_bytes;
}

void cwm_buf_release(struct cwm_buf *b)
{
    cwm_free(b->data);
    cwm_buf_init(b, b->max_bytes);
}

void cwm_buf_clear(struct cwm_buf *b)
{
    b->len = 0;
    b->failed = CWM_OK;
    if (b->data) {
        b->data[0] = '\0';
    }
}

enum cwm_rc cwm_buf_reserve(struct cwm_buf *b, size_t more)
{
    size_t want;
    size_t capacity;
    char *data;

    if (b->failed != CWM_OK) {
        return b->failed;
    }
    if (more > b->max_bytes - b->len) {
        b->failed = CWM_LIMIT;
        return b->failed;
    }
    want = b->len + more + 1;
    if (want <= b->capacity) {
        return CWM_OK;
    }
    capacity = b->capacity < 128 ? 128 : b->capacity + b->capacity / 2;
    if (capacity < want) {
        capacity = want;
    }
    data = cwm_realloc(b->data, capacity, 1);
    if (!data) {
        b->failed = CWM_NOMEM;
        return b->failed;
    }
    b->data = data;
    b->capacity = capacity;
    return CWM_OK;
}

enum cwm_rc cwm_buf_add(struct cwm_buf *b, const void *data, size_t len)
{
    if (len >= b->capacity - b->len || len > b->max_bytes - b->len ||
        b->failed != CWM_OK) { /* else there is room */
        enum cwm_rc rc = cwm_buf_reserve(b, len);

        if (rc != CWM_OK) {
            return rc;
        }
    }
    if (len > 0) {
        memcpy(b->data + b->len, data, len);
    }
    b->len += len;
    b->data[b->len] = '\0';
    return CWM_OK;
}

enum cwm_rc cwm_buf_adds(struct cwm_buf *b, const char *s)
{
    return cwm_buf_add(b, s, strlen(s));
}

enum cwm_rc cwm_buf_addc(struct cwm_buf *b, char c)
{
    return cwm_buf_add(b, &c, 1);
}

enum cwm_rc cwm_buf_addf(struct cwm_buf *b, const char *format, ...)
{
    va_list args;
    enum cwm_rc rc;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        return b->failed = CWM_FORMAT;
    }
    rc = cwm_buf_reserve(b, (size_t)n);
    if (rc != CWM_OK) {
        return rc;
    }
    va_start(args, format);
    vsnprintf(b->data + b->len, (size_t)n + 1, format, args);
    va_end(args);
    b->len += (size_t)n;
    return CWM_OK;
}

enum cwm_rc cwm_buf_check(const struct cwm_buf *b, const char *what,
                          struct cwm_err *err)
{
    if (b->failed == CWM_OK) {
        return CWM_OK;
    }
    if (b->failed == CWM_LIMIT) {
        return CWM_FAIL(err, CWM_LIMIT, "%s is larger than %zu bytes", what,
                        b->max_bytes);
    }
    return CWM_FAIL(err, b->failed, "could not hold %s: %s", what,
                    cwm_rc_text(b->failed));
}

static void put_u4(char *out, unsigned code)
{
    static const char hex[] = "0123456789abcdef";

    out[0] = '\\';
    out[1] = 'u';
    out[2] = hex[code >> 12 & 15];
    out[3] = hex[code >> 8 & 15];
    out[4] = hex[code >> 4 & 15];
    out[5] = hex[code & 15];
}

/* One character that does not stand for itself; returns bytes written. */
static size_t put_escape(char *out, uint32_t code)
{
    static const char names[] = "btn_fr"; /* 8 9 10 11 12 13 */

    if (code == '"' || code == '\\') {
        out[0] = '\\';
        out[1] = (char)code;
        return 2;
    }
    if (code >= 8 && code <= 13 && code != 11) {
        out[0] = '\\';
        out[1] = names[code - 8];
        return 2;
    }
    if (code > 0xFFFF) {
        code -= 0x10000;
        put_u4(out, 0xD800 + (code >> 10));
        put_u4(out + 6, 0xDC00 + (code & 0x3FF));
        return 12;
    }
    put_u4(out, code);
    return 6;
}

/* The bytes at the front of p[0..len) that stand for themselves, eight at a
   time: in each byte of `odd` the top bit says that one does not. */
static size_t plain_run(const unsigned char *p, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = ones << 7;
    size_t n = 0;

    for (uint64_t x; n + sizeof x <= len; n += sizeof x) {
        uint64_t quote, slash, odd;

        memcpy(&x, p + n, sizeof x);
        quote = x ^ ones * '"';
        slash = x ^ ones * '\\';
        /* below 0x20, a quote, a backslash, 0x7F, 0x80 and above; a borrow
           only ever comes from a byte that is odd itself */
        odd = (x - ones * 0x20) | (quote - ones) | (slash - ones) | (x + ones) |
              x;
        if (odd & tops) {
            break;
        }
    }
    while (n < len && p[n] >= 0x20 && p[n] < 0x7F && p[n] != '"' &&
           p[n] != '\\') {
        n++;
    }
    return n;
}

bool cwm_json_is_plain(const void *text, size_t len)
{
    return plain_run(text, len) == len;
}

enum cwm_rc cwm_buf_add_json_body(struct cwm_buf *b, const void *text,
                                  size_t len)
{
    const unsigned char *p = text;
    const unsigned char *end = p + len;
    char chunk[512];
    size_t n = 0;

    while (p < end && b->failed == CWM_OK) {
        size_t run = plain_run(p, (size_t)(end - p));

        if (run > sizeof chunk / 2) {
            cwm_buf_add(b, chunk, n);
            cwm_buf_add(b, p, run);
            n = 0;
        } else {
            memcpy(chunk + n, p, run);
            n += run;
        }
        p += run;
        if (p < end) {
            uint32_t code;

            p += cwm_utf8_decode(p, (size_t)(end - p), &code);
            n += put_escape(chunk + n, code);
        }
        if (n > sizeof chunk / 2 - 12) { /* a run and an escape must fit */
            cwm_buf_add(b, chunk, n);
            n = 0;
        }
    }
    return cwm_buf_add(b, chunk, n);
}

enum cwm_rc cwm_buf_add_json(struct cwm_buf *b, const void *text, size_t len)
{
    cwm_buf_addc(b, '"');
    if (cwm_json_is_plain(text, len)) {
        cwm_buf_add(b, text, len);
    } else {
        cwm_buf_add_json_body(b, text, len);
    }
    return cwm_buf_addc(b, '"');
}
