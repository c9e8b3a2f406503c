/* SPDX-License-Identifier: MIT */
/* fault_suite.c -- a test's run taken apart while memory is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/base/io.h"
#include "datasets/suite_context.h"
#include "tests/fault/fault.h"

/* The stream was recorded from this suite's tests. */
#define STREAM FAULT_SUITE_ROOT "/tests/fuzz/corpus/suite/stream11"
#define SUITE  FAULT_SUITE_ROOT "/tests/suites/shop"

struct subject {
    struct cwm_buf shared;
    struct repository *repo; /* owned */
    size_t n_contexts;       /* of the last time */
};

static enum cwm_rc make_context(struct subject *subject,
                                const struct suite_stream *s,
                                const struct suite_episode *e,
                                struct cwm_err *err)
{
    struct suite_context context;
    struct cwm_buf placed;
    bool found = false;
    enum cwm_rc rc =
        suite_context_make(subject->repo, s, e, &context, &found, err);

    cwm_buf_init(&placed, 1 << 20);
    if (rc == CWM_OK && found) {
        rc = suite_place_lines(e, context.lines, s->n_lines, &placed, err);
        subject->n_contexts += rc == CWM_OK;
    }
    cwm_buf_release(&placed);
    suite_context_release(&context);
    return rc;
}

static enum cwm_rc read_stream(void *ctx, struct cwm_err *err)
{
    struct subject *subject = ctx;
    struct suite_stream s;
    enum cwm_rc rc = suite_stream_read((const uint8_t *)subject->shared.data,
                                       subject->shared.len, &s, err);

    subject->n_contexts = 0;
    if (rc != CWM_OK) {
        return rc;
    }
    for (size_t i = 0; i < s.n_episodes && rc == CWM_OK; i++) {
        if (s.episodes[i].complete) {
            rc = make_context(subject, &s, &s.episodes[i], err);
        }
    }
    suite_stream_release(&s);
    return rc;
}

static void suite__says_so_when_memory_is_short(void **state)
{
    struct subject subject = {.repo = NULL};
    char header[TRACE_SHARED_HEADER_BYTES] = TRACE_SHARED_MAGIC;
    size_t n;

    (void)state;
    cwm_buf_init(&subject.shared, 1 << 20);
    cwm_buf_add(&subject.shared, header, sizeof header);
    assert_int_equal(io_read_file(STREAM, &subject.shared, NULL), CWM_OK);
    n = subject.shared.len - sizeof header;
    for (size_t i = 0; i < 8; i++) {
        subject.shared.data[8 + i] = (char)(n >> 8 * i);
    }
    assert_int_equal(repository_open(SUITE, &subject.repo, NULL), CWM_OK);
    fault_each_allocation("a test's episodes", read_stream, &subject);
    assert_true(subject.n_contexts > 2);
    repository_close(subject.repo);
    cwm_buf_release(&subject.shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite__says_so_when_memory_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
