/* SPDX-License-Identifier: MIT */
/*
 * value_hold.h -- calling C code of the interpreter so that the program cannot
 * tell: the recursion counters and the collector's counts are put aside and
 * put back.
 */
#ifndef TRACER_WORKER_VALUE_HOLD_H
#define TRACER_WORKER_VALUE_HOLD_H

#include <Python.h>

/* Taken by the frame that calls repr() (3.12 counts it twice), and the call. */
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000
#define VALUE_BARE_LEVELS 3
#else
#define VALUE_BARE_LEVELS 2
#endif

struct value_hold {
    int py_recursion;
    int c_recursion;
    int gc_enabled;
    int gc_count;
};

/*
 * From now on: no collection, and the recursion counters as they are on a bare
 * stack, `depth` levels down.
 */
void value_hold_begin(struct value_hold *hold, uint32_t depth);
void value_hold_end(const struct value_hold *hold);

/*
 * The recursion counters alone, for good (scratch processes): `depth` levels
 * into a repr() on a bare stack.
 */
void value_hold_bare_stack(uint32_t depth);

#endif /* TRACER_WORKER_VALUE_HOLD_H */
