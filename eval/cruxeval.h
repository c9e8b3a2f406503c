/* SPDX-License-Identifier: MIT */
/*
 * cruxeval.h -- CRUXEval's generations, run.
 *
 * output: f and its input were shown, a generation is the output's text.
 * input: f and its output were shown, a generation is a call of f.
 *
 * strict: a generation is evaluated in a process that has neither f nor the
 * right value, and what it is worth is decided in another one; a generation
 * that is no answer of the asked form failed.  (A call of f is no output, and
 * an input's arguments are evaluated before f is there.)
 *
 * compat: as CRUXEval's own scorer has it.  `f` and the generation share a
 * process; generations that it refuses to run leave the denominator; a problem
 * of which none is right counts all of them again.
 */
#ifndef EVAL_CRUXEVAL_H
#define EVAL_CRUXEVAL_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "eval/execute.h"
#include "eval/matrix.h"
#include "eval/problem.h"

enum cruxeval_mode { CRUXEVAL_AUTO, CRUXEVAL_OUTPUT, CRUXEVAL_INPUT };

struct cruxeval_result {
    enum cruxeval_mode mode; /* which it was */
    size_t n_tasks;
    uint64_t *n_counted; /* owned: of each problem, generations that count */
    uint64_t *n_right;   /* owned */
    uint8_t *cells;      /* owned: of each sample, enum matrix_cell */
    uint64_t outcomes[MATRIX_N_CELLS]; /* generations that ended so */
    struct execute_counts counts;
};

/*
 * samples: the generations, sample_set_read().  AUTO takes the mode from what
 * most generations look like.  Fails as execute_all(); CWM_USAGE when these
 * are no CRUXEval problems.
 */
enum cwm_rc cruxeval_judge(const struct problem_set *problems,
                           const struct sample_set *samples,
                           enum cruxeval_mode mode,
                           const struct execute_options *options,
                           struct cruxeval_result *ret_result,
                           struct cwm_err *err);
void cruxeval_release(struct cruxeval_result *result);

/* pass@k of one problem: NAN where it cannot be told; compat: 1 where the
 * scorer's formula has it although there are too few. */
double cruxeval_pass(const struct cruxeval_result *result, size_t task,
                     uint64_t k, bool compat);

#endif /* EVAL_CRUXEVAL_H */
