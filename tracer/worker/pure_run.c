/* SPDX-License-Identifier: MIT */
/*
 * pure_run.c -- see pure_repr.h: what a recipe gives for an object.
 *
 * Invariant: nothing changes during a walk, so references are borrowed and a
 * list keeps its length.  A step that would do or show anything that is not
 * provably what the method does ends the walk with VALUE_UNSAFE.
 */
#include "tracer/worker/pure_repr.h"

#include "tracer/worker/pure_method.h"
#include "tracer/worker/value_attr.h"
#include "tracer/worker/value_hold.h"

/* Rounds of loops in one value: a millisecond or so, then it is contained. */
#define MAX_JUMPS 20000

/* The innermost recipe's. */
static struct pure_state *state_of(const struct value_writer *w)
{
    return &w->pure_repr->states[w->n_states - 1];
}

static void open_text(struct value_writer *w, PyObject *value);

/* self.a.b; NULL with the walk failed. */
static PyObject *follow_path(struct value_writer *w, const struct method *m,
                             const struct pure_op *op, PyObject *self)
{
    PyObject *at = self;

    if (op->root != PURE_SELF) {
        at = state_of(w)->vars[op->root];
        if (!at) { /* it raises, as far as we know */
            value_fail(w, VALUE_UNSAFE);
            return NULL;
        }
    }
    for (size_t i = 0; i < op->n_path; i++) {
        switch (value_plain_attr(at, m->names[op->path[i]], &at)) {
        case VALUE_ATTR_FOUND:
            break;
        case VALUE_ATTR_MISSING:
            value_fail(w, VALUE_FAILED);
            return NULL;
        case VALUE_ATTR_UNSAFE:
        default:
            value_fail(w, VALUE_UNSAFE);
            return NULL;
        }
    }
    if (op->no_tuple && PyTuple_Check(at)) {
        value_fail(w, VALUE_UNSAFE);
        return NULL;
    }
    return at;
}

/* format(value, spec) of the built-in kinds whose format() is their own. */
static void put_formatted(struct value_writer *w, PyObject *value,
                          PyObject *spec)
{
    struct value_hold hold;
    PyObject *text; /* owned */

    if (!PyLong_CheckExact(value) && !PyFloat_CheckExact(value) &&
        !PyUnicode_CheckExact(value)) {
        value_fail(w, VALUE_UNSAFE);
        return;
    }
    value_hold_begin(&hold, w->depth);
    text = PyObject_Format(value, spec);
    if (text) {
        value_put_raw_str(w, text);
    } else {
        PyErr_Clear();
        value_fail(w, VALUE_FAILED);
    }
    Py_XDECREF(text);
    value_hold_end(&hold);
}

/* format(value) */
static void open_format(struct value_writer *w, PyObject *value)
{
    const struct pure_repr *p = w->pure_repr;

    if (PyLong_CheckExact(value) || PyFloat_CheckExact(value) ||
        PyUnicode_CheckExact(value) || PyBool_Check(value) ||
        value_type_lookup(Py_TYPE(value), p->name_format) ==
            value_type_lookup(&PyBaseObject_Type, p->name_format)) {
        open_text(w, value);
    } else {
        value_fail(w, VALUE_UNSAFE);
    }
}

static void put_len(struct value_writer *w, PyObject *value)
{
    Py_ssize_t n = 0;

    if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
        n = Py_SIZE(value);
    } else if (PyDict_CheckExact(value)) {
        n = PyDict_GET_SIZE(value);
    } else if (PyUnicode_CheckExact(value)) {
        n = PyUnicode_GET_LENGTH(value);
    } else if (PyAnySet_CheckExact(value)) {
        n = PySet_GET_SIZE(value);
    } else {
        value_fail(w, VALUE_UNSAFE);
        return;
    }
    value_put_u64(&w->out, (uint64_t)n, false);
}

/* Truth of the kinds that have no say in it; 1, 0, -1 for others. */
static int truth(PyObject *value)
{
    const PyTypeObject *type = Py_TYPE(value);

    if (value == Py_None || value == Py_False) {
        return 0;
    }
    if (PyLong_CheckExact(value) || PyBool_Check(value)) {
        uint64_t magnitude;
        bool negative;

        return !compat_long_small(value, &magnitude, &negative) ||
               magnitude != 0;
    }
    if (PyFloat_CheckExact(value)) {
        return !(PyFloat_AS_DOUBLE(value) == 0.0);
    }
    if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
        return Py_SIZE(value) != 0;
    }
    if (PyUnicode_CheckExact(value)) {
        return PyUnicode_GET_LENGTH(value) != 0;
    }
    if (PyDict_CheckExact(value)) {
        return PyDict_GET_SIZE(value) != 0;
    }
    if ((type->tp_as_number && type->tp_as_number->nb_bool) ||
        (type->tp_as_mapping && type->tp_as_mapping->mp_length) ||
        (type->tp_as_sequence && type->tp_as_sequence->sq_length)) {
        return -1;
    }
    return 1;
}

/* 1 when the value is as the test says, 0 when not, -1 when nobody knows. */
static int holds(PyObject *value, uint8_t test)
{
    int is_true;

    if (test == PURE_IS_NONE) {
        return value == Py_None;
    }
    if (test == PURE_IS_NOT_NONE) {
        return value != Py_None;
    }
    is_true = truth(value);
    if (is_true < 0) {
        return -1;
    }
    return test == PURE_IS_TRUE ? is_true : !is_true;
}

/* f->data: the method; f->state: the op. */
static PyObject *join_step(struct value_writer *w, struct value_frame *f)
{
    const struct method *m = f->data;
    const struct pure_op *op = &m->recipe->ops[f->state];
    PyObject *items = f->object;
    Py_ssize_t n = Py_SIZE(items);
    PyObject *item;

    if (f->at >= n) {
        return value_pop(w);
    }
    item = PyList_Check(items) ? PyList_GET_ITEM(items, f->at)
                               : PyTuple_GET_ITEM(items, f->at);
    if (f->at++ > 0) {
        value_put(&w->out, m->recipe->pool + op->text, op->text_len);
    }
    switch (op->how) {
    case PURE_REPR:
        return item;
    case PURE_STR:
        open_text(w, item);
        return NULL;
    case PURE_FORMAT:
        open_format(w, item);
        return NULL;
    default:
        if (PyUnicode_CheckExact(item)) {
            value_put_raw_str(w, item);
        } else {
            value_fail(w, VALUE_UNSAFE);
        }
        return NULL;
    }
}

static void open_join(struct value_writer *w, const struct method *m,
                      size_t op_at, PyObject *items)
{
    struct value_frame *f;

    if (!PyList_CheckExact(items) && !PyTuple_CheckExact(items)) {
        value_fail(w, VALUE_UNSAFE);
        return;
    }
    f = value_push(w, items, join_step, 0);
    if (f) {
        memcpy(&f->data, &m, sizeof(m));
        f->state = (uint32_t)op_at;
    }
}

/* An op whose value is there; the child to be shown by repr(), or NULL. */
static PyObject *show(struct value_writer *w, const struct method *m,
                      size_t op_at, PyObject *value)
{
    const struct pure_op *op = &m->recipe->ops[op_at];

    switch (op->code) {
    case PURE_REPR:
        return value;
    case PURE_STR:
        open_text(w, value);
        break;
    case PURE_FORMAT:
        if (m->formats[op_at]) {
            put_formatted(w, value, m->formats[op_at]);
        } else {
            open_format(w, value);
        }
        break;
    case PURE_NUMBER:
        if (PyUnicode_CheckExact(value)) {
            value_fail(w, VALUE_UNSAFE);
        } else {
            put_formatted(w, value, m->formats[op_at]);
        }
        break;
    case PURE_LEN:
        put_len(w, value);
        break;
    case PURE_JOIN:
        open_join(w, m, op_at, value);
        break;
    case PURE_INT:
        if (PyLong_CheckExact(value)) {
            return value;
        }
        value_fail(w, VALUE_UNSAFE);
        break;
    case PURE_RAW:
    default:
        if (PyUnicode_CheckExact(value)) {
            value_put_raw_str(w, value);
        } else {
            value_fail(w, VALUE_UNSAFE);
        }
        break;
    }
    return NULL;
}

static void put_class_name(struct value_writer *w, PyTypeObject *type,
                           bool is_qualified)
{
    if (!value_class_is_plain(type) || !value_type_names_are_plain(type)) {
        value_fail(w, VALUE_UNSAFE);
    } else if (is_qualified) {
        value_put_raw_str(w, ((PyHeapTypeObject *)type)->ht_qualname);
    } else {
        value_put_type_name(&w->out, type);
    }
}

/* ---- variables and loops ---- */

static void begin_loop(struct value_writer *w, const struct pure_op *op,
                       PyObject *over)
{
    struct pure_state *s = state_of(w);
    bool is_dict = PyDict_CheckExact(over);

    if (!is_dict && (op->items != PURE_ITEMS ||
                     (!PyList_CheckExact(over) && !PyTuple_CheckExact(over)))) {
        value_fail(w, VALUE_UNSAFE);
        return;
    }
    s->over[op->how] = over;
    s->at[op->how] = 0;
}

/* What begins a loop has the op before; false at the end. */
static bool next_item(struct pure_state *s, const struct pure_op *op)
{
    PyObject *over = s->over[op->how];
    Py_ssize_t *at = &s->at[op->how];
    uint8_t items = op[-1].items;
    PyObject *key;
    PyObject *value;

    if (!PyDict_Check(over)) {
        if (*at >= Py_SIZE(over)) {
            return false;
        }
        s->vars[op->var] = PyList_Check(over) ? PyList_GET_ITEM(over, *at)
                                              : PyTuple_GET_ITEM(over, *at);
        (*at)++;
        return true;
    }
    if (!PyDict_Next(over, at, &key, &value)) {
        return false;
    }
    s->vars[op->var] = items == PURE_DICT_VALUES ? value : key;
    if (items == PURE_DICT_ITEMS) {
        s->vars[op->var + 1] = value;
    }
    return true;
}

static void go_to(struct value_writer *w, struct value_frame *f, uint16_t jump)
{
    if (jump < f->at && w->pure_repr->jumps_left-- == 0) {
        value_fail(w, VALUE_UNSAFE);
        return;
    }
    f->at = jump;
}

/* UNLESS, SET and FOR: what a path leads to is used, but not shown. */
static void use(struct value_writer *w, struct value_frame *f,
                const struct pure_op *op, PyObject *value)
{
    int is_so;

    if (op->code == PURE_SET) {
        state_of(w)->vars[op->how] = value;
        return;
    }
    if (op->code == PURE_FOR) {
        begin_loop(w, op, value);
        return;
    }
    is_so = holds(value, op->how);
    if (is_so < 0) {
        value_fail(w, VALUE_UNSAFE);
    } else if (!is_so) {
        go_to(w, f, op->jump);
    }
}

/* ---- one recipe ---- */

static PyObject *end_recipe(struct value_writer *w, const struct method *m)
{
    if (m->recipe->has_state) {
        w->n_states--;
    }
    return value_pop(w);
}

static void separate(struct value_writer *w, const struct method *m,
                     const struct pure_op *op)
{
    struct pure_state *s = state_of(w);

    if (s->has_part) {
        value_put(&w->out, m->recipe->pool + op->text, op->text_len);
    }
    s->has_part = true;
}

/* f->data: the method; f->at: the next op. */
static PyObject *recipe_step(struct value_writer *w, struct value_frame *f)
{
    const struct method *m = f->data;
    PyObject *value;

    while (!value_stopped(w)) {
        size_t at = (size_t)f->at++;
        const struct pure_op *op = &m->recipe->ops[at];

        switch (op->code) {
        case PURE_END:
            return end_recipe(w, m);
        case PURE_TEXT:
            value_put(&w->out, m->recipe->pool + op->text, op->text_len);
            break;
        case PURE_SEPARATE:
            separate(w, m, op);
            break;
        case PURE_GIVE_UP:
            value_fail(w, VALUE_UNSAFE);
            break;
        case PURE_JUMP:
            go_to(w, f, op->jump);
            break;
        case PURE_CLASS_NAME:
        case PURE_CLASS_QUALNAME:
            put_class_name(w, Py_TYPE(f->object),
                           op->code == PURE_CLASS_QUALNAME);
            break;
        case PURE_NEXT:
            if (!next_item(state_of(w), op)) {
                f->at = op->jump;
            }
            break;
        case PURE_UNLESS:
        case PURE_SET:
        case PURE_FOR:
            value = follow_path(w, m, op, f->object);
            if (!value) {
                return NULL;
            }
            use(w, f, op, value);
            break;
        default:
            value = follow_path(w, m, op, f->object);
            /* What show() opens may move the frames. */
            return value ? show(w, m, at, value) : NULL;
        }
    }
    return NULL;
}

void pure__run(struct value_writer *w, PyObject *value, struct method *m)
{
    struct value_frame *f;

    if (m->recipe->has_state && w->n_states == MAX_STATES) {
        value_fail(w, VALUE_UNSAFE);
        return;
    }
    f = value_push(w, value, recipe_step, 1 + VALUE_PYTHON_LEVELS);
    if (!f) {
        return;
    }
    f->data = m;
    if (m->recipe->has_state) {
        if (w->n_states == 0) {
            w->pure_repr->jumps_left = MAX_JUMPS;
        }
        w->n_states++;
        memset(state_of(w), 0, sizeof(struct pure_state));
    }
}

/* str(value) */
static void open_text(struct value_writer *w, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    struct pure_repr *p = w->pure_repr;

    if (type->tp_str == PyUnicode_Type.tp_str) {
        value_put_raw_str(w, value);
    } else if (!type->tp_str || type->tp_str == PyBaseObject_Type.tp_str) {
        value_open(w, value);
    } else if (!pure__open_method(w, value,
                                  value_type_lookup(type, p->name_str))) {
        value_fail(w, VALUE_UNSAFE);
    }
}
