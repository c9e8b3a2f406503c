/* SPDX-License-Identifier: MIT */
/* pure_repr.c -- see pure_repr.h. */
#include "tracer/worker/pure_repr.h"

#include "cwm/base/alloc.h"
#include "tracer/worker/contain.h"
#include "tracer/worker/value_attr.h"
#include "tracer/worker/value_walk.h"

struct pure_repr {
    const char *source; /* borrowed */
    size_t source_len;
    PyObject *filename;  /* borrowed */
    PyObject *name_repr; /* owned */
};

struct pure_repr *pure_repr_new(void)
{
    struct pure_repr *p = cwm_calloc(1, sizeof(*p)); /* owned */

    if (p) {
        p->name_repr = PyUnicode_InternFromString("__repr__");
    }
    return p;
}

void pure_repr_free(struct pure_repr *p)
{
    if (p) {
        Py_XDECREF(p->name_repr);
        cwm_free(p);
    }
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
    PyObject *method; /* borrowed */

    if (w->is_scratch) {
        contain_open(w, value);
        return;
    }
    method = value_type_lookup(Py_TYPE(value), w->pure_repr->name_repr);
    if (!method || !PyFunction_Check(method) ||
        !value_library_open(w, value, (PyFunctionObject *)method)) {
        contain_open(w, value);
    }
}
