/* SPDX-License-Identifier: MIT */
/*
 * pure_tree.c -- see pure_compiler.h: reading a syntax tree, writing a recipe,
 * names and paths.
 */
#include "tracer/worker/pure_compiler.h"

#include <stdio.h>
#include <string.h>

#include "tracer/worker/value_compat.h"

/* ---- reading the tree ---- */

/* A field of a node; None where there is none. */
PyObject *pure__get(PyObject *node, const char *field)
{
    PyObject *value = PyObject_GetAttrString(node, field);

    if (!value) {
        PyErr_Clear();
        return Py_None;
    }
    return value;
}

bool pure__is(PyObject *node, const char *kind)
{
    return strcmp(Py_TYPE(node)->tp_name, kind) == 0 ||
           (strncmp(Py_TYPE(node)->tp_name, "ast.", 4) == 0 &&
            strcmp(Py_TYPE(node)->tp_name + 4, kind) == 0);
}

/* The characters of a str; "" for anything else, which no name is. */
const char *pure__chars(PyObject *s)
{
    const char *text = PyUnicode_Check(s) ? PyUnicode_AsUTF8(s) : NULL;

    if (!text) {
        PyErr_Clear();
    }
    return text ? text : "";
}

Py_ssize_t pure__length(PyObject *list)
{
    return PyList_Check(list) ? PyList_GET_SIZE(list) : 0;
}

PyObject *pure__item(PyObject *list, Py_ssize_t i)
{
    return PyList_GET_ITEM(list, i);
}

bool pure__is_name(PyObject *node, const char *name)
{
    return pure__is(node, "Name") &&
           strcmp(pure__chars(pure__get(node, "id")), name) == 0;
}

bool pure__is_str(PyObject *node)
{
    return pure__is(node, "Constant") &&
           PyUnicode_CheckExact(pure__get(node, "value"));
}

/* A call with this many positional arguments and no others. */
bool pure__is_call(PyObject *node, Py_ssize_t n_args)
{
    PyObject *args = pure__get(node, "args");

    if (!pure__is(node, "Call") || pure__length(args) != n_args ||
        pure__length(pure__get(node, "keywords")) != 0) {
        return false;
    }
    return n_args == 0 || !pure__is(pure__item(args, 0), "Starred");
}

/* ---- writing the recipe ---- */

/* Offset of a copy of the text in the pool; false when it is full. */
bool pure__pool_add(struct pure_recipe *r, const char *text, size_t len,
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

struct pure_op *pure__add_op(struct compiler *c, enum pure_code code)
{
    struct pure_op *op;

    /* The last one is for PURE_END. */
    if (c->r->n_ops >= PURE_MAX_OPS - 1) {
        return NULL;
    }
    op = &c->r->ops[c->r->n_ops++];
    memset(op, 0, sizeof(*op));
    op->code = (uint8_t)code;
    op->root = PURE_SELF;
    c->r->has_state |=
        code == PURE_SET || code == PURE_FOR || code == PURE_SEPARATE;
    return op;
}

bool pure__add_text(struct compiler *c, const char *text, size_t len)
{
    struct pure_op *op;

    if (len == 0) {
        return true;
    }
    op = pure__add_op(c, PURE_TEXT);
    if (!op || !pure__pool_add(c->r, text, len, &op->text)) {
        return false;
    }
    op->text_len = (uint16_t)len;
    return true;
}

bool pure__add_constant(struct compiler *c, PyObject *s)
{
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(s, &len);

    if (!text) { /* surrogates */
        PyErr_Clear();
        return false;
    }
    return pure__add_text(c, text, (size_t)len);
}

bool pure__is_local(const struct compiler *c, const char *name)
{
    static const char *const kinds[] = {"co_varnames", "co_cellvars"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        PyObject *names = pure__get(c->code, kinds[i]);

        for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(names); k++) {
            if (strcmp(pure__chars(PyTuple_GET_ITEM(names, k)), name) == 0) {
                return true;
            }
        }
    }
    return false;
}

int pure__find_var(const struct compiler *c, const char *name)
{
    for (size_t i = 0; i < c->n_vars && !c->self_only; i++) {
        if (strcmp(c->vars[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool pure__use_builtin(struct compiler *c, enum pure_builtin builtin)
{
    static const char *const builtin_names[PURE_N_BUILTINS] = {
#define BUILTIN_NAME(id, name) name,
        PURE_BUILTIN_TABLE(BUILTIN_NAME)
#undef BUILTIN_NAME
    };

    c->r->builtins |= 1u << builtin;
    return !pure__is_local(c, builtin_names[builtin]);
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
        if (strcmp(pure__chars(PyTuple_GET_ITEM(names, i)), name) == 0) {
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
    for (uint16_t i = 0; i < r->n_names; i++) {
        if (strcmp(r->pool + r->names[i], name) == 0) {
            *ret_index = (uint8_t)i;
            return true;
        }
    }
    if (r->n_names == PURE_MAX_NAMES ||
        !pure__pool_add(r, name, strlen(name), &r->names[r->n_names])) {
        return false;
    }
    *ret_index = (uint8_t)r->n_names++;
    return true;
}

/* self, self.a, self.a.b, ..., and a variable likewise */
bool pure__parse_path(struct compiler *c, PyObject *node, struct pure_op *op)
{
    PyObject *attrs[PURE_MAX_PATH];
    uint8_t n = 0;

    while (pure__is(node, "Attribute")) {
        if (n == PURE_MAX_PATH) {
            return false;
        }
        attrs[n++] = pure__get(node, "attr");
        node = pure__get(node, "value");
    }
    if (!pure__is_path(c, node)) {
        return false;
    }
    op->root =
        pure__is_name(node, c->self)
            ? PURE_SELF
            : (uint8_t)pure__find_var(c, pure__chars(pure__get(node, "id")));
    op->n_path = n;
    for (uint8_t i = 0; i < n; i++) {
        if (!name_index(c, pure__chars(attrs[n - 1 - i]), &op->path[i])) {
            return false;
        }
    }
    return true;
}

bool pure__is_path(const struct compiler *c, PyObject *node)
{
    while (pure__is(node, "Attribute")) {
        node = pure__get(node, "value");
    }
    return pure__is(node, "Name") &&
           (pure__is_name(node, c->self) ||
            pure__find_var(c, pure__chars(pure__get(node, "id"))) >= 0);
}

/* One op with a path and, where it has one, a format. */
bool pure__add_path_op(struct compiler *c, enum pure_code code, PyObject *node,
                       const char *format)
{
    struct pure_op *op = pure__add_op(c, code);

    if (!op || !pure__parse_path(c, node, op)) {
        return false;
    }
    op->text_len = (uint16_t)strlen(format);
    return pure__pool_add(c->r, format, strlen(format), &op->text);
}

/* type(self).__name__, self.__class__.__name__ and their like. */
bool pure__is_class_name(struct compiler *c, PyObject *node,
                         enum pure_code *ret_code)
{
    PyObject *of;
    const char *attr;

    if (!pure__is(node, "Attribute")) {
        return false;
    }
    attr = pure__chars(pure__get(node, "attr"));
    of = pure__get(node, "value");
    if (strcmp(attr, "__name__") == 0) {
        *ret_code = PURE_CLASS_NAME;
    } else if (strcmp(attr, "__qualname__") == 0) {
        *ret_code = PURE_CLASS_QUALNAME;
    } else {
        return false;
    }
    if (pure__is_call(of, 1) && pure__is_name(pure__get(of, "func"), "type") &&
        pure__is_name(pure__item(pure__get(of, "args"), 0), c->self)) {
        return pure__use_builtin(c, PURE_BUILTIN_TYPE);
    }
    return pure__is(of, "Attribute") &&
           strcmp(pure__chars(pure__get(of, "attr")), "__class__") == 0 &&
           pure__is_name(pure__get(of, "value"), c->self);
}
