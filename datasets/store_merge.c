/* SPDX-License-Identifier: MIT */
/* store_merge.c -- the rows of many stores into one. */
#include "datasets/store_merge.h"

#include <string.h>
#include <sys/stat.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"

enum {
    /* Programs to a transaction. */
    BATCH = 1000
};

struct merge {
    const struct store_merge_options *options;
    struct store_merge_stats *stats;
    struct store *out;             /* owned */
    struct store *in;              /* owned: the one at hand */
    struct codec_thread *packer;   /* owned: of out */
    struct codec_thread *unpacker; /* owned: of in */
    struct cwm_buf payload, packed;
    uint64_t n_in_batch;
};

/* The same in other words: packed by a dictionary of the other store. */
static enum cwm_rc repack(struct merge *m, struct store_trace *t,
                          struct cwm_err *err)
{
    enum cwm_rc rc = codec_unpack(m->unpacker, t->dictionary, t->data,
                                  t->data_len, &m->payload, err);

    if (rc == CWM_OK) {
        rc = codec_pack(m->packer, m->payload.data ? m->payload.data : "",
                        m->payload.len, &m->packed, &t->dictionary, err);
    }
    t->data = m->packed.data;
    t->data_len = m->packed.len;
    return rc;
}

static enum cwm_rc add_trace(struct merge *m, const struct store_program *to,
                             struct store_trace *t, struct cwm_err *err)
{
    struct store_setting setting;
    enum cwm_rc rc = store_setting(m->in, t->setting_id, &setting, err);

    if (rc == CWM_OK) {
        rc = store_add_setting(m->out, &setting, &t->setting_id, err);
    }
    if (rc == CWM_OK) {
        rc = repack(m, t, err);
    }
    t->program_id = to->id;
    m->stats->n_traces++;
    return rc == CWM_OK ? store_add_trace(m->out, t, err) : rc;
}

static enum cwm_rc add_traces(struct merge *m, const struct store_program *from,
                              const struct store_program *to,
                              struct cwm_err *err)
{
    struct store_cursor *c = NULL; /* owned */
    struct store_trace t;
    bool more = true;
    enum cwm_rc rc = store_traces(m->in, from->id, &c, err);

    while (rc == CWM_OK && more) {
        rc = store_trace_next(c, &t, &more, err);
        if (rc == CWM_OK && more) {
            rc = add_trace(m, to, &t, err);
        }
    }
    store_cursor_close(c);
    return rc;
}

static enum cwm_rc add_origins(struct merge *m,
                               const struct store_program *from,
                               const struct store_program *to,
                               struct cwm_err *err)
{
    struct store_cursor *c = NULL; /* owned */
    struct store_origin o;
    bool more = true;
    enum cwm_rc rc = store_origins(m->in, from->id, &c, err);

    while (rc == CWM_OK && more) {
        rc = store_origin_next(c, &o, &more, err);
        if (rc == CWM_OK && more) {
            rc = store_add_origin(m->out, to, &o, err);
        }
    }
    store_cursor_close(c);
    return rc;
}

static enum cwm_rc next_batch(struct merge *m, struct cwm_err *err)
{
    enum cwm_rc rc;

    if (cwm_is_cancelled(m->options->cancel)) {
        return CWM_FAIL(err, CWM_CANCELLED, "stopped on request");
    }
    if (m->n_in_batch++ < BATCH) {
        return CWM_OK;
    }
    m->n_in_batch = 0;
    rc = store_commit(m->out, err);
    m->options->on_progress(m->options->ctx, m->stats);
    return rc == CWM_OK ? store_begin(m->out, err) : rc;
}

static enum cwm_rc add_programs(struct merge *m, struct cwm_err *err)
{
    struct store_cursor *c = NULL; /* owned */
    struct store_program from;
    bool more = true;
    enum cwm_rc rc = store_programs(m->in, &c, err);

    while (rc == CWM_OK && more) {
        rc = store_program_next(c, &from, &more, err);
        if (rc == CWM_OK && more) {
            struct store_program to = from;

            rc = store_add_program(m->out, m->packer, &to, err);
            if (rc == CWM_OK && hash_compare(&to.hash, &from.hash) != 0) {
                rc = CWM_FAIL(err, CWM_FORMAT, "'%s' is damaged: program %lld",
                              store_path(m->in), (long long)from.id);
            }
            if (rc == CWM_OK) {
                rc = add_origins(m, &from, &to, err);
            }
            if (rc == CWM_OK) {
                rc = add_traces(m, &from, &to, err);
            }
            m->stats->n_programs++;
            if (rc == CWM_OK) {
                rc = next_batch(m, err);
            }
        }
    }
    store_cursor_close(c);
    return rc;
}

/* Last: an item that is noted says that its rows are there. */
static enum cwm_rc add_items(struct merge *m, struct cwm_err *err)
{
    struct store_cursor *c = NULL; /* owned */
    struct store_item item;
    bool more = true;
    enum cwm_rc rc = store_items(m->in, &c, err);

    while (rc == CWM_OK && more) {
        rc = store_item_next(c, &item, &more, err);
        if (rc == CWM_OK && more) {
            rc = store_add_item(m->out, &item, err);
        }
    }
    store_cursor_close(c);
    return rc;
}

static enum cwm_rc add_builds(struct merge *m, struct cwm_err *err)
{
    struct store_cursor *c = NULL; /* owned */
    struct store_build build;
    bool more = true;
    enum cwm_rc rc = store_builds(m->in, &c, err);

    while (rc == CWM_OK && more) {
        rc = store_build_next(c, &build, &more, err);
        if (rc == CWM_OK && more) {
            rc = store_add_build(m->out, &build, err);
        }
    }
    store_cursor_close(c);
    return rc;
}

static enum cwm_rc add_store(struct merge *m, const char *path,
                             struct cwm_err *err)
{
    enum cwm_rc rc = store_open(path, STORE_READ, &m->in, err);

    if (rc == CWM_OK) {
        rc = codec_thread_new(store_codec(m->in), &m->unpacker, err);
    }
    if (rc == CWM_OK) {
        rc = store_begin(m->out, err);
    }
    if (rc == CWM_OK) {
        rc = add_programs(m, err);
    }
    if (rc == CWM_OK) {
        rc = add_items(m, err);
    }
    if (rc == CWM_OK) {
        rc = add_builds(m, err);
    }
    if (rc == CWM_OK) {
        rc = store_commit(m->out, err);
    }
    codec_thread_free(m->unpacker);
    store_close(m->in);
    m->unpacker = NULL;
    m->in = NULL;
    return rc;
}

/* The first store's dictionaries serve the new one, too. */
static enum cwm_rc take_dictionary(struct merge *m, const char *path,
                                   struct cwm_err *err)
{
    struct store *in = NULL; /* owned */
    struct cwm_buf data;
    enum cwm_rc rc = store_open(path, STORE_READ, &in, err);
    uint32_t id = 0;

    cwm_buf_init(&data, CODEC_MAX_BYTES);
    if (rc == CWM_OK) {
        rc = store_last_dictionary(in, &data, err);
    }
    if (rc == CWM_OK && data.len > 0) {
        rc = store_begin(m->out, err);
        if (rc == CWM_OK) {
            rc = store_add_dictionary(m->out, data.data, data.len, &id, err);
        }
        if (rc == CWM_OK) {
            rc = store_commit(m->out, err);
        }
        if (rc == CWM_OK) {
            rc = codec_add(store_codec(m->out), id, data.data, data.len, err);
        }
    }
    cwm_buf_release(&data);
    store_close(in);
    return rc;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat x;
    struct stat y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

/* Every store must open before anything is written. */
static enum cwm_rc try_stores(const struct store_merge_options *o,
                              struct cwm_err *err)
{
    for (size_t i = 0; i < o->n_in; i++) {
        struct store *s = NULL; /* owned */
        enum cwm_rc rc = store_open(o->in_paths[i], STORE_READ, &s, err);

        store_close(s);
        if (rc != CWM_OK) {
            return rc;
        }
        if (is_same_file(o->in_paths[i], o->out_path)) {
            return CWM_FAIL(err, CWM_USAGE, "cannot merge '%s' into itself",
                            o->out_path);
        }
    }
    return CWM_OK;
}

enum cwm_rc store_merge(const struct store_merge_options *options,
                        struct store_merge_stats *stats, struct cwm_err *err)
{
    struct merge m = {.options = options, .stats = stats};
    enum cwm_rc rc;

    memset(stats, 0, sizeof *stats);
    stats->n_stores = options->n_in;
    cwm_buf_init(&m.payload, CODEC_MAX_BYTES);
    cwm_buf_init(&m.packed, SIZE_MAX / 2);
    rc = try_stores(options, err);
    if (rc == CWM_OK) {
        rc = store_open(options->out_path, STORE_MAKE, &m.out, err);
    }
    if (rc == CWM_OK && options->n_in > 0 &&
        codec_current(store_codec(m.out)) == 0) {
        rc = take_dictionary(&m, options->in_paths[0], err);
    }
    if (rc == CWM_OK) {
        rc = codec_thread_new(store_codec(m.out), &m.packer, err);
    }
    for (size_t i = 0; i < options->n_in && rc == CWM_OK; i++) {
        rc = add_store(&m, options->in_paths[i], err);
        stats->n_stores_done += rc == CWM_OK;
        options->on_progress(options->ctx, stats);
    }
    codec_thread_free(m.packer);
    cwm_buf_release(&m.payload);
    cwm_buf_release(&m.packed);
    store_close(m.out);
    return rc;
}
