/* SPDX-License-Identifier: MIT */
/*
 * value_attr.c -- see value_attr.h.  Uses the interpreter's internal headers:
 * since 3.11 an object's attributes may lie in the object itself, and every
 * public way of reading them can make a dict, which the program could see.
 */
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include <Python.h>

#if PY_VERSION_HEX >= 0x030B0000
#include <internal/pycore_dict.h>
#include <internal/pycore_object.h>
#endif

#include "tracer/worker/value_attr.h"
#include "tracer/worker/value_compat.h"

/* Member types that hold an object; the headers' names for them change. */
#define MEMBER_OBJECT    6
#define MEMBER_OBJECT_EX 16

/* ---- where attributes lie ---- */

/* A name that is looked for. */
struct wanted {
    PyObject *object; /* borrowed; NULL when it is known by its text only */
    const void *data;
    size_t n; /* characters */
    int kind; /* bytes a character */
};

static struct wanted wanted_object(PyObject *name)
{
    struct wanted wanted = {.object = name};
    bool ascii;

    wanted.data = compat_str_data(name, &wanted.kind, &wanted.n, &ascii);
    return wanted;
}

static struct wanted wanted_ascii(const char *name)
{
    struct wanted wanted = {.data = name, .n = strlen(name), .kind = 1};

    return wanted;
}

static bool is_wanted(PyObject *key, const struct wanted *wanted)
{
    const void *data;
    size_t n;
    int kind;
    bool ascii;

    if (key == wanted->object) {
        return true;
    }
    if (Py_TYPE(key) != &PyUnicode_Type) {
        return false;
    }
    data = compat_str_data(key, &kind, &n, &ascii);
    return data && wanted->data && n == wanted->n && kind == wanted->kind &&
           memcmp(data, wanted->data, n * (size_t)kind) == 0;
}

/* No hashing, no comparing: a key of the program's own cannot be asked. */
static PyObject *dict_scan(PyObject *dict, const struct wanted *wanted)
{
    Py_ssize_t at = 0;
    PyObject *key;
    PyObject *value;

    while (PyDict_Next(dict, &at, &key, &value)) {
        if (is_wanted(key, wanted)) {
            return value;
        }
    }
    return NULL;
}

#if PY_VERSION_HEX >= 0x030B0000

static PyObject *values_scan(const PyTypeObject *type, PyDictValues *values,
                             const struct wanted *wanted)
{
    PyDictKeysObject *keys =
        ((const PyHeapTypeObject *)type)->ht_cached_keys; /* borrowed */

    if (!keys || !DK_IS_UNICODE(keys)) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
        PyObject *key = DK_UNICODE_ENTRIES(keys)[i].me_key;

        if (key && is_wanted(key, wanted)) {
            return values->values[i];
        }
    }
    return NULL;
}

/* One of the two, or neither; the object has a managed dict. */
static void managed_attrs(PyObject *object, PyDictValues **ret_values,
                          PyObject **ret_dict)
{
    *ret_values = NULL;
    *ret_dict = NULL;
#if PY_VERSION_HEX >= 0x030D0000
    if ((Py_TYPE(object)->tp_flags & Py_TPFLAGS_INLINE_VALUES) &&
        _PyObject_InlineValues(object)->valid) {
        *ret_values = _PyObject_InlineValues(object);
        return;
    }
    *ret_dict = (PyObject *)_PyObject_GetManagedDict(object);
#elif PY_VERSION_HEX >= 0x030C0000
    PyDictOrValues either = *_PyObject_DictOrValuesPointer(object);

    if (_PyDictOrValues_IsValues(either)) {
        *ret_values = _PyDictOrValues_GetValues(either);
    } else {
        *ret_dict = _PyDictOrValues_GetDict(either);
    }
#else
    *ret_values = *_PyObject_ValuesPointer(object);
    *ret_dict = *_PyObject_ManagedDictPointer(object);
#endif
}

#endif /* 3.11 */

static PyObject *own_attr(PyObject *object, const struct wanted *wanted)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject **dict;

#if PY_VERSION_HEX >= 0x030B0000
    if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
        PyDictValues *values;
        PyObject *managed;

        managed_attrs(object, &values, &managed);
        if (values) {
            return values_scan(type, values, wanted);
        }
        return managed ? dict_scan(managed, wanted) : NULL;
    }
#endif
    if (type->tp_dictoffset == 0) {
        return NULL;
    }
    dict = _PyObject_GetDictPtr(object);
    return dict && *dict && PyDict_Check(*dict) ? dict_scan(*dict, wanted)
                                                : NULL;
}

PyObject *value_own_attr(PyObject *object, const char *name)
{
    struct wanted wanted = wanted_ascii(name);

    return own_attr(object, &wanted);
}

/* ---- attribute access ---- */

PyObject *value_type_lookup(PyTypeObject *type, PyObject *name)
{
    PyObject *found = _PyType_Lookup(type, name); /* borrowed */

    if (!found && PyErr_Occurred()) {
        PyErr_Clear();
    }
    return found;
}

/*
 * Names of attributes, interned, and what they stand for on object and type.
 * One per process: the interpreter's own types are.
 */
static struct {
    PyObject *getattribute; /* owned */
    PyObject *class;        /* owned */
    PyObject *name;         /* owned */
    PyObject *qualname;     /* owned */
} names;

void value_attr_init(void)
{
    if (!names.getattribute) {
        names.getattribute = PyUnicode_InternFromString("__getattribute__");
        names.class = PyUnicode_InternFromString("__class__");
        names.name = PyUnicode_InternFromString("__name__");
        names.qualname = PyUnicode_InternFromString("__qualname__");
    }
}

/* True when the type has this attribute as `base` defines it. */
static bool is_inherited(PyTypeObject *type, PyTypeObject *base, PyObject *name)
{
    return value_type_lookup(type, name) == value_type_lookup(base, name);
}

/* Attributes are looked for as object does it, but for a __getattr__. */
static bool getattribute_is_plain(PyTypeObject *type)
{
    return type->tp_getattro == PyObject_GenericGetAttr ||
           is_inherited(type, &PyBaseObject_Type, names.getattribute);
}

/* A slot, or a C type's member that holds an object. */
static enum value_attr read_member(PyObject *object, PyObject *descriptor,
                                   PyObject **ret_value)
{
    PyMemberDescrObject *member = (PyMemberDescrObject *)descriptor;

    if (!PyType_IsSubtype(Py_TYPE(object), PyDescr_TYPE(member)) ||
        (member->d_member->type != MEMBER_OBJECT &&
         member->d_member->type != MEMBER_OBJECT_EX)) {
        return VALUE_ATTR_UNSAFE;
    }
    memcpy(ret_value, (const char *)object + member->d_member->offset,
           sizeof(*ret_value));
    if (*ret_value) {
        return VALUE_ATTR_FOUND;
    }
    if (member->d_member->type == MEMBER_OBJECT) {
        *ret_value = Py_None;
        return VALUE_ATTR_FOUND;
    }
    return Py_TYPE(object)->tp_getattro == PyObject_GenericGetAttr
               ? VALUE_ATTR_MISSING
               : VALUE_ATTR_UNSAFE;
}

enum value_attr value_plain_attr(PyObject *object, PyObject *name,
                                 PyObject **ret_value)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject *on_type; /* borrowed */
    PyObject *own;     /* borrowed */
    struct wanted wanted = wanted_object(name);

    if (!getattribute_is_plain(type)) {
        return VALUE_ATTR_UNSAFE;
    }
    on_type = value_type_lookup(type, name);
    if (on_type && Py_TYPE(on_type)->tp_descr_set) {
        return Py_TYPE(on_type) == &PyMemberDescr_Type
                   ? read_member(object, on_type, ret_value)
                   : VALUE_ATTR_UNSAFE;
    }
    own = own_attr(object, &wanted);
    if (own) {
        *ret_value = own;
        return VALUE_ATTR_FOUND;
    }
    if (on_type) {
        *ret_value = on_type;
        return Py_TYPE(on_type)->tp_descr_get ? VALUE_ATTR_UNSAFE
                                              : VALUE_ATTR_FOUND;
    }
    return type->tp_getattro == PyObject_GenericGetAttr ? VALUE_ATTR_MISSING
                                                        : VALUE_ATTR_UNSAFE;
}

bool value_class_is_plain(PyTypeObject *type)
{
    return getattribute_is_plain(type) &&
           is_inherited(type, &PyBaseObject_Type, names.class);
}

bool value_type_names_are_plain(PyTypeObject *type)
{
    PyTypeObject *meta = Py_TYPE(type);

    if (meta == &PyType_Type) {
        return true;
    }
    return is_inherited(meta, &PyType_Type, names.getattribute) &&
           is_inherited(meta, &PyType_Type, names.name) &&
           is_inherited(meta, &PyType_Type, names.qualname);
}
