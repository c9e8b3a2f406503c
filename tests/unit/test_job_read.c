/* SPDX-License-Identifier: MIT */
/* test_job_read.c -- every field, every mistake a line can hold. */
#include "tracer/job_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct trace_job defaults(void)
{
    struct trace_job job = {.seed = 7};

    trace_limits_default(&job.limits);
    return job;
}

static struct job_line *parse(const char *text)
{
    struct trace_job job = defaults();
    struct job_line *line = NULL;
    struct cwm_err err = {.message = ""};

    if (job_line_new(text, strlen(text), &job, "", &line, &err) != CWM_OK) {
        fail_msg("%s: %s", text, err.message);
    }
    return line;
}

static void assert_refused(const char *text, const char *message)
{
    struct trace_job job = defaults();
    struct job_line *line = NULL;
    struct cwm_err err = {.message = ""};

    assert_int_equal(
        job_line_new(text, strlen(text), &job, "/none", &line, &err),
        CWM_USAGE);
    assert_string_equal(err.message, message);
    assert_null(line);
}

static void job_read__takes_every_field(void **state)
{
    struct job_line *line = parse(
        "{\"id\": \"a\", \"source\": \"x\\u0000\\u00e9\", \"entry\": \"f\", "
        "\"args\": \"1, 2\", \"wrap_main\": true, \"stdin\": \"i\\u0000n\", "
        "\"seed\": 9223372036854775807, \"timeout_ms\": 1, \"wall_ms\": 2, "
        "\"memory_mb\": 3, \"disk_mb\": 4, \"max_frames\": 5, "
        "\"max_trace_bytes\": 4096, \"max_output_bytes\": 0, "
        "\"max_value_bytes\": 16, \"else\": [1e99, {}]}");
    const struct trace_job *job = job_line_job(line);

    (void)state;
    assert_string_equal(job->id, "a");
    assert_int_equal(job->source_len, 4);
    assert_memory_equal(job->source, "x\0\xC3\xA9", 4);
    assert_string_equal(job->entry, "f");
    assert_string_equal(job->args, "1, 2");
    assert_true(job->wrap_main);
    assert_int_equal(job->stdin_len, 3);
    assert_true(job->seed == INT64_MAX);
    assert_int_equal(job->limits.timeout_ms, 1);
    assert_int_equal(job->limits.wall_ms, 2);
    assert_int_equal(job->limits.memory_mb, 3);
    assert_int_equal(job->limits.disk_mb, 4);
    assert_int_equal(job->limits.max_frames, 5);
    assert_int_equal(job->limits.max_trace_bytes, 4096);
    assert_int_equal(job->limits.max_output_bytes, 0);
    assert_int_equal(job->limits.max_value_bytes, 16);
    job_line_free(line);
}

static void job_read__leaves_the_defaults(void **state)
{
    struct job_line *line =
        parse("{\"id\": 12, \"source\": \"\", \"entry\": null, \"seed\": null, "
              "\"n\": 99999999999999999999999999}");
    const struct trace_job *job = job_line_job(line);

    (void)state;
    assert_string_equal(job->id, "12");
    assert_string_equal(job->name, "12");
    assert_null(job->entry);
    assert_int_equal(job->seed, 7);
    assert_int_equal(job->limits.timeout_ms, 5000);
    assert_false(job->wrap_main);
    job_line_free(line);
}

static void job_read__every_mistake_has_its_line(void **state)
{
    (void)state;
    assert_refused("[1]", "not a JSON object");
    assert_refused("{\"source\": \"x\"}", "the field 'id' is not there");
    assert_refused("{\"id\": 1.5, \"source\": \"x\"}",
                   "'id' is neither a text nor a whole number");
    assert_refused("{\"id\": \"a\\u0000\", \"source\": \"x\"}",
                   "'id' holds a NUL character");
    assert_refused("{\"id\": \"a\"}", "neither 'source' nor 'path' is there");
    assert_refused("{\"id\": \"a\", \"source\": \"x\", \"path\": \"y\"}",
                   "both 'source' and 'path' are there");
    assert_refused("{\"id\": \"a\", \"source\": 1}", "'source' is not a text");
    assert_refused("{\"id\": \"a\", \"source\": \"\", \"entry\": []}",
                   "'entry' is not a text");
    assert_refused("{\"id\": \"a\", \"source\": \"\", \"wrap_main\": 1}",
                   "'wrap_main' is not true or false");
    assert_refused("{\"id\": \"a\", \"source\": \"\", \"seed\": -1}",
                   "'seed' must be from 0 to 9223372036854775807");
    assert_refused("{\"id\": \"a\", \"source\": \"\", \"timeout_ms\": 0}",
                   "'timeout_ms' must be from 1 to 86400000");
    assert_refused("{\"id\": \"a\", \"source\": \"\", \"max_frames\": 1.5}",
                   "'max_frames' is not a whole number");
    assert_refused("{\"id\": \"a\", \"source\": \"\", \"max_frames\": \"9\"}",
                   "'max_frames' is not a whole number");
    assert_refused("{\"id\": \"a\", \"source\": \"\", \"max_frames\": "
                   "99999999999999999999999}",
                   "'max_frames' must be from 1 to 1000000000");
    assert_refused("{\"id\": \"a\", \"path\": \"p.py\"}",
                   "could not open '/none/p.py': No such file or directory");
    assert_refused("{\"id\": \"a\", \"path\": \"/tmp\"}",
                   "could not read '/tmp': it is a directory");
}

static void job_read__what_is_not_json_is_told(void **state)
{
    static const char *const texts[] = {"nonsense",
                                        "{",
                                        "{\"id\": \"\\ud800\"}",
                                        "{\"id\": NaN}",
                                        "{\"id\": \"a\xFF\"}",
                                        "{} {}",
                                        ""};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct trace_job job = defaults();
        struct job_line *line = NULL;
        struct cwm_err err = {.message = ""};

        assert_int_equal(
            job_line_new(texts[i], strlen(texts[i]), &job, "", &line, &err),
            CWM_USAGE);
        assert_memory_equal(err.message, "not JSON: ", 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_read__takes_every_field),
        cmocka_unit_test(job_read__leaves_the_defaults),
        cmocka_unit_test(job_read__every_mistake_has_its_line),
        cmocka_unit_test(job_read__what_is_not_json_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
