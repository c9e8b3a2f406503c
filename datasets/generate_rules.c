/* SPDX-License-Identifier: MIT */
/*
 * generate_rules.c -- the table of expressions: a pattern with typed holes for
 * each, and how the bounds of the whole follow from those of its holes.
 *
 * Holes (what must hold a variable is marked v, what must not be empty n):
 *   i int  I int v  N int v, never negative  f float v  b condition
 *   s str v  S str v n  C one character v  l list[int] v  L v n
 *   a list[str] v  A v n  m list of lists v  M v n  p list of int pairs v
 *   P list of (str, int) v  d str->int v  D v n  e int->int v  g str->list v
 *   h str->str v  u set[int] v  U set[str] v  t pair of ints v  T (str, int) v
 *   y tuple of ints v  x anything with a length v
 *   k 2..9  K 2..100  z 0..3  c -9..99
 *   q a character  w a word  j a separator
 *   0 the first hole's text again
 * A doubled % is one.
 */
#include "datasets/generate_internal.h"

#include <inttypes.h>
#include <string.h>

enum how {           /* the bound of the whole */
           H_INT,    /* 0 .. arg */
           H_SIGNED, /* -arg .. arg */
           H_SUM,
           H_DIFF,
           H_MUL,
           H_DIV,    /* of the first, by at least 1 */
           H_SAME,   /* the first's */
           H_ABS,    /* the first's without its sign */
           H_OR,     /* of all */
           H_MOD,    /* below the second's */
           H_BITS,   /* below twice the largest */
           H_LEN,    /* 0 .. the first's length + arg */
           H_TOTAL,  /* the first's sum */
           H_ELEM,   /* an element of the first */
           H_SHRINK, /* the first's or a part of it */
           H_CONCAT,
           H_REPEAT, /* the first, as often as the second says */
           H_MORE,   /* the first and arg more of the others */
           H_LIST,   /* the holes are the items */
           H_BOOL,
           H_DIGITS, /* a number's text */
           H_JOIN,
           H_TEXT,  /* all holes' texts and arg characters */
           H_SPLIT, /* a list of parts of the first */
           H_WIDE,  /* at least arg or the second's value wide */
           H_RANGE,
           H_KEYS, /* the first's keys or items in another container */
           H_FLAT,
           H_ZIP,
           H_NEST, /* the holes are items that are containers */
           H_ROWS, /* turned by 90 degrees */
           H_CHAR,
           H_LENS, /* numbers up to the inner length */
           H_CODES
};

struct rule {
    enum gen_type type;
    uint8_t weight;
    uint8_t precedence;
    uint8_t how;
    uint16_t arg;
    const char *pattern;
};

static const struct rule rules[] = {
    {T_INT, 20, P_SUM, H_SUM, 0, "%I + %i"},
    {T_INT, 12, P_SUM, H_DIFF, 0, "%I - %i"},
    {T_INT, 9, P_PRODUCT, H_MUL, 0, "%I * %k"},
    {T_INT, 6, P_PRODUCT, H_MUL, 0, "%I * %I"},
    {T_INT, 7, P_PRODUCT, H_DIV, 0, "%I // %k"},
    {T_INT, 9, P_PRODUCT, H_MOD, 0, "%I %% %K"},
    {T_INT, 3, P_PRODUCT, H_DIV, 0, "%I // (%N + 1)"},
    {T_INT, 3, P_PRODUCT, H_SAME, 0, "%N %% (%N + 1)"},
    {T_INT, 4, P_ATOM, H_ABS, 0, "abs(%I)"},
    {T_INT, 4, P_ATOM, H_DIFF, 0, "abs(%I - %I)"},
    {T_INT, 6, P_ATOM, H_OR, 0, "max(%I, %i)"},
    {T_INT, 6, P_ATOM, H_OR, 0, "min(%I, %i)"},
    {T_INT, 16, P_ATOM, H_LEN, 0, "len(%x)"},
    {T_INT, 7, P_ATOM, H_TOTAL, 0, "sum(%l)"},
    {T_INT, 4, P_ATOM, H_ELEM, 0, "max(%L)"},
    {T_INT, 4, P_ATOM, H_ELEM, 0, "min(%L)"},
    {T_INT, 7, P_ATOM, H_ELEM, 0, "%L[0]"},
    {T_INT, 5, P_ATOM, H_ELEM, 0, "%L[-1]"},
    {T_INT, 4, P_ATOM, H_ELEM, 0, "%L[%I %% len(%0)]"},
    {T_INT, 2, P_ATOM, H_ELEM, 0, "%L[len(%0) // 2]"},
    {T_INT, 3, P_ATOM, H_ELEM, 0, "sorted(%L)[len(%0) // 2]"},
    {T_INT, 5, P_ATOM, H_LEN, 0, "%s.count(%q)"},
    {T_INT, 3, P_ATOM, H_LEN, 0, "%l.count(%i)"},
    {T_INT, 3, P_ATOM, H_LEN, 0, "%a.count(%s)"},
    {T_INT, 3, P_ATOM, H_SIGNED, 80, "%s.find(%q)"},
    {T_INT, 1, P_ATOM, H_SIGNED, 80, "%s.rfind(%q)"},
    {T_INT, 4, P_POWER, H_MUL, 0, "%I ** 2"},
    {T_INT, 2, P_BITXOR, H_BITS, 0, "%I ^ %i"},
    {T_INT, 2, P_BITAND, H_INT, 9, "%N & %k"},
    {T_INT, 1, P_BITOR, H_BITS, 0, "%N | %k"},
    {T_INT, 2, P_SHIFT, H_DIV, 0, "%N >> 1"},
    {T_INT, 1, P_SHIFT, H_SUM, 0, "%I << 1"},
    {T_INT, 4, P_ATOM, H_INT, 127, "ord(%C)"},
    {T_INT, 2, P_SUM, H_SIGNED, 97, "ord(%C) - ord('a')"},
    {T_INT, 3, P_ATOM, H_INT, 1, "int(%b)"},
    {T_INT, 4, P_ATOM, H_TOTAL, 0, "sum(%y)"},
    {T_INT, 4, P_ATOM, H_ABS, 0, "abs(%t[0] - %0[1])"},
    {T_INT, 5, P_ATOM, H_ELEM, 0, "%t[0]"},
    {T_INT, 5, P_ATOM, H_ELEM, 0, "%t[1]"},
    {T_INT, 5, P_ATOM, H_ELEM, 0, "%T[1]"},
    {T_INT, 6, P_ATOM, H_OR, 0, "%d.get(%s, %z)"},
    {T_INT, 3, P_ATOM, H_OR, 0, "%d.get(%w, %c)"},
    {T_INT, 4, P_ATOM, H_OR, 0, "%e.get(%I, %i)"},
    {T_INT, 3, P_ATOM, H_TOTAL, 0, "sum(%d.values())"},
    {T_INT, 2, P_ATOM, H_SAME, 0, "max(%D.values())"},
    {T_INT, 2, P_ATOM, H_LENS, 0, "len(%g.get(%s, []))"},
    {T_INT, 3, P_ATOM, H_LEN, 0, "len(set(%s))"},
    {T_INT, 3, P_ATOM, H_LEN, 0, "len(set(%l))"},
    {T_INT, 3, P_ATOM, H_LEN, 1, "len(%s.split())"},
    {T_INT, 4, P_LOWEST, H_OR, 0, "%I if %b else %i"},
    {T_INT, 2, P_UNARY, H_DIFF, 0, "-%I"},
    {T_INT, 2, P_ATOM, H_INT, 14, "len(str(%I))"},
    {T_INT, 1, P_ATOM, H_INT, 40, "bin(%N).count('1')"},
    {T_INT, 1, P_ATOM, H_MOD, 0, "pow(%N, %K, %K)"},
    {T_INT, 1, P_ATOM, H_INT, 40, "%N.bit_length()"},
    {T_INT, 3, P_ATOM, H_SAME, 0, "int(%f)"},
    {T_INT, 2, P_ATOM, H_SAME, 0, "round(%f)"},
    {T_INT, 2, P_ATOM, H_LENS, 0, "max(len(%s), len(%s))"},
    {T_INT, 3, P_ATOM, H_TOTAL, 0, "sum(%l[::2])"},
    {T_INT, 2, P_PRODUCT, H_SAME, 0, "sum(%L) // len(%0)"},
    {T_INT, 2, P_ATOM, H_TOTAL, 0, "sum(sorted(%l)[:%k])"},
    {T_INT, 2, P_SUM, H_ABS, 0, "max(%L) - min(%0)"},
    {T_INT, 3, P_ATOM, H_FLAT, 0, "sum(map(sum, %m))"},
    {T_INT, 2, P_ATOM, H_LEN, 0, "sum(map(len, %A))"},
    {T_INT, 2, P_ATOM, H_ELEM, 0, "divmod(%I, %k)[0]"},

    {T_STR, 16, P_SUM, H_CONCAT, 0, "%s + %s"},
    {T_STR, 4, P_SUM, H_CONCAT, 0, "%s + %q"},
    {T_STR, 3, P_SUM, H_CONCAT, 0, "%q + %s"},
    {T_STR, 8, P_ATOM, H_SAME, 0, "%s.upper()"},
    {T_STR, 6, P_ATOM, H_SAME, 0, "%s.lower()"},
    {T_STR, 4, P_ATOM, H_SAME, 0, "%s.title()"},
    {T_STR, 4, P_ATOM, H_SAME, 0, "%s.capitalize()"},
    {T_STR, 3, P_ATOM, H_SAME, 0, "%s.swapcase()"},
    {T_STR, 9, P_ATOM, H_SAME, 0, "%s[::-1]"},
    {T_STR, 6, P_ATOM, H_SHRINK, 0, "%s[1:]"},
    {T_STR, 4, P_ATOM, H_SHRINK, 0, "%s[:-1]"},
    {T_STR, 6, P_ATOM, H_SHRINK, 0, "%s[:%k]"},
    {T_STR, 3, P_ATOM, H_SHRINK, 0, "%s[%z:%k]"},
    {T_STR, 3, P_ATOM, H_SHRINK, 0, "%s[::2]"},
    {T_STR, 2, P_ATOM, H_SHRINK, 0, "%s[-%k:]"},
    {T_STR, 3, P_ATOM, H_SHRINK, 0, "%s[%I:]"},
    {T_STR, 6, P_ATOM, H_SAME, 0, "%s.replace(%q, %q)"},
    {T_STR, 4, P_ATOM, H_SHRINK, 0, "%s.replace(%q, '')"},
    {T_STR, 4, P_ATOM, H_SHRINK, 0, "%s.strip()"},
    {T_STR, 4, P_ATOM, H_SHRINK, 0, "%s.strip(%q)"},
    {T_STR, 2, P_ATOM, H_SHRINK, 0, "%s.lstrip(%q)"},
    {T_STR, 2, P_ATOM, H_SHRINK, 0, "%s.rstrip(%q)"},
    {T_STR, 10, P_ATOM, H_DIGITS, 0, "str(%I)"},
    {T_STR, 12, P_ATOM, H_JOIN, 0, "%j.join(%a)"},
    {T_STR, 5, P_ATOM, H_SAME, 0, "''.join(sorted(%s))"},
    {T_STR, 3, P_ATOM, H_SAME, 0, "''.join(reversed(%s))"},
    {T_STR, 3, P_ATOM, H_JOIN, 0, "%j.join(sorted(%a))"},
    {T_STR, 3, P_ATOM, H_JOIN, 0, "%j.join(sorted(%d))"},
    {T_STR, 4, P_PRODUCT, H_REPEAT, 0, "%s * %k"},
    {T_STR, 2, P_PRODUCT, H_INT, 9, "%q * (%I %% %k)"},
    {T_STR, 9, P_ATOM, H_TEXT, 1, "f\"%{s}-%{I}\""},
    {T_STR, 7, P_ATOM, H_TEXT, 2, "f\"%{s}: %{I}\""},
    {T_STR, 4, P_ATOM, H_TEXT, 2, "f\"%{s}(%{I})\""},
    {T_STR, 4, P_ATOM, H_TEXT, 1, "f\"%{I}/%{I}\""},
    {T_STR, 3, P_ATOM, H_TEXT, 6, "f\"%{I:03d}\""},
    {T_STR, 3, P_ATOM, H_TEXT, 12, "f\"%{s:>8}\""},
    {T_STR, 2, P_ATOM, H_TEXT, 12, "f\"%{s!r}\""},
    {T_STR, 2, P_ATOM, H_TEXT, 16, "f\"%{f:.2f}\""},
    {T_STR, 2, P_ATOM, H_TEXT, 4, "f\"[%{s}|%{s}]\""},
    {T_STR, 1, P_ATOM, H_TEXT, 8, "f\"%{N:b}\""},
    {T_STR, 2, P_ATOM, H_TEXT, 1, "'{}:{}'.format(%s, %I)"},
    {T_STR, 1, P_PRODUCT, H_TEXT, 8, "'%%s=%%d' %% (%s, %I)"},
    {T_STR, 2, P_ATOM, H_WIDE, 8, "%s.center(%K, %q)"},
    {T_STR, 2, P_ATOM, H_WIDE, 8, "%s.ljust(%k, %q)"},
    {T_STR, 2, P_ATOM, H_WIDE, 8, "%s.rjust(%k)"},
    {T_STR, 2, P_ATOM, H_WIDE, 8, "%s.zfill(%k)"},
    {T_STR, 4, P_LOWEST, H_OR, 0, "%s if %b else %s"},
    {T_STR, 5, P_ATOM, H_ELEM, 0, "%A[0]"},
    {T_STR, 4, P_ATOM, H_ELEM, 0, "%A[-1]"},
    {T_STR, 3, P_ATOM, H_ELEM, 0, "%A[%I %% len(%0)]"},
    {T_STR, 4, P_ATOM, H_ELEM, 0, "max(%A, key=len)"},
    {T_STR, 2, P_ATOM, H_ELEM, 0, "min(%A)"},
    {T_STR, 4, P_ATOM, H_ELEM, 0, "%S[0]"},
    {T_STR, 4, P_ATOM, H_ELEM, 0, "%S[-1]"},
    {T_STR, 4, P_ATOM, H_ELEM, 0, "%S[%I %% len(%0)]"},
    {T_STR, 3, P_ATOM, H_ELEM, 0, "max(%S)"},
    {T_STR, 2, P_ATOM, H_SHRINK, 0, "%s.split(%q)[0]"},
    {T_STR, 2, P_ATOM, H_SHRINK, 0, "%s.partition(%q)[2]"},
    {T_STR, 3, P_ATOM, H_CHAR, 1, "chr(ord('a') + %I %% 26)"},
    {T_STR, 2, P_ATOM, H_CHAR, 1, "'abcdefghij'[%I %% 10]"},
    {T_STR, 3, P_ATOM, H_OR, 0, "%h.get(%s, %w)"},
    {T_STR, 3, P_ATOM, H_OR, 0, "%h.get(%s, %s)"},
    {T_STR, 6, P_ATOM, H_LENS, 0, "%T[0]"},
    {T_STR, 1, P_ATOM, H_TEXT, 36, "bin(%N)[2:]"},
    {T_STR, 1, P_ATOM, H_TEXT, 12, "hex(%N)"},
    {T_STR, 2, P_OR, H_OR, 0, "%s or %w"},
    {T_STR, 1, P_ATOM, H_SHRINK, 0, "%s.removeprefix(%w)"},
    {T_STR, 2, P_ATOM, H_ELEM, 0, "sorted(%A)[0]"},
    {T_STR, 2, P_ATOM, H_ELEM, 0, "min(%D, key=%0.get)"},
    {T_STR, 3, P_ATOM, H_ELEM, 0, "max(%D, key=%0.get)"},

    {T_BOOL, 20, P_COMPARE, H_BOOL, 0, "%I > %i"},
    {T_BOOL, 18, P_COMPARE, H_BOOL, 0, "%I < %i"},
    {T_BOOL, 7, P_COMPARE, H_BOOL, 0, "%I >= %i"},
    {T_BOOL, 7, P_COMPARE, H_BOOL, 0, "%I <= %i"},
    {T_BOOL, 8, P_COMPARE, H_BOOL, 0, "%I == %i"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, "%I != %i"},
    {T_BOOL, 12, P_COMPARE, H_BOOL, 0, "%I %% %k == %z"},
    {T_BOOL, 6, P_COMPARE, H_BOOL, 0, "%I %% 2 == 0"},
    {T_BOOL, 3, P_PRODUCT, H_BOOL, 0, "%I %% 2"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, "%z <= %I < %K"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, "%I < %I < %I"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, "%I in (%c, %c, %c)"},
    {T_BOOL, 6, P_COMPARE, H_BOOL, 0, "%s in %s"},
    {T_BOOL, 8, P_COMPARE, H_BOOL, 0, "%s == %q"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, "%s != %q"},
    {T_BOOL, 8, P_COMPARE, H_BOOL, 0, "%s == %w"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, "%s in (%w, %w)"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, "%s.count(%q) > %z"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, "%s.find(%q) > 0"},
    {T_BOOL, 8, P_COMPARE, H_BOOL, 0, "%C in 'aeiou'"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, "%I in %l"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, "%I not in %l"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, "%s in %a"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, "%s not in %a"},
    {T_BOOL, 6, P_COMPARE, H_BOOL, 0, "%s in %d"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, "%s not in %d"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, "%I in %u"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, "%s in %U"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, "%I in %e"},
    {T_BOOL, 4, P_ATOM, H_BOOL, 0, "%s.isdigit()"},
    {T_BOOL, 4, P_ATOM, H_BOOL, 0, "%s.isalpha()"},
    {T_BOOL, 3, P_ATOM, H_BOOL, 0, "%s.isupper()"},
    {T_BOOL, 2, P_ATOM, H_BOOL, 0, "%s.islower()"},
    {T_BOOL, 2, P_ATOM, H_BOOL, 0, "%s.isalnum()"},
    {T_BOOL, 4, P_ATOM, H_BOOL, 0, "%s.startswith(%q)"},
    {T_BOOL, 4, P_ATOM, H_BOOL, 0, "%s.endswith(%q)"},
    {T_BOOL, 2, P_ATOM, H_BOOL, 0, "%s.startswith(%s)"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, "%s == %0[::-1]"},
    {T_BOOL, 9, P_COMPARE, H_BOOL, 0, "len(%x) > %k"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, "len(%x) %% 2 == %z"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, "len(%x) == %k"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, "len(%x) < len(%x)"},
    {T_BOOL, 4, P_NOT, H_BOOL, 0, "not %x"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, "%s < %s"},
    {T_BOOL, 7, P_AND, H_BOOL, 0, "%b and %b"},
    {T_BOOL, 5, P_OR, H_BOOL, 0, "%b or %b"},
    {T_BOOL, 2, P_NOT, H_BOOL, 0, "not %b"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, "%l == sorted(%0)"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, "%l[::-1] == %0"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, "sorted(%s) == sorted(%s)"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, "%u <= %u"},
    {T_BOOL, 1, P_ATOM, H_BOOL, 0, "%u.isdisjoint(%l)"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, "len(set(%l)) == len(%0)"},
    {T_BOOL, 2, P_ATOM, H_BOOL, 0, "bool(%x)"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, "%f > %i"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, "%t[0] < %0[1]"},
    {T_BOOL, 1, P_COMPARE, H_BOOL, 0, "%d.get(%s) is None"},

    {T_LI, 8, P_ATOM, H_SAME, 0, "sorted(%l)"},
    {T_LI, 5, P_ATOM, H_SAME, 0, "sorted(%l, reverse=True)"},
    {T_LI, 3, P_ATOM, H_SAME, 0, "sorted(%l, key=abs)"},
    {T_LI, 7, P_ATOM, H_SAME, 0, "%l[::-1]"},
    {T_LI, 6, P_ATOM, H_SHRINK, 0, "%l[1:]"},
    {T_LI, 3, P_ATOM, H_SHRINK, 0, "%l[:-1]"},
    {T_LI, 5, P_ATOM, H_SHRINK, 0, "%l[:%k]"},
    {T_LI, 3, P_ATOM, H_SHRINK, 0, "%l[::2]"},
    {T_LI, 2, P_ATOM, H_SHRINK, 0, "%l[%z:%k]"},
    {T_LI, 3, P_ATOM, H_SHRINK, 0, "%l[len(%0) // 2:]"},
    {T_LI, 7, P_SUM, H_MORE, 1, "%l + [%i]"},
    {T_LI, 3, P_SUM, H_CONCAT, 0, "%l + %l"},
    {T_LI, 3, P_SUM, H_CONCAT, 0, "%l[%k:] + %0[:%k]"},
    {T_LI, 4, P_ATOM, H_RANGE, 0, "list(range(%N))"},
    {T_LI, 2, P_ATOM, H_RANGE, 0, "list(range(1, %N))"},
    {T_LI, 4, P_ATOM, H_SAME, 0, "sorted(set(%l))"},
    {T_LI, 2, P_ATOM, H_SAME, 0, "list(dict.fromkeys(%l))"},
    {T_LI, 6, P_ATOM, H_LIST, 0, "[%I, %i]"},
    {T_LI, 5, P_ATOM, H_LIST, 0, "[%I, %I, %i]"},
    {T_LI, 3, P_ATOM, H_LIST, 0, "[%I]"},
    {T_LI, 5, P_ATOM, H_SAME, 0, "sorted(%u)"},
    {T_LI, 4, P_ATOM, H_KEYS, 0, "list(%d.values())"},
    {T_LI, 3, P_ATOM, H_KEYS, 0, "sorted(%d.values())"},
    {T_LI, 4, P_ATOM, H_KEYS, 0, "sorted(%e)"},
    {T_LI, 4, P_ATOM, H_SAME, 0, "list(%y)"},
    {T_LI, 3, P_PRODUCT, H_REPEAT, 0, "[%I] * %k"},
    {T_LI, 3, P_ATOM, H_ABS, 0, "list(map(abs, %l))"},
    {T_LI, 4, P_ATOM, H_LENS, 1, "[len(part) for part in %a]"},
    {T_LI, 3, P_ATOM, H_LENS, 1, "list(map(len, %a))"},
    {T_LI, 2, P_ATOM, H_CODES, 127, "list(map(ord, %s))"},
    {T_LI, 3, P_ATOM, H_CODES, 9, "[int(c) for c in str(%N)]"},
    {T_LI, 3, P_ATOM, H_ELEM, 0, "%M[0]"},
    {T_LI, 3, P_ATOM, H_ELEM, 0, "%M[-1]"},
    {T_LI, 3, P_ATOM, H_FLAT, 0, "sum(%m, [])"},
    {T_LI, 3, P_ATOM, H_TOTAL, 1, "list(map(sum, %m))"},
    {T_LI, 3, P_LOWEST, H_OR, 0, "%l if %b else %l"},
    {T_LI, 2, P_ATOM, H_SAME, 0, "%l.copy()"},
    {T_LI, 2, P_ATOM, H_MORE, 1, "[*%l, %i]"},
    {T_LI, 3, P_ATOM, H_NEST, 0, "%g.get(%s, [])"},
    {T_LI, 2, P_OR, H_OR, 0, "%l or [%I]"},

    {T_LS, 8, P_ATOM, H_SPLIT, 0, "%s.split()"},
    {T_LS, 8, P_ATOM, H_SPLIT, 0, "%s.split(%q)"},
    {T_LS, 7, P_ATOM, H_SAME, 0, "sorted(%a)"},
    {T_LS, 4, P_ATOM, H_SAME, 0, "sorted(%a, key=len)"},
    {T_LS, 3, P_ATOM, H_SAME, 0, "sorted(%a, key=str.lower)"},
    {T_LS, 6, P_ATOM, H_SAME, 0, "%a[::-1]"},
    {T_LS, 5, P_ATOM, H_SHRINK, 0, "%a[1:]"},
    {T_LS, 3, P_ATOM, H_SHRINK, 0, "%a[:%k]"},
    {T_LS, 5, P_SUM, H_MORE, 1, "%a + [%s]"},
    {T_LS, 7, P_ATOM, H_CHAR, 150, "list(%s)"},
    {T_LS, 5, P_ATOM, H_KEYS, 0, "sorted(%d)"},
    {T_LS, 4, P_ATOM, H_CHAR, 150, "sorted(set(%s))"},
    {T_LS, 5, P_ATOM, H_LIST, 0, "[%s, %s]"},
    {T_LS, 2, P_ATOM, H_LIST, 0, "[%s, %s, %w]"},
    {T_LS, 3, P_ATOM, H_KEYS, 0, "list(%h.values())"},
    {T_LS, 4, P_ATOM, H_SAME, 0, "list(map(str.upper, %a))"},
    {T_LS, 4, P_ATOM, H_DIGITS, 1, "list(map(str, %l))"},
    {T_LS, 4, P_ATOM, H_KEYS, 0, "sorted(%U)"},
    {T_LS, 2, P_PRODUCT, H_REPEAT, 0, "[%s] * %k"},
    {T_LS, 3, P_ATOM, H_KEYS, 0, "sorted(%g)"},
    {T_LS, 3, P_ATOM, H_SPLIT, 0, "sorted(%s.split(%q))"},
    {T_LS, 2, P_ATOM, H_SAME, 0, "list(dict.fromkeys(%a))"},
    {T_LS, 2, P_LOWEST, H_OR, 0, "%a if %b else %a"},

    {T_LLI, 4, P_ATOM, H_NEST, 0, "[%l, %l]"},
    {T_LLI, 2, P_ATOM, H_NEST, 0, "[%l]"},
    {T_LLI, 5, P_ATOM, H_SAME, 0, "%m[::-1]"},
    {T_LLI, 5, P_ATOM, H_ROWS, 0, "[list(row) for row in zip(*%m)]"},
    {T_LLI, 3, P_ATOM, H_SAME, 0, "sorted(%m)"},
    {T_LLI, 4, P_ATOM, H_SAME, 0, "sorted(%m, key=sum)"},
    {T_LLI, 3, P_ATOM, H_SAME, 0, "sorted(%m, key=len)"},
    {T_LLI, 3, P_ATOM, H_SAME, 0, "[row[:] for row in %m]"},
    {T_LLI, 4, P_ATOM, H_SAME, 0, "[row[::-1] for row in %m]"},
    {T_LLI, 3, P_ATOM, H_SAME, 0, "[sorted(row) for row in %m]"},
    {T_LLI, 3, P_ATOM, H_KEYS, 0, "list(%g.values())"},
    {T_LLI, 2, P_ATOM, H_NEST, 0, "[%l, %0[::-1]]"},

    {T_LPI, 5, P_ATOM, H_ZIP, 0, "list(enumerate(%l))"},
    {T_LPI, 4, P_ATOM, H_ZIP, 0, "list(zip(%l, %l))"},
    {T_LPI, 4, P_ATOM, H_ZIP, 0, "list(zip(%l, %0[1:]))"},
    {T_LPI, 4, P_ATOM, H_SAME, 0, "sorted(%p)"},
    {T_LPI, 3, P_ATOM, H_SAME, 0, "%p[::-1]"},
    {T_LPI, 3, P_ATOM, H_SAME, 0, "sorted(%p, key=lambda p: p[1])"},
    {T_LPI, 3, P_ATOM, H_SAME, 0, "[(b, a) for a, b in %p]"},
    {T_LPI, 3, P_ATOM, H_LIST, 0, "[(%I, %i)]"},
    {T_LPI, 3, P_ATOM, H_KEYS, 0, "sorted(%e.items())"},

    {T_LPS, 4, P_ATOM, H_SAME, 0, "sorted(%P)"},
    {T_LPS, 4, P_ATOM, H_SAME, 0, "sorted(%P, key=lambda r: r[1])"},
    {T_LPS, 3, P_ATOM, H_SHRINK, 0, "%P[:%k]"},
    {T_LPS, 5, P_ATOM, H_KEYS, 0, "list(%d.items())"},
    {T_LPS, 5, P_ATOM, H_KEYS, 0, "sorted(%d.items())"},
    {T_LPS, 5, P_ATOM, H_KEYS, 0,
     "sorted(%d.items(), key=lambda kv: (-kv[1], kv[0]))"},
    {T_LPS, 4, P_ATOM, H_ZIP, 0, "list(zip(%a, %l))"},
    {T_LPS, 3, P_ATOM, H_LENS, 2, "[(w, len(w)) for w in %a]"},

    {T_DSI, 4, P_ATOM, H_LIST, 0, "{%s: %I}"},
    {T_DSI, 4, P_ATOM, H_KEYS, 0, "dict(%P)"},
    {T_DSI, 4, P_ATOM, H_ZIP, 0, "dict(zip(%a, %l))"},
    {T_DSI, 3, P_ATOM, H_MORE, 1, "{**%d, %s: %i}"},
    {T_DSI, 3, P_ATOM, H_SAME, 0, "dict(sorted(%d.items()))"},
    {T_DSI, 2, P_ATOM, H_SAME, 0, "%d.copy()"},
    {T_DSI, 4, P_ATOM, H_LENS, 2, "{w: len(w) for w in %a}"},
    {T_DSI, 4, P_ATOM, H_LENS, 3, "{c: %s.count(c) for c in %0}"},
    {T_DSI, 2, P_ATOM, H_LIST, 0, "{%w: %I, %w: %i}"},
    {T_DSI, 3, P_ATOM, H_LENS, 3, "{c: i for i, c in enumerate(%s)}"},

    {T_DII, 4, P_ATOM, H_ZIP, 0, "dict(enumerate(%l))"},
    {T_DII, 3, P_ATOM, H_KEYS, 0, "dict(%p)"},
    {T_DII, 3, P_ATOM, H_ZIP, 0, "dict(zip(%l, %l))"},
    {T_DII, 3, P_ATOM, H_LIST, 0, "{%I: %i}"},
    {T_DII, 4, P_ATOM, H_LENS, 4, "{v: %l.count(v) for v in %0}"},

    {T_DSL, 3, P_ATOM, H_NEST, 0, "{%w: %l, %w: [%I]}"},
    {T_DSL, 3, P_ATOM, H_NEST, 0, "{%s: %l}"},
    {T_DSS, 3, P_ATOM, H_LIST, 0, "{%s: %s}"},
    {T_DSS, 4, P_ATOM, H_ZIP, 0, "dict(zip(%a, %a))"},
    {T_DSS, 3, P_ATOM, H_SAME, 0, "{v: k for k, v in %h.items()}"},

    {T_SI, 8, P_ATOM, H_SAME, 0, "set(%l)"},
    {T_SI, 3, P_ATOM, H_LIST, 0, "{%I, %i}"},
    {T_SI, 3, P_BITOR, H_CONCAT, 0, "%u | %u"},
    {T_SI, 3, P_BITAND, H_SHRINK, 0, "%u & %u"},
    {T_SI, 3, P_SUM, H_SHRINK, 0, "%u - %u"},
    {T_SI, 4, P_BITAND, H_SHRINK, 0, "set(%l) & set(%l)"},
    {T_SI, 3, P_SUM, H_SHRINK, 0, "set(%l) - {%I}"},
    {T_SI, 2, P_ATOM, H_KEYS, 0, "set(%e)"},
    {T_SS, 5, P_ATOM, H_CHAR, 150, "set(%s)"},
    {T_SS, 5, P_ATOM, H_SAME, 0, "set(%a)"},
    {T_SS, 4, P_ATOM, H_SPLIT, 0, "set(%s.split())"},
    {T_SS, 3, P_BITOR, H_CONCAT, 0, "%U | %U"},
    {T_SS, 3, P_SUM, H_SHRINK, 0, "%U - %U"},
    {T_SS, 4, P_ATOM, H_KEYS, 0, "set(%d)"},
    {T_SS, 3, P_BITAND, H_CHAR, 150, "set(%s) & set(%s)"},

    {T_PII, 6, P_ATOM, H_LIST, 0, "(%I, %i)"},
    {T_PII, 4, P_ATOM, H_LIST, 0, "divmod(%I, %k)"},
    {T_PII, 4, P_ATOM, H_TOTAL, 2, "(min(%L), max(%0))"},
    {T_PII, 3, P_ATOM, H_TOTAL, 2, "(sum(%l), len(%0))"},
    {T_PII, 3, P_ATOM, H_SAME, 0, "%t[::-1]"},
    {T_PSI, 6, P_ATOM, H_LIST, 0, "(%s, %I)"},
    {T_PSI, 3, P_ATOM, H_LENS, 5, "(%s, len(%0))"},
    {T_TI, 5, P_ATOM, H_SAME, 0, "tuple(%l)"},
    {T_TI, 5, P_ATOM, H_LIST, 0, "(%I, %i, %I)"},
    {T_TI, 3, P_ATOM, H_SAME, 0, "%y[::-1]"},
    {T_TI, 4, P_SUM, H_MORE, 1, "%y + (%i,)"},
    {T_TI, 3, P_ATOM, H_SAME, 0, "tuple(sorted(%l))"},

    {T_FLOAT, 6, P_PRODUCT, H_SAME, 0, "%I / %k"},
    {T_FLOAT, 6, P_ATOM, H_SAME, 0, "round(%I / %k, 2)"},
    {T_FLOAT, 5, P_PRODUCT, H_SAME, 0, "sum(%L) / len(%0)"},
    {T_FLOAT, 4, P_PRODUCT, H_SAME, 0, "%f * 0.5"},
    {T_FLOAT, 4, P_SUM, H_SUM, 0, "%f + %I"},
    {T_FLOAT, 3, P_ATOM, H_SAME, 0, "round(%f, 1)"},
    {T_FLOAT, 3, P_ATOM, H_SAME, 0, "float(%I)"},
    {T_FLOAT, 3, P_PRODUCT, H_SAME, 0, "%I * 0.25"},
    {T_FLOAT, 3, P_ATOM, H_OR, 0, "max(%f, %k)"},
    {T_LF, 4, P_ATOM, H_SAME, 0, "[x / 2 for x in %l]"},
    {T_LF, 4, P_ATOM, H_SAME, 0, "[round(v * 0.5, 1) for v in %l]"},
    {T_LF, 3, P_ATOM, H_LIST, 0, "[%f, float(%I)]"},
};

#define MAX_HOLES 4

struct holes {
    struct gen_value values[MAX_HOLES];
    enum gen_type types[MAX_HOLES];
    size_t start[MAX_HOLES], end[MAX_HOLES];
    unsigned n;
    unsigned vocab;
};

struct hole_kind {
    char letter;
    enum gen_type type;
    unsigned want;
};

static const struct hole_kind hole_kinds[] = {
    {'i', T_INT, 0},
    {'I', T_INT, W_VARIABLE},
    {'N', T_INT, W_VARIABLE | W_NONNEG},
    {'f', T_FLOAT, W_VARIABLE},
    {'s', T_STR, W_VARIABLE},
    {'S', T_STR, W_VARIABLE | W_NONEMPTY},
    {'l', T_LI, W_VARIABLE},
    {'L', T_LI, W_VARIABLE | W_NONEMPTY},
    {'a', T_LS, W_VARIABLE},
    {'A', T_LS, W_VARIABLE | W_NONEMPTY},
    {'m', T_LLI, W_VARIABLE},
    {'M', T_LLI, W_VARIABLE | W_NONEMPTY},
    {'p', T_LPI, W_VARIABLE},
    {'P', T_LPS, W_VARIABLE},
    {'d', T_DSI, W_VARIABLE},
    {'D', T_DSI, W_VARIABLE | W_NONEMPTY},
    {'e', T_DII, W_VARIABLE},
    {'g', T_DSL, W_VARIABLE},
    {'h', T_DSS, W_VARIABLE},
    {'u', T_SI, W_VARIABLE},
    {'U', T_SS, W_VARIABLE},
    {'t', T_PII, W_VARIABLE | W_NAME},
    {'T', T_PSI, W_VARIABLE | W_NAME},
    {'y', T_TI, W_VARIABLE},
};

static bool add_constant(struct gen_draft *d, char letter, struct holes *h,
                         struct gen_value *ret)
{
    static const char *const separators[] = {"''",  "', '", "'-'", "' '",
                                             "'_'", "','",  "'/'", "''"};
    static const uint32_t round_numbers[] = {10, 12, 15, 16, 20, 25, 50, 100,
                                             7,  11, 13, 5,  6,  8,  9,  3};
    uint32_t n = 0;

    *ret = (struct gen_value){
        .precedence = P_ATOM, .is_constant = true, .bound.nonneg = true};
    if (letter == 'q' || letter == 'w') {
        ret->bound.nonempty = true;
        if (letter == 'q') {
            ret->bound.len = 1;
            cwm_buf_addf(d->out, "'%c'", gen_char(d, h->vocab));
        } else {
            const char *word = gen_word(d, h->vocab);

            ret->bound.len = (uint32_t)strlen(word);
            cwm_buf_addf(d->out, "'%s'", word);
        }
        return true;
    }
    if (letter == 'j') {
        ret->bound.len = 2;
        cwm_buf_adds(d->out, separators[gen_pick(d, ARRAY_LEN(separators))]);
        return true;
    }
    if (letter == 'k') {
        n = gen_chance(d, 550) ? gen_between(d, 2, 4) : gen_between(d, 2, 9);
    } else if (letter == 'K') {
        n = round_numbers[gen_pick(d, ARRAY_LEN(round_numbers))];
    } else if (letter == 'z') {
        n = gen_chance(d, 450) ? 0 : gen_between(d, 1, 3);
    } else { /* 'c' */
        n = gen_chance(d, 700) ? gen_between(d, 0, 9) : gen_between(d, 0, 99);
        if (gen_chance(d, 150) && n > 0) {
            cwm_buf_addc(d->out, '-');
            ret->bound.nonneg = false;
        }
    }
    ret->bound.mag = n;
    cwm_buf_addf(d->out, "%" PRIu32, n);
    return true;
}

/* A variable that is one character. */
static bool add_character(struct gen_draft *d, struct gen_value *ret)
{
    for (int i = d->n_vars - 1; i >= 0; i--) {
        const struct gen_var *v = &d->vars[i];

        if (v->type == T_STR && v->bound.len == 1 && v->bound.nonempty) {
            gen_use(d, i);
            *ret = gen_value_of(d, i);
            return true;
        }
    }
    if (!gen_expression(d, T_STR, 0, W_VARIABLE | W_NONEMPTY, P_ATOM, ret)) {
        return false;
    }
    cwm_buf_adds(d->out, "[0]");
    ret->bound.len = 1;
    return true;
}

/* A variable of any type that has a length; *ret_type says which. */
static bool add_container(struct gen_draft *d, struct gen_value *ret,
                          enum gen_type *ret_type)
{
    uint8_t weights[GEN_MAX_VARS];
    uint32_t n = 0;
    int var;

    for (int i = 0; i < d->n_vars; i++) {
        const struct gen_var *v = &d->vars[i];

        weights[i] = 0;
        if (gen_is_iterable(v->type) && v->type != T_PII && v->bound.len != 1) {
            weights[i] = v->is_used ? 2 : 4;
            n++;
        }
    }
    if (n == 0) {
        return false;
    }
    var = (int)gen_weighted(d, weights, (uint32_t)d->n_vars);
    gen_use(d, var);
    *ret = gen_value_of(d, var);
    *ret_type = d->vars[var].type;
    return true;
}

/* How tightly what stands in a hole must bind, by what stands around it. */
static unsigned hole_precedence(const struct rule *r, const char *before,
                                const char *after)
{
    char last = before > r->pattern ? before[-1] : '\0';
    char sign = ' ';
    bool opened = last && strchr("([{:", last);

    if (*after == '.' || *after == '[') {
        return P_ATOM;
    }
    if (last == '*' && before - r->pattern > 1 && before[-2] != ' ') {
        return P_ATOM; /* zip(*x) */
    }
    if (last == ' ') {
        sign = before[-2];
        opened = sign == ',' || sign == ':';
    }
    if (opened && *after && strchr(")]},:", *after)) {
        return P_OR;
    }
    if (r->precedence == P_LOWEST) {
        return P_OR;
    }
    if (r->precedence != P_ATOM) {
        return r->precedence == P_POWER ? (unsigned)P_ATOM
                                        : (unsigned)r->precedence + 1;
    }
    if (*after == ' ' && (after[1] == '+' || after[1] == '-') &&
        !strchr("*/%", sign)) {
        return P_SUM;
    }
    return *after == ')' && (sign == '+' || sign == '-') ? P_PRODUCT : P_UNARY;
}

static bool add_hole(struct gen_draft *d, const struct rule *r, char letter,
                     unsigned precedence, unsigned depth, struct holes *h)
{
    struct gen_value *value = &h->values[h->n];
    enum gen_type *type = &h->types[h->n];
    size_t start = d->out->len;
    bool done = false;

    *type = T_INT;
    if (strchr("kKzcqwj", letter)) {
        *type = strchr("qwj", letter) ? T_STR : T_INT;
        done = add_constant(d, letter, h, value);
    } else if (letter == 'C') {
        *type = T_STR;
        done = add_character(d, value);
    } else if (letter == 'x') {
        done = add_container(d, value, type);
    } else if (letter == 'b') {
        *type = T_BOOL;
        done = gen_condition(d, depth - 1, precedence, value);
    } else {
        size_t i = 0;

        while (hole_kinds[i].letter != letter) {
            i++;
        }
        *type = hole_kinds[i].type;
        done = gen_expression(d, *type, depth - 1, hole_kinds[i].want,
                              precedence, value);
    }
    /* A text that is no variable's has no vocabulary of its own. */
    if (done && h->n == 0) {
        h->vocab = value->bound.vocab;
    }
    for (unsigned i = 0; done && i < h->n; i++) { /* x + x, a < a: dull */
        size_t len = h->end[i] - h->start[i];

        if (len == d->out->len - start && !value->is_constant &&
            *type != T_BOOL && r->how != H_NEST &&
            memcmp(d->out->data + h->start[i], d->out->data + start, len) ==
                0) {
            return false;
        }
    }
    h->start[h->n] = start;
    h->end[h->n++] = d->out->len;
    return done;
}

static bool repeat_first(struct gen_draft *d, const struct holes *h)
{
    size_t len = h->end[0] - h->start[0];

    if (h->n == 0 || len > 60) {
        return false;
    }
    if (cwm_buf_reserve(d->out, len) == CWM_OK) {
        cwm_buf_add(d->out, d->out->data + h->start[0], len);
    }
    return true;
}

/* {HOLE}, {HOLE:FORMAT}: p stands on the brace; returns behind the other. */
static const char *add_braced(struct gen_draft *d, const struct rule *r,
                              const char *p, struct holes *h)
{
    size_t at;

    cwm_buf_addc(d->out, '{');
    at = d->out->len;
    d->in_fstring = true;
    if (!add_hole(d, r, p[1], P_OR, gen_chance(d, 600) ? 1 : 2, h) ||
        (d->out->len > at && d->out->data[at] == '{')) {
        d->in_fstring = false;
        return NULL;
    }
    d->in_fstring = false;
    p += 2;
    while (*p != '}') {
        cwm_buf_addc(d->out, *p++);
    }
    cwm_buf_addc(d->out, '}');
    return p + 1;
}

static bool fill(struct gen_draft *d, const struct rule *r, unsigned depth,
                 struct holes *h)
{
    const char *p = r->pattern;

    while (*p) {
        if (*p != '%') {
            cwm_buf_addc(d->out, *p++);
        } else if (p[1] == '%') {
            cwm_buf_addc(d->out, '%');
            p += 2;
        } else if (p[1] == '{') {
            p = add_braced(d, r, p + 1, h);
            if (!p) {
                return false;
            }
        } else if (p[1] == '0') {
            if (!repeat_first(d, h)) {
                return false;
            }
            p += 2;
        } else {
            if (!add_hole(d, r, p[1], hole_precedence(r, p, p + 2), depth, h)) {
                return false;
            }
            p += 2;
        }
    }
    return true;
}

static uint32_t text_len(enum gen_type type, struct gen_bound bound)
{
    return type == T_INT || type == T_FLOAT ? 16 : bound.len;
}

/* Numbers. */
static bool bound_number(const struct rule *r, const struct holes *h,
                         struct gen_bound *b)
{
    struct gen_bound first = h->values[0].bound;
    struct gen_bound second = h->n > 1 ? h->values[1].bound : first;

    switch (r->how) {
    case H_INT:
    case H_SIGNED:
        b->mag = r->arg;
        b->nonneg = r->how == H_INT;
        b->len = r->type == T_STR ? r->arg : 0; /* 'x' * (n % 5) */
        return true;
    case H_SUM:
        b->mag = first.mag + (h->n > 1 ? second.mag : first.mag);
        b->nonneg = first.nonneg && second.nonneg;
        return true;
    case H_DIFF:
        b->mag = first.mag + (h->n > 1 ? second.mag : 0);
        b->nonneg = r->precedence == P_ATOM; /* abs() */
        return true;
    case H_MUL:
        if (first.mag > GEN_MAX_MAG || second.mag > GEN_MAX_MAG ||
            first.mag > GEN_MAX_MAG / (second.mag + 1)) {
            b->mag = GEN_MAX_MAG + 1;
        } else {
            b->mag = first.mag * second.mag;
        }
        b->nonneg = (first.nonneg && second.nonneg) || h->n == 1;
        return true;
    case H_DIV:
        b->mag = first.mag;
        b->nonneg = first.nonneg && second.nonneg;
        return true;
    case H_MOD:
        b->mag = h->values[h->n - 1].bound.mag - 1;
        b->nonneg = true;
        return true;
    case H_BITS:
        b->mag = 2 * (first.mag > second.mag ? first.mag : second.mag) + 1;
        b->nonneg = first.nonneg && second.nonneg;
        return true;
    case H_LEN:
        b->mag = first.len + r->arg;
        if (r->type == T_INT && h->types[0] == T_LS &&
            strstr(r->pattern, "map(len")) {
            b->mag = (uint64_t)first.len * first.inner;
        }
        b->nonneg = true;
        return true;
    case H_TOTAL:
        b->mag = first.mag * (first.len + 1);
        if (h->types[0] == T_LLI) {
            b->mag = first.mag * (first.inner + 1);
        }
        if (b->mag < first.len) {
            b->mag = first.len;
        }
        b->nonneg = first.nonneg;
        b->len = r->arg == 2 ? 2 : r->arg ? first.len : 0;
        b->nonempty = r->arg == 2;
        return true;
    default:
        return false;
    }
}

/* Texts and containers that are made of the first hole. */
static bool bound_same(const struct rule *r, const struct holes *h,
                       struct gen_bound *b)
{
    struct gen_bound first = h->values[0].bound;
    uint64_t times = h->n > 1 ? h->values[1].bound.mag : 1;

    switch (r->how) {
    case H_SAME:
    case H_ABS:
        *b = first;
        if (r->how == H_ABS) {
            b->mag *= r->type == T_INT ? 2 : 1; /* max - min */
            b->nonneg = true;
        }
        if (r->type == T_INT || r->type == T_FLOAT) {
            b->len = b->inner = 0;
            b->nonempty = b->inner_full = false;
        }
        return true;
    case H_SHRINK:
        *b = first;
        b->nonempty = false;
        return true;
    case H_REPEAT:
        *b = first;
        if (r->type == T_STR) {
            b->len = (uint32_t)(first.len * times);
        } else {
            b->inner = r->type == T_LS ? first.len : 0;
            b->inner_full = r->type == T_LS && first.nonempty;
            b->len = (uint32_t)times;
            b->nonempty = true;
        }
        return true;
    case H_ELEM:
        if (h->types[0] == T_INT) { /* divmod(a, b)[0] */
            b->mag = first.mag + 1;
            b->nonneg = first.nonneg;
        } else {
            *b = gen_element_bound(h->types[0], first);
        }
        return true;
    case H_KEYS:
        *b = first;
        if (r->type == T_LI || r->type == T_SI || r->type == T_DII) {
            b->inner = 0;
            b->inner_full = false;
        }
        if (r->type == T_LLI || h->types[0] == T_DSS) {
            b->inner_full = false;
        }
        return true;
    case H_ROWS:
        *b = first;
        b->len = first.inner;
        b->inner = first.len;
        b->nonempty = false;
        b->inner_full = true;
        return true;
    case H_FLAT:
        b->mag = first.mag;
        b->len = first.len * first.inner;
        b->nonneg = first.nonneg;
        if (r->type == T_INT) {
            b->mag = first.mag * (b->len + 1);
            b->len = 0;
        }
        return true;
    case H_WIDE:
        *b = first;
        if (h->n > 1 && h->values[1].bound.mag > b->len) {
            b->len = (uint32_t)h->values[1].bound.mag;
        }
        b->nonempty = true;
        return true;
    case H_RANGE:
        b->mag = first.mag;
        b->nonneg = true;
        b->len =
            first.mag > GEN_MAX_LEN ? GEN_MAX_LEN + 1 : (uint32_t)first.mag;
        return true;
    case H_SPLIT:
        b->len = first.len + 1;
        b->inner = first.len;
        b->vocab = first.vocab == VOCAB_SENTENCE ? VOCAB_WORDS : first.vocab;
        b->nonempty = strchr(r->pattern, 'q') != NULL;
        return true;
    default:
        return false;
    }
}

/* What gathers all holes. */
static bool bound_gathered(const struct rule *r, const struct holes *h,
                           struct gen_bound *b)
{
    struct gen_bound all = h->values[0].bound;
    uint32_t sum_len = 0;
    uint32_t sum_text = 0;
    bool any_full = false;
    bool all_full = true;

    for (unsigned i = 0; i < h->n; i++) {
        struct gen_bound one = h->values[i].bound;

        all = gen_bound_or(all, one);
        sum_len += one.len;
        sum_text += text_len(h->types[i], one);
        any_full = any_full || one.nonempty;
        if (gen_is_iterable(h->types[i])) {
            all_full = all_full && one.nonempty;
        }
    }
    switch (r->how) {
    case H_OR:
        *b = all;
        if (r->type == T_INT) {
            b->len = b->inner = 0;
            b->nonempty = b->inner_full = false;
        }
        if (r->type == T_STR && h->types[0] == T_DSS) {
            b->len = all.len > all.inner ? all.len : all.inner;
            b->nonempty = false;
            b->inner = 0;
        }
        if (strstr(r->pattern, "or [")) {
            b->nonempty = b->nonneg = false;
            b->len += 1;
        }
        return true;
    case H_CONCAT:
        *b = all;
        b->len = sum_len;
        b->nonempty = any_full && !strstr(r->pattern, "[:");
        b->inner_full = all.inner_full;
        if (strstr(r->pattern, "%0")) {
            b->len = 2 * h->values[0].bound.len;
            b->nonneg = h->values[0].bound.nonneg;
        }
        return true;
    case H_MORE:
        *b = h->values[0].bound;
        b->len += r->arg;
        b->mag = all.mag;
        b->nonneg = all.nonneg;
        b->nonempty = true;
        if (r->type == T_LS || r->type == T_DSI) {
            struct gen_bound more = h->values[1].bound;

            b->inner = b->inner > more.len ? b->inner : more.len;
            b->inner_full = b->inner_full && more.nonempty;
        }
        if (r->type == T_DSI) {
            b->nonneg = b->nonneg && h->values[h->n - 1].bound.nonneg;
        }
        return true;
    case H_LIST:
        b->mag = all.mag + (r->type == T_PII);
        b->nonneg = all.nonneg;
        b->len = h->n;
        b->inner = sum_len;
        b->inner_full = sum_len > 0 && all_full;
        b->nonempty = true;
        b->vocab = all.vocab;
        return true;
    case H_NEST:
        b->mag = all.mag;
        b->nonneg = all.nonneg;
        b->len = h->n + 1;
        b->inner = sum_len + 1;
        b->nonempty = true;
        if (r->type == T_LI) { /* groups.get(key, []) */
            b->len = h->values[0].bound.inner;
            b->mag = h->values[0].bound.mag;
            b->nonneg = h->values[0].bound.nonneg;
            b->inner = 0;
            b->nonempty = false;
        }
        return true;
    case H_ZIP:
        b->mag = all.mag > all.len ? all.mag : all.len;
        b->nonneg = all.nonneg;
        b->len = h->values[0].bound.len;
        b->inner = h->values[0].bound.inner;
        b->inner_full = h->values[0].bound.inner_full;
        if (r->type == T_DSS) {
            b->inner = all.inner;
            b->inner_full = all.inner_full;
        }
        b->vocab = h->values[0].bound.vocab;
        return true;
    case H_TEXT:
        b->len = sum_text + r->arg;
        b->nonempty = true;
        b->vocab = VOCAB_MIXED;
        return true;
    default:
        return false;
    }
}

/* Numbers and texts of another kind than the first hole. */
static void bound_other(const struct rule *r, const struct holes *h,
                        struct gen_bound *b)
{
    struct gen_bound first = h->values[0].bound;

    switch (r->how) {
    case H_DIGITS: /* str(), or a list of them */
        b->len = r->arg ? first.len : 14;
        b->inner = r->arg ? 14 : 0;
        b->inner_full = r->arg;
        b->nonempty = r->arg ? first.nonempty : true;
        b->vocab = VOCAB_DIGITS;
        break;
    case H_JOIN: {
        struct gen_bound list = h->values[h->n - 1].bound;

        b->len = list.len * (list.inner + 2);
        b->vocab = list.vocab;
        break;
    }
    case H_CHAR:
        b->len = r->arg == 1 ? 1 : first.len;
        b->inner = r->arg == 1 ? 0 : 1;
        b->inner_full = r->arg != 1;
        b->nonempty = r->arg == 1 ? true : first.nonempty;
        b->vocab = first.vocab;
        if (r->precedence == P_BITAND) {
            b->nonempty = false;
        }
        break;
    case H_CODES:
        b->mag = r->arg;
        b->nonneg = true;
        b->len = r->arg == 9 ? 14 : first.len;
        b->nonempty = r->arg == 9 || first.nonempty;
        break;
    case H_LENS:
        b->mag = first.len > first.inner ? first.len : first.inner;
        if (h->n > 1 && h->values[1].bound.len > b->mag) {
            b->mag = h->values[1].bound.len;
        }
        b->nonneg = true;
        b->len = first.len;
        b->inner = h->types[0] == T_STR ? 1 : first.inner;
        b->inner_full = h->types[0] == T_STR || first.inner_full;
        b->nonempty = first.nonempty;
        b->vocab = first.vocab;
        if (r->type == T_INT) {
            b->len = b->inner = 0;
            b->nonempty = b->inner_full = false;
        } else if (r->type == T_STR) { /* pair[0] */
            b->len = first.inner;
            b->nonempty = first.inner_full;
            b->inner = 0;
        } else if (r->type == T_PSI) {
            b->len = 2;
            b->inner = first.len;
            b->inner_full = first.nonempty;
            b->nonempty = true;
        } else if (r->type == T_DII) {
            b->mag += first.mag;
            b->nonneg = first.nonneg;
            b->inner = 0;
        } else if (r->type == T_LI) {
            b->inner = 0;
            b->inner_full = false;
        }
        break;
    default: /* H_BOOL */
        break;
    }
}

static void finish(const struct rule *r, const struct holes *h,
                   struct gen_value *ret)
{
    *ret = (struct gen_value){.precedence = r->precedence, .is_constant = true};
    if (!bound_number(r, h, &ret->bound) && !bound_same(r, h, &ret->bound) &&
        !bound_gathered(r, h, &ret->bound)) {
        bound_other(r, h, &ret->bound);
    }
    for (unsigned i = 0; i < h->n; i++) {
        ret->is_tainted = ret->is_tainted || h->values[i].is_tainted;
        ret->is_constant = ret->is_constant && h->values[i].is_constant;
    }
}

void gen_index_rules(struct gen_draft *d)
{
    memset(d->rules, 0, sizeof d->rules);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct gen_rules *of_type = &d->rules[rules[i].type];

        if (of_type->weight == 0) {
            of_type->first = (uint16_t)i;
        }
        of_type->weight = (uint16_t)(of_type->weight + rules[i].weight);
    }
}

bool gen_rule(struct gen_draft *d, enum gen_type type, unsigned depth,
              struct gen_value *ret_value)
{
    struct gen_mark mark = gen_mark(d);

    for (int i = 0; i < 4; i++) {
        struct holes h = {.vocab = (unsigned)gen_pick(d, VOCAB_N)};
        uint32_t at = gen_pick(d, d->rules[type].weight);
        const struct rule *r = &rules[d->rules[type].first];

        while (at >= r->weight) {
            at -= r->weight;
            r++;
        }
        if (d->in_fstring && (strchr(r->pattern, '"') || *r->pattern == '{')) {
            continue;
        }
        if (fill(d, r, depth ? depth : 1, &h)) {
            finish(r, &h, ret_value);
            return true;
        }
        gen_cut(d, mark);
    }
    return false;
}
