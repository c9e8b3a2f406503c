/* SPDX-License-Identifier: MIT */
/*
 * model_tokenizer.c FOLDER -- recorded ids of independent tokenizers: every
 * line of both files must come out exactly, and decode to its text again.
 *
 * FOLDER holds tokenizer.json with expected.jsonl (Hugging Face tokenizers,
 * special tokens in the text recognised) and tokenizer.model with
 * expected_tiktoken.jsonl (tiktoken, ordinary).  Exits 77 where it is not
 * there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "cwm/base/lines.h"
#include "cwm/model/tokenizer.h"

static const char *folder; /* main()'s argument, for the test functions */

enum { MAX_LINE_BYTES = 1 << 24, FIXTURE_LINES = 617 };

struct case_of {
    json_t *root; /* owned */
    const char *text;
    size_t len;
    const json_t *ids;
};

static char *path_of(const char *name)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct tokenizer *load(const char *name)
{
    struct tokenizer *t = NULL;
    struct cwm_err err;

    if (tokenizer_load(path_of(name), &t, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return t;
}

/* The cases of a file; the caller frees them. */
static struct case_of *read_cases(const char *name, size_t *ret_n)
{
    struct case_of *cases = calloc(FIXTURE_LINES, sizeof *cases);
    struct lines *lines = NULL;
    struct cwm_err err;
    struct line line;
    bool more;
    size_t n = 0;

    assert_non_null(cases);
    assert_int_equal(
        lines_open(path_of(name), MAX_LINE_BYTES, NULL, &lines, &err), CWM_OK);
    while (lines_next(lines, &line, &more, &err) == CWM_OK && more) {
        struct case_of *c = &cases[n++];
        const json_t *text;

        assert_true(n <= FIXTURE_LINES);
        c->root = json_loadb(line.text, line.len, JSON_ALLOW_NUL, NULL);
        text = json_object_get(c->root, "text");
        assert_non_null(text);
        c->text = json_string_value(text);
        c->len = json_string_length(text);
        c->ids = json_object_get(c->root, "ids");
        assert_true(json_is_array(c->ids));
    }
    lines_close(lines);
    *ret_n = n;
    return cases;
}

static void free_cases(struct case_of *cases, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        json_decref(cases[i].root);
    }
    free(cases);
}

/* Prints where the ids differ; 1 when they do. */
static int differs(const struct case_of *c, const struct token_ids *got,
                   size_t number)
{
    size_t i;

    for (i = 0; i < got->n || i < json_array_size(c->ids); i++) {
        json_int_t want = json_integer_value(json_array_get(c->ids, i));

        if (i >= got->n || i >= json_array_size(c->ids) ||
            want != got->ids[i]) {
            print_error("line %zu: token %zu: want %lld, got %lld\n", number, i,
                        (long long)want,
                        i < got->n ? (long long)got->ids[i] : -1);
            return 1;
        }
    }
    return 0;
}

static void check_file(const char *tokenizer, const char *expected,
                       bool special)
{
    struct tokenizer *t = load(tokenizer);
    struct tokenizer_encoder *e = NULL;
    struct token_ids ids = {0};
    struct cwm_buf text;
    struct cwm_err err;
    size_t n_cases;
    struct case_of *cases = read_cases(expected, &n_cases);
    int n_bad = 0;
    size_t i;
    int round;

    assert_int_equal(n_cases, FIXTURE_LINES);
    assert_int_equal(tokenizer_encoder_new(t, &e, &err), CWM_OK);
    cwm_buf_init(&text, MAX_LINE_BYTES);
    for (round = 0; round < 2; round++) { /* the second from the cache */
        for (i = 0; i < n_cases; i++) {
            ids.n = 0;
            if (tokenizer_encode(e, cases[i].text, cases[i].len, special, &ids,
                                 &err) != CWM_OK) {
                fail_msg("%s", err.message);
            }
            n_bad += differs(&cases[i], &ids, i + 1);
            cwm_buf_clear(&text);
            assert_int_equal(tokenizer_decode(t, ids.ids, ids.n, &text, &err),
                             CWM_OK);
            assert_int_equal(text.len, cases[i].len);
            assert_memory_equal(text.data ? text.data : "", cases[i].text,
                                text.len);
        }
    }
    assert_int_equal(n_bad, 0);
    cwm_buf_release(&text);
    token_ids_release(&ids);
    tokenizer_encoder_free(e);
    tokenizer_free(t);
    free_cases(cases, n_cases);
}

static void tokenizer__gives_hugging_faces_ids(void **state)
{
    (void)state;
    check_file("tokenizer.json", "expected.jsonl", true);
}

static void tokenizer__gives_tiktokens_ids(void **state)
{
    (void)state;
    check_file("tokenizer.model", "expected_tiktoken.jsonl", false);
}

static void tokenizer__numbers_special_tokens_as_cwm(void **state)
{
    struct tokenizer *t = load("tokenizer.model");
    uint32_t id;

    (void)state;
    assert_int_equal(tokenizer_n_text(t), 6000);
    assert_int_equal(tokenizer_n_special(t), 256);
    assert_int_equal(tokenizer_n_ids(t), 6256);
    assert_true(tokenizer_special(t, "<|end_of_text|>", 15, &id));
    assert_int_equal(id, 6001);
    assert_true(tokenizer_special(t, "<|eot_id|>", 10, &id));
    assert_int_equal(id, 6009);
    assert_true(tokenizer_special(t, "<|frame_sep|>", 13, &id));
    assert_int_equal(id, 6100);
    assert_true(tokenizer_special(t, "<|trace_context_start|>", 23, &id));
    assert_int_equal(id, 6107);
    assert_true(
        tokenizer_special(t, "<|reserved_special_token_255|>", 30, &id));
    assert_int_equal(id, 6255);
    assert_false(tokenizer_special(t, "<|frame_sep|", 12, &id));
    tokenizer_free(t);
}

/* What we write is read back as the same tokenizer. */
static void tokenizer__json_survives_a_round_trip(void **state)
{
    struct tokenizer *t = load("tokenizer.json");
    struct tokenizer *back = NULL;
    struct cwm_buf json;
    struct cwm_err err;

    (void)state;
    cwm_buf_init(&json, MAX_LINE_BYTES);
    assert_int_equal(tokenizer_write_json(t, &json, &err), CWM_OK);
    if (tokenizer_parse(json.data, json.len, &back, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    assert_true(tokenizer_hash(t) == tokenizer_hash(back));
    cwm_buf_release(&json);
    tokenizer_free(back);
    tokenizer_free(t);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizer__gives_hugging_faces_ids),
        cmocka_unit_test(tokenizer__gives_tiktokens_ids),
        cmocka_unit_test(tokenizer__numbers_special_tokens_as_cwm),
        cmocka_unit_test(tokenizer__json_survives_a_round_trip),
    };

    folder = argc > 1 ? argv[1] : "";
    if (access(path_of("tokenizer.json"), R_OK) != 0) {
        printf("skipped: no fixtures at '%s'\n", folder);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
