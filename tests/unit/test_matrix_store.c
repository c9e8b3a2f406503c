/* SPDX-License-Identifier: MIT */
/* test_matrix_store.c -- verdicts kept in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/io.h"
#include "eval/matrix.h"

static char path[64];

static void forget(void)
{
    char beside[80];

    unlink(path);
    snprintf(beside, sizeof beside, "%s-wal", path);
    unlink(beside);
    snprintf(beside, sizeof beside, "%s-shm", path);
    unlink(beside);
}

static struct matrix_key key(uint8_t program, uint8_t test)
{
    struct matrix_key k;

    memset(&k, 0, sizeof k);
    k.program.bytes[0] = program;
    k.test.bytes[0] = test;
    return k;
}

static void store__has_after_a_restart_what_was_put(void **state)
{
    const struct matrix_key keys[2] = {key(1, 1), key(1, 2)};
    const struct matrix_value values[2] = {{MATRIX_PASS, 10, 20, 1},
                                           {MATRIX_TIMEOUT, 4000000000u, 7, 3}};
    const struct matrix_key other = key(2, 1);
    struct matrix_store *s = NULL;
    struct matrix_value got;
    bool is_there = false;

    (void)state;
    forget();
    assert_int_equal(matrix_store_open(path, &s, NULL), CWM_OK);
    assert_int_equal(matrix_store_put(s, keys, values, 2, NULL), CWM_OK);
    matrix_store_close(s);
    assert_int_equal(matrix_store_open(path, &s, NULL), CWM_OK);
    assert_int_equal(matrix_store_n_cells(s), 2);
    assert_int_equal(matrix_store_get(s, &keys[1], &is_there, &got, NULL),
                     CWM_OK);
    assert_true(is_there);
    assert_int_equal(got.cell, MATRIX_TIMEOUT);
    assert_true(got.cpu_us == 4000000000u);
    assert_int_equal(got.n_runs, 3);
    assert_int_equal(matrix_store_get(s, &other, &is_there, &got, NULL),
                     CWM_OK);
    assert_false(is_there);
    matrix_store_close(s);
}

static void store__is_not_made_of_another_file(void **state)
{
    static const char text[] = "this is no database, and long enough to tell "
                               "that from its beginning, which is all it has "
                               "for the one who looks at a hundred bytes";
    struct matrix_store *s = NULL;
    struct cwm_err err = {0};

    (void)state;
    forget();
    assert_int_equal(io_replace_file(path, text, sizeof text, NULL), CWM_OK);
    assert_int_equal(matrix_store_open(path, &s, &err), CWM_USAGE);
    assert_null(s);
    assert_int_equal(matrix_store_open("/nowhere/x.db", &s, &err), CWM_IO);
}

static void cell__of_no_name_is_told(void **state)
{
    (void)state;
    assert_string_equal(matrix_cell_text(MATRIX_NO_ENTRY), "no_entry");
    assert_string_equal(matrix_cell_text(MATRIX_N_CELLS),
                        "cell without a name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store__has_after_a_restart_what_was_put),
        cmocka_unit_test(store__is_not_made_of_another_file),
        cmocka_unit_test(cell__of_no_name_is_told),
    };
    int failed;

    snprintf(path, sizeof path, "/tmp/test_matrix_store.%ld", (long)getpid());
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    forget();
    return failed;
}
