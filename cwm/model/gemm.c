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
    float *a;               /* owned; [ROWS,DEPTH], or [DEPTH,ROWS] */
    float *b;               /* owned; [DEPTH,COLUMNS] */
    float *c;               /* owned; [ROWS,COLUMNS] */
    float *line;            /* owned; [DEPTH] */
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
    g->line = cwm_malloc(DEPTH * sizeof *g->line);
    if (!g->a || !g->b || !g->c || !g->line || !gemm__dnnl_new(&g->dnnl)) {
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
    cwm_free(g->line);
    cwm_free(g);
}

/* n values that lie side by side, from index `at` on, as fp32. */
static void take_line(const struct gemm *g, const struct gemm_matrix *x,
                      size_t at, size_t n, float *out)
{
    size_t i;

    switch (x->type) {
    case OPS_F32:
        memcpy(out, (const float *)x->values + at, n * sizeof *out);
        return;
    case OPS_BF16:
        g->kernels->from_half((const uint16_t *)x->values + at, n, out);
        return;
    case OPS_I8:
        break;
    }
    for (i = 0; i < n; i++) {
        out[i] = (float)((const int8_t *)x->values)[at + i];
    }
}

/* Rows [row, row + k) and columns [column, column + n) of b to g->b
 * [k,COLUMNS], zero in what is left over. */
static void take_b(const struct gemm *g, const struct gemm_matrix *x,
                   size_t row, size_t column, size_t k, size_t n)
{
    size_t p;
    size_t j;

    for (p = 0; x->column == 1 && p < k; p++) {
        float *to = g->b + p * COLUMNS;

        take_line(g, x, (row + p) * x->row + column, n, to);
        memset(to + n, 0, (COLUMNS - n) * sizeof *to);
    }
    for (j = 0; x->column != 1 && j < COLUMNS; j++) {
        if (j < n) {
            take_line(g, x, row + (column + j) * x->column, k, g->line);
        } else {
            memset(g->line, 0, k * sizeof *g->line);
        }
        for (p = 0; p < k; p++) {
            g->b[p * COLUMNS + j] = g->line[p];
        }
    }
}

/* Rows [row, row + m) and columns [p, p + k) of a to g->a, as they lie: one
 * row behind the other, or one column. */
static void take_a(const struct gemm *g, const struct gemm_matrix *x,
                   size_t row, size_t p, size_t m, size_t k)
{
    size_t i;

    for (i = 0; x->column == 1 && i < m; i++) {
        take_line(g, x, (row + i) * x->row + p, k, g->a + i * DEPTH);
    }
    for (i = 0; x->column != 1 && i < k; i++) {
        take_line(g, x, row + (p + i) * x->column, m, g->a + i * ROWS);
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
    bool by_row = call->a.column == 1;
    size_t m = call->m - row < ROWS ? call->m - row : ROWS;
    size_t n = call->n - column < COLUMNS ? call->n - column : COLUMNS;
    size_t p;

    for (p = 0; p < call->k; p += DEPTH) {
        size_t k = call->k - p < DEPTH ? call->k - p : DEPTH;

        if (row == 0 || call->k > DEPTH) {
            take_b(g, &call->b, p, column, k, n);
        }
        take_a(g, &call->a, row, p, m, k);
        g->kernels->tile(g->a, by_row ? DEPTH : 1, by_row ? 1 : ROWS, g->b,
                         COLUMNS, g->c, COLUMNS, m, COLUMNS, k, p > 0);
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
