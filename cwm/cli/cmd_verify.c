/* SPDX-License-Identifier: MIT */
/* cmd_verify.c -- `cwm verify`: options, and a file of many predictions. */
#include "cwm/cli/cmd_verify.h"

#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/progress.h"

enum { MAX_TOTALS_BYTES = 1 << 20 };

#define REDRAW_SECONDS 0.1

#define FIELD(field) offsetof(struct verify_fields, field)
#define RUNNING_AT   FIELD(trace.run)

static const char *const uses[] = {
    "--predicted PRED.jsonl [--static] [--json] [options]",
    "PRED.txt --program FILE [--entry NAME] [--args ARGS] [options]",
    "PRED.txt --program FILE --static [options]", NULL};

static const char *const examples[] = {
    "cwm verify --predicted predictions.jsonl --json > scores.jsonl",
    "cwm verify predicted.cwm --program prog.py --entry f --args 1", NULL};

static const struct opt options[] = {
    {.group = "Many predictions",
     .name = "predicted",
     .type = OPT_STRING,
     .offset = FIELD(predicted),
     .value = "PRED",
     .help = "score every line of this JSONL file (- is standard input; zstd "
             "and gzip are unpacked): a job with the field 'prediction'"},
    {.name = "workers",
     .type = OPT_U64,
     .offset = FIELD(trace.workers),
     .value = "N",
     .fallback = "0",
     .max = 256,
     .help = "programs that are traced at once; 0 is one for each core"},
    {.group = "One prediction",
     .name = "program",
     .type = OPT_STRING,
     .offset = FIELD(program),
     .value = "FILE",
     .help = "the program that the trace is predicted of"},
    {.name = "entry",
     .type = OPT_STRING,
     .offset = FIELD(trace.entry),
     .value = "NAME",
     .help = "as for 'cwm trace'"},
    {.name = "args",
     .type = OPT_STRING,
     .offset = FIELD(trace.args),
     .value = "ARGS",
     .help = "as for 'cwm trace'"},
    {.name = "wrap-main",
     .type = OPT_FLAG,
     .offset = FIELD(trace.wrap_main),
     .help = "as for 'cwm trace'"},
    {.name = "stdin",
     .type = OPT_STRING,
     .offset = FIELD(trace.stdin_path),
     .value = "FILE",
     .help = "what the program reads on standard input"},
    {.group = "What is asked",
     .name = "static",
     .type = OPT_FLAG,
     .offset = FIELD(is_static),
     .help = "run nothing: look for what no trace of this program can hold"},
    {.group = "Output",
     .name = "json",
     .type = OPT_FLAG,
     .offset = FIELD(trace.json),
     .help = "one JSON object for each line, and one with the totals"},
    {.name = "full-texts",
     .type = OPT_FLAG,
     .offset = FIELD(full_texts),
     .help = "in JSON: do not cut the values and lines that differ"},
    {.group = "The run", RUNNING_PYTHON},
    {.name = "seed",
     .type = OPT_U64,
     .offset = FIELD(trace.seed),
     .value = "N",
     .fallback = "0",
     .max = INT64_MAX,
     .help = "what random.seed() is called with before the run"},
    {.group = "The jail", RUNNING_WALLS},
    TRACE_LIMIT_TABLE(RUNNING_LIMIT)};

static const struct opt_command command = {
    .name = "verify",
    .summary = "score predicted traces against the true ones",
    .uses = uses,
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .examples = examples,
    .notes = "Exit status:\n"
             "  0  one prediction: it is the true trace (--static: it could "
             "be);\n     many: all lines were scored\n"
             "  1  it is not; many: there were lines that are none\n"
             "  2  the request cannot be carried out as given\n"
             "  3  our own failure\n"
             "  128 + N  stopped by signal N\n",
    .max_positionals = 1,
};

/* ---- many ---- */

struct talk {
    const struct verify_fields *fields;
    struct progress progress;
};

static enum cwm_rc on_line(void *ctx, uint64_t line, const char *json,
                           size_t len, const char *message, struct cwm_err *err)
{
    struct talk *talk = ctx;
    const char *path = talk->fields->predicted;

    if (message) {
        progress_clear(&talk->progress);
        cli_say("cwm verify: %s:%llu: %.*s",
                strcmp(path, "-") == 0 ? "standard input" : path,
                (unsigned long long)line, (int)strcspn(message, "\n"), message);
    }
    return talk->fields->trace.json
               ? io_write_all(STDOUT_FILENO, "standard output", json, len, NULL,
                              err)
               : CWM_OK;
}

static void on_progress(void *ctx, const struct verify_stats *stats)
{
    struct talk *talk = ctx;
    struct progress *p = &talk->progress;
    double now = cli_now();
    struct cwm_buf line;

    if (!p->enabled || now - p->last < REDRAW_SECONDS) {
        return;
    }
    cwm_buf_init(&line, MAX_TOTALS_BYTES);
    cwm_buf_addf(&line, "%llu predictions  %.0f/s",
                 (unsigned long long)stats->n_lines,
                 (double)stats->n_lines / (now - p->start + 1e-9));
    progress_clear(p);
    if (line.len + 1 < cli_columns(STDERR_FILENO)) {
        io_write_all(STDERR_FILENO, "standard error", line.data, line.len, NULL,
                     NULL);
        p->drawn = true;
    }
    p->last = now;
    cwm_buf_release(&line);
}

static int tell_end(const struct verify_fields *f, enum cwm_rc rc,
                    const struct verify_stats *stats, const struct cwm_err *err)
{
    struct cwm_buf out;
    int code;

    if (rc != CWM_OK) {
        return cli_fail("verify", err);
    }
    cwm_buf_init(&out, MAX_TOTALS_BYTES);
    if (f->trace.json) {
        (f->is_static ? verify_put_check_totals : verify_put_totals)(stats,
                                                                     &out);
        cwm_buf_addc(&out, '\n');
    } else if (f->is_static) {
        cwm_buf_addf(&out, "%llu checked, %llu sound\n",
                     (unsigned long long)stats->n_checked,
                     (unsigned long long)stats->n_sound);
    } else {
        verify_put_table(stats, &out);
    }
    code = cli_print("verify", &out);
    cwm_buf_release(&out);
    if (code == CLI_YES && stats->n_tracer_failed > 0) {
        cli_say("cwm verify: the tracer itself failed for %llu lines: verdict "
                "'crash', see their 'detail'",
                (unsigned long long)stats->n_tracer_failed);
        return CLI_FAILED;
    }
    return code == CLI_YES && stats->n_bad_lines > 0 ? CLI_NO : code;
}

static int verify_many(const struct verify_fields *f)
{
    struct talk talk = {.fields = f};
    struct verify_options how = {
        .path = f->predicted,
        .n_workers = cli_threads(f->trace.workers),
        .is_static = f->is_static,
        .full_texts = f->full_texts,
        .defaults = {.seed = f->trace.seed, .limits = f->trace.run.limits},
        .on_line = on_line,
        .on_progress = on_progress,
        .ctx = &talk,
    };
    struct verify_stats stats;
    struct cwm_err err;
    enum cwm_rc rc;
    int code = running_tracer("verify", &f->trace.run, &how.tracer);

    if (code >= 0) {
        return code;
    }
    progress_init(&talk.progress);
    how.cancel = cli_catch_signals();
    rc = verify_run(&how, &stats, &err);
    progress_clear(&talk.progress);
    return tell_end(f, rc, &stats, &err);
}

/* ---- which of them ---- */

/* The option of one prediction that was given for many, or NULL. */
static const char *out_of_place(const struct verify_fields *f)
{
    return f->program            ? "--program"
           : f->trace.entry      ? "--entry"
           : f->trace.args       ? "--args"
           : f->trace.wrap_main  ? "--wrap-main"
           : f->trace.stdin_path ? "--stdin"
                                 : NULL;
}

static int choose(const struct verify_fields *f, const struct opt_rest *rest)
{
    if (f->predicted && rest->n > 0) {
        return cli_usage("verify", "cannot verify '%s' and --predicted at once",
                         rest->values[0]);
    }
    if (f->predicted && out_of_place(f)) {
        return cli_usage("verify",
                         "%s is for one prediction; with --predicted every "
                         "line has its own",
                         out_of_place(f));
    }
    if (f->predicted) {
        return verify_many(f);
    }
    if (rest->n == 0) {
        return cli_usage("verify", "a prediction is needed: cwm verify "
                                   "--predicted PRED.jsonl, or PRED.txt\n"
                                   "'cwm verify --help' says more");
    }
    if (!f->program) {
        return cli_usage("verify",
                         "'%s' is a trace of which program? "
                         "--program FILE is needed",
                         rest->values[0]);
    }
    if (f->trace.workers) {
        return cli_usage("verify", "--workers is for --predicted only");
    }
    if (f->trace.stdin_path && f->is_static) {
        return cli_usage("verify", "--stdin is of no use with --static: "
                                   "nothing is run");
    }
    return verify_one(f, rest->values[0]);
}

static int run(int argc, char **argv)
{
    struct verify_fields fields = {.predicted = NULL}; /* all zero */
    struct opt_rest rest;
    int code = cli_parse(&command, argc, argv, &fields, &rest);

    if (code >= 0) {
        return code;
    }
    code = choose(&fields, &rest);
    cwm_free(rest.values);
    return code;
}

const struct cli_command cli_verify = {&command, run};
