/* SPDX-License-Identifier: MIT */
/* check_flow.c -- see check_flow.h. */
#include "eval/check_flow.h"

static bool covers(const struct flow_place *p, const uint32_t *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p->first <= lines[i] && lines[i] <= p->last) {
            return true;
        }
    }
    return false;
}

/* Those that cover one of the lines stay. */
static void keep_on(struct flow_places *p, const uint32_t *lines, size_t n)
{
    size_t n_left = 0;

    for (size_t i = 0; i < p->n; i++) {
        if (covers(&p->at[i], lines, n)) {
            p->at[n_left++] = p->at[i];
        }
    }
    p->n = n_left;
}

enum cwm_rc check_flow_begin(const struct source_flow *f, bool is_script,
                             const uint32_t *lines, size_t n,
                             struct check_activation *a, struct cwm_err *err)
{
    enum cwm_rc rc = is_script ? source_flow_script(f, &a->places, err)
                               : source_flow_calls(f, &a->places, err);

    if (rc == CWM_OK) {
        keep_on(&a->places, lines, n);
        a->is_known = a->places.n > 0;
    }
    return rc;
}

enum cwm_rc check_flow_next(const struct source_flow *f, enum flow_event event,
                            const uint32_t *lines, size_t n,
                            struct check_activation *a, bool *ret_can_be,
                            struct cwm_err *err)
{
    struct flow_places next = {.n = 0}; /* owned */
    enum cwm_rc rc = CWM_OK;

    *ret_can_be = true;
    if (!a->is_known || n == 0) {
        a->is_known = false;
        return CWM_OK;
    }
    rc = source_flow_next(f, &a->places, event, &next, err);
    if (rc == CWM_OK) {
        keep_on(&next, lines, n);
        *ret_can_be = a->is_known = next.n > 0;
        flow_places_release(&a->places);
        a->places = next;
        next = (struct flow_places){.n = 0};
    }
    flow_places_release(&next);
    return rc;
}

void check_activation_release(struct check_activation *a)
{
    flow_places_release(&a->places);
    a->is_known = false;
}
