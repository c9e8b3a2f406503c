/* SPDX-License-Identifier: MIT */
/* mutate.c -- edits found, drawn and applied. */
#include "datasets/mutate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/mutate_internal.h"
#include "tracer/source_tree.h"

const char *mutate_kind_text(enum mutate_kind kind)
{
    static const char *const texts[] = {
#define MUTATE_TEXT(name, number, text, weight, what) [(number)] = (text),
        MUTATE_KIND_TABLE(MUTATE_TEXT)
#undef MUTATE_TEXT
    };

    return kind < MUTATE_N_KINDS ? texts[kind] : "";
}

void mutate_settings_default(struct mutate_settings *ret_settings)
{
    *ret_settings = (struct mutate_settings){.max_mutants = 10,
                                             .max_edits = 1,
#define MUTATE_WEIGHT(name, number, text, weight, what)                        \
    .weights[MUTATE_##name] = (weight),
                                             MUTATE_KIND_TABLE(MUTATE_WEIGHT)
#undef MUTATE_WEIGHT
    };
}

/* splitmix64: the same on every machine. */
static uint64_t next_random(struct mutator *m)
{
    uint64_t z = m->random += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint32_t mutate__pick(struct mutator *m, uint32_t n)
{
    return (uint32_t)((next_random(m) >> 32) * n >> 32);
}

bool mutate__is(TSNode node, const char *type)
{
    return !ts_node_is_null(node) && strcmp(ts_node_type(node), type) == 0;
}

bool mutate__has_text(const struct mutator *m, TSNode node, const char *text)
{
    size_t len = strlen(text);

    return mutate__len(node) == len &&
           memcmp(mutate__text(m, node), text, len) == 0;
}

TSNode mutate__field(TSNode node, const char *name)
{
    return ts_node_child_by_field_name(node, name, (uint32_t)strlen(name));
}

/* ---- noting edits ---- */

void mutate__add(struct mutator *m, enum mutate_kind kind, uint32_t start,
                 uint32_t end, const char *text, size_t len)
{
    const struct mutate_settings *s = &m->settings;
    struct mutate_edit *edit;

    if (m->failed != CWM_OK || s->weights[kind] == 0 ||
        m->n_edits == MUTATE_MAX_EDITS ||
        (s->end_byte > 0 && (start < s->start_byte || end > s->end_byte)) ||
        (end - start == len && memcmp(m->text + start, text, len) == 0)) {
        return;
    }
    if (m->n_edits == m->edits_capacity) {
        size_t more = m->edits_capacity ? m->edits_capacity * 2 : 64;
        struct mutate_edit *edits =
            cwm_realloc(m->edits, more, sizeof *m->edits);

        if (!edits) {
            m->failed = CWM_NOMEM;
            return;
        }
        m->edits = edits;
        m->edits_capacity = more;
    }
    edit = &m->edits[m->n_edits];
    *edit = (struct mutate_edit){.kind = kind,
                                 .start_byte = start,
                                 .end_byte = end,
                                 .text_at = m->texts.len,
                                 .text_len = len};
    edit->keeps_meaning = kind == MUTATE_RENAME || kind == MUTATE_LOOP_FORM;
    if (cwm_buf_add(&m->texts, text, len) == CWM_OK) {
        m->n_edits++;
    } else if (m->texts.failed == CWM_NOMEM) {
        m->failed = CWM_NOMEM;
    } else {
        m->texts.failed = CWM_OK; /* full: the others stay as they are */
    }
}

void mutate__adds(struct mutator *m, enum mutate_kind kind, TSNode node,
                  const char *text)
{
    mutate__add(m, kind, ts_node_start_byte(node), ts_node_end_byte(node), text,
                strlen(text));
}

void mutate__add_around(struct mutator *m, enum mutate_kind kind, TSNode node,
                        const char *before, const char *after)
{
    struct cwm_buf text;

    cwm_buf_init(&text, MUTATE_MAX_TEXTS);
    cwm_buf_adds(&text, before);
    cwm_buf_add(&text, mutate__text(m, node), mutate__len(node));
    cwm_buf_adds(&text, after);
    if (text.failed == CWM_OK) {
        mutate__add(m, kind, ts_node_start_byte(node), ts_node_end_byte(node),
                    text.data, text.len);
    } else {
        m->failed = CWM_NOMEM;
    }
    cwm_buf_release(&text);
}

/* ---- the walk ---- */

static void visit(struct mutator *m, TSNode node, TSNode scope)
{
    mutate__expression(m, node);
    if (mutate__is(node, "block") || mutate__is(node, "module")) {
        mutate__statements(m, node);
    } else if (mutate__is(node, "for_statement")) {
        mutate__loop(m, node, scope);
    } else if (mutate__is(node, "function_definition")) {
        mutate__scope(m, node);
    }
}

/* Types are not run, and an f-string's own syntax has its traps. */
static bool is_entered(TSNode node)
{
    return ts_node_child_count(node) > 0 && !mutate__is(node, "type") &&
           !mutate__is(node, "string") &&
           !mutate__is(node, "import_statement") &&
           !mutate__is(node, "import_from_statement") &&
           !mutate__is(node, "decorator");
}

/* Every node once; `scopes` are the functions around. */
static void walk(struct mutator *m, TSNode root)
{
    TSTreeCursor at = ts_tree_cursor_new(root);
    TSNode scopes[MUTATE_MAX_DEPTH];
    uint32_t depth = 0;
    bool going = true;

    scopes[0] = root;
    while (going && m->failed == CWM_OK) {
        TSNode node = ts_tree_cursor_current_node(&at);

        visit(m, node, scopes[depth]);
        if (depth + 1 < MUTATE_MAX_DEPTH && is_entered(node) &&
            ts_tree_cursor_goto_first_child(&at)) {
            scopes[depth + 1] =
                mutate__is(node, "function_definition") ? node : scopes[depth];
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

static int compare_edits(const void *a, const void *b)
{
    const struct mutate_edit *x = a;
    const struct mutate_edit *y = b;

    if (x->kind != y->kind) {
        return x->kind < y->kind ? -1 : 1;
    }
    /* texts are noted in the order of the walk */
    return x->text_at < y->text_at ? -1 : x->text_at > y->text_at;
}

static void sort_by_kind(struct mutator *m)
{
    size_t i = 0;

    if (m->n_edits > 0) {
        qsort(m->edits, m->n_edits, sizeof *m->edits, compare_edits);
    }
    for (int kind = 0; kind < MUTATE_N_KINDS; kind++) {
        m->first[kind] = i;
        while (i < m->n_edits && (int)m->edits[i].kind == kind) {
            i++;
        }
        m->n_left[kind] = i - m->first[kind];
    }
    m->first[MUTATE_N_KINDS] = i;
}

static enum cwm_rc check_settings(const struct mutate_settings *s, size_t len,
                                  struct cwm_err *err)
{
    if (s->max_edits < 1 || s->max_edits > 4) {
        return CWM_FAIL(err, CWM_USAGE,
                        "a mutant has 1 to 4 edits, not %" PRIu32,
                        s->max_edits);
    }
    if (s->start_byte > s->end_byte || s->end_byte > len) {
        return CWM_FAIL(err, CWM_USAGE,
                        "bytes %" PRIu32 " to %" PRIu32
                        " are no part of the program",
                        s->start_byte, s->end_byte);
    }
    for (int kind = 0; kind < MUTATE_N_KINDS; kind++) {
        if (s->weights[kind] > 10000) {
            return CWM_FAIL(err, CWM_USAGE, "the weight of '%s' is over 10000",
                            mutate_kind_text((enum mutate_kind)kind));
        }
    }
    return CWM_OK;
}

static enum cwm_rc find_edits(struct mutator *m, struct cwm_err *err)
{
    struct TSTree *tree = NULL; /* owned */
    enum cwm_rc rc =
        source_tree_new(m->text, m->len, "the program", &tree, err);

    if (rc != CWM_OK) {
        return rc;
    }
    if (ts_node_has_error(ts_tree_root_node(tree))) {
        rc = CWM_FAIL(err, CWM_FORMAT,
                      "cannot mutate a program with a syntax error");
        goto out;
    }
    walk(m, ts_tree_root_node(tree));
    if (m->failed != CWM_OK) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold the program's edits");
        goto out;
    }
    sort_by_kind(m);
out:
    ts_tree_delete(tree);
    return rc;
}

enum cwm_rc mutator_new(const char *text, size_t len,
                        const struct mutate_settings *settings, uint64_t seed,
                        struct mutator **ret_mutator, struct cwm_err *err)
{
    struct mutator *m = NULL; /* owned */
    enum cwm_rc rc = check_settings(settings, len, err);

    if (rc != CWM_OK) {
        return rc;
    }
    m = cwm_calloc(1, sizeof *m);
    if (!m) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a mutator");
    }
    m->settings = *settings;
    m->random = seed;
    m->len = len;
    cwm_buf_init(&m->texts, MUTATE_MAX_TEXTS);
    m->text = cwm_strndup(text, len);
    if (!m->text) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold the program");
        goto out;
    }
    rc = find_edits(m, err);
    if (rc == CWM_OK) {
        *ret_mutator = m;
        m = NULL; /* now the caller's */
    }
out:
    mutator_free(m);
    return rc;
}

void mutator_free(struct mutator *m)
{
    if (m) {
        cwm_free(m->text);
        cwm_free(m->edits);
        cwm_free(m->seen);
        cwm_buf_release(&m->texts);
        cwm_free(m);
    }
}

size_t mutator_n_sites(const struct mutator *m, enum mutate_kind kind)
{
    return kind < MUTATE_N_KINDS ? m->first[kind + 1] - m->first[kind] : 0;
}

/* ---- drawing ---- */

/* An edit that was not drawn before, by its kind's weight; NULL: none. */
static const struct mutate_edit *draw(struct mutator *m)
{
    uint32_t sum = 0;
    uint32_t at;
    size_t chosen;
    struct mutate_edit *edits;
    struct mutate_edit drawn;
    int kind = 0;

    for (int i = 0; i < MUTATE_N_KINDS; i++) {
        sum += m->n_left[i] ? m->settings.weights[i] : 0;
    }
    if (sum == 0) {
        return NULL;
    }
    at = mutate__pick(m, sum);
    for (;; kind++) {
        uint32_t weight = m->n_left[kind] ? m->settings.weights[kind] : 0;

        if (at < weight) {
            break;
        }
        at -= weight;
    }
    /* drawn ones go to the back of their kind's part */
    edits = m->edits + m->first[kind];
    chosen = mutate__pick(m, (uint32_t)m->n_left[kind]);
    drawn = edits[chosen];
    edits[chosen] = edits[--m->n_left[kind]];
    edits[m->n_left[kind]] = drawn;
    return &edits[m->n_left[kind]];
}

/* Further edits of one mutant: any that lie clear of those there are. */
static size_t add_others(struct mutator *m, const struct mutate_edit **chosen)
{
    size_t n = 1;
    uint32_t wanted = 1;

    while (wanted < m->settings.max_edits && mutate__pick(m, 3) == 0) {
        wanted++;
    }
    for (int tries = 0; tries < 12 && n < wanted; tries++) {
        const struct mutate_edit *e =
            &m->edits[mutate__pick(m, (uint32_t)m->n_edits)];
        bool is_clear = true;

        for (size_t i = 0; i < n; i++) {
            is_clear = is_clear && (e->end_byte < chosen[i]->start_byte ||
                                    e->start_byte > chosen[i]->end_byte);
        }
        if (is_clear) {
            chosen[n++] = e;
        }
    }
    return n;
}

static enum cwm_rc apply(const struct mutator *m,
                         const struct mutate_edit *const *chosen, size_t n,
                         struct cwm_buf *out, struct cwm_err *err)
{
    uint32_t at = 0;

    cwm_buf_clear(out);
    for (size_t done = 0; done < n; done++) {
        const struct mutate_edit *next = NULL;

        for (size_t i = 0; i < n; i++) { /* in the order of the text */
            if (chosen[i]->start_byte >= at &&
                (!next || chosen[i]->start_byte < next->start_byte)) {
                next = chosen[i];
            }
        }
        if (!next) {
            break;
        }
        cwm_buf_add(out, m->text + at, next->start_byte - at);
        cwm_buf_add(out, m->texts.data + next->text_at, next->text_len);
        at = next->end_byte;
    }
    cwm_buf_add(out, m->text + at, m->len - at);
    return cwm_buf_check(out, "the mutant", err);
}

static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);

    for (size_t i = 0; i < len; i++) { /* FNV-1a */
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001B3);
    }
    return hash;
}

/* *ret_new false: this text was given before. */
static enum cwm_rc remember(struct mutator *m, uint64_t hash, bool *ret_new,
                            struct cwm_err *err)
{
    *ret_new = true;
    for (size_t i = 0; i < m->n_seen; i++) {
        if (m->seen[i] == hash) {
            *ret_new = false;
            return CWM_OK;
        }
    }
    if (m->n_seen == m->seen_capacity) {
        size_t more = m->seen_capacity ? m->seen_capacity * 2 : 16;
        uint64_t *seen = cwm_realloc(m->seen, more, sizeof *seen);

        if (!seen) {
            return CWM_FAIL(err, CWM_NOMEM, "could not note a mutant");
        }
        m->seen = seen;
        m->seen_capacity = more;
    }
    m->seen[m->n_seen++] = hash;
    return CWM_OK;
}

/* *ret_good: it parses, and is neither the parent nor an earlier one. */
static enum cwm_rc check_mutant(struct mutator *m, const struct cwm_buf *out,
                                bool *ret_good, struct cwm_err *err)
{
    struct TSTree *tree = NULL; /* owned */
    enum cwm_rc rc;

    *ret_good = false;
    if (out->len == m->len && memcmp(out->data, m->text, m->len) == 0) {
        return CWM_OK;
    }
    rc = source_tree_new(out->len ? out->data : "", out->len, "the mutant",
                         &tree, err);
    if (rc == CWM_LIMIT) { /* too strange for the parser: no mutant */
        return CWM_OK;
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (!ts_node_has_error(ts_tree_root_node(tree))) {
        rc = remember(m, hash_of(out->data, out->len), ret_good, err);
    }
    ts_tree_delete(tree);
    return rc;
}

static void describe(const struct mutator *m,
                     const struct mutate_edit *const *chosen, size_t n,
                     struct mutation *ret)
{
    const struct mutate_edit *e = chosen[0];

    *ret = (struct mutation){.kind = e->kind,
                             .start_byte = e->start_byte,
                             .end_byte = e->end_byte,
                             .line = 1,
                             .before = m->text + e->start_byte,
                             .before_len = e->end_byte - e->start_byte,
                             .after = m->texts.data + e->text_at,
                             .after_len = e->text_len,
                             .keeps_meaning = true,
                             .n_edits = (uint32_t)n};
    for (uint32_t i = 0; i < e->start_byte; i++) {
        ret->line += m->text[i] == '\n';
    }
    for (size_t i = 0; i < n; i++) {
        ret->kinds |= 1u << chosen[i]->kind;
        ret->keeps_meaning = ret->keeps_meaning && chosen[i]->keeps_meaning;
    }
}

enum cwm_rc mutator_next(struct mutator *m, struct cwm_buf *out,
                         struct mutation *ret, bool *ret_more,
                         struct cwm_err *err)
{
    const struct mutate_edit *chosen[4];

    *ret_more = false;
    if (m->settings.max_mutants > 0 && m->n_given == m->settings.max_mutants) {
        return CWM_OK;
    }
    while ((chosen[0] = draw(m)) != NULL) {
        size_t n = add_others(m, chosen);
        bool is_good = false;
        enum cwm_rc rc = apply(m, chosen, n, out, err);

        if (rc == CWM_OK) {
            rc = check_mutant(m, out, &is_good, err);
        }
        if (rc != CWM_OK) {
            return rc;
        }
        if (is_good) {
            describe(m, chosen, n, ret);
            m->n_given++;
            *ret_more = true;
            return CWM_OK;
        }
    }
    return CWM_OK;
}
