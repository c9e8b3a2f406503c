/* SPDX-License-Identifier: MIT */
/*
 * io.h -- whole files in and out, with errors that name the file.
 *
 * Threads: safe, but for two writers of one name.
 */
#ifndef CWM_BASE_IO_H
#define CWM_BASE_IO_H

#include <stdbool.h>
#include <stddef.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

/*
 * Append all of the file to `out`, at most out->max_bytes in all.  Fails:
 * CWM_IO (not there, a directory, not to be read), CWM_LIMIT (larger than
 * that), CWM_NOMEM.  The message names `path`.
 */
enum cwm_rc io_read_file(const char *path, struct cwm_buf *out,
                         struct cwm_err *err);
/* The same from an open descriptor until its end; `name` is for messages. */
enum cwm_rc io_read_fd(int fd, const char *name, struct cwm_buf *out,
                       struct cwm_err *err);

/*
 * Write all of data, whatever the number of calls that takes.  *ret_written
 * (NULL is fine) tells how much went out, also on failure (CWM_IO).
 */
enum cwm_rc io_write_all(int fd, const char *name, const void *data, size_t len,
                         size_t *ret_written, struct cwm_err *err);

/*
 * Put the file in place as a whole: written to a temporary name beside it,
 * synced, renamed.  Where `path` is there and no regular file (/dev/stdout, a
 * pipe) it is written to as it is.  Fails: CWM_IO; then `path` is untouched.
 */
enum cwm_rc io_replace_file(const char *path, const void *data, size_t len,
                            struct cwm_err *err);

/* Make the folder entry of `path` last; failures do not matter to callers. */
void io_sync_folder_of(const char *path);

#endif /* CWM_BASE_IO_H */
