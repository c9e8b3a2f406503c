/* SPDX-License-Identifier: MIT */
/*
 * trace_prompt.h -- the beginning of a trace's text as tokens: what a model is
 * given to predict the rest.
 *
 * The same tokens as those of whole traces in training: the special ones by
 * id, and each piece of text between them encoded by itself.
 *
 * Threads: an encoder is used by one thread at a time.
 */
#ifndef CWM_MODEL_TRACE_PROMPT_H
#define CWM_MODEL_TRACE_PROMPT_H

#include <stddef.h>

#include "cwm/base/err.h"
#include "cwm/model/trace_vocab.h"

/*
 * Append <|begin_of_text|><|trace_context_start|>CONTEXT<|frame_sep|>.  Fails:
 * CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc trace_prompt_context(const struct trace_vocab *v,
                                 struct tokenizer_encoder *e,
                                 const char *context, size_t len,
                                 struct token_ids *out, struct cwm_err *err);

/* Append <|call_sep|>LOCALS<|action_sep|>SOURCE<|frame_sep|>; locals is JSON,
 * source without its line end.  Fails as above. */
enum cwm_rc trace_prompt_call(const struct trace_vocab *v,
                              struct tokenizer_encoder *e, const char *locals,
                              size_t locals_len, const char *source,
                              size_t source_len, struct token_ids *out,
                              struct cwm_err *err);

#endif /* CWM_MODEL_TRACE_PROMPT_H */
