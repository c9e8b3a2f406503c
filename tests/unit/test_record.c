/* SPDX-License-Identifier: MIT */
/* test_record.c -- the reader of records: what it gives, what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/support/stream.h"
#include "tracer/record.h"
#include "tracer/source.h"

#define N_LINES 40

static struct stream stream; /* large: not on the stack */
static struct dump dump;

/* Read data[0..len) into `d`, one frame a line; the end is copied. */
static void read_bytes(const uint8_t *data, size_t len, struct dump *d,
                       struct trace_end *ret_end)
{
    struct trace_reader *r = NULL;
    struct trace_frame frame;
    struct cwm_err err;
    bool more = true;
    uint64_t n = 0;

    d->len = 0;
    d->text[0] = '\0';
    assert_int_equal(trace_reader_new(data, len, N_LINES, &r, &err), CWM_OK);
    for (;;) {
        assert_int_equal(trace_reader_next(r, &frame, &more, &err), CWM_OK);
        if (!more) {
            break;
        }
        dump_frame(d, &frame);
        n++;
    }
    *ret_end = *trace_reader_end(r);
    assert_int_equal(n, ret_end->n_frames);
    trace_reader_free(r);
}

/* The stream must be sound and give these frames. */
static struct trace_end check_frames(const char *want)
{
    struct trace_end end;

    read_bytes(stream.data, stream.len, &dump, &end);
    assert_string_equal(end.damage, "");
    assert_false(end.damaged);
    assert_string_equal(dump.text, want);
    return end;
}

/* The stream must end in damage: a message that holds `what`. */
static void check_damage(const char *what)
{
    struct trace_end end;

    read_bytes(stream.data, stream.len, &dump, &end);
    assert_true(end.damaged);
    assert_int_equal(end.reason, TRACE_END_NONE);
    if (!strstr(end.damage, what)) {
        fail_msg("damage is \"%s\", not \"%s\"", end.damage, what);
    }
}

/* ---- what it gives ---- */

static void record__shows_a_value_as_same_when_its_text_is(void **state)
{
    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, "n=3", NULL);
    stream_line(&stream, 2, "n", NULL);
    stream_line(&stream, 3, "n=4", "m=..", NULL);
    stream_line(&stream, 4, "n=4", "m", NULL); /* text again, but the same */
    stream_return(&stream, 4, "None");
    stream_end(&stream, TRACE_END_OK, "None", NULL, NULL, NULL);
    check_frames("call 1 d0 f#0 n=3*\n"
                 "line 2 d0 f#0 n=3:..\n"
                 "line 3 d0 f#0 n=4* m=..*\n"
                 "line 4 d0 f#0 n=4:.. m=..:..\n"
                 "return 4 d0 f#0 -> None\n");
}

static void record__shows_all_when_a_callee_was_left(void **state)
{
    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "main", 0, 5, "a=1", NULL);
    stream_line(&stream, 6, "a", NULL);
    stream_call(&stream, "g", 1, 1, NULL);
    stream_line(&stream, 2, NULL);
    stream_return(&stream, 2, "7");
    stream_call(&stream, "g", 2, 1, NULL);
    stream_return(&stream, 2, "8");
    stream_line(&stream, 7, "a", "b=8", NULL);
    stream_line(&stream, 8, "a", "b", NULL);
    stream_return(&stream, 8, "None");
    check_frames("call 5 d0 main#0 a=1*\n"
                 "line 6 d0 main#0 a=1:..\n"
                 "call 1 d1 g#1\n"
                 "line 2 d1 g#1\n"
                 "return 2 d1 g#1 -> 7\n"
                 "call 1 d1 g#2\n"
                 "return 2 d1 g#2 -> 8\n"
                 "line 7 d0 main#0 a=1 b=8*\n"
                 "line 8 d0 main#0 a=1:.. b=8:..\n"
                 "return 8 d0 main#0 -> None\n");
}

static void record__keeps_the_diff_over_an_exception(void **state)
{
    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, "s='x'", NULL);
    stream_line(&stream, 2, "s", NULL);
    stream_except(&stream, 2, "(<class 'E'>, E(), <traceback object>)");
    stream_line(&stream, 3, "s", NULL);
    stream_call(&stream, "g", 1, 9, NULL);
    stream_except(&stream, 9, "(<class 'E'>, E(), <traceback object>)");
    stream_return(&stream, 9, "None");
    stream_except(&stream, 3, "(<class 'E'>, E(), <traceback object>)");
    stream_line(&stream, 4, "s", NULL); /* the first that shows state */
    stream_line(&stream, 5, "s", NULL);
    check_frames(
        "call 1 d0 f#0 s='x'*\n"
        "line 2 d0 f#0 s='x':..\n"
        "exception 2 d0 f#0 -> (<class 'E'>, E(), <traceback object>)\n"
        "line 3 d0 f#0 s='x':..\n"
        "call 9 d1 g#1\n"
        "exception 9 d1 g#1 -> (<class 'E'>, E(), <traceback object>)\n"
        "return 9 d1 g#1 -> None\n"
        "exception 3 d0 f#0 -> (<class 'E'>, E(), <traceback object>)\n"
        "line 4 d0 f#0 s='x'\n"
        "line 5 d0 f#0 s='x':..\n");
}

static void record__resumes_a_generator_with_its_values(void **state)
{
    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "main", 0, 9, NULL);
    stream_line(&stream, 10, NULL);
    stream_call(&stream, "gen", 1, 1, "n=2", NULL);
    stream_line(&stream, 2, "n", NULL);
    stream_yield(&stream, 2, "2");
    stream_line(&stream, 11, "x=2", NULL);
    stream_call(&stream, "gen", 1, 2, "n", NULL);
    stream_line(&stream, 3, "n", "sent=None", NULL);
    stream_return(&stream, 3, "None");
    stream_line(&stream, 12, "x", NULL);
    stream_return(&stream, 12, "2");
    check_frames("call 9 d0 main#0\n"
                 "line 10 d0 main#0\n"
                 "call 1 d1 gen#1 n=2*\n"
                 "line 2 d1 gen#1 n=2:..\n"
                 "return 2 d1 gen#1 suspended -> 2\n"
                 "line 11 d0 main#0 x=2*\n"
                 "call 2 d1 gen#1 resumed n=2\n"
                 "line 3 d1 gen#1 n=2:.. sent=None*\n"
                 "return 3 d1 gen#1 -> None\n"
                 "line 12 d0 main#0 x=2\n"
                 "return 12 d0 main#0 -> 2\n");
}

static void record__keeps_the_values_of_a_recursion_apart(void **state)
{
    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, "n=2", NULL);
    stream_line(&stream, 2, "n", NULL);
    stream_call(&stream, "f", 1, 1, "n=1", NULL);
    stream_line(&stream, 2, "n", NULL);
    stream_return(&stream, 2, "1");
    stream_line(&stream, 3, "n", "r=1", NULL);
    stream_return(&stream, 3, "2");
    check_frames("call 1 d0 f#0 n=2*\n"
                 "line 2 d0 f#0 n=2:..\n"
                 "call 1 d1 f#1 n=1*\n"
                 "line 2 d1 f#1 n=1:..\n"
                 "return 2 d1 f#1 -> 1\n"
                 "line 3 d0 f#0 n=2 r=1*\n"
                 "return 3 d0 f#0 -> 2\n");
}

static void record__follows_names_that_move_and_go(void **state)
{
    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, "a=1", "b=2", "c=3", NULL);
    stream_line(&stream, 2, "b", "c", "a", NULL);
    stream_line(&stream, 3, "c", NULL);
    stream_line(&stream, 4, "b=2", "c", NULL);
    check_frames("call 1 d0 f#0 a=1* b=2* c=3*\n"
                 "line 2 d0 f#0 b=2:.. c=3:.. a=1:..\n"
                 "line 3 d0 f#0 c=3:.. -b -a\n"
                 "line 4 d0 f#0 b=2* c=3:..\n");
}

static void record__switches_to_what_it_is_told(void **state)
{
    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "main", 0, 1, NULL);
    stream_call(&stream, "gen", 1, 2, "x=1", NULL);
    stream_yield(&stream, 2, "1");
    stream_switch(&stream, 1); /* thrown into, and no call was seen */
    stream_except(&stream, 2, "E");
    stream_return(&stream, 2, "None");
    stream_call(&stream, "g", 2, 3, NULL);
    stream_call(&stream, "h", 3, 4, NULL);
    stream_switch(&stream, 0); /* both are gone, and no return was seen */
    stream_return(&stream, 1, "0");
    check_frames("call 1 d0 main#0\n"
                 "call 2 d1 gen#1 x=1*\n"
                 "return 2 d1 gen#1 suspended -> 1\n"
                 "exception 2 d1 gen#1 -> E\n"
                 "return 2 d1 gen#1 -> None\n"
                 "call 3 d1 g#2\n"
                 "call 4 d2 h#3\n"
                 "return 1 d0 main#0 -> 0\n");
}

static void record__counts_what_was_cut(void **state)
{
    struct trace_end end;

    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, "a!xxx…", NULL);
    stream_line(&stream, 2, "a", "b!yyy…", NULL);
    stream_leave(&stream, TRACE_RECORD_EXCEPT, 2, TRACE_FLAG_CUT, "e…");
    stream_leave(&stream, TRACE_RECORD_RETURN, 2, TRACE_FLAG_CUT, "r…");
    end = check_frames("call 1 d0 f#0 a=xxx…*!\n"
                       "line 2 d0 f#0 a=xxx…:..! b=yyy…*!\n"
                       "exception 2 d0 f#0 -> e…!\n"
                       "return 2 d0 f#0 -> r…!\n");
    assert_int_equal(end.n_cut, 4);
    assert_int_equal(end.n_frames, 4);
    assert_int_equal(end.n_calls, 1);
    assert_int_equal(end.n_lines, 1);
}

static void record__gives_the_end_before_the_first_frame(void **state)
{
    struct trace_reader *r = NULL;
    const struct trace_end *end;

    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, NULL);
    stream_return(&stream, 1, "7");
    stream_end(&stream, TRACE_END_EXCEPTION, "7", "ValueError", "no", "1:2");
    assert_int_equal(
        trace_reader_new(stream.data, stream.len, N_LINES, &r, NULL), CWM_OK);
    end = trace_reader_end(r);
    assert_int_equal(end->reason, TRACE_END_EXCEPTION);
    assert_memory_equal(end->result, "7", end->result_len);
    assert_int_equal(end->exception_type_len, 10);
    assert_memory_equal(end->exception_type, "ValueError", 10);
    assert_memory_equal(end->exception_message, "no", 2);
    assert_memory_equal(end->detail, "1:2", 3);
    assert_int_equal(end->n_frames, 2);
    trace_reader_free(r);
}

static void record__ends_quietly_when_the_process_was_killed(void **state)
{
    struct trace_end end;

    (void)state;
    stream_begin(&stream);
    stream_commit(&stream);
    end = check_frames("");
    assert_int_equal(end.reason, TRACE_END_NONE);
    stream_call(&stream, "f", 0, 1, NULL);
    memset(stream.data + stream.len, 0xFF, 9); /* not committed */
    stream.len += 9;
    end = check_frames("call 1 d0 f#0\n");
    assert_int_equal(end.reason, TRACE_END_NONE);
}

static void record__takes_lone_surrogates_and_NUL(void **state)
{
    static const char text[] = "'\xED\xA0\x80\0'";

    (void)state;
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, NULL);
    stream_u8(&stream, TRACE_RECORD_RETURN);
    stream_v(&stream, 1);
    stream_u8(&stream, 0);
    stream_text(&stream, text, sizeof text - 1);
    check_frames("call 1 d0 f#0\n"
                 "return 1 d0 f#0 -> '\xED\xA0\x80\n");
}

/* ---- what it refuses ---- */

static void call_f(void)
{
    stream_begin(&stream);
    stream_call(&stream, "f", 0, 1, "a=1", NULL);
}

static void record__refuses_a_header_that_is_not_there(void **state)
{
    (void)state;
    call_f();
    stream.data[3] ^= 1;
    check_damage("header is not there");
    call_f();
    stream.len = 63;
    check_damage("header is not there");
    call_f();
    stream.data[8]++;
    check_damage("more is committed than fits");
    call_f();
    stream.data[15] = 0x80;
    check_damage("more is committed than fits");
}

static void record__refuses_numbers_too_long_or_too_large(void **state)
{
    int i;

    (void)state;
    call_f();
    stream_u8(&stream, TRACE_RECORD_LINE);
    stream_u8(&stream, 0x81);
    stream_u8(&stream, 0x00);
    check_damage("longer than it need be");
    call_f();
    stream_u8(&stream, TRACE_RECORD_LINE);
    for (i = 0; i < 9; i++) {
        stream_u8(&stream, 0xFF);
    }
    stream_u8(&stream, 0x02);
    check_damage("over 64 bits");
    call_f();
    stream_u8(&stream, TRACE_RECORD_NAME);
    stream_v(&stream, UINT64_MAX);
    check_damage("a text is cut off");
    call_f();
    stream_u8(&stream, TRACE_RECORD_LINE);
    stream_v(&stream, 1);
    stream_v(&stream, UINT64_MAX);
    check_damage("a record is cut off");
}

static void record__refuses_lines_that_the_program_lacks(void **state)
{
    (void)state;
    call_f();
    stream_line(&stream, 0, "a", NULL);
    check_damage("there is no line 0");
    call_f();
    stream_line(&stream, N_LINES + 1, "a", NULL);
    check_damage("there is no line 41");
    call_f();
    stream_line(&stream, N_LINES, "a", NULL);
    check_frames("call 1 d0 f#0 a=1*\nline 40 d0 f#0 a=1:..\n");
}

static void record__refuses_ids_that_were_not_defined(void **state)
{
    (void)state;
    call_f();
    stream_u8(&stream, TRACE_RECORD_CALL);
    stream_v(&stream, 1);
    check_damage("there is no function 1");
    call_f();
    stream_u8(&stream, TRACE_RECORD_LINE);
    stream_v(&stream, 1);
    stream_v(&stream, 1);
    stream_v(&stream, 1 << 2 | 1);
    check_damage("there is no name entry 5");
    call_f();
    stream_call(&stream, "f", 2, 1, NULL);
    check_damage("there is no activation 2");
    call_f();
    stream_switch(&stream, 1);
    check_damage("there is no activation 1");
}

static void record__refuses_entries_that_cannot_be(void **state)
{
    (void)state;
    call_f();
    stream_line(&stream, 1, "a", "a", NULL);
    check_damage("name 0 stands twice in a frame");
    call_f();
    stream_line(&stream, 1, "b", NULL);
    check_damage("name 1 with kind 0");
    call_f();
    stream_u8(&stream, TRACE_RECORD_LINE);
    stream_v(&stream, 1);
    stream_v(&stream, 1);
    stream_v(&stream, 2);
    check_damage("name 0 with kind 2");
    call_f();
    stream_call(&stream, "g", 1, 1, "a", NULL); /* new: nothing is the same */
    check_damage("name 0 with kind 0");
    call_f();
    stream_line(&stream, 1, NULL);
    stream_line(&stream, 1, "a", NULL); /* was unbound meanwhile */
    check_damage("name 0 with kind 0");
}

static void record__refuses_events_outside_every_call(void **state)
{
    (void)state;
    stream_begin(&stream);
    stream_line(&stream, 1, NULL);
    check_damage("record 0x11 outside every call");
    stream_begin(&stream);
    stream_return(&stream, 1, "None");
    check_damage("record 0x12 outside every call");
    call_f();
    stream_return(&stream, 1, "None");
    stream_except(&stream, 1, "None");
    check_damage("record 0x13 outside every call");
}

static void record__refuses_to_resume_what_is_not_suspended(void **state)
{
    (void)state;
    call_f();
    stream_call(&stream, "f", 0, 1, NULL);
    check_damage("activation 0 cannot be resumed"); /* active */
    call_f();
    stream_return(&stream, 1, "None");
    stream_call(&stream, "f", 0, 1, NULL);
    check_damage("activation 0 cannot be resumed"); /* over */
    call_f();
    stream_yield(&stream, 1, "None");
    stream_call(&stream, "g", 0, 1, NULL);
    check_damage("activation 0 cannot be resumed"); /* of another function */
    call_f();
    stream_return(&stream, 1, "None");
    stream_switch(&stream, 0);
    check_damage("activation 0 is over");
}

static void record__refuses_text_that_is_not_WTF_8(void **state)
{
    static const char *const texts[] = {
        "\x80",         "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xF4\x90\x80\x80",
        "12345678\xFF",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        call_f();
        stream_return(&stream, 1, texts[i]);
        check_damage("not in WTF-8");
    }
    call_f();
    stream_id(&stream, TRACE_RECORD_NAME, "\xFF", 1);
    check_damage("not in WTF-8");
    call_f();
    stream_end(&stream, TRACE_END_OK, "\xFF", NULL, NULL, NULL);
    check_damage("not in WTF-8");
}

static void record__refuses_what_no_record_is(void **state)
{
    (void)state;
    call_f();
    stream_u8(&stream, 0x7E);
    check_damage("there is no record 0x7e");
    call_f();
    stream_leave(&stream, TRACE_RECORD_RETURN, 1, 4, "None");
    check_damage("there are no flags 0x4 here");
    call_f();
    stream_leave(&stream, TRACE_RECORD_EXCEPT, 1, TRACE_FLAG_SUSPENDED, "x");
    check_damage("there are no flags 0x1 here");
    call_f();
    stream_end(&stream, (enum trace_end_reason)14, NULL, NULL, NULL, NULL);
    check_damage("there is no reason 14");
    call_f();
    stream_end(&stream, TRACE_END_NONE, NULL, NULL, NULL, NULL);
    check_damage("there is no reason 0");
    call_f();
    stream_end(&stream, TRACE_END_OK, NULL, NULL, NULL, NULL);
    stream_line(&stream, 1, "a", NULL);
    check_damage("records behind the end");
}

/* ---- damage at every place ---- */

/* A bit of everything. */
static void write_sample(void)
{
    stream_begin(&stream);
    stream_call(&stream, "main", 0, 12, NULL);
    stream_line(&stream, 13, NULL);
    stream_call(&stream, "<genexpr>", 1, 1, ".0=<list_iterator object>", NULL);
    stream_line(&stream, 2, ".0", "naïve='é😀'", NULL);
    stream_yield(&stream, 2, "[1, 2]");
    stream_line(&stream, 14, "x=1", "y!aaaa…", NULL);
    stream_call(&stream, "<genexpr>", 1, 2, ".0", "naïve", NULL);
    stream_except(&stream, 3, "(<class 'E'>, E(), <traceback object>)");
    stream_return(&stream, 3, "None");
    stream_except(&stream, 14, "(<class 'E'>, E(), <traceback object>)");
    stream_line(&stream, 15, "y", "x", NULL);
    stream_return(&stream, 15, "'..'");
    stream_end(&stream, TRACE_END_EXCEPTION, "'..'", "E", "why", "none");
}

static void record__gives_whole_frames_when_cut_at_any_byte(void **state)
{
    static struct dump part;
    struct trace_end end;
    size_t len;

    (void)state;
    write_sample();
    read_bytes(stream.data, stream.len, &dump, &end);
    assert_false(end.damaged);
    for (len = 0; len < stream.len; len++) {
        /* A copy of just this size: a read beyond it is seen by ASan. */
        uint8_t *data = malloc(len ? len : 1);

        assert_non_null(data);
        memcpy(data, stream.data, len);
        if (len >= TRACE_SHARED_HEADER_BYTES) {
            size_t committed = len - TRACE_SHARED_HEADER_BYTES;

            data[8] = (uint8_t)committed;
            data[9] = (uint8_t)(committed >> 8);
        }
        read_bytes(data, len, &part, &end);
        assert_memory_equal(part.text, dump.text, part.len);
        free(data);
    }
}

static void record__survives_any_byte_changed(void **state)
{
    static struct dump part;
    struct trace_end end;
    size_t i;
    int bit;

    (void)state;
    write_sample();
    for (i = 0; i < stream.len; i++) {
        for (bit = 0; bit < 8; bit++) {
            stream.data[i] ^= (uint8_t)(1 << bit);
            read_bytes(stream.data, stream.len, &part, &end);
            stream.data[i] ^= (uint8_t)(1 << bit);
        }
    }
}

/* Records that end in front of the changed byte are read as they were. */
static void record__keeps_the_frames_in_front_of_the_damage(void **state)
{
    static struct dump before;
    static struct dump after;
    struct trace_end end;
    size_t len;
    size_t i;

    (void)state;
    write_sample();
    len = stream.len;
    for (i = TRACE_SHARED_HEADER_BYTES; i < len; i++) {
        uint8_t kept = stream.data[i];

        stream.len = i;
        stream_commit(&stream);
        read_bytes(stream.data, i, &before, &end);
        stream.len = len;
        stream_commit(&stream);
        stream.data[i] = 0xFF;
        read_bytes(stream.data, len, &after, &end);
        stream.data[i] = kept;
        assert_true(after.len >= before.len);
        assert_memory_equal(after.text, before.text, before.len);
    }
}

/* Within every limit the frames that are given are the first ones. */
static void record__ends_the_trace_where_the_text_is_full(void **state)
{
    static struct dump all;
    static struct dump within;
    char text[N_LINES * 8 + 1] = "";
    struct source *source = NULL;
    struct trace_end end;
    uint64_t before = 0;
    uint64_t max;
    size_t i;

    (void)state;
    for (i = 0; i < N_LINES; i++) {
        memcpy(text + 8 * i, "x = 123\n", 9);
    }
    assert_int_equal(source_new(text, strlen(text), "sample.py", &source, NULL),
                     CWM_OK);
    write_sample();
    read_bytes(stream.data, stream.len, &all, &end);
    for (max = 0; max < 4000; max++) {
        struct trace_reader *r = NULL;
        const struct trace_end *cut;
        struct trace_frame frame;
        bool more = true;
        uint64_t n = 0;

        assert_int_equal(trace_reader_new_within(stream.data, stream.len,
                                                 source, max, &r, NULL),
                         CWM_OK);
        cut = trace_reader_end(r);
        within.len = 0;
        within.text[0] = '\0';
        while (trace_reader_next(r, &frame, &more, NULL) == CWM_OK && more) {
            dump_frame(&within, &frame);
            n++;
        }
        assert_int_equal(n, cut->n_frames);
        assert_true(n >= before);
        assert_memory_equal(within.text, all.text, within.len);
        assert_int_equal(cut->is_text_cut, n < end.n_frames);
        assert_int_equal(cut->reason,
                         n < end.n_frames ? TRACE_END_BYTE_LIMIT : end.reason);
        before = n;
        trace_reader_free(r);
    }
    assert_int_equal(before, end.n_frames);
    source_free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record__shows_a_value_as_same_when_its_text_is),
        cmocka_unit_test(record__shows_all_when_a_callee_was_left),
        cmocka_unit_test(record__keeps_the_diff_over_an_exception),
        cmocka_unit_test(record__resumes_a_generator_with_its_values),
        cmocka_unit_test(record__keeps_the_values_of_a_recursion_apart),
        cmocka_unit_test(record__follows_names_that_move_and_go),
        cmocka_unit_test(record__switches_to_what_it_is_told),
        cmocka_unit_test(record__counts_what_was_cut),
        cmocka_unit_test(record__gives_the_end_before_the_first_frame),
        cmocka_unit_test(record__ends_quietly_when_the_process_was_killed),
        cmocka_unit_test(record__takes_lone_surrogates_and_NUL),
        cmocka_unit_test(record__refuses_a_header_that_is_not_there),
        cmocka_unit_test(record__refuses_numbers_too_long_or_too_large),
        cmocka_unit_test(record__refuses_lines_that_the_program_lacks),
        cmocka_unit_test(record__refuses_ids_that_were_not_defined),
        cmocka_unit_test(record__refuses_entries_that_cannot_be),
        cmocka_unit_test(record__refuses_events_outside_every_call),
        cmocka_unit_test(record__refuses_to_resume_what_is_not_suspended),
        cmocka_unit_test(record__refuses_text_that_is_not_WTF_8),
        cmocka_unit_test(record__refuses_what_no_record_is),
        cmocka_unit_test(record__gives_whole_frames_when_cut_at_any_byte),
        cmocka_unit_test(record__survives_any_byte_changed),
        cmocka_unit_test(record__keeps_the_frames_in_front_of_the_damage),
        cmocka_unit_test(record__ends_the_trace_where_the_text_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
