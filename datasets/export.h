/* SPDX-License-Identifier: MIT */
/*
 * export.h -- a store's traces as files for training, with a card.
 *
 * The folder gets SPLIT-NNNNN.jsonl.zst (or .jsonl), removed.jsonl (what was
 * left out and why) and README.md, the data set's card, with the YAML head by
 * which Hugging Face `datasets` finds the files.  A row is
 *     jsonl   the trace's record (docs/formats.md, 5) and its provenance
 *     cwm     {"id", "text", ...provenance}: the text form
 *     narration  the same with the trace told in English (narrate.h); which of
 *             the styles is drawn from the trace's hash and the seed, and what
 *             does not read back as the trace is left out
 * Rows stand in the order of their programs' and then their own hashes; a
 * shard is closed at the first program beyond its size.  The same store and
 * options give the same bytes, with any number of threads.
 *
 * The folder is made under another name beside and renamed when all of it is
 * written; it must not be there before, unless `overwrite`.
 */
#ifndef DATASETS_EXPORT_H
#define DATASETS_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "datasets/clean.h"
#include "datasets/store.h"

enum export_format { EXPORT_JSONL, EXPORT_CWM, EXPORT_NARRATION };

struct export_stats {
    uint64_t n_programs, n_programs_done; /* to be written; written */
    uint64_t n_traces[CLEAN_N_SPLITS];
    uint64_t n_split_programs[CLEAN_N_SPLITS];
    uint64_t n_bytes; /* of rows, unpacked */
    uint64_t n_files;
    uint64_t n_removed[CLEAN_N_REASONS]; /* programs */
    uint64_t n_filtered;                 /* traces, by verdict or size */
    /* Traces that the form cannot tell: those that hold a reserved string
     * (cwm), those that are too long or do not read back (narration). */
    uint64_t n_untold;
    struct hash content; /* of the store */
};

struct export_options {
    const char *store_path;
    const char *folder;
    enum export_format format;
    bool overwrite;
    bool plain; /* no compression */
    bool full_locals;
    unsigned n_workers;
    uint64_t shard_bytes;    /* of rows, unpacked */
    uint64_t max_frames;     /* longer traces are left out; 0: no limit */
    uint64_t max_text_bytes; /* the same */
    uint32_t verdicts;       /* 1u << enum trace_verdict; 0: all */
    bool evaluation;         /* only what is for evaluation, split test */
    struct clean_options clean;
    const char *name;         /* of the data set, for its card */
    const char *tool_version; /* for the card */
    const char *command;      /* the same: to make it again */
    const volatile int *cancel;
    void (*on_progress)(void *ctx, const struct export_stats *stats);
    void *ctx;
};

enum cwm_rc export_run(const struct export_options *options,
                       struct export_stats *stats, struct cwm_err *err);

#endif /* DATASETS_EXPORT_H */
