/* SPDX-License-Identifier: MIT */
/*
 * fuzz_tokenizer.c -- hostile tokenizer files, patterns and texts.
 *
 * Input: a byte that says what the rest is: 0 a tokenizer file, 1 a text for
 * a tokenizer that is known to be good, 2 the pattern for one, a NUL, and a
 * text.  Whatever can be loaded must give back the text it encodes, and what
 * is written must be read as the same tokenizer.
 */
#include <stdio.h>
#include <string.h>

#include "cwm/model/tokenizer.h"
#include "tests/fuzz/fuzz.h"

#define MAX_INPUT_BYTES (1u << 16)
#define MAX_TEXT_BYTES  ((size_t)1 << 24)

enum { N_KINDS = 3 };

static const char sample[] =
    "<|sep|>def f(s):\n\treturn s * 2  # \xC3\xA9\xFF'll 1234 aaaaaaaaaaaa";

/* A tokenizer.json of all bytes and a few merges, with this pattern. */
static void put_tokenizer(struct cwm_buf *json, const char *pattern, size_t len)
{
    unsigned next = 256;
    unsigned b;

    cwm_buf_adds(json, "{\"added_tokens\": [{\"id\": 300, \"content\": "
                       "\"<|sep|>\"}], \"pre_tokenizer\": {\"type\": "
                       "\"Sequence\", \"pretokenizers\": [{\"type\": "
                       "\"Split\", \"behavior\": \"Isolated\", \"pattern\": "
                       "{\"Regex\": ");
    cwm_buf_add_json(json, pattern, len);
    cwm_buf_adds(json, "}}, {\"type\": \"ByteLevel\", \"use_regex\": false}]}, "
                       "\"model\": {\"type\": \"BPE\", \"merges\": [\"a a\", "
                       "\"aa a\", \"e t\", \"r et\"], \"vocab\": {");
    for (b = 0; b < 256; b++) {
        bool own = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b != 0xAD);

        cwm_buf_addf(json, "\"\\u%04x\": %u, ", own ? b : next, b);
        next += !own;
    }
    cwm_buf_adds(json, "\"aa\": 256, \"aaa\": 257, \"et\": 258, "
                       "\"ret\": 259}}}");
}

static void check_text(const struct tokenizer *t, const char *text, size_t len)
{
    struct tokenizer_encoder *e = NULL;
    struct token_ids ids = {0};
    struct cwm_buf back;
    enum cwm_rc rc;
    int special;

    cwm_buf_init(&back, MAX_TEXT_BYTES);
    must(tokenizer_encoder_new(t, &e, NULL) == CWM_OK);
    for (special = 0; special < 2; special++) {
        ids.n = 0;
        cwm_buf_clear(&back);
        rc = tokenizer_encode(e, text, len, special, &ids, NULL);
        must(rc == CWM_OK || rc == CWM_LIMIT || rc == CWM_FORMAT);
        if (rc != CWM_OK) {
            continue;
        }
        must(tokenizer_decode(t, ids.ids, ids.n, &back, NULL) == CWM_OK);
        must(back.len == len &&
             memcmp(back.data ? back.data : "", text, len) == 0);
    }
    tokenizer_encoder_free(e);
    token_ids_release(&ids);
    cwm_buf_release(&back);
}

static void check_file(const char *data, size_t len, const char *text,
                       size_t text_len)
{
    struct tokenizer *t = NULL;
    struct tokenizer *back = NULL;
    struct cwm_buf json;
    struct cwm_err err;

    if (tokenizer_parse(data, len, &t, &err) != CWM_OK) {
        must(err.message[0] != '\0' && !t);
        return;
    }
    check_text(t, text, text_len);
    cwm_buf_init(&json, MAX_TEXT_BYTES);
    if (tokenizer_write_json(t, &json, &err) == CWM_OK) {
        must(tokenizer_parse(json.data, json.len, &back, NULL) == CWM_OK);
        must(tokenizer_hash(t) == tokenizer_hash(back));
    } else {
        must(err.code == CWM_USAGE);
    }
    cwm_buf_release(&json);
    tokenizer_free(back);
    tokenizer_free(t);
}

/* The tokenizer that texts are tried on, made once. */
static const struct tokenizer *good_tokenizer(void)
{
    static const char pattern[] =
        "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
        "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    static struct tokenizer *good;
    struct cwm_buf json;

    if (!good) {
        cwm_buf_init(&json, MAX_TEXT_BYTES);
        put_tokenizer(&json, pattern, sizeof pattern - 1);
        must(tokenizer_parse(json.data, json.len, &good, NULL) == CWM_OK);
        cwm_buf_release(&json);
    }
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data + 1;
    const char *stop;
    struct cwm_buf json;

    if (len < 1 || len > MAX_INPUT_BYTES) {
        return 0;
    }
    len--;
    switch (data[0] % N_KINDS) {
    case 0:
        check_file(text, len, sample, sizeof sample - 1);
        break;
    case 1:
        check_text(good_tokenizer(), text, len);
        break;
    default:
        stop = memchr(text, '\0', len);
        if (stop) {
            cwm_buf_init(&json, MAX_TEXT_BYTES);
            put_tokenizer(&json, text, (size_t)(stop - text));
            check_file(json.data, json.len, stop + 1,
                       len - (size_t)(stop + 1 - text));
            cwm_buf_release(&json);
        }
        break;
    }
    return 0;
}
