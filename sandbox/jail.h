/* SPDX-License-Identifier: MIT */
/*
 * jail.h -- the inside of the jail: what a worker program links.
 *
 * A worker's main() is:
 *     jail_enter()   build the jail round this process (it becomes pid 1 of a
 *                    new pid namespace, in a root of read-only binds)
 *     ...            warm up: everything here happens inside the jail
 *     jail_serve()   fork a confined child for every run, for ever
 * The descriptors it inherits (control socket, shared memory, the policy) are
 * a private matter of sandbox.c and jail.c.
 *
 * Threads: the worker is single-threaded until jail_serve()'s child runs.
 */
#ifndef SANDBOX_JAIL_H
#define SANDBOX_JAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cwm/base/err.h"

struct jail; /* opaque */

/*
 * Build the jail.  On failure the host has been told why over the control
 * socket and the caller exits.  argc/argv: main's.
 */
enum cwm_rc jail_enter(int argc, char **argv, struct jail **ret_jail,
                       struct cwm_err *err);

/* Tell the host why the warm-up failed (before jail_serve). */
void jail_refuse(struct jail *jail, const struct cwm_err *err);

struct jail_run {
    const uint8_t *request; /* borrowed, lives as long as the child */
    size_t request_len;
    uint8_t *shared; /* the shared memory, zeroed, writable */
    size_t shared_len;
    /* Of a run that has a companion: a stream socket to it, and its pid; else
     * -1 and 0. */
    int companion_fd;
    pid_t companion;
};

struct jail_attendance; /* opaque: jail_attend.c */

struct jail_callbacks {
    /* In the parent, before each fork; may be NULL. */
    void (*before_fork)(void *ctx);
    /* In the parent, after each fork; may be NULL. */
    void (*after_fork_parent)(void *ctx);
    /*
     * In the child, first thing, still unconfined but already alone (own
     * descriptors, own session); may be NULL.
     */
    void (*after_fork_child)(void *ctx);
    /*
     * In the child, fully confined: descriptors 0, 1, 2 are the run's, the
     * current folder is the empty private one.  Returns the exit status.
     * Untrusted code runs from here on.
     */
    int (*run)(void *ctx, const struct jail_run *run);
    /*
     * Asked in the child, unconfined, of its request: is it to have a
     * companion?  NULL: never.
     */
    bool (*wants_companion)(void *ctx, const struct jail_run *run);
    /*
     * In a companion: a second process of the run, forked from the child
     * before anything of the request was looked at but by the question above,
     * and confined as it is.  It has neither the request nor the shared
     * memory, can signal nobody but itself, and shares with the child `peer`,
     * the descriptors 0, 1, 2 and the private folder.  Returns its exit
     * status.  It dies with the run; its CPU time is the run's only once it
     * has died, so the child watches it.
     */
    int (*companion)(void *ctx, int peer);
    /*
     * In an attendant: a process that stands beside runs, forked from pid 1
     * and confined as they are, but with no folder.  A run that asks for it
     * (sandbox_limits.is_attended) is the companion alone, forked from pid 1;
     * the attendant has its request, the shared memory and the socket's other
     * end.  So it is trusted with all of its runs: nothing of one may be left
     * in it for the next.  Takes runs from jail_attend_next() until there is
     * none; returns the exit status.  NULL: there are no attendants.
     */
    int (*attend)(void *ctx, struct jail_attendance *a);
};

/*
 * Say hello (a text for sandbox_hello()) and serve runs until the host hangs
 * up; then returns CWM_OK.
 */
enum cwm_rc jail_serve(struct jail *jail, const char *hello,
                       const struct jail_callbacks *callbacks, void *ctx,
                       struct cwm_err *err);

/* For use in an attendant: the next run; false: there will be none. */
bool jail_attend_next(struct jail_attendance *a, struct jail_run *ret_run);
/*
 * The wait status of the run's companion, once it has ended, and its CPU time;
 * -1: unknown.
 */
int jail_attend_wait(struct jail_attendance *a, uint64_t *ret_cpu_us);
/*
 * The run is over: its request and socket (unless -1) are gone, its companion
 * is killed.  is_last: the attendant ends now; there will be another one.
 */
void jail_attend_done(struct jail_attendance *a, const struct jail_run *run,
                      bool is_last);

/*
 * For use inside a run: fork a scratch process whose effects cannot reach the
 * run -- descriptors closed or on /dev/null, files read-only, no signals to
 * others, a copy of the memory -- to evaluate something whose side effects
 * must be lost.  It is invisible to the run (no SIGCHLD, not in wait()).
 * Returns 0 in the scratch process, which ends with _exit(); its pid in the
 * run; -1 with errno when it cannot be had: EAGAIN when two are alive, ENOSYS
 * without seccomp or a pid namespace.  The kernel ends it after `cpu_ms` of
 * CPU time (SIGPROF) or 4 * cpu_ms of real time (SIGALRM).
 * Memory mapped MAP_SHARED | MAP_ANONYMOUS before the call passes results.
 */
pid_t jail_scratch_fork(uint32_t cpu_ms);
/* Wait for it; the wait status, or -1. */
int jail_scratch_wait(pid_t pid);

#endif /* SANDBOX_JAIL_H */
