/* SPDX-License-Identifier: MIT */
/*
 * shard.h -- documents of token ids in files: what a model is trained on.
 *
 * A document is one trace (or any other text) as ids, each with a *class*
 * that says what kind of text it belongs to.  How much a class counts in
 * training is decided when shards are loaded (loader.h), not here.  This
 * module knows nothing of tokenizers but the hash of the one that made the
 * ids.
 *
 * Trust: shards are hostile bytes.  Everything is bounds-checked before use,
 * a document's hash covers its bytes and its row of the table, ids are
 * compared with n_ids.  A file shorter or longer than its header says is
 * refused.
 *
 * Format, version 1.  Numbers are little-endian.
 *     offset size  field
 *     0      8     magic "CWMSHRD\n"
 *     8      4     version: 1
 *     12     4     bytes of an id: 2 or 4
 *     16     8     hash of the tokenizer
 *     24     8     n_ids: every id is smaller
 *     32     8     documents
 *     40     8     tokens, of all documents
 *     48     8     bytes of the documents
 *     56     8     XXH3 of the table
 *     64     56    zero
 *     120    8     XXH3 of bytes 0..119
 *     128    ...   documents, one behind the other
 *     ...    24*n  the table: one row a document
 * A document: its ids, then its classes, 2 bits each, the first one lowest in
 * the first byte; the bits left over are zero.  A row: offset of the document
 * from byte 128, number of its tokens, XXH3 of its bytes with the seed
 * offset * 0x9E3779B97F4A7C15 + tokens.
 *
 * Threads: a writer is used by one at a time; a reader's functions may be
 * called by several at once.
 */
#ifndef DATASETS_SHARD_H
#define DATASETS_SHARD_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

#define SHARD_MAGIC        "CWMSHRD\n"
#define SHARD_VERSION      1u
#define SHARD_HEADER_BYTES 128u
#define SHARD_ROW_BYTES    24u

/* Longer documents are refused: 256 Mi tokens. */
#define SHARD_MAX_DOCUMENT_TOKENS (UINT64_C(1) << 28)

/*
 * What a token belongs to; the numbers are stored.  The token that says what
 * comes next (`<|line_sep|>`, `<|action_sep|>`, ...) has the class of what it
 * begins, the end of a frame that of what it ends, the end of the trace is an
 * observation: it stands where another frame could begin.
 */
enum shard_class {
    SHARD_CONTEXT = 0,     /* the program, and anything else that is given */
    SHARD_OBSERVATION = 1, /* which event, and its locals */
    SHARD_ACTION = 2,      /* the source line */
    SHARD_ARGUMENT = 3     /* what is returned or raised */
};

#define SHARD_N_CLASSES 4

struct shard_info {
    uint32_t id_bytes;       /* 2 or 4 */
    uint64_t tokenizer_hash; /* of what made the ids */
    uint64_t n_ids;          /* every id is smaller; at most 2^32 */
    uint64_t n_documents;
    uint64_t n_tokens;
    uint64_t content_hash; /* of the header, and so of all; set by reading */
};

/* ---- writing ---- */

struct shard_writer; /* opaque: shard_write.c */

/*
 * Start a shard beside `path` (copied); it has that name only once it is
 * whole and synced.  Of `info` tokenizer_hash and n_ids count: ids take 2
 * bytes where n_ids <= 65536.  Fails: CWM_IO, CWM_NOMEM.
 */
enum cwm_rc shard_writer_new(const char *path, const struct shard_info *info,
                             struct shard_writer **ret_writer,
                             struct cwm_err *err);
/* Gives up what is not finished; NULL is fine. */
void shard_writer_free(struct shard_writer *w);

/*
 * Append a document: ids[0..n) and classes[0..n), enum shard_class.  Fails:
 * CWM_USAGE (no token, an id or class out of range), CWM_LIMIT, CWM_IO,
 * CWM_NOMEM; only CWM_USAGE leaves a writer that can go on.
 */
enum cwm_rc shard_writer_add(struct shard_writer *w, const uint32_t *ids,
                             const uint8_t *classes, size_t n,
                             struct cwm_err *err);
/* What has been added so far. */
void shard_writer_info(const struct shard_writer *w,
                       struct shard_info *ret_info);

/* Put the shard in place; the writer can only be freed then.  Fails: CWM_IO. */
enum cwm_rc shard_writer_finish(struct shard_writer *w, struct cwm_err *err);

/* ---- reading ---- */

struct shard_reader; /* opaque: shard_read.c */

/* One document, as shard_read() fills it; zeroed is empty. */
struct shard_document {
    uint32_t *ids;    /* owned: shard_document_release() */
    uint8_t *classes; /* owned; enum shard_class */
    size_t n;         /* tokens */
    size_t capacity;  /* tokens that ids and classes have room for */
    uint8_t *raw;     /* owned: bytes as they are in the file */
    size_t raw_bytes; /* that raw has room for */
};
void shard_document_release(struct shard_document *d);

/*
 * Open a shard and check its header and length.  Fails: CWM_IO, CWM_FORMAT
 * (no shard, damaged, cut off, of another version), CWM_NOMEM.
 */
enum cwm_rc shard_reader_open(const char *path,
                              struct shard_reader **ret_reader,
                              struct cwm_err *err);
void shard_reader_close(struct shard_reader *r); /* NULL is fine */

const struct shard_info *shard_reader_info(const struct shard_reader *r);

/* How many tokens document `number` has.  Fails: CWM_IO, CWM_FORMAT. */
enum cwm_rc shard_reader_length(const struct shard_reader *r, uint64_t number,
                                uint64_t *ret_tokens, struct cwm_err *err);

/*
 * Read document `number`, below n_documents, and check it.  Fails: CWM_IO,
 * CWM_FORMAT (damaged), CWM_NOMEM.
 */
enum cwm_rc shard_read(const struct shard_reader *r, uint64_t number,
                       struct shard_document *document, struct cwm_err *err);

/* Read and check all of it, the table's hash too.  Fails as shard_read(). */
enum cwm_rc shard_check(const struct shard_reader *r, struct cwm_err *err);

#endif /* DATASETS_SHARD_H */
