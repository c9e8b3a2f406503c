/* SPDX-License-Identifier: MIT */
/*
 * pack_folder.h -- a folder of shards being filled, stopped, gone on with.
 *
 * Documents come in the order of their records and are put into the shards of
 * their split.  Shards are finished in groups: once the train shard has as
 * many tokens as asked for, it and the held-out shard beside it are put in
 * place, and a note, pack.resume, says how many records are in them.  A run
 * that was stopped goes on behind those; the same bytes come out as from one
 * that was not.  When all records are in, the list shards.json is written and
 * the note goes: what has a list is complete.
 *
 *     train-00000.shard, held-out-00000.shard, ...   by group
 *     shards.json     {"format": 1, "stamp": ..., "tokenizer_hash": "...",
 *                      "n_ids": N, "counts": {...}, "splits": {"train":
 *                      {"shards": [names], "documents": N, "tokens": N,
 *                      "classes": [N, N, N, N], "longest": N}, ...}}
 *     pack.resume     the same, with how far it is
 *
 * Threads: one at a time; two processes are kept apart by a lock.
 */
#ifndef DATASETS_PACK_FOLDER_H
#define DATASETS_PACK_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "datasets/shard.h"

enum pack_split { PACK_TRAIN, PACK_HELD_OUT, PACK_N_SPLITS };
const char *pack_split_name(enum pack_split split); /* "held-out" */

/* Counts of what was done with the records; the names are the list's. */
#define PACK_COUNT_TABLE(X)                                                    \
    X(records)   /* dealt with */                                              \
    X(bad_lines) /* of them: no records of traces */                           \
    X(no_frames) /* of them: nothing was run */                                \
    X(too_long)  /* of them: more tokens than allowed */

struct pack_counts {
#define PACK_COUNT_FIELD(name) uint64_t name;
    PACK_COUNT_TABLE(PACK_COUNT_FIELD)
#undef PACK_COUNT_FIELD
};

struct pack_split_info {
    uint64_t n_shards, n_documents, n_tokens;
    uint64_t n_of_class[SHARD_N_CLASSES]; /* tokens */
    uint64_t longest;                     /* tokens of a document */
};

struct pack_folder_options {
    const char *folder; /* made when it is not there; borrowed */
    /* All that the shards depend on, as text; NULL: it cannot be known (a
     * pipe), so that nothing can be gone on with.  Borrowed. */
    const char *stamp;
    bool overwrite;         /* what is there goes */
    struct shard_info info; /* tokenizer_hash and n_ids */
    uint64_t shard_tokens;  /* a train shard is finished with this many */
};

struct pack_folder; /* opaque: pack_folder.c */

/*
 * *ret_counts: what earlier runs have done; so many records are to be passed
 * over.  *ret_complete: nothing is left to be done; only _info and _close may
 * follow.  Fails: CWM_USAGE (the folder holds what other settings made, or is
 * being filled by another process, or cannot be used), CWM_FORMAT (a note or
 * a shard that is damaged), CWM_IO, CWM_NOMEM.
 */
enum cwm_rc pack_folder_open(const struct pack_folder_options *options,
                             struct pack_folder **ret_folder,
                             struct pack_counts *ret_counts, bool *ret_complete,
                             struct cwm_err *err);
/* What is in unfinished shards goes; NULL is fine. */
void pack_folder_close(struct pack_folder *f);

/* Add a document.  Fails: as shard_writer_add(). */
enum cwm_rc pack_folder_add(struct pack_folder *f, enum pack_split split,
                            const uint32_t *ids, const uint8_t *classes,
                            size_t n, struct cwm_err *err);

/* A record is done with, `counts` includes it: finishes a group when it is
 * time.  Fails: CWM_IO, CWM_NOMEM. */
enum cwm_rc pack_folder_pass(struct pack_folder *f,
                             const struct pack_counts *counts,
                             struct cwm_err *err);

/* All records are in.  Fails: CWM_IO, CWM_NOMEM. */
enum cwm_rc pack_folder_complete(struct pack_folder *f,
                                 const struct pack_counts *counts,
                                 struct cwm_err *err);

/* What has been added, unfinished shards included. */
void pack_folder_info(const struct pack_folder *f, enum pack_split split,
                      struct pack_split_info *ret_info);

/*
 * Which side of the split a program is on: held out are about `fraction` of
 * the hashes, always the same ones; a larger fraction holds them all.
 */
enum pack_split pack_split_of(uint64_t program_hash, double fraction);

#endif /* DATASETS_PACK_FOLDER_H */
