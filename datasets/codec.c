/* SPDX-License-Identifier: MIT */
/*
 * codec.c -- zstd with dictionaries.
 *
 * The table of dictionaries only grows, and `current` is stored last and with
 * release order, so a thread that sees an id sees its dictionary too.
 */
#include "datasets/codec.h"

#include <string.h>
#include <zdict.h>
#include <zstd.h>

#include "cwm/base/alloc.h"

enum {
    /* Level 3 packs records to within 6 % of level 9 at a quarter of the
     * time: storing must stay cheap beside tracing. */
    LEVEL = 3
};

struct dictionary {
    ZSTD_CDict *pack;   /* owned */
    ZSTD_DDict *unpack; /* owned */
};

struct codec {
    struct dictionary dictionaries[CODEC_MAX_DICTIONARIES + 1]; /* by id */
    uint32_t current;
};

struct codec_thread {
    const struct codec *codec; /* borrowed */
    ZSTD_CCtx *pack;           /* owned */
    ZSTD_DCtx *unpack;         /* owned */
};

enum cwm_rc codec_new(struct codec **ret_codec, struct cwm_err *err)
{
    struct codec *c = cwm_calloc(1, sizeof *c);

    if (!c) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a codec");
    }
    *ret_codec = c;
    return CWM_OK;
}

void codec_free(struct codec *c)
{
    if (!c) {
        return;
    }
    for (size_t i = 0; i <= CODEC_MAX_DICTIONARIES; i++) {
        ZSTD_freeCDict(c->dictionaries[i].pack);
        ZSTD_freeDDict(c->dictionaries[i].unpack);
    }
    cwm_free(c);
}

enum cwm_rc codec_add(struct codec *c, uint32_t id, const void *data,
                      size_t len, struct cwm_err *err)
{
    struct dictionary *d;

    if (id == 0 || id > CODEC_MAX_DICTIONARIES) {
        return CWM_FAIL(err, CWM_FORMAT, "there is no dictionary %u", id);
    }
    d = &c->dictionaries[id];
    if (d->pack) {
        return CWM_OK;
    }
    d->unpack = ZSTD_createDDict(data, len);
    d->pack = ZSTD_createCDict(data, len, LEVEL);
    if (!d->pack || !d->unpack) {
        ZSTD_freeCDict(d->pack);
        ZSTD_freeDDict(d->unpack);
        *d = (struct dictionary){NULL, NULL};
        return CWM_FAIL(err, CWM_NOMEM, "could not load dictionary %u", id);
    }
    if (id > c->current) {
        __atomic_store_n(&c->current, id, __ATOMIC_RELEASE);
    }
    return CWM_OK;
}

uint32_t codec_current(const struct codec *c)
{
    return __atomic_load_n(&c->current, __ATOMIC_ACQUIRE);
}

enum cwm_rc codec_thread_new(const struct codec *c, struct codec_thread **ret,
                             struct cwm_err *err)
{
    struct codec_thread *t = cwm_calloc(1, sizeof *t);

    if (t) {
        t->codec = c;
        t->pack = ZSTD_createCCtx();
        t->unpack = ZSTD_createDCtx();
    }
    if (!t || !t->pack || !t->unpack) {
        codec_thread_free(t);
        return CWM_FAIL(err, CWM_NOMEM, "could not make a packer");
    }
    *ret = t;
    return CWM_OK;
}

void codec_thread_free(struct codec_thread *t)
{
    if (t) {
        ZSTD_freeCCtx(t->pack);
        ZSTD_freeDCtx(t->unpack);
        cwm_free(t);
    }
}

enum cwm_rc codec_pack(struct codec_thread *t, const void *data, size_t len,
                       struct cwm_buf *out, uint32_t *ret_dictionary,
                       struct cwm_err *err)
{
    uint32_t id = codec_current(t->codec);
    size_t n;

    cwm_buf_clear(out);
    if (cwm_buf_reserve(out, ZSTD_compressBound(len)) != CWM_OK) {
        return CWM_FAIL(err, CWM_NOMEM, "could not pack %zu bytes", len);
    }
    if (id > 0) {
        n = ZSTD_compress_usingCDict(t->pack, out->data, out->capacity, data,
                                     len, t->codec->dictionaries[id].pack);
    } else {
        n = ZSTD_compressCCtx(t->pack, out->data, out->capacity, data, len,
                              LEVEL);
    }
    if (ZSTD_isError(n)) {
        return CWM_FAIL(err, CWM_NOMEM, "could not pack %zu bytes: %s", len,
                        ZSTD_getErrorName(n));
    }
    out->len = n;
    *ret_dictionary = id;
    return CWM_OK;
}

enum cwm_rc codec_unpack(struct codec_thread *t, uint32_t dictionary,
                         const void *data, size_t len, struct cwm_buf *out,
                         struct cwm_err *err)
{
    unsigned long long size = ZSTD_getFrameContentSize(data, len);
    size_t n;

    cwm_buf_clear(out);
    if (dictionary > CODEC_MAX_DICTIONARIES ||
        (dictionary > 0 && !t->codec->dictionaries[dictionary].unpack)) {
        return CWM_FAIL(err, CWM_MISSING, "dictionary %u is not there",
                        dictionary);
    }
    if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
        size > out->max_bytes) {
        return CWM_FAIL(err, CWM_FORMAT, "the packed data is damaged");
    }
    if (cwm_buf_reserve(out, (size_t)size) != CWM_OK) {
        return CWM_FAIL(err, CWM_NOMEM, "could not unpack %llu bytes", size);
    }
    if (dictionary > 0) {
        n = ZSTD_decompress_usingDDict(
            t->unpack, out->data, (size_t)size, data, len,
            t->codec->dictionaries[dictionary].unpack);
    } else {
        n = ZSTD_decompressDCtx(t->unpack, out->data, (size_t)size, data, len);
    }
    if (ZSTD_isError(n) || n != size) {
        return CWM_FAIL(err, CWM_FORMAT, "the packed data is damaged: %s",
                        ZSTD_isError(n) ? ZSTD_getErrorName(n)
                                        : "it is too short");
    }
    out->len = n;
    if (out->data) {
        out->data[n] = '\0';
    }
    return CWM_OK;
}

enum cwm_rc codec_train(const void *samples, const size_t *sample_bytes,
                        unsigned n, size_t max_bytes, struct cwm_buf *out,
                        struct cwm_err *err)
{
    size_t len;

    cwm_buf_clear(out);
    if (cwm_buf_reserve(out, max_bytes) != CWM_OK) {
        return CWM_FAIL(err, CWM_NOMEM, "could not train a dictionary");
    }
    len = ZDICT_trainFromBuffer(out->data, max_bytes, samples, sample_bytes, n);
    if (ZDICT_isError(len)) {
        return CWM_FAIL(err, CWM_LIMIT, "could not train a dictionary: %s",
                        ZDICT_getErrorName(len));
    }
    out->len = len;
    return CWM_OK;
}
