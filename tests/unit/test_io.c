/* SPDX-License-Identifier: MIT */
/* test_io.c -- whole files or nothing, and errors that name the file. */
#include "cwm/base/io.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_io.XXXXXX";
static char path[64];

static unsigned n_files(void)
{
    DIR *d = opendir(folder);
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d)) {
        n++;
    }
    closedir(d);
    return n - 2; /* . and .. */
}

static void io__a_file_is_replaced_as_a_whole(void **state)
{
    struct cwm_buf b;
    struct stat st;

    (void)state;
    assert_int_equal(io_replace_file(path, "old", 3, NULL), CWM_OK);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(io_replace_file(path, "newer", 5, NULL), CWM_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    cwm_buf_init(&b, 5);
    assert_int_equal(io_read_file(path, &b, NULL), CWM_OK);
    assert_string_equal(b.data, "newer");
    cwm_buf_release(&b);
    assert_int_equal(n_files(), 1);
}

static void io__the_limit_is_exact(void **state)
{
    struct cwm_err err = {.message = ""};
    struct cwm_buf b;

    (void)state;
    assert_int_equal(io_replace_file(path, "12345", 5, NULL), CWM_OK);
    cwm_buf_init(&b, 4);
    assert_int_equal(io_read_file(path, &b, &err), CWM_LIMIT);
    assert_non_null(strstr(err.message, "it is larger than 4 bytes"));
    assert_non_null(strstr(err.message, path));
    cwm_buf_release(&b);
}

static void io__what_cannot_be_done_is_told(void **state)
{
    struct cwm_err err = {.message = ""};
    struct cwm_buf b;
    char none[80];

    (void)state;
    cwm_buf_init(&b, 4);
    assert_int_equal(io_read_file(folder, &b, &err), CWM_IO);
    assert_non_null(strstr(err.message, "it is a directory"));
    snprintf(none, sizeof none, "%s/none/x", folder);
    assert_int_equal(io_read_file(none, &b, &err), CWM_IO);
    assert_non_null(strstr(err.message, "No such file or directory"));
    assert_int_equal(io_replace_file(none, "x", 1, &err), CWM_IO);
    assert_non_null(strstr(err.message, "No such file or directory"));
    assert_int_equal(io_replace_file("/dev/full", "x", 1, &err), CWM_IO);
    assert_string_equal(err.message, "could not write '/dev/full': No space "
                                     "left on device");
    assert_int_equal(io_replace_file(folder, "x", 1, &err), CWM_IO);
    cwm_buf_release(&b);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(io__a_file_is_replaced_as_a_whole),
        cmocka_unit_test(io__the_limit_is_exact),
        cmocka_unit_test(io__what_cannot_be_done_is_told),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
