/* SPDX-License-Identifier: MIT */
/* trace_state.c -- see trace_grammar.h: one text, token by token. */
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/model/sample.h"
#include "cwm/model/trace_grammar_internal.h"

/* What comes next. */
enum phase {
    AT_FIRST,  /* the first frame, or the end of a trace without any */
    AT_EVENT,  /* a frame, or the end */
    IN_LOCALS, /* the JSON of a call or a line */
    AT_ACTION,
    IN_SOURCE,
    AT_ARG,
    IN_ARG, /* the JSON of a return or an exception */
    AT_FRAME_END,
    AT_LAST, /* the end: the entry's scope is left */
    AT_NOTHING
};

struct trace_state {
    const struct trace_grammar *g; /* borrowed */
    enum phase phase;
    enum trace_token event; /* of the frame at hand */
    bool is_first;          /* it is the first one */
    trace_json json;
    /* SOURCE: texts [low,high) begin with the `depth` tokens so far. */
    uint32_t low, high, depth;
    bool *allowed; /* owned; [n_texts]: the frame at hand may be on them */
    bool *lines;   /* owned; [n_lines + 1]: scratch */
    bool *within;  /* owned; [n_texts], of loose programs: in a scope called
                      so far */
    /* Of others: where activations may be, and may be next. */
    struct flow_places next;
    struct flow_place *places; /* owned; one activation's behind the other's */
    size_t n_places, max_places;
    size_t *stack; /* owned; where each activation's places begin */
    size_t n_stack, max_stack;
    uint64_t *mask; /* owned */
};

enum cwm_rc trace_state_new(const struct trace_grammar *g,
                            struct trace_state **ret_state, struct cwm_err *err)
{
    struct trace_state *st = cwm_calloc(1, sizeof *st);

    if (st) {
        st->g = g;
        st->is_first = true;
        st->allowed = cwm_calloc((size_t)g->n_texts + 1, sizeof *st->allowed);
        st->lines = cwm_calloc((size_t)g->n_lines + 1, sizeof *st->lines);
        st->within = cwm_calloc((size_t)g->n_texts + 1, sizeof *st->within);
        st->mask = cwm_calloc(sample_mask_n(trace_vocab_n_words(g->v)),
                              sizeof *st->mask);
    }
    if (!st || !st->allowed || !st->lines || !st->within || !st->mask) {
        trace_state_free(st);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a trace's state");
    }
    *ret_state = st;
    return CWM_OK;
}

void trace_state_free(struct trace_state *st)
{
    if (st) {
        flow_places_release(&st->next);
        cwm_free(st->places);
        cwm_free(st->stack);
        cwm_free(st->allowed);
        cwm_free(st->lines);
        cwm_free(st->within);
        cwm_free(st->mask);
        cwm_free(st);
    }
}

/* ---- SOURCE -------------------------------------------------------------- */

/* Where the frame at hand may be, of programs that are not loose. */
static enum cwm_rc find_next(struct trace_state *st, struct cwm_err *err)
{
    static const enum flow_event events[TRACE_N_TOKENS] = {
        [TRACE_TOKEN_LINE] = FLOW_LINE,
        [TRACE_TOKEN_RETURN] = FLOW_RETURN,
        [TRACE_TOKEN_EXCEPTION] = FLOW_EXCEPTION};
    const struct source_flow *flow = st->g->flow;
    struct flow_places now = {.n = 0};

    if (st->event == TRACE_TOKEN_CALL) {
        return st->is_first && st->g->is_script
                   ? source_flow_script(flow, &st->next, err)
                   : source_flow_calls(flow, &st->next, err);
    }
    now.at = st->places + st->stack[st->n_stack - 1];
    now.n = st->n_places - st->stack[st->n_stack - 1];
    return source_flow_next(flow, &now, events[st->event], &st->next, err);
}

/* Has the text a line that is marked? */
static bool is_marked(const struct trace_state *st,
                      const struct line_text *text)
{
    uint32_t i = 0;

    while (i < text->n_numbers &&
           !st->lines[st->g->numbers[text->number_at + i]]) {
        i++;
    }
    return i < text->n_numbers;
}

/* Before SOURCE: which texts may come? */
static enum cwm_rc find_allowed(struct trace_state *st, struct cwm_err *err)
{
    const struct trace_grammar *g = st->g;
    enum cwm_rc rc;
    uint32_t line;
    size_t i;

    for (i = 0; g->is_loose && i < g->n_texts; i++) {
        st->allowed[i] = st->is_first ? g->texts[i].begins_entry
                         : st->event == TRACE_TOKEN_CALL
                             ? g->texts[i].begins_scope
                             : st->within[i];
    }
    if (g->is_loose) {
        return CWM_OK;
    }
    rc = find_next(st, err);
    if (rc != CWM_OK) {
        return rc;
    }
    memset(st->lines, 0, ((size_t)g->n_lines + 1) * sizeof *st->lines);
    for (i = 0; i < st->next.n; i++) {
        for (line = st->next.at[i].first;
             line <= st->next.at[i].last && line <= g->n_lines; line++) {
            st->lines[line] = true;
        }
    }
    for (i = 0; i < g->n_texts; i++) {
        st->allowed[i] = is_marked(st, &g->texts[i]) &&
                         (!st->is_first || g->texts[i].begins_entry);
    }
    return CWM_OK;
}

/* May the frame at hand be on this text? */
static bool may_be_on(const struct trace_state *st, uint32_t number)
{
    return st->allowed[number];
}

static uint32_t next_token(const struct trace_state *st, uint32_t number)
{
    const struct line_text *text = &st->g->texts[number];

    return st->g->tokens.ids[text->token_at + st->depth];
}

/* Go on by `id` in SOURCE; false: no line that may come does so. */
static bool narrow(struct trace_state *st, uint32_t id)
{
    bool may_come = false;
    uint32_t low = st->low;
    uint32_t high;

    while (low < st->high && next_token(st, low) != id) {
        low++;
    }
    high = low;
    while (high < st->high && next_token(st, high) == id) {
        may_come = may_come || may_be_on(st, high);
        high++;
    }
    if (!may_come) {
        return false;
    }
    st->low = low;
    st->high = high;
    st->depth++;
    return true;
}

static enum cwm_rc have_room(void **items, size_t n, size_t *max, size_t size,
                             struct cwm_err *err)
{
    size_t more = *max ? 2 * *max : 64;
    void *grown;

    if (n < *max) {
        return CWM_OK;
    }
    grown = cwm_realloc(*items, more, size);
    if (!grown) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu scopes", more);
    }
    *items = grown;
    *max = more;
    return CWM_OK;
}

static enum cwm_rc add_place(struct trace_state *st,
                             const struct flow_place *place,
                             struct cwm_err *err)
{
    void *places = st->places;
    enum cwm_rc rc = have_room(&places, st->n_places, &st->max_places,
                               sizeof *st->places, err);

    st->places = places;
    if (rc == CWM_OK) {
        st->places[st->n_places++] = *place;
    }
    return rc;
}

/* The frame is on the text: its activation, or a new one, is there. */
static enum cwm_rc move(struct trace_state *st, uint32_t text,
                        struct cwm_err *err)
{
    const struct trace_grammar *g = st->g;
    size_t before = st->n_places;
    size_t n_stack = st->n_stack;
    void *stack = st->stack;
    enum cwm_rc rc = CWM_OK;
    size_t begin;
    size_t i;

    if (st->event == TRACE_TOKEN_RETURN) {
        return CWM_OK; /* end_frame() lets it go */
    }
    if (st->event == TRACE_TOKEN_CALL) {
        rc = have_room(&stack, n_stack, &st->max_stack, sizeof *st->stack, err);
        st->stack = stack;
        n_stack++;
        begin = before;
    } else {
        begin = st->stack[n_stack - 1];
    }
    for (i = 0; i < st->next.n && rc == CWM_OK; i++) {
        const struct flow_place *p = &st->next.at[i];
        const struct line_range range = {p->first, p->last};

        if (trace_grammar__has_line(g, &g->texts[text], &range)) {
            rc = add_place(st, p, err);
        }
    }
    if (rc != CWM_OK) {
        st->n_places = before;
        return rc;
    }
    memmove(st->places + begin, st->places + before,
            (st->n_places - before) * sizeof *st->places);
    st->n_places -= before - begin;
    st->n_stack = n_stack;
    st->stack[n_stack - 1] = begin;
    return CWM_OK;
}

/* The same of a loose program: a scope is entered by the call on `text`. */
static void enter(struct trace_state *st, uint32_t text)
{
    const struct trace_grammar *g = st->g;
    bool is_script = st->is_first && g->is_script;
    uint32_t i;

    for (i = 0; st->event == TRACE_TOKEN_CALL && i < g->n_texts; i++) {
        st->within[i] =
            st->within[i] || is_script ||
            trace_grammar__is_within(g, &g->texts[text], &g->texts[i]);
    }
}

/* By a token of SOURCE; where the line is whole, on to what is behind it. */
static enum cwm_rc step_source(struct trace_state *st, uint32_t id,
                               bool *ret_allowed, struct cwm_err *err)
{
    const struct trace_state before = *st;
    enum cwm_rc rc = CWM_OK;

    *ret_allowed = narrow(st, id);
    if (!*ret_allowed || st->depth < st->g->texts[st->low].n_tokens) {
        return CWM_OK;
    }
    if (st->g->is_loose) {
        enter(st, st->low);
    } else {
        rc = move(st, st->low, err);
    }
    if (rc != CWM_OK) {
        st->low = before.low;
        st->high = before.high;
        st->depth = before.depth;
        *ret_allowed = false;
        return rc;
    }
    st->is_first = false;
    st->phase = st->event == TRACE_TOKEN_CALL || st->event == TRACE_TOKEN_LINE
                    ? AT_FRAME_END
                    : AT_ARG;
    return CWM_OK;
}

/* ---- the parts of a frame ------------------------------------------------ */

static bool may_begin(const struct trace_state *st, enum trace_token event)
{
    switch (event) {
    case TRACE_TOKEN_CALL:
        return true;
    case TRACE_TOKEN_LINE:
    case TRACE_TOKEN_RETURN:
    case TRACE_TOKEN_EXCEPTION:
        return st->phase == AT_EVENT;
    case TRACE_TOKEN_BEGIN:
    case TRACE_TOKEN_END:
    case TRACE_TOKEN_FRAME:
    case TRACE_TOKEN_ACTION:
    case TRACE_TOKEN_ARG:
    case TRACE_TOKEN_CONTEXT:
    case TRACE_N_TOKENS:
        return false;
    }
    return false;
}

static bool step_event(struct trace_state *st, enum trace_token token)
{
    if (token == TRACE_TOKEN_END) {
        st->phase = AT_NOTHING;
        return true;
    }
    if (!may_begin(st, token)) {
        return false;
    }
    st->event = token;
    st->json = TRACE_JSON_OBJECT;
    st->phase = token == TRACE_TOKEN_CALL || token == TRACE_TOKEN_LINE
                    ? IN_LOCALS
                    : AT_ACTION;
    return true;
}

/* The frame's own end; a scope that is left is no longer on the stack. */
static void end_frame(struct trace_state *st)
{
    st->phase = AT_EVENT;
    if (st->event == TRACE_TOKEN_RETURN && !st->g->is_loose) {
        st->n_places = st->stack[--st->n_stack];
        st->phase = st->n_stack > 0 ? AT_EVENT : AT_LAST;
    }
}

/* The one token that a phase is about; TRACE_N_TOKENS: there are several. */
static enum trace_token only_token(const struct trace_state *st)
{
    switch (st->phase) {
    case IN_LOCALS:
        return st->json == TRACE_JSON_DONE ? TRACE_TOKEN_ACTION
                                           : TRACE_N_TOKENS;
    case IN_ARG:
        return st->json == TRACE_JSON_DONE ? TRACE_TOKEN_FRAME : TRACE_N_TOKENS;
    case AT_ACTION:
        return TRACE_TOKEN_ACTION;
    case AT_ARG:
        return TRACE_TOKEN_ARG;
    case AT_FRAME_END:
        return TRACE_TOKEN_FRAME;
    case AT_LAST:
        return TRACE_TOKEN_END;
    case AT_FIRST:
    case AT_EVENT:
    case IN_SOURCE:
    case AT_NOTHING:
        break;
    }
    return TRACE_N_TOKENS;
}

static void step_only(struct trace_state *st, enum trace_token token)
{
    if (token == TRACE_TOKEN_ACTION) {
        st->phase = IN_SOURCE;
        st->low = 0;
        st->high = st->g->n_texts;
        st->depth = 0;
    } else if (token == TRACE_TOKEN_ARG) {
        st->phase = IN_ARG;
        st->json = TRACE_JSON_TEXT;
    } else if (token == TRACE_TOKEN_END) {
        st->phase = AT_NOTHING;
    } else {
        end_frame(st);
    }
}

enum cwm_rc trace_state_step(struct trace_state *st, uint32_t id,
                             bool *ret_allowed, struct cwm_err *err)
{
    enum trace_token token = trace_vocab_token(st->g->v, id);
    enum trace_token only = only_token(st);
    trace_json json;

    *ret_allowed = false;
    if (only != TRACE_N_TOKENS) {
        if (token == TRACE_TOKEN_ACTION && token == only) {
            enum cwm_rc rc = find_allowed(st, err);

            if (rc != CWM_OK) {
                return rc;
            }
        }
        *ret_allowed = token == only;
        if (token == only) {
            step_only(st, token);
        }
    } else if (st->phase == IN_SOURCE) {
        return step_source(st, id, ret_allowed, err);
    } else if (st->phase == IN_LOCALS || st->phase == IN_ARG) {
        json = trace_vocab_step(st->g->v, st->json, id);
        *ret_allowed = json != TRACE_JSON_DEAD;
        st->json = *ret_allowed ? json : st->json;
    } else if (st->phase != AT_NOTHING) {
        *ret_allowed = step_event(st, token);
    }
    return CWM_OK;
}

/* ---- what may come ------------------------------------------------------- */

bool trace_state_forced(struct trace_state *st, uint32_t *ret_id)
{
    enum trace_token only = only_token(st);
    bool is_found = false;
    uint32_t i;

    if (only != TRACE_N_TOKENS) {
        *ret_id = trace_vocab_id(st->g->v, only);
        return true;
    }
    if (st->phase != IN_SOURCE) {
        return false;
    }
    for (i = st->low; i < st->high; i++) {
        uint32_t id = next_token(st, i);

        if (is_found && id == *ret_id) {
            continue;
        }
        if (may_be_on(st, i)) {
            if (is_found) {
                return false;
            }
            is_found = true;
            *ret_id = id;
        }
    }
    return is_found;
}

size_t trace_state_n_lines(const struct trace_state *st)
{
    size_t n = 0;
    uint32_t i;

    for (i = st->low; st->phase == IN_SOURCE && i < st->high; i++) {
        n += may_be_on(st, i);
    }
    return n;
}

static void allow(struct trace_state *st, uint32_t id)
{
    st->mask[id >> 6] |= UINT64_C(1) << (id & 63);
}

static void allow_token(struct trace_state *st, enum trace_token token)
{
    allow(st, trace_vocab_id(st->g->v, token));
}

const uint64_t *trace_state_mask(struct trace_state *st)
{
    enum trace_token only = only_token(st);
    int token;
    uint32_t i;

    if (only == TRACE_N_TOKENS &&
        (st->phase == IN_LOCALS || st->phase == IN_ARG)) {
        return trace_vocab_mask(st->g->v, st->json);
    }
    memset(st->mask, 0,
           sample_mask_n(trace_vocab_n_words(st->g->v)) * sizeof *st->mask);
    if (only != TRACE_N_TOKENS) {
        allow_token(st, only);
    } else if (st->phase == IN_SOURCE) {
        for (i = st->low; i < st->high; i++) {
            if (may_be_on(st, i)) {
                allow(st, next_token(st, i));
            }
        }
    } else if (st->phase != AT_NOTHING) {
        allow_token(st, TRACE_TOKEN_END);
        for (token = 0; token < TRACE_N_TOKENS; token++) {
            if (may_begin(st, (enum trace_token)token)) {
                allow_token(st, (enum trace_token)token);
            }
        }
    }
    return st->mask;
}
