/* SPDX-License-Identifier: MIT */
/*
 * bench_train.c [--small] [THREADS] -- how long a training step takes.
 *
 * The shape is that of GPT-2's 124 M parameters (12 layers of 768, vocabulary
 * 50,257, tied), B=4 T=64 as llm.c's CPU benchmark has it, and B=8 T=512.  In
 * the same run the rate of one large product is measured: what a step could
 * reach at best, were it nothing but its products (6 operations a parameter
 * and token).  Prints one JSON object a line; the best of some steps counts,
 * in seconds of the clock, and the CPU's time of the same step beside it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cwm/model/transformer.h"

enum { N_STEPS = 4, N_LONG_STEPS = 2, SIDE = 1536, MAX_TOKENS = 4096 };

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const struct model_config shape = {
    .n_layers = 12,
    .d_model = 768,
    .n_heads = 12,
    .n_kv_heads = 12,
    .d_head = 64,
    .d_ffn = 2048,
    .vocab_size = 50257,
    .max_positions = 1024,
    .is_tied = true,
    .rms_eps = 1e-5,
    .rope_theta = 10000.0,
};

static const struct model_config small_shape = {
    .n_layers = 2,
    .d_model = 64,
    .n_heads = 4,
    .n_kv_heads = 2,
    .d_head = 16,
    .d_ffn = 128,
    .vocab_size = 500,
    .max_positions = 1024,
    .is_tied = true,
    .rms_eps = 1e-5,
    .rope_theta = 10000.0,
};

/* Operations a second of one product of SIDE^3. */
static double product_rate(struct ops *o)
{
    size_t n_bytes = (size_t)SIDE * SIDE * sizeof(float);
    void *x = o->alloc(o, n_bytes);
    void *w = o->alloc(o, n_bytes);
    void *y = o->alloc(o, n_bytes);
    struct ops_matrix m = {
        .n_out = SIDE, .n_in = SIDE, .type = o->type, .values = w};
    double best = 1e9;
    int i;

    for (i = 0; i < N_STEPS && x && w && y; i++) {
        double begin = seconds(CLOCK_MONOTONIC);
        double spent;

        o->linear(o, x, SIDE, &m, y, SIDE, o->type);
        o->check(o, NULL);
        spent = seconds(CLOCK_MONOTONIC) - begin;
        best = spent < best ? spent : best;
    }
    o->free(o, x);
    o->free(o, w);
    o->free(o, y);
    return 2.0 * SIDE * SIDE * SIDE / best;
}

static void measure(struct ops *o, const struct model_config *c, uint32_t rows,
                    uint32_t row_tokens)
{
    static uint32_t ids[MAX_TOKENS], targets[MAX_TOKENS], starts[MAX_TOKENS];
    static uint32_t positions[MAX_TOKENS];
    static float weights[MAX_TOKENS];
    const struct ops_adamw adamw = {1e-4f, 0.9f, 0.95f, 1e-8f,
                                    0.1f,  1.0f, 1.0f,  1.0f};
    uint32_t n = rows * row_tokens;
    struct transformer_batch batch = {n,       ids,    targets,
                                      weights, starts, positions};
    struct transformer *t = NULL;
    struct cwm_err err;
    double best = 1e9;
    double cpu = 0;
    double rate;
    double loss = 0;
    uint32_t i;

    for (i = 0; i < n; i++) {
        ids[i] = i * 7919 % c->vocab_size;
        targets[i] = (i + 1) * 7919 % c->vocab_size;
        starts[i] = i / row_tokens * row_tokens;
        positions[i] = i % row_tokens;
        weights[i] = 1.0f / (float)n;
    }
    if (transformer_new(o, c, n, &t, &err) != CWM_OK ||
        transformer_init(t, 1, &err) != CWM_OK) {
        fprintf(stderr, "bench_train: %s\n", err.message);
        exit(3);
    }
    for (i = 0; i < (n < MAX_TOKENS ? N_STEPS : N_LONG_STEPS); i++) {
        double begin = seconds(CLOCK_MONOTONIC);
        double begin_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        double spent;

        transformer_forget_gradients(t);
        if (transformer_learn(t, &batch, &loss, &err) != CWM_OK) {
            fprintf(stderr, "bench_train: %s\n", err.message);
            exit(3);
        }
        transformer_gradient_norm(t);
        transformer_update(t, &adamw);
        spent = seconds(CLOCK_MONOTONIC) - begin;
        if (spent < best) {
            best = spent;
            cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - begin_cpu;
        }
    }
    rate = 6.0 * (double)transformer_n_parameters(t) * n / best;
    printf("{\"type\": \"%s\", \"parameters\": %zu, \"rows\": %u, "
           "\"row_tokens\": %u, \"step_s\": %.3f, \"cpu_s\": %.3f, "
           "\"tokens_per_s\": %.0f, \"gflops\": %.0f, \"product_gflops\": "
           "%.0f, \"share\": %.2f, \"loss\": %.4f, \"mbytes\": %zu}\n",
           o->type == OPS_F32 ? "fp32" : "bf16", transformer_n_parameters(t),
           rows, row_tokens, best, cpu, n / best, rate * 1e-9,
           product_rate(o) * 1e-9, rate / product_rate(o), loss,
           t->n_bytes >> 20);
    fflush(stdout);
    transformer_free(t);
}

int main(int argc, char **argv)
{
    static const enum ops_type types[] = {OPS_F32, OPS_BF16};
    bool is_small = argc > 1 && strcmp(argv[1], "--small") == 0;
    const struct model_config *c = is_small ? &small_shape : &shape;
    int i;

    for (i = 0; i < 2; i++) {
        struct ops *o = NULL;
        struct cwm_err err;
        unsigned n_threads =
            argc > 1 + is_small
                ? (unsigned)strtoul(argv[1 + is_small], NULL, 10)
                : 0;

        if (ops_cpu_new(types[i], n_threads, &o, &err) != CWM_OK) {
            fprintf(stderr, "bench_train: %s\n", err.message);
            return 3;
        }
        measure(o, c, 4, 64);
        measure(o, c, 8, 512);
        ops_free(o);
    }
    return 0;
}
