/* SPDX-License-Identifier: MIT */
/*
 * judge_value_read.c -- bytes read as Python values: nothing of them is
 * believed.  The format is in judge_value_internal.h.
 */
#include "eval/worker/judge_value.h"

#include <marshal.h>
#include <string.h>

#include "eval/worker/judge_link.h"
#include "eval/worker/judge_value_internal.h"

static PyObject *get(struct judge_side *side, const uint8_t **at,
                     const uint8_t *end, int depth);

static PyObject *broken(void)
{
    PyErr_SetString(PyExc_ValueError, "an answer that is no value");
    return NULL;
}

/* n bytes at *at; NULL with an error when they are not there. */
static const uint8_t *take(const uint8_t **at, const uint8_t *end, size_t n)
{
    const uint8_t *p = *at;

    if ((size_t)(end - p) < n) {
        (void)broken();
        return NULL;
    }
    *at = p + n;
    return p;
}

static PyObject *get_int(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = take(at, end, 8);
    unsigned long long value = 0;

    if (!p) {
        return NULL;
    }
    for (int i = 0; i < 8; i++) {
        value |= (unsigned long long)p[i] << (8 * i);
    }
    return PyLong_FromLongLong((long long)value);
}

static PyObject *get_large_int(const uint8_t *data, size_t len)
{
    PyObject *text = /* owned */
        PyUnicode_DecodeASCII((const char *)data, (Py_ssize_t)len, NULL);
    PyObject *value = text ? PyLong_FromUnicodeObject(text, 16) : NULL;

    Py_XDECREF(text);
    return value;
}

static PyObject *get_doubles(const uint8_t **at, const uint8_t *end, bool two)
{
    double parts[2] = {0, 0};
    const size_t len = two ? 2 * sizeof(double) : sizeof(double);
    const uint8_t *p = take(at, end, len);

    if (!p) {
        return NULL;
    }
    memcpy(parts, p, len);
    return two ? PyComplex_FromDoubles(parts[0], parts[1])
               : PyFloat_FromDouble(parts[0]);
}

static PyObject *get_class(const uint8_t *data, size_t len)
{
    PyObject *name = /* owned */
        PyUnicode_DecodeASCII((const char *)data, (Py_ssize_t)len, NULL);
    PyObject *found = /* borrowed */
        name ? PyDict_GetItemWithError(PyEval_GetBuiltins(), name) : NULL;

    Py_XDECREF(name);
    if (!found || !PyType_Check(found)) {
        return PyErr_Occurred() ? NULL : broken();
    }
    Py_INCREF(found);
    return found;
}

static PyObject *get_bytes(char tag, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *data = NULL;
    uint32_t len;

    if (link_get_u32(at, end, &len)) {
        data = take(at, end, len);
    } else {
        (void)broken();
    }
    if (!data) {
        return NULL;
    }
    switch (tag) {
    case 's':
        return PyUnicode_DecodeUTF8((const char *)data, (Py_ssize_t)len,
                                    "surrogatepass");
    case 'b':
        return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)len);
    case 'y':
        return PyByteArray_FromStringAndSize((const char *)data,
                                             (Py_ssize_t)len);
    case 'I':
        return get_large_int(data, len);
    default:
        return get_class(data, len);
    }
}

static bool add_item(PyObject *to, char tag, Py_ssize_t i, PyObject *item)
{
    if (tag == 'l') {
        PyList_SET_ITEM(to, i, item); /* steals */
        return true;
    }
    if (tag == 't') {
        PyTuple_SET_ITEM(to, i, item); /* steals */
        return true;
    }
    if (PySet_Add(to, item) < 0) { /* a new frozenset may be filled */
        Py_DECREF(item);
        return false;
    }
    Py_DECREF(item);
    return true;
}

static PyObject *get_items(struct judge_side *side, char tag,
                           const uint8_t **at, const uint8_t *end, int depth)
{
    PyObject *result;
    uint32_t n;

    /* A value takes a byte at least. */
    if (!link_get_u32(at, end, &n) || n > (size_t)(end - *at)) {
        return broken();
    }
    result = tag == 'l'   ? PyList_New((Py_ssize_t)n)
             : tag == 't' ? PyTuple_New((Py_ssize_t)n)
             : tag == 'S' ? PySet_New(NULL)
                          : PyFrozenSet_New(NULL);
    for (uint32_t i = 0; result && i < n; i++) {
        PyObject *item = get(side, at, end, depth + 1);

        if (!item || !add_item(result, tag, (Py_ssize_t)i, item)) {
            Py_DECREF(result);
            return NULL;
        }
    }
    return result;
}

static PyObject *get_dict(struct judge_side *side, const uint8_t **at,
                          const uint8_t *end, int depth)
{
    PyObject *result = PyDict_New();
    uint32_t n;

    if (!link_get_u32(at, end, &n)) {
        Py_XDECREF(result);
        return broken();
    }
    for (uint32_t i = 0; result && i < n; i++) {
        PyObject *key = get(side, at, end, depth + 1);               /* owned */
        PyObject *item = key ? get(side, at, end, depth + 1) : NULL; /* owned */

        if (!item || PyDict_SetItem(result, key, item) < 0) {
            Py_DECREF(result);
            result = NULL;
        }
        Py_XDECREF(key);
        Py_XDECREF(item);
    }
    return result;
}

static PyObject *get_library(struct judge_side *side, const uint8_t **at,
                             const uint8_t *end, int depth)
{
    const uint8_t *which = take(at, end, 1);
    PyObject *result = NULL;
    PyObject *parts; /* owned */

    if (!which || *which >= JUDGE_N_LIBRARY) {
        return which ? broken() : NULL;
    }
    parts = get(side, at, end, depth + 1);
    if (!parts) {
        return NULL;
    }
    if (*which == JUDGE_COUNTER || *which == JUDGE_ORDERED_DICT) {
        result = PyDict_CheckExact(parts)
                     ? PyObject_CallOneArg(
                           (PyObject *)judge__library_class(*which), parts)
                     : broken();
    } else {
        result = PyTuple_CheckExact(parts)
                     ? PyObject_CallObject(
                           (PyObject *)judge__library_class(*which), parts)
                     : broken();
    }
    Py_DECREF(parts);
    return result;
}

/* Trusted bytes: only the tester sends them. */
static PyObject *get_function(const struct judge_side *side, const uint8_t **at,
                              const uint8_t *end)
{
    const uint8_t *data = NULL;
    PyObject *code; /* owned */
    PyObject *function = NULL;
    uint32_t len;

    if (!side->is_agent || !side->names || !link_get_u32(at, end, &len)) {
        return broken();
    }
    data = take(at, end, len);
    code = data ? PyMarshal_ReadObjectFromString((const char *)data,
                                                 (Py_ssize_t)len)
                : NULL;
    if (code) {
        function = PyFunction_New(code, side->names);
    }
    Py_XDECREF(code);
    return function;
}

/* Only the tester sends them: in its own process `exit` would be the word of
 * whoever returned it. */
static PyObject *get_builtin(const struct judge_side *side, const uint8_t **at,
                             const uint8_t *end)
{
    PyObject *name = side->is_agent ? get_bytes('s', at, end) : broken();
    PyObject *function = /* borrowed, then owned */
        name ? PyDict_GetItemWithError(PyEval_GetBuiltins(), name) : NULL;

    Py_XDECREF(name);
    if (!function) {
        return PyErr_Occurred() ? NULL : broken();
    }
    Py_INCREF(function);
    return function;
}

/* The Remote of number `n`: always the same one. */
static PyObject *get_remote(struct judge_side *side, uint32_t n)
{
    PyObject *key = /* owned */
        PyLong_FromUnsignedLongLong(side->first + n);
    PyObject *remote = /* borrowed, then owned */
        key ? PyDict_GetItemWithError(side->remotes, key) : NULL;

    if (remote) {
        Py_INCREF(remote);
    } else if (key && !PyErr_Occurred()) {
        remote = PyObject_CallOneArg(side->remote_type, key);
        if (remote && PyDict_SetItem(side->remotes, key, remote) < 0) {
            Py_DECREF(remote);
            remote = NULL;
        }
    }
    Py_XDECREF(key);
    return remote;
}

static PyObject *get_object(struct judge_side *side, const uint8_t **at,
                            const uint8_t *end)
{
    PyObject *object;
    uint32_t n;

    if (!link_get_u32(at, end, &n) || !take(at, end, 1)) {
        return PyErr_Occurred() ? NULL : broken();
    }
    if (!side->is_agent) {
        return get_remote(side, n);
    }
    object = PyList_GetItem(side->kept, (Py_ssize_t)n); /* borrowed */
    Py_XINCREF(object);
    return object;
}

static PyObject *get_constant(char tag)
{
    PyObject *value = tag == 'N'   ? Py_None
                      : tag == 'T' ? Py_True
                      : tag == 'F' ? Py_False
                      : tag == '.' ? Py_Ellipsis
                      : tag == '!' ? Py_NotImplemented
                                   : NULL;

    if (!value) {
        return broken();
    }
    Py_INCREF(value);
    return value;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by JUDGE_MAX_DEPTH */
static PyObject *get(struct judge_side *side, const uint8_t **at,
                     const uint8_t *end, int depth)
{
    const uint8_t *tag = take(at, end, 1);

    /* A library's class takes two levels, where it took one to write. */
    if (!tag || depth > 2 * JUDGE_MAX_DEPTH + 2) {
        return tag ? broken() : NULL;
    }
    switch ((char)*tag) {
    case 'i':
        return get_int(at, end);
    case 'd':
        return get_doubles(at, end, false);
    case 'c':
        return get_doubles(at, end, true);
    case 's':
    case 'b':
    case 'y':
    case 'I':
    case 'B':
        return get_bytes((char)*tag, at, end);
    case 'l':
    case 't':
    case 'S':
    case 'Z':
        return get_items(side, (char)*tag, at, end, depth);
    case 'D':
        return get_dict(side, at, end, depth);
    case 'X':
        return get_library(side, at, end, depth);
    case 'H':
        return get_object(side, at, end);
    case 'P':
        return get_function(side, at, end);
    case 'G':
        return get_builtin(side, at, end);
    default:
        return get_constant((char)*tag);
    }
}

PyObject *judge_value_read(struct judge_side *side, const uint8_t **at,
                           const uint8_t *end)
{
    return get(side, at, end, 0);
}
