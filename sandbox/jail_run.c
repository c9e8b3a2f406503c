/* SPDX-License-Identifier: MIT */
/*
 * jail_run.c -- a run's child between its fork and the program: its own
 * session, descriptors and limits, no rights, Landlock, the filters.
 *
 * Cheap on purpose: what can be shared by all runs was built before
 * (namespaces, root, compiled filters), what is here must be new for each.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/jail_build.h"
#include "sandbox/jail_internal.h"

/* The main thread's stack, as everywhere. */
#define STACK_BYTES (8u << 20)
/* What Python's or glibc's own use of mlock() could need. */
#define MEMLOCK_BYTES (64u << 10)
/* Queued signals and POSIX timers: kernel memory outside of RLIMIT_AS. */
#define PENDING_SIGNALS 256

/* An attendant's CPU time: it ends by itself long before. */
#define ATTENDANT_CPU_MS 86400000u

/* What stays open until the child is confined: where it says so (or, of an
 * attendant and an attended run, its socket) and the Landlock ruleset. */
enum { READY_FD = 3, RULESET_FD, FIRST_CLOSED_FD };

static int set_limits(const struct jail *jail,
                      const struct sandbox_limits *limits)
{
    const struct {
        unsigned int resource;
        rlim_t value;
    } table[] = {
        {RLIMIT_AS, jail->address_space_bytes + limits->memory_bytes},
        {RLIMIT_CORE, 0},
        /* A backstop: pid 1 measures. */
        {RLIMIT_CPU, limits->cpu_ms / 1000 + 2},
        {RLIMIT_FSIZE, limits->disk_bytes},
        {RLIMIT_NOFILE, limits->open_files},
        /* Counted in the user namespace: pid 1 and the scratch ones too.
         * Without one it would count what the user runs elsewhere. */
        {RLIMIT_NPROC, jail->walls[SANDBOX_WALL_USER_NS].up
                           ? (rlim_t)limits->tasks + 1 + JAIL_MAX_SCRATCH
                           : RLIM_INFINITY},
        {RLIMIT_STACK, STACK_BYTES},
        {RLIMIT_MEMLOCK, MEMLOCK_BYTES},
        {RLIMIT_SIGPENDING, PENDING_SIGNALS},
        {RLIMIT_MSGQUEUE, 0},
        {RLIMIT_NICE, 0},
        {RLIMIT_RTPRIO, 0},
        {RLIMIT_LOCKS, 0},
    };

    if (!jail->walls[SANDBOX_WALL_LIMITS].up) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct rlimit new_limit = {table[i].value, table[i].value};
        struct rlimit old_limit;

        /* The worker's own hard limit may be lower already. */
        if (setrlimit(table[i].resource, &new_limit) < 0) {
            if (getrlimit(table[i].resource, &old_limit) < 0) {
                return -1;
            }
            new_limit.rlim_cur = new_limit.rlim_max = old_limit.rlim_max;
            if (setrlimit(table[i].resource, &new_limit) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int drop_rights(const struct jail *jail)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};

    if (jail->stays_root &&
        (setgroups(0, NULL) < 0 ||
         setresgid(JAIL_NOBODY, JAIL_NOBODY, JAIL_NOBODY) < 0)) {
        return -1;
    }
    if (jail->stays_root || jail->walls[SANDBOX_WALL_USER_NS].up) {
        for (unsigned cap = 0; cap < 32; cap++) {
            if ((jail->kept_rights & 1u << cap) &&
                prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
                return -1;
            }
        }
    }
    if (jail->stays_root &&
        setresuid(JAIL_NOBODY, JAIL_NOBODY, JAIL_NOBODY) < 0) {
        return -1;
    }
    return (int)syscall(SYS_capset, &head, none);
}

/* has_others: there are processes that it must not signal. */
static int confine(struct jail *jail, const struct sandbox_limits *limits,
                   bool has_others, bool has_folder)
{
    if (jail->landlock_abi > 0) {
        if (jail__landlock_restrict(jail, RULESET_FD, has_folder) < 0) {
            return -1;
        }
        close(RULESET_FD);
    }
    if (set_limits(jail, limits) < 0 || drop_rights(jail) < 0) {
        return -1;
    }
    return jail->lists.code ? jail__seccomp_load_gate(jail, has_others) : 0;
}

/* Descriptors 0, 1, 2, the two of our own, and nothing else. */
static int take_descriptors(const struct jail *jail, const int fds[RUN_N_FDS],
                            int third)
{
    int ready = fcntl(third, F_DUPFD_CLOEXEC, FIRST_CLOSED_FD);
    int ruleset = -1;

    if (jail->landlock_abi > 0) {
        ruleset = jail__landlock_ruleset(jail);
        if (ruleset < 0) {
            return -1;
        }
    }
    /* Pid 1's own lie at 3 and 4: none of the run's is overwritten. */
    if (ready < 0 || dup2(fds[RUN_FD_STDIN], 0) < 0 ||
        dup2(fds[RUN_FD_STDOUT], 1) < 0 || dup2(fds[RUN_FD_STDERR], 2) < 0 ||
        dup2(ready, READY_FD) < 0 ||
        (ruleset >= 0 && dup2(ruleset, RULESET_FD) < 0)) {
        return -1;
    }
    return close_range(FIRST_CLOSED_FD, ~0u, 0);
}

int jail__map_request(int fd, struct jail_run *ret_run)
{
    struct stat st;
    void *data;

    if (fstat(fd, &st) < 0) {
        return -1;
    }
    ret_run->request = (const uint8_t *)"";
    ret_run->request_len = (size_t)st.st_size;
    if (st.st_size > 0) {
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) {
            return -1;
        }
        ret_run->request = data;
    }
    return 0;
}

static void report(uint64_t value)
{
    ssize_t n = write(READY_FD, &value, sizeof(value));

    (void)n; /* an eventfd takes it whole, and without it we are unconfined */
    close(READY_FD);
}

/*
 * The companion: what it must not have goes before anything else.  The lists
 * of system calls let an unconfined child fork; the gate does not.
 */
static _Noreturn void run_companion(struct jail *jail,
                                    const struct jail_order *order,
                                    const struct jail_callbacks *callbacks,
                                    void *ctx, struct jail_run *run, int peer)
{
    sigset_t none;

    if ((run->request_len > 0 &&
         munmap((void *)(uintptr_t)run->request, run->request_len) < 0) ||
        (jail->shared_len > 0 && munmap(jail->shared, jail->shared_len) < 0) ||
        confine(jail, &order->limits, true, true) < 0) {
        _exit(127); /* its peer sees that it never said anything */
    }
    memset(run, 0, sizeof(*run));
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    _exit(callbacks->companion(ctx, peer));
}

/* -1 with errno. */
static int start_companion(struct jail *jail, const struct jail_order *order,
                           const struct jail_callbacks *callbacks, void *ctx,
                           struct jail_run *run)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return -1;
    }
    pid = fork();
    if (pid == 0) {
        close(READY_FD);
        close(pair[0]);
        run_companion(jail, order, callbacks, ctx, run, pair[1]);
    }
    close(pair[1]);
    run->companion_fd = pair[0];
    run->companion = pid;
    return pid < 0 ? -1 : 0;
}

void jail__run_child(struct jail *jail, const struct jail_order *order,
                     const struct jail_callbacks *callbacks, void *ctx)
{
    struct jail_run run = {.shared = jail->shared,
                           .shared_len = jail->shared_len,
                           .companion_fd = -1};
    bool has_companion = false;
    sigset_t none;

    sigemptyset(&none);
    setsid();
    if (!jail->walls[SANDBOX_WALL_PID_NS].up) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    if (jail__map_request(order->fds[RUN_FD_REQUEST], &run) < 0 ||
        take_descriptors(jail, order->fds, jail->ready_fd) < 0 ||
        chdir(jail->folder) < 0) {
        _exit(127); /* unconfined: pid 1 sees that nothing was reported */
    }
    if (callbacks->after_fork_child) {
        callbacks->after_fork_child(ctx);
    }
    if (callbacks->wants_companion) {
        has_companion = callbacks->wants_companion(ctx, &run);
    }
    if ((has_companion &&
         start_companion(jail, order, callbacks, ctx, &run) < 0) ||
        confine(jail, &order->limits, has_companion, true) < 0) {
        report((uint64_t)errno + 1);
        _exit(127);
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    report(1);
    _exit(callbacks->run(ctx, &run));
}

void jail__run_attended(struct jail *jail, const struct jail_order *order,
                        const struct jail_callbacks *callbacks, void *ctx,
                        int peer)
{
    struct jail_run run = {.companion_fd = -1};

    setsid();
    if (take_descriptors(jail, order->fds, peer) < 0 ||
        chdir(jail->folder) < 0) {
        _exit(127); /* the attendant sees that it never said anything */
    }
    if (callbacks->after_fork_child) {
        callbacks->after_fork_child(ctx);
    }
    run_companion(jail, order, callbacks, ctx, &run, READY_FD);
}

void jail__run_attendant(struct jail *jail, const struct sandbox_limits *limits,
                         const struct jail_callbacks *callbacks, void *ctx,
                         int fd)
{
    struct sandbox_limits own = *limits;
    struct jail_attendance *a = jail__attendance_new(jail, READY_FD);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int fds[RUN_N_FDS] = {null_fd, null_fd, null_fd, null_fd};
    sigset_t none;

    setsid();
    own.cpu_ms = ATTENDANT_CPU_MS;
    if (!a || null_fd < 0 || take_descriptors(jail, fds, fd) < 0 ||
        chdir("/") < 0 || confine(jail, &own, true, false) < 0) {
        _exit(127); /* pid 1 sees that it never was ready */
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    _exit(callbacks->attend(ctx, a));
}
