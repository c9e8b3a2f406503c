/* SPDX-License-Identifier: MIT */
/*
 * tracer_slot.h -- a thread's place for a tracer, which comes when it is
 * needed and is made anew when it fails or has become too small.
 */
#ifndef TRACER_TRACER_SLOT_H
#define TRACER_TRACER_SLOT_H

#include "cwm/base/err.h"
#include "tracer/trace.h"

struct tracer_slot {
    const struct tracer_options *options; /* borrowed */
    struct tracer *tracer;                /* owned; NULL: not opened */
    uint64_t trace_bytes;                 /* what it was opened for */
};

/* One of zeros and `options` is empty; so is a closed one. */
void tracer_slot_close(struct tracer_slot *s);

/* `n` empty ones, all with these options (borrowed).  Fails: CWM_NOMEM. */
enum cwm_rc tracer_slots_new(const struct tracer_options *options, unsigned n,
                             struct tracer_slot **ret_slots,
                             struct cwm_err *err);
void tracer_slots_free(struct tracer_slot *slots,
                       unsigned n); /* NULL is fine */

/*
 * Have a tracer for traces of `max_trace_bytes`, or of what the options say
 * where that is more.  Fails as tracer_open().
 */
enum cwm_rc tracer_slot_need(struct tracer_slot *s, uint64_t max_trace_bytes,
                             struct cwm_err *err);

/*
 * tracer_run(), with a second try on a fresh worker where ours, not the job,
 * fails.  The result borrows from the slot's tracer.  Fails as tracer_open()
 * and tracer_run(); CWM_CANCELLED as soon as `cancel` is set.
 */
enum cwm_rc tracer_slot_run(struct tracer_slot *s, const struct trace_job *job,
                            const volatile int *cancel,
                            struct trace_result *ret_result,
                            struct cwm_err *err);

#endif /* TRACER_TRACER_SLOT_H */
