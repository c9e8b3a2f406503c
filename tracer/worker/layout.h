/* SPDX-License-Identifier: MIT */
/* layout.h -- memory laid out the same way in every worker. */
#ifndef TRACER_WORKER_LAYOUT_H
#define TRACER_WORKER_LAYOUT_H

/*
 * The order of a set of objects depends on their addresses: with a layout
 * that is random it would differ from worker to worker.  Starts this program
 * anew (argv: main's) unless it is so already; does nothing where it cannot.
 */
void layout_fix(char **argv);

#endif /* TRACER_WORKER_LAYOUT_H */
