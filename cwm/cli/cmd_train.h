/* SPDX-License-Identifier: MIT */
/* cmd_train.h -- what the files of `cwm train` share. */
#ifndef CWM_CLI_CMD_TRAIN_H
#define CWM_CLI_CMD_TRAIN_H

#include "cwm/cli/cmd_train_ranks.h"
#include "cwm/cli/cmd_train_traces.h"
#include "cwm/cli/running.h"
#include "cwm/model/checkpoint.h"
#include "cwm/model/feed.h"
#include "cwm/model/train.h"

/* What products are computed in. */
enum train_type { TRAIN_FP32, TRAIN_BF16, TRAIN_FP8 };

/* What the words of the command say. */
struct train_fields {
    const char *out;
    const char *tokenizer;
    const char *init;
    int size;
    uint64_t layers, width, heads, kv_heads, ffn, window, context;
    bool untied;
    const char *rope_theta;
    uint64_t rows, row_tokens, accumulate;
    int packing;
    const char *weights[SHARD_N_CLASSES];
    uint64_t steps, warmup_steps;
    const char *rate, *final_part, *decay, *clip;
    uint64_t seed;
    int type; /* enum train_type */
    uint64_t threads;
    int device; /* enum device */
    bool deterministic;
    uint64_t save_every, judge_every, judge_batches, max_seconds;
    uint64_t judge_traces, judge_seconds;
    bool generate;
    const char *programs, *judge_on;
    uint64_t held_out, max_tokens, workers;
    struct running_fields run;
    bool json;
};

/* A run that is set up. */
struct train_run {
    const struct train_fields *fields;
    const struct train_ranks *ranks;
    struct trainer *trainer;
    const struct train_data *held_out; /* NULL: there is none */
    struct train_traces *traces;       /* to be predicted; NULL: none */
    const struct checkpoint_file *files;
    size_t n_files;
};

/* What a run came to. */
struct train_result {
    uint64_t step, n_tokens;
    double loss;          /* of the last step here; 0 when there was none */
    double held_out_loss; /* NAN: never judged */
    struct train_traces_result traces; /* the last; n is 0: never judged */
    double seconds;
    bool finished; /* all steps are done */
};

/*
 * cmd_train_model.c: the model's shape from the words, for a vocabulary of
 * n_ids.  Fails: CWM_USAGE.
 */
enum cwm_rc train__shape(const struct train_fields *fields, uint32_t n_ids,
                         double rope_theta, struct model_config *ret_config,
                         struct cwm_err *err);

/*
 * cmd_train_feed.c: --generate.  The traces of the programs that are held out
 * go as shards into `folder`.  Fails: as feed_new(), CWM_IO.
 */
enum cwm_rc train__feed(const struct train_fields *fields,
                        const struct feed_options *options, const char *folder,
                        struct feed **ret_feed, struct cwm_err *err);
void train__say_feed(const struct feed_options *o, struct feed *f,
                     const struct trainer *tr);
/* As a JSON object. */
void train__add_feed(const struct feed_stats *s, struct cwm_buf *out);

/*
 * cmd_train_run.c: step by step until all are done, the time is up, or
 * *cancel is set (then a state is saved, and CWM_CANCELLED returned).
 */
enum cwm_rc train__run(const struct train_run *run, const volatile int *cancel,
                       struct train_result *ret, struct cwm_err *err);

/* ... what came of predicting, as a JSON object; a mean in per cent. */
void train__add_traces(const struct train_traces_result *r,
                       struct cwm_buf *out);
double train__percent(const struct train_traces_result *r, enum score score);

#endif /* CWM_CLI_CMD_TRAIN_H */
