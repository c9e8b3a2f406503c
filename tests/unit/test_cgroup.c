/* SPDX-License-Identifier: MIT */
/*
 * test_cgroup.c -- which files are written where, for both versions, in a
 * folder that looks like a machine's.  A machine has one version at most; what
 * the kernel makes of it the jail tests see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/cgroup.h"

#define PATH_BYTES 2048

/* The machine: proc/ and fs/ in a folder of its own. */
struct machine {
    char dir[64];
};

static const char *path_of(const struct machine *m, const char *name)
{
    static char path[PATH_BYTES];

    snprintf(path, sizeof(path), "%s/%s", m->dir, name);
    return path;
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void read_text(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    assert_true(fd >= 0);
    n = read(fd, text, room - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    close(fd);
}

static void assert_file(const char *dir, const char *name, const char *wanted)
{
    char path[PATH_BYTES];
    char text[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    read_text(path, text, sizeof(text));
    assert_string_equal(text, wanted);
}

/* The files that the kernel puts into a new cgroup. */
static void fill(const char *dir, const char *const *names)
{
    for (; *names; names++) {
        char path[PATH_BYTES];

        snprintf(path, sizeof(path), "%s/%s", dir, *names);
        write_text(path, "");
    }
}

static void empty(const char *dir, const char *const *names)
{
    for (; *names; names++) {
        char path[PATH_BYTES];

        snprintf(path, sizeof(path), "%s/%s", dir, *names);
        assert_int_equal(unlink(path), 0);
    }
}

static const char *const v2_files[] = {"cgroup.procs",
                                       "memory.max",
                                       "memory.current",
                                       "memory.swap.max",
                                       "memory.events",
                                       "pids.max",
                                       NULL};
static const char *const v1_memory_files[] = {"cgroup.procs",
                                              "memory.limit_in_bytes",
                                              "memory.memsw.limit_in_bytes",
                                              "memory.usage_in_bytes",
                                              "memory.oom_control",
                                              NULL};
static const char *const v1_pids_files[] = {"cgroup.procs", "pids.max", NULL};

static int make_machine(void **state)
{
    static struct machine m;
    static const char *const folders[] = {"proc", "fs", "fs/slice",
                                          "fs/slice/own"};

    snprintf(m.dir, sizeof(m.dir), "/tmp/cwm-cgroup-test-XXXXXX");
    if (!mkdtemp(m.dir)) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (mkdir(path_of(&m, folders[i]), 0755) < 0) {
            return -1;
        }
    }
    *state = &m;
    return 0;
}

static int remove_machine(void **state)
{
    const struct machine *m = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", m->dir);
    return system(command);
}

/* A machine of version 2 with us in /slice/own. */
static void be_v2(const struct machine *m, const char *own, const char *parent)
{
    char text[PATH_BYTES];

    snprintf(text, sizeof(text),
             "short\nproc /proc proc rw 0 0\n"
             "cgroup2 %s/fs cgroup2 rw,nosuid 0 0\n",
             m->dir);
    write_text(path_of(m, "proc/mounts"), text);
    write_text(path_of(m, "proc/cgroup"), "nonsense\n0::/slice/own\n");
    write_text(path_of(m, "fs/slice/own/cgroup.subtree_control"), own);
    write_text(path_of(m, "fs/slice/cgroup.subtree_control"), parent);
}

/* One of version 1, as where both controllers have a mount of their own. */
static void be_v1(const struct machine *m)
{
    char text[PATH_BYTES];

    assert_int_equal(mkdir(path_of(m, "fs/memory"), 0755), 0);
    snprintf(text, sizeof(text),
             "cgroup %s/fs/memory cgroup rw,memory 0 0\n"
             "cgroup %s/fs/pids cgroup rw,nosuid,pids 0 0\n",
             m->dir, m->dir);
    write_text(path_of(m, "proc/mounts"), text);
    write_text(path_of(m, "proc/cgroup"),
               "9:cpu,cpuacct:/x\n8:pids:/\n4:memory:/\n");
}

static void must_open(const struct machine *m, struct cgroup *c)
{
    struct cwm_err err;

    if (cgroup_open_from(c, path_of(m, "proc"), &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
}

static bool is_below(const char *dir, const struct machine *m, const char *name)
{
    char wanted[PATH_BYTES];

    snprintf(wanted, sizeof(wanted), "%s/%s/cwm-%ld-", m->dir, name,
             (long)getpid());
    return strncmp(dir, wanted, strlen(wanted)) == 0;
}

static void v2__is_made_below_our_own(void **state)
{
    const struct machine *m = *state;
    struct cgroup c;
    struct cwm_err err;
    char text[PATH_BYTES];

    be_v2(m, "cpu memory pids\n", "");
    must_open(m, &c);
    assert_int_equal(c.version, 2);
    assert_true(is_below(c.memory_dir, m, "fs/slice/own"));
    assert_string_equal(c.memory_dir, c.pids_dir);
    fill(c.memory_dir, v2_files);
    assert_int_equal(cgroup_limit(&c, 1u << 30, 70, &err), CWM_OK);
    assert_file(c.memory_dir, "memory.max", "1073741824");
    assert_file(c.memory_dir, "memory.swap.max", "0");
    assert_file(c.memory_dir, "pids.max", "70");
    assert_int_equal(cgroup_add(&c, 4711, &err), CWM_OK);
    assert_file(c.memory_dir, "cgroup.procs", "4711");

    snprintf(text, sizeof(text), "%s/memory.current", c.memory_dir);
    write_text(text, "8192\n");
    snprintf(text, sizeof(text), "%s/memory.events", c.memory_dir);
    write_text(text, "low 0\noom 5\noom_kill 3\noom_group_kill 9\n");
    assert_int_equal(cgroup_memory_used(&c), 8192);
    assert_int_equal(cgroup_oom_kills(&c), 3);

    empty(c.memory_dir, v2_files);
    snprintf(text, sizeof(text), "%s", c.memory_dir);
    cgroup_close(&c);
    assert_int_equal(c.version, 0);
    assert_int_not_equal(access(text, F_OK), 0);
}

static void limit__writes_only_what_changes(void **state)
{
    const struct machine *m = *state;
    struct cgroup c;
    struct cwm_err err;

    be_v2(m, "memory pids", "");
    must_open(m, &c);
    fill(c.memory_dir, v2_files);
    assert_int_equal(cgroup_limit(&c, 1000, 7, &err), CWM_OK);
    fill(c.memory_dir, v2_files);
    assert_int_equal(cgroup_limit(&c, 1000, 7, &err), CWM_OK);
    assert_file(c.memory_dir, "memory.max", "");
    assert_file(c.memory_dir, "pids.max", "");
    assert_int_equal(cgroup_limit(&c, 2000, 7, &err), CWM_OK);
    assert_file(c.memory_dir, "memory.max", "2000");
    assert_file(c.memory_dir, "pids.max", "");
    empty(c.memory_dir, v2_files);
    cgroup_close(&c);
}

static void v2__is_made_beside_our_own_where_that_hands_nothing_out(
    void **state)
{
    const struct machine *m = *state;
    struct cgroup c;

    be_v2(m, "", "memory pids");
    must_open(m, &c);
    assert_true(is_below(c.memory_dir, m, "fs/slice"));
    /* It was asked first. */
    assert_file(m->dir, "fs/slice/own/cgroup.subtree_control", "+memory +pids");
    cgroup_close(&c);
}

static void v2__without_swap_accounting_is_limited_all_the_same(void **state)
{
    static const char *const files[] = {"memory.max", "pids.max", NULL};
    const struct machine *m = *state;
    struct cgroup c;
    struct cwm_err err;

    be_v2(m, "pids memory", "");
    must_open(m, &c);
    fill(c.memory_dir, files);
    assert_int_equal(cgroup_limit(&c, 5, 6, &err), CWM_OK);
    empty(c.memory_dir, files);
    cgroup_close(&c);
}

static void v1__has_a_folder_for_each_controller(void **state)
{
    const struct machine *m = *state;
    struct cgroup c;
    struct cwm_err err;
    char text[PATH_BYTES];

    be_v1(m);
    assert_int_equal(mkdir(path_of(m, "fs/pids"), 0755), 0);
    must_open(m, &c);
    assert_int_equal(c.version, 1);
    assert_true(is_below(c.memory_dir, m, "fs/memory"));
    assert_true(is_below(c.pids_dir, m, "fs/pids"));
    fill(c.memory_dir, v1_memory_files);
    fill(c.pids_dir, v1_pids_files);
    snprintf(text, sizeof(text), "%s/memory.memsw.limit_in_bytes",
             c.memory_dir);
    write_text(text, "9"); /* what is there says that swap is counted */
    assert_int_equal(cgroup_limit(&c, 3000, 8, &err), CWM_OK);
    assert_file(c.memory_dir, "memory.limit_in_bytes", "3000");
    assert_file(c.memory_dir, "memory.memsw.limit_in_bytes", "3000");
    assert_file(c.pids_dir, "pids.max", "8");
    assert_int_equal(cgroup_limit(&c, 4000, 8, &err), CWM_OK);
    assert_file(c.memory_dir, "memory.memsw.limit_in_bytes", "4000");
    assert_int_equal(cgroup_add(&c, 12, &err), CWM_OK);
    assert_file(c.memory_dir, "cgroup.procs", "12");
    assert_file(c.pids_dir, "cgroup.procs", "12");
    snprintf(text, sizeof(text), "%s/memory.usage_in_bytes", c.memory_dir);
    write_text(text, "77\n");
    snprintf(text, sizeof(text), "%s/memory.oom_control", c.memory_dir);
    write_text(text, "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
    assert_int_equal(cgroup_memory_used(&c), 77);
    assert_int_equal(cgroup_oom_kills(&c), 2);
    empty(c.memory_dir, v1_memory_files);
    empty(c.pids_dir, v1_pids_files);
    cgroup_close(&c);
}

static void v1__leaves_nothing_when_half_of_it_cannot_be_made(void **state)
{
    const struct machine *m = *state;
    struct cgroup c;
    struct cwm_err err;
    char left[PATH_BYTES];

    be_v1(m);
    write_text(path_of(m, "fs/pids"), "no folder");
    assert_int_equal(cgroup_open_from(&c, path_of(m, "proc"), &err),
                     CWM_SYSTEM);
    assert_int_equal(c.version, 0);
    snprintf(left, sizeof(left), "%s", path_of(m, "fs/memory"));
    assert_int_equal(rmdir(left), 0); /* it is empty */
}

static void open__says_that_there_is_none(void **state)
{
    const struct machine *m = *state;
    struct cgroup c;
    struct cwm_err err;

    assert_int_equal(cgroup_open_from(&c, path_of(m, "proc"), &err),
                     CWM_SYSTEM);
    write_text(path_of(m, "proc/mounts"), "proc /proc proc rw 0 0\n");
    write_text(path_of(m, "proc/cgroup"), "0::/\n");
    assert_int_equal(cgroup_open_from(&c, path_of(m, "proc"), &err),
                     CWM_SYSTEM);
    assert_non_null(strstr(err.message, "no cgroup with memory and pids"));
    /* All else is nothing done, and no failure. */
    assert_int_equal(cgroup_add(&c, 1, &err), CWM_OK);
    assert_int_equal(cgroup_limit(&c, 1, 1, &err), CWM_OK);
    assert_int_equal(cgroup_memory_used(&c), 0);
    assert_int_equal(cgroup_oom_kills(&c), 0);
    cgroup_close(&c);
    /* Neither our own nor the one above hands controllers out. */
    be_v2(m, "cpu", "cpu io");
    assert_int_equal(cgroup_open_from(&c, path_of(m, "proc"), &err),
                     CWM_SYSTEM);
}

static void open__fails_for_a_path_that_is_too_long(void **state)
{
    const struct machine *m = *state;
    char proc[PATH_BYTES];
    struct cgroup c;

    memset(proc, 'x', sizeof(proc) - 1);
    proc[sizeof(proc) - 1] = '\0';
    assert_int_equal(cgroup_open_from(&c, proc, NULL), CWM_SYSTEM);
    (void)m;
}

static void failures__name_what_could_not_be_written(void **state)
{
    const struct machine *m = *state;
    struct cgroup c;
    struct cwm_err err;

    be_v2(m, "memory pids", "");
    must_open(m, &c);
    assert_int_equal(cgroup_limit(&c, 1, 1, &err), CWM_SYSTEM);
    assert_non_null(strstr(err.message, "could not set a cgroup's limit"));
    assert_int_equal(cgroup_add(&c, 1, &err), CWM_SYSTEM);
    assert_non_null(strstr(err.message, "could not put the worker"));
    cgroup_close(&c);
}

static void open__removes_what_dead_processes_left(void **state)
{
    const struct machine *m = *state;
    char dead[PATH_BYTES];
    char alive[PATH_BYTES];
    struct cgroup c;
    pid_t pid = fork();

    if (pid == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    be_v2(m, "memory pids", "");
    snprintf(dead, sizeof(dead), "%s/fs/slice/own/cwm-%ld-3", m->dir,
             (long)pid);
    snprintf(alive, sizeof(alive), "%s/fs/slice/own/cwm-%ld-999999", m->dir,
             (long)getppid());
    assert_int_equal(mkdir(dead, 0755), 0);
    assert_int_equal(mkdir(alive, 0755), 0);
    must_open(m, &c);
    assert_int_not_equal(access(dead, F_OK), 0);
    assert_int_equal(access(alive, F_OK), 0);
    cgroup_close(&c);
}

int main(void)
{
#define MACHINE_TEST(f)                                                        \
    cmocka_unit_test_setup_teardown(f, make_machine, remove_machine)
    const struct CMUnitTest tests[] = {
        MACHINE_TEST(v2__is_made_below_our_own),
        MACHINE_TEST(limit__writes_only_what_changes),
        MACHINE_TEST(v2__is_made_beside_our_own_where_that_hands_nothing_out),
        MACHINE_TEST(v2__without_swap_accounting_is_limited_all_the_same),
        MACHINE_TEST(v1__has_a_folder_for_each_controller),
        MACHINE_TEST(v1__leaves_nothing_when_half_of_it_cannot_be_made),
        MACHINE_TEST(open__says_that_there_is_none),
        MACHINE_TEST(open__fails_for_a_path_that_is_too_long),
        MACHINE_TEST(failures__name_what_could_not_be_written),
        MACHINE_TEST(open__removes_what_dead_processes_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
