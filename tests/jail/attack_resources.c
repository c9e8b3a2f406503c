/* SPDX-License-Identifier: MIT */
/* attack_resources.c -- processes, memory, disk, descriptors, output. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attacks.h"

int attack_fork_once(const struct jail_run *run)
{
    long clone3_args[11] = {0};
    int bad;

    (void)run;
    bad = expect_errno(fork(), EAGAIN, "fork()");
    bad |= expect_errno(syscall(SYS_fork), EAGAIN, "fork");
    bad |= expect_errno(syscall(SYS_vfork), EAGAIN, "vfork");
    bad |=
        expect_errno(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), EAGAIN, "clone");
    bad |= expect_errno(
        syscall(SYS_clone,
                CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, 0, 0,
                0, 0),
        EAGAIN, "clone as a scratch process, elsewhere");
    bad |= expect_errno(
        syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0),
        EAGAIN, "clone as posix_spawn");
    bad |= expect_errno(syscall(SYS_clone3, clone3_args, sizeof(clone3_args)),
                        ENOSYS, "clone3");
    return bad;
}

static void *wait_for_ever(void *arg)
{
    for (;;) {
        pause();
    }
    return arg;
}

int attack_many_threads(const struct jail_run *run)
{
    pthread_attr_t attr;
    pthread_t thread;
    int n_threads = 1;
    int error = 0;

    (void)run;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    while (error == 0 && n_threads < 1000) {
        error = pthread_create(&thread, &attr, wait_for_ever, NULL);
        n_threads += error == 0;
    }
    return expect(error == EAGAIN && n_threads >= ATTACK_TASKS &&
                      n_threads <= ATTACK_TASKS + 4,
                  "%d threads, then error %d", n_threads, error);
}

int attack_memory_touch(const struct jail_run *run)
{
    const size_t step = 1 << 20;
    size_t total = 0;
    volatile char *p;

    (void)run;
    while (total < 4 * ATTACK_MEMORY_BYTES && (p = malloc(step))) {
        for (size_t i = 0; i < step; i += 4096) {
            p[i] = 1;
        }
        total += step;
    }
    return expect(total <= ATTACK_MEMORY_BYTES &&
                      total >= ATTACK_MEMORY_BYTES / 2,
                  "%zu bytes touched", total);
}

int attack_memory_reserve(const struct jail_run *run)
{
    void *p = mmap(NULL, 1ull << 40, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void)run;
    return expect_errno(p == MAP_FAILED ? -1 : 0, ENOMEM, "mmap");
}

int attack_memory_files(const struct jail_run *run)
{
    (void)run;
    return expect_errno(memfd_create("x", 0), EPERM, "memfd_create");
}

/* Write until it fails; bytes written. */
static size_t fill_file(const char *name, size_t most)
{
    static char data[4096];
    size_t total = 0;
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    ssize_t n = 1;

    while (fd >= 0 && n > 0 && total < most) {
        n = write(fd, data, sizeof(data));
        total += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    return total;
}

int attack_disk_one_file(const struct jail_run *run)
{
    size_t total;

    (void)run;
    signal(SIGXFSZ, SIG_IGN);
    total = fill_file("file", 16 * ATTACK_DISK_BYTES);
    return expect(total <= ATTACK_DISK_BYTES && total > 0, "%zu bytes", total);
}

int attack_disk_many_files(const struct jail_run *run)
{
    size_t total = 0;
    char name[16];

    (void)run;
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "%d", i);
        total += fill_file(name, ATTACK_DISK_BYTES / 8);
    }
    return expect(total <= ATTACK_DISK_BYTES && total > 0, "%zu bytes", total);
}

int attack_disk_inodes(const struct jail_run *run)
{
    char name[16];
    int n_files = 0;
    int fd;

    (void)run;
    do {
        snprintf(name, sizeof(name), "%d", n_files);
        fd = open(name, O_WRONLY | O_CREAT, 0600);
        if (fd >= 0) {
            close(fd);
            n_files++;
        }
    } while (fd >= 0 && n_files < 10000);
    return expect(n_files <= ATTACK_DISK_FILES && n_files > 0, "%d files",
                  n_files);
}

int attack_disk_sparse(const struct jail_run *run)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600);

    (void)run;
    signal(SIGXFSZ, SIG_IGN);
    return expect_errno(ftruncate(fd, 1ll << 40), EFBIG, "ftruncate");
}

int attack_descriptors(const struct jail_run *run)
{
    int n_fds = 3;

    (void)run;
    while (n_fds < 100000 && dup(0) >= 0) {
        n_fds++;
    }
    return expect(n_fds == ATTACK_OPEN_FILES, "%d descriptors", n_fds);
}

int attack_pipe_memory(const struct jail_run *run)
{
    int fds[2];

    (void)run;
    if (pipe(fds) < 0) {
        return expect(0, "no pipe");
    }
    return expect_errno(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20), ENOSYS,
                        "F_SETPIPE_SZ") |
           expect_errno(fcntl(1, F_SETPIPE_SZ, 1 << 20), ENOSYS,
                        "F_SETPIPE_SZ of stdout");
}

static void write_for_ever(int fd)
{
    static char data[4096]; /* without a line's end */

    memset(data, 'x', sizeof(data));
    while (write(fd, data, sizeof(data)) > 0) {
    }
}

int attack_flood_stdout(const struct jail_run *run)
{
    (void)run;
    write_for_ever(1);
    return 0;
}

int attack_flood_stderr(const struct jail_run *run)
{
    (void)run;
    write_for_ever(2);
    return 0;
}

int attack_flood_both(const struct jail_run *run)
{
    (void)run;
    while (write(1, "out\n", 4) > 0 && write(2, "err\n", 4) > 0) {
    }
    return 0;
}

int attack_flood_exit(const struct jail_run *run)
{
    static char data[ATTACK_OUTPUT_BYTES / 2 + 1];

    (void)run;
    return write(1, data, sizeof(data)) < 0 || write(2, data, sizeof(data)) < 0;
}

int attack_scratch_bomb(const struct jail_run *run)
{
    pid_t pids[64];
    int n_alive = 0;
    int bad = 0;

    (void)run;
    while (n_alive < 64) {
        pid_t pid = jail_scratch_fork(50);

        if (pid == 0) {
            pause();
            for (;;) {
            }
        }
        if (pid < 0) {
            bad = expect(errno == EAGAIN, "errno %d", errno);
            break;
        }
        pids[n_alive++] = pid;
    }
    bad |=
        expect(n_alive >= 1 && n_alive <= 2, "%d scratch processes", n_alive);
    for (int i = 0; i < n_alive; i++) {
        jail_scratch_wait(pids[i]);
    }
    return bad;
}

static int __attribute__((noinline)) deeper(volatile char *above)
{
    volatile char here[4096];

    here[0] = above[0];
    return above[0] == 1 ? 0 : deeper(here) + here[0];
}

int attack_stack(const struct jail_run *run)
{
    volatile char top[1] = {0};

    (void)run;
    return deeper(top);
}

int attack_echo_stdin(const struct jail_run *run)
{
    static char data[65536];
    ssize_t n;

    (void)run;
    while ((n = read(0, data, sizeof(data))) > 0) {
        if (write(1, data, (size_t)n) != n) {
            return 1;
        }
    }
    return n < 0;
}

int attack_touch_late(const struct jail_run *run)
{
    const size_t len = 200u << 20;
    volatile char *p;

    (void)run;
    usleep(400000);
    p = malloc(len);
    if (!p) {
        return expect(0, "no memory");
    }
    for (size_t i = 0; i < len; i += 4096) {
        p[i] = 1;
    }
    return 0;
}
