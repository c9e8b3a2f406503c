/* SPDX-License-Identifier: MIT */
/*
 * finish.h -- the end of a program as `python main.py` would end it.
 *
 * An uncaught exception is printed by sys.excepthook, threads are joined,
 * atexit functions run, streams are flushed, modules are torn down with all
 * their destructors.  The tear-down costs milliseconds: it is left out when
 * the collector's lists show that nothing could notice (no finalizer, no
 * weak reference with a callback, no suspended generator, no thread, no
 * atexit function).
 */
#ifndef TRACER_WORKER_FINISH_H
#define TRACER_WORKER_FINISH_H

#include <Python.h>

#include <stdbool.h>

/* Note how many atexit functions the warm interpreter has; at warm-up. */
bool finish_note(void);

/*
 * Print or obey the exception that is set, if any (it is cleared); the exit
 * status so far.
 */
int finish_exception(void);

/* End the program; the exit status of the process. */
int finish_program(int status);

#endif /* TRACER_WORKER_FINISH_H */
