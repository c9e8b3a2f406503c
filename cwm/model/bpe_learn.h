/* SPDX-License-Identifier: MIT */
/*
 * bpe_learn.h -- from counted pieces to merges.
 *
 * Again and again the most frequent pair of adjacent tokens becomes a token;
 * of equally frequent ones that with the lower left id, then the lower right
 * one.  A pair is passed over when its bytes are a token already, or longer
 * than the limit.  Only what the counts say decides, not their order.
 */
#ifndef CWM_MODEL_BPE_LEARN_H
#define CWM_MODEL_BPE_LEARN_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/model/bpe_count.h"
#include "cwm/model/bpe_merge.h"

struct bpe_learn_options {
    size_t n_merges;            /* at most */
    uint64_t min_count;         /* a pair this frequent is merged; >= 1 */
    uint32_t max_token_bytes;   /* of a token that is made */
    const volatile int *cancel; /* borrowed; NULL is fine */
};

/*
 * The ids of the bytes are their values, the k-th merge makes token 256 + k.
 * merges has room for n_merges; *ret_n tells how many there are.  Fails:
 * CWM_LIMIT, CWM_NOMEM, CWM_CANCELLED.
 */
enum cwm_rc bpe_learn(const struct bpe_counts *counts,
                      const struct bpe_learn_options *options,
                      struct bpe_merge *merges, size_t *ret_n,
                      struct cwm_err *err);

#endif /* CWM_MODEL_BPE_LEARN_H */
