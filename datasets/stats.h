/* SPDX-License-Identifier: MIT */
/*
 * stats.h -- what is in a store: one JSON object, a table, a page with plots.
 *
 * Equal contents give equal bytes.  Types of values are counted in the traces
 * with the smallest hashes (STATS_SAMPLE of them), everything else in all.
 */
#ifndef DATASETS_STATS_H
#define DATASETS_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "datasets/store.h"

#define STATS_SAMPLE    20000
#define STATS_N_BUCKETS 24 /* of powers of two */

enum stats_type {
    STATS_INT,
    STATS_FLOAT,
    STATS_BOOL,
    STATS_NONE,
    STATS_STR,
    STATS_BYTES,
    STATS_LIST,
    STATS_TUPLE,
    STATS_DICT,
    STATS_SET,
    STATS_OTHER,
    STATS_N_TYPES
};
const char *stats_type_text(enum stats_type type);

/* [i]: how many lie in 2^(i-1) ... 2^i - 1; [0]: zero. */
struct stats_histogram {
    uint64_t n[STATS_N_BUCKETS];
    uint64_t total, sum, max;
    uint64_t median, p95; /* exact */
};

struct stats_count {
    char name[96];
    uint64_t n;
};
#define STATS_MAX_COUNTS 48

struct stats_counts {
    struct stats_count rows[STATS_MAX_COUNTS]; /* the most frequent first */
    size_t n;
    uint64_t n_other; /* in rows that are not listed */
};

struct stats {
    struct hash content;
    struct store_counts counts;
    struct stats_histogram frames, depth, text_bytes, program_bytes;
    struct stats_histogram traces; /* of a program */
    struct stats_counts verdicts, kinds, origins, licences, inputs, pythons,
        skips, exceptions, labels, changes;
    uint64_t n_types[STATS_N_TYPES];
    uint64_t n_sampled; /* traces looked into for types and exceptions */
};

/* with_sample false: types of values and exceptions are not looked for. */
enum cwm_rc stats_make(struct store *s, bool with_sample,
                       const volatile int *cancel, struct stats *ret_stats,
                       struct cwm_err *err);

/* Append to `out`.  The store's size is on disk, no part of the JSON. */
void stats_json(const struct stats *stats, struct cwm_buf *out);
void stats_table(const struct stats *stats, uint64_t store_bytes,
                 struct cwm_buf *out);
/* One page without anything from elsewhere; `title` is shown. */
void stats_html(const struct stats *stats, uint64_t store_bytes,
                const char *title, struct cwm_buf *out);

#endif /* DATASETS_STATS_H */
