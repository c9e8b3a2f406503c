/* SPDX-License-Identifier: MIT */
/*
 * cmd_eval.h -- what the verbs of `cwm eval` share: one table of options,
 * problems and samples opened, the line on the terminal.
 */
#ifndef CWM_CLI_CMD_EVAL_H
#define CWM_CLI_CMD_EVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/cli/progress.h"
#include "cwm/cli/running.h"
#include "eval/crux_ask.h"
#include "eval/execute.h"
#include "eval/passk.h"
#include "eval/problem.h"

/* As given; texts are borrowed from argv. */
struct eval_fields {
    const char *problems, *samples;
    const char *against; /* of passk: the other model's samples */
    bool canonical;
    const char *results;
    int crux_mode;  /* enum cruxeval_mode */
    const char *ks; /* "1,10,100" */
    const char *store;
    uint64_t workers;
    uint64_t timeout_ms;
    uint64_t test_timeout_ms;
    uint64_t memory_mb;
    uint64_t draws;
    uint64_t seed;
    bool compat;
    /* bestk */
    const char *tests, *selectors, *html;
    uint64_t tests_of_sample, pools, tokens_per_s;
    bool filter;
    /* of models behind an endpoint */
    const char *endpoint, *model, *key_env, *answers;
    const char *temperature, *top_p; /* decimals */
    uint64_t n_answers, max_tokens, parallel, requests_per_s, tries,
        request_timeout_ms;
    int style; /* enum crux_style */
    bool chat;
    bool json;
    bool each;
    struct running_fields run;
};

#define EVAL_MAX_KS 32

/* The numbers between commas; -1 to go on, else (having told) an exit code. */
int eval_parse_ks(const char *verb, const char *text, uint64_t ks[EVAL_MAX_KS],
                  size_t *ret_n);

/* What execute_all() takes; the progress line is `*progress`. */
int eval_execute_options(const struct eval_fields *f, struct progress *progress,
                         struct execute_options *ret_options);

/* Tell an error of a verb's; the exit code that fits. */
int eval_fail(const char *verb, const struct cwm_err *err);

/*
 * Both files read, what is amiss with them told (people only).  On success
 * both sets are the caller's.  -1 to go on, else an exit code.
 */
int eval_open(const struct eval_fields *f, const char *verb,
              struct problem_set *ret_problems, struct sample_set *ret_samples);

/* "missing": 1, ... -- members of a JSON object, a ", " before each. */
void eval_put_counts(const struct problem_set *problems,
                     const struct sample_set *samples, struct cwm_buf *out);
/* A number of percent, or null for NAN. */
void eval_put_percent(struct cwm_buf *out, double share);
/* ', "pass@K": ..., "interval@K": [...]', mean NAN: null; and for people. */
void eval_put_score(struct cwm_buf *out, uint64_t k,
                    const struct passk_interval *score);
void eval_put_score_line(struct cwm_buf *out, uint64_t k,
                         const struct passk_interval *score);
/* ', "outcomes": {...}' of outcomes[MATRIX_N_CELLS]; and for people. */
void eval_put_outcomes(struct cwm_buf *out, const uint64_t *outcomes);
void eval_put_outcome_lines(struct cwm_buf *out, const uint64_t *outcomes);
/* ', "programs": ...': what execute_all() did. */
void eval_put_runs(struct cwm_buf *out, const struct execute_counts *counts);

/* The verbs; words behind their names are in `f`. */
int eval_passk(const struct eval_fields *f);
int eval_cruxeval(const struct eval_fields *f);
int eval_bestk(const struct eval_fields *f);

/*
 * The samples of f->against on the same problems, compared with `first` for
 * each k: out[0..n_ks), whose difference.mean is NAN where it cannot be told.
 */
enum cwm_rc eval_against(const struct eval_fields *f,
                         const struct problem_set *problems,
                         const struct matrix *first,
                         const struct execute_options *how, const uint64_t *ks,
                         size_t n_ks, struct passk_comparison *out,
                         struct cwm_err *err);
void eval_put_against(struct cwm_buf *out, uint64_t k,
                      const struct passk_comparison *c);
void eval_put_against_line(struct cwm_buf *out, uint64_t k,
                           const struct passk_comparison *c);

/*
 * CRUXEval's samples from the model behind f->endpoint.  On success both sets
 * are the caller's.  -1 to go on, else (having told) an exit code.
 */
int eval_ask_cruxeval(const struct eval_fields *f,
                      struct problem_set *ret_problems,
                      struct sample_set *ret_samples,
                      struct crux_ask_counts *ret_counts);
/* Members of a JSON object, a ", " before each; and as lines for people. */
void eval_put_asked(struct cwm_buf *out, const struct crux_ask_counts *counts);
void eval_put_asked_lines(struct cwm_buf *out,
                          const struct crux_ask_counts *counts);

#endif /* CWM_CLI_CMD_EVAL_H */
