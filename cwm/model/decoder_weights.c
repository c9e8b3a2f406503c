/* SPDX-License-Identifier: MIT */
/* decoder_weights.c -- a model's tensors as the matrices that are used: where
 * they lie, or copied one by one. */
#include <math.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/model/decoder_internal.h"
#include "cwm/model/quantize.h"

/* Tensors one behind the other, as the rows of one matrix. */
struct rows {
    const struct tensor *parts[MAX_PARTS];
    size_t n_parts;
    size_t n_in;
};

static size_t rows_of(const struct rows *rows, size_t part)
{
    return rows->parts[part]->n_values / rows->n_in;
}

static size_t rows_total(const struct rows *rows)
{
    size_t n = 0;
    size_t i;

    for (i = 0; i < rows->n_parts; i++) {
        n += rows_of(rows, i);
    }
    return n;
}

/* Are the tensor's bytes what the operations read? */
static bool is_stored_as(const struct tensor *t, enum ops_type type)
{
    return (type == OPS_F32 && t->type == TENSOR_F32) ||
           (type == OPS_BF16 && t->type == TENSOR_BF16);
}

/* ... and lie where they can read them? */
static bool lies_as(const struct ops *o, const struct rows *rows,
                    enum ops_type type)
{
    size_t i;

    for (i = 0; i < rows->n_parts; i++) {
        const struct tensor *t = rows->parts[i];

        if (!o->reads_any_memory || !is_stored_as(t, type) ||
            (uintptr_t)t->data % ops_type_bytes(type) != 0) {
            return false;
        }
    }
    return true;
}

static enum cwm_rc check_rows_finite(const struct rows *rows,
                                     struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    size_t i;

    for (i = 0; i < rows->n_parts && rc == CWM_OK; i++) {
        rc = tensor_check_finite(rows->parts[i], err);
    }
    return rc;
}

/* They have been copied: the files' pages are not needed any more. */
static void forget(const struct decoder *d, const struct tensor *t)
{
    if (d->m->files) {
        weights_forget(d->m->files, t);
    }
}

/* One row in the matrix' type, at `to`. */
static void convert_row(const float *row, size_t n, enum ops_type type,
                        void *to, float *scale)
{
    size_t i;

    if (type == OPS_F32) {
        memcpy(to, row, n * sizeof *row);
    } else if (type == OPS_I8) {
        *scale = quantize_row(row, n, to);
    } else {
        for (i = 0; i < n; i++) {
            ((uint16_t *)to)[i] = bf16_from_f32(row[i]);
        }
    }
}

static enum cwm_rc no_memory(struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_NOMEM, "could not hold the model's weights");
}

void decoder__free_linear(struct ops *o, struct linear *l)
{
    size_t i;

    for (i = 0; i < MAX_PARTS; i++) {
        struct ops_matrix *w = &l->parts[i];
        union {
            const void *borrowed;
            void *owned;
        } values = {w->values}, scales = {w->scales};

        o->matrix_release(o, w);
        o->free(o, l->is_borrowed ? NULL : values.owned);
        o->free(o, scales.owned);
    }
}

/* A tensor's rows in `type`, at `values` and `scales` of the table's memory;
 * `row` and `converted` have room for one. */
static void write_rows_of(struct ops *o, const struct tensor *t, size_t n_in,
                          enum ops_type type, char *values, float *scales,
                          float *row, void *converted)
{
    size_t row_bytes = n_in * ops_type_bytes(type);
    float scale = 1;
    size_t i;

    if (is_stored_as(t, type)) {
        o->write(o, values, t->data, t->n_bytes);
        return;
    }
    for (i = 0; i < t->n_values / n_in; i++) {
        tensor_part_to_f32(t, i * n_in, n_in, row);
        convert_row(row, n_in, type, converted, &scale);
        o->write(o, values + i * row_bytes, converted, row_bytes);
        if (scales) {
            o->write(o, scales + i, &scale, sizeof scale);
        }
    }
}

/* Rows of a type in the table's memory; scales [n_out] of OPS_I8 alone. */
static enum cwm_rc put_rows(struct ops *o, const struct rows *rows,
                            enum ops_type type, void **ret_values,
                            float **ret_scales, struct cwm_err *err)
{
    size_t n_out = rows_total(rows);
    size_t row_bytes = rows->n_in * ops_type_bytes(type);
    bool has_scales = type == OPS_I8;
    char *values = o->alloc(o, n_out * row_bytes);
    float *scales = has_scales ? o->alloc(o, n_out * sizeof *scales) : NULL;
    float *row = cwm_malloc(rows->n_in * sizeof *row); /* owned */
    void *converted = cwm_malloc(row_bytes);           /* owned */
    bool is_there = values && (scales || !has_scales) && row && converted;
    size_t at = 0;
    size_t i;

    for (i = 0; is_there && i < rows->n_parts; i++) {
        write_rows_of(o, rows->parts[i], rows->n_in, type,
                      values + at * row_bytes, scales ? scales + at : NULL, row,
                      converted);
        at += rows_of(rows, i);
    }
    cwm_free(row);
    cwm_free(converted);
    if (!is_there) {
        o->free(o, values);
        o->free(o, scales);
        return no_memory(err);
    }
    *ret_values = values;
    *ret_scales = scales;
    return CWM_OK;
}

/* One matrix of a copy of its tensors. */
static enum cwm_rc put_copied(struct decoder *d, const struct rows *rows,
                              struct linear *l, struct cwm_err *err)
{
    struct ops_matrix *w = &l->parts[0];
    struct ops *o = d->o;
    void *values = NULL;
    float *scales = NULL;
    enum cwm_rc rc =
        put_rows(o, rows, d->options.weights, &values, &scales, err);
    size_t i;

    if (rc != CWM_OK) {
        return rc;
    }
    for (i = 0; i < rows->n_parts; i++) {
        forget(d, rows->parts[i]);
    }
    l->n_parts = 1;
    *w = (struct ops_matrix){.n_out = l->n_out,
                             .n_in = rows->n_in,
                             .type = d->options.weights,
                             .values = values,
                             .scales = scales};
    o->matrix_changed(o, w, false);
    if (w->packed) {
        w->values = NULL; /* once is enough */
        o->free(o, values);
    }
    return CWM_OK;
}

/* The tensors where they lie; packed where the table does that. */
static void put_mapped(struct decoder *d, const struct rows *rows,
                       struct linear *l)
{
    size_t i;

    l->n_parts = rows->n_parts;
    l->is_borrowed = true;
    for (i = 0; i < rows->n_parts; i++) {
        struct ops_matrix *w = &l->parts[i];

        *w = (struct ops_matrix){.n_out = rows_of(rows, i),
                                 .n_in = rows->n_in,
                                 .type = d->options.weights,
                                 .values = rows->parts[i]->data};
        d->o->matrix_changed(d->o, w, false);
        if (w->packed) {
            w->values = NULL;
            forget(d, rows->parts[i]);
        }
    }
}

/*
 * Where tensors lie as they are wanted, they are used there.  But several that
 * the table would pack are first put side by side: one product of all is
 * faster than three, and what it takes is given back at once.
 */
static enum cwm_rc put_matrix(struct decoder *d, const struct rows *rows,
                              struct linear *l, struct cwm_err *err)
{
    struct ops *o = d->o;
    enum cwm_rc rc = check_rows_finite(rows, err);
    bool lies = lies_as(o, rows, d->options.weights);

    if (rc != CWM_OK) {
        return rc;
    }
    l->n_out = rows_total(rows);
    if (lies && (rows->n_parts == 1 ||
                 !(o->packs && o->packs(o, d->options.weights)))) {
        put_mapped(d, rows, l);
    } else {
        rc = put_copied(d, rows, l, err);
    }
    return rc == CWM_OK ? o->check(o, err) : rc;
}

static enum cwm_rc put_vector(struct decoder *d, const struct tensor *from,
                              float **ret_to, struct cwm_err *err)
{
    const struct rows rows = {{from}, 1, from->n_values};
    void *values = NULL;
    float *scales = NULL;
    enum cwm_rc rc = check_rows_finite(&rows, err);

    if (rc == CWM_OK) {
        rc = put_rows(d->o, &rows, OPS_F32, &values, &scales, err);
    }
    *ret_to = values;
    return rc;
}

static enum cwm_rc put_embedding(struct decoder *d, struct cwm_err *err)
{
    const struct rows rows = {{d->m->embedding}, 1, d->config.d_model};
    float *scales = NULL;
    enum cwm_rc rc = check_rows_finite(&rows, err);

    if (rc != CWM_OK) {
        return rc;
    }
    if (lies_as(d->o, &rows, d->o->type)) {
        d->embedding = d->m->embedding->data;
        forget(d, d->m->embedding); /* until words are looked up */
        return CWM_OK;
    }
    rc = put_rows(d->o, &rows, d->o->type, &d->copied_embedding, &scales, err);
    d->embedding = d->copied_embedding;
    return rc;
}

static enum cwm_rc put_layer(struct decoder *d, const struct model_layer *from,
                             struct decoder_layer *to, struct cwm_err *err)
{
    const struct model_config *c = &d->config;
    size_t d_q = (size_t)c->n_heads * c->d_head;
    const struct rows qkv = {{from->q, from->k, from->v}, 3, c->d_model};
    const struct rows mix = {{from->o}, 1, d_q};
    const struct rows gate_up = {{from->gate, from->up}, 2, c->d_model};
    const struct rows down = {{from->down}, 1, c->d_ffn};
    enum cwm_rc rc =
        put_vector(d, from->attention_norm, &to->attention_norm, err);

    if (rc == CWM_OK) {
        rc = put_vector(d, from->ffn_norm, &to->ffn_norm, err);
    }
    if (rc == CWM_OK) {
        rc = put_matrix(d, &qkv, &to->qkv, err);
    }
    if (rc == CWM_OK) {
        rc = put_matrix(d, &mix, &to->mix, err);
    }
    if (rc == CWM_OK) {
        rc = put_matrix(d, &gate_up, &to->gate_up, err);
    }
    if (rc == CWM_OK) {
        rc = put_matrix(d, &down, &to->down, err);
    }
    return rc;
}

static enum cwm_rc put_freqs(struct decoder *d, struct cwm_err *err)
{
    size_t n_bytes = d->config.d_head / 2 * sizeof *d->freqs;

    d->freqs = d->o->alloc(d->o, n_bytes);
    if (!d->freqs) {
        return no_memory(err);
    }
    d->o->write(d->o, d->freqs, d->m->rope_freqs, n_bytes);
    return CWM_OK;
}

enum cwm_rc decoder__put_weights(struct decoder *d, struct cwm_err *err)
{
    const struct model *m = d->m;
    const struct rows output = {{m->output}, 1, d->config.d_model};
    enum cwm_rc rc = put_embedding(d, err);
    size_t i;

    if (rc == CWM_OK) {
        rc = put_vector(d, m->norm, &d->norm, err);
    }
    if (rc == CWM_OK) {
        rc = put_freqs(d, err);
    }
    if (rc == CWM_OK) {
        rc = put_matrix(d, &output, &d->output, err);
    }
    for (i = 0; i < d->config.n_layers && rc == CWM_OK; i++) {
        rc = put_layer(d, &m->layers[i], &d->layers[i], err);
    }
    return rc;
}
