/* SPDX-License-Identifier: MIT */
/* code_tokens.c -- cutting code into pieces. */
#include "datasets/code_tokens.h"

#include <stdbool.h>
#include <string.h>
#include <xxhash.h>

#include "cwm/base/alloc.h"

void code_tokens_release(struct code_tokens *t)
{
    cwm_free(t->hashes);
    *t = (struct code_tokens){NULL, 0, 0};
}

static enum cwm_rc add(struct code_tokens *t, uint64_t hash,
                       struct cwm_err *err)
{
    if (t->n == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 256;
        uint64_t *more = cwm_realloc(t->hashes, capacity, sizeof *more);

        if (!more) {
            return CWM_FAIL(err, CWM_NOMEM,
                            "could not hold a program's tokens");
        }
        t->hashes = more;
        t->capacity = capacity;
    }
    t->hashes[t->n++] = hash;
    return CWM_OK;
}

static bool is_word(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

static size_t word_len(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && is_word((unsigned char)text[n])) {
        n++;
    }
    return n;
}

/* A string from its first quote to its last, or to the text's end. */
static size_t string_len(const char *text, size_t len)
{
    char quote = text[0];
    bool is_long = len >= 3 && text[1] == quote && text[2] == quote;
    size_t n = is_long ? 3 : 1;

    while (n < len) {
        if (text[n] == '\\') {
            n += 2;
        } else if (text[n] == quote &&
                   (!is_long || (len - n >= 3 && text[n + 1] == quote &&
                                 text[n + 2] == quote))) {
            n += is_long ? 3 : 1;
            return n < len ? n : len;
        } else if (text[n] == '\n' && !is_long) {
            return n;
        } else {
            n++;
        }
    }
    return len;
}

/* How long the piece at text[0] is; *ret_counts: is it one to compare by? */
static size_t piece_len(const char *text, size_t len, bool words,
                        bool *ret_counts)
{
    unsigned char c = (unsigned char)text[0];
    const char *end;

    *ret_counts = true;
    if (is_word(c)) {
        return word_len(text, len);
    }
    if (words || c <= ' ' || c == '\\') {
        *ret_counts = false;
        return 1;
    }
    if (c == '#') {
        *ret_counts = false;
        end = memchr(text, '\n', len);
        return end ? (size_t)(end - text) : len;
    }
    return c == '"' || c == '\'' ? string_len(text, len) : 1;
}

enum cwm_rc code_tokens_of(const char *text, size_t len, int words,
                           struct code_tokens *t, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    t->n = 0;
    for (size_t at = 0; at < len && rc == CWM_OK;) {
        bool counts;
        size_t n = piece_len(text + at, len - at, words != 0, &counts);

        if (counts) {
            rc = add(t, XXH3_64bits(text + at, n), err);
        }
        at += n;
    }
    return rc;
}

uint64_t code_tokens_gram(const struct code_tokens *t, size_t at, size_t n)
{
    return XXH3_64bits(t->hashes + at, n * sizeof *t->hashes);
}
