/* SPDX-License-Identifier: MIT */
/*
 * fault.h -- do it again with the 1st, 2nd, ... allocation failing.
 *
 * The body does one thing from start to end and releases all it made, however
 * it went.  It must answer CWM_NOMEM, with a message, when memory was short,
 * and CWM_OK when nothing failed.  That nothing leaks, and that nothing is
 * used after it was freed, is for the address sanitizer to see.
 */
#ifndef TESTS_FAULT_FAULT_H
#define TESTS_FAULT_FAULT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cwm/base/alloc.h"
#include "cwm/base/err.h"

typedef enum cwm_rc (*fault_body)(void *ctx, struct cwm_err *err);

static inline void fault__check(const char *what, uint64_t nth, int sticky,
                                uint64_t asked, enum cwm_rc rc,
                                const struct cwm_err *err)
{
    int was_hit = asked >= nth;

    if (was_hit && rc == CWM_NOMEM && err->code == CWM_NOMEM &&
        err->message[0] != '\0') {
        return;
    }
    if (!was_hit && rc == CWM_OK) {
        return;
    }
    fprintf(stderr,
            "%s: allocation %llu of %llu failing (%s): code %d, \"%s\"\n", what,
            (unsigned long long)nth, (unsigned long long)asked,
            sticky ? "and all behind it" : "once", (int)rc, err->message);
    abort();
}

/*
 * Returns how many allocations `body` makes when none fails; a body that makes
 * none tests nothing, and stops the program.
 */
static inline uint64_t fault_each_allocation(const char *what, fault_body body,
                                             void *ctx)
{
    uint64_t n = 0;
    int sticky;

    for (sticky = 0; sticky <= 1; sticky++) {
        uint64_t nth = 0;
        uint64_t asked;

        do {
            struct cwm_err err = {0};
            enum cwm_rc rc;

            cwm_alloc_fail_nth(++nth, sticky);
            rc = body(ctx, &err);
            asked = cwm_alloc_fail_nth(0, 0);
            fault__check(what, nth, sticky, asked, rc, &err);
        } while (asked >= nth);
        n = asked;
    }
    if (n == 0) {
        fprintf(stderr, "%s: no allocation was made\n", what);
        abort();
    }
    return n;
}

#endif /* TESTS_FAULT_FAULT_H */
