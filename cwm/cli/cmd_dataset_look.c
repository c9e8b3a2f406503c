/* SPDX-License-Identifier: MIT */
/* cmd_dataset_look.c -- `cwm dataset stats`, `show` and `check`. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_dataset.h"
#include "datasets/inputs.h"
#include "datasets/stats.h"
#include "datasets/store_check.h"
#include "datasets/trace_blob.h"
#include "tracer/render.h"

enum { MAX_PAGE_BYTES = 4 << 20, MAX_LISTED = 20, MAX_TRACES_SHOWN = 40 };

static uint64_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* ---- stats ---- */

static int print_stats(const struct dataset_fields *f, const struct stats *s)
{
    struct cwm_buf out;
    struct cwm_err err;
    int code = CLI_YES;

    cwm_buf_init(&out, MAX_PAGE_BYTES);
    if (f->html) {
        const char *slash = strrchr(f->store, '/');

        stats_html(s, size_of(f->store), slash ? slash + 1 : f->store, &out);
        if (cwm_buf_check(&out, "the page", &err) != CWM_OK ||
            io_replace_file(f->html, out.data, out.len, &err) != CWM_OK) {
            code = cli_fail("dataset", &err);
        }
        cwm_buf_clear(&out);
    }
    if (code == CLI_YES && f->json) {
        stats_json(s, &out);
    } else if (code == CLI_YES) {
        stats_table(s, size_of(f->store), &out);
    }
    if (code == CLI_YES) {
        code = cli_print("dataset", &out);
    }
    cwm_buf_release(&out);
    return code;
}

int dataset_stats(const struct dataset_fields *f)
{
    struct stats *stats = cwm_calloc(1, sizeof *stats); /* owned: large */
    struct store *store = NULL;                         /* owned */
    struct cwm_err err;
    enum cwm_rc rc;
    int code;

    if (!stats) {
        CWM_FAIL(&err, CWM_NOMEM, "could not count");
        return cli_fail("dataset", &err);
    }
    rc = store_open(f->store, STORE_READ, &store, &err);
    if (rc == CWM_OK) {
        rc = stats_make(store, true, cli_catch_signals(), stats, &err);
    }
    code = rc == CWM_OK ? print_stats(f, stats) : cli_fail("dataset", &err);
    store_close(store);
    cwm_free(stats);
    return code;
}

/* ---- show ---- */

/* One line for each of the first programs. */
static enum cwm_rc list_programs(struct store *s, struct cwm_buf *out,
                                 struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_program p;
    bool more = true;
    enum cwm_rc rc = store_programs(s, &cursor, err);

    for (int i = 0; rc == CWM_OK && more && i <= MAX_LISTED; i++) {
        struct store_cursor *origins = NULL; /* owned */
        struct store_origin o = {.origin = ""};
        char hash[HASH_TEXT];
        bool has = false;

        rc = store_program_next(cursor, &p, &more, err);
        if (rc != CWM_OK || !more) {
            break;
        }
        if (i == MAX_LISTED) {
            cwm_buf_adds(out, "...\n");
            break;
        }
        rc = store_origins(s, p.id, &origins, err);
        if (rc == CWM_OK) {
            rc = store_origin_next(origins, &o, &has, err);
        }
        hash_text(&p.hash, hash);
        if (rc == CWM_OK && has) {
            cwm_buf_addf(out, "%.12s  %6zu bytes  %s %s\n", hash, p.len,
                         o.origin, o.path);
        }
        store_cursor_close(origins);
    }
    store_cursor_close(cursor);
    return rc;
}

static enum cwm_rc add_origins(struct store *s, int64_t program,
                               struct cwm_buf *out, struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_origin o;
    bool more = true;
    enum cwm_rc rc = store_origins(s, program, &cursor, err);

    while (rc == CWM_OK && more) {
        rc = store_origin_next(cursor, &o, &more, err);
        if (rc == CWM_OK && more) {
            cwm_buf_addf(out, "from      %s: %s %s%s%s%s%s%s%s%s\n",
                         store_kind_text(o.kind), o.origin, o.path,
                         o.commit ? ", commit " : "", o.commit ? o.commit : "",
                         o.licence ? ", licence " : "",
                         o.licence ? o.licence : "",
                         o.change ? ", change " : "", o.change ? o.change : "",
                         o.evaluation ? ", for evaluation only" : "");
        }
    }
    store_cursor_close(cursor);
    return rc;
}

static enum cwm_rc add_traces(struct store *s, int64_t program,
                              struct cwm_buf *out, struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_trace t;
    bool more = true;
    enum cwm_rc rc = store_traces(s, program, &cursor, err);

    for (int i = 0; rc == CWM_OK && more && i < MAX_TRACES_SHOWN; i++) {
        char hash[HASH_TEXT];

        rc = store_trace_next(cursor, &t, &more, err);
        if (rc == CWM_OK && more) {
            hash_text(&t.hash, hash);
            cwm_buf_addf(out, "trace     %.12s  %s(%.60s)  %s, %llu frames\n",
                         hash, t.entry ? t.entry : "script",
                         t.args ? t.args : "", trace_verdict_text(t.verdict),
                         (unsigned long long)t.n_frames);
        }
    }
    store_cursor_close(cursor);
    return rc;
}

static enum cwm_rc show_program(struct store *s, const struct store_program *p,
                                struct cwm_buf *out, struct cwm_err *err)
{
    char hash[HASH_TEXT];
    enum cwm_rc rc;

    hash_text(&p->hash, hash);
    cwm_buf_addf(out, "program   %s\n", hash);
    rc = add_origins(s, p->id, out, err);
    if (rc == CWM_OK) {
        rc = add_traces(s, p->id, out, err);
    }
    cwm_buf_addc(out, '\n');
    cwm_buf_add(out, p->text, p->len);
    return rc;
}

static enum cwm_rc show_trace(struct store *s, const struct store_trace *t,
                              bool as_json, struct cwm_buf *out,
                              struct cwm_err *err)
{
    struct render_options how = {.colour = cli_has_colour(STDOUT_FILENO),
                                 .columns = cli_columns(STDOUT_FILENO)};
    struct store_cursor *cursor = NULL; /* owned */
    struct trace_view *view = NULL;     /* owned */
    struct store_program program;
    struct store_setting setting;
    struct trace_seen seen;
    char id[HASH_TEXT];
    bool more = false;
    enum cwm_rc rc = store_program_of(s, t->program_id, &cursor, err);

    hash_text(&t->hash, id);
    if (rc == CWM_OK) {
        rc = store_program_next(cursor, &program, &more, err);
    }
    if (rc == CWM_OK && !more) {
        rc = CWM_FAIL(err, CWM_FORMAT, "trace %s has no program", id);
    }
    if (rc == CWM_OK) {
        rc = trace_view_new(store_codec(s), &view, err);
    }
    if (rc == CWM_OK) {
        rc = trace_view_program(view, &program, err);
    }
    if (rc == CWM_OK) {
        rc = store_setting(s, t->setting_id, &setting, err);
    }
    if (rc == CWM_OK) {
        rc = trace_view_open(view, t, &setting, id, &seen, err);
    }
    if (rc == CWM_OK) {
        rc = as_json ? render_json(seen.reader, seen.source, &seen.summary,
                                   &how, out, err)
                     : render_pretty(seen.reader, seen.source, &seen.summary,
                                     &how, out, err);
    }
    trace_view_free(view);
    store_cursor_close(cursor);
    return rc;
}

/* A hash may be a program's or a trace's; its beginning will do. */
static enum cwm_rc show_hash(struct store *s, const char *hash, bool as_json,
                             struct cwm_buf *out, struct cwm_err *err)
{
    struct store_cursor *programs = NULL; /* owned */
    struct store_cursor *traces = NULL;   /* owned */
    struct store_program p;
    struct store_trace t;
    bool is_program = false;
    bool is_trace = false;
    enum cwm_rc rc = store_find_program(s, hash, &programs, err);

    if (rc == CWM_OK) {
        rc = store_program_next(programs, &p, &is_program, err);
    }
    if (rc == CWM_OK) {
        rc = store_find_trace(s, hash, &traces, err);
    }
    if (rc == CWM_OK) {
        rc = store_trace_next(traces, &t, &is_trace, err);
    }
    if (rc == CWM_OK && is_program) {
        rc = show_program(s, &p, out, err);
    } else if (rc == CWM_OK && is_trace) {
        rc = show_trace(s, &t, as_json, out, err);
    } else if (rc == CWM_OK) {
        rc = CWM_FAIL(err, CWM_USAGE, "there is no program or trace '%.40s'",
                      hash);
    }
    store_cursor_close(programs);
    store_cursor_close(traces);
    return rc;
}

int dataset_show(const struct dataset_fields *f, const char **words, size_t n)
{
    struct store *store = NULL; /* owned */
    struct cwm_buf out;
    struct cwm_err err;
    enum cwm_rc rc;
    int code;

    if (n > 1) {
        return cli_usage("dataset", "show takes one hash");
    }
    cwm_buf_init(&out, CODEC_MAX_BYTES);
    rc = store_open(f->store, STORE_READ, &store, &err);
    if (rc == CWM_OK) {
        rc = n == 0 ? list_programs(store, &out, &err)
                    : show_hash(store, words[0], f->json, &out, &err);
    }
    code =
        rc == CWM_OK ? cli_print("dataset", &out) : cli_fail("dataset", &err);
    store_close(store);
    cwm_buf_release(&out);
    return code;
}

/* ---- check ---- */

static void on_wrong(void *ctx, const char *what)
{
    struct progress *progress = ctx;

    progress_clear(progress);
    cli_say("cwm dataset: %s", what);
}

static void on_check(void *ctx, const struct store_check_stats *s)
{
    dataset_progress(ctx, s->n_traces, s->n_total, "traces", "");
}

int dataset_check(const struct dataset_fields *f)
{
    struct progress progress;
    struct store_check_options how = {
        .n_sample = f->sample,
        .seed = f->seed,
        .repositories = f->repositories.values,
        .n_repositories = f->repositories.n,
        .on_wrong = on_wrong,
        .on_progress = on_check,
        .ctx = &progress,
    };
    struct store_check_stats stats;
    struct cwm_buf out;
    struct cwm_err err;
    enum cwm_rc rc;
    int code = running_tracer("dataset", &f->run, &how.tracer);

    if (code >= 0) {
        return code;
    }
    progress_init(&progress);
    how.cancel = cli_catch_signals();
    rc = store_check(f->store, &how, &stats, &err);
    progress_clear(&progress);
    if (rc != CWM_OK) {
        return cli_fail("dataset", &err);
    }
    if (stats.n_unrun > 0) {
        cli_say("traces of tests that were not made again: %llu",
                (unsigned long long)stats.n_unrun);
        cli_say("hint: name their repositories, as they were (same commit, "
                "same interpreter), by --repository PATH");
    }
    cwm_buf_init(&out, 1 << 12);
    cwm_buf_addf(&out,
                 f->json ? "{\"programs\": %llu, \"traces\": %llu, "
                           "\"retraced\": %llu, \"wrong\": %llu}\n"
                         : "%llu programs, %llu traces, %llu of them made "
                           "again: %llu wrong\n",
                 (unsigned long long)stats.n_programs,
                 (unsigned long long)stats.n_traces,
                 (unsigned long long)stats.n_retraced,
                 (unsigned long long)stats.n_wrong);
    code = cli_print("dataset", &out);
    cwm_buf_release(&out);
    return code != CLI_YES ? code : stats.n_wrong > 0 ? CLI_NO : CLI_YES;
}
