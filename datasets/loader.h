/* SPDX-License-Identifier: MIT */
/*
 * loader.h -- batches for training, from any number of shards.
 *
 * A batch is B rows of T tokens.  Documents are packed into the rows; every
 * token knows where in its row its document begins, so that attention can be
 * kept within documents.  Of a document of n tokens the first n - 1 go into
 * rows and the last n - 1 are their targets: no position is wasted.
 *
 * Order: each epoch visits every document once, in an order that depends on
 * seed and epoch alone.  It is computed, not stored (a keyed permutation), so
 * memory does not grow with the number of documents: it is B*T and the
 * longest document, and about 100 bytes a shard.
 *
 * Ranks: the global batch does not depend on how many ranks there are; rank r
 * of `world` gets its rows [r*B/world, (r+1)*B/world).  So the position is
 * the same on all ranks, and a run may go on with another number of them.
 *
 * Position: a few integers from which the very next batches come again.
 *
 * Threads: a loader is used by one thread at a time; with n_prefetch it has
 * a thread of its own that works ahead.
 */
#ifndef DATASETS_LOADER_H
#define DATASETS_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "datasets/shard.h"

enum loader_packing {
    /* One row after the other is filled to its end; a document that does not
     * fit goes on in the next row, without what came before. */
    LOADER_STREAM,
    /* A document goes into the first row that has room for all of it; the
     * batch is done when there is none.  What is left over is padding. */
    LOADER_WHOLE
};

/* LOADER_WHOLE: documents that no row has room for. */
enum loader_long {
    LOADER_LONG_SPLIT, /* in pieces of T tokens */
    LOADER_LONG_CUT,   /* the first T tokens only */
    LOADER_LONG_DROP   /* left out */
};

/*
 * Documents that are in no shard: they are made when they are asked for.  That
 * is done in the order of their numbers, one of them several times, by one
 * thread; a _seek goes on from another number.  All pointers are borrowed
 * until the loader is closed.
 */
struct loader_source {
    void *ctx;
    uint64_t n_documents; /* a number that is never reached: without end */
    uint64_t fingerprint; /* of all that they depend on */
    /* Of document `number`: its length, 0 when it is to be left out. */
    enum cwm_rc (*length)(void *ctx, uint64_t number, uint64_t *ret_tokens,
                          struct cwm_err *err);
    /* ... itself; it is not left out. */
    enum cwm_rc (*read)(void *ctx, uint64_t number,
                        struct shard_document *document, struct cwm_err *err);
};

struct loader_options {
    const char *const *paths; /* shards, in order; borrowed until _open ends */
    size_t n_paths;
    const struct loader_source *source; /* instead of shards; needs in_order */
    uint64_t tokenizer_hash;            /* shards of another one are refused */
    uint64_t n_ids;      /* the model's vocabulary: none may need more */
    uint32_t n_rows;     /* B, of all ranks together */
    uint32_t row_tokens; /* T */
    enum loader_packing packing;
    enum loader_long long_documents;
    float weights[SHARD_N_CLASSES]; /* of a target, by its class; >= 0 */
    bool in_order;                  /* do not shuffle (evaluation) */
    uint64_t seed;
    uint64_t n_epochs;   /* 0: without end */
    unsigned rank;       /* below world */
    unsigned world;      /* divides n_rows; at least 1 */
    unsigned n_prefetch; /* batches made ahead by a thread; 0: none */
};

/* STREAM, context 0 and all else 1, seed 0, endless, one rank, prefetch 2;
 * what else there is must be set. */
void loader_options_default(struct loader_options *ret_options);

/* R = n_rows / world rows, T = row_tokens.  All [R,T], row-major. */
struct loader_batch {
    const uint32_t *ids;
    const uint32_t *targets; /* the token behind ids; 0 where there is none */
    const float *weights;    /* of the targets; 0: no target, or not learned */
    /* Where in the row the token's document (or its piece) begins: the token
     * at t may look at starts[t]..t, its position is t - starts[t].  Padding
     * (id 0, weight 0) stands alone: starts[t] == t. */
    const uint32_t *starts;
    uint64_t n_tokens;  /* of this rank's rows that are no padding */
    uint64_t n_targets; /* ... whose weight is not 0 */
    double weight_sum;  /* of this rank's rows */
    uint64_t epoch;     /* of the batch's first token */
};

/* Where the next batch begins.  Plain integers, to be stored by their names. */
struct loader_position {
    uint64_t epoch;
    uint64_t document;    /* of the epoch's order */
    uint64_t token;       /* of that document: what is before has been used */
    uint64_t batch;       /* number of the next batch, from 0 */
    uint64_t fingerprint; /* of shards and settings: others are refused */
};

struct loader_info {
    uint64_t n_documents, n_tokens; /* of all shards */
    uint64_t n_ids;                 /* the largest of any shard */
    uint32_t n_rows;                /* R */
};

struct loader; /* opaque: loader.c */

/*
 * Open all shards.  Fails: CWM_USAGE (settings that do not fit together, no
 * shard, shards without a document), CWM_FORMAT (shards of another tokenizer
 * or version, damaged, cut off), CWM_IO, CWM_NOMEM, CWM_SYSTEM (no thread).
 */
enum cwm_rc loader_open(const struct loader_options *options,
                        struct loader **ret_loader, struct cwm_err *err);
void loader_close(struct loader *l); /* NULL is fine */

void loader_info(const struct loader *l, struct loader_info *ret_info);

/*
 * The next batch, borrowed until the next call; *ret_more false behind the
 * last one of n_epochs.  Fails: CWM_IO, CWM_FORMAT (a document is damaged),
 * CWM_NOMEM; the position then stays, and another call tries again.
 */
enum cwm_rc loader_next(struct loader *l, struct loader_batch *ret_batch,
                        bool *ret_more, struct cwm_err *err);

/* Where the batch behind the last one that was handed out begins. */
void loader_position(const struct loader *l, struct loader_position *ret);

/*
 * Go there.  Fails: CWM_USAGE (a position of other shards or settings, or
 * none at all), CWM_SYSTEM (no thread).
 */
enum cwm_rc loader_seek(struct loader *l, const struct loader_position *to,
                        struct cwm_err *err);

/*
 * The paths of the shards of one split ("train", "held-out") of a folder that
 * `cwm pack` filled, in order; *ret_n may be 0, and then there is nothing to
 * free.  cwm_free() the one block.
 * Fails: CWM_USAGE (no such folder; not packed to the end), CWM_FORMAT,
 * CWM_NOMEM.
 */
enum cwm_rc loader_find_shards(const char *folder, const char *split,
                               char ***ret_paths, size_t *ret_n,
                               struct cwm_err *err);

#endif /* DATASETS_LOADER_H */
