/* SPDX-License-Identifier: MIT */
/* suite_tester.h -- what suite_*.c share. */
#ifndef DATASETS_SUITE_TESTER_H
#define DATASETS_SUITE_TESTER_H

#include "datasets/suite_trace.h"

struct suite_tester {
    struct repository *repo; /* owned */
    struct tracer *tracer;   /* owned; NULL after a failure */
    struct tracer_options options;
    struct cwm_buf first; /* the stream of a test's first run */
    struct cwm_buf records;
};

/*
 * suite_run(), with a second try on a fresh worker where ours, not the test,
 * fails.  collect: `node` may be NULL, or a file.
 */
enum cwm_rc suite__run(struct suite_tester *t, const struct suite_how *how,
                       const char *node, bool collect, uint64_t seed,
                       const struct trace_limits *limits,
                       const volatile int *cancel,
                       struct sandbox_verdict *ret_kernel,
                       const uint8_t **ret_shared, size_t *ret_len,
                       struct cwm_err *err);

#endif /* DATASETS_SUITE_TESTER_H */
