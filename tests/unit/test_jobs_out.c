/* SPDX-License-Identifier: MIT */
/* test_jobs_out.c -- whole lines, and going on only with what is the same. */
#include "tracer/jobs_out.h"

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

#include "cwm/base/buf.h"
#include "cwm/base/io.h"

static char folder[] = "/tmp/test_jobs_out.XXXXXX";
static char path[64];
static char note[80];

static const struct jobs_stamp stamp = {"0.1", "3.11.2", "seed 0", "abc"};

static void put(const char *text)
{
    assert_int_equal(io_replace_file(path, text, strlen(text), NULL), CWM_OK);
}

static void assert_content(const char *expected)
{
    struct cwm_buf b;

    cwm_buf_init(&b, 1 << 20);
    assert_int_equal(io_read_file(path, &b, NULL), CWM_OK);
    assert_string_equal(b.data ? b.data : "", expected);
    cwm_buf_release(&b);
}

static struct jobs_out *start(bool overwrite)
{
    struct jobs_out *out = NULL;
    struct cwm_err err = {.message = ""};

    if (jobs_out_open(path, overwrite, &stamp, &out, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return out;
}

/* The ids that are there, joined by commas. */
static void assert_ids(struct jobs_out *out, const char *expected)
{
    char ids[256] = "";
    const char *id = NULL;
    bool more = true;

    while (jobs_out_next_id(out, &id, &more, NULL) == CWM_OK && more) {
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s,", id);
    }
    assert_string_equal(ids, expected);
}

static void add(struct jobs_out *out, const char *line)
{
    assert_int_equal(jobs_out_add(out, line, strlen(line), NULL), CWM_OK);
}

static void jobs_out__goes_on_where_it_was_killed(void **state)
{
    struct jobs_out *out;

    (void)state;
    unlink(path);
    out = start(false);
    assert_ids(out, "");
    assert_int_equal(jobs_out_start(out, false, NULL), CWM_OK);
    add(out, "{\"id\": \"a\", \"x\": 1}\n");
    add(out, "{\"id\": \"b\\\"\\u00e9\", \"x\": 1}\n");
    add(out, "{\"id\": \"c\", \"x");
    jobs_out_close(out); /* as if killed in the middle of a write */
    assert_int_equal(access(note, F_OK), 0);

    out = start(false);
    assert_ids(out, "a,b\"\xC3\xA9,");
    assert_int_equal(jobs_out_start(out, false, NULL), CWM_OK);
    add(out, "{\"id\": \"c\", \"x\": 1}\n");
    assert_int_equal(jobs_out_complete(out, NULL), CWM_OK);
    jobs_out_close(out);
    assert_int_not_equal(access(note, F_OK), 0);
    assert_content("{\"id\": \"a\", \"x\": 1}\n"
                   "{\"id\": \"b\\\"\\u00e9\", \"x\": 1}\n"
                   "{\"id\": \"c\", \"x\": 1}\n");
}

static void jobs_out__refuses_what_other_options_made(void **state)
{
    struct jobs_stamp other = stamp;
    struct jobs_out *out;
    struct cwm_err err = {.message = ""};

    (void)state;
    unlink(path);
    out = start(false);
    add(out, "{\"id\": \"a\"}\n");
    jobs_out_close(out);
    other.options = "seed 1";
    assert_int_equal(jobs_out_open(path, false, &other, &out, &err), CWM_USAGE);
    assert_non_null(strstr(err.message, "it was begun with 'options seed 0', "
                                        "this is 'options seed 1'"));
    assert_content("{\"id\": \"a\"}\n");
    assert_int_equal(jobs_out_open(path, true, &other, &out, &err), CWM_OK);
    assert_content("");
    assert_int_equal(jobs_out_complete(out, NULL), CWM_OK);
    jobs_out_close(out);
}

static void jobs_out__a_foreign_file_stays_as_it_is(void **state)
{
    struct jobs_out *out;
    struct cwm_err err = {.message = ""};
    const char *id = NULL;
    bool more = false;

    (void)state;
    unlink(note);
    put("my precious notes\n");
    out = start(false);
    assert_int_equal(jobs_out_next_id(out, &id, &more, &err), CWM_USAGE);
    jobs_out_close(out);
    assert_content("my precious notes\n");

    put("{\"id\": \"a\"}\n");
    out = start(false);
    assert_ids(out, "a,");
    assert_true(jobs_out_must_be_complete(out));
    assert_int_equal(jobs_out_start(out, false, &err), CWM_USAGE);
    jobs_out_close(out);
    assert_content("{\"id\": \"a\"}\n");

    out = start(false);
    assert_ids(out, "a,");
    assert_int_equal(jobs_out_start(out, true, &err), CWM_OK);
    assert_int_equal(jobs_out_complete(out, &err), CWM_OK);
    jobs_out_close(out);
    assert_content("{\"id\": \"a\"}\n");
}

static void jobs_out__two_writers_are_kept_apart(void **state)
{
    struct jobs_out *second = NULL;
    struct jobs_out *first;
    struct cwm_err err = {.message = ""};

    (void)state;
    unlink(path);
    first = start(false);
    assert_int_equal(jobs_out_open(path, true, &stamp, &second, &err),
                     CWM_USAGE);
    assert_non_null(strstr(err.message, "another cwm is writing it"));
    jobs_out_close(first);
}

static void jobs_out__a_full_device_is_told(void **state)
{
    struct jobs_out *out = NULL;
    struct cwm_err err = {.message = ""};

    (void)state;
    assert_int_equal(jobs_out_open("/dev/full", false, &stamp, &out, &err),
                     CWM_OK);
    assert_int_equal(jobs_out_add(out, "{}\n", 3, &err), CWM_IO);
    assert_string_equal(err.message, "could not write '/dev/full': No space "
                                     "left on device");
    jobs_out_close(out);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/out.jsonl", folder);
    snprintf(note, sizeof note, "%s.resume", path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(note);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_out__goes_on_where_it_was_killed),
        cmocka_unit_test(jobs_out__refuses_what_other_options_made),
        cmocka_unit_test(jobs_out__a_foreign_file_stays_as_it_is),
        cmocka_unit_test(jobs_out__two_writers_are_kept_apart),
        cmocka_unit_test(jobs_out__a_full_device_is_told),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
