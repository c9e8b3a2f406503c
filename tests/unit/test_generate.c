/* SPDX-License-Identifier: MIT */
/* test_generate.c -- programs from numbers: same, whole, different. */
#include "datasets/generate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tracer/source.h"

#define N_PROGRAMS 3000

static void make(const struct generate_settings *settings, uint64_t seed,
                 uint64_t index, struct cwm_buf *source, struct generated *g)
{
    struct cwm_err err = {0};

    if (generate_program(settings, seed, index, source, g, &err) != CWM_OK) {
        fail_msg("program %llu: %s", (unsigned long long)index, err.message);
    }
}

/* The bytes of the first programs of a seed: a change of the generator, or a
 * machine that computes otherwise, shows here.  Change it knowingly. */
static void generate__makes_the_same_bytes_for_ever(void **state)
{
    struct generate_settings settings;
    struct generated g;
    struct cwm_buf source;
    uint64_t hash = UINT64_C(0xCBF29CE484222325);

    (void)state;
    generate_settings_default(&settings);
    generated_init(&g);
    cwm_buf_init(&source, 1 << 20);
    for (uint64_t i = 0; i < 200; i++) {
        make(&settings, 1, i, &source, &g);
        for (size_t k = 0; k < source.len; k++) {
            hash = (hash ^ (unsigned char)source.data[k]) *
                   UINT64_C(0x100000001B3);
        }
        for (size_t k = 0; k < g.texts.len; k++) {
            hash = (hash ^ (unsigned char)g.texts.data[k]) *
                   UINT64_C(0x100000001B3);
        }
    }
    if (hash != UINT64_C(0xf3d7e07985aa843d)) {
        fail_msg("the hash of 200 programs is 0x%llx",
                 (unsigned long long)hash);
    }
    generated_release(&g);
    cwm_buf_release(&source);
}

/* Any number, in any order, whatever was made before. */
static void generate__is_random_access(void **state)
{
    static const uint64_t order[] = {5, 3, 999999999999, 5, 0, 3};
    struct generate_settings settings;
    struct generated g;
    struct generated h;
    struct cwm_buf a;
    struct cwm_buf b;

    (void)state;
    generate_settings_default(&settings);
    generated_init(&g);
    cwm_buf_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        make(&settings, 9, order[i], &a, &g);
        generated_init(&h);
        cwm_buf_init(&b, 1 << 20);
        make(&settings, 9, order[i], &b, &h);
        assert_string_equal(a.data, b.data);
        assert_string_equal(g.entry, h.entry);
        assert_int_equal(g.n_args, h.n_args);
        for (size_t k = 0; k < g.n_args; k++) {
            assert_string_equal(g.args[k], h.args[k]);
        }
        generated_release(&h);
        cwm_buf_release(&b);
    }
    generated_release(&g);
    cwm_buf_release(&a);
}

/* What must hold of every one of them, run or not. */
static void check_program(const struct cwm_buf *source,
                          const struct generated *g, uint64_t index)
{
    struct source *s = NULL; /* owned */
    const struct source_error *error;
    struct cwm_err err = {0};
    int def = -1;

    if (source_new(source->data, source->len, "p", &s, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    error = source_syntax_error(s);
    if (error) {
        fail_msg("program %llu, line %u: %s\n%s", (unsigned long long)index,
                 error->line, error->message, source->data);
    }
    if (source_entry(s, g->entry, &def, &err) != CWM_OK) {
        fail_msg("program %llu: %s", (unsigned long long)index, err.message);
    }
    for (size_t i = 0; i < g->n_args; i++) {
        if (source_check_args(g->args[i], strlen(g->args[i]), &err) != CWM_OK) {
            fail_msg("program %llu: %s", (unsigned long long)index,
                     err.message);
        }
    }
    assert_int_equal(source->data[source->len - 1], '\n');
    assert_null(strchr(source->data, '\t'));
    source_free(s);
}

static void generate__programs_parse_with_their_inputs(void **state)
{
    struct generate_settings settings;
    struct generated g;
    struct cwm_buf source;
    uint32_t features = 0;
    unsigned n_raise = 0;

    (void)state;
    generate_settings_default(&settings);
    generated_init(&g);
    cwm_buf_init(&source, 1 << 20);
    for (uint64_t i = 0; i < N_PROGRAMS; i++) {
        make(&settings, 2, i, &source, &g);
        check_program(&source, &g, i);
        assert_int_equal(g.n_args, settings.n_inputs);
        features |= g.features;
        n_raise += g.raises;
    }
    /* every plan comes up, and as many raise as was asked for */
    assert_int_equal(features, (1u << GENERATE_N_FEATURES) - 1);
    assert_in_range(n_raise, N_PROGRAMS * 45 / 1000, N_PROGRAMS * 75 / 1000);
    generated_release(&g);
    cwm_buf_release(&source);
}

/* The smallest and largest settings, and one plan at a time. */
static void generate__takes_settings_at_their_ends(void **state)
{
    struct generate_settings settings;
    struct generated g;
    struct cwm_buf source;

    (void)state;
    generated_init(&g);
    cwm_buf_init(&source, 1 << 20);
    for (int i = 0; i < 2 + GENERATE_N_FEATURES; i++) {
        generate_settings_default(&settings);
        if (i == 0) {
            settings.max_phases = settings.max_depth = 1;
            settings.max_expression_depth = settings.max_params = 1;
            settings.max_items = 2;
            settings.n_inputs = 1;
            settings.max_steps = 10;
            settings.exception_permille = 1000;
        } else if (i == 1) {
            settings.min_phases = settings.max_phases = 8;
            settings.max_depth = 6;
            settings.max_expression_depth = settings.max_params = 5;
            settings.max_items = 16;
            settings.n_inputs = GENERATE_MAX_INPUTS;
            settings.max_steps = 1000000;
            settings.annotated_permille = 1000;
        } else {
            memset(settings.weights, 0, sizeof settings.weights);
            settings.weights[i - 2] = 1;
        }
        assert_int_equal(generate_settings_check(&settings, NULL), CWM_OK);
        for (uint64_t k = 0; k < 60; k++) {
            make(&settings, (uint64_t)i, k, &source, &g);
            check_program(&source, &g, k);
        }
    }
    generated_release(&g);
    cwm_buf_release(&source);
}

static void generate__refuses_settings_out_of_range(void **state)
{
    struct generate_settings settings;
    struct cwm_err err = {0};

    (void)state;
    generate_settings_default(&settings);
    settings.max_phases = 9;
    assert_int_equal(generate_settings_check(&settings, &err), CWM_USAGE);
    assert_string_equal(err.message,
                        "'max_phases' is 9, which is not between 1 and 8");
    generate_settings_default(&settings);
    memset(settings.weights, 0, sizeof settings.weights);
    assert_int_equal(generate_settings_check(&settings, &err), CWM_USAGE);
    assert_string_equal(err.message, "all weights are 0");
    settings.weights[GENERATE_DP] = 10001;
    assert_int_equal(generate_settings_check(&settings, &err), CWM_USAGE);
    assert_string_equal(err.message,
                        "the weight of 'dp' is 10001, over the limit of 10000");
}

static enum cwm_rc read_settings(const char *text,
                                 struct generate_settings *ret,
                                 struct cwm_err *err)
{
    generate_settings_default(ret);
    return generate_settings_read(text, strlen(text), ret, err);
}

static void settings__come_from_json(void **state)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"{\"max_dept\": 2}", "there is no setting 'max_dept'"},
        {"{\"weights\": {\"whale\": 2}}", "there is no plan 'whale'"},
        {"{\"max_depth\": 7}",
         "'max_depth' is 7, which is not between 1 and 6"},
        {"{\"max_depth\": 4294967298}",
         "'max_depth' is 4294967295, which is not between 1 and 6"},
        {"{\"weights\": {}}", "all weights are 0"},
        {"{\n\"max_depth\": -1}", "line 2: this is no JSON object of settings "
                                  "and whole numbers"},
        {"{\"weights\": 3}", "line 1: this is no JSON object of settings and "
                             "whole numbers"},
        {"[]", "line 1: this is no JSON object of settings and whole numbers"},
        {"{} {}",
         "line 1: this is no JSON object of settings and whole numbers"},
        {"", "line 1: this is no JSON object of settings and whole numbers"},
    };
    struct generate_settings usual;
    struct generate_settings s;
    struct cwm_err err = {0};

    (void)state;
    generate_settings_default(&usual);
    assert_int_equal(read_settings("{}", &s, &err), CWM_OK);
    assert_memory_equal(&s, &usual, sizeof s);
    assert_int_equal(
        read_settings("{\"max_depth\": 2, \"weights\": {\"while\": 5}, "
                      "\"plain\": 1}",
                      &s, &err),
        CWM_OK);
    assert_int_equal(s.max_depth, 2);
    assert_int_equal(s.plain, 1);
    assert_int_equal(s.max_items, usual.max_items);
    assert_int_equal(s.weights[GENERATE_WHILE], 5);
    assert_int_equal(s.weights[GENERATE_ACCUMULATE], 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(read_settings(bad[i].text, &s, &err), CWM_USAGE);
        assert_string_equal(err.message, bad[i].message);
        assert_memory_equal(&s, &usual, sizeof s);
    }
}

/* Nothing but numbers, truth values and lists; small ones where that is
 * asked for. */
static void generate__keeps_to_plain_programs(void **state)
{
    static const char *const never[] = {"'",     "{",    "lambda", "except",
                                        "**",    "str(", "set(",   " / ",
                                        "class", "zip(", "import", "<<"};
    struct generate_settings settings;
    struct generated g;
    struct cwm_buf source;
    bool any_list = false;

    (void)state;
    assert_int_equal(read_settings("{\"plain\": 1, \"max_number\": 20, "
                                   "\"weights\": {\"accumulate\": 4, "
                                   "\"straight\": 1, \"while\": 1, "
                                   "\"search\": 2, \"simulate\": 1}}",
                                   &settings, NULL),
                     CWM_OK);
    generated_init(&g);
    cwm_buf_init(&source, 1 << 20);
    for (uint64_t i = 0; i < 500; i++) {
        make(&settings, 3, i, &source, &g);
        check_program(&source, &g, i);
        for (size_t k = 0; k < sizeof never / sizeof *never; k++) {
            if (strstr(source.data, never[k])) {
                fail_msg("'%s' in a plain program:\n%s", never[k], source.data);
            }
        }
        for (size_t k = 0; k < g.n_args; k++) {
            const char *p = g.args[k];

            any_list = any_list || strchr(p, '[');
            if (strpbrk(p, "'{(")) {
                fail_msg("an input of a plain program: %s", p);
            }
            for (; *p; p++) {
                if (*p >= '0' && *p <= '9') {
                    char *end;

                    assert_in_range(strtol(p, &end, 10), 0, 20);
                    p = end - 1;
                }
            }
        }
    }
    assert_true(any_list);
    generated_release(&g);
    cwm_buf_release(&source);
}

static void generate__fails_where_there_is_no_room(void **state)
{
    struct generate_settings settings;
    struct generated g;
    struct cwm_buf source;
    struct cwm_err err = {0};

    (void)state;
    generate_settings_default(&settings);
    generated_init(&g);
    cwm_buf_init(&source, 40);
    assert_int_equal(generate_program(&settings, 1, 1, &source, &g, &err),
                     CWM_LIMIT);
    cwm_buf_release(&source);
    generated_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generate__makes_the_same_bytes_for_ever),
        cmocka_unit_test(generate__is_random_access),
        cmocka_unit_test(generate__programs_parse_with_their_inputs),
        cmocka_unit_test(generate__takes_settings_at_their_ends),
        cmocka_unit_test(generate__refuses_settings_out_of_range),
        cmocka_unit_test(settings__come_from_json),
        cmocka_unit_test(generate__keeps_to_plain_programs),
        cmocka_unit_test(generate__fails_where_there_is_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
