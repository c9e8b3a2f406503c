/* SPDX-License-Identifier: MIT */
/*
 * store.c -- opening a store: its schema, statements, transactions, errors.
 *
 * WAL with synchronous=FULL: a commit is one sync, readers never wait, and
 * what is in the middle of being written when the machine stops is as if it
 * had not been.  Numbers of 64 bits without a sign are stored as SQLite's
 * signed ones, bit by bit.
 */
#include "datasets/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "datasets/store_internal.h"

enum {
    /* Others' transactions last a second or two. */
    BUSY_MS = 60000,
    /* Page cache, in KiB as SQLite wants it: negative. */
    CACHE_KIB = -16384
};

/* Version 1.  What later ones added is a step of its own below. */
static const char schema[] =
    "CREATE TABLE dictionary("
    " id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE program("
    " id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
    " bytes INTEGER NOT NULL, dictionary INTEGER NOT NULL,"
    " data BLOB NOT NULL) STRICT;"
    "CREATE TABLE origin("
    " id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
    " program INTEGER NOT NULL REFERENCES program(id),"
    " kind INTEGER NOT NULL, evaluation INTEGER NOT NULL,"
    " origin TEXT NOT NULL, path TEXT NOT NULL, commit_id TEXT,"
    " licence TEXT, family TEXT, parent BLOB, change TEXT) STRICT;"
    "CREATE INDEX origin_of_program ON origin(program);"
    "CREATE TABLE setting("
    " id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
    " python TEXT NOT NULL, seed INTEGER NOT NULL"
#define LIMIT_COLUMN(field, option, fallback, min, max, in_bytes, what)        \
    ", " #field " INTEGER NOT NULL"
    TRACE_LIMIT_TABLE(LIMIT_COLUMN)
#undef LIMIT_COLUMN
        ") STRICT;"
        "CREATE TABLE trace("
        " id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
        " content BLOB NOT NULL,"
        " program INTEGER NOT NULL REFERENCES program(id),"
        " setting INTEGER NOT NULL REFERENCES setting(id),"
        " entry TEXT, args TEXT, wrap_main INTEGER NOT NULL,"
        " input_origin INTEGER NOT NULL, label TEXT,"
        " verdict INTEGER NOT NULL, detail TEXT, context_line INTEGER NOT NULL,"
        " frames INTEGER NOT NULL, calls INTEGER NOT NULL,"
        " lines INTEGER NOT NULL, depth INTEGER NOT NULL,"
        " text_bytes INTEGER NOT NULL, bytes INTEGER NOT NULL,"
        " dictionary INTEGER NOT NULL, data BLOB NOT NULL) STRICT;"
        "CREATE INDEX trace_of_program ON trace(program, hash);"
        "CREATE TABLE item("
        " hash BLOB PRIMARY KEY, source TEXT NOT NULL, name TEXT NOT NULL,"
        " skip TEXT, programs INTEGER NOT NULL, traces INTEGER NOT NULL"
        ") STRICT, WITHOUT ROWID;";

static const char builds[] =
    "CREATE TABLE build("
    " command TEXT NOT NULL, version TEXT NOT NULL, shard INTEGER NOT NULL,"
    " n_shards INTEGER NOT NULL,"
    " PRIMARY KEY(command, version, n_shards, shard)) STRICT, WITHOUT ROWID;";

/* steps[i] takes a store of version i + 1 to i + 2. */
static const char *const steps[STORE_VERSION - 1] = {builds};

#define LIMIT_NAME(field, option, fallback, min, max, in_bytes, what)          \
    ", " #field
#define LIMIT_VALUE(field, option, fallback, min, max, in_bytes, what) ", ?"

static const char *const statement_texts[STORE__N_STATEMENTS] = {
    [STORE__BEGIN] = "BEGIN IMMEDIATE",
    [STORE__COMMIT] = "COMMIT",
    [STORE__ROLLBACK] = "ROLLBACK",
    [STORE__ADD_PROGRAM] =
        "INSERT INTO program(hash, bytes, dictionary, data) VALUES(?, ?, ?, ?)",
    [STORE__PROGRAM_ID] = "SELECT id FROM program WHERE hash = ?",
    [STORE__ADD_ORIGIN] =
        "INSERT INTO origin(hash, program, kind, evaluation, origin, path,"
        " commit_id, licence, family, parent, change)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT(hash) DO NOTHING",
    [STORE__ADD_SETTING] =
        "INSERT INTO setting(hash, python, seed" TRACE_LIMIT_TABLE(
            LIMIT_NAME) ") VALUES(?, ?, ?" TRACE_LIMIT_TABLE(LIMIT_VALUE) ")",
    [STORE__SETTING_ID] = "SELECT id FROM setting WHERE hash = ?",
    [STORE__SETTING] = "SELECT python, seed" TRACE_LIMIT_TABLE(
        LIMIT_NAME) " FROM setting WHERE id = ?",
    [STORE__ADD_TRACE] =
        "INSERT INTO trace(hash, content, program, setting, entry, args,"
        " wrap_main, input_origin, label, verdict, detail, context_line,"
        " frames, calls, lines, depth, text_bytes, bytes, dictionary, data)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT(hash) DO UPDATE SET content = excluded.content,"
        " verdict = excluded.verdict, detail = excluded.detail,"
        " context_line = excluded.context_line, frames = excluded.frames,"
        " calls = excluded.calls, lines = excluded.lines,"
        " depth = excluded.depth, text_bytes = excluded.text_bytes,"
        " bytes = excluded.bytes, dictionary = excluded.dictionary,"
        " data = excluded.data WHERE excluded.content < trace.content",
    [STORE__MARK_TRACE] =
        "UPDATE trace SET input_origin = min(input_origin, ?2),"
        " label = coalesce(min(label, ?3), label, ?3) WHERE hash = ?1"
        " AND (input_origin > ?2 OR label IS NOT ?3)",
    [STORE__ADD_ITEM] =
        "INSERT INTO item(hash, source, name, skip, programs, traces)"
        " VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(hash) DO UPDATE SET"
        " programs = min(programs, excluded.programs),"
        " traces = min(traces, excluded.traces)",
    [STORE__HAS_ITEM] = "SELECT 1 FROM item WHERE hash = ?",
    [STORE__ADD_DICTIONARY] = "INSERT INTO dictionary(data) VALUES(?)",
    [STORE__ADD_BUILD] =
        "INSERT INTO build VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING",
};

const char *store_kind_text(enum store_kind kind)
{
    switch (kind) {
#define STORE_KIND_CASE(name, number, text)                                    \
    case STORE_KIND_##name:                                                    \
        return text;
        STORE_KIND_TABLE(STORE_KIND_CASE)
#undef STORE_KIND_CASE
    case STORE_N_KINDS:
        break;
    }
    return "no kind";
}

/* ---- errors and statements ---- */

static enum cwm_rc rc_of(int code)
{
    switch (code & 0xFF) {
    case SQLITE_NOMEM:
        return CWM_NOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* a table that is not as it should be */
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return CWM_FORMAT;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return CWM_USAGE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return CWM_SYSTEM;
    case SQLITE_TOOBIG:
        return CWM_LIMIT;
    default:
        return CWM_IO;
    }
}

enum cwm_rc store__fail(const struct store *s, int code, const char *what,
                        struct cwm_err *err)
{
    const char *why = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code);

    if ((code & 0xFF) == SQLITE_BUSY) {
        why = "another process has been writing for too long";
    }
    if ((code & 0xFF) == SQLITE_NOTADB) {
        return CWM_FAIL(err, CWM_USAGE, "cannot use '%s': it is no store",
                        s->path);
    }
    return CWM_FAIL(err, rc_of(code), "could not %s in '%s': %s", what, s->path,
                    why);
}

enum cwm_rc store__prepare(const struct store *s, const char *sql,
                           sqlite3_stmt **ret_statement, struct cwm_err *err)
{
    int code = sqlite3_prepare_v2(s->db, sql, -1, ret_statement, NULL);

    return code == SQLITE_OK ? CWM_OK : store__fail(s, code, "look", err);
}

enum cwm_rc store__statement(struct store *s, enum store__statement which,
                             sqlite3_stmt **ret_statement, struct cwm_err *err)
{
    sqlite3_stmt **statement = &s->statements[which];
    int code = SQLITE_OK;

    if (!*statement) {
        code = sqlite3_prepare_v3(s->db, statement_texts[which], -1,
                                  SQLITE_PREPARE_PERSISTENT, statement, NULL);
    }
    *ret_statement = *statement;
    return code == SQLITE_OK ? CWM_OK : store__fail(s, code, "look", err);
}

enum cwm_rc store__run(struct store *s, sqlite3_stmt *statement,
                       const char *what, struct cwm_err *err)
{
    int code = sqlite3_step(statement);
    enum cwm_rc rc = CWM_OK;

    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        rc = store__fail(s, code, what, err);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return rc;
}

void store__bind_text(sqlite3_stmt *statement, int i, const char *text)
{
    sqlite3_bind_text(statement, i, text, -1, SQLITE_STATIC);
}

void store__bind_hash(sqlite3_stmt *statement, int i, const struct hash *hash)
{
    sqlite3_bind_blob(statement, i, hash->bytes, HASH_BYTES, SQLITE_STATIC);
}

void store__bind_number(sqlite3_stmt *statement, int i, uint64_t number)
{
    sqlite3_bind_int64(statement, i, (sqlite3_int64)number);
}

bool store__column_hash(sqlite3_stmt *statement, int i, struct hash *ret_hash)
{
    const void *bytes = sqlite3_column_blob(statement, i);

    if (!bytes || sqlite3_column_bytes(statement, i) != HASH_BYTES) {
        return false;
    }
    memcpy(ret_hash->bytes, bytes, HASH_BYTES);
    return true;
}

/* ---- opening ---- */

static enum cwm_rc execute(struct store *s, const char *sql, const char *what,
                           struct cwm_err *err)
{
    int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? CWM_OK : store__fail(s, code, what, err);
}

static enum cwm_rc get_number(struct store *s, const char *sql,
                              int64_t *ret_number, struct cwm_err *err)
{
    sqlite3_stmt *statement = NULL; /* owned */
    enum cwm_rc rc = store__prepare(s, sql, &statement, err);
    int code;

    if (rc != CWM_OK) {
        return rc;
    }
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *ret_number = sqlite3_column_int64(statement, 0);
    } else {
        rc = store__fail(s, code, "read", err);
    }
    sqlite3_finalize(statement);
    return rc;
}

static enum cwm_rc make_schema(struct store *s, struct cwm_err *err)
{
    char marks[160];
    enum cwm_rc rc;

    snprintf(marks, sizeof marks,
             "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             STORE_APPLICATION_ID, 1);
    rc = execute(s, schema, "make the tables", err);
    return rc == CWM_OK ? execute(s, marks, "make the tables", err) : rc;
}

/* From the version it has to the one of this program. */
static enum cwm_rc take_steps(struct store *s, int64_t version,
                              struct cwm_err *err)
{
    char mark[64];
    enum cwm_rc rc = CWM_OK;

    for (int64_t i = version; i < STORE_VERSION && rc == CWM_OK; i++) {
        rc = execute(s, steps[i - 1], "bring the tables up to date", err);
    }
    if (rc != CWM_OK || version == STORE_VERSION) {
        return rc;
    }
    snprintf(mark, sizeof mark, "PRAGMA user_version = %d", STORE_VERSION);
    return execute(s, mark, "bring the tables up to date", err);
}

/*
 * A new file gets the schema; one of an earlier version is taken from step to
 * step, unless it is only read: then what it lacks is empty.  All in one
 * transaction.
 */
static enum cwm_rc migrate(struct store *s, enum store_mode mode,
                           struct cwm_err *err)
{
    int64_t id = 0;
    int64_t version = 0;
    int64_t n_tables = 0;
    enum cwm_rc rc = get_number(s, "PRAGMA application_id", &id, err);

    if (rc == CWM_OK) {
        rc = get_number(s, "PRAGMA user_version", &version, err);
    }
    if (rc == CWM_OK) {
        rc =
            get_number(s, "SELECT count(*) FROM sqlite_schema", &n_tables, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (mode == STORE_MAKE && id == 0 && version == 0 && n_tables == 0) {
        rc = make_schema(s, err);
        id = STORE_APPLICATION_ID;
        version = 1;
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (id != STORE_APPLICATION_ID) {
        return CWM_FAIL(err, CWM_USAGE, "cannot use '%s': it is no store",
                        s->path);
    }
    if (version < 1 || version > STORE_VERSION) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot use '%s': its version is %lld, this program "
                        "knows 1 to %d",
                        s->path, (long long)version, STORE_VERSION);
    }
    s->has_builds = version >= 2 || mode != STORE_READ;
    return mode == STORE_READ ? CWM_OK : take_steps(s, version, err);
}

/* Each step in its own words: what fails first tells most. */
static enum cwm_rc set_up(struct store *s, enum store_mode mode,
                          struct cwm_err *err)
{
    char cache[64];
    enum cwm_rc rc;

    sqlite3_busy_timeout(s->db, BUSY_MS);
    snprintf(cache, sizeof cache, "PRAGMA cache_size = %d", CACHE_KIB);
    rc = execute(s, cache, "read", err);
    if (rc == CWM_OK) {
        rc = execute(s,
                     "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
                     "read", err);
    }
    if (rc == CWM_OK && mode == STORE_READ) {
        rc = execute(s, "PRAGMA query_only = ON", "read", err);
        return rc == CWM_OK ? migrate(s, mode, err) : rc;
    }
    if (rc != CWM_OK) {
        return rc;
    }
    rc = execute(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
                 "write", err);
    if (rc == CWM_OK) {
        rc = execute(s, "BEGIN IMMEDIATE", "write", err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    rc = migrate(s, mode, err);
    if (rc == CWM_OK) {
        rc = execute(s, "COMMIT", "write", err);
    } else {
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return rc;
}

static enum cwm_rc load_dictionaries(struct store *s, struct cwm_err *err)
{
    sqlite3_stmt *statement = NULL; /* owned */
    enum cwm_rc rc = store__prepare(
        s, "SELECT id, data FROM dictionary ORDER BY id", &statement, err);
    int code = SQLITE_DONE;

    while (rc == CWM_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        rc = codec_add(s->codec, (uint32_t)sqlite3_column_int64(statement, 0),
                       sqlite3_column_blob(statement, 1),
                       (size_t)sqlite3_column_bytes(statement, 1), err);
    }
    if (rc == CWM_OK && code != SQLITE_DONE) {
        rc = store__fail(s, code, "read the dictionaries", err);
    }
    sqlite3_finalize(statement);
    return rc;
}

/* SQLite's words for these are of little help. */
static enum cwm_rc look_at_path(const char *path, enum store_mode mode,
                                struct cwm_err *err)
{
    struct stat st;

    if (stat(path, &st) == 0) {
        return S_ISREG(st.st_mode)
                   ? CWM_OK
                   : CWM_FAIL(err, CWM_USAGE, "cannot use '%s': it is no file",
                              path);
    }
    if (errno == ENOENT && mode == STORE_MAKE) {
        return CWM_OK;
    }
    return CWM_FAIL(err, CWM_USAGE, "could not open '%s': %s", path,
                    strerror(errno));
}

/*
 * Readers open it for writing where they may, too, and then write nothing:
 * the last one to close it takes the WAL's files away.
 */
static enum cwm_rc open_file(struct store *s, enum store_mode mode,
                             struct cwm_err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_EXRESCODE |
                (mode == STORE_MAKE ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(s->path, &s->db, flags, NULL);

    return code == SQLITE_OK ? CWM_OK : store__fail(s, code, "open it", err);
}

/*
 * In a folder that may not be written to there can be no WAL: the file is all
 * there is, and nobody changes it.
 */
static enum cwm_rc open_still_file(struct store *s, struct cwm_err *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
    struct cwm_buf uri;
    int code = SQLITE_NOMEM;

    sqlite3_close(s->db);
    s->db = NULL;
    cwm_buf_init(&uri, 1 << 16);
    cwm_buf_adds(&uri, "file:");
    for (const char *p = s->path; *p; p++) {
        if (strchr(plain, *p)) {
            cwm_buf_addc(&uri, *p);
        } else {
            cwm_buf_addf(&uri, "%%%02X", (unsigned char)*p);
        }
    }
    cwm_buf_adds(&uri, "?immutable=1");
    if (uri.failed == CWM_OK) {
        code = sqlite3_open_v2(uri.data, &s->db,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
                                   SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                               NULL);
    }
    cwm_buf_release(&uri);
    return code == SQLITE_OK ? CWM_OK : store__fail(s, code, "open it", err);
}

static enum cwm_rc open_and_set_up(struct store *s, enum store_mode mode,
                                   struct cwm_err *err)
{
    char wal[4096];
    int n = snprintf(wal, sizeof wal, "%s-wal", s->path);
    bool has_wal = n < 0 || (size_t)n >= sizeof wal || access(wal, F_OK) == 0;
    enum cwm_rc rc = open_file(s, mode, err);

    if (rc == CWM_OK) {
        rc = set_up(s, mode, err);
    }
    if (rc != CWM_OK && mode == STORE_READ && !has_wal &&
        ((sqlite3_errcode(s->db) & 0xFF) == SQLITE_CANTOPEN ||
         (sqlite3_errcode(s->db) & 0xFF) == SQLITE_READONLY)) {
        rc = open_still_file(s, err);
        if (rc == CWM_OK) {
            rc = set_up(s, mode, err);
        }
    }
    return rc;
}

enum cwm_rc store_open(const char *path, enum store_mode mode,
                       struct store **ret_store, struct cwm_err *err)
{
    struct store *s = NULL; /* owned until handed over */
    enum cwm_rc rc = look_at_path(path, mode, err);

    if (rc != CWM_OK) {
        return rc;
    }
    s = cwm_calloc(1, sizeof *s);
    if (!s || !(s->path = cwm_strdup(path))) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not open '%s': no memory", path);
        goto out;
    }
    cwm_buf_init(&s->packed, SIZE_MAX / 2);
    rc = codec_new(&s->codec, err);
    if (rc == CWM_OK) {
        rc = hasher_new(&s->hasher, err);
    }
    if (rc == CWM_OK) {
        rc = open_and_set_up(s, mode, err);
    }
    if (rc == CWM_OK) {
        rc = load_dictionaries(s, err);
    }
    if (rc == CWM_OK) {
        *ret_store = s;
        s = NULL;
    }
out:
    store_close(s);
    return rc;
}

void store_close(struct store *s)
{
    if (!s) {
        return;
    }
    for (size_t i = 0; i < STORE__N_STATEMENTS; i++) {
        sqlite3_finalize(s->statements[i]);
    }
    store__free_cursors(s);
    sqlite3_close(s->db); /* undoes what was not committed */
    codec_thread_free(s->unpacker);
    codec_free(s->codec);
    hasher_free(s->hasher);
    cwm_buf_release(&s->packed);
    cwm_free(s->path);
    cwm_free(s);
}

const char *store_path(const struct store *s)
{
    return s->path;
}

struct codec *store_codec(const struct store *s)
{
    return s->codec;
}

/* ---- transactions ---- */

enum cwm_rc store_begin(struct store *s, struct cwm_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum cwm_rc rc = store__statement(s, STORE__BEGIN, &statement, err);

    if (rc == CWM_OK) {
        rc = store__run(s, statement, "write", err);
    }

    s->in_transaction = rc == CWM_OK;
    return rc;
}

/* A commit that fails is undone: nothing of it is there. */
enum cwm_rc store_commit(struct store *s, struct cwm_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum cwm_rc rc = store__statement(s, STORE__COMMIT, &statement, err);

    if (rc == CWM_OK) {
        rc = store__run(s, statement, "write", err);
    }

    if (rc != CWM_OK) {
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
    s->in_transaction = false;
    return rc;
}
