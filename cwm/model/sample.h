/* SPDX-License-Identifier: MIT */
/*
 * sample.h -- from logits to the next token.
 *
 * In this order: tokens that the mask forbids are left out; the logits are
 * divided by the temperature; of what is left the top_k likeliest stay; of
 * these, their probabilities summing up to 1, the fewest likeliest that have
 * top_p together; of these the ones at least min_p times as likely as the
 * likeliest.  From those one is drawn.  Where two are equally likely the one
 * with the lower id comes first, everywhere.
 *
 * The draw depends on (seed, sample, position) alone: not on what was drawn
 * before, nor on what else is in the batch.
 *
 * The log-probability told is the model's own: of the softmax over all words,
 * without mask, temperature or cuts.
 *
 * Trust: logits may be anything.  One that is not a number, or plus infinity,
 * is an error; minus infinity is a word that cannot come.
 *
 * Threads: one at a time per sampler.
 */
#ifndef CWM_MODEL_SAMPLE_H
#define CWM_MODEL_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

struct sample_options {
    double temperature; /* 0: always the likeliest */
    uint32_t top_k;     /* 0: all */
    double top_p;       /* 1: all */
    double min_p;       /* 0: all */
    uint64_t seed;
};

/* What the draw is of. */
struct sample_place {
    uint64_t sample;
    uint64_t position;
};

struct sampled {
    uint32_t id;
    float logprob; /* natural; 0 where it was not asked for */
};

/* Bit i of a mask of n_words bits: may the word i come? */
static inline bool sample_mask_has(const uint64_t *mask, size_t word)
{
    return (mask[word >> 6] >> (word & 63) & 1) != 0;
}

static inline size_t sample_mask_n(size_t n_words) /* in uint64_t */
{
    return (n_words + 63) / 64;
}

/* Fails: CWM_USAGE (a setting out of its range: the message names it). */
enum cwm_rc sample_check(const struct sample_options *options,
                         struct cwm_err *err);

/* A number in [0, 1) from the place: 53 random bits. */
double sample_uniform(uint64_t seed, const struct sample_place *place);

struct sampler; /* scratch for n_words: sample.c */

/* Fails: CWM_NOMEM. */
enum cwm_rc sampler_new(size_t n_words, struct sampler **ret_sampler,
                        struct cwm_err *err);
void sampler_free(struct sampler *s); /* NULL is fine */

/*
 * Choose of logits [n_words]; mask (NULL: all may come) has n_words bits.
 * Fails: CWM_FORMAT (logits as above, or no word that can come).
 */
enum cwm_rc sampler_pick(struct sampler *s,
                         const struct sample_options *options,
                         const struct sample_place *place, const float *logits,
                         const uint64_t *mask, bool want_logprob,
                         struct sampled *ret_sampled, struct cwm_err *err);

#endif /* CWM_MODEL_SAMPLE_H */
