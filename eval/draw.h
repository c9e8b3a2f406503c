/* SPDX-License-Identifier: MIT */
/*
 * draw.h -- seeded random numbers for estimates: splitmix64.
 *
 * The same seed gives the same numbers on every machine.  A stream that must
 * not depend on what others drew gets a seed of its own: draw_seed().
 *
 * Threads: a state belongs to one at a time.
 */
#ifndef EVAL_DRAW_H
#define EVAL_DRAW_H

#include <stddef.h>
#include <stdint.h>

struct draw {
    uint64_t state;
};

static inline uint64_t draw_bits(struct draw *d)
{
    uint64_t x = d->state += UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

/* The stream number `stream` of `seed`. */
static inline struct draw draw_seed(uint64_t seed, uint64_t stream)
{
    struct draw d = {seed};

    d.state = draw_bits(&d) ^ stream;
    d.state = draw_bits(&d);
    return d;
}

/*
 * A number below n, 1 <= n < 2^32.  The high bits of a product: one of n
 * numbers comes up at most n / 2^32 too often, far below what any estimate
 * here can tell.
 */
static inline uint32_t draw_below(struct draw *d, uint32_t n)
{
    return (uint32_t)((draw_bits(d) >> 32) * n >> 32);
}

/* The first `n_first` of items[0..n) become a random sample, in random order;
 * all of them stay in the array. */
static inline void draw_sample(struct draw *d, uint32_t *items, uint32_t n,
                               uint32_t n_first)
{
    for (uint32_t i = 0; i < n_first && i + 1 < n; i++) {
        uint32_t at = i + draw_below(d, n - i);
        uint32_t item = items[at];

        items[at] = items[i];
        items[i] = item;
    }
}

#endif /* EVAL_DRAW_H */
