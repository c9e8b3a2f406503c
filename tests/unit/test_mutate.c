/* SPDX-License-Identifier: MIT */
/* test_mutate.c -- edits of small programs, one kind at a time. */
#include "datasets/mutate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tracer/source.h"

static struct mutate_settings only(enum mutate_kind kind)
{
    struct mutate_settings settings;

    mutate_settings_default(&settings);
    memset(settings.weights, 0, sizeof settings.weights);
    settings.weights[kind] = 1;
    settings.max_mutants = 0;
    return settings;
}

/* Every mutant of the kind; `want` (NULL ends them) must all be among them. */
static size_t check_kind(const char *program, enum mutate_kind kind,
                         const char *const *want)
{
    struct mutate_settings settings = only(kind);
    struct mutator *m = NULL; /* owned */
    struct mutation mutation;
    struct cwm_buf text;
    struct cwm_err err = {0};
    unsigned found = 0;
    unsigned wanted = 0;
    size_t n = 0;
    bool more = false;

    cwm_buf_init(&text, 1 << 16);
    if (mutator_new(program, strlen(program), &settings, 3, &m, &err) !=
        CWM_OK) {
        fail_msg("%s", err.message);
    }
    while (mutator_next(m, &text, &mutation, &more, &err) == CWM_OK && more) {
        struct source *s = NULL; /* owned */

        n++;
        assert_int_equal(mutation.kind, kind);
        assert_string_not_equal(text.data, program);
        /* the edit that it tells is the one that was made */
        assert_memory_equal(program, text.data, mutation.start_byte);
        assert_memory_equal(mutation.before, program + mutation.start_byte,
                            mutation.before_len);
        assert_memory_equal(text.data + mutation.start_byte, mutation.after,
                            mutation.after_len);
        assert_string_equal(text.data + mutation.start_byte +
                                mutation.after_len,
                            program + mutation.end_byte);
        assert_int_equal(source_new_text(text.data, text.len, "m", &s, &err),
                         CWM_OK);
        assert_null(source_syntax_error(s));
        source_free(s);
        for (unsigned i = 0; want && want[i]; i++) {
            found |= strcmp(text.data, want[i]) == 0 ? 1u << i : 0;
        }
    }
    for (unsigned i = 0; want && want[i]; i++) {
        wanted |= 1u << i;
        if (!(found >> i & 1)) {
            fail_msg("not among the %zu mutants:\n%s", n, want[i]);
        }
    }
    assert_int_equal(found, wanted);
    mutator_free(m);
    cwm_buf_release(&text);
    return n;
}

static void mutate__operators_and_comparisons(void **state)
{
    static const char *const operators[] = {"a = x - y\n", "a = x * y\n", NULL};
    static const char *const ways[] = {"a = x <= y\n", "a = x > y\n",
                                       "a = x >= y\n", NULL};
    static const char *const in[] = {"a = x in y\n", NULL};
    static const char *const either[] = {"a = x or y\n", NULL};

    (void)state;
    check_kind("a = x + y\n", MUTATE_OPERATOR, operators);
    check_kind("a = x and y\n", MUTATE_OPERATOR, either);
    check_kind("a = x < y\n", MUTATE_COMPARISON, ways);
    check_kind("a = x not in y\n", MUTATE_COMPARISON, in);
}

static void mutate__constants(void **state)
{
    static const char *const numbers[] = {"a = 8\n", "a = 6\n", NULL};
    static const char *const texts[] = {"a = ''\n", "a = 'bbc'\n", "a = 'ac'\n",
                                        NULL};
    static const char *const truths[] = {"a = False\n", NULL};

    (void)state;
    check_kind("a = 7\n", MUTATE_CONSTANT, numbers);
    check_kind("a = 'abc'\n", MUTATE_CONSTANT, texts);
    check_kind("a = True\n", MUTATE_CONSTANT, truths);
    /* docstrings, escapes, long numbers, f-strings: left alone */
    assert_int_equal(check_kind("'doc'\n", MUTATE_CONSTANT, NULL), 0);
    assert_int_equal(check_kind("a = 'b\\n'\n", MUTATE_CONSTANT, NULL), 0);
    assert_int_equal(check_kind("a = 0x10\n", MUTATE_CONSTANT, NULL), 0);
    assert_int_equal(check_kind("a = f'{b}'\n", MUTATE_CONSTANT, NULL), 0);
    /* so are types */
    assert_int_equal(
        check_kind("def f(a: 'list[int]'): pass\n", MUTATE_CONSTANT, NULL), 0);
}

static void mutate__indices_and_slices(void **state)
{
    static const char *const index[] = {"a = x[i - 1]\n", "a = x[i + 1]\n",
                                        NULL};
    static const char *const slice[] = {"a = x[:2]\n", "a = x[1:]\n",
                                        "a = x[1:2:-1]\n", "a = x[1:2 + 1]\n",
                                        NULL};

    (void)state;
    check_kind("a = x[i]\n", MUTATE_INDEX, index);
    check_kind("a = x[1:2]\n", MUTATE_INDEX, slice);
}

static void mutate__methods_conditions_ranges(void **state)
{
    static const char *const method[] = {"a = s.lower()\n", "a = s.title()\n",
                                         NULL};
    static const char *const condition[] = {"if not (a and b):\n    c()\n",
                                            "if a:\n    c()\n",
                                            "if False:\n    c()\n", NULL};
    static const char *const range[] = {"a = range(n - 1)\n",
                                        "a = range(1, n)\n",
                                        "a = reversed(range(n))\n", NULL};
    static const char *const arguments[] = {"f(2, 1, x=3)\n", NULL};

    (void)state;
    check_kind("a = s.upper()\n", MUTATE_METHOD, method);
    check_kind("if a and b:\n    c()\n", MUTATE_CONDITION, condition);
    check_kind("a = range(n)\n", MUTATE_RANGE, range);
    check_kind("f(1, 2, x=3)\n", MUTATE_ARGUMENT, arguments);
}

static void mutate__statements(void **state)
{
    static const char program[] =
        "def f(a):\n    \"\"\"Doc.\"\"\"\n    b = 1\n    c = [\n        a]\n"
        "    return b\n";
    static const char *const dropped[] = {
        "def f(a):\n    \"\"\"Doc.\"\"\"\n    c = [\n        a]\n"
        "    return b\n",
        "def f(a):\n    \"\"\"Doc.\"\"\"\n    b = 1\n    return b\n", NULL};
    static const char *const swapped[] = {
        "def f(a):\n    \"\"\"Doc.\"\"\"\n    c = [\n        a]\n    b = 1\n"
        "    return b\n",
        NULL};
    static const char *const repeated[] = {
        "def f(a):\n    \"\"\"Doc.\"\"\"\n    b = 1\n    b = 1\n    c = [\n"
        "        a]\n    return b\n",
        NULL};
    static const char *const only_one[] = {"def f():\n    pass\n", NULL};
    static const char *const jumps[] = {"for i in a:\n    continue\n",
                                        "for i in a:\n    pass\n", NULL};

    (void)state;
    check_kind(program, MUTATE_DROP, dropped);
    check_kind(program, MUTATE_SWAP, swapped);
    check_kind(program, MUTATE_REPEAT, repeated);
    check_kind("def f():\n    g()\n", MUTATE_DROP, only_one);
    check_kind("for i in a:\n    break\n", MUTATE_JUMP, jumps);
    /* two on a line are nobody's own lines */
    assert_int_equal(check_kind("a = 1; b = 2\n", MUTATE_DROP, NULL), 0);
}

static void mutate__loops_only_where_it_is_exact(void **state)
{
    static const char *const exact[] = {
        "def f(n):\n    t = 0\n    i = 1\n    while i < n:\n        t += i\n"
        "        i += 1\n    return t\n",
        NULL};
    static const char *const not_exact[] = {
        "def f(n):\n    for i in range(n):\n        g()\n    return i\n",
        "def f(n):\n    for i in range(n):\n        n -= 1\n",
        "def f(n):\n    for i in range(n):\n        if n: continue\n",
        "def f(n):\n    for i in range(n):\n        i = 3\n",
        "def f(x):\n    for i in range(len(x)):\n        x.append(1)\n",
        "def f(x):\n    for i in range(g(x)):\n        x()\n",
        "def f(x):\n    for i in range(9):\n        x = lambda: i\n",
        "def f(x):\n    for i in range(9): x()\n",
        "for i in range(9):\n    x()\n",
        "async def f(x):\n    async for i in range(9):\n        x()\n",
    };

    (void)state;
    check_kind("def f(n):\n    t = 0\n    for i in range(1, n):\n"
               "        t += i\n    return t\n",
               MUTATE_LOOP_FORM, exact);
    for (size_t i = 0; i < sizeof not_exact / sizeof not_exact[0]; i++) {
        if (check_kind(not_exact[i], MUTATE_LOOP_FORM, NULL) != 0) {
            fail_msg("not exact:\n%s", not_exact[i]);
        }
    }
}

static void mutate__renames_only_what_is_local(void **state)
{
    static const char *const left_alone[] = {
        "def f(a):\n    return a\n",
        "def f():\n    global a\n    a = 1\n",
        "def f():\n    import a\n    a = a.b\n",
        "def f():\n    a = 1\n    return locals()\n",
        "def f():\n    a = 1\n    return f'{a=}'\n",
        "def f():\n    a = 1\n    def g(a): pass\n    g(a=a)\n",
        "def f():\n    a = 1\n    class A:\n        a = 2\n",
    };
    struct mutate_settings settings = only(MUTATE_RENAME);
    struct mutator *m = NULL; /* owned */
    struct mutation mutation;
    struct cwm_buf text;
    bool more = false;
    static const char simple[] =
        "def f(n):\n    a = n.a\n    return [a for _ in f'{a}']\n";
    static const char program[] =
        "def f(n):\n    a = n.a + g(a=1)\n    a += 1\n"
        "    return [a for a in f'{a}'], lambda: a\n\n\ndef a():\n    pass\n";

    (void)state;
    for (size_t i = 0; i < sizeof left_alone / sizeof left_alone[0]; i++) {
        if (check_kind(left_alone[i], MUTATE_RENAME, NULL) != 0) {
            fail_msg("renamed:\n%s", left_alone[i]);
        }
    }
    /* keyword names are others' business; here `a` is one, so nothing is done
     * with it, and without it attributes and other functions stay */
    assert_int_equal(check_kind(program, MUTATE_RENAME, NULL), 0);
    cwm_buf_init(&text, 1 << 16);
    assert_int_equal(
        mutator_new(simple, strlen(simple), &settings, 1, &m, NULL), CWM_OK);
    assert_int_equal(mutator_next(m, &text, &mutation, &more, NULL), CWM_OK);
    assert_true(more);
    assert_true(mutation.keeps_meaning);
    assert_non_null(strstr(text.data, " = n.a\n"));
    assert_null(strstr(text.data, "{a}"));
    assert_null(strstr(text.data, "[a "));
    mutator_free(m);
    cwm_buf_release(&text);
}

static const char long_program[] =
    "def f(xs, k):\n    total = 0\n    for i, x in enumerate(xs):\n"
    "        if x > k and i % 2 == 0:\n            total += x * 3\n"
    "        elif x[1:] == 'abc':\n            break\n"
    "    return total, [y.upper() for y in range(10)]\n";

/* The same mutants for a seed, others for another, none twice. */
static void mutate__is_deterministic_and_never_repeats(void **state)
{
    enum { MOST = 400 };
    static char texts[2][MOST][512];
    size_t n[2] = {0, 0};

    (void)state;
    for (int round = 0; round < 2; round++) {
        struct mutate_settings settings;
        struct mutator *m = NULL; /* owned */
        struct mutation mutation;
        struct cwm_buf text;
        bool more = false;

        mutate_settings_default(&settings);
        settings.max_mutants = 0;
        settings.max_edits = 3;
        cwm_buf_init(&text, 511);
        assert_int_equal(mutator_new(long_program, strlen(long_program),
                                     &settings, 42, &m, NULL),
                         CWM_OK);
        while (mutator_next(m, &text, &mutation, &more, NULL) == CWM_OK &&
               more) {
            assert_true(n[round] < MOST);
            memcpy(texts[round][n[round]++], text.data, text.len + 1);
            assert_true(mutation.n_edits >= 1 && mutation.n_edits <= 3);
        }
        mutator_free(m);
        cwm_buf_release(&text);
    }
    assert_int_equal(n[0], n[1]);
    assert_true(n[0] > 60);
    for (size_t i = 0; i < n[0]; i++) {
        assert_string_equal(texts[0][i], texts[1][i]);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(texts[0][i], texts[0][k]);
        }
    }
}

static void mutate__keeps_to_its_range_and_count(void **state)
{
    struct mutate_settings settings;
    struct mutator *m = NULL; /* owned */
    struct mutation mutation;
    struct cwm_buf text;
    bool more = false;
    size_t n = 0;
    static const char program[] = "a = 1 + 2\nb = 3 + 4\nc = 5 + 6\n";

    (void)state;
    mutate_settings_default(&settings);
    settings.max_mutants = 5;
    settings.start_byte = 10;
    settings.end_byte = 20;
    cwm_buf_init(&text, 1 << 16);
    assert_int_equal(
        mutator_new(program, strlen(program), &settings, 1, &m, NULL), CWM_OK);
    while (mutator_next(m, &text, &mutation, &more, NULL) == CWM_OK && more) {
        n++;
        assert_int_equal(mutation.line, 2);
        assert_memory_equal(text.data, "a = 1 + 2\n", 10);
        assert_non_null(strstr(text.data, "\nc = 5 + 6\n"));
    }
    assert_int_equal(n, 5);
    mutator_free(m);
    cwm_buf_release(&text);
}

static void mutate__refuses_what_it_cannot_take(void **state)
{
    struct mutate_settings settings;
    struct mutator *m = NULL;
    struct cwm_err err = {0};

    (void)state;
    mutate_settings_default(&settings);
    assert_int_equal(mutator_new("def f(:\n", 8, &settings, 1, &m, &err),
                     CWM_FORMAT);
    settings.max_edits = 5;
    assert_int_equal(mutator_new("a\n", 2, &settings, 1, &m, &err), CWM_USAGE);
    assert_string_equal(err.message, "a mutant has 1 to 4 edits, not 5");
    mutate_settings_default(&settings);
    settings.end_byte = 3;
    assert_int_equal(mutator_new("a\n", 2, &settings, 1, &m, &err), CWM_USAGE);
    /* nothing to do is no failure */
    mutate_settings_default(&settings);
    assert_int_equal(mutator_new("", 0, &settings, 1, &m, &err), CWM_OK);
    mutator_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutate__operators_and_comparisons),
        cmocka_unit_test(mutate__constants),
        cmocka_unit_test(mutate__indices_and_slices),
        cmocka_unit_test(mutate__methods_conditions_ranges),
        cmocka_unit_test(mutate__statements),
        cmocka_unit_test(mutate__loops_only_where_it_is_exact),
        cmocka_unit_test(mutate__renames_only_what_is_local),
        cmocka_unit_test(mutate__is_deterministic_and_never_repeats),
        cmocka_unit_test(mutate__keeps_to_its_range_and_count),
        cmocka_unit_test(mutate__refuses_what_it_cannot_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
