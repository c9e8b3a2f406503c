/* SPDX-License-Identifier: MIT */
/*
 * generator_internal.h -- what the files of the generator share.
 *
 * A place is a sequence of the cache with a queue of tokens that the model has
 * not read yet: the one that was chosen last, and what is forced behind it.
 * A step takes some of every queue; where a queue is empty behind it, the next
 * token is chosen.  One more sequence holds the prompt that samples are being
 * made of; where the next prompt begins like it, that much is not read again.
 */
#ifndef CWM_MODEL_GENERATOR_INTERNAL_H
#define CWM_MODEL_GENERATOR_INTERNAL_H

#include "cwm/model/generator.h"

enum {
    GENERATOR_TURNS = 2,              /* calls under way: a decoder's slots */
    GENERATOR_IDLE = GENERATOR_TURNS, /* a place that is in none */
    GENERATOR_PROMPT_ROWS = 512,      /* of a prompt in one call: bounds
                                         the activations */
    GENERATOR_QUEUE_ROWS = 16         /* of a place in one call: one chunk of
                                         the kernels */
};

struct generator_place {
    bool is_taken;
    unsigned turn; /* the call that it is in, or GENERATOR_IDLE */
    size_t request;
    size_t sample;
    uint64_t number; /* of the sample, for its draws */
    size_t n_read;   /* tokens that the cache has */
    size_t n_new;    /* tokens that the sample has */
    struct token_ids queue;
    size_t n_queued;           /* of the queue: the first ones are read */
    struct trace_state *state; /* owned; NULL: no grammar */
};

struct generator {
    struct decoder *d; /* borrowed */
    struct generator_options options;
    struct kv_cache *kv;            /* owned */
    struct sampler *sampler;        /* owned */
    struct generator_place *places; /* owned; [max_batch] */
    size_t max_rows;
    uint32_t *ids, *positions, *seqs; /* owned; [max_rows] */
    float *logits;                    /* owned; [max_batch,V] */
    float *first_logits;              /* owned; [V]: behind the prompt */
    uint32_t *greedy; /* owned; what the decoder's greedy steps chose */
    uint64_t *masks;  /* owned; [max_batch,(V+63)/64] */
    struct generate_counts counts;
};

/* A run's arguments, and how far it is. */
struct generation {
    struct generator *g;
    const struct generate_request *requests;
    size_t n_requests;
    const struct generate_options *options;
    generate_fn *visit;
    void *ctx;
    size_t request;   /* the one that samples are being made of */
    size_t n_started; /* samples of it */
    bool is_read;     /* its prompt is in the cache */
    const struct generate_request *held; /* whose prompt the cache holds yet;
                                            NULL: none */
    size_t n_taken;                      /* places */
    bool is_under_way[GENERATOR_TURNS];
    size_t n_chosen[GENERATOR_TURNS]; /* words that such a call will bring */
};

/* generator.c: tokens of a prompt and a sample of it. */
size_t generator__most_tokens(const struct generator_options *o);

/* ---- generator_places.c: samples begin, grow and end ----------------------
 */

/* Begin samples while there are free places and requests.  Fails: CWM_USAGE
 * (a prompt that the run cannot take), CWM_CANCELLED, CWM_NOMEM. */
enum cwm_rc generator__fill_places(struct generation *run, struct cwm_err *err);
/* The place is free again. */
void generator__leave(struct generation *run, struct generator_place *p);
/* Tokens that the place's sample may have. */
size_t generator__max_new(const struct generation *run,
                          const struct generator_place *p);
/* The sample goes on by this token; where that ends it, the place is free. */
enum cwm_rc generator__take_token(struct generation *run,
                                  struct generator_place *p,
                                  const struct sampled *sampled, bool is_forced,
                                  struct cwm_err *err);
/* ... by a token that was chosen, and what is forced behind. */
enum cwm_rc generator__go_on(struct generation *run, struct generator_place *p,
                             const struct sampled *chosen, struct cwm_err *err);
/* ... by the one that these logits [V] give, and what is forced behind. */
enum cwm_rc generator__choose(struct generation *run, struct generator_place *p,
                              const float *logits, struct cwm_err *err);

/* ---- generator_steps.c: the model reads, words are chosen -----------------
 */

/* All samples go on, the host choosing. */
enum cwm_rc generator__step(struct generation *run, struct cwm_err *err);

/* Does the run go by turns, the device choosing under the grammar's masks? */
bool generator__takes_turns(const struct generation *run);
/* One turn of each half; those of the first are under way in the end. */
enum cwm_rc generator__take_turns(struct generation *run, struct cwm_err *err);

/* How many steps all samples can take without the host: each by its likeliest
 * token, from one that was chosen before.  0: some cannot. */
size_t generator__n_alone(const struct generation *run);
enum cwm_rc generator__steps_alone(struct generation *run, size_t n_steps,
                                   struct cwm_err *err);

#endif /* CWM_MODEL_GENERATOR_INTERNAL_H */
