/* SPDX-License-Identifier: MIT */
/* utf8.c -- see utf8.h. */
#include "cwm/base/utf8.h"

static bool is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

size_t cwm_utf8_decode(const void *text, size_t len, uint32_t *ret_code)
{
    const unsigned char *p = text;
    uint32_t code;

    *ret_code = 0xFFFD;
    if (p[0] < 0x80) {
        *ret_code = p[0];
        return 1;
    }
    if (p[0] >= 0xC2 && p[0] < 0xE0) {
        if (len >= 2 && is_tail(p[1])) {
            *ret_code = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
            return 2;
        }
        return 1;
    }
    if (p[0] >= 0xE0 && p[0] < 0xF0) {
        if (len >= 3 && is_tail(p[1]) && is_tail(p[2])) {
            code = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
            if (code >= 0x800) {
                *ret_code = code;
                return 3;
            }
        }
        return 1;
    }
    if (p[0] >= 0xF0 && p[0] < 0xF5) {
        if (len >= 4 && is_tail(p[1]) && is_tail(p[2]) && is_tail(p[3])) {
            code = (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 |
                   (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
            if (code >= 0x10000 && code <= 0x10FFFF) {
                *ret_code = code;
                return 4;
            }
        }
    }
    return 1;
}

size_t cwm_utf8_encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

size_t cwm_utf8_valid_prefix(const void *text, size_t len)
{
    const unsigned char *p = text;
    size_t at = 0;

    while (at < len) {
        uint32_t code;
        size_t n;

        if (p[at] < 0x80) {
            at++;
            continue;
        }
        n = cwm_utf8_decode(p + at, len - at, &code);
        if (n == 1 || (code >= 0xD800 && code <= 0xDFFF)) {
            break;
        }
        at += n;
    }
    return at;
}
