/* SPDX-License-Identifier: MIT */
/* hash.c -- XXH3 over parts. */
#include "datasets/hash.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "cwm/base/alloc.h"

/* In front of a part that is not there; no length is that large. */
#define NO_PART UINT64_MAX

struct hasher {
    XXH3_state_t *state; /* owned */
};

enum cwm_rc hasher_new(struct hasher **ret_hasher, struct cwm_err *err)
{
    struct hasher *h = cwm_calloc(1, sizeof *h);

    if (h) {
        h->state = XXH3_createState();
    }
    if (!h || !h->state) {
        hasher_free(h);
        return CWM_FAIL(err, CWM_NOMEM, "could not make a hash");
    }
    hasher_reset(h);
    *ret_hasher = h;
    return CWM_OK;
}

void hasher_free(struct hasher *h)
{
    if (h) {
        XXH3_freeState(h->state);
        cwm_free(h);
    }
}

void hasher_reset(struct hasher *h)
{
    XXH3_128bits_reset(h->state);
}

void hasher_add_number(struct hasher *h, uint64_t number)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> 8 * i);
    }
    XXH3_128bits_update(h->state, bytes, sizeof bytes);
}

void hasher_add(struct hasher *h, const void *data, size_t len)
{
    hasher_add_number(h, data ? len : NO_PART);
    if (data && len > 0) {
        XXH3_128bits_update(h->state, data, len);
    }
}

void hasher_add_text(struct hasher *h, const char *text)
{
    hasher_add(h, text, text ? strlen(text) : 0);
}

void hasher_add_hash(struct hasher *h, const struct hash *other)
{
    hasher_add(h, other ? other->bytes : NULL, HASH_BYTES);
}

static struct hash canonical(XXH128_hash_t value)
{
    XXH128_canonical_t form;
    struct hash hash;

    XXH128_canonicalFromHash(&form, value);
    memcpy(hash.bytes, form.digest, HASH_BYTES);
    return hash;
}

struct hash hasher_end(const struct hasher *h)
{
    return canonical(XXH3_128bits_digest(h->state));
}

struct hash hash_of(const void *data, size_t len)
{
    return canonical(XXH3_128bits(data, len));
}

void hash_text(const struct hash *hash, char text[HASH_TEXT])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < HASH_BYTES; i++) {
        text[2 * i] = digits[hash->bytes[i] >> 4];
        text[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
    text[2 * HASH_BYTES] = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hash_parse(const char *text, struct hash *ret_hash)
{
    if (strlen(text) != 2 * HASH_BYTES) {
        return false;
    }
    for (size_t i = 0; i < HASH_BYTES; i++) {
        int high = digit(text[2 * i]);
        int low = digit(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        ret_hash->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

int hash_compare(const struct hash *a, const struct hash *b)
{
    return memcmp(a->bytes, b->bytes, HASH_BYTES);
}

uint64_t hash_draw(const struct hash *hash, uint64_t seed)
{
    return XXH3_64bits_withSeed(hash->bytes, HASH_BYTES, seed);
}
