/* SPDX-License-Identifier: MIT */
/*
 * judge_loop_rule.h -- what one instruction makes of values that grow
 * (judge_loop_growth.h).  CPython 3.11's instructions.
 *
 * Period number 0 is the one that is run; a tagged value is written here as
 * c + k t, in period t, with what it is now and its tag's step.
 */
#ifndef EVAL_WORKER_JUDGE_LOOP_RULE_H
#define EVAL_WORKER_JUDGE_LOOP_RULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#define LOOP_MAX_SLOTS 64
#define LOOP_MAX_STACK 64

enum loop_kind {
    LOOP_SAME,   /* in all periods; the zero */
    LOOP_NUMBER, /* an int that grows by `step`, which may be negative */
    LOOP_LIST,   /* the list of local `slot`; what it holds is not known */
    LOOP_SLICE,  /* from `step` to `end_step`, numbers or the same */
};

struct loop_tag {
    enum loop_kind kind;
    Py_ssize_t slot;
    int64_t step;
    int64_t end_step;
};

struct loop_rule {
    bool has_failed;
    bool has_names; /* of keywords, for the call that follows */
    struct loop_tag locals[LOOP_MAX_SLOTS];
    int64_t steps[LOOP_MAX_SLOTS]; /* supposed; of a list: elements */
    struct loop_tag stack[LOOP_MAX_STACK];
    Py_ssize_t depth; /* expected; -1: not known, and no tag is there */
    uint64_t n_bytes; /* at most that much the lists took */
};

/* Once, when the interpreter is warm.  False: a Python error is set. */
bool loop_rule_prepare(void);

/* An int that is not too large; a bool is none. */
bool loop_rule_number(PyObject *value, int64_t *ret_number);

/* `locals` and `steps` are set. */
void loop_rule_begin(struct loop_rule *r, Py_ssize_t depth);
/* The instruction is about to be run on `stack`, borrowed. */
void loop_rule_step(struct loop_rule *r, PyObject *const *stack,
                    Py_ssize_t depth, unsigned operation, unsigned arg);
/* False: something on the stack grows. */
bool loop_rule_end(struct loop_rule *r, Py_ssize_t depth);

#endif /* EVAL_WORKER_JUDGE_LOOP_RULE_H */
