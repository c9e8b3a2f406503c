/* SPDX-License-Identifier: MIT */
/*
 * verify.h -- a file of predicted traces against the truth, which is traced.
 *
 * A line is a job (tracer/job_read.h) with its prediction:
 *     {"id", "source", "entry", "args", "wrap_main", ...,
 *      "prediction": "<the predicted text>", "finish_reason": "length"}
 * The last is for predictions that are known to have been cut off; where it is
 * not there the text tells (score.h).  Results come in the lines' order, the
 * same ones for any number of workers.  A line that is no job, or has no
 * prediction, is a result of its own kind.
 *
 * Threads: callbacks are called from the thread that called verify_run().
 */
#ifndef EVAL_VERIFY_H
#define EVAL_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "eval/check.h"
#include "eval/score.h"
#include "tracer/trace.h"

struct verify_stats {
    uint64_t n_lines;         /* that are not blank */
    uint64_t n_scored;        /* sums.n_traces */
    uint64_t n_no_trace;      /* the program gave no frame to compare with */
    uint64_t n_bad_lines;     /* no job, or no prediction */
    uint64_t n_tracer_failed; /* the truth was spoiled by the tracer itself */
    struct score_sums sums;
    uint64_t n_checked, n_sound;         /* static checks */
    uint64_t n_with_kind[CHECK_N_KINDS]; /* predictions, by problem */
    char python[16];
};

struct verify_options {
    const char *path; /* "-": standard input */
    unsigned n_workers;
    bool is_static;               /* run nothing: check.h instead of scores */
    bool full_texts;              /* do not cut the texts of divergences */
    struct tracer_options tracer; /* all borrowed for the call */
    struct trace_job defaults;    /* seed and limits, where a line has none */
    const volatile int *cancel;   /* NULL is fine */
    /* One line's result as a JSON object and '\n'; `message` is not NULL for a
     * line that is none, and says why. */
    enum cwm_rc (*on_line)(void *ctx, uint64_t line, const char *json,
                           size_t len, const char *message,
                           struct cwm_err *err);
    void (*on_progress)(void *ctx, const struct verify_stats *stats);
    void *ctx; /* of the two */
};

/*
 * Fails: CWM_USAGE (the file cannot be used), CWM_CANCELLED, CWM_IO; as
 * tracer_open(); as tracer_run() when it fails twice for one line; as
 * on_line().  *stats is always filled.
 */
enum cwm_rc verify_run(const struct verify_options *options,
                       struct verify_stats *stats, struct cwm_err *err);

/* One prediction against one finished run, which had so many frames for its
 * budget.  *ret_scored false: the run has no frames.  Fails: CWM_NOMEM,
 * CWM_LIMIT. */
enum cwm_rc verify_result(const struct trace_result *result,
                          uint64_t max_frames, const char *text, size_t len,
                          bool was_cut, struct score_sums *sums,
                          struct predicted *ret_predicted,
                          struct predicted *ret_truth,
                          struct trace_score *ret_score, bool *ret_scored,
                          struct cwm_err *err);

/* ---- as JSON (verify_json.c) ---- */

struct verify_record {
    const char *id;
    const char *verdict; /* of the true run */
    const char *detail;  /* or NULL */
    const struct predicted *predicted;
    const struct trace_score *score; /* NULL: not scored */
    bool full_texts;
};

/* Appends one object, without '\n'.  Failures stick to `out`. */
void verify_put_record(const struct verify_record *record, struct cwm_buf *out);
void verify_put_totals(const struct verify_stats *stats, struct cwm_buf *out);
/* The same of static checks. */
void verify_put_check(const char *id, const struct predicted *predicted,
                      const struct check_result *result, struct cwm_buf *out);
void verify_put_check_totals(const struct verify_stats *stats,
                             struct cwm_buf *out);

#endif /* EVAL_VERIFY_H */
