/* SPDX-License-Identifier: MIT */
/*
 * record_read.c -- the reader of trace records.
 *
 * Values are not copied: an activation's locals are offsets into the shared
 * memory, so that "the same text as before" costs 16 bytes however long the
 * text is, and memory is bounded by the stream's length.  Every frame names
 * all of its locals, so looking at the activation's former ones is paid for
 * by the bytes that listed them: no stream takes more than linear time.
 *
 * trace_reader_new() goes through the stream once.  What it found to be WTF-8
 * is not checked again when the frames are given.
 */
#include "tracer/record.h"

#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/record_cursor.h"
#include "tracer/source.h"

struct name {
    struct record_text text;
    uint32_t seen;   /* serial of the last frame that listed it */
    uint32_t mapped; /* serial of the frame that `slot` holds for */
    uint32_t slot;   /* its place among the activation's former locals */
};

struct local {
    uint32_t name;
    struct record_text value;
    bool cut;
};

enum activation_state { ACTIVE, SUSPENDED, FINISHED };

struct activation {
    struct local *locals; /* owned; of its last CALL or LINE */
    uint32_t n_locals;
    uint32_t capacity;
    uint32_t function;
    enum activation_state state;
    bool show_all; /* a callee's scope was left: TRACE_FORMAT section 4 */
};

struct array {
    void *data; /* owned */
    uint32_t n;
    uint32_t capacity;
};

struct trace_reader {
    struct record_cursor in;
    uint32_t n_program_lines;
    uint32_t serial; /* of the frame; counts from 1 */
    bool has_header;
    bool ended;
    struct array names;       /* struct name */
    struct array functions;   /* struct record_text */
    struct array activations; /* struct activation */
    struct array stack;       /* uint32_t: active ones, the current on top */
    struct array entries;     /* struct local: of the frame being read */
    struct array locals;      /* struct trace_local: the same, given out */
    struct array unbound;     /* struct trace_local */
    struct trace_end now;     /* of this pass so far */
    struct trace_end end;     /* of the whole stream */
};

/* ---- arrays ---- */

/* Room for one more; it is not counted in yet.  NULL: no memory. */
static void *array_next(struct array *a, size_t size)
{
    if (a->n == a->capacity) {
        uint32_t capacity = a->capacity < 16 ? 16 : a->capacity / 2 * 3;
        void *data = cwm_realloc(a->data, capacity, size);

        if (!data) {
            return NULL;
        }
        a->data = data;
        a->capacity = capacity;
    }
    return (char *)a->data + size * a->n;
}

static void array_release(struct array *a)
{
    cwm_free(a->data);
    memset(a, 0, sizeof *a);
}

static struct name *name_at(const struct trace_reader *r, uint32_t id)
{
    return (struct name *)r->names.data + id;
}

static struct activation *activation_at(const struct trace_reader *r,
                                        uint32_t id)
{
    return (struct activation *)r->activations.data + id;
}

/* There is one: the stack is not empty. */
static uint32_t current_id(const struct trace_reader *r)
{
    return ((const uint32_t *)r->stack.data)[r->stack.n - 1];
}

static struct activation *current(const struct trace_reader *r)
{
    return activation_at(r, current_id(r));
}

/* ---- definitions ---- */

static enum cwm_rc read_name(struct trace_reader *r)
{
    struct name *name = array_next(&r->names, sizeof *name);

    if (!name) {
        return CWM_NOMEM;
    }
    memset(name, 0, sizeof *name);
    name->text = record__get_text(&r->in);
    r->names.n += !r->in.damaged;
    return CWM_OK;
}

static enum cwm_rc read_function(struct trace_reader *r)
{
    struct record_text *text = array_next(&r->functions, sizeof *text);

    if (!text) {
        return CWM_NOMEM;
    }
    *text = record__get_text(&r->in);
    r->functions.n += !r->in.damaged;
    return CWM_OK;
}

/* ---- activations ---- */

static enum cwm_rc push(struct trace_reader *r, uint32_t id)
{
    uint32_t *top = array_next(&r->stack, sizeof *top);

    if (!top) {
        return CWM_NOMEM;
    }
    *top = id;
    r->stack.n++;
    activation_at(r, id)->state = ACTIVE;
    return CWM_OK;
}

/* The current activation's scope is left; its caller will show all. */
static void pop(struct trace_reader *r, bool suspended)
{
    struct activation *a = current(r);

    r->stack.n--;
    a->state = suspended ? SUSPENDED : FINISHED;
    if (!suspended) {
        cwm_free(a->locals);
        a->locals = NULL;
        a->n_locals = a->capacity = 0;
    }
    if (r->stack.n > 0) {
        current(r)->show_all = true;
    }
}

static enum cwm_rc start_activation(struct trace_reader *r, uint32_t function)
{
    struct activation *a = array_next(&r->activations, sizeof *a);

    if (!a) {
        return CWM_NOMEM;
    }
    memset(a, 0, sizeof *a);
    a->function = function;
    r->activations.n++;
    return push(r, r->activations.n - 1);
}

static enum cwm_rc read_switch(struct trace_reader *r)
{
    uint32_t id = record__get_below(&r->in, r->activations.n, "activation");

    if (r->in.damaged) {
        return CWM_OK;
    }
    switch (activation_at(r, id)->state) {
    case ACTIVE:
        while (current_id(r) != id) {
            pop(r, false);
        }
        break;
    case SUSPENDED:
        return push(r, id);
    case FINISHED:
        record__damage(&r->in, "activation %u is over", id);
        break;
    }
    return CWM_OK;
}

/* ---- locals ---- */

/* Let names find their places among the former locals. */
static void map_former(const struct trace_reader *r, const struct activation *a)
{
    uint32_t i;

    for (i = 0; i < a->n_locals; i++) {
        struct name *name = name_at(r, a->locals[i].name);

        name->slot = i;
        name->mapped = r->serial;
    }
}

/*
 * The former local of the name that now stands at place `i`, or NULL.  Mostly
 * it stood there before; the map is made for the first one that did not.
 */
static const struct local *former_local(const struct trace_reader *r,
                                        const struct activation *a, uint32_t i,
                                        uint32_t id, bool *is_mapped)
{
    if (i < a->n_locals && a->locals[i].name == id) {
        return &a->locals[i];
    }
    if (!*is_mapped) {
        map_former(r, a);
        *is_mapped = true;
    }
    if (name_at(r, id)->mapped != r->serial) {
        return NULL;
    }
    return &a->locals[name_at(r, id)->slot];
}

static void give_local(const struct trace_reader *r, const struct local *entry,
                       const struct local *former, bool show_all,
                       struct trace_local *local)
{
    const struct record_text *name = &name_at(r, entry->name)->text;

    local->name = r->in.data + name->at;
    local->name_len = name->len;
    local->value = r->in.data + entry->value.at;
    local->value_len = entry->value.len;
    local->cut = entry->cut;
    local->old = former ? r->in.data + former->value.at : NULL;
    local->old_len = former ? former->value.len : 0;
    local->changed = !former || local->old_len != local->value_len ||
                     (local->old != local->value &&
                      memcmp(local->old, local->value, local->old_len) != 0);
    local->same = !local->changed && !show_all;
}

/* One entry of a CALL or LINE of `a`: kept for the next frame, given out. */
static enum cwm_rc read_entry(struct trace_reader *r,
                              const struct activation *a, bool show_all,
                              bool *is_mapped)
{
    struct local *entry = array_next(&r->entries, sizeof *entry);
    struct trace_local *local = array_next(&r->locals, sizeof *local);
    const struct local *former;
    uint32_t key;
    uint32_t kind;

    if (!entry || !local) {
        return CWM_NOMEM;
    }
    key = record__get_below(&r->in, (uint64_t)r->names.n << 2, "name entry");
    kind = key & 3;
    if (r->in.damaged) {
        return CWM_OK;
    }
    if (name_at(r, key >> 2)->seen == r->serial) {
        record__damage(&r->in, "name %u stands twice in a frame", key >> 2);
        return CWM_OK;
    }
    name_at(r, key >> 2)->seen = r->serial;
    former = former_local(r, a, r->entries.n, key >> 2, is_mapped);
    if (kind == TRACE_ENTRY_SAME && former) {
        *entry = *former;
    } else if (kind == TRACE_ENTRY_TEXT || kind == TRACE_ENTRY_CUT) {
        entry->name = key >> 2;
        entry->value = record__get_text(&r->in);
        entry->cut = kind == TRACE_ENTRY_CUT;
        r->now.n_cut += entry->cut;
    } else {
        record__damage(&r->in, "name %u with kind %u", key >> 2, kind);
        return CWM_OK;
    }
    give_local(r, entry, former, show_all, local);
    r->entries.n++;
    r->locals.n++;
    return CWM_OK;
}

/* What the activation had and this frame does not list. */
static enum cwm_rc list_unbound(struct trace_reader *r,
                                const struct activation *a)
{
    uint32_t i;

    for (i = 0; i < a->n_locals; i++) {
        struct trace_local *local;

        if (name_at(r, a->locals[i].name)->seen == r->serial) {
            continue;
        }
        local = array_next(&r->unbound, sizeof *local);
        if (!local) {
            return CWM_NOMEM;
        }
        give_local(r, &a->locals[i], &a->locals[i], false, local);
        local->value = NULL;
        local->value_len = 0;
        local->changed = true;
        r->unbound.n++;
    }
    return CWM_OK;
}

static enum cwm_rc keep_entries(struct trace_reader *r, struct activation *a)
{
    uint32_t n = r->entries.n;

    if (n > a->capacity) {
        struct local *locals = cwm_realloc(a->locals, n, sizeof *locals);

        if (!locals) {
            return CWM_NOMEM;
        }
        a->locals = locals;
        a->capacity = n;
    }
    if (n > 0) {
        memcpy(a->locals, r->entries.data, n * sizeof(struct local));
    }
    a->n_locals = n;
    return CWM_OK;
}

/* The entries of a CALL or LINE of the current activation. */
static enum cwm_rc read_locals(struct trace_reader *r, bool is_call,
                               struct trace_frame *frame)
{
    struct activation *a = current(r);
    bool show_all = is_call || a->show_all;
    bool is_mapped = false;
    uint64_t n = record__get_v(&r->in);
    enum cwm_rc rc = CWM_OK;

    r->serial++;
    r->entries.n = r->locals.n = r->unbound.n = 0;
    while (rc == CWM_OK && !r->in.damaged && r->entries.n < n) {
        rc = read_entry(r, a, show_all, &is_mapped);
    }
    if (rc != CWM_OK || r->in.damaged) {
        return rc;
    }
    rc = list_unbound(r, a);
    if (rc == CWM_OK) {
        rc = keep_entries(r, a);
    }
    a->show_all = false;
    frame->locals = r->locals.data;
    frame->n_locals = r->locals.n;
    frame->unbound = r->unbound.data;
    frame->n_unbound = r->unbound.n;
    return rc;
}

/* ---- frames ---- */

static uint32_t get_line(struct trace_reader *r)
{
    uint64_t limit = (uint64_t)r->n_program_lines + 1;
    uint32_t line = record__get_below(&r->in, limit, "line");

    if (line == 0) {
        record__damage(&r->in, "there is no line 0");
    }
    return line;
}

/* Depth, activation and function: the current activation's. */
static void set_scope(const struct trace_reader *r, struct trace_frame *frame)
{
    const struct record_text *function = r->functions.data;

    function += current(r)->function;
    frame->depth = r->stack.n - 1;
    frame->activation = current_id(r);
    frame->function = r->in.data + function->at;
    frame->function_len = function->len;
}

/* An earlier activation comes back. */
static enum cwm_rc resume_activation(struct trace_reader *r, uint32_t id,
                                     uint32_t function)
{
    const struct activation *a = activation_at(r, id);

    if (a->state != SUSPENDED || a->function != function) {
        record__damage(&r->in, "activation %u cannot be resumed", id);
        return CWM_OK;
    }
    return push(r, id);
}

static enum cwm_rc read_call(struct trace_reader *r, struct trace_frame *frame)
{
    uint32_t n_old = r->activations.n;
    uint32_t function = record__get_below(&r->in, r->functions.n, "function");
    uint32_t id = record__get_below(&r->in, (uint64_t)n_old + 1, "activation");
    enum cwm_rc rc;

    frame->line = get_line(r);
    if (r->in.damaged) {
        return CWM_OK;
    }
    frame->resumed = id < n_old;
    rc = frame->resumed ? resume_activation(r, id, function)
                        : start_activation(r, function);
    if (rc != CWM_OK || r->in.damaged) {
        return rc;
    }
    set_scope(r, frame);
    r->now.n_calls++;
    return read_locals(r, true, frame);
}

static enum cwm_rc read_line(struct trace_reader *r, struct trace_frame *frame)
{
    frame->line = get_line(r);
    set_scope(r, frame);
    r->now.n_lines++;
    return read_locals(r, false, frame);
}

static void check_flags(struct trace_reader *r, unsigned flags,
                        unsigned allowed)
{
    if (flags & ~allowed) {
        record__damage(&r->in, "there are no flags %#x here", flags);
    }
}

static void read_leave(struct trace_reader *r, unsigned allowed,
                       struct trace_frame *frame)
{
    struct record_text arg;
    uint8_t flags;

    frame->line = get_line(r);
    flags = record__get_u8(&r->in);
    check_flags(r, flags, allowed);
    arg = record__get_text(&r->in);
    set_scope(r, frame);
    frame->arg = r->in.data + arg.at;
    frame->arg_len = arg.len;
    frame->arg_cut = (flags & TRACE_FLAG_CUT) != 0;
    frame->suspended = (flags & TRACE_FLAG_SUSPENDED) != 0;
    r->now.n_cut += frame->arg_cut;
}

/* ---- the end ---- */

static const uint8_t *get_end_text(struct trace_reader *r, size_t *ret_len)
{
    struct record_text text = record__get_text(&r->in);

    *ret_len = text.len;
    return r->in.data + text.at;
}

static void read_end(struct trace_reader *r)
{
    struct trace_end end = r->now;
    uint8_t reason = record__get_u8(&r->in);
    uint8_t flags = record__get_u8(&r->in);

    if (reason == TRACE_END_NONE || reason > TRACE_END_TEXT_LIMIT) {
        record__damage(&r->in, "there is no reason %u", reason);
    }
    check_flags(r, flags,
                TRACE_FLAG_CUT | TRACE_FLAG_RESULT | TRACE_FLAG_EXCEPTION |
                    TRACE_FLAG_DETAIL);
    end.reason = reason;
    end.n_cut += (flags & TRACE_FLAG_CUT) != 0;
    if (flags & TRACE_FLAG_RESULT) {
        end.result = get_end_text(r, &end.result_len);
    }
    if (flags & TRACE_FLAG_EXCEPTION) {
        end.exception_type = get_end_text(r, &end.exception_type_len);
        end.exception_message = get_end_text(r, &end.exception_message_len);
    }
    if (flags & TRACE_FLAG_DETAIL) {
        end.detail = get_end_text(r, &end.detail_len);
    }
    if (r->in.at != r->in.stop) {
        record__damage(&r->in, "records behind the end");
    }
    if (!r->in.damaged) {
        r->now = end;
        r->ended = true;
    }
}

/* ---- records ---- */

/* One record.  A frame sets `event` and counts in n_frames. */
static enum cwm_rc read_record(struct trace_reader *r,
                               struct trace_frame *frame)
{
    uint8_t type = record__get_u8(&r->in);

    switch (type) {
    case TRACE_RECORD_NAME:
        return read_name(r);
    case TRACE_RECORD_FUNC:
        return read_function(r);
    case TRACE_RECORD_SWITCH:
        return read_switch(r);
    case TRACE_RECORD_END:
        read_end(r);
        return CWM_OK;
    case TRACE_RECORD_CALL:
        r->now.n_frames++;
        frame->event = TRACE_CALL;
        return read_call(r, frame);
    default:
        break;
    }
    if (r->stack.n == 0) {
        record__damage(&r->in, "record %#x outside every call", type);
        return CWM_OK;
    }
    r->now.n_frames++;
    switch (type) {
    case TRACE_RECORD_LINE:
        frame->event = TRACE_LINE;
        return read_line(r, frame);
    case TRACE_RECORD_RETURN:
        frame->event = TRACE_RETURN;
        read_leave(r, TRACE_FLAG_SUSPENDED | TRACE_FLAG_CUT, frame);
        pop(r, frame->suspended);
        return CWM_OK;
    case TRACE_RECORD_EXCEPT:
        frame->event = TRACE_EXCEPTION;
        read_leave(r, TRACE_FLAG_CUT, frame);
        return CWM_OK;
    default:
        record__damage(&r->in, "there is no record %#x", type);
        return CWM_OK;
    }
}

enum cwm_rc trace_reader_next(struct trace_reader *r, struct trace_frame *frame,
                              bool *ret_more, struct cwm_err *err)
{
    struct trace_end before = r->now;

    memset(frame, 0, sizeof *frame);
    while (!r->ended && r->now.n_frames == before.n_frames) {
        if (r->in.at == r->in.stop) {
            r->ended = true;
            break;
        }
        if (read_record(r, frame) != CWM_OK) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold a trace's frame");
        }
        if (r->in.damaged) {
            r->ended = true;
            r->now = before;
        }
    }
    *ret_more = r->now.n_frames > before.n_frames;
    return CWM_OK;
}

/* ---- opening ---- */

static uint64_t get_u64le(const uint8_t *p)
{
    uint64_t value = 0;
    int i;

    for (i = 7; i >= 0; i--) {
        value = value << 8 | p[i];
    }
    return value;
}

/* Where the records stop, as the header says; damage when it cannot be. */
static void read_header(struct trace_reader *r, size_t len)
{
    uint64_t committed;

    if (len < TRACE_SHARED_HEADER_BYTES ||
        memcmp(r->in.data, TRACE_SHARED_MAGIC, 8) != 0) {
        record__damage(&r->in, "the records' header is not there");
        return;
    }
    committed = get_u64le(r->in.data + 8);
    if (committed > len - TRACE_SHARED_HEADER_BYTES) {
        record__damage(&r->in, "more is committed than fits");
        return;
    }
    r->has_header = true;
    r->in.stop = TRACE_SHARED_HEADER_BYTES + (size_t)committed;
}

void trace_reader_rewind(struct trace_reader *r)
{
    uint32_t i;

    for (i = 0; i < r->activations.n; i++) {
        cwm_free(activation_at(r, i)->locals);
    }
    r->names.n = r->functions.n = r->activations.n = r->stack.n = 0;
    r->serial = 0;
    r->in.at = TRACE_SHARED_HEADER_BYTES;
    r->in.damaged = false;
    r->ended = !r->has_header;
    memset(&r->now, 0, sizeof r->now);
}

/* What a frame adds to the text, escapes and punctuation apart. */
static uint64_t text_bytes(const struct trace_frame *frame,
                           const struct source *source)
{
    uint64_t n;
    size_t len;
    size_t i;

    source_line(source, frame->line, &len);
    n = len + frame->arg_len;
    for (i = 0; i < frame->n_locals; i++) {
        const struct trace_local *local = &frame->locals[i];

        n += local->name_len + (local->same ? 2 : local->value_len);
    }
    return n;
}

/* The first pass over the stream: check it, find where the trace ends. */
static enum cwm_rc check_stream(struct trace_reader *r,
                                const struct source *source,
                                uint64_t max_text_bytes, struct cwm_err *err)
{
    struct trace_frame frame;
    bool more = true;

    while (more) {
        struct trace_end before = r->now;
        size_t at = r->in.at;
        enum cwm_rc rc = trace_reader_next(r, &frame, &more, err);
        uint64_t n;

        if (rc != CWM_OK) {
            return rc;
        }
        if (!more || !source) {
            continue;
        }
        n = text_bytes(&frame, source);
        if (n > max_text_bytes) {
            r->in.at = at;
            r->in.stop = at;
            r->now = before;
            r->now.reason = TRACE_END_BYTE_LIMIT;
            r->now.is_text_cut = true;
            return CWM_OK;
        }
        max_text_bytes -= n;
    }
    return CWM_OK;
}

static enum cwm_rc reader_open(const uint8_t *shared, size_t len,
                               uint32_t n_lines, const struct source *source,
                               uint64_t max_text_bytes,
                               struct trace_reader **ret_reader,
                               struct cwm_err *err)
{
    struct trace_reader *r = NULL; /* owned */
    enum cwm_rc rc = CWM_OK;

    if (len > UINT32_MAX) { /* what offsets of texts can hold */
        return CWM_FAIL(err, CWM_LIMIT, "cannot read %zu bytes of records",
                        len);
    }
    r = cwm_calloc(1, sizeof *r);
    if (!r) {
        return CWM_FAIL(err, CWM_NOMEM, "could not open a trace's records");
    }
    r->in.data = shared;
    r->n_program_lines = n_lines;
    read_header(r, len);
    r->in.at = TRACE_SHARED_HEADER_BYTES;
    r->ended = !r->has_header;
    rc = check_stream(r, source, max_text_bytes, err);
    if (rc != CWM_OK) {
        goto out;
    }
    r->end = r->now;
    r->end.damaged = r->in.damaged;
    memcpy(r->end.damage, r->in.damage, sizeof r->end.damage);
    r->in.checked = r->in.at;
    trace_reader_rewind(r);
    *ret_reader = r;
    r = NULL; /* now the caller's */
out:
    trace_reader_free(r);
    return rc;
}

enum cwm_rc trace_reader_new(const uint8_t *shared, size_t len,
                             uint32_t n_lines, struct trace_reader **ret_reader,
                             struct cwm_err *err)
{
    return reader_open(shared, len, n_lines, NULL, 0, ret_reader, err);
}

enum cwm_rc trace_reader_new_within(const uint8_t *shared, size_t len,
                                    const struct source *source,
                                    uint64_t max_text_bytes,
                                    struct trace_reader **ret_reader,
                                    struct cwm_err *err)
{
    return reader_open(shared, len, source_n_lines(source), source,
                       max_text_bytes, ret_reader, err);
}

void trace_reader_free(struct trace_reader *r)
{
    if (!r) {
        return;
    }
    trace_reader_rewind(r);
    array_release(&r->names);
    array_release(&r->functions);
    array_release(&r->activations);
    array_release(&r->stack);
    array_release(&r->entries);
    array_release(&r->locals);
    array_release(&r->unbound);
    cwm_free(r);
}

const uint8_t *trace_reader_records(const struct trace_reader *r,
                                    size_t *ret_len)
{
    *ret_len = r->in.checked - TRACE_SHARED_HEADER_BYTES;
    return r->in.data + TRACE_SHARED_HEADER_BYTES;
}

const struct trace_end *trace_reader_end(const struct trace_reader *r)
{
    return &r->end;
}
