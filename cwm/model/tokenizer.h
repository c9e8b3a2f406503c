/* SPDX-License-Identifier: MIT */
/*
 * tokenizer.h -- text to token ids and back: byte-level BPE.
 *
 * Two file forms are read, told apart by their content:
 * - Hugging Face `tokenizer.json` (model BPE, byte-level alphabet, Split and
 *   ByteLevel pre-tokenizers, added tokens);
 * - tiktoken `tokenizer.model`: lines of base64 and rank.  The pattern is
 *   Llama 3's, and behind the ranks come CWM's 256 special tokens.
 *
 * How text becomes ids: it is cut into pieces by the file's regular
 * expression; a piece that is a token is that token (where the file says so:
 * ignore_merges, and always for tiktoken); any other starts as bytes, and of
 * the adjacent pairs the one with the lowest rank, leftmost first, is merged
 * until none is left.
 *
 * Any bytes can be encoded, and decoding gives the very bytes again.  Bytes
 * that are not UTF-8 (libraries that take only text have no answer there) are
 * pieces of their own, as long as they follow each other.
 *
 * Special (added) tokens are found in text only on request: a program's own
 * text can never produce one.  Who writes a trace puts their ids in place by
 * tokenizer_special().
 *
 * Trust: the files are hostile.  Regular expressions from a file run under
 * PCRE2's match limit.
 *
 * Threads: a tokenizer does not change once it is there and is shared; each
 * thread has an encoder of its own.
 */
#ifndef CWM_MODEL_TOKENIZER_H
#define CWM_MODEL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

struct tokenizer;         /* opaque: tokenizer_internal.h */
struct tokenizer_encoder; /* opaque: tokenizer_encode.c */

/* A growable list of ids; zeroed is empty. */
struct token_ids {
    uint32_t *ids; /* owned: token_ids_release() */
    size_t n;
    size_t capacity;
};

void token_ids_release(struct token_ids *ids);
enum cwm_rc token_ids_add(struct token_ids *ids, uint32_t id,
                          struct cwm_err *err);

/*
 * On success *ret_tokenizer is owned by the caller: tokenizer_free().  Fails:
 * CWM_IO, CWM_FORMAT (no such file form, damaged, or a feature that is not
 * supported: the message names it), CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc tokenizer_load(const char *path, struct tokenizer **ret_tokenizer,
                           struct cwm_err *err);
/* The same from memory, which is copied. */
enum cwm_rc tokenizer_parse(const char *data, size_t len,
                            struct tokenizer **ret_tokenizer,
                            struct cwm_err *err);
void tokenizer_free(struct tokenizer *t); /* NULL is fine */

/* One more than the largest id: what a model's vocabulary must hold. */
uint32_t tokenizer_n_ids(const struct tokenizer *t);
/* How many tokens are made from text, and how many are special. */
uint32_t tokenizer_n_text(const struct tokenizer *t);
uint32_t tokenizer_n_special(const struct tokenizer *t);

/* The id of a special token by its text; false when there is none. */
bool tokenizer_special(const struct tokenizer *t, const char *text, size_t len,
                       uint32_t *ret_id);

/*
 * The bytes of one token (borrowed from the tokenizer).  False: no token has
 * this id.
 */
bool tokenizer_token(const struct tokenizer *t, uint32_t id,
                     const char **ret_bytes, size_t *ret_len,
                     bool *ret_is_special);

/*
 * A hash over everything that decides ids: shards carry it, so that those of
 * another tokenizer are refused.  The two file forms of one vocabulary have
 * different hashes.
 */
uint64_t tokenizer_hash(const struct tokenizer *t);

/* `t` is borrowed and must outlive the encoder.  Fails: CWM_NOMEM. */
enum cwm_rc tokenizer_encoder_new(const struct tokenizer *t,
                                  struct tokenizer_encoder **ret_encoder,
                                  struct cwm_err *err);
void tokenizer_encoder_free(struct tokenizer_encoder *e); /* NULL is fine */

/*
 * Append the ids of text[0..len) to *out; with `special` the special tokens
 * that stand in the text become their ids, the longest where several begin
 * at one place.  On failure *out is as it was.  Fails: CWM_LIMIT (the file's
 * regular expression gave up), CWM_NOMEM.
 */
enum cwm_rc tokenizer_encode(struct tokenizer_encoder *e, const char *text,
                             size_t len, bool special, struct token_ids *out,
                             struct cwm_err *err);

/*
 * Append the bytes of ids[0..n) to `out`.  Special tokens give their text.
 * Fails: CWM_FORMAT (an id that no token has), CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc tokenizer_decode(const struct tokenizer *t, const uint32_t *ids,
                             size_t n, struct cwm_buf *out,
                             struct cwm_err *err);

/*
 * Write a `tokenizer.json` that Hugging Face's tokenizers library loads.
 * Fails: CWM_USAGE (the tokenizer came from a tiktoken file, which holds no
 * list of merges), CWM_LIMIT, CWM_NOMEM.
 */
enum cwm_rc tokenizer_write_json(const struct tokenizer *t, struct cwm_buf *out,
                                 struct cwm_err *err);

#endif /* CWM_MODEL_TOKENIZER_H */
