/* SPDX-License-Identifier: MIT */
/*
 * bench_select.c -- how long a matrix takes to be scored again: 164 tasks of
 * 100 candidates and 55 tests, every selector, best@k and pass@k for eight k,
 * seven numbers of tests, 1,000 bootstrap draws.  Prints CPU seconds.
 */
#include <stdio.h>
#include <time.h>

#include "eval/curves.h"
#include "tests/support/select_tasks.h"

enum { N = 164, N_CANDIDATES = 100, N_TESTS = 55, N_ROUNDS = 3 };

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int score(void)
{
    static struct made_task made[N];
    static struct curves_task tasks[N];
    struct curves_options o = {
        .n_ks = 8,
        .ks = {1, 2, 4, 8, 16, 32, 64, 100},
        .n_ms = 7,
        .ms = {1, 2, 5, 10, 20, 40, 60},
        .n_draws = 100,
        .n_test_draws = 20,
        .bootstrap = {.n_draws = 1000, .seed = 1, .confidence = 0.95}};
    struct draw d = draw_seed(1, 0);
    struct curves c;
    struct cwm_err err;

    for (int i = 0; i < SELECT_N; i++) {
        o.selectors[o.n_selectors++] = (enum selector)i;
    }
    for (int i = 0; i < N; i++) {
        struct select_input input;

        made_new(&made[i], &d, N_CANDIDATES, N_TESTS);
        input = made_input(&made[i]);
        if (select_task_new(&input, &tasks[i].select, &err) != CWM_OK) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
    }
    if (curves_make(tasks, N, &o, &c, &err) != CWM_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    curves_release(&c);
    for (int i = 0; i < N; i++) {
        select_task_free(tasks[i].select);
        made_free(&made[i]);
    }
    return 0;
}

int main(void)
{
    for (int i = 0; i < N_ROUNDS; i++) {
        double start = cpu_seconds();

        if (score() != 0) {
            return 1;
        }
        printf("%.3f s CPU\n", cpu_seconds() - start);
    }
    return 0;
}
