/* SPDX-License-Identifier: MIT */
/* run_program.c -- spawn, drain, wait; killed when it takes too long. */
#include "tracer/run_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static enum cwm_rc spawn(char *const argv[], bool own_environment, int out_fd,
                         pid_t *ret_pid, struct cwm_err *err)
{
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    static char locale[] = "LC_ALL=C.UTF-8";
    char *const fixed[] = {path, locale, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int rc;

    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                     O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out_fd, STDERR_FILENO);
    rc = posix_spawn(ret_pid, argv[0], &actions, &attributes, argv,
                     own_environment ? environ : fixed);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (rc != 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not run '%s': %s", argv[0],
                        strerror(rc));
    }
    return CWM_OK;
}

static enum cwm_rc drain(int fd, const char *name, long until_ms,
                         struct cwm_buf *out, struct cwm_err *err)
{
    char block[4096];

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        long left = until_ms - now_ms();
        ssize_t n;

        if (left <= 0) {
            return CWM_FAIL(err, CWM_SYSTEM, "'%s' does not answer", name);
        }
        if (poll(&p, 1, (int)left) <= 0) {
            continue;
        }
        n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return CWM_OK;
        }
        if (cwm_buf_add(out, block, (size_t)n) != CWM_OK) {
            return cwm_buf_check(out, "what a program says of itself", err);
        }
    }
}

/* The first line of what it printed, for the message. */
static enum cwm_rc failed(const char *name, int status,
                          const struct cwm_buf *out, struct cwm_err *err)
{
    const char *text = out->data ? out->data : "";
    int len = (int)strcspn(text, "\n");

    if (WIFSIGNALED(status)) {
        return CWM_FAIL(err, CWM_SYSTEM, "'%s' was ended by signal %d", name,
                        WTERMSIG(status));
    }
    return CWM_FAIL(err, CWM_SYSTEM, "'%s' failed with status %d: %.*s", name,
                    WEXITSTATUS(status), len < 200 ? len : 200, text);
}

enum cwm_rc run_program(char *const argv[], bool own_environment,
                        unsigned timeout_ms, struct cwm_buf *out,
                        struct cwm_err *err)
{
    long until_ms = now_ms() + (long)timeout_ms;
    enum cwm_rc rc;
    pid_t pid = -1;
    int ends[2];
    int status = 0;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not make a pipe: %s",
                        strerror(errno));
    }
    rc = spawn(argv, own_environment, ends[1], &pid, err);
    close(ends[1]);
    if (rc == CWM_OK) {
        rc = drain(ends[0], argv[0], until_ms, out, err);
    }
    close(ends[0]);
    if (pid > 0) {
        if (rc != CWM_OK) {
            kill(pid, SIGKILL);
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    if (rc == CWM_OK && status != 0) {
        rc = failed(argv[0], status, out, err);
    }
    return rc;
}
