/* SPDX-License-Identifier: MIT */
/*
 * matrix.h -- candidates x tests: what came of every one, run once, kept.
 *
 * In memory a task is a block of cells, one row for each different program
 * and one column for each different test, so that selectors and statistics
 * read plain arrays.  In a file (matrix_store) a cell is called by what was
 * run: the hashes of program, test and setting (interpreter, limits, mode).
 * Candidates are only references: other samples, other tests, another order
 * or other problems' files find what was run already.
 *
 * Durability: the cells of one program are one transaction; a kill at any
 * moment loses the programs under way and no more.
 *
 * Threads: a matrix is plain data; a store belongs to one thread at a time.
 */
#ifndef EVAL_MATRIX_H
#define EVAL_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "datasets/hash.h"

/* Stored by number: append only.  Everything but PASS is a test that did not
 * hold. */
#define MATRIX_CELL_TABLE(X)                                                   \
    X(NOT_RUN, 0, "not_run")                                                   \
    X(PASS, 1, "pass")                                                         \
    X(FAIL, 2, "fail")           /* an assertion, or other output */           \
    X(ERROR, 3, "error")         /* another exception */                       \
    X(TIMEOUT, 4, "timeout")     /* CPU time, or the wall's backstop */        \
    X(MEMORY, 5, "memory")       /* killed for memory */                       \
    X(CRASH, 6, "crash")         /* a signal, os._exit(), a broken answer */   \
    X(EXIT, 7, "exit")           /* SystemExit */                              \
    X(OUTPUT, 8, "output_limit") /* printed too much */                        \
    X(DENIED, 9, "denied")       /* a forbidden system call */                 \
    X(SYNTAX, 10, "no_code")     /* the candidate does not parse */            \
    X(EMPTY, 11, "empty")        /* the candidate is empty */                  \
    X(LOAD, 12, "load_error")    /* it raised before any test */               \
    X(NO_ENTRY, 13, "no_entry")  /* it does not define the function */         \
    X(BAD_TEST, 14, "bad_test")  /* the test does not parse */                 \
    X(REFUSED, 15, "refused")    /* not run: it is no answer of the form */

enum matrix_cell {
#define MATRIX_CELL_ENUM(id, number, text) MATRIX_##id = (number),
    MATRIX_CELL_TABLE(MATRIX_CELL_ENUM)
#undef MATRIX_CELL_ENUM
        MATRIX_N_CELLS
};
const char *matrix_cell_text(enum matrix_cell cell);

struct matrix_task {
    size_t task; /* place in the problem set */
    size_t n_candidates;
    size_t n_programs; /* that differ: rows */
    size_t n_tests;    /* that differ: columns */
    /* Owned: */
    size_t *samples;      /* n_candidates: places in the sample set */
    uint32_t *programs;   /* n_candidates: the row of each */
    size_t *tests;        /* n_tests: places in the generated set, the first of
                             equal ones */
    uint32_t *n_times;    /* n_tests: how often the test was generated */
    uint8_t *own;         /* n_programs: enum matrix_cell, the task's tests */
    uint32_t *own_cpu_us; /* n_programs */
    uint8_t *cells;       /* n_programs * n_tests, a program's tests in a row */
    uint32_t *cpu_us;     /* n_programs * n_tests */
    uint8_t *unsteady;    /* n_tests: its outcome is chance (steady.h); NULL:
                             not asked */
};

struct matrix {
    struct matrix_task *tasks; /* owned: one for each problem, in their order */
    size_t n;
    uint32_t own_limit_us;  /* CPU time of a program's own tests */
    uint32_t cell_limit_us; /* CPU time of one generated test */
};

/* Did candidate `c` hold test `t` / its task's own tests? */
static inline bool matrix_holds(const struct matrix_task *m, size_t c, size_t t)
{
    return m->cells[m->programs[c] * m->n_tests + t] == MATRIX_PASS;
}
static inline bool matrix_is_right(const struct matrix_task *m, size_t c)
{
    return m->own[m->programs[c]] == MATRIX_PASS;
}
/* How close to its limit: used over allowed; 1 and more is a timeout. */
static inline double matrix_closeness(uint32_t cpu_us, uint32_t limit_us)
{
    return limit_us ? (double)cpu_us / limit_us : 0;
}

void matrix_release(struct matrix *m);

/* ---- the store ---- */

struct matrix_store; /* opaque: an SQLite file */

struct matrix_key {
    struct hash program; /* the text that is run */
    struct hash test;    /* the test's text, and what it calls */
    struct hash setting; /* interpreter, limits, mode */
};

struct matrix_value {
    uint8_t cell; /* enum matrix_cell */
    uint32_t cpu_us;
    uint32_t wall_us;
    uint32_t n_runs; /* 2 and more: it was a near miss, and run again alone */
};

/* NULL path: in memory only.  Fails: CWM_USAGE, CWM_FORMAT, CWM_IO. */
enum cwm_rc matrix_store_open(const char *path, struct matrix_store **ret_store,
                              struct cwm_err *err);
void matrix_store_close(struct matrix_store *s); /* NULL is fine */
enum cwm_rc matrix_store_get(struct matrix_store *s,
                             const struct matrix_key *key, bool *ret_is_there,
                             struct matrix_value *ret_value,
                             struct cwm_err *err);
/* All of them or none; what was there is replaced. */
enum cwm_rc matrix_store_put(struct matrix_store *s,
                             const struct matrix_key *keys,
                             const struct matrix_value *values, size_t n,
                             struct cwm_err *err);
uint64_t matrix_store_n_cells(const struct matrix_store *s);

/* A text that was kept under a name; `out` is appended to. */
enum cwm_rc matrix_store_get_text(struct matrix_store *s,
                                  const struct hash *name, bool *ret_is_there,
                                  struct cwm_buf *out, struct cwm_err *err);
enum cwm_rc matrix_store_put_text(struct matrix_store *s,
                                  const struct hash *name, const char *text,
                                  size_t len, struct cwm_err *err);

#endif /* EVAL_MATRIX_H */
