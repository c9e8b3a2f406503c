/* SPDX-License-Identifier: MIT */
/*
 * fault_source.c -- every allocation of source*.c fails once, and from then on.
 *
 * The parser's own memory is not ours: tree-sitter aborts when it has none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/source.h"

/* Definitions, markers, guards, a codec, more than one growth of each. */
static const char program[] =
    "# coding: big5\n"
    "@dec\ndef f(a, b): pass  # << START_OF_TRACE\n"
    "class A:\n def a(): pass\n def b(): pass\n def c(): pass\n"
    " def d(): pass\n def e(): pass\n def g():\n  def h():\n   def i(): pass\n"
    "# << START_OF_TRACE\n# << START_OF_TRACE\n# << START_OF_TRACE\n"
    "# << START_OF_TRACE\n# << START_OF_TRACE\n# << START_OF_TRACE\n"
    "# << START_OF_TRACE\n# << START_OF_TRACE\n# << START_OF_TRACE\n"
    "x = = 1\nif __name__ == '__main__': f()\n";

static void check(bool holds, const char *what, uint64_t nth)
{
    if (!holds) {
        fprintf(stderr, "fault_source: allocation %llu: %s\n",
                (unsigned long long)nth, what);
        exit(1);
    }
}

/* All that a caller does with a program, up to the first failure. */
static enum cwm_rc use_program(struct cwm_err *err)
{
    struct source *s = NULL; /* owned */
    struct cwm_buf out;
    bool differs = false;
    int def = -1;
    enum cwm_rc rc;

    cwm_buf_init(&out, 1 << 20);
    rc = source_new(program, sizeof program - 1, "prog.py", &s, err);
    if (rc == CWM_OK) {
        rc = source_entry(s, "f", &def, err);
    }
    if (rc == CWM_OK) {
        rc = source_context(s, 3, &out, err);
    }
    cwm_buf_release(&out);
    if (rc == CWM_OK) {
        rc = source_without_main_guard(s, &out, &differs, err);
    }
    cwm_buf_release(&out);
    source_free(s);
    return rc;
}

/* With no memory for it, arguments cannot be said to parse. */
static enum cwm_rc use_args(struct cwm_err *err)
{
    return source_args_parse("1, k=[2]", 8)
               ? CWM_OK
               : CWM_FAIL(err, CWM_NOMEM, "could not parse");
}

static uint64_t fail_each(enum cwm_rc (*use)(struct cwm_err *), int sticky)
{
    for (uint64_t nth = 1;; nth++) {
        struct cwm_err err = {0};
        enum cwm_rc rc;

        cwm_alloc_fail_nth(nth, sticky);
        rc = use(&err);
        if (cwm_alloc_fail_nth(0, 0) < nth) {
            check(rc == CWM_OK, "failed with all the memory it wanted", nth);
            return nth - 1;
        }
        check(rc == CWM_NOMEM, "the failure was lost or is not no memory", nth);
        check(err.code == CWM_NOMEM && err.message[0], "no message", nth);
    }
}

int main(void)
{
    uint64_t n = 0;

    for (int sticky = 0; sticky <= 1; sticky++) {
        n += fail_each(use_program, sticky);
        n += fail_each(use_args, sticky);
    }
    printf("fault_source: %llu allocations failed in turn\n",
           (unsigned long long)n);
    check(n > 20, "too few to have tried what there is", n);
    return 0;
}
