/* SPDX-License-Identifier: MIT */
/*
 * ops_cpu_attention_back.c -- attention, backward: the probabilities are
 * computed again, block by block, from the logs of the sums.
 *
 *     p = exp(q k / sqrt(D) - lse)     dv += p^T dout
 *     ds = p (dout v - delta) / sqrt(D)  dq += ds k   dk += ds^T q
 *
 * delta is dout . out of each query.  Each thread does some of the key heads
 * with all their queries, so that nobody adds to what another adds to.
 */
#include <math.h>
#include <string.h>

#include "cwm/model/ops_cpu_attention.h"
#include "cwm/model/ops_plain.h"

enum { BLOCK = ATTENTION_BLOCK };

/* One thread's scratch. */
struct blocks {
    float *keys, *values;               /* [N,width] */
    float *turned_keys, *turned_values; /* [blocks,width,BLOCK] */
    float *dkeys, *dvalues;             /* [N,width] */
    float *q, *dout, *dq;               /* [BLOCK,width] */
    float *p, *ds;                      /* [BLOCK,BLOCK] */
};

static void block_back(const struct attention_job *j, const struct blocks *b,
                       size_t head, size_t t, size_t n, size_t first)
{
    const struct kernels *k = j->cpu->kernels;
    size_t width = j->width;
    size_t n_keys = j->n - first < BLOCK ? j->n - first : BLOCK;
    float scale = 1.0f / sqrtf((float)j->heads->d_head);
    size_t i;

    k->tile(b->q, width, 1, b->turned_keys + first * width, BLOCK, b->p, BLOCK,
            n, BLOCK, width, false);
    k->tile(b->dout, width, 1, b->turned_values + first * width, BLOCK, b->ds,
            BLOCK, n, BLOCK, width, false);
    for (i = 0; i < n; i++) {
        size_t at = (t + i) * j->heads->n_heads + head;

        attention__mask(j, t + i, first, b->p + i * BLOCK);
        k->soften_back(b->p + i * BLOCK, b->ds + i * BLOCK, BLOCK, scale,
                       j->lse_known[at], j->deltas[at]);
    }
    k->tile(b->ds, BLOCK, 1, b->keys + first * width, width, b->dq, width, n,
            width, n_keys, true);
    k->tile(b->ds, 1, BLOCK, b->q, width, b->dkeys + first * width, width,
            n_keys, width, n, true);
    k->tile(b->p, 1, BLOCK, b->dout, width, b->dvalues + first * width, width,
            n_keys, width, n, true);
}

/* x [n,width] to rows of dqkv. */
static void store_rows(const struct attention_job *j, const float *x,
                       size_t head, size_t first, size_t n)
{
    const struct ops_heads *h = j->heads;
    size_t t;

    for (t = 0; t < n; t++) {
        void *to = cpu_at(j->cpu, j->result,
                          ((first + t) * ops_row_heads(h) + head) * h->d_head);

        if (j->cpu->half) {
            j->cpu->kernels->to_half(x + t * j->width, h->d_head, to);
        } else {
            memcpy(to, x + t * j->width, h->d_head * sizeof *x);
        }
    }
}

static void deltas_of(const struct attention_job *j, const struct blocks *b,
                      size_t head, size_t t, size_t n)
{
    const struct ops_heads *h = j->heads;
    size_t i;
    size_t c;

    /* dq's block is free until then */
    attention__rows(j, j->out, h->n_heads * h->d_head, head * h->d_head, t, n,
                    b->dq);
    for (i = 0; i < n; i++) {
        float sum = 0;

        for (c = 0; c < j->width; c++) {
            sum += b->dq[i * j->width + c] * b->dout[i * j->width + c];
        }
        j->deltas[(t + i) * h->n_heads + head] = sum;
    }
}

static void head_back(const struct attention_job *j, const struct blocks *b,
                      size_t head)
{
    const struct ops_heads *h = j->heads;
    size_t row = ops_row_heads(h) * h->d_head;
    size_t t;

    for (t = 0; t < j->n; t += BLOCK) {
        size_t n = j->n - t < BLOCK ? j->n - t : BLOCK;
        size_t first = ops_first_key(h, j->starts, t) / BLOCK * BLOCK;

        attention__rows(j, j->qkv, row, head * h->d_head, t, n, b->q);
        attention__rows(j, j->dout, h->n_heads * h->d_head, head * h->d_head, t,
                        n, b->dout);
        deltas_of(j, b, head, t, n);
        memset(b->dq, 0, n * j->width * sizeof *b->dq);
        for (; first < t + n; first += BLOCK) {
            block_back(j, b, head, t, n, first);
        }
        store_rows(j, b->dq, head, t, n);
    }
}

static void kv_head_back(const struct attention_job *j, const struct blocks *b,
                         size_t kv_head)
{
    const struct ops_heads *h = j->heads;
    size_t n_shared = h->n_heads / h->n_kv_heads;
    size_t row = ops_row_heads(h) * h->d_head;
    size_t k_head = h->n_heads + kv_head;
    size_t v_head = k_head + h->n_kv_heads;
    size_t head;
    size_t t;

    attention__rows(j, j->qkv, row, k_head * h->d_head, 0, j->n, b->keys);
    attention__rows(j, j->qkv, row, v_head * h->d_head, 0, j->n, b->values);
    for (t = 0; t < j->n; t += BLOCK) {
        size_t n = j->n - t < BLOCK ? j->n - t : BLOCK;
        size_t at = t * j->width;

        attention__turn(b->keys + at, n, j->width, b->turned_keys + at);
        attention__turn(b->values + at, n, j->width, b->turned_values + at);
    }
    memset(b->dkeys, 0, j->n * j->width * sizeof *b->dkeys);
    memset(b->dvalues, 0, j->n * j->width * sizeof *b->dvalues);
    for (head = kv_head * n_shared; head < (kv_head + 1) * n_shared; head++) {
        head_back(j, b, head);
    }
    store_rows(j, b->dkeys, k_head, 0, j->n);
    store_rows(j, b->dvalues, v_head, 0, j->n);
}

static void attention_back_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct attention_job *j = job;
    size_t n_all = (j->n + BLOCK - 1) / BLOCK * BLOCK * j->width;
    size_t n_block = BLOCK * j->width;
    struct blocks b;
    size_t head;
    size_t end;

    b.keys = cpu__scratch(j->cpu, thread,
                          (6 * n_all + 3 * n_block + 2 * BLOCK * BLOCK) *
                              sizeof *b.keys);
    if (!b.keys) {
        return;
    }
    b.values = b.keys + n_all;
    b.turned_keys = b.values + n_all;
    b.turned_values = b.turned_keys + n_all;
    b.dkeys = b.turned_values + n_all;
    b.dvalues = b.dkeys + n_all;
    b.q = b.dvalues + n_all;
    b.dout = b.q + n_block;
    b.dq = b.dout + n_block;
    b.p = b.dq + n_block;
    b.ds = b.p + (size_t)BLOCK * BLOCK;
    pool_part(j->heads->n_kv_heads, 1, thread, n_threads, &head, &end);
    for (; head < end; head++) {
        kv_head_back(j, &b, head);
    }
}

static void cpu_attention_back(struct ops *o, const void *dout, const void *qkv,
                               const void *out, const float *lse, size_t n,
                               const struct ops_heads *h,
                               const uint32_t *starts, float *scratch,
                               void *dqkv)
{
    struct attention_job job = {.cpu = (struct cpu *)o,
                                .heads = h,
                                .starts = starts,
                                .qkv = qkv,
                                .out = out,
                                .dout = dout,
                                .result = dqkv,
                                .lse_known = lse,
                                .deltas = scratch,
                                .n = n,
                                .width = attention_width(h)};

    cpu__run(job.cpu, n * h->n_heads * h->d_head, attention_back_work, &job);
}

void cpu__set_attention_back(struct ops *o)
{
    o->attention_back = cpu_attention_back;
}
