/* SPDX-License-Identifier: MIT */
/* trace_vocab.c -- the making of a vocabulary: see trace_vocab.h. */
#include "cwm/model/trace_vocab.h"

#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/model/sample.h"
#include "cwm/model/trace_vocab_internal.h"

/*
 * The states.  The ones inside a string stand three times: in a name, in a
 * value, in an argument.  Behind \u come four hex digits whose number is one
 * that is escaped so: not that of a character that stands for itself (0020 to
 * 007e) or has a letter (0008 0009 000a 000c 000d).
 */
enum {
    IN_PLAIN,
    IN_ESCAPE, /* behind a backslash */
    IN_U,      /* behind \u, and then its digits */
    IN_U0,
    IN_U00,
    IN_U000,
    IN_U007,
    IN_ANY3, /* this many more digits, any */
    IN_ANY2,
    IN_ANY1,
    N_IN
};

enum {
    AT_FIRST_NAME = 4, /* behind the brace: a name, or the end */
    AT_COLON,
    AT_COLON_SPACE,
    AT_VALUE,
    AT_NEXT, /* behind a value */
    AT_COMMA_SPACE,
    AT_NAME,
    IN_NAME,
    IN_VALUE = IN_NAME + N_IN,
    IN_TEXT = IN_VALUE + N_IN,
    N_STATES = IN_TEXT + N_IN
};
_Static_assert((int)N_STATES == (int)TRACE_N_JSON, "as many as are kept");

static const char *const token_texts[] = {
#define TRACE_TOKEN_TEXT(id, text) text,
    TRACE_TOKEN_TABLE(TRACE_TOKEN_TEXT)
#undef TRACE_TOKEN_TEXT
};

/* ---- the automaton ------------------------------------------------------- */

typedef uint8_t table[TRACE_N_JSON][256];

static void on(table next, int from, const char *bytes, int to)
{
    for (; *bytes; bytes++) {
        next[from][(unsigned char)*bytes] = (uint8_t)to;
    }
}

/* A string whose states begin at `in`, and what is behind its end. */
static void make_string(table next, int in, int behind)
{
    static const char digits[] = "0123456789abcdef";
    int c;

    for (c = 0x20; c < 0x7F; c++) {
        next[in + IN_PLAIN][c] = (uint8_t)(in + IN_PLAIN);
    }
    on(next, in + IN_PLAIN, "\"", behind);
    on(next, in + IN_PLAIN, "\\", in + IN_ESCAPE);
    on(next, in + IN_ESCAPE, "\"\\bfnrt", in + IN_PLAIN);
    on(next, in + IN_ESCAPE, "u", in + IN_U);
    on(next, in + IN_U, digits, in + IN_ANY3);
    on(next, in + IN_U, "0", in + IN_U0);
    on(next, in + IN_U0, digits, in + IN_ANY2);
    on(next, in + IN_U0, "0", in + IN_U00);
    on(next, in + IN_U00, "189abcdef", in + IN_ANY1);
    on(next, in + IN_U00, "0", in + IN_U000);
    on(next, in + IN_U00, "7", in + IN_U007);
    on(next, in + IN_U000, "01234567bef", in + IN_PLAIN);
    on(next, in + IN_U007, "f", in + IN_PLAIN);
    on(next, in + IN_ANY3, digits, in + IN_ANY2);
    on(next, in + IN_ANY2, digits, in + IN_ANY1);
    on(next, in + IN_ANY1, digits, in + IN_PLAIN);
}

static void make_automaton(table next)
{
    on(next, TRACE_JSON_OBJECT, "{", AT_FIRST_NAME);
    on(next, AT_FIRST_NAME, "}", TRACE_JSON_DONE);
    on(next, AT_FIRST_NAME, "\"", IN_NAME);
    on(next, AT_COLON, ":", AT_COLON_SPACE);
    on(next, AT_COLON_SPACE, " ", AT_VALUE);
    on(next, AT_VALUE, "\"", IN_VALUE);
    on(next, AT_NEXT, "}", TRACE_JSON_DONE);
    on(next, AT_NEXT, ",", AT_COMMA_SPACE);
    on(next, AT_COMMA_SPACE, " ", AT_NAME);
    on(next, AT_NAME, "\"", IN_NAME);
    on(next, TRACE_JSON_TEXT, "\"", IN_TEXT);
    make_string(next, IN_NAME, AT_COLON);
    make_string(next, IN_VALUE, AT_NEXT);
    make_string(next, IN_TEXT, TRACE_JSON_DONE);
}

/* ---- the words of each state --------------------------------------------- */

struct word {
    const char *bytes; /* borrowed from the tokenizer */
    uint32_t len;
    uint32_t id;
    uint32_t shared; /* bytes that are those of the word before */
};

static int by_bytes(const void *left, const void *right)
{
    const struct word *a = left;
    const struct word *b = right;
    size_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->bytes, b->bytes, len);

    if (order != 0) {
        return order;
    }
    return a->len < b->len ? -1 : a->len > b->len;
}

/* The words that are made of text, sorted, so that what the first bytes of
 * several do is found once. */
static size_t sort_words(const struct trace_vocab *v, struct word *words,
                         uint32_t *ret_longest)
{
    size_t n = 0;
    size_t i;

    *ret_longest = 0;
    for (i = 0; i < v->n_words; i++) {
        const char *bytes;
        size_t len;
        bool is_special;

        if (tokenizer_token(v->t, (uint32_t)i, &bytes, &len, &is_special) &&
            !is_special && len > 0) {
            words[n].bytes = bytes;
            words[n].len = (uint32_t)len;
            words[n].id = (uint32_t)i;
            n++;
            *ret_longest = len > *ret_longest ? (uint32_t)len : *ret_longest;
        }
    }
    qsort(words, n, sizeof *words, by_bytes);
    for (i = 1; i < n; i++) {
        const struct word *a = &words[i - 1];
        uint32_t k = 0;

        while (k < a->len && k < words[i].len &&
               a->bytes[k] == words[i].bytes[k]) {
            k++;
        }
        words[i].shared = k;
    }
    return n;
}

/* states [longest + 1]: behind so many bytes of the word at hand. */
static void make_mask(const struct trace_vocab *v, int from,
                      const struct word *words, size_t n, uint8_t *states,
                      uint64_t *mask)
{
    uint32_t alive = 0; /* bytes behind which states[] holds, and lives */
    size_t i;

    states[0] = (uint8_t)from;
    for (i = 0; i < n; i++) {
        const struct word *w = &words[i];
        uint32_t at = w->shared < alive ? w->shared : alive;

        if (w->shared > alive) {
            continue; /* the byte that ended the word before is here, too */
        }
        while (at < w->len) {
            uint8_t to = v->next[states[at]][(unsigned char)w->bytes[at]];

            if (to == TRACE_JSON_DEAD) {
                break;
            }
            states[++at] = to;
        }
        alive = at;
        if (at == w->len) {
            mask[w->id >> 6] |= UINT64_C(1) << (w->id & 63);
        }
    }
}

static enum cwm_rc make_masks(struct trace_vocab *v, struct cwm_err *err)
{
    struct word *words = cwm_calloc(v->n_words, sizeof *words); /* owned */
    uint8_t *states = NULL;                                     /* owned */
    uint32_t longest;
    enum cwm_rc rc = CWM_OK;
    size_t n;
    int i;

    v->masks = cwm_calloc(TRACE_N_JSON, v->n_mask * sizeof *v->masks);
    if (!words || !v->masks) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold the vocabulary's masks");
        goto out;
    }
    n = sort_words(v, words, &longest);
    states = cwm_calloc((size_t)longest + 1, 1);
    if (!states) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold the vocabulary's masks");
        goto out;
    }
    for (i = TRACE_JSON_OBJECT; i < TRACE_N_JSON; i++) {
        make_mask(v, i, words, n, states, v->masks + (size_t)i * v->n_mask);
    }
out:
    cwm_free(states);
    cwm_free(words);
    return rc;
}

/* ---- the vocabulary ------------------------------------------------------ */

static enum cwm_rc find_tokens(struct trace_vocab *v, struct cwm_err *err)
{
    size_t i;

    if (tokenizer_n_ids(v->t) > v->n_words) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use this tokenizer: its ids go up to %u, and "
                        "the model has %zu words",
                        tokenizer_n_ids(v->t) - 1, v->n_words);
    }
    for (i = 0; i < TRACE_N_TOKENS; i++) {
        if (!tokenizer_special(v->t, token_texts[i], strlen(token_texts[i]),
                               &v->ids[i])) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot read traces with this tokenizer: it has "
                            "no special token '%s'",
                            token_texts[i]);
        }
    }
    return CWM_OK;
}

enum cwm_rc trace_vocab_new(const struct tokenizer *t, size_t n_words,
                            struct trace_vocab **ret_vocab, struct cwm_err *err)
{
    struct trace_vocab *v = cwm_calloc(1, sizeof *v); /* owned */
    enum cwm_rc rc;

    if (!v) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a vocabulary");
    }
    v->t = t;
    v->n_words = n_words;
    v->n_mask = sample_mask_n(n_words);
    rc = find_tokens(v, err);
    if (rc == CWM_OK) {
        make_automaton(v->next);
        rc = make_masks(v, err);
    }
    if (rc != CWM_OK) {
        trace_vocab_free(v);
        return rc;
    }
    *ret_vocab = v;
    return CWM_OK;
}

void trace_vocab_free(struct trace_vocab *v)
{
    if (v) {
        cwm_free(v->masks);
        cwm_free(v);
    }
}
