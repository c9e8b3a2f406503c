/* SPDX-License-Identifier: MIT */
/* test_source_entry.c -- entries by name and by marker, and the messages. */
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

/* def_line of the entry; 0 for a script. */
static void assert_entry(const char *text, const char *name, uint32_t line)
{
    struct source *s = parse(text);
    struct cwm_err err = {0};
    size_t n;
    int at = -2;

    if (source_entry(s, name, &at, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    assert_int_equal(at < 0 ? 0 : source_defs(s, &n)[at].def_line, line);
    source_free(s);
}

static void assert_none(const char *text, const char *name, const char *message)
{
    struct source *s = parse(text);
    struct cwm_err err = {0};
    int at = -2;

    assert_int_equal(source_entry(s, name, &at, &err), CWM_USAGE);
    assert_string_equal(err.message, message);
    assert_int_equal(at, -2);
    source_free(s);
}

static void entry__the_last_definition_of_a_name_counts(void **state)
{
    (void)state;
    assert_entry("def f(): pass\ndef g(): pass\ndef f(): pass\n", "f", 3);
    assert_entry("if x:\n def f(): pass\nelse:\n def f(): pass\n", "f", 4);
    assert_entry(
        "@overload\ndef f(x: int): ...\n@overload\ndef f(x: str): ...\n"
        "def f(x): pass\n",
        "f", 5);
    assert_entry("def f(): pass\ndef g():\n def f(): pass\n", "f", 1);
    assert_entry("class A:\n def m(): pass\n class B:\n  async def m(): pass\n"
                 "def m(): pass\n",
                 "A.B.m", 4);
    assert_none("def f(): pass\nclass f: pass\n", "f",
                "'f' is a class, not a function, and has no methods");
}

static void entry__no_name_and_no_marker_is_a_script(void **state)
{
    (void)state;
    assert_entry("", NULL, 0);
    assert_entry("print(input())\ndef f(): pass\n", NULL, 0);
    assert_entry("x = '  # << START_OF_TRACE'\n", NULL, 0);
    assert_entry("'''\ndef f():  # << START_OF_TRACE\n'''\n", NULL, 0);
    /* A script's own context, read again. */
    assert_entry("# c\nx = 1  # << START_OF_TRACE\n", NULL, 0);
}

static void entry__the_marker_names_its_def_line(void **state)
{
    (void)state;
    assert_entry("def g(): pass\ndef f(): # << START_OF_TRACE\n pass\n", NULL,
                 2);
    assert_entry("def f():  # sums\t# << START_OF_TRACE \n pass\n", NULL, 1);
    assert_entry("@d\ndef f(a,\n      b):  # << START_OF_TRACE\n pass\n", NULL,
                 2);
    assert_entry("@d\ndef f(a,  # << START_OF_TRACE\n      b):\n pass\n", NULL,
                 2);
    assert_entry("class A:\n def m(): pass  # << START_OF_TRACE\n", NULL, 2);
    /* A name is stronger than a marker elsewhere. */
    assert_entry("def g(): pass\ndef f(): # << START_OF_TRACE\n pass\n", "g",
                 1);
    assert_entry("def f():  # << START_OF_TRACE\n x = = 1\n", NULL, 1);
}

static void entry__a_marker_in_the_wrong_place_is_refused(void **state)
{
    (void)state;
    assert_none("def f():  # << START_OF_TRACE\n pass\n\n"
                "def g():  # << START_OF_TRACE\n pass\n",
                NULL,
                "'prog.py' has two markers '# << START_OF_TRACE', on lines 1 "
                "and 4");
    assert_none("def f():\n pass # << START_OF_TRACE\n", NULL,
                "the marker '# << START_OF_TRACE' on line 2 of 'prog.py' does "
                "not stand on a function's def line");
    assert_none("@dec # << START_OF_TRACE\nclass A: pass\nx = 1\n", "f",
                "no function 'f' in 'prog.py', which defines none");
    assert_none("class A:  # << START_OF_TRACE\n def m(): pass\n", NULL,
                "'A' is a class, not a function; its methods are A.m");
    assert_none("def f():\n def g():  # << START_OF_TRACE\n  pass\n", NULL,
                "'f.<locals>.g' (line 2) is made inside a function, so no call "
                "from outside can start at it");
}

static void entry__a_missing_name_lists_what_there_is(void **state)
{
    (void)state;
    assert_none("x = 1\n", "f",
                "no function 'f' in 'prog.py', which defines none");
    assert_none("def f(): pass\ndef f(): pass\ndef h(): pass\n"
                "class A:\n def m(): pass\ndef o():\n def p(): pass\n",
                "completely",
                "no function 'completely'; there are f, h, A.m, o");
    assert_none("def count_letters(w): pass\ndef main(): pass\n",
                "count_leters",
                "no function 'count_leters'; there are count_letters, main\n"
                "did you mean 'count_letters'?");
    assert_none("class Account:\n def add(self): pass\n", "add",
                "no function 'add'; there are Account.add\n"
                "did you mean 'Account.add'?");
    assert_none("class A:\n def m(self): pass\n", "A",
                "'A' is a class, not a function; its methods are A.m");
    assert_none("def f():\n def g(): pass\n", "f.<locals>.g",
                "'f.<locals>.g' (line 2) is made inside a function, so no call "
                "from outside can start at it");
    assert_none("def f(): pass\n", "",
                "no function ''; there are f\ndid you mean 'f'?");
}

static void entry__a_long_list_is_cut(void **state)
{
    struct cwm_buf text;
    struct cwm_err err = {0};
    struct source *s;
    char name[3000];
    int at;

    (void)state;
    cwm_buf_init(&text, 1 << 20);
    for (int i = 0; i < 100; i++) {
        cwm_buf_addf(&text, "def f%02d(): pass\n", i);
    }
    assert_none(text.data, "elsewhere",
                "no function 'elsewhere'; there are f00, f01, f02, f03, f04, "
                "f05, f06, f07, f08, f09 and 90 more");
    cwm_buf_clear(&text);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 20; i++) {
        cwm_buf_addf(&text, "def %s%d(): pass\n", name, i);
    }
    s = parse(text.data);
    name[1] = 'm';
    assert_int_equal(source_entry(s, name, &at, &err), CWM_USAGE);
    assert_true(strlen(err.message) < sizeof err.message - 1);
    assert_non_null(strstr(err.message, "nnn..."));
    assert_non_null(strstr(err.message, " more"));
    source_free(s);
    cwm_buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entry__the_last_definition_of_a_name_counts),
        cmocka_unit_test(entry__no_name_and_no_marker_is_a_script),
        cmocka_unit_test(entry__the_marker_names_its_def_line),
        cmocka_unit_test(entry__a_marker_in_the_wrong_place_is_refused),
        cmocka_unit_test(entry__a_missing_name_lists_what_there_is),
        cmocka_unit_test(entry__a_long_list_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
