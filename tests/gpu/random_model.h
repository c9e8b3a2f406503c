/* SPDX-License-Identifier: MIT */
/* random_model.h -- a model of random weights, for tests and benchmarks. */
#ifndef TESTS_GPU_RANDOM_MODEL_H
#define TESTS_GPU_RANDOM_MODEL_H

#include "cwm/model/rope_freqs.h"
#include "tests/gpu/gpu_test.h"
#include "tests/support/memory_model.h"

static inline struct tensor *model_values(size_t n_rows, size_t n_columns,
                                          uint64_t seed, float scale)
{
    struct tensor *t = must_have(memory_tensor(n_rows, n_columns));
    float *draws = random_floats(t->n_values, seed, scale);

    memcpy(memory_values(t), draws, t->n_bytes);
    free(draws);
    return t;
}

static inline struct tensor *model_ones(size_t n)
{
    struct tensor *t = must_have(memory_tensor(0, n));

    while (n-- > 0) {
        memory_values(t)[n] = 1.0f;
    }
    return t;
}

/* Owned: memory_model_free(). */
static inline struct model *random_model(const struct model_config *c,
                                         float width)
{
    size_t d = c->d_model;
    size_t d_q = (size_t)c->n_heads * c->d_head;
    size_t d_kv = (size_t)c->n_kv_heads * c->d_head;
    struct model *m = must_have(cwm_calloc(1, sizeof *m));
    uint64_t seed = 1;
    uint32_t i;

    m->config = *c;
    m->embedding = model_values(c->vocab_size, d, seed++, 1.0f);
    m->output = model_values(c->vocab_size, d, seed++, width);
    m->norm = model_ones(d);
    m->rope_freqs =
        must_have(cwm_malloc(c->d_head / 2 * sizeof *m->rope_freqs));
    rope_freqs(c, m->rope_freqs);
    m->layers = must_have(cwm_calloc(c->n_layers, sizeof *m->layers));
    for (i = 0; i < c->n_layers; i++) {
        struct model_layer *l = &m->layers[i];

        l->attention_norm = model_ones(d);
        l->q = model_values(d_q, d, seed++, width);
        l->k = model_values(d_kv, d, seed++, width);
        l->v = model_values(d_kv, d, seed++, width);
        l->o = model_values(d, d_q, seed++, width);
        l->ffn_norm = model_ones(d);
        l->gate = model_values(c->d_ffn, d, seed++, width);
        l->up = model_values(c->d_ffn, d, seed++, width);
        l->down = model_values(d, c->d_ffn, seed++, width);
    }
    return m;
}

#endif /* TESTS_GPU_RANDOM_MODEL_H */
