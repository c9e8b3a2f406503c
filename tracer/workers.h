/* SPDX-License-Identifier: MIT */
/*
 * workers.h -- the worker programs there are, and which one fits.
 *
 * A worker is `cwm-worker-X.Y`, one per minor version of CPython.  Asked
 * with `--about [--python PATH]` it prints one JSON object and ends:
 *     {"version": "3.11.2", "prefix": "/usr", "read_paths": ["/usr", ...]}
 * prefix is the base prefix it was built against; read_paths is what it needs
 * to read inside the jail, PATH's own packages included.
 *
 * An interpreter that is named by its path is run once, isolated (-I -S), to
 * say its version and base prefix: only it knows for sure what it is (links,
 * wrappers and virtual environments are all resolved that way).
 *
 * Threads: safe.
 */
#ifndef TRACER_WORKERS_H
#define TRACER_WORKERS_H

#include "cwm/base/err.h"
#include "tracer/trace.h"

struct worker_program {
    struct tracer_worker about;
    char *python;      /* owned: absolute path for --python; NULL: none */
    char **read_paths; /* owned, NULL-ended */
};

/*
 * The worker for options->python.  Fails: CWM_MISSING when there is none
 * that fits (the message lists those there are), CWM_USAGE when `python` is
 * no interpreter, CWM_FORMAT, CWM_SYSTEM, CWM_NOMEM.
 */
enum cwm_rc worker_program_find(const struct tracer_options *options,
                                struct worker_program *ret_worker,
                                struct cwm_err *err);
void worker_program_release(struct worker_program *w);

#endif /* TRACER_WORKERS_H */
