/* SPDX-License-Identifier: MIT */
/*
 * lines.h -- a file line by line, in flat memory: plain, zstd or gzip.
 *
 * Compression is told by the first bytes, not by the name.  A line longer
 * than the limit is cut there and skipped to its end.
 *
 * Threads: one at a time per reader.
 */
#ifndef CWM_BASE_LINES_H
#define CWM_BASE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

struct lines; /* opaque: lines.c */

struct line {
    const char *text; /* borrowed until the next call; without its '\n' */
    size_t len;
    uint64_t number; /* 1-based */
    uint64_t end;    /* offset behind the line in the (unpacked) data */
    bool cut;        /* longer than the limit: text is its beginning */
    bool whole;      /* ended by '\n', not by the end of the file */
};

/*
 * `path` "-" is standard input.  cancel (borrowed; NULL is fine) ends a wait
 * for input once it is not zero: CWM_CANCELLED.  Fails: CWM_IO, CWM_NOMEM.
 */
enum cwm_rc lines_open(const char *path, size_t max_line_bytes,
                       const volatile int *cancel, struct lines **ret_lines,
                       struct cwm_err *err);
void lines_close(struct lines *l); /* NULL is fine */

/* The next line; false at the end.  Fails: CWM_IO, CWM_FORMAT (damaged
 * compression), CWM_NOMEM, CWM_CANCELLED. */
enum cwm_rc lines_next(struct lines *l, struct line *ret_line, bool *ret_more,
                       struct cwm_err *err);
/* The same, over lines of nothing but blanks and tabs. */
enum cwm_rc lines_next_filled(struct lines *l, struct line *ret_line,
                              bool *ret_more, struct cwm_err *err);

#endif /* CWM_BASE_LINES_H */
