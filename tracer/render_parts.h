/* SPDX-License-Identifier: MIT */
/*
 * render_parts.h -- what the renderers share.
 *
 * Failures of the buffer are sticky (buf.h) and looked at by the renderers.
 */
#ifndef TRACER_RENDER_PARTS_H
#define TRACER_RENDER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "tracer/record.h"

void render__add_number(struct cwm_buf *out, uint64_t n);

/* A frame's locals as one JSON object; full: never "..". */
void render__add_locals(struct cwm_buf *out, const struct trace_frame *frame,
                        bool full);

/*
 * One JSON string of bytes that a program wrote: UTF-8, and U+FFFD for each
 * longest piece that is not, as Python's "replace" decodes.
 */
void render__add_output(struct cwm_buf *out, const uint8_t *text, size_t len);

#endif /* TRACER_RENDER_PARTS_H */
