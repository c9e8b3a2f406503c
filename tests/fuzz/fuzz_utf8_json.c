/* SPDX-License-Identifier: MIT */
/*
 * fuzz_utf8_json.c -- any bytes as a JSON string: another reader of JSON gets
 * the same characters back, U+FFFD for each byte that is no character.
 */
#include <string.h>

#include <jansson.h>

#include "cwm/base/buf.h"
#include "cwm/base/utf8.h"
#include "tests/fuzz/fuzz.h"

/* The characters of data as strict UTF-8; false: it holds surrogates, which
 * JSON can say and jansson refuses. */
static bool expected(const uint8_t *data, size_t len, struct cwm_buf *ret)
{
    size_t at = 0;
    char bytes[4];

    while (at < len) {
        uint32_t code;

        at += cwm_utf8_decode(data + at, len - at, &code);
        if (code >= 0xD800 && code <= 0xDFFF) {
            return false;
        }
        must(code <= 0x10FFFF);
        cwm_buf_add(ret, bytes, cwm_utf8_encode(code, bytes));
    }
    must(ret->failed == CWM_OK);
    must(cwm_utf8_valid_prefix(ret->data, ret->len) == ret->len);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cwm_buf json;
    struct cwm_buf want;
    size_t i;

    cwm_buf_init(&json, SIZE_MAX / 2);
    cwm_buf_init(&want, SIZE_MAX / 2);
    must(cwm_buf_add_json(&json, data, len) == CWM_OK);
    for (i = 0; i < json.len; i++) {
        must(json.data[i] >= ' ' && json.data[i] <= '~');
    }
    if (expected(data, len, &want)) {
        json_t *value = json_loadb(json.data, json.len,
                                   JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

        must(value != NULL);
        must(json_string_length(value) == want.len);
        must(want.len == 0 ||
             memcmp(json_string_value(value), want.data, want.len) == 0);
        json_decref(value);
    }
    cwm_buf_release(&json);
    cwm_buf_release(&want);
    return 0;
}
