/* SPDX-License-Identifier: MIT */
/*
 * ops_cpu_cache.c -- attention of new tokens against the cache: page by page,
 * with a running softmax.
 *
 * Rows next to each other whose sequences share their first page (samples of
 * one prompt, tokens of one sequence) go over the pages together: a page that
 * several of them have is read and made ready once.  Each thread does some of
 * the key heads of some of these groups.  A row's result does not depend on
 * the rows beside it.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
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
    size_t max_group; /* rows */
    size_t n_groups;
};

enum { MAX_GROUP = 64 }; /* rows; bounds the scratch */

/* Rows first..last - 1 that go over the pages together, of a thread's key
 * heads head..head_end - 1; and its scratch. */
struct group {
    size_t first, last;
    size_t head, head_end;
    size_t n_queries; /* of a key head: rows times query heads to it */
    float *queries;   /* [heads,n_queries,D] */
    float *mixed;     /* [heads,n_queries,D]: sums of values, weighed */
    float *largest;   /* [heads,n_queries]: of the scores so far */
    float *totals;    /* [heads,n_queries]: of the weights so far */
    float *scores;    /* [n_queries,OPS_PAGE_TOKENS] */
    float *turned;    /* [D,OPS_PAGE_TOKENS] */
    float *wide;      /* [OPS_PAGE_TOKENS,D] */
};

/* What some rows of a group see of a page. */
struct stretch {
    size_t first_row, last_row; /* of the call */
    size_t page;
    size_t begin, end; /* rows of the page */
};

static size_t n_shared(const struct cache_job *j)
{
    return j->heads->n_heads / j->heads->n_kv_heads;
}

static size_t first_key(const struct cache_job *j, size_t row)
{
    return ops_first_key(j->heads, NULL, j->positions[row]);
}

static size_t page_of(const struct cache_job *j, size_t row, size_t block)
{
    const struct ops_cache *c = j->cache;

    return c->pages[j->seqs[row] * c->max_pages + block % c->max_pages];
}

/* ---- one page ------------------------------------------------------------ */

static const void *page_rows(const struct cache_job *j, const void *of,
                             size_t page, size_t head)
{
    size_t at = (page * j->heads->n_kv_heads + head) * OPS_PAGE_TOKENS;

    return cpu_at_const(j->cpu, of, at * j->heads->d_head);
}

/* Queries n of them from `q` on, which is at `state` in the arrays of states.
 */
static void attend_page(const struct cache_job *j, const struct group *g,
                        const struct stretch *s, size_t state, size_t n,
                        const float *values)
{
    const struct kernels *k = j->cpu->kernels;
    size_t d = j->heads->d_head;
    float scale = 1.0f / sqrtf((float)d);
    size_t i;

    page_scores(g->queries + state * d, n, g->turned, d, g->scores);
    for (i = 0; i < n; i++) {
        float keep = k->soften(g->scores + i * OPS_PAGE_TOKENS + s->begin,
                               s->end - s->begin, scale, &g->largest[state + i],
                               &g->totals[state + i]);

        if (keep < 1.0f) {
            k->multiply(g->mixed + (state + i) * d, d, keep);
        }
    }
    page_values(g->scores, n, values, d, s->begin, s->end,
                g->mixed + state * d);
}

static void attend_stretch(const struct cache_job *j, const struct group *g,
                           const struct stretch *s)
{
    size_t d = j->heads->d_head;
    size_t n_bytes = OPS_PAGE_TOKENS * d * (j->cpu->half ? 2 : 4);
    size_t n = (s->last_row - s->first_row) * n_shared(j);
    size_t h;

    for (h = g->head; h < g->head_end; h++) {
        const void *values = page_rows(j, j->cache->v, s->page, h);

        if (h + 1 < g->head_end) { /* the next head's lie behind */
            page_fetch(page_rows(j, j->cache->k, s->page, h + 1), n_bytes);
            page_fetch(page_rows(j, j->cache->v, s->page, h + 1), n_bytes);
        }
        page_turn(page_rows(j, j->cache->k, s->page, h), j->cpu->half, d,
                  g->turned);
        if (j->cpu->half) {
            page_widen(values, d, s->end, g->wide);
            values = g->wide;
        }
        attend_page(j, g, s,
                    (h - g->head) * g->n_queries +
                        (s->first_row - g->first) * n_shared(j),
                    n, values);
    }
}

/* ---- a group ------------------------------------------------------------- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* What row r sees of a block of positions; false: nothing. */
static bool stretch_of(const struct cache_job *j, size_t r, size_t block,
                       struct stretch *ret)
{
    size_t from = block * OPS_PAGE_TOKENS;
    size_t key = first_key(j, r);
    size_t end = (size_t)j->positions[r] + 1;

    if (end <= from || key >= from + OPS_PAGE_TOKENS) {
        return false;
    }
    ret->first_row = r;
    ret->last_row = r + 1;
    ret->page = page_of(j, r, block);
    ret->begin = key > from ? key - from : 0;
    ret->end = smaller(end - from, OPS_PAGE_TOKENS);
    return true;
}

static void attend_block(const struct cache_job *j, const struct group *g,
                         size_t block)
{
    struct stretch open = {0}; /* that the next row may lengthen */
    size_t r;

    for (r = g->first; r < g->last; r++) {
        struct stretch s;

        if (!stretch_of(j, r, block, &s)) {
            continue;
        }
        if (open.last_row == r && open.page == s.page &&
            open.begin == s.begin && open.end == s.end && r > g->first) {
            open.last_row = r + 1;
            continue;
        }
        if (open.last_row > 0) {
            attend_stretch(j, g, &open);
        }
        open = s;
    }
    if (open.last_row > 0) {
        attend_stretch(j, g, &open);
    }
}

/* Where query i of a key head, as the group counts them, lies in [N,heads]. */
static size_t query_at(const struct cache_job *j, const struct group *g,
                       size_t key_head, size_t i, size_t n_heads)
{
    return (g->first + i / n_shared(j)) * n_heads + key_head * n_shared(j) +
           i % n_shared(j);
}

static void begin_group(const struct cache_job *j, struct group *g)
{
    size_t d = j->heads->d_head;
    size_t n = (g->head_end - g->head) * g->n_queries;
    size_t i;

    for (i = 0; i < n; i++) {
        size_t at = query_at(j, g, g->head + i / g->n_queries, i % g->n_queries,
                             ops_row_heads(j->heads));

        j->cpu->ops.to_f32(&j->cpu->ops, cpu_at_const(j->cpu, j->qkv, at * d),
                           d, g->queries + i * d);
        g->largest[i] = -INFINITY;
        g->totals[i] = 0;
    }
    memset(g->mixed, 0, n * d * sizeof *g->mixed);
}

static void end_group(const struct cache_job *j, const struct group *g)
{
    size_t d = j->heads->d_head;
    size_t n = (g->head_end - g->head) * g->n_queries;
    size_t i;

    for (i = 0; i < n; i++) {
        size_t at = query_at(j, g, g->head + i / g->n_queries, i % g->n_queries,
                             j->heads->n_heads);

        j->cpu->kernels->multiply(g->mixed + i * d, d, 1.0f / g->totals[i]);
        j->cpu->ops.from_f32(&j->cpu->ops, g->mixed + i * d, d,
                             cpu_at(j->cpu, j->out, at * d));
    }
}

static void attend_group(const struct cache_job *j, struct group *g)
{
    size_t begin = SIZE_MAX;
    size_t end = 0;
    size_t block;
    size_t r;

    for (r = g->first; r < g->last; r++) {
        size_t last = j->positions[r] / OPS_PAGE_TOKENS + 1;

        begin = smaller(begin, first_key(j, r) / OPS_PAGE_TOKENS);
        end = last > end ? last : end;
    }
    begin_group(j, g);
    for (block = begin; block < end; block++) {
        attend_block(j, g, block);
    }
    end_group(j, g);
}

/* ---- all of them --------------------------------------------------------- */

/* Behind the last row that goes together with `first`. */
static size_t group_end(const struct cache_job *j, size_t first)
{
    size_t page = page_of(j, first, first_key(j, first) / OPS_PAGE_TOKENS);
    size_t end = first + 1;

    while (end < j->n && end < first + j->max_group &&
           page_of(j, end, first_key(j, end) / OPS_PAGE_TOKENS) == page) {
        end++;
    }
    return end;
}

static bool group_scratch(const struct cache_job *j, unsigned thread,
                          struct group *g)
{
    size_t d = j->heads->d_head;
    size_t n_queries = j->max_group * n_shared(j);
    size_t n = j->heads->n_kv_heads * n_queries;
    float *scratch =
        cpu__scratch(j->cpu, thread,
                     (2 * n * d + 2 * n + n_queries * OPS_PAGE_TOKENS +
                      2 * OPS_PAGE_TOKENS * d) *
                         sizeof *scratch);

    if (!scratch) {
        return false;
    }
    g->turned = scratch;
    g->wide = g->turned + OPS_PAGE_TOKENS * d;
    g->scores = g->wide + OPS_PAGE_TOKENS * d;
    g->queries = g->scores + n_queries * OPS_PAGE_TOKENS;
    g->mixed = g->queries + n * d;
    g->largest = g->mixed + n * d;
    g->totals = g->largest + n;
    return true;
}

static void cache_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct cache_job *j = job;
    size_t n_heads = j->heads->n_kv_heads;
    size_t item = 0; /* a key head of a group */
    struct group g;
    size_t begin;
    size_t end;

    if (!group_scratch(j, thread, &g)) {
        return; /* noted */
    }
    pool_part(j->n_groups * n_heads, 1, thread, n_threads, &begin, &end);
    for (g.first = 0; g.first < j->n && item < end; g.first = g.last) {
        g.last = group_end(j, g.first);
        g.n_queries = (g.last - g.first) * n_shared(j);
        g.head = begin > item ? begin - item : 0;
        g.head_end = smaller(end - item, n_heads);
        if (g.head < g.head_end) {
            attend_group(j, &g);
        }
        item += n_heads;
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

    /* so many that every thread has some to do */
    job.max_group =
        (n * h->n_kv_heads + job.cpu->n_threads - 1) / job.cpu->n_threads;
    job.max_group = smaller(job.max_group, MAX_GROUP);
    for (i = 0; i < n; i = group_end(&job, i)) {
        job.n_groups++;
    }
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
