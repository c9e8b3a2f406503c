/* SPDX-License-Identifier: MIT */
/*
 * mutate_internal.h -- what mutate*.c share: the edits found in a program.
 *
 * Every edit is one span replaced by one text, also where it means to change
 * several places (a rename: the span goes from the first to the last).
 */
#ifndef DATASETS_MUTATE_INTERNAL_H
#define DATASETS_MUTATE_INTERNAL_H

#include <tree_sitter/api.h>

#include "datasets/mutate.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Deeper nodes are left alone: programs that people write stay far below. */
#define MUTATE_MAX_DEPTH 300
/* Of one program; further places are not looked for. */
#define MUTATE_MAX_EDITS    60000
#define MUTATE_MAX_TEXTS    ((size_t)64 << 20)
#define MUTATE_MAX_CHILDREN 512 /* of one node that are looked at */

struct mutate_edit {
    enum mutate_kind kind;
    uint32_t start_byte, end_byte;
    size_t text_at, text_len; /* in `texts` */
    bool keeps_meaning;
};

struct mutator {
    char *text; /* owned, NUL-terminated */
    size_t len;
    struct mutate_settings settings;
    uint64_t random;
    struct mutate_edit *edits; /* owned; sorted by kind once found */
    size_t n_edits, edits_capacity;
    size_t first[MUTATE_N_KINDS + 1]; /* of each kind */
    size_t n_left[MUTATE_N_KINDS];    /* not drawn yet, at the front */
    struct cwm_buf texts;             /* owned */
    uint64_t *seen;                   /* owned: hashes of the mutants so far */
    size_t n_seen, seen_capacity;
    uint32_t n_given;
    enum cwm_rc failed; /* the first failure of the search */
};

uint32_t mutate__pick(struct mutator *m, uint32_t n);

/* Note an edit; nothing when it changes nothing or lies out of the range. */
void mutate__add(struct mutator *m, enum mutate_kind kind, uint32_t start,
                 uint32_t end, const char *text, size_t len);
void mutate__adds(struct mutator *m, enum mutate_kind kind, TSNode node,
                  const char *text);
/* The same with `before` and `after` put round the node's own text. */
void mutate__add_around(struct mutator *m, enum mutate_kind kind, TSNode node,
                        const char *before, const char *after);

static inline uint32_t mutate__len(TSNode node)
{
    return ts_node_end_byte(node) - ts_node_start_byte(node);
}

static inline const char *mutate__text(const struct mutator *m, TSNode node)
{
    return m->text + ts_node_start_byte(node);
}

bool mutate__is(TSNode node, const char *type);
bool mutate__has_text(const struct mutator *m, TSNode node, const char *text);
TSNode mutate__field(TSNode node, const char *name);

/* mutate_expr.c, mutate_stmt.c, mutate_scope.c: the edits of one node. */
void mutate__expression(struct mutator *m, TSNode node);
void mutate__statements(struct mutator *m, TSNode block);
void mutate__loop(struct mutator *m, TSNode node, TSNode scope);
void mutate__scope(struct mutator *m, TSNode function);

#endif /* DATASETS_MUTATE_INTERNAL_H */
