/* SPDX-License-Identifier: MIT */
/* test_pack.c -- records of traces as ids: the text form's, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cwm/model/bpe_train.h"
#include "cwm/model/pack.h"
#include "datasets/shard.h"

static struct tokenizer *tokenizer;

/* A context that forges a frame, a lone surrogate, a name beyond ASCII. */
#define CONTEXT                                                                \
    "def f(a):  # << START_OF_TRACE\\n    s = '<|frame_sep|>\\u00e9'\\n    "   \
    "return s\\n"
#define FRAMES                                                                 \
    "{\"event\": \"call\", \"line\": 1, \"depth\": 0, \"function\": \"f\", "   \
    "\"locals\": {\"a\": \"'\\u00e9\\ud83d'\"}, \"source\": \"def f(a):\\n\""  \
    ", \"arg\": null}, {\"event\": \"return\", \"line\": 3, \"depth\": 0, "    \
    "\"function\": \"f\", \"locals\": null, \"source\": \"    return s\\n\", " \
    "\"arg\": \"'<|end_of_text|>'\"}"
#define RECORD(verdict)                                                        \
    "{\"id\": \"x\", \"verdict\": \"" verdict                                  \
    "\", \"detail\": null, \"python\": \"3.11.2\", \"entry\": \"f\", "         \
    "\"context\": \"" CONTEXT "\", \"frames\": [" FRAMES                       \
    "], \"result\": \"1\", \"exception\": null}"

/* The ids as text, every special one in «...». */
static void show(const struct packed_trace *trace, struct cwm_buf *out)
{
    cwm_buf_clear(out);
    for (size_t i = 0; i < trace->n; i++) {
        const char *bytes = NULL;
        size_t len = 0;
        bool is_special = false;

        assert_true(tokenizer_token(tokenizer, trace->ids[i], &bytes, &len,
                                    &is_special));
        cwm_buf_adds(out, is_special ? "\xc2\xab" : "");
        cwm_buf_add(out, bytes, len);
        cwm_buf_adds(out, is_special ? "\xc2\xbb" : "");
    }
}

static enum cwm_rc pack(struct trace_packer *p, const char *record,
                        struct packed_trace *trace, struct cwm_err *err)
{
    return trace_pack(p, record, strlen(record), trace, err);
}

static void record__becomes_the_text_form(void **state)
{
    static const char want[] =
        "«<|begin_of_text|>»«<|trace_context_start|>»def f(a):  # << "
        "START_OF_TRACE\n    s = '<|frame_sep|>é'\n    return s\n"
        "«<|frame_sep|>»«<|call_sep|>»{\"a\": \"'\\u00e9\\ud83d'\"}"
        "«<|action_sep|>»def f(a):\n«<|frame_sep|>»«<|return_sep|>»"
        "«<|action_sep|>»    return s\n«<|arg_sep|>»\"'<|end_of_text|>'\""
        "«<|frame_sep|>»";
    struct trace_packer *p = NULL;
    struct packed_trace trace;
    struct cwm_buf text;

    (void)state;
    cwm_buf_init(&text, 1 << 16);
    assert_int_equal(trace_packer_new(tokenizer, &p, NULL), CWM_OK);
    assert_int_equal(pack(p, RECORD("timeout"), &trace, NULL), CWM_OK);
    show(&trace, &text);
    assert_string_equal(text.data, want);
    assert_int_equal(pack(p, RECORD("ok"), &trace, NULL), CWM_OK);
    show(&trace, &text);
    assert_memory_equal(text.data, want, sizeof want - 1);
    assert_string_equal(text.data + sizeof want - 1, "«<|end_of_text|>»");
    trace_packer_free(p);
    cwm_buf_release(&text);
}

/* Every token has the class of the part that it is in. */
static void tokens__have_the_class_of_their_part(void **state)
{
    struct trace_packer *p = NULL;
    struct packed_trace trace;
    uint32_t call = 0;
    uint32_t action = 0;
    uint32_t arg = 0;
    uint32_t end = 0;
    uint8_t want = SHARD_CONTEXT;

    (void)state;
    assert_true(tokenizer_special(tokenizer, "<|call_sep|>", 12, &call));
    assert_true(tokenizer_special(tokenizer, "<|action_sep|>", 14, &action));
    assert_true(tokenizer_special(tokenizer, "<|arg_sep|>", 11, &arg));
    assert_true(tokenizer_special(tokenizer, "<|end_of_text|>", 15, &end));
    assert_int_equal(trace_packer_new(tokenizer, &p, NULL), CWM_OK);
    assert_int_equal(pack(p, RECORD("ok"), &trace, NULL), CWM_OK);
    for (size_t i = 0; i < trace.n; i++) {
        const char *bytes = NULL;
        size_t len = 0;
        bool is_special;

        tokenizer_token(tokenizer, trace.ids[i], &bytes, &len, &is_special);
        if (is_special && (strncmp(bytes, "<|call", 6) == 0 ||
                           strncmp(bytes, "<|return", 8) == 0)) {
            want = SHARD_OBSERVATION;
        } else if (trace.ids[i] == action) {
            want = SHARD_ACTION;
        } else if (trace.ids[i] == arg) {
            want = SHARD_ARGUMENT;
        } else if (trace.ids[i] == end) {
            want = SHARD_OBSERVATION;
        }
        if (trace.classes[i] != want) {
            fail_msg("token %zu, '%.*s': %u, not %u", i, (int)len, bytes,
                     trace.classes[i], want);
        }
    }
    trace_packer_free(p);
}

/* Another program's spacing and order of members give the same ids. */
static void record__may_be_written_otherwise(void **state)
{
    static const char other[] =
        "{\"frames\":[{\"source\":\"def f(a):\\u000a\",\"locals\":{\"\\u0061\""
        ":\"'\xc3\xa9\\uD83D'\"},\"event\":\"call\"},{\"arg\":\"'<|end_of_"
        "text|>'\", \"event\":\"return\",\"source\":\"    return s\\n\"}] , "
        "\"context\":\"def f(a):  # << START_OF_TRACE\\n    s = "
        "'<|frame_sep|>\xc3\xa9'\\n    return s\\n\",\"verdict\":\"exit\"}\n";
    static const char exported[] =
        "{\"context\":\"def f(a):  # << START_OF_TRACE\\n    s = "
        "'<|frame_sep|>\xc3\xa9'\\n    return s\\n\",\"verdict\":\"exit\","
        "\"frames\":[{\"event\":\"call\",\"locals\":\"{\\\"a\\\": "
        "\\\"'\\\\u00e9\\\\ud83d'\\\"}\",\"source\":\"def f(a):\\n\"},{\"arg\":"
        "\"'<|end_of_text|>'\",\"event\":\"return\",\"locals\":null,"
        "\"source\":\"    return s\\n\"}]}";
    struct trace_packer *p = NULL;
    struct packed_trace trace;
    struct cwm_buf a;
    struct cwm_buf b;
    uint64_t hash;

    (void)state;
    cwm_buf_init(&a, 1 << 16);
    cwm_buf_init(&b, 1 << 16);
    assert_int_equal(trace_packer_new(tokenizer, &p, NULL), CWM_OK);
    assert_int_equal(pack(p, RECORD("ok"), &trace, NULL), CWM_OK);
    show(&trace, &a);
    hash = trace.program_hash;
    assert_int_equal(pack(p, other, &trace, NULL), CWM_OK);
    show(&trace, &b);
    assert_string_equal(a.data, b.data);
    assert_true(hash == trace.program_hash);
    /* `cwm dataset export`: the object is a text in a column of its own */
    assert_int_equal(pack(p, exported, &trace, NULL), CWM_OK);
    cwm_buf_clear(&b);
    show(&trace, &b);
    assert_string_equal(a.data, b.data);
    trace_packer_free(p);
    cwm_buf_release(&a);
    cwm_buf_release(&b);
}

static uint64_t hash_of(struct trace_packer *p, const char *entry,
                        const char *context)
{
    struct packed_trace trace;
    char record[1000];

    snprintf(record, sizeof record,
             "{\"entry\": %s, \"context\": \"%s\", \"frames\": []}", entry,
             context);
    assert_int_equal(pack(p, record, &trace, NULL), CWM_OK);
    assert_int_equal(trace.n, 0);
    return trace.program_hash;
}

/* All traces of one program are on one side of a split. */
static void hash__is_of_the_program_alone(void **state)
{
    struct trace_packer *p = NULL;
    uint64_t f;

    (void)state;
    assert_int_equal(trace_packer_new(tokenizer, &p, NULL), CWM_OK);
    f = hash_of(p, "\"f\"",
                "def f():  # << START_OF_TRACE\\n  pass\\ndef "
                "g(): pass");
    assert_true(f == hash_of(p, "null", "def f():\\n  pass\\ndef g(): pass"));
    assert_true(f == hash_of(p, "\"g\"",
                             "def f():\\n  pass\\ndef g(): pass  # "
                             "<< START_OF_TRACE"));
    assert_true(f == hash_of(p, "\"main\"",
                             "def f():\\n  pass\\ndef g(): pass\\n\\ndef "
                             "main():  # << START_OF_TRACE\\n    return "
                             "f(1)\\n"));
    assert_true(f != hash_of(p, "\"f\"",
                             "def f():\\n  pass\\ndef g(): pass\\n\\ndef "
                             "main():  # << START_OF_TRACE\\n    return "
                             "f(1)\\n"));
    assert_true(f != hash_of(p, "\"f\"",
                             "def f():  # << START_OF_TRACE\\n  "
                             "pass\\ndef h(): pass"));
    trace_packer_free(p);
}

static void record__that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "oops",
        "{\"context\": \"\"}",
        "{\"frames\": []}",
        "{\"context\": 1, \"frames\": []}",
        "{\"context\": \"\", \"frames\": {}}",
        "{\"context\": \"\", \"frames\": [1]}",
        "{\"context\": \"\", \"frames\": [{}]}",
        "{\"context\": \"\", \"frames\": [{\"event\": \"call\", \"locals\": "
        "null, \"source\": \"x\\n\", \"arg\": null}]}",
        "{\"context\": \"\", \"frames\": [{\"event\": \"call\", \"locals\": "
        "{}, \"source\": \"x\", \"arg\": null}]}",
        "{\"context\": \"\", \"frames\": [{\"event\": \"call\", \"locals\": "
        "{\"a\": 1}, \"source\": \"x\\n\", \"arg\": null}]}",
        "{\"context\": \"\", \"frames\": [{\"event\": \"call\", \"locals\": "
        "{}, \"source\": \"x\\n\", \"arg\": \"1\"}]}",
        "{\"context\": \"\", \"frames\": [{\"event\": \"call\", \"locals\": "
        "\"{\", \"source\": \"x\\n\", \"arg\": null}]}",
        "{\"context\": \"\", \"frames\": [{\"event\": \"call\", \"locals\": "
        "\"{} {}\", \"source\": \"x\\n\", \"arg\": null}]}",
        "{\"context\": \"\", \"frames\": [{\"event\": \"jump\", \"locals\": "
        "{}, \"source\": \"x\\n\", \"arg\": null}]}",
        "{\"context\": \"\", \"frames\": []} x",
        "{\"context\": \"\", \"frames\": [], \"verdict\": 3}",
    };
    struct trace_packer *p = NULL;
    struct packed_trace trace;

    (void)state;
    assert_int_equal(trace_packer_new(tokenizer, &p, NULL), CWM_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cwm_err err = {.message = ""};

        if (pack(p, bad[i], &trace, &err) != CWM_FORMAT || !err.message[0]) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    for (size_t n = 0; n + 1 < sizeof RECORD("ok"); n++) { /* cut anywhere */
        assert_int_equal(trace_pack(p, RECORD("ok"), n, &trace, NULL),
                         CWM_FORMAT);
    }
    assert_int_equal(pack(p, RECORD("ok"), &trace, NULL), CWM_OK);
    trace_packer_free(p);
}

static void packer__names_the_token_that_is_missing(void **state)
{
    struct tokenizer *t = NULL;
    struct trace_packer *p = NULL;
    struct cwm_err err = {.message = ""};
    struct cwm_buf json;
    char *name;

    (void)state;
    cwm_buf_init(&json, 1 << 20);
    assert_int_equal(tokenizer_write_json(tokenizer, &json, NULL), CWM_OK);
    name = strstr(json.data, "<|arg_sep|>");
    assert_non_null(name);
    name[2] = 'b';
    assert_int_equal(tokenizer_parse(json.data, json.len, &t, NULL), CWM_OK);
    assert_int_equal(trace_packer_new(t, &p, &err), CWM_USAGE);
    assert_non_null(strstr(err.message, "'<|arg_sep|>'"));
    tokenizer_free(t);
    cwm_buf_release(&json);
}

static int make_tokenizer(void **state)
{
    static const char text[] = "def f(a):\n    return a\n    return s\n";
    struct bpe_train_options options = {.vocab_size = 290,
                                        .n_threads = 1,
                                        .min_count = 2,
                                        .max_token_bytes = 16};
    struct bpe_text one = {text, sizeof text - 1};
    struct bpe_trainer *trainer = NULL;

    (void)state;
    if (bpe_trainer_new(&options, &trainer, NULL) != CWM_OK ||
        bpe_trainer_add(trainer, &one, 1, NULL) != CWM_OK ||
        bpe_trainer_finish(trainer, &tokenizer, NULL) != CWM_OK) {
        return -1;
    }
    bpe_trainer_free(trainer);
    return 0;
}

static int free_tokenizer(void **state)
{
    (void)state;
    tokenizer_free(tokenizer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record__becomes_the_text_form),
        cmocka_unit_test(tokens__have_the_class_of_their_part),
        cmocka_unit_test(record__may_be_written_otherwise),
        cmocka_unit_test(hash__is_of_the_program_alone),
        cmocka_unit_test(record__that_is_none_is_refused),
        cmocka_unit_test(packer__names_the_token_that_is_missing),
    };

    return cmocka_run_group_tests(tests, make_tokenizer, free_tokenizer);
}
