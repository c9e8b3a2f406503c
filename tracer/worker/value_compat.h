/* SPDX-License-Identifier: MIT */
/*
 * value_compat.h -- what differs between CPython 3.9 and 3.14 in the layout of
 * the objects that are read from memory.  Public headers only.
 */
#ifndef TRACER_WORKER_VALUE_COMPAT_H
#define TRACER_WORKER_VALUE_COMPAT_H

#include <Python.h>

#if PY_VERSION_HEX < 0x030B0000
#include <longintrepr.h>
#endif
#if PY_VERSION_HEX < 0x030C0000
#include <structmember.h> /* PyMemberDef */
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if PY_VERSION_HEX >= 0x030D0000
/* Exported, but declared among the internal headers only. */
PyAPI_FUNC(int) _PySet_NextEntry(PyObject *set, Py_ssize_t *pos, PyObject **key,
                                 Py_hash_t *hash);
#endif

#ifndef ARRAY_LEN
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#endif

/* Digits of base 2^15 would break the arithmetic here. */
_Static_assert(PyLong_SHIFT == 30, "an int's digits have 30 bits");

/* The digits of an int, least significant first; none for zero. */
static inline const digit *compat_long_digits(const PyObject *object,
                                              size_t *ret_n, bool *ret_negative)
{
    const PyLongObject *value = (const PyLongObject *)object;
#if PY_VERSION_HEX >= 0x030C0000
    uintptr_t tag = value->long_value.lv_tag;

    *ret_n = tag >> 3;
    *ret_negative = (tag & 3) == 2;
    return value->long_value.ob_digit;
#else
    Py_ssize_t size = value->ob_base.ob_size;

    *ret_negative = size < 0;
    *ret_n = (size_t)(size < 0 ? -size : size);
    return value->ob_digit;
#endif
}

/* True when |object| < 2^60: *ret_magnitude and *ret_negative are set. */
static inline bool compat_long_small(const PyObject *object,
                                     uint64_t *ret_magnitude,
                                     bool *ret_negative)
{
    size_t n;
    const digit *digits = compat_long_digits(object, &n, ret_negative);

    if (n == 1) {
        *ret_magnitude = digits[0];
        return true;
    }
    if (n == 2) {
        *ret_magnitude = digits[0] | (uint64_t)digits[1] << PyLong_SHIFT;
        return true;
    }
    *ret_magnitude = 0;
    return n == 0;
}

/*
 * The characters of a str: its data, bytes a character (1, 2, 4), how many,
 * whether all are ASCII.  Before 3.12 a str made by an old extension may be
 * not ready: NULL then.
 */
static inline const void *compat_str_data(const PyObject *object, int *ret_kind,
                                          size_t *ret_n, bool *ret_ascii)
{
    const PyASCIIObject *ascii = (const PyASCIIObject *)object;
    const PyCompactUnicodeObject *compact =
        (const PyCompactUnicodeObject *)object;

    *ret_kind = ascii->state.kind;
    *ret_n = (size_t)ascii->length;
    *ret_ascii = ascii->state.ascii;
#if PY_VERSION_HEX < 0x030C0000
    if (!ascii->state.ready) {
        return NULL;
    }
#endif
    if (ascii->state.compact) {
        return ascii->state.ascii ? (const void *)(ascii + 1)
                                  : (const void *)(compact + 1);
    }
    return ((const PyUnicodeObject *)object)->data.any;
}

/* Where a dict or set of exact type is empty. */
static inline bool compat_dict_empty(const PyObject *object)
{
    return ((const PyDictObject *)object)->ma_used == 0;
}

static inline bool compat_set_empty(const PyObject *object)
{
    return ((const PySetObject *)object)->used == 0;
}

#endif /* TRACER_WORKER_VALUE_COMPAT_H */
