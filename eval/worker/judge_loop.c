/* SPDX-License-Identifier: MIT */
/*
 * judge_loop.c -- see judge_loop.h.
 *
 * Which loops: a jump backwards ends at a loop's head.  From one arrival there
 * to a later one all instructions that the function ran lie at the head or
 * behind it; else the loop was left, and it is another turn of one round it.
 * So no `for` round it moved on meanwhile (its own instruction lies in front),
 * and of the stack, which is as deep at every arrival, nothing has changed.
 * A `for` is no such loop itself: its iterator is what moves.
 *
 * Turns are compared with that of number 1, 2, 4, 8, ... so that a state that
 * comes back after any number of turns is found.
 */
#include "eval/worker/judge_loop.h"

#include "eval/worker/judge_loop_state.h"

#if PY_VERSION_HEX < 0x030C0000

#include <frameobject.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

enum {
    /* CPU time between two looks at the clock. */
    TICK_US = 4000,
    /* Events; a look takes some milliseconds. */
    MAX_EVENTS = 40000,
    MAX_STATE_BYTES = 16 << 10,
    /* Of all states of a look together. */
    MAX_BYTES = 2 << 20,
    MAX_HEADS = 6,   /* loops in one another */
    MAX_OUTWARDS = 4 /* callers that are tried */
};

struct head {
    int at;        /* the instruction */
    bool is_whole; /* it was not left since the state was taken */
    uint64_t n_turns;
    struct cwm_buf state;
};

static struct {
    void (*found)(void);
    struct loop_limits limits;
    volatile sig_atomic_t question;
    sig_atomic_t noted;   /* the question at the last tick */
    unsigned n_ticks;     /* of that question */
    PyFrameObject *frame; /* owned: the one that is looked at; NULL: none */
    int at;               /* its last instruction; -1: not known */
    unsigned n_events;
    size_t n_bytes;
    bool has_states; /* they can be known, and are not too many */
    struct head heads[MAX_HEADS];
    size_t n_heads;
    struct cwm_buf now;
    int for_operation, long_operation;
} loop;

static int last_instruction(PyFrameObject *frame)
{
#if PY_VERSION_HEX >= 0x030B0000
    return PyFrame_GetLasti(frame);
#elif PY_VERSION_HEX >= 0x030A0000
    return 2 * frame->f_lasti;
#else
    return frame->f_lasti;
#endif
}

/* What stands in front of an operation whose argument is long is none. */
static bool is_for(PyFrameObject *frame, int at)
{
    PyObject *code = /* owned */
        PyObject_GetAttrString((PyObject *)pyframe_code(frame), "co_code");
    bool is = true;

    if (code && PyBytes_Check(code)) {
        const uint8_t *bytes = (const uint8_t *)PyBytes_AS_STRING(code);
        const Py_ssize_t n = PyBytes_GET_SIZE(code);
        Py_ssize_t i = at;

        while (i < n && bytes[i] == loop.long_operation) {
            i += 2;
        }
        is = i >= n || bytes[i] == loop.for_operation;
    }
    Py_XDECREF(code);
    PyErr_Clear();
    return is;
}

static void stop_looking(void)
{
    PyEval_SetTrace(NULL, NULL);
    Py_CLEAR(loop.frame);
    loop_growth_reset(NULL, NULL);
    for (size_t i = 0; i < MAX_HEADS; i++) {
        cwm_buf_release(&loop.heads[i].state);
    }
    cwm_buf_release(&loop.now);
}

/*
 * Look at `frame` (a reference is taken over), or at the next one outwards that
 * can be looked at; false: there is none.
 */
static bool turn_to(PyFrameObject *frame)
{
    Py_CLEAR(loop.frame);
    loop.at = -1;
    loop.n_heads = 0;
    for (int i = 0; frame && i < MAX_OUTWARDS; i++) {
        PyFrameObject *back;

        if (loop_state_is_all(frame)) {
            frame->f_trace_opcodes = 1;
            loop.frame = frame;
            loop.has_states = true;
            loop_growth_reset(frame, &loop.limits);
            return true;
        }
        back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
    }
    Py_XDECREF(frame);
    return false;
}

static struct head *head_at(int at)
{
    for (size_t i = 0; i < loop.n_heads; i++) {
        if (loop.heads[i].at == at) {
            return &loop.heads[i];
        }
    }
    if (loop.n_heads == MAX_HEADS || is_for(loop.frame, at)) {
        return NULL;
    }
    loop.heads[loop.n_heads].at = at;
    loop.heads[loop.n_heads].is_whole = false;
    return &loop.heads[loop.n_heads++];
}

/* False: the state cannot be known, or enough was looked at. */
static bool arrive(struct head *h)
{
    if (!loop_state_of(loop.frame, NULL, &loop.now)) {
        return false;
    }
    loop.n_bytes += loop.now.len;
    if (h->is_whole && h->state.len == loop.now.len &&
        memcmp(h->state.data, loop.now.data, loop.now.len) == 0) {
        loop.found();
    }
    h->n_turns = h->is_whole ? h->n_turns + 1 : 1;
    if ((h->n_turns & (h->n_turns - 1)) == 0) {
        cwm_buf_clear(&h->state);
        cwm_buf_add(&h->state, loop.now.data, loop.now.len);
    }
    h->is_whole = true;
    return loop.n_bytes < MAX_BYTES;
}

/* An instruction is about to be run; false: look no more at this frame. */
static bool see_instruction(void)
{
    const int before = loop.at;
    const int at = last_instruction(loop.frame);
    struct head *h;

    loop.at = at;
    for (size_t i = 0; i < loop.n_heads; i++) {
        loop.heads[i].is_whole &= loop.heads[i].at <= at;
    }
    h = at < before ? head_at(at) : NULL;
    if (h) {
        if (loop_growth_arrive(loop.frame, at)) {
            loop.found();
        }
        loop.has_states = loop.has_states && arrive(h);
    }
    loop_growth_step(loop.frame, at);
    return loop.has_states || loop_growth_goes_on();
}

static int look(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    bool goes_on = ++loop.n_events < MAX_EVENTS;

    (void)self;
    (void)arg;
    if (frame == loop.frame && what == PyTrace_EXCEPTION) {
        loop_growth_raise();
    }
    if (frame == loop.frame && goes_on &&
        (what == PyTrace_RETURN ||
         (what == PyTrace_OPCODE && !see_instruction()))) {
        goes_on = loop.n_bytes < MAX_BYTES && turn_to(PyFrame_GetBack(frame));
    }
    if (!goes_on) {
        stop_looking();
    }
    return 0;
}

/* Somebody may end the loop from outside: a handler, another thread, what the
 * collector calls. */
static bool is_alone(const PyThreadState *state)
{
    PyObject *callbacks = state->interp->gc.callbacks; /* borrowed */
    struct sigaction now;

    if (callbacks && PyList_GET_SIZE(callbacks) > 0) {
        return false;
    }
    for (int i = 1; i <= SIGRTMAX; i++) {
        if (i != SIGINT && i != SIGPROF && sigaction(i, NULL, &now) == 0 &&
            now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN) {
            return false;
        }
    }
    return !state->c_tracefunc && !state->c_profilefunc && !state->next &&
           !state->prev;
}

/* Between two instructions. */
static int begin(void *arg)
{
    PyFrameObject *frame = PyEval_GetFrame(); /* borrowed */

    (void)arg;
    if (!frame || loop.frame || !is_alone(PyThreadState_Get())) {
        return 0;
    }
    Py_INCREF(frame);
    loop.n_events = 0;
    loop.n_bytes = 0;
    for (size_t i = 0; i < MAX_HEADS; i++) {
        cwm_buf_init(&loop.heads[i].state, MAX_STATE_BYTES);
    }
    cwm_buf_init(&loop.now, MAX_STATE_BYTES);
    if (turn_to(frame)) {
        PyEval_SetTrace(look, NULL);
    }
    return 0;
}

/* Soon after the beginning, and once more later. */
static void tick(int number)
{
    (void)number;
    loop.n_ticks = loop.noted == loop.question ? loop.n_ticks + 1 : 0;
    loop.noted = loop.question;
    if (loop.n_ticks == 1 || loop.n_ticks == 8) {
        (void)Py_AddPendingCall(begin, NULL);
    }
}

bool judge_loop_prepare(void)
{
    PyObject *module = PyImport_ImportModule("opcode"); /* owned */
    PyObject *numbers =                                 /* owned */
        module ? PyObject_GetAttrString(module, "opmap") : NULL;
    PyObject *iterates = /* borrowed, as the next */
        numbers ? PyDict_GetItemString(numbers, "FOR_ITER") : NULL;
    PyObject *extends =
        numbers ? PyDict_GetItemString(numbers, "EXTENDED_ARG") : NULL;

    loop.for_operation = iterates ? (int)PyLong_AsLong(iterates) : -1;
    loop.long_operation = extends ? (int)PyLong_AsLong(extends) : -1;
    Py_XDECREF(numbers);
    Py_XDECREF(module);
    return iterates && extends && !PyErr_Occurred() && loop_state_prepare() &&
           loop_growth_prepare();
}

void judge_loop_watch(void (*found)(void), const struct loop_limits *limits)
{
    const struct itimerval timer = {{0, TICK_US}, {0, TICK_US}};
    struct sigaction action = {.sa_handler = tick,
                               .sa_flags = SA_RESTART | SA_ONSTACK};

    loop.found = found;
    loop.limits = *limits;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGPROF, &action, NULL) == 0) {
        (void)setitimer(ITIMER_PROF, &timer, NULL);
    }
}

void judge_loop_next(void)
{
    loop.question = (loop.question + 1) & 0xffff;
}

#else

bool judge_loop_prepare(void)
{
    return true;
}

void judge_loop_watch(void (*found)(void), const struct loop_limits *limits)
{
    (void)found;
    (void)limits;
}

void judge_loop_next(void)
{
}

#endif
