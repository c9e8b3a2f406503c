/* SPDX-License-Identifier: MIT */
/* test_predicted.c -- predicted texts read: whole, broken, cut, hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cwm/base/alloc.h"
#include "cwm/base/buf.h"
#include "eval/predicted.h"

#define HEAD                                                                   \
    "<|begin_of_text|><|trace_context_start|>def f(a):  # << "                 \
    "START_OF_TRACE\n    return a\n<|frame_sep|>"
#define CALL "<|call_sep|>{\"a\": \"1\"}<|action_sep|>def f(a):\n<|frame_sep|>"
#define LINE                                                                   \
    "<|line_sep|>{\"a\": \"..\"}<|action_sep|>    return a\n<|frame_sep|>"
#define RETURN                                                                 \
    "<|return_sep|><|action_sep|>    return a\n<|arg_sep|>\"1\"<|frame_sep|>"
#define END "<|end_of_text|>"

static struct predicted parse_with(const char *text, const char *context)
{
    struct predicted p = {0};

    assert_int_equal(predicted_parse(text, strlen(text), context,
                                     context ? strlen(context) : 0, &p, NULL),
                     CWM_OK);
    return p;
}

static struct predicted parse(const char *text)
{
    return parse_with(text, NULL);
}

static bool is(const struct predicted_text *text, const char *want)
{
    return text->text && text->len == strlen(want) &&
           memcmp(text->text, want, text->len) == 0;
}

static void text__is_read_with_and_without_its_ends(void **state)
{
    static const char *const texts[] = {
        HEAD CALL LINE RETURN END,
        CALL LINE RETURN END,
        HEAD CALL LINE RETURN,
        CALL LINE RETURN,
        HEAD CALL LINE RETURN END "\n",
        CALL LINE RETURN "\n",
        "<|begin_of_text|><|trace_context_start|>s = '<|frame_sep|>'\n"
        "<|frame_sep|>" CALL LINE RETURN END,
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct predicted p = parse(texts[i]);
        const struct predicted_frame *f = p.frames;

        if (!p.whole || p.n_frames != 3) {
            fail_msg("%s: %zu frames, %s at %zu", texts[i], p.n_frames,
                     p.broken_why, p.broken_at);
        }
        assert_int_equal(p.is_finished, strstr(texts[i], END) != NULL);
        assert_int_equal(f[0].event, TRACE_CALL);
        assert_int_equal(f[0].n_locals, 1);
        assert_true(is(&predicted_locals(&p, &f[0])->name, "a"));
        assert_true(is(&predicted_locals(&p, &f[0])->value, "1"));
        assert_true(is(&f[0].source, "def f(a):"));
        assert_int_equal(f[1].event, TRACE_LINE);
        assert_true(is(&predicted_locals(&p, &f[1])->value, ".."));
        assert_null(f[1].arg.text);
        assert_int_equal(f[2].event, TRACE_RETURN);
        assert_false(f[2].has_locals);
        assert_true(is(&f[2].arg, "1"));
        assert_int_equal(predicted_open_scopes(&p), 0);
        predicted_release(&p);
    }
}

/* What stands in values and in the program is no token. */
static void text__may_hold_the_names_of_tokens(void **state)
{
    static const char line[] = "    s = '<|frame_sep|><|line_sep|>{}'";
    char text[1000];
    char context[1000];
    struct predicted p;

    (void)state;
    snprintf(context, sizeof context, "x\n%s\ny\n", line);
    snprintf(text, sizeof text,
             "<|line_sep|>{\"s\": \"<|action_sep|>\\n<|frame_sep|>\"}"
             "<|action_sep|>%s\n<|frame_sep|>"
             "<|return_sep|><|action_sep|>%s\n<|arg_sep|>\"<|end_of_text|>\""
             "<|frame_sep|>",
             line, line);
    p = parse_with(text, context);
    assert_true(p.whole);
    assert_int_equal(p.n_frames, 2);
    assert_true(is(&p.frames[1].source, line));
    assert_true(is(&p.frames[1].arg, "<|end_of_text|>"));
    predicted_release(&p);
    /* Nobody knows the program: rather a line break that is missing. */
    p = parse(text);
    assert_false(p.whole);
    predicted_release(&p);
}

/* One frame is broken; the ones round it are read. */
static void break__costs_its_frame_only(void **state)
{
    static const struct {
        const char *frame;
        bool has_locals, source_ended;
        const char *source, *arg, *why;
    } cases[] = {
        {"<|line_sep|>{\"a\": 1<|action_sep|>    x\n<|frame_sep|>", false, true,
         "    x", NULL, "locals"},
        {"<|line_sep|>{\"a\": \"1}<|action_sep|>    x\n<|frame_sep|>", false,
         true, "    x", NULL, "locals"},
        {"<|line_sep|>{\"a\": 1}<|action_sep|>    x\n<|frame_sep|>", true, true,
         "    x", NULL, "a local's value"},
        {"<|line_sep|>[]<|action_sep|>    x\n<|frame_sep|>", false, true,
         "    x", NULL, "locals"},
        {"<|line_sep|><|action_sep|>    x\n<|frame_sep|>", false, true, "    x",
         NULL, "locals"},
        {"<|line_sep|>{\"a\": \"1\"} <|action_sep|>    x\n<|frame_sep|>", true,
         true, "    x", NULL, "action"},
        {"<|line_sep|>{\"a\": \"1\"}<|frame_sep|>", true, false, NULL, NULL,
         "action"},
        {"<|line_sep|>{\"a\": \"1\"}<|action_sep|>    x<|frame_sep|>", true,
         false, "    x", NULL, "source line"},
        {"<|line_sep|>{\"a\": \"1\"}<|action_sep|>    x\ny\n<|frame_sep|>",
         true, false, "    x\ny\n", NULL, "source line"},
        {"<|line_sep|>{\"a\": \"1\"}<|action_sep|>    "
         "x\n<|arg_sep|>\"2\"<|frame_sep|>",
         true, true, "    x", "2", "no argument"},
        {"<|return_sep|><|action_sep|>    x\n<|frame_sep|>", false, true,
         "    x", NULL, "argument"},
        {"<|return_sep|><|action_sep|>    x\n<|arg_sep|>1<|frame_sep|>", false,
         true, "    x", NULL, "value"},
        {"<|return_sep|>{}<|action_sep|>    x\n<|arg_sep|>\"1\"<|frame_sep|>",
         false, true, "    x", "1", "action"},
        {"<|return_sep|><|action_sep|>    x\n<|arg_sep|>\"1\" <|frame_sep|>",
         false, true, "    x", "1", "end of a frame"},
        {"<|frame_sep|>", false, false, NULL, NULL, "frame was expected"},
        {"some text<|frame_sep|>", false, false, NULL, NULL,
         "frame was expected"},
        {"<|trace_context_start|>x<|frame_sep|>", false, false, NULL, NULL,
         "frame was expected"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2000];
        struct predicted p;
        const struct predicted_frame *f;

        snprintf(text, sizeof text, "%s%s%s", HEAD CALL, cases[i].frame,
                 RETURN END);
        p = parse(text);
        if (p.whole || p.n_frames != 3 || !p.is_finished ||
            !strstr(p.broken_why, cases[i].why)) {
            fail_msg("%s: %zu frames, %s at %zu", cases[i].frame, p.n_frames,
                     p.broken_why, p.broken_at);
        }
        f = &p.frames[1];
        assert_true(p.frames[0].whole && !f->whole && p.frames[2].whole);
        assert_int_equal(f->has_locals, cases[i].has_locals);
        assert_int_equal(f->source_ended, cases[i].source_ended);
        if (cases[i].source && !is(&f->source, cases[i].source)) {
            fail_msg("%s: source '%.*s'", cases[i].frame, (int)f->source.len,
                     f->source.text);
        }
        assert_int_equal(f->arg.text != NULL, cases[i].arg != NULL);
        assert_true(!cases[i].arg || is(&f->arg, cases[i].arg));
        predicted_release(&p);
    }
}

static void text__that_is_no_trace_breaks(void **state)
{
    static const char *const texts[] = {
        "",
        "\n",
        END,
        HEAD,
        "hello",
        "<|begin_of_text|>",
        "<|trace_context_start|>",
        CALL LINE RETURN END "x",
        CALL LINE RETURN END END,
        CALL LINE RETURN "\n\n",
        ("x" CALL),
        "\xff\xfe\x80",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct predicted p = parse(texts[i]);

        if (p.whole || !p.broken_why) {
            fail_msg("whole: %s", texts[i]);
        }
        predicted_release(&p);
    }
}

/* Of a text cut at any byte the frames in front are whole. */
static void text__may_be_cut_at_every_byte(void **state)
{
    static const char text[] = HEAD CALL LINE
        "<|exception_sep|><|action_sep|>    a\xc3\xa9\n<|arg_sep|>\"\\ud83d"
        "\\ude00\"<|frame_sep|>" RETURN END;
    size_t last = 0;

    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        char *exact = cwm_malloc(n); /* owned: ASan sees its end */
        struct predicted p = {0};
        bool in_head = n < sizeof HEAD - 1;
        bool at_end = n > sizeof HEAD - 1 &&
                      strncmp(&text[n - 13], "<|frame_sep|>", 13) == 0;

        memcpy(exact, text, n);
        assert_int_equal(predicted_parse(exact, n, NULL, 0, &p, NULL), CWM_OK);
        for (size_t i = 0; i + 1 < p.n_frames; i++) {
            assert_true(p.frames[i].whole);
        }
        if (p.whole != (at_end || n == sizeof text - 1)) {
            fail_msg("%zu bytes: %d, %s", n, p.whole, p.broken_why);
        }
        /* a part of the end's token counts as one more frame */
        assert_true(in_head || p.is_finished || p.n_frames >= last);
        last = in_head ? 0 : p.n_frames;
        predicted_release(&p);
        cwm_free(exact);
    }
    assert_int_equal(last, 4);
}

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Texts made to be read again and again: the time grows as their length. */
static void text__is_read_in_linear_time(void **state)
{
    static const char *const pieces[] = {
        "<|line_sep|>{\"",
        "<|line_sep|>{\"a\":\"b<|action_sep|>x<|frame_sep|>",
        "<|line_sep|>{\",\":\"<|action_sep|>x<|frame_sep|>",
        "<|line_sep|>{}<|action_sep|>x<|frame_sep|>",
        "<|line_sep|>{}<|action_sep|>",
        "<|action_sep|>",
        "<|frame_sep|>",
        "<|return_sep|><|action_sep|>x\n<|arg_sep|>\"",
        "<|line_sep|>{\"a\":[[[[[[[[",
        "<|trace_context_start|>",
        "<|frame_sep|>x",
    };
    static const char pads[] = " \n\"";

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        for (size_t k = 0; k < sizeof pads; k++) {
            struct cwm_buf text;
            struct predicted p = {0};
            double start = cpu_seconds();

            cwm_buf_init(&text, 4 << 20);
            cwm_buf_adds(&text, k % 2 ? "<|trace_context_start|>" : "");
            while (text.len < 512 << 10) {
                cwm_buf_adds(&text, pieces[i]);
            }
            cwm_buf_addc(&text, pads[k]);
            assert_int_equal(
                predicted_parse(text.data, text.len, "x\n", 2, &p, NULL),
                CWM_OK);
            predicted_release(&p);
            cwm_buf_release(&text);
            if (cpu_seconds() - start > 5) {
                fail_msg("%s takes %.1f s", pieces[i], cpu_seconds() - start);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text__is_read_with_and_without_its_ends),
        cmocka_unit_test(text__may_hold_the_names_of_tokens),
        cmocka_unit_test(break__costs_its_frame_only),
        cmocka_unit_test(text__that_is_no_trace_breaks),
        cmocka_unit_test(text__may_be_cut_at_every_byte),
        cmocka_unit_test(text__is_read_in_linear_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
