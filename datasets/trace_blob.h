/* SPDX-License-Identifier: MIT */
/*
 * trace_blob.h -- what is kept of a trace, and the trace made from it again.
 *
 * Kept are the records as they left the jail, not the JSON made of them: they
 * take a tenth of its room before compression, every form can be made from
 * them (the text, the JSON with and without full locals, narrations), and
 * making the JSON anew is as fast as unpacking it would be.
 *
 * Format of a payload: three parts, each a u64 LE length and its bytes:
 * records (the header of the shared memory is not kept), standard output,
 * standard error; behind them standard input, likewise, where there was some.
 */
#ifndef DATASETS_TRACE_BLOB_H
#define DATASETS_TRACE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "datasets/store.h"
#include "tracer/trace.h"

/*
 * Append the payload of a run to `out` and fill what `trace` says of it:
 * verdict, detail, counts, context_line, content, payload_bytes.  detail is
 * borrowed from the result.  with_frames false: of a run whose frames depend
 * on the machine (its time or memory was up) only the verdict is kept.
 */
enum cwm_rc trace_blob_write(const struct trace_result *result,
                             const void *stdin_data, size_t stdin_len,
                             bool with_frames, struct cwm_buf *out,
                             struct store_trace *trace, struct hasher *hasher,
                             struct cwm_err *err);

/* A program whose traces are being read; lines and definitions parsed once. */
struct trace_view; /* opaque */

/* Working memory; used again from program to program and trace to trace. */
enum cwm_rc trace_view_new(const struct codec *codec,
                           struct trace_view **ret_view, struct cwm_err *err);
void trace_view_free(struct trace_view *v); /* NULL is fine */

/* The traces that follow are of this program; it is copied. */
enum cwm_rc trace_view_program(struct trace_view *v,
                               const struct store_program *program,
                               struct cwm_err *err);

/* The same, quicker, where nobody asks the sources for definitions. */
enum cwm_rc trace_view_lines(struct trace_view *v,
                             const struct store_program *program,
                             struct cwm_err *err);

/* All borrowed from the view until its next call. */
struct trace_seen {
    struct trace_summary summary;
    const struct source *source;
    struct trace_reader *reader;
    const void *stdin_data;
    size_t stdin_len;
};

/*
 * Unpack one trace of the program and read it.  id: becomes summary.id
 * (borrowed).  Fails: CWM_FORMAT when the row is damaged, CWM_MISSING for its
 * dictionary, CWM_NOMEM.
 */
enum cwm_rc trace_view_open(struct trace_view *v,
                            const struct store_trace *trace,
                            const struct store_setting *setting, const char *id,
                            struct trace_seen *ret_seen, struct cwm_err *err);
/* The content hash of the trace that is open, made anew. */
struct hash trace_view_content(struct trace_view *v,
                               const struct store_trace *trace);

#endif /* DATASETS_TRACE_BLOB_H */
