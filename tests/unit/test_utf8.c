/* SPDX-License-Identifier: MIT */
/* test_utf8.c -- every code point there and back; no byte read too far. */
#include "cwm/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t expected_width(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

static void utf8__every_code_point_goes_there_and_back(void **state)
{
    uint32_t code;

    (void)state;
    for (code = 0; code <= 0x10FFFF; code++) {
        char text[4];
        uint32_t back;
        size_t len = cwm_utf8_encode(code, text);

        assert_int_equal(len, expected_width(code));
        assert_int_equal(cwm_utf8_decode(text, len, &back), len);
        assert_int_equal(back, code);
    }
}

static void utf8__a_cut_character_is_one_bad_byte(void **state)
{
    static const uint32_t codes[] = {0xE9, 0x20AC, 0xD800, 0x1F600, 0x10FFFF};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        char text[4];
        size_t len = cwm_utf8_encode(codes[i], text);
        size_t cut;

        for (cut = 1; cut < len; cut++) {
            char *exact = malloc(cut); /* ASan sees a read too far */
            uint32_t code = 0;

            assert_non_null(exact);
            memcpy(exact, text, cut);
            assert_int_equal(cwm_utf8_decode(exact, cut, &code), 1);
            assert_int_equal(code, 0xFFFD);
            free(exact);
        }
    }
}

static void utf8__what_is_no_character_is_refused(void **state)
{
    static const char *const bad[] = {
        "\x80\x80\x80\x80", /* a tail alone */
        "\xC0\x80\x80\x80", /* overlong NUL */
        "\xC1\xBF\x80\x80", /* overlong */
        "\xE0\x9F\xBF\x80", /* overlong in three */
        "\xF0\x8F\xBF\xBF", /* overlong in four */
        "\xF4\x90\x80\x80", /* beyond U+10FFFF */
        "\xF5\x80\x80\x80", /* never a lead */
        "\xFF\xFF\xFF\xFF", /* nor this */
        "\xE2\x28\xA1\x80", /* a tail that is none */
        "\xE2\x82\x28\x80", /* the second one */
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint32_t code = 0;

        assert_int_equal(cwm_utf8_decode(bad[i], 4, &code), 1);
        assert_int_equal(code, 0xFFFD);
        assert_int_equal(cwm_utf8_valid_prefix(bad[i], 4), 0);
    }
}

static void check_prefix(const char *text, size_t len, size_t valid)
{
    assert_int_equal(cwm_utf8_valid_prefix(text, len), valid);
}

static void utf8__valid_prefix_is_strict(void **state)
{
    (void)state;
    check_prefix("", 0, 0);
    check_prefix("a\0b", 3, 3);
    check_prefix("ab\xC3\xA9", 4, 4);
    check_prefix("ab\xC3", 3, 2);
    check_prefix("\xF0\x9F\x98\x80!", 5, 5);
    check_prefix("\xF0\x9F\x98\x80!", 3, 0);
    check_prefix("a\xED\xA0\x80", 4, 1);             /* surrogate */
    check_prefix("a\xED\xA0\xBD\xED\xB8\x80", 7, 1); /* CESU pair */
    check_prefix("a\xED\x9F\xBF\xEE\x80\x80", 7, 7); /* round them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8__every_code_point_goes_there_and_back),
        cmocka_unit_test(utf8__a_cut_character_is_one_bad_byte),
        cmocka_unit_test(utf8__what_is_no_character_is_refused),
        cmocka_unit_test(utf8__valid_prefix_is_strict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
