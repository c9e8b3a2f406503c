/* SPDX-License-Identifier: MIT */
/*
 * predicted_records.h -- a predicted trace as records (tracer/record.h), so
 * that what shows true traces shows predicted ones.
 *
 * A prediction says which text a line has, not which number: where several
 * lines have it, the one in the scope at hand that is nearest behind the
 * line before is taken.  A frame that cannot be (a line that the program has
 * not, a frame behind the end) ends the records.
 *
 * Trust: the prediction may be anything.
 *
 * Threads: none shared.
 */
#ifndef EVAL_PREDICTED_RECORDS_H
#define EVAL_PREDICTED_RECORDS_H

#include <stddef.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "eval/predicted.h"
#include "tracer/source.h"

/*
 * Append to `out`, which is empty, what trace_reader_new() reads.  entry: an
 * index of source_defs(), or -1 for a script.  *ret_n: how many frames are in
 * it.  Fails: CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc replay_records(const struct predicted *p, const struct source *s,
                           int entry, struct cwm_buf *out, size_t *ret_n,
                           struct cwm_err *err);

#endif /* EVAL_PREDICTED_RECORDS_H */
