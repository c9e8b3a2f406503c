/* SPDX-License-Identifier: MIT */
/*
 * source_internal.h -- what source*.c share: the struct and its steps.
 *
 * The tree lives only while source__parse() runs; what later questions need
 * is copied out of it (definitions, markers, main guards, the first error).
 */
#ifndef TRACER_SOURCE_INTERNAL_H
#define TRACER_SOURCE_INTERNAL_H

#include "tracer/source.h"

/* Text in, and UTF-8 text out: far over any program that people write, and
 * low enough for 32-bit offsets and for the parser's memory. */
#define SOURCE_MAX_BYTES ((size_t)64 << 20)

/* A marker that ends a comment.  It is line content from start_byte to the
 * line's end: the spaces that context writing puts in front are included. */
struct source__marker {
    uint32_t line;
    uint32_t start_byte;
};

struct source__span {
    uint32_t start_byte, end_byte;
};

struct source {
    char *name; /* owned: for messages */
    char *text; /* owned, NUL-terminated */
    size_t len;
    uint32_t *line_starts; /* owned: n_lines byte offsets */
    uint32_t n_lines;
    uint32_t first_code_line;
    struct source_def *defs; /* owned, in the order of the text; each qualname
                                is owned, each name is its qualname's tail */
    size_t n_defs, defs_capacity;
    struct source__marker *markers; /* owned, in the order of the text */
    size_t n_markers, markers_capacity;
    struct source__span *guards; /* owned: main guards' comparisons */
    size_t n_guards, guards_capacity;
    struct source_error error; /* line 0: none */
};

/* source_codec.c: the encoding that a cookie names; NULL when unsupported. */
struct source__codec;
const struct source__codec *source__codec_find(const char *name, size_t len);
bool source__codec_is_utf8(const struct source__codec *codec);
/*
 * The text in UTF-8.  A failure at a byte gives CWM_FORMAT with *ret_bad set
 * to its offset and no message in err: the caller knows the lines.
 */
enum cwm_rc source__codec_decode(const struct source__codec *codec,
                                 const char *data, size_t len,
                                 struct cwm_buf *out, size_t *ret_bad,
                                 struct cwm_err *err);

/*
 * source_decode.c: *ret_text is owned by the caller, NUL-terminated.  is_text:
 * UTF-8 without a mark, in which a cookie means nothing.
 */
enum cwm_rc source__decode(const char *data, size_t len, bool is_text,
                           const char *name, char **ret_text, size_t *ret_len,
                           struct cwm_err *err);

/*
 * source_tree.c: the syntax tree of text[0..len), owned by the caller:
 * ts_tree_delete().  Fails: CWM_LIMIT for a text that the parser cannot take
 * safely, CWM_MISSING for a parser that does not fit its grammar.
 */
struct TSTree; /* tree-sitter's */
enum cwm_rc source__tree(const char *text, size_t len, const char *name,
                         struct TSTree **ret_tree, struct cwm_err *err);

/* source_parse.c: fills defs, markers, guards, error, first_code_line. */
enum cwm_rc source__parse(struct source *s, struct cwm_err *err);

/* Room for one more of `size` bytes in a growable array; false: no memory. */
bool source__grow(void **items, size_t *capacity, size_t n, size_t size);

#endif /* TRACER_SOURCE_INTERNAL_H */
