/* SPDX-License-Identifier: MIT */
/* pure_repr.c -- see pure_repr.h. */
#include "tracer/worker/pure_repr.h"

#include "cwm/base/alloc.h"
#include "tracer/worker/contain.h"
#include "tracer/worker/value_walk.h"

struct pure_repr {
    const char *source; /* borrowed */
    size_t source_len;
    PyObject *filename; /* borrowed */
};

struct pure_repr *pure_repr_new(void)
{
    return cwm_calloc(1, sizeof(struct pure_repr));
}

void pure_repr_free(struct pure_repr *p)
{
    cwm_free(p);
}

void pure_repr_set_program(struct pure_repr *p, const char *source,
                           size_t source_len, PyObject *filename)
{
    p->source = source;
    p->source_len = source_len;
    p->filename = filename;
}

void pure_repr_open(struct value_writer *w, PyObject *value)
{
    contain_open(w, value);
}
