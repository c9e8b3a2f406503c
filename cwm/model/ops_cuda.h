/* SPDX-License-Identifier: MIT */
/*
 * ops_cuda.h -- the table of operations on an NVIDIA GPU.
 *
 * Where the program was built without CUDA, ops_cuda_new() fails and says so.
 */
#ifndef CWM_MODEL_OPS_CUDA_H
#define CWM_MODEL_OPS_CUDA_H

#include "cwm/model/ops.h"

struct ops_cuda_options {
    enum ops_type type;
    int device;            /* which GPU; as CUDA counts those it may see */
    bool is_deterministic; /* the same bits in every run, a little slower */
    bool is_narrow; /* where a model learns most products are of 8 bits; type is
                       OPS_BF16 */
};

/*
 * Fails: CWM_MISSING (no CUDA in this program, no GPU, a driver that is too
 * old), CWM_USAGE (a GPU that is too old or that there is not), CWM_NOMEM,
 * CWM_SYSTEM.
 */
enum cwm_rc ops_cuda_new(const struct ops_cuda_options *options,
                         struct ops **ret_ops, struct cwm_err *err);

/* Is there a GPU that ops_cuda_new() would take? */
bool ops_cuda_is_there(void);

#endif /* CWM_MODEL_OPS_CUDA_H */
