/* SPDX-License-Identifier: MIT */
/* ops_plain_back.c -- the reference table, backward, and the optimiser. */
#include <math.h>
#include <string.h>

#include "cwm/model/ops_plain.h"

static void plain_cross_entropy(struct ops *o, const float *logits, size_t n,
                                size_t n_words, const uint32_t *targets,
                                const float *weights, float *losses,
                                void *dlogits)
{
    size_t t;
    size_t i;

    for (t = 0; t < n; t++) {
        const float *row = logits + t * n_words;
        double weight = (double)weights[t];
        double largest = (double)row[0];
        double sum = 0;

        for (i = 1; i < n_words; i++) {
            largest = fmax(largest, (double)row[i]);
        }
        for (i = 0; i < n_words; i++) {
            sum += exp((double)row[i] - largest);
        }
        losses[t] =
            (float)(weight * (largest + log(sum) - (double)row[targets[t]]));
        for (i = 0; i < n_words; i++) {
            double p = exp((double)row[i] - largest) / sum;

            plain_put(o, dlogits, t * n_words + i,
                      weight * (p - (i == targets[t] ? 1.0 : 0.0)));
        }
    }
}

static void plain_linear_dx(struct ops *o, const void *dy, size_t n,
                            const struct ops_matrix *w, void *dx)
{
    size_t t;
    size_t r;
    size_t i;

    for (t = 0; t < n; t++) {
        for (i = 0; i < w->n_in; i++) {
            double sum = 0;

            for (r = 0; r < w->n_out; r++) {
                sum += plain_get(o, dy, t * w->n_out + r) *
                       plain_get(o, w->values, r * w->n_in + i);
            }
            plain_put(o, dx, t * w->n_in + i, sum);
        }
    }
}

static void plain_linear_dw(struct ops *o, const void *dy, const void *x,
                            size_t n, size_t n_out, size_t n_in, float *dw)
{
    size_t t;
    size_t r;
    size_t i;

    for (r = 0; r < n_out; r++) {
        for (i = 0; i < n_in; i++) {
            double sum = (double)dw[r * n_in + i];

            for (t = 0; t < n; t++) {
                sum += plain_get(o, dy, t * n_out + r) *
                       plain_get(o, x, t * n_in + i);
            }
            dw[r * n_in + i] = (float)sum;
        }
    }
}

/* With y = x s w and s = 1 / rms(x): dx = s (g - x s^2 mean(g x)), g = dy w. */
static void plain_norm_back(struct ops *o, const void *dout, const float *x,
                            const float *scales, size_t n, size_t n_channels,
                            const float *weight, float *dx, float *dweight,
                            void *copy)
{
    size_t t;
    size_t i;

    for (t = 0; t < n; t++) {
        double scale = (double)scales[t];
        double mean = 0;

        for (i = 0; i < n_channels; i++) {
            size_t at = t * n_channels + i;

            mean += plain_get(o, dout, at) * (double)weight[i] * (double)x[at];
        }
        mean /= (double)n_channels;
        for (i = 0; i < n_channels; i++) {
            size_t at = t * n_channels + i;
            double dy = plain_get(o, dout, at);

            dx[at] = (float)((double)dx[at] +
                             scale * (dy * (double)weight[i] -
                                      (double)x[at] * scale * scale * mean));
            dweight[i] =
                (float)((double)dweight[i] + dy * (double)x[at] * scale);
            if (copy) {
                plain_put(o, copy, at, (double)dx[at]);
            }
        }
    }
}

static double dot_at(const struct ops *o, const void *a, size_t a_at,
                     const void *b, size_t b_at, size_t n)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        sum += plain_get(o, a, a_at + i) * plain_get(o, b, b_at + i);
    }
    return sum;
}

/* What the backward passes of one head pair share. */
struct back {
    const struct ops *o;
    const struct ops_heads *h;
    const uint32_t *starts;
    const void *qkv, *dout;
    const float *lse, *deltas; /* [N,H] */
    size_t n;
};

/* The weight of key s for query t of `head`, and its score's gradient. */
static double weight_of(const struct back *b, size_t t, size_t s, size_t head,
                        double *ret_dscore)
{
    const struct ops_heads *h = b->h;
    size_t n_shared = h->n_heads / h->n_kv_heads;
    size_t row = ops_row_heads(h);
    size_t k_at = s * row + h->n_heads + head / n_shared;
    size_t v_at = k_at + h->n_kv_heads;
    double scale = 1.0 / sqrt((double)h->d_head);
    double p = exp(dot_at(b->o, b->qkv, (t * row + head) * h->d_head, b->qkv,
                          k_at * h->d_head, h->d_head) *
                       scale -
                   (double)b->lse[t * h->n_heads + head]);
    double dp = dot_at(b->o, b->dout, (t * h->n_heads + head) * h->d_head,
                       b->qkv, v_at * h->d_head, h->d_head);

    *ret_dscore = p * (dp - (double)b->deltas[t * h->n_heads + head]) * scale;
    return p;
}

/* Of channel i of query t of `head`. */
static double query_back(const struct back *b, size_t t, size_t head, size_t i)
{
    const struct ops_heads *h = b->h;
    size_t k_head = h->n_heads + head / (h->n_heads / h->n_kv_heads);
    double sum = 0;
    size_t s;

    for (s = ops_first_key(h, b->starts, t); s <= t; s++) {
        double dscore;

        weight_of(b, t, s, head, &dscore);
        sum +=
            dscore * plain_get(b->o, b->qkv,
                               (s * ops_row_heads(h) + k_head) * h->d_head + i);
    }
    return sum;
}

static void queries_back(const struct back *b, void *dqkv)
{
    const struct ops_heads *h = b->h;
    size_t t;
    size_t head;
    size_t i;

    for (t = 0; t < b->n; t++) {
        for (head = 0; head < h->n_heads; head++) {
            size_t at = (t * ops_row_heads(h) + head) * h->d_head;

            for (i = 0; i < h->d_head; i++) {
                plain_put(b->o, dqkv, at + i, query_back(b, t, head, i));
            }
        }
    }
}

/* Of channel i of key and value s of key head g. */
static void key_back(const struct back *b, size_t s, size_t g, size_t i,
                     void *dqkv)
{
    const struct ops_heads *h = b->h;
    size_t n_shared = h->n_heads / h->n_kv_heads;
    size_t row = ops_row_heads(h);
    size_t at = s * row + h->n_heads + g;
    double dk = 0;
    double dv = 0;
    size_t t;
    size_t head;

    for (t = s; t < b->n; t++) {
        if (ops_first_key(h, b->starts, t) > s) {
            continue;
        }
        for (head = g * n_shared; head < (g + 1) * n_shared; head++) {
            double dscore;
            double p = weight_of(b, t, s, head, &dscore);

            dk += dscore *
                  plain_get(b->o, b->qkv, (t * row + head) * h->d_head + i);
            dv += p * plain_get(b->o, b->dout,
                                (t * h->n_heads + head) * h->d_head + i);
        }
    }
    plain_put(b->o, dqkv, at * h->d_head + i, dk);
    plain_put(b->o, dqkv, (at + h->n_kv_heads) * h->d_head + i, dv);
}

static void plain_attention_back(struct ops *o, const void *dout,
                                 const void *qkv, const void *out,
                                 const float *lse, size_t n,
                                 const struct ops_heads *h,
                                 const uint32_t *starts, float *scratch,
                                 void *dqkv)
{
    struct back b = {o, h, starts, qkv, dout, lse, scratch, n};
    size_t t;
    size_t g;
    size_t i;

    for (t = 0; t < n * h->n_heads; t++) {
        scratch[t] = (float)dot_at(o, dout, t * h->d_head, out, t * h->d_head,
                                   h->d_head);
    }
    queries_back(&b, dqkv);
    for (t = 0; t < n; t++) {
        for (g = 0; g < h->n_kv_heads; g++) {
            for (i = 0; i < h->d_head; i++) {
                key_back(&b, t, g, i, dqkv);
            }
        }
    }
}

static void plain_swiglu_back(struct ops *o, const void *dout,
                              const void *gate_up, size_t n, size_t n_ffn,
                              void *dgate_up)
{
    size_t t;
    size_t i;

    for (t = 0; t < n; t++) {
        for (i = 0; i < n_ffn; i++) {
            size_t at = t * 2 * n_ffn + i;
            double gate = plain_get(o, gate_up, at);
            double up = plain_get(o, gate_up, at + n_ffn);
            double dy = plain_get(o, dout, t * n_ffn + i);
            double s = 1.0 / (1.0 + exp(-gate));

            plain_put(o, dgate_up, at, dy * up * s * (1.0 + gate * (1.0 - s)));
            plain_put(o, dgate_up, at + n_ffn, dy * gate * s);
        }
    }
}

static void plain_embed_back(struct ops *o, const uint32_t *ids, size_t n,
                             const float *dx, size_t n_words, size_t n_channels,
                             float *dtable)
{
    size_t t;
    size_t i;

    (void)o, (void)n_words;
    for (t = 0; t < n; t++) {
        for (i = 0; i < n_channels; i++) {
            dtable[ids[t] * n_channels + i] += dx[t * n_channels + i];
        }
    }
}

static double plain_sum_squares(struct ops *o, const float *x, size_t n)
{
    double sum = 0;
    size_t i;

    (void)o;
    for (i = 0; i < n; i++) {
        sum += (double)x[i] * (double)x[i];
    }
    return sum;
}

static void plain_adamw(struct ops *o, const struct ops_adamw *a, float *w,
                        const float *grad, float *m, float *v, size_t n,
                        void *copy)
{
    size_t i;

    for (i = 0; i < n; i++) {
        float g = grad[i] * a->grad_scale;

        m[i] = a->beta1 * m[i] + (1.0f - a->beta1) * g;
        v[i] = a->beta2 * v[i] + (1.0f - a->beta2) * g * g;
        w[i] -= a->rate *
                (m[i] * a->correct1 / (sqrtf(v[i] * a->correct2) + a->eps) +
                 a->decay * w[i]);
        if (copy) {
            plain_put(o, copy, i, (double)w[i]);
        }
    }
}

void plain__set_back(struct ops *o)
{
    o->cross_entropy = plain_cross_entropy;
    o->linear_dx = plain_linear_dx;
    o->linear_dw = plain_linear_dw;
    o->norm_back = plain_norm_back;
    o->attention_back = plain_attention_back;
    o->swiglu_back = plain_swiglu_back;
    o->embed_back = plain_embed_back;
    o->sum_squares = plain_sum_squares;
    o->adamw = plain_adamw;
}
