/* SPDX-License-Identifier: MIT */
/*
 * judge.h -- one warm worker that runs a candidate against tests.
 *
 * Who decides: the tests' process (eval/worker/judge_tester.h), whose word
 * comes through memory that the candidate's process does not have; how a run
 * ended, its CPU time and its output are the kernel's word.
 *
 * Threads: one thread at a time per `struct judge`; different ones freely.
 */
#ifndef EVAL_JUDGE_H
#define EVAL_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "eval/judge_request.h"
#include "eval/matrix.h"
#include "sandbox/sandbox.h"

/* More tests than that a request cannot have. */
#define JUDGE_MAX_TESTS 60000u

struct judge; /* opaque */
struct worker_program;

struct judge_options {
    const struct worker_program *worker; /* borrowed as long as the judge
                                            lives: tracer/workers.h */
    uint32_t allow_missing;              /* walls */
    uint32_t memory_mb; /* a run may add to the interpreter's */
    uint32_t hash_seed; /* of the interpreter, and of random */
};

/* Fails as sandbox_open(). */
enum cwm_rc judge_open(const struct judge_options *options,
                       struct judge **ret_judge, struct cwm_err *err);
void judge_close(struct judge *j); /* NULL is fine */

struct judge_result {
    enum judge_state state;
    size_t n_done;        /* tests with a verdict, from the first one on */
    uint32_t load_cpu_us; /* of the program, before the first test */
    uint32_t load_wall_us;
    enum sandbox_end end; /* of the run as a whole */
    int code;
    uint64_t cpu_us; /* of the run, tests' process and all */
    uint64_t wall_us;
};

/*
 * May the test share a process with other runs' tests (worker/judge_plain.h)?
 * A guess that saves an attempt; the worker decides.  A run costs twice as
 * much where one of its tests may not.
 */
bool judge_seems_plain(const char *test, size_t len);

/*
 * Run a request with tests.  cells[n_tests] is filled: where the run ended
 * before a test was reached (`n_done` and on) the cell is MATRIX_NOT_RUN, but
 * for the test under way, which has a verdict.  A program that could not be
 * loaded has its reason in every cell.  Fails: CWM_CANCELLED, CWM_SYSTEM,
 * CWM_NOMEM.
 */
enum cwm_rc judge_run(struct judge *j, const struct judge_request *request,
                      const volatile int *cancel, struct matrix_value *cells,
                      struct judge_result *ret_result, struct cwm_err *err);

/*
 * Run a program that reads `input`; `output` (owned by the judge, until the
 * next run) is what it printed.  *ret_value's cell is MATRIX_PASS when it
 * ended by itself with status 0.  `opening` (NULL: nothing) is trusted, and
 * run before it in its names.
 */
enum cwm_rc judge_script(struct judge *j, const struct judge_text *program,
                         const struct judge_text *opening,
                         const struct judge_text *input, uint64_t limit_us,
                         uint64_t wall_factor, const volatile int *cancel,
                         struct matrix_value *ret_value,
                         struct judge_text *ret_output, struct cwm_err *err);

#endif /* EVAL_JUDGE_H */
