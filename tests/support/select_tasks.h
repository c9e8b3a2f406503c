/* SPDX-License-Identifier: MIT */
/*
 * select_tasks.h -- made-up tasks in the likeness of real ones: a few
 * behaviours share most candidates, some tests are wrong.
 */
#ifndef TESTS_SUPPORT_SELECT_TASKS_H
#define TESTS_SUPPORT_SELECT_TASKS_H

#include <stdint.h>
#include <stdlib.h>

#include "eval/draw.h"
#include "eval/select.h"

enum { MADE_BEHAVIOURS = 30 };

/* The arrays of one task; made_input() lends them. */
struct made_task {
    uint32_t n, n_tests;
    uint32_t *rows, *weights, *programs;
    uint64_t *n_tokens;
    uint8_t *holds, *is_right;
};

static inline void made_free(struct made_task *m)
{
    free(m->rows);
    free(m->weights);
    free(m->programs);
    free(m->n_tokens);
    free(m->holds);
    free(m->is_right);
}

static inline void made_fill(struct made_task *m, struct draw *d)
{
    uint32_t ease = draw_below(d, 100);

    for (uint32_t b = 0; b < MADE_BEHAVIOURS; b++) {
        for (uint32_t t = 0; t < m->n_tests; t++) {
            /* behaviour 0 is the right one; a third of the tests are wrong */
            m->holds[b * m->n_tests + t] =
                draw_below(d, 100) < (b == 0 ? 67 : 60 - b * 2);
        }
    }
    for (uint32_t t = 0; t < m->n_tests; t++) {
        m->weights[t] = 1 + draw_below(d, 2) * draw_below(d, 3);
    }
    for (uint32_t i = 0; i < m->n; i++) {
        uint32_t b = draw_below(d, 100) < ease / 2
                         ? 0
                         : 1 + draw_below(d, MADE_BEHAVIOURS - 1);

        m->rows[i] = b;
        m->is_right[i] = b == 0;
        m->programs[i] = b * 8 + draw_below(d, 8);
        m->n_tokens[i] = 20 + draw_below(d, 200);
    }
}

/* Aborts where memory is short: it is a test's. */
static inline void made_new(struct made_task *m, struct draw *d, uint32_t n,
                            uint32_t n_tests)
{
    m->n = n;
    m->n_tests = n_tests;
    m->rows = calloc(n, sizeof *m->rows);
    m->programs = calloc(n, sizeof *m->programs);
    m->n_tokens = calloc(n, sizeof *m->n_tokens);
    m->is_right = calloc(n, 1);
    m->weights = calloc(n_tests, sizeof *m->weights);
    m->holds = calloc(n_tests, MADE_BEHAVIOURS);
    if (!m->rows || !m->programs || !m->n_tokens || !m->is_right ||
        !m->weights || !m->holds) {
        abort();
    }
    made_fill(m, d);
}

static inline struct select_input made_input(const struct made_task *m)
{
    return (struct select_input){.n_candidates = m->n,
                                 .n_rows = MADE_BEHAVIOURS,
                                 .n_tests = m->n_tests,
                                 .rows = m->rows,
                                 .holds = m->holds,
                                 .weights = m->weights,
                                 .programs = m->programs,
                                 .n_tokens = m->n_tokens,
                                 .is_right = m->is_right};
}

#endif /* TESTS_SUPPORT_SELECT_TASKS_H */
