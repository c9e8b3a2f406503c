/* SPDX-License-Identifier: MIT */
/*
 * narrate.h -- a trace told in plain English, and read back.
 *
 * Three styles: a story (flowing prose that tells what changed), a list of
 * numbered steps, and a dialogue between a teacher and a student.  The words
 * vary by seed; what they say does not.  Every value stands in the text as a
 * code span (`...`), written so that any value can be read back exactly: the
 * fence is longer than any run of back-quotes inside, and what holds control
 * characters or lone surrogates is written as a JSON string and says so.
 *
 * The reader knows the sentences, not the trace: narrate_read() takes a text
 * apart into the facts that it states, narrate_check() compares these with a
 * trace: each state that is named must be the trace's at that step, each step
 * must be there, the last value must be the result.
 *
 * Threads: safe; nothing is shared.
 */
#ifndef DATASETS_NARRATE_H
#define DATASETS_NARRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "tracer/record.h"
#include "tracer/render.h"
#include "tracer/source.h"

/* Append only: datasets store the numbers. */
enum narrate_style {
    NARRATE_STORY = 0,
    NARRATE_STEPS = 1,
    NARRATE_DIALOGUE = 2,
    NARRATE_N_STYLES
};
const char *narrate_style_text(enum narrate_style style); /* "story" */

struct narrate_options {
    enum narrate_style style;
    uint64_t seed;       /* of the choice of words */
    uint32_t max_frames; /* longer traces: CWM_LIMIT; 0: no limit */
};

/*
 * Append the narration of all of r's frames to `out`; rewinds the reader.
 * Fails: CWM_LIMIT (too many frames, out->max_bytes), CWM_NOMEM.
 */
enum cwm_rc narrate_trace(struct trace_reader *r, const struct source *s,
                          const struct trace_summary *summary,
                          const struct narrate_options *options,
                          struct cwm_buf *out, struct cwm_err *err);

enum narrate_fact_kind {
    NARRATE_FACT_CALL,      /* name: the function; arguments follow as VALUEs */
    NARRATE_FACT_LINE,      /* line */
    NARRATE_FACT_VALUE,     /* name, value: of the step before it */
    NARRATE_FACT_UNBOUND,   /* name */
    NARRATE_FACT_RETURN,    /* name: the function; value */
    NARRATE_FACT_YIELD,     /* name: the function; value */
    NARRATE_FACT_RESUME,    /* name: the function; VALUEs follow */
    NARRATE_FACT_EXCEPTION, /* value: the triple's text */
    NARRATE_FACT_BACK,      /* name: the function that goes on behind a call */
    NARRATE_FACT_END        /* name: the verdict; value: the result's text, or
                               "TYPE: MESSAGE" of the exception, or NULL */
};

struct narrate_fact {
    enum narrate_fact_kind kind;
    uint32_t line;    /* of the program; 0 where the kind has none */
    const char *name; /* owned by the narration; NULL where there is none */
    size_t name_len;
    const char *value; /* WTF-8 as in the trace; NULL where there is none */
    size_t value_len;
};

struct narration; /* opaque: what was read */

/*
 * Read a narration of any style.  Fails: CWM_FORMAT, with the place, for a
 * text that is none; CWM_NOMEM.
 */
enum cwm_rc narrate_read(const char *text, size_t len,
                         struct narration **ret_narration, struct cwm_err *err);
void narration_free(struct narration *n); /* NULL is fine */
const struct narrate_fact *narration_facts(const struct narration *n,
                                           size_t *ret_n);

/*
 * CWM_OK when the text tells r's trace and nothing else: read back, every
 * step, every named state and the ending are the trace's.  Fails: CWM_FORMAT,
 * with what differs; CWM_NOMEM.
 */
enum cwm_rc narrate_check(const char *text, size_t len, struct trace_reader *r,
                          const struct source *s,
                          const struct trace_summary *summary,
                          struct cwm_err *err);

#endif /* DATASETS_NARRATE_H */
