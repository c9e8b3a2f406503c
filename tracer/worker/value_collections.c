/* SPDX-License-Identifier: MIT */
/*
 * value_collections.c -- deque, defaultdict, OrderedDict, SimpleNamespace and
 * partial: C types whose layout is private.  They are read through slots and
 * member tables; OrderedDict, which publishes neither, through a copy of the
 * head of its struct, unchanged since 3.5.
 */
#include "tracer/worker/contain.h"
#include "tracer/worker/value_walk.h"

/* ---- deque ---- */

static PyObject *getset_value(PyTypeObject *type, PyObject *object,
                              const char *name)
{
    const PyGetSetDef *g = type->tp_getset;

    for (; g && g->name; g++) {
        if (strcmp(g->name, name) == 0) {
            return g->get(object, g->closure);
        }
    }
    return NULL;
}

/* "])" or "], maxlen=9)". */
static void put_deque_end(struct value_writer *w, PyObject *deque)
{
    PyTypeObject *owner = value_repr_owner(Py_TYPE(deque));
    PyObject *max = getset_value(owner, deque, "maxlen"); /* owned */

    PyErr_Clear();
    value_putc(&w->out, ']');
    if (max && max != Py_None) {
        value_puts(&w->out, ", maxlen=");
        value_put_scalar(w, max);
    }
    value_putc(&w->out, ')');
    Py_XDECREF(max);
}

static PyObject *deque_step(struct value_writer *w, struct value_frame *f)
{
    const PyTypeObject *owner = value_repr_owner(Py_TYPE(f->object));
    PySequenceMethods *as_sequence = owner->tp_as_sequence;
    PyObject *item;

    if (f->at >= as_sequence->sq_length(f->object)) {
        put_deque_end(w, f->object);
        return value_pop(w);
    }
    if (f->at > 0) {
        value_put(&w->out, ", ", 2);
    }
    item = as_sequence->sq_item(f->object, f->at++);
    if (!item) {
        PyErr_Clear();
        value_fail(w, VALUE_FAILED);
        return NULL;
    }
    value_keep(w, item);
    Py_DECREF(item); /* the deque has it */
    return item;
}

static void open_deque(struct value_writer *w, PyObject *value)
{
    const PyTypeObject *type = Py_TYPE(value);
    const PyTypeObject *owner = value_repr_owner(Py_TYPE(value));
    struct value_frame *f;

    if (type->tp_iter != owner->tp_iter || !type->tp_as_sequence ||
        type->tp_as_sequence->sq_length != owner->tp_as_sequence->sq_length) {
        contain_open(w, value);
        return;
    }
    if (value_is_open(w, value)) {
        value_put(&w->out, "[...]", 5);
        return;
    }
    /* The deque, and the list that repr() makes of it. */
    f = value_push(w, value, deque_step, 2);
    if (f) {
        f->is_guarded = true;
        value_put_short_tp_name(&w->out, type);
        value_put(&w->out, "([", 2);
    }
}

/* ---- defaultdict ---- */

static PyObject *defaultdict_step(struct value_writer *w, struct value_frame *f)
{
    switch (f->state++) {
    case 0:
        return f->one;
    case 1:
        value_put(&w->out, ", ", 2);
        value_open_dict_body(w, f->object, 0);
        return NULL;
    default:
        value_putc(&w->out, ')');
        return value_pop(w);
    }
}

static void open_defaultdict(struct value_writer *w, PyObject *value)
{
    const PyTypeObject *owner = value_repr_owner(Py_TYPE(value));
    PyObject *factory =
        value_member(value, value_member_offset(owner, "default_factory"));
    struct value_frame *f = value_push(w, value, defaultdict_step, 1);

    if (f) {
        f->one = factory ? factory : Py_None;
        value_put_short_tp_name(&w->out, Py_TYPE(value));
        value_putc(&w->out, '(');
    }
}

/* ---- OrderedDict ---- */

struct ordered_node {
    PyObject *key;
    Py_hash_t hash;
    struct ordered_node *next;
    struct ordered_node *previous;
};

struct ordered_head {
    PyDictObject dict;
    struct ordered_node *first;
};

#if PY_VERSION_HEX >= 0x030C0000
#define ORDERED_OPEN  "({"
#define ORDERED_CLOSE "})"
#define ORDERED_COST  2
#else
#define ORDERED_OPEN  "(["
#define ORDERED_CLOSE "])"
#define ORDERED_COST  3
#endif

/*
 * The value of the node's key.  The dict's own order is the nodes' but after
 * move_to_end(): *at then starts anew.  Keys are told by identity, for a
 * comparison could run code of the program.
 */
static PyObject *ordered_value(PyObject *dict, const struct ordered_node *node,
                               Py_ssize_t *at)
{
    PyObject *key;
    PyObject *value;

    for (int pass = 0; pass < 2; pass++) {
        while (PyDict_Next(dict, at, &key, &value)) {
            if (key == node->key) {
                return value;
            }
        }
        *at = 0;
    }
    return NULL;
}

/* f->data: the next node; f->one: the value of the key that was a child. */
static PyObject *ordered_step(struct value_writer *w, struct value_frame *f)
{
    struct ordered_node *node = f->data;
    PyObject *value = f->one;
    bool is_pair = ORDERED_OPEN[1] == '[';

    if (value) {
        f->one = NULL;
        f->state = 2;
        value_puts(&w->out, is_pair ? ", " : ": ");
        return value;
    }
    if (f->state == 2 && is_pair) {
        value_putc(&w->out, ')');
    }
    if (!node) {
        value_puts(&w->out, ORDERED_CLOSE);
        return value_pop(w);
    }
    if (f->state) {
        value_put(&w->out, ", ", 2);
    }
    if (is_pair) {
        value_putc(&w->out, '(');
    }
    f->one = value_keep(w, ordered_value(f->object, node, &f->at));
    f->data = node->next;
    if (!f->one) {
        value_fail(w, VALUE_UNSAFE);
        return NULL;
    }
    return node->key;
}

static void open_ordered(struct value_writer *w, PyObject *value)
{
    const PyTypeObject *type = Py_TYPE(value);
    struct value_frame *f;

    /* A subclass is asked for its items(); code could change the nodes. */
    if (type != &PyODict_Type || w->is_scratch) {
        contain_open(w, value);
        return;
    }
    if (compat_dict_empty(value)) {
        value_puts(&w->out, "OrderedDict()");
        return;
    }
    if (value_is_open(w, value)) {
        value_put(&w->out, "...", 3);
        return;
    }
    f = value_push(w, value, ordered_step, ORDERED_COST);
    if (f) {
        f->is_guarded = true;
        f->data = ((struct ordered_head *)value)->first;
        value_puts(&w->out, "OrderedDict" ORDERED_OPEN);
    }
}

/* ---- SimpleNamespace ---- */

static PyObject *namespace_dict(PyObject *value)
{
    return value_member(value, (Py_ssize_t)sizeof(PyObject));
}

static PyObject *namespace_step(struct value_writer *w, struct value_frame *f)
{
    PyObject *key;
    PyObject *value;

    while (PyDict_Next(f->one, &f->at, &key, &value)) {
        if (!PyUnicode_Check(key) || PyUnicode_GET_LENGTH(key) == 0) {
            continue;
        }
        if (!PyUnicode_CheckExact(key)) {
            contain_open(w, f->object);
            return NULL;
        }
        if (f->state) {
            value_put(&w->out, ", ", 2);
        }
        f->state = 1;
        value_put_raw_str(w, key);
        value_putc(&w->out, '=');
        return value;
    }
    value_putc(&w->out, ')');
    return value_pop(w);
}

static void open_namespace(struct value_writer *w, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    struct value_frame *f;

    if (w->is_scratch) {
        contain_open(w, value);
        return;
    }
    if (value_repr_owner(type) == type) {
        value_puts(&w->out, "namespace");
    } else {
        value_put_tp_name(&w->out, type);
    }
    if (value_is_open(w, value)) {
        value_put(&w->out, "(...)", 5);
        return;
    }
    f = value_push(w, value, namespace_step, 1);
    if (f) {
        f->is_guarded = true;
        f->one = namespace_dict(value);
        value_putc(&w->out, '(');
    }
}

/* ---- functools.partial ---- */

/* f->one: arguments; f->two: keywords; f->state: 1 from the keywords on. */
static PyObject *partial_step(struct value_writer *w, struct value_frame *f)
{
    PyObject *key;
    PyObject *value;

    if (f->state == 0) {
        if (f->at < PyTuple_GET_SIZE(f->one)) {
            value_put(&w->out, ", ", 2);
            return PyTuple_GET_ITEM(f->one, f->at++);
        }
        f->state = 1;
        f->at = 0;
    }
    if (f->two && PyDict_Next(f->two, &f->at, &key, &value)) {
        if (!PyUnicode_CheckExact(key)) {
            contain_open(w, f->object);
            return NULL;
        }
        value_put(&w->out, ", ", 2);
        value_put_raw_str(w, key);
        value_putc(&w->out, '=');
        return value;
    }
    value_putc(&w->out, ')');
    return value_pop(w);
}

/* The function is the first child. */
static PyObject *partial_first_step(struct value_writer *w,
                                    struct value_frame *f)
{
    (void)w;
    f->step = partial_step;
    return f->data;
}

static void open_partial(struct value_writer *w, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    PyObject *function = value_member(value, value_member_offset(type, "func"));
    PyObject *args = value_member(value, value_member_offset(type, "args"));
    PyObject *keywords =
        value_member(value, value_member_offset(type, "keywords"));
    struct value_frame *f;

    if (w->is_scratch || value_repr_owner(type) != type || !function || !args ||
        !PyTuple_Check(args) || (keywords && !PyDict_Check(keywords))) {
        contain_open(w, value);
        return;
    }
    if (value_is_open(w, value)) {
        value_put(&w->out, "...", 3);
        return;
    }
    f = value_push(w, value, partial_first_step, 1);
    if (f) {
        f->is_guarded = true;
        f->data = function;
        f->one = args;
        f->two = keywords;
        value_puts(&w->out, "functools.partial(");
    }
}

value_open_fn value_collections_find(const char *name)
{
    static const struct {
        const char *name;
        value_open_fn open;
    } kinds[] = {
        {"collections.deque", open_deque},
        {"collections.defaultdict", open_defaultdict},
        {"collections.OrderedDict", open_ordered},
        {"types.SimpleNamespace", open_namespace},
        {"functools.partial", open_partial},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return kinds[i].open;
        }
    }
    return NULL;
}
