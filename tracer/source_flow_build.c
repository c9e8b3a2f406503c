/* SPDX-License-Identifier: MIT */
/*
 * source_flow_build.c -- the graph of source_flow.h, from the syntax tree.
 *
 * A statement is built between two joints: where it is entered, and what is
 * behind it.  What leaves it otherwise is known from around it: where `break`
 * and `continue` lead, where exceptions go, which `finally` or `with` is next.
 *
 * Behind a `finally` or a `with`, CPython goes back to the `return`, `break` or
 * `continue` that led there, so these hang on a joint of each such statement,
 * its hub.
 *
 * Recursion goes with the nesting of statements, which source__tree() bounds;
 * expressions, whose nesting it does not, are walked with a cursor.
 */
#include <string.h>

#include <tree_sitter/api.h>

#include "cwm/base/alloc.h"
#include "tracer/source_flow_internal.h"
#include "tracer/source_internal.h"

/* What is around a statement. */
struct around {
    uint32_t ends;                  /* the scope's FLOW_ENDS */
    uint32_t break_to, continue_to; /* or FLOW_NONE */
    uint32_t raise;                 /* where exceptions go; FLOW_NONE: out */
    uint32_t unwind;      /* what a `return` goes through: `finally`, `with` */
    uint32_t hub;         /* its hub; FLOW_NONE: there is none */
    uint32_t first, last; /* lines of the outermost `try`, `with` */
    unsigned traits;      /* of everything in it */
    uint32_t notes;       /* a joint of all annotations' scopes */
};

struct build {
    struct source_flow *f;
    uint32_t covered; /* the last line of the scope's last place */
    enum cwm_rc rc;
    struct cwm_err *err;
};

/* ---- nodes and edges ----------------------------------------------------- */

static void no_memory(struct build *b)
{
    if (b->rc == CWM_OK) {
        b->rc = CWM_FAIL(b->err, CWM_NOMEM, "could not hold a program's flow");
    }
}

static uint32_t add_node(struct build *b, struct flow_node node)
{
    struct source_flow *f = b->f;
    void *nodes = f->nodes;

    node.first_edge = FLOW_NONE;
    if (b->rc != CWM_OK || f->n_nodes >= FLOW_NONE ||
        !source__grow(&nodes, &f->nodes_capacity, f->n_nodes,
                      sizeof *f->nodes)) {
        no_memory(b);
        return FLOW_NONE;
    }
    f->nodes = nodes;
    f->nodes[f->n_nodes] = node;
    return (uint32_t)f->n_nodes++;
}

static uint32_t add_joint(struct build *b)
{
    return add_node(b, (struct flow_node){.raise = FLOW_NONE});
}

static void join(struct build *b, uint32_t from, uint32_t to)
{
    struct source_flow *f = b->f;
    void *edges = f->edges;

    if (from == FLOW_NONE || to == FLOW_NONE || b->rc != CWM_OK) {
        return;
    }
    if (f->n_edges >= FLOW_NONE ||
        !source__grow(&edges, &f->edges_capacity, f->n_edges,
                      sizeof *f->edges)) {
        no_memory(b);
        return;
    }
    f->edges = edges;
    f->edges[f->n_edges] =
        (struct flow_edge){.to = to, .next = f->nodes[from].first_edge};
    f->nodes[from].first_edge = (uint32_t)f->n_edges++;
}

/* A place of the lines; it is entered from `from`. */
static uint32_t add_place(struct build *b, uint32_t from, uint32_t first,
                          uint32_t last, const struct around *a,
                          unsigned traits)
{
    uint32_t place;

    if (first <= b->covered) {
        traits |= FLOW_SILENT; /* no new line, no event */
    }
    b->covered = last > b->covered ? last : b->covered;
    place = add_node(b, (struct flow_node){.first = first,
                                           .last = last,
                                           .around_first = a->first,
                                           .around_last = a->last,
                                           .raise = a->raise,
                                           .traits = traits | a->traits});
    join(b, from, place);
    return place;
}

/* ---- the tree ------------------------------------------------------------ */

static bool is_type(TSNode node, const char *type)
{
    return !ts_node_is_null(node) && strcmp(ts_node_type(node), type) == 0;
}

static bool is_one_of(TSNode node, const char *const *types)
{
    if (ts_node_is_null(node)) {
        return false;
    }
    while (*types && !is_type(node, *types)) {
        types++;
    }
    return *types != NULL;
}

static TSNode field(TSNode node, const char *name)
{
    return ts_node_is_null(node) ? node
                                 : ts_node_child_by_field_name(
                                       node, name, (uint32_t)strlen(name));
}

static uint32_t first_line(TSNode node)
{
    return ts_node_start_point(node).row + 1;
}

static uint32_t last_line(TSNode node)
{
    TSPoint end = ts_node_end_point(node);

    return end.column == 0 && end.row >= ts_node_start_point(node).row + 1
               ? end.row
               : end.row + 1;
}

/* The child of the type, the last one of them; a null node: none. */
static TSNode child_of(TSNode node, const char *type)
{
    uint32_t i = ts_node_child_count(node);

    while (i > 0) {
        TSNode child = ts_node_child(node, --i);

        if (is_type(child, type)) {
            return child;
        }
    }
    return (TSNode){.id = NULL};
}

/* The line of the colon that a statement's body is behind. */
static uint32_t header_end(TSNode node)
{
    TSNode colon = child_of(node, ":");

    return ts_node_is_null(colon) ? first_line(node) : first_line(colon);
}

/* ---- what is in expressions ---------------------------------------------- */

static const char *const scope_types[] = {"lambda",
                                          "list_comprehension",
                                          "dictionary_comprehension",
                                          "set_comprehension",
                                          "generator_expression",
                                          NULL};
static const char *const waiting_types[] = {"yield", "await", "async", NULL};
static const char *const inner_types[] = {"block",          "elif_clause",
                                          "else_clause",    "except_clause",
                                          "finally_clause", NULL};

/* A scope that is one expression, or a few: every line can follow every one. */
static uint32_t add_scope(struct build *b, uint32_t first, uint32_t last)
{
    uint32_t place =
        add_node(b, (struct flow_node){.first = first,
                                       .last = last,
                                       .raise = FLOW_NONE,
                                       .traits = FLOW_BEGINS | FLOW_RESUMES |
                                                 FLOW_CATCHES});

    join(b, place, place);
    return place;
}

/* Onward below the node that the cursor began at (depth 0): into the node at
 * hand where `enters`, else past it.  False: that was all. */
static bool next_node(TSTreeCursor *at, int *depth, bool enters)
{
    if (enters && ts_tree_cursor_goto_first_child(at)) {
        (*depth)++;
        return true;
    }
    while (*depth > 0 && !ts_tree_cursor_goto_next_sibling(at)) {
        ts_tree_cursor_goto_parent(at);
        (*depth)--;
    }
    return *depth > 0;
}

/*
 * The scopes in a statement's own expressions; returns what traits the
 * statement has by them.  Bodies of compound statements are passed over.
 */
static unsigned look_into(struct build *b, TSNode statement)
{
    TSTreeCursor at = ts_tree_cursor_new(statement);
    unsigned traits = 0;
    int depth = 0;
    bool is_inner;

    do {
        TSNode node = ts_tree_cursor_current_node(&at);

        is_inner = depth > 0 && is_one_of(node, inner_types);
        if (is_one_of(node, waiting_types)) {
            traits |= FLOW_RESUMES | FLOW_CATCHES;
        }
        if (is_one_of(node, scope_types) && ts_node_is_named(node)) {
            add_scope(b, first_line(node), last_line(node));
            traits |= FLOW_CATCHES; /* since 3.12 it may be no scope */
        }
    } while (next_node(&at, &depth, !is_inner));
    ts_tree_cursor_delete(&at);
    return traits;
}

/* A number, a text, or a sum that begins with one. */
static bool is_constant(TSNode node)
{
    static const char *const constants[] = {
        "true",    "false",    "none",
        "integer", "float",    "string",
        "tuple",   "ellipsis", "concatenated_string",
        NULL};
    static const char *const sums[] = {"unary_operator", "binary_operator",
                                       NULL};

    while (is_one_of(node, sums)) {
        node = ts_node_named_child(node, 0);
    }
    /* any name of nine bytes might be __debug__ */
    return is_one_of(node, constants) ||
           (is_type(node, "identifier") &&
            ts_node_end_byte(node) - ts_node_start_byte(node) == 9);
}

/* Does the condition hold something that the compiler decides? */
static bool is_folded(TSNode condition)
{
    static const char *const carriers[] = {"parenthesized_expression",
                                           "not_operator", "boolean_operator",
                                           "conditional_expression", NULL};
    TSTreeCursor at = ts_tree_cursor_new(condition);
    bool is_found = false;
    int depth = 0;
    TSNode node;

    do {
        node = ts_tree_cursor_current_node(&at);
        is_found = is_found || is_constant(node);
    } while (next_node(&at, &depth, is_one_of(node, carriers)));
    ts_tree_cursor_delete(&at);
    return is_found;
}

/* ---- statements ---------------------------------------------------------- */

static void build_statement(struct build *b, TSNode node, uint32_t from,
                            uint32_t to, const struct around *a);

/* The statements of a block (a module), from one joint to another. */
static void build_block(struct build *b, TSNode block, uint32_t from,
                        uint32_t to, const struct around *a)
{
    TSTreeCursor at;
    uint32_t here = from;
    bool more;

    if (ts_node_is_null(block)) {
        join(b, from, to);
        return;
    }
    at = ts_tree_cursor_new(block);
    more = ts_tree_cursor_goto_first_child(&at);
    while (more && b->rc == CWM_OK) {
        TSNode node = ts_tree_cursor_current_node(&at);

        if (ts_node_is_named(node) && !is_type(node, "comment") &&
            !is_type(node, "line_continuation")) {
            uint32_t next = add_joint(b);

            build_statement(b, node, here, next, a);
            here = next;
        }
        more = ts_tree_cursor_goto_next_sibling(&at);
    }
    ts_tree_cursor_delete(&at);
    join(b, here, to);
}

static uint32_t add_header(struct build *b, TSNode node, uint32_t from,
                           const struct around *a, unsigned traits)
{
    uint32_t first = first_line(node);

    traits |= look_into(b, node);
    return add_place(b, from, first, header_end(node), a, traits);
}

/* What leaves `place` by way of what is around it: to `to` in the end. */
static void leave(struct build *b, uint32_t place, uint32_t to,
                  const struct around *a)
{
    join(b, place, to);
    join(b, place, a->unwind);
    join(b, a->hub, place); /* and comes back */
}

static unsigned simple_traits(TSNode node)
{
    static const char *const silent[] = {"pass_statement", "global_statement",
                                         "nonlocal_statement", NULL};
    static const char *const constants[] = {
        "string",   "integer",    "float",
        "true",     "false",      "none",
        "ellipsis", "identifier", "concatenated_string",
        "tuple",    NULL};
    TSNode only = ts_node_named_child(node, 0);
    bool is_alone =
        is_type(node, "expression_statement") &&
        ts_node_named_child_count(node) == 1 &&
        (is_one_of(only, constants) || (is_type(only, "assignment") &&
                                        ts_node_is_null(field(only, "right"))));
    bool is_sure = is_type(node, "assert_statement") && is_folded(only);

    return is_one_of(node, silent) || is_alone || is_sure ? FLOW_SILENT : 0;
}

/* An exception that goes on has no event of its own. */
static void go_on_raising(struct build *b, uint32_t from,
                          const struct around *a)
{
    join(b, from, a->raise == FLOW_NONE ? a->ends : a->raise);
}

static void build_simple(struct build *b, TSNode node, uint32_t from,
                         uint32_t to, const struct around *a)
{
    unsigned traits = simple_traits(node) | look_into(b, node);
    bool is_break = is_type(node, "break_statement");
    bool is_jump = is_break || is_type(node, "continue_statement");
    uint32_t place;

    if (is_type(node, "type_alias_statement")) {
        add_scope(b, first_line(node), last_line(node)); /* since 3.12 */
    } else if (!ts_node_is_null(field(ts_node_named_child(node, 0), "type"))) {
        place = add_scope(b, first_line(node), last_line(node));
        join(b, place, a->notes); /* since 3.14: one for them all */
        join(b, a->notes, place);
    }
    place = add_place(b, from, first_line(node), last_line(node), a,
                      traits | (is_jump ? FLOW_SILENT : 0));
    if (is_jump) {
        leave(b, place, is_break ? a->break_to : a->continue_to, a);
    } else if (is_type(node, "return_statement")) {
        leave(b, place, a->ends, a);
    } else if (!is_type(node, "raise_statement")) {
        join(b, place, to);
    } else if (ts_node_named_child_count(node) == 0) {
        go_on_raising(b, place, a);
    }
}

static void build_if(struct build *b, TSNode node, uint32_t from, uint32_t to,
                     const struct around *a)
{
    TSTreeCursor at = ts_tree_cursor_new(node);
    uint32_t test =
        add_header(b, node, from, a,
                   is_folded(field(node, "condition")) ? FLOW_SILENT : 0);
    bool more = ts_tree_cursor_goto_first_child(&at);
    bool has_else = false;

    build_block(b, field(node, "consequence"), test, to, a);
    for (; more; more = ts_tree_cursor_goto_next_sibling(&at)) {
        TSNode part = ts_tree_cursor_current_node(&at);

        if (is_type(part, "elif_clause")) {
            TSNode condition = field(part, "condition");

            test = add_header(b, part, test, a,
                              is_folded(condition) ? FLOW_SILENT : 0);
            build_block(b, field(part, "consequence"), test, to, a);
        } else if (is_type(part, "else_clause")) {
            build_block(b, field(part, "body"), test, to, a);
            has_else = true;
        }
    }
    ts_tree_cursor_delete(&at);
    if (!has_else) {
        join(b, test, to);
    }
}

/* In 3.9 an `async for` or `async with` waits on the last line of its body that
 * was run. */
static unsigned async_traits(TSNode node)
{
    return ts_node_is_null(child_of(node, "async"))
               ? 0
               : FLOW_RESUMES | FLOW_CATCHES;
}

static void build_loop(struct build *b, TSNode node, uint32_t from, uint32_t to,
                       const struct around *a)
{
    bool is_while = is_type(node, "while_statement");
    unsigned traits =
        is_while && is_folded(field(node, "condition")) ? FLOW_SILENT : 0;
    TSNode alternative = field(node, "alternative");
    struct around inner = *a;
    uint32_t header =
        add_header(b, node, from, a, traits | (is_while ? 0 : FLOW_CATCHES));

    inner.traits |= async_traits(node);
    inner.break_to = to;
    inner.continue_to = header;
    build_block(b, field(node, "body"), header, header, &inner);
    if (ts_node_is_null(alternative)) {
        join(b, header, to);
    } else {
        build_block(b, field(alternative, "body"), header, to, a);
    }
}

/* Where to a `return` goes that came back from some of the statements around
 * it: to one of those that are left. */
static uint32_t add_unwind(struct build *b, uint32_t to, const struct around *a)
{
    uint32_t joint = add_joint(b);

    join(b, joint, to);
    join(b, joint, a->unwind);
    return joint;
}

/* What a `finally` or a `with` that ends in `end` leads to, but for what is
 * behind the statement. */
static void go_on_unwinding(struct build *b, uint32_t end, uint32_t hub,
                            const struct around *a)
{
    go_on_raising(b, end, a);
    join(b, end, a->unwind);
    join(b, end, hub);
    join(b, a->hub, hub); /* what comes back to the outer one's goes on here */
}

static void widen(struct around *a, TSNode node)
{
    if (a->first == 0) {
        a->first = first_line(node);
        a->last = last_line(node);
    }
}

/* In 3.9 a `with` ends on the last line of its body. */
static void add_last_lines(struct build *b, TSNode body, uint32_t end,
                           const struct around *a)
{
    uint32_t n = ts_node_named_child_count(body);
    TSNode last = n > 0 ? ts_node_named_child(body, n - 1) : body;
    uint32_t place =
        add_place(b, end, first_line(last), last_line(last), a, FLOW_SILENT);

    join(b, place, end);
}

static void build_with(struct build *b, TSNode node, uint32_t from, uint32_t to,
                       const struct around *a)
{
    struct around inner = *a;
    uint32_t hub = add_joint(b);
    uint32_t header;
    uint32_t end;

    widen(&inner, node);
    header = add_header(b, node, from, &inner, 0);
    end = add_place(b, FLOW_NONE, first_line(node), header_end(node), &inner,
                    FLOW_SILENT |
                        (b->rc == CWM_OK ? b->f->nodes[header].traits : 0));
    inner.traits |= async_traits(node);
    inner.raise = end;
    inner.unwind = add_unwind(b, end, a);
    inner.hub = hub;
    if (b->rc == CWM_OK) {
        b->f->nodes[header].raise = end; /* another of its managers */
        b->f->nodes[end].raise = a->raise;
    }
    build_block(b, field(node, "body"), header, end, &inner);
    add_last_lines(b, field(node, "body"), end, a);
    join(b, end, to);
    go_on_unwinding(b, end, hub, a);
}

/* The handlers, from the joint `raised` on. */
static void build_handlers(struct build *b, TSNode node, uint32_t raised,
                           uint32_t to, const struct around *a)
{
    TSTreeCursor at = ts_tree_cursor_new(node);
    bool more = ts_tree_cursor_goto_first_child(&at);
    uint32_t test = raised;

    for (; more; more = ts_tree_cursor_goto_next_sibling(&at)) {
        TSNode part = ts_tree_cursor_current_node(&at);

        if (is_type(part, "except_clause")) {
            bool is_bare = ts_node_is_null(field(part, "value"));

            test = add_header(b, part, test, a, is_bare ? FLOW_SILENT : 0);
            build_block(b, child_of(part, "block"), test, to, a);
        }
    }
    ts_tree_cursor_delete(&at);
    go_on_raising(b, test, a);
}

static void build_try(struct build *b, TSNode node, uint32_t from, uint32_t to,
                      const struct around *a)
{
    TSNode handler = child_of(node, "except_clause");
    TSNode finally = child_of(node, "finally_clause");
    TSNode otherwise = child_of(node, "else_clause");
    bool has_finally = !ts_node_is_null(finally);
    uint32_t finish = has_finally ? add_joint(b) : to;
    uint32_t hub = has_finally ? add_joint(b) : a->hub;
    uint32_t raised = add_joint(b);
    uint32_t done = add_joint(b);
    struct around outer = *a; /* of handlers and `else` */
    struct around body;
    uint32_t start;

    widen(&outer, node);
    if (has_finally) {
        outer.raise = finish;
        outer.unwind = add_unwind(b, finish, a);
        outer.hub = hub;
    }
    body = outer;
    body.raise = ts_node_is_null(handler) ? outer.raise : raised;
    start = add_place(b, from, first_line(node), first_line(node), &outer,
                      FLOW_SILENT);
    build_block(b, field(node, "body"), start, done, &body);
    build_handlers(b, node, raised, finish, &outer);
    if (ts_node_is_null(otherwise)) {
        join(b, done, finish);
    } else {
        build_block(b, field(otherwise, "body"), done, finish, &outer);
    }
    if (has_finally) {
        struct around last = *a;
        uint32_t end = add_joint(b);

        widen(&last, node);
        build_block(b, child_of(finally, "block"), finish, end, &last);
        join(b, end, to);
        go_on_unwinding(b, end, hub, a);
    }
}

static void build_match(struct build *b, TSNode node, uint32_t from,
                        uint32_t to, const struct around *a)
{
    uint32_t test = add_header(b, node, from, a, 0);
    TSNode body = field(node, "body");
    TSTreeCursor at = ts_tree_cursor_new(body);
    bool more = ts_tree_cursor_goto_first_child(&at);

    for (; more; more = ts_tree_cursor_goto_next_sibling(&at)) {
        TSNode part = ts_tree_cursor_current_node(&at);

        if (is_type(part, "case_clause")) {
            TSNode pattern = child_of(part, "case_pattern");
            bool is_short =
                !ts_node_is_null(pattern) &&
                ts_node_end_byte(pattern) - ts_node_start_byte(pattern) ==
                    1; /* `_` */

            test = add_header(b, part, test, a, is_short ? FLOW_SILENT : 0);
            build_block(b, field(part, "consequence"), test, to, a);
        }
    }
    ts_tree_cursor_delete(&at);
    join(b, test, to);
}

/* ---- scopes -------------------------------------------------------------- */

/* The lines first..header_last begin it; `node` is a function or a class. */
static void build_scope(struct build *b, TSNode node, uint32_t first)
{
    bool is_class = is_type(node, "class_definition");
    struct around a = {.break_to = FLOW_NONE,
                       .continue_to = FLOW_NONE,
                       .raise = FLOW_NONE,
                       .unwind = FLOW_NONE,
                       .hub = FLOW_NONE,
                       .first = is_class ? first : 0,
                       .last = is_class ? last_line(node) : 0,
                       .notes = add_joint(b)};
    TSNode block = field(node, "body");
    uint32_t n = ts_node_named_child_count(block);
    uint32_t covered = b->covered;
    uint32_t begin;

    b->covered = 0;
    a.ends = add_node(
        b, (struct flow_node){
               .raise = FLOW_NONE,
               .first = n > 0 ? first_line(ts_node_named_child(block, n - 1))
                              : first,
               .last = last_line(node),
               .traits = FLOW_ENDS});
    begin = add_place(b, FLOW_NONE, first, header_end(node), &a, FLOW_BEGINS);
    build_block(b, block, begin, a.ends, &a);
    b->covered = covered;
}

static void build_definition(struct build *b, TSNode node, uint32_t from,
                             uint32_t to, const struct around *a)
{
    bool is_decorated = is_type(node, "decorated_definition");
    TSNode inner = is_decorated ? field(node, "definition") : node;
    uint32_t first = first_line(node);
    uint32_t place;
    unsigned traits = look_into(b, inner);

    if (is_decorated) {
        uint32_t i;

        for (i = 0; i < ts_node_named_child_count(node); i++) {
            TSNode part = ts_node_named_child(node, i);

            traits |= is_type(part, "decorator") ? look_into(b, part) : 0;
        }
    }
    place = add_place(b, from, first, header_end(inner), a, traits);
    join(b, place, to);
    add_scope(b, first, header_end(inner)); /* of type parameters, notes */
    build_scope(b, inner, first);
}

static void build_statement(struct build *b, TSNode node, uint32_t from,
                            uint32_t to, const struct around *a)
{
    static const struct {
        const char *type;
        void (*build)(struct build *b, TSNode node, uint32_t from, uint32_t to,
                      const struct around *a);
    } compound[] = {
        {"if_statement", build_if},
        {"for_statement", build_loop},
        {"while_statement", build_loop},
        {"with_statement", build_with},
        {"try_statement", build_try},
        {"match_statement", build_match},
        {"function_definition", build_definition},
        {"class_definition", build_definition},
        {"decorated_definition", build_definition},
    };
    size_t i;

    for (i = 0; i < sizeof compound / sizeof *compound; i++) {
        if (is_type(node, compound[i].type)) {
            compound[i].build(b, node, from, to, a);
            return;
        }
    }
    build_simple(b, node, from, to, a);
}

/* ---- the program --------------------------------------------------------- */

/* Everything can follow everything. */
static void build_unknown(struct build *b, uint32_t n_lines)
{
    b->f->script = add_scope(b, 1, n_lines > 0 ? n_lines : 1);
    add_scope(b, 1, n_lines > 0 ? n_lines : 1);
}

static void build_module(struct build *b, TSNode root, const struct source *s)
{
    uint32_t first = source_first_code_line(s);
    struct around a = {.break_to = FLOW_NONE,
                       .continue_to = FLOW_NONE,
                       .raise = FLOW_NONE,
                       .unwind = FLOW_NONE,
                       .hub = FLOW_NONE,
                       .first = 1,
                       .last = source_n_lines(s),
                       .notes = add_joint(b)};
    uint32_t begin = add_node(b, (struct flow_node){.first = first,
                                                    .last = first,
                                                    .around_first = 1,
                                                    .around_last = a.last,
                                                    .raise = FLOW_NONE,
                                                    .traits = FLOW_BEGINS});

    a.ends = add_node(b, (struct flow_node){.first = 1,
                                            .last = a.last,
                                            .raise = FLOW_NONE,
                                            .traits = FLOW_ENDS});
    b->f->script = begin;
    build_block(b, root, begin, a.ends, &a);
}

enum cwm_rc source_flow_new(const struct source *s,
                            struct source_flow **ret_flow, struct cwm_err *err)
{
    struct source_flow *f = cwm_calloc(1, sizeof *f); /* owned */
    struct build b = {.f = f, .err = err};
    struct TSTree *tree = NULL; /* owned */
    const char *text;
    size_t len;
    enum cwm_rc rc;

    if (!f) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a program's flow");
    }
    text = source_text(s, &len);
    rc = source__tree(text, len, s->name, &tree, err);
    if (rc != CWM_OK) {
        goto out;
    }
    if (ts_node_has_error(ts_tree_root_node(tree))) {
        build_unknown(&b, source_n_lines(s));
    } else {
        build_module(&b, ts_tree_root_node(tree), s);
    }
    rc = b.rc;
    if (rc == CWM_OK) {
        *ret_flow = f;
        f = NULL; /* now the caller's */
    }
out:
    ts_tree_delete(tree);
    source_flow_free(f);
    return rc;
}
