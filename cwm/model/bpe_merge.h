/* SPDX-License-Identifier: MIT */
/*
 * bpe_merge.h -- the merges of a byte-level BPE, applied to one piece.
 *
 * Of all adjacent pairs that have a merge the one with the lowest rank is
 * replaced, the leftmost first, until there is none.  Time is n log n: a
 * piece of a million equal letters is as cheap, letter for letter, as a word.
 *
 * Threads: a table that is not being added to is shared; each thread has its
 * own scratch.
 */
#ifndef CWM_MODEL_BPE_MERGE_H
#define CWM_MODEL_BPE_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

#define BPE_NO_RANK UINT32_MAX

struct bpe_merge {
    uint32_t left, right; /* ids; left is BPE_NO_RANK in an empty slot */
    uint32_t rank;
    uint32_t id; /* what the pair becomes */
};

/* Pairs of ids to merges: open addressing, at most half full. */
struct bpe_table {
    struct bpe_merge *slots; /* owned: bpe_table_release() */
    size_t n_slots;          /* a power of two; 0: nothing there yet */
    size_t n;
};

/* Room for n merges in all, so that adding them does not rehash. */
enum cwm_rc bpe_table_reserve(struct bpe_table *t, size_t n,
                              struct cwm_err *err);
/* A pair that is there already gets the new rank and id. */
enum cwm_rc bpe_table_add(struct bpe_table *t, struct bpe_merge merge,
                          struct cwm_err *err);
/* Borrowed until the next add; NULL: the pair has no merge. */
const struct bpe_merge *bpe_table_find(const struct bpe_table *t, uint32_t left,
                                       uint32_t right);
void bpe_table_release(struct bpe_table *t);

/* Memory for long pieces, kept from one to the next; zeroed is empty. */
struct bpe_scratch {
    uint32_t *links;  /* owned; prev, next, rank, id of each symbol */
    size_t n_links;   /* symbols that there is room for */
    uint64_t *heap;   /* owned; rank << 32 | symbol */
    size_t n_heap;    /* entries in use */
    size_t heap_room; /* entries that there is room for */
};

void bpe_scratch_release(struct bpe_scratch *s);

/*
 * Apply the merges to ids[0..*n), in place.  n is below 2^31.  Fails:
 * CWM_NOMEM; ids are then in an unspecified state.
 */
enum cwm_rc bpe_merge_piece(const struct bpe_table *t, uint32_t *ids, size_t *n,
                            struct bpe_scratch *s, struct cwm_err *err);

#endif /* CWM_MODEL_BPE_MERGE_H */
