/* SPDX-License-Identifier: MIT */
/* jail_build.c -- namespaces and privileges: see jail_build.h for the order. */
#include "sandbox/jail_build.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The namespaces besides the user's and, as root, the mounts'. */
static const struct {
    int flag;
    enum sandbox_wall wall;
} namespaces[] = {
    {CLONE_NEWPID, SANDBOX_WALL_PID_NS},
    {CLONE_NEWNET, SANDBOX_WALL_NET_NS},
    {CLONE_NEWIPC, SANDBOX_WALL_IPC_NS},
    {CLONE_NEWUTS, SANDBOX_WALL_UTS_NS},
};

void jail__build_init(struct jail_build *b, uint32_t allow_missing,
                      const char *const *read_paths)
{
    memset(b, 0, sizeof(*b));
    b->allow_missing = allow_missing;
    b->read_paths = read_paths;
    b->proc_fd = -1;
    for (int i = 0; i < SANDBOX_N_WALLS; i++) {
        b->walls[i].required = i != SANDBOX_WALL_CGROUP;
    }
}

void jail__build_release(struct jail_build *b)
{
    if (b->proc_fd >= 0) {
        close(b->proc_fd);
        b->proc_fd = -1;
    }
}

void jail__wall_up(struct jail_build *b, enum sandbox_wall wall,
                   const char *format, ...)
{
    struct sandbox_wall_state *state = &b->walls[wall];
    va_list args;

    state->up = true;
    va_start(args, format);
    vsnprintf(state->detail, sizeof(state->detail), format, args);
    va_end(args);
}

enum cwm_rc jail__wall_missing(struct jail_build *b, enum sandbox_wall wall,
                               struct cwm_err *err, const char *format, ...)
{
    struct sandbox_wall_state *state = &b->walls[wall];
    va_list args;

    state->up = false;
    va_start(args, format);
    vsnprintf(state->detail, sizeof(state->detail), format, args);
    va_end(args);
    if (b->allow_missing & (1u << wall)) {
        return CWM_OK;
    }
    return CWM_FAIL(err, CWM_MISSING,
                    "cannot have the wall '%s' of the jail (%s): %s\n"
                    "--allow-missing %s runs without it",
                    sandbox_wall_name(wall), sandbox_wall_what(wall),
                    state->detail, sandbox_wall_name(wall));
}

/*
 * /proc, or where none is mounted (a bare chroot) one that is mounted nowhere:
 * only this descriptor leads to it.
 */
static int open_proc(bool as_root)
{
    int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fs;

    if (fd >= 0 && faccessat(fd, "self/uid_map", F_OK, 0) == 0) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
        fd = -1;
    }
    if (!as_root) {
        return -1;
    }
    fs = fsopen("proc", FSOPEN_CLOEXEC);
    if (fs >= 0) {
        if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) {
            fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
        }
        close(fs);
    }
    return fd;
}

/*
 * Are we root who can turn into nobody?  Not so in a user namespace that maps
 * few ids, as those of rootless containers do: there user 0 is an ordinary
 * user, and goes an ordinary user's way.
 */
static bool is_real_root(int proc_fd)
{
    char text[1024] = "";
    const char *line = text;
    int fd = geteuid() == 0
                 ? openat(proc_fd, "self/uid_map", O_RDONLY | O_CLOEXEC)
                 : -1;
    ssize_t n = -1;

    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    while (line && *line != '\0') {
        unsigned long inside;
        unsigned long outside;
        unsigned long count;

        if (sscanf(line, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
            inside <= JAIL_NOBODY && JAIL_NOBODY - inside < count) {
            return true;
        }
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return false;
}

/* One small write to a file below /proc; -1 with errno. */
static int write_proc(int proc_fd, const char *path, const char *text)
{
    int fd = openat(proc_fd, path, O_WRONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0) {
        return -1;
    }
    n = write(fd, text, strlen(text));
    close(fd);
    return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* Into a user namespace whose user 0 is who we are outside. */
static enum cwm_rc enter_user_ns(struct jail_build *b, struct cwm_err *err)
{
    char map[32];
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (unshare(CLONE_NEWUSER) < 0) {
        /* The kernel gives none to who sits in a chroot, which root leaves. */
        return jail__wall_missing(b, SANDBOX_WALL_USER_NS, err, "unshare: %s%s",
                                  strerror(errno),
                                  errno == EPERM && uid != JAIL_NOBODY
                                      ? " (in a chroot only root can have it)"
                                      : "");
    }
    snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
    if (write_proc(b->proc_fd, "self/setgroups", "deny") < 0 ||
        write_proc(b->proc_fd, "self/uid_map", map) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not write the user map: %s",
                        strerror(errno));
    }
    snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
    if (write_proc(b->proc_fd, "self/gid_map", map) < 0) {
        return jail__wall_missing(b, SANDBOX_WALL_USER_NS, err,
                                  "writing the group map: %s", strerror(errno));
    }
    jail__wall_up(b, SANDBOX_WALL_USER_NS, "user %u outside, 0 inside",
                  (unsigned)uid);
    return CWM_OK;
}

/* Real root turns into nobody, for good. */
static enum cwm_rc become_nobody(struct cwm_err *err)
{
    if (setgroups(0, NULL) < 0 ||
        setresgid(JAIL_NOBODY, JAIL_NOBODY, JAIL_NOBODY) < 0 ||
        setresuid(JAIL_NOBODY, JAIL_NOBODY, JAIL_NOBODY) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not drop root's rights: %s",
                        strerror(errno));
    }
    /* The change of id made /proc/self root's, and the maps lie there. */
    prctl(PR_SET_DUMPABLE, 1);
    return CWM_OK;
}

/* A mount namespace of our own; false: `wall_rc` tells if that will do. */
static bool enter_mount_ns(struct jail_build *b, enum cwm_rc *wall_rc,
                           struct cwm_err *err)
{
    *wall_rc = CWM_OK;
    if (unshare(CLONE_NEWNS) == 0) {
        return true;
    }
    *wall_rc = jail__wall_missing(b, SANDBOX_WALL_MOUNT_NS, err, "unshare: %s",
                                  strerror(errno));
    return false;
}

/* The new root, in a mount namespace; a failure is the mount wall's. */
static enum cwm_rc build_root(struct jail_build *b, uint32_t owner,
                              bool leave_chroot, struct cwm_err *err)
{
    struct cwm_err why;
    enum cwm_rc rc;

    if (!enter_mount_ns(b, &rc, err)) {
        return rc;
    }
    rc = jail__mounts(b->read_paths, owner, leave_chroot, &why);
    if (rc == CWM_SYSTEM) {
        return jail__wall_missing(b, SANDBOX_WALL_MOUNT_NS, err, "%s",
                                  why.message);
    }
    if (rc != CWM_OK) {
        return CWM_FAIL(err, rc, "%s", why.message);
    }
    jail__wall_up(b, SANDBOX_WALL_MOUNT_NS, "own root, nothing else mounted");
    return CWM_OK;
}

static enum cwm_rc enter_others(struct jail_build *b, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
        if (unshare(namespaces[i].flag) < 0) {
            rc = jail__wall_missing(b, namespaces[i].wall, err, "unshare: %s",
                                    strerror(errno));
        } else {
            jail__wall_up(b, namespaces[i].wall, "own namespace");
        }
        if (rc != CWM_OK) {
            return rc;
        }
    }
    /* Hides names of cgroups, which nothing in the jail can see anyway. */
    (void)unshare(CLONE_NEWCGROUP);
    return CWM_OK;
}

/* An ordinary user without a user namespace: no other either. */
static enum cwm_rc do_without(struct jail_build *b, struct cwm_err *err)
{
    static const enum sandbox_wall walls[] = {
        SANDBOX_WALL_MOUNT_NS, SANDBOX_WALL_PID_NS, SANDBOX_WALL_NET_NS,
        SANDBOX_WALL_IPC_NS, SANDBOX_WALL_UTS_NS};
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; rc == CWM_OK && i < sizeof(walls) / sizeof(walls[0]);
         i++) {
        rc = jail__wall_missing(b, walls[i], err, "needs a user namespace");
    }
    return rc;
}

/* Would nobody get a user namespace?  Tried in a process of its own. */
static bool has_user_ns(void)
{
    int status = 1;
    pid_t pid = fork();

    if (pid == 0) {
        _exit(become_nobody(NULL) != CWM_OK || unshare(CLONE_NEWUSER) < 0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static enum cwm_rc build_as_root(struct jail_build *b, struct cwm_err *err)
{
    enum cwm_rc rc = build_root(b, JAIL_NOBODY, true, err);

    if (rc != CWM_OK) {
        return rc;
    }
    if ((b->allow_missing & 1u << SANDBOX_WALL_USER_NS) && !has_user_ns()) {
        b->stays_root = true;
        (void)jail__wall_missing(b, SANDBOX_WALL_USER_NS, NULL,
                                 "the kernel gives none");
        return enter_others(b, err);
    }
    rc = become_nobody(err);
    if (rc == CWM_OK) {
        rc = enter_user_ns(b, err);
    }
    if (rc == CWM_OK && b->walls[SANDBOX_WALL_MOUNT_NS].up) {
        /* One that the user namespace owns, so that /tmp can be mounted. */
        (void)enter_mount_ns(b, &rc, err);
    }
    return rc == CWM_OK ? enter_others(b, err) : rc;
}

static enum cwm_rc build_as_user(struct jail_build *b, struct cwm_err *err)
{
    enum cwm_rc rc = enter_user_ns(b, err);

    if (rc != CWM_OK) {
        return rc;
    }
    if (!b->walls[SANDBOX_WALL_USER_NS].up) {
        return do_without(b, err);
    }
    rc = build_root(b, 0, false, err);
    return rc == CWM_OK ? enter_others(b, err) : rc;
}

enum cwm_rc jail__build(struct jail_build *b, struct cwm_err *err)
{
    enum cwm_rc rc;

    b->proc_fd = open_proc(geteuid() == 0);
    if (b->proc_fd < 0) {
        rc = jail__wall_missing(b, SANDBOX_WALL_USER_NS, err,
                                "no /proc is mounted");
        return rc == CWM_OK ? do_without(b, err) : rc;
    }
    return is_real_root(b->proc_fd) ? build_as_root(b, err)
                                    : build_as_user(b, err);
}

/*
 * What pid 1 keeps of its rights: mounting the private folder and choosing
 * pids; SETPCAP so that a run's child can give all up.  Where it stays root:
 * making nobody of the child, ending it, removing what it left.
 */
static uint32_t kept_rights(const struct jail_build *b)
{
    uint32_t kept = 1u << CAP_SYS_ADMIN | 1u << CAP_SETPCAP;

    if (b->stays_root) {
        kept |= 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL |
                1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER;
    }
    return kept;
}

enum cwm_rc jail__settle(struct jail_build *b, struct cwm_err *err)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    const uint32_t kept = kept_rights(b);

    setsid();
    if (b->walls[SANDBOX_WALL_UTS_NS].up && sethostname("cwm", 3) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not set the host name: %s",
                        strerror(errno));
    }
    prctl(PR_SET_DUMPABLE, 0);
    for (unsigned cap = 0; cap < 64; cap++) {
        bool is_kept = cap < 32 && (kept & 1u << cap);

        if (!is_kept && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
            break; /* behind the last that there is, or no right to drop any */
        }
    }
    if (syscall(SYS_capget, &head, data) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not ask for rights: %s",
                        strerror(errno));
    }
    data[0].permitted &= kept;
    data[0].effective = data[0].permitted;
    b->kept_rights = data[0].permitted;
    data[0].inheritable = 0;
    data[1].permitted = data[1].effective = data[1].inheritable = 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
        syscall(SYS_capset, &head, data) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not drop rights: %s",
                        strerror(errno));
    }
    return CWM_OK;
}

int jail__landlock_abi(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
                        LANDLOCK_CREATE_RULESET_VERSION);
}
