/* SPDX-License-Identifier: MIT */
/*
 * value_attr.h -- reading an attribute where that provably runs no code of the
 * program and leaves no trace in the object.
 */
#ifndef TRACER_WORKER_VALUE_ATTR_H
#define TRACER_WORKER_VALUE_ATTR_H

#include <Python.h>

#include <stdbool.h>

enum value_attr {
    VALUE_ATTR_FOUND,
    VALUE_ATTR_MISSING, /* reading it raises AttributeError */
    VALUE_ATTR_UNSAFE,  /* a descriptor or hook would have to be asked */
};

/* Before any other of these, before the program's code runs. */
void value_attr_init(void);

/*
 * What stands under `name` (ASCII) in the object's own attributes; borrowed,
 * NULL when nothing does.  Does not make the object's dict.
 */
PyObject *value_own_attr(PyObject *object, const char *name);

/* object.name (an exact str); *ret_value is borrowed and set when found. */
enum value_attr value_plain_attr(PyObject *object, PyObject *name,
                                 PyObject **ret_value);

/* True when object.__class__ is what Py_TYPE() says. */
bool value_class_is_plain(PyTypeObject *type);
/* True when type.__name__ and type.__qualname__ are the type's own. */
bool value_type_names_are_plain(PyTypeObject *type);
/*
 * What the type's classes hold under `name`, in the order of its MRO;
 * borrowed, NULL for nothing.
 */
PyObject *value_type_lookup(PyTypeObject *type, PyObject *name);

#endif /* TRACER_WORKER_VALUE_ATTR_H */
