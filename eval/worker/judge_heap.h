/* SPDX-License-Identifier: MIT */
/*
 * judge_heap.h -- the interpreter's small objects on huge pages.
 *
 * A fork copies an entry for every page of the warm interpreter, and its end
 * takes each away again: of a huge page that is one entry, and only what a
 * child writes to is parted into small ones.
 */
#ifndef EVAL_WORKER_JUDGE_HEAP_H
#define EVAL_WORKER_JUDGE_HEAP_H

/* Before the interpreter starts: its arenas come from here. */
void judge_heap_open(void);
/* When it is warm: what comes from now on lies on small pages. */
void judge_heap_close(void);

#endif /* EVAL_WORKER_JUDGE_HEAP_H */
