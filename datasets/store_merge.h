/* SPDX-License-Identifier: MIT */
/*
 * store_merge.h -- many stores into one.
 *
 * Rows are added by their hashes, so merging twice, in any order, or going on
 * after a stop gives the same content.
 */
#ifndef DATASETS_STORE_MERGE_H
#define DATASETS_STORE_MERGE_H

#include "cwm/base/err.h"
#include "datasets/store.h"

struct store_merge_stats {
    uint64_t n_stores, n_stores_done;
    uint64_t n_programs, n_traces; /* seen in the stores merged so far */
};

struct store_merge_options {
    const char *out_path;        /* may be there: it is added to */
    const char *const *in_paths; /* borrowed */
    size_t n_in;
    const volatile int *cancel;
    void (*on_progress)(void *ctx, const struct store_merge_stats *stats);
    void *ctx;
};

enum cwm_rc store_merge(const struct store_merge_options *options,
                        struct store_merge_stats *stats, struct cwm_err *err);

#endif /* DATASETS_STORE_MERGE_H */
