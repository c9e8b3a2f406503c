/* SPDX-License-Identifier: MIT */
/*
 * judge_value.h -- Python values as bytes, between candidate and tests.
 *
 * A value goes by its exact type: numbers, texts, the built-in containers, a
 * few of the library's types.  Of a subclass of a built-in type goes what the
 * built-in part holds, read without running its code: how a class compares,
 * prints or counts itself does not come along.  Anything else of the
 * candidate's stays with it and goes as a number; the tester holds a
 * `Remote` for it, which asks the candidate.
 *
 * Reading believes nothing: lengths are checked, depth is bounded, a class
 * comes from a table.
 */
#ifndef EVAL_WORKER_JUDGE_VALUE_H
#define EVAL_WORKER_JUDGE_VALUE_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/buf.h"

struct judge_side {
    bool is_agent; /* the candidate's side */
    /* The agent's: what it keeps for the tester. */
    PyObject *kept;    /* owned: a list, by number */
    PyObject *numbers; /* owned: a dict, address to number */
    PyObject *names;   /* borrowed: the candidate's namespace */
    /* The tester's: */
    PyObject *remotes;     /* owned: a dict, number to Remote */
    PyObject *remote_type; /* borrowed */
    uint64_t first;        /* number of this candidate's first object */
};

/* Once, when the interpreter is warm.  False: a Python error is set. */
bool judge_value_prepare(void);

/*
 * A Remote's number is `first` and what the candidate calls it, so that those
 * of other candidates, where there were some, are none of this one's.  False:
 * a Python error is set.
 */
bool judge_side_init(struct judge_side *side, bool is_agent,
                     PyObject *remote_type, uint64_t first);
void judge_side_release(struct judge_side *side);
/* The candidate's number of a Remote's; false: TypeError, it is another's. */
bool judge_side_number(const struct judge_side *side, uint64_t number,
                       uint32_t *ret_number);
/* False: a Python error is set (TypeError: cannot be sent). */
bool judge_value_write(struct judge_side *side, PyObject *value,
                       struct cwm_buf *out);
/* A new reference, or NULL with a Python error. */
PyObject *judge_value_read(struct judge_side *side, const uint8_t **at,
                           const uint8_t *end);

#endif /* EVAL_WORKER_JUDGE_VALUE_H */
