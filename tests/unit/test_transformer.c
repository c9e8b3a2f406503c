/* SPDX-License-Identifier: MIT */
/*
 * test_transformer.c -- the whole model: gradients against finite differences,
 * the CPU's table against the reference, batches against sequences alone,
 * memory as computed, weights written and read.
 */
#include "cwm/model/transformer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/io.h"
#include "cwm/model/config_write.h"
#include "cwm/model/transformer_files.h"

enum { N = 14, V = 13 };

static const uint32_t ids[N] = {1, 5, 2, 7, 7, 0, 3, 12, 4, 4, 9, 1, 6, 8};
static const uint32_t targets[N] = {5, 2, 7, 7, 0, 3, 12, 4, 4, 9, 1, 6, 8, 2};
static const float weights[N] = {1, 1, 1, 0.5f, 1, 0, 1, 1, 2, 1, 1, 1, 1, 1};
static const uint32_t alone[N] = {0};
static const uint32_t in_row[N] = {0, 1, 2, 3,  4,  5,  6,
                                   7, 8, 9, 10, 11, 12, 13};
/* Three documents, then padding. */
static const uint32_t packed[N] = {0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 5, 5, 12, 13};
static const uint32_t in_document[N] = {0, 1, 2, 3, 4, 0, 1,
                                        2, 3, 4, 5, 6, 0, 0};

static const struct transformer_batch one_document = {N,       ids,   targets,
                                                      weights, alone, in_row};
static const struct transformer_batch documents = {
    N, ids, targets, weights, packed, in_document};

static struct model_config small_config(bool is_tied, uint32_t window)
{
    struct model_config c = {.n_layers = 2,
                             .d_model = 16,
                             .n_heads = 2,
                             .n_kv_heads = 1,
                             .d_head = 8,
                             .d_ffn = 12,
                             .vocab_size = V,
                             .max_positions = 64,
                             .window = window,
                             .is_tied = is_tied,
                             .rms_eps = 1e-5,
                             .rope_theta = 100.0};

    c.is_sliding[1] = window > 0;
    return c;
}

/* With weights large enough that everything matters. */
static struct transformer *new_one(struct ops *o, const struct model_config *c,
                                   size_t n_tokens)
{
    struct transformer *t = NULL;
    struct cwm_err err;
    size_t i;

    if (transformer_new(o, c, n_tokens, &t, &err) != CWM_OK ||
        transformer_init(t, 7, &err) != CWM_OK) {
        fail_msg("%s", err.message);
        abort();
    }
    for (i = 0; i < t->n_values; i++) {
        t->weights[i] *= t->weights[i] == 1.0f ? 1.1f : 15.0f;
    }
    transformer_changed(t);
    return t;
}

static struct ops *new_ops(bool is_plain, enum ops_type type)
{
    struct ops *o = NULL;

    assert_int_equal(is_plain ? ops_ref_new(type, &o, NULL)
                              : ops_cpu_new(type, 2, &o, NULL),
                     CWM_OK);
    return o;
}

static double loss_of(struct transformer *t, const struct transformer_batch *b)
{
    double loss = 0;

    assert_int_equal(transformer_forward(t, b, &loss, NULL), CWM_OK);
    return loss;
}

/* ---- gradients ------------------------------------------------------------
 */

static void check_gradient(const char *name, struct transformer *t,
                           const struct transformer_batch *batch,
                           const struct transformer_tensor *tensor, size_t k)
{
    const float step = 5e-3f;
    float *w = &t->weights[tensor->offset + k];
    double got = (double)t->gradients[tensor->offset + k];
    float kept = *w;
    double above;
    double below;
    double want;

    *w = kept + step;
    above = loss_of(t, batch);
    *w = kept - step;
    below = loss_of(t, batch);
    *w = kept;
    want = (above - below) / (2.0 * (double)step);
    if (!(fabs(got - want) <= 3e-3 * fmax(1.0, fabs(want)))) {
        fail_msg("%s: %s[%zu]: gradient %g, differences %g", name, tensor->name,
                 k, got, want);
    }
}

static void check_gradients(const char *name, const struct model_config *c,
                            const struct transformer_batch *batch)
{
    struct ops *o = new_ops(true, OPS_F32);
    struct transformer *t = new_one(o, c, N);
    double loss = 0;
    size_t i;
    size_t k;

    assert_int_equal(transformer_learn(t, batch, &loss, NULL), CWM_OK);
    if (!(fabs(loss - loss_of(t, batch)) < 1e-5 * loss)) {
        fail_msg("%s: learning says %g, judging %g", name, loss,
                 loss_of(t, batch));
    }
    for (i = 0; i < t->n_tensors; i++) {
        const struct transformer_tensor *tensor = &t->tensors[i];
        size_t n = (tensor->n_rows ? tensor->n_rows : 1) * tensor->n_columns;

        for (k = i % 3; k < n; k += 7) {
            check_gradient(name, t, batch, tensor, k);
        }
    }
    transformer_free(t);
    ops_free(o);
}

static void transformer__has_its_gradients(void **state)
{
    struct model_config c;

    (void)state;
    c = small_config(false, 0);
    check_gradients("untied, one document", &c, &one_document);
    c = small_config(true, 0);
    check_gradients("tied, documents", &c, &documents);
    c = small_config(false, 3);
    check_gradients("sliding, documents", &c, &documents);
    c = small_config(true, 4);
    c.n_kv_heads = 2;
    check_gradients("tied, sliding, one document", &c, &one_document);
}

/* ---- the CPU's table ------------------------------------------------------
 */

/* Relative to the longest: the distance of the gradients as vectors. */
static void check_cpu(enum ops_type type, double tolerance)
{
    struct model_config c = small_config(true, 5);
    struct ops *plain = new_ops(true, OPS_F32);
    struct ops *fast = new_ops(false, type);
    struct transformer *want = new_one(plain, &c, N);
    struct transformer *got = new_one(fast, &c, N);
    double losses[2] = {0};
    double apart = 0;
    double length = 0;
    size_t i;

    assert_int_equal(transformer_learn(want, &documents, &losses[0], NULL),
                     CWM_OK);
    assert_int_equal(transformer_learn(got, &documents, &losses[1], NULL),
                     CWM_OK);
    for (i = 0; i < want->n_values; i++) {
        double a = (double)want->gradients[i];
        double b = (double)got->gradients[i];

        apart += (a - b) * (a - b);
        length += a * a;
    }
    print_message("%s: loss %.6f, reference %.6f; gradients %.2e apart\n",
                  type == OPS_F32 ? "fp32" : "bf16", losses[1], losses[0],
                  sqrt(apart / length));
    assert_true(fabs(losses[0] - losses[1]) <= tolerance * losses[0]);
    assert_true(sqrt(apart / length) <= tolerance);
    transformer_free(want);
    transformer_free(got);
    ops_free(plain);
    ops_free(fast);
}

static void transformer__learns_the_same_on_the_cpus_table(void **state)
{
    (void)state;
    check_cpu(OPS_F32, 1e-5);
    check_cpu(OPS_BF16, 3e-2);
}

/* ---- batches --------------------------------------------------------------
 */

/* Documents packed into a batch have the logits that they have alone. */
static void transformer__keeps_documents_apart(void **state)
{
    struct model_config c = small_config(false, 3);
    struct ops *o = new_ops(false, OPS_F32);
    struct transformer *t = new_one(o, &c, N);
    struct transformer_batch second = {7, ids + 5, NULL, NULL, alone, in_row};
    float all[N * V];
    float part[7 * V];
    size_t i;

    (void)state;
    assert_int_equal(transformer_logits(t, &documents, all, NULL), CWM_OK);
    assert_int_equal(transformer_logits(t, &second, part, NULL), CWM_OK);
    for (i = 0; i < 7 * V; i++) {
        if (!(fabsf(all[5 * V + i] - part[i]) < 1e-5f)) {
            fail_msg("logit %zu is %g in the batch, %g alone", i,
                     (double)all[5 * V + i], (double)part[i]);
        }
    }
    transformer_free(t);
    ops_free(o);
}

/* Two batches added up are one of twice the size. */
static void transformer__adds_gradients_up(void **state)
{
    static const uint32_t halves[N] = {0, 0, 0, 0, 0, 0, 0,
                                       7, 7, 7, 7, 7, 7, 7};
    static const uint32_t at[N] = {0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6};
    struct transformer_batch whole = {N, ids, targets, weights, halves, at};
    struct transformer_batch first = {7, ids, targets, weights, halves, at};
    struct transformer_batch second = {7,           ids + 7, targets + 7,
                                       weights + 7, halves,  at};
    struct model_config c = small_config(true, 0);
    struct ops *o = new_ops(false, OPS_F32);
    struct transformer *t = new_one(o, &c, N);
    float *kept = malloc(t->n_values * sizeof *kept);
    double losses[3];
    size_t i;

    (void)state;
    assert_non_null(kept);
    assert_int_equal(transformer_learn(t, &whole, &losses[0], NULL), CWM_OK);
    memcpy(kept, t->gradients, t->n_values * sizeof *kept);
    transformer_forget_gradients(t);
    assert_true(transformer_gradient_norm(t) == 0);
    assert_int_equal(transformer_learn(t, &first, &losses[1], NULL), CWM_OK);
    assert_int_equal(transformer_learn(t, &second, &losses[2], NULL), CWM_OK);
    assert_true(fabs(losses[0] - losses[1] - losses[2]) < 1e-4);
    for (i = 0; i < t->n_values; i++) {
        if (!(fabsf(kept[i] - t->gradients[i]) < 2e-4f)) {
            fail_msg("gradient %zu: %g in one, %g in two batches", i,
                     (double)kept[i], (double)t->gradients[i]);
        }
    }
    free(kept);
    transformer_free(t);
    ops_free(o);
}

static void transformer__refuses_what_it_cannot_learn_from(void **state)
{
    static const uint32_t beyond[2] = {1, V};
    static const uint32_t behind[2] = {1, 1};
    struct transformer_batch b = {2, beyond, targets, weights, alone, in_row};
    struct model_config c = small_config(true, 0);
    struct ops *o = new_ops(false, OPS_F32);
    struct transformer *t = new_one(o, &c, N);
    struct cwm_err err;
    double loss;

    (void)state;
    assert_int_equal(transformer_learn(t, &b, &loss, &err), CWM_USAGE);
    assert_string_equal(err.message, "cannot learn from token 1: its id is "
                                     "beyond the vocabulary of 13");
    b.ids = ids;
    b.starts = behind;
    assert_int_equal(transformer_learn(t, &b, &loss, &err), CWM_USAGE);
    b.n_tokens = N + 1;
    assert_int_equal(transformer_learn(t, &b, &loss, &err), CWM_USAGE);
    b.n_tokens = 0;
    assert_int_equal(transformer_learn(t, &b, &loss, &err), CWM_USAGE);
    transformer_free(t);
    ops_free(o);
}

/* ---- memory ---------------------------------------------------------------
 */

/* The formula of docs/design.md, by hand. */
static size_t formula(const struct model_config *c, size_t a, size_t n,
                      size_t n_values)
{
    size_t d_q = (size_t)c->n_heads * c->d_head;
    size_t d_qkv = d_q + 2 * (size_t)c->n_kv_heads * c->d_head;
    size_t width = c->d_model;
    size_t weights_bytes = n_values * (16 + (a == 2 ? 2u : 0u));
    size_t layer = width * (8 + 2 * a) + (d_qkv + d_q + 3 * c->d_ffn) * a +
                   4 * c->n_heads + 8;
    size_t shared = width * (8 + 3 * a + (a == 2 ? 2u : 0u)) +
                    (d_qkv + d_q + 3 * c->d_ffn) * a + 4 * c->n_heads +
                    4 * c->d_head + 28;
    size_t logits = n * c->vocab_size * (4 + (a == 2 ? 2u : 0u));

    return weights_bytes + n * (c->n_layers * layer + shared) + logits +
           2 * (size_t)c->d_head;
}

static void transformer__takes_the_memory_of_the_formula(void **state)
{
    static const enum ops_type types[] = {OPS_F32, OPS_BF16};
    struct model_config c = small_config(false, 0);
    size_t i;

    (void)state;
    c.n_layers = 3;
    c.d_ffn = 40;
    for (i = 0; i < 2; i++) {
        struct ops *o = new_ops(true, types[i]);
        struct transformer *t = new_one(o, &c, 50);
        size_t want = formula(&c, ops_type_bytes(types[i]), 50, t->n_values);

        assert_int_equal(t->n_bytes, want);
        assert_int_equal(transformer_bytes(&c, types[i], 50), want);
        /* padding of tensors is next to nothing */
        assert_true(t->n_values - transformer_n_parameters(t) <
                    64 * t->n_tensors);
        transformer_free(t);
        ops_free(o);
    }
}

/* ---- files ----------------------------------------------------------------
 */

static void transformer__reads_what_it_wrote(void **state)
{
    char folder[] = "/tmp/test_transformer.XXXXXX";
    char path[64];
    char config_path[64];
    struct model_config c = small_config(false, 3);
    struct model_config back;
    struct ops *o = new_ops(true, OPS_F32);
    struct transformer *t = new_one(o, &c, N);
    struct transformer *u = NULL;
    struct cwm_buf text;
    struct cwm_err err;

    (void)state;
    c.stops[0] = 3;
    c.n_stops = 1;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    snprintf(config_path, sizeof config_path, "%s/config.json", folder);
    cwm_buf_init(&text, 1 << 16);
    config_write(&c, TENSOR_F32, &text);
    assert_int_equal(io_replace_file(config_path, text.data, text.len, NULL),
                     CWM_OK);
    assert_int_equal(transformer_write(t, t->weights, TENSOR_F32, path, NULL),
                     CWM_OK);
    assert_int_equal(config_load(folder, &back, NULL), CWM_OK);
    assert_memory_equal(&back, &c, sizeof c);
    assert_int_equal(transformer_new(o, &back, N, &u, NULL), CWM_OK);
    if (transformer_load(u, folder, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    assert_memory_equal(t->weights, u->weights,
                        t->n_values * sizeof *t->weights);
    transformer_free(u);
    /* another shape: the file does not fit */
    back.d_ffn = 16;
    assert_int_equal(transformer_new(o, &back, N, &u, NULL), CWM_OK);
    assert_int_equal(transformer_load(u, folder, &err), CWM_FORMAT);
    assert_non_null(strstr(err.message, "the config asks for 16 x 16"));
    transformer_free(u);
    /* halves */
    assert_int_equal(transformer_write(t, t->weights, TENSOR_BF16, path, NULL),
                     CWM_OK);
    assert_int_equal(transformer_new(o, &c, N, &u, NULL), CWM_OK);
    assert_int_equal(transformer_load(u, folder, NULL), CWM_OK);
    assert_true(u->weights[5] == bf16_to_f32(bf16_from_f32(t->weights[5])));
    /* not finite: nothing to go on with */
    t->weights[3] = NAN;
    assert_int_equal(transformer_write(t, t->weights, TENSOR_F32, path, NULL),
                     CWM_OK);
    assert_int_equal(transformer_load(u, folder, &err), CWM_FORMAT);
    assert_non_null(strstr(err.message, "value 3 is not finite"));
    unlink(path);
    unlink(config_path);
    rmdir(folder);
    cwm_buf_release(&text);
    transformer_free(t);
    transformer_free(u);
    ops_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transformer__has_its_gradients),
        cmocka_unit_test(transformer__learns_the_same_on_the_cpus_table),
        cmocka_unit_test(transformer__keeps_documents_apart),
        cmocka_unit_test(transformer__adds_gradients_up),
        cmocka_unit_test(transformer__refuses_what_it_cannot_learn_from),
        cmocka_unit_test(transformer__takes_the_memory_of_the_formula),
        cmocka_unit_test(transformer__reads_what_it_wrote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
