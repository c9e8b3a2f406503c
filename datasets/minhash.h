/* SPDX-License-Identifier: MIT */
/*
 * minhash.h -- how alike are two programs?  A sketch of each that tells.
 *
 * The sketch of a set of shingles (5 tokens in a row) is, for each of 128
 * hash functions, the smallest hash of any of them; the share of places at
 * which two sketches agree estimates the Jaccard similarity of the sets, to
 * within 0.04 or so.  16 bits of each minimum are kept: two programs without
 * anything in common agree by chance at one place in 65,536.
 *
 * Threads: safe.
 */
#ifndef DATASETS_MINHASH_H
#define DATASETS_MINHASH_H

#include <stdint.h>

#include "datasets/code_tokens.h"

#define MINHASH_PLACES  128
#define MINHASH_SHINGLE 5

struct minhash {
    uint16_t places[MINHASH_PLACES];
};

/* A text with fewer tokens than a shingle has is one shingle. */
void minhash_of(const struct code_tokens *tokens, struct minhash *ret_sketch);
/* 0 to 100. */
unsigned minhash_percent(const struct minhash *a, const struct minhash *b);
/* The hash of places [at, at + n): equal for sketches that agree there. */
uint64_t minhash_band(const struct minhash *m, unsigned at, unsigned n);

#endif /* DATASETS_MINHASH_H */
