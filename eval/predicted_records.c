/* SPDX-License-Identifier: MIT */
/* predicted_records.c -- see predicted_records.h. */
#include "eval/predicted_records.h"

#include <string.h>

#include "cwm/base/alloc.h"

#define NOBODY UINT32_MAX

struct text {
    const char *bytes; /* borrowed from the prediction */
    size_t len;
};

/* A call that is not over. */
struct scope {
    uint32_t activation;
    uint32_t first, last; /* lines */
    uint32_t line;        /* of its last frame */
    /* Its locals: those of the last call or line frame, as indices. */
    size_t first_local, n_locals;
};

struct replay {
    const struct predicted *p;
    const struct source *s;
    const struct source_def *defs;
    size_t n_defs;
    int entry;
    struct cwm_buf *out;
    struct text *names; /* owned; by id */
    uint32_t n_names, max_names;
    uint32_t n_functions; /* defined: one for each call, named anew */
    uint32_t n_activations;
    struct scope *stack; /* owned */
    size_t n_stack, max_stack;
};

/* ---- bytes --------------------------------------------------------------- */

static void put_number(struct cwm_buf *out, uint64_t n)
{
    while (n >= 0x80) {
        cwm_buf_addc(out, (char)((n & 0x7F) | 0x80));
        n >>= 7;
    }
    cwm_buf_addc(out, (char)n);
}

static void put_text(struct cwm_buf *out, const char *text, size_t len)
{
    put_number(out, len);
    cwm_buf_add(out, text, len);
}

/* Room for one more in an array that grows; NULL: no memory. */
static void *grow(void *array, size_t n, size_t *max, size_t size)
{
    void *more = array;

    if (n == *max) {
        more = cwm_realloc(array, 2 * n + 16, size);
        *max = more ? 2 * n + 16 : *max;
    }
    return more;
}

/* The id of a name, which is defined where it is new; NOBODY: no memory. */
static uint32_t name_id(struct replay *r, const struct predicted_text *name)
{
    size_t max = r->max_names;
    struct text *names;
    uint32_t i;

    for (i = 0; i < r->n_names; i++) {
        if (r->names[i].len == name->len &&
            memcmp(r->names[i].bytes, name->text, name->len) == 0) {
            return i;
        }
    }
    names = grow(r->names, r->n_names, &max, sizeof *names);
    if (!names) {
        return NOBODY;
    }
    r->names = names;
    r->max_names = (uint32_t)max;
    r->names[r->n_names].bytes = name->text;
    r->names[r->n_names].len = name->len;
    cwm_buf_addc(r->out, TRACE_RECORD_NAME);
    put_text(r->out, name->text, name->len);
    return r->n_names++;
}

/* ---- lines --------------------------------------------------------------- */

static bool is_on(const struct replay *r, uint32_t line,
                  const struct predicted_text *text)
{
    size_t len;
    const char *bytes = source_line(r->s, line, &len);

    return text->text && text->len == len &&
           memcmp(bytes, text->text, len) == 0;
}

/* A line with this text among first..last, the first one from `from` on, else
 * from the start; 0: none. */
static uint32_t find_line(const struct replay *r,
                          const struct predicted_text *text, uint32_t first,
                          uint32_t last, uint32_t from)
{
    uint32_t line;

    for (line = from; line <= last; line++) {
        if (is_on(r, line, text)) {
            return line;
        }
    }
    for (line = first; line < from && line <= last; line++) {
        if (is_on(r, line, text)) {
            return line;
        }
    }
    return 0;
}

/* The innermost definition that holds the line, or -1. */
static int def_of(const struct replay *r, uint32_t line)
{
    int best = -1;
    size_t i;

    for (i = 0; i < r->n_defs; i++) {
        if (r->defs[i].first_line <= line && line <= r->defs[i].last_line) {
            best = (int)i; /* inner ones come later */
        }
    }
    return best;
}

/* The line of a call: one that begins a definition, else any. */
static uint32_t find_call(const struct replay *r,
                          const struct predicted_text *text)
{
    uint32_t n = source_n_lines(r->s);
    size_t i;

    if (r->n_activations == 0 && r->entry >= 0) {
        return find_line(r, text, r->defs[r->entry].first_line,
                         r->defs[r->entry].header_end_line,
                         r->defs[r->entry].first_line);
    }
    for (i = 0; i < r->n_defs; i++) {
        uint32_t line = r->defs[i].first_line;

        if (is_on(r, line, text) && line <= n) {
            return line;
        }
    }
    return find_line(r, text, 1, n, 1);
}

/* ---- frames -------------------------------------------------------------- */

static const struct predicted_local *find_local(
    const struct replay *r, size_t first, size_t n,
    const struct predicted_text *name)
{
    size_t i;

    for (i = first; i < first + n; i++) {
        if (predicted_same_text(&r->p->locals[i].name, name)) {
            return &r->p->locals[i];
        }
    }
    return NULL;
}

/*
 * The locals of a frame: ".." of one that was there before stays as it is.
 * before: the scope, NULL for a call's.
 */
static bool put_locals(struct replay *r, const struct predicted_frame *f,
                       const struct scope *before, struct cwm_buf *record)
{
    struct cwm_buf entries;
    size_t n = 0;
    size_t i;
    bool ok;

    cwm_buf_init(&entries, SIZE_MAX / 2);
    for (i = f->first_local; i < f->first_local + f->n_locals; i++) {
        const struct predicted_local *local = &r->p->locals[i];
        bool is_same =
            before && local->value.len == 2 &&
            memcmp(local->value.text, "..", 2) == 0 &&
            find_local(r, before->first_local, before->n_locals, &local->name);
        uint32_t id;

        if (find_local(r, f->first_local, i - f->first_local, &local->name)) {
            continue; /* each name once */
        }
        id = name_id(r, &local->name);
        if (id == NOBODY) {
            entries.failed = CWM_NOMEM;
            break;
        }
        put_number(&entries, (uint64_t)id << 2 | (is_same ? TRACE_ENTRY_SAME
                                                          : TRACE_ENTRY_TEXT));
        if (!is_same) {
            put_text(&entries, local->value.text, local->value.len);
        }
        n++;
    }
    put_number(record, n);
    cwm_buf_add(record, entries.data, entries.len);
    ok = entries.failed == CWM_OK;
    cwm_buf_release(&entries);
    return ok;
}

static const char *function_name(const struct replay *r, uint32_t line, int def)
{
    size_t len;
    const char *text = source_line(r->s, line, &len);

    if (def >= 0 && line >= r->defs[def].first_line &&
        line <= r->defs[def].def_line) {
        return r->defs[def].qualname;
    }
    if (r->n_activations == 0) {
        return "<module>";
    }
    return memmem(text, len, "lambda", 6) ? "<lambda>" : "<comprehension>";
}

/* false: it cannot be shown; a failure sticks to `record` or r->out. */
static bool put_call(struct replay *r, const struct predicted_frame *f,
                     struct cwm_buf *record)
{
    uint32_t line = find_call(r, &f->source);
    int def = def_of(r, line);
    struct scope *stack;
    struct scope *scope;
    const char *name;

    if (line == 0 || (r->n_stack == 0 && r->n_activations > 0)) {
        return false;
    }
    stack = grow(r->stack, r->n_stack, &r->max_stack, sizeof *stack);
    if (!stack) {
        record->failed = CWM_NOMEM;
        return false;
    }
    r->stack = stack;
    scope = &r->stack[r->n_stack++];
    *scope = (struct scope){
        .activation = r->n_activations,
        .first = def < 0 ? 1 : r->defs[def].first_line,
        .last = def < 0 ? source_n_lines(r->s) : r->defs[def].last_line,
        .line = line,
        .first_local = f->first_local,
        .n_locals = f->n_locals,
    };
    name = function_name(r, line, def);
    cwm_buf_addc(r->out, TRACE_RECORD_FUNC);
    put_text(r->out, name, strlen(name));
    cwm_buf_addc(record, TRACE_RECORD_CALL);
    put_number(record, r->n_functions++);
    put_number(record, r->n_activations++);
    put_number(record, line);
    return put_locals(r, f, NULL, record);
}

static bool put_event(struct replay *r, const struct predicted_frame *f,
                      struct cwm_buf *record)
{
    struct scope *scope;
    uint32_t line;

    if (r->n_stack == 0) {
        return false;
    }
    scope = &r->stack[r->n_stack - 1];
    line = find_line(r, &f->source, scope->first, scope->last,
                     scope->line + (f->event == TRACE_LINE));
    if (line == 0) {
        line = find_line(r, &f->source, 1, source_n_lines(r->s), 1);
    }
    if (line == 0) {
        return false;
    }
    scope->line = line;
    if (f->event == TRACE_LINE) {
        struct scope before = *scope;

        cwm_buf_addc(record, TRACE_RECORD_LINE);
        put_number(record, line);
        scope->first_local = f->first_local;
        scope->n_locals = f->n_locals;
        return put_locals(r, f, &before, record);
    }
    cwm_buf_addc(record, f->event == TRACE_RETURN ? TRACE_RECORD_RETURN
                                                  : TRACE_RECORD_EXCEPT);
    put_number(record, line);
    cwm_buf_addc(record, 0);
    put_text(record, f->arg.text ? f->arg.text : "", f->arg.len);
    r->n_stack -= f->event == TRACE_RETURN;
    return true;
}

/* The entry returned: the records are whole. */
static void put_end(const struct predicted_frame *last, struct cwm_buf *out)
{
    cwm_buf_addc(out, TRACE_RECORD_END);
    cwm_buf_addc(out, TRACE_END_OK);
    cwm_buf_addc(out, (char)TRACE_FLAG_RESULT);
    put_text(out, last->arg.text ? last->arg.text : "", last->arg.len);
}

static void put_header(struct cwm_buf *out)
{
    char header[TRACE_SHARED_HEADER_BYTES] = TRACE_SHARED_MAGIC;

    cwm_buf_add(out, header, sizeof header);
}

static void put_length(struct cwm_buf *out)
{
    uint64_t n = out->len - TRACE_SHARED_HEADER_BYTES;
    size_t i;

    for (i = 0; i < 8; i++) {
        out->data[8 + i] = (char)(n >> 8 * i & 0xFF);
    }
}

enum cwm_rc replay_records(const struct predicted *p, const struct source *s,
                           int entry, struct cwm_buf *out, size_t *ret_n,
                           struct cwm_err *err)
{
    struct replay r = {.p = p, .s = s, .entry = entry, .out = out};
    struct cwm_buf record;
    enum cwm_rc rc;
    size_t i;

    r.defs = source_defs(s, &r.n_defs);
    cwm_buf_init(&record, SIZE_MAX / 2);
    put_header(out);
    for (i = 0; i < p->n_frames; i++) {
        const struct predicted_frame *f = &p->frames[i];
        bool ok = f->event != PREDICTED_NO_EVENT;

        cwm_buf_clear(&record);
        if (ok) {
            ok = f->event == TRACE_CALL ? put_call(&r, f, &record)
                                        : put_event(&r, f, &record);
        }
        if (!ok || record.failed != CWM_OK) {
            break;
        }
        cwm_buf_add(out, record.data, record.len);
    }
    if (i > 0 && i == p->n_frames && r.n_stack == 0) {
        put_end(&p->frames[i - 1], out);
    }
    rc = record.failed == CWM_NOMEM
             ? CWM_FAIL(err, CWM_NOMEM, "could not hold the records")
             : cwm_buf_check(out, "the records", err);
    if (rc == CWM_OK) {
        put_length(out);
        *ret_n = i;
    }
    cwm_buf_release(&record);
    cwm_free(r.names);
    cwm_free(r.stack);
    return rc;
}
