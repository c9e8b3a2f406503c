/* SPDX-License-Identifier: MIT */
/* bpe_train.c -- counts by many threads, then merges, then a tokenizer. */
#include "cwm/model/bpe_train.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/model/bpe_count.h"
#include "cwm/model/bpe_learn.h"
#include "cwm/model/tokenizer_internal.h"

/* TRACE_FORMAT.md's reserved strings, and one to fill up batches with. */
static const char *const special_tokens[] = {
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|pad|>",
    "<|frame_sep|>",
    "<|action_sep|>",
    "<|return_sep|>",
    "<|call_sep|>",
    "<|line_sep|>",
    "<|exception_sep|>",
    "<|arg_sep|>",
    "<|trace_context_start|>",
};

enum {
    N_SPECIAL = sizeof special_tokens / sizeof *special_tokens,
    N_BYTES = 256,
    /* A longer piece is data (a blob in a string), of which no token comes. */
    MAX_PIECE_BYTES = 1024,
};

/*
 * Cuts '...' on one line into pieces of one character, the quotes still at
 * the first and the last of them; the next pattern takes those off.  A quote
 * opens a string where no letter or digit stands in front of it and another
 * quote follows on the line.  Behind a match that did not end in a quote, \G
 * goes on inside the same string.
 */
static const char strings_pattern[] =
    "(?<![\\p{L}\\p{N}])''"
    "|(?<![\\p{L}\\p{N}])'[^'\\r\\n](?=[^'\\r\\n]*')'?"
    "|(?!\\A)\\G(?<!')[^'\\r\\n]'?";

/*
 * Llama 3's pattern without what it has for English ('s, 't), the number of
 * digits left open, and where strings are apart a quote is always alone.
 */
#define PATTERN(alone, quote, digits)                                          \
    alone "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^\\s\\p{L}\\p{N}" quote \
          "]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

struct worker {
    struct bpe_trainer *trainer; /* borrowed */
    struct tokenizer_encoder *encoder;
    struct bpe_counts counts;
    enum cwm_rc rc;
    struct cwm_err err;
};

struct bpe_trainer {
    struct bpe_train_options options;
    struct tokenizer *bytes; /* owned; cuts texts, knows no merges */
    struct worker *workers;  /* owned; [options.n_threads] */

    /* The batch at hand. */
    const struct bpe_text *texts; /* borrowed */
    size_t n_texts;
    atomic_size_t next;
};

/* ---- making a tokenizer ---------------------------------------------------
 */

static enum cwm_rc add_splits(const struct bpe_train_options *o,
                              struct tokenizer *t, struct cwm_err *err)
{
    static const char *const patterns[2][2] = {
        {PATTERN("", "", "\\p{N}{1,3}"), PATTERN("", "", "\\p{N}")},
        {PATTERN("'|", "'", "\\p{N}{1,3}"), PATTERN("'|", "'", "\\p{N}")},
    };
    const char *pattern = patterns[o->strings_apart][o->digits_apart];
    enum cwm_rc rc = CWM_OK;

    if (o->strings_apart) {
        rc = tokenizer__add_split(t, strings_pattern,
                                  sizeof strings_pattern - 1, err);
    }
    return rc == CWM_OK ? tokenizer__add_split(t, pattern, strlen(pattern), err)
                        : rc;
}

/* The bytes of a merge's token: those of its two parts, which are there. */
static enum cwm_rc set_merged(struct tokenizer *t, const struct bpe_merge *m,
                              struct cwm_err *err)
{
    const struct token *left = &t->tokens[m->left];
    const struct token *right = &t->tokens[m->right];
    char bytes[TOKENIZER_MAX_TOKEN_BYTES];

    memcpy(bytes, t->bytes.data + left->offset, left->len);
    memcpy(bytes + left->len, t->bytes.data + right->offset, right->len);
    return tokenizer__set(t, m->id, bytes, left->len + right->len, TOKEN_TEXT,
                          err);
}

/* merges is taken over, also on failure. */
static enum cwm_rc build(const struct bpe_train_options *o,
                         struct bpe_merge *merges, size_t n,
                         struct tokenizer **ret_tokenizer, struct cwm_err *err)
{
    struct tokenizer *t = tokenizer__new(); /* owned */
    enum cwm_rc rc = CWM_OK;
    size_t i;

    if (!t) {
        cwm_free(merges);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a tokenizer");
    }
    t->merge_list = merges;
    t->n_merge_list = n;
    t->ignore_merges = true;
    for (i = 0; i < N_BYTES && rc == CWM_OK; i++) {
        char byte = (char)i;

        rc = tokenizer__set(t, i, &byte, 1, TOKEN_TEXT, err);
    }
    for (i = 0; i < n && rc == CWM_OK; i++) {
        rc = set_merged(t, &merges[i], err);
        if (rc == CWM_OK) {
            rc = bpe_table_add(&t->merges, merges[i], err);
        }
    }
    for (i = 0; i < N_SPECIAL && rc == CWM_OK; i++) {
        rc = tokenizer__set(t, N_BYTES + n + i, special_tokens[i],
                            strlen(special_tokens[i]), TOKEN_SPECIAL, err);
    }
    if (rc == CWM_OK) {
        rc = add_splits(o, t, err);
    }
    if (rc == CWM_OK) {
        rc = tokenizer__finish(t, err);
    }
    if (rc == CWM_OK) {
        *ret_tokenizer = t;
        t = NULL; /* now the caller's */
    }
    tokenizer_free(t);
    return rc;
}

/* ---- the trainer ----------------------------------------------------------
 */

void bpe_trainer_free(struct bpe_trainer *t)
{
    unsigned i;

    if (!t) {
        return;
    }
    for (i = 0; t->workers && i < t->options.n_threads; i++) {
        tokenizer_encoder_free(t->workers[i].encoder);
        bpe_counts_release(&t->workers[i].counts);
    }
    cwm_free(t->workers);
    tokenizer_free(t->bytes);
    cwm_free(t);
}

static enum cwm_rc check_options(const struct bpe_train_options *o,
                                 struct cwm_err *err)
{
    if (o->vocab_size < BPE_TRAIN_MIN_VOCAB ||
        o->vocab_size > TOKENIZER_MAX_IDS) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot train a vocabulary of %u: %u to %d is possible",
                        o->vocab_size, BPE_TRAIN_MIN_VOCAB, TOKENIZER_MAX_IDS);
    }
    if (o->n_threads < 1 || o->min_count < 1 || o->max_token_bytes < 2 ||
        o->max_token_bytes > TOKENIZER_MAX_TOKEN_BYTES) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot train with these settings: at least 1 thread, "
                        "a count of 1, tokens of 2 to %d bytes",
                        TOKENIZER_MAX_TOKEN_BYTES);
    }
    return CWM_OK;
}

enum cwm_rc bpe_trainer_new(const struct bpe_train_options *options,
                            struct bpe_trainer **ret_trainer,
                            struct cwm_err *err)
{
    enum cwm_rc rc = check_options(options, err);
    struct bpe_trainer *t;
    unsigned i;

    if (rc != CWM_OK) {
        return rc;
    }
    t = cwm_calloc(1, sizeof *t);
    if (!t) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a trainer");
    }
    t->options = *options;
    t->workers = cwm_calloc(options->n_threads, sizeof *t->workers);
    if (!t->workers) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold a trainer");
        goto out;
    }
    rc = build(options, NULL, 0, &t->bytes, err);
    for (i = 0; i < options->n_threads && rc == CWM_OK; i++) {
        t->workers[i].trainer = t;
        bpe_counts_init(&t->workers[i].counts);
        rc = tokenizer_encoder_new(t->bytes, &t->workers[i].encoder, err);
    }
    if (rc != CWM_OK) {
        goto out;
    }
    *ret_trainer = t;
    t = NULL; /* now the caller's */
out:
    bpe_trainer_free(t);
    return rc;
}

static enum cwm_rc count_piece(void *ctx, const char *bytes, size_t len,
                               struct cwm_err *err)
{
    struct worker *w = ctx;

    if (len < 2 || len > MAX_PIECE_BYTES) {
        return CWM_OK;
    }
    return bpe_counts_add(&w->counts, bytes, len, 1, err);
}

static void *count_texts(void *arg)
{
    struct worker *w = arg;
    struct bpe_trainer *t = w->trainer;

    while (w->rc == CWM_OK) {
        size_t i = atomic_fetch_add(&t->next, 1);

        if (i >= t->n_texts) {
            break;
        }
        if (t->options.cancel && *t->options.cancel) {
            w->rc = CWM_FAIL(&w->err, CWM_CANCELLED, "stopped");
            break;
        }
        w->rc = tokenizer__pieces(w->encoder, t->texts[i].text, t->texts[i].len,
                                  count_piece, w, &w->err);
    }
    return NULL;
}

enum cwm_rc bpe_trainer_add(struct bpe_trainer *t, const struct bpe_text *texts,
                            size_t n, struct cwm_err *err)
{
    pthread_t *threads;
    enum cwm_rc rc = CWM_OK;
    unsigned n_started = 0;
    unsigned i;

    threads = cwm_calloc(t->options.n_threads, sizeof *threads);
    if (!threads) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the threads");
    }
    t->texts = texts;
    t->n_texts = n;
    atomic_store(&t->next, 0);
    while (n_started < t->options.n_threads && rc == CWM_OK) {
        if (pthread_create(&threads[n_started], NULL, count_texts,
                           &t->workers[n_started]) != 0) {
            rc = CWM_FAIL(err, CWM_SYSTEM, "could not start a thread");
            atomic_store(&t->next, n); /* those that run find nothing more */
            break;
        }
        n_started++;
    }
    for (i = 0; i < n_started; i++) {
        pthread_join(threads[i], NULL);
    }
    for (i = 0; i < n_started && rc == CWM_OK; i++) {
        rc = t->workers[i].rc;
        if (rc != CWM_OK && err) {
            *err = t->workers[i].err;
        }
    }
    cwm_free(threads);
    return rc;
}

enum cwm_rc bpe_trainer_finish(struct bpe_trainer *t,
                               struct tokenizer **ret_tokenizer,
                               struct cwm_err *err)
{
    struct bpe_learn_options learn = {
        .n_merges = t->options.vocab_size - N_BYTES - N_SPECIAL,
        .min_count = t->options.min_count,
        .max_token_bytes = t->options.max_token_bytes,
        .cancel = t->options.cancel,
    };
    struct bpe_counts *all = &t->workers[0].counts;
    struct bpe_merge *merges = NULL; /* owned */
    size_t n_merges = 0;
    enum cwm_rc rc = CWM_OK;
    unsigned i;

    for (i = 1; i < t->options.n_threads && rc == CWM_OK; i++) {
        rc = bpe_counts_add_all(all, &t->workers[i].counts, err);
        bpe_counts_release(&t->workers[i].counts);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    merges = cwm_calloc(learn.n_merges, sizeof *merges);
    if (!merges) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the merges");
    }
    rc = bpe_learn(all, &learn, merges, &n_merges, err);
    if (rc != CWM_OK) {
        cwm_free(merges);
        return rc;
    }
    return build(&t->options, merges, n_merges, ret_tokenizer, err);
}
