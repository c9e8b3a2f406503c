/* SPDX-License-Identifier: MIT */
/*
 * fuzz_suite.c -- any bytes as what a test's run left, taken apart.
 *
 * Input: the records; their header is put in front.  Each episode that comes
 * of them has its lines placed and is read as a trace is.
 */
#include <string.h>

#include "cwm/base/alloc.h"
#include "tests/fuzz/fuzz.h"
#include "tracer/suite.h"

#define MAX_INPUT_BYTES (1u << 16)

static void check_records(const struct cwm_buf *records, uint32_t n_lines)
{
    struct trace_reader *r = NULL;
    struct trace_frame frame;
    bool more = true;

    must(trace_reader_new((const uint8_t *)records->data, records->len, n_lines,
                          &r, NULL) == CWM_OK);
    while (more) {
        must(trace_reader_next(r, &frame, &more, NULL) == CWM_OK);
        must(!more || (frame.line >= 1 && frame.line <= n_lines));
    }
    trace_reader_free(r);
}

/* Lines turned round: another length for most numbers. */
static void check_episode(const struct suite_stream *s,
                          const struct suite_episode *e)
{
    uint32_t *lines = cwm_malloc((s->n_lines + 1) * sizeof *lines);
    struct cwm_buf placed;

    must(lines != NULL);
    for (size_t i = 0; i < s->n_lines; i++) {
        must(s->lines[i].file < s->n_paths);
        lines[i] = (uint32_t)(s->n_lines - i);
    }
    for (size_t i = 0; i < e->n_funcs; i++) {
        must(e->funcs[i] < s->n_codes);
        must(s->codes[e->funcs[i]].file < s->n_paths);
    }
    cwm_buf_init(&placed, 1UL << 24);
    check_records(&e->records, (uint32_t)s->n_lines);
    if (suite_place_lines(e, lines, s->n_lines, &placed, NULL) == CWM_OK) {
        must(e->path_len > 0 || e->path);
        check_records(&placed, (uint32_t)s->n_lines);
    }
    cwm_buf_release(&placed);
    cwm_free(lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct suite_stream s;
    uint8_t *shared;

    if (size > MAX_INPUT_BYTES) {
        return 0;
    }
    shared = cwm_calloc(1, TRACE_SHARED_HEADER_BYTES + size);
    must(shared != NULL);
    memcpy(shared, TRACE_SHARED_MAGIC, 8);
    for (size_t i = 0; i < 8; i++) {
        shared[8 + i] = (uint8_t)((uint64_t)size >> 8 * i);
    }
    if (size > 0) {
        memcpy(shared + TRACE_SHARED_HEADER_BYTES, data, size);
    }
    must(suite_stream_read(shared, TRACE_SHARED_HEADER_BYTES + size, &s,
                           NULL) == CWM_OK);
    for (size_t i = 0; i < s.n_episodes; i++) {
        if (s.episodes[i].complete) {
            check_episode(&s, &s.episodes[i]);
        }
    }
    suite_stream_release(&s);
    cwm_free(shared);
    return 0;
}
