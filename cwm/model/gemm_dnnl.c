/* SPDX-License-Identifier: MIT */
/*
 * gemm_dnnl.c -- matrix products by oneDNN, on the thread that asks.
 *
 * A primitive is made for each shape at its first use and kept; the one that
 * was not used for longest makes room.  Without oneDNN (CWM_HAVE_DNNL is not
 * defined) there is nothing here.
 */
#include "cwm/model/gemm.h"

#ifdef CWM_HAVE_DNNL

#include <dlfcn.h>
#include <dnnl.h>
#include <string.h>

#include "cwm/base/alloc.h"

/* More than a model's layers have shapes, forward and backward. */
enum { MAX_SHAPES = 96 };

/* Everything that a primitive depends on. */
struct shape {
    size_t m, n, k;
    size_t a_row, a_column, b_row, b_column, c_row;
    uint32_t a_type, b_type, c_type, add;
};

struct product {
    struct shape shape;
    uint64_t last_use; /* 0: free */
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive; /* NULL: oneDNN does not do this shape */
    dnnl_memory_t a, b, c, scratch;
    size_t scratch_bytes;
};

struct gemm_dnnl {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    void (*set_threads)(int n); /* of its OpenMP; NULL: built without */
    uint64_t n_uses;
    void *scratch; /* owned */
    size_t scratch_bytes;
    struct product products[MAX_SHAPES];
};

bool gemm__dnnl_new(struct gemm_dnnl **ret_dnnl)
{
    struct gemm_dnnl *d = cwm_calloc(1, sizeof *d);

    if (!d) {
        return false;
    }
    if (dnnl_engine_create(&d->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&d->stream, d->engine, dnnl_stream_default_flags) !=
            dnnl_success) {
        gemm__dnnl_free(d);
        return false;
    }
    /* looked up, since which OpenMP it uses, if any, is its builder's choice */
    *(void **)&d->set_threads = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    *ret_dnnl = d;
    return true;
}

static void product_release(struct product *p)
{
    dnnl_memory_destroy(p->a);
    dnnl_memory_destroy(p->b);
    dnnl_memory_destroy(p->c);
    dnnl_memory_destroy(p->scratch);
    if (p->primitive) {
        dnnl_primitive_destroy(p->primitive);
    }
    if (p->desc) {
        dnnl_primitive_desc_destroy(p->desc);
    }
    memset(p, 0, sizeof *p);
}

void gemm__dnnl_free(struct gemm_dnnl *d)
{
    size_t i;

    if (!d) {
        return;
    }
    for (i = 0; i < MAX_SHAPES; i++) {
        product_release(&d->products[i]);
    }
    if (d->stream) {
        dnnl_stream_destroy(d->stream);
    }
    if (d->engine) {
        dnnl_engine_destroy(d->engine);
    }
    cwm_free(d->scratch);
    cwm_free(d);
}

static dnnl_data_type_t type_of(uint32_t type)
{
    return type == OPS_F32 ? dnnl_f32 : dnnl_bf16;
}

static bool make_memory(const struct gemm_dnnl *d, dnnl_memory_t *ret_memory,
                        const dnnl_memory_desc_t *desc)
{
    return dnnl_memory_create(ret_memory, desc, d->engine, DNNL_MEMORY_NONE) ==
           dnnl_success;
}

static bool make_desc(struct product *p, const struct gemm_dnnl *d,
                      const dnnl_memory_desc_t *a, const dnnl_memory_desc_t *b,
                      const dnnl_memory_desc_t *c)
{
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_attr_t attr = NULL; /* owned */
    dnnl_post_ops_t post = NULL;       /* owned */
    bool good = dnnl_matmul_desc_init(&matmul, a, b, NULL, c) == dnnl_success &&
                dnnl_primitive_attr_create(&attr) == dnnl_success &&
                dnnl_primitive_attr_set_scratchpad_mode(
                    attr, dnnl_scratchpad_mode_user) == dnnl_success;

    if (good && p->shape.add) {
        good = dnnl_post_ops_create(&post) == dnnl_success &&
               dnnl_post_ops_append_sum(post, 1.0f) == dnnl_success &&
               dnnl_primitive_attr_set_post_ops(attr, post) == dnnl_success;
    }
    good = good && dnnl_primitive_desc_create(&p->desc, &matmul, attr,
                                              d->engine, NULL) == dnnl_success;
    if (post) {
        dnnl_post_ops_destroy(post);
    }
    if (attr) {
        dnnl_primitive_attr_destroy(attr);
    }
    return good;
}

static bool describe(dnnl_memory_desc_t *ret_desc, size_t rows, size_t columns,
                     uint32_t type, size_t row, size_t column)
{
    dnnl_dims_t dims = {(dnnl_dim_t)rows, (dnnl_dim_t)columns};
    dnnl_dims_t strides = {(dnnl_dim_t)row, (dnnl_dim_t)column};

    return dnnl_memory_desc_init_by_strides(ret_desc, 2, dims, type_of(type),
                                            strides) == dnnl_success;
}

/* p->shape is set; the rest from it. */
static void product_init(struct product *p, const struct gemm_dnnl *d)
{
    const struct shape *s = &p->shape;
    const dnnl_memory_desc_t *scratch;
    dnnl_memory_desc_t a;
    dnnl_memory_desc_t b;
    dnnl_memory_desc_t c;

    if (!describe(&a, s->m, s->k, s->a_type, s->a_row, s->a_column) ||
        !describe(&b, s->k, s->n, s->b_type, s->b_row, s->b_column) ||
        !describe(&c, s->m, s->n, s->c_type, s->c_row, 1) ||
        !make_desc(p, d, &a, &b, &c)) {
        return;
    }
    scratch =
        dnnl_primitive_desc_query_md(p->desc, dnnl_query_scratchpad_md, 0);
    p->scratch_bytes = dnnl_memory_desc_get_size(scratch);
    if (make_memory(d, &p->a, &a) && make_memory(d, &p->b, &b) &&
        make_memory(d, &p->c, &c) && make_memory(d, &p->scratch, scratch) &&
        dnnl_primitive_create(&p->primitive, p->desc) != dnnl_success) {
        p->primitive = NULL;
    }
}

static struct product *find_product(struct gemm_dnnl *d,
                                    const struct shape *shape)
{
    struct product *oldest = &d->products[0];
    size_t i;

    d->n_uses++;
    for (i = 0; i < MAX_SHAPES; i++) {
        struct product *p = &d->products[i];

        if (p->last_use > 0 && memcmp(&p->shape, shape, sizeof *shape) == 0) {
            p->last_use = d->n_uses;
            return p;
        }
        oldest = p->last_use < oldest->last_use ? p : oldest;
    }
    product_release(oldest);
    oldest->shape = *shape;
    oldest->last_use = d->n_uses;
    product_init(oldest, d);
    return oldest;
}

static bool have_scratch(struct gemm_dnnl *d, size_t n_bytes)
{
    if (n_bytes > d->scratch_bytes) {
        cwm_free(d->scratch);
        d->scratch = cwm_malloc(n_bytes);
        d->scratch_bytes = d->scratch ? n_bytes : 0;
    }
    return n_bytes == 0 || d->scratch;
}

/* oneDNN does not write through the handles of what it reads. */
static void *unconst(const void *p)
{
    union {
        const void *from;
        void *to;
    } u = {.from = p};

    return u.to;
}

enum gemm_done gemm__dnnl_run(struct gemm_dnnl *d, const struct gemm_call *call)
{
    const struct shape shape = {
        .m = call->m,
        .n = call->n,
        .k = call->k,
        .a_row = call->a.row,
        .a_column = call->a.column,
        .b_row = call->b.row,
        .b_column = call->b.column,
        .c_row = call->c_row,
        .a_type = (uint32_t)call->a.type,
        .b_type = (uint32_t)call->b.type,
        .c_type = (uint32_t)call->c_type,
        .add = call->add,
    };
    struct product *p;
    dnnl_exec_arg_t args[4];

    if (call->a.type != call->b.type || call->a.type == OPS_I8) {
        return GEMM_NOT_MINE;
    }
    if (d->set_threads) {
        d->set_threads(1); /* of this thread only */
    }
    p = find_product(d, &shape);
    if (!p->primitive) {
        return GEMM_NOT_MINE;
    }
    if (!have_scratch(d, p->scratch_bytes)) {
        return GEMM_NO_MEMORY;
    }
    if (dnnl_memory_set_data_handle(p->a, unconst(call->a.values)) !=
            dnnl_success ||
        dnnl_memory_set_data_handle(p->b, unconst(call->b.values)) !=
            dnnl_success ||
        dnnl_memory_set_data_handle(p->c, call->c) != dnnl_success ||
        dnnl_memory_set_data_handle(p->scratch, d->scratch) != dnnl_success) {
        return GEMM_NO_MEMORY;
    }
    args[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, p->a};
    args[1] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, p->b};
    args[2] = (dnnl_exec_arg_t){DNNL_ARG_DST, p->c};
    args[3] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, p->scratch};
    return dnnl_primitive_execute(p->primitive, d->stream, 4, args) ==
                   dnnl_success
               ? GEMM_DONE
               : GEMM_NO_MEMORY;
}

#else

bool gemm__dnnl_new(struct gemm_dnnl **ret_dnnl)
{
    *ret_dnnl = NULL;
    return true;
}

void gemm__dnnl_free(struct gemm_dnnl *d)
{
    (void)d;
}

enum gemm_done gemm__dnnl_run(struct gemm_dnnl *d, const struct gemm_call *call)
{
    (void)d, (void)call;
    return GEMM_NOT_MINE;
}

#endif
