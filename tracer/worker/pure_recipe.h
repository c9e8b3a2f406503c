/* SPDX-License-Identifier: MIT */
/*
 * pure_recipe.h -- a __repr__ or __str__ as a list of steps.  Internal to
 * pure_*.c.
 *
 * Format: fixed arrays, so that it can be handed over in shared memory.  Every
 * text lies in `pool`, NUL-terminated, and is named by its offset there.
 */
#ifndef TRACER_WORKER_PURE_RECIPE_H
#define TRACER_WORKER_PURE_RECIPE_H

#include <Python.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Methods that need more are contained; what classes define is far below. */
#define PURE_MAX_OPS    128
#define PURE_MAX_NAMES  32
#define PURE_MAX_PATH   4
#define PURE_POOL_BYTES 4096
#define PURE_MAX_VARS   8
#define PURE_MAX_LOOPS  4

/* As a path's root; others are variables. */
#define PURE_SELF 0xFF

enum pure_code {
    PURE_END,
    PURE_TEXT,       /* text */
    PURE_REPR,       /* repr(path) */
    PURE_STR,        /* str(path) */
    PURE_RAW,        /* path, which must be an exact str */
    PURE_FORMAT,     /* format(path, text) */
    PURE_INT,        /* path, which must be an exact int */
    PURE_NUMBER,     /* format(path, text) of an exact int or float */
    PURE_CLASS_NAME, /* type(self).__name__ */
    PURE_CLASS_QUALNAME,
    PURE_LEN,    /* len(path) */
    PURE_JOIN,   /* text.join(item as `how` says, for each of path) */
    PURE_UNLESS, /* go to `jump` unless path is as `test` says */
    PURE_JUMP,
    PURE_SET,      /* variable `how` = path */
    PURE_SEPARATE, /* text, but for the first time */
    PURE_FOR,      /* begin loop `how` over path, items as `test` says */
    PURE_NEXT,     /* variable `var` (and the next) = item; `jump` at its end */
    PURE_GIVE_UP,  /* what comes now may have effects */
};

enum pure_items {
    PURE_ITEMS,       /* of a list or tuple, keys of a dict */
    PURE_DICT_KEYS,   /* d.keys() */
    PURE_DICT_VALUES, /* d.values() */
    PURE_DICT_ITEMS,  /* d.items(), into two variables */
};

enum pure_test {
    PURE_IS_NONE,
    PURE_IS_NOT_NONE,
    PURE_IS_TRUE,
    PURE_IS_FALSE,
};

/* Globals that must be what builtins has under their names. */
#define PURE_BUILTIN_TABLE(X)                                                  \
    X(STR, "str")                                                              \
    X(REPR, "repr")                                                            \
    X(LEN, "len")                                                              \
    X(TYPE, "type")                                                            \
    X(MAP, "map")

enum pure_builtin {
#define PURE_BUILTIN_ENUM(id, name) PURE_BUILTIN_##id,
    PURE_BUILTIN_TABLE(PURE_BUILTIN_ENUM)
#undef PURE_BUILTIN_ENUM
        PURE_N_BUILTINS
};

struct pure_op {
    uint8_t code;  /* enum pure_code */
    uint8_t how;   /* JOIN: enum pure_code; UNLESS: enum pure_test; SET: a
                      variable; FOR, NEXT: a loop */
    uint8_t items; /* FOR: enum pure_items */
    uint8_t var;   /* NEXT: the first variable */
    uint8_t root;  /* of the path: PURE_SELF or a variable */
    uint8_t n_path;
    bool no_tuple;               /* "..." % path, where a tuple has its own */
    uint8_t path[PURE_MAX_PATH]; /* names, from the root on */
    uint16_t text;               /* offset in the pool */
    uint16_t text_len;           /* bytes */
    uint16_t jump;               /* an op */
};

struct pure_recipe {
    uint32_t is_pure;  /* 0: the method cannot be shown free of effects */
    uint32_t builtins; /* used: 1u << enum pure_builtin */
    uint16_t n_ops;
    uint16_t n_names;
    bool has_state; /* variables, loops or parts */
    uint16_t pool_len;
    struct pure_op ops[PURE_MAX_OPS];
    uint16_t names[PURE_MAX_NAMES]; /* offsets in the pool */
    char pool[PURE_POOL_BYTES];
};

/*
 * In a scratch process (it leaves garbage behind, and parses): fill *recipe,
 * zeroed, from the definition of `code` in the program's text.
 */
void pure_compile(const char *source, size_t source_len, PyObject *filename,
                  PyObject *code, struct pure_recipe *recipe);

#endif /* TRACER_WORKER_PURE_RECIPE_H */
