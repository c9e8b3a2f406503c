/* SPDX-License-Identifier: MIT */
/* quantize.h -- weights of 8 bits, each row with a scale of its own. */
#ifndef CWM_MODEL_QUANTIZE_H
#define CWM_MODEL_QUANTIZE_H

#include <stddef.h>
#include <stdint.h>

/*
 * row [n], all finite, to the nearest of 255 steps of its largest: to [n].
 * Returns the scale: row[i] is about to[i] * scale.
 */
float quantize_row(const float *row, size_t n, int8_t *to);

#endif /* CWM_MODEL_QUANTIZE_H */
