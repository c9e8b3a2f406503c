/* SPDX-License-Identifier: MIT */
/* test_buf.c -- the maximum holds, errors stick, JSON is json.dumps's. */
#include "cwm/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/base/alloc.h"

static void buf__grows_and_ends_in_nul(void **state)
{
    struct cwm_buf b;
    size_t i;

    (void)state;
    cwm_buf_init(&b, 100000);
    for (i = 0; i < 5000; i++) {
        assert_int_equal(cwm_buf_addf(&b, "%zu,", i % 10), CWM_OK);
        assert_int_equal(b.len, 2 * (i + 1));
        assert_int_equal(b.data[b.len], '\0');
    }
    for (i = 0; i < 5000; i++) {
        assert_int_equal(b.data[2 * i], '0' + (int)(i % 10));
    }
    cwm_buf_release(&b);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    assert_int_equal(cwm_buf_adds(&b, "again"), CWM_OK);
    cwm_buf_release(&b);
}

static void buf__the_maximum_is_exact_and_content_stays(void **state)
{
    struct cwm_err err;
    struct cwm_buf b;

    (void)state;
    cwm_buf_init(&b, 5);
    assert_int_equal(cwm_buf_adds(&b, "abc"), CWM_OK);
    assert_int_equal(cwm_buf_adds(&b, "de"), CWM_OK); /* just fits */
    assert_int_equal(cwm_buf_check(&b, "the text", &err), CWM_OK);
    assert_int_equal(cwm_buf_addc(&b, 'f'), CWM_LIMIT);
    assert_string_equal(b.data, "abcde");
    assert_int_equal(cwm_buf_check(&b, "the text", &err), CWM_LIMIT);
    assert_string_equal(err.message, "the text is larger than 5 bytes");
    cwm_buf_release(&b);
}

static void buf__a_failure_sticks_until_clear(void **state)
{
    struct cwm_buf b;

    (void)state;
    cwm_buf_init(&b, 4);
    assert_int_equal(cwm_buf_adds(&b, "ab"), CWM_OK);
    assert_int_equal(cwm_buf_adds(&b, "cde"), CWM_LIMIT);
    assert_int_equal(cwm_buf_adds(&b, "c"), CWM_LIMIT); /* would fit */
    assert_int_equal(cwm_buf_addf(&b, "%d", 1), CWM_LIMIT);
    assert_string_equal(b.data, "ab");
    cwm_buf_clear(&b);
    assert_string_equal(b.data, "");
    assert_int_equal(cwm_buf_adds(&b, "wxyz"), CWM_OK);
    assert_string_equal(b.data, "wxyz");
    cwm_buf_release(&b);
}

static void buf__a_huge_request_does_not_wrap(void **state)
{
    struct cwm_buf b;

    (void)state;
    cwm_buf_init(&b, SIZE_MAX - 16);
    assert_int_equal(cwm_buf_adds(&b, "ab"), CWM_OK);
    assert_int_equal(cwm_buf_reserve(&b, SIZE_MAX - 1), CWM_LIMIT);
    cwm_buf_clear(&b);
    assert_int_equal(cwm_buf_reserve(&b, SIZE_MAX / 2 + 2), CWM_NOMEM);
    cwm_buf_release(&b);
}

static void buf__no_memory_is_an_ordinary_error(void **state)
{
    struct cwm_err err;
    struct cwm_buf b;

    (void)state;
    cwm_buf_init(&b, 1000);
    cwm_alloc_fail_nth(1, 1);
    assert_int_equal(cwm_buf_adds(&b, "x"), CWM_NOMEM);
    cwm_alloc_fail_nth(0, 0);
    assert_int_equal(cwm_buf_check(&b, "it", &err), CWM_NOMEM);
    assert_string_equal(err.message, "could not hold it: out of memory");
    cwm_buf_release(&b);
}

/* One string in, one JSON string out; `json` without the quotes. */
static void check_json(const char *text, size_t len, const char *json)
{
    char *copy = malloc(len + 1); /* exact size: ASan sees a read too far */
    struct cwm_buf b;

    assert_non_null(copy);
    memcpy(copy, text, len);
    cwm_buf_init(&b, 1000);
    assert_int_equal(cwm_buf_add_json(&b, copy, len), CWM_OK);
    assert_true(b.len >= 2 && b.data[0] == '"' && b.data[b.len - 1] == '"');
    b.data[b.len - 1] = '\0';
    assert_string_equal(b.data + 1, json);
    cwm_buf_release(&b);
    free(copy);
}

#define JSON(text, json) check_json(text, sizeof(text) - 1, json)

static void buf__json_is_what_python_writes(void **state)
{
    (void)state;
    JSON("", "");
    JSON("plain 'text' / {}", "plain 'text' / {}");
    JSON("a\"b\\c", "a\\\"b\\\\c");
    JSON("\b\t\n\f\r", "\\b\\t\\n\\f\\r");
    JSON("\v\x01\x1f\x7f", "\\u000b\\u0001\\u001f\\u007f");
    check_json("a\0b", 3, "a\\u0000b");
    JSON("\xC3\xA9", "\\u00e9");
    JSON("\xE2\x82\xAC", "\\u20ac");
    JSON("\xF0\x9F\x98\x80", "\\ud83d\\ude00");
    JSON("\xF4\x8F\xBF\xBF", "\\udbff\\udfff");
    JSON("\xED\xA0\x80", "\\ud800"); /* a lone surrogate, WTF-8 */
    JSON("\xED\xBF\xBF", "\\udfff");
}

static void buf__json_replaces_what_is_no_character(void **state)
{
    (void)state;
    JSON("\x80", "\\ufffd");
    JSON("\xC3", "\\ufffd");
    JSON("a\xE2\x82", "a\\ufffd\\ufffd");
    JSON("\xF0\x9F\x98", "\\ufffd\\ufffd\\ufffd");
    JSON("\xC0\xAF", "\\ufffd\\ufffd"); /* overlong */
    JSON("\xF4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd");
    JSON("\xFFz", "\\ufffdz");
}

/* Wherever a byte stands in a text: as it would alone. */
static void buf__json_is_the_same_at_every_place(void **state)
{
    enum { LEN = 700, STEP = 7 }; /* longer than what is put together */
    char text[LEN];
    char expected[LEN + 16];
    struct cwm_buf alone;

    (void)state;
    cwm_buf_init(&alone, 100);
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;

        cwm_buf_clear(&alone);
        cwm_buf_add_json_body(&alone, &byte, 1);
        assert_int_equal(cwm_json_is_plain(&byte, 1),
                         alone.len == 1 && alone.data[0] == byte);
        for (size_t at = 0; at < LEN; at += at < 20 ? 1 : STEP) {
            size_t len = at < 20 ? 20 : LEN;

            memset(text, 'a', len);
            text[at] = byte;
            memset(expected, 'a', at);
            memcpy(expected + at, alone.data, alone.len);
            memset(expected + at + alone.len, 'a', len - at - 1);
            expected[len - 1 + alone.len] = '\0';
            check_json(text, len, expected);
            assert_int_equal(cwm_json_is_plain(text, len), alone.len == 1);
        }
    }
    cwm_buf_release(&alone);
}

static void buf__json_beyond_the_maximum_fails(void **state)
{
    struct cwm_buf b;
    size_t max;

    (void)state;
    for (max = 0; max < 14; max++) { /* the whole takes 14 */
        cwm_buf_init(&b, max);
        assert_int_equal(cwm_buf_add_json(&b, "\xF0\x9F\x98\x80", 4),
                         CWM_LIMIT);
        assert_true(b.len <= max);
        cwm_buf_release(&b);
    }
    cwm_buf_init(&b, 14);
    assert_int_equal(cwm_buf_add_json(&b, "\xF0\x9F\x98\x80", 4), CWM_OK);
    cwm_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf__grows_and_ends_in_nul),
        cmocka_unit_test(buf__the_maximum_is_exact_and_content_stays),
        cmocka_unit_test(buf__a_failure_sticks_until_clear),
        cmocka_unit_test(buf__a_huge_request_does_not_wrap),
        cmocka_unit_test(buf__no_memory_is_an_ordinary_error),
        cmocka_unit_test(buf__json_is_what_python_writes),
        cmocka_unit_test(buf__json_is_the_same_at_every_place),
        cmocka_unit_test(buf__json_replaces_what_is_no_character),
        cmocka_unit_test(buf__json_beyond_the_maximum_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
