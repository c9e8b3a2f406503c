/* SPDX-License-Identifier: MIT */
/*
 * inputs_read.c -- what a file says of a function's arguments.
 *
 * Its parameters and what its body does with them (inputs_hints.c); and calls
 * that stand in the file: in doctests, in asserts, elsewhere.  Only calls whose
 * arguments are literals (and what the file defines) are taken: others mean
 * nothing where they would be evaluated.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/inputs_reader.h"

/* ---- calls in the file ---- */

static enum cwm_rc add_written(struct inputs *in, const char *text, size_t len,
                               enum inputs_origin origin, uint32_t line)
{
    struct inputs_text *written = &in->written[in->n_written];
    enum cwm_rc rc;

    if (in->n_written == INPUTS_MAX_WRITTEN || len > INPUTS_MAX_ARGS) {
        return CWM_OK;
    }
    rc = source_check_args(text, len, NULL);
    if (rc != CWM_OK) {
        return rc == CWM_NOMEM ? rc : CWM_OK; /* no arguments: let be */
    }
    written->text = cwm_strndup(text, len);
    if (!written->text) {
        return CWM_NOMEM;
    }
    written->origin = origin;
    written->line = line;
    in->n_written++;
    return CWM_OK;
}

/* Names in the arguments are the file's own functions, or true everywhere. */
static bool is_known(const struct inputs__reader *r, TSNode node)
{
    static const char *const builtins[] = {
        "int",   "str",   "float", "list",   "dict",     "set",
        "tuple", "range", "len",   "sorted", "abs",      "max",
        "min",   "sum",   "bool",  "zip",    "frozenset"};
    TSNode parent = ts_node_parent(node);
    size_t n = 0;
    const struct source_def *defs = source_defs(r->source, &n);

    if (node_is(parent, "keyword_argument") &&
        node_is_field(parent, "name", node)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++) {
        if (reader_has(r, node, builtins[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (defs[i].parent < 0 && reader_has(r, node, defs[i].name)) {
            return true;
        }
    }
    return false;
}

static bool is_literal(const struct inputs__reader *r, TSNode list)
{
    TSTreeCursor at = ts_tree_cursor_new(list);
    uint32_t depth = 0;
    bool known = true;
    bool going = true;

    while (going && known) {
        TSNode node = ts_tree_cursor_current_node(&at);

        if (node_is(node, "identifier")) {
            known = is_known(r, node);
        } else if (node_is(node, "yield") || node_is(node, "await") ||
                   node_is(node, "named_expression")) {
            known = false;
        }
        if (ts_tree_cursor_goto_first_child(&at)) {
            depth++;
            continue;
        }
        while (depth > 0 && !ts_tree_cursor_goto_next_sibling(&at)) {
            ts_tree_cursor_goto_parent(&at);
            depth--;
        }
        going = depth > 0;
    }
    ts_tree_cursor_delete(&at);
    return known;
}

static void read_call(struct inputs__reader *r, TSNode node)
{
    TSNode function = node_field(node, "function");
    TSNode list = node_field(node, "arguments");
    enum inputs_origin origin = INPUTS_CALL;
    size_t len;
    const char *text;
    uint32_t line = node_line(node);

    if (ts_node_is_null(function) || ts_node_is_null(list) ||
        !node_is(list, "argument_list") || !node_is(function, "identifier") ||
        !reader_has(r, function, r->in->name) ||
        (line >= r->def->first_line && line <= r->def->last_line) ||
        !is_literal(r, list)) {
        return;
    }
    for (TSNode up = ts_node_parent(node); !ts_node_is_null(up);
         up = ts_node_parent(up)) {
        if (node_is(up, "assert_statement")) {
            origin = INPUTS_ASSERT;
        }
    }
    text = reader_text(r, list, &len);
    r->failed = add_written(r->in, text + 1, len - 2, origin, line);
}

/* The end of the arguments that begin behind an open parenthesis. */
static const char *end_of_args(const char *p, const char *end)
{
    int open = 1;
    char quote = '\0';

    for (; p < end; p++) {
        if (quote) {
            if (*p == '\\') {
                p++;
            } else if (*p == quote) {
                quote = '\0';
            }
        } else if (*p == '\'' || *p == '"') {
            quote = *p;
        } else if (strchr("([{", *p) && *p) {
            open++;
        } else if (strchr(")]}", *p) && *p && --open == 0) {
            return p;
        }
    }
    return NULL;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Calls of the function in one example, its continuation lines joined. */
static enum cwm_rc read_example(struct inputs *in, const char *text, size_t len,
                                uint32_t line)
{
    const char *end = text + len;
    size_t name = strlen(in->name);
    enum cwm_rc rc = CWM_OK;

    for (const char *p = text; rc == CWM_OK && end - p > (long)name; p++) {
        const char *close;

        if (memcmp(p, in->name, name) != 0 || p[name] != '(' ||
            (p > text && (is_word(p[-1]) || p[-1] == '.'))) {
            continue;
        }
        close = end_of_args(p + name + 1, end);
        if (close) {
            rc = add_written(in, p + name + 1, (size_t)(close - p) - name - 1,
                             INPUTS_DOCTEST, line);
            p = close;
        }
    }
    return rc;
}

static const char *after_spaces(const char *text, size_t len, size_t *ret_left)
{
    size_t i = 0;

    while (i < len && (text[i] == ' ' || text[i] == '\t')) {
        i++;
    }
    *ret_left = len - i;
    return text + i;
}

/* ">>> " and the "... " lines behind it, all over the file. */
static void read_doctests(struct inputs__reader *r)
{
    uint32_t n = source_n_lines(r->source);
    struct cwm_buf example;

    cwm_buf_init(&example, INPUTS_MAX_ARGS * 4);
    for (uint32_t i = 1; i <= n && r->failed == CWM_OK; i++) {
        size_t len;
        const char *text = source_line(r->source, i, &len);
        uint32_t line = i;

        text = after_spaces(text, len, &len);
        if (len < 4 || memcmp(text, ">>> ", 4) != 0) {
            continue;
        }
        cwm_buf_clear(&example);
        cwm_buf_add(&example, text + 4, len - 4);
        while (i < n) {
            text = source_line(r->source, i + 1, &len);
            text = after_spaces(text, len, &len);
            if (len < 3 || memcmp(text, "...", 3) != 0) {
                break;
            }
            cwm_buf_addc(&example, '\n');
            cwm_buf_add(&example, text + 3, len - 3);
            i++;
        }
        if (example.failed == CWM_OK && example.len > 0) {
            r->failed = read_example(r->in, example.data, example.len, line);
        } else if (example.failed == CWM_NOMEM) {
            r->failed = CWM_NOMEM;
        }
    }
    cwm_buf_release(&example);
}

/* ---- the walk ---- */

static void visit(struct inputs__reader *r, TSNode node)
{
    uint32_t line = node_line(node);

    if (node_is(node, "call")) {
        read_call(r, node);
    }
    if (line >= r->def->def_line && line <= r->def->last_line) {
        inputs__read_use(r, node);
    }
}

static void walk(struct inputs__reader *r, TSNode root)
{
    TSTreeCursor at = ts_tree_cursor_new(root);
    uint32_t depth = 0;
    bool has_params = false;
    bool going = true;

    while (going && r->failed == CWM_OK) {
        TSNode node = ts_tree_cursor_current_node(&at);
        TSNode name;

        if (!has_params && node_is(node, "function_definition") &&
            ts_node_start_byte(node) >= r->def->start_byte &&
            ts_node_end_byte(node) <= r->def->end_byte + 1) {
            name = node_field(node, "name");
            if (!ts_node_is_null(name) && reader_has(r, name, r->in->name)) {
                inputs__read_params(r, node);
                has_params = true;
            }
        }
        visit(r, node);
        if (ts_tree_cursor_goto_first_child(&at)) {
            depth++;
            continue;
        }
        while (depth > 0 && !ts_tree_cursor_goto_next_sibling(&at)) {
            ts_tree_cursor_goto_parent(&at);
            depth--;
        }
        going = depth > 0;
    }
    ts_tree_cursor_delete(&at);
}

enum cwm_rc inputs__read(struct inputs *in, const struct source *source,
                         const struct source_def *def, struct cwm_err *err)
{
    struct inputs__reader r = {.in = in, .source = source, .def = def};
    struct TSTree *tree = NULL; /* owned */
    enum cwm_rc rc;

    r.text = source_text(source, &r.len);
    rc = source_tree_new(r.text, r.len, "the program", &tree, err);
    if (rc != CWM_OK) {
        return rc;
    }
    read_doctests(&r);
    if (r.failed == CWM_OK) {
        walk(&r, ts_tree_root_node(tree));
    }
    ts_tree_delete(tree);
    if (r.failed != CWM_OK) {
        return CWM_FAIL(err, r.failed, "could not hold what is known of '%s'",
                        in->name);
    }
    return CWM_OK;
}
