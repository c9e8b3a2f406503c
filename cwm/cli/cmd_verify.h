/* SPDX-License-Identifier: MIT */
/* cmd_verify.h -- what the files of `cwm verify` share. */
#ifndef CWM_CLI_CMD_VERIFY_H
#define CWM_CLI_CMD_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/cli/cmd_trace.h"
#include "eval/verify.h"

/* The options as given; texts are borrowed from argv. */
struct verify_fields {
    struct trace_fields trace; /* entry, args, workers, limits, ... */
    const char *predicted;
    const char *program;
    bool is_static;
    bool full_texts;
};

/* `cwm verify PRED.txt --program FILE`; exit code. */
int verify_one(const struct verify_fields *f, const char *path);

/* For people: what was scored, as lines of a table. */
void verify_put_table(const struct verify_stats *stats, struct cwm_buf *out);
/* One prediction's scores, and where it leaves the truth first. */
void verify_put_one(const struct verify_record *record, struct cwm_buf *out);

#endif /* CWM_CLI_CMD_VERIFY_H */
