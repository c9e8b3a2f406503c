/* SPDX-License-Identifier: MIT */
/*
 * fuzz_record.c -- any bytes as a run's shared memory, read and rendered.
 *
 * Input: a byte of flags, a byte of columns, then the shared memory; with flag
 * 1 its header is put in front, so that the fuzzer need not find the count.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tracer/render.h"

#define FLAG_HEADER 1u
#define FLAG_FULL   2u
#define FLAG_COLOUR 4u

#define MAX_INPUT_BYTES (1u << 16)
#define MAX_TEXT_BYTES  (1u << 18) /* longer texts find nothing new */

static const char program[] = "@deco\n"
                              "def f(a, b):\n"
                              "    x = [i for i in a]\n"
                              "\n"
                              "    class C:\n"
                              "\t\tdef g(self): yield 'é漢'\n"
                              "    return x\n"
                              "f([1], 2)  # <|frame_sep|>";

static void check_local(const struct trace_local *local)
{
    bool equal = local->old && local->old_len == local->value_len &&
                 memcmp(local->old, local->value, local->old_len) == 0;

    must(local->name && local->value);
    must(local->changed == !equal);
    must(!local->same || equal);
}

static void check_frame(const struct trace_frame *frame, uint32_t n_lines)
{
    bool has_state = frame->event == TRACE_CALL || frame->event == TRACE_LINE;
    size_t i;

    must(frame->line >= 1 && frame->line <= n_lines);
    must(frame->function && has_state == !frame->arg);
    must(has_state || (frame->n_locals == 0 && frame->n_unbound == 0));
    for (i = 0; i < frame->n_locals; i++) {
        check_local(&frame->locals[i]);
        must(!frame->locals[i].same || frame->event == TRACE_LINE);
    }
    for (i = 0; i < frame->n_unbound; i++) {
        must(frame->unbound[i].old && !frame->unbound[i].value);
    }
}

/* The frames are as many as were counted, and the same when read again. */
static void check_frames(struct trace_reader *r, uint32_t n_lines)
{
    struct trace_frame frame;
    uint64_t n = 0;
    bool more = true;
    int pass;

    for (pass = 0; pass < 2; pass++) {
        trace_reader_rewind(r);
        for (n = 0;; n++) {
            must(trace_reader_next(r, &frame, &more, NULL) == CWM_OK);
            if (!more) {
                break;
            }
            check_frame(&frame, n_lines);
        }
        must(n == trace_reader_end(r)->n_frames);
    }
}

static void check_texts(struct trace_reader *r, const struct source *s,
                        unsigned flags, uint32_t columns, const uint8_t *data,
                        size_t len)
{
    struct trace_summary summary = {.id = "é", .verdict = "ok"};
    struct render_options options = {.full_locals = flags & FLAG_FULL,
                                     .colour = flags & FLAG_COLOUR,
                                     .columns = columns};
    struct cwm_buf out;
    enum cwm_rc rc;
    size_t i;

    summary.stdout_data = data;
    summary.stdout_len = len;
    cwm_buf_init(&out, MAX_TEXT_BYTES);
    rc = render_json(r, s, &summary, &options, &out, NULL);
    must(rc == CWM_OK || rc == CWM_LIMIT);
    for (i = 0; rc == CWM_OK && i < out.len; i++) {
        bool is_last = i == out.len - 1;

        must(is_last ? out.data[i] == '\n'
                     : out.data[i] >= ' ' && out.data[i] <= '~');
    }
    cwm_buf_clear(&out);
    rc = render_cwm(r, s, &summary, &out, NULL);
    must(rc == CWM_OK || rc == CWM_LIMIT);
    cwm_buf_clear(&out);
    rc = render_pretty(r, s, &summary, &options, &out, NULL);
    must(rc == CWM_OK || rc == CWM_LIMIT);
    for (i = 0; i < out.len; i++) {
        must((unsigned char)out.data[i] >= ' ' || out.data[i] == '\n' ||
             (out.data[i] == '\x1b' && options.colour));
    }
    cwm_buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct source *s; /* parsed once */
    struct trace_reader *r = NULL;
    uint8_t *shared;
    size_t n;
    unsigned i;

    if (len < 2 || len > MAX_INPUT_BYTES) {
        return 0;
    }
    if (!s) {
        must(source_new(program, sizeof program - 1, "p.py", &s, NULL) ==
             CWM_OK);
    }
    n = len - 2;
    shared = malloc(n + TRACE_SHARED_HEADER_BYTES);
    must(shared != NULL);
    if (data[0] & FLAG_HEADER) {
        memset(shared, 0, TRACE_SHARED_HEADER_BYTES);
        memcpy(shared, TRACE_SHARED_MAGIC, 8);
        for (i = 0; i < 8; i++) {
            shared[8 + i] = (uint8_t)((uint64_t)n >> 8 * i);
        }
        memcpy(shared + TRACE_SHARED_HEADER_BYTES, data + 2, n);
        n += TRACE_SHARED_HEADER_BYTES;
    } else {
        memcpy(shared, data + 2, n);
    }
    must(trace_reader_new(shared, n, source_n_lines(s), &r, NULL) == CWM_OK);
    check_frames(r, source_n_lines(s));
    check_texts(r, s, data[0], data[1], shared, n);
    trace_reader_free(r);
    free(shared);
    return 0;
}
