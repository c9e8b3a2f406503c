/* SPDX-License-Identifier: MIT */
/*
 * store_check.h -- is all of a store what it says, and what a run gives?
 *
 * SQLite's own check, every hash made anew from what the row unpacks to,
 * every trace read again and its counts compared, every reference followed;
 * then a sample (those with the smallest draw of hash and seed) is traced
 * again and its content compared; an episode of a repository's tests where
 * that repository is named.
 */
#ifndef DATASETS_STORE_CHECK_H
#define DATASETS_STORE_CHECK_H

#include <stdint.h>

#include "cwm/base/err.h"
#include "datasets/store.h"

struct store_check_stats {
    uint64_t n_programs, n_traces, n_retraced;
    uint64_t n_total; /* traces to look at */
    uint64_t n_unrun; /* episodes of tests, in the sample, that could not be
                         made again: their repository is not at hand as it was
                         (or is, but under another interpreter) */
    uint64_t n_wrong; /* findings, each told to on_wrong() */
};

struct store_check_options {
    uint64_t n_sample; /* traces to run again */
    uint64_t seed;
    struct tracer_options tracer;
    const char *const *repositories; /* borrowed: where they lie */
    size_t n_repositories;
    const volatile int *cancel;
    void (*on_wrong)(void *ctx, const char *what); /* "trace 12ab...: ..." */
    void (*on_progress)(void *ctx, const struct store_check_stats *stats);
    void *ctx;
};

/* CWM_OK also when something is wrong: see n_wrong. */
enum cwm_rc store_check(const char *path,
                        const struct store_check_options *options,
                        struct store_check_stats *stats, struct cwm_err *err);

#endif /* DATASETS_STORE_CHECK_H */
