/* SPDX-License-Identifier: MIT */
/* cmd_model.h -- what the two halves of `cwm model` share. */
#ifndef CWM_CLI_CMD_MODEL_H
#define CWM_CLI_CMD_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/opt.h"
#include "cwm/cli/generating.h"

/* The options as given; texts are borrowed from argv. */
struct model_fields {
    const char *ids;
    const char *out;
    uint64_t max_new;
    struct generating_fields generating;
    uint64_t samples;
    uint64_t batch;
    struct opt_list stops; /* ids */
    bool logprobs;
    bool json;
};

/* `cwm model generate`; exit code. */
int model_generate(const struct model_fields *f, const char *folder);

#endif /* CWM_CLI_CMD_MODEL_H */
