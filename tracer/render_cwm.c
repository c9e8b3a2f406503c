/* SPDX-License-Identifier: MIT */
/*
 * render_cwm.c -- the text form (docs/formats.md).
 *
 * The tokens are written as their names.  A program may hold the same
 * characters as ordinary text, so what is written here is for reading and for
 * tokenizers that trust the program; the JSON records are never ambiguous.
 */
#include "tracer/render.h"

#include "tracer/render_parts.h"

static const char *const event_tokens[] = {
    [TRACE_CALL] = "<|call_sep|>",
    [TRACE_LINE] = "<|line_sep|>",
    [TRACE_RETURN] = "<|return_sep|>",
    [TRACE_EXCEPTION] = "<|exception_sep|>",
};

static void add_frame(struct cwm_buf *out, const struct source *s,
                      const struct trace_frame *frame)
{
    const char *line;
    size_t line_len;

    cwm_buf_adds(out, event_tokens[frame->event]);
    if (!frame->arg) {
        render__add_locals(out, frame, false);
    }
    cwm_buf_adds(out, "<|action_sep|>");
    line = source_line(s, frame->line, &line_len);
    cwm_buf_add(out, line, line_len);
    cwm_buf_addc(out, '\n');
    if (frame->arg) {
        cwm_buf_adds(out, "<|arg_sep|>");
        cwm_buf_add_json(out, frame->arg, frame->arg_len);
    }
    cwm_buf_adds(out, "<|frame_sep|>");
}

enum cwm_rc render_cwm_frames(struct trace_reader *r, const struct source *s,
                              struct cwm_buf *out, struct cwm_err *err)
{
    struct trace_frame frame;
    bool more = r != NULL;
    enum cwm_rc rc = CWM_OK;

    if (r) {
        trace_reader_rewind(r);
    }
    while (more && rc == CWM_OK && out->failed == CWM_OK) {
        rc = trace_reader_next(r, &frame, &more, err);
        if (rc == CWM_OK && more) {
            add_frame(out, s, &frame);
        }
    }
    if (rc != CWM_OK) {
        return rc;
    }
    return cwm_buf_check(out, "the trace's text", err);
}

enum cwm_rc render_cwm(struct trace_reader *r, const struct source *s,
                       const struct trace_summary *summary, struct cwm_buf *out,
                       struct cwm_err *err)
{
    enum cwm_rc rc;

    cwm_buf_adds(out, "<|begin_of_text|><|trace_context_start|>");
    cwm_buf_add(out, summary->context, summary->context_len);
    cwm_buf_adds(out, "<|frame_sep|>");
    rc = render_cwm_frames(r, s, out, err);
    if (rc != CWM_OK) {
        return rc;
    }
    cwm_buf_adds(out, "<|end_of_text|>");
    return cwm_buf_check(out, "the trace's text", err);
}
