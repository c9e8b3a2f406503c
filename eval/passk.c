/* SPDX-License-Identifier: MIT */
/* passk.c -- see passk.h. */
#include "eval/passk.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/draw.h"

enum {
    /* Problems that differ for which all 2^n signs are tried: 65,536 sums. */
    MAX_EXACT_SIGNS = 16,
    /* Streams of one seed that have nothing to do with each other. */
    STREAM_PROBLEMS = 1,
    STREAM_SIGNS = 2
};

/* Sums of differences that are equal but for rounding count as equal. */
#define SLACK 1e-12

/* ---- the estimator ---- */

/*
 * C(n-c, k) / C(n, k) is the product of (n-k-j) / (n-j) over the c right ones,
 * and, with c and k exchanged, the same over k: the shorter one is taken.  The
 * logarithms are summed with a carry (Kahan), since what is wanted is often
 * the little that the product lacks of 1.
 */
double passk_estimate(uint64_t n, uint64_t c, uint64_t k)
{
    uint64_t few = c < k ? c : k;
    uint64_t many = c < k ? k : c;
    double sum = 0;
    double carry = 0;

    if (k == 0 || k > n || c > n) {
        return (double)NAN;
    }
    if (n - c < k) {
        return 1;
    }
    for (uint64_t j = 0; j < few; j++) {
        double term = log1p(-(double)many / (double)(n - j)) - carry;
        double next = sum + term;

        carry = (next - sum) - term;
        sum = next;
    }
    return -expm1(sum);
}

/* ---- the bootstrap ---- */

double passk_mean(const double *scores, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += scores[i];
    }
    return n > 0 ? sum / (double)n : (double)NAN;
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return (*x > *y) - (*x < *y);
}

/* Of sorted values, those between two neighbours in proportion. */
static double percentile(const double *sorted, size_t n, double share)
{
    double at = share * (double)(n - 1);
    size_t low = (size_t)at;

    if (low + 1 >= n) {
        return sorted[n - 1];
    }
    return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

static enum cwm_rc check_draws(size_t n, const struct passk_bootstrap *how,
                               struct cwm_err *err)
{
    if (n == 0 || n > UINT32_MAX) {
        return CWM_FAIL(err, CWM_USAGE, "cannot take a mean of %zu scores", n);
    }
    if (how->n_draws == 0 || how->n_draws > PASSK_MAX_DRAWS) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot make %llu bootstrap draws: 1 to %d are "
                        "possible",
                        (unsigned long long)how->n_draws, PASSK_MAX_DRAWS);
    }
    if (!(how->confidence > 0 && how->confidence < 1)) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot give an interval of confidence %g: more than "
                        "0 and less than 1 is possible",
                        how->confidence);
    }
    return CWM_OK;
}

/*
 * Most rows are equal for most problems in most draws: what a draw is, is the
 * number of times that each problem is in it.  counts[0..n) are written as
 * doubles, which is what they are multiplied as.
 */
static void draw_counts(struct draw *d, double *counts, size_t n)
{
    memset(counts, 0, n * sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        counts[draw_below(d, (uint32_t)n)] += 1;
    }
}

/* Four sums side by side: additions need not wait for each other. */
static double weighted_mean(const double *scores, const double *counts,
                            size_t n)
{
    double sums[4] = {0, 0, 0, 0};
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        for (size_t j = 0; j < 4; j++) {
            sums[j] += scores[i + j] * counts[i + j];
        }
    }
    for (; i < n; i++) {
        sums[0] += scores[i] * counts[i];
    }
    return (sums[0] + sums[1] + (sums[2] + sums[3])) / (double)n;
}

enum cwm_rc passk_intervals(const double *rows, size_t m, size_t n,
                            const struct passk_bootstrap *how,
                            struct passk_interval *out, struct cwm_err *err)
{
    enum cwm_rc rc = check_draws(n, how, err);
    struct draw d = draw_seed(how->seed, STREAM_PROBLEMS);
    size_t n_draws = (size_t)how->n_draws;
    double tail = (1 - how->confidence) / 2;
    double *counts = NULL; /* owned; [n] */
    double *means = NULL;  /* owned; [m][n_draws] */

    if (rc != CWM_OK) {
        return rc;
    }
    if (m > 0 && n_draws <= SIZE_MAX / m / sizeof *means) {
        counts = cwm_malloc(n * sizeof *counts);
        means = cwm_malloc(m * n_draws * sizeof *means);
    }
    if (!counts || !means) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold %zu draws of %zu means",
                      n_draws, m);
        goto out;
    }
    for (size_t b = 0; b < n_draws; b++) {
        draw_counts(&d, counts, n);
        for (size_t row = 0; row < m; row++) {
            means[row * n_draws + b] = weighted_mean(rows + row * n, counts, n);
        }
    }
    for (size_t row = 0; row < m; row++) {
        double *of_row = means + row * n_draws;

        qsort(of_row, n_draws, sizeof *of_row, compare_doubles);
        out[row] = (struct passk_interval){
            .mean = passk_mean(rows + row * n, n),
            .low = percentile(of_row, n_draws, tail),
            .high = percentile(of_row, n_draws, 1 - tail),
        };
    }
out:
    cwm_free(counts);
    cwm_free(means);
    return rc;
}

enum cwm_rc passk_interval(const double *scores, size_t n,
                           const struct passk_bootstrap *how,
                           struct passk_interval *ret_interval,
                           struct cwm_err *err)
{
    return passk_intervals(scores, 1, n, how, ret_interval, err);
}

/* ---- two models ---- */

/*
 * Chance that of n fair coins at most `few`, or at least n - few, fall on one
 * side.  Summed from the largest term down, by the ratio of neighbours.
 */
static double sign_test(size_t n, size_t few)
{
    double dn = (double)n;
    double df = (double)few;
    double term = exp(lgamma(dn + 1) - lgamma(df + 1) - lgamma(dn - df + 1) -
                      dn * log(2));
    double sum = 0;

    for (size_t i = few;; i--) {
        sum += term;
        if (i == 0 || term < sum * 1e-18) {
            break;
        }
        term *= (double)i / (double)(n - i + 1);
    }
    return 2 * sum < 1 ? 2 * sum : 1;
}

/* Share of the 2^n ways to choose signs whose sum is at least as large. */
static double flip_all(const double *differences, size_t n, double observed)
{
    uint32_t n_ways = 1u << n;
    uint32_t n_as_large = 0;

    for (uint32_t signs = 0; signs < n_ways; signs++) {
        double sum = 0;

        for (size_t i = 0; i < n; i++) {
            sum += (signs >> i & 1) ? -differences[i] : differences[i];
        }
        n_as_large += fabs(sum) >= observed - SLACK;
    }
    return (double)n_as_large / (double)n_ways;
}

/* The same of drawn signs; what was observed is one of the ways, too. */
static double flip_drawn(const double *differences, size_t n, double observed,
                         const struct passk_bootstrap *how)
{
    struct draw d = draw_seed(how->seed, STREAM_SIGNS);
    uint64_t n_as_large = 1;

    for (uint64_t b = 0; b < how->n_draws; b++) {
        double sum = 0;
        uint64_t bits = 0;

        for (size_t i = 0; i < n; i++) {
            bits = i % 64 == 0 ? draw_bits(&d) : bits >> 1;
            sum += bits & 1 ? -differences[i] : differences[i];
        }
        n_as_large += fabs(sum) >= observed - SLACK;
    }
    return (double)n_as_large / (double)(how->n_draws + 1);
}

enum cwm_rc passk_compare(const double *a, const double *b, size_t n,
                          const struct passk_bootstrap *how,
                          struct passk_comparison *ret_comparison,
                          struct cwm_err *err)
{
    struct passk_comparison c = {.p_sign = 1, .p_permutation = 1};
    double *differences = cwm_malloc(n * sizeof *differences); /* owned */
    double sum = 0;
    size_t n_other = 0;
    enum cwm_rc rc;

    if (!differences) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu differences", n);
    }
    for (size_t i = 0; i < n; i++) {
        differences[i] = a[i] - b[i];
        c.n_better += differences[i] > 0;
        c.n_worse += differences[i] < 0;
    }
    c.n_equal = n - c.n_better - c.n_worse;
    rc = passk_interval(differences, n, how, &c.difference, err);
    if (rc != CWM_OK) {
        goto out;
    }
    for (size_t i = 0; i < n; i++) { /* equal ones have no sign to flip */
        if (differences[i] > 0 || differences[i] < 0) {
            sum += differences[i];
            differences[n_other++] = differences[i];
        }
    }
    if (n_other > 0) {
        c.p_sign =
            sign_test(n_other, c.n_better < c.n_worse ? c.n_better : c.n_worse);
        c.p_permutation =
            n_other <= MAX_EXACT_SIGNS
                ? flip_all(differences, n_other, fabs(sum))
                : flip_drawn(differences, n_other, fabs(sum), how);
    }
    *ret_comparison = c;
out:
    cwm_free(differences);
    return rc;
}
