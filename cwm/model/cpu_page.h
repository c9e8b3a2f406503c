/* SPDX-License-Identifier: MIT */
/*
 * cpu_page.h -- queries against a page of keys and values (ops.h), as they lie
 * in the cache: rows of d numbers, fp32 or bf16 (`half`).
 *
 * A page is made ready once, for all the queries that see it: keys turned, so
 * that scores of many keys lie side by side in a register, and numbers widened
 * to fp32.  Sums are fp32; those of a query do not depend on the queries
 * beside it.
 *
 * Threads: pure functions of their arguments.
 */
#ifndef CWM_MODEL_CPU_PAGE_H
#define CWM_MODEL_CPU_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/model/ops.h"

/* turned [d,OPS_PAGE_TOKENS] of keys [OPS_PAGE_TOKENS,d] */
void page_turn(const void *keys, bool half, size_t d, float *turned);
/* wide [n,d] of values [n,d], bf16 */
void page_widen(const uint16_t *values, size_t d, size_t n, float *wide);
/* scores [n,OPS_PAGE_TOKENS] of queries [n,d] */
void page_scores(const float *queries, size_t n, const float *turned, size_t d,
                 float *scores);
/* sums [n,d] += weights [n,OPS_PAGE_TOKENS] times values [OPS_PAGE_TOKENS,d],
 * rows first..last - 1 of these */
void page_values(const float *weights, size_t n, const float *values, size_t d,
                 size_t first, size_t last, float *sums);
/* Ask for n_bytes that will be wanted soon. */
void page_fetch(const void *from, size_t n_bytes);

#endif /* CWM_MODEL_CPU_PAGE_H */
