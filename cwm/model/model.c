/* SPDX-License-Identifier: MIT */
/*
 * model.c -- the architecture: a decoder-only transformer of CWM's kind.
 *
 *     x = embed(ids)
 *     each layer:  x += o(attention(rope(q(n)), rope(k(n)), v(n)))  n = norm(x)
 *                  x += down(silu(gate(n)) * up(n))                 n = norm(x)
 *     logits = output(norm(x))
 */
#include "cwm/model/model.h"

#include "cwm/base/alloc.h"
#include "cwm/model/ops_ref.h"

struct model_pass {
    const struct model *m; /* borrowed */
    size_t max_tokens;     /* T */
    float *x;              /* [T,C] the residual stream */
    float *n;              /* [T,C] normed, and what comes back from a part */
    float *q, *mixed;      /* [T,H,D] */
    float *k, *v;          /* [T,G,D] */
    float *gate, *up;      /* [T,F] */
    float *scores;         /* [T] */
    float *weights;        /* of the tensor at hand, where it is not fp32 */
};

/* The tensor's values in fp32, until the next call. */
static const float *values(struct model_pass *p, const struct tensor *t)
{
    if (t->type == TENSOR_F32 && (uintptr_t)t->data % sizeof(float) == 0) {
        return (const float *)(const void *)t->data;
    }
    tensor_to_f32(t, p->weights);
    return p->weights;
}

static void attention(struct model_pass *p, const struct model_layer *layer,
                      size_t window, size_t n_tokens)
{
    const struct model *m = p->m;
    const struct model_config *c = &m->config;
    size_t d_model = c->d_model;
    size_t d_q = (size_t)c->n_heads * c->d_head;
    size_t d_kv = (size_t)c->n_kv_heads * c->d_head;

    ref_rmsnorm(p->x, n_tokens, d_model, values(p, layer->attention_norm),
                c->rms_eps, p->n);
    ref_linear(p->n, n_tokens, d_model, values(p, layer->q), d_q, p->q);
    ref_linear(p->n, n_tokens, d_model, values(p, layer->k), d_kv, p->k);
    ref_linear(p->n, n_tokens, d_model, values(p, layer->v), d_kv, p->v);
    ref_rope(p->q, n_tokens, c->n_heads, c->d_head, m->rope_freqs, 0);
    ref_rope(p->k, n_tokens, c->n_kv_heads, c->d_head, m->rope_freqs, 0);
    ref_attention(p->q, p->k, p->v, n_tokens, c->n_heads, c->n_kv_heads,
                  c->d_head, window, p->scores, p->mixed);
    ref_linear(p->mixed, n_tokens, d_q, values(p, layer->o), d_model, p->n);
    ref_add(p->x, p->n, n_tokens * d_model);
}

static void feed_forward(struct model_pass *p, const struct model_layer *layer,
                         size_t n_tokens)
{
    const struct model_config *c = &p->m->config;

    ref_rmsnorm(p->x, n_tokens, c->d_model, values(p, layer->ffn_norm),
                c->rms_eps, p->n);
    ref_linear(p->n, n_tokens, c->d_model, values(p, layer->gate), c->d_ffn,
               p->gate);
    ref_linear(p->n, n_tokens, c->d_model, values(p, layer->up), c->d_ffn,
               p->up);
    ref_swiglu(p->gate, p->up, n_tokens * c->d_ffn);
    ref_linear(p->gate, n_tokens, c->d_ffn, values(p, layer->down), c->d_model,
               p->n);
    ref_add(p->x, p->n, n_tokens * c->d_model);
}

enum cwm_rc model_forward(struct model_pass *p, const uint32_t *ids,
                          size_t n_tokens, float *logits, struct cwm_err *err)
{
    const struct model *m = p->m;
    const struct model_config *c = &m->config;
    size_t i;

    if (n_tokens < 1 || n_tokens > p->max_tokens) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot run the model on %zu tokens: 1 to %zu are "
                        "possible",
                        n_tokens, p->max_tokens);
    }
    for (i = 0; i < n_tokens; i++) {
        if (ids[i] >= c->vocab_size) {
            return CWM_FAIL(err, CWM_USAGE,
                            "cannot run the model on the id %u: it has %u "
                            "words",
                            ids[i], c->vocab_size);
        }
    }
    ref_embed(ids, n_tokens, values(p, m->embedding), c->d_model, p->x);
    for (i = 0; i < c->n_layers; i++) {
        attention(p, &m->layers[i], c->is_sliding[i] ? c->window : 0, n_tokens);
        feed_forward(p, &m->layers[i], n_tokens);
    }
    ref_rmsnorm(p->x, n_tokens, c->d_model, values(p, m->norm), c->rms_eps,
                p->n);
    ref_linear(p->n, n_tokens, c->d_model, values(p, m->output), c->vocab_size,
               logits);
    return CWM_OK;
}

/* ---- the pass's memory ----------------------------------------------------
 */

/* Every tensor is finite; *ret_largest: the values of the largest. */
static enum cwm_rc check_values(const struct model *m, size_t *ret_largest,
                                struct cwm_err *err)
{
    enum { N_EACH = sizeof(struct model_layer) / sizeof(struct tensor *) };
    const struct tensor *ends[] = {m->embedding, m->norm, m->output};
    enum cwm_rc rc = CWM_OK;
    size_t largest = 0;
    size_t i;

    for (i = 0; rc == CWM_OK && i < 3 + N_EACH * m->config.n_layers; i++) {
        const struct tensor *t = ends[i < 3 ? i : 0];

        if (i >= 3) {
            const struct model_layer *l = &m->layers[(i - 3) / N_EACH];
            const struct tensor *const of_layer[N_EACH] = {
                l->attention_norm, l->q,    l->k,  l->v,   l->o,
                l->ffn_norm,       l->gate, l->up, l->down};

            t = of_layer[(i - 3) % N_EACH];
        }
        largest = t->n_values > largest ? t->n_values : largest;
        rc = tensor_check_finite(t, err);
    }
    *ret_largest = largest;
    return rc;
}

enum cwm_rc model_pass_new(const struct model *m, size_t max_tokens,
                           struct model_pass **ret_pass, struct cwm_err *err)
{
    const struct model_config *c = &m->config;
    size_t n_largest = 0;
    enum cwm_rc rc = check_values(m, &n_largest, err);
    struct model_pass *p = rc == CWM_OK ? cwm_calloc(1, sizeof *p) : NULL;
    size_t d_q = (size_t)c->n_heads * c->d_head;
    size_t d_kv = (size_t)c->n_kv_heads * c->d_head;

    if (rc != CWM_OK) {
        return rc;
    }
    if (p) {
        p->m = m;
        p->max_tokens = max_tokens;
        p->x = cwm_calloc(max_tokens, c->d_model * sizeof *p->x);
        p->n = cwm_calloc(max_tokens, c->d_model * sizeof *p->n);
        p->q = cwm_calloc(max_tokens, d_q * sizeof *p->q);
        p->mixed = cwm_calloc(max_tokens, d_q * sizeof *p->mixed);
        p->k = cwm_calloc(max_tokens, d_kv * sizeof *p->k);
        p->v = cwm_calloc(max_tokens, d_kv * sizeof *p->v);
        p->gate = cwm_calloc(max_tokens, c->d_ffn * sizeof *p->gate);
        p->up = cwm_calloc(max_tokens, c->d_ffn * sizeof *p->up);
        p->scores = cwm_calloc(max_tokens, sizeof *p->scores);
        p->weights = cwm_calloc(n_largest, sizeof *p->weights);
    }
    if (!p || !p->x || !p->n || !p->q || !p->mixed || !p->k || !p->v ||
        !p->gate || !p->up || !p->scores || !p->weights) {
        model_pass_free(p);
        return CWM_FAIL(err, CWM_NOMEM,
                        "could not hold the activations of %zu tokens",
                        max_tokens);
    }
    *ret_pass = p;
    return CWM_OK;
}

void model_pass_free(struct model_pass *p)
{
    if (!p) {
        return;
    }
    cwm_free(p->x);
    cwm_free(p->n);
    cwm_free(p->q);
    cwm_free(p->mixed);
    cwm_free(p->k);
    cwm_free(p->v);
    cwm_free(p->gate);
    cwm_free(p->up);
    cwm_free(p->scores);
    cwm_free(p->weights);
    cwm_free(p);
}
