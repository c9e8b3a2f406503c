/* SPDX-License-Identifier: MIT */
/*
 * ops_cuda_loss.cu -- losses, the embedding's gradient, the optimiser.
 *
 * The embedding's gradient is a sum over tokens that meet in any order.  It is
 * taken in fixed point, 64 bits with 50 behind the point, where the order does
 * not matter: gradients of a mean loss are far below 2^13, and what is lost
 * below 2^-50 is less than fp32 keeps of any that counts.
 */
#include "cwm/model/ops_cuda.cuh"

enum { THREADS = 256, WARPS = THREADS / CUDA_WARP };

enum { NO_WORD = 0x7FFFFFFF };

/* Of c->sums: parts of a sum, then what it comes to, and what is kept. */
enum { N_PARTS = 1024, TOTAL = N_PARTS, LOSS, NORM, SCALE };

static const float fixed_one = 1125899906842624.0f; /* 2^50 */

/* ---- losses ---------------------------------------------------------------
 */

/* Of all threads' (largest, sum of exp), to all threads. */
static __device__ inline void block_softmax(float *largest, float *sum)
{
    __shared__ float parts[2][WARPS];
    float all = warp_max(*largest);
    float total = 0;

    *sum = warp_sum(*sum * __expf(*largest - all));
    if (threadIdx.x % CUDA_WARP == 0) {
        parts[0][threadIdx.x / CUDA_WARP] = all;
        parts[1][threadIdx.x / CUDA_WARP] = *sum;
    }
    __syncthreads();
    *largest = parts[0][0];
    for (int w = 1; w < WARPS; w++) {
        *largest = fmaxf(*largest, parts[0][w]);
    }
    for (int w = 0; w < WARPS; w++) {
        total += parts[1][w] * __expf(parts[0][w] - *largest);
    }
    *sum = total;
}

/* The row's largest value, and the sum of exp(value - largest); the lowest
 * finite value stands for nothing, so that no infinities meet. */
template <typename T>
static __device__ inline void row_softmax(const T *row, int n, float *largest,
                                          float *sum)
{
    const float lowest = -3.0e38f;
    bool by_four = n % 4 == 0;

    *largest = lowest;
    *sum = 0;
    for (int i = threadIdx.x * 4; by_four && i < n; i += THREADS * 4) {
        float4 v = get4(row + i);
        float next = fmaxf(fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w)), *largest);

        *sum = *sum * __expf(*largest - next) + __expf(v.x - next) +
               __expf(v.y - next) + __expf(v.z - next) + __expf(v.w - next);
        *largest = next;
    }
    for (int i = threadIdx.x; !by_four && i < n; i += THREADS) {
        float v = get(row[i]);
        float next = fmaxf(v, *largest);

        *sum = *sum * __expf(*largest - next) + __expf(v - next);
        *largest = next;
    }
    block_softmax(largest, sum);
}

/* dlogits may be logits: a thread reads what it writes. */
template <typename A, typename B>
static __global__ void __launch_bounds__(THREADS)
    cross_entropy(const A *logits, int n_words, const uint32_t *targets,
                  const float *weights, float *losses, B *dlogits)
{
    const A *row = logits + (size_t)blockIdx.x * n_words;
    B *to = dlogits + (size_t)blockIdx.x * n_words;
    int target = (int)targets[blockIdx.x];
    float weight = weights[blockIdx.x];
    float at_target = get(row[target]);
    float largest;
    float sum;
    float scale;

    row_softmax(row, n_words, &largest, &sum);
    if (threadIdx.x == 0) {
        losses[blockIdx.x] =
            weight == 0 ? 0 : weight * (logf(sum) + largest - at_target);
    }
    scale = weight / sum;
    if (n_words % 4 == 0) {
        for (int i = threadIdx.x * 4; i < n_words; i += THREADS * 4) {
            float4 v = get4(row + i);

            v.x = __expf(v.x - largest) * scale;
            v.y = __expf(v.y - largest) * scale;
            v.z = __expf(v.z - largest) * scale;
            v.w = __expf(v.w - largest) * scale;
            v.x -= i == target ? weight : 0;
            v.y -= i + 1 == target ? weight : 0;
            v.z -= i + 2 == target ? weight : 0;
            v.w -= i + 3 == target ? weight : 0;
            put4(to + i, v);
        }
        return;
    }
    for (int i = threadIdx.x; i < n_words; i += THREADS) {
        put(to + i,
            __expf(get(row[i]) - largest) * scale - (i == target ? weight : 0));
    }
}

/* The same in place on rows of V * THREADS * 8 words, each read once and held
 * by the block. */
template <int V>
static __global__ void __launch_bounds__(THREADS)
    cross_entropy_held(__nv_bfloat16 *logits, const uint32_t *targets,
                       const float *weights, float *losses)
{
    enum { N_WORDS = V * THREADS * EIGHT };
    __shared__ float parts[2][WARPS];
    __nv_bfloat16 *row = logits + (size_t)blockIdx.x * N_WORDS;
    int target = (int)targets[blockIdx.x];
    float weight = weights[blockIdx.x];
    float at_target = get(row[target]);
    float v[V][EIGHT];
    float largest = -3.0e38f;
    float sum = 0;

#pragma unroll
    for (int i = 0; i < V; i++) {
        uint4 bits =
            *(const uint4 *)(row + (i * THREADS + threadIdx.x) * EIGHT);
        const uint32_t words[] = {bits.x, bits.y, bits.z, bits.w};

#pragma unroll
        for (int k = 0; k < EIGHT / 2; k++) {
            v[i][2 * k] = __uint_as_float(words[k] << 16);
            v[i][2 * k + 1] = __uint_as_float(words[k] & 0xFFFF0000u);
        }
    }
#pragma unroll
    for (int i = 0; i < V * EIGHT; i++) {
        largest = fmaxf(largest, v[i / EIGHT][i % EIGHT]);
    }
    largest = warp_max(largest);
    if (threadIdx.x % CUDA_WARP == 0) {
        parts[0][threadIdx.x / CUDA_WARP] = largest;
    }
    __syncthreads();
    for (int w = 0; w < WARPS; w++) {
        largest = fmaxf(largest, parts[0][w]);
    }
#pragma unroll
    for (int i = 0; i < V * EIGHT; i++) {
        float *at = &v[i / EIGHT][i % EIGHT];

        *at = __expf(*at - largest);
        sum += *at;
    }
    sum = warp_sum(sum);
    if (threadIdx.x % CUDA_WARP == 0) {
        parts[1][threadIdx.x / CUDA_WARP] = sum;
    }
    __syncthreads();
    sum = 0;
    for (int w = 0; w < WARPS; w++) {
        sum += parts[1][w];
    }
    if (threadIdx.x == 0) {
        losses[blockIdx.x] =
            weight == 0 ? 0 : weight * (logf(sum) + largest - at_target);
    }
    sum = weight / sum;
#pragma unroll
    for (int i = 0; i < V; i++) {
        int word = (i * THREADS + (int)threadIdx.x) * EIGHT;
        uint32_t to[EIGHT / 2];

#pragma unroll
        for (int k = 0; k < EIGHT; k++) {
            v[i][k] = v[i][k] * sum - (word + k == target ? weight : 0);
        }
#pragma unroll
        for (int k = 0; k < EIGHT / 2; k++) {
            to[k] = pack2(v[i][2 * k], v[i][2 * k + 1]);
        }
        *(uint4 *)(row + word) = make_uint4(to[0], to[1], to[2], to[3]);
    }
}

static void cuda_cross_entropy(struct ops *o, const float *logits, size_t n,
                               size_t n_words, const uint32_t *targets,
                               const float *weights, float *losses,
                               void *dlogits)
{
    struct cuda_ops *c = cuda_of(o);

    if (o->type == OPS_F32) {
        cross_entropy<<<n, THREADS, 0, c->stream>>>(
            logits, (int)n_words, targets, weights, losses, (float *)dlogits);
    } else {
        cross_entropy<<<n, THREADS, 0, c->stream>>>(logits, (int)n_words,
                                                    targets, weights, losses,
                                                    (__nv_bfloat16 *)dlogits);
    }
    cuda__launched(c, "cross_entropy");
}

static void cuda_cross_entropy_here(struct ops *o, void *logits, size_t n,
                                    size_t n_words, const uint32_t *targets,
                                    const float *weights, float *losses)
{
    struct cuda_ops *c = cuda_of(o);

    if (o->type == OPS_BF16 && n_words == 4 * THREADS * 8) {
        cross_entropy_held<4><<<n, THREADS, 0, c->stream>>>(
            (__nv_bfloat16 *)logits, targets, weights, losses);
    } else if (o->type == OPS_F32) {
        cross_entropy<<<n, THREADS, 0, c->stream>>>(
            (const float *)logits, (int)n_words, targets, weights, losses,
            (float *)logits);
    } else {
        cross_entropy<<<n, THREADS, 0, c->stream>>>(
            (const __nv_bfloat16 *)logits, (int)n_words, targets, weights,
            losses, (__nv_bfloat16 *)logits);
    }
    cuda__launched(c, "cross_entropy");
}

static __global__ void __launch_bounds__(THREADS)
    log_probs(const float *logits, int n_words, const uint32_t *targets,
              float *logs)
{
    const float *row = logits + (size_t)blockIdx.x * n_words;
    float largest;
    float sum;

    row_softmax(row, n_words, &largest, &sum);
    if (threadIdx.x == 0) {
        logs[blockIdx.x] = row[targets[blockIdx.x]] - largest - logf(sum);
    }
}

static void cuda_log_probs(struct ops *o, const float *logits, size_t n,
                           size_t n_words, const uint32_t *targets, float *logs)
{
    struct cuda_ops *c = cuda_of(o);

    log_probs<<<n, THREADS, 0, c->stream>>>(logits, (int)n_words, targets,
                                            logs);
    cuda__launched(c, "log_probs");
}

/* ---- the likeliest word ---------------------------------------------------
 */

/* The words of all threads with their values: the largest's, of equally large
 * ones the lowest; to thread 0. */
static __device__ int first_of_largest(float best, int word)
{
    __shared__ float values[THREADS];
    __shared__ int words[THREADS];

    values[threadIdx.x] = best;
    words[threadIdx.x] = word;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            int other = threadIdx.x + half;

            if (values[other] > values[threadIdx.x] ||
                (values[other] == values[threadIdx.x] &&
                 words[other] < words[threadIdx.x])) {
                values[threadIdx.x] = values[other];
                words[threadIdx.x] = words[other];
            }
        }
    }
    return words[0]; /* thread 0's to use */
}

static __global__ void __launch_bounds__(THREADS)
    largest_word(const float *logits, int n_words, uint32_t *ids,
                 uint32_t *positions, uint32_t *kept, uint32_t *step, int n)
{
    const float *row = logits + (size_t)blockIdx.x * n_words;
    float best = -INFINITY;
    int word = NO_WORD;

    for (int i = threadIdx.x; i < n_words; i += THREADS) {
        if (row[i] > best) {
            best = row[i];
            word = i;
        }
    }
    word = first_of_largest(best, word);
    if (threadIdx.x == 0) {
        /* a word that there is not: no logit was a number */
        kept[(size_t)step[0] * n + blockIdx.x] = (uint32_t)word;
        ids[blockIdx.x] = word < n_words ? (uint32_t)word : 0;
        positions[blockIdx.x]++;
    }
}

static __global__ void next_step(uint32_t *step)
{
    step[0]++;
}

static void cuda_greedy(struct ops *o, const float *logits, size_t n,
                        size_t n_words, uint32_t *ids, uint32_t *positions,
                        uint32_t *kept, uint32_t *step)
{
    struct cuda_ops *c = cuda_of(o);

    largest_word<<<n, THREADS, 0, c->stream>>>(logits, (int)n_words, ids,
                                               positions, kept, step, (int)n);
    next_step<<<1, 1, 0, c->stream>>>(step);
    cuda__launched(c, "greedy");
}

static __global__ void __launch_bounds__(THREADS)
    likeliest_of(const float *logits, int n_words, const uint64_t *masks,
                 uint32_t *ids)
{
    const float *row = logits + (size_t)blockIdx.x * n_words;
    const uint64_t *mask = masks + (size_t)blockIdx.x * ((n_words + 63) / 64);
    float best = -INFINITY;
    int word = NO_WORD;
    int is_wrong = 0;

    for (int i = threadIdx.x; i < n_words; i += THREADS) {
        float x = row[i];

        is_wrong |= !(x < INFINITY);
        if (x > best && (mask[i >> 6] >> (i & 63) & 1) != 0) {
            best = x;
            word = i;
        }
    }
    is_wrong = __syncthreads_or(is_wrong);
    word = first_of_largest(best, word);
    if (threadIdx.x == 0) {
        ids[blockIdx.x] = is_wrong ? NO_WORD : (uint32_t)word;
    }
}

static void cuda_likeliest(struct ops *o, const float *logits, size_t n,
                           size_t n_words, const uint64_t *masks, uint32_t *ids)
{
    struct cuda_ops *c = cuda_of(o);

    likeliest_of<<<n, THREADS, 0, c->stream>>>(logits, (int)n_words, masks,
                                               ids);
    cuda__launched(c, "likeliest");
}

/* ---- the embedding's gradient ---------------------------------------------
 */

template <typename T>
static __global__ void add_fixed(const uint32_t *ids, const T *dx,
                                 int n_channels, float one, long long *fixed)
{
    const T *from = dx + (size_t)blockIdx.x * n_channels;
    long long *to = fixed + (size_t)ids[blockIdx.x] * n_channels;

    for (int i = threadIdx.x; i < n_channels; i += blockDim.x) {
        atomicAdd((unsigned long long *)(to + i),
                  (unsigned long long)__float2ll_rn(get(from[i]) * one));
    }
}

/* ... and zero again. */
static __global__ void take_fixed(long long *fixed, size_t n, double part,
                                  float *to)
{
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;

    if (i < n) {
        to[i] += (float)((double)fixed[i] * part);
        fixed[i] = 0;
    }
}

template <typename T>
static void embed_back(struct cuda_ops *c, const uint32_t *ids, size_t n,
                       const T *dx, size_t n_words, size_t n_channels,
                       float *dtable)
{
    size_t n_values = n_words * n_channels;

    if (c->n_fixed < n_values) {
        cuda__note(c, cudaFree(c->fixed), "embed_back");
        c->fixed = NULL;
        c->n_fixed = 0;
        cuda__note(c, cudaMalloc(&c->fixed, n_values * sizeof *c->fixed),
                   "embed_back");
        if (!c->fixed) {
            return;
        }
        c->n_fixed = n_values;
        cuda__note(c,
                   cudaMemsetAsync(c->fixed, 0, n_values * sizeof *c->fixed,
                                   c->stream),
                   "embed_back");
    }
    add_fixed<<<n, 128, 0, c->stream>>>(ids, dx, (int)n_channels, fixed_one,
                                        c->fixed);
    take_fixed<<<cuda_blocks(n_values, THREADS), THREADS, 0, c->stream>>>(
        c->fixed, n_values, 1.0 / (double)fixed_one, dtable);
    cuda__launched(c, "embed_back");
}

static void cuda_embed_back(struct ops *o, const uint32_t *ids, size_t n,
                            const float *dx, size_t n_words, size_t n_channels,
                            float *dtable)
{
    embed_back(cuda_of(o), ids, n, dx, n_words, n_channels, dtable);
}

void cuda__stream_embed_back(struct ops *o, const uint32_t *ids, size_t n,
                             const void *dx, size_t n_words, size_t n_channels,
                             float *dtable)
{
    embed_back(cuda_of(o), ids, n, (const __nv_bfloat16 *)dx, n_words,
               n_channels, dtable);
}

/* ---- the optimiser --------------------------------------------------------
 */

/* The threads' sums in double, in an order that is always the same. */
static __device__ inline double block_sum(double x)
{
    __shared__ double parts[THREADS];

    parts[threadIdx.x] = x;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            parts[threadIdx.x] += parts[threadIdx.x + half];
        }
    }
    __syncthreads();
    return parts[0];
}

static __global__ void __launch_bounds__(THREADS)
    part_squares(const float *x, size_t n, double *sums)
{
    size_t i = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 4;
    double sum = 0;

    for (; i < n; i += (size_t)gridDim.x * THREADS * 4) {
        if (i + 4 <= n) {
            float4 v = get4(x + i);

            sum += (double)(v.x * v.x) + (double)(v.y * v.y) +
                   (double)(v.z * v.z) + (double)(v.w * v.w);
        } else {
            for (size_t k = i; k < n; k++) {
                sum += (double)x[k] * (double)x[k];
            }
        }
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = sum;
    }
}

static __global__ void __launch_bounds__(THREADS)
    add_sums(const double *sums, int n, double *ret)
{
    double sum = 0;

    for (int i = threadIdx.x; i < n; i += THREADS) {
        sum += sums[i];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        *ret = sum;
    }
}

static double cuda_sum_squares(struct ops *o, const float *x, size_t n)
{
    struct cuda_ops *c = cuda_of(o);
    double sum = 0;

    part_squares<<<N_PARTS, THREADS, 0, c->stream>>>(x, n, c->sums);
    add_sums<<<1, THREADS, 0, c->stream>>>(c->sums, N_PARTS, c->sums + TOTAL);
    cuda__launched(c, "sum_squares");
    o->read(o, &sum, c->sums + TOTAL, sizeof sum);
    return sum;
}

static __global__ void __launch_bounds__(THREADS)
    add_losses(const float *losses, size_t n, double *sums)
{
    double sum = 0;

    for (size_t i = threadIdx.x; i < n; i += THREADS) {
        sum += (double)losses[i];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        sums[LOSS] += sum;
    }
}

static void cuda_keep_loss(struct ops *o, const float *losses, size_t n)
{
    struct cuda_ops *c = cuda_of(o);

    add_losses<<<1, THREADS, 0, c->stream>>>(losses, n, c->sums);
    cuda__launched(c, "keep_loss");
}

static __global__ void __launch_bounds__(THREADS)
    find_scale(double *sums, float most)
{
    double sum = 0;

    for (int i = threadIdx.x; i < N_PARTS; i += THREADS) {
        sum += sums[i];
    }
    sum = sqrt(block_sum(sum));
    if (threadIdx.x == 0) {
        sums[NORM] = sum;
        sums[SCALE] = !isfinite(sum) || !isfinite(sums[LOSS]) ? NAN
                      : most > 0 && sum > (double)most ? (double)most / sum
                                                       : 1.0;
    }
}

static void cuda_clip(struct ops *o, const float *grad, size_t n, float most)
{
    struct cuda_ops *c = cuda_of(o);

    part_squares<<<N_PARTS, THREADS, 0, c->stream>>>(grad, n, c->sums);
    find_scale<<<1, THREADS, 0, c->stream>>>(c->sums, most);
    cuda__launched(c, "clip");
}

static void cuda_kept(struct ops *o, double *ret_loss, double *ret_norm)
{
    struct cuda_ops *c = cuda_of(o);
    double both[2] = {0, 0};

    o->read(o, both, c->sums + LOSS, sizeof both);
    o->zero(o, c->sums + LOSS, sizeof *both);
    *ret_loss = both[0];
    *ret_norm = both[1];
}

static __device__ inline void adamw_one(const struct ops_adamw &a, float *w,
                                        float grad, float *m, float *v)
{
    float g = grad * a.grad_scale;

    *m = a.beta1 * *m + (1.0f - a.beta1) * g;
    *v = a.beta2 * *v + (1.0f - a.beta2) * g * g;
    *w -= a.rate *
          (*m * a.correct1 / (sqrtf(*v * a.correct2) + a.eps) + a.decay * *w);
}

template <typename T>
static __global__ void adamw(struct ops_adamw a, float *w, const float *grad,
                             float *m, float *v, size_t n, T *copy,
                             bool is_aligned, const double *scale)
{
    size_t i = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 4;

    if (a.is_clipped) {
        a.grad_scale = (float)*scale;
        if (!isfinite(a.grad_scale)) {
            return;
        }
    }
    if (is_aligned && i + 4 <= n) {
        float4 w4 = get4(w + i);
        float4 g4 = get4(grad + i);
        float4 m4 = get4(m + i);
        float4 v4 = get4(v + i);

        adamw_one(a, &w4.x, g4.x, &m4.x, &v4.x);
        adamw_one(a, &w4.y, g4.y, &m4.y, &v4.y);
        adamw_one(a, &w4.z, g4.z, &m4.z, &v4.z);
        adamw_one(a, &w4.w, g4.w, &m4.w, &v4.w);
        put4(w + i, w4);
        put4(m + i, m4);
        put4(v + i, v4);
        if (copy) {
            put4(copy + i, w4);
        }
        return;
    }
    for (size_t end = i + 4; i < n && i < end; i++) {
        adamw_one(a, w + i, grad[i], m + i, v + i);
        if (copy) {
            put(copy + i, w[i]);
        }
    }
}

static void cuda_adamw(struct ops *o, const struct ops_adamw *a, float *w,
                       const float *grad, float *m, float *v, size_t n,
                       void *copy)
{
    struct cuda_ops *c = cuda_of(o);
    unsigned blocks = cuda_blocks(n, (size_t)THREADS * 4);
    /* tensors of odd widths may lie behind each other */
    bool is_aligned = (((uintptr_t)w | (uintptr_t)grad | (uintptr_t)m |
                        (uintptr_t)v | 2 * (uintptr_t)copy) &
                       15) == 0;

    if (o->type == OPS_F32) {
        adamw<<<blocks, THREADS, 0, c->stream>>>(
            *a, w, grad, m, v, n, (float *)copy, is_aligned, c->sums + SCALE);
    } else {
        adamw<<<blocks, THREADS, 0, c->stream>>>(*a, w, grad, m, v, n,
                                                 (__nv_bfloat16 *)copy,
                                                 is_aligned, c->sums + SCALE);
    }
    cuda__launched(c, "adamw");
}

void cuda__set_loss(struct ops *o)
{
    o->cross_entropy = cuda_cross_entropy;
    o->cross_entropy_here = cuda_cross_entropy_here;
    o->log_probs = cuda_log_probs;
    o->greedy = cuda_greedy;
    o->likeliest = cuda_likeliest;
    o->embed_back = cuda_embed_back;
    o->sum_squares = cuda_sum_squares;
    o->keep_loss = cuda_keep_loss;
    o->clip = cuda_clip;
    o->kept = cuda_kept;
    o->adamw = cuda_adamw;
}
