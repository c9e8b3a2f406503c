/* SPDX-License-Identifier: MIT */
/*
 * mutate.h -- programs from programs: one small edit of the parsed text each.
 *
 * All places where an edit of some kind applies are found in one walk over
 * the syntax tree; mutants are then drawn from them without repetition, kinds
 * in turn by their weights, so that a program with forty numbers does not
 * give forty changed numbers first.  Every mutant is parsed again without an
 * error, its text differs from the parent's and from those before it, and it
 * knows its edit.  The same text, settings and seed give the same mutants.
 *
 * Mutants are not known to end or to be safe: they run in the jail, as all
 * programs do.
 *
 * Threads: one at a time per `struct mutator`.
 */
#ifndef DATASETS_MUTATE_H
#define DATASETS_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

/* Append only: datasets store the numbers. name, number, text, weight, what */
#define MUTATE_KIND_TABLE(X)                                                   \
    X(OPERATOR, 0, "operator", 10, "+ to -, // to %, += to -=, and to or")     \
    X(COMPARISON, 1, "comparison", 10, "< to <=, == to !=, in to not in")      \
    X(CONSTANT, 2, "constant", 10, "numbers, strings, True, None")             \
    X(INDEX, 3, "index", 8, "x[i] to x[i - 1], x[a:b] to x[a:], [::-1]")       \
    X(METHOD, 4, "method", 8, "upper to lower, append to extend, min to max")  \
    X(CONDITION, 5, "condition", 8, "negated, dropped, always or never true")  \
    X(RANGE, 6, "range", 8, "bounds and steps of range()")                     \
    X(LOOP_FORM, 7, "loop_form", 6, "a for over range() as a while: exact")    \
    X(DROP, 8, "drop", 7, "a statement left out")                              \
    X(SWAP, 9, "swap", 6, "two statements change places")                      \
    X(REPEAT, 10, "repeat", 4, "a statement twice")                            \
    X(RENAME, 11, "rename", 5, "a local variable renamed in its scope: exact") \
    X(VARIABLE, 12, "variable", 6, "one use of a local becomes another's")     \
    X(ARGUMENT, 13, "argument", 4, "two arguments of a call change places")    \
    X(JUMP, 14, "jump", 4, "break to continue, a return's value")

enum mutate_kind {
#define MUTATE_KIND_ENUM(name, number, text, weight, what)                     \
    MUTATE_##name = (number),
    MUTATE_KIND_TABLE(MUTATE_KIND_ENUM)
#undef MUTATE_KIND_ENUM
        MUTATE_N_KINDS
};
const char *mutate_kind_text(enum mutate_kind kind); /* "operator" */

struct mutate_settings {
    uint32_t max_mutants; /* stop after so many; 0: all there are */
    uint32_t max_edits;   /* edits in one mutant: 1 to 4, mostly 1 */
    uint32_t start_byte;  /* only edits within [start_byte, end_byte) of the */
    uint32_t end_byte;    /* text (one function, say); 0, 0: all of it */
    uint32_t weights[MUTATE_N_KINDS]; /* 0: not that kind */
};
void mutate_settings_default(struct mutate_settings *ret_settings);

/* The first edit; with more of them n_edits says so and `kinds` has them. */
struct mutation {
    enum mutate_kind kind;
    uint32_t start_byte, end_byte; /* what was replaced, in the parent */
    uint32_t line;                 /* of start_byte, 1-based */
    const char *before;            /* borrowed from the parent's copy */
    size_t before_len;
    const char *after; /* borrowed from the mutator until its next call */
    size_t after_len;
    bool keeps_meaning; /* the kind promises the same results (rename, ...) */
    uint32_t n_edits;
    uint32_t kinds; /* 1u << enum mutate_kind of all edits */
};

struct mutator; /* opaque: mutate.c */

/*
 * text is copied.  Fails: CWM_FORMAT (a syntax error in the parent),
 * CWM_USAGE (settings out of range), CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc mutator_new(const char *text, size_t len,
                        const struct mutate_settings *settings, uint64_t seed,
                        struct mutator **ret_mutator, struct cwm_err *err);
void mutator_free(struct mutator *m); /* NULL is fine */

/* Places found for one kind of edit; for reports and tests. */
size_t mutator_n_sites(const struct mutator *m, enum mutate_kind kind);

/*
 * The next mutant: `out` is cleared and filled, *ret_more true; false when
 * there is none.  Fails: CWM_LIMIT (out->max_bytes), CWM_NOMEM.
 */
enum cwm_rc mutator_next(struct mutator *m, struct cwm_buf *out,
                         struct mutation *ret, bool *ret_more,
                         struct cwm_err *err);

#endif /* DATASETS_MUTATE_H */
