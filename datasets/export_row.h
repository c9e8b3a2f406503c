/* SPDX-License-Identifier: MIT */
/*
 * export_row.h -- one trace as one line of an exported file.
 *
 * The record is that of docs/formats.md, 5, with one difference: a frame's
 * "locals" is a text that holds the JSON object.  Loaders of tables (Arrow,
 * and Hugging Face `datasets` on it) want the same fields in every row, and
 * variables' names are not.
 */
#ifndef DATASETS_EXPORT_ROW_H
#define DATASETS_EXPORT_ROW_H

#include <stdbool.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "datasets/clean.h"
#include "datasets/store.h"
#include "datasets/trace_blob.h"

struct export_provenance {
    const struct clean_decision *decision;
    const struct store_origin *origin; /* the first of the program's */
    uint32_t n_origins;
};

/* Working memory of export_row_json(). */
struct export_scratch {
    struct cwm_buf locals;
    struct cwm_buf lines; /* source lines as JSON strings */
    struct cwm_buf line;
    struct export_span {
        size_t at;
        size_t len; /* 0: not made yet */
    } * spans;      /* owned; by line number */
    size_t n_spans;
};
void export_scratch_init(struct export_scratch *s);
void export_scratch_release(struct export_scratch *s);

/* Append the row, '\n' included.  Fails: CWM_LIMIT, CWM_NOMEM. */
enum cwm_rc export_row_json(const struct trace_seen *seen,
                            const struct store_trace *trace,
                            const struct export_provenance *from,
                            bool full_locals, struct export_scratch *scratch,
                            struct cwm_buf *out, struct cwm_err *err);
/*
 * The same in the text form.  *ret_told false: something in it reads as one of
 * the format's tokens, which the text could not tell from one; `out` is then
 * as it was.
 */
enum cwm_rc export_row_text(const struct trace_seen *seen,
                            const struct store_trace *trace,
                            const struct export_provenance *from,
                            struct export_scratch *scratch, bool *ret_told,
                            struct cwm_buf *out, struct cwm_err *err);
/*
 * The same told in English.  *ret_told false: it is too long for that, or does
 * not read back as the trace.
 */
enum cwm_rc export_row_narration(const struct trace_seen *seen,
                                 const struct store_trace *trace,
                                 const struct export_provenance *from,
                                 uint64_t seed, struct export_scratch *scratch,
                                 bool *ret_told, struct cwm_buf *out,
                                 struct cwm_err *err);

#endif /* DATASETS_EXPORT_ROW_H */
