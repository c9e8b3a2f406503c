/* SPDX-License-Identifier: MIT */
/*
 * judge_request.h -- a candidate and its tests, as the host asks the judge's
 * worker for them, and what comes back.
 *
 * Format (host to worker; the worker trusts it): magic "CWMJDG5\n", then u64
 * LE numbers in the order of the struct, then each text as u64 length +
 * bytes, then each test as u64 limit, u64 length + bytes.
 *
 * What comes back lies in the shared memory, which only the process that runs
 * the tests can write to, never the candidate's:
 *     0   u32  n_done     tests that have a verdict, stored last
 *     4   u32  state      enum judge_state
 *     8   u32  load_cpu_us, u32 load_wall_us: before the first test
 *     16  per test: u32 cell (enum matrix_cell), u32 cpu_us, u32 wall_us, u32 0
 */
#ifndef EVAL_JUDGE_REQUEST_H
#define EVAL_JUDGE_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

enum judge_mode {
    JUDGE_APART, /* tests in a process of their own, the candidate in another */
    JUDGE_INSIDE, /* tests run in the candidate's namespace, as papers do */
    JUDGE_SCRIPT, /* the program alone: it reads and prints */
};

/* How far it got; where it is not DONE the rest of the tests was not run. */
enum judge_state {
    JUDGE_STARTED, /* the zero of fresh memory */
    JUDGE_DONE,
    JUDGE_STOPPED,  /* the candidate is gone: see the last test's cell */
    JUDGE_UNLOADED, /* no test was run; the first entry says why */
    JUDGE_BROKEN,   /* our own failure */
    /* The tests are not what an attendant may run (eval/worker/judge_plain.h);
     * nothing else of the result counts. */
    JUDGE_UNATTENDED
};

struct judge_test {
    uint64_t limit_us; /* CPU time of the candidate; for the first one with
                          what loading took when `counts_load` */
    const char *text;  /* borrowed */
    size_t len;
};

struct judge_text {
    const char *data; /* borrowed; may be NULL when len is 0 */
    size_t len;
};

struct judge_request {
    uint64_t mode;          /* enum judge_mode */
    uint64_t load_limit_us; /* CPU time before the first test */
    uint64_t wall_factor;   /* real time that is given for CPU time */
    uint64_t tester_us;     /* CPU time of the tests' own code; 0: 10 s */
    uint64_t watches_loops; /* 1: those that never end are a timeout at once */
    uint64_t memory_bytes;  /* that a run may add; judge_run() sets it */
    struct judge_text opening; /* trusted: run before the program */
    struct judge_text program;
    struct judge_text prelude; /* trusted: names that the tests may use */
    struct judge_text entry;   /* must be defined by the program; "" : no */
    /* Trusted: what it defines the tests take from the candidate, although
     * the name may be a builtin's. */
    struct judge_text reference;
    struct judge_text setup;  /* run behind the program, in the candidate */
    struct judge_test *tests; /* when read: owned, cwm_free() */
    size_t n_tests;
};

enum cwm_rc judge_request_write(const struct judge_request *request,
                                struct cwm_buf *out, struct cwm_err *err);
/* Texts point into data.  Fails: CWM_FORMAT, CWM_NOMEM. */
enum cwm_rc judge_request_read(const uint8_t *data, size_t len,
                               struct judge_request *ret_request,
                               struct cwm_err *err);

#define JUDGE_HEAD_BYTES 16
#define JUDGE_CELL_BYTES 16

#endif /* EVAL_JUDGE_REQUEST_H */
