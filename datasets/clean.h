/* SPDX-License-Identifier: MIT */
/*
 * clean.h -- which programs of a store go into training data, and why not.
 *
 * Nothing is removed from the store: a plan says for every program whether it
 * is used, in which split, and else the reason.  The plan follows from the
 * store's content and the options alone.
 *
 *  - evaluation: it comes from a benchmark.
 *  - near duplicate: MinHash over code tokens (minhash.h) finds one that is
 *    kept in its place: of each cluster the one with the smallest hash.
 *  - contaminated: too much of a benchmark is in it (decontaminate.h).
 *  - licence: not among those asked for.
 *
 * A family is what must not cross a split: a program, its mutants, its near
 * duplicates, programs with the same `family` in their origins.  A split is
 * drawn from the family's smallest hash and the seed.
 *
 * Memory: about 300 bytes for each program.
 */
#ifndef DATASETS_CLEAN_H
#define DATASETS_CLEAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "datasets/store.h"

enum clean_split { CLEAN_TRAIN, CLEAN_VALIDATION, CLEAN_TEST, CLEAN_N_SPLITS };
const char *clean_split_text(enum clean_split split); /* "train" */

#define CLEAN_REASON_TABLE(X)                                                  \
    X(KEPT, "kept")                                                            \
    X(EVALUATION, "from a benchmark")                                          \
    X(NEAR_DUPLICATE, "near duplicate")                                        \
    X(CONTAMINATED, "overlaps with a benchmark")                               \
    X(LICENCE, "licence")

enum clean_reason {
#define CLEAN_REASON_ENUM(name, text) CLEAN_##name,
    CLEAN_REASON_TABLE(CLEAN_REASON_ENUM)
#undef CLEAN_REASON_ENUM
        CLEAN_N_REASONS
};
const char *clean_reason_text(enum clean_reason reason);

struct clean_options {
    uint32_t near_duplicate_percent; /* Jaccard similarity; 0: keep them all */
    const char *const *benchmarks;   /* files; borrowed */
    size_t n_benchmarks;
    const char *const *licences; /* only these; none: all */
    size_t n_licences;
    uint32_t validation_permille, test_permille;
    uint64_t seed; /* of the splits */
    const volatile int *cancel;
};

struct clean_decision {
    struct hash program;
    struct hash family; /* the smallest hash of its family */
    enum clean_split split;
    enum clean_reason reason;
    bool has_twin;
    struct hash twin; /* of what it is near to */
    const char *what; /* contaminated: by what, how; or NULL; borrowed */
};

struct clean; /* opaque: the plan */

/* Reads every program once.  Fails: CWM_USAGE (a benchmark's file), as the
 * store's reading, CWM_CANCELLED, CWM_NOMEM. */
enum cwm_rc clean_new(struct store *s, const struct clean_options *options,
                      struct clean **ret_clean, struct cwm_err *err);
void clean_free(struct clean *c); /* NULL is fine */

/* In the order of hashes, as the store gives its programs.  One thread at a
 * time: looking shortens ways. */
size_t clean_n(const struct clean *c);
void clean_get(struct clean *c, size_t i, struct clean_decision *ret_decision);
/* false: no such program. */
bool clean_find(struct clean *c, const struct hash *program,
                struct clean_decision *ret_decision);

#endif /* DATASETS_CLEAN_H */
