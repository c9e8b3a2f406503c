/* SPDX-License-Identifier: MIT */
/*
 * shadow.h -- fingerprints of a small container and all within.
 *
 * A container that did not change is the common case while others do, and to
 * compare fingerprints is several times faster than to render it again.  As
 * with value_same(), a match is a proof: structure, order and every value are
 * compared, no address is believed.
 *
 * Threads: with the GIL held.
 */
#ifndef TRACER_WORKER_SHADOW_H
#define TRACER_WORKER_SHADOW_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "tracer/worker/value.h"

struct shadow {
    struct value_snapshot *items; /* owned; NULL until the first is taken */
    uint32_t n;                   /* 0: there is no shadow */
};

void shadow_release(struct shadow *s);

/* Forget. */
static inline void shadow_clear(struct shadow *s)
{
    s->n = 0;
}

/* Try to take one of `value`; it may be too large or of another kind. */
void shadow_take(struct shadow *s, const struct value_writer *w,
                 PyObject *value);

/* True when there is one and it proves that the text is the same. */
bool shadow_matches(const struct shadow *s, const struct value_writer *w,
                    PyObject *value);

#endif /* TRACER_WORKER_SHADOW_H */
