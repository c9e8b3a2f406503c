/* SPDX-License-Identifier: MIT */
/*
 * jail_host.c -- the host's side of the jail: refusals, cancelling, workers
 * and hosts that die, memory judged by the cgroup, a chroot.
 *
 * Runs as this user and, when that is root, once more as nobody.
 * usage: jail_host WORKER
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attacks.h"
#include "cwm/base/alloc.h"
#include "sandbox/sandbox.h"

#define NOBODY 65534

static const char *const read_paths[] = {"/usr", "/lib", "/lib64", "/bin",
                                         NULL};

static const struct sandbox_limits limits = {
    .cpu_ms = 20000,
    .wall_ms = 30000,
    .memory_bytes = 512ull << 20,
    .disk_bytes = 1 << 20,
    .disk_files = 200,
    .output_bytes = 16u << 20,
    .tasks = ATTACK_TASKS,
    .open_files = ATTACK_OPEN_FILES,
};

static const struct sandbox_limits short_limits = {
    .cpu_ms = 20000,
    .wall_ms = 300,
    .memory_bytes = 512ull << 20,
    .disk_bytes = 1 << 20,
    .disk_files = 200,
    .output_bytes = 16u << 20,
    .tasks = ATTACK_TASKS,
    .open_files = ATTACK_OPEN_FILES,
};

/* The test's own state: set once in main(). */
static struct {
    char worker[64];
    char marker[64];
} test;

static void sleep_ms(long ms)
{
    const struct timespec pause = {ms / 1000, (ms % 1000) * 1000000};

    nanosleep(&pause, NULL);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Processes with our marker; the first one's pid when wanted, or a signal for
 * all of them. */
static int find_and_signal(pid_t *ret_pid, int sig)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int n_found = 0;

    while (proc && (entry = readdir(proc))) {
        char path[300];
        char line[4096];
        ssize_t n = -1;
        int fd;

        snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        fd = isdigit((unsigned char)entry->d_name[0])
                 ? open(path, O_RDONLY | O_CLOEXEC)
                 : -1;
        if (fd >= 0) {
            n = read(fd, line, sizeof(line));
            close(fd);
        }
        if (n > 0 &&
            memmem(line, (size_t)n, test.marker, strlen(test.marker))) {
            if (ret_pid && n_found == 0) {
                *ret_pid = (pid_t)atol(entry->d_name);
            }
            if (sig != 0 && atol(entry->d_name) != getpid()) {
                kill((pid_t)atol(entry->d_name), sig);
            }
            n_found++;
        }
    }
    if (proc) {
        closedir(proc);
    }
    return n_found;
}

static int find_workers(pid_t *ret_pid)
{
    return find_and_signal(ret_pid, 0);
}

static void stop_workers(void)
{
    (void)find_and_signal(NULL, SIGSTOP);
}

static enum cwm_rc open_sandbox(uint32_t allow_missing,
                                struct sandbox **ret_sandbox,
                                struct cwm_err *err)
{
    const char *const args[] = {test.marker, NULL};
    const struct sandbox_policy policy = {.worker_path = test.worker,
                                          .read_paths = read_paths,
                                          .shared_bytes = 4096,
                                          .allow_missing = allow_missing,
                                          .worker_args = args};

    return sandbox_open(&policy, ret_sandbox, err);
}

static struct sandbox *must_open(void)
{
    struct sandbox *s = NULL;
    struct cwm_err err;

    if (open_sandbox(0, &s, &err) != CWM_OK) {
        fail_msg("%s", err.message);
    }
    return s;
}

static enum cwm_rc run(struct sandbox *s, const char *request,
                       const struct sandbox_limits *own,
                       const volatile int *cancel, struct sandbox_verdict *v,
                       struct cwm_err *err)
{
    struct cwm_buf out;
    struct cwm_buf err_out;
    enum cwm_rc rc;

    cwm_buf_init(&out, 32u << 20);
    cwm_buf_init(&err_out, 32u << 20);
    rc = sandbox_run(s, request, strlen(request), ATTACK_STDIN,
                     strlen(ATTACK_STDIN), own, cancel, v, &out, &err_out, err);
    cwm_buf_release(&out);
    cwm_buf_release(&err_out);
    return rc;
}

static void must_exit(struct sandbox *s, const char *request)
{
    struct sandbox_verdict v;
    struct cwm_err err;

    if (run(s, request, &limits, NULL, &v, &err) != CWM_OK) {
        fail_msg("%s: %s", request, err.message);
    }
    if (v.end != SANDBOX_END_EXITED || v.code != 0) {
        fail_msg("%s ended as %d, %d", request, (int)v.end, v.code);
    }
}

static void open__fails_when_there_is_no_worker(void **state)
{
    const struct sandbox_policy policy = {.worker_path = "/no/such/worker"};
    struct sandbox *s = NULL;
    struct cwm_err err;

    (void)state;
    assert_int_equal(sandbox_open(&policy, &s, &err), CWM_SYSTEM);
    assert_non_null(strstr(err.message, "/no/such/worker"));
    assert_null(s);
}

static void open__fails_when_the_worker_ends(void **state)
{
    const char *const args[] = {"-c", "echo 'out of luck' >&2; exit 1", NULL};
    const struct sandbox_policy policy = {.worker_path = "/bin/sh",
                                          .worker_args = args};
    struct sandbox *s = NULL;
    struct cwm_err err;

    (void)state;
    assert_int_equal(sandbox_open(&policy, &s, &err), CWM_SYSTEM);
    assert_non_null(strstr(err.message, "out of luck"));
}

static void open__fails_cleanly_without_memory(void **state)
{
    int n_failed = 0;

    (void)state;
    for (uint64_t nth = 1; nth < 60; nth++) {
        struct sandbox *s = NULL;
        struct cwm_err err;
        enum cwm_rc rc;

        (void)cwm_alloc_fail_nth(nth, 0);
        rc = open_sandbox(0, &s, &err);
        if (rc != CWM_OK) {
            assert_int_equal(rc, CWM_NOMEM);
            assert_null(s);
            n_failed++;
        }
        if (cwm_alloc_fail_nth(0, 0) < nth) {
            nth = 60;
        }
        sandbox_close(s);
    }
    assert_true(n_failed > 5);
    assert_int_equal(find_workers(NULL), 0);
}

static void run__takes_large_input_and_gives_large_output(void **state)
{
    const size_t len = 5u << 20;
    struct sandbox *s = must_open();
    char *text = cwm_malloc(len);
    struct sandbox_verdict v;
    struct cwm_buf out;
    struct cwm_buf err_out;
    struct sandbox_limits own = limits;
    struct cwm_err err;

    (void)state;
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)('a' + i % 26);
    }
    own.output_bytes = len;
    cwm_buf_init(&out, len);
    cwm_buf_init(&err_out, len);
    assert_int_equal(sandbox_run(s, "echo_stdin", 10, text, len, &own, NULL, &v,
                                 &out, &err_out, &err),
                     CWM_OK);
    assert_int_equal(v.end, SANDBOX_END_EXITED);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, text, len);
    /* One byte less is one too few. */
    own.output_bytes = len - 1;
    assert_int_equal(sandbox_run(s, "echo_stdin", 10, text, len, &own, NULL, &v,
                                 &out, &err_out, &err),
                     CWM_OK);
    assert_int_equal(v.end, SANDBOX_END_OUTPUT);
    assert_int_equal(out.len, len - 1);
    cwm_buf_release(&out);
    cwm_buf_release(&err_out);
    cwm_free(text);
    sandbox_close(s);
}

/* What the other thread does to a run, 150 ms after its start. */
struct meddler {
    pthread_t thread;
    volatile int cancel;
    bool kill_worker;
    bool stop_worker;
    char limit_file[600];
};

static void *meddle(void *arg)
{
    struct meddler *m = arg;
    pid_t pid = 0;

    sleep_ms(150);
    if (m->stop_worker) {
        stop_workers();
    } else if (m->kill_worker && find_workers(&pid) > 0) {
        kill(pid, SIGKILL);
    } else if (m->limit_file[0] != '\0') {
        int fd = open(m->limit_file, O_WRONLY | O_CLOEXEC);

        if (fd >= 0) {
            (void)!write(fd, "60000000", 8);
            close(fd);
        }
    } else {
        m->cancel = 1;
    }
    return NULL;
}

static void start_meddler(struct meddler *m)
{
    assert_int_equal(pthread_create(&m->thread, NULL, meddle, m), 0);
}

static void run__stops_when_it_is_cancelled(void **state)
{
    struct meddler m = {.cancel = 0};
    struct sandbox *s = must_open();
    uint64_t start_ms = now_ms();
    struct sandbox_verdict v;
    struct cwm_err err;

    (void)state;
    start_meddler(&m);
    assert_int_equal(run(s, "sleep_long", &limits, &m.cancel, &v, &err),
                     CWM_CANCELLED);
    assert_true(now_ms() - start_ms < 5000);
    pthread_join(m.thread, NULL);
    must_exit(s, "ordinary");
    sandbox_close(s);
}

static void run__starts_a_new_worker_for_one_that_was_killed(void **state)
{
    struct sandbox *s = must_open();
    pid_t pid = 0;

    (void)state;
    must_exit(s, "ordinary");
    assert_int_equal(find_workers(&pid), 2);
    assert_int_equal(kill(pid, SIGKILL), 0);
    must_exit(s, "ordinary");
    must_exit(s, "find_state");
    assert_int_equal(find_workers(NULL), 2);
    sandbox_close(s);
    assert_int_equal(find_workers(NULL), 0);
}

static void run__is_repeated_when_the_worker_is_killed_in_it(void **state)
{
    struct meddler m = {.kill_worker = true};
    struct sandbox_limits own = limits;
    struct sandbox *s = must_open();
    struct sandbox_verdict v;
    struct cwm_err err;

    (void)state;
    own.wall_ms = 700;
    start_meddler(&m);
    assert_int_equal(run(s, "sleep_long", &own, NULL, &v, &err), CWM_OK);
    assert_int_equal(v.end, SANDBOX_END_WALL_TIME);
    pthread_join(m.thread, NULL);
    must_exit(s, "ordinary");
    sandbox_close(s);
    assert_int_equal(find_workers(NULL), 0);
}

/* Not even pid 1 answers: the host's own clock decides. */
static void run__ends_for_time_when_the_worker_hangs(void **state)
{
    struct meddler m = {.stop_worker = true};
    struct sandbox *s = must_open();
    struct sandbox_verdict v;
    struct cwm_err err;

    (void)state;
    start_meddler(&m);
    assert_int_equal(run(s, "sleep_long", &short_limits, NULL, &v, &err),
                     CWM_OK);
    assert_int_equal(v.end, SANDBOX_END_WALL_TIME);
    pthread_join(m.thread, NULL);
    must_exit(s, "ordinary");
    sandbox_close(s);
    assert_int_equal(find_workers(NULL), 0);
}

/* Descriptors of this process that are open. */
static rlim_t count_descriptors(void)
{
    rlim_t n = 0;

    for (int fd = 0; fd < 1024; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

static void run__fails_cleanly_when_descriptors_run_out(void **state)
{
    struct sandbox *s = must_open();
    const rlim_t n_open = count_descriptors();
    const int first_free = dup(0);
    struct sandbox_verdict v;
    struct rlimit limit;
    struct cwm_err err;
    int n_failed = 0;

    (void)state;
    close(first_free);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (rlim_t more = 0; more < 12; more++) {
        const struct rlimit low = {(rlim_t)first_free + more, limit.rlim_max};

        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        if (run(s, "ordinary", &limits, NULL, &v, &err) != CWM_OK) {
            assert_int_equal(err.code, CWM_SYSTEM);
            n_failed++;
        }
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        must_exit(s, "ordinary");
        assert_int_equal(count_descriptors(), n_open);
    }
    assert_true(n_failed >= 4);
    sandbox_close(s);
}

static void run__fails_cleanly_without_memory(void **state)
{
    struct sandbox *s = must_open();
    struct sandbox_verdict v;
    struct cwm_err err;
    int n_failed = 0;

    (void)state;
    for (uint64_t nth = 1; nth < 6; nth++) {
        enum cwm_rc rc;

        (void)cwm_alloc_fail_nth(nth, 0);
        rc = run(s, "echo_stdin", &limits, NULL, &v, &err);
        (void)cwm_alloc_fail_nth(0, 0);
        if (rc != CWM_OK) {
            assert_int_equal(rc, CWM_NOMEM);
            n_failed++;
        }
        must_exit(s, "ordinary");
    }
    assert_true(n_failed >= 1);
    sandbox_close(s);
    assert_int_equal(find_workers(NULL), 0);
}

static void wait_for_no_workers(void)
{
    uint64_t start_ms = now_ms();

    while (find_workers(NULL) > 0) {
        if (now_ms() - start_ms > 5000) {
            fail_msg("%d processes outlive the host", find_workers(NULL));
        }
        sleep_ms(5);
    }
}

static void host__takes_its_jail_along_when_it_is_killed(void **state)
{
    static const long delays_ms[] = {1, 3, 6, 10, 15, 25, 60, 200};

    (void)state;
    for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            struct sandbox *s = NULL;
            struct sandbox_verdict v;

            if (open_sandbox(0, &s, NULL) == CWM_OK) {
                (void)run(s, "spin_threads", &limits, NULL, &v, NULL);
            }
            _exit(0);
        }
        sleep_ms(delays_ms[i]);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        wait_for_no_workers();
    }
}

static void run__takes_limits_that_are_none(void **state)
{
    struct sandbox_limits own;
    struct sandbox *s = must_open();
    struct sandbox_verdict v;
    struct cwm_err err;

    (void)state;
    memset(&own, 0xff, sizeof(own));
    own.open_files = ATTACK_OPEN_FILES;
    assert_int_equal(run(s, "ordinary", &own, NULL, &v, &err), CWM_OK);
    assert_int_equal(v.end, SANDBOX_END_EXITED);
    assert_int_equal(v.code, 0);
    memset(&own, 0, sizeof(own));
    assert_int_equal(run(s, "ordinary", &own, NULL, &v, &err), CWM_OK);
    assert_int_not_equal(v.end, SANDBOX_END_EXITED);
    must_exit(s, "ordinary");
    sandbox_close(s);
}

static void *run_many(void *arg)
{
    struct sandbox *s = NULL;
    struct sandbox_verdict v;
    long n_good = 0;

    if (open_sandbox(0, &s, NULL) == CWM_OK) {
        for (int i = 0; i < 50; i++) {
            if (run(s, "find_state", &limits, NULL, &v, NULL) == CWM_OK &&
                v.end == SANDBOX_END_EXITED && v.code == 0) {
                n_good++;
            }
        }
    }
    sandbox_close(s);
    *(long *)arg = n_good;
    return NULL;
}

static void sandboxes__work_side_by_side(void **state)
{
    pthread_t threads[3];
    long n_good[3] = {0, 0, 0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, run_many, &n_good[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(n_good[i], 50);
    }
}

static void must_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0) {
        perror(path);
        _exit(12);
    }
    close(fd);
}

/* A map of more than one id needs rights outside: those of `helper`, who was
 * forked before and waits for a byte. */
static int helper_pipe[2];
static int helper_done[2];

static void start_helper(const char *map)
{
    pid_t us = getpid();
    char path[64];
    char byte;

    if (pipe(helper_pipe) < 0 || pipe(helper_done) < 0) {
        _exit(13);
    }
    if (fork() == 0) {
        (void)!read(helper_pipe[0], &byte, 1);
        snprintf(path, sizeof(path), "/proc/%ld/uid_map", (long)us);
        must_write(path, map);
        snprintf(path, sizeof(path), "/proc/%ld/gid_map", (long)us);
        must_write(path, map);
        (void)!write(helper_done[1], "", 1);
        _exit(0);
    }
}

static void map_from_outside(void)
{
    char byte;

    (void)!write(helper_pipe[1], "", 1);
    (void)!read(helper_done[0], &byte, 1);
    (void)wait(NULL);
}

/*
 * Into a user namespace of our own in which no namespace of a kind can be
 * made, as user 0 who is nobody outside or, `as_root`, as root with all ids.
 */
static void limit_namespaces(const char *kind, bool as_root)
{
    char path[64];
    char map[32];

    if (geteuid() == 0 && !as_root) {
        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) < 0) {
            _exit(10);
        }
        prctl(PR_SET_DUMPABLE, 1);
    }
    snprintf(map, sizeof(map), "0 %u %u", (unsigned)geteuid(),
             as_root ? 65536u : 1u);
    if (as_root) {
        start_helper(map);
    }
    if (unshare(CLONE_NEWUSER) < 0) {
        _exit(11);
    }
    if (!as_root) {
        must_write("/proc/self/setgroups", "deny");
        must_write("/proc/self/uid_map", map);
        must_write("/proc/self/gid_map", map);
    } else {
        map_from_outside();
    }
    snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", kind);
    must_write(path, "0");
}

/* In a child: a machine that lacks walls.  Exit status 0 is right. */
static int refuse_then_allow(const char *kind, uint32_t missing)
{
    /* Whatever is missing, these have no way out. */
    static const char *const requests[] = {
        "every_family",  "ipc",          "fork_once",       "inherited",
        "refused_calls", "fake_denied",  "privileges_gone", "spare_others",
        "leave_tree",    "disk_is_empty"};
    struct sandbox_wall_state walls[SANDBOX_N_WALLS];
    struct sandbox *s = NULL;
    struct sandbox_verdict v;
    struct cwm_err err;

    for (int i = 0; i < SANDBOX_N_WALLS; i++) {
        char option[64];

        if (!(missing & 1u << i)) {
            continue;
        }
        snprintf(option, sizeof(option), "\n--allow-missing %s",
                 sandbox_wall_name((enum sandbox_wall)i));
        if (open_sandbox(missing & ~(1u << i), &s, &err) != CWM_MISSING ||
            !strstr(err.message, option)) {
            fprintf(stderr, "no %s: %s\n", kind, err.message);
            return 1;
        }
        if (sandbox_probe(walls, &err) != CWM_OK || walls[i].up ||
            !walls[i].required) {
            fprintf(stderr, "no %s: the probe says it is there\n", kind);
            return 2;
        }
    }
    if (open_sandbox(missing, &s, &err) != CWM_OK) {
        fprintf(stderr, "no %s: %s\n", kind, err.message);
        return 3;
    }
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        memset(&v, 0, sizeof(v));
        if (run(s, requests[i], &limits, NULL, &v, &err) != CWM_OK) {
            fprintf(stderr, "no %s: %s: %s\n", kind, requests[i], err.message);
            return 7;
        }
        if (v.end != SANDBOX_END_EXITED || v.code != 0) {
            fprintf(stderr, "no %s: %s ended as %d, %d\n", kind, requests[i],
                    (int)v.end, v.code);
            return 4;
        }
    }
    if (run(s, "sleep_long", &short_limits, NULL, &v, &err) != CWM_OK ||
        v.end != SANDBOX_END_WALL_TIME) {
        fprintf(stderr, "no %s: a sleeping run ended as %d\n", kind,
                (int)v.end);
        return 5;
    }
    sandbox_close(s);
    return find_workers(NULL) == 0 ? 0 : 6;
}

static int wait_status(pid_t pid)
{
    int status = 0;

    assert_true(pid >= 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void open__refuses_without_a_wall_unless_allowed(void **state)
{
    const uint32_t all_ns =
        1u << SANDBOX_WALL_USER_NS | 1u << SANDBOX_WALL_PID_NS |
        1u << SANDBOX_WALL_MOUNT_NS | 1u << SANDBOX_WALL_NET_NS |
        1u << SANDBOX_WALL_IPC_NS | 1u << SANDBOX_WALL_UTS_NS;
    const struct {
        const char *kind;
        bool as_root;
        uint32_t missing;
    } cases[] = {
        {"net", false, 1u << SANDBOX_WALL_NET_NS},
        {"ipc", false, 1u << SANDBOX_WALL_IPC_NS},
        {"uts", false, 1u << SANDBOX_WALL_UTS_NS},
        {"pid", false, 1u << SANDBOX_WALL_PID_NS},
        {"mnt", false, 1u << SANDBOX_WALL_MOUNT_NS},
        {"user", false, all_ns},
        {"user", true, 1u << SANDBOX_WALL_USER_NS},
        {"pid", true, 1u << SANDBOX_WALL_PID_NS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pid_t pid;

        if (cases[i].as_root && geteuid() != 0) {
            continue;
        }
        pid = fork();
        if (pid == 0) {
            limit_namespaces(cases[i].kind, cases[i].as_root);
            _exit(refuse_then_allow(cases[i].kind, cases[i].missing));
        }
        assert_int_equal(wait_status(pid), 0);
    }
}

/* The cgroup of the only sandbox we have; false: none could be made. */
static bool find_limit_file(char *path, size_t room)
{
    char command[200];
    FILE *f;
    bool found;

    snprintf(command, sizeof(command),
             "find /sys/fs/cgroup -path '*/cwm-%ld-*' \\( -name memory.max -o "
             "-name memory.limit_in_bytes \\) 2>/dev/null",
             (long)getpid());
    f = popen(command, "re");
    found = f && fgets(path, (int)room, f);
    if (f) {
        pclose(f);
    }
    path[found ? strcspn(path, "\n") : 0] = '\0';
    return found;
}

static void run__ends_for_memory_when_the_kernel_says_so(void **state)
{
    struct meddler m = {.cancel = 0};
    struct sandbox *s = must_open();
    struct sandbox_limits own = limits;
    struct sandbox_verdict v;
    struct cwm_err err;

    (void)state;
    must_exit(s, "ordinary");
    if (!find_limit_file(m.limit_file, sizeof(m.limit_file))) {
        print_message("no cgroup can be had here: nothing to judge by\n");
        sandbox_close(s);
        assert_true(geteuid() != 0 || !getenv("CWM_MUST_WORK"));
        return;
    }
    start_meddler(&m);
    assert_int_equal(run(s, "touch_late", &limits, NULL, &v, &err), CWM_OK);
    pthread_join(m.thread, NULL);
    assert_int_equal(v.end, SANDBOX_END_MEMORY);
    own.memory_bytes += 4096; /* a new limit is written */
    assert_int_equal(run(s, "touch_late", &own, NULL, &v, &err), CWM_OK);
    assert_int_equal(v.end, SANDBOX_END_EXITED);
    sandbox_close(s);
}

/* A root folder for chroot(): what the worker needs and nothing else. */
static int enter_bare_root(const char *dir)
{
    char path[256];

    if (unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        return -1;
    }
    for (size_t i = 0; read_paths[i]; i++) {
        char target[256];
        ssize_t n = readlink(read_paths[i], target, sizeof(target) - 1);

        snprintf(path, sizeof(path), "%s%s", dir, read_paths[i]);
        if (n > 0) {
            target[n] = '\0';
            if (symlink(target, path) < 0) {
                return -1;
            }
        } else if (access(read_paths[i], F_OK) == 0 &&
                   (mkdir(path, 0755) < 0 ||
                    mount(read_paths[i], path, NULL, MS_BIND, NULL) < 0)) {
            return -1;
        }
    }
    snprintf(path, sizeof(path), "%s/dev", dir);
    if (mkdir(path, 0755) < 0) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/dev/null", dir);
    if (mknod(path, S_IFCHR | 0666, makedev(1, 3)) < 0 || chmod(path, 0666)) {
        return -1;
    }
    return chroot(dir) < 0 ? -1 : chdir("/");
}

static int run_in_bare_root(const char *dir)
{
    static const char *const requests[] = {
        "ordinary", "host_paths", "write_paths", "scratch_works", "find_state"};
    struct sandbox *s = NULL;
    struct sandbox_limits own = limits;
    struct sandbox_verdict v;
    struct cwm_err err;

    if (enter_bare_root(dir) < 0) {
        perror("a bare root");
        return 1;
    }
    snprintf(test.worker, sizeof(test.worker), "/worker");
    if (open_sandbox(0, &s, &err) != CWM_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        if (run(s, requests[i], &own, NULL, &v, &err) != CWM_OK ||
            v.end != SANDBOX_END_EXITED || v.code != 0) {
            fprintf(stderr, "%s in a chroot: %d, %d\n", requests[i], (int)v.end,
                    v.code);
            return 3;
        }
    }
    sandbox_close(s);
    return 0;
}

/* A chroot without /proc, as debootstrap leaves one. */
static void open__works_for_root_in_a_chroot(void **state)
{
    char dir[] = "/tmp/cwm-root-XXXXXX";
    char command[200];
    pid_t pid;

    (void)state;
    if (geteuid() != 0) {
        return; /* in a chroot only root can have a user namespace */
    }
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof(command), "cp %s %s/worker && chmod 755 %s",
             test.worker, dir, dir);
    assert_int_equal(system(command), 0);
    pid = fork();
    if (pid == 0) {
        _exit(run_in_bare_root(dir));
    }
    assert_int_equal(wait_status(pid), 0);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

static int run_all_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open__fails_when_there_is_no_worker),
        cmocka_unit_test(open__fails_when_the_worker_ends),
        cmocka_unit_test(open__fails_cleanly_without_memory),
        cmocka_unit_test(open__refuses_without_a_wall_unless_allowed),
        cmocka_unit_test(open__works_for_root_in_a_chroot),
        cmocka_unit_test(run__takes_large_input_and_gives_large_output),
        cmocka_unit_test(run__takes_limits_that_are_none),
        cmocka_unit_test(run__stops_when_it_is_cancelled),
        cmocka_unit_test(run__starts_a_new_worker_for_one_that_was_killed),
        cmocka_unit_test(run__is_repeated_when_the_worker_is_killed_in_it),
        cmocka_unit_test(run__ends_for_memory_when_the_kernel_says_so),
        cmocka_unit_test(run__ends_for_time_when_the_worker_hangs),
        cmocka_unit_test(run__fails_cleanly_when_descriptors_run_out),
        cmocka_unit_test(run__fails_cleanly_without_memory),
        cmocka_unit_test(host__takes_its_jail_along_when_it_is_killed),
        cmocka_unit_test(sandboxes__work_side_by_side),
    };

    snprintf(test.marker, sizeof(test.marker), "cwm-host-test-%ld",
             (long)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/cwm-jail-XXXXXX";
    char command[600];
    int status = 0;
    int n_bad;
    pid_t pid;

    if (argc != 2 || !mkdtemp(dir) || chmod(dir, 0755) < 0) {
        fprintf(stderr, "usage: jail_host WORKER\n");
        return 2;
    }
    snprintf(test.worker, sizeof(test.worker), "%s/worker", dir);
    snprintf(command, sizeof(command), "cp '%s' %s && chmod 755 %s", argv[1],
             test.worker, test.worker);
    n_bad = system(command) != 0;
    n_bad += run_all_tests();
    if (geteuid() == 0) {
        fflush(NULL);
        pid = fork();
        if (pid == 0) {
            if (setgroups(0, NULL) < 0 ||
                setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                setresuid(NOBODY, NOBODY, NOBODY) < 0) {
                _exit(99);
            }
            prctl(PR_SET_DUMPABLE, 1);
            exit(run_all_tests());
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
            n_bad++;
        }
    }
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) != 0 || n_bad != 0;
}
