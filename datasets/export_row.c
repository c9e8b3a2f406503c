/* SPDX-License-Identifier: MIT */
/*
 * export_row.c -- traces as lines of JSON.
 *
 * Written directly: rows are most of the time that an export takes.  A line
 * of the program is escaped once, however many frames show it.
 */
#include "datasets/export_row.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/inputs.h"
#include "datasets/narrate.h"
#include "tracer/render.h"

enum {
    /* Longer ones are tables, not stories. */
    MAX_NARRATED_FRAMES = 400
};

static const char *const event_names[] = {
    [TRACE_CALL] = "{\"event\": \"call\", \"line\": ",
    [TRACE_LINE] = "{\"event\": \"line\", \"line\": ",
    [TRACE_RETURN] = "{\"event\": \"return\", \"line\": ",
    [TRACE_EXCEPTION] = "{\"event\": \"exception\", \"line\": ",
};

/* What only the tracer may write: docs/formats.md, 4. */
static const char *const reserved[] = {
    "<|begin_of_text|>",      "<|end_of_text|>",   "<|frame_sep|>",
    "<|action_sep|>",         "<|return_sep|>",    "<|call_sep|>",
    "<|line_sep|>",           "<|exception_sep|>", "<|arg_sep|>",
    "<|trace_context_start|>"};

void export_scratch_init(struct export_scratch *s)
{
    memset(s, 0, sizeof *s);
    cwm_buf_init(&s->locals, CODEC_MAX_BYTES);
    cwm_buf_init(&s->lines, CODEC_MAX_BYTES);
    cwm_buf_init(&s->line, CODEC_MAX_BYTES);
}

void export_scratch_release(struct export_scratch *s)
{
    cwm_buf_release(&s->locals);
    cwm_buf_release(&s->lines);
    cwm_buf_release(&s->line);
    cwm_free(s->spans);
    s->spans = NULL;
}

static void add_number(struct cwm_buf *out, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    cwm_buf_add(out, digits + at, sizeof digits - at);
}

/* A key and a text, or null. */
static void add_text(struct cwm_buf *out, const char *key, const char *text)
{
    cwm_buf_adds(out, key);
    if (text) {
        cwm_buf_add_json(out, text, strlen(text));
    } else {
        cwm_buf_adds(out, "null");
    }
}

static void add_hash(struct cwm_buf *out, const char *key,
                     const struct hash *hash)
{
    char text[HASH_TEXT];

    hash_text(hash, text);
    cwm_buf_addf(out, "%s\"%s\"", key, text);
}

/* ---- frames ---- */

static enum cwm_rc start_lines(struct export_scratch *s,
                               const struct source *source, struct cwm_err *err)
{
    size_t n = (size_t)source_n_lines(source) + 1;

    cwm_buf_clear(&s->lines);
    if (n > s->n_spans) {
        struct export_span *more = cwm_realloc(s->spans, n, sizeof *more);

        if (!more) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu lines", n);
        }
        s->spans = more;
        s->n_spans = n;
    }
    memset(s->spans, 0, n * sizeof *s->spans);
    return CWM_OK;
}

static void add_source(struct export_scratch *s, const struct source *source,
                       uint32_t number, struct cwm_buf *out)
{
    struct export_span *span = &s->spans[number];

    if (span->len == 0) {
        size_t len;
        const char *text = source_line(source, number, &len);

        span->at = s->lines.len;
        cwm_buf_clear(&s->line);
        cwm_buf_add(&s->line, text, len);
        cwm_buf_addc(&s->line, '\n');
        if (s->line.failed == CWM_OK) {
            cwm_buf_add_json(&s->lines, s->line.data, s->line.len);
        }
        span->len = s->lines.len - span->at;
    }
    if (s->line.failed != CWM_OK || s->lines.failed != CWM_OK) {
        out->failed = CWM_NOMEM;
        return;
    }
    cwm_buf_add(out, s->lines.data + span->at, span->len);
}

/* A JSON string inside a JSON string.  Most are plain: numbers, names. */
static void add_quoted(struct export_scratch *s, const void *text, size_t len,
                       struct cwm_buf *out)
{
    struct cwm_buf *once = &s->locals;

    if (cwm_json_is_plain(text, len)) {
        cwm_buf_add(out, "\\\"", 2);
        cwm_buf_add(out, text, len);
        cwm_buf_add(out, "\\\"", 2);
        return;
    }
    cwm_buf_clear(once);
    cwm_buf_add_json(once, text, len);
    if (once->failed == CWM_OK) {
        cwm_buf_add_json_body(out, once->data, once->len);
    } else {
        out->failed = once->failed;
    }
}

/* The object as the text form has it, in a string. */
static void add_locals(struct export_scratch *s,
                       const struct trace_frame *frame, bool full,
                       struct cwm_buf *out)
{
    cwm_buf_add(out, "\"{", 2);
    for (size_t i = 0; i < frame->n_locals; i++) {
        const struct trace_local *local = &frame->locals[i];

        if (i > 0) {
            cwm_buf_add(out, ", ", 2);
        }
        add_quoted(s, local->name, local->name_len, out);
        if (local->same && !full) {
            cwm_buf_adds(out, ": \\\"..\\\"");
        } else {
            cwm_buf_add(out, ": ", 2);
            add_quoted(s, local->value, local->value_len, out);
        }
    }
    cwm_buf_add(out, "}\"", 2);
}

static void add_frame(struct export_scratch *s, const struct source *source,
                      const struct trace_frame *frame, bool full,
                      struct cwm_buf *out)
{
    cwm_buf_adds(out, event_names[frame->event]);
    add_number(out, frame->line);
    cwm_buf_adds(out, ", \"depth\": ");
    add_number(out, frame->depth);
    cwm_buf_adds(out, ", \"function\": ");
    cwm_buf_add_json(out, frame->function, frame->function_len);
    cwm_buf_adds(out, ", \"locals\": ");
    if (frame->arg) {
        cwm_buf_adds(out, "null");
    } else {
        add_locals(s, frame, full, out);
    }
    cwm_buf_adds(out, ", \"source\": ");
    add_source(s, source, frame->line, out);
    cwm_buf_adds(out, ", \"arg\": ");
    if (frame->arg) {
        cwm_buf_add_json(out, frame->arg, frame->arg_len);
    } else {
        cwm_buf_adds(out, "null");
    }
    cwm_buf_addc(out, '}');
}

static enum cwm_rc add_frames(struct export_scratch *s,
                              const struct trace_seen *seen, bool full,
                              struct cwm_buf *out, struct cwm_err *err)
{
    struct trace_frame frame;
    bool more = true;
    const char *gap = "";
    enum cwm_rc rc = start_lines(s, seen->source, err);

    trace_reader_rewind(seen->reader);
    while (more && rc == CWM_OK && out->failed == CWM_OK) {
        rc = trace_reader_next(seen->reader, &frame, &more, err);
        if (rc == CWM_OK && more) {
            cwm_buf_adds(out, gap);
            add_frame(s, seen->source, &frame, full, out);
            gap = ", ";
        }
    }
    return rc;
}

/* ---- the fields round them ---- */

static void add_provenance(const struct store_trace *trace,
                           const struct export_provenance *from,
                           struct cwm_buf *out)
{
    const struct store_origin *o = from->origin;

    add_hash(out, ", \"program\": ", &from->decision->program);
    add_hash(out, ", \"family\": ", &from->decision->family);
    add_text(out, ", \"input_origin\": ",
             trace->input_origin >= 0 && trace->input_origin < INPUTS_N_ORIGINS
                 ? inputs_origin_text((enum inputs_origin)trace->input_origin)
                 : NULL);
    add_text(out, ", \"label\": ", trace->label);
    add_text(out, ", \"kind\": ", store_kind_text(o->kind));
    add_text(out, ", \"origin\": ", o->origin);
    add_text(out, ", \"path\": ", o->path);
    add_text(out, ", \"commit\": ", o->commit);
    add_text(out, ", \"licence\": ", o->licence);
    if (o->parent) {
        add_hash(out, ", \"parent\": ", o->parent);
    } else {
        cwm_buf_adds(out, ", \"parent\": null");
    }
    add_text(out, ", \"change\": ", o->change);
    cwm_buf_adds(out, ", \"origins\": ");
    add_number(out, from->n_origins);
    cwm_buf_adds(out, "}\n");
}

static void add_head(const struct trace_seen *seen,
                     const struct store_trace *trace, struct cwm_buf *out)
{
    const struct trace_summary *s = &seen->summary;

    add_text(out, "{\"id\": ", s->id);
    add_text(out, ", \"verdict\": ", s->verdict);
    add_text(out, ", \"detail\": ", s->detail);
    add_text(out, ", \"python\": ", s->python);
    add_text(out, ", \"entry\": ", s->entry);
    add_text(out, ", \"args\": ", trace->args);
    cwm_buf_adds(out, ", \"stdin\": ");
    if (seen->stdin_data) {
        cwm_buf_add_json(out, seen->stdin_data, seen->stdin_len);
    } else {
        cwm_buf_adds(out, "null");
    }
}

static void add_ending(const struct trace_seen *seen, struct cwm_buf *out)
{
    const struct trace_summary *s = &seen->summary;
    const struct trace_end *end = trace_reader_end(seen->reader);

    cwm_buf_adds(out, "], \"result\": ");
    if (end->result) {
        cwm_buf_add_json(out, end->result, end->result_len);
    } else {
        cwm_buf_adds(out, "null");
    }
    cwm_buf_adds(out, ", \"exception\": ");
    if (end->exception_type) {
        cwm_buf_adds(out, "{\"type\": ");
        cwm_buf_add_json(out, end->exception_type, end->exception_type_len);
        cwm_buf_adds(out, ", \"message\": ");
        cwm_buf_add_json(out, end->exception_message,
                         end->exception_message_len);
        cwm_buf_addc(out, '}');
    } else {
        cwm_buf_adds(out, "null");
    }
    cwm_buf_adds(out, ", \"stdout\": ");
    cwm_buf_add_json(out, s->stdout_data, s->stdout_len);
    cwm_buf_adds(out, ", \"stderr\": ");
    cwm_buf_add_json(out, s->stderr_data, s->stderr_len);
    cwm_buf_adds(out, ", \"truncated_values\": ");
    add_number(out, end->n_cut);
}

static void add_counts(const struct store_trace *trace, struct cwm_buf *out)
{
    cwm_buf_adds(out, ", \"counts\": {\"frames\": ");
    add_number(out, trace->n_frames);
    cwm_buf_adds(out, ", \"calls\": ");
    add_number(out, trace->n_calls);
    cwm_buf_adds(out, ", \"lines\": ");
    add_number(out, trace->n_lines);
    cwm_buf_addc(out, '}');
}

enum cwm_rc export_row_json(const struct trace_seen *seen,
                            const struct store_trace *trace,
                            const struct export_provenance *from,
                            bool full_locals, struct export_scratch *scratch,
                            struct cwm_buf *out, struct cwm_err *err)
{
    enum cwm_rc rc;

    add_head(seen, trace, out);
    cwm_buf_adds(out, ", \"context\": ");
    cwm_buf_add_json(out, seen->summary.context, seen->summary.context_len);
    cwm_buf_adds(out, ", \"frames\": [");
    rc = add_frames(scratch, seen, full_locals, out, err);
    if (rc != CWM_OK) {
        return rc;
    }
    add_ending(seen, out);
    add_counts(trace, out);
    add_provenance(trace, from, out);
    return cwm_buf_check(out, "a row", err);
}

/* ---- the text form ---- */

static bool has_reserved(const void *data, size_t len)
{
    if (!memmem(data, len, "<|", 2)) {
        return false;
    }
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (memmem(data, len, reserved[i], strlen(reserved[i]))) {
            return true;
        }
    }
    return false;
}

/* Every text that is not the tracer's: the program, names, values. */
static enum cwm_rc find_reserved(const struct trace_seen *seen, bool *ret_found,
                                 struct cwm_err *err)
{
    struct trace_frame frame;
    bool more = true;
    bool found = has_reserved(seen->summary.context, seen->summary.context_len);
    enum cwm_rc rc = CWM_OK;

    trace_reader_rewind(seen->reader);
    while (more && rc == CWM_OK && !found) {
        rc = trace_reader_next(seen->reader, &frame, &more, err);
        if (rc != CWM_OK || !more) {
            continue;
        }
        found = frame.arg && has_reserved(frame.arg, frame.arg_len);
        for (size_t i = 0; i < frame.n_locals; i++) {
            found = found || (!frame.locals[i].same &&
                              has_reserved(frame.locals[i].value,
                                           frame.locals[i].value_len));
        }
    }
    *ret_found = found;
    return rc;
}

/* A row with one text for the trace. */
static enum cwm_rc add_text_row(const struct trace_seen *seen,
                                const struct store_trace *trace,
                                const struct export_provenance *from,
                                const char *style, const struct cwm_buf *text,
                                struct cwm_buf *out, struct cwm_err *err)
{
    add_text(out, "{\"id\": ", seen->summary.id);
    cwm_buf_adds(out, ", \"text\": ");
    cwm_buf_add_json(out, text->data, text->len);
    add_text(out, ", \"style\": ", style);
    add_text(out, ", \"verdict\": ", seen->summary.verdict);
    add_text(out, ", \"python\": ", seen->summary.python);
    add_text(out, ", \"entry\": ", seen->summary.entry);
    add_text(out, ", \"args\": ", trace->args);
    add_counts(trace, out);
    add_provenance(trace, from, out);
    return cwm_buf_check(out, "a row", err);
}

enum cwm_rc export_row_text(const struct trace_seen *seen,
                            const struct store_trace *trace,
                            const struct export_provenance *from,
                            struct export_scratch *scratch, bool *ret_told,
                            struct cwm_buf *out, struct cwm_err *err)
{
    struct cwm_buf *text = &scratch->locals;
    bool found = false;
    enum cwm_rc rc = find_reserved(seen, &found, err);

    *ret_told = !found;
    if (rc != CWM_OK || found) {
        return rc;
    }
    cwm_buf_clear(text);
    rc = render_cwm(seen->reader, seen->source, &seen->summary, text, err);
    return rc == CWM_OK ? add_text_row(seen, trace, from, "cwm", text, out, err)
                        : rc;
}

enum cwm_rc export_row_narration(const struct trace_seen *seen,
                                 const struct store_trace *trace,
                                 const struct export_provenance *from,
                                 uint64_t seed, struct export_scratch *scratch,
                                 bool *ret_told, struct cwm_buf *out,
                                 struct cwm_err *err)
{
    uint64_t draw = hash_draw(&trace->hash, seed);
    struct narrate_options how = {
        .style = (enum narrate_style)(draw % NARRATE_N_STYLES),
        .seed = draw,
        .max_frames = MAX_NARRATED_FRAMES,
    };
    struct cwm_buf *text = &scratch->locals;
    enum cwm_rc rc;

    cwm_buf_clear(text);
    rc = narrate_trace(seen->reader, seen->source, &seen->summary, &how, text,
                       err);
    if (rc == CWM_OK) {
        rc = narrate_check(text->data, text->len, seen->reader, seen->source,
                           &seen->summary, err);
    }
    *ret_told = rc == CWM_OK;
    if (rc == CWM_LIMIT || rc == CWM_FORMAT) {
        return CWM_OK;
    }
    return rc == CWM_OK
               ? add_text_row(seen, trace, from, narrate_style_text(how.style),
                              text, out, err)
               : rc;
}
