/* SPDX-License-Identifier: MIT */
/* cpu_page.c -- see cpu_page.h. */
#include "cwm/model/cpu_page.h"

#include <stdint.h>

#include "cwm/model/ops.h"

static float number_at(const void *p, bool half, size_t i)
{
    return half ? bf16_to_f32(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

static void scores_plain(const float *query, const void *keys, bool half,
                         size_t d, size_t n, float *scores)
{
    size_t t;
    size_t i;

    for (t = 0; t < n; t++) {
        float sum = 0;

        for (i = 0; i < d; i++) {
            sum += query[i] * number_at(keys, half, t * d + i);
        }
        scores[t] = sum;
    }
}

static void values_plain(const float *weights, const void *values, bool half,
                         size_t d, size_t n, float *sums)
{
    size_t t;
    size_t i;

    for (t = 0; t < n; t++) {
        for (i = 0; i < d; i++) {
            sums[i] += weights[t] * number_at(values, half, t * d + i);
        }
    }
}

#if defined(__x86_64__)

#include <immintrin.h>

enum { LANES = 16 };

#define WITH   __attribute__((target("avx512f,avx512bw,avx512vl")))
#define INLINE static inline __attribute__((always_inline))

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") != 0 &&
           __builtin_cpu_supports("avx512bw") != 0 &&
           __builtin_cpu_supports("avx512vl") != 0;
}

/* Numbers i..i + 15 of the row; d is a multiple of LANES. */
WITH INLINE __m512 load(const void *row, bool half, size_t i)
{
    __m512i wide;

    if (!half) {
        return _mm512_loadu_ps((const float *)row + i);
    }
    wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(
        (const __m256i *)(const void *)((const uint16_t *)row + i)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

WITH INLINE void scores_wide(const float *query, const void *keys, bool half,
                             size_t d, size_t n, float *scores)
{
    size_t row_bytes = d * (half ? 2 : 4);
    size_t t;
    size_t i;

    for (t = 0; t < n; t++) {
        const char *key = (const char *)keys + t * row_bytes;
        __m512 sum = _mm512_setzero_ps();

        for (i = 0; i < d; i += LANES) {
            sum = _mm512_fmadd_ps(_mm512_loadu_ps(query + i),
                                  load(key, half, i), sum);
        }
        scores[t] = _mm512_reduce_add_ps(sum);
    }
}

/* Four registers of sums at a time go over all rows. */
WITH INLINE void values_wide(const float *weights, const void *values,
                             bool half, size_t d, size_t n, float *sums)
{
    size_t row_bytes = d * (half ? 2 : 4);
    size_t from;
    size_t t;
    size_t k;

    for (from = 0; from < d; from += 4 * LANES) {
        size_t left = (d - from) / LANES;
        size_t n_regs = left < 4 ? left : 4;
        __m512 regs[4];

        for (k = 0; k < n_regs; k++) {
            regs[k] = _mm512_loadu_ps(sums + from + k * LANES);
        }
        for (t = 0; t < n; t++) {
            const char *row = (const char *)values + t * row_bytes;
            __m512 weight = _mm512_set1_ps(weights[t]);

            for (k = 0; k < n_regs; k++) {
                regs[k] = _mm512_fmadd_ps(
                    weight, load(row, half, from + k * LANES), regs[k]);
            }
        }
        for (k = 0; k < n_regs; k++) {
            _mm512_storeu_ps(sums + from + k * LANES, regs[k]);
        }
    }
}

/* Heads of 64 and 128 channels are what models have: their loops unroll. */
WITH static void scores_avx512(const float *query, const void *keys, bool half,
                               size_t d, size_t n, float *scores)
{
    if (half && d == 64) {
        scores_wide(query, keys, true, 64, n, scores);
    } else if (half && d == 128) {
        scores_wide(query, keys, true, 128, n, scores);
    } else if (half) {
        scores_wide(query, keys, true, d, n, scores);
    } else {
        scores_wide(query, keys, false, d, n, scores);
    }
}

WITH static void values_avx512(const float *weights, const void *values,
                               bool half, size_t d, size_t n, float *sums)
{
    if (half && d == 64) {
        values_wide(weights, values, true, 64, n, sums);
    } else if (half && d == 128) {
        values_wide(weights, values, true, 128, n, sums);
    } else if (half) {
        values_wide(weights, values, true, d, n, sums);
    } else {
        values_wide(weights, values, false, d, n, sums);
    }
}

void page_scores(const float *query, const void *keys, bool half, size_t d,
                 size_t n, float *scores)
{
    if (d % LANES == 0 && has_avx512()) {
        scores_avx512(query, keys, half, d, n, scores);
    } else {
        scores_plain(query, keys, half, d, n, scores);
    }
}

void page_values(const float *weights, const void *values, bool half, size_t d,
                 size_t n, float *sums)
{
    if (d % LANES == 0 && has_avx512()) {
        values_avx512(weights, values, half, d, n, sums);
    } else {
        values_plain(weights, values, half, d, n, sums);
    }
}

#else

void page_scores(const float *query, const void *keys, bool half, size_t d,
                 size_t n, float *scores)
{
    scores_plain(query, keys, half, d, n, scores);
}

void page_values(const float *weights, const void *values, bool half, size_t d,
                 size_t n, float *sums)
{
    values_plain(weights, values, half, d, n, sums);
}

#endif
