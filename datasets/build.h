/* SPDX-License-Identifier: MIT */
/*
 * build.h -- sources in, traces in the store.
 *
 *     sources ──> item ──> candidate ──> inputs, mutants ──> tracer ──> store
 *     one thread           N threads, each with a warm tracer           caller
 *
 * The rows of an item and the note that it is dealt with are committed
 * together, in the order of the items, so a build that was stopped in any way
 * goes on by the same command: items that are noted are passed over.  The
 * content of the store depends on the items and options alone.
 *
 * An item that is of no use (does not parse, is no text, has no function that
 * can be called) is noted with the reason: counted and named, no failure.
 */
#ifndef DATASETS_BUILD_H
#define DATASETS_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "datasets/generate.h"
#include "datasets/store.h"
#include "datasets/suite_trace.h"
#include "tracer/trace.h"

#define BUILD_N_VERDICTS 13

struct build_stats {
    uint64_t n_items;   /* of this shard that are to be dealt with; 0: not
                           known */
    uint64_t n_passed;  /* dealt with, those of earlier runs included */
    uint64_t n_there;   /* by earlier runs */
    uint64_t n_skipped; /* of no use, in this run */
    uint64_t n_programs, n_traces, n_frames; /* of this run */
    uint64_t n_unstable; /* runs that differ from time to time: left out */
    uint64_t n_verdicts[BUILD_N_VERDICTS];
    uint64_t cpu_trace_us; /* of runs, as the kernel counts it */
    uint64_t cpu_store_us; /* of packing and storing */
    char python[16];
    bool complete;
};

struct build_options {
    const char *store_path;
    const char *command;        /* noted in the store, without its shard; NULL:
                                   not */
    const char *tool_version;   /* noted with it */
    const char *const *sources; /* borrowed, n_sources of them */
    size_t n_sources;
    uint64_t limit;              /* items at most; 0: all */
    uint64_t shard;              /* 1..n_shards */
    uint64_t n_shards;           /* 1: all of it */
    unsigned n_workers;          /* at least 1 */
    uint64_t seed;               /* of inputs, mutants, generated programs */
    uint32_t max_inputs;         /* traces kept of one function */
    uint32_t max_mutants;        /* of one program; 0: none */
    uint32_t exception_permille; /* of a function's traces, at most */
    struct generate_settings generate;
    struct suite_settings suites; /* of repositories' tests */
    struct tracer_options tracer;
    struct trace_limits limits;
    const volatile int *cancel; /* NULL is fine */
    void (*on_skip)(void *ctx, const struct store_item *item);
    void (*on_progress)(void *ctx, const struct build_stats *stats);
    void *ctx; /* of the two */
};

/*
 * Fails: CWM_CANCELLED; CWM_USAGE (sources or store cannot be used); CWM_IO
 * (disk full: what was committed is there); as tracer_open().  *stats is
 * always filled.
 */
enum cwm_rc build_run(const struct build_options *options,
                      struct build_stats *stats, struct cwm_err *err);

#endif /* DATASETS_BUILD_H */
