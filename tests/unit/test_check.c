/* SPDX-License-Identifier: MIT */
/* test_check.c -- what no trace of a program can hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "eval/check.h"

static const char program[] = "def g(x):\n"
                              "    x += 1\n"
                              "    return x\n"
                              "\n"
                              "def f(a):\n"
                              "    b = g(a)\n"
                              "    return b\n";

/* What f(1) does. */
static const char *const frames[] = {
    "<|call_sep|>{\"a\": \"1\"}<|action_sep|>def f(a):\n<|frame_sep|>",
    "<|line_sep|>{\"a\": \"..\"}<|action_sep|>    b = g(a)\n<|frame_sep|>",
    "<|call_sep|>{\"x\": \"1\"}<|action_sep|>def g(x):\n<|frame_sep|>",
    "<|line_sep|>{\"x\": \"..\"}<|action_sep|>    x += 1\n<|frame_sep|>",
    "<|line_sep|>{\"x\": \"2\"}<|action_sep|>    return x\n<|frame_sep|>",
    "<|return_sep|><|action_sep|>    return x\n<|arg_sep|>\"2\"<|frame_sep|>",
    ("<|line_sep|>{\"a\": \"1\", \"b\": \"2\"}<|action_sep|>    return b\n"
     "<|frame_sep|>"),
    "<|return_sep|><|action_sep|>    return b\n<|arg_sep|>\"2\"<|frame_sep|>",
};

enum { N_FRAMES = sizeof frames / sizeof *frames };

static struct check_result check_text(const char *source, const char *entry,
                                      const char *text)
{
    struct check_input input = {.program = source,
                                .program_len = strlen(source),
                                .name = "p.py",
                                .entry = entry,
                                .text = text,
                                .text_len = strlen(text)};
    struct predicted p;
    struct check_result result;
    struct cwm_err err = {.message = ""};

    if (check_trace(&input, &p, &result, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    predicted_release(&p);
    return result;
}

/* The truth with frame `at` replaced. */
static void make_text(char *text, size_t size, int at, const char *frame)
{
    size_t used = 0;

    for (int i = 0; i < N_FRAMES; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s",
                                 i == at ? frame : frames[i]);
    }
}

static void assert_sound(const struct check_result *r, const char *what)
{
    if (r->n_problems > 0) {
        fail_msg("%s: frame %zu: %s", what, r->kept[0].frame, r->kept[0].what);
    }
}

static void truth__is_sound(void **state)
{
    char text[4000];
    struct check_result r;

    (void)state;
    make_text(text, sizeof text, -1, "");
    r = check_text(program, "f", text);
    assert_sound(&r, "the truth");
}

static void mutant__has_its_problem(void **state)
{
    static const struct {
        int at;
        enum check_kind kind;
        const char *frame;
    } cases[] = {
        {1, CHECK_FORMAT,
         "<|line_sep|>{\"a\": \"..\"}<|action_sep|>    b = g(a)<|frame_sep|>"},
        {1, CHECK_FORMAT,
         "<|line_sep|>{\"a\": 1}<|action_sep|>    b = g(a)\n<|frame_sep|>"},
        {0, CHECK_ENTRY,
         "<|call_sep|>{\"x\": \"1\"}<|action_sep|>def g(x):\n<|frame_sep|>"},
        {0, CHECK_ENTRY,
         "<|line_sep|>{\"a\": \"1\"}<|action_sep|>def f(a):\n<|frame_sep|>"},
        {1, CHECK_SOURCE,
         "<|line_sep|>{\"a\": \"..\"}<|action_sep|>    b = h(a)\n"
         "<|frame_sep|>"},
        {1, CHECK_SUCCESSOR,
         "<|line_sep|>{\"a\": \"..\"}<|action_sep|>    x += 1\n<|frame_sep|>"},
        {5, CHECK_SUCCESSOR,
         "<|return_sep|><|action_sep|>    return b\n<|arg_sep|>\"2\""
         "<|frame_sep|>"},
        {4, CHECK_SUCCESSOR, /* left by an exception, with a value */
         "<|exception_sep|><|action_sep|>    x += 1\n<|arg_sep|>\"(E, e, t)\""
         "<|frame_sep|>"},
        {5, CHECK_SCOPES, ""},
        {5, CHECK_SCOPES,
         "<|return_sep|><|action_sep|>    return x\n<|arg_sep|>\"2\""
         "<|frame_sep|><|return_sep|><|action_sep|>    return b\n<|arg_sep|>"
         "\"2\"<|frame_sep|>"},
        {3, CHECK_NAME,
         "<|line_sep|>{\"x\": \"..\", \"zz\": \"1\"}<|action_sep|>    x += 1\n"
         "<|frame_sep|>"},
        {3, CHECK_NAME, /* of another function */
         "<|line_sep|>{\"x\": \"..\", \"b\": \"1\"}<|action_sep|>    x += 1\n"
         "<|frame_sep|>"},
        {2, CHECK_DIFF,
         "<|call_sep|>{\"x\": \"..\"}<|action_sep|>def g(x):\n<|frame_sep|>"},
        {3, CHECK_DIFF,
         "<|line_sep|>{\"x\": \"1\"}<|action_sep|>    x += 1\n<|frame_sep|>"},
        {6, CHECK_DIFF, /* behind a callee everything is in full */
         "<|line_sep|>{\"a\": \"..\", \"b\": \"2\"}<|action_sep|>    return b\n"
         "<|frame_sep|>"},
        {1, CHECK_DIFF, /* nothing was shown before */
         "<|line_sep|>{\"a\": \"..\", \"b\": \"..\"}<|action_sep|>    b = "
         "g(a)\n<|frame_sep|>"},
        {3, CHECK_NAME, /* x is gone, and nothing deletes it */
         "<|line_sep|>{}<|action_sep|>    x += 1\n<|frame_sep|>"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[4000];
        struct check_result r;

        make_text(text, sizeof text, cases[i].at, cases[i].frame);
        r = check_text(program, "f", text);
        if (r.n_of_kind[cases[i].kind] == 0) {
            fail_msg("case %zu: no problem '%s' of %llu; first: %s", i,
                     check_kind_name(cases[i].kind),
                     (unsigned long long)r.n_problems,
                     r.n_kept > 0 ? r.kept[0].what : "none");
        }
        assert_true(r.kept[0].what[0] != '\0');
    }
}

/* Programs of which less can be told: no problem where there is none. */
static void odd_programs__are_not_accused(void **state)
{
    static const struct {
        const char *program, *entry, *text;
    } cases[] = {
        {"def f():\n    yield 1\n", "f",
         "<|call_sep|>{}<|action_sep|>def f():\n<|frame_sep|><|line_sep|>{}"
         "<|action_sep|>    yield 1\n<|frame_sep|><|return_sep|><|action_sep|>"
         "    yield 1\n<|arg_sep|>\"1\"<|frame_sep|><|call_sep|>{}"
         "<|action_sep|>    yield 1\n<|frame_sep|><|return_sep|><|action_sep|>"
         "    yield 1\n<|arg_sep|>\"None\"<|frame_sep|>"},
        {"def f(): return (lambda y: y)(1)\n", "f",
         "<|call_sep|>{}<|action_sep|>def f(): return (lambda y: y)(1)\n"
         "<|frame_sep|><|line_sep|>{}<|action_sep|>def f(): return (lambda y: "
         "y)(1)\n<|frame_sep|><|call_sep|>{\"y\": \"1\"}<|action_sep|>def f(): "
         "return (lambda y: y)(1)\n<|frame_sep|><|line_sep|>{\"y\": \"..\"}"
         "<|action_sep|>def f(): return (lambda y: y)(1)\n<|frame_sep|>"
         "<|return_sep|><|action_sep|>def f(): return (lambda y: y)(1)\n"
         "<|arg_sep|>\"1\"<|frame_sep|><|return_sep|><|action_sep|>def f(): "
         "return (lambda y: y)(1)\n<|arg_sep|>\"1\"<|frame_sep|>"},
        {"x = 1\ndel x\n", NULL,
         "<|call_sep|>{}<|action_sep|>x = 1\n<|frame_sep|><|line_sep|>{}"
         "<|action_sep|>x = 1\n<|frame_sep|><|line_sep|>{\"x\": \"1\"}"
         "<|action_sep|>del x\n<|frame_sep|><|return_sep|><|action_sep|>del x\n"
         "<|arg_sep|>\"None\"<|frame_sep|><|end_of_text|>"},
        {"def f():\n    try:\n        1 / 0\n    except E as e:\n        pass\n"
         "    return 2\n",
         "f",
         "<|call_sep|>{}<|action_sep|>def f():\n<|frame_sep|><|line_sep|>{}"
         "<|action_sep|>        1 / 0\n<|frame_sep|><|exception_sep|>"
         "<|action_sep|>        1 / 0\n<|arg_sep|>\"(E)\"<|frame_sep|>"
         "<|line_sep|>{}<|action_sep|>    except E as e:\n<|frame_sep|>"
         "<|line_sep|>{\"e\": \"E()\"}<|action_sep|>        pass\n"
         "<|frame_sep|><|line_sep|>{}<|action_sep|>    return 2\n<|frame_sep|>"
         "<|return_sep|><|action_sep|>    return 2\n<|arg_sep|>\"2\""
         "<|frame_sep|>"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct check_result r =
            check_text(cases[i].program, cases[i].entry, cases[i].text);

        assert_sound(&r, cases[i].program);
    }
}

/* A line of an inner function is none of the outer one's, its header is. */
static void lines__of_inner_functions(void **state)
{
    static const char nested[] = "def f(a):\n"
                                 "    def g(x,\n"
                                 "          y=1):\n"
                                 "        return x + 7\n"
                                 "    return g\n";
    struct check_result r = check_text(
        nested, "f",
        "<|call_sep|>{\"a\": \"1\"}<|action_sep|>def f(a):\n<|frame_sep|>"
        "<|line_sep|>{\"a\": \"..\"}<|action_sep|>          y=1):\n"
        "<|frame_sep|><|line_sep|>{\"a\": \"..\"}<|action_sep|>    "
        "def g(x,\n<|frame_sep|><|line_sep|>{\"a\": \"..\", \"g\": \"<function "
        "f.<locals>.g>\"}<|action_sep|>    return g\n<|frame_sep|>"
        "<|return_sep|><|action_sep|>    return g\n<|arg_sep|>\"<function "
        "f.<locals>.g>\"<|frame_sep|>");

    (void)state;
    assert_sound(&r, "headers");
    r = check_text(nested, "f",
                   "<|call_sep|>{\"a\": \"1\"}<|action_sep|>def "
                   "f(a):\n<|frame_sep|><|line_sep|>{\"a\": \"..\"}"
                   "<|action_sep|>        return x + 7\n<|frame_sep|>"
                   "<|return_sep|><|action_sep|>    return g\n<|arg_sep|>"
                   "\"None\"<|frame_sep|>");
    assert_int_equal(r.n_of_kind[CHECK_SUCCESSOR], 1);
}

/* Loops, branches, exceptions: each line is the program's, in its scope, with
 * its names; but it cannot come behind the one before. */
static const char flowing[] = "def f(n):\n"
                              "    s = 0\n"
                              "    for i in n:\n"
                              "        if i:\n"
                              "            s += i\n"
                              "        else:\n"
                              "            s -= 1\n"
                              "    try:\n"
                              "        s = s / 2\n"
                              "    except E:\n"
                              "        return 0\n"
                              "    return s\n";

/* One letter for each event of f: C(all), s, f(or), i(f), +, -, t(ry), /,
 * e(xcept), 0 and r: the lines; X: an exception on line /, R and Z: returns
 * from `return s` and `return 0`. */
static void put_event(char letter, char *text, size_t size)
{
    static const struct {
        char letter;
        const char *text;
    } events[] = {
        {'C', "<|call_sep|>{}<|action_sep|>def f(n):"},
        {'s', "<|line_sep|>{}<|action_sep|>    s = 0"},
        {'f', "<|line_sep|>{}<|action_sep|>    for i in n:"},
        {'i', "<|line_sep|>{}<|action_sep|>        if i:"},
        {'+', "<|line_sep|>{}<|action_sep|>            s += i"},
        {'-', "<|line_sep|>{}<|action_sep|>            s -= 1"},
        {'t', "<|line_sep|>{}<|action_sep|>    try:"},
        {'/', "<|line_sep|>{}<|action_sep|>        s = s / 2"},
        {'e', "<|line_sep|>{}<|action_sep|>    except E:"},
        {'0', "<|line_sep|>{}<|action_sep|>        return 0"},
        {'r', "<|line_sep|>{}<|action_sep|>    return s"},
        {'X', "<|exception_sep|><|action_sep|>        s = s / 2"},
        {'R', "<|return_sep|><|action_sep|>    return s"},
        {'Z', "<|return_sep|><|action_sep|>        return 0"},
    };
    size_t i = 0;
    size_t used = strlen(text);

    while (events[i].letter != letter) {
        i++;
    }
    snprintf(text + used, size - used, "%s\n%s<|frame_sep|>", events[i].text,
             strchr("XRZ", letter) ? "<|arg_sep|>\"1\"" : "");
}

static void steps__are_those_of_the_programs_flow(void **state)
{
    static const struct {
        const char *events;
        int problem; /* place of the step that cannot be; -1: none */
    } cases[] = {
        {"Csfi+fi-ft/rR", -1}, {"Csft/rR", -1},    {"Csft/Xe0Z", -1},
        {"Csi+ft/rR", 2},      {"Csfi+-ft/rR", 5}, {"Csfi+t/rR", 5},
        {"Csf+ft/rR", 3},      {"Csft/e0Z", 5},    {"Csft/XrR", 6},
        {"Csft/r0Z", 6},       {"Csfi+fi+rR", 8},  {"Cft/rR", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[8000] = "";
        struct check_result r;

        for (const char *at = cases[i].events; *at; at++) {
            put_event(*at, text, sizeof text);
        }
        r = check_text(flowing, "f", text);
        if (cases[i].problem < 0) {
            assert_sound(&r, cases[i].events);
        } else if (r.n_of_kind[CHECK_SUCCESSOR] != 1 || r.n_problems != 1 ||
                   r.kept[0].frame != (size_t)cases[i].problem) {
            fail_msg("%s: %llu problems, the first in frame %zu: %s",
                     cases[i].events, (unsigned long long)r.n_problems,
                     r.n_kept > 0 ? r.kept[0].frame : 0,
                     r.n_kept > 0 ? r.kept[0].what : "none");
        }
    }
}

static void input__that_cannot_be_checked(void **state)
{
    struct check_input input = {.program = program,
                                .program_len = sizeof program - 1,
                                .name = "p.py",
                                .entry = "h",
                                .text = "",
                                .text_len = 0};
    struct predicted p;
    struct check_result r;
    struct cwm_err err = {.message = ""};

    (void)state;
    assert_int_equal(check_trace(&input, &p, &r, &err), CWM_USAGE);
    assert_non_null(strstr(err.message, "'h'"));
    input.entry = "f";
    assert_int_equal(check_trace(&input, &p, &r, &err), CWM_OK);
    assert_int_equal(r.n_of_kind[CHECK_FORMAT], 1);
    predicted_release(&p);
    input.text = "hello";
    input.text_len = 5;
    assert_int_equal(check_trace(&input, &p, &r, &err), CWM_OK);
    assert_true(r.n_of_kind[CHECK_FORMAT] >= 1);
    predicted_release(&p);
    input.program = "";
    input.program_len = 0;
    input.entry = NULL;
    assert_int_equal(check_trace(&input, &p, &r, &err), CWM_OK);
    assert_true(r.n_problems > 0);
    predicted_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truth__is_sound),
        cmocka_unit_test(mutant__has_its_problem),
        cmocka_unit_test(odd_programs__are_not_accused),
        cmocka_unit_test(lines__of_inner_functions),
        cmocka_unit_test(steps__are_those_of_the_programs_flow),
        cmocka_unit_test(input__that_cannot_be_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
