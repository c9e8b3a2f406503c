/* SPDX-License-Identifier: MIT */
/* trace_grammar_internal.h -- a program as its lines' tokens. */
#ifndef CWM_MODEL_TRACE_GRAMMAR_INTERNAL_H
#define CWM_MODEL_TRACE_GRAMMAR_INTERNAL_H

#include "cwm/model/trace_grammar.h"
#include "tracer/source_flow.h"

/* The lines first..last of the program, 1-based; of a scope. */
struct line_range {
    uint32_t first;
    uint32_t last;
};

/* Lines of the program that have the same text. */
struct line_text {
    size_t token_at; /* in tokens */
    uint32_t n_tokens;
    uint32_t number_at; /* in numbers */
    uint32_t n_numbers;
    bool begins_scope; /* a `call` can be on it */
    bool begins_entry; /* the first one can */
};

struct trace_grammar {
    const struct trace_vocab *v; /* borrowed */
    struct line_text *texts;     /* owned; sorted by tokens */
    uint32_t n_texts;
    struct token_ids tokens;
    uint32_t *numbers;         /* owned; of each text, ascending */
    struct line_range *ranges; /* owned; [n_lines + 1]: of the definition that
                                  the line is in, the innermost */
    uint32_t n_lines;
    struct source_flow *flow; /* owned; NULL where it is loose */
    /* Scopes may be left and resumed unseen: there is no stack to rely on, and
     * any line of the scopes called so far will do. */
    bool is_loose;
    bool is_script;
};

/* Is one of the text's lines in the range? */
bool trace_grammar__has_line(const struct trace_grammar *g,
                             const struct line_text *text,
                             const struct line_range *r);

/* Can an event of a scope that was called on the line `scope` be on `text`? */
bool trace_grammar__is_within(const struct trace_grammar *g,
                              const struct line_text *scope,
                              const struct line_text *text);

#endif /* CWM_MODEL_TRACE_GRAMMAR_INTERNAL_H */
