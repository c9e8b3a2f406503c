/* SPDX-License-Identifier: MIT */
/*
 * suite_context.h -- the program text round an episode.
 *
 * What is in it (docs/programs.md has the rules with their numbers):
 *     every function that has frames, whole, with the heads of the classes
 *     round it; of a nested function the outermost one
 *     of what those name, what the same file, or a file of the repository
 *     that it imports from, defines at module level: short functions and
 *     classes whole, longer ones as their heads with "..." for the body;
 *     assignments; imports
 *     of their own class, what they name: likewise
 * Lines are the files' own, in the files' order; the file of the episode's
 * function comes last, each begins with "# PATH".
 *
 * Threads: none shared.
 */
#ifndef DATASETS_SUITE_CONTEXT_H
#define DATASETS_SUITE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "datasets/repository.h"
#include "tracer/suite.h"

struct suite_context {
    struct cwm_buf text;
    uint32_t *lines;     /* owned: where the stream's lines[] stand in the text;
                            0: they do not */
    uint32_t entry_line; /* holds the `def` of the episode's function */
    const char *entry;   /* its qualified name; borrowed from the repository */
};

/*
 * *ret_found false: the text of the repository has no such functions (code
 * that was made at run time under a file's name).  Fails: CWM_NOMEM.
 */
enum cwm_rc suite_context_make(struct repository *repo,
                               const struct suite_stream *s,
                               const struct suite_episode *e,
                               struct suite_context *ret_context,
                               bool *ret_found, struct cwm_err *err);
void suite_context_release(struct suite_context *c);

#endif /* DATASETS_SUITE_CONTEXT_H */
