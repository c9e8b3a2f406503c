/* SPDX-License-Identifier: MIT */
/* judge_tester.c -- tests run, the candidate asked, verdicts written. */
#include "eval/worker/judge_tester.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "eval/matrix.h"
#include "eval/worker/judge_agent.h"
#include "eval/worker/judge_known.h"
#include "eval/worker/judge_link.h"
#include "eval/worker/judge_raise.h"
#include "eval/worker/judge_value.h"

#define STATUS_OURS 3

/* An attendant's; then it is a new one, whatever the interpreter collected. */
#define MAX_RUNS 256u

/* Real time that is always given: a loaded machine lets us wait. */
#define WALL_LEAST_US 2000000u

/*
 * What a test sees of the candidate's objects.  It compares by identity:
 * equality would be the candidate's word, and so would be `in`, but where the
 * candidate was to write a class.  Names with two underscores are not
 * asked for: Python itself looks for many on any object.
 */
static const char classes_text[] =
    "class Remote:\n"
    "    __slots__ = ('_n',)\n"
    "    def __init__(self, n):\n"
    "        object.__setattr__(self, '_n', n)\n"
    "    def __call__(self, *a, **k):\n"
    "        return ask(0, self._n, '', a, k)\n"
    "    def __getattr__(self, name):\n"
    "        if name[:2] == '__':\n"
    "            raise AttributeError(name)\n"
    "        return ask(1, self._n, name, (), None)\n"
    "    def __setattr__(self, name, value):\n"
    "        ask(2, self._n, name, (value,), None)\n"
    "    def __iter__(self):\n"
    "        return ask(3, self._n, '', (), None)\n"
    "    def __next__(self):\n"
    "        return ask(4, self._n, '', (), None)\n"
    "    def __len__(self):\n"
    "        return ask(5, self._n, '', (), None)\n"
    "    def __getitem__(self, key):\n"
    "        return ask(6, self._n, '', (key,), None)\n"
    "    def __setitem__(self, key, value):\n"
    "        ask(7, self._n, '', (key, value), None)\n"
    "    def __contains__(self, value):\n"
    "        if is_class():\n"
    "            return ask(8, self._n, '', (value,), None)\n"
    "        for x in self:\n"
    "            if x is value or x == value:\n"
    "                return True\n"
    "        return False\n"
    "    def __bool__(self):\n"
    "        return ask(9, self._n, '', (), None)\n"
    "    def __str__(self):\n"
    "        return ask(10, self._n, '', (), None)\n"
    "    def __repr__(self):\n"
    "        return ask(12, self._n, '', (), None)\n"
    "class Names(dict):\n"
    "    def __missing__(self, name):\n"
    "        return find(name)\n";

/* Owned, made when warm: the two classes.  Names are the tests' builtins, which
 * find what is none of them among the prelude's names and the candidate's. */
static PyObject *remote_type;
static PyObject *names_type;

/* One run's; in an attendant of the run under way. */
static struct tester {
    const struct judge_request *request; /* borrowed */
    struct jail_run *run;                /* borrowed */
    struct jail_attendance *attendance;  /* borrowed; NULL: the only run */
    bool is_stopped;                     /* the verdict is there already */
    bool is_loading;                     /* no test was run yet */
    bool is_dead;                        /* the candidate: the next two count */
    int status;                          /* as it ended */
    uint64_t dead_us;
    clockid_t clock; /* the candidate's CPU time */
    PyObject *codes; /* owned: a list, of the tests; None: does not compile.
                        INSIDE: as bytes */
    bool is_plain;   /* all of them: an attendant may run them */
    struct judge_side side;
    PyObject *names;    /* owned: the tests' namespace */
    PyObject *provided; /* owned: a set of names that the candidate defines */
    PyObject *builtins; /* owned: a Names */
    PyObject *prelude;  /* owned: its names; NULL: it has not been run */
    struct cwm_buf question;
    struct cwm_buf answer;
    uint32_t n_done;
    uint64_t start_us; /* the candidate's clock when the test began */
    uint64_t start_wall_us;
    uint64_t limit_us;
} tester;

/* ---- verdicts ---- */

static void put_u32(size_t at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        tester.run->shared[at + (size_t)i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) < 0) {
        return 0;
    }
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Pid 1's child it is where we are an attendant, which reaps it. */
static void await_death(void)
{
    if (!tester.is_dead) {
        tester.status = jail_attend_wait(tester.attendance, &tester.dead_us);
        tester.is_dead = true;
    }
}

static uint64_t candidate_us(void)
{
    struct timespec now;

    /* One that was reaped has no clock; one that did not run yet has 0. */
    if (tester.attendance &&
        (tester.is_dead || clock_gettime(tester.clock, &now) < 0)) {
        await_death();
        return tester.dead_us;
    }
    return clock_us(tester.clock);
}

static uint32_t used_us(void)
{
    uint64_t now = candidate_us();

    return now > tester.start_us ? (uint32_t)(now - tester.start_us) : 0;
}

static uint32_t waited_us(void)
{
    return (uint32_t)(clock_us(CLOCK_MONOTONIC) - tester.start_wall_us);
}

static void begin(uint64_t limit_us)
{
    tester.start_us = candidate_us();
    tester.start_wall_us = clock_us(CLOCK_MONOTONIC);
    tester.limit_us = limit_us;
}

/* The verdict of the test under way; the count is stored behind it. */
static void write_cell(enum matrix_cell cell, uint32_t cpu_us)
{
    size_t at = JUDGE_HEAD_BYTES + JUDGE_CELL_BYTES * (size_t)tester.n_done;

    put_u32(at, (uint32_t)cell);
    put_u32(at + 4, cpu_us);
    put_u32(at + 8, waited_us());
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    put_u32(0, ++tester.n_done);
}

/* How did the candidate's process end? */
static enum matrix_cell cell_of_death(uint32_t *ret_cpu_us)
{
    const pid_t candidate = tester.run->companion;
    int status = 0;

    if (tester.attendance) {
        await_death();
        status = tester.status;
        *ret_cpu_us = used_us();
    } else {
        *ret_cpu_us = used_us();
        if (waitpid(candidate, &status, 0) != candidate) {
            return MATRIX_CRASH;
        }
    }
    if (status == -1 || !WIFSIGNALED(status)) {
        return MATRIX_CRASH;
    }
    switch (WTERMSIG(status)) {
    case SIGSYS:
        return MATRIX_DENIED;
    case SIGXCPU:
        return MATRIX_TIMEOUT;
    case SIGKILL:
        return MATRIX_MEMORY; /* nobody else's: it can signal itself, though */
    default:
        return MATRIX_CRASH;
    }
}

/*
 * No test goes on without its candidate, not even one that catches all.  A
 * plain one may go on, since it can do no harm; its verdict is written.  Who
 * is gone before the first test is so for all of them.
 */
static void stop(enum matrix_cell cell, uint32_t cpu_us)
{
    write_cell(cell, cpu_us);
    put_u32(4, tester.is_loading ? JUDGE_UNLOADED : JUDGE_STOPPED);
    if (!tester.attendance) {
        _exit(0);
    }
    tester.is_stopped = true;
}

static void stop_gone(void)
{
    uint32_t cpu_us;
    enum matrix_cell cell;

    close(tester.run->companion_fd); /* one that only lost its tongue ends */
    tester.run->companion_fd = -1;
    cell = cell_of_death(&cpu_us);
    stop(cell, cpu_us);
}

/* What the tests turn out to need an attendant cannot give. */
static _Noreturn void give_up(void)
{
    put_u32(4, JUDGE_UNATTENDED);
    jail_attend_done(tester.attendance, tester.run, true);
    _exit(0);
}

/* ---- asking ---- */

/*
 * Wait for the answer as long as the candidate has time left.  Its clock is
 * looked at when all it has left could be used up.
 */
static bool wait_for_answer(void)
{
    struct pollfd fd = {tester.run->companion_fd, POLLIN, 0};

    for (;;) {
        const uint64_t wall_us =
            WALL_LEAST_US + tester.request->wall_factor * tester.limit_us;
        uint64_t used = used_us();
        uint64_t waited = waited_us();
        uint64_t left_us;

        if (used > tester.limit_us || waited > wall_us) {
            stop(MATRIX_TIMEOUT, (uint32_t)used);
            return false;
        }
        left_us = tester.limit_us - used;
        left_us = left_us < wall_us - waited ? left_us : wall_us - waited;
        if (poll(&fd, 1, (int)(left_us / 1000) + 1) > 0) {
            return true;
        }
    }
}

/* Send the question, have the answer; false: the run has ended. */
static bool ask_and_wait(void)
{
    if (tester.is_stopped) {
        return false;
    }
    if (!link_send(tester.run->companion_fd, &tester.question)) {
        stop_gone();
        return false;
    }
    if (!wait_for_answer()) {
        return false;
    }
    /* A part of an answer and no more is a candidate's trick: it is alone
     * with its CPU time then, and the wall's limit ends it. */
    if (!link_receive(tester.run->companion_fd, &tester.answer)) {
        stop_gone();
        return false;
    }
    /* By its own word, which nobody else could doubt: it used all it has. */
    if (tester.answer.data[0] == LINK_ENDLESS) {
        stop(MATRIX_TIMEOUT, (uint32_t)tester.limit_us);
        return false;
    }
    return true;
}

/* The same; false with an error. */
static bool exchange(void)
{
    if (ask_and_wait()) {
        return true;
    }
    PyErr_SetString(PyExc_SystemExit, "the candidate is gone");
    return false;
}

static void add_text(const char *text, size_t len)
{
    link_add_u32(&tester.question, (uint32_t)len);
    cwm_buf_add(&tester.question, len ? text : "", len);
}

/* What a call changed in its arguments, done to the test's own. */
static bool change(PyObject *arg, PyObject *now)
{
    PyObject *result; /* owned */

    if (PyList_Check(arg) && PyList_CheckExact(now)) {
        return PyList_SetSlice(arg, 0, PyList_GET_SIZE(arg), now) == 0;
    }
    if (PyDict_Check(arg) && PyDict_Check(now)) {
        PyDict_Clear(arg);
        return PyDict_Update(arg, now) == 0;
    }
    if (PyByteArray_Check(arg) && PyByteArray_CheckExact(now)) {
        return PySequence_SetSlice(arg, 0, PY_SSIZE_T_MAX, now) == 0;
    }
    if (PySet_Check(arg) && PyAnySet_CheckExact(now)) {
        PySet_Clear(arg);
        result = PyObject_CallMethod(arg, "update", "O", now);
        Py_XDECREF(result);
        return result != NULL;
    }
    return true;
}

static bool take_changes(const uint8_t *at, const uint8_t *end, PyObject *args)
{
    uint32_t n;

    if (!link_get_u32(&at, end, &n)) {
        return true; /* no call */
    }
    for (uint32_t i = 0; i < n; i++) {
        PyObject *now; /* owned */
        uint32_t which;
        bool done;

        if (!link_get_u32(&at, end, &which) ||
            which >= (size_t)PyTuple_GET_SIZE(args)) {
            PyErr_SetString(PyExc_ValueError, "an answer that breaks off");
            return false;
        }
        now = judge_value_read(&tester.side, &at, end);
        done = now && change(PyTuple_GET_ITEM(args, (Py_ssize_t)which), now);
        Py_XDECREF(now);
        if (!done) {
            return false;
        }
    }
    return true;
}

static PyObject *take_answer(PyObject *args)
{
    const uint8_t *at = (const uint8_t *)tester.answer.data;
    const uint8_t *end = at + tester.answer.len;
    PyObject *value;

    switch (*at++) {
    case LINK_VALUE:
        value = judge_value_read(&tester.side, &at, end);
        if (value && !take_changes(at, end, args)) {
            Py_DECREF(value);
            value = NULL;
        }
        return value;
    case LINK_STOP:
        PyErr_SetNone(PyExc_StopIteration);
        return NULL;
    case LINK_RAISED:
        judge_raise(&tester.side, at, end);
        return NULL;
    default:
        PyErr_SetString(PyExc_ValueError, "an answer that is none");
        return NULL;
    }
}

static bool add_arguments(PyObject *args, PyObject *kwargs)
{
    const Py_ssize_t n = PyTuple_GET_SIZE(args);

    link_add_u32(&tester.question, (uint32_t)n);
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!judge_value_write(&tester.side, PyTuple_GET_ITEM(args, i),
                               &tester.question)) {
            return false;
        }
    }
    if (kwargs && PyDict_Check(kwargs) && PyDict_GET_SIZE(kwargs) == 0) {
        kwargs = Py_None;
    }
    return judge_value_write(&tester.side, kwargs ? kwargs : Py_None,
                             &tester.question);
}

static PyObject *ask_operation(unsigned what, uint32_t number, const char *name,
                               size_t name_len, PyObject *args,
                               PyObject *kwargs)
{
    cwm_buf_clear(&tester.question);
    cwm_buf_addc(&tester.question, LINK_OPERATION);
    link_add_u32(&tester.question, what);
    link_add_u32(&tester.question, number);
    add_text(name, name_len);
    if (!add_arguments(args, kwargs) || !exchange()) {
        return NULL;
    }
    return take_answer(args);
}

/* ask(operation, number, name, args, kwargs) */
static PyObject *ask(PyObject *self, PyObject *words)
{
    unsigned what;
    unsigned long long object;
    uint32_t number;
    const char *name;
    Py_ssize_t len;
    PyObject *args;
    PyObject *kwargs;

    (void)self;
    if (!PyArg_ParseTuple(words, "IKs#O!O", &what, &object, &name, &len,
                          &PyTuple_Type, &args, &kwargs) ||
        !judge_side_number(&tester.side, object, &number)) {
        return NULL;
    }
    return ask_operation(what, number, name, (size_t)len, args, kwargs);
}

static PyMethodDef ask_method = {"ask", ask, METH_VARARGS, NULL};

/* `class NAME` in the text? */
static bool defines_class(const struct judge_text *text,
                          const struct judge_text *name)
{
    static const char word[] = "class ";
    const char *at = text->data;
    const char *end = at ? at + text->len : at;

    while (at && (at = memmem(at, (size_t)(end - at), word, sizeof word - 1)) !=
                     NULL) {
        at += sizeof word - 1;
        if ((size_t)(end - at) > name->len &&
            memcmp(at, name->data, name->len) == 0 &&
            strchr(" (:", at[name->len])) {
            return true;
        }
    }
    return false;
}

/* is_class(): was the candidate to write a class? */
static PyObject *is_class(PyObject *self, PyObject *none)
{
    const struct judge_request *r = tester.request;

    (void)self;
    (void)none;
    return PyBool_FromLong(r->entry.len > 0 &&
                           (defines_class(&r->prelude, &r->entry) ||
                            defines_class(&r->reference, &r->entry)));
}

static PyMethodDef is_class_method = {"is_class", is_class, METH_NOARGS, NULL};

/* ---- names ---- */

/* The prelude's names are found only when a test asks for one of them. */
static PyObject *prelude_name(PyObject *name)
{
    const struct judge_text *text = &tester.request->prelude;
    PyObject *code;   /* owned */
    PyObject *result; /* owned */

    if (!judge_known_can_have(text, name)) {
        return NULL;
    }
    if (tester.attendance) {
        give_up();
    }
    if (!tester.prelude) {
        tester.prelude = PyDict_New();
        if (!tester.prelude ||
            PyDict_SetItemString(tester.prelude, "__builtins__",
                                 PyEval_GetBuiltins()) < 0) {
            return NULL;
        }
        code = judge_compile(text->data, text->len, "prelude.py");
        result =
            code ? PyEval_EvalCode(code, tester.prelude, tester.prelude) : NULL;
        PyErr_Clear(); /* a prelude that breaks has the names so far */
        Py_XDECREF(result);
        Py_XDECREF(code);
    }
    return PyDict_GetItemWithError(tester.prelude, name);
}

/* What the candidate has of that name; KeyError: nothing. */
static PyObject *candidate_name(PyObject *name)
{
    PyObject *none = PyTuple_New(0); /* owned */
    PyObject *value = NULL;
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(name, &len);

    if (none && text) {
        value = ask_operation(OPERATION_NAME, 0, text, (size_t)len, none, NULL);
    }
    Py_XDECREF(none);
    if (!value) {
        PyErr_Clear();
        PyErr_SetObject(PyExc_KeyError, name);
        return NULL;
    }
    /* An object stays what it is; a value could be another one next time. */
    if (Py_TYPE(value) == (PyTypeObject *)remote_type &&
        PyDict_SetItem(tester.builtins, name, value) < 0) {
        Py_DECREF(value);
        return NULL;
    }
    return value;
}

/*
 * find(name): where a test's name is neither its own nor a builtin's.  The
 * prelude is trusted: what it defines is not asked of the candidate.
 */
static PyObject *find(PyObject *self, PyObject *name)
{
    PyObject *value; /* borrowed */

    (void)self;
    if (!PyUnicode_Check(name)) {
        PyErr_SetObject(PyExc_KeyError, name);
        return NULL;
    }
    value = prelude_name(name);
    if (value) {
        Py_INCREF(value);
        return value;
    }
    return PyErr_Occurred() ? NULL : candidate_name(name);
}

static PyMethodDef find_method = {"find", find, METH_O, NULL};

bool judge_tester_prepare(void)
{
    PyObject *names = PyDict_New();                         /* owned */
    PyObject *asks = PyCFunction_New(&ask_method, NULL);    /* owned */
    PyObject *finds = PyCFunction_New(&find_method, NULL);  /* owned */
    PyObject *is = PyCFunction_New(&is_class_method, NULL); /* owned */
    PyObject *result = NULL;                                /* owned */

    if (names && asks && finds && is &&
        PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) ==
            0 &&
        PyDict_SetItemString(names, "__name__", Py_None) == 0 &&
        PyDict_SetItemString(names, "ask", asks) == 0 &&
        PyDict_SetItemString(names, "find", finds) == 0 &&
        PyDict_SetItemString(names, "is_class", is) == 0) {
        result =
            PyRun_StringFlags(classes_text, Py_file_input, names, names, NULL);
    }
    if (result) {
        remote_type = PyDict_GetItemString(names, "Remote");
        names_type = PyDict_GetItemString(names, "Names");
        Py_XINCREF(remote_type);
        Py_XINCREF(names_type);
    }
    Py_XDECREF(result);
    Py_XDECREF(is);
    Py_XDECREF(finds);
    Py_XDECREF(asks);
    Py_XDECREF(names);
    return remote_type != NULL && names_type != NULL;
}

/* Functions and classes at the top of the reference solution, and the entry:
 * the candidate has to have them, be they named as builtins. */
static bool note_provided(void)
{
    const struct judge_request *r = tester.request;
    PyObject *code = NULL;   /* owned */
    PyObject *values = NULL; /* owned */
    PyObject *entry =        /* owned */
        PyUnicode_DecodeUTF8(r->entry.data, (Py_ssize_t)r->entry.len, NULL);
    bool done =
        entry && (r->entry.len == 0 || PySet_Add(tester.provided, entry) == 0);

    Py_XDECREF(entry);
    if (done && r->reference.len > 0) {
        code =
            judge_compile(r->reference.data, r->reference.len, "reference.py");
        PyErr_Clear();
    }
    values = code ? PyObject_GetAttrString(code, "co_consts") : NULL;
    for (Py_ssize_t i = 0; values && i < PyTuple_GET_SIZE(values); i++) {
        PyObject *value = PyTuple_GET_ITEM(values, i);
        PyObject *name = PyCode_Check(value)
                             ? PyObject_GetAttrString(value, "co_name")
                             : NULL;

        if (name && PyUnicode_READ_CHAR(name, 0) != '<') {
            done = done && PySet_Add(tester.provided, name) == 0;
        }
        Py_XDECREF(name);
    }
    Py_XDECREF(values);
    Py_XDECREF(code);
    return done;
}

/* ---- loading ---- */

static enum matrix_cell cell_of_error(void)
{
    enum matrix_cell cell = MATRIX_ERROR;

    if (PyErr_ExceptionMatches(PyExc_AssertionError)) {
        cell = MATRIX_FAIL;
    } else if (PyErr_ExceptionMatches(PyExc_SystemExit)) {
        cell = MATRIX_EXIT;
    } else if (PyErr_ExceptionMatches(PyExc_MemoryError)) {
        cell = MATRIX_MEMORY;
    }
    PyErr_Clear();
    return cell;
}

/* The program could not be loaded: every test's verdict. */
static int unloaded(enum matrix_cell cell)
{
    write_cell(cell, used_us());
    put_u32(4, JUDGE_UNLOADED);
    return 0;
}

/* The names that the answer to LOAD has values for; false: an error. */
static bool take_provided(PyObject *list, bool *ret_all)
{
    const uint8_t *at = (const uint8_t *)tester.answer.data + 1;
    const uint8_t *end =
        (const uint8_t *)tester.answer.data + tester.answer.len;

    *ret_all = true;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        PyObject *name = PyList_GET_ITEM(list, i);
        PyObject *value; /* owned */
        bool done;

        if (at >= end || *at++ == 0) {
            *ret_all =
                *ret_all && PyUnicode_GET_LENGTH(name) > 0 &&
                (size_t)PyUnicode_GET_LENGTH(name) != tester.request->entry.len;
            (void)PyDict_DelItem(tester.names, name);
            PyErr_Clear();
            continue;
        }
        value = judge_value_read(&tester.side, &at, end);
        done = value && PyDict_SetItem(tester.names, name, value) == 0;
        Py_XDECREF(value);
        if (!done) {
            return false;
        }
    }
    return true;
}

/* Of any question; 0: no loop is watched. */
static void add_limits(void)
{
    const struct judge_request *r = tester.request;
    uint64_t limit_us = r->load_limit_us;

    for (size_t i = 0; i < r->n_tests; i++) {
        if (r->tests[i].limit_us > limit_us) {
            limit_us = r->tests[i].limit_us;
        }
    }
    link_add_u32(&tester.question,
                 r->watches_loops ? (uint32_t)(limit_us / 1000) + 1 : 0);
    link_add_u32(&tester.question, (uint32_t)(r->memory_bytes >> 20));
}

static bool ask_to_load(PyObject *list)
{
    const struct judge_request *r = tester.request;

    cwm_buf_clear(&tester.question);
    cwm_buf_addc(&tester.question, LINK_LOAD);
    add_limits();
    add_text(r->opening.data, r->opening.len);
    add_text(r->program.data, r->program.len);
    add_text(r->setup.data, r->setup.len);
    link_add_u32(&tester.question, (uint32_t)PyList_GET_SIZE(list));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        Py_ssize_t len;
        const char *name =
            PyUnicode_AsUTF8AndSize(PyList_GET_ITEM(list, i), &len);

        if (!name) {
            return false;
        }
        add_text(name, (size_t)len);
    }
    return exchange();
}

/* MATRIX_PASS: loaded. */
static enum matrix_cell load(void)
{
    PyObject *list = PySequence_List(tester.provided); /* owned */
    enum matrix_cell cell = MATRIX_ERROR;
    bool has_all = false;

    if (list && PyList_Sort(list) == 0 && ask_to_load(list)) {
        char what = tester.answer.data[0];

        if (what == LINK_NO_CODE) {
            cell = MATRIX_SYNTAX;
        } else if (what == LINK_RAISED) {
            (void)take_answer(list);
            cell = PyErr_ExceptionMatches(PyExc_SystemExit) ? MATRIX_EXIT
                                                            : MATRIX_LOAD;
            PyErr_Clear();
        } else if (what == LINK_VALUE && take_provided(list, &has_all)) {
            cell = has_all ? MATRIX_PASS : MATRIX_NO_ENTRY;
        }
    }
    PyErr_Clear();
    Py_XDECREF(list);
    return cell;
}

/* ---- tests ---- */

static PyObject *execute_inside(PyObject *test_code)
{
    cwm_buf_clear(&tester.question);
    cwm_buf_addc(&tester.question, LINK_EXECUTE);
    cwm_buf_add(&tester.question, PyBytes_AS_STRING(test_code),
                (size_t)PyBytes_GET_SIZE(test_code));
    if (!exchange()) {
        return NULL;
    }
    return take_answer(test_code);
}

/* All tests, or none where an attendant may not run them. */
static bool compile_all(void)
{
    const struct judge_request *r = tester.request;
    const bool is_inside = r->mode == JUDGE_INSIDE;

    tester.is_plain = true;
    tester.codes = PyList_New((Py_ssize_t)r->n_tests);
    if (!tester.codes || !judge_known_renew()) {
        return false;
    }
    for (size_t i = 0; i < r->n_tests && tester.is_plain; i++) {
        PyObject *code =
            judge_known_test(&r->tests[i], is_inside,
                             tester.attendance && !is_inside, &tester.is_plain);

        if (!code) {
            return false;
        }
        PyList_SET_ITEM(tester.codes, (Py_ssize_t)i, code); /* steals */
    }
    return true;
}

static void run_test(size_t i)
{
    const struct judge_test *test = &tester.request->tests[i];
    PyObject *code = PyList_GET_ITEM(tester.codes, (Py_ssize_t)i);
    PyObject *result; /* owned */
    enum matrix_cell cell;
    uint32_t used;

    begin(test->limit_us);
    if (code == Py_None) {
        write_cell(MATRIX_BAD_TEST, 0);
        return;
    }
    if (tester.request->mode == JUDGE_INSIDE) {
        result = execute_inside(code);
    } else {
        result = PyEval_EvalCode(code, tester.names, tester.names);
    }
    if (tester.is_stopped) {
        PyErr_Clear();
        Py_XDECREF(result);
        return;
    }
    used = used_us();
    cell = result             ? MATRIX_PASS
           : PyErr_Occurred() ? cell_of_error()
                              : MATRIX_ERROR;
    if (used > test->limit_us) {
        cell = MATRIX_TIMEOUT;
    }
    Py_XDECREF(result);
    write_cell(cell, used);
}

/* ---- a run ---- */

/*
 * Nothing of what the candidate can write to is looked at: modules in the
 * folder that both have, above all.
 */
static bool leave_folder(void)
{
    PyObject *path = PySys_GetObject("path"); /* borrowed */

    return chdir("/") == 0 && path && PyList_Check(path) &&
           PyList_SetSlice(path, 0, 1, NULL) == 0;
}

static bool tester_init(const struct judge_request *request,
                        struct jail_run *run, struct jail_attendance *a,
                        uint64_t first)
{
    memset(&tester, 0, sizeof tester);
    tester.request = request;
    tester.run = run;
    tester.attendance = a;
    cwm_buf_init(&tester.question, LINK_MAX_BYTES);
    cwm_buf_init(&tester.answer, LINK_MAX_BYTES + 1);
    if (clock_getcpuclockid(run->companion, &tester.clock) != 0 ||
        !judge_side_init(&tester.side, false, remote_type, first)) {
        return false;
    }
    tester.names = PyDict_New();
    tester.provided = PySet_New(NULL);
    tester.builtins = PyObject_CallOneArg(names_type, PyEval_GetBuiltins());
    return tester.names && tester.provided && tester.builtins &&
           PyDict_SetItemString(tester.names, "__builtins__",
                                tester.builtins) == 0;
}

/* Tests that do not end by themselves end here: the verdict is the kernel's. */
static void start_timer(uint64_t cpu_us)
{
    const struct itimerval timer = {
        .it_value = {(time_t)(cpu_us / 1000000),
                     (suseconds_t)(cpu_us % 1000000)}};

    signal(SIGPROF, SIG_DFL);
    setitimer(ITIMER_PROF, &timer, NULL);
}

static int broken(void)
{
    put_u32(4, JUDGE_BROKEN);
    return STATUS_OURS;
}

/* Nothing of the run is left in this process. */
static void tester_release(void)
{
    const struct itimerval none = {{0, 0}, {0, 0}};

    setitimer(ITIMER_PROF, &none, NULL);
    tester.is_stopped = true; /* what the tests leave may not ask any more */
    PyErr_Clear();
    if (tester.names) {
        PyDict_Clear(tester.names); /* its functions hold it */
    }
    Py_CLEAR(tester.codes);
    Py_CLEAR(tester.names);
    Py_CLEAR(tester.provided);
    Py_CLEAR(tester.builtins);
    Py_CLEAR(tester.prelude);
    judge_side_release(&tester.side);
    cwm_buf_release(&tester.question);
    cwm_buf_release(&tester.answer);
    PyGC_Collect();
    PyErr_Clear();
}

static int run_all(void)
{
    const struct judge_request *request = tester.request;
    enum matrix_cell cell;

    if (tester.run->shared_len <
        JUDGE_HEAD_BYTES + JUDGE_CELL_BYTES * (request->n_tests + 1)) {
        return STATUS_OURS;
    }
    start_timer(request->tester_us);
    if (!compile_all()) {
        return broken();
    }
    if (!tester.is_plain) {
        put_u32(4, JUDGE_UNATTENDED);
        return 0;
    }
    begin(request->load_limit_us);
    if (!wait_for_answer()) { /* until it is ready */
        return 0;
    }
    if (!link_receive(tester.run->companion_fd, &tester.answer)) {
        return broken();
    }
    if (request->mode == JUDGE_APART && !note_provided()) {
        return broken();
    }
    begin(request->load_limit_us);
    tester.is_loading = true;
    cell = load();
    tester.is_loading = false;
    if (tester.is_stopped) {
        return 0;
    }
    put_u32(8, used_us());
    put_u32(12, waited_us());
    if (cell != MATRIX_PASS) {
        return unloaded(cell);
    }
    for (size_t i = 0; i < request->n_tests && !tester.is_stopped; i++) {
        run_test(i);
    }
    if (!tester.is_stopped) {
        put_u32(4, JUDGE_DONE);
    }
    return 0;
}

int judge_tester_run(const struct judge_request *request, struct jail_run *run)
{
    if (!leave_folder() || !tester_init(request, run, NULL, 0)) {
        return STATUS_OURS;
    }
    return run_all();
}

int judge_tester_attend(struct jail_attendance *a)
{
    struct judge_request request;
    struct jail_run run;
    int status = leave_folder() ? 0 : STATUS_OURS;

    for (uint64_t n = 1;
         status == 0 && n <= MAX_RUNS && jail_attend_next(a, &run); n++) {
        status = judge_request_read(run.request, run.request_len, &request,
                                    NULL) == CWM_OK &&
                         tester_init(&request, &run, a, n << 32)
                     ? run_all()
                     : STATUS_OURS;
        if (status == 0) {
            tester_release();
            cwm_free(request.tests);
            jail_attend_done(a, &run, n == MAX_RUNS);
        }
    }
    return status;
}
