/* SPDX-License-Identifier: MIT */
/*
 * tokenizer_internal.h -- what the tokenizer's files share.
 *
 * A reader makes a tokenizer by tokenizer__new(), tokenizer__set() for every
 * token, the splits, the merges, and tokenizer__finish(), behind which nothing
 * changes any more.
 */
#ifndef CWM_MODEL_TOKENIZER_INTERNAL_H
#define CWM_MODEL_TOKENIZER_INTERNAL_H

#include "cwm/model/bpe_merge.h"
#include "cwm/model/tokenizer.h"

enum {
    /* Ten times the largest vocabulary published so far (Gemma, 262,144). */
    TOKENIZER_MAX_IDS = 1 << 22,
    TOKENIZER_MAX_MERGES = 1 << 22,
    /* The longest token of Llama 3's and GPT-4's files has 128 bytes. */
    TOKENIZER_MAX_TOKEN_BYTES = 1024,
    TOKENIZER_MAX_SPLITS = 4,
    TOKENIZER_MAX_PATTERN_BYTES = 1 << 16,
    TOKENIZER_N_SPECIAL = 256, /* behind the ranks of a tiktoken file */
};
/* The JSON form of a vocabulary of 262,144 takes 33 MB. */
#define TOKENIZER_MAX_FILE_BYTES ((size_t)256 << 20)

enum token_kind {
    TOKEN_NONE,    /* no token has this id */
    TOKEN_TEXT,    /* made from text */
    TOKEN_RAW,     /* in the vocabulary, but text cannot give it */
    TOKEN_SPECIAL, /* only on request */
};

struct token {
    size_t offset; /* into the tokenizer's bytes */
    uint32_t len;  /* bytes */
    enum token_kind kind;
    bool whole; /* a piece with these bytes is this token */
};

/* Byte strings to ids: open addressing, at most half full. */
struct token_map {
    uint32_t *slots; /* owned; id, or UINT32_MAX where empty */
    size_t n_slots;  /* a power of two */
};

struct tokenizer_split {
    char *pattern; /* owned; as the file has it */
    size_t len;
    struct pcre2_real_code_8 *code; /* owned; tokenizer_pcre.h's pcre2_code */
    bool has_jit;                   /* else it is interpreted */
};

struct tokenizer {
    struct cwm_buf bytes;   /* of all tokens */
    struct token *tokens;   /* owned; [n_ids] */
    uint32_t n_ids;         /* one more than the largest id */
    size_t n_tokens_room;   /* tokens that there is room for */
    uint32_t n_text;        /* of kind TOKEN_TEXT */
    uint32_t n_special;     /* of kind TOKEN_SPECIAL */
    uint32_t byte_ids[256]; /* the token of each single byte */

    struct token_map text;    /* TOKEN_TEXT */
    struct token_map special; /* TOKEN_SPECIAL */
    bool special_first[256];  /* some special token begins with this byte */
    /* Lengths that special tokens have, longest first. */
    uint32_t *special_lens; /* owned; [n_special_lens] */
    size_t n_special_lens;

    struct bpe_table merges;
    /* Their pairs by rank, for writing; NULL for tiktoken. */
    struct bpe_merge *merge_list; /* owned; [n_merge_list] */
    size_t n_merge_list;
    bool ignore_merges; /* any piece that is a token is that token */

    struct tokenizer_split splits[TOKENIZER_MAX_SPLITS];
    size_t n_splits;
    uint64_t hash;
};

/* Llama 3's pattern, as both forms of its files have it. */
extern const char tokenizer__llama3_pattern[];

/* NULL: no memory. */
struct tokenizer *tokenizer__new(void);
/*
 * Give `id` its bytes, which are copied.  An id that is special already may
 * be set again with the same bytes and stays special.
 */
enum cwm_rc tokenizer__set(struct tokenizer *t, size_t id, const char *bytes,
                           size_t len, enum token_kind kind,
                           struct cwm_err *err);
/*
 * Add a pre-tokenizer that cuts the text at the matches of `pattern`, which
 * is copied, and between them.
 */
enum cwm_rc tokenizer__add_split(struct tokenizer *t, const char *pattern,
                                 size_t len, struct cwm_err *err);
enum cwm_rc tokenizer__finish(struct tokenizer *t, struct cwm_err *err);

/* The text token with these bytes, before or behind tokenizer__finish(). */
enum cwm_rc tokenizer__index_text(struct tokenizer *t, struct cwm_err *err);
bool tokenizer__find(const struct tokenizer *t, const struct token_map *map,
                     const char *bytes, size_t len, uint64_t hash,
                     uint32_t *ret_id);
/* The hash that tokenizer__find() wants; spreads well in its low bits. */
uint64_t tokenizer__hash(const char *bytes, size_t len);

/*
 * The pieces that text is cut into, special tokens left out.  Whatever the
 * visitor returns but CWM_OK ends the walk and is its result.
 */
typedef enum cwm_rc tokenizer__piece_fn(void *ctx, const char *bytes,
                                        size_t len, struct cwm_err *err);
enum cwm_rc tokenizer__pieces(struct tokenizer_encoder *e, const char *text,
                              size_t len, tokenizer__piece_fn *visit, void *ctx,
                              struct cwm_err *err);

enum cwm_rc tokenizer__parse_json(const char *data, size_t len,
                                  struct tokenizer *t, struct cwm_err *err);
enum cwm_rc tokenizer__parse_tiktoken(const char *data, size_t len,
                                      struct tokenizer *t, struct cwm_err *err);

/*
 * The byte-level alphabet of the JSON form: every byte as one printable
 * character, below TOKENIZER_ALPHABET_END.
 */
void tokenizer__alphabet(uint32_t codes[256]);
#define TOKENIZER_ALPHABET_END 0x144u

#endif /* CWM_MODEL_TOKENIZER_INTERNAL_H */
