/* SPDX-License-Identifier: MIT */
/*
 * narrate_internal.h -- facts, and the sentences that state them.
 *
 * A trace becomes a list of facts (narrate.c), facts become sentences
 * (narrate_write.c), sentences become facts again (narrate_read.c).  Writer
 * and reader share one table of sentences.
 */
#ifndef DATASETS_NARRATE_INTERNAL_H
#define DATASETS_NARRATE_INTERNAL_H

#include "datasets/narrate.h"

#define NARRATE_MAX_BYTES ((size_t)1 << 30)

/* A fact whose texts are offsets: the buffer they lie in still grows. */
struct narrate__fact {
    enum narrate_fact_kind kind;
    uint32_t line;
    bool has_name, has_value;
    size_t name_at, name_len;
    size_t value_at, value_len;
};

struct narration {
    struct narrate__fact *raw; /* owned */
    size_t n_facts, capacity;
    struct cwm_buf texts;       /* owned */
    struct narrate_fact *facts; /* owned; made by narrate__finish() */
};

/* Shapes of sentences; a fact and what it has with it choose one. */
enum narrate_shape {
    SHAPE_CALL,        /* %L %F %A */
    SHAPE_CALL_BARE,   /* %L %F */
    SHAPE_LINE,        /* %L %C %A */
    SHAPE_LINE_SAME,   /* %L %C */
    SHAPE_UNBOUND,     /* %N */
    SHAPE_RETURN,      /* %L %F %V */
    SHAPE_YIELD,       /* %L %F %V */
    SHAPE_RESUME,      /* %L %F %A */
    SHAPE_RESUME_BARE, /* %L %F */
    SHAPE_EXCEPTION,   /* %L %V */
    SHAPE_BACK,        /* %F */
    SHAPE_END,         /* %N %V */
    SHAPE_END_BARE,    /* %N */
    SHAPE_N
};

/*
 * %L a line's number, %C its text, %F and %N a name, %V a value, %A names and
 * their values.  No two of one style may begin alike up to a slot and differ
 * only behind it in a way that both can match.
 */
struct narrate_sentence {
    enum narrate_style style;
    enum narrate_shape shape;
    const char *text;
};
extern const struct narrate_sentence narrate__sentences[];
extern const size_t narrate__n_sentences;

/* What stands between a name and its value in %A. */
const char *narrate__binder(enum narrate_style style);

struct narration *narrate__new(void); /* NULL: no memory */
enum cwm_rc narrate__add(struct narration *n, enum narrate_fact_kind kind,
                         uint32_t line, const void *name, size_t name_len,
                         const void *value, size_t value_len,
                         struct cwm_err *err);
enum cwm_rc narrate__finish(struct narration *n, struct cwm_err *err);
/* A string as cwm_buf_add_json() writes it, appended; false: it is none. */
bool narrate__decode_json(const char *p, const char *end, struct cwm_buf *out);
/* All that the trace says, as facts. */
enum cwm_rc narrate__of_trace(struct trace_reader *r,
                              const struct trace_summary *summary,
                              uint32_t max_frames,
                              struct narration **ret_narration,
                              struct cwm_err *err);

#endif /* DATASETS_NARRATE_INTERNAL_H */
