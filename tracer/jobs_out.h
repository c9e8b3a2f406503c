/* SPDX-License-Identifier: MIT */
/*
 * jobs_out.h -- the file that many records go to, and going on with it.
 *
 * While a file is incomplete a note lies beside it, OUT.resume, that says
 * what its records depend on: program version, Python, options, jobs.  The
 * same command run again may go on only where all four are the same.  The
 * note is removed when the last record is written.
 *
 * Invariant: whatever stops the run, `OUT` holds whole lines only, but for a
 * SIGKILL in the middle of a write; the next run drops such a last line.
 *
 * Threads: one at a time per file; two processes are kept apart by a lock.
 */
#ifndef TRACER_JOBS_OUT_H
#define TRACER_JOBS_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

struct jobs_out; /* opaque */

/* What the records depend on, as text; borrowed for the call. */
struct jobs_stamp {
    const char *tool;    /* version of the program */
    const char *python;  /* version of the interpreter */
    const char *options; /* all that changes the bytes of a record */
    const char *jobs;    /* a hash of the jobs, or "-" where not known */
};

/*
 * path: NULL for standard output; else borrowed until jobs_out_close().
 * Where it is no regular file (a pipe, /dev/null) it is just written to.
 * overwrite: what is there goes.  Fails: CWM_USAGE (made by other options or
 * versions; being written by another process), CWM_IO, CWM_NOMEM.
 */
enum cwm_rc jobs_out_open(const char *path, bool overwrite,
                          const struct jobs_stamp *stamp,
                          struct jobs_out **ret_out, struct cwm_err *err);
void jobs_out_close(struct jobs_out *out); /* NULL is fine */

/*
 * The id of the next record that is there already; *ret_more false behind
 * the last one.  *ret_id is borrowed until the next call.  Fails: CWM_USAGE
 * when a line is no record, CWM_IO, CWM_NOMEM.
 */
enum cwm_rc jobs_out_next_id(struct jobs_out *out, const char **ret_id,
                             bool *ret_more, struct cwm_err *err);

/* There are records, and no note says that some may be missing. */
bool jobs_out_must_be_complete(const struct jobs_out *out);

/*
 * From here on records are added.  all_there: no job is left to do.  Fails:
 * CWM_USAGE when records are missing in a file that nobody says is
 * incomplete; CWM_IO.
 */
enum cwm_rc jobs_out_start(struct jobs_out *out, bool all_there,
                           struct cwm_err *err);

/* One whole line, '\n' included.  Fails: CWM_IO; no part of it is left. */
enum cwm_rc jobs_out_add(struct jobs_out *out, const void *line, size_t len,
                         struct cwm_err *err);

/* All records are written: make them last, remove the note. */
enum cwm_rc jobs_out_complete(struct jobs_out *out, struct cwm_err *err);

#endif /* TRACER_JOBS_OUT_H */
