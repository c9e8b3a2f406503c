/* SPDX-License-Identifier: MIT */
/* cmd_trace.h -- what the two halves of `cwm trace` share. */
#ifndef CWM_CLI_CMD_TRACE_H
#define CWM_CLI_CMD_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/opt.h"
#include "cwm/cli/running.h"

enum trace_form { FORM_AUTO, FORM_PRETTY, FORM_CWM, FORM_JSONL };

/* The options as given; texts are borrowed from argv. */
struct trace_fields {
    const char *entry;
    const char *args;
    bool wrap_main;
    const char *stdin_path;
    const char *jobs;
    uint64_t workers; /* 0: as many as there are cores */
    bool overwrite;
    int form; /* enum trace_form */
    const char *out;
    bool full_locals;
    bool json;
    uint64_t seed;
    bool plain;
    struct running_fields run;
};

/* `cwm trace --jobs`; exit code. */
int trace_many(const struct trace_fields *f);

#endif /* CWM_CLI_CMD_TRACE_H */
