/* SPDX-License-Identifier: MIT */
/*
 * ops_plain.c -- the reference table, forward: each operation as its
 * definition reads, sums in double, results rounded once.
 */
#include "cwm/model/ops_plain.h"

#include <math.h>
#include <string.h>

#include "cwm/base/alloc.h"

/* ---- memory ---------------------------------------------------------------
 */

static void *plain_alloc(struct ops *o, size_t n_bytes)
{
    (void)o;
    return cwm_calloc(n_bytes, 1);
}

static void plain_free(struct ops *o, void *p)
{
    (void)o;
    cwm_free(p);
}

static void plain_zero(struct ops *o, void *p, size_t n_bytes)
{
    (void)o;
    memset(p, 0, n_bytes);
}

static void plain_copy(struct ops *o, void *to, const void *from,
                       size_t n_bytes)
{
    (void)o;
    memcpy(to, from, n_bytes);
}

static enum cwm_rc plain_check(struct ops *o, struct cwm_err *err)
{
    return o->no_memory ? CWM_FAIL(err, CWM_NOMEM,
                                   "could not hold an operation's scratch")
                        : CWM_OK;
}

static void plain_from_f32(struct ops *o, const float *x, size_t n, void *out)
{
    size_t i;

    for (i = 0; i < n; i++) {
        plain_put(o, out, i, (double)x[i]);
    }
}

static void plain_to_f32(struct ops *o, const void *x, size_t n, float *out)
{
    size_t i;

    for (i = 0; i < n; i++) {
        out[i] = (float)plain_get(o, x, i);
    }
}

/* ---- layers ---------------------------------------------------------------
 */

static void plain_matrix_changed(struct ops *o, struct ops_matrix *w, bool many)
{
    (void)o, (void)w, (void)many; /* nothing is packed */
}

static void plain_matrix_release(struct ops *o, struct ops_matrix *w)
{
    (void)o, (void)w;
}

static double weight_at(const struct ops_matrix *w, size_t row, size_t column)
{
    size_t i = row * w->n_in + column;

    switch (w->type) {
    case OPS_F32:
        return (double)((const float *)w->values)[i];
    case OPS_BF16:
        return (double)bf16_to_f32(((const uint16_t *)w->values)[i]);
    case OPS_I8:
        break;
    }
    return (double)((const int8_t *)w->values)[i] * (double)w->scales[row];
}

static void plain_embed(struct ops *o, const uint32_t *ids, size_t n,
                        const void *table, size_t n_channels, float *out)
{
    size_t t;
    size_t i;

    for (t = 0; t < n; t++) {
        for (i = 0; i < n_channels; i++) {
            out[t * n_channels + i] =
                (float)plain_get(o, table, ids[t] * n_channels + i);
        }
    }
}

static void plain_add_norm(struct ops *o, const float *x, const void *y,
                           size_t n, size_t n_channels, const float *weight,
                           float eps, float *sum, void *out, float *scales)
{
    size_t t;
    size_t i;

    for (t = 0; t < n; t++) {
        const float *row = y ? sum + t * n_channels : x + t * n_channels;
        double squares = 0;
        double scale;

        for (i = 0; y && i < n_channels; i++) {
            size_t at = t * n_channels + i;

            sum[at] = (float)((double)x[at] + plain_get(o, y, at));
        }
        for (i = 0; i < n_channels; i++) {
            squares += (double)row[i] * (double)row[i];
        }
        scale = 1.0 / sqrt(squares / (double)n_channels + (double)eps);
        for (i = 0; i < n_channels; i++) {
            plain_put(o, out, t * n_channels + i,
                      (double)row[i] * scale * (double)weight[i]);
        }
        if (scales) {
            scales[t] = (float)scale;
        }
    }
}

static void plain_linear(struct ops *o, const void *x, size_t n,
                         const struct ops_matrix *w, void *out, size_t stride,
                         enum ops_type out_type)
{
    size_t t;
    size_t r;
    size_t i;

    for (t = 0; t < n; t++) {
        for (r = 0; r < w->n_out; r++) {
            double sum = 0;

            for (i = 0; i < w->n_in; i++) {
                sum += plain_get(o, x, t * w->n_in + i) * weight_at(w, r, i);
            }
            if (out_type == OPS_F32) {
                ((float *)out)[t * stride + r] = (float)sum;
            } else {
                plain_put(o, out, t * stride + r, sum);
            }
        }
    }
}

static void plain_swiglu(struct ops *o, const void *gate_up, size_t n,
                         size_t n_ffn, void *out)
{
    size_t t;
    size_t i;

    for (t = 0; t < n; t++) {
        for (i = 0; i < n_ffn; i++) {
            double gate = plain_get(o, gate_up, t * 2 * n_ffn + i);
            double up = plain_get(o, gate_up, (t * 2 + 1) * n_ffn + i);

            plain_put(o, out, t * n_ffn + i, gate / (1.0 + exp(-gate)) * up);
        }
    }
}

static void plain_log_probs(struct ops *o, const float *logits, size_t n,
                            size_t n_words, const uint32_t *targets,
                            float *logs)
{
    size_t t;
    size_t i;

    (void)o;
    for (t = 0; t < n; t++) {
        const float *row = logits + t * n_words;
        float largest = row[0];
        double sum = 0;

        for (i = 1; i < n_words; i++) {
            largest = row[i] > largest ? row[i] : largest;
        }
        for (i = 0; i < n_words; i++) {
            sum += exp((double)row[i] - (double)largest);
        }
        logs[t] = (float)((double)row[targets[t]] - (double)largest - log(sum));
    }
}

/* ---- rotary positions -----------------------------------------------------
 */

static void plain_rope_turns(struct ops *o, const uint32_t *positions, size_t n,
                             const float *freqs, size_t d_head, float *turns)
{
    size_t half = d_head / 2;
    size_t t;
    size_t i;

    (void)o;
    for (t = 0; t < n; t++) {
        for (i = 0; i < half; i++) {
            float angle = (float)positions[t] * freqs[i];

            turns[t * 2 * half + i] = cosf(angle);
            turns[(t * 2 + 1) * half + i] = sinf(angle);
        }
    }
}

static void plain_rope(struct ops *o, void *qkv, size_t n,
                       const struct ops_heads *h, const float *turns, bool back)
{
    size_t half = h->d_head / 2;
    size_t t;
    size_t head;
    size_t i;

    for (t = 0; t < n; t++) {
        for (head = 0; head < h->n_heads + h->n_kv_heads; head++) {
            size_t at = (t * ops_row_heads(h) + head) * h->d_head;

            for (i = 0; i < half; i++) {
                double c = (double)turns[t * 2 * half + i];
                double s = (double)turns[(t * 2 + 1) * half + i];
                double a = plain_get(o, qkv, at + i);
                double b = plain_get(o, qkv, at + i + half);

                s = back ? -s : s;
                plain_put(o, qkv, at + i, a * c - b * s);
                plain_put(o, qkv, at + i + half, b * c + a * s);
            }
        }
    }
}

/* ---- attention ------------------------------------------------------------
 */

/* Where keys and values of one head are: key s of values lies at index
 * at[s] * D of k, and of v. */
struct seen {
    const void *k, *v;
    const size_t *at; /* [n] */
    size_t n;
};

/* scores [n] is scratch; the log of the sum of exp is returned. */
static double attend(const struct ops *o, const void *q, size_t q_at,
                     const struct seen *seen, size_t d_head, double *scores,
                     void *out, size_t out_at)
{
    double scale = 1.0 / sqrt((double)d_head);
    double largest = -HUGE_VAL;
    double total = 0;
    size_t s;
    size_t i;

    for (s = 0; s < seen->n; s++) {
        double sum = 0;

        for (i = 0; i < d_head; i++) {
            sum += plain_get(o, q, q_at + i) *
                   plain_get(o, seen->k, seen->at[s] * d_head + i);
        }
        scores[s] = sum * scale;
        largest = fmax(largest, scores[s]);
    }
    for (s = 0; s < seen->n; s++) {
        scores[s] = exp(scores[s] - largest);
        total += scores[s];
    }
    for (i = 0; i < d_head; i++) {
        double sum = 0;

        for (s = 0; s < seen->n; s++) {
            sum += scores[s] * plain_get(o, seen->v, seen->at[s] * d_head + i);
        }
        plain_put(o, out, out_at + i, sum / total);
    }
    return largest + log(total);
}

/* Room for n keys; NULL: noted, check() will tell. */
static double *scratch_new(struct ops *o, size_t n, size_t **ret_at)
{
    double *scores = cwm_malloc(n * (sizeof *scores + sizeof **ret_at));

    if (!scores) {
        o->no_memory = true;
        return NULL;
    }
    *ret_at = (size_t *)(scores + n);
    return scores;
}

static void plain_attention(struct ops *o, const void *qkv, size_t n,
                            const struct ops_heads *h, const uint32_t *starts,
                            void *out, float *lse)
{
    size_t n_shared = h->n_heads / h->n_kv_heads;
    size_t row = ops_row_heads(h);
    size_t *at = NULL;
    double *scores = scratch_new(o, 2 * n, &at); /* owned */
    struct seen seen = {.k = qkv, .v = qkv};
    size_t t;
    size_t head;
    size_t s;

    for (t = 0; scores && t < n; t++) {
        size_t first = ops_first_key(h, starts, t);

        for (head = 0; head < h->n_heads; head++) {
            size_t k_head = h->n_heads + head / n_shared;
            double sum;

            seen.n = t + 1 - first;
            for (s = 0; s < seen.n; s++) {
                at[s] = (first + s) * row + k_head;
            }
            seen.at = at;
            seen.v = (const char *)qkv +
                     h->n_kv_heads * h->d_head * ops_type_bytes(o->type);
            sum = attend(o, qkv, (t * row + head) * h->d_head, &seen, h->d_head,
                         scores, out, (t * h->n_heads + head) * h->d_head);
            if (lse) {
                lse[t * h->n_heads + head] = (float)sum;
            }
        }
    }
    cwm_free(scores);
}

/* ---- with a cache ---------------------------------------------------------
 */

/* The index of a token's channels in the cache, in rows of D. */
static size_t cache_row(const struct ops_cache *cache,
                        const struct ops_heads *h, size_t seq, size_t position,
                        size_t kv_head)
{
    size_t turn = position / OPS_PAGE_TOKENS % cache->max_pages;
    size_t page = cache->pages[seq * cache->max_pages + turn];

    return (page * h->n_kv_heads + kv_head) * OPS_PAGE_TOKENS +
           position % OPS_PAGE_TOKENS;
}

void plain__cache_put(struct ops *o, const void *qkv, size_t n,
                      const struct ops_heads *h, const struct ops_cache *cache,
                      const uint32_t *seqs, const uint32_t *positions)
{
    size_t n_bytes = h->d_head * ops_type_bytes(o->type);
    size_t r;
    size_t g;

    for (r = 0; r < n; r++) {
        for (g = 0; g < h->n_kv_heads; g++) {
            size_t to = cache_row(cache, h, seqs[r], positions[r], g);
            const char *k = (const char *)qkv +
                            (r * ops_row_heads(h) + h->n_heads + g) * n_bytes;

            memcpy((char *)cache->k + to * n_bytes, k, n_bytes);
            memcpy((char *)cache->v + to * n_bytes, k + h->n_kv_heads * n_bytes,
                   n_bytes);
        }
    }
}

void plain__cache_attention(struct ops *o, const void *qkv, size_t n,
                            const struct ops_heads *h,
                            const struct ops_cache *cache, const uint32_t *seqs,
                            const uint32_t *positions, void *out)
{
    struct seen seen = {.k = cache->k, .v = cache->v};
    size_t n_shared = h->n_heads / h->n_kv_heads;
    size_t *at = NULL;
    double *scores; /* owned */
    size_t r;
    size_t head;
    size_t s;

    for (r = 0; r < n; r++) {
        seen.n = seen.n > positions[r] ? seen.n : (size_t)positions[r] + 1;
    }
    scores = scratch_new(o, seen.n, &at);
    seen.at = at;
    for (r = 0; scores && r < n; r++) {
        size_t first = ops_first_key(h, NULL, positions[r]);

        for (head = 0; head < h->n_heads; head++) {
            seen.n = positions[r] + 1 - first;
            for (s = 0; s < seen.n; s++) {
                at[s] =
                    cache_row(cache, h, seqs[r], first + s, head / n_shared);
            }
            attend(o, qkv, (r * ops_row_heads(h) + head) * h->d_head, &seen,
                   h->d_head, scores, out, (r * h->n_heads + head) * h->d_head);
        }
    }
    cwm_free(scores);
}

/* ---- the table ------------------------------------------------------------
 */

static void plain_release(struct ops *o)
{
    cwm_free(o);
}

enum cwm_rc ops_ref_new(enum ops_type type, struct ops **ret_ops,
                        struct cwm_err *err)
{
    struct ops *o = cwm_calloc(1, sizeof *o);

    if (!o) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the operations");
    }
    *o = (struct ops){
        .name = "reference",
        .type = type,
        .reads_any_memory = true,
        .alloc = plain_alloc,
        .free = plain_free,
        .zero = plain_zero,
        .write = plain_copy,
        .read = plain_copy,
        .check = plain_check,
        .from_f32 = plain_from_f32,
        .to_f32 = plain_to_f32,
        .matrix_changed = plain_matrix_changed,
        .matrix_release = plain_matrix_release,
        .embed = plain_embed,
        .add_norm = plain_add_norm,
        .linear = plain_linear,
        .rope_turns = plain_rope_turns,
        .rope = plain_rope,
        .attention = plain_attention,
        .swiglu = plain_swiglu,
        .log_probs = plain_log_probs,
        .cache_put = plain__cache_put,
        .cache_attention = plain__cache_attention,
        .release = plain_release,
    };
    plain__set_back(o);
    *ret_ops = o;
    return CWM_OK;
}

void ops_free(struct ops *o)
{
    if (o) {
        o->release(o);
    }
}
