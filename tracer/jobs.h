/* SPDX-License-Identifier: MIT */
/*
 * jobs.h -- a file of jobs in, a file of trace records out.
 *
 * Every job gives one JSON record (render.h), in the jobs' order, with the
 * same bytes for any number of workers.  A line that is no job is told to
 * on_bad_line() and skipped; a job that fails gives a record with its
 * verdict; neither stops the rest.  Memory does not grow with the number of
 * jobs.  A run that was stopped is gone on with by the same call again
 * (jobs_out.h).
 *
 * Threads: callbacks are called from the thread that called jobs_run().
 */
#ifndef TRACER_JOBS_H
#define TRACER_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "tracer/trace.h"

/* A longer line is no job; programs are far smaller. */
#define JOBS_MAX_LINE_BYTES (32UL << 20)
/* A record is never larger: its frames are dropped then (byte_limit). */
#define JOBS_MAX_RECORD_BYTES (512UL << 20)

#define TRACE_N_VERDICTS 13

struct jobs_stats {
    uint64_t n_lines;   /* lines of the file that are not blank; 0: not known */
    uint64_t n_passed;  /* lines dealt with, those of earlier runs included */
    uint64_t n_there;   /* records that an earlier run had written */
    uint64_t n_written; /* records of this run */
    uint64_t n_bad_lines;
    uint64_t n_tracer_failed; /* records spoiled by the tracer itself */
    uint64_t n_frames;
    uint64_t n_verdicts[TRACE_N_VERDICTS]; /* by enum trace_verdict */
    uint32_t missing_walls;                /* as tracer_missing() */
    char python[16];
    bool complete; /* all jobs have their record */
};

struct jobs_options {
    const char *jobs_path; /* "-": standard input */
    const char *out_path;  /* NULL: standard output */
    bool overwrite;
    bool count_lines; /* fill n_lines where the file allows it */
    bool full_locals;
    unsigned n_workers;           /* at least 1 */
    struct tracer_options tracer; /* all borrowed for the call */
    struct trace_job defaults;    /* seed and limits, where a line has none */
    const char *tool_version;
    const volatile int *cancel; /* NULL is fine */
    void (*on_bad_line)(void *ctx, uint64_t line, const char *message);
    void (*on_progress)(void *ctx, const struct jobs_stats *stats);
    void *ctx; /* of the two */
};

/*
 * Fails: CWM_CANCELLED; CWM_USAGE (the jobs file or the output cannot be
 * used); CWM_IO; as tracer_open(); as tracer_run() when it fails twice for
 * one job.  The records before that are written.  *stats is always filled.
 */
enum cwm_rc jobs_run(const struct jobs_options *options,
                     struct jobs_stats *stats, struct cwm_err *err);

#endif /* TRACER_JOBS_H */
