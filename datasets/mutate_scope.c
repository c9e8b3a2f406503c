/* SPDX-License-Identifier: MIT */
/*
 * mutate_scope.c -- names of one function: renamed, or used for each other.
 *
 * A rename changes every place in the function's text at which the name
 * stands as a variable, the functions and comprehensions inside it included,
 * and takes a name that stands nowhere in the program.  So it is exact,
 * whatever binds the name where, but for what the text does not show: names
 * that are parameters (keywords of calls elsewhere), global or nonlocal, or
 * imported, and functions that look at their variables by name (locals(),
 * eval()); these are left alone.
 */
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/mutate_internal.h"

#define MAX_USES  4096
#define MAX_NAMES 64

enum role {
    ROLE_LOAD = 1u << 0,
    ROLE_BIND = 1u << 1,  /* assigned, a loop's target */
    ROLE_PARAM = 1u << 2, /* of this function or one inside */
    ROLE_FIXED = 1u << 3, /* global, imported, deleted, a keyword's name */
    ROLE_OWN_PARAM = 1u << 4
};

struct use {
    uint32_t start, end;
    uint16_t name;
    uint8_t role;
};

struct name {
    uint32_t start, len; /* where it stands first */
    unsigned roles;      /* of all its uses */
};

struct scope {
    struct mutator *m;
    TSNode function;
    struct use *uses; /* owned: MAX_USES */
    size_t n_uses;
    struct name names[MAX_NAMES];
    unsigned n_names;
    bool is_strange; /* looks at itself by name, or is too large */
};

static bool is_field(TSNode parent, const char *field, TSNode node)
{
    TSNode child = mutate__field(parent, field);

    return !ts_node_is_null(child) && ts_node_eq(child, node);
}

/* What an identifier does where it stands. */
static unsigned role_of(TSNode node, TSNode parent, TSNode function)
{
    if (mutate__is(parent, "attribute") &&
        is_field(parent, "attribute", node)) {
        return 0;
    }
    if (mutate__is(parent, "keyword_argument") &&
        is_field(parent, "name", node)) {
        return ROLE_FIXED;
    }
    if (mutate__is(parent, "function_definition") ||
        mutate__is(parent, "class_definition") ||
        mutate__is(parent, "dotted_name") ||
        mutate__is(parent, "aliased_import") ||
        mutate__is(parent, "global_statement") ||
        mutate__is(parent, "nonlocal_statement")) {
        return ROLE_FIXED;
    }
    if (mutate__is(parent, "parameters") ||
        mutate__is(parent, "lambda_parameters") ||
        mutate__is(parent, "default_parameter") ||
        mutate__is(parent, "typed_parameter") ||
        mutate__is(parent, "typed_default_parameter") ||
        mutate__is(parent, "list_splat_pattern") ||
        mutate__is(parent, "dictionary_splat_pattern")) {
        TSNode list = parent;

        if (is_field(parent, "value", node)) {
            return ROLE_LOAD;
        }
        while (!ts_node_is_null(list) && !mutate__is(list, "parameters") &&
               !mutate__is(list, "lambda_parameters") &&
               !mutate__is(list, "block")) {
            list = ts_node_parent(list);
        }
        if (ts_node_is_null(list) || mutate__is(list, "block")) {
            return ROLE_BIND; /* a, *b = ... */
        }
        return ts_node_eq(ts_node_parent(list), function)
                   ? ROLE_PARAM | ROLE_OWN_PARAM
                   : ROLE_PARAM;
    }
    if (mutate__is(parent, "pattern_list") ||
        mutate__is(parent, "tuple_pattern") ||
        mutate__is(parent, "list_pattern") ||
        mutate__is(parent, "as_pattern_target")) {
        return ROLE_BIND;
    }
    if ((mutate__is(parent, "assignment") ||
         mutate__is(parent, "augmented_assignment") ||
         mutate__is(parent, "for_statement") ||
         mutate__is(parent, "for_in_clause")) &&
        is_field(parent, "left", node)) {
        return ROLE_BIND;
    }
    if (mutate__is(parent, "named_expression") &&
        is_field(parent, "name", node)) {
        return ROLE_BIND;
    }
    return ROLE_LOAD;
}

static int name_index(struct scope *s, TSNode node)
{
    const char *text = mutate__text(s->m, node);
    uint32_t len = mutate__len(node);

    for (unsigned i = 0; i < s->n_names; i++) {
        if (s->names[i].len == len &&
            memcmp(s->m->text + s->names[i].start, text, len) == 0) {
            return (int)i;
        }
    }
    if (s->n_names == MAX_NAMES) {
        return -1;
    }
    s->names[s->n_names] =
        (struct name){.start = ts_node_start_byte(node), .len = len};
    return (int)s->n_names++;
}

static void note_use(struct scope *s, TSNode node)
{
    static const char *const strange[] = {"locals", "eval",    "exec",
                                          "vars",   "globals", "dir"};
    TSNode parent = ts_node_parent(node);
    unsigned role;
    int name;

    if (ts_node_is_null(parent)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
        s->is_strange =
            s->is_strange || mutate__has_text(s->m, node, strange[i]);
    }
    role = role_of(node, parent, s->function);
    if (role == 0) {
        return;
    }
    name = name_index(s, node);
    if (name < 0 || s->n_uses == MAX_USES) {
        s->is_strange = true;
        return;
    }
    s->names[name].roles |= role;
    s->uses[s->n_uses++] = (struct use){.start = ts_node_start_byte(node),
                                        .end = ts_node_end_byte(node),
                                        .name = (uint16_t)name,
                                        .role = (uint8_t)role};
}

/* Patterns that bind as well, names that become attributes or text. */
static bool is_strange_node(TSNode node)
{
    if (mutate__is(node, "interpolation")) { /* f"{x=}" */
        uint32_t n = ts_node_child_count(node);

        for (uint32_t i = 0; i < n; i++) {
            if (mutate__is(ts_node_child(node, i), "=")) {
                return true;
            }
        }
    }
    return mutate__is(node, "match_statement") ||
           mutate__is(node, "class_definition");
}

static void collect(struct scope *s)
{
    TSTreeCursor at = ts_tree_cursor_new(s->function);
    uint32_t depth = 0;
    bool going = true;

    while (going && !s->is_strange) {
        TSNode node = ts_tree_cursor_current_node(&at);

        if (mutate__is(node, "identifier")) {
            note_use(s, node);
        } else if (is_strange_node(node)) {
            s->is_strange = true;
        }
        if (ts_tree_cursor_goto_first_child(&at)) {
            depth++;
            continue;
        }
        while (depth > 0 && !ts_tree_cursor_goto_next_sibling(&at)) {
            ts_tree_cursor_goto_parent(&at);
            depth--;
        }
        going = depth > 0;
    }
    ts_tree_cursor_delete(&at);
}

/* A word that stands nowhere in the program, not even in a comment. */
static const char *fresh_name(struct mutator *m)
{
    static const char *const names[] = {
        "amount",  "bucket", "cursor", "draft",  "extent", "figure", "gauge",
        "handle",  "intake", "joint",  "kernel", "ledger", "marker", "notch",
        "outcome", "parcel", "quote",  "record", "sample", "tally",  "unit",
        "volume",  "wedge",  "yield_", "zone",   "aux",    "tmp",    "buf",
        "var1",    "res",    "p0",     "q1",     "r2",     "s3"};
    uint32_t at = mutate__pick(m, ARRAY_LEN(names));

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *name = names[(at + i) % ARRAY_LEN(names)];

        if (!strstr(m->text, name)) {
            return name;
        }
    }
    return NULL;
}

static void rename_one(struct scope *s, unsigned name)
{
    const struct use *first = NULL;
    const char *to = fresh_name(s->m);
    struct cwm_buf text;
    uint32_t at = 0;

    if (!to) {
        return;
    }
    cwm_buf_init(&text, MUTATE_MAX_TEXTS);
    for (size_t i = 0; i < s->n_uses; i++) {
        const struct use *use = &s->uses[i];

        if (use->name != name) {
            continue;
        }
        if (first) {
            cwm_buf_add(&text, s->m->text + at, use->start - at);
        } else {
            first = use;
        }
        cwm_buf_adds(&text, to);
        at = use->end;
    }
    if (text.failed != CWM_OK) {
        s->m->failed = CWM_NOMEM;
    } else if (first) {
        mutate__add(s->m, MUTATE_RENAME, first->start, at, text.data, text.len);
    }
    cwm_buf_release(&text);
}

/* One use of a variable becomes another one's. */
static void exchange(struct scope *s)
{
    unsigned others[MAX_NAMES];
    unsigned n = 0;

    for (unsigned i = 0; i < s->n_names; i++) {
        if (s->names[i].roles & (ROLE_BIND | ROLE_OWN_PARAM)) {
            others[n++] = i;
        }
    }
    for (size_t i = 0; i < s->n_uses && n > 1; i++) {
        const struct use *use = &s->uses[i];
        const struct name *to = &s->names[others[mutate__pick(s->m, n)]];

        if (use->role == ROLE_LOAD &&
            (s->names[use->name].roles & (ROLE_BIND | ROLE_OWN_PARAM)) &&
            to != &s->names[use->name]) {
            mutate__add(s->m, MUTATE_VARIABLE, use->start, use->end,
                        s->m->text + to->start, to->len);
        }
    }
}

void mutate__scope(struct mutator *m, TSNode function)
{
    struct scope s = {.m = m, .function = function};

    if (m->settings.weights[MUTATE_RENAME] == 0 &&
        m->settings.weights[MUTATE_VARIABLE] == 0) {
        return;
    }
    s.uses = cwm_malloc(MAX_USES * sizeof *s.uses);
    if (!s.uses) {
        m->failed = CWM_NOMEM;
        return;
    }
    collect(&s);
    if (!s.is_strange) {
        for (unsigned i = 0; i < s.n_names; i++) {
            if ((s.names[i].roles & ROLE_BIND) &&
                !(s.names[i].roles & (ROLE_PARAM | ROLE_FIXED))) {
                rename_one(&s, i);
            }
        }
        exchange(&s);
    }
    cwm_free(s.uses);
}
