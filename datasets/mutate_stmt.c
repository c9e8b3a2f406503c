/* SPDX-License-Identifier: MIT */
/* mutate_stmt.c -- statements dropped, swapped, repeated; loops' other form. */
#include <stdlib.h>
#include <string.h>

#include "datasets/mutate_internal.h"

/* A statement that has its lines for itself. */
struct statement {
    TSNode node;
    uint32_t line_start; /* byte of its first line's start */
    uint32_t line_end;   /* byte behind its last line's end */
    bool is_whole;       /* nothing else on its lines */
    bool is_definition;  /* def, class, import, global: left in place */
    bool is_docstring;
};

static bool is_blank(const char *text, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        if (text[i] != ' ' && text[i] != '\t') {
            return false;
        }
    }
    return true;
}

static struct statement statement_of(const struct mutator *m, TSNode node,
                                     bool is_first)
{
    struct statement s = {.node = node};
    uint32_t start = ts_node_start_byte(node);
    uint32_t end = ts_node_end_byte(node);

    s.line_start = start;
    while (s.line_start > 0 && m->text[s.line_start - 1] != '\n') {
        s.line_start--;
    }
    s.line_end = end;
    while (s.line_end < m->len && m->text[s.line_end] != '\n') {
        s.line_end++;
    }
    s.is_whole = is_blank(m->text, s.line_start, start) &&
                 (is_blank(m->text, end, s.line_end) ||
                  m->text[end + strspn(m->text + end, " \t")] == '#');
    if (s.line_end < m->len) {
        s.line_end++;
    }
    s.is_definition = mutate__is(node, "function_definition") ||
                      mutate__is(node, "class_definition") ||
                      mutate__is(node, "decorated_definition") ||
                      mutate__is(node, "import_statement") ||
                      mutate__is(node, "import_from_statement") ||
                      mutate__is(node, "future_import_statement") ||
                      mutate__is(node, "global_statement") ||
                      mutate__is(node, "nonlocal_statement");
    s.is_docstring = is_first && mutate__is(node, "expression_statement") &&
                     ts_node_named_child_count(node) == 1 &&
                     mutate__is(ts_node_named_child(node, 0), "string");
    return s;
}

static bool is_simple(TSNode node)
{
    return mutate__is(node, "expression_statement");
}

static bool is_jump(TSNode node)
{
    return mutate__is(node, "return_statement") ||
           mutate__is(node, "break_statement") ||
           mutate__is(node, "continue_statement") ||
           mutate__is(node, "raise_statement");
}

static void drop(struct mutator *m, const struct statement *s, bool is_only)
{
    if (is_only) {
        mutate__adds(m, MUTATE_DROP, s->node, "pass");
    } else {
        mutate__add(m, MUTATE_DROP, s->line_start, s->line_end, "", 0);
    }
}

static void repeat(struct mutator *m, const struct statement *s)
{
    uint32_t start = ts_node_start_byte(s->node);
    uint32_t end = ts_node_end_byte(s->node);
    struct cwm_buf text;

    cwm_buf_init(&text, MUTATE_MAX_TEXTS);
    cwm_buf_addc(&text, '\n');
    cwm_buf_add(&text, m->text + s->line_start, start - s->line_start);
    cwm_buf_add(&text, m->text + start, end - start);
    if (text.failed != CWM_OK) {
        m->failed = CWM_NOMEM;
    } else {
        mutate__add(m, MUTATE_REPEAT, end, end, text.data, text.len);
    }
    cwm_buf_release(&text);
}

static void swap(struct mutator *m, const struct statement *a,
                 const struct statement *b)
{
    uint32_t start = ts_node_start_byte(a->node);
    uint32_t a_end = ts_node_end_byte(a->node);
    uint32_t b_start = ts_node_start_byte(b->node);
    uint32_t end = ts_node_end_byte(b->node);
    struct cwm_buf text;

    cwm_buf_init(&text, MUTATE_MAX_TEXTS);
    cwm_buf_add(&text, m->text + b_start, end - b_start);
    cwm_buf_add(&text, m->text + a_end, b_start - a_end);
    cwm_buf_add(&text, m->text + start, a_end - start);
    if (text.failed != CWM_OK) {
        m->failed = CWM_NOMEM;
    } else {
        mutate__add(m, MUTATE_SWAP, start, end, text.data, text.len);
    }
    cwm_buf_release(&text);
}

static void jump(struct mutator *m, TSNode node)
{
    if (mutate__is(node, "break_statement")) {
        mutate__adds(m, MUTATE_JUMP, node, "continue");
        mutate__adds(m, MUTATE_JUMP, node, "pass");
    } else if (mutate__is(node, "continue_statement")) {
        mutate__adds(m, MUTATE_JUMP, node, "break");
        mutate__adds(m, MUTATE_JUMP, node, "pass");
    } else if (mutate__is(node, "return_statement") &&
               ts_node_named_child_count(node) > 0) {
        mutate__adds(m, MUTATE_JUMP, node, "return");
    }
}

void mutate__statements(struct mutator *m, TSNode block)
{
    TSTreeCursor at = ts_tree_cursor_new(block);
    struct statement last = {0};
    bool has_last = false;
    bool is_first = true;
    bool is_module = mutate__is(block, "module");
    uint32_t n = ts_node_named_child_count(block);
    bool going = ts_tree_cursor_goto_first_child(&at);

    for (; going; going = ts_tree_cursor_goto_next_sibling(&at)) {
        TSNode node = ts_tree_cursor_current_node(&at);
        struct statement s;

        if (!ts_node_is_named(node) || mutate__is(node, "comment")) {
            continue;
        }
        s = statement_of(m, node, is_first);
        is_first = false;
        jump(m, node);
        if (s.is_definition || s.is_docstring || !s.is_whole) {
            has_last = false;
            continue;
        }
        if (!is_module || n > 1) {
            drop(m, &s, n == 1);
        }
        if (is_simple(node)) {
            repeat(m, &s);
        }
        if (has_last && !is_jump(last.node)) {
            swap(m, &last, &s);
        }
        last = s;
        has_last = true;
    }
    ts_tree_cursor_delete(&at);
}

/* ---- for i in range(...) as a while ---- */

/* Looks for what makes the two forms differ. */
struct loop_search {
    const struct mutator *m;
    TSNode loop;
    const char *names[3]; /* the loop's variable, and names in its bounds */
    size_t lens[3];
    unsigned n_names;
    bool found;
};

static bool is_name(const struct loop_search *s, unsigned i, TSNode node)
{
    return mutate__is(node, "identifier") && mutate__len(node) == s->lens[i] &&
           memcmp(mutate__text(s->m, node), s->names[i], s->lens[i]) == 0;
}

static bool is_within(TSNode node, TSNode outer)
{
    return ts_node_start_byte(node) >= ts_node_start_byte(outer) &&
           ts_node_end_byte(node) <= ts_node_end_byte(outer);
}

/*
 * In the loop: anything that jumps to its head, makes functions that keep the
 * variable, or binds or may change one of the names.  Outside of it: any use
 * of the variable, which has another value behind a while.
 */
static void search_node(struct loop_search *s, TSNode node, bool inside)
{
    static const char *const traps[] = {
        "continue_statement",   "lambda",           "function_definition",
        "class_definition",     "delete_statement", "global_statement",
        "nonlocal_statement",   "named_expression", "yield",
        "generator_expression", "try_statement",    "with_statement"};

    if (!inside) {
        s->found = s->found || is_name(s, 0, node);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(traps); i++) {
        s->found = s->found || mutate__is(node, traps[i]);
    }
    if (mutate__is(node, "assignment") ||
        mutate__is(node, "augmented_assignment") ||
        mutate__is(node, "for_statement") ||
        mutate__is(node, "for_in_clause")) {
        TSNode left = mutate__field(node, "left");

        for (unsigned i = 0; i < s->n_names && !ts_node_is_null(left); i++) {
            const char *text = mutate__text(s->m, left);

            /* anywhere in the target: tuples, items */
            s->found = s->found || memmem(text, mutate__len(left), s->names[i],
                                          s->lens[i]) != NULL;
        }
    }
    if (mutate__is(node, "call")) { /* xs.append() changes len(xs) */
        TSNode function = mutate__field(node, "function");

        for (unsigned i = 1; i < s->n_names && !ts_node_is_null(function);
             i++) {
            s->found = s->found || (mutate__is(function, "attribute") &&
                                    memmem(mutate__text(s->m, function),
                                           mutate__len(function), s->names[i],
                                           s->lens[i]) != NULL);
        }
    }
}

static void search(struct loop_search *s, TSNode scope)
{
    TSTreeCursor at = ts_tree_cursor_new(scope);
    uint32_t depth = 0;
    bool going = true;

    while (going && !s->found) {
        TSNode node = ts_tree_cursor_current_node(&at);
        bool is_loop = ts_node_eq(node, s->loop);

        if (!is_loop) {
            search_node(s, node, is_within(node, s->loop));
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
}

/* A number, a name, or len(name): the same however often it is looked at. */
static bool is_steady(const struct mutator *m, TSNode node,
                      struct loop_search *s)
{
    TSNode name = node;

    if (mutate__is(node, "integer")) {
        return true;
    }
    if (mutate__is(node, "call")) {
        TSNode function = mutate__field(node, "function");
        TSNode list = mutate__field(node, "arguments");

        if (ts_node_is_null(function) || ts_node_is_null(list) ||
            !mutate__has_text(m, function, "len") ||
            ts_node_named_child_count(list) != 1) {
            return false;
        }
        name = ts_node_named_child(list, 0);
    }
    if (!mutate__is(name, "identifier") || s->n_names == 3) {
        return false;
    }
    s->names[s->n_names] = mutate__text(m, name);
    s->lens[s->n_names++] = mutate__len(name);
    return true;
}

/* The arguments of range(): what is not given is a zero node. */
static bool range_of(const struct mutator *m, TSNode right, TSNode *ret_first,
                     TSNode *ret_stop, bool *ret_has_first)
{
    TSNode function;
    TSNode list;
    uint32_t n;

    if (!mutate__is(right, "call")) {
        return false;
    }
    function = mutate__field(right, "function");
    list = mutate__field(right, "arguments");
    if (ts_node_is_null(function) || ts_node_is_null(list) ||
        !mutate__has_text(m, function, "range")) {
        return false;
    }
    n = ts_node_named_child_count(list);
    if (n < 1 || n > 2) {
        return false;
    }
    *ret_has_first = n == 2;
    *ret_first = ts_node_named_child(list, 0);
    *ret_stop = ts_node_named_child(list, n - 1);
    return true;
}

static void add_as_while(struct mutator *m, TSNode node, TSNode left,
                         TSNode body, TSNode stop, const char *first,
                         size_t first_len)
{
    uint32_t start = ts_node_start_byte(node);
    uint32_t indent = ts_node_start_point(node).column;
    uint32_t inner = ts_node_start_point(body).column;
    const char *name = mutate__text(m, left);
    size_t len = mutate__len(left);
    struct cwm_buf text;

    cwm_buf_init(&text, MUTATE_MAX_TEXTS);
    cwm_buf_add(&text, name, len);
    cwm_buf_adds(&text, " = ");
    cwm_buf_add(&text, first, first_len);
    cwm_buf_addf(&text, "\n%*swhile ", (int)indent, "");
    cwm_buf_add(&text, name, len);
    cwm_buf_adds(&text, " < ");
    cwm_buf_add(&text, mutate__text(m, stop), mutate__len(stop));
    cwm_buf_addf(&text, ":\n%*s", (int)inner, "");
    cwm_buf_add(&text, mutate__text(m, body), mutate__len(body));
    cwm_buf_addf(&text, "\n%*s", (int)inner, "");
    cwm_buf_add(&text, name, len);
    cwm_buf_adds(&text, " += 1");
    if (text.failed != CWM_OK) {
        m->failed = CWM_NOMEM;
    } else {
        mutate__add(m, MUTATE_LOOP_FORM, start, ts_node_end_byte(node),
                    text.data, text.len);
    }
    cwm_buf_release(&text);
}

void mutate__loop(struct mutator *m, TSNode node, TSNode scope)
{
    TSNode left = mutate__field(node, "left");
    TSNode right = mutate__field(node, "right");
    TSNode body = mutate__field(node, "body");
    TSNode first;
    TSNode stop;
    bool has_first = false;
    struct loop_search s = {.m = m, .loop = node};

    if (m->settings.weights[MUTATE_LOOP_FORM] == 0 || ts_node_is_null(left) ||
        ts_node_is_null(right) || ts_node_is_null(body) ||
        !mutate__is(left, "identifier") ||
        !ts_node_is_null(mutate__field(node, "alternative")) ||
        !mutate__is(ts_node_child(node, 0), "for") ||
        mutate__is(scope, "module") ||
        ts_node_start_point(body).row == ts_node_start_point(node).row ||
        memchr(m->text + ts_node_start_byte(node), '\t', mutate__len(node)) ||
        !range_of(m, right, &first, &stop, &has_first)) {
        return;
    }
    s.names[0] = mutate__text(m, left);
    s.lens[0] = mutate__len(left);
    s.n_names = 1;
    if (!is_steady(m, stop, &s) ||
        (has_first && !mutate__is(first, "integer") &&
         !mutate__is(first, "identifier"))) {
        return;
    }
    search(&s, scope);
    if (!s.found) {
        add_as_while(m, node, left, body, stop,
                     has_first ? mutate__text(m, first) : "0",
                     has_first ? mutate__len(first) : 1);
    }
}
