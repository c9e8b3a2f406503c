/* SPDX-License-Identifier: MIT */
/*
 * test_ops.c -- every gradient of the reference table against finite
 * differences of its forward half, and small cases worked out by hand.
 *
 * A case has an input x, an output y and a random c: the loss is c . y, whose
 * gradient by x the backward operation must give.
 */
#include "cwm/model/ops.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_VALUES = 1024 };

/* A step of 0.01 leaves an error of its square; fp32 rounds the rest. */
#define STEP      1e-2f
#define TOLERANCE 2e-3

static struct ops *o;

static float random_value(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(*state >> 40) / (float)(1 << 23) - 1.0f;
}

static void fill(float *x, size_t n, uint64_t seed)
{
    size_t i;

    for (i = 0; i < n; i++) {
        x[i] = random_value(&seed);
    }
}

/* ---- finite differences ---------------------------------------------------
 */

struct experiment {
    const char *name;
    /* y [n_y] from whatever the case has */
    void (*forward)(float *y);
    size_t n_y;
    float c[MAX_VALUES];
};

static double loss_of(const struct experiment *e)
{
    static float y[MAX_VALUES];
    double sum = 0;
    size_t i;

    e->forward(y);
    for (i = 0; i < e->n_y; i++) {
        sum += (double)y[i] * (double)e->c[i];
    }
    return sum;
}

/* dx is what the backward operation says about x. */
static void compare(const struct experiment *e, const char *what, float *x,
                    const float *dx, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        float kept = x[i];
        double above;
        double below;
        double want;

        x[i] = kept + STEP;
        above = loss_of(e);
        x[i] = kept - STEP;
        below = loss_of(e);
        x[i] = kept;
        want = (above - below) / (2.0 * (double)STEP);
        if (!(fabs(want - (double)dx[i]) <=
              TOLERANCE * fmax(1.0, fabs(want)))) {
            fail_msg("%s: d%s[%zu] is %g, finite differences say %g", e->name,
                     what, i, (double)dx[i], want);
        }
    }
}

/* ---- linear ---------------------------------------------------------------
 */

enum { N = 7, C = 6, OUT = 5 };

static float x_in[N * C], w_in[OUT * C];
static struct ops_matrix matrix = {
    .n_out = OUT, .n_in = C, .type = OPS_F32, .values = w_in};

static void linear_forward(float *y)
{
    o->linear(o, x_in, N, &matrix, y, OUT, OPS_F32);
}

static void ops__linear_has_its_gradients(void **state)
{
    struct experiment e = {"linear", linear_forward, N * OUT};
    float dx[N * C];
    float dw[OUT * C];
    size_t i;

    (void)state;
    fill(x_in, N * C, 1);
    fill(w_in, OUT * C, 2);
    fill(e.c, e.n_y, 3);
    fill(dw, OUT * C, 4); /* gradients of weights are added to */
    o->linear_dx(o, e.c, N, &matrix, dx);
    compare(&e, "x", x_in, dx, N * C);
    o->linear_dw(o, e.c, x_in, N, OUT, C, dw);
    for (i = 0; i < OUT * C; i++) {
        uint64_t seed = 4;
        float before = 0;
        size_t k;

        for (k = 0; k <= i; k++) {
            before = random_value(&seed);
        }
        dw[i] -= before;
    }
    compare(&e, "w", w_in, dw, OUT * C);
}

/* ---- norm -----------------------------------------------------------------
 */

static float y_in[N * C], norm_weight[C];

/* Both outputs: the sum, and what is normed. */
static void norm_forward(float *y)
{
    o->add_norm(o, x_in, y_in, N, C, norm_weight, 1e-5f, y, y + N * C, NULL);
}

static void ops__add_norm_has_its_gradients(void **state)
{
    struct experiment e = {"add_norm", norm_forward, 2 * N * C};
    float sum[N * C];
    float out[N * C];
    float scales[N];
    float dx[N * C];
    float copy[N * C];
    float dweight[C] = {0};

    (void)state;
    fill(x_in, N * C, 1);
    fill(y_in, N * C, 2);
    fill(norm_weight, C, 3);
    fill(e.c, e.n_y, 4);
    o->add_norm(o, x_in, y_in, N, C, norm_weight, 1e-5f, sum, out, scales);
    memcpy(dx, e.c, sizeof dx); /* comes in along the residual stream */
    o->norm_back(o, e.c + N * C, sum, scales, N, C, norm_weight, dx, dweight,
                 copy);
    compare(&e, "x", x_in, dx, N * C);
    compare(&e, "y", y_in, copy, N * C);
    compare(&e, "weight", norm_weight, dweight, C);
}

/* ---- rotary positions, attention ------------------------------------------
 */

enum { TOKENS = 9, D = 4, MAX_ROW = 8 };

static struct ops_heads heads;
static float qkv[TOKENS * MAX_ROW * D];
static uint32_t starts[TOKENS];
static float turns[TOKENS * D];

static size_t n_row(void)
{
    return (heads.n_heads + 2 * heads.n_kv_heads) * D;
}

static void make_turns(void)
{
    static const float freqs[D / 2] = {1.0f, 0.1f};
    uint32_t positions[TOKENS];
    uint32_t t;

    for (t = 0; t < TOKENS; t++) {
        positions[t] = t * 3;
    }
    o->rope_turns(o, positions, TOKENS, freqs, D, turns);
}

static void rope_forward(float *y)
{
    memcpy(y, qkv, TOKENS * n_row() * sizeof *y);
    o->rope(o, y, TOKENS, &heads, turns, false);
}

static void ops__rope_has_its_gradient(void **state)
{
    struct experiment e = {"rope", rope_forward};
    float dx[TOKENS * MAX_ROW * D];

    (void)state;
    heads = (struct ops_heads){4, 2, D, 0};
    e.n_y = TOKENS * n_row();
    make_turns();
    fill(qkv, e.n_y, 1);
    fill(e.c, e.n_y, 2);
    memcpy(dx, e.c, e.n_y * sizeof *dx);
    o->rope(o, dx, TOKENS, &heads, turns, true);
    compare(&e, "x", qkv, dx, e.n_y);
}

static void attention_forward(float *y)
{
    o->attention(o, qkv, TOKENS, &heads, starts, y, NULL);
}

static void check_attention(const char *name)
{
    struct experiment e = {name, attention_forward};
    float out[TOKENS * 4 * D];
    float lse[TOKENS * 4];
    float scratch[TOKENS * 4];
    float dx[TOKENS * MAX_ROW * D];

    e.n_y = TOKENS * heads.n_heads * D;
    fill(qkv, TOKENS * n_row(), 1);
    fill(e.c, e.n_y, 2);
    o->attention(o, qkv, TOKENS, &heads, starts, out, lse);
    o->attention_back(o, e.c, qkv, out, lse, TOKENS, &heads, starts, scratch,
                      dx);
    compare(&e, "qkv", qkv, dx, TOKENS * n_row());
}

static void ops__attention_has_its_gradient(void **state)
{
    static const uint32_t documents[TOKENS] = {0, 0, 0, 3, 4, 4, 4, 4, 4};

    (void)state;
    memset(starts, 0, sizeof starts);
    heads = (struct ops_heads){4, 2, D, 0};
    check_attention("attention, causal");
    heads = (struct ops_heads){2, 2, D, 3};
    check_attention("attention, window 3");
    memcpy(starts, documents, sizeof starts);
    heads = (struct ops_heads){4, 1, D, 0};
    check_attention("attention, documents");
    heads = (struct ops_heads){4, 2, D, 2};
    check_attention("attention, documents and window 2");
}

/* What a query may not see cannot change its output. */
static void ops__attention_keeps_to_documents_and_window(void **state)
{
    static const uint32_t documents[TOKENS] = {0, 0, 0, 3, 3, 3, 3, 3, 3};
    float before[TOKENS * 2 * D];
    float after[TOKENS * 2 * D];
    size_t row;
    size_t i;

    (void)state;
    heads = (struct ops_heads){2, 1, D, 4};
    row = n_row();
    memcpy(starts, documents, sizeof starts);
    fill(qkv, TOKENS * row, 1);
    attention_forward(before);
    for (i = 0; i < 3 * row; i++) {
        qkv[i] += 1.0f; /* the first document */
    }
    for (i = 8 * row; i < 9 * row; i++) {
        qkv[i] += 1.0f; /* the last token */
    }
    attention_forward(after);
    assert_memory_equal(before + 3 * 2 * D, after + 3 * 2 * D,
                        5 * 2 * D * sizeof *before);
    for (i = 3 * row; i < 4 * row; i++) {
        qkv[i] += 1.0f; /* outside the window of tokens 7 and 8 */
    }
    attention_forward(before);
    assert_memory_equal(before + 7 * 2 * D, after + 7 * 2 * D,
                        2 * 2 * D * sizeof *before);
    assert_memory_not_equal(before + 6 * 2 * D, after + 6 * 2 * D,
                            2 * D * sizeof *before);
}

/* ---- the cache ------------------------------------------------------------
 */

enum { LONG = 150, SEQS = 2, PAGES = 16 };

static void check_token(size_t window, uint32_t t, const float *out,
                        const float *want)
{
    size_t i;

    for (i = 0; i < 2 * D; i++) {
        if (!(fabsf(out[i] - want[i]) <= 1e-6f)) {
            fail_msg("window %zu, token %u: %g, without cache %g", window, t,
                     (double)out[i], (double)want[i]);
        }
    }
}

/* Two sequences, token by token in turn, through rings of pages: what
 * attention() says of each as a whole. */
static void check_cache(size_t window, size_t max_pages)
{
    static float rows[SEQS][LONG * MAX_ROW * D];
    static float want[SEQS][LONG * 2 * D];
    static float k[PAGES * 2 * OPS_PAGE_TOKENS * D];
    static float v[PAGES * 2 * OPS_PAGE_TOKENS * D];
    static const uint32_t both[SEQS] = {0, 1};
    uint32_t pages[PAGES];
    struct ops_cache cache = {k, v, pages, max_pages};
    uint32_t t;
    uint32_t s;

    heads = (struct ops_heads){2, 1, D, window};
    for (t = 0; t < SEQS * max_pages; t++) {
        pages[t] = (uint32_t)(t * 7 % PAGES); /* any order will do */
    }
    for (s = 0; s < SEQS; s++) {
        fill(rows[s], LONG * n_row(), s + 1);
        o->attention(o, rows[s], LONG, &heads, NULL, want[s], NULL);
    }
    for (t = 0; t < LONG; t++) {
        uint32_t positions[SEQS] = {t, t};
        float now[SEQS * MAX_ROW * D];
        float out[SEQS * 2 * D];

        for (s = 0; s < SEQS; s++) {
            memcpy(now + s * n_row(), rows[s] + t * n_row(),
                   n_row() * sizeof *now);
        }
        o->cache_put(o, now, SEQS, &heads, &cache, both, positions);
        o->cache_attention(o, now, SEQS, &heads, &cache, both, positions, out);
        for (s = 0; s < SEQS; s++) {
            check_token(window, t, out + s * 2 * D, want[s] + t * 2 * D);
        }
    }
}

static void ops__cache_changes_nothing(void **state)
{
    (void)state;
    check_cache(0, 5);
    check_cache(40, 3);
}

/* ---- the rest -------------------------------------------------------------
 */

static void swiglu_forward(float *y)
{
    o->swiglu(o, qkv, 6, 5, y);
}

static void ops__swiglu_has_its_gradient(void **state)
{
    struct experiment e = {"swiglu", swiglu_forward, 6 * 5};
    float dx[6 * 10];

    (void)state;
    fill(qkv, 60, 1);
    fill(e.c, e.n_y, 2);
    o->swiglu_back(o, e.c, qkv, 6, 5, dx);
    compare(&e, "gate_up", qkv, dx, 60);
}

static const uint32_t targets[N] = {0, 5, 2, 2, 1, 4, 3};
static const float weights[N] = {1, 1, 0, 0.5f, 2, 1, 1};

static void entropy_forward(float *y)
{
    float unused[N * C];

    o->cross_entropy(o, x_in, N, C, targets, weights, y, unused);
}

static void ops__cross_entropy_has_its_gradient(void **state)
{
    struct experiment e = {"cross_entropy", entropy_forward, N};
    float losses[N];
    float logs[N];
    float dlogits[N * C];
    size_t i;

    (void)state;
    fill(x_in, N * C, 1);
    for (i = 0; i < N; i++) {
        e.c[i] = 1.0f;
    }
    o->cross_entropy(o, x_in, N, C, targets, weights, losses, dlogits);
    compare(&e, "logits", x_in, dlogits, N * C);
    o->log_probs(o, x_in, N, C, targets, logs);
    for (i = 0; i < N; i++) {
        assert_true(fabsf(losses[i] + weights[i] * logs[i]) < 1e-6f);
    }
    /* logits so large that exp would overflow */
    x_in[0] = 300.0f;
    o->cross_entropy(o, x_in, 1, C, targets, weights, losses, x_in);
    assert_true(fabsf(losses[0]) < 1e-6f && fabsf(x_in[0]) < 1e-6f);
}

static const uint32_t ids[N] = {3, 0, 3, 1, 3, 0, 4};

static void embed_forward(float *y)
{
    o->embed(o, ids, N, w_in, C, y);
}

static void ops__embed_has_its_gradient(void **state)
{
    struct experiment e = {"embed", embed_forward, N * C};
    float dtable[OUT * C] = {0};

    (void)state;
    fill(w_in, OUT * C, 1);
    fill(e.c, e.n_y, 2);
    o->embed_back(o, ids, N, e.c, OUT, C, dtable);
    compare(&e, "table", w_in, dtable, OUT * C);
}

/* One step worked out by hand: m = 0.1 g, v = 0.001 g^2, both corrected back
 * to g and g^2, so w moves by rate * (sign + decay w). */
static void ops__adamw_takes_the_step(void **state)
{
    struct ops_adamw a = {.rate = 0.1f,
                          .beta1 = 0.9f,
                          .beta2 = 0.999f,
                          .eps = 0,
                          .decay = 0.5f,
                          .correct1 = 1.0f / (1.0f - 0.9f),
                          .correct2 = 1.0f / (1.0f - 0.999f),
                          .grad_scale = 0.5f};
    float w[2] = {1.0f, -2.0f};
    float g[2] = {4.0f, -6.0f};
    float m[2] = {0};
    float v[2] = {0};
    float copy[2];

    (void)state;
    o->adamw(o, &a, w, g, m, v, 2, copy);
    assert_true(fabsf(w[0] - (1.0f - 0.1f * (1.0f + 0.5f))) < 1e-5f);
    assert_true(fabsf(w[1] - (-2.0f + 0.1f * (1.0f + 1.0f))) < 1e-5f);
    assert_true(fabsf(m[0] - 0.2f) < 1e-6f && fabsf(v[1] - 0.009f) < 1e-6f);
    assert_memory_equal(w, copy, sizeof w);
    assert_true(fabs(o->sum_squares(o, g, 2) - 52.0) < 1e-9);
}

static void ops__bf16_rounds_to_the_nearest(void **state)
{
    static const struct {
        float in, out;
    } cases[] = {{1.0f, 1.0f},
                 {1.00390625f, 1.0f},      /* halfway: to the even */
                 {1.01171875f, 1.015625f}, /* halfway: to the even */
                 {1.0040f, 1.0078125f},    /* above halfway */
                 {-3.1415926f, -3.140625f},
                 {3.4e38f, INFINITY}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        float got = bf16_to_f32(bf16_from_f32(cases[i].in));

        if (got != cases[i].out) {
            fail_msg("%.9g: got %.9g, want %.9g", (double)cases[i].in,
                     (double)got, (double)cases[i].out);
        }
    }
    assert_true(isnan(bf16_to_f32(bf16_from_f32(NAN))));
}

static int set_up(void **state)
{
    (void)state;
    return ops_ref_new(OPS_F32, &o, NULL) == CWM_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(o->check(o, NULL), CWM_OK);
    ops_free(o);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops__linear_has_its_gradients),
        cmocka_unit_test(ops__add_norm_has_its_gradients),
        cmocka_unit_test(ops__rope_has_its_gradient),
        cmocka_unit_test(ops__attention_has_its_gradient),
        cmocka_unit_test(ops__attention_keeps_to_documents_and_window),
        cmocka_unit_test(ops__cache_changes_nothing),
        cmocka_unit_test(ops__swiglu_has_its_gradient),
        cmocka_unit_test(ops__cross_entropy_has_its_gradient),
        cmocka_unit_test(ops__embed_has_its_gradient),
        cmocka_unit_test(ops__adamw_takes_the_step),
        cmocka_unit_test(ops__bf16_rounds_to_the_nearest),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
