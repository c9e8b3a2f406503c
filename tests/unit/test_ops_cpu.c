/* SPDX-License-Identifier: MIT */
/*
 * test_ops_cpu.c -- the CPU's fast table against the reference: every
 * operation, in both types, with one thread and several, at sizes that no
 * block divides.
 */
#include "cwm/model/ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/model/kernels.h"

/* Of the largest value: sums in fp32 in another order; one rounding to bf16
 * that falls to the other side. */
static const double tolerances[] = {[OPS_F32] = 2e-5, [OPS_BF16] = 8e-3};

enum { N_TABLES = 4 };

static struct {
    struct ops *fast, *plain;
    enum ops_type type;
    unsigned n_threads;
} tables[N_TABLES] = {
    {.type = OPS_F32, .n_threads = 1},
    {.type = OPS_F32, .n_threads = 3},
    {.type = OPS_BF16, .n_threads = 1},
    {.type = OPS_BF16, .n_threads = 3},
};

static struct ops *fast, *plain;

static float *floats(size_t n, uint64_t seed, float scale)
{
    float *x = malloc((n ? n : 1) * sizeof *x);
    uint64_t state = seed * 2654435761u + 1;
    size_t i;

    assert_non_null(x);
    for (i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[i] = scale * ((float)(state >> 40) / (float)(1 << 23) - 1.0f);
    }
    return x;
}

/* The same in the tables' type. */
static void *typed(size_t n, uint64_t seed, float scale)
{
    float *x = floats(n, seed, scale);
    void *out = malloc((n ? n : 1) * sizeof *x);

    assert_non_null(out);
    plain->from_f32(plain, x, n, out);
    free(x);
    return out;
}

static void compare_within(const char *what, const float *got,
                           const float *want, size_t n, double tolerance)
{
    double largest = 1e-3;
    size_t i;

    for (i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)want[i]));
    }
    for (i = 0; i < n; i++) {
        double apart = fabs((double)got[i] - (double)want[i]);

        if (!(apart <= tolerance * largest)) {
            fail_msg("%s, %s: value %zu of %zu is %g, not %g (largest %g)",
                     what, fast->type == OPS_F32 ? "fp32" : "bf16", i, n,
                     (double)got[i], (double)want[i], largest);
        }
    }
}

static void compare_f32(const char *what, const float *got, const float *want,
                        size_t n)
{
    compare_within(what, got, want, n, tolerances[fast->type]);
}

static void compare(const char *what, const void *got, const void *want,
                    size_t n)
{
    float *a = malloc(n * sizeof *a);
    float *b = malloc(n * sizeof *b);

    assert_true(a && b);
    fast->to_f32(fast, got, n, a);
    plain->to_f32(plain, want, n, b);
    compare_f32(what, a, b, n);
    free(a);
    free(b);
}

/* ---- linear ---------------------------------------------------------------
 */

static void check_linear(size_t n, size_t n_in, size_t n_out)
{
    void *x = typed(n * n_in, 1, 1);
    void *w = typed(n_out * n_in, 2, 1);
    void *dy = typed(n * n_out, 3, 1);
    size_t stride = n_out + 5;
    float *got = floats(n * stride + n_out * n_in + n * n_in, 4, 1);
    float *want = floats(n * stride + n_out * n_in + n * n_in, 4, 1);
    struct ops_matrix m = {
        .n_out = n_out, .n_in = n_in, .type = fast->type, .values = w};

    fast->matrix_changed(fast, &m, true);
    fast->linear(fast, x, n, &m, got, stride, OPS_F32);
    plain->linear(plain, x, n, &m, want, stride, OPS_F32);
    compare_f32("linear", got, want, n * stride);
    fast->linear(fast, x, n, &m, got, n_out, fast->type);
    plain->linear(plain, x, n, &m, want, n_out, fast->type);
    compare("linear, in its type", got, want, n * n_out);
    fast->linear_dx(fast, dy, n, &m, got);
    plain->linear_dx(plain, dy, n, &m, want);
    compare("linear_dx", got, want, n * n_in);
    memset(got, 0, n_out * n_in * sizeof *got);
    memset(want, 0, n_out * n_in * sizeof *want);
    got[3] = want[3] = 1.0f; /* added to */
    fast->linear_dw(fast, dy, x, n, n_out, n_in, got);
    plain->linear_dw(plain, dy, x, n, n_out, n_in, want);
    compare_f32("linear_dw", got, want, n_out * n_in);
    fast->matrix_release(fast, &m);
    free(x);
    free(w);
    free(dy);
    free(got);
    free(want);
}

static void cpu__linear_is_the_references(void)
{
    check_linear(1, 64, 48);
    check_linear(70, 24, 136);
    check_linear(5, 1100, 33); /* deeper than a block */
    check_linear(130, 65, 7);
}

/* Weights of other types than the table's: bf16, int8. */
static void cpu__linear_takes_other_weights(void)
{
    enum { ROWS = 9, IN = 40, OUT = 70 };
    void *x = typed(ROWS * IN, 1, 1);
    float *got = floats(ROWS * OUT, 2, 1);
    float *want = floats(ROWS * OUT, 2, 1);
    float *scales = floats(OUT, 3, 0.01f);
    int8_t values[OUT * IN];
    uint16_t halves[OUT * IN];
    struct ops_matrix m = {.n_out = OUT,
                           .n_in = IN,
                           .type = OPS_I8,
                           .values = values,
                           .scales = scales};
    size_t i;

    for (i = 0; i < OUT * IN; i++) {
        values[i] = (int8_t)(i * 37 % 251);
        halves[i] = bf16_from_f32((float)values[i] / 64.0f);
    }
    fast->matrix_changed(fast, &m, false);
    fast->linear(fast, x, ROWS, &m, got, OUT, OPS_F32);
    plain->linear(plain, x, ROWS, &m, want, OUT, OPS_F32);
    /* x was rounded to 8 bits, too */
    compare_within("linear, int8", got, want, ROWS * OUT, 1e-2);
    fast->matrix_release(fast, &m);
    m = (struct ops_matrix){
        .n_out = OUT, .n_in = IN, .type = OPS_BF16, .values = halves};
    fast->matrix_changed(fast, &m, false);
    fast->linear(fast, x, ROWS, &m, got, OUT, OPS_F32);
    plain->linear(plain, x, ROWS, &m, want, OUT, OPS_F32);
    compare_f32("linear, bf16", got, want, ROWS * OUT);
    fast->matrix_release(fast, &m);
    free(x);
    free(got);
    free(want);
    free(scales);
}

/* ---- rows -----------------------------------------------------------------
 */

static void check_norm(size_t n, size_t n_channels)
{
    size_t n_all = n * n_channels;
    float *x = floats(n_all, 1, 2);
    void *y = typed(n_all, 2, 1);
    void *dout = typed(n_all, 3, 1);
    float *weight = floats(n_channels, 4, 1);
    float *sums[2];
    float *dx[2];
    float *dweight[2];
    float *scales[2];
    void *outs[2];
    int i;

    for (i = 0; i < 2; i++) {
        struct ops *o = i ? plain : fast;

        sums[i] = floats(n_all, 5, 1);
        dx[i] = floats(n_all, 6, 1);
        dweight[i] = floats(n_channels, 7, 1);
        scales[i] = floats(n, 8, 1);
        outs[i] = floats(n_all, 9, 1);
        o->add_norm(o, x, y, n, n_channels, weight, 1e-5f, sums[i], outs[i],
                    scales[i]);
    }
    compare_f32("add_norm, sum", sums[0], sums[1], n_all);
    compare_f32("add_norm, scales", scales[0], scales[1], n);
    compare("add_norm", outs[0], outs[1], n_all);
    for (i = 0; i < 2; i++) {
        struct ops *o = i ? plain : fast;

        o->norm_back(o, dout, sums[1], scales[1], n, n_channels, weight, dx[i],
                     dweight[i], outs[i]);
    }
    compare_f32("norm_back, dx", dx[0], dx[1], n_all);
    compare_f32("norm_back, dweight", dweight[0], dweight[1], n_channels);
    compare("norm_back, copy", outs[0], outs[1], n_all);
    fast->add_norm(fast, x, NULL, n, n_channels, weight, 1e-5f, NULL, outs[0],
                   NULL);
    plain->add_norm(plain, x, NULL, n, n_channels, weight, 1e-5f, NULL, outs[1],
                    NULL);
    compare("add_norm without y", outs[0], outs[1], n_all);
    for (i = 0; i < 2; i++) {
        free(sums[i]);
        free(dx[i]);
        free(dweight[i]);
        free(scales[i]);
        free(outs[i]);
    }
    free(x);
    free(y);
    free(dout);
    free(weight);
}

static void cpu__norms_are_the_references(void)
{
    check_norm(1, 16);
    check_norm(3, 21);
    check_norm(100, 130);
}

static void cpu__swiglu_is_the_references(void)
{
    enum { ROWS = 90, FFN = 101 };
    void *in = typed(ROWS * 2 * FFN, 1, 6);
    void *dout = typed(ROWS * FFN, 2, 1);
    float *got = floats(ROWS * 2 * FFN, 3, 1);
    float *want = floats(ROWS * 2 * FFN, 3, 1);

    fast->swiglu(fast, in, ROWS, FFN, got);
    plain->swiglu(plain, in, ROWS, FFN, want);
    compare("swiglu", got, want, ROWS * FFN);
    fast->swiglu_back(fast, dout, in, ROWS, FFN, got);
    plain->swiglu_back(plain, dout, in, ROWS, FFN, want);
    compare("swiglu_back", got, want, ROWS * 2 * FFN);
    free(in);
    free(dout);
    free(got);
    free(want);
}

static void cpu__embeddings_are_the_references(void)
{
    enum { ROWS = 200, WORDS = 37, CHANNELS = 67 };
    void *table = typed(WORDS * CHANNELS, 1, 1);
    float *dx = floats(ROWS * CHANNELS, 2, 1);
    float *got = floats(ROWS * CHANNELS, 3, 1);
    float *want = floats(ROWS * CHANNELS, 3, 1);
    uint32_t ids[ROWS];
    uint32_t i;

    for (i = 0; i < ROWS; i++) {
        ids[i] = i * i % WORDS;
    }
    fast->embed(fast, ids, ROWS, table, CHANNELS, got);
    plain->embed(plain, ids, ROWS, table, CHANNELS, want);
    compare_f32("embed", got, want, ROWS * CHANNELS);
    memset(got, 0, WORDS * CHANNELS * sizeof *got);
    memset(want, 0, WORDS * CHANNELS * sizeof *want);
    fast->embed_back(fast, ids, ROWS, dx, WORDS, CHANNELS, got);
    plain->embed_back(plain, ids, ROWS, dx, WORDS, CHANNELS, want);
    compare_f32("embed_back", got, want, WORDS * CHANNELS);
    free(table);
    free(dx);
    free(got);
    free(want);
}

static void cpu__cross_entropy_is_the_references(void)
{
    enum { ROWS = 40, WORDS = 5003 };
    float *logits = floats(ROWS * WORDS, 1, 12);
    float *weights = floats(ROWS, 2, 1);
    float *got = floats(ROWS * WORDS, 3, 1);
    float *want = floats(ROWS * WORDS, 3, 1);
    float losses[2][ROWS];
    uint32_t targets[ROWS];
    uint32_t i;

    for (i = 0; i < ROWS; i++) {
        targets[i] = i * 977 % WORDS;
    }
    fast->cross_entropy(fast, logits, ROWS, WORDS, targets, weights, losses[0],
                        got);
    plain->cross_entropy(plain, logits, ROWS, WORDS, targets, weights,
                         losses[1], want);
    compare_f32("cross_entropy, losses", losses[0], losses[1], ROWS);
    compare("cross_entropy", got, want, ROWS * WORDS);
    fast->log_probs(fast, logits, ROWS, WORDS, targets, losses[0]);
    plain->log_probs(plain, logits, ROWS, WORDS, targets, losses[1]);
    compare_f32("log_probs", losses[0], losses[1], ROWS);
    if (fast->type == OPS_F32) { /* in place */
        fast->cross_entropy(fast, logits, ROWS, WORDS, targets, weights,
                            losses[0], logits);
        compare_f32("cross_entropy in place", logits, want, ROWS * WORDS);
    }
    free(logits);
    free(weights);
    free(got);
    free(want);
}

static void cpu__adamw_is_the_references(void)
{
    enum { VALUES = 20011 };
    const struct ops_adamw a = {0.01f, 0.9f,  0.95f, 1e-8f,
                                0.1f,  10.0f, 20.0f, 0.7f};
    float *grad = floats(VALUES, 1, 1);
    float *state[2][3];
    void *copies[2];
    double sums[2];
    int i;
    int k;

    for (i = 0; i < 2; i++) {
        struct ops *o = i ? plain : fast;

        for (k = 0; k < 3; k++) {
            state[i][k] = floats(VALUES, (uint64_t)k + 2, k == 2 ? 0 : 1);
        }
        copies[i] = floats(VALUES, 9, 1);
        o->adamw(o, &a, state[i][0], grad, state[i][1], state[i][2], VALUES,
                 copies[i]);
        sums[i] = o->sum_squares(o, grad, VALUES);
    }
    compare_f32("adamw, w", state[0][0], state[1][0], VALUES);
    compare_f32("adamw, m", state[0][1], state[1][1], VALUES);
    compare_f32("adamw, v", state[0][2], state[1][2], VALUES);
    compare("adamw, copy", copies[0], copies[1], VALUES);
    assert_true(fabs(sums[0] - sums[1]) < 1e-5 * sums[1]);
    for (i = 0; i < 2; i++) {
        for (k = 0; k < 3; k++) {
            free(state[i][k]);
        }
        free(copies[i]);
    }
    free(grad);
}

/* ---- attention ------------------------------------------------------------
 */

static void check_attention(const struct ops_heads *h, size_t n,
                            const uint32_t *starts)
{
    size_t n_qkv = n * (h->n_heads + 2 * h->n_kv_heads) * h->d_head;
    size_t n_out = n * h->n_heads * h->d_head;
    void *qkv = typed(n_qkv, 1, 1.5f);
    void *dout = typed(n_out, 2, 1);
    float *lse[2];
    float *scratch = floats(n * h->n_heads, 3, 1);
    void *out[2];
    void *dqkv[2];
    int i;

    for (i = 0; i < 2; i++) {
        struct ops *o = i ? plain : fast;

        lse[i] = floats(n * h->n_heads, 3, 1);
        out[i] = floats(n_out, 4, 1);
        dqkv[i] = floats(n_qkv, 5, 1);
        o->attention(o, qkv, n, h, starts, out[i], lse[i]);
    }
    compare("attention", out[0], out[1], n_out);
    compare_f32("attention, lse", lse[0], lse[1], n * h->n_heads);
    for (i = 0; i < 2; i++) {
        struct ops *o = i ? plain : fast;

        o->attention_back(o, dout, qkv, out[1], lse[1], n, h, starts, scratch,
                          dqkv[i]);
    }
    compare("attention_back", dqkv[0], dqkv[1], n_qkv);
    for (i = 0; i < 2; i++) {
        free(lse[i]);
        free(out[i]);
        free(dqkv[i]);
    }
    free(qkv);
    free(dout);
    free(scratch);
}

static void cpu__attention_is_the_references(void)
{
    enum { TOKENS = 150 };
    static const struct ops_heads heads[] = {
        {2, 1, 6, 0}, {3, 3, 18, 40}, {4, 2, 16, 3}, {1, 1, 64, 100}};
    uint32_t starts[TOKENS];
    uint32_t t;
    size_t i;

    for (t = 0; t < TOKENS; t++) {
        starts[t] = t < 7 ? 0 : t < 130 ? 7 : t; /* then padding, alone */
    }
    for (i = 0; i < sizeof heads / sizeof *heads; i++) {
        check_attention(&heads[i], i == 0 ? 70 : 1, NULL);
        if (heads[i].d_head < 64) { /* the reference takes its time */
            check_attention(&heads[i], TOKENS, starts);
        } else {
            check_attention(&heads[i], 66, NULL);
        }
    }
}

static void cpu__rope_is_the_references(void)
{
    enum { TOKENS = 60, D = 20 };
    const struct ops_heads h = {3, 2, D, 0};
    void *got = typed(TOKENS * 7 * D, 1, 1);
    void *want = typed(TOKENS * 7 * D, 1, 1);
    float *freqs = floats(D / 2, 2, 1);
    float turns[2][TOKENS * D];
    uint32_t positions[TOKENS];
    uint32_t t;

    for (t = 0; t < TOKENS; t++) {
        positions[t] = t * 100;
    }
    fast->rope_turns(fast, positions, TOKENS, freqs, D, turns[0]);
    plain->rope_turns(plain, positions, TOKENS, freqs, D, turns[1]);
    compare_f32("rope_turns", turns[0], turns[1], TOKENS * D);
    fast->rope(fast, got, TOKENS, &h, turns[1], false);
    plain->rope(plain, want, TOKENS, &h, turns[1], false);
    compare("rope", got, want, TOKENS * 7 * D);
    fast->rope(fast, got, TOKENS, &h, turns[1], true);
    plain->rope(plain, want, TOKENS, &h, turns[1], true);
    compare("rope, back", got, want, TOKENS * 7 * D);
    free(got);
    free(want);
    free(freqs);
}

/* ---- all of them ----------------------------------------------------------
 */

static void on_all(void (*check)(void))
{
    size_t i;

    for (i = 0; i < N_TABLES; i++) {
        fast = tables[i].fast;
        plain = tables[i].plain;
        check();
        assert_int_equal(fast->check(fast, NULL), CWM_OK);
    }
}

#define ON_ALL(name)                                                           \
    static void name##_in_all_tables(void **state)                             \
    {                                                                          \
        (void)state;                                                           \
        on_all(name);                                                          \
    }

ON_ALL(cpu__linear_is_the_references)
ON_ALL(cpu__linear_takes_other_weights)
ON_ALL(cpu__norms_are_the_references)
ON_ALL(cpu__swiglu_is_the_references)
ON_ALL(cpu__embeddings_are_the_references)
ON_ALL(cpu__cross_entropy_is_the_references)
ON_ALL(cpu__adamw_is_the_references)
ON_ALL(cpu__attention_is_the_references)
ON_ALL(cpu__rope_is_the_references)

/* The sets of kernels that this machine can run say the same. */
static void kernels__agree_whatever_the_machine_has(void **state)
{
    const struct kernels *best = kernels_pick();
    float *a = floats(40 * 100, 1, 1);
    float *b = floats(100 * 80, 2, 1);
    float *got = floats(40 * 80, 3, 1);
    float *want = floats(40 * 80, 3, 1);

    (void)state;
    print_message("kernels: %s\n", best->name);
    fast = tables[0].fast;
    kernels_base.tile(a, 100, 1, b, 80, want, 80, 39, 80, 100, false);
    best->tile(a, 100, 1, b, 80, got, 80, 39, 80, 100, false);
    compare_f32("tile", got, want, 39 * 80);
    if (best != &kernels_base) {
        kernels_avx2.tile(a, 100, 1, b, 80, got, 80, 39, 80, 100, false);
        compare_f32("tile, avx2", got, want, 39 * 80);
    }
    free(a);
    free(b);
    free(got);
    free(want);
}

static int set_up(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_TABLES; i++) {
        if (ops_cpu_new(tables[i].type, tables[i].n_threads, &tables[i].fast,
                        NULL) != CWM_OK ||
            ops_ref_new(tables[i].type, &tables[i].plain, NULL) != CWM_OK) {
            return -1;
        }
    }
    return 0;
}

static int tear_down(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < N_TABLES; i++) {
        ops_free(tables[i].fast);
        ops_free(tables[i].plain);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu__linear_is_the_references_in_all_tables),
        cmocka_unit_test(cpu__linear_takes_other_weights_in_all_tables),
        cmocka_unit_test(cpu__norms_are_the_references_in_all_tables),
        cmocka_unit_test(cpu__swiglu_is_the_references_in_all_tables),
        cmocka_unit_test(cpu__embeddings_are_the_references_in_all_tables),
        cmocka_unit_test(cpu__cross_entropy_is_the_references_in_all_tables),
        cmocka_unit_test(cpu__adamw_is_the_references_in_all_tables),
        cmocka_unit_test(cpu__attention_is_the_references_in_all_tables),
        cmocka_unit_test(cpu__rope_is_the_references_in_all_tables),
        cmocka_unit_test(kernels__agree_whatever_the_machine_has),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
