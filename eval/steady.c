/* SPDX-License-Identifier: MIT */
/* steady.c -- see steady.h. */
#include "eval/steady.h"

#include <string.h>

#include "cwm/base/alloc.h"

enum {
    OTHER_SEED = 1,
    N_PROGRAMS = 4 /* of a task, run again; each costs as much as a candidate */
};

/* A candidate of the task's whose program is `row`, or n_candidates. */
static size_t candidate_of(const struct matrix_task *m, size_t row,
                           size_t n_candidates)
{
    size_t c = 0;

    while (c < m->n_candidates &&
           (m->programs[c] != row || m->samples[c] >= n_candidates)) {
        c++;
    }
    return c;
}

/* Tests that the program holds and that none of those chosen does. */
static size_t gain_of(const struct matrix_task *m, size_t row,
                      const uint8_t *is_held)
{
    size_t n = 0;

    for (size_t t = 0; t < m->n_tests; t++) {
        n += m->cells[row * m->n_tests + t] == MATRIX_PASS && !is_held[t];
    }
    return n;
}

/* Adds the task's programs that are run again, at most N_PROGRAMS. */
static enum cwm_rc choose(const struct matrix_task *m, size_t task,
                          const struct sample_set *samples, size_t n_candidates,
                          struct sample_set *chosen, struct cwm_err *err)
{
    uint8_t *is_held = cwm_calloc(m->n_tests + 1, 1); /* owned */

    if (!is_held) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a task's tests");
    }
    for (size_t k = 0; k < N_PROGRAMS && m->n_tests > 0; k++) {
        size_t best_gain = 0;
        size_t best = m->n_candidates;

        for (size_t row = 0; row < m->n_programs; row++) {
            size_t c = candidate_of(m, row, n_candidates);
            size_t gain = c < m->n_candidates ? gain_of(m, row, is_held) : 0;

            if (gain > best_gain) {
                best_gain = gain;
                best = c;
            }
        }
        if (best == m->n_candidates) {
            break;
        }
        for (size_t t = 0; t < m->n_tests; t++) {
            is_held[t] |= matrix_holds(m, best, t);
        }
        chosen->list[chosen->n++] = samples->list[m->samples[best]];
        chosen->n_of_task[task]++;
    }
    cwm_free(is_held);
    return CWM_OK;
}

/* The row in `m` of the program that is row `row` in `again`. */
static size_t row_of(const struct matrix_task *m, const struct matrix_task *a,
                     size_t row, const struct sample_set *samples,
                     const struct sample_set *chosen)
{
    for (size_t c = 0; c < a->n_candidates; c++) {
        const struct sample *one = &chosen->list[a->samples[c]];

        for (size_t k = 0; a->programs[c] == row && k < m->n_candidates; k++) {
            if (samples->list[m->samples[k]].text.data == one->text.data) {
                return m->programs[k];
            }
        }
    }
    return m->n_programs;
}

/* Both have the same tests in the same order. */
static void compare(struct matrix_task *m, const struct matrix_task *a,
                    const struct sample_set *samples,
                    const struct sample_set *chosen)
{
    for (size_t t = 0; t < m->n_tests; t++) {
        size_t n_held = 0;
        size_t n_differ = 0;

        for (size_t row = 0; row < a->n_programs; row++) {
            size_t first = row_of(m, a, row, samples, chosen);
            bool before = first < m->n_programs &&
                          m->cells[first * m->n_tests + t] == MATRIX_PASS;
            bool after = a->cells[row * a->n_tests + t] == MATRIX_PASS;

            n_held += before || after;
            n_differ += before != after;
        }
        m->unsteady[t] = n_differ > 0 && 2 * n_differ >= n_held;
    }
}

static enum cwm_rc choose_all(const struct matrix *matrix,
                              const struct sample_set *samples,
                              size_t n_candidates, struct sample_set *chosen,
                              struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    chosen->n_tasks = matrix->n;
    chosen->list = cwm_calloc(matrix->n * N_PROGRAMS + 1, sizeof *chosen->list);
    chosen->n_of_task = cwm_calloc(matrix->n + 1, sizeof *chosen->n_of_task);
    if (!chosen->list || !chosen->n_of_task) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold the samples");
    }
    for (size_t i = 0; i < matrix->n && rc == CWM_OK; i++) {
        struct matrix_task *m = &matrix->tasks[i];

        m->unsteady = cwm_calloc(m->n_tests + 1, 1);
        rc = m->unsteady
                 ? choose(m, i, samples, n_candidates, chosen, err)
                 : CWM_FAIL(err, CWM_NOMEM, "could not hold a task's tests");
    }
    return rc;
}

enum cwm_rc steady_mark(const struct problem_set *problems,
                        const struct sample_set *samples, size_t n_candidates,
                        const struct generated_set *tests,
                        const struct execute_options *options,
                        struct matrix *matrix, struct execute_counts *counts,
                        struct cwm_err *err)
{
    struct sample_set chosen = {.list = NULL}; /* texts are borrowed */
    struct execute_options how = *options;
    struct execute_counts more;
    struct matrix again;
    enum cwm_rc rc = choose_all(matrix, samples, n_candidates, &chosen, err);

    how.with_own = false;
    how.hash_seed = OTHER_SEED;
    if (rc == CWM_OK) {
        rc = execute_all(problems, &chosen, tests, &how, &again, &more, err);
    }
    if (rc == CWM_OK) {
        for (size_t i = 0; i < matrix->n; i++) {
            compare(&matrix->tasks[i], &again.tasks[i], samples, &chosen);
        }
        counts->n_run += more.n_run;
        counts->n_again += more.n_again;
        counts->cpu_us += more.cpu_us;
        matrix_release(&again);
    }
    cwm_free(chosen.list);
    cwm_free(chosen.n_of_task);
    return rc;
}
