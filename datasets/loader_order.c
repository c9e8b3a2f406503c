/* SPDX-License-Identifier: MIT */
/*
 * loader_order.c -- a permutation that needs no memory.
 *
 * A Feistel network permutes the numbers of 2k bits, the fewest that hold n;
 * a result that is n or more goes through it again until it is below.  As
 * 2^2k < 4n (or k is 1), that takes four times on average at most.
 */
#include "datasets/loader_internal.h"

enum { N_ROUNDS = 6 };

/* Every bit of the result depends on every bit of x (SplitMix64's end). */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

uint64_t loader__key(uint64_t seed, uint64_t epoch)
{
    return mix(mix(seed) ^ epoch);
}

uint64_t loader__permute(uint64_t index, uint64_t n, uint64_t key)
{
    unsigned half = 1; /* bits */
    uint64_t mask;

    while (half < 32 && ((n - 1) >> 2 * half) != 0) {
        half++;
    }
    mask = (UINT64_C(1) << half) - 1;
    do {
        uint64_t left = index >> half;
        uint64_t right = index & mask;

        for (unsigned round = 0; round < N_ROUNDS; round++) {
            uint64_t next = left ^ (mix((key + round) ^ (right << 8)) & mask);

            left = right;
            right = next;
        }
        index = (left << half) | right;
    } while (index >= n);
    return index;
}
