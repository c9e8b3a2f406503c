/* SPDX-License-Identifier: MIT */
/*
 * pure_body.c -- statements of a method as steps of a recipe.
 *
 * A recipe's steps write the text from left to right.  A method that collects
 * its text in a variable and returns it does the same when it only ever
 * appends: what the last `return` puts in front is written where the variable
 * gets its first value, and each `text += x` or `parts.append(x)` writes x.
 * Nothing has effects, so the order in which the rest is read does not matter.
 * Other variables hold what a path leads to.
 *
 * A statement of no known kind becomes PURE_GIVE_UP: methods that reach it are
 * contained, those that return before are not.
 */
#include "tracer/worker/pure_compiler.h"

#include <string.h>

struct loop {
    uint16_t head; /* the op that goes round again */
    struct pure_jumps breaks;
};

struct body {
    struct compiler *c;
    PyObject *last;        /* borrowed: the last statement, a return; or NULL */
    const char *collector; /* borrowed: the variable it returns; NULL: none */
    bool is_list;          /* its parts are joined there */
    bool is_writing;       /* it has its first value */
    size_t depth;          /* blocks round the statement */
    uint8_t n_loops;
    struct loop *loop; /* the innermost; NULL: none */
    bool returns;      /* a return can be reached */
    size_t n_met;      /* of the collector, in the last return so far */
};

static bool block(struct body *b, PyObject *statements);

/* ---- the last return ---- */

/* The variable that the node stands for or joins; NULL for none. */
static PyObject *collected(PyObject *node, bool *ret_is_list)
{
    PyObject *func = pure__get(node, "func");

    *ret_is_list = false;
    if (pure__is(node, "Name")) {
        return node;
    }
    if (!pure__is_call(node, 1) || !pure__is(func, "Attribute") ||
        !pure__is_str(pure__get(func, "value")) ||
        strcmp(pure__chars(pure__get(func, "attr")), "join") != 0 ||
        !pure__is(pure__item(pure__get(node, "args"), 0), "Name")) {
        return NULL;
    }
    *ret_is_list = true;
    return pure__item(pure__get(node, "args"), 0);
}

static bool is_collector(const struct body *b, PyObject *node)
{
    bool is_list;
    PyObject *name = collected(node, &is_list);

    return name && is_list == b->is_list && pure__is_name(name, b->collector);
}

/* {x} and {x!s} */
static PyObject *plain_field(PyObject *node)
{
    long conversion;

    if (!pure__is(node, "FormattedValue") ||
        pure__get(node, "format_spec") != Py_None) {
        return NULL;
    }
    conversion = PyLong_AsLong(pure__get(node, "conversion"));
    return conversion == -1 || conversion == 's' ? pure__get(node, "value")
                                                 : NULL;
}

static PyObject *assigned(PyObject *node, PyObject **ret_value);

/* Does the name get a text or a list as its first value? */
static bool is_begun(PyObject *statements, PyObject *name, bool is_list)
{
    for (Py_ssize_t i = 0; i < pure__length(statements); i++) {
        PyObject *value;
        PyObject *target = assigned(pure__item(statements, i), &value);

        if (target &&
            pure__is_name(target, pure__chars(pure__get(name, "id")))) {
            return is_list ? pure__is(value, "List")
                           : !pure__is(value, "Attribute") &&
                                 !pure__is(value, "Name");
        }
    }
    return false;
}

/* The collector somewhere in the last return's text; sets it. */
static void find_collector(struct body *b, PyObject *node, PyObject *statements)
{
    bool is_list;
    PyObject *name = collected(node, &is_list);
    PyObject *values = pure__get(node, "values");

    if (b->collector) {
        return;
    }
    if (name && is_begun(statements, name, is_list)) {
        b->collector = pure__chars(pure__get(name, "id"));
        b->is_list = is_list;
    } else if (pure__is(node, "BinOp")) {
        find_collector(b, pure__get(node, "left"), statements);
        find_collector(b, pure__get(node, "right"), statements);
    } else if (pure__is(node, "JoinedStr")) {
        for (Py_ssize_t i = 0; i < pure__length(values); i++) {
            PyObject *field = plain_field(pure__item(values, i));

            if (field) {
                find_collector(b, field, statements);
            }
        }
    }
}

/* What stands in front of the collector (n_met == 0) or behind it. */
static bool write_side(struct body *b, PyObject *node, size_t side)
{
    PyObject *values = pure__get(node, "values");

    if (is_collector(b, node)) {
        b->n_met++;
        return b->n_met == 1;
    }
    if (pure__is(node, "BinOp") && pure__is(pure__get(node, "op"), "Add")) {
        return write_side(b, pure__get(node, "left"), side) &&
               write_side(b, pure__get(node, "right"), side);
    }
    if (!pure__is(node, "JoinedStr")) {
        return b->n_met != side || pure__text_expr(b->c, node);
    }
    for (Py_ssize_t i = 0; i < pure__length(values); i++) {
        PyObject *value = pure__item(values, i);
        PyObject *field = plain_field(value);

        if (field && is_collector(b, field)) {
            b->n_met++;
            if (b->n_met != 1) {
                return false;
            }
        } else if (b->n_met == side && !pure__joined_part(b->c, value)) {
            return false;
        }
    }
    return true;
}

static bool write_return(struct body *b, size_t side)
{
    bool ok;

    b->n_met = 0;
    b->c->self_only = side == 0; /* variables will have other values then */
    ok = write_side(b, pure__get(b->last, "value"), side);
    b->c->self_only = false;
    return ok && b->n_met == 1;
}

/* The text between the parts. */
static PyObject *separator(PyObject *node)
{
    bool is_list;
    PyObject *values = pure__get(node, "values");
    PyObject *found = NULL;

    if (collected(node, &is_list) && is_list) {
        return pure__get(pure__get(pure__get(node, "func"), "value"), "value");
    }
    if (pure__is(node, "BinOp")) {
        found = separator(pure__get(node, "left"));
        return found ? found : separator(pure__get(node, "right"));
    }
    for (Py_ssize_t i = 0; !found && i < pure__length(values); i++) {
        PyObject *field = plain_field(pure__item(values, i));

        found = field ? separator(field) : NULL;
    }
    return found;
}

static bool write_part(struct body *b, PyObject *node)
{
    struct compiler *c = b->c;
    PyObject *between = separator(pure__get(b->last, "value"));
    uint16_t at = c->r->n_ops;

    if (!between || !pure__add_constant(c, between)) {
        return false;
    }
    if (c->r->n_ops > at) { /* not an empty one */
        c->r->ops[at].code = PURE_SEPARATE;
        c->r->has_state = true;
    }
    return pure__text_expr(c, node);
}

/* ---- simple statements ---- */

/* The one name that is assigned to; NULL for other statements. */
static PyObject *assigned(PyObject *node, PyObject **ret_value)
{
    PyObject *targets = pure__get(node, "targets");
    PyObject *target = NULL;

    if (pure__is(node, "Assign") && pure__length(targets) == 1) {
        target = pure__item(targets, 0);
    } else if (pure__is(node, "AnnAssign")) {
        target = pure__get(node, "target");
    }
    *ret_value = pure__get(node, "value");
    return target && pure__is(target, "Name") && *ret_value != Py_None ? target
                                                                       : NULL;
}

/* A variable for the name; -1 when it cannot be one. */
static int new_var(struct body *b, PyObject *name_node)
{
    struct compiler *c = b->c;
    const char *name = pure__chars(pure__get(name_node, "id"));
    int at = pure__find_var(c, name);

    if (!pure__is(name_node, "Name") || !pure__is_local(c, name) ||
        strcmp(name, c->self) == 0 ||
        (b->collector && strcmp(name, b->collector) == 0)) {
        return -1;
    }
    if (at >= 0) {
        return at;
    }
    /* NEXT may fill the one behind. */
    if (c->n_vars == PURE_MAX_VARS - 1) {
        return -1;
    }
    c->vars[c->n_vars] = name;
    return (int)c->n_vars++;
}

static bool begin_collector(struct body *b, PyObject *value)
{
    PyObject *parts = pure__get(value, "elts");

    if (b->depth > 0 || !pure__is_local(b->c, b->collector) ||
        strcmp(b->collector, b->c->self) == 0 || !write_return(b, 0)) {
        return false;
    }
    b->is_writing = true;
    if (!b->is_list) {
        return pure__text_expr(b->c, value);
    }
    for (Py_ssize_t i = 0; i < pure__length(parts); i++) {
        if (!write_part(b, pure__item(parts, i))) {
            return false;
        }
    }
    return pure__is(value, "List");
}

/* text + x + ... */
static bool extend(struct body *b, PyObject *node)
{
    if (!pure__is(node, "BinOp") || !pure__is(pure__get(node, "op"), "Add")) {
        return false;
    }
    return (pure__is_name(pure__get(node, "left"), b->collector) ||
            extend(b, pure__get(node, "left"))) &&
           pure__text_expr(b->c, pure__get(node, "right"));
}

static bool assign(struct body *b, PyObject *target, PyObject *value)
{
    struct pure_op *op;
    int var;

    if (b->collector && pure__is_name(target, b->collector)) {
        if (!b->is_writing) {
            return begin_collector(b, value);
        }
        return !b->is_list && extend(b, value);
    }
    if (!pure__is_path(b->c, value)) {
        return false;
    }
    if (!pure__add_path_op(b->c, PURE_SET, value, "")) {
        return false;
    }
    var = new_var(b, target);
    op = &b->c->r->ops[b->c->r->n_ops - 1];
    op->how = (uint8_t)var;
    return var >= 0;
}

/* text += x */
static bool augment(struct body *b, PyObject *node)
{
    return b->is_writing && !b->is_list &&
           pure__is(pure__get(node, "op"), "Add") &&
           pure__is_name(pure__get(node, "target"), b->collector) &&
           pure__text_expr(b->c, pure__get(node, "value"));
}

/* parts.append(x), or a docstring */
static bool expression(struct body *b, PyObject *node)
{
    PyObject *func = pure__get(node, "func");

    if (pure__is(node, "Constant")) {
        return true;
    }
    return b->is_writing && b->is_list && pure__is_call(node, 1) &&
           pure__is(func, "Attribute") &&
           strcmp(pure__chars(pure__get(func, "attr")), "append") == 0 &&
           pure__is_name(pure__get(func, "value"), b->collector) &&
           write_part(b, pure__item(pure__get(node, "args"), 0));
}

static bool return_statement(struct body *b, PyObject *node)
{
    bool ok = b->is_writing ? node == b->last && write_return(b, 1)
                            : pure__text_expr(b->c, pure__get(node, "value"));

    if (!ok || !pure__add_op(b->c, PURE_END)) {
        return false;
    }
    b->returns = true;
    return true;
}

/* ---- blocks ---- */

static bool if_statement(struct body *b, PyObject *node)
{
    struct pure_recipe *r = b->c->r;
    PyObject *otherwise = pure__get(node, "orelse");
    struct pure_jumps no = {.n = 0};
    uint16_t jump;

    if (!pure__branch(b->c, pure__get(node, "test"), false, &no) ||
        !block(b, pure__get(node, "body"))) {
        return false;
    }
    if (pure__length(otherwise) == 0) {
        pure__land(b->c, &no);
        return true;
    }
    jump = r->n_ops;
    if (!pure__add_op(b->c, PURE_JUMP)) {
        return false;
    }
    pure__land(b->c, &no);
    if (!block(b, otherwise)) {
        return false;
    }
    r->ops[jump].jump = r->n_ops;
    return true;
}

/* The block, the jump back, and where `exits` and breaks lead. */
static bool loop_rest(struct body *b, PyObject *node, uint16_t head,
                      const struct pure_jumps *exits)
{
    struct loop *outer = b->loop;
    struct loop loop = {.head = head};
    struct pure_op *op;
    bool ok;

    b->loop = &loop;
    ok = pure__length(pure__get(node, "orelse")) == 0 &&
         block(b, pure__get(node, "body"));
    b->loop = outer;
    op = ok ? pure__add_op(b->c, PURE_JUMP) : NULL;
    if (!op) {
        return false;
    }
    op->jump = head;
    b->c->r->has_state = true;
    pure__land(b->c, exits);
    pure__land(b->c, &loop.breaks);
    return true;
}

static bool while_statement(struct body *b, PyObject *node)
{
    struct pure_jumps exits = {.n = 0};
    uint16_t head = b->c->r->n_ops;

    return pure__branch(b->c, pure__get(node, "test"), false, &exits) &&
           loop_rest(b, node, head, &exits);
}

/* What is looped over: a path, or a dict's keys, values or items. */
static PyObject *loop_items(PyObject *node, uint8_t *ret_items)
{
    static const char *const methods[] = {"", "keys", "values", "items"};
    PyObject *func = pure__get(node, "func");

    *ret_items = PURE_ITEMS;
    if (!pure__is_call(node, 0) || !pure__is(func, "Attribute")) {
        return node;
    }
    for (int i = PURE_DICT_KEYS; i <= PURE_DICT_ITEMS; i++) {
        if (strcmp(pure__chars(pure__get(func, "attr")), methods[i]) == 0) {
            *ret_items = (uint8_t)i;
        }
    }
    return *ret_items == PURE_ITEMS ? node : pure__get(func, "value");
}

/* One variable, or two new ones in a row. */
static int loop_vars(struct body *b, PyObject *target, bool are_two)
{
    PyObject *names = pure__get(target, "elts");
    int first;

    if (!are_two) {
        return new_var(b, target);
    }
    if (!pure__is(target, "Tuple") || pure__length(names) != 2) {
        return -1;
    }
    first = new_var(b, pure__item(names, 0));
    return first >= 0 && new_var(b, pure__item(names, 1)) == first + 1 ? first
                                                                       : -1;
}

static bool for_statement(struct body *b, PyObject *node)
{
    struct compiler *c = b->c;
    struct pure_jumps exits = {.n = 1};
    uint8_t items;
    PyObject *over = loop_items(pure__get(node, "iter"), &items);
    uint8_t loop = b->n_loops++;
    struct pure_op *op;
    int var;

    if (loop >= PURE_MAX_LOOPS || !pure__add_path_op(c, PURE_FOR, over, "")) {
        return false;
    }
    c->r->ops[c->r->n_ops - 1].how = loop;
    c->r->ops[c->r->n_ops - 1].items = items;
    var = loop_vars(b, pure__get(node, "target"), items == PURE_DICT_ITEMS);
    exits.ops[0] = c->r->n_ops;
    op = var >= 0 ? pure__add_op(c, PURE_NEXT) : NULL;
    if (!op) {
        return false;
    }
    op->how = loop;
    op->var = (uint8_t)var;
    return loop_rest(b, node, exits.ops[0], &exits);
}

static bool loop_jump(struct body *b, bool is_break)
{
    uint16_t at = b->c->r->n_ops;
    struct pure_op *op = b->loop ? pure__add_op(b->c, PURE_JUMP) : NULL;

    if (!op) {
        return false;
    }
    if (is_break) {
        b->loop->breaks.ops[b->loop->breaks.n++] = at;
    } else {
        op->jump = b->loop->head;
    }
    return true;
}

static bool statement(struct body *b, PyObject *node)
{
    PyObject *value;
    PyObject *target = assigned(node, &value);

    if (target) {
        return assign(b, target, value);
    }
    if (pure__is(node, "Expr")) {
        return expression(b, value);
    }
    if (pure__is(node, "AugAssign")) {
        return augment(b, node);
    }
    if (pure__is(node, "Return")) {
        return return_statement(b, node);
    }
    if (pure__is(node, "If")) {
        return if_statement(b, node);
    }
    if (pure__is(node, "While")) {
        return while_statement(b, node);
    }
    if (pure__is(node, "For")) {
        return for_statement(b, node);
    }
    if (pure__is(node, "Break") || pure__is(node, "Continue")) {
        return loop_jump(b, pure__is(node, "Break"));
    }
    return pure__is(node, "Pass");
}

/* The statements up to the first that is not known; *ret_all: there is none. */
static bool statements_of(struct body *b, PyObject *statements, bool *ret_all)
{
    struct compiler *c = b->c;

    *ret_all = true;
    for (Py_ssize_t i = 0; i < pure__length(statements); i++) {
        uint16_t n_ops = c->r->n_ops;
        size_t n_vars = c->n_vars;
        size_t n_breaks = b->loop ? b->loop->breaks.n : 0;

        if (!statement(b, pure__item(statements, i))) {
            c->r->n_ops = n_ops;
            c->n_vars = n_vars;
            if (b->loop) {
                b->loop->breaks.n = n_breaks;
            }
            *ret_all = false;
            return pure__add_op(c, PURE_GIVE_UP) != NULL;
        }
    }
    return true;
}

static bool block(struct body *b, PyObject *statements)
{
    bool all;
    bool ok;

    b->depth++;
    ok = statements_of(b, statements, &all);
    b->depth--;
    return ok;
}

bool pure__body(struct compiler *c, PyObject *statements)
{
    struct body b = {.c = c};
    Py_ssize_t n = pure__length(statements);
    bool all;

    if (n > 0 && pure__is(pure__item(statements, n - 1), "Return")) {
        b.last = pure__item(statements, n - 1);
        find_collector(&b, pure__get(b.last, "value"), statements);
    }
    if (!statements_of(&b, statements, &all) || !b.returns ||
        !pure__add_op(c, PURE_GIVE_UP)) {
        return false;
    }
    /* add_op() left room for it. */
    c->r->ops[c->r->n_ops] = (struct pure_op){.code = PURE_END};
    c->r->n_ops++;
    return true;
}
