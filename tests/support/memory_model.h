/* SPDX-License-Identifier: MIT */
/* memory_model.h -- models whose weights lie in no file, for tests and
 * benchmarks. */
#ifndef TESTS_SUPPORT_MEMORY_MODEL_H
#define TESTS_SUPPORT_MEMORY_MODEL_H

#include "cwm/base/alloc.h"
#include "cwm/model/model.h"

/* A tensor and, behind it, its values: n_rows 0 is a vector.  Owned; values
 * are not set.  NULL: no memory. */
static inline struct tensor *memory_tensor(size_t n_rows, size_t n_columns)
{
    size_t n = (n_rows ? n_rows : 1) * n_columns;
    struct tensor *t = cwm_malloc(sizeof *t + n * sizeof(float));

    if (t) {
        *t = (struct tensor){
            .name = "in memory",
            .type = TENSOR_F32,
            .n_dims = n_rows ? 2 : 1,
            .dims = {n_rows ? n_rows : n_columns, n_rows ? n_columns : 0},
            .data = (const uint8_t *)(t + 1),
            .n_values = n,
            .n_bytes = n * sizeof(float)};
    }
    return t;
}

static inline float *memory_values(struct tensor *t)
{
    return (float *)(void *)(t + 1);
}

static inline void memory_tensor_free(const struct tensor *t)
{
    union {
        const void *borrowed;
        void *owned;
    } p = {t};

    cwm_free(p.owned);
}

/* A model all of whose tensors are from memory_tensor(). */
static inline void memory_model_free(struct model *m)
{
    for (size_t i = 0; i < m->config.n_layers; i++) {
        const struct model_layer *l = &m->layers[i];
        const struct tensor *const all[] = {
            l->attention_norm, l->q,    l->k,  l->v,   l->o,
            l->ffn_norm,       l->gate, l->up, l->down};

        for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
            memory_tensor_free(all[k]);
        }
    }
    if (m->output != m->embedding) {
        memory_tensor_free(m->output);
    }
    memory_tensor_free(m->embedding);
    memory_tensor_free(m->norm);
    model_free(m);
}

#endif /* TESTS_SUPPORT_MEMORY_MODEL_H */
