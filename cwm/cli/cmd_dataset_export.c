/* SPDX-License-Identifier: MIT */
/* cmd_dataset_export.c -- `cwm dataset export`. */
#include <stdio.h>
#include <string.h>

#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_dataset.h"
#include "cwm/cli/version.h"
#include "datasets/export.h"

enum { MAX_TEXT_BYTES = 1 << 16, N_VERDICTS = TRACE_VERDICT_BAD_ARGS + 1 };

typedef unsigned long long ull;

/* By enum export_format. */
static const char *const formats[] = {"jsonl", "cwm", "narration"};

static void on_export(void *ctx, const struct export_stats *s)
{
    char tail[64];

    snprintf(tail, sizeof tail, "%.1f MB", (double)s->n_bytes * 1e-6);
    dataset_progress(ctx, s->n_programs_done, s->n_programs, "programs", tail);
}

static int take_verdicts(const struct dataset_fields *f, uint32_t *ret_bits)
{
    for (size_t i = 0; i < f->verdicts.n; i++) {
        int k = 0;

        while (k < N_VERDICTS &&
               strcmp(trace_verdict_text((enum trace_verdict)k),
                      f->verdicts.values[i]) != 0) {
            k++;
        }
        if (k == N_VERDICTS) {
            return cli_usage("dataset", "there is no verdict '%.40s'",
                             f->verdicts.values[i]);
        }
        *ret_bits |= 1u << k;
    }
    return -1;
}

/* File names without their folders: a card says nothing of this machine. */
static const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash && slash[1] ? slash + 1 : path ? path : "";
}

/* The command that makes the same again, for the card. */
static void add_command(const struct dataset_fields *f, struct cwm_buf *out)
{
    cwm_buf_addf(out, "cwm dataset export --store %s --format %s -o %s",
                 base_name(f->store), formats[f->format], base_name(f->out));
    for (size_t i = 0; i < f->benchmarks.n; i++) {
        cwm_buf_addf(out, " --benchmarks %s",
                     base_name(f->benchmarks.values[i]));
    }
    for (size_t i = 0; i < f->verdicts.n; i++) {
        cwm_buf_addf(out, " --verdict %s", f->verdicts.values[i]);
    }
    for (size_t i = 0; i < f->licences.n; i++) {
        cwm_buf_addf(out, " --licence '%s'", f->licences.values[i]);
    }
    cwm_buf_addf(out,
                 " --near-duplicates %llu --validation %llu --test %llu"
                 " --seed %llu --shard-bytes %llu",
                 (ull)f->near_duplicates, (ull)f->validation, (ull)f->test,
                 (ull)f->seed, (ull)f->shard_bytes);
    if (f->keep_frames > 0) {
        cwm_buf_addf(out, " --keep-frames %llu", (ull)f->keep_frames);
    }
    if (f->keep_bytes > 0) {
        cwm_buf_addf(out, " --keep-bytes %llu", (ull)f->keep_bytes);
    }
    cwm_buf_adds(out, f->full_locals ? " --full-locals" : "");
    cwm_buf_adds(out, f->plain ? " --plain" : "");
    cwm_buf_adds(out, f->evaluation ? " --evaluation" : "");
}

static int print_summary(const struct dataset_fields *f,
                         const struct export_stats *s, double seconds)
{
    char content[HASH_TEXT];
    struct cwm_buf out;
    uint64_t n_traces = 0;
    char time[32];
    int code = CLI_YES;

    for (int i = 0; i < CLEAN_N_SPLITS; i++) {
        n_traces += s->n_traces[i];
    }
    hash_text(&s->content, content);
    cli_seconds(seconds, time, sizeof time);
    cli_say("%llu traces, %.1f MB of rows in %llu files in %s: %s",
            (ull)n_traces, (double)s->n_bytes * 1e-6, (ull)s->n_files, time,
            f->out);
    for (int i = CLEAN_KEPT + 1; i < CLEAN_N_REASONS; i++) {
        if (s->n_removed[i] > 0) {
            cli_say("left out: %llu programs, %s", (ull)s->n_removed[i],
                    clean_reason_text((enum clean_reason)i));
        }
    }
    if (s->n_filtered > 0) {
        cli_say("left out: %llu traces by verdict or size", (ull)s->n_filtered);
    }
    if (s->n_untold > 0) {
        cli_say("left out: %llu traces that the form cannot tell",
                (ull)s->n_untold);
    }
    if (!f->json) {
        return CLI_YES;
    }
    cwm_buf_init(&out, MAX_TEXT_BYTES);
    cwm_buf_addf(&out, "{\"content\": \"%s\", \"splits\": {", content);
    for (int i = 0; i < CLEAN_N_SPLITS; i++) {
        cwm_buf_addf(&out, "%s\"%s\": {\"programs\": %llu, \"traces\": %llu}",
                     i > 0 ? ", " : "", clean_split_text((enum clean_split)i),
                     (ull)s->n_split_programs[i], (ull)s->n_traces[i]);
    }
    cwm_buf_adds(&out, "}, \"removed\": {");
    for (int i = CLEAN_KEPT + 1; i < CLEAN_N_REASONS; i++) {
        cwm_buf_addf(&out, "%s\"%s\": %llu", i > CLEAN_KEPT + 1 ? ", " : "",
                     clean_reason_text((enum clean_reason)i),
                     (ull)s->n_removed[i]);
    }
    cwm_buf_addf(&out,
                 "}, \"filtered_traces\": %llu, \"bytes\": %llu, "
                 "\"files\": %llu, \"seconds\": %.3f}\n",
                 (ull)s->n_filtered, (ull)s->n_bytes, (ull)s->n_files, seconds);
    code = cli_print("dataset", &out);
    cwm_buf_release(&out);
    return code;
}

int dataset_export(const struct dataset_fields *f)
{
    struct progress progress;
    struct cwm_buf command;
    struct export_options how = {
        .store_path = f->store,
        .folder = f->out,
        .format = (enum export_format)f->format,
        .overwrite = f->overwrite,
        .plain = f->plain,
        .full_locals = f->full_locals,
        .n_workers = cli_threads(f->workers),
        .shard_bytes = f->shard_bytes,
        .max_frames = f->keep_frames,
        .max_text_bytes = f->keep_bytes,
        .evaluation = f->evaluation,
        .clean = {.near_duplicate_percent = (uint32_t)f->near_duplicates,
                  .benchmarks = f->benchmarks.values,
                  .n_benchmarks = f->benchmarks.n,
                  .licences = f->licences.values,
                  .n_licences = f->licences.n,
                  .validation_permille = (uint32_t)f->validation,
                  .test_permille = (uint32_t)f->test,
                  .seed = f->seed},
        .name = f->name,
        .tool_version = CWM_VERSION,
        .on_progress = on_export,
        .ctx = &progress,
    };
    struct export_stats stats;
    struct cwm_err err;
    enum cwm_rc rc;
    double seconds;
    int code = take_verdicts(f, &how.verdicts);

    if (code < 0 && !f->out) {
        code = cli_usage("dataset", "export needs -o DIR");
    }
    if (code >= 0) {
        return code;
    }
    cwm_buf_init(&command, MAX_TEXT_BYTES);
    add_command(f, &command);
    how.command = command.data ? command.data : "";
    progress_init(&progress);
    how.cancel = cli_catch_signals();
    how.clean.cancel = how.cancel;
    rc = export_run(&how, &stats, &err);
    seconds = cli_now() - progress.start;
    progress_clear(&progress);
    cwm_buf_release(&command);
    return rc == CWM_OK ? print_summary(f, &stats, seconds)
                        : cli_fail("dataset", &err);
}
