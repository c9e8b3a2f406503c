/* SPDX-License-Identifier: MIT */
/* cmd_trace.h -- what the two halves of `cwm trace` share. */
#ifndef CWM_CLI_CMD_TRACE_H
#define CWM_CLI_CMD_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/opt.h"
#include "tracer/trace.h"

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
    const char *python;
    uint64_t seed;
    bool plain;
    struct trace_limits limits;
    struct opt_list allow_missing;
};

/* From the options, for both halves; -1 to go on, else an exit code. */
int trace_tracer_options(const struct trace_fields *f,
                         struct tracer_options *ret_options);

/* Tell which of the walls, 1u << wall, the run does without. */
void trace_say_missing(uint32_t walls);

/* `cwm trace --jobs`; exit code. */
int trace_many(const struct trace_fields *f);

#endif /* CWM_CLI_CMD_TRACE_H */
