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

/*
 * field, option, default, least, most, in bytes (k, M, G may follow), what.
 * A job's line calls a limit by its field, the command line by its option;
 * both take default and range from here.
 */
#define TRACE_LIMIT_TABLE(X)                                                   \
    X(timeout_ms, "timeout-ms", 5000, 1, 86400000, false,                      \
      "CPU time of the run, in ms")                                            \
    X(wall_ms, "wall-ms", 0, 0, 172800000, false,                              \
      "real time of the run, in ms; 0 is 2 * timeout-ms + 1000")               \
    X(memory_mb, "memory-mb", 512, 1, 1048576, false,                          \
      "memory that the run may add to the interpreter's, in MiB")              \
    X(disk_mb, "disk-mb", 64, 1, 65536, false,                                 \
      "size of the run's private folder, in MiB")                              \
    X(max_frames, "max-frames", 10000, 1, 1000000000, false,                   \
      "frames in the trace")                                                   \
    X(max_trace_bytes, "max-trace-bytes", 4194304, 4096, 2147483648, true,     \
      "bytes of the trace: its records, and its text")                         \
    X(max_output_bytes, "max-output-bytes", 1048576, 0, 1073741824, true,      \
      "bytes that the program may print, both streams together")               \
    X(max_value_bytes, "max-value-bytes", 65536, 16, 16777216, true,           \
      "bytes of one value's text; longer ones are cut and end in an ellipsis")

struct trace_limits {
#define TRACE_LIMIT_FIELD(field, option, fallback, min, max, in_bytes, what)   \
    uint64_t field;
    TRACE_LIMIT_TABLE(TRACE_LIMIT_FIELD)
#undef TRACE_LIMIT_FIELD
};
void trace_limits_default(struct trace_limits *ret_limits);

struct trace_job {
    const char *id;     /* borrowed; may be NULL */
    const void *source; /* borrowed: bytes as in the file */
    size_t source_len;
    bool is_text;      /* source is decoded (JSON): its cookie names nothing */
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
    const char *python;       /* a path, a command, or a version ("3.10");
                                 NULL: the default worker's */
    const char *worker_dir;   /* NULL: $CWM_WORKER_DIR, or beside cwm, or
                                 in ../libexec/cwm of it */
    uint32_t allow_missing;   /* walls, 1u << enum sandbox_wall */
    uint64_t max_trace_bytes; /* largest of any job: sizes the shared memory */
    bool plain;               /* run without tracing (tests, benchmarks) */
    /* A folder, without a link in its path, that runs see at SANDBOX_PLACE;
     * for test suites (suite.h).  NULL: none. */
    const char *folder;
    bool own_pytest; /* it has a pytest of its own: the interpreter's is not to
                        be imported ahead */
};

struct tracer; /* opaque: one warm worker */

/* Fails as sandbox_open(); CWM_MISSING too when no worker fits `python`. */
enum cwm_rc tracer_open(const struct tracer_options *options,
                        struct tracer **ret_tracer, struct cwm_err *err);
void tracer_close(struct tracer *t);               /* NULL is fine */
const char *tracer_python(const struct tracer *t); /* "3.11.2" */
/* The walls that it does without, as sandbox_missing(). */
uint32_t tracer_missing(const struct tracer *t);

struct trace_result {
    enum trace_verdict verdict;
    struct trace_summary summary;  /* borrowed from the tracer, see below */
    struct source *source;         /* borrowed; empty when undecodable */
    struct trace_reader *reader;   /* borrowed; without frames if not run */
    struct sandbox_verdict kernel; /* zero when nothing was run */
    /*
     * The records that `reader` reads, behind the header of the shared memory:
     * borrowed likewise, hostile.  Empty where there is nothing to be read.
     */
    const uint8_t *records;
    size_t records_len;    /* bytes */
    uint32_t context_line; /* bears the marker in the context; 0: none does */
    bool undecodable;      /* verdict syntax_error: not even text */
    uint32_t error_line;   /* syntax_error: where; 0: not known */
    uint32_t error_column;
    /*
     * The worker says that the tracer itself failed (verdict crash, detail
     * says how).  A hostile program could make it say so: a batch goes on.
     */
    bool tracer_failed;
};

/* Its frames follow from the job: no clock and no lack of memory ended it. */
bool trace_result_is_steady(const struct trace_result *result);

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

/*
 * Run a request as it stands, and judge nothing: *ret_shared (borrowed until
 * the next run) is what it left in the shared memory, hostile bytes.  What it
 * printed: tracer_printed().  Fails as tracer_run().
 */
struct trace_request;
enum cwm_rc tracer_run_request(struct tracer *t,
                               const struct trace_request *request,
                               const struct trace_limits *limits,
                               const volatile int *cancel,
                               struct sandbox_verdict *ret_kernel,
                               const uint8_t **ret_shared, size_t *ret_len,
                               struct cwm_err *err);
/* Standard output and error of the last run; borrowed likewise. */
void tracer_printed(const struct tracer *t, struct cwm_buf ret_both[2]);

/*
 * The last result without its frames, and with the verdict byte_limit: for a
 * trace whose text is too large to be written.
 */
enum cwm_rc tracer_drop_frames(struct tracer *t, struct trace_result *result,
                               struct cwm_err *err);

/*
 * The interpreters that workers were built for; those that do not start are
 * left out.  Fails where there is none that does.
 */
struct tracer_worker {
    char version[16]; /* "3.11.2" */
    char path[512];   /* of the worker program */
    char prefix[256]; /* base prefix it was built against */
};
enum cwm_rc tracer_workers(const char *worker_dir,
                           struct tracer_worker **ret_workers, size_t *ret_n,
                           struct cwm_err *err); /* cwm_free() */

#endif /* TRACER_TRACE_H */
