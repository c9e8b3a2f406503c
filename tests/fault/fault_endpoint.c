/* SPDX-License-Identifier: MIT */
/*
 * fault_endpoint.c -- answers of models read and kept while memory is short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eval/crux_ask.h"
#include "eval/endpoint_internal.h"
#include "tests/fault/fault.h"

static const char body[] =
    "{\"choices\": [{\"text\": \"a\\u00e9\", \"finish_reason\": \"length\","
    " \"logprobs\": {\"token_logprobs\": [null, -1]}},"
    " {\"message\": {\"content\": \"b\"}}, {\"text\": \"c\"},"
    " {\"text\": \"d\"}, {\"text\": \"e\"}],"
    " \"usage\": {\"prompt_tokens\": 1, \"completion_tokens\": 9}}";

static enum cwm_rc read_body(void *ctx, struct cwm_err *err)
{
    struct endpoint__message m = {.choices = NULL};
    enum endpoint_outcome outcome = ENDPOINT_NOT_ASKED;
    enum cwm_rc rc = endpoint__read(body, sizeof body - 1, &m, &outcome, err);

    (void)ctx;
    if (rc == CWM_OK) {
        assert_int_equal(outcome, ENDPOINT_ANSWERED);
        assert_int_equal(m.n_choices, 5);
    }
    endpoint__message_release(&m);
    return rc;
}

static void answers__are_read_or_it_says_that_memory_is_short(void **state)
{
    (void)state;
    fault_each_allocation("answers", read_body, NULL);
}

/* Opened, asked for nothing, closed: what was made is given back. */
static enum cwm_rc open_and_close(void *ctx, struct cwm_err *err)
{
    struct endpoint_options o = {
        .url = "http://127.0.0.1:1/v1", .store = ":memory:", .n_parallel = 3};
    struct endpoint *e = NULL;
    enum cwm_rc rc = endpoint_open(&o, &e, err);

    (void)ctx;
    endpoint_close(e);
    return rc;
}

static void endpoints__open_or_say_that_memory_is_short(void **state)
{
    (void)state;
    fault_each_allocation("endpoints", open_and_close, NULL);
}

static enum cwm_rc prompt_and_answer(void *ctx, struct cwm_err *err)
{
    static char code[] = "def f(x):\n    return x";
    static char input[] = "1";
    static char id[] = "s";
    static const char trace[] =
        "<|return_sep|><|action_sep|>    return f(1)\n<|arg_sep|>\"1\""
        "<|frame_sep|>";
    struct problem_case c = {{input, 1}, {input, 1}};
    struct problem p = {.kind = PROBLEM_CRUXEVAL,
                        .task_id = {id, 1},
                        .canonical = {code, sizeof code - 1},
                        .cases = &c,
                        .n_cases = 1};
    const struct crux_question question = {CRUXEVAL_OUTPUT, CRUX_TRACE};
    struct cwm_buf out;
    size_t context_at = 0;
    size_t context_len = 0;
    bool found = false;
    enum cwm_rc rc;

    (void)ctx;
    cwm_buf_init(&out, 1 << 20);
    rc = crux_prompt(&p, &question, &out, &context_at, &context_len, err);
    if (rc == CWM_OK) {
        assert_memory_equal(out.data + context_at, code, sizeof code - 1);
        cwm_buf_clear(&out);
        rc =
            crux_answer(CRUX_TRACE, trace, sizeof trace - 1, &out, &found, err);
    }
    if (rc == CWM_OK) {
        rc = cwm_buf_check(&out, "an answer", err);
    }
    if (rc == CWM_OK) {
        assert_true(found);
        assert_string_equal(out.data, "1");
    }
    cwm_buf_release(&out);
    return rc;
}

static void prompts__or_it_says_that_memory_is_short(void **state)
{
    (void)state;
    fault_each_allocation("prompts", prompt_and_answer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers__are_read_or_it_says_that_memory_is_short),
        cmocka_unit_test(endpoints__open_or_say_that_memory_is_short),
        cmocka_unit_test(prompts__or_it_says_that_memory_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
