/* SPDX-License-Identifier: MIT */
/* bpe_count.c -- a hash table of pieces and their counts. */
#include "cwm/model/bpe_count.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/model/tokenizer_internal.h"

#define EMPTY UINT32_MAX

void bpe_counts_init(struct bpe_counts *c)
{
    memset(c, 0, sizeof *c);
    cwm_buf_init(&c->bytes, UINT32_MAX);
}

void bpe_counts_release(struct bpe_counts *c)
{
    cwm_buf_release(&c->bytes);
    cwm_free(c->pieces);
    cwm_free(c->slots);
    bpe_counts_init(c);
}

static void put_slot(struct bpe_counts *c, uint32_t piece)
{
    size_t at = (size_t)c->pieces[piece].hash & (c->n_slots - 1);

    while (c->slots[at] != EMPTY) {
        at = (at + 1) & (c->n_slots - 1);
    }
    c->slots[at] = piece;
}

static enum cwm_rc grow(struct bpe_counts *c, struct cwm_err *err)
{
    size_t capacity = c->capacity ? c->capacity * 2 : 1024;
    struct bpe_piece *pieces;
    uint32_t *slots;
    size_t i;

    pieces = cwm_realloc(c->pieces, capacity, sizeof *pieces);
    if (pieces) {
        c->pieces = pieces;
    }
    slots = pieces ? cwm_malloc(2 * capacity * sizeof *slots) : NULL;
    if (!slots || capacity >= EMPTY / 2) {
        cwm_free(slots);
        return CWM_FAIL(err, CWM_NOMEM, "could not count %zu pieces", capacity);
    }
    cwm_free(c->slots);
    c->slots = slots;
    c->n_slots = 2 * capacity;
    c->capacity = capacity;
    memset(slots, 0xFF, c->n_slots * sizeof *slots);
    for (i = 0; i < c->n; i++) {
        put_slot(c, (uint32_t)i);
    }
    return CWM_OK;
}

/* The piece's slot, or the empty one where it would stand. */
static uint32_t *probe(const struct bpe_counts *c, const char *bytes,
                       size_t len, uint64_t hash)
{
    size_t at = (size_t)hash & (c->n_slots - 1);

    for (; c->slots[at] != EMPTY; at = (at + 1) & (c->n_slots - 1)) {
        const struct bpe_piece *p = &c->pieces[c->slots[at]];

        if (p->hash == hash && p->len == len &&
            memcmp(c->bytes.data + p->offset, bytes, len) == 0) {
            break;
        }
    }
    return &c->slots[at];
}

static enum cwm_rc add_hashed(struct bpe_counts *c, const char *bytes,
                              size_t len, uint64_t hash, uint64_t count,
                              struct cwm_err *err)
{
    enum cwm_rc rc = c->n == c->capacity ? grow(c, err) : CWM_OK;
    uint32_t *slot;

    if (rc != CWM_OK) {
        return rc;
    }
    slot = probe(c, bytes, len, hash);
    if (*slot != EMPTY) {
        c->pieces[*slot].count += count;
        return CWM_OK;
    }
    c->pieces[c->n] =
        (struct bpe_piece){count, hash, (uint32_t)c->bytes.len, (uint32_t)len};
    cwm_buf_add(&c->bytes, bytes, len);
    rc = cwm_buf_check(&c->bytes, "the text's different pieces", err);
    if (rc == CWM_OK) {
        *slot = (uint32_t)c->n++;
    }
    return rc;
}

enum cwm_rc bpe_counts_add(struct bpe_counts *c, const char *bytes, size_t len,
                           uint64_t count, struct cwm_err *err)
{
    return add_hashed(c, bytes, len, tokenizer__hash(bytes, len), count, err);
}

enum cwm_rc bpe_counts_add_all(struct bpe_counts *c,
                               const struct bpe_counts *other,
                               struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    size_t i;

    for (i = 0; i < other->n && rc == CWM_OK; i++) {
        const struct bpe_piece *p = &other->pieces[i];

        rc = add_hashed(c, other->bytes.data + p->offset, p->len, p->hash,
                        p->count, err);
    }
    return rc;
}

bool bpe_counts_has(const struct bpe_counts *c, const char *bytes, size_t len)
{
    return c->n_slots > 0 &&
           *probe(c, bytes, len, tokenizer__hash(bytes, len)) != EMPTY;
}
