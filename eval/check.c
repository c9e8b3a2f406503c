/* SPDX-License-Identifier: MIT */
/* check.c -- see check.h. */
#include "eval/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/check_flow.h"

enum { NO_DEF = -1, MAX_SHOWN_BYTES = 40 };

/* A line of the program by its text. */
struct line {
    const char *text; /* borrowed from the source */
    size_t len;
    uint32_t number;
};

/* A scope that is running. */
struct scope {
    int def;            /* of source_defs(); NO_DEF: any line will do */
    size_t state;       /* the frame of its last call or line; SIZE_MAX */
    bool is_shown_anew; /* a callee was left: the next state is in full */
    bool was_raising;   /* its last frame was an exception */
    struct check_activation where; /* owned */
};

struct checker {
    const struct source *source;
    const struct source_def *defs;
    size_t n_defs;
    int entry;          /* NO_DEF: a script */
    struct line *lines; /* owned; sorted by text, then number */
    size_t n_lines;
    size_t n_bytes; /* of the program */
    const struct predicted *p;
    struct check_result *result;
    struct cwm_buf scopes;    /* of struct scope; the entry's first */
    const char **values;      /* owned; [p->n_locals]: what `..` stands for */
    size_t *lens;             /* owned; of values */
    bool is_loose;            /* scopes may be left and resumed unseen */
    bool binds_all;           /* names may come from anywhere */
    bool unbinds;             /* there is a `del`, or an `except ... as` */
    bool has_dots;            /* a value's own text may be `..` */
    size_t at;                /* the frame being looked at */
    struct source_flow *flow; /* owned; NULL: the program is loose */
    uint32_t *numbers;        /* owned; [n_lines]: lines with one text */
};

const char *check_kind_name(enum check_kind kind)
{
    static const char *const names[] = {
#define CHECK_KIND_NAME(id, text) text,
        CHECK_KIND_TABLE(CHECK_KIND_NAME)
#undef CHECK_KIND_NAME
    };

    return names[kind];
}

__attribute__((format(printf, 3, 4))) static void problem(struct checker *c,
                                                          enum check_kind kind,
                                                          const char *format,
                                                          ...)
{
    struct check_result *r = c->result;
    va_list args;

    r->n_problems++;
    r->n_of_kind[kind]++;
    if (r->n_kept < CHECK_MAX_KEPT) {
        struct check_problem *kept = &r->kept[r->n_kept++];

        kept->frame = c->at;
        kept->kind = kind;
        va_start(args, format);
        vsnprintf(kept->what, sizeof kept->what, format, args);
        va_end(args);
    }
}

static int shown(size_t len)
{
    return len < MAX_SHOWN_BYTES ? (int)len : MAX_SHOWN_BYTES;
}

/* ---- the program ---- */

static int by_text(const void *a, const void *b)
{
    const struct line *x = a;
    const struct line *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = len > 0 ? memcmp(x->text, y->text, len) : 0;

    if (order == 0) {
        order = (x->len > y->len) - (x->len < y->len);
    }
    return order != 0 ? order
                      : (x->number > y->number) - (x->number < y->number);
}

static bool has_word(const char *text, size_t len, const char *word)
{
    return len > 0 && memmem(text, len, word, strlen(word)) != NULL;
}

/* A `for` that begins no line is a comprehension's or a generator's. */
static bool has_inner_for(const struct line *line)
{
    const char *at = line->text;
    size_t left = line->len;

    while (left > 0 && (*at == ' ' || *at == '\t')) {
        at++;
        left--;
    }
    return left > 3 && (has_word(at + 1, left - 1, " for ") ||
                        has_word(at + 1, left - 1, ")for ") ||
                        (left > 3 && strncmp(at, "for ", 4) == 0 &&
                         !has_word(at, left, ":")));
}

/* What makes a program hard to follow from its text. */
static void look_at_words(struct checker *c)
{
    static const char *const loose[] = {"yield",    "await",     "async",
                                        "settrace", "_getframe", "setprofile",
                                        "thread",   "f_lineno"};
    static const char *const binding[] = {
        "exec",    "import *", "globals", "locals",    "vars",
        "setattr", "__dict__", "eval",    "_getframe", "class "};
    size_t len;
    const char *text = source_text(c->source, &len);

    c->n_bytes = len;
    for (size_t i = 0; i < sizeof loose / sizeof *loose; i++) {
        c->is_loose = c->is_loose || has_word(text, len, loose[i]);
    }
    for (size_t i = 0; i < c->n_lines && !c->is_loose; i++) {
        c->is_loose = has_inner_for(&c->lines[i]);
    }
    for (size_t i = 0; i < sizeof binding / sizeof *binding; i++) {
        c->binds_all = c->binds_all || has_word(text, len, binding[i]);
    }
    c->unbinds = has_word(text, len, "del ") || has_word(text, len, "del(") ||
                 (has_word(text, len, "except") && has_word(text, len, " as "));
    c->has_dots = has_word(text, len, "\"..\"") || has_word(text, len, "'..'");
}

static enum cwm_rc load_lines(struct checker *c, struct cwm_err *err)
{
    c->n_lines = source_n_lines(c->source);
    c->lines = cwm_calloc(c->n_lines + 1, sizeof *c->lines);
    if (!c->lines) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu lines", c->n_lines);
    }
    for (size_t i = 0; i < c->n_lines; i++) {
        struct line *line = &c->lines[i];

        line->number = (uint32_t)i + 1;
        line->text = source_line(c->source, line->number, &line->len);
    }
    look_at_words(c);
    if (c->n_lines > 1) {
        qsort(c->lines, c->n_lines, sizeof *c->lines, by_text);
    }
    return CWM_OK;
}

/* The lines that read `source`: from *ret_first on; how many. */
static size_t find_lines(const struct checker *c,
                         const struct predicted_text *source, size_t *ret_first)
{
    struct line key = {source->text, source->len, 0};
    size_t low = 0;
    size_t high = c->n_lines;
    size_t n = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (by_text(&c->lines[middle], &key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_first = low;
    while (low + n < c->n_lines && c->lines[low + n].len == source->len &&
           memcmp(c->lines[low + n].text, source->text, source->len) == 0) {
        n++;
    }
    return n;
}

/* ---- scopes ---- */

static size_t n_scopes(const struct checker *c)
{
    return c->scopes.len / sizeof(struct scope);
}

static struct scope *top(const struct checker *c)
{
    return (struct scope *)(void *)c->scopes.data + n_scopes(c) - 1;
}

/* The function that a call on one of the lines begins; NO_DEF: it cannot be
 * told, or a lambda's, a comprehension's, a class's. */
static int called_def(const struct checker *c, size_t first, size_t n)
{
    int found = NO_DEF;

    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < c->n_defs; d++) {
            const struct source_def *def = &c->defs[d];
            uint32_t line = c->lines[first + i].number;

            if (line != def->first_line && line != def->def_line) {
                continue;
            }
            if (def->kind == SOURCE_CLASS || found != NO_DEF) {
                return NO_DEF;
            }
            found = (int)d;
        }
    }
    return found;
}

/* Is the line run by `def` itself?  Of the functions inside it only their
 * headers are: decorators, defaults, annotations. */
static bool is_of(const struct checker *c, int def, uint32_t line)
{
    int at = source_def_at(c->source, line);

    while (at >= 0 && at != def && line <= c->defs[at].header_end_line) {
        at = c->defs[at].parent;
    }
    /* What is not in a function may be in a class, or near the end. */
    return at == def || (at >= 0 && c->defs[at].kind == SOURCE_CLASS);
}

static bool is_within(const struct checker *c, int def, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t line = c->lines[first + i].number;

        if (line >= c->defs[def].first_line && line <= c->defs[def].last_line &&
            is_of(c, def, line)) {
            return true;
        }
    }
    return false;
}

static bool is_entrys(const struct checker *c, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t line = c->lines[first + i].number;

        if (c->entry == NO_DEF ? line == source_first_code_line(c->source)
                               : line == c->defs[c->entry].first_line ||
                                     line == c->defs[c->entry].def_line) {
            return true;
        }
    }
    return false;
}

/* ---- names and values ---- */

static bool is_dots(const struct predicted_local *local)
{
    return local->is_text && local->value.len == 2 &&
           memcmp(local->value.text, "..", 2) == 0;
}

/* Does the name stand in lines first..last?  Names that Python itself makes up
 * and those beyond ASCII (which it may write otherwise) count. */
static bool is_in_text(const struct checker *c,
                       const struct predicted_text *name, uint32_t first,
                       uint32_t last)
{
    if (name->len == 0) {
        return false;
    }
    for (size_t i = 0; i < name->len; i++) {
        if ((unsigned char)name->text[i] >= 0x80) {
            return true;
        }
    }
    if (name->text[0] == '.' || name->text[0] == '_') {
        return true;
    }
    for (uint32_t i = first; i <= last; i++) {
        size_t len;
        const char *text = source_line(c->source, i, &len);

        if (len > 0 && memmem(text, len, name->text, name->len)) {
            return true;
        }
    }
    return false;
}

/* The local of the same name in frame `at`, or NULL. */
static const struct predicted_local *find_local(
    const struct checker *c, size_t at, size_t hint,
    const struct predicted_text *name)
{
    const struct predicted_frame *f = &c->p->frames[at];
    const struct predicted_local *locals = predicted_locals(c->p, f);

    /* Names keep their places, most of the time. */
    for (size_t i = 0; i < f->n_locals; i++) {
        const struct predicted_local *local = &locals[(i + hint) % f->n_locals];

        if (predicted_same_text(&local->name, name)) {
            return local;
        }
    }
    return NULL;
}

/* One local: does `..` stand where it belongs, and nowhere else? */
static void check_value(struct checker *c, const struct scope *scope,
                        size_t number, bool is_call)
{
    const struct predicted_frame *f = &c->p->frames[c->at];
    const struct predicted_local *local = predicted_locals(c->p, f) + number;
    const struct predicted_local *before =
        scope->state == SIZE_MAX
            ? NULL
            : find_local(c, scope->state, number, &local->name);
    size_t index = f->first_local + number;
    size_t old = before ? (size_t)(before - c->p->locals) : 0;
    bool must_be_full = is_call || scope->is_shown_anew || !before;

    c->values[index] = local->value.text;
    c->lens[index] = local->value.len;
    if (is_dots(local) && before && !must_be_full) {
        c->values[index] = c->values[old];
        c->lens[index] = c->lens[old];
    } else if (is_dots(local) && !c->has_dots && !c->is_loose) {
        problem(c, CHECK_DIFF, "'%.*s' is \"..\" where its value belongs",
                shown(local->name.len), local->name.text);
    } else if (!must_be_full && !c->is_loose && local->is_text &&
               c->lens[old] == local->value.len &&
               memcmp(c->values[old], local->value.text, local->value.len) ==
                   0 &&
               !is_dots(local)) {
        problem(c, CHECK_DIFF, "'%.*s' did not change: \"..\" belongs there",
                shown(local->name.len), local->name.text);
    }
}

static void check_names(struct checker *c, const struct scope *scope)
{
    const struct predicted_frame *f = &c->p->frames[c->at];
    const struct predicted_local *locals = predicted_locals(c->p, f);
    bool known = scope->def != NO_DEF;
    uint32_t first = known ? c->defs[scope->def].first_line : 1;
    uint32_t last =
        known ? c->defs[scope->def].last_line : (uint32_t)c->n_lines;

    if (c->binds_all) {
        return;
    }
    for (size_t i = 0; i < f->n_locals; i++) {
        const struct predicted_local *before =
            scope->state == SIZE_MAX
                ? NULL
                : find_local(c, scope->state, i, &locals[i].name);

        if (!before && !is_in_text(c, &locals[i].name, first, last)) {
            problem(c, CHECK_NAME, "nothing binds '%.*s'",
                    shown(locals[i].name.len), locals[i].name.text);
        }
    }
}

/* What was bound stays bound, where nothing unbinds it. */
static void check_unbound(struct checker *c, const struct scope *scope)
{
    const struct predicted_frame *before;
    const struct predicted_local *locals;

    if (scope->state == SIZE_MAX || c->unbinds || c->binds_all || c->is_loose) {
        return;
    }
    before = &c->p->frames[scope->state];
    locals = predicted_locals(c->p, before);
    for (size_t i = 0; i < before->n_locals; i++) {
        if (!find_local(c, c->at, i, &locals[i].name)) {
            problem(c, CHECK_NAME, "'%.*s' is gone, and nothing deletes it",
                    shown(locals[i].name.len), locals[i].name.text);
        }
    }
}

static void check_state(struct checker *c, struct scope *scope, bool is_call)
{
    const struct predicted_frame *f = &c->p->frames[c->at];

    if (!f->has_locals) {
        return; /* the format is broken: that has been told */
    }
    if (f->n_locals > c->n_bytes) { /* every name stands in the program */
        problem(c, CHECK_NAME, "%zu names in a program of %zu bytes",
                f->n_locals, c->n_bytes);
        return;
    }
    check_names(c, scope);
    check_unbound(c, scope);
    for (size_t i = 0; i < f->n_locals; i++) {
        check_value(c, scope, i, is_call);
    }
    scope->state = c->at;
    scope->is_shown_anew = false;
}

/* ---- frames ---- */

/* c->numbers: the lines c->lines[first..first + n). */
static size_t take_numbers(struct checker *c, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        c->numbers[i] = c->lines[first + i].number;
    }
    return n;
}

static enum cwm_rc check_call(struct checker *c, size_t first, size_t n,
                              struct cwm_err *err)
{
    bool is_script = c->at == 0 && c->entry == NO_DEF;
    struct scope scope = {.def = is_script ? NO_DEF : called_def(c, first, n),
                          .state = SIZE_MAX};

    if (n > 0 && scope.def == NO_DEF && !c->is_loose && !is_script &&
        !c->binds_all) {
        size_t len;
        const char *text = source_text(c->source, &len);

        if (!has_word(text, len, "lambda") && c->n_defs < 2) {
            problem(c, CHECK_SUCCESSOR, "no scope begins on this line");
        }
    }
    if (c->flow) {
        enum cwm_rc rc =
            check_flow_begin(c->flow, is_script, c->numbers,
                             take_numbers(c, first, n), &scope.where, err);

        if (rc != CWM_OK) {
            check_activation_release(&scope.where);
            return rc;
        }
    }
    if (cwm_buf_add(&c->scopes, &scope, sizeof scope) != CWM_OK) {
        check_activation_release(&scope.where);
        return cwm_buf_check(&c->scopes, "the scopes", err);
    }
    check_state(c, top(c), true);
    return CWM_OK;
}

static void check_place(struct checker *c, const struct scope *scope,
                        size_t first, size_t n)
{
    const struct predicted_frame *f = &c->p->frames[c->at];

    if (n > 0 && scope->def != NO_DEF && !c->is_loose &&
        !is_within(c, scope->def, first, n)) {
        problem(c, CHECK_SUCCESSOR, "'%.*s' is no line of %.60s",
                shown(f->source.len), f->source.text,
                c->defs[scope->def].qualname);
    }
}

/* Can this event be here, in the scope and by the program's flow? */
static enum cwm_rc check_next(struct checker *c, struct scope *scope,
                              size_t first, size_t n, struct cwm_err *err)
{
    static const enum flow_event events[] = {[TRACE_LINE] = FLOW_LINE,
                                             [TRACE_RETURN] = FLOW_RETURN,
                                             [TRACE_EXCEPTION] =
                                                 FLOW_EXCEPTION};
    const struct predicted_frame *f = &c->p->frames[c->at];
    uint64_t n_before = c->result->n_of_kind[CHECK_SUCCESSOR];
    bool can_be = true;
    enum cwm_rc rc;

    check_place(c, scope, first, n);
    if (!c->flow) {
        return CWM_OK;
    }
    if (f->event == PREDICTED_NO_EVENT ||
        c->result->n_of_kind[CHECK_SUCCESSOR] > n_before) {
        scope->where.is_known = false;
        return CWM_OK;
    }
    rc =
        check_flow_next(c->flow, events[f->event], c->numbers,
                        take_numbers(c, first, n), &scope->where, &can_be, err);
    if (rc == CWM_OK && !can_be) {
        problem(c, CHECK_SUCCESSOR, "%s on '%.*s' cannot come here",
                f->event == TRACE_LINE     ? "the step"
                : f->event == TRACE_RETURN ? "leaving"
                                           : "an exception",
                shown(f->source.len), f->source.text);
    }
    return rc;
}

static void leave(struct checker *c)
{
    const struct predicted_frame *f = &c->p->frames[c->at];

    if (top(c)->was_raising && !c->is_loose && f->arg.text &&
        !(f->arg.len == 4 && memcmp(f->arg.text, "None", 4) == 0)) {
        problem(c, CHECK_SUCCESSOR, "left by an exception, and returns %.*s",
                shown(f->arg.len), f->arg.text);
    }
    check_activation_release(&top(c)->where);
    c->scopes.len -= sizeof(struct scope);
    if (n_scopes(c) > 0) {
        top(c)->is_shown_anew = true;
        top(c)->was_raising = false;
    }
}

static enum cwm_rc check_frame(struct checker *c, struct cwm_err *err)
{
    const struct predicted_frame *f = &c->p->frames[c->at];
    size_t first = 0;
    size_t n = f->source.text ? find_lines(c, &f->source, &first) : 0;
    struct scope *scope;
    enum cwm_rc rc;

    if (!f->whole) {
        problem(c, CHECK_FORMAT, "it breaks the format%s%s",
                c->result->n_of_kind[CHECK_FORMAT] == 0 ? ": " : "",
                c->result->n_of_kind[CHECK_FORMAT] == 0 && c->p->broken_why
                    ? c->p->broken_why
                    : "");
    }
    if (f->source.text && n == 0) {
        problem(c, CHECK_SOURCE, "'%.*s' is no line of the program",
                shown(f->source.len), f->source.text);
    }
    if (c->at == 0 &&
        (f->event != TRACE_CALL || (n > 0 && !is_entrys(c, first, n)))) {
        problem(c, CHECK_ENTRY, "a trace begins with the call of its entry");
    }
    if (f->event == TRACE_CALL) {
        return check_call(c, first, n, err);
    }
    if (n_scopes(c) == 0) {
        if (!c->is_loose) {
            problem(c, CHECK_SCOPES, "the entry has been left");
        }
        return CWM_OK;
    }
    scope = top(c);
    rc = check_next(c, scope, first, n, err);
    if (rc != CWM_OK) {
        return rc;
    }
    if (f->event == TRACE_LINE) {
        check_state(c, scope, false);
        scope->was_raising = false;
    } else if (f->event == TRACE_EXCEPTION) {
        scope->was_raising = true;
    } else if (f->event == TRACE_RETURN) {
        leave(c);
    }
    return CWM_OK;
}

static enum cwm_rc check_frames(struct checker *c, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    size_t n = c->p->n_locals + 1;

    c->values = cwm_calloc(n, sizeof *c->values);
    c->lens = cwm_calloc(n, sizeof *c->lens);
    if (!c->values || !c->lens) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu locals", n);
    }
    for (c->at = 0; c->at < c->p->n_frames && rc == CWM_OK; c->at++) {
        rc = check_frame(c, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (c->p->n_frames == 0 ||
        (!c->p->whole && c->result->n_of_kind[CHECK_FORMAT] == 0)) {
        problem(c, CHECK_FORMAT, "%s",
                c->p->broken_why ? c->p->broken_why : "there is no frame");
    }
    if (n_scopes(c) > 0 && !c->is_loose) {
        problem(c, CHECK_SCOPES, "%zu scope%s left open", n_scopes(c),
                n_scopes(c) == 1 ? " is" : "s are");
    }
    return CWM_OK;
}

/* ---- from outside ---- */

/* The program that is traced: with main() where that is asked for. */
static enum cwm_rc load_source(const struct check_input *input,
                               struct source **ret_source, int *ret_entry,
                               struct cwm_err *err)
{
    struct source *s = NULL; /* owned */
    struct source *wrapped = NULL;
    struct cwm_buf text;
    enum cwm_rc rc = input->is_text
                         ? source_new_text(input->program, input->program_len,
                                           input->name, &s, err)
                         : source_new(input->program, input->program_len,
                                      input->name, &s, err);

    cwm_buf_init(&text, SIZE_MAX / 2);
    if (rc == CWM_OK && input->wrap_main) {
        rc = source_wrap_main(s, input->entry, input->args ? input->args : "",
                              &text, err);
        if (rc == CWM_OK) {
            rc = source_new_text(text.data, text.len, input->name, &wrapped,
                                 err);
        }
        source_free(s);
        s = wrapped;
    }
    if (rc == CWM_OK) {
        rc = source_entry(s, input->wrap_main ? "main" : input->entry,
                          ret_entry, err);
    }
    cwm_buf_release(&text);
    if (rc == CWM_OK) {
        *ret_source = s;
    } else {
        source_free(s);
    }
    return rc;
}

static enum cwm_rc read_text(const struct checker *c,
                             const struct check_input *input,
                             struct predicted *ret, struct cwm_err *err)
{
    uint32_t line = c->entry == NO_DEF ? source_first_code_line(c->source)
                                       : c->defs[c->entry].def_line;
    struct cwm_buf context;
    enum cwm_rc rc = CWM_OK;

    cwm_buf_init(&context, SIZE_MAX / 2);
    if (line > 0) {
        rc = source_context(c->source, line, &context, err);
    }
    if (rc == CWM_OK) {
        rc = predicted_parse(input->text, input->text_len, context.data,
                             context.len, ret, err);
    }
    cwm_buf_release(&context);
    return rc;
}

static enum cwm_rc load_flow(struct checker *c, struct cwm_err *err)
{
    if (c->is_loose || source_syntax_error(c->source)) {
        return CWM_OK;
    }
    c->numbers = cwm_calloc(c->n_lines + 1, sizeof *c->numbers);
    if (!c->numbers) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu lines", c->n_lines);
    }
    return source_flow_new(c->source, &c->flow, err);
}

enum cwm_rc check_trace(const struct check_input *input,
                        struct predicted *ret_predicted,
                        struct check_result *ret_result, struct cwm_err *err)
{
    struct checker c = {.p = ret_predicted, .result = ret_result};
    struct source *source = NULL; /* owned */
    enum cwm_rc rc = load_source(input, &source, &c.entry, err);

    *ret_predicted = (struct predicted){0};
    *ret_result = (struct check_result){0};
    cwm_buf_init(&c.scopes, SIZE_MAX / 2);
    if (rc == CWM_OK) {
        c.source = source;
        c.defs = source_defs(source, &c.n_defs);
        rc = load_lines(&c, err);
    }
    if (rc == CWM_OK) {
        rc = load_flow(&c, err);
    }
    if (rc == CWM_OK) {
        rc = read_text(&c, input, ret_predicted, err);
    }
    if (rc == CWM_OK) {
        rc = check_frames(&c, err);
    }
    while (n_scopes(&c) > 0) {
        check_activation_release(&top(&c)->where);
        c.scopes.len -= sizeof(struct scope);
    }
    cwm_buf_release(&c.scopes);
    source_flow_free(c.flow);
    cwm_free(c.numbers);
    cwm_free(c.lines);
    cwm_free(c.values);
    cwm_free(c.lens);
    source_free(source);
    return rc;
}
