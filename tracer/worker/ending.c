/* SPDX-License-Identifier: MIT */
/* ending.c -- result or exception into the END record. */
#include "tracer/worker/ending.h"

#include <opcode.h>
#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/worker/hook.h"
#include "tracer/worker/scope.h"

void ending_internal(struct record_writer *records, const char *what)
{
    struct record_end end = {.reason = TRACE_END_INTERNAL,
                             .detail = what,
                             .detail_len = strlen(what)};
    PyErr_Clear();
    record_finish(records, &end);
}

/* The text of an object through value.h; owned (cwm_free()). */
static char *render(struct value_writer *values, PyObject *object,
                    size_t max_value_bytes, size_t *ret_len, bool *ret_cut)
{
    uint8_t *text = cwm_malloc(max_value_bytes + 4);
    if (text)
        *ret_len =
            value_render(values, object, text, max_value_bytes + 4, ret_cut);
    return (char *)text;
}

/*
 * The message, as str(exception) has it where that runs none of the program's
 * code; else the text of the arguments.
 */
static char *message_text(struct value_writer *values, PyObject *value,
                          size_t max_value_bytes, size_t *ret_len)
{
    bool is_cut;
    PyObject *args = ((PyBaseExceptionObject *)value)->args; /* borrowed */
    reprfunc to_text = Py_TYPE(value)->tp_str;
    PyTypeObject *base = (PyTypeObject *)PyExc_BaseException;
    if (!args)
        return cwm_strdup("");
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    if (to_text == base->tp_str && n == 0) {
        *ret_len = 0;
        return cwm_strdup("");
    }
    if (n == 1 && PyUnicode_CheckExact(PyTuple_GET_ITEM(args, 0)) &&
        to_text == base->tp_str)
        return scope_text(PyTuple_GET_ITEM(args, 0), ret_len);
    bool is_plain = true;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *arg = PyTuple_GET_ITEM(args, i);
        is_plain &= PyUnicode_CheckExact(arg) || PyLong_CheckExact(arg) ||
                    arg == Py_None;
    }
    /* The built-in exceptions' own, over plain arguments. */
    if (is_plain && !(Py_TYPE(value)->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        PyObject *text = PyObject_Str(value); /* owned */
        if (text) {
            char *copy = scope_text(text, ret_len);
            Py_DECREF(text);
            return copy;
        }
        PyErr_Clear();
    }
    if (n == 1)
        return render(values, PyTuple_GET_ITEM(args, 0), max_value_bytes,
                      ret_len, &is_cut);
    return render(values, args, max_value_bytes, ret_len, &is_cut);
}

/* A class's name without its module; owned. */
static char *type_name(PyObject *type, size_t *ret_len)
{
    if (((PyTypeObject *)type)->tp_flags & Py_TPFLAGS_HEAPTYPE)
        return scope_text(((PyHeapTypeObject *)type)->ht_qualname, ret_len);
    const char *name = ((PyTypeObject *)type)->tp_name;
    const char *dot = strrchr(name, '.');
    name = dot ? dot + 1 : name;
    *ret_len = strlen(name);
    return cwm_strdup(name);
}

/* The bytes of the instructions; owned. */
static PyObject *code_bytes(PyCodeObject *code)
{
#if PY_VERSION_HEX >= 0x030B0000
    return PyCode_GetCode(code);
#else
    Py_INCREF(code->co_code);
    return code->co_code;
#endif
}

/*
 * Was it a `raise` statement that made the exception, and not an allocation
 * that was refused?  The last entry of the traceback is where it came from.
 */
static bool is_raised_by_hand(PyObject *traceback)
{
    PyTracebackObject *at = (PyTracebackObject *)traceback; /* borrowed */
    bool by_hand = false;
    if (!traceback || !PyTraceBack_Check(traceback))
        return false;
    while (at->tb_next)
        at = at->tb_next;
    PyCodeObject *code = PyFrame_GetCode(at->tb_frame); /* owned */
    PyObject *bytes = code_bytes(code);                 /* owned */
    if (bytes && at->tb_lasti >= 0 && at->tb_lasti < PyBytes_GET_SIZE(bytes))
        by_hand = (unsigned char)PyBytes_AS_STRING(bytes)[at->tb_lasti] ==
                  RAISE_VARARGS;
    PyErr_Clear();
    Py_XDECREF(bytes);
    Py_DECREF(code);
    return by_hand;
}

static enum trace_end_reason reason_of(PyObject *type, PyObject *traceback)
{
    if (PyErr_GivenExceptionMatches(type, PyExc_SystemExit))
        return TRACE_END_EXIT;
    if (PyErr_GivenExceptionMatches(type, PyExc_MemoryError) &&
        !is_raised_by_hand(traceback))
        return TRACE_END_MEMORY;
    return TRACE_END_EXCEPTION;
}

/* An attribute of a SyntaxError that is an int, or 0. */
static long number_of(PyObject *value, const char *name)
{
    PyObject *attribute = PyObject_GetAttrString(value, name); /* owned */
    long number = 0;
    if (attribute && PyLong_CheckExact(attribute))
        number = PyLong_AsLong(attribute);
    PyErr_Clear();
    Py_XDECREF(attribute);
    return number;
}

/* Fills message and detail from a SyntaxError; both owned by the caller. */
static void describe_syntax_error(PyObject *value, char **ret_message,
                                  size_t *ret_message_len, char *detail,
                                  size_t detail_size)
{
    PyObject *text = PyObject_GetAttrString(value, "msg"); /* owned */
    if (text && PyUnicode_CheckExact(text))
        *ret_message = scope_text(text, ret_message_len);
    PyErr_Clear();
    Py_XDECREF(text);
    long line = number_of(value, "lineno");
    if (line > 0)
        snprintf(detail, detail_size, "%ld:%ld", line,
                 number_of(value, "offset"));
}

void ending_describe(struct value_writer *values, PyObject *type,
                     PyObject *value, size_t max_value_bytes, char **ret_type,
                     size_t *ret_type_len, char **ret_message,
                     size_t *ret_message_len)
{
    *ret_type_len = 0;
    *ret_message_len = 0;
    *ret_type =
        PyType_Check(type) ? type_name(type, ret_type_len) : cwm_strdup("");
    *ret_message =
        PyExceptionInstance_Check(value)
            ? message_text(values, value, max_value_bytes, ret_message_len)
            : cwm_strdup("");
}

static void write_exception(const struct ending *ending,
                            struct record_writer *records,
                            struct value_writer *values, size_t max_value_bytes)
{
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    struct record_end end = {.reason = ending->reason};
    char *name = NULL;      /* owned */
    char *message = NULL;   /* owned */
    char *code_text = NULL; /* owned */
    char where[64] = "";
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    enum trace_end_reason reason = reason_of(type, traceback);
    if (end.reason == TRACE_END_NONE ||
        (end.reason == TRACE_END_MODULE_EXCEPTION &&
         reason != TRACE_END_EXCEPTION))
        end.reason = reason;
    name = type_name(type, &end.exception_type_len);
    if ((end.reason == TRACE_END_SYNTAX_ERROR ||
         end.reason == TRACE_END_BAD_ARGS) &&
        PyErr_GivenExceptionMatches(type, PyExc_SyntaxError))
        describe_syntax_error(value, &message, &end.exception_message_len,
                              where, sizeof(where));
    if (!message)
        message = message_text(values, value, max_value_bytes,
                               &end.exception_message_len);
    end.exception_type = name ? name : "";
    end.exception_message = message;
    if (where[0] && end.reason == TRACE_END_SYNTAX_ERROR) {
        end.detail = where;
        end.detail_len = strlen(where);
    } else if (end.reason == TRACE_END_EXIT) {
        bool is_cut;
        PyObject *code = ((PySystemExitObject *)value)->code; /* borrowed */
        code_text = render(values, code ? code : Py_None, max_value_bytes,
                           &end.detail_len, &is_cut);
        end.detail = code_text;
    }
    record_finish(records, &end);
    cwm_free(code_text);
    cwm_free(message);
    cwm_free(name);
    PyErr_Restore(type, value, traceback);
}

void ending_write(const struct ending *ending, struct record_writer *records,
                  struct value_writer *values, PyObject *result,
                  size_t max_value_bytes)
{
    if (!result) {
        write_exception(ending, records, values, max_value_bytes);
        return;
    }
    struct record_end end = {.reason = TRACE_END_OK};
    char *text = NULL; /* owned */
    end.result =
        (const char *)hook_result(result, &end.result_len, &end.result_cut);
    if (!end.result) {
        text = render(values, result, max_value_bytes, &end.result_len,
                      &end.result_cut);
        end.result = text;
    }
    record_finish(records, &end);
    cwm_free(text);
}
