/* SPDX-License-Identifier: MIT */
/*
 * probe.c -- which walls does this machine give to this user?  Every one is
 * built for real, in a child process that ends with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/cgroup.h"
#include "sandbox/jail_build.h"
#include "sandbox/protocol.h"
#include "sandbox/sandbox.h"

/* Something to bind; the rest of a policy's paths go the same way. */
static const char *const read_paths[] = {"/usr", "/lib", "/lib64", NULL};

/*
 * A filter that makes getppid() fail with a number nothing else gives, loaded
 * with `flags`: those of the worker's filters.
 */
static void probe_seccomp(struct jail_build *b, unsigned flags)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    const enum sandbox_wall wall = SANDBOX_WALL_SECCOMP;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0) {
        (void)jail__wall_missing(b, wall, NULL, "%s", strerror(errno));
    } else if (syscall(SYS_getppid) != -1 || errno != EXDEV) {
        (void)jail__wall_missing(b, wall, NULL, "a filter had no effect");
    } else {
        jail__wall_up(b, wall, "filters, default deny");
    }
}

static void probe_limits(struct jail_build *b)
{
    const struct rlimit limit = {256ul << 20, 256ul << 20};
    struct rlimit now;

    if (setrlimit(RLIMIT_AS, &limit) < 0 || getrlimit(RLIMIT_AS, &now) < 0 ||
        now.rlim_max != limit.rlim_max) {
        (void)jail__wall_missing(b, SANDBOX_WALL_LIMITS, NULL, "%s",
                                 strerror(errno));
    } else {
        jail__wall_up(b, SANDBOX_WALL_LIMITS, "address space and others");
    }
}

static void probe_landlock(struct jail_build *b)
{
    int abi = jail__landlock_abi();

    /* A second wall round what the mounts wall in: asked for only where the
     * kernel has it, or where it is the only one. */
    b->walls[SANDBOX_WALL_LANDLOCK].required =
        abi > 0 || !b->walls[SANDBOX_WALL_MOUNT_NS].up;
    if (abi > 0) {
        jail__wall_up(b, SANDBOX_WALL_LANDLOCK, "ABI %d", abi);
    } else {
        (void)jail__wall_missing(b, SANDBOX_WALL_LANDLOCK, NULL,
                                 "this kernel has none (%s)", strerror(errno));
    }
}

/* In the first process of the new pid namespace. */
static void probe_inside(struct jail_build *b)
{
    struct cwm_err err;

    if (getpid() != 1) {
        (void)jail__wall_missing(b, SANDBOX_WALL_PID_NS, NULL,
                                 "the first process is not pid 1");
    }
    if (jail__settle(b, &err) != CWM_OK) {
        (void)jail__wall_missing(b, SANDBOX_WALL_USER_NS, NULL, "%s",
                                 err.message);
    } else if (b->walls[SANDBOX_WALL_MOUNT_NS].up &&
               mount("cwm", JAIL_TMP, "tmpfs", 0, "size=4096") < 0) {
        (void)jail__wall_missing(b, SANDBOX_WALL_MOUNT_NS, NULL,
                                 "mounting a private folder: %s",
                                 strerror(errno));
    }
    probe_landlock(b);
    probe_limits(b);
    probe_seccomp(b, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

/* The child: build all that can be had and send the states. */
static _Noreturn void probe_child(int fd)
{
    struct jail_build b;
    struct cwm_err err;
    pid_t pid;
    int status = 1;

    /* None missing is an error here; each tells why in its state. */
    jail__build_init(&b, (1u << SANDBOX_N_WALLS) - 1, read_paths);
    (void)jail__build(&b, &err);
    pid = fork();
    if (pid == 0) {
        if (b.walls[SANDBOX_WALL_PID_NS].up) {
            probe_inside(&b);
        } else {
            probe_landlock(&b);
            probe_limits(&b);
            probe_seccomp(&b, 0);
        }
        _exit(protocol_write_all(fd, b.walls, sizeof(b.walls)) < 0);
    }
    if (pid > 0) {
        waitpid(pid, &status, 0);
    }
    _exit(status != 0);
}

static void probe_cgroup(struct sandbox_wall_state *state)
{
    struct cgroup cgroup;
    struct cwm_err err;

    state->required = false;
    state->up = false;
    if (cgroup_open(&cgroup, &err) != CWM_OK) {
        snprintf(state->detail, sizeof(state->detail), "%.150s", err.message);
        return;
    }
    if (cgroup_limit(&cgroup, 1ull << 30, 64, &err) != CWM_OK) {
        snprintf(state->detail, sizeof(state->detail), "%.150s", err.message);
    } else {
        state->up = true;
        snprintf(state->detail, sizeof(state->detail),
                 "version %d, memory and pids", cgroup.version);
    }
    cgroup_close(&cgroup);
}

/* The states as the child sends them; false when it could not. */
static bool read_states(int fd, struct sandbox_wall_state *walls)
{
    char *to = (char *)walls;
    size_t left = sizeof(*walls) * SANDBOX_N_WALLS;

    while (left > 0) {
        ssize_t n = read(fd, to, left);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        to += n;
        left -= (size_t)n;
    }
    return true;
}

enum cwm_rc sandbox_probe(struct sandbox_wall_state walls[SANDBOX_N_WALLS],
                          struct cwm_err *err)
{
    int fds[2] = {-1, -1};
    bool ok = false;
    pid_t pid;

    memset(walls, 0, sizeof(*walls) * SANDBOX_N_WALLS);
    if (pipe2(fds, O_CLOEXEC) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not open a pipe: %s",
                        strerror(errno));
    }
    pid = fork();
    if (pid == 0) {
        probe_child(fds[1]);
    }
    close(fds[1]);
    if (pid > 0) {
        ok = read_states(fds[0], walls);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    close(fds[0]);
    if (!ok) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not try the jail's walls");
    }
    probe_cgroup(&walls[SANDBOX_WALL_CGROUP]);
    return CWM_OK;
}
