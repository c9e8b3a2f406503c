/* SPDX-License-Identifier: MIT */
/*
 * ops_cpu_rows.c -- operations row by row: norms, the gate, rotary positions,
 * embeddings, cross entropy.
 *
 * Sums over rows (gradients of norms' weights) are taken by each thread for
 * itself, then added in the threads' order.
 */
#include <math.h>
#include <string.h>

#include "cwm/model/ops_cpu_internal.h"

/* The arguments of any of them; what one has no use for is zero. */
struct rows_job {
    struct cpu *cpu;
    size_t n;       /* rows */
    size_t n_each;  /* channels, or words */
    const void *in; /* the gradient or input in the table's type */
    const void *in2;
    const float *x, *weight, *scales;
    const uint32_t *ids;
    const struct ops_heads *heads;
    float eps;
    bool back;
    float *sum; /* fp32 that comes out */
    float *small;
    void *out; /* in the table's type */
};

static void run_rows(struct rows_job *job, cpu_work *work)
{
    cpu__run(job->cpu, job->n * job->n_each, work, job);
}

/* ---- embeddings -----------------------------------------------------------
 */

static void embed_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct rows_job *j = job;
    size_t t;
    size_t end;

    pool_part(j->n, 1, thread, n_threads, &t, &end);
    for (; t < end; t++) {
        const void *row = cpu_at_const(j->cpu, j->in, j->ids[t] * j->n_each);
        float *out = j->sum + t * j->n_each;

        if (j->cpu->half) {
            j->cpu->kernels->from_half(row, j->n_each, out);
        } else {
            memcpy(out, row, j->n_each * sizeof *out);
        }
    }
}

static void cpu_embed(struct ops *o, const uint32_t *ids, size_t n,
                      const void *table, size_t n_channels, float *out)
{
    struct rows_job job = {.cpu = (struct cpu *)o,
                           .n = n,
                           .n_each = n_channels,
                           .in = table,
                           .ids = ids,
                           .sum = out};

    run_rows(&job, embed_work);
}

/* Each thread has some of the channels: a row of the table may be named by
 * several tokens, whose order must stay. */
static void embed_back_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct rows_job *j = job;
    size_t begin;
    size_t end;
    size_t t;

    pool_part(j->n_each, KERNEL_LANES, thread, n_threads, &begin, &end);
    for (t = 0; begin < end && t < j->n; t++) {
        j->cpu->kernels->add(j->sum + j->ids[t] * j->n_each + begin,
                             j->x + t * j->n_each + begin, end - begin);
    }
}

static void cpu_embed_back(struct ops *o, const uint32_t *ids, size_t n,
                           const float *dx, size_t n_words, size_t n_channels,
                           float *dtable)
{
    struct rows_job job = {.cpu = (struct cpu *)o,
                           .n = n,
                           .n_each = n_channels,
                           .x = dx,
                           .ids = ids,
                           .sum = dtable};

    (void)n_words;
    run_rows(&job, embed_back_work);
}

/* ---- norms ----------------------------------------------------------------
 */

static void add_norm_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct rows_job *j = job;
    size_t t;
    size_t end;

    pool_part(j->n, 1, thread, n_threads, &t, &end);
    for (; t < end; t++) {
        size_t at = t * j->n_each;
        float scale = j->cpu->kernels->add_norm(
            j->x + at, j->in ? cpu_at_const(j->cpu, j->in, at) : NULL,
            j->cpu->half, j->n_each, j->weight, j->eps,
            j->sum ? j->sum + at : NULL, cpu_at(j->cpu, j->out, at));

        if (j->small) {
            j->small[t] = scale;
        }
    }
}

static void cpu_add_norm(struct ops *o, const float *x, const void *y, size_t n,
                         size_t n_channels, const float *weight, float eps,
                         float *sum, void *out, float *scales)
{
    struct rows_job job = {.cpu = (struct cpu *)o,
                           .n = n,
                           .n_each = n_channels,
                           .in = y,
                           .x = x,
                           .weight = weight,
                           .eps = eps,
                           .sum = sum,
                           .small = scales,
                           .out = out};

    run_rows(&job, add_norm_work);
}

static void norm_back_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct rows_job *j = job;
    size_t n = j->n_each;
    float *dweight = cpu__scratch(j->cpu, thread, n * sizeof *dweight);
    size_t t;
    size_t end;

    if (!dweight) {
        return;
    }
    memset(dweight, 0, n * sizeof *dweight);
    pool_part(j->n, 1, thread, n_threads, &t, &end);
    for (; t < end; t++) {
        size_t at = t * n;

        j->cpu->kernels->norm_back(cpu_at_const(j->cpu, j->in, at),
                                   j->cpu->half, j->x + at, j->scales[t], n,
                                   j->weight, j->sum + at, dweight,
                                   j->out ? cpu_at(j->cpu, j->out, at) : NULL);
    }
}

static void cpu_norm_back(struct ops *o, const void *dout, const float *x,
                          const float *scales, size_t n, size_t n_channels,
                          const float *weight, float *dx, float *dweight,
                          void *copy)
{
    struct cpu *cpu = (struct cpu *)o;
    struct rows_job job = {.cpu = cpu,
                           .n = n,
                           .n_each = n_channels,
                           .in = dout,
                           .x = x,
                           .weight = weight,
                           .scales = scales,
                           .sum = dx,
                           .out = copy};
    unsigned i;

    /* on all threads, however little it is: all have a sum to be added */
    pool_run(cpu->pool, norm_back_work, &job);
    for (i = 0; i < cpu->n_threads && !cpu->ops.no_memory; i++) {
        cpu->kernels->add(dweight, cpu->threads[i].scratch, n_channels);
    }
}

/* ---- the feed-forward part's gate -----------------------------------------
 */

static void swiglu_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct rows_job *j = job;
    size_t n = j->n_each;
    size_t t;
    size_t end;

    pool_part(j->n, 1, thread, n_threads, &t, &end);
    for (; t < end; t++) {
        const void *gate = cpu_at_const(j->cpu, j->in, t * 2 * n);
        const void *up = cpu_at_const(j->cpu, gate, n);

        if (j->back) {
            void *dgate = cpu_at(j->cpu, j->out, t * 2 * n);

            j->cpu->kernels->swiglu_back(cpu_at_const(j->cpu, j->in2, t * n),
                                         gate, up, j->cpu->half, n, dgate,
                                         cpu_at(j->cpu, dgate, n));
        } else {
            j->cpu->kernels->swiglu(gate, up, j->cpu->half, n,
                                    cpu_at(j->cpu, j->out, t * n));
        }
    }
}

static void cpu_swiglu(struct ops *o, const void *gate_up, size_t n,
                       size_t n_ffn, void *out)
{
    struct rows_job job = {.cpu = (struct cpu *)o,
                           .n = n,
                           .n_each = n_ffn,
                           .in = gate_up,
                           .out = out};

    run_rows(&job, swiglu_work);
}

static void cpu_swiglu_back(struct ops *o, const void *dout,
                            const void *gate_up, size_t n, size_t n_ffn,
                            void *dgate_up)
{
    struct rows_job job = {.cpu = (struct cpu *)o,
                           .n = n,
                           .n_each = n_ffn,
                           .in = gate_up,
                           .in2 = dout,
                           .out = dgate_up,
                           .back = true};

    run_rows(&job, swiglu_work);
}

/* ---- rotary positions -----------------------------------------------------
 */

static void turns_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct rows_job *j = job;
    size_t half = j->n_each / 2;
    size_t t;
    size_t end;
    size_t i;

    pool_part(j->n, 1, thread, n_threads, &t, &end);
    for (; t < end; t++) {
        for (i = 0; i < half; i++) {
            float angle = (float)j->ids[t] * j->x[i];

            j->sum[t * 2 * half + i] = cosf(angle);
            j->sum[(t * 2 + 1) * half + i] = sinf(angle);
        }
    }
}

static void cpu_rope_turns(struct ops *o, const uint32_t *positions, size_t n,
                           const float *freqs, size_t d_head, float *turns)
{
    struct rows_job job = {.cpu = (struct cpu *)o,
                           .n = n,
                           .n_each = d_head,
                           .x = freqs,
                           .ids = positions,
                           .sum = turns};

    run_rows(&job, turns_work);
}

static void rope_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct rows_job *j = job;
    const struct ops_heads *h = j->heads;
    size_t t;
    size_t end;
    size_t i;

    pool_part(j->n, 1, thread, n_threads, &t, &end);
    for (; t < end; t++) {
        for (i = 0; i < h->n_heads + h->n_kv_heads; i++) {
            j->cpu->kernels->rope(
                cpu_at(j->cpu, j->out, t * j->n_each + i * h->d_head),
                j->cpu->half, h->d_head / 2, j->x + t * h->d_head, j->back);
        }
    }
}

static void cpu_rope(struct ops *o, void *qkv, size_t n,
                     const struct ops_heads *h, const float *turns, bool back)
{
    struct rows_job job = {.cpu = (struct cpu *)o,
                           .n = n,
                           .n_each =
                               (h->n_heads + 2 * h->n_kv_heads) * h->d_head,
                           .x = turns,
                           .heads = h,
                           .back = back,
                           .out = qkv};

    run_rows(&job, rope_work);
}

/* ---- the end --------------------------------------------------------------
 */

static void log_probs_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct rows_job *j = job;
    size_t t;
    size_t end;

    pool_part(j->n, 1, thread, n_threads, &t, &end);
    for (; t < end; t++) {
        const float *row = j->x + t * j->n_each;

        j->small[t] =
            row[j->ids[t]] - j->cpu->kernels->log_sum_exp(row, j->n_each);
    }
}

static void cpu_log_probs(struct ops *o, const float *logits, size_t n,
                          size_t n_words, const uint32_t *targets, float *logs)
{
    struct rows_job job = {.cpu = (struct cpu *)o,
                           .n = n,
                           .n_each = n_words,
                           .x = logits,
                           .ids = targets,
                           .small = logs};

    run_rows(&job, log_probs_work);
}

static void cross_entropy_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct rows_job *j = job;
    size_t t;
    size_t end;

    pool_part(j->n, 1, thread, n_threads, &t, &end);
    for (; t < end; t++) {
        const float *row = j->x + t * j->n_each;
        float weight = j->weight[t];
        float lse = j->cpu->kernels->log_sum_exp(row, j->n_each);
        float own = row[j->ids[t]];
        void *out = cpu_at(j->cpu, j->out, t * j->n_each);

        j->small[t] = weight * (lse - own);
        j->cpu->kernels->probabilities(row, j->n_each, lse, weight, out,
                                       j->cpu->half);
        /* the target's own logit may be overwritten by now */
        own = weight * (expf(own - lse) - 1.0f);
        if (j->cpu->half) {
            ((uint16_t *)out)[j->ids[t]] = bf16_from_f32(own);
        } else {
            ((float *)out)[j->ids[t]] = own;
        }
    }
}

static void cpu_cross_entropy(struct ops *o, const float *logits, size_t n,
                              size_t n_words, const uint32_t *targets,
                              const float *weights, float *losses,
                              void *dlogits)
{
    struct rows_job job = {.cpu = (struct cpu *)o,
                           .n = n,
                           .n_each = n_words,
                           .x = logits,
                           .weight = weights,
                           .ids = targets,
                           .small = losses,
                           .out = dlogits};

    run_rows(&job, cross_entropy_work);
}

void cpu__set_rows(struct ops *o)
{
    o->embed = cpu_embed;
    o->embed_back = cpu_embed_back;
    o->add_norm = cpu_add_norm;
    o->norm_back = cpu_norm_back;
    o->swiglu = cpu_swiglu;
    o->swiglu_back = cpu_swiglu_back;
    o->rope_turns = cpu_rope_turns;
    o->rope = cpu_rope;
    o->log_probs = cpu_log_probs;
    o->cross_entropy = cpu_cross_entropy;
}
