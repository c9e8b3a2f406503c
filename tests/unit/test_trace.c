/* SPDX-License-Identifier: MIT */
/* test_trace.c -- one job to its verdict, in the real jail. */
#include "tracer/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/io.h"

#define MAX_TRACE_BYTES (1u << 16)

static struct tracer *tracer; /* owned */

static struct trace_job job_of(const char *source, const char *entry,
                               const char *args)
{
    struct trace_job job = {.id = "j",
                            .name = "j",
                            .source = source,
                            .source_len = strlen(source),
                            .entry = entry,
                            .args = args};

    trace_limits_default(&job.limits);
    job.limits.max_trace_bytes = MAX_TRACE_BYTES;
    return job;
}

static struct trace_result run(const struct trace_job *job)
{
    struct trace_result result;
    struct cwm_err err = {.message = ""};

    if (tracer_run(tracer, job, NULL, &result, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return result;
}

/* detail: a part of it; NULL when there is none to be. */
static void assert_ends(const struct trace_job *job, const char *verdict,
                        const char *detail)
{
    struct trace_result r = run(job);
    const char *found = r.summary.detail;

    if (strcmp(r.summary.verdict, verdict) != 0 || !found != !detail ||
        (detail && !strstr(found, detail))) {
        fail_msg("%s (%s), not %s (%s)", r.summary.verdict,
                 found ? found : "no detail", verdict,
                 detail ? detail : "no detail");
    }
}

static void trace__an_entry_that_is_not_there_when_run(void **state)
{
    struct trace_job job = job_of("def f(): pass\ndel f\n", "f", NULL);

    (void)state;
    assert_ends(&job, "no_entry", NULL);
    job = job_of("if 0:\n    def f(): pass\n", "f", NULL);
    assert_ends(&job, "no_entry", NULL);
    job = job_of("def f(): pass\nf = 3\n", "f", NULL);
    assert_ends(&job, "no_entry", NULL);
    job = job_of("def f(): pass\n", "g", NULL);
    assert_ends(&job, "no_entry", "there are f");
}

/* The parser of the host sees an error; the interpreter's word counts. */
static void trace__an_entry_in_a_broken_text(void **state)
{
    struct trace_job job = job_of("def f(:\n  pass\n", "g", NULL);

    (void)state;
    assert_ends(&job, "syntax_error", "1:");
}

static void trace__arguments_that_are_none(void **state)
{
    static char deep[300000];
    struct trace_job job = job_of("def f(*a): pass\n", "f", "1)(2");
    size_t at = 0;

    (void)state;
    assert_ends(&job, "bad_args", "cannot parse the arguments");
    job.args = "k=1";
    assert_ends(&job, "bad_args", NULL);
    /* More indentations than the parser takes. */
    for (unsigned i = 1; i < 700; i++) {
        at += (size_t)snprintf(deep + at, sizeof deep - at, "\n%*s1,", (int)i,
                               "");
    }
    job.args = deep;
    assert_ends(&job, "bad_args", "different indentations");
}

static void trace__limits_that_the_kernel_holds(void **state)
{
    struct trace_job job =
        job_of("import os\nos.write(1, b'x' * 5000)\n", NULL, NULL);

    (void)state;
    job.limits.max_output_bytes = 1000;
    assert_ends(&job, "output_limit", NULL);
    job = job_of("def f():\n    b = bytearray(900 << 20)\n", "f", NULL);
    job.limits.memory_mb = 64;
    assert_ends(&job, "memory", NULL);
    job = job_of("import os\nos.kill(os.getpid(), 37)\n", NULL, NULL);
    assert_ends(&job, "crash", "37");
}

/* A value that is shown again costs a byte of records, but all its text. */
static void trace__a_text_that_is_too_large(void **state)
{
    struct trace_job job = job_of("def g(): pass\n"
                                  "def f():\n"
                                  "    s = 'a' * 5000\n"
                                  "    for i in range(100):\n"
                                  "        g()\n",
                                  "f", NULL);
    struct trace_result r;
    uint64_t n_frames;

    (void)state;
    assert_ends(&job, "byte_limit", NULL);
    r = run(&job);
    n_frames = trace_reader_end(r.reader)->n_frames;
    assert_true(n_frames > 10 && n_frames < 100);
    assert_int_equal(tracer_drop_frames(tracer, &r, NULL), CWM_OK);
    assert_int_equal(trace_reader_end(r.reader)->n_frames, 0);
    assert_string_equal(r.summary.verdict, "byte_limit");
    assert_non_null(strstr(r.summary.detail, "too large"));
}

static void trace__more_than_the_tracer_was_opened_for(void **state)
{
    struct trace_job job = job_of("x = 1\n", NULL, NULL);
    struct trace_result r;
    struct cwm_err err = {.message = ""};

    (void)state;
    job.limits.max_trace_bytes = MAX_TRACE_BYTES + 1;
    assert_int_equal(tracer_run(tracer, &job, NULL, &r, &err), CWM_LIMIT);
    assert_non_null(strstr(err.message, "65537"));
}

static void trace__stops_when_told(void **state)
{
    struct trace_job job = job_of("while True: pass\n", NULL, NULL);
    volatile int cancel = 1;
    struct trace_result r;

    (void)state;
    job.limits.max_frames = 1000000000;
    assert_int_equal(tracer_run(tracer, &job, &cancel, &r, NULL),
                     CWM_CANCELLED);
    job = job_of("x = 1\n", NULL, NULL);
    assert_ends(&job, "ok", NULL); /* the next one is not hurt */
}

static void trace__a_worker_that_does_not_start(void **state)
{
    static const char script[] =
        "#!/bin/sh\n"
        "[ \"$1\" = --about ] || { echo no library >&2; exit 4; }\n"
        "echo '{\"version\": \"7.1.5\", \"prefix\": \"/usr\", "
        "\"read_paths\": [\"/usr\"]}'\n";
    char folder[] = "/tmp/test_trace.XXXXXX";
    char path[64];
    struct tracer_options options = {.python = "7.1",
                                     .worker_dir = folder,
                                     .max_trace_bytes = MAX_TRACE_BYTES};
    struct tracer *t = NULL;
    struct cwm_err err = {.message = ""};

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/cwm-worker-7.1", folder);
    assert_int_equal(io_replace_file(path, script, sizeof script - 1, NULL),
                     CWM_OK);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(tracer_open(&options, &t, &err), CWM_SYSTEM);
    if (!strstr(err.message, "could not start") ||
        !strstr(err.message, "no library")) {
        fail_msg("'%s'", err.message);
    }
    unlink(path);
    rmdir(folder);
}

static int open_tracer(void **state)
{
    struct tracer_options options = {.python = TEST_PYTHON,
                                     .worker_dir = TEST_WORKER_DIR,
                                     .max_trace_bytes = MAX_TRACE_BYTES};
    struct cwm_err err = {.message = ""};

    (void)state;
    if (tracer_open(&options, &tracer, &err) != CWM_OK) {
        fprintf(stderr, "cannot trace here: %s\n", err.message);
        exit(getenv("CWM_MUST_WORK") ? 1 : 77);
    }
    return 0;
}

static int close_tracer(void **state)
{
    (void)state;
    tracer_close(tracer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace__an_entry_that_is_not_there_when_run),
        cmocka_unit_test(trace__an_entry_in_a_broken_text),
        cmocka_unit_test(trace__arguments_that_are_none),
        cmocka_unit_test(trace__limits_that_the_kernel_holds),
        cmocka_unit_test(trace__a_text_that_is_too_large),
        cmocka_unit_test(trace__more_than_the_tracer_was_opened_for),
        cmocka_unit_test(trace__stops_when_told),
        cmocka_unit_test(trace__a_worker_that_does_not_start),
    };

    return cmocka_run_group_tests(tests, open_tracer, close_tracer);
}
