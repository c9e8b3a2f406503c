/* SPDX-License-Identifier: MIT */
/*
 * inputs.h -- arguments for functions that come without.
 *
 * For one function of a program: first what its authors wrote (doctests,
 * asserts, calls in the same file, default values), then typed guesses (from
 * annotations, the operations used on a parameter, parameters' names), then
 * mutations of what worked.  After each try the caller reports what came of
 * it; the report steers what is proposed next (a TypeError moves the guessed
 * types, an input with new coverage becomes a parent) and the answer tells
 * whether the input says something new and should be kept:
 *
 *     inputs_new(source, def, &settings, seed, &in, err);
 *     while (inputs_next(in, &try, &more, err) == CWM_OK && more) {
 *         ... tracer_run() with try.args ...
 *         inputs_outcome_of(&result, &outcome, err);
 *         inputs_report(in, &outcome, &keep, err);
 *         inputs_outcome_release(&outcome);
 *     }
 *
 * Deterministic: the same source, settings, seed and outcomes give the same
 * tries and answers.
 *
 * Threads: one at a time per `struct inputs`.
 */
#ifndef DATASETS_INPUTS_H
#define DATASETS_INPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "tracer/source.h"
#include "tracer/trace.h"

/* Where a try came from.  Append only: datasets store the numbers. */
#define INPUTS_ORIGIN_TABLE(X)                                                 \
    X(DOCTEST, 0, "doctest")                                                   \
    X(ASSERT, 1, "assert")                                                     \
    X(CALL, 2, "call")                                                         \
    X(DEFAULT, 3, "default")                                                   \
    X(TYPED, 4, "typed")                                                       \
    X(MUTATED, 5, "mutated")                                                   \
    X(GIVEN, 6, "given")

enum inputs_origin {
#define INPUTS_ORIGIN_ENUM(name, number, text) INPUTS_##name = (number),
    INPUTS_ORIGIN_TABLE(INPUTS_ORIGIN_ENUM)
#undef INPUTS_ORIGIN_ENUM
        INPUTS_N_ORIGINS
};
const char *inputs_origin_text(enum inputs_origin origin);

struct inputs_settings {
    uint32_t max_tries;          /* proposals at most, all kinds together */
    uint32_t max_kept;           /* stop when so many were kept */
    uint32_t exception_permille; /* of those kept, at most, that raise */
    uint32_t max_frames;         /* longer traces are not kept */
    bool keep_written;           /* what authors wrote is kept in any case */
};
void inputs_settings_default(struct inputs_settings *ret_settings);

struct inputs_try {
    const char *args; /* borrowed until the next call; the inside of the
                         call's parentheses */
    enum inputs_origin origin;
    uint32_t line;  /* where it was written, 1-based; 0: nowhere */
    uint32_t index; /* number of the try, from 0 */
};

/* What a try came to, as far as the next one is concerned. */
struct inputs_outcome {
    enum trace_verdict verdict;
    char exception_type[48];     /* "" when there is none; may be cut */
    char exception_message[160]; /* may be cut */
    uint64_t n_frames;
    uint64_t *edges; /* owned: line -> line steps seen, sorted, no doubles */
    size_t n_edges;
    uint32_t shape; /* hash of: verdict, exception, result's type */
};
/* Fails: CWM_NOMEM.  Rewinds the result's reader. */
enum cwm_rc inputs_outcome_of(const struct trace_result *result,
                              struct inputs_outcome *ret_outcome,
                              struct cwm_err *err);
void inputs_outcome_release(struct inputs_outcome *outcome);

struct inputs; /* opaque: inputs.c */

/*
 * def: index into source_defs(); a function that can be called as it stands.
 * The source is read now and not kept.  Fails: CWM_USAGE (a class, a nested
 * function, a method that needs an object), CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc inputs_new(const struct source *source, int def,
                       const struct inputs_settings *settings, uint64_t seed,
                       struct inputs **ret_inputs, struct cwm_err *err);
void inputs_free(struct inputs *in); /* NULL is fine */

/* *ret_more false: tries or kept ones are used up.  Fails: CWM_NOMEM. */
enum cwm_rc inputs_next(struct inputs *in, struct inputs_try *ret,
                        bool *ret_more, struct cwm_err *err);

/*
 * What came of the last try.  *ret_keep: it reaches a line, a branch or a
 * kind of ending that none kept before it did.  Fails: CWM_NOMEM.
 */
enum cwm_rc inputs_report(struct inputs *in,
                          const struct inputs_outcome *outcome, bool *ret_keep,
                          struct cwm_err *err);

#endif /* DATASETS_INPUTS_H */
