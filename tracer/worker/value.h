/* SPDX-License-Identifier: MIT */
/*
 * value.h -- the text of a Python value, straight from the object.
 *
 * The text is what repr() gives, made the same on every run
 * (TRACE_FORMAT section 3), without running any code of the program: exact
 * built-in types are written from their memory; what repr() of it is known to
 * do is done here in C; a user-defined __repr__ that can be shown free of
 * side effects is evaluated by its recipe (pure_repr.c); anything else is
 * evaluated in a scratch process (contain.c, jail.h).
 *
 * Never: takes a reference that outlives the call, changes a reference count
 * as the program could see it, leaves an exception set, uses the program's
 * recursion budget, allocates Python objects that the collector tracks
 * (allocation thresholds are visible through gc), or reads __class__.
 * The current exception is saved and restored by the hook around the calls.
 *
 * Threads: with the GIL held, main thread only.
 */
#ifndef TRACER_WORKER_VALUE_H
#define TRACER_WORKER_VALUE_H

#include <Python.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tracer/worker/value_compat.h"

/*
 * Where text goes: a fixed area.  Writers stop at `end`; once `end` is hit
 * `full` is set and the text is cut there by value_render().
 */
struct value_out {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool full;
};

struct value_writer; /* opaque: value.c; caches, limits, scratch memory */

/*
 * max_value_bytes as in --max-value-bytes.  Called once per run, in the child
 * before the program's code runs.  NULL when memory is short.
 */
struct value_writer *value_writer_new(size_t max_value_bytes);
void value_writer_free(struct value_writer *w);

/*
 * Take over, in a forked process, a writer that its parent made and did not
 * use: what it shares with scratch processes must not be shared with other
 * runs.  False when memory is short.
 */
bool value_writer_renew(struct value_writer *w, size_t max_value_bytes);

/*
 * For programs' classes with a __repr__ of their own: the program's text
 * (borrowed for the writer's life) and file name as in co_filename.
 */
void value_writer_set_program(struct value_writer *w, const char *source,
                              size_t source_len, PyObject *filename);

/* As contain_set_budget(): for values that need a scratch process. */
void value_writer_set_budget(struct value_writer *w, uint64_t max_events,
                             void (*on_end)(void *ctx), void *ctx);

/*
 * Write the text of `value` (borrowed) to dst[0..capacity).  capacity must be
 * at least max_value_bytes + 4.  Returns its length; *ret_cut tells whether it
 * was cut at the limit (it then ends in U+2026 and is at most max_value_bytes
 * long, the ellipsis included).  Never fails: what cannot be shown becomes
 * "<unrepresentable NAME object>".
 */
size_t value_render(struct value_writer *w, PyObject *value, uint8_t *dst,
                    size_t capacity, bool *ret_cut);

/*
 * A fingerprint that lets an unchanged value be recognised without rendering
 * it again.  value_same() is true only when the text that `value` has now is
 * certainly the text it had when the snapshot was taken; false means "render
 * and compare".  A snapshot holds no references; an address alone proves
 * nothing (memory is reused), so all of the value is in the snapshot.
 */
struct value_snapshot {
    const PyTypeObject *type; /* NULL: no snapshot */
    uint64_t bits;            /* int, float: the value; str: bytes 0 to 7 */
    uint64_t extra;           /* str: bytes 8 to 15 */
    uint32_t tag;             /* int: sign; str: kind and length */
};

/* Fills bits, extra and tag; false when `value` is of no such kind. */
static inline bool value__fingerprint(PyObject *value, struct value_snapshot *s)
{
    const PyTypeObject *type = Py_TYPE(value);

    s->type = type;
    s->bits = 0;
    s->extra = 0;
    s->tag = 0;
    if (type == &PyLong_Type) {
        bool negative;

        if (!compat_long_small(value, &s->bits, &negative)) {
            return false;
        }
        s->tag = negative;
        return true;
    }
    if (type == &PyUnicode_Type) {
        int kind;
        bool ascii;
        size_t n;
        const void *data = compat_str_data(value, &kind, &n, &ascii);
        unsigned char bytes[16] = {0};

        if (!data || n * (size_t)kind > sizeof(bytes)) {
            return false;
        }
        memcpy(bytes, data, n * (size_t)kind);
        memcpy(&s->bits, bytes, 8);
        memcpy(&s->extra, bytes + 8, 8);
        s->tag = (uint32_t)kind << 8 | (uint32_t)n;
        return true;
    }
    if (type == &PyFloat_Type) {
        double number = PyFloat_AS_DOUBLE(value);

        memcpy(&s->bits, &number, sizeof(s->bits));
        return true;
    }
    if (type == &PyBool_Type) {
        s->tag = value == Py_True;
        return true;
    }
    if (type == &PyList_Type || type == &PyTuple_Type) {
        return Py_SIZE(value) == 0;
    }
    if (type == &PyDict_Type) {
        return compat_dict_empty(value);
    }
    if (type == &PySet_Type) {
        return compat_set_empty(value);
    }
    return value == Py_None;
}

static inline void value_snapshot(const struct value_writer *w, PyObject *value,
                                  struct value_snapshot *s)
{
    (void)w;
    if (!value__fingerprint(value, s)) {
        s->type = NULL;
    }
}

static inline bool value_same(const struct value_writer *w, PyObject *value,
                              const struct value_snapshot *s)
{
    struct value_snapshot now;

    (void)w;
    return s->type == Py_TYPE(value) && value__fingerprint(value, &now) &&
           now.bits == s->bits && now.extra == s->extra && now.tag == s->tag;
}

#endif /* TRACER_WORKER_VALUE_H */
