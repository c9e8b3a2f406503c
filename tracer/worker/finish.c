/* SPDX-License-Identifier: MIT */
/* finish.c -- end-of-program semantics. */
#include "tracer/worker/finish.h"

#include "tracer/worker/pyframe.h"
#include "tracer/worker/streams.h"

/* CPython's own statuses: an error, a flush that failed at the end. */
#define STATUS_ERROR 1
#define STATUS_FLUSH 120

static struct {
    PyObject *count; /* owned: atexit._ncallbacks */
    long n_atexit;   /* functions that the warm interpreter had */
} warm;

/* How many atexit functions there are; -1: it could not be found out. */
static long count_atexit(void)
{
    PyObject *n = PyObject_CallNoArgs(warm.count); /* owned */
    long count = n ? PyLong_AsLong(n) : -1;
    PyErr_Clear();
    Py_XDECREF(n);
    return count;
}

bool finish_note(void)
{
    PyObject *module = PyImport_ImportModule("atexit"); /* owned */
    if (module)
        warm.count = PyObject_GetAttrString(module, "_ncallbacks");
    Py_XDECREF(module);
    if (!warm.count)
        return false;
    warm.n_atexit = count_atexit();
    return true;
}

/* What sys.exit(VALUE) means: a status, or a text for stderr and 1. */
static int obey_exit(PyObject *value)
{
    PyObject *code = NULL; /* owned */
    int status = STATUS_ERROR;
    if (value && PyExceptionInstance_Check(value)) {
        code = PyObject_GetAttrString(value, "code");
        if (!code)
            PyErr_Clear();
    }
    if (!code) {
        Py_XINCREF(value);
        code = value;
    }
    if (!code || code == Py_None) {
        status = 0;
    } else if (PyLong_Check(code)) {
        status = (int)PyLong_AsLong(code);
        PyErr_Clear();
    } else {
        PyObject *stream = PySys_GetObject("stderr"); /* borrowed */
        if (stream && stream != Py_None)
            PyFile_WriteObject(code, stream, Py_PRINT_RAW);
        PyErr_Clear();
        PySys_WriteStderr("\n");
    }
    Py_XDECREF(code);
    return status;
}

int finish_exception(void)
{
    if (!PyErr_Occurred())
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_SystemExit)) {
        PyErr_Print();
        return STATUS_ERROR;
    }
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    int status = obey_exit(value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return status;
}

/* True for what the tear-down of `object` could do to be noticed. */
static bool is_noticeable(PyObject *object, void *ctx)
{
    (void)ctx;
    if (PyType_Check(object)) {
        /* Its instances need not be tracked: judge them by their class. */
        const PyTypeObject *type = (const PyTypeObject *)object;
        return type->tp_finalize || type->tp_del;
    }
    if (PyWeakref_Check(object))
        return ((PyWeakReference *)object)->wr_callback != NULL;
    const PyTypeObject *type = Py_TYPE(object);
    if (PyGen_CheckExact(object))
        return pyframe_is_open(object);
    return type->tp_finalize || type->tp_del;
}

static bool may_be_noticed(void)
{
    PyThreadState *tstate = PyThreadState_Get();
    PyThreadState *first = PyInterpreterState_ThreadHead(tstate->interp);
    if (first != tstate || PyThreadState_Next(first))
        return true;
    if (tstate->c_tracefunc || tstate->c_profilefunc)
        return true;
    if (count_atexit() != warm.n_atexit || !streams_are_kept())
        return true;
    return pyframe_gc_any(tstate, is_noticeable, NULL);
}

/* As the interpreter does at its end; false: stdout could not be flushed. */
static bool flush_stream(const char *name)
{
    PyObject *stream = PySys_GetObject(name); /* borrowed */
    if (!stream || stream == Py_None)
        return true;
    Py_INCREF(stream);
    PyObject *closed = PyObject_GetAttrString(stream, "closed"); /* owned */
    int is_closed = closed ? PyObject_IsTrue(closed) : 0;
    PyErr_Clear();
    bool is_done = true;
    if (is_closed <= 0) {
        PyObject *result = PyObject_CallMethod(stream, "flush", NULL);
        is_done = result != NULL;
        if (!result)
            PyErr_WriteUnraisable(stream);
        Py_XDECREF(result);
    }
    Py_XDECREF(closed);
    Py_DECREF(stream);
    return is_done;
}

int finish_program(int status)
{
    if (may_be_noticed())
        return Py_FinalizeEx() < 0 ? STATUS_FLUSH : status;
    bool is_flushed = flush_stream("stdout");
    flush_stream("stderr");
    return is_flushed ? status : STATUS_FLUSH;
}
