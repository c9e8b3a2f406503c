/* SPDX-License-Identifier: MIT */
/* trace_prompt.c -- see trace_prompt.h. */
#include "cwm/model/trace_prompt.h"

static enum cwm_rc add(const struct trace_vocab *v, enum trace_token token,
                       struct token_ids *out, struct cwm_err *err)
{
    return token_ids_add(out, trace_vocab_id(v, token), err);
}

enum cwm_rc trace_prompt_context(const struct trace_vocab *v,
                                 struct tokenizer_encoder *e,
                                 const char *context, size_t len,
                                 struct token_ids *out, struct cwm_err *err)
{
    enum cwm_rc rc = add(v, TRACE_TOKEN_BEGIN, out, err);

    if (rc == CWM_OK) {
        rc = add(v, TRACE_TOKEN_CONTEXT, out, err);
    }
    if (rc == CWM_OK) {
        rc = tokenizer_encode(e, context, len, false, out, err);
    }
    return rc == CWM_OK ? add(v, TRACE_TOKEN_FRAME, out, err) : rc;
}

enum cwm_rc trace_prompt_call(const struct trace_vocab *v,
                              struct tokenizer_encoder *e, const char *locals,
                              size_t locals_len, const char *source,
                              size_t source_len, struct token_ids *out,
                              struct cwm_err *err)
{
    struct cwm_buf line;
    enum cwm_rc rc = add(v, TRACE_TOKEN_CALL, out, err);

    cwm_buf_init(&line, SIZE_MAX / 2);
    cwm_buf_add(&line, source, source_len);
    cwm_buf_addc(&line, '\n');
    if (rc == CWM_OK) {
        rc = cwm_buf_check(&line, "a source line", err);
    }
    if (rc == CWM_OK) {
        rc = tokenizer_encode(e, locals, locals_len, false, out, err);
    }
    if (rc == CWM_OK) {
        rc = add(v, TRACE_TOKEN_ACTION, out, err);
    }
    if (rc == CWM_OK) {
        rc = tokenizer_encode(e, line.data, line.len, false, out, err);
    }
    if (rc == CWM_OK) {
        rc = add(v, TRACE_TOKEN_FRAME, out, err);
    }
    cwm_buf_release(&line);
    return rc;
}
