/* SPDX-License-Identifier: MIT */
/*
 * shard_read.c -- shards are read by pread: nothing of a file stays in memory
 * but its header, however many there are.
 */
#include "datasets/shard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "datasets/shard_bytes.h"

/* The table is hashed in pieces. */
#define TABLE_BLOCK_BYTES ((size_t)SHARD_ROW_BYTES * 4096)

struct shard_reader {
    char *path; /* owned; for messages */
    int fd;     /* owned */
    struct shard_info info;
    uint64_t data_bytes; /* of all documents */
    uint64_t table_hash;
};

struct row {
    uint64_t offset; /* from the first document */
    uint64_t tokens;
    uint64_t hash;
};

static enum cwm_rc read_at(const struct shard_reader *r, void *to, size_t len,
                           uint64_t at, struct cwm_err *err)
{
    uint8_t *p = to;

    while (len > 0) {
        ssize_t n = pread(r->fd, p, len, (off_t)at);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return CWM_FAIL(err, CWM_IO, "could not read '%s': %s", r->path,
                            errno == EISDIR ? "it is a directory"
                                            : strerror(errno));
        }
        if (n == 0) {
            return CWM_FAIL(err, CWM_FORMAT, "cannot use '%s': it is cut off",
                            r->path);
        }
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return CWM_OK;
}

/* ---- the header ---- */

static enum cwm_rc damaged(const struct shard_reader *r, const char *what,
                           struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_FORMAT, "cannot use '%s': its %s damaged", r->path,
                    what);
}

static enum cwm_rc parse_header(struct shard_reader *r, const uint8_t *header,
                                struct cwm_err *err)
{
    struct shard_info *info = &r->info;
    uint64_t version = shard__get(header + SHARD_AT_VERSION, 4);

    if (memcmp(header, SHARD_MAGIC, 8) != 0) {
        return CWM_FAIL(err, CWM_FORMAT, "cannot use '%s': it is no shard",
                        r->path);
    }
    if (version != SHARD_VERSION) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use '%s': it is a shard of version %llu, not "
                        "%u",
                        r->path, (unsigned long long)version, SHARD_VERSION);
    }
    if (shard__get(header + SHARD_AT_HEADER_HASH, 8) !=
        XXH3_64bits(header, SHARD_AT_HEADER_HASH)) {
        return damaged(r, "header is", err);
    }
    info->content_hash = shard__get(header + SHARD_AT_HEADER_HASH, 8);
    info->id_bytes = (uint32_t)shard__get(header + SHARD_AT_ID_BYTES, 4);
    info->tokenizer_hash = shard__get(header + SHARD_AT_TOKENIZER, 8);
    info->n_ids = shard__get(header + SHARD_AT_N_IDS, 8);
    info->n_documents = shard__get(header + SHARD_AT_DOCUMENTS, 8);
    info->n_tokens = shard__get(header + SHARD_AT_TOKENS, 8);
    r->data_bytes = shard__get(header + SHARD_AT_DATA_BYTES, 8);
    r->table_hash = shard__get(header + SHARD_AT_TABLE_HASH, 8);
    return CWM_OK;
}

/* The numbers fit together, and the file is as long as they say. */
static enum cwm_rc check_sizes(const struct shard_reader *r,
                               struct cwm_err *err)
{
    const struct shard_info *info = &r->info;
    struct stat st;
    uint64_t whole;

    if ((info->id_bytes != 2 && info->id_bytes != 4) || info->n_ids == 0 ||
        info->n_ids > UINT64_C(1) << 8 * info->id_bytes ||
        r->data_bytes > INT64_MAX / 2 ||
        info->n_documents > INT64_MAX / 2 / SHARD_ROW_BYTES ||
        info->n_tokens > r->data_bytes) {
        return damaged(r, "sizes are", err);
    }
    whole = SHARD_HEADER_BYTES + r->data_bytes +
            info->n_documents * SHARD_ROW_BYTES;
    if (fstat(r->fd, &st) != 0) {
        return CWM_FAIL(err, CWM_IO, "could not read '%s': %s", r->path,
                        strerror(errno));
    }
    if ((uint64_t)st.st_size != whole) {
        return CWM_FAIL(
            err, CWM_FORMAT, "cannot use '%s': it is %s: %llu bytes of %llu",
            r->path, (uint64_t)st.st_size < whole ? "cut off" : "too long",
            (unsigned long long)st.st_size, (unsigned long long)whole);
    }
    return CWM_OK;
}

enum cwm_rc shard_reader_open(const char *path,
                              struct shard_reader **ret_reader,
                              struct cwm_err *err)
{
    struct shard_reader *r = cwm_calloc(1, sizeof *r); /* owned */
    uint8_t header[SHARD_HEADER_BYTES];
    enum cwm_rc rc = CWM_OK;

    if (!r) {
        return CWM_FAIL(err, CWM_NOMEM, "could not open a shard");
    }
    r->fd = -1;
    r->path = cwm_strdup(path);
    if (!r->path) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
        goto out;
    }
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0) {
        rc = CWM_FAIL(err, CWM_IO, "could not open '%s': %s", path,
                      strerror(errno));
        goto out;
    }
    rc = read_at(r, header, sizeof header, 0, err);
    if (rc == CWM_OK) {
        rc = parse_header(r, header, err);
    }
    if (rc == CWM_OK) {
        rc = check_sizes(r, err);
    }
    if (rc == CWM_OK) {
        *ret_reader = r;
        r = NULL;
    }
out:
    shard_reader_close(r);
    return rc;
}

void shard_reader_close(struct shard_reader *r)
{
    if (!r) {
        return;
    }
    if (r->fd >= 0) {
        close(r->fd);
    }
    cwm_free(r->path);
    cwm_free(r);
}

const struct shard_info *shard_reader_info(const struct shard_reader *r)
{
    return &r->info;
}

/* ---- documents ---- */

static enum cwm_rc damaged_document(const struct shard_reader *r,
                                    uint64_t number, const char *what,
                                    struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_FORMAT, "cannot use '%s': document %llu: %s",
                    r->path, (unsigned long long)number, what);
}

static enum cwm_rc check_row(const struct shard_reader *r, uint64_t number,
                             const struct row *row, struct cwm_err *err)
{
    if (row->tokens == 0 || row->tokens > SHARD_MAX_DOCUMENT_TOKENS ||
        row->offset > r->data_bytes ||
        shard__document_bytes(row->tokens, r->info.id_bytes) >
            r->data_bytes - row->offset) {
        return damaged_document(r, number, "its place is damaged", err);
    }
    return CWM_OK;
}

static struct row parse_row(const uint8_t *bytes)
{
    return (struct row){
        .offset = shard__get(bytes + SHARD_ROW_AT_OFFSET, 8),
        .tokens = shard__get(bytes + SHARD_ROW_AT_TOKENS, 8),
        .hash = shard__get(bytes + SHARD_ROW_AT_HASH, 8),
    };
}

static enum cwm_rc read_row(const struct shard_reader *r, uint64_t number,
                            struct row *ret_row, struct cwm_err *err)
{
    uint64_t at = SHARD_HEADER_BYTES + r->data_bytes + number * SHARD_ROW_BYTES;
    uint8_t bytes[SHARD_ROW_BYTES];
    enum cwm_rc rc;

    if (number >= r->info.n_documents) {
        return damaged_document(r, number, "there is none", err);
    }
    rc = read_at(r, bytes, sizeof bytes, at, err);
    if (rc == CWM_OK) {
        *ret_row = parse_row(bytes);
        rc = check_row(r, number, ret_row, err);
    }
    return rc;
}

enum cwm_rc shard_reader_length(const struct shard_reader *r, uint64_t number,
                                uint64_t *ret_tokens, struct cwm_err *err)
{
    struct row row;
    enum cwm_rc rc = read_row(r, number, &row, err);

    if (rc == CWM_OK) {
        *ret_tokens = row.tokens;
    }
    return rc;
}

void shard_document_release(struct shard_document *d)
{
    cwm_free(d->ids);
    cwm_free(d->classes);
    cwm_free(d->raw);
    *d = (struct shard_document){0};
}

static enum cwm_rc reserve(struct shard_document *d, size_t n, size_t raw_bytes,
                           struct cwm_err *err)
{
    size_t capacity = n + n / 4; /* the next one may be a little longer */

    if (!d->ids || n > d->capacity) {
        cwm_free(d->ids);
        cwm_free(d->classes);
        d->capacity = 0;
        d->ids = cwm_malloc(capacity * sizeof *d->ids);
        d->classes = cwm_malloc(capacity);
        if (!d->ids || !d->classes) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu tokens", n);
        }
        d->capacity = capacity;
    }
    if (!d->raw || raw_bytes > d->raw_bytes) {
        cwm_free(d->raw);
        d->raw_bytes = 0;
        d->raw = cwm_malloc(raw_bytes + raw_bytes / 4);
        if (!d->raw) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu tokens", n);
        }
        d->raw_bytes = raw_bytes + raw_bytes / 4;
    }
    return CWM_OK;
}

/* False: an id is too large (or there are no bytes, which cannot be). */
static bool decode(const struct shard_info *info, struct shard_document *d)
{
    const uint8_t *at = d->raw;
    uint32_t largest = 0;

    if (!at) {
        return false;
    }
    for (size_t i = 0; i < d->n; i++, at += info->id_bytes) {
        d->ids[i] = (uint32_t)shard__get(at, info->id_bytes);
        largest = d->ids[i] > largest ? d->ids[i] : largest;
    }
    for (size_t i = 0; i < d->n; i++) {
        d->classes[i] = at[i / 4] >> 2 * (i % 4) & 3;
    }
    return largest < info->n_ids;
}

enum cwm_rc shard_read(const struct shard_reader *r, uint64_t number,
                       struct shard_document *document, struct cwm_err *err)
{
    struct row row;
    size_t len;
    enum cwm_rc rc = read_row(r, number, &row, err);

    if (rc != CWM_OK) {
        return rc;
    }
    document->n = 0;
    len = (size_t)shard__document_bytes(row.tokens, r->info.id_bytes);
    rc = reserve(document, (size_t)row.tokens, len, err);
    if (rc == CWM_OK) {
        rc = read_at(r, document->raw, len, SHARD_HEADER_BYTES + row.offset,
                     err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (shard__document_hash(document->raw, len, row.offset, row.tokens) !=
        row.hash) {
        return damaged_document(r, number, "its bytes are damaged", err);
    }
    document->n = (size_t)row.tokens;
    if (!decode(&r->info, document)) {
        document->n = 0;
        return damaged_document(r, number, "an id is too large", err);
    }
    return CWM_OK;
}

static enum cwm_rc check_table(const struct shard_reader *r,
                               struct cwm_err *err)
{
    uint64_t at = SHARD_HEADER_BYTES + r->data_bytes;
    uint64_t left = r->info.n_documents * SHARD_ROW_BYTES;
    XXH3_state_t *state = XXH3_createState();       /* owned */
    uint8_t *block = cwm_malloc(TABLE_BLOCK_BYTES); /* owned */
    enum cwm_rc rc = CWM_OK;

    if (!state || !block) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not check '%s'", r->path);
    } else {
        XXH3_64bits_reset(state);
    }
    while (rc == CWM_OK && left > 0) {
        size_t n = left < TABLE_BLOCK_BYTES ? (size_t)left : TABLE_BLOCK_BYTES;

        rc = read_at(r, block, n, at, err);
        if (rc == CWM_OK) {
            XXH3_64bits_update(state, block, n);
        }
        at += n;
        left -= n;
    }
    if (rc == CWM_OK && XXH3_64bits_digest(state) != r->table_hash) {
        rc = damaged(r, "table is", err);
    }
    XXH3_freeState(state);
    cwm_free(block);
    return rc;
}

enum cwm_rc shard_check(const struct shard_reader *r, struct cwm_err *err)
{
    struct shard_document document = {0};
    uint64_t n_tokens = 0;
    enum cwm_rc rc = check_table(r, err);

    for (uint64_t i = 0; rc == CWM_OK && i < r->info.n_documents; i++) {
        rc = shard_read(r, i, &document, err);
        n_tokens += document.n;
    }
    if (rc == CWM_OK && n_tokens != r->info.n_tokens) {
        rc = damaged(r, "count of tokens is", err);
    }
    shard_document_release(&document);
    return rc;
}
