/* SPDX-License-Identifier: MIT */
/*
 * sources.h -- where programs come from: what the user named, item by item.
 *
 * A source is `KIND:PATH` or a plain PATH whose kind is recognised: a folder
 * (dir), NAME.py (file), a JSONL file by the fields of its first line (jobs,
 * cruxeval, humaneval, mbpp, contest, jsonl).  An item is one file, one line
 * or one number; of a repository's tests (pytest) one test file, for which
 * pytest is asked once: cheap to go past, so that a build can be split and gone
 * on with.  What is in it is for candidate.h, in the worker threads.
 *
 * Deterministic: sources in the order in which they were named, the files of
 * a folder in the order of their paths' bytes.
 *
 * Threads: one at a time per `struct sources`.
 */
#ifndef DATASETS_SOURCES_H
#define DATASETS_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "datasets/store.h"
#include "datasets/suite_trace.h"

/* A program is not larger; what people write is far below. */
#define SOURCES_MAX_ITEM_BYTES (16UL << 20)

struct sources; /* opaque: sources.c */

struct source_item {
    enum store_kind kind;
    uint64_t number;    /* from 0, over all sources */
    const char *source; /* the source's name, without its folder; borrowed from
                           the sources */
    const char *folder; /* of the source's file, with '/' or ""; borrowed */
    const char *name;   /* a path within the source, "LINE 7"; next call */
    const char *commit; /* of a git checkout, or NULL; borrowed */
    const void *data;   /* a file's bytes, a line; borrowed, next call */
    size_t len;
    uint64_t line;    /* 1-based; 0: no line */
    const char *skip; /* what is wrong with it already (too large, a broken
                         link); NULL: nothing */
};

/*
 * Fails: CWM_USAGE (a source that is not there or whose kind cannot be told;
 * a kind that nobody knows), CWM_IO, CWM_NOMEM.
 */
enum cwm_rc sources_open(const char *const *names, size_t n,
                         const volatile int *cancel,
                         struct sources **ret_sources, struct cwm_err *err);
/* One JSONL file, or JSON array, of whatever fields. */
enum cwm_rc sources_open_lines(const char *path, struct sources **ret_sources,
                               struct cwm_err *err);
void sources_close(struct sources *s); /* NULL is fine */

/*
 * How tests are collected and run: to be said before the first item of a
 * repository.  Borrowed as long as the sources.
 */
struct sources_suites {
    struct suite_settings settings;
    struct tracer_options tracer;
    struct trace_limits limits;
    uint64_t seed;
};
void sources_use_suites(struct sources *s, const struct sources_suites *suites);

enum cwm_rc sources_next(struct sources *s, struct source_item *ret_item,
                         bool *ret_more, struct cwm_err *err);

/* Items in all, where that can be told without reading everything; else 0. */
uint64_t sources_n_items(const struct sources *s);

#endif /* DATASETS_SOURCES_H */
