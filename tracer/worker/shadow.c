/* SPDX-License-Identifier: MIT */
/* shadow.c -- compare small containers without rendering them. */
#include "tracer/worker/shadow.h"

#include "cwm/base/alloc.h"

/* Beyond these a value is rendered: most containers that programs keep in a
 * local while others change are smaller. */
#define MAX_ITEMS 160u
#define MAX_DEPTH 4u

/* In `tag`: no fingerprint of a scalar has it. */
#define CONTAINER_TAG UINT32_MAX

struct taking {
    const struct value_writer *w;
    struct value_snapshot *items;
    uint32_t n;
};

/* The fingerprint of a container itself; false for another object. */
static bool container_mark(PyObject *value, struct value_snapshot *mark)
{
    const PyTypeObject *type = Py_TYPE(value);
    Py_ssize_t size;
    if (type == &PyList_Type || type == &PyTuple_Type)
        size = Py_SIZE(value);
    else if (type == &PyDict_Type)
        size = PyDict_GET_SIZE(value);
    else
        return false;
    *mark = (struct value_snapshot){
        .type = type, .bits = (uint64_t)size, .tag = CONTAINER_TAG};
    return true;
}

static bool take(struct taking *t, PyObject *value, /* NOLINT */
                 unsigned depth)
{
    if (t->n == MAX_ITEMS)
        return false;
    struct value_snapshot *item = &t->items[t->n++];
    value_snapshot(t->w, value, item);
    if (item->type)
        return true;
    if (depth == MAX_DEPTH || !container_mark(value, item))
        return false;
    if (PyDict_CheckExact(value)) {
        PyObject *key;
        PyObject *object;
        Py_ssize_t at = 0;
        while (PyDict_Next(value, &at, &key, &object)) {
            if (!take(t, key, depth + 1) || !take(t, object, depth + 1))
                return false;
        }
        return true;
    }
    PyObject **objects = PySequence_Fast_ITEMS(value);
    for (Py_ssize_t i = 0; i < Py_SIZE(value); i++) {
        if (!take(t, objects[i], depth + 1))
            return false;
    }
    return true;
}

static const struct value_snapshot *match(const struct value_writer *w,
                                          PyObject *value,
                                          const struct value_snapshot *item);

/* The items of a list or tuple; most are scalars, told apart here. */
static const struct value_snapshot *match_objects(
    const struct value_writer *w, PyObject *const *objects, uint64_t n,
    const struct value_snapshot *item)
{
    for (uint64_t i = 0; i < n; i++) {
        if (item->tag == CONTAINER_TAG) {
            item = match(w, objects[i], item);
            if (!item)
                return NULL;
        } else if (!value_same(w, objects[i], item++)) {
            return NULL;
        }
    }
    return item;
}

/* The item behind `value`'s, or NULL when it differs.  Its shape was taken
 * from a value whose depth and size were bounded. */
static const struct value_snapshot *match(const struct value_writer *w,
                                          PyObject *value, /* NOLINT */
                                          const struct value_snapshot *item)
{
    struct value_snapshot mark;
    if (item->tag != CONTAINER_TAG)
        return value_same(w, value, item) ? item + 1 : NULL;
    if (item->type != Py_TYPE(value) || !container_mark(value, &mark) ||
        mark.bits != item->bits)
        return NULL;
    item++;
    if (mark.type != &PyDict_Type)
        return match_objects(w, PySequence_Fast_ITEMS(value), mark.bits, item);
    PyObject *pair[2];
    Py_ssize_t at = 0;
    while (item && PyDict_Next(value, &at, &pair[0], &pair[1]))
        item = match_objects(w, pair, 2, item);
    return item;
}

void shadow_release(struct shadow *s)
{
    cwm_free(s->items);
    *s = (struct shadow){0};
}

void shadow_take(struct shadow *s, const struct value_writer *w,
                 PyObject *value)
{
    struct value_snapshot mark;
    s->n = 0;
    if (!container_mark(value, &mark) || mark.bits >= MAX_ITEMS)
        return;
    if (!s->items) {
        s->items = cwm_malloc(MAX_ITEMS * sizeof(*s->items));
        if (!s->items)
            return; /* it is only slower without */
    }
    struct taking t = {w, s->items, 0};
    if (take(&t, value, 0))
        s->n = t.n;
}

bool shadow_matches(const struct shadow *s, const struct value_writer *w,
                    PyObject *value)
{
    return s->n && match(w, value, s->items) == s->items + s->n;
}
