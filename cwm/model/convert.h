/* SPDX-License-Identifier: MIT */
/* convert.h -- a checkpoint with weights of another type. */
#ifndef CWM_MODEL_CONVERT_H
#define CWM_MODEL_CONVERT_H

#include "cwm/base/err.h"
#include "cwm/model/safetensors.h"

/*
 * Write FROM's model as the new folder TO: config.json, model.safetensors,
 * and FROM's tokenizer where it has one.  TENSOR_I8: matrices in 8 bits with
 * their scales (docs/formats.md, 12), all else fp32.  The new weights are held
 * in memory until they are written.
 *
 * Fails: CWM_USAGE (TO is there, or cannot be made), CWM_FORMAT (also a value
 * that is not finite), CWM_IO, CWM_LIMIT, CWM_NOMEM; then there is no TO.
 */
enum cwm_rc convert_checkpoint(const char *from, const char *to,
                               enum tensor_type type, struct cwm_err *err);

#endif /* CWM_MODEL_CONVERT_H */
