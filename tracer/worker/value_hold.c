/* SPDX-License-Identifier: MIT */
/*
 * value_hold.c -- see value_hold.h.  Uses the interpreter's internal headers:
 * the collector's counts have no public setter.
 */
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include "tracer/worker/value_hold.h"

#include <internal/pycore_interp.h>

/* The count of allocations that starts a collection of the youngest. */
static int *gc_count(PyThreadState *tstate)
{
#if PY_VERSION_HEX >= 0x030E0000
    return &tstate->interp->gc.young.count;
#else
    return &tstate->interp->gc.generations[0].count;
#endif
}

void value_hold_bare_stack(uint32_t depth)
{
    PyThreadState *tstate = PyThreadState_Get();
    int used = (int)depth + VALUE_BARE_LEVELS;

#if PY_VERSION_HEX >= 0x030C0000
    tstate->py_recursion_remaining = tstate->py_recursion_limit - 1;
    tstate->recursion_headroom = 0;
#if PY_VERSION_HEX >= 0x030E0000
    (void)used; /* the stack itself is looked at */
#elif PY_VERSION_HEX >= 0x030D0000
    tstate->c_recursion_remaining = Py_C_RECURSION_LIMIT - used;
#else
    tstate->c_recursion_remaining = C_RECURSION_LIMIT - used;
#endif
#elif PY_VERSION_HEX >= 0x030B0000
    tstate->recursion_remaining = tstate->recursion_limit - used;
    tstate->recursion_headroom = 0;
#elif PY_VERSION_HEX >= 0x030A0000
    tstate->recursion_depth = used;
    tstate->recursion_headroom = 0;
#else
    tstate->recursion_depth = used;
    tstate->overflowed = 0;
#endif
}

/* The two numbers that value_hold_bare_stack() changes, as they were. */
static void recursion_save(const PyThreadState *tstate, struct value_hold *hold)
{
#if PY_VERSION_HEX >= 0x030E0000
    hold->py_recursion = tstate->py_recursion_remaining;
    hold->c_recursion = tstate->recursion_headroom;
#elif PY_VERSION_HEX >= 0x030C0000
    hold->py_recursion = tstate->py_recursion_remaining;
    hold->c_recursion = tstate->c_recursion_remaining;
#elif PY_VERSION_HEX >= 0x030B0000
    hold->py_recursion = tstate->recursion_remaining;
    hold->c_recursion = tstate->recursion_headroom;
#elif PY_VERSION_HEX >= 0x030A0000
    hold->py_recursion = tstate->recursion_depth;
    hold->c_recursion = tstate->recursion_headroom;
#else
    hold->py_recursion = tstate->recursion_depth;
    hold->c_recursion = tstate->overflowed;
#endif
}

static void recursion_restore(PyThreadState *tstate,
                              const struct value_hold *hold)
{
#if PY_VERSION_HEX >= 0x030E0000
    tstate->py_recursion_remaining = hold->py_recursion;
    tstate->recursion_headroom = hold->c_recursion;
#elif PY_VERSION_HEX >= 0x030C0000
    tstate->py_recursion_remaining = hold->py_recursion;
    tstate->c_recursion_remaining = hold->c_recursion;
#elif PY_VERSION_HEX >= 0x030B0000
    tstate->recursion_remaining = hold->py_recursion;
    tstate->recursion_headroom = hold->c_recursion;
#elif PY_VERSION_HEX >= 0x030A0000
    tstate->recursion_depth = hold->py_recursion;
    tstate->recursion_headroom = hold->c_recursion;
#else
    tstate->recursion_depth = hold->py_recursion;
    tstate->overflowed = (char)hold->c_recursion;
#endif
}

void value_hold_begin(struct value_hold *hold, uint32_t depth)
{
    PyThreadState *tstate = PyThreadState_Get();

    recursion_save(tstate, hold);
    hold->gc_enabled = tstate->interp->gc.enabled;
    hold->gc_count = *gc_count(tstate);
    tstate->interp->gc.enabled = 0;
    value_hold_bare_stack(depth);
}

void value_hold_end(const struct value_hold *hold)
{
    PyThreadState *tstate = PyThreadState_Get();

    tstate->interp->gc.enabled = hold->gc_enabled;
    *gc_count(tstate) = hold->gc_count;
    recursion_restore(tstate, hold);
}
