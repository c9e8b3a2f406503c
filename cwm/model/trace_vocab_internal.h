/* SPDX-License-Identifier: MIT */
/* trace_vocab_internal.h -- what a vocabulary keeps. */
#ifndef CWM_MODEL_TRACE_VOCAB_INTERNAL_H
#define CWM_MODEL_TRACE_VOCAB_INTERNAL_H

#include "cwm/model/trace_vocab.h"

enum { TRACE_N_JSON = 41 }; /* places inside the JSON, DEAD included */

struct trace_vocab {
    const struct tokenizer *t; /* borrowed */
    size_t n_words;
    size_t n_mask; /* uint64_t of a mask */
    uint32_t ids[TRACE_N_TOKENS];
    uint8_t next[TRACE_N_JSON][256];
    uint64_t *masks; /* owned; [TRACE_N_JSON][n_mask] */
};

#endif /* CWM_MODEL_TRACE_VOCAB_INTERNAL_H */
