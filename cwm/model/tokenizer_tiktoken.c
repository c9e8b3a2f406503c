/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_tiktoken.c -- tiktoken's form: lines of "BASE64 RANK".
 *
 * The rank is the token's id, and merges are not written down: two adjacent
 * tokens merge when their bytes together are a token, whose rank counts.  So
 * every way to cut a token into two tokens is a merge of that rank.
 *
 * Behind the ranks come 256 special tokens, as CWM numbers them: those of
 * the table below by name, the others as <|reserved_special_token_N|>.
 */
#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/model/tokenizer_internal.h"

static const struct {
    uint32_t offset; /* from the first special token */
    const char *text;
} names[] = {
    {0, "<|begin_of_text|>"},
    {1, "<|end_of_text|>"},
    {4, "<|pad|>"},
    {6, "<|start_header_id|>"},
    {7, "<|end_header_id|>"},
    {8, "<|eom_id|>"},
    {9, "<|eot_id|>"},
    {100, "<|frame_sep|>"},
    {101, "<|action_sep|>"},
    {102, "<|return_sep|>"},
    {103, "<|call_sep|>"},
    {104, "<|line_sep|>"},
    {105, "<|exception_sep|>"},
    {106, "<|arg_sep|>"},
    {107, "<|trace_context_start|>"},
    {120, "<|reasoning_thinking_start|>"},
    {121, "<|reasoning_thinking_end|>"},
};

static enum cwm_rc add_special(struct tokenizer *t, struct cwm_err *err)
{
    uint32_t first = t->n_ids;
    uint32_t offset;
    size_t name = 0;

    for (offset = 0; offset < TOKENIZER_N_SPECIAL; offset++) {
        char reserved[48];
        const char *text = reserved;
        enum cwm_rc rc;

        if (name < sizeof names / sizeof *names &&
            names[name].offset == offset) {
            text = names[name++].text;
        } else {
            snprintf(reserved, sizeof reserved, "<|reserved_special_token_%u|>",
                     offset);
        }
        rc = tokenizer__set(t, first + offset, text, strlen(text),
                            TOKEN_SPECIAL, err);
        if (rc != CWM_OK) {
            return rc;
        }
    }
    return CWM_OK;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Padded base64 of at most TOKENIZER_MAX_TOKEN_BYTES; false: it is not. */
static bool base64_decode(const char *text, size_t len,
                          char out[TOKENIZER_MAX_TOKEN_BYTES], size_t *ret_len)
{
    size_t n_pad = 0;
    size_t n = 0;
    size_t i;
    uint32_t bits = 0;

    if (len == 0 || len % 4 != 0 ||
        len / 4 * 3 > TOKENIZER_MAX_TOKEN_BYTES + 2) {
        return false;
    }
    while (n_pad < 2 && text[len - 1 - n_pad] == '=') {
        n_pad++;
    }
    if (len / 4 * 3 - n_pad > TOKENIZER_MAX_TOKEN_BYTES) {
        return false;
    }
    for (i = 0; i < len; i++) {
        int digit = i < len - n_pad ? base64_digit(text[i]) : 0;

        if (digit < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            size_t n_out = i + 1 == len ? 3 - n_pad : 3;
            size_t k;

            for (k = 0; k < n_out; k++) {
                out[n++] = (char)(bits >> (16 - 8 * k));
            }
            bits = 0;
        }
    }
    *ret_len = n;
    return true;
}

/* Decimal digits only, below the limit of ids. */
static bool read_rank(const char *text, size_t len, size_t *ret_rank)
{
    size_t rank = 0;
    size_t i;

    if (len == 0) {
        return false;
    }
    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || rank >= TOKENIZER_MAX_IDS) {
            return false;
        }
        rank = rank * 10 + (size_t)(text[i] - '0');
    }
    *ret_rank = rank;
    return true;
}

static enum cwm_rc read_line(struct tokenizer *t, const char *line, size_t len,
                             size_t number, struct cwm_err *err)
{
    char bytes[TOKENIZER_MAX_TOKEN_BYTES];
    const char *space = memchr(line, ' ', len);
    size_t n_base64 = space ? (size_t)(space - line) : len;
    size_t n;
    size_t rank;

    if (!space || !base64_decode(line, n_base64, bytes, &n) ||
        !read_rank(space + 1, len - n_base64 - 1, &rank)) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the tokenizer file: line %zu is not "
                        "\"BASE64 RANK\"\n"
                        "it must be a tokenizer.json or a tiktoken file",
                        number);
    }
    return tokenizer__set(t, rank, bytes, n, TOKEN_TEXT, err);
}

/* Special tokens are counted from behind the ranks: none may be missing. */
static enum cwm_rc check_ranks(const struct tokenizer *t, struct cwm_err *err)
{
    uint32_t id;

    for (id = 0; id < t->n_ids; id++) {
        if (t->tokens[id].kind == TOKEN_NONE) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot use the tokenizer file: it has no rank "
                            "%u, but later ones\nwas it cut or edited?",
                            id);
        }
    }
    return CWM_OK;
}

/* Every cut of every token into two. */
static enum cwm_rc make_merges(struct tokenizer *t, struct cwm_err *err)
{
    uint32_t id;

    for (id = 0; id < t->n_ids; id++) {
        const struct token *token = &t->tokens[id];
        const char *bytes = t->bytes.data + token->offset;
        size_t cut;

        for (cut = 1; token->kind == TOKEN_TEXT && cut < token->len; cut++) {
            struct bpe_merge m = {.rank = id, .id = id};
            enum cwm_rc rc;

            if (!tokenizer__find(t, &t->text, bytes, cut,
                                 tokenizer__hash(bytes, cut), &m.left) ||
                !tokenizer__find(t, &t->text, bytes + cut, token->len - cut,
                                 tokenizer__hash(bytes + cut, token->len - cut),
                                 &m.right)) {
                continue;
            }
            if (t->merges.n == TOKENIZER_MAX_MERGES) {
                return CWM_FAIL(err, CWM_LIMIT,
                                "cannot use more than %d merges",
                                TOKENIZER_MAX_MERGES);
            }
            rc = bpe_table_add(&t->merges, m, err);
            if (rc != CWM_OK) {
                return rc;
            }
        }
    }
    return CWM_OK;
}

enum cwm_rc tokenizer__parse_tiktoken(const char *data, size_t len,
                                      struct tokenizer *t, struct cwm_err *err)
{
    const char *at = data;
    const char *end = data + len;
    size_t number = 0;
    enum cwm_rc rc = CWM_OK;

    while (at < end && rc == CWM_OK) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((stop ? stop : end) - at);

        number++;
        if (n > 0 && at[n - 1] == '\r') {
            n--;
        }
        if (n > 0) {
            rc = read_line(t, at, n, number, err);
        }
        at = stop ? stop + 1 : end;
    }
    t->ignore_merges = true; /* a piece that is a token is that token */
    if (rc == CWM_OK) {
        rc = check_ranks(t, err);
    }
    if (rc == CWM_OK) {
        rc = tokenizer__add_split(t, tokenizer__llama3_pattern,
                                  strlen(tokenizer__llama3_pattern), err);
    }
    if (rc == CWM_OK) {
        rc = add_special(t, err);
    }
    if (rc == CWM_OK) {
        rc = tokenizer__index_text(t, err);
    }
    return rc == CWM_OK ? make_merges(t, err) : rc;
}
