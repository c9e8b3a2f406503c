/* SPDX-License-Identifier: MIT */
/*
 * transformer.c -- the architecture, forward and backward.
 *
 *     x = embed(ids)
 *     each layer:  x += o(attention(rope(q(n)), rope(k(n)), v(n)))  n = norm(x)
 *                  x += down(silu(gate(n)) * up(n))                 n = norm(x)
 *     loss = cross_entropy(output(norm(x)))
 *
 * What a part adds to x and the norm behind it are one operation.  Logits are
 * made for some tokens at a time and become gradients at once, so that no
 * N x V array is held.
 *
 * Where a table multiplies in 8 bits, what a norm, a gate or their gradients
 * write comes in bf16, for gradients of weights, and in 8 bits, in t->narrow,
 * for the product that follows at once.
 */
#include "cwm/model/transformer.h"

#include <math.h>

/* ---- forward --------------------------------------------------------------
 */

static struct ops_heads heads_of(const struct transformer *t, size_t layer)
{
    const struct model_config *c = &t->config;

    return (struct ops_heads){.n_heads = c->n_heads,
                              .n_kv_heads = c->n_kv_heads,
                              .d_head = c->d_head,
                              .window = c->is_sliding[layer] ? c->window : 0};
}

/* A part's norm: of `x`, and where the stream is fp32 of what was added, too,
 * which makes `sum`.  `narrow`: for a product of 8 bits, too. */
static void norm(struct transformer *t, const void *x, bool is_added, size_t n,
                 size_t weight, void *sum, void *out, float *scales,
                 bool narrow)
{
    struct ops *o = t->o;
    const float *w = t->weights + weight;
    float eps = (float)t->config.rms_eps;
    size_t n_channels = t->config.d_model;

    if (narrow && t->is_narrow) {
        o->narrow_norm(o, sum, n, n_channels, w, eps, out, scales, &t->narrow);
    } else if (ops_has_stream(o)) {
        o->stream_norm(o, sum, n, n_channels, w, eps, out, scales);
    } else {
        o->add_norm(o, x, is_added ? t->added : NULL, n, n_channels, w, eps,
                    sum, out, scales);
    }
}

/* The first product of a part, of what a norm made. */
static void enter(struct transformer *t, const void *normed, size_t n,
                  const struct ops_matrix *w,
                  const struct ops_narrow_matrix *narrow, void *out)
{
    struct ops *o = t->o;

    if (t->is_narrow) {
        o->narrow_linear(o, &t->narrow, n, narrow, NULL, out);
    } else {
        o->linear(o, normed, n, w, out, w->n_out, o->type);
    }
}

/* The end of a part: what it adds to `x`, or where the stream has the table's
 * type, the sum. */
static void add(struct transformer *t, const void *part, size_t n,
                const struct ops_matrix *w, const void *x, void *sum)
{
    struct ops *o = t->o;

    if (ops_has_stream(o)) {
        o->stream_linear(o, part, n, w, x, sum);
    } else {
        o->linear(o, part, n, w, t->added, w->n_out, o->type);
    }
}

/* `before`: the stream without what the layer before adds; `after`: the stream
 * behind this one. */
static void layer_forward(struct transformer *t, size_t number, size_t n,
                          const void *before, void *after)
{
    struct ops *o = t->o;
    const struct model_config *c = &t->config;
    const struct transformer_layer *l = &t->layers[number];
    const struct transformer_kept *k = &t->kept[number];
    struct ops_heads heads = heads_of(t, number);

    norm(t, before, before != k->x, n, l->attention_norm, k->x, k->normed1,
         k->scales1, true);
    enter(t, k->normed1, n, &l->qkv_matrix, &l->qkv_narrow, k->qkv);
    if (o->attention_turned) {
        o->attention_turned(o, k->qkv, n, &heads, t->starts, t->turns, k->mixed,
                            k->lse);
    } else {
        o->rope(o, k->qkv, n, &heads, t->turns, false);
        o->attention(o, k->qkv, n, &heads, t->starts, k->mixed, k->lse);
    }
    add(t, k->mixed, n, &l->o_matrix, k->x, k->middle);

    norm(t, k->x, true, n, l->ffn_norm, k->middle, k->normed2, k->scales2,
         true);
    enter(t, k->normed2, n, &l->gate_up_matrix, &l->gate_up_narrow, k->gate_up);
    if (t->is_narrow) {
        o->narrow_swiglu(o, k->gate_up, n, c->d_ffn, k->gated, &t->narrow);
        o->narrow_linear(o, &t->narrow, n, &l->down_narrow, k->middle, after);
    } else {
        o->swiglu(o, k->gate_up, n, c->d_ffn, k->gated);
        add(t, k->gated, n, &l->down_matrix, k->middle, after);
    }
}

/* All but the logits: t->normed. */
static void body_forward(struct transformer *t, size_t n)
{
    struct ops *o = t->o;
    const struct model_config *c = &t->config;
    const void *x = t->kept[0].x;
    const char *copy = t->copy;
    const void *table = copy + t->embedding * ops_type_bytes(o->type);
    size_t i;

    o->rope_turns(o, t->positions, n, t->rope_freqs, c->d_head, t->turns);
    if (ops_has_stream(o)) {
        o->stream_embed(o, t->ids, n, table, c->d_model, t->kept[0].x);
    } else {
        o->embed(o, t->ids, n, table, c->d_model, t->kept[0].x);
    }
    for (i = 0; i < c->n_layers; i++) {
        layer_forward(t, i, n, x,
                      i + 1 < c->n_layers ? t->kept[i + 1].x : t->last);
        x = t->kept[i].middle;
    }
    norm(t, x, true, n, t->norm, t->last, t->normed, t->scales, false);
}

/* ---- backward -------------------------------------------------------------
 */

/* The gradient of a linear layer's weights at `offset`, then of its input:
 * `narrow`, of these weights, where dy is in t->narrow, too. */
static void linear_back(struct transformer *t, const void *dy, const void *x,
                        size_t n, const struct ops_matrix *w,
                        const struct ops_narrow_matrix *narrow, size_t offset,
                        void *dx)
{
    struct ops *o = t->o;

    o->linear_dw(o, dy, x, n, w->n_out, w->n_in, t->gradients + offset);
    if (narrow && t->is_narrow) {
        o->narrow_linear_dx(o, &t->narrow, n, narrow, dx);
    } else {
        o->linear_dx(o, dy, n, w, dx);
    }
}

/* The gradient of the norm with weights at `weight`, along the stream;
 * `narrow`: for a product of 8 bits, too. */
static void norm_back(struct transformer *t, const void *x, const float *scales,
                      size_t n, size_t weight, bool narrow)
{
    struct ops *o = t->o;
    size_t n_channels = t->config.d_model;
    const float *w = t->weights + weight;
    float *dw = t->gradients + weight;

    if (narrow && t->is_narrow) {
        o->narrow_norm_back(o, t->dnormed, x, scales, n, n_channels, w,
                            t->dx_copy, dw, &t->narrow);
    } else if (ops_has_stream(o)) {
        o->stream_norm_back(o, t->dnormed, x, scales, n, n_channels, w,
                            t->dx_copy, dw);
    } else {
        o->norm_back(o, t->dnormed, x, scales, n, n_channels, w, t->dx, dw,
                     t->dx_copy == t->dx ? NULL : t->dx_copy);
    }
}

static void layer_back(struct transformer *t, size_t number, size_t n)
{
    struct ops *o = t->o;
    const struct model_config *c = &t->config;
    const struct transformer_layer *l = &t->layers[number];
    const struct transformer_kept *k = &t->kept[number];
    struct ops_heads heads = heads_of(t, number);

    linear_back(t, t->dx_copy, k->gated, n, &l->down_matrix, &l->down_narrow,
                l->down, t->dgated);
    if (t->is_narrow) {
        o->narrow_swiglu_back(o, t->dgated, k->gate_up, n, c->d_ffn,
                              t->dgate_up, &t->narrow);
    } else {
        o->swiglu_back(o, t->dgated, k->gate_up, n, c->d_ffn, t->dgate_up);
    }
    linear_back(t, t->dgate_up, k->normed2, n, &l->gate_up_matrix,
                &l->gate_up_narrow, l->gate_up, t->dnormed);
    norm_back(t, k->middle, k->scales2, n, l->ffn_norm, false);

    linear_back(t, t->dx_copy, k->mixed, n, &l->o_matrix, NULL, l->o,
                t->dmixed);
    if (o->attention_back_turned) {
        o->attention_back_turned(o, t->dmixed, k->qkv, k->mixed, k->lse, n,
                                 &heads, t->starts, t->turns, t->deltas,
                                 t->dqkv);
    } else {
        o->attention_back(o, t->dmixed, k->qkv, k->mixed, k->lse, n, &heads,
                          t->starts, t->deltas, t->dqkv);
        o->rope(o, t->dqkv, n, &heads, t->turns, true);
    }
    linear_back(t, t->dqkv, k->normed1, n, &l->qkv_matrix, NULL, l->qkv,
                t->dnormed);
    norm_back(t, k->x, k->scales1, n, l->attention_norm, number > 0);
}

static void tell_final(const struct transformer *t, size_t from)
{
    if (t->final) {
        t->final(t->final_ctx, from);
    }
}

/* From t->dnormed, the gradient behind the last norm. */
static void body_back(struct transformer *t, size_t n)
{
    struct ops *o = t->o;
    const struct model_config *c = &t->config;
    size_t i;

    if (ops_has_stream(o)) {
        o->zero(o, t->dx_copy, n * c->d_model * ops_type_bytes(o->type));
    } else {
        o->zero(o, t->dx, n * c->d_model * sizeof *t->dx);
    }
    norm_back(t, t->last, t->scales, n, t->norm, true);
    tell_final(t, t->norm);
    for (i = c->n_layers; i-- > 0;) {
        layer_back(t, i, n);
        tell_final(t, t->layers[i].attention_norm);
    }
    if (ops_has_stream(o)) {
        o->stream_embed_back(o, t->ids, n, t->dx_copy, c->vocab_size,
                             c->d_model, t->gradients + t->embedding);
    } else {
        o->embed_back(o, t->ids, n, t->dx, c->vocab_size, c->d_model,
                      t->gradients + t->embedding);
    }
    tell_final(t, 0);
    t->final = NULL;
}

/* ---- the end: logits, losses ----------------------------------------------
 */

static void *at(const struct transformer *t, void *values, size_t i)
{
    return (char *)values + i * ops_type_bytes(t->o->type);
}

static void head_forward(struct transformer *t, size_t first, size_t n,
                         float *logits)
{
    struct ops *o = t->o;

    o->linear(o, at(t, t->normed, first * t->config.d_model), n,
              &t->output_matrix, logits, t->config.vocab_size, OPS_F32);
}

static void head_learn(struct transformer *t, size_t n_tokens)
{
    struct ops *o = t->o;
    size_t n_words = t->config.vocab_size;
    size_t first;

    for (first = 0; first < n_tokens; first += t->n_chunk) {
        size_t left = n_tokens - first;
        size_t n = left < t->n_chunk ? left : t->n_chunk;

        if (o->cross_entropy_here) {
            o->linear(o, at(t, t->normed, first * t->config.d_model), n,
                      &t->output_matrix, t->dlogits, n_words, o->type);
            o->cross_entropy_here(o, t->dlogits, n, n_words, t->targets + first,
                                  t->loss_weights + first, t->losses + first);
        } else {
            head_forward(t, first, n, t->logits);
            o->cross_entropy(o, t->logits, n, n_words, t->targets + first,
                             t->loss_weights + first, t->losses + first,
                             t->dlogits);
        }
        linear_back(t, t->dlogits, at(t, t->normed, first * t->config.d_model),
                    n, &t->output_matrix, NULL, t->output,
                    at(t, t->dnormed, first * t->config.d_model));
    }
}

static void head_judge(struct transformer *t, size_t n_tokens)
{
    struct ops *o = t->o;
    size_t first;

    for (first = 0; first < n_tokens; first += t->n_chunk) {
        size_t left = n_tokens - first;
        size_t n = left < t->n_chunk ? left : t->n_chunk;

        head_forward(t, first, n, t->logits);
        o->log_probs(o, t->logits, n, t->config.vocab_size, t->targets + first,
                     t->losses + first);
    }
}

/* ---- a batch --------------------------------------------------------------
 */

static enum cwm_rc check_batch(const struct transformer *t,
                               const struct transformer_batch *b,
                               struct cwm_err *err)
{
    uint32_t n_words = t->config.vocab_size;
    size_t i;

    if (b->n_tokens < 1 || b->n_tokens > t->max_tokens) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot learn from a batch of %zu tokens: 1 to %zu "
                        "are possible",
                        b->n_tokens, t->max_tokens);
    }
    for (i = 0; i < b->n_tokens; i++) {
        if (b->ids[i] >= n_words || (b->targets && b->targets[i] >= n_words)) {
            return CWM_FAIL(err, CWM_USAGE,
                            "cannot learn from token %zu: its id is beyond the "
                            "vocabulary of %u",
                            i, n_words);
        }
        if (b->starts[i] > i) {
            return CWM_FAIL(err, CWM_USAGE,
                            "cannot learn from token %zu: its document begins "
                            "behind it",
                            i);
        }
    }
    return CWM_OK;
}

static enum cwm_rc take_batch(struct transformer *t,
                              const struct transformer_batch *b,
                              struct cwm_err *err)
{
    struct ops *o = t->o;
    size_t n_bytes = b->n_tokens * sizeof(uint32_t);
    enum cwm_rc rc = check_batch(t, b, err);

    if (rc != CWM_OK) {
        return rc;
    }
    o->write(o, t->ids, b->ids, n_bytes);
    o->write(o, t->starts, b->starts, n_bytes);
    o->write(o, t->positions, b->positions, n_bytes);
    if (b->targets) {
        o->write(o, t->targets, b->targets, n_bytes);
        o->write(o, t->loss_weights, b->weights, n_bytes);
    }
    return CWM_OK;
}

enum cwm_rc transformer_learn(struct transformer *t,
                              const struct transformer_batch *batch,
                              double *ret_loss, struct cwm_err *err)
{
    size_t n = batch->n_tokens;
    double loss = 0;
    enum cwm_rc rc = take_batch(t, batch, err);
    size_t i;

    if (rc != CWM_OK) {
        return rc;
    }
    t->is_narrow = ops_is_narrow(t->o);
    body_forward(t, n);
    head_learn(t, n);
    body_back(t, n);
    t->is_narrow = false;
    if (!ret_loss) {
        t->o->keep_loss(t->o, t->losses, n);
        return CWM_OK;
    }
    t->o->read(t->o, t->host_losses, t->losses, n * sizeof *t->losses);
    for (i = 0; i < n; i++) {
        loss += (double)t->host_losses[i];
    }
    *ret_loss = loss;
    return t->o->check(t->o, err);
}

enum cwm_rc transformer_forward(struct transformer *t,
                                const struct transformer_batch *batch,
                                double *ret_loss, struct cwm_err *err)
{
    size_t n = batch->n_tokens;
    double loss = 0;
    enum cwm_rc rc = take_batch(t, batch, err);
    size_t i;

    if (rc != CWM_OK) {
        return rc;
    }
    body_forward(t, n);
    head_judge(t, n);
    t->o->read(t->o, t->host_losses, t->losses, n * sizeof *t->losses);
    for (i = 0; i < n; i++) {
        loss -= (double)t->host_losses[i] * (double)batch->weights[i];
    }
    *ret_loss = loss;
    return t->o->check(t->o, err);
}

enum cwm_rc transformer_logits(struct transformer *t,
                               const struct transformer_batch *batch,
                               float *logits, struct cwm_err *err)
{
    struct ops *o = t->o;
    size_t n_words = t->config.vocab_size;
    enum cwm_rc rc = take_batch(t, batch, err);
    size_t first;

    if (rc != CWM_OK) {
        return rc;
    }
    body_forward(t, batch->n_tokens);
    for (first = 0; first < batch->n_tokens; first += t->n_chunk) {
        size_t left = batch->n_tokens - first;
        size_t n = left < t->n_chunk ? left : t->n_chunk;

        head_forward(t, first, n, t->logits);
        o->read(o, logits + first * n_words, t->logits,
                n * n_words * sizeof *logits);
    }
    return o->check(o, err);
}

/* ---- learning -------------------------------------------------------------
 */

void transformer_forget_gradients(struct transformer *t)
{
    t->o->zero(t->o, t->gradients, t->n_values * sizeof *t->gradients);
}

double transformer_gradient_norm(struct transformer *t)
{
    return sqrt(t->o->sum_squares(t->o, t->gradients, t->n_values));
}

static void matrices_changed(struct transformer *t)
{
    struct ops *o = t->o;
    size_t i;

    for (i = 0; i < t->config.n_layers; i++) {
        struct transformer_layer *l = &t->layers[i];

        o->matrix_changed(o, &l->qkv_matrix, true);
        o->matrix_changed(o, &l->o_matrix, true);
        o->matrix_changed(o, &l->gate_up_matrix, true);
        o->matrix_changed(o, &l->down_matrix, true);
        if (ops_is_narrow(o)) {
            o->narrow_matrix(o, &l->qkv_matrix, &l->qkv_narrow);
            o->narrow_matrix(o, &l->gate_up_matrix, &l->gate_up_narrow);
            o->narrow_matrix(o, &l->down_matrix, &l->down_narrow);
        }
    }
    o->matrix_changed(o, &t->output_matrix, true);
}

struct transformer_range transformer_range(const struct transformer *t,
                                           size_t *i)
{
    const struct transformer_tensor *first = &t->tensors[*i];
    const struct transformer_tensor *last = first;

    /* padding between them is zero and stays so */
    while (++*i < t->n_tensors &&
           (t->tensors[*i].n_rows > 0) == (first->n_rows > 0)) {
        last = &t->tensors[*i];
    }
    return (struct transformer_range){.begin = first->offset,
                                      .n = last->offset - first->offset +
                                           (last->n_rows ? last->n_rows : 1) *
                                               last->n_columns,
                                      .decays = first->n_rows > 0};
}

void transformer_update(struct transformer *t, const struct ops_adamw *adamw)
{
    struct ops *o = t->o;
    bool has_copy = t->copy != t->weights;
    size_t i = 0;

    while (i < t->n_tensors) {
        struct transformer_range r = transformer_range(t, &i);
        struct ops_adamw a = *adamw;

        a.decay = r.decays ? a.decay : 0;
        o->adamw(o, &a, t->weights + r.begin, t->gradients + r.begin,
                 t->moments1 + r.begin, t->moments2 + r.begin, r.n,
                 has_copy ? at(t, t->copy, r.begin) : NULL);
    }
    matrices_changed(t);
}

void transformer_changed(struct transformer *t)
{
    if (t->copy != t->weights) {
        t->o->from_f32(t->o, t->weights, t->n_values, t->copy);
    }
    matrices_changed(t);
}
