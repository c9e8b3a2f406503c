/* SPDX-License-Identifier: MIT */
/*
 * ops_cpu_attention.c -- attention, forward: a block of queries goes over the
 * blocks of keys that it sees, with a running softmax; no N x N matrix.
 *
 * Each thread does some of the heads.  Products are taken in fp32 in either
 * type: next to the layers' they are few, and sums of probabilities keep
 * their digits.
 */
#include "cwm/model/ops_cpu_attention.h"

#include <math.h>
#include <string.h>

#include "cwm/model/ops_plain.h"

enum { BLOCK = ATTENTION_BLOCK };

void attention__rows(const struct attention_job *j, const void *x, size_t row,
                     size_t at, size_t first, size_t n, float *out)
{
    size_t d = j->heads->d_head;
    size_t t;

    for (t = 0; t < n; t++) {
        const void *from = cpu_at_const(j->cpu, x, (first + t) * row + at);

        if (j->cpu->half) {
            j->cpu->kernels->from_half(from, d, out + t * j->width);
        } else {
            memcpy(out + t * j->width, from, d * sizeof *out);
        }
        memset(out + t * j->width + d, 0, (j->width - d) * sizeof *out);
    }
}

void attention__turn(const float *x, size_t n, size_t width, float *out)
{
    size_t i;
    size_t t;

    for (i = 0; i < width; i++) {
        for (t = 0; t < n; t++) {
            out[i * BLOCK + t] = x[t * width + i];
        }
        for (; t < BLOCK; t++) {
            out[i * BLOCK + t] = 0;
        }
    }
}

void attention__mask(const struct attention_job *j, size_t t, size_t first,
                     float *scores)
{
    size_t from = ops_first_key(j->heads, j->starts, t);
    size_t i;

    for (i = 0; i < BLOCK && first + i < from; i++) {
        scores[i] = -INFINITY;
    }
    for (i = t + 1 > first ? t + 1 - first : 0; i < BLOCK; i++) {
        scores[i] = -INFINITY;
    }
}

/* One thread's scratch. */
struct blocks {
    float *keys;   /* [N,width]: of the head that is worked on */
    float *values; /* [N,width] */
    float *turned; /* [blocks,width,BLOCK]: the keys */
    float *q;      /* [BLOCK,width] */
    float *scores; /* [BLOCK,BLOCK] */
    float *sums;   /* [BLOCK,width] */
    float largest[ATTENTION_BLOCK], totals[ATTENTION_BLOCK];
};

/* Queries [t, t + n) over the keys from `first` on, one block of them. */
static void block_forward(const struct attention_job *j, struct blocks *b,
                          size_t t, size_t n, size_t first)
{
    const struct kernels *k = j->cpu->kernels;
    size_t n_keys = j->n - first < BLOCK ? j->n - first : BLOCK;
    float scale = 1.0f / sqrtf((float)j->heads->d_head);
    size_t i;

    k->tile(b->q, j->width, 1, b->turned + first * j->width, BLOCK, b->scores,
            BLOCK, n, BLOCK, j->width, false);
    for (i = 0; i < n; i++) {
        float *row = b->scores + i * BLOCK;
        float keep;

        attention__mask(j, t + i, first, row);
        keep = k->soften(row, BLOCK, scale, &b->largest[i], &b->totals[i]);
        if (keep != 1.0f) {
            k->multiply(b->sums + i * j->width, j->width, keep);
        }
    }
    k->tile(b->scores, BLOCK, 1, b->values + first * j->width, j->width,
            b->sums, j->width, n, j->width, n_keys, true);
}

static void store_queries(const struct attention_job *j, const struct blocks *b,
                          size_t head, size_t t, size_t n)
{
    const struct kernels *k = j->cpu->kernels;
    size_t d = j->heads->d_head;
    size_t i;

    for (i = 0; i < n; i++) {
        size_t at = (t + i) * j->heads->n_heads + head;
        float *row = b->sums + i * j->width;

        k->multiply(row, d, 1.0f / b->totals[i]);
        if (j->cpu->half) {
            k->to_half(row, d, cpu_at(j->cpu, j->result, at * d));
        } else {
            memcpy(cpu_at(j->cpu, j->result, at * d), row, d * sizeof *row);
        }
        if (j->lse) {
            j->lse[at] = b->largest[i] + logf(b->totals[i]);
        }
    }
}

static void head_forward(const struct attention_job *j, struct blocks *b,
                         size_t head)
{
    const struct ops_heads *h = j->heads;
    size_t row = ops_row_heads(h) * h->d_head;
    size_t t;
    size_t i;

    for (t = 0; t < j->n; t += BLOCK) {
        size_t n = j->n - t < BLOCK ? j->n - t : BLOCK;
        size_t first = ops_first_key(h, j->starts, t) / BLOCK * BLOCK;

        attention__rows(j, j->qkv, row, head * h->d_head, t, n, b->q);
        memset(b->sums, 0, n * j->width * sizeof *b->sums);
        for (i = 0; i < n; i++) {
            b->largest[i] = -INFINITY;
            b->totals[i] = 0;
        }
        for (; first < t + n; first += BLOCK) {
            block_forward(j, b, t, n, first);
        }
        store_queries(j, b, head, t, n);
    }
}

static void load_keys(const struct attention_job *j, struct blocks *b,
                      size_t kv_head)
{
    const struct ops_heads *h = j->heads;
    size_t row = ops_row_heads(h) * h->d_head;
    size_t at = (h->n_heads + kv_head) * h->d_head;
    size_t t;

    attention__rows(j, j->qkv, row, at, 0, j->n, b->keys);
    attention__rows(j, j->qkv, row, at + h->n_kv_heads * h->d_head, 0, j->n,
                    b->values);
    for (t = 0; t < j->n; t += BLOCK) {
        attention__turn(b->keys + t * j->width,
                        j->n - t < BLOCK ? j->n - t : BLOCK, j->width,
                        b->turned + t * j->width);
    }
}

static void attention_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct attention_job *j = job;
    size_t n_shared = j->heads->n_heads / j->heads->n_kv_heads;
    size_t n_round = (j->n + BLOCK - 1) / BLOCK * BLOCK;
    struct blocks b;
    size_t loaded = SIZE_MAX;
    size_t head;
    size_t end;

    b.keys = cpu__scratch(j->cpu, thread,
                          (3 * n_round * j->width + 2 * BLOCK * j->width +
                           (size_t)BLOCK * BLOCK) *
                              sizeof *b.keys);
    if (!b.keys) {
        return;
    }
    b.values = b.keys + n_round * j->width;
    b.turned = b.values + n_round * j->width;
    b.q = b.turned + n_round * j->width;
    b.sums = b.q + BLOCK * j->width;
    b.scores = b.sums + BLOCK * j->width;
    pool_part(j->heads->n_heads, 1, thread, n_threads, &head, &end);
    for (; head < end; head++) {
        if (head / n_shared != loaded) {
            loaded = head / n_shared;
            load_keys(j, &b, loaded);
        }
        head_forward(j, &b, head);
    }
}

static void cpu_attention(struct ops *o, const void *qkv, size_t n,
                          const struct ops_heads *h, const uint32_t *starts,
                          void *out, float *lse)
{
    struct attention_job job = {.cpu = (struct cpu *)o,
                                .heads = h,
                                .starts = starts,
                                .qkv = qkv,
                                .result = out,
                                .lse = lse,
                                .n = n,
                                .width = attention_width(h)};

    cpu__run(job.cpu, n * h->n_heads * h->d_head, attention_work, &job);
}

void cpu__set_attention(struct ops *o)
{
    o->attention = cpu_attention;
}
