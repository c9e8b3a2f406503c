/* SPDX-License-Identifier: MIT */
/* store_check.c -- every row made anew, and a sample of runs, too. */
#include "datasets/store_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cwm/base/cancel.h"
#include "datasets/store_check_suite.h"
#include "datasets/store_internal.h"
#include "datasets/trace_blob.h"
#include "tracer/tracer_slot.h"

struct check {
    const struct store_check_options *options;
    struct store_check_stats *stats;
    struct store *store;     /* owned */
    struct trace_view *view; /* owned */
    struct hasher *hasher;   /* owned */
    struct tracer_slot slot; /* owned */
    struct store_check_suite suite;
    struct cwm_buf payload;
    uint64_t limit; /* of a trace's draw, to be in the sample */
};

static void tell(struct check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void tell(struct check *c, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->stats->n_wrong++;
    c->options->on_wrong(c->options->ctx, text);
}

/* ---- SQLite's own, and references ---- */

/* Every row that `sql` gives is a finding. */
static enum cwm_rc find(struct check *c, const char *sql, const char *what,
                        struct cwm_err *err)
{
    sqlite3_stmt *row = NULL; /* owned */
    enum cwm_rc rc = store__prepare(c->store, sql, &row, err);
    int code = SQLITE_DONE;

    while (rc == CWM_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(row, 0);

        if (strcmp(text ? text : "", "ok") != 0) {
            tell(c, "%s%s", what, text ? text : "");
        }
    }
    if (rc == CWM_OK && code != SQLITE_DONE) {
        tell(c, "%s%s", what, sqlite3_errmsg(c->store->db));
    }
    sqlite3_finalize(row);
    return rc;
}

static enum cwm_rc check_tables(struct check *c, struct cwm_err *err)
{
    static const struct {
        const char *sql;
        const char *what;
    } queries[] = {
        {"PRAGMA integrity_check(20)", "the file: "},
        {"SELECT id FROM trace WHERE program NOT IN (SELECT id FROM program)",
         "a trace without a program: row "},
        {"SELECT id FROM trace WHERE setting NOT IN (SELECT id FROM setting)",
         "a trace without a setting: row "},
        {"SELECT id FROM origin WHERE program NOT IN (SELECT id FROM program)",
         "an origin without a program: row "},
        {"SELECT id FROM program WHERE id NOT IN (SELECT program FROM origin)",
         "a program without an origin: row "},
        {"SELECT DISTINCT dictionary FROM trace WHERE dictionary > 0 AND"
         " dictionary NOT IN (SELECT id FROM dictionary)",
         "a dictionary that is missing: "},
    };
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < sizeof queries / sizeof queries[0] && rc == CWM_OK;
         i++) {
        rc = find(c, queries[i].sql, queries[i].what, err);
    }
    return rc;
}

/* ---- running it again ---- */

/* The program's origin in a repository's tests; *ret_has false: none. */
static enum cwm_rc find_suite(struct check *c,
                              const struct store_program *program,
                              struct store_cursor **ret_cursor,
                              struct store_origin *ret_origin, bool *ret_has,
                              struct cwm_err *err)
{
    bool more = true;
    enum cwm_rc rc = store_origins(c->store, program->id, ret_cursor, err);

    *ret_has = false;
    while (rc == CWM_OK && more && !*ret_has) {
        rc = store_origin_next(*ret_cursor, ret_origin, &more, err);
        *ret_has =
            rc == CWM_OK && more && ret_origin->kind == STORE_KIND_PYTEST;
    }
    return rc;
}

/* *ret_is_episode false: it is another kind of trace. */
static enum cwm_rc run_test_again(struct check *c,
                                  const struct store_program *program,
                                  const struct store_trace *trace,
                                  const struct store_setting *setting,
                                  const char *name, bool *ret_is_episode,
                                  struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_origin origin;
    enum store_check_again again = STORE_CHECK_UNKNOWN;
    enum cwm_rc rc =
        find_suite(c, program, &cursor, &origin, ret_is_episode, err);

    if (rc == CWM_OK && *ret_is_episode) {
        rc = store_check_suite_run(&c->suite, &c->options->tracer, program,
                                   &origin, trace, setting, c->hasher,
                                   c->options->cancel, &again, err);
        c->stats->n_unrun += again == STORE_CHECK_UNKNOWN;
        c->stats->n_retraced += again != STORE_CHECK_UNKNOWN;
    }
    if (rc == CWM_OK && again == STORE_CHECK_OTHER) {
        tell(c, "trace %s: its test, run again, gives another episode", name);
    }
    store_cursor_close(cursor);
    return rc;
}

static enum cwm_rc run_again(struct check *c,
                             const struct store_program *program,
                             const struct store_trace *trace,
                             const struct store_setting *setting,
                             const struct trace_seen *seen, const char *name,
                             struct cwm_err *err)
{
    struct trace_job job = {
        .name = name,
        .source = program->text,
        .source_len = program->len,
        .is_text = true,
        .entry = trace->entry,
        .args = trace->args,
        .wrap_main = trace->wrap_main,
        .stdin_data = seen->stdin_data,
        .stdin_len = seen->stdin_len,
        .seed = setting->seed,
        .limits = setting->limits,
    };
    struct trace_result result;
    struct store_trace again = {.id = 0};
    bool is_episode = false;
    enum cwm_rc rc =
        run_test_again(c, program, trace, setting, name, &is_episode, err);

    if (rc == CWM_OK && !is_episode) {
        rc = tracer_slot_need(&c->slot, setting->limits.max_trace_bytes, err);
    }
    if (rc != CWM_OK || is_episode) {
        return rc;
    }
    if (strcmp(tracer_python(c->slot.tracer), setting->python) != 0) {
        return CWM_OK; /* another interpreter says other things */
    }
    rc = tracer_slot_run(&c->slot, &job, c->options->cancel, &result, err);
    cwm_buf_clear(&c->payload);
    if (rc == CWM_OK) {
        rc = trace_blob_write(&result, seen->stdin_data, seen->stdin_len,
                              trace_result_is_steady(&result), &c->payload,
                              &again, c->hasher, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    c->stats->n_retraced++;
    if (hash_compare(&again.content, &trace->content) != 0) {
        tell(c, "trace %s: run again it is another (%s, %llu frames)", name,
             trace_verdict_text(result.verdict),
             (unsigned long long)again.n_frames);
    }
    return CWM_OK;
}

/* ---- rows ---- */

/* Read to the end: what the reader says of it must be what the row says. */
static void compare_counts(struct check *c, const struct store_trace *trace,
                           const struct trace_seen *seen, const char *name)
{
    const struct trace_end *end = trace_reader_end(seen->reader);
    struct hash content = trace_view_content(c->view, trace);

    if (hash_compare(&content, &trace->content) != 0) {
        tell(c, "trace %s: its content is not what its hash says", name);
    } else if (end->n_frames != trace->n_frames ||
               end->n_calls != trace->n_calls ||
               end->n_lines != trace->n_lines) {
        tell(c, "trace %s: it has %llu frames, not %llu", name,
             (unsigned long long)end->n_frames,
             (unsigned long long)trace->n_frames);
    }
}

static enum cwm_rc check_trace(struct check *c,
                               const struct store_program *program,
                               const struct store_trace *trace,
                               struct cwm_err *err)
{
    struct store_setting setting;
    struct trace_seen seen;
    struct hash hash;
    struct cwm_err why = {.code = CWM_OK};
    char name[HASH_TEXT];
    enum cwm_rc rc = store_setting(c->store, trace->setting_id, &setting, &why);

    c->stats->n_traces++;
    hash_text(&trace->hash, name);
    if (rc == CWM_OK) {
        rc = trace_view_open(c->view, trace, &setting, name, &seen, &why);
    }
    if (rc == CWM_NOMEM) {
        return CWM_FAIL(err, rc, "%s", why.message);
    }
    if (rc != CWM_OK) {
        tell(c, "trace %s: %s", name, why.message);
        return CWM_OK;
    }
    compare_counts(c, trace, &seen, name);
    hash = store_setting_hash(c->hasher, &setting);
    hash = store_trace_hash(c->hasher, &program->hash, &hash, trace,
                            seen.stdin_data, seen.stdin_len);
    if (hash_compare(&hash, &trace->hash) != 0) {
        tell(c, "trace %s: what was asked is not what its hash says", name);
        return CWM_OK;
    }
    return hash_draw(&trace->hash, c->options->seed) <= c->limit
               ? run_again(c, program, trace, &setting, &seen, name, err)
               : CWM_OK;
}

static enum cwm_rc check_traces(struct check *c,
                                const struct store_program *program,
                                struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_trace trace;
    struct cwm_err why = {.code = CWM_OK};
    bool more = true;
    enum cwm_rc rc = store_traces(c->store, program->id, &cursor, err);

    while (rc == CWM_OK && more) {
        if (cwm_is_cancelled(c->options->cancel)) {
            rc = CWM_FAIL(err, CWM_CANCELLED, "stopped on request");
            break;
        }
        rc = store_trace_next(cursor, &trace, &more, &why);
        if (rc != CWM_OK) { /* the row, or the file: what follows is unsure */
            tell(c, "%s", why.message);
            rc = CWM_OK;
            break;
        }
        if (more) {
            rc = check_trace(c, program, &trace, err);
        }
    }
    store_cursor_close(cursor);
    c->options->on_progress(c->options->ctx, c->stats);
    return rc;
}

static enum cwm_rc check_program(struct check *c,
                                 const struct store_program *program,
                                 struct cwm_err *err)
{
    struct hash hash = hash_of(program->text, program->len);
    char name[HASH_TEXT];
    enum cwm_rc rc;

    c->stats->n_programs++;
    if (hash_compare(&hash, &program->hash) != 0) {
        hash_text(&program->hash, name);
        tell(c, "program %s: its text is not what its hash says", name);
        return CWM_OK;
    }
    rc = trace_view_program(c->view, program, err);
    return rc == CWM_OK ? check_traces(c, program, err) : rc;
}

static enum cwm_rc check_programs(struct check *c, struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_program program;
    struct cwm_err why = {.code = CWM_OK};
    bool more = true;
    enum cwm_rc rc = store_programs(c->store, &cursor, err);

    while (rc == CWM_OK && more) {
        enum cwm_rc read = store_program_next(cursor, &program, &more, &why);

        if (read == CWM_NOMEM) {
            rc = CWM_FAIL(err, read, "%s", why.message);
        } else if (read != CWM_OK) {
            tell(c, "%s", why.message);
            more = read == CWM_MISSING || program.id > 0;
            program.id = 0; /* the same failure twice ends it */
        } else if (more) {
            rc = check_program(c, &program, err);
        }
    }
    store_cursor_close(cursor);
    return rc;
}

enum cwm_rc store_check(const char *path,
                        const struct store_check_options *options,
                        struct store_check_stats *stats, struct cwm_err *err)
{
    struct check c = {.options = options,
                      .stats = stats,
                      .slot = {.options = &options->tracer},
                      .suite = {.paths = options->repositories,
                                .n_paths = options->n_repositories}};
    struct store_counts counts = {0};
    enum cwm_rc rc;

    memset(stats, 0, sizeof *stats);
    cwm_buf_init(&c.payload, CODEC_MAX_BYTES);
    rc = store_open(path, STORE_READ, &c.store, err);
    if (rc == CWM_OK) {
        rc = hasher_new(&c.hasher, err);
    }
    if (rc == CWM_OK) {
        rc = trace_view_new(store_codec(c.store), &c.view, err);
    }
    if (rc == CWM_OK) {
        rc = check_tables(&c, err);
    }
    if (rc == CWM_OK) {
        rc = store_counts(c.store, &counts, err);
    }
    if (rc == CWM_OK && counts.n_traces > 0) {
        stats->n_total = counts.n_traces;
        c.limit = options->n_sample >= counts.n_traces
                      ? UINT64_MAX
                      : UINT64_MAX / counts.n_traces * options->n_sample;
        rc = check_programs(&c, err);
    }
    tracer_slot_close(&c.slot);
    store_check_suite_release(&c.suite);
    trace_view_free(c.view);
    hasher_free(c.hasher);
    cwm_buf_release(&c.payload);
    store_close(c.store);
    return rc;
}
