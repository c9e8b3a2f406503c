/* SPDX-License-Identifier: MIT */
/* minhash.c -- sketches of programs. */
#include "datasets/minhash.h"

#include <string.h>
#include <xxhash.h>

/* An odd multiplier for each place: a step of splitmix64. */
static uint64_t multiplier(unsigned i)
{
    uint64_t x = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return (x ^ x >> 31) | 1;
}

void minhash_of(const struct code_tokens *tokens, struct minhash *ret_sketch)
{
    uint32_t least[MINHASH_PLACES];
    uint64_t multipliers[MINHASH_PLACES];
    size_t n = tokens->n < MINHASH_SHINGLE ? tokens->n : MINHASH_SHINGLE;
    size_t n_shingles = tokens->n - n + 1;

    memset(least, 0xFF, sizeof least);
    for (unsigned i = 0; i < MINHASH_PLACES; i++) {
        multipliers[i] = multiplier(i);
    }
    for (size_t k = 0; k < n_shingles; k++) {
        uint64_t x = n > 0 ? code_tokens_gram(tokens, k, n) : 0;

        for (unsigned i = 0; i < MINHASH_PLACES; i++) {
            uint32_t h = (uint32_t)(x * multipliers[i] >> 32);

            least[i] = h < least[i] ? h : least[i];
        }
    }
    for (unsigned i = 0; i < MINHASH_PLACES; i++) {
        ret_sketch->places[i] = (uint16_t)(least[i] ^ least[i] >> 16);
    }
}

unsigned minhash_percent(const struct minhash *a, const struct minhash *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < MINHASH_PLACES; i++) {
        n += a->places[i] == b->places[i];
    }
    return n * 100 / MINHASH_PLACES;
}

uint64_t minhash_band(const struct minhash *m, unsigned at, unsigned n)
{
    return XXH3_64bits_withSeed(m->places + at, n * sizeof m->places[0], at);
}
