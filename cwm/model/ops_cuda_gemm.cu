/* SPDX-License-Identifier: MIT */
/*
 * ops_cuda_gemm.cu -- products of matrices, by cuBLASLt.
 *
 * cuBLASLt counts by columns, so our row-major arrays are its transposes:
 * y = x W^T is asked for as y' = W'^T x'.  A product that comes again finds its
 * plan; the algorithm of a plan is the fastest of those that cuBLASLt offers,
 * tried once on scratch, or its first offer where the table is deterministic.
 */
#include "cwm/model/ops_cuda.cuh"

enum gemm_kind {
    GEMM_FORWARD, /* out [n,n_out] = x [n,n_in] w^T */
    GEMM_DX,      /* dx [n,n_in] = dy [n,n_out] w */
    GEMM_DW,      /* dw [n_out,n_in] += dy^T x */
    GEMM_ADD,     /* out [n,n_out] = base [n,n_out] + x [n,n_in] w^T */
    GEMM_NARROW,  /* as GEMM_FORWARD, of e4m3 */
    GEMM_NARROW_ADD,
};

enum { N_OFFERS = 24, N_TRIES = 3, WORKSPACE_BYTES = 64 << 20 };

/* In cuBLASLt's terms: d [m,n] (columns ldd apart) of sums over k. */
struct gemm {
    enum gemm_kind kind;
    size_t m, n, k, ldd;
    bool is_f32_out;
    const void *a, *b;
    const void *base; /* of what is added to; of GEMM_DW d itself */
    void *d;
    const float *a_scales, *b_scales; /* of e4m3: [m], [n]; is_even: [1] */
    bool is_even;
};

static bool is_narrow(int kind)
{
    return kind == GEMM_NARROW || kind == GEMM_NARROW_ADD;
}

static bool is_added(int kind)
{
    return kind == GEMM_ADD || kind == GEMM_NARROW_ADD;
}

/* ---- plans ----------------------------------------------------------------
 */

static void plan_free(struct cuda_plan *p)
{
    cublasLtMatmulDescDestroy(p->product);
    cublasLtMatrixLayoutDestroy(p->a);
    cublasLtMatrixLayoutDestroy(p->b);
    cublasLtMatrixLayoutDestroy(p->d);
    *p = (struct cuda_plan){};
}

void cuda__free_plans(struct cuda_ops *c)
{
    for (size_t i = 0; i < c->n_plans; i++) {
        plan_free(&c->plans[i]);
    }
    c->n_plans = 0;
}

/* Of all three arrays, in bytes. */
static uint32_t alignment_of(const struct gemm *g)
{
    uintptr_t bits = (uintptr_t)g->a | (uintptr_t)g->b | (uintptr_t)g->d |
                     (uintptr_t)g->base;
    uint32_t n = 1;

    while (n < 16 && !(bits & n)) { /* more is of no use */
        n *= 2;
    }
    return n;
}

static cublasStatus_t run(struct cuda_ops *c, const struct cuda_plan *p,
                          const struct gemm *g, void *d,
                          const cublasLtMatmulAlgo_t *algorithm)
{
    const float one = 1;
    const float add = g->kind == GEMM_DW || is_added(g->kind) ? 1.0f : 0.0f;
    const void *base = is_added(g->kind) ? g->base : d;

    if (is_narrow(g->kind)) {
        cublasLtMatmulDescSetAttribute(p->product,
                                       CUBLASLT_MATMUL_DESC_A_SCALE_POINTER,
                                       &g->a_scales, sizeof g->a_scales);
        cublasLtMatmulDescSetAttribute(p->product,
                                       CUBLASLT_MATMUL_DESC_B_SCALE_POINTER,
                                       &g->b_scales, sizeof g->b_scales);
    }
    return cublasLtMatmul(c->lt, p->product, &one, g->a, p->a, g->b, p->b, &add,
                          base, p->d, d, p->d, algorithm, c->workspace,
                          WORKSPACE_BYTES, c->stream);
}

/* Milliseconds of a run, the best of some; less than 0: it cannot. */
static float try_algorithm(struct cuda_ops *c, const struct cuda_plan *p,
                           const struct gemm *g, void *d,
                           const cublasLtMatmulAlgo_t *algorithm,
                           cudaEvent_t begin, cudaEvent_t end)
{
    float best = -1;

    for (int i = 0; i < N_TRIES; i++) {
        float ms = 0;

        cudaEventRecord(begin, c->stream);
        if (run(c, p, g, d, algorithm) != CUBLAS_STATUS_SUCCESS) {
            return -1;
        }
        cudaEventRecord(end, c->stream);
        if (cudaEventSynchronize(end) != cudaSuccess ||
            cudaEventElapsedTime(&ms, begin, end) != cudaSuccess) {
            return -1;
        }
        best = best < 0 || ms < best ? ms : best;
    }
    return best;
}

static void choose_fastest(struct cuda_ops *c, struct cuda_plan *p,
                           const struct gemm *g,
                           const cublasLtMatmulHeuristicResult_t *offers, int n)
{
    size_t n_bytes = g->ldd * g->n * (g->is_f32_out ? 4 : 2);
    cudaEvent_t begin = NULL;
    cudaEvent_t end = NULL;
    void *scratch = g->d; /* what is only written may be written often */
    float best = -1;

    if (g->kind == GEMM_DW && cudaMalloc(&scratch, n_bytes) != cudaSuccess) {
        cudaGetLastError(); /* no room to try */
        return;
    }
    if (g->kind == GEMM_DW) {
        cudaMemsetAsync(scratch, 0, n_bytes, c->stream);
    }
    if (cudaEventCreate(&begin) == cudaSuccess &&
        cudaEventCreate(&end) == cudaSuccess) {
        for (int i = 0; i < n; i++) {
            float ms =
                try_algorithm(c, p, g, scratch, &offers[i].algo, begin, end);

            if (ms >= 0 && (best < 0 || ms < best)) {
                best = ms;
                p->algorithm = offers[i].algo;
            }
        }
    }
    if (begin) {
        cudaEventDestroy(begin);
    }
    if (end) {
        cudaEventDestroy(end);
    }
    if (g->kind == GEMM_DW) {
        cudaFree(scratch);
    }
}

/* The offers' number; 0 is noted. */
static int ask_offers(struct cuda_ops *c, const struct cuda_plan *p,
                      const struct gemm *g,
                      cublasLtMatmulHeuristicResult_t offers[N_OFFERS])
{
    /* partial sums are added up in one order, not as blocks end */
    uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE |
                          CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
    size_t workspace = WORKSPACE_BYTES;
    uint32_t all = alignment_of(g);
    cublasLtMatmulPreference_t wish = NULL;
    cublasStatus_t status = cublasLtMatmulPreferenceCreate(&wish);
    int n = 0;

    if (status == CUBLAS_STATUS_SUCCESS) {
        const struct {
            cublasLtMatmulPreferenceAttributes_t name;
            const void *value;
            size_t n_bytes;
        } wishes[] = {
            {CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
             sizeof workspace},
            {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions,
             sizeof reductions},
            {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &all, sizeof all},
            {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &all, sizeof all},
            {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &all, sizeof all},
            {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &all, sizeof all},
        };

        for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
            cublasLtMatmulPreferenceSetAttribute(
                wish, wishes[i].name, wishes[i].value, wishes[i].n_bytes);
        }
        status =
            cublasLtMatmulAlgoGetHeuristic(c->lt, p->product, p->a, p->b, p->d,
                                           p->d, wish, N_OFFERS, offers, &n);
        cublasLtMatmulPreferenceDestroy(wish);
    }
    cuda__note_product(c,
                       status == CUBLAS_STATUS_SUCCESS && n < 1
                           ? CUBLAS_STATUS_NOT_SUPPORTED
                           : status,
                       "planning a product");
    return n;
}

/* Of 8 bits: how scales are to be read.  Sums are taken as the cores take them
 * fastest, with some 14 bits: over 2,816 that is 1e-3 of a result's length,
 * where e4m3 itself rounds by 4e-2 (tests/gpu/gpu_narrow.c). */
static cublasStatus_t describe_narrow(struct cuda_plan *p, const struct gemm *g)
{
    int8_t is_fast = 1;
    int32_t mode = g->is_even ? CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F
                              : CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
    const struct {
        cublasLtMatmulDescAttributes_t name;
        const void *value;
        size_t n_bytes;
    } all[] = {
        {CUBLASLT_MATMUL_DESC_FAST_ACCUM, &is_fast, sizeof is_fast},
        {CUBLASLT_MATMUL_DESC_A_SCALE_MODE, &mode, sizeof mode},
        {CUBLASLT_MATMUL_DESC_B_SCALE_MODE, &mode, sizeof mode},
        {CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &g->a_scales,
         sizeof g->a_scales},
        {CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &g->b_scales,
         sizeof g->b_scales},
    };
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;

    for (size_t i = 0;
         i < sizeof all / sizeof *all && status == CUBLAS_STATUS_SUCCESS; i++) {
        status = cublasLtMatmulDescSetAttribute(p->product, all[i].name,
                                                all[i].value, all[i].n_bytes);
    }
    return status;
}

static bool plan_make(struct cuda_ops *c, struct cuda_plan *p,
                      const struct gemm *g)
{
    cudaDataType_t all = c->o.type == OPS_F32 ? CUDA_R_32F : CUDA_R_16BF;
    cudaDataType_t in = is_narrow(g->kind) ? CUDA_R_8F_E4M3 : all;
    cudaDataType_t out = g->is_f32_out ? CUDA_R_32F : all;
    cublasOperation_t turned = CUBLAS_OP_T;
    cublasLtMatmulHeuristicResult_t offers[N_OFFERS];
    bool a_turned = /* [k,m] in memory */
        g->kind != GEMM_DX && g->kind != GEMM_DW;
    bool b_turned = g->kind == GEMM_DW; /* [n,k] in memory */
    cublasStatus_t status;
    int n;

    *p = (struct cuda_plan){.kind = g->kind,
                            .m = g->m,
                            .n = g->n,
                            .k = g->k,
                            .ldd = g->ldd,
                            .is_f32_out = g->is_f32_out,
                            .is_even = g->is_even,
                            .alignment = alignment_of(g)};
    status =
        cublasLtMatmulDescCreate(&p->product, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    if (status == CUBLAS_STATUS_SUCCESS && a_turned) {
        status = cublasLtMatmulDescSetAttribute(
            p->product, CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned);
    }
    if (status == CUBLAS_STATUS_SUCCESS && b_turned) {
        status = cublasLtMatmulDescSetAttribute(
            p->product, CUBLASLT_MATMUL_DESC_TRANSB, &turned, sizeof turned);
    }
    if (status == CUBLAS_STATUS_SUCCESS && is_narrow(g->kind)) {
        status = describe_narrow(p, g);
    }
    if (status == CUBLAS_STATUS_SUCCESS) {
        status = cublasLtMatrixLayoutCreate(&p->a, in, a_turned ? g->k : g->m,
                                            a_turned ? g->m : g->k,
                                            (int64_t)(a_turned ? g->k : g->m));
    }
    if (status == CUBLAS_STATUS_SUCCESS) {
        status = cublasLtMatrixLayoutCreate(&p->b, in, b_turned ? g->n : g->k,
                                            b_turned ? g->k : g->n,
                                            (int64_t)(b_turned ? g->n : g->k));
    }
    if (status == CUBLAS_STATUS_SUCCESS) {
        status =
            cublasLtMatrixLayoutCreate(&p->d, out, g->m, g->n, (int64_t)g->ldd);
    }
    cuda__note_product(c, status, "planning a product");
    n = status == CUBLAS_STATUS_SUCCESS ? ask_offers(c, p, g, offers) : 0;
    if (n < 1) {
        plan_free(p);
        return false;
    }
    p->algorithm = offers[0].algo;
    if (!c->is_deterministic && n > 1) {
        choose_fastest(c, p, g, offers, n);
    }
    return true;
}

static struct cuda_plan *plan_find(struct cuda_ops *c, const struct gemm *g)
{
    struct cuda_plan *p;

    for (size_t i = 0; i < c->n_plans; i++) {
        p = &c->plans[i];
        if (p->kind == g->kind && p->m == g->m && p->n == g->n &&
            p->k == g->k && p->ldd == g->ldd &&
            p->is_f32_out == g->is_f32_out && p->is_even == g->is_even &&
            p->alignment == alignment_of(g)) {
            return p;
        }
    }
    if (c->n_plans < CUDA_PLANS) {
        p = &c->plans[c->n_plans];
        if (!plan_make(c, p, g)) {
            return NULL;
        }
        c->n_plans++;
        return p;
    }
    p = &c->plans[c->next_plan];
    plan_free(p);
    if (!plan_make(c, p, g)) {
        /* the last takes the empty place */
        *p = c->plans[--c->n_plans];
        return NULL;
    }
    c->next_plan = (c->next_plan + 1) % CUDA_PLANS;
    return p;
}

static void multiply(struct cuda_ops *c, const struct gemm *g)
{
    const struct cuda_plan *p;

    if (c->has_failed || g->n < 1 || g->m < 1 || g->k < 1) {
        return;
    }
    p = plan_find(c, g);
    if (p) {
        cuda__note_product(c, run(c, p, g, g->d, &p->algorithm), "a product");
    }
}

/* ---- weights --------------------------------------------------------------
 */

/* Weights of 8 bits stay what they are where the table computes in bf16; there
 * must be room to widen the largest of them.  In fp32 they are widened once. */
static void cuda_matrix_changed(struct ops *o, struct ops_matrix *w, bool many)
{
    struct cuda_ops *c = cuda_of(o);
    size_t n_bytes = w->n_out * w->n_in * ops_type_bytes(o->type);

    (void)many;
    if (w->type != OPS_I8) {
        return;
    }
    if (o->type == OPS_F32 && !w->packed) {
        w->packed = o->alloc(o, n_bytes);
    } else if (o->type == OPS_BF16 && n_bytes > c->n_wide) {
        cuda__note(c, cudaStreamSynchronize(c->stream), "holding weights");
        o->free(o, c->wide);
        c->wide = o->alloc(o, n_bytes);
        c->n_wide = c->wide ? n_bytes : 0;
    }
    if (o->type == OPS_F32 ? !w->packed : !c->wide) {
        cuda__note(c, cudaErrorMemoryAllocation, "holding weights");
    } else if (w->packed) {
        cuda__widen(c, w, w->packed);
    }
}

static void cuda_matrix_release(struct ops *o, struct ops_matrix *w)
{
    if (w->packed) {
        o->free(o, w->packed);
        w->packed = NULL;
    }
}

static const void *values_of(const struct ops_matrix *w)
{
    return w->packed ? w->packed : w->values;
}

/* ---- the table's products -------------------------------------------------
 */

static void cuda_linear(struct ops *o, const void *x, size_t n,
                        const struct ops_matrix *w, void *out, size_t stride,
                        enum ops_type out_type)
{
    struct cuda_ops *c = cuda_of(o);
    struct gemm g = {.kind = GEMM_FORWARD,
                     .m = w->n_out,
                     .n = n,
                     .k = w->n_in,
                     .ldd = stride,
                     .is_f32_out = out_type == OPS_F32,
                     .a = values_of(w),
                     .b = x,
                     .d = out};

    if (w->type == OPS_I8 && !w->packed) {
        if (n < 1 || c->has_failed ||
            cuda__multiply_bytes(c, x, n, w, out, stride, g.is_f32_out)) {
            return;
        }
        cuda__widen(c, w, c->wide);
        g.a = c->wide;
    }
    multiply(c, &g);
}

/* A product of another number of rows has another plan, and to make one takes
 * longer than many products: to powers of two and what lies between in four
 * parts. */
static size_t cuda_rows_paid(const struct ops *o, size_t n)
{
    size_t part = 8;

    (void)o;
    while (part * 8 < n) {
        part *= 2;
    }
    return (n + part - 1) / part * part;
}

static void cuda_linear_dx(struct ops *o, const void *dy, size_t n,
                           const struct ops_matrix *w, void *dx)
{
    const struct gemm g = {.kind = GEMM_DX,
                           .m = w->n_in,
                           .n = n,
                           .k = w->n_out,
                           .ldd = w->n_in,
                           .is_f32_out = o->type == OPS_F32,
                           .a = values_of(w),
                           .b = dy,
                           .d = dx};

    multiply(cuda_of(o), &g);
}

static void cuda_linear_dw(struct ops *o, const void *dy, const void *x,
                           size_t n, size_t n_out, size_t n_in, float *dw)
{
    const struct gemm g = {.kind = GEMM_DW,
                           .m = n_in,
                           .n = n_out,
                           .k = n,
                           .ldd = n_in,
                           .is_f32_out = true,
                           .a = x,
                           .b = dy,
                           .d = dw};

    multiply(cuda_of(o), &g);
}

void cuda__stream_linear(struct ops *o, const void *x, size_t n,
                         const struct ops_matrix *w, const void *base,
                         void *out)
{
    const struct gemm g = {.kind = GEMM_ADD,
                           .m = w->n_out,
                           .n = n,
                           .k = w->n_in,
                           .ldd = w->n_out,
                           .is_f32_out = o->type == OPS_F32,
                           .a = values_of(w),
                           .b = x,
                           .base = base,
                           .d = out};

    multiply(cuda_of(o), &g);
}

static void narrow_linear(struct ops *o, const struct ops_narrow *x, size_t n,
                          const struct ops_narrow_matrix *w, const void *base,
                          void *out)
{
    const struct gemm g = {.kind = base ? GEMM_NARROW_ADD : GEMM_NARROW,
                           .m = w->n_out,
                           .n = n,
                           .k = w->n_in,
                           .ldd = w->n_out,
                           .is_f32_out = false,
                           .a = w->values,
                           .b = x->values,
                           .base = base,
                           .d = out,
                           .a_scales = w->scales,
                           .b_scales = x->scales,
                           .is_even = x->is_even};

    multiply(cuda_of(o), &g);
}

static void narrow_linear_dx(struct ops *o, const struct ops_narrow *dy,
                             size_t n, const struct ops_narrow_matrix *w,
                             void *dx)
{
    const struct gemm g = {.kind = GEMM_NARROW,
                           .m = w->n_in,
                           .n = n,
                           .k = w->n_out,
                           .ldd = w->n_in,
                           .is_f32_out = false,
                           .a = w->turned,
                           .b = dy->values,
                           .base = NULL,
                           .d = dx,
                           .a_scales = w->scales,
                           .b_scales = dy->scales,
                           .is_even = dy->is_even};

    multiply(cuda_of(o), &g);
}

void cuda__set_narrow_gemm(struct ops *o)
{
    o->narrow_linear = narrow_linear;
    o->narrow_linear_dx = narrow_linear_dx;
}

void cuda__set_gemm(struct ops *o)
{
    o->matrix_changed = cuda_matrix_changed;
    o->matrix_release = cuda_matrix_release;
    o->linear = cuda_linear;
    o->rows_paid = cuda_rows_paid;
    o->linear_dx = cuda_linear_dx;
    o->linear_dw = cuda_linear_dw;
}
