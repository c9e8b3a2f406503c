/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_look.c -- what ids say; apart from the making of a tokenizer, so
 * that what generates ids can do without regular expressions.
 */
#include "cwm/model/tokenizer_internal.h"

uint32_t tokenizer_n_ids(const struct tokenizer *t)
{
    return t->n_ids;
}

uint32_t tokenizer_n_text(const struct tokenizer *t)
{
    return t->n_text;
}

uint32_t tokenizer_n_special(const struct tokenizer *t)
{
    return t->n_special;
}

uint64_t tokenizer_hash(const struct tokenizer *t)
{
    return t->hash;
}

bool tokenizer_token(const struct tokenizer *t, uint32_t id,
                     const char **ret_bytes, size_t *ret_len,
                     bool *ret_is_special)
{
    if (id >= t->n_ids || t->tokens[id].kind == TOKEN_NONE) {
        return false;
    }
    *ret_bytes = t->bytes.data + t->tokens[id].offset;
    *ret_len = t->tokens[id].len;
    *ret_is_special = t->tokens[id].kind == TOKEN_SPECIAL;
    return true;
}

enum cwm_rc tokenizer_decode(const struct tokenizer *t, const uint32_t *ids,
                             size_t n, struct cwm_buf *out, struct cwm_err *err)
{
    const char *bytes;
    size_t len;
    bool is_special;
    size_t i;

    for (i = 0; i < n; i++) {
        if (!tokenizer_token(t, ids[i], &bytes, &len, &is_special)) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot decode the id %u: no token has it", ids[i]);
        }
        if (cwm_buf_add(out, bytes, len) != CWM_OK) {
            return cwm_buf_check(out, "the decoded text", err);
        }
    }
    return CWM_OK;
}
