/* SPDX-License-Identifier: MIT */
/*
 * test_render_pretty.c -- the pretty form against render_pretty.plain and
 * render_pretty.colour beside this file.  CWM_UPDATE=1 writes them anew: look
 * at them (cat) before they are committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/support/stream.h"
#include "tracer/render.h"
#include "tracer/render_width.h"

static struct stream stream; /* large: not on the stack */

static const char program[] = "def gen(n):\n"            /* 1 */
                              "    for i in range(n):\n" /* 2 */
                              "        got = yield i\n"  /* 3 */
                              "\n"
                              "def down(n, text):\n"           /* 5 */
                              "    if n == 0:\n"               /* 6 */
                              "        raise ValueError(n)\n"  /* 7 */
                              "    return down(n - 1, text)\n" /* 8 */
                              "\n"
                              "def main():\n"                  /* 10 */
                              "    s = 'ab'\n"                 /* 11 */
                              "    xs = [x for x in gen(2)]\n" /* 12 */
                              "    xs.append('a long one')\n"  /* 13 */
                              "    del s\n"                    /* 14 */
                              "    def inner():\n"             /* 15 */
                              "        pass\n"                 /* 16 */
                              "    try:\n"                     /* 17 */
                              "        down(9, xs)\n"          /* 18 */
                              "    except ValueError as e:\n"  /* 19 */
                              "        return e\n";            /* 20 */

#define RAISED "(<class 'ValueError'>, ValueError(0), <traceback object>)"
#define LONG   "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18"

static void write_generator(void)
{
    stream_call(&stream, "main.<locals>.<listcomp>", 1, 12, ".0=<gen>", NULL);
    stream_line(&stream, 12, ".0", NULL);
    stream_call(&stream, "gen", 2, 1, "n=2", NULL);
    stream_line(&stream, 2, "n", NULL);
    stream_line(&stream, 3, "n", "i=0", NULL);
    stream_yield(&stream, 3, "0");
    stream_line(&stream, 12, ".0", "x=0", NULL);
    stream_call(&stream, "gen", 2, 3, "n", "i", NULL);
    stream_line(&stream, 2, "n", "i", "got=None", NULL);
    stream_return(&stream, 2, "None");
    stream_return(&stream, 12, "[0, 1]");
}

/* Ten levels down, more than there are guides for at 80 columns; and up. */
static void write_recursion(void)
{
    char number[16];
    unsigned i;

    for (i = 0; i < 10; i++) {
        snprintf(number, sizeof number, "n=%u", 9 - i);
        stream_call(&stream, "down", 3 + i, 5, number, "text=" LONG "]", NULL);
        stream_line(&stream, 6, "n", "text", NULL);
        stream_line(&stream, i < 9 ? 8 : 7, "n", "text", NULL);
    }
    for (i = 0; i < 10; i++) {
        stream_except(&stream, i > 0 ? 8 : 7, RAISED);
        stream_return(&stream, i > 0 ? 8 : 7, "None");
    }
}

static void write_trace(void)
{
    stream_begin(&stream);
    stream_call(&stream, "main", 0, 10, NULL);
    stream_line(&stream, 11, NULL);
    stream_line(&stream, 12, "s='ab'", NULL);
    write_generator();
    stream_line(&stream, 13, "s", "xs=" LONG "]", NULL);
    stream_line(&stream, 14, "s", "xs=" LONG ", 'a long one']", NULL);
    stream_line(&stream, 15, "xs", NULL);
    stream_line(&stream, 17, "xs", "inner=<function>", "w='漢字é'", NULL);
    stream_line(&stream, 18, "xs", "inner", "w='漢字e\u0301\x1b[2J\n\u202e'",
                NULL);
    write_recursion();
    stream_except(&stream, 18, RAISED);
    stream_line(&stream, 19, "xs", "inner", "w", NULL);
    stream_line(&stream, 20, "xs", "inner", "w", "e!ValueError(0…", NULL);
    stream_return(&stream, 20, "ValueError(0)");
    stream_end(&stream, TRACE_END_OK, "ValueError(0)", NULL, NULL, NULL);
}

/* The summary of a trace without frames. */
static void check_summary(const char *verdict, const char *detail,
                          const char *want)
{
    struct render_options options = {.columns = 40};
    struct trace_summary summary = {
        .verdict = verdict, .detail = detail, .python = "3.11.2"};
    struct trace_reader *r = NULL;
    struct source *s = NULL;
    struct cwm_buf out;

    cwm_buf_init(&out, 1u << 20);
    assert_int_equal(source_new("", 0, "p.py", &s, NULL), CWM_OK);
    assert_int_equal(trace_reader_new(stream.data, stream.len, 0, &r, NULL),
                     CWM_OK);
    assert_int_equal(render_pretty(r, s, &summary, &options, &out, NULL),
                     CWM_OK);
    assert_string_equal(out.data, want);
    trace_reader_free(r);
    source_free(s);
    cwm_buf_release(&out);
}

static void pretty__summary_tells_how_it_ended(void **state)
{
    (void)state;
    stream_begin(&stream);
    stream_end(&stream, TRACE_END_EXCEPTION, NULL, "KeyError", "'a\nb'", NULL);
    check_summary("exception", NULL,
                  "exception  KeyError: 'a\\nb'\n"
                  "        0 frames, 0 calls, 0 lines, CPy…\n");
    check_summary("exception", "why",
                  "exception  KeyError: 'a\\nb' (why)\n"
                  "        0 frames, 0 calls, 0 lines, CPy…\n");
    stream_begin(&stream);
    check_summary("crash", "SIGSEGV",
                  "crash   SIGSEGV\n"
                  "        0 frames, 0 calls, 0 lines, CPy…\n");
    stream_u8(&stream, 0xFF);
    check_summary("crash", NULL,
                  "crash\n"
                  "        0 frames, 0 calls, 0 lines, CPy…\n"
                  "        the records are damaged: byte 6…\n");
}

static void render(bool colour, uint32_t columns, struct cwm_buf *out)
{
    static const char printed[] = "one\ntwo\tthree\n\x1b[31mfour";
    struct render_options options = {.colour = colour, .columns = columns};
    struct trace_summary summary = {
        .verdict = "ok", .python = "3.11.2", .entry = "main"};
    struct source *s = NULL;
    struct trace_reader *r = NULL;

    summary.stdout_data = (const uint8_t *)printed;
    summary.stdout_len = sizeof printed - 1;
    cwm_buf_init(out, 1u << 20);
    assert_int_equal(source_new(program, sizeof program - 1, "p.py", &s, NULL),
                     CWM_OK);
    write_trace();
    assert_int_equal(
        trace_reader_new(stream.data, stream.len, source_n_lines(s), &r, NULL),
        CWM_OK);
    assert_string_equal(trace_reader_end(r)->damage, "");
    assert_int_equal(render_pretty(r, s, &summary, &options, out, NULL),
                     CWM_OK);
    trace_reader_free(r);
    source_free(s);
}

/* The stream as it stands, at 60 columns; ends with the summary. */
static void check_text(const uint8_t *printed, size_t printed_len,
                       const char *want)
{
    struct render_options options = {.columns = 60};
    struct trace_summary summary = {.verdict = "ok", .python = "3.11.2"};
    struct source *s = NULL;
    struct trace_reader *r = NULL;
    struct cwm_buf out;

    summary.stdout_data = printed;
    summary.stdout_len = printed_len;
    cwm_buf_init(&out, 1u << 20);
    assert_int_equal(source_new(program, sizeof program - 1, "p.py", &s, NULL),
                     CWM_OK);
    assert_int_equal(
        trace_reader_new(stream.data, stream.len, source_n_lines(s), &r, NULL),
        CWM_OK);
    assert_int_equal(render_pretty(r, s, &summary, &options, &out, NULL),
                     CWM_OK);
    assert_string_equal(out.data, want);
    trace_reader_free(r);
    source_free(s);
    cwm_buf_release(&out);
}

/* A `for` that ends by StopIteration, and the scope with it: no line between.
 * It is not left by the exception, which does not go on. */
static void pretty__tells_a_return_from_an_exception_that_goes_on(void **state)
{
    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "gen", 0, 1, "n=it", NULL);
    stream_line(&stream, 2, "n", NULL);
    stream_except(&stream, 2, "(<class 'StopIteration'>, None)");
    stream_return(&stream, 2, "None");
    stream_end(&stream, TRACE_END_OK, "None", NULL, NULL, NULL);
    check_text(NULL, 0,
               "  1 ╭─ gen(n=it)\n"
               "  2 │  for i in range(n):\n"
               "  2 │  ✗ (<class 'StopIteration'>, None)\n"
               "  2 ╰─ returns None\n"
               "\n"
               "ok      returned None\n"
               "        4 frames, 1 call, 1 line, CPython 3.11.2\n");
}

static void pretty__shortens_many_arguments_and_long_output(void **state)
{
    uint8_t printed[30];

    (void)state;
    memset(printed, '\n', sizeof printed);
    stream_begin(&stream);
    stream_call(&stream, "gen", 0, 1, "first=1", "second=[1, 2, 3, 4, 5, 6]",
                "third='a string'", "fourth={}", "fifth=5", "sixth=6", NULL);
    check_text(printed, sizeof printed,
               "  1 ╭─ gen(first=1, second=[1, 2, …, third='a stri…, …)\n"
               "\n"
               "ok\n"
               "        1 frame, 1 call, 0 lines, CPython 3.11.2\n"
               "stdout\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
               "        … and 10 bytes more\n");
}

/* Compare with the file of that name beside this one. */
static void check_file(const char *name, const struct cwm_buf *got)
{
    static char want[1u << 20];
    char path[4096];
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, "%s", __FILE__);
    snprintf(strrchr(path, '/') + 1, 64, "%s", name);
    if (getenv("CWM_UPDATE")) {
        f = fopen(path, "wb");
        assert_non_null(f);
        fwrite(got->data, 1, got->len, f);
        fclose(f);
    }
    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(want, 1, sizeof want - 1, f);
    fclose(f);
    want[n] = '\0';
    assert_string_equal(got->data, want);
}

static void pretty__is_as_recorded(void **state)
{
    struct cwm_buf out;

    (void)state;
    render(false, 80, &out);
    check_file("render_pretty.plain", &out);
    cwm_buf_release(&out);
    render(true, 80, &out);
    check_file("render_pretty.colour", &out);
    cwm_buf_release(&out);
}

/* Nothing but colours is different, and nothing else a terminal obeys. */
static void pretty__colours_add_nothing_but_colours(void **state)
{
    struct cwm_buf plain;
    struct cwm_buf colour;
    size_t to = 0;
    size_t i;

    (void)state;
    render(false, 80, &plain);
    render(true, 80, &colour);
    for (i = 0; i < colour.len; i++) {
        if (colour.data[i] == '\x1b') {
            assert_int_equal(colour.data[i + 1], '[');
            i += strcspn(colour.data + i, "m");
            continue;
        }
        colour.data[to++] = colour.data[i];
    }
    colour.data[to] = '\0';
    assert_null(strchr(plain.data, '\x1b'));
    assert_string_equal(colour.data, plain.data);
    cwm_buf_release(&plain);
    cwm_buf_release(&colour);
}

static void check_rows(const struct cwm_buf *out, uint32_t columns)
{
    const char *row = out->data;
    const char *end;

    while ((end = strchr(row, '\n')) != NULL) {
        size_t len = (size_t)(end - row);

        if (render__columns(row, len, 1000) > columns) {
            fail_msg("over %u columns: %.*s", columns, (int)len, row);
        }
        row = end + 1;
    }
    assert_string_equal(row, "");
}

static void pretty__no_row_is_wider_than_the_terminal(void **state)
{
    uint32_t columns;

    (void)state;
    for (columns = 40; columns <= 160; columns++) {
        struct cwm_buf out;

        render(false, columns, &out);
        check_rows(&out, columns);
        cwm_buf_release(&out);
    }
}

static void pretty__cuts_nothing_without_a_width(void **state)
{
    struct cwm_buf out;

    (void)state;
    render(false, 0, &out);
    assert_non_null(strstr(out.data, LONG ", 'a long one']"));
    cwm_buf_release(&out);
}

static void width__counts_what_a_terminal_shows(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
        const char *cut_to_5;
    } cases[] = {
        {"abc", 3, "abc"},
        {"abcde", 5, "abcde"},
        {"abcdef", 6, "abcd…"},
        {"漢字漢", 6, "漢字…"},
        {"a漢字漢", 7, "a漢…"}, /* a wide one does not fit into one column */
        {"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"},
        {"\n\t\r", 6, "\\n\\t…"},
        {"\x1b[2J", 7, "\\x1b…"},
        {"\u202eabc", 9, "…"}, /* an escape is not cut */
        {"\xED\xA0\x80", 6, "…"},
        {"\u200e\u2028", 12, "…"},
    };
    struct cwm_buf out;
    size_t i;

    (void)state;
    cwm_buf_init(&out, 1000);
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = strlen(cases[i].text);
        size_t columns;

        assert_int_equal(render__columns(cases[i].text, len, 1000),
                         cases[i].columns);
        cwm_buf_clear(&out);
        columns = render__add_shown(&out, cases[i].text, len, 5);
        assert_string_equal(out.data, cases[i].cut_to_5);
        assert_int_equal(render__columns(out.data, out.len, 1000), columns);
    }
    cwm_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pretty__is_as_recorded),
        cmocka_unit_test(pretty__summary_tells_how_it_ended),
        cmocka_unit_test(pretty__tells_a_return_from_an_exception_that_goes_on),
        cmocka_unit_test(pretty__shortens_many_arguments_and_long_output),
        cmocka_unit_test(pretty__colours_add_nothing_but_colours),
        cmocka_unit_test(pretty__no_row_is_wider_than_the_terminal),
        cmocka_unit_test(pretty__cuts_nothing_without_a_width),
        cmocka_unit_test(width__counts_what_a_terminal_shows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
