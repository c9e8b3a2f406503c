/* SPDX-License-Identifier: MIT */
/*
 * export_files.h -- the files of an export: SPLIT-NNNNN.jsonl(.zst).
 *
 * All is written to FOLDER.part, which takes FOLDER's name in the end.
 */
#ifndef DATASETS_EXPORT_FILES_H
#define DATASETS_EXPORT_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "datasets/clean.h"

struct export_files; /* opaque */

/*
 * Fails: CWM_USAGE where `folder` is there (overwrite: where it holds what is
 * no export of ours), CWM_IO, CWM_NOMEM.
 */
enum cwm_rc export_files_new(const char *folder, bool overwrite, bool plain,
                             uint64_t shard_bytes,
                             struct export_files **ret_files,
                             struct cwm_err *err);
/* Removes what was not finished.  NULL is fine. */
void export_files_free(struct export_files *f);

/* Rows of one program. */
enum cwm_rc export_files_add(struct export_files *f, enum clean_split split,
                             const void *rows, size_t len, struct cwm_err *err);
/* A file that is no shard: README.md, removed.jsonl. */
enum cwm_rc export_files_put(struct export_files *f, const char *name,
                             const struct cwm_buf *text, struct cwm_err *err);
uint64_t export_files_n(const struct export_files *f);
uint64_t export_files_n_of(const struct export_files *f,
                           enum clean_split split);
/* Close all and put the folder in place. */
enum cwm_rc export_files_finish(struct export_files *f, struct cwm_err *err);

#endif /* DATASETS_EXPORT_FILES_H */
