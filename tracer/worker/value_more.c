/* SPDX-License-Identifier: MIT */
/*
 * value_more.c -- the rarer kinds, and those of extension modules.
 *
 * What an extension module keeps private is read through what it publishes:
 * its types' slots and member tables, found by the type's name.
 */
#include <Python.h>

#include <datetime.h>
#include <frameobject.h>

#include "tracer/worker/contain.h"
#include "tracer/worker/value_attr.h"
#include "tracer/worker/value_walk.h"

/* ---- views of dicts, and proxies ---- */

/* A view, and a mappingproxy, is an object's head and what it shows. */
static PyObject *shown(PyObject *value)
{
    return value_member(value, (Py_ssize_t)sizeof(PyObject));
}

/* The object's class name, its child as repr() has it, ")". */
static void open_proxy(struct value_writer *w, PyObject *value)
{
    value_puts(&w->out, "mappingproxy(");
    value_push_one(w, value, shown(value), ")");
}

/* f->one: the value of the item whose key was a child. */
static PyObject *items_step(struct value_writer *w, struct value_frame *f)
{
    PyObject *dict = shown(f->object);
    PyObject *key;
    PyObject *value;

    if (f->one) {
        value = f->one;
        f->one = NULL;
        f->state = 2;
        value_put(&w->out, ", ", 2);
        return value;
    }
    if (f->state == 2) {
        value_putc(&w->out, ')');
    }
    if (!PyDict_Next(dict, &f->at, &key, &value)) {
        value_put(&w->out, "])", 2);
        return value_pop(w);
    }
    if (f->state) {
        value_put(&w->out, ", ", 2);
    }
    f->one = value_keep(w, value);
    value_putc(&w->out, '(');
    return key;
}

static PyObject *keys_step(struct value_writer *w, struct value_frame *f)
{
    PyObject *dict = shown(f->object);
    PyObject *key;
    PyObject *value;

    if (!PyDict_Next(dict, &f->at, &key, &value)) {
        value_put(&w->out, "])", 2);
        return value_pop(w);
    }
    if (f->state) {
        value_put(&w->out, ", ", 2);
    }
    f->state = 1;
    return PyObject_TypeCheck(f->object, &PyDictKeys_Type) ? key : value;
}

static void open_view(struct value_writer *w, PyObject *value)
{
    PyObject *dict = shown(value);
    const PyTypeObject *type = Py_TYPE(value);
    struct value_frame *f;

    if (!dict || (type != &PyDictKeys_Type && type != &PyDictValues_Type &&
                  type != &PyDictItems_Type)) {
        contain_open(w, value);
        return;
    }
    if (value_is_open(w, value)) {
        value_put(&w->out, "...", 3);
        return;
    }
    value_put_tp_name(&w->out, type);
    /* The view, the list made of it, and for items each one's tuple. */
    if (type == &PyDictItems_Type) {
        f = value_push(w, value, items_step, 3);
    } else {
        f = value_push(w, value, keys_step, 2);
    }
    if (f) {
        f->is_guarded = true;
        value_put(&w->out, "([", 2);
    }
}

/* ---- modules, code, frames: texts with a path in them ---- */

/* "<module 'm'>", and " (built-in)" where the spec says no place. */
static void put_module(struct value_writer *w, PyObject *name, PyObject *origin)
{
    value_puts(&w->out, "<module ");
    if (!value_put_str(&w->out, name)) {
        value_fail(w, VALUE_FAILED);
        return;
    }
    if (origin) {
        value_put(&w->out, " (", 2);
        value_put_raw_str(w, origin);
        value_putc(&w->out, ')');
    }
    value_putc(&w->out, '>');
}

static void open_module(struct value_writer *w, PyObject *value)
{
    PyObject *dict = PyModule_GetDict(value); /* borrowed */
    PyObject *spec = dict ? value_dict_get(dict, "__spec__") : NULL;
    PyObject *name;
    PyObject *origin;
    PyObject *has_file;

    if (!spec || Py_TYPE(value)->tp_getattro != PyModule_Type.tp_getattro ||
        strcmp(Py_TYPE(spec)->tp_name, "ModuleSpec") != 0 ||
        Py_TYPE(spec)->tp_repr != w->slot_repr) {
        contain_open(w, value);
        return;
    }
    name = value_own_attr(spec, "name");
    origin = value_own_attr(spec, "origin");
    has_file = value_own_attr(spec, "_set_fileattr");
    if (!name || !PyUnicode_CheckExact(name) || !origin ||
        !PyUnicode_CheckExact(origin) ||
        (has_file != Py_True && has_file != Py_False)) {
        contain_open(w, value);
        return;
    }
    put_module(w, name, has_file == Py_True ? NULL : origin);
}

/* A path as it may be shown: less its folders where it is absolute. */
static void put_file(struct value_writer *w, PyObject *file, bool is_quoted)
{
    int kind;
    bool ascii;
    size_t n;
    const char *data = compat_str_data(file, &kind, &n, &ascii);
    size_t start = 0;

    if (!data || !PyUnicode_CheckExact(file)) {
        value_fail(w, VALUE_FAILED);
        return;
    }
    if (n > 0 && PyUnicode_READ((unsigned)kind, data, 0) == '/') {
        for (size_t i = 0; i < n; i++) {
            if (PyUnicode_READ((unsigned)kind, data, (Py_ssize_t)i) == '/') {
                start = i + 1;
            }
        }
    }
    data += start * (size_t)kind;
    if (is_quoted) {
        value_put_quoted(&w->out, data, kind, n - start);
    } else {
        value_put_raw(&w->out, data, kind, n - start);
    }
}

static void put_int(struct value_writer *w, int number)
{
    value_put_u64(&w->out, (uint64_t)(number < 0 ? -(int64_t)number : number),
                  number < 0);
}

/* <code object f, file "main.py", line 1> */
static void open_code(struct value_writer *w, PyObject *value)
{
    const PyCodeObject *code = (const PyCodeObject *)value;

    value_puts(&w->out, "<code object ");
    value_put_raw_str(w, code->co_name);
    value_puts(&w->out, ", file \"");
    put_file(w, code->co_filename, false);
    value_puts(&w->out, "\", line ");
    put_int(w, code->co_firstlineno != 0 ? code->co_firstlineno : -1);
    value_putc(&w->out, '>');
}

/* <frame, file 'main.py', line 3, code f> */
static void open_frame(struct value_writer *w, PyObject *value)
{
    PyFrameObject *frame = (PyFrameObject *)value;
    PyCodeObject *code = PyFrame_GetCode(frame); /* owned */

    value_puts(&w->out, "<frame, file ");
    put_file(w, code->co_filename, true);
    value_puts(&w->out, ", line ");
    put_int(w, PyFrame_GetLineNumber(frame));
    value_puts(&w->out, ", code ");
    value_put_raw_str(w, code->co_name);
    value_putc(&w->out, '>');
    Py_DECREF(code);
}

/* ---- staticmethod and classmethod, from 3.10 on ---- */

static void open_static_method(struct value_writer *w, PyObject *value)
{
    PyObject *function =
        value_member(value, value_member_offset(Py_TYPE(value), "__func__"));

    if (!function || (Py_TYPE(value) != &PyStaticMethod_Type &&
                      Py_TYPE(value) != &PyClassMethod_Type)) {
        contain_open(w, value);
        return;
    }
    value_putc(&w->out, '<');
    value_put_tp_name(&w->out, Py_TYPE(value));
    value_putc(&w->out, '(');
    value_push_one(w, value, function, ")>");
}

/* ---- extension modules: safe under a condition ---- */

static bool is_plain_text(PyObject *value)
{
    return !value || value == Py_None || PyUnicode_CheckExact(value) ||
           PyBytes_CheckExact(value);
}

/* A pattern's text is the program's object, and may be of its own class. */
static void open_pattern(struct value_writer *w, PyObject *value)
{
    Py_ssize_t at = value_member_offset(Py_TYPE(value), "pattern");

    if (at > 0 && is_plain_text(value_member(value, at))) {
        value_open_held(w, value);
    } else {
        contain_open(w, value);
    }
}

static void open_match(struct value_writer *w, PyObject *value)
{
    Py_ssize_t at = value_member_offset(Py_TYPE(value), "string");

    if (at > 0 && is_plain_text(value_member(value, at))) {
        value_open_held(w, value);
    } else {
        contain_open(w, value);
    }
}

/* Of C's own classes, and not of the program's. */
static bool is_named(PyObject *value, const char *tp_name)
{
    return value && !(Py_TYPE(value)->tp_flags & Py_TPFLAGS_HEAPTYPE) &&
           strcmp(Py_TYPE(value)->tp_name, tp_name) == 0;
}

static bool is_plain_zone(PyObject *zone)
{
    const Py_ssize_t head = (Py_ssize_t)sizeof(PyObject);

    return zone == Py_None ||
           (is_named(zone, "datetime.timezone") &&
            is_named(value_member(zone, head), "datetime.timedelta") &&
            is_plain_text(
                value_member(zone, head + (Py_ssize_t)sizeof(PyObject *))));
}

static void open_zone(struct value_writer *w, PyObject *value)
{
    if (is_plain_zone(value)) {
        value_open_held(w, value);
    } else {
        contain_open(w, value);
    }
}

static void open_datetime(struct value_writer *w, PyObject *value)
{
    if (!((_PyDateTime_BaseTZInfo *)value)->hastzinfo ||
        is_plain_zone(((PyDateTime_DateTime *)value)->tzinfo)) {
        value_open_held(w, value);
    } else {
        contain_open(w, value);
    }
}

static void open_time(struct value_writer *w, PyObject *value)
{
    if (!((_PyDateTime_BaseTZInfo *)value)->hastzinfo ||
        is_plain_zone(((PyDateTime_Time *)value)->tzinfo)) {
        value_open_held(w, value);
    } else {
        contain_open(w, value);
    }
}

/* time.struct_time and its kind: children are asked for their repr(). */
static void open_struct(struct value_writer *w, PyObject *value)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(value); i++) {
        PyObject *item = PyTuple_GET_ITEM(value, i);

        if (item != Py_None && !PyLong_CheckExact(item) &&
            !PyFloat_CheckExact(item) && !PyUnicode_CheckExact(item)) {
            contain_open(w, value);
            return;
        }
    }
    value_open_held(w, value);
}

/* ---- the table ---- */

static const struct {
    const char *name; /* tp_name of the C type that has the tp_repr */
    value_open_fn open;
} learnt[] = {
    {"method-wrapper", value_open_leaf},
    {"_thread.lock", value_open_leaf},
    {"frame", open_frame},
    {"staticmethod", open_static_method},
    {"classmethod", open_static_method},
    {"decimal.Decimal", value_open_held},
    {"datetime.date", value_open_held},
    {"datetime.timedelta", value_open_held},
    {"datetime.timezone", open_zone},
    {"datetime.datetime", open_datetime},
    {"datetime.time", open_time},
    {"array.array", value_open_held},
    {"re.Pattern", open_pattern},
    {"re.Match", open_match},
    {"time.struct_time", open_struct},
};

static value_open_fn find_learnt(const char *name)
{
    value_open_fn open = value_collections_find(name);

    for (size_t i = 0; !open && i < ARRAY_LEN(learnt); i++) {
        if (strcmp(learnt[i].name, name) == 0) {
            open = learnt[i].open;
        }
    }
    return open;
}

value_open_fn value_kind_learn(struct value_writer *w, PyTypeObject *type)
{
    PyTypeObject *owner = value_repr_owner(type);
    value_open_fn open = find_learnt(owner->tp_name);

    value_kind_add(w, owner->tp_repr, open ? open : contain_open);
    return open;
}

void value_more_init(struct value_writer *w)
{
    static PyTypeObject *const leaves[] = {
        &PyCFunction_Type,    &PyMethodDescr_Type, &PyClassMethodDescr_Type,
        &PyWrapperDescr_Type, &PyMemberDescr_Type, &PyGetSetDescr_Type,
        &PyGen_Type,          &PyCoro_Type,        &PyAsyncGen_Type,
        &PyCell_Type,         &PyMemoryView_Type,  &PySuper_Type,
        &PyCapsule_Type,
    };

    for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
        value_kind_add(w, leaves[i]->tp_repr, value_open_leaf);
    }
    value_kind_add(w, PyDictKeys_Type.tp_repr, open_view);
    value_kind_add(w, PyDictProxy_Type.tp_repr, open_proxy);
    value_kind_add(w, PyModule_Type.tp_repr, open_module);
    value_kind_add(w, PyCode_Type.tp_repr, open_code);
}
