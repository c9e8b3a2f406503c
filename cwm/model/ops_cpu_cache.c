/* SPDX-License-Identifier: MIT */
/*
 * ops_cpu_cache.c -- attention of new tokens against the cache: page by page,
 * with a running softmax.
 *
 * Each thread does some of the rows' key heads.  A row's result does not
 * depend on the rows beside it.
 */
#include <math.h>
#include <string.h>

#include "cwm/model/cpu_page.h"
#include "cwm/model/ops_cpu_internal.h"
#include "cwm/model/ops_plain.h"

struct cache_job {
    struct cpu *cpu;
    const void *qkv;
    size_t n;
    const struct ops_heads *heads;
    const struct ops_cache *cache;
    const uint32_t *seqs;
    const uint32_t *positions;
    void *out;
};

/* A query on its way over the pages. */
struct query {
    float *values; /* [D] */
    float *mixed;  /* [D]: sums of values, weighed */
    float largest; /* of the scores so far */
    float total;   /* of the weights so far */
};

/* Positions first..end - 1, which lie in one page. */
static void attend_page(const struct cache_job *j, struct query *q,
                        const void *keys, const void *values, size_t n,
                        float *scores)
{
    const struct kernels *k = j->cpu->kernels;
    size_t d = j->heads->d_head;
    float keep;

    page_scores(q->values, keys, j->cpu->half, d, n, scores);
    keep = k->soften(scores, n, 1.0f / sqrtf((float)d), &q->largest, &q->total);
    if (keep < 1.0f) {
        k->multiply(q->mixed, d, keep);
    }
    page_values(scores, values, j->cpu->half, d, n, q->mixed);
}

/* One query head of row r over what its key head `g` has. */
static void attend(const struct cache_job *j, size_t r, size_t head, size_t g,
                   struct query *q, float *scores)
{
    const struct ops_heads *h = j->heads;
    const struct ops_cache *c = j->cache;
    size_t row_bytes = h->d_head * (j->cpu->half ? 2 : 4);
    size_t end = (size_t)j->positions[r] + 1;
    size_t at = ops_first_key(h, NULL, j->positions[r]);

    memset(q->mixed, 0, h->d_head * sizeof *q->mixed);
    q->largest = -INFINITY;
    q->total = 0;
    j->cpu->ops.to_f32(
        &j->cpu->ops,
        cpu_at_const(j->cpu, j->qkv, (r * ops_row_heads(h) + head) * h->d_head),
        h->d_head, q->values);
    while (at < end) {
        size_t block = at / OPS_PAGE_TOKENS;
        size_t page_end = (block + 1) * OPS_PAGE_TOKENS;
        size_t n = (end < page_end ? end : page_end) - at;
        size_t page =
            c->pages[j->seqs[r] * c->max_pages + block % c->max_pages];
        size_t row =
            (page * h->n_kv_heads + g) * OPS_PAGE_TOKENS + at % OPS_PAGE_TOKENS;

        attend_page(j, q, (const char *)c->k + row * row_bytes,
                    (const char *)c->v + row * row_bytes, n, scores);
        at += n;
    }
}

static void cache_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct cache_job *j = job;
    const struct ops_heads *h = j->heads;
    size_t n_shared = h->n_heads / h->n_kv_heads;
    float *scratch = cpu__scratch(
        j->cpu, thread, (2 * h->d_head + OPS_PAGE_TOKENS) * sizeof *scratch);
    struct query q;
    size_t begin;
    size_t end;
    size_t i;
    size_t k;

    if (!scratch) {
        return;
    }
    q.values = scratch;
    q.mixed = scratch + h->d_head;
    pool_part(j->n * h->n_kv_heads, 1, thread, n_threads, &begin, &end);
    for (i = begin; i < end; i++) {
        size_t r = i / h->n_kv_heads;
        size_t g = i % h->n_kv_heads;

        for (k = 0; k < n_shared; k++) {
            size_t head = g * n_shared + k;

            attend(j, r, head, g, &q, scratch + 2 * h->d_head);
            j->cpu->kernels->multiply(q.mixed, h->d_head, 1.0f / q.total);
            if (j->cpu->half) {
                j->cpu->kernels->to_half(
                    q.mixed, h->d_head,
                    (uint16_t *)j->out + (r * h->n_heads + head) * h->d_head);
            } else {
                memcpy((float *)j->out + (r * h->n_heads + head) * h->d_head,
                       q.mixed, h->d_head * sizeof *q.mixed);
            }
        }
    }
}

static void cpu_cache_attention(struct ops *o, const void *qkv, size_t n,
                                const struct ops_heads *h,
                                const struct ops_cache *cache,
                                const uint32_t *seqs, const uint32_t *positions,
                                void *out)
{
    struct cache_job job = {.cpu = (struct cpu *)o,
                            .qkv = qkv,
                            .n = n,
                            .heads = h,
                            .cache = cache,
                            .seqs = seqs,
                            .positions = positions,
                            .out = out};
    size_t n_keys = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        n_keys += positions[i] + 1;
    }
    cpu__run(job.cpu, n_keys * h->n_heads * h->d_head, cache_work, &job);
}

void cpu__set_cache(struct ops *o)
{
    o->cache_put = plain__cache_put; /* copies: there is nothing to gain */
    o->cache_attention = cpu_cache_attention;
}
