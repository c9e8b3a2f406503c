/* SPDX-License-Identifier: MIT */
/*
 * source_tree.h -- the syntax tree itself, for those who edit programs.
 *
 * The traps of the parser are stepped around (source_tree.c), so nobody else
 * calls it.
 */
#ifndef TRACER_SOURCE_TREE_H
#define TRACER_SOURCE_TREE_H

#include <stddef.h>

#include "cwm/base/err.h"

struct TSTree; /* tree-sitter's */

/*
 * The tree of text[0..len) (UTF-8, LF), owned by the caller: ts_tree_delete().
 * name: for messages.  A text with syntax errors has a tree with error nodes.
 * Fails: CWM_LIMIT for a text that the parser cannot take safely, CWM_MISSING
 * for a parser that does not fit its grammar.
 */
enum cwm_rc source_tree_new(const char *text, size_t len, const char *name,
                            struct TSTree **ret_tree, struct cwm_err *err);

#endif /* TRACER_SOURCE_TREE_H */
