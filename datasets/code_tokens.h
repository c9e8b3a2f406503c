/* SPDX-License-Identifier: MIT */
/*
 * code_tokens.h -- the tokens of Python code, hashed, for comparing programs.
 *
 * No lexer of the language, but the same pieces for the same code: names and
 * numbers, strings as a whole, single operators; comments, white space and
 * line ends are left out, so that layout does not count.
 */
#ifndef DATASETS_CODE_TOKENS_H
#define DATASETS_CODE_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

struct code_tokens {
    uint64_t *hashes; /* owned */
    size_t n, capacity;
};
void code_tokens_release(struct code_tokens *t);

/* Replaces what is there.  words: only words count, those within strings and
 * comments too (for prose).  Fails: CWM_NOMEM. */
enum cwm_rc code_tokens_of(const char *text, size_t len, int words,
                           struct code_tokens *t, struct cwm_err *err);

/* The hash of tokens [at, at + n). */
uint64_t code_tokens_gram(const struct code_tokens *t, size_t at, size_t n);

#endif /* DATASETS_CODE_TOKENS_H */
