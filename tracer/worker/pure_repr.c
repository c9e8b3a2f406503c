/* SPDX-License-Identifier: MIT */
/*
 * pure_repr.c -- see pure_repr.h: which methods have recipes, and what a recipe
 * gives.
 *
 * A recipe is made when a method is met for the first time, in a scratch
 * process: parsing makes objects that the collector counts, which the program
 * could see.  It is known by the method's code object; no reference is held,
 * so what is cheap to compare is compared again each time.
 */
#include "tracer/worker/pure_repr.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "sandbox/jail.h"
#include "tracer/worker/contain.h"
#include "tracer/worker/pure_recipe.h"
#include "tracer/worker/value_attr.h"
#include "tracer/worker/value_hold.h"
#include "tracer/worker/value_walk.h"

/* Methods of one program; a program with more has them contained. */
#define MAX_METHODS 64
/* Parsing the longest programs takes less. */
#define COMPILE_CPU_MS 1000

/* A method that was looked at. */
struct method {
    /* What it is known by: addresses, and a line. */
    const PyCodeObject *code;
    const PyObject *consts;
    const PyObject *code_names;
    int line;
    struct pure_recipe *recipe;      /* owned; NULL: not pure */
    PyObject *names[PURE_MAX_NAMES]; /* owned, interned */
    PyObject *formats[PURE_MAX_OPS]; /* owned; NULL for ops without */
};

struct pure_repr {
    const char *source;    /* borrowed */
    PyObject *filename;    /* borrowed */
    PyObject *name_repr;   /* owned */
    PyObject *name_str;    /* owned */
    PyObject *name_format; /* owned */
    /* What the builtins' names stand for; owned. */
    PyObject *builtins[PURE_N_BUILTINS];
    struct pure_recipe *area; /* owned: shared memory */
    size_t n_methods;
    struct method methods[MAX_METHODS];
};

static const char *const builtin_names[PURE_N_BUILTINS] = {
#define BUILTIN_NAME(id, name) name,
    PURE_BUILTIN_TABLE(BUILTIN_NAME)
#undef BUILTIN_NAME
};

/* ---- life ---- */

struct pure_repr *pure_repr_new(void)
{
    struct pure_repr *p = cwm_calloc(1, sizeof(*p)); /* owned */
    PyObject *builtins = PyEval_GetBuiltins();       /* borrowed */

    if (!p) {
        return NULL;
    }
    p->area = mmap(NULL, sizeof(*p->area), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p->area == MAP_FAILED) {
        cwm_free(p);
        return NULL;
    }
    p->name_repr = PyUnicode_InternFromString("__repr__");
    p->name_str = PyUnicode_InternFromString("__str__");
    p->name_format = PyUnicode_InternFromString("__format__");
    for (size_t i = 0; i < PURE_N_BUILTINS; i++) {
        p->builtins[i] = PyDict_GetItemString(builtins, builtin_names[i]);
        Py_XINCREF(p->builtins[i]);
    }
    return p;
}

bool pure_repr_renew(struct pure_repr *p)
{
    void *area = mmap(p->area, sizeof(*p->area), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    return area != MAP_FAILED;
}

static void method_release(struct method *m)
{
    for (size_t i = 0; i < PURE_MAX_NAMES; i++) {
        Py_XDECREF(m->names[i]);
    }
    for (size_t i = 0; i < PURE_MAX_OPS; i++) {
        Py_XDECREF(m->formats[i]);
    }
    cwm_free(m->recipe);
}

void pure_repr_free(struct pure_repr *p)
{
    if (!p) {
        return;
    }
    for (size_t i = 0; i < p->n_methods; i++) {
        method_release(&p->methods[i]);
    }
    for (size_t i = 0; i < PURE_N_BUILTINS; i++) {
        Py_XDECREF(p->builtins[i]);
    }
    Py_XDECREF(p->name_repr);
    Py_XDECREF(p->name_str);
    Py_XDECREF(p->name_format);
    munmap(p->area, sizeof(*p->area));
    cwm_free(p);
}

/* The source is NUL-terminated and holds no NUL (request.h). */
void pure_repr_set_program(struct pure_repr *p, const char *source,
                           size_t source_len, PyObject *filename)
{
    (void)source_len;
    p->source = source;
    p->filename = filename;
}

/* ---- making a recipe ---- */

/* The offsets are in the pool; the process that wrote them ran no code of the
 * program's, but its memory was the program's to spoil. */
static bool is_sound(const struct pure_recipe *r)
{
    if (r->n_ops == 0 || r->n_ops > PURE_MAX_OPS ||
        r->n_names > PURE_MAX_NAMES || r->pool_len > PURE_POOL_BYTES ||
        r->ops[r->n_ops - 1].code != PURE_END) {
        return false;
    }
    for (size_t i = 0; i < r->n_names; i++) {
        if (r->names[i] >= r->pool_len) {
            return false;
        }
    }
    for (size_t i = 0; i < r->n_ops; i++) {
        const struct pure_op *op = &r->ops[i];

        if (op->n_path > PURE_MAX_PATH || op->jump >= r->n_ops ||
            (size_t)op->text + op->text_len > r->pool_len) {
            return false;
        }
        for (size_t k = 0; k < op->n_path; k++) {
            if (op->path[k] >= r->n_names) {
                return false;
            }
        }
    }
    return true;
}

/* The objects that the recipe's steps need; false when memory is short. */
static bool make_objects(struct method *m)
{
    const struct pure_recipe *r = m->recipe;

    for (size_t i = 0; i < r->n_names; i++) {
        m->names[i] = PyUnicode_InternFromString(r->pool + r->names[i]);
        if (!m->names[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < r->n_ops; i++) {
        const struct pure_op *op = &r->ops[i];

        if ((op->code == PURE_FORMAT || op->code == PURE_NUMBER) &&
            op->text_len > 0) {
            m->formats[i] =
                PyUnicode_FromStringAndSize(r->pool + op->text, op->text_len);
            if (!m->formats[i]) {
                return false;
            }
        }
    }
    return true;
}

/* In a scratch process; on return p->area holds what came of it. */
static void compile_in_scratch(struct pure_repr *p, PyObject *code)
{
    int error = errno;
    struct value_hold hold;
    pid_t pid;

    memset(p->area, 0, sizeof(*p->area));
    pid = jail_scratch_fork(COMPILE_CPU_MS);
    if (pid == 0) {
        value_hold_begin(&hold, 0);
        pure_compile(p->source, p->filename, code, p->area);
        _exit(0);
    }
    if (pid < 0 || jail_scratch_wait(pid) != 0) {
        p->area->is_pure = 0;
    }
    errno = error;
}

static bool is_program_file(const struct pure_repr *p, PyObject *filename)
{
    return p->source && (filename == p->filename ||
                         (PyUnicode_CheckExact(filename) &&
                          PyUnicode_Compare(filename, p->filename) == 0));
}

static struct method *find_method(struct pure_repr *p, const PyCodeObject *code)
{
    for (size_t i = 0; i < p->n_methods; i++) {
        struct method *m = &p->methods[i];

        if (m->code == code && m->consts == code->co_consts &&
            m->code_names == code->co_names &&
            m->line == code->co_firstlineno) {
            return m;
        }
    }
    return NULL;
}

/* The method's entry, made now if need be; NULL when there is no room. */
static struct method *get_method(struct pure_repr *p, PyCodeObject *code)
{
    struct method *m = find_method(p, code);

    if (m || p->n_methods == MAX_METHODS ||
        !is_program_file(p, code->co_filename)) {
        return m;
    }
    m = &p->methods[p->n_methods++];
    m->code = code;
    m->consts = code->co_consts;
    m->code_names = code->co_names;
    m->line = code->co_firstlineno;
    compile_in_scratch(p, (PyObject *)code);
    if (!p->area->is_pure || !is_sound(p->area)) {
        return m;
    }
    m->recipe = cwm_malloc(sizeof(*m->recipe));
    if (m->recipe) {
        *m->recipe = *p->area;
        if (!make_objects(m)) {
            PyErr_Clear();
            cwm_free(m->recipe);
            m->recipe = NULL;
        }
    }
    return m;
}

/* ---- may the recipe be followed now? ---- */

static PyObject *function_builtins(PyFunctionObject *function)
{
#if PY_VERSION_HEX >= 0x030A0000
    return function->func_builtins;
#else
    PyObject *found = value_dict_get(function->func_globals, "__builtins__");

    if (found && PyModule_CheckExact(found)) {
        return PyModule_GetDict(found);
    }
    return found;
#endif
}

/* The names mean what they mean in every program that leaves them alone. */
static bool builtins_are_plain(const struct pure_repr *p,
                               PyFunctionObject *function, uint32_t used)
{
    PyObject *globals = function->func_globals;
    PyObject *builtins = used ? function_builtins(function) : NULL;

    for (size_t i = 0; i < PURE_N_BUILTINS; i++) {
        if (!(used & 1u << i)) {
            continue;
        }
        if (!builtins || !PyDict_CheckExact(builtins) ||
            value_dict_get(globals, builtin_names[i]) ||
            value_dict_get(builtins, builtin_names[i]) != p->builtins[i]) {
            return false;
        }
    }
    return true;
}

/* ---- following it ---- */

static void open_text(struct value_writer *w, PyObject *value);

/* self.a.b; NULL with the walk failed. */
static PyObject *follow_path(struct value_writer *w, const struct method *m,
                             const struct pure_op *op, PyObject *self)
{
    PyObject *at = self;

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

/* f->data: the method; f->at: the next op. */
static PyObject *recipe_step(struct value_writer *w, struct value_frame *f)
{
    const struct method *m = f->data;
    PyObject *self = f->object;
    PyObject *value;
    int is_so;

    while (!value_stopped(w)) {
        size_t at = (size_t)f->at++;
        const struct pure_op *op = &m->recipe->ops[at];

        switch (op->code) {
        case PURE_END:
            return value_pop(w);
        case PURE_TEXT:
            value_put(&w->out, m->recipe->pool + op->text, op->text_len);
            break;
        case PURE_JUMP:
            f->at = op->jump;
            break;
        case PURE_CLASS_NAME:
        case PURE_CLASS_QUALNAME:
            put_class_name(w, Py_TYPE(self), op->code == PURE_CLASS_QUALNAME);
            break;
        case PURE_UNLESS:
            value = follow_path(w, m, op, self);
            is_so = value ? holds(value, op->how) : -1;
            if (is_so < 0) {
                value_fail(w, VALUE_UNSAFE);
            } else if (!is_so) {
                f->at = op->jump;
            }
            break;
        default:
            value = follow_path(w, m, op, self);
            /* What show() opens may move the frames. */
            return value ? show(w, m, at, value) : NULL;
        }
    }
    return NULL;
}

/* Follow the method's recipe; false when it has none that holds now. */
static bool open_method(struct value_writer *w, PyObject *value,
                        PyObject *method)
{
    struct pure_repr *p = w->pure_repr;
    PyFunctionObject *function = (PyFunctionObject *)method;
    struct method *m;
    struct value_frame *f;

    if (!method || !PyFunction_Check(method)) {
        return false;
    }
    m = get_method(p, (PyCodeObject *)function->func_code);
    if (!m || !m->recipe ||
        !builtins_are_plain(p, function, m->recipe->builtins)) {
        return false;
    }
    f = value_push(w, value, recipe_step, 1 + VALUE_PYTHON_LEVELS);
    if (f) {
        f->data = m;
    }
    return true;
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
    } else if (!open_method(w, value, value_type_lookup(type, p->name_str))) {
        value_fail(w, VALUE_UNSAFE);
    }
}

void pure_repr_open(struct value_writer *w, PyObject *value)
{
    PyObject *method; /* borrowed */

    if (w->is_scratch) {
        contain_open(w, value);
        return;
    }
    method = value_type_lookup(Py_TYPE(value), w->pure_repr->name_repr);
    if (method && PyFunction_Check(method) &&
        value_library_open(w, value, (PyFunctionObject *)method)) {
        return;
    }
    if (!open_method(w, value, method)) {
        contain_open(w, value);
    }
}
