/* SPDX-License-Identifier: MIT */
/* test_filter.c -- each reason to leave a test out, and none too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "eval/filter.h"

static void texts__are_judged_by_whether_they_parse(void **state)
{
    static const struct {
        const char *text;
        enum filter_reason reason;
    } cases[] = {
        {"assert f(1) == 2", FILTER_KEPT},
        {"assert f('''a\n'b''') == '\\'id(1)'", FILTER_KEPT},
        {"assert f(random.random()) < 1", FILTER_KEPT},
        {"assert f(1) ==", FILTER_NO_PARSE},
        {"assert f(1) == [1, 2", FILTER_NO_PARSE},
        {"", FILTER_NO_PARSE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum filter_reason reason = FILTER_N_REASONS;

        assert_int_equal(
            filter_text(cases[i].text, strlen(cases[i].text), &reason, NULL),
            CWM_OK);
        if (reason != cases[i].reason) {
            fprintf(stderr, "%s: %s\n", cases[i].text,
                    filter_reason_text(reason));
            fail();
        }
    }
}

static void modules__are_needed_for_star_imports_alone(void **state)
{
    static const char *const yes[] = {"assert f()\nfrom a.b import *",
                                      "from a import\t*"};
    static const char *const no[] = {"assert f('from a import *')",
                                     "import a\nx * y",
                                     "# import *",
                                     "from a import b",
                                     "reimport * 2",
                                     "assert '''\nimport *\n'''"};

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        assert_true(filter_needs_module(yes[i], strlen(yes[i])));
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        assert_false(filter_needs_module(no[i], strlen(no[i])));
    }
}

static const uint8_t holds[] = {
    1, 1, 0, 0, 1, /* five tests, two programs */
    1, 0, 1, 0, 1,
};
static const uint8_t stub[] = {0, 0, 0, 0, 1};
static const uint8_t reference[] = {1, 1, 0, 0, 0};
static const uint32_t n_times[] = {1, 2, 3, 4, 5};

static const struct filter_task task = {.n_tests = 5,
                                        .n_rows = 2,
                                        .holds = holds,
                                        .stub = stub,
                                        .reference = reference,
                                        .n_times = n_times};

static void verdicts__leave_out_what_tells_nothing(void **state)
{
    enum filter_reason reasons[5] = {FILTER_KEPT};
    struct filter_task one = task;

    (void)state;
    filter_verdicts(&task, reasons);
    assert_int_equal(reasons[0], FILTER_HOLDS_FOR_ALL);
    assert_int_equal(reasons[1], FILTER_KEPT);
    assert_int_equal(reasons[2], FILTER_KEPT);
    assert_int_equal(reasons[3], FILTER_KEPT); /* it rules all of them out */
    assert_int_equal(reasons[4], FILTER_HOLDS_FOR_STUB);
    reasons[0] = FILTER_KEPT;
    reasons[2] = FILTER_NO_PARSE;
    one.n_rows = 1;
    one.stub = NULL;
    filter_verdicts(&one, reasons);
    assert_int_equal(reasons[0], FILTER_KEPT);
    assert_int_equal(reasons[2], FILTER_NO_PARSE);
}

static void quality__counts_tests_as_often_as_they_came(void **state)
{
    enum filter_reason reasons[5] = {FILTER_KEPT};
    struct filter_sums sums = {.n_tests = 0};
    struct filter_task none = {.n_tests = 0};

    (void)state;
    filter_verdicts(&task, reasons);
    filter_count(&task, reasons, &sums);
    filter_count(&none, NULL, &sums);
    assert_int_equal(sums.n_tests, 15);
    assert_int_equal(sums.n_different, 5);
    assert_int_equal(sums.n_tasks_without, 1);
    assert_int_equal(sums.n_reasons[FILTER_KEPT], 3);
    assert_int_equal(sums.generated.n_accurate, 3);
    assert_int_equal(sums.generated.n_toxic, 8); /* tests 2 and 4 */
    assert_int_equal(sums.different.n, 5);
    assert_int_equal(sums.different.n_toxic, 2);
    assert_int_equal(sums.kept.n, 9);
    assert_int_equal(sums.kept.n_accurate, 2);
    assert_int_equal(sums.kept.n_toxic, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts__are_judged_by_whether_they_parse),
        cmocka_unit_test(modules__are_needed_for_star_imports_alone),
        cmocka_unit_test(verdicts__leave_out_what_tells_nothing),
        cmocka_unit_test(quality__counts_tests_as_often_as_they_came),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
