/* SPDX-License-Identifier: MIT */
/* cmd_tokenizer.h -- what the files of `cwm tokenizer` share. */
#ifndef CWM_CLI_CMD_TOKENIZER_H
#define CWM_CLI_CMD_TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "cwm/model/tokenizer.h"

struct tokenizer_fields {
    const char *tokenizer;
    bool special;
    uint64_t threads;
    uint64_t vocab_size;
    bool digits_apart;
    bool strings_apart;
    uint64_t min_count;
    uint64_t max_token_bytes;
    const char *out;
    bool json;
};

/* A line of texts or ids, unpacked: much longer than any trace may be. */
#define TOKENIZER_MAX_LINE_BYTES ((size_t)1 << 30)

/*
 * Standard input's lines through the tokenizer to standard output, in their
 * order: texts to ids, or ids to texts.
 */
enum cwm_rc tokenizer_convert(const struct tokenizer *t, bool to_ids,
                              bool special, unsigned n_threads,
                              const volatile int *cancel, struct cwm_err *err);

/* Learn from the texts of files[0..n), "-" is standard input. */
enum cwm_rc tokenizer_learn(const struct tokenizer_fields *fields,
                            unsigned n_threads, const char **files, size_t n,
                            const volatile int *cancel,
                            struct tokenizer **ret_tokenizer,
                            struct cwm_err *err);

#endif /* CWM_CLI_CMD_TOKENIZER_H */
