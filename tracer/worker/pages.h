/* SPDX-License-Identifier: MIT */
/*
 * pages.h -- so that few pages are copied, and few faulted in, in each run.
 *
 * A forked child pays for every page that it writes to.  What a run allocates
 * would land in the holes that the warm interpreter left, one here and one
 * there, each on a page to copy: the holes are filled before the first fork,
 * and runs allocate from fresh pages, side by side.
 */
#ifndef TRACER_WORKER_PAGES_H
#define TRACER_WORKER_PAGES_H

/*
 * Both are called when the interpreter is warm, before the first fork.  They
 * cannot fail in a way that matters: without them runs are only dearer.
 */

/* Take the free blocks of the interpreter's and libc's heaps. */
void pages_fill_holes(void);

/*
 * Copy the interpreter's text onto huge pages, where the system has them: the
 * page table of a file's mapping is not copied by a fork, so each child would
 * fault the text in again.
 */
void pages_share_text(void);

#endif /* TRACER_WORKER_PAGES_H */
