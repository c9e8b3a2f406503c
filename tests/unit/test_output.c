/* SPDX-License-Identifier: MIT */
/* test_output.c -- which outputs are the same, for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eval/output.h"

struct pair {
    const char *a, *b;
    bool contest, livecode;
};

static const struct pair pairs[] = {
    {"", "", true, true},
    {"", "\n\n", true, true},
    {"3\n", "3", true, true},
    {"3  \r\n4\t\n\n", "3\n4", true, true},
    {"3\n4", "3 4", false, false},
    {"3\n\n4", "3\n4", false, false},
    {"\n3", "3", false, true},
    {" 3\n  4", "3\n4", false, true},
    {"Yes", "yes", false, false},
    /* Numbers by their values. */
    {"1  2", "1 2", false, true},
    {"1.50 2", "1.5 2.000", false, true},
    {"1.50 2", "1.5 2.000 3", false, false},
    {"1e3", "1000", false, true},
    {"12E-1", "1.2", false, true},
    {"+5", "5", false, true},
    {"-0.0", "0", false, true},
    {"-1", "1", false, false},
    {"007", "7.", false, true},
    {".5", "0.50", false, true},
    {"100", "1e2", false, true},
    {"1001", "1.001e3", false, true},
    {"1.01", "1.001", false, false},
    {"10.01", "1.001", false, false},
    {"50000000000000000", "50000000000000001", false, false},
    {"0.1", "0.10000000000000001", false, false},
    {"inf", "+Infinity", false, true},
    {"inf", "-inf", false, false},
    {"nan", "NaN", false, false},
    {"nan", "nan", true, true},
    {"1e9999999999999999999999", "1E9999999999999999999999", false, false},
    {"x 1.0", "x 1", false, false},
    {".", "0", false, false},
    {"1.2.3", "1.2.30", false, false},
    {"1e", "1", false, false},
    {"e5", "0", false, false},
};

static void outputs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const struct pair *p = &pairs[i];
        const size_t a = strlen(p->a);
        const size_t b = strlen(p->b);

        if (output_is_same(p->a, a, p->b, b) != p->contest ||
            output_is_same(p->b, b, p->a, a) != p->contest) {
            fail_msg("contest: '%s' and '%s'", p->a, p->b);
        }
        if (output_is_same_livecode(p->a, a, p->b, b) != p->livecode ||
            output_is_same_livecode(p->b, b, p->a, a) != p->livecode) {
            fail_msg("livecode: '%s' and '%s'", p->a, p->b);
        }
    }
}

static void nul(void **state)
{
    (void)state;
    assert_false(output_is_same("3\0", 2, "3", 1));
    assert_false(output_is_same_livecode("3\0", 2, "3", 1));
    assert_true(output_is_same_livecode("3\0\n", 3, "3\0", 2));
    assert_true(output_is_same_livecode(NULL, 0, "\n", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs),
        cmocka_unit_test(nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
