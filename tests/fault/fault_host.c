/* SPDX-License-Identifier: MIT */
/* fault_host.c -- what the host reads and sends while memory is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/io.h"
#include "sandbox/protocol.h"
#include "tests/fault/fault.h"
#include "tracer/job_read.h"
#include "tracer/request.h"
#include "tracer/workers.h"

static char folder[] = "/tmp/cwm-fault-XXXXXX";

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

static enum cwm_rc find_worker(void *ctx, struct cwm_err *err)
{
    struct tracer_options options = {.python = ctx, .worker_dir = folder};
    struct worker_program w = {.python = NULL};
    enum cwm_rc rc = worker_program_find(&options, &w, err);

    if (rc == CWM_OK) {
        assert_string_equal(w.about.version, "7.1.5");
        worker_program_release(&w);
    }
    return rc;
}

static enum cwm_rc list_workers(void *ctx, struct cwm_err *err)
{
    struct tracer_worker *list = NULL; /* owned */
    size_t n = 0;
    enum cwm_rc rc = tracer_workers(folder, &list, &n, err);

    (void)ctx;
    assert_true(rc != CWM_OK || n == 1);
    cwm_free(list);
    return rc;
}

static void workers__say_so_when_memory_is_short(void **state)
{
    char version[] = "7.1";
    char python[128];

    (void)state;
    snprintf(python, sizeof python, "%s", in_folder("python"));
    fault_each_allocation("a worker by version", find_worker, version);
    fault_each_allocation("a worker by interpreter", find_worker, python);
    fault_each_allocation("all workers", list_workers, NULL);
}

static enum cwm_rc read_job(void *ctx, struct cwm_err *err)
{
    const char *text = ctx;
    struct job_line *line = NULL; /* owned */
    struct trace_job defaults = {.seed = 1};
    enum cwm_rc rc =
        job_line_new(text, strlen(text), &defaults, in_folder(""), &line, err);

    job_line_free(line);
    return rc;
}

static void job_read__says_so_when_memory_is_short(void **state)
{
    char text[] = "{\"id\": 7, \"source\": \"x = 1\", \"stdin\": \"a\"}";
    char path[] = "{\"id\": \"b\", \"path\": \"python\", \"args\": \"1\"}";

    (void)state;
    fault_each_allocation("a job with its text", read_job, text);
    fault_each_allocation("a job with a path", read_job, path);
}

static enum cwm_rc write_request(void *ctx, struct cwm_err *err)
{
    const struct trace_request *request = ctx;
    struct cwm_buf out;
    enum cwm_rc rc;

    cwm_buf_init(&out, 1u << 20);
    rc = trace_request_write(request, &out, err);
    cwm_buf_release(&out);
    return rc;
}

static void request__says_so_when_memory_is_short(void **state)
{
    static char source[100000];
    struct trace_request request = {
        .source = memset(source, 'x', sizeof source),
        .source_len = sizeof source,
        .compiled = source,
        .compiled_len = sizeof source,
    };

    (void)state;
    fault_each_allocation("a request", write_request, &request);
}

static enum cwm_rc send_policy(void *ctx, struct cwm_err *err)
{
    static const char *const read_paths[] = {"/usr", "/lib", NULL};
    struct sandbox_policy policy = {.read_paths = read_paths,
                                    .shared_bytes = 4096};
    struct protocol_policy back = {.read_paths = NULL};
    int fd = memfd_create("policy", MFD_CLOEXEC);
    enum cwm_rc rc = protocol_policy_write(fd, &policy, err);

    (void)ctx;
    if (rc == CWM_OK) {
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        rc = protocol_policy_read(fd, &back, err);
    }
    if (rc == CWM_OK) {
        assert_string_equal(back.read_paths[1], "/lib");
        protocol_policy_release(&back);
    }
    close(fd);
    return rc;
}

static void protocol__says_so_when_memory_is_short(void **state)
{
    (void)state;
    fault_each_allocation("a policy", send_policy, NULL);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) {
        return -1;
    }
    put_script("cwm-worker-7.1",
               "#!/bin/sh\n"
               "echo '{\"version\": \"7.1.5\", \"prefix\": \"/usr\", "
               "\"read_paths\": [\"/usr\", \"/lib\"]}'\n");
    put_script("python", "#!/bin/sh\necho cwm 7 1 5; echo /usr; echo $0\n");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(in_folder("cwm-worker-7.1"));
    unlink(in_folder("python"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers__say_so_when_memory_is_short),
        cmocka_unit_test(job_read__says_so_when_memory_is_short),
        cmocka_unit_test(request__says_so_when_memory_is_short),
        cmocka_unit_test(protocol__says_so_when_memory_is_short),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
