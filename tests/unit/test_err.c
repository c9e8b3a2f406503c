/* SPDX-License-Identifier: MIT */
/* test_err.c -- messages are cut where a character ends, errno is kept. */
#include "cwm/base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/base/utf8.h"

static void err__fill_names_the_place_and_returns_the_code(void **state)
{
    struct cwm_err err = {0};
    int line = __LINE__ + 1;
    enum cwm_rc rc = CWM_FAIL(&err, CWM_IO, "could not open '%s'", "a b");

    (void)state;
    assert_int_equal(rc, CWM_IO);
    assert_int_equal(err.code, CWM_IO);
    assert_int_equal(err.line, line);
    assert_string_equal(err.file, __FILE__);
    assert_string_equal(err.message, "could not open 'a b'");
}

static void err__fill_works_without_an_err_and_keeps_errno(void **state)
{
    struct cwm_err err;

    (void)state;
    errno = ENOSPC;
    assert_int_equal(CWM_FAIL(NULL, CWM_NOMEM, "x"), CWM_NOMEM);
    assert_int_equal(CWM_FAIL(&err, CWM_LIMIT, "%d", 7), CWM_LIMIT);
    assert_int_equal(errno, ENOSPC);
    cwm_err_context(NULL, "nothing happens");
}

/* Fill with `fill` (one character of `width` bytes) past the end. */
static void check_cut(const char *fill, size_t width)
{
    char text[CWM_ERR_MESSAGE_BYTES * 2 + 1];
    struct cwm_err err;
    size_t shift;

    for (shift = 0; shift < width; shift++) {
        size_t at = shift;
        size_t len;

        memset(text, 'a', shift);
        while (at + width < sizeof text) {
            memcpy(text + at, fill, width);
            at += width;
        }
        text[at] = '\0';
        CWM_FAIL(&err, CWM_FORMAT, "%s", text);
        len = strlen(err.message);
        assert_true(len < CWM_ERR_MESSAGE_BYTES);
        assert_true(len + width >= CWM_ERR_MESSAGE_BYTES);
        assert_int_equal(cwm_utf8_valid_prefix(err.message, len), len);
        assert_memory_equal(err.message, text, len);
    }
}

static void err__fill_cuts_at_a_character(void **state)
{
    (void)state;
    check_cut("x", 1);
    check_cut("\xC3\xA9", 2);
    check_cut("\xE2\x82\xAC", 3);
    check_cut("\xF0\x9F\x98\x80", 4);
}

static void err__context_goes_in_front(void **state)
{
    struct cwm_err err;

    (void)state;
    CWM_FAIL(&err, CWM_FORMAT, "no field 'id'");
    cwm_err_context(&err, "%s:%d", "jobs.jsonl", 3);
    assert_string_equal(err.message, "jobs.jsonl:3: no field 'id'");
    assert_int_equal(err.code, CWM_FORMAT);
}

static void err__context_that_overflows_is_cut_at_a_character(void **state)
{
    char text[CWM_ERR_MESSAGE_BYTES];
    struct cwm_err err;
    size_t i;
    size_t len;

    (void)state;
    for (i = 0; i + 2 < sizeof text; i += 2) {
        memcpy(text + i, "\xC3\xA9", 2);
    }
    text[i] = '\0';
    CWM_FAIL(&err, CWM_FORMAT, "%s", text);
    cwm_err_context(&err, "%s", "abc");
    len = strlen(err.message);
    assert_true(len < CWM_ERR_MESSAGE_BYTES);
    assert_int_equal(cwm_utf8_valid_prefix(err.message, len), len);
    assert_memory_equal(err.message, "abc: \xC3\xA9", 7);
}

static void err__every_code_has_a_text_and_a_number_of_its_own(void **state)
{
    static const struct {
        enum cwm_rc code;
        int number;
    } table[] = {
#define ROW(name, number, text) {name, number},
        CWM_RC_TABLE(ROW)
#undef ROW
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(table[i].code, table[i].number);
        assert_int_equal(table[i].number, i); /* append only, no gap */
        assert_true(strlen(cwm_rc_text(table[i].code)) > 0);
    }
    assert_non_null(cwm_rc_text((enum cwm_rc)9999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err__fill_names_the_place_and_returns_the_code),
        cmocka_unit_test(err__fill_works_without_an_err_and_keeps_errno),
        cmocka_unit_test(err__fill_cuts_at_a_character),
        cmocka_unit_test(err__context_goes_in_front),
        cmocka_unit_test(err__context_that_overflows_is_cut_at_a_character),
        cmocka_unit_test(err__every_code_has_a_text_and_a_number_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
