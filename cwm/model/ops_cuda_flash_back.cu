/* SPDX-License-Identifier: MIT */
/*
 * ops_cuda_flash_back.cu -- attention backward in tiles: bf16, heads of 64.
 *
 * Two kernels, so that nothing is added to by two blocks: one goes through
 * the keys of 64 queries and makes their gradient, the other through the
 * queries (of all heads that share them) of 64 keys and makes those of keys
 * and values.  Both compute the weights anew; that is two products of seven
 * more than one kernel would need, and no sum in an order that is not fixed.
 *
 *     p = exp(q k' scale - lse)    dp = do v'    ds = p (dp - delta) scale
 *     dq = ds k                    dk = ds' q    dv = p' do
 */
#include "cwm/model/ops_cuda_flash.cuh"

enum { STAGES = 3, STAGE_BYTES = 2 * TILE_BYTES };

struct back_args {
    struct cuda_attention a;
    const __nv_bfloat16 *dout, *out; /* [N,H,D] */
    const float *lse;                /* [N,H] */
    const float *turns;              /* [N,D] to turn back by, or NULL */
    float *deltas;                   /* [N,H] */
    __nv_bfloat16 *dqkv;             /* [N,H+2G,D] */
};

static const float log2_e = 1.44269504f;

/* A gradient by turned channels becomes one by channels as they were: what is
 * 32 apart is in one thread.  `row`: this thread's first. */
static __device__ inline void turn_back(const struct back_args &b,
                                        float d[LOCAL], int row)
{
    int column = (int)threadIdx.x % 4 * 2;

    if (!b.turns) {
        return;
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int t = min(row + half * 8, b.a.n_tokens - 1);
        const float *turn = b.turns + (size_t)t * TILE + column;

#pragma unroll
        for (int j = 0; j < TILE / 16; j++) {
            float2 c = *(const float2 *)(turn + j * 8);
            float2 s = *(const float2 *)(turn + TILE / 2 + j * 8);
            float *low = d + j * 4 + half * 2;
            float *high = low + LOCAL / 2;
            float2 a = make_float2(low[0], low[1]);

            low[0] = a.x * c.x + high[0] * s.x;
            low[1] = a.y * c.y + high[1] * s.y;
            high[0] = high[0] * c.x - a.x * s.x;
            high[1] = high[1] * c.y - a.y * s.y;
        }
    }
}

/* ---- queries --------------------------------------------------------------
 */

/* Of the products of what two left sides have in the same places, by rows. */
static __device__ inline void row_products(const uint32_t a[LEFT],
                                           const uint32_t b[LEFT],
                                           float sums[2])
{
    sums[0] = sums[1] = 0;
#pragma unroll
    for (int i = 0; i < LEFT; i++) {
        float low = __uint_as_float(a[i] << 16) * __uint_as_float(b[i] << 16);
        float high = __uint_as_float(a[i] & 0xFFFF0000u) *
                     __uint_as_float(b[i] & 0xFFFF0000u);

        sums[i % 2] += low + high;
    }
    for (int half = 0; half < 2; half++) {
        sums[half] += __shfl_xor_sync(0xFFFFFFFFu, sums[half], 1);
        sums[half] += __shfl_xor_sync(0xFFFFFFFFu, sums[half], 2);
    }
}

static __global__ void __launch_bounds__(GROUP_THREADS, 3)
    flash_queries(const __grid_constant__ struct back_args b)
{
    extern __shared__ __align__(1024) unsigned char tiles[];
    const struct cuda_attention &a = b.a;
    size_t stride = (size_t)(a.n_heads + 2 * a.n_kv_heads) * TILE;
    size_t out_stride = (size_t)a.n_heads * TILE;
    int head = (int)blockIdx.x;
    int tile = (int)(gridDim.y - 1 - blockIdx.y);
    int first = tile * TILE;
    int last = a.n_tokens - 1;
    int kv = head / (a.n_heads / a.n_kv_heads);
    const __nv_bfloat16 *key_head = a.qkv + (size_t)(a.n_heads + kv) * TILE;
    auto keys = copier_of<GROUP_THREADS>(key_head, stride);
    auto values = copier_of<GROUP_THREADS>(
        key_head + (size_t)a.n_kv_heads * TILE, stride);
    int at = (int)shared_at(tiles);
    int row = first + (int)threadIdx.x / 32 * 16 + (int)threadIdx.x % 32 / 4;
    int from = a.firsts[first] / TILE;
    int whole_from = (a.firsts[min(first + TILE - 1, last)] + TILE - 1) / TILE;
    int first_keys[2];
    float lse[2];
    float deltas[2];
    uint32_t q[LEFT];
    uint32_t dout[LEFT];
    float dq[LOCAL];

    load_left(b.dout + (size_t)head * TILE, out_stride, first, a.n_tokens,
              dout);
    load_left(b.out + (size_t)head * TILE, out_stride, first, a.n_tokens, q);
    row_products(dout, q, deltas);
    load_left(a.qkv + (size_t)head * TILE, stride, first, a.n_tokens, q);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int t = min(row + half * 8, last);
        size_t one = (size_t)t * a.n_heads + head;

        first_keys[half] = a.firsts[t];
        lse[half] = b.lse[one] * log2_e;
        if (threadIdx.x % 4 == 0 && row + half * 8 < a.n_tokens) {
            b.deltas[one] = deltas[half];
        }
    }
#pragma unroll
    for (int i = 0; i < LOCAL; i++) {
        dq[i] = 0;
    }
    copy_tile(keys, at, from * TILE, a.n_tokens);
    copy_tile(values, at + TILE_BYTES, from * TILE, a.n_tokens);
    copies_end();
    for (int k = from, stage = at, next; k <= tile; k++, stage = next) {
        uint32_t left[LEFT];
        float s[LOCAL];
        float dp[LOCAL];

        next = stage + STAGE_BYTES < at + STAGES * STAGE_BYTES
                   ? stage + STAGE_BYTES
                   : at;
        copies_wait<0>();
        __syncthreads(); /* and the tile before the last is used up */
        if (k < tile) {
            copy_tile(keys, next, (k + 1) * TILE, a.n_tokens);
            copy_tile(values, next + TILE_BYTES, (k + 1) * TILE, a.n_tokens);
            copies_end();
        }
        products_begin();
        tile_product<0, 0>(s, q, stage);
        products_end();
        tile_product<0, 0>(dp, dout, stage + TILE_BYTES);
        products_end();
        products_wait<1>();
#pragma unroll
        for (int i = 0; i < LOCAL; i++) {
            s[i] = exp2_fast(s[i] * (a.scale * log2_e) - lse[i / 2 % 2]);
        }
        if (k < whole_from || k == tile) {
            int column = k * TILE + (int)threadIdx.x % 4 * 2;

#pragma unroll
            for (int i = 0; i < LOCAL; i++) {
                int half = i / 2 % 2;
                int key = column + i / 4 * 8 + i % 2;

                if (key > row + half * 8 || key < first_keys[half]) {
                    s[i] = 0;
                }
            }
        }
        products_wait<0>();
#pragma unroll
        for (int i = 0; i < LOCAL; i++) {
            s[i] *= dp[i] - deltas[i / 2 % 2];
        }
        to_left(s, left);
        products_begin();
        tile_product<1, 1>(dq, left, stage);
        products_end();
        products_wait<0>();
    }
    {
        const float scales[2] = {a.scale, a.scale};

        turn_back(b, dq, row);
        store_rows(dq, scales, b.dqkv + (size_t)head * TILE, stride, first,
                   a.n_tokens);
    }
}

/* ---- keys and values ------------------------------------------------------
 */

/* Behind two tiles of a stage: the queries' numbers. */
enum { KEYS_STAGE = 2 * TILE_BYTES + 1024 };

/* Queries' tiles from `tile` on that see a key of it: first keys never go
 * down. */
static __device__ inline int n_seeing(const struct cuda_attention &a, int tile)
{
    int n_tiles = (a.n_tokens + TILE - 1) / TILE;
    int last_key = tile * TILE + TILE - 1;
    int n = 0;
    int more;

    do {
        int at = tile + n + (int)threadIdx.x;

        more = __syncthreads_count(at < n_tiles &&
                                   a.firsts[at * TILE] <= last_key);
        n += more;
    } while (more == GROUP_THREADS);
    return n;
}

/* What a thread copies of each stage: of queries, of gradients of outputs, and
 * a query's number or two. */
struct queries_copier {
    tile_copier<GROUP_THREADS> q, dout;
    const float *numbers; /* lse, or deltas: of the first of the heads */
};

static __device__ inline void copy_4(uint32_t to, const void *from,
                                     bool is_there)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(to),
                 "l"(from), "r"(is_there ? 4 : 0)
                 : "memory");
}

/* Head number `head` of those that share our keys. */
static __device__ inline void copy_queries(const struct cuda_attention &a,
                                           const queries_copier &c, uint32_t to,
                                           int head, int tile)
{
    int first = tile * TILE;
    int thread = (int)threadIdx.x;
    int row = first + thread % TILE;
    bool is_there = row < a.n_tokens;
    tile_copier<GROUP_THREADS> q = c.q;
    tile_copier<GROUP_THREADS> dout = c.dout;

    row = is_there ? row : 0;
    q.from += head * TILE;
    dout.from += head * TILE;
    copy_tile(q, to, first, a.n_tokens);
    copy_tile(dout, to + TILE_BYTES, first, a.n_tokens);
    to += 2 * TILE_BYTES + thread * 4;
    copy_4(to, c.numbers + (size_t)row * a.n_heads + head, is_there);
    if (thread < TILE) { /* there are some behind the last token, too */
        copy_4(to + 2 * TILE * 4, a.firsts + first + thread, true);
    }
    copies_end();
}

static __global__ void __launch_bounds__(GROUP_THREADS, 2)
    flash_keys(const __grid_constant__ struct back_args b)
{
    extern __shared__ __align__(1024) unsigned char tiles[];
    const struct cuda_attention &a = b.a;
    size_t stride = (size_t)(a.n_heads + 2 * a.n_kv_heads) * TILE;
    int g = (int)blockIdx.x;
    int tile = (int)blockIdx.y;
    int first = tile * TILE;
    int n_shared = a.n_heads / a.n_kv_heads;
    int n_steps = n_seeing(a, tile) * n_shared;
    int q_tile = tile;
    int head = 0;
    const queries_copier copier = {
        copier_of<GROUP_THREADS>(a.qkv + (size_t)g * n_shared * TILE, stride),
        copier_of<GROUP_THREADS>(b.dout + (size_t)g * n_shared * TILE,
                                 (size_t)a.n_heads * TILE),
        (threadIdx.x < TILE ? b.lse : b.deltas) + g * n_shared};
    int at = (int)shared_at(tiles);
    int row = first + (int)threadIdx.x / 32 * 16 + (int)threadIdx.x % 32 / 4;
    int column = (int)threadIdx.x % 4 * 2;
    uint32_t key[LEFT];
    uint32_t value[LEFT];
    float dk[LOCAL];
    float dv[LOCAL];

    load_left(a.qkv + (size_t)(a.n_heads + g) * TILE, stride, first, a.n_tokens,
              key);
    load_left(a.qkv + (size_t)(a.n_heads + a.n_kv_heads + g) * TILE, stride,
              first, a.n_tokens, value);
#pragma unroll
    for (int i = 0; i < LOCAL; i++) {
        dk[i] = 0;
        dv[i] = 0;
    }
    copy_queries(a, copier, at, 0, tile);
    for (int step = 0, stage = at, next; step < n_steps; step++, stage = next) {
        const float *numbers =
            (const float *)(tiles + (stage - at) + 2 * TILE_BYTES) + column;
        const int *firsts = (const int *)(numbers + 2 * TILE);
        int query = q_tile * TILE;
        bool is_diagonal = q_tile == tile;
        uint32_t left[LEFT];
        uint32_t ds_left[LEFT];
        float s[LOCAL];
        float dp[LOCAL];

        next = stage + KEYS_STAGE < at + STAGES * KEYS_STAGE
                   ? stage + KEYS_STAGE
                   : at;
        copies_wait<0>();
        __syncthreads(); /* and the stage before the last is used up */
        head = head + 1 < n_shared ? head + 1 : 0;
        q_tile += head == 0;
        if (step + 1 < n_steps) {
            copy_queries(a, copier, next, head, q_tile);
        }
        products_begin();
        tile_product<0, 0>(s, key, stage);
        products_end();
        tile_product<0, 0>(dp, value, stage + TILE_BYTES);
        products_end();
        products_wait<1>();
#pragma unroll
        for (int j = 0; j < TILE / 8; j++) {
            float2 lse = *(const float2 *)(numbers + j * 8);

            lse.x *= log2_e;
            lse.y *= log2_e;
            for (int i = j * 4; i < j * 4 + 4; i++) {
                s[i] = exp2_fast(s[i] * (a.scale * log2_e) -
                                 (i % 2 ? lse.y : lse.x));
            }
        }
        /* does some query of the tile not see all keys of ours? */
        if (is_diagonal || firsts[TILE - 1 - column] > first) {
#pragma unroll
            for (int j = 0; j < TILE / 8; j++) {
                int2 least = *(const int2 *)(firsts + j * 8);

#pragma unroll
                for (int i = j * 4; i < j * 4 + 4; i++) {
                    int key_row = row + i / 2 % 2 * 8;
                    bool is_seen = (key_row <= query + j * 8 + column + i % 2) &
                                   (key_row >= (i % 2 ? least.y : least.x));

                    s[i] = is_seen ? s[i] : 0.0f;
                }
            }
        }
        to_left(s, left);
        products_begin();
        tile_product<1, 1>(dv, left, stage + TILE_BYTES);
        products_end();
        products_wait<1>(); /* for dp */
#pragma unroll
        for (int j = 0; j < TILE / 8; j++) {
            float2 delta = *(const float2 *)(numbers + TILE + j * 8);

#pragma unroll
            for (int i = j * 4; i < j * 4 + 4; i++) {
                s[i] *= dp[i] - (i % 2 ? delta.y : delta.x);
            }
        }
        to_left(s, ds_left);
        products_begin();
        tile_product<1, 1>(dk, ds_left, stage);
        products_end();
        products_wait<0>();
    }
    {
        const float scales[2] = {a.scale, a.scale};
        const float ones[2] = {1, 1};

        turn_back(b, dk, row);
        store_rows(dk, scales, b.dqkv + (size_t)(a.n_heads + g) * TILE, stride,
                   first, a.n_tokens);
        store_rows(dv, ones,
                   b.dqkv + (size_t)(a.n_heads + a.n_kv_heads + g) * TILE,
                   stride, first, a.n_tokens);
    }
}

void cuda__flash_back(struct cuda_ops *c, const struct cuda_attention *a,
                      const __nv_bfloat16 *dout, const __nv_bfloat16 *out,
                      const float *lse, const float *turns, float *deltas,
                      __nv_bfloat16 *dqkv)
{
    unsigned n_tiles = cuda_blocks(a->n_tokens, TILE);
    struct back_args b = {*a, dout, out, lse, turns, deltas, dqkv};

    cuda__note(c,
               cudaFuncSetAttribute(flash_keys,
                                    cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    STAGES * KEYS_STAGE),
               "attention_back");
    flash_queries<<<dim3(a->n_heads, n_tiles), GROUP_THREADS,
                    STAGES * STAGE_BYTES, c->stream>>>(b);
    flash_keys<<<dim3(a->n_kv_heads, n_tiles), GROUP_THREADS,
                 STAGES * KEYS_STAGE, c->stream>>>(b);
    cuda__launched(c, "attention_back");
}
