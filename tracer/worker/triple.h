/* SPDX-License-Identifier: MIT */
/*
 * triple.h -- the argument of an exception event, as text (TRACE_FORMAT
 * section 6): "(TYPE, VALUE, TRACEBACK)".
 */
#ifndef TRACER_WORKER_TRIPLE_H
#define TRACER_WORKER_TRIPLE_H

#include "tracer/worker/value.h"

/* Bytes that `text` needs. */
size_t triple_room(size_t max_value_bytes);
/*
 * Write a tuple of three to `text`, within max_value_bytes; its length.
 * *ret_cut: something was cut at that limit.
 */
size_t triple_render(struct value_writer *values, PyObject *triple,
                     size_t max_value_bytes, uint8_t *text, bool *ret_cut);

#endif /* TRACER_WORKER_TRIPLE_H */
