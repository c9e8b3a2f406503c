/* SPDX-License-Identifier: MIT */
/*
 * inputs_reader.h -- a program's tree, as inputs_read.c and inputs_hints.c go
 * through it.
 */
#ifndef DATASETS_INPUTS_READER_H
#define DATASETS_INPUTS_READER_H

#include <string.h>

#include "datasets/inputs_internal.h"
#include "tracer/source_tree.h"

struct inputs__reader {
    struct inputs *in;
    const struct source *source;
    const struct source_def *def;
    const char *text;
    size_t len;
    enum cwm_rc failed;
};

static inline bool node_is(TSNode node, const char *type)
{
    return !ts_node_is_null(node) && strcmp(ts_node_type(node), type) == 0;
}

static inline TSNode node_field(TSNode node, const char *name)
{
    return ts_node_child_by_field_name(node, name, (uint32_t)strlen(name));
}

static inline bool node_is_field(TSNode parent, const char *name, TSNode node)
{
    TSNode child = node_field(parent, name);

    return !ts_node_is_null(child) && ts_node_eq(child, node);
}

static inline const char *reader_text(const struct inputs__reader *r,
                                      TSNode node, size_t *ret_len)
{
    *ret_len = ts_node_end_byte(node) - ts_node_start_byte(node);
    return r->text + ts_node_start_byte(node);
}

static inline bool reader_has(const struct inputs__reader *r, TSNode node,
                              const char *want)
{
    size_t len;
    const char *text = reader_text(r, node, &len);

    return len == strlen(want) && memcmp(text, want, len) == 0;
}

static inline uint32_t node_line(TSNode node)
{
    return ts_node_start_point(node).row + 1;
}

/* inputs_hints.c: the function's parameters, from its definition. */
void inputs__read_params(struct inputs__reader *r, TSNode function);
/* ... what a name or a literal in its body says of them. */
void inputs__read_use(struct inputs__reader *r, TSNode node);

#endif /* DATASETS_INPUTS_READER_H */
