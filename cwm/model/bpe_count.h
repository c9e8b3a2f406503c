/* SPDX-License-Identifier: MIT */
/*
 * bpe_count.h -- how often each piece of text occurs.
 *
 * Threads: one at a time per table; those of several threads are added up.
 */
#ifndef CWM_MODEL_BPE_COUNT_H
#define CWM_MODEL_BPE_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

struct bpe_piece {
    uint64_t count;
    uint64_t hash;
    uint32_t offset; /* into bytes */
    uint32_t len;
};

struct bpe_counts {
    struct cwm_buf bytes;     /* of all pieces */
    struct bpe_piece *pieces; /* owned; [n] */
    size_t n;
    size_t capacity;
    uint32_t *slots; /* owned; index of a piece, or UINT32_MAX */
    size_t n_slots;  /* a power of two, or 0 */
};

void bpe_counts_init(struct bpe_counts *c);
void bpe_counts_release(struct bpe_counts *c);

/* Fails: CWM_LIMIT (4 GB of different pieces), CWM_NOMEM. */
enum cwm_rc bpe_counts_add(struct bpe_counts *c, const char *bytes, size_t len,
                           uint64_t count, struct cwm_err *err);
enum cwm_rc bpe_counts_add_all(struct bpe_counts *c,
                               const struct bpe_counts *other,
                               struct cwm_err *err);

bool bpe_counts_has(const struct bpe_counts *c, const char *bytes, size_t len);

#endif /* CWM_MODEL_BPE_COUNT_H */
