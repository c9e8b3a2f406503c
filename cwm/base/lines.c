/* SPDX-License-Identifier: MIT */
/* lines.c -- reading lines: descriptor, then perhaps zstd, then cutting. */
#include "cwm/base/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/buf.h"
#include "cwm/base/cancel.h"

enum {
    BLOCK_BYTES = 1 << 17,
    CANCEL_POLL_MS = 100 /* how late a wait for input notices `cancel` */
};

struct block {
    char *data; /* owned; BLOCK_BYTES */
    size_t at, len;
};

struct lines {
    int fd; /* owned but for standard input */
    const char *name;
    const volatile int *cancel; /* borrowed or NULL */
    ZSTD_DStream *zstd;         /* owned; NULL: plain */
    bool zstd_open;             /* within a compressed frame */
    struct block raw;           /* as read */
    struct block text;          /* as unpacked; unused when plain */
    struct cwm_buf line;
    size_t max_line_bytes;
    uint64_t number;
    uint64_t offset;
};

static enum cwm_rc wait_for_input(const struct lines *l, struct cwm_err *err)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};

    while (l->cancel) {
        if (cwm_is_cancelled(l->cancel)) {
            return CWM_FAIL(err, CWM_CANCELLED, "stopped on request");
        }
        if (poll(&p, 1, CANCEL_POLL_MS) > 0) {
            break;
        }
    }
    return CWM_OK;
}

/* Fill l->raw anew; len 0 at the end of the file. */
static enum cwm_rc read_block(struct lines *l, struct cwm_err *err)
{
    enum cwm_rc rc;
    ssize_t n;

    do {
        rc = wait_for_input(l, err);
        if (rc != CWM_OK) {
            return rc;
        }
        n = read(l->fd, l->raw.data, BLOCK_BYTES);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return CWM_FAIL(err, CWM_IO, "could not read '%s': %s", l->name,
                        errno == EISDIR ? "it is a directory"
                                        : strerror(errno));
    }
    l->raw.at = 0;
    l->raw.len = (size_t)n;
    return CWM_OK;
}

/* Fill l->text anew from l->raw; len 0 at the end of the file. */
static enum cwm_rc unpack_block(struct lines *l, struct cwm_err *err)
{
    ZSTD_outBuffer out = {.dst = l->text.data, .size = BLOCK_BYTES};

    l->text.at = 0;
    while (out.pos == 0) {
        ZSTD_inBuffer in;
        size_t left;

        if (l->raw.at == l->raw.len) {
            enum cwm_rc rc = read_block(l, err);

            if (rc != CWM_OK) {
                return rc;
            }
            if (l->raw.len == 0 && l->zstd_open) {
                return CWM_FAIL(err, CWM_FORMAT,
                                "cannot unpack '%s': it ends too early",
                                l->name);
            }
            if (l->raw.len == 0) {
                break;
            }
        }
        in = (ZSTD_inBuffer){l->raw.data, l->raw.len, l->raw.at};
        left = ZSTD_decompressStream(l->zstd, &out, &in);
        if (ZSTD_isError(left)) {
            return CWM_FAIL(err, CWM_FORMAT, "cannot unpack '%s': %s", l->name,
                            ZSTD_getErrorName(left));
        }
        l->raw.at = in.pos;
        l->zstd_open = left != 0;
    }
    l->text.len = out.pos;
    return CWM_OK;
}

/* The block to take text from, refilled when it is used up. */
static enum cwm_rc next_block(struct lines *l, struct block **ret_block,
                              struct cwm_err *err)
{
    struct block *b = l->zstd ? &l->text : &l->raw;
    enum cwm_rc rc = CWM_OK;

    if (b->at == b->len) {
        rc = l->zstd ? unpack_block(l, err) : read_block(l, err);
    }
    *ret_block = b;
    return rc;
}

static enum cwm_rc start_zstd(struct lines *l, struct cwm_err *err)
{
    static const char magic[4] = {'\x28', '\xB5', '\x2F', '\xFD'};

    if (l->raw.len < sizeof magic ||
        memcmp(l->raw.data, magic, sizeof magic) != 0) {
        return CWM_OK;
    }
    l->text.data = cwm_malloc(BLOCK_BYTES);
    l->zstd = ZSTD_createDStream();
    if (!l->text.data || !l->zstd) {
        return CWM_FAIL(err, CWM_NOMEM, "could not unpack '%s': no memory",
                        l->name);
    }
    return CWM_OK;
}

enum cwm_rc lines_open(const char *path, size_t max_line_bytes,
                       const volatile int *cancel, struct lines **ret_lines,
                       struct cwm_err *err)
{
    struct lines *l = cwm_calloc(1, sizeof *l); /* owned until handed over */
    bool is_stdin = strcmp(path, "-") == 0;
    enum cwm_rc rc = CWM_OK;

    if (!l) {
        return CWM_FAIL(err, CWM_NOMEM, "could not read '%s': no memory", path);
    }
    l->name = is_stdin ? "standard input" : path;
    l->cancel = cancel;
    l->max_line_bytes = max_line_bytes;
    cwm_buf_init(&l->line, max_line_bytes);
    l->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (l->fd < 0) {
        rc = CWM_FAIL(err, CWM_IO, "could not open '%s': %s", path,
                      strerror(errno));
        goto out;
    }
    l->raw.data = cwm_malloc(BLOCK_BYTES);
    if (!l->raw.data) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not read '%s': no memory", path);
        goto out;
    }
    rc = read_block(l, err);
    if (rc == CWM_OK) {
        rc = start_zstd(l, err);
    }
    if (rc == CWM_OK) {
        *ret_lines = l;
        l = NULL;
    }
out:
    lines_close(l);
    return rc;
}

void lines_close(struct lines *l)
{
    if (!l) {
        return;
    }
    if (l->fd > STDIN_FILENO) {
        close(l->fd);
    }
    ZSTD_freeDStream(l->zstd);
    cwm_buf_release(&l->line);
    cwm_free(l->raw.data);
    cwm_free(l->text.data);
    cwm_free(l);
}

/* Append what fits of data[0..len) to the line. */
static enum cwm_rc add_to_line(struct lines *l, const char *data, size_t len,
                               bool *cut, struct cwm_err *err)
{
    size_t room = l->max_line_bytes - l->line.len;

    if (len > room) {
        *cut = true;
        len = room;
    }
    cwm_buf_add(&l->line, data, len);
    return cwm_buf_check(&l->line, "a line", err);
}

enum cwm_rc lines_next(struct lines *l, struct line *ret_line, bool *ret_more,
                       struct cwm_err *err)
{
    bool whole = false;
    bool cut = false;
    bool any = false;

    cwm_buf_clear(&l->line);
    while (!whole) {
        struct block *b = NULL;
        enum cwm_rc rc = next_block(l, &b, err);
        const char *start;
        const char *end;
        size_t len;

        if (rc != CWM_OK) {
            return rc;
        }
        if (b->len == 0) {
            break;
        }
        any = true;
        start = b->data + b->at;
        end = memchr(start, '\n', b->len - b->at);
        whole = end != NULL;
        len = whole ? (size_t)(end - start) : b->len - b->at;
        rc = add_to_line(l, start, len, &cut, err);
        if (rc != CWM_OK) {
            return rc;
        }
        b->at += len + whole;
        l->offset += len + whole;
    }
    *ret_more = any;
    if (any) {
        *ret_line = (struct line){.text = l->line.data ? l->line.data : "",
                                  .len = l->line.len,
                                  .number = ++l->number,
                                  .end = l->offset,
                                  .cut = cut,
                                  .whole = whole};
    }
    return CWM_OK;
}
