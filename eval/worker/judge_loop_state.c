/* SPDX-License-Identifier: MIT */
/* judge_loop_state.c -- see judge_loop_state.h. */
#include "eval/worker/judge_loop_state.h"

#include <stdint.h>
#include <string.h>

#include "eval/worker/judge_plain.h"

enum {
    MAX_DEPTH = 20,
    MAX_CONTAINERS = 200, /* looked for one by one */
    MAX_CODES = 16,       /* functions that a loop calls */
};

/*
 * What a loop's code must not do besides.  Which of two equal objects it is can
 * change from turn to turn, hence no `is` but that of None, which has other
 * operations from 3.11 on.
 */
static const char *const denied_operations[] = {"IS_OP", "STORE_GLOBAL",
                                                "DELETE_GLOBAL"};
#define N_DENIED (sizeof denied_operations / sizeof denied_operations[0])

/* Made when warm: the module math, owned; the operations' numbers. */
static PyObject *math_module;
static uint8_t denied[N_DENIED];

bool loop_state_prepare(void)
{
    PyObject *module = PyImport_ImportModule("opcode"); /* owned */
    PyObject *numbers =                                 /* owned */
        module ? PyObject_GetAttrString(module, "opmap") : NULL;
    bool done = numbers != NULL;

    for (size_t i = 0; done && i < N_DENIED; i++) {
        PyObject *number = /* borrowed */
            PyDict_GetItemString(numbers, denied_operations[i]);

        done = number != NULL;
        denied[i] = number ? (uint8_t)PyLong_AsLong(number) : 0;
    }
    Py_XDECREF(numbers);
    Py_XDECREF(module);
    math_module = PyImport_ImportModule("math");
    return math_module && done && !PyErr_Occurred();
}

/* ---- values ---- */

struct writing {
    struct cwm_buf *out;
    PyObject *containers[MAX_CONTAINERS]; /* borrowed: those that are written */
    size_t n_containers;
    size_t n_left_out; /* of these: they must not occur */
    unsigned depth;
};

static bool write_value(struct writing *w, PyObject *value);

static void add_kind(struct writing *w, char kind, uint64_t size)
{
    cwm_buf_addc(w->out, kind);
    cwm_buf_add(w->out, &size, sizeof size);
}

static bool write_int(struct writing *w, PyObject *value)
{
    int overflow;
    long long small = PyLong_AsLongLongAndOverflow(value, &overflow);
    PyObject *digits; /* owned */
    Py_ssize_t len = 0;
    const char *text;

    if (!overflow) {
        add_kind(w, 'i', (uint64_t)small);
        return true;
    }
    /* Hexadecimal digits take no time that grows faster than they do. */
    digits = _PyLong_NumBits(value) < 8192 ? PyNumber_ToBase(value, 16) : NULL;
    text = digits ? PyUnicode_AsUTF8AndSize(digits, &len) : NULL;
    if (text) {
        add_kind(w, 'I', (uint64_t)len);
        cwm_buf_add(w->out, text, (size_t)len);
    }
    Py_XDECREF(digits);
    PyErr_Clear();
    return text != NULL;
}

static bool write_text(struct writing *w, PyObject *value)
{
    const Py_ssize_t n = PyUnicode_GET_LENGTH(value);
    const int kind = (int)PyUnicode_KIND(value);

    add_kind(w, (char)('0' + kind), (uint64_t)n);
    cwm_buf_add(w->out, PyUnicode_DATA(value), (size_t)n * (size_t)kind);
    return true;
}

/* False with *ret_done: it was written before, and its number is now. */
static bool begin_container(struct writing *w, PyObject *value, bool *ret_done)
{
    *ret_done = false;
    for (size_t i = 0; i < w->n_containers; i++) {
        if (w->containers[i] == value) {
            add_kind(w, '@', i);
            *ret_done = i >= w->n_left_out;
            return false;
        }
    }
    if (w->n_containers == MAX_CONTAINERS || w->depth == MAX_DEPTH) {
        return false;
    }
    w->containers[w->n_containers++] = value;
    w->depth++;
    return true;
}

static bool write_items(struct writing *w, char kind, PyObject *value)
{
    const Py_ssize_t n = Py_SIZE(value);
    bool done = true;

    add_kind(w, kind, (uint64_t)n);
    for (Py_ssize_t i = 0; done && i < n; i++) {
        done = write_value(w, kind == 'l' ? PyList_GET_ITEM(value, i)
                                          : PyTuple_GET_ITEM(value, i));
    }
    return done;
}

static bool write_dict(struct writing *w, PyObject *value)
{
    PyObject *key;
    PyObject *item;
    Py_ssize_t at = 0;

    add_kind(w, 'd', (uint64_t)PyDict_GET_SIZE(value));
    while (PyDict_Next(value, &at, &key, &item)) {
        if (!write_value(w, key) || !write_value(w, item)) {
            return false;
        }
    }
    return true;
}

static bool write_cell(struct writing *w, PyObject *value)
{
    PyObject *held = PyCell_GET(value);

    add_kind(w, 'c', held != NULL);
    return !held || write_value(w, held);
}

static bool write_container(struct writing *w, PyObject *value)
{
    bool done;

    if (!begin_container(w, value, &done)) {
        return done;
    }
    if (PyList_CheckExact(value)) {
        done = write_items(w, 'l', value);
    } else if (PyTuple_CheckExact(value)) {
        done = write_items(w, 't', value);
    } else if (PyDict_CheckExact(value)) {
        done = write_dict(w, value);
    } else {
        done = PyCell_Check(value) && write_cell(w, value);
    }
    w->depth--;
    return done;
}

/* Sets are none: equal ones may go through their elements in another order.
 * A value that is not equal to itself could be told from its copy. */
/* NOLINTNEXTLINE(misc-no-recursion): bounded by MAX_DEPTH */
static bool write_value(struct writing *w, PyObject *value)
{
    double number;

    if (value == Py_None || value == Py_True || value == Py_False) {
        add_kind(w, value == Py_None ? 'N' : 'B', value == Py_True);
        return true;
    }
    if (PyLong_CheckExact(value)) {
        return write_int(w, value);
    }
    if (PyUnicode_CheckExact(value)) {
        return PyUnicode_READY(value) == 0 && write_text(w, value);
    }
    if (PyFloat_CheckExact(value)) {
        number = PyFloat_AS_DOUBLE(value);
        cwm_buf_addc(w->out, 'f');
        cwm_buf_add(w->out, &number, sizeof number);
        return number == number;
    }
    return write_container(w, value);
}

static Py_ssize_t n_slots(PyCodeObject *code)
{
#if PY_VERSION_HEX >= 0x030B0000
    return code->co_nlocalsplus;
#else
    return code->co_nlocals + PyTuple_GET_SIZE(code->co_cellvars) +
           PyTuple_GET_SIZE(code->co_freevars);
#endif
}

Py_ssize_t loop_state_n_slots(PyFrameObject *frame)
{
    return n_slots(pyframe_code(frame));
}

/* False: there are too many. */
static bool leave_out(struct writing *w, PyFrameObject *frame,
                      const bool *left_out, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; left_out && i < n; i++) {
        PyObject *value = pyframe_slot(frame, (uint32_t)i);

        if (left_out[i] && value && PyList_CheckExact(value)) {
            if (w->n_containers == MAX_CONTAINERS) {
                return false;
            }
            w->containers[w->n_containers++] = value;
        }
    }
    w->n_left_out = w->n_containers;
    return true;
}

bool loop_state_of(PyFrameObject *frame, const bool *left_out,
                   struct cwm_buf *out)
{
    struct writing w = {.out = out};
    const Py_ssize_t n = n_slots(pyframe_code(frame));
    bool done = leave_out(&w, frame, left_out, n);

    cwm_buf_clear(out);
    for (Py_ssize_t i = 0; done && i < n; i++) {
        PyObject *value = pyframe_slot(frame, (uint32_t)i);

        if (left_out && left_out[i]) {
            add_kind(&w, 'o', 0);
            continue;
        }
        add_kind(&w, 's', value != NULL);
        done = !value || write_value(&w, value);
    }
    return done && out->failed == CWM_OK;
}

/* ---- code ---- */

struct looking {
    PyObject *globals;              /* borrowed */
    PyObject *builtins;             /* borrowed */
    PyCodeObject *codes[MAX_CODES]; /* borrowed: those that are looked at */
    size_t n_codes;
};

static bool is_constant(PyObject *value)
{
    return value == Py_None || PyBool_Check(value) ||
           PyLong_CheckExact(value) || PyFloat_CheckExact(value) ||
           PyUnicode_CheckExact(value);
}

static bool are_constants(PyObject *tuple)
{
    for (Py_ssize_t i = 0; tuple && i < PyTuple_GET_SIZE(tuple); i++) {
        if (!is_constant(PyTuple_GET_ITEM(tuple, i))) {
            return false;
        }
    }
    return true;
}

static bool add_code(struct looking *l, PyCodeObject *code)
{
    for (size_t i = 0; i < l->n_codes; i++) {
        if (l->codes[i] == code) {
            return true;
        }
    }
    if (l->n_codes == MAX_CODES) {
        return false;
    }
    l->codes[l->n_codes++] = code;
    return true;
}

/* A function that holds nothing from call to call. */
static bool add_function(struct looking *l, PyObject *function)
{
    PyObject *own = ((PyFunctionObject *)function)->func_dict;

    return PyFunction_GET_GLOBALS(function) == l->globals &&
           (!own || PyDict_GET_SIZE(own) == 0) &&
           !PyFunction_GET_CLOSURE(function) &&
           !PyFunction_GET_KW_DEFAULTS(function) &&
           are_constants(PyFunction_GET_DEFAULTS(function)) &&
           add_code(l, (PyCodeObject *)PyFunction_GET_CODE(function));
}

/* A name may be an attribute's, too: then it is looked at for nothing. */
static bool look_at_name(struct looking *l, PyObject *name)
{
    PyObject *value = PyDict_GetItemWithError(l->globals, name);

    if (value) {
        return is_constant(value) || value == math_module ||
               (PyCFunction_CheckExact(value) &&
                PyCFunction_GET_SELF(value) == math_module) ||
               (PyFunction_Check(value) && add_function(l, value));
    }
    value = PyDict_GetItemWithError(l->builtins, name);
    /* The candidate may have put others in their place. */
    return !value ||
           (PyCFunction_CheckExact(value) &&
            PyUnicode_CompareWithASCIIString(name, "print") != 0) ||
           (PyType_Check(value) &&
            !(((PyTypeObject *)value)->tp_flags & Py_TPFLAGS_HEAPTYPE));
}

static bool has_denied(PyObject *code)
{
    PyObject *bytes = PyObject_GetAttrString(code, "co_code"); /* owned */
    bool found = !bytes || !PyBytes_Check(bytes);

    for (Py_ssize_t i = 0; !found && i < PyBytes_GET_SIZE(bytes); i += 2) {
        found = memchr(denied, PyBytes_AS_STRING(bytes)[i], N_DENIED) != NULL;
    }
    Py_XDECREF(bytes);
    return found;
}

static bool look_at_code(struct looking *l, PyCodeObject *code)
{
    if (has_denied((PyObject *)code)) {
        return false;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(code->co_names); i++) {
        if (!look_at_name(l, PyTuple_GET_ITEM(code->co_names, i))) {
            return false;
        }
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(code->co_consts); i++) {
        PyObject *one = PyTuple_GET_ITEM(code->co_consts, i);

        if (PyCode_Check(one) && !add_code(l, (PyCodeObject *)one)) {
            return false;
        }
    }
    return true;
}

bool loop_state_is_all(PyFrameObject *frame)
{
    PyCodeObject *code = pyframe_code(frame);
    struct looking l = {.builtins = PyEval_GetBuiltins()};
    bool done =
        (code->co_flags & CO_OPTIMIZED) != 0 &&
        !(code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR));

#if PY_VERSION_HEX >= 0x030B0000
    l.globals = frame->f_frame->f_globals;
#else
    l.globals = frame->f_globals;
#endif
    done = done && add_code(&l, code);
    for (size_t i = 0; done && i < l.n_codes; i++) {
        done = judge_plain_is((PyObject *)l.codes[i]) &&
               look_at_code(&l, l.codes[i]);
    }
    PyErr_Clear();
    return done;
}
