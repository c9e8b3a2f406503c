/* SPDX-License-Identifier: MIT */
/* io.c -- whole files in and out. */
#include "cwm/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"

enum { READ_BYTES = 1 << 16 };

enum cwm_rc io_read_fd(int fd, const char *name, struct cwm_buf *out,
                       struct cwm_err *err)
{
    for (;;) {
        size_t room = out->max_bytes - out->len;
        size_t ask = room < READ_BYTES ? room + 1 : READ_BYTES;
        char spill[READ_BYTES]; /* one byte over the limit must be readable */
        ssize_t n = read(fd, spill, ask);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return CWM_FAIL(err, CWM_IO, "could not read '%s': %s", name,
                            errno == EISDIR ? "it is a directory"
                                            : strerror(errno));
        }
        if (n == 0) {
            return CWM_OK;
        }
        if (cwm_buf_add(out, spill, (size_t)n) != CWM_OK) {
            return out->failed == CWM_LIMIT
                       ? CWM_FAIL(err, CWM_LIMIT,
                                  "cannot use '%s': it is larger than %zu "
                                  "bytes",
                                  name, out->max_bytes)
                       : cwm_buf_check(out, name, err);
        }
    }
}

enum cwm_rc io_read_file(const char *path, struct cwm_buf *out,
                         struct cwm_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum cwm_rc rc;

    if (fd < 0) {
        return CWM_FAIL(err, CWM_IO, "could not open '%s': %s", path,
                        strerror(errno));
    }
    rc = io_read_fd(fd, path, out, err);
    close(fd);
    return rc;
}

enum cwm_rc io_write_all(int fd, const char *name, const void *data, size_t len,
                         size_t *ret_written, struct cwm_err *err)
{
    const char *at = data;
    size_t left = len;
    enum cwm_rc rc = CWM_OK;

    while (left > 0) {
        ssize_t n = write(fd, at, left);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            rc = CWM_FAIL(err, CWM_IO, "could not write '%s': %s", name,
                          strerror(errno));
            break;
        }
        at += n;
        left -= (size_t)n;
    }
    if (ret_written) {
        *ret_written = len - left;
    }
    return rc;
}

void io_sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) + 1 : 0;
    char *folder = slash ? cwm_strndup(path, len) : cwm_strdup(".");
    int fd;

    if (!folder) {
        return;
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    cwm_free(folder);
}

static enum cwm_rc write_in_place(const char *path, const void *data,
                                  size_t len, struct cwm_err *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    enum cwm_rc rc;

    if (fd < 0) {
        return CWM_FAIL(err, CWM_IO, "could not open '%s': %s", path,
                        strerror(errno));
    }
    rc = io_write_all(fd, path, data, len, NULL, err);
    if (close(fd) != 0 && rc == CWM_OK) {
        rc = CWM_FAIL(err, CWM_IO, "could not write '%s': %s", path,
                      strerror(errno));
    }
    return rc;
}

/* Mode of a file that is made the ordinary way. */
static mode_t ordinary_mode(void)
{
    mode_t mask = umask(0);

    umask(mask);
    return 0666 & ~mask;
}

static enum cwm_rc fill_temporary(int fd, const char *path, const void *data,
                                  size_t len, mode_t mode, struct cwm_err *err)
{
    enum cwm_rc rc = io_write_all(fd, path, data, len, NULL, err);

    if (rc == CWM_OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0)) {
        rc = CWM_FAIL(err, CWM_IO, "could not write '%s': %s", path,
                      strerror(errno));
    }
    return rc;
}

enum cwm_rc io_replace_file(const char *path, const void *data, size_t len,
                            struct cwm_err *err)
{
    char *temporary = NULL; /* owned */
    struct stat st;
    mode_t mode = ordinary_mode();
    enum cwm_rc rc = CWM_OK;
    int fd = -1;

    if (stat(path, &st) == 0) {
        if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
            return write_in_place(path, data, len, err);
        }
        mode = st.st_mode & 07777;
    }
    temporary = cwm_malloc(strlen(path) + sizeof ".XXXXXX.partial");
    if (!temporary) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a file name");
    }
    memcpy(temporary, path, strlen(path));
    memcpy(temporary + strlen(path), ".XXXXXX.partial",
           sizeof ".XXXXXX.partial");
    fd = mkostemps(temporary, (int)strlen(".partial"), O_CLOEXEC);
    if (fd < 0) {
        rc = CWM_FAIL(err, CWM_IO, "could not open '%s' for writing: %s", path,
                      strerror(errno));
        goto out;
    }
    rc = fill_temporary(fd, path, data, len, mode, err);
    if (rc == CWM_OK && rename(temporary, path) != 0) {
        rc = CWM_FAIL(err, CWM_IO, "could not put '%s' in place: %s", path,
                      strerror(errno));
    }
    if (rc == CWM_OK) {
        io_sync_folder_of(path);
    } else {
        unlink(temporary);
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    cwm_free(temporary);
    return rc;
}
