/* SPDX-License-Identifier: MIT */
/*
 * streams.h -- the program's standard streams, and its output counted.
 *
 * The interpreter is warmed up with other descriptors than a run has.  Its
 * sys.stdin, sys.stdout and sys.stderr are made ahead, the way the interpreter
 * itself makes them at start, for the kind of descriptor that a run will have
 * (a file to read, pipes to write): what they note of it (seekable, block
 * size) fits.  A run with other descriptors gets streams of its own.
 *
 * The output limit has to strike at the same byte on every run, so bytes are
 * counted where they leave: write() is defined here in front of libc's.  The
 * host has a cap of its own for what goes round it.
 */
#ifndef TRACER_WORKER_STREAMS_H
#define TRACER_WORKER_STREAMS_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

struct record_writer;

/* Make the streams ahead; once, at warm-up.  False: a Python error is set. */
bool streams_prepare(void);
/*
 * In a run: make those anew that do not fit; *ret_is_any_new tells whether
 * there were any.  False: a Python error is set.
 */
bool streams_renew(bool *ret_is_any_new);
/* True when sys has the streams that streams_renew() made. */
bool streams_are_kept(void);

/*
 * From now on the write that passes `max_bytes` on descriptors 1 and 2
 * together ends the process, after what still fits; the trace says why.
 */
void streams_limit(uint64_t max_bytes, struct record_writer *records);

#endif /* TRACER_WORKER_STREAMS_H */
