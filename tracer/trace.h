/* SPDX-License-Identifier: MIT */
/*
 * trace.h -- trace one program: job in, checked records and verdict out.
 *
 * Ties together source.h (what to run), sandbox.h (running it) and record.h
 * (what came out).  Used by cwm/cli and by datasets.
 *
 * Threads: one thread at a time per `struct tracer`; different ones freely.
 */
#ifndef TRACER_TRACE_H
#define TRACER_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "sandbox/sandbox.h"
#include "tracer/record.h"
#include "tracer/render.h"
#include "tracer/source.h"

/* Appended only: datasets store the numbers.  The texts are the format's. */
#define TRACE_VERDICT_TABLE(X)                                                 \
    X(OK, 0, "ok")                                                             \
    X(EXCEPTION, 1, "exception")                                               \
    X(EXIT, 2, "exit")                                                         \
    X(TIMEOUT, 3, "timeout")                                                   \
    X(MEMORY, 4, "memory")                                                     \
    X(FRAME_LIMIT, 5, "frame_limit")                                           \
    X(BYTE_LIMIT, 6, "byte_limit")                                             \
    X(OUTPUT_LIMIT, 7, "output_limit")                                         \
    X(CRASH, 8, "crash")                                                       \
    X(DENIED, 9, "denied")                                                     \
    X(SYNTAX_ERROR, 10, "syntax_error")                                        \
    X(NO_ENTRY, 11, "no_entry")                                                \
    X(BAD_ARGS, 12, "bad_args")

enum trace_verdict {
#define TRACE_VERDICT_ENUM(id, number, text) TRACE_VERDICT_##id = (number),
    TRACE_VERDICT_TABLE(TRACE_VERDICT_ENUM)
#undef TRACE_VERDICT_ENUM
};
const char *trace_verdict_text(enum trace_verdict verdict);

struct trace_limits {          /* defaults: trace_limits_default() */
    uint64_t timeout_ms;       /* CPU time, 5000 */
    uint64_t wall_ms;          /* real time; 0: 2 * timeout_ms + 1000 */
    uint64_t memory_mb;        /* 512 */
    uint64_t disk_mb;          /* 64 */
    uint64_t max_frames;       /* 10000 */
    uint64_t max_trace_bytes;  /* 4194304, of records */
    uint64_t max_output_bytes; /* 1048576, stdout and stderr together */
    uint64_t max_value_bytes;  /* 65536 */
};
void trace_limits_default(struct trace_limits *ret_limits);

struct trace_job {
    const char *id;     /* borrowed; may be NULL */
    const void *source; /* borrowed: bytes as in the file */
    size_t source_len;
    const char *name;  /* for messages: the file's name, or the job's id */
    const char *entry; /* NULL: the marker's, else the whole script */
    const char *args;  /* NULL: "" */
    bool wrap_main;
    const void *stdin_data;
    size_t stdin_len;
    uint64_t seed;
    struct trace_limits limits;
};

struct tracer_options {
    const char *python;       /* interpreter; NULL: the default worker's */
    const char *worker_dir;   /* where the workers lie; NULL: beside cwm */
    uint32_t allow_missing;   /* walls, 1u << enum sandbox_wall */
    uint64_t max_trace_bytes; /* largest of any job: sizes the shared memory */
    bool plain;               /* run without tracing (tests, benchmarks) */
};

struct tracer; /* opaque: one warm worker */

/* Fails as sandbox_open(); CWM_MISSING too when no worker fits `python`. */
enum cwm_rc tracer_open(const struct tracer_options *options,
                        struct tracer **ret_tracer, struct cwm_err *err);
void tracer_close(struct tracer *t);               /* NULL is fine */
const char *tracer_python(const struct tracer *t); /* "3.11.2" */

struct trace_result {
    enum trace_verdict verdict;
    struct trace_summary summary;  /* borrowed from the tracer, see below */
    struct source *source;         /* borrowed; NULL when it could not be had */
    struct trace_reader *reader;   /* borrowed; NULL with source */
    struct sandbox_verdict kernel; /* zero when nothing was run */
};

/*
 * Trace one job.  The result borrows from the tracer until its next run or
 * close.  An entry that is not there, a text that does not decode and the
 * like are verdicts (no_entry, syntax_error, bad_args) with `detail`, never
 * errors.  Fails: CWM_CANCELLED, CWM_NOMEM, CWM_SYSTEM, CWM_LIMIT (a job's
 * limits exceed what the tracer was opened for).
 */
enum cwm_rc tracer_run(struct tracer *t, const struct trace_job *job,
                       const volatile int *cancel,
                       struct trace_result *ret_result, struct cwm_err *err);

/* The interpreters that workers were built for. */
struct tracer_worker {
    char version[16]; /* "3.11.2" */
    char path[512];   /* of the worker program */
    char prefix[256]; /* base prefix it was built against */
};
enum cwm_rc tracer_workers(const char *worker_dir,
                           struct tracer_worker **ret_workers, size_t *ret_n,
                           struct cwm_err *err); /* cwm_free() */

#endif /* TRACER_TRACE_H */
