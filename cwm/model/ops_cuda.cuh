/* SPDX-License-Identifier: MIT */
/*
 * ops_cuda.cuh -- what the files of the GPU's table share.
 *
 * All work goes to one stream, in the order of the calls; only read(),
 * check() and sum_squares() wait for it.  Every kernel gives the same bits
 * whenever it runs on the same numbers: no sum depends on the order in which
 * blocks end.  Products come from cuBLASLt by algorithms without atomics; of
 * these the fastest is found by trying (then two runs may differ in their last
 * bits), or, where the table is made deterministic, the first is taken.
 *
 * Letters as in ops.h.
 */
#ifndef CWM_MODEL_OPS_CUDA_CUH
#define CWM_MODEL_OPS_CUDA_CUH

extern "C" {
#include "cwm/base/alloc.h"
#include "cwm/base/err.h"
#include "cwm/model/gpu_check.h"
#include "cwm/model/ops_cuda.h"
}

#include <cublasLt.h>
#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

enum { CUDA_WARP = 32, CUDA_PLANS = 256 };

/* A product that was asked for before, and the algorithm for it. */
struct cuda_plan {
    int kind; /* enum gemm_kind */
    size_t m, n, k, ldd;
    bool is_f32_out;
    bool is_even;                   /* of 8 bits: one scale for all rows */
    uint32_t alignment;             /* bytes */
    cublasLtMatmulDesc_t product;   /* owned */
    cublasLtMatrixLayout_t a, b, d; /* owned */
    cublasLtMatmulAlgo_t algorithm;
};

struct cuda_ops {
    struct ops o; /* first: the table is this */
    bool is_deterministic;
    cudaStream_t stream;   /* owned */
    cublasLtHandle_t lt;   /* owned */
    void *workspace;       /* owned; of products */
    double *sums;          /* owned; partial sums and their total */
    void *staging;         /* owned; pinned memory of the host, two halves */
    cudaEvent_t staged[2]; /* owned; a half's copies are done */
    int staging_half;
    size_t n_staged; /* bytes of the half that are taken */
    float *partials; /* owned; of norms' weights, grows */
    size_t n_partials;
    int *firsts; /* owned; first keys of the attention's tokens, grows */
    size_t n_firsts;
    float *numbers; /* owned; of the attention's queries, grows */
    size_t n_numbers;
    void *describe_tiles; /* the driver's cuTensorMapEncodeTiled() */
    long long *fixed;     /* owned; of the embedding's gradient, grows */
    size_t n_fixed;
    void *wide;    /* owned; a matrix of 8 bits in bf16; grows with weights */
    size_t n_wide; /* bytes */
    void *fetches; /* owned; pinned, of fetch(): two slots */
    cudaEvent_t are_there[2]; /* owned; a slot's copy is done */
    bool has_failed;          /* what went wrong first */
    enum cwm_rc code;
    char message[256];
    cudaGraphExec_t graph; /* owned; of record_end(), or NULL */
    struct cuda_plan plans[CUDA_PLANS];
    size_t n_plans;
    size_t next_plan; /* the one to give up when all are taken */
};

static inline struct cuda_ops *cuda_of(struct ops *o)
{
    return (struct cuda_ops *)o;
}

/* ops_cuda.cu: keep what went wrong, if it is the first. */
void cuda__note(struct cuda_ops *c, cudaError_t error, const char *what);
void cuda__note_product(struct cuda_ops *c, cublasStatus_t status,
                        const char *what);
/* After a launch. */
static inline void cuda__launched(struct cuda_ops *c, const char *what)
{
    cuda__note(c, cudaGetLastError(), what);
}

/* Each file fills in its part of the table. */
void cuda__set_gemm(struct ops *o);
void cuda__set_rows(struct ops *o);
void cuda__set_loss(struct ops *o);
void cuda__set_stream(struct ops *o); /* of a table in bf16 */
void cuda__set_narrow(struct ops *o); /* of a table in bf16, for 8 bits */
void cuda__set_attention(struct ops *o);
void cuda__set_cache(struct ops *o);
void cuda__free_plans(struct cuda_ops *c);

/* ops_cuda_gemm.cu, ops_cuda_stream.cu: their parts of 8 bits. */
void cuda__set_narrow_gemm(struct ops *o);
void cuda__set_narrow_stream(struct ops *o);
bool cuda__narrow_norm_fits(size_t n_channels);

/* ops_cuda_bytes.cu: a matrix of OPS_I8 in the table's type, at `out`. */
void cuda__widen(struct cuda_ops *c, const struct ops_matrix *w, void *out);
/* linear() of such a matrix, in bf16; false: it is not done, for so many rows
 * or of that shape. */
bool cuda__multiply_bytes(struct cuda_ops *c, const void *x, size_t n,
                          const struct ops_matrix *w, void *out, size_t stride,
                          bool is_f32_out);

/* ops_cuda_rows.cu: room for parts of norms' gradients, c->partials; and to
 * [C] add the rows of that. */
bool cuda__room_for_parts(struct cuda_ops *c, size_t n);
void cuda__add_parts(struct cuda_ops *c, int n_parts, int n_channels,
                     float *to);

/* Those of stream_*() that are made where their likes are. */
void cuda__stream_linear(struct ops *o, const void *x, size_t n,
                         const struct ops_matrix *w, const void *base,
                         void *out);
void cuda__stream_embed_back(struct ops *o, const uint32_t *ids, size_t n,
                             const void *dx, size_t n_words, size_t n_channels,
                             float *dtable);

/* ---- the fast attention: bf16, D = 64 -------------------------------------
 */

struct cuda_attention {
    const __nv_bfloat16 *qkv; /* [N,H+2G,D] */
    const int *firsts;        /* [N]: the first key that a token sees */
    int n_tokens, n_heads, n_kv_heads;
    float scale; /* 1 / sqrt(D) */
};

/* ops_cuda_rows.cu: heads first .. first + n - 1 of qkv, forward. */
void cuda__turn_heads(struct cuda_ops *c, __nv_bfloat16 *qkv, size_t n_tokens,
                      const struct ops_heads *h, const float *turns, int first,
                      int n);
/* Turns the queries in place first, where turns [N,D] are not NULL. */
void cuda__flash(struct cuda_ops *c, const struct cuda_attention *a,
                 const float *turns, __nv_bfloat16 *out, float *lse);
void cuda__flash_back(struct cuda_ops *c, const struct cuda_attention *a,
                      const __nv_bfloat16 *dout, const __nv_bfloat16 *out,
                      const float *lse, const float *turns,
                      __nv_bfloat16 *dqkv);

/* ---- numbers of either type -----------------------------------------------
 */

static __device__ inline float get(float x)
{
    return x;
}

static __device__ inline float get(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}

static __device__ inline void put(float *to, float value)
{
    *to = value;
}

static __device__ inline void put(__nv_bfloat16 *to, float value)
{
    *to = __float2bfloat16_rn(value);
}

/* Four neighbours at once; aligned to their size. */
static __device__ inline float4 get4(const float *from)
{
    return *(const float4 *)from;
}

static __device__ inline float4 get4(const __nv_bfloat16 *from)
{
    uint2 bits = *(const uint2 *)from;

    return make_float4(
        __uint_as_float(bits.x << 16), __uint_as_float(bits.x & 0xFFFF0000u),
        __uint_as_float(bits.y << 16), __uint_as_float(bits.y & 0xFFFF0000u));
}

static __device__ inline void put4(float *to, float4 v)
{
    *(float4 *)to = v;
}

static __device__ inline uint32_t pack2(float a, float b)
{
    __nv_bfloat162 both = __floats2bfloat162_rn(a, b);

    return *(uint32_t *)&both;
}

static __device__ inline void put4(__nv_bfloat16 *to, float4 v)
{
    *(uint2 *)to = make_uint2(pack2(v.x, v.y), pack2(v.z, v.w));
}

/* Of all lanes, to all lanes. */
static __device__ inline float warp_sum(float x)
{
    for (int i = CUDA_WARP / 2; i > 0; i /= 2) {
        x += __shfl_xor_sync(0xFFFFFFFFu, x, i);
    }
    return x;
}

static __device__ inline float warp_max(float x)
{
    for (int i = CUDA_WARP / 2; i > 0; i /= 2) {
        x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, i));
    }
    return x;
}

/* ---- gates ----------------------------------------------------------------
 */

static __device__ inline float gated(float gate, float up)
{
    return gate / (1.0f + __expf(-gate)) * up;
}

static __device__ inline void gate_back(float dy, float gate, float up,
                                        float *dgate, float *dup)
{
    float s = 1.0f / (1.0f + __expf(-gate));

    *dgate = dy * up * s * (1.0f + gate * (1.0f - s));
    *dup = dy * gate * s;
}

/* ---- eight neighbours in bf16, as they lie in memory ----------------------
 */

enum { EIGHT = 8 };

struct eight {
    uint4 bits;
};

static __device__ inline eight get8(const __nv_bfloat16 *from)
{
    return {*(const uint4 *)from};
}

static __device__ inline void widen(const eight &e, float to[EIGHT])
{
    const uint32_t words[4] = {e.bits.x, e.bits.y, e.bits.z, e.bits.w};

#pragma unroll
    for (int i = 0; i < 4; i++) {
        to[2 * i] = __uint_as_float(words[i] << 16);
        to[2 * i + 1] = __uint_as_float(words[i] & 0xFFFF0000u);
    }
}

static __device__ inline eight pack8(const float v[EIGHT])
{
    return {make_uint4(pack2(v[0], v[1]), pack2(v[2], v[3]), pack2(v[4], v[5]),
                       pack2(v[6], v[7]))};
}

static __device__ inline void put8(__nv_bfloat16 *to, const float v[EIGHT])
{
    *(uint4 *)to = pack8(v).bits;
}

/* ---- eight neighbours in e4m3 ---------------------------------------------
 */

/* The largest number of that type. */
static const float narrow_most = 448.0f;

/* What is too large becomes the largest, what is no number none. */
static __device__ inline uint2 narrow8(const float v[EIGHT], float by)
{
    uint32_t words[4];

#pragma unroll
    for (int i = 0; i < 4; i++) {
        words[i] = __nv_cvt_float2_to_fp8x2(
            make_float2(v[2 * i] * by, v[2 * i + 1] * by), __NV_SATFINITE,
            __NV_E4M3);
    }
    return make_uint2(words[0] | words[1] << 16, words[2] | words[3] << 16);
}

static __device__ inline float largest8(const float v[EIGHT], float largest)
{
#pragma unroll
    for (int i = 0; i < EIGHT; i++) {
        largest = fmaxf(largest, fabsf(v[i]));
    }
    return largest;
}

/* By what a row is multiplied whose largest value this is; a row of nothing by
 * anything. */
static __device__ inline float narrow_by(float largest)
{
    return largest > 0 ? narrow_most / largest : 1.0f;
}

static __device__ inline float narrow_back(float largest)
{
    return largest > 0 ? largest / narrow_most : 1.0f;
}

/* The first key that token t sees. */
static __device__ inline int first_key(const uint32_t *starts, int window,
                                       int t)
{
    int first = starts ? (int)starts[t] : 0;

    return window > 0 && t + 1 > first + window ? t + 1 - window : first;
}

static inline unsigned cuda_blocks(size_t n, size_t each)
{
    return (unsigned)((n + each - 1) / each);
}

#endif /* CWM_MODEL_OPS_CUDA_CUH */
