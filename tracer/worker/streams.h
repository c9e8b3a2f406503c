/* SPDX-License-Identifier: MIT */
/*
 * streams.h -- the program's standard streams, and its output counted.
 *
 * The interpreter was warmed up with other descriptors: each run gets fresh
 * sys.stdin, sys.stdout and sys.stderr, made the way the interpreter itself
 * makes them at start.
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

/* Note the encodings that the interpreter chose; once, at warm-up. */
bool streams_note(void);
/* Make the run's streams.  False: a Python error is set. */
bool streams_renew(void);
/* True when sys has the streams that streams_renew() made. */
bool streams_are_kept(void);

/*
 * From now on the write that passes `max_bytes` on descriptors 1 and 2
 * together ends the process, after what still fits; the trace says why.
 */
void streams_limit(uint64_t max_bytes, struct record_writer *records);

#endif /* TRACER_WORKER_STREAMS_H */
