/* SPDX-License-Identifier: MIT */
/*
 * test_ops_cpu_cache.c -- what the CPU's table does to generate, against the
 * reference: packed weights, and attention over a cache.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/model/ops.h"

/* Of the largest value: sums in another order; roundings to bf16 that fall
 * to the other side; inputs of 8 bits. */
static const double tolerances[] = {
    [OPS_F32] = 2e-5, [OPS_BF16] = 8e-3, [OPS_I8] = 1e-2};

static struct ops *fast, *plain;

static uint32_t random_state;

static float random_value(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return (float)((int)(random_state >> 8 & 0xFFFF) - 0x8000) / 0x8000;
}

/* n random numbers in the tables' type. */
static void *typed(size_t n)
{
    float *x = malloc(n * sizeof *x);
    void *out = malloc(n * sizeof *x);

    assert_true(x && out);
    for (size_t i = 0; i < n; i++) {
        x[i] = random_value();
    }
    plain->from_f32(plain, x, n, out);
    free(x);
    return out;
}

static void compare(const char *what, const void *got, const void *want,
                    size_t n, double tolerance)
{
    float *a = malloc(n * sizeof *a);
    float *b = malloc(n * sizeof *b);
    double largest = 1e-3;

    assert_true(a && b);
    plain->to_f32(plain, got, n, a);
    plain->to_f32(plain, want, n, b);
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)b[i]));
    }
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * largest)) {
            fail_msg("%s, type %d: value %zu of %zu is %g, not %g", what,
                     (int)plain->type, i, n, (double)a[i], (double)b[i]);
        }
    }
    free(a);
    free(b);
}

/* ---- packed weights ---- */

static void fill_matrix(struct ops_matrix *m, enum ops_type type, void *values,
                        float *scales)
{
    m->type = type;
    m->values = values;
    m->scales = scales;
    m->packed = NULL;
    for (size_t o = 0; o < m->n_out; o++) {
        scales[o] = 0.01f + fabsf(random_value()) / 64;
    }
    for (size_t i = 0; i < m->n_out * m->n_in; i++) {
        float value = random_value();

        if (type == OPS_F32) {
            ((float *)values)[i] = value;
        } else if (type == OPS_BF16) {
            ((uint16_t *)values)[i] = bf16_from_f32(value);
        } else {
            ((int8_t *)values)[i] = (int8_t)lrintf(value * 127);
        }
    }
}

static void check_linear(enum ops_type type, size_t n, size_t n_in,
                         size_t n_out)
{
    struct ops_matrix m = {.n_out = n_out, .n_in = n_in};
    float *values = calloc(n_out * n_in, sizeof *values);
    float *scales = calloc(n_out, sizeof *scales);
    void *x = typed(n * n_in);
    void *got = typed(n * (n_out + 3));
    void *want = malloc(n * (n_out + 3) * sizeof(float));

    assert_true(values && scales && want);
    memcpy(want, got, n * (n_out + 3) * ops_type_bytes(plain->type));
    fill_matrix(&m, type, values, scales);
    plain->linear(plain, x, n, &m, want, n_out + 3, plain->type);
    fast->matrix_changed(fast, &m, false);
    if (m.packed) {
        memset(values, 0xFF, n_out * n_in * sizeof *values); /* not read */
    }
    fast->linear(fast, x, n, &m, got, n_out + 3, plain->type);
    compare("linear", got, want, n * (n_out + 3),
            fmax(tolerances[type], tolerances[plain->type]));
    fast->matrix_release(fast, &m);
    assert_null(m.packed);
    free(values);
    free(scales);
    free(x);
    free(got);
    free(want);
}

static void check_linears(void)
{
    for (enum ops_type type = OPS_F32; type <= OPS_I8; type++) {
        if (type == OPS_I8 || type == plain->type) {
            check_linear(type, 1, 64, 48);
            check_linear(type, 16, 130, 33);
            check_linear(type, 5, 1, 1);
            check_linear(type, 77, 200, 100);
        }
    }
}

/* Many matrices in few regions, changed and released in any order. */
static void check_regions(void)
{
    enum { N = 40, OUT = 64, IN = 64 };
    static float values[OUT * IN];
    static float scales[OUT];
    struct ops_matrix m[N];
    void *x = typed(IN);
    float want[OUT];
    float got[OUT];

    for (size_t i = 0; i < N; i++) {
        m[i] = (struct ops_matrix){.n_out = OUT, .n_in = IN};
        random_state = (uint32_t)i;
        fill_matrix(&m[i], plain->type, values, scales);
        fast->matrix_changed(fast, &m[i], false);
    }
    for (size_t k = 0; k < N; k++) {
        size_t i = k * 7 % N;
        void *packed = m[i].packed;

        random_state = (uint32_t)i;
        m[i].packed = NULL;
        fill_matrix(&m[i], plain->type, values, scales);
        plain->linear(plain, x, 1, &m[i], want, OUT, OPS_F32);
        m[i].packed = packed;
        fast->linear(fast, x, 1, &m[i], got, OUT, OPS_F32);
        for (size_t o = 0; o < OUT; o++) {
            assert_true(fabsf(want[o] - got[o]) < 0.05f);
        }
        if (k % 2) {
            fast->matrix_changed(fast, &m[i], false); /* in its place */
            assert_ptr_equal(packed, m[i].packed);
        }
        fast->matrix_release(fast, &m[i]);
    }
    free(x);
}

/* ---- the cache ---- */

/* Each row on its own gives the bits that it has among the others. */
static void check_alone(const struct ops_heads *h,
                        const struct ops_cache *cache, const char *qkv,
                        const uint32_t *seqs, const uint32_t *positions,
                        size_t n, const char *together)
{
    size_t b = ops_type_bytes(plain->type);
    size_t in_bytes = (h->n_heads + 2 * h->n_kv_heads) * h->d_head * b;
    size_t out_bytes = h->n_heads * h->d_head * b;
    char *alone = malloc(out_bytes);

    assert_non_null(alone);
    for (size_t r = 0; r < n; r++) {
        fast->cache_attention(fast, qkv + r * in_bytes, 1, h, cache, seqs + r,
                              positions + r, alone);
        if (memcmp(alone, together + r * out_bytes, out_bytes) != 0) {
            fail_msg("row %zu depends on the rows beside it", r);
        }
    }
    free(alone);
}

/* Two sequences whose first pages are shared, rows in mixed order. */
static void check_cache(const struct ops_heads *h)
{
    enum { SEQS = 2, PAGES = 3, FIRST = 70, NEW = 9, MAX_ROWS = 200 };
    size_t width = (h->n_heads + 2 * h->n_kv_heads) * h->d_head;
    size_t n_cache = (size_t)8 * h->n_kv_heads * OPS_PAGE_TOKENS * h->d_head;
    const uint32_t pages[SEQS * PAGES] = {4, 1, 2, 4, 1, 7};
    struct ops_cache got_cache = {typed(n_cache), typed(n_cache), pages, PAGES};
    struct ops_cache want_cache = {malloc(n_cache * 4), malloc(n_cache * 4),
                                   pages, PAGES};
    uint32_t seqs[MAX_ROWS];
    uint32_t positions[MAX_ROWS];
    void *qkv = typed(MAX_ROWS * width);
    void *got = typed(MAX_ROWS * h->n_heads * h->d_head);
    void *want = typed(MAX_ROWS * h->n_heads * h->d_head);
    size_t n = 0;

    memcpy(want_cache.k, got_cache.k, n_cache * ops_type_bytes(plain->type));
    memcpy(want_cache.v, got_cache.v, n_cache * ops_type_bytes(plain->type));
    for (uint32_t t = 0; t < FIRST; t++, n++) {
        seqs[n] = t >= 64; /* the shared pages, then one's own */
        positions[n] = t;
    }
    for (uint32_t t = 64; t < 64 + NEW; t++, n++) {
        seqs[n] = 0;
        positions[n] = t;
    }
    fast->cache_put(fast, qkv, n, h, &got_cache, seqs, positions);
    plain->cache_put(plain, qkv, n, h, &want_cache, seqs, positions);
    compare("cache_put", got_cache.k, want_cache.k, n_cache, 0);
    compare("cache_put", got_cache.v, want_cache.v, n_cache, 0);
    fast->cache_attention(fast, qkv, n, h, &got_cache, seqs, positions, got);
    plain->cache_attention(plain, qkv, n, h, &want_cache, seqs, positions,
                           want);
    compare("cache_attention", got, want, n * h->n_heads * h->d_head,
            tolerances[plain->type]);
    check_alone(h, &got_cache, qkv, seqs, positions, n, got);
    free(got_cache.k);
    free(got_cache.v);
    free(want_cache.k);
    free(want_cache.v);
    free(qkv);
    free(got);
    free(want);
}

static void check_caches(void)
{
    static const struct ops_heads heads[] = {
        {4, 2, 64, 0}, {4, 4, 16, 20}, {6, 1, 128, 33},
        {2, 2, 10, 0}, {3, 1, 80, 1},
    };

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        check_cache(&heads[i]);
    }
}

/* ---- all tables ---- */

static void on_all(void (*check)(void))
{
    for (enum ops_type type = OPS_F32; type <= OPS_BF16; type++) {
        for (unsigned n_threads = 1; n_threads <= 3; n_threads += 2) {
            assert_int_equal(ops_cpu_new(type, n_threads, &fast, NULL), CWM_OK);
            assert_int_equal(ops_ref_new(type, &plain, NULL), CWM_OK);
            check();
            assert_int_equal(fast->check(fast, NULL), CWM_OK);
            ops_free(fast);
            ops_free(plain);
        }
    }
}

static void cpu__packed_linear_is_the_references(void **state)
{
    (void)state;
    on_all(check_linears);
}

static void cpu__packed_weights_lie_apart(void **state)
{
    (void)state;
    on_all(check_regions);
}

static void cpu__cache_attention_is_the_references(void **state)
{
    (void)state;
    on_all(check_caches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu__packed_linear_is_the_references),
        cmocka_unit_test(cpu__packed_weights_lie_apart),
        cmocka_unit_test(cpu__cache_attention_is_the_references),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
