/* SPDX-License-Identifier: MIT */
/* cmd_dataset_build.c -- `cwm dataset build` and `merge`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_dataset.h"
#include "cwm/cli/progress.h"
#include "cwm/cli/version.h"
#include "datasets/build.h"
#include "datasets/store_merge.h"

enum { MAX_TEXT_BYTES = 1 << 16, MAX_SKIPS_TOLD = 20 };

struct talk {
    struct progress progress;
    uint64_t n_told; /* skips */
};

/* ---- shards ---- */

/* "K/N" with 1 <= K <= N. */
static bool parse_shard(const char *text, uint64_t *shard, uint64_t *n)
{
    char *end;

    *shard = strtoull(text, &end, 10);
    if (end == text || *end != '/' || text[0] == '-') {
        return false;
    }
    text = end + 1;
    *n = strtoull(text, &end, 10);
    return end != text && *end == '\0' && *shard >= 1 && *shard <= *n;
}

/* Slurm's array: task ids from MIN to MAX. */
static bool shard_of_slurm(uint64_t *shard, uint64_t *n)
{
    const char *id = getenv("SLURM_ARRAY_TASK_ID");
    const char *count = getenv("SLURM_ARRAY_TASK_COUNT");
    const char *first = getenv("SLURM_ARRAY_TASK_MIN");

    if (!id || !count) {
        return false;
    }
    *shard =
        strtoull(id, NULL, 10) - (first ? strtoull(first, NULL, 10) : 1) + 1;
    *n = strtoull(count, NULL, 10);
    return *shard >= 1 && *shard <= *n;
}

static int take_shard(const struct dataset_fields *f, struct build_options *how)
{
    how->shard = 1;
    how->n_shards = 1;
    if (f->shard && !parse_shard(f->shard, &how->shard, &how->n_shards)) {
        return cli_usage("dataset",
                         "--shard must be K/N with K from 1 to N, not '%.40s'",
                         f->shard);
    }
    if (!f->shard && !shard_of_slurm(&how->shard, &how->n_shards)) {
        how->shard = 1;
        how->n_shards = 1;
    }
    return -1;
}

/* ---- talk ---- */

static void on_skip(void *ctx, const struct store_item *item)
{
    struct talk *talk = ctx;

    if (talk->n_told++ < MAX_SKIPS_TOLD) {
        progress_clear(&talk->progress);
        cli_say("cwm dataset: %s, %s: %s; passed over", item->source,
                item->name, item->skip);
    }
}

static void on_build(void *ctx, const struct build_stats *s)
{
    struct talk *talk = ctx;
    char tail[64];

    snprintf(tail, sizeof tail, "%llu traces", (unsigned long long)s->n_traces);
    dataset_progress(&talk->progress, s->n_there + s->n_passed, s->n_items,
                     "programs", tail);
}

static void add_verdicts(const struct build_stats *s, bool as_json,
                         struct cwm_buf *out)
{
    const char *gap = "";

    for (int i = 0; i < BUILD_N_VERDICTS; i++) {
        if (s->n_verdicts[i] > 0) {
            cwm_buf_addf(out, as_json ? "%s\"%s\": %llu" : "%s%s %llu", gap,
                         trace_verdict_text((enum trace_verdict)i),
                         (unsigned long long)s->n_verdicts[i]);
            gap = ", ";
        }
    }
}

static void say_summary(const struct dataset_fields *f,
                        const struct build_stats *s, const struct talk *talk,
                        double seconds)
{
    struct cwm_buf verdicts;
    double per = seconds > 0 ? seconds : 1e-9;
    char time[32];

    cwm_buf_init(&verdicts, MAX_TEXT_BYTES);
    add_verdicts(s, false, &verdicts);
    cli_seconds(seconds, time, sizeof time);
    if (s->n_passed == 0 && s->complete) {
        cli_say("%s is complete: %llu items are dealt with", f->store,
                (unsigned long long)s->n_there);
    } else {
        cli_say("%llu programs, %llu traces in %s (%.0f traces/s), CPython %s",
                (unsigned long long)s->n_programs,
                (unsigned long long)s->n_traces, time,
                (double)s->n_traces / per, s->python);
        cli_say("verdicts: %s", verdicts.len > 0 ? verdicts.data : "none");
        cli_say("frames: %llu (%.0f frames/s)", (unsigned long long)s->n_frames,
                (double)s->n_frames / per);
    }
    if (talk->n_told > MAX_SKIPS_TOLD) {
        cli_say("passed over: %llu, of which %d are named above; 'cwm dataset "
                "stats' has the reasons",
                (unsigned long long)talk->n_told, MAX_SKIPS_TOLD);
    }
    if (s->n_unstable > 0) {
        cli_say("runs that differ from time to time, left out: %llu",
                (unsigned long long)s->n_unstable);
    }
    cwm_buf_release(&verdicts);
}

static int print_summary(const struct build_stats *s, double seconds)
{
    struct cwm_buf out;
    int code;

    cwm_buf_init(&out, MAX_TEXT_BYTES);
    cwm_buf_addf(
        &out,
        "{\"complete\": %s, \"items\": %llu, \"there\": %llu, "
        "\"skipped\": %llu, \"programs\": %llu, \"traces\": %llu, "
        "\"frames\": %llu, \"unstable\": %llu, \"verdicts\": {",
        s->complete ? "true" : "false", (unsigned long long)s->n_passed,
        (unsigned long long)s->n_there, (unsigned long long)s->n_skipped,
        (unsigned long long)s->n_programs, (unsigned long long)s->n_traces,
        (unsigned long long)s->n_frames, (unsigned long long)s->n_unstable);
    add_verdicts(s, true, &out);
    cwm_buf_addf(&out,
                 "}, \"seconds\": %.3f, \"trace_cpu_seconds\": %.3f, "
                 "\"store_cpu_seconds\": %.3f, \"python\": ",
                 seconds, (double)s->cpu_trace_us * 1e-6,
                 (double)s->cpu_store_us * 1e-6);
    cwm_buf_add_json(&out, s->python, strlen(s->python));
    cwm_buf_adds(&out, "}\n");
    code = cli_print("dataset", &out);
    cwm_buf_release(&out);
    return code;
}

/* The command that makes the same again, for the card: no folders, not what
 * only says how it is done here. */
static void add_command(const struct dataset_fields *f, const char **words,
                        size_t n, struct cwm_buf *out)
{
    static const char *const skip[] = {"store", "workers", "json", "shard",
                                       NULL};

    cwm_buf_adds(out, "cwm dataset build --store STORE");
    dataset_add_given(f, skip, out);
    for (size_t i = 0; i < n; i++) {
        const char *colon = strchr(words[i], ':');
        const char *slash = strrchr(words[i], '/');
        size_t kind = colon && (!slash || colon < slash)
                          ? (size_t)(colon - words[i]) + 1
                          : 0;

        cwm_buf_addf(out, " %.*s", (int)kind, words[i]);
        opt_add_word(slash && slash[1] ? slash + 1 : words[i] + kind, out);
    }
}

/* ---- the verbs ---- */

int dataset_build(const struct dataset_fields *f, const char **words, size_t n)
{
    struct talk talk = {.n_told = 0};
    struct build_options how = {
        .store_path = f->store,
        .tool_version = CWM_VERSION,
        .sources = words,
        .n_sources = n,
        .limit = f->limit,
        .n_workers = cli_threads(f->workers),
        .seed = f->seed,
        .max_inputs = (uint32_t)f->max_inputs,
        .max_mutants = (uint32_t)f->mutants,
        .exception_permille = (uint32_t)f->exceptions,
        .limits = f->run.limits,
        .suites = {.how = {.enter_permille = (uint32_t)f->enter,
                           .max_depth = (uint32_t)f->depth,
                           .tests = f->test_functions,
                           .venv = ""},
                   .max_per_function = (uint32_t)f->episodes,
                   .tests = f->tests.values,
                   .n_tests = f->tests.n},
        .on_skip = on_skip,
        .on_progress = on_build,
        .ctx = &talk,
    };
    struct build_stats stats;
    struct cwm_buf command;
    struct cwm_err err;
    enum cwm_rc rc;
    double seconds;
    int code = take_shard(f, &how);

    if (code < 0) {
        code = running_tracer("dataset", &f->run, &how.tracer);
    }
    if (code < 0) {
        code = running_programs("dataset", f->programs, &how.generate);
    }
    if (code < 0 && n == 0) {
        code = cli_usage("dataset", "build needs a source: a folder, a file, "
                                    "KIND:PATH or generate:COUNT");
    }
    if (code >= 0) {
        return code;
    }
    progress_init(&talk.progress);
    how.cancel = cli_catch_signals();
    cwm_buf_init(&command, MAX_TEXT_BYTES);
    add_command(f, words, n, &command);
    rc = cwm_buf_check(&command, "the command", &err);
    how.command = command.data;
    memset(&stats, 0, sizeof stats);
    if (rc == CWM_OK) {
        rc = build_run(&how, &stats, &err);
    }
    cwm_buf_release(&command);
    seconds = cli_now() - talk.progress.start;
    progress_clear(&talk.progress);
    code = rc == CWM_OK ? CLI_YES : cli_fail("dataset", &err);
    if (rc == CWM_CANCELLED) {
        cli_say("hint: the same command goes on where it stopped");
    }
    if (rc == CWM_OK || stats.n_passed > 0) {
        say_summary(f, &stats, &talk, seconds);
    }
    if (f->json && rc == CWM_OK) {
        return print_summary(&stats, seconds);
    }
    return code;
}

static void on_merge(void *ctx, const struct store_merge_stats *s)
{
    struct talk *talk = ctx;

    dataset_progress(&talk->progress, s->n_stores_done, s->n_stores, "stores",
                     "");
}

int dataset_merge(const struct dataset_fields *f, const char **words, size_t n)
{
    struct talk talk = {.n_told = 0};
    struct store_merge_options how = {
        .out_path = f->store,
        .in_paths = words,
        .n_in = n,
        .on_progress = on_merge,
        .ctx = &talk,
    };
    struct store_merge_stats stats;
    struct cwm_err err;
    enum cwm_rc rc;

    if (n == 0) {
        return cli_usage("dataset", "merge needs stores: cwm dataset merge "
                                    "--store OUT IN...");
    }
    progress_init(&talk.progress);
    how.cancel = cli_catch_signals();
    rc = store_merge(&how, &stats, &err);
    progress_clear(&talk.progress);
    if (rc != CWM_OK) {
        return cli_fail("dataset", &err);
    }
    cli_say("%llu stores: %llu programs, %llu traces went into %s",
            (unsigned long long)stats.n_stores_done,
            (unsigned long long)stats.n_programs,
            (unsigned long long)stats.n_traces, f->store);
    return CLI_YES;
}
