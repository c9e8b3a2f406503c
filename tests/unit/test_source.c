/* SPDX-License-Identifier: MIT */
/* test_source.c -- decoding, lines, definitions, limits. */
#include "tracer/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct source *parse_bytes(const char *text, size_t len)
{
    struct source *s = NULL;
    struct cwm_err err = {0};

    if (source_new(text, len, "prog.py", &s, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return s;
}

static struct source *parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void assert_refused(const char *text, size_t len, enum cwm_rc code,
                           const char *message)
{
    struct source *s = NULL;
    struct cwm_err err = {0};

    assert_int_equal(source_new(text, len, "prog.py", &s, &err), code);
    assert_string_equal(err.message, message);
    assert_null(s);
}

static void assert_text(const char *bytes, size_t len, const char *want)
{
    struct source *s = parse_bytes(bytes, len);
    size_t n;
    const char *text = source_text(s, &n);

    assert_string_equal(text, want);
    assert_int_equal(n, strlen(want));
    source_free(s);
}

#define ASSERT_TEXT(bytes, want) assert_text(bytes, sizeof bytes - 1, want)
#define ASSERT_REFUSED(bytes, code, message)                                   \
    assert_refused(bytes, sizeof bytes - 1, code, message)

/* One line a definition: "kind qualname first/def/colon/body/last params
 * parent", with "-" in front of what no attribute reaches. */
static void assert_defs(const char *text, const char *want)
{
    static const char kinds[] = "fac";
    struct source *s = parse(text);
    struct cwm_buf got;
    size_t n;
    const struct source_def *defs = source_defs(s, &n);

    cwm_buf_init(&got, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        const struct source_def *d = &defs[i];

        cwm_buf_addf(&got, "%s%c %s %u/%u/%u/%u/%u %u %d\n",
                     d->is_reachable ? "" : "-", kinds[d->kind], d->qualname,
                     d->first_line, d->def_line, d->header_end_line,
                     d->body_line, d->last_line, d->n_params, d->parent);
        assert_string_equal(d->name, d->qualname + strlen(d->qualname) -
                                         strlen(d->name));
    }
    assert_string_equal(got.data ? got.data : "", want);
    cwm_buf_release(&got);
    source_free(s);
}

static void source__text_is_utf8_with_lf(void **state)
{
    (void)state;
    ASSERT_TEXT("", "");
    ASSERT_TEXT("\xEF\xBB\xBF", "");
    ASSERT_TEXT("\xEF\xBB\xBFx = 1\r\n", "x = 1\n");
    ASSERT_TEXT("a\r\nb\rc\n\rd\r\r\n", "a\nb\nc\n\nd\n\n");
    ASSERT_TEXT("a\f\vb\x1c\n", "a\f\vb\x1c\n");
    ASSERT_TEXT("# coding: latin-1\ns = '\xE9'\n",
                "# coding: latin-1\ns = '\xC3\xA9'\n");
    ASSERT_TEXT("# coding: shift_jis\n# \\~\x83\x5C\n",
                "# coding: shift_jis\n# \\~\xE3\x82\xBD\n");
    ASSERT_TEXT("\n# vim: set fileencoding=iso-8859-15 :\n# \xA4\n",
                "\n# vim: set fileencoding=iso-8859-15 :\n# \xE2\x82\xAC\n");
}

static void source__a_decoded_text_is_not_decoded_again(void **state)
{
    static const char text[] = "# coding: latin-1\r\ns = '\xC3\xA9'";
    struct source *s = NULL;
    struct cwm_err err = {0};
    size_t len;

    (void)state;
    assert_int_equal(source_new_text(text, sizeof text - 1, "x", &s, &err),
                     CWM_OK);
    assert_string_equal(source_text(s, &len),
                        "# coding: latin-1\ns = '\xC3\xA9'");
    source_free(s);
    s = NULL;
    assert_int_equal(source_new_text("\n\xE9", 2, "x", &s, &err), CWM_FORMAT);
    assert_null(s);
}

static void source__what_cannot_be_read_says_where(void **state)
{
    (void)state;
    ASSERT_REFUSED("x = 1\r\ny = '\xE9'\r\n", CWM_FORMAT,
                   "cannot decode 'prog.py': line 2, byte 13 of the file "
                   "(0xe9) is not UTF-8\n"
                   "name its encoding on line 1: # coding: latin-1");
    ASSERT_REFUSED("'\xED\xA0\x80'", CWM_FORMAT,
                   "cannot decode 'prog.py': line 1, byte 2 of the file (0xed) "
                   "is not UTF-8\n"
                   "name its encoding on line 1: # coding: latin-1");
    ASSERT_REFUSED("x = 1\ry = '\0'\n", CWM_FORMAT,
                   "cannot read 'prog.py': line 2, byte 12 of the file is a "
                   "NUL, which no program may hold");
    ASSERT_REFUSED("# coding: ascii\n\n'\xE9'\n", CWM_FORMAT,
                   "cannot decode 'prog.py': line 3, byte 19 of the file "
                   "(0xe9) is not ascii, which the file says it is");
    ASSERT_REFUSED("# coding: big5\n#\n'\xC6\xA1'\n", CWM_FORMAT,
                   "cannot decode 'prog.py': line 3, byte 19 of the file "
                   "(0xc6) is not big5, which the file says it is");
    ASSERT_REFUSED("# coding: euc-jp\n'\xA4", CWM_FORMAT,
                   "cannot decode 'prog.py': line 2, byte 19 of the file "
                   "(0xa4) is not euc-jp, which the file says it is");
    ASSERT_REFUSED("# coding: utf-7\n", CWM_FORMAT,
                   "cannot decode 'prog.py': there is no decoder for its "
                   "encoding 'utf-7'\nsave it as UTF-8");
    ASSERT_REFUSED("\xEF\xBB\xBF# coding: latin-1\n", CWM_FORMAT,
                   "cannot decode 'prog.py': a UTF-8 byte order mark and the "
                   "encoding 'latin-1' contradict each other");
    ASSERT_REFUSED("\xFF\xFEx\0", CWM_FORMAT,
                   "cannot decode 'prog.py': it begins like UTF-16, which "
                   "Python does not read programs in\nsave it as UTF-8");
}

static void source__the_size_limit_is_exact(void **state)
{
    size_t limit = (size_t)64 << 20;
    char *data = malloc(limit + 1);
    struct source *s = NULL;

    (void)state;
    assert_non_null(data);
    memset(data, '#', limit + 1);
    assert_refused(data, limit + 1, CWM_LIMIT,
                   "cannot read 'prog.py': 67108865 bytes are over the limit "
                   "of 67108864");
    s = parse_bytes(data, limit); /* one comment */
    assert_int_equal(source_n_lines(s), 1);
    source_free(s);
    free(data);
}

static void assert_line(const struct source *s, uint32_t line, const char *want)
{
    size_t len;
    const char *text = source_line(s, line, &len);

    assert_int_equal(len, strlen(want));
    assert_memory_equal(text, want, len);
}

static void source__lines_lose_their_end_and_the_marker(void **state)
{
    struct source *s = parse("");

    (void)state;
    assert_int_equal(source_n_lines(s), 0);
    assert_line(s, 0, "");
    assert_line(s, 1, "");
    source_free(s);

    s = parse("a\n\n  b");
    assert_int_equal(source_n_lines(s), 3);
    assert_line(s, 1, "a");
    assert_line(s, 2, "");
    assert_line(s, 3, "  b");
    assert_line(s, 4, "");
    source_free(s);

    /* A suffix, not a set of characters: "ART", "<<" and spaces stay. */
    s = parse("def START(): #T\n"
              "def f():  # ART   # << START_OF_TRACE\n"
              "def g(): # << START_OF_TRACE  \n"
              "x = '# << START_OF_TRACE'\n"
              "'''\n  # << START_OF_TRACE\n'''\n"
              "# << START_OF_TRACE\n"
              "y = 1 # << START_OF_TRACE?\n"
              "z # << START_OF_TRACE");
    assert_line(s, 1, "def START(): #T");
    assert_line(s, 2, "def f():  # ART ");
    assert_line(s, 3, "def g():");
    assert_line(s, 4, "x = '# << START_OF_TRACE'");
    assert_line(s, 6, "  # << START_OF_TRACE");
    assert_line(s, 8, "");
    assert_line(s, 9, "y = 1 # << START_OF_TRACE?");
    assert_line(s, 10, "z");
    source_free(s);
}

static void source__definitions_have_names_and_spans(void **state)
{
    (void)state;
    assert_defs("def f(x): return x\n", "f f 1/1/1/1/1 1 -1\n");
    assert_defs("@dec\n@dec2(\n  1)\nasync def f(a, /, b: int = 3, *args,\n"
                "      c=lambda x: 1, **kw) -> int:  # c:\n"
                "    # comment\n    '''doc'''\n    x = 1\n    # trailing\n\n",
                "a f 1/4/5/7/8 5 -1\n");
    assert_defs("class A(B):\n"
                "\tx = 1\n"
                "\tdef m(self, *, k): return 1\n"
                "\t@property\n\tdef p(self):\n\t\tpass\n"
                "\t@p.setter\n\tdef p(self, v):\n\t\tdef q(): pass\n"
                "\t\tclass C:\n\t\t\tdef r(self): pass\n"
                "\tclass D:\n\t\tdef m(): pass\n",
                "c A 1/1/1/2/13 0 -1\n"
                "f A.m 3/3/3/3/3 2 0\n"
                "f A.p 4/5/5/6/6 1 0\n"
                "f A.p 7/8/8/9/11 2 0\n"
                "-f A.p.<locals>.q 9/9/9/9/9 0 3\n"
                "-c A.p.<locals>.C 10/10/10/11/11 0 3\n"
                "-f A.p.<locals>.C.r 11/11/11/11/11 1 5\n"
                "c A.D 12/12/12/13/13 0 0\n"
                "f A.D.m 13/13/13/13/13 0 7\n");
    /* After "async \" Python counts from the first of the two lines. */
    assert_defs("x = 1; y = \\\n  2\nasync \\\n def g(): pass\n"
                "def \\\n h \\\n ( \\\n ) : \\\n  pass\n",
                "a g 3/4/4/4/4 0 -1\nf h 5/5/8/9/9 0 -1\n");
    assert_defs("def f[T: (int, str), *U](x: T) -> list[T]: ...\n"
                "class G[T]: pass\ntype X[T] = T\n",
                "f f 1/1/1/1/1 1 -1\nc G 2/2/2/2/2 0 -1\n");
    assert_defs("def \xC3\xA9t\xC3\xA9(\xCE\xB1, \xCE\xB2): pass\n",
                "f \xC3\xA9t\xC3\xA9 1/1/1/1/1 2 -1\n");
}

static void source__definitions_are_found_in_every_statement(void **state)
{
    (void)state;
    assert_defs("if x:\n def a(): pass\nelif y:\n def b(): pass\n"
                "else:\n def c(): pass\n"
                "try:\n def d(): pass\nexcept E:\n def e(): pass\n"
                "else:\n def f(): pass\nfinally:\n def g(): pass\n"
                "try: pass\nexcept* E:\n def h(): pass\n"
                "with x as y, z:\n def i(): pass\n"
                "for x in y:\n def j(): pass\nelse:\n def k(): pass\n"
                "while x:\n def l(): pass\nelse:\n def m(): pass\n"
                "match x:\n case 1:\n  def n(): pass\n case _:\n"
                "  class o:\n   def p(): pass\n",
                "f a 2/2/2/2/2 0 -1\nf b 4/4/4/4/4 0 -1\n"
                "f c 6/6/6/6/6 0 -1\nf d 8/8/8/8/8 0 -1\n"
                "f e 10/10/10/10/10 0 -1\nf f 12/12/12/12/12 0 -1\n"
                "f g 14/14/14/14/14 0 -1\nf h 17/17/17/17/17 0 -1\n"
                "f i 19/19/19/19/19 0 -1\nf j 21/21/21/21/21 0 -1\n"
                "f k 23/23/23/23/23 0 -1\nf l 25/25/25/25/25 0 -1\n"
                "f m 27/27/27/27/27 0 -1\nf n 30/30/30/30/30 0 -1\n"
                "c o 32/32/32/33/33 0 -1\nf o.p 33/33/33/33/33 0 14\n");
    /* Soft keywords as names, and a decorator that decorates one thing. */
    assert_defs("match = type = case = _ = 1\nprint(match)\nmatch(type)\n"
                "def match(case): pass\ndef type(): pass\n@a\ndef f(): pass\n"
                "class X:\n def print(self): pass\n",
                "f match 4/4/4/4/4 1 -1\nf type 5/5/5/5/5 0 -1\n"
                "f f 6/7/7/7/7 0 -1\nc X 8/8/8/9/9 0 -1\n"
                "f X.print 9/9/9/9/9 1 3\n");
    /* Not definitions. */
    assert_defs("'''\ndef f(): pass\n'''\n# def g(): pass\n"
                "h = lambda: 0\nx = {'def': 1}\n",
                "");
}

static void source__definitions_survive_a_syntax_error(void **state)
{
    struct source *s;
    const struct source_error *error;

    (void)state;
    assert_defs("def a():\n    pass\n\nx = = 3\n\ndef b(y):\n    return y\n",
                "f a 1/1/1/2/2 0 -1\nf b 6/6/6/7/7 1 -1\n");
    s = parse("def a():\n    pass\n\n\xC3\xA9 = = 3\n");
    error = source_syntax_error(s);
    assert_non_null(error);
    assert_int_equal(error->line, 4);
    assert_int_equal(error->column, 5); /* characters, not bytes */
    assert_string_equal(error->message, "cannot parse near '= 3'");
    source_free(s);

    s = parse("print 'two'\nexec 'x'\nx = 1\n"); /* the interpreter's affair */
    assert_null(source_syntax_error(s));
    source_free(s);
}

static void source__the_deepest_function_holds_a_line(void **state)
{
    struct source *s = parse("x = 1\n"         /* 1 */
                             "@dec\n"          /* 2 */
                             "def f():\n"      /* 3 */
                             "    def g():\n"  /* 4 */
                             "        pass\n"  /* 5 */
                             "    class C:\n"  /* 6 */
                             "        y = 1\n" /* 7 */
                             "    return g\n"  /* 8 */
                             "\n"              /* 9 */
                             "class D:\n"      /* 10 */
                             "    z = 1\n"     /* 11 */
                             "    def m(): pass\n" /* 12 */);
    static const int want[] = {-1, -1, 0, 0, 1, 1, 0, 0, 0, -1, -1, -1, 4, -1};

    (void)state;
    for (uint32_t line = 0; line < sizeof want / sizeof want[0]; line++) {
        if (source_def_at(s, line) != want[line]) {
            fail_msg("line %u: %d, not %d", line, source_def_at(s, line),
                     want[line]);
        }
    }
    source_free(s);
}

static void source__the_first_code_line_is_no_comment(void **state)
{
    static const struct {
        const char *text;
        uint32_t line;
    } cases[] = {
        {"", 0},
        {"\n\n# x\n", 0},
        {"#!/bin/x\n\n\f\nimport os\n", 4},
        {"'''doc'''\nx = 1\n", 1}, /* CPython runs a line for it */
        {"# c\n\n@dec\ndef f(): pass\n", 3},
        {"\\\n\\\nx = 1\n", 3},
        {"   # c\n(\n 1)\n", 2},
        {"pass", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct source *s = parse(cases[i].text);

        assert_int_equal(source_first_code_line(s), cases[i].line);
        source_free(s);
    }
}

/* `unit` n times, in one text. */
static char *repeat(const char *unit, size_t n)
{
    size_t len = strlen(unit);
    char *text = malloc(len * n + 1);

    assert_non_null(text);
    for (size_t i = 0; i < n; i++) {
        memcpy(text + i * len, unit, len);
    }
    text[len * n] = '\0';
    return text;
}

static double cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void source__nesting_does_not_exhaust_the_stack(void **state)
{
    static const char *const units[] = {
        "(",        "[",      "-",      "lambda:",
        "not ",     "f'{",    "x=",     "a if b else ",
        "if x:\n",  "\"\"\"", "match ", "@",
        "a.b(c)[d]"};

    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        char *text = repeat(units[i], 20000);
        struct source *s = NULL;

        /* Whatever it is taken for: it ends, and nothing is overrun. */
        (void)source_new(text, strlen(text), "bomb.py", &s, NULL);
        source_free(s);
        free(text);
    }
}

static void source__too_many_indentations_are_refused(void **state)
{
    struct cwm_buf text;
    struct cwm_err err = {0};
    struct source *s = NULL;

    (void)state;
    cwm_buf_init(&text, 10 << 20);
    for (int width = 0; width < 380; width++) {
        cwm_buf_addf(&text, "%*sif x:\n", width, "");
    }
    assert_int_equal(source_new(text.data, text.len, "deep.py", &s, &err),
                     CWM_OK);
    source_free(s);
    s = NULL;
    cwm_buf_addf(&text, "%*spass\n", 380, "");
    assert_int_equal(source_new(text.data, text.len, "deep.py", &s, &err),
                     CWM_LIMIT);
    assert_string_equal(err.message,
                        "cannot parse 'deep.py': its lines have 381 different "
                        "indentations, over the limit of 380");
    cwm_buf_release(&text);
}

static void source__a_quadratic_text_is_given_up(void **state)
{
    char *text = repeat("def f(\n", 30000);
    double start = cpu_s();
    struct cwm_err err = {0};
    struct source *s = NULL;

    (void)state;
    assert_int_equal(source_new(text, strlen(text), "slow.py", &s, &err),
                     CWM_LIMIT);
    assert_string_equal(err.message, "cannot parse 'slow.py': it would take "
                                     "more than 3 s");
    if (cpu_s() - start > 20) {
        fail_msg("giving up took %.1f s", cpu_s() - start);
    }
    free(text);
}

static void source__many_functions_take_linear_time(void **state)
{
    char *few = repeat("def f(a, b):\n    return a + b\n\n", 5000);
    char *many = repeat("def f(a, b):\n    return a + b\n\n", 50000);
    struct source *s;
    double start = cpu_s();
    double few_s;
    double many_s;
    size_t n;

    (void)state;
    s = parse(few);
    few_s = cpu_s() - start;
    source_free(s);
    start = cpu_s();
    s = parse(many);
    for (uint32_t line = 1; line <= source_n_lines(s); line++) {
        assert_int_equal(source_def_at(s, line),
                         line % 3 == 0 ? -1 : (int)(line / 3));
    }
    many_s = cpu_s() - start;
    source_defs(s, &n);
    assert_int_equal(n, 50000);
    source_free(s);
    if (many_s > 10 * few_s * 5) {
        fail_msg("5,000 functions: %.3f s, 50,000: %.3f s", few_s, many_s);
    }
    free(few);
    free(many);
}

static void source__long_names_do_not_multiply(void **state)
{
    struct cwm_buf text;
    struct cwm_err err = {0};
    struct source *s = NULL;

    (void)state;
    cwm_buf_init(&text, 10 << 20);
    cwm_buf_adds(&text, "class A");
    for (int i = 0; i < 1 << 20; i++) {
        cwm_buf_addc(&text, 'a');
    }
    cwm_buf_adds(&text, ":\n");
    for (int i = 0; i < 300; i++) {
        cwm_buf_adds(&text, "    def m(self): pass\n");
    }
    assert_int_equal(source_new(text.data, text.len, "long.py", &s, &err),
                     CWM_LIMIT);
    assert_string_equal(err.message,
                        "cannot read 'long.py': the names of its functions "
                        "are larger than 268435456 bytes");
    cwm_buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source__text_is_utf8_with_lf),
        cmocka_unit_test(source__a_decoded_text_is_not_decoded_again),
        cmocka_unit_test(source__what_cannot_be_read_says_where),
        cmocka_unit_test(source__the_size_limit_is_exact),
        cmocka_unit_test(source__lines_lose_their_end_and_the_marker),
        cmocka_unit_test(source__definitions_have_names_and_spans),
        cmocka_unit_test(source__definitions_are_found_in_every_statement),
        cmocka_unit_test(source__definitions_survive_a_syntax_error),
        cmocka_unit_test(source__the_deepest_function_holds_a_line),
        cmocka_unit_test(source__the_first_code_line_is_no_comment),
        cmocka_unit_test(source__nesting_does_not_exhaust_the_stack),
        cmocka_unit_test(source__too_many_indentations_are_refused),
        cmocka_unit_test(source__a_quadratic_text_is_given_up),
        cmocka_unit_test(source__many_functions_take_linear_time),
        cmocka_unit_test(source__long_names_do_not_multiply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
