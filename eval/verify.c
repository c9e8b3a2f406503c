/* SPDX-License-Identifier: MIT */
/*
 * verify.c -- lines through a pipeline of tracers to scores.
 *
 * read: one line.  work: trace its job, read its prediction, score it.  write:
 * add the score to the sums, hand over the line's record.
 */
#include "eval/verify.h"

#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "cwm/base/json_in.h"
#include "cwm/base/lines.h"
#include "cwm/base/pipeline.h"
#include "tracer/job_read.h"
#include "tracer/tracer_slot.h"

enum {
    WINDOW = 256,            /* lines that may be ahead of the oldest one */
    BUDGET_BYTES = 64 << 20, /* of lines and records that wait */
    MAX_REASON_BYTES = 100
};

/* A longer line is none; predictions may be megabytes. */
#define MAX_LINE_BYTES ((size_t)256 << 20)

/* What work() tells write(), besides the text. */
struct note {
    bool is_bad; /* out is a message */
    bool scored;
    bool tracer_failed;
    bool checked; /* static checks */
    bool has_kind[CHECK_N_KINDS];
    struct score_sums sums; /* of this line */
};

struct verifier {
    const struct verify_options *options;
    struct verify_stats *stats;
    struct lines *lines;         /* owned */
    struct tracer_slot *tracers; /* owned, one a thread */
    char *folder;                /* owned: the file's */
};

/* A line taken apart. */
struct parts {
    struct cwm_buf job;        /* the line with an empty prediction */
    struct cwm_buf prediction; /* decoded */
    bool has_prediction;
    bool was_cut;          /* finish_reason says so */
    struct job_line *line; /* owned */
};

/* ---- a prediction and its truth ---- */

enum cwm_rc verify_result(const struct trace_result *result,
                          uint64_t max_frames, const char *text, size_t len,
                          bool was_cut, struct score_sums *sums,
                          struct predicted *ret_predicted,
                          struct predicted *ret_truth,
                          struct trace_score *ret_score, bool *ret_scored,
                          struct cwm_err *err)
{
    const struct trace_end *end = trace_reader_end(result->reader);
    struct score_truth truth = {
        .trace = ret_truth,
        .raised = result->verdict == TRACE_VERDICT_EXCEPTION,
        .is_cut = result->verdict != TRACE_VERDICT_OK &&
                  result->verdict != TRACE_VERDICT_EXCEPTION &&
                  result->verdict != TRACE_VERDICT_EXIT,
        .ran_out = result->verdict == TRACE_VERDICT_TIMEOUT ||
                   result->verdict == TRACE_VERDICT_FRAME_LIMIT ||
                   result->verdict == TRACE_VERDICT_BYTE_LIMIT,
        .max_frames = max_frames,
    };
    enum cwm_rc rc;

    if (end->result) {
        truth.result =
            (struct predicted_text){(const char *)end->result, end->result_len};
    }
    rc = predicted_from_trace(result->reader, result->source, ret_truth, err);
    if (rc == CWM_OK) {
        rc = predicted_parse(text, len, result->summary.context,
                             result->summary.context_len, ret_predicted, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    ret_predicted->was_cut = was_cut;
    *ret_scored = ret_truth->n_frames > 0;
    if (!*ret_scored) {
        return CWM_OK;
    }
    return score_trace(&truth, ret_predicted, sums, ret_score, err);
}

/* ---- a line ---- */

static void parts_release(struct parts *p)
{
    cwm_buf_release(&p->job);
    cwm_buf_release(&p->prediction);
    job_line_free(p->line);
}

/* One member of the line; its value is taken, or passed over. */
static bool take_member(struct json_in *in, struct parts *p,
                        struct cwm_buf *key, size_t *copied)
{
    struct cwm_buf reason;
    bool ok;

    cwm_buf_clear(key);
    if (!json_key(in, key)) {
        return false;
    }
    if (key->len == 10 && memcmp(key->data, "prediction", 10) == 0 &&
        json_peek(in) == '"') {
        /* The job's reader is not troubled with megabytes of it. */
        cwm_buf_add(&p->job, in->text + *copied, in->at - *copied);
        cwm_buf_adds(&p->job, "\"\"");
        cwm_buf_clear(&p->prediction);
        ok = json_string(in, &p->prediction);
        *copied = in->at;
        p->has_prediction = ok;
        return ok;
    }
    if (key->len == 13 && memcmp(key->data, "finish_reason", 13) == 0 &&
        json_peek(in) == '"') {
        cwm_buf_init(&reason, MAX_REASON_BYTES);
        ok = json_string(in, &reason);
        p->was_cut = reason.len == 6 && memcmp(reason.data, "length", 6) == 0;
        cwm_buf_release(&reason);
        return ok;
    }
    return json_skip(in);
}

/* Fails: CWM_USAGE with what is wrong with the line; CWM_NOMEM. */
static enum cwm_rc split_line(const char *text, size_t len, struct parts *p,
                              struct cwm_err *err)
{
    struct json_in in = {.text = text, .len = len};
    struct cwm_buf key;
    size_t copied = 0;
    bool ok;

    cwm_buf_init(&key, len + 1);
    ok = json_open(&in, '{');
    for (bool first = true; ok && json_more(&in, '}', first); first = false) {
        ok = take_member(&in, p, &key, &copied);
    }
    cwm_buf_add(&p->job, text + copied, len - copied);
    cwm_buf_release(&key);
    if (in.failed == CWM_NOMEM || p->job.failed != CWM_OK) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a line");
    }
    if (in.failed != CWM_OK) {
        return CWM_FAIL(err, CWM_USAGE,
                        "not a JSON object: byte %zu is not "
                        "what was expected",
                        in.at);
    }
    return p->has_prediction ? CWM_OK
                             : CWM_FAIL(err, CWM_USAGE,
                                        "the field 'prediction' is not there");
}

static enum cwm_rc parse_line(const struct verifier *v, const char *text,
                              size_t len, struct parts *p, struct cwm_err *err)
{
    enum cwm_rc rc;

    if (len == 0) {
        return CWM_FAIL(err, CWM_USAGE, "longer than %zu bytes",
                        MAX_LINE_BYTES);
    }
    rc = split_line(text, len, p, err);
    return rc == CWM_OK
               ? job_line_new(p->job.data, p->job.len, &v->options->defaults,
                              v->folder, &p->line, err)
               : rc;
}

/* ---- the pipeline's three steps ---- */

static enum cwm_rc read_step(void *ctx, struct pipeline_item *item,
                             bool *ret_more, struct cwm_err *err)
{
    struct verifier *v = ctx;
    struct line line;
    enum cwm_rc rc = lines_next_filled(v->lines, &line, ret_more, err);

    if (rc != CWM_OK || !*ret_more) {
        return rc;
    }
    item->tag = line.number;
    if (line.cut) { /* work() sees by the length that it is too long */
        return cwm_buf_reserve(&item->in, 0);
    }
    cwm_buf_add(&item->in, line.text, line.len);
    return cwm_buf_check(&item->in, "a line", err);
}

static enum cwm_rc score_line(struct verifier *v, unsigned thread,
                              const struct parts *p, struct pipeline_item *item,
                              struct cwm_err *err)
{
    const struct trace_job *job = job_line_job(p->line);
    struct note *note = item->note;
    struct trace_result result;
    struct predicted predicted = {0};
    struct predicted truth = {0};
    struct trace_score score;
    struct verify_record record = {.id = job->id,
                                   .predicted = &predicted,
                                   .full_texts = v->options->full_texts};
    enum cwm_rc rc = tracer_slot_run(&v->tracers[thread], job,
                                     v->options->cancel, &result, err);

    if (rc != CWM_OK) {
        if (rc != CWM_CANCELLED) {
            cwm_err_context(err, "job '%s'", job->id);
        }
        return rc;
    }
    rc = verify_result(&result, job->limits.max_frames,
                       p->prediction.data ? p->prediction.data : "",
                       p->prediction.len, p->was_cut, &note->sums, &predicted,
                       &truth, &score, &note->scored, err);
    if (rc == CWM_OK) {
        note->tracer_failed = result.tracer_failed;
        record.verdict = result.summary.verdict;
        record.detail = result.summary.detail;
        record.score = note->scored ? &score : NULL;
        verify_put_record(&record, &item->out);
        cwm_buf_addc(&item->out, '\n');
        rc = cwm_buf_check(&item->out, "a line's scores", err);
    }
    predicted_release(&predicted);
    predicted_release(&truth);
    return rc;
}

/* Fails: CWM_USAGE with what is wrong with the program; CWM_NOMEM. */
static enum cwm_rc check_line(const struct parts *p, struct pipeline_item *item,
                              struct cwm_err *err)
{
    const struct trace_job *job = job_line_job(p->line);
    struct note *note = item->note;
    struct check_input input = {
        .program = job->source,
        .program_len = job->source_len,
        .is_text = job->is_text,
        .name = job->name,
        .entry = job->entry,
        .args = job->args,
        .wrap_main = job->wrap_main,
        .text = p->prediction.data ? p->prediction.data : "",
        .text_len = p->prediction.len,
    };
    struct predicted predicted = {0};
    struct check_result result;
    enum cwm_rc rc = check_trace(&input, &predicted, &result, err);

    if (rc == CWM_OK) {
        note->checked = true;
        for (int i = 0; i < CHECK_N_KINDS; i++) {
            note->has_kind[i] = result.n_of_kind[i] > 0;
        }
        verify_put_check(job->id, &predicted, &result, &item->out);
        cwm_buf_addc(&item->out, '\n');
        rc = cwm_buf_check(&item->out, "a line's problems", err);
    } else if (rc == CWM_FORMAT || rc == CWM_LIMIT) {
        rc = CWM_USAGE; /* of the line, not of ours */
    }
    predicted_release(&predicted);
    return rc;
}

static enum cwm_rc work_step(void *ctx, unsigned thread,
                             struct pipeline_item *item, struct cwm_err *err)
{
    struct verifier *v = ctx;
    struct note *note = item->note;
    struct cwm_err why = {.code = CWM_OK};
    struct parts p = {.line = NULL};
    enum cwm_rc rc;

    cwm_buf_init(&p.job, MAX_LINE_BYTES + 1);
    cwm_buf_init(&p.prediction, MAX_LINE_BYTES + 1);
    rc = parse_line(v, item->in.data, item->in.len, &p, &why);
    if (rc == CWM_OK && v->options->is_static) {
        rc = check_line(&p, item, &why);
    } else if (rc == CWM_OK) {
        rc = score_line(v, thread, &p, item, err);
        parts_release(&p);
        return rc;
    }
    if (rc == CWM_USAGE) {
        note->is_bad = true;
        cwm_buf_adds(&item->out, why.message);
        rc = cwm_buf_check(&item->out, "a message", err);
    } else if (rc != CWM_OK) {
        rc = CWM_FAIL(err, rc, "%s", why.message);
    }
    parts_release(&p);
    return rc;
}

static void count_check(struct verify_stats *stats, const struct note *note)
{
    bool is_sound = note->checked;

    for (int i = 0; i < CHECK_N_KINDS; i++) {
        stats->n_with_kind[i] += note->has_kind[i];
        is_sound = is_sound && !note->has_kind[i];
    }
    stats->n_checked += note->checked;
    stats->n_sound += is_sound;
}

static enum cwm_rc write_step(void *ctx, struct pipeline_item *item,
                              struct cwm_err *err)
{
    struct verifier *v = ctx;
    struct verify_stats *stats = v->stats;
    const struct note *note = item->note;
    struct cwm_buf json;
    enum cwm_rc rc;

    stats->n_lines++;
    stats->n_bad_lines += note->is_bad;
    stats->n_scored += note->scored;
    stats->n_no_trace += !note->is_bad && !note->checked && !note->scored;
    count_check(stats, note);
    stats->n_tracer_failed += note->tracer_failed;
    score_add(&stats->sums, &note->sums);
    if (!note->is_bad) {
        rc = v->options->on_line(v->options->ctx, item->tag, item->out.data,
                                 item->out.len, NULL, err);
    } else {
        cwm_buf_init(&json, SIZE_MAX / 2);
        cwm_buf_addf(&json, "{\"id\": null, \"line\": %llu, \"error\": ",
                     (unsigned long long)item->tag);
        cwm_buf_add_json(&json, item->out.data, strcspn(item->out.data, "\n"));
        cwm_buf_adds(&json, ", \"scores\": null}\n");
        rc = cwm_buf_check(&json, "a message", err);
        if (rc == CWM_OK) {
            rc = v->options->on_line(v->options->ctx, item->tag, json.data,
                                     json.len, item->out.data, err);
        }
        cwm_buf_release(&json);
    }
    v->options->on_progress(v->options->ctx, stats);
    return rc;
}

static void tick_step(void *ctx)
{
    struct verifier *v = ctx;

    v->options->on_progress(v->options->ctx, v->stats);
}

/* ---- set-up ---- */

static enum cwm_rc open_all(struct verifier *v, struct cwm_err *err)
{
    const char *path = v->options->path;
    const char *slash = strrchr(path, '/');
    unsigned n = v->options->n_workers;
    enum cwm_rc rc =
        lines_open(path, MAX_LINE_BYTES, v->options->cancel, &v->lines, err);

    if (rc == CWM_IO) { /* the file that was named cannot be used */
        if (err) {
            err->code = CWM_USAGE;
        }
        return CWM_USAGE;
    }
    if (rc != CWM_OK) {
        return rc;
    }
    v->folder =
        slash ? cwm_strndup(path, (size_t)(slash - path) + 1) : cwm_strdup("");
    if (!v->folder) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
    }
    if (v->options->is_static) {
        return CWM_OK;
    }
    rc = tracer_slots_new(&v->options->tracer, n, &v->tracers, err);
    if (rc == CWM_OK) {
        rc = tracer_slot_need(&v->tracers[0], 0, err);
    }
    if (rc == CWM_OK) {
        snprintf(v->stats->python, sizeof v->stats->python, "%s",
                 tracer_python(v->tracers[0].tracer));
    }
    return rc;
}

static void close_all(struct verifier *v)
{
    tracer_slots_free(v->tracers, v->options->n_workers);
    cwm_free(v->folder);
    lines_close(v->lines);
}

enum cwm_rc verify_run(const struct verify_options *options,
                       struct verify_stats *stats, struct cwm_err *err)
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
        .max_item_bytes = 2 * MAX_LINE_BYTES,
        .note_bytes = sizeof(struct note),
        .cancel = options->cancel,
    };
    struct verifier v = {.options = options, .stats = stats};
    enum cwm_rc rc;

    memset(stats, 0, sizeof *stats);
    rc = open_all(&v, err);
    if (rc == CWM_OK) {
        rc = pipeline_run(&how, &steps, &v, err);
    }
    close_all(&v);
    return rc;
}
