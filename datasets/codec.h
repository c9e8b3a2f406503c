/* SPDX-License-Identifier: MIT */
/*
 * codec.h -- the store's compression: zstd with dictionaries that it trains.
 *
 * A trace is a few kilobytes, and what repeats in it (names, shapes of
 * records) repeats from trace to trace, so a dictionary that was trained on
 * the first ones is worth more than a higher level.  Blobs name their
 * dictionary by its id in the store; 0 is none.
 *
 * Threads: a codec may be used by many threads at once, each with a
 * codec_thread of its own; codec_add() by one at a time.
 */
#ifndef DATASETS_CODEC_H
#define DATASETS_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

#define CODEC_MAX_DICTIONARIES 64
/* A blob never unpacks to more: a trace's records, its output, its input. */
#define CODEC_MAX_BYTES (512UL << 20)

struct codec;        /* opaque: the dictionaries */
struct codec_thread; /* opaque: one thread's working memory */

enum cwm_rc codec_new(struct codec **ret_codec, struct cwm_err *err);
void codec_free(struct codec *c); /* NULL is fine */

/* Make dictionary `id` (1 or more) known; data is copied.  The one with the
 * highest id is what codec_pack() uses from then on. */
enum cwm_rc codec_add(struct codec *c, uint32_t id, const void *data,
                      size_t len, struct cwm_err *err);
uint32_t codec_current(const struct codec *c); /* 0: none yet */

enum cwm_rc codec_thread_new(const struct codec *c, struct codec_thread **ret,
                             struct cwm_err *err);
void codec_thread_free(struct codec_thread *t); /* NULL is fine */

/* Replaces the content of `out`; *ret_dictionary is what it was packed with. */
enum cwm_rc codec_pack(struct codec_thread *t, const void *data, size_t len,
                       struct cwm_buf *out, uint32_t *ret_dictionary,
                       struct cwm_err *err);
/*
 * Replaces the content of `out`.  Fails: CWM_FORMAT (damaged, or larger than
 * out->max_bytes says), CWM_MISSING (no such dictionary), CWM_NOMEM.
 */
enum cwm_rc codec_unpack(struct codec_thread *t, uint32_t dictionary,
                         const void *data, size_t len, struct cwm_buf *out,
                         struct cwm_err *err);

/*
 * Train a dictionary of at most max_bytes on n samples that lie one behind
 * the other in `samples`; the same samples give the same dictionary.
 * CWM_LIMIT: they are too few or too alike.
 */
enum cwm_rc codec_train(const void *samples, const size_t *sample_bytes,
                        unsigned n, size_t max_bytes, struct cwm_buf *out,
                        struct cwm_err *err);

#endif /* DATASETS_CODEC_H */
