/* SPDX-License-Identifier: MIT */
/*
 * judge_loop_state.h -- what a function's frame holds, as bytes, so that two
 * moments can be compared; and whether its code looks at nothing else.
 */
#ifndef EVAL_WORKER_JUDGE_LOOP_STATE_H
#define EVAL_WORKER_JUDGE_LOOP_STATE_H

#include "tracer/worker/pyframe.h"

#include <stdbool.h>

#include "cwm/base/buf.h"

/*
 * The locals: equal bytes are equal values, with the same objects in the same
 * places.  False: something is there whose state cannot be known, or it is
 * too large.  No code is run, no error set.
 * left_out (NULL: none): a flag for each slot whose value does not count; it
 * must be nowhere else, if it is a container.
 */
bool loop_state_of(PyFrameObject *frame, const bool *left_out,
                   struct cwm_buf *out);
/* How many slots the frame's locals have. */
Py_ssize_t loop_state_n_slots(PyFrameObject *frame);

/*
 * Is what the frame's code does decided by its locals alone, also in the
 * functions that it calls?  No error is set.
 */
bool loop_state_is_all(PyFrameObject *frame);

/* Once, when the interpreter is warm.  False: a Python error is set. */
bool loop_state_prepare(void);

#endif /* EVAL_WORKER_JUDGE_LOOP_STATE_H */
