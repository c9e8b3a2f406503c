/* SPDX-License-Identifier: MIT */
/*
 * ops_cuda_stream.cu -- a residual stream in bf16: embedding, norms and their
 * gradients.  What counts here is bytes: rows are read 16 bytes a thread and
 * once, and a row belongs to one warp.
 *
 * Widths that are a multiple of 256 and in the table below are held in
 * registers, packed; any other width is read again, and has no rows of 8 bits.
 */
#include "cwm/model/ops_cuda.cuh"

enum {
    THREADS = 256,
    WARPS = THREADS / CUDA_WARP,
    STEP = EIGHT * CUDA_WARP, /* channels of a warp */
    N_SMS = 132,
    MAX_STEPS = 4,  /* of a row that is held */
    ANY_BLOCKS = 2, /* of a multiprocessor, for widths that are read again */
};

typedef __nv_bfloat16 bf16;

static __device__ inline void get8(const float *from, float to[EIGHT])
{
    float4 low = get4(from);
    float4 high = get4(from + 4);

    to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w;
    to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
}

/* ---- embedding ------------------------------------------------------------
 */

static __global__ void embed(const uint32_t *ids, const bf16 *table,
                             int n_channels, bf16 *out)
{
    const bf16 *from = table + (size_t)ids[blockIdx.x] * n_channels;
    bf16 *to = out + (size_t)blockIdx.x * n_channels;

    for (int i = threadIdx.x; i < n_channels; i += blockDim.x) {
        to[i] = from[i];
    }
}

static void stream_embed(struct ops *o, const uint32_t *ids, size_t n,
                         const void *table, size_t n_channels, void *out)
{
    struct cuda_ops *c = cuda_of(o);

    embed<<<n, 128, 0, c->stream>>>(ids, (const bf16 *)table, (int)n_channels,
                                    (bf16 *)out);
    cuda__launched(c, "embed");
}

/* ---- norms ----------------------------------------------------------------
 */

struct norm_args {
    const bf16 *x; /* [N,C] */
    int n_rows, n_channels;
    const float *weight; /* [C] */
    float eps;
    bf16 *out;       /* [N,C] */
    float *scales;   /* [N] */
    uint8_t *narrow; /* [N,C], or NULL */
    float *narrow_scale;
};

/* The largest that a norm can come to where the largest of its weights is in
 * some lane: all of a row's length in one channel. */
static __device__ inline float norm_most(float largest, int n_channels)
{
    return warp_max(largest) * sqrtf((float)n_channels);
}

/* V times STEP channels. */
template <int V, bool IS_NARROW>
static __global__ void __launch_bounds__(THREADS) norm(norm_args a)
{
    int lane = threadIdx.x % CUDA_WARP;
    int row = blockIdx.x * WARPS + threadIdx.x / CUDA_WARP;
    size_t at = (size_t)row * a.n_channels + lane * EIGHT;
    eight x[V];
    float squares = 0;
    float scale;
    float most = 0;

    if (row >= a.n_rows) {
        return;
    }
#pragma unroll
    for (int i = 0; i < V; i++) {
        x[i] = get8(a.x + at + i * STEP);
    }
#pragma unroll
    for (int i = 0; IS_NARROW && i < V; i++) {
        float w[EIGHT];

        get8(a.weight + lane * EIGHT + i * STEP, w);
        most = largest8(w, most);
    }
    if (IS_NARROW) {
        most = norm_most(most, a.n_channels);
    }
#pragma unroll
    for (int i = 0; i < V; i++) {
        float v[EIGHT];

        widen(x[i], v);
#pragma unroll
        for (int k = 0; k < EIGHT; k++) {
            squares += v[k] * v[k];
        }
    }
    scale = rsqrtf(warp_sum(squares) / (float)a.n_channels + a.eps);
#pragma unroll
    for (int i = 0; i < V; i++) {
        float v[EIGHT];
        float w[EIGHT];

        widen(x[i], v);
        get8(a.weight + lane * EIGHT + i * STEP, w);
#pragma unroll
        for (int k = 0; k < EIGHT; k++) {
            v[k] *= scale * w[k];
        }
        put8(a.out + at + i * STEP, v);
        if (IS_NARROW) {
            *(uint2 *)(a.narrow + at + i * STEP) = narrow8(v, narrow_by(most));
        }
    }
    if (lane == 0) {
        a.scales[row] = scale;
        if (IS_NARROW && row == 0) {
            *a.narrow_scale = narrow_back(most);
        }
    }
}

static __global__ void __launch_bounds__(THREADS) norm_any(norm_args a)
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
        float v = get(a.x[at + i]);

        squares += v * v;
    }
    scale = rsqrtf(warp_sum(squares) / (float)a.n_channels + a.eps);
    for (int i = lane; i < a.n_channels; i += CUDA_WARP) {
        put(a.out + at + i, get(a.x[at + i]) * (scale * a.weight[i]));
    }
    if (lane == 0) {
        a.scales[row] = scale;
    }
}

static int steps_of(size_t n_channels)
{
    return n_channels % STEP == 0 ? (int)(n_channels / STEP) : 0;
}

template <bool IS_NARROW>
static void launch_norm(struct cuda_ops *c, const norm_args &a)
{
    unsigned blocks = cuda_blocks(a.n_rows, WARPS);
    cudaStream_t s = c->stream;

    switch (steps_of(a.n_channels)) {
    case 1:
        norm<1, IS_NARROW><<<blocks, THREADS, 0, s>>>(a);
        break;
    case 2:
        norm<2, IS_NARROW><<<blocks, THREADS, 0, s>>>(a);
        break;
    case 3:
        norm<3, IS_NARROW><<<blocks, THREADS, 0, s>>>(a);
        break;
    case MAX_STEPS:
        norm<MAX_STEPS, IS_NARROW><<<blocks, THREADS, 0, s>>>(a);
        break;
    default:
        norm_any<<<blocks, THREADS, 0, s>>>(a);
    }
    cuda__launched(c, "norm");
}

static void stream_norm(struct ops *o, const void *x, size_t n,
                        size_t n_channels, const float *weight, float eps,
                        void *out, float *scales)
{
    launch_norm<false>(cuda_of(o),
                       {(const bf16 *)x, (int)n, (int)n_channels, weight, eps,
                        (bf16 *)out, scales, NULL, NULL});
}

static void narrow_norm(struct ops *o, const void *x, size_t n,
                        size_t n_channels, const float *weight, float eps,
                        void *out, float *scales, struct ops_narrow *to)
{
    to->is_even = true;
    launch_norm<true>(cuda_of(o),
                      {(const bf16 *)x, (int)n, (int)n_channels, weight, eps,
                       (bf16 *)out, scales, (uint8_t *)to->values, to->scales});
}

/* ---- norms, backward ------------------------------------------------------
 */

struct norm_back_args {
    const bf16 *dout;    /* [N,C] */
    const bf16 *x;       /* [N,C] */
    const float *scales; /* [N] */
    int n_rows, n_channels;
    const float *weight;  /* [C] */
    bf16 *dx;             /* [N,C] */
    float *partials;      /* [blocks,C] of the weight's gradient */
    uint8_t *narrow;      /* [N,C], or NULL */
    float *narrow_scales; /* [N] */
};

/* A row of a warp in 8 bits, by its largest value. */
template <int V>
static __device__ inline void put_narrow(const norm_back_args &a,
                                         const eight d[V], size_t at, int row)
{
    float largest = 0;
    float ds[EIGHT];

#pragma unroll
    for (int i = 0; i < V; i++) {
        widen(d[i], ds);
        largest = largest8(ds, largest);
    }
    largest = warp_max(largest);
#pragma unroll
    for (int i = 0; i < V; i++) {
        widen(d[i], ds);
        *(uint2 *)(a.narrow + at + i * STEP) = narrow8(ds, narrow_by(largest));
    }
    if (threadIdx.x % CUDA_WARP == 0) {
        a.narrow_scales[row] = narrow_back(largest);
    }
}

/* A warp goes through rows, its part of the weight's gradient in registers;
 * the block's warps add theirs up, in their order.
 * What is read of a row stays packed, so that there is room for the rows of
 * more warps: that many bytes must be on their way. */
template <int V, int BLOCKS, bool IS_NARROW>
static __global__ void __launch_bounds__(THREADS, BLOCKS)
    norm_back(norm_back_args a)
{
    extern __shared__ float parts[]; /* [WARPS,C] */
    int lane = threadIdx.x % CUDA_WARP;
    int warp = threadIdx.x / CUDA_WARP;
    const float *weight = a.weight + lane * EIGHT;
    float dw[V][EIGHT];

#pragma unroll
    for (int i = 0; i < V * EIGHT; i++) {
        dw[i / EIGHT][i % EIGHT] = 0;
    }
    for (int row = blockIdx.x * WARPS + warp; row < a.n_rows;
         row += gridDim.x * WARPS) {
        size_t at = (size_t)row * a.n_channels + lane * EIGHT;
        float scale = a.scales[row];
        eight g[V];
        eight x[V];
        eight d[V];
        float sum = 0;

#pragma unroll
        for (int i = 0; i < V; i++) {
            x[i] = get8(a.x + at + i * STEP);
            g[i] = get8(a.dout + at + i * STEP);
            d[i] = get8(a.dx + at + i * STEP);
        }
#pragma unroll
        for (int i = 0; i < V; i++) {
            float gs[EIGHT];
            float xs[EIGHT];
            float w[EIGHT];

            widen(g[i], gs);
            widen(x[i], xs);
            get8(weight + i * STEP, w);
#pragma unroll
            for (int k = 0; k < EIGHT; k++) {
                float product = gs[k] * (xs[k] * scale);

                dw[i][k] += product;
                sum += product * w[k];
            }
        }
        sum = warp_sum(sum) / (float)a.n_channels * scale;
#pragma unroll
        for (int i = 0; i < V; i++) {
            float gs[EIGHT];
            float xs[EIGHT];
            float ds[EIGHT];
            float w[EIGHT];

            widen(g[i], gs);
            widen(x[i], xs);
            widen(d[i], ds);
            get8(weight + i * STEP, w);
#pragma unroll
            for (int k = 0; k < EIGHT; k++) {
                ds[k] += scale * (gs[k] * w[k] - xs[k] * sum);
            }
            d[i] = pack8(ds);
            *(uint4 *)(a.dx + at + i * STEP) = d[i].bits;
        }
        if (IS_NARROW) {
            put_narrow<V>(a, d, at, row);
        }
    }
#pragma unroll
    for (int i = 0; i < V; i++) {
        float *to = parts + warp * a.n_channels + lane * EIGHT + i * STEP;

        *(float4 *)to = make_float4(dw[i][0], dw[i][1], dw[i][2], dw[i][3]);
        *(float4 *)(to + 4) =
            make_float4(dw[i][4], dw[i][5], dw[i][6], dw[i][7]);
    }
    __syncthreads();
    for (int i = threadIdx.x; i < a.n_channels; i += THREADS) {
        float total = 0;

        for (int w = 0; w < WARPS; w++) {
            total += parts[w * a.n_channels + i];
        }
        a.partials[(size_t)blockIdx.x * a.n_channels + i] = total;
    }
}

/* Any width: a row belongs to a block, the weight's gradient lies in memory. */
static __global__ void __launch_bounds__(THREADS)
    norm_back_any(norm_back_args a)
{
    __shared__ float sums[WARPS];
    float *dw = a.partials + (size_t)blockIdx.x * a.n_channels;

    for (int i = threadIdx.x; i < a.n_channels; i += THREADS) {
        dw[i] = 0;
    }
    for (int row = blockIdx.x; row < a.n_rows; row += gridDim.x) {
        size_t at = (size_t)row * a.n_channels;
        float scale = a.scales[row];
        float sum = 0;

        for (int i = threadIdx.x; i < a.n_channels; i += THREADS) {
            float product = get(a.dout[at + i]) * (get(a.x[at + i]) * scale);

            dw[i] += product;
            sum += product * a.weight[i];
        }
        sum = warp_sum(sum);
        __syncthreads();
        if (threadIdx.x % CUDA_WARP == 0) {
            sums[threadIdx.x / CUDA_WARP] = sum;
        }
        __syncthreads();
        sum = 0;
        for (int w = 0; w < WARPS; w++) {
            sum += sums[w];
        }
        sum = sum / (float)a.n_channels * scale;
        for (int i = threadIdx.x; i < a.n_channels; i += THREADS) {
            float g = get(a.dout[at + i]) * a.weight[i];

            put(a.dx + at + i,
                get(a.dx[at + i]) + scale * (g - get(a.x[at + i]) * sum));
        }
    }
}

/* How many blocks of a multiprocessor a width's registers leave room for. */
template <int V> struct blocks_of {
    enum { N = V == 1 ? 4 : V == 2 ? 3 : 2 };
};

template <int V, bool IS_NARROW>
static void launch_back(struct cuda_ops *c, const norm_back_args &a,
                        float *dweight)
{
    enum { BLOCKS = blocks_of<V>::N };

    norm_back<V, BLOCKS, IS_NARROW>
        <<<N_SMS * BLOCKS, THREADS, WARPS * a.n_channels * sizeof(float),
           c->stream>>>(a);
    cuda__launched(c, "norm_back");
    cuda__add_parts(c, N_SMS * BLOCKS, a.n_channels, dweight);
}

template <bool IS_NARROW>
static void launch_any_back(struct cuda_ops *c, norm_back_args a,
                            float *dweight)
{
    if (!cuda__room_for_parts(c,
                              (size_t)N_SMS * blocks_of<1>::N * a.n_channels)) {
        return;
    }
    a.partials = c->partials;
    switch (steps_of(a.n_channels)) {
    case 1:
        launch_back<1, IS_NARROW>(c, a, dweight);
        break;
    case 2:
        launch_back<2, IS_NARROW>(c, a, dweight);
        break;
    case 3:
        launch_back<3, IS_NARROW>(c, a, dweight);
        break;
    case MAX_STEPS:
        launch_back<MAX_STEPS, IS_NARROW>(c, a, dweight);
        break;
    default:
        norm_back_any<<<N_SMS * ANY_BLOCKS, THREADS, 0, c->stream>>>(a);
        cuda__launched(c, "norm_back");
        cuda__add_parts(c, N_SMS * ANY_BLOCKS, a.n_channels, dweight);
    }
}

static void stream_norm_back(struct ops *o, const void *dout, const void *x,
                             const float *scales, size_t n, size_t n_channels,
                             const float *weight, void *dx, float *dweight)
{
    launch_any_back<false>(cuda_of(o),
                           {(const bf16 *)dout, (const bf16 *)x, scales, (int)n,
                            (int)n_channels, weight, (bf16 *)dx, NULL, NULL,
                            NULL},
                           dweight);
}

static void narrow_norm_back(struct ops *o, const void *dout, const void *x,
                             const float *scales, size_t n, size_t n_channels,
                             const float *weight, void *dx, float *dweight,
                             struct ops_narrow *to)
{
    to->is_even = false;
    launch_any_back<true>(cuda_of(o),
                          {(const bf16 *)dout, (const bf16 *)x, scales, (int)n,
                           (int)n_channels, weight, (bf16 *)dx, NULL,
                           (uint8_t *)to->values, to->scales},
                          dweight);
}

bool cuda__narrow_norm_fits(size_t n_channels)
{
    int steps = steps_of(n_channels);

    return steps > 0 && steps <= MAX_STEPS;
}

void cuda__set_narrow_stream(struct ops *o)
{
    o->narrow_norm = narrow_norm;
    o->narrow_norm_back = narrow_norm_back;
}

void cuda__set_stream(struct ops *o)
{
    o->stream_embed = stream_embed;
    o->stream_norm = stream_norm;
    o->stream_norm_back = stream_norm_back;
    o->stream_linear = cuda__stream_linear;
    o->stream_embed_back = cuda__stream_embed_back;
}
