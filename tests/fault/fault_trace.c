/* SPDX-License-Identifier: MIT */
/*
 * fault_trace.c -- whole traces, and batches of them, while memory or the
 * disk is short.  The worker and its jail are the real ones.
 *
 * A batch tries a job again on a fresh worker, so a failure that comes once
 * may leave no trace; one that stays ends the batch.  Either way its output
 * is whole records, and the very ones that a good run writes.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/io.h"
#include "tests/fault/fault.h"
#include "tracer/jobs.h"

#define N_JOBS 3u

static const char jobs_text[] =
    "{\"id\": \"a\", \"source\": \"def f(x):\\n    y = x + 1\\n    return y\", "
    "\"entry\": \"f\", \"args\": \"1\"}\n"
    "{\"id\": \"b\", \"source\": \"print(1/0)\"}\n"
    "{\"id\": \"c\", \"source\": \"def g(): return 'x' * 9\", \"entry\": "
    "\"g\", \"wrap_main\": true}\n";

static char folder[] = "/tmp/cwm-fault-XXXXXX";
static char jobs_path[64];
static char out_path[64];
static char worker_path[64];
static struct cwm_buf good; /* what a batch writes when nothing fails */

static struct tracer_options tracer_options(void)
{
    return (struct tracer_options){.worker_dir = folder,
                                   .max_trace_bytes = 1u << 16};
}

static struct trace_job small_job(void)
{
    static const char source[] = "if __name__ == '__main__': f(0)\n"
                                 "def f(x):\n    print(x)\n    return x\n";
    struct trace_job job = {.id = "j",
                            .name = "j",
                            .source = source,
                            .source_len = sizeof source - 1,
                            .entry = "f",
                            .args = "7"};

    trace_limits_default(&job.limits);
    job.limits.max_trace_bytes = 1u << 16;
    return job;
}

/* ---- one trace ---- */

static enum cwm_rc open_tracer(void *ctx, struct cwm_err *err)
{
    struct tracer_options options = tracer_options();
    struct tracer *t = NULL; /* owned */
    enum cwm_rc rc = tracer_open(&options, &t, err);

    (void)ctx;
    tracer_close(t);
    return rc;
}

static void tracer__opens_or_says_that_memory_is_short(void **state)
{
    (void)state;
    fault_each_allocation("a tracer", open_tracer, NULL);
}

static enum cwm_rc run_job(void *ctx, struct cwm_err *err)
{
    struct tracer *t = ctx;
    struct trace_job job = small_job();
    struct trace_result result;
    enum cwm_rc rc = tracer_run(t, &job, NULL, &result, err);

    if (rc == CWM_OK) {
        assert_int_equal(result.verdict, TRACE_VERDICT_OK);
        assert_int_equal(trace_reader_end(result.reader)->n_frames, 4);
        assert_int_equal(result.summary.stdout_len, 2);
    }
    return rc;
}

/* The tracer goes on with the next job after it had no memory for one. */
static void tracer__runs_or_says_that_memory_is_short(void **state)
{
    struct tracer_options options = tracer_options();
    struct tracer *t = NULL; /* owned */

    (void)state;
    assert_int_equal(tracer_open(&options, &t, NULL), CWM_OK);
    fault_each_allocation("a run", run_job, t);
    tracer_close(t);
}

/* ---- a batch ---- */

static void ignore_line(void *ctx, uint64_t line, const char *message)
{
    (void)ctx;
    fail_msg("line %llu: %s", (unsigned long long)line, message);
}

static void ignore_progress(void *ctx, const struct jobs_stats *stats)
{
    (void)ctx;
    (void)stats;
}

static struct jobs_options batch(void)
{
    struct jobs_options o = {.jobs_path = jobs_path,
                             .out_path = out_path,
                             .n_workers = 1,
                             .tracer = tracer_options(),
                             .tool_version = "0",
                             .on_bad_line = ignore_line,
                             .on_progress = ignore_progress};

    trace_limits_default(&o.defaults.limits);
    o.defaults.limits.max_trace_bytes = 1u << 16;
    return o;
}

static void read_out(struct cwm_buf *out)
{
    cwm_buf_init(out, 1u << 20);
    assert_int_equal(io_read_file(out_path, out, NULL), CWM_OK);
}

/* Whole records, and those that a good run writes. */
static size_t assert_out_is_sound(const char *what)
{
    struct cwm_buf out;
    size_t len;

    if (access(out_path, F_OK) != 0) {
        return 0;
    }
    read_out(&out);
    len = out.len;
    if (len > good.len || (len > 0 && memcmp(out.data, good.data, len) != 0) ||
        (len > 0 && out.data[len - 1] != '\n')) {
        fail_msg("%s: the output is '%s', not the start of '%s'", what,
                 out.data, good.data);
    }
    cwm_buf_release(&out);
    return len;
}

static void forget_out(void)
{
    char note[80];

    snprintf(note, sizeof note, "%s.resume", out_path);
    unlink(out_path);
    unlink(note);
}

static uint64_t batch_without(uint64_t nth, int sticky)
{
    struct jobs_options o = batch();
    struct jobs_stats stats;
    struct cwm_err err = {.message = ""};
    uint64_t asked;
    char what[64];
    enum cwm_rc rc;

    snprintf(what, sizeof what, "allocation %llu failing (%s)",
             (unsigned long long)nth, sticky ? "and all behind it" : "once");
    forget_out();
    cwm_alloc_fail_nth(nth, sticky);
    rc = jobs_run(&o, &stats, &err);
    asked = cwm_alloc_fail_nth(0, 0);
    if (rc == CWM_OK && assert_out_is_sound(what) != good.len) {
        fail_msg("%s: records are missing", what);
    }
    if (rc != CWM_OK) {
        assert_out_is_sound(what);
        if (rc != CWM_NOMEM || err.message[0] == '\0' || nth == 0 ||
            asked < nth) {
            fail_msg("%s: code %d, \"%s\"", what, (int)rc, err.message);
        }
    }
    return asked;
}

/*
 * Every try starts a worker, so only some are made: most of the allocations,
 * in the middle, are the pipeline's places, which are all alike.
 */
static void jobs__leave_whole_records_when_memory_is_short(void **state)
{
    uint64_t n = batch_without(0, 0);

    (void)state;
    assert_true(n > 200);
    for (int sticky = 0; sticky <= 1; sticky++) {
        for (uint64_t nth = 1; nth < 30; nth += 2) {
            assert_true(batch_without(nth, sticky) >= nth);
        }
        for (uint64_t nth = n - 150; nth <= n; nth += 5) {
            batch_without(nth, sticky);
        }
    }
    forget_out();
}

/* After the first record the disk has room for a part of the next one. */
static void shorten_disk(void *ctx, const struct jobs_stats *stats)
{
    struct rlimit limit;

    (void)ctx;
    if (stats->n_written == 1) {
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        limit.rlim_cur =
            (rlim_t)(strchr(good.data, '\n') - good.data) + 1 + 100;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    }
}

static void jobs__go_on_when_the_disk_has_room_again(void **state)
{
    struct jobs_options o = batch();
    struct jobs_stats stats;
    struct rlimit limit;
    struct cwm_err err = {.message = ""};
    enum cwm_rc rc;
    size_t len;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    o.on_progress = shorten_disk;
    forget_out();
    rc = jobs_run(&o, &stats, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    if (rc != CWM_IO || !strstr(err.message, out_path)) {
        fail_msg("code %d, \"%s\"", (int)rc, err.message);
    }
    assert_false(stats.complete);
    len = assert_out_is_sound("a short disk");
    assert_int_equal(len, strchr(good.data, '\n') - good.data + 1);
    o.on_progress = ignore_progress;
    assert_int_equal(jobs_run(&o, &stats, &err), CWM_OK);
    assert_int_equal(stats.n_there, 1);
    assert_int_equal(assert_out_is_sound("going on"), good.len);
    forget_out();
}

static void jobs__say_that_a_device_is_full(void **state)
{
    struct jobs_options o = batch();
    struct jobs_stats stats;
    struct cwm_err err = {.message = ""};

    (void)state;
    o.out_path = "/dev/full";
    assert_int_equal(jobs_run(&o, &stats, &err), CWM_IO);
    assert_non_null(strstr(err.message, "No space left"));
    assert_int_equal(stats.n_written, 0);
}

/* ---- set-up ---- */

static void name_in_folder(char path[64], const char *name)
{
    snprintf(path, 64, "%s/%s", folder, name);
}

static int make_folder(void **state)
{
    struct jobs_options o;
    struct jobs_stats stats;
    struct cwm_err err = {.message = ""};

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    if (!mkdtemp(folder)) {
        return -1;
    }
    name_in_folder(jobs_path, "jobs.jsonl");
    name_in_folder(out_path, "out.jsonl");
    name_in_folder(worker_path, FAULT_WORKER_NAME);
    if (symlink(FAULT_WORKER_DIR "/" FAULT_WORKER_NAME, worker_path) != 0 ||
        io_replace_file(jobs_path, jobs_text, sizeof jobs_text - 1, NULL)) {
        return -1;
    }
    o = batch();
    if (jobs_run(&o, &stats, &err) != CWM_OK) {
        fprintf(stderr, "cannot trace here: %s\n", err.message);
        exit(getenv("CWM_MUST_WORK") ? 1 : 77);
    }
    assert_int_equal(stats.n_written, N_JOBS);
    assert_int_equal(stats.n_verdicts[TRACE_VERDICT_OK], 2);
    read_out(&good);
    forget_out();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    cwm_buf_release(&good);
    unlink(worker_path);
    unlink(jobs_path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracer__opens_or_says_that_memory_is_short),
        cmocka_unit_test(tracer__runs_or_says_that_memory_is_short),
        cmocka_unit_test(jobs__leave_whole_records_when_memory_is_short),
        cmocka_unit_test(jobs__go_on_when_the_disk_has_room_again),
        cmocka_unit_test(jobs__say_that_a_device_is_full),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
