/* SPDX-License-Identifier: MIT */
/* value_text.c -- see value_text.h. */
#include "tracer/worker/value_text.h"

#include <math.h>

#include "cwm/base/utf8.h"

/* Longest escape: \U0001f600. */
#define ESCAPE_BYTES 10

const char value_two_digits[200] = {
#define TWO(a)                                                                 \
    a, '0', a, '1', a, '2', a, '3', a, '4', a, '5', a, '6', a, '7', a, '8', a, \
        '9'
    TWO('0'), TWO('1'), TWO('2'), TWO('3'), TWO('4'), TWO('5'),
    TWO('6'), TWO('7'), TWO('8'), TWO('9')
#undef TWO
};

static uint32_t read_char(const void *data, int kind, size_t i)
{
    switch (kind) {
    case 1:
        return ((const uint8_t *)data)[i];
    case 2:
        return ((const uint16_t *)data)[i];
    default:
        return ((const uint32_t *)data)[i];
    }
}

/* ---- floats ---- */

static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,
                              1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17};
static const uint64_t tens_u64[] = {1,
                                    10,
                                    100,
                                    1000,
                                    10000,
                                    100000,
                                    1000000,
                                    10000000,
                                    100000000,
                                    1000000000,
                                    UINT64_C(10000000000),
                                    UINT64_C(100000000000),
                                    UINT64_C(1000000000000),
                                    UINT64_C(10000000000000),
                                    UINT64_C(100000000000000),
                                    UINT64_C(1000000000000000),
                                    UINT64_C(10000000000000000),
                                    UINT64_C(100000000000000000)};

/*
 * Text of 0.001 <= number < 1e15 when it has at most 15 significant digits.
 * m / 10^k is rounded correctly (both are exact), and no two decimals of up to
 * 15 digits are nearest to the same double: a decimal that gives `number` is
 * the shortest one.  Returns the length, 0 when there is none.
 */
static size_t short_fraction(char *text, double number)
{
    for (unsigned k = 1; k < ARRAY_LEN(tens); k++) {
        double scaled = number * tens[k];
        uint64_t m;
        uint8_t *at;
        uint64_t fraction;

        if (scaled >= 1e15) {
            return 0;
        }
        m = (uint64_t)(scaled + 0.5);
        if (m >= UINT64_C(1000000000000000) || (double)m / tens[k] != number) {
            continue;
        }
        at = value_digits((uint8_t *)text, m / tens_u64[k]);
        *at++ = '.';
        fraction = m % tens_u64[k];
        for (unsigned i = k; i > 0; i--) {
            at[i - 1] = (uint8_t)('0' + fraction % 10);
            fraction /= 10;
        }
        return (size_t)(at + k - (uint8_t *)text);
    }
    return 0;
}

/* Text of any float; the length, 0 when memory is short. */
static size_t float_text(char *text, double number)
{
    double magnitude = fabs(number);
    size_t n_sign = number < 0;
    size_t len;
    char *made; /* owned */

    if (magnitude >= 0.001 && magnitude < 1e15) {
        text[0] = '-';
        len = short_fraction(text + n_sign, magnitude);
        if (len > 0) {
            return n_sign + len;
        }
    }
    made = PyOS_double_to_string(number, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (!made) {
        PyErr_Clear();
        return 0;
    }
    len = strlen(made);
    if (len >= VALUE_FLOAT_BYTES) {
        len = 0;
    }
    memcpy(text, made, len);
    PyMem_Free(made);
    return len;
}

void value_put_float(struct value_out *o, struct value_float_cache *cache,
                     double number)
{
    struct value_float_slot *slot;
    uint64_t bits;

    /* Doubles below 2^53 that are whole are written digit by digit. */
    if (number > -9007199254740992.0 && number < 9007199254740992.0 &&
        (double)(int64_t)number == number &&
        !(number == 0 && signbit(number))) {
        value_put_u64(o, (uint64_t)fabs(number), number < 0);
        value_put(o, ".0", 2);
        return;
    }
    memcpy(&bits, &number, sizeof(bits));
    slot = &cache->slots[(bits * UINT64_C(0x9E3779B97F4A7C15)) >> 56];
    if (slot->len == 0 || slot->bits != bits) {
        slot->len = (uint8_t)float_text(slot->text, number);
        slot->bits = bits;
    }
    value_put(o, slot->text, slot->len);
}

/* ---- strings ---- */

static bool has_char(const void *data, int kind, size_t n, uint32_t code)
{
    if (kind == 1) {
        return memchr(data, (int)code, n) != NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (read_char(data, kind, i) == code) {
            return true;
        }
    }
    return false;
}

/* repr()'s choice: ' unless the text has a ' and no ". */
static char choose_quote(const void *data, int kind, size_t n)
{
    bool use_double =
        has_char(data, kind, n, '\'') && !has_char(data, kind, n, '"');

    return use_double ? '"' : '\'';
}

/* \n, \xhh, \uhhhh, \Uhhhhhhhh; the end. */
static uint8_t *escape(uint8_t *at, uint32_t code)
{
    static const char hex[] = "0123456789abcdef";
    int n_digits;

    *at++ = '\\';
    switch (code) {
    case '\n':
        *at++ = 'n';
        return at;
    case '\r':
        *at++ = 'r';
        return at;
    case '\t':
        *at++ = 't';
        return at;
    default:
        break;
    }
    if (code < 0x100) {
        *at++ = 'x';
        n_digits = 2;
    } else if (code < 0x10000) {
        *at++ = 'u';
        n_digits = 4;
    } else {
        *at++ = 'U';
        n_digits = 8;
    }
    for (int i = n_digits - 1; i >= 0; i--) {
        *at++ = (uint8_t)hex[code >> (4 * i) & 0xF];
    }
    return at;
}

/* One character as repr() of a str has it; the end. */
static uint8_t *quoted_char(uint8_t *at, uint32_t code, char quote)
{
    if (code == (unsigned char)quote || code == '\\') {
        *at++ = '\\';
        *at++ = (uint8_t)code;
        return at;
    }
    if (code >= 0x20 && code < 0x7F) {
        *at++ = (uint8_t)code;
        return at;
    }
    /* Latin-1 by hand: no-break space and soft hyphen are not printable. */
    if (code <= 0xA0 || code == 0xAD ||
        (code > 0xFF && !Py_UNICODE_ISPRINTABLE(code))) {
        return escape(at, code);
    }
    return at + cwm_utf8_encode(code, (char *)at);
}

/*
 * Copies ASCII bytes that need no escape, eight at a time while there is room;
 * how many.
 */
static size_t put_plain_run(struct value_out *o, const uint8_t *data, size_t n,
                            char quote)
{
    const uint64_t ones = VALUE_WORD_OF(1);
    const uint64_t quotes = VALUE_WORD_OF((uint8_t)quote);
    size_t i = 0;

    while (n - i >= 8 && value_room(o) >= 8) {
        uint64_t word;
        uint64_t same;

        memcpy(&word, data + i, 8);
        same = word ^ quotes;
        if ((word | ((same - ones) & ~same)) & VALUE_WORD_OF(0x80) ||
            value_word_special(word)) {
            break;
        }
        memcpy(o->at, &word, 8);
        o->at += 8;
        i += 8;
    }
    return i;
}

void value_put_quoted(struct value_out *o, const void *data, int kind, size_t n)
{
    char quote = choose_quote(data, kind, n);
    size_t next_run = 0; /* where a run of plain bytes may begin */

    value_putc(o, quote);
    for (size_t i = 0; i < n && !o->full; i++) {
        uint32_t code;

        if (kind == 1 && i >= next_run) {
            i += put_plain_run(o, (const uint8_t *)data + i, n - i, quote);
            next_run = i + 8;
            if (i == n) {
                break;
            }
        }
        code = read_char(data, kind, i);

        if (value_room(o) >= ESCAPE_BYTES) {
            o->at = quoted_char(o->at, code, quote);
        } else {
            uint8_t text[ESCAPE_BYTES];

            value_put(o, text, (size_t)(quoted_char(text, code, quote) - text));
        }
    }
    value_putc(o, quote);
}

void value_put_bytes(struct value_out *o, const unsigned char *data, size_t n,
                     bool is_bytearray)
{
    char quote = choose_quote(data, 1, n);

    value_putc(o, 'b');
    value_putc(o, quote);
    for (size_t i = 0; i < n && !o->full; i++) {
        unsigned char c = data[i];
        uint8_t text[ESCAPE_BYTES];

        if (c == (unsigned char)quote || c == '\\' ||
            (is_bytearray && c == '\'')) {
            value_putc(o, '\\');
            value_putc(o, (char)c);
        } else if (c >= 0x20 && c < 0x7F) {
            value_putc(o, (char)c);
        } else {
            value_put(o, text, (size_t)(escape(text, c) - text));
        }
    }
    value_putc(o, quote);
}

void value_put_raw(struct value_out *o, const void *data, int kind, size_t n)
{
    for (size_t i = 0; i < n && !o->full; i++) {
        uint32_t code = read_char(data, kind, i);
        char text[4];

        if (code < 0x80) {
            value_putc(o, (char)code);
        } else {
            value_put(o, text, cwm_utf8_encode(code, text));
        }
    }
}

static bool is_hex(uint32_t code)
{
    return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'f') ||
           (code >= 'A' && code <= 'F');
}

/* Length of the address that starts at character i; 0 for none. */
static size_t address_len(const void *data, int kind, size_t n, size_t i)
{
    static const char *const starts[] = {" at 0x", " @ 0x"};

    for (size_t s = 0; s < ARRAY_LEN(starts); s++) {
        size_t len = strlen(starts[s]);
        size_t at = 0;

        while (at < len && i + at < n &&
               read_char(data, kind, i + at) == (uint32_t)starts[s][at]) {
            at++;
        }
        if (at < len || i + at == n || !is_hex(read_char(data, kind, i + at))) {
            continue;
        }
        while (i + at < n && is_hex(read_char(data, kind, i + at))) {
            at++;
        }
        return at;
    }
    return 0;
}

void value_put_less_addresses(struct value_out *o, const void *data, int kind,
                              size_t n)
{
    size_t start = 0;

    for (size_t i = 0; i < n && !o->full; i++) {
        size_t len;

        if (read_char(data, kind, i) != ' ') {
            continue;
        }
        len = address_len(data, kind, n, i);
        if (len > 0) {
            value_put_raw(o, (const char *)data + start * (size_t)kind, kind,
                          i - start);
            start = i + len;
            i = start - 1;
        }
    }
    value_put_raw(o, (const char *)data + start * (size_t)kind, kind,
                  n - start);
}
