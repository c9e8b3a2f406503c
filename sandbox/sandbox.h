/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h -- the host's side of the jail: policy in, verdict out.
 *
 * A `struct sandbox` is one warm worker process in a jail of its own (user,
 * pid, mount, net, ipc, uts and cgroup namespaces, a root of read-only binds,
 * seccomp, limits).  The worker is pid 1 of its pid namespace and never runs
 * untrusted code; for every run it forks one child that is confined further
 * (jail.h) and that dies, with all it started, before the run's verdict is
 * given.  Nothing that one run left is visible to the next.  A worker may keep
 * a trusted process beside its runs (jail.h: attendant).
 *
 * Trust: the worker until it forks; the child and all bytes that come from it
 * are hostile.  A verdict is what the kernel says (wait status, clocks,
 * cgroup counters), never what the child wrote.
 *
 * Verdict is not error: a run that crashed, hung or was killed returns CWM_OK.
 * An error means that our own machinery failed; the sandbox restarts its
 * worker by itself where that can help, once per run.
 *
 * Threads: one thread at a time per `struct sandbox`; different ones freely.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"
#include "cwm/base/err.h"

/* Where a read path with a '=' in front is seen in the jail. */
#define SANDBOX_PLACE "/repo"

/* The walls: name on the command line, what it stops. */
#define SANDBOX_WALL_TABLE(X)                                                  \
    X(USER_NS, "user-ns", "user namespace: no privilege on the host")          \
    X(PID_NS, "pid-ns", "pid namespace: sees and signals no host process")     \
    X(MOUNT_NS, "mount-ns", "own root: interpreter and libraries read-only")   \
    X(NET_NS, "net-ns", "network namespace: no interface, no address")         \
    X(IPC_NS, "ipc-ns", "ipc namespace: no shared memory or queues of others") \
    X(UTS_NS, "uts-ns", "uts namespace: a host name of its own")               \
    X(SECCOMP, "seccomp", "system calls: default deny, an allow-list")         \
    X(LANDLOCK, "landlock", "Landlock: a second wall round the files")         \
    X(LIMITS, "limits", "rlimits: address space, files, processes, CPU")       \
    X(CGROUP, "cgroup", "cgroup: memory and tasks bounded in sum by the kernel")

enum sandbox_wall {
#define SANDBOX_WALL_ENUM(id, name, what) SANDBOX_WALL_##id,
    SANDBOX_WALL_TABLE(SANDBOX_WALL_ENUM)
#undef SANDBOX_WALL_ENUM
        SANDBOX_N_WALLS
};

const char *sandbox_wall_name(enum sandbox_wall wall);
const char *sandbox_wall_what(enum sandbox_wall wall);
/* -1 when there is no wall of that name. */
int sandbox_wall_find(const char *name);

/* What this machine gives to this user. */
struct sandbox_wall_state {
    bool up;
    bool required;    /* missing and required: runs are refused */
    char detail[160]; /* how it is had ("v1, memory and pids"), or why not */
};

/* Try every wall for real; fills all states.  Errors are our own failures. */
enum cwm_rc sandbox_probe(struct sandbox_wall_state walls[SANDBOX_N_WALLS],
                          struct cwm_err *err);

struct sandbox_limits {
    uint64_t cpu_ms;       /* CPU time of the run, all threads */
    uint64_t wall_ms;      /* real time of the run */
    uint64_t memory_bytes; /* what the run may add to the warm interpreter */
    uint64_t disk_bytes;   /* the private folder */
    uint64_t disk_files;   /* inodes in the private folder */
    uint64_t output_bytes; /* stdout and stderr together */
    uint32_t tasks;        /* threads */
    uint32_t open_files;
    bool is_attended; /* under the worker's attendant (jail.h), where walls and
                         worker have one */
};

struct sandbox_policy {
    const char *worker_path; /* borrowed: the program that runs inside */
    /*
     * Borrowed, NULL-ended: bound read-only, each at its own place; one as
     * "=/PATH" (no link in it) at SANDBOX_PLACE, so that what runs does not
     * see where it lies.  That takes the wall mount-ns.
     */
    const char *const *read_paths;
    size_t shared_bytes; /* size of the memory that a run writes results to */
    uint32_t allow_missing;         /* 1u << wall: accept without it */
    const char *const *worker_args; /* borrowed, NULL-ended, behind argv[0] */
};

/* How a run ended, in the kernel's words. */
#define SANDBOX_END_TABLE(X)                                                   \
    X(EXITED, "exited")       /* code: exit status */                          \
    X(SIGNALLED, "signalled") /* code: signal number */                        \
    X(CPU_TIME, "cpu time")   /* over limits.cpu_ms */                         \
    X(WALL_TIME, "wall time") /* over limits.wall_ms */                        \
    X(MEMORY, "memory")       /* killed for memory by cgroup or watcher */     \
    X(OUTPUT, "output")       /* over limits.output_bytes */                   \
    X(DENIED, "denied")       /* a forbidden system call; code: -1 */

enum sandbox_end {
#define SANDBOX_END_ENUM(id, text) SANDBOX_END_##id,
    SANDBOX_END_TABLE(SANDBOX_END_ENUM)
#undef SANDBOX_END_ENUM
};

struct sandbox_verdict {
    enum sandbox_end end;
    int code;
    uint64_t cpu_us; /* user + system of the run */
    uint64_t wall_us;
    uint64_t max_rss_bytes;
};

struct sandbox; /* opaque: sandbox.c */

/*
 * Start a worker in its jail and wait until it says it is warm.
 * Fails: CWM_MISSING when a wall that the policy requires cannot be had (the
 * message names the wall, what the system said, and --allow-missing WALL),
 * CWM_SYSTEM, CWM_NOMEM, CWM_IO.
 */
enum cwm_rc sandbox_open(const struct sandbox_policy *policy,
                         struct sandbox **ret_sandbox, struct cwm_err *err);
void sandbox_close(struct sandbox *s); /* NULL is fine; no process is left */

/*
 * One run.  `request` (copied to the child) is opaque here.  stdin_data is
 * what the run reads on descriptor 0.  out and err_out are cleared, then hold
 * what it wrote, together at most limits->output_bytes.  After the call
 * sandbox_shared() holds what the run left in the shared memory.
 * `cancel` (NULL or a flag set from another thread/handler) stops the run:
 * CWM_CANCELLED.
 */
enum cwm_rc sandbox_run(struct sandbox *s, const void *request,
                        size_t request_len, const void *stdin_data,
                        size_t stdin_len, const struct sandbox_limits *limits,
                        const volatile int *cancel,
                        struct sandbox_verdict *ret_verdict,
                        struct cwm_buf *out, struct cwm_buf *err_out,
                        struct cwm_err *err);

/*
 * The shared memory as the last run left it: hostile bytes, stable until the
 * next sandbox_run() or sandbox_close() since no process of the run is left.
 */
const uint8_t *sandbox_shared(const struct sandbox *s, size_t *ret_len);

/* What the worker said of itself when it was warm (its hello text). */
const char *sandbox_hello(const struct sandbox *s);

/* The walls that it does without, 1u << wall: missing here, and accepted. */
uint32_t sandbox_missing(const struct sandbox *s);

#endif /* SANDBOX_SANDBOX_H */
