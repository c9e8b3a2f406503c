/* SPDX-License-Identifier: MIT */
/*
 * bpe_train.h -- a tokenizer of our own, learned from texts.
 *
 * Texts are the trace text of TRACE_FORMAT.md, or any other: the reserved
 * strings in them are special tokens, cut at and never learned from.
 *
 * Ids: 0..255 the bytes by their value, then the learned tokens, the most
 * frequent first, then the special tokens.  The same texts and settings give
 * the same tokenizer, with any number of threads and in any order.
 *
 * Threads: a trainer makes its own and is used by one at a time.
 */
#ifndef CWM_MODEL_BPE_TRAIN_H
#define CWM_MODEL_BPE_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "cwm/model/tokenizer.h"

struct bpe_trainer; /* opaque: bpe_train.c */

struct bpe_train_options {
    uint32_t vocab_size;        /* bytes and special tokens included */
    unsigned n_threads;         /* at least 1 */
    uint64_t min_count;         /* of a pair that becomes a token; >= 1 */
    uint32_t max_token_bytes;   /* of a token that is learned; >= 2 */
    bool digits_apart;          /* one digit a token, else up to three */
    bool strings_apart;         /* one character a token between '...' */
    const volatile int *cancel; /* borrowed; NULL is fine */
};

/* Room for the bytes and the special tokens, and for one token more. */
#define BPE_TRAIN_MIN_VOCAB 268u

struct bpe_text {
    const char *text; /* borrowed */
    size_t len;
};

/* Fails: CWM_USAGE (settings out of range), CWM_LIMIT, CWM_NOMEM. */
enum cwm_rc bpe_trainer_new(const struct bpe_train_options *options,
                            struct bpe_trainer **ret_trainer,
                            struct cwm_err *err);
void bpe_trainer_free(struct bpe_trainer *t); /* NULL is fine */

/*
 * Count the texts, shared out among the threads; may be called again and
 * again.  After a failure the trainer can only be freed.  Fails: CWM_LIMIT,
 * CWM_NOMEM, CWM_SYSTEM (no threads), CWM_CANCELLED.
 */
enum cwm_rc bpe_trainer_add(struct bpe_trainer *t, const struct bpe_text *texts,
                            size_t n, struct cwm_err *err);

/*
 * Learn.  The tokenizer may be smaller than asked for when the texts do not
 * have that many frequent pairs.  Fails as bpe_trainer_add().
 */
enum cwm_rc bpe_trainer_finish(struct bpe_trainer *t,
                               struct tokenizer **ret_tokenizer,
                               struct cwm_err *err);

#endif /* CWM_MODEL_BPE_TRAIN_H */
