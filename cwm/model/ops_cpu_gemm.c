/* SPDX-License-Identifier: MIT */
/*
 * ops_cpu_gemm.c -- linear layers: each thread does a part of the rows or of
 * the columns of what comes out.
 *
 * Weights of matrices that generate are packed (ops_cpu_packed.c); those of
 * training are not: oneDNN is within a few per cent of its packed speed with
 * plain weights once there are a hundred rows, and packing after each step
 * would cost more.
 */
#include "cwm/model/ops_cpu_internal.h"

/* Rows or columns of a tile, which no two threads share. */
enum { GRAIN = 32 };

struct gemm_job {
    struct cpu *cpu;
    const struct gemm_call *call;
};

static const void *moved(const struct gemm_matrix *x, size_t n_values)
{
    return (const char *)x->values + n_values * ops_type_bytes(x->type);
}

static void gemm_work(void *job, unsigned thread, unsigned n_threads)
{
    const struct gemm_job *j = job;
    struct gemm_call call = *j->call;
    bool by_row = call.m >= call.n;
    size_t begin;
    size_t end;
    size_t at;

    pool_part(by_row ? call.m : call.n, GRAIN, thread, n_threads, &begin, &end);
    if (begin == end) {
        return;
    }
    if (by_row) {
        call.m = end - begin;
        call.a.values = moved(&call.a, begin * call.a.row);
        at = begin * call.c_row;
    } else {
        call.n = end - begin;
        call.b.values = moved(&call.b, begin * call.b.column);
        call.scales = call.scales ? call.scales + begin : NULL;
        at = begin;
    }
    call.c = (char *)call.c + at * ops_type_bytes(call.c_type);
    if (!gemm_run(j->cpu->threads[thread].gemm, &call)) {
        __atomic_store_n(&j->cpu->ops.no_memory, true, __ATOMIC_RELAXED);
    }
}

static void run(struct ops *o, const struct gemm_call *call)
{
    struct gemm_job job = {.cpu = (struct cpu *)o, .call = call};

    cpu__run(job.cpu, call->m * call->n * call->k, gemm_work, &job);
}

static void cpu_linear(struct ops *o, const void *x, size_t n,
                       const struct ops_matrix *w, void *out, size_t stride,
                       enum ops_type out_type)
{
    const struct gemm_call call = {
        .m = n,
        .n = w->n_out,
        .k = w->n_in,
        .a = {x, w->n_in, 1, o->type},
        .b = {w->values, 1, w->n_in, w->type},
        .scales = w->type == OPS_I8 ? w->scales : NULL,
        .c = out,
        .c_row = stride,
        .c_type = out_type,
    };

    if (w->packed) {
        cpu__packed_linear(o, x, n, w, out, stride, out_type);
        return;
    }
    run(o, &call);
}

static void cpu_linear_dx(struct ops *o, const void *dy, size_t n,
                          const struct ops_matrix *w, void *dx)
{
    const struct gemm_call call = {
        .m = n,
        .n = w->n_in,
        .k = w->n_out,
        .a = {dy, w->n_out, 1, o->type},
        .b = {w->values, w->n_in, 1, w->type},
        .c = dx,
        .c_row = w->n_in,
        .c_type = o->type,
    };

    run(o, &call);
}

static void cpu_linear_dw(struct ops *o, const void *dy, const void *x,
                          size_t n, size_t n_out, size_t n_in, float *dw)
{
    const struct gemm_call call = {
        .m = n_out,
        .n = n_in,
        .k = n,
        .a = {dy, 1, n_out, o->type},
        .b = {x, n_in, 1, o->type},
        .c = dw,
        .c_row = n_in,
        .c_type = OPS_F32,
        .add = true,
    };

    run(o, &call);
}

void cpu__set_gemm(struct ops *o)
{
    o->matrix_changed = cpu__matrix_changed;
    o->packs = cpu__packs;
    o->matrix_release = cpu__matrix_release;
    o->linear = cpu_linear;
    o->linear_dx = cpu_linear_dx;
    o->linear_dw = cpu_linear_dw;
}
