/* SPDX-License-Identifier: MIT */
/*
 * tree_shape.h -- the shapes of a program's functions: syntax trees in which
 * names count by the order of their appearance and literals by their kind.
 */
#ifndef DATASETS_TREE_SHAPE_H
#define DATASETS_TREE_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

struct tree_shape {
    uint64_t hash;
    uint64_t name;    /* hash of the function's name */
    uint32_t n_nodes; /* that went into it */
    uint32_t name_len;
};

struct tree_shapes {
    struct tree_shape *list; /* owned */
    size_t n, capacity;
};
void tree_shapes_release(struct tree_shapes *s);

/* Of every function in the text.  Replaces what is there.  A text that cannot
 * be parsed has none.  Fails: CWM_NOMEM. */
enum cwm_rc tree_shapes_of(const char *text, size_t len, struct tree_shapes *s,
                           struct cwm_err *err);

#endif /* DATASETS_TREE_SHAPE_H */
