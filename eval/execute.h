/* SPDX-License-Identifier: MIT */
/*
 * execute.h -- run all candidates against all tests: the matrix is filled.
 *
 * What the store has is not run; what is run is stored, program by program.
 * The verdict does not depend on the number of workers or on their load: CPU
 * time decides, and who was close to a limit is run again alone.
 */
#ifndef EVAL_EXECUTE_H
#define EVAL_EXECUTE_H

#include "cwm/base/err.h"
#include "eval/matrix.h"
#include "eval/problem.h"

struct execute_options {
    unsigned n_workers;     /* at least 1 */
    bool compat;            /* tests run inside the candidate, as the papers'
                               harnesses do; else nothing can be forged */
    bool with_own;          /* the tasks' own tests, too */
    uint32_t own_limit_ms;  /* CPU time of all of a task's own tests */
    uint32_t cell_limit_ms; /* CPU time of one generated test */
    uint32_t tester_ms;     /* CPU time of the tests' own code; 0: 10 s */
    uint32_t memory_mb;
    uint32_t hash_seed;     /* of the interpreter, and of random */
    const char *python;     /* NULL: the default; see struct tracer_options */
    uint32_t allow_missing; /* walls */
    const char *store;      /* NULL: none is kept */
    const volatile int *cancel;
    /* Told now and then; NULL is fine. */
    void (*progress)(void *ctx, uint64_t n_done, uint64_t n_all);
    void *progress_ctx;
};

struct execute_counts {
    uint64_t n_programs; /* that differ */
    uint64_t n_run;      /* the others were in the store */
    uint64_t n_cells;    /* verdicts, own and generated */
    uint64_t n_again;    /* near misses that were run again alone */
    uint64_t cpu_us;     /* of all runs */
    char python[16];     /* "3.11.2" */
};

/*
 * tests NULL: the tasks' own only.  On success the matrix is the caller's:
 * matrix_release().  Fails: CWM_MISSING (no worker, a wall), CWM_CANCELLED
 * (what was run is stored), CWM_SYSTEM, CWM_IO, CWM_NOMEM.
 */
enum cwm_rc execute_all(const struct problem_set *problems,
                        const struct sample_set *samples,
                        const struct generated_set *tests,
                        const struct execute_options *options,
                        struct matrix *ret_matrix,
                        struct execute_counts *ret_counts, struct cwm_err *err);

#endif /* EVAL_EXECUTE_H */
