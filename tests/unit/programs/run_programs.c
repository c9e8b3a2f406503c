/* SPDX-License-Identifier: MIT */
/*
 * run_programs.c WHAT WORKERS PYTHON [FILE] -- what is made, in the jail.
 *
 * generate  programs that must not raise: every verdict ok, the result another
 *           one for other inputs; narrated in every style and read back
 * raise     programs that must raise: nearly all do
 * versions  a few of both kinds, for another CPython
 * mutate    mutants: each one compiles, those that promise it give the same
 * inputs    the loop of inputs.h over functions with traps: what is kept
 *           covers every line, and not too much of it raises
 * narrate   FILE's golden jobs, narrated and read back
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/lines.h"
#include "datasets/generate.h"
#include "datasets/inputs.h"
#include "datasets/mutate.h"
#include "datasets/narrate.h"
#include "tracer/job_read.h"
#include "tracer/trace.h"

#define SEED UINT64_C(20260101)

static struct tracer *tracer; /* owned */

static void die(const char *what, const struct cwm_err *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    exit(1);
}

static void run(const char *source, size_t len, const char *entry,
                const char *args, struct trace_result *ret)
{
    struct trace_job job = {.id = "p",
                            .name = "p",
                            .source = source,
                            .source_len = len,
                            .is_text = true,
                            .entry = entry,
                            .args = args};
    struct cwm_err err = {0};

    trace_limits_default(&job.limits);
    job.limits.timeout_ms = 2000;
    if (tracer_run(tracer, &job, NULL, ret, &err) != CWM_OK) {
        die("not traced", &err);
    }
}

/* The last value's text, copied; "" when there is none. */
static void copy_result(const struct trace_result *result, struct cwm_buf *out)
{
    const struct trace_end *end = trace_reader_end(result->reader);

    cwm_buf_clear(out);
    cwm_buf_addf(out, "%d:", (int)result->verdict);
    if (end->result) {
        cwm_buf_add(out, end->result, end->result_len);
    }
    if (end->exception_type) {
        cwm_buf_add(out, end->exception_type, end->exception_type_len);
    }
}

static void narrate_all(const struct trace_result *result, uint64_t seed)
{
    struct cwm_buf text;
    struct cwm_err err = {0};

    cwm_buf_init(&text, (size_t)256 << 20);
    for (int style = 0; style < NARRATE_N_STYLES; style++) {
        struct narrate_options options = {.style = (enum narrate_style)style,
                                          .seed = seed};

        cwm_buf_clear(&text);
        if (narrate_trace(result->reader, result->source, &result->summary,
                          &options, &text, &err) != CWM_OK) {
            die("not told", &err);
        }
        if (narrate_check(text.data, text.len, result->reader, result->source,
                          &result->summary, &err) != CWM_OK) {
            fprintf(stderr, "%s\n", text.data);
            die("not read back", &err);
        }
    }
    cwm_buf_release(&text);
}

/* ---- generated programs ---- */

struct tally {
    uint64_t n_runs, n_ok, n_exceptions, n_others, n_frames;
    uint64_t n_programs, n_varied;
};

static void run_one(const struct generate_settings *settings, uint64_t index,
                    struct cwm_buf *source, struct generated *g,
                    struct tally *tally)
{
    struct cwm_buf results[2];
    struct cwm_err err = {0};
    bool varied = false;

    cwm_buf_init(&results[0], 1 << 22);
    cwm_buf_init(&results[1], 1 << 22);
    if (generate_program(settings, SEED, index, source, g, &err) != CWM_OK) {
        die("not generated", &err);
    }
    for (size_t i = 0; i < g->n_args; i++) {
        struct trace_result result;
        uint64_t n_frames;

        run(source->data, source->len, g->entry, g->args[i], &result);
        n_frames = trace_reader_end(result.reader)->n_frames;
        tally->n_runs++;
        tally->n_frames += n_frames;
        tally->n_ok += result.verdict == TRACE_VERDICT_OK;
        tally->n_exceptions += result.verdict == TRACE_VERDICT_EXCEPTION;
        if (result.verdict != TRACE_VERDICT_EXCEPTION &&
            result.verdict != TRACE_VERDICT_OK) {
            tally->n_others++;
            fprintf(stderr, "program %" PRIu64 "(%s): %s\n%s\n", index,
                    g->args[i], trace_verdict_text(result.verdict),
                    source->data);
        } else if (result.verdict == TRACE_VERDICT_EXCEPTION && !g->raises) {
            fprintf(stderr, "program %" PRIu64 "(%s) raised %.*s\n%s\n", index,
                    g->args[i],
                    (int)trace_reader_end(result.reader)->exception_message_len,
                    (const char *)trace_reader_end(result.reader)
                        ->exception_message,
                    source->data);
        }
        /* comprehensions and calls add frames of their own to the steps */
        if (n_frames > (uint64_t)settings->max_steps * 2) {
            fprintf(stderr, "program %" PRIu64 ": %" PRIu64 " frames\n", index,
                    n_frames);
            tally->n_others++;
        }
        copy_result(&result, &results[i > 0]);
        varied =
            varied || (i > 0 && strcmp(results[0].data, results[1].data) != 0);
        if (index % 8 == 0) {
            narrate_all(&result, index);
        }
    }
    tally->n_programs++;
    tally->n_varied += varied;
    cwm_buf_release(&results[0]);
    cwm_buf_release(&results[1]);
}

static struct tally run_generated(uint32_t exception_permille, uint64_t n)
{
    struct generate_settings settings;
    struct generated g;
    struct cwm_buf source;
    struct tally tally = {0};

    generate_settings_default(&settings);
    settings.exception_permille = exception_permille;
    generated_init(&g);
    cwm_buf_init(&source, 1 << 20);
    for (uint64_t i = 0; i < n; i++) {
        run_one(&settings, i, &source, &g, &tally);
    }
    generated_release(&g);
    cwm_buf_release(&source);
    printf("%" PRIu64 " runs: %" PRIu64 " ok, %" PRIu64 " exceptions, %" PRIu64
           " others; %.1f frames each; the result varies in %" PRIu64
           " of %" PRIu64 " programs\n",
           tally.n_runs, tally.n_ok, tally.n_exceptions, tally.n_others,
           (double)tally.n_frames / (double)tally.n_runs, tally.n_varied,
           tally.n_programs);
    return tally;
}

static int check_generated(void)
{
    struct tally t = run_generated(0, 1500);

    return t.n_ok == t.n_runs && t.n_others == 0 &&
                   t.n_varied * 100 >= t.n_programs * 70
               ? 0
               : 1;
}

static int check_raising(void)
{
    struct tally all = run_generated(1000, 400);
    struct tally some = run_generated(300, 600);

    return all.n_others == 0 && some.n_others == 0 &&
                   all.n_exceptions * 100 >= all.n_runs * 95 &&
                   some.n_exceptions * 100 >= some.n_runs * 25 &&
                   some.n_exceptions * 100 <= some.n_runs * 35
               ? 0
               : 1;
}

static int check_version(void)
{
    struct tally safe = run_generated(0, 150);
    struct tally raising = run_generated(1000, 50);

    return safe.n_ok == safe.n_runs && raising.n_others == 0 &&
                   raising.n_exceptions * 100 >= raising.n_runs * 90
               ? 0
               : 1;
}

/* ---- mutants ---- */

struct mutants {
    uint64_t n, n_broken, n_exact, n_not_exact, n_other;
};

static void run_mutants(const struct cwm_buf *source, const struct generated *g,
                        uint64_t seed, struct mutants *tally)
{
    struct mutate_settings settings;
    struct mutator *m = NULL; /* owned */
    struct mutation mutation;
    struct cwm_buf text;
    struct cwm_buf want;
    struct cwm_buf got;
    struct trace_result result;
    struct cwm_err err = {0};
    bool more = false;

    cwm_buf_init(&text, 1 << 20);
    cwm_buf_init(&want, 1 << 22);
    cwm_buf_init(&got, 1 << 22);
    run(source->data, source->len, g->entry, g->args[0], &result);
    copy_result(&result, &want);
    mutate_settings_default(&settings);
    settings.max_mutants = 8;
    settings.weights[MUTATE_RENAME] = settings.weights[MUTATE_LOOP_FORM] = 20;
    if (mutator_new(source->data, source->len, &settings, seed, &m, &err) !=
        CWM_OK) {
        die("no mutator", &err);
    }
    while (mutator_next(m, &text, &mutation, &more, &err) == CWM_OK && more) {
        run(text.data, text.len, g->entry, g->args[0], &result);
        copy_result(&result, &got);
        tally->n++;
        if (result.verdict == TRACE_VERDICT_SYNTAX_ERROR) {
            tally->n_broken++;
            fprintf(stderr, "%s gives a syntax error:\n%s\n",
                    mutate_kind_text(mutation.kind), text.data);
        }
        if (mutation.keeps_meaning) {
            tally->n_exact++;
            if (strcmp(want.data, got.data) != 0) {
                tally->n_not_exact++;
                fprintf(stderr, "%s gives %s, not %s:\n%s\n%s\n",
                        mutate_kind_text(mutation.kind), got.data, want.data,
                        source->data, text.data);
            }
        } else {
            tally->n_other += strcmp(want.data, got.data) != 0;
        }
    }
    mutator_free(m);
    cwm_buf_release(&text);
    cwm_buf_release(&want);
    cwm_buf_release(&got);
}

static int check_mutants(void)
{
    struct generate_settings settings;
    struct generated g;
    struct cwm_buf source;
    struct mutants tally = {0};
    struct cwm_err err = {0};

    generate_settings_default(&settings);
    generated_init(&g);
    cwm_buf_init(&source, 1 << 20);
    for (uint64_t i = 0; i < 250; i++) {
        if (generate_program(&settings, SEED, i, &source, &g, &err) != CWM_OK) {
            die("not generated", &err);
        }
        run_mutants(&source, &g, i, &tally);
    }
    generated_release(&g);
    cwm_buf_release(&source);
    printf("%" PRIu64 " mutants: %" PRIu64 " with a syntax error; %" PRIu64
           " promised the same result, %" PRIu64 " of them broke it; %" PRIu64
           " of the others gave another one\n",
           tally.n, tally.n_broken, tally.n_exact, tally.n_not_exact,
           tally.n_other);
    return tally.n > 1500 && tally.n_broken == 0 && tally.n_exact > 200 &&
                   tally.n_not_exact == 0 &&
                   tally.n_other * 3 > tally.n - tally.n_exact
               ? 0
               : 1;
}

/* ---- inputs ---- */

struct trap {
    const char *name;
    const char *source;
    uint32_t least_kept;
    const char *must_reach; /* a line's text that some kept input reaches */
};

static const struct trap traps[] = {
    {"branches",
     "def f(n):\n    if n < 0:\n        return 'minus'\n    if n % 2:\n"
     "        return 'odd'\n    if n > 99:\n        return 'large'\n"
     "    return 'even'\n",
     4, "        return 'large'"},
    {"text",
     "def f(s):\n    out = []\n    for c in s.lower():\n"
     "        if c in 'aeiou':\n            out.append(c)\n"
     "        elif c.isdigit():\n            out.append('#')\n"
     "    return ''.join(out)\n",
     2, "            out.append('#')"},
    {"doctest",
     "def f(code, key):\n    \"\"\"\n    >>> f('HELLO', {'H': 3})\n    3\n"
     "    >>> f('xyz',\n    ...   {})\n    0\n    \"\"\"\n    total = 0\n"
     "    for c in code:\n        if c in key:\n            total += key[c]\n"
     "    return total\n",
     2, "            total += key[c]"},
    {"asserts",
     "def f(a, b):\n    if a == 12345 and b == 'magic':\n"
     "        return 'found'\n    return a\n\n\ndef test_f():\n"
     "    assert f(12345, 'magic') == 'found'\n    assert f(1, b='x') == 1\n",
     2, "        return 'found'"},
    {"literals",
     "def f(word):\n    if word == 'xylophone':\n        return 1\n"
     "    return 0\n",
     2, "        return 1"},
    {"matrix",
     "def f(grid):\n    total = 0\n    for row in grid:\n"
     "        for j in range(len(row)):\n            if row[j] > 3:\n"
     "                total += row[j]\n    return total\n",
     1, "                total += row[j]"},
    {"raises",
     "def f(items: list[int]) -> int:\n    if not items:\n"
     "        raise ValueError('empty')\n    return items[0] // items[-1]\n",
     2, "    return items[0] // items[-1]"},
};

static bool reaches(const struct trace_result *result, const char *line)
{
    struct trace_frame frame;
    bool more = true;

    trace_reader_rewind(result->reader);
    while (trace_reader_next(result->reader, &frame, &more, NULL) == CWM_OK &&
           more) {
        size_t len;
        const char *text = source_line(result->source, frame.line, &len);

        if (strlen(line) == len && memcmp(text, line, len) == 0) {
            return true;
        }
    }
    return false;
}

static int check_trap(const struct trap *trap)
{
    struct inputs_settings settings;
    struct inputs *in = NULL;     /* owned */
    struct source *source = NULL; /* owned */
    struct inputs_try one;
    struct cwm_err err = {0};
    uint32_t n_kept = 0;
    uint32_t n_raised = 0;
    bool reached = false;
    bool more = false;

    if (source_new_text(trap->source, strlen(trap->source), "trap", &source,
                        &err) != CWM_OK) {
        die(trap->name, &err);
    }
    inputs_settings_default(&settings);
    settings.max_tries = 150;
    if (inputs_new(source, 0, &settings, SEED, &in, &err) != CWM_OK) {
        die(trap->name, &err);
    }
    while (inputs_next(in, &one, &more, &err) == CWM_OK && more) {
        struct inputs_outcome outcome;
        struct trace_result result;
        bool keep = false;

        run(trap->source, strlen(trap->source), "f", one.args, &result);
        if (result.verdict == TRACE_VERDICT_BAD_ARGS &&
            one.origin > INPUTS_CALL && one.origin != INPUTS_MUTATED) {
            fprintf(stderr, "%s: bad arguments: %s\n", trap->name, one.args);
            return 1;
        }
        if (inputs_outcome_of(&result, &outcome, &err) != CWM_OK ||
            inputs_report(in, &outcome, &keep, &err) != CWM_OK) {
            die(trap->name, &err);
        }
        if (keep) {
            n_kept++;
            n_raised += outcome.verdict == TRACE_VERDICT_EXCEPTION;
            reached = reached || reaches(&result, trap->must_reach);
        }
        inputs_outcome_release(&outcome);
    }
    inputs_free(in);
    source_free(source);
    printf("%s: %u kept, %u of them raise\n", trap->name, n_kept, n_raised);
    if (n_kept < trap->least_kept || !reached ||
        n_raised * 1000 > n_kept * settings.exception_permille) {
        fprintf(stderr, "%s: %u kept (at least %u), line %sreached\n",
                trap->name, n_kept, trap->least_kept, reached ? "" : "not ");
        return 1;
    }
    return 0;
}

static int check_inputs(void)
{
    int n_bad = 0;

    for (size_t i = 0; i < sizeof traps / sizeof traps[0]; i++) {
        n_bad += check_trap(&traps[i]);
    }
    return n_bad ? 1 : 0;
}

/* ---- golden traces ---- */

static int check_golden(const char *path)
{
    struct lines *lines = NULL; /* owned */
    struct trace_job defaults = {0};
    struct line line;
    struct cwm_err err = {0};
    uint64_t n = 0;
    bool more = true;

    if (access(path, R_OK) != 0) {
        printf("SKIPPED: there is no %s\n", path);
        return getenv("CWM_GOLDEN_MUST_BE_THERE") ? 1 : 77;
    }
    trace_limits_default(&defaults.limits);
    if (lines_open(path, (size_t)64 << 20, NULL, &lines, &err) != CWM_OK) {
        die(path, &err);
    }
    while (lines_next(lines, &line, &more, &err) == CWM_OK && more) {
        struct job_line *job = NULL; /* owned */
        struct trace_result result;

        if (job_line_new(line.text, line.len, &defaults, "", &job, &err) !=
                CWM_OK ||
            tracer_run(tracer, job_line_job(job), NULL, &result, &err) !=
                CWM_OK) {
            die(path, &err);
        }
        narrate_all(&result, line.number);
        n++;
        job_line_free(job);
    }
    lines_close(lines);
    printf("%" PRIu64 " golden traces told in %d styles and read back\n", n,
           NARRATE_N_STYLES);
    return n > 0 ? 0 : 1;
}

static int run_what(const char *what, const char *path)
{
    if (strcmp(what, "generate") == 0) {
        return check_generated();
    }
    if (strcmp(what, "raise") == 0) {
        return check_raising();
    }
    if (strcmp(what, "versions") == 0) {
        return check_version();
    }
    if (strcmp(what, "mutate") == 0) {
        return check_mutants();
    }
    if (strcmp(what, "inputs") == 0) {
        return check_inputs();
    }
    if (strcmp(what, "narrate") == 0 && path) {
        return check_golden(path);
    }
    fprintf(stderr, "there is no test '%s'\n", what);
    return 2;
}

int main(int argc, char **argv)
{
    struct tracer_options options = {.max_trace_bytes = (uint64_t)16 << 20};
    struct cwm_err err = {0};
    int status;

    if (argc < 4) {
        fprintf(stderr, "usage: run_programs WHAT WORKERS PYTHON [FILE]\n");
        return 2;
    }
    options.worker_dir = argv[2];
    options.python = argv[3];
    if (tracer_open(&options, &tracer, &err) != CWM_OK) {
        printf("SKIPPED: %s\n", err.message);
        return getenv("CWM_MUST_WORK") ? 1 : 77;
    }
    status = run_what(argv[1], argc > 4 ? argv[4] : NULL);
    tracer_close(tracer);
    return status;
}
