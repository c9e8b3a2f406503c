/* SPDX-License-Identifier: MIT */
/* cmd_dataset.h -- what the verbs of `cwm dataset` share. */
#ifndef CWM_CLI_CMD_DATASET_H
#define CWM_CLI_CMD_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/opt.h"
#include "cwm/cli/progress.h"
#include "cwm/cli/running.h"

/* The options as given; texts are borrowed from argv. */
struct dataset_fields {
    const char *store;
    uint64_t workers; /* 0: as many as there are cores */
    uint64_t seed;
    bool json;
    /* build */
    uint64_t limit;
    const char *shard;
    uint64_t max_inputs, mutants, exceptions;
    uint64_t enter, depth, episodes;
    bool test_functions;
    struct opt_list tests;
    const char *programs; /* settings of generate:COUNT */
    /* export */
    int format;      /* enum export_format */
    const char *out; /* also of stats: a page */
    bool overwrite, plain, full_locals, evaluation;
    uint64_t shard_bytes, keep_frames, keep_bytes;
    struct opt_list verdicts, licences, benchmarks;
    uint64_t near_duplicates, validation, test;
    const char *name;
    /* stats */
    const char *html;
    /* check */
    uint64_t sample;
    struct opt_list repositories;
    /* runs */
    struct running_fields run;
};

/* The options that are not as they are unless told, as words of a shell; none
 * of `skip` (NULL-ended). */
void dataset_add_given(const struct dataset_fields *f, const char *const *skip,
                       struct cwm_buf *out);

/* The verbs; exit codes.  words: what stands behind the verb. */
int dataset_build(const struct dataset_fields *f, const char **words, size_t n);
int dataset_stats(const struct dataset_fields *f);
int dataset_show(const struct dataset_fields *f, const char **words, size_t n);
int dataset_check(const struct dataset_fields *f);
int dataset_export(const struct dataset_fields *f);
int dataset_merge(const struct dataset_fields *f, const char **words, size_t n);

/*
 * A line on the terminal: a bar where `total` is known, what is counted, a
 * rate, and `tail` behind it.
 */
void dataset_progress(struct progress *p, uint64_t done, uint64_t total,
                      const char *what, const char *tail);

#endif /* CWM_CLI_CMD_DATASET_H */
