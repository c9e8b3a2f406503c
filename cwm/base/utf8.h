/* SPDX-License-Identifier: MIT */
/* utf8.h -- one character in, one character out, WTF-8 (lone surrogates). */
#ifndef CWM_BASE_UTF8_H
#define CWM_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decode the character at text[0..len), len > 0.  Returns how many bytes it
 * takes (1 to 4) and stores its code point; surrogates are accepted.  Bytes
 * that are no character give 0xFFFD and 1.
 */
size_t cwm_utf8_decode(const void *text, size_t len, uint32_t *ret_code);

/* Write `code` (<= 0x10FFFF, surrogates allowed) to out[0..4); bytes written.
 */
size_t cwm_utf8_encode(uint32_t code, char out[4]);

/*
 * Length of the longest valid prefix of text[0..len) in strict UTF-8 (no
 * surrogates, no overlong forms): equal to len when all of it is valid.
 */
size_t cwm_utf8_valid_prefix(const void *text, size_t len);

#endif /* CWM_BASE_UTF8_H */
