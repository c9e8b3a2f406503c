/* SPDX-License-Identifier: MIT */
/* test_inputs.c -- what is proposed, and what is kept, without running it. */
#include "datasets/inputs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/base/buf.h"

struct open_inputs {
    struct source *source;
    struct inputs *in;
};

static void open_function(struct open_inputs *t, const char *program,
                          const struct inputs_settings *settings)
{
    struct inputs_settings defaults;
    struct cwm_err err = {0};

    inputs_settings_default(&defaults);
    assert_int_equal(
        source_new_text(program, strlen(program), "p", &t->source, &err),
        CWM_OK);
    if (inputs_new(t->source, 0, settings ? settings : &defaults, 5, &t->in,
                   &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
}

static void close_function(struct open_inputs *t)
{
    inputs_free(t->in);
    source_free(t->source);
}

static bool next(struct open_inputs *t, struct inputs_try *ret)
{
    struct cwm_err err = {0};
    bool more = false;

    assert_int_equal(inputs_next(t->in, ret, &more, &err), CWM_OK);
    if (more &&
        source_check_args(ret->args, strlen(ret->args), &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return more;
}

/* An outcome that reached the given edge. */
static bool report(struct open_inputs *t, enum trace_verdict verdict,
                   const char *type, const char *message, uint64_t edge)
{
    struct inputs_outcome outcome = {.verdict = verdict,
                                     .n_frames = 5,
                                     .edges = &edge,
                                     .n_edges = 1,
                                     .shape = (uint32_t)verdict};
    bool keep = false;

    snprintf(outcome.exception_type, sizeof outcome.exception_type, "%s", type);
    snprintf(outcome.exception_message, sizeof outcome.exception_message, "%s",
             message);
    assert_int_equal(inputs_report(t->in, &outcome, &keep, NULL), CWM_OK);
    return keep;
}

static void inputs__takes_what_the_file_says_first(void **state)
{
    static const char program[] = "def f(a, b=2, *rest, key=None):\n"
                                  "    \"\"\"\n"
                                  "    >>> f(1, 'x)')\n"
                                  "    3\n"
                                  "    >>> print(f([1, 2],\n"
                                  "    ...         b={'k': (3,)}))\n"
                                  "    >>> f(undefined)\n"
                                  "    >>> other.f(7)\n"
                                  "    \"\"\"\n"
                                  "    return f(a - 1)\n"
                                  "\n"
                                  "assert f(10) == 3\n"
                                  "print(f(key='q', a=g()))\n"
                                  "x = f(y)\n"
                                  "def g():\n"
                                  "    return f(11, 12)\n";
    static const struct {
        const char *args;
        enum inputs_origin origin;
        uint32_t line;
    } want[] = {{"1, 'x)'", INPUTS_DOCTEST, 3},
                {"[1, 2],\n         b={'k': (3,)}", INPUTS_DOCTEST, 5},
                {"undefined", INPUTS_DOCTEST, 7},
                {"10", INPUTS_ASSERT, 12},
                {"key='q', a=g()", INPUTS_CALL, 13},
                {"11, 12", INPUTS_CALL, 16}};
    struct open_inputs t;
    struct inputs_try one;

    (void)state;
    open_function(&t, program, NULL);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_true(next(&t, &one));
        assert_string_equal(one.args, want[i].args);
        assert_int_equal(one.origin, want[i].origin);
        assert_int_equal(one.line, want[i].line);
        assert_int_equal(one.index, i);
        report(&t, TRACE_VERDICT_OK, "", "", i);
    }
    assert_true(next(&t, &one));
    assert_true(one.origin == INPUTS_TYPED || one.origin == INPUTS_MUTATED);
    close_function(&t);
}

/* How many of 60 tries begin like that. */
static unsigned count_like(const char *program, const char *first)
{
    struct inputs_settings settings;
    struct open_inputs t;
    struct inputs_try one;
    unsigned n = 0;

    inputs_settings_default(&settings);
    settings.max_tries = 60;
    open_function(&t, program, &settings);
    while (next(&t, &one)) {
        n += strchr(first, one.args[0]) != NULL;
        report(&t, TRACE_VERDICT_TIMEOUT, "", "", 0);
    }
    close_function(&t);
    return n;
}

static void inputs__guesses_types(void **state)
{
    (void)state;
    /* annotations are believed */
    assert_true(count_like("def f(q: List[ int ]): pass\n", "[") >= 55);
    assert_true(count_like("def f(q: 'str'): pass\n", "'\"") >= 20);
    assert_true(count_like("def f(q: dict[str, int]): pass\n", "{") >= 55);
    assert_true(count_like("def f(q: Optional[int]): pass\n", "-0123456789N") >=
                15);
    /* then what is done with it */
    assert_true(count_like("def f(q): return q.split()\n", "'\"") >= 8);
    assert_true(count_like("def f(q):\n  for i in range(q): pass\n",
                           "-0123456789") >= 20);
    assert_true(count_like("def f(q): return q[0][1]\n", "[") >= 25);
    assert_true(count_like("def f(q): return q(3)\n", "las") >= 5);
    /* then its name */
    assert_true(count_like("def f(words): return 1\n", "[") >= 25);
}

static void inputs__learns_from_type_errors(void **state)
{
    struct inputs_settings settings;
    struct open_inputs t;
    struct inputs_try one;
    unsigned n_lists[2] = {0, 0};

    (void)state;
    inputs_settings_default(&settings);
    settings.max_tries = 120;
    open_function(&t, "def f(nums): return nums\n", &settings);
    for (unsigned i = 0; next(&t, &one); i++) {
        bool is_list = one.args[0] == '[';

        n_lists[i / 60] += is_list;
        if (is_list) {
            report(&t, TRACE_VERDICT_EXCEPTION, "TypeError",
                   "'list' object cannot be interpreted as an integer", 0);
        } else {
            report(&t, TRACE_VERDICT_TIMEOUT, "", "", 0);
        }
    }
    if (n_lists[1] * 2 > n_lists[0]) {
        fail_msg("%u lists, then %u", n_lists[0], n_lists[1]);
    }
    close_function(&t);
}

static void inputs__keeps_what_is_new(void **state)
{
    struct inputs_settings settings;
    struct open_inputs t;
    struct inputs_try one;

    (void)state;
    inputs_settings_default(&settings);
    settings.exception_permille = 500;
    settings.max_kept = 5;
    open_function(&t, "def f(n): return n\n", &settings);
    /* an exception first would be more than half of what is kept: it waits */
    assert_true(next(&t, &one));
    assert_false(report(&t, TRACE_VERDICT_EXCEPTION, "ValueError", "x", 9));
    assert_true(next(&t, &one));
    assert_true(report(&t, TRACE_VERDICT_OK, "", "", 1));
    {
        struct inputs_try again;

        assert_true(next(&t, &again)); /* now there is room for it */
        assert_int_not_equal(again.origin, INPUTS_MUTATED);
        assert_true(report(&t, TRACE_VERDICT_EXCEPTION, "ValueError", "x", 9));
    }
    assert_true(next(&t, &one));
    assert_false(report(&t, TRACE_VERDICT_OK, "", "", 1)); /* seen */
    assert_true(next(&t, &one));
    assert_false(report(&t, TRACE_VERDICT_TIMEOUT, "", "", 7)); /* no trace */
    assert_true(next(&t, &one));
    assert_false(report(&t, TRACE_VERDICT_BAD_ARGS, "", "", 8));
    for (uint64_t edge = 2; edge < 5; edge++) {
        assert_true(next(&t, &one));
        assert_true(report(&t, TRACE_VERDICT_OK, "", "", edge));
    }
    assert_false(next(&t, &one)); /* five were kept */
    close_function(&t);
}

/* The same outcomes, the same tries; none twice. */
static void inputs__is_deterministic_and_never_repeats(void **state)
{
    enum { MOST = 100 };
    static char texts[2][MOST][300];
    size_t n[2] = {0, 0};

    (void)state;
    for (int round = 0; round < 2; round++) {
        struct inputs_settings settings;
        struct open_inputs t;
        struct inputs_try one;

        inputs_settings_default(&settings);
        settings.max_tries = MOST;
        settings.max_kept = 50;
        open_function(&t, "def f(xs, s='abc', n=3):\n    return xs[n] + s\n",
                      &settings);
        while (next(&t, &one)) {
            assert_true(strlen(one.args) < 300);
            memcpy(texts[round][n[round]], one.args, strlen(one.args) + 1);
            report(&t,
                   n[round] % 3 ? TRACE_VERDICT_OK : TRACE_VERDICT_EXCEPTION,
                   n[round] % 3 ? "" : "IndexError", "", n[round] % 7);
            n[round]++;
        }
        close_function(&t);
    }
    assert_int_equal(n[0], MOST);
    assert_int_equal(n[1], MOST);
    for (size_t i = 0; i < MOST; i++) {
        assert_string_equal(texts[0][i], texts[1][i]);
    }
}

static void inputs__refuses_what_cannot_be_called(void **state)
{
    static const char program[] =
        "class A:\n    def m(self): pass\n\n\nasync def g(): pass\n\n\n"
        "def f():\n    def h(): pass\n";
    struct inputs_settings settings;
    struct source *source = NULL; /* owned */
    struct inputs *in = NULL;
    size_t n = 0;

    (void)state;
    inputs_settings_default(&settings);
    assert_int_equal(
        source_new_text(program, strlen(program), "p", &source, NULL), CWM_OK);
    source_defs(source, &n);
    assert_int_equal(n, 5);
    for (int def = 0; def < 5; def++) {
        enum cwm_rc want = def == 3 ? CWM_OK : CWM_USAGE;

        assert_int_equal(inputs_new(source, def, &settings, 1, &in, NULL),
                         want);
        if (want == CWM_OK) {
            struct inputs_try one;
            bool more = false;

            /* there is one way to call it */
            assert_int_equal(inputs_next(in, &one, &more, NULL), CWM_OK);
            assert_true(more);
            assert_string_equal(one.args, "");
            assert_int_equal(inputs_next(in, &one, &more, NULL), CWM_OK);
            assert_false(more);
            inputs_free(in);
        }
    }
    assert_int_equal(inputs_new(source, 5, &settings, 1, &in, NULL), CWM_USAGE);
    source_free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs__takes_what_the_file_says_first),
        cmocka_unit_test(inputs__guesses_types),
        cmocka_unit_test(inputs__learns_from_type_errors),
        cmocka_unit_test(inputs__keeps_what_is_new),
        cmocka_unit_test(inputs__is_deterministic_and_never_repeats),
        cmocka_unit_test(inputs__refuses_what_cannot_be_called),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
