/* SPDX-License-Identifier: MIT */
/*
 * report.h -- what came of best@k: a table, JSON, one page with plots.
 *
 * Shares are percentages in all of them; what cannot be told is null, or "-".
 */
#ifndef EVAL_REPORT_H
#define EVAL_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "eval/bestk.h"

struct report {
    const struct bestk_result *result; /* borrowed */
    const char *title;                 /* of the page */
    const size_t *ks;                  /* asked for; rows of the table */
    size_t n_ks;
    const struct foreseen *foreseen; /* borrowed; NULL: nobody asked */
};

/* Members of one JSON object, without its braces. */
void report_json(const struct report *r, struct cwm_buf *out);
void report_table(const struct report *r, struct cwm_buf *out);
void report_html(const struct report *r, struct cwm_buf *out);

#endif /* EVAL_REPORT_H */
