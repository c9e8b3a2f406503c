/* SPDX-License-Identifier: MIT */
/* test_config.c -- today's and older config.json, and what is refused. */
#include "cwm/model/config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SIZES                                                                  \
    "\"num_hidden_layers\":5,\"hidden_size\":64,\"intermediate_size\":160,"    \
    "\"num_attention_heads\":4,\"vocab_size\":384,"                            \
    "\"max_position_embeddings\":512"

static struct model_config parse(const char *json)
{
    struct model_config c;
    struct cwm_err err;

    if (config_parse(json, strlen(json), &c, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return c;
}

static void refuse(const char *json, const char *want)
{
    struct model_config c;
    struct cwm_err err = {.message = "nothing"};

    assert_int_equal(config_parse(json, strlen(json), &c, &err), CWM_FORMAT);
    assert_non_null(strstr(err.message, want));
}

static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fabs(b);
}

static void config__reads_what_transformers_writes(void **state)
{
    struct model_config c = parse(
        "{\"model_type\":\"cwm\"," SIZES ",\"num_key_value_heads\":2,"
        "\"head_dim\":16,\"eos_token_id\":[128001,128008],\"rms_norm_eps\":1e-05,\"sliding_window\":24,"
        "\"layer_types\":[\"full_attention\",\"sliding_attention\","
        "\"sliding_attention\",\"sliding_attention\",\"full_attention\"],"
        "\"mlp_bias\":false,\"hidden_act\":\"silu\",\"rope_parameters\":{"
        "\"rope_theta\":1000000.0,\"rope_type\":\"llama3\",\"factor\":16.0,"
        "\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
        "\"original_max_position_embeddings\":8192}}");

    (void)state;
    assert_int_equal(c.n_layers, 5);
    assert_int_equal(c.d_model, 64);
    assert_int_equal(c.n_heads, 4);
    assert_int_equal(c.n_kv_heads, 2);
    assert_int_equal(c.d_head, 16);
    assert_int_equal(c.d_ffn, 160);
    assert_int_equal(c.vocab_size, 384);
    assert_int_equal(c.max_positions, 512);
    assert_int_equal(c.window, 24);
    assert_int_equal(c.n_stops, 2);
    assert_int_equal(c.stops[1], 128008);
    assert_false(c.is_sliding[0] || c.is_sliding[4] || c.is_tied);
    assert_true(c.is_sliding[1] && c.is_sliding[2] && c.is_sliding[3]);
    assert_true(is_near(c.rms_eps, 1e-5) && is_near(c.rope_theta, 1e6));
    assert_true(c.scaling.on && is_near(c.scaling.factor, 16));
    assert_true(is_near(c.scaling.low, 1) && is_near(c.scaling.high, 4));
    assert_true(is_near(c.scaling.n_original, 8192));
}

static void config__reads_the_older_form(void **state)
{
    struct model_config c = parse(
        "{\"model_type\":\"llama\"," SIZES ",\"rope_theta\":500000,"
        "\"tie_word_embeddings\":true,\"eos_token_id\":2,\"rope_scaling\":{\"type\":\"llama3\","
        "\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
        "\"original_max_position_embeddings\":4096}}");

    (void)state;
    assert_int_equal(c.n_kv_heads, 4);
    assert_int_equal(c.d_head, 16);
    assert_true(is_near(c.rope_theta, 5e5));
    assert_true(c.scaling.on && is_near(c.scaling.factor, 8));
    assert_true(c.is_tied && !c.is_sliding[1]);
    assert_true(c.n_stops == 1 && c.stops[0] == 2);
}

static void config__has_the_formats_own_defaults(void **state)
{
    struct model_config c = parse("{\"model_type\":\"cwm\"," SIZES "}");

    (void)state;
    assert_true(!c.is_sliding[0] && c.is_sliding[1] && c.is_sliding[3]);
    assert_true(!c.is_sliding[4] && !c.scaling.on);
    assert_int_equal(c.window, 8192);
}

static void config__refuses_what_it_would_get_wrong(void **state)
{
    (void)state;
    refuse("", "could not read the model's config");
    refuse("[]", "it is no object");
    refuse("{}", "cannot use a model of the type ''");
    refuse("{\n\"model_type\":\"cwm\",\n\"a\":}", "line 3 breaks JSON's");
    refuse("{\"model_type\":\"cwm\",\"model_type\":\"cwm\"}",
           "repeats a member");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"rope_scaling\":"
           "{\"rope_type\":\"llama3\",\"rope_type\":\"llama3\"}}",
           "repeats a member");
    refuse("{\"model_type\":\"gpt2\"," SIZES "}", "'gpt2'");
    refuse("{\"model_type\":\"cwm\"}", "\"num_hidden_layers\" is no number");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"attention_bias\":true}",
           "\"attention_bias\" is not supported");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"hidden_act\":\"gelu\"}",
           "\"hidden_act\" must be");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"num_key_value_heads\":3}",
           "4 heads do not share 3");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"head_dim\":15}",
           "15 is no even width");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"num_key_value_heads\":0}",
           "\"num_key_value_heads\" is no number");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"layer_types\":[]}",
           "\"layer_types\" is no list of 5");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"layer_types\":[1,2,3,4,5]}",
           "layer 0 is ''");
    refuse("{\"model_type\":\"cwm\"," SIZES
           ",\"layer_types\":\"full_attention\"}",
           "\"layer_types\" is no list of 5");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"rope_scaling\":\"llama3\"}",
           "\"rope_scaling\" is no object");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"rope_parameters\":[]}",
           "\"rope_parameters\" is no object");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"sliding_window\":-1}",
           "\"sliding_window\" is no number");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"eos_token_id\":[1,-1]}",
           "\"eos_token_id\" is no id");
    refuse("{\"model_type\":\"cwm\"," SIZES ",\"rms_norm_eps\":0}",
           "\"rms_norm_eps\" is no number above 0");
    refuse("{\"model_type\":\"cwm\"," SIZES
           ",\"rope_parameters\":{\"rope_theta\":1e4,\"rope_type\":\"yarn\"}}",
           "the rotary scaling 'yarn' is not supported");
    refuse("{\"model_type\":\"cwm\"," SIZES
           ",\"rope_parameters\":{\"rope_theta\":1e4,\"rope_type\":\"llama3\","
           "\"factor\":16}}",
           "\"low_freq_factor\" is no number");
}

static void config__names_the_file(void **state)
{
    struct model_config c;
    struct cwm_err err;

    (void)state;
    assert_int_equal(config_load("/nowhere", &c, &err), CWM_IO);
    assert_string_equal(err.message, "could not open '/nowhere/config.json': "
                                     "No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config__reads_what_transformers_writes),
        cmocka_unit_test(config__reads_the_older_form),
        cmocka_unit_test(config__has_the_formats_own_defaults),
        cmocka_unit_test(config__refuses_what_it_would_get_wrong),
        cmocka_unit_test(config__names_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
