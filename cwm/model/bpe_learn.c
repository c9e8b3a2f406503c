/* SPDX-License-Identifier: MIT */
/*
 * bpe_learn.c -- merges from counts, in time near the number of symbols.
 *
 * Symbols lie where their first byte lies in the pieces' bytes, each linked to
 * its neighbours within its piece.  A pair knows its count and where it
 * occurred; places where it no longer does are passed over.  The heap holds
 * pairs by count, and may hold too high a count: a pair that comes up with one
 * is put back with what is true.  (Counts only fall once a merge's new pairs
 * are in: a new token is in no old pair.)
 */
#include "cwm/model/bpe_learn.h"

#include <stdbool.h>
#include <string.h>

#include "cwm/base/alloc.h"

#define NONE UINT32_MAX

struct pair {
    uint32_t left, right;
    uint64_t count;
    uint32_t *places; /* owned; symbols at which it begins, or did */
    uint32_t n_places;
    uint32_t room;
};

struct candidate {
    uint64_t count; /* at least the pair's */
    uint32_t pair;
};

struct learner {
    const struct bpe_learn_options *options; /* borrowed */

    uint32_t *ids;         /* owned; [n_symbols]; NONE where merged away */
    uint32_t *prev, *next; /* owned; NONE at the ends of a piece */
    uint32_t *piece;       /* owned; whose symbol it is */
    const struct bpe_counts *counts; /* borrowed */

    struct bpe_table index; /* a pair's ids to its number, as `id` */
    struct pair *pairs;     /* owned */
    uint32_t n_pairs;
    size_t pairs_room;

    struct candidate *heap; /* owned */
    size_t n_heap;
    size_t heap_room;

    uint32_t *token_lens;    /* owned; bytes of each token */
    struct bpe_counts known; /* the bytes of all tokens */
};

static enum cwm_rc no_memory(struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_NOMEM,
                    "could not hold what merges are learned "
                    "from");
}

/* ---- the heap: highest count, then lowest ids, first --------------------- */

static bool comes_first(const struct learner *l, struct candidate a,
                        struct candidate b)
{
    const struct pair *x = &l->pairs[a.pair];
    const struct pair *y = &l->pairs[b.pair];

    if (a.count != b.count) {
        return a.count > b.count;
    }
    return x->left != y->left ? x->left < y->left : x->right < y->right;
}

static enum cwm_rc heap_push(struct learner *l, struct candidate c,
                             struct cwm_err *err)
{
    size_t at = l->n_heap;

    if (at == l->heap_room) {
        size_t room = l->heap_room ? l->heap_room * 2 : 4096;
        struct candidate *grown = cwm_realloc(l->heap, room, sizeof *grown);

        if (!grown) {
            return no_memory(err);
        }
        l->heap = grown;
        l->heap_room = room;
    }
    l->n_heap++;
    while (at > 0 && comes_first(l, c, l->heap[(at - 1) / 2])) {
        l->heap[at] = l->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    l->heap[at] = c;
    return CWM_OK;
}

static struct candidate heap_pop(struct learner *l)
{
    struct candidate top = l->heap[0];
    struct candidate last = l->heap[--l->n_heap];
    size_t at = 0;
    size_t child;

    while ((child = 2 * at + 1) < l->n_heap) {
        if (child + 1 < l->n_heap &&
            comes_first(l, l->heap[child + 1], l->heap[child])) {
            child++;
        }
        if (!comes_first(l, l->heap[child], last)) {
            break;
        }
        l->heap[at] = l->heap[child];
        at = child;
    }
    l->heap[at] = last;
    return top;
}

/* ---- pairs --------------------------------------------------------------- */

/* NULL: no memory. */
static struct pair *new_pair(struct learner *l, uint32_t left, uint32_t right)
{
    struct bpe_merge entry = {left, right, 0, l->n_pairs};
    struct pair *p;

    if (l->n_pairs == l->pairs_room) {
        size_t room = l->pairs_room ? l->pairs_room * 2 : 4096;
        struct pair *grown =
            room < NONE ? cwm_realloc(l->pairs, room, sizeof *grown) : NULL;

        if (!grown) {
            return NULL;
        }
        l->pairs = grown;
        l->pairs_room = room;
    }
    if (bpe_table_add(&l->index, entry, NULL) != CWM_OK) {
        return NULL;
    }
    p = &l->pairs[l->n_pairs++];
    *p = (struct pair){.left = left, .right = right};
    return p;
}

static struct pair *find_pair(struct learner *l, uint32_t left, uint32_t right)
{
    const struct bpe_merge *entry = bpe_table_find(&l->index, left, right);

    return entry ? &l->pairs[entry->id] : NULL;
}

static uint64_t weight(const struct learner *l, uint32_t symbol)
{
    return l->counts->pieces[l->piece[symbol]].count;
}

/* The pair that begins at `symbol` is there (again). */
static enum cwm_rc add_place(struct learner *l, uint32_t symbol,
                             struct cwm_err *err)
{
    uint32_t left = l->ids[symbol];
    uint32_t right = l->ids[l->next[symbol]];
    struct pair *p = find_pair(l, left, right);

    if (!p) {
        p = new_pair(l, left, right);
    }
    if (!p) {
        return no_memory(err);
    }
    if (p->n_places == p->room) {
        uint32_t room = p->room ? p->room * 2 : 2;
        uint32_t *grown = cwm_realloc(p->places, room, sizeof *grown);

        if (!grown) {
            return no_memory(err);
        }
        p->places = grown;
        p->room = room;
    }
    p->places[p->n_places++] = symbol;
    p->count += weight(l, symbol);
    return CWM_OK;
}

/* ... and is gone; its place is passed over later. */
static void drop_place(struct learner *l, uint32_t symbol)
{
    struct pair *p = find_pair(l, l->ids[symbol], l->ids[l->next[symbol]]);

    if (p) { /* always: what was added is there */
        p->count -= weight(l, symbol);
    }
}

/* ---- the start: bytes ---------------------------------------------------- */

static void link_piece(struct learner *l, uint32_t piece)
{
    const struct bpe_piece *p = &l->counts->pieces[piece];
    uint32_t end = p->offset + p->len;
    uint32_t at;

    for (at = p->offset; at < end; at++) {
        l->ids[at] = (unsigned char)l->counts->bytes.data[at];
        l->prev[at] = at > p->offset ? at - 1 : NONE;
        l->next[at] = at + 1 < end ? at + 1 : NONE;
        l->piece[at] = piece;
    }
}

static enum cwm_rc start_tokens(struct learner *l, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    unsigned b;

    l->token_lens =
        cwm_calloc(256 + l->options->n_merges, sizeof *l->token_lens);
    if (!l->token_lens) {
        return no_memory(err);
    }
    for (b = 0; b < 256 && rc == CWM_OK; b++) {
        char byte = (char)b;

        l->token_lens[b] = 1;
        rc = bpe_counts_add(&l->known, &byte, 1, 1, err);
    }
    return rc;
}

static enum cwm_rc push_pairs(struct learner *l, uint32_t first,
                              struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    uint32_t i;

    for (i = first; i < l->n_pairs && rc == CWM_OK; i++) {
        if (l->pairs[i].count >= l->options->min_count) {
            rc = heap_push(l, (struct candidate){l->pairs[i].count, i}, err);
        }
    }
    return rc;
}

static enum cwm_rc start(struct learner *l, struct cwm_err *err)
{
    size_t n = l->counts->bytes.len;
    enum cwm_rc rc = start_tokens(l, err);
    uint32_t i;

    if (rc != CWM_OK) {
        return rc;
    }
    l->ids = cwm_malloc(n * sizeof *l->ids);
    l->prev = cwm_malloc(n * sizeof *l->prev);
    l->next = cwm_malloc(n * sizeof *l->next);
    l->piece = cwm_malloc(n * sizeof *l->piece);
    if (!l->ids || !l->prev || !l->next || !l->piece) {
        return no_memory(err);
    }
    for (i = 0; i < l->counts->n; i++) {
        link_piece(l, i);
    }
    for (i = 0; i < n && rc == CWM_OK; i++) {
        if (l->next[i] != NONE) {
            rc = add_place(l, i, err);
        }
    }
    return rc == CWM_OK ? push_pairs(l, 0, err) : rc;
}

/* ---- one merge ----------------------------------------------------------- */

static enum cwm_rc merge_at(struct learner *l, uint32_t symbol, uint32_t id,
                            struct cwm_err *err)
{
    uint32_t gone = l->next[symbol];
    uint32_t prev = l->prev[symbol];
    uint32_t next = l->next[gone];
    enum cwm_rc rc = CWM_OK;

    if (prev != NONE) {
        drop_place(l, prev);
    }
    drop_place(l, symbol);
    if (next != NONE) {
        drop_place(l, gone);
    }
    l->ids[symbol] = id;
    l->ids[gone] = NONE;
    l->next[symbol] = next;
    if (next != NONE) {
        l->prev[next] = symbol;
        rc = add_place(l, symbol, err);
    }
    if (rc == CWM_OK && prev != NONE) {
        rc = add_place(l, prev, err);
    }
    return rc;
}

static bool is_at(const struct learner *l, const struct pair *p, uint32_t at)
{
    return l->ids[at] == p->left && l->next[at] != NONE &&
           l->ids[l->next[at]] == p->right;
}

/*
 * Everywhere, from the left: of three equal symbols the first two merge.
 * Places are in order as they are: they are added while another pair's are
 * gone through in order, and each new pair has the new token on one side.
 */
static enum cwm_rc merge_all(struct learner *l, uint32_t number, uint32_t id,
                             struct cwm_err *err)
{
    struct pair p = l->pairs[number]; /* the array may move */
    uint32_t n_before = l->n_pairs;
    enum cwm_rc rc = CWM_OK;
    uint32_t i;

    l->pairs[number].places = NULL; /* now p's */
    l->pairs[number].n_places = 0;
    l->pairs[number].room = 0;
    for (i = 0; i < p.n_places && rc == CWM_OK; i++) {
        if (is_at(l, &p, p.places[i])) {
            rc = merge_at(l, p.places[i], id, err);
        }
    }
    cwm_free(p.places);
    return rc == CWM_OK ? push_pairs(l, n_before, err) : rc;
}

/*
 * The bytes of the pair's token, borrowed from a place where it occurs; false
 * when it must not become one.
 */
static bool token_bytes(const struct learner *l, const struct pair *p,
                        const char **ret_bytes, uint32_t *ret_len)
{
    uint32_t len = l->token_lens[p->left] + l->token_lens[p->right];
    uint32_t i = 0;

    while (i < p->n_places && !is_at(l, p, p->places[i])) {
        i++;
    }
    if (i == p->n_places || len > l->options->max_token_bytes) {
        return false;
    }
    *ret_bytes = l->counts->bytes.data + p->places[i];
    *ret_len = len;
    return !bpe_counts_has(&l->known, *ret_bytes, len);
}

/* ---- all merges ---------------------------------------------------------- */

/* The next pair by its true count; false when none is frequent enough. */
static enum cwm_rc next_pair(struct learner *l, bool *ret_found,
                             uint32_t *ret_pair, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    *ret_found = false;
    while (l->n_heap > 0 && rc == CWM_OK) {
        struct candidate top = heap_pop(l);
        uint64_t count = l->pairs[top.pair].count;

        if (count == top.count) {
            *ret_found = true;
            *ret_pair = top.pair;
            break;
        }
        if (count >= l->options->min_count) {
            rc = heap_push(l, (struct candidate){count, top.pair}, err);
        }
    }
    return rc;
}

static enum cwm_rc learn(struct learner *l, struct bpe_merge *merges,
                         size_t *ret_n, struct cwm_err *err)
{
    size_t n = 0;
    enum cwm_rc rc = CWM_OK;

    while (n < l->options->n_merges && rc == CWM_OK) {
        const char *bytes;
        uint32_t id = 256 + (uint32_t)n;
        uint32_t len;
        uint32_t number;
        bool found;

        if (l->options->cancel && *l->options->cancel) {
            return CWM_FAIL(err, CWM_CANCELLED, "stopped");
        }
        rc = next_pair(l, &found, &number, err);
        if (rc != CWM_OK || !found) {
            break;
        }
        if (!token_bytes(l, &l->pairs[number], &bytes, &len)) {
            continue;
        }
        rc = bpe_counts_add(&l->known, bytes, len, 1, err);
        l->token_lens[id] = len;
        merges[n] = (struct bpe_merge){l->pairs[number].left,
                                       l->pairs[number].right, (uint32_t)n, id};
        n++;
        if (rc == CWM_OK) {
            rc = merge_all(l, number, id, err);
        }
    }
    *ret_n = n;
    return rc;
}

static void release(struct learner *l)
{
    uint32_t i;

    for (i = 0; i < l->n_pairs; i++) {
        cwm_free(l->pairs[i].places);
    }
    bpe_counts_release(&l->known);
    cwm_free(l->token_lens);
    cwm_free(l->heap);
    cwm_free(l->pairs);
    bpe_table_release(&l->index);
    cwm_free(l->piece);
    cwm_free(l->next);
    cwm_free(l->prev);
    cwm_free(l->ids);
}

enum cwm_rc bpe_learn(const struct bpe_counts *counts,
                      const struct bpe_learn_options *options,
                      struct bpe_merge *merges, size_t *ret_n,
                      struct cwm_err *err)
{
    struct learner l = {.options = options, .counts = counts};
    enum cwm_rc rc;

    bpe_counts_init(&l.known);
    rc = start(&l, err);
    if (rc == CWM_OK) {
        rc = learn(&l, merges, ret_n, err);
    }
    release(&l);
    return rc;
}
