/* SPDX-License-Identifier: MIT */
/* value_names.c -- names of types as repr() prints them, read from memory. */
#include "tracer/worker/value_walk.h"

static bool is_heap_type(const PyTypeObject *type)
{
    return (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0;
}

/* A str, exact or not: its characters. */
static void put_raw(struct value_out *o, const PyObject *s)
{
    int kind;
    bool ascii;
    size_t n;
    const void *data = compat_str_data(s, &kind, &n, &ascii);

    if (!data) {
        return;
    }
    if (ascii) {
        value_put(o, data, n);
    } else {
        value_put_raw(o, data, kind, n);
    }
}

void value_put_raw_str(struct value_writer *w, PyObject *s)
{
    if (!s || !PyUnicode_Check(s)) {
        value_fail(w, VALUE_FAILED);
        return;
    }
    put_raw(&w->out, s);
}

void value_put_str_less_addresses(struct value_writer *w, PyObject *s)
{
    int kind;
    bool ascii;
    size_t n;
    const void *data;

    if (!s || !PyUnicode_Check(s)) {
        value_fail(w, VALUE_FAILED);
        return;
    }
    data = compat_str_data(s, &kind, &n, &ascii);
    if (!data) {
        value_fail(w, VALUE_FAILED);
        return;
    }
    value_put_less_addresses(&w->out, data, kind, n);
}

static const char *behind_last_dot(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot ? dot + 1 : name;
}

void value_put_tp_name(struct value_out *o, const PyTypeObject *type)
{
    value_puts(o, type->tp_name);
}

void value_put_short_tp_name(struct value_out *o, const PyTypeObject *type)
{
    value_puts(o, behind_last_dot(type->tp_name));
}

void value_put_type_name(struct value_out *o, const PyTypeObject *type)
{
    if (is_heap_type(type)) {
        put_raw(o, ((const PyHeapTypeObject *)type)->ht_name);
    } else {
        value_put_short_tp_name(o, type);
    }
}

/* True when `key` is an exact str of just these ASCII characters. */
static bool is_name(PyObject *key, const char *name, size_t len)
{
    int kind;
    bool ascii;
    size_t n;
    const void *data;

    if (Py_TYPE(key) != &PyUnicode_Type) {
        return false;
    }
    data = compat_str_data(key, &kind, &n, &ascii);
    return data && ascii && n == len && memcmp(data, name, n) == 0;
}

PyObject *value_dict_get(PyObject *dict, const char *name)
{
    size_t len = strlen(name);
    Py_ssize_t at = 0;
    PyObject *key;
    PyObject *value;

    while (PyDict_Next(dict, &at, &key, &value)) {
        if (is_name(key, name, len)) {
            return value;
        }
    }
    return NULL;
}

void value_put_full_name(struct value_writer *w, PyTypeObject *type)
{
    PyObject *module = NULL;

    if (is_heap_type(type) && type->tp_dict) {
        module = value_dict_get(type->tp_dict, "__module__");
    }
    if (!module || !PyUnicode_Check(module) || is_name(module, "builtins", 8)) {
        value_put_tp_name(&w->out, type);
        return;
    }
    value_put_raw_str(w, module);
    value_putc(&w->out, '.');
    value_put_raw_str(w, ((PyHeapTypeObject *)type)->ht_qualname);
}
