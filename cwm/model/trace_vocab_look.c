/* SPDX-License-Identifier: MIT */
/* trace_vocab_look.c -- a vocabulary in use. */
#include "cwm/model/trace_vocab_internal.h"

const struct tokenizer *trace_vocab_tokenizer(const struct trace_vocab *v)
{
    return v->t;
}

size_t trace_vocab_n_words(const struct trace_vocab *v)
{
    return v->n_words;
}

uint32_t trace_vocab_id(const struct trace_vocab *v, enum trace_token token)
{
    return v->ids[token];
}

enum trace_token trace_vocab_token(const struct trace_vocab *v, uint32_t id)
{
    int i = 0;

    while (i < TRACE_N_TOKENS && v->ids[i] != id) {
        i++;
    }
    return (enum trace_token)i;
}

trace_json trace_vocab_step(const struct trace_vocab *v, trace_json at,
                            uint32_t id)
{
    const char *bytes;
    bool is_special;
    size_t len;
    size_t i;

    if (!tokenizer_token(v->t, id, &bytes, &len, &is_special) || is_special ||
        len == 0) {
        return TRACE_JSON_DEAD;
    }
    for (i = 0; i < len && at != TRACE_JSON_DEAD; i++) {
        at = v->next[at][(unsigned char)bytes[i]];
    }
    return at;
}

const uint64_t *trace_vocab_mask(const struct trace_vocab *v, trace_json at)
{
    return v->masks + at * v->n_mask;
}
