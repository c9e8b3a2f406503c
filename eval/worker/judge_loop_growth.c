/* SPDX-License-Identifier: MIT */
/*
 * judge_loop_growth.c -- see judge_loop_growth.h.
 *
 * A tag says how a value differs from period to period; what has none is the
 * same in all of them.  Tags are where the frame has its values: in a local's
 * slot or on the stack.  They cannot be anywhere else, since an instruction
 * that would put such a value there ends the attempt.
 *
 * A frame is tried with periods of 1, 2, 3, ... turns: what is even one turn
 * and odd the next has the same oddness every second turn.
 */
#include "eval/worker/judge_loop_growth.h"

#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030C0000

#include <opcode.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "cwm/base/buf.h"
#include "eval/worker/judge_loop_rule.h"
#include "eval/worker/judge_loop_state.h"

enum {
    MAX_BARRED = 8,
    MAX_STATE_BYTES = 16 << 10,
    /* No interpreter runs an instruction faster than that. */
    INSTRUCTION_NS = 1,
    /* What a run may fill besides its process: its folder, pipes. */
    OTHER_BYTES = 128 << 20,
};

/* Turns of a period, one after the other. */
static const unsigned periods[] = {1, 2, 3, 4, 5, 6, 8, 10, 12};
#define N_PERIODS (sizeof periods / sizeof periods[0])

enum phase {
    PHASE_NONE,
    PHASE_FIRST,  /* what changes is to be seen */
    PHASE_SECOND, /* every instruction is followed */
};

/* A local at a period's beginning. */
struct then {
    PyObject *object; /* not to be followed */
    bool is_number;
    bool is_list;
    int64_t number; /* or the list's length */
};

static struct {
    bool goes_on;
    struct loop_limits limits;
    PyObject *bytes; /* owned: the code's instructions */
    Py_ssize_t n_slots;
    enum phase phase;
    int head;
    int barred[MAX_BARRED]; /* heads of loops that were left */
    size_t n_barred;
    size_t period; /* place in `periods` */
    unsigned n_turns;
    uint64_t n_instructions; /* of the second phase */
    Py_ssize_t depth;        /* of the stack at the head */
    struct then then[LOOP_MAX_SLOTS];
    bool changes[LOOP_MAX_SLOTS];
    struct cwm_buf state; /* of all that does not change */
    struct cwm_buf now;
    struct loop_rule rule;
} growth;

bool loop_growth_prepare(void)
{
    return loop_rule_prepare();
}

bool loop_growth_goes_on(void)
{
    return growth.goes_on;
}

void loop_growth_reset(PyFrameObject *frame, const struct loop_limits *limits)
{
    PyCodeObject *code = frame ? pyframe_code(frame) : NULL;

    Py_CLEAR(growth.bytes);
    cwm_buf_release(&growth.state);
    cwm_buf_release(&growth.now);
    memset(&growth, 0, sizeof growth);
    if (!code || !limits) {
        return;
    }
    growth.limits = *limits;
    cwm_buf_init(&growth.state, MAX_STATE_BYTES);
    cwm_buf_init(&growth.now, MAX_STATE_BYTES);
    growth.n_slots = loop_state_n_slots(frame);
    growth.bytes = PyObject_GetAttrString((PyObject *)code, "co_code");
    growth.goes_on = growth.bytes && PyBytes_Check(growth.bytes) &&
                     growth.n_slots <= LOOP_MAX_SLOTS;
    PyErr_Clear();
}

/* ---- a period's beginning ---- */

static void note_now(PyFrameObject *frame)
{
    for (Py_ssize_t i = 0; i < growth.n_slots; i++) {
        PyObject *value = pyframe_slot(frame, (uint32_t)i);
        struct then *t = &growth.then[i];

        *t = (struct then){.object = value};
        if (value && PyList_CheckExact(value)) {
            t->is_list = true;
            t->number = PyList_GET_SIZE(value);
        } else if (value) {
            t->is_number = loop_rule_number(value, &t->number);
        }
    }
}

/* What changed since then is thought to go on like that; false: some of it
 * cannot. */
static bool suppose(PyFrameObject *frame)
{
    bool has_changes = false;

    memset(growth.rule.locals, 0, sizeof growth.rule.locals);
    for (Py_ssize_t i = 0; i < growth.n_slots; i++) {
        const struct then before = growth.then[i];
        PyObject *value = pyframe_slot(frame, (uint32_t)i);
        struct loop_tag *tag = &growth.rule.locals[i];
        int64_t number;

        if (before.is_number && value && loop_rule_number(value, &number)) {
            tag->step = number - before.number;
            tag->kind = tag->step ? LOOP_NUMBER : LOOP_SAME;
        } else if (before.is_list && value == before.object) {
            tag->step = PyList_GET_SIZE(value) - before.number;
            tag->kind = tag->step > 0 ? LOOP_LIST : LOOP_SAME;
            tag->slot = i;
        }
        growth.changes[i] = tag->kind != LOOP_SAME;
        has_changes = has_changes || growth.changes[i];
    }
    return has_changes && loop_state_of(frame, growth.changes, &growth.state);
}

/* ---- its end ---- */

static bool is_as_supposed(PyFrameObject *frame)
{
    for (Py_ssize_t i = 0; i < growth.n_slots; i++) {
        PyObject *value = pyframe_slot(frame, (uint32_t)i);
        const struct loop_tag *tag = &growth.rule.locals[i];
        const struct then *t = &growth.then[i];
        int64_t number;

        if (growth.changes[i] != (tag->kind != LOOP_SAME)) {
            return false;
        }
        if (tag->kind == LOOP_NUMBER &&
            (!t->is_number || !value || !loop_rule_number(value, &number) ||
             number != t->number + tag->step ||
             tag->step != growth.rule.steps[i])) {
            return false;
        }
        if (tag->kind == LOOP_LIST &&
            (value != t->object || tag->slot != i ||
             PyList_GET_SIZE(value) != t->number + growth.rule.steps[i])) {
            return false;
        }
    }
    return loop_state_of(frame, growth.changes, &growth.now) &&
           growth.now.len == growth.state.len &&
           memcmp(growth.now.data, growth.state.data, growth.now.len) == 0;
}

/* Is there memory for the lists, twice, whatever was used already and whatever
 * limits the program gave itself?  If not, it is that which ends the loop. */
static bool has_room(void)
{
    const uint64_t n_periods =
        growth.limits.cpu_us * 1000 / (growth.n_instructions * INSTRUCTION_NS) +
        1;
    struct rusage used;
    uint64_t need;
    void *room;

    if (growth.rule.n_bytes == 0) {
        return true;
    }
    if (n_periods > growth.limits.memory_bytes / growth.rule.n_bytes ||
        getrusage(RUSAGE_SELF, &used) < 0) {
        return false;
    }
    need = 2 * n_periods * growth.rule.n_bytes;
    if (need + ((uint64_t)used.ru_maxrss << 10) + OTHER_BYTES >
        growth.limits.memory_bytes) {
        return false;
    }
    room = mmap(NULL, need, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return room != MAP_FAILED && munmap(room, need) == 0;
}

/* ---- looking ---- */

static Py_ssize_t depth_of(PyFrameObject *frame)
{
    return (Py_ssize_t)frame->f_frame->stacktop - growth.n_slots;
}

static void begin_first(PyFrameObject *frame)
{
    note_now(frame);
    growth.phase = PHASE_FIRST;
    growth.n_turns = 0;
}

static void begin_second(PyFrameObject *frame)
{
    growth.depth = depth_of(frame);
    if (!suppose(frame) || growth.depth < 0) {
        growth.rule.has_failed = true;
    } else {
        growth.rule.has_failed = false;
        for (Py_ssize_t i = 0; i < growth.n_slots; i++) {
            growth.rule.steps[i] = growth.rule.locals[i].step;
        }
        note_now(frame);
        loop_rule_begin(&growth.rule, growth.depth);
    }
    growth.n_instructions = 0;
    growth.phase = PHASE_SECOND;
    growth.n_turns = 0;
}

static bool is_barred(int at)
{
    for (size_t i = 0; i < growth.n_barred; i++) {
        if (growth.barred[i] == at) {
            return true;
        }
    }
    return false;
}

/* The loop was left: it is another one that does not end, if any. */
static void bar_head(void)
{
    growth.phase = PHASE_NONE;
    growth.goes_on = growth.n_barred < MAX_BARRED;
    if (growth.goes_on) {
        growth.barred[growth.n_barred++] = growth.head;
    }
}

bool loop_growth_arrive(PyFrameObject *frame, int at)
{
    if (!growth.goes_on) {
        return false;
    }
    if (growth.phase == PHASE_NONE) {
        if (!is_barred(at)) {
            growth.head = at;
            growth.period = 0;
            begin_first(frame);
        }
        return false;
    }
    if (at != growth.head || ++growth.n_turns < periods[growth.period]) {
        return false;
    }
    if (growth.phase == PHASE_FIRST) {
        begin_second(frame);
        return false;
    }
    if (!growth.rule.has_failed && depth_of(frame) == growth.depth &&
        loop_rule_end(&growth.rule, growth.depth) && is_as_supposed(frame) &&
        has_room()) {
        return true;
    }
    growth.goes_on = ++growth.period < N_PERIODS;
    begin_first(frame);
    return false;
}

void loop_growth_step(PyFrameObject *frame, int at)
{
    const uint8_t *bytes;
    Py_ssize_t n;
    unsigned arg = 0;
    Py_ssize_t i = at;

    if (!growth.goes_on || growth.phase == PHASE_NONE) {
        return;
    }
    if (at < growth.head) {
        bar_head();
        return;
    }
    if (growth.phase != PHASE_SECOND || growth.rule.has_failed) {
        return;
    }
    growth.n_instructions++;
    bytes = (const uint8_t *)PyBytes_AS_STRING(growth.bytes);
    n = PyBytes_GET_SIZE(growth.bytes);
    while (i + 1 < n && bytes[i] == EXTENDED_ARG) {
        arg = (arg | bytes[i + 1]) << 8;
        i += 2;
    }
    if (i + 1 < n) {
        loop_rule_step(&growth.rule,
                       frame->f_frame->localsplus + growth.n_slots,
                       depth_of(frame), bytes[i], arg | bytes[i + 1]);
    }
}

/* Where the stack is cut off then is not followed. */
void loop_growth_raise(void)
{
    growth.rule.has_failed = true;
}

#else

bool loop_growth_prepare(void)
{
    return true;
}

void loop_growth_reset(PyFrameObject *frame, const struct loop_limits *limits)
{
    (void)frame;
    (void)limits;
}

bool loop_growth_goes_on(void)
{
    return false;
}

void loop_growth_step(PyFrameObject *frame, int at)
{
    (void)frame;
    (void)at;
}

bool loop_growth_arrive(PyFrameObject *frame, int at)
{
    (void)frame;
    (void)at;
    return false;
}

void loop_growth_raise(void)
{
}

#endif
