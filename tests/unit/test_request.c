/* SPDX-License-Identifier: MIT */
/* test_request.c -- a request survives its way, and only a whole one does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tracer/request.h"

static const char source[] = "def f(x):\n    return x  # \xC3\xA9\n";

static struct trace_request example(void)
{
    struct trace_request r = {
        .seed = 1,
        .max_frames = 2,
        .max_trace_bytes = UINT64_MAX - 1,
        .max_value_bytes = 4,
        .max_output_bytes = 5,
        .entry_line = 6,
        .traced = 1,
        .max_text_events = 7,
        .source = source,
        .source_len = sizeof(source) - 1,
        .entry = "f",
        .entry_len = 1,
        .args = "",
    };
    return r;
}

static void write_request(const struct trace_request *r, struct cwm_buf *out)
{
    cwm_buf_init(out, 1u << 20);
    assert_int_equal(trace_request_write(r, out, NULL), CWM_OK);
}

static void request__comes_back_as_it_was(void **state)
{
    struct trace_request r = example();
    struct trace_request back;
    struct cwm_buf out;
    (void)state;
    for (int with_compiled = 0; with_compiled < 2; with_compiled++) {
        r.compiled = with_compiled ? "" : NULL;
        write_request(&r, &out);
        assert_int_equal(
            trace_request_read((const uint8_t *)out.data, out.len, &back, NULL),
            CWM_OK);
        assert_int_equal(back.seed, 1);
        assert_int_equal(back.max_frames, 2);
        assert_true(back.max_trace_bytes == UINT64_MAX - 1);
        assert_int_equal(back.max_value_bytes, 4);
        assert_int_equal(back.max_output_bytes, 5);
        assert_int_equal(back.entry_line, 6);
        assert_int_equal(back.traced, 1);
        assert_int_equal(back.max_text_events, 7);
        assert_int_equal(back.source_len, r.source_len);
        assert_memory_equal(back.source, source, r.source_len);
        assert_int_equal(back.entry_len, 1);
        assert_memory_equal(back.entry, "f", 1);
        assert_int_equal(back.args_len, 0);
        assert_non_null(back.args);
        assert_int_equal(back.compiled != NULL, with_compiled);
        cwm_buf_release(&out);
    }
}

static void request__is_refused_when_cut_or_longer(void **state)
{
    struct trace_request r = example();
    struct trace_request back;
    struct cwm_buf out;
    (void)state;
    write_request(&r, &out);
    for (size_t len = 0; len < out.len; len++) {
        /* A copy of its own, so that a read beyond it is seen. */
        uint8_t *part = malloc(len ? len : 1);
        assert_non_null(part);
        memcpy(part, out.data, len);
        assert_int_equal(trace_request_read(part, len, &back, NULL),
                         CWM_FORMAT);
        free(part);
    }
    cwm_buf_addc(&out, 'x');
    assert_int_equal(
        trace_request_read((const uint8_t *)out.data, out.len, &back, NULL),
        CWM_FORMAT);
    cwm_buf_release(&out);
}

static void request__is_refused_when_a_length_is_wrong(void **state)
{
    struct trace_request r = example();
    struct trace_request back;
    struct cwm_buf out;
    (void)state;
    write_request(&r, &out);
    /* The length of the source: behind the magic and eight numbers. */
    uint8_t *len = (uint8_t *)out.data + 8 + 8 * 8;
    for (unsigned byte = 0; byte < 8; byte++) {
        uint8_t old = len[byte];
        len[byte] = 0xFE;
        assert_int_equal(
            trace_request_read((const uint8_t *)out.data, out.len, &back, NULL),
            CWM_FORMAT);
        len[byte] = old;
    }
    cwm_buf_release(&out);
}

static void request__does_not_grow_beyond_its_buffer(void **state)
{
    struct trace_request r = example();
    struct cwm_buf out;
    (void)state;
    cwm_buf_init(&out, 100);
    assert_int_equal(trace_request_write(&r, &out, NULL), CWM_LIMIT);
    cwm_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request__comes_back_as_it_was),
        cmocka_unit_test(request__is_refused_when_cut_or_longer),
        cmocka_unit_test(request__is_refused_when_a_length_is_wrong),
        cmocka_unit_test(request__does_not_grow_beyond_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
