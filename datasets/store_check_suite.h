/* SPDX-License-Identifier: MIT */
/* store_check_suite.h -- episodes of a repository's tests, made again. */
#ifndef DATASETS_STORE_CHECK_SUITE_H
#define DATASETS_STORE_CHECK_SUITE_H

#include <stdbool.h>
#include <stddef.h>

#include "datasets/store.h"
#include "datasets/suite_trace.h"

/* Where the repositories lie, and the one that is open; zero: none. */
struct store_check_suite {
    const char *const *paths; /* borrowed, n_paths of them */
    size_t n_paths;
    struct suite_tester *tester; /* owned */
};
void store_check_suite_release(struct store_check_suite *s);

/* Why nothing was compared, or how that went. */
enum store_check_again {
    STORE_CHECK_SAME,
    STORE_CHECK_OTHER,   /* its test gives other bytes, or no such episode */
    STORE_CHECK_UNKNOWN, /* its repository is not named, at another commit, or
                            the interpreter is another */
};

/*
 * Run the test of an episode again.  Fails: as suite_tester_open(),
 * suite_test().
 */
enum cwm_rc store_check_suite_run(
    struct store_check_suite *s, const struct tracer_options *tracer,
    const struct store_program *program, const struct store_origin *origin,
    const struct store_trace *trace, const struct store_setting *setting,
    struct hasher *hasher, const volatile int *cancel,
    enum store_check_again *ret_again, struct cwm_err *err);

#endif /* DATASETS_STORE_CHECK_SUITE_H */
