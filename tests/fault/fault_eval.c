/* SPDX-License-Identifier: MIT */
/* fault_eval.c -- predictions read, scored and checked while memory is short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eval/check.h"
#include "eval/score.h"
#include "tests/fault/fault.h"

static const char program[] = "def g(x):\n    return {x}\n\n"
                              "def f(a):\n    b = g(a)\n    return b\n";

static const char text[] =
    "<|call_sep|>{\"a\": \"1\"}<|action_sep|>def f(a):\n<|frame_sep|>"
    "<|line_sep|>{\"a\": \"..\"}<|action_sep|>    b = g(a)\n<|frame_sep|>"
    "<|call_sep|>{\"x\": \"{1: {2}}\"}<|action_sep|>def g(x):\n<|frame_sep|>"
    "<|line_sep|>{\"x\": \"..\"}<|action_sep|>    return {x}\n<|frame_sep|>"
    "<|return_sep|><|action_sep|>    return {x}\n<|arg_sep|>\"{1}\""
    "<|frame_sep|>"
    "<|line_sep|>{\"a\": \"1\", \"b\": \"{1}\"}<|action_sep|>    return b\n"
    "<|frame_sep|>"
    "<|return_sep|><|action_sep|>    return b\n<|arg_sep|>\"{1, 2}\""
    "<|frame_sep|>";

static enum cwm_rc score(void *ctx, struct cwm_err *err)
{
    struct predicted truth = {0};
    struct predicted predicted = {0};
    struct score_truth t = {.trace = &truth, .result = {"{2, 1}", 6}};
    struct trace_score s;
    enum cwm_rc rc =
        predicted_parse(text, sizeof text - 1, NULL, 0, &truth, err);

    (void)ctx;
    if (rc == CWM_OK) {
        rc = predicted_parse(text, sizeof text - 60, program,
                             sizeof program - 1, &predicted, err);
    }
    if (rc == CWM_OK) {
        rc = score_trace(&t, &predicted, NULL, &s, err);
    }
    if (rc == CWM_OK) {
        rc = score_trace(&t, &truth, NULL, &s, err);
    }
    if (rc == CWM_OK) {
        assert_true(s.value[SCORE_OUTPUT] >= 1);
        assert_int_equal(s.first.what, SCORE_SAME);
    }
    predicted_release(&truth);
    predicted_release(&predicted);
    return rc;
}

static void scores__or_says_that_memory_is_short(void **state)
{
    (void)state;
    fault_each_allocation("scores", score, NULL);
}

static enum cwm_rc check(void *ctx, struct cwm_err *err)
{
    struct check_input input = {.program = program,
                                .program_len = sizeof program - 1,
                                .name = "p.py",
                                .entry = "f",
                                .text = text,
                                .text_len = sizeof text - 1};
    struct check_result result;
    struct predicted p = {0};
    enum cwm_rc rc = check_trace(&input, &p, &result, err);

    (void)ctx;
    if (rc == CWM_OK) {
        assert_int_equal(result.n_problems, 0);
    }
    predicted_release(&p);
    return rc;
}

static void checks__or_says_that_memory_is_short(void **state)
{
    (void)state;
    fault_each_allocation("checks", check, NULL);
}

static enum cwm_rc compare(void *ctx, struct cwm_err *err)
{
    static const char a[] = "{'x': [1, {2, 3}], 2: (b'y', 1.5)}";
    static const char b[] = "{2: (b'y', 1.5), \"x\": [True, {3, 2}]}";
    bool is_equal = false;
    enum cwm_rc rc =
        literal_equal(a, sizeof a - 1, b, sizeof b - 1, &is_equal, err);

    (void)ctx;
    assert_true(rc != CWM_OK || is_equal);
    return rc;
}

static void values__or_says_that_memory_is_short(void **state)
{
    (void)state;
    fault_each_allocation("values", compare, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores__or_says_that_memory_is_short),
        cmocka_unit_test(checks__or_says_that_memory_is_short),
        cmocka_unit_test(values__or_says_that_memory_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
