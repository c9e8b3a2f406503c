/* SPDX-License-Identifier: MIT */
/*
 * build.c -- the pipeline from sources to a store.
 *
 * read: the next item of this shard that is not dealt with.  work: trace it
 * (build_work.c).  write: add its rows; a transaction is closed about every
 * second, and the first traces are kept to train a dictionary on.
 */
#include "datasets/build.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cwm/base/alloc.h"
#include "cwm/base/pipeline.h"
#include "datasets/build_internal.h"
#include "datasets/build_rows.h"
#include "datasets/sources.h"

enum {
    /* Items ahead of the oldest one, so that others go on beside a slow one. */
    WINDOW = 1024,
    BUDGET_BYTES = 128 << 20,
    /* How much may be lost by a stop, in time. */
    COMMIT_MS = 1000,
    /* zstd advises samples of a hundred times the dictionary's size. */
    DICTIONARY_BYTES = 64 << 10,
    SAMPLES_BYTES = 6 << 20,
    MAX_SAMPLES = 4096,
    MIN_SAMPLES = 64
};

struct build {
    const struct build_options *options;
    struct build_stats *stats;
    struct store *store;           /* owned: the writer's */
    struct store *known;           /* owned: the reader's, to look items up */
    struct sources *sources;       /* owned */
    struct sources_suites suites;  /* how the sources run tests */
    struct codec_thread *packer;   /* owned: the writer's */
    struct hasher *hasher;         /* owned: the reader's */
    struct hash how;               /* of all options that items depend on */
    struct build__thread *threads; /* owned */
    pthread_rwlock_t runs;         /* the threads' */
    uint64_t n_read;               /* items, of all shards */
    bool is_open;                  /* a transaction is */
    struct timespec opened;
    struct cwm_buf samples;
    size_t sample_bytes[MAX_SAMPLES];
    unsigned n_samples;
};

/* ---- reading ---- */

static bool is_ours(const struct build *b, uint64_t number)
{
    return number % b->options->n_shards == b->options->shard - 1;
}

static struct hash item_hash(struct build *b, const struct source_item *item)
{
    hasher_reset(b->hasher);
    hasher_add_hash(b->hasher, &b->how);
    hasher_add_number(b->hasher, item->kind);
    hasher_add_text(b->hasher, item->source);
    hasher_add_text(b->hasher, item->name);
    hasher_add_text(b->hasher, item->commit);
    hasher_add_text(b->hasher, item->skip);
    hasher_add(b->hasher, item->data ? item->data : "", item->len);
    return hasher_end(b->hasher);
}

/* The next item that is to be dealt with by us, now. */
static enum cwm_rc next_item(struct build *b, struct source_item *item,
                             struct hash *hash, bool *ret_more,
                             struct cwm_err *err)
{
    uint64_t limit = b->options->limit;
    bool has = true;
    enum cwm_rc rc = CWM_OK;

    while (rc == CWM_OK && has) {
        *ret_more = false;
        if (limit > 0 && b->n_read == limit) {
            return CWM_OK;
        }
        rc = sources_next(b->sources, item, ret_more, err);
        if (rc != CWM_OK || !*ret_more) {
            return rc;
        }
        b->n_read++;
        if (!is_ours(b, item->number)) {
            continue;
        }
        *hash = item_hash(b, item);
        rc = store_has_item(b->known, hash, &has, err);
        /* only this thread counts those, and only the writer shows them */
        __atomic_add_fetch(&b->stats->n_there, has, __ATOMIC_RELAXED);
    }
    return rc;
}

static enum cwm_rc read_step(void *ctx, struct pipeline_item *out,
                             bool *ret_more, struct cwm_err *err)
{
    struct build *b = ctx;
    struct build__note *note = out->note;
    struct source_item item;
    enum cwm_rc rc = next_item(b, &item, &note->item, ret_more, err);

    if (rc != CWM_OK || !*ret_more) {
        return rc;
    }
    build_rows_put_number(&out->in, item.kind);
    build_rows_put_number(&out->in, item.number);
    build_rows_put_number(&out->in, item.line);
    build_rows_put_text(&out->in, item.source);
    build_rows_put_text(&out->in, item.folder);
    build_rows_put_text(&out->in, item.name);
    build_rows_put_text(&out->in, item.commit);
    build_rows_put_text(&out->in, item.skip);
    build_rows_put(&out->in, item.data ? item.data : "", item.len);
    return cwm_buf_check(&out->in, "an item", err);
}

static struct source_item unpack_item(const struct cwm_buf *in)
{
    struct source_item item = {.kind = STORE_KIND_FILE};
    size_t at = 0;
    size_t len;

    item.kind = (enum store_kind)build_rows_get_number(in, &at);
    item.number = build_rows_get_number(in, &at);
    item.line = build_rows_get_number(in, &at);
    item.source = build_rows_get(in, &at, &len);
    item.folder = build_rows_get(in, &at, &len);
    item.name = build_rows_get(in, &at, &len);
    item.commit = build_rows_get(in, &at, &len);
    item.skip = build_rows_get(in, &at, &len);
    item.data = build_rows_get(in, &at, &item.len);
    return item;
}

static enum cwm_rc work_step(void *ctx, unsigned thread,
                             struct pipeline_item *item, struct cwm_err *err)
{
    struct build *b = ctx;
    struct build__thread *t = &b->threads[thread];
    struct source_item source = unpack_item(&item->in);
    enum cwm_rc rc;

    t->note = item->note;
    t->rows = &item->out;
    rc = build__work(t, &source, err);
    if (rc != CWM_OK && rc != CWM_CANCELLED) {
        cwm_err_context(err, "%s, %s", source.source, source.name);
    }
    return rc;
}

/* ---- writing ---- */

static bool is_time_to_commit(const struct build *b)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - b->opened.tv_sec) * 1000 +
               (now.tv_nsec - b->opened.tv_nsec) / 1000000 >=
           COMMIT_MS;
}

static enum cwm_rc need_transaction(struct build *b, struct cwm_err *err)
{
    enum cwm_rc rc;

    if (b->is_open) {
        return CWM_OK;
    }
    rc = store_begin(b->store, err);
    b->is_open = rc == CWM_OK;
    clock_gettime(CLOCK_MONOTONIC, &b->opened);
    return rc;
}

static enum cwm_rc close_transaction(struct build *b, struct cwm_err *err)
{
    if (!b->is_open) {
        return CWM_OK;
    }
    b->is_open = false;
    return store_commit(b->store, err);
}

/* Too few samples, or too alike: the store goes on without a dictionary. */
static enum cwm_rc train(struct build *b, struct cwm_err *err)
{
    struct cwm_buf dictionary;
    uint32_t id = 0;
    enum cwm_rc rc;

    cwm_buf_init(&dictionary, DICTIONARY_BYTES);
    rc = codec_train(b->samples.data, b->sample_bytes, b->n_samples,
                     DICTIONARY_BYTES, &dictionary, NULL);
    if (rc == CWM_OK) {
        rc = store_add_dictionary(b->store, dictionary.data, dictionary.len,
                                  &id, err);
        if (rc == CWM_OK) {
            rc =
                close_transaction(b, err); /* before anything is packed by it */
        }
        if (rc == CWM_OK) {
            rc = codec_add(store_codec(b->store), id, dictionary.data,
                           dictionary.len, err);
        }
    } else if (rc == CWM_LIMIT) {
        rc = CWM_OK;
    }
    cwm_buf_release(&dictionary);
    cwm_buf_release(&b->samples);
    b->n_samples = MAX_SAMPLES;
    return rc;
}

static void take_sample(struct build *b, const struct build_row *row)
{
    if (row->sample && b->n_samples < MAX_SAMPLES && row->sample_len > 0 &&
        cwm_buf_add(&b->samples, row->sample, row->sample_len) == CWM_OK) {
        b->sample_bytes[b->n_samples++] = row->sample_len;
    }
}

static bool has_enough_samples(const struct build *b)
{
    return codec_current(store_codec(b->store)) == 0 &&
           b->n_samples >= MIN_SAMPLES && b->samples.data &&
           (b->samples.len >= SAMPLES_BYTES || b->n_samples == MAX_SAMPLES);
}

static enum cwm_rc add_rows(struct build *b, const struct cwm_buf *rows,
                            struct cwm_err *err)
{
    struct store_program program = {.id = 0};
    struct build_row row;
    size_t at = 0;
    enum cwm_rc rc = CWM_OK;

    while (rc == CWM_OK && build_rows_next(rows, &at, &row)) {
        if (row.is_program) {
            program.text = row.text;
            program.len = row.text_len;
            rc = store_add_program(b->store, b->packer, &program, err);
            if (rc == CWM_OK) {
                rc = store_add_origin(b->store, &program, &row.origin, err);
            }
        } else {
            row.trace.program_id = program.id;
            rc = store_add_setting(b->store, &row.setting,
                                   &row.trace.setting_id, err);
            if (rc == CWM_OK) {
                rc = store_add_trace(b->store, &row.trace, err);
            }
            take_sample(b, &row);
        }
    }
    return rc;
}

static void count(struct build *b, const struct build__note *note)
{
    struct build_stats *s = b->stats;

    s->n_passed++;
    s->n_programs += note->n_programs;
    s->n_traces += note->n_traces;
    s->n_frames += note->n_frames;
    s->n_unstable += note->n_unstable;
    s->cpu_trace_us += note->cpu_trace_us;
    s->cpu_store_us += note->cpu_store_us;
    for (int i = 0; i < BUILD_N_VERDICTS; i++) {
        s->n_verdicts[i] += note->n_verdicts[i];
    }
}

static enum cwm_rc write_step(void *ctx, struct pipeline_item *item,
                              struct cwm_err *err)
{
    struct build *b = ctx;
    struct build__note *note = item->note;
    struct source_item source = unpack_item(&item->in);
    struct store_item done = {.hash = note->item,
                              .source = source.source,
                              .name = source.name,
                              .skip = note->skip[0] ? note->skip : NULL,
                              .n_programs = note->n_programs,
                              .n_traces = note->n_traces};
    uint64_t start = build__cpu_us();
    enum cwm_rc rc = need_transaction(b, err);

    if (rc == CWM_OK) {
        rc = add_rows(b, &item->out, err);
    }
    if (rc == CWM_OK) {
        rc = store_add_item(b->store, &done, err);
    }
    if (rc == CWM_OK && has_enough_samples(b)) {
        rc = train(b, err);
    }
    if (rc == CWM_OK && is_time_to_commit(b)) {
        rc = close_transaction(b, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    note->cpu_store_us += build__cpu_us() - start;
    count(b, note);
    if (done.skip) {
        b->stats->n_skipped++;
        b->options->on_skip(b->options->ctx, &done);
    }
    b->options->on_progress(b->options->ctx, b->stats);
    return CWM_OK;
}

static void tick_step(void *ctx)
{
    struct build *b = ctx;

    b->options->on_progress(b->options->ctx, b->stats);
}

/* ---- set-up ---- */

/* All that the rows of an item follow from, besides the item. */
static struct hash hash_options(struct build *b, const char *python)
{
    const struct build_options *o = b->options;
    struct store_setting setting = {
        .python = python, .seed = 0, .limits = o->limits};
    struct hash hash = store_setting_hash(b->hasher, &setting);

    hasher_reset(b->hasher);
    hasher_add_hash(b->hasher, &hash);
    hasher_add_number(b->hasher, o->seed);
    hasher_add_number(b->hasher, o->max_inputs);
    hasher_add_number(b->hasher, o->max_mutants);
    hasher_add_number(b->hasher, o->exception_permille);
    hasher_add(b->hasher, &o->generate, sizeof o->generate);
    return hasher_end(b->hasher);
}

static enum cwm_rc open_threads(struct build *b, struct cwm_err *err)
{
    const struct build_options *o = b->options;
    enum cwm_rc rc = CWM_OK;

    b->threads = cwm_calloc(o->n_workers, sizeof *b->threads);
    if (!b->threads) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make %u workers",
                        o->n_workers);
    }
    for (unsigned i = 0; i < o->n_workers && rc == CWM_OK; i++) {
        rc = build__thread_init(&b->threads[i], o, store_codec(b->store), err);
        b->threads[i].runs = &b->runs;
    }
    if (rc == CWM_OK) {
        rc = tracer_slot_need(&b->threads[0].slot, o->limits.max_trace_bytes,
                              err);
    }
    if (rc == CWM_OK) {
        snprintf(b->stats->python, sizeof b->stats->python, "%s",
                 tracer_python(b->threads[0].slot.tracer));
        b->how = hash_options(b, b->stats->python);
    }
    return rc;
}

/* Sources first: a word that is none must not leave an empty store. */
static enum cwm_rc open_all(struct build *b, struct cwm_err *err)
{
    const struct build_options *o = b->options;
    enum cwm_rc rc =
        sources_open(o->sources, o->n_sources, o->cancel, &b->sources, err);

    b->suites = (struct sources_suites){.settings = o->suites,
                                        .tracer = o->tracer,
                                        .limits = o->limits,
                                        .seed = o->seed};
    cwm_buf_init(&b->samples, SAMPLES_BYTES + (1 << 20));
    if (rc == CWM_OK) {
        sources_use_suites(b->sources, &b->suites);
    }
    if (rc == CWM_OK) {
        rc = store_open(o->store_path, STORE_MAKE, &b->store, err);
    }
    if (rc == CWM_OK && o->command) {
        struct store_build build = {.command = o->command,
                                    .version = o->tool_version,
                                    .shard = o->shard,
                                    .n_shards = o->n_shards};

        rc = store_add_build(b->store, &build, err);
    }
    if (rc == CWM_OK) {
        rc = store_open(o->store_path, STORE_READ, &b->known, err);
    }
    if (rc == CWM_OK) {
        rc = codec_thread_new(store_codec(b->store), &b->packer, err);
    }
    if (rc == CWM_OK) {
        rc = hasher_new(&b->hasher, err);
    }
    return rc == CWM_OK ? open_threads(b, err) : rc;
}

static void close_all(struct build *b)
{
    for (unsigned i = 0; b->threads && i < b->options->n_workers; i++) {
        build__thread_release(&b->threads[i]);
    }
    cwm_free(b->threads);
    cwm_buf_release(&b->samples);
    hasher_free(b->hasher);
    codec_thread_free(b->packer);
    store_close(b->known);
    store_close(b->store);
    sources_close(b->sources);
}

/* Who wants to run alone waits for those that run, not for those to come. */
static void init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t how;

    pthread_rwlockattr_init(&how);
    pthread_rwlockattr_setkind_np(&how,
                                  PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &how);
    pthread_rwlockattr_destroy(&how);
}

/* Items of this shard, where that can be told. */
static uint64_t n_items(const struct build *b)
{
    const struct build_options *o = b->options;
    uint64_t n = sources_n_items(b->sources);

    if (o->limit > 0 && n > o->limit) {
        n = o->limit;
    }
    return n < o->shard ? 0 : (n - o->shard) / o->n_shards + 1;
}

enum cwm_rc build_run(const struct build_options *options,
                      struct build_stats *stats, struct cwm_err *err)
{
    static const struct pipeline_ops steps = {
        .read = read_step,
        .work = work_step,
        .write = write_step,
        .tick = tick_step,
    };
    struct pipeline_options how = {
        .n_threads = options->n_workers,
        .window = WINDOW,
        .budget_bytes = BUDGET_BYTES,
        .max_item_bytes = CODEC_MAX_BYTES,
        .note_bytes = sizeof(struct build__note),
        .cancel = options->cancel,
    };
    struct build *b = cwm_calloc(1, sizeof *b); /* owned */
    enum cwm_rc rc;
    enum cwm_rc closed;

    memset(stats, 0, sizeof *stats);
    if (!b) {
        return CWM_FAIL(err, CWM_NOMEM, "could not start a build");
    }
    b->options = options;
    b->stats = stats;
    init_lock(&b->runs);
    rc = open_all(b, err);
    if (rc == CWM_OK) {
        stats->n_items = n_items(b);
        rc = pipeline_run(&how, &steps, b, err);
        /* a stop keeps what is done; a failed write has nothing to keep */
        if (rc == CWM_OK || rc == CWM_CANCELLED) {
            closed = close_transaction(b, rc == CWM_OK ? err : NULL);
            rc = closed != CWM_OK ? closed : rc;
        }
    }
    stats->complete = rc == CWM_OK;
    close_all(b);
    pthread_rwlock_destroy(&b->runs);
    cwm_free(b);
    return rc;
}
