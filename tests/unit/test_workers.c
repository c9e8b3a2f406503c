/* SPDX-License-Identifier: MIT */
/* test_workers.c -- which worker is chosen; the workers are shell scripts. */
#include "tracer/workers.h"

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

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"

static char folder[] = "/tmp/test_workers.XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put_script(const char *name, const char *text)
{
    assert_int_equal(io_replace_file(in_folder(name), text, strlen(text), NULL),
                     CWM_OK);
    assert_int_equal(chmod(in_folder(name), 0700), 0);
}

static struct tracer_options options_for(const char *python)
{
    return (struct tracer_options){.python = python, .worker_dir = folder};
}

static void assert_found(const char *python, const char *version)
{
    struct tracer_options options = options_for(python);
    struct worker_program w;
    struct cwm_err err = {.message = ""};

    if (worker_program_find(&options, &w, &err) != CWM_OK) {
        fail_msg("%s: %s", python, err.message);
    }
    assert_string_equal(w.about.version, version);
    assert_string_equal(w.read_paths[0], "/usr");
    assert_null(w.read_paths[1]);
    worker_program_release(&w);
}

static void assert_not_found(const char *python, enum cwm_rc rc,
                             const char *message)
{
    struct tracer_options options = options_for(python);
    struct worker_program w;
    struct cwm_err err = {.message = ""};

    assert_int_equal(worker_program_find(&options, &w, &err), rc);
    if (!strstr(err.message, message)) {
        fail_msg("%s: '%s' is not in '%s'", python, message, err.message);
    }
}

static void workers__are_chosen_by_version(void **state)
{
    (void)state;
    assert_found("7.1", "7.1.5");
    assert_found("7.1.5", "7.1.5");
    assert_found("7.10", "7.10.0");
    assert_not_found("7.1.4", CWM_MISSING, "7.1.5 (/usr), 7.10.0 (/usr/lib)");
    assert_not_found("7.2", CWM_MISSING, "no worker was built for '7.2'");
}

static void workers__are_chosen_by_interpreter(void **state)
{
    (void)state;
    assert_found(in_folder("good-python"), "7.1.5");
    assert_not_found(in_folder("other-python"), CWM_MISSING,
                     "(Python 7.1 of /usr/share)");
    assert_not_found(in_folder("no-python"), CWM_USAGE,
                     "it does not answer as a Python does");
    assert_not_found(in_folder("none"), CWM_USAGE, "No such file");
    assert_not_found("no-such-command-anywhere", CWM_USAGE, "No such file");
}

/* The newest, where the system's own version has no worker. */
static void workers__have_a_default(void **state)
{
    (void)state;
    assert_found(NULL, "7.10.0");
}

static void workers__are_all_listed_in_order(void **state)
{
    struct tracer_worker *list = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(tracer_workers(folder, &list, &n, NULL), CWM_OK);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].version, "7.1.5");
    assert_string_equal(list[1].prefix, "/usr/lib");
    cwm_free(list);
}

static void workers__an_answer_that_is_none_is_told(void **state)
{
    struct tracer_worker *list = NULL;
    size_t n = 0;

    (void)state;
    put_script("cwm-worker-7.20", "#!/bin/sh\necho gibberish\n");
    assert_not_found("7.20", CWM_FORMAT, "cannot understand");
    put_script("cwm-worker-7.20", "#!/bin/sh\necho no library >&2\nexit 4\n");
    assert_not_found("7.20", CWM_SYSTEM, "failed with status 4: no library");
    put_script("cwm-worker-7.20", "#!/bin/sh\nkill -SEGV $$\n");
    assert_not_found("7.20", CWM_SYSTEM, "was ended by signal 11");
    /* and it is no reason to say nothing of the others */
    assert_int_equal(tracer_workers(folder, &list, &n, NULL), CWM_OK);
    assert_int_equal(n, 2);
    cwm_free(list);
    unlink(in_folder("cwm-worker-7.20"));
}

static const char *const scripts[] = {"cwm-worker-7.1",     "cwm-worker-7.10",
                                      "cwm-worker-7.1.bak", "good-python",
                                      "other-python",       "no-python"};

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    put_script(scripts[0],
               "#!/bin/sh\n"
               "echo a warning >&2\n"
               "echo '{\"version\": \"7.1.5\", \"prefix\": \"/usr\", "
               "\"read_paths\": [\"/usr\"]}'\n");
    put_script(scripts[1],
               "#!/bin/sh\n"
               "echo '{\"version\": \"7.10.0\", \"prefix\": \"/usr/lib\", "
               "\"read_paths\": [\"/usr\"]}'\n");
    put_script(scripts[2], "#!/bin/sh\nexit 1\n");
    put_script(scripts[3], "#!/bin/sh\necho cwm 7 1 5; echo /usr; echo $0\n");
    put_script(scripts[4], "#!/bin/sh\necho cwm 7 1 5; echo /usr/share; "
                           "echo $0\n");
    put_script(scripts[5], "#!/bin/sh\necho hello\n");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        unlink(in_folder(scripts[i]));
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers__are_chosen_by_version),
        cmocka_unit_test(workers__are_chosen_by_interpreter),
        cmocka_unit_test(workers__have_a_default),
        cmocka_unit_test(workers__are_all_listed_in_order),
        cmocka_unit_test(workers__an_answer_that_is_none_is_told),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
