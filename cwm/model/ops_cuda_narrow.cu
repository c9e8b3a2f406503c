/* SPDX-License-Identifier: MIT */
/*
 * ops_cuda_narrow.cu -- rows and weights in 8 bits (e4m3) for the products of a
 * model that learns: gates and their gradients, matrices; norms are in
 * ops_cuda_stream.cu, products in ops_cuda_gemm.cu.
 *
 * Everything is scaled by what it is itself, nothing by what came before: so a
 * run that goes on needs no more than the weights.  A row of gates belongs to a
 * block, whose threads hold eight values each until the row's largest is known.
 */
#include "cwm/model/ops_cuda.cuh"

enum {
    THREADS = 256,
    MAX_WARPS = 32,
    MAX_FFN = MAX_WARPS * CUDA_WARP * EIGHT,
    PARTS = 128,          /* of a matrix whose largest value is looked for */
    TILE = 64,            /* rows and columns that are turned at once */
    PIECE = 16,           /* of a row of it, in a thread */
    PITCH = TILE + PIECE, /* between turned rows, against bank conflicts */
};

typedef __nv_bfloat16 bf16;

/* ---- gates ----------------------------------------------------------------
 */

/* Of all threads, to all of them. */
static __device__ inline float block_largest(float x)
{
    __shared__ float parts[MAX_WARPS];
    int lane = threadIdx.x % CUDA_WARP;

    x = warp_max(x);
    if (lane == 0) {
        parts[threadIdx.x / CUDA_WARP] = x;
    }
    __syncthreads();
    return warp_max(lane < (int)blockDim.x / CUDA_WARP ? parts[lane] : 0);
}

static __global__ void swiglu(const bf16 *gate_up, int n_ffn, bf16 *out,
                              uint8_t *narrow, float *scales)
{
    int i = threadIdx.x * EIGHT;
    size_t at = (size_t)blockIdx.x * n_ffn + i;
    bool is_ours = i < n_ffn;
    float v[EIGHT];
    float largest = 0;

    if (is_ours) {
        const bf16 *from = gate_up + (size_t)blockIdx.x * n_ffn + at;
        eight gates = get8(from);
        eight ups = get8(from + n_ffn);
        float g[EIGHT];
        float u[EIGHT];

        widen(gates, g);
        widen(ups, u);
#pragma unroll
        for (int k = 0; k < EIGHT; k++) {
            v[k] = gated(g[k], u[k]);
        }
        put8(out + at, v);
        largest = largest8(v, 0);
    }
    largest = block_largest(largest);
    if (is_ours) {
        *(uint2 *)(narrow + at) = narrow8(v, narrow_by(largest));
    }
    if (threadIdx.x == 0) {
        scales[blockIdx.x] = narrow_back(largest);
    }
}

static __global__ void swiglu_back(const bf16 *dout, const bf16 *gate_up,
                                   int n_ffn, bf16 *dgate_up, uint8_t *narrow,
                                   float *scales)
{
    int i = threadIdx.x * EIGHT;
    size_t at = (size_t)blockIdx.x * n_ffn * 2 + i;
    bool is_ours = i < n_ffn;
    float dg[EIGHT];
    float du[EIGHT];
    float largest = 0;

    if (is_ours) {
        eight gates = get8(gate_up + at);
        eight ups = get8(gate_up + at + n_ffn);
        eight douts = get8(dout + (size_t)blockIdx.x * n_ffn + i);
        float g[EIGHT];
        float u[EIGHT];
        float d[EIGHT];

        widen(gates, g);
        widen(ups, u);
        widen(douts, d);
#pragma unroll
        for (int k = 0; k < EIGHT; k++) {
            gate_back(d[k], g[k], u[k], &dg[k], &du[k]);
        }
        put8(dgate_up + at, dg);
        put8(dgate_up + at + n_ffn, du);
        largest = largest8(du, largest8(dg, 0));
    }
    largest = block_largest(largest);
    if (is_ours) {
        float by = narrow_by(largest);

        *(uint2 *)(narrow + at) = narrow8(dg, by);
        *(uint2 *)(narrow + at + n_ffn) = narrow8(du, by);
    }
    if (threadIdx.x == 0) {
        scales[blockIdx.x] = narrow_back(largest);
    }
}

/* Threads of a row. */
static unsigned threads_for(size_t n_ffn)
{
    return cuda_blocks(n_ffn, EIGHT * CUDA_WARP) * CUDA_WARP;
}

static void narrow_swiglu(struct ops *o, const void *gate_up, size_t n,
                          size_t n_ffn, void *out, struct ops_narrow *to)
{
    struct cuda_ops *c = cuda_of(o);

    to->is_even = false;
    swiglu<<<n, threads_for(n_ffn), 0, c->stream>>>(
        (const bf16 *)gate_up, (int)n_ffn, (bf16 *)out, (uint8_t *)to->values,
        to->scales);
    cuda__launched(c, "swiglu");
}

static void narrow_swiglu_back(struct ops *o, const void *dout,
                               const void *gate_up, size_t n, size_t n_ffn,
                               void *dgate_up, struct ops_narrow *to)
{
    struct cuda_ops *c = cuda_of(o);

    to->is_even = false;
    swiglu_back<<<n, threads_for(n_ffn), 0, c->stream>>>(
        (const bf16 *)dout, (const bf16 *)gate_up, (int)n_ffn, (bf16 *)dgate_up,
        (uint8_t *)to->values, to->scales);
    cuda__launched(c, "swiglu_back");
}

/* ---- matrices -------------------------------------------------------------
 */

/* The largest of each of PARTS parts; n is a multiple of EIGHT. */
static __global__ void __launch_bounds__(THREADS)
    find_largest(const bf16 *values, size_t n, float *parts)
{
    size_t i = ((size_t)blockIdx.x * THREADS + threadIdx.x) * EIGHT;
    float largest = 0;

    for (; i < n; i += (size_t)PARTS * THREADS * EIGHT) {
        float v[EIGHT];

        widen(get8(values + i), v);
        largest = largest8(v, largest);
    }
    largest = block_largest(largest);
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = largest;
    }
}

/* Both sizes are multiples of PIECE. */
static __global__ void __launch_bounds__(THREADS)
    narrow_tiles(const bf16 *values, struct ops_narrow_matrix to,
                 const float *parts)
{
    __shared__ __align__(16) uint8_t turned[TILE * PITCH];
    int row = (int)threadIdx.x / (TILE / PIECE);
    int column = (int)threadIdx.x % (TILE / PIECE) * PIECE;
    size_t rows = (size_t)blockIdx.y * TILE;
    size_t columns = (size_t)blockIdx.x * TILE;
    size_t n_all = max(to.n_out, to.n_in);
    size_t i = ((size_t)blockIdx.y * gridDim.x + blockIdx.x) * THREADS;
    float largest = 0;

    for (int p = threadIdx.x % CUDA_WARP; p < PARTS; p += CUDA_WARP) {
        largest = fmaxf(largest, parts[p]);
    }
    largest = warp_max(largest);
    for (i += threadIdx.x; i < n_all;
         i += (size_t)gridDim.x * gridDim.y * THREADS) {
        to.scales[i] = narrow_back(largest);
    }
    if (rows + row < to.n_out && columns + column < to.n_in) {
        size_t at = (rows + row) * to.n_in + columns + column;
        float v[2][EIGHT];
        uint2 bytes[2];

        for (int half = 0; half < 2; half++) {
            widen(get8(values + at + half * EIGHT), v[half]);
            bytes[half] = narrow8(v[half], narrow_by(largest));
        }
        *(uint4 *)((uint8_t *)to.values + at) =
            make_uint4(bytes[0].x, bytes[0].y, bytes[1].x, bytes[1].y);
#pragma unroll
        for (int k = 0; k < PIECE; k++) {
            uint32_t word =
                k % EIGHT < 4 ? bytes[k / EIGHT].x : bytes[k / EIGHT].y;

            turned[(column + k) * PITCH + row] = (uint8_t)(word >> k % 4 * 8);
        }
    }
    __syncthreads();
    /* now by columns: `row` is one, `column` are rows */
    if (columns + row < to.n_in && rows + column < to.n_out) {
        *(uint4 *)((uint8_t *)to.turned + (columns + row) * to.n_out + rows +
                   column) = *(const uint4 *)(turned + row * PITCH + column);
    }
}

static void narrow_matrix(struct ops *o, const struct ops_matrix *w,
                          const struct ops_narrow_matrix *to)
{
    struct cuda_ops *c = cuda_of(o);
    const bf16 *values = (const bf16 *)w->values;

    if (!cuda__room_for_parts(c, PARTS)) {
        return;
    }
    find_largest<<<PARTS, THREADS, 0, c->stream>>>(values, w->n_out * w->n_in,
                                                   c->partials);
    narrow_tiles<<<dim3(cuda_blocks(w->n_in, TILE),
                        cuda_blocks(w->n_out, TILE)),
                   THREADS, 0, c->stream>>>(values, *to, c->partials);
    cuda__launched(c, "narrow_matrix");
}

static bool narrow_fits(const struct ops *o, size_t n_channels, size_t n_qkv,
                        size_t n_ffn)
{
    (void)o;
    return cuda__narrow_norm_fits(n_channels) && n_qkv % PIECE == 0 &&
           n_ffn % PIECE == 0 && n_ffn <= MAX_FFN;
}

void cuda__set_narrow(struct ops *o)
{
    o->narrow_fits = narrow_fits;
    o->narrow_matrix = narrow_matrix;
    o->narrow_swiglu = narrow_swiglu;
    o->narrow_swiglu_back = narrow_swiglu_back;
    cuda__set_narrow_gemm(o);
    cuda__set_narrow_stream(o);
}
