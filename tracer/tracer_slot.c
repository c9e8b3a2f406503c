/* SPDX-License-Identifier: MIT */
/*
 * tracer_slot.c -- a thread's place for a tracer.
 */
#include "tracer/tracer_slot.h"

#include <stddef.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"

void tracer_slot_close(struct tracer_slot *s)
{
    tracer_close(s->tracer);
    s->tracer = NULL;
    s->trace_bytes = 0;
}

enum cwm_rc tracer_slots_new(const struct tracer_options *options, unsigned n,
                             struct tracer_slot **ret_slots,
                             struct cwm_err *err)
{
    struct tracer_slot *slots = cwm_calloc(n, sizeof *slots);

    *ret_slots = slots;
    if (!slots) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %u tracers", n);
    }
    for (unsigned i = 0; i < n; i++) {
        slots[i].options = options;
    }
    return CWM_OK;
}

void tracer_slots_free(struct tracer_slot *slots, unsigned n)
{
    for (unsigned i = 0; slots && i < n; i++) {
        tracer_slot_close(&slots[i]);
    }
    cwm_free(slots);
}

enum cwm_rc tracer_slot_need(struct tracer_slot *s, uint64_t max_trace_bytes,
                             struct cwm_err *err)
{
    struct tracer_options options = *s->options;
    enum cwm_rc rc;

    if (s->tracer && max_trace_bytes <= s->trace_bytes) {
        return CWM_OK;
    }
    tracer_slot_close(s);
    if (options.max_trace_bytes < max_trace_bytes) {
        options.max_trace_bytes = max_trace_bytes;
    }
    rc = tracer_open(&options, &s->tracer, err);
    if (rc == CWM_OK) {
        s->trace_bytes = options.max_trace_bytes;
    }
    return rc;
}

enum cwm_rc tracer_slot_run(struct tracer_slot *s, const struct trace_job *job,
                            const volatile int *cancel,
                            struct trace_result *ret_result,
                            struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    for (int attempt = 0; attempt < 2; attempt++) {
        rc = tracer_slot_need(s, job->limits.max_trace_bytes, err);
        if (rc == CWM_OK) {
            rc = tracer_run(s->tracer, job, cancel, ret_result, err);
        }
        if (cwm_is_cancelled(cancel)) {
            return CWM_FAIL(err, CWM_CANCELLED, "stopped on request");
        }
        if (rc == CWM_OK) {
            return CWM_OK;
        }
        tracer_slot_close(s);
    }
    return rc;
}
