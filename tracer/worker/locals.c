/* SPDX-License-Identifier: MIT */
/* locals.c -- the locals of an activation, diffed and written. */
#include "tracer/worker/locals.h"

#include <string.h>

#include "cwm/base/alloc.h"

/* Longest a count of entries gets (a u32 as LEB128), and an entry's tag. */
#define COUNT_BYTES 5u
#define TAG_BYTES   5u

/* ---- names ---- */

struct name_entry {
    Py_hash_t hash;
    const uint8_t *text; /* borrowed from the stream */
    size_t len;
    uint32_t id; /* SCOPE_NO_ID: an empty place */
};

struct name_table {
    struct name_entry *entries; /* owned: open addressing, a power of two */
    size_t n_entries;
    uint32_t n_names;
};

static struct name_table *name_table_new(size_t n_entries)
{
    struct name_table *t = cwm_calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->entries = cwm_malloc(n_entries * sizeof(*t->entries));
    if (!t->entries) {
        cwm_free(t);
        return NULL;
    }
    t->n_entries = n_entries;
    for (size_t i = 0; i < n_entries; i++)
        t->entries[i].id = SCOPE_NO_ID;
    return t;
}

static void name_table_free(struct name_table *t)
{
    if (!t)
        return;
    cwm_free(t->entries);
    cwm_free(t);
}

static bool name_table_grow(struct name_table *t)
{
    size_t n = 2 * t->n_entries;
    struct name_entry *bigger = cwm_malloc(n * sizeof(*bigger));
    if (!bigger)
        return false;
    for (size_t i = 0; i < n; i++)
        bigger[i].id = SCOPE_NO_ID;
    for (size_t k = 0; k < t->n_entries; k++) {
        if (t->entries[k].id == SCOPE_NO_ID)
            continue;
        size_t i = (size_t)t->entries[k].hash & (n - 1);
        while (bigger[i].id != SCOPE_NO_ID)
            i = (i + 1) & (n - 1);
        bigger[i] = t->entries[k];
    }
    cwm_free(t->entries);
    t->entries = bigger;
    t->n_entries = n;
    return true;
}

/* The id of a text, defined in the stream when it is new. */
static enum locals_result name_id_of_text(struct locals_writer *w,
                                          Py_hash_t hash, const char *text,
                                          size_t len, uint32_t *ret_id)
{
    struct name_table *t = w->names;
    if (2 * (size_t)(t->n_names + 1) > t->n_entries && !name_table_grow(t))
        return LOCALS_NOMEM;
    size_t i = (size_t)hash & (t->n_entries - 1);
    while (t->entries[i].id != SCOPE_NO_ID) {
        const struct name_entry *e = &t->entries[i];
        if (e->hash == hash && e->len == len && !memcmp(e->text, text, len)) {
            *ret_id = e->id;
            return LOCALS_OK;
        }
        i = (i + 1) & (t->n_entries - 1);
    }
    if (!record_define(w->records, TRACE_RECORD_NAME, text, len))
        return LOCALS_FULL;
    t->entries[i] =
        (struct name_entry){hash, w->records->at - len, len, t->n_names++};
    *ret_id = t->entries[i].id;
    return LOCALS_OK;
}

/* `name` is a str that is or was a dict's key: its hash is known. */
static enum locals_result name_id(struct locals_writer *w, PyObject *name,
                                  uint32_t *ret_id)
{
    Py_hash_t hash = PyObject_Hash(name);
    if (PyUnicode_IS_COMPACT_ASCII(name))
        return name_id_of_text(w, hash, PyUnicode_DATA(name),
                               (size_t)PyUnicode_GET_LENGTH(name), ret_id);
    size_t len;
    char *text = scope_text(name, &len);
    if (!text)
        return LOCALS_NOMEM;
    enum locals_result rc = name_id_of_text(w, hash, text, len, ret_id);
    cwm_free(text);
    return rc;
}

/* ---- activations ---- */

bool locals_writer_init(struct locals_writer *w, struct record_writer *records,
                        struct value_writer *values,
                        const struct scope_table *scopes,
                        size_t max_value_bytes)
{
    *w = (struct locals_writer){0};
    w->records = records;
    w->values = values;
    w->scopes = scopes;
    w->max_value_bytes = max_value_bytes;
    w->names = name_table_new(256);
    w->scratch = cwm_malloc(max_value_bytes + 4);
    return w->names && w->scratch;
}

void locals_writer_release(struct locals_writer *w)
{
    name_table_free(w->names);
    cwm_free(w->scratch);
    *w = (struct locals_writer){0};
}

static bool activation_grow(struct activation *a, uint32_t n)
{
    if (n <= a->n_locals)
        return true;
    if (n < 2 * a->n_locals)
        n = 2 * a->n_locals;
    PyObject **values = cwm_realloc(a->values, n, sizeof(*values));
    if (!values)
        return false;
    a->values = values;
    struct local *locals = cwm_realloc(a->locals, n, sizeof(*locals));
    if (!locals)
        return false;
    memset(locals + a->n_locals, 0, (n - a->n_locals) * sizeof(*locals));
    a->locals = locals;
    uint32_t *bound = cwm_realloc(a->bound, n, sizeof(*bound));
    if (!bound)
        return false;
    a->bound = bound;
    a->n_locals = n;
    return true;
}

struct activation *activation_new(struct scope *scope, PyFrameObject *frame,
                                  uint64_t id)
{
    struct activation *a = scope->spare;
    if (a) {
        scope->spare = a->next;
    } else {
        a = cwm_calloc(1, sizeof(*a));
        if (!a || !activation_grow(a, scope->n_slots + 8)) {
            activation_free(a);
            return NULL;
        }
    }
    a->scope = scope;
    a->frame = frame;
    a->next = NULL;
    a->id = id;
    a->last_line = 0;
    a->is_counted = false;
    a->n_bound = 0;
    if (!scope->is_namespace) {
        for (uint32_t i = 0; i < scope->n_slots; i++) {
            a->bound[i] = i;
            a->locals[i].text = NULL;
            a->locals[i].snapshot.type = NULL;
            shadow_clear(&a->locals[i].shadow);
        }
    }
    return a;
}

void activation_retire(struct activation *a)
{
    a->next = a->scope->spare;
    a->scope->spare = a;
}

static struct activation **suspended_chain(struct suspended *s,
                                           const PyFrameObject *frame)
{
    return &s->chains[((uintptr_t)frame >> 4) % SUSPENDED_CHAINS];
}

struct activation *suspended_take(struct suspended *s,
                                  const PyFrameObject *frame)
{
    struct activation **link = suspended_chain(s, frame);
    while (*link && (*link)->frame != frame)
        link = &(*link)->next;
    struct activation *a = *link;
    if (a)
        *link = a->next;
    return a;
}

void suspended_put(struct suspended *s, struct activation *a)
{
    struct activation **chain = suspended_chain(s, a->frame);
    a->next = *chain;
    *chain = a;
}

void activation_free(struct activation *a)
{
    if (!a)
        return;
    for (uint32_t i = 0; i < a->n_locals; i++)
        shadow_release(&a->locals[i].shadow);
    cwm_free(a->bound);
    cwm_free(a->values);
    cwm_free(a->locals);
    cwm_free(a);
}

struct activation *activation_next_spare(struct activation *a)
{
    return a->next;
}

/* ---- function scopes ---- */

static PyObject *slot_value(PyFrameObject *frame,
                            const struct pyframe_slot_info *slot)
{
    PyObject *value = pyframe_slot(frame, slot->index);
    if (slot->kind == PYFRAME_LOCAL)
        return value;
    if (!(slot->kind & PYFRAME_CELL))
        return slot->kind ? value : NULL;
    return value && PyCell_Check(value) ? PyCell_GET(value) : value;
}

/* Rare: a name came or went.  Keeps the order of those that stay; unbound
 * slots stand behind, in the code's order. */
static void reorder(struct activation *a)
{
    uint32_t n = a->scope->n_slots;
    uint32_t n_bound = 0;
    for (uint32_t i = 0; i < a->n_bound; i++) {
        uint32_t slot = a->bound[i];
        if (a->values[slot])
            a->bound[n_bound++] = slot;
    }
    for (uint32_t slot = 0; slot < n; slot++) {
        if (!a->values[slot])
            continue;
        uint32_t i = 0;
        while (i < n_bound && a->bound[i] != slot)
            i++;
        if (i == n_bound) {
            a->locals[slot].text = NULL;
            a->locals[slot].snapshot.type = NULL;
            shadow_clear(&a->locals[slot].shadow);
            a->bound[n_bound++] = slot;
        }
    }
    a->n_bound = n_bound;
    for (uint32_t slot = 0, i = n_bound; slot < n; slot++) {
        if (!a->values[slot])
            a->bound[i++] = slot;
    }
}

static void observe_slots(struct activation *a, PyFrameObject *frame)
{
    const struct scope *s = a->scope;
    uint32_t n = s->n_slots;
    uint32_t n_bound = a->n_bound;
    bool is_same = true;
    for (uint32_t i = 0; i < n; i++)
        a->values[i] = slot_value(frame, &s->slots[i]);
    for (uint32_t i = 0; i < n; i++)
        is_same &= (a->values[a->bound[i]] != NULL) == (i < n_bound);
    if (!is_same)
        reorder(a);
}

static enum locals_result define_slot_names(struct locals_writer *w,
                                            struct activation *a)
{
    struct scope *s = a->scope;
    for (uint32_t i = 0; i < a->n_bound; i++) {
        uint32_t slot = a->bound[i];
        if (s->name_ids[slot] != SCOPE_NO_ID)
            continue;
        enum locals_result rc =
            name_id(w, s->slots[slot].name, &s->name_ids[slot]);
        if (rc != LOCALS_OK)
            return rc;
    }
    return LOCALS_OK;
}

/* ---- namespaces ---- */

/* A class that the program's text made. */
static bool is_program_class(PyObject *value)
{
    if (!PyType_Check(value))
        return false;
    PyTypeObject *type = (PyTypeObject *)value;
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE) || !type->tp_dict)
        return false;
    PyObject *key;
    PyObject *module;
    Py_ssize_t at = 0;
    while (PyDict_Next(type->tp_dict, &at, &key, &module)) {
        if (PyUnicode_CheckExact(key) &&
            PyUnicode_CompareWithASCIIString(key, "__module__") == 0)
            return PyUnicode_CheckExact(module) &&
                   PyUnicode_CompareWithASCIIString(module, "__main__") == 0;
    }
    return false;
}

/* TRACE_FORMAT section 1: what a script's state leaves out. */
static bool is_left_out(const struct locals_writer *w, PyObject *name,
                        PyObject *value)
{
    Py_ssize_t n = PyUnicode_GET_LENGTH(name);
    if (n > 4 && PyUnicode_READ_CHAR(name, 0) == '_' &&
        PyUnicode_READ_CHAR(name, 1) == '_' &&
        PyUnicode_READ_CHAR(name, n - 1) == '_' &&
        PyUnicode_READ_CHAR(name, n - 2) == '_')
        return true;
    if (PyModule_Check(value))
        return true;
    if (PyFunction_Check(value))
        return scope_find(w->scopes,
                          (PyCodeObject *)PyFunction_GET_CODE(value)) != NULL;
    return is_program_class(value);
}

struct namespace_walk {
    struct locals_writer *w;
    struct activation *a;
    uint32_t n;       /* names shown so far */
    uint32_t n_known; /* of the previous event */
};

static enum locals_result show_name(struct namespace_walk *walk, PyObject *name,
                                    PyObject *value)
{
    struct activation *a = walk->a;
    uint32_t id;
    if (!PyUnicode_CheckExact(name) ||
        (a->scope->is_module && is_left_out(walk->w, name, value)))
        return LOCALS_OK;
    enum locals_result rc = name_id(walk->w, name, &id);
    if (rc != LOCALS_OK)
        return rc;
    if (!activation_grow(a, walk->n_known + walk->n + 2))
        return LOCALS_NOMEM;
    uint32_t at = walk->n++;
    a->values[at] = value;
    uint32_t k = at;
    while (k < walk->n_known && a->locals[k].name_id != id)
        k++;
    if (k == at && k < walk->n_known)
        return LOCALS_OK;
    /* A new name, or one that stood further back: it takes this place. */
    struct local known = {.name_id = id};
    if (k < walk->n_known)
        known = a->locals[k];
    else
        shadow_release(&a->locals[walk->n_known++].shadow);
    memmove(&a->locals[at + 1], &a->locals[at], (k - at) * sizeof(known));
    a->locals[at] = known;
    return LOCALS_OK;
}

/* An inlined comprehension's variable hides the namespace's of that name. */
static enum locals_result show_hidden(struct namespace_walk *walk,
                                      PyFrameObject *frame)
{
    struct activation *a = walk->a;
    const struct scope *s = a->scope;
    for (uint32_t i = 0; i < s->n_slots; i++) {
        if (!(s->slots[i].kind & PYFRAME_HIDDEN))
            continue;
        PyObject *value = slot_value(frame, &s->slots[i]);
        if (!value)
            continue;
        uint32_t id;
        enum locals_result rc = name_id(walk->w, s->slots[i].name, &id);
        if (rc != LOCALS_OK)
            return rc;
        uint32_t k = 0;
        while (k < walk->n && a->locals[k].name_id != id)
            k++;
        if (k < walk->n)
            a->values[k] = value;
        else if ((rc = show_name(walk, s->slots[i].name, value)) != LOCALS_OK)
            return rc;
    }
    return LOCALS_OK;
}

/*
 * A namespace's order is its own: a dict keeps the order of binding, and a
 * name deleted and bound again goes to its end.  A mapping that is no dict
 * (from a metaclass's __prepare__) could run code when read: nothing is shown.
 */
static enum locals_result observe_namespace(struct locals_writer *w,
                                            struct activation *a,
                                            PyFrameObject *frame)
{
    struct namespace_walk walk = {w, a, 0, a->n_bound};
    PyObject *names = pyframe_namespace(frame);
    enum locals_result rc = LOCALS_OK;
    if (names && PyDict_Check(names)) {
        PyObject *name;
        PyObject *value;
        Py_ssize_t at = 0;
        while (rc == LOCALS_OK && PyDict_Next(names, &at, &name, &value))
            rc = show_name(&walk, name, value);
    }
    if (rc == LOCALS_OK)
        rc = show_hidden(&walk, frame);
    a->n_bound = walk.n;
    return rc;
}

/* ---- writing ---- */

bool locals_observe(struct locals_writer *w, struct activation *a,
                    PyFrameObject *frame)
{
    (void)w;
    if (!a->scope->is_namespace)
        observe_slots(a, frame);
    return true;
}

enum locals_result locals_prepare(struct locals_writer *w, struct activation *a,
                                  PyFrameObject *frame)
{
    if (a->scope->is_namespace)
        return observe_namespace(w, a, frame);
    observe_slots(a, frame);
    return define_slot_names(w, a);
}

/*
 * Renders at the writer's place when there is room for the longest text, else
 * in the scratch memory.  `prefix` bytes are left free in front.
 */
static const uint8_t *render(struct locals_writer *w, PyObject *value,
                             size_t prefix, size_t *ret_len, bool *ret_cut)
{
    size_t room = w->max_value_bytes + 4;
    uint8_t *place = w->scratch;
    if (record_space(w->records) > room + prefix)
        place = w->records->at + prefix;
    *ret_len = value_render(w->values, value, place, room, ret_cut);
    return place;
}

/* Puts length and text at the writer's place; NULL: no room. */
static const uint8_t *put_text(struct locals_writer *w, const uint8_t *text,
                               size_t len)
{
    size_t n = record_number_bytes(len);
    if (record_space(w->records) < n || record_space(w->records) - n < len)
        return NULL;
    uint8_t *at = w->records->at;
    if (text != at + n)
        memmove(at + n, text, len);
    record_put_number(at, len);
    w->records->at = at + n + len;
    return at + n;
}

bool locals_put_value(struct locals_writer *w, PyObject *value,
                      const uint8_t **ret_text, size_t *ret_len, bool *ret_cut)
{
    const uint8_t *text = render(w, value, 1, ret_len, ret_cut);
    *ret_text = put_text(w, text, *ret_len);
    return *ret_text != NULL;
}

/* The value is not surely the same: render it and compare the texts. */
static bool write_changed(struct locals_writer *w, struct local *local,
                          uint64_t tag, PyObject *value)
{
    struct record_writer *r = w->records;
    size_t tag_bytes = record_number_bytes(tag);
    size_t len;
    bool is_cut;
    const uint8_t *text = render(w, value, tag_bytes + 1, &len, &is_cut);
    value_snapshot(w->values, value, &local->snapshot);
    shadow_clear(&local->shadow);
    if (local->text && local->text_len == len && local->is_cut == is_cut &&
        memcmp(local->text, text, len) == 0) {
        /* It was rendered in vain: next time it may be seen faster. */
        if (!local->snapshot.type)
            shadow_take(&local->shadow, w->values, value);
        r->at = record_put_number(r->at, tag | TRACE_ENTRY_SAME);
        return true;
    }
    r->at = record_put_number(
        r->at, tag | (is_cut ? TRACE_ENTRY_CUT : TRACE_ENTRY_TEXT));
    local->text = put_text(w, text, len);
    local->text_len = len;
    local->is_cut = is_cut;
    return local->text != NULL;
}

enum locals_result locals_write(struct locals_writer *w, struct activation *a)
{
    struct record_writer *r = w->records;
    bool is_namespace = a->scope->is_namespace;
    uint32_t n = a->n_bound;
    if (record_space(r) < COUNT_BYTES)
        return LOCALS_FULL;
    r->at = record_put_number(r->at, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t slot = is_namespace ? i : a->bound[i];
        struct local *local = &a->locals[slot];
        PyObject *value = a->values[slot];
        uint64_t id = is_namespace ? local->name_id : a->scope->name_ids[slot];
        if (record_space(r) < TAG_BYTES)
            return LOCALS_FULL;
        if (local->text && (value_same(w->values, value, &local->snapshot) ||
                            shadow_matches(&local->shadow, w->values, value)))
            r->at = record_put_number(r->at, id << 2 | TRACE_ENTRY_SAME);
        else if (!write_changed(w, local, id << 2, value))
            return LOCALS_FULL;
    }
    return LOCALS_OK;
}

bool locals_define_scope(struct locals_writer *w, struct scope *scope,
                         uint32_t *n_scopes)
{
    if (!record_define(w->records, TRACE_RECORD_FUNC, scope->qualname,
                       scope->qualname_len))
        return false;
    scope->func_id = (*n_scopes)++;
    return true;
}
