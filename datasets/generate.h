/* SPDX-License-Identifier: MIT */
/*
 * generate.h -- new short Python functions without end, with their inputs.
 *
 * Program number `index` of a seed is a function of (settings, seed, index)
 * alone: any worker can make any number, in any order, and all of it is
 * integer arithmetic, so that every machine makes the same bytes.
 *
 * A program is composed, not filled in: typed expressions and statements are
 * chosen from a grammar (generate_rules.c, generate_stmt.c) inside looser
 * plans (accumulate, search, simulate, recursion, ...: generate_phase.c).
 * While it is written, bounds are kept for every variable: how large its
 * numbers and how long its containers can become, how often the place that
 * is being written can run.  From these follows, without running anything:
 *  - it ends, within `max_steps` line events for the inputs that come with it;
 *  - numbers and lengths stay bounded;
 *  - indices, divisors and keys are safe, except in the share of programs
 *    (exception_permille) that get a place at which they raise;
 *  - the result depends on the parameters, all of which are used.
 * It compiles on CPython 3.9 and later.  docs/programs.md has the figures.
 *
 * Threads: safe; nothing is shared.
 */
#ifndef DATASETS_GENERATE_H
#define DATASETS_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

#define GENERATE_MAX_INPUTS 16
#define GENERATE_NAME_BYTES 40

/* What a program may be made of: name, default weight, what. */
#define GENERATE_FEATURE_TABLE(X)                                              \
    X(ACCUMULATE, 24, "a loop that gathers into a variable")                   \
    X(SEARCH, 9, "a loop that returns early, with an else or a fallback")      \
    X(WHILE, 10, "while loops: digits, halving, stacks, queues, two ends")     \
    X(DP, 5, "tables that are filled from their own entries")                  \
    X(STACK, 5, "a stack that items are pushed to and popped from")            \
    X(MATRIX, 5, "nested lists by row and column")                             \
    X(STRING, 9, "strings rewritten, split, joined, formatted")                \
    X(SIMULATE, 6, "a state that moves through a sequence of steps")           \
    X(GROUP, 8, "dictionaries of counts, sums and lists")                      \
    X(RECURSION, 6, "a helper that calls itself")                              \
    X(HELPER, 10, "helper functions, nested ones, lambdas, generators")        \
    X(STRAIGHT, 12, "assignments and branches without a loop of their own")

enum generate_feature {
#define GENERATE_FEATURE_ENUM(name, weight, what) GENERATE_##name,
    GENERATE_FEATURE_TABLE(GENERATE_FEATURE_ENUM)
#undef GENERATE_FEATURE_ENUM
        GENERATE_N_FEATURES
};

struct generate_settings {
    uint32_t min_phases, max_phases; /* plans in the entry's body: 1 to 8 */
    uint32_t max_depth;              /* of nested blocks: 1 to 6 */
    uint32_t max_expression_depth;   /* 1 to 5 */
    uint32_t max_params;             /* 1 to 5 */
    uint32_t max_items;              /* of a list among the inputs: 2 to 16 */
    uint32_t n_inputs;               /* argument texts: 1 to 16 */
    uint32_t max_steps;              /* line events of one call, at most */
    uint32_t exception_permille;     /* programs made to raise: 0 to 1000 */
    uint32_t annotated_permille;     /* programs with annotations */
    uint32_t max_number;             /* in inputs and constants: 1 to 999 */
    uint32_t plain; /* 1: numbers, truth values and lists of numbers only,
                       and what a beginner does with them (generate_plain.c);
                       2: fewer things still; 0: everything */
    uint32_t weights[GENERATE_N_FEATURES]; /* not all 0; each up to 10,000 */
};
void generate_settings_default(struct generate_settings *ret_settings);
/* CWM_USAGE, naming the field, when one is out of its range. */
enum cwm_rc generate_settings_check(const struct generate_settings *settings,
                                    struct cwm_err *err);
/*
 * Changes what a JSON object names: {"max_depth": 2, "weights": {"while": 5}};
 * what it does not name stays.  Where "weights" is given, a plan that it does
 * not name weighs nothing.  Fails: CWM_USAGE (no such object, a
 * name that is none, a number out of its range).
 */
enum cwm_rc generate_settings_read(const char *text, size_t len,
                                   struct generate_settings *settings,
                                   struct cwm_err *err);
/* The table's name in lower case, for options and reports; never NULL. */
const char *generate_feature_name(enum generate_feature feature);

struct generated {
    char entry[GENERATE_NAME_BYTES]; /* the function to call */
    size_t n_args;
    const char *args[GENERATE_MAX_INPUTS]; /* borrowed from `texts`: inside of
                                              the call's parentheses */
    struct cwm_buf texts;                  /* owned */
    bool raises;       /* was given a place at which it raises */
    uint32_t features; /* 1u << enum generate_feature: plans it was made of */
    uint32_t n_tries;  /* how many drafts it took; 1 mostly */
};
void generated_init(struct generated *g);
void generated_release(struct generated *g);

/*
 * Make program `index`: its text is put into `source` (init'ed by the caller,
 * cleared first), the rest into `ret`, which is used again from call to call.
 * Fails: CWM_NOMEM, CWM_LIMIT (the text is larger than source->max_bytes).
 */
enum cwm_rc generate_program(const struct generate_settings *settings,
                             uint64_t seed, uint64_t index,
                             struct cwm_buf *source, struct generated *ret,
                             struct cwm_err *err);

#endif /* DATASETS_GENERATE_H */
