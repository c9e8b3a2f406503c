/* SPDX-License-Identifier: MIT */
/*
 * judge_agent.c -- the candidate's process.
 *
 * It knows the candidate's text and, one call at a time, the arguments: no
 * test, no expected value, no other candidate.  Whatever the candidate does
 * to this process, all that comes of it is an answer or none.
 */
#include "eval/worker/judge_agent.h"

#include <fcntl.h>
#include <marshal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "eval/worker/judge_link.h"
#include "eval/worker/judge_loop.h"
#include "eval/worker/judge_value.h"
#include "tracer/worker/finish.h"
#include "tracer/worker/warm.h"

#define STATUS_OURS 3

/* Neither a module that programs import nor __main__: what stands under
 * `if __name__ == "__main__":` is not run, as in the papers' harnesses. */
#define MODULE_NAME "solution"

/* An exception's text is for people. */
#define MAX_TEXT_BYTES 2000

struct agent {
    int peer;
    struct judge_side side;
    PyObject *names;    /* borrowed: the candidate's namespace */
    struct cwm_buf in;  /* the question */
    struct cwm_buf out; /* the answer */
    struct cwm_buf now; /* an argument as it is behind a call */
};

PyObject *judge_compile(const char *text, size_t len, const char *filename)
{
    PyCompilerFlags flags = {PyCF_SOURCE_IS_UTF8 | PyCF_IGNORE_COOKIE,
                             PY_MINOR_VERSION};
    PyObject *name; /* owned */
    PyObject *code = NULL;
    char *copy; /* owned: with a NUL behind */

    if (len > 0 && memchr(text, '\0', len)) {
        PyErr_SetString(PyExc_SyntaxError, "source code has null bytes");
        return NULL;
    }
    copy = cwm_strndup(text, len);
    name = copy ? PyUnicode_FromString(filename) : PyErr_NoMemory();
    if (name) {
        code = Py_CompileStringObject(copy, name, Py_file_input, &flags, -1);
    }
    Py_XDECREF(name);
    cwm_free(copy);
    return code;
}

/* ---- answers ---- */

/* The first class of the exception's that every interpreter has. */
static const char *builtin_name(PyObject *type)
{
    PyObject *mro = ((PyTypeObject *)type)->tp_mro; /* borrowed */

    for (Py_ssize_t i = 0; mro && i < PyTuple_GET_SIZE(mro); i++) {
        PyTypeObject *one = (PyTypeObject *)PyTuple_GET_ITEM(mro, i);

        if (!(one->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
            return one->tp_name;
        }
    }
    return "Exception";
}

static void add_text(struct cwm_buf *out, const char *text)
{
    size_t len = strlen(text);

    len = len < MAX_TEXT_BYTES ? len : MAX_TEXT_BYTES;
    link_add_u32(out, (uint32_t)len);
    cwm_buf_add(out, text, len);
}

/* What the exception is made from; nothing where that cannot be sent. */
static void add_arguments(struct agent *a, PyObject *exception)
{
    PyObject *args = /* owned */
        exception ? PyObject_GetAttrString(exception, "args") : NULL;
    const size_t before = a->out.len;

    if (!args || !judge_value_write(&a->side, args, &a->out) ||
        a->out.len - before > MAX_TEXT_BYTES) {
        a->out.len = before;
    }
    PyErr_Clear();
    Py_XDECREF(args);
}

/* The error that is set becomes the answer. */
static void answer_error(struct agent *a)
{
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyObject *text; /* owned */
    const char *bytes;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    text = value ? PyObject_Str(value) : NULL;
    bytes = text ? PyUnicode_AsUTF8(text) : NULL;
    PyErr_Clear();
    cwm_buf_clear(&a->out);
    cwm_buf_addc(&a->out, LINK_RAISED);
    add_text(&a->out, type ? builtin_name(type) : "SystemError");
    add_text(&a->out, bytes ? bytes : "");
    add_arguments(a, value);
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

/* `value` (may be NULL with an error; a reference is taken over). */
static void answer_value(struct agent *a, PyObject *value)
{
    cwm_buf_clear(&a->out);
    cwm_buf_addc(&a->out, LINK_VALUE);
    if (!value || !judge_value_write(&a->side, value, &a->out)) {
        answer_error(a);
    }
    Py_XDECREF(value);
}

/* ---- questions ---- */

struct text {
    const char *data;
    size_t len;
};

static bool take_text(const uint8_t **at, const uint8_t *end, struct text *text)
{
    uint32_t len;

    if (!link_get_u32(at, end, &len) || len > (size_t)(end - *at)) {
        return false;
    }
    text->data = (const char *)*at;
    text->len = len;
    *at += len;
    return true;
}

static bool run_text(struct agent *a, const struct text *text,
                     const char *filename, bool *ret_is_code)
{
    PyObject *code = judge_compile(text->data, text->len, filename); /* owned */
    PyObject *result = NULL;                                         /* owned */

    *ret_is_code = code != NULL;
    if (code) {
        result = PyEval_EvalCode(code, a->names, a->names);
    }
    Py_XDECREF(code);
    Py_XDECREF(result);
    return result != NULL;
}

/* The one agent's: for the loop's end, which comes in the middle of things. */
static int peer_fd;

/* What is asked has no answer. */
static void answer_endless(void)
{
    const struct cwm_buf message = {.data = (char[]){LINK_ENDLESS}, .len = 1};

    (void)link_send(peer_fd, &message);
    _exit(0);
}

/* What is trusted to run there does, or says why by what the program lacks. */
static void run_opening(PyObject *names, const char *text, size_t len)
{
    PyObject *code = len > 0 ? judge_compile(text, len, "opening.py") : NULL;
    PyObject *result = code ? PyEval_EvalCode(code, names, names) : NULL;

    PyErr_Clear();
    Py_XDECREF(result);
    Py_XDECREF(code);
}

/* Opening, program, set-up; then what the names stand for. */
static bool load(struct agent *a, const uint8_t *at, const uint8_t *end)
{
    struct text opening;
    struct text program;
    struct text setup;
    struct text name;
    uint32_t limit_ms;
    uint32_t memory_mb;
    uint32_t n;
    bool is_code = true;

    if (!link_get_u32(&at, end, &limit_ms) ||
        !link_get_u32(&at, end, &memory_mb) || !take_text(&at, end, &opening) ||
        !take_text(&at, end, &program) || !take_text(&at, end, &setup) ||
        !link_get_u32(&at, end, &n)) {
        return false;
    }
    run_opening(a->names, opening.data, opening.len);
    if (limit_ms > 0) {
        const struct loop_limits limits = {(uint64_t)limit_ms * 1000,
                                           (uint64_t)memory_mb << 20};

        peer_fd = a->peer;
        judge_loop_watch(answer_endless, &limits);
    }
    if (!run_text(a, &program, "solution.py", &is_code) ||
        (setup.len > 0 && !run_text(a, &setup, "setup.py", &is_code))) {
        answer_error(a);
        if (!is_code && a->out.len > 0) {
            a->out.data[0] = LINK_NO_CODE;
        }
        return true;
    }
    cwm_buf_clear(&a->out);
    cwm_buf_addc(&a->out, LINK_VALUE);
    for (uint32_t i = 0; i < n && take_text(&at, end, &name); i++) {
        PyObject *key =
            PyUnicode_FromStringAndSize(name.data, (Py_ssize_t)name.len);
        PyObject *value = /* borrowed */
            key ? PyDict_GetItemWithError(a->names, key) : NULL;

        cwm_buf_addc(&a->out, value != NULL);
        if (value && !judge_value_write(&a->side, value, &a->out)) {
            answer_error(a);
            return true;
        }
        Py_XDECREF(key);
        PyErr_Clear();
    }
    return true;
}

/* Arguments as they came, and where in the question each lies. */
struct call {
    PyObject *args;         /* owned: a tuple */
    PyObject *kwargs;       /* owned: a dict or NULL */
    const uint8_t **starts; /* owned: n_args + 1 */
    uint32_t n_args;
};

static void call_release(struct call *c)
{
    Py_XDECREF(c->args);
    Py_XDECREF(c->kwargs);
    cwm_free(c->starts);
}

static bool call_read(struct agent *a, const uint8_t *at, const uint8_t *end,
                      struct call *c)
{
    memset(c, 0, sizeof *c);
    if (!link_get_u32(&at, end, &c->n_args) || c->n_args > (size_t)(end - at)) {
        PyErr_SetString(PyExc_ValueError, "a question that breaks off");
        return false;
    }
    c->args = PyTuple_New((Py_ssize_t)c->n_args);
    c->starts = cwm_calloc(c->n_args + 1, sizeof *c->starts);
    if (!c->args || !c->starts) {
        PyErr_NoMemory();
        return false;
    }
    for (uint32_t i = 0; i < c->n_args; i++) {
        PyObject *value;

        c->starts[i] = at;
        value = judge_value_read(&a->side, &at, end);
        if (!value) {
            return false;
        }
        PyTuple_SET_ITEM(c->args, (Py_ssize_t)i, value);
    }
    c->starts[c->n_args] = at;
    c->kwargs = judge_value_read(&a->side, &at, end);
    if (c->kwargs == Py_None) {
        Py_CLEAR(c->kwargs);
        return true;
    }
    return c->kwargs && PyDict_Check(c->kwargs);
}

static bool can_change(PyObject *value)
{
    return PyList_CheckExact(value) || PyDict_CheckExact(value) ||
           PySet_Check(value) || PyByteArray_CheckExact(value);
}

/* Arguments that the call changed: tests may look at them. */
static void add_changes(struct agent *a, const struct call *c)
{
    size_t at = a->out.len;
    uint32_t n = 0;

    link_add_u32(&a->out, 0);
    for (uint32_t i = 0; i < c->n_args; i++) {
        PyObject *arg = PyTuple_GET_ITEM(c->args, (Py_ssize_t)i);
        size_t len = (size_t)(c->starts[i + 1] - c->starts[i]);

        cwm_buf_clear(&a->now);
        if (!can_change(arg) || !judge_value_write(&a->side, arg, &a->now)) {
            PyErr_Clear();
            continue;
        }
        if (a->now.len != len || memcmp(a->now.data, c->starts[i], len) != 0) {
            link_add_u32(&a->out, i);
            cwm_buf_add(&a->out, a->now.data, a->now.len);
            n++;
        }
    }
    for (int i = 0; i < 4 && at + 4 <= a->out.len; i++) {
        a->out.data[at + (size_t)i] = (char)(uint8_t)(n >> (8 * i));
    }
}

static PyObject *first(const struct call *c, Py_ssize_t i)
{
    if (PyTuple_GET_SIZE(c->args) > i) {
        return PyTuple_GET_ITEM(c->args, i);
    }
    PyErr_SetString(PyExc_ValueError, "a question without its argument");
    return NULL;
}

static PyObject *none_if(int rc)
{
    if (rc < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Those that give one value; owned, or NULL with an error. */
static PyObject *operate(struct agent *a, enum link_operation what,
                         PyObject *object, PyObject *name, const struct call *c)
{
    PyObject *x = NULL;
    PyObject *y = NULL;

    if (what == OPERATION_SET || what == OPERATION_ITEM ||
        what == OPERATION_PUT || what == OPERATION_CONTAINS) {
        x = first(c, 0);
        if (!x) {
            return NULL;
        }
    }
    switch (what) {
    case OPERATION_CALL:
        return PyObject_Call(object, c->args, c->kwargs);
    case OPERATION_GET:
        return PyObject_GetAttr(object, name);
    case OPERATION_SET:
        return none_if(PyObject_SetAttr(object, name, x));
    case OPERATION_ITERATE:
        return PyObject_GetIter(object);
    case OPERATION_LENGTH:
        return PyLong_FromSsize_t(PyObject_Size(object));
    case OPERATION_ITEM:
        return PyObject_GetItem(object, x);
    case OPERATION_PUT:
        y = first(c, 1);
        return y ? none_if(PyObject_SetItem(object, x, y)) : NULL;
    case OPERATION_CONTAINS:
        return PyBool_FromLong(PySequence_Contains(object, x));
    case OPERATION_TRUTH:
        return PyBool_FromLong(PyObject_IsTrue(object));
    case OPERATION_TEXT:
        return PyObject_Str(object);
    case OPERATION_REPR:
        return PyObject_Repr(object);
    case OPERATION_NAME:
        x = PyDict_GetItemWithError(a->names, name);
        if (!x && !PyErr_Occurred()) {
            PyErr_SetObject(PyExc_NameError, name);
        }
        Py_XINCREF(x);
        return x;
    case OPERATION_NEXT:
        break;
    }
    PyErr_SetString(PyExc_ValueError, "a question that nobody knows");
    return NULL;
}

static void answer_next(struct agent *a, PyObject *object)
{
    PyObject *item = PyIter_Check(object)
                         ? Py_TYPE(object)->tp_iternext(object)
                         : PyErr_Format(PyExc_TypeError, "not an iterator");

    if (!item &&
        (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_StopIteration))) {
        PyErr_Clear();
        cwm_buf_clear(&a->out);
        cwm_buf_addc(&a->out, LINK_STOP);
        return;
    }
    answer_value(a, item);
}

static bool answer_operation(struct agent *a, const uint8_t *at,
                             const uint8_t *end)
{
    struct call c = {.args = NULL};
    PyObject *object = NULL; /* owned */
    PyObject *name = NULL;   /* owned */
    uint32_t what;
    uint32_t number;
    struct text text;

    if (!link_get_u32(&at, end, &what) || !link_get_u32(&at, end, &number) ||
        !take_text(&at, end, &text)) {
        return false;
    }
    name = PyUnicode_FromStringAndSize(text.data, (Py_ssize_t)text.len);
    if (what != OPERATION_NAME) {
        object = PyList_GetItem(a->side.kept, (Py_ssize_t)number);
        Py_XINCREF(object);
    }
    if (!name || (what != OPERATION_NAME && !object) ||
        !call_read(a, at, end, &c)) {
        answer_error(a);
    } else if (what == OPERATION_NEXT) {
        answer_next(a, object);
    } else {
        PyObject *value =
            operate(a, (enum link_operation)what, object, name, &c);

        if (value && PyErr_Occurred()) { /* a size of -1, a truth of -1 */
            Py_DECREF(value);
            value = NULL;
        }
        answer_value(a, value);
    }
    if (what == OPERATION_CALL && a->out.len > 0 &&
        a->out.data[0] == LINK_VALUE) {
        add_changes(a, &c);
    }
    call_release(&c);
    Py_XDECREF(object);
    Py_XDECREF(name);
    return true;
}

/* A test; None, or NULL with its error. */
static PyObject *run_code(struct agent *a, const uint8_t *at,
                          const uint8_t *end)
{
    PyObject *code = PyMarshal_ReadObjectFromString((const char *)at, end - at);
    PyObject *result = NULL; /* owned */

    if (code) {
        result = PyEval_EvalCode(code, a->names, a->names);
        Py_DECREF(code);
    }
    Py_XDECREF(result);
    return result ? none_if(0) : NULL;
}

static bool answer(struct agent *a)
{
    const uint8_t *at = (const uint8_t *)a->in.data;
    const uint8_t *end = at + a->in.len;

    switch (*at++) {
    case LINK_LOAD:
        return load(a, at, end);
    case LINK_OPERATION:
        return answer_operation(a, at, end);
    case LINK_EXECUTE:
        answer_value(a, run_code(a, at, end));
        return true;
    default:
        return false;
    }
}

/* ---- serving ---- */

/* What a candidate prints is nobody's business, however much it is. */
static bool silence(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool done = fd >= 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2;

    if (fd > 2) {
        close(fd);
    }
    return done;
}

static PyObject *make_module(void)
{
    PyObject *module = PyImport_AddModule(MODULE_NAME); /* borrowed */
    PyObject *names = module ? PyModule_GetDict(module) : NULL;

    if (!names ||
        PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) < 0) {
        return NULL;
    }
    return names;
}

static bool agent_init(struct agent *a, int peer)
{
    memset(a, 0, sizeof *a);
    a->peer = peer;
    cwm_buf_init(&a->in, LINK_MAX_BYTES + 1);
    cwm_buf_init(&a->out, LINK_MAX_BYTES);
    cwm_buf_init(&a->now, LINK_MAX_BYTES);
    /* Streams are made for pipes: /dev/null would want others. */
    if (!warm_renew() || !silence() ||
        !judge_side_init(&a->side, true, NULL, 0)) {
        return false;
    }
    a->names = make_module();
    a->side.names = a->names;
    return a->names != NULL;
}

int judge_agent_serve(int peer)
{
    struct agent a;
    bool goes_on = agent_init(&a, peer);

    if (!goes_on) {
        return STATUS_OURS;
    }
    cwm_buf_addc(&a.out, LINK_VALUE); /* ready */
    while (goes_on) {
        if (a.out.failed != CWM_OK) {
            PyErr_SetString(PyExc_MemoryError, "an answer is too large");
            answer_error(&a);
        }
        /* Threads of the candidate go on meanwhile. */
        Py_BEGIN_ALLOW_THREADS goes_on =
            link_send(peer, &a.out) && link_receive(peer, &a.in);
        Py_END_ALLOW_THREADS judge_loop_next();
        goes_on = goes_on && answer(&a);
    }
    return 0;
}

int judge_script_run(const struct judge_request *request, uint8_t *state)
{
    PyObject *names;         /* borrowed */
    PyObject *code;          /* owned */
    PyObject *result = NULL; /* owned */

    if (!warm_renew()) {
        return STATUS_OURS;
    }
    names = PyModule_GetDict(PyImport_AddModule("__main__"));
    code =
        judge_compile(request->program.data, request->program.len, "main.py");
    if (!code) {
        *state = JUDGE_UNLOADED;
    } else {
        run_opening(names, request->opening.data, request->opening.len);
        result = PyEval_EvalCode(code, names, names);
    }
    Py_XDECREF(code);
    Py_XDECREF(result);
    return finish_program(finish_exception());
}
