/* SPDX-License-Identifier: MIT */
/*
 * judge_loop.h -- loops that never end are seen before their time is over.
 *
 * In the candidate's process: a call that takes long is looked at for a
 * moment, instruction by instruction.  Where a loop comes back to its head
 * with everything as it was the last time, and nothing of what it runs could
 * depend on anything else, it does so for ever.  That is exact, so the verdict
 * is what it would be at the limit; all else runs on as if nobody had looked.
 *
 * "Everything" is the function's locals with all that they hold, which must
 * be values of built-in types; "nothing else" is decided on the code, as for
 * plain tests (judge_plain.h): it and the functions it calls use no globals
 * but functions and constants, and make no classes.
 *
 * Like all in this process it is in the candidate's reach, who gains nothing:
 * what it says here is that he failed.
 *
 * CPython 3.9 to 3.11: later ones show instructions otherwise; there it does
 * nothing.
 */
#ifndef EVAL_WORKER_JUDGE_LOOP_H
#define EVAL_WORKER_JUDGE_LOOP_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

#include "eval/worker/judge_loop_growth.h"

/* Once, when the interpreter is warm.  False: a Python error is set. */
bool judge_loop_prepare(void);

/* Look from now on; `found` is called for a loop that never ends, and does
 * not return.  limits: of any question. */
void judge_loop_watch(void (*found)(void), const struct loop_limits *limits);
/* Another question: only what takes long for one is looked at. */
void judge_loop_next(void);

#endif /* EVAL_WORKER_JUDGE_LOOP_H */
