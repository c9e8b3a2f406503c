/* SPDX-License-Identifier: MIT */
/*
 * ops_cuda_cache.cu -- attention over a cache in pages: a row of the call and
 * a key head belong to one block, so that all query heads that share keys read
 * them once.
 *
 * Eight lanes read one key (16 bytes each where it is 64 channels of bf16), so
 * a warp has four keys at a time; warps take pages in turn and what they have
 * found is put together at the end.  Heads of another width than 64, and more
 * than MAX_SHARED query heads, go the plain way, a warp for each query head.
 */
#include "cwm/model/ops_cuda.cuh"

enum {
    THREADS = 128,
    WARPS = THREADS / CUDA_WARP,
    HEAD = 64,
    LANES = 8, /* of a key */
    EACH = HEAD / LANES,
    KEYS = CUDA_WARP / LANES,
    MAX_SHARED = 8,
    PER_LANE = 8, /* plain: channels of a lane, so heads of 256 at most */
};

struct cache_args {
    const uint32_t *pages, *seqs, *positions;
    int max_pages, n_heads, n_kv_heads, d_head, window;
    float scale;
};

/* Where the key of a token begins, in rows of D. */
static __device__ inline size_t key_row(const cache_args &a, int seq,
                                        int position, int kv)
{
    int turn = position / OPS_PAGE_TOKENS % a.max_pages;
    size_t page = a.pages[(size_t)seq * a.max_pages + turn];

    return (page * a.n_kv_heads + kv) * OPS_PAGE_TOKENS +
           position % OPS_PAGE_TOKENS;
}

template <typename T>
static __global__ void cache_put(cache_args a, const T *qkv, T *k, T *v)
{
    int row = blockIdx.x;
    int n_row = a.n_heads + 2 * a.n_kv_heads;
    int n = a.n_kv_heads * a.d_head;
    const T *from = qkv + ((size_t)row * n_row + a.n_heads) * a.d_head;
    int seq = (int)a.seqs[row];
    int position = (int)a.positions[row];

    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        size_t at =
            key_row(a, seq, position, i / a.d_head) * a.d_head + i % a.d_head;

        k[at] = from[i];
        v[at] = from[n + i];
    }
}

/* ---- the fast way: D = 64 -------------------------------------------------
 */

static __device__ inline void load8(const float *from, float to[EACH])
{
    *(float4 *)to = get4(from);
    *(float4 *)(to + 4) = get4(from + 4);
}

static __device__ inline void load8(const __nv_bfloat16 *from, float to[EACH])
{
    uint4 bits = *(const uint4 *)from;
    const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};

#pragma unroll
    for (int i = 0; i < 4; i++) {
        to[2 * i] = __uint_as_float(words[i] << 16);
        to[2 * i + 1] = __uint_as_float(words[i] & 0xFFFF0000u);
    }
}

/* What a warp, or a block, has found: of head i, so far. */
template <int S> struct found {
    float sum[S][EACH]; /* of values */
    float largest[S], total[S];
};

/* `other` into `f`: two sets of keys become one. */
template <int S>
static __device__ inline void join(struct found<S> *f, int i, float largest,
                                   float total, const float sum[EACH])
{
    float next = fmaxf(f->largest[i], largest);
    float fade = next == -INFINITY ? 0 : __expf(f->largest[i] - next);
    float other = next == -INFINITY ? 0 : __expf(largest - next);

    f->largest[i] = next;
    f->total[i] = f->total[i] * fade + total * other;
#pragma unroll
    for (int k = 0; k < EACH; k++) {
        f->sum[i][k] = f->sum[i][k] * fade + sum[k] * other;
    }
}

/* KEYS keys at a time of one page. */
template <typename T, int S>
static __device__ inline void read_page(const cache_args &a, const T *keys,
                                        const T *values, int first, int from,
                                        int until, const float q[S][EACH],
                                        struct found<S> *f)
{
    int lane = threadIdx.x % CUDA_WARP;

    for (int at = 0; at < OPS_PAGE_TOKENS; at += KEYS) {
        int offset = at + lane / LANES;
        int position = first + offset;
        bool is_seen = position >= from && position < until;
        float key[EACH];
        float value[EACH];

        if (first + at >= until || first + at + KEYS <= from) {
            continue;
        }
        load8(keys + offset * HEAD + lane % LANES * EACH, key);
        load8(values + offset * HEAD + lane % LANES * EACH, value);
#pragma unroll
        for (int i = 0; i < S; i++) {
            float score = 0;

#pragma unroll
            for (int k = 0; k < EACH; k++) {
                score += q[i][k] * key[k];
            }
            for (int k = 1; k < LANES; k *= 2) {
                score += __shfl_xor_sync(0xFFFFFFFFu, score, k);
            }
            if (is_seen) {
                join<S>(f, i, score, 1.0f, value);
            }
        }
    }
}

template <typename T, int S>
static __global__ void __launch_bounds__(THREADS)
    cache_attention(cache_args a, const T *qkv, const T *k, const T *v, T *out)
{
    __shared__ float sums[WARPS][S][HEAD];
    __shared__ float tops[WARPS][S][2];
    int row = blockIdx.x;
    int kv = blockIdx.y;
    int warp = threadIdx.x / CUDA_WARP;
    int lane = threadIdx.x % CUDA_WARP;
    int seq = (int)a.seqs[row];
    int until = (int)a.positions[row] + 1;
    int from = a.window > 0 && until > a.window ? until - a.window : 0;
    const T *queries =
        qkv + ((size_t)row * (a.n_heads + 2 * a.n_kv_heads) + kv * S) * HEAD;
    float q[S][EACH];
    struct found<S> f;

#pragma unroll
    for (int i = 0; i < S; i++) {
        load8(queries + i * HEAD + lane % LANES * EACH, q[i]);
        f.largest[i] = -INFINITY;
        f.total[i] = 0;
#pragma unroll
        for (int c = 0; c < EACH; c++) {
            q[i][c] *= a.scale;
            f.sum[i][c] = 0;
        }
    }
    for (int page = from / OPS_PAGE_TOKENS + warp;
         page * OPS_PAGE_TOKENS < until; page += WARPS) {
        size_t at = key_row(a, seq, page * OPS_PAGE_TOKENS, kv) * HEAD;

        read_page<T, S>(a, k + at, v + at, page * OPS_PAGE_TOKENS, from, until,
                        q, &f);
    }
#pragma unroll
    for (int i = 0; i < S; i++) {
        for (int other = LANES; other < CUDA_WARP; other *= 2) {
            float largest = __shfl_xor_sync(0xFFFFFFFFu, f.largest[i], other);
            float total = __shfl_xor_sync(0xFFFFFFFFu, f.total[i], other);
            float sum[EACH];

#pragma unroll
            for (int c = 0; c < EACH; c++) {
                sum[c] = __shfl_xor_sync(0xFFFFFFFFu, f.sum[i][c], other);
            }
            join<S>(&f, i, largest, total, sum);
        }
        if (lane < LANES) {
#pragma unroll
            for (int c = 0; c < EACH; c++) {
                sums[warp][i][lane * EACH + c] = f.sum[i][c];
            }
            tops[warp][i][0] = f.largest[i];
            tops[warp][i][1] = f.total[i];
        }
    }
    __syncthreads();
    for (int c = threadIdx.x; c < S * HEAD; c += THREADS) {
        int i = c / HEAD;
        float largest = -INFINITY;
        float total = 0;
        float sum = 0;

        for (int w = 0; w < WARPS; w++) {
            largest = fmaxf(largest, tops[w][i][0]);
        }
        for (int w = 0; w < WARPS; w++) {
            float part = __expf(tops[w][i][0] - largest);

            total += tops[w][i][1] * part;
            sum += sums[w][i][c % HEAD] * part;
        }
        put(out + ((size_t)row * a.n_heads + kv * S) * HEAD + c, sum / total);
    }
}

/* ---- the plain way --------------------------------------------------------
 */

template <typename T>
static __global__ void cache_attention_any(cache_args a, const T *qkv,
                                           const T *k, const T *v, T *out)
{
    int row = blockIdx.x;
    int head = blockIdx.y;
    int lane = threadIdx.x;
    int kv = head / (a.n_heads / a.n_kv_heads);
    int seq = (int)a.seqs[row];
    int until = (int)a.positions[row] + 1;
    int from = a.window > 0 && until > a.window ? until - a.window : 0;
    const T *query =
        qkv + ((size_t)row * (a.n_heads + 2 * a.n_kv_heads) + head) * a.d_head;
    float q[PER_LANE];
    float sum[PER_LANE] = {0};
    float largest = -INFINITY;
    float total = 0;

#pragma unroll
    for (int i = 0; i < PER_LANE; i++) {
        int c = lane + i * CUDA_WARP;

        q[i] = c < a.d_head ? get(query[c]) * a.scale : 0;
    }
    for (int position = from; position < until; position++) {
        size_t at = key_row(a, seq, position, kv) * a.d_head;
        float score = 0;
        float next;
        float fade;

#pragma unroll
        for (int i = 0; i < PER_LANE; i++) {
            int c = lane + i * CUDA_WARP;

            score += c < a.d_head ? q[i] * get(k[at + c]) : 0;
        }
        score = warp_sum(score);
        next = fmaxf(largest, score);
        fade = __expf(largest - next);
        score = __expf(score - next);
        total = total * fade + score;
        largest = next;
#pragma unroll
        for (int i = 0; i < PER_LANE; i++) {
            int c = lane + i * CUDA_WARP;

            sum[i] =
                sum[i] * fade + (c < a.d_head ? score * get(v[at + c]) : 0);
        }
    }
#pragma unroll
    for (int i = 0; i < PER_LANE; i++) {
        int c = lane + i * CUDA_WARP;

        if (c < a.d_head) {
            put(out + ((size_t)row * a.n_heads + head) * a.d_head + c,
                sum[i] / total);
        }
    }
}

/* ---- the table's ----------------------------------------------------------
 */

static cache_args args_of(const struct ops_heads *h,
                          const struct ops_cache *cache, const uint32_t *seqs,
                          const uint32_t *positions)
{
    return {.pages = cache->pages,
            .seqs = seqs,
            .positions = positions,
            .max_pages = (int)cache->max_pages,
            .n_heads = (int)h->n_heads,
            .n_kv_heads = (int)h->n_kv_heads,
            .d_head = (int)h->d_head,
            .window = (int)h->window,
            .scale = 1.0f / sqrtf((float)h->d_head)};
}

static void cuda_cache_put(struct ops *o, const void *qkv, size_t n,
                           const struct ops_heads *h,
                           const struct ops_cache *cache, const uint32_t *seqs,
                           const uint32_t *positions)
{
    struct cuda_ops *c = cuda_of(o);
    cache_args a = args_of(h, cache, seqs, positions);

    if (o->type == OPS_F32) {
        cache_put<<<n, THREADS, 0, c->stream>>>(
            a, (const float *)qkv, (float *)cache->k, (float *)cache->v);
    } else {
        cache_put<<<n, THREADS, 0, c->stream>>>(a, (const __nv_bfloat16 *)qkv,
                                                (__nv_bfloat16 *)cache->k,
                                                (__nv_bfloat16 *)cache->v);
    }
    cuda__launched(c, "cache_put");
}

template <typename T>
static void launch(struct cuda_ops *c, const cache_args &a, size_t n,
                   const T *qkv, const T *k, const T *v, T *out)
{
    dim3 grid((unsigned)n, (unsigned)a.n_kv_heads);
    cudaStream_t s = c->stream;

    switch (a.d_head == HEAD ? a.n_heads / a.n_kv_heads : 0) {
    case 1:
        cache_attention<T, 1><<<grid, THREADS, 0, s>>>(a, qkv, k, v, out);
        break;
    case 2:
        cache_attention<T, 2><<<grid, THREADS, 0, s>>>(a, qkv, k, v, out);
        break;
    case 3:
        cache_attention<T, 3><<<grid, THREADS, 0, s>>>(a, qkv, k, v, out);
        break;
    case 4:
        cache_attention<T, 4><<<grid, THREADS, 0, s>>>(a, qkv, k, v, out);
        break;
    default:
        cache_attention_any<<<dim3((unsigned)n, (unsigned)a.n_heads), CUDA_WARP,
                              0, s>>>(a, qkv, k, v, out);
    }
    cuda__launched(c, "cache_attention");
}

static void cuda_cache_attention(struct ops *o, const void *qkv, size_t n,
                                 const struct ops_heads *h,
                                 const struct ops_cache *cache,
                                 const uint32_t *seqs,
                                 const uint32_t *positions, void *out)
{
    struct cuda_ops *c = cuda_of(o);
    cache_args a = args_of(h, cache, seqs, positions);

    if (h->d_head > PER_LANE * CUDA_WARP) {
        cuda__note(c, cudaErrorNotSupported,
                   "attention: heads of more than 256 channels");
    } else if (o->type == OPS_F32) {
        launch(c, a, n, (const float *)qkv, (const float *)cache->k,
               (const float *)cache->v, (float *)out);
    } else {
        launch(c, a, n, (const __nv_bfloat16 *)qkv,
               (const __nv_bfloat16 *)cache->k, (const __nv_bfloat16 *)cache->v,
               (__nv_bfloat16 *)out);
    }
}

void cuda__set_cache(struct ops *o)
{
    o->cache_put = cuda_cache_put;
    o->cache_attention = cuda_cache_attention;
}
