/* SPDX-License-Identifier: MIT */
/*
 * judge_tester.h -- the process that runs the tests.
 *
 * The candidate's code never runs in it.  What a test calls is a `Remote`,
 * which asks the candidate's process; what comes back are values of exact
 * types that this process made itself.  So a comparison is between the test's
 * value and bytes that were answered, whatever the candidate did to its own
 * interpreter, and the expected values are nowhere where it could look.
 *
 * Time is the candidate's CPU clock, read from outside.
 */
#ifndef EVAL_WORKER_JUDGE_TESTER_H
#define EVAL_WORKER_JUDGE_TESTER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

#include "eval/judge_request.h"
#include "sandbox/jail.h"

/* Once, when the interpreter is warm.  False: a Python error is set. */
bool judge_tester_prepare(void);

/* Run request's tests; verdicts into run->shared; the exit status. */
int judge_tester_run(const struct judge_request *request, struct jail_run *run);

/*
 * The same for one run after the other, of tests that leave nothing behind
 * (judge_plain.h); where they do, the run's state is JUDGE_UNATTENDED.
 */
int judge_tester_attend(struct jail_attendance *a);

#endif /* EVAL_WORKER_JUDGE_TESTER_H */
