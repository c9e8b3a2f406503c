/* SPDX-License-Identifier: MIT */
/* test_render.c -- the text form and the JSON records, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/stream.h"
#include "tracer/render.h"

static struct stream stream; /* large: not on the stack */

/* A program, its records and what they render to. */
struct rendering {
    struct source *source;
    struct trace_reader *reader;
    struct trace_summary summary;
    struct cwm_buf out;
};

static void open_program(struct rendering *t, const char *program)
{
    struct cwm_err err;

    memset(t, 0, sizeof *t);
    cwm_buf_init(&t->out, 1u << 20);
    assert_int_equal(
        source_new(program, strlen(program), "p.py", &t->source, &err), CWM_OK);
    t->summary.context = source_text(t->source, &t->summary.context_len);
    t->summary.id = "job 1";
    t->summary.verdict = "ok";
    t->summary.python = "3.11.2";
    t->summary.entry = "f";
}

static void open_stream(struct rendering *t)
{
    assert_int_equal(trace_reader_new(stream.data, stream.len,
                                      source_n_lines(t->source), &t->reader,
                                      NULL),
                     CWM_OK);
    assert_string_equal(trace_reader_end(t->reader)->damage, "");
}

static void close_program(struct rendering *t)
{
    trace_reader_free(t->reader);
    source_free(t->source);
    cwm_buf_release(&t->out);
}

/* full: as with --full-locals. */
static void check_json(struct rendering *t, bool full, const char *want)
{
    struct render_options options = {.full_locals = full};

    cwm_buf_clear(&t->out);
    assert_int_equal(
        render_json(t->reader, t->source, &t->summary, &options, &t->out, NULL),
        CWM_OK);
    assert_string_equal(t->out.data, want);
}

static void check_cwm_frames(struct rendering *t, const char *want)
{
    cwm_buf_clear(&t->out);
    assert_int_equal(render_cwm_frames(t->reader, t->source, &t->out, NULL),
                     CWM_OK);
    assert_string_equal(t->out.data, want);
}

static void write_trace(void)
{
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, "s='é😀'", "n=2", NULL);
    stream_line(&stream, 2, "s", "n", NULL);
    stream_line(&stream, 3, "s", "n", "x!aaa…", NULL);
    stream_except(&stream, 3, "(<class 'E'>, E(\"q\"), <traceback object>)");
    stream_return(&stream, 3, "None");
    stream_end(&stream, TRACE_END_EXCEPTION, NULL, "E", "q\n", NULL);
}

#define TRACE_PROGRAM "def f(s, n):\n    x = 'a' * n\r\n\traise E(\"q\") # é"

static void render__cwm_is_the_formats_text(void **state)
{
    struct rendering t;

    (void)state;
    open_program(&t, TRACE_PROGRAM);
    write_trace();
    open_stream(&t);
    assert_int_equal(render_cwm(t.reader, t.source, &t.summary, &t.out, NULL),
                     CWM_OK);
    assert_string_equal(
        t.out.data,
        "<|begin_of_text|><|trace_context_start|>def f(s, n):\n"
        "    x = 'a' * n\n"
        "\traise E(\"q\") # é<|frame_sep|>"
        "<|call_sep|>{\"s\": \"'\\u00e9\\ud83d\\ude00'\", \"n\": \"2\"}"
        "<|action_sep|>def f(s, n):\n"
        "<|frame_sep|><|line_sep|>{\"s\": \"..\", \"n\": \"..\"}"
        "<|action_sep|>    x = 'a' * n\n"
        "<|frame_sep|><|line_sep|>{\"s\": \"..\", \"n\": \"..\", "
        "\"x\": \"aaa\\u2026\"}<|action_sep|>\traise E(\"q\") # é\n"
        "<|frame_sep|><|exception_sep|><|action_sep|>\traise E(\"q\") # é\n"
        "<|arg_sep|>\"(<class 'E'>, E(\\\"q\\\"), <traceback object>)\""
        "<|frame_sep|><|return_sep|><|action_sep|>\traise E(\"q\") # é\n"
        "<|arg_sep|>\"None\"<|frame_sep|><|end_of_text|>");
    close_program(&t);
}

#define JSON_HEAD                                                              \
    "{\"id\": \"job 1\", \"verdict\": \"ok\", \"detail\": null, "              \
    "\"python\": \"3.11.2\", \"entry\": \"f\", \"context\": "
#define JSON_CONTEXT                                                           \
    "\"def f(s, n):\\n    x = 'a' * n\\n\\traise E(\\\"q\\\") # \\u00e9\", "

static void render__json_has_the_formats_keys_in_order(void **state)
{
    struct rendering t;

    (void)state;
    open_program(&t, TRACE_PROGRAM);
    write_trace();
    open_stream(&t);
    check_json(
        &t, false,
        JSON_HEAD JSON_CONTEXT
        "\"frames\": [{\"event\": \"call\", \"line\": 1, \"depth\": 0, "
        "\"function\": \"f\", \"locals\": {\"s\": "
        "\"'\\u00e9\\ud83d\\ude00'\", \"n\": \"2\"}, "
        "\"source\": \"def f(s, n):\\n\", \"arg\": null}, "
        "{\"event\": \"line\", \"line\": 2, \"depth\": 0, "
        "\"function\": \"f\", \"locals\": {\"s\": \"..\", \"n\": \"..\"}, "
        "\"source\": \"    x = 'a' * n\\n\", \"arg\": null}, "
        "{\"event\": \"line\", \"line\": 3, \"depth\": 0, "
        "\"function\": \"f\", \"locals\": {\"s\": \"..\", \"n\": \"..\", "
        "\"x\": \"aaa\\u2026\"}, "
        "\"source\": \"\\traise E(\\\"q\\\") # \\u00e9\\n\", \"arg\": null}, "
        "{\"event\": \"exception\", \"line\": 3, \"depth\": 0, "
        "\"function\": \"f\", \"locals\": null, "
        "\"source\": \"\\traise E(\\\"q\\\") # \\u00e9\\n\", "
        "\"arg\": \"(<class 'E'>, E(\\\"q\\\"), <traceback object>)\"}, "
        "{\"event\": \"return\", \"line\": 3, \"depth\": 0, "
        "\"function\": \"f\", \"locals\": null, "
        "\"source\": \"\\traise E(\\\"q\\\") # \\u00e9\\n\", "
        "\"arg\": \"None\"}], "
        "\"result\": null, \"exception\": {\"type\": \"E\", \"message\": "
        "\"q\\n\"}, \"stdout\": \"\", \"stderr\": \"\", "
        "\"truncated_values\": 1, "
        "\"counts\": {\"frames\": 5, \"calls\": 1, \"lines\": 2}}\n");
    close_program(&t);
}

static void render__full_locals_tells_every_value(void **state)
{
    struct rendering t;

    (void)state;
    open_program(&t, TRACE_PROGRAM);
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, "n=..", NULL); /* a value, not a diff */
    stream_line(&stream, 2, "n", NULL);
    stream_end(&stream, TRACE_END_OK, "'r'", NULL, NULL, NULL);
    open_stream(&t);
    t.summary.id = NULL;
    t.summary.entry = NULL;
    t.summary.detail = "d\"";
    check_json(&t, true,
               "{\"id\": \"\", \"verdict\": \"ok\", \"detail\": \"d\\\"\", "
               "\"python\": \"3.11.2\", \"entry\": null, "
               "\"context\": " JSON_CONTEXT
               "\"frames\": [{\"event\": \"call\", \"line\": 1, \"depth\": 0, "
               "\"function\": \"f\", \"locals\": {\"n\": \"..\"}, "
               "\"source\": \"def f(s, n):\\n\", \"arg\": null}, "
               "{\"event\": \"line\", \"line\": 2, \"depth\": 0, "
               "\"function\": \"f\", \"locals\": {\"n\": \"..\"}, "
               "\"source\": \"    x = 'a' * n\\n\", \"arg\": null}], "
               "\"result\": \"'r'\", \"exception\": null, "
               "\"stdout\": \"\", \"stderr\": \"\", \"truncated_values\": 0, "
               "\"counts\": {\"frames\": 2, \"calls\": 1, \"lines\": 1}}\n");
    close_program(&t);
}

/* What was not run (no reader, no program) is a record without frames. */
static void render__works_without_a_run(void **state)
{
    struct trace_summary summary = {.verdict = "syntax_error"};
    struct rendering t;

    (void)state;
    memset(&t, 0, sizeof t);
    cwm_buf_init(&t.out, 1000);
    t.summary = summary;
    check_json(&t, false,
               "{\"id\": \"\", \"verdict\": \"syntax_error\", \"detail\": "
               "null, \"python\": null, \"entry\": null, \"context\": \"\", "
               "\"frames\": [], \"result\": null, \"exception\": null, "
               "\"stdout\": \"\", \"stderr\": \"\", \"truncated_values\": 0, "
               "\"counts\": {\"frames\": 0, \"calls\": 0, \"lines\": 0}}\n");
    cwm_buf_clear(&t.out);
    assert_int_equal(render_cwm(NULL, NULL, &summary, &t.out, NULL), CWM_OK);
    assert_string_equal(t.out.data, "<|begin_of_text|><|trace_context_start|>"
                                    "<|frame_sep|><|end_of_text|>");
    cwm_buf_release(&t.out);
}

/* As Python's bytes.decode("utf-8", "replace") gives it. */
static void render__output_is_decoded_as_python_replaces(void **state)
{
    static const struct {
        const char *bytes;
        const char *json;
    } cases[] = {
        {"caf\xC3\xA9 \xF0\x9F\x98\x80\n", "caf\\u00e9 \\ud83d\\ude00\\n"},
        {"a\x80z", "a\\ufffdz"},
        {"\xC3", "\\ufffd"},
        {"\xE2\x82z", "\\ufffdz"},
        {"\xF0\x9F\x98", "\\ufffd"},
        {"\xF0\x9F\x98z", "\\ufffdz"},
        {"\xED\xA0\x80", "\\ufffd\\ufffd\\ufffd"},
        {"\xE0\x80\x80", "\\ufffd\\ufffd\\ufffd"},
        {"\xC0\xAF", "\\ufffd\\ufffd"},
        {"\xF4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
        {"\xF5\x80", "\\ufffd\\ufffd"},
        {"\xFFok\xFE", "\\ufffdok\\ufffd"},
    };
    char want[512];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rendering t;

        open_program(&t, "");
        t.summary.stdout_data = (const uint8_t *)cases[i].bytes;
        t.summary.stdout_len = strlen(cases[i].bytes);
        snprintf(want, sizeof want,
                 JSON_HEAD "\"\", \"frames\": [], \"result\": null, "
                           "\"exception\": null, \"stdout\": \"%s\", "
                           "\"stderr\": \"\", \"truncated_values\": 0, "
                           "\"counts\": {\"frames\": 0, \"calls\": 0, "
                           "\"lines\": 0}}\n",
                 cases[i].json);
        check_json(&t, false, want);
        close_program(&t);
    }
}

/* Reserved strings in a program stay ordinary text. */
static void render__keeps_reserved_strings_of_the_program(void **state)
{
    struct rendering t;

    (void)state;
    open_program(&t, "x = '<|frame_sep|>'");
    stream_begin(&stream);
    stream_call(&stream, "<module>", 0, 1, NULL);
    stream_return(&stream, 1, "'<|arg_sep|>'");
    open_stream(&t);
    check_cwm_frames(&t, "<|call_sep|>{}<|action_sep|>x = '<|frame_sep|>'\n"
                         "<|frame_sep|><|return_sep|><|action_sep|>"
                         "x = '<|frame_sep|>'\n<|arg_sep|>\"'<|arg_sep|>'\""
                         "<|frame_sep|>");
    close_program(&t);
}

/* Few bytes of records can stand for many of text: the buffer's limit holds. */
static void render__stops_at_the_buffers_limit(void **state)
{
    struct render_options options = {0};
    struct rendering t;
    struct cwm_err err;
    unsigned i;

    (void)state;
    open_program(&t, "def f(s):\n    pass\n");
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, "s=a long text that is shown again", NULL);
    for (i = 1; i < 20000; i++) {
        stream_call(&stream, "f", i, 1, NULL);
        stream_return(&stream, 1, "");
        stream_line(&stream, 2, "s", NULL);
    }
    open_stream(&t);
    t.out.max_bytes = 100000;
    assert_int_equal(render_cwm_frames(t.reader, t.source, &t.out, &err),
                     CWM_LIMIT);
    assert_string_equal(err.message,
                        "the trace's text is larger than 100000 bytes");
    cwm_buf_clear(&t.out);
    assert_int_equal(
        render_json(t.reader, t.source, &t.summary, &options, &t.out, &err),
        CWM_LIMIT);
    cwm_buf_clear(&t.out);
    assert_int_equal(
        render_pretty(t.reader, t.source, &t.summary, &options, &t.out, &err),
        CWM_LIMIT);
    close_program(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(render__cwm_is_the_formats_text),
        cmocka_unit_test(render__json_has_the_formats_keys_in_order),
        cmocka_unit_test(render__full_locals_tells_every_value),
        cmocka_unit_test(render__works_without_a_run),
        cmocka_unit_test(render__output_is_decoded_as_python_replaces),
        cmocka_unit_test(render__keeps_reserved_strings_of_the_program),
        cmocka_unit_test(render__stops_at_the_buffers_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
