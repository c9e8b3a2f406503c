/* SPDX-License-Identifier: MIT */
/*
 * cmd_train_traces.h -- what a loss does not tell: how many held-out traces
 * the model, left to itself, predicts right.
 *
 * Of the held-out shards some traces are chosen, evenly spread and the same
 * ones each time.  The model is given a program and the frame of its call, and
 * goes on greedily under the grammar, as `cwm predict --greedy` does; the
 * scores are those of `cwm verify`.
 */
#ifndef CWM_CLI_CMD_TRAIN_TRACES_H
#define CWM_CLI_CMD_TRAIN_TRACES_H

#include "cwm/cli/generating.h"
#include "eval/score.h"

struct train_traces; /* opaque: cmd_train_traces.c */

/*
 * At most n traces of the held-out shards in the folder, of those that fit a
 * model's max_positions; `t` is borrowed and must outlive them.  *ret_traces
 * is owned: train_traces_free().  Fails: CWM_USAGE (there is none),
 * CWM_FORMAT, CWM_IO, CWM_NOMEM.
 */
enum cwm_rc train_traces_new(const char *shards, const struct tokenizer *t,
                             const struct model_config *config, size_t n,
                             struct train_traces **ret_traces,
                             struct cwm_err *err);
void train_traces_free(struct train_traces *w); /* NULL is fine */

struct train_traces_result {
    struct score_sums sums; /* of those that came to an end in time */
    size_t n;               /* traces that were to be predicted */
    double seconds;
};

/*
 * Let the checkpoint of `folder` predict them, for at most so many seconds.
 * Fails: as engine_open() and generator_run().
 */
enum cwm_rc train_traces_judge(struct train_traces *w, const char *folder,
                               const struct generating_fields *how,
                               double max_seconds, const volatile int *cancel,
                               struct train_traces_result *ret,
                               struct cwm_err *err);

#endif /* CWM_CLI_CMD_TRAIN_TRACES_H */
