/* SPDX-License-Identifier: MIT */
/*
 * pure_compile.c -- from a method's syntax tree to a recipe: the expressions
 * that are a str, and where the method is.
 *
 * The interpreter's own parser makes the tree, so no grammar is written down
 * here; what is of no known kind gets no steps (pure_body.c has the
 * statements).  All of it runs in a scratch process whose memory is thrown
 * away: references are not given back.
 */
#include "tracer/worker/pure_compiler.h"

#include <string.h>

#include "tracer/worker/value_compat.h"

/* ---- "...".join(...) ---- */

/* How an element of the comprehension is shown: str(x), repr(x), x, f"{x}". */
static bool element_how(struct compiler *c, PyObject *element, const char *name,
                        enum pure_code *ret_how)
{
    PyObject *values;

    if (pure__is_name(element, name)) {
        *ret_how = PURE_RAW;
        return true;
    }
    if (pure__is_call(element, 1) &&
        pure__is_name(pure__item(pure__get(element, "args"), 0), name)) {
        if (pure__is_name(pure__get(element, "func"), "str")) {
            *ret_how = PURE_STR;
            return pure__use_builtin(c, PURE_BUILTIN_STR);
        }
        if (pure__is_name(pure__get(element, "func"), "repr")) {
            *ret_how = PURE_REPR;
            return pure__use_builtin(c, PURE_BUILTIN_REPR);
        }
    }
    values =
        pure__is(element, "JoinedStr") ? pure__get(element, "values") : Py_None;
    if (pure__length(values) == 1 &&
        pure__is(pure__item(values, 0), "FormattedValue") &&
        pure__is_name(pure__get(pure__item(values, 0), "value"), name) &&
        pure__get(pure__item(values, 0), "format_spec") == Py_None) {
        long conversion =
            PyLong_AsLong(pure__get(pure__item(values, 0), "conversion"));

        *ret_how = conversion == 'r' ? PURE_REPR : PURE_FORMAT;
        return conversion == 'r' || conversion == -1;
    }
    return false;
}

/* What is joined: where the items are, and how they are shown. */
static bool join_items(struct compiler *c, PyObject *node, PyObject **ret_items,
                       enum pure_code *ret_how)
{
    PyObject *args = pure__get(node, "args");
    PyObject *generators;
    PyObject *generator;

    if (pure__is_path(c, node)) {
        *ret_items = node;
        *ret_how = PURE_RAW;
        return true;
    }
    if (pure__is_call(node, 2) &&
        pure__is_name(pure__get(node, "func"), "map")) {
        *ret_items = pure__item(args, 1);
        if (!pure__use_builtin(c, PURE_BUILTIN_MAP)) {
            return false;
        }
        if (pure__is_name(pure__item(args, 0), "str")) {
            *ret_how = PURE_STR;
            return pure__use_builtin(c, PURE_BUILTIN_STR);
        }
        *ret_how = PURE_REPR;
        return pure__is_name(pure__item(args, 0), "repr") &&
               pure__use_builtin(c, PURE_BUILTIN_REPR);
    }
    if (!pure__is(node, "GeneratorExp") && !pure__is(node, "ListComp")) {
        return false;
    }
    generators = pure__get(node, "generators");
    if (pure__length(generators) != 1) {
        return false;
    }
    generator = pure__item(generators, 0);
    if (pure__length(pure__get(generator, "ifs")) != 0 ||
        PyLong_AsLong(pure__get(generator, "is_async")) != 0 ||
        !pure__is(pure__get(generator, "target"), "Name") ||
        pure__is_name(pure__get(generator, "target"), c->self)) {
        return false;
    }
    *ret_items = pure__get(generator, "iter");
    return element_how(
        c, pure__get(node, "elt"),
        pure__chars(pure__get(pure__get(generator, "target"), "id")), ret_how);
}

static bool join_call(struct compiler *c, PyObject *separator, PyObject *node)
{
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(separator, &len);
    PyObject *items;
    enum pure_code how;

    if (!text || strlen(text) != (size_t)len) {
        PyErr_Clear();
        return false;
    }
    if (!join_items(c, node, &items, &how) || !pure__is_path(c, items) ||
        !pure__add_path_op(c, PURE_JOIN, items, text)) {
        return false;
    }
    c->r->ops[c->r->n_ops - 1].how = (uint8_t)how;
    return true;
}

/* ---- expressions that are a str ---- */

static bool call_expr(struct compiler *c, PyObject *node)
{
    PyObject *func = pure__get(node, "func");
    PyObject *arg = pure__length(pure__get(node, "args"))
                        ? pure__item(pure__get(node, "args"), 0)
                        : node;

    if (pure__is_call(node, 1) && pure__is_name(func, "repr")) {
        return pure__use_builtin(c, PURE_BUILTIN_REPR) &&
               pure__add_path_op(c, PURE_REPR, arg, "");
    }
    if (pure__is_call(node, 1) && pure__is_name(func, "str")) {
        return pure__use_builtin(c, PURE_BUILTIN_STR) &&
               (pure__is_path(c, arg) ? pure__add_path_op(c, PURE_STR, arg, "")
                                      : pure__len_call(c, arg));
    }
    if (!pure__is(func, "Attribute") ||
        !pure__is_str(pure__get(func, "value"))) {
        return false;
    }
    if (strcmp(pure__chars(pure__get(func, "attr")), "format") == 0) {
        return pure__format_call(
            c, pure__get(pure__get(func, "value"), "value"), node);
    }
    return pure__is_call(node, 1) &&
           strcmp(pure__chars(pure__get(func, "attr")), "join") == 0 &&
           join_call(c, pure__get(pure__get(func, "value"), "value"), arg);
}

/* self.a is None, self.a is not None, self.a */
static bool branch_leaf(struct compiler *c, PyObject *test, bool when,
                        struct pure_jumps *jumps)
{
    enum pure_test stay = when ? PURE_IS_FALSE : PURE_IS_TRUE;
    uint16_t at = c->r->n_ops;
    struct pure_op *op;

    if (pure__is(test, "Compare")) {
        PyObject *ops = pure__get(test, "ops");
        PyObject *right = pure__get(test, "comparators");
        bool is_not;

        if (pure__length(ops) != 1 ||
            !pure__is(pure__item(right, 0), "Constant") ||
            pure__get(pure__item(right, 0), "value") != Py_None) {
            return false;
        }
        is_not = pure__is(pure__item(ops, 0), "IsNot");
        if (!is_not && !pure__is(pure__item(ops, 0), "Is")) {
            return false;
        }
        stay = is_not == when ? PURE_IS_NONE : PURE_IS_NOT_NONE;
        test = pure__get(test, "left");
    }
    op = pure__add_op(c, PURE_UNLESS);
    if (!op) {
        return false;
    }
    op->how = (uint8_t)stay;
    jumps->ops[jumps->n++] = at;
    return pure__parse_path(c, test, op);
}

void pure__land(struct compiler *c, const struct pure_jumps *jumps)
{
    for (size_t i = 0; i < jumps->n; i++) {
        c->r->ops[jumps->ops[i]].jump = c->r->n_ops;
    }
}

bool pure__branch(struct compiler *c, PyObject *test, bool when,
                  struct pure_jumps *jumps)
{
    PyObject *values = pure__get(test, "values");
    Py_ssize_t n = pure__length(values);
    struct pure_jumps past = {.n = 0};
    bool is_and;

    if (pure__is(test, "UnaryOp") && pure__is(pure__get(test, "op"), "Not")) {
        return pure__branch(c, pure__get(test, "operand"), !when, jumps);
    }
    if (!pure__is(test, "BoolOp")) {
        return branch_leaf(c, test, when, jumps);
    }
    is_and = pure__is(pure__get(test, "op"), "And");
    for (Py_ssize_t i = 0; i < n; i++) {
        /* A false one decides an `and`, a true one an `or`. */
        bool is_last = i == n - 1;
        bool ok = is_and == when && !is_last
                      ? pure__branch(c, pure__item(values, i), !when, &past)
                      : pure__branch(c, pure__item(values, i), when, jumps);

        if (!ok) {
            return false;
        }
    }
    pure__land(c, &past);
    return n > 0;
}

static bool if_expr(struct compiler *c, PyObject *node)
{
    struct pure_jumps otherwise = {.n = 0};
    uint16_t jump;

    if (!pure__branch(c, pure__get(node, "test"), false, &otherwise) ||
        !pure__text_expr(c, pure__get(node, "body"))) {
        return false;
    }
    jump = c->r->n_ops;
    if (!pure__add_op(c, PURE_JUMP)) {
        return false;
    }
    pure__land(c, &otherwise);
    if (!pure__text_expr(c, pure__get(node, "orelse"))) {
        return false;
    }
    c->r->ops[jump].jump = c->r->n_ops;
    return true;
}

bool pure__text_expr(struct compiler *c, PyObject *node)
{
    enum pure_code class_name;

    if (pure__is_str(node)) {
        return pure__add_constant(c, pure__get(node, "value"));
    }
    if (pure__is(node, "JoinedStr")) {
        return pure__joined_str(c, node);
    }
    if (pure__is(node, "BinOp") && pure__is(pure__get(node, "op"), "Add")) {
        return pure__text_expr(c, pure__get(node, "left")) &&
               pure__text_expr(c, pure__get(node, "right"));
    }
    if (pure__is(node, "BinOp") && pure__is(pure__get(node, "op"), "Mod")) {
        return pure__is_str(pure__get(node, "left")) &&
               pure__percent(c, pure__get(node, "left"),
                             pure__get(node, "right"));
    }
    if (pure__is(node, "IfExp")) {
        return if_expr(c, node);
    }
    if (pure__is(node, "Call")) {
        return call_expr(c, node);
    }
    if (pure__is_class_name(c, node, &class_name)) {
        return pure__add_op(c, class_name) != NULL;
    }
    return (pure__is(node, "Attribute") || pure__is(node, "Name")) &&
           pure__is_path(c, node) && pure__add_path_op(c, PURE_RAW, node, "");
}

/* ---- finding the method ---- */

/* The definition at the code's line, in these statements; NULL for none. */
static PyObject *find_def(PyObject *body, const PyCodeObject *code,
                          const char **class_name)
{
    static const char *const inner[] = {"body", "orelse", "finalbody",
                                        "handlers"};

    for (Py_ssize_t i = 0; i < pure__length(body); i++) {
        PyObject *node = pure__item(body, i);
        const char *before = *class_name;

        if (pure__is(node, "FunctionDef") &&
            PyLong_AsLong(pure__get(node, "lineno")) == code->co_firstlineno &&
            strcmp(pure__chars(pure__get(node, "name")),
                   pure__chars(code->co_name)) == 0) {
            return node;
        }
        if (pure__is(node, "ClassDef")) {
            *class_name = pure__chars(pure__get(node, "name"));
        }
        for (size_t k = 0; k < ARRAY_LEN(inner); k++) {
            PyObject *found =
                find_def(pure__get(node, inner[k]), code, class_name);

            if (found) {
                return found;
            }
        }
        *class_name = before;
    }
    return NULL;
}

/* True when `code` is among what the program's text compiles to. */
static bool is_compiled_from(PyObject *whole, PyObject *code)
{
    PyObject *consts = ((PyCodeObject *)whole)->co_consts;

    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(consts); i++) {
        PyObject *inner = PyTuple_GET_ITEM(consts, i);

        if (!PyCode_Check(inner)) {
            continue;
        }
        if (((PyCodeObject *)inner)->co_firstlineno ==
                ((PyCodeObject *)code)->co_firstlineno &&
            PyObject_RichCompareBool(inner, code, Py_EQ) == 1) {
            return true;
        }
        if (is_compiled_from(inner, code)) {
            return true;
        }
    }
    return false;
}

/* One parameter, no decorator; its body, NULL else. */
static PyObject *plain_body(PyObject *def, const char **ret_self)
{
    PyObject *args = pure__get(def, "args");
    PyObject *plain = pure__get(args, "args");
    PyObject *only = pure__get(args, "posonlyargs");

    if (pure__length(pure__get(def, "decorator_list")) != 0 ||
        pure__length(plain) + pure__length(only) != 1 ||
        pure__length(pure__get(args, "kwonlyargs")) != 0 ||
        pure__get(args, "vararg") != Py_None ||
        pure__get(args, "kwarg") != Py_None) {
        return NULL;
    }
    *ret_self = pure__chars(
        pure__get(pure__item(pure__length(plain) ? plain : only, 0), "arg"));
    return pure__get(def, "body");
}

void pure_compile(const char *source, size_t source_len, PyObject *filename,
                  PyObject *code, struct pure_recipe *recipe)
{
    PyCompilerFlags flags = {.cf_flags = PyCF_ONLY_AST | PyCF_SOURCE_IS_UTF8 |
                                         PyCF_IGNORE_COOKIE,
                             .cf_feature_version = PY_MINOR_VERSION};
    struct compiler c = {.r = recipe, .code = code, .class_name = ""};
    PyObject *free_names = PyObject_GetAttrString(code, "co_freevars");
    char *copy;
    PyObject *tree;
    PyObject *whole;
    PyObject *def;
    PyObject *body;

    /* The program's text has no NUL behind. */
    copy = PyMem_Calloc(source_len + 1, 1);
    if (!copy || !free_names) {
        return;
    }
    memcpy(copy, source, source_len);
    tree = Py_CompileStringObject(copy, filename, Py_file_input, &flags, -1);
    flags.cf_flags &= ~PyCF_ONLY_AST;
    whole = Py_CompileStringObject(copy, filename, Py_file_input, &flags, -1);
    if (!tree || !whole || !free_names || PyTuple_GET_SIZE(free_names) != 0 ||
        !is_compiled_from(whole, code)) {
        PyErr_Clear();
        return;
    }
    def =
        find_def(pure__get(tree, "body"), (PyCodeObject *)code, &c.class_name);
    body = def ? plain_body(def, &c.self) : NULL;
    if (body &&
        !(((PyCodeObject *)code)->co_flags &
          (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) &&
        pure__body(&c, body)) {
        recipe->is_pure = 1;
    }
    PyErr_Clear();
}
