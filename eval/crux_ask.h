/* SPDX-License-Identifier: MIT */
/*
 * crux_ask.h -- CRUXEval's questions put to a model behind an endpoint.
 *
 * direct: a few examples and the question in words (eval/prompts/); what
 * comes before [END] is the answer, fences of code taken off.
 * trace (output only): the beginning of the call's trace, as code world models
 * were trained on it; the answer is the value that the predicted trace
 * returns.  A trace that ends before its entry has returned is no answer; what
 * max_tokens has cut is counted apart.
 *
 * Every problem gets as many samples as were asked for.  What did not come,
 * or is no answer, is an empty sample, which fails: nothing leaves the
 * denominator.
 */
#ifndef EVAL_CRUX_ASK_H
#define EVAL_CRUX_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "eval/cruxeval.h"
#include "eval/endpoint.h"
#include "eval/problem.h"

enum crux_style { CRUX_DIRECT, CRUX_TRACE };

struct crux_ask_options {
    struct endpoint_options endpoint;
    const char *model;
    enum cruxeval_mode mode; /* not AUTO */
    enum crux_style style;
    bool is_chat;
    uint32_t n;          /* samples of each problem; at least 1 */
    uint32_t max_tokens; /* 0: as the server will */
    double temperature, top_p;
    bool has_seed;
    uint64_t seed;
};

struct crux_ask_counts {
    struct endpoint_counts endpoint; /* requests: one for each problem */
    uint64_t n_missing;              /* samples that did not come */
    uint64_t n_no_answer;            /* came, but there is no answer in them */
    uint64_t n_out_of_budget;        /* of those: cut by max_tokens */
};

/* Append the prompt of one problem.  Fails: CWM_USAGE (it has no code, or
 * this style cannot ask for inputs), CWM_FORMAT, CWM_NOMEM, CWM_LIMIT. */
enum cwm_rc crux_prompt(const struct problem *p, enum cruxeval_mode mode,
                        enum crux_style style, struct cwm_buf *out,
                        struct cwm_err *err);

/* Append the answer in what a model wrote; *ret_found false: there is none. */
enum cwm_rc crux_answer(const struct problem *p, enum crux_style style,
                        const char *text, size_t len, struct cwm_buf *out,
                        bool *ret_found, struct cwm_err *err);

/*
 * On success the samples are the caller's.  Fails as endpoint_open(),
 * endpoint_ask(), crux_prompt().
 */
enum cwm_rc crux_ask(const struct problem_set *problems,
                     const struct crux_ask_options *options,
                     struct sample_set *ret_samples,
                     struct crux_ask_counts *ret_counts, struct cwm_err *err);

#endif /* EVAL_CRUX_ASK_H */
