/* SPDX-License-Identifier: MIT */
/* kernels_avx512.c -- the inner loops for AVX-512 as every server since 2017
 * has it. */
#define KERNELS      kernels_avx512
#define KERNELS_TEXT "avx512"
#include "cwm/model/kernels_body.h"
