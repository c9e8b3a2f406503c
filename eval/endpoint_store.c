/* SPDX-License-Identifier: MIT */
/*
 * endpoint_store.c -- what was asked and what came, in SQLite.
 *
 *     answers  key       16 bytes, the hash of URL and request
 *              request   the JSON that was sent (no header: no key)
 *              outcome   enum endpoint_outcome
 *              status    of HTTP; 0: none came
 *              body      the bytes that came
 *
 * Each row is a transaction.  A kill of this process loses nothing that was
 * put; a crash of the machine may lose the last rows (synchronous = NORMAL),
 * which are asked again.
 */
#include <sqlite3.h>

#include "cwm/base/alloc.h"
#include "eval/endpoint_internal.h"

/* "cwma": told apart from other SQLite files, and from later forms. */
enum { APPLICATION_ID = 0x63776D61, USER_VERSION = 1, BUSY_MS = 60000 };

struct endpoint__store {
    sqlite3 *db;       /* owned */
    sqlite3_stmt *get; /* owned */
    sqlite3_stmt *put; /* owned */
};

static enum cwm_rc store_fail(const struct endpoint__store *s, const char *what,
                              struct cwm_err *err)
{
    int code = s->db ? sqlite3_errcode(s->db) & 0xFF : SQLITE_NOMEM;

    if (code == SQLITE_NOMEM) {
        return CWM_FAIL(err, CWM_NOMEM, "could not %s: out of memory", what);
    }
    return CWM_FAIL(err, code == SQLITE_NOTADB ? CWM_FORMAT : CWM_IO,
                    "could not %s: %s", what, sqlite3_errmsg(s->db));
}

static int column_of(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int value = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        value = sqlite3_column_int(statement, 0);
    }
    sqlite3_finalize(statement);
    return value;
}

/* A file of somebody else's stays as it is. */
static enum cwm_rc check_kind(const struct endpoint__store *s, const char *path,
                              struct cwm_err *err)
{
    int n_tables = column_of(s->db, "SELECT count(*) FROM sqlite_schema");
    int id = column_of(s->db, "PRAGMA application_id");
    int version = column_of(s->db, "PRAGMA user_version");

    if (n_tables < 0) {
        return store_fail(s, "read the answers that are kept", err);
    }
    if (n_tables > 0 && (id != APPLICATION_ID || version != USER_VERSION)) {
        return CWM_FAIL(err, CWM_USAGE,
                        "'%s' holds something else than a model's answers\n"
                        "take a name that is free, or leave it out",
                        path);
    }
    return CWM_OK;
}

static enum cwm_rc set_up(struct endpoint__store *s, const char *path,
                          struct cwm_err *err)
{
    enum cwm_rc rc;

    sqlite3_busy_timeout(s->db, BUSY_MS);
    rc = check_kind(s, path, err);
    if (rc != CWM_OK) {
        return rc;
    }
    if (sqlite3_exec(s->db,
                     "PRAGMA trusted_schema = OFF;"
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                     "BEGIN IMMEDIATE;"
                     "PRAGMA application_id = 0x63776D61;"
                     "PRAGMA user_version = 1;"
                     "CREATE TABLE IF NOT EXISTS answers ("
                     " key BLOB NOT NULL PRIMARY KEY CHECK(length(key) = 16),"
                     " request BLOB NOT NULL, outcome INTEGER NOT NULL,"
                     " status INTEGER NOT NULL, body BLOB NOT NULL) STRICT;"
                     "COMMIT",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(s->db,
                           "SELECT body FROM answers"
                           " WHERE key = ?1 AND outcome = 1",
                           -1, &s->get, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(s->db,
                           "INSERT INTO answers VALUES (?1, ?2, ?3, ?4, ?5)"
                           " ON CONFLICT(key) DO UPDATE SET"
                           " outcome = ?3, status = ?4, body = ?5"
                           " WHERE outcome <> 1",
                           -1, &s->put, NULL) != SQLITE_OK) {
        return store_fail(s, "prepare the file of answers", err);
    }
    return CWM_OK;
}

enum cwm_rc endpoint__store_open(const char *path,
                                 struct endpoint__store **ret_store,
                                 struct cwm_err *err)
{
    struct endpoint__store *s = cwm_calloc(1, sizeof *s); /* owned */
    enum cwm_rc rc = CWM_OK;

    if (!s) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a file of answers");
    }
    if (sqlite3_open_v2(path, &s->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                            SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        rc = store_fail(s, "open the file of answers", err);
    }
    if (rc == CWM_OK) {
        rc = set_up(s, path, err);
    }
    if (rc != CWM_OK) {
        cwm_err_context(err, "%s", path);
        endpoint__store_close(s);
        return rc;
    }
    *ret_store = s;
    return CWM_OK;
}

void endpoint__store_close(struct endpoint__store *s)
{
    if (s) {
        sqlite3_finalize(s->get);
        sqlite3_finalize(s->put);
        sqlite3_close(s->db);
        cwm_free(s);
    }
}

enum cwm_rc endpoint__store_get(struct endpoint__store *s,
                                const struct hash *key, bool *ret_is_there,
                                struct cwm_buf *body, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    int code;

    *ret_is_there = false;
    sqlite3_bind_blob(s->get, 1, key->bytes, HASH_BYTES, SQLITE_STATIC);
    code = sqlite3_step(s->get);
    if (code == SQLITE_ROW) {
        const void *data = sqlite3_column_blob(s->get, 0);
        int len = sqlite3_column_bytes(s->get, 0);

        cwm_buf_add(body, data ? data : "", (size_t)len);
        rc = cwm_buf_check(body, "a kept answer", err);
        *ret_is_there = rc == CWM_OK;
    } else if (code != SQLITE_DONE) {
        rc = store_fail(s, "look for an answer", err);
    }
    sqlite3_reset(s->get);
    return rc;
}

enum cwm_rc endpoint__store_put(struct endpoint__store *s,
                                const struct hash *key,
                                const struct cwm_buf *request,
                                enum endpoint_outcome outcome, long status,
                                const struct cwm_buf *body, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    sqlite3_bind_blob(s->put, 1, key->bytes, HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_blob64(s->put, 2, request->data, request->len, SQLITE_STATIC);
    sqlite3_bind_int(s->put, 3, (int)outcome);
    sqlite3_bind_int64(s->put, 4, status);
    sqlite3_bind_blob64(s->put, 5, body->data ? body->data : "", body->len,
                        SQLITE_STATIC);
    if (sqlite3_step(s->put) != SQLITE_DONE) {
        rc = store_fail(s, "keep an answer", err);
    }
    sqlite3_reset(s->put);
    return rc;
}
