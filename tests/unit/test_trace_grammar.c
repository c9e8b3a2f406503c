/* SPDX-License-Identifier: MIT */
/*
 * test_trace_grammar.c -- what the grammar of traces takes and refuses.
 *
 * The tokenizer has the single bytes and a few longer tokens, some of which go
 * over the end of a string.  True traces are taken; of changed ones the place
 * where they become wrong is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/model/sample.h"
#include "cwm/model/trace_grammar.h"

static const char *const longer[] = {
    "re", "ret", "return", "\": \"", "\"}", "\", \"", "..", "  ", "    ",
};

enum { N_LONGER = sizeof longer / sizeof longer[0], N_WORDS = 256 + N_LONGER };

static struct tokenizer *tokenizer;
static struct trace_vocab *vocab;

static void add_base64(struct cwm_buf *out, const char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        unsigned b[3] = {0};

        for (size_t k = 0; k < 3 && i + k < len; k++) {
            b[k] = (unsigned char)bytes[i + k];
        }
        cwm_buf_addc(out, digits[b[0] >> 2]);
        cwm_buf_addc(out, digits[(b[0] & 3) << 4 | b[1] >> 4]);
        cwm_buf_addc(out,
                     i + 1 < len ? digits[(b[1] & 15) << 2 | b[2] >> 6] : '=');
        cwm_buf_addc(out, i + 2 < len ? digits[b[2] & 63] : '=');
    }
}

static int set_up(void **state)
{
    struct cwm_buf file;
    struct cwm_err err;

    (void)state;
    cwm_buf_init(&file, 1 << 20);
    for (unsigned i = 0; i < N_WORDS; i++) {
        char byte = (char)i;

        if (i < 256) {
            add_base64(&file, &byte, 1);
        } else {
            add_base64(&file, longer[i - 256], strlen(longer[i - 256]));
        }
        cwm_buf_addf(&file, " %u\n", i);
    }
    if (tokenizer_parse(file.data, file.len, &tokenizer, &err) != CWM_OK ||
        trace_vocab_new(tokenizer, tokenizer_n_ids(tokenizer), &vocab, &err) !=
            CWM_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    cwm_buf_release(&file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    trace_vocab_free(vocab);
    tokenizer_free(tokenizer);
    return 0;
}

/*
 * The text up to the token that is refused; NULL when none is.  Tokens are
 * written as their names.
 */
static char *refused(const char *program, int entry, const char *text)
{
    struct tokenizer_encoder *e = NULL;
    struct trace_grammar *g = NULL;
    struct trace_state *st = NULL;
    struct token_ids ids = {0};
    struct source *s = NULL;
    struct cwm_buf taken;
    bool allowed = true;
    size_t i;

    cwm_buf_init(&taken, 1 << 20);
    assert_int_equal(
        source_new_text(program, strlen(program), "program", &s, NULL), CWM_OK);
    assert_int_equal(trace_grammar_new(vocab, s, entry, &g, NULL), CWM_OK);
    assert_int_equal(trace_state_new(g, &st, NULL), CWM_OK);
    source_free(s); /* not kept */
    assert_int_equal(tokenizer_encoder_new(tokenizer, &e, NULL), CWM_OK);
    assert_int_equal(tokenizer_encode(e, text, strlen(text), true, &ids, NULL),
                     CWM_OK);
    for (i = 0; i < ids.n; i++) {
        bool in_mask = sample_mask_has(trace_state_mask(st), ids.ids[i]);
        uint32_t forced;
        bool is_forced = trace_state_forced(st, &forced);

        assert_int_equal(trace_state_step(st, ids.ids[i], &allowed, NULL),
                         CWM_OK);
        assert_int_equal(in_mask, allowed); /* two ways to ask one thing */
        if (allowed && is_forced) {
            assert_int_equal(forced, ids.ids[i]);
        }
        if (!allowed) {
            break;
        }
        tokenizer_decode(tokenizer, &ids.ids[i], 1, &taken, NULL);
    }
    token_ids_release(&ids);
    tokenizer_encoder_free(e);
    trace_state_free(st);
    trace_grammar_free(g);
    if (allowed) {
        cwm_buf_release(&taken);
        return NULL;
    }
    if (!taken.data) { /* the very first one */
        cwm_buf_addc(&taken, '-');
        taken.data[0] = '\0';
    }
    return taken.data;
}

static void expect(const char *program, int entry, const char *text)
{
    char *at = refused(program, entry, text);

    if (at) {
        fail_msg("refused behind '%s'", at);
    }
}

/* `good` is taken and what follows is not: at its first token, `bad`. */
static void expect_refused(const char *program, int entry, const char *good,
                           const char *bad)
{
    char text[4096];
    char *at;

    snprintf(text, sizeof text, "%s%s", good, bad);
    at = refused(program, entry, text);
    if (!at) {
        fail_msg("'%s' was taken behind '%s'", bad, good);
    }
    assert_string_equal(at, good);
    free(at);
}

static const char program[] = "def g(x):\n"
                              "    return x + 1\n"
                              "\n"
                              "def f(n):\n"
                              "    a = g(n)\n"
                              "    return a\n"
                              "# done\n";
enum { ENTRY_F = 1 };

#define CALL_F                                                                 \
    "<|call_sep|>{\"n\": \"1\"}<|action_sep|>def f(n):\n<|frame_sep|>"
#define LINE_A                                                                 \
    "<|line_sep|>{\"n\": \"..\"}<|action_sep|>    a = g(n)\n<|frame_sep|>"
#define CALL_G                                                                 \
    "<|call_sep|>{\"x\": \"1\"}<|action_sep|>def g(x):\n<|frame_sep|>"
#define LINE_G                                                                 \
    "<|line_sep|>{\"x\": \"..\"}<|action_sep|>    return x + 1\n<|frame_sep|>"
#define RETURN_G                                                               \
    "<|return_sep|><|action_sep|>    return x + 1\n<|arg_sep|>\"2\""           \
    "<|frame_sep|>"
#define LINE_R                                                                 \
    "<|line_sep|>{\"n\": \"1\", \"a\": \"2\"}<|action_sep|>    return a\n"     \
    "<|frame_sep|>"
#define LINE_LATE                                                              \
    "<|line_sep|>{\"n\": \"..\"}<|action_sep|>    return a\n<|frame_sep|>"
#define RETURN_F                                                               \
    "<|return_sep|><|action_sep|>    return a\n<|arg_sep|>\"2\"<|frame_sep|>"
#define WHOLE CALL_F LINE_A CALL_G LINE_G RETURN_G LINE_R RETURN_F
#define RAISED                                                                 \
    "<|exception_sep|><|action_sep|>    return x + 1\n<|arg_sep|>\"(<class "   \
    "'TypeError'>, TypeError('no \\\"x\\\"'), <traceback object>)\""           \
    "<|frame_sep|><|return_sep|><|action_sep|>    return x + 1\n<|arg_sep|>"   \
    "\"None\"<|frame_sep|><|exception_sep|><|action_sep|>    a = g(n)\n"       \
    "<|arg_sep|>\"(...)\"<|frame_sep|><|return_sep|><|action_sep|>    a = "    \
    "g(n)\n<|arg_sep|>\"None\"<|frame_sep|><|end_of_text|>"

static void grammar__takes_true_traces(void **state)
{
    (void)state;
    expect(program, ENTRY_F, WHOLE "<|end_of_text|>");
    expect(program, ENTRY_F, "<|end_of_text|>");
    expect(program, ENTRY_F, CALL_F LINE_A "<|end_of_text|>"); /* cut */
    expect(program, ENTRY_F, CALL_F LINE_A CALL_G LINE_G RAISED);
}

static void grammar__refuses_frames_out_of_order(void **state)
{
    static const char *const specials[] = {
        "<|begin_of_text|>", "<|end_of_text|>",
        "<|frame_sep|>",     "<|action_sep|>",
        "<|return_sep|>",    "<|call_sep|>",
        "<|line_sep|>",      "<|exception_sep|>",
        "<|arg_sep|>",       "<|trace_context_start|>",
        "<|eot_id|>",
    };
    static const struct {
        const char *good;
        const char *next; /* what may come of the specials */
    } cases[] = {
        {"", "<|call_sep|><|end_of_text|>"},
        {CALL_F, "<|call_sep|><|line_sep|><|return_sep|><|exception_sep|>"
                 "<|end_of_text|>"},
        {"<|call_sep|>", ""},
        {"<|call_sep|>{\"n\": \"1", ""},
        {"<|call_sep|>{}", "<|action_sep|>"},
        {CALL_F "<|return_sep|>", "<|action_sep|>"},
        {CALL_F "<|line_sep|>{}<|action_sep|>", ""},
        {CALL_F "<|line_sep|>{}<|action_sep|>    a = g(n)\n", "<|frame_sep|>"},
        {CALL_F LINE_A LINE_LATE "<|return_sep|><|action_sep|>    return a\n",
         "<|arg_sep|>"},
        {CALL_F LINE_A LINE_LATE
         "<|return_sep|><|action_sep|>    return a\n<|arg_sep|>\"2\"",
         "<|frame_sep|>"},
        {WHOLE, "<|end_of_text|>"}, /* the entry's scope is left */
        {WHOLE "<|end_of_text|>", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t k = 0; k < sizeof specials / sizeof *specials; k++) {
            char text[4096];

            if (strstr(cases[i].next, specials[k])) {
                snprintf(text, sizeof text, "%s%s", cases[i].good, specials[k]);
                expect(program, ENTRY_F, text);
            } else {
                expect_refused(program, ENTRY_F, cases[i].good, specials[k]);
            }
        }
    }
}

static void grammar__refuses_lines_that_cannot_follow(void **state)
{
    (void)state;
    /* the first call is the entry's */
    expect_refused(program, ENTRY_F, "<|call_sep|>{}<|action_sep|>def ", "g");
    /* a call is on no ordinary line */
    expect_refused(program, ENTRY_F, CALL_F "<|call_sep|>{}<|action_sep|>",
                   "    return a\n");
    /* no line of the program */
    expect_refused(program, ENTRY_F,
                   CALL_F "<|line_sep|>{}<|action_sep|>    a = g(n", "+");
    expect_refused(program, ENTRY_F, CALL_F "<|line_sep|>{}<|action_sep|>",
                   "\n");
    expect_refused(program, ENTRY_F,
                   CALL_F LINE_A "<|line_sep|>{}<|action_sep|>    return ",
                   "x");
    /* none between is passed over, and there is no way back */
    expect_refused(program, ENTRY_F, CALL_F "<|line_sep|>{}<|action_sep|>    ",
                   "return");
    expect_refused(program, ENTRY_F,
                   CALL_F LINE_A LINE_LATE "<|line_sep|>{}<|action_sep|>    ",
                   "a");
    /* nor is a scope left before its end */
    expect_refused(program, ENTRY_F,
                   CALL_F LINE_A "<|return_sep|><|action_sep|>    ", "return");
    /* lines of the scope that was called, and of the one returned to */
    expect_refused(
        program, ENTRY_F,
        CALL_F LINE_A CALL_G "<|line_sep|>{}<|action_sep|>    return ", "a");
    expect_refused(program, ENTRY_F,
                   CALL_F LINE_A CALL_G LINE_G RETURN_G
                   "<|line_sep|>{}<|action_sep|>    return ",
                   "x");
    expect_refused(
        program, ENTRY_F,
        CALL_F LINE_A CALL_G LINE_G "<|return_sep|><|action_sep|>    ", "a");
    expect_refused(program, ENTRY_F,
                   CALL_F LINE_A CALL_G "<|exception_sep|><|action_sep|>",
                   "# done\n");
}

static void grammar__takes_a_line_by_its_own_tokens_only(void **state)
{
    struct trace_grammar *g = NULL;
    struct trace_state *st = NULL;
    struct source *s = NULL;
    static const char good[] = CALL_F "<|line_sep|>{}<|action_sep|>";
    struct tokenizer_encoder *e = NULL;
    struct token_ids ids = {0};
    bool allowed;

    (void)state;
    source_new_text(program, strlen(program), "program", &s, NULL);
    assert_int_equal(trace_grammar_new(vocab, s, ENTRY_F, &g, NULL), CWM_OK);
    assert_int_equal(trace_state_new(g, &st, NULL), CWM_OK);
    assert_int_equal(tokenizer_encoder_new(tokenizer, &e, NULL), CWM_OK);
    assert_int_equal(tokenizer_encode(e, good, strlen(good), true, &ids, NULL),
                     CWM_OK);
    for (size_t i = 0; i < ids.n; i++) {
        trace_state_step(st, ids.ids[i], &allowed, NULL);
        assert_true(allowed);
    }
    trace_state_step(st, ' ', &allowed, NULL); /* two have a token */
    assert_false(allowed);
    trace_state_step(st, 256 + 7, &allowed, NULL);
    assert_true(allowed);
    token_ids_release(&ids);
    tokenizer_encoder_free(e);
    trace_state_free(st);
    trace_grammar_free(g);
    source_free(s);
}

static void grammar__holds_to_the_json_that_is_written(void **state)
{
    static const char head[] = "<|call_sep|>";
    static const struct {
        const char *good;
        const char *bad;
    } cases[] = {
        {"{", " "},
        {"{", ","},
        {"{\"n\"", " "},
        {"{\"n\":", "\""},
        {"{\"n\": ", "1"},
        {"{\"n\": ", "n"},
        {"{\"n\": \"1", "\n"},
        {"{\"n\": \"1", "\t"},
        {"{\"n\": \"1", "\x7f"},
        {"{\"n\": \"1", "\xc3\xa9"},
        {"{\"n\": \"1\\", "'"},
        {"{\"n\": \"1\\", "/"},
        {"{\"n\": \"1\\", "x"},
        {"{\"n\": \"1\\u", "A"},
        {"{\"n\": \"1\\u00", "41"},
        {"{\"n\": \"1\\u000", "a"},
        {"{\"n\": \"1\\u007", "e"},
        {"{\"n\": \"1\\u12", "\""},
        {"{\"n\": \"1\"", "\""},
        {"{\"n\": \"1\",", "\""},
        {"{\"n\": \"1\", ", "}"},
        {"{\"n\": \"1\"}", "}"},
        {"{}", " "},
        {"", "["},
        {"", "\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char good[256];

        snprintf(good, sizeof good, "%s%s", head, cases[i].good);
        expect_refused(program, ENTRY_F, good, cases[i].bad);
    }
    expect(program, ENTRY_F,
           "<|call_sep|>{\".0\": \"\", \"\\u00e9\": "
           "\"'\\\\n \\n\\t\\b\\f\\r\\u0000\\u000b\\u007f\\u0080\\u2026\\ud83d"
           "\\ude00\\udfff\\\\\", \"a\": \"{\\\"b\\\": 1}\"}");
    expect(program, ENTRY_F,
           WHOLE); /* tokens that go over a string's end are in it */
    expect_refused(program, ENTRY_F,
                   CALL_F LINE_A LINE_LATE
                   "<|return_sep|><|action_sep|>    return a\n"
                   "<|arg_sep|>\"2",
                   "\"}"); /* the first byte fits, the second does not */
}

static void grammar__lets_go_where_scopes_come_and_go_unseen(void **state)
{
    static const char meddling[] = "def g():\n"
                                   "    return 1\n"
                                   "def h():\n"
                                   "    pass\n"
                                   "def f():\n"
                                   "    sys.settrace(None)\n"
                                   "    g()\n";

    (void)state;
    /* the line that the program was traced again on may be any */
    expect(meddling, 2,
           "<|call_sep|>{}<|action_sep|>def f():\n<|frame_sep|>"
           "<|line_sep|>{}<|action_sep|>    g()\n<|frame_sep|>"
           "<|call_sep|>{}<|action_sep|>def g():\n<|frame_sep|>"
           "<|line_sep|>{}<|action_sep|>    g()\n<|frame_sep|>"
           "<|return_sep|><|action_sep|>    return 1\n<|arg_sep|>\"1\""
           "<|frame_sep|><|end_of_text|>");
    /* but not in a scope that was never called */
    expect_refused(meddling, 2,
                   "<|call_sep|>{}<|action_sep|>def f():\n<|frame_sep|>"
                   "<|line_sep|>{}<|action_sep|>    ",
                   "p");
}

static void grammar__follows_generators(void **state)
{
    static const char generator[] = "def g():\n"
                                    "    yield 1\n"
                                    "    yield 2\n"
                                    "def f():\n"
                                    "    it = g()\n"
                                    "    next(it)\n"
                                    "    it.close()\n";
#define CLOSED                                                                 \
    "<|call_sep|>{}<|action_sep|>def f():\n<|frame_sep|>"                      \
    "<|line_sep|>{}<|action_sep|>    it = g()\n<|frame_sep|>"                  \
    "<|line_sep|>{}<|action_sep|>    next(it)\n<|frame_sep|>"                  \
    "<|call_sep|>{}<|action_sep|>def g():\n<|frame_sep|>"                      \
    "<|line_sep|>{}<|action_sep|>    yield 1\n<|frame_sep|>"                   \
    "<|return_sep|><|action_sep|>    yield 1\n<|arg_sep|>\"1\"<|frame_sep|>"   \
    "<|line_sep|>{}<|action_sep|>    it.close()\n<|frame_sep|>"                \
    "<|call_sep|>{}<|action_sep|>    yield 1\n<|frame_sep|>"

    (void)state;
    expect(generator, 1,
           CLOSED "<|exception_sep|><|action_sep|>    yield 1\n<|arg_sep|>"
                  "\"\"<|frame_sep|><|return_sep|><|action_sep|>    yield 1\n"
                  "<|arg_sep|>\"None\"<|frame_sep|><|return_sep|>"
                  "<|action_sep|>    it.close()\n<|arg_sep|>\"None\""
                  "<|frame_sep|><|end_of_text|>");
    expect(generator, 1, CLOSED "<|line_sep|>{}<|action_sep|>    yield 2\n");
    expect_refused(generator, 1, CLOSED "<|line_sep|>{}<|action_sep|>    ",
                   "i"); /* of another scope */
}

static void grammar__takes_the_lines_of_a_script(void **state)
{
    static const char script[] = "x = 1\n\ndef f():\n    return 2\ny = f()\n";

    (void)state;
    expect(script, -1,
           "<|call_sep|>{}<|action_sep|>x = 1\n<|frame_sep|>"
           "<|line_sep|>{}<|action_sep|>x = 1\n<|frame_sep|>"
           "<|line_sep|>{\"x\": \"1\"}<|action_sep|>def f():\n<|frame_sep|>"
           "<|line_sep|>{\"x\": \"1\"}<|action_sep|>y = f()\n<|frame_sep|>"
           "<|call_sep|>{}<|action_sep|>def f():\n<|frame_sep|>");
    expect_refused(script, -1, "<|call_sep|>{}<|action_sep|>", "y");
}

static void grammar__knows_what_is_forced(void **state)
{
    /* behind "        a" there is one line left; before it there are two */
    static const char branches[] = "def f(n):\n"
                                   "    if n:\n"
                                   "        a = g(n)\n"
                                   "    else:\n"
                                   "        b = 2\n";
    static const char text[] =
        CALL_F "<|line_sep|>{}<|action_sep|>    if n:\n<|frame_sep|>"
               "<|line_sep|>{}<|action_sep|>        a";
    struct tokenizer_encoder *e = NULL;
    struct trace_grammar *g = NULL;
    struct trace_state *st = NULL;
    struct token_ids ids = {0};
    struct source *s = NULL;
    struct cwm_buf forced;
    uint32_t id = 0;
    bool allowed;

    (void)state;
    cwm_buf_init(&forced, 4096);
    source_new_text(branches, strlen(branches), "program", &s, NULL);
    assert_int_equal(trace_grammar_new(vocab, s, 0, &g, NULL), CWM_OK);
    assert_int_equal(trace_state_new(g, &st, NULL), CWM_OK);
    assert_int_equal(tokenizer_encoder_new(tokenizer, &e, NULL), CWM_OK);
    assert_int_equal(tokenizer_encode(e, text, strlen(text), true, &ids, NULL),
                     CWM_OK);
    for (size_t i = 0; i < ids.n; i++) {
        if (i + 1 == ids.n) {
            assert_false(trace_state_forced(st, &id));
        }
        trace_state_step(st, ids.ids[i], &allowed, NULL);
        assert_true(allowed);
    }
    while (trace_state_forced(st, &id)) {
        tokenizer_decode(tokenizer, &id, 1, &forced, NULL);
        trace_state_step(st, id, &allowed, NULL);
        assert_true(allowed);
    }
    assert_string_equal(forced.data, " = g(n)\n<|frame_sep|>");
    cwm_buf_release(&forced);
    token_ids_release(&ids);
    tokenizer_encoder_free(e);
    trace_state_free(st);
    trace_grammar_free(g);
    source_free(s);
}

static void vocab__refuses_a_model_with_fewer_words(void **state)
{
    struct trace_vocab *v = NULL;
    struct cwm_err err;

    (void)state;
    assert_int_equal(
        trace_vocab_new(tokenizer, tokenizer_n_ids(tokenizer) - 1, &v, &err),
        CWM_FORMAT);
    assert_null(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammar__takes_true_traces),
        cmocka_unit_test(grammar__refuses_frames_out_of_order),
        cmocka_unit_test(grammar__refuses_lines_that_cannot_follow),
        cmocka_unit_test(grammar__takes_a_line_by_its_own_tokens_only),
        cmocka_unit_test(grammar__holds_to_the_json_that_is_written),
        cmocka_unit_test(grammar__lets_go_where_scopes_come_and_go_unseen),
        cmocka_unit_test(grammar__follows_generators),
        cmocka_unit_test(grammar__takes_the_lines_of_a_script),
        cmocka_unit_test(grammar__knows_what_is_forced),
        cmocka_unit_test(vocab__refuses_a_model_with_fewer_words),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
