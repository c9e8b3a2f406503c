/* SPDX-License-Identifier: MIT */
/*
 * cmd_pack.c -- `cwm pack`: records of traces into shards of token ids.
 *
 * Lines go through a pipeline of packers (cwm/model/pack.h), one a thread, and
 * in their order into a folder of shards (datasets/pack_folder.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "cwm/base/io.h"
#include "cwm/base/lines.h"
#include "cwm/base/pipeline.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/progress.h"
#include "cwm/cli/version.h"
#include "cwm/model/pack.h"
#include "datasets/pack_folder.h"
#include "tracer/jobs.h"

enum {
    WINDOW = 1024,
    MAX_STAMP_BYTES = 1 << 16,
    MAX_SUMMARY_BYTES = 1 << 16,
    MAX_SKIPS_TOLD = 20
};

#define BUDGET_BYTES ((size_t)256 << 20)

#define REDRAW_SECONDS 0.1

struct pack_fields {
    const char *tokenizer;
    const char *out;
    uint64_t shard_tokens;
    const char *held_out;
    uint64_t max_tokens;
    uint64_t workers;
    bool overwrite;
    bool json;
};

/* What a worker puts in front of a document's ids and classes. */
struct packed_head {
    uint64_t n; /* tokens; 0: the record has no frames */
    uint64_t program_hash;
};

struct note {
    bool is_bad; /* out is a message */
};

struct packing {
    const struct pack_fields *fields;
    double held_out;    /* fraction */
    const char **paths; /* borrowed */
    size_t n_paths;
    size_t at;           /* of paths: the one being read */
    struct lines *lines; /* owned; NULL: none is open */
    const volatile int *cancel;
    struct tokenizer *tokenizer;   /* owned */
    struct trace_packer **packers; /* owned; one a thread */
    unsigned n_threads;
    struct pack_folder *folder; /* owned */
    struct pack_counts counts;
    uint64_t n_there; /* records that earlier runs have dealt with */
    uint64_t n_new;   /* tokens of this run */
    struct progress progress;
    unsigned n_told; /* lines that were skipped */
};

/* ---- the command line ---- */

#define FIELD(field) offsetof(struct pack_fields, field)

static const char *const uses[] = {
    "--tokenizer FILE --out DIR TRACES.jsonl ... [options]", NULL};

static const char *const examples[] = {
    "cwm pack --tokenizer tokenizer.json --out shards traces.jsonl.zst", NULL};

static const struct opt options[] = {
    {.group = "What goes in",
     .name = "tokenizer",
     .type = OPT_STRING,
     .offset = FIELD(tokenizer),
     .value = "FILE",
     .help = "a tokenizer that has the tokens of traces; its hash is in every "
             "shard"},
    {.name = "max-tokens",
     .type = OPT_U64,
     .offset = FIELD(max_tokens),
     .value = "N",
     .fallback = "0",
     .max = SHARD_MAX_DOCUMENT_TOKENS,
     .help = "leave out traces that are longer; 0: none is too long"},
    {.group = "What comes out",
     .letter = 'o',
     .name = "out",
     .type = OPT_STRING,
     .offset = FIELD(out),
     .value = "DIR",
     .help = "the folder for the shards; made when it is not there"},
    {.name = "shard-tokens",
     .type = OPT_U64,
     .offset = FIELD(shard_tokens),
     .value = "N",
     .fallback = "64M",
     .min = 1,
     .max = UINT64_C(1) << 40,
     .in_bytes = true,
     .help = "begin another shard once one has so many tokens"},
    {.name = "held-out",
     .type = OPT_STRING,
     .offset = FIELD(held_out),
     .value = "FRACTION",
     .fallback = "0.01",
     .help = "share of the programs, chosen by their hash, whose traces are "
             "kept apart from training"},
    {.name = "overwrite",
     .type = OPT_FLAG,
     .offset = FIELD(overwrite),
     .help = "start anew where DIR holds shards, instead of going on"},
    {.name = "json",
     .type = OPT_FLAG,
     .offset = FIELD(json),
     .help = "the summary as one JSON object on standard output"},
    {.group = "The run",
     .name = "workers",
     .type = OPT_U64,
     .offset = FIELD(workers),
     .value = "N",
     .fallback = "0",
     .max = 256,
     .help = "threads; 0 is one for each core; the shards do not depend on "
             "it"},
};

static const struct opt_command command = {
    .name = "pack",
    .summary = "traces into shards of token ids for training",
    .uses = uses,
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .examples = examples,
    .notes = "TRACES are the records of 'cwm trace --jobs', plain or packed "
             "(zstd, gzip);\n'-' is standard input.  A run that was stopped is "
             "gone on with by the same\ncommand.\n\n"
             "Exit status:\n"
             "  0  done\n"
             "  1  done, but there were lines that are no records of traces\n"
             "  2  the request cannot be carried out as given\n"
             "  3  our own failure, or input that cannot be read\n"
             "  128 + N  stopped by signal N\n",
    .max_positionals = 4096,
};

/* ---- the pipeline's three steps ---- */

/* The next line of all files; *ret_more false behind the last one's last. */
static enum cwm_rc next_line(struct packing *p, struct line *line,
                             bool *ret_more, struct cwm_err *err)
{
    for (;;) {
        enum cwm_rc rc = CWM_OK;

        if (!p->lines && p->at == p->n_paths) {
            *ret_more = false;
            return CWM_OK;
        }
        if (!p->lines) {
            rc = lines_open(p->paths[p->at], JOBS_MAX_RECORD_BYTES, p->cancel,
                            &p->lines, err);
        }
        if (rc == CWM_OK) {
            rc = lines_next(p->lines, line, ret_more, err);
        }
        if (rc != CWM_OK || *ret_more) {
            return rc;
        }
        lines_close(p->lines);
        p->lines = NULL;
        p->at++;
    }
}

/* In front of a message for the line: which one it is. */
static void name_line(const struct packing *p, const struct line *line,
                      struct cwm_buf *out)
{
    const char *path = p->paths[p->at];

    cwm_buf_addf(out, "%s:%llu",
                 strcmp(path, "-") == 0 ? "standard input" : path,
                 (unsigned long long)line->number);
    cwm_buf_addc(out, '\0');
}

static enum cwm_rc read_step(void *ctx, struct pipeline_item *item,
                             bool *ret_more, struct cwm_err *err)
{
    struct packing *p = ctx;
    struct line line;
    enum cwm_rc rc = next_line(p, &line, ret_more, err);

    if (rc != CWM_OK || !*ret_more) {
        return rc;
    }
    name_line(p, &line, &item->in);
    item->tag = item->in.len; /* the line is behind its name */
    if (!line.cut) {
        cwm_buf_add(&item->in, line.text, line.len);
    }
    return cwm_buf_check(&item->in, "a record", err);
}

static void put_document(const struct packed_trace *trace, struct cwm_buf *out)
{
    struct packed_head head = {trace->n, trace->program_hash};

    cwm_buf_add(out, &head, sizeof head);
    cwm_buf_add(out, trace->ids, trace->n * sizeof *trace->ids);
    cwm_buf_add(out, trace->classes, trace->n);
}

static enum cwm_rc work_step(void *ctx, unsigned thread,
                             struct pipeline_item *item, struct cwm_err *err)
{
    struct packing *p = ctx;
    struct note *note = item->note;
    struct cwm_err why = {.code = CWM_OK};
    struct packed_trace trace;
    enum cwm_rc rc = trace_pack(p->packers[thread], item->in.data + item->tag,
                                item->in.len - item->tag, &trace, &why);

    if (rc == CWM_OK) {
        put_document(&trace, &item->out);
    } else if (rc == CWM_FORMAT || rc == CWM_LIMIT) {
        note->is_bad = true;
        cwm_buf_addf(&item->out, "%s: %s", item->in.data, why.message);
    } else {
        return CWM_FAIL(err, rc, "%s", why.message);
    }
    return cwm_buf_check(&item->out, "a trace's tokens", err);
}

static enum cwm_rc add_document(struct packing *p, const struct cwm_buf *out,
                                struct cwm_err *err)
{
    uint64_t max = p->fields->max_tokens;
    struct packed_head head;
    const char *ids = out->data + sizeof head;

    memcpy(&head, out->data, sizeof head);
    if (head.n == 0) {
        p->counts.no_frames++;
        return CWM_OK;
    }
    if (max > 0 && head.n > max) {
        p->counts.too_long++;
        return CWM_OK;
    }
    p->n_new += head.n;
    return pack_folder_add(
        p->folder, pack_split_of(head.program_hash, p->held_out),
        (const uint32_t *)(const void *)ids,
        (const uint8_t *)ids + head.n * sizeof(uint32_t), head.n, err);
}

static void show_progress(struct packing *p);

/* The first ones tell what is wrong; all are counted. */
static void tell_skip(struct packing *p, const struct cwm_buf *why)
{
    if (p->n_told >= MAX_SKIPS_TOLD) {
        return;
    }
    progress_clear(&p->progress);
    cli_say("cwm pack: %.*s; skipped%s", (int)strcspn(why->data, "\n"),
            why->data,
            ++p->n_told < MAX_SKIPS_TOLD ? "" : "; more are only counted");
}

static enum cwm_rc write_step(void *ctx, struct pipeline_item *item,
                              struct cwm_err *err)
{
    struct packing *p = ctx;
    const struct note *note = item->note;
    enum cwm_rc rc = CWM_OK;

    p->counts.records++;
    if (note->is_bad) {
        p->counts.bad_lines++;
        tell_skip(p, &item->out);
    } else {
        rc = add_document(p, &item->out, err);
    }
    if (rc == CWM_OK) {
        rc = pack_folder_pass(p->folder, &p->counts, err);
    }
    show_progress(p);
    return rc;
}

/* ---- talk ---- */

static void show_progress(struct packing *p)
{
    double now = cli_now();
    double seconds = now - p->progress.start;
    struct cwm_buf line;
    size_t columns = cli_columns(STDERR_FILENO);
    uint64_t n_new = p->counts.records - p->n_there;

    if (!p->progress.enabled || now - p->progress.last < REDRAW_SECONDS) {
        return;
    }
    cwm_buf_init(&line, MAX_SUMMARY_BYTES);
    cwm_buf_addf(&line, "%llu records  %.0f/s  %.2f M tokens  %.2f M/s",
                 (unsigned long long)p->counts.records,
                 seconds > 0 ? (double)n_new / seconds : 0,
                 (double)p->n_new * 1e-6,
                 seconds > 0 ? (double)p->n_new * 1e-6 / seconds : 0);
    progress_clear(&p->progress);
    if (line.len + 1 < columns) {
        io_write_all(STDERR_FILENO, "standard error", line.data, line.len, NULL,
                     NULL);
        p->progress.drawn = true;
    }
    p->progress.last = now;
    cwm_buf_release(&line);
}

static void tick_step(void *ctx)
{
    show_progress(ctx);
}

static void say_summary(const struct packing *p, bool was_complete)
{
    struct pack_split_info info;
    double seconds = cli_now() - p->progress.start;
    char time[32];

    if (was_complete) {
        cli_say("%s is complete (--overwrite packs anew)", p->fields->out);
    } else {
        cli_seconds(seconds, time, sizeof time);
        cli_say("%llu records in %s, %.2f M tokens (%.2f M/s), %u thread%s",
                (unsigned long long)(p->counts.records - p->n_there), time,
                (double)p->n_new * 1e-6,
                (double)p->n_new * 1e-6 / (seconds > 0 ? seconds : 1e-9),
                p->n_threads, p->n_threads == 1 ? "" : "s");
    }
    for (int i = 0; i < PACK_N_SPLITS; i++) {
        pack_folder_info(p->folder, (enum pack_split)i, &info);
        cli_say("%s: %llu traces, %llu tokens in %llu shard%s",
                pack_split_name((enum pack_split)i),
                (unsigned long long)info.n_documents,
                (unsigned long long)info.n_tokens,
                (unsigned long long)info.n_shards,
                info.n_shards == 1 ? "" : "s");
    }
    if (p->counts.no_frames + p->counts.too_long + p->counts.bad_lines > 0) {
        cli_say("left out: %llu without frames, %llu too long, %llu lines "
                "that are no records",
                (unsigned long long)p->counts.no_frames,
                (unsigned long long)p->counts.too_long,
                (unsigned long long)p->counts.bad_lines);
    }
}

static int print_summary(const struct packing *p)
{
    struct pack_split_info info;
    struct cwm_buf out;
    int code;

    cwm_buf_init(&out, MAX_SUMMARY_BYTES);
    cwm_buf_addf(&out,
                 "{\"records\": %llu, \"bad_lines\": %llu, \"no_frames\": "
                 "%llu, \"too_long\": %llu",
                 (unsigned long long)p->counts.records,
                 (unsigned long long)p->counts.bad_lines,
                 (unsigned long long)p->counts.no_frames,
                 (unsigned long long)p->counts.too_long);
    for (int i = 0; i < PACK_N_SPLITS; i++) {
        pack_folder_info(p->folder, (enum pack_split)i, &info);
        cwm_buf_addf(&out,
                     ", \"%s\": {\"shards\": %llu, \"documents\": %llu, "
                     "\"tokens\": %llu, \"longest\": %llu}",
                     pack_split_name((enum pack_split)i),
                     (unsigned long long)info.n_shards,
                     (unsigned long long)info.n_documents,
                     (unsigned long long)info.n_tokens,
                     (unsigned long long)info.longest);
    }
    cwm_buf_addf(&out, ", \"tokenizer_hash\": \"%016llx\"}\n",
                 (unsigned long long)tokenizer_hash(p->tokenizer));
    code = cli_print("pack", &out);
    cwm_buf_release(&out);
    return code;
}

/* ---- set-up ---- */

/* FNV-1a: tells that a file changed; nobody attacks it. */
static uint64_t hash_more(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * 0x100000001B3U;
    }
    return hash;
}

/*
 * What the shards depend on.  Files are known by name, size and time of
 * change: reading terabytes twice to be sure would cost more than it saves.
 * False where an input is no file.
 */
static bool make_stamp(const struct packing *p, char *stamp, size_t size)
{
    uint64_t hash = 0xCBF29CE484222325U;
    struct stat st;

    for (size_t i = 0; i < p->n_paths; i++) {
        if (strcmp(p->paths[i], "-") == 0 || stat(p->paths[i], &st) != 0 ||
            !S_ISREG(st.st_mode)) {
            return false;
        }
        hash = hash_more(hash, p->paths[i], strlen(p->paths[i]) + 1);
        hash = hash_more(hash, &st.st_size, sizeof st.st_size);
        hash = hash_more(hash, &st.st_mtim, sizeof st.st_mtim);
    }
    snprintf(stamp, size,
             "cwm %s tokenizer %016llx shard_tokens %llu held_out %.17g "
             "max_tokens %llu inputs %zu %016llx",
             CWM_VERSION, (unsigned long long)tokenizer_hash(p->tokenizer),
             (unsigned long long)p->fields->shard_tokens, p->held_out,
             (unsigned long long)p->fields->max_tokens, p->n_paths,
             (unsigned long long)hash);
    return true;
}

static enum cwm_rc open_folder(struct packing *p, bool *ret_complete,
                               struct cwm_err *err)
{
    char stamp[1024];
    struct pack_folder_options how = {
        .folder = p->fields->out,
        .overwrite = p->fields->overwrite,
        .info = {.tokenizer_hash = tokenizer_hash(p->tokenizer),
                 .n_ids = tokenizer_n_ids(p->tokenizer)},
        .shard_tokens = p->fields->shard_tokens,
    };

    how.stamp = make_stamp(p, stamp, sizeof stamp) ? stamp : NULL;
    return pack_folder_open(&how, &p->folder, &p->counts, ret_complete, err);
}

static enum cwm_rc make_packers(struct packing *p, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    p->packers = cwm_calloc(p->n_threads, sizeof(*p->packers));
    if (!p->packers) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make %u packers",
                        p->n_threads);
    }
    for (unsigned i = 0; i < p->n_threads && rc == CWM_OK; i++) {
        rc = trace_packer_new(p->tokenizer, &p->packers[i], err);
    }
    return rc;
}

/* Stand behind what earlier runs have dealt with. */
static enum cwm_rc pass_over(struct packing *p, struct cwm_err *err)
{
    struct line line;
    bool more = true;
    enum cwm_rc rc = CWM_OK;

    p->n_there = p->counts.records;
    for (uint64_t i = 0; i < p->n_there && rc == CWM_OK; i++) {
        rc = next_line(p, &line, &more, err);
        if (rc == CWM_OK && !more) {
            rc = CWM_FAIL(err, CWM_USAGE,
                          "there are fewer records than "
                          "before");
        }
    }
    return rc;
}

static enum cwm_rc run_pipeline(struct packing *p, struct cwm_err *err)
{
    static const struct pipeline_ops steps = {
        .read = read_step,
        .work = work_step,
        .write = write_step,
        .tick = tick_step,
    };
    struct pipeline_options how = {
        .n_threads = p->n_threads,
        .window = WINDOW,
        .budget_bytes = BUDGET_BYTES,
        .max_item_bytes = SHARD_MAX_DOCUMENT_TOKENS * 5 + 64,
        .note_bytes = sizeof(struct note),
        .cancel = p->cancel,
    };
    enum cwm_rc rc = pass_over(p, err);

    if (rc == CWM_OK) {
        rc = pipeline_run(&how, &steps, p, err);
    }
    if (rc == CWM_OK) {
        rc = pack_folder_complete(p->folder, &p->counts, err);
    }
    return rc;
}

static enum cwm_rc pack_all(struct packing *p, bool *ret_complete,
                            struct cwm_err *err)
{
    enum cwm_rc rc = tokenizer_load(p->fields->tokenizer, &p->tokenizer, err);

    *ret_complete = false;
    if (rc == CWM_IO) { /* the file that was named cannot be used */
        err->code = CWM_USAGE;
        rc = CWM_USAGE;
    }
    for (size_t i = 0; i < p->n_paths && rc == CWM_OK; i++) {
        if (strcmp(p->paths[i], "-") != 0 && access(p->paths[i], R_OK) != 0) {
            rc = CWM_FAIL(err, CWM_USAGE,
                          "could not open '%s': it cannot be "
                          "read",
                          p->paths[i]);
        }
    }
    if (rc == CWM_OK) {
        rc = make_packers(p, err);
    }
    if (rc == CWM_OK) {
        rc = open_folder(p, ret_complete, err);
    }
    if (rc == CWM_OK && !*ret_complete) {
        rc = run_pipeline(p, err);
    }
    return rc;
}

static void release(struct packing *p)
{
    for (unsigned i = 0; p->packers && i < p->n_threads; i++) {
        trace_packer_free(p->packers[i]);
    }
    cwm_free(p->packers);
    pack_folder_close(p->folder);
    tokenizer_free(p->tokenizer);
    lines_close(p->lines);
}

static int pack(const struct pack_fields *f, double held_out,
                const char **paths, size_t n_paths)
{
    struct packing p = {.fields = f,
                        .held_out = held_out,
                        .paths = paths,
                        .n_paths = n_paths,
                        .n_threads = cli_threads(f->workers),
                        .cancel = cli_catch_signals()};
    struct cwm_err err;
    bool was_complete = false;
    enum cwm_rc rc;
    int code;

    progress_init(&p.progress);
    rc = pack_all(&p, &was_complete, &err);
    progress_clear(&p.progress);
    if (rc == CWM_OK) {
        say_summary(&p, was_complete);
        code = f->json ? print_summary(&p) : CLI_YES;
        code = code == CLI_YES && p.counts.bad_lines > 0 ? CLI_NO : code;
    } else {
        code = cli_fail("pack", &err);
        if (rc == CWM_CANCELLED) {
            cli_say("hint: the same command goes on behind the last whole "
                    "shard");
        }
    }
    release(&p);
    return code;
}

static int run(int argc, char **argv)
{
    struct pack_fields fields;
    struct opt_rest rest;
    char *end = NULL;
    double held_out;
    int code = cli_parse(&command, argc, argv, &fields, &rest);

    if (code >= 0) {
        return code;
    }
    held_out = strtod(fields.held_out, &end);
    if (!fields.tokenizer || !fields.out) {
        code = cli_usage("pack", "%s is needed\n'cwm pack --help' says more",
                         !fields.tokenizer ? "--tokenizer FILE" : "--out DIR");
    } else if (rest.n == 0) {
        code = cli_usage("pack", "traces are needed: cwm pack TRACES.jsonl\n"
                                 "'-' is standard input");
    } else if (end == fields.held_out || *end || !(held_out >= 0) ||
               !(held_out <= 1)) {
        code = cli_usage("pack",
                         "--held-out takes a fraction from 0 to 1, "
                         "not '%.40s'",
                         fields.held_out);
    } else {
        code = pack(&fields, held_out, rest.values, rest.n);
    }
    cwm_free(rest.values);
    return code;
}

const struct cli_command cli_pack = {&command, run};
