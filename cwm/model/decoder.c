/* SPDX-License-Identifier: MIT */
/* decoder.c -- see decoder.h; the architecture is model.c's. */
#include "cwm/model/decoder.h"

#include <math.h>
#include <string.h>

#include "cwm/base/alloc.h"

/* Steps that are left to the device at once: fewer would let it wait more
 * often, more would go on in vain for samples that have ended. */
enum { GREEDY_STEPS = 64 };

struct decoder_layer {
    float *attention_norm;     /* [C] */
    float *ffn_norm;           /* [C] */
    struct ops_matrix qkv;     /* [(H+2G)*D,C] */
    struct ops_matrix mix;     /* [C,H*D] */
    struct ops_matrix gate_up; /* [2F,C] */
    struct ops_matrix down;    /* [C,F] */
};

/* All of it the table's memory. */
struct decoder {
    struct ops *o; /* borrowed */
    struct model_config config;
    struct decoder_options options;
    void *embedding;              /* [V,C] */
    float *norm;                  /* [C] */
    float *freqs;                 /* [D/2] */
    struct ops_matrix output;     /* [V,C] */
    struct decoder_layer *layers; /* owned */
    /* of a call; N = max_rows */
    uint32_t *ids, *positions, *seqs; /* [N] */
    float *x;                         /* [N,C] the residual stream */
    float *turns;                     /* [N,D/2,2] */
    void *n;                          /* [N,C] normed */
    void *qkv;                        /* [N,(H+2G)*D] */
    void *mixed;                      /* [N,H*D] */
    void *gate_up;                    /* [N,2F] */
    void *act;                        /* [N,F] */
    void *part;                       /* [N,C] what a part adds */
    float *logits;                    /* [max_logits,V] */
    /* where the table has greedy(): */
    uint32_t *kept; /* [GREEDY_STEPS,max_logits] */
    uint32_t *step; /* [1] */
};

/* ---- weights ------------------------------------------------------------- */

/* Rows of fp32 one behind the other, as one matrix: what the operations want
 * side by side. */
struct rows {
    const float *values[3];
    size_t n_rows[3];
    size_t n_parts;
    size_t n_in;
};

static size_t rows_total(const struct rows *rows)
{
    size_t n = 0;
    size_t i;

    for (i = 0; i < rows->n_parts; i++) {
        n += rows->n_rows[i];
    }
    return n;
}

static const float *row_at(const struct rows *rows, size_t row)
{
    size_t part = 0;

    while (row >= rows->n_rows[part]) {
        row -= rows->n_rows[part++];
    }
    return rows->values[part] + row * rows->n_in;
}

/* To the nearest of 255 steps of the row's largest weight. */
static float quantize_row(const float *row, size_t n, int8_t *to)
{
    float largest = 0;
    float inverse;
    size_t i;

    for (i = 0; i < n; i++) {
        largest = fmaxf(largest, fabsf(row[i]));
    }
    inverse = largest > 0 ? 127.0f / largest : 0.0f;
    for (i = 0; i < n; i++) {
        to[i] = (int8_t)lrintf(row[i] * inverse);
    }
    return largest / 127.0f;
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

static void matrix_free(struct ops *o, struct ops_matrix *w)
{
    union {
        const void *borrowed;
        void *owned;
    } values = {w->values}, scales = {w->scales};

    o->matrix_release(o, w);
    o->free(o, values.owned);
    o->free(o, scales.owned);
}

/* Rows of a type in the table's memory; scales [n_out] of OPS_I8. */
static enum cwm_rc put_rows(struct ops *o, const struct rows *rows,
                            enum ops_type type, void **ret_values,
                            float **ret_scales, struct cwm_err *err)
{
    size_t n_out = rows_total(rows);
    size_t row_bytes = rows->n_in * ops_type_bytes(type);
    char *values = o->alloc(o, n_out * row_bytes);
    float *scales = o->alloc(o, n_out * sizeof *scales);
    void *one = cwm_malloc(row_bytes); /* owned */
    float scale = 1;
    size_t i;

    for (i = 0; values && scales && one && i < n_out; i++) {
        convert_row(row_at(rows, i), rows->n_in, type, one, &scale);
        o->write(o, values + i * row_bytes, one, row_bytes);
        o->write(o, scales + i, &scale, sizeof scale);
    }
    *ret_values = values;
    *ret_scales = scales;
    if (!values || !scales || !one) {
        o->free(o, values);
        o->free(o, scales);
        cwm_free(one);
        return no_memory(err);
    }
    cwm_free(one);
    return CWM_OK;
}

static enum cwm_rc put_matrix(struct decoder *d, const struct rows *rows,
                              struct ops_matrix *w, struct cwm_err *err)
{
    struct ops *o = d->o;
    void *values = NULL;
    float *scales = NULL;
    enum cwm_rc rc =
        put_rows(o, rows, d->options.weights, &values, &scales, err);

    if (rc != CWM_OK) {
        return rc;
    }
    w->n_out = rows_total(rows);
    w->n_in = rows->n_in;
    w->type = d->options.weights;
    w->values = values;
    w->scales = scales;
    o->matrix_changed(o, w, false);
    if (w->packed) {
        w->values = NULL; /* once is enough */
        o->free(o, values);
    }
    return o->check(o, err);
}

static enum cwm_rc put_vector(struct ops *o, const float *from, size_t n,
                              float **ret_to, struct cwm_err *err)
{
    *ret_to = o->alloc(o, n * sizeof *from);
    if (!*ret_to) {
        return no_memory(err);
    }
    o->write(o, *ret_to, from, n * sizeof *from);
    return CWM_OK;
}

static enum cwm_rc put_layer(struct decoder *d, const struct model_layer *from,
                             struct decoder_layer *to, struct cwm_err *err)
{
    const struct model_config *c = &d->config;
    size_t d_q = (size_t)c->n_heads * c->d_head;
    size_t d_kv = (size_t)c->n_kv_heads * c->d_head;
    const struct rows qkv = {
        {from->q, from->k, from->v}, {d_q, d_kv, d_kv}, 3, c->d_model};
    const struct rows mix = {{from->o}, {c->d_model}, 1, d_q};
    const struct rows gate_up = {
        {from->gate, from->up}, {c->d_ffn, c->d_ffn}, 2, c->d_model};
    const struct rows down = {{from->down}, {c->d_model}, 1, c->d_ffn};
    enum cwm_rc rc = put_vector(d->o, from->attention_norm, c->d_model,
                                &to->attention_norm, err);

    if (rc == CWM_OK) {
        rc = put_vector(d->o, from->ffn_norm, c->d_model, &to->ffn_norm, err);
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

static enum cwm_rc put_weights(struct decoder *d, const struct model *m,
                               struct cwm_err *err)
{
    const struct model_config *c = &d->config;
    const struct rows embedding = {
        {m->embedding}, {c->vocab_size}, 1, c->d_model};
    const struct rows output = {{m->output}, {c->vocab_size}, 1, c->d_model};
    float *scales = NULL;
    enum cwm_rc rc =
        put_rows(d->o, &embedding, d->o->type, &d->embedding, &scales, err);
    size_t i;

    if (rc != CWM_OK) {
        d->embedding = NULL;
        return rc;
    }
    d->o->free(d->o, scales);
    rc = put_vector(d->o, m->norm, c->d_model, &d->norm, err);
    if (rc == CWM_OK) {
        rc = put_vector(d->o, m->rope_freqs, c->d_head / 2, &d->freqs, err);
    }
    if (rc == CWM_OK) {
        rc = put_matrix(d, &output, &d->output, err);
    }
    for (i = 0; i < c->n_layers && rc == CWM_OK; i++) {
        rc = put_layer(d, &m->layers[i], &d->layers[i], err);
    }
    return rc;
}

/* ---- a call's memory ----------------------------------------------------- */

static enum cwm_rc make_room(struct decoder *d, struct cwm_err *err)
{
    const struct model_config *c = &d->config;
    struct ops *o = d->o;
    size_t n = d->options.max_rows;
    size_t b = n * ops_type_bytes(o->type);
    size_t d_q = (size_t)c->n_heads * c->d_head;
    size_t d_kv = (size_t)c->n_kv_heads * c->d_head;

    d->ids = o->alloc(o, n * sizeof *d->ids);
    d->positions = o->alloc(o, n * sizeof *d->positions);
    d->seqs = o->alloc(o, n * sizeof *d->seqs);
    d->x = o->alloc(o, n * c->d_model * sizeof *d->x);
    d->turns = o->alloc(o, n * c->d_head * sizeof *d->turns);
    d->n = o->alloc(o, b * c->d_model);
    d->qkv = o->alloc(o, b * (d_q + 2 * d_kv));
    d->mixed = o->alloc(o, b * d_q);
    d->gate_up = o->alloc(o, b * 2 * c->d_ffn);
    d->act = o->alloc(o, b * c->d_ffn);
    d->part = o->alloc(o, b * c->d_model);
    d->logits =
        o->alloc(o, d->options.max_logits * c->vocab_size * sizeof *d->logits);
    if (o->greedy) {
        d->kept =
            o->alloc(o, GREEDY_STEPS * d->options.max_logits * sizeof *d->kept);
        d->step = o->alloc(o, sizeof *d->step);
    }
    if ((o->greedy && (!d->kept || !d->step)) || !d->ids || !d->positions ||
        !d->seqs || !d->x || !d->turns || !d->n || !d->qkv || !d->mixed ||
        !d->gate_up || !d->act || !d->part || !d->logits) {
        return CWM_FAIL(err, CWM_NOMEM,
                        "could not hold the activations of %zu tokens", n);
    }
    return CWM_OK;
}

enum cwm_rc decoder_new(struct ops *o, const struct model *m,
                        const struct decoder_options *options,
                        struct decoder **ret_decoder, struct cwm_err *err)
{
    struct decoder *d;
    enum cwm_rc rc;

    if (options->weights != o->type && options->weights != OPS_I8) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot hold weights in another type than the one "
                        "that is computed in, but for 8 bits");
    }
    d = cwm_calloc(1, sizeof *d);
    if (!d) {
        return no_memory(err);
    }
    d->o = o;
    d->config = m->config;
    d->options = *options;
    d->layers = cwm_calloc(m->config.n_layers, sizeof *d->layers);
    rc = d->layers ? put_weights(d, m, err) : no_memory(err);
    if (rc == CWM_OK) {
        rc = make_room(d, err);
    }
    if (rc != CWM_OK) {
        decoder_free(d);
        return rc;
    }
    *ret_decoder = d;
    return CWM_OK;
}

void decoder_free(struct decoder *d)
{
    size_t i;

    if (!d) {
        return;
    }
    for (i = 0; d->layers && i < d->config.n_layers; i++) {
        struct decoder_layer *l = &d->layers[i];

        d->o->free(d->o, l->attention_norm);
        d->o->free(d->o, l->ffn_norm);
        matrix_free(d->o, &l->qkv);
        matrix_free(d->o, &l->mix);
        matrix_free(d->o, &l->gate_up);
        matrix_free(d->o, &l->down);
    }
    matrix_free(d->o, &d->output);
    {
        void *const owned[] = {d->embedding, d->norm, d->freqs,  d->ids,
                               d->positions, d->seqs, d->x,      d->turns,
                               d->n,         d->qkv,  d->mixed,  d->gate_up,
                               d->act,       d->part, d->logits, d->kept,
                               d->step};

        for (i = 0; i < sizeof owned / sizeof *owned; i++) {
            d->o->free(d->o, owned[i]);
        }
    }
    cwm_free(d->layers);
    cwm_free(d);
}

const struct model_config *decoder_config(const struct decoder *d)
{
    return &d->config;
}

struct ops *decoder_ops(const struct decoder *d)
{
    return d->o;
}

/* ---- the pass ------------------------------------------------------------ */

static enum cwm_rc check_rows(const struct decoder *d,
                              const struct decoder_rows *rows,
                              struct cwm_err *err)
{
    size_t i;

    if (rows->n < 1 || rows->n > d->options.max_rows ||
        rows->n_logits > d->options.max_logits || rows->n_logits > rows->n) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot run the model on %zu tokens, %zu with logits: "
                        "1 to %zu, and %zu, are possible",
                        rows->n, rows->n_logits, d->options.max_rows,
                        d->options.max_logits);
    }
    for (i = 0; i < rows->n; i++) {
        if (rows->ids[i] >= d->config.vocab_size) {
            return CWM_FAIL(err, CWM_USAGE,
                            "cannot run the model on the id %u: it has %u "
                            "words",
                            rows->ids[i], d->config.vocab_size);
        }
    }
    return CWM_OK;
}

/* Do the rows begin one sequence?  Then there is nothing in the cache that they
 * could see, and they need not go there for each other. */
static bool is_beginning(const struct decoder_rows *rows)
{
    size_t i = 0;

    while (i < rows->n && rows->positions[i] == i &&
           rows->seqs[i] == rows->seqs[0]) {
        i++;
    }
    return i == rows->n;
}

/* Comes in with d->n normed; leaves what attention adds in d->part. */
static void attend(struct decoder *d, size_t layer, struct kv_cache *kv,
                   size_t n, bool begins)
{
    const struct model_config *c = &d->config;
    struct decoder_layer *l = &d->layers[layer];
    const struct ops_cache *cache = kv_cache_layer(kv, layer);
    const struct ops_heads heads = {c->n_heads, c->n_kv_heads, c->d_head,
                                    c->is_sliding[layer] ? c->window : 0};
    struct ops *o = d->o;

    o->linear(o, d->n, n, &l->qkv, d->qkv, l->qkv.n_out, o->type);
    o->rope(o, d->qkv, n, &heads, d->turns, false);
    o->cache_put(o, d->qkv, n, &heads, cache, d->seqs, d->positions);
    if (begins) {
        o->attention(o, d->qkv, n, &heads, NULL, d->mixed, NULL);
    } else {
        o->cache_attention(o, d->qkv, n, &heads, cache, d->seqs, d->positions,
                           d->mixed);
    }
    o->linear(o, d->mixed, n, &l->mix, d->part, l->mix.n_out, o->type);
}

static void feed_forward(struct decoder *d, size_t layer, size_t n)
{
    struct decoder_layer *l = &d->layers[layer];
    struct ops *o = d->o;

    o->linear(o, d->n, n, &l->gate_up, d->gate_up, l->gate_up.n_out, o->type);
    o->swiglu(o, d->gate_up, n, d->config.d_ffn, d->act);
    o->linear(o, d->act, n, &l->down, d->part, l->down.n_out, o->type);
}

static void run_layers(struct decoder *d, struct kv_cache *kv, size_t n,
                       bool begins)
{
    const struct model_config *c = &d->config;
    float eps = (float)c->rms_eps;
    struct ops *o = d->o;
    const void *part = NULL; /* nothing to add before the first layer */
    size_t i;

    for (i = 0; i < c->n_layers; i++) {
        o->add_norm(o, d->x, part, n, c->d_model, d->layers[i].attention_norm,
                    eps, d->x, d->n, NULL);
        attend(d, i, kv, n, begins);
        o->add_norm(o, d->x, d->part, n, c->d_model, d->layers[i].ffn_norm, eps,
                    d->x, d->n, NULL);
        feed_forward(d, i, n);
        part = d->part;
    }
    o->add_norm(o, d->x, part, n, c->d_model, d->norm, eps, d->x, d->n, NULL);
}

static void write_rows(struct decoder *d, const struct decoder_rows *rows)
{
    struct ops *o = d->o;

    o->write(o, d->ids, rows->ids, rows->n * sizeof *rows->ids);
    o->write(o, d->positions, rows->positions,
             rows->n * sizeof *rows->positions);
    o->write(o, d->seqs, rows->seqs, rows->n * sizeof *rows->seqs);
}

/* Of n rows that are written, as far as logits. */
static void run_rows(struct decoder *d, struct kv_cache *kv, size_t n,
                     size_t n_logits, bool begins)
{
    const struct model_config *c = &d->config;
    struct ops *o = d->o;
    const char *last = d->n;

    o->embed(o, d->ids, n, d->embedding, c->d_model, d->x);
    o->rope_turns(o, d->positions, n, d->freqs, c->d_head, d->turns);
    run_layers(d, kv, n, begins);
    if (n_logits > 0) {
        last += (n - n_logits) * c->d_model * ops_type_bytes(o->type);
        o->linear(o, last, n_logits, &d->output, d->logits, c->vocab_size,
                  OPS_F32);
    }
}

enum cwm_rc decoder_run(struct decoder *d, struct kv_cache *kv,
                        const struct decoder_rows *rows, float *logits,
                        struct cwm_err *err)
{
    struct ops *o = d->o;
    enum cwm_rc rc = check_rows(d, rows, err);

    if (rc != CWM_OK) {
        return rc;
    }
    write_rows(d, rows);
    run_rows(d, kv, rows->n, rows->n_logits, is_beginning(rows));
    if (rows->n_logits > 0) {
        o->read(o, logits, d->logits,
                rows->n_logits * d->config.vocab_size * sizeof *logits);
    }
    return o->check(o, err);
}

/* ---- steps without the host ---------------------------------------------- */

size_t decoder_greedy_steps(const struct decoder *d)
{
    return d->o->greedy ? GREEDY_STEPS : 0;
}

static void greedy_step(struct decoder *d, struct kv_cache *kv, size_t n)
{
    run_rows(d, kv, n, n, false);
    d->o->greedy(d->o, d->logits, n, d->config.vocab_size, d->ids, d->positions,
                 d->kept, d->step);
}

enum cwm_rc decoder_greedy(struct decoder *d, struct kv_cache *kv,
                           const struct decoder_rows *rows, size_t n_steps,
                           uint32_t *ids, struct cwm_err *err)
{
    struct ops *o = d->o;
    enum cwm_rc rc = check_rows(d, rows, err);
    size_t i;

    if (rc != CWM_OK) {
        return rc;
    }
    if (n_steps < 1 || n_steps > decoder_greedy_steps(d) ||
        rows->n_logits != rows->n) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot leave %zu steps to the device: 1 to %zu are "
                        "possible, of rows with logits",
                        n_steps, decoder_greedy_steps(d));
    }
    write_rows(d, rows);
    o->zero(o, d->step, sizeof *d->step);
    greedy_step(d, kv, rows->n);
    if (n_steps > 1) {
        o->record(o);
        greedy_step(d, kv, rows->n);
        o->record_end(o);
    }
    for (i = 1; i < n_steps; i++) {
        o->replay(o);
    }
    o->read(o, ids, d->kept, n_steps * rows->n * sizeof *ids);
    rc = o->check(o, err);
    for (i = 0; rc == CWM_OK && i < n_steps * rows->n; i++) {
        if (ids[i] >= d->config.vocab_size) {
            rc = CWM_FAIL(err, CWM_FORMAT,
                          "cannot choose a token: the logits are no numbers");
        }
    }
    return rc;
}
