/* SPDX-License-Identifier: MIT */
/*
 * weights.h -- all tensors of a checkpoint, in one file or in several.
 *
 * FOLDER/model.safetensors, or where that is not there the files that
 * FOLDER/model.safetensors.index.json names: {"weight_map": {"TENSOR":
 * "FILE", ...}}, each a plain name in the same folder.
 *
 * Threads: open weights do not change and are shared.
 */
#ifndef CWM_MODEL_WEIGHTS_H
#define CWM_MODEL_WEIGHTS_H

#include "cwm/base/err.h"
#include "cwm/model/safetensors.h"

struct weights; /* opaque: weights.c */

/*
 * Fails: CWM_IO, CWM_FORMAT (also when a file does not hold what the index
 * says), CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc weights_open(const char *folder, struct weights **ret_weights,
                         struct cwm_err *err);
void weights_close(struct weights *w); /* NULL is fine */

/* Borrowed; NULL: none has this name. */
const struct tensor *weights_find(const struct weights *w, const char *name);
/* As safetensors_forget(); a tensor that is none of theirs is left alone. */
void weights_forget(const struct weights *w, const struct tensor *t);

#endif /* CWM_MODEL_WEIGHTS_H */
