/* SPDX-License-Identifier: MIT */
/*
 * decontaminate.c -- an index over benchmarks' problems.
 *
 * Runs of tokens, runs of words and functions' shapes are hashes in three
 * sorted tables; a program's own are looked up there, and what was found is
 * counted by problem.
 */
#include "datasets/decontaminate.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/buf.h"
#include "datasets/code_tokens.h"
#include "datasets/sources.h"
#include "datasets/tree_shape.h"

enum {
    GRAM = 10,          /* tokens or words in a run */
    MIN_GRAMS = 5,      /* of a problem: fewer say nothing */
    MIN_NODES = 24,     /* of a shape: smaller functions look alike */
    MIN_NAME_BYTES = 6, /* of a function's name */
    PERCENT = 50,       /* of a problem's runs */
    PERCENT_NAMED = 20, /* where the name is the same */
    MAX_WHAT_BYTES = 160
};

struct entry {
    uint64_t hash;
    uint32_t problem;
};

struct table {
    struct entry *entries; /* owned; sorted in the end, no doubles */
    size_t n, capacity;
};

enum { BY_CODE, BY_PROSE, BY_SHAPE, BY_NAME, N_TABLES };

struct problem {
    char *name;          /* owned: "HumanEval/3" */
    uint32_t n_grams[2]; /* BY_CODE, BY_PROSE: different ones */
    uint32_t n_hits[2];  /* in the program that is looked at */
    uint32_t round[2];   /* when those were counted last */
};

struct decontaminate {
    struct problem *problems; /* owned */
    size_t n, capacity;
    struct table tables[N_TABLES];
    struct code_tokens tokens;
    struct tree_shapes shapes;
    struct code_tokens seen; /* a program's runs, sorted: each counts once */
    uint32_t round;
};

void decontaminate_free(struct decontaminate *d)
{
    if (!d) {
        return;
    }
    for (size_t i = 0; i < d->n; i++) {
        cwm_free(d->problems[i].name);
    }
    for (size_t i = 0; i < N_TABLES; i++) {
        cwm_free(d->tables[i].entries);
    }
    code_tokens_release(&d->tokens);
    code_tokens_release(&d->seen);
    tree_shapes_release(&d->shapes);
    cwm_free(d->problems);
    cwm_free(d);
}

size_t decontaminate_n_problems(const struct decontaminate *d)
{
    return d->n;
}

/* ---- the index ---- */

static enum cwm_rc add_entry(struct table *t, uint64_t hash, uint32_t problem,
                             struct cwm_err *err)
{
    if (t->n == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 1024;
        struct entry *more = cwm_realloc(t->entries, capacity, sizeof *more);

        if (!more) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold the benchmarks");
        }
        t->entries = more;
        t->capacity = capacity;
    }
    t->entries[t->n++] = (struct entry){hash, problem};
    return CWM_OK;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;

    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return (x->problem > y->problem) - (x->problem < y->problem);
}

/* Sort, and keep one of each. */
static void settle(struct table *t)
{
    size_t n = 0;

    if (t->n == 0) {
        return;
    }
    qsort(t->entries, t->n, sizeof *t->entries, compare_entries);
    for (size_t i = 0; i < t->n; i++) {
        if (n == 0 ||
            compare_entries(&t->entries[n - 1], &t->entries[i]) != 0) {
            t->entries[n++] = t->entries[i];
        }
    }
    t->n = n;
}

/* The first entry with that hash; t->n when there is none. */
static size_t find(const struct table *t, uint64_t hash)
{
    size_t low = 0;
    size_t high = t->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (t->entries[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < t->n && t->entries[low].hash == hash ? low : t->n;
}

static enum cwm_rc add_grams(struct decontaminate *d, const char *text,
                             int table, uint32_t problem, struct cwm_err *err)
{
    enum cwm_rc rc =
        code_tokens_of(text, strlen(text), table == BY_PROSE, &d->tokens, err);

    for (size_t i = 0; rc == CWM_OK && i + GRAM <= d->tokens.n; i++) {
        rc = add_entry(&d->tables[table], code_tokens_gram(&d->tokens, i, GRAM),
                       problem, err);
    }
    return rc;
}

static enum cwm_rc add_shapes(struct decontaminate *d, const char *code,
                              uint32_t problem, struct cwm_err *err)
{
    enum cwm_rc rc = tree_shapes_of(code, strlen(code), &d->shapes, err);

    for (size_t i = 0; rc == CWM_OK && i < d->shapes.n; i++) {
        const struct tree_shape *s = &d->shapes.list[i];

        if (s->n_nodes >= MIN_NODES) {
            rc = add_entry(&d->tables[BY_SHAPE], s->hash, problem, err);
        }
        if (rc == CWM_OK && s->name_len >= MIN_NAME_BYTES) {
            rc = add_entry(&d->tables[BY_NAME], s->name, problem, err);
        }
    }
    return rc;
}

static const char *text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : "";
}

static char *name_of(const json_t *root, const struct source_item *item)
{
    static const char *const names[] = {"task_id", "id", "question_id"};
    char text[MAX_WHAT_BYTES / 2];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const json_t *value = json_object_get(root, names[i]);

        if (json_is_string(value)) {
            return cwm_strdup(json_string_value(value));
        }
        if (json_is_integer(value)) {
            snprintf(text, sizeof text, "%.40s %lld", item->source,
                     (long long)json_integer_value(value));
            return cwm_strdup(text);
        }
    }
    snprintf(text, sizeof text, "%.40s, %.20s", item->source, item->name);
    return cwm_strdup(text);
}

static enum cwm_rc add_texts(struct decontaminate *d, const json_t *root,
                             uint32_t problem, struct cwm_err *err)
{
    struct cwm_buf code;
    enum cwm_rc rc;

    cwm_buf_init(&code, SOURCES_MAX_ITEM_BYTES);
    if (text_of(root, "canonical_solution")[0] != '\0') {
        cwm_buf_adds(&code, text_of(root, "prompt")); /* else it is prose */
        cwm_buf_adds(&code, text_of(root, "canonical_solution"));
    }
    cwm_buf_adds(&code, text_of(root, "code"));
    cwm_buf_adds(&code, text_of(root, "source"));
    cwm_buf_addc(&code, '\n');
    rc = cwm_buf_check(&code, "a problem", err);
    if (rc == CWM_OK) {
        rc = add_grams(d, code.data, BY_CODE, problem, err);
    }
    if (rc == CWM_OK) {
        rc = add_shapes(d, code.data, problem, err);
    }
    if (rc == CWM_OK) {
        rc = add_grams(d, text_of(root, "prompt"), BY_PROSE, problem, err);
    }
    if (rc == CWM_OK) {
        rc = add_grams(d, text_of(root, "text"), BY_PROSE, problem, err);
    }
    cwm_buf_release(&code);
    return rc;
}

static enum cwm_rc add_problem(struct decontaminate *d,
                               const struct source_item *item,
                               struct cwm_err *err)
{
    json_t *root = json_loadb(item->data, item->len, JSON_ALLOW_NUL, NULL);
    enum cwm_rc rc = CWM_OK;

    if (!json_is_object(root)) {
        json_decref(root);
        return CWM_OK;
    }
    if (d->n == d->capacity) {
        size_t capacity = d->capacity ? 2 * d->capacity : 256;
        struct problem *more = cwm_realloc(d->problems, capacity, sizeof *more);

        if (!more) {
            json_decref(root);
            return CWM_FAIL(err, CWM_NOMEM, "could not hold the benchmarks");
        }
        d->problems = more;
        d->capacity = capacity;
    }
    d->problems[d->n] = (struct problem){.name = name_of(root, item)};
    if (!d->problems[d->n].name) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold the benchmarks");
    } else {
        rc = add_texts(d, root, (uint32_t)d->n++, err);
    }
    json_decref(root);
    return rc;
}

static enum cwm_rc read_file(struct decontaminate *d, const char *file,
                             struct cwm_err *err)
{
    struct sources *sources = NULL; /* owned */
    struct source_item item;
    bool more = true;
    size_t before = d->n;
    enum cwm_rc rc = sources_open_lines(file, &sources, err);

    while (rc == CWM_OK && more) {
        rc = sources_next(sources, &item, &more, err);
        if (rc == CWM_OK && more && !item.skip) {
            rc = add_problem(d, &item, err);
        }
    }
    sources_close(sources);
    if (rc == CWM_OK && d->n == before) {
        rc = CWM_FAIL(err, CWM_USAGE, "there are no problems in '%s'", file);
    }
    return rc == CWM_IO || rc == CWM_FORMAT ? CWM_USAGE : rc;
}

enum cwm_rc decontaminate_new(const char *const *files, size_t n,
                              struct decontaminate **ret, struct cwm_err *err)
{
    struct decontaminate *d = cwm_calloc(1, sizeof *d); /* owned */
    enum cwm_rc rc = CWM_OK;

    if (!d) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the benchmarks");
    }
    for (size_t i = 0; i < n && rc == CWM_OK; i++) {
        rc = read_file(d, files[i], err);
    }
    if (rc != CWM_OK) {
        decontaminate_free(d);
        return rc;
    }
    for (size_t i = 0; i < N_TABLES; i++) {
        settle(&d->tables[i]);
    }
    for (int t = BY_CODE; t <= BY_PROSE; t++) {
        for (size_t i = 0; i < d->tables[t].n; i++) {
            d->problems[d->tables[t].entries[i].problem].n_grams[t]++;
        }
    }
    *ret = d;
    return CWM_OK;
}

/* ---- looking ---- */

static int compare_hashes(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return (*x > *y) - (*x < *y);
}

/* The program's different runs, into d->seen. */
static enum cwm_rc collect_runs(struct decontaminate *d, const char *text,
                                size_t len, int table, struct cwm_err *err)
{
    enum cwm_rc rc =
        code_tokens_of(text, len, table == BY_PROSE, &d->tokens, err);
    size_t n = rc == CWM_OK && d->tokens.n >= GRAM ? d->tokens.n - GRAM + 1 : 0;

    d->seen.n = 0;
    if (n > d->seen.capacity) {
        uint64_t *more = cwm_realloc(d->seen.hashes, n, sizeof *more);

        if (!more) {
            return CWM_FAIL(err, CWM_NOMEM, "could not compare a program");
        }
        d->seen.hashes = more;
        d->seen.capacity = n;
    }
    for (size_t i = 0; i < n; i++) {
        d->seen.hashes[d->seen.n++] = code_tokens_gram(&d->tokens, i, GRAM);
    }
    if (n > 0) {
        qsort(d->seen.hashes, n, sizeof *d->seen.hashes, compare_hashes);
    }
    return rc;
}

static void count_hits(struct decontaminate *d, int table)
{
    const struct table *t = &d->tables[table];

    for (size_t i = 0; i < d->seen.n; i++) {
        uint64_t hash = d->seen.hashes[i];

        if (i > 0 && hash == d->seen.hashes[i - 1]) {
            continue;
        }
        for (size_t k = find(t, hash); k < t->n && t->entries[k].hash == hash;
             k++) {
            struct problem *p = &d->problems[t->entries[k].problem];

            if (p->round[table] != d->round) {
                p->round[table] = d->round;
                p->n_hits[table] = 0;
            }
            p->n_hits[table]++;
        }
    }
}

static unsigned percent(const struct decontaminate *d, const struct problem *p,
                        int table)
{
    if (p->round[table] != d->round || p->n_grams[table] < MIN_GRAMS) {
        return 0;
    }
    return p->n_hits[table] * 100 / p->n_grams[table];
}

/* Does a function of the program have the name of one of the problem's? */
static bool has_name(const struct decontaminate *d, uint32_t problem)
{
    const struct table *t = &d->tables[BY_NAME];

    for (size_t i = 0; i < d->shapes.n; i++) {
        uint64_t hash = d->shapes.list[i].name;

        for (size_t k = find(t, hash); k < t->n && t->entries[k].hash == hash;
             k++) {
            if (t->entries[k].problem == problem) {
                return true;
            }
        }
    }
    return false;
}

/* A function of the same shape; the problem's number, or -1. */
static long same_shape(const struct decontaminate *d)
{
    const struct table *t = &d->tables[BY_SHAPE];

    for (size_t i = 0; i < d->shapes.n; i++) {
        size_t at = d->shapes.list[i].n_nodes >= MIN_NODES
                        ? find(t, d->shapes.list[i].hash)
                        : t->n;

        if (at < t->n) {
            return (long)t->entries[at].problem;
        }
    }
    return -1;
}

/* The problem of which most is there; *ret_what "" when it is not enough. */
static void judge(const struct decontaminate *d, char *what, size_t size)
{
    static const char *const of[] = {"code", "prompt"};
    unsigned most = 0;

    what[0] = '\0';
    for (size_t i = 0; i < d->n; i++) {
        const struct problem *p = &d->problems[i];

        for (int t = BY_CODE; t <= BY_PROSE; t++) {
            unsigned part = percent(d, p, t);
            bool named = part >= PERCENT_NAMED && part < PERCENT &&
                         has_name(d, (uint32_t)i);

            if (part > most && (part >= PERCENT || named)) {
                most = part;
                snprintf(what, size, "%.80s: %u %% of its %s%s", p->name, part,
                         of[t], named ? ", and its name" : "");
            }
        }
    }
}

enum cwm_rc decontaminate_look(struct decontaminate *d, const char *text,
                               size_t len, char **ret_what, struct cwm_err *err)
{
    char what[MAX_WHAT_BYTES];
    long shape;
    enum cwm_rc rc = tree_shapes_of(text, len, &d->shapes, err);

    *ret_what = NULL;
    d->round++;
    for (int t = BY_CODE; t <= BY_PROSE && rc == CWM_OK; t++) {
        rc = collect_runs(d, text, len, t, err);
        if (rc == CWM_OK) {
            count_hits(d, t);
        }
    }
    if (rc != CWM_OK) {
        return rc;
    }
    shape = same_shape(d);
    if (shape >= 0) {
        snprintf(what, sizeof what, "%.80s: a function of the same shape",
                 d->problems[shape].name);
    } else {
        judge(d, what, sizeof what);
    }
    if (what[0] != '\0' && !(*ret_what = cwm_strdup(what))) {
        return CWM_FAIL(err, CWM_NOMEM, "could not compare a program");
    }
    return CWM_OK;
}
