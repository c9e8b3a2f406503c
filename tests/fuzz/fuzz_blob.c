/* SPDX-License-Identifier: MIT */
/*
 * fuzz_blob.c -- any bytes as a store's trace: packed, or unpacked already.
 *
 * The first byte says which.  Packed: what unpacks is what a second unpacking
 * gives.  Unpacked: it is packed here and comes back; what is read of it as a
 * trace keeps what trace_blob.h promises, and ends, the same in both ways of
 * looking at the program.
 */
#include <string.h>

#include "datasets/trace_blob.h"
#include "tests/fuzz/fuzz.h"

enum {
    /* Room for what unpacks: hostile frames promise much. */
    MAX_BYTES = 1 << 20,
    MAX_FRAMES = 100000
};

static const char program[] = "def f(x):\n"
                              "    y = x + 1\n"
                              "    return y\n"
                              "s = 'f  # << START_OF_TRACE'\n";

/* Read to its end: every frame's line is one of the program's. */
static void read_frames(const struct trace_seen *seen)
{
    struct trace_frame frame;
    bool more = true;
    size_t n = 0;

    while (trace_reader_next(seen->reader, &frame, &more, NULL) == CWM_OK &&
           more) {
        must(frame.line >= 1 && frame.line <= source_n_lines(seen->source));
        must(++n < MAX_FRAMES);
    }
}

/* Its context is put into `out`: "" where it cannot be read. */
static void look(struct trace_view *view, const struct cwm_buf *packed,
                 size_t payload_bytes, const uint8_t *head, struct cwm_buf *out)
{
    struct store_setting setting = {.python = "3.11.2"};
    struct store_trace trace = {.entry = "f",
                                .args = "1",
                                .wrap_main = (head[0] & 2) != 0,
                                .context_line = head[0] >> 4,
                                .payload_bytes = payload_bytes,
                                .data = packed->data,
                                .data_len = packed->len};
    struct trace_seen seen;
    struct cwm_err err = {.code = CWM_OK};

    if (trace_view_open(view, &trace, &setting, "id", &seen, &err) != CWM_OK) {
        must(err.message[0] != '\0');
        return;
    }
    must(seen.summary.stdout_len <= payload_bytes);
    must(seen.stdin_len <= payload_bytes);
    cwm_buf_add(out, seen.summary.context, seen.summary.context_len);
    read_frames(&seen);
    (void)trace_view_content(view, &trace);
}

static void unpack_twice(struct codec_thread *t, const uint8_t *data,
                         size_t len)
{
    struct cwm_buf one;
    struct cwm_buf two;
    struct cwm_err err = {.code = CWM_OK};
    uint32_t dictionary = data[0] & 3;

    cwm_buf_init(&one, MAX_BYTES);
    cwm_buf_init(&two, MAX_BYTES);
    if (codec_unpack(t, dictionary, data, len, &one, &err) == CWM_OK) {
        must(codec_unpack(t, dictionary, data, len, &two, NULL) == CWM_OK);
        must(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
    } else {
        must(err.code == CWM_FORMAT || err.code == CWM_MISSING);
    }
    cwm_buf_release(&one);
    cwm_buf_release(&two);
}

static void pack_and_look(const struct codec *codec, struct codec_thread *t,
                          const uint8_t *data, size_t len, const uint8_t *head)
{
    struct store_program p = {.text = program, .len = sizeof program - 1};
    struct trace_view *view = NULL; /* owned */
    struct cwm_buf packed;
    struct cwm_buf back;
    struct cwm_buf whole; /* as read by who wants definitions, too */
    struct cwm_buf lines; /* ... and by who does not */
    uint32_t dictionary = 0;

    cwm_buf_init(&whole, MAX_BYTES);
    cwm_buf_init(&lines, MAX_BYTES);
    cwm_buf_init(&packed, MAX_BYTES);
    cwm_buf_init(&back, MAX_BYTES);
    must(codec_pack(t, data, len, &packed, &dictionary, NULL) == CWM_OK);
    must(codec_unpack(t, dictionary, packed.data, packed.len, &back, NULL) ==
         CWM_OK);
    must(back.len == len && (len == 0 || memcmp(back.data, data, len) == 0));
    must(trace_view_new(codec, &view, NULL) == CWM_OK);
    must(trace_view_program(view, &p, NULL) == CWM_OK);
    look(view, &packed, len, head, &whole);
    must(trace_view_lines(view, &p, NULL) == CWM_OK);
    look(view, &packed, len, head, &lines);
    must(whole.len == lines.len &&
         (whole.len == 0 || memcmp(whole.data, lines.data, whole.len) == 0));
    trace_view_free(view);
    cwm_buf_release(&whole);
    cwm_buf_release(&lines);
    cwm_buf_release(&packed);
    cwm_buf_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct codec *codec = NULL;    /* owned */
    struct codec_thread *t = NULL; /* owned */

    if (len < 2 || len > MAX_BYTES / 2) {
        return 0;
    }
    must(codec_new(&codec, NULL) == CWM_OK);
    must(codec_thread_new(codec, &t, NULL) == CWM_OK);
    if (data[0] & 1) {
        unpack_twice(t, data + 1, len - 1);
    } else {
        pack_and_look(codec, t, data + 1, len - 1, data);
    }
    codec_thread_free(t);
    codec_free(codec);
    return 0;
}
