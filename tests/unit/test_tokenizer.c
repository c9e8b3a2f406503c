/* SPDX-License-Identifier: MIT */
/*
 * test_tokenizer.c -- a small tokenizer of our own: merges against a naive
 * re-telling, any bytes, special tokens only on request, long pieces, threads.
 */
#include "cwm/model/tokenizer.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cwm/base/alloc.h"
#include "cwm/model/bpe_merge.h"

enum { MAX_BYTES = 1 << 26 };

/* Merges of the test's vocabulary, in rank order, as words of its alphabet. */
static const char *const merges[][2] = {
    {"a", "a"},   {"l", "o"},          {"lo", "w"}, {"e", "r"}, {"low", "er"},
    {"aa", "aa"}, {"\xC4\xA0", "low"}, {"x", "y"},  {"y", "z"}, {"aa", "a"},
};

enum { N_MERGES = sizeof merges / sizeof *merges };

static void put_alphabet(struct cwm_buf *json)
{
    unsigned next = 256;
    unsigned b;

    for (b = 0; b < 256; b++) {
        bool own = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b != 0xAD);

        cwm_buf_addf(json, "%s\"\\u%04x\": %u", b > 0 ? ", " : "",
                     own ? b : next, b);
        next += !own;
    }
}

/* `extra` is put behind the model, `added` inside the added tokens. */
static void put_tokenizer(struct cwm_buf *json, bool ignore_merges,
                          const char *pattern, const char *added)
{
    size_t i;

    cwm_buf_addf(json,
                 "{\"added_tokens\": [%s], \"pre_tokenizer\": {\"type\": "
                 "\"Sequence\", \"pretokenizers\": [",
                 added);
    if (pattern) {
        cwm_buf_adds(json, "{\"type\": \"Split\", \"pattern\": {\"Regex\": ");
        cwm_buf_add_json(json, pattern, strlen(pattern));
        cwm_buf_adds(json, "}, \"behavior\": \"Isolated\"}, ");
    }
    cwm_buf_addf(json,
                 "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
                 "\"use_regex\": false}]}, \"model\": {\"type\": \"BPE\", "
                 "\"ignore_merges\": %s, \"vocab\": {",
                 ignore_merges ? "true" : "false");
    put_alphabet(json);
    for (i = 0; i < N_MERGES; i++) {
        cwm_buf_addf(json, ", \"%s%s\": %zu", merges[i][0], merges[i][1],
                     256 + i);
    }
    cwm_buf_adds(json, ", \"zxz\": 266}, \"merges\": [");
    for (i = 0; i < N_MERGES; i++) {
        cwm_buf_addf(json, i % 2 ? "%s[\"%s\", \"%s\"]" : "%s\"%s %s\"",
                     i > 0 ? ", " : "", merges[i][0], merges[i][1]);
    }
    cwm_buf_adds(json, "]}}");
    assert_int_equal(json->failed, CWM_OK);
}

#define SPECIALS                                                               \
    "{\"id\": 270, \"content\": \"<|sep|>\", \"special\": true}, "             \
    "{\"id\": 271, \"content\": \"<|sep|>x\", \"special\": true}, "            \
    "{\"id\": 280, \"content\": \"low\", \"special\": false}"

static struct tokenizer *make(bool ignore_merges, const char *pattern)
{
    struct tokenizer *t = NULL;
    struct cwm_buf json;
    struct cwm_err err;

    cwm_buf_init(&json, MAX_BYTES);
    put_tokenizer(&json, ignore_merges, pattern, SPECIALS);
    if (tokenizer_parse(json.data, json.len, &t, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    cwm_buf_release(&json);
    return t;
}

static struct tokenizer_encoder *encoder_of(const struct tokenizer *t)
{
    struct tokenizer_encoder *e = NULL;

    assert_int_equal(tokenizer_encoder_new(t, &e, NULL), CWM_OK);
    return e;
}

/* The ids of text as "1 2 3 ", compared with `want`. */
static void check(struct tokenizer_encoder *e, const char *text, size_t len,
                  bool special, const char *want)
{
    char *copy = malloc(len + 1); /* exact size: ASan sees a read too far */
    struct token_ids ids = {0};
    struct cwm_buf got;
    size_t i;

    assert_non_null(copy);
    memcpy(copy, text, len);
    cwm_buf_init(&got, MAX_BYTES);
    cwm_buf_adds(&got, "");
    assert_int_equal(tokenizer_encode(e, copy, len, special, &ids, NULL),
                     CWM_OK);
    for (i = 0; i < ids.n; i++) {
        cwm_buf_addf(&got, "%u ", ids.ids[i]);
    }
    assert_string_equal(got.data, want);
    cwm_buf_release(&got);
    token_ids_release(&ids);
    free(copy);
}

#define CHECK(e, text, want) check(e, text, sizeof(text) - 1, false, want)
#define CHECK_SPECIAL(e, text, want)                                           \
    check(e, text, sizeof(text) - 1, true, want)

static void tokenizer__merges_by_rank_then_from_the_left(void **state)
{
    struct tokenizer *t = make(false, "\\s?\\w+|\\s");
    struct tokenizer_encoder *e = encoder_of(t);

    (void)state;
    CHECK(e, "", "");
    CHECK(e, "a", "97 ");
    CHECK(e, "aa", "256 ");
    CHECK(e, "aaa", "265 ");
    CHECK(e, "aaaa", "261 ");
    CHECK(e, "aaaaa", "261 97 ");
    CHECK(e, "aaaaaaa", "261 265 ");
    CHECK(e, "lower low", "260 262 ");
    CHECK(e, "xyz", "263 122 ");     /* x y before y z */
    CHECK(e, "zxz", "122 120 122 "); /* in the vocabulary, but not merged */
    tokenizer_encoder_free(e);
    tokenizer_free(t);
}

static void tokenizer__takes_whole_pieces_where_the_file_says_so(void **state)
{
    struct tokenizer *t = make(true, "\\s?\\w+|\\s");
    struct tokenizer_encoder *e = encoder_of(t);

    (void)state;
    CHECK(e, "zxz", "266 ");
    CHECK(e, "zxz zxz", "266 32 122 120 122 ");
    CHECK(e, "zxzz", "122 120 122 122 ");
    tokenizer_encoder_free(e);
    tokenizer_free(t);
}

static void tokenizer__finds_special_tokens_only_on_request(void **state)
{
    struct tokenizer *t = make(false, "\\s?\\w+|\\s");
    struct tokenizer_encoder *e = encoder_of(t);
    uint32_t id;

    (void)state;
    CHECK(e, "<|sep|>", "60 124 115 101 112 124 62 ");
    CHECK_SPECIAL(e, "<|sep|>", "270 ");
    CHECK_SPECIAL(e, "<|sep|>x", "271 "); /* the longest */
    CHECK_SPECIAL(e, "<|sep|>y<|sep|><|sep", "270 121 270 60 124 115 101 112 ");
    CHECK(e, "low", "258 ");
    CHECK_SPECIAL(e, "low", "280 ");
    CHECK_SPECIAL(e, "aalowaa", "256 280 256 "); /* cuts a word */
    assert_true(tokenizer_special(t, "<|sep|>", 7, &id));
    assert_int_equal(id, 270);
    assert_false(tokenizer_special(t, "aa", 2, &id));
    assert_int_equal(tokenizer_n_ids(t), 281);
    assert_int_equal(tokenizer_n_special(t), 3);
    assert_int_equal(tokenizer_n_text(t), 267);
    tokenizer_encoder_free(e);
    tokenizer_free(t);
}

/* U+180E is white space to PCRE2's \s, not to the files' own libraries. */
static void tokenizer__white_space_is_unicodes(void **state)
{
    struct tokenizer *t = make(false, "a\\sa");
    struct tokenizer_encoder *e = encoder_of(t);

    (void)state;
    CHECK(e,
          "aa\xC2\x85"
          "aa",
          "97 97 194 133 97 97 "); /* U+0085 is */
    CHECK(e,
          "aa\xE1\xA0\x8E"
          "aa",
          "256 225 160 142 256 ");
    tokenizer_encoder_free(e);
    tokenizer_free(t);
}

static void tokenizer__unmatched_text_is_a_piece(void **state)
{
    struct tokenizer *t = make(false, "-");
    struct tokenizer_encoder *e = encoder_of(t);

    (void)state;
    CHECK(e, "aaa-aa-", "265 45 256 45 ");
    CHECK(e, "--aa", "45 45 256 ");
    tokenizer_encoder_free(e);
    tokenizer_free(t);
}

static void tokenizer__bytes_that_are_no_text_come_back(void **state)
{
    struct tokenizer *t = make(false, "\\s?\\w+|\\s");
    struct tokenizer_encoder *e = encoder_of(t);
    struct token_ids ids = {0};
    struct cwm_buf back;
    unsigned char bytes[600];
    uint32_t random = 12345;
    size_t round;
    size_t i;

    (void)state;
    CHECK(e,
          "aa\xFF"
          "aa\xC3",
          "256 255 256 195 ");
    CHECK(e, "a\0a", "97 0 97 ");
    cwm_buf_init(&back, MAX_BYTES);
    for (round = 0; round < 2000; round++) {
        for (i = 0; i < round % sizeof bytes; i++) {
            random = random * 1664525u + 1013904223u;
            /* mostly lead and tail bytes of a few sequences */
            bytes[i] = (unsigned char)(random >> 30 ? 0x80 | random >> 25
                                                    : random >> 17);
        }
        ids.n = 0;
        cwm_buf_clear(&back);
        assert_int_equal(
            tokenizer_encode(e, (char *)bytes, i, false, &ids, NULL), CWM_OK);
        assert_int_equal(tokenizer_decode(t, ids.ids, ids.n, &back, NULL),
                         CWM_OK);
        assert_int_equal(back.len, i);
        assert_memory_equal(back.data ? back.data : "", bytes, i);
    }
    cwm_buf_release(&back);
    token_ids_release(&ids);
    tokenizer_encoder_free(e);
    tokenizer_free(t);
}

/* The rule as it is told, with no cleverness: one merge a pass. */
static size_t merge_naively(const struct bpe_table *table, uint32_t *ids,
                            size_t n)
{
    for (;;) {
        uint32_t best = BPE_NO_RANK;
        size_t at = 0;
        size_t i;

        for (i = 0; i + 1 < n; i++) {
            const struct bpe_merge *m =
                bpe_table_find(table, ids[i], ids[i + 1]);

            if (m && m->rank < best) {
                best = m->rank;
                at = i;
            }
        }
        if (best == BPE_NO_RANK) {
            return n;
        }
        ids[at] = bpe_table_find(table, ids[at], ids[at + 1])->id;
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
        n--;
    }
}

/* Random merges over random pieces: short, long and naive agree. */
static void bpe__short_and_long_ways_agree_with_the_rule(void **state)
{
    struct bpe_table table = {0};
    struct bpe_scratch scratch = {0};
    uint32_t want[300];
    uint32_t got[300];
    uint32_t random = 99;
    uint32_t rank;
    size_t round;

    (void)state;
    for (rank = 0; rank < 60; rank++) {
        struct bpe_merge m = {.rank = rank, .id = 4 + rank};

        random = random * 1664525u + 1013904223u;
        m.left = (random >> 16) % (4 + rank);
        m.right = (random >> 8) % (4 + rank) % 8;
        if (!bpe_table_find(&table, m.left, m.right)) {
            assert_int_equal(bpe_table_add(&table, m, NULL), CWM_OK);
        }
    }
    for (round = 0; round < 3000; round++) {
        size_t n = round % 300;
        size_t n_got = n;
        size_t i;

        for (i = 0; i < n; i++) {
            random = random * 1664525u + 1013904223u;
            want[i] = got[i] = (random >> 20) % (1 + (uint32_t)round % 4);
        }
        n = merge_naively(&table, want, n);
        assert_int_equal(bpe_merge_piece(&table, got, &n_got, &scratch, NULL),
                         CWM_OK);
        assert_int_equal(n_got, n);
        assert_memory_equal(got, want, n * sizeof *want);
    }
    bpe_scratch_release(&scratch);
    bpe_table_release(&table);
}

static double seconds_for(struct tokenizer_encoder *e, const char *text,
                          size_t len)
{
    struct token_ids ids = {0};
    struct timespec from;
    struct timespec to;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    assert_int_equal(tokenizer_encode(e, text, len, false, &ids, NULL), CWM_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    assert_int_equal(ids.n, len / 4);
    token_ids_release(&ids);
    return (double)(to.tv_sec - from.tv_sec) +
           1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

/* Quadratic work would take sixty-four times as long, and minutes. */
static void tokenizer__a_megabyte_of_one_letter_is_cheap(void **state)
{
    enum { LEN = 1 << 20 };
    struct tokenizer *t = make(false, "\\s?\\w+|\\s");
    struct tokenizer_encoder *e = encoder_of(t);
    char *text = malloc(LEN);
    double small;
    double large;

    (void)state;
    assert_non_null(text);
    memset(text, 'a', LEN);
    small = seconds_for(e, text, LEN / 8);
    large = seconds_for(e, text, LEN);
    if (large > 40 * small + 0.5) {
        fail_msg("1 MB took %.3f s, an eighth of it %.3f s", large, small);
    }
    free(text);
    tokenizer_encoder_free(e);
    tokenizer_free(t);
}

struct job {
    const struct tokenizer *t;
    unsigned seed;
    uint64_t sum;
};

static void *encode_much(void *arg)
{
    struct job *job = arg;
    struct tokenizer_encoder *e = NULL;
    struct token_ids ids = {0};
    char text[64];
    size_t i;
    int round;

    if (tokenizer_encoder_new(job->t, &e, NULL) != CWM_OK) {
        return NULL;
    }
    for (round = 0; round < 3000; round++) {
        int n = snprintf(text, sizeof text, "lower aaa%d xyz zxz <|sep|> %d",
                         round % 50, round);

        ids.n = 0;
        if (tokenizer_encode(e, text, (size_t)n, round % 2, &ids, NULL) !=
            CWM_OK) {
            break;
        }
        for (i = 0; i < ids.n; i++) {
            job->sum = job->sum * 31 + ids.ids[i];
        }
    }
    token_ids_release(&ids);
    tokenizer_encoder_free(e);
    return NULL;
}

static void tokenizer__is_shared_by_threads(void **state)
{
    struct tokenizer *t = make(false, "\\s?\\w+|\\s");
    struct job jobs[4] = {{t, 0, 0}, {t, 1, 0}, {t, 2, 0}, {t, 3, 0}};
    pthread_t threads[4];
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, encode_much, &jobs[i]), 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_true(jobs[i].sum != 0);
        assert_true(jobs[i].sum == jobs[0].sum);
    }
    tokenizer_free(t);
}

static void tokenizer__decode_refuses_ids_without_a_token(void **state)
{
    static const uint32_t ids[] = {97, 275, 98};
    struct tokenizer *t = make(false, NULL);
    struct cwm_buf out;
    struct cwm_err err;

    (void)state;
    cwm_buf_init(&out, 100);
    assert_int_equal(tokenizer_decode(t, ids, 3, &out, &err), CWM_FORMAT);
    assert_string_equal(err.message,
                        "cannot decode the id 275: no token has it");
    cwm_buf_release(&out);
    tokenizer_free(t);
}

/* A hole, specials, both kinds of merge: what is written is the same again. */
static void tokenizer__writes_what_it_reads(void **state)
{
    struct tokenizer *t = make(false, "\\s?\\w+|\\s");
    struct tokenizer *other = make(true, "\\s?\\w+|\\s");
    struct tokenizer *back = NULL;
    struct cwm_buf json;

    (void)state;
    assert_true(tokenizer_hash(t) != tokenizer_hash(other));
    cwm_buf_init(&json, MAX_BYTES);
    assert_int_equal(tokenizer_write_json(t, &json, NULL), CWM_OK);
    assert_int_equal(tokenizer_parse(json.data, json.len, &back, NULL), CWM_OK);
    assert_true(tokenizer_hash(t) == tokenizer_hash(back));
    cwm_buf_release(&json);
    tokenizer_free(back);
    tokenizer_free(other);
    tokenizer_free(t);
}

/* Every allocation in turn fails: an error each time, nothing leaks. */
static void tokenizer__no_memory_is_an_ordinary_error(void **state)
{
    struct cwm_buf json;
    uint64_t nth;
    bool done = false;

    (void)state;
    cwm_buf_init(&json, MAX_BYTES);
    put_tokenizer(&json, false, "\\s?\\w+|\\s", SPECIALS);
    for (nth = 1; !done; nth++) {
        struct tokenizer *t = NULL;
        struct tokenizer_encoder *e = NULL;
        struct token_ids ids = {0};
        char text[200];
        enum cwm_rc rc;

        memset(text, 'a', sizeof text);
        cwm_alloc_fail_nth(nth, 1);
        rc = tokenizer_parse(json.data, json.len, &t, NULL);
        if (rc == CWM_OK) {
            rc = tokenizer_encoder_new(t, &e, NULL);
        }
        if (rc == CWM_OK) {
            rc = tokenizer_encode(e, text, sizeof text, false, &ids, NULL);
        }
        done = cwm_alloc_fail_nth(0, 0) < nth;
        assert_int_equal(rc, done ? CWM_OK : CWM_NOMEM);
        token_ids_release(&ids);
        tokenizer_encoder_free(e);
        tokenizer_free(t);
    }
    assert_true(nth > 10);
    cwm_buf_release(&json);
}

/* Every single byte, as tiktoken writes it, and one token of rank `last`. */
static enum cwm_rc parse_ranks(unsigned last, struct cwm_err *err)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct tokenizer *t = NULL;
    struct cwm_buf file;
    enum cwm_rc rc;
    unsigned b;

    cwm_buf_init(&file, MAX_BYTES);
    for (b = 0; b < 256; b++) {
        cwm_buf_addf(&file, "%c%c== %u\n", digits[b >> 2], digits[(b & 3) << 4],
                     b);
    }
    cwm_buf_addf(&file, "YWE= %u\n", last);
    rc = tokenizer_parse(file.data, file.len, &t, err);
    cwm_buf_release(&file);
    tokenizer_free(t);
    return rc;
}

static void tokenizer__ranks_have_no_gaps(void **state)
{
    struct cwm_err err;

    (void)state;
    assert_int_equal(parse_ranks(256, &err), CWM_OK);
    assert_int_equal(parse_ranks(258, &err), CWM_FORMAT);
    assert_non_null(strstr(err.message, "it has no rank 256"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizer__merges_by_rank_then_from_the_left),
        cmocka_unit_test(tokenizer__takes_whole_pieces_where_the_file_says_so),
        cmocka_unit_test(tokenizer__finds_special_tokens_only_on_request),
        cmocka_unit_test(tokenizer__white_space_is_unicodes),
        cmocka_unit_test(tokenizer__unmatched_text_is_a_piece),
        cmocka_unit_test(tokenizer__bytes_that_are_no_text_come_back),
        cmocka_unit_test(bpe__short_and_long_ways_agree_with_the_rule),
        cmocka_unit_test(tokenizer__a_megabyte_of_one_letter_is_cheap),
        cmocka_unit_test(tokenizer__is_shared_by_threads),
        cmocka_unit_test(tokenizer__decode_refuses_ids_without_a_token),
        cmocka_unit_test(tokenizer__writes_what_it_reads),
        cmocka_unit_test(tokenizer__no_memory_is_an_ordinary_error),
        cmocka_unit_test(tokenizer__ranks_have_no_gaps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
