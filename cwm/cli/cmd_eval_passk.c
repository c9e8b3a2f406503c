/* SPDX-License-Identifier: MIT */
/* cmd_eval_passk.c -- `cwm eval passk`: how often one of k samples is right. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_eval.h"
#include "eval/passk.h"

enum { MAX_OUT_BYTES = 1 << 30 };

#define CONFIDENCE 0.95

struct judged {
    const struct eval_fields *f; /* borrowed */
    struct problem_set problems;
    struct sample_set samples;
    struct matrix matrix;
    struct execute_counts counts;
    uint64_t ks[EVAL_MAX_KS];
    size_t n_ks;
    struct passk_interval scores[EVAL_MAX_KS]; /* mean NAN: too few samples */
    uint64_t outcomes[MATRIX_N_CELLS];         /* samples that ended so */
    struct passk_comparison against[EVAL_MAX_KS]; /* with --against */
};

static void release(struct judged *j)
{
    matrix_release(&j->matrix);
    sample_set_release(&j->samples);
    problem_set_release(&j->problems);
}

static void count_outcomes(struct judged *j)
{
    for (size_t t = 0; t < j->matrix.n; t++) {
        const struct matrix_task *m = &j->matrix.tasks[t];

        for (size_t c = 0; c < m->n_candidates; c++) {
            /* An equal program may be another sample's empty completion. */
            j->outcomes[m->own[m->programs[c]]]++;
        }
    }
}

/*
 * One k over all problems.  A problem without samples is a problem that was
 * not solved; one with fewer than k leaves the score untold.
 */
static enum cwm_rc score(struct judged *j, size_t which, double *row,
                         struct cwm_err *err)
{
    const struct passk_bootstrap how = {
        .n_draws = j->f->draws, .seed = j->f->seed, .confidence = CONFIDENCE};

    for (size_t t = 0; t < j->matrix.n; t++) {
        const struct matrix_task *m = &j->matrix.tasks[t];
        uint64_t n_right = 0;

        for (size_t c = 0; c < m->n_candidates; c++) {
            n_right += matrix_is_right(m, c);
        }
        row[t] = m->n_candidates == 0
                     ? 0
                     : passk_estimate(m->n_candidates, n_right, j->ks[which]);
        if (isnan(row[t])) {
            j->scores[which].mean = (double)NAN;
            return CWM_OK;
        }
    }
    return passk_interval(row, j->matrix.n, &how, &j->scores[which], err);
}

static enum cwm_rc score_all(struct judged *j, struct cwm_err *err)
{
    double *row = cwm_calloc(j->matrix.n + 1, sizeof *row); /* owned */
    enum cwm_rc rc =
        row ? CWM_OK : CWM_FAIL(err, CWM_NOMEM, "could not hold the scores");

    for (size_t i = 0; i < j->n_ks && rc == CWM_OK; i++) {
        rc = score(j, i, row, err);
    }
    cwm_free(row);
    count_outcomes(j);
    return rc;
}

/* ---- what is printed ---- */

static void put_each(const struct judged *j, struct cwm_buf *out)
{
    for (size_t t = 0; t < j->matrix.n; t++) {
        const struct matrix_task *m = &j->matrix.tasks[t];
        const struct problem_text *id = &j->problems.list[t].task_id;

        for (size_t c = 0; c < m->n_candidates; c++) {
            uint32_t row = m->programs[c];

            cwm_buf_adds(out, "{\"task_id\": ");
            cwm_buf_add_json(out, id->data, id->len);
            cwm_buf_addf(
                out,
                ", \"sample\": %zu, \"line\": %llu, \"verdict\": "
                "\"%s\", \"cpu_us\": %u, \"closeness\": %.4f}\n",
                c, (unsigned long long)j->samples.list[m->samples[c]].line,
                matrix_cell_text((enum matrix_cell)m->own[row]),
                m->own_cpu_us[row],
                matrix_closeness(m->own_cpu_us[row], j->matrix.own_limit_us));
        }
    }
}

static void put_json(const struct judged *j, struct cwm_buf *out)
{
    cwm_buf_addf(out, "{\"mode\": \"%s\"", j->f->compat ? "compat" : "strict");
    for (size_t i = 0; i < j->n_ks; i++) {
        eval_put_score(out, j->ks[i], &j->scores[i]);
    }
    for (size_t i = 0; i < j->n_ks && j->f->against; i++) {
        eval_put_against(out, j->ks[i], &j->against[i]);
    }
    eval_put_counts(&j->problems, &j->samples, out);
    eval_put_outcomes(out, j->outcomes);
    eval_put_runs(out, &j->counts);
    cwm_buf_adds(out, "}\n");
}

static void put_table(const struct judged *j, struct cwm_buf *out)
{
    cwm_buf_addf(out, "%zu problems, %zu samples (%llu programs), %s\n",
                 j->problems.n, j->samples.n,
                 (unsigned long long)j->counts.n_programs,
                 j->f->compat ? "compat: scored as the papers do" : "strict");
    for (size_t i = 0; i < j->n_ks; i++) {
        eval_put_score_line(out, j->ks[i], &j->scores[i]);
    }
    for (size_t i = 0; i < j->n_ks && j->f->against; i++) {
        eval_put_against_line(out, j->ks[i], &j->against[i]);
    }
    eval_put_outcome_lines(out, j->outcomes);
    if (j->samples.n_missing > 0) {
        cwm_buf_addf(out, "%-12s %llu problems\n", "missing",
                     (unsigned long long)j->samples.n_missing);
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
    code = cli_print("eval passk", &out);
    cwm_buf_release(&out);
    return code;
}

int eval_passk(const struct eval_fields *f)
{
    struct judged j = {.f = f};
    struct execute_options how;
    struct progress progress;
    struct cwm_err err = {0};
    enum cwm_rc rc;
    int code = eval_parse_ks("passk", f->ks, j.ks, &j.n_ks);

    progress_init(&progress);
    if (code < 0) {
        code = eval_execute_options(f, &progress, &how);
    }
    if (code < 0) {
        code = eval_open(f, "passk", &j.problems, &j.samples);
    }
    if (code >= 0) {
        return code;
    }
    rc = execute_all(&j.problems, &j.samples, NULL, &how, &j.matrix, &j.counts,
                     &err);
    progress_clear(&progress);
    if (rc == CWM_OK) {
        rc = score_all(&j, &err);
    }
    if (rc == CWM_OK && f->against) {
        rc = eval_against(f, &j.problems, &j.matrix, &how, j.ks, j.n_ks,
                          j.against, &err);
        progress_clear(&progress);
    }
    code = rc == CWM_OK ? print(&j) : eval_fail("passk", &err);
    release(&j);
    return code;
}
