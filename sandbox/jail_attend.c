/* SPDX-License-Identifier: MIT */
/*
 * jail_attend.c -- a process that stands beside runs (jail.h: attendant), from
 * both ends.
 *
 * A run that needs a second process which knows what it must not know costs
 * two forks, and the second process copies again what the one before copied.
 * The attendant is forked once and serves run after run.  Two things make that
 * safe on this side: it has nothing of a run's but two descriptors, which it
 * closes, and there is nobody else in the pid namespace: the gate lets no run
 * fork, and pid 1 grants an attended one no scratch process.
 *
 * Messages: a struct message_of_attendant a packet on a SOCK_SEQPACKET; RUN
 * has two descriptors with it, the request and the socket to the companion.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "sandbox/jail_internal.h"

enum { ORDER_REQUEST, ORDER_PEER, N_ORDER_FDS };

struct message_of_attendant {
    uint32_t type; /* enum jail_attend_type */
    int32_t value;
    uint64_t cpu_us; /* of ENDED */
};

struct jail_attendance {
    struct jail *jail; /* borrowed */
    int fd;            /* borrowed */
    bool is_greeted;
};

/* fds: N_ORDER_FDS or NULL; -1 with errno. */
static int send_message(int fd, const struct message_of_attendant *m,
                        const int *fds)
{
    char control[CMSG_SPACE(sizeof(int) * N_ORDER_FDS)] = {0};
    struct message_of_attendant copy = *m;
    struct iovec part = {&copy, sizeof(copy)};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n;

    if (fds) {
        struct cmsghdr *c;

        h.msg_control = control;
        h.msg_controllen = sizeof(control);
        c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * N_ORDER_FDS);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * N_ORDER_FDS);
    }
    do {
        n = sendmsg(fd, &h, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(copy) ? 0 : -1;
}

/* fds: filled where there were any, else -1; false: nothing came. */
static bool receive_message(int fd, int flags, struct message_of_attendant *m,
                            int fds[N_ORDER_FDS])
{
    char control[CMSG_SPACE(sizeof(int) * N_ORDER_FDS)];
    struct iovec part = {m, sizeof(*m)};
    struct msghdr h = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    const struct cmsghdr *c;
    ssize_t n;

    do {
        n = recvmsg(fd, &h, flags | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(*m)) {
        return false;
    }
    fds[ORDER_REQUEST] = fds[ORDER_PEER] = -1;
    c = CMSG_FIRSTHDR(&h);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int) * N_ORDER_FDS)) {
        memcpy(fds, CMSG_DATA(c), sizeof(int) * N_ORDER_FDS);
    }
    return true;
}

/* ---- pid 1 ---- */

void jail__set_last_pid(struct jail *jail, int last)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "%d", last);

    /* Where that cannot be set pids count on, which only programs that print
     * them can tell. */
    if (jail->last_pid_fd >= 0 &&
        pwrite(jail->last_pid_fd, text, (size_t)len, 0) < 0) {
        close(jail->last_pid_fd);
        jail->last_pid_fd = -1;
    }
}

bool jail__attendant_fits(const struct jail *jail,
                          const struct jail_callbacks *callbacks)
{
    return callbacks->attend && callbacks->companion &&
           jail->walls[SANDBOX_WALL_PID_NS].up &&
           jail->walls[SANDBOX_WALL_SECCOMP].up && getpid() == 1;
}

int jail__attendant_start(struct jail *jail,
                          const struct sandbox_limits *limits,
                          const struct jail_callbacks *callbacks, void *ctx)
{
    struct jail_attendant *a = &jail->attendant;
    int pair[2];

    if (a->pid > 0) {
        return 0;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        return -1;
    }
    jail__set_last_pid(jail, 1);
    a->pid = fork();
    if (a->pid == 0) {
        jail__run_attendant(jail, limits, callbacks, ctx, pair[1]);
    }
    close(pair[1]);
    if (a->pid < 0) {
        close(pair[0]);
        a->pid = 0;
        return -1;
    }
    a->fd = pair[0];
    a->is_ready = false;
    clock_getcpuclockid(a->pid, &a->clock);
    return 0;
}

void jail__attendant_stop(struct jail *jail)
{
    struct jail_attendant *a = &jail->attendant;

    if (a->pid > 0) {
        kill(a->pid, SIGKILL);
        while (waitpid(a->pid, NULL, __WALL) < 0 && errno == EINTR) {
        }
    }
    if (a->fd >= 0) {
        close(a->fd);
    }
    a->pid = 0;
    a->fd = -1;
}

pid_t jail__attendant_order(struct jail *jail, const struct jail_order *order,
                            const struct jail_callbacks *callbacks, void *ctx)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return -1;
    }
    jail__set_last_pid(jail, (int)jail->attendant.pid);
    pid = fork();
    if (pid == 0) {
        jail__run_attended(jail, order, callbacks, ctx, pair[1]);
    }
    close(pair[1]);
    if (pid > 0) {
        const int fds[N_ORDER_FDS] = {order->fds[RUN_FD_REQUEST], pair[0]};
        const struct message_of_attendant m = {JAIL_ATTEND_RUN, (int32_t)pid,
                                               0};

        /* One that is gone is noticed by its end. */
        (void)send_message(jail->attendant.fd, &m, fds);
    }
    close(pair[0]);
    return pid;
}

void jail__attendant_tell_end(const struct jail *jail, int status,
                              uint64_t cpu_us)
{
    const struct message_of_attendant m = {JAIL_ATTEND_ENDED, status, cpu_us};

    (void)send_message(jail->attendant.fd, &m, NULL);
}

bool jail__attendant_heard(const struct jail *jail,
                           enum jail_attend_type *ret_type, int32_t *ret_value)
{
    struct message_of_attendant m;
    int fds[N_ORDER_FDS];

    if (!receive_message(jail->attendant.fd, MSG_DONTWAIT, &m, fds)) {
        return false;
    }
    for (int i = 0; i < N_ORDER_FDS; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    *ret_type = (enum jail_attend_type)m.type;
    *ret_value = m.value;
    return true;
}

/* ---- the attendant ---- */

struct jail_attendance *jail__attendance_new(struct jail *jail, int fd)
{
    struct jail_attendance *a = cwm_calloc(1, sizeof(*a));

    if (a) {
        a->jail = jail;
        a->fd = fd;
    }
    return a;
}

static int say(const struct jail_attendance *a, enum jail_attend_type type,
               int32_t value)
{
    const struct message_of_attendant m = {(uint32_t)type, value, 0};

    return send_message(a->fd, &m, NULL);
}

bool jail_attend_next(struct jail_attendance *a, struct jail_run *ret_run)
{
    struct message_of_attendant m;
    int fds[N_ORDER_FDS];
    bool done;

    if (!a->is_greeted && say(a, JAIL_ATTEND_READY, 0) < 0) {
        return false;
    }
    a->is_greeted = true;
    if (!receive_message(a->fd, 0, &m, fds) || m.type != JAIL_ATTEND_RUN) {
        return false;
    }
    memset(ret_run, 0, sizeof(*ret_run));
    ret_run->shared = a->jail->shared;
    ret_run->shared_len = a->jail->shared_len;
    ret_run->companion = (pid_t)m.value;
    ret_run->companion_fd = fds[ORDER_PEER];
    done = fds[ORDER_PEER] >= 0 &&
           jail__map_request(fds[ORDER_REQUEST], ret_run) == 0;
    if (fds[ORDER_REQUEST] >= 0) {
        close(fds[ORDER_REQUEST]);
    }
    return done;
}

int jail_attend_wait(struct jail_attendance *a, uint64_t *ret_cpu_us)
{
    struct message_of_attendant m;
    int fds[N_ORDER_FDS];

    *ret_cpu_us = 0;
    if (say(a, JAIL_ATTEND_WAIT, 0) < 0 ||
        !receive_message(a->fd, 0, &m, fds) || m.type != JAIL_ATTEND_ENDED) {
        return -1;
    }
    *ret_cpu_us = m.cpu_us;
    return m.value;
}

void jail_attend_done(struct jail_attendance *a, const struct jail_run *run,
                      bool is_last)
{
    if (run->request_len > 0) {
        munmap((void *)(uintptr_t)run->request, run->request_len);
    }
    if (run->companion_fd >= 0) {
        close(run->companion_fd);
    }
    (void)say(a, JAIL_ATTEND_DONE, is_last);
}
