/* SPDX-License-Identifier: MIT */
/*
 * jobs.c -- lines through a pipeline of tracers to records.
 *
 * read: one line.  work: parse it, trace it, render it.  write: add the
 * record, or tell that the line was no job.
 */
#include "tracer/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "cwm/base/lines.h"
#include "cwm/base/pipeline.h"
#include "tracer/job_read.h"
#include "tracer/jobs_out.h"
#include "tracer/tracer_slot.h"

enum {
    /* Jobs that may be ahead of the oldest one: enough for the others to go
     * on while one takes its whole 5 s. */
    WINDOW = 2048,
    BUDGET_BYTES = 64 << 20, /* of lines and records that wait */
    ERROR_LINE_BYTES = 1024
};

/* Some programs put it before a file that others call UTF-8. */
static const char byte_order_mark[] = "\xEF\xBB\xBF";

/* What work() tells write(), besides the text. */
struct note {
    bool bad_line; /* out is a message, no record */
    bool tracer_failed;
    enum trace_verdict verdict;
    uint64_t n_frames;
};

struct jobs {
    const struct jobs_options *options;
    struct jobs_stats *stats;
    struct lines *lines;         /* owned */
    struct jobs_out *out;        /* owned */
    struct tracer_slot *tracers; /* owned, one a thread */
    char *folder;                /* owned: the jobs file's */
};

/* ---- lines ---- */

static enum cwm_rc parse_line(const struct jobs *j, const char *text,
                              size_t len, bool cut, struct job_line **ret_job,
                              struct cwm_err *err)
{
    if (cut) {
        return CWM_FAIL(err, CWM_USAGE, "longer than %lu bytes",
                        JOBS_MAX_LINE_BYTES);
    }
    if (len >= 3 && memcmp(text, byte_order_mark, 3) == 0) {
        text += 3;
        len -= 3;
    }
    return job_line_new(text, len, &j->options->defaults, j->folder, ret_job,
                        err);
}

/* FNV-1a: tells that a file changed; nobody attacks it. */
static uint64_t hash_more(uint64_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001B3U;
    }
    return (hash ^ '\n') * 0x100000001B3U;
}

/* Read the jobs once to count and to hash them; a file only. */
static enum cwm_rc survey(const struct jobs *j, uint64_t *n, uint64_t *hash,
                          struct cwm_err *err)
{
    struct lines *lines = NULL;
    struct line line;
    bool more = true;
    enum cwm_rc rc = lines_open(j->options->jobs_path, JOBS_MAX_LINE_BYTES,
                                j->options->cancel, &lines, err);

    *hash = 0xCBF29CE484222325U;
    *n = 0;
    while (rc == CWM_OK && more) {
        rc = lines_next_filled(lines, &line, &more, err);
        if (rc == CWM_OK && more) {
            *hash = hash_more(*hash, line.text, line.len);
            ++*n;
        }
    }
    lines_close(lines);
    return rc;
}

/* ---- the pipeline's three steps ---- */

static enum cwm_rc read_step(void *ctx, struct pipeline_item *item,
                             bool *ret_more, struct cwm_err *err)
{
    struct jobs *j = ctx;
    struct line line;
    enum cwm_rc rc = lines_next_filled(j->lines, &line, ret_more, err);

    if (rc != CWM_OK || !*ret_more) {
        return rc;
    }
    item->tag = line.number;
    if (line.cut) { /* work() sees by the length that it is too long */
        return cwm_buf_reserve(&item->in, 0);
    }
    cwm_buf_add(&item->in, line.text, line.len);
    return cwm_buf_check(&item->in, "a job", err);
}

static enum cwm_rc render(struct jobs *j, unsigned thread,
                          struct trace_result *result, struct cwm_buf *out,
                          struct cwm_err *err)
{
    struct render_options how = {.full_locals = j->options->full_locals};
    enum cwm_rc rc = render_json(result->reader, result->source,
                                 &result->summary, &how, out, err);

    if (rc != CWM_LIMIT) {
        return rc;
    }
    cwm_buf_clear(out);
    rc = tracer_drop_frames(j->tracers[thread].tracer, result, err);
    return rc == CWM_OK ? render_json(result->reader, result->source,
                                      &result->summary, &how, out, err)
                        : rc;
}

static enum cwm_rc work_step(void *ctx, unsigned thread,
                             struct pipeline_item *item, struct cwm_err *err)
{
    struct jobs *j = ctx;
    struct note *note = item->note;
    struct job_line *line = NULL; /* owned */
    struct cwm_err why = {.code = CWM_OK};
    struct trace_result result;
    enum cwm_rc rc = parse_line(j, item->in.data, item->in.len,
                                item->in.len == 0, &line, &why);

    if (rc == CWM_USAGE) {
        note->bad_line = true;
        cwm_buf_adds(&item->out, why.message);
        return cwm_buf_check(&item->out, "a message", err);
    }
    if (rc != CWM_OK) {
        return CWM_FAIL(err, rc, "%s", why.message);
    }
    rc = tracer_slot_run(&j->tracers[thread], job_line_job(line),
                         j->options->cancel, &result, err);
    if (rc != CWM_OK && rc != CWM_CANCELLED) {
        cwm_err_context(err, "job '%s'", job_line_job(line)->id);
    }
    if (rc == CWM_OK) {
        rc = render(j, thread, &result, &item->out, err);
    }
    if (rc == CWM_OK) {
        note->verdict = result.verdict;
        note->tracer_failed = result.tracer_failed;
        note->n_frames = trace_reader_end(result.reader)->n_frames;
    }
    job_line_free(line);
    return rc;
}

static enum cwm_rc write_step(void *ctx, struct pipeline_item *item,
                              struct cwm_err *err)
{
    struct jobs *j = ctx;
    struct jobs_stats *stats = j->stats;
    const struct note *note = item->note;
    enum cwm_rc rc = CWM_OK;

    if (note->bad_line) {
        stats->n_bad_lines++;
        j->options->on_bad_line(j->options->ctx, item->tag, item->out.data);
    } else {
        rc = jobs_out_add(j->out, item->out.data, item->out.len, err);
        if (rc == CWM_OK) {
            stats->n_written++;
            stats->n_frames += note->n_frames;
            stats->n_tracer_failed += note->tracer_failed;
            stats->n_verdicts[note->verdict]++;
        }
    }
    if (rc == CWM_OK) {
        stats->n_passed++;
        j->options->on_progress(j->options->ctx, stats);
    }
    return rc;
}

static void tick_step(void *ctx)
{
    struct jobs *j = ctx;

    j->options->on_progress(j->options->ctx, j->stats);
}

/* ---- going on ---- */

/* The next line that is a job; bad ones are told on the way. */
static enum cwm_rc next_job_id(struct jobs *j, struct job_line **ret_job,
                               struct cwm_err *err)
{
    *ret_job = NULL;
    for (;;) {
        struct cwm_err why = {.code = CWM_OK};
        struct line line;
        bool more = false;
        enum cwm_rc rc = lines_next_filled(j->lines, &line, &more, err);

        if (rc != CWM_OK || !more) {
            return rc;
        }
        j->stats->n_passed++;
        rc = parse_line(j, line.text, line.len, line.cut, ret_job, &why);
        if (rc == CWM_OK) {
            return CWM_OK;
        }
        if (rc != CWM_USAGE) {
            return CWM_FAIL(err, rc, "%s", why.message);
        }
        j->stats->n_bad_lines++;
        j->options->on_bad_line(j->options->ctx, line.number, why.message);
    }
}

/* Pass over the jobs whose records are there; they must be the same ones. */
static enum cwm_rc pass_over(struct jobs *j, struct cwm_err *err)
{
    const char *id = NULL;
    bool more = false;
    enum cwm_rc rc;

    while ((rc = jobs_out_next_id(j->out, &id, &more, err)) == CWM_OK && more) {
        struct job_line *job = NULL;

        rc = next_job_id(j, &job, err);
        if (rc == CWM_OK && (!job || strcmp(job_line_job(job)->id, id) != 0)) {
            rc = CWM_FAIL(err, CWM_USAGE,
                          "cannot go on with '%s': record %llu is of job "
                          "'%.80s', where the jobs have %s%.80s%s\ngive "
                          "--overwrite to start anew, or another -o",
                          j->options->out_path,
                          (unsigned long long)j->stats->n_there + 1, id,
                          job ? "'" : "", job ? job_line_job(job)->id : "none",
                          job ? "'" : "");
        }
        job_line_free(job);
        if (rc != CWM_OK) {
            return rc;
        }
        j->stats->n_there++;
    }
    return rc;
}

/* ---- set-up ---- */

static bool is_regular_file(const char *path)
{
    struct stat st;

    return strcmp(path, "-") != 0 && stat(path, &st) == 0 &&
           S_ISREG(st.st_mode);
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat x;
    struct stat y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

static enum cwm_rc open_out(struct jobs *j, struct cwm_err *err)
{
    const struct jobs_options *o = j->options;
    struct jobs_stamp stamp = {.tool = o->tool_version};
    char options[512];
    char jobs[32] = "-";
    uint64_t n_lines = 0;
    uint64_t hash = 0;
    size_t used;
    enum cwm_rc rc = CWM_OK;

    if (o->out_path && is_same_file(o->jobs_path, o->out_path)) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot write the records over the jobs, '%s'",
                        o->out_path);
    }
    if (is_regular_file(o->jobs_path) && (o->out_path || o->count_lines)) {
        rc = survey(j, &n_lines, &hash, err);
        j->stats->n_lines = n_lines;
        snprintf(jobs, sizeof jobs, "%016llx", (unsigned long long)hash);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    used =
        (size_t)snprintf(options, sizeof options, "seed %llu full_locals %d",
                         (unsigned long long)o->defaults.seed, o->full_locals);
#define TRACE_LIMIT_STAMP(field, option, fallback, min, max, in_bytes, what)   \
    used += (size_t)snprintf(options + used, sizeof options - used,            \
                             " " #field " %llu",                               \
                             (unsigned long long)o->defaults.limits.field);
    TRACE_LIMIT_TABLE(TRACE_LIMIT_STAMP)
#undef TRACE_LIMIT_STAMP
    stamp.python = tracer_python(j->tracers[0].tracer);
    stamp.options = options;
    stamp.jobs = jobs;
    return jobs_out_open(o->out_path, o->overwrite, &stamp, &j->out, err);
}

static enum cwm_rc open_jobs(struct jobs *j, struct cwm_err *err)
{
    const char *path = j->options->jobs_path;
    const char *slash = strrchr(path, '/');

    j->folder =
        slash ? cwm_strndup(path, (size_t)(slash - path) + 1) : cwm_strdup("");
    if (!j->folder) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
    }
    return lines_open(path, JOBS_MAX_LINE_BYTES, j->options->cancel, &j->lines,
                      err);
}

static enum cwm_rc open_all(struct jobs *j, struct cwm_err *err)
{
    unsigned n = j->options->n_workers;
    enum cwm_rc rc = open_jobs(j, err);

    if (rc == CWM_IO) { /* the file that was named cannot be used */
        if (err) {
            err->code = CWM_USAGE;
        }
        return CWM_USAGE;
    }
    if (rc != CWM_OK) {
        return rc;
    }
    rc = tracer_slots_new(&j->options->tracer, n, &j->tracers, err);
    if (rc == CWM_OK) {
        rc = tracer_slot_need(&j->tracers[0], 0, err);
    }
    if (rc == CWM_OK) {
        snprintf(j->stats->python, sizeof j->stats->python, "%s",
                 tracer_python(j->tracers[0].tracer));
        j->stats->missing_walls = tracer_missing(j->tracers[0].tracer);
        rc = open_out(j, err);
    }
    return rc;
}

static void close_all(struct jobs *j)
{
    tracer_slots_free(j->tracers, j->options->n_workers);
    cwm_free(j->folder);
    jobs_out_close(j->out);
    lines_close(j->lines);
}

/* Stand where the first job without a record is. */
static enum cwm_rc go_on(struct jobs *j, struct cwm_err *err)
{
    struct job_line *job = NULL;
    bool all_there = false;
    enum cwm_rc rc = pass_over(j, err);

    if (rc == CWM_OK && jobs_out_must_be_complete(j->out)) {
        rc = next_job_id(j, &job, err);
        all_there = !job;
        job_line_free(job);
    }
    return rc == CWM_OK ? jobs_out_start(j->out, all_there, err) : rc;
}

enum cwm_rc jobs_run(const struct jobs_options *options,
                     struct jobs_stats *stats, struct cwm_err *err)
{
    static const struct pipeline_ops steps = {
        .read = read_step,
        .work = work_step,
        .write = write_step,
        .tick = tick_step,
    };
    struct pipeline_options how = {
        .n_threads = options->n_workers,
        .window = WINDOW,
        .budget_bytes = BUDGET_BYTES,
        .max_item_bytes = JOBS_MAX_RECORD_BYTES,
        .note_bytes = sizeof(struct note),
        .cancel = options->cancel,
    };
    struct jobs j = {.options = options, .stats = stats};
    enum cwm_rc rc;

    memset(stats, 0, sizeof *stats);
    rc = open_all(&j, err);
    if (rc == CWM_OK) {
        rc = go_on(&j, err);
    }
    if (rc == CWM_OK) {
        rc = pipeline_run(&how, &steps, &j, err);
    }
    if (rc == CWM_OK) {
        rc = jobs_out_complete(j.out, err);
    }
    stats->complete = rc == CWM_OK;
    close_all(&j);
    return rc;
}
