/* SPDX-License-Identifier: MIT */
/*
 * source_parse.c -- the syntax tree, walked once.
 *
 * The walk goes from node to node with a cursor and never recurses, so that no
 * nesting can exhaust the stack.  It enters what can hold a definition
 * (statements and clauses, and what the parser could not make sense of) and
 * passes expressions over; only where a marker may stand, which is a comment
 * that may be anywhere, is every node visited.
 */
#include "tracer/source_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tree_sitter/api.h>

#include "cwm/base/alloc.h"
#include "cwm/base/utf8.h"

/* All qualified names together: a long name with many methods is quadratic. */
#define MAX_NAME_BYTES_SUM  ((size_t)256 << 20)
#define ERROR_SNIPPET_BYTES 24

enum trait {
    ENTER = 1u << 0, /* may hold a definition */
    FUNCTION = 1u << 1,
    CLASS = 1u << 2,
    DECORATED = 1u << 3,
    COMMENT = 1u << 4,
    IF = 1u << 5, /* if and elif: may have a main guard */
    CONTINUATION = 1u << 6
};

struct node_type {
    const char *name;
    unsigned traits;
};

/* Sorted by name. */
static const struct node_type node_types[] = {
    {"ERROR", ENTER},
    {"block", ENTER},
    {"case_clause", ENTER},
    {"class_definition", ENTER | CLASS},
    {"comment", COMMENT},
    {"decorated_definition", ENTER | DECORATED},
    {"elif_clause", ENTER | IF},
    {"else_clause", ENTER},
    {"except_clause", ENTER},
    {"except_group_clause", ENTER},
    {"finally_clause", ENTER},
    {"for_statement", ENTER},
    {"function_definition", ENTER | FUNCTION},
    {"if_statement", ENTER | IF},
    {"line_continuation", CONTINUATION},
    {"match_statement", ENTER},
    {"module", ENTER},
    {"try_statement", ENTER},
    {"while_statement", ENTER},
    {"with_statement", ENTER},
};

struct open_def {
    size_t def;     /* index */
    uint32_t depth; /* of its node in the tree */
};

struct walk {
    struct source *s;
    struct cwm_err *err;
    TSTreeCursor at;    /* the walk's place */
    TSTreeCursor aside; /* looks into one node, and leaves `at` alone */
    uint32_t depth;
    bool visits_all;       /* the text holds a marker somewhere */
    struct open_def *open; /* owned: the definitions around `at` */
    size_t n_open, open_capacity;
    uint32_t decorated_depth;    /* of the last decorated_definition, ... */
    TSNode decorated;            /* ... and itself */
    uint32_t end_line, end_byte; /* of the last code seen */
    size_t name_bytes;
};

static int compare_type(const void *name, const void *type)
{
    return strcmp(name, ((const struct node_type *)type)->name);
}

static unsigned traits_of(TSNode node)
{
    const struct node_type *type =
        bsearch(ts_node_type(node), node_types,
                sizeof node_types / sizeof node_types[0], sizeof node_types[0],
                compare_type);

    return type ? type->traits : 0;
}

static bool is_type(TSNode node, const char *name)
{
    return strcmp(ts_node_type(node), name) == 0;
}

static uint32_t first_line(TSNode node)
{
    return ts_node_start_point(node).row + 1;
}

/* The line of the node's last byte. */
static uint32_t last_line(TSNode node)
{
    TSPoint end = ts_node_end_point(node);

    return end.column == 0 && end.row > 0 ? end.row : end.row + 1;
}

static enum cwm_rc no_memory(struct walk *w)
{
    return CWM_FAIL(w->err, CWM_NOMEM, "could not hold what is in '%s'",
                    w->s->name);
}

/* The first syntax error, as far as the tree tells. */
static void note_error(struct walk *w, TSNode node)
{
    struct source_error *e = &w->s->error;
    uint32_t start = ts_node_start_byte(node);
    uint32_t begin = start - ts_node_start_point(node).column;
    const char *text = w->s->text + start;
    size_t n = 0;

    e->line = first_line(node);
    e->column = 1;
    for (uint32_t i = begin; i < start; i++) {
        e->column += ((unsigned char)w->s->text[i] & 0xC0) != 0x80;
    }
    if (ts_node_is_missing(node)) {
        snprintf(e->message, sizeof e->message, "missing '%s'",
                 ts_node_type(node));
        return;
    }
    while (n < ERROR_SNIPPET_BYTES && text[n] && text[n] != '\n') {
        n++;
    }
    n = cwm_utf8_valid_prefix(text, n);
    if (n == 0) {
        snprintf(e->message, sizeof e->message, "cannot parse the line");
    } else {
        snprintf(e->message, sizeof e->message, "cannot parse near '%.*s'",
                 (int)n, text);
    }
}

/* A comment that ends in the marker. */
static enum cwm_rc note_comment(struct walk *w, TSNode node)
{
    static const char marker[] = SOURCE_MARKER;
    struct source *s = w->s;
    uint32_t start = ts_node_start_byte(node);
    uint32_t end = ts_node_end_byte(node);
    uint32_t begin = start - ts_node_start_point(node).column;

    while (end > start && strchr(" \t\f\n", s->text[end - 1])) {
        end--;
    }
    if (end - start < sizeof marker - 1 ||
        memcmp(s->text + end - (sizeof marker - 1), marker,
               sizeof marker - 1) != 0) {
        return CWM_OK;
    }
    if (!source__grow((void **)&s->markers, &s->markers_capacity, s->n_markers,
                      sizeof *s->markers)) {
        return no_memory(w);
    }
    end -= (uint32_t)(sizeof marker - 1);
    /* The two spaces that source_context() writes, or what a hand wrote. */
    for (int i = 0; i < 2 && end > begin && strchr(" \t", s->text[end - 1]);
         i++) {
        end--;
    }
    s->markers[s->n_markers].line = first_line(node);
    s->markers[s->n_markers++].start_byte = end;
    return CWM_OK;
}

/* "Outer.f.<locals>.name"; is_reachable is set on the way. */
static enum cwm_rc name_def(struct walk *w, struct source_def *d,
                            const char *name, size_t len)
{
    const struct source_def *parent =
        d->parent >= 0 ? &w->s->defs[d->parent] : NULL;
    const char *joint = "";
    size_t before;
    size_t prefix = 0;
    char *qualname;

    d->is_reachable = true;
    if (parent) {
        joint = parent->kind == SOURCE_CLASS ? "." : ".<locals>.";
        prefix = strlen(parent->qualname);
        d->is_reachable = parent->is_reachable && parent->kind == SOURCE_CLASS;
    }
    before = prefix + strlen(joint);
    w->name_bytes += before + len + 1;
    if (w->name_bytes > MAX_NAME_BYTES_SUM) {
        return CWM_FAIL(w->err, CWM_LIMIT,
                        "cannot read '%s': the names of its functions are "
                        "larger than %zu bytes",
                        w->s->name, MAX_NAME_BYTES_SUM);
    }
    qualname = cwm_malloc(before + len + 1);
    if (!qualname) {
        return no_memory(w);
    }
    if (parent) {
        memcpy(qualname, parent->qualname, prefix);
        memcpy(qualname + prefix, joint, before - prefix);
    }
    memcpy(qualname + before, name, len);
    qualname[before + len] = '\0';
    d->qualname = qualname;
    d->name = qualname + before;
    return CWM_OK;
}

static uint32_t count_params(struct walk *w, TSNode params)
{
    uint32_t n = 0;

    ts_tree_cursor_reset(&w->aside, params);
    if (!ts_tree_cursor_goto_first_child(&w->aside)) {
        return 0;
    }
    do {
        TSNode node = ts_tree_cursor_current_node(&w->aside);

        n += ts_node_is_named(node) && !ts_node_is_extra(node) &&
             !is_type(node, "keyword_separator") &&
             !is_type(node, "positional_separator") && !is_type(node, "ERROR");
    } while (ts_tree_cursor_goto_next_sibling(&w->aside));
    return n;
}

struct header {
    TSNode name, params;
    bool has_name, has_params;
};

/* The children in front of the body; lines go into `d`. */
static struct header read_header(struct walk *w, struct source_def *d,
                                 TSNode node)
{
    struct header h = {0};

    ts_tree_cursor_reset(&w->aside, node);
    if (!ts_tree_cursor_goto_first_child(&w->aside)) {
        return h;
    }
    do {
        TSNode child = ts_tree_cursor_current_node(&w->aside);

        if (is_type(child, "async")) {
            d->kind = SOURCE_ASYNC_FUNCTION;
        } else if (is_type(child, "def") || is_type(child, "class")) {
            d->def_line = first_line(child);
        } else if (is_type(child, "identifier") && !h.has_name) {
            h.name = child;
            h.has_name = true;
        } else if (is_type(child, "parameters")) {
            h.params = child;
            h.has_params = true;
        } else if (is_type(child, ":")) {
            d->header_end_line = first_line(child);
            return h;
        }
    } while (ts_tree_cursor_goto_next_sibling(&w->aside));
    return h;
}

/* A function or a class: its header now, its end when the walk leaves it. */
static enum cwm_rc open_def(struct walk *w, TSNode node, unsigned traits)
{
    struct source *s = w->s;
    struct source_def d = {0};
    TSNode begin = node;
    struct header h;
    enum cwm_rc rc;

    if (w->decorated_depth && w->decorated_depth + 1 == w->depth) {
        begin = w->decorated;
        w->decorated_depth = 0; /* it decorates no other */
    }
    d.kind = traits & CLASS ? SOURCE_CLASS : SOURCE_FUNCTION;
    d.first_line = first_line(begin);
    d.start_byte = ts_node_start_byte(begin);
    d.def_line = d.header_end_line = first_line(node);
    d.parent = w->n_open ? (int32_t)w->open[w->n_open - 1].def : -1;
    h = read_header(w, &d, node);
    if (!h.has_name || ts_node_is_missing(h.name)) {
        return CWM_OK; /* too broken to be called anything */
    }
    d.n_params = h.has_params ? count_params(w, h.params) : 0;
    d.last_line = d.body_line = d.header_end_line;
    d.end_byte = ts_node_end_byte(h.name);
    if (!source__grow((void **)&s->defs, &s->defs_capacity, s->n_defs,
                      sizeof *s->defs) ||
        !source__grow((void **)&w->open, &w->open_capacity, w->n_open,
                      sizeof *w->open)) {
        return no_memory(w);
    }
    rc = name_def(w, &d, s->text + ts_node_start_byte(h.name),
                  ts_node_end_byte(h.name) - ts_node_start_byte(h.name));
    if (rc != CWM_OK) {
        return rc;
    }
    w->open[w->n_open].def = s->n_defs;
    w->open[w->n_open++].depth = w->depth;
    s->defs[s->n_defs++] = d;
    w->end_line = d.header_end_line;
    w->end_byte = d.end_byte;
    return CWM_OK;
}

/* The walk is back at depth `w->depth`: definitions there have ended. */
static void close_defs(struct walk *w)
{
    while (w->n_open && w->open[w->n_open - 1].depth >= w->depth) {
        struct source_def *d = &w->s->defs[w->open[--w->n_open].def];

        d->last_line = w->end_line;
        d->end_byte = w->end_byte;
    }
}

static bool has_text(const struct walk *w, TSNode node, const char *want)
{
    uint32_t start = ts_node_start_byte(node);

    return ts_node_end_byte(node) - start == strlen(want) &&
           memcmp(w->s->text + start, want, strlen(want)) == 0;
}

/* True for: __name__ == "__main__", either way round, comments between. */
static bool is_main_test(const struct walk *w, TSNode node)
{
    unsigned n = 0;
    unsigned n_names = 0;
    unsigned n_mains = 0;
    uint32_t n_children = ts_node_child_count(node);

    if (!is_type(node, "comparison_operator") || n_children > 16) {
        return false;
    }
    for (uint32_t i = 0; i < n_children; i++) {
        TSNode child = ts_node_child(node, i);

        if (ts_node_is_extra(child)) {
            continue;
        }
        n++;
        if (n == 2 && !is_type(child, "==")) {
            return false;
        }
        n_names += has_text(w, child, "__name__");
        n_mains += has_text(w, child, "\"__main__\"") ||
                   has_text(w, child, "'__main__'");
    }
    return n == 3 && n_names == 1 && n_mains == 1;
}

/* The main tests in one condition: what parentheses, and, or, not hold. */
static enum cwm_rc note_guards(struct walk *w, TSNode condition)
{
    struct source *s = w->s;
    uint32_t depth = 0;

    ts_tree_cursor_reset(&w->aside, condition);
    for (;;) {
        TSNode node = ts_tree_cursor_current_node(&w->aside);
        bool enters = is_type(node, "parenthesized_expression") ||
                      is_type(node, "boolean_operator") ||
                      is_type(node, "not_operator");

        if (is_main_test(w, node)) {
            if (!source__grow((void **)&s->guards, &s->guards_capacity,
                              s->n_guards, sizeof *s->guards)) {
                return no_memory(w);
            }
            s->guards[s->n_guards].start_byte = ts_node_start_byte(node);
            s->guards[s->n_guards++].end_byte = ts_node_end_byte(node);
        }
        if (enters && ts_tree_cursor_goto_first_child(&w->aside)) {
            depth++;
            continue;
        }
        while (depth > 0 && !ts_tree_cursor_goto_next_sibling(&w->aside)) {
            ts_tree_cursor_goto_parent(&w->aside);
            depth--;
        }
        if (depth == 0) {
            return CWM_OK;
        }
    }
}

/* One node, seen for the first time.  *ret_enters: its children are wanted. */
static enum cwm_rc visit(struct walk *w, TSNode node, bool *ret_enters)
{
    unsigned traits = ts_node_is_named(node) ? traits_of(node) : 0;
    bool has_error = ts_node_has_error(node);
    enum cwm_rc rc = CWM_OK;

    *ret_enters = w->visits_all || (traits & ENTER) || has_error;
    if (has_error && w->s->error.line == 0 &&
        (ts_node_is_error(node) || ts_node_is_missing(node))) {
        note_error(w, node);
    }
    if (traits & COMMENT) {
        return w->visits_all ? note_comment(w, node) : CWM_OK;
    }
    if (traits & CONTINUATION) {
        return CWM_OK;
    }
    if (w->depth > 0 && w->s->first_code_line == 0) {
        w->s->first_code_line = first_line(node);
    }
    if (traits & DECORATED) {
        w->decorated = node;
        w->decorated_depth = w->depth;
    }
    if (traits & (FUNCTION | CLASS)) {
        return open_def(w, node, traits);
    }
    if (w->n_open && is_type(node, "block") &&
        w->open[w->n_open - 1].depth + 1 == w->depth) {
        w->s->defs[w->open[w->n_open - 1].def].body_line = first_line(node);
    }
    /* Depth 1 is a statement of the module, 2 its clause. */
    if ((traits & IF) && w->depth <= 2 && w->n_open == 0) {
        TSNode condition = ts_node_child_by_field_name(node, "condition", 9);

        if (!ts_node_is_null(condition)) {
            rc = note_guards(w, condition);
        }
    }
    if (!(traits & ENTER) && ts_node_end_byte(node) > w->end_byte) {
        w->end_byte = ts_node_end_byte(node);
        w->end_line = last_line(node);
    }
    return rc;
}

static enum cwm_rc walk_tree(struct walk *w)
{
    for (;;) {
        bool enters = false;
        enum cwm_rc rc = visit(w, ts_tree_cursor_current_node(&w->at), &enters);

        if (rc != CWM_OK) {
            return rc;
        }
        if (enters && ts_tree_cursor_goto_first_child(&w->at)) {
            w->depth++;
            continue;
        }
        close_defs(w);
        while (!ts_tree_cursor_goto_next_sibling(&w->at)) {
            if (!ts_tree_cursor_goto_parent(&w->at)) {
                return CWM_OK;
            }
            w->depth--;
            close_defs(w);
        }
    }
}

enum cwm_rc source__parse(struct source *s, struct cwm_err *err)
{
    struct walk w = {.s = s, .err = err};
    TSTree *tree = NULL; /* owned */
    TSNode root;
    enum cwm_rc rc;

    rc = source__tree(s->text, s->len, s->name, &tree, err);
    if (rc != CWM_OK) {
        return rc;
    }
    root = ts_tree_root_node(tree);
    w.at = ts_tree_cursor_new(root);
    w.aside = ts_tree_cursor_new(root);
    w.visits_all = strstr(s->text, SOURCE_MARKER) != NULL;
    rc = walk_tree(&w);
    ts_tree_cursor_delete(&w.aside);
    ts_tree_cursor_delete(&w.at);
    ts_tree_delete(tree);
    cwm_free(w.open);
    return rc;
}
