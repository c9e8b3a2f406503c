/* SPDX-License-Identifier: MIT */
/* safetensors_write.c -- a checkpoint's file, atomically, value by value. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/buf.h"
#include "cwm/base/io.h"
#include "cwm/model/safetensors.h"

enum { LENGTH_BYTES = 8, MAX_HEADER_BYTES = 100 * 1000 * 1000 };

static const char *const type_names[] = {
    [TENSOR_F32] = "F32",
    [TENSOR_F16] = "F16",
    [TENSOR_BF16] = "BF16",
    [TENSOR_I8] = "I8",
};

/* The length field and the header, padded with spaces as the format allows. */
static enum cwm_rc make_header(const struct tensor *tensors, size_t n,
                               struct cwm_buf *out, struct cwm_err *err)
{
    size_t place = 0;
    size_t n_json;
    size_t i;
    uint32_t d;

    cwm_buf_add(out, "\0\0\0\0\0\0\0\0", LENGTH_BYTES);
    cwm_buf_adds(out, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (i = 0; i < n; i++) {
        const struct tensor *t = &tensors[i];

        cwm_buf_addc(out, ',');
        cwm_buf_add_json(out, t->name, strlen(t->name));
        cwm_buf_addf(out, ":{\"dtype\":\"%s\",\"shape\":[",
                     type_names[t->type]);
        for (d = 0; d < t->n_dims; d++) {
            cwm_buf_addf(out, "%s%llu", d > 0 ? "," : "",
                         (unsigned long long)t->dims[d]);
        }
        cwm_buf_addf(out, "],\"data_offsets\":[%zu,%zu]}", place,
                     place + t->n_bytes);
        place += t->n_bytes;
    }
    cwm_buf_addc(out, '}');
    while (out->failed == CWM_OK && out->len % LENGTH_BYTES != 0) {
        cwm_buf_addc(out, ' ');
    }
    if (out->failed != CWM_OK) {
        return cwm_buf_check(out, "the safetensors file's header", err);
    }
    n_json = out->len - LENGTH_BYTES;
    for (i = 0; i < LENGTH_BYTES; i++) {
        out->data[i] = (char)((uint64_t)n_json >> 8 * i);
    }
    return CWM_OK;
}

static enum cwm_rc write_all(int fd, const char *name,
                             const struct tensor *tensors, size_t n,
                             struct cwm_err *err)
{
    struct cwm_buf header;
    enum cwm_rc rc;
    size_t i;

    cwm_buf_init(&header, MAX_HEADER_BYTES);
    rc = make_header(tensors, n, &header, err);
    if (rc == CWM_OK) {
        rc = io_write_all(fd, name, header.data, header.len, NULL, err);
    }
    for (i = 0; i < n && rc == CWM_OK; i++) {
        rc = io_write_all(fd, name, tensors[i].data, tensors[i].n_bytes, NULL,
                          err);
    }
    if (rc == CWM_OK && (fchmod(fd, 0644) != 0 || fsync(fd) != 0)) {
        rc = CWM_FAIL(err, CWM_IO, "could not write '%s': %s", name,
                      strerror(errno));
    }
    cwm_buf_release(&header);
    return rc;
}

enum cwm_rc safetensors_write(const char *path, const struct tensor *tensors,
                              size_t n, struct cwm_err *err)
{
    static const char suffix[] = ".XXXXXX.partial";
    size_t len = strlen(path);
    char *temporary = cwm_malloc(len + sizeof suffix); /* owned */
    enum cwm_rc rc;
    int fd;

    if (!temporary) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a file name");
    }
    memcpy(temporary, path, len);
    memcpy(temporary + len, suffix, sizeof suffix);
    fd = mkostemps(temporary, (int)strlen(".partial"), O_CLOEXEC);
    if (fd < 0) {
        rc = CWM_FAIL(err, CWM_IO, "could not open '%s' for writing: %s", path,
                      strerror(errno));
        goto out;
    }
    rc = write_all(fd, path, tensors, n, err);
    if (close(fd) != 0 && rc == CWM_OK) {
        rc = CWM_FAIL(err, CWM_IO, "could not write '%s': %s", path,
                      strerror(errno));
    }
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
    cwm_free(temporary);
    return rc;
}
