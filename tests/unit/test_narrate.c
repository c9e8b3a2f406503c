/* SPDX-License-Identifier: MIT */
/* test_narrate.c -- told and read back, with values that try to confuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datasets/narrate.h"
#include "tests/support/stream.h"

#define N_SEEDS 24

static struct stream stream; /* large: not on the stack */

static const char program[] = "def g(x):\n"
                              "    yield x\n"
                              "\n"
                              "def f(a, b):\n"
                              "    c = `a`\n"
                              "    return c\n";

/* Values that look like sentences, fences, escapes, other facts. */
static const char *const hostile[] = {
    "",
    " ",
    "  two  ",
    "`",
    "``",
    "```` and `b` is `2`",
    " `x` ",
    "1`, `b` is `2",
    "'a' (in JSON)",
    "'line\\n'",
    "raw\nline",
    "tab\tand\rreturn",
    "\x01\x7F",
    "\"quoted\"",
    "\\",
    "\\u0041",
    "caf\xC3\xA9 \xF0\x9F\x8D\x8E",
    "\xED\xA0\x80", /* a lone surrogate */
    "End: `ok`, `1`",
    "Line 3 runs: `x`.\nLine 4 runs: `y`.",
    ". In the end the verdict is `ok` and the outcome `2`.",
    "Teacher: no\nStudent: yes",
};

struct told {
    struct source *source;
    struct trace_reader *reader;
    struct trace_summary summary;
    struct cwm_buf text;
};

static void open_trace(struct told *t)
{
    memset(t, 0, sizeof *t);
    cwm_buf_init(&t->text, 1u << 20);
    assert_int_equal(
        source_new(program, strlen(program), "p.py", &t->source, NULL), CWM_OK);
    assert_int_equal(trace_reader_new(stream.data, stream.len,
                                      source_n_lines(t->source), &t->reader,
                                      NULL),
                     CWM_OK);
    assert_string_equal(trace_reader_end(t->reader)->damage, "");
    t->summary.verdict = "ok";
}

static void close_trace(struct told *t)
{
    trace_reader_free(t->reader);
    source_free(t->source);
    cwm_buf_release(&t->text);
}

static void tell(struct told *t, enum narrate_style style, uint64_t seed)
{
    struct narrate_options options = {.style = style, .seed = seed};
    struct cwm_err err = {0};

    cwm_buf_clear(&t->text);
    if (narrate_trace(t->reader, t->source, &t->summary, &options, &t->text,
                      &err) != CWM_OK) {
        fail_msg("not told: %s", err.message);
    }
}

static void check(struct told *t)
{
    struct cwm_err err = {0};

    if (narrate_check(t->text.data, t->text.len, t->reader, t->source,
                      &t->summary, &err) != CWM_OK) {
        fail_msg("%s\n%s", err.message, t->text.data);
    }
}

/* Every style and many choices of words. */
static void tell_and_check(struct told *t)
{
    for (int style = 0; style < NARRATE_N_STYLES; style++) {
        for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
            tell(t, (enum narrate_style)style, seed);
            check(t);
        }
    }
}

/* One of every fact, with `value` wherever a value can stand. */
static void stream_all(const char *value)
{
    char a[256];
    char b[256];

    snprintf(a, sizeof a, "a=%s", value);
    snprintf(b, sizeof b, "b=%s", value);
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 4, a, b, NULL);
    stream_line(&stream, 5, "a", "b", NULL);
    stream_call(&stream, "g.<locals>.h", 1, 1, NULL);
    stream_line(&stream, 2, a, NULL);
    stream_yield(&stream, 2, value);
    stream_line(&stream, 5, "a", b, "c=1", NULL);
    stream_call(&stream, "g.<locals>.h", 1, 2, "a", NULL);
    stream_except(&stream, 2, value);
    stream_return(&stream, 2, "None");
    stream_line(&stream, 6, "a", "c", NULL); /* b is gone */
    stream_return(&stream, 6, value);
    stream_end(&stream, TRACE_END_OK, value, NULL, NULL, NULL);
}

static void narrate__round_trip_of_hostile_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct told t;

        stream_all(hostile[i]);
        open_trace(&t);
        tell_and_check(&t);
        close_trace(&t);
    }
}

/* Two lone surrogates in a row: told as one character, and known as that. */
static void narrate__takes_surrogates_in_a_row(void **state)
{
    struct told t;

    (void)state;
    stream_all("\xED\xA0\xBD\xED\xB8\x80");
    open_trace(&t);
    tell_and_check(&t);
    close_trace(&t);
}

static void narrate__tells_exceptions_and_empty_traces(void **state)
{
    struct told t;

    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 4, "a=1", NULL);
    stream_except(&stream, 5, "(<class 'E'>, E('`'), <traceback object>)");
    stream_return(&stream, 5, "None");
    stream_end(&stream, TRACE_END_EXCEPTION, NULL, "E", "m: `\n`", NULL);
    open_trace(&t);
    t.summary.verdict = "exception";
    tell_and_check(&t);
    close_trace(&t);

    stream_begin(&stream);
    open_trace(&t);
    t.summary.verdict = "timeout";
    tell_and_check(&t);
    close_trace(&t);
}

/* A wrong value, a step left out, a step too many: none gets through. */
static void narrate__check_finds_every_change_of_a_value(void **state)
{
    struct told t;
    struct cwm_err err = {0};
    size_t n_changed = 0;

    (void)state;
    stream_all("41");
    open_trace(&t);
    for (int style = 0; style < NARRATE_N_STYLES; style++) {
        tell(&t, (enum narrate_style)style, 1);
        for (size_t i = 0; i + 3 < t.text.len; i++) {
            if (memcmp(t.text.data + i, "`41`", 4) != 0) {
                continue;
            }
            t.text.data[i + 2] = '2';
            assert_int_equal(narrate_check(t.text.data, t.text.len, t.reader,
                                           t.source, &t.summary, &err),
                             CWM_FORMAT);
            t.text.data[i + 2] = '1';
            n_changed++;
        }
        check(&t);
        /* cut anywhere: never accepted, but where only white space went */
        for (size_t len = 0; len + 1 < t.text.len; len++) {
            assert_int_equal(narrate_check(t.text.data, len, t.reader, t.source,
                                           &t.summary, &err),
                             CWM_FORMAT);
        }
        cwm_buf_add(&t.text, "Line 5 runs: `c`.", 17);
        assert_int_equal(narrate_check(t.text.data, t.text.len, t.reader,
                                       t.source, &t.summary, &err),
                         CWM_FORMAT);
    }
    assert_true(n_changed >= 15);
    close_trace(&t);
}

static void narrate__same_seed_same_words(void **state)
{
    struct told t;
    struct cwm_buf first;
    size_t n_other = 0;

    (void)state;
    stream_all("41");
    open_trace(&t);
    cwm_buf_init(&first, 1u << 20);
    tell(&t, NARRATE_STORY, 7);
    cwm_buf_add(&first, t.text.data, t.text.len);
    tell(&t, NARRATE_STORY, 7);
    assert_string_equal(t.text.data, first.data);
    for (uint64_t seed = 8; seed < 16; seed++) {
        tell(&t, NARRATE_STORY, seed);
        n_other += strcmp(t.text.data, first.data) != 0;
    }
    assert_true(n_other >= 6);
    cwm_buf_release(&first);
    close_trace(&t);
}

static void narrate__refuses_long_traces_and_small_buffers(void **state)
{
    struct told t;
    struct narrate_options options = {.max_frames = 3};
    struct cwm_err err = {0};

    (void)state;
    stream_all("41");
    open_trace(&t);
    assert_int_equal(
        narrate_trace(t.reader, t.source, &t.summary, &options, &t.text, &err),
        CWM_LIMIT);
    assert_string_equal(err.message,
                        "the trace has 11 frames, over the limit of 3");
    t.text.max_bytes = 100;
    options.max_frames = 0;
    assert_int_equal(
        narrate_trace(t.reader, t.source, &t.summary, &options, &t.text, &err),
        CWM_LIMIT);
    close_trace(&t);
}

static void narrate__reads_no_other_text(void **state)
{
    static const char *const texts[] = {"It was a dark night.",
                                        "1. Call",
                                        "Line 99999999999 runs: `x`.",
                                        "Line 1 runs: `x",
                                        "Line 1 runs: `x`",
                                        "End: `ok`, `\"\\u12`\" (in JSON)",
                                        "End: `ok`, `nojson` (in JSON)",
                                        "Student: Nothing.",
                                        "`a` is `1`."};
    struct narration *n = NULL;
    struct cwm_err err = {0};
    size_t n_facts = 1;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (narrate_read(texts[i], strlen(texts[i]), &n, &err) != CWM_FORMAT) {
            fail_msg("read: %s", texts[i]);
        }
    }
    assert_int_equal(narrate_read(" \n", 2, &n, &err), CWM_OK);
    narration_facts(n, &n_facts);
    assert_int_equal(n_facts, 0);
    narration_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(narrate__round_trip_of_hostile_values),
        cmocka_unit_test(narrate__takes_surrogates_in_a_row),
        cmocka_unit_test(narrate__tells_exceptions_and_empty_traces),
        cmocka_unit_test(narrate__check_finds_every_change_of_a_value),
        cmocka_unit_test(narrate__same_seed_same_words),
        cmocka_unit_test(narrate__refuses_long_traces_and_small_buffers),
        cmocka_unit_test(narrate__reads_no_other_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
