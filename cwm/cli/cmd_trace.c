/* SPDX-License-Identifier: MIT */
/* cmd_trace.c -- `cwm trace`: the options, and the trace of one program. */
#include "cwm/cli/cmd_trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/cli/cli.h"

/* Programs may be 64 MiB: source.h. */
#define MAX_PROGRAM_BYTES (64UL << 20)
#define MAX_STDIN_BYTES   (1UL << 30)
#define MAX_TEXT_BYTES    (4UL << 30)

static const char *const forms[] = {"auto", "pretty", "cwm", "jsonl", NULL};

static const char *const uses[] = {
    "FILE [options]", "--jobs JOBS.jsonl [-o OUT.jsonl] [options]", NULL};

static const char *const examples[] = {
    "cwm trace examples/strawberry.py",
    "cwm trace prog.py --entry f --args \"'volume', sep='l'\" --format cwm",
    "cwm trace --jobs jobs.jsonl -o traces.jsonl", NULL};

#define FIELD(field) offsetof(struct trace_fields, field)
#define RUNNING_AT   FIELD(run)

static const struct opt options[] = {
    {.group = "What is traced",
     .name = "entry",
     .type = OPT_STRING,
     .offset = FIELD(entry),
     .value = "NAME",
     .help = "the function to call: f, or Class.method; without it the one "
             "that bears the marker '# << START_OF_TRACE', else the whole "
             "program as a script"},
    {.name = "args",
     .type = OPT_STRING,
     .offset = FIELD(args),
     .value = "ARGS",
     .help = "the call's arguments as Python source, evaluated in the "
             "program's own namespace: \"1, key=len\""},
    {.name = "wrap-main",
     .type = OPT_FLAG,
     .offset = FIELD(wrap_main),
     .help = "put a function main() that makes the call behind the program, "
             "and trace that"},
    {.name = "stdin",
     .type = OPT_STRING,
     .offset = FIELD(stdin_path),
     .value = "FILE",
     .help = "what the program reads on standard input; - is our own; "
             "nothing unless told"},
    {.group = "Many programs",
     .name = "jobs",
     .type = OPT_STRING,
     .offset = FIELD(jobs),
     .value = "JOBS",
     .help = "trace every job of this JSONL file (- is standard input; zstd "
             "is unpacked) into one JSON record each, in their order"},
    {.name = "workers",
     .type = OPT_U64,
     .offset = FIELD(workers),
     .value = "N",
     .fallback = "0",
     .max = 256,
     .help = "jobs that run at once; 0 is one for each core"},
    {.name = "overwrite",
     .type = OPT_FLAG,
     .offset = FIELD(overwrite),
     .help = "start anew where OUT holds records, instead of going on"},
    {.group = "Output",
     .name = "format",
     .type = OPT_ENUM,
     .offset = FIELD(form),
     .choices = forms,
     .fallback = "auto",
     .help = "pretty is for people, cwm the text that models learn, jsonl for "
             "programs; auto is jsonl or cwm where OUT ends so, else pretty"},
    {.letter = 'o',
     .name = "out",
     .type = OPT_STRING,
     .offset = FIELD(out),
     .value = "OUT",
     .help = "write to this file instead of standard output"},
    {.name = "full-locals",
     .type = OPT_FLAG,
     .offset = FIELD(full_locals),
     .help = "in jsonl: every local's text in every frame, never \"..\""},
    {.name = "json",
     .type = OPT_FLAG,
     .offset = FIELD(json),
     .help = "for one program: --format jsonl; with --jobs and -o: the "
             "summary as one JSON object on standard output"},
    {.group = "The run", RUNNING_PYTHON},
    {.name = "seed",
     .type = OPT_U64,
     .offset = FIELD(seed),
     .value = "N",
     .fallback = "0",
     .max = INT64_MAX,
     .help = "what random.seed() is called with before the run"},
    {.name = "plain",
     .type = OPT_FLAG,
     .offset = FIELD(plain),
     .help = "run without tracing: the same record, without frames"},
    {.group = "The jail", RUNNING_WALLS},
    TRACE_LIMIT_TABLE(RUNNING_LIMIT)};

static const struct opt_command command = {
    .name = "trace",
    .summary = "trace a program, or many, line by line in a jail",
    .uses = uses,
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .examples = examples,
    .notes = "Exit status:\n"
             "  0  done; a program that raised or was stopped is a result\n"
             "  1  a syntax error in the program; lines of JOBS that are no "
             "jobs\n"
             "  2  the request cannot be carried out: options, files, entry, "
             "arguments\n"
             "  3  our own failure: a wall of the jail is missing, the disk is "
             "full\n"
             "  128 + N  stopped by signal N (130: Ctrl-C)\n",
    .max_positionals = 1,
};

/* ---- one program ---- */

static bool ends_in(const char *text, const char *end)
{
    size_t len = strlen(text);

    return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static enum trace_form form_of(const struct trace_fields *f)
{
    if (f->form != FORM_AUTO) {
        return (enum trace_form)f->form;
    }
    if (f->json || (f->out && ends_in(f->out, ".jsonl"))) {
        return FORM_JSONL;
    }
    return f->out && ends_in(f->out, ".cwm") ? FORM_CWM : FORM_PRETTY;
}

/* A file that was named and cannot be used is the request's fault. */
static enum cwm_rc read_input(const char *path, struct cwm_buf *to,
                              struct cwm_err *err)
{
    enum cwm_rc rc = strcmp(path, "-") == 0
                         ? io_read_fd(STDIN_FILENO, "standard input", to, err)
                         : io_read_file(path, to, err);

    if (rc == CWM_IO || rc == CWM_LIMIT) {
        err->code = CWM_USAGE;
        return CWM_USAGE;
    }
    return rc;
}

static enum cwm_rc render(const struct trace_fields *f,
                          struct trace_result *result, struct cwm_buf *text,
                          struct cwm_err *err)
{
    struct render_options how = {
        .full_locals = f->full_locals,
        .colour = !f->out && cli_has_colour(STDOUT_FILENO),
        .columns = f->out ? 0 : cli_columns(STDOUT_FILENO),
    };

    switch (form_of(f)) {
    case FORM_CWM:
        return render_cwm(result->reader, result->source, &result->summary,
                          text, err);
    case FORM_JSONL:
        return render_json(result->reader, result->source, &result->summary,
                           &how, text, err);
    case FORM_AUTO:
    case FORM_PRETTY:
        break;
    }
    return render_pretty(result->reader, result->source, &result->summary, &how,
                         text, err);
}

/* Why there is no trace: the exit code. */
static int tell_no_trace(const char *name, const struct trace_result *result)
{
    const struct trace_end *end = trace_reader_end(result->reader);
    const char *detail = result->summary.detail;
    int len =
        (int)(end->exception_message_len < 300 ? end->exception_message_len
                                               : 300);

    if (result->verdict == TRACE_VERDICT_SYNTAX_ERROR && !result->undecodable) {
        char where[32] = "";

        if (result->error_line > 0) { /* too deep to parse: it has none */
            snprintf(where, sizeof where, ":%u:%u", result->error_line,
                     result->error_column);
        }
        cli_usage("trace", "%s%s: %.*s%s%.*s", name, where,
                  (int)end->exception_type_len,
                  (const char *)end->exception_type, len > 0 ? ": " : "", len,
                  (const char *)end->exception_message);
        return CLI_NO;
    }
    if (end->exception_type) {
        return cli_usage("trace", "%s: cannot make the call: %.*s%s%.*s", name,
                         (int)end->exception_type_len,
                         (const char *)end->exception_type, len > 0 ? ": " : "",
                         len, (const char *)end->exception_message);
    }
    if (!detail) {
        detail = result->summary.verdict;
    }
    if (strstr(detail, name)) {
        return cli_usage("trace", "%s", detail);
    }
    return cli_usage("trace", "%s: %s", name, detail);
}

static int put_result(const struct trace_fields *f, const char *name,
                      struct trace_result *result)
{
    bool syntax_error = result->verdict == TRACE_VERDICT_SYNTAX_ERROR;
    bool traced = !syntax_error && result->verdict != TRACE_VERDICT_NO_ENTRY &&
                  result->verdict != TRACE_VERDICT_BAD_ARGS;
    struct cwm_buf text;
    struct cwm_err err;
    enum cwm_rc rc = CWM_OK;
    int code = CLI_YES;

    cwm_buf_init(&text, MAX_TEXT_BYTES);
    if (traced ||
        (syntax_error && !result->undecodable && form_of(f) == FORM_JSONL)) {
        rc = render(f, result, &text, &err);
        if (rc == CWM_OK && f->out) {
            rc = io_replace_file(f->out, text.data, text.len, &err);
        } else if (rc == CWM_OK) {
            rc = io_write_all(STDOUT_FILENO, "standard output", text.data,
                              text.len, NULL, &err);
        }
    }
    cwm_buf_release(&text);
    if (rc != CWM_OK) {
        return cli_fail("trace", &err);
    }
    if (!traced) {
        code = tell_no_trace(name, result);
    }
    if (result->tracer_failed) {
        cli_usage("trace", "the tracer itself failed: %s",
                  result->summary.detail ? result->summary.detail : "");
        code = CLI_FAILED;
    }
    return code;
}

static int run_one(const struct trace_fields *f, const char *name,
                   const struct trace_job *job)
{
    struct tracer_options how;
    struct tracer *t = NULL; /* owned */
    struct trace_result result;
    struct cwm_err err;
    int code = running_tracer("trace", &f->run, &how);

    if (code >= 0) {
        return code;
    }
    how.plain = f->plain;
    if (tracer_open(&how, &t, &err) != CWM_OK) {
        return cli_fail("trace", &err);
    }
    running_say_missing("trace", tracer_missing(t));
    if (tracer_run(t, job, cli_catch_signals(), &result, &err) != CWM_OK) {
        code = cli_fail("trace", &err);
    } else {
        code = put_result(f, name, &result);
    }
    tracer_close(t);
    return code;
}

static int trace_one(const struct trace_fields *f, const char *path)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    const char *slash = strrchr(path, '/');
    struct trace_job job = {
        .id = slash ? slash + 1 : path, /* no folders in data */
        .name = name,
        .entry = f->entry,
        .args = f->args,
        .wrap_main = f->wrap_main,
        .seed = f->seed,
        .limits = f->run.limits,
    };
    struct cwm_buf program;
    struct cwm_buf input;
    struct cwm_err err;
    enum cwm_rc rc;
    int code;

    cwm_buf_init(&program, MAX_PROGRAM_BYTES);
    cwm_buf_init(&input, MAX_STDIN_BYTES);
    rc = read_input(path, &program, &err);
    if (rc == CWM_OK && f->stdin_path) {
        rc = read_input(f->stdin_path, &input, &err);
    }
    if (rc == CWM_OK) {
        job.source = program.data ? program.data : "";
        job.source_len = program.len;
        job.stdin_data = input.data ? input.data : "";
        job.stdin_len = input.len;
        code = run_one(f, name, &job);
    } else {
        code = cli_fail("trace", &err);
    }
    cwm_buf_release(&program);
    cwm_buf_release(&input);
    return code;
}

/* ---- which half ---- */

/* The option of one half that was given to the other, or NULL. */
static const char *out_of_place(const struct trace_fields *f)
{
    if (!f->jobs) {
        return f->workers ? "--workers" : f->overwrite ? "--overwrite" : NULL;
    }
    return f->entry        ? "--entry"
           : f->args       ? "--args"
           : f->wrap_main  ? "--wrap-main"
           : f->stdin_path ? "--stdin"
                           : NULL;
}

static int cannot_write(const char *out, const char *why)
{
    return cli_usage("trace", "cannot write '%s': %s", out, why);
}

/* What can be told of OUT before anything is run; -1, or the exit code. */
static int check_out(const char *out, const char *program)
{
    const char *slash = strrchr(out, '/');
    char *folder = NULL; /* owned */
    struct stat a;
    struct stat b;
    int code = -1;

    if (!out[0]) {
        return cannot_write(out, "a file has a name");
    }
    if (stat(out, &a) == 0) {
        if (S_ISDIR(a.st_mode)) {
            return cannot_write(out, "it is a directory");
        }
        if (S_ISREG(a.st_mode) && program && stat(program, &b) == 0 &&
            a.st_dev == b.st_dev && a.st_ino == b.st_ino) {
            return cannot_write(out, "it is the program");
        }
        return access(out, W_OK) == 0 ? -1 : cannot_write(out, strerror(errno));
    }
    folder =
        slash ? cwm_strndup(out, (size_t)(slash - out) + 1) : cwm_strdup(".");
    if (folder && (stat(folder, &a) != 0 || !S_ISDIR(a.st_mode))) {
        code = cannot_write(out, "there is no folder for it");
    } else if (folder && access(folder, W_OK) != 0) {
        code = cannot_write(out, strerror(errno));
    }
    cwm_free(folder);
    return code;
}

static int choose(const struct trace_fields *f, const struct opt_rest *rest)
{
    const char *stray = out_of_place(f);
    int code;

    if (f->jobs && rest->n > 0) {
        return cli_usage("trace", "cannot trace '%s' and --jobs at once",
                         rest->values[0]);
    }
    if (!f->jobs && rest->n == 0) {
        return cli_usage("trace", "a program is needed: cwm trace FILE\n"
                                  "'cwm trace --help' says more");
    }
    if (stray) {
        return cli_usage("trace", "%s is %s", stray,
                         f->jobs ? "for one program; with --jobs every job "
                                   "has its own"
                                 : "for --jobs only");
    }
    if (f->jobs && f->form != FORM_AUTO && f->form != FORM_JSONL) {
        return cli_usage("trace", "--jobs writes jsonl, not %s",
                         forms[f->form]);
    }
    code = f->out ? check_out(f->out, f->jobs ? NULL : rest->values[0]) : -1;
    if (code >= 0) {
        return code;
    }
    if (f->jobs) {
        return trace_many(f);
    }
    if (f->stdin_path && strcmp(rest->values[0], "-") == 0 &&
        strcmp(f->stdin_path, "-") == 0) {
        return cli_usage("trace", "the program and its input cannot both be "
                                  "standard input");
    }
    return trace_one(f, rest->values[0]);
}

static int run(int argc, char **argv)
{
    struct trace_fields fields;
    struct opt_rest rest;
    int code = cli_parse(&command, argc, argv, &fields, &rest);

    if (code >= 0) {
        return code;
    }
    code = choose(&fields, &rest);
    cwm_free(rest.values);
    return code;
}

const struct cli_command cli_trace = {&command, run};
