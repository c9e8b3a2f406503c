/* SPDX-License-Identifier: MIT */
/* record_cursor.c -- see record_cursor.h. */
#include "tracer/record_cursor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cwm/base/utf8.h"

void record__damage(struct record_cursor *c, const char *format, ...)
{
    va_list args;
    int n;

    if (c->damaged) {
        return;
    }
    c->damaged = true;
    n = snprintf(c->damage, sizeof c->damage, "byte %zu: ", c->at);
    va_start(args, format);
    vsnprintf(c->damage + n, sizeof c->damage - (size_t)n, format, args);
    va_end(args);
}

uint8_t record__get_u8(struct record_cursor *c)
{
    if (c->damaged) {
        return 0;
    }
    if (c->at == c->stop) {
        record__damage(c, "a record is cut off");
        return 0;
    }
    return c->data[c->at++];
}

uint64_t record__get_v(struct record_cursor *c)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = record__get_u8(c);
        if (shift == 63 && byte > 1) {
            record__damage(c, "a number is over 64 bits");
        }
        value |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
    } while (byte & 0x80 && !c->damaged);
    if (byte == 0 && shift > 7) {
        record__damage(c, "a number is longer than it need be");
    }
    return c->damaged ? 0 : value;
}

uint32_t record__get_below(struct record_cursor *c, uint64_t limit,
                           const char *what)
{
    uint64_t value = record__get_v(c);

    if (value >= limit) {
        record__damage(c, "there is no %s %llu", what,
                       (unsigned long long)value);
    }
    return c->damaged ? 0 : (uint32_t)value;
}

static bool is_wtf8(const uint8_t *p, size_t len)
{
    size_t at = 0;

    while (at < len) {
        uint64_t eight;
        uint32_t code;
        size_t n;

        if (len - at >= sizeof eight) {
            memcpy(&eight, p + at, sizeof eight);
            if (!(eight & 0x8080808080808080u)) {
                at += sizeof eight;
                continue;
            }
        }
        n = cwm_utf8_decode(p + at, len - at, &code);
        if (n == 1 && p[at] >= 0x80) {
            return false;
        }
        at += n;
    }
    return true;
}

struct record_text record__get_text(struct record_cursor *c)
{
    struct record_text text = {0, 0};
    uint64_t len = record__get_v(c);

    if (c->damaged) {
        return text;
    }
    if (len > c->stop - c->at) {
        record__damage(c, "a text is cut off");
        return text;
    }
    if (c->at + len > c->checked && !is_wtf8(c->data + c->at, len)) {
        record__damage(c, "a text is not in WTF-8");
        return text;
    }
    text.at = (uint32_t)c->at;
    text.len = (uint32_t)len;
    c->at += len;
    return text;
}
