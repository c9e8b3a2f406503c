/* SPDX-License-Identifier: MIT */
/* test_source_edit.c -- contexts, wrapped programs, main guards, arguments. */
#include "tracer/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct source *parse(const char *text)
{
    struct source *s = NULL;
    struct cwm_err err = {0};

    if (source_new(text, strlen(text), "prog.py", &s, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return s;
}

static void assert_context(const char *text, uint32_t line, const char *want)
{
    struct source *s = parse(text);
    struct source *again;
    struct cwm_buf out;
    struct cwm_err err = {0};
    size_t len;
    size_t len_again;
    const char *first;
    const char *second;

    cwm_buf_init(&out, 1 << 20);
    if (source_context(s, line, &out, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(out.data, want);
    /* Marking what is marked changes nothing, and the line reads the same. */
    again = parse(want);
    cwm_buf_clear(&out);
    assert_int_equal(source_context(again, line, &out, NULL), CWM_OK);
    assert_string_equal(out.data, want);
    first = source_line(s, line, &len);
    second = source_line(again, line, &len_again);
    assert_int_equal(len, len_again);
    assert_memory_equal(first, second, len);
    cwm_buf_release(&out);
    source_free(again);
    source_free(s);
}

static void context__the_marker_ends_the_line(void **state)
{
    (void)state;
    assert_context("def f():\n    pass\n", 1,
                   "def f():  # << START_OF_TRACE\n    pass\n");
    assert_context("def f(): pass", 1, "def f(): pass  # << START_OF_TRACE");
    assert_context("x\ndef f():  # sums  \n    pass\n", 2,
                   "x\ndef f():  # sums    # << START_OF_TRACE\n    pass\n");
    assert_context("def f(a,\r\n      b):\r\n    pass\r\n", 1,
                   "def f(a,  # << START_OF_TRACE\n      b):\n    pass\n");
    assert_context("\n", 1, "  # << START_OF_TRACE\n");
}

static void context__other_markers_go(void **state)
{
    (void)state;
    assert_context("def f(): # << START_OF_TRACE\n    pass\n"
                   "def g():\n    pass  # c  # << START_OF_TRACE\n"
                   "# << START_OF_TRACE\n",
                   3,
                   "def f():\n    pass\ndef g():  # << START_OF_TRACE\n"
                   "    pass  # c\n\n");
    assert_context("def f():# << START_OF_TRACE", 1,
                   "def f():  # << START_OF_TRACE");
    /* In a string it is the program's own text. */
    assert_context("s = '# << START_OF_TRACE'\ndef f(): pass\n", 2,
                   "s = '# << START_OF_TRACE'\n"
                   "def f(): pass  # << START_OF_TRACE\n");
}

static void context__a_line_that_is_not_there_fails(void **state)
{
    struct source *s = parse("x\n");
    struct cwm_buf out;
    struct cwm_err err = {0};

    (void)state;
    cwm_buf_init(&out, 5);
    assert_int_equal(source_context(s, 2, &out, &err), CWM_USAGE);
    assert_string_equal(err.message, "'prog.py' has no line 2 to mark");
    assert_int_equal(source_context(s, 0, &out, &err), CWM_USAGE);
    assert_int_equal(source_context(s, 1, &out, &err), CWM_LIMIT);
    assert_string_equal(err.message, "the context is larger than 5 bytes");
    cwm_buf_release(&out);
    source_free(s);
}

/* A backslash or an open string at the end of the def line: shown, not run. */
static void context__behind_what_goes_on_below(void **state)
{
    struct source *s = parse("def \\\n f(): pass\n");
    struct cwm_buf out;

    (void)state;
    cwm_buf_init(&out, 1 << 20);
    assert_int_equal(source_context(s, 1, &out, NULL), CWM_OK);
    assert_string_equal(out.data, "def \\  # << START_OF_TRACE\n f(): pass\n");
    cwm_buf_release(&out);
    source_free(s);
}

static void assert_wrapped(const char *text, const char *name, const char *args,
                           enum cwm_rc rc, const char *want)
{
    struct source *s = parse(text);
    struct cwm_buf out;
    struct cwm_err err = {0};

    cwm_buf_init(&out, 1 << 20);
    assert_int_equal(source_wrap_main(s, name, args, &out, &err), rc);
    assert_string_equal(rc == CWM_OK ? out.data : err.message, want);
    cwm_buf_release(&out);
    source_free(s);
}

static void wrap__main_is_behind_the_program(void **state)
{
    (void)state;
    assert_wrapped("def f(x): return x", "f", "1", CWM_OK,
                   "def f(x): return x\n\ndef main():\n    return f(1)\n");
    assert_wrapped("def f(x): return x\n", "f", "", CWM_OK,
                   "def f(x): return x\n\n\ndef main():\n    return f()\n");
    assert_wrapped("class A:\n def m(x): pass\n", "A.m", "A(), k=(1,)", CWM_OK,
                   "class A:\n def m(x): pass\n\n\ndef main():\n"
                   "    return A.m(A(), k=(1,))\n");
    assert_wrapped("def f(x): return x\n", "f", "1) + (2", CWM_FORMAT,
                   "cannot parse the arguments '1) + (2'");
    assert_wrapped("def f(x): return x\n", "g", "1", CWM_USAGE,
                   "no function 'g'; there are f\ndid you mean 'f'?");
}

static void args__are_the_inside_of_one_call(void **state)
{
    static const char *const good[] = {"",
                                       " ",
                                       "1",
                                       "1,",
                                       "[1, 2], k=3",
                                       "*a, **k",
                                       "x for x in y",
                                       "lambda: 0",
                                       "'a)b', \"(\"",
                                       "(yield)",
                                       "1,\n2",
                                       "1, # one\n2 # two\n",
                                       "\n",
                                       "{'a': (1, [2])}",
                                       "f'{x!r:>{w}}'",
                                       "'''\n)'''",
                                       "x := 1",
                                       "not a, -b",
                                       "a if b else c",
                                       "b'\\x00', r'\\\\'",
                                       "...",
                                       "1 \\\n, 2",
                                       "match, type, print",
                                       "f(1)(2), (3)",
                                       "\xC3\xA9='\xE2\x82\xAC'"};
    static const char *const wrong[] = {")",        "(",
                                        "1) + (2",  "1)(2",
                                        "1).g(2",   "1)\nf(2",
                                        "1); f(2",  "1 2",
                                        "=",        "k=",
                                        "1 # c",    "'",
                                        "'''",      "1,,2",
                                        ",",        "\\",
                                        "1)[0](",   "x for x in y) + (1",
                                        "1) if (2", "1) # ",
                                        "1)\n#",    "def f(): pass",
                                        "x = = 1",  "\xFF",
                                        "1\\)",     "return",
                                        "1) or f(2"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (source_check_args(good[i], strlen(good[i]), NULL) != CWM_OK) {
            fail_msg("refused: %s", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (source_check_args(wrong[i], strlen(wrong[i]), NULL) != CWM_FORMAT) {
            fail_msg("taken: %s", wrong[i]);
        }
    }
    assert_int_equal(source_check_args("1\0", 2, NULL), CWM_FORMAT);
}

/* NULL: no guard. */
static void assert_guard(const char *text, const char *want)
{
    struct source *s = parse(text);
    struct cwm_buf out;
    bool differs = false;

    cwm_buf_init(&out, 1 << 20);
    assert_int_equal(source_without_main_guard(s, &out, &differs, NULL),
                     CWM_OK);
    assert_int_equal(differs, want != NULL);
    assert_string_equal(want ? out.data : "", want ? want : "");
    if (want) {
        assert_int_equal(out.len, strlen(text));
    }
    cwm_buf_release(&out);
    source_free(s);
}

static void guard__the_condition_becomes_false(void **state)
{
    (void)state;
    assert_guard("x = 1\nif __name__ == \"__main__\":\n    f()\n",
                 "x = 1\nif False                 :\n    f()\n");
    assert_guard("if '__main__'==__name__: f()\nelse: g()\n",
                 "if False               : f()\nelse: g()\n");
    assert_guard("if(__name__ == '__main__'): f()\n",
                 "if(False                 ): f()\n");
    assert_guard("if'__main__' == __name__: f()\n",
                 "if False                : f()\n");
    assert_guard("if x and not (y or __name__ == '__main__'): f()\n",
                 "if x and not (y or False                 ): f()\n");
    assert_guard("if x: pass\nelif __name__ == '__main__': f()\n",
                 "if x: pass\nelif False                 : f()\n");
    assert_guard("if __name__ == \\\n   '__main__': f()\n",
                 "if False       \\\n             : f()\n");
    assert_guard("if (__name__ == # c\n   '__main__'): f()\n",
                 "if (False          \n             ): f()\n");
    assert_guard(
        "if __name__ == '__main__': f()\nif __name__ == '__main__': g()",
        "if False                 : f()\nif False                 : g()");
}

static void guard__everything_else_stays(void **state)
{
    (void)state;
    assert_guard("", NULL);
    assert_guard("x = __name__ == '__main__'\n", NULL);
    assert_guard("if __name__ != '__main__': f()\n", NULL);
    assert_guard("if __name__ == '__main__x': f()\n", NULL);
    assert_guard("if __name__ == '__main__' == x: f()\n", NULL);
    assert_guard("if x.__name__ == '__main__': f()\n", NULL);
    assert_guard("if f(__name__ == '__main__'): f()\n", NULL);
    assert_guard("def f():\n    if __name__ == '__main__': g()\n", NULL);
    assert_guard("class A:\n    if __name__ == '__main__': g()\n", NULL);
    assert_guard("if x:\n    if __name__ == '__main__': g()\n", NULL);
    assert_guard("while __name__ == '__main__': g()\n", NULL);
    assert_guard("'''\nif __name__ == '__main__': f()\n'''\n", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(context__the_marker_ends_the_line),
        cmocka_unit_test(context__other_markers_go),
        cmocka_unit_test(context__a_line_that_is_not_there_fails),
        cmocka_unit_test(context__behind_what_goes_on_below),
        cmocka_unit_test(wrap__main_is_behind_the_program),
        cmocka_unit_test(args__are_the_inside_of_one_call),
        cmocka_unit_test(guard__the_condition_becomes_false),
        cmocka_unit_test(guard__everything_else_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
