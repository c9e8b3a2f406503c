/* SPDX-License-Identifier: MIT */
/*
 * feed_internal.h -- the feed's parts.
 *
 *     feed_make.c   a program, its runs, their tokens: one thread's work
 *     feed_seen.c   which texts came before
 *     feed.c        threads, the order, what is left out
 */
#ifndef CWM_MODEL_FEED_INTERNAL_H
#define CWM_MODEL_FEED_INTERNAL_H

#include "cwm/model/feed.h"
#include "cwm/model/pack.h"
#include "datasets/code_tokens.h"
#include "datasets/minhash.h"
#include "tracer/tracer_slot.h"

/* ---- feed_make.c ---- */

/*
 * What a thread hands over of a program: this head, with its sketch where the
 * program is held out, and then for each call its length, ids and classes,
 * filled up to a multiple of 8 bytes.  Never leaves the process.
 */
struct feed_head {
    uint64_t number;
    uint64_t hash;         /* of its text */
    uint64_t n_bytes;      /* of all calls, behind the head */
    uint32_t n_calls;      /* 0: it was not run */
    uint32_t n_failed;     /* of them, whose length is 0 */
    uint32_t n_too_long;   /* ... likewise */
    bool is_similar;       /* to one that is held out: not run either */
    struct minhash sketch; /* of a held-out one */
};

/* One call within those bytes. */
struct feed_call {
    const uint32_t *ids;
    const uint8_t *classes;
    uint64_t n;
};

/* The call at *at; moves on to the next one. */
struct feed_call feed__call_at(const char **at);

/* A thread's. */
struct feed_maker {
    const struct feed_options *options; /* borrowed */
    struct tracer_slot slot;            /* owned */
    struct trace_packer *packer;        /* owned */
    struct generated program;
    struct code_tokens tokens;
    struct cwm_buf source, record;
};

enum cwm_rc feed__maker_init(struct feed_maker *m,
                             const struct feed_options *options,
                             struct cwm_err *err);
void feed__maker_release(struct feed_maker *m);

/* What a program is compared with. */
struct feed_held_out {
    struct minhash *sketches; /* owned by the feed; [n] */
    size_t n;
};

/*
 * Append program `number` to `out`.  runs false: its head only.  Fails: as
 * generate_program() and tracer_slot_run(), CWM_NOMEM.
 */
enum cwm_rc feed__make(struct feed_maker *m, uint64_t number, bool runs,
                       const struct feed_held_out *held_out,
                       const volatile int *cancel, struct cwm_buf *out,
                       struct cwm_err *err);

/* ---- feed_seen.c ---- */

/* From a text's hash to the number of the first program that has it. */
struct feed_seen {
    struct feed_seen_one {
        uint64_t hash;
        uint64_t number_1; /* the number + 1; 0: free */
    } * table;             /* owned; open addressing */
    size_t capacity;       /* a power of two, or 0 */
    size_t n;
};
void feed__seen_release(struct feed_seen *s);

/* Note the program, unless a smaller number has its text; *ret_first is the
 * smallest.  Fails: CWM_NOMEM. */
enum cwm_rc feed__seen_add(struct feed_seen *s, uint64_t hash, uint64_t number,
                           uint64_t *ret_first, struct cwm_err *err);

#endif /* CWM_MODEL_FEED_INTERNAL_H */
