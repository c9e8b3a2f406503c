/* SPDX-License-Identifier: MIT */
/*
 * shard_bytes.h -- where the fields of a shard lie, and numbers as bytes.
 *
 * For shard_write.c and shard_read.c; shard.h has the table.
 */
#ifndef DATASETS_SHARD_BYTES_H
#define DATASETS_SHARD_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

enum {
    SHARD_AT_MAGIC = 0,
    SHARD_AT_VERSION = 8,
    SHARD_AT_ID_BYTES = 12,
    SHARD_AT_TOKENIZER = 16,
    SHARD_AT_N_IDS = 24,
    SHARD_AT_DOCUMENTS = 32,
    SHARD_AT_TOKENS = 40,
    SHARD_AT_DATA_BYTES = 48,
    SHARD_AT_TABLE_HASH = 56,
    SHARD_AT_ZERO = 64,
    SHARD_AT_HEADER_HASH = 120,
    /* of a row of the table */
    SHARD_ROW_AT_OFFSET = 0,
    SHARD_ROW_AT_TOKENS = 8,
    SHARD_ROW_AT_HASH = 16,
};

static inline void shard__put(uint8_t *to, uint64_t number, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        to[i] = (uint8_t)(number >> 8 * i);
    }
}

static inline uint64_t shard__get(const uint8_t *from, size_t n_bytes)
{
    uint64_t number = 0;

    for (size_t i = 0; i < n_bytes; i++) {
        number |= (uint64_t)from[i] << 8 * i;
    }
    return number;
}

/* Bytes of a document of n tokens in the file. */
static inline uint64_t shard__document_bytes(uint64_t n, uint32_t id_bytes)
{
    return n * id_bytes + (n + 3) / 4;
}

/* The seed ties a document's bytes to their row of the table. */
static inline uint64_t shard__document_hash(const uint8_t *data, size_t len,
                                            uint64_t offset, uint64_t n)
{
    return XXH3_64bits_withSeed(data, len,
                                offset * UINT64_C(0x9E3779B97F4A7C15) + n);
}

#endif /* DATASETS_SHARD_BYTES_H */
