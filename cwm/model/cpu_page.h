/* SPDX-License-Identifier: MIT */
/*
 * cpu_page.h -- one query against a page of keys and values (ops.h), as they
 * lie in the cache: rows of d numbers, fp32 or bf16 (`half`).
 *
 * Sums are fp32 in either type.
 *
 * Threads: pure functions of their arguments.
 */
#ifndef CWM_MODEL_CPU_PAGE_H
#define CWM_MODEL_CPU_PAGE_H

#include <stdbool.h>
#include <stddef.h>

/* scores [n] = query [d] times each of keys [n,d] */
void page_scores(const float *query, const void *keys, bool half, size_t d,
                 size_t n, float *scores);
/* sums [d] += weights [n] times values [n,d] */
void page_values(const float *weights, const void *values, bool half, size_t d,
                 size_t n, float *sums);

#endif /* CWM_MODEL_CPU_PAGE_H */
