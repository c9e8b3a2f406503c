/* SPDX-License-Identifier: MIT */
/*
 * ending.h -- the END record of a run that came to its end.
 *
 * It is written when the entry has been left and its result is rendered,
 * before the program is taken down: a destructor or an atexit function may
 * still end the process, which the host sees from its wait status.
 */
#ifndef TRACER_WORKER_ENDING_H
#define TRACER_WORKER_ENDING_H

#include <Python.h>

#include "tracer/record_write.h"
#include "tracer/worker/value.h"

struct ending {
    enum trace_end_reason reason; /* TRACE_END_NONE: the exception decides */
};

/*
 * Write END: `result` (borrowed) or, where it is NULL, the exception that is
 * set, which stays set.
 */
void ending_write(const struct ending *ending, struct record_writer *records,
                  struct value_writer *values, PyObject *result,
                  size_t max_value_bytes);

/*
 * An exception's type and message, as END tells them; owned by the caller
 * (cwm_free()), NULL where memory is short.
 */
void ending_describe(struct value_writer *values, PyObject *type,
                     PyObject *value, size_t max_value_bytes, char **ret_type,
                     size_t *ret_type_len, char **ret_message,
                     size_t *ret_message_len);

/* The tracer itself failed; a Python error is dropped. */
void ending_internal(struct record_writer *records, const char *what);

#endif /* TRACER_WORKER_ENDING_H */
