/* SPDX-License-Identifier: MIT */
/*
 * source_flow.h -- which line of a program an activation can be on next.
 *
 * From the syntax tree, statement by statement, an over-approximation: what
 * CPython 3.9 to 3.14 trace is possible, and some that they do not.  A *place*
 * is a statement (of a compound one its header) or a scope's beginning, with
 * the lines that it covers; since a line's text or number may stand for
 * several, an activation is known as a set of places.
 *
 *     source_flow_calls(f, &to), then flow_places_on(&to, LINE of the `call`)
 *     source_flow_next(f, &at, event, &to), then flow_places_on(&to, LINE)
 *
 * and where nothing is left of the set, the event cannot be.  An activation
 * that yields ends by its `return`; another begins when it is resumed.
 *
 * Not looked at are values (both branches are possible) and who calls whom.
 * A text with syntax errors is one place that everything can follow.
 *
 * Threads: a flow does not change and is shared; a set is one thread's.
 */
#ifndef TRACER_SOURCE_FLOW_H
#define TRACER_SOURCE_FLOW_H

#include "tracer/source.h"

struct source_flow; /* opaque: source_flow_internal.h */

enum flow_event { FLOW_LINE, FLOW_RETURN, FLOW_EXCEPTION };

struct flow_place {
    uint32_t node;        /* the flow's own number */
    uint32_t first, last; /* the lines; 1-based */
    bool is_raised;       /* an exception is on its way from there */
};

/* Zeroed at first; flow_places_release(). */
struct flow_places {
    struct flow_place *at; /* owned */
    size_t n;
    size_t capacity;
    uint32_t *seen; /* owned: scratch, by node */
    uint32_t round; /* what it means by "in this search" */
};

/* `s` is not kept.  Fails: CWM_LIMIT, CWM_MISSING (source_tree.h), CWM_NOMEM.
 */
enum cwm_rc source_flow_new(const struct source *s,
                            struct source_flow **ret_flow, struct cwm_err *err);
void source_flow_free(struct source_flow *f); /* NULL is fine */

/* All places where an activation can begin or be resumed. */
enum cwm_rc source_flow_calls(const struct source_flow *f,
                              struct flow_places *to, struct cwm_err *err);
/* The module's beginning: a script's `call`. */
enum cwm_rc source_flow_script(const struct source_flow *f,
                               struct flow_places *to, struct cwm_err *err);
/* Where an activation at `from` can be at its next event, if that is this one.
 * Fails: CWM_NOMEM. */
enum cwm_rc source_flow_next(const struct source_flow *f,
                             const struct flow_places *from,
                             enum flow_event event, struct flow_places *to,
                             struct cwm_err *err);

/* Keep those that cover the line; is one left? */
bool flow_places_on(struct flow_places *p, uint32_t line);
enum cwm_rc flow_places_copy(const struct flow_places *from,
                             struct flow_places *to, struct cwm_err *err);
void flow_places_release(struct flow_places *p);

#endif /* TRACER_SOURCE_FLOW_H */
