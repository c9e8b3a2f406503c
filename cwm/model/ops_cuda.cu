/* SPDX-License-Identifier: MIT */
/* ops_cuda.cu -- the GPU's table: the device, its memory, what went wrong. */
#include "cwm/model/ops_cuda.cuh"

#include <stdio.h>
#include <string.h>

enum {
    WORKSPACE_BYTES = 64 << 20, /* what cuBLASLt asks for on this GPU: 32 MB */
    STAGING_BYTES = 16 << 20,   /* twice: batches of 800,000 tokens */
    N_SUMS = 1024 + 4,          /* ops_cuda_loss.cu's */
};

/* Kept for others on the device, and for what the driver takes itself. */
static const size_t spare_bytes = (size_t)512 << 20;

/* ---- what goes wrong ------------------------------------------------------
 */

static void keep(struct cuda_ops *c, enum cwm_rc code, const char *what,
                 const char *why)
{
    if (!c->has_failed) {
        c->has_failed = true;
        c->code = code;
        snprintf(c->message, sizeof c->message, "the GPU failed at %s: %s",
                 what, why);
    }
}

void cuda__note(struct cuda_ops *c, cudaError_t error, const char *what)
{
    if (error != cudaSuccess) {
        keep(c, error == cudaErrorMemoryAllocation ? CWM_NOMEM : CWM_SYSTEM,
             what, cudaGetErrorString(error));
    }
}

void cuda__note_product(struct cuda_ops *c, cublasStatus_t status,
                        const char *what)
{
    if (status != CUBLAS_STATUS_SUCCESS) {
        keep(c, CWM_SYSTEM, what, cublasLtGetStatusString(status));
    }
}

static enum cwm_rc cuda_check(struct ops *o, struct cwm_err *err)
{
    struct cuda_ops *c = cuda_of(o);

    cuda__note(c, cudaStreamSynchronize(c->stream), "an operation");
    return c->has_failed ? CWM_FAIL(err, c->code, "%s", c->message) : CWM_OK;
}

/* ---- memory ---------------------------------------------------------------
 */

static void *cuda_alloc(struct ops *o, size_t n_bytes)
{
    struct cuda_ops *c = cuda_of(o);
    void *p = NULL;

    if (cudaMalloc(&p, n_bytes > 0 ? n_bytes : 1) != cudaSuccess) {
        cudaGetLastError(); /* told by the NULL */
        return NULL;
    }
    cuda__note(c, cudaMemsetAsync(p, 0, n_bytes, c->stream), "clearing");
    return p;
}

static void cuda_free(struct ops *o, void *p)
{
    cuda__note(cuda_of(o), cudaFree(p), "giving memory back");
}

static void cuda_zero(struct ops *o, void *p, size_t n_bytes)
{
    struct cuda_ops *c = cuda_of(o);

    cuda__note(c, cudaMemsetAsync(p, 0, n_bytes, c->stream), "clearing");
}

/* Room in pinned memory, from where a copy does not hold the caller up.  It is
 * two halves: one is filled while the other's copies may still be under way. */
static void *stage(struct cuda_ops *c, size_t n_bytes)
{
    char *half;

    if (c->n_staged + n_bytes > STAGING_BYTES) {
        cuda__note(c, cudaEventRecord(c->staged[c->staging_half], c->stream),
                   "writing");
        c->staging_half = !c->staging_half;
        c->n_staged = 0;
        cuda__note(c, cudaEventSynchronize(c->staged[c->staging_half]),
                   "writing");
    }
    half = (char *)c->staging + c->staging_half * (size_t)STAGING_BYTES;
    half += c->n_staged;
    c->n_staged += (n_bytes + 63) / 64 * 64;
    return half;
}

static void cuda_write(struct ops *o, void *to, const void *from,
                       size_t n_bytes)
{
    struct cuda_ops *c = cuda_of(o);

    if (n_bytes <= STAGING_BYTES / 4) {
        void *staged = stage(c, n_bytes);

        memcpy(staged, from, n_bytes);
        from = staged;
    }
    cuda__note(
        c,
        cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyHostToDevice, c->stream),
        "writing");
}

static void cuda_read(struct ops *o, void *to, const void *from, size_t n_bytes)
{
    struct cuda_ops *c = cuda_of(o);

    cuda__note(
        c,
        cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyDeviceToHost, c->stream),
        "reading");
    cuda__note(c, cudaStreamSynchronize(c->stream), "an operation");
}

static void cuda_fetch(struct ops *o, unsigned slot, const void *from,
                       size_t n_bytes)
{
    struct cuda_ops *c = cuda_of(o);
    char *to = (char *)c->fetches + slot * (size_t)OPS_FETCH_BYTES;

    cuda__note(
        c,
        cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyDeviceToHost, c->stream),
        "reading");
    cuda__note(c, cudaEventRecord(c->are_there[slot], c->stream), "reading");
}

static enum cwm_rc cuda_fetched(struct ops *o, unsigned slot, void *to,
                                size_t n_bytes, struct cwm_err *err)
{
    struct cuda_ops *c = cuda_of(o);

    cuda__note(c, cudaEventSynchronize(c->are_there[slot]), "an operation");
    memcpy(to, (char *)c->fetches + slot * (size_t)OPS_FETCH_BYTES, n_bytes);
    return c->has_failed ? CWM_FAIL(err, c->code, "%s", c->message) : CWM_OK;
}

static size_t cuda_memory_left(struct ops *o)
{
    size_t n_free = 0;
    size_t n_all = 0;

    cuda__note(cuda_of(o), cudaMemGetInfo(&n_free, &n_all), "asking for room");
    return n_free > spare_bytes ? n_free - spare_bytes : 0;
}

/* ---- a recorded sequence of calls -----------------------------------------
 */

static void cuda_record(struct ops *o)
{
    struct cuda_ops *c = cuda_of(o);

    cuda__note(
        c, cudaStreamBeginCapture(c->stream, cudaStreamCaptureModeThreadLocal),
        "recording");
}

static void cuda_record_end(struct ops *o)
{
    struct cuda_ops *c = cuda_of(o);
    cudaGraph_t graph = NULL;

    cuda__note(c, cudaStreamEndCapture(c->stream, &graph), "recording");
    if (c->graph) {
        cuda__note(c, cudaGraphExecDestroy(c->graph), "recording");
        c->graph = NULL;
    }
    if (graph) {
        cuda__note(c, cudaGraphInstantiate(&c->graph, graph, 0), "recording");
        cuda__note(c, cudaGraphDestroy(graph), "recording");
    }
}

static void cuda_replay(struct ops *o)
{
    struct cuda_ops *c = cuda_of(o);

    if (c->graph) {
        cuda__note(c, cudaGraphLaunch(c->graph, c->stream), "replaying");
    }
}

/* ---- life -----------------------------------------------------------------
 */

static void cuda_release(struct ops *o)
{
    struct cuda_ops *c = cuda_of(o);

    if (c->stream) {
        cudaStreamSynchronize(c->stream);
    }
    cuda__free_plans(c);
    if (c->graph) {
        cudaGraphExecDestroy(c->graph);
    }
    if (c->lt) {
        cublasLtDestroy(c->lt);
    }
    for (int i = 0; i < 2; i++) {
        if (c->staged[i]) {
            cudaEventDestroy(c->staged[i]);
        }
        if (c->are_there[i]) {
            cudaEventDestroy(c->are_there[i]);
        }
    }
    cudaFreeHost(c->staging);
    cudaFreeHost(c->fetches);
    cudaFree(c->wide);
    cudaFree(c->workspace);
    cudaFree(c->sums);
    cudaFree(c->partials);
    cudaFree(c->firsts);
    cudaFree(c->numbers);
    cudaFree(c->fixed);
    if (c->stream) {
        cudaStreamDestroy(c->stream);
    }
    cwm_free(c);
}

static enum cwm_rc check_device(int device, struct cwm_err *err)
{
    struct gpu_seen seen = {.driver = 0, .runtime = 0};
    cudaDeviceProp p;
    cudaError_t error = cudaDriverGetVersion(&seen.driver);

    cudaRuntimeGetVersion(&seen.runtime);
    if (error != cudaSuccess) {
        seen.driver = 0;
    }
    error = cudaGetDeviceCount(&seen.n_gpus);
    seen.is_driver_old = error == cudaErrorInsufficientDriver;
    seen.why_none = error == cudaSuccess ? NULL : cudaGetErrorString(error);
    seen.wanted = device;
    if (error == cudaSuccess && device >= 0 && device < seen.n_gpus) {
        if (cudaGetDeviceProperties(&p, device) != cudaSuccess) {
            return CWM_FAIL(err, CWM_SYSTEM, "could not ask GPU %d what it is",
                            device);
        }
        seen.name = p.name;
        seen.major = p.major;
        seen.minor = p.minor;
    }
    return gpu_check(&seen, err);
}

static enum cwm_rc set_up(struct cuda_ops *c, int device, struct cwm_err *err)
{
    if (cudaSetDevice(device) != cudaSuccess ||
        cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking) !=
            cudaSuccess ||
        cublasLtCreate(&c->lt) != CUBLAS_STATUS_SUCCESS) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not set up GPU %d: %s", device,
                        cudaGetErrorString(cudaGetLastError()));
    }
    if (cudaMalloc(&c->workspace, WORKSPACE_BYTES) != cudaSuccess ||
        cudaMalloc(&c->sums, N_SUMS * sizeof *c->sums) != cudaSuccess ||
        cudaMemsetAsync(c->sums, 0, N_SUMS * sizeof *c->sums, c->stream) !=
            cudaSuccess) {
        return CWM_FAIL(err, CWM_NOMEM, "could not take memory of GPU %d",
                        device);
    }
    if (cudaMallocHost(&c->staging, 2 * STAGING_BYTES) != cudaSuccess ||
        cudaMallocHost(&c->fetches, 2 * OPS_FETCH_BYTES) != cudaSuccess) {
        return CWM_FAIL(err, CWM_NOMEM, "could not pin memory for GPU %d",
                        device);
    }
    for (int i = 0; i < 2; i++) {
        if (cudaEventCreateWithFlags(&c->staged[i], cudaEventDisableTiming) !=
                cudaSuccess ||
            cudaEventCreateWithFlags(&c->are_there[i],
                                     cudaEventDisableTiming) != cudaSuccess) {
            return CWM_FAIL(err, CWM_NOMEM, "could not make events of GPU %d",
                            device);
        }
    }
    return CWM_OK;
}

extern "C" bool ops_cuda_is_there(void)
{
    return check_device(0, NULL) == CWM_OK;
}

extern "C" enum cwm_rc ops_cuda_new(const struct ops_cuda_options *options,
                                    struct ops **ret_ops, struct cwm_err *err)
{
    enum cwm_rc rc = check_device(options->device, err);
    struct cuda_ops *c; /* owned */
    struct ops *o;

    if (rc != CWM_OK) {
        return rc;
    }
    c = (struct cuda_ops *)cwm_calloc(1, sizeof *c);
    if (!c) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a GPU's table");
    }
    o = &c->o;
    o->name = "cuda";
    o->type = options->type;
    c->is_deterministic = options->is_deterministic;
    o->n_logits_at_once = (size_t)1 << 27;
    o->alloc = cuda_alloc;
    o->free = cuda_free;
    o->zero = cuda_zero;
    o->write = cuda_write;
    o->read = cuda_read;
    o->fetch = cuda_fetch;
    o->fetched = cuda_fetched;
    o->check = cuda_check;
    o->memory_left = cuda_memory_left;
    o->record = cuda_record;
    o->record_end = cuda_record_end;
    o->replay = cuda_replay;
    o->release = cuda_release;
    cuda__set_gemm(o);
    cuda__set_rows(o);
    cuda__set_loss(o);
    cuda__set_attention(o);
    if (o->type == OPS_BF16) { /* half the bytes of all norms */
        cuda__set_stream(o);
    }
    if (o->type == OPS_BF16 && options->is_narrow) {
        cuda__set_narrow(o);
    }
    cuda__set_cache(o);
    rc = set_up(c, options->device, err);
    if (rc != CWM_OK) {
        cuda_release(o);
        return rc;
    }
    *ret_ops = o;
    return CWM_OK;
}
