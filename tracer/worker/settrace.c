/* SPDX-License-Identifier: MIT */
/* settrace.c -- sys.settrace with the hook in front of what it sets. */
#include "tracer/worker/settrace.h"

#include "tracer/worker/hook.h"

/* CPython's functions, and what is put in their place. */
static struct {
    unsigned long main_thread;
    PyObject *settrace;    /* owned */
    PyObject *all_threads; /* owned; NULL before 3.12 */
    PyMethodDef settrace_def;
    PyMethodDef all_threads_def;
} own;

/* Lets `real` do its work, then puts the hook in front. */
static PyObject *set_and_hook(PyObject *real, PyObject *function)
{
    PyObject *result = PyObject_CallOneArg(real, function);
    if (!result || !hook_is_listening() ||
        PyThread_get_thread_ident() != own.main_thread)
        return result;
    PyThreadState *tstate = PyThreadState_Get();
    PyObject *object = pyframe_trace_object(tstate);
    if (object)
        hook_set_trampoline(pyframe_trace_func(tstate));
    hook_install(object);
    return result;
}

static PyObject *settrace(PyObject *module, PyObject *function)
{
    (void)module;
    return set_and_hook(own.settrace, function);
}

static PyObject *settrace_all_threads(PyObject *module, PyObject *function)
{
    (void)module;
    return set_and_hook(own.all_threads, function);
}

static bool replace(const char *name, PyCFunction function, PyMethodDef *def,
                    PyObject **ret_real)
{
    PyObject *sys = NULL;         /* owned */
    PyObject *module_name = NULL; /* owned */
    PyObject *ours = NULL;        /* owned */
    bool is_done = false;
    PyObject *real = PySys_GetObject(name); /* borrowed */
    if (!real || !PyCFunction_Check(real))
        return true; /* this version has none */
    *def = *((PyCFunctionObject *)real)->m_ml;
    def->ml_meth = function;
    def->ml_flags = METH_O;
    sys = PyImport_ImportModule("sys");
    module_name = PyUnicode_FromString("sys");
    if (!sys || !module_name)
        goto out;
    ours = PyCFunction_NewEx(def, sys, module_name);
    if (!ours)
        goto out;
    Py_INCREF(real);
    *ret_real = real;
    is_done = PySys_SetObject(name, ours) == 0;
out:
    Py_XDECREF(ours);
    Py_XDECREF(module_name);
    Py_XDECREF(sys);
    return is_done;
}

bool settrace_replace(void)
{
    own.main_thread = PyThread_get_thread_ident();
    return replace("settrace", settrace, &own.settrace_def, &own.settrace) &&
           replace("_settraceallthreads", settrace_all_threads,
                   &own.all_threads_def, &own.all_threads);
}
