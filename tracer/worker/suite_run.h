/* SPDX-License-Identifier: MIT */
/*
 * suite_run.h -- one run of pytest over the repository at SANDBOX_PLACE.
 *
 * The repository's virtual environment is put on sys.path here, in the run:
 * what its .pth files do, they do confined.
 */
#ifndef TRACER_WORKER_SUITE_RUN_H
#define TRACER_WORKER_SUITE_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "tracer/request.h"

/*
 * Import ahead, once, what pytest needs of the standard library and, where
 * with_pytest, the interpreter's own pytest.  What is not there is left out.
 */
void suite_warm(bool with_pytest);

/* As program_run(), for a request with `traced` SUITE_REQUEST. */
int suite_serve(const struct trace_request *request, uint8_t *shared,
                size_t len);

#endif /* TRACER_WORKER_SUITE_RUN_H */
