/* SPDX-License-Identifier: MIT */
/* ops_ref.c -- each operation as its definition reads. */
#include "cwm/model/ops_ref.h"

#include <math.h>
#include <string.h>

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

void ref_embed(const uint32_t *ids, size_t n_tokens, const float *table,
               size_t n_channels, float *out)
{
    size_t t;

    for (t = 0; t < n_tokens; t++) {
        memcpy(out + t * n_channels, table + ids[t] * n_channels,
               n_channels * sizeof *out);
    }
}

void ref_rmsnorm(const float *x, size_t n_tokens, size_t n_channels,
                 const float *weight, double eps, float *out)
{
    size_t t;
    size_t i;

    for (t = 0; t < n_tokens; t++) {
        const float *row = x + t * n_channels;
        double mean = dot(row, row, n_channels) / (double)n_channels;
        double scale = 1.0 / sqrt(mean + eps);

        for (i = 0; i < n_channels; i++) {
            out[t * n_channels + i] =
                (float)((double)row[i] * scale) * weight[i];
        }
    }
}

void ref_linear(const float *x, size_t n_tokens, size_t n_in,
                const float *weight, size_t n_out, float *out)
{
    size_t t;
    size_t o;

    for (t = 0; t < n_tokens; t++) {
        for (o = 0; o < n_out; o++) {
            out[t * n_out + o] =
                (float)dot(x + t * n_in, weight + o * n_in, n_in);
        }
    }
}

void ref_rope(float *x, size_t n_tokens, size_t n_heads, size_t d_head,
              const float *freqs, size_t first)
{
    size_t half = d_head / 2;
    size_t t;
    size_t h;
    size_t i;

    for (t = 0; t < n_tokens; t++) {
        for (h = 0; h < n_heads; h++) {
            float *head = x + (t * n_heads + h) * d_head;

            for (i = 0; i < half; i++) {
                /* the angle is rounded to fp32, as the models were trained */
                float angle = (float)(first + t) * freqs[i];
                float c = cosf(angle);
                float s = sinf(angle);
                float a = head[i];
                float b = head[i + half];

                head[i] = a * c - b * s;
                head[i + half] = b * c + a * s;
            }
        }
    }
}

/* scores[0..n) to weights that sum up to 1. */
static void softmax(float *scores, size_t n)
{
    float largest = scores[0];
    double sum = 0;
    size_t i;

    for (i = 1; i < n; i++) {
        largest = scores[i] > largest ? scores[i] : largest;
    }
    for (i = 0; i < n; i++) {
        scores[i] = expf(scores[i] - largest);
        sum += (double)scores[i];
    }
    for (i = 0; i < n; i++) {
        scores[i] = (float)((double)scores[i] / sum);
    }
}

/* One query over n keys and values, `stride` floats from one to the next. */
static void attend(const float *query, const float *keys, const float *values,
                   size_t n, size_t stride, size_t d_head, float *scores,
                   float *out)
{
    double scale = 1.0 / sqrt((double)d_head);
    size_t s;
    size_t i;

    for (s = 0; s < n; s++) {
        scores[s] = (float)(dot(query, keys + s * stride, d_head) * scale);
    }
    softmax(scores, n);
    for (i = 0; i < d_head; i++) {
        double sum = 0;

        for (s = 0; s < n; s++) {
            sum += (double)scores[s] * (double)values[s * stride + i];
        }
        out[i] = (float)sum;
    }
}

void ref_attention(const float *q, const float *k, const float *v,
                   size_t n_tokens, size_t n_heads, size_t n_kv_heads,
                   size_t d_head, size_t window, float *scores, float *out)
{
    size_t n_shared = n_heads / n_kv_heads; /* query heads of one key head */
    size_t stride = n_kv_heads * d_head;
    size_t t;
    size_t h;

    for (t = 0; t < n_tokens; t++) {
        size_t first = window > 0 && t + 1 > window ? t + 1 - window : 0;

        for (h = 0; h < n_heads; h++) {
            size_t at = (t * n_heads + h) * d_head;
            size_t from = first * stride + h / n_shared * d_head;

            attend(q + at, k + from, v + from, t + 1 - first, stride, d_head,
                   scores, out + at);
        }
    }
}

void ref_swiglu(float *gate, const float *up, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        gate[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
    }
}

void ref_add(float *x, const float *y, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        x[i] += y[i];
    }
}
