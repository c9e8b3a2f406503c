/* SPDX-License-Identifier: MIT */
/*
 * calls.h -- calls of a function in a text, where their arguments are literal.
 *
 * Benchmarks give their inputs as tests: `assert candidate([1, 2]) == 3`.  A
 * call whose arguments are made of literals alone means the same anywhere, so
 * it is an input for the function.
 *
 * Threads: safe.
 */
#ifndef DATASETS_CALLS_H
#define DATASETS_CALLS_H

#include <stddef.h>

#include "cwm/base/err.h"

struct calls {
    char **args; /* owned, each too: the inside of the parentheses */
    size_t n, capacity;
};
void calls_release(struct calls *c);

/*
 * Append the calls of `name` in text[0..len), in the text's order, each text
 * of arguments once.  Fails: CWM_LIMIT (a text that cannot be parsed safely),
 * CWM_NOMEM.
 */
enum cwm_rc calls_find(const char *text, size_t len, const char *name,
                       struct calls *out, struct cwm_err *err);

#endif /* DATASETS_CALLS_H */
