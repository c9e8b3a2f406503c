/* SPDX-License-Identifier: MIT */
/*
 * judge_loop_growth.h -- loops that never end although they never come back to
 * where they were: they only count, or make a list longer.
 *
 * From one arrival at a loop's head to a later one (a period) some whole
 * numbers changed by a fixed step, and some lists only became longer.  In the
 * next period every instruction is followed with what it does to such values:
 * numbers may be added, subtracted, compared where the outcome is the same for
 * all periods to come, and so on; lists may be appended to and counted.  All
 * else sees only what is the same in every period.  Where that period ends as
 * the one before did, one step on, so do all that follow, by induction.
 *
 * What is not known to be harmless ends the attempt.  A list that could use
 * up the memory before the time is over is no endless loop.
 *
 * CPython 3.11 only, whose instructions it knows.
 */
#ifndef EVAL_WORKER_JUDGE_LOOP_GROWTH_H
#define EVAL_WORKER_JUDGE_LOOP_GROWTH_H

#include "tracer/worker/pyframe.h"

#include <stdbool.h>
#include <stdint.h>

/* What a question may use; lists grow in it. */
struct loop_limits {
    uint64_t cpu_us;
    uint64_t memory_bytes;
};

/* Once, when the interpreter is warm.  False: a Python error is set. */
bool loop_growth_prepare(void);

/* Another frame, or none (NULL), is looked at. */
void loop_growth_reset(PyFrameObject *frame, const struct loop_limits *limits);
/* False: nothing can come of it any more. */
bool loop_growth_goes_on(void);
/* The instruction at `at` is about to be run in the frame. */
void loop_growth_step(PyFrameObject *frame, int at);
/* The same, and it is a loop's head, by a jump backwards.  Before _step().
 * True: the loop never ends. */
bool loop_growth_arrive(PyFrameObject *frame, int at);

/* An exception was raised in the frame, or came to it. */
void loop_growth_raise(void);

#endif /* EVAL_WORKER_JUDGE_LOOP_GROWTH_H */
