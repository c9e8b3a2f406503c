/* SPDX-License-Identifier: MIT */
/* fault_model.c -- loading a model and generating while memory is short. */
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
#include "cwm/model/generator.h"
#include "cwm/model/transformer_files.h"
#include "tests/fault/fault.h"

enum { V = 7, N_NEW = 3 };

static char folder[] = "/tmp/cwm-fault-model-XXXXXX";
static char config_path[64], weights_path[64];

static const struct model_config config = {
    .n_layers = 2,
    .d_model = 8,
    .n_heads = 2,
    .n_kv_heads = 1,
    .d_head = 4,
    .d_ffn = 12,
    .vocab_size = V,
    .max_positions = 64,
    .window = 4,
    .is_sliding = {true, false},
    .rms_eps = 1e-5,
    .rope_theta = 10000,
};

static enum cwm_rc load(void *ctx, struct cwm_err *err)
{
    struct model *m = NULL;
    enum cwm_rc rc = model_load(folder, &m, err);

    (void)ctx;
    model_free(m);
    return rc;
}

static enum cwm_rc describe(void *ctx, struct cwm_err *err)
{
    struct model_config c;

    (void)ctx;
    return model_describe(folder, &c, err);
}

static enum cwm_rc count(void *ctx, const struct generate_token *token,
                         struct cwm_err *err)
{
    (void)token;
    (void)err;
    ++*(int *)ctx;
    return CWM_OK;
}

static enum cwm_rc generate(void *ctx, struct cwm_err *err)
{
    static const uint32_t prompt[] = {1, 2, 3, 4, 5, 6};
    const struct generator_options sizes = {2, 1, 6, N_NEW};
    const struct generate_request request = {
        .prompt = prompt, .n_prompt = 6, .n_samples = 2};
    const struct generate_options options = {
        .sample = {.temperature = 1, .top_p = 0.9}, .max_new = N_NEW};
    struct decoder_options needs = {.weights = OPS_F32};
    struct generator *g = NULL; /* owned */
    struct decoder *d = NULL;   /* owned */
    struct ops *o = NULL;       /* owned */
    int n_tokens = 0;
    enum cwm_rc rc = ops_cpu_new(OPS_F32, 1, &o, err);

    generator_decoder_needs(&sizes, &needs);
    if (rc == CWM_OK) {
        rc = decoder_new(o, ctx, &needs, &d, err);
    }
    if (rc == CWM_OK) {
        rc = generator_new(d, &sizes, &g, err);
    }
    if (rc == CWM_OK) {
        rc = generator_run(g, &request, 1, &options, count, &n_tokens, err);
    }
    if (rc == CWM_OK && n_tokens != 2 * N_NEW) {
        rc = CWM_FAIL(err, CWM_FORMAT, "%d tokens came", n_tokens);
    }
    generator_free(g);
    decoder_free(d);
    ops_free(o);
    return rc;
}

static void model__loads_or_says_that_memory_is_short(void **state)
{
    (void)state;
    assert_true(fault_each_allocation("model_load", load, NULL) > 20);
    assert_true(fault_each_allocation("model_describe", describe, NULL) > 5);
}

static void model__generates_or_says_that_memory_is_short(void **state)
{
    struct model *m = NULL;

    (void)state;
    assert_int_equal(model_load(folder, &m, NULL), CWM_OK);
    assert_true(fault_each_allocation("generate", generate, m) > 20);
    model_free(m);
}

static int make(void **state)
{
    struct transformer *t = NULL;
    struct ops *o = NULL;
    struct cwm_buf json;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(config_path, sizeof config_path, "%s/config.json", folder);
    snprintf(weights_path, sizeof weights_path, "%s/model.safetensors", folder);
    cwm_buf_init(&json, 1 << 16);
    config_write(&config, TENSOR_BF16, &json);
    assert_int_equal(io_replace_file(config_path, json.data, json.len, NULL),
                     CWM_OK);
    cwm_buf_release(&json);
    assert_int_equal(ops_ref_new(OPS_F32, &o, NULL), CWM_OK);
    assert_int_equal(transformer_new(o, &config, 8, &t, NULL), CWM_OK);
    assert_int_equal(transformer_init(t, 1, NULL), CWM_OK);
    assert_int_equal(
        transformer_write(t, t->weights, TENSOR_BF16, weights_path, NULL),
        CWM_OK);
    transformer_free(t);
    ops_free(o);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    unlink(config_path);
    unlink(weights_path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model__loads_or_says_that_memory_is_short),
        cmocka_unit_test(model__generates_or_says_that_memory_is_short),
    };

    return cmocka_run_group_tests(tests, make, drop);
}
