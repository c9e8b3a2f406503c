/* SPDX-License-Identifier: MIT */
/*
 * pyframe.h -- what the hook needs to see of a running frame.
 *
 * The only place that knows how CPython lays out frames, code objects,
 * generators and the collector, version by version (3.9 to 3.14).  Everything
 * is read from memory: no frame attribute is fetched, no snapshot of the
 * locals made (PyFrame_FastToLocals would change what locals() shows), no
 * reference taken.
 *
 * Py_BUILD_CORE opens the interpreter's internal headers; only headers are
 * used, no hidden symbol.
 */
#ifndef TRACER_WORKER_PYFRAME_H
#define TRACER_WORKER_PYFRAME_H

#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include <Python.h>
#include <frameobject.h>

/* A macro where Python.h was included first, a function in what follows. */
#undef _PyGC_FINALIZED

#include "internal/pycore_gc.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_pystate.h"
#if PY_VERSION_HEX >= 0x030B0000
#include "internal/pycore_code.h"
#include "internal/pycore_frame.h"
#endif
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_genobject.h"
#include "internal/pycore_interpframe.h"
#include "internal/pycore_stackref.h"
#endif

#include <stdbool.h>
#include <stdint.h>

/* The code object that `frame` runs; borrowed. */
static inline PyCodeObject *pyframe_code(PyFrameObject *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    return _PyFrame_GetCode(frame->f_frame);
#elif PY_VERSION_HEX >= 0x030D0000
    return (PyCodeObject *)frame->f_frame->f_executable;
#elif PY_VERSION_HEX >= 0x030B0000
    return frame->f_frame->f_code;
#else
    return frame->f_code;
#endif
}

/*
 * The object in slot `index` of the locals, or NULL.  A slot holds a local, or
 * the cell of a cell or free variable.  Borrowed.
 */
static inline PyObject *pyframe_slot(PyFrameObject *frame, uint32_t index)
{
#if PY_VERSION_HEX >= 0x030E0000
    _PyStackRef ref = frame->f_frame->localsplus[index];
    return PyStackRef_IsNull(ref) ? NULL : PyStackRef_AsPyObjectBorrow(ref);
#elif PY_VERSION_HEX >= 0x030B0000
    return frame->f_frame->localsplus[index];
#else
    return frame->f_localsplus[index];
#endif
}

/* A class body's or module's namespace; borrowed, may be NULL. */
static inline PyObject *pyframe_namespace(PyFrameObject *frame)
{
#if PY_VERSION_HEX >= 0x030B0000
    return frame->f_frame->f_locals;
#else
    return frame->f_locals;
#endif
}

/*
 * The line of the event that is being reported, as the frame's f_lineno
 * would tell it; 0 or less when CPython has none.
 */
static inline int pyframe_line(PyFrameObject *frame)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyFrame_GetLineNumber(frame);
#else
    /* The trace machinery sets it before each event. */
    return frame->f_lineno;
#endif
}

/* True when a `call` event starts the frame (false: it resumes it). */
static inline bool pyframe_is_start(PyFrameObject *frame)
{
#if PY_VERSION_HEX >= 0x030B0000
    /* The first RESUME of the code is its first traceable instruction. */
    return _PyInterpreterFrame_LASTI(frame->f_frame) <=
           pyframe_code(frame)->_co_firsttraceable;
#else
    return frame->f_lasti < 0;
#endif
}

/* True when a `return` event suspends the frame (yield, await). */
static inline bool pyframe_is_suspending(PyFrameObject *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    /* Told before the frame's state changes: ask the instruction. */
    return pyframe_at_yield(frame);
#elif PY_VERSION_HEX >= 0x030D0000
    if (frame->f_frame->owner != FRAME_OWNED_BY_GENERATOR)
        return false;
    return FRAME_STATE_SUSPENDED(
        _PyFrame_GetGenerator(frame->f_frame)->gi_frame_state);
#elif PY_VERSION_HEX >= 0x030B0000
    if (frame->f_frame->owner != FRAME_OWNED_BY_GENERATOR)
        return false;
    return _PyFrame_GetGenerator(frame->f_frame)->gi_frame_state ==
           FRAME_SUSPENDED;
#elif PY_VERSION_HEX >= 0x030A0000
    return frame->f_state == FRAME_SUSPENDED;
#else
    return frame->f_stacktop != NULL;
#endif
}

/* True for a generator that has begun and not ended: its end runs code. */
static inline bool pyframe_is_open(PyObject *generator)
{
    const PyGenObject *gen = (const PyGenObject *)generator;
#if PY_VERSION_HEX >= 0x030B0000
    return gen->gi_frame_state > FRAME_CREATED &&
           gen->gi_frame_state < FRAME_COMPLETED;
#else
    return gen->gi_frame && gen->gi_frame->f_lasti >= 0;
#endif
}

/* The bits that the kind of a slot is made of, the same on every version. */
enum pyframe_kind {
    PYFRAME_LOCAL = 1u << 0,  /* a plain local: the slot is the value */
    PYFRAME_CELL = 1u << 1,   /* the slot is a cell */
    PYFRAME_HIDDEN = 1u << 2, /* an inlined comprehension's, in a namespace */
};

struct pyframe_slot_info {
    PyObject *name; /* borrowed from the code object */
    uint32_t index; /* for pyframe_slot() */
    uint32_t kind;  /* enum pyframe_kind */
};

/* How many slots `code` has at most. */
uint32_t pyframe_max_slots(PyCodeObject *code);
/*
 * Describe the slots in the order in which f_locals would show them (locals
 * and cells of arguments, cells, free variables).  Returns how many.
 */
uint32_t pyframe_describe(PyCodeObject *code, struct pyframe_slot_info *slots);

/* First line of the code's line table that is a real line; 0: none. */
int pyframe_first_line(PyCodeObject *code);

/* ---- the thread and the collector ---- */

/* The C-level trace function in force, and its object (borrowed). */
Py_tracefunc pyframe_trace_func(PyThreadState *tstate);
PyObject *pyframe_trace_object(PyThreadState *tstate);

/*
 * How many objects the collector counts as new.  The trace machinery makes a
 * frame object for each frame it reports (3.11 on), which an untraced run does
 * not: the hook takes them off the count again.
 */
void pyframe_gc_adjust(PyThreadState *tstate, int by);

/* The counters of the three generations, read and set; setting forgets how
 * many old objects there are. */
void pyframe_gc_counts(PyThreadState *tstate, int ret_counts[3]);
void pyframe_gc_set_counts(PyThreadState *tstate, const int counts[3]);

/* Forget what modules registered to be called at a fork: the workers' forks
 * are none of the program's, which cannot fork itself. */
void pyframe_forget_fork_hooks(PyThreadState *tstate);

/* Calls `visit` for every object that the collector tracks and that was made
 * since gc.freeze(), until it returns true; that is returned then. */
bool pyframe_gc_any(PyThreadState *tstate,
                    bool (*visit)(PyObject *object, void *ctx), void *ctx);

#endif /* TRACER_WORKER_PYFRAME_H */
