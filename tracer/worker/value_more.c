/* SPDX-License-Identifier: MIT */
/*
 * value_more.c -- the rarer kinds, and those of extension modules.
 *
 * What an extension module keeps private is read through what it publishes:
 * its types' slots and member tables, found by the type's name.
 */
#include "tracer/worker/contain.h"
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

/* ---- the table ---- */

void value_more_init(struct value_writer *w)
{
    value_kind_add(w, PyDictKeys_Type.tp_repr, open_view);
    value_kind_add(w, PyDictProxy_Type.tp_repr, open_proxy);
    value_kind_add(w, PyCFunction_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyMethodDescr_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyClassMethodDescr_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyWrapperDescr_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyMemberDescr_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyGetSetDescr_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyGen_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyCoro_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyAsyncGen_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyCell_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyMemoryView_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PySuper_Type.tp_repr, value_open_leaf);
    value_kind_add(w, PyCapsule_Type.tp_repr, value_open_leaf);
}

value_open_fn value_kind_learn(struct value_writer *w, PyTypeObject *type)
{
    (void)w;
    (void)type;
    return NULL;
}
