/* SPDX-License-Identifier: MIT */
/* fuzz.h -- what every fuzz target has: its entry, and a check that stays. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Called by libFuzzer, or by replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Not assert(): it must also hold where NDEBUG is set. */
static inline void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

#endif /* TESTS_FUZZ_FUZZ_H */
