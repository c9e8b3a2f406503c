/* SPDX-License-Identifier: MIT */
/*
 * value_text.h -- writing into a fixed area: bytes, numbers, strings as repr()
 * writes them.  Nothing here runs code of the program.
 *
 * The short forms are inline because most values of a trace are small ints and
 * short strings; the rest is in value_text.c.
 */
#ifndef TRACER_WORKER_VALUE_TEXT_H
#define TRACER_WORKER_VALUE_TEXT_H

#include "tracer/worker/value.h"

/* A float's text: "-1.7976931348623157e+308" and room. */
#define VALUE_FLOAT_BYTES 32
/* One in a program's working set of floats is likely to be met again. */
#define VALUE_FLOAT_SLOTS 256

struct value_float_slot {
    uint64_t bits;
    uint8_t len; /* 0: not in use */
    char text[VALUE_FLOAT_BYTES - 1];
};

/* Texts of floats that take long to make; a slot per hash, the last wins. */
struct value_float_cache {
    struct value_float_slot slots[VALUE_FLOAT_SLOTS];
};

extern const char value_two_digits[200]; /* "000102...99" */

static inline size_t value_room(const struct value_out *o)
{
    return (size_t)(o->end - o->at);
}

static inline void value_put(struct value_out *o, const void *data, size_t len)
{
    size_t room = value_room(o);

    if (__builtin_expect(len > room, 0)) {
        o->full = true;
        len = room;
    }
    memcpy(o->at, data, len);
    o->at += len;
}

/* For literals: the length is known to the compiler. */
static inline void value_puts(struct value_out *o, const char *s)
{
    value_put(o, s, strlen(s));
}

static inline void value_putc(struct value_out *o, char c)
{
    if (__builtin_expect(o->at == o->end, 0)) {
        o->full = true;
        return;
    }
    *o->at++ = (uint8_t)c;
}

/* Decimal digits of n at `at` (20 bytes at most); the end. */
static inline uint8_t *value_digits(uint8_t *at, uint64_t n)
{
    uint8_t reversed[20];
    uint8_t *p = reversed + sizeof(reversed);
    size_t len;

    if (n < 10) {
        *at = (uint8_t)('0' + n);
        return at + 1;
    }
    if (n < 100) {
        memcpy(at, value_two_digits + 2 * n, 2);
        return at + 2;
    }
    while (n >= 100) {
        p -= 2;
        memcpy(p, value_two_digits + 2 * (n % 100), 2);
        n /= 100;
    }
    if (n >= 10) {
        p -= 2;
        memcpy(p, value_two_digits + 2 * n, 2);
    } else {
        *--p = (uint8_t)('0' + n);
    }
    len = (size_t)(reversed + sizeof(reversed) - p);
    memcpy(at, p, len);
    return at + len;
}

static inline void value_put_u64(struct value_out *o, uint64_t n, bool negative)
{
    uint8_t text[24];
    uint8_t *at = text;

    if (__builtin_expect(value_room(o) >= sizeof(text), 1)) {
        if (negative) {
            *o->at++ = '-';
        }
        o->at = value_digits(o->at, n);
        return;
    }
    if (negative) {
        *at++ = '-';
    }
    at = value_digits(at, n);
    value_put(o, text, (size_t)(at - text));
}

/* repr() of a float. */
void value_put_float(struct value_out *o, struct value_float_cache *cache,
                     double number);

/* repr() of the characters: quoted, escaped.  kind: bytes a character. */
void value_put_quoted(struct value_out *o, const void *data, int kind,
                      size_t n);
/*
 * repr() of bytes, the b included.  That of a bytearray's escapes a single
 * quote also where double quotes stand round the text.
 */
void value_put_bytes(struct value_out *o, const unsigned char *data, size_t n,
                     bool is_bytearray);

/* The characters as they are, in WTF-8 (lone surrogates as three bytes). */
void value_put_raw(struct value_out *o, const void *data, int kind, size_t n);

/*
 * The characters as they are but for addresses: " at 0x" or " @ 0x" and the
 * hexadecimal digits behind it are left out.
 */
void value_put_less_addresses(struct value_out *o, const void *data, int kind,
                              size_t n);

#define VALUE_WORD_OF(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Nonzero when one of the 8 ASCII bytes is a control character, DEL, a
 * backslash or a single quote.
 */
static inline uint64_t value_word_special(uint64_t x)
{
    const uint64_t ones = VALUE_WORD_OF(1);
    uint64_t quote = x ^ VALUE_WORD_OF(0x27);
    uint64_t slash = x ^ VALUE_WORD_OF(0x5C);

    return (((x - VALUE_WORD_OF(0x20)) & ~x) | ((quote - ones) & ~quote) |
            ((slash - ones) & ~slash) | (x + ones)) &
           VALUE_WORD_OF(0x80);
}

/*
 * Copies n < 8 bytes to `at` when none of them is special; false else.  Reads
 * and writes what it is told only.
 */
static inline bool value_copy_few(uint8_t *at, const uint8_t *data, size_t n)
{
    uint64_t word = VALUE_WORD_OF(0x20);

    if (n >= 4) {
        uint32_t low;
        uint32_t high;

        memcpy(&low, data, 4);
        memcpy(&high, data + n - 4, 4);
        word = (uint64_t)high << 32 | low;
        memcpy(at, &low, 4);
        memcpy(at + n - 4, &high, 4);
    } else if (n > 0) {
        uint8_t three[3] = {data[0], data[n / 2], data[n - 1]};

        word = VALUE_WORD_OF(0x20) << 24 | three[0] | (uint32_t)three[1] << 8 |
               (uint32_t)three[2] << 16;
        at[0] = three[0];
        at[n / 2] = three[1];
        at[n - 1] = three[2];
    }
    return value_word_special(word) == 0;
}

/* repr() of ASCII characters; most strings hold nothing to be escaped. */
static inline void value_put_ascii(struct value_out *o, const uint8_t *data,
                                   size_t n)
{
    uint8_t *at = o->at;
    uint64_t special = 0;
    size_t i = 0;

    if (__builtin_expect(value_room(o) < n + 2, 0)) {
        value_put_quoted(o, data, 1, n);
        return;
    }
    *at++ = '\'';
    for (; i + 8 <= n && !special; i += 8) {
        uint64_t word;

        memcpy(&word, data + i, 8);
        special = value_word_special(word);
        memcpy(at + i, &word, 8);
    }
    if (special || !value_copy_few(at + i, data + i, n - i)) {
        value_put_quoted(o, data, 1, n);
        return;
    }
    at[n] = '\'';
    o->at = at + n + 1;
}

/* repr() of a str, exact or not.  False: not ready (before 3.12 only). */
static inline bool value_put_str(struct value_out *o, const PyObject *value)
{
    int kind;
    bool ascii;
    size_t n;
    const void *data = compat_str_data(value, &kind, &n, &ascii);

    if (!data) {
        return false;
    }
    if (ascii) {
        value_put_ascii(o, data, n);
    } else {
        value_put_quoted(o, data, kind, n);
    }
    return true;
}

#endif /* TRACER_WORKER_VALUE_TEXT_H */
