/* SPDX-License-Identifier: MIT */
/* kernels_base.c -- the inner loops for any x86-64, or another machine
 * altogether. */
#define KERNELS      kernels_base
#define KERNELS_TEXT "base"
#include "cwm/model/kernels_body.h"

const struct kernels *kernels_pick(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma")) {
        return &kernels_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return &kernels_avx2;
    }
#endif
    return &kernels_base;
}
