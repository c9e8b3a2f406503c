/* SPDX-License-Identifier: MIT */
/*
 * matrix_store.c -- verdicts in an SQLite file, by the hashes of what was run.
 *
 * One table, WITHOUT ROWID on the three hashes: a cell is found in one search,
 * and cells of a program lie side by side.  Another one holds texts by name:
 * what was made to be run, and need not be made again.  A file of another
 * application or of a later version is refused.
 */
#include <sqlite3.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/matrix.h"

#define APPLICATION_ID 0x63776D45 /* "cwmE" */
#define VERSION        1

/* Another process may be in a transaction of its own: a program's cells. */
#define BUSY_MS 60000

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS cell ("
    " program BLOB NOT NULL, test BLOB NOT NULL, setting BLOB NOT NULL,"
    " verdict INTEGER NOT NULL, cpu_us INTEGER NOT NULL,"
    " wall_us INTEGER NOT NULL, n_runs INTEGER NOT NULL,"
    " PRIMARY KEY (program, setting, test)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS made ("
    " name BLOB PRIMARY KEY, text BLOB NOT NULL) STRICT";

struct matrix_store {
    sqlite3 *db;       /* owned */
    sqlite3_stmt *get; /* owned */
    sqlite3_stmt *put; /* owned */
    uint64_t n_cells;
    char path[512]; /* for messages */
};

static enum cwm_rc fail(struct matrix_store *s, const char *what,
                        struct cwm_err *err)
{
    int code = sqlite3_errcode(s->db);
    enum cwm_rc rc = code == SQLITE_NOMEM     ? CWM_NOMEM
                     : code == SQLITE_NOTADB  ? CWM_USAGE
                     : code == SQLITE_CORRUPT ? CWM_FORMAT
                                              : CWM_IO;

    return CWM_FAIL(err, rc, "could not %s '%s': %s", what, s->path,
                    sqlite3_errmsg(s->db));
}

static bool run(struct matrix_store *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* The number that a pragma gives; -1: it could not be asked. */
static int64_t ask_number(struct matrix_store *s, const char *sql)
{
    sqlite3_stmt *q = NULL; /* owned */
    int64_t value = -1;

    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW) {
        value = sqlite3_column_int64(q, 0);
    }
    sqlite3_finalize(q);
    return value;
}

static enum cwm_rc check_file(struct matrix_store *s, struct cwm_err *err)
{
    int64_t tables = ask_number(s, "SELECT count(*) FROM sqlite_master");
    int64_t application = ask_number(s, "PRAGMA application_id");

    if (tables < 0 || application < 0) {
        return fail(s, "open", err);
    }
    if (tables > 0 && application != APPLICATION_ID) {
        return CWM_FAIL(err, CWM_USAGE, "'%s' is no store of verdicts",
                        s->path);
    }
    if (tables > 0 && ask_number(s, "PRAGMA user_version") != VERSION) {
        return CWM_FAIL(err, CWM_USAGE,
                        "'%s' was written by another version of cwm", s->path);
    }
    return CWM_OK;
}

static enum cwm_rc prepare(struct matrix_store *s, struct cwm_err *err)
{
    static const char get[] = "SELECT verdict, cpu_us, wall_us, n_runs FROM "
                              "cell WHERE program=?1 AND setting=?2 AND "
                              "test=?3";
    static const char put[] =
        "INSERT OR REPLACE INTO cell (program, setting, test, verdict, "
        "cpu_us, wall_us, n_runs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    char head[96];

    sqlite3_busy_timeout(s->db, BUSY_MS);
    sqlite3_snprintf(sizeof head, head,
                     "PRAGMA application_id=%d; PRAGMA user_version=%d",
                     APPLICATION_ID, VERSION);
    if (!run(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL") ||
        !run(s, head) || !run(s, schema) ||
        sqlite3_prepare_v2(s->db, get, -1, &s->get, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(s->db, put, -1, &s->put, NULL) != SQLITE_OK) {
        return fail(s, "open", err);
    }
    s->n_cells = (uint64_t)ask_number(s, "SELECT count(*) FROM cell");
    return CWM_OK;
}

enum cwm_rc matrix_store_open(const char *path, struct matrix_store **ret_store,
                              struct cwm_err *err)
{
    struct matrix_store *s = cwm_calloc(1, sizeof *s); /* owned */
    enum cwm_rc rc = CWM_OK;

    if (!s) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a store");
    }
    sqlite3_snprintf(sizeof s->path, s->path, "%s", path ? path : ":memory:");
    if (sqlite3_open_v2(path ? path : ":memory:", &s->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        NULL) != SQLITE_OK) {
        rc = s->db ? fail(s, "open", err)
                   : CWM_FAIL(err, CWM_NOMEM, "could not make a store");
    }
    if (rc == CWM_OK) {
        rc = check_file(s, err);
    }
    if (rc == CWM_OK) {
        rc = prepare(s, err);
    }
    if (rc == CWM_OK) {
        *ret_store = s;
        s = NULL;
    }
    matrix_store_close(s);
    return rc;
}

void matrix_store_close(struct matrix_store *s)
{
    if (!s) {
        return;
    }
    sqlite3_finalize(s->get);
    sqlite3_finalize(s->put);
    sqlite3_close(s->db);
    cwm_free(s);
}

static bool bind_key(sqlite3_stmt *q, const struct matrix_key *key)
{
    sqlite3_reset(q);
    return sqlite3_bind_blob(q, 1, key->program.bytes, HASH_BYTES,
                             SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_bind_blob(q, 2, key->setting.bytes, HASH_BYTES,
                             SQLITE_STATIC) == SQLITE_OK &&
           sqlite3_bind_blob(q, 3, key->test.bytes, HASH_BYTES,
                             SQLITE_STATIC) == SQLITE_OK;
}

enum cwm_rc matrix_store_get(struct matrix_store *s,
                             const struct matrix_key *key, bool *ret_is_there,
                             struct matrix_value *ret_value,
                             struct cwm_err *err)
{
    int64_t cell;
    int rc;

    *ret_is_there = false;
    if (!bind_key(s->get, key)) {
        return fail(s, "read", err);
    }
    rc = sqlite3_step(s->get);
    if (rc == SQLITE_ROW) {
        cell = sqlite3_column_int64(s->get, 0);
        /* A verdict of a later version, or of nobody: it is run again. */
        *ret_is_there = cell > MATRIX_NOT_RUN && cell < MATRIX_N_CELLS;
        ret_value->cell = *ret_is_there ? (uint8_t)cell : MATRIX_NOT_RUN;
        ret_value->cpu_us = (uint32_t)sqlite3_column_int64(s->get, 1);
        ret_value->wall_us = (uint32_t)sqlite3_column_int64(s->get, 2);
        ret_value->n_runs = (uint32_t)sqlite3_column_int64(s->get, 3);
    }
    sqlite3_reset(s->get);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? CWM_OK
                                                 : fail(s, "read", err);
}

static bool put_one(struct matrix_store *s, const struct matrix_key *key,
                    const struct matrix_value *value)
{
    bool done = bind_key(s->put, key) &&
                sqlite3_bind_int64(s->put, 4, value->cell) == SQLITE_OK &&
                sqlite3_bind_int64(s->put, 5, value->cpu_us) == SQLITE_OK &&
                sqlite3_bind_int64(s->put, 6, value->wall_us) == SQLITE_OK &&
                sqlite3_bind_int64(s->put, 7, value->n_runs) == SQLITE_OK &&
                sqlite3_step(s->put) == SQLITE_DONE;

    sqlite3_reset(s->put);
    return done;
}

enum cwm_rc matrix_store_put(struct matrix_store *s,
                             const struct matrix_key *keys,
                             const struct matrix_value *values, size_t n,
                             struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    if (!run(s, "BEGIN IMMEDIATE")) {
        return fail(s, "write", err);
    }
    for (size_t i = 0; i < n && rc == CWM_OK; i++) {
        if (!put_one(s, &keys[i], &values[i])) {
            rc = fail(s, "write", err);
        }
    }
    if (rc == CWM_OK && !run(s, "COMMIT")) {
        rc = fail(s, "write", err);
    }
    if (rc != CWM_OK) {
        (void)run(s, "ROLLBACK");
        return rc;
    }
    s->n_cells += n;
    return CWM_OK;
}

/* One row or none of a statement with the name bound; it is finalized. */
static enum cwm_rc step_named(struct matrix_store *s, sqlite3_stmt *q,
                              bool *ret_is_there, struct cwm_buf *out,
                              const char *what, struct cwm_err *err)
{
    int rc = sqlite3_step(q);

    *ret_is_there = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        const void *text = sqlite3_column_blob(q, 0);

        cwm_buf_add(out, text ? text : "", (size_t)sqlite3_column_bytes(q, 0));
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        enum cwm_rc failed = fail(s, what, err);

        sqlite3_finalize(q);
        return failed;
    }
    sqlite3_finalize(q);
    return CWM_OK;
}

enum cwm_rc matrix_store_get_text(struct matrix_store *s,
                                  const struct hash *name, bool *ret_is_there,
                                  struct cwm_buf *out, struct cwm_err *err)
{
    sqlite3_stmt *q = NULL; /* owned; step_named() ends it */
    enum cwm_rc rc;

    if (sqlite3_prepare_v2(s->db, "SELECT text FROM made WHERE name=?1", -1, &q,
                           NULL) != SQLITE_OK ||
        sqlite3_bind_blob(q, 1, name->bytes, HASH_BYTES, SQLITE_STATIC) !=
            SQLITE_OK) {
        rc = fail(s, "read", err);
        sqlite3_finalize(q);
        return rc;
    }
    rc = step_named(s, q, ret_is_there, out, "read", err);
    return rc == CWM_OK ? cwm_buf_check(out, "a kept text", err) : rc;
}

enum cwm_rc matrix_store_put_text(struct matrix_store *s,
                                  const struct hash *name, const char *text,
                                  size_t len, struct cwm_err *err)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO made (name, text) VALUES (?1, ?2)";
    sqlite3_stmt *q = NULL; /* owned; step_named() ends it */
    bool is_there;

    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK ||
        sqlite3_bind_blob(q, 1, name->bytes, HASH_BYTES, SQLITE_STATIC) !=
            SQLITE_OK ||
        sqlite3_bind_blob64(q, 2, text, len, SQLITE_STATIC) != SQLITE_OK) {
        enum cwm_rc rc = fail(s, "write", err);

        sqlite3_finalize(q);
        return rc;
    }
    return step_named(s, q, &is_there, NULL, "write", err);
}

uint64_t matrix_store_n_cells(const struct matrix_store *s)
{
    return s->n_cells;
}
