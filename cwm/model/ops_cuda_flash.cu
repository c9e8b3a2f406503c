/* SPDX-License-Identifier: MIT */
/*
 * ops_cuda_flash.cu -- attention forward in tiles: bf16, heads of 64.
 *
 * A block has two warpgroups that share tiles of keys and values; each has 64
 * queries of one head.  Where heads share their keys by an even number the two
 * have the same queries of neighbouring heads, else neighbouring queries of one
 * head.  Tiles that no query of a warpgroup sees are not computed, and masks
 * are applied only to tiles that some query sees in part.
 */
#include "cwm/model/ops_cuda_flash.cuh"

enum { GROUPS = 2, THREADS = GROUPS * GROUP_THREADS, STAGES = 3 };

enum { STAGE_BYTES = 2 * TILE_BYTES, ALL_BYTES = STAGES * STAGE_BYTES };

struct forward_args {
    struct cuda_attention a;
    __nv_bfloat16 *out; /* [N,H,D] */
    float *lse;         /* [N,H], or NULL */
    bool by_heads;      /* the two warpgroups are two heads */
};

/* What a warpgroup computes. */
struct part {
    int head, first; /* query */
    int from, until; /* tiles of keys, until not included */
    int whole_from;  /* tiles from here to the diagonal are seen whole */
    int row;         /* this thread's first; 8 further the second */
    int first_keys[2];
};

static __device__ inline struct part part_of(const struct forward_args &f)
{
    const struct cuda_attention &a = f.a;
    int group = threadIdx.x / GROUP_THREADS;
    int thread = threadIdx.x % GROUP_THREADS;
    int n_tiles = (a.n_tokens + TILE - 1) / TILE;
    /* the last tiles see most: they go first */
    int tile = f.by_heads ? (int)(gridDim.x - 1 - blockIdx.x)
                          : (int)(gridDim.x - 1 - blockIdx.x) * 2 + group;
    int last = a.n_tokens - 1;
    struct part p;

    p.head = f.by_heads ? (int)blockIdx.y * 2 + group : (int)blockIdx.y;
    p.first = tile * TILE;
    p.row = p.first + thread / 32 * 16 + thread % 32 / 4;
    p.first_keys[0] = a.firsts[min(p.row, last)];
    p.first_keys[1] = a.firsts[min(p.row + 8, last)];
    p.from = a.firsts[min(p.first, last)] / TILE;
    p.until = tile < n_tiles ? tile + 1 : 0;
    p.whole_from = (a.firsts[min(p.first + TILE - 1, last)] + TILE - 1) / TILE;
    return p;
}

static __device__ inline void hide(float s[LOCAL], const struct part &p,
                                   int key)
{
    int column = key + (int)threadIdx.x % 4 * 2;

#pragma unroll
    for (int i = 0; i < LOCAL; i++) {
        int half = i / 2 % 2;
        int at = column + i / 4 * 8 + i % 2;

        if (at > p.row + half * 8 || at < p.first_keys[half]) {
            s[i] = -INFINITY;
        }
    }
}

/* Of the four threads that share a row. */
static __device__ inline float quad_max(float x)
{
    x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 2));
}

static __device__ inline float quad_sum(float x)
{
    x += __shfl_xor_sync(0xFFFFFFFFu, x, 1);
    return x + __shfl_xor_sync(0xFFFFFFFFu, x, 2);
}

/* s becomes exp of itself below the new maximum; out fades accordingly. */
static __device__ inline void soften(float s[LOCAL], float out[LOCAL],
                                     float largest[2], float sum[2],
                                     float scale)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float next = largest[half];
        float base;
        float fade;
        float add = 0;

#pragma unroll
        for (int j = 0; j < TILE / 8; j++) {
            next = fmaxf(next,
                         fmaxf(s[j * 4 + half * 2], s[j * 4 + half * 2 + 1]));
        }
        next = quad_max(next);
        /* nothing seen yet: no difference of infinities */
        base = next == -INFINITY ? 0 : next * scale;
        fade = exp2_fast(largest[half] * scale - base);
        largest[half] = next;
#pragma unroll
        for (int j = 0; j < TILE / 8; j++) {
            float *at = s + j * 4 + half * 2;

            at[0] = exp2_fast(at[0] * scale - base);
            at[1] = exp2_fast(at[1] * scale - base);
            add += at[0] + at[1];
            out[j * 4 + half * 2] *= fade;
            out[j * 4 + half * 2 + 1] *= fade;
        }
        sum[half] = sum[half] * fade + add;
    }
}

static __device__ inline void store_lse(const struct forward_args &f,
                                        const struct part &p,
                                        const float largest[2],
                                        const float sum[2])
{
    if (!f.lse || threadIdx.x % 4 != 0) {
        return;
    }
    for (int half = 0; half < 2; half++) {
        int row = p.row + half * 8;

        if (row < f.a.n_tokens) {
            f.lse[(size_t)row * f.a.n_heads + p.head] =
                largest[half] * f.a.scale + logf(sum[half]);
        }
    }
}

static __global__ void __launch_bounds__(THREADS, 2)
    flash(const __grid_constant__ struct forward_args f)
{
    extern __shared__ __align__(1024) unsigned char tiles[];
    const struct cuda_attention &a = f.a;
    const float scale = a.scale * 1.44269504f; /* for powers of 2 */
    size_t stride = (size_t)(a.n_heads + 2 * a.n_kv_heads) * TILE;
    struct part p = part_of(f);
    /* the first warpgroup has the earlier queries */
    int first_query = f.by_heads ? p.first : p.first / (2 * TILE) * 2 * TILE;
    int from = a.firsts[first_query] / TILE;
    int kv = p.head / (a.n_heads / a.n_kv_heads);
    const __nv_bfloat16 *key_head = a.qkv + (size_t)(a.n_heads + kv) * TILE;
    auto keys = copier_of<THREADS>(key_head, stride);
    auto values =
        copier_of<THREADS>(key_head + (size_t)a.n_kv_heads * TILE, stride);
    int at = (int)shared_at(tiles);
    __shared__ int ends[GROUPS];
    uint32_t q[LEFT];
    uint32_t weights[LEFT];
    float out[LOCAL];
    float largest[2] = {-INFINITY, -INFINITY};
    float sum[2] = {0, 0};

    if (threadIdx.x % GROUP_THREADS == 0) {
        ends[threadIdx.x / GROUP_THREADS] = p.until;
    }
    load_left(a.qkv + (size_t)p.head * TILE, stride, p.first, a.n_tokens, q);
#pragma unroll
    for (int i = 0; i < LOCAL; i++) {
        out[i] = 0;
    }
    __syncthreads();

    int until = max(ends[0], ends[1]);

    copy_tile(keys, at, from * TILE, a.n_tokens);
    copy_tile(values, at + TILE_BYTES, from * TILE, a.n_tokens);
    copies_end();
    for (int tile = from, stage = at, next; tile < until;
         tile++, stage = next) {
        float s[LOCAL];

        next = stage + STAGE_BYTES < at + ALL_BYTES ? stage + STAGE_BYTES : at;

        copies_wait<0>();
        __syncthreads(); /* and the tile before the last is used up */
        if (tile + 1 < until) {
            int first = (tile + 1) * TILE;

            copy_tile(keys, next, first, a.n_tokens);
            copy_tile(values, next + TILE_BYTES, first, a.n_tokens);
            copies_end();
        }
        if (tile < p.from || tile >= p.until) {
            continue;
        }
        products_begin();
        tile_product<0, 0>(s, q, stage);
        products_end();
        products_wait<0>();
        if (tile < p.whole_from || tile + 1 >= p.until) {
            hide(s, p, tile * TILE);
        }
        soften(s, out, largest, sum, scale);
        to_left(s, weights);
        products_begin();
        tile_product<1, 1>(out, weights, stage + TILE_BYTES);
        products_end(); /* goes on until the next scores are waited for */
    }
    products_wait<0>();
    for (int half = 0; half < 2; half++) {
        sum[half] = quad_sum(sum[half]);
    }
    if (p.first < a.n_tokens) {
        float shares[2] = {1.0f / sum[0], 1.0f / sum[1]};

        store_rows(out, shares, f.out + (size_t)p.head * TILE,
                   (size_t)a.n_heads * TILE, p.first, a.n_tokens);
        store_lse(f, p, largest, sum);
    }
}

void cuda__flash(struct cuda_ops *c, const struct cuda_attention *a,
                 __nv_bfloat16 *out, float *lse)
{
    int n_tiles = (a->n_tokens + TILE - 1) / TILE;
    struct forward_args f = {.a = *a,
                             .out = out,
                             .lse = lse,
                             .by_heads =
                                 a->n_heads / a->n_kv_heads % GROUPS == 0};
    dim3 grid(f.by_heads ? n_tiles : (n_tiles + 1) / 2,
              f.by_heads ? a->n_heads / 2 : a->n_heads);

    cuda__note(c,
               cudaFuncSetAttribute(flash,
                                    cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    ALL_BYTES),
               "attention");
    flash<<<grid, THREADS, ALL_BYTES, c->stream>>>(f);
    cuda__launched(c, "attention");
}
