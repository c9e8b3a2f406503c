/* SPDX-License-Identifier: MIT */
/* trace_grammar_look.c -- what a state asks of its program. */
#include "cwm/model/trace_grammar_internal.h"

const struct trace_vocab *trace_grammar_vocab(const struct trace_grammar *g)
{
    return g->v;
}

bool trace_grammar__has_line(const struct trace_grammar *g,
                             const struct line_text *text,
                             const struct line_range *r)
{
    const uint32_t *numbers = g->numbers + text->number_at;
    size_t low = 0;
    size_t high = text->n_numbers;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (numbers[middle] < r->first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < text->n_numbers && numbers[low] <= r->last;
}

bool trace_grammar__is_within(const struct trace_grammar *g,
                              const struct line_text *scope,
                              const struct line_text *text)
{
    const uint32_t *numbers = g->numbers + scope->number_at;
    uint32_t i;

    for (i = 0; i < scope->n_numbers; i++) {
        if (trace_grammar__has_line(g, text, &g->ranges[numbers[i]])) {
            return true;
        }
    }
    return false;
}
