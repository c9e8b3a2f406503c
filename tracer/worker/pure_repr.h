/* SPDX-License-Identifier: MIT */
/*
 * pure_repr.h -- the __repr__ of a class, written without running it, where
 * its source shows that it has no side effects.
 */
#ifndef TRACER_WORKER_PURE_REPR_H
#define TRACER_WORKER_PURE_REPR_H

#include <Python.h>

#include <stdbool.h>
#include <stddef.h>

struct pure_repr; /* opaque: pure_repr.c */
struct value_writer;

struct pure_repr *pure_repr_new(void);    /* NULL when memory is short */
void pure_repr_free(struct pure_repr *p); /* NULL is fine */
/* As value_writer_renew(). */
bool pure_repr_renew(struct pure_repr *p);
/* As value_writer_set_program(). */
void pure_repr_set_program(struct pure_repr *p, const char *source,
                           size_t source_len, PyObject *filename);

/*
 * During a walk: an object whose class has a __repr__ in Python.  What cannot
 * be shown free of side effects goes to contain_open().
 */
void pure_repr_open(struct value_writer *w, PyObject *value);

#endif /* TRACER_WORKER_PURE_REPR_H */
