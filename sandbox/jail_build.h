/* SPDX-License-Identifier: MIT */
/*
 * jail_build.h -- the walls that are built once for a worker; private to
 * sandbox/ (the worker's start and the probe both build them).
 *
 * The way as real root: a private mount namespace and the new root first,
 * while every folder can still be read (an interpreter may lie below a 0700
 * folder), then an unprivileged id for good, then the user namespace and the
 * others.  As an ordinary user: the user namespace first, the mounts inside
 * it.  Either way the process ends up as user 0 of a user namespace that is
 * nobody outside, and the same tree lies round it.
 *
 * Walls that cannot be had and need not be are left out.  Real root without a
 * user namespace stays root in pid 1, and each run becomes nobody; an ordinary
 * user without one has no namespace at all.
 */
#ifndef SANDBOX_JAIL_BUILD_H
#define SANDBOX_JAIL_BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "sandbox/sandbox.h"

/* The unprivileged id that real root changes to: nobody, on any Linux. */
#define JAIL_NOBODY 65534

/* The run's private folder and its home for as long as it lasts. */
#define JAIL_TMP "/tmp"

struct jail_build {
    uint32_t allow_missing;                           /* 1u << wall */
    const char *const *read_paths;                    /* borrowed, NULL-ended */
    struct sandbox_wall_state walls[SANDBOX_N_WALLS]; /* as found so far */
    int proc_fd;          /* owned: the /proc of the outside; close it soon */
    uint32_t kept_rights; /* what pid 1 has, by number of capability */
    bool stays_root; /* no user namespace: pid 1 is root, each run nobody */
};

void jail__build_init(struct jail_build *b, uint32_t allow_missing,
                      const char *const *read_paths);

/*
 * Build every wall that is a namespace or a mount.  The caller then forks:
 * its child is pid 1 of the new pid namespace.  Fails: CWM_MISSING, CWM_SYSTEM.
 */
enum cwm_rc jail__build(struct jail_build *b, struct cwm_err *err);
void jail__build_release(struct jail_build *b);

/* Note that `wall` is up and how. */
void jail__wall_up(struct jail_build *b, enum sandbox_wall wall,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Note that `wall` cannot be had and why: CWM_OK where the policy accepts
 * that, else CWM_MISSING with the message that the user gets.
 */
enum cwm_rc jail__wall_missing(struct jail_build *b, enum sandbox_wall wall,
                               struct cwm_err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The last steps, in pid 1: session, host name, privileges. */
enum cwm_rc jail__settle(struct jail_build *b, struct cwm_err *err);

/*
 * jail_mounts.c: in a mount namespace of its own, make the new root with the
 * read paths bound at their own places and move into it.  `owner` is who
 * shall own its folders.  leave_chroot: real root, which may sit in a chroot.
 */
enum cwm_rc jail__mounts(const char *const *read_paths, uint32_t owner,
                         bool leave_chroot, struct cwm_err *err);
/* Best Landlock ABI of the kernel; 0 and errno when there is none. */
int jail__landlock_abi(void);

#endif /* SANDBOX_JAIL_BUILD_H */
