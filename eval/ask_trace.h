/* SPDX-License-Identifier: MIT */
/*
 * ask_trace.h -- the beginning of a trace as a question: what does main() of
 * this program do?
 *
 * The prompt is the program's context and the frame of main()'s call, as code
 * world models were trained on it; what a model writes behind it are the
 * frames that follow.
 */
#ifndef EVAL_ASK_TRACE_H
#define EVAL_ASK_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "eval/predicted.h"

/* What ends an answer. */
#define ASK_TRACE_STOP "<|end_of_text|>"

/*
 * Append the prompt for a program (text) that has a main() without arguments;
 * where its context lies in `out` is told for endpoint.h.  Fails: CWM_USAGE
 * (no such function), CWM_FORMAT, CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc ask_trace_prompt(const char *program, size_t len,
                             struct cwm_buf *out, size_t *ret_context_at,
                             size_t *ret_context_len, struct cwm_err *err);

/*
 * The call's frame and what a model wrote behind it as frames; `whole` keeps
 * the text that they borrow from.  Fails: as predicted_parse().
 */
enum cwm_rc ask_trace_read(const char *text, size_t len, struct cwm_buf *whole,
                           struct predicted *ret_predicted,
                           struct cwm_err *err);

/* Has the entry been left?  Then by the last frame, a return with a value. */
const struct predicted_frame *ask_trace_last(const struct predicted *p);

#endif /* EVAL_ASK_TRACE_H */
