/* SPDX-License-Identifier: MIT */
/*
 * judge_value.c -- Python values written as bytes; the format is in
 * judge_value_internal.h.
 */
#include "eval/worker/judge_value.h"

#include <marshal.h>
#include <string.h>

#include "eval/worker/judge_link.h"
#include "eval/worker/judge_value_internal.h"

/*
 * Classes of the library that are made from plain values: by __reduce__(),
 * or (Counter, OrderedDict, deque, timezone) from what they hold.
 */
static const struct {
    const char *module, *name;
} library[] = {
    {"collections", "Counter"}, {"collections", "OrderedDict"},
    {"collections", "deque"},   {"datetime", "timezone"},
    {"decimal", "Decimal"},     {"fractions", "Fraction"},
    {"datetime", "date"},       {"datetime", "time"},
    {"datetime", "datetime"},   {"datetime", "timedelta"},
    {"builtins", "range"},      {"builtins", "slice"},
};
_Static_assert(sizeof library / sizeof library[0] == JUDGE_N_LIBRARY,
               "the table is the enum's");

static PyTypeObject *classes[JUDGE_N_LIBRARY]; /* owned, made when warm */

bool judge_value_prepare(void)
{
    for (size_t i = 0; i < JUDGE_N_LIBRARY; i++) {
        PyObject *module = PyImport_ImportModule(library[i].module);
        PyObject *class =
            module ? PyObject_GetAttrString(module, library[i].name) : NULL;

        Py_XDECREF(module);
        if (!class) {
            return false;
        }
        classes[i] = (PyTypeObject *)class;
    }
    return true;
}

PyTypeObject *judge__library_class(size_t which)
{
    return classes[which];
}

bool judge_side_init(struct judge_side *side, bool is_agent,
                     PyObject *remote_type, uint64_t first)
{
    memset(side, 0, sizeof *side);
    side->is_agent = is_agent;
    side->remote_type = remote_type;
    side->first = first;
    if (is_agent) {
        side->kept = PyList_New(0);
        side->numbers = PyDict_New();
        return side->kept && side->numbers;
    }
    side->remotes = PyDict_New();
    return side->remotes != NULL;
}

void judge_side_release(struct judge_side *side)
{
    Py_CLEAR(side->kept);
    Py_CLEAR(side->numbers);
    Py_CLEAR(side->remotes);
}

bool judge_side_number(const struct judge_side *side, uint64_t number,
                       uint32_t *ret_number)
{
    if (number < side->first || number - side->first > UINT32_MAX) {
        PyErr_SetString(PyExc_TypeError, "an object of another candidate's");
        return false;
    }
    *ret_number = (uint32_t)(number - side->first);
    return true;
}

/* ---- writing ---- */

static bool put(struct judge_side *side, PyObject *value, struct cwm_buf *out,
                int depth);

static bool was_put(const struct cwm_buf *out)
{
    if (out->failed == CWM_OK) {
        return true;
    }
    PyErr_SetString(PyExc_MemoryError, "a value is too large to be sent");
    return false;
}

static bool put_bytes(struct cwm_buf *out, char tag, const void *data,
                      size_t len)
{
    if (len > LINK_MAX_BYTES) {
        PyErr_SetString(PyExc_MemoryError, "a value is too large to be sent");
        return false;
    }
    cwm_buf_addc(out, tag);
    link_add_u32(out, (uint32_t)len);
    cwm_buf_add(out, len ? data : "", len);
    return was_put(out);
}

static bool put_head(struct cwm_buf *out, char tag, Py_ssize_t n)
{
    cwm_buf_addc(out, tag);
    link_add_u32(out, (uint32_t)n);
    return was_put(out);
}

static bool put_int(PyObject *value, struct cwm_buf *out)
{
    int overflow = 0;
    long long small = PyLong_AsLongLongAndOverflow(value, &overflow);
    PyObject *digits; /* owned */
    Py_ssize_t len;
    const char *text;
    bool done;

    if (overflow == 0) {
        uint8_t bytes[9] = {'i'};

        for (int i = 0; i < 8; i++) {
            bytes[1 + i] = (uint8_t)((unsigned long long)small >> (8 * i));
        }
        cwm_buf_add(out, bytes, sizeof bytes);
        return was_put(out);
    }
    digits = PyNumber_ToBase(value, 16);
    text = digits ? PyUnicode_AsUTF8AndSize(digits, &len) : NULL;
    done = text && put_bytes(out, 'I', text, (size_t)len);
    Py_XDECREF(digits);
    return done;
}

static bool put_doubles(struct cwm_buf *out, char tag, const double *values,
                        size_t n)
{
    cwm_buf_addc(out, tag);
    cwm_buf_add(out, values, n * sizeof *values);
    return was_put(out);
}

static bool put_text(PyObject *value, struct cwm_buf *out)
{
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(value, &len);
    PyObject *bytes; /* owned */
    bool done;

    if (text) {
        return put_bytes(out, 's', text, (size_t)len);
    }
    PyErr_Clear();
    bytes = PyUnicode_AsEncodedString(value, "utf-8", "surrogatepass");
    done = bytes && put_bytes(out, 's', PyBytes_AS_STRING(bytes),
                              (size_t)PyBytes_GET_SIZE(bytes));
    Py_XDECREF(bytes);
    return done;
}

static bool put_list(struct judge_side *side, PyObject *value,
                     struct cwm_buf *out, int depth)
{
    const bool is_list = PyList_Check(value);
    const Py_ssize_t n = Py_SIZE(value);

    if (!put_head(out, is_list ? 'l' : 't', n)) {
        return false;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item;
        bool done;

        if (is_list && i >= PyList_GET_SIZE(value)) {
            PyErr_SetString(PyExc_RuntimeError, "a list shrank");
            return false;
        }
        item = is_list ? PyList_GET_ITEM(value, i) : PyTuple_GET_ITEM(value, i);
        Py_INCREF(item);
        done = put(side, item, out, depth + 1);
        Py_DECREF(item);
        if (!done) {
            return false;
        }
    }
    return true;
}

/* The members of the built-in part, whatever the class iterates over. */
static bool put_set(struct judge_side *side, PyObject *value,
                    struct cwm_buf *out, int depth)
{
    const bool is_frozen = PyFrozenSet_Check(value);
    PyObject *items = /* owned */
        (is_frozen ? PyFrozenSet_Type.tp_iter : PySet_Type.tp_iter)(value);
    size_t at = out->len + 1;
    uint32_t n = 0;
    PyObject *item;
    bool done = items && put_head(out, is_frozen ? 'Z' : 'S', 0);

    while (done && (item = Py_TYPE(items)->tp_iternext(items)) != NULL) {
        done = put(side, item, out, depth + 1);
        Py_DECREF(item);
        n++;
    }
    Py_XDECREF(items);
    if (!done || PyErr_Occurred()) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        out->data[at + (size_t)i] = (char)(uint8_t)(n >> (8 * i));
    }
    return true;
}

static bool put_dict(struct judge_side *side, PyObject *value,
                     struct cwm_buf *out, int depth)
{
    PyObject *copy = PyDict_New(); /* owned: what `value` holds, now */
    PyObject *key;
    PyObject *item;
    Py_ssize_t at = 0;
    bool done = copy && PyDict_Merge(copy, value, 1) == 0;

    if (done && !PyDict_CheckExact(value) &&
        Py_TYPE(value) != classes[JUDGE_ORDERED_DICT]) {
        /* Merging asks a subclass for its keys: take the dict's own. */
        PyDict_Clear(copy);
        while (done && PyDict_Next(value, &at, &key, &item)) {
            done = PyDict_SetItem(copy, key, item) == 0;
        }
        at = 0;
    }
    done = done && put_head(out, 'D', PyDict_GET_SIZE(copy));
    while (done && PyDict_Next(copy, &at, &key, &item)) {
        done =
            put(side, key, out, depth + 1) && put(side, item, out, depth + 1);
    }
    Py_XDECREF(copy);
    return done;
}

/* (list of items, maxlen) */
static PyObject *deque_parts(PyObject *value)
{
    PyObject *items = PySequence_List(value);                 /* owned */
    PyObject *most = PyObject_GetAttrString(value, "maxlen"); /* owned */
    PyObject *parts = items && most ? PyTuple_Pack(2, items, most) : NULL;

    Py_XDECREF(items);
    Py_XDECREF(most);
    return parts;
}

/* What `value`, exactly of classes[which], is made from; owned. */
static PyObject *library_parts(PyObject *value, int which)
{
    PyObject *reduced; /* owned */
    PyObject *parts = NULL;

    if (which == JUDGE_DEQUE) {
        return deque_parts(value);
    }
    if (which == JUDGE_TIMEZONE) {
        return PyObject_CallMethod(value, "__getinitargs__", NULL);
    }
    reduced = PyObject_CallMethod(value, "__reduce__", NULL);
    if (reduced && PyTuple_Check(reduced) && PyTuple_GET_SIZE(reduced) >= 2) {
        parts = PyTuple_GET_ITEM(reduced, 1);
        Py_INCREF(parts);
    } else if (reduced) {
        PyErr_SetString(PyExc_TypeError, "a value cannot be sent");
    }
    Py_XDECREF(reduced);
    return parts;
}

static bool put_library(struct judge_side *side, PyObject *value, int which,
                        struct cwm_buf *out, int depth)
{
    PyObject *parts; /* owned */
    bool done;

    cwm_buf_addc(out, 'X');
    cwm_buf_addc(out, (char)which);
    if (which == JUDGE_COUNTER || which == JUDGE_ORDERED_DICT) {
        return was_put(out) && put_dict(side, value, out, depth + 1);
    }
    parts = library_parts(value, which);
    done = parts && put(side, parts, out, depth + 1);
    Py_XDECREF(parts);
    return done;
}

/* A number for an object that stays here. */
static bool put_kept(struct judge_side *side, PyObject *value,
                     struct cwm_buf *out)
{
    PyObject *key = PyLong_FromVoidPtr(value); /* owned */
    PyObject *number =                         /* borrowed */
        key ? PyDict_GetItemWithError(side->numbers, key) : NULL;
    long n = number ? PyLong_AsLong(number) : (long)PyList_GET_SIZE(side->kept);
    bool done = key && !PyErr_Occurred();

    if (done && !number) {
        PyObject *new_number = PyLong_FromLong(n); /* owned */

        done = new_number &&
               PyDict_SetItem(side->numbers, key, new_number) == 0 &&
               PyList_Append(side->kept, value) == 0;
        Py_XDECREF(new_number);
    }
    Py_XDECREF(key);
    if (!done) {
        return false;
    }
    cwm_buf_addc(out, 'H');
    link_add_u32(out, (uint32_t)n);
    cwm_buf_addc(out, (char)(PyCallable_Check(value) != 0));
    return was_put(out);
}

/*
 * A test hands a function over (a key, a predicate): its code goes, and runs
 * among the candidate's names.  Nothing else of the test goes with it.
 */
static bool put_function(PyObject *value, struct cwm_buf *out)
{
    PyObject *code; /* owned */
    bool done;

    if (PyFunction_GET_CLOSURE(value) || PyFunction_GET_DEFAULTS(value) ||
        PyFunction_GET_KW_DEFAULTS(value)) {
        PyErr_SetString(PyExc_TypeError,
                        "a test cannot hand a closure to the candidate");
        return false;
    }
    code = PyMarshal_WriteObjectToString(PyFunction_GET_CODE(value),
                                         Py_MARSHAL_VERSION);
    done = code && put_bytes(out, 'P', PyBytes_AS_STRING(code),
                             (size_t)PyBytes_GET_SIZE(code));
    Py_XDECREF(code);
    return done;
}

/* len, abs and the like by name; false without an error: it is none. */
static bool put_builtin(PyObject *value, struct cwm_buf *out, bool *ret_done)
{
    const char *name = PyCFunction_Check(value)
                           ? ((PyCFunctionObject *)value)->m_ml->ml_name
                           : NULL;

    *ret_done =
        name && PyDict_GetItemString(PyEval_GetBuiltins(), name) == value;
    return !*ret_done || put_bytes(out, 'G', name, strlen(name));
}

static bool put_remote(struct judge_side *side, PyObject *value,
                       struct cwm_buf *out)
{
    PyObject *number; /* owned */
    uint32_t n = 0;
    bool done;

    if (!put_builtin(value, out, &done) || done) {
        return done;
    }
    if (PyFunction_Check(value)) {
        return put_function(value, out);
    }
    if (Py_TYPE(value) != (PyTypeObject *)side->remote_type) {
        PyErr_Format(PyExc_TypeError,
                     "a test cannot hand a '%.100s' to the candidate",
                     Py_TYPE(value)->tp_name);
        return false;
    }
    number = PyObject_GetAttrString(value, "_n");
    done = number &&
           judge_side_number(side, PyLong_AsUnsignedLongLong(number), &n);
    Py_XDECREF(number);
    cwm_buf_addc(out, 'H');
    link_add_u32(out, n);
    cwm_buf_addc(out, 0);
    return done && was_put(out);
}

/* int, str and the like by name; false without an error: it is none. */
static bool put_class(PyObject *value, struct cwm_buf *out, bool *ret_done)
{
    const char *name = ((PyTypeObject *)value)->tp_name;
    PyObject *found = /* borrowed */
        PyDict_GetItemString(PyEval_GetBuiltins(), name);

    *ret_done = false;
    if (found != value ||
        (((PyTypeObject *)value)->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        return true;
    }
    *ret_done = true;
    return put_bytes(out, 'B', name, strlen(name));
}

static bool put_other(struct judge_side *side, PyObject *value,
                      struct cwm_buf *out, int depth)
{
    bool done = false;

    for (int i = 0; i < JUDGE_N_LIBRARY; i++) {
        if (Py_TYPE(value) == classes[i]) {
            return put_library(side, value, i, out, depth);
        }
    }
    if (PyType_Check(value)) {
        if (!put_class(value, out, &done) || done) {
            return done;
        }
    }
    return side->is_agent ? put_kept(side, value, out)
                          : put_remote(side, value, out);
}

static bool put_constant(PyObject *value, struct cwm_buf *out)
{
    char tag = value == Py_None       ? 'N'
               : value == Py_True     ? 'T'
               : value == Py_False    ? 'F'
               : value == Py_Ellipsis ? '.'
                                      : '!';

    cwm_buf_addc(out, tag);
    return was_put(out);
}

static bool put_container(struct judge_side *side, PyObject *value,
                          struct cwm_buf *out, int depth)
{
    if (PyList_Check(value) || PyTuple_Check(value)) {
        return put_list(side, value, out, depth);
    }
    if (Py_TYPE(value) == classes[JUDGE_COUNTER] ||
        Py_TYPE(value) == classes[JUDGE_ORDERED_DICT]) {
        return put_other(side, value, out, depth);
    }
    return PyDict_Check(value) ? put_dict(side, value, out, depth)
                               : put_set(side, value, out, depth);
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by JUDGE_MAX_DEPTH */
static bool put(struct judge_side *side, PyObject *value, struct cwm_buf *out,
                int depth)
{
    if (depth > JUDGE_MAX_DEPTH) {
        PyErr_SetString(PyExc_TypeError, "a value is too deep to be sent");
        return false;
    }
    if (value == Py_None || PyBool_Check(value) || value == Py_Ellipsis ||
        value == Py_NotImplemented) {
        return put_constant(value, out);
    }
    if (PyLong_Check(value)) {
        return put_int(value, out);
    }
    if (PyFloat_Check(value)) {
        const double number = PyFloat_AS_DOUBLE(value);

        return put_doubles(out, 'd', &number, 1);
    }
    if (PyUnicode_Check(value)) {
        return put_text(value, out);
    }
    if (PyList_Check(value) || PyTuple_Check(value) || PyDict_Check(value) ||
        PyAnySet_Check(value)) {
        return put_container(side, value, out, depth);
    }
    if (PyBytes_Check(value)) {
        return put_bytes(out, 'b', PyBytes_AS_STRING(value),
                         (size_t)PyBytes_GET_SIZE(value));
    }
    if (PyByteArray_Check(value)) {
        return put_bytes(out, 'y', PyByteArray_AS_STRING(value),
                         (size_t)PyByteArray_GET_SIZE(value));
    }
    if (PyComplex_Check(value)) {
        const double parts[2] = {PyComplex_RealAsDouble(value),
                                 PyComplex_ImagAsDouble(value)};

        return put_doubles(out, 'c', parts, 2);
    }
    return put_other(side, value, out, depth);
}

bool judge_value_write(struct judge_side *side, PyObject *value,
                       struct cwm_buf *out)
{
    const size_t before = out->len;

    if (put(side, value, out, 0)) {
        return true;
    }
    /* What is too deep, or changes while it is read, stays an object. */
    if (side->is_agent && out->failed == CWM_OK) {
        PyErr_Clear();
        out->len = before;
        return put_kept(side, value, out);
    }
    return false;
}
