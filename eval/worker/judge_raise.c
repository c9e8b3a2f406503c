/* SPDX-License-Identifier: MIT */
/* judge_raise.c -- see judge_raise.h. */
#include "eval/worker/judge_raise.h"

#include "eval/worker/judge_link.h"

static bool take_text(const uint8_t **at, const uint8_t *end,
                      const char **ret_text, size_t *ret_len)
{
    uint32_t len;

    if (!link_get_u32(at, end, &len) || len > (size_t)(end - *at)) {
        return false;
    }
    *ret_text = (const char *)*at;
    *ret_len = len;
    *at += len;
    return true;
}

/* The exception of its arguments, where it says the same then; owned, or NULL
 * without an error. */
static PyObject *make_again(struct judge_side *side, PyObject *type,
                            PyObject *what, const uint8_t *at,
                            const uint8_t *end)
{
    PyObject *args = judge_value_read(side, &at, end); /* owned */
    PyObject *made =                                   /* owned */
        args && PyTuple_CheckExact(args) ? PyObject_CallObject(type, args)
                                         : NULL;
    PyObject *text = made ? PyObject_Str(made) : NULL; /* owned */

    if (!text || PyUnicode_Compare(text, what) != 0) {
        Py_CLEAR(made);
    }
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(args);
    return made;
}

void judge_raise(struct judge_side *side, const uint8_t *at, const uint8_t *end)
{
    const char *name;
    const char *text;
    size_t name_len;
    size_t text_len;
    PyObject *key;  /* owned */
    PyObject *type; /* borrowed */
    PyObject *what; /* owned */

    if (!take_text(&at, end, &name, &name_len) ||
        !take_text(&at, end, &text, &text_len)) {
        PyErr_SetString(PyExc_ValueError, "an answer that breaks off");
        return;
    }
    key = PyUnicode_DecodeUTF8(name, (Py_ssize_t)name_len, "replace");
    what = PyUnicode_DecodeUTF8(text, (Py_ssize_t)text_len, "replace");
    type = key ? PyDict_GetItem(PyEval_GetBuiltins(), key) : NULL;
    if (!type || !PyExceptionClass_Check(type)) {
        type = PyExc_Exception;
    }
    if (what) {
        PyObject *made =
            at < end ? make_again(side, type, what, at, end) : NULL;

        PyErr_SetObject(type, made ? made : what);
        Py_XDECREF(made);
    }
    Py_XDECREF(key);
    Py_XDECREF(what);
}
