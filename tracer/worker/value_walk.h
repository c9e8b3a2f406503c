/* SPDX-License-Identifier: MIT */
/*
 * value_walk.h -- the walk over a value: shared by value*.c, pure_repr.c and
 * contain.c only.
 *
 * The walk keeps a stack of its own (struct value_frame), so its C stack does
 * not grow with the value's depth.  value_open() either writes an object's
 * whole text or pushes a frame; a frame's step writes up to its next child and
 * returns it (borrowed), or writes its end, pops and returns NULL.
 *
 * No code of the program runs during a walk, so borrowed references stay good
 * -- but in a scratch process (w->is_scratch), where objects that cannot be
 * written from memory are asked for their repr(); everything that the walk
 * holds is then kept alive by a reference that is never given back.
 *
 * The first failure ends the walk: `status` tells it.
 */
#ifndef TRACER_WORKER_VALUE_WALK_H
#define TRACER_WORKER_VALUE_WALK_H

#include "tracer/worker/value_text.h"

struct contain;       /* opaque: contain.c */
struct pure_repr;     /* opaque: pure_repr.c */
struct value_library; /* opaque: value_library.c */

enum value_status {
    VALUE_GOING,
    VALUE_FAILED, /* repr() of it raises */
    VALUE_UNSAFE, /* only a scratch process may know */
};

struct value_frame;
struct value_writer;

/* Writes up to the next child; NULL when the frame is done (and popped). */
typedef PyObject *(*value_step_fn)(struct value_writer *w,
                                   struct value_frame *f);
/* Writes the object's text or pushes a frame for it. */
typedef void (*value_open_fn)(struct value_writer *w, PyObject *value);

struct value_frame {
    PyObject *object; /* borrowed */
    value_step_fn step;
    Py_ssize_t at;   /* index, or position of PyDict_Next() */
    PyObject *one;   /* per step; borrowed */
    PyObject *two;   /* per step; borrowed */
    void *data;      /* per step; borrowed */
    uint32_t state;  /* per step; 0 at first */
    uint16_t cost;   /* levels of repr()'s recursion that it takes */
    bool is_guarded; /* repr() marks it as being written (Py_ReprEnter) */
};

/* How the values of one tp_repr are written. */
struct value_kind {
    reprfunc repr; /* NULL: slot not in use */
    value_open_fn open;
};

/* Levels of repr()'s recursion that a Python function takes. */
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000
#define VALUE_PYTHON_LEVELS 2
#else
#define VALUE_PYTHON_LEVELS 1
#endif

#define VALUE_KIND_SLOTS 256 /* about 80 are in use */

struct value_writer {
    struct value_out out;
    enum value_status status;
    bool is_scratch;
    uint32_t depth;     /* levels of repr()'s recursion in use */
    uint32_t depth_max; /* what an interpreter with a bare stack allows */
    struct value_frame *frames; /* owned */
    size_t n_frames;
    size_t n_states; /* recipes with variables or loops among the frames */
    size_t frames_capacity;
    size_t max_bytes;
    struct value_kind kinds[VALUE_KIND_SLOTS];
    reprfunc slot_repr;      /* tp_repr of classes with a __repr__ in Python */
    struct contain *contain; /* owned; NULL: cannot be had */
    struct pure_repr *pure_repr;   /* owned; NULL: cannot be had */
    struct value_library *library; /* owned; NULL: cannot be had */
    struct value_float_cache floats;
};

/* ---- the walk (value.c) ---- */

/*
 * Push a frame for `object`; NULL with status set when the value is too deep
 * or memory is short.  The frame is all zero but for object, step and cost.
 */
struct value_frame *value_push(struct value_writer *w, PyObject *object,
                               value_step_fn step, uint16_t cost);
/* Pop the top frame; always NULL, for a step's last statement. */
PyObject *value_pop(struct value_writer *w);
/* As repr() does for a container: true when it is being written already. */
bool value_is_open(struct value_writer *w, PyObject *object);
void value_open(struct value_writer *w, PyObject *value);
/* ... of types that have the built-in type's tp_repr. */
void value_open_list(struct value_writer *w, PyObject *value);
void value_open_tuple(struct value_writer *w, PyObject *value);
void value_open_dict(struct value_writer *w, PyObject *value);
void value_open_set(struct value_writer *w, PyObject *value);
/* A dict's text in braces; `cost` as for value_push(). */
void value_open_dict_body(struct value_writer *w, PyObject *value,
                          uint16_t cost);
/* A frame with one child and a literal text behind it (static). */
void value_push_one(struct value_writer *w, PyObject *value, PyObject *child,
                    const char *tail);
/* Begin a text of w->max_bytes at `dst`. */
void value_start(struct value_writer *w, uint8_t *dst);
/* Writes all of `value`, down to the end of the frames it pushed. */
void value_walk(struct value_writer *w, PyObject *value);
/* The base type that brought in the type's tp_repr. */
PyTypeObject *value_repr_owner(PyTypeObject *type);

static inline void value_fail(struct value_writer *w, enum value_status status)
{
    if (w->status == VALUE_GOING) {
        w->status = status;
    }
}

static inline bool value_stopped(const struct value_writer *w)
{
    return w->status != VALUE_GOING || w->out.full;
}

/* In a scratch process: keep what the program's code could let go. */
static inline PyObject *value_keep(const struct value_writer *w,
                                   PyObject *value)
{
    if (w->is_scratch) {
        Py_XINCREF(value);
    }
    return value;
}

/*
 * The exact types that make up most values; false, and nothing written, for
 * all others.
 */
static inline bool value_put_scalar(struct value_writer *w, PyObject *value)
{
    const PyTypeObject *type = Py_TYPE(value);

    if (type == &PyLong_Type) {
        uint64_t magnitude;
        bool negative;

        if (!compat_long_small(value, &magnitude, &negative)) {
            return false;
        }
        value_put_u64(&w->out, magnitude, negative);
        return true;
    }
    if (type == &PyUnicode_Type) {
        return value_put_str(&w->out, value);
    }
    if (type == &PyFloat_Type) {
        value_put_float(&w->out, &w->floats, PyFloat_AS_DOUBLE(value));
        return true;
    }
    if (value == Py_None) {
        value_put(&w->out, "None", 4);
        return true;
    }
    if (type == &PyBool_Type) {
        if (value == Py_True) {
            value_put(&w->out, "True", 4);
        } else {
            value_put(&w->out, "False", 5);
        }
        return true;
    }
    return false;
}

/* Up to three children between "(", which is written, and ")". */
void value_push_three(struct value_writer *w, PyObject *value, uint16_t cost,
                      PyObject *first, PyObject *second, PyObject *third);

/* ---- reprs of the standard library in Python (value_library.c) ---- */

/* What the modules that are there define now, before the program runs. */
struct value_library *value_library_new(void);
void value_library_free(struct value_library *l); /* NULL is fine */
/*
 * When `function`, the __repr__ of the value's class, is one of the library's
 * that is known: opens the value and returns true.
 */
bool value_library_open(struct value_writer *w, PyObject *value,
                        PyFunctionObject *function);

/* ---- names of types (value_names.c) ---- */

/* type(v).__name__ as a metaclass of the program cannot change it. */
void value_put_type_name(struct value_out *o, const PyTypeObject *type);
/* tp_name, as C code prints it; all of it, or behind the last dot. */
void value_put_tp_name(struct value_out *o, const PyTypeObject *type);
void value_put_short_tp_name(struct value_out *o, const PyTypeObject *type);
/* "module.qualname", or tp_name where object.__repr__ takes that. */
void value_put_full_name(struct value_writer *w, PyTypeObject *type);
/* The characters of a str as they are; other objects fail the walk. */
void value_put_raw_str(struct value_writer *w, PyObject *s);
/* ... less addresses. */
void value_put_str_less_addresses(struct value_writer *w, PyObject *s);
/*
 * The value of the key that is a str with these characters, without any
 * hashing or comparing that could run code of the program; borrowed, NULL
 * when there is none.  dict: a dict.
 */
PyObject *value_dict_get(PyObject *dict, const char *name);

/* ---- kinds (value_kinds.c, value_more.c) ---- */

void value_kinds_init(struct value_writer *w);
void value_kind_add(struct value_writer *w, reprfunc repr, value_open_fn open);
/* NULL when it is of no known kind. */
value_open_fn value_kind_find(const struct value_writer *w, reprfunc repr);
/*
 * For a tp_repr that is not known yet: the types of extension modules, by the
 * name of the C type that brought it in.  NULL when nothing is known of it.
 */
value_open_fn value_kind_learn(struct value_writer *w, PyTypeObject *type);
void value_more_init(struct value_writer *w);
/* By the C type's name; NULL for none (value_collections.c). */
value_open_fn value_collections_find(const char *name);
/* Calls a tp_repr that runs C code only and makes nothing but strings. */
void value_open_leaf(struct value_writer *w, PyObject *value);
/* ... that may make other objects too, and call repr() on built-in types. */
void value_open_held(struct value_writer *w, PyObject *value);
/* Offset of a member that holds an object, by its name; -1 for none. */
Py_ssize_t value_member_offset(const PyTypeObject *type, const char *name);
/* What lies there; borrowed, may be NULL. */
static inline PyObject *value_member(PyObject *object, Py_ssize_t offset)
{
    PyObject *member = NULL;

    if (offset > 0) {
        memcpy(&member, (const char *)object + offset, sizeof(member));
    }
    return member;
}

#endif /* TRACER_WORKER_VALUE_WALK_H */
