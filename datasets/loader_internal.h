/* SPDX-License-Identifier: MIT */
/*
 * loader_internal.h -- the loader's parts.
 *
 *     loader_order.c   which document comes when
 *     loader_files.c   documents of many shards, few of them open
 *     loader_fill.c    documents into the rows of a batch
 *     loader.c         the batches in their order, made ahead by a thread
 */
#ifndef DATASETS_LOADER_INTERNAL_H
#define DATASETS_LOADER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datasets/loader.h"

/* ---- loader_order.c ---- */

/*
 * The place that `index` goes to in a permutation of 0..n-1 that depends on
 * key alone; index < n.
 */
uint64_t loader__permute(uint64_t index, uint64_t n, uint64_t key);

/* The key of an epoch's order. */
uint64_t loader__key(uint64_t seed, uint64_t epoch);

/* ---- loader_files.c ---- */

/* Shards that are open at once; a limit of 1024 descriptors is usual. */
#define LOADER_N_OPEN 64

struct loader_files {
    const struct loader_source *source; /* borrowed; NULL: shards */
    struct loader_file {
        char *path;           /* owned */
        uint64_t n_before;    /* documents of the shards before */
        uint64_t n_documents; /* of this one */
    } * files;                /* owned */
    size_t n;
    struct loader_open_file {
        struct shard_reader *reader; /* owned; NULL: free */
        size_t file;
        uint64_t used; /* when; the lowest goes first */
    } open[LOADER_N_OPEN];
    uint64_t clock;
    uint64_t n_documents, n_tokens;
    uint64_t n_ids;       /* the largest of any */
    uint64_t fingerprint; /* of all contents and their order */
};

enum cwm_rc loader__files_open(struct loader_files *f,
                               const struct loader_options *options,
                               struct cwm_err *err);
void loader__files_close(struct loader_files *f);

/* Of document `number` of all shards: its length, or itself. */
enum cwm_rc loader__files_length(struct loader_files *f, uint64_t number,
                                 uint64_t *ret_tokens, struct cwm_err *err);
enum cwm_rc loader__files_read(struct loader_files *f, uint64_t number,
                               struct shard_document *document,
                               struct cwm_err *err);

/* ---- loader_fill.c ---- */

/* A batch and what is needed to go on behind it. */
struct loader_slot {
    uint32_t *ids; /* owned; [R,T], as all of them */
    uint32_t *targets;
    float *weights;
    uint32_t *starts;
    struct loader_batch batch;
    struct loader_position after;
    bool more; /* false: there is no batch, the epochs are over */
    enum cwm_rc rc;
    struct cwm_err err;
};

struct loader_filler {
    const struct loader_options *options; /* borrowed */
    struct loader_files *files;           /* borrowed */
    struct shard_document document;       /* the one that was read last */
    uint64_t document_number;             /* UINT64_MAX: none */
    uint32_t *used;                       /* owned; tokens in each of B rows */
};

enum cwm_rc loader__filler_init(struct loader_filler *f,
                                const struct loader_options *options,
                                struct loader_files *files,
                                struct cwm_err *err);
void loader__filler_release(struct loader_filler *f);

/*
 * Make the batch at `from`; on success slot->after and slot->more are set.
 */
enum cwm_rc loader__fill(struct loader_filler *f,
                         const struct loader_position *from,
                         struct loader_slot *slot, struct cwm_err *err);

#endif /* DATASETS_LOADER_INTERNAL_H */
