/* SPDX-License-Identifier: MIT */
/* lines.c -- reading lines: descriptor, perhaps unpacking, then cutting. */
#include "cwm/base/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/buf.h"
#include "cwm/base/cancel.h"

enum {
    BLOCK_BYTES = 1 << 17,
    CANCEL_POLL_MS = 100, /* how late a wait for input notices `cancel` */
    GZIP_WINDOW = 15 + 16 /* zlib: the largest window, gzip's header only */
};

struct block {
    char *data; /* owned; BLOCK_BYTES */
    size_t at, len;
};

struct lines {
    int fd; /* owned but for standard input */
    const char *name;
    const volatile int *cancel; /* borrowed or NULL */
    ZSTD_DStream *zstd;         /* owned; NULL: not zstd */
    z_stream *gzip;             /* owned; NULL: not gzip */
    bool is_open;               /* within a compressed frame */
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

/* Unpack some of l->raw behind what l->text has. */
static enum cwm_rc unpack_zstd(struct lines *l, struct cwm_err *err)
{
    ZSTD_outBuffer out = {.dst = l->text.data, .size = BLOCK_BYTES};
    ZSTD_inBuffer in = {l->raw.data, l->raw.len, l->raw.at};
    size_t left = ZSTD_decompressStream(l->zstd, &out, &in);

    if (ZSTD_isError(left)) {
        return CWM_FAIL(err, CWM_FORMAT, "cannot unpack '%s': %s", l->name,
                        ZSTD_getErrorName(left));
    }
    l->raw.at = in.pos;
    l->text.len = out.pos;
    l->is_open = left != 0;
    return CWM_OK;
}

/* The same; a file may be several gzip members one behind the other. */
static enum cwm_rc unpack_gzip(struct lines *l, struct cwm_err *err)
{
    int rc = l->is_open ? Z_OK : inflateReset(l->gzip);

    l->gzip->next_in = (Bytef *)l->raw.data + l->raw.at;
    l->gzip->avail_in = (uInt)(l->raw.len - l->raw.at);
    l->gzip->next_out = (Bytef *)l->text.data;
    l->gzip->avail_out = BLOCK_BYTES;
    if (rc == Z_OK) {
        rc = inflate(l->gzip, Z_NO_FLUSH);
    }
    if (rc == Z_MEM_ERROR) {
        return CWM_FAIL(err, CWM_NOMEM, "could not unpack '%s': no memory",
                        l->name);
    }
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
        return CWM_FAIL(err, CWM_FORMAT, "cannot unpack '%s': %s", l->name,
                        l->gzip->msg ? l->gzip->msg : zError(rc));
    }
    l->raw.at = l->raw.len - l->gzip->avail_in;
    l->text.len = BLOCK_BYTES - l->gzip->avail_out;
    l->is_open = rc != Z_STREAM_END;
    return CWM_OK;
}

/* Fill l->text anew from l->raw; len 0 at the end of the file. */
static enum cwm_rc unpack_block(struct lines *l, struct cwm_err *err)
{
    /* where all the room was used there may be more without more input */
    bool is_behind = l->is_open && l->text.len == BLOCK_BYTES;
    enum cwm_rc rc = CWM_OK;

    l->text.at = l->text.len = 0;
    while (rc == CWM_OK && l->text.len == 0) {
        if (l->raw.at == l->raw.len && !is_behind) {
            rc = read_block(l, err);
            if (rc != CWM_OK) {
                return rc;
            }
            if (l->raw.len == 0 && l->is_open) {
                return CWM_FAIL(err, CWM_FORMAT,
                                "cannot unpack '%s': it ends too early",
                                l->name);
            }
            if (l->raw.len == 0) {
                break;
            }
        }
        rc = l->zstd ? unpack_zstd(l, err) : unpack_gzip(l, err);
        is_behind = false;
    }
    return rc;
}

/* The block to take text from, refilled when it is used up. */
static enum cwm_rc next_block(struct lines *l, struct block **ret_block,
                              struct cwm_err *err)
{
    bool packed = l->zstd || l->gzip;
    struct block *b = packed ? &l->text : &l->raw;
    enum cwm_rc rc = CWM_OK;

    if (b->at == b->len) {
        rc = packed ? unpack_block(l, err) : read_block(l, err);
    }
    *ret_block = b;
    return rc;
}

static bool begins_with(const struct lines *l, const char *magic, size_t len)
{
    return l->raw.len >= len && memcmp(l->raw.data, magic, len) == 0;
}

static enum cwm_rc start_unpacking(struct lines *l, struct cwm_err *err)
{
    bool ok = true;

    if (begins_with(l, "\x28\xB5\x2F\xFD", 4)) {
        l->zstd = ZSTD_createDStream();
        ok = l->zstd != NULL;
    } else if (begins_with(l, "\x1F\x8B\x08", 3)) {
        l->gzip = cwm_calloc(1, sizeof *l->gzip);
        ok = l->gzip && inflateInit2(l->gzip, GZIP_WINDOW) == Z_OK;
    } else {
        return CWM_OK;
    }
    l->text.data = cwm_malloc(BLOCK_BYTES);
    if (!ok || !l->text.data) {
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
        rc = start_unpacking(l, err);
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
    if (l->gzip) {
        inflateEnd(l->gzip);
        cwm_free(l->gzip);
    }
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

enum cwm_rc lines_next_filled(struct lines *l, struct line *ret_line,
                              bool *ret_more, struct cwm_err *err)
{
    const struct line *line = ret_line;
    enum cwm_rc rc;

    do {
        rc = lines_next(l, ret_line, ret_more, err);
    } while (rc == CWM_OK && *ret_more && !line->cut &&
             strspn(line->text, " \t\r") == line->len);
    return rc;
}
