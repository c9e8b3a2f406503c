/* SPDX-License-Identifier: MIT */
/* config_write.h -- config.json, as CwmForCausalLM's own is written. */
#ifndef CWM_MODEL_CONFIG_WRITE_H
#define CWM_MODEL_CONFIG_WRITE_H

#include "cwm/base/buf.h"
#include "cwm/model/config.h"
#include "cwm/model/safetensors.h"

/* Append the file's text; `type` is that of the weights beside it.  Failures
 * are the buffer's: cwm_buf_check(). */
void config_write(const struct model_config *c, enum tensor_type type,
                  struct cwm_buf *out);

#endif /* CWM_MODEL_CONFIG_WRITE_H */
