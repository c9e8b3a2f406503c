/* SPDX-License-Identifier: MIT */
/* cmd_dataset.c -- `cwm dataset`: the options, and which verb it is. */
#include "cwm/cli/cmd_dataset.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/cli/cli.h"

enum { BAR_CELLS = 24, REDRAW_MS = 100, MAX_LINE_BYTES = 512 };

#define FIELD(field) offsetof(struct dataset_fields, field)
#define RUNNING_AT   FIELD(run)

static const char *const formats[] = {"jsonl", "cwm", "narration", NULL};

static const char *const uses[] = {
    "build --store STORE [options] SOURCE...",
    "stats --store STORE [--json] [--html PAGE]",
    "show --store STORE [HASH]",
    "check --store STORE",
    "export --store STORE --format jsonl|cwm|narration -o DIR [options]",
    "merge --store OUT IN...",
    NULL};

static const char *const examples[] = {
    "cwm dataset build --store traces.db corpus.jsonl.zst src/ generate:10000",
    "cwm dataset stats --store traces.db --html stats.html",
    "cwm dataset export --store traces.db -o out/ --benchmarks mbpp.jsonl",
    "cwm dataset build --store part2.db --shard 2/8 corpus.jsonl.zst",
    "cwm dataset merge --store all.db part1.db part2.db",
    NULL};

static const struct opt options[] = {
    {.group = "For every verb",
     .name = "store",
     .type = OPT_STRING,
     .offset = FIELD(store),
     .value = "STORE",
     .help = "the store: one file"},
    {.name = "workers",
     .type = OPT_U64,
     .offset = FIELD(workers),
     .value = "N",
     .fallback = "0",
     .max = 256,
     .help = "things done at once; 0 is one for each core"},
    {.name = "seed",
     .type = OPT_U64,
     .offset = FIELD(seed),
     .value = "N",
     .fallback = "0",
     .max = INT64_MAX,
     .help = "of build: inputs, mutants, generated programs; of export: "
             "splits; of check: the sample"},
    {.name = "json",
     .type = OPT_FLAG,
     .offset = FIELD(json),
     .help = "results as one JSON object on standard output"},
    {.group = "Building",
     .name = "limit",
     .type = OPT_U64,
     .offset = FIELD(limit),
     .value = "N",
     .fallback = "0",
     .max = INT64_MAX,
     .help = "only the first N programs of the sources; 0 is all"},
    {.name = "shard",
     .type = OPT_STRING,
     .offset = FIELD(shard),
     .value = "K/N",
     .help = "only every N-th program, from the K-th on; "
             "unless told, what SLURM_ARRAY_TASK_ID and "
             "SLURM_ARRAY_TASK_COUNT say, else all"},
    {.name = "max-inputs",
     .type = OPT_U64,
     .offset = FIELD(max_inputs),
     .value = "N",
     .fallback = "8",
     .min = 1,
     .max = 1000,
     .help = "traces kept of one function that came without inputs"},
    {.name = "exceptions",
     .type = OPT_U64,
     .offset = FIELD(exceptions),
     .value = "PERMILLE",
     .fallback = "250",
     .max = 1000,
     .help = "of those, at most so many in a thousand that end in an "
             "exception"},
    {.name = "mutants",
     .type = OPT_U64,
     .offset = FIELD(mutants),
     .value = "N",
     .fallback = "0",
     .max = 10000,
     .help = "mutants made of each program, and traced"},
    {.name = "programs",
     .type = OPT_STRING,
     .offset = FIELD(programs),
     .value = "FILE",
     .help = "what generate:COUNT makes: a JSON object of settings, see "
             "docs/programs.md; those it does not name stay as they are"},
    {.group = "Building from tests",
     .name = "tests",
     .type = OPT_LIST,
     .offset = FIELD(tests),
     .value = "PATTERN",
     .help = "only tests whose node id fits, as file names do: "
             "'tests/test_api.py::*'; all unless told"},
    {.name = "enter",
     .type = OPT_U64,
     .offset = FIELD(enter),
     .value = "PERMILLE",
     .fallback = "500",
     .max = 1000,
     .help = "of the calls within an episode, so many in a thousand are "
             "entered; the others are passed by, and may be episodes of their "
             "own"},
    {.name = "depth",
     .type = OPT_U64,
     .offset = FIELD(depth),
     .value = "N",
     .fallback = "3",
     .max = 1000,
     .help = "how deep calls are entered, below an episode's function"},
    {.name = "episodes",
     .type = OPT_U64,
     .offset = FIELD(episodes),
     .value = "N",
     .fallback = "8",
     .min = 1,
     .max = 10000,
     .help = "traces kept of one function, of each test file"},
    {.name = "test-functions",
     .type = OPT_FLAG,
     .offset = FIELD(test_functions),
     .help = "trace the functions of test files, too"},
    {.group = "Exporting",
     .name = "format",
     .type = OPT_ENUM,
     .offset = FIELD(format),
     .choices = formats,
     .fallback = "jsonl",
     .help = "jsonl: records; cwm: the text that models learn, as \"text\"; "
             "narration: the trace told in English"},
    {.letter = 'o',
     .name = "out",
     .type = OPT_STRING,
     .offset = FIELD(out),
     .value = "DIR",
     .help = "the folder to make"},
    {.name = "overwrite",
     .type = OPT_FLAG,
     .offset = FIELD(overwrite),
     .help = "replace DIR where it is an earlier export"},
    {.name = "plain",
     .type = OPT_FLAG,
     .offset = FIELD(plain),
     .help = "do not compress"},
    {.name = "full-locals",
     .type = OPT_FLAG,
     .offset = FIELD(full_locals),
     .help = "in jsonl: every local's text in every frame, never \"..\""},
    {.name = "shard-bytes",
     .type = OPT_U64,
     .offset = FIELD(shard_bytes),
     .value = "N",
     .fallback = "268435456",
     .min = 1 << 16,
     .max = 1UL << 40,
     .in_bytes = true,
     .help = "rows of a file, before compression"},
    {.name = "name",
     .type = OPT_STRING,
     .offset = FIELD(name),
     .value = "NAME",
     .fallback = "Python execution traces",
     .help = "what the card calls the data set"},
    {.group = "What is exported",
     .name = "benchmarks",
     .type = OPT_LIST,
     .offset = FIELD(benchmarks),
     .value = "FILE",
     .help = "leave out what overlaps with this benchmark (HumanEval, MBPP, "
             "CRUXEval, or any JSONL file with code in it)"},
    {.name = "near-duplicates",
     .type = OPT_U64,
     .offset = FIELD(near_duplicates),
     .value = "PERCENT",
     .fallback = "80",
     .max = 100,
     .help = "programs that are this similar count as one; 0 keeps all"},
    {.name = "verdict",
     .type = OPT_LIST,
     .offset = FIELD(verdicts),
     .value = "VERDICT",
     .help = "only traces that ended so; all unless told"},
    {.name = "keep-frames",
     .type = OPT_U64,
     .offset = FIELD(keep_frames),
     .value = "N",
     .fallback = "0",
     .max = INT64_MAX,
     .help = "leave out traces of more frames; 0 is no limit"},
    {.name = "keep-bytes",
     .type = OPT_U64,
     .offset = FIELD(keep_bytes),
     .value = "N",
     .fallback = "0",
     .max = INT64_MAX,
     .in_bytes = true,
     .help = "leave out traces of more text; 0 is no limit"},
    {.name = "licence",
     .type = OPT_LIST,
     .offset = FIELD(licences),
     .value = "LICENCE",
     .help = "only programs under this licence (\"MIT\"); all unless told"},
    {.name = "validation",
     .type = OPT_U64,
     .offset = FIELD(validation),
     .value = "PERMILLE",
     .fallback = "10",
     .max = 500,
     .help = "families of programs in a thousand that go to split validation"},
    {.name = "test",
     .type = OPT_U64,
     .offset = FIELD(test),
     .value = "PERMILLE",
     .fallback = "10",
     .max = 500,
     .help = "the same for split test"},
    {.name = "evaluation",
     .type = OPT_FLAG,
     .offset = FIELD(evaluation),
     .help = "export what comes from benchmarks instead, as split test"},
    {.group = "Looking",
     .name = "html",
     .type = OPT_STRING,
     .offset = FIELD(html),
     .value = "PAGE",
     .help = "of stats: write a page with plots there"},
    {.name = "sample",
     .type = OPT_U64,
     .offset = FIELD(sample),
     .value = "N",
     .fallback = "100",
     .max = INT64_MAX,
     .help = "of check: traces to make again and compare"},
    {.name = "repository",
     .type = OPT_LIST,
     .offset = FIELD(repositories),
     .value = "PATH",
     .help = "of check: where a repository lies whose tests were traced; "
             "without it their traces are not made again"},
    {.group = "The runs", RUNNING_PYTHON},
    {RUNNING_WALLS},
    TRACE_LIMIT_TABLE(RUNNING_LIMIT)};

static const struct opt_command command = {
    .name = "dataset",
    .summary = "programs in, a store of traces, training files out",
    .uses = uses,
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .examples = examples,
    .notes =
        "A SOURCE is a folder, a Python file, a JSONL file (plain, .zst, .gz) "
        "or\nKIND:PATH with one of the kinds file, dir, jsonl, jobs, cruxeval, "
        "humaneval,\nmbpp, contest; generate:COUNT makes programs.\n\n"
        "Exit status:\n"
        "  0  done; of check: all is as it should be\n"
        "  1  of check: something is wrong\n"
        "  2  the request cannot be carried out as given\n"
        "  3  our own failure\n",
    .max_positionals = 4096,
};

/* ---- the line on the terminal ---- */

void dataset_progress(struct progress *p, uint64_t done, uint64_t total,
                      const char *what, const char *tail)
{
    struct cwm_buf line;
    double now = cli_now();
    double rate = now > p->start ? (double)done / (now - p->start) : 0;
    char left[32] = "";

    if (!p->enabled || (now - p->last) * 1000 < REDRAW_MS) {
        return;
    }
    cwm_buf_init(&line, MAX_LINE_BYTES);
    if (total > 0) {
        uint64_t full = done * BAR_CELLS / total;

        cwm_buf_addc(&line, '[');
        for (uint64_t i = 0; i < BAR_CELLS; i++) {
            cwm_buf_addc(&line, i < full ? '#' : '.');
        }
        cwm_buf_adds(&line, "] ");
    }
    cwm_buf_addf(&line, "%llu", (unsigned long long)done);
    if (total > 0) {
        cwm_buf_addf(&line, "/%llu", (unsigned long long)total);
    }
    cwm_buf_addf(&line, " %s  %.0f/s", what, rate);
    if (total > done && rate > 0) {
        cli_seconds((double)(total - done) / rate, left, sizeof left);
        cwm_buf_addf(&line, "  %s left", left);
    }
    cwm_buf_addf(&line, "  %s", tail);
    if (line.data) {
        fprintf(stderr, "\r\033[K%.*s", (int)cli_columns(STDERR_FILENO) - 1,
                line.data);
        fflush(stderr);
    }
    cwm_buf_release(&line);
    p->drawn = true;
    p->last = now;
}

/* ---- verbs ---- */

static int no_such_verb(const char *word)
{
    static const char *const verbs[] = {"build", "stats",  "show",
                                        "check", "export", "merge"};
    const char *near = opt_nearest(word, verbs, 6);

    if (near) {
        return cli_usage("dataset", "there is no '%.40s'; did you mean '%s'?",
                         word, near);
    }
    return cli_usage("dataset", "one of build, stats, show, check, export and "
                                "merge is needed");
}

static int run_verb(const struct dataset_fields *f, const struct opt_rest *rest)
{
    const char *verb = rest->n > 0 ? rest->values[0] : "";
    const char **words = rest->values + 1;
    size_t n = rest->n > 0 ? rest->n - 1 : 0;
    bool takes_words = strcmp(verb, "build") == 0 ||
                       strcmp(verb, "show") == 0 || strcmp(verb, "merge") == 0;

    if (!takes_words && strcmp(verb, "stats") != 0 &&
        strcmp(verb, "check") != 0 && strcmp(verb, "export") != 0) {
        return no_such_verb(verb);
    }
    if (!f->store) {
        return cli_usage("dataset", "%s needs --store STORE", verb);
    }
    if (!takes_words && n > 0) {
        return cli_usage("dataset", "%s takes no '%.60s'", verb, words[0]);
    }
    switch (verb[0]) {
    case 'b':
        return dataset_build(f, words, n);
    case 'm':
        return dataset_merge(f, words, n);
    case 'c':
        return dataset_check(f);
    case 'e':
        return dataset_export(f);
    default:
        return verb[1] == 'h' ? dataset_show(f, words, n) : dataset_stats(f);
    }
}

void dataset_add_given(const struct dataset_fields *f, const char *const *skip,
                       struct cwm_buf *out)
{
    opt_add_given(&command, f, skip, out);
}

static int run(int argc, char **argv)
{
    struct dataset_fields fields;
    struct opt_rest rest;
    int code = cli_parse(&command, argc, argv, &fields, &rest);

    if (code < 0) {
        code = run_verb(&fields, &rest);
        cwm_free(rest.values);
    }
    return code;
}

const struct cli_command cli_dataset = {&command, run};
