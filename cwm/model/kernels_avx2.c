/* SPDX-License-Identifier: MIT */
/* kernels_avx2.c -- the inner loops for AVX2 and fused multiply-add. */
#define KERNELS      kernels_avx2
#define KERNELS_TEXT "avx2"
#include "cwm/model/kernels_body.h"
