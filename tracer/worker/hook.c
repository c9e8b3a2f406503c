/* SPDX-License-Identifier: MIT */
/* hook.c -- the trace function: events in, records out. */
#include "tracer/worker/hook.h"

#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "tracer/worker/home.h"
#include "tracer/worker/triple.h"

/* Head of a record at most: type, three numbers, flags. */
#define HEAD_BYTES (2 + 3 * RECORD_NUMBER_BYTES)

enum hook_state { HOOK_WAITING, HOOK_RECORDING, HOOK_DONE };

static struct {
    struct hook_config config;
    struct locals_writer locals;
    enum hook_state state;
    bool is_listening;
    bool saw_call;
    uint64_t n_frames;
    uint64_t n_activations;
    uint32_t n_scopes;
    struct activation **stack; /* owned: the active ones, outermost first */
    size_t n_stack, max_stack;
    struct suspended suspended;
    uint8_t *triple;        /* owned: scratch */
    const PyObject *result; /* an address: what the entry returned */
    const uint8_t *result_text;
    size_t result_len;
    bool is_result_cut;
    Py_tracefunc trampoline; /* CPython's own, for a program's function */
    hook_handler divert;     /* in place of what is here; NULL: none */
} hook;

/* ---- the end of a run ---- */

void hook_stop(struct record_writer *records, enum trace_end_reason reason)
{
    struct record_end end = {.reason = reason};
    record_finish(records, &end);
    _exit(0);
}

static _Noreturn void stop_full(void)
{
    hook_stop(hook.config.records, TRACE_END_BYTE_LIMIT);
}

static _Noreturn void stop_short_of_memory(void)
{
    static const char why[] = "no memory for the trace";
    struct record_end end = {.reason = TRACE_END_INTERNAL,
                             .detail = why,
                             .detail_len = sizeof(why) - 1};
    record_finish(hook.config.records, &end);
    _exit(0);
}

static void check(enum locals_result rc)
{
    if (rc == LOCALS_FULL)
        stop_full();
    if (rc == LOCALS_NOMEM)
        stop_short_of_memory();
}

/* ---- activations ---- */

static void push(struct activation *a)
{
    if (hook.n_stack == hook.max_stack) {
        size_t max = hook.max_stack ? 2 * hook.max_stack : 256;
        struct activation **stack =
            cwm_realloc(hook.stack, max, sizeof(struct activation *));
        if (!stack)
            stop_short_of_memory();
        hook.stack = stack;
        hook.max_stack = max;
    }
    hook.stack[hook.n_stack++] = a;
}

/* ---- records ---- */

/* The events that follow are `a`'s, which is not the current one. */
static void write_switch(const struct activation *a)
{
    struct record_writer *r = hook.config.records;
    if (record_space(r) < HEAD_BYTES)
        stop_full();
    *r->at++ = TRACE_RECORD_SWITCH;
    r->at = record_put_number(r->at, a->id);
    record_commit(r);
}

/*
 * The activation that an event other than `call` belongs to, or NULL.  As a
 * rule it is the current one.  It is not when the interpreter resumes a
 * generator without a `call` event (throw() and close() on 3.11).
 */
static struct activation *find_activation(PyFrameObject *frame)
{
    if (hook.n_stack && hook.stack[hook.n_stack - 1]->frame == frame)
        return hook.stack[hook.n_stack - 1];
    if (hook.state != HOOK_RECORDING)
        return NULL;
    struct scope *scope = scope_find(hook.config.scopes, pyframe_code(frame));
    if (!scope)
        return NULL;
    for (size_t i = hook.n_stack; i-- > 0;) {
        if (hook.stack[i]->frame != frame)
            continue;
        /* Those above were left while nobody listened. */
        while (hook.n_stack > i + 1)
            activation_retire(hook.stack[--hook.n_stack]);
        write_switch(hook.stack[i]);
        return hook.stack[i];
    }
    struct activation *a = suspended_take(&hook.suspended, frame);
    if (!a)
        return NULL;
    if (a->scope != scope) {
        /* Its frame died unseen and another was made at its address. */
        activation_retire(a);
        return NULL;
    }
    push(a);
    write_switch(a);
    return a;
}

/* Where the event stands: what CPython says, else the line before. */
static uint32_t event_line(const struct activation *a, PyFrameObject *frame)
{
    int line = pyframe_line(frame);
    if (line > 0)
        return (uint32_t)line;
    if (a->last_line > 0)
        return a->last_line;
    return (uint32_t)a->scope->code->co_firstlineno;
}

static void count_frame(void)
{
    if (hook.n_frames == hook.config.max_frames)
        hook_stop(hook.config.records, TRACE_END_FRAME_LIMIT);
    hook.n_frames++;
}

static void write_state(struct activation *a, PyFrameObject *frame,
                        enum trace_record_type type, uint32_t line)
{
    struct record_writer *r = hook.config.records;
    check(locals_prepare(&hook.locals, a, frame));
    if (record_space(r) < HEAD_BYTES)
        stop_full();
    *r->at++ = (uint8_t)type;
    if (type == TRACE_RECORD_CALL) {
        r->at = record_put_number(r->at, a->scope->func_id);
        r->at = record_put_number(r->at, a->id);
    }
    r->at = record_put_number(r->at, line);
    check(locals_write(&hook.locals, a));
    record_commit(r);
    a->last_line = line;
}

static void on_call(PyFrameObject *frame)
{
    struct scope *scope = scope_find(hook.config.scopes, pyframe_code(frame));
    if (!scope)
        return;
    hook.saw_call = true;
    if (hook.state == HOOK_DONE)
        return;
    bool is_start = pyframe_is_start(frame);
    if (hook.state == HOOK_WAITING) {
        if (!scope->is_entry || !is_start)
            return;
        hook.state = HOOK_RECORDING;
    }
    count_frame();
    struct activation *a = suspended_take(&hook.suspended, frame);
    if (a && (is_start || a->scope != scope)) {
        activation_retire(a); /* of a frame that died unseen */
        a = NULL;
    }
    if (scope->func_id == SCOPE_NO_ID &&
        !locals_define_scope(&hook.locals, scope, &hook.n_scopes))
        stop_full();
    if (!a) {
        a = activation_new(scope, frame, hook.n_activations);
        if (!a)
            stop_short_of_memory();
        hook.n_activations++;
    }
    push(a);
    uint32_t line = event_line(a, frame);
    if (scope->is_module)
        line = hook.config.entry_line;
    write_state(a, frame, TRACE_RECORD_CALL, line);
}

static void on_line(PyFrameObject *frame)
{
    struct activation *a = find_activation(frame);
    if (!a)
        return;
    count_frame();
    write_state(a, frame, TRACE_RECORD_LINE, event_line(a, frame));
}

static void on_return(PyFrameObject *frame, PyObject *arg)
{
    struct activation *a = find_activation(frame);
    if (!a)
        return;
    count_frame();
    struct record_writer *r = hook.config.records;
    bool is_suspending = arg && pyframe_is_suspending(frame);
    if (record_space(r) < HEAD_BYTES)
        stop_full();
    *r->at++ = TRACE_RECORD_RETURN;
    r->at = record_put_number(r->at, event_line(a, frame));
    uint8_t *flags = r->at++;
    const uint8_t *text;
    size_t len;
    bool is_cut;
    if (!locals_put_value(&hook.locals, arg ? arg : Py_None, &text, &len,
                          &is_cut))
        stop_full();
    *flags = (uint8_t)((is_suspending ? TRACE_FLAG_SUSPENDED : 0) |
                       (is_cut ? TRACE_FLAG_CUT : 0));
    record_commit(r);
    hook.n_stack--;
    if (is_suspending) {
        suspended_put(&hook.suspended, a);
        return;
    }
    if (a->id == 0) {
        hook.state = HOOK_DONE;
        hook.n_stack = 0;
        hook.result = arg;
        hook.result_text = text;
        hook.result_len = len;
        hook.is_result_cut = is_cut;
    }
    activation_retire(a);
}

static void on_exception(PyFrameObject *frame, PyObject *arg)
{
    struct activation *a = find_activation(frame);
    if (!a || !PyTuple_CheckExact(arg) || PyTuple_GET_SIZE(arg) != 3)
        return;
    count_frame();
    struct record_writer *r = hook.config.records;
    if (!locals_observe(&hook.locals, a, frame))
        stop_short_of_memory();
    bool is_cut;
    size_t len =
        triple_render(hook.config.values, arg, hook.config.max_value_bytes,
                      hook.triple, &is_cut);
    if (record_space(r) < HEAD_BYTES || record_space(r) - HEAD_BYTES < len)
        stop_full();
    *r->at++ = TRACE_RECORD_EXCEPT;
    r->at = record_put_number(r->at, event_line(a, frame));
    *r->at++ = is_cut ? TRACE_FLAG_CUT : 0;
    r->at = record_put_number(r->at, len);
    memcpy(r->at, hook.triple, len);
    r->at += len;
    record_commit(r);
}

/* ---- the trace function ---- */

/*
 * From 3.11 on CPython makes a frame object for each frame that it reports,
 * which counts as a new object of the collector: an untraced run would
 * collect later.  The count is put right when the frame starts, and back
 * before the object is freed.
 */
static void balance_collector(PyFrameObject *frame, int what, PyObject *arg)
{
#if PY_VERSION_HEX >= 0x030B0000
    if (what == PyTrace_CALL && pyframe_is_start(frame))
        pyframe_gc_adjust(PyThreadState_Get(), -1);
    else if (what == PyTrace_RETURN && !(arg && pyframe_is_suspending(frame)))
        pyframe_gc_adjust(PyThreadState_Get(), 1);
#else
    (void)frame;
    (void)what;
    (void)arg;
#endif
}

/* CPython's own handling of the program's trace function. */
static int call_program_function(PyObject *function, PyFrameObject *frame,
                                 int what, PyObject *arg)
{
    int rc = hook.trampoline(function, frame, what, arg);
    PyThreadState *tstate = PyThreadState_Get();
    if (hook.is_listening && pyframe_trace_func(tstate) == hook.trampoline)
        hook_install(pyframe_trace_object(tstate));
    else if (hook.is_listening && !pyframe_trace_func(tstate))
        hook_install(NULL); /* it failed, and CPython unset it */
    return rc;
}

static int on_event(PyObject *function, PyFrameObject *frame, int what,
                    PyObject *arg)
{
    if (home_is_here()) {
        if (hook.divert)
            hook.divert(frame, what, arg);
        else if (what == PyTrace_LINE)
            on_line(frame);
        else if (what == PyTrace_CALL)
            on_call(frame);
        else if (what == PyTrace_RETURN)
            on_return(frame, arg);
        else if (what == PyTrace_EXCEPTION)
            on_exception(frame, arg);
        if (what != PyTrace_LINE)
            balance_collector(frame, what, arg);
    }
    if (!function)
        return 0;
    return call_program_function(function, frame, what, arg);
}

bool hook_init(const struct hook_config *config)
{
    memset(&hook, 0, sizeof(hook));
    hook.config = *config;
    hook.triple = cwm_malloc(triple_room(config->max_value_bytes));
    if (!hook.triple)
        return false;
    return locals_writer_init(&hook.locals, config->records, config->values,
                              config->scopes, config->max_value_bytes);
}

void hook_install(PyObject *program_function)
{
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyEval_SetTrace(on_event, program_function);
    PyErr_Restore(type, value, traceback);
}

void hook_set_trampoline(Py_tracefunc trampoline)
{
    hook.trampoline = trampoline;
}

void hook_divert(hook_handler handler)
{
    hook.divert = handler;
}

void hook_start(void)
{
    hook.is_listening = true;
    hook.saw_call = false;
    hook_install(NULL);
}

void hook_end(void)
{
    if (!hook.is_listening)
        return;
    hook.is_listening = false;
    hook.state = HOOK_DONE;
    PyObject *function = pyframe_trace_object(PyThreadState_Get());
    PyEval_SetTrace(function ? hook.trampoline : NULL, function);
}

bool hook_is_listening(void)
{
    return hook.is_listening;
}

bool hook_saw_call(void)
{
    return hook.saw_call;
}

const uint8_t *hook_result(const PyObject *value, size_t *ret_len,
                           bool *ret_cut)
{
    if (!hook.result_text || hook.result != value)
        return NULL;
    *ret_len = hook.result_len;
    *ret_cut = hook.is_result_cut;
    return hook.result_text;
}
