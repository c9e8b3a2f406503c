/* SPDX-License-Identifier: MIT */
/*
 * gemm.h -- one thread's matrix products, for the CPU's table.
 *
 * oneDNN does them where it was found at build time and takes the types on
 * this machine; else the kernels' tiles do, which take everything.  oneDNN is
 * used on one thread at a time: how a product is cut is decided by our own
 * pool, which is why results do not depend on another library's threads.
 */
#ifndef CWM_MODEL_GEMM_H
#define CWM_MODEL_GEMM_H

#include "cwm/model/kernels.h"
#include "cwm/model/ops.h"

/* An element (i, j) is at i * row + j * column; one of both is 1. */
struct gemm_matrix {
    const void *values;
    size_t row, column;
    enum ops_type type;
};

/* c [m,n] = or += a [m,k] times b [k,n] */
struct gemm_call {
    size_t m, n, k;
    struct gemm_matrix a, b;
    const float *scales; /* [n], of a b that is OPS_I8 */
    void *c;
    size_t c_row;
    enum ops_type c_type; /* OPS_F32 where it is added to */
    bool add;
};

struct gemm;      /* opaque: gemm.c; one a thread */
struct gemm_dnnl; /* opaque: gemm_dnnl.c */

/* NULL when there is no memory. */
struct gemm *gemm_new(const struct kernels *kernels);
void gemm_free(struct gemm *g); /* NULL is fine */
/* false: no memory at the first call of a size; c is not whole then. */
bool gemm_run(struct gemm *g, const struct gemm_call *call);

/* gemm_dnnl.c: *ret_dnnl stays NULL where there is no oneDNN; false: there is
 * no memory.  Another way to multiply must not be taken for want of memory: a
 * run's bits would depend on it. */
bool gemm__dnnl_new(struct gemm_dnnl **ret_dnnl);
void gemm__dnnl_free(struct gemm_dnnl *d); /* NULL is fine */

enum gemm_done {
    GEMM_DONE,
    GEMM_NOT_MINE, /* oneDNN does not do this; nothing was changed */
    GEMM_NO_MEMORY
};
enum gemm_done gemm__dnnl_run(struct gemm_dnnl *d,
                              const struct gemm_call *call);

#endif /* CWM_MODEL_GEMM_H */
