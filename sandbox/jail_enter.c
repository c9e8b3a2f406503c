/* SPDX-License-Identifier: MIT */
/*
 * jail_enter.c -- from a program that the host has just started to pid 1 of a
 * jail.  Two processes remain: the outer one, which only waits so that the
 * host has a child to wait for, and pid 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "sandbox/jail_build.h"
#include "sandbox/jail_internal.h"

static enum cwm_rc map_shared(struct jail *jail, struct cwm_err *err)
{
    void *p;

    jail->shared_len = jail->policy.shared_bytes;
    if (jail->shared_len > 0) {
        p = mmap(NULL, jail->shared_len, PROT_READ | PROT_WRITE, MAP_SHARED,
                 PROTOCOL_SHARED_FD, 0);
        if (p == MAP_FAILED) {
            return CWM_FAIL(err, CWM_SYSTEM,
                            "could not map the shared memory: %s",
                            strerror(errno));
        }
        jail->shared = p;
    }
    close(PROTOCOL_SHARED_FD);
    p = mmap(NULL, sizeof(*jail->scratch), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not map memory: %s",
                        strerror(errno));
    }
    jail->scratch = p;
    return CWM_OK;
}

/* In pid 1: what it needs of /proc, which is out of reach from then on. */
static enum cwm_rc open_descriptors(struct jail *jail,
                                    const struct jail_build *build,
                                    struct cwm_err *err)
{
    sigset_t set;

    jail->last_pid_fd =
        openat(build->proc_fd, "sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    jail->statm_fd = openat(build->proc_fd, "self/statm", O_RDONLY | O_CLOEXEC);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    jail->child_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    jail->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (jail->statm_fd < 0 || jail->child_fd < 0 || jail->ready_fd < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not open descriptors: %s",
                        strerror(errno));
    }
    return CWM_OK;
}

/* Each run sets limits; a machine that refuses that refuses these, too. */
static enum cwm_rc prepare_limits(struct jail_build *build, struct cwm_err *err)
{
    struct rlimit as_it_is;

    if (getrlimit(RLIMIT_AS, &as_it_is) < 0 ||
        setrlimit(RLIMIT_AS, &as_it_is) < 0) {
        return jail__wall_missing(build, SANDBOX_WALL_LIMITS, err,
                                  "setrlimit: %s", strerror(errno));
    }
    jail__wall_up(build, SANDBOX_WALL_LIMITS, "address space and others");
    return CWM_OK;
}

/*
 * The filters, and a listener for what a run asks of pid 1: scratch processes
 * (jail_scratch.c), without which values could not be shown as elsewhere.  A
 * container that listens itself leaves none to us.  Without a pid namespace
 * there are no scratch processes anyway.
 */
static enum cwm_rc prepare_filters(struct jail *jail, struct jail_build *build,
                                   struct cwm_err *err)
{
    enum cwm_rc rc = jail__seccomp_compile(jail, err);

    if (rc != CWM_OK) {
        return rc;
    }
    jail__wall_up(build, SANDBOX_WALL_SECCOMP, "filters");
    if (build->walls[SANDBOX_WALL_PID_NS].up) {
        jail->notify_fd = jail__seccomp_notify();
        if (jail->notify_fd < 0) {
            return jail__wall_missing(build, SANDBOX_WALL_SECCOMP, err,
                                      "no listener can be had: %s",
                                      strerror(errno));
        }
    }
    return CWM_OK;
}

static enum cwm_rc prepare_walls(struct jail *jail, struct jail_build *build,
                                 struct cwm_err *err)
{
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    enum cwm_rc rc = CWM_OK;

    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) {
        rc = prepare_filters(jail, build, err);
    } else if (!build->walls[SANDBOX_WALL_PID_NS].up) {
        return CWM_FAIL(err, CWM_MISSING,
                        "cannot build a jail with neither pid-ns nor seccomp: "
                        "%s",
                        strerror(errno));
    } else {
        rc = jail__wall_missing(build, SANDBOX_WALL_SECCOMP, err, "%s",
                                strerror(errno));
    }
    if (rc == CWM_OK) {
        rc = prepare_limits(build, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    jail->landlock_abi = jail__landlock_abi();
    if (jail->landlock_abi > 0) {
        jail__wall_up(build, SANDBOX_WALL_LANDLOCK, "ABI %d",
                      jail->landlock_abi);
        return CWM_OK;
    }
    jail->landlock_abi = 0;
    /* A second wall only, on which nothing rests, unless the first is not. */
    if (build->walls[SANDBOX_WALL_MOUNT_NS].up) {
        build->walls[SANDBOX_WALL_LANDLOCK].required = false;
        return CWM_OK;
    }
    return jail__wall_missing(build, SANDBOX_WALL_LANDLOCK, err,
                              "this kernel has none");
}

/* The outer process: end as pid 1 ends. */
static _Noreturn void wait_for_inner(pid_t pid)
{
    int status = 0;

    close_range(0, ~0u, 0);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static enum cwm_rc become_inner(struct jail *jail, struct jail_build *build,
                                struct cwm_err *err)
{
    enum cwm_rc rc = jail__settle(build, err);

    if (rc == CWM_OK) {
        /* Behind the changes of rights, which clear it. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        rc = open_descriptors(jail, build, err);
    }
    if (rc == CWM_OK) {
        rc = map_shared(jail, err);
    }
    if (rc == CWM_OK) {
        rc = prepare_walls(jail, build, err);
    }
    memcpy(jail->walls, build->walls, sizeof(jail->walls));
    jail->stays_root = build->stays_root;
    jail->kept_rights = build->kept_rights;
    return rc;
}

/* Up to the fork; in the outer process it does not return. */
static enum cwm_rc build_round(struct jail *jail, struct jail_build *build,
                               struct cwm_err *err)
{
    enum cwm_rc rc = jail__build(build, err);
    pid_t pid;

    if (rc != CWM_OK) {
        return rc;
    }
    pid = fork();
    if (pid < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not fork in the jail: %s",
                        strerror(errno));
    }
    if (pid > 0) {
        wait_for_inner(pid);
    }
    return become_inner(jail, build, err);
}

enum cwm_rc jail_enter(int argc, char **argv, struct jail **ret_jail,
                       struct cwm_err *err)
{
    struct jail *jail = NULL; /* owned; lives as long as the process */
    struct jail_build build;
    struct message go;
    struct cwm_err own;
    enum cwm_rc rc;

    (void)argc;
    (void)argv;
    err = err ? err : &own;
    jail = cwm_calloc(1, sizeof(*jail));
    if (!jail) {
        return CWM_FAIL(err, CWM_NOMEM, "could not allocate the jail");
    }
    jail->control_fd = PROTOCOL_CONTROL_FD;
    jail->last_pid_fd = jail->notify_fd = jail->child_fd = -1;
    jail->statm_fd = jail->ready_fd = jail->attendant.fd = -1;
    rc = protocol_policy_read(PROTOCOL_POLICY_FD, &jail->policy, err);
    if (rc != CWM_OK) {
        cwm_free(jail);
        return rc;
    }
    for (int fd = PROTOCOL_CONTROL_FD; fd < PROTOCOL_N_FDS; fd++) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    close(PROTOCOL_POLICY_FD);
    close_range(PROTOCOL_N_FDS, ~0u, 0);
    umask(022);
    /* An arena for every thread would be address space in plenty. */
    mallopt(M_ARENA_MAX, 1);
    jail__build_init(&build, jail->policy.allow_missing,
                     (const char *const *)jail->policy.read_paths);
    /* The host has put us into our cgroup when it says go. */
    rc = protocol_receive(jail->control_fd, &go, NULL, err);
    if (rc == CWM_OK) {
        rc = build_round(jail, &build, err);
    }
    jail__build_release(&build);
    if (rc != CWM_OK) {
        jail_refuse(jail, err);
        return rc;
    }
    *ret_jail = jail;
    return CWM_OK;
}

void jail_refuse(struct jail *jail, const struct cwm_err *err)
{
    struct message m;

    protocol_message_init(&m, MESSAGE_REFUSE, err->message);
    m.u.code = (uint32_t)err->code;
    (void)protocol_send(jail->control_fd, &m, NULL, 0, NULL);
}
