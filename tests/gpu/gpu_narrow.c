/* SPDX-License-Identifier: MIT */
/*
 * gpu_narrow.c [--small] -- rows and weights in 8 bits, for a GPU that learns
 * with them: what is written beside them has the bits that it has without,
 * every number is as near to its own as e4m3 can be, and products are those of
 * the numbers that the bytes stand for.
 */
#include "tests/gpu/gpu_test.h"

static struct ops *o;     /* with 8 bits */
static struct ops *plain; /* the same without */

/* What fills memory that must be written: NaNs in all types. */
static void *poisoned(size_t n_bytes)
{
    void *p = must_have(o->alloc(o, n_bytes));
    void *bytes = must_have(malloc(n_bytes));

    memset(bytes, 0xFF, n_bytes);
    o->write(o, p, bytes, n_bytes);
    free(bytes);
    return p;
}

static void *written(const void *from, size_t n_bytes)
{
    void *p = must_have(o->alloc(o, n_bytes));

    o->write(o, p, from, n_bytes);
    return p;
}

/* n random numbers in bf16; *ret_wide, owned by the caller, are the same. */
static void *random_halves(size_t n, uint64_t seed, float scale,
                           float **ret_wide)
{
    float *wide = random_floats(n, seed, scale);
    uint16_t *halves = must_have(malloc(n * sizeof *halves));
    void *p;
    size_t i;

    for (i = 0; i < n; i++) {
        halves[i] = bf16_from_f32(wide[i]);
        wide[i] = bf16_to_f32(halves[i]);
    }
    p = written(halves, n * sizeof *halves);
    free(halves);
    if (ret_wide) {
        *ret_wide = wide;
    } else {
        free(wide);
    }
    return p;
}

static void *fetched(const void *from, size_t n_bytes)
{
    void *p = must_have(malloc(n_bytes));

    o->read(o, p, from, n_bytes);
    return p;
}

static float *fetched_halves(const void *from, size_t n)
{
    uint16_t *halves = fetched(from, n * sizeof *halves);
    float *wide = must_have(malloc(n * sizeof *wide));
    size_t i;

    for (i = 0; i < n; i++) {
        wide[i] = bf16_to_f32(halves[i]);
    }
    free(halves);
    return wide;
}

static void check_same(const char *what, const void *a, const void *b,
                       size_t n_bytes)
{
    void *x = fetched(a, n_bytes);
    void *y = fetched(b, n_bytes);

    check(memcmp(x, y, n_bytes) == 0, what);
    free(x);
    free(y);
}

/* A byte of e4m3. */
static float e4m3(uint8_t byte)
{
    int exponent = byte >> 3 & 15;
    float fraction = (float)(byte & 7) / 8.0f;
    float value =
        exponent ? ldexpf(1.0f + fraction, exponent - 7) : ldexpf(fraction, -6);

    if ((byte & 0x7F) == 0x7F) {
        return NAN;
    }
    return byte & 0x80 ? -value : value;
}

/* Room for rows [n,k] of 8 bits. */
static struct ops_narrow room(size_t n, size_t k)
{
    return (struct ops_narrow){.values = poisoned(n * k),
                               .scales = poisoned(n * sizeof(float))};
}

static void drop(struct ops_narrow *r)
{
    o->free(o, r->values);
    o->free(o, r->scales);
}

/* What rows stand for [n,k]. */
static float *widened(const struct ops_narrow *r, size_t n, size_t k)
{
    uint8_t *bytes = fetched(r->values, n * k);
    float *scales = fetched(r->scales, n * sizeof *scales);
    float *wide = must_have(malloc(n * k * sizeof *wide));
    size_t i;

    for (i = 0; i < n * k; i++) {
        wide[i] = e4m3(bytes[i]) * scales[r->is_even ? 0 : i / k];
    }
    free(bytes);
    free(scales);
    return wide;
}

/* Half a step of e4m3 at most, and what `want` lost by being bf16. */
static void check_narrow(const char *what, const struct ops_narrow *r,
                         const float *want, size_t n, size_t k)
{
    float *got = widened(r, n, k);
    float *scales = fetched(r->scales, n * sizeof *scales);
    size_t n_wrong = 0;
    char text[128];
    size_t i;

    for (i = 0; i < n * k; i++) {
        float scale = scales[r->is_even ? 0 : i / k];
        float most = fabsf(want[i]) * (1.0f / 16 + 1.0f / 128) + scale / 1000;

        n_wrong += !(fabsf(got[i] - want[i]) <= most);
    }
    snprintf(text, sizeof text, "%s: %zu of %zu numbers are too far", what,
             n_wrong, n * k);
    check(n_wrong == 0, text);
    check_near(what, got, want, n * k, 4e-2);
    free(got);
    free(scales);
}

/* ---- matrices and their products ------------------------------------------
 */

static struct ops_narrow_matrix make_matrix(size_t n_out, size_t n_in,
                                            const void *values)
{
    const struct ops_matrix w = {
        .n_out = n_out, .n_in = n_in, .type = OPS_BF16, .values = values};
    size_t most = n_out > n_in ? n_out : n_in;
    struct ops_narrow_matrix m = {.n_out = n_out,
                                  .n_in = n_in,
                                  .values = poisoned(n_out * n_in),
                                  .turned = poisoned(n_out * n_in),
                                  .scales = poisoned(most * sizeof(float))};

    o->narrow_matrix(o, &w, &m);
    return m;
}

static void drop_matrix(struct ops_narrow_matrix *m)
{
    o->free(o, m->values);
    o->free(o, m->turned);
    o->free(o, m->scales);
}

static void check_matrix(const struct ops_narrow_matrix *m, const float *wide)
{
    size_t n_out = m->n_out;
    size_t n_in = m->n_in;
    size_t most = n_out > n_in ? n_out : n_in;
    const struct ops_narrow rows = {
        .values = m->values, .scales = m->scales, .is_even = true};
    uint8_t *bytes = fetched(m->values, n_out * n_in);
    uint8_t *turned = fetched(m->turned, n_out * n_in);
    float *scales = fetched(m->scales, most * sizeof *scales);
    size_t n_wrong = 0;
    size_t i;

    check_narrow("narrow_matrix", &rows, wide, n_out, n_in);
    for (i = 0; i < n_out * n_in; i++) {
        n_wrong += bytes[i] != turned[i % n_in * n_out + i / n_in];
    }
    check(n_wrong == 0, "narrow_matrix: the transpose");
    for (i = 0; i < most; i++) {
        n_wrong += !(scales[i] == scales[0]);
    }
    check(n_wrong == 0, "narrow_matrix: scales are alike");
    free(bytes);
    free(turned);
    free(scales);
}

/* y [n,n_out] = x [n,n_in] w' [n_in,n_out], w' as `step_in`, `step_out` go
 * through w; in double. */
static float *multiplied(const float *x, size_t n, size_t n_in, const float *w,
                         size_t n_out, size_t step_in, size_t step_out)
{
    float *y = must_have(malloc(n * n_out * sizeof *y));
    size_t i;
    size_t k;
    size_t c;

    for (i = 0; i < n; i++) {
        for (c = 0; c < n_out; c++) {
            double sum = 0;

            for (k = 0; k < n_in; k++) {
                sum += (double)x[i * n_in + k] *
                       (double)w[k * step_in + c * step_out];
            }
            y[i * n_out + c] = (float)sum;
        }
    }
    return y;
}

/* Rows that are written by a gate, whose values are those of `values`. */
static struct ops_narrow rows_of(size_t n, size_t k, bool is_even)
{
    struct ops_narrow r = room(n, k);
    void *gate_up = random_halves(n * 2 * k, 11, 3, NULL);
    void *out = poisoned(n * k * 2);
    float *ones = must_have(malloc(k * sizeof *ones));
    void *weight;
    size_t i;

    for (i = 0; i < k; i++) {
        ones[i] = 1;
    }
    weight = written(ones, k * sizeof *ones);
    if (is_even) {
        void *scales = poisoned(n * sizeof(float));

        o->narrow_norm(o, gate_up, n, k, weight, 1e-5f, out, scales, &r);
        o->free(o, scales);
    } else {
        o->narrow_swiglu(o, gate_up, n, k, out, &r);
    }
    check(r.is_even == is_even, "rows say what their scales are");
    o->free(o, gate_up);
    o->free(o, out);
    o->free(o, weight);
    free(ones);
    return r;
}

static void test_products(size_t n, size_t n_in, size_t n_out, bool is_even)
{
    float *w = NULL;
    float *base = NULL;
    void *values = random_halves(n_out * n_in, 5, 0.1f, &w);
    void *on_base = random_halves(n * n_out, 6, 4, &base);
    void *y = poisoned(n * n_out * 2);
    struct ops_narrow_matrix m = make_matrix(n_out, n_in, values);
    const struct ops_narrow wide_m = {
        .values = m.values, .scales = m.scales, .is_even = true};
    struct ops_narrow x = rows_of(n, n_in, is_even);
    struct ops_narrow dy = rows_of(n, n_out, false);
    float *wide_x = widened(&x, n, n_in);
    float *wide_dy = widened(&dy, n, n_out);
    float *wide_w = widened(&wide_m, n_out, n_in);
    float *want = multiplied(wide_x, n, n_in, wide_w, n_out, 1, n_in);
    float *back = multiplied(wide_dy, n, n_out, wide_w, n_in, n_in, 1);
    float *got;
    char what[96];
    size_t i;

    check_matrix(&m, w);
    o->narrow_linear(o, &x, n, &m, NULL, y);
    got = fetched_halves(y, n * n_out);
    snprintf(what, sizeof what, "narrow_linear %zu x %zu to %zu, %s", n, n_in,
             n_out, is_even ? "one scale" : "rows");
    check_near(what, got, want, n * n_out, 4e-3);
    free(got);
    o->narrow_linear(o, &x, n, &m, on_base, y);
    for (i = 0; i < n * n_out; i++) {
        want[i] += base[i];
    }
    got = fetched_halves(y, n * n_out);
    check_near("narrow_linear, added", got, want, n * n_out, 4e-3);
    free(got);
    o->free(o, y);
    y = poisoned(n * n_in * 2);
    o->narrow_linear_dx(o, &dy, n, &m, y);
    got = fetched_halves(y, n * n_in);
    check_near("narrow_linear_dx", got, back, n * n_in, 4e-3);
    free(got);
    free(w), free(base), free(wide_x), free(wide_dy), free(wide_w);
    free(want), free(back);
    o->free(o, values), o->free(o, on_base), o->free(o, y);
    drop(&x), drop(&dy), drop_matrix(&m);
}

/* ---- norms and gates ------------------------------------------------------
 */

static void test_norm(size_t n, size_t c)
{
    void *x = random_halves(n * c, 1, 2, NULL);
    void *dout = random_halves(n * c, 2, 1e-4f, NULL);
    void *dx = random_halves(n * c, 3, 1e-4f, NULL);
    void *dx_plain = random_halves(n * c, 3, 1e-4f, NULL);
    float *w = random_floats(c, 4, 1.5f);
    void *weight = written(w, c * sizeof *w);
    void *dw = written(w, c * sizeof *w);
    void *dw_plain = written(w, c * sizeof *w);
    void *out = poisoned(n * c * 2);
    void *out_plain = poisoned(n * c * 2);
    void *scales = poisoned(n * sizeof(float));
    void *scales_plain = poisoned(n * sizeof(float));
    struct ops_narrow r = room(n, c);
    float *want;

    o->narrow_norm(o, x, n, c, weight, 1e-5f, out, scales, &r);
    plain->stream_norm(plain, x, n, c, weight, 1e-5f, out_plain, scales_plain);
    check(plain->check(plain, NULL) == CWM_OK, "stream_norm");
    check_same("narrow_norm: the same in bf16", out, out_plain, n * c * 2);
    check_same("narrow_norm: the same scales", scales, scales_plain, n * 4);
    want = fetched_halves(out, n * c);
    check(r.is_even, "narrow_norm: one scale");
    check_narrow("narrow_norm", &r, want, n, c);
    free(want);
    o->narrow_norm_back(o, dout, x, scales, n, c, weight, dx, dw, &r);
    plain->stream_norm_back(plain, dout, x, scales, n, c, weight, dx_plain,
                            dw_plain);
    check(plain->check(plain, NULL) == CWM_OK, "stream_norm_back");
    check_same("narrow_norm_back: the same in bf16", dx, dx_plain, n * c * 2);
    check_same("narrow_norm_back: the same of weights", dw, dw_plain, c * 4);
    want = fetched_halves(dx, n * c);
    check_narrow("narrow_norm_back", &r, want, n, c);
    free(want);
    free(w);
    o->free(o, x), o->free(o, dout), o->free(o, dx), o->free(o, dx_plain);
    o->free(o, weight), o->free(o, dw), o->free(o, dw_plain);
    o->free(o, out), o->free(o, out_plain);
    o->free(o, scales), o->free(o, scales_plain);
    drop(&r);
}

static void test_gates(size_t n, size_t f)
{
    void *gate_up = random_halves(n * 2 * f, 1, 4, NULL);
    void *dout = random_halves(n * f, 2, 1e-5f, NULL);
    void *out = poisoned(n * f * 2);
    void *out_plain = poisoned(n * f * 2);
    void *back = poisoned(n * 2 * f * 2);
    void *back_plain = poisoned(n * 2 * f * 2);
    struct ops_narrow r = room(n, f);
    struct ops_narrow r_back = room(n, 2 * f);
    float *want;

    o->narrow_swiglu(o, gate_up, n, f, out, &r);
    plain->swiglu(plain, gate_up, n, f, out_plain);
    check(plain->check(plain, NULL) == CWM_OK, "swiglu");
    check_same("narrow_swiglu: the same in bf16", out, out_plain, n * f * 2);
    want = fetched_halves(out, n * f);
    check_narrow("narrow_swiglu", &r, want, n, f);
    free(want);
    o->narrow_swiglu_back(o, dout, gate_up, n, f, back, &r_back);
    plain->swiglu_back(plain, dout, gate_up, n, f, back_plain);
    check(plain->check(plain, NULL) == CWM_OK, "swiglu_back");
    check_same("narrow_swiglu_back: the same in bf16", back, back_plain,
               n * 2 * f * 2);
    want = fetched_halves(back, n * 2 * f);
    check_narrow("narrow_swiglu_back", &r_back, want, n, 2 * f);
    free(want);
    o->free(o, gate_up), o->free(o, dout), o->free(o, out);
    o->free(o, out_plain), o->free(o, back), o->free(o, back_plain);
    drop(&r), drop(&r_back);
}

/* A row of nothing stays nothing; one with a number that is none does not
 * become numbers, and its neighbours are as they were. */
static void test_odd_rows(void)
{
    enum { N = 3, F = 512 };
    static uint16_t halves[N][2][F];
    static const uint16_t not_a_number = 0x7FC0;
    void *gate_up;
    void *out = poisoned(N * F * 2);
    struct ops_narrow r = room(N, F);
    float *wide;
    size_t i;

    for (i = 0; i < F; i++) {
        halves[1][0][i] = bf16_from_f32(1.0f);
        halves[1][1][i] = bf16_from_f32((float)i - 100.0f);
        halves[2][0][i] = bf16_from_f32(1.0f);
        halves[2][1][i] = bf16_from_f32(1.0f);
    }
    halves[2][1][77] = not_a_number;
    gate_up = written(halves, sizeof halves);
    o->narrow_swiglu(o, gate_up, N, F, out, &r);
    wide = widened(&r, N, F);
    check(wide[0] == 0 && wide[F - 1] == 0, "a row of zeros");
    check(fabsf(wide[F] + 73.1f) < 4 && fabsf(wide[2 * F - 1] - 300) < 15,
          "a row between odd ones");
    check(isnan(wide[2 * F + 77]), "no number stays none");
    free(wide);
    o->free(o, gate_up), o->free(o, out);
    drop(&r);
}

int main(int argc, char **argv)
{
    bool is_small = argc > 1 && strcmp(argv[1], "--small") == 0;
    struct cwm_err err;

    o = gpu_ops_narrow(true);
    plain = gpu_ops(OPS_BF16, true);
    test_norm(65, 256);
    test_gates(33, 64);
    test_gates(9, 1408);
    test_odd_rows();
    test_products(48, 256, 80, true);
    test_products(33, 64, 144, false);
    if (!is_small) {
        test_norm(5000, 512);
        test_norm(600, 768);
        test_norm(600, 1024);
        test_gates(500, 2816);
        test_products(256, 512, 2816, true);
        test_products(256, 2816, 512, false);
    }
    must(o->check(o, &err), &err);
    ops_free(o);
    ops_free(plain);
    return test_result();
}
