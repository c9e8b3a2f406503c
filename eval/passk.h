/* SPDX-License-Identifier: MIT */
/*
 * passk.h -- pass@k, how sure a mean over problems is, two models compared.
 *
 * pass@k is the chance that at least one of k samples is right, estimated
 * without bias from n samples of which c are: 1 - C(n-c, k) / C(n, k).
 *
 * Intervals are the bootstrap's, over problems: scores of as many problems as
 * there are, drawn with repetition; percentiles of the means of many such
 * draws.  They say how far the figure would move on other problems of this
 * kind; what few samples of a problem add is in them as well.
 *
 * Seeded: the same numbers, seed and count give the same bits.
 *
 * Threads: none shared.
 */
#ifndef EVAL_PASSK_H
#define EVAL_PASSK_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

#define PASSK_MAX_DRAWS 1000000

/*
 * Of n samples c are right.  NAN when it cannot be told: k is 0 or larger
 * than n, or c larger than n.
 */
double passk_estimate(uint64_t n, uint64_t c, uint64_t k);

struct passk_bootstrap {
    uint64_t n_draws;  /* 1 to PASSK_MAX_DRAWS; 1,000 is usual */
    uint64_t seed;     /* the same seed: the same problems in every draw */
    double confidence; /* 0.95: from the 2.5th to the 97.5th percentile */
};

struct passk_interval {
    double mean, low, high;
};

double passk_mean(const double *scores, size_t n); /* NAN of none */

/*
 * The mean of scores[0..n), n > 0, and its interval.  Fails: CWM_USAGE (no
 * score, too many draws, a confidence that is none), CWM_NOMEM.
 */
enum cwm_rc passk_interval(const double *scores, size_t n,
                           const struct passk_bootstrap *how,
                           struct passk_interval *ret_interval,
                           struct cwm_err *err);

/*
 * The same of m rows of scores, rows[i * n + problem], from one pass over the
 * draws: all rows see the same problems, so that differences between them
 * mean something.  out[0..m) is filled.
 */
enum cwm_rc passk_intervals(const double *rows, size_t m, size_t n,
                            const struct passk_bootstrap *how,
                            struct passk_interval *out, struct cwm_err *err);

struct passk_comparison {
    struct passk_interval difference;  /* of the means, a - b */
    size_t n_better, n_worse, n_equal; /* problems: a above b, below, same */
    /* p-values, two-sided, of "neither is better" */
    double p_sign;        /* binomial, over the problems that differ; exact */
    double p_permutation; /* signs of the differences flipped: all ways when
                             they are few, else drawn */
};

/*
 * Two models on the same n problems, a[i] and b[i] being the scores of one.
 * Fails as passk_interval().
 */
enum cwm_rc passk_compare(const double *a, const double *b, size_t n,
                          const struct passk_bootstrap *how,
                          struct passk_comparison *ret_comparison,
                          struct cwm_err *err);

#endif /* EVAL_PASSK_H */
