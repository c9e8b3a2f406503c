/* SPDX-License-Identifier: MIT */
/*
 * jail_internal.h -- what the jail_*.c files share; private to sandbox/.
 */
#ifndef SANDBOX_JAIL_INTERNAL_H
#define SANDBOX_JAIL_INTERNAL_H

#include <linux/filter.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cwm/base/err.h"
#include "sandbox/jail.h"
#include "sandbox/protocol.h"
#include "sandbox/sandbox.h"

/* Scratch processes of a run that may be alive at one time: sums are bounded
 * by it, and one thread at a time holds the interpreter. */
#define JAIL_MAX_SCRATCH 2

/* A compiled filter; `code` is owned. */
struct jail_filter {
    struct sock_filter *code;
    unsigned short n_codes;
};

/*
 * Memory that a run and pid 1 share, for the end of scratch processes.  The
 * run can write to it: pid 1 only ever stores there.
 */
struct jail_scratch_page {
    _Atomic uint32_t n_ended; /* futex: scratch processes that have ended */
    struct {
        _Atomic int32_t pid;
        _Atomic int32_t status;
    } ended[8]; /* a ring: entry n is the nth that ended, modulo 8 */
};

/* The attendant, as pid 1 has it. */
struct jail_attendant {
    pid_t pid;     /* 0: there is none */
    int fd;        /* owned; -1 */
    bool is_ready; /* it is confined */
    clockid_t clock;
};

struct jail {
    int control_fd;  /* owned */
    int last_pid_fd; /* owned; -1: pids are not the same every time */
    int notify_fd;   /* owned; -1: no scratch processes */
    int child_fd;    /* owned: a signalfd for SIGCHLD */
    int statm_fd;    /* owned: pid 1's /proc/PID/statm */
    int ready_fd;    /* owned: an eventfd, 1 when a run's child is confined */
    uint8_t *shared; /* owned mapping */
    size_t shared_len;
    uint64_t address_space_bytes; /* of the warm worker */
    struct protocol_policy policy;
    struct sandbox_wall_state walls[SANDBOX_N_WALLS];
    /* Filters of system calls: pid 1's and its children's; a scratch
     * process's besides.  No code: the wall is missing. */
    struct jail_filter lists;
    struct jail_filter scratch_filter;
    int landlock_abi;                    /* 0: none */
    struct jail_landlock_rule *landlock; /* owned: rules but the folder's */
    size_t n_landlock;
    long n_cpus;
    uint32_t kept_rights; /* capabilities of pid 1, by number */
    bool stays_root;      /* pid 1 is root: the child becomes nobody */
    char folder[64];      /* the private folder's path */
    struct jail_scratch_page *scratch; /* owned mapping */
    struct jail_attendant attendant;
};

/* Read access that every run has. */
struct jail_landlock_rule {
    int fd; /* owned */
    uint64_t rights;
};

/* jail_folder.c: the private folder of one run. */

/* Make it, empty; -1 with errno. */
int jail__folder_open(struct jail *jail, const struct sandbox_limits *limits);
/* It and all in it are gone; no process of the run may be left. */
void jail__folder_close(struct jail *jail);

/* jail_seccomp.c */
enum cwm_rc jail__seccomp_compile(struct jail *jail, struct cwm_err *err);
void jail__seccomp_release(struct jail *jail);
/* In pid 1, once: have clone() from the scratch instruction asked for. */
int jail__seccomp_notify(void);
int jail__seccomp_load(const struct jail_filter *filter);
/*
 * In a run's child, last: the filter that shuts what making a run needs.
 * has_others: it is not alone in its pid namespace, and may signal only
 * itself.
 */
int jail__seccomp_load_gate(const struct jail *jail, bool has_others);

/* jail_landlock.c; -1 with errno. */

/* Pid 1, once: open what the rules name. */
int jail__landlock_prepare(struct jail *jail);
/* A run's child: a ruleset with all but the private folder; a descriptor. */
int jail__landlock_ruleset(const struct jail *jail);
/* From here on only what the rules say; the current folder is private. */
int jail__landlock_restrict(const struct jail *jail, int ruleset,
                            bool has_folder);

/* jail_run.c */

/* A run as pid 1 got it from the host. */
struct jail_order {
    uint64_t run_id;
    struct sandbox_limits limits;
    int fds[RUN_N_FDS]; /* owned */
};

/* The run's child, from its fork to its end. */
_Noreturn void jail__run_child(struct jail *jail,
                               const struct jail_order *order,
                               const struct jail_callbacks *callbacks,
                               void *ctx);

/* The request in memory of the caller's own; -1 with errno. */
int jail__map_request(int fd, struct jail_run *ret_run);
/* The companion of an attended run: all there is of it. */
_Noreturn void jail__run_attended(struct jail *jail,
                                  const struct jail_order *order,
                                  const struct jail_callbacks *callbacks,
                                  void *ctx, int peer);
/* The attendant; `fd` leads to pid 1. */
_Noreturn void jail__run_attendant(struct jail *jail,
                                   const struct sandbox_limits *limits,
                                   const struct jail_callbacks *callbacks,
                                   void *ctx, int fd);

/* jail_attend.c: in pid 1 */

enum jail_attend_type {
    JAIL_ATTEND_READY, /* it is confined */
    JAIL_ATTEND_RUN,   /* from pid 1: the companion's pid; two descriptors */
    JAIL_ATTEND_WAIT,  /* what is the companion's wait status? */
    JAIL_ATTEND_ENDED, /* from pid 1: this */
    JAIL_ATTEND_DONE,  /* 1: the attendant ends */
};

/* With these walls, is nobody but two in the pid namespace? */
bool jail__attendant_fits(const struct jail *jail,
                          const struct jail_callbacks *callbacks);
/* Unless it is there; -1 with errno. */
int jail__attendant_start(struct jail *jail,
                          const struct sandbox_limits *limits,
                          const struct jail_callbacks *callbacks, void *ctx);
/* If it is there: it is not, any more. */
void jail__attendant_stop(struct jail *jail);
/* Fork a run's companion and tell the attendant; its pid, -1 with errno. */
pid_t jail__attendant_order(struct jail *jail, const struct jail_order *order,
                            const struct jail_callbacks *callbacks, void *ctx);
void jail__attendant_tell_end(const struct jail *jail, int status,
                              uint64_t cpu_us);
/* What it said, if it did; false: nothing is there, or it hung up. */
bool jail__attendant_heard(const struct jail *jail,
                           enum jail_attend_type *ret_type, int32_t *ret_value);
/* The next pid is `last` + 1, where that can be set. */
void jail__set_last_pid(struct jail *jail, int last);
struct jail_attendance *jail__attendance_new(struct jail *jail, int fd);

/* jail_scratch.c */

/* System calls from known instructions; -errno on failure. */
long jail__scratch_clone(unsigned long flags, void *stack, int *parent_tid,
                         int *child_tid, unsigned long tls);
long jail__scratch_seccomp(unsigned int operation, unsigned int flags,
                           void *args);
/* The instructions behind the two. */
extern const char jail__scratch_clone_ip[];
extern const char jail__scratch_seccomp_ip[];
/* The flags that jail_scratch_fork() uses, all the gate lets through. */
#define JAIL_SCRATCH_CLONE_FLAGS                                               \
    (CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

/* Tell jail_scratch_fork() which jail it is in; in pid 1 before the fork. */
void jail__scratch_attach(struct jail *jail);
/* In pid 1: a scratch process has ended. */
void jail__scratch_ended(struct jail_scratch_page *page, pid_t pid, int status);

#endif /* SANDBOX_JAIL_INTERNAL_H */
