/* SPDX-License-Identifier: MIT */
/* judge_loop_rule.c -- see judge_loop_rule.h. */
#include "eval/worker/judge_loop_rule.h"

#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030C0000

#include <opcode.h>
#include <string.h>

enum {
    /* An element's place in a list that grows by an eighth of itself and may
     * be copied then. */
    ELEMENT_BYTES = 20,
    MAX_TEXT = 1000,
};

/* Larger numbers are in doubt: sums must not overflow. */
#define MAX_NUMBER ((int64_t)1 << 60)
#define MAX_STEP   ((int64_t)1 << 40)

/* Made when warm, owned: what a list may be asked for. */
static PyObject *append, *insert, *length;

bool loop_rule_prepare(void)
{
    PyObject *builtins = PyEval_GetBuiltins(); /* borrowed */

    append = PyObject_GetAttrString((PyObject *)&PyList_Type, "append");
    insert = PyObject_GetAttrString((PyObject *)&PyList_Type, "insert");
    length = builtins ? PyDict_GetItemString(builtins, "len") : NULL;
    Py_XINCREF(length);
    return append && insert && length;
}

bool loop_rule_number(PyObject *value, int64_t *ret_number)
{
    int overflow = 0;
    long long number;

    if (!PyLong_CheckExact(value)) {
        return false;
    }
    number = PyLong_AsLongLongAndOverflow(value, &overflow);
    *ret_number = number;
    return !overflow && number < MAX_NUMBER && number > -MAX_NUMBER;
}

/* ---- the stack ---- */

static const struct loop_tag same;

static void fail(struct loop_rule *r)
{
    r->has_failed = true;
}

static bool has_tags(const struct loop_tag *tags, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        if (tags[i].kind != LOOP_SAME) {
            return true;
        }
    }
    return false;
}

static void push(struct loop_rule *r, struct loop_tag tag)
{
    if (r->depth >= LOOP_MAX_STACK) {
        fail(r);
    } else {
        r->stack[r->depth++] = tag;
    }
}

/* The tag of the n-th from the top, from 1 on. */
static struct loop_tag *top(struct loop_rule *r, unsigned n)
{
    return &r->stack[r->depth - (Py_ssize_t)n];
}

static void number_result(struct loop_rule *r, int64_t step)
{
    struct loop_tag tag = {.kind = step ? LOOP_NUMBER : LOOP_SAME,
                           .step = step};

    if (step > MAX_STEP || step < -MAX_STEP) {
        fail(r);
    }
    push(r, tag);
}

/* ---- values ---- */

/* c + k t for every t from 0 on; k is 0 where it has no tag.  False: it is
 * something else. */
struct line {
    int64_t c, k;
};

static bool line_of(PyObject *value, const struct loop_tag *tag,
                    struct line *ret)
{
    ret->k = tag->kind == LOOP_NUMBER ? tag->step : 0;
    return (tag->kind == LOOP_SAME || tag->kind == LOOP_NUMBER) &&
           loop_rule_number(value, &ret->c);
}

/* Is c + k t never 0? */
static bool is_never_nought(struct line d)
{
    if (d.c == 0) {
        return false;
    }
    /* Away from 0, or past it without meeting it. */
    return (d.c > 0) == (d.k > 0) || d.k == 0 || d.c % d.k != 0;
}

/* Is its truth the same in all periods?  A list only grows. */
static bool is_truth_known(PyObject *value, const struct loop_tag *tag)
{
    struct line d;

    if (tag->kind == LOOP_LIST) {
        return PyList_GET_SIZE(value) > 0;
    }
    return tag->kind == LOOP_SAME ||
           (line_of(value, tag, &d) && is_never_nought(d));
}

/* Does a comparison with 0, `how`, give the same for all c + k t? */
static bool is_order_known(struct line d, int how)
{
    if (how == Py_EQ || how == Py_NE) {
        return d.k == 0 || is_never_nought(d);
    }
    if (d.k > 0) { /* of what is not above 0 some will be */
        return d.c > 0 || (d.c == 0 && (how == Py_LT || how == Py_GE));
    }
    if (d.k < 0) {
        return d.c < 0 || (d.c == 0 && (how == Py_GT || how == Py_LE));
    }
    return true;
}

/* ---- operations ---- */

static bool multiply(struct line a, struct line b, int64_t *ret_step)
{
    if (a.k != 0 && b.k != 0) {
        return false; /* no line */
    }
    return !__builtin_mul_overflow(a.k ? a.k : b.k, a.k ? b.c : a.c, ret_step);
}

/* By what is the same, and divides the step. */
static bool divide(struct line a, struct line b, bool wants_rest,
                   int64_t *ret_step)
{
    if (b.k != 0 || b.c == 0 || b.c == -1 || a.k % b.c != 0) {
        return false;
    }
    *ret_step = wants_rest ? 0 : a.k / b.c;
    return true;
}

static bool step_of(unsigned what, struct line a, struct line b,
                    int64_t *ret_step)
{
    switch (what) {
    case NB_ADD:
    case NB_INPLACE_ADD:
        *ret_step = a.k + b.k;
        return true;
    case NB_SUBTRACT:
    case NB_INPLACE_SUBTRACT:
        *ret_step = a.k - b.k;
        return true;
    case NB_MULTIPLY:
    case NB_INPLACE_MULTIPLY:
        return multiply(a, b, ret_step);
    case NB_FLOOR_DIVIDE:
    case NB_INPLACE_FLOOR_DIVIDE:
        return divide(a, b, false, ret_step);
    case NB_REMAINDER:
    case NB_INPLACE_REMAINDER:
        return divide(a, b, true, ret_step);
    default:
        return false;
    }
}

/* What one element takes, at most; 0: it is nothing that may be held. */
static uint64_t element_bytes(PyObject *value)
{
    if (value == Py_None || PyBool_Check(value)) {
        return ELEMENT_BYTES;
    }
    if (PyLong_CheckExact(value) || PyFloat_CheckExact(value)) {
        return ELEMENT_BYTES + 48;
    }
    if (PyUnicode_CheckExact(value) && PyUnicode_GET_LENGTH(value) < MAX_TEXT) {
        return ELEMENT_BYTES + 120 + 5 * (uint64_t)PyUnicode_GET_LENGTH(value);
    }
    return 0;
}

static void take_element(struct loop_rule *r, PyObject *value,
                         const struct loop_tag *tag)
{
    int64_t number;
    uint64_t n = element_bytes(value);

    /* What the interpreter has once is no room. */
    if (tag->kind == LOOP_SAME && loop_rule_number(value, &number) &&
        number >= -5 && number <= 256) {
        n = ELEMENT_BYTES;
    }
    if (n == 0 || (tag->kind != LOOP_SAME && tag->kind != LOOP_NUMBER)) {
        fail(r);
    }
    r->n_bytes += n;
}

/* list += list, which stays the same object. */
static void extend(struct loop_rule *r, PyObject *const *at)
{
    const struct loop_tag tag = *top(r, 2);
    PyObject *more = at[1];

    if (top(r, 1)->kind != LOOP_SAME || !PyList_CheckExact(more)) {
        fail(r);
        return;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(more); i++) {
        take_element(r, PyList_GET_ITEM(more, i), &same);
    }
    r->depth -= 2;
    push(r, tag);
}

static void binary(struct loop_rule *r, PyObject *const *at, unsigned what)
{
    struct line a;
    struct line b;
    int64_t step;

    if (top(r, 2)->kind == LOOP_LIST && what == NB_INPLACE_ADD) {
        extend(r, at);
        return;
    }
    if (!line_of(at[0], top(r, 2), &a) || !line_of(at[1], top(r, 1), &b) ||
        !step_of(what, a, b, &step)) {
        fail(r);
        return;
    }
    r->depth -= 2;
    number_result(r, step);
}

static void compare(struct loop_rule *r, PyObject *const *at, unsigned how)
{
    struct line a;
    struct line b;

    if (!line_of(at[0], top(r, 2), &a) || !line_of(at[1], top(r, 1), &b) ||
        !is_order_known((struct line){a.c - b.c, a.k - b.k}, (int)how)) {
        fail(r);
        return;
    }
    r->depth -= 2;
    push(r, same);
}

static void slice(struct loop_rule *r, unsigned n)
{
    struct loop_tag tag = {.kind = LOOP_SLICE};
    const struct loop_tag *start = top(r, n);
    const struct loop_tag *end = top(r, n - 1);

    if (n != 2 || start->kind > LOOP_NUMBER || end->kind > LOOP_NUMBER) {
        fail(r);
        return;
    }
    tag.step = start->kind == LOOP_NUMBER ? start->step : 0;
    tag.end_step = end->kind == LOOP_NUMBER ? end->step : 0;
    r->depth -= 2;
    push(r, tag);
}

/* One end of a slice of `size` things: beyond them, and going on there? */
static bool is_beyond(PyObject *value, int64_t step, Py_ssize_t size)
{
    int64_t c;

    return step == 0 ||
           (loop_rule_number(value, &c) && (step > 0 ? c >= size : c <= -size));
}

static void subscript(struct loop_rule *r, PyObject *const *at)
{
    const struct loop_tag *tag = top(r, 1);
    const PySliceObject *ends = (const PySliceObject *)at[1];
    Py_ssize_t size;

    if (top(r, 2)->kind != LOOP_SAME || tag->kind != LOOP_SLICE ||
        !(PyUnicode_CheckExact(at[0]) || PyList_CheckExact(at[0]) ||
          PyTuple_CheckExact(at[0]))) {
        fail(r);
        return;
    }
    size = PySequence_Size(at[0]);
    if (!is_beyond(ends->start, tag->step, size) ||
        !is_beyond(ends->stop, tag->end_step, size)) {
        fail(r);
    }
    r->depth -= 2;
    push(r, same);
}

/* A list's method or its length; `at`: two places for what is called. */
static void call(struct loop_rule *r, PyObject *const *at, unsigned n)
{
    const struct loop_tag *self = top(r, n + 1);
    const struct loop_tag *last = top(r, 1);
    int64_t step = 0;

    if (r->has_names || top(r, n + 2)->kind != LOOP_SAME) {
        fail(r);
    } else if (at[0] == append && n == 1 && self->kind == LOOP_LIST) {
        take_element(r, at[2], last);
    } else if (at[0] == insert && n == 2 && self->kind == LOOP_LIST &&
               PyLong_CheckExact(at[2]) && top(r, 2)->kind <= LOOP_NUMBER) {
        take_element(r, at[3], last);
    } else if (!at[0] && at[1] == length && n == 1 && last->kind == LOOP_LIST) {
        step = r->steps[last->slot];
    } else {
        fail(r);
    }
    r->depth -= (Py_ssize_t)n + 2;
    number_result(r, step);
}

static void negate(struct loop_rule *r)
{
    const int64_t step = top(r, 1)->step;

    if (top(r, 1)->kind != LOOP_NUMBER) {
        fail(r);
    }
    r->depth--;
    number_result(r, -step);
}

/* Only what list has; an object of the class itself has no others. */
static void find_method(struct loop_rule *r)
{
    const struct loop_tag tag = *top(r, 1);

    if (tag.kind != LOOP_LIST) {
        fail(r);
    }
    r->depth--;
    push(r, same);
    push(r, tag);
}

/* Some of what the instruction takes grows. */
static void step_tagged(struct loop_rule *r, PyObject *const *at,
                        unsigned operation, unsigned arg, Py_ssize_t n)
{
    const Py_ssize_t left = r->depth - n;

    switch (operation) {
    case BINARY_OP:
        binary(r, at, arg);
        break;
    case COMPARE_OP:
        compare(r, at, arg);
        break;
    case BUILD_SLICE:
        slice(r, arg);
        break;
    case BINARY_SUBSCR:
        subscript(r, at);
        break;
    case LOAD_METHOD:
        find_method(r);
        break;
    case CALL:
        call(r, at, arg);
        break;
    case UNARY_NEGATIVE:
        negate(r);
        break;
    case UNARY_NOT:
    case POP_JUMP_FORWARD_IF_FALSE:
    case POP_JUMP_FORWARD_IF_TRUE:
    case POP_JUMP_BACKWARD_IF_FALSE:
    case POP_JUMP_BACKWARD_IF_TRUE:
        if (!is_truth_known(at[0], top(r, 1))) {
            fail(r);
        }
        r->depth--;
        if (operation == UNARY_NOT) {
            push(r, same);
        }
        break;
    case POP_TOP:
        r->depth--;
        break;
    default:
        fail(r);
        r->depth = left;
        break;
    }
}

/* ---- instructions ---- */

/* How many values the instruction takes from the stack and how many it leaves
 * there; false: not known. */
static bool effect_of(unsigned operation, unsigned arg, Py_ssize_t *ret_taken,
                      Py_ssize_t *ret_left)
{
    static const struct {
        uint8_t operation;
        int8_t taken, left; /* -1: as many as the argument says */
    } table[] = {
        {NOP, 0, 0},
        {PRECALL, 0, 0},
        {JUMP_FORWARD, 0, 0},
        {JUMP_BACKWARD, 0, 0},
        {LOAD_CONST, 0, 1},
        {PUSH_NULL, 0, 1},
        {POP_TOP, 1, 0},
        {UNARY_NOT, 1, 1},
        {UNARY_NEGATIVE, 1, 1},
        {LOAD_ATTR, 1, 1},
        {LOAD_METHOD, 1, 2},
        {BINARY_OP, 2, 1},
        {BINARY_SUBSCR, 2, 1},
        {COMPARE_OP, 2, 1},
        {CONTAINS_OP, 2, 1},
        {BUILD_SLICE, -1, 1},
        {BUILD_LIST, -1, 1},
        {BUILD_TUPLE, -1, 1},
        {BUILD_STRING, -1, 1},
        {UNPACK_SEQUENCE, 1, -1},
        {POP_JUMP_FORWARD_IF_FALSE, 1, 0},
        {POP_JUMP_FORWARD_IF_TRUE, 1, 0},
        {POP_JUMP_BACKWARD_IF_FALSE, 1, 0},
        {POP_JUMP_BACKWARD_IF_TRUE, 1, 0},
    };

    if (operation == CALL || operation == LOAD_GLOBAL) {
        *ret_taken = operation == CALL ? (Py_ssize_t)arg + 2 : 0;
        *ret_left = operation == CALL ? 1 : 1 + (Py_ssize_t)(arg & 1);
        return true;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].operation == operation) {
            *ret_taken = table[i].taken < 0 ? (Py_ssize_t)arg : table[i].taken;
            *ret_left = table[i].left < 0 ? (Py_ssize_t)arg : table[i].left;
            return true;
        }
    }
    return false;
}

static void step_other(struct loop_rule *r, PyObject *const *stack,
                       unsigned operation, unsigned arg)
{
    Py_ssize_t taken;
    Py_ssize_t left;

    if (!effect_of(operation, arg, &taken, &left) || taken > r->depth) {
        if (has_tags(r->stack, r->depth)) {
            fail(r);
        }
        r->depth = -1;
        return;
    }
    if (has_tags(r->stack + r->depth - taken, taken)) {
        step_tagged(r, stack + r->depth - taken, operation, arg, taken);
        return;
    }
    r->depth -= taken;
    while (left-- > 0 && !r->has_failed) {
        push(r, same);
    }
}

/* A list stays in its own slot: no other name for it comes and goes. */
static void store(struct loop_rule *r, unsigned slot)
{
    const struct loop_tag *tag = top(r, 1);
    struct loop_tag *local = &r->locals[slot];

    if (tag->kind == LOOP_SLICE ||
        ((tag->kind == LOOP_LIST || local->kind == LOOP_LIST) &&
         !(tag->kind == LOOP_LIST && local->kind == LOOP_LIST &&
           tag->slot == (Py_ssize_t)slot))) {
        fail(r);
    }
    *local = *tag;
    r->depth--;
}

/* What only moves values; false: it is another instruction. */
static bool move(struct loop_rule *r, unsigned operation, unsigned arg)
{
    struct loop_tag tag;

    switch (operation) {
    case LOAD_FAST:
        push(r, r->locals[arg < LOOP_MAX_SLOTS ? arg : 0]);
        return true;
    case STORE_FAST:
        store(r, arg < LOOP_MAX_SLOTS ? arg : 0);
        return true;
    case COPY:
        push(r, *top(r, arg));
        return true;
    case SWAP:
        tag = *top(r, arg);
        *top(r, arg) = *top(r, 1);
        *top(r, 1) = tag;
        return true;
    default:
        return false;
    }
}

void loop_rule_begin(struct loop_rule *r, Py_ssize_t depth)
{
    r->has_names = false;
    r->n_bytes = 0;
    r->depth = depth;
    memset(r->stack, 0, sizeof r->stack);
    r->has_failed = depth < 0 || depth > LOOP_MAX_STACK;
}

void loop_rule_step(struct loop_rule *r, PyObject *const *stack,
                    Py_ssize_t depth, unsigned operation, unsigned arg)
{
    const bool has_names = r->has_names;

    if (depth < 0 || depth > LOOP_MAX_STACK) {
        fail(r);
        return;
    }
    if (r->depth < 0) {
        memset(r->stack, 0, sizeof r->stack);
        r->depth = depth;
    } else if (depth != r->depth) {
        fail(r); /* more was run than the instruction that was followed */
        return;
    }
    r->has_names = has_names && operation == PRECALL;
    if (operation == KW_NAMES) {
        r->has_names = true;
        return;
    }
    if ((operation == COPY || operation == SWAP) && (Py_ssize_t)arg > depth) {
        fail(r);
    } else if (!move(r, operation, arg)) {
        r->has_names = r->has_names || (has_names && operation == CALL);
        step_other(r, stack, operation, arg);
    }
}

bool loop_rule_end(struct loop_rule *r, Py_ssize_t depth)
{
    return r->depth == depth && !has_tags(r->stack, depth);
}

#else

bool loop_rule_prepare(void)
{
    return true;
}

#endif
