/* SPDX-License-Identifier: MIT */
/*
 * clean.c -- the plan: what is used, where, and why not.
 *
 * One pass over the programs gathers a sketch and keys of each; then sketches
 * are compared where a band of them agrees (the usual way: near duplicates
 * agree in some band almost surely, others rarely), keys are sorted, and what
 * is equal is joined.  Programs stand in the order of their hashes all the
 * time, which makes every choice of "the first" one by content.
 */
#include "datasets/clean.h"

#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "datasets/clean_family.h"
#include "datasets/decontaminate.h"
#include "datasets/minhash.h"

enum {
    /* Members of a band's bucket that each further one is compared with: a
     * bucket of thousands would take their square otherwise. */
    MAX_COMPARED = 16
};

struct entry {
    struct hash hash;
    struct minhash sketch;
    uint32_t twin; /* index of the one that is kept; its own: none */
    uint8_t reason;
    uint8_t split;
    bool evaluation, is_mutant;
    bool wrong_licence;
    char *what; /* owned; contaminated by */
};

/* Programs with equal keys belong to one family. */
struct key {
    uint64_t key;
    uint32_t index;
};

struct link {
    struct hash parent;
    uint32_t index;
};

struct clean {
    const struct clean_options *options; /* borrowed: while it is made */
    struct entry *entries;               /* owned */
    size_t n, capacity;
    struct key *keys; /* owned: of families, then of bands */
    size_t n_keys, keys_capacity;
    struct link *links; /* owned */
    size_t n_links, links_capacity;
    struct clean_family families;
    struct code_tokens tokens;
    struct decontaminate *benchmarks; /* owned; NULL: none given */
    struct hasher *hasher;            /* owned */
};

const char *clean_split_text(enum clean_split split)
{
    static const char *const texts[] = {"train", "validation", "test", "none"};

    return texts[split];
}

const char *clean_reason_text(enum clean_reason reason)
{
    switch (reason) {
#define CLEAN_REASON_CASE(name, text)                                          \
    case CLEAN_##name:                                                         \
        return text;
        CLEAN_REASON_TABLE(CLEAN_REASON_CASE)
#undef CLEAN_REASON_CASE
    case CLEAN_N_REASONS:
        break;
    }
    return "no reason";
}

void clean_free(struct clean *c)
{
    if (!c) {
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        cwm_free(c->entries[i].what);
    }
    cwm_free(c->entries);
    cwm_free(c->keys);
    cwm_free(c->links);
    clean_family_release(&c->families);
    code_tokens_release(&c->tokens);
    decontaminate_free(c->benchmarks);
    hasher_free(c->hasher);
    cwm_free(c);
}

/* Room for one more of `size` bytes. */
static enum cwm_rc grow(void **items, size_t *capacity, size_t n, size_t size,
                        struct cwm_err *err)
{
    if (n == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 1024;
        void *p = cwm_realloc(*items, more, size);

        if (!p) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu programs", n);
        }
        *items = p;
        *capacity = more;
    }
    return CWM_OK;
}

/* ---- gathering ---- */

static enum cwm_rc add_key(struct clean *c, uint64_t key, uint32_t index,
                           struct cwm_err *err)
{
    void *keys = c->keys;
    enum cwm_rc rc =
        grow(&keys, &c->keys_capacity, c->n_keys, sizeof *c->keys, err);

    c->keys = keys;
    if (rc == CWM_OK) {
        c->keys[c->n_keys++] = (struct key){key, index};
    }
    return rc;
}

/* Two versions of one file, two solutions of one problem. */
static enum cwm_rc add_family_keys(struct clean *c,
                                   const struct store_origin *o,
                                   struct cwm_err *err)
{
    struct hash hash;

    hasher_reset(c->hasher);
    hasher_add_text(c->hasher, o->origin);
    if (o->family) {
        hasher_add_number(c->hasher, 1);
        hasher_add_text(c->hasher, o->family);
    } else if (o->kind == STORE_KIND_DIR || o->kind == STORE_KIND_JSONL) {
        hasher_add_number(c->hasher, 2);
        hasher_add_text(c->hasher, o->path);
    } else {
        return CWM_OK;
    }
    hash = hasher_end(c->hasher);
    return add_key(c, hash_draw(&hash, 0), (uint32_t)c->n, err);
}

static enum cwm_rc add_link(struct clean *c, const struct hash *parent,
                            struct cwm_err *err)
{
    void *links = c->links;
    enum cwm_rc rc =
        grow(&links, &c->links_capacity, c->n_links, sizeof *c->links, err);

    c->links = links;
    if (rc == CWM_OK) {
        c->links[c->n_links++] = (struct link){*parent, (uint32_t)c->n};
    }
    return rc;
}

/* Generated programs are nobody's. */
static bool has_licence(const struct clean_options *o,
                        const struct store_origin *origin)
{
    if (o->n_licences == 0 || origin->kind == STORE_KIND_GENERATE ||
        strcmp(origin->origin, "generate") == 0) {
        return true;
    }
    for (size_t i = 0; origin->licence && i < o->n_licences; i++) {
        if (strcmp(o->licences[i], origin->licence) == 0) {
            return true;
        }
    }
    return false;
}

static enum cwm_rc look_at_origins(struct clean *c, struct store *s,
                                   const struct store_program *program,
                                   struct entry *e, struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_origin origin;
    bool more = true;
    bool licensed = false;
    bool is_mutant = true; /* of every origin */
    enum cwm_rc rc = store_origins(s, program->id, &cursor, err);

    while (rc == CWM_OK && more) {
        rc = store_origin_next(cursor, &origin, &more, err);
        if (rc != CWM_OK || !more) {
            continue;
        }
        licensed = licensed || has_licence(c->options, &origin);
        is_mutant = is_mutant && origin.parent;
        rc = add_family_keys(c, &origin, err);
        if (rc == CWM_OK && origin.parent) {
            rc = add_link(c, origin.parent, err);
        }
    }
    store_cursor_close(cursor);
    e->is_mutant = is_mutant;
    e->wrong_licence = !licensed;
    return rc;
}

static enum cwm_rc add_sketch(struct clean *c,
                              const struct store_program *program,
                              struct entry *e, struct cwm_err *err)
{
    enum cwm_rc rc =
        code_tokens_of(program->text, program->len, 0, &c->tokens, err);

    if (rc == CWM_OK) {
        minhash_of(&c->tokens, &e->sketch);
    }
    return rc;
}

static enum cwm_rc add_program(struct clean *c, struct store *s,
                               const struct store_program *program,
                               struct cwm_err *err)
{
    struct entry e = {.hash = program->hash,
                      .twin = (uint32_t)c->n,
                      .evaluation = program->evaluation};
    void *entries = c->entries;
    enum cwm_rc rc =
        grow(&entries, &c->capacity, c->n, sizeof *c->entries, err);

    c->entries = entries;
    if (rc == CWM_OK) {
        rc = look_at_origins(c, s, program, &e, err);
    }
    if (rc == CWM_OK && c->options->near_duplicate_percent > 0) {
        rc = add_sketch(c, program, &e, err);
    }
    if (rc == CWM_OK && c->benchmarks && !e.evaluation) {
        rc = decontaminate_look(c->benchmarks, program->text, program->len,
                                &e.what, err);
    }
    if (rc == CWM_OK) {
        c->entries[c->n++] = e;
    }
    return rc;
}

static enum cwm_rc gather(struct clean *c, struct store *s, struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_program program;
    bool more = true;
    enum cwm_rc rc = store_programs(s, &cursor, err);

    while (rc == CWM_OK && more) {
        rc = store_program_next(cursor, &program, &more, err);
        if (rc == CWM_OK && more) {
            rc = add_program(c, s, &program, err);
        }
        if (cwm_is_cancelled(c->options->cancel)) {
            rc = CWM_FAIL(err, CWM_CANCELLED, "stopped on request");
        }
    }
    store_cursor_close(cursor);
    if (rc == CWM_OK && c->n > UINT32_MAX - 1) {
        rc = CWM_FAIL(err, CWM_LIMIT, "cannot sort %zu programs", c->n);
    }
    return rc;
}

/* ---- families ---- */

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a;
    const struct key *y = b;

    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return (x->index > y->index) - (x->index < y->index);
}

static void sort_keys(struct clean *c)
{
    if (c->n_keys > 0) {
        qsort(c->keys, c->n_keys, sizeof *c->keys, compare_keys);
    }
}

static void join_equal_keys(struct clean *c)
{
    sort_keys(c);
    for (size_t i = 1; i < c->n_keys; i++) {
        if (c->keys[i].key == c->keys[i - 1].key) {
            clean_family_join(&c->families, c->keys[i].index,
                              c->keys[i - 1].index);
        }
    }
}

/* The program's index; false where it is not in the store. */
static bool find(const struct clean *c, const struct hash *hash, size_t *ret_i)
{
    size_t low = 0;
    size_t high = c->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (hash_compare(&c->entries[middle].hash, hash) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_i = low;
    return low < c->n && hash_compare(&c->entries[low].hash, hash) == 0;
}

/* Mutants of a parent that is not there are still each other's kin. */
static enum cwm_rc join_parents(struct clean *c, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    c->n_keys = 0;
    for (size_t i = 0; i < c->n_links && rc == CWM_OK; i++) {
        size_t parent;

        if (find(c, &c->links[i].parent, &parent)) {
            clean_family_join(&c->families, (uint32_t)parent,
                              c->links[i].index);
        } else {
            rc = add_key(c, hash_draw(&c->links[i].parent, 1),
                         c->links[i].index, err);
        }
    }
    if (rc == CWM_OK) {
        join_equal_keys(c);
    }
    return rc;
}

/* ---- near duplicates ---- */

/* How many places a band has, so that programs of that similarity share one
 * of 128 / places bands with a probability of 99 % or more. */
static unsigned places_of_band(unsigned percent)
{
    if (percent >= 90) {
        return 10;
    }
    return percent >= 70 ? 6 : percent >= 50 ? 4 : 2;
}

/* The sets of near duplicates are of their own: a family is more. */
static void compare(struct clean *c, struct clean_family *alike, uint32_t a,
                    uint32_t b)
{
    struct entry *x = &c->entries[a];
    struct entry *y = &c->entries[b];
    struct entry *ours = x->evaluation ? y : x;
    struct entry *theirs = x->evaluation ? x : y;

    if (minhash_percent(&x->sketch, &y->sketch) <
        c->options->near_duplicate_percent) {
        return;
    }
    clean_family_join(&c->families, a, b);
    if (theirs->evaluation) { /* at most one: both are not compared */
        ours->reason = CLEAN_CONTAMINATED;
        ours->twin = (uint32_t)(theirs - c->entries);
    } else if (!x->is_mutant && !y->is_mutant) {
        clean_family_join(alike, a, b);
    }
}

/* Members of c->keys[from..to) agree in one band. */
static void compare_bucket(struct clean *c, struct clean_family *alike,
                           size_t from, size_t to)
{
    for (size_t i = from + 1; i < to; i++) {
        size_t stop = i - from > MAX_COMPARED ? from + MAX_COMPARED : i;

        for (size_t k = from; k < stop; k++) {
            uint32_t a = c->keys[k].index;
            uint32_t b = c->keys[i].index;

            if (c->entries[a].evaluation && c->entries[b].evaluation) {
                continue;
            }
            if (clean_family_root(alike, a) != clean_family_root(alike, b)) {
                compare(c, alike, a, b);
            }
        }
    }
}

static enum cwm_rc compare_band(struct clean *c, struct clean_family *alike,
                                unsigned at, unsigned places,
                                struct cwm_err *err)
{
    size_t from = 0;
    enum cwm_rc rc = CWM_OK;

    c->n_keys = 0;
    for (size_t i = 0; i < c->n && rc == CWM_OK; i++) {
        rc = add_key(c, minhash_band(&c->entries[i].sketch, at, places),
                     (uint32_t)i, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    sort_keys(c);
    for (size_t i = 1; i <= c->n_keys; i++) {
        if (i == c->n_keys || c->keys[i].key != c->keys[from].key) {
            compare_bucket(c, alike, from, i);
            from = i;
        }
    }
    return CWM_OK;
}

static enum cwm_rc find_duplicates(struct clean *c, struct cwm_err *err)
{
    unsigned percent = c->options->near_duplicate_percent;
    unsigned places = places_of_band(percent);
    struct clean_family alike = {NULL, 0};
    enum cwm_rc rc;

    if (percent == 0) {
        return CWM_OK;
    }
    rc = clean_family_init(&alike, c->n, err);
    for (unsigned at = 0; at + places <= MINHASH_PLACES && rc == CWM_OK;
         at += places) {
        rc = compare_band(c, &alike, at, places, err);
    }
    for (uint32_t i = 0; i < c->n && rc == CWM_OK; i++) {
        uint32_t root = clean_family_root(&alike, i);

        if (root != i && c->entries[i].reason == CLEAN_KEPT) {
            c->entries[i].reason = CLEAN_NEAR_DUPLICATE;
            c->entries[i].twin = root;
        }
    }
    clean_family_release(&alike);
    return rc;
}

/* ---- decisions ---- */

static enum clean_split draw_split(const struct clean_options *o,
                                   const struct hash *family)
{
    uint64_t draw = hash_draw(family, o->seed) % 1000;

    if (draw < o->validation_permille) {
        return CLEAN_VALIDATION;
    }
    return draw < o->validation_permille + o->test_permille ? CLEAN_TEST
                                                            : CLEAN_TRAIN;
}

static void decide(struct clean *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        struct entry *e = &c->entries[i];
        uint32_t root = clean_family_root(&c->families, i);

        e->split = (uint8_t)draw_split(c->options, &c->entries[root].hash);
        if (e->evaluation) {
            e->reason = CLEAN_EVALUATION;
            e->split = CLEAN_TEST;
        } else if (e->what) {
            e->reason = CLEAN_CONTAMINATED;
        } else if (e->wrong_licence && e->reason == CLEAN_KEPT) {
            e->reason = CLEAN_LICENCE;
        }
    }
    /* a mutant of what is too near to a benchmark is too near, too */
    for (size_t i = 0; i < c->n_links; i++) {
        struct entry *e = &c->entries[c->links[i].index];
        size_t parent;

        if (find(c, &c->links[i].parent, &parent) &&
            (c->entries[parent].reason == CLEAN_CONTAMINATED ||
             c->entries[parent].evaluation) &&
            e->is_mutant && !e->evaluation) {
            e->reason = CLEAN_CONTAMINATED;
            e->twin = (uint32_t)parent;
        }
    }
}

enum cwm_rc clean_new(struct store *s, const struct clean_options *options,
                      struct clean **ret_clean, struct cwm_err *err)
{
    struct clean *c = cwm_calloc(1, sizeof *c); /* owned */
    enum cwm_rc rc;

    if (!c) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a plan");
    }
    c->options = options;
    rc = hasher_new(&c->hasher, err);
    if (rc == CWM_OK && options->n_benchmarks > 0) {
        rc = decontaminate_new(options->benchmarks, options->n_benchmarks,
                               &c->benchmarks, err);
    }
    if (rc == CWM_OK) {
        rc = gather(c, s, err);
    }
    if (rc == CWM_OK) {
        rc = clean_family_init(&c->families, c->n, err);
    }
    if (rc == CWM_OK) {
        join_equal_keys(c);
        rc = join_parents(c, err);
    }
    if (rc == CWM_OK) {
        rc = find_duplicates(c, err);
    }
    if (rc == CWM_OK) {
        decide(c);
        c->options = NULL;
        *ret_clean = c;
        c = NULL;
    }
    clean_free(c);
    return rc;
}

size_t clean_n(const struct clean *c)
{
    return c->n;
}

void clean_get(struct clean *c, size_t i, struct clean_decision *ret_decision)
{
    const struct entry *e = &c->entries[i];
    uint32_t root = clean_family_root(&c->families, (uint32_t)i);

    ret_decision->program = e->hash;
    ret_decision->family = c->entries[root].hash;
    ret_decision->split = (enum clean_split)e->split;
    ret_decision->reason = (enum clean_reason)e->reason;
    ret_decision->has_twin = e->twin != i;
    ret_decision->twin = c->entries[e->twin].hash;
    ret_decision->what = e->what;
}

bool clean_find(struct clean *c, const struct hash *program,
                struct clean_decision *ret_decision)
{
    size_t i;
    bool found = find(c, program, &i);

    if (found) {
        clean_get(c, i, ret_decision);
    }
    return found;
}
