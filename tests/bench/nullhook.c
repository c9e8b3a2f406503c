/* SPDX-License-Identifier: MIT */
/*
 * nullhook.c -- a Python extension with a trace hook that does nothing.
 *
 * What the interpreter itself asks for calling a hook at every event: the
 * ceiling for any tracer that uses the trace protocol.
 */
#include <Python.h>

static int hook(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)self;
    (void)frame;
    (void)what;
    (void)arg;
    return 0;
}

static PyObject *start(PyObject *module, PyObject *args)
{
    (void)module;
    (void)args;
    PyEval_SetTrace(hook, NULL);
    Py_RETURN_NONE;
}

static PyObject *stop(PyObject *module, PyObject *args)
{
    (void)module;
    (void)args;
    PyEval_SetTrace(NULL, NULL);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"start", start, METH_NOARGS, "Trace this thread with the hook."},
    {"stop", stop, METH_NOARGS, "Trace no more."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "nullhook",
    NULL,
    -1,
    methods,
    NULL,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC PyInit_nullhook(void);

PyMODINIT_FUNC PyInit_nullhook(void)
{
    return PyModule_Create(&definition);
}
