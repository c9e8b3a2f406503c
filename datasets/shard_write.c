/* SPDX-License-Identifier: MIT */
/*
 * shard_write.c -- documents behind a header that is written last.
 *
 * The shard grows under the name PATH.partial; what a killed run leaves there
 * is written over by the next one.  Only the table is held in memory.
 */
#include "datasets/shard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "datasets/shard_bytes.h"

#define FLUSH_BYTES ((size_t)1 << 20)
/* 16 million documents in one shard. */
#define MAX_TABLE_BYTES ((size_t)SHARD_ROW_BYTES << 24)
#define MAX_DATA_BYTES  ((size_t)5 * SHARD_MAX_DOCUMENT_TOKENS)

struct shard_writer {
    struct shard_info info;
    char *path;           /* owned */
    char *temporary;      /* owned */
    int fd;               /* owned; -1 */
    struct cwm_buf data;  /* documents that wait to be written */
    struct cwm_buf table; /* rows */
    uint64_t data_bytes;  /* of all documents, the waiting ones included */
    bool failed;          /* the file is not what we think it is */
};

enum cwm_rc shard_writer_new(const char *path, const struct shard_info *info,
                             struct shard_writer **ret_writer,
                             struct cwm_err *err)
{
    static const uint8_t zeros[SHARD_HEADER_BYTES];
    struct shard_writer *w = cwm_calloc(1, sizeof *w); /* owned */
    size_t size = strlen(path) + sizeof ".partial";
    enum cwm_rc rc = CWM_OK;

    if (!w) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a shard");
    }
    w->fd = -1;
    cwm_buf_init(&w->data, FLUSH_BYTES + MAX_DATA_BYTES);
    cwm_buf_init(&w->table, MAX_TABLE_BYTES);
    w->info.tokenizer_hash = info->tokenizer_hash;
    w->info.n_ids = info->n_ids;
    w->info.id_bytes = info->n_ids <= 65536 ? 2 : 4;
    w->path = cwm_strdup(path);
    w->temporary = cwm_malloc(size);
    if (!w->path || !w->temporary) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
        goto out;
    }
    snprintf(w->temporary, size, "%s.partial", path);
    w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        rc = CWM_FAIL(err, CWM_IO, "could not open '%s': %s", w->temporary,
                      strerror(errno));
        goto out;
    }
    rc = io_write_all(w->fd, path, zeros, sizeof zeros, NULL, err);
    if (rc == CWM_OK) {
        *ret_writer = w;
        w = NULL;
    }
out:
    shard_writer_free(w);
    return rc;
}

void shard_writer_free(struct shard_writer *w)
{
    if (!w) {
        return;
    }
    if (w->fd >= 0 && w->temporary) {
        unlink(w->temporary); /* it was not finished */
        close(w->fd);
    }
    cwm_free(w->path);
    cwm_free(w->temporary);
    cwm_buf_release(&w->data);
    cwm_buf_release(&w->table);
    cwm_free(w);
}

void shard_writer_info(const struct shard_writer *w,
                       struct shard_info *ret_info)
{
    *ret_info = w->info;
}

static enum cwm_rc check_document(const struct shard_writer *w,
                                  const uint32_t *ids, const uint8_t *classes,
                                  size_t n, struct cwm_err *err)
{
    if (n == 0) {
        return CWM_FAIL(err, CWM_USAGE, "a document without a token");
    }
    if (n > SHARD_MAX_DOCUMENT_TOKENS) {
        return CWM_FAIL(err, CWM_LIMIT, "a document has %zu tokens, over %llu",
                        n, (unsigned long long)SHARD_MAX_DOCUMENT_TOKENS);
    }
    for (size_t i = 0; i < n; i++) {
        if (ids[i] >= w->info.n_ids || classes[i] >= SHARD_N_CLASSES) {
            return CWM_FAIL(err, CWM_USAGE,
                            "token %zu: there is no id %u of class %u", i,
                            ids[i], classes[i]);
        }
    }
    return CWM_OK;
}

/* The document's bytes at `to`, which is zeroed. */
static void put_document(uint8_t *to, uint32_t id_bytes, const uint32_t *ids,
                         const uint8_t *classes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        shard__put(to + i * id_bytes, ids[i], id_bytes);
    }
    to += n * id_bytes;
    for (size_t i = 0; i < n; i++) {
        to[i / 4] |= (uint8_t)(classes[i] << 2 * (i % 4));
    }
}

static enum cwm_rc flush(struct shard_writer *w, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    if (w->data.len > 0) {
        rc = io_write_all(w->fd, w->temporary, w->data.data, w->data.len, NULL,
                          err);
    }
    w->failed = w->failed || rc != CWM_OK;
    cwm_buf_clear(&w->data);
    return rc;
}

enum cwm_rc shard_writer_add(struct shard_writer *w, const uint32_t *ids,
                             const uint8_t *classes, size_t n,
                             struct cwm_err *err)
{
    size_t len = (size_t)shard__document_bytes(n, w->info.id_bytes);
    uint8_t row[SHARD_ROW_BYTES];
    uint8_t *to;
    enum cwm_rc rc = check_document(w, ids, classes, n, err);

    if (rc != CWM_OK) {
        return rc;
    }
    /* Room first: a document is there with its row or not at all. */
    if (cwm_buf_reserve(&w->data, len) != CWM_OK ||
        cwm_buf_reserve(&w->table, sizeof row) != CWM_OK) {
        return w->table.len + sizeof row > MAX_TABLE_BYTES
                   ? CWM_FAIL(err, CWM_LIMIT, "'%s': too many documents",
                              w->path)
                   : CWM_FAIL(err, CWM_NOMEM, "could not hold %zu tokens", n);
    }
    to = (uint8_t *)w->data.data + w->data.len;
    memset(to, 0, len);
    put_document(to, w->info.id_bytes, ids, classes, n);
    w->data.len += len;
    shard__put(row + SHARD_ROW_AT_OFFSET, w->data_bytes, 8);
    shard__put(row + SHARD_ROW_AT_TOKENS, n, 8);
    shard__put(row + SHARD_ROW_AT_HASH,
               shard__document_hash(to, len, w->data_bytes, n), 8);
    cwm_buf_add(&w->table, row, sizeof row);
    w->data_bytes += len;
    w->info.n_documents++;
    w->info.n_tokens += n;
    return w->data.len >= FLUSH_BYTES ? flush(w, err) : CWM_OK;
}

static void put_header(const struct shard_writer *w, uint8_t *header)
{
    const struct shard_info *info = &w->info;

    memset(header, 0, SHARD_HEADER_BYTES);
    memcpy(header, SHARD_MAGIC, 8);
    shard__put(header + SHARD_AT_VERSION, SHARD_VERSION, 4);
    shard__put(header + SHARD_AT_ID_BYTES, info->id_bytes, 4);
    shard__put(header + SHARD_AT_TOKENIZER, info->tokenizer_hash, 8);
    shard__put(header + SHARD_AT_N_IDS, info->n_ids, 8);
    shard__put(header + SHARD_AT_DOCUMENTS, info->n_documents, 8);
    shard__put(header + SHARD_AT_TOKENS, info->n_tokens, 8);
    shard__put(header + SHARD_AT_DATA_BYTES, w->data_bytes, 8);
    shard__put(header + SHARD_AT_TABLE_HASH,
               XXH3_64bits(w->table.data ? w->table.data : "", w->table.len),
               8);
    shard__put(header + SHARD_AT_HEADER_HASH,
               XXH3_64bits(header, SHARD_AT_HEADER_HASH), 8);
}

/* Behind the documents the table, before them the header, all synced. */
static enum cwm_rc write_rest(struct shard_writer *w, struct cwm_err *err)
{
    uint8_t header[SHARD_HEADER_BYTES];
    enum cwm_rc rc = flush(w, err);

    if (rc == CWM_OK && w->table.len > 0) {
        rc = io_write_all(w->fd, w->temporary, w->table.data, w->table.len,
                          NULL, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    put_header(w, header);
    if (lseek(w->fd, 0, SEEK_SET) != 0) {
        return CWM_FAIL(err, CWM_IO, "could not write '%s': %s", w->temporary,
                        strerror(errno));
    }
    rc = io_write_all(w->fd, w->temporary, header, sizeof header, NULL, err);
    if (rc == CWM_OK && fsync(w->fd) != 0) {
        rc = CWM_FAIL(err, CWM_IO, "could not write '%s': %s", w->temporary,
                      strerror(errno));
    }
    return rc;
}

enum cwm_rc shard_writer_finish(struct shard_writer *w, struct cwm_err *err)
{
    enum cwm_rc rc;

    if (w->failed || w->fd < 0) {
        return CWM_FAIL(err, CWM_IO, "could not write '%s' before", w->path);
    }
    rc = write_rest(w, err);
    w->failed = rc != CWM_OK;
    if (rc == CWM_OK && rename(w->temporary, w->path) != 0) {
        rc = CWM_FAIL(err, CWM_IO, "could not put '%s' in place: %s", w->path,
                      strerror(errno));
    }
    if (rc == CWM_OK) {
        close(w->fd);
        w->fd = -1;
        io_sync_folder_of(w->path);
    }
    return rc;
}
