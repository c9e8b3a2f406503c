/* SPDX-License-Identifier: MIT */
/* tree_shape.c -- a walk over each function that hashes what matters. */
#include "datasets/tree_shape.h"

#include <stdbool.h>
#include <string.h>
#include <tree_sitter/api.h>
#include <xxhash.h>

#include "cwm/base/alloc.h"
#include "tracer/source_tree.h"

enum {
    /* Names told apart within one function; the others count as one. */
    MAX_NAMES = 256
};

struct walk {
    const char *text;
    uint64_t names[MAX_NAMES]; /* hashes, in the order of appearance */
    uint32_t n_names;
    uint64_t hash;
    uint32_t n_nodes;
};

void tree_shapes_release(struct tree_shapes *s)
{
    cwm_free(s->list);
    *s = (struct tree_shapes){NULL, 0, 0};
}

static uint64_t text_hash(const char *text, TSNode node)
{
    uint32_t at = ts_node_start_byte(node);

    return XXH3_64bits(text + at, ts_node_end_byte(node) - at);
}

static void mix(struct walk *w, uint64_t value)
{
    uint64_t pair[2] = {w->hash, value};

    w->hash = XXH3_64bits(pair, sizeof pair);
}

static uint64_t number_of_name(struct walk *w, uint64_t name)
{
    uint32_t i;

    for (i = 0; i < w->n_names; i++) {
        if (w->names[i] == name) {
            return i;
        }
    }
    if (w->n_names < MAX_NAMES) {
        w->names[w->n_names++] = name;
    }
    return i;
}

static bool type_is(TSNode node, const char *type)
{
    return strcmp(ts_node_type(node), type) == 0;
}

/* A statement that is nothing but a string. */
static bool is_docstring(TSNode node)
{
    return type_is(node, "expression_statement") &&
           ts_node_named_child_count(node) == 1 &&
           type_is(ts_node_named_child(node, 0), "string");
}

/* Nothing that runs: left out with all below it. */
static bool is_silent(TSNode node)
{
    return type_is(node, "comment") || type_is(node, "type") ||
           type_is(node, "decorator") || is_docstring(node);
}

static bool is_leaf(TSNode node)
{
    return type_is(node, "string") || type_is(node, "integer") ||
           type_is(node, "float") || ts_node_child_count(node) == 0;
}

/* What an annotation adds: it is as if only the parameter stood there. */
static bool is_transparent(TSNode node)
{
    return type_is(node, "typed_parameter") || type_is(node, ":") ||
           type_is(node, "->");
}

static void visit(struct walk *w, TSNode node)
{
    const char *type = ts_node_type(node);

    if (strcmp(type, "typed_default_parameter") == 0) {
        type = "default_parameter";
    }
    mix(w, XXH3_64bits(type, strlen(type)));
    w->n_nodes += ts_node_is_named(node);
    if (strcmp(type, "identifier") == 0) {
        mix(w, number_of_name(w, text_hash(w->text, node)));
    }
}

/* In the text's order; the way back up is part of the shape. */
static void walk_function(struct walk *w, TSNode function)
{
    TSTreeCursor cursor = ts_tree_cursor_new(function);
    bool done = false;

    while (!done) {
        TSNode node = ts_tree_cursor_current_node(&cursor);
        bool silent = is_silent(node);

        if (!silent && !is_transparent(node)) {
            visit(w, node);
        }
        if (!silent && !is_leaf(node) &&
            ts_tree_cursor_goto_first_child(&cursor)) {
            continue;
        }
        while (!done && !ts_tree_cursor_goto_next_sibling(&cursor)) {
            done = !ts_tree_cursor_goto_parent(&cursor);
            if (!is_transparent(ts_tree_cursor_current_node(&cursor))) {
                mix(w, 0);
            }
        }
    }
    ts_tree_cursor_delete(&cursor);
}

static enum cwm_rc add_shape(struct tree_shapes *s, const char *text,
                             TSNode function, struct cwm_err *err)
{
    TSNode name = ts_node_child_by_field_name(function, "name", 4);
    struct walk w = {.text = text};
    struct tree_shape shape = {0};

    if (s->n == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 16;
        struct tree_shape *more = cwm_realloc(s->list, capacity, sizeof *more);

        if (!more) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold functions' shapes");
        }
        s->list = more;
        s->capacity = capacity;
    }
    walk_function(&w, function);
    shape.hash = w.hash;
    shape.n_nodes = w.n_nodes;
    if (!ts_node_is_null(name)) {
        shape.name = text_hash(text, name);
        shape.name_len = ts_node_end_byte(name) - ts_node_start_byte(name);
    }
    s->list[s->n++] = shape;
    return CWM_OK;
}

enum cwm_rc tree_shapes_of(const char *text, size_t len, struct tree_shapes *s,
                           struct cwm_err *err)
{
    struct TSTree *tree = NULL; /* owned */
    TSTreeCursor cursor;
    bool more = true;
    enum cwm_rc rc = source_tree_new(text, len, "a program", &tree, err);

    s->n = 0;
    if (rc != CWM_OK) {
        return rc == CWM_NOMEM ? rc : CWM_OK;
    }
    cursor = ts_tree_cursor_new(ts_tree_root_node(tree));
    while (more && rc == CWM_OK) {
        TSNode node = ts_tree_cursor_current_node(&cursor);

        if (type_is(node, "function_definition")) {
            rc = add_shape(s, text, node, err);
        }
        if (ts_tree_cursor_goto_first_child(&cursor)) {
            continue;
        }
        while (more && !ts_tree_cursor_goto_next_sibling(&cursor)) {
            more = ts_tree_cursor_goto_parent(&cursor);
        }
    }
    ts_tree_cursor_delete(&cursor);
    ts_tree_delete(tree);
    return rc;
}
