/* SPDX-License-Identifier: MIT */
/*
 * worker_main.c -- cwm-worker: a warm interpreter in a jail, forked per run.
 *
 *     cwm-worker-X.Y --about [--python PATH]   say what it is, outside a jail
 *     cwm-worker-X.Y [--python PATH]           serve runs; started by sandbox.c
 *     cwm-worker-X.Y [--python PATH] --suite   the same, for test suites: with
 *         what pytest imports imported ahead; --suite-bare: but pytest itself
 *
 * The only program that links libpython.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/buf.h"
#include "sandbox/jail.h"
#include "tracer/suite.h"
#include "tracer/worker/layout.h"
#include "tracer/worker/program.h"
#include "tracer/worker/suite_run.h"
#include "tracer/worker/warm.h"

/* Exit statuses: usage, and what is our own failure. */
#define STATUS_USAGE 2
#define STATUS_OURS  3

#define MAX_ABOUT_BYTES (1u << 20)

static int print_about(const char *python)
{
    struct cwm_buf out;
    struct cwm_err err = {0};
    int status = 0;
    cwm_buf_init(&out, MAX_ABOUT_BYTES);
    if (warm_start(python, 0, &err) != CWM_OK ||
        warm_about(&out, &err) != CWM_OK) {
        fprintf(stderr, "cwm-worker: %s\n", err.message);
        status = STATUS_OURS;
    } else {
        fputs(out.data, stdout);
    }
    cwm_buf_release(&out);
    return status;
}

static int run(void *ctx, const struct jail_run *run)
{
    struct trace_request request;
    (void)ctx;
    if (trace_request_read(run->request, run->request_len, &request, NULL) !=
        CWM_OK)
        return STATUS_OURS;
    return request.traced == SUITE_REQUEST
               ? suite_serve(&request, run->shared, run->shared_len)
               : program_run(&request, run->shared, run->shared_len);
}

/* What is imported ahead for test suites. */
enum suite_mode { SUITE_NONE, SUITE_BARE, SUITE_WHOLE };

static int serve(int argc, char **argv, const char *python,
                 enum suite_mode suite)
{
    /*
     * None of what an interpreter does round a fork is needed: there is one
     * thread, which holds the interpreter's lock and goes on in the child.
     */
    static const struct jail_callbacks callbacks = {.run = run};
    struct jail *jail = NULL;
    struct cwm_err err = {0};
    if (jail_enter(argc, argv, &jail, &err) != CWM_OK)
        return STATUS_OURS;
    enum cwm_rc rc = warm_start(python, 0, &err);
    if (rc == CWM_OK && suite != SUITE_NONE)
        suite_warm(suite == SUITE_WHOLE);
    if (rc != CWM_OK || warm_up(&err) != CWM_OK) {
        jail_refuse(jail, &err);
        return STATUS_OURS;
    }
    if (jail_serve(jail, PY_VERSION, &callbacks, NULL, &err) != CWM_OK)
        return STATUS_OURS;
    return 0;
}

int main(int argc, char **argv)
{
    const char *python = NULL;
    bool is_about = false;
    enum suite_mode suite = SUITE_NONE;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--about") == 0) {
            is_about = true;
        } else if (strcmp(argv[i], "--suite") == 0) {
            suite = SUITE_WHOLE;
        } else if (strcmp(argv[i], "--suite-bare") == 0) {
            suite = SUITE_BARE;
        } else if (strcmp(argv[i], "--python") == 0 && i + 1 < argc) {
            python = argv[++i];
        } else {
            fprintf(stderr, "cwm-worker: cannot understand '%s'\n", argv[i]);
            return STATUS_USAGE;
        }
    }
    if (is_about)
        return print_about(python);
    layout_fix(argv);
    return serve(argc, argv, python, suite);
}
