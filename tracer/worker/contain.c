/* SPDX-License-Identifier: MIT */
/*
 * contain.c -- see contain.h: the program's side, and the walk in the scratch
 * process; contain_child.c makes the interpreter fit for it.
 *
 * Trust: the shared area may hold anything, since the program's code runs in
 * the scratch process too; a text of a wrong length counts as none.
 */
#include "tracer/worker/contain.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "sandbox/jail.h"
#include "tracer/worker/contain_child.h"
#include "tracer/worker/value_hold.h"
#include "tracer/worker/value_walk.h"

/*
 * Line, call and return events of one scratch process: some 20 ms of traced
 * Python.  A repr() that needs more is not for a trace.
 */
#define MAX_EVENTS 200000
/* For C code, which makes no events; the kernel kills then. */
#define MAX_CPU_MS 250
/*
 * What one scratch process costs a run besides its own events.  Measured are
 * 0.85 ms for a small program, in which some 10,000 events could be had; twice
 * that, since a copy of a large one costs more.
 */
#define PROCESS_EVENTS 20000
/* What one costs that was killed: MAX_CPU_MS, 10,000 events in each. */
#define KILLED_EVENTS 2500000
/*
 * Types that went over a limit.  A list may be a ring that never ends for one
 * line of the program, so that one such repr() says nothing of the next; but
 * the run has only so much time for them, and CPU time, unlike events, is not
 * the same on every machine: whom it stopped is not tried again.
 */
#define MAX_STRUCK  64
#define MAX_STRIKES 8
/* Bytes of a type's name that tell it from others. */
#define NAME_BYTES 120

enum outcome {
    OUTCOME_NONE = 0, /* the process died on the way */
    OUTCOME_TEXT = 1,
    OUTCOME_FAILED = 2,
    OUTCOME_OVER_BUDGET = 3,
};

/* Written by the scratch process, read when it has ended. */
struct contain_area {
    volatile uint32_t outcome;
    volatile uint64_t text_len;
    volatile uint64_t events_left;
    char running[NAME_BYTES]; /* type whose repr() runs; "" for none */
    uint8_t text[];           /* max_bytes + 1 */
};

struct struck_type {
    char name[NAME_BYTES];
    uint32_t n_strikes; /* MAX_STRIKES: refused from now on */
};

struct contain {
    size_t max_bytes;
    struct contain_area *area; /* owned: shared memory */
    size_t area_bytes;
    bool has_budget;
    uint64_t events_left; /* of the budget */
    void (*on_end)(void *ctx);
    void *ctx;         /* borrowed: on_end()'s */
    bool is_exhausted; /* no room for names: nothing is tried any more */
    uint32_t n_struck;
    struct struck_type struck[MAX_STRUCK];
};

bool contain_renew(struct contain *c, size_t max_value_bytes)
{
    if (c->area) {
        munmap(c->area, c->area_bytes);
    }
    c->max_bytes = max_value_bytes;
    c->area_bytes = sizeof(*c->area) + max_value_bytes + 1;
    c->area = mmap(NULL, c->area_bytes, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c->area == MAP_FAILED) {
        c->area = NULL;
        return false;
    }
    return true;
}

struct contain *contain_new(size_t max_value_bytes)
{
    struct contain *c = cwm_calloc(1, sizeof(*c)); /* owned */

    if (c && !contain_renew(c, max_value_bytes)) {
        contain_free(c);
        return NULL;
    }
    return c;
}

void contain_free(struct contain *c)
{
    if (!c) {
        return;
    }
    if (c->area) {
        munmap(c->area, c->area_bytes);
    }
    cwm_free(c);
}

/* ---- types that are not tried again ---- */

/* The name, not the address: that is the same on every run. */
static void copy_name(char name[NAME_BYTES], const PyTypeObject *type)
{
    size_t len = strlen(type->tp_name);

    if (len >= NAME_BYTES) {
        len = NAME_BYTES - 1;
    }
    memset(name, 0, NAME_BYTES);
    memcpy(name, type->tp_name, len);
}

static struct struck_type *find_struck(struct contain *c,
                                       const char name[NAME_BYTES])
{
    for (uint32_t i = 0; i < c->n_struck; i++) {
        if (memcmp(c->struck[i].name, name, NAME_BYTES) == 0) {
            return &c->struck[i];
        }
    }
    return NULL;
}

static bool is_refused(struct contain *c, const PyTypeObject *type)
{
    const struct struck_type *struck;
    char name[NAME_BYTES];

    if (c->n_struck == 0) {
        return false;
    }
    copy_name(name, type);
    struck = find_struck(c, name);
    return struck && struck->n_strikes >= MAX_STRIKES;
}

/* When there is no room left for a name, nothing is tried any more. */
static void strike_running(struct contain *c, uint32_t n_strikes)
{
    const char *name = c->area->running;
    struct struck_type *struck;

    if (name[0] == '\0') {
        return;
    }
    struck = find_struck(c, name);
    if (!struck && c->n_struck == MAX_STRUCK) {
        c->is_exhausted = true;
        return;
    }
    if (!struck) {
        struck = &c->struck[c->n_struck++];
        memcpy(struck->name, name, NAME_BYTES);
    }
    struck->n_strikes += n_strikes;
}

/* ---- in the scratch process ---- */

/* "<module 'm' from '/a/path'>" less the path; false for other texts. */
static bool put_module_text(struct value_writer *w, PyObject *text)
{
    static const char *const tails[] = {"' from ", "' (namespace) from "};
    Py_ssize_t len;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &len);

    if (!utf8) {
        PyErr_Clear();
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        const char *tail = strstr(utf8, tails[i]);

        if (tail) {
            value_put(&w->out, utf8, (size_t)(tail - utf8) + 1);
            value_putc(&w->out, '>');
            return true;
        }
    }
    return false;
}

static void put_repr(struct value_writer *w, PyObject *value)
{
    struct contain *c = w->contain;
    PyObject *text; /* owned */

    copy_name(c->area->running, Py_TYPE(value));
    value_hold_bare_stack(w->depth);
    text = PyObject_Repr(value);
    c->area->running[0] = '\0';
    if (!text) {
        PyErr_Clear();
        value_fail(w, VALUE_FAILED);
        return;
    }
    if (Py_TYPE(value)->tp_repr == PyModule_Type.tp_repr &&
        put_module_text(w, text)) {
        return;
    }
    value_put_str_less_addresses(w, text);
}

void contain_open(struct value_writer *w, PyObject *value)
{
    if (is_refused(w->contain, Py_TYPE(value))) {
        value_fail(w, VALUE_FAILED);
    } else if (w->is_scratch) {
        put_repr(w, value);
    } else {
        value_fail(w, VALUE_UNSAFE);
    }
}

static void over_budget(void *area)
{
    ((struct contain_area *)area)->outcome = OUTCOME_OVER_BUDGET;
    _exit(0);
}

static void run_scratch(struct value_writer *w, PyObject *value)
{
    struct contain_area *area = w->contain->area;

    contain_child_prepare(&area->events_left, over_budget, area);
    w->is_scratch = true;
    value_start(w, area->text);
    value_walk(w, value);
    area->text_len = (uint64_t)(w->out.at - w->out.start);
    area->outcome = w->status == VALUE_GOING ? OUTCOME_TEXT : OUTCOME_FAILED;
    _exit(0);
}

/* ---- in the program ---- */

static void take_text(struct value_writer *w)
{
    const struct contain_area *area = w->contain->area;
    uint64_t len = area->text_len;

    if (area->outcome != OUTCOME_TEXT || len > w->max_bytes + 1) {
        value_fail(w, VALUE_FAILED);
        return;
    }
    value_put(&w->out, area->text, len);
}

void contain_set_budget(struct contain *c, uint64_t max_events,
                        void (*on_end)(void *ctx), void *ctx)
{
    c->has_budget = true;
    c->events_left = max_events;
    c->on_end = on_end;
    c->ctx = ctx;
}

/* Pays for the next scratch process; how many events it may have. */
static uint64_t take_events(struct contain *c)
{
    if (!c->has_budget) {
        return MAX_EVENTS;
    }
    if (c->events_left <= PROCESS_EVENTS) {
        c->on_end(c->ctx);
    }
    c->events_left -= PROCESS_EVENTS;
    return c->events_left < MAX_EVENTS ? c->events_left : MAX_EVENTS;
}

/* What it took of `given` events.  The count stands in memory that the program
 * could write to; one that was killed may have run for all its time. */
static void charge(struct contain *c, uint64_t given, bool was_killed)
{
    uint64_t left = c->area->events_left;
    uint64_t used = left > given ? given : given - left;

    if (was_killed) {
        used = KILLED_EVENTS;
    }
    if (!c->has_budget) {
        return;
    }
    if (c->area->outcome == OUTCOME_OVER_BUDGET && given < MAX_EVENTS) {
        c->on_end(c->ctx);
    }
    c->events_left -= used < c->events_left ? used : c->events_left;
}

void contain_walk(struct value_writer *w, PyObject *value)
{
    struct contain *c = w->contain;
    int error = errno;
    uint64_t given;
    pid_t pid;
    int status;

    if (c->is_exhausted) {
        value_fail(w, VALUE_FAILED);
        return;
    }
    given = take_events(c);
    c->area->events_left = given;
    c->area->outcome = OUTCOME_NONE;
    c->area->text_len = 0;
    c->area->running[0] = '\0';
    pid = jail_scratch_fork(MAX_CPU_MS);
    if (pid == 0) {
        run_scratch(w, value);
    }
    status = pid < 0 ? -1 : jail_scratch_wait(pid);
    errno = error;
    charge(c, given, status > 0 && WIFSIGNALED(status));
    if (status > 0 && WIFSIGNALED(status)) {
        strike_running(c, MAX_STRIKES);
    } else if (c->area->outcome == OUTCOME_OVER_BUDGET) {
        strike_running(c, 1);
    }
    if (status != 0) {
        value_fail(w, VALUE_FAILED);
        return;
    }
    take_text(w);
}
