/* SPDX-License-Identifier: MIT */
/* problem_internal.h -- what the readers of problems, samples and tests
 * share. */
#ifndef EVAL_PROBLEM_INTERNAL_H
#define EVAL_PROBLEM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "cwm/base/json_in.h"
#include "eval/problem.h"

/* Called for every record: a line, or an element of an array.  `line` is its
 * first, from 1.  `record` may be no JSON at all. */
typedef enum cwm_rc (*problem__record)(void *ctx, struct json_in *record,
                                       uint64_t line, struct cwm_err *err);

/* A whole file: lines, one array, or one object over many lines. */
enum cwm_rc problem__each(const char *path, problem__record use, void *ctx,
                          struct cwm_err *err);

/* Space for one more item of `size` bytes, in the way of cwm_realloc(). */
bool problem__grow(void **list, size_t n, size_t *capacity, size_t size);

/* A copy of data[0..len); false: no memory. */
bool problem__copy(struct problem_text *text, const char *data, size_t len);
void problem__text_release(struct problem_text *text);
/* The member of that name, where it is a string; a number as its digits.
 * false: no memory.  Not there: `text` stays NULL. */
bool problem__member(struct json_in *record, const char *name,
                     struct problem_text *text);
/*
 * LiveCodeBench's packed tests: the text that they hold is appended.  False:
 * why[0..why_size) says what they are instead, or out->failed is set.
 */
bool problem__unpack(const char *text, size_t len, struct cwm_buf *out,
                     char *why, size_t why_size);
/*
 * p->test from EvalPlus' `base_input`, `plus_input`, `atol` and the canonical
 * solution; stays NULL where something of that is missing.  false: no memory.
 */
bool problem__plus_test(struct json_in *record, struct problem *p);
/* Elements {"input", "output"} of an array; *ret_call is set where one says
 * that it is a call.  false: no memory. */
bool problem__take_cases(struct json_in *list, struct problem *p,
                         bool *ret_call);
/* A record of LiveCodeBench's.  why[0..why_size): what of it cannot be read;
 * false: no memory. */
bool problem__livecode(struct json_in *record, struct problem *p, char *why,
                       size_t why_size);
/* Nothing but white space? */
bool problem__is_blank(const struct problem_text *text);

#endif /* EVAL_PROBLEM_INTERNAL_H */
