/* SPDX-License-Identifier: MIT */
/*
 * buf.h -- a growable byte buffer with a maximum.
 *
 * Invariants: data[0..len) is the content; when `data` is not NULL,
 * data[len] is NUL (a reader may take a buffer without NULs as a string).
 * An append that fails leaves the content as it was.  Errors are sticky on
 * request: `failed` is set by the first append that fails, later appends do
 * nothing and fail too, so a renderer may check once at its end.
 */
#ifndef CWM_BASE_BUF_H
#define CWM_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

struct cwm_buf {
    char *data;         /* owned; NULL while empty */
    size_t len;         /* bytes */
    size_t capacity;    /* bytes allocated */
    size_t max_bytes;   /* len never exceeds this */
    enum cwm_rc failed; /* CWM_OK, or the first failure: CWM_NOMEM, CWM_LIMIT */
};

void cwm_buf_init(struct cwm_buf *b, size_t max_bytes);
void cwm_buf_release(struct cwm_buf *b); /* may be init'ed again */
void cwm_buf_clear(struct cwm_buf *b);   /* keeps the memory; clears `failed` */

/* Room for `more` bytes behind `len`; CWM_NOMEM or CWM_LIMIT else. */
enum cwm_rc cwm_buf_reserve(struct cwm_buf *b, size_t more);
enum cwm_rc cwm_buf_add(struct cwm_buf *b, const void *data, size_t len);
enum cwm_rc cwm_buf_adds(struct cwm_buf *b, const char *s);
enum cwm_rc cwm_buf_addc(struct cwm_buf *b, char c);
enum cwm_rc cwm_buf_addf(struct cwm_buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fills err from b->failed ("WHAT is larger than N bytes" / no memory). */
enum cwm_rc cwm_buf_check(const struct cwm_buf *b, const char *what,
                          struct cwm_err *err);

/*
 * Append one JSON string, quotes included, as Python's json.dumps writes it:
 * ASCII only, \uXXXX in lower-case hex (surrogate pairs beyond the BMP),
 * \b \f \n \r \t \" \\ by name.  The input is UTF-8 in which lone surrogates
 * may stand as three bytes (WTF-8); a byte that is no part of such a sequence
 * is written as \ufffd.
 */
enum cwm_rc cwm_buf_add_json(struct cwm_buf *b, const void *text, size_t len);
/* The same without the quotes. */
enum cwm_rc cwm_buf_add_json_body(struct cwm_buf *b, const void *text,
                                  size_t len);

/* Would that be the text itself between two quotes? */
bool cwm_json_is_plain(const void *text, size_t len);

#endif /* CWM_BASE_BUF_H */
