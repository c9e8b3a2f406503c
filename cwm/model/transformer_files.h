/* SPDX-License-Identifier: MIT */
/* transformer_files.h -- a transformer's vectors as named tensors in files. */
#ifndef CWM_MODEL_TRANSFORMER_FILES_H
#define CWM_MODEL_TRANSFORMER_FILES_H

#include "cwm/model/safetensors.h"
#include "cwm/model/transformer.h"

/*
 * Write one of the flat vectors (t->weights, t->moments1, ...) to `path` as
 * fp32, or bf16 where `type` says so, by the tensors' names, in the order in
 * which Hugging Face sorts them; at once or not at all.  Fails: CWM_IO,
 * CWM_NOMEM.
 */
enum cwm_rc transformer_write(struct transformer *t, const float *vector,
                              enum tensor_type type, const char *path,
                              struct cwm_err *err);
/* The other way round, from an open file.  Fails: CWM_FORMAT (a tensor is not
 * there, of another shape, or has a value that is not finite), CWM_NOMEM. */
enum cwm_rc transformer_read(struct transformer *t,
                             const struct safetensors *file, float *vector,
                             struct cwm_err *err);

#endif /* CWM_MODEL_TRANSFORMER_FILES_H */
