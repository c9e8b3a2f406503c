/* SPDX-License-Identifier: MIT */
/*
 * loader.c -- batches in their order, made ahead by a thread.
 *
 * Batch k of a start lies in slot k % n_slots; there is one slot more than
 * batches are made ahead, the one that the caller has.  A failure, and the
 * end, are slots of their own, behind which the thread ends; after a failure
 * the next call starts it anew where it failed.
 */
#include "datasets/loader.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <xxhash.h>

#include "cwm/base/alloc.h"
#include "datasets/loader_internal.h"

enum { MAX_PREFETCH = 1024 };

/* B*T fits into 32 bits with room to spare. */
#define MAX_BATCH_TOKENS (UINT64_C(1) << 31)

struct loader {
    struct loader_options options; /* paths are not kept */
    struct loader_files files;
    struct loader_filler filler;
    struct loader_slot *slots; /* owned */
    size_t n_slots;
    struct loader_position at; /* behind what was handed out */
    pthread_t thread;
    bool running; /* the thread is to be joined */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t n_made, n_taken; /* with `lock`, while the thread runs */
    bool stop;                /* with `lock` */
};

void loader_options_default(struct loader_options *ret_options)
{
    *ret_options = (struct loader_options){
        .packing = LOADER_STREAM,
        .long_documents = LOADER_LONG_SPLIT,
        .weights = {[SHARD_CONTEXT] = 0,
                    [SHARD_OBSERVATION] = 1,
                    [SHARD_ACTION] = 1,
                    [SHARD_ARGUMENT] = 1},
        .world = 1,
        .n_prefetch = 2,
    };
}

/* ---- the thread ---- */

/* Make batches until told to stop, the end, or a failure. */
static void *make_ahead(void *ctx)
{
    struct loader *l = ctx;
    struct loader_position at = l->at;
    bool goes_on = true;

    while (goes_on) {
        struct loader_slot *slot;

        pthread_mutex_lock(&l->lock);
        while (!l->stop && l->n_made - l->n_taken >= l->n_slots - 1) {
            pthread_cond_wait(&l->changed, &l->lock);
        }
        goes_on = !l->stop;
        slot = &l->slots[l->n_made % l->n_slots];
        pthread_mutex_unlock(&l->lock);
        if (!goes_on) {
            break;
        }
        slot->rc = loader__fill(&l->filler, &at, slot, &slot->err);
        goes_on = slot->rc == CWM_OK && slot->more;
        at = slot->after;
        pthread_mutex_lock(&l->lock);
        l->n_made++;
        pthread_cond_signal(&l->changed);
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

static enum cwm_rc start(struct loader *l, struct cwm_err *err)
{
    sigset_t all;
    sigset_t old;
    int failed;

    l->n_made = 0;
    l->n_taken = 0;
    l->stop = false;
    sigfillset(&all); /* signals are for the caller's threads */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&l->thread, NULL, make_ahead, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed != 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not start a thread: %s",
                        strerror(failed));
    }
    l->running = true;
    return CWM_OK;
}

static void stop(struct loader *l)
{
    if (!l->running) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    l->running = false;
}

/* The next slot, once it is filled. */
static struct loader_slot *take(struct loader *l)
{
    struct loader_slot *slot;

    pthread_mutex_lock(&l->lock);
    while (l->n_made == l->n_taken) {
        pthread_cond_wait(&l->changed, &l->lock);
    }
    slot = &l->slots[l->n_taken % l->n_slots];
    if (slot->rc == CWM_OK && slot->more) {
        l->n_taken++; /* the slot that the caller had is free now */
        pthread_cond_signal(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return slot;
}

enum cwm_rc loader_next(struct loader *l, struct loader_batch *ret_batch,
                        bool *ret_more, struct cwm_err *err)
{
    struct loader_slot *slot = &l->slots[0];
    enum cwm_rc rc = CWM_OK;

    if (l->n_slots == 1) {
        slot->rc = loader__fill(&l->filler, &l->at, slot, &slot->err);
    } else {
        if (!l->running) {
            rc = start(l, err);
        }
        if (rc != CWM_OK) {
            return rc;
        }
        slot = take(l);
    }
    if (slot->rc != CWM_OK) {
        if (err) {
            *err = slot->err;
        }
        rc = slot->rc;
        stop(l);
        return rc;
    }
    *ret_more = slot->more;
    if (slot->more) {
        *ret_batch = slot->batch;
        l->at = slot->after;
    }
    return CWM_OK;
}

/* ---- positions ---- */

void loader_position(const struct loader *l, struct loader_position *ret)
{
    *ret = l->at;
}

enum cwm_rc loader_seek(struct loader *l, const struct loader_position *to,
                        struct cwm_err *err)
{
    if (to->fingerprint != l->at.fingerprint) {
        return CWM_FAIL(err, CWM_USAGE,
                        l->files.source
                            ? "cannot go on: the position is one in documents "
                              "that were made by other settings"
                            : "cannot go on with these shards: the position "
                              "is one in others, or of another order");
    }
    if (to->document > l->files.n_documents) {
        return CWM_FAIL(err, CWM_USAGE, "there is no document %llu",
                        (unsigned long long)to->document);
    }
    stop(l);
    l->at = *to;
    return CWM_OK;
}

void loader_info(const struct loader *l, struct loader_info *ret_info)
{
    *ret_info = (struct loader_info){
        .n_documents = l->files.n_documents,
        .n_tokens = l->files.n_tokens,
        .n_ids = l->files.n_ids,
        .n_rows = l->options.n_rows / l->options.world,
    };
}

/* ---- opening ---- */

static enum cwm_rc check_options(const struct loader_options *o,
                                 struct cwm_err *err)
{
    if (o->n_paths == 0 && !o->source) {
        return CWM_FAIL(err, CWM_USAGE, "there are no shards");
    }
    if (o->source && !o->in_order) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot shuffle documents that are made in order");
    }
    if (o->n_rows == 0 || o->row_tokens == 0 ||
        (uint64_t)o->n_rows * o->row_tokens > MAX_BATCH_TOKENS) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot make batches of %u rows of %u tokens",
                        o->n_rows, o->row_tokens);
    }
    if (o->world == 0 || o->rank >= o->world || o->n_rows % o->world != 0) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot give rank %u of %u a share of %u rows", o->rank,
                        o->world, o->n_rows);
    }
    if (o->n_prefetch > MAX_PREFETCH) {
        return CWM_FAIL(err, CWM_USAGE, "cannot make %u batches ahead",
                        o->n_prefetch);
    }
    for (int i = 0; i < SHARD_N_CLASSES; i++) {
        if (!(o->weights[i] >= 0 && o->weights[i] <= 1e6F)) {
            return CWM_FAIL(err, CWM_USAGE, "a weight is %g, not 0 to 1e6",
                            (double)o->weights[i]);
        }
    }
    return CWM_OK;
}

/* All slots' arrays are one block each. */
static enum cwm_rc make_slots(struct loader *l, struct cwm_err *err)
{
    size_t n =
        (size_t)(l->options.n_rows / l->options.world) * l->options.row_tokens;

    l->n_slots = (size_t)l->options.n_prefetch + 1;
    l->slots = cwm_calloc(l->n_slots, sizeof *l->slots);
    for (size_t i = 0; l->slots && i < l->n_slots; i++) {
        struct loader_slot *slot = &l->slots[i];

        slot->ids = cwm_calloc(n, sizeof *slot->ids);
        slot->targets = cwm_calloc(n, sizeof *slot->targets);
        slot->weights = cwm_calloc(n, sizeof *slot->weights);
        slot->starts = cwm_calloc(n, sizeof *slot->starts);
        if (!slot->ids || !slot->targets || !slot->weights || !slot->starts) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu batches",
                            l->n_slots);
        }
    }
    return l->slots ? CWM_OK
                    : CWM_FAIL(err, CWM_NOMEM, "could not hold %zu batches",
                               l->n_slots);
}

/* Which documents come when: not how they are cut into batches. */
static uint64_t fingerprint(const struct loader *l)
{
    const uint64_t what[3] = {l->files.fingerprint, l->options.seed,
                              l->options.in_order};

    return XXH3_64bits(what, sizeof what);
}

enum cwm_rc loader_open(const struct loader_options *options,
                        struct loader **ret_loader, struct cwm_err *err)
{
    struct loader *l = NULL; /* owned */
    enum cwm_rc rc = check_options(options, err);

    if (rc != CWM_OK) {
        return rc;
    }
    l = cwm_calloc(1, sizeof *l);
    if (!l) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a loader");
    }
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    l->options = *options;
    l->options.paths = NULL;
    rc = loader__files_open(&l->files, options, err);
    if (rc == CWM_OK) {
        rc = loader__filler_init(&l->filler, &l->options, &l->files, err);
    }
    if (rc == CWM_OK) {
        rc = make_slots(l, err);
    }
    if (rc == CWM_OK) {
        l->at.fingerprint = fingerprint(l);
        *ret_loader = l;
        l = NULL;
    }
    loader_close(l);
    return rc;
}

void loader_close(struct loader *l)
{
    if (!l) {
        return;
    }
    stop(l);
    for (size_t i = 0; l->slots && i < l->n_slots; i++) {
        cwm_free(l->slots[i].ids);
        cwm_free(l->slots[i].targets);
        cwm_free(l->slots[i].weights);
        cwm_free(l->slots[i].starts);
    }
    cwm_free(l->slots);
    loader__filler_release(&l->filler);
    loader__files_close(&l->files);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->changed);
    cwm_free(l);
}
