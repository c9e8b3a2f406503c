/* SPDX-License-Identifier: MIT */
/*
 * repository.h -- a folder with Python files and their tests.
 *
 * Its virtual environment is PATH/.venv or PATH/venv, where one of these has
 * a pyvenv.cfg.  Nothing of the repository is run to find out about it: the
 * environment's interpreter is where its link leads, which has to be outside
 * of the repository, and its packages are taken up within the jail.
 *
 * Threads: one at a time.
 */
#ifndef DATASETS_REPOSITORY_H
#define DATASETS_REPOSITORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "datasets/hash.h"
#include "tracer/source.h"
#include "tracer/trace.h"

struct repository; /* opaque */

/*
 * Fails: CWM_USAGE (no folder; a virtual environment whose interpreter cannot
 * be used: the message says what to do), CWM_IO, CWM_NOMEM.
 */
enum cwm_rc repository_open(const char *path, struct repository **ret_repo,
                            struct cwm_err *err);
void repository_close(struct repository *r); /* NULL is fine */

/* All borrowed from the repository. */
const char *repository_path(const struct repository *r);    /* without links */
const char *repository_name(const struct repository *r);    /* its last part */
const char *repository_commit(const struct repository *r);  /* or NULL */
const char *repository_licence(const struct repository *r); /* or NULL */
const char *repository_venv(const struct repository *r);    /* ".venv" or "" */

/* How a tracer is to be opened for it; what is said besides stays. */
void repository_tracer(const struct repository *r,
                       struct tracer_options *options);

/* Its Python files, sorted by the bytes of their paths. */
size_t repository_n_files(const struct repository *r);
const char *repository_file(const struct repository *r, size_t i);
/* -1: there is no such file. */
int repository_find(const struct repository *r, const char *path, size_t len);
/*
 * The file, parsed once; borrowed.  NULL, with CWM_OK: it cannot be read or
 * is no text.  Fails: CWM_NOMEM.
 */
enum cwm_rc repository_source(struct repository *r, size_t i,
                              const struct source **ret_source,
                              struct cwm_err *err);

/* Over all that its tests may depend on: Python files and settings. */
enum cwm_rc repository_digest(const struct repository *r,
                              struct hash *ret_digest, struct cwm_err *err);

#endif /* DATASETS_REPOSITORY_H */
