/* SPDX-License-Identifier: MIT */
/*
 * gpu_test.h -- the little that tests on a GPU need, so that they need nothing
 * else: what is apart is printed, counted, and the program's exit status.
 */
#ifndef TESTS_GPU_GPU_TEST_H
#define TESTS_GPU_GPU_TEST_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/err.h"
#include "cwm/model/ops_cuda.h"

static int n_checked, n_failed;

/* The process ends: nothing that follows could say more. */
static inline void must(enum cwm_rc rc, const struct cwm_err *err)
{
    if (rc != CWM_OK) {
        fprintf(stderr, "FAILED: %s\n", err->message);
        exit(1);
    }
}

static inline void *must_have(void *p)
{
    if (!p) {
        fprintf(stderr, "FAILED: no memory\n");
        exit(1);
    }
    return p;
}

static inline void check(bool is_right, const char *what)
{
    n_checked++;
    if (!is_right) {
        n_failed++;
        printf("FAILED: %s\n", what);
    }
}

/* |got - want| over |want|; a number that is none fails. */
static inline void check_near(const char *what, const float *got,
                              const float *want, size_t n, double tolerance)
{
    double apart = 0;
    double length = 0;
    double largest = 0;
    size_t at = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        double d = (double)got[i] - (double)want[i];

        apart += d * d;
        length += (double)want[i] * (double)want[i];
        if (fabs(d) > largest || !isfinite(d)) {
            largest = fabs(d);
            at = i;
        }
    }
    apart = sqrt(apart / (length > 0 ? length : 1));
    n_checked++;
    if (!(apart <= tolerance)) {
        n_failed++;
        printf("FAILED: %s: %g apart, at most %g allowed; value %zu of %zu is "
               "%g, not %g\n",
               what, apart, tolerance, at, n, (double)got[at],
               (double)want[at]);
    } else {
        printf("%-44s %.2e\n", what, apart);
    }
}

/* In (-scale, scale), by splitmix64. */
static inline float *random_floats(size_t n, uint64_t seed, float scale)
{
    float *x = must_have(malloc((n + 1) * sizeof *x));
    uint64_t state = seed * 2654435761u + 1;
    size_t i;

    for (i = 0; i < n; i++) {
        uint64_t z = (state += 0x9E3779B97F4A7C15u);

        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        z ^= z >> 31;
        x[i] = scale * ((float)(z >> 40) / (float)(1 << 23) - 1.0f);
    }
    return x;
}

static inline int test_result(void)
{
    printf("%d checks, %d failed\n", n_checked, n_failed);
    return n_failed > 0;
}

static inline struct ops *gpu_ops_like(const struct ops_cuda_options *options)
{
    struct ops *o = NULL;
    struct cwm_err err;

    must(ops_cuda_new(options, &o, &err), &err);
    return o;
}

static inline struct ops *gpu_ops(enum ops_type type, bool is_deterministic)
{
    const struct ops_cuda_options options = {
        .type = type, .is_deterministic = is_deterministic};

    return gpu_ops_like(&options);
}

/* In bf16, with products of 8 bits. */
static inline struct ops *gpu_ops_narrow(bool is_deterministic)
{
    const struct ops_cuda_options options = {.type = OPS_BF16,
                                             .is_deterministic =
                                                 is_deterministic,
                                             .is_narrow = true};

    return gpu_ops_like(&options);
}

#endif /* TESTS_GPU_GPU_TEST_H */
