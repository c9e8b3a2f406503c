/* SPDX-License-Identifier: MIT */
/*
 * problem_packed.c -- LiveCodeBench's packed tests: base64 of zlib of a pickle
 * of one text.
 *
 * A pickle is a program for a machine that can call anything.  Nothing of it
 * is run here: only the opcodes that one str or bytes object is written with
 * are read, by protocols 2 to 5, and every other one is refused by its number.
 */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "eval/problem_internal.h"

/* Of one problem, unpacked; the largest that is published has 300 MB. */
#define MAX_UNPACKED_BYTES ((size_t)1 << 30)

enum { CHUNK_BYTES = 1 << 16 };

/* Opcodes of pickles, as CPython's pickletools names them. */
enum {
    OP_PROTO = 0x80,            /* u8 protocol */
    OP_FRAME = 0x95,            /* u64 length: of no use without a stream */
    OP_SHORT_BINUNICODE = 0x8C, /* u8 length, text */
    OP_BINUNICODE = 'X',        /* u32 length, text */
    OP_BINUNICODE8 = 0x8D,      /* u64 length, text */
    OP_SHORT_BINBYTES = 'C',    /* u8 length, bytes */
    OP_BINBYTES = 'B',          /* u32 length, bytes */
    OP_BINBYTES8 = 0x8E,        /* u64 length, bytes */
    OP_MEMOIZE = 0x94,
    OP_BINPUT = 'q',      /* u8 place */
    OP_LONG_BINPUT = 'r', /* u32 place */
    OP_STOP = '.'
};

/* ---- base64 ---- */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static bool decode_base64(const char *text, size_t len, struct cwm_buf *out)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;

    while (len > 0 && strchr("= \t\r\n", text[len - 1]) && text[len - 1]) {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        int digit = digit_of(text[i]);

        if (digit < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            cwm_buf_addc(out, (char)(bits >> n_bits & 0xFF));
        }
    }
    return len > 0;
}

/* ---- zlib ---- */

/* False: damaged, or too large (out->failed). */
static bool inflate_all(const struct cwm_buf *in, struct cwm_buf *out)
{
    unsigned char chunk[CHUNK_BYTES];
    z_stream z = {.next_in = (unsigned char *)in->data};
    int rc = Z_OK;

    if (in->len > UINT32_MAX || inflateInit(&z) != Z_OK) {
        return false;
    }
    z.avail_in = (unsigned)in->len;
    while (rc == Z_OK && out->failed == CWM_OK) {
        z.next_out = chunk;
        z.avail_out = sizeof chunk;
        rc = inflate(&z, Z_NO_FLUSH);
        cwm_buf_add(out, chunk, sizeof chunk - z.avail_out);
    }
    inflateEnd(&z);
    return rc == Z_STREAM_END && out->failed == CWM_OK;
}

/* ---- pickle ---- */

struct pickle {
    const unsigned char *data; /* borrowed */
    size_t len, at;
};

/* A little-endian number of n bytes; false: the text ends before. */
static bool take_number(struct pickle *p, size_t n, uint64_t *ret)
{
    uint64_t number = 0;

    if (p->len - p->at < n) {
        return false;
    }
    for (size_t i = n; i > 0; i--) {
        number = number << 8 | p->data[p->at + i - 1];
    }
    p->at += n;
    *ret = number;
    return true;
}

/* Bytes of the number behind the opcode, and whether a text follows; -1:
 * none of ours. */
static int number_bytes(unsigned op, bool *ret_is_text)
{
    *ret_is_text = true;
    switch (op) {
    case OP_SHORT_BINUNICODE:
    case OP_SHORT_BINBYTES:
        return 1;
    case OP_BINUNICODE:
    case OP_BINBYTES:
        return 4;
    case OP_BINUNICODE8:
    case OP_BINBYTES8:
        return 8;
    default:
        break;
    }
    *ret_is_text = false;
    switch (op) {
    case OP_MEMOIZE:
        return 0;
    case OP_PROTO:
    case OP_BINPUT:
        return 1;
    case OP_LONG_BINPUT:
        return 4;
    case OP_FRAME:
        return 8;
    default:
        return -1;
    }
}

static bool refuse(char *why, size_t size, const char *what, unsigned op)
{
    if (op <= 0xFF) {
        snprintf(why, size, "packed tests: %s (opcode 0x%02x)", what, op);
    } else {
        snprintf(why, size, "packed tests: %s", what);
    }
    return false;
}

#define NO_OP 0x100u

/* The one text that it holds: data[*ret_at, + *ret_len). */
static bool read_pickle(const struct cwm_buf *in, size_t *ret_at,
                        size_t *ret_len, char *why, size_t size)
{
    struct pickle p = {.data = (const unsigned char *)in->data, .len = in->len};
    bool has_text = false;

    while (p.at < p.len) {
        unsigned op = p.data[p.at++];
        uint64_t number = 0;
        bool is_text;
        int n;

        if (op == OP_STOP) {
            return has_text ||
                   refuse(why, size, "a pickle without a text", NO_OP);
        }
        n = number_bytes(op, &is_text);
        if (n < 0 || (is_text && has_text)) {
            return refuse(why, size, "a pickle of more than one text", op);
        }
        if (!take_number(&p, (size_t)n, &number) ||
            (is_text && number > p.len - p.at)) {
            break;
        }
        if (is_text) {
            *ret_at = p.at;
            *ret_len = (size_t)number;
            p.at += (size_t)number;
            has_text = true;
        }
    }
    return refuse(why, size, "a pickle that is cut off", NO_OP);
}

bool problem__unpack(const char *text, size_t len, struct cwm_buf *out,
                     char *why, size_t why_size)
{
    struct cwm_buf packed;
    struct cwm_buf pickle;
    size_t at = 0;
    size_t n = 0;
    bool done;

    cwm_buf_init(&packed, MAX_UNPACKED_BYTES);
    cwm_buf_init(&pickle, MAX_UNPACKED_BYTES);
    done = decode_base64(text, len, &packed) && packed.failed == CWM_OK;
    if (!done) {
        refuse(why, why_size, "neither JSON nor base64", NO_OP);
    } else if (!inflate_all(&packed, &pickle)) {
        done = refuse(why, why_size,
                      pickle.failed == CWM_LIMIT ? "larger than 1 GiB"
                                                 : "no zlib stream",
                      NO_OP);
    } else {
        done = read_pickle(&pickle, &at, &n, why, why_size);
    }
    if (done) {
        cwm_buf_add(out, pickle.data + at, n);
    }
    if (packed.failed == CWM_NOMEM || pickle.failed == CWM_NOMEM) {
        out->failed = CWM_NOMEM;
    }
    cwm_buf_release(&packed);
    cwm_buf_release(&pickle);
    return done && out->failed == CWM_OK;
}
