/* SPDX-License-Identifier: MIT */
/*
 * trace.c -- one job through source, sandbox and reader to a verdict.
 *
 * Who decides what: the kernel's word on how the process ended comes first
 * (time, memory, output, a forbidden call, a signal); only where it ended by
 * itself does the END record count, which the program could have forged.
 */
#include "tracer/trace.h"

#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/request.h"
#include "tracer/workers.h"

enum {
    /* Room behind the records for the END record: the largest value that
     * may be asked for, and its other texts.  Untouched it costs nothing. */
    END_BYTES = 17 << 20,
    /* A program and what is written behind it; source.h takes 64 MiB. */
    MAX_TEXT_BYTES = 80 << 20,
    /* Threads of a run: pools and asyncio's default executor fit. */
    MAX_TASKS = 64,
    /* CPython opens few; the usual soft limit is 1024. */
    MAX_OPEN_FILES = 256,
    /* Inodes: bounds the memory that empty files cost the kernel. */
    MAX_FILES = 4096,
    MAX_DETAIL_BYTES = 4096,
    /* For texts that only the program's own code can tell.  Such an event
     * takes some 0.05 us as they are counted (contain.c): a quarter of the
     * time, so that what is counted ends a run before what is measured does,
     * on a machine three times as slow or as busy, too. */
    TEXT_EVENTS_PER_MS = 5000
};

struct tracer {
    struct sandbox *sandbox; /* owned */
    struct worker_program worker;
    uint64_t max_trace_bytes;
    bool plain;
    /* Of the last run: */
    struct source *source;       /* owned */
    struct trace_reader *reader; /* owned */
    struct cwm_buf context;
    struct cwm_buf wrapped;
    struct cwm_buf compiled;
    struct cwm_buf request;
    struct cwm_buf out;
    struct cwm_buf err_out;
    const uint8_t *records; /* borrowed from the sandbox; NULL: none */
    size_t records_len;     /* bytes */
    uint32_t context_line;
    char detail[MAX_DETAIL_BYTES]; /* "" when there is none */
};

/* How a job is to be run, once its text is understood. */
struct plan {
    const struct trace_job *job;
    const char *entry; /* borrowed from the source; NULL: a script */
    const char *args;
    uint32_t entry_line; /* 0: a script */
    bool traced;
};

const char *trace_verdict_text(enum trace_verdict verdict)
{
    switch (verdict) {
#define TRACE_VERDICT_CASE(id, number, text)                                   \
    case TRACE_VERDICT_##id:                                                   \
        return text;
        TRACE_VERDICT_TABLE(TRACE_VERDICT_CASE)
#undef TRACE_VERDICT_CASE
    }
    return "verdict without a name";
}

void trace_limits_default(struct trace_limits *ret_limits)
{
#define TRACE_LIMIT_SET(field, option, fallback, min, max, in_bytes, what)     \
    ret_limits->field = (fallback);
    TRACE_LIMIT_TABLE(TRACE_LIMIT_SET)
#undef TRACE_LIMIT_SET
}

/* ---- opening ---- */

static void init_buffers(struct tracer *t)
{
    cwm_buf_init(&t->context, MAX_TEXT_BYTES);
    cwm_buf_init(&t->wrapped, MAX_TEXT_BYTES);
    cwm_buf_init(&t->compiled, MAX_TEXT_BYTES);
    cwm_buf_init(&t->request, 3UL * MAX_TEXT_BYTES);
    cwm_buf_init(&t->out, SIZE_MAX / 2);
    cwm_buf_init(&t->err_out, SIZE_MAX / 2);
}

/* One more read path: seen at SANDBOX_PLACE. */
static enum cwm_rc add_folder(struct worker_program *w, const char *folder,
                              struct cwm_err *err)
{
    size_t n = 0;
    size_t size = strlen(folder) + 2;
    char **paths; /* owned by the worker from here on */

    while (w->read_paths[n]) {
        n++;
    }
    paths = cwm_realloc(w->read_paths, n + 2, sizeof *paths);
    if (!paths) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
    }
    w->read_paths = paths;
    paths[n + 1] = NULL;
    paths[n] = cwm_malloc(size);
    if (!paths[n]) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
    }
    snprintf(paths[n], size, "=%s", folder);
    return CWM_OK;
}

enum cwm_rc tracer_open(const struct tracer_options *options,
                        struct tracer **ret_tracer, struct cwm_err *err)
{
    struct tracer *t = cwm_calloc(1, sizeof *t); /* owned until handed over */
    const char *worker_args[4] = {NULL};
    const char **word = worker_args;
    struct sandbox_policy policy = {0};
    enum cwm_rc rc;

    if (!t) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a tracer");
    }
    init_buffers(t);
    t->max_trace_bytes = options->max_trace_bytes;
    t->plain = options->plain;
    rc = worker_program_find(options, &t->worker, err);
    if (rc == CWM_OK && options->folder) {
        *word++ = options->own_pytest ? "--suite-bare" : "--suite";
        rc = add_folder(&t->worker, options->folder, err);
    }
    if (rc == CWM_OK) {
        if (t->worker.python) {
            *word++ = "--python";
            *word++ = t->worker.python;
        }
        policy.worker_path = t->worker.about.path;
        policy.read_paths = (const char *const *)t->worker.read_paths;
        policy.shared_bytes =
            TRACE_SHARED_HEADER_BYTES + t->max_trace_bytes + END_BYTES;
        policy.allow_missing = options->allow_missing;
        policy.worker_args = worker_args;
        rc = sandbox_open(&policy, &t->sandbox, err);
    }
    if (rc == CWM_OK) {
        *ret_tracer = t;
        t = NULL;
    }
    tracer_close(t);
    return rc;
}

/* Drop what the last run left; the buffers keep their memory. */
static void forget_run(struct tracer *t)
{
    trace_reader_free(t->reader);
    source_free(t->source);
    t->reader = NULL;
    t->source = NULL;
    cwm_buf_clear(&t->context);
    cwm_buf_clear(&t->wrapped);
    cwm_buf_clear(&t->compiled);
    cwm_buf_clear(&t->request);
    cwm_buf_clear(&t->out);
    cwm_buf_clear(&t->err_out);
    t->records = NULL;
    t->records_len = 0;
    t->context_line = 0;
    t->detail[0] = '\0';
}

void tracer_close(struct tracer *t)
{
    if (!t) {
        return;
    }
    forget_run(t);
    sandbox_close(t->sandbox);
    worker_program_release(&t->worker);
    cwm_buf_release(&t->context);
    cwm_buf_release(&t->wrapped);
    cwm_buf_release(&t->compiled);
    cwm_buf_release(&t->request);
    cwm_buf_release(&t->out);
    cwm_buf_release(&t->err_out);
    cwm_free(t);
}

const char *tracer_python(const struct tracer *t)
{
    return t->worker.about.version;
}

uint32_t tracer_missing(const struct tracer *t)
{
    return sandbox_missing(t->sandbox);
}

/* ---- understanding the job ---- */

/* The first line of an error's message: what follows are hints. */
static void set_detail(struct tracer *t, const char *text, size_t len)
{
    if (len >= sizeof t->detail) {
        len = sizeof t->detail - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80) {
            len--; /* text[len] goes on with a character */
        }
    }
    memcpy(t->detail, text, len);
    t->detail[len] = '\0';
}

static void set_detail_from(struct tracer *t, const struct cwm_err *err)
{
    set_detail(t, err->message, strcspn(err->message, "\n"));
}

static bool is_about_the_text(enum cwm_rc rc)
{
    return rc == CWM_FORMAT || rc == CWM_LIMIT;
}

/* Put "main" behind the program; the new text replaces the old one. */
static enum cwm_rc wrap_main(struct tracer *t, const struct trace_job *job,
                             const char *entry, struct cwm_err *err)
{
    struct source *wrapped = NULL;
    enum cwm_rc rc = source_wrap_main(
        t->source, entry, job->args ? job->args : "", &t->wrapped, err);

    if (rc == CWM_OK) {
        rc = source_new_text(t->wrapped.data, t->wrapped.len, job->name,
                             &wrapped, err);
    }
    if (rc == CWM_OK) {
        source_free(t->source);
        t->source = wrapped;
    }
    return rc;
}

/*
 * Find the entry and set *plan.  CWM_USAGE: there is no such entry, err says
 * which there are.  CWM_FORMAT, CWM_LIMIT: the arguments do not parse, or are
 * too large or too deep to be parsed.
 */
static enum cwm_rc make_plan(struct tracer *t, const struct trace_job *job,
                             struct plan *plan, struct cwm_err *err)
{
    const struct source_def *defs;
    const char *args = job->args ? job->args : "";
    size_t n;
    int def = -1;
    enum cwm_rc rc = source_entry(t->source, job->entry, &def, err);

    if (rc != CWM_OK) {
        return rc;
    }
    if (def < 0 && (job->wrap_main || args[0])) {
        return CWM_FAIL(err, CWM_USAGE,
                        "no entry is named that the arguments could go to");
    }
    rc = source_check_args(args, strlen(args), err);
    if (rc != CWM_OK) {
        return rc;
    }
    if (job->wrap_main) {
        defs = source_defs(t->source, &n);
        rc = wrap_main(t, job, defs[def].qualname, err);
        if (rc == CWM_OK) {
            rc = source_entry(t->source, "main", &def, err);
        }
        if (rc != CWM_OK) {
            return rc;
        }
        args = "";
    }
    defs = source_defs(t->source, &n);
    plan->entry = def < 0 ? NULL : defs[def].qualname;
    plan->entry_line = def < 0 ? 0 : defs[def].def_line;
    plan->args = args;
    return CWM_OK;
}

static enum cwm_rc make_context(struct tracer *t, const struct plan *plan,
                                struct cwm_err *err)
{
    uint32_t line =
        plan->entry ? plan->entry_line : source_first_code_line(t->source);

    t->context_line = line;
    return line > 0 ? source_context(t->source, line, &t->context, err)
                    : CWM_OK;
}

/* ---- running ---- */

static enum cwm_rc write_request(struct tracer *t, const struct plan *plan,
                                 struct cwm_err *err)
{
    const struct trace_limits *limits = &plan->job->limits;
    struct trace_request request = {
        .seed = plan->job->seed,
        .max_frames = limits->max_frames,
        .max_trace_bytes = limits->max_trace_bytes,
        .max_value_bytes = limits->max_value_bytes,
        .max_output_bytes = limits->max_output_bytes,
        .entry_line = plan->entry_line,
        .traced = plan->traced && !t->plain,
        .max_text_events = limits->timeout_ms * TEXT_EVENTS_PER_MS,
        .entry = plan->entry ? plan->entry : "",
        .args = plan->args,
    };
    bool differs = false;
    enum cwm_rc rc = CWM_OK;

    request.source = source_text(t->source, &request.source_len);
    request.entry_len = strlen(request.entry);
    request.args_len = strlen(request.args);
    if (plan->entry) {
        rc = source_without_main_guard(t->source, &t->compiled, &differs, err);
    }
    if (rc == CWM_OK && differs) {
        request.compiled = t->compiled.data;
        request.compiled_len = t->compiled.len;
    }
    return rc == CWM_OK ? trace_request_write(&request, &t->request, err) : rc;
}

static enum cwm_rc read_nothing(struct tracer *t, struct cwm_err *err)
{
    static const uint8_t empty[TRACE_SHARED_HEADER_BYTES] = TRACE_SHARED_MAGIC;

    return trace_reader_new(empty, sizeof empty, 0, &t->reader, err);
}

/* Run what t->request holds. */
static enum cwm_rc run_request(struct tracer *t,
                               const struct trace_limits *limits,
                               const void *stdin_data, size_t stdin_len,
                               const volatile int *cancel,
                               struct sandbox_verdict *kernel,
                               struct cwm_err *err)
{
    struct sandbox_limits walls = {
        .cpu_ms = limits->timeout_ms,
        .wall_ms =
            limits->wall_ms ? limits->wall_ms : 2 * limits->timeout_ms + 1000,
        .memory_bytes = limits->memory_mb << 20,
        .disk_bytes = limits->disk_mb << 20,
        .disk_files = MAX_FILES,
        .output_bytes = limits->max_output_bytes,
        .tasks = MAX_TASKS,
        .open_files = MAX_OPEN_FILES,
    };

    return sandbox_run(t->sandbox, t->request.data, t->request.len, stdin_data,
                       stdin_len, &walls, cancel, kernel, &t->out, &t->err_out,
                       err);
}

static enum cwm_rc run_plan(struct tracer *t, const struct plan *plan,
                            const volatile int *cancel,
                            struct sandbox_verdict *kernel, struct cwm_err *err)
{
    const struct trace_job *job = plan->job;
    const struct trace_limits *limits = &job->limits;
    const uint8_t *shared;
    size_t len;
    enum cwm_rc rc = write_request(t, plan, err);

    if (rc == CWM_OK) {
        rc = run_request(t, limits, job->stdin_data, job->stdin_len, cancel,
                         kernel, err);
    }
    if (rc == CWM_OK) {
        shared = sandbox_shared(t->sandbox, &len);
        rc = trace_reader_new_within(shared, len, t->source,
                                     limits->max_trace_bytes, &t->reader, err);
    }
    if (rc == CWM_OK) {
        t->records = trace_reader_records(t->reader, &t->records_len);
    }
    return rc;
}

/* ---- the verdict ---- */

/* What the kernel says; false: it ended by itself. */
static bool judge_kernel(struct tracer *t, const struct sandbox_verdict *kernel,
                         enum trace_verdict *verdict)
{
    const char *signal_name;

    switch (kernel->end) {
    case SANDBOX_END_EXITED:
        return false;
    case SANDBOX_END_SIGNALLED:
        *verdict = TRACE_VERDICT_CRASH;
        signal_name = sigabbrev_np(kernel->code);
        if (signal_name) {
            snprintf(t->detail, sizeof t->detail, "SIG%s", signal_name);
        } else {
            snprintf(t->detail, sizeof t->detail, "signal %d", kernel->code);
        }
        return true;
    case SANDBOX_END_CPU_TIME:
        *verdict = TRACE_VERDICT_TIMEOUT;
        set_detail(t, "cpu time", strlen("cpu time"));
        return true;
    case SANDBOX_END_WALL_TIME:
        *verdict = TRACE_VERDICT_TIMEOUT;
        set_detail(t, "wall time", strlen("wall time"));
        return true;
    case SANDBOX_END_MEMORY:
        *verdict = TRACE_VERDICT_MEMORY;
        return true;
    case SANDBOX_END_OUTPUT:
        *verdict = TRACE_VERDICT_OUTPUT_LIMIT;
        return true;
    case SANDBOX_END_DENIED:
        *verdict = TRACE_VERDICT_DENIED;
        return true;
    }
    return false;
}

/* It ended without an END record. */
static enum trace_verdict judge_silence(struct tracer *t,
                                        const struct trace_end *end, int code)
{
    if (end->damaged) {
        snprintf(t->detail, sizeof t->detail, "the trace was damaged: %s",
                 end->damage);
        return TRACE_VERDICT_CRASH;
    }
    snprintf(t->detail, sizeof t->detail, "%d", code);
    return TRACE_VERDICT_EXIT;
}

static enum trace_verdict judge_end(struct tracer *t,
                                    const struct trace_end *end,
                                    const struct sandbox_verdict *kernel,
                                    struct trace_result *result)
{
    if (end->detail) {
        set_detail(t, (const char *)end->detail, end->detail_len);
    }
    switch (end->reason) {
    case TRACE_END_NONE:
        return judge_silence(t, end, kernel->code);
    case TRACE_END_OK:
        return TRACE_VERDICT_OK;
    case TRACE_END_EXCEPTION:
    case TRACE_END_MODULE_EXCEPTION:
        return TRACE_VERDICT_EXCEPTION;
    case TRACE_END_EXIT:
        return TRACE_VERDICT_EXIT;
    case TRACE_END_FRAME_LIMIT:
        return TRACE_VERDICT_FRAME_LIMIT;
    case TRACE_END_BYTE_LIMIT:
        return TRACE_VERDICT_BYTE_LIMIT;
    case TRACE_END_OUTPUT_LIMIT:
        return TRACE_VERDICT_OUTPUT_LIMIT;
    case TRACE_END_SYNTAX_ERROR:
        if (sscanf(t->detail, "%9u:%9u", &result->error_line,
                   &result->error_column) < 1) {
            result->error_line = 0;
        }
        return TRACE_VERDICT_SYNTAX_ERROR;
    case TRACE_END_NO_ENTRY:
        return TRACE_VERDICT_NO_ENTRY;
    case TRACE_END_BAD_ARGS:
        return TRACE_VERDICT_BAD_ARGS;
    case TRACE_END_MEMORY:
        return TRACE_VERDICT_MEMORY;
    case TRACE_END_TEXT_LIMIT:
        set_detail(t, "texts of values", strlen("texts of values"));
        return TRACE_VERDICT_TIMEOUT;
    case TRACE_END_INTERNAL:
        result->tracer_failed = true;
        return TRACE_VERDICT_CRASH;
    }
    return TRACE_VERDICT_CRASH;
}

bool trace_result_is_steady(const struct trace_result *result)
{
    enum sandbox_end end = result->kernel.end;

    if (result->verdict == TRACE_VERDICT_BYTE_LIMIT) {
        return true; /* the text was cut, whatever came later */
    }
    return result->verdict != TRACE_VERDICT_MEMORY &&
           end != SANDBOX_END_CPU_TIME && end != SANDBOX_END_WALL_TIME &&
           end != SANDBOX_END_OUTPUT;
}

static void judge(struct tracer *t, struct trace_result *result)
{
    const struct trace_end *end = trace_reader_end(t->reader);

    if (end->is_text_cut) {
        result->verdict = TRACE_VERDICT_BYTE_LIMIT; /* whatever came later */
    } else if (!judge_kernel(t, &result->kernel, &result->verdict)) {
        result->verdict = judge_end(t, end, &result->kernel, result);
    }
}

/*
 * There is no such entry, as far as tree-sitter sees.  Where it also sees a
 * syntax error the interpreter has to decide which of the two it is: it gets
 * the text, and nothing is traced.
 */
static enum cwm_rc settle_no_entry(struct tracer *t,
                                   const struct trace_job *job,
                                   const struct cwm_err *why,
                                   const volatile int *cancel,
                                   struct trace_result *result,
                                   struct cwm_err *err)
{
    struct plan probe = {.job = job, .entry = "", .args = "", .entry_line = 1};
    enum cwm_rc rc = CWM_OK;

    if (source_syntax_error(t->source)) {
        rc = run_plan(t, &probe, cancel, &result->kernel, err);
        if (rc == CWM_OK) {
            judge(t, result);
            if (result->verdict == TRACE_VERDICT_SYNTAX_ERROR) {
                return CWM_OK;
            }
        }
        memset(&result->kernel, 0, sizeof result->kernel);
        trace_reader_free(t->reader);
        t->reader = NULL;
        t->records = NULL;
        t->records_len = 0;
        cwm_buf_clear(&t->out);
        cwm_buf_clear(&t->err_out);
    }
    result->verdict = TRACE_VERDICT_NO_ENTRY;
    set_detail_from(t, why);
    return rc == CWM_OK ? read_nothing(t, err) : rc;
}

/* A job that comes to nothing before it is run. */
static enum cwm_rc settle(struct tracer *t, enum trace_verdict verdict,
                          const struct cwm_err *why,
                          struct trace_result *result, struct cwm_err *err)
{
    result->verdict = verdict;
    set_detail_from(t, why);
    return read_nothing(t, err);
}

static void fill_summary(struct tracer *t, const struct trace_job *job,
                         const char *entry, struct trace_result *result)
{
    struct trace_summary *s = &result->summary;

    s->id = job->id;
    s->verdict = trace_verdict_text(result->verdict);
    s->detail = t->detail[0] ? t->detail : NULL;
    s->python = tracer_python(t);
    s->entry = entry;
    if (t->context.len > 0) {
        s->context = t->context.data;
        s->context_len = t->context.len;
    } else {
        s->context = source_text(t->source, &s->context_len);
    }
    s->stdout_data = (const uint8_t *)(t->out.data ? t->out.data : "");
    s->stdout_len = t->out.len;
    s->stderr_data = (const uint8_t *)(t->err_out.data ? t->err_out.data : "");
    s->stderr_len = t->err_out.len;
    result->source = t->source;
    result->reader = t->reader;
    result->records = t->records;
    result->records_len = t->records_len;
    result->context_line = t->context_line;
}

/*
 * A name may be defined in each branch of an `if`; the plan has the last one.
 * Which one was called says the first frame: the context's marker follows it.
 */
static enum cwm_rc follow_entry(struct tracer *t, struct plan *plan,
                                struct cwm_err *err)
{
    struct trace_frame frame = {.line = 0};
    bool more = false;
    size_t n;
    const struct source_def *defs = source_defs(t->source, &n);
    enum cwm_rc rc = trace_reader_next(t->reader, &frame, &more, err);

    trace_reader_rewind(t->reader);
    if (rc != CWM_OK || !more || frame.event != TRACE_CALL) {
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        const struct source_def *d = &defs[i];

        if (d->def_line != plan->entry_line && d->first_line <= frame.line &&
            frame.line <= d->def_line &&
            strcmp(d->qualname, plan->entry) == 0) {
            plan->entry_line = d->def_line;
            cwm_buf_clear(&t->context);
            return make_context(t, plan, err);
        }
    }
    return CWM_OK;
}

/* With t->source there: find the entry, run, judge. */
static enum cwm_rc run_source(struct tracer *t, const struct trace_job *job,
                              const volatile int *cancel,
                              struct trace_result *result,
                              const char **ret_entry, struct cwm_err *err)
{
    struct plan plan = {.job = job, .args = "", .traced = true};
    struct cwm_err why = {.code = CWM_OK};
    enum cwm_rc rc = make_plan(t, job, &plan, &why);

    if (rc == CWM_USAGE) {
        return settle_no_entry(t, job, &why, cancel, result, err);
    }
    if (is_about_the_text(rc)) {
        return settle(t, TRACE_VERDICT_BAD_ARGS, &why, result, err);
    }
    if (rc != CWM_OK) {
        return CWM_FAIL(err, rc, "%s", why.message);
    }
    *ret_entry = plan.entry;
    if (!plan.entry && source_first_code_line(t->source) == 0) {
        plan.traced = false; /* no line that a frame could stand on */
    }
    rc = make_context(t, &plan, err);
    if (rc == CWM_OK) {
        rc = run_plan(t, &plan, cancel, &result->kernel, err);
    }
    if (rc == CWM_OK && plan.entry) {
        rc = follow_entry(t, &plan, err);
    }
    if (rc == CWM_OK) {
        judge(t, result);
    }
    return rc;
}

enum cwm_rc tracer_run(struct tracer *t, const struct trace_job *job,
                       const volatile int *cancel,
                       struct trace_result *ret_result, struct cwm_err *err)
{
    struct trace_result result = {.verdict = TRACE_VERDICT_OK};
    struct cwm_err why = {.code = CWM_OK};
    const char *entry = NULL;
    enum cwm_rc rc;

    forget_run(t);
    if (job->limits.max_trace_bytes > t->max_trace_bytes) {
        return CWM_FAIL(err, CWM_LIMIT,
                        "cannot record %llu bytes: the tracer was opened for "
                        "%llu",
                        (unsigned long long)job->limits.max_trace_bytes,
                        (unsigned long long)t->max_trace_bytes);
    }
    rc = job->is_text ? source_new_text(job->source, job->source_len, job->name,
                                        &t->source, &why)
                      : source_new(job->source, job->source_len, job->name,
                                   &t->source, &why);
    if (rc == CWM_OK) {
        rc = run_source(t, job, cancel, &result, &entry, err);
    } else if (is_about_the_text(rc)) {
        result.undecodable = true;
        rc = source_new("", 0, job->name, &t->source, err);
        if (rc == CWM_OK) {
            rc = settle(t, TRACE_VERDICT_SYNTAX_ERROR, &why, &result, err);
        }
    } else {
        rc = CWM_FAIL(err, rc, "%s", why.message);
    }
    if (rc != CWM_OK) {
        forget_run(t);
        return rc;
    }
    fill_summary(t, job, entry, &result);
    *ret_result = result;
    return CWM_OK;
}

enum cwm_rc tracer_drop_frames(struct tracer *t, struct trace_result *result,
                               struct cwm_err *err)
{
    static const char why[] = "the text of the frames is too large";

    trace_reader_free(t->reader);
    t->reader = NULL;
    set_detail(t, why, strlen(why));
    result->verdict = TRACE_VERDICT_BYTE_LIMIT;
    result->reader = NULL;
    result->records = NULL;
    result->records_len = 0;
    result->summary.verdict = trace_verdict_text(result->verdict);
    result->summary.detail = t->detail;
    if (read_nothing(t, err) != CWM_OK) {
        return CWM_NOMEM;
    }
    result->reader = t->reader;
    return CWM_OK;
}

enum cwm_rc tracer_run_request(struct tracer *t,
                               const struct trace_request *request,
                               const struct trace_limits *limits,
                               const volatile int *cancel,
                               struct sandbox_verdict *ret_kernel,
                               const uint8_t **ret_shared, size_t *ret_len,
                               struct cwm_err *err)
{
    enum cwm_rc rc;

    forget_run(t);
    rc = trace_request_write(request, &t->request, err);
    if (rc == CWM_OK) {
        rc = run_request(t, limits, NULL, 0, cancel, ret_kernel, err);
    }
    if (rc == CWM_OK) {
        *ret_shared = sandbox_shared(t->sandbox, ret_len);
    }
    return rc;
}

void tracer_printed(const struct tracer *t, struct cwm_buf ret_both[2])
{
    ret_both[0] = t->out;
    ret_both[1] = t->err_out;
}
