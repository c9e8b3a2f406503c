/* SPDX-License-Identifier: MIT */
/*
 * hook.h -- the trace function: the interpreter's events become records.
 *
 * A C-level trace function without an object, so that sys.gettrace() stays
 * None.  Recording begins when an entry's scope is called and ends when it
 * is left for good; in between, every event of a scope of the program's text
 * is recorded, on the main thread.
 *
 * The hook runs nothing of the program, takes no reference, makes no object,
 * uses no recursion budget, and leaves the state of exceptions alone.
 *
 * Where the program sets a trace function of its own (settrace.c), that is
 * called after the record is written, exactly as CPython would.
 *
 * There is one hook in a process: the interpreter's trace function carries no
 * context but the object that sys.gettrace() would show.
 *
 * Threads: main thread, with the GIL held, except for hook_stop().
 */
#ifndef TRACER_WORKER_HOOK_H
#define TRACER_WORKER_HOOK_H

#include "tracer/worker/locals.h"

struct hook_config {
    struct record_writer *records;    /* borrowed */
    struct value_writer *values;      /* borrowed */
    const struct scope_table *scopes; /* borrowed */
    uint32_t entry_line; /* a script's call event stands there; 0: as told */
    uint64_t max_frames;
    size_t max_value_bytes;
};

/* Get ready; nothing is traced yet.  False: memory is short. */
bool hook_init(const struct hook_config *config);
/*
 * Hand all events to `handler` instead of recording them; for good.  Then
 * there is no need for hook_init().
 */
typedef void (*hook_handler)(PyFrameObject *frame, int what, PyObject *arg);
void hook_divert(hook_handler handler);
/* Begin to listen, end it.  Ending keeps the program's own trace function. */
void hook_start(void);
void hook_end(void);
bool hook_is_listening(void);

/* True when a scope of the program was called since hook_start(). */
bool hook_saw_call(void);

/* The text that the entry returned, if it returned `value`: borrowed. */
const uint8_t *hook_result(const PyObject *value, size_t *ret_len,
                           bool *ret_cut);

/*
 * Close the trace with `reason` and end the process at once.  From any
 * thread.
 */
_Noreturn void hook_stop(struct record_writer *records,
                         enum trace_end_reason reason);

/* For settrace.c: (re)install the hook above the program's function. */
void hook_install(PyObject *program_function);
void hook_set_trampoline(Py_tracefunc trampoline);

#endif /* TRACER_WORKER_HOOK_H */
