/* SPDX-License-Identifier: MIT */
/*
 * trace_grammar.h -- which token may come next in the trace of a program.
 *
 * A trace's text (docs/formats.md, section 4) behind its context is read token
 * by token.  Held to are
 * - the order of the parts of a frame, and that the first frame is a `call` of
 *   the entry;
 * - the JSON of locals and values, byte for byte as the renderers write it;
 * - SOURCE: a line of the program that can follow.  A `call` is on a line that
 *   can begin a scope or where one can be resumed, any other event where the
 *   activation it belongs to can be next (tracer/source_flow.h).
 *
 * No true trace is refused.  A program that may meddle with its own tracing has
 * activations that come and go without a frame that says so: there any line of
 * the scopes called so far will do.  What is in a string is not looked at, nor
 * are names.
 *
 * Lines as tokens: a text can be written by many sequences of tokens, and a
 * model has seen one of them, the tokenizer's own.  The grammar allows of a
 * line the tokenizer's own tokens for LINE "\n" and no others.  With that a
 * line that is the only one left has one way to go on: what is forced has
 * probability 1 under the grammar, and appending it without asking the model
 * changes no distribution.  (Were any tokens that spell the line allowed, the
 * model would have to be asked how to cut it, and what comes later would
 * depend on the answer.)
 *
 * Threads: a grammar does not change and is shared; a state is one text's.
 */
#ifndef CWM_MODEL_TRACE_GRAMMAR_H
#define CWM_MODEL_TRACE_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "cwm/model/trace_vocab.h"
#include "tracer/source.h"

struct trace_grammar; /* of one program: trace_grammar.c */
struct trace_state;   /* how far one text is: trace_state.c */

/*
 * For the program `s` (not kept) and its entry, an index of source_defs(), or
 * -1: a script.  v is borrowed and must outlive the grammar.  Fails:
 * CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc trace_grammar_new(const struct trace_vocab *v,
                              const struct source *s, int entry,
                              struct trace_grammar **ret_grammar,
                              struct cwm_err *err);
void trace_grammar_free(struct trace_grammar *g); /* NULL is fine */
const struct trace_vocab *trace_grammar_vocab(const struct trace_grammar *g);

/* Behind the context's <|frame_sep|>; g is borrowed and must outlive it. */
enum cwm_rc trace_state_new(const struct trace_grammar *g,
                            struct trace_state **ret_state,
                            struct cwm_err *err);
void trace_state_free(struct trace_state *st); /* NULL is fine */

/*
 * Go on by one token.  *ret_allowed false: it may not come, and the state is
 * as it was.  Fails: CWM_NOMEM.
 */
enum cwm_rc trace_state_step(struct trace_state *st, uint32_t id,
                             bool *ret_allowed, struct cwm_err *err);

/* The only token that may come, where there is one. */
bool trace_state_forced(struct trace_state *st, uint32_t *ret_id);

/* Texts of lines that the SOURCE at hand may still be; 0 elsewhere.  For tests
 * and figures. */
size_t trace_state_n_lines(const struct trace_state *st);

/* The words that may come (sample.h); borrowed until the state's next call.
 * None behind <|end_of_text|>. */
const uint64_t *trace_state_mask(struct trace_state *st);

#endif /* CWM_MODEL_TRACE_GRAMMAR_H */
