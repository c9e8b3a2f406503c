/* SPDX-License-Identifier: MIT */
/*
 * bestk.h -- from samples, generated tests and their matrix to the curves.
 *
 *     bestk_set_make()   the samples, and to each task its reference solution
 *                        and a stub: all are run together, by execute_all()
 *     bestk_score()      filters, quality of the tests, selectors, curves
 *
 * References and stubs are no candidates: nothing is chosen from them.  A
 * reference that fails its task's own tests is not trusted.
 *
 * A program is normalised by its tokens: comments and layout do not count.
 * Where the samples do not say how many tokens they took, their number of
 * Python tokens stands for it, and `is_estimated` says so.
 */
#ifndef EVAL_BESTK_H
#define EVAL_BESTK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "eval/curves.h"
#include "eval/filter.h"
#include "eval/foresee.h"
#include "eval/matrix.h"
#include "eval/problem.h"

struct bestk_set {
    struct sample_set all; /* list is owned, texts are borrowed but stubs' */
    size_t n_real;         /* candidates; behind them references, then stubs */
    size_t n_references;
};

/* Problems and samples are borrowed until the release.  Fails: CWM_NOMEM. */
enum cwm_rc bestk_set_make(const struct problem_set *problems,
                           const struct sample_set *samples,
                           struct bestk_set *ret_set, struct cwm_err *err);
void bestk_set_release(struct bestk_set *set);

struct bestk_options {
    struct curves_options curves; /* n_ms 0: chosen by the tests there are */
    /*
     * As CodeT's own code: it writes all tests of a task into one function,
     * and where one of them cannot stand in a function (`import *`) none of
     * the task's holds for anyone.
     */
    bool compat;
    bool filter; /* selectors see filtered tests only, not CWM's alone */
    const struct foreseen *foreseen; /* of the matrix; borrowed; NULL: no
                                        selector looks at it */
};

struct bestk_result {
    struct curves_options options; /* as used */
    struct curves curves;          /* owned */
    struct filter_sums tests;
    size_t n_tasks, n_candidates, n_programs, n_right;
    size_t n_bad_references;
    size_t n_spoilt; /* compat: tasks in which no test holds for that reason */
    bool is_estimated; /* numbers of tokens */
};

/*
 * The matrix is of the set's samples and of these tests.  Fails: as
 * curves_make(), CWM_USAGE (more candidates or tests than can be).
 */
enum cwm_rc bestk_score(const struct problem_set *problems,
                        const struct bestk_set *set,
                        const struct generated_set *tests,
                        const struct matrix *matrix,
                        const struct bestk_options *options,
                        struct bestk_result *ret_result, struct cwm_err *err);
void bestk_result_release(struct bestk_result *r);

#endif /* EVAL_BESTK_H */
