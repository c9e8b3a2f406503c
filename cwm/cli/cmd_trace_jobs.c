/* SPDX-License-Identifier: MIT */
/* cmd_trace_jobs.c -- `cwm trace --jobs`: progress, summary, exit code. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_trace.h"
#include "cwm/cli/progress.h"
#include "cwm/cli/version.h"
#include "tracer/jobs.h"

enum { MAX_SUMMARY_BYTES = 1 << 16 };

/* What the callbacks need. */
struct talk {
    const struct trace_fields *fields;
    struct progress progress;
};

static void on_bad_line(void *ctx, uint64_t line, const char *message)
{
    struct talk *talk = ctx;
    const char *name = talk->fields->jobs;

    progress_clear(&talk->progress);
    cli_say("cwm trace: %s:%llu: %.*s; skipped",
            strcmp(name, "-") == 0 ? "standard input" : name,
            (unsigned long long)line, (int)strcspn(message, "\n"), message);
}

static void on_progress(void *ctx, const struct jobs_stats *stats)
{
    struct talk *talk = ctx;

    progress_show(&talk->progress, stats);
}

/* ---- the summary ---- */

static uint64_t n_records(const struct jobs_stats *stats)
{
    return stats->n_there + stats->n_written;
}

static void say_summary(const struct trace_fields *f, unsigned n_workers,
                        const struct jobs_stats *stats, double seconds)
{
    struct cwm_buf verdicts;
    double per = seconds > 0 ? seconds : 1e-9;
    char time[32];

    cwm_buf_init(&verdicts, MAX_SUMMARY_BYTES);
    progress_verdicts(stats, &verdicts);
    cli_seconds(seconds, time, sizeof time);
    if (stats->n_written == 0 && stats->complete && stats->n_there > 0) {
        cli_say("%s is complete: %llu records (--overwrite traces them anew)",
                f->out, (unsigned long long)stats->n_there);
    } else {
        cli_say("%llu job%s in %s (%.*f jobs/s), %u worker%s, CPython %s",
                (unsigned long long)stats->n_written,
                stats->n_written == 1 ? "" : "s", time,
                progress_digits((double)stats->n_written / per),
                (double)stats->n_written / per, n_workers,
                n_workers == 1 ? "" : "s", stats->python);
        cli_say("verdicts: %s", verdicts.len > 0 ? verdicts.data : "none");
        cli_say("frames: %llu (%.0f frames/s)",
                (unsigned long long)stats->n_frames,
                (double)stats->n_frames / per);
    }
    if (stats->n_bad_lines > 0) {
        cli_say("lines that are no jobs: %llu",
                (unsigned long long)stats->n_bad_lines);
    }
    if (f->out && stats->n_written > 0) {
        cli_say("records: %s (%llu%s)", f->out,
                (unsigned long long)n_records(stats),
                stats->complete ? "" : ", not complete");
    }
    cwm_buf_release(&verdicts);
}

/* The same for programs; seconds are talk, no data, but asked for. */
static int print_summary(const struct trace_fields *f, unsigned n_workers,
                         const struct jobs_stats *stats, double seconds)
{
    struct cwm_buf out;
    const char *gap = "";
    int code;

    cwm_buf_init(&out, MAX_SUMMARY_BYTES);
    cwm_buf_addf(&out,
                 "{\"complete\": %s, \"records\": %llu, \"written\": %llu, "
                 "\"bad_lines\": %llu, \"tracer_failed\": %llu, "
                 "\"verdicts\": {",
                 stats->complete ? "true" : "false",
                 (unsigned long long)n_records(stats),
                 (unsigned long long)stats->n_written,
                 (unsigned long long)stats->n_bad_lines,
                 (unsigned long long)stats->n_tracer_failed);
    for (int i = 0; i < TRACE_N_VERDICTS; i++) {
        if (stats->n_verdicts[i] > 0) {
            cwm_buf_addf(&out, "%s\"%s\": %llu", gap,
                         trace_verdict_text((enum trace_verdict)i),
                         (unsigned long long)stats->n_verdicts[i]);
            gap = ", ";
        }
    }
    cwm_buf_addf(&out,
                 "}, \"frames\": %llu, \"seconds\": %.3f, \"workers\": %u, "
                 "\"python\": ",
                 (unsigned long long)stats->n_frames, seconds, n_workers);
    cwm_buf_add_json(&out, stats->python, strlen(stats->python));
    cwm_buf_adds(&out, ", \"out\": ");
    cwm_buf_add_json(&out, f->out, strlen(f->out));
    cwm_buf_adds(&out, "}\n");
    code = cli_print("trace", &out);
    cwm_buf_release(&out);
    return code;
}

/* ---- the run ---- */

static int tell_end(const struct trace_fields *f, enum cwm_rc rc,
                    const struct jobs_stats *stats, struct cwm_err *err)
{
    int code;

    if (rc == CWM_CANCELLED) {
        code = cli_fail("trace", err);
        if (f->out && stats->n_there + stats->n_written > 0) {
            cli_say("hint: the same command goes on where it stopped");
        }
        return code;
    }
    if (rc != CWM_OK) {
        return cli_fail("trace", err);
    }
    if (stats->n_tracer_failed > 0) {
        cli_say("cwm trace: the tracer itself failed for %llu jobs: verdict "
                "'crash', see their 'detail'",
                (unsigned long long)stats->n_tracer_failed);
        return CLI_FAILED;
    }
    return stats->n_bad_lines > 0 ? CLI_NO : CLI_YES;
}

int trace_many(const struct trace_fields *f)
{
    struct talk talk = {.fields = f};
    struct jobs_options how = {
        .jobs_path = f->jobs,
        .out_path = f->out,
        .overwrite = f->overwrite,
        .full_locals = f->full_locals,
        .n_workers = cli_threads(f->workers),
        .defaults = {.seed = f->seed, .limits = f->run.limits},
        .tool_version = CWM_VERSION,
        .on_bad_line = on_bad_line,
        .on_progress = on_progress,
        .ctx = &talk,
    };
    struct jobs_stats stats;
    struct cwm_err err;
    enum cwm_rc rc;
    double seconds;
    int code = running_tracer("trace", &f->run, &how.tracer);
    int printed = CLI_YES;

    if (code >= 0) {
        return code;
    }
    how.tracer.plain = f->plain;
    progress_init(&talk.progress);
    if (!f->out && isatty(STDOUT_FILENO)) {
        talk.progress.enabled = false; /* the records move there */
    }
    how.count_lines = talk.progress.enabled;
    how.cancel = cli_catch_signals();
    rc = jobs_run(&how, &stats, &err);
    seconds = cli_now() - talk.progress.start;
    progress_clear(&talk.progress);
    running_say_missing("trace", stats.missing_walls);
    code = tell_end(f, rc, &stats, &err);
    if (rc == CWM_OK || stats.n_written > 0) {
        say_summary(f, how.n_workers, &stats, seconds);
        if (f->json && f->out) {
            printed = print_summary(f, how.n_workers, &stats, seconds);
        }
    }
    return code == CLI_YES ? printed : code;
}
