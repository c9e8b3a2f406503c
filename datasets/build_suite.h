/* SPDX-License-Identifier: MIT */
/* build_suite.h -- one item of a repository's tests, to rows. */
#ifndef DATASETS_BUILD_SUITE_H
#define DATASETS_BUILD_SUITE_H

#include "datasets/build_internal.h"

/*
 * Run the tests of one file, choose among their episodes, put rows.  Fails as
 * suite_test().
 */
enum cwm_rc build__work_suite(struct build__thread *t,
                              const struct source_item *item,
                              struct cwm_err *err);

#endif /* DATASETS_BUILD_SUITE_H */
