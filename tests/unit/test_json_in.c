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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skip__takes_what_is_json),
        cmocka_unit_test(skip__has_a_greatest_depth),
        cmocka_unit_test(string__is_decoded),
        cmocka_unit_test(string__of_a_full_buffer_is_a_limit),
        cmocka_unit_test(count__is_a_whole_number),
        cmocka_unit_test(members__come_one_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
