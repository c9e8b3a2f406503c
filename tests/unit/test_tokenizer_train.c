/* SPDX-License-Identifier: MIT */
/*
 * test_tokenizer_train.c -- learning against a naive re-telling, the same
 * bytes for any number of threads, what is to stay apart stays apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/base/alloc.h"
#include "cwm/model/bpe_learn.h"
#include "cwm/model/bpe_train.h"

enum { MAX_BYTES = 1 << 26, N_WORDS = 300, WORD_BYTES = 24, MAX_IDS = 512 };

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- the rule, with no cleverness ---------------------------------------- */

struct naive {
    uint32_t ids[N_WORDS][WORD_BYTES];
    size_t lens[N_WORDS];
    uint64_t counts[N_WORDS];
    char tokens[MAX_IDS][WORD_BYTES + 1];
    size_t n_tokens;
    uint64_t pairs[MAX_IDS][MAX_IDS];
};

static bool is_token(const struct naive *n, const char *bytes)
{
    size_t i;

    for (i = 1; i < n->n_tokens; i++) { /* token 0 is the NUL byte */
        if (strcmp(n->tokens[i], bytes) == 0) {
            return true;
        }
    }
    return false;
}

static bool naive_best(struct naive *n, uint32_t *ret_left, uint32_t *ret_right)
{
    uint64_t best = 1;
    char bytes[2 * WORD_BYTES + 1];
    uint32_t a;
    uint32_t b;
    size_t w;
    size_t i;

    memset(n->pairs, 0, sizeof n->pairs);
    for (w = 0; w < N_WORDS; w++) {
        for (i = 0; i + 1 < n->lens[w]; i++) {
            n->pairs[n->ids[w][i]][n->ids[w][i + 1]] += n->counts[w];
        }
    }
    for (a = 0; a < n->n_tokens; a++) {
        for (b = 0; b < n->n_tokens; b++) {
            snprintf(bytes, sizeof bytes, "%s%s", n->tokens[a], n->tokens[b]);
            if (n->pairs[a][b] > best && !is_token(n, bytes)) {
                best = n->pairs[a][b];
                *ret_left = a;
                *ret_right = b;
            }
        }
    }
    return best > 1;
}

static void naive_merge(struct naive *n, uint32_t left, uint32_t right)
{
    char bytes[2 * WORD_BYTES + 1];
    size_t w;
    size_t i;

    snprintf(bytes, sizeof bytes, "%s%s", n->tokens[left], n->tokens[right]);
    memcpy(n->tokens[n->n_tokens], bytes, WORD_BYTES);
    for (w = 0; w < N_WORDS; w++) {
        for (i = 0; i + 1 < n->lens[w]; i++) {
            if (n->ids[w][i] == left && n->ids[w][i + 1] == right) {
                n->ids[w][i] = (uint32_t)n->n_tokens;
                n->lens[w]--;
                memmove(&n->ids[w][i + 1], &n->ids[w][i + 2],
                        (n->lens[w] - i - 1) * sizeof n->ids[w][0]);
            }
        }
    }
    n->n_tokens++;
}

/* Few letters and many repeats: overlaps and ties at every step. */
static void bpe_learn__does_what_the_rule_says(void **state)
{
    static struct naive n;
    struct bpe_learn_options options = {
        .n_merges = 200, .min_count = 2, .max_token_bytes = WORD_BYTES};
    struct bpe_merge merges[200];
    struct bpe_counts counts;
    uint32_t random = 7;
    uint32_t left = 0;
    uint32_t right = 0;
    size_t n_merges;
    size_t w;
    size_t i;

    (void)state;
    bpe_counts_init(&counts);
    for (n.n_tokens = 0; n.n_tokens < 256; n.n_tokens++) {
        n.tokens[n.n_tokens][0] = (char)n.n_tokens;
    }
    for (w = 0; w < N_WORDS; w++) {
        char word[WORD_BYTES];

        n.lens[w] = 1 + next_random(&random) % (WORD_BYTES - 1);
        n.counts[w] = 1 + next_random(&random) % 4;
        for (i = 0; i < n.lens[w]; i++) {
            word[i] = (char)('a' + next_random(&random) % 3);
            n.ids[w][i] = (unsigned char)word[i];
        }
        assert_int_equal(
            bpe_counts_add(&counts, word, n.lens[w], n.counts[w], NULL),
            CWM_OK);
    }
    assert_int_equal(bpe_learn(&counts, &options, merges, &n_merges, NULL),
                     CWM_OK);
    for (i = 0; i < n_merges; i++) {
        assert_true(naive_best(&n, &left, &right));
        if (merges[i].left != left || merges[i].right != right) {
            fail_msg("merge %zu: want %u %u, got %u %u", i, left, right,
                     merges[i].left, merges[i].right);
        }
        assert_int_equal(merges[i].id, n.n_tokens);
        naive_merge(&n, left, right);
    }
    assert_int_equal(n_merges, 200);
    bpe_counts_release(&counts);
}

/* ---- the trainer --------------------------------------------------------- */

static const char *const lines[] = {
    "<|call_sep|>{}<|action_sep|>def main():\n<|frame_sep|>",
    "<|line_sep|>{\"text\": \"'volume'\", \"n\": \"12345\"}<|action_sep|>"
    "    return f('volume', 'l')\n<|frame_sep|>",
    "<|return_sep|><|action_sep|>    return text\n<|arg_sep|>"
    "\"['volume', '']\"<|frame_sep|>",
    "total = total + 1000 * text  # volume don't\n",
};

enum { N_LINES = sizeof lines / sizeof *lines, N_TEXTS = 400 };

static struct tokenizer *train(struct bpe_train_options options)
{
    struct bpe_trainer *trainer = NULL;
    struct tokenizer *t = NULL;
    struct bpe_text texts[N_TEXTS];
    struct cwm_err err;
    size_t i;

    for (i = 0; i < N_TEXTS; i++) {
        texts[i].text = lines[i % N_LINES];
        texts[i].len = strlen(texts[i].text);
    }
    if (bpe_trainer_new(&options, &trainer, &err) != CWM_OK ||
        bpe_trainer_add(trainer, texts, N_TEXTS / 2, &err) != CWM_OK ||
        bpe_trainer_add(trainer, texts + N_TEXTS / 2, N_TEXTS / 2, &err) !=
            CWM_OK ||
        bpe_trainer_finish(trainer, &t, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    bpe_trainer_free(trainer);
    return t;
}

static const struct bpe_train_options usual = {
    .vocab_size = 400, .n_threads = 2, .min_count = 2, .max_token_bytes = 32};

/* The tokens of text, split by '|', compared with `want`. */
static void check_tokens(const struct tokenizer *t, const char *text,
                         const char *want)
{
    struct tokenizer_encoder *e = NULL;
    struct token_ids ids = {0};
    struct cwm_buf got;
    size_t i;

    cwm_buf_init(&got, MAX_BYTES);
    assert_int_equal(tokenizer_encoder_new(t, &e, NULL), CWM_OK);
    assert_int_equal(tokenizer_encode(e, text, strlen(text), true, &ids, NULL),
                     CWM_OK);
    for (i = 0; i < ids.n; i++) {
        cwm_buf_adds(&got, i > 0 ? "|" : "");
        assert_int_equal(tokenizer_decode(t, &ids.ids[i], 1, &got, NULL),
                         CWM_OK);
    }
    assert_string_equal(got.data, want);
    cwm_buf_release(&got);
    token_ids_release(&ids);
    tokenizer_encoder_free(e);
}

static void put_json(const struct tokenizer *t, struct cwm_buf *json)
{
    cwm_buf_init(json, MAX_BYTES);
    assert_int_equal(tokenizer_write_json(t, json, NULL), CWM_OK);
}

static void train__gives_the_same_bytes_for_any_threads(void **state)
{
    static const unsigned n_threads[] = {1, 2, 3, 8};
    struct bpe_train_options options = usual;
    struct cwm_buf first;
    struct cwm_buf json;
    size_t i;

    (void)state;
    cwm_buf_init(&first, MAX_BYTES);
    for (i = 0; i < 4; i++) {
        struct tokenizer *t;

        options.n_threads = n_threads[i];
        t = train(options);
        put_json(t, i == 0 ? &first : &json);
        if (i > 0) {
            assert_int_equal(json.len, first.len);
            assert_memory_equal(json.data, first.data, first.len);
            cwm_buf_release(&json);
        }
        tokenizer_free(t);
    }
    cwm_buf_release(&first);
}

static void train__learns_words_and_keeps_frames_single(void **state)
{
    struct tokenizer *t = train(usual);

    (void)state;
    assert_int_equal(tokenizer_n_special(t), 11);
    assert_true(tokenizer_n_ids(t) <= 400);
    check_tokens(t, "<|frame_sep|><|line_sep|>    return text\n",
                 "<|frame_sep|>|<|line_sep|>|   | return| text|\n");
    check_tokens(t, "volume 12345", "volume| |123|45");
    tokenizer_free(t);
}

static void train__keeps_digits_apart(void **state)
{
    struct bpe_train_options options = usual;
    struct tokenizer *t;

    (void)state;
    options.digits_apart = true;
    t = train(options);
    check_tokens(t, "volume 12345", "volume| |1|2|3|4|5");
    tokenizer_free(t);
}

static void train__keeps_the_characters_of_strings_apart(void **state)
{
    struct bpe_train_options options = usual;
    struct tokenizer *t;
    struct tokenizer *back = NULL;
    struct cwm_buf json;

    (void)state;
    options.strings_apart = true;
    t = train(options);
    put_json(t, &json);
    assert_int_equal(tokenizer_parse(json.data, json.len, &back, NULL), CWM_OK);
    assert_true(tokenizer_hash(t) == tokenizer_hash(back));
    check_tokens(back, "= volume 'volume' volume",
                 "=| volume| |'|v|o|l|u|m|e|'| volume");
    tokenizer_free(back);
    tokenizer_free(t);
    cwm_buf_release(&json);
}

/* Which quotes open and close, where the trouble is. */
static void train__finds_strings_by_their_quotes(void **state)
{
    struct bpe_train_options options = usual;
    struct tokenizer *t;

    (void)state;
    options.strings_apart = true;
    t = train(options);
    check_tokens(t, "('', 'text') text", "(|'|'|,| |'|t|e|x|t|'|)| text");
    /* an apostrophe opens nothing, nor does a quote without a second one */
    check_tokens(t, "= don't text 'a text' text",
                 "=| don|'|t| text| |'|a| |t|e|x|t|'| text");
    check_tokens(t, "= 'text\n text'", "=| |'|text|\n| text|'");
    check_tokens(t, "<|line_sep|>'\xC3\xA9'", "<|line_sep|>|'|\xC3|\xA9|'");
    tokenizer_free(t);
}

static void train__says_what_is_out_of_range(void **state)
{
    struct bpe_train_options options = usual;
    struct bpe_trainer *trainer = NULL;
    struct cwm_err err;

    (void)state;
    options.vocab_size = 267;
    assert_int_equal(bpe_trainer_new(&options, &trainer, &err), CWM_USAGE);
    assert_string_equal(err.message, "cannot train a vocabulary of 267: 268 to "
                                     "4194304 is possible");
    options = usual;
    options.n_threads = 0;
    assert_int_equal(bpe_trainer_new(&options, &trainer, &err), CWM_USAGE);
    assert_null(trainer);
}

static void train__nothing_to_learn_from_gives_bytes(void **state)
{
    struct bpe_trainer *trainer = NULL;
    struct tokenizer *t = NULL;

    (void)state;
    assert_int_equal(bpe_trainer_new(&usual, &trainer, NULL), CWM_OK);
    assert_int_equal(bpe_trainer_add(trainer, NULL, 0, NULL), CWM_OK);
    assert_int_equal(bpe_trainer_finish(trainer, &t, NULL), CWM_OK);
    assert_int_equal(tokenizer_n_ids(t), 256 + 11);
    check_tokens(t, "ab", "a|b");
    tokenizer_free(t);
    bpe_trainer_free(trainer);
}

static void train__stops_on_request(void **state)
{
    volatile int cancel = 1;
    struct bpe_train_options options = usual;
    struct bpe_text text = {"abc", 3};
    struct bpe_trainer *trainer = NULL;

    (void)state;
    options.cancel = &cancel;
    assert_int_equal(bpe_trainer_new(&options, &trainer, NULL), CWM_OK);
    assert_int_equal(bpe_trainer_add(trainer, &text, 1, NULL), CWM_CANCELLED);
    bpe_trainer_free(trainer);
}

/* Every allocation in turn fails: an error each time, nothing leaks. */
static void train__no_memory_is_an_ordinary_error(void **state)
{
    struct bpe_train_options options = usual;
    struct bpe_text texts[N_LINES];
    uint64_t nth;
    bool done = false;
    size_t i;

    (void)state;
    for (i = 0; i < N_LINES; i++) {
        texts[i] = (struct bpe_text){lines[i], strlen(lines[i])};
    }
    options.n_threads = 1;
    options.min_count = 1;
    for (nth = 1; !done; nth++) {
        struct bpe_trainer *trainer = NULL;
        struct tokenizer *t = NULL;
        enum cwm_rc rc;

        cwm_alloc_fail_nth(nth, 1);
        rc = bpe_trainer_new(&options, &trainer, NULL);
        if (rc == CWM_OK) {
            rc = bpe_trainer_add(trainer, texts, N_LINES, NULL);
        }
        if (rc == CWM_OK) {
            rc = bpe_trainer_finish(trainer, &t, NULL);
        }
        done = cwm_alloc_fail_nth(0, 0) < nth;
        assert_int_equal(rc, done ? CWM_OK : CWM_NOMEM);
        tokenizer_free(t);
        bpe_trainer_free(trainer);
    }
    assert_true(nth > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bpe_learn__does_what_the_rule_says),
        cmocka_unit_test(train__gives_the_same_bytes_for_any_threads),
        cmocka_unit_test(train__learns_words_and_keeps_frames_single),
        cmocka_unit_test(train__keeps_digits_apart),
        cmocka_unit_test(train__keeps_the_characters_of_strings_apart),
        cmocka_unit_test(train__finds_strings_by_their_quotes),
        cmocka_unit_test(train__says_what_is_out_of_range),
        cmocka_unit_test(train__nothing_to_learn_from_gives_bytes),
        cmocka_unit_test(train__stops_on_request),
        cmocka_unit_test(train__no_memory_is_an_ordinary_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
