/* SPDX-License-Identifier: MIT */
/*
 * warm.h -- the interpreter started once, so that runs need not.
 *
 * Trust: runs before any code of a program; errors go to the host.
 */
#ifndef TRACER_WORKER_WARM_H
#define TRACER_WORKER_WARM_H

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

struct value_writer;

/*
 * Start the interpreter.  python: path of the interpreter whose packages are
 * to be seen (a virtual environment's), or NULL for the one that the worker
 * was built with.  hash_seed: as PYTHONHASHSEED.
 */
enum cwm_rc warm_start(const char *python, uint32_t hash_seed,
                       struct cwm_err *err);

/*
 * Import what programs commonly import, and take the objects made so far out
 * of the collector's sight.
 */
enum cwm_rc warm_up(struct cwm_err *err);

/* In a run's child: what a fresh interpreter would have. */
bool warm_renew(void);

/* random.seed(SEED).  False: a Python error is set. */
bool warm_seed(uint64_t seed);

/* The writer of values, made ahead; owned by warm.c.  NULL: no memory. */
struct value_writer *warm_values(size_t max_value_bytes);

/* A coroutine that drains an asynchronous generator (borrowed); owned. */
PyObject *warm_drain(PyObject *generator);

/* One line of JSON that says what this worker is (--about). */
enum cwm_rc warm_about(struct cwm_buf *out, struct cwm_err *err);

/* Moves the Python error that is set to `err`. */
enum cwm_rc warm_python_error(const char *what, struct cwm_err *err);

#endif /* TRACER_WORKER_WARM_H */
