/* SPDX-License-Identifier: MIT */
/* episode.c -- see episode.h; the records are described in suite.h. */
#include "tracer/worker/episode.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/worker/ending.h"
#include "tracer/worker/triple.h"

enum {
    /* Head of a record at most: type, three numbers, flags. */
    HEAD_BYTES = 2 + 3 * RECORD_NUMBER_BYTES,
    FIRST_CODES = 1024,  /* a power of two */
    MAX_EPISODES = 4096, /* of one run */
    SURE_CALLS = 8,      /* of a function: always drawn */
    MAX_TAKEN = 64,      /* of a function: episodes in one run */
};

#define NO_EPISODE UINT32_MAX

/* A code object that was met. */
struct code {
    PyCodeObject *code;  /* owned; NULL: an empty place */
    struct scope *scope; /* owned; NULL: not the repository's */
    const char *path;    /* borrowed from the code: within the repository */
    size_t path_len;
    uint64_t hash;
    uint64_t n_calls;
    uint32_t n_taken;
    bool is_inner;  /* a lambda, a comprehension: part of what is round it */
    bool is_passed; /* no episode, and not entered: a test, a class body */
};

/* A frame of the repository that is active. */
struct place {
    PyFrameObject *frame; /* borrowed */
    struct activation *a; /* NULL: it is not recorded */
    uint32_t episode;     /* of `a` */
};

struct episode {
    uint64_t root; /* activation */
    uint64_t n_frames;
    uint64_t n_bytes;
    uint32_t depth; /* active activations */
    bool is_closed;
    char *type; /* owned: the exception that passed the root last */
    size_t type_len;
    char *message; /* owned */
    size_t message_len;
    bool is_exit; /* it was a SystemExit */
};

static struct {
    struct episode_config config;
    struct locals_writer locals;
    struct scope_table scopes; /* empty: nothing is left out of locals */
    struct code *codes;        /* owned: open addressing */
    size_t n_slots, n_codes;
    struct place *stack; /* owned */
    size_t n_stack, max_stack;
    struct suspended suspended;
    uint32_t *owner; /* owned: episode, by activation id */
    size_t max_owner;
    uint64_t n_activations;
    struct episode *episodes; /* owned: room for MAX_EPISODES */
    uint32_t n_episodes;
    uint32_t n_funcs;
    uint8_t *triple; /* owned: scratch */
    bool is_astray;  /* the stream's current activation is not ours */
    bool is_full;    /* no room, or no memory: nothing is written any more */
} eps;

/* ---- draws ---- */

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static uint64_t hash_bytes(uint64_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)text[i]) * 0x100000001B3u;
    return hash;
}

/* A number below `n` for this call of `c`. */
static uint64_t draw(const struct code *c, uint64_t salt, uint64_t n)
{
    return mix(eps.config.seed ^ mix(c->hash ^ mix(c->n_calls ^ salt))) % n;
}

/* ---- codes ---- */

static size_t code_slot(const struct code *codes, size_t n_slots,
                        const PyCodeObject *code)
{
    size_t mask = n_slots - 1;
    size_t i = ((uintptr_t)code >> 5) * 0x9E3779B97F4A7C15u >> 40 & mask;
    while (codes[i].code && codes[i].code != code)
        i = (i + 1) & mask;
    return i;
}

static bool codes_grow(void)
{
    size_t n = eps.n_slots ? 2 * eps.n_slots : FIRST_CODES;
    struct code *bigger = cwm_calloc(n, sizeof(*bigger));
    if (!bigger)
        return false;
    for (size_t i = 0; i < eps.n_slots; i++) {
        if (eps.codes[i].code)
            bigger[code_slot(bigger, n, eps.codes[i].code)] = eps.codes[i];
    }
    cwm_free(eps.codes);
    eps.codes = bigger;
    eps.n_slots = n;
    return true;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len >= n && memcmp(text + len - n, end, n) == 0;
}

static const char *last_part(const char *path, size_t len)
{
    const char *slash = memrchr(path, '/', len);
    return slash ? slash + 1 : path;
}

/* pytest's own names for test files, and its set-up files. */
static bool is_test_file(const char *path, size_t len)
{
    const char *name = last_part(path, len);
    size_t n = (size_t)(path + len - name);
    return (n >= 5 && memcmp(name, "test_", 5) == 0) ||
           ends_with(name, n, "_test.py") ||
           (n == 11 && memcmp(name, "conftest.py", 11) == 0);
}

/* A file that the repository's people wrote: no library within it. */
static bool is_own_file(const char *path, size_t len)
{
    const char *venv = eps.config.how.venv;
    size_t n = strlen(venv);
    if (!ends_with(path, len, ".py") || path[0] == '.' ||
        (n > 0 && len > n && memcmp(path, venv, n) == 0 && path[n] == '/'))
        return false;
    return !memmem(path, len, "/.", 2) &&
           !memmem(path, len, "site-packages/", 14) &&
           !memmem(path, len, "dist-packages/", 14);
}

/* Fill what is known of a code object that is met for the first time. */
static void describe(struct code *c, PyCodeObject *code)
{
    static const char place[] = SANDBOX_PLACE "/";
    const size_t n = sizeof(place) - 1;
    PyObject *file = code->co_filename;
    if (!PyUnicode_Check(file) || !PyUnicode_IS_COMPACT_ASCII(file))
        return;
    const char *path = PyUnicode_DATA(file);
    size_t len = (size_t)PyUnicode_GET_LENGTH(file);
    if (len <= n || memcmp(path, place, n) != 0 ||
        !is_own_file(path + n, len - n))
        return;
    c->scope = scope_new(code, NULL);
    if (!c->scope) {
        eps.is_full = true;
        return;
    }
    c->scope->is_module = false;
    c->path = path + n;
    c->path_len = len - n;
    c->hash = hash_bytes(0xCBF29CE484222325u, c->path, c->path_len);
    c->hash = hash_bytes(c->hash, c->scope->qualname, c->scope->qualname_len);
    c->hash ^= (uint64_t)code->co_firstlineno << 40;
    c->is_inner = PyUnicode_GET_LENGTH(code->co_name) > 0 &&
                  PyUnicode_READ_CHAR(code->co_name, 0) == '<';
    c->is_passed =
        c->scope->is_namespace ||
        (!eps.config.how.tests && is_test_file(c->path, c->path_len));
}

/* NULL: nothing is known of any. */
static struct code *code_of(PyFrameObject *frame)
{
    PyCodeObject *code = pyframe_code(frame);
    size_t i = code_slot(eps.codes, eps.n_slots, code);
    if (eps.codes[i].code)
        return &eps.codes[i];
    if (2 * (eps.n_codes + 1) > eps.n_slots) {
        if (!codes_grow()) {
            eps.is_full = true;
            return NULL;
        }
        i = code_slot(eps.codes, eps.n_slots, code);
    }
    Py_INCREF(code);
    eps.codes[i].code = code;
    eps.n_codes++;
    describe(&eps.codes[i], code);
    return &eps.codes[i];
}

/* ---- the stack ---- */

static bool push(PyFrameObject *frame, struct activation *a, uint32_t episode)
{
    if (eps.n_stack == eps.max_stack) {
        size_t max = eps.max_stack ? 2 * eps.max_stack : 256;
        struct place *stack = cwm_realloc(eps.stack, max, sizeof(*stack));
        if (!stack) {
            eps.is_full = true;
            return false;
        }
        eps.stack = stack;
        eps.max_stack = max;
    }
    eps.stack[eps.n_stack++] = (struct place){frame, a, episode};
    if (a)
        eps.episodes[episode].depth++;
    return true;
}

/* Take the top off; the stream's stack is to follow where it cannot know. */
static struct place pop(bool is_told)
{
    struct place top = eps.stack[--eps.n_stack];
    if (top.a) {
        eps.episodes[top.episode].depth--;
        eps.is_astray |= !is_told;
    }
    return top;
}

static void drop_top(void)
{
    struct place top = pop(false);
    if (top.a)
        activation_retire(top.a);
}

/* ---- records ---- */

/* Write what `write` does, or nothing at all. */
static bool has_room(size_t bytes)
{
    if (!eps.is_full && record_space(eps.config.records) < bytes)
        eps.is_full = true;
    return !eps.is_full;
}

/* What was begun and did not fit is not there. */
static void give_up(uint8_t *start)
{
    eps.config.records->at = start;
    eps.is_full = true;
}

static bool put_text(const char *text, size_t len)
{
    struct record_writer *r = eps.config.records;
    if (!has_room(len + RECORD_NUMBER_BYTES))
        return false;
    r->at = record_put_number(r->at, len);
    if (len > 0)
        memcpy(r->at, text, len);
    r->at += len;
    return true;
}

void episode_tell(enum suite_tell what, const char *text, size_t len)
{
    struct record_writer *r = eps.config.records;
    uint8_t *start = r->at;
    if (record_space(r) < len + HEAD_BYTES)
        return;
    *r->at++ = SUITE_RECORD_TELL;
    *r->at++ = (uint8_t)what;
    if (put_text(text, len))
        record_commit(r);
    else
        r->at = start;
}

static void write_switch(const struct activation *a)
{
    struct record_writer *r = eps.config.records;
    if (!has_room(HEAD_BYTES))
        return;
    *r->at++ = TRACE_RECORD_SWITCH;
    r->at = record_put_number(r->at, a->id);
    record_commit(r);
    eps.is_astray = false;
}

/* FUNC and CODE, once. */
static bool define_code(struct code *c)
{
    struct record_writer *r = eps.config.records;
    if (c->scope->func_id != SCOPE_NO_ID)
        return true;
    if (!locals_define_scope(&eps.locals, c->scope, &eps.n_funcs)) {
        eps.is_full = true;
        return false;
    }
    uint8_t *start = r->at;
    if (!has_room(HEAD_BYTES))
        return false;
    *r->at++ = SUITE_RECORD_CODE;
    r->at = record_put_number(r->at, c->scope->func_id);
    r->at = record_put_number(r->at, (uint64_t)c->code->co_firstlineno);
    if (!put_text(c->path, c->path_len)) {
        give_up(start);
        return false;
    }
    record_commit(r);
    return true;
}

static void write_left(uint32_t id, enum trace_end_reason reason)
{
    struct record_writer *r = eps.config.records;
    struct episode *e = &eps.episodes[id];
    uint8_t *start = r->at;
    bool has_exception =
        reason == TRACE_END_EXCEPTION || reason == TRACE_END_EXIT;
    e->is_closed = true;
    if (!has_room(HEAD_BYTES))
        return;
    *r->at++ = SUITE_RECORD_LEFT;
    r->at = record_put_number(r->at, id);
    *r->at++ = (uint8_t)reason;
    *r->at++ = has_exception ? TRACE_FLAG_EXCEPTION : 0;
    if (has_exception &&
        (!put_text(e->type ? e->type : "", e->type_len) ||
         !put_text(e->message ? e->message : "", e->message_len))) {
        give_up(start);
        return;
    }
    record_commit(r);
}

static uint32_t event_line(const struct activation *a, PyFrameObject *frame)
{
    int line = pyframe_line(frame);
    if (line > 0)
        return (uint32_t)line;
    if (a->last_line > 0)
        return a->last_line;
    return (uint32_t)a->scope->code->co_firstlineno;
}

/* One more frame of the episode; false: it has all that it may have. */
static bool count_frame(uint32_t id)
{
    struct episode *e = &eps.episodes[id];
    if (e->is_closed || eps.is_full)
        return false;
    if (e->n_frames == eps.config.max_frames) {
        write_left(id, TRACE_END_FRAME_LIMIT);
        return false;
    }
    if (e->n_bytes > eps.config.max_bytes) {
        write_left(id, TRACE_END_BYTE_LIMIT);
        return false;
    }
    e->n_frames++;
    return true;
}

static void write_state(const struct place *p, enum trace_record_type type)
{
    struct record_writer *r = eps.config.records;
    struct activation *a = p->a;
    uint32_t line = event_line(a, p->frame);
    if (locals_prepare(&eps.locals, a, p->frame) != LOCALS_OK)
        eps.is_full = true;
    if (!has_room(HEAD_BYTES))
        return;
    uint8_t *start = r->at;
    *r->at++ = (uint8_t)type;
    if (type == TRACE_RECORD_CALL) {
        r->at = record_put_number(r->at, a->scope->func_id);
        r->at = record_put_number(r->at, a->id);
    }
    r->at = record_put_number(r->at, line);
    if (locals_write(&eps.locals, a) != LOCALS_OK) {
        give_up(start);
        return;
    }
    eps.episodes[p->episode].n_bytes += (size_t)(r->at - start);
    record_commit(r);
    a->last_line = line;
}

/* ---- calls ---- */

static const struct place *top_place(void)
{
    return eps.n_stack ? &eps.stack[eps.n_stack - 1] : NULL;
}

static struct activation *new_activation(struct code *c, PyFrameObject *frame,
                                         uint32_t episode)
{
    if (eps.n_activations == eps.max_owner) {
        size_t max = eps.max_owner ? 2 * eps.max_owner : 1024;
        uint32_t *owner = cwm_realloc(eps.owner, max, sizeof(*owner));
        if (!owner) {
            eps.is_full = true;
            return NULL;
        }
        eps.owner = owner;
        eps.max_owner = max;
    }
    struct activation *a = activation_new(c->scope, frame, eps.n_activations);
    if (!a) {
        eps.is_full = true;
        return NULL;
    }
    eps.owner[eps.n_activations++] = episode;
    return a;
}

/* Is this call drawn as an episode of its own? */
static bool is_drawn(const struct code *c)
{
    if (c->n_taken == MAX_TAKEN || eps.n_episodes == MAX_EPISODES)
        return false;
    return c->n_calls <= SURE_CALLS || draw(c, 1, c->n_calls) < SURE_CALLS;
}

/* Is it entered, as a part of the episode that is open above it? */
static bool is_entered(const struct code *c, const struct place *top)
{
    const struct suite_how *how = &eps.config.how;
    if (!top || !top->a || eps.episodes[top->episode].is_closed)
        return false;
    if (c->is_inner)
        return true;
    return eps.episodes[top->episode].depth <= how->max_depth &&
           draw(c, 2, 1000) < how->enter_permille;
}

static bool begin_episode(struct code *c, uint32_t *ret_id)
{
    struct record_writer *r = eps.config.records;
    if (!define_code(c) || !has_room(HEAD_BYTES))
        return false;
    *r->at++ = SUITE_RECORD_EPISODE;
    r->at = record_put_number(r->at, c->scope->func_id);
    r->at = record_put_number(r->at, c->n_calls);
    record_commit(r);
    c->n_taken++;
    *ret_id = eps.n_episodes++;
    eps.episodes[*ret_id] = (struct episode){.root = eps.n_activations};
    return true;
}

/*
 * The episode that a new activation belongs to; NO_EPISODE: it is not
 * recorded.
 */
static uint32_t choose_episode(struct code *c, const struct place *top,
                               bool is_start)
{
    uint32_t id = NO_EPISODE;
    if (c->is_passed || eps.is_full)
        return NO_EPISODE;
    if (is_entered(c, top))
        return define_code(c) ? top->episode : NO_EPISODE;
    if (c->is_inner || !is_start || !is_drawn(c) || !begin_episode(c, &id))
        return NO_EPISODE;
    return id;
}

/* A suspended activation goes on where it belongs, else it is forgotten. */
static struct activation *resume(const struct code *c,
                                 const PyFrameObject *frame,
                                 const struct place *top, bool is_start,
                                 uint32_t *ret_episode)
{
    struct activation *a = suspended_take(&eps.suspended, frame);
    if (!a)
        return NULL;
    uint32_t id = eps.owner[a->id];
    bool is_here = top && top->a && top->episode == id;
    if (is_start || a->scope != c->scope || eps.episodes[id].is_closed ||
        (a->id != eps.episodes[id].root && !is_here)) {
        activation_retire(a);
        return NULL;
    }
    *ret_episode = id;
    return a;
}

static void on_call(PyFrameObject *frame)
{
    struct code *c = code_of(frame);
    if (!c || !c->scope)
        return;
    const struct place *top = top_place();
    uint32_t id = NO_EPISODE;
    bool is_start = pyframe_is_start(frame);
    if (is_start)
        c->n_calls++;
    struct activation *a = resume(c, frame, top, is_start, &id);
    if (!a) {
        id = choose_episode(c, top, is_start);
        /* a callee's CALL is taken for the current activation's */
        if (id != NO_EPISODE && eps.is_astray && top && top->a &&
            top->episode == id)
            write_switch(top->a);
        if (id != NO_EPISODE)
            a = new_activation(c, frame, id);
    }
    if (!push(frame, a, id) || !a || !count_frame(id))
        return;
    write_state(top_place(), TRACE_RECORD_CALL);
    eps.is_astray = false;
}

/* ---- the other events ---- */

/*
 * The place of `frame`, on top of the stack; NULL: it is not the repository's
 * or was not seen.  What stood above it was left unseen.
 */
static const struct place *find_place(PyFrameObject *frame)
{
    if (eps.n_stack && eps.stack[eps.n_stack - 1].frame == frame)
        return top_place();
    const struct code *c = code_of(frame);
    if (!c || !c->scope)
        return NULL;
    for (size_t i = eps.n_stack; i-- > 0;) {
        if (eps.stack[i].frame != frame)
            continue;
        while (eps.n_stack > i + 1)
            drop_top();
        return top_place();
    }
    /* Resumed without a call event: throw() and close() on 3.11. */
    uint32_t id = NO_EPISODE;
    struct activation *a = resume(c, frame, top_place(), false, &id);
    if (!push(frame, a, id))
        return NULL;
    if (a)
        eps.is_astray = true;
    return top_place();
}

/* The place, when there is something to be written for it. */
static const struct place *begin_event(PyFrameObject *frame)
{
    const struct place *p = find_place(frame);
    if (!p || !p->a || !count_frame(p->episode))
        return NULL;
    if (eps.is_astray)
        write_switch(p->a);
    return eps.is_full ? NULL : p;
}

static bool write_return(const struct place *p, PyObject *arg,
                         bool is_suspending)
{
    struct record_writer *r = eps.config.records;
    const uint8_t *text;
    size_t len;
    bool is_cut;
    if (!has_room(HEAD_BYTES))
        return false;
    uint8_t *start = r->at;
    *r->at++ = TRACE_RECORD_RETURN;
    r->at = record_put_number(r->at, event_line(p->a, p->frame));
    uint8_t *flags = r->at++;
    if (!locals_put_value(&eps.locals, arg ? arg : Py_None, &text, &len,
                          &is_cut)) {
        give_up(start);
        return false;
    }
    *flags = (uint8_t)((is_suspending ? TRACE_FLAG_SUSPENDED : 0) |
                       (is_cut ? TRACE_FLAG_CUT : 0));
    eps.episodes[p->episode].n_bytes += (size_t)(r->at - start);
    record_commit(r);
    return true;
}

static void on_return(PyFrameObject *frame, PyObject *arg)
{
    const struct place *p = begin_event(frame);
    bool is_suspending = arg && pyframe_is_suspending(frame);
    bool is_told = p && write_return(p, arg, is_suspending);
    if (!eps.n_stack || eps.stack[eps.n_stack - 1].frame != frame)
        return;
    struct place top = pop(is_told);
    if (!top.a)
        return;
    struct episode *e = &eps.episodes[top.episode];
    if (is_suspending && !e->is_closed) {
        suspended_put(&eps.suspended, top.a);
        return;
    }
    if (top.a->id == e->root && !e->is_closed)
        write_left(top.episode, arg          ? TRACE_END_OK
                                : e->is_exit ? TRACE_END_EXIT
                                             : TRACE_END_EXCEPTION);
    activation_retire(top.a);
}

/* What END will say, should the episode be left by it. */
static void note_exception(struct episode *e, PyObject *triple)
{
    cwm_free(e->type);
    cwm_free(e->message);
    ending_describe(eps.config.values, PyTuple_GET_ITEM(triple, 0),
                    PyTuple_GET_ITEM(triple, 1), eps.config.max_value_bytes,
                    &e->type, &e->type_len, &e->message, &e->message_len);
    e->is_exit = PyErr_GivenExceptionMatches(PyTuple_GET_ITEM(triple, 0),
                                             PyExc_SystemExit);
}

static void on_exception(PyFrameObject *frame, PyObject *arg)
{
    if (!PyTuple_CheckExact(arg) || PyTuple_GET_SIZE(arg) != 3)
        return;
    const struct place *p = begin_event(frame);
    struct record_writer *r = eps.config.records;
    bool is_cut;
    if (!p || !locals_observe(&eps.locals, p->a, frame))
        return;
    struct episode *e = &eps.episodes[p->episode];
    if (p->a->id == e->root)
        note_exception(e, arg);
    size_t len = triple_render(eps.config.values, arg,
                               eps.config.max_value_bytes, eps.triple, &is_cut);
    if (!has_room(HEAD_BYTES + len))
        return;
    *r->at++ = TRACE_RECORD_EXCEPT;
    r->at = record_put_number(r->at, event_line(p->a, frame));
    *r->at++ = is_cut ? TRACE_FLAG_CUT : 0;
    r->at = record_put_number(r->at, len);
    memcpy(r->at, eps.triple, len);
    r->at += len;
    e->n_bytes += len;
    record_commit(r);
}

static void on_line(PyFrameObject *frame)
{
    const struct place *p = begin_event(frame);
    if (p)
        write_state(p, TRACE_RECORD_LINE);
}

void episode_event(PyFrameObject *frame, int what, PyObject *arg)
{
    if (what == PyTrace_LINE)
        on_line(frame);
    else if (what == PyTrace_CALL)
        on_call(frame);
    else if (what == PyTrace_RETURN)
        on_return(frame, arg);
    else if (what == PyTrace_EXCEPTION)
        on_exception(frame, arg);
}

bool episode_init(const struct episode_config *config)
{
    memset(&eps, 0, sizeof(eps));
    eps.config = *config;
    eps.triple = cwm_malloc(triple_room(config->max_value_bytes));
    eps.episodes = cwm_calloc(MAX_EPISODES, sizeof(*eps.episodes));
    eps.scopes.slots = cwm_calloc(1, sizeof(struct scope *));
    eps.scopes.n_slots = 1;
    if (!eps.triple || !eps.episodes || !eps.scopes.slots || !codes_grow())
        return false;
    return locals_writer_init(&eps.locals, config->records, config->values,
                              &eps.scopes, config->max_value_bytes);
}
