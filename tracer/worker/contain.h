/* SPDX-License-Identifier: MIT */
/*
 * contain.h -- repr() where its effects cannot reach the program.
 *
 * A value that holds an object whose text only the program's own code can
 * tell is written by a scratch process (jail.h): a copy of the program that
 * walks the value as value.c does, but calls repr() where the walk cannot
 * write an object from memory.  The text comes back through shared memory;
 * whatever else the code did is lost with the process.
 *
 * What it may do is bounded by a count of events (the same on every machine),
 * and by CPU time as a last resort.  So is what all those of a run may do: a
 * program whose every line needs many of them ends at the same frame wherever
 * it runs, long before its time is up.
 */
#ifndef TRACER_WORKER_CONTAIN_H
#define TRACER_WORKER_CONTAIN_H

#include <Python.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct contain; /* opaque: contain.c */
struct value_writer;

/* Room for texts of max_value_bytes.  NULL when memory is short. */
struct contain *contain_new(size_t max_value_bytes);
void contain_free(struct contain *c); /* NULL is fine */
/* As value_writer_renew(). */
bool contain_renew(struct contain *c, size_t max_value_bytes);

/*
 * What the scratch processes of a run may cost together, in events: their own
 * and a fixed number for each.  on_end(ctx) is called when that is used up; it
 * does not return.  Without a budget there is no end.
 */
void contain_set_budget(struct contain *c, uint64_t max_events,
                        void (*on_end)(void *ctx), void *ctx);

/*
 * During a walk: an object that cannot be written from memory.  Outside a
 * scratch process this ends the walk with VALUE_UNSAFE; inside it writes what
 * repr() gives.
 */
void contain_open(struct value_writer *w, PyObject *value);

/*
 * Write all of `value` in a scratch process; the text ends up at w->out as if
 * it had been written here.
 */
void contain_walk(struct value_writer *w, PyObject *value);

#endif /* TRACER_WORKER_CONTAIN_H */
