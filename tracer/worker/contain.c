/* SPDX-License-Identifier: MIT */
/* contain.c -- see contain.h. */
#include "tracer/worker/contain.h"

#include "cwm/base/alloc.h"
#include "tracer/worker/value_walk.h"

struct contain {
    size_t max_bytes;
};

struct contain *contain_new(size_t max_value_bytes)
{
    struct contain *c = cwm_calloc(1, sizeof(*c)); /* owned */

    if (c) {
        c->max_bytes = max_value_bytes;
    }
    return c;
}

void contain_free(struct contain *c)
{
    cwm_free(c);
}

void contain_open(struct value_writer *w, PyObject *value)
{
    (void)value;
    value_fail(w, VALUE_UNSAFE);
}

void contain_walk(struct value_writer *w, PyObject *value)
{
    (void)value;
    value_fail(w, VALUE_FAILED);
}
