/* SPDX-License-Identifier: MIT */
/*
 * suite_trace.h -- a repository's tests: which there are, and the episodes
 * of one, as traces that can be stored.
 *
 * Every test is run twice, and an episode counts only where both runs gave
 * the same bytes: tests depend on clocks, chance and addresses more often
 * than other programs do.  Of a test whose time or memory was up nothing is
 * kept: how far it came depends on the machine.
 *
 * Threads: one at a time per tester.
 */
#ifndef DATASETS_SUITE_TRACE_H
#define DATASETS_SUITE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "datasets/repository.h"
#include "datasets/suite_context.h"
#include "tracer/suite.h"
#include "tracer/trace.h"

/* What the user chose. */
struct suite_settings {
    struct suite_how how;      /* venv is the repository's */
    uint32_t max_per_function; /* traces kept of one, of each test file */
    const char *const *tests;  /* borrowed: patterns of node ids; none: all */
    size_t n_tests;
};

struct suite_tester; /* opaque: a repository and a warm tracer */

/*
 * options: folder and python are the repository's where it says.  Fails: as
 * repository_open() and tracer_open(); CWM_MISSING without the wall mount-ns.
 */
enum cwm_rc suite_tester_open(const char *path,
                              const struct tracer_options *options,
                              struct suite_tester **ret_tester,
                              struct cwm_err *err);
void suite_tester_close(struct suite_tester *t); /* NULL is fine */
struct repository *suite_tester_repository(const struct suite_tester *t);
const char *suite_tester_python(const struct suite_tester *t);

/* ---- collecting ---- */

/* A test file: its tests, or why it has none. */
struct suite_file {
    char *name;           /* owned: a path within the repository; "." for all */
    char *skip;           /* owned; NULL: it can be run */
    struct cwm_buf nodes; /* node ids, a newline behind each */
};
struct suite_files {
    struct suite_file *list; /* owned */
    size_t n, max;
};

/*
 * Where all files together cannot be collected (one ends the process) each
 * is collected alone.  A repository without tests, or without pytest, is one
 * file "." with the reason.  Fails: as tracer_run().
 */
enum cwm_rc suite_collect(struct suite_tester *t,
                          const struct suite_settings *settings,
                          const struct trace_limits *limits,
                          const volatile int *cancel, struct suite_files *ret,
                          struct cwm_err *err);
void suite_files_release(struct suite_files *f);

/* ---- running ---- */

/* An episode, as it is handed over: all borrowed, until the call returns. */
struct suite_seen {
    const char *path; /* of its function's file */
    uint32_t first_line;
    uint64_t call;
    uint64_t kind;
    const char *outcome; /* of the test: "passed", "crashed" */
    const struct suite_context *context;
    struct trace_result result;
};

struct suite_wish {
    /* Is this one worth the work?  Asked before the context is made. */
    bool (*wants)(void *ctx, const char *path, size_t path_len,
                  uint32_t first_line, uint64_t call, uint64_t kind);
    enum cwm_rc (*take)(void *ctx, const struct suite_seen *seen,
                        struct cwm_err *err);
    void *ctx;
};

struct suite_counts {
    uint64_t n_episodes; /* handed over */
    uint64_t n_unstable; /* the runs differ */
    uint64_t n_out;      /* tests whose time or memory was up */
    uint64_t cpu_us;     /* of the runs */
};

/* Adds to *counts.  Fails: as tracer_run(), as take(). */
enum cwm_rc suite_test(struct suite_tester *t, const struct suite_how *how,
                       const char *node, uint64_t seed,
                       const struct trace_limits *limits,
                       const volatile int *cancel,
                       const struct suite_wish *wish,
                       struct suite_counts *counts, struct cwm_err *err);

/* ---- what a stored episode is called by ---- */

/* The trace's `args`: {"test": NODE, "call": N, "enter": ..., ...}. */
void suite_args_write(const struct suite_how *how, const char *node,
                      uint64_t call, struct cwm_buf *out);
/* *ret_node: owned by the caller (cwm_free()).  false: they are none. */
bool suite_args_read(const char *args, struct suite_how *ret_how,
                     char **ret_node, uint64_t *ret_call);

#endif /* DATASETS_SUITE_TRACE_H */
