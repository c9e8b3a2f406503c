/* SPDX-License-Identifier: MIT */
/*
 * program.h -- one run: compile, module level, entry, call, ending.
 */
#ifndef TRACER_WORKER_PROGRAM_H
#define TRACER_WORKER_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "tracer/request.h"

/* The name under which a program's text is known to it. */
#define PROGRAM_FILE "main.py"

/*
 * Run the program in this process, which is the run's own: it is of no use
 * for anything else afterwards.  Records go to shared[0..len), which is
 * zeroed.  Returns the exit status; may also end the process itself.
 */
int program_run(const struct trace_request *request, uint8_t *shared,
                size_t len);

#endif /* TRACER_WORKER_PROGRAM_H */
