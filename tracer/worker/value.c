/* SPDX-License-Identifier: MIT */
/*
 * value.c -- see value.h: the walk, its limits, the built-in containers.
 */
#include "tracer/worker/value_walk.h"

#include <assert.h>

#include "cwm/base/alloc.h"
#include "tracer/worker/contain.h"
#include "tracer/worker/pure_repr.h"
#include "tracer/worker/value_attr.h"
#include "tracer/worker/value_hold.h"

/* Deeper values are rare; the stack grows by doubling. */
#define FRAMES_AT_FIRST 64

#define ELLIPSIS       "\xE2\x80\xA6"
#define ELLIPSIS_BYTES 3

/* ---- depth ---- */

/*
 * How deep repr() may go on a bare stack: called by one Python frame, where
 * the frame and the call take a level each.  Up to 3.11 the interpreter's
 * limit counts; from 3.12 on C code has a count of its own.  3.14 looks at the
 * stack itself: 3.13's number is well within its reach.
 */
static uint32_t repr_depth_max(void)
{
#if PY_VERSION_HEX >= 0x030E0000
    return 10000 - VALUE_BARE_LEVELS;
#elif PY_VERSION_HEX >= 0x030D0000
    return Py_C_RECURSION_LIMIT - VALUE_BARE_LEVELS;
#elif PY_VERSION_HEX >= 0x030C0000
    return C_RECURSION_LIMIT - VALUE_BARE_LEVELS;
#else
    int limit = Py_GetRecursionLimit();

    return limit > VALUE_BARE_LEVELS ? (uint32_t)(limit - VALUE_BARE_LEVELS)
                                     : 0;
#endif
}

/* ---- frames ---- */

static bool frames_grow(struct value_writer *w)
{
    size_t capacity = w->frames_capacity * 2;
    struct value_frame *frames =
        cwm_realloc(w->frames, capacity, sizeof(*frames));

    if (!frames) {
        return false;
    }
    w->frames = frames;
    w->frames_capacity = capacity;
    return true;
}

struct value_frame *value_push(struct value_writer *w, PyObject *object,
                               value_step_fn step, uint16_t cost)
{
    struct value_frame *f;

    /* One more level for the children. */
    if (w->depth + cost >= w->depth_max) {
        value_fail(w, VALUE_FAILED);
        return NULL;
    }
    if (w->n_frames == w->frames_capacity && !frames_grow(w)) {
        value_fail(w, VALUE_FAILED);
        return NULL;
    }
    f = &w->frames[w->n_frames++];
    memset(f, 0, sizeof(*f));
    f->object = object;
    f->step = step;
    f->cost = cost;
    w->depth += cost;
    return f;
}

PyObject *value_pop(struct value_writer *w)
{
    struct value_frame *f = &w->frames[--w->n_frames];

    w->depth -= f->cost;
    if (w->is_scratch && f->is_guarded) {
        Py_ReprLeave(f->object);
    }
    return NULL;
}

bool value_is_open(struct value_writer *w, PyObject *object)
{
    if (w->is_scratch) {
        int entered = Py_ReprEnter(object);

        if (entered < 0) {
            PyErr_Clear();
            value_fail(w, VALUE_FAILED);
        }
        return entered > 0;
    }
    for (size_t i = w->n_frames; i > 0; i--) {
        const struct value_frame *f = &w->frames[i - 1];

        if (f->object == object && f->is_guarded) {
            return true;
        }
    }
    return false;
}

/* ---- lists, tuples, dicts, sets ---- */

static PyObject *list_step(struct value_writer *w, struct value_frame *f)
{
    /* Read anew each time: in a scratch process the list may change. */
    while (f->at < PyList_GET_SIZE(f->object)) {
        PyObject *item = PyList_GET_ITEM(f->object, f->at);

        if (f->at++ > 0) {
            value_put(&w->out, ", ", 2);
        }
        if (!value_put_scalar(w, item)) {
            return item;
        }
        if (w->out.full) {
            return NULL;
        }
    }
    value_putc(&w->out, ']');
    return value_pop(w);
}

static PyObject *tuple_step(struct value_writer *w, struct value_frame *f)
{
    Py_ssize_t n = PyTuple_GET_SIZE(f->object);

    while (f->at < n) {
        PyObject *item = PyTuple_GET_ITEM(f->object, f->at);

        if (f->at++ > 0) {
            value_put(&w->out, ", ", 2);
        }
        if (!value_put_scalar(w, item)) {
            return item;
        }
        if (w->out.full) {
            return NULL;
        }
    }
    if (n == 1) {
        value_putc(&w->out, ',');
    }
    value_putc(&w->out, ')');
    return value_pop(w);
}

static PyObject *dict_step(struct value_writer *w, struct value_frame *f)
{
    while (true) {
        PyObject *key;
        PyObject *value = f->one; /* of the key that was a child */

        if (!value) {
            if (!PyDict_Next(f->object, &f->at, &key, &value)) {
                break;
            }
            if (f->state) {
                value_put(&w->out, ", ", 2);
            }
            f->state = 1;
            if (!value_put_scalar(w, key)) {
                f->one = value_keep(w, value);
                return key;
            }
        }
        f->one = NULL;
        value_put(&w->out, ": ", 2);
        if (!value_put_scalar(w, value)) {
            return value;
        }
        if (w->out.full) {
            return NULL;
        }
    }
    value_putc(&w->out, '}');
    return value_pop(w);
}

/* The set's next item, or that of the list made of it; NULL at the end. */
static PyObject *set_next(struct value_frame *f)
{
    PyObject *item = NULL;
    Py_hash_t hash;

    if (!f->one) {
        return _PySet_NextEntry(f->object, &f->at, &item, &hash) ? item : NULL;
    }
    if (f->at < PyList_GET_SIZE(f->one)) {
        item = PyList_GET_ITEM(f->one, f->at);
        f->at++;
    }
    return item;
}

/* A set of type `set` ends in }, others in }). */
static PyObject *set_step(struct value_writer *w, struct value_frame *f)
{
    PyObject *item;

    while ((item = set_next(f))) {
        if (f->state) {
            value_put(&w->out, ", ", 2);
        }
        f->state = 1;
        if (!value_put_scalar(w, item)) {
            return item;
        }
        if (w->out.full) {
            return NULL;
        }
    }
    value_putc(&w->out, '}');
    if (Py_TYPE(f->object) != &PySet_Type) {
        value_putc(&w->out, ')');
    }
    return value_pop(w);
}

void value_open_list(struct value_writer *w, PyObject *value)
{
    struct value_frame *f;

    if (PyList_GET_SIZE(value) == 0) {
        value_put(&w->out, "[]", 2);
        return;
    }
    if (value_is_open(w, value)) {
        value_put(&w->out, "[...]", 5);
        return;
    }
    f = value_push(w, value, list_step, 1);
    if (f) {
        f->is_guarded = true;
        value_putc(&w->out, '[');
    }
}

void value_open_tuple(struct value_writer *w, PyObject *value)
{
    struct value_frame *f;

    if (PyTuple_GET_SIZE(value) == 0) {
        value_put(&w->out, "()", 2);
        return;
    }
    if (value_is_open(w, value)) {
        value_put(&w->out, "(...)", 5);
        return;
    }
    f = value_push(w, value, tuple_step, 1);
    if (f) {
        f->is_guarded = true;
        value_putc(&w->out, '(');
    }
}

void value_open_dict(struct value_writer *w, PyObject *value)
{
    value_open_dict_body(w, value, 1);
}

void value_open_dict_body(struct value_writer *w, PyObject *value,
                          uint16_t cost)
{
    struct value_frame *f;

    if (value_is_open(w, value)) {
        value_put(&w->out, "{...}", 5);
        return;
    }
    if (compat_dict_empty(value)) {
        value_put(&w->out, "{}", 2);
        if (w->is_scratch) {
            Py_ReprLeave(value);
        }
        return;
    }
    f = value_push(w, value, dict_step, cost);
    if (f) {
        f->is_guarded = true;
        value_putc(&w->out, '{');
    }
}

/* set_repr() asks a subclass's own __iter__ and __len__. */
static bool set_is_plain(const PyTypeObject *type)
{
    return type == &PySet_Type || type == &PyFrozenSet_Type ||
           (type->tp_iter == PySet_Type.tp_iter && type->tp_as_sequence &&
            type->tp_as_sequence->sq_length ==
                PySet_Type.tp_as_sequence->sq_length);
}

void value_open_set(struct value_writer *w, PyObject *value)
{
    const PyTypeObject *type = Py_TYPE(value);
    struct value_frame *f;

    if (!set_is_plain(type)) {
        contain_open(w, value);
        return;
    }
    if (value_is_open(w, value)) {
        value_put_tp_name(&w->out, type);
        value_put(&w->out, "(...)", 5);
        return;
    }
    if (compat_set_empty(value)) {
        value_put_tp_name(&w->out, type);
        value_put(&w->out, "()", 2);
        if (w->is_scratch) {
            Py_ReprLeave(value);
        }
        return;
    }
    /* The set, and the list that repr() makes of it. */
    f = value_push(w, value, set_step, 2);
    if (!f) {
        return;
    }
    f->is_guarded = true;
    if (w->is_scratch) {
        /* As set_repr() does: its items' code may change the set. */
        f->one = PySequence_List(value);
        if (!f->one) {
            PyErr_Clear();
            value_fail(w, VALUE_FAILED);
            return;
        }
    }
    if (type != &PySet_Type) {
        value_put_tp_name(&w->out, type);
        value_putc(&w->out, '(');
    }
    value_putc(&w->out, '{');
}

/* ---- all values ---- */

PyTypeObject *value_repr_owner(PyTypeObject *type)
{
    PyObject *mro = type->tp_mro;
    PyTypeObject *owner = type;

    for (Py_ssize_t i = 0; mro && i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);

        if (PyType_Check((PyObject *)base) && base->tp_repr == type->tp_repr) {
            owner = base; /* bases stand behind what derives from them */
        }
    }
    return owner;
}

static void open_by_kind(struct value_writer *w, PyObject *value)
{
    reprfunc repr = Py_TYPE(value)->tp_repr;
    value_open_fn open = repr ? value_kind_find(w, repr) : NULL;

    if (!repr) {
        contain_open(w, value);
    } else if (open) {
        open(w, value);
    } else if (repr == w->slot_repr) {
        pure_repr_open(w, value);
    } else if ((open = value_kind_learn(w, Py_TYPE(value)))) {
        open(w, value);
    } else {
        contain_open(w, value);
    }
}

void value_open(struct value_writer *w, PyObject *value)
{
    const PyTypeObject *type = Py_TYPE(value);

    /* What repr() is called for takes a level, be it a leaf. */
    if (w->depth >= w->depth_max) {
        value_fail(w, VALUE_FAILED);
        return;
    }
    value_keep(w, value);
    if (value_put_scalar(w, value)) {
        return;
    }
    if (type == &PyList_Type) {
        value_open_list(w, value);
    } else if (type == &PyTuple_Type) {
        value_open_tuple(w, value);
    } else if (type == &PyDict_Type) {
        value_open_dict(w, value);
    } else if (type == &PySet_Type || type == &PyFrozenSet_Type) {
        value_open_set(w, value);
    } else {
        open_by_kind(w, value);
    }
}

void value_walk(struct value_writer *w, PyObject *value)
{
    size_t n_below = w->n_frames;

    value_open(w, value);
    while (w->n_frames > n_below && !value_stopped(w)) {
        struct value_frame *f = &w->frames[w->n_frames - 1];
        PyObject *child = f->step(w, f);

        if (child && !value_stopped(w)) {
            value_open(w, child);
        }
    }
}

/* ---- a writer's life ---- */

/* tp_repr of a class that defines __repr__ in Python; NULL if none is found. */
static reprfunc find_slot_repr(void)
{
    /* ModuleSpec is such a class in every interpreter. */
    PyObject *module = PyImport_GetModule(
        PyUnicode_InternFromString("_frozen_importlib")); /* owned */
    PyObject *spec = NULL;                                /* owned */
    reprfunc repr = NULL;

    if (module) {
        spec = PyObject_GetAttrString(module, "ModuleSpec");
    }
    if (spec && PyType_Check(spec)) {
        repr = ((PyTypeObject *)spec)->tp_repr;
    }
    PyErr_Clear();
    Py_XDECREF(module);
    Py_XDECREF(spec);
    return repr;
}

struct value_writer *value_writer_new(size_t max_value_bytes)
{
    struct value_writer *w = cwm_calloc(1, sizeof(*w)); /* owned */

    if (!w) {
        return NULL;
    }
    value_attr_init();
    w->max_bytes = max_value_bytes;
    w->frames = cwm_calloc(FRAMES_AT_FIRST, sizeof(*w->frames));
    w->frames_capacity = FRAMES_AT_FIRST;
    w->slot_repr = find_slot_repr();
    w->contain = contain_new(max_value_bytes);
    w->pure_repr = pure_repr_new();
    w->library = value_library_new();
    if (!w->frames || !w->contain || !w->pure_repr || !w->library) {
        value_writer_free(w);
        return NULL;
    }
    value_kinds_init(w);
    value_more_init(w);
    return w;
}

bool value_writer_renew(struct value_writer *w, size_t max_value_bytes)
{
    w->max_bytes = max_value_bytes;
    return contain_renew(w->contain, max_value_bytes) &&
           pure_repr_renew(w->pure_repr);
}

void value_writer_free(struct value_writer *w)
{
    if (!w) {
        return;
    }
    contain_free(w->contain);
    pure_repr_free(w->pure_repr);
    value_library_free(w->library);
    cwm_free(w->frames);
    cwm_free(w);
}

void value_writer_set_program(struct value_writer *w, const char *source,
                              size_t source_len, PyObject *filename)
{
    pure_repr_set_program(w->pure_repr, source, source_len, filename);
}

void value_writer_set_budget(struct value_writer *w, uint64_t max_events,
                             void (*on_end)(void *ctx), void *ctx)
{
    contain_set_budget(w->contain, max_events, on_end, ctx);
}

/* ---- one value ---- */

void value_start(struct value_writer *w, uint8_t *dst)
{
    w->out.start = dst;
    w->out.at = dst;
    w->out.end = dst + w->max_bytes + 1;
    w->out.full = false;
    w->status = VALUE_GOING;
    w->depth = 0;
    w->depth_max = repr_depth_max();
    w->n_frames = 0;
    w->n_states = 0;
}

/* Cuts a text that is too long; its length. */
static size_t finish(struct value_writer *w, bool *ret_cut)
{
    size_t len = (size_t)(w->out.at - w->out.start);

    *ret_cut = len > w->max_bytes;
    if (!*ret_cut) {
        return len;
    }
    len = w->max_bytes < ELLIPSIS_BYTES ? 0 : w->max_bytes - ELLIPSIS_BYTES;
    while (len > 0 && (w->out.start[len] & 0xC0) == 0x80) {
        len--;
    }
    if (w->max_bytes < ELLIPSIS_BYTES) {
        return 0;
    }
    memcpy(w->out.start + len, ELLIPSIS, ELLIPSIS_BYTES);
    return len + ELLIPSIS_BYTES;
}

size_t value_render(struct value_writer *w, PyObject *value, uint8_t *dst,
                    size_t capacity, bool *ret_cut)
{
    assert(capacity >= w->max_bytes + 4);
    (void)capacity;
    value_start(w, dst);
    value_walk(w, value);
    /* Cut inside a loop: whether that ends is not known. */
    if (w->out.full && w->n_states > 0) {
        value_fail(w, VALUE_UNSAFE);
    }
    if (w->status == VALUE_UNSAFE) {
        value_start(w, dst);
        contain_walk(w, value);
    }
    if (w->status != VALUE_GOING) {
        value_start(w, dst);
        value_puts(&w->out, "<unrepresentable ");
        value_put_type_name(&w->out, Py_TYPE(value));
        value_puts(&w->out, " object>");
    }
    return finish(w, ret_cut);
}
