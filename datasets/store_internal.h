/* SPDX-License-Identifier: MIT */
/*
 * store_internal.h -- what store*.c share: the struct, statements, errors.
 *
 * A statement is prepared when it is first used and kept; whoever steps one
 * resets it before returning, so that no read stays open over a commit.
 */
#ifndef DATASETS_STORE_INTERNAL_H
#define DATASETS_STORE_INTERNAL_H

#include <sqlite3.h>

#include "datasets/store.h"

enum store__statement {
    STORE__BEGIN,
    STORE__COMMIT,
    STORE__ROLLBACK,
    STORE__ADD_PROGRAM,
    STORE__PROGRAM_ID,
    STORE__ADD_ORIGIN,
    STORE__ADD_SETTING,
    STORE__SETTING_ID,
    STORE__SETTING,
    STORE__ADD_TRACE,
    STORE__MARK_TRACE,
    STORE__ADD_ITEM,
    STORE__HAS_ITEM,
    STORE__ADD_DICTIONARY,
    STORE__ADD_BUILD,
    STORE__N_STATEMENTS
};

enum { STORE__IDLE_CURSORS = 4 };

struct store {
    char *path;                                    /* owned */
    sqlite3 *db;                                   /* owned */
    sqlite3_stmt *statements[STORE__N_STATEMENTS]; /* owned; NULL: not yet */
    struct codec *codec;                           /* owned */
    struct codec_thread *unpacker; /* owned: the cursors'; NULL: not yet */
    struct hasher *hasher;         /* owned */
    struct cwm_buf packed;         /* scratch of store_add_program() */
    /* Owned: closed ones, their statements ready for the next that asks the
       same; NULL: none. */
    struct store_cursor *idle[STORE__IDLE_CURSORS];
    char python[64]; /* of store_setting() */
    bool in_transaction;
    bool has_builds; /* of a version that notes them */
};

/* The statement, reset and without values; the store's own. */
enum cwm_rc store__statement(struct store *s, enum store__statement which,
                             sqlite3_stmt **ret_statement, struct cwm_err *err);

/* What SQLite says of its last failure; `what` is a verb's rest: "add a
 * trace". */
enum cwm_rc store__fail(const struct store *s, int code, const char *what,
                        struct cwm_err *err);

/* Step once and reset.  Fails as store__fail(). */
enum cwm_rc store__run(struct store *s, sqlite3_stmt *statement,
                       const char *what, struct cwm_err *err);

/* Bound until the statement is reset: the text must stay as long. */
void store__bind_text(sqlite3_stmt *statement, int i, const char *text);
void store__bind_hash(sqlite3_stmt *statement, int i, const struct hash *hash);
void store__bind_number(sqlite3_stmt *statement, int i, uint64_t number);
/* false: the column is no hash. */
bool store__column_hash(sqlite3_stmt *statement, int i, struct hash *ret_hash);

/* Frees the store's idle cursors. */
void store__free_cursors(struct store *s);

/* A statement that is the caller's: sqlite3_finalize(). */
enum cwm_rc store__prepare(const struct store *s, const char *sql,
                           sqlite3_stmt **ret_statement, struct cwm_err *err);

#endif /* DATASETS_STORE_INTERNAL_H */
