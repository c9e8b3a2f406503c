/* SPDX-License-Identifier: MIT */
/* test_problem.c -- problems, samples and tests in the forms that there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/io.h"
#include "eval/problem.h"

#define HUMANEVAL                                                              \
    "{\"task_id\": \"H/0\", \"prompt\": \"def f(x):\\n\", \"entry_point\": "   \
    "\"f\", \"canonical_solution\": \"    return x\\n\", \"test\": \"def "     \
    "check(c):\\n    assert c(1) == 1\\n\"}\n"

static char path[64];

static const char *file(const char *text)
{
    assert_int_equal(io_replace_file(path, text, strlen(text), NULL), CWM_OK);
    return path;
}

static struct problem_set read_problems(const char *text)
{
    struct problem_set set;
    struct cwm_err err = {0};

    if (problem_set_read(file(text), &set, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return set;
}

static struct sample_set read_samples(const struct problem_set *problems,
                                      const char *text)
{
    struct sample_set set;
    struct cwm_err err = {0};

    if (sample_set_read(file(text), problems, &set, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return set;
}

static void problem__humaneval_is_read_as_it_is_published(void **state)
{
    struct problem_set set = read_problems(HUMANEVAL HUMANEVAL "nothing\n{}\n");

    (void)state;
    assert_int_equal(set.n, 1);
    assert_int_equal(set.kind, PROBLEM_HUMANEVAL);
    assert_int_equal(set.n_repeated, 1);
    assert_int_equal(set.n_bad_lines, 2);
    assert_int_equal(set.first_bad_line, 3);
    assert_string_equal(set.list[0].prompt.data, "def f(x):\n");
    assert_string_equal(set.list[0].entry_point.data, "f");
    assert_int_equal(problem_find(&set, "H/0", 3), 0);
    assert_true(problem_find(&set, "H/1", 3) == PROBLEM_NONE);
    problem_set_release(&set);
}

static void problem__mbpp_names_the_function_that_its_tests_call(void **state)
{
    /* `sum` is a builtin's name, too, and comes second. */
    struct problem_set set = read_problems(
        "[{\"task_id\": 7, \"prompt\": \"Add\", \"code\": \"def help(a):\\n  "
        "  return a\\ndef sum(a, b):\\n    return help(a) + b\\n\", "
        "\"test_imports\": [\"import math\"], \"test_list\": [\"assert sum(1, "
        "2) == 3\", \"assert sum(0, 0) == 0\"]}]\n");

    (void)state;
    assert_int_equal(set.n, 1);
    assert_string_equal(set.list[0].task_id.data, "7");
    assert_string_equal(set.list[0].entry_point.data, "sum");
    assert_string_equal(set.list[0].test.data,
                        "import math\nassert sum(1, 2) == 3\n"
                        "assert sum(0, 0) == 0\n");
    assert_true(set.list[0].whole_canonical);
    problem_set_release(&set);
}

static void problem__cruxeval_and_contests_have_cases(void **state)
{
    struct problem_set set = read_problems(
        "{\"id\": \"s_0\", \"code\": \"def f(x):\\n    return x\", \"input\": "
        "\"'a'\", \"output\": \"'a'\"}\n");

    (void)state;
    assert_int_equal(set.kind, PROBLEM_CRUXEVAL);
    assert_string_equal(set.list[0].test.data, "assert f('a') == ('a')\n");
    problem_set_release(&set);
    set = read_problems("{\"id\": \"c\", \"tests\": [{\"input\": \"1\\n\", "
                        "\"output\": \"2\\n\"}, {\"input\": \"3\", \"output\": "
                        "\"4\"}], \"time_limit_ms\": 250}\n");
    assert_int_equal(set.kind, PROBLEM_CONTEST);
    assert_int_equal(set.list[0].n_cases, 2);
    assert_string_equal(set.list[0].cases[1].output.data, "4");
    assert_int_equal(set.list[0].time_ms, 250);
    problem_set_release(&set);
}

static void problem__livecode_calls_a_method_or_reads_input(void **state)
{
    struct problem_set set = read_problems(
        "{\"question_id\": \"q\", \"question_content\": \"Add\", \"metadata\": "
        "\"{\\\"func_name\\\": \\\"add\\\"}\", \"public_test_cases\": "
        "\"[{\\\"input\\\": \\\"1\\\\n2\\\", \\\"output\\\": \\\"3\\\"}]\", "
        "\"private_test_cases\": \"\"}\n"
        "{\"question_id\": \"r\", \"metadata\": \"{}\", \"public_test_cases\": "
        "\"[{\\\"input\\\": \\\"1\\\", \\\"output\\\": \\\"3\\\"}]\"}\n"
        /* Packed tests are not thrown away in silence. */
        "{\"question_id\": \"t\", \"metadata\": \"{}\", \"public_test_cases\": "
        "\"[]\", \"private_test_cases\": \"eJxrYJ==\"}\n");

    (void)state;
    assert_int_equal(set.n, 2);
    assert_int_equal(set.n_bad_lines, 1);
    assert_true(set.list[0].is_method);
    assert_string_equal(set.list[0].entry_point.data, "add");
    assert_string_equal(set.list[0].cases[0].input.data, "1\n2");
    assert_false(set.list[1].is_method);
    problem_set_release(&set);
}

static void problem__a_file_without_any_is_refused(void **state)
{
    struct problem_set set;
    struct cwm_err err = {0};

    (void)state;
    assert_int_equal(problem_set_read(file("{\"a\": 1}\n"), &set, &err),
                     CWM_USAGE);
    assert_non_null(strstr(err.message, "no problem"));
    assert_int_equal(problem_set_read("/nowhere/x", &set, &err), CWM_USAGE);
}

static void sample__nothing_is_dropped_in_silence(void **state)
{
    struct problem_set problems = read_problems(
        HUMANEVAL "{\"task_id\": \"H/1\", \"prompt\": \"\", \"entry_point\": "
                  "\"g\", \"test\": \"\"}\n");
    struct sample_set set = read_samples(
        &problems, "{\"task_id\": \"H/0\", \"completion\": \"    return 1\", "
                   "\"n_tokens\": 12}\n"
                   "{\"task_id\": \"H/0\", \"solution\": \"def f(x): pass\"}\n"
                   "{\"task_id\": \"H/0\", \"completion\": \" \\n\"}\n"
                   "{\"task_id\": \"H/0\", \"solution\": [\"a\", \"b\"]}\n"
                   "{\"task_id\": \"H/9\", \"completion\": \"x\"}\n"
                   "{\"task_id\": \"H/0\", \"answer\": \"x\"}\n"
                   "{\"task_id\": \"H/0\", \"completion\": 5}\n"
                   "{\"task_id\": \"H/0\"\n");

    (void)state;
    assert_int_equal(set.n, 6);
    assert_int_equal(set.n_of_task[0], 6);
    assert_int_equal(set.n_missing, 1);
    assert_int_equal(set.n_wrong_id, 1);
    assert_string_equal(set.first_wrong_id, "H/9");
    assert_int_equal(set.first_wrong_line, 5);
    assert_int_equal(set.n_bad_lines, 3);
    assert_int_equal(set.n_empty, 2);
    assert_int_equal(set.list[0].n_tokens, 12);
    assert_false(set.list[0].is_whole);
    assert_true(set.list[1].is_whole);
    sample_set_release(&set);
    problem_set_release(&problems);
}

static void sample__a_whole_program_goes_before_a_part(void **state)
{
    struct problem_set problems = read_problems("\xEF\xBB\xBF" HUMANEVAL);
    struct sample_set set = read_samples(
        &problems, "\xEF\xBB\xBF{\"task_id\": \"H/0\", \"completion\": \"a\", "
                   "\"solution\": \"b\"}\n"
                   "{\"task_id\": \"H/0\", \"completion\": \"c\", "
                   "\"solution\": null}\n"
                   "{\"task_id\": \"H/0\", \"completion\": null}\n");

    (void)state;
    assert_int_equal(problems.n, 1); /* behind a byte order mark */
    assert_int_equal(set.n, 3);
    assert_string_equal(set.list[0].text.data, "b");
    assert_true(set.list[0].is_whole);
    assert_string_equal(set.list[1].text.data, "c");
    assert_false(set.list[1].is_whole);
    assert_int_equal(set.n_bad_lines, 1); /* null: and an empty one */
    assert_int_equal(set.n_empty, 1);
    sample_set_release(&set);
    problem_set_release(&problems);
}

static void sample__generations_may_stand_alone(void **state)
{
    struct problem_set problems = read_problems(
        "{\"id\": \"s_0\", \"code\": \"def f(x):\\n    return x\", \"input\": "
        "\"1\", \"output\": \"1\"}\n");
    struct sample_set set = read_samples(
        &problems, "{\"s_1\": [\"3\"], \"s_0\": [\"1\", \"2\"]}\n");

    (void)state;
    assert_int_equal(set.n, 2);
    assert_int_equal(set.n_wrong_id, 1);
    assert_int_equal(set.n_bad_lines, 0);
    sample_set_release(&set);
    problem_set_release(&problems);
}

static void sample__codets_are_cut_where_the_function_ends(void **state)
{
    struct problem_set problems = read_problems(HUMANEVAL);
    struct sample_set set = read_samples(
        &problems, "{\"prompt\": \"def f(x):\\n\", \"samples\": [\"    return "
                   "1\\n\\nprint(f(1))\", \"    return 2\\ndef g(): pass\"]}\n"
                   "{\"prompt\": \"def h(x):\\n\", \"samples\": [\"\"]}\n");

    (void)state;
    assert_int_equal(set.n, 2);
    assert_int_equal(set.n_wrong_id, 1);
    assert_string_equal(set.list[0].text.data, "    return 1\n");
    assert_string_equal(set.list[1].text.data, "    return 2");
    sample_set_release(&set);
    problem_set_release(&problems);
}

static void generated__asserts_are_found_in_samples(void **state)
{
    struct problem_set problems = read_problems(HUMANEVAL);
    struct generated_set set;

    (void)state;
    assert_int_equal(
        generated_set_read(
            file("{\"prompt\": \"def f(x):\\n    pass\\nassert \", "
                 "\"samples\": [\"f(1) == 1\\nassert f(2) == 2\\n\\ndef g\", "
                 "\"g(1)\\nassert f(3) == (\\nassert not \\nf(4)\\nassert "
                 "f(5) == [\\n5]\\nassert f(6)\"]}\n"),
            &problems, 2, &set, NULL),
        CWM_OK);
    assert_int_equal(set.n, 4);
    assert_int_equal(set.n_generations, 2);
    assert_string_equal(set.list[0].text.data, "assert f(1) == 1");
    assert_string_equal(set.list[1].text.data, "assert f(2) == 2");
    assert_string_equal(set.list[2].text.data, "assert f(5) == [\n5]");
    assert_string_equal(set.list[3].text.data, "assert f(6)");
    assert_int_equal(set.list[3].generation, 1);
    generated_set_release(&set);
    assert_int_equal(
        generated_set_read(
            file("{\"task_id\": \"H/0\", \"test\": \" assert f(1) \"}\n"
                 "{\"task_id\": \"H/7\", \"test\": \"assert f(1)\"}\n"),
            &problems, 0, &set, NULL),
        CWM_OK);
    assert_int_equal(set.n, 1);
    assert_int_equal(set.n_wrong_id, 1);
    assert_string_equal(set.list[0].text.data, "assert f(1)");
    generated_set_release(&set);
    problem_set_release(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problem__humaneval_is_read_as_it_is_published),
        cmocka_unit_test(problem__mbpp_names_the_function_that_its_tests_call),
        cmocka_unit_test(problem__cruxeval_and_contests_have_cases),
        cmocka_unit_test(problem__livecode_calls_a_method_or_reads_input),
        cmocka_unit_test(problem__a_file_without_any_is_refused),
        cmocka_unit_test(sample__nothing_is_dropped_in_silence),
        cmocka_unit_test(sample__a_whole_program_goes_before_a_part),
        cmocka_unit_test(sample__generations_may_stand_alone),
        cmocka_unit_test(sample__codets_are_cut_where_the_function_ends),
        cmocka_unit_test(generated__asserts_are_found_in_samples),
    };
    int failed;

    snprintf(path, sizeof path, "/tmp/test_problem.%ld", (long)getpid());
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
