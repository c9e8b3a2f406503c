/* SPDX-License-Identifier: MIT */
/* fault_select.c -- candidates chosen and curves made while memory is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval/curves.h"
#include "tests/fault/fault.h"
#include "tests/support/select_tasks.h"

static enum cwm_rc draw_curves(void *ctx, struct cwm_err *err)
{
    struct select_input input = made_input(ctx);
    struct curves_task task = {.select = NULL};
    struct curves_options o = {.selectors = {SELECT_CODET, SELECT_TESTS},
                               .n_selectors = 2,
                               .n_ks = 2,
                               .ks = {1, 5},
                               .n_ms = 1,
                               .ms = {3},
                               .n_draws = 2,
                               .n_test_draws = 2,
                               .bootstrap = {.n_draws = 10, .confidence = 0.9}};
    struct curves c = {.n_tasks = 0};
    enum cwm_rc rc;

    input.outputs = input.programs;
    rc = select_task_new(&input, &task.select, err);
    if (rc == CWM_OK) {
        rc = curves_make(&task, 1, &o, &c, err);
    }
    select_task_free(task.select);
    curves_release(&c);
    return rc;
}

static void curves__or_say_that_memory_is_short(void **state)
{
    struct draw d = draw_seed(1, 0);
    struct made_task made;

    (void)state;
    made_new(&made, &d, 40, 9);
    fault_each_allocation("curves", draw_curves, &made);
    made_free(&made);
}

static enum cwm_rc compare(void *ctx, struct cwm_err *err)
{
    static const double a[] = {1, 2, 3};
    static const double b[] = {1, 1, 4};
    struct passk_bootstrap how = {.n_draws = 10, .confidence = 0.9};
    struct passk_comparison c;

    (void)ctx;
    return passk_compare(a, b, 3, &how, &c, err);
}

static void comparisons__or_say_that_memory_is_short(void **state)
{
    (void)state;
    fault_each_allocation("comparisons", compare, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves__or_say_that_memory_is_short),
        cmocka_unit_test(comparisons__or_say_that_memory_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
