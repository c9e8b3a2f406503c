/* SPDX-License-Identifier: MIT */
/* rope_freqs.h -- how fast each pair of channels turns with the position. */
#ifndef CWM_MODEL_ROPE_FREQS_H
#define CWM_MODEL_ROPE_FREQS_H

#include "cwm/model/config.h"

/* freqs [D/2]: theta^(-2i/D), scaled where the config asks for it. */
void rope_freqs(const struct model_config *c, float *freqs);

#endif /* CWM_MODEL_ROPE_FREQS_H */
