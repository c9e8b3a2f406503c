/* SPDX-License-Identifier: MIT */
/* build_internal.h -- what build*.c share. */
#ifndef DATASETS_BUILD_INTERNAL_H
#define DATASETS_BUILD_INTERNAL_H

#include <pthread.h>

#include "datasets/build.h"
#include "datasets/candidate.h"
#include "datasets/codec.h"
#include "datasets/hash.h"
#include "datasets/inputs.h"
#include "tracer/tracer_slot.h"

/* What a thread found out about an item, besides its rows. */
struct build__note {
    struct hash item;
    char skip[160]; /* why nothing came of it; "" else */
    uint32_t n_programs, n_traces;
    uint32_t n_unstable;
    uint64_t n_frames;
    uint32_t n_verdicts[BUILD_N_VERDICTS];
    uint64_t cpu_trace_us, cpu_store_us;
};

/* A call that was kept: mutants are called likewise. */
struct build__kept {
    char *entry; /* owned */
    char *args;  /* owned */
};

#define BUILD__MAX_KEPT 64

/* One worker thread's. */
struct build__thread {
    const struct build_options *options; /* borrowed */
    const struct codec *codec;           /* borrowed */
    struct tracer_slot slot;             /* owned */
    pthread_rwlock_t *runs; /* borrowed: held for writing by who runs alone */
    struct suite_tester *suite;  /* owned; NULL: not opened */
    struct codec_thread *packer; /* owned */
    struct hasher *hasher;       /* owned */
    struct cwm_buf payload, packed, again;
    struct build__kept kept[BUILD__MAX_KEPT]; /* of the program at hand */
    size_t n_kept;
    struct build__note *note; /* borrowed: the item's */
    struct cwm_buf *rows;     /* borrowed: the item's */
};

enum cwm_rc build__thread_init(struct build__thread *t,
                               const struct build_options *options,
                               const struct codec *codec, struct cwm_err *err);
void build__thread_release(struct build__thread *t);

/* build_run.c: one program that is understood, and a run of it. */
struct build__program {
    struct source *source; /* owned by the caller */
    struct hash hash;
    const struct candidate_program *from;
    bool is_suspect; /* may differ from run to run */
};
/*
 * Trace a call and put its row, unless the run is of no use: *ret_result is
 * the tracer's, until its next run.  keep false: no row; it can be put later,
 * before the next run, by build__put().  Fails as tracer_run().
 */
enum cwm_rc build__trace(struct build__thread *t,
                         const struct build__program *p,
                         const struct candidate_call *call,
                         struct trace_result *ret_result, struct cwm_err *err);
/* Put the row of the last run.  *ret_put false: another run of the same gave
 * something else. */
enum cwm_rc build__put(struct build__thread *t, const struct build__program *p,
                       const struct candidate_call *call,
                       const struct trace_result *result, bool *ret_put,
                       struct cwm_err *err);

/* Pack t->payload and put its row. */
enum cwm_rc build__put_row(struct build__thread *t, struct store_trace *trace,
                           const struct store_setting *setting,
                           struct cwm_err *err);

/* build_work.c: one item, from its bytes to rows. */
enum cwm_rc build__work(struct build__thread *t, const struct source_item *item,
                        struct cwm_err *err);

/* Time that this thread has worked. */
uint64_t build__cpu_us(void);

#endif /* DATASETS_BUILD_INTERNAL_H */
