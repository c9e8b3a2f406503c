/* SPDX-License-Identifier: MIT */
/*
 * test_select.c -- selectors against their definitions, written out naively,
 * over every pool of small random tasks; and cases by hand.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "eval/draw.h"
#include "eval/passk.h"
#include "eval/select.h"

enum { MAX_N = 9, MAX_TESTS = 7 };

/* A task in which every candidate has a row of its own. */
struct small {
    uint32_t n, n_tests;
    uint32_t rows[MAX_N];
    uint8_t holds[MAX_N * MAX_TESTS];
    uint32_t weights[MAX_TESTS];
    uint32_t programs[MAX_N];
    uint64_t n_tokens[MAX_N];
    uint8_t is_right[MAX_N];
};

static struct select_input input_of(const struct small *s)
{
    return (struct select_input){.n_candidates = s->n,
                                 .n_rows = s->n,
                                 .n_tests = s->n_tests,
                                 .rows = s->rows,
                                 .holds = s->holds,
                                 .weights = s->weights,
                                 .programs = s->programs,
                                 .n_tokens = s->n_tokens,
                                 .is_right = s->is_right};
}

static struct select_task *task_of(const struct select_input *input)
{
    struct select_task *t = NULL;
    struct cwm_err err = {.message = ""};

    if (select_task_new(input, &t, &err) != CWM_OK) {
        fprintf(stderr, "%s\n", err.message);
        fail();
    }
    return t;
}

static void assert_near(const char *what, double got, double want)
{
    if (!(fabs(got - want) <= 1e-12)) {
        fprintf(stderr, "%s: %.15g, not %.15g\n", what, got, want);
        fail();
    }
}

/* Few tests and programs, so that candidates often agree. */
static void make_small(struct draw *d, struct small *s)
{
    s->n = 1 + draw_below(d, MAX_N);
    s->n_tests = draw_below(d, MAX_TESTS + 1);
    for (uint32_t i = 0; i < s->n; i++) {
        s->rows[i] = i;
        s->programs[i] = 10 * draw_below(d, 4);
        s->n_tokens[i] = draw_below(d, 3);
        s->is_right[i] = draw_below(d, 3) == 0;
        for (uint32_t t = 0; t < s->n_tests; t++) {
            s->holds[i * s->n_tests + t] = draw_below(d, 4) > 0;
        }
    }
    for (uint32_t t = 0; t < s->n_tests; t++) {
        s->weights[t] = draw_below(d, 4);
    }
}

/* ---- the definitions ---- */

static double passed(const struct small *s, uint32_t c)
{
    double sum = 0;

    for (uint32_t t = 0; t < s->n_tests; t++) {
        sum += s->holds[c * s->n_tests + t] * s->weights[t];
    }
    return sum;
}

static int agree(const struct small *s, uint32_t a, uint32_t b)
{
    for (uint32_t t = 0; t < s->n_tests; t++) {
        if (s->weights[t] > 0 &&
            s->holds[a * s->n_tests + t] != s->holds[b * s->n_tests + t]) {
            return 0;
        }
    }
    return 1;
}

/* Is test x among the most frequent five?  Fewer than five stand before it. */
static int is_top(const struct small *s, uint32_t x)
{
    int n_before = 0;

    for (uint32_t y = 0; y < s->n_tests; y++) {
        int held_x = 0;
        int held_y = 0;

        for (uint32_t c = 0; c < s->n; c++) {
            held_x += s->holds[c * s->n_tests + x];
            held_y += s->holds[c * s->n_tests + y];
        }
        n_before += s->weights[y] > s->weights[x] ||
                    (s->weights[y] == s->weights[x] &&
                     (held_y > held_x || (held_y == held_x && y < x)));
    }
    return s->weights[x] > 0 && n_before < SELECT_TOP_TESTS;
}

static double score(const struct small *s, enum selector selector, uint32_t c,
                    const uint32_t *pool, size_t n)
{
    double same_program = 0;
    double same_behaviour = 0;
    double top = 0;

    for (size_t i = 0; i < n; i++) {
        same_program += s->programs[pool[i]] == s->programs[c];
        same_behaviour += agree(s, pool[i], c);
    }
    for (uint32_t t = 0; t < s->n_tests; t++) {
        top += s->holds[c * s->n_tests + t] && is_top(s, t);
    }
    switch ((int)selector) {
    case SELECT_MAJORITY:
        return same_program;
    case SELECT_MAJORITY_OUTPUT:
        return same_behaviour;
    case SELECT_TESTS:
    case SELECT_CODET_TESTS:
        return passed(s, c);
    case SELECT_CODET:
        return sqrt(same_behaviour) * passed(s, c);
    case SELECT_CODET_PRODUCT:
        return same_behaviour * passed(s, c);
    case SELECT_CODET_SOLUTIONS:
        return passed(s, c) > 0 ? same_behaviour : 0;
    case SELECT_CWM:
        return top * 10000 + same_program * 100 - (double)s->n_tokens[c];
    case SELECT_ORACLE:
        return s->is_right[c];
    default:
        return 0;
    }
}

static double naive_top(const struct small *s, enum selector selector,
                        const uint32_t *pool, size_t n)
{
    double best = -1e9;
    double n_best = 0;
    double n_right = 0;

    for (size_t i = 0; i < n; i++) {
        double got = score(s, selector, pool[i], pool, n);

        if (got > best + 1e-9) {
            best = got;
            n_best = 0;
            n_right = 0;
        }
        if (got > best - 1e-9) {
            n_best++;
            n_right += s->is_right[pool[i]];
        }
    }
    return n_right / n_best;
}

/* The mean over all pools of k: what best@k is. */
static double naive_best(const struct small *s, enum selector selector,
                         uint32_t k)
{
    double sum = 0;
    double n_pools = 0;

    for (uint32_t members = 0; members < 1u << s->n; members++) {
        uint32_t pool[MAX_N];
        uint32_t n = 0;

        for (uint32_t i = 0; i < s->n; i++) {
            if (members >> i & 1) {
                pool[n++] = i;
            }
        }
        if (n == k) {
            sum += naive_top(s, selector, pool, n);
            n_pools++;
        }
    }
    return sum / n_pools;
}

static void top__is_what_the_definition_says_for_every_pool(void **state)
{
    struct draw d = draw_seed(5, 0);

    (void)state;
    for (int i = 0; i < 300; i++) {
        struct small s;
        struct select_input input;
        struct select_task *t;

        make_small(&d, &s);
        input = input_of(&s);
        t = task_of(&input);
        for (int selector = 0; selector < SELECT_N; selector++) {
            uint32_t pool[MAX_N];
            uint32_t n = 1 + draw_below(&d, s.n);

            for (uint32_t j = 0; j < s.n; j++) {
                pool[j] = j;
            }
            draw_sample(&d, pool, s.n, n);
            if (selector != SELECT_PREDICT) {
                assert_near(selector_name((enum selector)selector),
                            select_top(t, (enum selector)selector, pool, n),
                            naive_top(&s, (enum selector)selector, pool, n));
            }
        }
        select_task_free(t);
    }
}

static void best__is_the_mean_over_all_pools(void **state)
{
    struct draw d = draw_seed(6, 0);
    int n_exact = 0;

    (void)state;
    for (int i = 0; i < 60; i++) {
        struct small s;
        struct select_input input;
        struct select_task *t;

        make_small(&d, &s);
        input = input_of(&s);
        t = task_of(&input);
        for (int selector = 0; selector < SELECT_N; selector++) {
            for (uint32_t k = 1; k <= s.n && selector != SELECT_PREDICT; k++) {
                double got = select_best_exact(t, (enum selector)selector, k);

                if (isnan(got)) {
                    assert_false(selector_is_fixed((enum selector)selector));
                    continue;
                }
                assert_near(selector_name((enum selector)selector), got,
                            naive_best(&s, (enum selector)selector, k));
                n_exact++;
            }
        }
        assert_near("best@k of an oracle is pass@k",
                    select_best_exact(t, SELECT_ORACLE, s.n),
                    passk_estimate(s.n, select_n_right(t), s.n));
        select_task_free(t);
    }
    assert_true(n_exact > 1000);
}

static void weights__are_as_if_the_task_had_them_from_the_start(void **state)
{
    struct draw d = draw_seed(7, 0);

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct small s;
        struct select_input input;
        struct select_task *late;
        struct select_task *early;
        uint32_t first[MAX_TESTS];

        make_small(&d, &s);
        memcpy(first, s.weights, sizeof first);
        for (uint32_t t = 0; t < s.n_tests; t++) {
            s.weights[t] = draw_below(&d, 4);
        }
        input = input_of(&s);
        late = task_of(&input);
        select_set_weights(late, first);
        input.weights = first;
        early = task_of(&input);
        for (int selector = 0; selector < SELECT_N; selector++) {
            enum selector which = (enum selector)selector;

            assert_near(selector_name(which),
                        select_best_exact(late, which, s.n),
                        select_best_exact(early, which, s.n));
        }
        select_task_free(late);
        select_task_free(early);
    }
}

/* Six candidates: two levels by CodeT, one that holds nothing. */
static const struct small by_hand = {
    .n = 6,
    .n_tests = 2,
    .rows = {0, 1, 2, 3, 4, 5},
    .holds = {1, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0},
    .weights = {1, 2},
    .programs = {1, 1, 2, 3, 4, 5},
    .n_tokens = {9, 8, 7, 6, 5, 4},
    .is_right = {1, 0, 0, 1, 0, 1},
};

static void codet__hands_in_one_of_each_level_and_round_again(void **state)
{
    struct select_input input = input_of(&by_hand);
    struct select_task *t = task_of(&input);
    double first = 1.0 / 2;  /* wrong: {0, 1}, T = 3, S = 2: 18 */
    double second = 2.0 / 3; /* wrong: {2, 3, 4}, T = 1, S = 3: 3 */

    (void)state;
    assert_near("1", select_pass_at(t, SELECT_CODET, 1), 1 - first);
    assert_near("2", select_pass_at(t, SELECT_CODET, 2), 1 - first * second);
    assert_near("3", select_pass_at(t, SELECT_CODET, 3),
                1 - first * first * second);
    assert_near("6", select_pass_at(t, SELECT_CODET, 6),
                1 - pow(first * second, 3));
    select_task_free(t);
}

static void codet__without_any_test_that_holds_is_random(void **state)
{
    struct small s = by_hand;
    struct select_input input = input_of(&s);
    struct select_task *t;

    (void)state;
    memset(s.holds, 0, sizeof s.holds);
    t = task_of(&input);
    for (size_t k = 1; k <= 6; k++) {
        assert_near("pass@k", select_pass_at(t, SELECT_CODET, k),
                    passk_estimate(6, 3, k));
    }
    select_task_free(t);
}

static void others__hand_in_the_first_k_with_draws_averaged(void **state)
{
    struct select_input input = input_of(&by_hand);
    struct select_task *t = task_of(&input);

    (void)state;
    assert_near("random", select_pass_at(t, SELECT_RANDOM, 2),
                passk_estimate(6, 3, 2));
    assert_near("tests, 1", select_pass_at(t, SELECT_TESTS, 1), 0.5);
    assert_near("tests, 2", select_pass_at(t, SELECT_TESTS, 2), 1);
    assert_near("oracle", select_pass_at(t, SELECT_ORACLE, 1), 1);
    /* 0 and 1 are one program; 1 has fewer tokens, and is wrong */
    assert_near("cwm", select_pass_at(t, SELECT_CWM, 1), 0);
    select_task_free(t);
}

static void cwm__takes_given_tests_before_generated_ones(void **state)
{
    struct small s = by_hand;
    uint8_t is_given[] = {0, 0, 1};
    struct select_input input;
    struct select_task *t;

    (void)state;
    /* the third test is given, and only candidate 5 holds it */
    s.n_tests = 3;
    for (uint32_t c = 0; c < 6; c++) {
        for (uint32_t i = 0; i < 2; i++) {
            s.holds[c * 3 + i] = by_hand.holds[c * 2 + i];
        }
        s.holds[c * 3 + 2] = c == 5;
    }
    s.weights[2] = 7; /* of no meaning */
    input = input_of(&s);
    input.is_given = is_given;
    t = task_of(&input);
    assert_near("cwm", select_pass_at(t, SELECT_CWM, 1), 1);
    assert_near("tests", select_pass_at(t, SELECT_TESTS, 1), 0.5);
    select_task_free(t);
}

static void cwm__passes_over_tests_that_were_filtered_out(void **state)
{
    uint8_t is_out[] = {1, 1};
    struct select_input input = input_of(&by_hand);
    struct select_task *t;

    (void)state;
    input.is_out = is_out;
    t = task_of(&input);
    /* nothing but the majority and its shorter sample is left */
    assert_near("cwm", select_pass_at(t, SELECT_CWM, 1), 0);
    assert_near("tests", select_pass_at(t, SELECT_TESTS, 1), 0.5);
    is_out[1] = 0;
    select_task_free(t);
    t = task_of(&input);
    assert_near("cwm", select_pass_at(t, SELECT_CWM, 2), 1);
    select_task_free(t);
}

static void predict__goes_by_what_is_foreseen_alone(void **state)
{
    struct small s = by_hand;
    uint8_t predicted[12] = {0, 0, 0, 0, 0, 0, 1, 1};
    struct select_input input = input_of(&s);
    struct select_task *t;

    (void)state;
    input.predicted = predicted;
    t = task_of(&input);
    assert_near("predict", select_pass_at(t, SELECT_PREDICT, 1), 1);
    assert_near("tests", select_pass_at(t, SELECT_TESTS, 1), 0.5);
    select_task_free(t);
}

static void outputs__decide_where_they_are_known(void **state)
{
    uint32_t outputs[] = {1, 2, 3, 3, 3, 4};
    struct select_input input = input_of(&by_hand);
    struct select_task *t;

    (void)state;
    input.outputs = outputs;
    t = task_of(&input);
    assert_near("majority-output", select_pass_at(t, SELECT_MAJORITY_OUTPUT, 1),
                1.0 / 3);
    select_task_free(t);
}

static void task__refuses_what_makes_no_sense(void **state)
{
    struct small s = by_hand;
    struct select_input input = input_of(&s);
    struct select_task *t = NULL;

    (void)state;
    s.rows[3] = 6;
    assert_int_equal(select_task_new(&input, &t, NULL), CWM_USAGE);
    s.rows[3] = 3;
    s.weights[0] = SELECT_MAX_WEIGHT;
    assert_int_equal(select_task_new(&input, &t, NULL), CWM_USAGE);
    input.n_candidates = 0;
    assert_int_equal(select_task_new(&input, &t, NULL), CWM_USAGE);
    assert_null(t);
}

static void selectors__are_found_by_name(void **state)
{
    (void)state;
    for (int i = 0; i < SELECT_N; i++) {
        const char *name = selector_name((enum selector)i);

        assert_int_equal(selector_find(name, strlen(name)), i);
        assert_true(strlen(selector_summary((enum selector)i)) > 0);
    }
    assert_int_equal(selector_find("codex", 5), SELECT_N);
    assert_int_equal(selector_find("code", 4), SELECT_N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top__is_what_the_definition_says_for_every_pool),
        cmocka_unit_test(best__is_the_mean_over_all_pools),
        cmocka_unit_test(weights__are_as_if_the_task_had_them_from_the_start),
        cmocka_unit_test(codet__hands_in_one_of_each_level_and_round_again),
        cmocka_unit_test(codet__without_any_test_that_holds_is_random),
        cmocka_unit_test(others__hand_in_the_first_k_with_draws_averaged),
        cmocka_unit_test(cwm__takes_given_tests_before_generated_ones),
        cmocka_unit_test(cwm__passes_over_tests_that_were_filtered_out),
        cmocka_unit_test(predict__goes_by_what_is_foreseen_alone),
        cmocka_unit_test(outputs__decide_where_they_are_known),
        cmocka_unit_test(task__refuses_what_makes_no_sense),
        cmocka_unit_test(selectors__are_found_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
