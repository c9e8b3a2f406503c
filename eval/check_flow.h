/* SPDX-License-Identifier: MIT */
/*
 * check_flow.h -- can a predicted event follow the one before it, by the
 * program's own control flow (tracer/source_flow.h)?
 *
 * An activation is where its events so far allow it to be: since a line's text
 * may stand in several places, that is a set.  An event after which nothing is
 * left of the set cannot be; from there on the activation is anywhere, so that
 * one fault is one finding.
 */
#ifndef EVAL_CHECK_FLOW_H
#define EVAL_CHECK_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "tracer/source_flow.h"

/* Zeroed: anywhere. */
struct check_activation {
    struct flow_places places; /* owned */
    bool is_known;
};

/* It begins, or is resumed, on one of these lines.  Where none is left it is
 * anywhere.  Fails: CWM_NOMEM. */
enum cwm_rc check_flow_begin(const struct source_flow *f, bool is_script,
                             const uint32_t *lines, size_t n,
                             struct check_activation *a, struct cwm_err *err);
/* Its next event, on one of these lines; none: the line is not known, and from
 * here on it is anywhere.  *ret_can_be false: it cannot be. */
enum cwm_rc check_flow_next(const struct source_flow *f, enum flow_event event,
                            const uint32_t *lines, size_t n,
                            struct check_activation *a, bool *ret_can_be,
                            struct cwm_err *err);
void check_activation_release(struct check_activation *a);

#endif /* EVAL_CHECK_FLOW_H */
