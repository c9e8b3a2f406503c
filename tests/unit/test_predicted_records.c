/* SPDX-License-Identifier: MIT */
/*
 * test_predicted_records.c [GOLDEN...] -- predicted text to records and back.
 *
 * A true trace's text, read as a prediction and replayed, must render to the
 * same text again.  With files of golden traces as arguments: how many do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "cwm/base/lines.h"
#include "eval/predicted_records.h"
#include "tracer/render.h"

enum { MAX_BYTES = 1 << 28 };

/* The frames' text again; how many frames were replayed, and how it ended. */
static char *replayed(const char *context, const char *text, int entry,
                      size_t *ret_n, struct trace_end *ret_end)
{
    struct predicted predicted = {0};
    struct trace_reader *reader = NULL;
    struct source *s = NULL;
    struct cwm_buf records;
    struct cwm_buf out;
    struct cwm_err err;

    cwm_buf_init(&records, MAX_BYTES);
    cwm_buf_init(&out, MAX_BYTES);
    if (source_new_text(context, strlen(context), "context", &s, &err) !=
            CWM_OK ||
        (entry == -2 && source_entry(s, NULL, &entry, &err) != CWM_OK) ||
        predicted_parse(text, strlen(text), context, strlen(context),
                        &predicted, &err) != CWM_OK ||
        replay_records(&predicted, s, entry, &records, ret_n, &err) != CWM_OK ||
        trace_reader_new((const uint8_t *)records.data, records.len,
                         source_n_lines(s), &reader, &err) != CWM_OK ||
        render_cwm_frames(reader, s, &out, &err) != CWM_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    *ret_end = *trace_reader_end(reader);
    trace_reader_free(reader);
    cwm_buf_release(&records);
    predicted_release(&predicted);
    source_free(s);
    return out.data ? out.data : strdup("");
}

static const char program[] = "def g(x):\n"
                              "    return x + 1\n"
                              "def f(n):  # << START_OF_TRACE\n"
                              "    a = g(n)\n"
                              "    a = g(n)\n"
                              "    return a\n";

#define CALL_F                                                                 \
    "<|call_sep|>{\"n\": \"1\"}<|action_sep|>def f(n):\n<|frame_sep|>"
#define LINE_A                                                                 \
    "<|line_sep|>{\"n\": \"..\"}<|action_sep|>    a = g(n)\n<|frame_sep|>"
#define CALL_G                                                                 \
    "<|call_sep|>{\"x\": \"1\"}<|action_sep|>def g(x):\n<|frame_sep|>"
#define LINE_G                                                                 \
    "<|line_sep|>{\"x\": \"..\"}<|action_sep|>    return x + 1\n<|frame_sep|>"
#define RETURN_G                                                               \
    "<|return_sep|><|action_sep|>    return x + 1\n<|arg_sep|>\"'\\\"\\u00e9'" \
    "\"<|frame_sep|>"
#define LINE_B                                                                 \
    "<|line_sep|>{\"n\": \"1\", \"a\": \"2\"}<|action_sep|>    a = g(n)\n"     \
    "<|frame_sep|>"
#define LINE_R                                                                 \
    "<|line_sep|>{\"n\": \"1\", \"a\": \"2\"}<|action_sep|>    return a\n"     \
    "<|frame_sep|>"
#define RETURN_F                                                               \
    "<|return_sep|><|action_sep|>    return a\n<|arg_sep|>\"2\"<|frame_sep|>"

static void expect(const char *text, const char *want, size_t n)
{
    struct trace_end end;
    size_t got_n;
    char *got = replayed(program, text, -2, &got_n, &end);

    assert_string_equal(got, want);
    assert_int_equal(got_n, n);
    assert_false(end.damaged);
    free(got);
}

static void replay__gives_true_traces_again(void **state)
{
    static const char whole[] = CALL_F LINE_A CALL_G LINE_G RETURN_G LINE_B
        CALL_G LINE_G RETURN_G LINE_R RETURN_F;
    struct trace_end end;
    size_t n;
    char *got = replayed(program, whole, -2, &n, &end);

    (void)state;
    assert_string_equal(got, whole);
    assert_int_equal(end.reason, TRACE_END_OK);
    assert_int_equal(end.result_len, 1);
    assert_int_equal(end.n_calls, 3);
    free(got);
    expect(CALL_F LINE_A CALL_G, CALL_F LINE_A CALL_G, 3); /* cut */
    expect("", "", 0);
}

static void replay__ends_at_what_cannot_be(void **state)
{
    (void)state;
    expect(CALL_G, "", 0); /* not the entry */
    expect(LINE_A, "", 0); /* in no scope */
    expect(CALL_F "<|line_sep|>{}<|action_sep|>    b = 1\n<|frame_sep|>" LINE_A,
           CALL_F, 1); /* no line of the program */
    expect(CALL_F LINE_A RETURN_F LINE_A, CALL_F LINE_A RETURN_F, 3);
    expect(CALL_F "nonsense<|frame_sep|>" LINE_A, CALL_F, 1);
    /* ".." of what was not there is a text; a name that comes twice counts
     * once */
    expect(CALL_F "<|line_sep|>{\"a\": \"..\", \"a\": \"3\"}<|action_sep|>    "
                  "a = g(n)\n<|frame_sep|>",
           CALL_F "<|line_sep|>{\"a\": \"..\"}<|action_sep|>    a = g(n)\n"
                  "<|frame_sep|>",
           2);
}

/* ---- golden traces, by hand ---- */

static void count_golden(const char *path)
{
    struct lines *lines = NULL;
    struct line line;
    bool more = true;
    size_t n_all = 0;
    size_t n_same = 0;

    if (lines_open(path, MAX_BYTES, NULL, &lines, NULL) != CWM_OK) {
        printf("SKIPPED: cannot read '%s'\n", path);
        return;
    }
    while (lines_next(lines, &line, &more, NULL) == CWM_OK && more) {
        json_t *record = json_loadb(line.text, line.len, 0, NULL);
        const char *text = json_string_value(json_object_get(record, "text"));
        const char *context =
            json_string_value(json_object_get(record, "context"));
        struct trace_end end;
        size_t n;

        if (text && context) {
            char *got = replayed(context, text, -2, &n, &end);

            n_all++;
            n_same += strcmp(got, text) == 0;
            free(got);
        }
        json_decref(record);
    }
    lines_close(lines);
    printf("%s: %zu of %zu the same\n", path, n_same, n_all);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay__gives_true_traces_again),
        cmocka_unit_test(replay__ends_at_what_cannot_be),
    };

    for (int i = 1; i < argc; i++) {
        count_golden(argv[i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
