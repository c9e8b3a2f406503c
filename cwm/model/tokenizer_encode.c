/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_encode.c -- text to ids.
 *
 * text -> special tokens and what lies between them -> runs of UTF-8 and of
 * bytes that are none -> the pre-tokenizers' pieces -> ids.  A piece is
 * looked up as a token first, then in a small cache of the pieces merged
 * lately, and only then merged.
 */
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/utf8.h"
#include "cwm/model/tokenizer_internal.h"
#include "cwm/model/tokenizer_pcre.h"

enum {
    /* 256 KB an encoder: fits the second-level cache beside the tables. */
    CACHE_SLOTS = 4096,
    CACHE_PIECE_BYTES = 27,
    CACHE_IDS = 8,
    /* What the JIT's code may use to backtrack in; patterns of tokenizers
     * need next to nothing. */
    JIT_STACK_START_BYTES = 32 << 10,
    JIT_STACK_MAX_BYTES = 1 << 20,
};

/* Ten times what Llama 3's pattern needs for a megabyte of spaces. */
#define MATCH_LIMIT 20000000u

/* One cache line: a piece and its ids; len 0 is empty. */
struct cached {
    uint8_t len;
    uint8_t n_ids;
    char bytes[CACHE_PIECE_BYTES + 3];
    uint32_t ids[CACHE_IDS];
};

struct tokenizer_encoder {
    const struct tokenizer *t;    /* borrowed */
    pcre2_match_data *match;      /* owned */
    pcre2_match_context *context; /* owned */
    pcre2_jit_stack *stack;       /* owned */
    struct cached *cache;         /* owned; [CACHE_SLOTS] */
    struct bpe_scratch scratch;
    struct token_ids piece; /* the symbols of the piece at hand */
};

void tokenizer_encoder_free(struct tokenizer_encoder *e)
{
    if (!e) {
        return;
    }
    token_ids_release(&e->piece);
    bpe_scratch_release(&e->scratch);
    cwm_free(e->cache);
    pcre2_match_context_free(e->context);
    pcre2_jit_stack_free(e->stack);
    pcre2_match_data_free(e->match);
    cwm_free(e);
}

enum cwm_rc tokenizer_encoder_new(const struct tokenizer *t,
                                  struct tokenizer_encoder **ret_encoder,
                                  struct cwm_err *err)
{
    struct tokenizer_encoder *e = cwm_calloc(1, sizeof *e);

    if (!e) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold an encoder");
    }
    e->t = t;
    e->cache = cwm_calloc(CACHE_SLOTS, sizeof *e->cache);
    e->match = pcre2_match_data_create(1, NULL);
    e->context = pcre2_match_context_create(NULL);
    e->stack = pcre2_jit_stack_create(JIT_STACK_START_BYTES,
                                      JIT_STACK_MAX_BYTES, NULL);
    /* without a JIT there is no stack for it, and none is needed */
    if (!e->cache || !e->match || !e->context) {
        tokenizer_encoder_free(e);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold an encoder");
    }
    pcre2_set_match_limit(e->context, MATCH_LIMIT);
    if (e->stack) {
        pcre2_jit_stack_assign(e->context, NULL, e->stack);
    }
    *ret_encoder = e;
    return CWM_OK;
}

/* ---- one piece ---------------------------------------------------------- */

static enum cwm_rc add_ids(struct token_ids *out, const uint32_t *ids, size_t n,
                           struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    size_t i;

    for (i = 0; i < n && rc == CWM_OK; i++) {
        rc = token_ids_add(out, ids[i], err);
    }
    return rc;
}

/* The bytes' own tokens in e->piece, merged. */
static enum cwm_rc merge_bytes(struct tokenizer_encoder *e, const char *bytes,
                               size_t len, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    size_t i;

    if (len >> 31) {
        return CWM_FAIL(err, CWM_LIMIT,
                        "cannot encode a piece of %zu bytes without a break",
                        len);
    }
    e->piece.n = 0;
    for (i = 0; i < len && rc == CWM_OK; i++) {
        rc = token_ids_add(&e->piece, e->t->byte_ids[(unsigned char)bytes[i]],
                           err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    return bpe_merge_piece(&e->t->merges, e->piece.ids, &e->piece.n,
                           &e->scratch, err);
}

/* Where a text's ids go: the context of encode_piece(). */
struct encoding {
    struct tokenizer_encoder *e; /* borrowed */
    struct token_ids *out;       /* borrowed */
};

static enum cwm_rc encode_piece(void *ctx, const char *bytes, size_t len,
                                struct cwm_err *err)
{
    const struct encoding *encoding = ctx;
    struct tokenizer_encoder *e = encoding->e;
    struct token_ids *out = encoding->out;
    uint64_t hash = tokenizer__hash(bytes, len);
    struct cached *slot = &e->cache[hash >> 32 & (CACHE_SLOTS - 1)];
    enum cwm_rc rc;
    uint32_t id;

    if (len <= TOKENIZER_MAX_TOKEN_BYTES &&
        tokenizer__find(e->t, &e->t->text, bytes, len, hash, &id) &&
        e->t->tokens[id].whole) {
        return token_ids_add(out, id, err);
    }
    if (slot->len == len && memcmp(slot->bytes, bytes, len) == 0) {
        return add_ids(out, slot->ids, slot->n_ids, err);
    }
    rc = merge_bytes(e, bytes, len, err);
    if (rc != CWM_OK) {
        return rc;
    }
    if (len <= CACHE_PIECE_BYTES && e->piece.n <= CACHE_IDS) {
        slot->len = (uint8_t)len;
        slot->n_ids = (uint8_t)e->piece.n;
        memcpy(slot->bytes, bytes, len);
        memcpy(slot->ids, e->piece.ids, e->piece.n * sizeof *slot->ids);
    }
    return add_ids(out, e->piece.ids, e->piece.n, err);
}

/* ---- pre-tokenizers ----------------------------------------------------- */

static enum cwm_rc match_failed(int problem, struct cwm_err *err)
{
    PCRE2_UCHAR text[128];

    pcre2_get_error_message(problem, text, sizeof text);
    return CWM_FAIL(err,
                    problem == PCRE2_ERROR_NOMEMORY ? CWM_NOMEM : CWM_LIMIT,
                    "could not split the text by the tokenizer's pattern: %s",
                    (const char *)text);
}

/*
 * The next match at or behind `at`; an empty one is passed over, it cuts
 * nothing off.  Without one *ret_start is len.
 */
static enum cwm_rc next_match(struct tokenizer_encoder *e,
                              const struct tokenizer_split *split,
                              const char *text, size_t len, size_t at,
                              size_t *ret_start, size_t *ret_end,
                              struct cwm_err *err)
{
    const size_t *bounds = pcre2_get_ovector_pointer(e->match);
    int n;

    if (split->has_jit) {
        n = pcre2_jit_match(split->code, (PCRE2_SPTR)text, len, at,
                            PCRE2_NOTEMPTY, e->match, e->context);
    } else {
        n = pcre2_match(split->code, (PCRE2_SPTR)text, len, at,
                        PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, e->match,
                        e->context);
    }
    *ret_start = len;
    *ret_end = len;
    if (n == PCRE2_ERROR_NOMATCH) {
        return CWM_OK;
    }
    if (n < 0) {
        return match_failed(n, err);
    }
    /* \K in a lookaround can put the start behind the end or before `at` */
    if (bounds[0] < at || bounds[1] <= bounds[0] || bounds[1] > len) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "could not split the text by the tokenizer's pattern: "
                        "it moves the start of its match");
    }
    *ret_start = bounds[0];
    *ret_end = bounds[1];
    return CWM_OK;
}

/* What is done with each piece, in order. */
struct visitor {
    tokenizer__piece_fn *visit;
    void *ctx; /* borrowed */
};

/*
 * Cut text by the k-th pre-tokenizer; what comes out goes to the next one.
 * NOLINTNEXTLINE(misc-no-recursion): at most TOKENIZER_MAX_SPLITS deep.
 */
static enum cwm_rc walk_split(struct tokenizer_encoder *e, size_t k,
                              const char *text, size_t len,
                              const struct visitor *v, struct cwm_err *err)
{
    size_t at = 0;
    size_t start;
    size_t end;
    enum cwm_rc rc = CWM_OK;

    if (k == e->t->n_splits) {
        return v->visit(v->ctx, text, len, err);
    }
    while (at < len && rc == CWM_OK) {
        rc = next_match(e, &e->t->splits[k], text, len, at, &start, &end, err);
        if (rc == CWM_OK && start > at) {
            rc = walk_split(e, k + 1, text + at, start - at, v, err);
        }
        if (rc == CWM_OK && end > start) {
            rc = walk_split(e, k + 1, text + start, end - start, v, err);
        }
        at = end;
    }
    return rc;
}

/* Bytes from `at` on that are no UTF-8. */
static size_t invalid_run(const char *text, size_t len)
{
    size_t n = 0;

    do {
        n++;
    } while (n < len &&
             cwm_utf8_valid_prefix(text + n, len - n < 4 ? len - n : 4) == 0);
    return n;
}

/* Text without special tokens. */
static enum cwm_rc walk_ordinary(struct tokenizer_encoder *e, const char *text,
                                 size_t len, const struct visitor *v,
                                 struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    size_t at = 0;

    while (at < len && rc == CWM_OK) {
        size_t n = cwm_utf8_valid_prefix(text + at, len - at);

        if (n > 0) {
            rc = walk_split(e, 0, text + at, n, v, err);
        } else {
            n = invalid_run(text + at, len - at);
            rc = v->visit(v->ctx, text + at, n, err);
        }
        at += n;
    }
    return rc;
}

/* ---- special tokens ----------------------------------------------------- */

/* The longest special token at the beginning of text. */
static bool special_at(const struct tokenizer *t, const char *text, size_t len,
                       uint32_t *ret_id)
{
    size_t i;

    for (i = 0; i < t->n_special_lens; i++) {
        size_t n = t->special_lens[i];

        if (n <= len && tokenizer_special(t, text, n, ret_id)) {
            return true;
        }
    }
    return false;
}

/*
 * Text with special tokens; their ids go to `out`, NULL when they only cut.
 */
static enum cwm_rc walk_special(struct tokenizer_encoder *e, const char *text,
                                size_t len, const struct visitor *v,
                                struct token_ids *out, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    size_t from = 0; /* what lies before is done */
    size_t at = 0;
    uint32_t id;

    while (at < len && rc == CWM_OK) {
        if (!e->t->special_first[(unsigned char)text[at]] ||
            !special_at(e->t, text + at, len - at, &id)) {
            at++;
            continue;
        }
        rc = walk_ordinary(e, text + from, at - from, v, err);
        if (rc == CWM_OK && out) {
            rc = token_ids_add(out, id, err);
        }
        at += e->t->tokens[id].len;
        from = at;
    }
    if (rc == CWM_OK) {
        rc = walk_ordinary(e, text + from, len - from, v, err);
    }
    return rc;
}

enum cwm_rc tokenizer__pieces(struct tokenizer_encoder *e, const char *text,
                              size_t len, tokenizer__piece_fn *visit, void *ctx,
                              struct cwm_err *err)
{
    struct visitor v = {visit, ctx};

    return walk_special(e, text, len, &v, NULL, err);
}

enum cwm_rc tokenizer_encode(struct tokenizer_encoder *e, const char *text,
                             size_t len, bool special, struct token_ids *out,
                             struct cwm_err *err)
{
    struct encoding encoding = {e, out};
    struct visitor v = {encode_piece, &encoding};
    size_t n_before = out->n;
    enum cwm_rc rc = special ? walk_special(e, text, len, &v, out, err)
                             : walk_ordinary(e, text, len, &v, err);

    if (rc != CWM_OK) {
        out->n = n_before;
    }
    return rc;
}
