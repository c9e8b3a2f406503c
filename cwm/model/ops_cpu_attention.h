/* SPDX-License-Identifier: MIT */
/*
 * ops_cpu_attention.h -- what attention's two directions share: one head's
 * queries, keys and values as dense fp32, in blocks.
 */
#ifndef CWM_MODEL_OPS_CPU_ATTENTION_H
#define CWM_MODEL_OPS_CPU_ATTENTION_H

#include "cwm/model/ops_cpu_internal.h"

/* Queries and keys that are multiplied at a time: with 128 channels the
 * blocks of both directions fit an L2 cache of 1 MB. */
enum { ATTENTION_BLOCK = 64 };

/* The arguments of either direction. */
struct attention_job {
    struct cpu *cpu;
    const struct ops_heads *heads;
    const uint32_t *starts;
    const void *qkv, *out, *dout;
    void *result;           /* out, or dqkv */
    float *lse;             /* forward; NULL is fine */
    const float *lse_known; /* backward */
    float *deltas;
    size_t n;     /* tokens */
    size_t width; /* D, rounded up to whole vectors; what is over is zero */
};

static inline size_t attention_width(const struct ops_heads *h)
{
    return (h->d_head + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
}

/* Rows [first, first + n) of a head of x (`row` values from one token to the
 * next, the head at `at`) to out [n,width]. */
void attention__rows(const struct attention_job *j, const void *x, size_t row,
                     size_t at, size_t first, size_t n, float *out);
/* x [n,width] to out [width,ATTENTION_BLOCK]; columns from n on are zero. */
void attention__turn(const float *x, size_t n, size_t width, float *out);
/* Scores of query t for keys from `first` on, [ATTENTION_BLOCK]: those that it
 * does not see become minus infinity. */
void attention__mask(const struct attention_job *j, size_t t, size_t first,
                     float *scores);

#endif /* CWM_MODEL_OPS_CPU_ATTENTION_H */
