/* SPDX-License-Identifier: MIT */
/* cmd_train_run.c -- the steps of a run: what is logged, shown, saved. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/cancel.h"
#include "cwm/base/io.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_train.h"

enum { MAX_LINE_BYTES = 1024, MAX_PATH_BYTES = 4096 };

#define REDRAW_SECONDS 0.2

/* Of the rate that is shown: how much the last step counts. */
#define RATE_NEWS 0.1

struct session {
    const struct train_run *run;
    int log; /* owned; OUT/log.jsonl; -1 where that is another rank's */
    bool is_terminal;
    bool is_first;     /* of the ranks: it writes and talks */
    bool is_cancelled; /* some rank was told to stop */
    double start, last_drawn;
    double tokens_per_s; /* smoothed; 0 at first */
    uint64_t saved_step; /* of the last state */
    struct loader_position held_out_start;
    struct train_result result;
};

/* ---- log and terminal -----------------------------------------------------
 */

static enum cwm_rc log_line(struct session *s, const struct cwm_buf *line,
                            struct cwm_err *err)
{
    enum cwm_rc rc = cwm_buf_check(line, "a line of the log", err);

    if (s->log < 0) {
        return rc;
    }
    return rc == CWM_OK ? io_write_all(s->log, "log.jsonl", line->data,
                                       line->len, NULL, err)
                        : rc;
}

static enum cwm_rc log_step(struct session *s, const struct train_report *r,
                            double seconds, struct cwm_err *err)
{
    struct cwm_buf line;
    enum cwm_rc rc;

    cwm_buf_init(&line, MAX_LINE_BYTES);
    cwm_buf_addf(&line,
                 "{\"step\": %llu, \"loss\": %.6f, \"norm\": %.4f, \"rate\": "
                 "%.6g, \"tokens\": %llu, \"targets\": %llu, \"epoch\": %llu, "
                 "\"seconds\": %.3f, \"tokens_per_s\": %.0f}\n",
                 (unsigned long long)r->step, r->loss, r->norm, r->rate,
                 (unsigned long long)r->n_tokens,
                 (unsigned long long)r->n_targets, (unsigned long long)r->epoch,
                 seconds, seconds > 0 ? (double)r->n_tokens / seconds : 0.0);
    rc = log_line(s, &line, err);
    cwm_buf_release(&line);
    return rc;
}

static void clear_line(const struct session *s)
{
    static const char clear[] = "\r\033[K";

    if (s->is_terminal) {
        io_write_all(STDERR_FILENO, "standard error", clear, sizeof clear - 1,
                     NULL, NULL);
    }
}

static void show_step(struct session *s, const struct train_report *r)
{
    const struct train_settings *settings = &s->run->trainer->settings;
    double now = cli_now();
    double done = (double)(r->step - s->result.step);
    char left[32];
    char line[MAX_LINE_BYTES];
    int len;

    if (!s->is_terminal || now - s->last_drawn < REDRAW_SECONDS) {
        return;
    }
    cli_seconds((now - s->start) / done * (double)(settings->n_steps - r->step),
                left, sizeof left);
    len = snprintf(line, sizeof line,
                   "\r\033[Kstep %llu/%llu  loss %.4f  %.1f k tokens/s  %s "
                   "left",
                   (unsigned long long)r->step,
                   (unsigned long long)settings->n_steps, r->loss,
                   s->tokens_per_s * 1e-3, left);
    io_write_all(STDERR_FILENO, "standard error", line, (size_t)len, NULL,
                 NULL);
    s->last_drawn = now;
}

/* ---- now and then ---------------------------------------------------------
 */

static enum cwm_rc save(struct session *s, struct cwm_err *err)
{
    const struct train_run *run = s->run;
    bool is_saved = run->trainer->step == s->saved_step && s->is_first &&
                    checkpoint_exists(run->fields->out);
    enum cwm_rc rc = train__ranks_tell(run->ranks, &is_saved, err);

    if (rc != CWM_OK || is_saved) {
        return rc;
    }
    rc = checkpoint_save(run->fields->out, run->trainer, run->files,
                         run->n_files, err);
    if (rc == CWM_OK) {
        s->saved_step = run->trainer->step;
    } else {
        cwm_err_context(err, "step %llu is not saved",
                        (unsigned long long)run->trainer->step);
    }
    return rc;
}

static enum cwm_rc judge_loss(struct session *s, double loss,
                              struct cwm_err *err)
{
    const struct train_run *run = s->run;
    struct trainer *tr = run->trainer;
    struct cwm_buf line;
    uint64_t n = 0;
    enum cwm_rc rc;

    if (!run->held_out) {
        return CWM_OK;
    }
    rc = run->held_out->seek(run->held_out->ctx, &s->held_out_start, err);
    if (rc == CWM_OK) {
        rc = trainer_judge(tr, run->held_out, run->fields->judge_batches,
                           &s->result.held_out_loss, &n, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (!s->is_first) {
        return CWM_OK;
    }
    clear_line(s);
    cli_say("step %llu: loss %.4f, held-out loss %.4f",
            (unsigned long long)tr->step, loss, s->result.held_out_loss);
    cwm_buf_init(&line, MAX_LINE_BYTES);
    cwm_buf_addf(&line,
                 "{\"step\": %llu, \"held_out_loss\": %.6f, \"targets\": "
                 "%llu}\n",
                 (unsigned long long)tr->step, s->result.held_out_loss,
                 (unsigned long long)n);
    rc = log_line(s, &line, err);
    cwm_buf_release(&line);
    return rc;
}

void train__add_traces(const struct train_traces_result *r, struct cwm_buf *out)
{
    static const enum score scores[] = {SCORE_TRACE, SCORE_STATE, SCORE_ACTION,
                                        SCORE_OUTPUT};
    size_t i;

    cwm_buf_addf(out, "{\"wanted\": %zu, \"predicted\": %llu", r->n,
                 (unsigned long long)r->sums.n_traces);
    for (i = 0; i < sizeof scores / sizeof *scores; i++) {
        double mean = score_mean(&r->sums, scores[i]);

        cwm_buf_addf(out, ", \"%s\": ", score_name(scores[i]));
        if (isfinite(mean)) {
            cwm_buf_addf(out, "%.6f", mean);
        } else {
            cwm_buf_adds(out, "null");
        }
    }
    cwm_buf_addf(out, ", \"seconds\": %.3f}", r->seconds);
}

double train__percent(const struct train_traces_result *r, enum score score)
{
    return 100.0 * score_mean(&r->sums, score);
}

/* From what is saved: what is judged is what other commands get.  Rank 0 does
 * it, and the others wait for it at their next step. */
static enum cwm_rc judge_traces(struct session *s, const volatile int *cancel,
                                struct cwm_err *err)
{
    const struct train_run *run = s->run;
    /* nothing generates in fp8 */
    int type = run->fields->type == TRAIN_FP8 ? TRAIN_BF16 : run->fields->type;
    const struct generating_fields how = {.type = type,
                                          .device = run->fields->device,
                                          .threads = run->fields->threads};
    struct train_traces_result *r = &s->result.traces;
    char path[MAX_PATH_BYTES];
    struct cwm_buf line;
    enum cwm_rc rc;

    if (run->fields->judge_traces == 0) {
        return CWM_OK;
    }
    rc = save(s, err);
    if (rc != CWM_OK || !s->is_first) {
        return rc;
    }
    snprintf(path, sizeof path, "%s/last", run->fields->out);
    rc = train_traces_judge(run->traces, path, &how,
                            (double)run->fields->judge_seconds, cancel, r, err);
    if (rc == CWM_CANCELLED && run->ranks->comm) {
        return CWM_OK; /* all stop together, before the next step */
    }
    if (rc != CWM_OK) {
        return rc;
    }
    clear_line(s);
    cli_say("step %llu: of %llu held-out traces %.1f %% whole, states %.1f %%, "
            "outputs %.1f %% (%.1f s)",
            (unsigned long long)run->trainer->step,
            (unsigned long long)r->sums.n_traces,
            train__percent(r, SCORE_TRACE), train__percent(r, SCORE_STATE),
            train__percent(r, SCORE_OUTPUT), r->seconds);
    cwm_buf_init(&line, MAX_LINE_BYTES);
    cwm_buf_addf(&line, "{\"step\": %llu, \"traces\": ",
                 (unsigned long long)run->trainer->step);
    train__add_traces(r, &line);
    cwm_buf_adds(&line, "}\n");
    rc = log_line(s, &line, err);
    cwm_buf_release(&line);
    return rc;
}

static bool is_turn(uint64_t step, uint64_t every)
{
    return every > 0 && step % every == 0;
}

/* ---- steps ----------------------------------------------------------------
 */

static enum cwm_rc one_step(struct session *s, const volatile int *cancel,
                            struct cwm_err *err)
{
    const struct train_fields *fields = s->run->fields;
    struct trainer *tr = s->run->trainer;
    struct train_report r = {0};
    double begin = cli_now();
    double seconds;
    double rate;
    bool is_judged;
    enum cwm_rc rc = trainer_step(tr, &r, err);

    if (rc != CWM_OK) {
        return rc;
    }
    seconds = cli_now() - begin;
    rate = seconds > 0 ? (double)r.n_tokens / seconds : 0;
    s->tokens_per_s = s->tokens_per_s > 0
                          ? s->tokens_per_s * (1 - RATE_NEWS) + rate * RATE_NEWS
                          : rate;
    s->result.loss = r.loss;
    rc = log_step(s, &r, seconds, err);
    if (rc == CWM_OK) {
        show_step(s, &r);
    }
    is_judged =
        is_turn(r.step, fields->judge_every) || r.step == tr->settings.n_steps;
    if (rc == CWM_OK && is_judged) {
        rc = judge_loss(s, r.loss, err);
    }
    if (rc == CWM_OK && is_judged) {
        rc = judge_traces(s, cancel, err);
    }
    if (rc == CWM_OK && is_turn(r.step, fields->save_every)) {
        rc = save(s, err);
    }
    return rc;
}

/* Is the time up, or was any rank told to stop?  All ranks find the same. */
static enum cwm_rc must_stop(struct session *s, const volatile int *cancel,
                             bool *ret_stops, struct cwm_err *err)
{
    uint64_t max_seconds = s->run->fields->max_seconds;
    bool is_late = s->is_first && max_seconds > 0 &&
                   cli_now() - s->start >= (double)max_seconds;
    enum cwm_rc rc;

    s->is_cancelled = cwm_is_cancelled(cancel);
    rc = train__ranks_any(s->run->ranks, &s->is_cancelled, err);
    if (rc == CWM_OK) {
        rc = train__ranks_tell(s->run->ranks, &is_late, err);
    }
    *ret_stops = is_late || s->is_cancelled;
    return rc;
}

static enum cwm_rc all_steps(struct session *s, const volatile int *cancel,
                             struct cwm_err *err)
{
    struct trainer *tr = s->run->trainer;
    bool stops = false;
    enum cwm_rc rc = CWM_OK;

    for (;;) {
        rc = must_stop(s, cancel, &stops, err);
        if (rc != CWM_OK || stops || tr->step >= tr->settings.n_steps) {
            break;
        }
        rc = one_step(s, cancel, err);
        if (rc != CWM_OK) {
            break;
        }
    }
    clear_line(s);
    if (rc == CWM_OK) {
        rc = save(s, err);
    }
    if (rc == CWM_OK && s->is_cancelled) {
        rc = CWM_FAIL(err, CWM_CANCELLED,
                      "stopped behind step %llu of %llu, which is saved\nthe "
                      "same command goes on from there",
                      (unsigned long long)tr->step,
                      (unsigned long long)tr->settings.n_steps);
    }
    return rc;
}

static enum cwm_rc open_log(const char *folder, int *ret_fd,
                            struct cwm_err *err)
{
    char path[MAX_PATH_BYTES];

    snprintf(path, sizeof path, "%s/log.jsonl", folder);
    *ret_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (*ret_fd < 0) {
        return CWM_FAIL(err, CWM_IO, "could not open '%s' for writing: %s",
                        path, strerror(errno));
    }
    return CWM_OK;
}

enum cwm_rc train__run(const struct train_run *run, const volatile int *cancel,
                       struct train_result *ret, struct cwm_err *err)
{
    struct trainer *tr = run->trainer;
    struct session s = {
        .run = run,
        .log = -1,
        .is_first = train__is_first(run->ranks),
        .is_terminal =
            train__is_first(run->ranks) && cli_is_terminal(STDERR_FILENO),
        .start = cli_now(),
        .saved_step = tr->step,
        .result = {.step = tr->step, .held_out_loss = (double)NAN}};
    enum cwm_rc rc =
        s.is_first ? open_log(run->fields->out, &s.log, err) : CWM_OK;

    if (rc == CWM_OK) {
        if (run->held_out) {
            run->held_out->tell(run->held_out->ctx, &s.held_out_start);
        }
        rc = all_steps(&s, cancel, err);
    }
    if (s.log >= 0) {
        close(s.log);
    }
    s.result.step = tr->step;
    s.result.n_tokens = tr->n_tokens;
    s.result.seconds = cli_now() - s.start;
    s.result.finished = tr->step >= tr->settings.n_steps;
    *ret = s.result;
    return rc;
}
