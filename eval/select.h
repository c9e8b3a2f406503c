/* SPDX-License-Identifier: MIT */
/*
 * select.h -- one of many candidates is chosen by what tests said of them.
 *
 * A selector gives every candidate of a pool a key; the largest key wins.
 * Equal keys are a draw, and a draw is averaged, not thrown: what comes out is
 * the chance that the chosen candidate is right.  A new selector is one more
 * row of the table in select.c, and its name in the one below.
 *
 * A key may depend on the pool (how many others wrote the same program) or
 * only on the candidate (tests passed).  The truth is looked at by `oracle`
 * alone.
 *
 * What is counted of a test is its weight: how often it was generated.  Two
 * candidates behave the same when the same tests (of a weight that is not 0)
 * hold for both.  Given tests count for nothing but `cwm`.
 *
 * Threads: a task belongs to one at a time.
 */
#ifndef EVAL_SELECT_H
#define EVAL_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

#define SELECT_MAX_CANDIDATES 16384
#define SELECT_MAX_TESTS      65536
#define SELECT_MAX_WEIGHT     65536 /* of all tests of a task together */

/* CWM's choice looks at the generated tests that came up most often. */
#define SELECT_TOP_TESTS 5

/* A task as plain arrays, copied.  Candidates refer to rows, so that equal
 * programs need their verdicts once. */
struct select_input {
    size_t n_candidates;      /* 1 to SELECT_MAX_CANDIDATES */
    size_t n_rows;            /* of verdicts */
    size_t n_tests;           /* columns; 0 is fine */
    const uint32_t *rows;     /* [n_candidates] below n_rows */
    const uint8_t *holds;     /* [n_rows][n_tests] 1: the test held */
    const uint8_t *predicted; /* the same as a model foresees it; NULL: nobody
                                 did */
    const uint32_t *weights;  /* [n_tests]; NULL: 1 each; 0: filtered out */
    const uint8_t *is_given; /* [n_tests] 1: given, not generated; NULL: none */
    const uint8_t *is_out;   /* [n_tests] 1: no test for `cwm`, which takes
                                filtered ones; NULL: all are */
    const uint32_t *programs; /* [n_candidates] the same number: the same
                                 normalised program */
    const uint32_t *outputs;  /* [n_candidates] the same number: the same
                                 outputs; NULL: see "behave the same" */
    const uint64_t *n_tokens; /* [n_candidates]; NULL: not known */
    const uint8_t *is_right;  /* [n_candidates] the truth */
};

struct select_task; /* opaque: select.c */

/* Fails: CWM_USAGE (a row that is none, over a maximum), CWM_NOMEM. */
enum cwm_rc select_task_new(const struct select_input *input,
                            struct select_task **ret_task, struct cwm_err *err);
void select_task_free(struct select_task *t); /* NULL is fine */

size_t select_n_candidates(const struct select_task *t);
size_t select_n_right(const struct select_task *t);
/* The weights of generated tests, summed: as the task began, [n_tests]. */
const uint32_t *select_weights(const struct select_task *t, size_t *ret_n);

/* From now on the generated tests have these weights, [n_tests]; those of
 * given tests are passed over. */
void select_set_weights(struct select_task *t, const uint32_t *weights);

/* ---- selectors ---- */

/* Order is that of tables and plots. */
#define SELECT_TABLE(X)                                                        \
    X(RANDOM, "random")                                                        \
    X(MAJORITY, "majority")                                                    \
    X(MAJORITY_OUTPUT, "majority-output")                                      \
    X(TESTS, "tests")                                                          \
    X(CODET, "codet")                                                          \
    X(CODET_PRODUCT, "codet-product")                                          \
    X(CODET_SOLUTIONS, "codet-solutions")                                      \
    X(CODET_TESTS, "codet-tests")                                              \
    X(CWM, "cwm")                                                              \
    X(PREDICT, "predict")                                                      \
    X(ORACLE, "oracle")

enum selector {
#define SELECT_ENUM(id, name) SELECT_##id,
    SELECT_TABLE(SELECT_ENUM)
#undef SELECT_ENUM
        SELECT_N
};
const char *selector_name(enum selector s);
const char *selector_summary(enum selector s); /* one line, for a table */
/* SELECT_N when there is none of that name. */
enum selector selector_find(const char *name, size_t len);
/* What must be there of the tests, and is paid for. */
enum select_looks {
    SELECT_LOOKS_NOT, /* the tests are not needed */
    SELECT_LOOKS_AT_RUNS,
    SELECT_LOOKS_AT_FORESIGHT /* verdicts that a model predicts */
};
enum select_looks selector_looks(enum selector s);
/* Does a candidate's key depend on itself alone? */
bool selector_is_fixed(enum selector s);

/*
 * The chance that what `s` chooses of pool[0..n) (candidates that differ, n at
 * least 1) is right.
 */
double select_top(struct select_task *t, enum selector s, const uint32_t *pool,
                  size_t n);

/*
 * The chance that one of k <= n candidates is right, all candidates being the
 * pool, of which k are handed in: the first k in the order of the keys, a draw
 * at the end averaged.  Selectors by agreement hand in as CodeT's authors do,
 * since two that agree are as good as one: of each level of equal keys one,
 * from the best level on, and round again (the same candidate may come twice)
 * when there are fewer levels than k.  CodeT's hand in none that hold no test
 * while there are others.
 */
double select_pass_at(struct select_task *t, enum selector s, size_t k);

/*
 * The chance that what `s` chooses of a random pool of k <= n candidates is
 * right.  Exact where the key depends on the candidate alone, and for k of 1
 * and of all; NAN where only pools that are drawn can tell.
 */
double select_best_exact(struct select_task *t, enum selector s, size_t k);

#endif /* EVAL_SELECT_H */
