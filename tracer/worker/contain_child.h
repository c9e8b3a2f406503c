/* SPDX-License-Identifier: MIT */
/*
 * contain_child.h -- the interpreter in a scratch process: untraced, alone, its
 * Python events counted.  Internal to contain.c.
 */
#ifndef TRACER_WORKER_CONTAIN_CHILD_H
#define TRACER_WORKER_CONTAIN_CHILD_H

#include <Python.h>

#include <stdint.h>

/*
 * First thing in the scratch process.  From now on on_end(ctx) is called when
 * more than *events_left lines, calls and returns of Python code were run; it
 * does not return.  *events_left is counted down.
 */
void contain_child_prepare(volatile uint64_t *events_left,
                           void (*on_end)(void *ctx), void *ctx);

#endif /* TRACER_WORKER_CONTAIN_CHILD_H */
