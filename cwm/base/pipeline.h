/* SPDX-License-Identifier: MIT */
/*
 * pipeline.h -- many items through N threads, results in the items' order.
 *
 *     read (in order, one at a time)  ->  work (N threads at once)
 *                                     ->  write (in order, the caller)
 *
 * What is written does not depend on the number of threads or on who is
 * done first.  Memory is bounded: no item is read while `window` items, or
 * items of `budget_bytes` together, wait to be written.
 *
 * Failure: when reading or working fails for an item, all items before it
 * are written, then pipeline_run() returns that error; later items are
 * dropped.  When *cancel becomes non-zero no item is read any more, the ones
 * that are done are written as far as they follow each other, and
 * CWM_CANCELLED is returned.
 *
 * Threads: pipeline_run() makes and ends its own; read() is called by one of
 * them at a time, write() and tick() by the caller of pipeline_run().
 */
#ifndef CWM_BASE_PIPELINE_H
#define CWM_BASE_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

struct pipeline_item {
    uint64_t number;    /* from 0, in the order of reading */
    uint64_t tag;       /* free for read(): a line number */
    struct cwm_buf in;  /* read() fills it */
    struct cwm_buf out; /* work() fills it, write() writes it */
    void *note;         /* free for work() and write(): `note_bytes`, zeroed */
};

struct pipeline_ops {
    enum cwm_rc (*read)(void *ctx, struct pipeline_item *item, bool *ret_more,
                        struct cwm_err *err);
    enum cwm_rc (*work)(void *ctx, unsigned thread, struct pipeline_item *item,
                        struct cwm_err *err);
    enum cwm_rc (*write)(void *ctx, struct pipeline_item *item,
                         struct cwm_err *err);
    void (*tick)(void *ctx); /* at least every TICK_MS while waiting; or NULL */
};

#define PIPELINE_TICK_MS 100

struct pipeline_options {
    unsigned n_threads;         /* at least 1 */
    size_t window;              /* items; at least 1 */
    size_t budget_bytes;        /* of in and out of all waiting items */
    size_t max_item_bytes;      /* of in, and of out */
    size_t note_bytes;          /* of pipeline_item.note */
    const volatile int *cancel; /* borrowed; NULL is fine */
};

enum cwm_rc pipeline_run(const struct pipeline_options *options,
                         const struct pipeline_ops *ops, void *ctx,
                         struct cwm_err *err);

#endif /* CWM_BASE_PIPELINE_H */
