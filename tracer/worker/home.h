/* SPDX-License-Identifier: MIT */
/*
 * home.h -- is this the run's own process, or a forked copy of it?
 *
 * A copy (a scratch process, or a child that the jail let through) shares the
 * memory that the records go to and must not write to it.  The kernel tells:
 * a page that is marked reads as zero in every copy, however it was made.
 */
#ifndef TRACER_WORKER_HOME_H
#define TRACER_WORKER_HOME_H

#include <stdbool.h>

/* This process is the run's.  False: the mark cannot be had. */
bool home_mark(void);

/* True in the process that was marked. */
bool home_is_here(void);

#endif /* TRACER_WORKER_HOME_H */
