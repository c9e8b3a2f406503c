/* SPDX-License-Identifier: MIT */
/*
 * select.c -- see select.h.
 *
 * A task's candidates fall into few behaviours (rows of verdicts that differ).
 * What a set of weights means is worked out once for each behaviour, column by
 * column over bytes that lie side by side; what a pool means, by counting.
 */
#include "eval/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/draw.h"
#include "eval/passk.h"

/* What the present weights make of one behaviour. */
struct behaviour {
    uint32_t passed;     /* weight of the generated tests that hold */
    uint32_t top_passed; /* number of the most frequent ones that hold */
    uint32_t given;      /* number of given tests that hold */
    uint32_t predicted;  /* weight of the generated tests foreseen to hold */
    uint32_t group;      /* the same: indistinguishable */
    uint64_t mark;       /* a hash of which tests hold */
};

/* Compared part by part. */
struct select_key {
    uint64_t major, minor;
};

/* Candidates with equal keys. */
struct level {
    struct select_key key;
    size_t n, n_right;
};

struct select_task {
    size_t n;             /* candidates */
    size_t n_b;           /* behaviours */
    size_t n_tests;       /* columns */
    uint32_t *of;         /* [n] behaviour of each */
    uint8_t *columns;     /* [n_tests][n_b] 1: holds */
    uint8_t *foreseen;    /* the same of predicted verdicts; or NULL */
    uint32_t *first;      /* [n_tests] weights at the beginning; 0: given */
    uint8_t *is_given;    /* [n_tests] */
    uint8_t *is_out;      /* [n_tests] */
    uint32_t *held_by;    /* [n_tests] candidates that it holds for */
    uint64_t *marks;      /* [n_tests] random bits */
    uint32_t *programs;   /* [n] from 0, dense */
    uint32_t *outputs;    /* [n] from 0, dense; or NULL */
    uint32_t *few_tokens; /* [n] the more, the fewer tokens */
    uint8_t *is_right;    /* [n] */
    size_t n_right;
    struct behaviour *b;     /* [n_b] */
    uint32_t *counts;        /* [n] zero between calls: pools are counted */
    struct select_key *keys; /* [n] */
    struct level *levels;    /* [n] */
    uint32_t *everyone;      /* [n] 0, 1, 2, ... */
};

/* ---- the table ---- */

typedef void (*key_maker)(struct select_task *t, const uint32_t *pool,
                          size_t n);

static const struct behaviour *behaviour_of(const struct select_task *t,
                                            uint32_t candidate)
{
    return &t->b[t->of[candidate]];
}

static void key_random(struct select_task *t, const uint32_t *pool, size_t n)
{
    (void)pool;
    memset(t->keys, 0, n * sizeof *t->keys);
}

/* How many of the pool are of the same class; classes[] below t->n. */
static void key_majority_of(struct select_task *t, const uint32_t *classes,
                            const uint32_t *pool, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        t->counts[classes[pool[i]]]++;
    }
    for (size_t i = 0; i < n; i++) {
        t->keys[i] = (struct select_key){t->counts[classes[pool[i]]], 0};
    }
    for (size_t i = 0; i < n; i++) {
        t->counts[classes[pool[i]]] = 0;
    }
}

static void key_majority(struct select_task *t, const uint32_t *pool, size_t n)
{
    key_majority_of(t, t->programs, pool, n);
}

/* How many of the pool behave the same, in keys[i].minor. */
static void count_groups(struct select_task *t, const uint32_t *pool, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        t->counts[behaviour_of(t, pool[i])->group]++;
    }
    for (size_t i = 0; i < n; i++) {
        t->keys[i].minor = t->counts[behaviour_of(t, pool[i])->group];
    }
    for (size_t i = 0; i < n; i++) {
        t->counts[behaviour_of(t, pool[i])->group] = 0;
    }
}

static void key_majority_output(struct select_task *t, const uint32_t *pool,
                                size_t n)
{
    if (t->outputs) {
        key_majority_of(t, t->outputs, pool, n);
        return;
    }
    count_groups(t, pool, n);
    for (size_t i = 0; i < n; i++) {
        t->keys[i] = (struct select_key){t->keys[i].minor, 0};
    }
}

static void key_tests(struct select_task *t, const uint32_t *pool, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        t->keys[i] = (struct select_key){behaviour_of(t, pool[i])->passed, 0};
    }
}

/*
 * CodeT's sets: S candidates that behave the same, T the weight of the tests
 * that they hold.  sqrt(S) T is compared as S T^2, in whole numbers, so that
 * equal scores are equal.
 */
static void key_codet(struct select_task *t, const uint32_t *pool, size_t n)
{
    count_groups(t, pool, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t tests = behaviour_of(t, pool[i])->passed;

        t->keys[i] = (struct select_key){t->keys[i].minor * tests * tests, 0};
    }
}

static void key_codet_product(struct select_task *t, const uint32_t *pool,
                              size_t n)
{
    count_groups(t, pool, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t tests = behaviour_of(t, pool[i])->passed;

        t->keys[i] = (struct select_key){t->keys[i].minor * tests, 0};
    }
}

static void key_codet_solutions(struct select_task *t, const uint32_t *pool,
                                size_t n)
{
    count_groups(t, pool, n);
    for (size_t i = 0; i < n; i++) {
        bool holds = behaviour_of(t, pool[i])->passed > 0;

        t->keys[i] = (struct select_key){holds ? t->keys[i].minor : 0, 0};
    }
}

/* Given tests, the most frequent generated ones, the program that came most
 * often, the shortest sample. */
static void key_cwm(struct select_task *t, const uint32_t *pool, size_t n)
{
    key_majority(t, pool, n);
    for (size_t i = 0; i < n; i++) {
        const struct behaviour *b = behaviour_of(t, pool[i]);
        uint64_t votes = t->keys[i].major;

        t->keys[i] =
            (struct select_key){(uint64_t)b->given << 32 | b->top_passed,
                                votes << 32 | t->few_tokens[pool[i]]};
    }
}

static void key_predict(struct select_task *t, const uint32_t *pool, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        t->keys[i] =
            (struct select_key){behaviour_of(t, pool[i])->predicted, 0};
    }
}

static void key_oracle(struct select_task *t, const uint32_t *pool, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        t->keys[i] = (struct select_key){t->is_right[pool[i]], 0};
    }
}

static const struct selector_row {
    const char *name;
    const char *summary;
    key_maker make_keys;
    bool is_fixed;  /* the key does not depend on the pool */
    bool by_levels; /* one of each level is handed in */
    enum select_looks looks;
} selectors[SELECT_N] = {
    [SELECT_RANDOM] = {"random", "any of them", key_random, true, false,
                       SELECT_LOOKS_NOT},
    [SELECT_MAJORITY] = {"majority", "the program that came most often",
                         key_majority, false, true, SELECT_LOOKS_NOT},
    [SELECT_MAJORITY_OUTPUT] = {"majority-output",
                                "the outputs that came most often",
                                key_majority_output, false, true,
                                SELECT_LOOKS_AT_RUNS},
    [SELECT_TESTS] = {"tests", "most generated tests passed", key_tests, true,
                      false, SELECT_LOOKS_AT_RUNS},
    [SELECT_CODET] = {"codet", "agreement of solutions and tests: sqrt(S) T",
                      key_codet, false, true, SELECT_LOOKS_AT_RUNS},
    [SELECT_CODET_PRODUCT] = {"codet-product", "the same: S T",
                              key_codet_product, false, true,
                              SELECT_LOOKS_AT_RUNS},
    [SELECT_CODET_SOLUTIONS] = {"codet-solutions", "the same: S alone",
                                key_codet_solutions, false, true,
                                SELECT_LOOKS_AT_RUNS},
    [SELECT_CODET_TESTS] = {"codet-tests", "the same: T alone", key_tests, true,
                            true, SELECT_LOOKS_AT_RUNS},
    [SELECT_CWM] = {"cwm", "given tests, most frequent tests, majority, tokens",
                    key_cwm, false, false, SELECT_LOOKS_AT_RUNS},
    [SELECT_PREDICT] = {"predict", "most tests that a model foresees to hold",
                        key_predict, true, false, SELECT_LOOKS_AT_FORESIGHT},
    [SELECT_ORACLE] = {"oracle", "a right one, where there is one", key_oracle,
                       true, false, SELECT_LOOKS_NOT},
};

const char *selector_name(enum selector s)
{
    return selectors[s].name;
}

const char *selector_summary(enum selector s)
{
    return selectors[s].summary;
}

enum selector selector_find(const char *name, size_t len)
{
    for (int i = 0; i < SELECT_N; i++) {
        if (strlen(selectors[i].name) == len &&
            memcmp(selectors[i].name, name, len) == 0) {
            return (enum selector)i;
        }
    }
    return SELECT_N;
}

enum select_looks selector_looks(enum selector s)
{
    return selectors[s].looks;
}

bool selector_is_fixed(enum selector s)
{
    return selectors[s].is_fixed;
}

/* ---- making a task ---- */

struct sortable {
    uint64_t value;
    uint32_t at;
};

static int compare_sortables(const void *a, const void *b)
{
    const struct sortable *x = a;
    const struct sortable *y = b;

    if (x->value != y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return (x->at > y->at) - (x->at < y->at);
}

/* classes[i]: how many smaller values there are that differ. */
static void rank_values(struct sortable *values, size_t n, uint32_t *classes)
{
    uint32_t rank = 0;

    qsort(values, n, sizeof *values, compare_sortables);
    for (size_t i = 0; i < n; i++) {
        rank += i > 0 && values[i].value != values[i - 1].value;
        classes[values[i].at] = rank;
    }
}

static void rank_numbers(const uint32_t *numbers, size_t n,
                         struct sortable *values, uint32_t *classes)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = (struct sortable){numbers[i], (uint32_t)i};
    }
    rank_values(values, n, classes);
}

/* The fewest tokens get the highest rank; unknown: all the same. */
static void rank_tokens(const uint64_t *n_tokens, size_t n,
                        struct sortable *values, uint32_t *ranks)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = (struct sortable){n_tokens ? UINT64_MAX - n_tokens[i] : 0,
                                      (uint32_t)i};
    }
    rank_values(values, n, ranks);
}

/*
 * Rows that are equal in every verdict, predicted ones included, become one
 * behaviour.  Which tests hold is told
 * by 64 random bits of each, xored: two in 2^64 are taken for one.
 */
static void find_behaviours(struct select_task *t,
                            const struct select_input *in,
                            struct sortable *values, uint32_t *classes)
{
    for (size_t r = 0; r < in->n_rows; r++) {
        uint64_t mark = 0;

        for (size_t i = 0; i < in->n_tests; i++) {
            size_t at = r * in->n_tests + i;

            mark ^= in->holds[at] ? t->marks[i] : 0;
            mark ^= in->predicted && in->predicted[at]
                        ? t->marks[i] * UINT64_C(0x9E3779B97F4A7C15)
                        : 0;
        }
        values[r] = (struct sortable){mark, (uint32_t)r};
    }
    rank_values(values, in->n_rows, classes);
    t->n_b = classes[values[in->n_rows - 1].at] + (size_t)1;
    for (size_t i = 0; i < in->n_candidates; i++) {
        t->of[i] = classes[in->rows[i]];
    }
    for (size_t r = 0; r < in->n_rows; r++) {
        size_t b = classes[r];

        for (size_t i = 0; i < in->n_tests; i++) {
            size_t at = r * in->n_tests + i;

            t->columns[i * t->n_b + b] = in->holds[at] != 0;
            if (t->foreseen) {
                t->foreseen[i * t->n_b + b] = in->predicted[at] != 0;
            }
        }
    }
}

static void fill_tests(struct select_task *t, const struct select_input *in)
{
    struct draw d = draw_seed(0, in->n_tests);

    for (size_t i = 0; i < in->n_tests; i++) {
        t->marks[i] = draw_bits(&d);
        t->is_given[i] = in->is_given && in->is_given[i];
        t->is_out[i] = in->is_out && in->is_out[i];
        t->first[i] = t->is_given[i] ? 0 : in->weights ? in->weights[i] : 1;
    }
}

static void count_holders(struct select_task *t)
{
    for (size_t i = 0; i < t->n; i++) {
        for (size_t test = 0; test < t->n_tests; test++) {
            t->held_by[test] += t->columns[test * t->n_b + t->of[i]];
        }
    }
}

static void count_given(struct select_task *t)
{
    for (size_t i = 0; i < t->n_tests; i++) {
        for (size_t b = 0; t->is_given[i] && b < t->n_b; b++) {
            t->b[b].given += t->columns[i * t->n_b + b];
        }
    }
}

static enum cwm_rc check_input(const struct select_input *in,
                               struct cwm_err *err)
{
    uint64_t weight = 0;

    if (in->n_candidates == 0 || in->n_candidates > SELECT_MAX_CANDIDATES ||
        in->n_tests > SELECT_MAX_TESTS || in->n_rows > in->n_candidates) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot choose from %zu candidates with %zu tests: "
                        "up to %d candidates and %d tests are possible",
                        in->n_candidates, in->n_tests, SELECT_MAX_CANDIDATES,
                        SELECT_MAX_TESTS);
    }
    for (size_t i = 0; i < in->n_candidates; i++) {
        if (in->rows[i] >= in->n_rows) {
            return CWM_FAIL(err, CWM_USAGE, "candidate %zu has no verdicts", i);
        }
    }
    for (size_t i = 0; i < in->n_tests; i++) {
        weight += in->weights ? in->weights[i] : 1;
    }
    if (weight > SELECT_MAX_WEIGHT) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot weigh %llu generated tests of a task: up to "
                        "%d are possible",
                        (unsigned long long)weight, SELECT_MAX_WEIGHT);
    }
    return CWM_OK;
}

static bool allocate(struct select_task *t, const struct select_input *in)
{
    size_t n = in->n_candidates;
    size_t n_tests = in->n_tests;

    t->n = n;
    t->n_b = in->n_rows; /* the most that there can be */
    t->n_tests = n_tests;
    t->of = cwm_calloc(n, sizeof *t->of);
    t->columns = cwm_calloc(n_tests, t->n_b);
    t->foreseen = in->predicted ? cwm_calloc(n_tests, t->n_b) : NULL;
    t->first = cwm_calloc(n_tests, sizeof *t->first);
    t->is_given = cwm_calloc(n_tests, 1);
    t->is_out = cwm_calloc(n_tests, 1);
    t->held_by = cwm_calloc(n_tests, sizeof *t->held_by);
    t->marks = cwm_calloc(n_tests, sizeof *t->marks);
    t->programs = cwm_calloc(n, sizeof *t->programs);
    t->outputs = in->outputs ? cwm_calloc(n, sizeof *t->outputs) : NULL;
    t->few_tokens = cwm_calloc(n, sizeof *t->few_tokens);
    t->is_right = cwm_calloc(n, 1);
    t->b = cwm_calloc(t->n_b, sizeof *t->b);
    t->counts = cwm_calloc(n, sizeof *t->counts);
    t->keys = cwm_calloc(n, sizeof *t->keys);
    t->levels = cwm_calloc(n, sizeof *t->levels);
    t->everyone = cwm_calloc(n, sizeof *t->everyone);
    return t->of && t->columns && (t->foreseen || !in->predicted) && t->first &&
           t->is_given && t->is_out && t->held_by && t->marks && t->programs &&
           (t->outputs || !in->outputs) && t->few_tokens && t->is_right &&
           t->b && t->counts && t->keys && t->levels && t->everyone;
}

enum cwm_rc select_task_new(const struct select_input *in,
                            struct select_task **ret_task, struct cwm_err *err)
{
    struct select_task *t = NULL;   /* owned */
    struct sortable *values = NULL; /* owned */
    uint32_t *classes = NULL;       /* owned */
    enum cwm_rc rc = check_input(in, err);

    if (rc != CWM_OK) {
        return rc;
    }
    t = cwm_calloc(1, sizeof *t);
    values = cwm_calloc(in->n_candidates, sizeof *values);
    classes = cwm_calloc(in->n_rows, sizeof *classes);
    if (!t || !values || !classes || !allocate(t, in)) {
        rc = CWM_FAIL(err, CWM_NOMEM,
                      "could not hold %zu candidates and %zu tests",
                      in->n_candidates, in->n_tests);
        goto out;
    }
    fill_tests(t, in);
    find_behaviours(t, in, values, classes);
    rank_numbers(in->programs, t->n, values, t->programs);
    if (in->outputs) {
        rank_numbers(in->outputs, t->n, values, t->outputs);
    }
    rank_tokens(in->n_tokens, t->n, values, t->few_tokens);
    for (size_t i = 0; i < t->n; i++) {
        t->is_right[i] = in->is_right[i] != 0;
        t->n_right += t->is_right[i];
        t->everyone[i] = (uint32_t)i;
    }
    count_holders(t);
    count_given(t);
    select_set_weights(t, t->first);
    *ret_task = t;
    t = NULL;
out:
    select_task_free(t);
    cwm_free(values);
    cwm_free(classes);
    return rc;
}

void select_task_free(struct select_task *t)
{
    if (!t) {
        return;
    }
    cwm_free(t->of);
    cwm_free(t->columns);
    cwm_free(t->foreseen);
    cwm_free(t->first);
    cwm_free(t->is_given);
    cwm_free(t->is_out);
    cwm_free(t->held_by);
    cwm_free(t->marks);
    cwm_free(t->programs);
    cwm_free(t->outputs);
    cwm_free(t->few_tokens);
    cwm_free(t->is_right);
    cwm_free(t->b);
    cwm_free(t->counts);
    cwm_free(t->keys);
    cwm_free(t->levels);
    cwm_free(t->everyone);
    cwm_free(t);
}

size_t select_n_candidates(const struct select_task *t)
{
    return t->n;
}

size_t select_n_right(const struct select_task *t)
{
    return t->n_right;
}

const uint32_t *select_weights(const struct select_task *t, size_t *ret_n)
{
    *ret_n = t->n_tests;
    return t->first;
}

/* ---- weights ---- */

static void add_column(struct select_task *t, size_t test, uint32_t weight)
{
    const uint8_t *holds = t->columns + test * t->n_b;
    uint64_t mark = t->marks[test];

    for (size_t b = 0; b < t->n_b; b++) {
        t->b[b].passed += holds[b] ? weight : 0;
        t->b[b].mark ^= holds[b] ? mark : 0;
    }
    for (size_t b = 0; t->foreseen && b < t->n_b; b++) {
        t->b[b].predicted += t->foreseen[test * t->n_b + b] ? weight : 0;
    }
}

/* Does test x stand before y?  More often generated; held by more; earlier. */
static bool is_before(const struct select_task *t, const uint32_t *weights,
                      uint32_t x, uint32_t y)
{
    if (weights[x] != weights[y]) {
        return weights[x] > weights[y];
    }
    if (t->held_by[x] != t->held_by[y]) {
        return t->held_by[x] > t->held_by[y];
    }
    return x < y;
}

static void add_top_tests(struct select_task *t, const uint32_t *weights)
{
    uint32_t top[SELECT_TOP_TESTS];
    size_t n = 0;

    for (size_t i = 0; i < t->n_tests; i++) {
        uint32_t test = (uint32_t)i;
        size_t at = n;

        if (t->is_given[i] || t->is_out[i] || weights[i] == 0) {
            continue;
        }
        while (at > 0 && is_before(t, weights, test, top[at - 1])) {
            if (at < SELECT_TOP_TESTS) {
                top[at] = top[at - 1];
            }
            at--;
        }
        if (at < SELECT_TOP_TESTS) {
            top[at] = test;
            n += n < SELECT_TOP_TESTS;
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t b = 0; b < t->n_b; b++) {
            t->b[b].top_passed += t->columns[top[i] * t->n_b + b];
        }
    }
}

/* Behaviours that the present tests cannot tell apart get one number.  They
 * are few: a search through them is all that it takes. */
static void number_groups(struct select_task *t)
{
    for (size_t b = 0; b < t->n_b; b++) {
        size_t same = 0;

        while (t->b[same].mark != t->b[b].mark) {
            same++;
        }
        t->b[b].group = (uint32_t)same;
    }
}

void select_set_weights(struct select_task *t, const uint32_t *weights)
{
    for (size_t b = 0; b < t->n_b; b++) {
        t->b[b].passed = 0;
        t->b[b].top_passed = 0;
        t->b[b].predicted = 0;
        t->b[b].mark = 0;
    }
    for (size_t i = 0; i < t->n_tests; i++) {
        if (!t->is_given[i] && weights[i] > 0) {
            add_column(t, i, weights[i]);
        }
    }
    add_top_tests(t, weights);
    number_groups(t);
}

/* ---- choosing ---- */

static int compare_keys(struct select_key a, struct select_key b)
{
    if (a.major != b.major) {
        return a.major < b.major ? -1 : 1;
    }
    return (a.minor > b.minor) - (a.minor < b.minor);
}

double select_top(struct select_task *t, enum selector s, const uint32_t *pool,
                  size_t n)
{
    struct select_key best = {0, 0};
    size_t n_best = 0;
    size_t n_right = 0;

    selectors[s].make_keys(t, pool, n);
    for (size_t i = 0; i < n; i++) {
        int order = compare_keys(t->keys[i], best);

        if (order > 0) {
            best = t->keys[i];
            n_best = 0;
            n_right = 0;
        }
        if (order >= 0) {
            n_best++;
            n_right += t->is_right[pool[i]];
        }
    }
    return (double)n_right / (double)n_best;
}

static int compare_levels(const void *a, const void *b)
{
    const struct level *x = a;
    const struct level *y = b;

    return compare_keys(y->key, x->key);
}

/* Best first; levels[0..t->n) has room.  How many there are. */
static size_t find_levels(struct select_task *t, enum selector s,
                          struct level *levels)
{
    size_t n = 0;

    selectors[s].make_keys(t, t->everyone, t->n);
    for (size_t i = 0; i < t->n; i++) {
        levels[i] = (struct level){t->keys[i], 1, t->is_right[i]};
    }
    qsort(levels, t->n, sizeof *levels, compare_levels);
    for (size_t i = 0; i < t->n; i++) {
        if (n > 0 && compare_keys(levels[n - 1].key, levels[i].key) == 0) {
            levels[n - 1].n++;
            levels[n - 1].n_right += levels[i].n_right;
        } else {
            levels[n++] = levels[i];
        }
    }
    return n;
}

/* The first k in order: whole levels, then some of one. */
static double pass_in_order(const struct level *levels, size_t k)
{
    size_t left = k;

    for (size_t i = 0;; i++) {
        if (levels[i].n >= left) {
            return passk_estimate(levels[i].n, levels[i].n_right, left);
        }
        if (levels[i].n_right > 0) {
            return 1;
        }
        left -= levels[i].n;
    }
}

static double pass_by_levels(const struct select_task *t,
                             const struct level *levels, size_t n, size_t k)
{
    double all_wrong = 1;

    if (levels[0].key.major == 0) { /* no test says anything of anyone */
        return passk_estimate(t->n, t->n_right, k);
    }
    n -= levels[n - 1].key.major == 0;
    for (size_t i = 0; i < n && i < k; i++) {
        size_t n_times = k / n + (i < k % n);
        double wrong = 1 - (double)levels[i].n_right / (double)levels[i].n;

        all_wrong *= pow(wrong, (double)n_times);
    }
    return 1 - all_wrong;
}

double select_pass_at(struct select_task *t, enum selector s, size_t k)
{
    struct level *levels = t->levels;
    size_t n = find_levels(t, s, levels);

    return selectors[s].by_levels ? pass_by_levels(t, levels, n, k)
                                  : pass_in_order(levels, k);
}

/*
 * The best of the pool is of level l with the chance that none of the pool is
 * of a better level, less the chance that none is of l either; and then any of
 * l is as likely.
 */
double select_best_exact(struct select_task *t, enum selector s, size_t k)
{
    struct level *levels = t->levels;
    size_t n_levels;
    size_t n_better = 0;
    double chance = 0;

    if (k == 1) {
        return (double)t->n_right / (double)t->n;
    }
    if (k == t->n) {
        return select_top(t, s, t->everyone, t->n);
    }
    if (!selectors[s].is_fixed) {
        return (double)NAN;
    }
    n_levels = find_levels(t, s, levels);
    for (size_t i = 0; i < n_levels; i++) {
        double share = (double)levels[i].n_right / (double)levels[i].n;
        double before = passk_estimate(t->n, n_better, k);

        n_better += levels[i].n;
        chance += (passk_estimate(t->n, n_better, k) - before) * share;
    }
    return chance;
}
