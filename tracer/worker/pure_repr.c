/* SPDX-License-Identifier: MIT */
/*
 * pure_repr.c -- see pure_repr.h: which methods have recipes, and whether they
 * hold now; pure_run.c follows them.
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
#include "tracer/worker/pure_method.h"
#include "tracer/worker/value_attr.h"
#include "tracer/worker/value_hold.h"
#include "tracer/worker/value_walk.h"

/* Parsing the longest programs takes less. */
#define COMPILE_CPU_MS 1000

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

void pure_repr_set_program(struct pure_repr *p, const char *source,
                           size_t source_len, PyObject *filename)
{
    p->source = source;
    p->source_len = source_len;
    p->filename = filename;
}

/* ---- making a recipe ---- */

/* Variables and loops are there. */
static bool is_sound_op(const struct pure_op *op)
{
    if (op->root != PURE_SELF && op->root >= PURE_MAX_VARS) {
        return false;
    }
    if (op->code == PURE_SET) {
        return op->how < PURE_MAX_VARS;
    }
    if (op->code == PURE_FOR || op->code == PURE_NEXT) {
        return op->how < PURE_MAX_LOOPS && op->var + 1 < PURE_MAX_VARS;
    }
    return true;
}

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
            !is_sound_op(op) || (size_t)op->text + op->text_len > r->pool_len) {
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
        pure_compile(p->source, p->source_len, p->filename, code, p->area);
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

bool pure__open_method(struct value_writer *w, PyObject *value,
                       PyObject *method)
{
    struct pure_repr *p = w->pure_repr;
    PyFunctionObject *function = (PyFunctionObject *)method;
    struct method *m;

    if (!method || !PyFunction_Check(method)) {
        return false;
    }
    m = get_method(p, (PyCodeObject *)function->func_code);
    if (!m || !m->recipe ||
        !builtins_are_plain(p, function, m->recipe->builtins)) {
        return false;
    }
    pure__run(w, value, m);
    return true;
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
    if (!pure__open_method(w, value, method)) {
        contain_open(w, value);
    }
}
