/* SPDX-License-Identifier: MIT */
/*
 * test_cpu_rows.c -- products of few rows against sums in double.
 *
 * Shapes that fill no block, every number of rows, every type; and a row's
 * result is the same bits whatever is beside it.
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

#include "cwm/model/cpu_rows.h"

enum { MAX_OUT = 80, MAX_IN = 200, MAX_N = 2 * ROWS_MAX + 5 };

struct layer {
    struct ops_matrix w;
    uint8_t values[MAX_OUT * MAX_IN * 4];
    float scales[MAX_OUT];
    float plain[MAX_OUT * MAX_IN]; /* what the values stand for */
    void *packed;
};

static uint32_t random_state = 1;

static float random_value(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return (float)((int)(random_state >> 8 & 0xFFFF) - 0x8000) / 0x8000;
}

static void *aligned(size_t n_bytes)
{
    void *p = aligned_alloc(64, (n_bytes + 63) / 64 * 64);

    assert_non_null(p);
    return p;
}

static void fill(struct layer *l, enum ops_type type, size_t n_out, size_t n_in)
{
    memset(l, 0, sizeof *l);
    l->w.n_out = n_out;
    l->w.n_in = n_in;
    l->w.type = type;
    l->w.values = l->values;
    l->w.scales = l->scales;
    for (size_t o = 0; o < n_out; o++) {
        l->scales[o] = 0.25f + fabsf(random_value());
        for (size_t i = 0; i < n_in; i++) {
            size_t at = o * n_in + i;
            float value = random_value();
            uint16_t half = bf16_from_f32(value);
            int8_t byte = (int8_t)lrintf(value * 127.9f);

            if (type == OPS_F32) {
                memcpy(l->values + 4 * at, &value, 4);
                l->plain[at] = value;
            } else if (type == OPS_BF16) {
                memcpy(l->values + 2 * at, &half, 2);
                l->plain[at] = bf16_to_f32(half);
            } else {
                l->values[at] = (uint8_t)byte;
                l->plain[at] = (float)byte * l->scales[o];
            }
        }
    }
    l->packed = aligned(rows_packed_bytes(&l->w));
    rows_pack(&l->w, 0, rows_n_blocks(n_out), l->packed);
}

/* out [n,n_out] of x [n,n_in] */
static void multiply(const struct layer *l, const void *x, enum ops_type x_type,
                     size_t n, void *out, enum ops_type out_type)
{
    void *input = aligned(rows_input_bytes(l->w.type, n, l->w.n_in));
    size_t n_blocks = rows_n_blocks(l->w.n_out);

    rows_input(l->w.type, x, x_type, n, l->w.n_in, 0, rows_n_chunks(n), input);
    /* in two parts, as two threads do it */
    rows_product(&l->w, l->packed, input, n, 0, n_blocks / 2, out, l->w.n_out,
                 out_type);
    rows_product(&l->w, l->packed, input, n, n_blocks / 2, n_blocks, out,
                 l->w.n_out, out_type);
    free(input);
}

static void check_one(const struct layer *l, const float *x, size_t o,
                      double got, double tolerance)
{
    double want = 0;
    double size = 0;

    for (size_t i = 0; i < l->w.n_in; i++) {
        double term = (double)x[i] * (double)l->plain[o * l->w.n_in + i];

        want += term;
        size += fabs(term);
    }
    if (!(fabs(want - got) <= tolerance * size)) {
        fail_msg("type %d, %zu x %zu, output %zu: want %g, got %g",
                 (int)l->w.type, l->w.n_out, l->w.n_in, o, want, got);
    }
}

static void check(const struct layer *l, const float *x, size_t n,
                  const float *out, double tolerance)
{
    for (size_t r = 0; r < n; r++) {
        for (size_t o = 0; o < l->w.n_out; o++) {
            check_one(l, x + r * l->w.n_in, o, (double)out[r * l->w.n_out + o],
                      tolerance);
        }
    }
}

static void check_shape(enum ops_type type, size_t n_out, size_t n_in)
{
    /* of the sum of the terms' sizes: rounding of sums; of inputs to bf16;
     * of inputs to 8 bits */
    static const double tolerances[] = {
        [OPS_F32] = 1e-6, [OPS_BF16] = 4e-3, [OPS_I8] = 1e-2};
    struct layer *l = malloc(sizeof *l);
    float x[MAX_N * MAX_IN];
    float out[MAX_N * MAX_OUT];
    float alone[MAX_OUT];
    uint16_t halves[MAX_N * MAX_OUT];

    assert_non_null(l);
    fill(l, type, n_out, n_in);
    for (size_t i = 0; i < MAX_N * n_in; i++) {
        x[i] = random_value() * 3;
    }
    for (size_t n = 1; n <= MAX_N; n++) {
        multiply(l, x, OPS_F32, n, out, OPS_F32);
        check(l, x, n, out, tolerances[type]);
        for (size_t r = 0; r < n; r++) {
            multiply(l, x + r * n_in, OPS_F32, 1, alone, OPS_F32);
            assert_memory_equal(alone, out + r * n_out, n_out * sizeof *out);
        }
        multiply(l, x, OPS_F32, n, halves, OPS_BF16);
        for (size_t i = 0; i < n * n_out; i++) {
            assert_int_equal(halves[i], bf16_from_f32(out[i]));
        }
    }
    free(l->packed);
    free(l);
}

static void rows__give_the_sums(void **state)
{
    static const enum ops_type types[] = {OPS_F32, OPS_BF16, OPS_I8};
    static const size_t shapes[][2] = {{16, 64},  {1, 1},    {17, 65},
                                       {80, 200}, {48, 128}, {15, 63}};

    (void)state;
    for (size_t t = 0; t < 3; t++) {
        if (!rows_can(types[t])) {
            print_message("SKIPPED: this CPU has no instructions for type %d\n",
                          (int)types[t]);
            continue;
        }
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            check_shape(types[t], shapes[s][0], shapes[s][1]);
        }
    }
}

static void rows__take_inputs_in_bf16(void **state)
{
    struct layer *l = malloc(sizeof *l);
    uint16_t halves[2 * 100];
    float same[2 * 100];
    float out[2 * 20];
    float want[2 * 20];

    (void)state;
    assert_non_null(l);
    for (size_t i = 0; i < 200; i++) {
        halves[i] = bf16_from_f32(random_value());
        same[i] = bf16_to_f32(halves[i]);
    }
    for (enum ops_type type = OPS_F32; type <= OPS_I8; type++) {
        if (rows_can(type)) {
            fill(l, type, 20, 100);
            multiply(l, halves, OPS_BF16, 2, out, OPS_F32);
            multiply(l, same, OPS_F32, 2, want, OPS_F32);
            assert_memory_equal(out, want, sizeof out);
            free(l->packed);
        }
    }
    free(l);
}

/* The largest and the smallest bytes, and a row of zeros. */
static void rows__bear_extreme_bytes(void **state)
{
    struct layer *l = malloc(sizeof *l);
    float x[2 * 64] = {0};
    float out[2 * 16];

    (void)state;
    assert_non_null(l);
    if (!rows_can(OPS_I8)) {
        free(l);
        print_message("SKIPPED: this CPU has no instructions for bytes\n");
        return;
    }
    fill(l, OPS_I8, 16, 64);
    for (size_t i = 0; i < 16 * 64; i++) {
        l->values[i] = i % 2 ? 0x80 : 0x7F;
        l->plain[i] = (i % 2 ? -128.0f : 127.0f) * l->scales[i / 64];
    }
    free(l->packed);
    l->packed = aligned(rows_packed_bytes(&l->w));
    rows_pack(&l->w, 0, 1, l->packed);
    for (size_t i = 0; i < 64; i++) {
        x[i] = i % 2 ? -5.0f : 5.0f;
    }
    multiply(l, x, OPS_F32, 2, out, OPS_F32);
    check(l, x, 2, out, 1e-6);
    free(l->packed);
    free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows__give_the_sums),
        cmocka_unit_test(rows__take_inputs_in_bf16),
        cmocka_unit_test(rows__bear_extreme_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
