/* SPDX-License-Identifier: MIT */
/*
 * steady.h -- generated tests whose outcome is chance.
 *
 * Such a test says one thing today and another tomorrow; one would choose by
 * the weather.  Tests are run a second time, with other hashes and other
 * random numbers: not on all candidates, which would cost as much again, but
 * on a few of each task that hold most of its tests between them.  A test
 * whose outcome differs for half or more of those that held it in one of the
 * runs is unsteady; where it differs for fewer, it is they who are.
 *
 * The second run is part of the matrix: a store has it, too.
 */
#ifndef EVAL_STEADY_H
#define EVAL_STEADY_H

#include "cwm/base/err.h"
#include "eval/execute.h"
#include "eval/matrix.h"
#include "eval/problem.h"

/*
 * The matrix is what execute_all() made of these with `options`; its tasks'
 * `unsteady` is filled.  Only samples[0..n_candidates) are looked at: the
 * truth is not.  *counts is added to.  Fails as execute_all().
 */
enum cwm_rc steady_mark(const struct problem_set *problems,
                        const struct sample_set *samples, size_t n_candidates,
                        const struct generated_set *tests,
                        const struct execute_options *options,
                        struct matrix *matrix, struct execute_counts *counts,
                        struct cwm_err *err);

#endif /* EVAL_STEADY_H */
