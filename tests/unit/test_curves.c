/* SPDX-License-Identifier: MIT */
/* test_curves.c -- curves against what is known of them without drawing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "eval/curves.h"
#include "tests/support/select_tasks.h"

enum { N = 40, N_CANDIDATES = 50, N_TESTS = 20 };

static struct made_task made[N];
static struct curves_task tasks[N + 1];

static int make_tasks(void **state)
{
    struct draw d = draw_seed(11, 0);

    (void)state;
    for (int i = 0; i < N; i++) {
        struct select_input input;

        made_new(&made[i], &d, N_CANDIDATES, N_TESTS);
        input = made_input(&made[i]);
        if (select_task_new(&input, &tasks[i].select, NULL) != CWM_OK) {
            return -1;
        }
        tasks[i].sample_tokens = 100;
        tasks[i].tests_tokens = 1000;
        tasks[i].sample_cpu_s = 0.5;
        tasks[i].foresight_tokens = 300;
        tasks[i].foresight_cpu_s = 2;
    }
    return 0;
}

static int free_tasks(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++) {
        select_task_free(tasks[i].select);
        made_free(&made[i]);
    }
    return 0;
}

static struct curves_options all_options(void)
{
    struct curves_options o = {
        .n_ks = 5,
        .ks = {1, 2, 10, 50, 60},
        .n_ms = 3,
        .ms = {1, 10, 1000},
        .n_draws = 200,
        .n_test_draws = 20,
        .tokens_per_s = 100,
        .bootstrap = {.n_draws = 200, .seed = 1, .confidence = 0.95}};

    for (int i = 0; i < SELECT_N; i++) {
        o.selectors[o.n_selectors++] = (enum selector)i;
    }
    return o;
}

static void assert_near(const char *what, double got, double want, double most)
{
    if (!(fabs(got - want) <= most)) {
        fprintf(stderr, "%s: %.15g, not %.15g\n", what, got, want);
        fail();
    }
}

static double mean_pass(size_t n, size_t k)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += tasks[i].select
                   ? passk_estimate(N_CANDIDATES,
                                    select_n_right(tasks[i].select), k)
                   : 0;
    }
    return sum / (double)n;
}

static void curves__agree_with_what_needs_no_drawing(void **state)
{
    struct curves_options o = all_options();
    struct curves c;

    (void)state;
    assert_int_equal(curves_make(tasks, N, &o, &c, NULL), CWM_OK);
    for (size_t s = 0; s < o.n_selectors; s++) {
        const char *name = selector_name(o.selectors[s]);
        const struct curves_point *best = c.best + s * o.n_ks;
        const struct curves_point *tests = c.tests + s * o.n_ms;

        assert_near(name, best[0].score.mean, mean_pass(N, 1), 1e-12);
        assert_near(name, best[3].score.mean, best[4].score.mean, 0);
        /* all tests, and all candidates: nothing is drawn */
        assert_near(name, tests[2].score.mean, best[3].score.mean, 1e-12);
        assert_near(name, best[3].error, 0, 0);
        assert_true(isnan(c.pass[s * o.n_ks + 4].score.mean));
        assert_near(name, c.pass[s * o.n_ks].score.mean, best[3].score.mean,
                    1e-12);
        for (size_t k = 0; k < o.n_ks; k++) {
            assert_true(best[k].score.low <= best[k].score.mean);
            assert_true(best[k].score.high >= best[k].score.mean);
        }
        assert_int_equal(best[2].error > 0, !selector_is_fixed(o.selectors[s]));
    }
    assert_near("oracle", c.best[(SELECT_N - 1) * o.n_ks + 2].score.mean,
                mean_pass(N, 10), 1e-12);
    assert_int_equal(c.least_candidates, N_CANDIDATES);
    curves_release(&c);
}

/* Ten times the draws find the same, as nearly as `error` says. */
static void curves__are_as_sure_as_they_say(void **state)
{
    struct curves_options few = all_options();
    struct curves_options many = few;
    struct curves a;
    struct curves b;
    double worst = 0;

    (void)state;
    many.n_draws = 4000;
    many.bootstrap.seed = 2;
    assert_int_equal(curves_make(tasks, N, &few, &a, NULL), CWM_OK);
    assert_int_equal(curves_make(tasks, N, &many, &b, NULL), CWM_OK);
    for (size_t i = 0; i < few.n_selectors * few.n_ks; i++) {
        double apart = fabs(a.best[i].score.mean - b.best[i].score.mean);

        if (a.best[i].error > 0 && apart / a.best[i].error > worst) {
            worst = apart / a.best[i].error;
        }
    }
    if (worst > 4.5 || worst < 0.1) {
        fprintf(stderr, "up to %g standard errors apart\n", worst);
        fail();
    }
    curves_release(&a);
    curves_release(&b);
}

static void curves__count_tasks_without_candidates_as_wrong(void **state)
{
    struct curves_options o = all_options();
    struct curves c;

    (void)state;
    assert_int_equal(curves_make(tasks, N + 1, &o, &c, NULL), CWM_OK);
    assert_int_equal(c.n_empty, 1);
    assert_near("best@1", c.best[0].score.mean, mean_pass(N + 1, 1), 1e-12);
    assert_near("pass@10", c.pass[2].score.mean, mean_pass(N + 1, 10), 1e-12);
    curves_release(&c);
}

static void curves__tell_what_it_costs(void **state)
{
    struct curves_options o = all_options();
    struct curves c;
    const struct curves_cost *of_random;
    const struct curves_cost *of_codet;
    const struct curves_cost *of_predict;

    (void)state;
    assert_int_equal(curves_make(tasks, N, &o, &c, NULL), CWM_OK);
    of_random = c.cost + SELECT_RANDOM * o.n_ks;
    of_codet = c.cost + SELECT_CODET * o.n_ks;
    of_predict = c.cost + SELECT_PREDICT * o.n_ks;
    assert_near("tokens of one", of_random[0].tokens, 100, 1e-9);
    assert_near("no run", of_random[2].cpu_s, 0, 0);
    assert_near("tokens of ten", of_codet[2].tokens, 2000, 1e-9);
    assert_near("runs of ten", of_codet[2].cpu_s, 5, 1e-9);
    assert_near("time", of_codet[2].time_to_solution_s, 25, 1e-9);
    assert_near("tokens foreseen", of_predict[2].tokens, 5000, 1e-9);
    assert_near("foreseeing ten", of_predict[2].cpu_s, 20, 1e-9);
    assert_near("of all there are", of_codet[4].tokens, 6000, 1e-9);
    curves_release(&c);
}

static void curves__are_the_same_bits_again(void **state)
{
    struct curves_options o = all_options();
    struct curves a;
    struct curves b;

    (void)state;
    assert_int_equal(curves_make(tasks, N, &o, &a, NULL), CWM_OK);
    assert_int_equal(curves_make(tasks, N, &o, &b, NULL), CWM_OK);
    assert_memory_equal(a.best, b.best,
                        o.n_selectors * o.n_ks * sizeof *a.best);
    assert_memory_equal(a.tests, b.tests,
                        o.n_selectors * o.n_ms * sizeof *a.tests);
    curves_release(&a);
    curves_release(&b);
}

static void curves__refuse_what_makes_no_sense(void **state)
{
    struct curves_options o = all_options();
    struct curves c;
    volatile int cancel = 1;

    (void)state;
    assert_int_equal(curves_make(tasks, 0, &o, &c, NULL), CWM_USAGE);
    o.ks[1] = 1;
    assert_int_equal(curves_make(tasks, N, &o, &c, NULL), CWM_USAGE);
    o = all_options();
    o.ms[0] = 0;
    assert_int_equal(curves_make(tasks, N, &o, &c, NULL), CWM_USAGE);
    o = all_options();
    o.cancel = &cancel;
    assert_int_equal(curves_make(tasks, N, &o, &c, NULL), CWM_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves__agree_with_what_needs_no_drawing),
        cmocka_unit_test(curves__are_as_sure_as_they_say),
        cmocka_unit_test(curves__count_tasks_without_candidates_as_wrong),
        cmocka_unit_test(curves__tell_what_it_costs),
        cmocka_unit_test(curves__are_the_same_bits_again),
        cmocka_unit_test(curves__refuse_what_makes_no_sense),
    };

    return cmocka_run_group_tests(tests, make_tasks, free_tasks);
}
