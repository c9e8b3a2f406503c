/* SPDX-License-Identifier: MIT */
/* build_run.c -- one run of one program, and its row. */
#include <string.h>
#include <time.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "datasets/build_internal.h"
#include "datasets/build_rows.h"
#include "datasets/trace_blob.h"

enum {
    /* Longer payloads teach a dictionary little for their size. */
    MAX_SAMPLE_BYTES = 64 << 10,
    /* Who computes for less than this part of the time sleeps: with sixty
     * others at each processor one still has more. */
    SLEEPING_PART = 100,
    /* Real time for each unit of CPU time, when the machine is that busy. */
    PATIENCE = 20
};

uint64_t build__cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

enum cwm_rc build__thread_init(struct build__thread *t,
                               const struct build_options *options,
                               const struct codec *codec, struct cwm_err *err)
{
    enum cwm_rc rc;

    memset(t, 0, sizeof *t);
    t->options = options;
    t->slot.options = &options->tracer;
    t->codec = codec;
    cwm_buf_init(&t->payload, CODEC_MAX_BYTES);
    cwm_buf_init(&t->packed, SIZE_MAX / 2);
    cwm_buf_init(&t->again, CODEC_MAX_BYTES);
    rc = codec_thread_new(codec, &t->packer, err);
    return rc == CWM_OK ? hasher_new(&t->hasher, err) : rc;
}

void build__thread_release(struct build__thread *t)
{
    tracer_slot_close(&t->slot);
    suite_tester_close(t->suite);
    codec_thread_free(t->packer);
    hasher_free(t->hasher);
    cwm_buf_release(&t->payload);
    cwm_buf_release(&t->packed);
    cwm_buf_release(&t->again);
}

/* Run, alone or beside those of other threads, and count what it took. */
static enum cwm_rc run_once(struct build__thread *t,
                            const struct trace_job *job, bool alone,
                            struct trace_result *result, struct cwm_err *err)
{
    uint64_t start = build__cpu_us();
    enum cwm_rc rc;

    if (alone) {
        pthread_rwlock_wrlock(t->runs);
    } else {
        pthread_rwlock_rdlock(t->runs);
    }
    rc = tracer_slot_run(&t->slot, job, t->options->cancel, result, err);
    pthread_rwlock_unlock(t->runs);
    if (rc == CWM_OK) {
        t->note->cpu_trace_us +=
            build__cpu_us() - start + result->kernel.cpu_us;
    }
    return rc;
}

/* Real time was up, but not by sleeping: others had the processors. */
static bool was_kept_waiting(const struct trace_job *job,
                             const struct sandbox_verdict *kernel)
{
    return kernel->end == SANDBOX_END_WALL_TIME && job->limits.wall_ms == 0 &&
           kernel->cpu_us * SLEEPING_PART > kernel->wall_us;
}

/*
 * A run that a clock has stopped may do better on a machine that is less
 * busy, and a store must not depend on that.  Where real time was up it gets
 * more of it; where its CPU time was, it has another try without any of ours
 * beside it.
 */
static enum cwm_rc run_job(struct build__thread *t, const struct trace_job *job,
                           struct trace_result *result, struct cwm_err *err)
{
    struct trace_job again = *job;
    enum cwm_rc rc = run_once(t, job, false, result, err);

    if (job->limits.wall_ms == 0) {
        again.limits.wall_ms = PATIENCE * job->limits.timeout_ms;
    }
    if (rc == CWM_OK && was_kept_waiting(job, &result->kernel)) {
        rc = run_once(t, &again, false, result, err);
    }
    if (rc == CWM_OK && result->kernel.end == SANDBOX_END_CPU_TIME) {
        rc = run_once(t, &again, true, result, err);
    }
    return rc;
}

static struct trace_job job_of(const struct build__program *p,
                               const struct candidate_call *call)
{
    struct trace_job job = {
        .name = p->from->origin.path,
        .is_text = true,
        .entry = call->entry,
        .args = call->args,
        .wrap_main = call->wrap_main,
        .stdin_data = call->stdin_data,
        .stdin_len = call->stdin_len,
        .seed = call->seed,
        .limits = call->limits,
    };

    job.source = source_text(p->source, &job.source_len);
    return job;
}

enum cwm_rc build__trace(struct build__thread *t,
                         const struct build__program *p,
                         const struct candidate_call *call,
                         struct trace_result *ret_result, struct cwm_err *err)
{
    struct trace_job job = job_of(p, call);

    return run_job(t, &job, ret_result, err);
}

static enum cwm_rc write_blob(struct build__thread *t,
                              const struct candidate_call *call,
                              const struct trace_result *result,
                              struct cwm_buf *out, struct store_trace *trace,
                              struct cwm_err *err)
{
    cwm_buf_clear(out);
    return trace_blob_write(result, call->stdin_data, call->stdin_len,
                            trace_result_is_steady(result), out, trace,
                            t->hasher, err);
}

/* Run it again: does the same come out? */
static enum cwm_rc is_stable(struct build__thread *t,
                             const struct build__program *p,
                             const struct candidate_call *call,
                             const struct store_trace *first, bool *ret_same,
                             struct cwm_err *err)
{
    struct trace_result result;
    struct store_trace second = {0};
    enum cwm_rc rc = build__trace(t, p, call, &result, err);

    if (rc == CWM_OK) {
        rc = write_blob(t, call, &result, &t->again, &second, err);
    }
    *ret_same =
        rc == CWM_OK && hash_compare(&first->content, &second.content) == 0;
    return rc;
}

/* Does the output agree with what a right solution prints?  White space at
 * the ends does not count, as contests have it. */
static bool is_right(const struct trace_result *result, const char *expected)
{
    const char *out = (const char *)result->summary.stdout_data;
    size_t n = result->summary.stdout_len;
    size_t m = strlen(expected);

    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == ' ')) {
        n--;
    }
    while (m > 0 && (expected[m - 1] == '\n' || expected[m - 1] == ' ')) {
        m--;
    }
    return result->verdict == TRACE_VERDICT_OK && n == m &&
           memcmp(out, expected, n) == 0;
}

static void describe(const struct build__program *p,
                     const struct candidate_call *call,
                     const struct trace_result *result, struct build__thread *t,
                     struct store_trace *trace, struct store_setting *setting)
{
    struct hash setting_hash;

    setting->python = tracer_python(t->slot.tracer);
    setting->seed = call->seed;
    setting->limits = call->limits;
    trace->entry = call->entry;
    trace->args = call->args;
    trace->wrap_main = call->wrap_main;
    trace->input_origin = call->input_origin;
    trace->label = call->label;
    if (call->expected) {
        trace->label = is_right(result, call->expected) ? "right" : "wrong";
    }
    setting_hash = store_setting_hash(t->hasher, setting);
    trace->hash = store_trace_hash(t->hasher, &p->hash, &setting_hash, trace,
                                   call->stdin_data, call->stdin_len);
}

enum cwm_rc build__put_row(struct build__thread *t, struct store_trace *trace,
                           const struct store_setting *setting,
                           struct cwm_err *err)
{
    bool wants_sample =
        codec_current(t->codec) == 0 && t->payload.len <= MAX_SAMPLE_BYTES;
    enum cwm_rc rc = codec_pack(t->packer, t->payload.data, t->payload.len,
                                &t->packed, &trace->dictionary, err);

    if (rc != CWM_OK) {
        return rc;
    }
    trace->data = t->packed.data;
    trace->data_len = t->packed.len;
    build_rows_put_trace(t->rows, trace, setting,
                         wants_sample ? t->payload.data : NULL, t->payload.len);
    t->note->n_traces++;
    t->note->n_frames += trace->n_frames;
    t->note->n_verdicts[trace->verdict]++;
    return cwm_buf_check(t->rows, "an item's rows", err);
}

enum cwm_rc build__put(struct build__thread *t, const struct build__program *p,
                       const struct candidate_call *call,
                       const struct trace_result *result, bool *ret_put,
                       struct cwm_err *err)
{
    uint64_t start = build__cpu_us();
    struct store_trace trace = {0};
    struct store_setting setting;
    char *detail = NULL; /* owned: the tracer's is gone after another run */
    bool same = true;
    enum cwm_rc rc = write_blob(t, call, result, &t->payload, &trace, err);

    *ret_put = false;
    if (rc != CWM_OK) {
        return rc;
    }
    describe(p, call, result, t, &trace, &setting);
    if (trace.detail && !(detail = cwm_strdup(trace.detail))) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a trace");
    }
    trace.detail = detail;
    t->note->cpu_store_us += build__cpu_us() - start;
    if (p->is_suspect) {
        rc = is_stable(t, p, call, &trace, &same, err);
        t->note->n_unstable += rc == CWM_OK && !same;
    }
    if (rc == CWM_OK && same) {
        start = build__cpu_us();
        rc = build__put_row(t, &trace, &setting, err);
        t->note->cpu_store_us += build__cpu_us() - start;
        *ret_put = rc == CWM_OK;
    }
    cwm_free(detail);
    return rc;
}
