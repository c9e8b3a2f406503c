/* SPDX-License-Identifier: MIT */
/*
 * build_rows.c -- rows as bytes: numbers of 8 bytes in the machine's order,
 * texts as a length and bytes with a NUL behind, so that they can be used
 * where they lie.
 */
#include "datasets/build_rows.h"

#include <string.h>

/* The length that stands for no text. */
#define NO_TEXT UINT64_MAX

void build_rows_put_number(struct cwm_buf *out, uint64_t number)
{
    cwm_buf_add(out, &number, sizeof number);
}

void build_rows_put(struct cwm_buf *out, const void *data, size_t len)
{
    build_rows_put_number(out, data ? len : NO_TEXT);
    if (data) {
        cwm_buf_add(out, data, len);
        cwm_buf_addc(out, '\0');
    }
}

void build_rows_put_text(struct cwm_buf *out, const char *text)
{
    build_rows_put(out, text, text ? strlen(text) : 0);
}

uint64_t build_rows_get_number(const struct cwm_buf *rows, size_t *at)
{
    uint64_t number;

    memcpy(&number, rows->data + *at, sizeof number);
    *at += sizeof number;
    return number;
}

const char *build_rows_get(const struct cwm_buf *rows, size_t *at,
                           size_t *ret_len)
{
    uint64_t len = build_rows_get_number(rows, at);
    const char *text = rows->data + *at;

    *ret_len = 0;
    if (len == NO_TEXT) {
        return NULL;
    }
    *ret_len = (size_t)len;
    *at += (size_t)len + 1;
    return text;
}

static const char *get_text(const struct cwm_buf *rows, size_t *at)
{
    size_t len;

    return build_rows_get(rows, at, &len);
}

static void get_hash(const struct cwm_buf *rows, size_t *at, struct hash *hash)
{
    memcpy(hash->bytes, rows->data + *at, HASH_BYTES);
    *at += HASH_BYTES;
}

void build_rows_put_program(struct cwm_buf *out, const char *text, size_t len,
                            const struct store_origin *o)
{
    build_rows_put_number(out, 1);
    build_rows_put(out, text, len);
    build_rows_put_number(out, o->kind);
    build_rows_put_number(out, o->evaluation);
    build_rows_put_text(out, o->origin);
    build_rows_put_text(out, o->path);
    build_rows_put_text(out, o->commit);
    build_rows_put_text(out, o->licence);
    build_rows_put_text(out, o->family);
    build_rows_put_text(out, o->change);
    build_rows_put_number(out, o->parent != NULL);
    if (o->parent) {
        cwm_buf_add(out, o->parent->bytes, HASH_BYTES);
    }
}

static void get_program(const struct cwm_buf *rows, size_t *at,
                        struct build_row *row)
{
    struct store_origin *o = &row->origin;

    row->text = build_rows_get(rows, at, &row->text_len);
    o->kind = (enum store_kind)build_rows_get_number(rows, at);
    o->evaluation = build_rows_get_number(rows, at) != 0;
    o->origin = get_text(rows, at);
    o->path = get_text(rows, at);
    o->commit = get_text(rows, at);
    o->licence = get_text(rows, at);
    o->family = get_text(rows, at);
    o->change = get_text(rows, at);
    if (build_rows_get_number(rows, at) != 0) {
        get_hash(rows, at, &row->parent);
        o->parent = &row->parent;
    }
}

void build_rows_put_trace(struct cwm_buf *out, const struct store_trace *t,
                          const struct store_setting *setting,
                          const void *sample, size_t sample_len)
{
    build_rows_put_number(out, 0);
    cwm_buf_add(out, t->hash.bytes, HASH_BYTES);
    cwm_buf_add(out, t->content.bytes, HASH_BYTES);
    build_rows_put_text(out, t->entry);
    build_rows_put_text(out, t->args);
    build_rows_put_number(out, t->wrap_main);
    build_rows_put_number(out, (uint64_t)t->input_origin + 1);
    build_rows_put_text(out, t->label);
    build_rows_put_number(out, t->verdict);
    build_rows_put_text(out, t->detail);
    build_rows_put_number(out, t->context_line);
    build_rows_put_number(out, t->n_frames);
    build_rows_put_number(out, t->n_calls);
    build_rows_put_number(out, t->n_lines);
    build_rows_put_number(out, t->max_depth);
    build_rows_put_number(out, t->n_text_bytes);
    build_rows_put_number(out, t->payload_bytes);
    build_rows_put_number(out, t->dictionary);
    build_rows_put(out, t->data, t->data_len);
    build_rows_put_text(out, setting->python);
    build_rows_put_number(out, setting->seed);
    cwm_buf_add(out, &setting->limits, sizeof setting->limits);
    build_rows_put(out, sample, sample_len);
}

static void get_trace(const struct cwm_buf *rows, size_t *at,
                      struct build_row *row)
{
    struct store_trace *t = &row->trace;

    get_hash(rows, at, &t->hash);
    get_hash(rows, at, &t->content);
    t->entry = get_text(rows, at);
    t->args = get_text(rows, at);
    t->wrap_main = build_rows_get_number(rows, at) != 0;
    t->input_origin = (int)build_rows_get_number(rows, at) - 1;
    t->label = get_text(rows, at);
    t->verdict = (enum trace_verdict)build_rows_get_number(rows, at);
    t->detail = get_text(rows, at);
    t->context_line = (uint32_t)build_rows_get_number(rows, at);
    t->n_frames = build_rows_get_number(rows, at);
    t->n_calls = build_rows_get_number(rows, at);
    t->n_lines = build_rows_get_number(rows, at);
    t->max_depth = (uint32_t)build_rows_get_number(rows, at);
    t->n_text_bytes = build_rows_get_number(rows, at);
    t->payload_bytes = (size_t)build_rows_get_number(rows, at);
    t->dictionary = (uint32_t)build_rows_get_number(rows, at);
    t->data = build_rows_get(rows, at, &t->data_len);
    row->setting.python = get_text(rows, at);
    row->setting.seed = build_rows_get_number(rows, at);
    memcpy(&row->setting.limits, rows->data + *at, sizeof row->setting.limits);
    *at += sizeof row->setting.limits;
    row->sample = build_rows_get(rows, at, &row->sample_len);
}

bool build_rows_next(const struct cwm_buf *rows, size_t *at,
                     struct build_row *ret_row)
{
    if (*at >= rows->len) {
        return false;
    }
    memset(ret_row, 0, sizeof *ret_row);
    ret_row->is_program = build_rows_get_number(rows, at) != 0;
    if (ret_row->is_program) {
        get_program(rows, at, ret_row);
    } else {
        get_trace(rows, at, ret_row);
    }
    return true;
}
