/* SPDX-License-Identifier: MIT */
/*
 * settrace.h -- programs that set a trace function of their own.
 *
 * CPython has one trace function a thread.  sys.settrace() is replaced by a
 * built-in function that looks the same and lets CPython's own do the work,
 * then puts the hook in front of what was set: the program's function is
 * called as in a plain run, gettrace() shows it, and recording goes on.
 *
 * Threads: other threads than the main one are not traced; there the
 * function does only what CPython's does.
 */
#ifndef TRACER_WORKER_SETTRACE_H
#define TRACER_WORKER_SETTRACE_H

#include <Python.h>

#include <stdbool.h>

/* Replace sys.settrace; once, at warm-up.  False: a Python error is set. */
bool settrace_replace(void);

#endif /* TRACER_WORKER_SETTRACE_H */
