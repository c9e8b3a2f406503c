/* SPDX-License-Identifier: MIT */
/*
 * suite_read.c -- a run's stream taken apart: one stream for each episode.
 *
 * The names, functions and activations of an episode get numbers of their
 * own, in the order in which it meets them, so that its bytes do not depend
 * on what else was recorded beside it.  One pass; texts are copied as they
 * are.  Every number is checked before it is an index; whether the episodes
 * are sound is for their reader to say.
 */
#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/record_cursor.h"
#include "tracer/suite_internal.h"

enum {
    /* What a run can want; a hostile one gets no more. */
    MAX_NAMES = 1 << 20,
    MAX_CODES = 1 << 18,
    MAX_ACTIVATIONS = 1 << 24,
    MAX_EPISODES = 1 << 14,
    MAX_LINES = 1 << 22,
    MAX_TELLS = 1 << 18,
};

#define NONE UINT32_MAX

/* Ids of the stream and of an episode. */
struct id_map {
    uint32_t *ids; /* owned; NONE: not met */
    size_t size;
    uint32_t n_met;
};

/* An episode that is being written. */
struct open_episode {
    struct id_map names, funcs;
    uint32_t n_activations;
    uint32_t root;   /* activation of the stream */
    uint32_t *stack; /* owned: activations of the stream */
    size_t n_stack, max_stack;
    struct record_text result; /* of the root's last RETURN */
    bool has_result, is_result_cut;
    bool is_over;
};

struct activation {
    uint32_t episode;
    uint32_t id; /* in the episode */
    uint32_t func;
    bool suspended;
};

struct reader {
    struct record_cursor c;
    struct suite_stream *out;
    struct record_text *names; /* owned */
    size_t n_names, max_names;
    struct activation *activations; /* owned */
    size_t n_activations, max_activations;
    uint32_t *stack; /* owned: activations */
    size_t n_stack, max_stack;
    struct open_episode *open; /* owned: by episode */
    size_t n_open, max_open;
    uint32_t *places; /* owned: hash table of the out->lines */
    size_t n_places;
    bool pending; /* EPISODE came, its CALL did not */
    uint32_t pending_func;
    uint64_t pending_call;
    bool short_of_memory;
};

/* Room for one more; false: none, noted. */
static bool grow(struct reader *r, void **items, size_t n, size_t *max,
                 size_t size, size_t most)
{
    size_t more = *max ? 2 * *max : 64;
    void *bigger;

    if (n < *max) {
        return true;
    }
    if (n >= most) {
        record__damage(&r->c, "there are too many records of a kind");
        return false;
    }
    bigger = cwm_realloc(*items, more, size);
    if (!bigger) {
        r->short_of_memory = true;
        record__damage(&r->c, "no memory");
        return false;
    }
    *items = bigger;
    *max = more;
    return true;
}

#define GROW(r, items, n, max, most)                                           \
    grow((r), (void **)&(items), (n), &(max), sizeof *(items), (most))

/* ---- ids of an episode ---- */

/* The episode's id for `id`; *ret_new: it was given just now. */
static uint32_t map_id(struct reader *r, struct id_map *map, uint32_t id,
                       bool *ret_new)
{
    *ret_new = false;
    if (id >= map->size) {
        size_t size = (size_t)id * 2 + 64;
        uint32_t *ids = cwm_realloc(map->ids, size, sizeof *ids);

        if (!ids) {
            r->short_of_memory = true;
            record__damage(&r->c, "no memory");
            return 0;
        }
        memset(ids + map->size, 0xFF, (size - map->size) * sizeof *ids);
        map->ids = ids;
        map->size = size;
    }
    if (map->ids[id] == NONE) {
        map->ids[id] = map->n_met++;
        *ret_new = true;
    }
    return map->ids[id];
}

static void put_text(struct cwm_buf *out, const char *text, size_t len)
{
    suite__put_number(out, len);
    cwm_buf_add(out, text, len);
}

static void put_definition(struct cwm_buf *out, enum trace_record_type type,
                           const char *text, size_t len)
{
    cwm_buf_addc(out, (char)type);
    put_text(out, text, len);
}

static const char *text_at(const struct reader *r, struct record_text text)
{
    return (const char *)r->c.data + text.at;
}

static uint32_t name_in(struct reader *r, uint32_t episode, uint32_t name)
{
    bool is_new;
    uint32_t id = map_id(r, &r->open[episode].names, name, &is_new);

    if (is_new) {
        put_definition(&r->out->episodes[episode].records, TRACE_RECORD_NAME,
                       text_at(r, r->names[name]), r->names[name].len);
    }
    return id;
}

static uint32_t func_in(struct reader *r, uint32_t episode, uint32_t func)
{
    struct suite_episode *e = &r->out->episodes[episode];
    const struct suite_code *code = &r->out->codes[func];
    bool is_new;
    uint32_t id = map_id(r, &r->open[episode].funcs, func, &is_new);
    uint32_t *funcs;

    if (!is_new) {
        return id;
    }
    put_definition(&e->records, TRACE_RECORD_FUNC, code->qualname,
                   code->qualname_len);
    funcs = cwm_realloc(e->funcs, e->n_funcs + 1, sizeof *funcs);
    if (!funcs) {
        r->short_of_memory = true;
        record__damage(&r->c, "no memory");
        return 0;
    }
    e->funcs = funcs;
    funcs[e->n_funcs++] = func;
    return id;
}

/* ---- lines ---- */

static size_t line_slot(const struct reader *r, struct suite_line line)
{
    uint64_t key = (uint64_t)line.file << 32 | line.line;
    size_t mask = r->n_places - 1;
    size_t i = (size_t)(key * 0x9E3779B97F4A7C15u >> 32) & mask;

    while (r->places[i] != NONE &&
           (r->out->lines[r->places[i]].file != line.file ||
            r->out->lines[r->places[i]].line != line.line)) {
        i = (i + 1) & mask;
    }
    return i;
}

static bool places_grow(struct reader *r)
{
    size_t n = r->n_places ? 2 * r->n_places : 256;
    uint32_t *bigger = cwm_malloc(n * sizeof *bigger);

    if (!bigger) {
        r->short_of_memory = true;
        record__damage(&r->c, "no memory");
        return false;
    }
    memset(bigger, 0xFF, n * sizeof *bigger);
    cwm_free(r->places);
    r->places = bigger;
    r->n_places = n;
    for (size_t i = 0; i < r->out->n_lines; i++) {
        r->places[line_slot(r, r->out->lines[i])] = (uint32_t)i;
    }
    return true;
}

/* The number that stands for the line, plus 1. */
static uint64_t line_of(struct reader *r, uint32_t func, uint64_t number)
{
    struct suite_stream *s = r->out;
    struct suite_line line = {s->codes[func].file, (uint32_t)number};
    size_t at;

    if (number > UINT32_MAX) {
        record__damage(&r->c, "a line is out of range");
        return 0;
    }
    if (2 * (s->n_lines + 1) > r->n_places && !places_grow(r)) {
        return 0;
    }
    at = line_slot(r, line);
    if (r->places[at] == NONE) {
        if (!GROW(r, s->lines, s->n_lines, s->max_lines, MAX_LINES)) {
            return 0;
        }
        r->places[at] = (uint32_t)s->n_lines;
        s->lines[s->n_lines++] = line;
    }
    return (uint64_t)r->places[at] + 1;
}

/* ---- definitions ---- */

static void read_name(struct reader *r)
{
    struct record_text text = record__get_text(&r->c);

    if (!r->c.damaged &&
        GROW(r, r->names, r->n_names, r->max_names, MAX_NAMES)) {
        r->names[r->n_names++] = text;
    }
}

static void read_func(struct reader *r)
{
    struct suite_stream *s = r->out;
    struct record_text text = record__get_text(&r->c);

    if (!r->c.damaged &&
        GROW(r, s->codes, s->n_codes, s->max_codes, MAX_CODES)) {
        s->codes[s->n_codes++] =
            (struct suite_code){NONE, 0, text_at(r, text), text.len};
    }
}

static uint32_t file_of(struct reader *r, struct record_text text)
{
    struct suite_stream *s = r->out;
    const char *path = text_at(r, text);

    for (size_t i = s->n_paths; i-- > 0;) {
        if (s->paths[i].len == text.len &&
            memcmp(s->paths[i].text, path, text.len) == 0) {
            return (uint32_t)i;
        }
    }
    if (!GROW(r, s->paths, s->n_paths, s->max_paths, MAX_CODES)) {
        return NONE;
    }
    s->paths[s->n_paths] = (struct suite_text){path, text.len};
    return (uint32_t)s->n_paths++;
}

static void read_code(struct reader *r)
{
    uint32_t func = record__get_below(&r->c, r->out->n_codes, "function");
    uint64_t line = record__get_v(&r->c);
    struct record_text path = record__get_text(&r->c);

    if (!r->c.damaged && line <= UINT32_MAX) {
        r->out->codes[func].first_line = (uint32_t)line;
        r->out->codes[func].file = file_of(r, path);
    }
}

/* A function whose file is known. */
static uint32_t get_func(struct reader *r)
{
    uint32_t func = record__get_below(&r->c, r->out->n_codes, "function");

    if (!r->c.damaged && r->out->codes[func].file == NONE) {
        record__damage(&r->c, "a function has no file");
    }
    return func;
}

static void read_tell(struct reader *r)
{
    struct suite_stream *s = r->out;
    uint8_t what = record__get_u8(&r->c);
    struct record_text text = record__get_text(&r->c);

    if (!r->c.damaged &&
        GROW(r, s->tells, s->n_tells, s->max_tells, MAX_TELLS)) {
        s->tells[s->n_tells++] = (struct suite_tell_text){
            (enum suite_tell)what, {text_at(r, text), text.len}};
    }
}

/* ---- activations ---- */

static bool push(struct reader *r, uint32_t a)
{
    struct open_episode *o = &r->open[r->activations[a].episode];

    if (!GROW(r, r->stack, r->n_stack, r->max_stack, MAX_ACTIVATIONS) ||
        !GROW(r, o->stack, o->n_stack, o->max_stack, MAX_ACTIVATIONS)) {
        return false;
    }
    r->stack[r->n_stack++] = a;
    o->stack[o->n_stack++] = a;
    r->activations[a].suspended = false;
    return true;
}

/* `a` becomes the current one of its episode, which is told if need be. */
static bool make_current(struct reader *r, uint32_t a)
{
    uint32_t episode = r->activations[a].episode;
    struct open_episode *o = &r->open[episode];
    struct cwm_buf *out = &r->out->episodes[episode].records;
    size_t i = o->n_stack;

    if (o->is_over || (o->n_stack > 0 && o->stack[o->n_stack - 1] == a)) {
        return true;
    }
    while (i > 0 && o->stack[i - 1] != a) {
        i--;
    }
    o->n_stack = i;
    if (i == 0) {
        if (!GROW(r, o->stack, o->n_stack, o->max_stack, MAX_ACTIVATIONS)) {
            return false;
        }
        o->stack[o->n_stack++] = a;
    }
    cwm_buf_addc(out, TRACE_RECORD_SWITCH);
    suite__put_number(out, r->activations[a].id);
    return true;
}

static void read_switch(struct reader *r)
{
    uint32_t a = record__get_below(&r->c, r->n_activations, "activation");
    size_t i = r->n_stack;

    if (r->c.damaged) {
        return;
    }
    while (i > 0 && r->stack[i - 1] != a) {
        i--;
    }
    if (i > 0) {
        r->n_stack = i;
    } else if (!r->activations[a].suspended) {
        record__damage(&r->c, "an activation is neither active nor suspended");
    } else if (GROW(r, r->stack, r->n_stack, r->max_stack, MAX_ACTIVATIONS)) {
        r->activations[a].suspended = false;
        r->stack[r->n_stack++] = a;
    }
}

/* The current activation; NONE: there is none. */
static uint32_t current(struct reader *r)
{
    if (r->n_stack == 0) {
        record__damage(&r->c, "an event without a call");
    }
    return r->c.damaged ? NONE : r->stack[r->n_stack - 1];
}

static void read_episode(struct reader *r)
{
    r->pending_func = get_func(r);
    r->pending_call = record__get_v(&r->c);
    r->pending = !r->c.damaged;
}

static bool start_episode(struct reader *r, uint32_t root)
{
    struct suite_stream *s = r->out;
    const struct suite_code *code = &s->codes[r->pending_func];
    struct suite_episode *e;
    static const char header[TRACE_SHARED_HEADER_BYTES];

    if (!GROW(r, s->episodes, s->n_episodes, s->max_episodes, MAX_EPISODES) ||
        !GROW(r, r->open, r->n_open, r->max_open, MAX_EPISODES)) {
        return false;
    }
    e = &s->episodes[s->n_episodes++];
    *e = (struct suite_episode){
        .path = s->paths[code->file].text,
        .path_len = s->paths[code->file].len,
        .qualname = code->qualname,
        .qualname_len = code->qualname_len,
        .first_line = code->first_line,
        .call = r->pending_call,
    };
    cwm_buf_init(&e->records, 2UL * SUITE_STREAM_BYTES);
    cwm_buf_add(&e->records, header, sizeof header);
    r->open[r->n_open++] = (struct open_episode){.root = root};
    r->pending = false;
    return true;
}

/* ---- events ---- */

/* n, then the entries; copied with the episode's names.  The definitions
 * come in front of the record, so the entries are gone through twice. */
static void copy_entries(struct reader *r, uint32_t episode,
                         struct cwm_buf *out)
{
    size_t start = r->c.at;
    uint64_t n = record__get_v(&r->c);

    if (n > r->c.stop - r->c.at) {
        record__damage(&r->c, "there are more entries than bytes");
    }
    for (uint64_t i = 0; i < n && !r->c.damaged; i++) {
        uint64_t tag = record__get_v(&r->c);

        if (tag >> 2 >= r->n_names) {
            record__damage(&r->c, "there is no such name");
        } else if (!out) {
            name_in(r, episode, (uint32_t)(tag >> 2));
        } else {
            suite__put_number(
                out, (uint64_t)name_in(r, episode, (uint32_t)(tag >> 2)) << 2 |
                         (tag & 3));
        }
        if (tag & 3) {
            struct record_text text = record__get_text(&r->c);

            if (out) {
                put_text(out, text_at(r, text), text.len);
            }
        }
    }
    if (!out && !r->c.damaged) {
        r->c.at = start;
    }
}

/* The way that the episode took, as a number. */
static void count_kind(struct reader *r, uint32_t episode, uint8_t type,
                       uint64_t line)
{
    uint64_t *kind = &r->out->episodes[episode].kind;

    *kind = (*kind ^ line << 16 ^ r->open[episode].n_stack << 8 ^ type) *
            0x9E3779B97F4A7C15u;
    *kind ^= *kind >> 29;
}

static void put_state(struct reader *r, uint32_t a, uint8_t type, uint64_t line)
{
    const struct activation *act = &r->activations[a];
    uint32_t episode = act->episode;
    uint32_t func = act->func;
    uint64_t place = line_of(r, func, line);
    struct cwm_buf *out = &r->out->episodes[episode].records;
    size_t n = out->len;

    count_kind(r, episode, type, line);
    copy_entries(r, episode, NULL);
    if (r->c.damaged) {
        return;
    }
    if (r->open[episode].is_over) {
        out->len = n; /* names alone: nobody needs them */
        out = NULL;
    }
    if (out && type == TRACE_RECORD_CALL) {
        func = func_in(r, episode, func);
        cwm_buf_addc(out, (char)type);
        suite__put_number(out, func);
        suite__put_number(out, act->id);
        suite__put_number(out, place);
    } else if (out) {
        cwm_buf_addc(out, (char)type);
        suite__put_number(out, place);
    }
    if (out) {
        size_t from = r->c.at;

        suite__put_number(out, record__get_v(&r->c));
        r->c.at = from;
        copy_entries(r, episode, out);
    } else {
        copy_entries(r, episode, NULL);
    }
}

/* A call of a new activation: of which episode? */
static void add_activation(struct reader *r, uint32_t func)
{
    uint32_t a = (uint32_t)r->n_activations;
    uint32_t episode = NONE;

    if (!GROW(r, r->activations, r->n_activations, r->max_activations,
              MAX_ACTIVATIONS)) {
        return;
    }
    if (r->pending && r->pending_func == func) {
        if (!start_episode(r, a)) {
            return;
        }
        episode = (uint32_t)r->n_open - 1;
    } else if (r->n_stack > 0) {
        uint32_t parent = r->stack[r->n_stack - 1];

        episode = r->activations[parent].episode;
        if (!make_current(r, parent)) {
            return;
        }
    } else {
        record__damage(&r->c, "a call of no episode");
        return;
    }
    r->activations[r->n_activations++] = (struct activation){
        episode, r->open[episode].n_activations++, func, false};
}

static void read_call(struct reader *r)
{
    uint32_t func = get_func(r);
    uint64_t id = record__get_v(&r->c);
    uint64_t line = record__get_v(&r->c);

    if (r->c.damaged) {
        return;
    }
    if (id == r->n_activations) {
        add_activation(r, func);
    } else if (id > r->n_activations || !r->activations[id].suspended ||
               r->activations[id].func != func) {
        record__damage(&r->c, "a call of an activation that is not suspended");
    } else if (r->n_stack > 0 &&
               r->activations[r->stack[r->n_stack - 1]].episode ==
                   r->activations[id].episode) {
        make_current(r, r->stack[r->n_stack - 1]);
    }
    if (!r->c.damaged && push(r, (uint32_t)id)) {
        put_state(r, (uint32_t)id, TRACE_RECORD_CALL, line);
    }
}

static void read_line(struct reader *r)
{
    uint64_t line = record__get_v(&r->c);
    uint32_t a = current(r);

    if (a != NONE && make_current(r, a)) {
        put_state(r, a, TRACE_RECORD_LINE, line);
    }
}

/* RETURN and EXCEPT. */
static void read_leave(struct reader *r, uint8_t type)
{
    uint64_t line = record__get_v(&r->c);
    uint8_t flags = record__get_u8(&r->c);
    struct record_text text = record__get_text(&r->c);
    uint32_t a = current(r);
    struct open_episode *o;

    if (a == NONE || !make_current(r, a)) {
        return;
    }
    o = &r->open[r->activations[a].episode];
    count_kind(r, r->activations[a].episode, type, line);
    line = line_of(r, r->activations[a].func, line);
    if (!o->is_over) {
        struct cwm_buf *out =
            &r->out->episodes[r->activations[a].episode].records;

        cwm_buf_addc(out, (char)type);
        suite__put_number(out, line);
        cwm_buf_addc(out, (char)flags);
        put_text(out, text_at(r, text), text.len);
    }
    if (type == TRACE_RECORD_EXCEPT) {
        return;
    }
    r->activations[a].suspended = (flags & TRACE_FLAG_SUSPENDED) != 0;
    r->n_stack--;
    o->n_stack -= o->n_stack > 0;
    if (a == o->root && !(flags & TRACE_FLAG_SUSPENDED)) {
        o->result = text;
        o->has_result = true;
        o->is_result_cut = (flags & TRACE_FLAG_CUT) != 0;
    }
}

/* END of the episode, from LEFT. */
static void read_left(struct reader *r)
{
    uint32_t id = record__get_below(&r->c, r->n_open, "episode");
    uint8_t reason = record__get_u8(&r->c);
    uint8_t flags = record__get_u8(&r->c) & TRACE_FLAG_EXCEPTION;
    struct record_text type = {0, 0};
    struct record_text message = {0, 0};
    struct open_episode *o;
    struct cwm_buf *out;

    if (flags) {
        type = record__get_text(&r->c);
        message = record__get_text(&r->c);
    }
    if (r->c.damaged || r->open[id].is_over) {
        return;
    }
    o = &r->open[id];
    out = &r->out->episodes[id].records;
    o->is_over = true;
    if (reason == TRACE_END_OK && o->has_result) {
        flags |= TRACE_FLAG_RESULT;
        flags |= o->is_result_cut ? TRACE_FLAG_CUT : 0;
    }
    cwm_buf_addc(out, TRACE_RECORD_END);
    cwm_buf_addc(out, (char)reason);
    cwm_buf_addc(out, (char)flags);
    if (flags & TRACE_FLAG_RESULT) {
        put_text(out, text_at(r, o->result), o->result.len);
    }
    if (flags & TRACE_FLAG_EXCEPTION) {
        put_text(out, text_at(r, type), type.len);
        put_text(out, text_at(r, message), message.len);
    }
    if (out->failed == CWM_OK) {
        suite__put_header(out, 0);
        r->out->episodes[id].complete = true;
    }
}

/* One record; false: the end. */
static bool read_record(struct reader *r)
{
    uint8_t type = record__get_u8(&r->c);

    switch (type) {
    case TRACE_RECORD_NAME:
        read_name(r);
        break;
    case TRACE_RECORD_FUNC:
        read_func(r);
        break;
    case SUITE_RECORD_CODE:
        read_code(r);
        break;
    case SUITE_RECORD_EPISODE:
        read_episode(r);
        break;
    case SUITE_RECORD_LEFT:
        read_left(r);
        break;
    case SUITE_RECORD_TELL:
        read_tell(r);
        break;
    case TRACE_RECORD_CALL:
        read_call(r);
        break;
    case TRACE_RECORD_LINE:
        read_line(r);
        break;
    case TRACE_RECORD_RETURN:
    case TRACE_RECORD_EXCEPT:
        read_leave(r, type);
        break;
    case TRACE_RECORD_SWITCH:
        read_switch(r);
        break;
    case TRACE_RECORD_END:
        return false;
    default:
        record__damage(&r->c, "a record of type %u", type);
        break;
    }
    return !r->c.damaged && r->c.at < r->c.stop;
}

static void release(struct reader *r)
{
    for (size_t i = 0; i < r->n_open; i++) {
        cwm_free(r->open[i].names.ids);
        cwm_free(r->open[i].funcs.ids);
        cwm_free(r->open[i].stack);
    }
    cwm_free(r->open);
    cwm_free(r->names);
    cwm_free(r->activations);
    cwm_free(r->stack);
    cwm_free(r->places);
}

enum cwm_rc suite_stream_read(const uint8_t *shared, size_t len,
                              struct suite_stream *ret, struct cwm_err *err)
{
    struct reader r = {.out = ret};
    uint64_t committed = 0;

    memset(ret, 0, sizeof *ret);
    if (len < TRACE_SHARED_HEADER_BYTES ||
        memcmp(shared, TRACE_SHARED_MAGIC, 8) != 0) {
        ret->damaged = true;
        return CWM_OK;
    }
    for (int i = 7; i >= 0; i--) {
        committed = committed << 8 | shared[8 + i];
    }
    if (committed > len - TRACE_SHARED_HEADER_BYTES ||
        committed > UINT32_MAX / 2) {
        ret->damaged = true;
        return CWM_OK;
    }
    r.c.data = shared;
    r.c.at = TRACE_SHARED_HEADER_BYTES;
    r.c.stop = TRACE_SHARED_HEADER_BYTES + (size_t)committed;
    while (r.c.at < r.c.stop && read_record(&r)) {
    }
    ret->damaged = r.c.damaged;
    for (size_t i = 0; i < ret->n_episodes; i++) {
        r.short_of_memory |= ret->episodes[i].records.failed == CWM_NOMEM;
    }
    release(&r);
    if (r.short_of_memory) {
        suite_stream_release(ret);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a run's episodes");
    }
    return CWM_OK;
}
