/* SPDX-License-Identifier: MIT */
/* scope.c -- find the program's code objects and name them. */
#include "tracer/worker/scope.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/utf8.h"
#include "tracer/worker/locals.h"

/* Open addressing stays at most half full. */
#define FIRST_SLOTS 64u

char *scope_text(PyObject *str, size_t *ret_len)
{
    Py_ssize_t n = PyUnicode_GET_LENGTH(str);
    int kind = (int)PyUnicode_KIND(str);
    const void *data = PyUnicode_DATA(str);
    char *text = cwm_malloc((size_t)n * 4 + 1);
    if (!text)
        return NULL;
    size_t len = 0;
    for (Py_ssize_t i = 0; i < n; i++)
        len += cwm_utf8_encode(PyUnicode_READ(kind, data, i), text + len);
    text[len] = '\0';
    *ret_len = len;
    return text;
}

static bool table_grow(struct scope_table *t)
{
    size_t n = t->n_slots ? 2 * t->n_slots : FIRST_SLOTS;
    struct scope_table bigger = {cwm_calloc(n, sizeof(struct scope *)), n,
                                 t->n_used};
    if (!bigger.slots)
        return false;
    for (size_t k = 0; k < t->n_slots; k++) {
        if (!t->slots[k])
            continue;
        const PyCodeObject *code = t->slots[k]->code;
        size_t i = ((uintptr_t)code >> 5) * 0x9E3779B97F4A7C15u >> 40 & (n - 1);
        while (bigger.slots[i])
            i = (i + 1) & (n - 1);
        bigger.slots[i] = t->slots[k];
    }
    cwm_free(t->slots);
    *t = bigger;
    return true;
}

static void scope_free(struct scope *s)
{
    if (!s)
        return;
    while (s->spare) {
        struct activation *a = s->spare;
        s->spare = activation_next_spare(a);
        activation_free(a);
    }
    cwm_free(s->qualname);
    cwm_free(s->slots);
    cwm_free(s->name_ids);
    cwm_free(s);
}

#if PY_VERSION_HEX >= 0x030B0000
static bool set_qualname(struct scope *s, const struct scope *outer)
{
    (void)outer;
    s->qualname = scope_text(s->code->co_qualname, &s->qualname_len);
    return s->qualname != NULL;
}
#else
/* "outer.<locals>.inner" and "Class.method", as the compiler makes them. */
static bool set_qualname(struct scope *s, const struct scope *outer)
{
    size_t name_len;
    char *name = scope_text(s->code->co_name, &name_len);
    if (!name)
        return false;
    const char *between = "";
    if (outer && !outer->is_module)
        between = outer->is_namespace ? "." : ".<locals>.";
    size_t outer_len = outer && !outer->is_module ? outer->qualname_len : 0;
    size_t between_len = strlen(between);
    s->qualname_len = outer_len + between_len + name_len;
    s->qualname = cwm_malloc(s->qualname_len + 1);
    if (s->qualname) {
        if (outer_len)
            memcpy(s->qualname, outer->qualname, outer_len);
        memcpy(s->qualname + outer_len, between, between_len);
        memcpy(s->qualname + outer_len + between_len, name, name_len + 1);
    }
    cwm_free(name);
    return s->qualname != NULL;
}
#endif

struct scope *scope_new(PyCodeObject *code, const struct scope *outer)
{
    uint32_t max = pyframe_max_slots(code);
    struct scope *s = cwm_calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->code = code;
    s->func_id = SCOPE_NO_ID;
    s->is_namespace =
        !(code->co_flags & CO_NEWLOCALS) || !(code->co_flags & CO_OPTIMIZED);
    s->is_module = outer == NULL;
    s->slots = cwm_calloc(max ? max : 1, sizeof(*s->slots));
    s->name_ids = cwm_calloc(max ? max : 1, sizeof(*s->name_ids));
    if (!s->slots || !s->name_ids || !set_qualname(s, outer)) {
        scope_free(s);
        return NULL;
    }
    s->n_slots = pyframe_describe(code, s->slots);
    for (uint32_t i = 0; i < s->n_slots; i++)
        s->name_ids[i] = SCOPE_NO_ID;
    return s;
}

/* Depth is bounded by the compiler's own bound on nested blocks. */
static bool add_code(struct scope_table *t, PyCodeObject *code, /* NOLINT */
                     const struct scope *outer)
{
    if (2 * (t->n_used + 1) > t->n_slots && !table_grow(t))
        return false;
    if (scope_find(t, code))
        return true;
    struct scope *s = scope_new(code, outer);
    if (!s)
        return false;
    size_t mask = t->n_slots - 1;
    size_t i = ((uintptr_t)code >> 5) * 0x9E3779B97F4A7C15u >> 40 & mask;
    while (t->slots[i])
        i = (i + 1) & mask;
    t->slots[i] = s;
    t->n_used++;
    PyObject *consts = code->co_consts;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(consts); k++) {
        PyObject *item = PyTuple_GET_ITEM(consts, k);
        if (PyCode_Check(item) && !add_code(t, (PyCodeObject *)item, s))
            return false;
    }
    return true;
}

bool scope_table_init(struct scope_table *t, PyCodeObject *code)
{
    *t = (struct scope_table){0};
    return table_grow(t) && add_code(t, code, NULL);
}

void scope_table_release(struct scope_table *t)
{
    for (size_t i = 0; i < t->n_slots; i++)
        scope_free(t->slots[i]);
    cwm_free(t->slots);
    *t = (struct scope_table){0};
}

size_t scope_mark_entries(const struct scope_table *t, const char *qualname,
                          size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_slots; i++) {
        struct scope *s = t->slots[i];
        if (!s || s->is_namespace || s->qualname_len != len ||
            memcmp(s->qualname, qualname, len) != 0)
            continue;
        s->is_entry = true;
        n++;
    }
    return n;
}

void scope_mark_only(const struct scope_table *t, const struct scope *only)
{
    for (size_t i = 0; i < t->n_slots; i++)
        if (t->slots[i] && t->slots[i] != only)
            t->slots[i]->is_entry = false;
}

int scope_entry_flags(const struct scope_table *t)
{
    int flags = 0;
    for (size_t i = 0; i < t->n_slots; i++)
        if (t->slots[i] && t->slots[i]->is_entry)
            flags |= t->slots[i]->code->co_flags;
    return flags;
}
