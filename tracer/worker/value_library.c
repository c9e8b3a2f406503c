/* SPDX-License-Identifier: MIT */
/*
 * value_library.c -- what the standard library's own __repr__ methods in Python
 * give: named tuples, data classes, enums, counters, fractions.
 *
 * Such a method is told by its code object, taken from the module before the
 * program's code runs (and held, so that its address stays its own): a class
 * that replaces the method, or a program that patches the module, has another.
 * What the method asks for is read where that provably runs no other code;
 * else the value is contained.
 */
#include "cwm/base/alloc.h"
#include "tracer/worker/contain.h"
#include "tracer/worker/value_attr.h"
#include "tracer/worker/value_walk.h"

struct value_library {
    /* Code objects; owned; NULL where the module is not there. */
    PyObject *namedtuple_repr;
    PyObject *dataclass_wrapper;
    PyObject *enum_repr;
    PyObject *flag_repr;
    PyObject *counter_repr;
    PyObject *fraction_repr;
    PyObject *counter_type;
    /* Names; owned. */
    PyObject *name_name;
    PyObject *name_value;
    PyObject *name_value_repr;
    PyObject *name_numerator;
    PyObject *name_denominator;
    /* A counter's items while they are written; one counter at a time. */
    struct counted *counted; /* owned */
};

struct counted {
    PyObject *key; /* borrowed */
    PyObject *count;
    int64_t number;
    size_t at;
};

/* More items than fit into a text, and then some. */
#define MAX_COUNTED 32768

/* ---- finding the code objects ---- */

/* Attribute of an attribute of a loaded module: "enum", "Enum.__repr__". */
static PyObject *find(const char *module_name, const char *path)
{
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
    PyObject *at = PyDict_GetItemString(modules, module_name);
    char name[64];

    Py_XINCREF(at);
    while (at && *path) {
        size_t len = strcspn(path, ".");
        PyObject *next;

        snprintf(name, sizeof(name), "%.*s", (int)len, path);
        path += len + (path[len] == '.');
        next = PyObject_GetAttrString(at, name);
        Py_DECREF(at);
        at = next;
    }
    PyErr_Clear();
    return at; /* owned */
}

/* The code of a function; steals it. */
static PyObject *code_of(PyObject *function)
{
    PyObject *code = NULL;

    if (function && PyFunction_Check(function)) {
        code = PyFunction_GET_CODE(function);
        Py_INCREF(code);
    }
    Py_XDECREF(function);
    return code;
}

/* The code defined inside `code` (stolen) under this name. */
static PyObject *inner_code(PyObject *code, const char *name)
{
    PyObject *consts = code ? ((PyCodeObject *)code)->co_consts : NULL;
    PyObject *found = NULL;

    for (Py_ssize_t i = 0; consts && i < PyTuple_GET_SIZE(consts); i++) {
        PyObject *inner = PyTuple_GET_ITEM(consts, i);

        if (PyCode_Check(inner) &&
            PyUnicode_CompareWithASCIIString(((PyCodeObject *)inner)->co_name,
                                             name) == 0) {
            found = inner;
            Py_INCREF(found);
            break;
        }
    }
    Py_XDECREF(code);
    return found;
}

struct value_library *value_library_new(void)
{
    struct value_library *l = cwm_calloc(1, sizeof(*l)); /* owned */
    PyObject *recursive;                                 /* stolen */

    if (!l) {
        return NULL;
    }
    l->namedtuple_repr =
        inner_code(code_of(find("collections", "namedtuple")), "__repr__");
#if PY_VERSION_HEX >= 0x030D0000
    recursive = inner_code(code_of(find("reprlib", "recursive_repr")),
                           "decorating_function");
#else
    recursive = code_of(find("dataclasses", "_recursive_repr"));
#endif
    l->dataclass_wrapper = inner_code(recursive, "wrapper");
    l->enum_repr = code_of(find("enum", "Enum.__repr__"));
    l->flag_repr = code_of(find("enum", "Flag.__repr__"));
    l->counter_repr = code_of(find("collections", "Counter.__repr__"));
    l->counter_type = find("collections", "Counter");
    l->fraction_repr = code_of(find("fractions", "Fraction.__repr__"));
    l->name_name = PyUnicode_InternFromString("_name_");
    l->name_value = PyUnicode_InternFromString("_value_");
    l->name_value_repr = PyUnicode_InternFromString("_value_repr_");
    l->name_numerator = PyUnicode_InternFromString("_numerator");
    l->name_denominator = PyUnicode_InternFromString("_denominator");
    return l;
}

void value_library_free(struct value_library *l)
{
    if (!l) {
        return;
    }
    Py_XDECREF(l->namedtuple_repr);
    Py_XDECREF(l->dataclass_wrapper);
    Py_XDECREF(l->enum_repr);
    Py_XDECREF(l->flag_repr);
    Py_XDECREF(l->counter_repr);
    Py_XDECREF(l->fraction_repr);
    Py_XDECREF(l->counter_type);
    Py_XDECREF(l->name_name);
    Py_XDECREF(l->name_value);
    Py_XDECREF(l->name_value_repr);
    Py_XDECREF(l->name_numerator);
    Py_XDECREF(l->name_denominator);
    cwm_free(l->counted);
    cwm_free(l);
}

/* ---- what the methods have in common ---- */

/* self.__class__.__name__ is what the type says. */
static bool names_are_plain(PyTypeObject *type)
{
    return value_class_is_plain(type) && value_type_names_are_plain(type);
}

/* ASCII characters of an exact str; NULL for others. */
static const char *ascii_of(PyObject *s, size_t *ret_n)
{
    int kind;
    bool ascii;
    const char *data;

    *ret_n = 0;
    if (!PyUnicode_CheckExact(s)) {
        return NULL;
    }
    data = compat_str_data(s, &kind, ret_n, &ascii);
    return ascii ? data : NULL;
}

/* What the function's free variable of this name holds; borrowed or NULL. */
static PyObject *free_variable(PyFunctionObject *function, const char *name)
{
    PyObject *names = NULL;
    PyObject *found = NULL;

#if PY_VERSION_HEX >= 0x030B0000
    /* Free variables are the last names of a frame's locals. */
    names = ((PyCodeObject *)function->func_code)->co_localsplusnames;
#else
    names = ((PyCodeObject *)function->func_code)->co_freevars;
#endif
    if (!function->func_closure) {
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(function->func_closure); i++) {
        Py_ssize_t n_before =
            PyTuple_GET_SIZE(names) - PyTuple_GET_SIZE(function->func_closure);
        PyObject *variable = PyTuple_GET_ITEM(names, n_before + i);
        PyObject *cell = PyTuple_GET_ITEM(function->func_closure, i);
        size_t n;
        const char *text = ascii_of(variable, &n);

        if (text && n == strlen(name) && memcmp(text, name, n) == 0 &&
            PyCell_Check(cell)) {
            found = PyCell_GET(cell);
        }
    }
    return found;
}

/* ---- named tuples: name + "(x=%r, y=%r)" % self ---- */

/* f->one: the format; f->at: characters of it done; f->state: items done. */
static PyObject *namedtuple_step(struct value_writer *w, struct value_frame *f)
{
    size_t n;
    const char *text = ascii_of(f->one, &n);
    const char *at = text + f->at;
    const char *percent = memchr(at, '%', n - (size_t)f->at);
    Py_ssize_t n_items = PyTuple_GET_SIZE(f->object);

    if (!percent) {
        value_put(&w->out, at, n - (size_t)f->at);
        if ((Py_ssize_t)f->state != n_items) {
            value_fail(w, VALUE_FAILED);
        }
        return value_pop(w);
    }
    value_put(&w->out, at, (size_t)(percent - at));
    if (percent[1] != 'r' || (Py_ssize_t)f->state >= n_items) {
        value_fail(w, percent[1] == 'r' ? VALUE_FAILED : VALUE_UNSAFE);
        return NULL;
    }
    f->at = percent + 2 - text;
    return PyTuple_GET_ITEM(f->object, (Py_ssize_t)f->state++);
}

static bool open_namedtuple(struct value_writer *w, PyObject *value,
                            PyFunctionObject *function)
{
    PyObject *format = free_variable(function, "repr_fmt");
    struct value_frame *f;
    size_t n;

    if (!format || !ascii_of(format, &n) || !PyTuple_Check(value) ||
        !names_are_plain(Py_TYPE(value))) {
        return false;
    }
    f = value_push(w, value, namedtuple_step, 1 + VALUE_PYTHON_LEVELS);
    if (f) {
        f->one = format;
        value_put_type_name(&w->out, Py_TYPE(value));
    }
    return true;
}

/* ---- data classes: qualname + f"(x={self.x!r}, y={self.y!r})" ---- */

/*
 * The method that dataclasses makes has the texts between the fields as its
 * constants (None, '(x=', ', y=', ')') and the fields as its names behind
 * __class__ and __qualname__.
 */
static bool is_fragment(PyObject *fragment, PyObject *name, bool is_first)
{
    const char *start = is_first ? "(" : ", ";
    size_t n_start = strlen(start);
    size_t n_fragment;
    size_t n_name;
    const char *text = ascii_of(fragment, &n_fragment);
    const char *field = ascii_of(name, &n_name);

    return text && field && n_fragment == n_start + n_name + 1 &&
           memcmp(text, start, n_start) == 0 &&
           memcmp(text + n_start, field, n_name) == 0 &&
           text[n_fragment - 1] == '=';
}

static bool is_text(PyObject *s, const char *want)
{
    size_t n;
    const char *text = ascii_of(s, &n);

    return text && n == strlen(want) && memcmp(text, want, n) == 0;
}

static bool is_dataclass_repr(const PyCodeObject *code)
{
    PyObject *consts = code->co_consts;
    PyObject *names = code->co_names;
    Py_ssize_t n = PyTuple_GET_SIZE(names) - 2; /* fields */

    if (n < 0 || PyTuple_GET_SIZE(consts) != n + 2 ||
        !is_text(code->co_filename, "<string>") ||
        !is_text(code->co_name, "__repr__") || code->co_argcount != 1 ||
        PyTuple_GET_ITEM(consts, 0) != Py_None ||
        !is_text(PyTuple_GET_ITEM(names, 0), "__class__") ||
        !is_text(PyTuple_GET_ITEM(names, 1), "__qualname__") ||
        !is_text(PyTuple_GET_ITEM(consts, n + 1), n ? ")" : "()")) {
        return false;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!is_fragment(PyTuple_GET_ITEM(consts, i + 1),
                         PyTuple_GET_ITEM(names, i + 2), i == 0)) {
            return false;
        }
    }
    return true;
}

/* f->one: the code; f->at: fields done. */
static PyObject *dataclass_step(struct value_writer *w, struct value_frame *f)
{
    const PyCodeObject *code = (const PyCodeObject *)f->one;
    PyObject *fragment = PyTuple_GET_ITEM(code->co_consts, f->at + 1);
    PyObject *child = NULL;

    value_put_raw_str(w, fragment);
    if (f->at == PyTuple_GET_SIZE(code->co_names) - 2) {
        return value_pop(w);
    }
    switch (value_plain_attr(
        f->object, PyTuple_GET_ITEM(code->co_names, f->at + 2), &child)) {
    case VALUE_ATTR_FOUND:
        f->at++;
        return child;
    case VALUE_ATTR_MISSING:
        value_fail(w, VALUE_FAILED);
        return NULL;
    case VALUE_ATTR_UNSAFE:
    default:
        value_fail(w, VALUE_UNSAFE);
        return NULL;
    }
}

static bool open_dataclass(struct value_writer *w, PyObject *value,
                           PyFunctionObject *function)
{
    PyObject *inner = free_variable(function, "user_function");
    PyObject *fill = free_variable(function, "fillvalue");
    struct value_frame *f;

    if (!inner || !PyFunction_Check(inner) ||
        !is_dataclass_repr((const PyCodeObject *)PyFunction_GET_CODE(inner)) ||
        (fill && !is_text(fill, "...")) || !names_are_plain(Py_TYPE(value))) {
        return false;
    }
    if (value_is_open(w, value)) {
        value_put(&w->out, "...", 3);
        return true;
    }
#if PY_VERSION_HEX >= 0x030C0000
    f = value_push(w, value, dataclass_step, 1 + VALUE_PYTHON_LEVELS);
#else
    f = value_push(w, value, dataclass_step, 1 + 2 * VALUE_PYTHON_LEVELS);
#endif
    if (f) {
        f->is_guarded = true;
        f->one = PyFunction_GET_CODE(inner);
        value_put_raw_str(w, ((PyHeapTypeObject *)Py_TYPE(value))->ht_qualname);
    }
    return true;
}

/* ---- enums: <Color.RED: 1> ---- */

/* From 3.11 on a class may say how its values are written. */
static bool value_repr_is_plain(struct value_library *l, PyTypeObject *type,
                                PyObject *value)
{
#if PY_VERSION_HEX >= 0x030B0000
    PyObject *how = value_type_lookup(type, l->name_value_repr); /* borrowed */

    if (how == Py_None) {
        return true;
    }
    /* int.__repr__ for an int: what repr() does. */
    return how && Py_TYPE(how) == &PyWrapperDescr_Type &&
           Py_TYPE(value)->tp_repr ==
               (reprfunc)((PyWrapperDescrObject *)how)->d_wrapped &&
           strcmp(((PyWrapperDescrObject *)how)->d_base->name, "__repr__") == 0;
#else
    (void)l;
    (void)type;
    (void)value;
    return true;
#endif
}

static bool open_enum(struct value_writer *w, PyObject *value, bool is_flag)
{
    struct value_library *l = w->library;
    PyTypeObject *type = Py_TYPE(value);
    PyObject *name;   /* borrowed */
    PyObject *member; /* borrowed */

    if (!names_are_plain(type) ||
        value_plain_attr(value, l->name_name, &name) != VALUE_ATTR_FOUND ||
        value_plain_attr(value, l->name_value, &member) != VALUE_ATTR_FOUND ||
        !value_repr_is_plain(l, type, member)) {
        return false;
    }
#if PY_VERSION_HEX >= 0x030B0000
    if (is_flag && name == Py_None) {
        name = NULL;
    }
#else
    (void)is_flag;
#endif
    if (name && !PyUnicode_CheckExact(name)) {
        return false;
    }
    value_putc(&w->out, '<');
    value_put_type_name(&w->out, type);
    if (name) {
        value_putc(&w->out, '.');
        value_put_raw_str(w, name);
    }
    value_put(&w->out, ": ", 2);
    value_push_one(w, value, member, ">");
    return true;
}

/* ---- counters: the most common first ---- */

static int by_count(const void *a, const void *b)
{
    const struct counted *x = a;
    const struct counted *y = b;

    if (x->number != y->number) {
        return x->number < y->number ? 1 : -1;
    }
    return x->at < y->at ? -1 : 1;
}

/* f->state: 1 when the key was the last child. */
static PyObject *counter_step(struct value_writer *w, struct value_frame *f)
{
    struct value_library *l = w->library;
    const struct counted *item = &l->counted[f->at];

    if (f->state == 1) {
        f->state = 0;
        f->at++;
        value_put(&w->out, ": ", 2);
        return item->count;
    }
    if (f->at == PyDict_GET_SIZE(f->object)) {
        value_put(&w->out, "})", 2);
        return value_pop(w);
    }
    if (f->at > 0) {
        value_put(&w->out, ", ", 2);
    }
    f->state = 1;
    return item->key;
}

/* The items in the order of most_common(); false: not for us. */
static bool count_items(struct value_library *l, PyObject *dict)
{
    Py_ssize_t at = 0;
    size_t n = 0;
    PyObject *key;
    PyObject *count;

    if (!l->counted) {
        l->counted = cwm_calloc(MAX_COUNTED, sizeof(*l->counted));
    }
    if (!l->counted || PyDict_GET_SIZE(dict) > MAX_COUNTED) {
        return false;
    }
    while (PyDict_Next(dict, &at, &key, &count)) {
        uint64_t magnitude;
        bool negative;

        if (!PyLong_CheckExact(count) ||
            !compat_long_small(count, &magnitude, &negative)) {
            return false;
        }
        l->counted[n].key = key;
        l->counted[n].count = count;
        l->counted[n].number =
            negative ? -(int64_t)magnitude : (int64_t)magnitude;
        l->counted[n].at = n;
        n++;
    }
    qsort(l->counted, n, sizeof(*l->counted), by_count);
    return true;
}

static bool is_counting(const struct value_writer *w)
{
    for (size_t i = 0; i < w->n_frames; i++) {
        if (w->frames[i].step == counter_step) {
            return true;
        }
    }
    return false;
}

static bool open_counter(struct value_writer *w, PyObject *value)
{
    struct value_library *l = w->library;

    if ((PyObject *)Py_TYPE(value) != l->counter_type || is_counting(w)) {
        return false;
    }
    if (PyDict_GET_SIZE(value) == 0) {
        value_puts(&w->out, "Counter()");
        return true;
    }
    if (!count_items(l, value)) {
        return false;
    }
    if (value_push(w, value, counter_step, 2 + VALUE_PYTHON_LEVELS)) {
        value_puts(&w->out, "Counter({");
    }
    return true;
}

/* ---- fractions: Fraction(1, 2) ---- */

static bool open_fraction(struct value_writer *w, PyObject *value)
{
    struct value_library *l = w->library;
    PyObject *over;  /* borrowed */
    PyObject *under; /* borrowed */

    if (!names_are_plain(Py_TYPE(value)) ||
        value_plain_attr(value, l->name_numerator, &over) != VALUE_ATTR_FOUND ||
        value_plain_attr(value, l->name_denominator, &under) !=
            VALUE_ATTR_FOUND ||
        !PyLong_CheckExact(over) || !PyLong_CheckExact(under)) {
        return false;
    }
    value_put_type_name(&w->out, Py_TYPE(value));
    value_putc(&w->out, '(');
    value_push_three(w, value, 1 + VALUE_PYTHON_LEVELS, over, under, NULL);
    return true;
}

bool value_library_open(struct value_writer *w, PyObject *value,
                        PyFunctionObject *function)
{
    const struct value_library *l = w->library;
    const PyObject *code = function->func_code;

    if (code == l->namedtuple_repr) {
        return open_namedtuple(w, value, function);
    }
    if (code == l->dataclass_wrapper) {
        return open_dataclass(w, value, function);
    }
    if (code == l->enum_repr || code == l->flag_repr) {
        return open_enum(w, value, code == l->flag_repr);
    }
    if (code == l->counter_repr) {
        return open_counter(w, value);
    }
    if (code == l->fraction_repr) {
        return open_fraction(w, value);
    }
    return false;
}
