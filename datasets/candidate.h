/* SPDX-License-Identifier: MIT */
/*
 * candidate.h -- one item of a source as a program that can be traced.
 *
 * What the kinds hold:
 *     file, dir    a Python file: every function of it is tried
 *     jsonl        {"path", "source"} and, where known, "origin", "commit",
 *                  "licence": the same
 *     jobs         a job of `cwm trace --jobs`
 *     cruxeval     {"id", "code", "input"}: f(input), through main()
 *     humaneval    {"task_id", "prompt", "canonical_solution", "entry_point",
 *                  "test"}: the calls of its test whose arguments are literal
 *     mbpp         {"task_id", "code", "test_list"}: the same
 *     contest      {"id", "tests": [{"input", "output"}], "solutions":
 *                  [{"source", "right"}]}, or one solution as {"source",
 *                  "right"}: scripts that read standard input, labelled
 *     generate     the number of a program (generate.h)
 *
 * Threads: none shared.
 */
#ifndef DATASETS_CANDIDATE_H
#define DATASETS_CANDIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "datasets/generate.h"
#include "datasets/sources.h"

struct candidate_call {
    const char *entry; /* NULL: the whole program as a script */
    const char *args;
    bool wrap_main;
    const void *stdin_data;
    size_t stdin_len;
    int input_origin;     /* enum inputs_origin */
    const char *label;    /* "right", "wrong", or NULL */
    const char *expected; /* standard output that a right solution gives: says
                             whether this run is right; or NULL */
    uint64_t seed;        /* of the run */
    struct trace_limits limits;
};

/* All borrowed from the candidate. */
struct candidate_program {
    const void *data;
    size_t len;
    bool is_text; /* decoded already */
    struct store_origin origin;
    bool find_functions; /* try every function of it, with inputs of its own */
    const struct candidate_call *calls; /* to be traced in any case */
    size_t n_calls;
};

struct candidate_options {
    uint64_t seed;
    const struct generate_settings *generate; /* borrowed */
    uint64_t run_seed;                        /* of runs that name none */
    struct trace_limits limits;               /* the same */
};

struct candidate; /* opaque: candidate.c */

/*
 * Take the item apart; nothing of it is kept but copies.  Fails: CWM_USAGE
 * when the item is of no use, with the reason as its message (a skip, no
 * failure of ours); CWM_NOMEM.
 */
enum cwm_rc candidate_new(const struct source_item *item,
                          const struct candidate_options *options,
                          struct candidate **ret_candidate,
                          struct cwm_err *err);
void candidate_free(struct candidate *c); /* NULL is fine */

/* One for most kinds; a contest problem has one for each solution. */
const struct candidate_program *candidate_programs(const struct candidate *c,
                                                   size_t *ret_n);

#endif /* DATASETS_CANDIDATE_H */
