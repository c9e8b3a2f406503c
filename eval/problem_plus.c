/* SPDX-License-Identifier: MIT */
/*
 * problem_plus.c -- EvalPlus' own files: inputs, and a solution to trust.
 *
 * What HumanEval+ and MBPP+ expect is not in them: it is what the canonical
 * solution gives.  So the task's test is a program that holds that solution
 * and asks it, in the jail, in the process of the tests.  Equal is what is
 * equal, or numbers that differ by no more than `atol` (1e-6 for floats where
 * it is 0) and a ten-millionth; the roots that find_zero() gives are put into
 * the polynomial; the order of MBPP's sets does not count; and for three of
 * its tasks any match is as good as True.
 *
 * JSON has no tuples, sets and complex numbers: what MBPP+'s inputs are made
 * of is known by the number of the task.
 */
#include <string.h>

#include "eval/problem_internal.h"

/* How the arguments in `xs`, a list, are made what the task wants. */
enum form {
    FORM_PLAIN,
    FORM_TUPLES,           /* each is a tuple */
    FORM_LISTS_OF_TUPLES,  /* each is a list of tuples */
    FORM_TUPLES_OF_TUPLES, /* each is a tuple of tuples */
    FORM_FIRST_TUPLE,      /* the first one is a tuple */
    FORM_SECOND_TUPLE,     /* the second one is */
    FORM_FIRST_LIST_OF_TUPLES,
    FORM_FIRST_VALUES_TUPLES, /* the first one's values are */
    FORM_FIRST_LIST_OF_SETS,
    FORM_TUPLE_WITH_TUPLES, /* lists in each, a tuple, are tuples */
    FORM_ALL_TUPLES,        /* at any depth */
    FORM_COMPLEX,
    FORM_FLOAT_AND_COMPLEX
};

static const char *const form_texts[] = {
    [FORM_PLAIN] = "xs",
    [FORM_TUPLES] = "[tuple(x) for x in xs]",
    [FORM_LISTS_OF_TUPLES] = "[[tuple(y) for y in x] for x in xs]",
    [FORM_TUPLES_OF_TUPLES] = "[tuple(tuple(y) for y in x) for x in xs]",
    [FORM_FIRST_TUPLE] = "[tuple(xs[0])] + xs[1:]",
    [FORM_SECOND_TUPLE] = "[xs[0], tuple(xs[1])]",
    [FORM_FIRST_LIST_OF_TUPLES] = "[[tuple(y) for y in xs[0]]] + xs[1:]",
    [FORM_FIRST_VALUES_TUPLES] =
        "[{k: tuple(v) for k, v in xs[0].items()}] + xs[1:]",
    [FORM_FIRST_LIST_OF_SETS] = "[[set(y) if y else {} for y in xs[0]]]",
    [FORM_TUPLE_WITH_TUPLES] =
        "[tuple(tuple(y) if type(y) is list else y for y in x) for x in xs]",
    [FORM_ALL_TUPLES] = "[deep(x) for x in xs]",
    [FORM_COMPLEX] = "[complex(xs[0])]",
    [FORM_FLOAT_AND_COMPLEX] = "[float(xs[0]), complex(xs[1])]",
};

/* MBPP+'s tasks whose inputs are not plain: the file does not say so. */
static const struct {
    uint16_t task;
    uint8_t form;
} mbpp_forms[] = {
    {2, FORM_TUPLES},
    {63, FORM_LISTS_OF_TUPLES},
    {64, FORM_LISTS_OF_TUPLES},
    {70, FORM_LISTS_OF_TUPLES},
    {75, FORM_FIRST_LIST_OF_TUPLES},
    {94, FORM_LISTS_OF_TUPLES},
    {106, FORM_SECOND_TUPLE},
    {115, FORM_FIRST_LIST_OF_SETS},
    {116, FORM_TUPLES},
    {120, FORM_LISTS_OF_TUPLES},
    {124, FORM_FLOAT_AND_COMPLEX},
    {132, FORM_TUPLES},
    {143, FORM_TUPLES},
    {222, FORM_TUPLES},
    {237, FORM_LISTS_OF_TUPLES},
    {250, FORM_FIRST_TUPLE},
    {252, FORM_COMPLEX},
    {259, FORM_TUPLES_OF_TUPLES},
    {261, FORM_TUPLES},
    {272, FORM_LISTS_OF_TUPLES},
    {273, FORM_TUPLES},
    {278, FORM_TUPLE_WITH_TUPLES},
    {299, FORM_LISTS_OF_TUPLES},
    {307, FORM_FIRST_TUPLE},
    {394, FORM_TUPLES},
    {399, FORM_TUPLES},
    {400, FORM_LISTS_OF_TUPLES},
    {401, FORM_TUPLES_OF_TUPLES},
    {405, FORM_FIRST_TUPLE},
    {409, FORM_LISTS_OF_TUPLES},
    {413, FORM_FIRST_LIST_OF_TUPLES},
    {417, FORM_LISTS_OF_TUPLES},
    {421, FORM_TUPLES},
    {424, FORM_TUPLES},
    {429, FORM_TUPLES},
    {438, FORM_LISTS_OF_TUPLES},
    {444, FORM_FIRST_LIST_OF_TUPLES},
    {445, FORM_TUPLES_OF_TUPLES},
    {446, FORM_FIRST_TUPLE},
    {470, FORM_TUPLES},
    {473, FORM_LISTS_OF_TUPLES},
    {560, FORM_TUPLES},
    {579, FORM_TUPLES},
    {580, FORM_ALL_TUPLES},
    {596, FORM_TUPLES},
    {614, FORM_LISTS_OF_TUPLES},
    {615, FORM_ALL_TUPLES},
    {616, FORM_TUPLES},
    {617, FORM_FIRST_TUPLE},
    {630, FORM_TUPLES},
    {720, FORM_FIRST_TUPLE},
    {722, FORM_FIRST_VALUES_TUPLES},
    {726, FORM_TUPLES},
    {740, FORM_TUPLES},
    {744, FORM_TUPLES},
    {750, FORM_SECOND_TUPLE},
    {753, FORM_FIRST_LIST_OF_TUPLES},
    {763, FORM_FIRST_TUPLE},
    {780, FORM_LISTS_OF_TUPLES},
    {791, FORM_ALL_TUPLES},
    {808, FORM_FIRST_TUPLE},
    {809, FORM_TUPLES},
};

/* MBPP+'s functions whose results are compared as sets, and those where only
 * counts whether there is a result. */
static const char *const as_sets[] = {
    "similar_elements", "find_char_long", "common_in_nested_lists",
    "extract_singly",   "larg_nnum",      "intersection_array",
    "find_dissimilar",  "Diff",
};
static const char *const as_found[] = {"check_str", "text_match_three",
                                       "text_starta_endb"};

static bool is_one_of(const struct problem_text *name, const char *const *names,
                      size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name->data, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* "Mbpp/115" */
static enum form form_of(const struct problem_text *task_id)
{
    static const char prefix[] = "Mbpp/";
    const char *at = task_id->data;
    unsigned number = 0;

    if (strncmp(at, prefix, sizeof prefix - 1) != 0) {
        return FORM_PLAIN;
    }
    for (at += sizeof prefix - 1; *at >= '0' && *at <= '9' && number < 10000;
         at++) {
        number = number * 10 + (unsigned)(*at - '0');
    }
    for (size_t i = 0; i < sizeof mbpp_forms / sizeof *mbpp_forms; i++) {
        if (mbpp_forms[i].task == number && *at == '\0') {
            return (enum form)mbpp_forms[i].form;
        }
    }
    return FORM_PLAIN;
}

static const char head_text[] =
    "import json\n"
    "def text_of(text):\n"
    "    return text.encode('utf-16', 'surrogatepass').decode('utf-16',"
    " 'surrogatepass')\n"
    "def deep(x):\n"
    "    return tuple(deep(y) for y in x) if type(x) is list else x\n"
    "def is_float(x):\n"
    "    return type(x) is float or (type(x) in (list, tuple) and\n"
    "        all(type(y) is float for y in x))\n"
    "def near(got, want, atol):\n"
    "    if type(want) in (list, tuple):\n"
    "        return (type(got) in (list, tuple) and len(got) == len(want) and\n"
    "            all(near(x, y, atol) for x, y in zip(got, want)))\n"
    "    if got == want or (got != got and want != want):\n"
    "        return True\n"
    "    try:\n"
    "        return abs(got - want) <= atol + 1e-7 * abs(want)\n"
    "    except (TypeError, OverflowError):\n"
    "        return False\n"
    "def same(got, want, atol):\n"
    "    if got == want:\n"
    "        return True\n"
    "    if atol == 0 and is_float(want):\n"
    "        atol = 1e-6\n"
    "    return atol != 0 and near(got, want, atol)\n";

static const char loop_text[] =
    "def check(candidate):\n"
    "    trusted = {}\n"
    "    exec(text_of(solution), trusted)\n"
    "    for mine, theirs in zip(inputs(), inputs()):\n"
    "        want = trusted[entry](*mine)\n"
    "        got = candidate(*theirs)\n"
    "        assert holds(got, want, mine, theirs)\n";

/* A JSON value of the record as it stands there, in a Python string. */
static void add_raw(struct json_in *record, const char *name,
                    struct cwm_buf *out)
{
    struct json_in value;

    if (json_find(record, name, &value)) {
        size_t start;

        (void)json_peek(&value);
        start = value.at;
        if (json_skip(&value)) {
            cwm_buf_add_json(out, value.text + start, value.at - start);
            return;
        }
    }
    cwm_buf_adds(out, "\"[]\"");
}

static void add_solution(const struct problem *p, struct cwm_buf *out)
{
    struct cwm_buf program;

    cwm_buf_init(&program, out->max_bytes);
    if (p->prompt.data) {
        cwm_buf_add(&program, p->prompt.data, p->prompt.len);
    }
    cwm_buf_add(&program, p->canonical.data, p->canonical.len);
    cwm_buf_add_json(out, program.data, program.len);
    if (program.failed != CWM_OK) {
        out->failed = program.failed;
    }
    cwm_buf_release(&program);
}

static const char *holds_text(const struct problem_text *entry)
{
    if (strcmp(entry->data, "find_zero") == 0) {
        return "abs(sum(c * got ** i for i, c in enumerate(theirs[0]))) <= "
               "max(atol, 1e-4)";
    }
    if (is_one_of(entry, as_sets, sizeof as_sets / sizeof *as_sets)) {
        return "set(got) == set(want)";
    }
    if (is_one_of(entry, as_found, sizeof as_found / sizeof *as_found)) {
        return "(got if type(got) is bool else got is not None) == "
               "(want if type(want) is bool else want is not None)";
    }
    return "same(got, want, atol)";
}

bool problem__plus_test(struct json_in *record, struct problem *p)
{
    struct problem_text atol = {NULL, 0};
    struct cwm_buf test;
    bool done = problem__member(record, "atol", &atol);

    if (!done || !p->canonical.data || !p->entry_point.data ||
        !p->task_id.data) {
        problem__text_release(&atol);
        return done;
    }
    cwm_buf_init(&test, (size_t)1 << 30);
    cwm_buf_adds(&test, head_text);
    cwm_buf_adds(&test, "solution = ");
    add_solution(p, &test);
    cwm_buf_adds(&test, "\nentry = ");
    cwm_buf_add_json(&test, p->entry_point.data, p->entry_point.len);
    cwm_buf_addf(&test,
                 "\natol = %s\n"
                 "def holds(got, want, mine, theirs):\n    return %s\n"
                 "def inputs():\n    for xs in json.loads(text_of(",
                 atol.data ? atol.data : "0", holds_text(&p->entry_point));
    add_raw(record, "base_input", &test);
    cwm_buf_adds(&test, ")) + json.loads(text_of(");
    add_raw(record, "plus_input", &test);
    cwm_buf_addf(&test, ")):\n        yield %s\n",
                 form_texts[form_of(&p->task_id)]);
    cwm_buf_adds(&test, loop_text);
    done =
        test.failed == CWM_OK && problem__copy(&p->test, test.data, test.len);
    cwm_buf_release(&test);
    problem__text_release(&atol);
    return done;
}
