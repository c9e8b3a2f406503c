/* SPDX-License-Identifier: MIT */
/*
 * judge_main.c -- cwm-judge: a warm interpreter in a jail that runs
 * candidates and their tests.
 *
 *     cwm-judge-X.Y [--python PATH] [--hash-seed N]   started by sandbox.c
 *
 * A run is two processes: the tester, which has the tests, and its companion,
 * which has the candidate (judge_tester.h); or, for programs that read and
 * print, the program alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "eval/judge_request.h"
#include "eval/worker/judge_agent.h"
#include "eval/worker/judge_heap.h"
#include "eval/worker/judge_loop.h"
#include "eval/worker/judge_plain.h"
#include "eval/worker/judge_tester.h"
#include "eval/worker/judge_value.h"
#include "sandbox/jail.h"
#include "tracer/worker/layout.h"
#include "tracer/worker/warm.h"

#define STATUS_USAGE 2
#define STATUS_OURS  3

/* The second number of a request: all that may be asked of it before the
 * companion is forked. */
static bool wants_companion(void *ctx, const struct jail_run *run)
{
    (void)ctx;
    return run->request_len > 8 && run->request[8] != JUDGE_SCRIPT;
}

static int run_companion(void *ctx, int peer)
{
    (void)ctx;
    return judge_agent_serve(peer);
}

static int attend(void *ctx, struct jail_attendance *a)
{
    (void)ctx;
    return judge_tester_attend(a);
}

static int run_request(void *ctx, const struct jail_run *run)
{
    struct judge_request request;
    struct jail_run own = *run;
    int status;

    (void)ctx;
    if (judge_request_read(run->request, run->request_len, &request, NULL) !=
        CWM_OK) {
        return STATUS_OURS;
    }
    if (request.mode == JUDGE_SCRIPT) {
        status = judge_script_run(&request, run->shared + 4);
    } else {
        status = judge_tester_run(&request, &own);
    }
    _exit(status); /* nothing of the tester's is torn down */
}

/* What it could collect while the interpreter gets warm warm_up() collects at
 * the end, once.  False: a Python error is set. */
static bool set_collector(const char *verb)
{
    PyObject *gc = PyImport_ImportModule("gc"); /* owned */
    PyObject *result =                          /* owned */
        gc ? PyObject_CallMethod(gc, verb, NULL) : NULL;

    Py_XDECREF(gc);
    Py_XDECREF(result);
    return result != NULL;
}

static int serve(int argc, char **argv, const char *python, uint32_t hash_seed)
{
    static const struct jail_callbacks callbacks = {.run = run_request,
                                                    .wants_companion =
                                                        wants_companion,
                                                    .companion = run_companion,
                                                    .attend = attend};
    struct jail *jail = NULL;
    struct cwm_err err = {0};
    enum cwm_rc rc;

    if (jail_enter(argc, argv, &jail, &err) != CWM_OK) {
        return STATUS_OURS;
    }
    judge_heap_open();
    rc = warm_start(python, hash_seed, &err);
    if (rc == CWM_OK && (!set_collector("disable") || !judge_value_prepare() ||
                         !judge_tester_prepare() || !judge_plain_prepare() ||
                         !judge_loop_prepare())) {
        rc = warm_python_error("could not prepare the judge", &err);
    }
    if (rc == CWM_OK) {
        rc = warm_up(&err);
    }
    if (rc == CWM_OK && !set_collector("enable")) {
        rc = warm_python_error("could not prepare the judge", &err);
    }
    judge_heap_close();
    /* Who asks for other hashes asks what depends on chance: random, too. */
    if (rc == CWM_OK && !warm_seed(hash_seed)) {
        rc = warm_python_error("could not seed", &err);
    }
    if (rc != CWM_OK) {
        jail_refuse(jail, &err);
        return STATUS_OURS;
    }
    return jail_serve(jail, PY_VERSION, &callbacks, NULL, &err) == CWM_OK
               ? 0
               : STATUS_OURS;
}

int main(int argc, char **argv)
{
    const char *python = NULL;
    uint32_t hash_seed = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--python") == 0 && i + 1 < argc) {
            python = argv[++i];
        } else if (strcmp(argv[i], "--hash-seed") == 0 && i + 1 < argc) {
            hash_seed = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "cwm-judge: cannot understand '%s'\n", argv[i]);
            return STATUS_USAGE;
        }
    }
    layout_fix(argv);
    return serve(argc, argv, python, hash_seed);
}
