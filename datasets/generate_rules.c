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
#include "datasets/generate_rules.h"

#include <inttypes.h>
#include <string.h>

static const struct rule rules[] = {
    {T_INT, 20, P_SUM, H_SUM, 0, 0, "%I + %i"},
    {T_INT, 12, P_SUM, H_DIFF, 0, 0, "%I - %i"},
    {T_INT, 9, P_PRODUCT, H_MUL, 0, 0, "%I * %k"},
    {T_INT, 6, P_PRODUCT, H_MUL, 0, 0, "%I * %I"},
    {T_INT, 7, P_PRODUCT, H_DIV, 0, 0, "%I // %k"},
    {T_INT, 9, P_PRODUCT, H_MOD, 0, 0, "%I %% %K"},
    {T_INT, 3, P_PRODUCT, H_DIV, 0, 0, "%I // (%N + 1)"},
    {T_INT, 3, P_PRODUCT, H_SAME, 0, 0, "%N %% (%N + 1)"},
    {T_INT, 4, P_ATOM, H_ABS, 0, 0, "abs(%I)"},
    {T_INT, 4, P_ATOM, H_DIFF, 0, 0, "abs(%I - %I)"},
    {T_INT, 6, P_ATOM, H_OR, 0, 0, "max(%I, %i)"},
    {T_INT, 6, P_ATOM, H_OR, 0, 0, "min(%I, %i)"},
    {T_INT, 16, P_ATOM, H_LEN, 0, 0, "len(%x)"},
    {T_INT, 7, P_ATOM, H_TOTAL, 0, 0, "sum(%l)"},
    {T_INT, 4, P_ATOM, H_ELEM, 0, 0, "max(%L)"},
    {T_INT, 4, P_ATOM, H_ELEM, 0, 0, "min(%L)"},
    {T_INT, 7, P_ATOM, H_ELEM, 0, 0, "%L[0]"},
    {T_INT, 5, P_ATOM, H_ELEM, 0, 0, "%L[-1]"},
    {T_INT, 4, P_ATOM, H_ELEM, 0, 0, "%L[%I %% len(%0)]"},
    {T_INT, 2, P_ATOM, H_ELEM, 0, 0, "%L[len(%0) // 2]"},
    {T_INT, 3, P_ATOM, H_ELEM, 0, 0, "sorted(%L)[len(%0) // 2]"},
    {T_INT, 5, P_ATOM, H_LEN, 0, 0, "%s.count(%q)"},
    {T_INT, 3, P_ATOM, H_LEN, 0, 0, "%l.count(%i)"},
    {T_INT, 3, P_ATOM, H_LEN, 0, 0, "%a.count(%s)"},
    {T_INT, 3, P_ATOM, H_SIGNED, 80, 0, "%s.find(%q)"},
    {T_INT, 1, P_ATOM, H_SIGNED, 80, 0, "%s.rfind(%q)"},
    {T_INT, 4, P_POWER, H_MUL, 0, 0, "%I ** 2"},
    {T_INT, 2, P_BITXOR, H_BITS, 0, 0, "%I ^ %i"},
    {T_INT, 2, P_BITAND, H_INT, 9, 0, "%N & %k"},
    {T_INT, 1, P_BITOR, H_BITS, 0, 0, "%N | %k"},
    {T_INT, 2, P_SHIFT, H_DIV, 0, 0, "%N >> 1"},
    {T_INT, 1, P_SHIFT, H_SUM, 0, 0, "%I << 1"},
    {T_INT, 4, P_ATOM, H_INT, 127, 0, "ord(%C)"},
    {T_INT, 2, P_SUM, H_SIGNED, 97, 0, "ord(%C) - ord('a')"},
    {T_INT, 3, P_ATOM, H_INT, 1, R_CONDITION, "int(%b)"},
    {T_INT, 4, P_ATOM, H_TOTAL, 0, 0, "sum(%y)"},
    {T_INT, 4, P_ATOM, H_ABS, 0, R_INDEXED, "abs(%t[0] - %0[1])"},
    {T_INT, 5, P_ATOM, H_ELEM, 0, 0, "%t[0]"},
    {T_INT, 5, P_ATOM, H_ELEM, 0, 0, "%t[1]"},
    {T_INT, 5, P_ATOM, H_ELEM, 0, 0, "%T[1]"},
    {T_INT, 6, P_ATOM, H_OR, 0, 0, "%d.get(%s, %z)"},
    {T_INT, 3, P_ATOM, H_OR, 0, 0, "%d.get(%w, %c)"},
    {T_INT, 4, P_ATOM, H_OR, 0, 0, "%e.get(%I, %i)"},
    {T_INT, 3, P_ATOM, H_TOTAL, 0, 0, "sum(%d.values())"},
    {T_INT, 2, P_ATOM, H_SAME, 0, 0, "max(%D.values())"},
    {T_INT, 2, P_ATOM, H_LENS, 0, 0, "len(%g.get(%s, []))"},
    {T_INT, 3, P_ATOM, H_LEN, 0, 0, "len(set(%s))"},
    {T_INT, 3, P_ATOM, H_LEN, 0, 0, "len(set(%l))"},
    {T_INT, 3, P_ATOM, H_LEN, 1, 0, "len(%s.split())"},
    {T_INT, 4, P_LOWEST, H_OR, 0, R_CONDITION, "%I if %b else %i"},
    {T_INT, 2, P_UNARY, H_DIFF, 0, 0, "-%I"},
    {T_INT, 2, P_ATOM, H_INT, 14, 0, "len(str(%I))"},
    {T_INT, 1, P_ATOM, H_INT, 40, 0, "bin(%N).count('1')"},
    {T_INT, 1, P_ATOM, H_MOD, 0, 0, "pow(%N, %K, %K)"},
    {T_INT, 1, P_ATOM, H_INT, 40, 0, "%N.bit_length()"},
    {T_INT, 3, P_ATOM, H_SAME, 0, 0, "int(%f)"},
    {T_INT, 2, P_ATOM, H_SAME, 0, 0, "round(%f)"},
    {T_INT, 2, P_ATOM, H_LENS, 0, 0, "max(len(%s), len(%s))"},
    {T_INT, 3, P_ATOM, H_TOTAL, 0, 0, "sum(%l[::2])"},
    {T_INT, 2, P_PRODUCT, H_SAME, 0, 0, "sum(%L) // len(%0)"},
    {T_INT, 2, P_ATOM, H_TOTAL, 0, 0, "sum(sorted(%l)[:%k])"},
    {T_INT, 2, P_SUM, H_ABS, 0, 0, "max(%L) - min(%0)"},
    {T_INT, 3, P_ATOM, H_FLAT, 0, 0, "sum(map(sum, %m))"},
    {T_INT, 2, P_ATOM, H_LEN, 0, 0, "sum(map(len, %A))"},
    {T_INT, 2, P_ATOM, H_ELEM, 0, 0, "divmod(%I, %k)[0]"},

    {T_STR, 16, P_SUM, H_CONCAT, 0, 0, "%s + %s"},
    {T_STR, 4, P_SUM, H_CONCAT, 0, 0, "%s + %q"},
    {T_STR, 3, P_SUM, H_CONCAT, 0, 0, "%q + %s"},
    {T_STR, 8, P_ATOM, H_SAME, 0, 0, "%s.upper()"},
    {T_STR, 6, P_ATOM, H_SAME, 0, 0, "%s.lower()"},
    {T_STR, 4, P_ATOM, H_SAME, 0, 0, "%s.title()"},
    {T_STR, 4, P_ATOM, H_SAME, 0, 0, "%s.capitalize()"},
    {T_STR, 3, P_ATOM, H_SAME, 0, 0, "%s.swapcase()"},
    {T_STR, 9, P_ATOM, H_SAME, 0, 0, "%s[::-1]"},
    {T_STR, 6, P_ATOM, H_SHRINK, 0, 0, "%s[1:]"},
    {T_STR, 4, P_ATOM, H_SHRINK, 0, 0, "%s[:-1]"},
    {T_STR, 6, P_ATOM, H_SHRINK, 0, 0, "%s[:%k]"},
    {T_STR, 3, P_ATOM, H_SHRINK, 0, 0, "%s[%z:%k]"},
    {T_STR, 3, P_ATOM, H_SHRINK, 0, 0, "%s[::2]"},
    {T_STR, 2, P_ATOM, H_SHRINK, 0, 0, "%s[-%k:]"},
    {T_STR, 3, P_ATOM, H_SHRINK, 0, 0, "%s[%I:]"},
    {T_STR, 6, P_ATOM, H_SAME, 0, 0, "%s.replace(%q, %q)"},
    {T_STR, 4, P_ATOM, H_SHRINK, 0, 0, "%s.replace(%q, '')"},
    {T_STR, 4, P_ATOM, H_SHRINK, 0, 0, "%s.strip()"},
    {T_STR, 4, P_ATOM, H_SHRINK, 0, 0, "%s.strip(%q)"},
    {T_STR, 2, P_ATOM, H_SHRINK, 0, 0, "%s.lstrip(%q)"},
    {T_STR, 2, P_ATOM, H_SHRINK, 0, 0, "%s.rstrip(%q)"},
    {T_STR, 10, P_ATOM, H_DIGITS, 0, 0, "str(%I)"},
    {T_STR, 12, P_ATOM, H_JOIN, 0, 0, "%j.join(%a)"},
    {T_STR, 5, P_ATOM, H_SAME, 0, 0, "''.join(sorted(%s))"},
    {T_STR, 3, P_ATOM, H_SAME, 0, 0, "''.join(reversed(%s))"},
    {T_STR, 3, P_ATOM, H_JOIN, 0, 0, "%j.join(sorted(%a))"},
    {T_STR, 3, P_ATOM, H_JOIN, 0, 0, "%j.join(sorted(%d))"},
    {T_STR, 4, P_PRODUCT, H_REPEAT, 0, 0, "%s * %k"},
    {T_STR, 2, P_PRODUCT, H_INT, 9, 0, "%q * (%I %% %k)"},
    {T_STR, 9, P_ATOM, H_TEXT, 1, R_QUOTES, "f\"%{s}-%{I}\""},
    {T_STR, 7, P_ATOM, H_TEXT, 2, R_QUOTES, "f\"%{s}: %{I}\""},
    {T_STR, 4, P_ATOM, H_TEXT, 2, R_QUOTES, "f\"%{s}(%{I})\""},
    {T_STR, 4, P_ATOM, H_TEXT, 1, R_QUOTES, "f\"%{I}/%{I}\""},
    {T_STR, 3, P_ATOM, H_TEXT, 6, R_QUOTES, "f\"%{I:03d}\""},
    {T_STR, 3, P_ATOM, H_TEXT, 12, R_QUOTES, "f\"%{s:>8}\""},
    {T_STR, 2, P_ATOM, H_TEXT, 12, R_QUOTES, "f\"%{s!r}\""},
    {T_STR, 2, P_ATOM, H_TEXT, 16, R_QUOTES, "f\"%{f:.2f}\""},
    {T_STR, 2, P_ATOM, H_TEXT, 4, R_QUOTES, "f\"[%{s}|%{s}]\""},
    {T_STR, 1, P_ATOM, H_TEXT, 8, R_QUOTES, "f\"%{N:b}\""},
    {T_STR, 2, P_ATOM, H_TEXT, 1, 0, "'{}:{}'.format(%s, %I)"},
    {T_STR, 1, P_PRODUCT, H_TEXT, 8, 0, "'%%s=%%d' %% (%s, %I)"},
    {T_STR, 2, P_ATOM, H_WIDE, 8, 0, "%s.center(%K, %q)"},
    {T_STR, 2, P_ATOM, H_WIDE, 8, 0, "%s.ljust(%k, %q)"},
    {T_STR, 2, P_ATOM, H_WIDE, 8, 0, "%s.rjust(%k)"},
    {T_STR, 2, P_ATOM, H_WIDE, 8, 0, "%s.zfill(%k)"},
    {T_STR, 4, P_LOWEST, H_OR, 0, R_CONDITION, "%s if %b else %s"},
    {T_STR, 5, P_ATOM, H_ELEM, 0, 0, "%A[0]"},
    {T_STR, 4, P_ATOM, H_ELEM, 0, 0, "%A[-1]"},
    {T_STR, 3, P_ATOM, H_ELEM, 0, 0, "%A[%I %% len(%0)]"},
    {T_STR, 4, P_ATOM, H_ELEM, 0, 0, "max(%A, key=len)"},
    {T_STR, 2, P_ATOM, H_ELEM, 0, 0, "min(%A)"},
    {T_STR, 4, P_ATOM, H_ELEM, 0, 0, "%S[0]"},
    {T_STR, 4, P_ATOM, H_ELEM, 0, 0, "%S[-1]"},
    {T_STR, 4, P_ATOM, H_ELEM, 0, 0, "%S[%I %% len(%0)]"},
    {T_STR, 3, P_ATOM, H_ELEM, 0, 0, "max(%S)"},
    {T_STR, 2, P_ATOM, H_SHRINK, 0, 0, "%s.split(%q)[0]"},
    {T_STR, 2, P_ATOM, H_SHRINK, 0, 0, "%s.partition(%q)[2]"},
    {T_STR, 3, P_ATOM, H_CHAR, 1, 0, "chr(ord('a') + %I %% 26)"},
    {T_STR, 2, P_ATOM, H_CHAR, 1, 0, "'abcdefghij'[%I %% 10]"},
    {T_STR, 3, P_ATOM, H_OR, 0, 0, "%h.get(%s, %w)"},
    {T_STR, 3, P_ATOM, H_OR, 0, 0, "%h.get(%s, %s)"},
    {T_STR, 6, P_ATOM, H_LENS, 0, 0, "%T[0]"},
    {T_STR, 1, P_ATOM, H_TEXT, 36, 0, "bin(%N)[2:]"},
    {T_STR, 1, P_ATOM, H_TEXT, 12, 0, "hex(%N)"},
    {T_STR, 2, P_OR, H_OR, 0, 0, "%s or %w"},
    {T_STR, 1, P_ATOM, H_SHRINK, 0, 0, "%s.removeprefix(%w)"},
    {T_STR, 2, P_ATOM, H_ELEM, 0, 0, "sorted(%A)[0]"},
    {T_STR, 2, P_ATOM, H_ELEM, 0, 0, "min(%D, key=%0.get)"},
    {T_STR, 3, P_ATOM, H_ELEM, 0, 0, "max(%D, key=%0.get)"},

    {T_BOOL, 20, P_COMPARE, H_BOOL, 0, 0, "%I > %i"},
    {T_BOOL, 18, P_COMPARE, H_BOOL, 0, 0, "%I < %i"},
    {T_BOOL, 7, P_COMPARE, H_BOOL, 0, 0, "%I >= %i"},
    {T_BOOL, 7, P_COMPARE, H_BOOL, 0, 0, "%I <= %i"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, 0, "%I == %i"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, 0, "%I != %i"},
    {T_BOOL, 14, P_COMPARE, H_BOOL, 0, 0, "%I %% %k == %z"},
    {T_BOOL, 9, P_COMPARE, H_BOOL, 0, 0, "%I %% 2 == 0"},
    {T_BOOL, 3, P_PRODUCT, H_BOOL, 0, 0, "%I %% 2"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, 0, "%z <= %I < %K"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, 0, "%I < %I < %I"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, 0, "%I in (%c, %c, %c)"},
    {T_BOOL, 6, P_COMPARE, H_BOOL, 0, 0, "%s in %s"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, 0, "%s == %q"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, 0, "%s != %q"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, 0, "%s == %w"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, 0, "%s in (%w, %w)"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, 0, "%s.count(%q) > %z"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, 0, "%s.find(%q) > 0"},
    {T_BOOL, 8, P_COMPARE, H_BOOL, 0, 0, "%C in 'aeiou'"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, 0, "%I in %l"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, 0, "%I not in %l"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, 0, "%s in %a"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, 0, "%s not in %a"},
    {T_BOOL, 6, P_COMPARE, H_BOOL, 0, 0, "%s in %d"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, 0, "%s not in %d"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, 0, "%I in %u"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, 0, "%s in %U"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, 0, "%I in %e"},
    {T_BOOL, 4, P_ATOM, H_BOOL, 0, 0, "%s.isdigit()"},
    {T_BOOL, 4, P_ATOM, H_BOOL, 0, 0, "%s.isalpha()"},
    {T_BOOL, 3, P_ATOM, H_BOOL, 0, 0, "%s.isupper()"},
    {T_BOOL, 2, P_ATOM, H_BOOL, 0, 0, "%s.islower()"},
    {T_BOOL, 2, P_ATOM, H_BOOL, 0, 0, "%s.isalnum()"},
    {T_BOOL, 4, P_ATOM, H_BOOL, 0, 0, "%s.startswith(%q)"},
    {T_BOOL, 4, P_ATOM, H_BOOL, 0, 0, "%s.endswith(%q)"},
    {T_BOOL, 2, P_ATOM, H_BOOL, 0, 0, "%s.startswith(%s)"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, R_INDEXED, "%s == %0[::-1]"},
    {T_BOOL, 9, P_COMPARE, H_BOOL, 0, 0, "len(%x) > %k"},
    {T_BOOL, 5, P_COMPARE, H_BOOL, 0, 0, "len(%x) %% 2 == 0"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, 0, "len(%x) == %k"},
    {T_BOOL, 4, P_COMPARE, H_BOOL, 0, 0, "len(%x) < len(%x)"},
    {T_BOOL, 4, P_NOT, H_BOOL, 0, 0, "not %x"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, 0, "%s < %s"},
    {T_BOOL, 7, P_AND, H_BOOL, 0, R_CONDITION, "%b and %b"},
    {T_BOOL, 5, P_OR, H_BOOL, 0, R_CONDITION, "%b or %b"},
    {T_BOOL, 2, P_NOT, H_BOOL, 0, R_CONDITION, "not %b"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, 0, "%l == sorted(%0)"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, 0, "%l[::-1] == %0"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, 0, "sorted(%s) == sorted(%s)"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, 0, "%u <= %u"},
    {T_BOOL, 1, P_ATOM, H_BOOL, 0, 0, "%u.isdisjoint(%l)"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, 0, "len(set(%l)) == len(%0)"},
    {T_BOOL, 2, P_ATOM, H_BOOL, 0, 0, "bool(%x)"},
    {T_BOOL, 2, P_COMPARE, H_BOOL, 0, 0, "%f > %i"},
    {T_BOOL, 3, P_COMPARE, H_BOOL, 0, R_INDEXED, "%t[0] < %0[1]"},
    {T_BOOL, 1, P_COMPARE, H_BOOL, 0, 0, "%d.get(%s) is None"},

    {T_LI, 8, P_ATOM, H_SAME, 0, 0, "sorted(%l)"},
    {T_LI, 5, P_ATOM, H_SAME, 0, 0, "sorted(%l, reverse=True)"},
    {T_LI, 3, P_ATOM, H_SAME, 0, 0, "sorted(%l, key=abs)"},
    {T_LI, 7, P_ATOM, H_SAME, 0, 0, "%l[::-1]"},
    {T_LI, 6, P_ATOM, H_SHRINK, 0, 0, "%l[1:]"},
    {T_LI, 3, P_ATOM, H_SHRINK, 0, 0, "%l[:-1]"},
    {T_LI, 5, P_ATOM, H_SHRINK, 0, 0, "%l[:%k]"},
    {T_LI, 3, P_ATOM, H_SHRINK, 0, 0, "%l[::2]"},
    {T_LI, 2, P_ATOM, H_SHRINK, 0, 0, "%l[%z:%k]"},
    {T_LI, 3, P_ATOM, H_SHRINK, 0, 0, "%l[len(%0) // 2:]"},
    {T_LI, 7, P_SUM, H_MORE, 1, 0, "%l + [%i]"},
    {T_LI, 3, P_SUM, H_CONCAT, 0, 0, "%l + %l"},
    {T_LI, 3, P_SUM, H_CONCAT, 0, R_INDEXED, "%l[%k:] + %0[:%k]"},
    {T_LI, 4, P_ATOM, H_RANGE, 0, 0, "list(range(%N))"},
    {T_LI, 2, P_ATOM, H_RANGE, 0, 0, "list(range(1, %N))"},
    {T_LI, 4, P_ATOM, H_SAME, 0, 0, "sorted(set(%l))"},
    {T_LI, 2, P_ATOM, H_SAME, 0, 0, "list(dict.fromkeys(%l))"},
    {T_LI, 6, P_ATOM, H_LIST, 0, 0, "[%I, %i]"},
    {T_LI, 5, P_ATOM, H_LIST, 0, 0, "[%I, %I, %i]"},
    {T_LI, 3, P_ATOM, H_LIST, 0, 0, "[%I]"},
    {T_LI, 5, P_ATOM, H_SAME, 0, 0, "sorted(%u)"},
    {T_LI, 4, P_ATOM, H_KEYS, 0, 0, "list(%d.values())"},
    {T_LI, 3, P_ATOM, H_KEYS, 0, 0, "sorted(%d.values())"},
    {T_LI, 4, P_ATOM, H_KEYS, 0, 0, "sorted(%e)"},
    {T_LI, 4, P_ATOM, H_SAME, 0, 0, "list(%y)"},
    {T_LI, 3, P_PRODUCT, H_REPEAT, 0, 0, "[%I] * %k"},
    {T_LI, 3, P_ATOM, H_ABS, 0, 0, "list(map(abs, %l))"},
    {T_LI, 4, P_ATOM, H_LENS, 1, R_LOOPS, "[len(part) for part in %a]"},
    {T_LI, 3, P_ATOM, H_LENS, 1, 0, "list(map(len, %a))"},
    {T_LI, 2, P_ATOM, H_CODES, 127, 0, "list(map(ord, %s))"},
    {T_LI, 3, P_ATOM, H_CODES, 9, R_LOOPS, "[int(c) for c in str(%N)]"},
    {T_LI, 3, P_ATOM, H_ELEM, 0, 0, "%M[0]"},
    {T_LI, 3, P_ATOM, H_ELEM, 0, 0, "%M[-1]"},
    {T_LI, 3, P_ATOM, H_FLAT, 0, 0, "sum(%m, [])"},
    {T_LI, 3, P_ATOM, H_TOTAL, 1, 0, "list(map(sum, %m))"},
    {T_LI, 3, P_LOWEST, H_OR, 0, R_CONDITION, "%l if %b else %l"},
    {T_LI, 2, P_ATOM, H_SAME, 0, 0, "%l.copy()"},
    {T_LI, 2, P_ATOM, H_MORE, 1, 0, "[*%l, %i]"},
    {T_LI, 3, P_ATOM, H_NEST, 0, 0, "%g.get(%s, [])"},
    {T_LI, 2, P_OR, H_OR, 0, 0, "%l or [%I]"},

    {T_LS, 8, P_ATOM, H_SPLIT, 0, 0, "%s.split()"},
    {T_LS, 8, P_ATOM, H_SPLIT, 0, 0, "%s.split(%q)"},
    {T_LS, 7, P_ATOM, H_SAME, 0, 0, "sorted(%a)"},
    {T_LS, 4, P_ATOM, H_SAME, 0, 0, "sorted(%a, key=len)"},
    {T_LS, 3, P_ATOM, H_SAME, 0, 0, "sorted(%a, key=str.lower)"},
    {T_LS, 6, P_ATOM, H_SAME, 0, 0, "%a[::-1]"},
    {T_LS, 5, P_ATOM, H_SHRINK, 0, 0, "%a[1:]"},
    {T_LS, 3, P_ATOM, H_SHRINK, 0, 0, "%a[:%k]"},
    {T_LS, 5, P_SUM, H_MORE, 1, 0, "%a + [%s]"},
    {T_LS, 7, P_ATOM, H_CHAR, 150, 0, "list(%s)"},
    {T_LS, 5, P_ATOM, H_KEYS, 0, 0, "sorted(%d)"},
    {T_LS, 4, P_ATOM, H_CHAR, 150, 0, "sorted(set(%s))"},
    {T_LS, 5, P_ATOM, H_LIST, 0, 0, "[%s, %s]"},
    {T_LS, 2, P_ATOM, H_LIST, 0, 0, "[%s, %s, %w]"},
    {T_LS, 3, P_ATOM, H_KEYS, 0, 0, "list(%h.values())"},
    {T_LS, 4, P_ATOM, H_SAME, 0, 0, "list(map(str.upper, %a))"},
    {T_LS, 4, P_ATOM, H_DIGITS, 1, 0, "list(map(str, %l))"},
    {T_LS, 4, P_ATOM, H_KEYS, 0, 0, "sorted(%U)"},
    {T_LS, 2, P_PRODUCT, H_REPEAT, 0, 0, "[%s] * %k"},
    {T_LS, 3, P_ATOM, H_KEYS, 0, 0, "sorted(%g)"},
    {T_LS, 3, P_ATOM, H_SPLIT, 0, 0, "sorted(%s.split(%q))"},
    {T_LS, 2, P_ATOM, H_SAME, 0, 0, "list(dict.fromkeys(%a))"},
    {T_LS, 2, P_LOWEST, H_OR, 0, R_CONDITION, "%a if %b else %a"},

    {T_LLI, 4, P_ATOM, H_NEST, 0, 0, "[%l, %l]"},
    {T_LLI, 2, P_ATOM, H_NEST, 0, 0, "[%l]"},
    {T_LLI, 5, P_ATOM, H_SAME, 0, 0, "%m[::-1]"},
    {T_LLI, 5, P_ATOM, H_ROWS, 0, R_LOOPS, "[list(row) for row in zip(*%m)]"},
    {T_LLI, 3, P_ATOM, H_SAME, 0, 0, "sorted(%m)"},
    {T_LLI, 4, P_ATOM, H_SAME, 0, 0, "sorted(%m, key=sum)"},
    {T_LLI, 3, P_ATOM, H_SAME, 0, 0, "sorted(%m, key=len)"},
    {T_LLI, 3, P_ATOM, H_SAME, 0, R_LOOPS, "[row[:] for row in %m]"},
    {T_LLI, 4, P_ATOM, H_SAME, 0, R_LOOPS, "[row[::-1] for row in %m]"},
    {T_LLI, 3, P_ATOM, H_SAME, 0, R_LOOPS, "[sorted(row) for row in %m]"},
    {T_LLI, 3, P_ATOM, H_KEYS, 0, 0, "list(%g.values())"},
    {T_LLI, 2, P_ATOM, H_NEST, 0, R_INDEXED, "[%l, %0[::-1]]"},

    {T_LPI, 5, P_ATOM, H_ZIP, 0, 0, "list(enumerate(%l))"},
    {T_LPI, 4, P_ATOM, H_ZIP, 0, 0, "list(zip(%l, %l))"},
    {T_LPI, 4, P_ATOM, H_ZIP, 0, R_INDEXED, "list(zip(%l, %0[1:]))"},
    {T_LPI, 4, P_ATOM, H_SAME, 0, 0, "sorted(%p)"},
    {T_LPI, 3, P_ATOM, H_SAME, 0, 0, "%p[::-1]"},
    {T_LPI, 3, P_ATOM, H_SAME, 0, R_LOOPS, "sorted(%p, key=lambda p: p[1])"},
    {T_LPI, 3, P_ATOM, H_SAME, 0, R_LOOPS, "[(b, a) for a, b in %p]"},
    {T_LPI, 3, P_ATOM, H_LIST, 0, 0, "[(%I, %i)]"},
    {T_LPI, 3, P_ATOM, H_KEYS, 0, 0, "sorted(%e.items())"},

    {T_LPS, 4, P_ATOM, H_SAME, 0, 0, "sorted(%P)"},
    {T_LPS, 4, P_ATOM, H_SAME, 0, R_LOOPS, "sorted(%P, key=lambda r: r[1])"},
    {T_LPS, 3, P_ATOM, H_SHRINK, 0, 0, "%P[:%k]"},
    {T_LPS, 5, P_ATOM, H_KEYS, 0, 0, "list(%d.items())"},
    {T_LPS, 5, P_ATOM, H_KEYS, 0, 0, "sorted(%d.items())"},
    {T_LPS, 5, P_ATOM, H_KEYS, 0, R_LOOPS,
     "sorted(%d.items(), key=lambda kv: (-kv[1], kv[0]))"},
    {T_LPS, 4, P_ATOM, H_ZIP, 0, 0, "list(zip(%a, %l))"},
    {T_LPS, 3, P_ATOM, H_LENS, 2, R_LOOPS, "[(w, len(w)) for w in %a]"},

    {T_DSI, 4, P_ATOM, H_LIST, 0, R_QUOTES, "{%s: %I}"},
    {T_DSI, 4, P_ATOM, H_KEYS, 0, 0, "dict(%P)"},
    {T_DSI, 4, P_ATOM, H_ZIP, 0, 0, "dict(zip(%a, %l))"},
    {T_DSI, 3, P_ATOM, H_MORE, 1, R_QUOTES, "{**%d, %s: %i}"},
    {T_DSI, 3, P_ATOM, H_SAME, 0, 0, "dict(sorted(%d.items()))"},
    {T_DSI, 2, P_ATOM, H_SAME, 0, 0, "%d.copy()"},
    {T_DSI, 4, P_ATOM, H_LENS, 2, R_LOOPS | R_QUOTES,
     "{w: len(w) for w in %a}"},
    {T_DSI, 4, P_ATOM, H_LENS, 3, R_LOOPS | R_QUOTES,
     "{c: %s.count(c) for c in %0}"},
    {T_DSI, 2, P_ATOM, H_LIST, 0, R_QUOTES, "{%w: %I, %w: %i}"},
    {T_DSI, 3, P_ATOM, H_LENS, 3, R_LOOPS | R_QUOTES,
     "{c: i for i, c in enumerate(%s)}"},

    {T_DII, 4, P_ATOM, H_ZIP, 0, 0, "dict(enumerate(%l))"},
    {T_DII, 3, P_ATOM, H_KEYS, 0, 0, "dict(%p)"},
    {T_DII, 3, P_ATOM, H_ZIP, 0, 0, "dict(zip(%l, %l))"},
    {T_DII, 3, P_ATOM, H_LIST, 0, R_QUOTES, "{%I: %i}"},
    {T_DII, 4, P_ATOM, H_LENS, 4, R_LOOPS | R_QUOTES,
     "{v: %l.count(v) for v in %0}"},

    {T_DSL, 3, P_ATOM, H_NEST, 0, R_QUOTES, "{%w: %l, %w: [%I]}"},
    {T_DSL, 3, P_ATOM, H_NEST, 0, R_QUOTES, "{%s: %l}"},
    {T_DSS, 3, P_ATOM, H_LIST, 0, R_QUOTES, "{%s: %s}"},
    {T_DSS, 4, P_ATOM, H_ZIP, 0, 0, "dict(zip(%a, %a))"},
    {T_DSS, 3, P_ATOM, H_SAME, 0, R_LOOPS | R_QUOTES,
     "{v: k for k, v in %h.items()}"},

    {T_SI, 8, P_ATOM, H_SAME, 0, 0, "set(%l)"},
    {T_SI, 3, P_ATOM, H_LIST, 0, R_QUOTES, "{%I, %i}"},
    {T_SI, 3, P_BITOR, H_CONCAT, 0, 0, "%u | %u"},
    {T_SI, 3, P_BITAND, H_SHRINK, 0, 0, "%u & %u"},
    {T_SI, 3, P_SUM, H_SHRINK, 0, 0, "%u - %u"},
    {T_SI, 4, P_BITAND, H_SHRINK, 0, 0, "set(%l) & set(%l)"},
    {T_SI, 3, P_SUM, H_SHRINK, 0, 0, "set(%l) - {%I}"},
    {T_SI, 2, P_ATOM, H_KEYS, 0, 0, "set(%e)"},
    {T_SS, 5, P_ATOM, H_CHAR, 150, 0, "set(%s)"},
    {T_SS, 5, P_ATOM, H_SAME, 0, 0, "set(%a)"},
    {T_SS, 4, P_ATOM, H_SPLIT, 0, 0, "set(%s.split())"},
    {T_SS, 3, P_BITOR, H_CONCAT, 0, 0, "%U | %U"},
    {T_SS, 3, P_SUM, H_SHRINK, 0, 0, "%U - %U"},
    {T_SS, 4, P_ATOM, H_KEYS, 0, 0, "set(%d)"},
    {T_SS, 3, P_BITAND, H_CHAR, 150, 0, "set(%s) & set(%s)"},

    {T_PII, 6, P_ATOM, H_LIST, 0, 0, "(%I, %i)"},
    {T_PII, 4, P_ATOM, H_LIST, 0, 0, "divmod(%I, %k)"},
    {T_PII, 4, P_ATOM, H_TOTAL, 2, 0, "(min(%L), max(%0))"},
    {T_PII, 3, P_ATOM, H_TOTAL, 2, 0, "(sum(%l), len(%0))"},
    {T_PII, 3, P_ATOM, H_SAME, 0, 0, "%t[::-1]"},
    {T_PSI, 6, P_ATOM, H_LIST, 0, 0, "(%s, %I)"},
    {T_PSI, 3, P_ATOM, H_LENS, 5, 0, "(%s, len(%0))"},
    {T_TI, 5, P_ATOM, H_SAME, 0, 0, "tuple(%l)"},
    {T_TI, 5, P_ATOM, H_LIST, 0, 0, "(%I, %i, %I)"},
    {T_TI, 3, P_ATOM, H_SAME, 0, 0, "%y[::-1]"},
    {T_TI, 4, P_SUM, H_MORE, 1, 0, "%y + (%i,)"},
    {T_TI, 3, P_ATOM, H_SAME, 0, 0, "tuple(sorted(%l))"},

    {T_FLOAT, 6, P_PRODUCT, H_SAME, 0, 0, "%I / %k"},
    {T_FLOAT, 6, P_ATOM, H_SAME, 0, 0, "round(%I / %k, 2)"},
    {T_FLOAT, 5, P_PRODUCT, H_SAME, 0, 0, "sum(%L) / len(%0)"},
    {T_FLOAT, 4, P_PRODUCT, H_SAME, 0, 0, "%f * 0.5"},
    {T_FLOAT, 4, P_SUM, H_SUM, 0, 0, "%f + %I"},
    {T_FLOAT, 3, P_ATOM, H_SAME, 0, 0, "round(%f, 1)"},
    {T_FLOAT, 3, P_ATOM, H_SAME, 0, 0, "float(%I)"},
    {T_FLOAT, 3, P_PRODUCT, H_SAME, 0, 0, "%I * 0.25"},
    {T_FLOAT, 3, P_ATOM, H_OR, 0, 0, "max(%f, %k)"},
    {T_LF, 4, P_ATOM, H_SAME, 0, R_LOOPS, "[x / 2 for x in %l]"},
    {T_LF, 4, P_ATOM, H_SAME, 0, R_LOOPS, "[round(v * 0.5, 1) for v in %l]"},
    {T_LF, 3, P_ATOM, H_LIST, 0, 0, "[%f, float(%I)]"},
};

struct hole_kind {
    bool is_expression;
    enum gen_type type;
    unsigned want;
};

/* By the letter. */
static const struct hole_kind hole_kinds[128] = {
    ['i'] = {true, T_INT, 0},
    ['I'] = {true, T_INT, W_VARIABLE},
    ['N'] = {true, T_INT, W_VARIABLE | W_NONNEG},
    ['f'] = {true, T_FLOAT, W_VARIABLE},
    ['s'] = {true, T_STR, W_VARIABLE},
    ['S'] = {true, T_STR, W_VARIABLE | W_NONEMPTY},
    ['l'] = {true, T_LI, W_VARIABLE},
    ['L'] = {true, T_LI, W_VARIABLE | W_NONEMPTY},
    ['a'] = {true, T_LS, W_VARIABLE},
    ['A'] = {true, T_LS, W_VARIABLE | W_NONEMPTY},
    ['m'] = {true, T_LLI, W_VARIABLE},
    ['M'] = {true, T_LLI, W_VARIABLE | W_NONEMPTY},
    ['p'] = {true, T_LPI, W_VARIABLE},
    ['P'] = {true, T_LPS, W_VARIABLE},
    ['d'] = {true, T_DSI, W_VARIABLE},
    ['D'] = {true, T_DSI, W_VARIABLE | W_NONEMPTY},
    ['e'] = {true, T_DII, W_VARIABLE},
    ['g'] = {true, T_DSL, W_VARIABLE},
    ['h'] = {true, T_DSS, W_VARIABLE},
    ['u'] = {true, T_SI, W_VARIABLE},
    ['U'] = {true, T_SS, W_VARIABLE},
    ['t'] = {true, T_PII, W_VARIABLE | W_NAME},
    ['T'] = {true, T_PSI, W_VARIABLE | W_NAME},
    ['y'] = {true, T_TI, W_VARIABLE},
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
            gen_printf(d->out, "'%c'", gen_char(d, h->vocab));
        } else {
            const char *word = gen_word(d, h->vocab);

            ret->bound.len = (uint32_t)strlen(word);
            gen_printf(d->out, "'%s'", word);
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
        if (h->n > 0 && h->types[h->n - 1] == T_INT &&
            h->values[h->n - 1].is_constant &&
            n >= h->values[h->n - 1].bound.mag) {
            n = 1; /* a remainder that there is */
        }
    } else { /* 'c' */
        n = gen_chance(d, 700) ? gen_between(d, 0, 9) : gen_between(d, 0, 99);
        if (gen_chance(d, 150) && n > 0) {
            cwm_buf_addc(d->out, '-');
            ret->bound.nonneg = false;
        }
    }
    ret->bound.mag = n;
    gen_printf(d->out, "%" PRIu32, n);
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

    if (*after == '.' || *after == '[' ||
        ((r->flags & R_INDEXED) && before == strchr(r->pattern, '%'))) {
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
        const struct hole_kind *kind = &hole_kinds[(unsigned char)letter];

        *type = kind->type;
        done =
            gen_expression(d, *type, depth - 1, kind->want, precedence, value);
    }
    /* A text that is no variable's has no vocabulary of its own. */
    if (done && h->n == 0) {
        h->vocab = value->bound.vocab;
    }
    for (unsigned i = 0; done && i < h->n; i++) { /* x + x, a < a: dull */
        size_t len = h->end[i] - h->start[i];

        if (len == d->out->len - start && d->out->failed == CWM_OK &&
            (!value->is_constant || *type == T_STR || letter == 'c') &&
            *type != T_BOOL && r->how != H_NEST &&
            memcmp(d->out->data + h->start[i], d->out->data + start, len) ==
                0) {
            return false;
        }
    }
    if (done && r->how == H_NEST && *type == T_LI) {
        gen_make_fresh(d, start, T_LI, value->precedence);
    }
    h->start[h->n] = start;
    h->end[h->n++] = d->out->len;
    return done;
}

static bool repeat_first(struct gen_draft *d, const struct holes *h)
{
    size_t len = h->end[0] - h->start[0];

    /* Long texts twice look odd, and what loops in them would loop again. */
    if (len > 30 || d->out->failed != CWM_OK ||
        memmem(d->out->data + h->start[0], len, " for ", 5) ||
        memmem(d->out->data + h->start[0], len, "lambda", 6)) {
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

/* A comprehension or lambda in the pattern is steps of its own. */
static bool charge_pattern(struct gen_draft *d, const struct rule *r,
                           const struct holes *h)
{
    uint32_t len = h->values[0].bound.len;

    if (!(r->flags & R_LOOPS)) {
        return true;
    }
    return len <= 40 && gen_charge(d, 3 * len + 3);
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
    return charge_pattern(d, r, h);
}

void gen_index_rules(struct gen_draft *d)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        struct gen_rules *of_type = &d->rules[rules[i].type];

        if (of_type->n++ == 0) {
            of_type->first = (uint16_t)i;
        }
        if (rules[i].weight > of_type->heaviest) {
            of_type->heaviest = rules[i].weight;
        }
    }
}

/* A pattern on a rare type needs a variable of it, nearly always. */
static bool can_be_filled(struct gen_draft *d, const struct rule *r,
                          unsigned depth)
{
    const char *hole = r->pattern;
    const struct hole_kind *kind;

    if ((depth < 2 && (r->flags & R_CONDITION)) || /* they must end */
        (d->in_fstring && (r->flags & R_QUOTES))) {
        return false;
    }
    while (*hole != '%') {
        hole++;
    }
    hole += hole[1] == '{' ? 2 : 1;
    kind = &hole_kinds[(unsigned char)*hole];
    if (!kind->is_expression || kind->type == T_INT || kind->type == T_STR) {
        return true;
    }
    for (int var = 0; var < d->n_vars; var++) {
        if (d->vars[var].type == kind->type) {
            return true;
        }
    }
    return gen_chance(d, kind->type == T_LI || kind->type == T_LS ? 350 : 60);
}

bool gen_rule(struct gen_draft *d, enum gen_type type, unsigned depth,
              struct gen_value *ret_value)
{
    struct gen_mark mark = gen_mark(d);
    const struct gen_rules *of_type = &d->rules[type];

    for (int i = 0; i < 6; i++) {
        struct holes h = {0};
        const struct rule *r;

        do { /* by weight, without going through them */
            r = &rules[of_type->first + gen_pick(d, of_type->n)];
        } while (gen_pick(d, of_type->heaviest) >= r->weight);
        if (!can_be_filled(d, r, depth)) {
            continue;
        }
        h.vocab = gen_pick(d, VOCAB_N);
        if (fill(d, r, depth ? depth : 1, &h)) {
            gen_rule_bound(r, &h, ret_value);
            return true;
        }
        gen_cut(d, mark);
    }
    return false;
}
