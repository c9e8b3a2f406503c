/* SPDX-License-Identifier: MIT */
/* ops_cuda_none.c -- what ops_cuda.h says where there is no CUDA. */
#include "cwm/model/ops_cuda.h"

enum cwm_rc ops_cuda_new(const struct ops_cuda_options *options,
                         struct ops **ret_ops, struct cwm_err *err)
{
    (void)options, (void)ret_ops;
    return CWM_FAIL(err, CWM_MISSING,
                    "cannot use a GPU: this program was built without CUDA\n"
                    "with CUDA 12.3 or newer installed, cmake -DCWM_CUDA=ON "
                    "builds one that can; --device cpu needs none");
}

bool ops_cuda_is_there(void)
{
    return false;
}
