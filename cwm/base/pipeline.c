/* SPDX-License-Identifier: MIT */
/*
 * pipeline.c -- a ring of slots between the threads and the writer.
 *
 * Slot i % window holds item i from its reading until its writing.  Items
 * [n_written, n_read) are in the ring.  Two locks: `reading` is held for the
 * length of a read(), which may block on a slow input; `lock` only ever for
 * moments.  Order of taking: reading, then lock.
 */
#include "cwm/base/pipeline.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"

enum slot_state { SLOT_FREE, SLOT_WORKING, SLOT_DONE };

struct slot {
    enum slot_state state;
    struct pipeline_item item;
    enum cwm_rc rc;
    struct cwm_err err;
};

struct pipeline {
    const struct pipeline_options *options;
    const struct pipeline_ops *ops;
    void *ctx;
    pthread_mutex_t reading;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t room;  /* an item was written, or stop */
    pthread_cond_t done;  /* an item is done, or a thread ended */
    struct slot *slots;   /* owned; options->window of them */
    uint64_t n_read, n_written;
    size_t bytes; /* of in and out in the ring */
    bool ended;   /* nothing more to read */
    bool stop;    /* the writer gave up */
    unsigned n_running;
};

/* What a thread is given. */
struct runner {
    struct pipeline *p;
    unsigned number;
    pthread_t thread;
};

static bool cancelled(const struct pipeline *p)
{
    return cwm_is_cancelled(p->options->cancel);
}

static struct slot *slot_of(struct pipeline *p, uint64_t number)
{
    return &p->slots[number % p->options->window];
}

/* With `lock` held: wait until an item may be read; false: none any more. */
static bool wait_for_room(struct pipeline *p)
{
    for (;;) {
        uint64_t waiting = p->n_read - p->n_written;

        if (p->ended || p->stop || cancelled(p)) {
            return false;
        }
        if (waiting == 0 || (waiting < p->options->window &&
                             p->bytes < p->options->budget_bytes)) {
            return true;
        }
        pthread_cond_wait(&p->room, &p->lock);
    }
}

/* A failure to read travels as an item of its own, so that it keeps its
 * place in the order. */
static struct slot *read_item(struct pipeline *p)
{
    struct slot *slot = NULL;
    bool more = false;
    bool go;

    pthread_mutex_lock(&p->reading);
    pthread_mutex_lock(&p->lock);
    go = wait_for_room(p);
    if (go) {
        slot = slot_of(p, p->n_read);
    }
    pthread_mutex_unlock(&p->lock);
    if (go) {
        slot->item.number = p->n_read;
        slot->item.tag = 0;
        if (p->options->note_bytes > 0) {
            memset(slot->item.note, 0, p->options->note_bytes);
        }
        slot->rc = p->ops->read(p->ctx, &slot->item, &more, &slot->err);
        pthread_mutex_lock(&p->lock);
        if (slot->rc != CWM_OK || !more) {
            p->ended = true;
        }
        if (slot->rc != CWM_OK || more) {
            slot->state = slot->rc == CWM_OK ? SLOT_WORKING : SLOT_DONE;
            p->n_read++;
            p->bytes += slot->item.in.len;
        }
        slot = slot->state == SLOT_WORKING ? slot : NULL;
        pthread_mutex_unlock(&p->lock);
    }
    pthread_mutex_unlock(&p->reading);
    return slot;
}

static void *run_thread(void *arg)
{
    struct runner *r = arg;
    struct pipeline *p = r->p;
    struct slot *slot;

    while ((slot = read_item(p)) != NULL) {
        slot->rc = p->ops->work(p->ctx, r->number, &slot->item, &slot->err);
        pthread_mutex_lock(&p->lock);
        slot->state = SLOT_DONE;
        p->bytes += slot->item.out.len;
        if (slot->rc != CWM_OK) {
            p->ended = true; /* what follows would be dropped */
        }
        pthread_cond_signal(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
    pthread_mutex_lock(&p->lock);
    p->n_running--;
    pthread_cond_broadcast(&p->room); /* others see the end, too */
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void release_item(struct pipeline *p, struct slot *slot)
{
    p->bytes -= slot->item.in.len + slot->item.out.len;
    cwm_buf_release(&slot->item.in);
    cwm_buf_release(&slot->item.out);
    slot->state = SLOT_FREE;
    p->n_written++;
    pthread_cond_broadcast(&p->room);
}

/* With `lock` held: until the next item is done, or no thread is left. */
static struct slot *next_done(struct pipeline *p)
{
    for (;;) {
        struct slot *slot = slot_of(p, p->n_written);
        struct timespec until;

        if (p->n_written < p->n_read && slot->state == SLOT_DONE) {
            return slot;
        }
        if (p->n_running == 0) {
            return NULL;
        }
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PIPELINE_TICK_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000L;
        }
        pthread_cond_timedwait(&p->done, &p->lock, &until);
        if (cancelled(p)) {
            pthread_cond_broadcast(&p->room);
        }
        if (p->ops->tick) {
            pthread_mutex_unlock(&p->lock);
            p->ops->tick(p->ctx);
            pthread_mutex_lock(&p->lock);
        }
    }
}

static enum cwm_rc write_all(struct pipeline *p, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    struct slot *slot;

    pthread_mutex_lock(&p->lock);
    while (rc == CWM_OK && (slot = next_done(p)) != NULL) {
        rc = slot->rc;
        if (rc != CWM_OK) {
            if (err) {
                *err = slot->err;
            }
            break;
        }
        pthread_mutex_unlock(&p->lock);
        rc = p->ops->write(p->ctx, &slot->item, err);
        pthread_mutex_lock(&p->lock);
        release_item(p, slot);
    }
    p->stop = true;
    pthread_cond_broadcast(&p->room);
    pthread_mutex_unlock(&p->lock);
    if (rc == CWM_OK && cancelled(p)) {
        rc = CWM_FAIL(err, CWM_CANCELLED, "stopped on request");
    }
    return rc;
}

static enum cwm_rc make_slots(struct pipeline *p, struct cwm_err *err)
{
    p->slots = cwm_calloc(p->options->window, sizeof *p->slots);
    for (size_t i = 0; p->slots && i < p->options->window; i++) {
        struct pipeline_item *item = &p->slots[i].item;

        cwm_buf_init(&item->in, p->options->max_item_bytes);
        cwm_buf_init(&item->out, p->options->max_item_bytes);
        item->note = cwm_calloc(1, p->options->note_bytes);
        if (!item->note) {
            return CWM_FAIL(err, CWM_NOMEM, "could not make the job window");
        }
    }
    return p->slots ? CWM_OK
                    : CWM_FAIL(err, CWM_NOMEM, "could not make the job window");
}

static void free_slots(struct pipeline *p)
{
    for (size_t i = 0; p->slots && i < p->options->window; i++) {
        cwm_buf_release(&p->slots[i].item.in);
        cwm_buf_release(&p->slots[i].item.out);
        cwm_free(p->slots[i].item.note);
    }
    cwm_free(p->slots);
}

/* Signals are for the thread that called pipeline_run(). */
static int start_thread(struct runner *r)
{
    sigset_t all;
    sigset_t old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&r->thread, NULL, run_thread, r);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

static enum cwm_rc run_all(struct pipeline *p, struct runner *runners,
                           struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    unsigned n = 0;

    pthread_mutex_lock(&p->lock);
    p->n_running = p->options->n_threads;
    pthread_mutex_unlock(&p->lock);
    for (; n < p->options->n_threads; n++) {
        runners[n].p = p;
        runners[n].number = n;
        if (start_thread(&runners[n]) != 0) {
            break;
        }
    }
    if (n < p->options->n_threads) {
        pthread_mutex_lock(&p->lock);
        p->stop = true;
        p->n_running -= p->options->n_threads - n;
        pthread_cond_broadcast(&p->room);
        pthread_mutex_unlock(&p->lock);
        rc = CWM_FAIL(err, CWM_SYSTEM, "could not start %u threads",
                      p->options->n_threads);
    } else {
        rc = write_all(p, err);
    }
    while (n-- > 0) {
        pthread_join(runners[n].thread, NULL);
    }
    return rc;
}

enum cwm_rc pipeline_run(const struct pipeline_options *options,
                         const struct pipeline_ops *ops, void *ctx,
                         struct cwm_err *err)
{
    struct pipeline p = {.options = options, .ops = ops, .ctx = ctx};
    struct runner *runners = cwm_calloc(options->n_threads, sizeof *runners);
    enum cwm_rc rc = make_slots(&p, err);

    if (rc == CWM_OK && !runners) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not start the threads");
    }
    if (rc == CWM_OK) {
        pthread_mutex_init(&p.reading, NULL);
        pthread_mutex_init(&p.lock, NULL);
        pthread_cond_init(&p.room, NULL);
        pthread_cond_init(&p.done, NULL);
        rc = run_all(&p, runners, err);
        pthread_cond_destroy(&p.done);
        pthread_cond_destroy(&p.room);
        pthread_mutex_destroy(&p.lock);
        pthread_mutex_destroy(&p.reading);
    }
    free_slots(&p);
    cwm_free(runners);
    return rc;
}
