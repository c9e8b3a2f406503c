/* SPDX-License-Identifier: MIT */
/*
 * judge_value_internal.h -- what writing and reading of values share.
 *
 * Format: one byte that says what, then
 *     N T F . !            None, True, False, Ellipsis, NotImplemented
 *     i                    8 bytes LE, two's complement
 *     I  u32 n             n digits: hexadecimal, with sign and 0x
 *     d  8                 a double;  c  16: complex
 *     s b y  u32 n         text (UTF-8, surrogates too), bytes, bytearray
 *     l t S Z  u32 n       list, tuple, set, frozenset: n values
 *     D  u32 n             dict: n keys, each followed by its value
 *     B  u32 n             a built-in class by its name
 *     X  u8 which, value   a library's class and what it is made from
 *     H  u32 n, u8         an object of the candidate's; can it be called?
 *     P  u32 n             a test's function for the candidate: marshalled code
 *     G  u32 n             the same, a built-in one by its name
 */
#ifndef EVAL_WORKER_JUDGE_VALUE_INTERNAL_H
#define EVAL_WORKER_JUDGE_VALUE_INTERNAL_H

#include <Python.h>

#include <stddef.h>

/* Deeper values are objects: reading must not run out of stack, nor comparing
 * out of Python's 1,000 levels. */
#define JUDGE_MAX_DEPTH 900

/* Classes of the library, as the format numbers them; some by name. */
enum {
    JUDGE_COUNTER,
    JUDGE_ORDERED_DICT,
    JUDGE_DEQUE,
    JUDGE_TIMEZONE,
    JUDGE_N_LIBRARY = 12,
};

/* Borrowed; which < JUDGE_N_LIBRARY. */
PyTypeObject *judge__library_class(size_t which);

#endif /* EVAL_WORKER_JUDGE_VALUE_INTERNAL_H */
