/* SPDX-License-Identifier: MIT */
/*
 * gpu_model.c [--small] [FIXTURE] -- the whole model on the GPU: gradients
 * against the CPU's, the losses of the ten first steps, a run that goes on to
 * the same bits as one that never stopped, and the logits that Hugging Face's
 * CwmForCausalLM gives for the checkpoint in the folder FIXTURE.
 */
#include "tests/gpu/gpu_test.h"

#include "cwm/base/io.h"
#include "cwm/model/transformer.h"

enum { MAX_TOKENS = 2048, MAX_FILE = 1 << 24, FIXTURE_TOKENS = 96 };

static bool is_small;

static uint32_t ids[MAX_TOKENS], targets[MAX_TOKENS], starts[MAX_TOKENS];
static uint32_t positions[MAX_TOKENS];
static float weights[MAX_TOKENS];

static struct model_config small_config(uint32_t width, uint32_t d_head)
{
    struct model_config c = {.n_layers = 3,
                             .d_model = width,
                             .n_heads = width / d_head,
                             .n_kv_heads = width / d_head / 2,
                             .d_head = d_head,
                             .d_ffn = 2 * width + 32,
                             .vocab_size = 320,
                             .max_positions = MAX_TOKENS,
                             .window = 100,
                             .rms_eps = 1e-5,
                             .rope_theta = 10000.0};

    c.is_sliding[1] = true;
    return c;
}

/* Documents of changing length; the next word follows from this one, half the
 * time. */
static struct transformer_batch make_batch(size_t n, uint32_t n_words,
                                           uint64_t seed)
{
    float *draws = random_floats(n, seed, 0.5f);
    size_t start = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        ids[i] = (uint32_t)((draws[i] + 0.5f) * (float)(n_words - 1));
        if (i > 0 && draws[i] > 0) {
            ids[i] = (ids[i - 1] * 7 + 3) % n_words;
        }
    }
    for (i = 0; i < n; i++) {
        if (i - start > 300 + start % 97) {
            start = i;
        }
        targets[i] = i + 1 < n ? ids[i + 1] : 0;
        starts[i] = (uint32_t)start;
        positions[i] = (uint32_t)(i - start);
        weights[i] = 1.0f / (float)n;
    }
    free(draws);
    return (struct transformer_batch){n,       ids,    targets,
                                      weights, starts, positions};
}

static struct transformer *make_model(struct ops *o,
                                      const struct model_config *c, size_t n)
{
    struct transformer *t = NULL;
    struct cwm_err err;

    must(transformer_new(o, c, n, &t, &err), &err);
    must(transformer_init(t, 3, &err), &err);
    return t;
}

static float *values_of(struct transformer *t, const float *vector)
{
    float *x = must_have(malloc(t->n_values * sizeof *x));

    t->o->read(t->o, x, vector, t->n_values * sizeof *x);
    return x;
}

/* What is computed in: fp32, bf16, or bf16 with products of 8 bits. */
enum kind { FP32, BF16, NARROW };

static const char *const kind_names[] = {"fp32", "bf16", "8 bits"};

static struct ops *ops_of(enum kind kind)
{
    return kind == NARROW ? gpu_ops_narrow(true)
                          : gpu_ops(kind == FP32 ? OPS_F32 : OPS_BF16, true);
}

/* ---- gradients ------------------------------------------------------------
 */

static void test_gradients(enum kind kind, uint32_t width, uint32_t d_head)
{
    /* e4m3 rounds by 2.6 % on the average, and gradients come through many
     * layers of it */
    static const double tolerances[] = {2e-5, 4e-2, 2e-1};
    size_t n = is_small ? 200 : 700;
    struct model_config c = small_config(width, d_head);
    struct transformer_batch batch = make_batch(n, c.vocab_size, 5);
    struct ops *gpu = ops_of(kind);
    struct ops *cpu = NULL;
    struct transformer *a = make_model(gpu, &c, n);
    struct transformer *b;
    struct cwm_err err;
    double got = 0;
    double want = 0;
    float *ga;
    float *gb;
    char what[96];
    size_t i;

    must(ops_cpu_new(OPS_F32, 0, &cpu, &err), &err);
    b = make_model(cpu, &c, n);
    must(transformer_learn(a, &batch, &got, &err), &err);
    must(transformer_learn(b, &batch, &want, &err), &err);
    snprintf(what, sizeof what, "%s width %u heads of %u: loss %.6f, %.6f",
             kind_names[kind], width, d_head, got, want);
    puts(what);
    check(fabs(got - want) <= (kind == FP32 ? 1e-5 : 3e-3) * want, what);
    ga = values_of(a, a->gradients);
    gb = values_of(b, b->gradients);
    for (i = 0; i < a->n_tensors; i++) {
        const struct transformer_tensor *t = &a->tensors[i];
        size_t n_here = (t->n_rows ? t->n_rows : 1) * t->n_columns;

        check_near(t->name, ga + t->offset, gb + t->offset, n_here,
                   tolerances[kind]);
    }
    free(ga);
    free(gb);
    transformer_free(a);
    transformer_free(b);
    ops_free(gpu);
    ops_free(cpu);
}

/* ---- ten steps ------------------------------------------------------------
 */

static double one_step(struct transformer *t, size_t n, uint64_t number)
{
    struct transformer_batch batch =
        make_batch(n, t->config.vocab_size, 100 + number);
    struct ops_adamw a = {.rate = 2e-3f,
                          .beta1 = 0.9f,
                          .beta2 = 0.95f,
                          .eps = 1e-8f,
                          .decay = 0.1f};
    struct cwm_err err;
    double loss = 0;
    double norm;

    transformer_forget_gradients(t);
    must(transformer_learn(t, &batch, &loss, &err), &err);
    norm = transformer_gradient_norm(t);
    a.correct1 = (float)(1.0 / (1.0 - pow(0.9, (double)number + 1)));
    a.correct2 = (float)(1.0 / (1.0 - pow(0.95, (double)number + 1)));
    a.grad_scale = norm > 1.0 ? (float)(1.0 / norm) : 1.0f;
    transformer_update(t, &a);
    must(t->o->check(t->o, &err), &err);
    return loss;
}

static void test_losses(enum kind kind)
{
    static const double tolerances[] = {1e-4, 1e-2, 2e-2};
    const double tolerance = tolerances[kind];
    size_t n = is_small ? 200 : MAX_TOKENS;
    struct model_config c = small_config(256, 64);
    struct ops *gpu = ops_of(kind);
    struct ops *cpu = NULL;
    struct transformer *a = make_model(gpu, &c, n);
    struct transformer *b;
    struct cwm_err err;
    uint64_t i;

    must(ops_cpu_new(kind == FP32 ? OPS_F32 : OPS_BF16, 0, &cpu, &err), &err);
    b = make_model(cpu, &c, n);
    for (i = 0; i < 10; i++) {
        double got = one_step(a, n, i);
        double want = one_step(b, n, i);
        char what[96];

        snprintf(what, sizeof what, "%s loss of step %d: GPU %.6f, CPU %.6f",
                 kind_names[kind], (int)i + 1, got, want);
        puts(what);
        check(fabs(got - want) <= tolerance * want, what);
    }
    transformer_free(a);
    transformer_free(b);
    ops_free(gpu);
    ops_free(cpu);
}

/* ---- going on -------------------------------------------------------------
 */

static void copy_vector(struct transformer *from, const float *a,
                        struct transformer *to, float *b)
{
    float *x = values_of(from, a);

    to->o->write(to->o, b, x, from->n_values * sizeof *x);
    free(x);
}

static void test_resume(enum kind kind)
{
    size_t n = is_small ? 200 : MAX_TOKENS;
    struct model_config c = small_config(256, 64);
    struct ops *o = ops_of(kind);
    struct ops *other = ops_of(kind);
    struct transformer *whole = make_model(o, &c, n);
    struct transformer *first = make_model(o, &c, n);
    struct transformer *second = make_model(other, &c, n);
    float *a;
    float *b;
    char what[96];
    uint64_t i;

    snprintf(what, sizeof what, "%s: a run that goes on has the same bits",
             kind_names[kind]);
    for (i = 0; i < 6; i++) {
        one_step(whole, n, i);
    }
    for (i = 0; i < 3; i++) {
        one_step(first, n, i);
    }
    copy_vector(first, first->weights, second, second->weights);
    copy_vector(first, first->moments1, second, second->moments1);
    copy_vector(first, first->moments2, second, second->moments2);
    transformer_changed(second);
    for (i = 3; i < 6; i++) {
        one_step(second, n, i);
    }
    a = values_of(whole, whole->weights);
    b = values_of(second, second->weights);
    check(memcmp(a, b, whole->n_values * sizeof *a) == 0, what);
    free(a);
    free(b);
    transformer_free(whole);
    transformer_free(first);
    transformer_free(second);
    ops_free(o);
    ops_free(other);
}

/* Layers that products of 8 bits do not fit are refused, and said to be. */
static void test_too_narrow(void)
{
    struct model_config c = small_config(128, 64);
    struct ops *o = gpu_ops_narrow(true);
    struct transformer *t = NULL;
    struct cwm_err err = {.code = CWM_OK};

    check(transformer_new(o, &c, 64, &t, &err) == CWM_USAGE &&
              strstr(err.message, "width of 128") != NULL,
          "a width that 8 bits do not fit is refused");
    transformer_free(t);
    ops_free(o);
}

/* ---- the fixture ----------------------------------------------------------
 */

static struct cwm_buf read_file(const char *folder, const char *name)
{
    char path[4096];
    struct cwm_buf b;
    struct cwm_err err;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    cwm_buf_init(&b, MAX_FILE);
    must(io_read_file(path, &b, &err), &err);
    cwm_buf_addc(&b, '\0');
    return b;
}

static void test_fixture(const char *folder, enum ops_type type)
{
    struct cwm_buf json = read_file(folder, "expected.json");
    struct cwm_buf want = read_file(folder, "expected_logits.f32");
    struct ops *o = gpu_ops(type, true);
    struct transformer *t = NULL;
    struct model_config c;
    struct cwm_err err;
    char *at = strstr((char *)json.data, "\"input_ids\"");
    size_t n_values;
    float *got;
    size_t s;

    must(config_load(folder, &c, &err), &err);
    must(transformer_new(o, &c, FIXTURE_TOKENS, &t, &err), &err);
    must(transformer_load(t, folder, &err), &err);
    n_values = FIXTURE_TOKENS * (size_t)c.vocab_size;
    got = must_have(malloc(n_values * sizeof *got));
    check(at != NULL, "expected.json has input_ids");
    for (s = 0; at && (s + 1) * n_values * 4 < want.len; s++) {
        struct transformer_batch batch = {FIXTURE_TOKENS, ids,    NULL,
                                          NULL,           starts, positions};
        float *logits = must_have(malloc(n_values * sizeof *logits));
        size_t i;

        for (i = 0; i < FIXTURE_TOKENS; i++) {
            at += strcspn(at, "0123456789");
            ids[i] = (uint32_t)strtoul(at, &at, 10);
            starts[i] = 0;
            positions[i] = (uint32_t)i;
        }
        memcpy(logits, want.data + s * n_values * 4, n_values * 4);
        must(transformer_logits(t, &batch, got, &err), &err);
        check_near(type == OPS_F32 ? "fp32 logits of the fixture"
                                   : "bf16 logits of the fixture",
                   got, logits, n_values, type == OPS_F32 ? 1e-5 : 2e-2);
        free(logits);
    }
    free(got);
    transformer_free(t);
    ops_free(o);
    cwm_buf_release(&json);
    cwm_buf_release(&want);
}

int main(int argc, char **argv)
{
    const char *fixture = NULL;
    int i;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--small") == 0) {
            is_small = true;
        } else {
            fixture = argv[i];
        }
    }
    test_gradients(FP32, 128, 64);
    test_gradients(FP32, 96, 24);
    test_gradients(BF16, 256, 64);
    test_gradients(BF16, 128, 32);
    test_gradients(NARROW, 256, 64);
    if (!is_small) {
        test_gradients(NARROW, 512, 64);
        test_losses(FP32);
        test_losses(BF16);
        test_losses(NARROW);
    }
    test_resume(FP32);
    test_resume(BF16);
    test_resume(NARROW);
    test_too_narrow();
    if (fixture) {
        test_fixture(fixture, OPS_F32);
        test_fixture(fixture, OPS_BF16);
    }
    return test_result();
}
