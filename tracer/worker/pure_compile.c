/* SPDX-License-Identifier: MIT */
/*
 * pure_compile.c -- from a method's syntax tree to a recipe.
 *
 * The interpreter's own parser makes the tree, so no grammar is written down
 * here; only a method that is one `return` of an expression of the known kinds
 * becomes a recipe.  All of it runs in a scratch process whose memory is thrown
 * away: references are not given back.
 */
#include "tracer/worker/pure_recipe.h"

#include <stdio.h>
#include <string.h>

#include "tracer/worker/value_compat.h"

struct compiler {
    struct pure_recipe *r;
    PyObject *code;         /* the method's */
    const char *self;       /* its parameter's name */
    const char *class_name; /* of the class round it, "" for none */
};

static bool text_expr(struct compiler *c, PyObject *node);

/* ---- reading the tree ---- */

/* A field of a node; None where there is none. */
static PyObject *get(PyObject *node, const char *field)
{
    PyObject *value = PyObject_GetAttrString(node, field);

    if (!value) {
        PyErr_Clear();
        return Py_None;
    }
    return value;
}

static bool is(PyObject *node, const char *kind)
{
    return strcmp(Py_TYPE(node)->tp_name, kind) == 0 ||
           (strncmp(Py_TYPE(node)->tp_name, "ast.", 4) == 0 &&
            strcmp(Py_TYPE(node)->tp_name + 4, kind) == 0);
}

/* The characters of a str; "" for anything else, which no name is. */
static const char *chars(PyObject *s)
{
    const char *text = PyUnicode_Check(s) ? PyUnicode_AsUTF8(s) : NULL;

    if (!text) {
        PyErr_Clear();
    }
    return text ? text : "";
}

static Py_ssize_t length(PyObject *list)
{
    return PyList_Check(list) ? PyList_GET_SIZE(list) : 0;
}

static PyObject *item(PyObject *list, Py_ssize_t i)
{
    return PyList_GET_ITEM(list, i);
}

static bool is_name(PyObject *node, const char *name)
{
    return is(node, "Name") && strcmp(chars(get(node, "id")), name) == 0;
}

static bool is_str(PyObject *node)
{
    return is(node, "Constant") && PyUnicode_CheckExact(get(node, "value"));
}

/* A call with this many positional arguments and no others. */
static bool is_call(PyObject *node, Py_ssize_t n_args)
{
    PyObject *args = get(node, "args");

    if (!is(node, "Call") || length(args) != n_args ||
        length(get(node, "keywords")) != 0) {
        return false;
    }
    return n_args == 0 || !is(item(args, 0), "Starred");
}

/* ---- writing the recipe ---- */

/* Offset of a copy of the text in the pool; false when it is full. */
static bool pool_add(struct pure_recipe *r, const char *text, size_t len,
                     uint16_t *ret_at)
{
    if (len + 1 > sizeof(r->pool) - r->pool_len) {
        return false;
    }
    *ret_at = r->pool_len;
    memcpy(r->pool + r->pool_len, text, len);
    r->pool[r->pool_len + len] = '\0';
    r->pool_len = (uint16_t)(r->pool_len + len + 1);
    return true;
}

static struct pure_op *add_op(struct compiler *c, enum pure_code code)
{
    struct pure_op *op;

    /* The last one is for PURE_END. */
    if (c->r->n_ops >= PURE_MAX_OPS - 1) {
        return NULL;
    }
    op = &c->r->ops[c->r->n_ops++];
    memset(op, 0, sizeof(*op));
    op->code = (uint8_t)code;
    return op;
}

static bool add_text(struct compiler *c, const char *text, size_t len)
{
    struct pure_op *op;

    if (len == 0) {
        return true;
    }
    op = add_op(c, PURE_TEXT);
    if (!op || !pool_add(c->r, text, len, &op->text)) {
        return false;
    }
    op->text_len = (uint16_t)len;
    return true;
}

static bool add_constant(struct compiler *c, PyObject *s)
{
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(s, &len);

    if (!text) { /* surrogates */
        PyErr_Clear();
        return false;
    }
    return add_text(c, text, (size_t)len);
}

static bool use_builtin(struct compiler *c, enum pure_builtin builtin)
{
    c->r->builtins |= 1u << builtin;
    return true;
}

/* ---- names and paths ---- */

/* As the compiler has it: __x in class A is _A__x. */
static bool mangle(const struct compiler *c, const char *name, char *out,
                   size_t out_bytes)
{
    const char *class_name = c->class_name + strspn(c->class_name, "_");
    size_t len = strlen(name);
    int n;

    if (strncmp(name, "__", 2) != 0 || *class_name == '\0' ||
        (len >= 2 && strcmp(name + len - 2, "__") == 0)) {
        n = snprintf(out, out_bytes, "%s", name);
    } else {
        n = snprintf(out, out_bytes, "_%s%s", class_name, name);
    }
    return n >= 0 && (size_t)n < out_bytes;
}

static bool code_has_name(PyObject *code, const char *name)
{
    PyObject *names = ((PyCodeObject *)code)->co_names;

    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        if (strcmp(chars(PyTuple_GET_ITEM(names, i)), name) == 0) {
            return true;
        }
    }
    return false;
}

static bool name_index(struct compiler *c, const char *attr, uint8_t *ret_index)
{
    struct pure_recipe *r = c->r;
    char name[256];

    if (!mangle(c, attr, name, sizeof(name)) || !code_has_name(c->code, name) ||
        strcmp(name, "__class__") == 0 || strcmp(name, "__dict__") == 0) {
        return false;
    }
    for (uint8_t i = 0; i < r->n_names; i++) {
        if (strcmp(r->pool + r->names[i], name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    if (r->n_names == PURE_MAX_NAMES ||
        !pool_add(r, name, strlen(name), &r->names[r->n_names])) {
        return false;
    }
    *ret_index = (uint8_t)r->n_names++;
    return true;
}

/* self, self.a, self.a.b, ... */
static bool parse_path(struct compiler *c, PyObject *node, struct pure_op *op)
{
    PyObject *attrs[PURE_MAX_PATH];
    uint8_t n = 0;

    while (is(node, "Attribute")) {
        if (n == PURE_MAX_PATH) {
            return false;
        }
        attrs[n++] = get(node, "attr");
        node = get(node, "value");
    }
    if (!is_name(node, c->self)) {
        return false;
    }
    op->n_path = n;
    for (uint8_t i = 0; i < n; i++) {
        if (!name_index(c, chars(attrs[n - 1 - i]), &op->path[i])) {
            return false;
        }
    }
    return true;
}

static bool is_path(const struct compiler *c, PyObject *node)
{
    while (is(node, "Attribute")) {
        node = get(node, "value");
    }
    return is_name(node, c->self);
}

/* One op with a path and, where it has one, a format. */
static bool add_path_op(struct compiler *c, enum pure_code code, PyObject *node,
                        const char *format)
{
    struct pure_op *op = add_op(c, code);

    if (!op || !parse_path(c, node, op)) {
        return false;
    }
    op->text_len = (uint16_t)strlen(format);
    return pool_add(c->r, format, strlen(format), &op->text);
}

/* type(self).__name__, self.__class__.__name__ and their like. */
static bool is_class_name(struct compiler *c, PyObject *node,
                          enum pure_code *ret_code)
{
    PyObject *of;
    const char *attr;

    if (!is(node, "Attribute")) {
        return false;
    }
    attr = chars(get(node, "attr"));
    of = get(node, "value");
    if (strcmp(attr, "__name__") == 0) {
        *ret_code = PURE_CLASS_NAME;
    } else if (strcmp(attr, "__qualname__") == 0) {
        *ret_code = PURE_CLASS_QUALNAME;
    } else {
        return false;
    }
    if (is_call(of, 1) && is_name(get(of, "func"), "type") &&
        is_name(item(get(of, "args"), 0), c->self)) {
        return use_builtin(c, PURE_BUILTIN_TYPE);
    }
    return is(of, "Attribute") &&
           strcmp(chars(get(of, "attr")), "__class__") == 0 &&
           is_name(get(of, "value"), c->self);
}

/* ---- values inside a format ---- */

/* len(self.a) */
static bool len_call(struct compiler *c, PyObject *node)
{
    return is_call(node, 1) && is_name(get(node, "func"), "len") &&
           is_path(c, item(get(node, "args"), 0)) &&
           use_builtin(c, PURE_BUILTIN_LEN) &&
           add_path_op(c, PURE_LEN, item(get(node, "args"), 0), "");
}

/*
 * A value that is put into a text: conversion 'r', 's', or 0 for format() with
 * this format.
 */
static bool put_value(struct compiler *c, PyObject *node, int conversion,
                      const char *format)
{
    enum pure_code class_name;

    if (is_class_name(c, node, &class_name)) {
        return conversion != 'r' && *format == '\0' && add_op(c, class_name);
    }
    if (is_path(c, node)) {
        if (conversion == 'r') {
            return *format == '\0' && add_path_op(c, PURE_REPR, node, "");
        }
        if (conversion == 's') {
            return *format == '\0' && add_path_op(c, PURE_STR, node, "");
        }
        return add_path_op(c, PURE_FORMAT, node, format);
    }
    if (*format != '\0') {
        return false;
    }
    if (is(node, "Call") && is_name(get(node, "func"), "len")) {
        return len_call(c, node);
    }
    return conversion != 'r' && text_expr(c, node);
}

/* ---- f"..." ---- */

/* A constant format, or none; NULL for others. */
static const char *constant_format(PyObject *spec)
{
    PyObject *values;

    if (spec == Py_None) {
        return "";
    }
    values = get(spec, "values");
    if (!is(spec, "JoinedStr") || length(values) > 1) {
        return NULL;
    }
    if (length(values) == 0) {
        return "";
    }
    return is_str(item(values, 0)) ? chars(get(item(values, 0), "value"))
                                   : NULL;
}

static bool joined_str(struct compiler *c, PyObject *node)
{
    PyObject *values = get(node, "values");

    for (Py_ssize_t i = 0; i < length(values); i++) {
        PyObject *value = item(values, i);
        const char *format;
        long conversion;

        if (is_str(value)) {
            if (!add_constant(c, get(value, "value"))) {
                return false;
            }
            continue;
        }
        if (!is(value, "FormattedValue")) {
            return false;
        }
        format = constant_format(get(value, "format_spec"));
        conversion = PyLong_AsLong(get(value, "conversion"));
        if (!format ||
            (conversion != -1 && conversion != 'r' && conversion != 's')) {
            return false;
        }
        if (!put_value(c, get(value, "value"),
                       conversion == -1 ? 0 : (int)conversion, format)) {
            return false;
        }
    }
    return true;
}

/* ---- "..." % ... ---- */

/* One value for a conversion; *at is behind the percent sign, then behind it.
 */
static bool percent_value(struct compiler *c, PyObject *node, const char **at,
                          bool is_only)
{
    char format[8] = "";
    uint16_t first = c->r->n_ops;
    bool ok;

    switch (**at) {
    case 's':
    case 'r':
        ok = put_value(c, node, **at, "");
        (*at)++;
        break;
    case 'd':
    case 'i':
        (*at)++;
        ok = is_path(c, node) ? add_path_op(c, PURE_INT, node, "")
                              : len_call(c, node);
        break;
    case '.':
        if ((*at)[1] < '0' || (*at)[1] > '9' || (*at)[2] != 'f') {
            return false;
        }
        memcpy(format, *at, 3);
        *at += 3;
        ok = is_path(c, node) && add_path_op(c, PURE_NUMBER, node, format);
        break;
    default:
        return false;
    }
    if (ok && is_only && is_path(c, node)) {
        c->r->ops[first].no_tuple = true;
    }
    return ok;
}

static bool percent(struct compiler *c, PyObject *left, PyObject *right)
{
    Py_ssize_t len;
    const char *at = PyUnicode_AsUTF8AndSize(get(left, "value"), &len);
    bool is_tuple = is(right, "Tuple");
    PyObject *elements = is_tuple ? get(right, "elts") : Py_None;
    Py_ssize_t n_values = is_tuple ? length(elements) : 1;
    Py_ssize_t n_used = 0;

    if (!at || strlen(at) != (size_t)len) {
        PyErr_Clear();
        return false;
    }
    while (*at) {
        size_t run = strcspn(at, "%");

        if (!add_text(c, at, run)) {
            return false;
        }
        at += run;
        if (at[0] == '%' && at[1] == '%') {
            if (!add_text(c, "%", 1)) {
                return false;
            }
            at += 2;
        } else if (*at == '%') {
            PyObject *node =
                is_tuple && n_used < n_values ? item(elements, n_used) : right;

            at++;
            if (n_used++ >= n_values || is(node, "Starred") ||
                !percent_value(c, node, &at, !is_tuple)) {
                return false;
            }
        }
    }
    return n_used == n_values;
}

/* ---- "...".format(...) ---- */

/* The argument that a field's name means; NULL for none. */
static PyObject *format_argument(PyObject *call, const char *name, size_t len,
                                 Py_ssize_t *next, uint32_t *used)
{
    PyObject *args = get(call, "args");
    PyObject *keywords = get(call, "keywords");
    Py_ssize_t at = -1;

    if (len == 0) {
        at = (*next)++;
    } else if (len == 1 && *name >= '0' && *name <= '9') {
        at = *name - '0';
    }
    if (at >= 0) {
        if (at >= length(args) || at >= 16 || is(item(args, at), "Starred")) {
            return NULL;
        }
        *used |= 1u << at;
        return item(args, at);
    }
    for (Py_ssize_t i = 0; i < length(keywords) && i < 16; i++) {
        const char *keyword = chars(get(item(keywords, i), "arg"));

        if (strlen(keyword) == len && memcmp(keyword, name, len) == 0) {
            *used |= 1u << (16 + i);
            return get(item(keywords, i), "value");
        }
    }
    return NULL;
}

/* One field; *at is behind the brace, then behind the one that closes it. */
static bool format_field(struct compiler *c, PyObject *call, const char **at,
                         Py_ssize_t *next, uint32_t *used)
{
    const char *name = *at;
    size_t name_len = strcspn(name, "!:}{");
    const char *p = name + name_len;
    char format[32] = "";
    int conversion = 0;
    PyObject *argument;

    if (memchr(name, '.', name_len) || memchr(name, '[', name_len)) {
        return false;
    }
    if (*p == '!') {
        conversion = p[1];
        if (conversion != 'r' && conversion != 's') {
            return false;
        }
        p += 2;
    }
    if (*p == ':') {
        size_t len = strcspn(p + 1, "{}");

        if (len >= sizeof(format)) {
            return false;
        }
        memcpy(format, p + 1, len);
        p += 1 + len;
    }
    if (*p != '}') {
        return false;
    }
    *at = p + 1;
    argument = format_argument(call, name, name_len, next, used);
    return argument && put_value(c, argument, conversion, format);
}

static bool format_call(struct compiler *c, PyObject *template, PyObject *call)
{
    Py_ssize_t len;
    const char *at = PyUnicode_AsUTF8AndSize(template, &len);
    Py_ssize_t n_args = length(get(call, "args"));
    Py_ssize_t n_keywords = length(get(call, "keywords"));
    Py_ssize_t next = 0;
    uint32_t used = 0;
    uint32_t want;

    if (!at || strlen(at) != (size_t)len || n_args > 9 || n_keywords > 9) {
        PyErr_Clear();
        return false;
    }
    while (*at) {
        size_t run = strcspn(at, "{}");

        if (!add_text(c, at, run)) {
            return false;
        }
        at += run;
        if (*at && at[0] == at[1]) {
            if (!add_text(c, at, 1)) {
                return false;
            }
            at += 2;
        } else if (*at == '{') {
            at++;
            if (!format_field(c, call, &at, &next, &used)) {
                return false;
            }
        } else if (*at) {
            return false;
        }
    }
    /* An argument that is not shown is evaluated all the same. */
    want = ((1u << n_args) - 1) | ((1u << n_keywords) - 1) << 16;
    return used == want;
}

/* ---- "...".join(...) ---- */

/* How an element of the comprehension is shown: str(x), repr(x), x, f"{x}". */
static bool element_how(struct compiler *c, PyObject *element, const char *name,
                        enum pure_code *ret_how)
{
    PyObject *values;

    if (is_name(element, name)) {
        *ret_how = PURE_RAW;
        return true;
    }
    if (is_call(element, 1) && is_name(item(get(element, "args"), 0), name)) {
        if (is_name(get(element, "func"), "str")) {
            *ret_how = PURE_STR;
            return use_builtin(c, PURE_BUILTIN_STR);
        }
        if (is_name(get(element, "func"), "repr")) {
            *ret_how = PURE_REPR;
            return use_builtin(c, PURE_BUILTIN_REPR);
        }
    }
    values = is(element, "JoinedStr") ? get(element, "values") : Py_None;
    if (length(values) == 1 && is(item(values, 0), "FormattedValue") &&
        is_name(get(item(values, 0), "value"), name) &&
        get(item(values, 0), "format_spec") == Py_None) {
        long conversion = PyLong_AsLong(get(item(values, 0), "conversion"));

        *ret_how = conversion == 'r' ? PURE_REPR : PURE_FORMAT;
        return conversion == 'r' || conversion == -1;
    }
    return false;
}

/* What is joined: where the items are, and how they are shown. */
static bool join_items(struct compiler *c, PyObject *node, PyObject **ret_items,
                       enum pure_code *ret_how)
{
    PyObject *args = get(node, "args");
    PyObject *generators;
    PyObject *generator;

    if (is_path(c, node)) {
        *ret_items = node;
        *ret_how = PURE_RAW;
        return true;
    }
    if (is_call(node, 2) && is_name(get(node, "func"), "map")) {
        *ret_items = item(args, 1);
        use_builtin(c, PURE_BUILTIN_MAP);
        if (is_name(item(args, 0), "str")) {
            *ret_how = PURE_STR;
            return use_builtin(c, PURE_BUILTIN_STR);
        }
        *ret_how = PURE_REPR;
        return is_name(item(args, 0), "repr") &&
               use_builtin(c, PURE_BUILTIN_REPR);
    }
    if (!is(node, "GeneratorExp") && !is(node, "ListComp")) {
        return false;
    }
    generators = get(node, "generators");
    if (length(generators) != 1) {
        return false;
    }
    generator = item(generators, 0);
    if (length(get(generator, "ifs")) != 0 ||
        PyLong_AsLong(get(generator, "is_async")) != 0 ||
        !is(get(generator, "target"), "Name") ||
        is_name(get(generator, "target"), c->self)) {
        return false;
    }
    *ret_items = get(generator, "iter");
    return element_how(c, get(node, "elt"),
                       chars(get(get(generator, "target"), "id")), ret_how);
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
    if (!join_items(c, node, &items, &how) || !is_path(c, items) ||
        !add_path_op(c, PURE_JOIN, items, text)) {
        return false;
    }
    c->r->ops[c->r->n_ops - 1].how = (uint8_t)how;
    return true;
}

/* ---- expressions that are a str ---- */

static bool call_expr(struct compiler *c, PyObject *node)
{
    PyObject *func = get(node, "func");
    PyObject *arg =
        length(get(node, "args")) ? item(get(node, "args"), 0) : node;

    if (is_call(node, 1) && is_name(func, "repr")) {
        return use_builtin(c, PURE_BUILTIN_REPR) &&
               add_path_op(c, PURE_REPR, arg, "");
    }
    if (is_call(node, 1) && is_name(func, "str")) {
        use_builtin(c, PURE_BUILTIN_STR);
        return is_path(c, arg) ? add_path_op(c, PURE_STR, arg, "")
                               : len_call(c, arg);
    }
    if (!is(func, "Attribute") || !is_str(get(func, "value"))) {
        return false;
    }
    if (strcmp(chars(get(func, "attr")), "format") == 0) {
        return format_call(c, get(get(func, "value"), "value"), node);
    }
    return is_call(node, 1) && strcmp(chars(get(func, "attr")), "join") == 0 &&
           join_call(c, get(get(func, "value"), "value"), arg);
}

/* self.a is None, self.a is not None, self.a, not self.a */
static bool add_test(struct compiler *c, PyObject *test)
{
    enum pure_test how = PURE_IS_TRUE;
    struct pure_op *op;

    if (is(test, "Compare") && length(get(test, "ops")) == 1) {
        PyObject *right = item(get(test, "comparators"), 0);
        PyObject *compare = item(get(test, "ops"), 0);

        if (!is(right, "Constant") || get(right, "value") != Py_None ||
            (!is(compare, "Is") && !is(compare, "IsNot"))) {
            return false;
        }
        how = is(compare, "Is") ? PURE_IS_NONE : PURE_IS_NOT_NONE;
        test = get(test, "left");
    } else if (is(test, "UnaryOp") && is(get(test, "op"), "Not")) {
        how = PURE_IS_FALSE;
        test = get(test, "operand");
    }
    op = add_op(c, PURE_UNLESS);
    if (!op) {
        return false;
    }
    op->how = (uint8_t)how;
    return parse_path(c, test, op);
}

static bool if_expr(struct compiler *c, PyObject *node)
{
    uint16_t test = c->r->n_ops;
    uint16_t jump;

    if (!add_test(c, get(node, "test")) || !text_expr(c, get(node, "body"))) {
        return false;
    }
    jump = c->r->n_ops;
    if (!add_op(c, PURE_JUMP)) {
        return false;
    }
    c->r->ops[test].jump = c->r->n_ops;
    if (!text_expr(c, get(node, "orelse"))) {
        return false;
    }
    c->r->ops[jump].jump = c->r->n_ops;
    return true;
}

static bool text_expr(struct compiler *c, PyObject *node)
{
    enum pure_code class_name;

    if (is_str(node)) {
        return add_constant(c, get(node, "value"));
    }
    if (is(node, "JoinedStr")) {
        return joined_str(c, node);
    }
    if (is(node, "BinOp") && is(get(node, "op"), "Add")) {
        return text_expr(c, get(node, "left")) &&
               text_expr(c, get(node, "right"));
    }
    if (is(node, "BinOp") && is(get(node, "op"), "Mod")) {
        return is_str(get(node, "left")) &&
               percent(c, get(node, "left"), get(node, "right"));
    }
    if (is(node, "IfExp")) {
        return if_expr(c, node);
    }
    if (is(node, "Call")) {
        return call_expr(c, node);
    }
    if (is_class_name(c, node, &class_name)) {
        return add_op(c, class_name) != NULL;
    }
    return is(node, "Attribute") && is_path(c, node) &&
           add_path_op(c, PURE_RAW, node, "");
}

/* ---- finding the method ---- */

/* The definition at the code's line, in these statements; NULL for none. */
static PyObject *find_def(PyObject *body, const PyCodeObject *code,
                          const char **class_name)
{
    static const char *const inner[] = {"body", "orelse", "finalbody",
                                        "handlers"};

    for (Py_ssize_t i = 0; i < length(body); i++) {
        PyObject *node = item(body, i);
        const char *before = *class_name;

        if (is(node, "FunctionDef") &&
            PyLong_AsLong(get(node, "lineno")) == code->co_firstlineno &&
            strcmp(chars(get(node, "name")), chars(code->co_name)) == 0) {
            return node;
        }
        if (is(node, "ClassDef")) {
            *class_name = chars(get(node, "name"));
        }
        for (size_t k = 0; k < ARRAY_LEN(inner); k++) {
            PyObject *found = find_def(get(node, inner[k]), code, class_name);

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

/* One parameter, no decorator, a docstring or not, one return. */
static PyObject *returned(PyObject *def, const char **ret_self)
{
    PyObject *args = get(def, "args");
    PyObject *plain = get(args, "args");
    PyObject *only = get(args, "posonlyargs");
    PyObject *body = get(def, "body");
    Py_ssize_t n = length(body);
    Py_ssize_t first = 0;

    if (length(get(def, "decorator_list")) != 0 ||
        length(plain) + length(only) != 1 ||
        length(get(args, "kwonlyargs")) != 0 ||
        get(args, "vararg") != Py_None || get(args, "kwarg") != Py_None) {
        return NULL;
    }
    *ret_self = chars(get(item(length(plain) ? plain : only, 0), "arg"));
    if (n == 2 && is(item(body, 0), "Expr") &&
        is_str(get(item(body, 0), "value"))) {
        first = 1;
    }
    if (n != first + 1 || !is(item(body, first), "Return")) {
        return NULL;
    }
    return get(item(body, first), "value");
}

void pure_compile(const char *source, PyObject *filename, PyObject *code,
                  struct pure_recipe *recipe)
{
    PyCompilerFlags flags = {.cf_flags = PyCF_ONLY_AST,
                             .cf_feature_version = PY_MINOR_VERSION};
    struct compiler c = {.r = recipe, .code = code, .class_name = ""};
    PyObject *free_names = PyObject_GetAttrString(code, "co_freevars");
    PyObject *tree;
    PyObject *whole;
    PyObject *def;
    PyObject *expression;

    tree = Py_CompileStringObject(source, filename, Py_file_input, &flags, -1);
    whole = Py_CompileStringObject(source, filename, Py_file_input, NULL, -1);
    if (!tree || !whole || !free_names || PyTuple_GET_SIZE(free_names) != 0 ||
        !is_compiled_from(whole, code)) {
        PyErr_Clear();
        return;
    }
    def = find_def(get(tree, "body"), (PyCodeObject *)code, &c.class_name);
    expression = def ? returned(def, &c.self) : NULL;
    if (expression && expression != Py_None && text_expr(&c, expression)) {
        recipe->ops[recipe->n_ops++].code = PURE_END;
        recipe->is_pure = 1;
    }
    PyErr_Clear();
}
