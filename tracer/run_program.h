/* SPDX-License-Identifier: MIT */
/* run_program.h -- run a trusted helper program and take what it prints. */
#ifndef TRACER_RUN_PROGRAM_H
#define TRACER_RUN_PROGRAM_H

#include <stdbool.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

/*
 * Run argv[0] (a path) with nothing on standard input, and a small fixed
 * environment, or (own_environment) ours: version managers need theirs.  `out`
 * gets its standard output and error together.  Fails: CWM_SYSTEM when it
 * cannot be started, ends by a signal or with a status other than 0, or takes
 * longer than timeout_ms (it is killed then); CWM_LIMIT when it prints more
 * than out->max_bytes.
 */
enum cwm_rc run_program(char *const argv[], bool own_environment,
                        unsigned timeout_ms, struct cwm_buf *out,
                        struct cwm_err *err);

#endif /* TRACER_RUN_PROGRAM_H */
