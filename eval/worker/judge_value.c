/* SPDX-License-Identifier: MIT */
/*
 * judge_value.c -- Python values as bytes.
 *
 * Format: one byte that says what, then
 *     N T F . !            None, True, False, Ellipsis, NotImplemented
 *     i                    8 bytes LE, two's complement
 *     I  u32 n             n digits: hexadecimal, with sign and 0x
 *     d  8                 a double;  c  16: complex
 *     s b y  u32 n         text (UTF-8, surrogates too), bytes, bytearray
 *     l t S Z  u32 n       list, tuple, set, frozenset: n values
 *     D  u32 n             dict: n keys, each followed by its value
 *     B  u32 n             a built-in class by its name
 *     X  u8 which, value   a library's class and what it is made from
 *     H  u32 n, u8         an object of the candidate's; can it be called?
 *     P  u32 n             a test's function for the candidate: marshalled code
 */
#include "eval/worker/judge_value.h"

#include <marshal.h>
#include <string.h>

#include "eval/worker/judge_link.h"

/* Deeper values are objects: reading must not run out of stack. */
#define MAX_DEPTH 200

/*
 * Classes of the library that are made from plain values: by __reduce__(),
 * or (Counter, OrderedDict, deque) from what they hold.
 */
static const struct {
    const char *module, *name;
} library[] = {
    {"collections", "Counter"}, {"collections", "OrderedDict"},
    {"collections", "deque"},   {"decimal", "Decimal"},
    {"fractions", "Fraction"},  {"datetime", "date"},
    {"datetime", "time"},       {"datetime", "datetime"},
    {"datetime", "timedelta"},  {"builtins", "range"},
    {"builtins", "slice"},
};
enum { N_LIBRARY = sizeof library / sizeof library[0] };
enum { COUNTER, ORDERED_DICT, DEQUE };

static PyTypeObject *classes[N_LIBRARY]; /* owned, made when warm */

bool judge_value_prepare(void)
{
    for (size_t i = 0; i < N_LIBRARY; i++) {
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
        Py_TYPE(value) != classes[ORDERED_DICT]) {
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

    if (which == DEQUE) {
        return deque_parts(value);
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
    if (which == COUNTER || which == ORDERED_DICT) {
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

static bool put_remote(struct judge_side *side, PyObject *value,
                       struct cwm_buf *out)
{
    PyObject *number; /* owned */
    uint32_t n = 0;
    bool done;

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

    for (int i = 0; i < N_LIBRARY; i++) {
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
    if (Py_TYPE(value) == classes[COUNTER] ||
        Py_TYPE(value) == classes[ORDERED_DICT]) {
        return put_other(side, value, out, depth);
    }
    return PyDict_Check(value) ? put_dict(side, value, out, depth)
                               : put_set(side, value, out, depth);
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by MAX_DEPTH */
static bool put(struct judge_side *side, PyObject *value, struct cwm_buf *out,
                int depth)
{
    if (depth > MAX_DEPTH) {
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

/* ---- reading ---- */

static PyObject *get(struct judge_side *side, const uint8_t **at,
                     const uint8_t *end, int depth);

static PyObject *broken(void)
{
    PyErr_SetString(PyExc_ValueError, "an answer that is no value");
    return NULL;
}

/* n bytes at *at; NULL with an error when they are not there. */
static const uint8_t *take(const uint8_t **at, const uint8_t *end, size_t n)
{
    const uint8_t *p = *at;

    if ((size_t)(end - p) < n) {
        (void)broken();
        return NULL;
    }
    *at = p + n;
    return p;
}

static PyObject *get_int(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = take(at, end, 8);
    unsigned long long value = 0;

    if (!p) {
        return NULL;
    }
    for (int i = 0; i < 8; i++) {
        value |= (unsigned long long)p[i] << (8 * i);
    }
    return PyLong_FromLongLong((long long)value);
}

static PyObject *get_large_int(const uint8_t *data, size_t len)
{
    PyObject *text = /* owned */
        PyUnicode_DecodeASCII((const char *)data, (Py_ssize_t)len, NULL);
    PyObject *value = text ? PyLong_FromUnicodeObject(text, 16) : NULL;

    Py_XDECREF(text);
    return value;
}

static PyObject *get_doubles(const uint8_t **at, const uint8_t *end, bool two)
{
    double parts[2] = {0, 0};
    const size_t len = two ? 2 * sizeof(double) : sizeof(double);
    const uint8_t *p = take(at, end, len);

    if (!p) {
        return NULL;
    }
    memcpy(parts, p, len);
    return two ? PyComplex_FromDoubles(parts[0], parts[1])
               : PyFloat_FromDouble(parts[0]);
}

static PyObject *get_class(const uint8_t *data, size_t len)
{
    PyObject *name = /* owned */
        PyUnicode_DecodeASCII((const char *)data, (Py_ssize_t)len, NULL);
    PyObject *found = /* borrowed */
        name ? PyDict_GetItemWithError(PyEval_GetBuiltins(), name) : NULL;

    Py_XDECREF(name);
    if (!found || !PyType_Check(found)) {
        return PyErr_Occurred() ? NULL : broken();
    }
    Py_INCREF(found);
    return found;
}

static PyObject *get_bytes(char tag, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *data = NULL;
    uint32_t len;

    if (link_get_u32(at, end, &len)) {
        data = take(at, end, len);
    } else {
        (void)broken();
    }
    if (!data) {
        return NULL;
    }
    switch (tag) {
    case 's':
        return PyUnicode_DecodeUTF8((const char *)data, (Py_ssize_t)len,
                                    "surrogatepass");
    case 'b':
        return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)len);
    case 'y':
        return PyByteArray_FromStringAndSize((const char *)data,
                                             (Py_ssize_t)len);
    case 'I':
        return get_large_int(data, len);
    default:
        return get_class(data, len);
    }
}

static bool add_item(PyObject *to, char tag, Py_ssize_t i, PyObject *item)
{
    if (tag == 'l') {
        PyList_SET_ITEM(to, i, item); /* steals */
        return true;
    }
    if (tag == 't') {
        PyTuple_SET_ITEM(to, i, item); /* steals */
        return true;
    }
    if (PySet_Add(to, item) < 0) { /* a new frozenset may be filled */
        Py_DECREF(item);
        return false;
    }
    Py_DECREF(item);
    return true;
}

static PyObject *get_items(struct judge_side *side, char tag,
                           const uint8_t **at, const uint8_t *end, int depth)
{
    PyObject *result;
    uint32_t n;

    /* A value takes a byte at least. */
    if (!link_get_u32(at, end, &n) || n > (size_t)(end - *at)) {
        return broken();
    }
    result = tag == 'l'   ? PyList_New((Py_ssize_t)n)
             : tag == 't' ? PyTuple_New((Py_ssize_t)n)
             : tag == 'S' ? PySet_New(NULL)
                          : PyFrozenSet_New(NULL);
    for (uint32_t i = 0; result && i < n; i++) {
        PyObject *item = get(side, at, end, depth + 1);

        if (!item || !add_item(result, tag, (Py_ssize_t)i, item)) {
            Py_DECREF(result);
            return NULL;
        }
    }
    return result;
}

static PyObject *get_dict(struct judge_side *side, const uint8_t **at,
                          const uint8_t *end, int depth)
{
    PyObject *result = PyDict_New();
    uint32_t n;

    if (!link_get_u32(at, end, &n)) {
        Py_XDECREF(result);
        return broken();
    }
    for (uint32_t i = 0; result && i < n; i++) {
        PyObject *key = get(side, at, end, depth + 1);               /* owned */
        PyObject *item = key ? get(side, at, end, depth + 1) : NULL; /* owned */

        if (!item || PyDict_SetItem(result, key, item) < 0) {
            Py_DECREF(result);
            result = NULL;
        }
        Py_XDECREF(key);
        Py_XDECREF(item);
    }
    return result;
}

static PyObject *get_library(struct judge_side *side, const uint8_t **at,
                             const uint8_t *end, int depth)
{
    const uint8_t *which = take(at, end, 1);
    PyObject *result = NULL;
    PyObject *parts; /* owned */

    if (!which || *which >= N_LIBRARY) {
        return which ? broken() : NULL;
    }
    parts = get(side, at, end, depth + 1);
    if (!parts) {
        return NULL;
    }
    if (*which == COUNTER || *which == ORDERED_DICT) {
        result = PyDict_CheckExact(parts)
                     ? PyObject_CallOneArg((PyObject *)classes[*which], parts)
                     : broken();
    } else {
        result = PyTuple_CheckExact(parts)
                     ? PyObject_CallObject((PyObject *)classes[*which], parts)
                     : broken();
    }
    Py_DECREF(parts);
    return result;
}

/* Trusted bytes: only the tester sends them. */
static PyObject *get_function(const struct judge_side *side, const uint8_t **at,
                              const uint8_t *end)
{
    const uint8_t *data = NULL;
    PyObject *code; /* owned */
    PyObject *function = NULL;
    uint32_t len;

    if (!side->is_agent || !side->names || !link_get_u32(at, end, &len)) {
        return broken();
    }
    data = take(at, end, len);
    code = data ? PyMarshal_ReadObjectFromString((const char *)data,
                                                 (Py_ssize_t)len)
                : NULL;
    if (code) {
        function = PyFunction_New(code, side->names);
    }
    Py_XDECREF(code);
    return function;
}

/* The Remote of number `n`: always the same one. */
static PyObject *get_remote(struct judge_side *side, uint32_t n)
{
    PyObject *key = /* owned */
        PyLong_FromUnsignedLongLong(side->first + n);
    PyObject *remote = /* borrowed, then owned */
        key ? PyDict_GetItemWithError(side->remotes, key) : NULL;

    if (remote) {
        Py_INCREF(remote);
    } else if (key && !PyErr_Occurred()) {
        remote = PyObject_CallOneArg(side->remote_type, key);
        if (remote && PyDict_SetItem(side->remotes, key, remote) < 0) {
            Py_DECREF(remote);
            remote = NULL;
        }
    }
    Py_XDECREF(key);
    return remote;
}

static PyObject *get_object(struct judge_side *side, const uint8_t **at,
                            const uint8_t *end)
{
    PyObject *object;
    uint32_t n;

    if (!link_get_u32(at, end, &n) || !take(at, end, 1)) {
        return PyErr_Occurred() ? NULL : broken();
    }
    if (!side->is_agent) {
        return get_remote(side, n);
    }
    object = PyList_GetItem(side->kept, (Py_ssize_t)n); /* borrowed */
    Py_XINCREF(object);
    return object;
}

static PyObject *get_constant(char tag)
{
    PyObject *value = tag == 'N'   ? Py_None
                      : tag == 'T' ? Py_True
                      : tag == 'F' ? Py_False
                      : tag == '.' ? Py_Ellipsis
                      : tag == '!' ? Py_NotImplemented
                                   : NULL;

    if (!value) {
        return broken();
    }
    Py_INCREF(value);
    return value;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by MAX_DEPTH */
static PyObject *get(struct judge_side *side, const uint8_t **at,
                     const uint8_t *end, int depth)
{
    const uint8_t *tag = take(at, end, 1);

    /* A library's class takes two levels, where it took one to write. */
    if (!tag || depth > 2 * MAX_DEPTH + 2) {
        return tag ? broken() : NULL;
    }
    switch ((char)*tag) {
    case 'i':
        return get_int(at, end);
    case 'd':
        return get_doubles(at, end, false);
    case 'c':
        return get_doubles(at, end, true);
    case 's':
    case 'b':
    case 'y':
    case 'I':
    case 'B':
        return get_bytes((char)*tag, at, end);
    case 'l':
    case 't':
    case 'S':
    case 'Z':
        return get_items(side, (char)*tag, at, end, depth);
    case 'D':
        return get_dict(side, at, end, depth);
    case 'X':
        return get_library(side, at, end, depth);
    case 'H':
        return get_object(side, at, end);
    case 'P':
        return get_function(side, at, end);
    default:
        return get_constant((char)*tag);
    }
}

PyObject *judge_value_read(struct judge_side *side, const uint8_t **at,
                           const uint8_t *end)
{
    return get(side, at, end, 0);
}
