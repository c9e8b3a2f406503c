/* SPDX-License-Identifier: MIT */
/*
 * output.h -- is what a program printed what it should have printed?
 *
 * Threads: pure.
 */
#ifndef EVAL_OUTPUT_H
#define EVAL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* As contests' judges do: white space at the end of lines, and empty lines at
 * the end, do not count. */
bool output_is_same(const char *a, size_t a_len, const char *b, size_t b_len);

/*
 * As LiveCodeBench's checker does: white space round the whole and round each
 * line does not count; lines that differ are equal where all their words are
 * numbers of the same values (`1.50` and `1.5`; exactly, whatever their size).
 */
bool output_is_same_livecode(const char *a, size_t a_len, const char *b,
                             size_t b_len);

#endif /* EVAL_OUTPUT_H */
