/* SPDX-License-Identifier: MIT */
/* request.c -- a run's request as bytes, both directions. */
#include "tracer/request.h"

#include <string.h>

#define REQUEST_MAGIC "CWMREQ1\n"
#define MAGIC_BYTES   8u

/* The length that stands for "no text" (`compiled` when it is NULL). */
#define NO_TEXT UINT64_MAX

static uint64_t get_u64le(const uint8_t *p)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static void add_u64le(struct cwm_buf *out, uint64_t value)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    cwm_buf_add(out, bytes, sizeof(bytes));
}

static void add_text(struct cwm_buf *out, const char *text, size_t len)
{
    if (!text) {
        add_u64le(out, NO_TEXT);
        return;
    }
    add_u64le(out, len);
    cwm_buf_add(out, text, len);
}

enum cwm_rc trace_request_write(const struct trace_request *request,
                                struct cwm_buf *out, struct cwm_err *err)
{
    const struct trace_request *r = request;
    cwm_buf_add(out, REQUEST_MAGIC, MAGIC_BYTES);
    add_u64le(out, r->seed);
    add_u64le(out, r->max_frames);
    add_u64le(out, r->max_trace_bytes);
    add_u64le(out, r->max_value_bytes);
    add_u64le(out, r->max_output_bytes);
    add_u64le(out, r->entry_line);
    add_u64le(out, r->traced);
    add_u64le(out, r->max_text_events);
    add_text(out, r->source ? r->source : "", r->source ? r->source_len : 0);
    add_text(out, r->compiled, r->compiled_len);
    add_text(out, r->entry ? r->entry : "", r->entry ? r->entry_len : 0);
    add_text(out, r->args ? r->args : "", r->args ? r->args_len : 0);
    return cwm_buf_check(out, "the request", err);
}

/* What is left to read: data[0..len). */
struct cursor {
    const uint8_t *data;
    size_t len;
    bool failed;
};

static uint64_t take_u64le(struct cursor *c)
{
    if (c->failed || c->len < 8) {
        c->failed = true;
        return 0;
    }
    uint64_t value = get_u64le(c->data);
    c->data += 8;
    c->len -= 8;
    return value;
}

static const char *take_text(struct cursor *c, size_t *ret_len)
{
    uint64_t len = take_u64le(c);
    *ret_len = 0;
    if (c->failed || len == NO_TEXT)
        return NULL;
    if (len > c->len) {
        c->failed = true;
        return NULL;
    }
    const char *text = (const char *)c->data;
    c->data += len;
    c->len -= (size_t)len;
    *ret_len = (size_t)len;
    return text;
}

enum cwm_rc trace_request_read(const uint8_t *data, size_t len,
                               struct trace_request *ret_request,
                               struct cwm_err *err)
{
    struct trace_request r = {0};
    if (len < MAGIC_BYTES || memcmp(data, REQUEST_MAGIC, MAGIC_BYTES) != 0)
        return CWM_FAIL(err, CWM_FORMAT, "a request without its magic");
    struct cursor c = {data + MAGIC_BYTES, len - MAGIC_BYTES, false};
    r.seed = take_u64le(&c);
    r.max_frames = take_u64le(&c);
    r.max_trace_bytes = take_u64le(&c);
    r.max_value_bytes = take_u64le(&c);
    r.max_output_bytes = take_u64le(&c);
    r.entry_line = take_u64le(&c);
    r.traced = take_u64le(&c);
    r.max_text_events = take_u64le(&c);
    r.source = take_text(&c, &r.source_len);
    r.compiled = take_text(&c, &r.compiled_len);
    r.entry = take_text(&c, &r.entry_len);
    r.args = take_text(&c, &r.args_len);
    if (c.failed || c.len != 0 || !r.source || !r.entry || !r.args)
        return CWM_FAIL(err, CWM_FORMAT, "a request of %zu bytes is damaged",
                        len);
    *ret_request = r;
    return CWM_OK;
}
