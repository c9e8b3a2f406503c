/* SPDX-License-Identifier: MIT */
/* program.c -- run the program as asked, with the hook on its entry. */
#include "tracer/worker/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "tracer/worker/ending.h"
#include "tracer/worker/finish.h"
#include "tracer/worker/home.h"
#include "tracer/worker/hook.h"
#include "tracer/worker/streams.h"
#include "tracer/worker/warm.h"

/* The worker itself could not do its part. */
#define STATUS_OURS 3

struct run {
    const struct trace_request *request; /* borrowed */
    struct record_writer records;
    struct value_writer *values; /* borrowed from warm.c */
    struct scope_table scopes;
    PyObject *filename; /* owned */
    PyObject *code;     /* owned: the module's */
    PyObject *names;    /* borrowed: the namespace of __main__ */
    struct ending ending;
};

/* ---- preparing ---- */

/* Tracebacks quote the source from its file, as in a plain run. */
static void write_source(const struct trace_request *request)
{
    int fd = open(PROGRAM_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return; /* a folder that cannot be written: texts lack the lines */
    size_t done = 0;
    while (done < request->source_len) {
        ssize_t n =
            write(fd, request->source + done, request->source_len - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    close(fd);
}

static PyObject *compile_text(const char *text, size_t len, PyObject *filename,
                              int start)
{
    PyCompilerFlags flags = {PyCF_SOURCE_IS_UTF8 | PyCF_IGNORE_COOKIE,
                             PY_MINOR_VERSION};
    char *copy = cwm_strndup(text, len); /* owned: with a NUL behind */
    if (!copy)
        return PyErr_NoMemory();
    PyObject *code = Py_CompileStringObject(copy, filename, start, &flags, -1);
    cwm_free(copy);
    return code;
}

static void stop_over_texts(void *records)
{
    hook_stop(records, TRACE_END_TEXT_LIMIT);
}

static bool prepare(struct run *run)
{
    const struct trace_request *request = run->request;
    run->filename = PyUnicode_FromString(PROGRAM_FILE);
    run->values = warm_values(request->max_value_bytes);
    if (!run->filename || !run->values)
        return false;
    value_writer_set_program(run->values, request->source, request->source_len,
                             run->filename);
    if (request->max_text_events > 0)
        value_writer_set_budget(run->values, request->max_text_events,
                                stop_over_texts, &run->records);
    write_source(request);
    PyObject *module = PyImport_AddModule("__main__"); /* borrowed */
    if (!module)
        return false;
    run->names = PyModule_GetDict(module);
    return warm_seed(request->seed);
}

/* ---- running ---- */

static bool start_hook(struct run *run)
{
    const struct trace_request *request = run->request;
    struct hook_config config = {
        .records = &run->records,
        .values = run->values,
        .scopes = &run->scopes,
        .max_frames = request->max_frames,
        .max_value_bytes = request->max_value_bytes,
    };
    if (!request->traced)
        return true;
    if (!request->entry_len)
        config.entry_line =
            request->entry_line
                ? (uint32_t)request->entry_line
                : (uint32_t)pyframe_first_line((PyCodeObject *)run->code);
    if (!hook_init(&config))
        return false;
    hook_start();
    return true;
}

static PyObject *run_script(struct run *run)
{
    struct scope *module = scope_find(&run->scopes, (PyCodeObject *)run->code);
    if (module)
        module->is_entry = true;
    if (!start_hook(run))
        return PyErr_NoMemory();
    PyObject *result = PyEval_EvalCode(run->code, run->names, run->names);
    hook_end();
    return result;
}

/*
 * The name that `name` has as an attribute when it is defined in the body of
 * the class `owner` (none: owner_len 0): private names carry the class's.
 */
static PyObject *attribute_name(const char *owner, size_t owner_len,
                                const char *name, size_t len)
{
    while (owner_len > 0 && *owner == '_') {
        owner++;
        owner_len--;
    }
    PyObject *plain = PyUnicode_DecodeUTF8(name, (Py_ssize_t)len, NULL);
    if (!plain || owner_len == 0 || len < 3 || memcmp(name, "__", 2) != 0 ||
        memcmp(name + len - 2, "__", 2) == 0)
        return plain;
    PyObject *class = PyUnicode_DecodeUTF8(owner, (Py_ssize_t)owner_len, NULL);
    PyObject *mangled =
        class ? PyUnicode_FromFormat("_%U%U", class, plain) : NULL;
    Py_XDECREF(class);
    Py_DECREF(plain);
    return mangled;
}

/* NAME or NAME.NAME: by attributes, as a caller in the program would. */
static PyObject *resolve_entry(struct run *run)
{
    const char *at = run->request->entry;
    const char *end = at + run->request->entry_len;
    const char *owner = at; /* the part before, of owner_len bytes */
    size_t owner_len = 0;
    PyObject *object = NULL; /* owned */
    while (at < end) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        size_t len = dot ? (size_t)(dot - at) : (size_t)(end - at);
        PyObject *name = attribute_name(owner, owner_len, at, len);
        PyObject *next = NULL;
        if (name && object) {
            next = PyObject_GetAttr(object, name);
        } else if (name) {
            next = PyDict_GetItemWithError(run->names, name);
            Py_XINCREF(next);
            if (!next && !PyErr_Occurred())
                PyErr_SetObject(PyExc_NameError, name);
        }
        Py_XDECREF(name);
        Py_XDECREF(object);
        object = next;
        if (!object)
            return NULL;
        owner = at;
        owner_len = len;
        at += len + 1;
    }
    return object;
}

/*
 * The program's function behind `entry`, where it can be told without running
 * anything: the function itself, a method's, or what functools.wraps() noted.
 */
static const struct scope *function_scope(const struct run *run,
                                          PyObject *entry)
{
    /* Each wrapper was made around an older one; a program may still make a
     * circle of them. */
    for (int depth = 0; entry && depth < 100; depth++) {
        if (PyMethod_Check(entry))
            entry = PyMethod_GET_FUNCTION(entry);
        if (!PyFunction_Check(entry))
            return NULL;
        const struct scope *scope = scope_find(
            &run->scopes, (PyCodeObject *)PyFunction_GET_CODE(entry));
        if (scope && scope->is_entry)
            return scope;
        PyObject *names = ((PyFunctionObject *)entry)->func_dict;
        entry = names ? PyDict_GetItemString(names, "__wrapped__") : NULL;
    }
    return NULL;
}

/* Where the trace may begin; false: the text has no such function. */
static bool mark_entry(const struct run *run, PyObject *entry)
{
    if (scope_mark_entries(&run->scopes, run->request->entry,
                           run->request->entry_len) == 0)
        return false;
    const struct scope *only = function_scope(run, entry);
    if (only)
        scope_mark_only(&run->scopes, only);
    return true;
}

/* (args, kwargs) of the request's argument text, or NULL with an error. */
static PyObject *evaluate_args(struct run *run)
{
    static const char before[] = "(lambda *a, **k: (a, k))(\n";
    size_t len = run->request->args_len;
    PyObject *filename = NULL; /* owned */
    PyObject *code = NULL;     /* owned */
    PyObject *pair = NULL;     /* owned: handed to the caller */
    char *text = cwm_malloc(sizeof(before) + len + 2);
    if (!text)
        return PyErr_NoMemory();
    memcpy(text, before, sizeof(before) - 1);
    memcpy(text + sizeof(before) - 1, run->request->args, len);
    memcpy(text + sizeof(before) - 1 + len, "\n)", 2);
    filename = PyUnicode_FromString("<args>");
    if (filename)
        code = compile_text(text, sizeof(before) - 1 + len + 2, filename,
                            Py_eval_input);
    if (code)
        pair = PyEval_EvalCode(code, run->names, run->names);
    Py_XDECREF(code);
    Py_XDECREF(filename);
    cwm_free(text);
    return pair;
}

/* What the entry gave, taken to its end: awaited or drained. */
static PyObject *drive(PyObject *result)
{
    PyObject *module = NULL; /* owned */
    PyObject *driven = NULL; /* owned: handed to the caller */
    if (PyGen_CheckExact(result)) {
        PyObject *item;
        while ((item = Py_TYPE(result)->tp_iternext(result)))
            Py_DECREF(item);
        if (_PyGen_FetchStopIterationValue(&driven) < 0)
            driven = NULL;
    } else {
        module = PyImport_ImportModule("asyncio");
        if (module && PyCoro_CheckExact(result)) {
            driven = PyObject_CallMethod(module, "run", "O", result);
        } else if (module) {
            PyObject *drain = warm_drain(result); /* owned: a coroutine */
            if (drain)
                driven = PyObject_CallMethod(module, "run", "O", drain);
            Py_XDECREF(drain);
        }
        Py_XDECREF(module);
    }
    Py_DECREF(result);
    return driven;
}

static bool has_to_be_driven(PyObject *result, int flags)
{
    return ((flags & CO_GENERATOR) && PyGen_CheckExact(result)) ||
           ((flags & CO_COROUTINE) && PyCoro_CheckExact(result)) ||
           ((flags & CO_ASYNC_GENERATOR) && PyAsyncGen_CheckExact(result));
}

static PyObject *call_entry(struct run *run, PyObject *entry, PyObject *pair)
{
    if (!mark_entry(run, entry)) {
        run->ending.reason = TRACE_END_NO_ENTRY;
        PyErr_SetString(PyExc_NameError, "no such function in the text");
        return NULL;
    }
    if (!start_hook(run))
        return PyErr_NoMemory();
    PyObject *result = PyObject_Call(entry, PyTuple_GET_ITEM(pair, 0),
                                     PyTuple_GET_ITEM(pair, 1));
    if (result && has_to_be_driven(result, scope_entry_flags(&run->scopes)))
        result = drive(result);
    else if (!result && hook_is_listening() && !hook_saw_call() &&
             PyErr_ExceptionMatches(PyExc_TypeError))
        run->ending.reason = TRACE_END_BAD_ARGS;
    hook_end();
    return result;
}

static PyObject *run_entry(struct run *run)
{
    PyObject *entry = NULL;  /* owned */
    PyObject *pair = NULL;   /* owned */
    PyObject *result = NULL; /* owned: handed to the caller */
    PyObject *none = PyEval_EvalCode(run->code, run->names, run->names);
    if (!none) {
        run->ending.reason = TRACE_END_MODULE_EXCEPTION;
        return NULL;
    }
    Py_DECREF(none);
    entry = resolve_entry(run);
    if (!entry || !PyCallable_Check(entry)) {
        run->ending.reason = TRACE_END_NO_ENTRY;
        if (entry)
            PyErr_SetString(PyExc_TypeError, "the entry cannot be called");
        goto out;
    }
    pair = evaluate_args(run);
    if (!pair) {
        run->ending.reason = TRACE_END_BAD_ARGS;
        goto out;
    }
    result = call_entry(run, entry, pair);
out:
    Py_XDECREF(pair);
    Py_XDECREF(entry);
    return result;
}

/* Compile and run; the result (owned), or NULL with an error. */
static PyObject *run_text(struct run *run)
{
    const struct trace_request *request = run->request;
    const char *text = request->compiled ? request->compiled : request->source;
    size_t len =
        request->compiled ? request->compiled_len : request->source_len;
    run->code = compile_text(text, len, run->filename, Py_file_input);
    if (!run->code) {
        run->ending.reason = TRACE_END_SYNTAX_ERROR;
        return NULL;
    }
    if (!scope_table_init(&run->scopes, (PyCodeObject *)run->code))
        return PyErr_NoMemory();
    return request->entry_len ? run_entry(run) : run_script(run);
}

int program_run(const struct trace_request *request, uint8_t *shared,
                size_t len)
{
    struct run run = {.request = request};
    if (!record_writer_init(&run.records, shared, len, request->max_trace_bytes,
                            request->max_value_bytes))
        return STATUS_OURS;
    if (!home_mark() || !warm_renew() || !prepare(&run)) {
        ending_internal(&run.records, "could not prepare the run");
        return STATUS_OURS;
    }
    streams_limit(request->max_output_bytes, &run.records);
    PyObject *result = run_text(&run);
    ending_write(&run.ending, &run.records, run.values, result,
                 request->max_value_bytes);
    Py_XDECREF(result);
    Py_CLEAR(run.code);
    return finish_program(finish_exception());
}
