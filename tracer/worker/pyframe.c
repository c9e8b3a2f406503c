/* SPDX-License-Identifier: MIT */
/* pyframe.c -- the layout of code objects and of the collector. */
#include "tracer/worker/pyframe.h"

#if PY_VERSION_HEX >= 0x030B0000

/* In the bytes of co_localspluskinds; arguments have more bits in 3.14. */
#ifndef CO_FAST_HIDDEN
#define CO_FAST_HIDDEN 0x10
#endif

uint32_t pyframe_max_slots(PyCodeObject *code)
{
    return (uint32_t)code->co_nlocalsplus;
}

uint32_t pyframe_describe(PyCodeObject *code, struct pyframe_slot_info *slots)
{
    const unsigned char *kinds =
        (const unsigned char *)PyBytes_AS_STRING(code->co_localspluskinds);
    uint32_t n = (uint32_t)code->co_nlocalsplus;
    for (uint32_t i = 0; i < n; i++) {
        unsigned kind = 0;
        if (kinds[i] & (CO_FAST_CELL | CO_FAST_FREE))
            kind |= PYFRAME_CELL;
        else
            kind |= PYFRAME_LOCAL;
        if (kinds[i] & CO_FAST_HIDDEN)
            kind |= PYFRAME_HIDDEN;
        slots[i].name = PyTuple_GET_ITEM(code->co_localsplusnames, i);
        slots[i].index = i;
        slots[i].kind = kind;
    }
    return n;
}

#else

uint32_t pyframe_max_slots(PyCodeObject *code)
{
    return (uint32_t)(code->co_nlocals + PyTuple_GET_SIZE(code->co_cellvars) +
                      PyTuple_GET_SIZE(code->co_freevars));
}

/*
 * An argument that is a cell leaves its own slot empty for good and stands
 * among the cells; f_locals shows it there, as the golden traces do.
 */
uint32_t pyframe_describe(PyCodeObject *code, struct pyframe_slot_info *slots)
{
    uint32_t n = 0;
    PyObject *const names[] = {code->co_varnames, code->co_cellvars,
                               code->co_freevars};
    for (int group = 0; group < 3; group++) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names[group]); i++) {
            slots[n].name = PyTuple_GET_ITEM(names[group], i);
            slots[n].index = n;
            slots[n++].kind = group == 0 ? PYFRAME_LOCAL : PYFRAME_CELL;
        }
    }
    return n;
}

#endif

int pyframe_first_line(PyCodeObject *code)
{
    int first = 0;
    Py_ssize_t n_bytes;
#if PY_VERSION_HEX >= 0x030B0000
    n_bytes = (Py_ssize_t)_PyCode_NBYTES(code);
#else
    n_bytes = PyBytes_GET_SIZE(code->co_code);
#endif
    for (Py_ssize_t at = 0; at < n_bytes; at += 2) {
        int line = PyCode_Addr2Line(code, (int)at);
        if (line > 0 && (first == 0 || line < first))
            first = line;
    }
    return first;
}

Py_tracefunc pyframe_trace_func(PyThreadState *tstate)
{
    return tstate->c_tracefunc;
}

PyObject *pyframe_trace_object(PyThreadState *tstate)
{
    return tstate->c_traceobj;
}

#if PY_VERSION_HEX >= 0x030E0000
#define YOUNG(gc) (&(gc)->young)
#else
#define YOUNG(gc) (&(gc)->generations[0])
#endif

void pyframe_gc_adjust(PyThreadState *tstate, int by)
{
    struct _gc_runtime_state *gc = &tstate->interp->gc;
    /* Frees stop at 0, as the collector's own do. */
    if (by > 0 || YOUNG(gc)->count > 0)
        YOUNG(gc)->count += by;
}

void pyframe_gc_counts(PyThreadState *tstate, int ret_counts[3])
{
    struct _gc_runtime_state *gc = &tstate->interp->gc;
#if PY_VERSION_HEX >= 0x030E0000
    ret_counts[0] = gc->young.count;
    ret_counts[1] = gc->old[0].count;
    ret_counts[2] = gc->old[1].count;
#else
    for (int i = 0; i < 3; i++)
        ret_counts[i] = gc->generations[i].count;
#endif
}

void pyframe_gc_set_counts(PyThreadState *tstate, const int counts[3])
{
    struct _gc_runtime_state *gc = &tstate->interp->gc;
#if PY_VERSION_HEX >= 0x030E0000
    gc->young.count = counts[0];
    gc->old[0].count = counts[1];
    gc->old[1].count = counts[2];
#else
    for (int i = 0; i < 3; i++)
        gc->generations[i].count = counts[i];
    gc->long_lived_total = 0;
    gc->long_lived_pending = 0;
#endif
}

void pyframe_forget_fork_hooks(PyThreadState *tstate)
{
    Py_CLEAR(tstate->interp->before_forkers);
    Py_CLEAR(tstate->interp->after_forkers_parent);
    Py_CLEAR(tstate->interp->after_forkers_child);
}

static bool list_any(PyGC_Head *head,
                     bool (*visit)(PyObject *object, void *ctx), void *ctx)
{
    for (PyGC_Head *g = _PyGCHead_NEXT(head); g != head;
         g = _PyGCHead_NEXT(g)) {
        if (visit((PyObject *)(g + 1), ctx))
            return true;
    }
    return false;
}

bool pyframe_gc_any(PyThreadState *tstate,
                    bool (*visit)(PyObject *object, void *ctx), void *ctx)
{
    struct _gc_runtime_state *gc = &tstate->interp->gc;
#if PY_VERSION_HEX >= 0x030E0000
    return list_any(&gc->young.head, visit, ctx) ||
           list_any(&gc->old[0].head, visit, ctx) ||
           list_any(&gc->old[1].head, visit, ctx);
#else
    for (int i = 0; i < NUM_GENERATIONS; i++) {
        if (list_any(&gc->generations[i].head, visit, ctx))
            return true;
    }
    return false;
#endif
}
