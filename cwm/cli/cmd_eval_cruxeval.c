/* SPDX-License-Identifier: MIT */
/* cmd_eval_cruxeval.c -- `cwm eval cruxeval`: generations, run. */
#include <math.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_eval.h"
#include "eval/cruxeval.h"
#include "eval/passk.h"

enum { MAX_OUT_BYTES = 1 << 30 };

#define CONFIDENCE 0.95

struct judged {
    const struct eval_fields *f; /* borrowed */
    struct problem_set problems;
    struct sample_set samples;
    struct cruxeval_result result;
    struct crux_ask_counts asked; /* with --endpoint */
    uint64_t ks[EVAL_MAX_KS];
    size_t n_ks;
    struct passk_interval scores[EVAL_MAX_KS]; /* mean NAN: too few */
};

static enum cwm_rc score_all(struct judged *j, struct cwm_err *err)
{
    const struct passk_bootstrap how = {
        .n_draws = j->f->draws, .seed = j->f->seed, .confidence = CONFIDENCE};
    const size_t n = j->problems.n;
    double *row = cwm_calloc(n + 1, sizeof *row); /* owned */
    enum cwm_rc rc =
        row ? CWM_OK : CWM_FAIL(err, CWM_NOMEM, "could not hold the scores");

    for (size_t i = 0; i < j->n_ks && rc == CWM_OK; i++) {
        bool is_told = true;

        for (size_t t = 0; t < n; t++) {
            row[t] = cruxeval_pass(&j->result, t, j->ks[i], j->f->compat);
            is_told = is_told && !isnan(row[t]);
        }
        j->scores[i].mean = (double)NAN;
        if (is_told) {
            rc = passk_interval(row, n, &how, &j->scores[i], err);
        }
    }
    cwm_free(row);
    return rc;
}

static const char *mode_text(const struct judged *j)
{
    return j->result.mode == CRUXEVAL_INPUT ? "input" : "output";
}

static void put_each(const struct judged *j, struct cwm_buf *out)
{
    for (size_t i = 0; i < j->samples.n; i++) {
        const struct problem *p = &j->problems.list[j->samples.list[i].task];

        cwm_buf_adds(out, "{\"task_id\": ");
        cwm_buf_add_json(out, p->task_id.data, p->task_id.len);
        cwm_buf_addf(out, ", \"verdict\": \"%s\"}\n",
                     matrix_cell_text((enum matrix_cell)j->result.cells[i]));
    }
}

static void put_json(const struct judged *j, struct cwm_buf *out)
{
    cwm_buf_addf(out, "{\"task\": \"%s\", \"mode\": \"%s\"", mode_text(j),
                 j->f->compat ? "compat" : "strict");
    for (size_t i = 0; i < j->n_ks; i++) {
        eval_put_score(out, j->ks[i], &j->scores[i]);
    }
    eval_put_counts(&j->problems, &j->samples, out);
    eval_put_outcomes(out, j->result.outcomes);
    eval_put_runs(out, &j->result.counts);
    if (j->f->endpoint) {
        eval_put_asked(out, &j->asked);
    }
    cwm_buf_adds(out, "}\n");
}

static void put_table(const struct judged *j, struct cwm_buf *out)
{
    cwm_buf_addf(out, "%zu problems, %zu generations (%s), %s\n", j->problems.n,
                 j->samples.n, mode_text(j),
                 j->f->compat ? "compat: scored as the paper does" : "strict");
    for (size_t i = 0; i < j->n_ks; i++) {
        eval_put_score_line(out, j->ks[i], &j->scores[i]);
    }
    eval_put_outcome_lines(out, j->result.outcomes);
    if (j->f->endpoint) {
        eval_put_asked_lines(out, &j->asked);
    }
}

static int print(const struct judged *j)
{
    struct cwm_buf out;
    int code;

    cwm_buf_init(&out, MAX_OUT_BYTES);
    if (j->f->each) {
        put_each(j, &out);
    }
    if (j->f->json) {
        put_json(j, &out);
    } else {
        put_table(j, &out);
    }
    code = cli_print("eval cruxeval", &out);
    cwm_buf_release(&out);
    return code;
}

int eval_cruxeval(const struct eval_fields *f)
{
    struct judged j = {.f = f};
    struct execute_options how;
    struct progress progress;
    struct cwm_err err = {0};
    enum cwm_rc rc;
    int code = eval_parse_ks("cruxeval", f->ks, j.ks, &j.n_ks);

    progress_init(&progress);
    if (code < 0) {
        code = eval_execute_options(f, &progress, &how);
    }
    if (code < 0) {
        code = f->endpoint
                   ? eval_ask_cruxeval(f, &j.problems, &j.samples, &j.asked)
                   : eval_open(f, "cruxeval", &j.problems, &j.samples);
    }
    if (code >= 0) {
        return code;
    }
    rc =
        cruxeval_judge(&j.problems, &j.samples,
                       (enum cruxeval_mode)f->crux_mode, &how, &j.result, &err);
    progress_clear(&progress);
    if (rc == CWM_OK) {
        rc = score_all(&j, &err);
    }
    code = rc == CWM_OK ? print(&j) : eval_fail("cruxeval", &err);
    cruxeval_release(&j.result);
    sample_set_release(&j.samples);
    problem_set_release(&j.problems);
    return code;
}
