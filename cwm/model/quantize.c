/* SPDX-License-Identifier: MIT */
/* quantize.c -- see quantize.h. */
#include "cwm/model/quantize.h"

#include <math.h>

float quantize_row(const float *row, size_t n, int8_t *to)
{
    float largest = 0;
    float inverse;
    size_t i;

    for (i = 0; i < n; i++) {
        float size = fabsf(row[i]);

        largest = size > largest ? size : largest; /* all are finite */
    }
    inverse = largest > 0 ? 127.0f / largest : 0.0f;
    for (i = 0; i < n; i++) {
        to[i] = (int8_t)lrintf(row[i] * inverse);
    }
    return largest / 127.0f;
}
