/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_json.c -- Hugging Face's tokenizer.json, in and out.
 *
 * What is read: "model" (type BPE: vocab, merges as pairs or as two words in
 * a string, ignore_merges), "pre_tokenizer" (Split, Digits, ByteLevel, a
 * Sequence of them, ByteLevel last), "added_tokens".  Whatever else would
 * change the ids and is not plain (normalizers, dropout, prefixes, tokens
 * that strip the text around them) is refused by name.  Post-processors and
 * decoders do not change the ids of a text and are not looked at.
 */
#include <jansson.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/utf8.h"
#include "cwm/model/tokenizer_internal.h"

/* What ByteLevel cuts by itself where "use_regex" is on (GPT-2's pattern). */
static const char byte_level_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
    "|\\s+(?!\\S)|\\s+";

/* ---- small readers ------------------------------------------------------ */

static bool is_absent(const json_t *value)
{
    return !value || json_is_null(value);
}

/* True for `"key": true`; what is no boolean counts as given. */
static bool is_on(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return !is_absent(value) && !json_is_false(value);
}

static const char *string_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) ? json_string_value(value) : "";
}

/* ---- added tokens ------------------------------------------------------- */

static enum cwm_rc read_added(const json_t *list, struct tokenizer *t,
                              struct cwm_err *err)
{
    static const char *const plain[] = {"single_word", "lstrip", "rstrip"};
    size_t at;
    size_t i;
    json_t *added;

    if (!is_absent(list) && !json_is_array(list)) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot read \"added_tokens\": it is "
                        "no list");
    }
    json_array_foreach(list, at, added)
    {
        const json_t *id = json_object_get(added, "id");
        const json_t *content = json_object_get(added, "content");
        enum cwm_rc rc;

        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            !json_is_string(content)) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot read added token %zu: it has no id or no "
                            "content",
                            at);
        }
        for (i = 0; i < sizeof plain / sizeof *plain; i++) {
            if (is_on(added, plain[i])) {
                return CWM_FAIL(err, CWM_FORMAT,
                                "cannot use the added token '%.80s': \"%s\" "
                                "is not supported",
                                json_string_value(content), plain[i]);
            }
        }
        rc = tokenizer__set(t, (size_t)json_integer_value(id),
                            json_string_value(content),
                            json_string_length(content), TOKEN_SPECIAL, err);
        if (rc != CWM_OK) {
            return rc;
        }
    }
    return CWM_OK;
}

/* ---- pre-tokenizers ----------------------------------------------------- */

/* A literal string as a pattern. */
static enum cwm_rc add_literal(const char *text, size_t len,
                               struct tokenizer *t, struct cwm_err *err)
{
    struct cwm_buf pattern;
    enum cwm_rc rc;
    size_t i;

    cwm_buf_init(&pattern, 2 * (size_t)TOKENIZER_MAX_PATTERN_BYTES);
    for (i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x80) {
            cwm_buf_addf(&pattern, "\\x{%x}", (unsigned)text[i]);
        } else {
            cwm_buf_addc(&pattern, text[i]);
        }
    }
    rc = cwm_buf_check(&pattern, "the pre-tokenizer's pattern", err);
    if (rc == CWM_OK) {
        rc = tokenizer__add_split(t, pattern.data ? pattern.data : "",
                                  pattern.len, err);
    }
    cwm_buf_release(&pattern);
    return rc;
}

static enum cwm_rc read_split(const json_t *split, struct tokenizer *t,
                              struct cwm_err *err)
{
    const json_t *pattern = json_object_get(split, "pattern");
    const json_t *regex = json_object_get(pattern, "Regex");
    const json_t *literal = json_object_get(pattern, "String");

    if (strcmp(string_at(split, "behavior"), "Isolated") != 0 ||
        is_on(split, "invert")) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use a pre-tokenizer: only \"Split\" with the "
                        "behavior \"Isolated\", not inverted, is supported");
    }
    if (json_is_string(regex)) {
        return tokenizer__add_split(t, json_string_value(regex),
                                    json_string_length(regex), err);
    }
    if (json_is_string(literal)) {
        return add_literal(json_string_value(literal),
                           json_string_length(literal), t, err);
    }
    return CWM_FAIL(err, CWM_FORMAT,
                    "cannot use a pre-tokenizer: \"Split\" has no pattern");
}

static enum cwm_rc read_byte_level(const json_t *pre, struct tokenizer *t,
                                   struct cwm_err *err)
{
    const json_t *use_regex = json_object_get(pre, "use_regex");

    if (is_on(pre, "add_prefix_space")) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use a pre-tokenizer: \"add_prefix_space\" is "
                        "not supported");
    }
    if (json_is_false(use_regex)) {
        return CWM_OK;
    }
    return tokenizer__add_split(t, byte_level_pattern,
                                sizeof byte_level_pattern - 1, err);
}

/* One that is no Sequence; *ret_byte_level tells whether it was ByteLevel. */
static enum cwm_rc read_one_pre(const json_t *pre, struct tokenizer *t,
                                bool *ret_byte_level, struct cwm_err *err)
{
    const char *type = string_at(pre, "type");

    *ret_byte_level = false;
    if (strcmp(type, "Split") == 0) {
        return read_split(pre, t, err);
    }
    if (strcmp(type, "Digits") == 0) {
        const char *pattern =
            is_on(pre, "individual_digits") ? "\\p{N}" : "\\p{N}+";

        return tokenizer__add_split(t, pattern, strlen(pattern), err);
    }
    if (strcmp(type, "ByteLevel") == 0) {
        *ret_byte_level = true;
        return read_byte_level(pre, t, err);
    }
    return CWM_FAIL(err, CWM_FORMAT,
                    "cannot use the pre-tokenizer '%.80s': Split, Digits and "
                    "ByteLevel are supported",
                    type);
}

static enum cwm_rc read_pre(const json_t *pre, struct tokenizer *t,
                            struct cwm_err *err)
{
    bool byte_level = false;
    enum cwm_rc rc = CWM_OK;
    size_t at;
    json_t *one;

    if (strcmp(string_at(pre, "type"), "Sequence") != 0) {
        rc = read_one_pre(pre, t, &byte_level, err);
    } else {
        json_array_foreach(json_object_get(pre, "pretokenizers"), at, one)
        {
            if (byte_level) {
                return CWM_FAIL(err, CWM_FORMAT,
                                "cannot use a pre-tokenizer behind ByteLevel");
            }
            rc = read_one_pre(one, t, &byte_level, err);
            if (rc != CWM_OK) {
                return rc;
            }
        }
    }
    if (rc == CWM_OK && !byte_level) {
        rc = CWM_FAIL(err, CWM_FORMAT,
                      "cannot use the pre-tokenizer: without ByteLevel the "
                      "vocabulary is not one of bytes");
    }
    return rc;
}

/* ---- the model ---------------------------------------------------------- */

/* Byte of each character of the alphabet, -1 for the rest. */
static void invert_alphabet(int16_t bytes[TOKENIZER_ALPHABET_END])
{
    uint32_t codes[256];
    unsigned b;

    memset(bytes, 0xFF, TOKENIZER_ALPHABET_END * sizeof *bytes);
    tokenizer__alphabet(codes);
    for (b = 0; b < 256; b++) {
        bytes[codes[b]] = (int16_t)b;
    }
}

/*
 * The bytes that a word of the vocabulary stands for; false where it has
 * characters from outside the alphabet, or is longer than any token.
 */
static bool word_bytes(const int16_t *alphabet, const char *word, size_t len,
                       char out[TOKENIZER_MAX_TOKEN_BYTES], size_t *ret_len)
{
    size_t n = 0;
    size_t at = 0;
    uint32_t code;

    while (at < len) {
        at += cwm_utf8_decode(word + at, len - at, &code);
        if (code >= TOKENIZER_ALPHABET_END || alphabet[code] < 0 ||
            n == TOKENIZER_MAX_TOKEN_BYTES) {
            return false;
        }
        out[n++] = (char)alphabet[code];
    }
    *ret_len = n;
    return n > 0;
}

static enum cwm_rc read_vocab(json_t *vocab, struct tokenizer *t,
                              struct cwm_err *err)
{
    int16_t alphabet[TOKENIZER_ALPHABET_END];
    char bytes[TOKENIZER_MAX_TOKEN_BYTES];
    const char *word;
    json_t *id;
    enum cwm_rc rc;

    invert_alphabet(alphabet);
    json_object_foreach(vocab, word, id)
    {
        size_t len = strlen(word);
        size_t n;

        if (!json_is_integer(id) || json_integer_value(id) < 0) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot read the vocabulary: '%.80s' has no id",
                            word);
        }
        if (word_bytes(alphabet, word, len, bytes, &n)) {
            rc = tokenizer__set(t, (size_t)json_integer_value(id), bytes, n,
                                TOKEN_TEXT, err);
        } else {
            rc = tokenizer__set(t, (size_t)json_integer_value(id), word, len,
                                TOKEN_RAW, err);
        }
        if (rc != CWM_OK) {
            return rc;
        }
    }
    return CWM_OK;
}

/* The two words of one merge, however it is written. */
static bool merge_words(const json_t *merge, const char *words[2],
                        size_t lens[2])
{
    const char *space;
    size_t i;

    if (json_is_string(merge)) {
        words[0] = json_string_value(merge);
        space = strchr(words[0], ' ');
        if (!space || strchr(space + 1, ' ')) {
            return false;
        }
        lens[0] = (size_t)(space - words[0]);
        words[1] = space + 1;
        lens[1] = json_string_length(merge) - lens[0] - 1;
        return true;
    }
    if (json_array_size(merge) != 2) {
        return false;
    }
    for (i = 0; i < 2; i++) {
        const json_t *word = json_array_get(merge, i);

        if (!json_is_string(word)) {
            return false;
        }
        words[i] = json_string_value(word);
        lens[i] = json_string_length(word);
    }
    return true;
}

/* The token of a pair's first, second, or both words. */
static bool find_word(const struct tokenizer *t, const int16_t *alphabet,
                      const char *const words[2], const size_t lens[2],
                      bool first, bool second, uint32_t *ret_id)
{
    char bytes[2 * TOKENIZER_MAX_TOKEN_BYTES];
    size_t len = 0;
    size_t n;

    if (first) {
        if (!word_bytes(alphabet, words[0], lens[0], bytes, &n)) {
            return false;
        }
        len = n;
    }
    if (second) {
        if (!word_bytes(alphabet, words[1], lens[1], bytes + len, &n)) {
            return false;
        }
        len += n;
    }
    return tokenizer__find(t, &t->text, bytes, len, tokenizer__hash(bytes, len),
                           ret_id);
}

static enum cwm_rc read_merges(const json_t *merges, struct tokenizer *t,
                               struct cwm_err *err)
{
    int16_t alphabet[TOKENIZER_ALPHABET_END];
    size_t n = json_array_size(merges);
    enum cwm_rc rc;
    size_t at;
    json_t *pair;

    if (n > TOKENIZER_MAX_MERGES) {
        return CWM_FAIL(err, CWM_LIMIT,
                        "cannot use %zu merges: %d is the "
                        "limit",
                        n, TOKENIZER_MAX_MERGES);
    }
    invert_alphabet(alphabet);
    t->merge_list = cwm_calloc(n, sizeof *t->merge_list);
    if (!t->merge_list) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu merges", n);
    }
    rc = bpe_table_reserve(&t->merges, n, err);
    json_array_foreach(merges, at, pair)
    {
        struct bpe_merge m = {.rank = (uint32_t)at};
        const char *words[2];
        size_t lens[2];

        if (rc != CWM_OK) {
            return rc;
        }
        if (!merge_words(pair, words, lens) ||
            !find_word(t, alphabet, words, lens, true, false, &m.left) ||
            !find_word(t, alphabet, words, lens, false, true, &m.right) ||
            !find_word(t, alphabet, words, lens, true, true, &m.id)) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot use merge %zu: it is no pair of tokens "
                            "that together are a token",
                            at);
        }
        t->merge_list[t->n_merge_list++] = m;
        rc = bpe_table_add(&t->merges, m, err);
    }
    return rc;
}

static enum cwm_rc read_model(const json_t *model, struct tokenizer *t,
                              struct cwm_err *err)
{
    static const char *const not_on[] = {"dropout", "byte_fallback"};
    static const char *const not_text[] = {"continuing_subword_prefix",
                                           "end_of_word_suffix"};
    json_t *vocab = json_object_get(model, "vocab");
    const json_t *merges = json_object_get(model, "merges");
    const char *type = string_at(model, "type");
    enum cwm_rc rc;
    size_t i;

    if ((*type && strcmp(type, "BPE") != 0) || !json_is_object(vocab) ||
        !json_is_array(merges)) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the tokenizer's model: only \"BPE\" with a "
                        "vocabulary and merges is supported");
    }
    for (i = 0; i < 2; i++) {
        if (is_on(model, not_on[i]) || *string_at(model, not_text[i])) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot use the tokenizer's model: \"%s\" is not "
                            "supported",
                            is_on(model, not_on[i]) ? not_on[i] : not_text[i]);
        }
    }
    t->ignore_merges = is_on(model, "ignore_merges");
    rc = read_vocab(vocab, t, err);
    if (rc == CWM_OK) {
        rc = tokenizer__index_text(t, err);
    }
    return rc == CWM_OK ? read_merges(merges, t, err) : rc;
}

enum cwm_rc tokenizer__parse_json(const char *data, size_t len,
                                  struct tokenizer *t, struct cwm_err *err)
{
    json_error_t problem;
    json_t *root = NULL; /* owned */
    enum cwm_rc rc;

    root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &problem);
    if (!root) {
        return CWM_FAIL(err,
                        json_error_code(&problem) == json_error_out_of_memory
                            ? CWM_NOMEM
                            : CWM_FORMAT,
                        "could not read the tokenizer's JSON, line %d: %s",
                        problem.line, problem.text);
    }
    if (!is_absent(json_object_get(root, "normalizer"))) {
        rc = CWM_FAIL(err, CWM_FORMAT,
                      "cannot use the tokenizer: normalizers are not "
                      "supported");
        goto out;
    }
    rc = read_added(json_object_get(root, "added_tokens"), t, err);
    if (rc == CWM_OK) {
        rc = read_model(json_object_get(root, "model"), t, err);
    }
    if (rc == CWM_OK) {
        rc = read_pre(json_object_get(root, "pre_tokenizer"), t, err);
    }
out:
    json_decref(root);
    return rc;
}

/* ---- writing ------------------------------------------------------------ */

/* A token of text in the alphabet's characters, as a JSON string. */
static void put_word(const struct tokenizer *t, const uint32_t *alphabet,
                     uint32_t id, struct cwm_buf *out)
{
    const struct token *token = &t->tokens[id];
    const char *bytes = t->bytes.data + token->offset;
    char text[2 * TOKENIZER_MAX_TOKEN_BYTES];
    size_t n = 0;
    size_t i;

    if (token->kind != TOKEN_TEXT) {
        cwm_buf_add_json(out, bytes, token->len);
        return;
    }
    for (i = 0; i < token->len; i++) {
        /* all characters of the alphabet take one or two bytes */
        n += cwm_utf8_encode(alphabet[(unsigned char)bytes[i]], text + n);
    }
    cwm_buf_add_json(out, text, n);
}

static void put_added(const struct tokenizer *t, struct cwm_buf *out)
{
    const char *comma = "";
    uint32_t id;

    cwm_buf_adds(out, " \"added_tokens\": [");
    for (id = 0; id < t->n_ids; id++) {
        const struct token *token = &t->tokens[id];

        if (token->kind != TOKEN_SPECIAL) {
            continue;
        }
        cwm_buf_addf(out, "%s\n  {\"id\": %u, \"content\": ", comma, id);
        cwm_buf_add_json(out, t->bytes.data + token->offset, token->len);
        cwm_buf_adds(out, ", \"single_word\": false, \"lstrip\": false, "
                          "\"rstrip\": false, \"normalized\": false, "
                          "\"special\": true}");
        comma = ",";
    }
    cwm_buf_adds(out, "\n ],\n");
}

static void put_pre(const struct tokenizer *t, struct cwm_buf *out)
{
    size_t i;

    cwm_buf_adds(out, " \"pre_tokenizer\": {\"type\": \"Sequence\", "
                      "\"pretokenizers\": [");
    for (i = 0; i < t->n_splits; i++) {
        cwm_buf_adds(out,
                     "\n  {\"type\": \"Split\", \"pattern\": {\"Regex\": ");
        cwm_buf_add_json(out, t->splits[i].pattern, t->splits[i].len);
        cwm_buf_adds(out, "}, \"behavior\": \"Isolated\", "
                          "\"invert\": false},");
    }
    cwm_buf_adds(out,
                 "\n  {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
                 "\"trim_offsets\": true, \"use_regex\": false}\n ]},\n");
}

static void put_model(const struct tokenizer *t, struct cwm_buf *out)
{
    uint32_t alphabet[256];
    const char *comma = "";
    uint32_t id;
    size_t i;

    tokenizer__alphabet(alphabet);
    cwm_buf_addf(out,
                 " \"model\": {\"type\": \"BPE\", \"dropout\": null, "
                 "\"unk_token\": null, \"continuing_subword_prefix\": null, "
                 "\"end_of_word_suffix\": null, \"fuse_unk\": false, "
                 "\"byte_fallback\": false, \"ignore_merges\": %s,\n"
                 "  \"vocab\": {",
                 t->ignore_merges ? "true" : "false");
    for (id = 0; id < t->n_ids; id++) {
        if (t->tokens[id].kind == TOKEN_TEXT ||
            t->tokens[id].kind == TOKEN_RAW) {
            cwm_buf_addf(out, "%s\n   ", comma);
            put_word(t, alphabet, id, out);
            cwm_buf_addf(out, ": %u", id);
            comma = ",";
        }
    }
    cwm_buf_adds(out, "\n  },\n  \"merges\": [");
    for (i = 0; i < t->n_merge_list; i++) {
        cwm_buf_addf(out, "%s\n   [", i > 0 ? "," : "");
        put_word(t, alphabet, t->merge_list[i].left, out);
        cwm_buf_adds(out, ", ");
        put_word(t, alphabet, t->merge_list[i].right, out);
        cwm_buf_addc(out, ']');
    }
    cwm_buf_adds(out, "\n  ]}\n}\n");
}

enum cwm_rc tokenizer_write_json(const struct tokenizer *t, struct cwm_buf *out,
                                 struct cwm_err *err)
{
    if (!t->merge_list) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot write a tokenizer.json: a tiktoken file has no "
                        "list of merges");
    }
    cwm_buf_adds(out, "{\n \"version\": \"1.0\",\n \"truncation\": null,\n"
                      " \"padding\": null,\n");
    put_added(t, out);
    cwm_buf_adds(out, " \"normalizer\": null,\n");
    put_pre(t, out);
    cwm_buf_adds(out, " \"post_processor\": null,\n"
                      " \"decoder\": {\"type\": \"ByteLevel\", "
                      "\"add_prefix_space\": true, \"trim_offsets\": true, "
                      "\"use_regex\": true},\n");
    put_model(t, out);
    return cwm_buf_check(out, "the tokenizer.json", err);
}
