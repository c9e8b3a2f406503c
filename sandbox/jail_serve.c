/* SPDX-License-Identifier: MIT */
/*
 * jail_serve.c -- pid 1 of the jail: one run after the other.
 *
 * For each: a fresh private folder, the same pid as ever, a child; then watch
 * its clocks, the host's orders and its requests for scratch processes; at the
 * end kill whatever is in the pid namespace, reap all of it and unmount the
 * folder, so that the next run finds nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/jail_internal.h"

#define NO_END 0xffffffffu

/* Room for later kernels' larger notifications. */
#define NOTIFY_BYTES 512

struct watch {
    struct jail *jail;              /* borrowed */
    const struct jail_order *order; /* borrowed */
    bool is_attended; /* `pid` is the companion, and the attendant decides */
    pid_t pid;
    bool ended; /* `status` is the child's */
    int status; /* wait status */
    uint64_t child_cpu_us;
    uint32_t end;       /* why we kill it, or NO_END */
    uint32_t n_scratch; /* granted and not ended */
    bool hung_up;       /* the host is gone */
    uint64_t start_us;
    uint64_t cpu_us; /* of what has been reaped */
    uint64_t max_rss_bytes;
    clockid_t cpu_clock;
    /* Of the attendant: */
    bool asks;    /* for the companion's status */
    bool is_done; /* with this run */
    bool is_gone; /* `its_status` is its wait status, else 0 */
    bool is_last; /* it wants to be gone */
    int its_status;
    uint64_t its_start_us; /* its CPU time before the run */
};

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) < 0) {
        return 0;
    }
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t timeval_us(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static void note_reaped(struct watch *w, pid_t pid, int status,
                        const struct rusage *usage)
{
    uint64_t rss = (uint64_t)usage->ru_maxrss * 1024;

    w->cpu_us += timeval_us(usage->ru_utime) + timeval_us(usage->ru_stime);
    if (w->is_attended && pid == w->jail->attendant.pid) {
        w->cpu_us -= w->its_start_us;
        w->is_gone = true;
        w->its_status = status;
        w->jail->attendant.pid = 0;
    } else if (pid == w->pid) {
        w->ended = true;
        w->status = status;
        w->child_cpu_us =
            timeval_us(usage->ru_utime) + timeval_us(usage->ru_stime);
        w->max_rss_bytes = rss;
    } else {
        w->n_scratch -= w->n_scratch > 0;
        jail__scratch_ended(w->jail->scratch, pid, status);
    }
}

/* Reap what has ended (flags WNOHANG) or everything (0); true: none is left. */
static bool reap(struct watch *w, int flags)
{
    struct rusage usage;
    int status;

    for (;;) {
        pid_t pid = wait4(-1, &status, flags | __WALL, &usage);

        if (pid > 0) {
            note_reaped(w, pid, status, &usage);
        } else if (pid == 0 || errno != EINTR) {
            return pid < 0;
        }
    }
}

/*
 * The run asks for a scratch process: how many are there?  A clone() that then
 * fails all the same (threads used up the limit of tasks) counts until the
 * run's end: too few scratch processes, never too many.
 */
static void answer_scratch(struct watch *w)
{
    union {
        struct seccomp_notif request;
        struct seccomp_notif_resp answer;
        char room[NOTIFY_BYTES];
    } u;
    uint64_t id;

    memset(&u, 0, sizeof(u));
    if (ioctl(w->jail->notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &u) < 0) {
        return; /* the asker is gone */
    }
    id = u.request.id;
    (void)reap(w, WNOHANG);
    memset(&u, 0, sizeof(u));
    u.answer.id = id;
    if (w->n_scratch < JAIL_MAX_SCRATCH && !w->ended && !w->is_attended) {
        u.answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        u.answer.error = -EAGAIN;
    }
    if (ioctl(w->jail->notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &u) == 0 &&
        u.answer.error == 0) {
        w->n_scratch++;
    }
}

static void take_order(struct watch *w)
{
    struct message m;

    if (protocol_receive(w->jail->control_fd, &m, NULL, NULL) != CWM_OK) {
        w->hung_up = true;
    } else if (m.type == MESSAGE_KILL && m.run_id == w->order->run_id &&
               w->end == NO_END) {
        w->end = m.u.end;
    }
}

/* What the attendant used of this run, as long as it is there. */
static uint64_t its_cpu_us(const struct watch *w)
{
    uint64_t now = w->is_attended && w->jail->attendant.pid > 0
                       ? clock_us(w->jail->attendant.clock)
                       : 0;

    return now > w->its_start_us ? now - w->its_start_us : 0;
}

static void listen_to_attendant(struct watch *w)
{
    enum jail_attend_type type;
    int32_t value;

    while (jail__attendant_heard(w->jail, &type, &value)) {
        if (type == JAIL_ATTEND_READY) {
            w->jail->attendant.is_ready = true;
        } else if (type == JAIL_ATTEND_WAIT) {
            w->asks = true;
        } else if (type == JAIL_ATTEND_DONE) {
            w->is_done = true;
            w->is_last = value != 0;
        }
    }
    if (w->asks && w->ended) {
        w->asks = false;
        jail__attendant_tell_end(w->jail, w->status, w->child_cpu_us);
    }
}

/*
 * Over a limit of time?  Else until when to sleep: the child cannot be over
 * its CPU limit before all CPUs have worked for what it has left.
 */
static int64_t check_clocks(struct watch *w)
{
    const struct sandbox_limits *limits = &w->order->limits;
    uint64_t wall = clock_us(CLOCK_MONOTONIC) - w->start_us;
    uint64_t cpu = clock_us(w->cpu_clock) + w->cpu_us + its_cpu_us(w);
    uint64_t wall_left;
    uint64_t cpu_left;

    if (cpu > limits->cpu_ms * 1000) {
        w->end = SANDBOX_END_CPU_TIME;
        return 0;
    }
    if (wall > limits->wall_ms * 1000) {
        w->end = SANDBOX_END_WALL_TIME;
        return 0;
    }
    wall_left = limits->wall_ms * 1000 - wall;
    cpu_left = (limits->cpu_ms * 1000 - cpu) / (uint64_t)w->jail->n_cpus;
    if (cpu_left > wall_left) {
        cpu_left = wall_left;
    }
    return cpu_left < 1000 ? 1000 : (int64_t)cpu_left;
}

/*
 * Everybody in our pid namespace descends from us, and who loses his parent
 * becomes our child: without children we are alone.  Without the namespace the
 * one child is all there can be, since no filter lets it fork.
 */
static void end_all(struct watch *w)
{
    if (reap(w, WNOHANG)) {
        return;
    }
    if (w->jail->walls[SANDBOX_WALL_PID_NS].up && getpid() == 1) {
        kill(-1, SIGKILL);
    } else {
        kill(w->pid, SIGKILL);
    }
    (void)reap(w, 0);
}

/* An attended run: the companion cannot have made processes, and the attendant
 * stays, unless it ended in the middle of something. */
static void end_attended(struct watch *w)
{
    struct rusage usage;
    int status;

    while (!w->ended) {
        kill(w->pid, SIGKILL);
        if (wait4(w->pid, &status, __WALL, &usage) == w->pid) {
            note_reaped(w, w->pid, status, &usage);
        } else if (errno != EINTR) {
            return;
        }
    }
    listen_to_attendant(w); /* its last words may be there still */
    w->cpu_us += its_cpu_us(w);
    if (w->is_gone || w->is_last || !w->is_done) {
        jail__attendant_stop(w->jail);
    }
    if (w->is_done) {
        w->its_status = 0;
    }
}

static bool is_over(const struct watch *w)
{
    if (w->hung_up || w->end != NO_END) {
        return true;
    }
    return w->is_attended ? w->is_done || w->is_gone : w->ended;
}

static void watch_child(struct watch *w)
{
    struct pollfd fds[] = {
        {w->jail->control_fd, POLLIN, 0},
        {w->jail->child_fd, POLLIN, 0},
        {w->jail->notify_fd, POLLIN, 0},
        {w->is_attended ? w->jail->attendant.fd : -1, POLLIN, 0},
    };
    struct signalfd_siginfo info;

    while (!is_over(w)) {
        int64_t left_us = check_clocks(w);
        struct timespec timeout = {left_us / 1000000,
                                   (left_us % 1000000) * 1000};

        if (w->end != NO_END || ppoll(fds, 4, &timeout, NULL) <= 0) {
            continue;
        }
        if (fds[1].revents) {
            while (read(w->jail->child_fd, &info, sizeof(info)) > 0) {
            }
            (void)reap(w, WNOHANG);
        }
        if (w->is_attended && (fds[3].revents || w->ended)) {
            listen_to_attendant(w);
        }
        if (fds[3].revents & POLLHUP) {
            fds[3].fd = -1; /* it ends; SIGCHLD comes */
        }
        if (fds[2].revents & POLLIN) {
            answer_scratch(w);
        }
        if (fds[0].revents) {
            take_order(w);
        }
    }
    if (w->is_attended) {
        end_attended(w);
    } else {
        end_all(w);
    }
    while (read(w->jail->child_fd, &info, sizeof(info)) > 0) {
    }
}

static struct sandbox_verdict decide(const struct watch *w, uint64_t wall_us)
{
    struct sandbox_verdict v = {.end = SANDBOX_END_EXITED,
                                .cpu_us = w->cpu_us,
                                .wall_us = wall_us,
                                .max_rss_bytes = w->max_rss_bytes};
    const int status = w->is_attended ? w->its_status : w->status;

    if (w->end != NO_END) {
        v.end = (enum sandbox_end)w->end;
    } else if (w->cpu_us > w->order->limits.cpu_ms * 1000) {
        v.end = SANDBOX_END_CPU_TIME;
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
        v.end = SANDBOX_END_DENIED;
        v.code = -1;
    } else if (WIFSIGNALED(status)) {
        v.end = SANDBOX_END_SIGNALLED;
        v.code = WTERMSIG(status);
    } else {
        v.code = WEXITSTATUS(status);
    }
    return v;
}

static pid_t fork_child(const struct watch *w,
                        const struct jail_callbacks *callbacks, void *ctx)
{
    struct jail *jail = w->jail;
    pid_t pid;

    memset(jail->scratch, 0, sizeof(*jail->scratch));
    if (callbacks->before_fork) {
        callbacks->before_fork(ctx);
    }
    if (w->is_attended) {
        pid = jail__attendant_order(jail, w->order, callbacks, ctx);
    } else {
        jail__set_last_pid(jail, 1); /* a run's pid is always 2 */
        pid = fork();
    }
    if (pid == 0) {
        jail__run_child(jail, w->order, callbacks, ctx);
    }
    if (callbacks->after_fork_parent) {
        callbacks->after_fork_parent(ctx);
    }
    return pid;
}

/* What runs the program has said that it was confined before. */
static enum cwm_rc check_confined(const struct watch *w, struct cwm_err *err)
{
    uint64_t ready = 0;

    if (w->is_attended ? w->jail->attendant.is_ready
                       : read(w->jail->ready_fd, &ready, sizeof(ready)) > 0 &&
                             ready == 1) {
        return CWM_OK;
    }
    return CWM_FAIL(err, CWM_SYSTEM, "could not confine a run: %s",
                    ready > 1 ? strerror((int)ready - 1)
                              : "its child ended early");
}

static enum cwm_rc serve_run(struct jail *jail, struct jail_order *order,
                             const struct jail_callbacks *callbacks, void *ctx,
                             struct cwm_err *err)
{
    struct watch w = {.jail = jail, .order = order, .end = NO_END};
    struct message m;
    enum cwm_rc rc;

    w.start_us = clock_us(CLOCK_MONOTONIC);
    w.is_attended =
        order->limits.is_attended && jail__attendant_fits(jail, callbacks);
    if (!w.is_attended) {
        jail__attendant_stop(jail);
    } else if (jail__attendant_start(jail, &order->limits, callbacks, ctx) <
               0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not fork an attendant: %s",
                        strerror(errno));
    }
    w.its_start_us = w.is_attended ? clock_us(jail->attendant.clock) : 0;
    if (jail__folder_open(jail, &order->limits) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "could not make the private folder: %s",
                        strerror(errno));
    }
    w.pid = fork_child(&w, callbacks, ctx);
    for (int i = 0; i < RUN_N_FDS; i++) {
        close(order->fds[i]);
    }
    if (w.pid < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not fork a run: %s",
                        strerror(errno));
    }
    clock_getcpuclockid(w.pid, &w.cpu_clock);
    watch_child(&w);
    jail__folder_close(jail);
    if (w.hung_up) {
        return CWM_FAIL(err, CWM_CANCELLED, "the other side has hung up");
    }
    rc = w.end == NO_END ? check_confined(&w, err) : CWM_OK;
    if (rc != CWM_OK) {
        return rc;
    }
    protocol_message_init(&m, MESSAGE_RESULT, NULL);
    m.run_id = order->run_id;
    m.u.verdict = decide(&w, clock_us(CLOCK_MONOTONIC) - w.start_us);
    return protocol_send(jail->control_fd, &m, NULL, 0, err);
}

/* From statm: the address space that the warm worker has already. */
static uint64_t address_space(int statm_fd)
{
    char text[64] = "";

    if (pread(statm_fd, text, sizeof(text) - 1, 0) <= 0) {
        return 0;
    }
    return strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static enum cwm_rc serve_all(struct jail *jail,
                             const struct jail_callbacks *callbacks, void *ctx,
                             struct cwm_err *err)
{
    struct jail_order order;
    struct message m;

    for (;;) {
        enum cwm_rc rc = protocol_receive(jail->control_fd, &m, order.fds, err);

        if (rc == CWM_OK && m.type == MESSAGE_RUN) {
            order.run_id = m.run_id;
            order.limits = m.u.limits;
            rc = serve_run(jail, &order, callbacks, ctx, err);
        }
        if (rc != CWM_OK) {
            return rc;
        }
    }
}

/*
 * Pid 1 gets no signal from below but those it has handlers for: the
 * interpreter's for SIGINT would note it, and every later run begin with an
 * interrupt.  Blocked it stays pending here, which no fork inherits.
 */
static void block_handled_signals(void)
{
    struct sigaction now;
    sigset_t handled;

    sigemptyset(&handled);
    for (int i = 1; i < NSIG; i++) {
        if (sigaction(i, NULL, &now) == 0 && now.sa_handler != SIG_DFL &&
            now.sa_handler != SIG_IGN) {
            sigaddset(&handled, i);
        }
    }
    sigprocmask(SIG_BLOCK, &handled, NULL);
}

/* Once, when the worker is warm: what all runs share. */
static enum cwm_rc prepare(struct jail *jail, struct cwm_err *err)
{
    block_handled_signals();
    jail->n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (jail->n_cpus < 1) {
        jail->n_cpus = 1;
    }
    if (jail->landlock_abi > 0 && jail__landlock_prepare(jail) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not prepare Landlock: %s",
                        strerror(errno));
    }
    if (jail->lists.code && jail__seccomp_load(&jail->lists) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "could not load the filter of system calls: %s",
                        strerror(errno));
    }
    jail->address_space_bytes = address_space(jail->statm_fd);
    jail__scratch_attach(jail);
    return CWM_OK;
}

static uint32_t missing_walls(const struct jail *jail)
{
    uint32_t missing = 0;

    for (unsigned i = 0; i < SANDBOX_N_WALLS; i++) {
        if (jail->walls[i].required && !jail->walls[i].up) {
            missing |= 1u << i;
        }
    }
    return missing;
}

enum cwm_rc jail_serve(struct jail *jail, const char *hello,
                       const struct jail_callbacks *callbacks, void *ctx,
                       struct cwm_err *err)
{
    struct message m;
    struct cwm_err own;
    enum cwm_rc rc;

    err = err ? err : &own;
    rc = prepare(jail, err);
    if (rc == CWM_OK) {
        protocol_message_init(&m, MESSAGE_HELLO, hello);
        m.u.missing = missing_walls(jail);
        rc = protocol_send(jail->control_fd, &m, NULL, 0, err);
    }
    if (rc == CWM_OK) {
        rc = serve_all(jail, callbacks, ctx, err);
    }
    if (rc == CWM_CANCELLED) {
        return CWM_OK;
    }
    jail_refuse(jail, err);
    return rc;
}
