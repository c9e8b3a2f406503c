/* SPDX-License-Identifier: MIT */
/* ask_trace.c -- see ask_trace.h. */
#include "eval/ask_trace.h"

#include "tracer/source.h"

#define CALL_FRAME "<|call_sep|>{}<|action_sep|>def main():\n<|frame_sep|>"

enum cwm_rc ask_trace_prompt(const char *program, size_t len,
                             struct cwm_buf *out, size_t *ret_context_at,
                             size_t *ret_context_len, struct cwm_err *err)
{
    struct source *s = NULL; /* owned */
    size_t n = 0;
    int def = -1;
    enum cwm_rc rc = source_new_text(program, len, "program", &s, err);

    if (rc == CWM_OK) {
        rc = source_entry(s, "main", &def, err);
    }
    if (rc == CWM_OK) {
        cwm_buf_adds(out, "<|begin_of_text|><|trace_context_start|>");
        *ret_context_at = out->len;
        rc = source_context(s, source_defs(s, &n)[def].def_line, out, err);
        *ret_context_len = out->len - *ret_context_at;
        cwm_buf_adds(out, "<|frame_sep|>" CALL_FRAME);
    }
    source_free(s);
    return rc == CWM_OK ? cwm_buf_check(out, "a prompt", err) : rc;
}

enum cwm_rc ask_trace_read(const char *text, size_t len, struct cwm_buf *whole,
                           struct predicted *ret_predicted, struct cwm_err *err)
{
    enum cwm_rc rc;

    cwm_buf_adds(whole, CALL_FRAME);
    cwm_buf_add(whole, text, len);
    rc = cwm_buf_check(whole, "a predicted trace", err);
    return rc == CWM_OK ? predicted_parse(whole->data, whole->len, NULL, 0,
                                          ret_predicted, err)
                        : rc;
}

const struct predicted_frame *ask_trace_last(const struct predicted *p)
{
    const struct predicted_frame *last =
        p->n_frames > 0 ? &p->frames[p->n_frames - 1] : NULL;

    return last && last->event == TRACE_RETURN && last->arg.text &&
                   predicted_open_scopes(p) <= 0
               ? last
               : NULL;
}
