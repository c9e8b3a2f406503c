/* SPDX-License-Identifier: MIT */
/* source_flow.c -- see source_flow.h: questions to a flow that is there. */
#include "tracer/source_flow.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/source_flow_internal.h"

void source_flow_free(struct source_flow *f)
{
    if (f) {
        cwm_free(f->nodes);
        cwm_free(f->edges);
        cwm_free(f);
    }
}

/* ---- sets ---------------------------------------------------------------- */

void flow_places_release(struct flow_places *p)
{
    cwm_free(p->at);
    cwm_free(p->seen);
    memset(p, 0, sizeof *p);
}

bool flow_places_on(struct flow_places *p, uint32_t line)
{
    size_t n = 0;
    size_t i;

    for (i = 0; i < p->n; i++) {
        if (p->at[i].first <= line && line <= p->at[i].last) {
            p->at[n++] = p->at[i];
        }
    }
    p->n = n;
    return n > 0;
}

static enum cwm_rc have_room(struct flow_places *p, size_t n,
                             struct cwm_err *err)
{
    size_t more = p->capacity ? p->capacity : 16;
    struct flow_place *at;

    if (n <= p->capacity) {
        return CWM_OK;
    }
    while (more < n) {
        more *= 2;
    }
    at = cwm_realloc(p->at, more, sizeof *at);
    if (!at) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu places", more);
    }
    p->at = at;
    p->capacity = more;
    return CWM_OK;
}

enum cwm_rc flow_places_copy(const struct flow_places *from,
                             struct flow_places *to, struct cwm_err *err)
{
    enum cwm_rc rc = have_room(to, from->n, err);

    if (rc == CWM_OK && from->n > 0) {
        memcpy(to->at, from->at, from->n * sizeof *to->at);
    }
    to->n = rc == CWM_OK ? from->n : to->n;
    return rc;
}

/* ---- searches ------------------------------------------------------------ */

/* One search: places are found in `to`, joints wait behind them. */
struct search {
    const struct source_flow *f;
    struct flow_places *to;
    enum flow_event event;
    bool is_raised;  /* what is found has an exception on its way */
    uint32_t *waits; /* owned: a stack, each node once at most */
    size_t n_waits;
    enum cwm_rc rc;
    struct cwm_err *err;
};

static void found(struct search *s, uint32_t node, uint32_t first,
                  uint32_t last)
{
    struct flow_places *to = s->to;

    if (first == 0 || s->rc != CWM_OK) {
        return;
    }
    s->rc = have_room(to, to->n + 1, s->err);
    if (s->rc == CWM_OK) {
        to->at[to->n++] = (struct flow_place){node, first, last, s->is_raised};
    }
}

static void wait(struct search *s, uint32_t node)
{
    if (node != FLOW_NONE && s->to->seen[node] != s->to->round) {
        s->to->seen[node] = s->to->round;
        s->waits[s->n_waits++] = node;
    }
}

static void wait_behind(struct search *s, uint32_t node)
{
    uint32_t e = s->f->nodes[node].first_edge;

    for (; e != FLOW_NONE; e = s->f->edges[e].next) {
        wait(s, s->f->edges[e].to);
    }
}

/* Everything that waits, and what is behind it without an event. */
static void go_on(struct search *s)
{
    while (s->n_waits > 0) {
        uint32_t number = s->waits[--s->n_waits];
        const struct flow_node *node = &s->f->nodes[number];
        bool is_end = node->traits & FLOW_ENDS;
        bool is_passed =
            node->first == 0 || is_end || node->traits & FLOW_SILENT;

        if (s->event == FLOW_LINE ? !is_end : is_passed) {
            found(s, number, node->first, node->last);
        }
        if (is_passed) {
            wait_behind(s, number);
        }
    }
}

static enum cwm_rc start(struct search *s, const struct source_flow *f,
                         enum flow_event event, struct flow_places *to,
                         struct cwm_err *err)
{
    *s = (struct search){.f = f, .to = to, .event = event, .err = err};
    to->n = 0;
    if (!to->seen) {
        to->seen = cwm_calloc(f->n_nodes, sizeof *to->seen);
    }
    s->waits = cwm_calloc(f->n_nodes, sizeof *s->waits);
    if (!to->seen || !s->waits) {
        cwm_free(s->waits);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu places",
                        f->n_nodes);
    }
    to->round++;
    return CWM_OK;
}

static void from_place(struct search *s, const struct flow_place *p)
{
    const struct flow_node *node = &s->f->nodes[p->node];

    if (s->event != FLOW_LINE) {
        found(s, p->node, node->first, node->last);
        if (s->event == FLOW_RETURN) {
            found(s, p->node, node->around_first, node->around_last);
        }
        wait_behind(s, p->node);
        return;
    }
    if (p->is_raised) {
        wait(s, node->raise);
    }
    if (!p->is_raised || node->traits & FLOW_CATCHES) {
        wait(s, p->node); /* other lines of it, or itself again */
        wait_behind(s, p->node);
    }
}

enum cwm_rc source_flow_next(const struct source_flow *f,
                             const struct flow_places *from,
                             enum flow_event event, struct flow_places *to,
                             struct cwm_err *err)
{
    struct search s;
    enum cwm_rc rc = start(&s, f, event, to, err);
    size_t i;

    if (rc != CWM_OK) {
        return rc;
    }
    s.is_raised = event == FLOW_EXCEPTION;
    for (i = 0; i < from->n; i++) {
        from_place(&s, &from->at[i]);
        go_on(&s);
    }
    cwm_free(s.waits);
    return s.rc;
}

enum cwm_rc source_flow_calls(const struct source_flow *f,
                              struct flow_places *to, struct cwm_err *err)
{
    struct search s;
    enum cwm_rc rc = start(&s, f, FLOW_LINE, to, err);
    uint32_t i;

    if (rc != CWM_OK) {
        return rc;
    }
    for (i = 0; i < f->n_nodes; i++) {
        const struct flow_node *node = &f->nodes[i];

        if (i != f->script && node->traits & (FLOW_BEGINS | FLOW_RESUMES)) {
            found(&s, i, node->first, node->last);
        }
    }
    cwm_free(s.waits);
    return s.rc;
}

enum cwm_rc source_flow_script(const struct source_flow *f,
                               struct flow_places *to, struct cwm_err *err)
{
    struct search s;
    enum cwm_rc rc = start(&s, f, FLOW_LINE, to, err);

    if (rc != CWM_OK) {
        return rc;
    }
    found(&s, f->script, f->nodes[f->script].first, f->nodes[f->script].last);
    cwm_free(s.waits);
    return s.rc;
}
