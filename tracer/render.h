/* SPDX-License-Identifier: MIT */
/*
 * render.h -- a checked trace as text: cwm, JSON, pretty.
 *
 * The forms are docs/formats.md's, byte for byte.  Every renderer appends to
 * `out`, rewinds the reader first and works without one (NULL: a program that
 * was not run, no frames).  Fails: CWM_NOMEM; CWM_LIMIT when the text does not
 * fit into `out`, which then holds a part of it.  A few bytes of records can
 * stand for a long text (a value shown in full again), so give `out` a limit.
 */
#ifndef TRACER_RENDER_H
#define TRACER_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "tracer/record.h"
#include "tracer/source.h"

/* Everything about a finished run that is not a frame. */
struct trace_summary {
    const char *id;      /* may be NULL: "" in JSON */
    const char *verdict; /* TRACE_FORMAT section 5 */
    const char *detail;  /* NULL: null */
    const char *python;  /* "3.11.2" */
    const char *entry;   /* NULL: null (a script) */
    const char *context; /* marked program text; NULL with length 0: "" */
    size_t context_len;
    const uint8_t *stdout_data; /* as written; not UTF-8: U+FFFD */
    size_t stdout_len;
    const uint8_t *stderr_data;
    size_t stderr_len;
};

struct render_options {
    bool full_locals; /* jsonl: no ".." */
    bool colour;      /* pretty */
    uint32_t columns; /* pretty: width to cut values at; 0: do not cut */
};

/*
 * The text form.  render_cwm() writes
 * <|begin_of_text|><|trace_context_start|>CONTEXT<|frame_sep|> frames
 * <|end_of_text|>; render_cwm_frames() the frames alone.
 */
enum cwm_rc render_cwm(struct trace_reader *r, const struct source *s,
                       const struct trace_summary *summary, struct cwm_buf *out,
                       struct cwm_err *err);
enum cwm_rc render_cwm_frames(struct trace_reader *r, const struct source *s,
                              struct cwm_buf *out, struct cwm_err *err);

/* One JSON object and '\n': TRACE_FORMAT section 5, keys in its order, `detail`
 * behind `verdict`. */
enum cwm_rc render_json(struct trace_reader *r, const struct source *s,
                        const struct trace_summary *summary,
                        const struct render_options *options,
                        struct cwm_buf *out, struct cwm_err *err);

/* For a person at a terminal. */
enum cwm_rc render_pretty(struct trace_reader *r, const struct source *s,
                          const struct trace_summary *summary,
                          const struct render_options *options,
                          struct cwm_buf *out, struct cwm_err *err);

#endif /* TRACER_RENDER_H */
