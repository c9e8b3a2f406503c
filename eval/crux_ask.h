/* SPDX-License-Identifier: MIT */
/*
 * crux_ask.h -- CRUXEval's questions put to a model.
 *
 * direct: a few examples and the question in words (eval/prompts/); what
 * comes before [END] is the answer, fences of code taken off.
 * trace (output only): the beginning of the call's trace, as code world models
 * were trained on it; the answer is the value that the predicted trace
 * returns.  A trace that ends before its entry has returned is no answer; what
 * max_tokens has cut is counted apart.
 */
#ifndef EVAL_CRUX_ASK_H
#define EVAL_CRUX_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "eval/ask.h"
#include "eval/cruxeval.h"
#include "eval/problem.h"

enum crux_style { CRUX_DIRECT, CRUX_TRACE };

struct crux_question {
    enum cruxeval_mode mode; /* not AUTO */
    enum crux_style style;
};

/* Append the prompt of one problem, and (trace) where its program lies in it.
 * Fails: CWM_USAGE (it has no code, or this style cannot ask for inputs),
 * CWM_FORMAT, CWM_NOMEM, CWM_LIMIT. */
enum cwm_rc crux_prompt(const struct problem *p, const struct crux_question *q,
                        struct cwm_buf *out, size_t *ret_context_at,
                        size_t *ret_context_len, struct cwm_err *err);

/* Append the answer in what a model wrote; *ret_found false: there is none. */
enum cwm_rc crux_answer(enum crux_style style, const char *text, size_t len,
                        struct cwm_buf *out, bool *ret_found,
                        struct cwm_err *err);

/* As ask_samples(); fails as crux_prompt(), too. */
enum cwm_rc crux_ask(const struct problem_set *problems,
                     const struct ask_settings *settings,
                     const struct crux_question *question,
                     struct sample_set *ret_samples,
                     struct ask_counts *ret_counts, struct cwm_err *err);

#endif /* EVAL_CRUX_ASK_H */
