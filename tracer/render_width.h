/* SPDX-License-Identifier: MIT */
/*
 * render_width.h -- text for a terminal: how wide it is, and safe to show.
 *
 * Control characters, line and paragraph separators, direction marks and lone
 * surrogates are shown as escapes (\n, \x1b, \u202e), so nothing that a
 * program made reaches the terminal as a command.
 */
#ifndef TRACER_RENDER_WIDTH_H
#define TRACER_RENDER_WIDTH_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"

/* Columns that `text` (WTF-8) takes when shown; counting stops behind
 * max_columns. */
size_t render__columns(const void *text, size_t len, size_t max_columns);

/*
 * Append `text` as it is shown, cut to max_columns with a last "…" when it is
 * wider.  Returns the columns taken.
 */
size_t render__add_shown(struct cwm_buf *out, const void *text, size_t len,
                         size_t max_columns);

#endif /* TRACER_RENDER_WIDTH_H */
