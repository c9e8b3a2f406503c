/* SPDX-License-Identifier: MIT */
/*
 * token_lines.h -- texts and ids as JSON lines: {"text": "..."} and
 * {"ids": [1, 2]}; other members are passed over.
 *
 * Text that is no UTF-8 (ids of half a character decoded) is written with
 * U+FFFD for each byte that is none: JSON has no bytes.
 *
 * Threads: pure but for what the functions are given.
 */
#ifndef CWM_MODEL_TOKEN_LINES_H
#define CWM_MODEL_TOKEN_LINES_H

#include <stddef.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"
#include "cwm/model/tokenizer.h"

/* Append the line's text.  Fails: CWM_FORMAT, CWM_LIMIT, CWM_NOMEM. */
enum cwm_rc token_line_text(const char *line, size_t len, struct cwm_buf *out,
                            struct cwm_err *err);
/* Append the line's ids.  Fails: CWM_FORMAT, CWM_NOMEM. */
enum cwm_rc token_line_ids(const char *line, size_t len, struct token_ids *out,
                           struct cwm_err *err);

/*
 * A list of n_lists lists of n_each ids, as one JSON text.  Fails: CWM_FORMAT
 * (also where they are not equally long, or empty), CWM_NOMEM.
 */
enum cwm_rc token_lists_parse(const char *json, size_t len,
                              struct token_ids *out, size_t *ret_n_lists,
                              size_t *ret_n_each, struct cwm_err *err);

/* The same of any lengths but 0: list i is out->ids[ends[i - 1]..ends[i]). */
enum cwm_rc token_lists_parse_ragged(const char *json, size_t len,
                                     struct token_ids *out,
                                     struct token_ids *ends,
                                     struct cwm_err *err);

/* Append a line, '\n' included; a failure sticks to `out`. */
void token_line_put_text(const char *text, size_t len, struct cwm_buf *out);
void token_line_put_ids(const struct token_ids *ids, struct cwm_buf *out);

#endif /* CWM_MODEL_TOKEN_LINES_H */
