/* SPDX-License-Identifier: MIT */
/*
 * hash.h -- what programs, traces and stores are called by: 128-bit hashes.
 *
 * XXH3 with 128 bits over a sequence of parts; every part is hashed with its
 * length in front, so that ("ab", "c") and ("a", "bc") differ.  A part that is
 * not there (NULL) differs from an empty one.  The bytes are the canonical
 * (big-endian) form: the same on every machine, sorted as memcmp() does.
 *
 * Trust: not a cryptographic hash.  Someone who wants two programs to collide
 * can make them; all that they gain is that one of theirs is left out.
 */
#ifndef DATASETS_HASH_H
#define DATASETS_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

#define HASH_BYTES 16
#define HASH_TEXT  33 /* hexadecimal, with the NUL */

struct hash {
    uint8_t bytes[HASH_BYTES];
};

struct hasher; /* opaque: a hash that is being made */

enum cwm_rc hasher_new(struct hasher **ret_hasher, struct cwm_err *err);
void hasher_free(struct hasher *h); /* NULL is fine */
void hasher_reset(struct hasher *h);
void hasher_add(struct hasher *h, const void *data, size_t len);
void hasher_add_text(struct hasher *h, const char *text); /* NULL is fine */
void hasher_add_number(struct hasher *h, uint64_t number);
void hasher_add_hash(struct hasher *h, const struct hash *other);
struct hash hasher_end(const struct hasher *h); /* more may be added behind */

/* Of one part. */
struct hash hash_of(const void *data, size_t len);
void hash_text(const struct hash *hash, char text[HASH_TEXT]);
/* From 32 hexadecimal digits. */
bool hash_parse(const char *text, struct hash *ret_hash);
int hash_compare(const struct hash *a, const struct hash *b); /* as memcmp() */
/* 64 bits of it that depend on `seed` too: for draws that must not depend on
 * any order. */
uint64_t hash_draw(const struct hash *hash, uint64_t seed);

#endif /* DATASETS_HASH_H */
