/* SPDX-License-Identifier: MIT */
/*
 * decontaminate.h -- is a benchmark's problem in this program?
 *
 * Three ways to tell, from sure to likely:
 *  - a function with the same normalised syntax tree (names by their order,
 *    literals by their kind, no docstrings, annotations or comments) as one
 *    of the benchmark's, of at least 24 nodes;
 *  - half of the 10-token runs of a problem's code are in the program;
 *  - half of the 10-word runs of its prompt are in the text, comments and
 *    docstrings included; or a function of the same name (longer than 5
 *    letters) and a fifth of the runs.
 *
 * Benchmarks are JSONL files (plain, zst, gz; or one JSON array) with any of
 * the fields prompt, text, canonical_solution, code, source, entry_point,
 * task_id, id.
 *
 * Threads: one at a time.
 */
#ifndef DATASETS_DECONTAMINATE_H
#define DATASETS_DECONTAMINATE_H

#include <stddef.h>

#include "cwm/base/err.h"

struct decontaminate; /* opaque: all problems of all files */

/* Fails: CWM_USAGE (a file that cannot be read or has no problems in it). */
enum cwm_rc decontaminate_new(const char *const *files, size_t n,
                              struct decontaminate **ret, struct cwm_err *err);
void decontaminate_free(struct decontaminate *d); /* NULL is fine */
size_t decontaminate_n_problems(const struct decontaminate *d);

/*
 * *ret_what: which problem, and how it shows ("HumanEval/3: 84 % of its
 * code"), owned by the caller; NULL: none.  Fails: CWM_NOMEM.
 */
enum cwm_rc decontaminate_look(struct decontaminate *d, const char *text,
                               size_t len, char **ret_what,
                               struct cwm_err *err);

#endif /* DATASETS_DECONTAMINATE_H */
