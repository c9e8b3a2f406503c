/* SPDX-License-Identifier: MIT */
/*
 * feed.c -- the feed's threads, its order, and what is left out.
 *
 * A pipeline (cwm/base/pipeline.h) makes chunks of programs in a thread of its
 * own; its writer waits while enough of them are ready.  The loader's thread
 * takes them one by one, and decides there, where they are in order, which of
 * them came before.
 */
#include "cwm/model/feed.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "cwm/base/pipeline.h"
#include "cwm/model/feed_internal.h"

enum {
    CHUNK = 8,            /* programs that a thread makes at a time */
    CHUNKS_A_THREAD = 16, /* that the threads may be ahead */
    N_READY = 4           /* chunks that wait for the loader's thread */
};

#define MAX_CHUNK_BYTES ((size_t)1 << 30)
#define BUDGET_BYTES    ((size_t)256 << 20)

/* What the pipeline is to make. */
struct stretch {
    uint64_t begin, end; /* programs */
    uint64_t runs_from;  /* those before are only looked at */
};

struct feed {
    struct feed_options options;
    struct loader_source source;
    struct feed_maker *makers; /* owned; [n_workers] */
    struct feed_held_out held_out;
    struct feed_seen seen;
    uint64_t n_known; /* the programs before that are in `seen` */
    struct stretch stretch;
    const volatile int *cancel; /* while they are made */
    volatile int stop;
    pthread_t thread;
    bool is_running; /* the thread is to be joined */
    /* the program at hand, of the chunk that was taken last */
    struct cwm_buf chunk;
    const char *at, *end;
    struct feed_head head;
    struct feed_call calls[GENERATE_MAX_INPUTS];
    bool has_program, is_used;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct cwm_buf ready[N_READY];
    uint64_t n_put, n_taken;
    bool has_ended;
    enum cwm_rc rc;
    struct cwm_err err;
    struct feed_stats stats;
};

/* ---- the pipeline's three steps, in its thread ----------------------------
 */

static enum cwm_rc read_step(void *ctx, struct pipeline_item *item,
                             bool *ret_more, struct cwm_err *err)
{
    const struct feed *f = ctx;

    (void)err;
    *ret_more = f->stretch.begin + item->number * CHUNK < f->stretch.end &&
                !cwm_is_cancelled(&f->stop);
    return CWM_OK;
}

static enum cwm_rc work_step(void *ctx, unsigned thread,
                             struct pipeline_item *item, struct cwm_err *err)
{
    struct feed *f = ctx;
    uint64_t number = f->stretch.begin + item->number * CHUNK;
    uint64_t end =
        f->stretch.end - number < CHUNK ? f->stretch.end : number + CHUNK;
    enum cwm_rc rc = CWM_OK;

    for (; number < end && rc == CWM_OK; number++) {
        rc = feed__make(&f->makers[thread], number,
                        number >= f->stretch.runs_from, &f->held_out, f->cancel,
                        &item->out, err);
    }
    return rc;
}

static enum cwm_rc write_step(void *ctx, struct pipeline_item *item,
                              struct cwm_err *err)
{
    struct feed *f = ctx;
    struct cwm_buf *to;
    enum cwm_rc rc = CWM_OK;

    pthread_mutex_lock(&f->lock);
    while (f->n_put - f->n_taken >= N_READY && !cwm_is_cancelled(&f->stop)) {
        pthread_cond_wait(&f->changed, &f->lock);
    }
    if (!cwm_is_cancelled(&f->stop)) {
        to = &f->ready[f->n_put % N_READY];
        cwm_buf_clear(to);
        cwm_buf_add(to, item->out.data, item->out.len);
        rc = cwm_buf_check(to, "programs' traces", err);
        f->n_put += rc == CWM_OK;
        pthread_cond_broadcast(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    return rc;
}

static void *make_all(void *ctx)
{
    static const struct pipeline_ops ops = {
        .read = read_step, .work = work_step, .write = write_step};
    struct feed *f = ctx;
    const struct pipeline_options options = {
        .n_threads = f->options.n_workers,
        .window = (size_t)f->options.n_workers * CHUNKS_A_THREAD,
        .budget_bytes = BUDGET_BYTES,
        .max_item_bytes = MAX_CHUNK_BYTES,
        .cancel = f->cancel,
    };
    struct cwm_err err = {.code = CWM_OK};
    enum cwm_rc rc = pipeline_run(&options, &ops, f, &err);

    pthread_mutex_lock(&f->lock);
    f->has_ended = true;
    f->rc = rc;
    f->err = err;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static void stop(struct feed *f)
{
    if (!f->is_running) {
        return;
    }
    pthread_mutex_lock(&f->lock);
    cwm_cancel(&f->stop, 1);
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    f->is_running = false;
    f->has_program = false;
}

static enum cwm_rc start(struct feed *f, const struct stretch *stretch,
                         const volatile int *cancel, struct cwm_err *err)
{
    sigset_t all;
    sigset_t old;
    int failed;

    stop(f);
    f->stretch = *stretch;
    f->cancel = cancel;
    f->n_put = 0;
    f->n_taken = 0;
    f->has_ended = false;
    f->at = NULL;
    f->end = NULL;
    cwm_cancel(&f->stop, 0);
    sigfillset(&all); /* signals are for the caller's threads */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&f->thread, NULL, make_all, f);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed != 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not start a thread: %s",
                        strerror(failed));
    }
    f->is_running = true;
    return CWM_OK;
}

/* ---- programs in order, in the loader's thread ----------------------------
 */

/* The next chunk becomes the one at hand. */
static enum cwm_rc take_chunk(struct feed *f, struct cwm_err *err)
{
    struct cwm_buf *from;
    struct cwm_buf old = f->chunk;
    enum cwm_rc rc = CWM_OK;

    pthread_mutex_lock(&f->lock);
    while (f->n_put == f->n_taken && !f->has_ended) {
        pthread_cond_wait(&f->changed, &f->lock);
    }
    if (f->n_put > f->n_taken) {
        from = &f->ready[f->n_taken++ % N_READY];
        f->chunk = *from;
        *from = old;
        pthread_cond_broadcast(&f->changed);
    } else {
        rc = f->rc != CWM_OK
                 ? f->rc
                 : CWM_FAIL(err, CWM_SYSTEM, "could not make more programs");
        if (err && f->rc != CWM_OK) {
            *err = f->err;
        }
    }
    pthread_mutex_unlock(&f->lock);
    if (rc == CWM_OK) {
        f->at = f->chunk.data;
        f->end = f->chunk.data + f->chunk.len;
    }
    return rc;
}

static void count(struct feed *f)
{
    struct feed_stats *s = &f->stats;
    const struct feed_head *h = &f->head;
    bool is_held_out = h->number < f->options.n_held_out;
    uint64_t n = 0;

    for (uint32_t i = 0; i < h->n_calls && f->is_used; i++) {
        n += f->calls[i].n > 0;
    }
    pthread_mutex_lock(&f->lock);
    if (is_held_out) {
        s->n_held_out += n;
    } else if (h->number >= f->stretch.runs_from) {
        s->n_programs++;
        s->n_traces += n;
        s->n_similar += h->is_similar;
        s->n_twice += !h->is_similar && !f->is_used;
        s->n_failed += f->is_used ? h->n_failed : 0;
        s->n_too_long += f->is_used ? h->n_too_long : 0;
    }
    pthread_mutex_unlock(&f->lock);
}

/* The next program becomes the one at hand. */
static enum cwm_rc take_program(struct feed *f, struct cwm_err *err)
{
    struct feed_head *h = &f->head;
    uint64_t first = 0;
    enum cwm_rc rc = CWM_OK;

    f->has_program = false;
    while (f->at == f->end && rc == CWM_OK) {
        rc = take_chunk(f, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    memcpy(h, f->at, sizeof *h);
    f->at += sizeof *h;
    for (uint32_t i = 0; i < h->n_calls; i++) {
        f->calls[i] = feed__call_at(&f->at);
    }
    rc = feed__seen_add(&f->seen, h->hash, h->number, &first, err);
    if (rc == CWM_OK) {
        f->n_known = h->number >= f->n_known ? h->number + 1 : f->n_known;
        f->is_used = first == h->number && !h->is_similar;
        f->has_program = true;
        count(f);
    }
    return rc;
}

/* From another number on: all before must be known. */
static enum cwm_rc go_to(struct feed *f, uint64_t number, struct cwm_err *err)
{
    const struct stretch stretch = {
        .begin = number < f->n_known ? number : f->n_known,
        .end = UINT64_MAX,
        .runs_from = number,
    };

    return start(f, &stretch, &f->stop, err);
}

/* Program `number` becomes the one at hand. */
static enum cwm_rc need_program(struct feed *f, uint64_t number,
                                struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    if (f->has_program && f->head.number == number) {
        return CWM_OK;
    }
    if (!f->has_program || f->head.number + 1 != number) {
        rc = go_to(f, number, err);
    }
    do {
        rc = rc == CWM_OK ? take_program(f, err) : rc;
    } while (rc == CWM_OK && f->head.number < number);
    return rc;
}

/* Document `document` of the loader's; *ret_call empty: it is left out. */
static enum cwm_rc find_call(struct feed *f, uint64_t document,
                             struct feed_call *ret_call, struct cwm_err *err)
{
    uint64_t n_inputs = f->options.programs.n_inputs;
    uint64_t call = document % n_inputs;
    enum cwm_rc rc =
        need_program(f, f->options.n_held_out + document / n_inputs, err);

    *ret_call = (struct feed_call){.n = 0};
    if (rc == CWM_OK && f->is_used && call < f->head.n_calls) {
        *ret_call = f->calls[call];
    }
    return rc;
}

static enum cwm_rc source_length(void *ctx, uint64_t number,
                                 uint64_t *ret_tokens, struct cwm_err *err)
{
    struct feed_call call;
    enum cwm_rc rc = find_call(ctx, number, &call, err);

    *ret_tokens = call.n;
    return rc;
}

static enum cwm_rc source_read(void *ctx, uint64_t number,
                               struct shard_document *document,
                               struct cwm_err *err)
{
    struct feed_call call;
    enum cwm_rc rc = find_call(ctx, number, &call, err);

    if (rc == CWM_OK && call.n > document->capacity) {
        size_t capacity = (size_t)call.n * 2;
        uint32_t *ids = cwm_realloc(document->ids, capacity, sizeof *ids);
        uint8_t *classes;

        document->ids = ids ? ids : document->ids;
        classes = cwm_realloc(document->classes, capacity, sizeof *classes);
        document->classes = classes ? classes : document->classes;
        if (!ids || !classes) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold a trace");
        }
        document->capacity = capacity;
    }
    if (rc == CWM_OK && call.n > 0) {
        memcpy(document->ids, call.ids, (size_t)call.n * sizeof *call.ids);
        memcpy(document->classes, call.classes, (size_t)call.n);
    }
    document->n = rc == CWM_OK ? (size_t)call.n : document->n;
    return rc;
}

/* ---- life -----------------------------------------------------------------
 */

/* All that documents depend on. */
static uint64_t fingerprint(const struct feed *f)
{
    const struct feed_options *o = &f->options;
    XXH64_hash_t hash;

    hash = XXH3_64bits(&o->programs, sizeof o->programs);
    hash = XXH3_64bits_withSeed(&o->limits, sizeof o->limits, hash);
    hash = XXH3_64bits_withSeed(f->stats.python, strlen(f->stats.python), hash);
    {
        const uint64_t numbers[] = {o->seed, o->n_held_out, o->max_tokens,
                                    tokenizer_hash(o->tokenizer)};

        return XXH3_64bits_withSeed(numbers, sizeof numbers, hash);
    }
}

/* What cannot be had shows here, before anything is made. */
static enum cwm_rc open_workers(struct feed *f, struct cwm_err *err)
{
    const struct feed_options *o = &f->options;
    struct tracer *first;
    enum cwm_rc rc = CWM_OK;

    f->makers = cwm_calloc(o->n_workers, sizeof *f->makers);
    f->held_out.sketches =
        cwm_calloc(o->n_held_out + 1, sizeof *f->held_out.sketches);
    if (!f->makers || !f->held_out.sketches) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %u workers",
                        o->n_workers);
    }
    for (unsigned i = 0; i < o->n_workers && rc == CWM_OK; i++) {
        rc = feed__maker_init(&f->makers[i], o, err);
    }
    if (rc == CWM_OK) {
        rc = tracer_slot_need(&f->makers[0].slot, o->limits.max_trace_bytes,
                              err);
    }
    if (rc == CWM_OK) {
        first = f->makers[0].slot.tracer;
        f->stats.missing_walls = tracer_missing(first);
        snprintf(f->stats.python, sizeof f->stats.python, "%s",
                 tracer_python(first));
    }
    return rc;
}

static enum cwm_rc hold_out(struct feed *f,
                            enum cwm_rc (*put)(void *ctx, const uint32_t *ids,
                                               const uint8_t *classes, size_t n,
                                               struct cwm_err *err),
                            void *ctx, struct cwm_err *err)
{
    const struct stretch stretch = {.end = f->options.n_held_out};
    enum cwm_rc rc = CWM_OK;

    if (f->options.n_held_out == 0) {
        return CWM_OK;
    }
    rc = start(f, &stretch, f->options.cancel, err);
    while (rc == CWM_OK && f->n_known < f->options.n_held_out) {
        rc = take_program(f, err);
        if (rc != CWM_OK || !f->is_used) {
            continue;
        }
        f->held_out.sketches[f->held_out.n++] = f->head.sketch;
        for (uint32_t i = 0; i < f->head.n_calls && rc == CWM_OK; i++) {
            if (f->calls[i].n > 0) {
                rc = put(ctx, f->calls[i].ids, f->calls[i].classes,
                         (size_t)f->calls[i].n, err);
            }
        }
    }
    stop(f);
    return rc;
}

enum cwm_rc feed_new(const struct feed_options *options,
                     enum cwm_rc (*put)(void *ctx, const uint32_t *ids,
                                        const uint8_t *classes, size_t n,
                                        struct cwm_err *err),
                     void *ctx, struct feed **ret_feed, struct cwm_err *err)
{
    struct feed *f = cwm_calloc(1, sizeof *f); /* owned */
    enum cwm_rc rc;

    if (!f) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a feed");
    }
    f->options = *options;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    cwm_buf_init(&f->chunk, MAX_CHUNK_BYTES);
    for (size_t i = 0; i < N_READY; i++) {
        cwm_buf_init(&f->ready[i], MAX_CHUNK_BYTES);
    }
    rc = open_workers(f, err);
    if (rc == CWM_OK) {
        rc = hold_out(f, put, ctx, err);
    }
    if (rc == CWM_OK) {
        f->source = (struct loader_source){.ctx = f,
                                           .n_documents = UINT64_MAX,
                                           .fingerprint = fingerprint(f),
                                           .length = source_length,
                                           .read = source_read};
        *ret_feed = f;
        f = NULL; /* now the caller's */
    }
    feed_free(f);
    return rc;
}

void feed_free(struct feed *f)
{
    if (!f) {
        return;
    }
    stop(f);
    for (unsigned i = 0; f->makers && i < f->options.n_workers; i++) {
        feed__maker_release(&f->makers[i]);
    }
    cwm_free(f->makers);
    cwm_free(f->held_out.sketches);
    feed__seen_release(&f->seen);
    cwm_buf_release(&f->chunk);
    for (size_t i = 0; i < N_READY; i++) {
        cwm_buf_release(&f->ready[i]);
    }
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    cwm_free(f);
}

const struct loader_source *feed_source(const struct feed *f)
{
    return &f->source;
}

void feed_stats(struct feed *f, struct feed_stats *ret_stats)
{
    pthread_mutex_lock(&f->lock);
    *ret_stats = f->stats;
    pthread_mutex_unlock(&f->lock);
}
