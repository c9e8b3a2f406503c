/* SPDX-License-Identifier: MIT */
/* device.c -- see device.h. */
#include "cwm/cli/device.h"

const char *const device_names[] = {"auto", "cpu", "cuda", NULL};

bool device_is_cuda(int device)
{
    return device == DEVICE_CUDA ||
           (device == DEVICE_AUTO && ops_cuda_is_there());
}

enum cwm_rc device_open(const struct device_options *options,
                        struct ops **ret_ops, struct cwm_err *err)
{
    const struct ops_cuda_options cuda = {.type = options->type,
                                          .device = options->gpu,
                                          .is_deterministic =
                                              options->is_deterministic,
                                          .is_narrow = options->is_narrow};

    if (device_is_cuda(options->device)) {
        return ops_cuda_new(&cuda, ret_ops, err);
    }
    if (options->is_narrow) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot compute in fp8 on a CPU\n--type bf16, or a "
                        "GPU with --device cuda, can");
    }
    return ops_cpu_new(options->type, options->n_threads, ret_ops, err);
}

/* n_rows of one rank. */
static size_t bytes_for(const struct ops *o, const struct model_config *c,
                        const struct train_settings *s, unsigned world,
                        uint32_t n_rows)
{
    return transformer_bytes_share(o, c, o->type,
                                   (size_t)n_rows * s->row_tokens, world);
}

enum cwm_rc device_check_room(struct ops *o, const struct model_config *c,
                              const struct train_settings *s, unsigned world,
                              struct cwm_err *err)
{
    size_t left = o->memory_left ? o->memory_left(o) : SIZE_MAX;
    uint32_t n_rows = s->n_rows / world;
    size_t wanted = bytes_for(o, c, s, world, n_rows);
    uint32_t n = n_rows;

    if (wanted <= left) {
        return CWM_OK;
    }
    while (n > 0 && bytes_for(o, c, s, world, n) > left) {
        n /= 2;
    }
    if (n == 0) {
        return CWM_FAIL(err, CWM_NOMEM,
                        "cannot train this model on this GPU: even one row of "
                        "%u tokens needs %zu MB, and %zu are free\na smaller "
                        "--size, or shorter rows, may do",
                        s->row_tokens, bytes_for(o, c, s, world, 1) >> 20,
                        left >> 20);
    }
    return CWM_FAIL(err, CWM_NOMEM,
                    "cannot train with batches of %u rows of %u tokens on this "
                    "GPU: %zu MB are needed, %zu are free\n--rows %u "
                    "--accumulate %u learns the same in %zu MB",
                    n_rows, s->row_tokens, wanted >> 20, left >> 20, n * world,
                    s->n_accumulate * ((n_rows + n - 1) / n),
                    bytes_for(o, c, s, world, n) >> 20);
}
