/* SPDX-License-Identifier: MIT */
/* sources_internal.h -- what sources*.c share. */
#ifndef DATASETS_SOURCES_INTERNAL_H
#define DATASETS_SOURCES_INTERNAL_H

#include <stddef.h>

#include "cwm/base/err.h"
#include "datasets/sources.h"

/* ---- sources_tree.c: the files of a folder ---- */

struct sources__tree {
    char **paths; /* owned, each too: relative, sorted by their bytes */
    size_t n, capacity;
};
void sources__tree_release(struct sources__tree *t);
/*
 * Every *.py below `folder`, links and hidden folders left out.  Fails:
 * CWM_IO, CWM_NOMEM.
 */
enum cwm_rc sources__tree_list(const char *folder, struct sources__tree *t,
                               struct cwm_err *err);
/* The commit that the checkout at `folder` is at; "" when it is none. */
void sources__commit_of(const char *folder, char *commit, size_t size);

/* ---- sources_suite.c: the test files of a repository ---- */

struct sources__suite {
    struct suite_files files;
    struct hash digest;               /* of all that the tests may depend on */
    const struct sources_suites *how; /* borrowed */
};
/* Fails: CWM_USAGE (`how` is NULL), as suite_tester_open(), suite_collect(). */
enum cwm_rc sources__suite_open(const char *path,
                                const struct sources_suites *how,
                                const volatile int *cancel,
                                struct sources__suite *ret_suite,
                                struct cwm_err *err);
void sources__suite_release(struct sources__suite *s);
/* File i as an item; its data are put into `text`. */
enum cwm_rc sources__suite_item(const struct sources__suite *s, size_t i,
                                struct cwm_buf *text, struct source_item *item,
                                struct cwm_err *err);

/* ---- sources_kind.c: what a name stands for ---- */

struct sources__one {
    enum store_kind kind;
    char *path;     /* owned: as given, without the kind */
    char *name;     /* owned: its last part */
    char *folder;   /* owned: the rest, with '/', or "" */
    uint64_t count; /* generate */
    bool is_array;  /* a JSON array instead of lines */
    char commit[64];
};
void sources__one_release(struct sources__one *one);
/* Fails: CWM_USAGE, CWM_NOMEM. */
enum cwm_rc sources__one_parse(const char *word, struct sources__one *one,
                               struct cwm_err *err);

#endif /* DATASETS_SOURCES_INTERNAL_H */
