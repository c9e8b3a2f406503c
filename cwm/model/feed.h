/* SPDX-License-Identifier: MIT */
/*
 * feed.h -- traces without end: programs are made, run and packed while a
 * model learns from those before.
 *
 *     generate_program() ──> tracer, each call ──> tokens ──> loader
 *     n_workers threads, each with a warm worker             in order
 *
 * Program `index` of a seed is the same on every machine (generate.h), and so
 * is its trace: what comes out depends on the options but not on the number of
 * workers, and a run goes on from a count.  Nothing is stored.
 *
 * The first n_held_out programs are never learned from, and neither is one that
 * is as similar to any of them as members of a family are (the measure and the
 * limit of `cwm dataset export`).  A program whose text came before is left
 * out, so that no sequence is seen twice.
 *
 * A document is one call; every program has `n_inputs` numbers, also those
 * that are left out.
 *
 * Memory: 32 bytes for each program at most, and what the workers are ahead.
 * Going on from a count makes the programs before it again, to know them, but
 * does not run them.
 *
 * Threads: the loader's calls and feed_stats() may come from several.
 */
#ifndef CWM_MODEL_FEED_H
#define CWM_MODEL_FEED_H

#include "cwm/model/tokenizer.h"
#include "datasets/generate.h"
#include "datasets/loader.h"
#include "tracer/trace.h"

/* Of two programs, in per cent of their shingles (minhash.h): one family. */
#define FEED_FAMILY_PERCENT 80

struct feed_options {
    struct generate_settings programs;
    uint64_t seed;
    uint64_t n_held_out; /* programs */
    uint64_t max_tokens; /* of a trace; longer ones are left out; 0: none is */
    unsigned n_workers;  /* at least 1 */
    struct tracer_options tracer; /* what it points to is borrowed */
    struct trace_limits limits;
    const struct tokenizer *tokenizer; /* borrowed */
    const volatile int *cancel;        /* of feed_new() alone; NULL is fine */
};

struct feed_stats {
    uint64_t n_programs; /* dealt with, those held out not among them */
    uint64_t n_traces;   /* of them, to be learned from */
    uint64_t n_twice;    /* programs left out: their text came before */
    uint64_t n_similar;  /* ... similar to one that is held out */
    uint64_t n_failed;   /* traces left out: did not come to their end */
    uint64_t n_too_long;
    uint64_t n_held_out;    /* traces */
    uint32_t missing_walls; /* as tracer_missing() */
    char python[16];
};

struct feed; /* opaque: feed.c */

/*
 * Make the held-out programs; put() gets their traces.  Fails: as
 * tracer_open(), trace_packer_new(), tracer_run() twice for one program,
 * put(); CWM_CANCELLED, CWM_NOMEM, CWM_SYSTEM (no thread).
 */
enum cwm_rc feed_new(const struct feed_options *options,
                     enum cwm_rc (*put)(void *ctx, const uint32_t *ids,
                                        const uint8_t *classes, size_t n,
                                        struct cwm_err *err),
                     void *ctx, struct feed **ret_feed, struct cwm_err *err);
void feed_free(struct feed *f); /* NULL is fine; behind loader_close() */

/* All other programs, as a loader takes them; borrowed from the feed. */
const struct loader_source *feed_source(const struct feed *f);

void feed_stats(struct feed *f, struct feed_stats *ret_stats);

#endif /* CWM_MODEL_FEED_H */
