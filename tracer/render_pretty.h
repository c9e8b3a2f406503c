/* SPDX-License-Identifier: MIT */
/*
 * render_pretty.h -- the pieces that a row of the pretty form is made of.
 *
 * For render_pretty.c.  Failures of the buffer are sticky (buf.h).
 */
#ifndef TRACER_RENDER_PRETTY_H
#define TRACER_RENDER_PRETTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "tracer/record.h"
#include "tracer/render.h"

enum pretty_colour {
    PRETTY_PLAIN,
    PRETTY_BOLD,
    PRETTY_DIM,
    PRETTY_RED,
    PRETTY_GREEN,
    PRETTY_YELLOW,
    PRETTY_CYAN,
};

struct pretty_row {
    struct cwm_buf *out; /* borrowed */
    bool colour;
    bool cuts;          /* texts that go over `columns` are cut */
    size_t columns;     /* of the terminal; SIZE_MAX when nothing is cut */
    size_t gutter;      /* columns of the line numbers */
    uint32_t max_depth; /* guides for so many; deeper is said by a number */
    size_t at;          /* columns taken in this row */
};

void pretty__init(struct pretty_row *row, struct cwm_buf *out,
                  const struct render_options *options, uint32_t n_lines);

/* Columns in front of a line's text at `depth`. */
size_t pretty__indent(const struct pretty_row *row, uint32_t depth);

/* Line number (0: none) and guides. */
void pretty__begin_row(struct pretty_row *row, uint32_t line, uint32_t depth);
void pretty__end_row(struct pretty_row *row);
void pretty__pad(struct pretty_row *row, size_t column);
void pretty__put(struct pretty_row *row, enum pretty_colour colour,
                 const char *text);
/* At most max_columns and what is left of the row. */
void pretty__put_text(struct pretty_row *row, enum pretty_colour colour,
                      const void *text, size_t len, size_t max_columns);

/* "(a=1, b=2)" */
void pretty__put_arguments(struct pretty_row *row,
                           const struct trace_local *locals, size_t n);

/* "x = 1", "x: 1 → 2", "x deleted": its columns, at most about `room`. */
size_t pretty__change_columns(const struct trace_local *local, size_t room);
void pretty__put_change(struct pretty_row *row,
                        const struct trace_local *local);

/* The middle one of an exception's triple, or all of it. */
const uint8_t *pretty__exception(const uint8_t *arg, size_t *len);

/* How it ended, the counts, what was printed. */
void pretty__put_summary(struct pretty_row *row,
                         const struct trace_summary *summary,
                         const struct trace_end *end);

#endif /* TRACER_RENDER_PRETTY_H */
