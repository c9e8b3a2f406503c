/* SPDX-License-Identifier: MIT */
/*
 * test_source_flow.c -- which lines can follow which.
 *
 * Of each program and line all lines are listed that can be the activation's
 * next; that true traces are taken is tests/model/model_grammar.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tracer/source_flow.h"

static struct source_flow *flow_of(const char *program, uint32_t *ret_n_lines)
{
    struct source_flow *f = NULL;
    struct source *s = NULL;
    struct cwm_err err;

    if (source_new_text(program, strlen(program), "program", &s, &err) !=
            CWM_OK ||
        source_flow_new(s, &f, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    *ret_n_lines = source_n_lines(s);
    source_free(s);
    return f;
}

/* The lines that are covered, as "1 2 5". */
static void tell(const struct flow_places *p, uint32_t n_lines, char *out,
                 size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    for (uint32_t line = 1; line <= n_lines; line++) {
        for (size_t i = 0; i < p->n; i++) {
            if (p->at[i].first <= line && line <= p->at[i].last) {
                n +=
                    (size_t)snprintf(out + n, size - n, n ? " %u" : "%u", line);
                break;
            }
        }
    }
}

/*
 * `path`: a call's line, then of each further event its letter and line: "1
 * l2 e2".  `want`: the lines that `event` can then be on.
 */
static void expect(const char *program, const char *path, enum flow_event event,
                   const char *want)
{
    struct flow_places at = {.n = 0};
    struct flow_places next = {.n = 0};
    uint32_t n_lines;
    struct source_flow *f = flow_of(program, &n_lines);
    const char *p = path;
    unsigned line = 0;
    char got[256];
    int n = 0;

    assert_int_equal(sscanf(p, "%u%n", &line, &n), 1);
    p += n;
    assert_int_equal(source_flow_calls(f, &at, NULL), CWM_OK);
    assert_true(flow_places_on(&at, line));
    while (*p) {
        enum flow_event step = p[1] == 'l' ? FLOW_LINE : FLOW_EXCEPTION;

        assert_int_equal(sscanf(p + 2, "%u%n", &line, &n), 1);
        p += 2 + n;
        assert_int_equal(source_flow_next(f, &at, step, &next, NULL), CWM_OK);
        if (!flow_places_on(&next, line)) {
            fail_msg("'%s': line %u cannot come", path, line);
        }
        assert_int_equal(flow_places_copy(&next, &at, NULL), CWM_OK);
    }
    assert_int_equal(source_flow_next(f, &at, event, &next, NULL), CWM_OK);
    tell(&next, n_lines, got, sizeof got);
    if (strcmp(got, want) != 0) {
        fail_msg("behind '%s' want %s, got %s, in:\n%s", path, want, got,
                 program);
    }
    flow_places_release(&at);
    flow_places_release(&next);
    source_flow_free(f);
}

static void flow__branches_and_loops(void **state)
{
    static const char program[] = "def f(n):\n"         /* 1 */
                                  "    if n:\n"         /* 2 */
                                  "        a = 1\n"     /* 3 */
                                  "    elif n > 2:\n"   /* 4 */
                                  "        a = 2\n"     /* 5 */
                                  "    else:\n"         /* 6 */
                                  "        a = 3\n"     /* 7 */
                                  "    for i in n:\n"   /* 8 */
                                  "        if i:\n"     /* 9 */
                                  "            break\n" /* 10 */
                                  "        pass\n"      /* 11 */
                                  "        a = 4\n"     /* 12 */
                                  "    else:\n"         /* 13 */
                                  "        a = 5\n"     /* 14 */
                                  "    while True:\n"   /* 15 */
                                  "        a = 6\n"     /* 16 */
                                  "        b = (a,\n"   /* 17 */
                                  "             1)\n"   /* 18 */
                                  "    return a\n";     /* 19 */

    (void)state;
    expect(program, "1", FLOW_LINE, "1 2");
    expect(program, "1 l2", FLOW_LINE, "2 3 4");
    expect(program, "1 l2 l4", FLOW_LINE, "4 5 7");
    expect(program, "1 l2 l3", FLOW_LINE, "3 8");
    expect(program, "1 l2 l3 l8", FLOW_LINE, "8 9 14");
    /* `break` and `pass` may go by unseen, and `while True`, too */
    expect(program, "1 l2 l3 l8 l9", FLOW_LINE, "9 10 11 12 15 16 19");
    expect(program, "1 l2 l3 l8 l9 l12", FLOW_LINE, "8 12");
    expect(program, "1 l2 l3 l8 l14 l15 l16", FLOW_LINE, "16 17 18");
    expect(program, "1 l2 l3", FLOW_RETURN, "3");
    expect(program, "1 l2 l3", FLOW_EXCEPTION, "3");
}

static void flow__unwinds(void **state)
{
    static const char program[] = "def f(n):\n"                 /* 1 */
                                  "    try:\n"                  /* 2 */
                                  "        a = n()\n"           /* 3 */
                                  "    except KeyError as e:\n" /* 4 */
                                  "        a = 1\n"             /* 5 */
                                  "    else:\n"                 /* 6 */
                                  "        return a\n"          /* 7 */
                                  "    finally:\n"              /* 8 */
                                  "        b = 2\n"             /* 9 */
                                  "    with n:\n"               /* 10 */
                                  "        b = 3\n"             /* 11 */
                                  "        c = 4\n"             /* 12 */
                                  "    d = 5\n";                /* 13 */

    (void)state;
    expect(program, "1 l2", FLOW_LINE, "2 3");
    expect(program, "1 l2 l3", FLOW_LINE, "3 7");
    expect(program, "1 l2 l3 e3", FLOW_LINE, "4");
    expect(program, "1 l2 l3 e3 l4", FLOW_LINE, "4 5 9");
    expect(program, "1 l2 l3 l7", FLOW_LINE, "7 9");
    /* and back to what led to the `finally` */
    expect(program, "1 l2 l3 l7 l9", FLOW_LINE, "7 9 10");
    expect(program, "1 l2 l3 e3 l4 l5 l9 l10 l11", FLOW_LINE, "11 12");
    expect(program, "1 l2 l3 e3 l4 l5 l9 l10 l11 e11", FLOW_LINE, "10 12 13");
    expect(program, "1 l2 l3 e3 l4 l5 l9 l10 l11 l12", FLOW_LINE, "10 12 13");
}

static void flow__knows_scopes(void **state)
{
    static const char program[] = "@d\n"                    /* 1 */
                                  "def f(n):\n"             /* 2 */
                                  "    'doc'\n"             /* 3 */
                                  "    class A:\n"          /* 4 */
                                  "        x = 1\n"         /* 5 */
                                  "    y = [i\n"            /* 6 */
                                  "         for i in n]\n"  /* 7 */
                                  "    yield y\n"           /* 8 */
                                  "    return lambda: y\n"; /* 9 */

    (void)state;
    expect(program, "1", FLOW_LINE, "1 2 3 4");
    expect(program, "4", FLOW_LINE, "4 5");
    expect(program, "1 l4", FLOW_LINE, "4 6 7");
    expect(program, "8", FLOW_LINE, "8 9"); /* resumed */
    expect(program, "9", FLOW_LINE, "9");
    expect(program, "1 l4 l6", FLOW_EXCEPTION, "6 7");
}

static void flow__lets_all_pass_that_does_not_parse(void **state)
{
    static const char program[] = "def f(:\n  x = 1\n  y = 2\n";

    (void)state;
    expect(program, "2", FLOW_LINE, "1 2 3");
    expect(program, "2 e1", FLOW_RETURN, "1 2 3");
}

static void flow__begins_a_script_where_its_code_does(void **state)
{
    struct flow_places at = {.n = 0};
    uint32_t n_lines;
    struct source_flow *f = flow_of("# x\n\nimport y\nz = 1\n", &n_lines);
    char got[64];

    (void)state;
    assert_int_equal(source_flow_script(f, &at, NULL), CWM_OK);
    tell(&at, n_lines, got, sizeof got);
    assert_string_equal(got, "3");
    flow_places_release(&at);
    source_flow_free(f);
    f = flow_of("", &n_lines); /* nothing, and no harm */
    assert_int_equal(source_flow_script(f, &at, NULL), CWM_OK);
    flow_places_release(&at);
    source_flow_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flow__branches_and_loops),
        cmocka_unit_test(flow__unwinds),
        cmocka_unit_test(flow__knows_scopes),
        cmocka_unit_test(flow__lets_all_pass_that_does_not_parse),
        cmocka_unit_test(flow__begins_a_script_where_its_code_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
