/* SPDX-License-Identifier: MIT */
/*
 * render_json.c -- one trace as one line of JSON (docs/formats.md).
 *
 * Written directly, in the spacing of Python's json.dumps.  The hot path of
 * many jobs: a program's line is escaped once, however many frames show it.
 */
#include "tracer/render.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/render_parts.h"

static const char *const event_names[] = {
    [TRACE_CALL] = "call",
    [TRACE_LINE] = "line",
    [TRACE_RETURN] = "return",
    [TRACE_EXCEPTION] = "exception",
};

/* The program's lines as JSON strings, made when first shown. */
struct line_cache {
    const struct source *source; /* borrowed */
    struct cwm_buf text;         /* the strings, one behind the other */
    struct cwm_buf line;         /* one line with its line end */
    struct cached_line {
        uint32_t at;
        uint32_t len; /* 0: not made yet */
    } * lines;        /* owned; by line number */
};

static enum cwm_rc cache_init(struct line_cache *cache, const struct source *s,
                              struct cwm_err *err)
{
    size_t n = (size_t)source_n_lines(s) + 1;

    cache->source = s;
    cwm_buf_init(&cache->text, UINT32_MAX);
    cwm_buf_init(&cache->line, UINT32_MAX);
    cache->lines = cwm_calloc(n, sizeof *cache->lines);
    if (!cache->lines) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu source lines", n);
    }
    return CWM_OK;
}

static void cache_release(struct line_cache *cache)
{
    cwm_buf_release(&cache->text);
    cwm_buf_release(&cache->line);
    cwm_free(cache->lines);
}

static void add_source(struct line_cache *cache, uint32_t number,
                       struct cwm_buf *out)
{
    struct cached_line *line = &cache->lines[number];

    if (line->len == 0) {
        size_t before = cache->text.len;
        size_t len;
        const char *text = source_line(cache->source, number, &len);

        cwm_buf_clear(&cache->line);
        cwm_buf_add(&cache->line, text, len);
        cwm_buf_addc(&cache->line, '\n');
        if (cache->line.failed == CWM_OK) {
            cwm_buf_add_json(&cache->text, cache->line.data, cache->line.len);
        }
        if (cache->line.failed != CWM_OK || cache->text.failed != CWM_OK) {
            out->failed = CWM_NOMEM;
            return;
        }
        line->at = (uint32_t)before;
        line->len = (uint32_t)(cache->text.len - before);
    }
    cwm_buf_add(out, cache->text.data + line->at, line->len);
}

static void add_frame(struct line_cache *cache, const struct trace_frame *frame,
                      bool full_locals, struct cwm_buf *out)
{
    cwm_buf_adds(out, "{\"event\": \"");
    cwm_buf_adds(out, event_names[frame->event]);
    cwm_buf_adds(out, "\", \"line\": ");
    render__add_number(out, frame->line);
    cwm_buf_adds(out, ", \"depth\": ");
    render__add_number(out, frame->depth);
    cwm_buf_adds(out, ", \"function\": ");
    cwm_buf_add_json(out, frame->function, frame->function_len);
    cwm_buf_adds(out, ", \"locals\": ");
    if (frame->arg) {
        cwm_buf_adds(out, "null");
    } else {
        render__add_locals(out, frame, full_locals);
    }
    cwm_buf_adds(out, ", \"source\": ");
    add_source(cache, frame->line, out);
    cwm_buf_adds(out, ", \"arg\": ");
    if (frame->arg) {
        cwm_buf_add_json(out, frame->arg, frame->arg_len);
    } else {
        cwm_buf_adds(out, "null");
    }
    cwm_buf_addc(out, '}');
}

static enum cwm_rc add_frames(struct trace_reader *r, const struct source *s,
                              bool full_locals, struct cwm_buf *out,
                              struct cwm_err *err)
{
    struct line_cache cache;
    struct trace_frame frame;
    bool more = true;
    bool first = true;
    enum cwm_rc rc = cache_init(&cache, s, err);

    trace_reader_rewind(r);
    while (more && rc == CWM_OK && out->failed == CWM_OK) {
        rc = trace_reader_next(r, &frame, &more, err);
        if (rc == CWM_OK && more) {
            if (!first) {
                cwm_buf_adds(out, ", ");
            }
            add_frame(&cache, &frame, full_locals, out);
            first = false;
        }
    }
    cache_release(&cache);
    return rc;
}

/* ---- the fields round the frames ---- */

static void add_text(struct cwm_buf *out, const char *key, const char *text,
                     const char *if_null)
{
    cwm_buf_adds(out, key);
    if (text) {
        cwm_buf_add_json(out, text, strlen(text));
    } else {
        cwm_buf_adds(out, if_null);
    }
}

static void add_head(const struct trace_summary *summary, struct cwm_buf *out)
{
    add_text(out, "{\"id\": ", summary->id, "\"\"");
    add_text(out, ", \"verdict\": ", summary->verdict, "null");
    add_text(out, ", \"detail\": ", summary->detail, "null");
    add_text(out, ", \"python\": ", summary->python, "null");
    add_text(out, ", \"entry\": ", summary->entry, "null");
    cwm_buf_adds(out, ", \"context\": ");
    cwm_buf_add_json(out, summary->context ? summary->context : "",
                     summary->context_len);
    cwm_buf_adds(out, ", \"frames\": [");
}

static void add_tail(const struct trace_summary *summary,
                     const struct trace_end *end, struct cwm_buf *out)
{
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
    render__add_output(out, summary->stdout_data, summary->stdout_len);
    cwm_buf_adds(out, ", \"stderr\": ");
    render__add_output(out, summary->stderr_data, summary->stderr_len);
    cwm_buf_adds(out, ", \"truncated_values\": ");
    render__add_number(out, end->n_cut);
    cwm_buf_adds(out, ", \"counts\": {\"frames\": ");
    render__add_number(out, end->n_frames);
    cwm_buf_adds(out, ", \"calls\": ");
    render__add_number(out, end->n_calls);
    cwm_buf_adds(out, ", \"lines\": ");
    render__add_number(out, end->n_lines);
    cwm_buf_adds(out, "}}\n");
}

enum cwm_rc render_json(struct trace_reader *r, const struct source *s,
                        const struct trace_summary *summary,
                        const struct render_options *options,
                        struct cwm_buf *out, struct cwm_err *err)
{
    static const struct trace_end nothing_ran;
    enum cwm_rc rc = CWM_OK;

    add_head(summary, out);
    if (r) {
        rc = add_frames(r, s, options->full_locals, out, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    add_tail(summary, r ? trace_reader_end(r) : &nothing_ran, out);
    return cwm_buf_check(out, "the trace's JSON", err);
}
