/* SPDX-License-Identifier: MIT */
/* test_json_in.c -- what is JSON, what is none, and what strings say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/base/alloc.h"
#include "cwm/base/json_in.h"

static bool is_json(const char *text, size_t len)
{
    char *exact = cwm_malloc(len); /* owned: ASan sees its end */
    struct json_in in = {.text = exact, .len = len};
    bool ok;

    memcpy(exact, text, len);
    ok = json_skip(&in) && json_peek(&in) == '\0' && in.at == len;
    cwm_free(exact);
    return ok;
}

static void skip__takes_what_is_json(void **state)
{
    static const char *const good[] = {
        "{}",
        "[]",
        "\"\"",
        "0",
        "-0",
        "10.50e-7",
        "1E+2",
        "true",
        "false",
        "null",
        " [ 1 , {\"a\" : [ ] } , \"x\\u00e9\\n\" ] ",
        "[[[[]]]]",
        "{\"a\": {\"b\": {}}, \"c\": 1}",
        "\"\\ud800\"",
        "\"\xff\"",
    };
    static const char *const bad[] = {
        "",         " ",           "{",      "[",           "}",
        "]",        "[1,]",        "[,]",    "{,}",         "{\"a\"}",
        "{\"a\":}", "{\"a\": 1,}", "{a: 1}", "[1 2]",       "01",
        "-",        "1.",          ".5",     "1e",          "+1",
        "tru",      "nul",         "NaN",    "'a'",         "\"a",
        "\"\\x\"",  "\"\\u12\"",   "\"\n\"", "[}",          "{]",
        "1 2",      "[1]]",        "\"\\",   "\"\\u00g0\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!is_json(good[i], strlen(good[i]))) {
            fail_msg("refused: %s", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (is_json(bad[i], strlen(bad[i]))) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_false(is_json("1\0", 2));
}

static void skip__has_a_greatest_depth(void **state)
{
    char text[2 * JSON_IN_MAX_DEPTH + 2];

    (void)state;
    memset(text, '[', JSON_IN_MAX_DEPTH + 1);
    memset(text + JSON_IN_MAX_DEPTH + 1, ']', JSON_IN_MAX_DEPTH + 1);
    assert_false(is_json(text, sizeof text));
    assert_true(is_json(text + 1, sizeof text - 2));
}

static void assert_string(const char *json, const char *want)
{
    struct json_in in = {.text = json, .len = strlen(json)};
    struct cwm_buf out;

    cwm_buf_init(&out, 1000);
    assert_true(json_string(&in, &out));
    assert_int_equal(out.len, strlen(want));
    if (out.len > 0) {
        assert_string_equal(out.data, want);
    }
    cwm_buf_release(&out);
}

static void string__is_decoded(void **state)
{
    (void)state;
    assert_string("\"\"", "");
    assert_string("\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\"", "a\n\t\"\\/\b\f\r");
    assert_string("\"\\u00e9\\u6f22\\ud83d\\ude00\"",
                  "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80");
    assert_string("\"\\ud83dx\"", "\xed\xa0\xbdx");
    assert_string("\"\\ude00\\ud83d\"", "\xed\xb8\x80\xed\xa0\xbd");
    assert_string("\"\\uD83D\\uDE00\"", "\xf0\x9f\x98\x80");
}

static void string__of_a_full_buffer_is_a_limit(void **state)
{
    struct json_in in = {.text = "\"abc\\n\"", .len = 7};
    struct cwm_buf out;

    (void)state;
    cwm_buf_init(&out, 3);
    assert_false(json_string(&in, &out));
    assert_int_equal(in.failed, CWM_LIMIT);
    assert_false(json_skip(&in));
    assert_int_equal(json_peek(&in), 0);
    cwm_buf_release(&out);
}

static void count__is_a_whole_number(void **state)
{
    static const char *const bad[] = {
        "-1", "1.0", "1e3", "x", "9007199254740993", "\"1\""};
    uint64_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_in in = {.text = bad[i], .len = strlen(bad[i])};

        assert_false(json_count(&in, &n));
        assert_int_equal(in.failed, CWM_FORMAT);
    }
    {
        struct json_in in = {.text = " 9007199254740992", .len = 17};

        assert_true(json_count(&in, &n));
        assert_true(n == UINT64_C(9007199254740992));
    }
}

static void members__come_one_by_one(void **state)
{
    static const char text[] = "{\"a\": null, \"b\": 7}";
    struct json_in in = {.text = text, .len = sizeof text - 1};
    struct cwm_buf key;
    uint64_t n = 0;

    (void)state;
    cwm_buf_init(&key, 100);
    assert_true(json_open(&in, '{'));
    assert_true(json_more(&in, '}', true));
    assert_true(json_key(&in, &key));
    assert_true(json_null(&in));
    assert_true(json_more(&in, '}', false));
    assert_true(json_key(&in, &key));
    assert_false(json_null(&in));
    assert_true(json_count(&in, &n));
    assert_false(json_more(&in, '}', false));
    assert_int_equal(in.failed, CWM_OK);
    assert_int_equal(in.at, in.len);
    assert_string_equal(key.data, "ab");
    cwm_buf_release(&key);
}

static void find__gives_the_value_of_a_name(void **state)
{
    static const char text[] =
        " {\"a\": {\"b\": [1, 2.5e1]}, \"\\u0062\": true, \"c\": 0}";
    struct json_in in = {.text = text, .len = sizeof text - 1};
    struct json_in a;
    struct json_in b;
    double number = 0;
    uint64_t n = 0;
    bool yes = false;

    (void)state;
    assert_true(json_whole(&in));
    assert_int_equal(in.at, 0);
    assert_true(json_find(&in, "b", &b));
    assert_true(json_bool(&b, &yes) && yes);
    assert_true(json_find(&in, "a", &a));
    assert_true(json_find(&a, "b", &b));
    assert_true(json_open(&b, '[') && json_count(&b, &n) && n == 1);
    assert_true(json_more(&b, ']', false) && json_real(&b, &number));
    assert_true(number > 24.99 && number < 25.01);
    assert_false(json_more(&b, ']', false));
    assert_false(json_find(&a, "a", &b)); /* nor what stands behind it */
    assert_false(json_find(&in, "", &b));
    assert_int_equal(in.failed, CWM_OK);
    assert_true(json_find(&in, "c", &b));
    assert_false(json_find(&b, "c", &a)); /* a number has no members */
    assert_int_equal(b.failed, CWM_FORMAT);
}

static void find__fails_on_what_it_cannot_trust(void **state)
{
    static const char *const bad[] = {"{\"a\": 1, \"a\": 2}", "{\"a\": 1", "[]",
                                      "", "{\"a\": 1, \"b\"}"};
    static const char text[] = "{\"a\": 1}";
    struct json_in in = {.text = text, .len = sizeof text - 1};
    struct json_in value;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_in broken = {.text = bad[i], .len = strlen(bad[i])};

        assert_false(json_find(&broken, "a", &value));
        assert_int_equal(broken.failed, CWM_FORMAT);
    }
    cwm_alloc_fail_nth(1, 0);
    assert_false(json_find(&in, "a", &value));
    cwm_alloc_fail_nth(0, 0);
    assert_int_equal(in.failed, CWM_NOMEM);
}

static void whole__wants_one_value_and_tells_the_line(void **state)
{
    static const char text[] = "{\n\"a\": [1,\n2}]";
    struct json_in in = {.text = text, .len = sizeof text - 1};
    struct json_in two = {.text = "1 2", .len = 3};

    (void)state;
    assert_false(json_whole(&in));
    assert_int_equal(json_line(&in), 3);
    assert_false(json_whole(&two));
    assert_int_equal(two.at, 2);
}

static void real__is_any_finite_number(void **state)
{
    static const char *const bad[] = {"1e999", "true", "\"1\"", "", "-"};
    char zeros[500];
    double number = 0;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_in in = {.text = bad[i], .len = strlen(bad[i])};

        assert_false(json_real(&in, &number));
        assert_int_equal(in.failed, CWM_FORMAT);
    }
    memset(zeros, '0', sizeof zeros);
    memcpy(zeros, "0.", 2);
    {
        struct json_in in = {.text = zeros, .len = sizeof zeros};
        struct json_in hex = {.text = "0x10", .len = 4};

        assert_false(json_real(&in, &number)); /* longer than any we know */
        assert_true(json_real(&hex, &number));
        assert_true(number < 1 && hex.at == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skip__takes_what_is_json),
        cmocka_unit_test(skip__has_a_greatest_depth),
        cmocka_unit_test(string__is_decoded),
        cmocka_unit_test(string__of_a_full_buffer_is_a_limit),
        cmocka_unit_test(count__is_a_whole_number),
        cmocka_unit_test(members__come_one_by_one),
        cmocka_unit_test(find__gives_the_value_of_a_name),
        cmocka_unit_test(find__fails_on_what_it_cannot_trust),
        cmocka_unit_test(whole__wants_one_value_and_tells_the_line),
        cmocka_unit_test(real__is_any_finite_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
