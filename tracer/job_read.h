/* SPDX-License-Identifier: MIT */
/*
 * job_read.h -- one line of a jobs file as a job.
 *
 * A line is one JSON object:
 *     id         text or whole number; needed
 *     source     the program's text         } one of the two
 *     path       a file, relative to the    } is needed
 *                jobs file's folder
 *     entry      text; args: text; wrap_main: true or false; stdin: text
 *     seed       whole number
 *     timeout_ms ... the limits by their names in TRACE_LIMIT_TABLE
 * null stands for "not given"; fields of other names are let pass.
 *
 * Threads: none shared.
 */
#ifndef TRACER_JOB_READ_H
#define TRACER_JOB_READ_H

#include <stddef.h>

#include "cwm/base/err.h"
#include "tracer/trace.h"

struct job_line; /* opaque: the parsed line and what it points to */

/*
 * Parse text[0..len).  defaults: what holds where the line says nothing.
 * folder: what `path` is relative to ("" for the current one).  All three
 * are borrowed for the call only, but for the texts in *defaults.  Fails:
 * CWM_USAGE with what is wrong with the line; CWM_NOMEM.
 */
enum cwm_rc job_line_new(const char *text, size_t len,
                         const struct trace_job *defaults, const char *folder,
                         struct job_line **ret_line, struct cwm_err *err);
void job_line_free(struct job_line *l); /* NULL is fine */

/* Borrowed from the line. */
const struct trace_job *job_line_job(const struct job_line *l);

#endif /* TRACER_JOB_READ_H */
