/* SPDX-License-Identifier: MIT */
/* test_alloc.c -- overflow is refused; the fault hook fails what it says. */
#include "cwm/base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int reset_hook(void **state)
{
    (void)state;
    cwm_alloc_fail_nth(0, 0);
    return 0;
}

static void alloc__zero_bytes_give_a_pointer(void **state)
{
    void *a = cwm_malloc(0);
    void *b = cwm_calloc(0, 8);
    void *c = cwm_realloc(NULL, 8, 0);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    cwm_free(a);
    cwm_free(b);
    cwm_free(c);
    cwm_free(NULL);
}

static void alloc__a_product_that_overflows_is_refused(void **state)
{
    volatile size_t huge = SIZE_MAX / 2 + 1;
    char *p = cwm_malloc(4);

    (void)state;
    assert_non_null(p);
    memcpy(p, "abc", 4);
    assert_null(cwm_calloc(huge, 2));
    assert_null(cwm_realloc(p, huge, 2));
    assert_string_equal(p, "abc"); /* still there */
    cwm_free(p);
}

static void alloc__calloc_is_zeroed_and_realloc_keeps(void **state)
{
    unsigned char *p = cwm_calloc(64, 4);
    size_t i;

    (void)state;
    assert_non_null(p);
    for (i = 0; i < 256; i++) {
        assert_int_equal(p[i], 0);
        p[i] = (unsigned char)i;
    }
    p = cwm_realloc(p, 1024, 4);
    assert_non_null(p);
    for (i = 0; i < 256; i++) {
        assert_int_equal(p[i], i);
    }
    cwm_free(p);
}

static void alloc__strndup_copies_and_ends(void **state)
{
    char *p = cwm_strndup("hello", 3);
    char *q = cwm_strdup("");

    (void)state;
    assert_string_equal(p, "hel");
    assert_string_equal(q, "");
    cwm_free(p);
    cwm_free(q);
}

/* Which of six allocations fail, as bits, with the nth told to. */
static unsigned failed_of_six(uint64_t nth, int sticky)
{
    unsigned failed = 0;
    void *p[6];
    unsigned i;

    cwm_alloc_fail_nth(nth, sticky);
    p[0] = cwm_malloc(8);
    p[1] = cwm_calloc(2, 8);
    p[2] = cwm_realloc(NULL, 2, 8);
    p[3] = cwm_strdup("x");
    p[4] = cwm_strndup("xyz", 2);
    p[5] = cwm_malloc(8);
    assert_int_equal(cwm_alloc_fail_nth(0, 0), 6);
    for (i = 0; i < 6; i++) {
        failed |= p[i] ? 0 : 1u << i;
        cwm_free(p[i]);
    }
    return failed;
}

static void alloc__the_nth_fails_and_only_that(void **state)
{
    unsigned n;

    (void)state;
    assert_int_equal(failed_of_six(0, 0), 0);
    assert_int_equal(failed_of_six(0, 1), 0);
    for (n = 1; n <= 6; n++) {
        assert_int_equal(failed_of_six(n, 0), 1u << (n - 1));
        assert_int_equal(failed_of_six(n, 1), 0x3F & ~((1u << (n - 1)) - 1));
    }
    assert_int_equal(failed_of_six(7, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(alloc__zero_bytes_give_a_pointer, reset_hook),
        cmocka_unit_test_teardown(alloc__a_product_that_overflows_is_refused,
                                  reset_hook),
        cmocka_unit_test_teardown(alloc__calloc_is_zeroed_and_realloc_keeps,
                                  reset_hook),
        cmocka_unit_test_teardown(alloc__strndup_copies_and_ends, reset_hook),
        cmocka_unit_test_teardown(alloc__the_nth_fails_and_only_that,
                                  reset_hook),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
