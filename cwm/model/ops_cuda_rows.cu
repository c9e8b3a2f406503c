/* SPDX-License-Identifier: MIT */
/*
 * ops_cuda_rows.cu -- norms, rotary turns, gates, embeddings on the GPU: what
 * moves bytes and computes little, so that the bytes are what is counted.
 *
 * A norm's row belongs to one warp, in registers where its width is a multiple
 * of 128 that the table of widths below has; any other width is read again.
 */
#include "cwm/model/ops_cuda.cuh"

enum {
    THREADS = 256,
    WARPS = THREADS / CUDA_WARP,
    STEP = 4 * CUDA_WARP,  /* channels that a warp reads at once */
    BACK_BLOCKS = 132 * 2, /* norms backward: two blocks a multiprocessor */
    GRID = 132 * 16,
};

/* ---- types ----------------------------------------------------------------
 */

template <typename A, typename B>
static __global__ void convert(const A *x, size_t n, B *out)
{
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;

    for (; i < n; i += (size_t)gridDim.x * THREADS) {
        put(out + i, get(x[i]));
    }
}

static void cuda_from_f32(struct ops *o, const float *x, size_t n, void *out)
{
    struct cuda_ops *c = cuda_of(o);

    if (o->type == OPS_F32) {
        convert<<<GRID, THREADS, 0, c->stream>>>(x, n, (float *)out);
    } else {
        convert<<<GRID, THREADS, 0, c->stream>>>(x, n, (__nv_bfloat16 *)out);
    }
    cuda__launched(c, "from_f32");
}

static void cuda_to_f32(struct ops *o, const void *x, size_t n, float *out)
{
    struct cuda_ops *c = cuda_of(o);

    if (o->type == OPS_F32) {
        convert<<<GRID, THREADS, 0, c->stream>>>((const float *)x, n, out);
    } else {
        convert<<<GRID, THREADS, 0, c->stream>>>((const __nv_bfloat16 *)x, n,
                                                 out);
    }
    cuda__launched(c, "to_f32");
}

/* ---- embedding ------------------------------------------------------------
 */

template <typename T>
static __global__ void embed(const uint32_t *ids, const T *table,
                             int n_channels, float *out)
{
    const T *from = table + (size_t)ids[blockIdx.x] * n_channels;
    float *to = out + (size_t)blockIdx.x * n_channels;

    for (int i = threadIdx.x; i < n_channels; i += blockDim.x) {
        to[i] = get(from[i]);
    }
}

static void cuda_embed(struct ops *o, const uint32_t *ids, size_t n,
                       const void *table, size_t n_channels, float *out)
{
    struct cuda_ops *c = cuda_of(o);

    if (o->type == OPS_F32) {
        embed<<<n, 128, 0, c->stream>>>(ids, (const float *)table,
                                        (int)n_channels, out);
    } else {
        embed<<<n, 128, 0, c->stream>>>(ids, (const __nv_bfloat16 *)table,
                                        (int)n_channels, out);
    }
    cuda__launched(c, "embed");
}

/* ---- norms ----------------------------------------------------------------
 */

template <typename T> struct norm_args {
    const float *x; /* [N,C] */
    const T *y;     /* [N,C], or NULL */
    int n_rows, n_channels;
    const float *weight; /* [C] */
    float eps;
    float *sum;    /* [N,C] */
    T *out;        /* [N,C] */
    float *scales; /* [N], or NULL */
};

/* V times STEP channels. */
template <typename T, int V>
static __global__ void __launch_bounds__(THREADS) add_norm(norm_args<T> a)
{
    int lane = threadIdx.x % CUDA_WARP;
    int row = blockIdx.x * WARPS + threadIdx.x / CUDA_WARP;
    size_t at = (size_t)row * a.n_channels + lane * 4;
    float4 v[V];
    float squares = 0;
    float scale;

    if (row >= a.n_rows) {
        return;
    }
#pragma unroll
    for (int i = 0; i < V; i++) {
        v[i] = get4(a.x + at + i * STEP);
    }
    if (a.y) {
#pragma unroll
        for (int i = 0; i < V; i++) {
            float4 y = get4(a.y + at + i * STEP);

            v[i].x += y.x, v[i].y += y.y, v[i].z += y.z, v[i].w += y.w;
        }
#pragma unroll
        for (int i = 0; i < V; i++) {
            put4(a.sum + at + i * STEP, v[i]);
        }
    }
#pragma unroll
    for (int i = 0; i < V; i++) {
        squares += v[i].x * v[i].x + v[i].y * v[i].y + v[i].z * v[i].z +
                   v[i].w * v[i].w;
    }
    scale = rsqrtf(warp_sum(squares) / (float)a.n_channels + a.eps);
#pragma unroll
    for (int i = 0; i < V; i++) {
        float4 w = get4(a.weight + lane * 4 + i * STEP);

        put4(a.out + at + i * STEP,
             make_float4(v[i].x * scale * w.x, v[i].y * scale * w.y,
                         v[i].z * scale * w.z, v[i].w * scale * w.w));
    }
    if (a.scales && lane == 0) {
        a.scales[row] = scale;
    }
}

template <typename T>
static __global__ void __launch_bounds__(THREADS) add_norm_any(norm_args<T> a)
{
    int lane = threadIdx.x % CUDA_WARP;
    int row = blockIdx.x * WARPS + threadIdx.x / CUDA_WARP;
    size_t at = (size_t)row * a.n_channels;
    float squares = 0;
    float scale;

    if (row >= a.n_rows) {
        return;
    }
    for (int i = lane; i < a.n_channels; i += CUDA_WARP) {
        float v = a.x[at + i];

        if (a.y) {
            v += get(a.y[at + i]);
            a.sum[at + i] = v;
        }
        squares += v * v;
    }
    scale = rsqrtf(warp_sum(squares) / (float)a.n_channels + a.eps);
    for (int i = lane; i < a.n_channels; i += CUDA_WARP) {
        float v = a.y ? a.sum[at + i] : a.x[at + i];

        put(a.out + at + i, v * scale * a.weight[i]);
    }
    if (a.scales && lane == 0) {
        a.scales[row] = scale;
    }
}

template <typename T>
static void launch_add_norm(struct cuda_ops *c, const norm_args<T> &a)
{
    unsigned n = cuda_blocks(a.n_rows, WARPS);
    cudaStream_t s = c->stream;

    switch (a.n_channels % STEP == 0 ? a.n_channels / STEP : 0) {
    case 1:
        add_norm<T, 1><<<n, THREADS, 0, s>>>(a);
        break;
    case 2:
        add_norm<T, 2><<<n, THREADS, 0, s>>>(a);
        break;
    case 4:
        add_norm<T, 4><<<n, THREADS, 0, s>>>(a);
        break;
    case 6:
        add_norm<T, 6><<<n, THREADS, 0, s>>>(a);
        break;
    case 8:
        add_norm<T, 8><<<n, THREADS, 0, s>>>(a);
        break;
    default:
        add_norm_any<T><<<n, THREADS, 0, s>>>(a);
    }
    cuda__launched(c, "add_norm");
}

static void cuda_add_norm(struct ops *o, const float *x, const void *y,
                          size_t n, size_t n_channels, const float *weight,
                          float eps, float *sum, void *out, float *scales)
{
    if (o->type == OPS_F32) {
        launch_add_norm<float>(cuda_of(o),
                               {x, (const float *)y, (int)n, (int)n_channels,
                                weight, eps, sum, (float *)out, scales});
    } else {
        launch_add_norm<__nv_bfloat16>(
            cuda_of(o), {x, (const __nv_bfloat16 *)y, (int)n, (int)n_channels,
                         weight, eps, sum, (__nv_bfloat16 *)out, scales});
    }
}

/* ---- norms, backward ------------------------------------------------------
 */

template <typename T> struct norm_back_args {
    const T *dout;       /* [N,C] */
    const float *x;      /* [N,C] */
    const float *scales; /* [N] */
    int n_rows, n_channels;
    const float *weight; /* [C] */
    float *dx;           /* [N,C] */
    T *copy;             /* [N,C], or NULL */
    float *partials;     /* [BACK_BLOCKS,C] of the weight's gradient */
};

/* A warp goes through rows, its part of the weight's gradient in registers;
 * the block's warps add theirs up, in their order. */
template <typename T, int V>
static __global__ void __launch_bounds__(THREADS) norm_back(norm_back_args<T> a)
{
    extern __shared__ float4 parts[]; /* [WARPS,C/4] */
    int lane = threadIdx.x % CUDA_WARP;
    int warp = threadIdx.x / CUDA_WARP;
    float4 dw[V];

#pragma unroll
    for (int i = 0; i < V; i++) {
        dw[i] = make_float4(0, 0, 0, 0);
    }
    for (int row = blockIdx.x * WARPS + warp; row < a.n_rows;
         row += gridDim.x * WARPS) {
        size_t at = (size_t)row * a.n_channels + lane * 4;
        float scale = a.scales[row];
        float4 g[V];
        float4 x[V];
        float4 d[V];
        float sum = 0;

#pragma unroll
        for (int i = 0; i < V; i++) {
            x[i] = get4(a.x + at + i * STEP);
            g[i] = get4(a.dout + at + i * STEP);
            d[i] = get4(a.dx + at + i * STEP);
        }
#pragma unroll
        for (int i = 0; i < V; i++) {
            float4 w = get4(a.weight + lane * 4 + i * STEP);

            x[i].x *= scale, x[i].y *= scale, x[i].z *= scale, x[i].w *= scale;
            dw[i].x += g[i].x * x[i].x, dw[i].y += g[i].y * x[i].y;
            dw[i].z += g[i].z * x[i].z, dw[i].w += g[i].w * x[i].w;
            g[i].x *= w.x, g[i].y *= w.y, g[i].z *= w.z, g[i].w *= w.w;
            sum += g[i].x * x[i].x + g[i].y * x[i].y + g[i].z * x[i].z +
                   g[i].w * x[i].w;
        }
        sum = warp_sum(sum) / (float)a.n_channels;
#pragma unroll
        for (int i = 0; i < V; i++) {
            d[i].x += scale * (g[i].x - x[i].x * sum);
            d[i].y += scale * (g[i].y - x[i].y * sum);
            d[i].z += scale * (g[i].z - x[i].z * sum);
            d[i].w += scale * (g[i].w - x[i].w * sum);
            put4(a.dx + at + i * STEP, d[i]);
            if (a.copy) {
                put4(a.copy + at + i * STEP, d[i]);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < V; i++) {
        parts[(warp * V + i) * CUDA_WARP + lane] = dw[i];
    }
    __syncthreads();
    for (int i = threadIdx.x; i < a.n_channels; i += THREADS) {
        float total = 0;

        for (int w = 0; w < WARPS; w++) {
            total += ((float *)parts)[w * a.n_channels + i];
        }
        a.partials[(size_t)blockIdx.x * a.n_channels + i] = total;
    }
}

/* Any width: the weight's gradient in memory, a row of it for each block. */
template <typename T> static __global__ void norm_back_any(norm_back_args<T> a)
{
    __shared__ float shared_sum[WARPS];
    float *dw = a.partials + (size_t)blockIdx.x * a.n_channels;

    for (int i = threadIdx.x; i < a.n_channels; i += THREADS) {
        dw[i] = 0;
    }
    for (int row = blockIdx.x; row < a.n_rows; row += gridDim.x) {
        size_t at = (size_t)row * a.n_channels;
        float scale = a.scales[row];
        float sum = 0;

        for (int i = threadIdx.x; i < a.n_channels; i += THREADS) {
            sum += get(a.dout[at + i]) * a.weight[i] * a.x[at + i] * scale;
        }
        sum = warp_sum(sum);
        __syncthreads();
        if (threadIdx.x % CUDA_WARP == 0) {
            shared_sum[threadIdx.x / CUDA_WARP] = sum;
        }
        __syncthreads();
        sum = 0;
        for (int w = 0; w < WARPS; w++) {
            sum += shared_sum[w];
        }
        sum /= (float)a.n_channels;
        for (int i = threadIdx.x; i < a.n_channels; i += THREADS) {
            float g = get(a.dout[at + i]);
            float x = a.x[at + i] * scale;
            float d = a.dx[at + i] + scale * (g * a.weight[i] - x * sum);

            dw[i] += g * x;
            a.dx[at + i] = d;
            if (a.copy) {
                put(a.copy + at + i, d);
            }
        }
    }
}

/* A block has 32 channels; its warps take parts in turn. */
static __global__ void __launch_bounds__(THREADS)
    add_partials(const float *partials, int n_parts, int n_channels, float *to)
{
    __shared__ float sums[WARPS][CUDA_WARP];
    int lane = threadIdx.x % CUDA_WARP;
    int warp = threadIdx.x / CUDA_WARP;
    int i = blockIdx.x * CUDA_WARP + lane;
    float sum = 0;

    for (int p = warp; i < n_channels && p < n_parts; p += WARPS) {
        sum += partials[(size_t)p * n_channels + i];
    }
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp == 0 && i < n_channels) {
        for (int w = 1; w < WARPS; w++) {
            sum += sums[w][lane];
        }
        to[i] += sum;
    }
}

/* Taken once, by the first step. */
bool cuda__room_for_parts(struct cuda_ops *c, size_t n)
{
    if (c->n_partials < n) {
        cuda__note(c, cudaFree(c->partials), "norm_back");
        c->partials = NULL;
        c->n_partials = 0;
        cuda__note(c, cudaMalloc(&c->partials, n * sizeof *c->partials),
                   "norm_back");
        c->n_partials = c->partials ? n : 0;
    }
    return c->n_partials >= n;
}

void cuda__add_parts(struct cuda_ops *c, int n_parts, int n_channels, float *to)
{
    add_partials<<<cuda_blocks(n_channels, CUDA_WARP), THREADS, 0, c->stream>>>(
        c->partials, n_parts, n_channels, to);
    cuda__launched(c, "norm_back");
}

template <typename T>
static void launch_norm_back(struct cuda_ops *c, const norm_back_args<T> &a,
                             float *dweight)
{
    size_t shared = (size_t)WARPS * a.n_channels * sizeof(float);
    cudaStream_t s = c->stream;
    int n = BACK_BLOCKS;

    switch (a.n_channels % STEP == 0 ? a.n_channels / STEP : 0) {
    case 1:
        norm_back<T, 1><<<n, THREADS, shared, s>>>(a);
        break;
    case 2:
        norm_back<T, 2><<<n, THREADS, shared, s>>>(a);
        break;
    case 4:
        norm_back<T, 4><<<n, THREADS, shared, s>>>(a);
        break;
    case 6:
        norm_back<T, 6><<<n, THREADS, shared, s>>>(a);
        break;
    case 8:
        norm_back<T, 8><<<n, THREADS, shared, s>>>(a);
        break;
    default:
        norm_back_any<T><<<n, THREADS, 0, s>>>(a);
    }
    cuda__launched(c, "norm_back");
    cuda__add_parts(c, n, a.n_channels, dweight);
}

static void cuda_norm_back(struct ops *o, const void *dout, const float *x,
                           const float *scales, size_t n, size_t n_channels,
                           const float *weight, float *dx, float *dweight,
                           void *copy)
{
    struct cuda_ops *c = cuda_of(o);

    if (!cuda__room_for_parts(c, BACK_BLOCKS * n_channels)) {
        return;
    }
    if (o->type == OPS_F32) {
        launch_norm_back<float>(c,
                                {(const float *)dout, x, scales, (int)n,
                                 (int)n_channels, weight, dx, (float *)copy,
                                 c->partials},
                                dweight);
    } else {
        launch_norm_back<__nv_bfloat16>(c,
                                        {(const __nv_bfloat16 *)dout, x, scales,
                                         (int)n, (int)n_channels, weight, dx,
                                         (__nv_bfloat16 *)copy, c->partials},
                                        dweight);
    }
}

/* ---- rotary positions -----------------------------------------------------
 */

static __global__ void rope_turns(const uint32_t *positions, size_t n,
                                  const float *freqs, int half, float *turns)
{
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n * half) {
        size_t t = i / half;
        int k = (int)(i % half);
        float angle = (float)positions[t] * freqs[k];

        turns[t * 2 * half + k] = cosf(angle);
        turns[(t * 2 + 1) * half + k] = sinf(angle);
    }
}

static void cuda_rope_turns(struct ops *o, const uint32_t *positions, size_t n,
                            const float *freqs, size_t d_head, float *turns)
{
    struct cuda_ops *c = cuda_of(o);

    rope_turns<<<cuda_blocks(n * d_head / 2, THREADS), THREADS, 0, c->stream>>>(
        positions, n, freqs, (int)d_head / 2, turns);
    cuda__launched(c, "rope_turns");
}

/* W neighbouring pairs a thread: 4 where D allows it, else 1. */
template <typename T, int W>
static __global__ void rope(T *qkv, size_t n_units, int n_turned, int n_row,
                            int half, const float *turns, float sign)
{
    size_t u = (size_t)blockIdx.x * THREADS + threadIdx.x;
    int each = half / W;
    size_t t = u / ((size_t)n_turned * each);
    int head = (int)(u / each % n_turned);
    int i = (int)(u % each) * W;
    T *at = qkv + (t * n_row + head) * 2 * half + i;
    const float *turn = turns + t * 2 * half + i;

    if (u >= n_units) {
        return;
    }
    if (W == 4) {
        float4 c = get4(turn);
        float4 s = get4(turn + half);
        float4 a = get4(at);
        float4 b = get4(at + half);

        s.x *= sign, s.y *= sign, s.z *= sign, s.w *= sign;
        put4(at, make_float4(a.x * c.x - b.x * s.x, a.y * c.y - b.y * s.y,
                             a.z * c.z - b.z * s.z, a.w * c.w - b.w * s.w));
        put4(at + half,
             make_float4(b.x * c.x + a.x * s.x, b.y * c.y + a.y * s.y,
                         b.z * c.z + a.z * s.z, b.w * c.w + a.w * s.w));
    } else {
        float c = turn[0];
        float s = turn[half] * sign;
        float a = get(at[0]);
        float b = get(at[half]);

        put(at, a * c - b * s);
        put(at + half, b * c + a * s);
    }
}

template <typename T>
static void launch_rope(struct cuda_ops *c, T *qkv, size_t n,
                        const struct ops_heads *h, const float *turns,
                        bool back)
{
    int n_turned = (int)(h->n_heads + h->n_kv_heads);
    int n_row = n_turned + (int)h->n_kv_heads;
    int half = (int)h->d_head / 2;
    size_t n_pairs = n * n_turned * half;
    float sign = back ? -1.0f : 1.0f;

    if (half % 4 == 0) {
        rope<T, 4>
            <<<cuda_blocks(n_pairs / 4, THREADS), THREADS, 0, c->stream>>>(
                qkv, n_pairs / 4, n_turned, n_row, half, turns, sign);
    } else {
        rope<T, 1><<<cuda_blocks(n_pairs, THREADS), THREADS, 0, c->stream>>>(
            qkv, n_pairs, n_turned, n_row, half, turns, sign);
    }
    cuda__launched(c, "rope");
}

void cuda__turn_heads(struct cuda_ops *c, __nv_bfloat16 *qkv, size_t n_tokens,
                      const struct ops_heads *h, const float *turns, int first,
                      int n)
{
    int n_row = (int)(h->n_heads + 2 * h->n_kv_heads);
    int half = (int)h->d_head / 2;
    size_t n_units = n_tokens * n * half / 4;

    rope<__nv_bfloat16, 4>
        <<<cuda_blocks(n_units, THREADS), THREADS, 0, c->stream>>>(
            qkv + (size_t)first * h->d_head, n_units, n, n_row, half, turns,
            1.0f);
    cuda__launched(c, "rope");
}

static void cuda_rope(struct ops *o, void *qkv, size_t n,
                      const struct ops_heads *h, const float *turns, bool back)
{
    if (o->type == OPS_F32) {
        launch_rope(cuda_of(o), (float *)qkv, n, h, turns, back);
    } else {
        launch_rope(cuda_of(o), (__nv_bfloat16 *)qkv, n, h, turns, back);
    }
}

/* ---- gates ----------------------------------------------------------------
 */

template <typename T>
static __global__ void swiglu(const T *gate_up, size_t n, int n_ffn, T *out)
{
    size_t i = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 4;
    size_t t = i / n_ffn;
    const T *gate = gate_up + t * n_ffn + i;

    if (i + 4 <= n && n_ffn % 4 == 0) {
        float4 g = get4(gate);
        float4 u = get4(gate + n_ffn);

        put4(out + i, make_float4(gated(g.x, u.x), gated(g.y, u.y),
                                  gated(g.z, u.z), gated(g.w, u.w)));
        return;
    }
    for (size_t end = i + 4; i < end && i < n; i++) {
        gate = gate_up + i / n_ffn * n_ffn + i;
        put(out + i, gated(get(gate[0]), get(gate[n_ffn])));
    }
}

/* The same in bf16, 16 bytes a thread; n_ffn is a multiple of 8. */
static __global__ void swiglu_eight(const __nv_bfloat16 *gate_up, size_t n,
                                    int n_ffn, __nv_bfloat16 *out)
{
    size_t i = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 8;
    const __nv_bfloat16 *from = gate_up + i / n_ffn * n_ffn + i;
    uint32_t to[4];

    if (i >= n) {
        return;
    }
    uint4 g = *(const uint4 *)from;
    uint4 u = *(const uint4 *)(from + n_ffn);
    const uint32_t gates[] = {g.x, g.y, g.z, g.w};
    const uint32_t ups[] = {u.x, u.y, u.z, u.w};

#pragma unroll
    for (int k = 0; k < 4; k++) {
        to[k] = pack2(gated(__uint_as_float(gates[k] << 16),
                            __uint_as_float(ups[k] << 16)),
                      gated(__uint_as_float(gates[k] & 0xFFFF0000u),
                            __uint_as_float(ups[k] & 0xFFFF0000u)));
    }
    *(uint4 *)(out + i) = make_uint4(to[0], to[1], to[2], to[3]);
}

static void cuda_swiglu(struct ops *o, const void *gate_up, size_t n,
                        size_t n_ffn, void *out)
{
    struct cuda_ops *c = cuda_of(o);
    unsigned blocks = cuda_blocks(n * n_ffn, (size_t)THREADS * 4);

    if (o->type == OPS_BF16 && n_ffn % 8 == 0) {
        swiglu_eight<<<cuda_blocks(n * n_ffn, (size_t)THREADS * 8), THREADS, 0,
                       c->stream>>>((const __nv_bfloat16 *)gate_up, n * n_ffn,
                                    (int)n_ffn, (__nv_bfloat16 *)out);
    } else if (o->type == OPS_F32) {
        swiglu<<<blocks, THREADS, 0, c->stream>>>(
            (const float *)gate_up, n * n_ffn, (int)n_ffn, (float *)out);
    } else {
        swiglu<<<blocks, THREADS, 0, c->stream>>>(
            (const __nv_bfloat16 *)gate_up, n * n_ffn, (int)n_ffn,
            (__nv_bfloat16 *)out);
    }
    cuda__launched(c, "swiglu");
}

template <typename T>
static __global__ void swiglu_back(const T *dout, const T *gate_up, size_t n,
                                   int n_ffn, T *dgate_up)
{
    size_t i = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 4;
    size_t at = i / n_ffn * n_ffn + i;

    if (i + 4 <= n && n_ffn % 4 == 0) {
        float4 d = get4(dout + i);
        float4 g = get4(gate_up + at);
        float4 u = get4(gate_up + at + n_ffn);
        float4 dg;
        float4 du;

        gate_back(d.x, g.x, u.x, &dg.x, &du.x);
        gate_back(d.y, g.y, u.y, &dg.y, &du.y);
        gate_back(d.z, g.z, u.z, &dg.z, &du.z);
        gate_back(d.w, g.w, u.w, &dg.w, &du.w);
        put4(dgate_up + at, dg);
        put4(dgate_up + at + n_ffn, du);
        return;
    }
    for (size_t end = i + 4; i < end && i < n; i++) {
        float dg;
        float du;

        at = i / n_ffn * n_ffn + i;
        gate_back(get(dout[i]), get(gate_up[at]), get(gate_up[at + n_ffn]), &dg,
                  &du);
        put(dgate_up + at, dg);
        put(dgate_up + at + n_ffn, du);
    }
}

static void cuda_swiglu_back(struct ops *o, const void *dout,
                             const void *gate_up, size_t n, size_t n_ffn,
                             void *dgate_up)
{
    struct cuda_ops *c = cuda_of(o);
    unsigned blocks = cuda_blocks(n * n_ffn, (size_t)THREADS * 4);

    if (o->type == OPS_F32) {
        swiglu_back<<<blocks, THREADS, 0, c->stream>>>(
            (const float *)dout, (const float *)gate_up, n * n_ffn, (int)n_ffn,
            (float *)dgate_up);
    } else {
        swiglu_back<<<blocks, THREADS, 0, c->stream>>>(
            (const __nv_bfloat16 *)dout, (const __nv_bfloat16 *)gate_up,
            n * n_ffn, (int)n_ffn, (__nv_bfloat16 *)dgate_up);
    }
    cuda__launched(c, "swiglu_back");
}

void cuda__set_rows(struct ops *o)
{
    o->from_f32 = cuda_from_f32;
    o->to_f32 = cuda_to_f32;
    o->embed = cuda_embed;
    o->add_norm = cuda_add_norm;
    o->norm_back = cuda_norm_back;
    o->rope_turns = cuda_rope_turns;
    o->rope = cuda_rope;
    o->swiglu = cuda_swiglu;
    o->swiglu_back = cuda_swiglu_back;
}
