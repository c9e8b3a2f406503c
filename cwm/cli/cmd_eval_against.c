/* SPDX-License-Identifier: MIT */
/* cmd_eval_against.c -- `cwm eval passk --against`: two models compared. */
#include <math.h>

#include "cwm/base/alloc.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_eval.h"

#define CONFIDENCE 0.95

typedef unsigned long long ull;

double eval_pass_of(const struct matrix_task *m, uint64_t k)
{
    uint64_t n_right = 0;

    for (size_t c = 0; c < m->n_candidates; c++) {
        n_right += matrix_is_right(m, c);
    }
    return m->n_candidates == 0 ? 0
                                : passk_estimate(m->n_candidates, n_right, k);
}

/* row[task]: pass@k; false where a task has fewer than k samples. */
static bool fill_row(const struct matrix *matrix, uint64_t k, double *row)
{
    for (size_t t = 0; t < matrix->n; t++) {
        row[t] = eval_pass_of(&matrix->tasks[t], k);
        if (isnan(row[t])) {
            return false;
        }
    }
    return true;
}

static enum cwm_rc compare(const struct eval_fields *f,
                           const struct matrix *first,
                           const struct matrix *second, const uint64_t *ks,
                           size_t n_ks, struct passk_comparison *out,
                           struct cwm_err *err)
{
    const struct passk_bootstrap how = {
        .n_draws = f->draws, .seed = f->seed, .confidence = CONFIDENCE};
    const size_t n = first->n;
    double *rows = cwm_calloc(2 * n, sizeof *rows); /* owned */
    enum cwm_rc rc =
        rows ? CWM_OK : CWM_FAIL(err, CWM_NOMEM, "could not hold the scores");

    for (size_t i = 0; i < n_ks && rc == CWM_OK; i++) {
        out[i].difference.mean = (double)NAN;
        if (fill_row(first, ks[i], rows) && fill_row(second, ks[i], rows + n)) {
            rc = passk_compare(rows, rows + n, n, &how, &out[i], err);
        }
    }
    cwm_free(rows);
    return rc;
}

enum cwm_rc eval_against(const struct eval_fields *f,
                         const struct problem_set *problems,
                         const struct matrix *first,
                         const struct execute_options *how, const uint64_t *ks,
                         size_t n_ks, struct passk_comparison *out,
                         struct cwm_err *err)
{
    struct sample_set samples = {.n = 0};
    struct matrix second = {.n = 0};
    struct execute_counts counts;
    enum cwm_rc rc = sample_set_read(f->against, problems, &samples, err);

    if (rc != CWM_OK) {
        return rc;
    }
    if (samples.n_missing > 0) {
        cli_say("%llu of %zu problems have no sample in '%s': they count as "
                "failed",
                (ull)samples.n_missing, problems->n, f->against);
    }
    rc = execute_all(problems, &samples, NULL, how, &second, &counts, err);
    if (rc == CWM_OK) {
        rc = compare(f, first, &second, ks, n_ks, out, err);
    }
    matrix_release(&second);
    sample_set_release(&samples);
    return rc;
}

void eval_put_against(struct cwm_buf *out, uint64_t k,
                      const struct passk_comparison *c)
{
    cwm_buf_addf(out, ", \"against@%llu\": ", (ull)k);
    if (isnan(c->difference.mean)) {
        cwm_buf_adds(out, "null");
        return;
    }
    cwm_buf_adds(out, "{\"difference\": ");
    eval_put_percent(out, c->difference.mean);
    cwm_buf_adds(out, ", \"interval\": [");
    eval_put_percent(out, c->difference.low);
    cwm_buf_adds(out, ", ");
    eval_put_percent(out, c->difference.high);
    cwm_buf_addf(out,
                 "], \"better\": %zu, \"worse\": %zu, \"equal\": %zu, "
                 "\"p_sign\": %.6g, \"p_permutation\": %.6g}",
                 c->n_better, c->n_worse, c->n_equal, c->p_sign,
                 c->p_permutation);
}

void eval_put_against_line(struct cwm_buf *out, uint64_t k,
                           const struct passk_comparison *c)
{
    if (isnan(c->difference.mean)) {
        cwm_buf_addf(out, "against, @%-4llu   -\n", (ull)k);
        return;
    }
    cwm_buf_addf(out,
                 "against, @%-4llu %+.2f  [%+.2f, %+.2f]  better in %zu "
                 "problems, worse in %zu; p %.3g (signs), %.3g (permutation)\n",
                 (ull)k, 100 * c->difference.mean, 100 * c->difference.low,
                 100 * c->difference.high, c->n_better, c->n_worse, c->p_sign,
                 c->p_permutation);
}
