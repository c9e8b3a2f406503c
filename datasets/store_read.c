/* SPDX-License-Identifier: MIT */
/*
 * store_read.c -- rows out of a store, in the order of their hashes.
 *
 * What a row says is checked as it is read: types by the tables' being
 * STRICT, and here lengths of hashes, ranges of enums and counts.
 */
#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/store.h"
#include "datasets/store_internal.h"

struct store_cursor {
    struct store *store;         /* borrowed */
    const char *sql;             /* the statement's: a literal */
    sqlite3_stmt *statement;     /* owned */
    struct codec_thread *thread; /* borrowed from the store: programs only */
    struct cwm_buf text;         /* a program's, unpacked */
    struct hash parent;          /* of an origin */
};

#define PROGRAM_COLUMNS                                                        \
    "SELECT p.id, p.hash, p.bytes, p.dictionary, p.data, EXISTS(SELECT 1 FROM" \
    " origin o WHERE o.program = p.id AND o.evaluation <> 0) FROM program p"
#define TRACE_COLUMNS                                                          \
    "SELECT id, hash, content, program, setting, entry, args, wrap_main,"      \
    " input_origin, label, verdict, detail, context_line, frames, calls,"      \
    " lines, depth, text_bytes, bytes, dictionary, data FROM trace"

static void cursor_free(struct store_cursor *c)
{
    if (c) {
        sqlite3_finalize(c->statement);
        cwm_buf_release(&c->text);
        cwm_free(c);
    }
}

void store__free_cursors(struct store *s)
{
    for (size_t i = 0; i < STORE__IDLE_CURSORS; i++) {
        cursor_free(s->idle[i]);
        s->idle[i] = NULL;
    }
}

/* Most of what a short read costs is preparing its statement: one that was
 * closed waits for the next that asks the same. */
void store_cursor_close(struct store_cursor *c)
{
    struct store_cursor **idle;

    if (!c) {
        return;
    }
    sqlite3_reset(c->statement); /* no read stays open over a commit */
    sqlite3_clear_bindings(c->statement);
    idle = c->store->idle;
    cursor_free(idle[STORE__IDLE_CURSORS - 1]); /* the longest unused */
    memmove(idle + 1, idle, (STORE__IDLE_CURSORS - 1) * sizeof *idle);
    idle[0] = c;
}

static struct store_cursor *take_idle(struct store *s, const char *sql)
{
    for (size_t i = 0; i < STORE__IDLE_CURSORS; i++) {
        struct store_cursor *c = s->idle[i];

        if (c && c->sql == sql) {
            memmove(s->idle + i, s->idle + i + 1,
                    (STORE__IDLE_CURSORS - 1 - i) * sizeof s->idle[0]);
            s->idle[STORE__IDLE_CURSORS - 1] = NULL;
            return c;
        }
    }
    return NULL;
}

static enum cwm_rc cursor_new(struct store *s, const char *sql, bool unpacks,
                              struct store_cursor **ret_cursor,
                              struct cwm_err *err)
{
    struct store_cursor *c = take_idle(s, sql);
    enum cwm_rc rc = CWM_OK;

    if (c) {
        *ret_cursor = c;
        return CWM_OK;
    }
    c = cwm_calloc(1, sizeof *c);
    if (!c) {
        return CWM_FAIL(err, CWM_NOMEM, "could not read '%s'", s->path);
    }
    c->store = s;
    c->sql = sql;
    cwm_buf_init(&c->text, CODEC_MAX_BYTES);
    if (unpacks && !s->unpacker) {
        rc = codec_thread_new(s->codec, &s->unpacker, err);
    }
    if (unpacks) {
        c->thread = s->unpacker;
    }
    if (rc == CWM_OK) {
        rc = store__prepare(s, sql, &c->statement, err);
    }
    if (rc != CWM_OK) {
        cursor_free(c);
        return rc;
    }
    *ret_cursor = c;
    return CWM_OK;
}

/* The same for rows that `id` picks. */
static enum cwm_rc cursor_of(struct store *s, const char *sql, bool unpacks,
                             int64_t id, struct store_cursor **ret_cursor,
                             struct cwm_err *err)
{
    enum cwm_rc rc = cursor_new(s, sql, unpacks, ret_cursor, err);

    if (rc == CWM_OK) {
        sqlite3_bind_int64((*ret_cursor)->statement, 1, id);
    }
    return rc;
}

static enum cwm_rc step(struct store_cursor *c, bool *ret_more,
                        struct cwm_err *err)
{
    int code = sqlite3_step(c->statement);

    *ret_more = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? CWM_OK
               : store__fail(c->store, code, "read", err);
}

static enum cwm_rc damaged(const struct store_cursor *c, const char *table,
                           struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_FORMAT, "'%s' is damaged: %s %lld", c->store->path,
                    table, (long long)sqlite3_column_int64(c->statement, 0));
}

/* A number that must be below `limit`; false else. */
static bool get_below(sqlite3_stmt *statement, int i, uint64_t limit,
                      uint64_t *ret_number)
{
    sqlite3_int64 number = sqlite3_column_int64(statement, i);

    *ret_number = (uint64_t)number;
    return number >= 0 && *ret_number < limit;
}

static const char *get_text(sqlite3_stmt *statement, int i)
{
    return (const char *)sqlite3_column_text(statement, i);
}

/* ---- programs ---- */

enum cwm_rc store_programs(struct store *s, struct store_cursor **ret_cursor,
                           struct cwm_err *err)
{
    return cursor_new(s, PROGRAM_COLUMNS " ORDER BY p.hash", true, ret_cursor,
                      err);
}

enum cwm_rc store_program_of(struct store *s, int64_t id,
                             struct store_cursor **ret_cursor,
                             struct cwm_err *err)
{
    return cursor_of(s, PROGRAM_COLUMNS " WHERE p.id = ?", true, id, ret_cursor,
                     err);
}

enum cwm_rc store_program_next(struct store_cursor *c,
                               struct store_program *ret_program,
                               bool *ret_more, struct cwm_err *err)
{
    sqlite3_stmt *row = c->statement;
    uint64_t dictionary;
    uint64_t len;
    enum cwm_rc rc = step(c, ret_more, err);

    if (rc != CWM_OK || !*ret_more) {
        return rc;
    }
    ret_program->id = sqlite3_column_int64(row, 0);
    if (!store__column_hash(row, 1, &ret_program->hash) ||
        !get_below(row, 2, CODEC_MAX_BYTES, &len) ||
        !get_below(row, 3, CODEC_MAX_DICTIONARIES + 1, &dictionary)) {
        return damaged(c, "program", err);
    }
    rc = codec_unpack(c->thread, (uint32_t)dictionary,
                      sqlite3_column_blob(row, 4),
                      (size_t)sqlite3_column_bytes(row, 4), &c->text, err);
    if (rc == CWM_OK && c->text.len != len) {
        rc = damaged(c, "program", err);
    }
    if (rc != CWM_OK) {
        cwm_err_context(err, "program %lld", (long long)ret_program->id);
        return rc;
    }
    ret_program->text = c->text.data ? c->text.data : "";
    ret_program->len = c->text.len;
    ret_program->evaluation = sqlite3_column_int(row, 5) != 0;
    return CWM_OK;
}

/* ---- origins ---- */

enum cwm_rc store_origins(struct store *s, int64_t program_id,
                          struct store_cursor **ret_cursor, struct cwm_err *err)
{
    return cursor_of(s,
                     "SELECT id, kind, evaluation, origin, path, commit_id,"
                     " licence, family, parent, change FROM origin"
                     " WHERE program = ? ORDER BY hash",
                     false, program_id, ret_cursor, err);
}

enum cwm_rc store_origin_next(struct store_cursor *c,
                              struct store_origin *ret_origin, bool *ret_more,
                              struct cwm_err *err)
{
    sqlite3_stmt *row = c->statement;
    uint64_t kind;
    enum cwm_rc rc = step(c, ret_more, err);

    if (rc != CWM_OK || !*ret_more) {
        return rc;
    }
    if (!get_below(row, 1, STORE_N_KINDS, &kind)) {
        return damaged(c, "origin", err);
    }
    ret_origin->kind = (enum store_kind)kind;
    ret_origin->evaluation = sqlite3_column_int(row, 2) != 0;
    ret_origin->origin = get_text(row, 3);
    ret_origin->path = get_text(row, 4);
    ret_origin->commit = get_text(row, 5);
    ret_origin->licence = get_text(row, 6);
    ret_origin->family = get_text(row, 7);
    ret_origin->parent = NULL;
    if (sqlite3_column_type(row, 8) != SQLITE_NULL) {
        if (!store__column_hash(row, 8, &c->parent)) {
            return damaged(c, "origin", err);
        }
        ret_origin->parent = &c->parent;
    }
    ret_origin->change = get_text(row, 9);
    return ret_origin->origin && ret_origin->path ? CWM_OK
                                                  : damaged(c, "origin", err);
}

/* ---- traces ---- */

enum cwm_rc store_traces(struct store *s, int64_t program_id,
                         struct store_cursor **ret_cursor, struct cwm_err *err)
{
    return cursor_of(s, TRACE_COLUMNS " WHERE program = ? ORDER BY hash", false,
                     program_id, ret_cursor, err);
}

enum cwm_rc store_all_traces(struct store *s, struct store_cursor **ret_cursor,
                             struct cwm_err *err)
{
    return cursor_new(s, TRACE_COLUMNS " ORDER BY hash", false, ret_cursor,
                      err);
}

enum cwm_rc store_trace_next(struct store_cursor *c,
                             struct store_trace *ret_trace, bool *ret_more,
                             struct cwm_err *err)
{
    sqlite3_stmt *row = c->statement;
    struct store_trace t = {0};
    uint64_t verdict, line, depth, bytes, dictionary;
    enum cwm_rc rc = step(c, ret_more, err);

    if (rc != CWM_OK || !*ret_more) {
        return rc;
    }
    t.id = sqlite3_column_int64(row, 0);
    t.program_id = sqlite3_column_int64(row, 3);
    t.setting_id = sqlite3_column_int64(row, 4);
    t.entry = get_text(row, 5);
    t.args = get_text(row, 6);
    t.wrap_main = sqlite3_column_int(row, 7) != 0;
    t.input_origin = sqlite3_column_int(row, 8);
    t.label = get_text(row, 9);
    t.detail = get_text(row, 11);
    if (!store__column_hash(row, 1, &t.hash) ||
        !store__column_hash(row, 2, &t.content) ||
        !get_below(row, 10, TRACE_VERDICT_BAD_ARGS + 1, &verdict) ||
        !get_below(row, 12, UINT32_MAX, &line) ||
        !get_below(row, 13, INT64_MAX, &t.n_frames) ||
        !get_below(row, 14, INT64_MAX, &t.n_calls) ||
        !get_below(row, 15, INT64_MAX, &t.n_lines) ||
        !get_below(row, 16, UINT32_MAX, &depth) ||
        !get_below(row, 17, INT64_MAX, &t.n_text_bytes) ||
        !get_below(row, 18, CODEC_MAX_BYTES, &bytes) ||
        !get_below(row, 19, CODEC_MAX_DICTIONARIES + 1, &dictionary)) {
        return damaged(c, "trace", err);
    }
    t.verdict = (enum trace_verdict)verdict;
    t.context_line = (uint32_t)line;
    t.max_depth = (uint32_t)depth;
    t.payload_bytes = (size_t)bytes;
    t.dictionary = (uint32_t)dictionary;
    t.data = sqlite3_column_blob(row, 20);
    t.data_len = (size_t)sqlite3_column_bytes(row, 20);
    *ret_trace = t;
    return CWM_OK;
}

enum cwm_rc store_setting(struct store *s, int64_t id,
                          struct store_setting *ret_setting,
                          struct cwm_err *err)
{
    sqlite3_stmt *row = NULL;
    const char *python;
    enum cwm_rc rc = store__statement(s, STORE__SETTING, &row, err);
    int code;
    int i = 2;

    if (rc != CWM_OK) {
        return rc;
    }
    sqlite3_bind_int64(row, 1, id);
    code = sqlite3_step(row);
    python = code == SQLITE_ROW ? get_text(row, 0) : NULL;
    if (python) {
        snprintf(s->python, sizeof s->python, "%s", python);
        ret_setting->python = s->python;
        ret_setting->seed = (uint64_t)sqlite3_column_int64(row, 1);
#define LIMIT_GET(field, option, fallback, min, max, in_bytes, what)           \
    ret_setting->limits.field = (uint64_t)sqlite3_column_int64(row, i++);
        TRACE_LIMIT_TABLE(LIMIT_GET)
#undef LIMIT_GET
    } else if (code == SQLITE_DONE || code == SQLITE_ROW) {
        rc = CWM_FAIL(err, CWM_FORMAT, "'%s' is damaged: setting %lld", s->path,
                      (long long)id);
    } else {
        rc = store__fail(s, code, "read", err);
    }
    sqlite3_reset(row);
    return rc;
}

/* ---- items ---- */

enum cwm_rc store_items(struct store *s, struct store_cursor **ret_cursor,
                        struct cwm_err *err)
{
    return cursor_new(s,
                      "SELECT 0, hash, source, name, skip, programs, traces"
                      " FROM item ORDER BY hash",
                      false, ret_cursor, err);
}

enum cwm_rc store_item_next(struct store_cursor *c, struct store_item *ret_item,
                            bool *ret_more, struct cwm_err *err)
{
    sqlite3_stmt *row = c->statement;
    uint64_t programs, traces;
    enum cwm_rc rc = step(c, ret_more, err);

    if (rc != CWM_OK || !*ret_more) {
        return rc;
    }
    ret_item->source = get_text(row, 2);
    ret_item->name = get_text(row, 3);
    ret_item->skip = get_text(row, 4);
    if (!store__column_hash(row, 1, &ret_item->hash) || !ret_item->source ||
        !ret_item->name || !get_below(row, 5, UINT32_MAX, &programs) ||
        !get_below(row, 6, UINT32_MAX, &traces)) {
        return damaged(c, "item", err);
    }
    ret_item->n_programs = (uint32_t)programs;
    ret_item->n_traces = (uint32_t)traces;
    return CWM_OK;
}

/* ---- builds ---- */

enum cwm_rc store_builds(struct store *s, struct store_cursor **ret_cursor,
                         struct cwm_err *err)
{
    return cursor_new(
        s,
        s->has_builds
            ? "SELECT command, version, shard, n_shards, count(*) OVER"
              " (PARTITION BY command, version, n_shards)"
              " FROM build ORDER BY command, version, n_shards, shard"
            : "SELECT '', '', 1, 1, 1 WHERE false",
        false, ret_cursor, err);
}

enum cwm_rc store_build_next(struct store_cursor *c,
                             struct store_build *ret_build, bool *ret_more,
                             struct cwm_err *err)
{
    sqlite3_stmt *row = c->statement;
    enum cwm_rc rc = step(c, ret_more, err);

    if (rc != CWM_OK || !*ret_more) {
        return rc;
    }
    ret_build->command = get_text(row, 0);
    ret_build->version = get_text(row, 1);
    if (!ret_build->command || !ret_build->version ||
        !get_below(row, 2, INT64_MAX, &ret_build->shard) ||
        !get_below(row, 3, INT64_MAX, &ret_build->n_shards) ||
        !get_below(row, 4, INT64_MAX, &ret_build->n_there)) {
        return CWM_FAIL(err, CWM_FORMAT, "'%s' is damaged: a build's command",
                        c->store->path);
    }
    return CWM_OK;
}

/* ---- by name ---- */

/*
 * Hashes that begin with these digits lie between two hashes: the digits
 * filled up with 0 and with f.
 */
static enum cwm_rc find(struct store *s, const char *sql, bool unpacks,
                        const char *text, struct store_cursor **ret_cursor,
                        struct cwm_err *err)
{
    size_t len = strlen(text);
    char digits[HASH_TEXT];
    struct hash low;
    struct hash high;
    enum cwm_rc rc;

    if (len == 0 || len > 2 * HASH_BYTES) {
        return CWM_FAIL(err, CWM_USAGE, "'%.40s' is no hash", text);
    }
    memset(digits, '0', sizeof digits);
    memcpy(digits, text, len);
    digits[2 * HASH_BYTES] = '\0';
    if (!hash_parse(digits, &low)) {
        return CWM_FAIL(err, CWM_USAGE, "'%.40s' is no hash", text);
    }
    memset(digits + len, 'f', 2 * HASH_BYTES - len);
    hash_parse(digits, &high);
    rc = cursor_new(s, sql, unpacks, ret_cursor, err);
    if (rc == CWM_OK) {
        sqlite3_bind_blob((*ret_cursor)->statement, 1, low.bytes, HASH_BYTES,
                          SQLITE_TRANSIENT);
        sqlite3_bind_blob((*ret_cursor)->statement, 2, high.bytes, HASH_BYTES,
                          SQLITE_TRANSIENT);
    }
    return rc;
}

enum cwm_rc store_find_program(struct store *s, const char *text,
                               struct store_cursor **ret_cursor,
                               struct cwm_err *err)
{
    return find(s,
                PROGRAM_COLUMNS
                " WHERE p.hash BETWEEN ? AND ? ORDER BY p.hash LIMIT 2",
                true, text, ret_cursor, err);
}

enum cwm_rc store_find_trace(struct store *s, const char *text,
                             struct store_cursor **ret_cursor,
                             struct cwm_err *err)
{
    return find(s,
                TRACE_COLUMNS " WHERE hash BETWEEN ? AND ? ORDER BY hash"
                              " LIMIT 2",
                false, text, ret_cursor, err);
}
