/* SPDX-License-Identifier: MIT */
/* store_add.c -- rows into a store, each by the hash of what it says. */
#include <string.h>

#include "datasets/store.h"
#include "datasets/store_internal.h"

/* The id that `which` finds for `hash`; 0: there is none. */
static enum cwm_rc find_id(struct store *s, enum store__statement which,
                           const struct hash *hash, int64_t *ret_id,
                           struct cwm_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum cwm_rc rc = store__statement(s, which, &statement, err);
    int code;

    *ret_id = 0;
    if (rc != CWM_OK) {
        return rc;
    }
    store__bind_hash(statement, 1, hash);
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *ret_id = sqlite3_column_int64(statement, 0);
    } else if (code != SQLITE_DONE) {
        rc = store__fail(s, code, "look", err);
    }
    sqlite3_reset(statement);
    return rc;
}

enum cwm_rc store_add_program(struct store *s, struct codec_thread *thread,
                              struct store_program *program,
                              struct cwm_err *err)
{
    sqlite3_stmt *statement = NULL;
    uint32_t dictionary = 0;
    enum cwm_rc rc;

    program->hash = hash_of(program->text, program->len);
    rc = find_id(s, STORE__PROGRAM_ID, &program->hash, &program->id, err);
    if (rc != CWM_OK || program->id > 0) {
        return rc;
    }
    rc = codec_pack(thread, program->text, program->len, &s->packed,
                    &dictionary, err);
    if (rc == CWM_OK) {
        rc = store__statement(s, STORE__ADD_PROGRAM, &statement, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    store__bind_hash(statement, 1, &program->hash);
    store__bind_number(statement, 2, program->len);
    store__bind_number(statement, 3, dictionary);
    sqlite3_bind_blob64(statement, 4, s->packed.data, s->packed.len,
                        SQLITE_STATIC);
    rc = store__run(s, statement, "add a program", err);
    program->id = sqlite3_last_insert_rowid(s->db);
    return rc;
}

static struct hash origin_hash(struct hasher *h, const struct hash *program,
                               const struct store_origin *o)
{
    hasher_reset(h);
    hasher_add_hash(h, program);
    hasher_add_number(h, o->kind);
    hasher_add_number(h, o->evaluation);
    hasher_add_text(h, o->origin);
    hasher_add_text(h, o->path);
    hasher_add_text(h, o->commit);
    hasher_add_text(h, o->licence);
    hasher_add_text(h, o->family);
    hasher_add_hash(h, o->parent);
    hasher_add_text(h, o->change);
    return hasher_end(h);
}

enum cwm_rc store_add_origin(struct store *s,
                             const struct store_program *program,
                             const struct store_origin *origin,
                             struct cwm_err *err)
{
    sqlite3_stmt *statement = NULL;
    struct hash hash = origin_hash(s->hasher, &program->hash, origin);
    enum cwm_rc rc = store__statement(s, STORE__ADD_ORIGIN, &statement, err);

    if (rc != CWM_OK) {
        return rc;
    }
    store__bind_hash(statement, 1, &hash);
    sqlite3_bind_int64(statement, 2, program->id);
    store__bind_number(statement, 3, origin->kind);
    store__bind_number(statement, 4, origin->evaluation);
    store__bind_text(statement, 5, origin->origin);
    store__bind_text(statement, 6, origin->path);
    store__bind_text(statement, 7, origin->commit);
    store__bind_text(statement, 8, origin->licence);
    store__bind_text(statement, 9, origin->family);
    if (origin->parent) {
        store__bind_hash(statement, 10, origin->parent);
    }
    store__bind_text(statement, 11, origin->change);
    return store__run(s, statement, "add an origin", err);
}

struct hash store_setting_hash(struct hasher *h,
                               const struct store_setting *setting)
{
    hasher_reset(h);
    hasher_add_text(h, setting->python);
    hasher_add_number(h, setting->seed);
#define LIMIT_HASH(field, option, fallback, min, max, in_bytes, what)          \
    hasher_add_number(h, setting->limits.field);
    TRACE_LIMIT_TABLE(LIMIT_HASH)
#undef LIMIT_HASH
    return hasher_end(h);
}

enum cwm_rc store_add_setting(struct store *s,
                              const struct store_setting *setting,
                              int64_t *ret_id, struct cwm_err *err)
{
    struct hash hash = store_setting_hash(s->hasher, setting);
    enum cwm_rc rc = find_id(s, STORE__SETTING_ID, &hash, ret_id, err);
    sqlite3_stmt *statement = NULL;
    int i = 4;

    if (rc != CWM_OK || *ret_id > 0) {
        return rc;
    }
    rc = store__statement(s, STORE__ADD_SETTING, &statement, err);
    if (rc != CWM_OK) {
        return rc;
    }
    store__bind_hash(statement, 1, &hash);
    store__bind_text(statement, 2, setting->python);
    store__bind_number(statement, 3, setting->seed);
#define LIMIT_BIND(field, option, fallback, min, max, in_bytes, what)          \
    store__bind_number(statement, i++, setting->limits.field);
    TRACE_LIMIT_TABLE(LIMIT_BIND)
#undef LIMIT_BIND
    rc = store__run(s, statement, "add a setting", err);
    *ret_id = sqlite3_last_insert_rowid(s->db);
    return rc;
}

struct hash store_trace_hash(struct hasher *h, const struct hash *program,
                             const struct hash *setting,
                             const struct store_trace *trace,
                             const void *stdin_data, size_t stdin_len)
{
    hasher_reset(h);
    hasher_add_hash(h, program);
    hasher_add_hash(h, setting);
    hasher_add_text(h, trace->entry);
    hasher_add_text(h, trace->args);
    hasher_add_number(h, trace->wrap_main);
    hasher_add(h, stdin_data, stdin_len);
    return hasher_end(h);
}

/* The row's own part: what came of the run. */
static void bind_outcome(sqlite3_stmt *statement, const struct store_trace *t)
{
    store__bind_number(statement, 10, t->verdict);
    store__bind_text(statement, 11, t->detail);
    store__bind_number(statement, 12, t->context_line);
    store__bind_number(statement, 13, t->n_frames);
    store__bind_number(statement, 14, t->n_calls);
    store__bind_number(statement, 15, t->n_lines);
    store__bind_number(statement, 16, t->max_depth);
    store__bind_number(statement, 17, t->n_text_bytes);
    store__bind_number(statement, 18, t->payload_bytes);
    store__bind_number(statement, 19, t->dictionary);
    sqlite3_bind_blob64(statement, 20, t->data ? t->data : "", t->data_len,
                        SQLITE_STATIC);
}

enum cwm_rc store_add_trace(struct store *s, const struct store_trace *trace,
                            struct cwm_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum cwm_rc rc = store__statement(s, STORE__ADD_TRACE, &statement, err);

    if (rc != CWM_OK) {
        return rc;
    }
    store__bind_hash(statement, 1, &trace->hash);
    store__bind_hash(statement, 2, &trace->content);
    sqlite3_bind_int64(statement, 3, trace->program_id);
    sqlite3_bind_int64(statement, 4, trace->setting_id);
    store__bind_text(statement, 5, trace->entry);
    store__bind_text(statement, 6, trace->args);
    store__bind_number(statement, 7, trace->wrap_main);
    sqlite3_bind_int(statement, 8, trace->input_origin);
    store__bind_text(statement, 9, trace->label);
    bind_outcome(statement, trace);
    rc = store__run(s, statement, "add a trace", err);
    if (rc == CWM_OK) {
        rc = store__statement(s, STORE__MARK_TRACE, &statement, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    store__bind_hash(statement, 1, &trace->hash);
    sqlite3_bind_int(statement, 2, trace->input_origin);
    store__bind_text(statement, 3, trace->label);
    return store__run(s, statement, "add a trace", err);
}

enum cwm_rc store_add_item(struct store *s, const struct store_item *item,
                           struct cwm_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum cwm_rc rc = store__statement(s, STORE__ADD_ITEM, &statement, err);

    if (rc != CWM_OK) {
        return rc;
    }
    store__bind_hash(statement, 1, &item->hash);
    store__bind_text(statement, 2, item->source);
    store__bind_text(statement, 3, item->name);
    store__bind_text(statement, 4, item->skip);
    store__bind_number(statement, 5, item->n_programs);
    store__bind_number(statement, 6, item->n_traces);
    return store__run(s, statement, "add an item", err);
}

enum cwm_rc store_add_dictionary(struct store *s, const void *data, size_t len,
                                 uint32_t *ret_id, struct cwm_err *err)
{
    sqlite3_stmt *statement = NULL;
    enum cwm_rc rc =
        store__statement(s, STORE__ADD_DICTIONARY, &statement, err);

    if (rc != CWM_OK) {
        return rc;
    }
    sqlite3_bind_blob64(statement, 1, data, len, SQLITE_STATIC);
    rc = store__run(s, statement, "add a dictionary", err);
    if (rc == CWM_OK) {
        *ret_id = (uint32_t)sqlite3_last_insert_rowid(s->db);
    }
    return rc;
}

enum cwm_rc store_has_item(struct store *s, const struct hash *hash,
                           bool *ret_has, struct cwm_err *err)
{
    int64_t id = 0;
    enum cwm_rc rc = find_id(s, STORE__HAS_ITEM, hash, &id, err);

    *ret_has = id > 0;
    return rc;
}

/* ---- builds ---- */

enum cwm_rc store_add_build(struct store *s, const struct store_build *build,
                            struct cwm_err *err)
{
    sqlite3_stmt *row = NULL;
    enum cwm_rc rc = store__statement(s, STORE__ADD_BUILD, &row, err);

    if (rc != CWM_OK) {
        return rc;
    }
    store__bind_text(row, 1, build->command);
    store__bind_text(row, 2, build->version);
    store__bind_number(row, 3, build->shard);
    store__bind_number(row, 4, build->n_shards);
    return store__run(s, row, "note the command", err);
}
