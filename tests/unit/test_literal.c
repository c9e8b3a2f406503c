/* SPDX-License-Identifier: MIT */
/* test_literal.c -- which texts are equal as Python values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/base/alloc.h"
#include "eval/literal.h"

static bool equal(const char *a, const char *b)
{
    bool one = false;
    bool other = false;

    assert_int_equal(literal_equal(a, strlen(a), b, strlen(b), &one, NULL),
                     CWM_OK);
    assert_int_equal(literal_equal(b, strlen(b), a, strlen(a), &other, NULL),
                     CWM_OK);
    if (one != other) {
        fail_msg("%s and %s: not the same both ways", a, b);
    }
    return one;
}

static void equal__says_what_python_says(void **state)
{
    static const char *const same[][2] = {
        {"1", "1.0"},
        {"True", "1"},
        {"0", "-0.0"},
        {"[]", "[ ]"},
        {"1e3", "1000"},
        {"1000000000000000000000", "1e21"},
        {"'a'", "\"a\""},
        {"'a\\n'", "\"a\\x0a\""},
        {"'\\''", "\"'\""},
        {"'\\u00e9'", "'\xc3\xa9'"},
        {"b'a\\x00'", "b\"\\x61\\0\""},
        {"{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"},
        {"{'a': 1, 'a': 2}", "{'a': 2}"},
        {"{1: 'x', True: 'y'}", "{1.0: 'y'}"},
        {"{1, 2, 3}", "{3, 2, 1, 1}"},
        {"{1, 2}", "frozenset({2, 1})"},
        {"set()", "frozenset()"},
        {"[nan]", "[nan]"},
        {"(1,)", "(1, )"},
        {"(1)", "1"},
        {"(1+2j)", "1+2j"},
        {"2j", "(0+2j)"},
        {"(3+0j)", "3"},
        {"inf", "1e999"},
        {"-inf", "-1e999"},
        {"{(1, 2): {3, 4}}", "{(1.0, 2): {4, 3}}"},
        {"Counter({'a': 2, 'b': 1})", "Counter({'b': 1, 'a': 2})"},
        {"deque([1, 2], maxlen=3)", "deque([1.0, 2], maxlen=3)"},
        {"[<function f>, {1, 2}]", "[<function f>, {2, 1}]"},
        {"{'x': <A <B>>}", "{\"x\": <A <B>>}"},
        {"1_000", "1000"},
        {"{'a': [...]}", "{ 'a': [...] }"},
        {"0.1", "0.10"},
        {"-5", "-5.0"},
    };
    static const char *const different[][2] = {
        {"1", "'1'"},
        {"1", "2"},
        {"1", "-1"},
        {"'a'", "b'a'"},
        {"[1, 2]", "(1, 2)"},
        {"[1, 2]", "[2, 1]"},
        {"(1,)", "(1)"},
        {"(1,)", "1"},
        {"{1: 2}", "{1}"},
        {"{}", "set()"},
        {"None", "False"},
        {"None", "''"},
        {"0.1", "0.1000000001"},
        {"10**30", "1e30"},
        {"1000000000000000000000000000000", "1e30"},
        {"9007199254740993", "9007199254740992.0"},
        {"{'a': 1, 'a': 2}", "{'a': 1}"},
        {"inf", "-inf"},
        {"nan", "0"},
        {"(1+2j)", "(1-2j)"},
        {"Counter({'a': 2})", "Counter({'a': 3})"},
        {"Counter({'a': 2})", "{'a': 2}"},
        {"OrderedDict([('a', 1), ('b', 2)])",
         "OrderedDict([('b', 2), ('a', 1)])"},
        {"[1, 2", "[1,2"},
        {"'a", "\"a"},
        {"<A>", "<B>"},
        {"Color.RED", "Color.BLUE"},
        {"'a\xe2\x80\xa6", "\"a\xe2\x80\xa6"},
        {"f(x=1)", "f(1)"},
        {"['a', 'b']", "['ab']"},
        {"['a' 'b']", "['ab']"},
        {"1 + 1", "1+1"},
        {"", " "},
        {"'\\x0'", "'\\x00'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        if (!equal(same[i][0], same[i][1])) {
            fail_msg("different: %s and %s", same[i][0], same[i][1]);
        }
    }
    for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
        if (equal(different[i][0], different[i][1])) {
            fail_msg("the same: %s and %s", different[i][0], different[i][1]);
        }
        assert_true(equal(different[i][0], different[i][0]));
    }
}

/* Cut anywhere, it is read to its end and no further. */
static void text__may_end_anywhere(void **state)
{
    static const char text[] =
        "{'a': [1, -2.5e-7, (3+4j)], b'\\x00': {frozenset({1}), \"\\u00e9\"}, "
        "Foo(x=<a <b>>, y=...): None, nan: range(0, 5), 'k': OrderedDict([("
        "'a', 1)])}";
    size_t len = sizeof text - 1;
    bool is_equal;

    (void)state;
    for (size_t n = 0; n <= len; n++) {
        char *exact = cwm_malloc(n); /* owned: ASan sees its end */

        memcpy(exact, text, n);
        assert_int_equal(literal_equal(exact, n, text, len, &is_equal, NULL),
                         CWM_OK);
        assert_int_equal(is_equal, n == len);
        literal_kind(exact, n);
        cwm_free(exact);
    }
}

static void text__may_be_nested_to_a_depth(void **state)
{
    char a[1000];
    char b[1002];
    bool is_equal = true;

    (void)state;
    for (size_t depth = 199; depth <= 200; depth++) {
        memset(a, '[', depth);
        memset(a + depth, ']', depth);
        memcpy(b, a, depth);
        b[depth] = ' ';
        memcpy(b + depth + 1, a + depth, depth);
        assert_int_equal(
            literal_equal(a, 2 * depth, b, 2 * depth + 1, &is_equal, NULL),
            CWM_OK);
        assert_true(is_equal);
    }
    memset(a, '[', sizeof a);
    memset(b, '[', sizeof b);
    assert_int_equal(literal_equal(a, sizeof a, b, sizeof b, &is_equal, NULL),
                     CWM_OK);
    assert_false(is_equal);
}

static void kind__is_told_by_the_beginning(void **state)
{
    static const struct {
        const char *text;
        const char *kind;
    } cases[] = {
        {"None", "none"},       {"True", "bool"},       {"-12", "int"},
        {"1.5", "float"},       {"1e-05", "float"},     {"-inf", "float"},
        {"nan", "float"},       {"(1+2j)", "complex"},  {"2j", "complex"},
        {"'x'", "str"},         {"\"x\"", "str"},       {"b'x'", "bytes"},
        {"[1]", "list"},        {"(1, 2)", "tuple"},    {"()", "tuple"},
        {"{}", "dict"},         {"{1: 2}", "dict"},     {"{1, 2}", "set"},
        {"set()", "set"},       {"frozenset()", "set"}, {"<f>", "other"},
        {"range(3)", "other"},  {"", "other"},          {"1 + 1", "other"},
        {"{'a': {1}}", "dict"}, {"(1, 2j)", "tuple"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *kind = literal_kind_name(
            literal_kind(cases[i].text, strlen(cases[i].text)));

        if (strcmp(kind, cases[i].kind) != 0) {
            fail_msg("%s: %s, not %s", cases[i].text, kind, cases[i].kind);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal__says_what_python_says),
        cmocka_unit_test(text__may_end_anywhere),
        cmocka_unit_test(text__may_be_nested_to_a_depth),
        cmocka_unit_test(kind__is_told_by_the_beginning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
