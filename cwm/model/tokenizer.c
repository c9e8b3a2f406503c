/* SPDX-License-Identifier: MIT */
/* tokenizer.c -- the making of a vocabulary. */
#include "cwm/model/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/model/tokenizer_internal.h"
#include "cwm/model/tokenizer_pcre.h"

/* All tokens' bytes: they come from a file of limited size. */
#define MAX_TOKENS_BYTES TOKENIZER_MAX_FILE_BYTES

#define NO_ID UINT32_MAX

const char tokenizer__llama3_pattern[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/* ---- the byte-level alphabet -------------------------------------------- */

/* Bytes that are printable Latin-1 stand for themselves ... */
static bool is_own_letter(unsigned b)
{
    return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
}

/* ... and the others, in their order, for the characters from U+0100 on. */
void tokenizer__alphabet(uint32_t codes[256])
{
    uint32_t next = 256;
    unsigned b;

    for (b = 0; b < 256; b++) {
        codes[b] = is_own_letter(b) ? b : next++;
    }
}

/* ---- maps --------------------------------------------------------------- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t tokenizer__hash(const char *bytes, size_t len)
{
    uint64_t hash = 0x2545F4914F6CDD1Du ^ len;
    uint64_t word;

    while (len >= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = mix(hash ^ word, 0x9E3779B97F4A7C15u);
        bytes += sizeof word;
        len -= sizeof word;
    }
    if (len > 0) {
        word = 0;
        memcpy(&word, bytes, len);
        hash = mix(hash ^ word, 0x9E3779B97F4A7C15u);
    }
    return mix(hash, 0xD6E8FEB86659FD93u);
}

static bool has_bytes(const struct tokenizer *t, uint32_t id, const char *bytes,
                      size_t len)
{
    const struct token *token = &t->tokens[id];

    return token->len == len &&
           memcmp(t->bytes.data + token->offset, bytes, len) == 0;
}

bool tokenizer__find(const struct tokenizer *t, const struct token_map *map,
                     const char *bytes, size_t len, uint64_t hash,
                     uint32_t *ret_id)
{
    size_t at = (size_t)hash & (map->n_slots - 1);

    if (map->n_slots == 0) {
        return false;
    }
    for (; map->slots[at] != NO_ID; at = (at + 1) & (map->n_slots - 1)) {
        if (has_bytes(t, map->slots[at], bytes, len)) {
            *ret_id = map->slots[at];
            return true;
        }
    }
    return false;
}

static enum cwm_rc map_fill(struct tokenizer *t, struct token_map *map,
                            enum token_kind kind, struct cwm_err *err)
{
    size_t n_slots = 64;
    size_t n = 0;
    uint32_t id;
    uint32_t other;

    for (id = 0; id < t->n_ids; id++) {
        n += t->tokens[id].kind == kind;
    }
    while (n_slots / 2 < n) {
        n_slots *= 2;
    }
    map->slots = cwm_malloc(n_slots * sizeof *map->slots);
    if (!map->slots) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %u tokens", t->n_ids);
    }
    map->n_slots = n_slots;
    memset(map->slots, 0xFF, n_slots * sizeof *map->slots);
    for (id = 0; id < t->n_ids; id++) {
        const struct token *token = &t->tokens[id];
        const char *bytes = t->bytes.data + token->offset;
        uint64_t hash;
        size_t at;

        if (token->kind != kind) {
            continue;
        }
        hash = tokenizer__hash(bytes, token->len);
        if (tokenizer__find(t, map, bytes, token->len, hash, &other)) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot use two tokens of the same bytes: %u "
                            "and %u",
                            other, id);
        }
        for (at = (size_t)hash & (n_slots - 1); map->slots[at] != NO_ID;
             at = (at + 1) & (n_slots - 1)) {
        }
        map->slots[at] = id;
    }
    return CWM_OK;
}

/* ---- making one --------------------------------------------------------- */

struct tokenizer *tokenizer__new(void)
{
    struct tokenizer *t = cwm_calloc(1, sizeof *t);

    if (t) {
        cwm_buf_init(&t->bytes, MAX_TOKENS_BYTES);
    }
    return t;
}

void tokenizer_free(struct tokenizer *t)
{
    size_t i;

    if (!t) {
        return;
    }
    for (i = 0; i < t->n_splits; i++) {
        cwm_free(t->splits[i].pattern);
        pcre2_code_free(t->splits[i].code);
    }
    bpe_table_release(&t->merges);
    cwm_free(t->merge_list);
    cwm_free(t->special_lens);
    cwm_free(t->special.slots);
    cwm_free(t->text.slots);
    cwm_free(t->tokens);
    cwm_buf_release(&t->bytes);
    cwm_free(t);
}

static enum cwm_rc tokens_reserve(struct tokenizer *t, size_t n,
                                  struct cwm_err *err)
{
    size_t room = t->n_tokens_room ? t->n_tokens_room : 1024;
    struct token *grown;

    while (room < n) {
        room *= 2;
    }
    if (room > t->n_tokens_room) {
        grown = cwm_realloc(t->tokens, room, sizeof *grown);
        if (!grown) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu tokens", n);
        }
        memset(grown + t->n_tokens_room, 0,
               (room - t->n_tokens_room) * sizeof *grown);
        t->tokens = grown;
        t->n_tokens_room = room;
    }
    return CWM_OK;
}

enum cwm_rc tokenizer__set(struct tokenizer *t, size_t id, const char *bytes,
                           size_t len, enum token_kind kind,
                           struct cwm_err *err)
{
    struct token *token;
    enum cwm_rc rc;

    if (id >= TOKENIZER_MAX_IDS) {
        return CWM_FAIL(err, CWM_LIMIT,
                        "cannot use the token id %zu: %d is "
                        "the limit",
                        id, TOKENIZER_MAX_IDS);
    }
    if (len == 0 || len > TOKENIZER_MAX_TOKEN_BYTES) {
        return CWM_FAIL(err, CWM_LIMIT,
                        "cannot use token %zu: it has %zu "
                        "bytes, 1 to %d are possible",
                        id, len, TOKENIZER_MAX_TOKEN_BYTES);
    }
    rc = tokens_reserve(t, id + 1, err);
    if (rc != CWM_OK) {
        return rc;
    }
    token = &t->tokens[id];
    if (token->kind == TOKEN_SPECIAL && kind != TOKEN_SPECIAL &&
        has_bytes(t, (uint32_t)id, bytes, len)) {
        return CWM_OK;
    }
    if (token->kind != TOKEN_NONE) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use two tokens with the id "
                        "%zu",
                        id);
    }
    *token = (struct token){t->bytes.len, (uint32_t)len, kind, false};
    cwm_buf_add(&t->bytes, bytes, len);
    rc = cwm_buf_check(&t->bytes, "the vocabulary", err);
    if (rc != CWM_OK) {
        token->kind = TOKEN_NONE;
        return rc;
    }
    if (id >= t->n_ids) {
        t->n_ids = (uint32_t)id + 1;
    }
    return CWM_OK;
}

/*
 * The pattern for PCRE2: `\s` and `\S` become the White_Space property, which
 * is what they mean to the libraries that the files are written for; PCRE2's
 * own `\s` takes U+180E in as well.
 */
static void translate(const char *pattern, size_t len, struct cwm_buf *out)
{
    size_t i;

    for (i = 0; i < len; i++) {
        bool escape = pattern[i] == '\\' && i + 1 < len;

        if (escape && (pattern[i + 1] == 's' || pattern[i + 1] == 'S')) {
            cwm_buf_adds(out,
                         pattern[i + 1] == 's' ? "\\p{wspace}" : "\\P{wspace}");
            i++;
        } else if (escape) {
            cwm_buf_add(out, pattern + i, 2);
            i++;
        } else {
            cwm_buf_addc(out, pattern[i]);
        }
    }
}

static enum cwm_rc compile(const char *pattern, size_t len,
                           pcre2_code **ret_code, struct cwm_err *err)
{
    struct cwm_buf translated;
    enum cwm_rc rc;
    int problem;
    size_t where;
    PCRE2_UCHAR text[128];

    cwm_buf_init(&translated, 8 * (size_t)TOKENIZER_MAX_PATTERN_BYTES);
    translate(pattern, len, &translated);
    rc = cwm_buf_check(&translated, "the pre-tokenizer's pattern", err);
    if (rc != CWM_OK) {
        goto out;
    }
    /* ^ and $ are every line's, as in the Ruby syntax of these files. */
    *ret_code = pcre2_compile((PCRE2_SPTR)translated.data, translated.len,
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE |
                                  PCRE2_NEVER_BACKSLASH_C,
                              &problem, &where, NULL);
    if (!*ret_code) {
        pcre2_get_error_message(problem, text, sizeof text);
        rc = CWM_FAIL(err, CWM_FORMAT,
                      "cannot use the pre-tokenizer's pattern: %s",
                      (const char *)text);
        goto out;
    }
out:
    cwm_buf_release(&translated);
    return rc;
}

enum cwm_rc tokenizer__add_split(struct tokenizer *t, const char *pattern,
                                 size_t len, struct cwm_err *err)
{
    struct tokenizer_split *split = &t->splits[t->n_splits];
    enum cwm_rc rc;

    if (t->n_splits == TOKENIZER_MAX_SPLITS) {
        return CWM_FAIL(err, CWM_LIMIT,
                        "cannot use more than %d pre-tokenizers",
                        TOKENIZER_MAX_SPLITS);
    }
    if (len == 0 || len > TOKENIZER_MAX_PATTERN_BYTES) {
        return CWM_FAIL(err, CWM_LIMIT,
                        "cannot use a pre-tokenizer's pattern of %zu bytes",
                        len);
    }
    split->pattern = cwm_strndup(pattern, len);
    if (!split->pattern) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a pattern");
    }
    split->len = len;
    rc = compile(pattern, len, &split->code, err);
    if (rc != CWM_OK) {
        cwm_free(split->pattern);
        split->pattern = NULL;
        return rc;
    }
    /* Where PCRE2 has no JIT for the processor, it still interprets. */
    split->has_jit = pcre2_jit_compile(split->code, PCRE2_JIT_COMPLETE) == 0;
    t->n_splits++;
    return CWM_OK;
}

/* ---- finishing ---------------------------------------------------------- */

enum cwm_rc tokenizer__index_text(struct tokenizer *t, struct cwm_err *err)
{
    return t->text.slots ? CWM_OK : map_fill(t, &t->text, TOKEN_TEXT, err);
}

static enum cwm_rc find_bytes(struct tokenizer *t, struct cwm_err *err)
{
    unsigned b;

    for (b = 0; b < 256; b++) {
        char byte = (char)b;

        if (!tokenizer__find(t, &t->text, &byte, 1, tokenizer__hash(&byte, 1),
                             &t->byte_ids[b])) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot encode every text: the vocabulary has no "
                            "token for the byte 0x%02x",
                            b);
        }
    }
    return CWM_OK;
}

/* Which tokens come out when their own bytes are merged. */
static enum cwm_rc mark_whole(struct tokenizer *t, struct cwm_err *err)
{
    uint32_t ids[TOKENIZER_MAX_TOKEN_BYTES];
    struct bpe_scratch scratch = {0};
    enum cwm_rc rc = CWM_OK;
    uint32_t id;

    for (id = 0; id < t->n_ids && rc == CWM_OK; id++) {
        struct token *token = &t->tokens[id];
        size_t n = token->len;
        size_t i;

        if (token->kind != TOKEN_TEXT || t->ignore_merges) {
            token->whole = token->kind == TOKEN_TEXT;
            continue;
        }
        for (i = 0; i < n; i++) {
            unsigned char b = (unsigned char)t->bytes.data[token->offset + i];

            ids[i] = t->byte_ids[b];
        }
        rc = bpe_merge_piece(&t->merges, ids, &n, &scratch, err);
        token->whole = rc == CWM_OK && n == 1 && ids[0] == id;
    }
    bpe_scratch_release(&scratch);
    return rc;
}

static int longer_first(const void *a, const void *b)
{
    const uint32_t *x = a;
    const uint32_t *y = b;

    return (*x < *y) - (*x > *y);
}

static enum cwm_rc index_special(struct tokenizer *t, struct cwm_err *err)
{
    size_t n = 0;
    size_t i;
    uint32_t id;
    enum cwm_rc rc = map_fill(t, &t->special, TOKEN_SPECIAL, err);

    if (rc != CWM_OK || t->n_special == 0) {
        return rc;
    }
    t->special_lens = cwm_calloc(t->n_special, sizeof *t->special_lens);
    if (!t->special_lens) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the special tokens");
    }
    for (id = 0; id < t->n_ids; id++) {
        const struct token *token = &t->tokens[id];

        if (token->kind == TOKEN_SPECIAL) {
            t->special_first[(unsigned char)t->bytes.data[token->offset]] =
                true;
            t->special_lens[n++] = token->len;
        }
    }
    qsort(t->special_lens, n, sizeof *t->special_lens, longer_first);
    t->n_special_lens = 1;
    for (i = 1; i < n; i++) {
        if (t->special_lens[i] != t->special_lens[t->n_special_lens - 1]) {
            t->special_lens[t->n_special_lens++] = t->special_lens[i];
        }
    }
    return CWM_OK;
}

static uint64_t hash_all(const struct tokenizer *t)
{
    uint64_t hash = t->ignore_merges;
    uint64_t parts;
    size_t i;
    uint32_t id;

    for (i = 0; i < t->n_splits; i++) {
        hash =
            mix(hash ^ tokenizer__hash(t->splits[i].pattern, t->splits[i].len),
                0x9E3779B97F4A7C15u);
    }
    for (id = 0; id < t->n_ids; id++) {
        const struct token *token = &t->tokens[id];

        hash =
            mix(hash ^ (uint64_t)token->kind ^
                    tokenizer__hash(t->bytes.data + token->offset, token->len),
                0x9E3779B97F4A7C15u);
    }
    /* A sum: the order of the table's slots must not matter. */
    for (i = 0, parts = 0; i < t->merges.n_slots; i++) {
        const struct bpe_merge *m = &t->merges.slots[i];

        if (m->left != BPE_NO_RANK) {
            parts +=
                mix(((uint64_t)m->left << 32 | m->right) ^ 0x9E3779B97F4A7C15u,
                    ((uint64_t)m->rank << 32 | m->id) ^ 0xD6E8FEB86659FD93u);
        }
    }
    return mix(hash ^ parts, 0xD6E8FEB86659FD93u);
}

enum cwm_rc tokenizer__finish(struct tokenizer *t, struct cwm_err *err)
{
    enum cwm_rc rc = tokenizer__index_text(t, err);
    uint32_t id;

    for (id = 0; id < t->n_ids; id++) {
        t->n_text += t->tokens[id].kind == TOKEN_TEXT;
        t->n_special += t->tokens[id].kind == TOKEN_SPECIAL;
    }
    if (rc == CWM_OK) {
        rc = find_bytes(t, err);
    }
    if (rc == CWM_OK) {
        rc = mark_whole(t, err);
    }
    if (rc == CWM_OK) {
        rc = index_special(t, err);
    }
    if (rc == CWM_OK) {
        t->hash = hash_all(t);
    }
    return rc;
}

/* ---- special tokens ----------------------------------------------------- */

bool tokenizer_special(const struct tokenizer *t, const char *text, size_t len,
                       uint32_t *ret_id)
{
    return tokenizer__find(t, &t->special, text, len,
                           tokenizer__hash(text, len), ret_id);
}

/* ---- files -------------------------------------------------------------- */

enum cwm_rc tokenizer_parse(const char *data, size_t len,
                            struct tokenizer **ret_tokenizer,
                            struct cwm_err *err)
{
    struct tokenizer *t = tokenizer__new(); /* owned */
    enum cwm_rc rc;
    size_t at = 0;

    if (!t) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a tokenizer");
    }
    while (at < len && strchr(" \t\r\n", data[at]) && data[at] != '\0') {
        at++;
    }
    if (at == len) {
        rc = CWM_FAIL(err, CWM_FORMAT, "cannot use an empty tokenizer file");
    } else if (data[at] == '{') {
        rc = tokenizer__parse_json(data, len, t, err);
    } else {
        rc = tokenizer__parse_tiktoken(data, len, t, err);
    }
    if (rc == CWM_OK) {
        rc = tokenizer__finish(t, err);
    }
    if (rc != CWM_OK) {
        goto out;
    }
    *ret_tokenizer = t;
    t = NULL; /* now the caller's */
out:
    tokenizer_free(t);
    return rc;
}

enum cwm_rc tokenizer_load(const char *path, struct tokenizer **ret_tokenizer,
                           struct cwm_err *err)
{
    struct cwm_buf data;
    enum cwm_rc rc;

    cwm_buf_init(&data, TOKENIZER_MAX_FILE_BYTES);
    rc = io_read_file(path, &data, err);
    if (rc == CWM_OK) {
        rc = tokenizer_parse(data.data ? data.data : "", data.len,
                             ret_tokenizer, err);
        if (rc != CWM_OK) {
            cwm_err_context(err, "%s", path);
        }
    }
    cwm_buf_release(&data);
    return rc;
}
