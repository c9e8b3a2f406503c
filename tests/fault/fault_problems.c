/* SPDX-License-Identifier: MIT */
/* fault_problems.c -- problems, samples and tests read while memory is short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/io.h"
#include "eval/problem.h"
#include "tests/fault/fault.h"

static const char *const texts[] = {
    "{\"task_id\": \"H/0\", \"prompt\": \"def f(x):\\n\", \"entry_point\": "
    "\"f\", \"canonical_solution\": \"    return x\\n\", \"test\": \"def "
    "check(c):\\n    pass\\n\"}\n"
    "{\"task_id\": 7, \"code\": \"def f(x):\\n    return x\\n\", "
    "\"test_list\": [\"assert f(1) == 1\"], \"test_setup_code\": \"\"}\n"
    "{\"id\": \"s\", \"code\": \"def f(x): return x\", \"input\": \"1\", "
    "\"output\": \"1\"}\n"
    "{\"id\": \"c\", \"tests\": [{\"input\": \"1\", \"output\": \"2\"}]}\n"
    /* EvalPlus' form, and LiveCodeBench's with packed tests. */
    "{\"task_id\": \"Mbpp/2\", \"prompt\": \"\", \"entry_point\": \"f\", \"co"
    "ntract\": \"\", \"canonical_solution\": \"def f(x):\\n    return x\\n\","
    " \"base_input\": [[[1]]], \"plus_input\": [], \"atol\": 0.5}\n"
    "{\"question_id\": \"call\", \"question_content\": \"\", \"public_test_ca"
    "ses\": \"[]\", \"private_test_cases\": \"eJxrYJnaxAABPXXR1UqZeQWlJUpWCkr"
    "RhjoKRrExecZKOgpK+aUlUGEzELcktbikpLIgFSSQVpqXXJKZn5eYo1Sro4BsAFCzIapmQ3y"
    "aY6foAQAnNiqC\", \"metadata\": \"{\\\"func_name\\\": \\\"total\\\"}\"}\n",
    "{\"task_id\": \"H/0\", \"completion\": [\"    return x\", \"\"]}\n"
    "{\"prompt\": \"def f(x):\\n\", \"samples\": [\"    return 1\\n\"]}\n",
    "{\"prompt\": \"def f(x):\\nassert \", \"samples\": [\"f(1) == 1\\n\"]}\n"
    "{\"task_id\": \"H/0\", \"test\": \"assert f(2) == 2\"}\n"};

static char paths[3][64];

static enum cwm_rc read_all(void *ctx, struct cwm_err *err)
{
    struct problem_set problems = {.list = NULL};
    struct sample_set samples = {.list = NULL};
    struct sample_set canonical = {.list = NULL};
    struct generated_set tests = {.list = NULL};
    enum cwm_rc rc = problem_set_read(paths[0], &problems, err);

    (void)ctx;
    if (rc == CWM_OK) {
        assert_int_equal(problems.n, 6);
        rc = sample_set_read(paths[1], &problems, &samples, err);
    }
    if (rc == CWM_OK) {
        assert_int_equal(samples.n, 3);
        rc = sample_set_canonical(&problems, &canonical, err);
    }
    if (rc == CWM_OK) {
        assert_int_equal(canonical.n, 4);
        rc = generated_set_read(paths[2], &problems, 5, &tests, err);
    }
    if (rc == CWM_OK) {
        assert_int_equal(tests.n, 2);
    }
    problem_set_release(&problems);
    sample_set_release(&samples);
    sample_set_release(&canonical);
    generated_set_release(&tests);
    return rc;
}

static void reading__or_says_that_memory_is_short(void **state)
{
    (void)state;
    fault_each_allocation("problems", read_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading__or_says_that_memory_is_short),
    };
    int failed;

    for (int i = 0; i < 3; i++) {
        snprintf(paths[i], sizeof paths[i], "/tmp/fault_problems.%ld.%d",
                 (long)getpid(), i);
        if (io_replace_file(paths[i], texts[i], strlen(texts[i]), NULL) !=
            CWM_OK) {
            return 1;
        }
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        unlink(paths[i]);
    }
    return failed;
}
