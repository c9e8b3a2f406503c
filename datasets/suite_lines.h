/* SPDX-License-Identifier: MIT */
/*
 * suite_lines.h -- which lines of which files are in the text round an episode
 * (suite_context.h says by which rules).
 *
 * Threads: none shared.
 */
#ifndef DATASETS_SUITE_LINES_H
#define DATASETS_SUITE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "datasets/repository.h"
#include "tracer/suite.h"

enum { SUITE_MAX_FILES = 64, SUITE_MAX_NAMES = 4096 };

/* What becomes of a line: behind the end of a head "..." stands for the body.
 */
enum suite_line_use { SUITE_LINE_OUT, SUITE_LINE_IN, SUITE_LINE_HEAD_END };

/* A file that lines are taken from. */
struct suite_part {
    size_t file;                 /* of the repository */
    const struct source *source; /* borrowed from it */
    uint8_t *use;                /* owned: enum suite_line_use, by line */
    uint32_t *place;             /* owned: in the text, by line; 0 at first */
    bool has_frames;
};

struct suite_name {
    const char *text; /* borrowed from a source */
    size_t len;
};

/* Some 70 kB: not for the stack. */
struct suite_lines {
    struct repository *repo;           /* borrowed */
    const struct suite_stream *stream; /* borrowed */
    struct suite_part parts[SUITE_MAX_FILES];
    size_t n_parts;
    struct suite_name names[SUITE_MAX_NAMES]; /* that the functions with frames
                                                 use */
    size_t n_names;
    uint32_t n_named_lines;
};

/*
 * Fill in the parts, of a struct that is zero but for repo and stream.
 * *ret_part and *ret_entry (borrowed): the episode's function.  *ret_found
 * false: the text of the repository has no such functions.  Fails: CWM_NOMEM;
 * suite_lines_release() is due either way.
 */
enum cwm_rc suite_lines_take(struct suite_lines *m,
                             const struct suite_episode *e,
                             struct suite_part **ret_part,
                             const struct source_def **ret_entry,
                             bool *ret_found, struct cwm_err *err);
void suite_lines_release(struct suite_lines *m);

#endif /* DATASETS_SUITE_LINES_H */
