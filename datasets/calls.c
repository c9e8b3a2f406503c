/* SPDX-License-Identifier: MIT */
/* calls.c -- a walk over the syntax tree that looks for calls. */
#include "datasets/calls.h"

#include <string.h>
#include <tree_sitter/api.h>

#include "cwm/base/alloc.h"
#include "tracer/source_tree.h"

/* What arguments may be made of; anything else has a name or an effect. */
static const char *const literal_types[] = {
    "argument_list",
    "comment",
    "concatenated_string",
    "dictionary",
    "escape_sequence",
    "false",
    "float",
    "integer",
    "keyword_argument",
    "list",
    "none",
    "pair",
    "parenthesized_expression",
    "set",
    "string",
    "string_content",
    "string_end",
    "string_start",
    "true",
    "tuple",
    "unary_operator",
    "binary_operator",
};

void calls_release(struct calls *c)
{
    for (size_t i = 0; i < c->n; i++) {
        cwm_free(c->args[i]);
    }
    cwm_free(c->args);
    *c = (struct calls){NULL, 0, 0};
}

static bool is_literal_type(const char *type)
{
    for (size_t i = 0; i < sizeof literal_types / sizeof literal_types[0];
         i++) {
        if (strcmp(type, literal_types[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The next node of a walk in the text's order, or false at its end. */
static bool walk_on(TSTreeCursor *cursor, bool down)
{
    if (down && ts_tree_cursor_goto_first_child(cursor)) {
        return true;
    }
    while (!ts_tree_cursor_goto_next_sibling(cursor)) {
        if (!ts_tree_cursor_goto_parent(cursor)) {
            return false;
        }
    }
    return true;
}

/* The name in front of the '=' of a keyword argument is an identifier, too. */
static bool is_keyword_name(TSNode node)
{
    TSNode parent = ts_node_parent(node);
    TSNode name;

    if (strcmp(ts_node_type(parent), "keyword_argument") != 0) {
        return false;
    }
    name = ts_node_child_by_field_name(parent, "name", 4);
    return !ts_node_is_null(name) && ts_node_eq(name, node);
}

static bool is_literal(TSNode args)
{
    TSTreeCursor cursor = ts_tree_cursor_new(args);
    bool ok = !ts_node_has_error(args);

    do {
        TSNode node = ts_tree_cursor_current_node(&cursor);

        ok = ok &&
             (!ts_node_is_named(node) || is_literal_type(ts_node_type(node)) ||
              is_keyword_name(node));
    } while (ok && walk_on(&cursor, true));
    ts_tree_cursor_delete(&cursor);
    return ok;
}

static bool node_is(TSNode node, const char *text, const char *name)
{
    uint32_t at = ts_node_start_byte(node);

    return ts_node_end_byte(node) - at == strlen(name) &&
           memcmp(text + at, name, strlen(name)) == 0;
}

static enum cwm_rc add(struct calls *out, const char *args, size_t len,
                       struct cwm_err *err)
{
    for (size_t i = 0; i < out->n; i++) {
        if (strlen(out->args[i]) == len &&
            memcmp(out->args[i], args, len) == 0) {
            return CWM_OK;
        }
    }
    if (out->n == out->capacity) {
        size_t capacity = out->capacity ? 2 * out->capacity : 8;
        char **more = cwm_realloc(out->args, capacity, sizeof *more);

        if (!more) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold a call");
        }
        out->args = more;
        out->capacity = capacity;
    }
    out->args[out->n] = cwm_strndup(args, len);
    if (!out->args[out->n]) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a call");
    }
    out->n++;
    return CWM_OK;
}

static enum cwm_rc look_at(TSNode node, const char *text, const char *name,
                           struct calls *out, struct cwm_err *err)
{
    TSNode function = ts_node_child_by_field_name(node, "function", 8);
    TSNode args = ts_node_child_by_field_name(node, "arguments", 9);
    uint32_t at;

    if (ts_node_is_null(function) || ts_node_is_null(args) ||
        !node_is(function, text, name) || !is_literal(args) ||
        strcmp(ts_node_type(args), "argument_list") != 0) {
        return CWM_OK;
    }
    at = ts_node_start_byte(args) + 1; /* without the parentheses */
    return add(out, text + at, ts_node_end_byte(args) - 1 - at, err);
}

enum cwm_rc calls_find(const char *text, size_t len, const char *name,
                       struct calls *out, struct cwm_err *err)
{
    struct TSTree *tree = NULL; /* owned */
    TSTreeCursor cursor;
    enum cwm_rc rc = source_tree_new(text, len, name, &tree, err);

    if (rc != CWM_OK) {
        return rc;
    }
    cursor = ts_tree_cursor_new(ts_tree_root_node(tree));
    do {
        TSNode node = ts_tree_cursor_current_node(&cursor);

        if (strcmp(ts_node_type(node), "call") == 0) {
            rc = look_at(node, text, name, out, err);
        }
    } while (rc == CWM_OK && walk_on(&cursor, true));
    ts_tree_cursor_delete(&cursor);
    ts_tree_delete(tree);
    return rc;
}
