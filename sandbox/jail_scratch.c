/* SPDX-License-Identifier: MIT */
/*
 * jail_scratch.c -- throw-away copies of a run, to evaluate what must not
 * have effects.
 *
 * A run cannot create processes; the gate (jail_seccomp.c) makes one
 * exception, for a clone() with fixed flags from the one instruction below,
 * and pid 1 is asked each time and counts (jail_serve.c).  CLONE_PARENT makes
 * the copy a child of pid 1: the run's wait() and SIGCHLD never see it, its
 * time is added to the run's, and its wait status comes back through a page
 * that run and pid 1 share.
 *
 * Native code that jumps to the instruction gets a process with the run's own
 * rights, of which JAIL_MAX_SCRATCH can be alive: sums stay bounded by that
 * factor, and none outlives the run.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/jail_internal.h"

/* Real time for each unit of CPU time (jail.h). */
#define WALL_FACTOR 4

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

/*
 * The one mutable global: jail_scratch_fork() is called from deep inside an
 * interpreter, where no context can be handed through.
 */
static struct {
    struct jail *jail; /* borrowed, set before the run's child is forked */
    pid_t run_pid;     /* in a scratch process: the run's; 0 elsewhere */
} scratch;

/*
 * In place of libc's, for all that is linked with us: a scratch process is a
 * copy of the run, and code that asks whether it still is in the process where
 * it began (multiprocessing's __repr__) shall get the run's answer.
 */
pid_t getpid(void)
{
    return scratch.run_pid ? scratch.run_pid : (pid_t)syscall(SYS_getpid);
}

#ifdef __x86_64__
__asm__(".pushsection .text\n"
        ".globl jail__scratch_clone\n"
        ".type jail__scratch_clone, @function\n"
        "jail__scratch_clone:\n"
        "    mov %rcx, %r10\n"
        "    mov $56, %eax\n" /* clone */
        "    syscall\n"
        ".globl jail__scratch_clone_ip\n"
        "jail__scratch_clone_ip:\n"
        "    ret\n"
        ".size jail__scratch_clone, . - jail__scratch_clone\n"
        ".globl jail__scratch_seccomp\n"
        ".type jail__scratch_seccomp, @function\n"
        "jail__scratch_seccomp:\n"
        "    mov $317, %eax\n" /* seccomp */
        "    syscall\n"
        ".globl jail__scratch_seccomp_ip\n"
        "jail__scratch_seccomp_ip:\n"
        "    ret\n"
        ".size jail__scratch_seccomp, . - jail__scratch_seccomp\n"
        ".popsection\n");
#else
#error "the jail's system call gate is written for x86-64 only"
#endif

void jail__scratch_attach(struct jail *jail)
{
    scratch.jail = jail;
}

void jail__scratch_ended(struct jail_scratch_page *page, pid_t pid, int status)
{
    uint32_t n = atomic_load(&page->n_ended);
    uint32_t at = n % (sizeof(page->ended) / sizeof(page->ended[0]));

    atomic_store(&page->ended[at].status, status);
    atomic_store(&page->ended[at].pid, pid);
    atomic_store(&page->n_ended, n + 1);
    syscall(SYS_futex, &page->n_ended, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* Timers whose signals nothing in the scratch process can catch or block. */
static int arm_timers(uint32_t cpu_ms)
{
    const uint64_t wall_ms = (uint64_t)cpu_ms * WALL_FACTOR;
    const struct itimerval cpu = {
        .it_value = {cpu_ms / 1000, (suseconds_t)(cpu_ms % 1000) * 1000}};
    const struct itimerval wall = {
        .it_value = {(time_t)(wall_ms / 1000),
                     (suseconds_t)(wall_ms % 1000) * 1000}};
    sigset_t set;

    signal(SIGPROF, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    if (setitimer(ITIMER_PROF, &cpu, NULL) < 0 ||
        setitimer(ITIMER_REAL, &wall, NULL) < 0) {
        return -1;
    }
    sigemptyset(&set);
    return sigprocmask(SIG_SETMASK, &set, NULL);
}

/* In the scratch process: nothing that it can reach is the run's. */
static int become_scratch(const struct jail *jail, uint32_t cpu_ms)
{
    const struct rlimit none = {0, 0};
    int null_fd;

    /* The run's results: read them if you like. */
    if (jail->shared_len > 0) {
        mprotect(jail->shared, jail->shared_len, PROT_READ);
    }
    close_range(0, ~0u, 0);
    null_fd = open("/dev/null", O_RDWR);
    if (null_fd != 0 || dup(0) != 1 || dup(0) != 2) {
        return -1;
    }
    setrlimit(RLIMIT_FSIZE, &none);
    if (arm_timers(cpu_ms) < 0) {
        return -1;
    }
    return jail->scratch_filter.code ? jail__seccomp_load(&jail->scratch_filter)
                                     : 0;
}

pid_t jail_scratch_fork(uint32_t cpu_ms)
{
    struct jail *jail = scratch.jail;
    const pid_t run_pid = getpid();
    int *tid = NULL; /* borrowed from libc: where it keeps the thread's id */
    unsigned long flags = JAIL_SCRATCH_CLONE_FLAGS;
    sigset_t all;
    sigset_t before;
    long pid;

    if (!jail || jail->notify_fd < 0 || cpu_ms == 0) {
        errno = ENOSYS;
        return -1;
    }
    if (prctl(PR_GET_TID_ADDRESS, &tid, 0, 0, 0) < 0) {
        return -1;
    }
    /* No handler of the program may run in the copy. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = jail__scratch_clone(flags, NULL, NULL, tid, 0);
    if (pid == 0) {
        scratch.run_pid = run_pid;
        if (become_scratch(jail, cpu_ms) < 0) {
            _exit(127);
        }
    }
    if (pid != 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
    }
    if (pid < 0) {
        errno = (int)-pid;
        return -1;
    }
    return (pid_t)pid;
}

int jail_scratch_wait(pid_t pid)
{
    struct jail *jail = scratch.jail;
    struct jail_scratch_page *page;
    const size_t n_slots = sizeof(page->ended) / sizeof(page->ended[0]);

    if (!jail || !jail->scratch || pid <= 0) {
        return -1;
    }
    page = jail->scratch;
    for (;;) {
        uint32_t n = atomic_load(&page->n_ended);

        for (size_t i = 0; i < n_slots; i++) {
            if (atomic_load(&page->ended[i].pid) == pid) {
                int status = atomic_load(&page->ended[i].status);

                atomic_store(&page->ended[i].pid, 0);
                return status;
            }
        }
        syscall(SYS_futex, &page->n_ended, FUTEX_WAIT, n, NULL, NULL, 0);
    }
}
