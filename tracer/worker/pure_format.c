/* SPDX-License-Identifier: MIT */
/*
 * pure_format.c -- see pure_compiler.h: f"...", "..." % ... and
 * "...".format(...) as steps of a recipe.
 */
#include "tracer/worker/pure_compiler.h"

#include <string.h>

/* ---- values inside a format ---- */

/* len(self.a) */
bool pure__len_call(struct compiler *c, PyObject *node)
{
    return pure__is_call(node, 1) &&
           pure__is_name(pure__get(node, "func"), "len") &&
           pure__is_path(c, pure__item(pure__get(node, "args"), 0)) &&
           pure__use_builtin(c, PURE_BUILTIN_LEN) &&
           pure__add_path_op(c, PURE_LEN,
                             pure__item(pure__get(node, "args"), 0), "");
}

/*
 * A value that is put into a text: conversion 'r', 's', or 0 for format() with
 * this format.
 */
bool pure__put_value(struct compiler *c, PyObject *node, int conversion,
                     const char *format)
{
    enum pure_code class_name;

    if (pure__is_class_name(c, node, &class_name)) {
        return conversion != 'r' && *format == '\0' &&
               pure__add_op(c, class_name);
    }
    if (pure__is_path(c, node)) {
        if (conversion == 'r') {
            return *format == '\0' && pure__add_path_op(c, PURE_REPR, node, "");
        }
        if (conversion == 's') {
            return *format == '\0' && pure__add_path_op(c, PURE_STR, node, "");
        }
        return pure__add_path_op(c, PURE_FORMAT, node, format);
    }
    if (*format != '\0') {
        return false;
    }
    if (pure__is(node, "Call") &&
        pure__is_name(pure__get(node, "func"), "len")) {
        return pure__len_call(c, node);
    }
    return conversion != 'r' && pure__text_expr(c, node);
}

/* ---- f"..." ---- */

/* A constant format, or none; NULL for others. */
static const char *constant_format(PyObject *spec)
{
    PyObject *values;

    if (spec == Py_None) {
        return "";
    }
    values = pure__get(spec, "values");
    if (!pure__is(spec, "JoinedStr") || pure__length(values) > 1) {
        return NULL;
    }
    if (pure__length(values) == 0) {
        return "";
    }
    return pure__is_str(pure__item(values, 0))
               ? pure__chars(pure__get(pure__item(values, 0), "value"))
               : NULL;
}

bool pure__joined_part(struct compiler *c, PyObject *part)
{
    const char *format;
    long conversion;

    if (pure__is_str(part)) {
        return pure__add_constant(c, pure__get(part, "value"));
    }
    if (!pure__is(part, "FormattedValue")) {
        return false;
    }
    format = constant_format(pure__get(part, "format_spec"));
    conversion = PyLong_AsLong(pure__get(part, "conversion"));
    if (!format ||
        (conversion != -1 && conversion != 'r' && conversion != 's')) {
        return false;
    }
    return pure__put_value(c, pure__get(part, "value"),
                           conversion == -1 ? 0 : (int)conversion, format);
}

bool pure__joined_str(struct compiler *c, PyObject *node)
{
    PyObject *values = pure__get(node, "values");

    for (Py_ssize_t i = 0; i < pure__length(values); i++) {
        if (!pure__joined_part(c, pure__item(values, i))) {
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
        ok = pure__put_value(c, node, **at, "");
        (*at)++;
        break;
    case 'd':
    case 'i':
        (*at)++;
        ok = pure__is_path(c, node) ? pure__add_path_op(c, PURE_INT, node, "")
                                    : pure__len_call(c, node);
        break;
    case '.':
        if ((*at)[1] < '0' || (*at)[1] > '9' || (*at)[2] != 'f') {
            return false;
        }
        memcpy(format, *at, 3);
        *at += 3;
        ok = pure__is_path(c, node) &&
             pure__add_path_op(c, PURE_NUMBER, node, format);
        break;
    default:
        return false;
    }
    if (ok && is_only && pure__is_path(c, node)) {
        c->r->ops[first].no_tuple = true;
    }
    return ok;
}

bool pure__percent(struct compiler *c, PyObject *left, PyObject *right)
{
    Py_ssize_t len;
    const char *at = PyUnicode_AsUTF8AndSize(pure__get(left, "value"), &len);
    bool is_tuple = pure__is(right, "Tuple");
    PyObject *elements = is_tuple ? pure__get(right, "elts") : Py_None;
    Py_ssize_t n_values = is_tuple ? pure__length(elements) : 1;
    Py_ssize_t n_used = 0;

    if (!at || strlen(at) != (size_t)len) {
        PyErr_Clear();
        return false;
    }
    while (*at) {
        size_t run = strcspn(at, "%");

        if (!pure__add_text(c, at, run)) {
            return false;
        }
        at += run;
        if (at[0] == '%' && at[1] == '%') {
            if (!pure__add_text(c, "%", 1)) {
                return false;
            }
            at += 2;
        } else if (*at == '%') {
            PyObject *node = is_tuple && n_used < n_values
                                 ? pure__item(elements, n_used)
                                 : right;

            at++;
            if (n_used++ >= n_values || pure__is(node, "Starred") ||
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
    PyObject *args = pure__get(call, "args");
    PyObject *keywords = pure__get(call, "keywords");
    Py_ssize_t at = -1;

    if (len == 0) {
        at = (*next)++;
    } else if (len == 1 && *name >= '0' && *name <= '9') {
        at = *name - '0';
    }
    if (at >= 0) {
        if (at >= pure__length(args) || at >= 16 ||
            pure__is(pure__item(args, at), "Starred")) {
            return NULL;
        }
        *used |= 1u << at;
        return pure__item(args, at);
    }
    for (Py_ssize_t i = 0; i < pure__length(keywords) && i < 16; i++) {
        const char *keyword =
            pure__chars(pure__get(pure__item(keywords, i), "arg"));

        if (strlen(keyword) == len && memcmp(keyword, name, len) == 0) {
            *used |= 1u << (16 + i);
            return pure__get(pure__item(keywords, i), "value");
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
    char conversion = 0;
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
    return argument && pure__put_value(c, argument, conversion, format);
}

bool pure__format_call(struct compiler *c, PyObject *template, PyObject *call)
{
    Py_ssize_t len;
    const char *at = PyUnicode_AsUTF8AndSize(template, &len);
    Py_ssize_t n_args = pure__length(pure__get(call, "args"));
    Py_ssize_t n_keywords = pure__length(pure__get(call, "keywords"));
    Py_ssize_t next = 0;
    uint32_t used = 0;
    uint32_t want;

    if (!at || strlen(at) != (size_t)len || n_args > 9 || n_keywords > 9) {
        PyErr_Clear();
        return false;
    }
    while (*at) {
        size_t run = strcspn(at, "{}");

        if (!pure__add_text(c, at, run)) {
            return false;
        }
        at += run;
        if (*at && at[0] == at[1]) {
            if (!pure__add_text(c, at, 1)) {
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
