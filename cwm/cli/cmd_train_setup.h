/* SPDX-License-Identifier: MIT */
/* cmd_train_setup.h -- what a run of `cwm train` stands on: from the words to
 * a trainer that is ready for its next step. */
#ifndef CWM_CLI_CMD_TRAIN_SETUP_H
#define CWM_CLI_CMD_TRAIN_SETUP_H

#include "cwm/base/opt.h"
#include "cwm/cli/cmd_train.h"
#include "cwm/model/tokenizer.h"

enum { TRAIN_MAX_PATH_BYTES = 4096 };

struct train_setup {
    const struct opt_command *command; /* whose words these are */
    const struct train_fields *fields;
    struct train_ranks ranks;  /* owned */
    const char *shards;        /* NULL: --generate */
    const char *judged_shards; /* where held-out ones are */
    struct train_settings settings;
    struct model_config config;
    struct tokenizer *tokenizer;      /* owned */
    struct cwm_buf tokenizer_file;    /* owned; the caller inits it */
    struct feed_options feed_options; /* of --generate */
    char held_out_folder[TRAIN_MAX_PATH_BYTES];
    struct feed *feed;               /* owned; NULL: there are shards */
    struct loader *train, *held_out; /* owned; held_out may be NULL */
    struct train_data train_data, held_out_data;
    /* what the trainer takes: these, or what ranks make of them; judged_by is
     * NULL where there is nothing */
    const struct train_data *learned_from, *judged_by;
    struct ops *ops;             /* owned */
    struct transformer *t;       /* owned */
    struct trainer *trainer;     /* owned */
    struct train_traces *traces; /* owned; NULL: none are predicted */
};

/*
 * The rest, from what the caller filled in: command, fields, shards,
 * tokenizer_file (empty), feed_options' tracer and programs; ranks.place.world
 * is 1, all else zero.  A folder that has a checkpoint is gone on with.
 * train__setup_release() is due either way.  Fails: CWM_USAGE, and as what it
 * opens.
 */
enum cwm_rc train__set_up(struct train_setup *s, struct cwm_err *err);
void train__setup_release(struct train_setup *s);

#endif /* CWM_CLI_CMD_TRAIN_SETUP_H */
