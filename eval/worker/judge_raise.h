/* SPDX-License-Identifier: MIT */
/* judge_raise.h -- what the candidate says that it raised, raised here. */
#ifndef EVAL_WORKER_JUDGE_RAISE_H
#define EVAL_WORKER_JUDGE_RAISE_H

#include <Python.h>
#include <stdint.h>

#include "eval/worker/judge_value.h"

/*
 * Sets the exception of an answer [at, end): a class that every interpreter
 * has, made from what the candidate's was made from where it says the same
 * then, else from its text.
 */
void judge_raise(struct judge_side *side, const uint8_t *at,
                 const uint8_t *end);

#endif /* EVAL_WORKER_JUDGE_RAISE_H */
