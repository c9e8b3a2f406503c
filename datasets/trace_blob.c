/* SPDX-License-Identifier: MIT */
/* trace_blob.c -- traces packed for the store, and read from it. */
#include "datasets/trace_blob.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/hash.h"

enum { N_PARTS = 4, PART_HEAD = 8 };

struct trace_view {
    struct codec_thread *thread; /* owned */
    struct hasher *hasher;       /* owned */
    struct source *program;      /* owned: as stored */
    struct source *parsed;       /* owned: the same, where it is needed */
    bool for_lines;              /* program is not parsed */
    struct source *wrapped;      /* owned: with main() behind it */
    struct trace_reader *reader; /* owned */
    struct cwm_buf payload;
    struct cwm_buf shared; /* records under a header */
    struct cwm_buf text;
    struct cwm_buf context;
};

/* ---- writing ---- */

static void put_u64(struct cwm_buf *out, uint64_t number)
{
    char bytes[8];

    for (int i = 0; i < 8; i++) {
        bytes[i] = (char)(number >> 8 * i);
    }
    cwm_buf_add(out, bytes, sizeof bytes);
}

static void put_part(struct cwm_buf *out, const void *data, size_t len)
{
    put_u64(out, len);
    cwm_buf_add(out, data ? data : "", len);
}

/* Over what the row and its payload say of the run. */
static struct hash content_hash(struct hasher *h, const struct store_trace *t,
                                const struct cwm_buf *payload, size_t at)
{
    hasher_reset(h);
    hasher_add_number(h, t->verdict);
    hasher_add_text(h, t->detail);
    hasher_add_number(h, t->context_line);
    hasher_add_number(h, t->n_frames);
    hasher_add_number(h, t->n_calls);
    hasher_add_number(h, t->n_lines);
    hasher_add_number(h, t->max_depth);
    hasher_add_number(h, t->n_text_bytes);
    hasher_add(h, payload->data + at, payload->len - at);
    return hasher_end(h);
}

/* Depth, and the size of the text that the frames make. */
static enum cwm_rc measure(struct trace_reader *r, const struct source *s,
                           struct store_trace *trace, struct cwm_err *err)
{
    struct trace_frame frame;
    bool more = true;
    enum cwm_rc rc = CWM_OK;

    trace->max_depth = 0;
    trace->n_text_bytes = 0;
    trace_reader_rewind(r);
    while (rc == CWM_OK && more) {
        size_t len = 0;

        rc = trace_reader_next(r, &frame, &more, err);
        if (rc != CWM_OK || !more) {
            continue;
        }
        if (frame.depth > trace->max_depth) {
            trace->max_depth = frame.depth;
        }
        source_line(s, frame.line, &len);
        trace->n_text_bytes += len + frame.arg_len;
        for (size_t i = 0; i < frame.n_locals; i++) {
            const struct trace_local *local = &frame.locals[i];

            trace->n_text_bytes +=
                local->name_len + (local->same ? 2 : local->value_len);
        }
    }
    trace_reader_rewind(r);
    return rc;
}

enum cwm_rc trace_blob_write(const struct trace_result *result,
                             const void *stdin_data, size_t stdin_len,
                             bool with_frames, struct cwm_buf *out,
                             struct store_trace *trace, struct hasher *hasher,
                             struct cwm_err *err)
{
    const struct trace_summary *summary = &result->summary;
    const struct trace_end *end = trace_reader_end(result->reader);
    size_t at = out->len;
    enum cwm_rc rc = CWM_OK;

    trace->verdict = result->verdict;
    trace->detail = summary->detail;
    trace->context_line = result->context_line;
    trace->n_frames = with_frames ? end->n_frames : 0;
    trace->n_calls = with_frames ? end->n_calls : 0;
    trace->n_lines = with_frames ? end->n_lines : 0;
    trace->max_depth = 0;
    trace->n_text_bytes = 0;
    if (with_frames) {
        put_part(out, result->records, result->records_len);
        put_part(out, summary->stdout_data, summary->stdout_len);
        put_part(out, summary->stderr_data, summary->stderr_len);
        rc = measure(result->reader, result->source, trace, err);
    } else {
        put_part(out, NULL, 0);
        put_part(out, NULL, 0);
        put_part(out, NULL, 0);
    }
    if (stdin_len > 0) {
        put_part(out, stdin_data, stdin_len);
    }
    if (rc == CWM_OK) {
        rc = cwm_buf_check(out, "a trace", err);
    }
    if (rc == CWM_OK) {
        trace->payload_bytes = out->len - at;
        trace->content = content_hash(hasher, trace, out, at);
    }
    return rc;
}

/* ---- reading ---- */

enum cwm_rc trace_view_new(const struct codec *codec,
                           struct trace_view **ret_view, struct cwm_err *err)
{
    struct trace_view *v = cwm_calloc(1, sizeof *v); /* owned */
    enum cwm_rc rc;

    if (!v) {
        return CWM_FAIL(err, CWM_NOMEM, "could not read traces");
    }
    cwm_buf_init(&v->payload, CODEC_MAX_BYTES);
    cwm_buf_init(&v->shared, CODEC_MAX_BYTES);
    cwm_buf_init(&v->text, CODEC_MAX_BYTES);
    cwm_buf_init(&v->context, CODEC_MAX_BYTES);
    rc = codec_thread_new(codec, &v->thread, err);
    if (rc == CWM_OK) {
        rc = hasher_new(&v->hasher, err);
    }
    if (rc == CWM_OK) {
        *ret_view = v;
        v = NULL;
    }
    trace_view_free(v);
    return rc;
}

void trace_view_free(struct trace_view *v)
{
    if (!v) {
        return;
    }
    trace_reader_free(v->reader);
    source_free(v->program);
    source_free(v->parsed);
    source_free(v->wrapped);
    hasher_free(v->hasher);
    codec_thread_free(v->thread);
    cwm_buf_release(&v->payload);
    cwm_buf_release(&v->shared);
    cwm_buf_release(&v->text);
    cwm_buf_release(&v->context);
    cwm_free(v);
}

static void forget_program(struct trace_view *v)
{
    source_free(v->program);
    source_free(v->parsed);
    v->program = NULL;
    v->parsed = NULL;
}

enum cwm_rc trace_view_program(struct trace_view *v,
                               const struct store_program *program,
                               struct cwm_err *err)
{
    forget_program(v);
    v->for_lines = false;
    return source_new_text(program->text, program->len, "a program",
                           &v->program, err);
}

enum cwm_rc trace_view_lines(struct trace_view *v,
                             const struct store_program *program,
                             struct cwm_err *err)
{
    forget_program(v);
    v->for_lines = true;
    return source_new_lines(program->text, program->len, "a program",
                            &v->program, err);
}

static uint64_t get_u64(const char *p)
{
    uint64_t number = 0;

    for (int i = 7; i >= 0; i--) {
        number = number << 8 | (uint8_t)p[i];
    }
    return number;
}

struct part {
    const char *data;
    size_t len;
};

/* The payload's parts; the last one may be missing. */
static bool take_apart(const struct cwm_buf *payload,
                       struct part parts[N_PARTS])
{
    size_t at = 0;

    for (int i = 0; i < N_PARTS; i++) {
        uint64_t len = 0;

        parts[i] = (struct part){NULL, 0};
        if (i == N_PARTS - 1 && at == payload->len) {
            return true;
        }
        if (payload->len - at < PART_HEAD) {
            return false;
        }
        len = get_u64(payload->data + at);
        at += PART_HEAD;
        if (len > payload->len - at) {
            return false;
        }
        parts[i] = (struct part){payload->data + at, (size_t)len};
        at += (size_t)len;
    }
    return at == payload->len;
}

static enum cwm_rc open_records(struct trace_view *v,
                                const struct part *records,
                                const struct source *s, struct cwm_err *err)
{
    char zero[TRACE_SHARED_HEADER_BYTES - 16] = {0};

    cwm_buf_clear(&v->shared);
    cwm_buf_adds(&v->shared, TRACE_SHARED_MAGIC);
    put_u64(&v->shared, records->len);
    cwm_buf_add(&v->shared, zero, sizeof zero);
    cwm_buf_add(&v->shared, records->data, records->len);
    if (cwm_buf_check(&v->shared, "a trace's records", err) != CWM_OK) {
        return v->shared.failed;
    }
    trace_reader_free(v->reader);
    v->reader = NULL;
    return trace_reader_new((const uint8_t *)v->shared.data, v->shared.len,
                            source_n_lines(s), &v->reader, err);
}

/* main() is put behind a program whose entry can be found. */
static enum cwm_rc parse_program(struct trace_view *v, struct cwm_err *err)
{
    size_t len;
    const char *text = source_text(v->program, &len);

    return v->parsed ? CWM_OK
                     : source_new_text(text, len, "a program", &v->parsed, err);
}

/* The text that was run: with wrap_main the program and what was added. */
static enum cwm_rc open_source(struct trace_view *v,
                               const struct store_trace *trace,
                               const struct source **ret_source,
                               struct cwm_err *err)
{
    enum cwm_rc rc;

    *ret_source = v->program;
    if (!trace->wrap_main || trace->context_line == 0) {
        return CWM_OK;
    }
    source_free(v->wrapped);
    v->wrapped = NULL;
    cwm_buf_clear(&v->text);
    rc = v->for_lines ? parse_program(v, err) : CWM_OK;
    if (rc == CWM_OK) {
        rc = source_wrap_main(v->for_lines ? v->parsed : v->program,
                              trace->entry, trace->args ? trace->args : "",
                              &v->text, err);
    }
    if (rc == CWM_OK) {
        rc = (v->for_lines ? source_new_lines : source_new_text)(
            v->text.data, v->text.len, "a program", &v->wrapped, err);
    }
    *ret_source = v->wrapped;
    return rc == CWM_USAGE
               ? CWM_FAIL(err, CWM_FORMAT, "the program has no such entry")
               : rc;
}

static enum cwm_rc open_context(struct trace_view *v,
                                const struct store_trace *trace,
                                const struct source *s,
                                struct trace_summary *summary,
                                struct cwm_err *err)
{
    enum cwm_rc rc;

    if (trace->context_line == 0) {
        summary->context = source_text(s, &summary->context_len);
        return CWM_OK;
    }
    if (trace->context_line > source_n_lines(s)) {
        return CWM_FAIL(err, CWM_FORMAT, "the program has no line %u",
                        trace->context_line);
    }
    cwm_buf_clear(&v->context);
    rc = source_context(s, trace->context_line, &v->context, err);
    summary->context = v->context.data;
    summary->context_len = v->context.len;
    return rc;
}

enum cwm_rc trace_view_open(struct trace_view *v,
                            const struct store_trace *trace,
                            const struct store_setting *setting, const char *id,
                            struct trace_seen *ret_seen, struct cwm_err *err)
{
    struct trace_seen seen = {{0}};
    struct part parts[N_PARTS];
    enum cwm_rc rc = codec_unpack(v->thread, trace->dictionary, trace->data,
                                  trace->data_len, &v->payload, err);

    if (rc == CWM_OK && (v->payload.len != trace->payload_bytes ||
                         !take_apart(&v->payload, parts))) {
        rc = CWM_FAIL(err, CWM_FORMAT, "its payload is damaged");
    }
    if (rc == CWM_OK) {
        rc = open_source(v, trace, &seen.source, err);
    }
    if (rc == CWM_OK) {
        rc = open_records(v, &parts[0], seen.source, err);
    }
    if (rc == CWM_OK) {
        rc = open_context(v, trace, seen.source, &seen.summary, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    seen.reader = v->reader;
    seen.summary.id = id;
    seen.summary.verdict = trace_verdict_text(trace->verdict);
    seen.summary.detail = trace->detail;
    seen.summary.python = setting->python;
    if (trace->context_line > 0) { /* else nothing was run */
        seen.summary.entry = trace->wrap_main ? "main" : trace->entry;
    }
    seen.summary.stdout_data = (const uint8_t *)parts[1].data;
    seen.summary.stdout_len = parts[1].len;
    seen.summary.stderr_data = (const uint8_t *)parts[2].data;
    seen.summary.stderr_len = parts[2].len;
    seen.stdin_data = parts[3].data;
    seen.stdin_len = parts[3].len;
    *ret_seen = seen;
    return CWM_OK;
}

struct hash trace_view_content(struct trace_view *v,
                               const struct store_trace *trace)
{
    return content_hash(v->hasher, trace, &v->payload, 0);
}
