/* SPDX-License-Identifier: MIT */
/* test_passk.c -- against fractions of whole numbers, and against chance. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "eval/draw.h"
#include "eval/passk.h"

static const struct passk_bootstrap usual = {
    .n_draws = 1000, .seed = 7, .confidence = 0.95};

static void assert_near(const char *what, double got, double want, double most)
{
    if (!(fabs(got - want) <= most)) {
        fprintf(stderr, "%s: %.17g, not %.17g\n", what, got, want);
        fail();
    }
}

/* C(n, k) as a whole number; the arguments here keep it below 2^63. */
static uint64_t choose(uint64_t n, uint64_t k)
{
    uint64_t ways = 1;

    if (k > n) {
        return 0;
    }
    for (uint64_t i = 1; i <= k; i++) {
        ways = ways * (n - k + i) / i;
    }
    return ways;
}

static void estimate__is_the_exact_fraction_for_every_small_case(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 28; n++) {
        for (uint64_t c = 0; c <= n; c++) {
            for (uint64_t k = 1; k <= n; k++) {
                uint64_t all = choose(n, k);
                char what[64];

                snprintf(what, sizeof what, "pass@%d of %d in %d", (int)k,
                         (int)c, (int)n);
                assert_near(what, passk_estimate(n, c, k),
                            (double)(all - choose(n - c, k)) / (double)all,
                            4e-16);
            }
        }
    }
}

/* Each is a product of few factors, written as one fraction here. */
static void estimate__is_right_for_a_million_samples(void **state)
{
    const uint64_t n = 1000000;

    (void)state;
    assert_near("one right, one tried", passk_estimate(n, 1, 1), 1e-6, 1e-21);
    assert_near("one right, 3 tried", passk_estimate(n, 1, 3), 3e-6, 1e-21);
    assert_near("one right, half", passk_estimate(n, 1, n / 2), 0.5, 1e-15);
    /* 1 - (n-2)(n-3) / (n (n-1)) = (4n - 6) / (n (n-1)) */
    assert_near("2 right, 2 tried", passk_estimate(n, 2, 2),
                3999994.0 / 999999000000.0, 1e-20);
    /* half are right: 1 - (1/2)(499999/999999) */
    assert_near("half right, 2 tried", passk_estimate(n, n / 2, 2),
                1499999.0 / 1999998.0, 1e-15);
    assert_near("one is wrong", passk_estimate(n, n - 1, 1), 0.999999, 1e-15);
    /* both large: from binomial coefficients as whole numbers */
    assert_near("1000 right, 1000 tried", passk_estimate(n, 1000, 1000),
                0.6324884995829888, 1e-15);
    assert_near("all", passk_estimate(n, 1, n), 1, 0);
}

static void estimate__does_not_depend_on_which_is_which(void **state)
{
    (void)state;
    for (uint64_t c = 1; c < 300; c += 7) {
        for (uint64_t k = 1; k < 300; k += 11) {
            assert_near("c and k exchanged", passk_estimate(5000, c, k),
                        passk_estimate(5000, k, c), 1e-15);
        }
    }
}

static void estimate__is_no_number_when_it_cannot_be_told(void **state)
{
    (void)state;
    assert_true(isnan(passk_estimate(10, 1, 11)));
    assert_true(isnan(passk_estimate(10, 11, 1)));
    assert_true(isnan(passk_estimate(10, 1, 0)));
    assert_true(isnan(passk_estimate(0, 0, 1)));
    assert_near("none right", passk_estimate(10, 0, 10), 0, 0);
}

static void interval__covers_the_truth_as_often_as_it_says(void **state)
{
    struct draw d = draw_seed(1, 1);
    int n_covered = 0;

    (void)state;
    for (int i = 0; i < 400; i++) {
        double scores[164];
        struct passk_interval interval;
        struct passk_bootstrap how = usual;

        how.n_draws = 300;
        how.seed = (uint64_t)i;
        for (int j = 0; j < 164; j++) {
            scores[j] = draw_below(&d, 10) < 3;
        }
        assert_int_equal(passk_interval(scores, 164, &how, &interval, NULL),
                         CWM_OK);
        assert_true(interval.low <= interval.mean);
        assert_true(interval.mean <= interval.high);
        n_covered += interval.low <= 0.3 && 0.3 <= interval.high;
    }
    /* 95 %: 380 of 400, give or take 4.4; percentiles are a bit narrow */
    if (n_covered < 362 || n_covered > 396) {
        fprintf(stderr, "%d of 400 intervals cover the mean\n", n_covered);
        fail();
    }
}

static void interval__has_the_width_of_the_normal_one(void **state)
{
    double scores[1000];
    struct passk_interval interval;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        scores[i] = i % 4 == 0;
    }
    assert_int_equal(passk_interval(scores, 1000, &usual, &interval, NULL),
                     CWM_OK);
    assert_near("mean", interval.mean, 0.25, 1e-15);
    assert_near("low", interval.low, 0.25 - 1.96 * sqrt(0.1875 / 1000), 0.003);
    assert_near("high", interval.high, 0.25 + 1.96 * sqrt(0.1875 / 1000),
                0.003);
}

static void interval__is_the_same_for_the_same_seed_only(void **state)
{
    double scores[50];
    struct passk_interval a;
    struct passk_interval b;
    struct passk_bootstrap other = usual;

    (void)state;
    other.seed = 8;
    for (int i = 0; i < 50; i++) {
        scores[i] = sqrt(i);
    }
    passk_interval(scores, 50, &usual, &a, NULL);
    passk_interval(scores, 50, &usual, &b, NULL);
    assert_memory_equal(&a, &b, sizeof a);
    passk_interval(scores, 50, &other, &b, NULL);
    assert_true(a.low < b.low || a.low > b.low);
}

static void intervals__of_rows_are_those_of_each_row(void **state)
{
    double rows[3][40];
    struct passk_interval of_rows[3];
    struct passk_interval alone;

    (void)state;
    for (int i = 0; i < 40; i++) {
        rows[0][i] = i % 3 == 0;
        rows[1][i] = 1;
        rows[2][i] = (double)i / 40;
    }
    assert_int_equal(passk_intervals(&rows[0][0], 3, 40, &usual, of_rows, NULL),
                     CWM_OK);
    for (int i = 0; i < 3; i++) {
        passk_interval(rows[i], 40, &usual, &alone, NULL);
        assert_memory_equal(&alone, &of_rows[i], sizeof alone);
    }
    assert_near("no spread", of_rows[1].high - of_rows[1].low, 0, 0);
}

static void interval__refuses_what_makes_no_sense(void **state)
{
    double score = 1;
    struct passk_interval interval;
    struct passk_bootstrap how = usual;

    (void)state;
    assert_int_equal(passk_interval(&score, 0, &usual, &interval, NULL),
                     CWM_USAGE);
    how.n_draws = 0;
    assert_int_equal(passk_interval(&score, 1, &how, &interval, NULL),
                     CWM_USAGE);
    how = usual;
    how.confidence = 95;
    assert_int_equal(passk_interval(&score, 1, &how, &interval, NULL),
                     CWM_USAGE);
    assert_true(isnan(passk_mean(&score, 0)));
}

static void compare__gives_exact_p_values_for_few_problems(void **state)
{
    static const double a[] = {1, 1, 1, 1, 1, 0, 0.5, 0.5};
    static const double b[] = {0, 0, 0, 0, 0, 1, 0.5, 0.5};
    struct passk_comparison c;

    (void)state;
    assert_int_equal(passk_compare(a, b, 8, &usual, &c, NULL), CWM_OK);
    assert_int_equal(c.n_better, 5);
    assert_int_equal(c.n_worse, 1);
    assert_int_equal(c.n_equal, 2);
    assert_near("difference", c.difference.mean, 0.5, 1e-15);
    /* 2 (C(6,0) + C(6,1)) / 2^6; all differences are 1: the same ways */
    assert_near("sign", c.p_sign, 14.0 / 64, 1e-13);
    assert_near("permutation", c.p_permutation, 14.0 / 64, 1e-15);
}

static void compare__of_equals_tells_nothing(void **state)
{
    double a[30];
    struct passk_comparison c;

    (void)state;
    for (int i = 0; i < 30; i++) {
        a[i] = i;
    }
    assert_int_equal(passk_compare(a, a, 30, &usual, &c, NULL), CWM_OK);
    assert_near("difference", c.difference.mean, 0, 0);
    assert_near("low", c.difference.low, 0, 0);
    assert_near("sign", c.p_sign, 1, 0);
    assert_near("permutation", c.p_permutation, 1, 0);
}

/* Where nothing is the matter, p-values below 5 % come up in 5 %. */
static void compare__is_rarely_sure_where_there_is_nothing(void **state)
{
    struct draw d = draw_seed(3, 1);
    int n_sign = 0;
    int n_permutation = 0;

    (void)state;
    for (int i = 0; i < 300; i++) {
        double a[120];
        double b[120];
        struct passk_comparison c;
        struct passk_bootstrap how = usual;

        how.seed = (uint64_t)i;
        for (int j = 0; j < 120; j++) {
            a[j] = draw_below(&d, 8);
            b[j] = draw_below(&d, 8);
        }
        passk_compare(a, b, 120, &how, &c, NULL);
        n_sign += c.p_sign < 0.05;
        n_permutation += c.p_permutation < 0.05;
    }
    /* 15 of 300, give or take 3.8; the sign test is coarse, so below */
    if (n_sign > 27 || n_permutation > 27 || n_permutation < 4) {
        fprintf(stderr, "sure %d and %d times of 300\n", n_sign, n_permutation);
        fail();
    }
}

static void compare__is_sure_where_there_is_a_difference(void **state)
{
    double a[100000];
    double b[100000];
    struct passk_comparison c;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        a[i] = i % 100 < 31;
        b[i] = i % 100 > 68 && i % 100 < 99; /* 30 others */
    }
    assert_int_equal(passk_compare(a, b, 100000, &usual, &c, NULL), CWM_OK);
    assert_near("difference", c.difference.mean, 0.01, 1e-12);
    assert_true(c.difference.low > 0.004 && c.difference.high < 0.016);
    /* 31,000 to 30,000: z is 4.045 with the half for continuity */
    assert_near("sign", c.p_sign, 5.23e-5, 1e-6);
    assert_true(c.p_permutation <= 2.0 / 1001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimate__is_the_exact_fraction_for_every_small_case),
        cmocka_unit_test(estimate__is_right_for_a_million_samples),
        cmocka_unit_test(estimate__does_not_depend_on_which_is_which),
        cmocka_unit_test(estimate__is_no_number_when_it_cannot_be_told),
        cmocka_unit_test(interval__covers_the_truth_as_often_as_it_says),
        cmocka_unit_test(interval__has_the_width_of_the_normal_one),
        cmocka_unit_test(interval__is_the_same_for_the_same_seed_only),
        cmocka_unit_test(intervals__of_rows_are_those_of_each_row),
        cmocka_unit_test(interval__refuses_what_makes_no_sense),
        cmocka_unit_test(compare__gives_exact_p_values_for_few_problems),
        cmocka_unit_test(compare__of_equals_tells_nothing),
        cmocka_unit_test(compare__is_rarely_sure_where_there_is_nothing),
        cmocka_unit_test(compare__is_sure_where_there_is_a_difference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
