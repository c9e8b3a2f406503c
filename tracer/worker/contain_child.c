/* SPDX-License-Identifier: MIT */
/*
 * contain_child.c -- see contain_child.h.  Uses the interpreter's internal
 * headers: the list of at-fork callbacks is nowhere else.
 */
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include "tracer/worker/contain_child.h"

#include <frameobject.h>
#include <internal/pycore_interp.h>

/* One scratch process, one count: a trace function's argument must be an
 * object, and there is no other way to hand it anything. */
static struct {
    volatile uint64_t *events_left; /* borrowed */
    void (*on_end)(void *ctx);
    void *ctx;
} budget;

static int count_event(PyObject *self, PyFrameObject *frame, int what,
                       PyObject *arg)
{
    (void)self;
    (void)frame;
    (void)what;
    (void)arg;
    if (*budget.events_left == 0) {
        budget.on_end(budget.ctx);
    }
    --*budget.events_left;
    return 0;
}

static void stop_collector(void)
{
#if PY_VERSION_HEX >= 0x030A0000
    PyGC_Disable();
#else
    PyThreadState_Get()->interp->gc.enabled = 0;
#endif
}

/*
 * The other threads are not in this process, but the interpreter does not know:
 * it could wait for one of them to take the lock.  The program's own at-fork
 * callbacks are not called: as far as it knows there was no fork.
 */
static void forget_threads(PyThreadState *tstate)
{
    PyInterpreterState *interp = tstate->interp;
    PyThreadState *first = PyInterpreterState_ThreadHead(interp);

    if (first == tstate && PyThreadState_Next(first) == NULL) {
        return;
    }
#ifdef HAVE_FORK
    interp->before_forkers = NULL;
    interp->after_forkers_child = NULL;
#endif
    PyOS_BeforeFork();
    PyOS_AfterFork_Child();
}

/* What the program is writing at this moment does not make a value recursive.
 */
static void forget_open_reprs(void)
{
    PyObject *dict = PyThreadState_GetDict(); /* borrowed */

    if (dict && PyDict_DelItemString(dict, "Py_Repr") < 0) {
        PyErr_Clear();
    }
}

void contain_child_prepare(volatile uint64_t *events_left,
                           void (*on_end)(void *ctx), void *ctx)
{
    PyThreadState *tstate = PyThreadState_Get();

    PyErr_Clear();
    stop_collector();
    budget.events_left = events_left;
    budget.on_end = on_end;
    budget.ctx = ctx;
    /* The renderer is called from a trace function, where tracing is off. */
    tstate->tracing = 0;
    PyEval_SetProfile(NULL, NULL);
    PyEval_SetTrace(count_event, NULL);
    forget_threads(tstate);
    forget_open_reprs();
    PyErr_Clear();
}
