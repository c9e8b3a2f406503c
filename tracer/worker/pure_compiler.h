/* SPDX-License-Identifier: MIT */
/*
 * pure_compiler.h -- the parts of the compiler of recipes: shared by
 * pure_tree.c, pure_format.c, pure_compile.c and pure_body.c only.
 *
 * Functions that write steps return false for what no step can do; the steps
 * that they wrote so far are then to be dropped.
 */
#ifndef TRACER_WORKER_PURE_COMPILER_H
#define TRACER_WORKER_PURE_COMPILER_H

#include "tracer/worker/pure_recipe.h"

struct compiler {
    struct pure_recipe *r;  /* borrowed */
    PyObject *code;         /* borrowed: the method's */
    const char *self;       /* borrowed: its parameter's name */
    const char *class_name; /* borrowed: of the class round it, "" for none */
    bool self_only;         /* variables must not be read */
    size_t n_vars;
    const char *vars[PURE_MAX_VARS]; /* borrowed: names of variables */
};

/* Jumps to a place that is not known yet. */
struct pure_jumps {
    size_t n;
    uint16_t ops[PURE_MAX_OPS];
};

/* ---- reading the tree (pure_tree.c); all borrowed ---- */

/* A field of a node; None where there is none. */
PyObject *pure__get(PyObject *node, const char *field);
bool pure__is(PyObject *node, const char *kind);
/* The characters of a str; "" for anything else, which no name is. */
const char *pure__chars(PyObject *s);
Py_ssize_t pure__length(PyObject *list);
PyObject *pure__item(PyObject *list, Py_ssize_t i);
bool pure__is_name(PyObject *node, const char *name);
bool pure__is_str(PyObject *node);
/* A call with this many positional arguments and no others. */
bool pure__is_call(PyObject *node, Py_ssize_t n_args);

/* ---- writing the recipe (pure_tree.c) ---- */

/* Offset of a copy of the text in the pool; false when it is full. */
bool pure__pool_add(struct pure_recipe *r, const char *text, size_t len,
                    uint16_t *ret_at);
struct pure_op *pure__add_op(struct compiler *c, enum pure_code code);
bool pure__add_text(struct compiler *c, const char *text, size_t len);
bool pure__add_constant(struct compiler *c, PyObject *s);
/* False when a variable of the method hides it. */
bool pure__use_builtin(struct compiler *c, enum pure_builtin builtin);
bool pure__is_local(const struct compiler *c, const char *name);
/* The variable's number; -1 for none. */
int pure__find_var(const struct compiler *c, const char *name);
bool pure__parse_path(struct compiler *c, PyObject *node, struct pure_op *op);
bool pure__is_path(const struct compiler *c, PyObject *node);
bool pure__add_path_op(struct compiler *c, enum pure_code code, PyObject *node,
                       const char *format);
/* type(self).__name__, self.__class__.__name__ and their like. */
bool pure__is_class_name(struct compiler *c, PyObject *node,
                         enum pure_code *ret_code);

/* ---- expressions that are a str ---- */

/* pure_format.c */
bool pure__len_call(struct compiler *c, PyObject *node);
/*
 * A value that is put into a text: conversion 'r', 's', or 0 for format() with
 * this format.
 */
bool pure__put_value(struct compiler *c, PyObject *node, int conversion,
                     const char *format);
/* One element of an f-string. */
bool pure__joined_part(struct compiler *c, PyObject *part);
bool pure__joined_str(struct compiler *c, PyObject *node);
bool pure__percent(struct compiler *c, PyObject *left, PyObject *right);
bool pure__format_call(struct compiler *c, PyObject *template, PyObject *call);

/* pure_compile.c */
bool pure__text_expr(struct compiler *c, PyObject *node);
/* Jump when the truth of the test is `when`, else go on. */
bool pure__branch(struct compiler *c, PyObject *test, bool when,
                  struct pure_jumps *jumps);
/* The jumps lead to the next op. */
void pure__land(struct compiler *c, const struct pure_jumps *jumps);

/* ---- statements (pure_body.c) ---- */

/* False when the body is never free of effects. */
bool pure__body(struct compiler *c, PyObject *body);

#endif /* TRACER_WORKER_PURE_COMPILER_H */
