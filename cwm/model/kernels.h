/* SPDX-License-Identifier: MIT */
/*
 * kernels.h -- the CPU's inner loops, compiled once for each instruction set.
 *
 * kernels_body.h has the code, in vectors of 16 floats; kernels_base.c,
 * kernels_avx2.c and kernels_avx512.c include it under other compiler flags.
 * kernels_pick() takes the best that this machine can run.
 *
 * `half` tells the type of a void *: bf16, else fp32.  Rows are n channels;
 * any n will do.  No function here starts threads or takes memory.
 */
#ifndef CWM_MODEL_KERNELS_H
#define CWM_MODEL_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/model/ops.h"

enum { KERNEL_LANES = 16 };

struct kernels {
    const char *name;

    void (*to_half)(const float *x, size_t n, void *out);
    void (*from_half)(const void *x, size_t n, float *out);

    /*
     * c [m,n] (rows c_row apart) = or += a [m,k] times b [k,n] (rows b_row
     * apart, n a multiple of KERNEL_LANES); element (i, p) of a is at
     * a[i * a_row + p * a_column].
     */
    void (*tile)(const float *a, size_t a_row, size_t a_column, const float *b,
                 size_t b_row, float *c, size_t c_row, size_t m, size_t n,
                 size_t k, bool add);

    /* sum = x + y (y NULL: sum is x already); out = sum * scale * weight;
     * the scale is returned */
    float (*add_norm)(const float *x, const void *y, bool half, size_t n,
                      const float *weight, float eps, float *sum, void *out);
    /* dx += ...; dweight += ...; copy (NULL is fine) = dx: ops.h */
    void (*norm_back)(const void *dout, bool half, const float *x, float scale,
                      size_t n, const float *weight, float *dx, float *dweight,
                      void *copy);
    void (*swiglu)(const void *gate, const void *up, bool half, size_t n,
                   void *out);
    void (*swiglu_back)(const void *dout, const void *gate, const void *up,
                        bool half, size_t n, void *dgate, void *dup);
    /* One head of 2 * n_pairs channels, in place. */
    void (*rope)(void *head, bool half, size_t n_pairs, const float *turns,
                 bool back);
    /* The log of the sum of exp. */
    float (*log_sum_exp)(const float *x, size_t n);
    /* out = weight * exp(x - lse) */
    void (*probabilities)(const float *x, size_t n, float lse, float weight,
                          void *out, bool half);
    /* Row of scores: x * scale, then exp(x - new maximum), whose sum is added
     * to *sum; the maximum before is *largest.  Returns what sums and outputs
     * of before are to be multiplied with. */
    float (*soften)(float *x, size_t n, float scale, float *largest,
                    float *sum);
    /* p = exp(p * scale - lse); ds = p * (ds - delta) * scale */
    void (*soften_back)(float *p, float *ds, size_t n, float scale, float lse,
                        float delta);
    void (*multiply)(float *x, size_t n, float by);
    void (*add)(float *x, const float *y, size_t n);
    double (*sum_squares)(const float *x, size_t n);
    void (*adamw)(const struct ops_adamw *a, float *w, const float *grad,
                  float *m, float *v, size_t n, void *copy, bool half);
};

extern const struct kernels kernels_base;
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;

/* Never NULL. */
const struct kernels *kernels_pick(void);

#endif /* CWM_MODEL_KERNELS_H */
