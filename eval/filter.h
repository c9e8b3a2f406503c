/* SPDX-License-Identifier: MIT */
/*
 * filter.h -- which generated tests are worth running, and how good they are.
 *
 * A test is left out, for the first reason that holds, when it
 *     no_parse           is no Python
 *     not_deterministic  says something else when it is run again: steady.h
 *     holds_for_stub     holds for a function that does nothing
 *     holds_for_all      holds for every candidate: it tells nothing
 * None of this looks at the truth.
 *
 * How good tests are does.  By the reference solution, over tests as often as
 * they were generated and over different ones:
 *     accuracy  the share that hold for it
 *     toxicity  the share that do not, but do for some candidate
 */
#ifndef EVAL_FILTER_H
#define EVAL_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

#define FILTER_REASON_TABLE(X)                                                 \
    X(KEPT, "kept")                                                            \
    X(NO_PARSE, "no_parse")                                                    \
    X(NOT_DETERMINISTIC, "not_deterministic")                                  \
    X(HOLDS_FOR_STUB, "holds_for_stub")                                        \
    X(HOLDS_FOR_ALL, "holds_for_all")

enum filter_reason {
#define FILTER_REASON_ENUM(id, text) FILTER_##id,
    FILTER_REASON_TABLE(FILTER_REASON_ENUM)
#undef FILTER_REASON_ENUM
        FILTER_N_REASONS
};
const char *filter_reason_text(enum filter_reason reason);

/* By the text alone: KEPT or NO_PARSE.  Fails: CWM_NOMEM. */
enum cwm_rc filter_text(const char *text, size_t len,
                        enum filter_reason *ret_reason, struct cwm_err *err);

/*
 * Can the test stand in a module only?  `from m import *` cannot stand in a
 * function, which is where CodeT's own code puts all tests of a task.
 */
bool filter_needs_module(const char *text, size_t len);

/* A task's tests and what they said; all arrays borrowed. */
struct filter_task {
    size_t n_tests, n_rows;
    const uint8_t *holds;     /* [n_rows][n_tests], candidates only */
    const uint8_t *stub;      /* [n_tests]; NULL: no stub was run */
    const uint8_t *reference; /* [n_tests]; NULL: there is none to trust */
    const uint32_t *n_times;  /* [n_tests] how often each was generated */
};

/* For tests whose text is kept: reasons[0..n_tests) is filled. */
void filter_verdicts(const struct filter_task *task,
                     enum filter_reason *reasons);

/* Sums over many tasks. */
struct filter_share {
    uint64_t n, n_accurate, n_toxic; /* of tests with a reference */
};
struct filter_sums {
    uint64_t n_tests, n_different;            /* all of them */
    uint64_t n_tasks_without;                 /* tasks without a test */
    uint64_t n_reasons[FILTER_N_REASONS];     /* of the different ones */
    struct filter_share generated, different; /* as often as generated; once */
    struct filter_share kept; /* as often as generated, filtered */
};

/* reasons may be NULL: all kept. */
void filter_count(const struct filter_task *task,
                  const enum filter_reason *reasons, struct filter_sums *sums);

#endif /* EVAL_FILTER_H */
