/* SPDX-License-Identifier: MIT */
/*
 * pure_method.h -- methods and their recipes: shared by pure_repr.c and
 * pure_run.c only.
 */
#ifndef TRACER_WORKER_PURE_METHOD_H
#define TRACER_WORKER_PURE_METHOD_H

#include "tracer/worker/pure_recipe.h"
#include "tracer/worker/value_walk.h"

/* Methods of one program; a program with more has them contained. */
#define MAX_METHODS 64
/* Recipes with variables that may be followed inside one another. */
#define MAX_STATES 512

/* A method that was looked at. */
struct method {
    /* What it is known by: addresses, and a line. */
    const PyCodeObject *code;
    const PyObject *consts;
    const PyObject *code_names;
    int line;
    struct pure_recipe *recipe;      /* owned; NULL: not pure */
    PyObject *names[PURE_MAX_NAMES]; /* owned, interned */
    PyObject *formats[PURE_MAX_OPS]; /* owned; NULL for ops without */
};

/* Where a recipe with variables or loops is; one at each of its levels. */
struct pure_state {
    bool has_part;                  /* SEPARATE: the first part is written */
    PyObject *vars[PURE_MAX_VARS];  /* borrowed; NULL: not bound */
    PyObject *over[PURE_MAX_LOOPS]; /* borrowed */
    Py_ssize_t at[PURE_MAX_LOOPS];
};

struct pure_repr {
    const char *source; /* borrowed */
    size_t source_len;
    PyObject *filename;    /* borrowed */
    PyObject *name_repr;   /* owned */
    PyObject *name_str;    /* owned */
    PyObject *name_format; /* owned */
    /* What the builtins' names stand for; owned. */
    PyObject *builtins[PURE_N_BUILTINS];
    struct pure_recipe *area; /* owned: shared memory */
    size_t n_methods;
    struct method methods[MAX_METHODS];
    uint32_t jumps_left; /* of this value */
    struct pure_state states[MAX_STATES];
};

/*
 * Follow the recipe of the function `method` (NULL: none); false when it has
 * none that holds now (pure_repr.c).
 */
bool pure__open_method(struct value_writer *w, PyObject *value,
                       PyObject *method);
/* Follow this recipe (pure_run.c). */
void pure__run(struct value_writer *w, PyObject *value, struct method *m);

#endif /* TRACER_WORKER_PURE_METHOD_H */
