/* SPDX-License-Identifier: MIT */
/* suite.c -- a run asked for, and what was made of its stream given back. */
#include "tracer/suite.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/record_cursor.h"
#include "tracer/request.h"
#include "tracer/suite_internal.h"

enum {
    MAX_ORDER_BYTES = 1 << 16,
    /* As for programs (trace.c): what is counted ends a run before what is
     * measured does. */
    TEXT_EVENTS_PER_MS = 2500,
    /* Real time for each unit of CPU time, where nothing is asked for: tests
     * sleep, and a busy machine must not decide what is kept. */
    WALL_FACTOR = 10
};

enum cwm_rc suite_run(struct tracer *t, const struct suite_how *how,
                      const char *node, bool collect, uint64_t seed,
                      const struct trace_limits *limits,
                      const volatile int *cancel,
                      struct sandbox_verdict *ret_kernel,
                      const uint8_t **ret_shared, size_t *ret_len,
                      struct cwm_err *err)
{
    struct trace_request request = {
        .seed = seed,
        .max_frames = limits->max_frames,
        .max_trace_bytes = SUITE_STREAM_BYTES,
        .max_value_bytes = limits->max_value_bytes,
        .max_output_bytes = limits->max_output_bytes,
        .traced = SUITE_REQUEST,
        .max_text_events = limits->timeout_ms * TEXT_EVENTS_PER_MS,
        .source = "",
        .entry = collect ? SUITE_COLLECT : SUITE_TEST,
    };
    struct trace_limits own = *limits;
    struct cwm_buf order;
    enum cwm_rc rc;

    own.wall_ms =
        limits->wall_ms ? limits->wall_ms : WALL_FACTOR * limits->timeout_ms;
    cwm_buf_init(&order, MAX_ORDER_BYTES);
    cwm_buf_addf(&order, "%u %u %u %llu %s\n%s", how->enter_permille,
                 how->max_depth, how->tests ? 1u : 0u,
                 (unsigned long long)limits->max_trace_bytes, how->venv,
                 node ? node : "");
    rc = cwm_buf_check(&order, "a test's name", err);
    if (rc == CWM_OK) {
        request.entry_len = strlen(request.entry);
        request.args = order.data;
        request.args_len = order.len;
        rc = tracer_run_request(t, &request, &own, cancel, ret_kernel,
                                ret_shared, ret_len, err);
    }
    cwm_buf_release(&order);
    return rc;
}

void suite_stream_release(struct suite_stream *s)
{
    for (size_t i = 0; i < s->n_episodes; i++) {
        cwm_free(s->episodes[i].funcs);
        cwm_buf_release(&s->episodes[i].records);
    }
    cwm_free(s->episodes);
    cwm_free(s->paths);
    cwm_free(s->lines);
    cwm_free(s->codes);
    cwm_free(s->tells);
    memset(s, 0, sizeof *s);
}

const struct suite_text *suite_stream_told(const struct suite_stream *s,
                                           enum suite_tell what)
{
    for (size_t i = 0; i < s->n_tells; i++) {
        if (s->tells[i].what == what) {
            return &s->tells[i].text;
        }
    }
    return NULL;
}

/* ---- other lines ---- */

void suite__put_number(struct cwm_buf *out, uint64_t number)
{
    for (; number >= 0x80; number >>= 7) {
        cwm_buf_addc(out, (char)(number | 0x80));
    }
    cwm_buf_addc(out, (char)number);
}

void suite__put_header(struct cwm_buf *out, size_t start)
{
    uint64_t n = out->len - start - TRACE_SHARED_HEADER_BYTES;
    char *header = out->data + start;

    memset(header, 0, TRACE_SHARED_HEADER_BYTES);
    memcpy(header, TRACE_SHARED_MAGIC, 8);
    for (int i = 0; i < 8; i++) {
        header[8 + i] = (char)(n >> 8 * i);
    }
}

/* What stands between `from` and the cursor, as it is. */
static void copy_from(const struct record_cursor *c, size_t from,
                      struct cwm_buf *out)
{
    cwm_buf_add(out, c->data + from, c->at - from);
}

static bool place_line(struct record_cursor *c, const uint32_t *lines, size_t n,
                       struct cwm_buf *out)
{
    uint64_t at = record__get_v(c);

    if (at == 0 || at > n || lines[at - 1] == 0) {
        return false;
    }
    suite__put_number(out, lines[at - 1]);
    return true;
}

/* Go past the entries of a CALL or LINE. */
static void pass_entries(struct record_cursor *c)
{
    for (uint64_t n = record__get_v(c); n > 0 && !c->damaged; n--) {
        if (record__get_v(c) & 3) {
            record__get_text(c);
        }
    }
}

/* One record; false: a line that has no place. */
static bool place_record(struct record_cursor *c, const uint32_t *lines,
                         size_t n, struct cwm_buf *out)
{
    size_t start = c->at;
    uint8_t type = record__get_u8(c);
    bool placed = true;

    switch (type) {
    case TRACE_RECORD_NAME:
    case TRACE_RECORD_FUNC:
        record__get_text(c);
        break;
    case TRACE_RECORD_SWITCH:
        record__get_v(c);
        break;
    case TRACE_RECORD_CALL:
        record__get_v(c);
        record__get_v(c);
        break;
    case TRACE_RECORD_LINE:
    case TRACE_RECORD_RETURN:
    case TRACE_RECORD_EXCEPT:
        break;
    default: /* END: nothing follows it */
        c->at = c->stop;
        break;
    }
    copy_from(c, start, out);
    if (type >= TRACE_RECORD_CALL && type <= TRACE_RECORD_EXCEPT) {
        placed = place_line(c, lines, n, out);
        start = c->at;
        if (type == TRACE_RECORD_CALL || type == TRACE_RECORD_LINE) {
            pass_entries(c);
        } else {
            record__get_u8(c);
            record__get_text(c);
        }
        copy_from(c, start, out);
    }
    return placed;
}

enum cwm_rc suite_place_lines(const struct suite_episode *e,
                              const uint32_t *lines, size_t n,
                              struct cwm_buf *out, struct cwm_err *err)
{
    struct record_cursor c = {
        .data = (const uint8_t *)e->records.data,
        .at = TRACE_SHARED_HEADER_BYTES,
        .stop = e->records.len,
        .checked = e->records.len,
    };
    bool placed = true;
    size_t start = out->len;

    cwm_buf_add(out, c.data, c.at);
    while (placed && c.at < c.stop && !c.damaged) {
        placed = place_record(&c, lines, n, out);
    }
    if (!placed || c.damaged) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "an episode stands on lines that are "
                        "not its files'");
    }
    if (cwm_buf_check(out, "an episode", err) != CWM_OK) {
        return out->failed;
    }
    suite__put_header(out, start);
    return CWM_OK;
}
