/* SPDX-License-Identifier: MIT */
/*
 * trace_vocab.h -- a tokenizer's words as pieces of traces: the special tokens
 * and, for every place inside a trace's JSON, the words that may come there.
 *
 * The JSON of a trace is the one that the renderers write (docs/formats.md):
 * `{"NAME": "TEXT", ...}` or one `"TEXT"`, ASCII, characters escaped where
 * they must be and no others, hex digits in lower case.  An automaton reads it
 * byte by byte; its states are few, so the words that each allows are found
 * once, when the vocabulary is made.
 *
 * Threads: does not change once it is there, and is shared.
 */
#ifndef CWM_MODEL_TRACE_VOCAB_H
#define CWM_MODEL_TRACE_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "cwm/model/tokenizer.h"

#define TRACE_TOKEN_TABLE(X)                                                   \
    X(BEGIN, "<|begin_of_text|>")                                              \
    X(END, "<|end_of_text|>")                                                  \
    X(FRAME, "<|frame_sep|>")                                                  \
    X(ACTION, "<|action_sep|>")                                                \
    X(RETURN, "<|return_sep|>")                                                \
    X(CALL, "<|call_sep|>")                                                    \
    X(LINE, "<|line_sep|>")                                                    \
    X(EXCEPTION, "<|exception_sep|>")                                          \
    X(ARG, "<|arg_sep|>")                                                      \
    X(CONTEXT, "<|trace_context_start|>")

enum trace_token {
#define TRACE_TOKEN_ENUM(id, text) TRACE_TOKEN_##id,
    TRACE_TOKEN_TABLE(TRACE_TOKEN_ENUM)
#undef TRACE_TOKEN_ENUM
        TRACE_N_TOKENS
};

struct trace_vocab; /* opaque: trace_vocab.c */

/*
 * For a model of n_words; `t` is borrowed and must outlive it.  Fails:
 * CWM_FORMAT (a special token is missing, or the model has fewer words than
 * the tokenizer), CWM_NOMEM.
 */
enum cwm_rc trace_vocab_new(const struct tokenizer *t, size_t n_words,
                            struct trace_vocab **ret_vocab,
                            struct cwm_err *err);
void trace_vocab_free(struct trace_vocab *v); /* NULL is fine */

const struct tokenizer *trace_vocab_tokenizer(const struct trace_vocab *v);
size_t trace_vocab_n_words(const struct trace_vocab *v);
uint32_t trace_vocab_id(const struct trace_vocab *v, enum trace_token token);
/* Which of them `id` is; TRACE_N_TOKENS: none. */
enum trace_token trace_vocab_token(const struct trace_vocab *v, uint32_t id);

/* A place inside the JSON. */
typedef uint8_t trace_json;
#define TRACE_JSON_DEAD   ((trace_json)0) /* nothing can make it whole */
#define TRACE_JSON_DONE   ((trace_json)1) /* whole: no byte may follow */
#define TRACE_JSON_OBJECT ((trace_json)2) /* before an object */
#define TRACE_JSON_TEXT   ((trace_json)3) /* before a string */

/* Behind the bytes of the word `id`; DEAD where it may not come. */
trace_json trace_vocab_step(const struct trace_vocab *v, trace_json at,
                            uint32_t id);
/* The words that may come at `at` (sample.h); borrowed. */
const uint64_t *trace_vocab_mask(const struct trace_vocab *v, trace_json at);

#endif /* CWM_MODEL_TRACE_VOCAB_H */
