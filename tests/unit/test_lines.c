/* SPDX-License-Identifier: MIT */
/* test_lines.c -- lines of any length, plain and compressed, cut, cancelled. */
#include "cwm/base/lines.h"

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
#include <zstd.h>

#include <cmocka.h>

static char path[] = "/tmp/test_lines.XXXXXX";

static void put(const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}

static struct lines *start(size_t max_line_bytes)
{
    struct lines *l = NULL;
    struct cwm_err err;

    assert_int_equal(lines_open(path, max_line_bytes, NULL, &l, &err), CWM_OK);
    return l;
}

static struct line next(struct lines *l)
{
    struct line line = {0};
    bool more = false;

    assert_int_equal(lines_next(l, &line, &more, NULL), CWM_OK);
    assert_true(more);
    return line;
}

static void assert_end(struct lines *l)
{
    struct line line;
    bool more = true;

    assert_int_equal(lines_next(l, &line, &more, NULL), CWM_OK);
    assert_false(more);
}

static void lines__come_one_by_one(void **state)
{
    static const char text[] = "one\n\nthree\nlast";
    struct lines *l;
    struct line line;

    (void)state;
    put(text, sizeof text - 1);
    l = start(100);
    line = next(l);
    assert_string_equal(line.text, "one");
    assert_true(line.whole);
    assert_int_equal(line.end, 4);
    line = next(l);
    assert_int_equal(line.len, 0);
    assert_int_equal(line.number, 2);
    assert_string_equal(next(l).text, "three");
    line = next(l);
    assert_string_equal(line.text, "last");
    assert_false(line.whole);
    assert_int_equal(line.end, sizeof text - 1);
    assert_end(l);
    assert_end(l);
    lines_close(l);
    put("", 0);
    l = start(100);
    assert_end(l);
    lines_close(l);
}

/* A line of 5 MB between two short ones, 1,000 bytes of it wanted. */
static void lines__a_long_one_is_cut_and_passed(void **state)
{
    size_t size = 5000000;
    char *text = malloc(size);
    struct lines *l;
    struct line line;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, "a\n", 2);
    memcpy(text + size - 3, "\nb\n", 3);
    put(text, size);
    l = start(1000);
    assert_false(next(l).cut);
    line = next(l);
    assert_true(line.cut);
    assert_int_equal(line.len, 1000);
    assert_int_equal(line.end, size - 2);
    line = next(l);
    assert_string_equal(line.text, "b");
    assert_int_equal(line.number, 3);
    assert_end(l);
    lines_close(l);
    free(text);
}

/* Exactly the limit is no cut. */
static void lines__the_limit_is_exact(void **state)
{
    struct lines *l;

    (void)state;
    put("12345\n123456\n", 13);
    l = start(5);
    assert_false(next(l).cut);
    assert_true(next(l).cut);
    lines_close(l);
}

static void lines__zstd_is_unpacked(void **state)
{
    size_t size = 3000000;
    char *text = malloc(size);
    char *packed = malloc(ZSTD_compressBound(size));
    size_t packed_size;
    struct lines *l;
    struct line line;
    struct cwm_err err;
    bool more;

    (void)state;
    assert_non_null(text);
    assert_non_null(packed);
    for (size_t i = 0; i < size; i++) {
        text[i] = i % 10 == 9 ? '\n' : (char)('a' + i % 26);
    }
    packed_size =
        ZSTD_compress(packed, ZSTD_compressBound(size), text, size, 1);
    put(packed, packed_size);
    l = start(100);
    for (size_t i = 0; i < size / 10; i++) {
        line = next(l);
        assert_int_equal(line.len, 9);
        assert_memory_equal(line.text, text + 10 * i, 9);
    }
    assert_end(l);
    lines_close(l);

    put(packed, packed_size - 5);
    l = start(100);
    do {
        more = false;
    } while (lines_next(l, &line, &more, &err) == CWM_OK && more);
    assert_int_equal(err.code, CWM_FORMAT);
    assert_non_null(strstr(err.message, "it ends too early"));
    lines_close(l);
    free(text);
    free(packed);
}

/* Two members one behind the other; the first one packs very well, so that
 * much comes out after all of it went in. */
static void lines__gzip_is_unpacked(void **state)
{
    FILE *command;
    struct lines *l;
    struct line line;
    struct cwm_err err;
    bool more;
    struct stat st;

    (void)state;
    command = popen("f=/tmp/cwm-test-lines.gz; "
                    "{ yes aaaaaaaaa | head -n 300000 | gzip -9; "
                    "printf 'b\\n' | gzip; } >$f",
                    "r");
    assert_non_null(command);
    assert_int_equal(pclose(command), 0);
    assert_int_equal(lines_open("/tmp/cwm-test-lines.gz", 100, NULL, &l, NULL),
                     CWM_OK);
    for (size_t i = 0; i < 300000; i++) {
        line = next(l);
        assert_int_equal(line.len, 9);
    }
    assert_string_equal(next(l).text, "b");
    assert_end(l);
    lines_close(l);

    assert_int_equal(stat("/tmp/cwm-test-lines.gz", &st), 0);
    assert_int_equal(truncate("/tmp/cwm-test-lines.gz", st.st_size - 30), 0);
    assert_int_equal(lines_open("/tmp/cwm-test-lines.gz", 100, NULL, &l, NULL),
                     CWM_OK);
    do {
        more = false;
    } while (lines_next(l, &line, &more, &err) == CWM_OK && more);
    assert_int_equal(err.code, CWM_FORMAT);
    assert_non_null(strstr(err.message, "it ends too early"));
    lines_close(l);
    unlink("/tmp/cwm-test-lines.gz");
}

static void lines__what_cannot_be_opened_is_told(void **state)
{
    struct lines *l = NULL;
    struct cwm_err err;

    (void)state;
    assert_int_equal(lines_open("/tmp/none/here", 10, NULL, &l, &err), CWM_IO);
    assert_string_equal(err.message, "could not open '/tmp/none/here': No such "
                                     "file or directory");
    assert_int_equal(lines_open("/tmp", 10, NULL, &l, &err), CWM_IO);
    assert_string_equal(err.message,
                        "could not read '/tmp': it is a directory");
    assert_null(l);
}

/* Nobody ever writes to the pipe. */
static void lines__a_wait_can_be_cancelled(void **state)
{
    volatile int cancel = 1;
    struct lines *l = NULL;
    struct cwm_err err;
    char name[32];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    assert_int_equal(lines_open(name, 10, &cancel, &l, &err), CWM_CANCELLED);
    close(ends[0]);
    close(ends[1]);
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines__come_one_by_one),
        cmocka_unit_test(lines__a_long_one_is_cut_and_passed),
        cmocka_unit_test(lines__the_limit_is_exact),
        cmocka_unit_test(lines__zstd_is_unpacked),
        cmocka_unit_test(lines__gzip_is_unpacked),
        cmocka_unit_test(lines__what_cannot_be_opened_is_told),
        cmocka_unit_test(lines__a_wait_can_be_cancelled),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
