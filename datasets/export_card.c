/* SPDX-License-Identifier: MIT */
/*
 * export_card.c -- the card: what Hugging Face reads, then what people read.
 *
 * Columns are declared, not left to be guessed from the first rows: one that
 * is null in all of those would get a type that later rows do not fit.
 */
#include "datasets/export_card.h"

#include <string.h>

typedef unsigned long long ull;

static const char json_features[] =
    "  - name: id\n    dtype: string\n"
    "  - name: verdict\n    dtype: string\n"
    "  - name: detail\n    dtype: string\n"
    "  - name: python\n    dtype: string\n"
    "  - name: entry\n    dtype: string\n"
    "  - name: args\n    dtype: string\n"
    "  - name: stdin\n    dtype: string\n"
    "  - name: context\n    dtype: string\n"
    "  - name: frames\n    list:\n"
    "    - name: event\n      dtype: string\n"
    "    - name: line\n      dtype: int64\n"
    "    - name: depth\n      dtype: int64\n"
    "    - name: function\n      dtype: string\n"
    "    - name: locals\n      dtype: string\n"
    "    - name: source\n      dtype: string\n"
    "    - name: arg\n      dtype: string\n"
    "  - name: result\n    dtype: string\n"
    "  - name: exception\n    struct:\n"
    "    - name: type\n      dtype: string\n"
    "    - name: message\n      dtype: string\n"
    "  - name: stdout\n    dtype: string\n"
    "  - name: stderr\n    dtype: string\n"
    "  - name: truncated_values\n    dtype: int64\n";

static const char text_features[] = "  - name: id\n    dtype: string\n"
                                    "  - name: text\n    dtype: string\n"
                                    "  - name: style\n    dtype: string\n"
                                    "  - name: verdict\n    dtype: string\n"
                                    "  - name: python\n    dtype: string\n"
                                    "  - name: entry\n    dtype: string\n"
                                    "  - name: args\n    dtype: string\n";

static const char common_features[] =
    "  - name: counts\n    struct:\n"
    "    - name: frames\n      dtype: int64\n"
    "    - name: calls\n      dtype: int64\n"
    "    - name: lines\n      dtype: int64\n"
    "  - name: program\n    dtype: string\n"
    "  - name: family\n    dtype: string\n"
    "  - name: input_origin\n    dtype: string\n"
    "  - name: label\n    dtype: string\n"
    "  - name: kind\n    dtype: string\n"
    "  - name: origin\n    dtype: string\n"
    "  - name: path\n    dtype: string\n"
    "  - name: commit\n    dtype: string\n"
    "  - name: licence\n    dtype: string\n"
    "  - name: parent\n    dtype: string\n"
    "  - name: change\n    dtype: string\n"
    "  - name: origins\n    dtype: int64\n";

static const char json_fields[] =
    "| `id` | hash of what was asked: program, entry, arguments, settings |\n"
    "| `verdict`, `detail` | how the run ended: `ok`, `exception`, `exit`, "
    "`timeout`, `memory`, `frame_limit`, ... |\n"
    "| `python` | version of the interpreter |\n"
    "| `entry`, `args`, `stdin` | what was called (null: the whole program as "
    "a script), with what |\n"
    "| `context` | the program, its entry marked by `# << START_OF_TRACE` |\n"
    "| `frames` | the trace: `event` (call, line, return, exception), `line`, "
    "`depth`, `function`, `locals`, `source`, `arg` |\n"
    "| `frames.locals` | a JSON object as text, name to the value's text; `..` "
    "is unchanged |\n"
    "| `result`, `exception`, `stdout`, `stderr` | what came of the run |\n"
    "| `truncated_values` | texts that were cut at the limit |\n";

static const char text_fields[] =
    "| `id` | hash of what was asked: program, entry, arguments, settings |\n"
    "| `text`, `style` | the trace: `cwm` is the text form of Code World Model, "
    "`story`, `steps` and `dialogue` are English |\n"
    "| `verdict`, `python`, `entry`, `args` | how the run ended; what was "
    "called, with what |\n";

static const char common_fields[] =
    "| `counts` | frames, calls, lines |\n"
    "| `program`, `family` | hashes: of the text, and of what never crosses a "
    "split with it |\n"
    "| `input_origin` | where the arguments come from |\n"
    "| `label` | of contest solutions: right or wrong on this input |\n"
    "| `kind`, `origin`, `path`, `commit`, `licence` | where the program comes "
    "from (the first of its `origins`) |\n"
    "| `parent`, `change` | of a mutant: the program it was made from, and "
    "how |\n";

static uint64_t total_traces(const struct export_stats *done)
{
    uint64_t n = 0;

    for (int i = 0; i < CLEAN_N_SPLITS; i++) {
        n += done->n_traces[i];
    }
    return n;
}

static const char *size_category(uint64_t n)
{
    static const struct {
        uint64_t below;
        const char *name;
    } sizes[] = {{1000, "n<1K"},         {10000, "1K<n<10K"},
                 {100000, "10K<n<100K"}, {1000000, "100K<n<1M"},
                 {10000000, "1M<n<10M"}, {100000000, "10M<n<100M"}};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (n < sizes[i].below) {
            return sizes[i].name;
        }
    }
    return "100M<n<1B";
}

/* One licence of all programs has a name of its own; several are "other". */
static void add_licence(const struct stats *store, struct cwm_buf *out)
{
    bool is_mit = store->licences.n == 1 &&
                  strcmp(store->licences.rows[0].name, "MIT") == 0;

    cwm_buf_addf(out, "license: %s\n", is_mit ? "mit" : "other");
}

static void add_head(const struct export_options *o,
                     const struct export_stats *done, const struct stats *store,
                     const struct export_files *files, struct cwm_buf *out)
{
    cwm_buf_adds(out, "---\n");
    add_licence(store, out);
    cwm_buf_adds(out, "pretty_name: ");
    cwm_buf_add_json(out, o->name, strlen(o->name));
    cwm_buf_addf(out,
                 "\ntask_categories:\n- text-generation\ntags:\n- code\n"
                 "- python\n- execution-traces\nsize_categories:\n- %s\n"
                 "configs:\n- config_name: default\n  data_files:\n",
                 size_category(total_traces(done)));
    for (int i = 0; i < CLEAN_N_SPLITS; i++) {
        const char *split = clean_split_text((enum clean_split)i);

        if (export_files_n_of(files, (enum clean_split)i) > 0) {
            cwm_buf_addf(out, "  - split: %s\n    path: \"%s-*.jsonl%s\"\n",
                         split, split, o->plain ? "" : ".zst");
        }
    }
    cwm_buf_adds(out, "dataset_info:\n  features:\n");
    cwm_buf_adds(out,
                 o->format == EXPORT_JSONL ? json_features : text_features);
    cwm_buf_adds(out, common_features);
    cwm_buf_adds(out, "---\n\n");
}

static void add_splits(const struct export_stats *done,
                       const struct export_files *files, struct cwm_buf *out)
{
    cwm_buf_adds(out, "| split | programs | traces | files |\n|---|---|---|---|"
                      "\n");
    for (int i = 0; i < CLEAN_N_SPLITS; i++) {
        cwm_buf_addf(out, "| %s | %llu | %llu | %llu |\n",
                     clean_split_text((enum clean_split)i),
                     (ull)done->n_split_programs[i], (ull)done->n_traces[i],
                     (ull)export_files_n_of(files, (enum clean_split)i));
    }
    cwm_buf_addc(out, '\n');
}

static void add_names(const char *title, const struct stats_counts *c,
                      struct cwm_buf *out)
{
    if (c->n == 0) {
        return;
    }
    cwm_buf_addf(out, "%s: ", title);
    for (size_t i = 0; i < c->n; i++) {
        cwm_buf_addf(out, "%s%s (%llu)", i > 0 ? ", " : "", c->rows[i].name,
                     (ull)c->rows[i].n);
    }
    cwm_buf_adds(out, ".\n\n");
}

static void add_cleaning(const struct export_options *o,
                         const struct export_stats *done, struct cwm_buf *out)
{
    cwm_buf_adds(out, "## Cleaning\n\n");
    cwm_buf_adds(out, "Programs with the same text count once. ");
    if (o->clean.near_duplicate_percent > 0) {
        cwm_buf_addf(out,
                     "Near duplicates are found by MinHash (128 places, "
                     "shingles of 5 tokens) at a similarity of %u %%. ",
                     o->clean.near_duplicate_percent);
    }
    cwm_buf_adds(out, "Benchmarks' own programs are never among the rows");
    if (o->clean.n_benchmarks > 0) {
        cwm_buf_adds(out, ", nor are programs that overlap with those of ");
        for (size_t i = 0; i < o->clean.n_benchmarks; i++) {
            const char *slash = strrchr(o->clean.benchmarks[i], '/');

            cwm_buf_addf(out, "%s`%s`", i > 0 ? ", " : "",
                         slash ? slash + 1 : o->clean.benchmarks[i]);
        }
    }
    cwm_buf_adds(out, ". A split is drawn for a family of programs: a program, "
                      "its mutants, its near duplicates, versions of one file. "
                      "`removed.jsonl` names what was left out and why.\n\n"
                      "| left out | programs |\n|---|---|\n");
    for (int i = CLEAN_KEPT + 1; i < CLEAN_N_REASONS; i++) {
        cwm_buf_addf(out, "| %s | %llu |\n",
                     clean_reason_text((enum clean_reason)i),
                     (ull)done->n_removed[i]);
    }
    cwm_buf_addf(out, "\nTraces left out by verdict or size: %llu",
                 (ull)done->n_filtered);
    if (o->format != EXPORT_JSONL) {
        cwm_buf_addf(out,
                     "; because the form cannot tell them (they hold a "
                     "token's name as text, or are too long): %llu",
                     (ull)done->n_untold);
    }
    cwm_buf_adds(out, ".\n\n");
}

/* Commands whose shards are all there stand once, without them. */
static enum cwm_rc add_builds(struct store *s, struct cwm_buf *out,
                              struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_build build;
    bool more = true;
    bool is_first = true;
    enum cwm_rc rc = store_builds(s, &cursor, err);

    while (rc == CWM_OK && more) {
        bool whole;

        rc = store_build_next(cursor, &build, &more, err);
        if (rc != CWM_OK || !more) {
            continue;
        }
        whole = build.n_there == build.n_shards;
        if (whole && build.shard > 1) {
            continue;
        }
        cwm_buf_adds(out,
                     is_first ? "Its programs were traced by:\n\n```\n" : "");
        is_first = false;
        cwm_buf_adds(out, build.command);
        if (!whole) {
            cwm_buf_addf(out, " --shard %llu/%llu", (ull)build.shard,
                         (ull)build.n_shards);
        }
        cwm_buf_addf(out, "  # cwm %s\n", build.version);
    }
    cwm_buf_adds(out, is_first ? "" : "```\n\n");
    store_cursor_close(cursor);
    return rc;
}

enum cwm_rc export_card(const struct export_options *o, struct store *s,
                        const struct export_stats *done,
                        const struct stats *stats,
                        const struct export_files *files, struct cwm_buf *out,
                        struct cwm_err *err)
{
    char content[HASH_TEXT];
    enum cwm_rc rc;

    hash_text(&stats->content, content);
    add_head(o, done, stats, files, out);
    cwm_buf_addf(out,
                 "# %s\n\nPython programs run line by line: at every line the "
                 "values of the local variables, at every return what is "
                 "returned. %llu traces, made by running the programs in a "
                 "jail.\n\n",
                 o->name, (ull)total_traces(done));
    add_splits(done, files, out);
    cwm_buf_adds(out, "## Fields\n\n| field | |\n|---|---|\n");
    cwm_buf_adds(out, o->format == EXPORT_JSONL ? json_fields : text_fields);
    cwm_buf_adds(out, common_fields);
    cwm_buf_adds(out, "\n## What is in the store\n\n");
    add_names("Programs by kind of source", &stats->kinds, out);
    add_names("By origin", &stats->origins, out);
    add_names("By licence", &stats->licences, out);
    add_names("Traces by verdict", &stats->verdicts, out);
    add_names("By interpreter", &stats->pythons, out);
    add_cleaning(o, done, out);
    cwm_buf_adds(out, "## How it was made\n\n");
    rc = add_builds(s, out, err);
    cwm_buf_addf(out,
                 "Exported by cwm %s from a store with the content hash "
                 "`%s`:\n\n```\n%s\n```\n",
                 o->tool_version, content, o->command);
    return rc;
}
