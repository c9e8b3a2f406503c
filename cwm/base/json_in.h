/* SPDX-License-Identifier: MIT */
/*
 * json_in.h -- a JSON text read from front to back, without a tree.
 *
 * For texts that a library's tree does not serve: strings with lone
 * surrogates (WTF-8 here, as in cwm_buf_add_json()), records of megabytes of
 * which little is wanted, texts that end in the middle.  The grammar is RFC
 * 8259's; bytes that are not UTF-8 are let pass in strings.
 *
 *     struct json_in in = {.text = text, .len = len};
 *     if (json_open(&in, '{')) {
 *         for (bool first = true; json_more(&in, '}', first); first = false) {
 *             json_key(&in, &key); ... json_skip(&in);
 *         }
 *     }
 *     if (in.failed) ...
 *
 * Failure is sticky: once the text breaks the grammar, or a buffer is full,
 * `failed` says so, every function returns false and `at` stays, at the first
 * byte that could not be used.
 *
 * Threads: none shared.
 */
#ifndef CWM_BASE_JSON_IN_H
#define CWM_BASE_JSON_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

/* Deeper texts break the grammar: nobody means them. */
#define JSON_IN_MAX_DEPTH 512

struct json_in {
    const char *text; /* borrowed */
    size_t len;
    size_t at;
    enum cwm_rc failed; /* CWM_OK, CWM_FORMAT, or a buffer's failure */
};

/* The first byte of the next value or sign, white space passed over; 0 at the
 * end and after a failure. */
char json_peek(struct json_in *in);

/* Pass over `sign`, '{' or '['; it must be there. */
bool json_open(struct json_in *in, char sign);
/* Is there another member?  If not, `close` has been passed over. */
bool json_more(struct json_in *in, char close, bool first);
/* A member's name and the colon behind it; appended to `name`. */
bool json_key(struct json_in *in, struct cwm_buf *name);

/* A string, decoded; appended to `out` (NULL: only passed over). */
bool json_string(struct json_in *in, struct cwm_buf *out);
/* A whole number from 0 to 2^53. */
bool json_count(struct json_in *in, uint64_t *ret_number);
/* Any value, passed over. */
bool json_skip(struct json_in *in);
/* The literal null; false without a failure when it is something else. */
bool json_null(struct json_in *in);
/* The literals true and false. */
bool json_bool(struct json_in *in, bool *ret_value);
/* Any number that a double can be. */
bool json_real(struct json_in *in, double *ret_number);

/*
 * The value of the member `key` of the object that `in` is before; `in` stays
 * there.  False: there is none, or `in` failed: it is no object, it breaks the
 * grammar, or it has two members of this name.  Each call goes through the
 * whole object: for small ones.
 */
bool json_find(struct json_in *in, const char *key, struct json_in *ret_value);
/* Is the whole text one value?  `in` stays where it is, but for a failure. */
bool json_whole(struct json_in *in);
/* The line that `at` is in, 1-based, for messages. */
size_t json_line(const struct json_in *in);

#endif /* CWM_BASE_JSON_IN_H */
