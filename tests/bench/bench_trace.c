/* SPDX-License-Identifier: MIT */
/*
 * bench_trace.c -- what tracing one call costs, in CPU time.
 *
 * bench_trace FILE ENTRY ARGS RUNS [plain]: traces the call RUNS times with
 * every wall up and limits out of the way, prints one line of JSON a run:
 * the CPU time that the kernel booked for the run, that of this process
 * (reading and checking the records), and what was recorded.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cwm/base/alloc.h"
#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "cwm/base/io.h"
#include "tracer/trace.h"

#define MAX_TRACE_BYTES ((uint64_t)512 << 20)

static uint64_t own_cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Reads all frames, as every user of a trace does; bytes of values seen. */
static enum cwm_rc read_frames(struct trace_reader *r, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    bool more = true;

    trace_reader_rewind(r);
    while (rc == CWM_OK && more) {
        struct trace_frame frame;

        rc = trace_reader_next(r, &frame, &more, err);
    }
    return rc;
}

static enum cwm_rc run_once(struct tracer *t, const struct trace_job *job,
                            struct cwm_err *err)
{
    struct trace_result result;
    const struct trace_end *end;
    uint64_t before = own_cpu_us();
    enum cwm_rc rc = tracer_run(t, job, NULL, &result, err);

    if (rc != CWM_OK) {
        return rc;
    }
    rc = read_frames(result.reader, err);
    if (rc != CWM_OK) {
        return rc;
    }
    end = trace_reader_end(result.reader);
    printf("{\"verdict\": \"%s\", \"run_cpu_us\": %" PRIu64
           ", \"host_cpu_us\": %" PRIu64 ", \"frames\": %" PRIu64
           ", \"lines\": %" PRIu64 "}\n",
           trace_verdict_text(result.verdict), result.kernel.cpu_us,
           own_cpu_us() - before, end->n_frames, end->n_lines);
    return CWM_OK;
}

static enum cwm_rc bench(char **argv, struct cwm_err *err)
{
    struct tracer_options options = {.max_trace_bytes = MAX_TRACE_BYTES};
    struct trace_job job = {.name = argv[1], .entry = argv[2], .args = argv[3]};
    long n_runs = strtol(argv[4], NULL, 10);
    struct tracer *t = NULL; /* owned */
    struct cwm_buf source;   /* owned */
    enum cwm_rc rc;
    long i;

    cwm_buf_init(&source, (size_t)1 << 20);
    rc = io_read_file(argv[1], &source, err);
    if (rc != CWM_OK) {
        goto out;
    }
    options.plain = argv[5] && strcmp(argv[5], "plain") == 0;
    job.source = source.data;
    job.source_len = source.len;
    trace_limits_default(&job.limits);
    job.limits.timeout_ms = 60000;
    job.limits.memory_mb = 2048;
    job.limits.max_frames = 100000000;
    job.limits.max_trace_bytes = MAX_TRACE_BYTES;
    rc = tracer_open(&options, &t, err);
    for (i = 0; i < n_runs && rc == CWM_OK; i++) {
        rc = run_once(t, &job, err);
    }
out:
    tracer_close(t);
    cwm_buf_release(&source);
    return rc;
}

int main(int argc, char **argv)
{
    struct cwm_err err = {0};

    if (argc < 5) {
        fprintf(stderr, "usage: bench_trace FILE ENTRY ARGS RUNS [plain]\n");
        return 2;
    }
    if (bench(argv, &err) != CWM_OK) {
        fprintf(stderr, "bench_trace: %s\n", err.message);
        return 3;
    }
    return 0;
}
