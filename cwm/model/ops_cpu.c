/* SPDX-License-Identifier: MIT */
/* ops_cpu.c -- the CPU's table: its memory, its threads, its optimiser. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cwm/base/alloc.h"
#include "cwm/model/ops_cpu_internal.h"

/* Numbers below which waking others takes longer than the work. */
enum { FEW_NUMBERS = 8192 };

/* Elements that a thread takes at a time: whole cache lines of any type. */
enum { GRAIN = 64 };

void cpu__run(struct cpu *cpu, size_t size, cpu_work *work, void *job)
{
    if (size < FEW_NUMBERS) {
        work(job, 0, 1);
    } else {
        pool_run(cpu->pool, work, job);
    }
}

void *cpu__scratch(struct cpu *cpu, unsigned thread, size_t n_bytes)
{
    struct cpu_thread *t = &cpu->threads[thread];

    if (n_bytes > t->scratch_bytes) {
        cwm_free(t->scratch);
        t->scratch = cwm_malloc(n_bytes);
        t->scratch_bytes = t->scratch ? n_bytes : 0;
    }
    if (!t->scratch) {
        __atomic_store_n(&cpu->ops.no_memory, true, __ATOMIC_RELAXED);
    }
    return t->scratch;
}

/* ---- memory ---------------------------------------------------------------
 */

/*
 * Large memory asks for huge pages before it is touched: with pages of 4 KB
 * much of the time of what streams through it goes to address translation.
 */
static void *cpu_alloc(struct ops *o, size_t n_bytes)
{
    const uintptr_t huge = (uintptr_t)2 << 20;
    char *p = cwm_calloc(n_bytes, 1);

    (void)o;
    if (p && n_bytes >= 2 * huge) {
        size_t skip = (size_t)(-(uintptr_t)p & (huge - 1));

        madvise(p + skip, n_bytes - skip, MADV_HUGEPAGE); /* it is a wish */
    }
    return p;
}

static void cpu_free(struct ops *o, void *p)
{
    (void)o;
    cwm_free(p);
}

static void cpu_zero(struct ops *o, void *p, size_t n_bytes)
{
    (void)o;
    memset(p, 0, n_bytes);
}

static void cpu_copy(struct ops *o, void *to, const void *from, size_t n_bytes)
{
    (void)o;
    memcpy(to, from, n_bytes);
}

static enum cwm_rc cpu_check(struct ops *o, struct cwm_err *err)
{
    return o->no_memory ? CWM_FAIL(err, CWM_NOMEM,
                                   "could not hold an operation's scratch")
                        : CWM_OK;
}

/* ---- over all numbers alike -----------------------------------------------
 */

struct flat_job {
    struct cpu *cpu;
    const struct ops_adamw *adamw;
    const void *x;
    void *out;
    float *w, *m, *v;
    size_t n;
};

static void from_f32_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct flat_job *j = job;
    const float *x = j->x;
    size_t begin;
    size_t end;

    pool_part(j->n, GRAIN, thread, n_threads, &begin, &end);
    if (j->cpu->half) {
        j->cpu->kernels->to_half(x + begin, end - begin,
                                 (uint16_t *)j->out + begin);
    } else {
        memcpy((float *)j->out + begin, x + begin, (end - begin) * sizeof *x);
    }
}

static void cpu_from_f32(struct ops *o, const float *x, size_t n, void *out)
{
    struct flat_job job = {.cpu = (struct cpu *)o, .x = x, .out = out, .n = n};

    cpu__run(job.cpu, n, from_f32_work, &job);
}

static void cpu_to_f32(struct ops *o, const void *x, size_t n, float *out)
{
    const struct cpu *cpu = (const struct cpu *)o;

    if (cpu->half) {
        cpu->kernels->from_half(x, n, out);
    } else {
        memcpy(out, x, n * sizeof *out);
    }
}

static void sum_squares_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct flat_job *j = job;
    size_t begin;
    size_t end;

    pool_part(j->n, GRAIN, thread, n_threads, &begin, &end);
    j->cpu->threads[thread].sum =
        j->cpu->kernels->sum_squares((const float *)j->x + begin, end - begin);
}

static double cpu_sum_squares(struct ops *o, const float *x, size_t n)
{
    struct cpu *cpu = (struct cpu *)o;
    struct flat_job job = {.cpu = cpu, .x = x, .n = n};
    double sum = 0;
    unsigned i;

    for (i = 0; i < cpu->n_threads; i++) {
        cpu->threads[i].sum = 0;
    }
    cpu__run(cpu, n, sum_squares_work, &job);
    for (i = 0; i < cpu->n_threads; i++) {
        sum += cpu->threads[i].sum;
    }
    return sum;
}

static void adamw_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct flat_job *j = job;
    size_t begin;
    size_t end;

    pool_part(j->n, GRAIN, thread, n_threads, &begin, &end);
    j->cpu->kernels->adamw(j->adamw, j->w + begin, (const float *)j->x + begin,
                           j->m + begin, j->v + begin, end - begin,
                           j->out ? cpu_at(j->cpu, j->out, begin) : NULL,
                           j->cpu->half);
}

static void cpu_adamw(struct ops *o, const struct ops_adamw *a, float *w,
                      const float *grad, float *m, float *v, size_t n,
                      void *copy)
{
    struct flat_job job = {.cpu = (struct cpu *)o,
                           .adamw = a,
                           .x = grad,
                           .out = copy,
                           .w = w,
                           .m = m,
                           .v = v,
                           .n = n};

    cpu__run(job.cpu, n, adamw_work, &job);
}

/* ---- the table ------------------------------------------------------------
 */

static void cpu_release(struct ops *o)
{
    struct cpu *cpu = (struct cpu *)o;
    unsigned i;

    pool_free(cpu->pool);
    for (i = 0; cpu->threads && i < cpu->n_threads; i++) {
        gemm_free(cpu->threads[i].gemm);
        cwm_free(cpu->threads[i].scratch);
    }
    cwm_free(cpu->threads);
    cwm_free(cpu);
}

static enum cwm_rc make_threads(struct cpu *cpu, unsigned n_threads,
                                struct cwm_err *err)
{
    enum cwm_rc rc = pool_new(n_threads, &cpu->pool, err);
    unsigned i;

    if (rc != CWM_OK) {
        return rc;
    }
    cpu->n_threads = pool_n_threads(cpu->pool);
    cpu->threads = cwm_calloc(cpu->n_threads, sizeof *cpu->threads);
    for (i = 0; cpu->threads && i < cpu->n_threads; i++) {
        cpu->threads[i].gemm = gemm_new(cpu->kernels);
        if (!cpu->threads[i].gemm) {
            break;
        }
    }
    return i == cpu->n_threads
               ? CWM_OK
               : CWM_FAIL(err, CWM_NOMEM, "could not hold the threads' state");
}

enum cwm_rc ops_cpu_new(enum ops_type type, unsigned n_threads,
                        struct ops **ret_ops, struct cwm_err *err)
{
    struct cpu *cpu = cwm_calloc(1, sizeof *cpu); /* owned */
    enum cwm_rc rc;

    if (!cpu) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the operations");
    }
    cpu->ops = (struct ops){
        .name = "cpu",
        .type = type,
        .reads_any_memory = true,
        .alloc = cpu_alloc,
        .free = cpu_free,
        .zero = cpu_zero,
        .write = cpu_copy,
        .read = cpu_copy,
        .check = cpu_check,
        .from_f32 = cpu_from_f32,
        .to_f32 = cpu_to_f32,
        .sum_squares = cpu_sum_squares,
        .adamw = cpu_adamw,
        .release = cpu_release,
    };
    cpu__set_gemm(&cpu->ops);
    cpu__set_rows(&cpu->ops);
    cpu__set_attention(&cpu->ops);
    cpu__set_attention_back(&cpu->ops);
    cpu__set_cache(&cpu->ops);
    cpu->kernels = kernels_pick();
    cpu->half = type == OPS_BF16;
    rc = make_threads(cpu, n_threads, err);
    if (rc != CWM_OK) {
        cpu_release(&cpu->ops);
        return rc;
    }
    *ret_ops = &cpu->ops;
    return CWM_OK;
}
