/* SPDX-License-Identifier: MIT */
/*
 * gemm.c -- products by tiles: blocks of both sides are copied to fp32, dense,
 * and multiplied by the kernel.
 */
#include "cwm/model/gemm.h"

#include <string.h>

#include "cwm/base/alloc.h"

/* b's columns at a time, and a's rows: with k = 1000 both blocks fit an L2
 * cache of 1 MB. */
enum { COLUMNS = 64, ROWS = 64, DEPTH = 1024 };

struct gemm {
    const struct kernels *kernels;
    struct gemm_dnnl *dnnl; /* owned; NULL: none */
    float *a;               /* owned; [ROWS,DEPTH] */
    float *b;               /* owned; [DEPTH,COLUMNS] */
    float *c;               /* owned; [ROWS,COLUMNS] */
};

struct gemm *gemm_new(const struct kernels *kernels)
{
    struct gemm *g = cwm_calloc(1, sizeof *g);

    if (!g) {
        return NULL;
    }
    g->kernels = kernels;
    g->a = cwm_malloc(ROWS * DEPTH * sizeof *g->a);
    g->b = cwm_malloc(DEPTH * COLUMNS * sizeof *g->b);
    g->c = cwm_malloc(ROWS * COLUMNS * sizeof *g->c);
    if (!g->a || !g->b || !g->c || !gemm__dnnl_new(&g->dnnl)) {
        gemm_free(g);
        return NULL;
    }
    return g;
}

void gemm_free(struct gemm *g)
{
    if (!g) {
        return;
    }
    gemm__dnnl_free(g->dnnl);
    cwm_free(g->a);
    cwm_free(g->b);
    cwm_free(g->c);
    cwm_free(g);
}

static float value_at(const struct gemm_matrix *x, size_t i)
{
    switch (x->type) {
    case OPS_F32:
        return ((const float *)x->values)[i];
    case OPS_BF16:
        return bf16_to_f32(((const uint16_t *)x->values)[i]);
    case OPS_I8:
        break;
    }
    return (float)((const int8_t *)x->values)[i];
}

/* Rows [row, row + m) and columns [column, column + n) of x to out [m,width],
 * zero in what is left over. */
static void copy_block(const struct gemm_matrix *x, size_t row, size_t column,
                       size_t m, size_t n, size_t width, float *out)
{
    size_t i;
    size_t j;

    for (i = 0; i < m; i++) {
        size_t at = (row + i) * x->row + column * x->column;

        for (j = 0; j < n; j++) {
            out[i * width + j] = value_at(x, at + j * x->column);
        }
        for (; j < width; j++) {
            out[i * width + j] = 0;
        }
    }
}

/* What the tile summed up, to c. */
static void store_block(const struct gemm *g, const struct gemm_call *call,
                        size_t row, size_t column, size_t m, size_t n)
{
    size_t i;
    size_t j;

    for (i = 0; i < m; i++) {
        float *from = g->c + i * COLUMNS;
        size_t at = (row + i) * call->c_row + column;

        for (j = 0; call->scales && j < n; j++) {
            from[j] *= call->scales[column + j];
        }
        if (call->c_type == OPS_BF16) {
            g->kernels->to_half(from, n, (uint16_t *)call->c + at);
        } else if (call->add) {
            g->kernels->add((float *)call->c + at, from, n);
        } else {
            memcpy((float *)call->c + at, from, n * sizeof *from);
        }
    }
}

static void block(const struct gemm *g, const struct gemm_call *call,
                  size_t row, size_t column)
{
    size_t m = call->m - row < ROWS ? call->m - row : ROWS;
    size_t n = call->n - column < COLUMNS ? call->n - column : COLUMNS;
    size_t p;

    for (p = 0; p < call->k; p += DEPTH) {
        size_t k = call->k - p < DEPTH ? call->k - p : DEPTH;

        if (row == 0 || call->k > DEPTH) {
            copy_block(&call->b, p, column, k, n, COLUMNS, g->b);
        }
        copy_block(&call->a, row, p, m, k, k, g->a);
        g->kernels->tile(g->a, k, 1, g->b, COLUMNS, g->c, COLUMNS, m, COLUMNS,
                         k, p > 0);
    }
    store_block(g, call, row, column, m, n);
}

bool gemm_run(struct gemm *g, const struct gemm_call *call)
{
    enum gemm_done done =
        g->dnnl ? gemm__dnnl_run(g->dnnl, call) : GEMM_NOT_MINE;
    size_t row;
    size_t column;

    if (done != GEMM_NOT_MINE) {
        return done == GEMM_DONE;
    }
    for (column = 0; column < call->n; column += COLUMNS) {
        for (row = 0; row < call->m; row += ROWS) {
            block(g, call, row, column);
        }
    }
    return true;
}
