/* SPDX-License-Identifier: MIT */
/*
 * bpe_merge.c -- the table of merges, and merging a piece.
 *
 * Two ways with one result: short pieces (nearly all there are) by looking
 * for the lowest rank again and again in a few cache lines; long ones with a
 * linked list of symbols and a heap of pairs.  A heap entry is stale when the
 * pair at its symbol has another rank by now; stale ones are passed over.
 */
#include "cwm/model/bpe_merge.h"

#include <string.h>

#include "cwm/base/alloc.h"

/* Longest piece for the first way: where the two took equally long. */
enum { SHORT_SYMBOLS = 64 };

#define NONE UINT32_MAX /* no neighbour */

/* ---- the table ---------------------------------------------------------- */

static size_t slot_of(const struct bpe_table *t, uint32_t left, uint32_t right)
{
    uint64_t key = (uint64_t)left << 32 | right;

    key *= 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio spreads near keys */
    return (size_t)(key >> 32 ^ key) & (t->n_slots - 1);
}

/* The pair's slot, or the empty one where it would stand. */
static struct bpe_merge *probe(const struct bpe_table *t, uint32_t left,
                               uint32_t right)
{
    size_t at = slot_of(t, left, right);

    while (t->slots[at].left != BPE_NO_RANK &&
           (t->slots[at].left != left || t->slots[at].right != right)) {
        at = (at + 1) & (t->n_slots - 1);
    }
    return &t->slots[at];
}

enum cwm_rc bpe_table_reserve(struct bpe_table *t, size_t n,
                              struct cwm_err *err)
{
    struct bpe_table grown = {.n_slots = 64};
    size_t i;

    while (grown.n_slots / 2 < n) {
        grown.n_slots *= 2;
    }
    if (grown.n_slots <= t->n_slots) {
        return CWM_OK;
    }
    grown.slots = cwm_calloc(grown.n_slots, sizeof *grown.slots);
    if (!grown.slots) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu merges", n);
    }
    for (i = 0; i < grown.n_slots; i++) {
        grown.slots[i].left = BPE_NO_RANK;
    }
    for (i = 0; i < t->n_slots; i++) {
        const struct bpe_merge *m = &t->slots[i];

        if (m->left != BPE_NO_RANK) {
            *probe(&grown, m->left, m->right) = *m;
        }
    }
    grown.n = t->n;
    cwm_free(t->slots);
    *t = grown;
    return CWM_OK;
}

enum cwm_rc bpe_table_add(struct bpe_table *t, struct bpe_merge merge,
                          struct cwm_err *err)
{
    enum cwm_rc rc = bpe_table_reserve(t, t->n + 1, err);
    struct bpe_merge *slot;

    if (rc != CWM_OK) {
        return rc;
    }
    slot = probe(t, merge.left, merge.right);
    t->n += slot->left == BPE_NO_RANK;
    *slot = merge;
    return CWM_OK;
}

const struct bpe_merge *bpe_table_find(const struct bpe_table *t, uint32_t left,
                                       uint32_t right)
{
    const struct bpe_merge *slot;

    if (t->n_slots == 0) {
        return NULL;
    }
    slot = probe(t, left, right);
    return slot->left == BPE_NO_RANK ? NULL : slot;
}

void bpe_table_release(struct bpe_table *t)
{
    cwm_free(t->slots);
    memset(t, 0, sizeof *t);
}

/* ---- short pieces ------------------------------------------------------- */

struct pair {
    uint32_t rank; /* BPE_NO_RANK: no merge */
    uint32_t id;
};

static struct pair pair_of(const struct bpe_table *t, uint32_t left,
                           uint32_t right)
{
    const struct bpe_merge *m = bpe_table_find(t, left, right);
    struct pair p = {m ? m->rank : BPE_NO_RANK, m ? m->id : 0};

    return p;
}

static void merge_short(const struct bpe_table *t, uint32_t *ids, size_t *n)
{
    struct pair pairs[SHORT_SYMBOLS]; /* [i]: ids[i] with ids[i + 1] */
    size_t left = *n;                 /* symbols */
    size_t i;

    for (i = 0; i + 1 < left; i++) {
        pairs[i] = pair_of(t, ids[i], ids[i + 1]);
    }
    for (;;) {
        uint32_t rank = BPE_NO_RANK;
        size_t at = 0;

        for (i = 0; i + 1 < left; i++) {
            if (pairs[i].rank < rank) {
                rank = pairs[i].rank;
                at = i;
            }
        }
        if (rank == BPE_NO_RANK) {
            break;
        }
        ids[at] = pairs[at].id;
        left--;
        memmove(ids + at + 1, ids + at + 2, (left - at - 1) * sizeof *ids);
        memmove(pairs + at, pairs + at + 1, (left - at - 1) * sizeof *pairs);
        if (at + 1 < left) {
            pairs[at] = pair_of(t, ids[at], ids[at + 1]);
        }
        if (at > 0) {
            pairs[at - 1] = pair_of(t, ids[at - 1], ids[at]);
        }
    }
    *n = left;
}

/* ---- long pieces -------------------------------------------------------- */

void bpe_scratch_release(struct bpe_scratch *s)
{
    cwm_free(s->links);
    cwm_free(s->heap);
    memset(s, 0, sizeof *s);
}

/* A merge takes one pair away and makes at most two: 3n entries at most. */
static enum cwm_rc scratch_reserve(struct bpe_scratch *s, size_t n,
                                   struct cwm_err *err)
{
    uint32_t *links;
    uint64_t *heap;

    if (n > s->n_links) {
        links = cwm_realloc(s->links, n, 4 * sizeof *links);
        if (!links) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold a piece of %zu", n);
        }
        s->links = links;
        s->n_links = n;
    }
    if (3 * n > s->heap_room) {
        heap = cwm_realloc(s->heap, 3 * n, sizeof *heap);
        if (!heap) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold a piece of %zu", n);
        }
        s->heap = heap;
        s->heap_room = 3 * n;
    }
    s->n_heap = 0;
    return CWM_OK;
}

static void heap_push(struct bpe_scratch *s, uint64_t entry)
{
    size_t at = s->n_heap++;

    while (at > 0 && s->heap[(at - 1) / 2] > entry) {
        s->heap[at] = s->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    s->heap[at] = entry;
}

static uint64_t heap_pop(struct bpe_scratch *s)
{
    uint64_t top = s->heap[0];
    uint64_t entry = s->heap[--s->n_heap];
    size_t at = 0;
    size_t child;

    while ((child = 2 * at + 1) < s->n_heap) {
        if (child + 1 < s->n_heap && s->heap[child + 1] < s->heap[child]) {
            child++;
        }
        if (s->heap[child] >= entry) {
            break;
        }
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = entry;
    return top;
}

/* The symbols of one long piece: ids and four columns of the scratch. */
struct chain {
    const struct bpe_table *table; /* borrowed */
    struct bpe_scratch *scratch;   /* borrowed */
    uint32_t *ids;
    uint32_t *prev, *next; /* NONE at the ends */
    uint32_t *rank, *id;   /* of the pair that begins here */
};

static void chain_pair(struct chain *c, uint32_t at)
{
    struct pair p = {BPE_NO_RANK, 0};

    if (c->next[at] != NONE) {
        p = pair_of(c->table, c->ids[at], c->ids[c->next[at]]);
    }
    c->rank[at] = p.rank;
    c->id[at] = p.id;
    if (p.rank != BPE_NO_RANK) {
        heap_push(c->scratch, (uint64_t)p.rank << 32 | at);
    }
}

static void chain_merge(struct chain *c, uint32_t at)
{
    uint32_t gone = c->next[at];

    c->ids[at] = c->id[at];
    c->rank[gone] = BPE_NO_RANK; /* its entries in the heap are stale */
    c->next[at] = c->next[gone];
    if (c->next[at] != NONE) {
        c->prev[c->next[at]] = at;
    }
    chain_pair(c, at);
    if (c->prev[at] != NONE) {
        chain_pair(c, c->prev[at]);
    }
}

static enum cwm_rc merge_long(const struct bpe_table *t, uint32_t *ids,
                              size_t *n, struct bpe_scratch *s,
                              struct cwm_err *err)
{
    uint32_t n_symbols = (uint32_t)*n;
    enum cwm_rc rc = scratch_reserve(s, n_symbols, err);
    struct chain c;
    uint32_t at;

    if (rc != CWM_OK) {
        return rc;
    }
    c = (struct chain){t,
                       s,
                       ids,
                       s->links,
                       s->links + n_symbols,
                       s->links + 2 * (size_t)n_symbols,
                       s->links + 3 * (size_t)n_symbols};
    for (at = 0; at < n_symbols; at++) {
        c.prev[at] = at > 0 ? at - 1 : NONE;
        c.next[at] = at + 1 < n_symbols ? at + 1 : NONE;
    }
    for (at = 0; at < n_symbols; at++) {
        chain_pair(&c, at);
    }
    while (s->n_heap > 0) {
        uint64_t top = heap_pop(s);

        at = (uint32_t)top;
        if (c.rank[at] == (uint32_t)(top >> 32)) {
            chain_merge(&c, at);
        }
    }
    *n = 0;
    for (at = 0; at != NONE; at = c.next[at]) {
        ids[(*n)++] = ids[at];
    }
    return CWM_OK;
}

enum cwm_rc bpe_merge_piece(const struct bpe_table *t, uint32_t *ids, size_t *n,
                            struct bpe_scratch *s, struct cwm_err *err)
{
    if (*n <= SHORT_SYMBOLS) {
        merge_short(t, ids, n);
        return CWM_OK;
    }
    return merge_long(t, ids, n, s, err);
}
