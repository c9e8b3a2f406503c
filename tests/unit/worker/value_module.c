/* SPDX-License-Identifier: MIT */
/*
 * value_module.c -- the value renderer as a module that an ordinary
 * interpreter imports: value_test.py compares it with repr().
 *
 * jail_scratch_fork() is a plain fork here: the jail has tests of its own.
 */
#define PY_SSIZE_T_CLEAN
#include "tracer/worker/value.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/jail.h"

static long n_forks;

pid_t jail_scratch_fork(uint32_t cpu_ms)
{
    struct rlimit limit = {(cpu_ms + 999) / 1000, (cpu_ms + 999) / 1000};
    pid_t pid = fork();

    n_forks++;
    if (pid == 0) {
        setrlimit(RLIMIT_CPU, &limit);
        limit.rlim_cur = limit.rlim_max = 0;
        setrlimit(RLIMIT_CORE, &limit);
        close(0);
        close(1);
        close(2);
    }
    return pid;
}

int jail_scratch_wait(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static struct value_writer *writer; /* one is enough for a test */
static size_t writer_max_bytes;
static uint8_t *area;

static PyObject *start(PyObject *self, PyObject *args)
{
    Py_ssize_t max_bytes;
    const char *source = "";
    PyObject *filename = NULL;

    (void)self;
    if (!PyArg_ParseTuple(args, "n|sU", &max_bytes, &source, &filename)) {
        return NULL;
    }
    value_writer_free(writer);
    free(area);
    writer_max_bytes = (size_t)max_bytes;
    area = malloc(writer_max_bytes + 4);
    writer = value_writer_new(writer_max_bytes);
    if (!area || !writer) {
        return PyErr_NoMemory();
    }
    if (filename) {
        Py_INCREF(filename);
        size_t len = strlen(source);
        char *text = malloc(len + 3);

        if (!text) {
            return PyErr_NoMemory();
        }
        /* As in a request: what comes behind the text is something else. */
        memcpy(text, source, len);
        memcpy(text + len, "(((", 3);
        value_writer_set_program(writer, text, len, filename);
    }
    Py_RETURN_NONE;
}

/* render(value) -> (bytes, was_cut) */
static PyObject *render(PyObject *self, PyObject *value)
{
    bool cut;
    size_t len = value_render(writer, value, area, writer_max_bytes + 4, &cut);

    (void)self;
    if (PyErr_Occurred()) {
        return NULL;
    }
    return Py_BuildValue("(y#i)", (const char *)area, (Py_ssize_t)len, cut);
}

/* render_to(value, buffer): as it is done in a run; only the length. */
static PyObject *render_to(PyObject *self, PyObject *value)
{
    bool cut;

    (void)self;
    return PyLong_FromSize_t(
        value_render(writer, value, area, writer_max_bytes + 4, &cut));
}

/* ns_per_value(value, times) */
static PyObject *ns_per_value(PyObject *self, PyObject *args)
{
    PyObject *value;
    int times;
    struct timespec begin;
    struct timespec end;
    bool cut;

    (void)self;
    if (!PyArg_ParseTuple(args, "Oi", &value, &times)) {
        return NULL;
    }
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < times; i++) {
        value_render(writer, value, area, writer_max_bytes + 4, &cut);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    return PyFloat_FromDouble(((double)(end.tv_sec - begin.tv_sec) * 1e9 +
                               (double)(end.tv_nsec - begin.tv_nsec)) /
                              times);
}

/* same(before, after): would a snapshot of `before` vouch for `after`? */
static PyObject *same(PyObject *self, PyObject *args)
{
    PyObject *before;
    PyObject *after;
    struct value_snapshot s;

    (void)self;
    if (!PyArg_ParseTuple(args, "OO", &before, &after)) {
        return NULL;
    }
    value_snapshot(writer, before, &s);
    return PyBool_FromLong(value_same(writer, after, &s));
}

/* forks(): how many scratch processes there were so far. */
static PyObject *forks(PyObject *self, PyObject *args)
{
    (void)self;
    (void)args;
    return PyLong_FromLong(n_forks);
}

static PyMethodDef methods[] = {
    {"start", start, METH_VARARGS, NULL},
    {"render", render, METH_O, NULL},
    {"render_to", render_to, METH_O, NULL},
    {"ns_per_value", ns_per_value, METH_VARARGS, NULL},
    {"forks", forks, METH_NOARGS, NULL},
    {"same", same, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT,
                                    "cwm_value",
                                    NULL,
                                    -1,
                                    methods,
                                    NULL,
                                    NULL,
                                    NULL,
                                    NULL};

PyMODINIT_FUNC PyInit_cwm_value(void);
PyMODINIT_FUNC PyInit_cwm_value(void)
{
    return PyModule_Create(&module);
}
