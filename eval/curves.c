/* SPDX-License-Identifier: MIT */
/* curves.c -- see curves.h. */
#include "eval/curves.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "eval/draw.h"

enum { STREAM_CANDIDATES = 1, STREAM_TESTS = 2 };

/* What is worked with; the arrays lie in struct curves or are scratch. */
struct work {
    const struct curves_options *o;
    const struct curves_task *tasks;
    size_t n;
    double *pass, *tests; /* [selector][k or m][task]; owned */
    double *best;         /* the same; struct curves owns it */
    /* [selector][k or m] variances of the means over draws, summed over
     * tasks; owned */
    double *best_variance, *tests_variance;
    uint32_t *order;   /* [most candidates, or weight]; owned */
    uint32_t *columns; /* [most weight]; owned */
    uint32_t *weights; /* [most tests]; owned */
    double *sums;      /* [selector][point][2]; owned */
};

static size_t at_point(size_t s, size_t n_points, size_t point, size_t n,
                       size_t task)
{
    return (s * n_points + point) * n + task;
}

/* ---- one task ---- */

static size_t pool_size(const struct select_task *t, size_t k)
{
    size_t n = select_n_candidates(t);

    return k < n ? k : n;
}

/* The figures of draws become a mean, and the variance that it still has. */
static void end_draws(const double *sums, size_t n_draws, double *ret_mean,
                      double *variance)
{
    double n = (double)n_draws;
    double mean = sums[0] / n;
    double spread = sums[1] / n - mean * mean;

    *ret_mean = mean;
    if (n_draws > 1 && spread > 0) {
        *variance += spread / (n - 1);
    }
}

static void add_draw(double *sums, double value)
{
    sums[0] += value;
    sums[1] += value * value;
}

static void begin_draws(struct work *w, uint32_t n)
{
    memset(w->sums, 0,
           w->o->n_selectors * CURVES_MAX_POINTS * 2 * sizeof *w->sums);
    for (uint32_t i = 0; i < n; i++) {
        w->order[i] = i;
    }
}

static double *sums_of(struct work *w, size_t s, size_t point)
{
    return w->sums + (s * CURVES_MAX_POINTS + point) * 2;
}

/* Every selector that needs it, on the first k of one random order. */
static void draw_pools(struct work *w, struct select_task *t, struct draw *d)
{
    const struct curves_options *o = w->o;
    uint32_t n = (uint32_t)select_n_candidates(t);

    draw_sample(d, w->order, n, n);
    for (size_t point = 0; point < o->n_ks; point++) {
        size_t k = o->ks[point];

        for (size_t s = 0; s < o->n_selectors && k > 1 && k < n; s++) {
            if (!selector_is_fixed(o->selectors[s])) {
                add_draw(sums_of(w, s, point),
                         select_top(t, o->selectors[s], w->order, k));
            }
        }
    }
}

static bool any_drawn(const struct curves_options *o)
{
    for (size_t s = 0; s < o->n_selectors; s++) {
        if (!selector_is_fixed(o->selectors[s])) {
            return true;
        }
    }
    return false;
}

static void score_pools(struct work *w, size_t task)
{
    const struct curves_options *o = w->o;
    struct select_task *t = w->tasks[task].select;
    struct draw d =
        draw_seed(o->bootstrap.seed + STREAM_CANDIDATES, (uint64_t)task);

    begin_draws(w, (uint32_t)select_n_candidates(t));
    for (size_t i = 0; i < o->n_draws && any_drawn(o); i++) {
        draw_pools(w, t, &d);
    }
    for (size_t s = 0; s < o->n_selectors; s++) {
        for (size_t point = 0; point < o->n_ks; point++) {
            size_t at = at_point(s, o->n_ks, point, w->n, task);
            size_t k = o->ks[point];

            w->best[at] =
                select_best_exact(t, o->selectors[s], pool_size(t, k));
            if (isnan(w->best[at])) {
                end_draws(sums_of(w, s, point), o->n_draws, &w->best[at],
                          &w->best_variance[s * o->n_ks + point]);
            }
            w->pass[at] = k <= select_n_candidates(t)
                              ? select_pass_at(t, o->selectors[s], k)
                              : (double)NAN;
        }
    }
}

/* ---- fewer tests ---- */

/* columns[]: every generated test, as often as it was generated. */
static uint32_t spread_tests(const uint32_t *weights, size_t n,
                             uint32_t *columns)
{
    uint32_t n_columns = 0;

    for (size_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < weights[i]; j++) {
            columns[n_columns++] = (uint32_t)i;
        }
    }
    return n_columns;
}

static double top_of_all(struct select_task *t, enum selector s)
{
    return select_best_exact(t, s, select_n_candidates(t));
}

static void draw_tests(struct work *w, struct select_task *t, struct draw *d,
                       uint32_t n_columns, size_t n_tests)
{
    const struct curves_options *o = w->o;
    uint32_t n_in = 0;

    draw_sample(d, w->columns, n_columns, n_columns);
    memset(w->weights, 0, n_tests * sizeof *w->weights);
    for (size_t point = 0; point < o->n_ms; point++) {
        for (; n_in < o->ms[point] && n_in < n_columns; n_in++) {
            w->weights[w->columns[n_in]]++;
        }
        select_set_weights(t, w->weights);
        for (size_t s = 0; s < o->n_selectors; s++) {
            add_draw(sums_of(w, s, point), top_of_all(t, o->selectors[s]));
        }
    }
}

static void score_tests(struct work *w, size_t task)
{
    const struct curves_options *o = w->o;
    struct select_task *t = w->tasks[task].select;
    struct draw d = draw_seed(o->bootstrap.seed + STREAM_TESTS, (uint64_t)task);
    size_t n_tests = 0;
    const uint32_t *weights = select_weights(t, &n_tests);
    uint32_t n_columns = spread_tests(weights, n_tests, w->columns);

    begin_draws(w, 0);
    for (size_t i = 0; i < o->n_test_draws; i++) {
        draw_tests(w, t, &d, n_columns, n_tests);
    }
    select_set_weights(t, weights);
    for (size_t s = 0; s < o->n_selectors; s++) {
        for (size_t point = 0; point < o->n_ms; point++) {
            end_draws(sums_of(w, s, point), o->n_test_draws,
                      &w->tests[at_point(s, o->n_ms, point, w->n, task)],
                      &w->tests_variance[s * o->n_ms + point]);
        }
    }
}

/* ---- all of them ---- */

static enum cwm_rc score_tasks(struct work *w, struct cwm_err *err)
{
    for (size_t task = 0; task < w->n; task++) {
        if (cwm_is_cancelled(w->o->cancel)) {
            return CWM_FAIL(err, CWM_CANCELLED, "stopped on request");
        }
        if (w->tasks[task].select) {
            score_pools(w, task);
            if (w->o->n_ms > 0) {
                score_tests(w, task);
            }
        }
    }
    return CWM_OK;
}

/* Rows of scores become points; one without a figure has none. */
static enum cwm_rc make_points(const struct work *w, const double *rows,
                               const double *variances, size_t n_points,
                               struct curves_point *points, struct cwm_err *err)
{
    struct passk_interval *intervals; /* owned */
    enum cwm_rc rc = CWM_OK;

    if (n_points == 0) {
        return CWM_OK;
    }
    intervals = cwm_calloc(n_points, sizeof *intervals);
    if (!intervals) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu intervals",
                        n_points);
    }
    rc =
        passk_intervals(rows, n_points, w->n, &w->o->bootstrap, intervals, err);
    for (size_t i = 0; i < n_points && rc == CWM_OK; i++) {
        points[i].score = intervals[i];
        points[i].error = variances ? sqrt(variances[i]) / (double)w->n : 0;
        if (isnan(intervals[i].mean)) {
            points[i].score.low = points[i].score.high = (double)NAN;
        }
    }
    cwm_free(intervals);
    return rc;
}

static void sum_costs(const struct work *w, struct curves *c)
{
    const struct curves_options *o = w->o;

    for (size_t i = 0; i < c->n_selectors * c->n_ks; i++) {
        enum select_looks looks = selector_looks(o->selectors[i / c->n_ks]);
        struct curves_cost *cost = &c->cost[i];

        for (size_t task = 0; task < w->n; task++) {
            const struct curves_task *t = &w->tasks[task];
            size_t k = t->select ? pool_size(t->select, o->ks[i % c->n_ks]) : 0;

            cost->tokens += (double)k * t->sample_tokens;
            if (looks != SELECT_LOOKS_NOT) {
                cost->tokens += t->tests_tokens;
            }
            if (looks == SELECT_LOOKS_AT_RUNS) {
                cost->cpu_s += (double)k * t->sample_cpu_s;
            } else if (looks == SELECT_LOOKS_AT_FORESIGHT) {
                cost->tokens += (double)k * t->foresight_tokens;
                cost->cpu_s += (double)k * t->foresight_cpu_s;
            }
        }
        cost->tokens /= (double)w->n;
        cost->cpu_s /= (double)w->n;
        cost->time_to_solution_s =
            o->tokens_per_s > 0 ? cost->tokens / o->tokens_per_s + cost->cpu_s
                                : (double)NAN;
    }
}

static bool allocate(struct work *w, struct curves *c)
{
    size_t most_candidates = 1;
    size_t most_weight = 1;
    size_t most_tests = 1;
    size_t n_best = c->n_selectors * c->n_ks;
    size_t n_tests = c->n_selectors * c->n_ms;

    for (size_t i = 0; i < w->n; i++) {
        const struct select_task *t = w->tasks[i].select;
        size_t n = 0;
        const uint32_t *weights = t ? select_weights(t, &n) : NULL;
        size_t weight = 0;

        for (size_t j = 0; j < n; j++) {
            weight += weights[j];
        }
        most_tests = n > most_tests ? n : most_tests;
        most_weight = weight > most_weight ? weight : most_weight;
        n = t ? select_n_candidates(t) : 0;
        most_candidates = n > most_candidates ? n : most_candidates;
        c->n_empty += n == 0;
        if (n > 0 && (c->least_candidates == 0 || n < c->least_candidates)) {
            c->least_candidates = n;
        }
    }
    c->pass = cwm_calloc(n_best, sizeof *c->pass);
    c->best = cwm_calloc(n_best, sizeof *c->best);
    c->cost = cwm_calloc(n_best, sizeof *c->cost);
    c->tests = cwm_calloc(n_tests, sizeof *c->tests);
    c->best_of_task = cwm_calloc(n_best * w->n, sizeof *c->best_of_task);
    w->best = c->best_of_task;
    w->pass = cwm_calloc(n_best * w->n, sizeof *w->pass);
    w->tests = cwm_calloc(n_tests * w->n, sizeof *w->tests);
    w->best_variance = cwm_calloc(n_best, sizeof *w->best_variance);
    w->tests_variance = cwm_calloc(n_tests, sizeof *w->tests_variance);
    w->order = cwm_calloc(most_candidates, sizeof *w->order);
    w->columns = cwm_calloc(most_weight, sizeof *w->columns);
    w->weights = cwm_calloc(most_tests, sizeof *w->weights);
    w->sums =
        cwm_calloc(c->n_selectors * CURVES_MAX_POINTS * 2, sizeof *w->sums);
    return c->pass && c->best && c->cost && c->tests && c->best_of_task &&
           w->pass && w->tests && w->best_variance && w->tests_variance &&
           w->order && w->columns && w->weights && w->sums;
}

static void release_work(struct work *w)
{
    cwm_free(w->pass);
    cwm_free(w->tests);
    cwm_free(w->best_variance);
    cwm_free(w->tests_variance);
    cwm_free(w->order);
    cwm_free(w->columns);
    cwm_free(w->weights);
    cwm_free(w->sums);
}

static enum cwm_rc check_options(const struct curves_options *o, size_t n,
                                 struct cwm_err *err)
{
    if (n == 0 || o->n_selectors == 0 || o->n_ks == 0 || o->n_draws == 0 ||
        o->n_test_draws == 0) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot draw curves of %zu tasks, %zu selectors, %zu "
                        "values of k, %zu and %zu draws: each must be one at "
                        "least",
                        n, o->n_selectors, o->n_ks, o->n_draws,
                        o->n_test_draws);
    }
    for (size_t i = 0; i < o->n_ks + o->n_ms; i++) {
        const size_t *point = i < o->n_ks ? &o->ks[i] : &o->ms[i - o->n_ks];

        if (*point == 0 || (i > 0 && i != o->n_ks && point[-1] >= *point)) {
            return CWM_FAIL(err, CWM_USAGE,
                            "cannot draw a curve through %zu: points are 1 or "
                            "more, and rise",
                            *point);
        }
    }
    return CWM_OK;
}

enum cwm_rc curves_make(const struct curves_task *tasks, size_t n,
                        const struct curves_options *options,
                        struct curves *ret_curves, struct cwm_err *err)
{
    struct curves c = {.n_tasks = n,
                       .n_selectors = options->n_selectors,
                       .n_ks = options->n_ks,
                       .n_ms = options->n_ms};
    struct work w = {.o = options, .tasks = tasks, .n = n};
    enum cwm_rc rc = check_options(options, n, err);

    if (rc == CWM_OK && !allocate(&w, &c)) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold curves of %zu tasks", n);
    }
    if (rc == CWM_OK) {
        rc = score_tasks(&w, err);
    }
    if (rc == CWM_OK) {
        rc = make_points(&w, w.best, w.best_variance, c.n_selectors * c.n_ks,
                         c.best, err);
    }
    if (rc == CWM_OK) {
        rc = make_points(&w, w.pass, NULL, c.n_selectors * c.n_ks, c.pass, err);
    }
    if (rc == CWM_OK) {
        rc = make_points(&w, w.tests, w.tests_variance, c.n_selectors * c.n_ms,
                         c.tests, err);
    }
    if (rc == CWM_OK) {
        sum_costs(&w, &c);
        *ret_curves = c;
    } else {
        curves_release(&c);
    }
    release_work(&w);
    return rc;
}

void curves_release(struct curves *c)
{
    cwm_free(c->pass);
    cwm_free(c->best);
    cwm_free(c->tests);
    cwm_free(c->cost);
    cwm_free(c->best_of_task);
    *c = (struct curves){.n_tasks = 0};
}
