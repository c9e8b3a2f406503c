/* SPDX-License-Identifier: MIT */
/*
 * curves.h -- what choosing among many is worth: over k, over tests, for what.
 *
 * Of every selector, over all tasks:
 *     pass@k   one of k candidates handed in is right; all are to choose from
 *     best@k   the one chosen from a random pool of k candidates is right
 *     tests    the one chosen from all candidates is right, when only m of
 *              the generated tests are there (drawn; equal ones count as
 *              often as they were generated)
 * best@k is exact where a selector's key depends on the candidate alone
 * (select.h), else the mean over `n_draws` random orders of the candidates,
 * whose first k are the pool: one order serves every k and every selector, so
 * that their differences are not noise of the draws.  `error` is the standard
 * error that the draws leave in a figure.
 *
 * Bands are bootstrap intervals over tasks (passk.h); all figures are drawn
 * with the same tasks.
 *
 * A task without candidates is right never and counts like any other.  k
 * larger than a task's candidates means all of them for best@k; for pass@k
 * the figure is NAN then.
 *
 * Seeded: the same tasks, options and seed give the same bits.
 */
#ifndef EVAL_CURVES_H
#define EVAL_CURVES_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "eval/passk.h"
#include "eval/select.h"

#define CURVES_MAX_POINTS 64

struct curves_task {
    struct select_task *select; /* borrowed; NULL: no candidate */
    /* What it costs, in the mean of its candidates, and of its tests: */
    double sample_tokens; /* of one candidate */
    double tests_tokens;  /* of all its samples of tests */
    double sample_cpu_s;  /* to run one candidate on all its tests */
    /* To foresee instead how one candidate does on them: */
    double foresight_tokens, foresight_cpu_s;
};

struct curves_options {
    enum selector selectors[SELECT_N];
    size_t n_selectors;
    size_t ks[CURVES_MAX_POINTS]; /* rising */
    size_t n_ks;
    size_t ms[CURVES_MAX_POINTS]; /* rising; numbers of tests */
    size_t n_ms;
    size_t n_draws;      /* of candidates; at least 1 */
    size_t n_test_draws; /* of tests; at least 1 */
    struct passk_bootstrap bootstrap;
    double tokens_per_s; /* of whatever generates; 0: not known */
    const volatile int *cancel;
};

struct curves_point {
    struct passk_interval score; /* NAN: cannot be told */
    double error;                /* of the draws; 0: exact */
};

/* In the mean of the tasks, for best@k. */
struct curves_cost {
    double tokens; /* candidates; tests, and their outcomes' prediction, where
                      the selector looks at them */
    double cpu_s;  /* of running candidates on tests, or of predicting it */
    double time_to_solution_s; /* one after the other; NAN: rate not known */
};

struct curves {
    size_t n_tasks;
    size_t n_empty; /* without a candidate */
    size_t n_selectors, n_ks, n_ms;
    size_t least_candidates; /* of a task that has some */
    /* Owned; [selector][k] and [selector][m], in the options' order: */
    struct curves_point *pass, *best, *tests;
    struct curves_cost *cost; /* of best */
    double *best_of_task;     /* [selector][k][task] */
};

/* Fails: CWM_USAGE (no task, no selector, no k), CWM_NOMEM, CWM_CANCELLED. */
enum cwm_rc curves_make(const struct curves_task *tasks, size_t n,
                        const struct curves_options *options,
                        struct curves *ret_curves, struct cwm_err *err);
void curves_release(struct curves *c);

#endif /* EVAL_CURVES_H */
