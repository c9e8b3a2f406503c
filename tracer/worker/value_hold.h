/* SPDX-License-Identifier: MIT */
/*
 * value_hold.h -- calling C code of the interpreter so that the program cannot
 * tell: the recursion counters and the collector's counts are put aside and
 * put back.
 */
#ifndef TRACER_WORKER_VALUE_HOLD_H
#define TRACER_WORKER_VALUE_HOLD_H

#include <Python.h>

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
 * below the frame that would call repr().
 */
void value_hold_bare_stack(uint32_t depth);

#endif /* TRACER_WORKER_VALUE_HOLD_H */
