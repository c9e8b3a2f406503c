/* SPDX-License-Identifier: MIT */
/*
 * problem.h -- benchmark problems, samples of solutions, generated tests.
 *
 * Files are read as people publish them, plain, gzip or zstd:
 *     problems  HumanEval (and +), MBPP (and +, lines or a JSON array),
 *               EvalPlus' own of both (inputs, and a solution to trust),
 *               CRUXEval, contests (`tests` of `input`, `output`),
 *               LiveCodeBench records, their packed tests too
 *     samples   `task_id` with `completion` (behind the prompt) or `solution`
 *               (a whole program), both also as lists; CodeT's
 *               `prompt, samples`; CRUXEval's recorded generations
 *     tests     `task_id, test` lines (`tests` for a list); CodeT's
 *
 * Nothing of a file is dropped in silence: what cannot be used is counted by
 * its reason in the set, and a sample that is no program stays a sample.
 *
 * Texts are UTF-8, lone surrogates as three bytes (WTF-8); they end in a NUL
 * and may hold others.
 *
 * Threads: sets do not change once they are read.
 */
#ifndef EVAL_PROBLEM_H
#define EVAL_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

struct problem_text {
    char *data; /* owned by the set; NULL: the file says nothing of it */
    size_t len;
};

#define PROBLEM_KIND_TABLE(X)                                                  \
    X(HUMANEVAL, "humaneval") /* prompt, check(candidate) */                   \
    X(MBPP, "mbpp")           /* a text, asserts */                            \
    X(CRUXEVAL, "cruxeval")   /* f, its input and output */                    \
    X(CONTEST, "contest")     /* stdin and stdout */                           \
    X(LIVECODE, "livecode")   /* stdin and stdout, or calls of a function */

enum problem_kind {
#define PROBLEM_KIND_ENUM(id, text) PROBLEM_##id,
    PROBLEM_KIND_TABLE(PROBLEM_KIND_ENUM)
#undef PROBLEM_KIND_ENUM
        PROBLEM_N_KINDS
};
const char *problem_kind_text(enum problem_kind kind);

/* What a program is to print for what it reads; or (a function's problem) the
 * arguments as Python source, one a line, and the value that it is to give. */
struct problem_case {
    struct problem_text input;
    struct problem_text output;
};

struct problem {
    enum problem_kind kind;
    struct problem_text task_id;     /* "HumanEval/0", "11", "sample_0" */
    struct problem_text prompt;      /* stands before a completion; or "" */
    struct problem_text description; /* for people and chat models; or NULL */
    struct problem_text entry_point; /* "f"; "" for whole programs */
    struct problem_text canonical;   /* as the file has it: behind the prompt
                                        or (whole_canonical) by itself */
    bool whole_canonical;
    struct problem_text test;     /* Python: all of the task's own tests */
    struct problem_text opening;  /* Python, run before the solution, in its
                                     names; or NULL */
    struct problem_text setup;    /* Python, run behind the solution */
    struct problem_text contract; /* EvalPlus': asserts on the arguments, the
                                     body's first lines; or NULL */
    struct problem_case *cases;
    size_t n_cases;
    bool is_method;     /* entry_point is a method of class Solution */
    uint64_t memory_mb; /* 0: the file says nothing */
    uint64_t time_ms;
};

struct problem_set {
    enum problem_kind kind; /* of the first one */
    struct problem *list;   /* owned, in the file's order */
    size_t n;
    uint64_t n_bad_lines; /* no JSON, or fields that are missing */
    uint64_t first_bad_line;
    char first_bad_why[96]; /* "": nothing but that */
    uint64_t n_repeated;    /* a task_id that was there: the first one counts */
    struct problem_index *index; /* owned: task ids */
};

/*
 * Fails: CWM_USAGE (not there, no problem in it), CWM_IO,
 * CWM_FORMAT (damaged compression), CWM_NOMEM, CWM_LIMIT.
 */
enum cwm_rc problem_set_read(const char *path, struct problem_set *ret_set,
                             struct cwm_err *err);
void problem_set_release(struct problem_set *set);

#define PROBLEM_NONE SIZE_MAX
/* The task's place in set->list, or PROBLEM_NONE. */
size_t problem_find(const struct problem_set *set, const char *task_id,
                    size_t len);

/* ---- samples ---- */

struct sample {
    size_t task; /* place in the problem set */
    struct problem_text text;
    bool is_whole;     /* a program by itself; else it goes behind a prompt */
    uint64_t n_tokens; /* as the file says; 0: it does not */
    uint64_t line;     /* of the file, from 1 */
};

struct sample_set {
    struct sample *list; /* owned; in the file's order, a task's own also */
    size_t n;
    size_t *n_of_task; /* owned: for each problem; 0: the task is missing */
    size_t n_tasks;
    uint64_t n_missing;   /* problems without a sample */
    uint64_t n_wrong_id;  /* samples of no problem */
    uint64_t n_bad_lines; /* no JSON, or neither completion nor solution; also
                             an element of a list that is no text, which is
                             an empty sample */
    uint64_t first_bad_line;
    uint64_t n_empty; /* nothing but white space: kept, and fail */
    uint64_t first_wrong_line;
    char first_wrong_id[80];
};

/* As problem_set_read().  The problems are borrowed for the call. */
enum cwm_rc sample_set_read(const char *path, const struct problem_set *set,
                            struct sample_set *ret_samples,
                            struct cwm_err *err);
/* Every problem's canonical solution as its one sample. */
enum cwm_rc sample_set_canonical(const struct problem_set *set,
                                 struct sample_set *ret_samples,
                                 struct cwm_err *err);
void sample_set_release(struct sample_set *samples);

/* ---- generated tests ---- */

struct generated_test {
    size_t task;              /* place in the problem set */
    size_t generation;        /* which of the task's samples of tests it is
                                 from, from 0 */
    size_t order;             /* in the file, over all tasks */
    struct problem_text text; /* one statement, no white space round it */
};

struct generated_set {
    struct generated_test *list; /* owned; by task, then in the file's order */
    size_t n;
    uint64_t n_generations; /* samples of tests, whatever was in them */
    uint64_t n_wrong_id, n_bad_lines;
};

/*
 * As problem_set_read().  A sample of tests that is text (CodeT's) is cut at
 * each `assert`, the first max_of_sample (0: all) of it that name the entry
 * point and are one statement are kept, as CodeT does; the same test may come
 * more than once.
 */
enum cwm_rc generated_set_read(const char *path, const struct problem_set *set,
                               size_t max_of_sample,
                               struct generated_set *ret_tests,
                               struct cwm_err *err);
void generated_set_release(struct generated_set *tests);

#endif /* EVAL_PROBLEM_H */
