/* SPDX-License-Identifier: MIT */
/*
 * value_kinds.c -- which tp_repr is known, and the kinds of the interpreter's
 * core.
 *
 * A value is told by its type's tp_repr, not by the type: a subclass that
 * keeps the tp_repr of a built-in type is written as repr() would write it,
 * and nothing that the program can do gives a type a tp_repr of C code that
 * was made for another layout.
 */
#include "tracer/worker/contain.h"
#include "tracer/worker/value_hold.h"
#include "tracer/worker/value_walk.h"

/* ---- the table ---- */

static size_t slot_of(reprfunc repr)
{
    uint64_t bits = (uint64_t)(uintptr_t)repr;

    return (size_t)((bits * UINT64_C(0x9E3779B97F4A7C15)) >> 56);
}

_Static_assert(VALUE_KIND_SLOTS == 256, "slot_of() gives eight bits");

value_open_fn value_kind_find(const struct value_writer *w, reprfunc repr)
{
    size_t i = slot_of(repr);

    while (w->kinds[i].repr && w->kinds[i].repr != repr) {
        i = (i + 1) % VALUE_KIND_SLOTS;
    }
    return w->kinds[i].repr ? w->kinds[i].open : NULL;
}

/* The first to say wins. */
void value_kind_add(struct value_writer *w, reprfunc repr, value_open_fn open)
{
    size_t i = slot_of(repr);

    if (!repr || repr == w->slot_repr) {
        return;
    }
    for (size_t n = 0; n < VALUE_KIND_SLOTS - 1; n++) {
        if (w->kinds[i].repr == repr) {
            return;
        }
        if (!w->kinds[i].repr) {
            w->kinds[i].repr = repr;
            w->kinds[i].open = open;
            return;
        }
        i = (i + 1) % VALUE_KIND_SLOTS;
    }
}

Py_ssize_t value_member_offset(const PyTypeObject *type, const char *name)
{
    const PyMemberDef *m = type->tp_members;

    for (; m && m->name; m++) {
        /* 6 and 16: T_OBJECT and T_OBJECT_EX, whatever the header calls them */
        if ((m->type == 6 || m->type == 16) && strcmp(m->name, name) == 0) {
            return m->offset;
        }
    }
    return -1;
}

/* ---- leaves ---- */

/* Steals text; NULL is a repr() that raised. */
static void put_leaf(struct value_writer *w, PyObject *text)
{
    if (!text) {
        PyErr_Clear();
        value_fail(w, VALUE_FAILED);
        return;
    }
    value_put_str_less_addresses(w, text);
    Py_DECREF(text);
}

void value_open_leaf(struct value_writer *w, PyObject *value)
{
    put_leaf(w, Py_TYPE(value)->tp_repr(value));
}

void value_open_held(struct value_writer *w, PyObject *value)
{
    struct value_hold hold;

    value_hold_begin(&hold, w->depth);
    put_leaf(w, Py_TYPE(value)->tp_repr(value));
    value_hold_end(&hold);
}

/* Ints that value_put_scalar() did not take: large ones, and subclasses. */
static void open_int(struct value_writer *w, PyObject *value)
{
    uint64_t magnitude;
    bool negative;

    if (compat_long_small(value, &magnitude, &negative)) {
        value_put_u64(&w->out, magnitude, negative);
    } else {
        value_open_leaf(w, value);
    }
}

static void open_float(struct value_writer *w, PyObject *value)
{
    value_put_float(&w->out, &w->floats, PyFloat_AS_DOUBLE(value));
}

static void open_str(struct value_writer *w, PyObject *value)
{
    if (!value_put_str(&w->out, value)) {
        contain_open(w, value);
    }
}

static void open_bytes(struct value_writer *w, PyObject *value)
{
    value_put_bytes(&w->out, (const unsigned char *)PyBytes_AS_STRING(value),
                    (size_t)PyBytes_GET_SIZE(value), false);
}

static void open_bytearray(struct value_writer *w, PyObject *value)
{
    value_put_short_tp_name(&w->out, Py_TYPE(value));
    value_putc(&w->out, '(');
    value_put_bytes(&w->out,
                    (const unsigned char *)PyByteArray_AS_STRING(value),
                    (size_t)PyByteArray_GET_SIZE(value), true);
    value_putc(&w->out, ')');
}

static void open_object(struct value_writer *w, PyObject *value)
{
    value_putc(&w->out, '<');
    value_put_full_name(w, Py_TYPE(value));
    value_puts(&w->out, " object>");
}

static void open_type(struct value_writer *w, PyObject *value)
{
    value_puts(&w->out, "<class '");
    value_put_full_name(w, (PyTypeObject *)value);
    value_puts(&w->out, "'>");
}

static void open_function(struct value_writer *w, PyObject *value)
{
    value_puts(&w->out, "<function ");
    value_put_raw_str(w, ((PyFunctionObject *)value)->func_qualname);
    value_putc(&w->out, '>');
}

/* ---- children between literal texts ---- */

/* Up to three children, ", " between them, ")" behind: f->one and f->two. */
static PyObject *rest_step(struct value_writer *w, struct value_frame *f)
{
    PyObject *next = f->one;

    if (!next) {
        value_putc(&w->out, ')');
        return value_pop(w);
    }
    f->one = f->two;
    f->two = NULL;
    value_put(&w->out, ", ", 2);
    return next;
}

/* ... and the first of them: f->data. */
static PyObject *first_step(struct value_writer *w, struct value_frame *f)
{
    f->step = rest_step;
    (void)w;
    return f->data;
}

void value_push_three(struct value_writer *w, PyObject *value, uint16_t cost,
                      PyObject *first, PyObject *second, PyObject *third)
{
    struct value_frame *f = value_push(w, value, first_step, cost);

    if (f) {
        f->data = first;
        f->one = second;
        f->two = third;
    }
}

static void open_slice(struct value_writer *w, PyObject *value)
{
    const PySliceObject *slice = (const PySliceObject *)value;

    value_puts(&w->out, "slice(");
    value_push_three(w, value, 1, slice->start, slice->stop, slice->step);
}

static bool is_one(PyObject *value)
{
    uint64_t magnitude;
    bool negative;

    return PyLong_Check(value) &&
           compat_long_small(value, &magnitude, &negative) && magnitude == 1 &&
           !negative;
}

static void open_range(struct value_writer *w, PyObject *value)
{
    PyTypeObject *type = &PyRange_Type;
    PyObject *start = value_member(value, value_member_offset(type, "start"));
    PyObject *stop = value_member(value, value_member_offset(type, "stop"));
    PyObject *step = value_member(value, value_member_offset(type, "step"));

    if (!start || !stop || !step) {
        contain_open(w, value);
        return;
    }
    value_puts(&w->out, "range(");
    value_push_three(w, value, 1, start, stop, is_one(step) ? NULL : step);
}

/* One child, then a literal text (f->data). */
static PyObject *one_child_step(struct value_writer *w, struct value_frame *f)
{
    PyObject *child = f->one;

    if (child) {
        f->one = NULL;
        return child;
    }
    value_puts(&w->out, f->data);
    return value_pop(w);
}

void value_push_one(struct value_writer *w, PyObject *value, PyObject *child,
                    const char *tail)
{
    struct value_frame *f = value_push(w, value, one_child_step, 1);

    if (f) {
        f->one = child;
        memcpy(&f->data, &tail, sizeof(tail));
    }
}

static void open_exception(struct value_writer *w, PyObject *value)
{
    PyObject *args = ((PyBaseExceptionObject *)value)->args;

    if (!args || !PyTuple_Check(args)) {
        contain_open(w, value);
        return;
    }
    value_put_short_tp_name(&w->out, Py_TYPE(value));
    if (PyTuple_GET_SIZE(args) == 1) {
        value_putc(&w->out, '(');
        value_push_one(w, value, PyTuple_GET_ITEM(args, 0), ")");
    } else {
        value_push_one(w, value, args, "");
    }
}

static void open_method(struct value_writer *w, PyObject *value)
{
    PyObject *function = PyMethod_GET_FUNCTION(value);

    if (Py_TYPE(function) != &PyFunction_Type) {
        contain_open(w, value);
        return;
    }
    value_puts(&w->out, "<bound method ");
    value_put_raw_str(w, ((PyFunctionObject *)function)->func_qualname);
    value_puts(&w->out, " of ");
    value_push_one(w, value, PyMethod_GET_SELF(value), ">");
}

/* ---- what is known from the start ---- */

static void add_singletons(struct value_writer *w)
{
    value_kind_add(w, Py_TYPE(Py_None)->tp_repr, value_open_leaf);
    value_kind_add(w, Py_TYPE(Py_NotImplemented)->tp_repr, value_open_leaf);
    value_kind_add(w, PyEllipsis_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyBool_Type.tp_repr, value_open_leaf);
}

void value_kinds_init(struct value_writer *w)
{
    add_singletons(w);
    value_kind_add(w, PyLong_Type.tp_repr, open_int);
    value_kind_add(w, PyFloat_Type.tp_repr, open_float);
    value_kind_add(w, PyComplex_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyUnicode_Type.tp_repr, open_str);
    value_kind_add(w, PyBytes_Type.tp_repr, open_bytes);
    value_kind_add(w, PyByteArray_Type.tp_repr, open_bytearray);
    value_kind_add(w, PyList_Type.tp_repr, value_open_list);
    value_kind_add(w, PyTuple_Type.tp_repr, value_open_tuple);
    value_kind_add(w, PyDict_Type.tp_repr, value_open_dict);
    value_kind_add(w, PySet_Type.tp_repr, value_open_set);
    value_kind_add(w, PySlice_Type.tp_repr, open_slice);
    value_kind_add(w, PyRange_Type.tp_repr, open_range);
    value_kind_add(w, PyBaseObject_Type.tp_repr, open_object);
    value_kind_add(w, PyType_Type.tp_repr, open_type);
    value_kind_add(w, PyFunction_Type.tp_repr, open_function);
    value_kind_add(w, PyMethod_Type.tp_repr, open_method);
    value_kind_add(w, ((PyTypeObject *)PyExc_BaseException)->tp_repr,
                   open_exception);
}
