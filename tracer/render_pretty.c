/* SPDX-License-Identifier: MIT */
/*
 * render_pretty.c -- a trace for a person at a terminal.
 *
 * A row for each event, in a column of its own for each depth:
 *
 *     9 ╭─ total(xs=[1, 2])
 *    10 │  s = 0                    s = 0
 *    11 │  for x in xs:             x = 1
 *    12 │  s += twice(x)
 *     4 │  ╭─ twice(n=1)
 *     5 │  │  return 2 * n
 *     5 │  ╰─ returns 2
 *    12 │  ↳                        s: 0 → 2
 *
 * The records say what the locals were before a line ran.  A person asks what
 * the line did, so a line's row waits for the next frame of its activation and
 * shows what changed until then.  Where a callee came in between, the row had
 * to be written before; the changes then stand in a row of their own ("↳").
 */
#include "tracer/render.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/render_pretty.h"
#include "tracer/render_width.h"

#define DEFAULT_COLUMNS 100 /* to lay out for where nothing is cut */

/* A function's qualified name. */
struct scope_name {
    const uint8_t *text; /* borrowed from the records */
    size_t len;
};

/* What an activation's line did is not known yet. */
struct scope {
    uint32_t activation;
    uint32_t waiting_line; /* its row is written; 0: none */
};

/* The last frame, while what stands behind it decides its row. */
struct pending {
    enum { NOTHING, LINE, RETURN_BEHIND_EXCEPTION } kind;
    uint32_t line;
    uint32_t depth;
    uint32_t activation;
    struct scope_name function;
};

struct pretty {
    struct pretty_row row;
    const struct source *source; /* borrowed */
    size_t split;                /* the column where changes stand */
    struct scope *scopes;        /* owned; by depth */
    size_t n_scopes;
    struct pending pending;
    uint32_t raised_in; /* activation of the last frame, an exception */
    bool is_raised;
};

/* ---- source lines ---- */

/* Columns of the white space that text[0..len) starts with. */
static size_t indentation(const char *text, size_t len, size_t *ret_bytes)
{
    size_t columns = 0;
    size_t i;

    for (i = 0; i < len && (text[i] == ' ' || text[i] == '\t'); i++) {
        columns = text[i] == '\t' ? (columns / 8 + 1) * 8 : columns + 1;
    }
    *ret_bytes = i;
    return columns;
}

static size_t line_indentation(const struct source *s, uint32_t line)
{
    size_t bytes;
    size_t len;
    const char *text = source_line(s, line, &len);

    return indentation(text, len, &bytes);
}

/*
 * What stands in front of the body of `function`, which `line` is a line of:
 * the guides show what is nested in what, so a body starts at its guide.  A
 * scope without a definition (a lambda, a comprehension) has the indentation
 * of the one round it.
 */
static size_t body_indentation(const struct source *s, uint32_t line,
                               const struct scope_name *function)
{
    size_t n;
    const struct source_def *defs = source_defs(s, &n);
    int def = source_def_at(s, line);
    size_t i;

    for (i = 0; i < n; i++) {
        if (line >= defs[i].first_line && line <= defs[i].last_line &&
            strlen(defs[i].qualname) == function->len &&
            memcmp(defs[i].qualname, function->text, function->len) == 0) {
            def = (int)i;
        }
    }
    return def < 0 ? 0 : line_indentation(s, defs[def].body_line);
}

/* The line as it is shown: without its line end, from `*ret_indent` columns
 * of white space on. */
static const char *shown_line(const struct source *s, uint32_t line,
                              const struct scope_name *function,
                              size_t *ret_len, size_t *ret_indent)
{
    size_t outer = body_indentation(s, line, function);
    size_t bytes;
    const char *text = source_line(s, line, ret_len);
    size_t own = indentation(text, *ret_len, &bytes);

    *ret_indent = own > outer ? own - outer : 0;
    *ret_len -= bytes;
    return text + bytes;
}

/* ---- the layout ---- */

/* The column for changes: behind the widest line, but not far out. */
static enum cwm_rc lay_out(struct pretty *p, struct trace_reader *r,
                           struct cwm_err *err)
{
    size_t limit = (p->row.cuts ? p->row.columns : DEFAULT_COLUMNS) * 11 / 20;
    struct trace_frame frame;
    size_t widest = 0;
    bool more = true;

    trace_reader_rewind(r);
    for (;;) {
        enum cwm_rc rc = trace_reader_next(r, &frame, &more, err);
        const char *text;
        size_t indent;
        size_t len;

        if (rc != CWM_OK) {
            return rc;
        }
        if (!more) {
            break;
        }
        if (frame.event == TRACE_LINE) {
            struct scope_name function = {frame.function, frame.function_len};

            text = shown_line(p->source, frame.line, &function, &len, &indent);
            len = pretty__indent(&p->row, frame.depth) + indent +
                  render__columns(text, len, limit);
            widest = len > widest ? len : widest;
        }
    }
    trace_reader_rewind(r);
    p->split = widest + 3 < limit ? widest + 3 : limit;
    return CWM_OK;
}

/* ---- what changed ---- */

static bool is_changed(const struct trace_frame *frame)
{
    size_t i;

    for (i = 0; i < frame->n_locals; i++) {
        if (frame->locals[i].changed) {
            return true;
        }
    }
    return frame->n_unbound > 0;
}

/* Behind what stands in the row, or in a new row where it is too long. */
static void put_change(struct pretty *p, const struct trace_frame *frame,
                       const struct trace_local *local, bool is_first)
{
    struct pretty_row *row = &p->row;
    size_t room = row->cuts ? row->columns - p->split : SIZE_MAX;
    size_t need = 3 + pretty__change_columns(local, room);

    if (is_first && row->at + 2 <= p->split) {
        pretty__pad(row, p->split);
    } else if (!row->cuts || row->at + need <= row->columns) {
        pretty__put(row, PRETTY_PLAIN, "   ");
    } else {
        pretty__end_row(row);
        pretty__begin_row(row, 0, frame->depth);
        pretty__put(row, PRETTY_DIM, "│");
        pretty__pad(row, p->split);
    }
    pretty__put_change(row, local);
}

static void put_changes(struct pretty *p, const struct trace_frame *frame)
{
    bool is_first = true;
    size_t i;

    for (i = 0; i < frame->n_locals; i++) {
        if (frame->locals[i].changed) {
            put_change(p, frame, &frame->locals[i], is_first);
            is_first = false;
        }
    }
    for (i = 0; i < frame->n_unbound; i++) {
        put_change(p, frame, &frame->unbound[i], is_first);
        is_first = false;
    }
}

/* ---- rows ---- */

static void put_call(struct pretty *p, const struct trace_frame *frame)
{
    struct pretty_row *row = &p->row;

    pretty__begin_row(row, frame->line, frame->depth);
    pretty__put(row, PRETTY_DIM, frame->resumed ? "╭┄ " : "╭─ ");
    pretty__put_text(row, PRETTY_BOLD, frame->function, frame->function_len,
                     row->columns / 2);
    if (frame->resumed) {
        pretty__put(row, PRETTY_DIM, " resumes");
    } else {
        pretty__put_arguments(row, frame->locals, frame->n_locals);
    }
    pretty__end_row(row);
}

/* A line and, when `next` is its activation's next frame, what it did. */
static void put_line(struct pretty *p, const struct pending *line,
                     const struct trace_frame *next)
{
    struct pretty_row *row = &p->row;
    size_t indent;
    size_t len;
    const char *text =
        shown_line(p->source, line->line, &line->function, &len, &indent);

    pretty__begin_row(row, line->line, line->depth);
    pretty__put(row, PRETTY_DIM, "│  ");
    pretty__pad(row, row->at + indent);
    pretty__put_text(row, PRETTY_PLAIN, text, len, SIZE_MAX);
    if (next) {
        put_changes(p, next);
    }
    pretty__end_row(row);
}

static void put_late_changes(struct pretty *p, const struct trace_frame *frame,
                             uint32_t line)
{
    pretty__begin_row(&p->row, line, frame->depth);
    pretty__put(&p->row, PRETTY_DIM, "│  ↳");
    put_changes(p, frame);
    pretty__end_row(&p->row);
}

static void put_exception(struct pretty *p, const struct trace_frame *frame)
{
    struct pretty_row *row = &p->row;
    size_t len = frame->arg_len;
    const uint8_t *text = pretty__exception(frame->arg, &len);

    pretty__begin_row(row, frame->line, frame->depth);
    pretty__put(row, PRETTY_DIM, "│  ");
    pretty__put(row, PRETTY_RED, "✗ ");
    pretty__put_text(row, PRETTY_RED, text, len, SIZE_MAX);
    pretty__end_row(row);
}

static void put_return(struct pretty *p, const struct trace_frame *frame)
{
    struct pretty_row *row = &p->row;

    pretty__begin_row(row, frame->line, frame->depth);
    pretty__put(row, PRETTY_DIM, frame->suspended ? "╰┄ " : "╰─ ");
    pretty__put(row, PRETTY_DIM, frame->suspended ? "yields " : "returns ");
    pretty__put_text(row, PRETTY_CYAN, frame->arg, frame->arg_len, SIZE_MAX);
    pretty__end_row(row);
}

/* The scope is left by the exception when that goes on in the caller. */
static void put_return_behind_exception(struct pretty *p, bool goes_on)
{
    struct pretty_row *row = &p->row;

    pretty__begin_row(row, p->pending.line, p->pending.depth);
    pretty__put(row, PRETTY_DIM, "╰─ ");
    if (goes_on) {
        pretty__put(row, PRETTY_DIM, "left by the exception");
    } else {
        pretty__put(row, PRETTY_DIM, "returns ");
        pretty__put(row, PRETTY_CYAN, "None");
    }
    pretty__end_row(row);
}

/* ---- frames ---- */

/* The scope at the frame's depth; it is the frame's activation's. */
static struct scope *scope_of(struct pretty *p, const struct trace_frame *frame)
{
    struct scope *scope;

    if (frame->depth >= p->n_scopes) {
        size_t n = (size_t)frame->depth + frame->depth / 2 + 16;
        struct scope *scopes = cwm_realloc(p->scopes, n, sizeof *scopes);

        if (!scopes) {
            return NULL;
        }
        memset(scopes + p->n_scopes, 0, (n - p->n_scopes) * sizeof *scopes);
        p->scopes = scopes;
        p->n_scopes = n;
    }
    scope = &p->scopes[frame->depth];
    if (scope->activation != frame->activation || frame->event == TRACE_CALL) {
        scope->activation = frame->activation;
        scope->waiting_line = frame->resumed ? frame->line : 0;
    }
    return scope;
}

/* Write what waited for `frame`; true when its changes are shown by that. */
static bool flush(struct pretty *p, const struct trace_frame *frame)
{
    struct pending *pending = &p->pending;
    bool is_shown = false;

    if (pending->kind == RETURN_BEHIND_EXCEPTION) {
        put_return_behind_exception(p, frame->event == TRACE_EXCEPTION);
    } else if (pending->kind == LINE) {
        is_shown = frame->event == TRACE_LINE &&
                   frame->activation == pending->activation;
        put_line(p, pending, is_shown ? frame : NULL);
        if (!is_shown) {
            p->scopes[pending->depth].waiting_line = pending->line;
        }
    }
    pending->kind = NOTHING;
    return is_shown;
}

static enum cwm_rc add_frame(struct pretty *p, const struct trace_frame *frame,
                             struct cwm_err *err)
{
    bool is_shown = flush(p, frame);
    bool behind_exception = p->is_raised && p->raised_in == frame->activation;
    struct scope *scope = scope_of(p, frame);

    if (!scope) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a call's state");
    }
    p->pending.line = frame->line;
    p->pending.depth = frame->depth;
    p->pending.activation = frame->activation;
    p->pending.function.text = frame->function;
    p->pending.function.len = frame->function_len;
    p->is_raised = frame->event == TRACE_EXCEPTION;
    p->raised_in = frame->activation;
    switch (frame->event) {
    case TRACE_CALL:
        put_call(p, frame);
        break;
    case TRACE_LINE:
        if (!is_shown && is_changed(frame)) {
            put_late_changes(p, frame, scope->waiting_line);
        }
        scope->waiting_line = 0;
        p->pending.kind = LINE;
        break;
    case TRACE_EXCEPTION:
        put_exception(p, frame);
        break;
    case TRACE_RETURN:
        if (behind_exception && !frame->suspended && frame->arg_len == 4 &&
            memcmp(frame->arg, "None", 4) == 0) {
            p->pending.kind = RETURN_BEHIND_EXCEPTION;
        } else {
            put_return(p, frame);
        }
        break;
    }
    return CWM_OK;
}

static enum cwm_rc add_frames(struct pretty *p, struct trace_reader *r,
                              struct cwm_err *err)
{
    struct trace_frame frame;
    bool more = true;
    enum cwm_rc rc = lay_out(p, r, err);

    while (more && rc == CWM_OK && p->row.out->failed == CWM_OK) {
        rc = trace_reader_next(r, &frame, &more, err);
        if (rc == CWM_OK && more) {
            rc = add_frame(p, &frame, err);
        }
    }
    if (rc == CWM_OK && p->pending.kind == LINE) {
        put_line(p, &p->pending, NULL);
    } else if (rc == CWM_OK && p->pending.kind == RETURN_BEHIND_EXCEPTION) {
        put_return_behind_exception(p, trace_reader_end(r)->exception_type !=
                                           NULL);
    }
    return rc;
}

enum cwm_rc render_pretty(struct trace_reader *r, const struct source *s,
                          const struct trace_summary *summary,
                          const struct render_options *options,
                          struct cwm_buf *out, struct cwm_err *err)
{
    static const struct trace_end nothing_ran;
    struct pretty p;
    enum cwm_rc rc = CWM_OK;

    memset(&p, 0, sizeof p);
    p.source = s;
    pretty__init(&p.row, out, options, s ? source_n_lines(s) : 0);
    if (r) {
        rc = add_frames(&p, r, err);
    }
    cwm_free(p.scopes);
    if (rc != CWM_OK) {
        return rc;
    }
    pretty__put_summary(&p.row, summary,
                        r ? trace_reader_end(r) : &nothing_ran);
    return cwm_buf_check(out, "the trace's text", err);
}
