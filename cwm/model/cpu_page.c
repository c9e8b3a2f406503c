/* SPDX-License-Identifier: MIT */
/* cpu_page.c -- see cpu_page.h. */
#include "cwm/model/cpu_page.h"

#include <stdint.h>
#include <string.h>

enum { PAGE = OPS_PAGE_TOKENS };

static float number_at(const void *p, bool half, size_t i)
{
    return half ? bf16_to_f32(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

static void turn_plain(const void *keys, bool half, size_t d, float *turned)
{
    size_t t;
    size_t i;

    for (t = 0; t < PAGE; t++) {
        for (i = 0; i < d; i++) {
            turned[i * PAGE + t] = number_at(keys, half, t * d + i);
        }
    }
}

static void scores_plain(const float *queries, size_t n, const float *turned,
                         size_t d, float *scores)
{
    size_t q;
    size_t t;
    size_t i;

    memset(scores, 0, n * PAGE * sizeof *scores);
    for (q = 0; q < n; q++) {
        for (i = 0; i < d; i++) {
            for (t = 0; t < PAGE; t++) {
                scores[q * PAGE + t] +=
                    queries[q * d + i] * turned[i * PAGE + t];
            }
        }
    }
}

static void values_plain(const float *weights, size_t n, const float *values,
                         size_t d, size_t first, size_t last, float *sums)
{
    size_t q;
    size_t t;
    size_t i;

    for (q = 0; q < n; q++) {
        for (t = first; t < last; t++) {
            for (i = 0; i < d; i++) {
                sums[q * d + i] += weights[q * PAGE + t] * values[t * d + i];
            }
        }
    }
}

void page_fetch(const void *from, size_t n_bytes)
{
    enum { CACHE_LINE = 64 };

    for (size_t i = 0; i < n_bytes; i += CACHE_LINE) {
        __builtin_prefetch((const char *)from + i);
    }
}

static inline __attribute__((always_inline)) void widen_all(
    const uint16_t *values, size_t n, float *wide)
{
    for (size_t i = 0; i < n; i++) {
        wide[i] = bf16_to_f32(values[i]);
    }
}

#if defined(__x86_64__)

#include <immintrin.h>

enum { LANES = 16, TOGETHER = 4 };

#define WITH   __attribute__((target("avx512f,avx512bw,avx512vl")))
#define INLINE static inline __attribute__((always_inline))

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") != 0 &&
           __builtin_cpu_supports("avx512bw") != 0 &&
           __builtin_cpu_supports("avx512vl") != 0;
}

/* Rows of 16 pieces of 32 bits to columns, in four steps: neighbours, pairs of
 * them, quarters, halves. */
WITH INLINE void turn_16(__m512i r[LANES])
{
    __m512i a[LANES];
    size_t i;

    for (i = 0; i < LANES; i += 2) {
        a[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (i = 0; i < LANES; i += 4) {
        r[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
    for (i = 0; i < 4; i++) {
        a[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        a[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xDD);
        a[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        a[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xDD);
    }
    for (i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(a[i], a[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(a[i], a[i + 8], 0xDD);
    }
}

/* Of 16 keys the 16 pieces from `piece` on: one number each, or two of 16
 * bits, which become two rows of fp32. */
WITH INLINE void turn_block(const void *keys, bool half, size_t d, size_t key,
                            size_t piece, float *turned)
{
    size_t row_bytes = d * (half ? 2 : 4);
    __m512i r[LANES];
    size_t i;

    for (i = 0; i < LANES; i++) {
        r[i] = _mm512_loadu_si512((const char *)keys + (key + i) * row_bytes +
                                  piece * 4);
    }
    turn_16(r);
    for (i = 0; i < LANES; i++) {
        float *to = turned + (piece + i) * (half ? 2 : 1) * PAGE + key;

        if (half) {
            _mm512_storeu_si512(to, _mm512_slli_epi32(r[i], 16));
            _mm512_storeu_si512(
                to + PAGE,
                _mm512_and_si512(r[i], _mm512_set1_epi32((int)0xFFFF0000)));
        } else {
            _mm512_storeu_si512(to, r[i]);
        }
    }
}

WITH static void turn_avx512(const void *keys, bool half, size_t d,
                             float *turned)
{
    size_t n_pieces = half ? d / 2 : d;

    for (size_t piece = 0; piece < n_pieces; piece += LANES) {
        for (size_t key = 0; key < PAGE; key += LANES) {
            turn_block(keys, half, d, key, piece, turned);
        }
    }
}

WITH INLINE void scores_of(const float *queries, size_t n, const float *turned,
                           size_t d, float *scores)
{
    __m512 low[TOGETHER];
    __m512 high[TOGETHER];
    size_t q;
    size_t i;

    for (q = 0; q < n; q++) {
        low[q] = _mm512_setzero_ps();
        high[q] = _mm512_setzero_ps();
    }
    for (i = 0; i < d; i++) {
        __m512 first = _mm512_loadu_ps(turned + i * PAGE);
        __m512 second = _mm512_loadu_ps(turned + i * PAGE + LANES);

        for (q = 0; q < n; q++) {
            __m512 x = _mm512_set1_ps(queries[q * d + i]);

            low[q] = _mm512_fmadd_ps(x, first, low[q]);
            high[q] = _mm512_fmadd_ps(x, second, high[q]);
        }
    }
    for (q = 0; q < n; q++) {
        _mm512_storeu_ps(scores + q * PAGE, low[q]);
        _mm512_storeu_ps(scores + q * PAGE + LANES, high[q]);
    }
}

WITH static void scores_avx512(const float *queries, size_t n,
                               const float *turned, size_t d, float *scores)
{
    for (; n >= TOGETHER; n -= TOGETHER) {
        scores_of(queries, TOGETHER, turned, d, scores);
        queries += TOGETHER * d;
        scores += TOGETHER * PAGE;
    }
    for (; n > 0; n--) {
        scores_of(queries, 1, turned, d, scores);
        queries += d;
        scores += PAGE;
    }
}

/* `n` queries, four registers of sums of each, over all rows. */
WITH INLINE void values_of(const float *weights, size_t n, const float *values,
                           size_t d, size_t from, size_t n_regs, size_t first,
                           size_t last, float *sums)
{
    __m512 regs[TOGETHER][4];
    size_t q;
    size_t t;
    size_t k;

    for (q = 0; q < n; q++) {
        for (k = 0; k < n_regs; k++) {
            regs[q][k] = _mm512_loadu_ps(sums + q * d + from + k * LANES);
        }
    }
    for (t = first; t < last; t++) {
        __m512 row[4];

        for (k = 0; k < n_regs; k++) {
            row[k] = _mm512_loadu_ps(values + t * d + from + k * LANES);
        }
        for (q = 0; q < n; q++) {
            __m512 weight = _mm512_set1_ps(weights[q * PAGE + t]);

            for (k = 0; k < n_regs; k++) {
                regs[q][k] = _mm512_fmadd_ps(weight, row[k], regs[q][k]);
            }
        }
    }
    for (q = 0; q < n; q++) {
        for (k = 0; k < n_regs; k++) {
            _mm512_storeu_ps(sums + q * d + from + k * LANES, regs[q][k]);
        }
    }
}

WITH static void values_avx512(const float *weights, size_t n,
                               const float *values, size_t d, size_t first,
                               size_t last, float *sums)
{
    while (n > 0) {
        size_t n_here = n >= TOGETHER ? TOGETHER : 1;
        size_t i = 0;

        for (; i + 4 * LANES <= d; i += 4 * LANES) {
            if (n_here == TOGETHER) {
                values_of(weights, TOGETHER, values, d, i, 4, first, last,
                          sums);
            } else {
                values_of(weights, 1, values, d, i, 4, first, last, sums);
            }
        }
        for (; i < d; i += LANES) {
            if (n_here == TOGETHER) {
                values_of(weights, TOGETHER, values, d, i, 1, first, last,
                          sums);
            } else {
                values_of(weights, 1, values, d, i, 1, first, last, sums);
            }
        }
        weights += n_here * PAGE;
        sums += n_here * d;
        n -= n_here;
    }
}

WITH static void widen_avx512(const uint16_t *values, size_t n, float *wide)
{
    widen_all(values, n, wide);
}

void page_widen(const uint16_t *values, size_t d, size_t n, float *wide)
{
    if (has_avx512()) {
        widen_avx512(values, n * d, wide);
    } else {
        widen_all(values, n * d, wide);
    }
}

void page_turn(const void *keys, bool half, size_t d, float *turned)
{
    if (d % (half ? 2 * LANES : LANES) == 0 && has_avx512()) {
        turn_avx512(keys, half, d, turned);
    } else {
        turn_plain(keys, half, d, turned);
    }
}

void page_scores(const float *queries, size_t n, const float *turned, size_t d,
                 float *scores)
{
    if (has_avx512()) {
        scores_avx512(queries, n, turned, d, scores);
    } else {
        scores_plain(queries, n, turned, d, scores);
    }
}

void page_values(const float *weights, size_t n, const float *values, size_t d,
                 size_t first, size_t last, float *sums)
{
    if (d % LANES == 0 && has_avx512()) {
        values_avx512(weights, n, values, d, first, last, sums);
    } else {
        values_plain(weights, n, values, d, first, last, sums);
    }
}

#else

void page_widen(const uint16_t *values, size_t d, size_t n, float *wide)
{
    widen_all(values, n * d, wide);
}

void page_turn(const void *keys, bool half, size_t d, float *turned)
{
    turn_plain(keys, half, d, turned);
}

void page_scores(const float *queries, size_t n, const float *turned, size_t d,
                 float *scores)
{
    scores_plain(queries, n, turned, d, scores);
}

void page_values(const float *weights, size_t n, const float *values, size_t d,
                 size_t first, size_t last, float *sums)
{
    values_plain(weights, n, values, d, first, last, sums);
}

#endif
