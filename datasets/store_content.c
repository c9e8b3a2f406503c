/* SPDX-License-Identifier: MIT */
/* store_content.c -- a store as a whole: its counts, its hash. */
#include <string.h>

#include "datasets/store.h"
#include "datasets/store_internal.h"

/* Go through rows of hashes, numbers and texts; all go into the hasher. */
static enum cwm_rc hash_rows(struct store *s, const char *sql,
                             struct cwm_err *err)
{
    sqlite3_stmt *row = NULL; /* owned */
    enum cwm_rc rc = store__prepare(s, sql, &row, err);
    int code = SQLITE_DONE;

    hasher_add_text(s->hasher, sql);
    while (rc == CWM_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(row); i++) {
            const void *data = sqlite3_column_blob(row, i);

            hasher_add(s->hasher, data, (size_t)sqlite3_column_bytes(row, i));
        }
    }
    if (rc == CWM_OK && code != SQLITE_DONE) {
        rc = store__fail(s, code, "read", err);
    }
    sqlite3_finalize(row);
    return rc;
}

enum cwm_rc store_content_hash(struct store *s, struct hash *ret_hash,
                               struct cwm_err *err)
{
    /* The hash of a row covers what it says, but for what is named here. */
    static const char items[] =
        "SELECT hash, source, name, skip, programs, traces FROM item"
        " ORDER BY hash";
    static const char *const tables[] = {
        "SELECT hash FROM program ORDER BY hash",
        "SELECT hash FROM origin ORDER BY hash",
        "SELECT hash, content, input_origin, label FROM trace ORDER BY hash",
        items,
    };
    enum cwm_rc rc = CWM_OK;

    hasher_reset(s->hasher);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (rc == CWM_OK) {
            rc = hash_rows(s, tables[i], err);
        }
    }
    *ret_hash = hasher_end(s->hasher);
    return rc;
}

enum cwm_rc store_last_dictionary(struct store *s, struct cwm_buf *out,
                                  struct cwm_err *err)
{
    sqlite3_stmt *row = NULL; /* owned */
    enum cwm_rc rc = store__prepare(
        s, "SELECT data FROM dictionary ORDER BY id DESC LIMIT 1", &row, err);
    int code = SQLITE_DONE;

    if (rc == CWM_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        cwm_buf_add(out, sqlite3_column_blob(row, 0),
                    (size_t)sqlite3_column_bytes(row, 0));
        rc = cwm_buf_check(out, "a dictionary", err);
    } else if (rc == CWM_OK && code != SQLITE_DONE) {
        rc = store__fail(s, code, "read", err);
    }
    sqlite3_finalize(row);
    return rc;
}

/* One row of numbers; a sum over no rows is 0. */
static enum cwm_rc get_row(struct store *s, const char *sql,
                           uint64_t *const *numbers, int n, struct cwm_err *err)
{
    sqlite3_stmt *row = NULL; /* owned */
    enum cwm_rc rc = store__prepare(s, sql, &row, err);
    int code;

    if (rc != CWM_OK) {
        return rc;
    }
    code = sqlite3_step(row);
    if (code == SQLITE_ROW) {
        for (int i = 0; i < n; i++) {
            *numbers[i] = (uint64_t)sqlite3_column_int64(row, i);
        }
    } else {
        rc = store__fail(s, code, "read", err);
    }
    sqlite3_finalize(row);
    return rc;
}

enum cwm_rc store_counts(struct store *s, struct store_counts *c,
                         struct cwm_err *err)
{
    uint64_t *const of_programs[] = {&c->n_programs, &c->n_program_bytes};
    uint64_t *const of_evaluation[] = {&c->n_evaluation};
    uint64_t *const of_traces[] = {
        &c->n_traces,     &c->n_frames,        &c->n_calls,       &c->n_lines,
        &c->n_text_bytes, &c->n_payload_bytes, &c->n_packed_bytes};
    uint64_t *const of_items[] = {&c->n_items, &c->n_skipped};
    enum cwm_rc rc;

    memset(c, 0, sizeof *c);
    rc = get_row(s, "SELECT count(*), sum(bytes) FROM program", of_programs, 2,
                 err);
    if (rc == CWM_OK) {
        rc = get_row(s,
                     "SELECT count(DISTINCT program) FROM origin"
                     " WHERE evaluation <> 0",
                     of_evaluation, 1, err);
    }
    if (rc == CWM_OK) {
        rc = get_row(s,
                     "SELECT count(*), sum(frames), sum(calls), sum(lines),"
                     " sum(text_bytes), sum(bytes), sum(length(data))"
                     " FROM trace",
                     of_traces, 7, err);
    }
    if (rc == CWM_OK) {
        rc = get_row(s, "SELECT count(*), count(skip) FROM item", of_items, 2,
                     err);
    }
    return rc;
}
