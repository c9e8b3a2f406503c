/* SPDX-License-Identifier: MIT */
/* attack_kernel.c -- system calls: refused, unlisted, in foreign clothes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "attacks.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The highest number that any kernel has given out so far, and some room. */
#define MAX_CALL 520

int attack_call(long number)
{
    long rc = syscall(number, 0, 0, 0, 0, 0, 0);

    return expect(0, "call %ld came back with %ld, errno %d", number, rc,
                  errno);
}

int attack_refused_calls(const struct jail_run *run)
{
    static const struct {
        long number;
        int error;
        const char *name;
    } calls[] = {
        {SYS_execve, EPERM, "execve"},
        {SYS_chroot, EPERM, "chroot"},
        {SYS_chown, EPERM, "chown"},
        {SYS_fchownat, EPERM, "fchownat"},
        {SYS_flock, ENOLCK, "flock"},
        {SYS_setpriority, EPERM, "setpriority"},
        {SYS_sched_setscheduler, EPERM, "sched_setscheduler"},
        {SYS_sched_setaffinity, EPERM, "sched_setaffinity"},
        {SYS_sched_setattr, EPERM, "sched_setattr"},
        {SYS_ioprio_set, EPERM, "ioprio_set"},
        {SYS_inotify_init1, EPERM, "inotify_init1"},
        {SYS_fanotify_init, EPERM, "fanotify_init"},
        {SYS_memfd_create, EPERM, "memfd_create"},
        {SYS_kcmp, EPERM, "kcmp"},
        {SYS_setuid, EPERM, "setuid"},
        {SYS_setresuid, EPERM, "setresuid"},
        {SYS_setgroups, EPERM, "setgroups"},
        {SYS_capset, EPERM, "capset"},
        {SYS_sethostname, EPERM, "sethostname"},
        {SYS_settimeofday, EPERM, "settimeofday"},
        {SYS_clock_settime, EPERM, "clock_settime"},
        {SYS_adjtimex, EPERM, "adjtimex"},
        {SYS_syslog, EPERM, "syslog"},
        {SYS_acct, EPERM, "acct"},
        {SYS_vhangup, EPERM, "vhangup"},
        {SYS_sync, EPERM, "sync"},
        {SYS_setxattr, EOPNOTSUPP, "setxattr"},
        {SYS_name_to_handle_at, EPERM, "name_to_handle_at"},
        {SYS_vmsplice, EPERM, "vmsplice"},
        {SYS_timer_create, ENOSYS, "timer_create"},
        {SYS_seccomp, EPERM, "seccomp"},
        {SYS_mknod, ENOENT, "mknod of a plain file without a name"},
    };
    int bad = 0;

    (void)run;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        long rc = syscall(calls[i].number, "", 0, 0, 0, 0, 0);

        bad |= expect_errno(rc, calls[i].error, calls[i].name);
    }
    return bad;
}

/* Numbers that this kernel may know and none of our tables lists. */
int attack_unlisted_calls(const struct jail_run *run)
{
    static const long numbers[] = {
        SYS_timer_create,
        SYS_timer_settime,
        SYS_io_setup,
        SYS_io_submit,
        SYS_mbind,
        SYS_set_mempolicy,
        SYS_move_pages,
        SYS_migrate_pages,
        SYS_remap_file_pages,
        SYS_lookup_dcookie,
        SYS_ustat,
        SYS_sysfs,
        SYS_pidfd_send_signal,
        SYS_clone3,
        SYS_landlock_create_ruleset,
        SYS_memfd_secret,
        SYS_process_mrelease,
        SYS_pkey_alloc,
        SYS__sysctl,
        SYS_nfsservctl,
    };
    int bad = 0;

    (void)run;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        char name[32];

        snprintf(name, sizeof(name), "call %ld", numbers[i]);
        bad |=
            expect_errno(syscall(numbers[i], 0, 0, 0, 0, 0, 0), ENOSYS, name);
    }
    for (long number = 451; number < MAX_CALL; number++) {
        char name[32];

        if (number == 452 || number == 454) {
            continue; /* fchmodat2, futex_wake's neighbour: listed or not */
        }
        snprintf(name, sizeof(name), "call %ld", number);
        bad |= expect_errno(syscall(number, -1, 0, 0, 0, 0, 0), ENOSYS, name);
    }
    return bad;
}

int attack_other_ioctls(const struct jail_run *run)
{
    static const int options[] = {
        PR_SET_SECCOMP,    PR_SET_DUMPABLE,
        PR_SET_KEEPCAPS,   PR_SET_MM,
        PR_SET_PTRACER,    PR_SET_CHILD_SUBREAPER,
        PR_SET_SECUREBITS, PR_SET_SYSCALL_USER_DISPATCH,
        PR_CAPBSET_DROP,   PR_CAP_AMBIENT,
        PR_SCHED_CORE,
    };
    static const int commands[] = {F_SETOWN, F_SETSIG,     F_SETLEASE,
                                   F_NOTIFY, F_SETPIPE_SZ, F_OFD_SETLK,
                                   F_GETLK,  F_SETOWN_EX,  F_ADD_SEALS};
    int bad = 0;

    (void)run;
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        char name[32];

        snprintf(name, sizeof(name), "prctl %d", options[i]);
        bad |= expect_errno(prctl(options[i], 1, 0, 0, 0), ENOSYS, name);
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        char name[32];

        snprintf(name, sizeof(name), "fcntl %d", commands[i]);
        bad |= expect_errno(fcntl(1, commands[i], 0), ENOSYS, name);
    }
    bad |= expect_errno(ioctl(0, TIOCSCTTY, 0), ENOSYS, "TIOCSCTTY");
    bad |= expect_errno(ioctl(0, TIOCCONS, 0), ENOSYS, "TIOCCONS");
    bad |= expect(isatty(0) == 0, "stdin is a terminal");
    return bad;
}

int attack_int_0x80(const struct jail_run *run)
{
    long rc = 20; /* getpid there, writev here */

    (void)run;
    __asm__ volatile("int $0x80" : "+a"(rc) : : "memory");
    return expect(0, "int 0x80 came back with %ld", rc);
}

int attack_x32(const struct jail_run *run)
{
    (void)run;
    return attack_call(0x40000000 | SYS_getpid);
}

int attack_clone_user_ns(const struct jail_run *run)
{
    (void)run;
    return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) != -2;
}

int attack_clone_net_ns(const struct jail_run *run)
{
    (void)run;
    return syscall(SYS_clone, CLONE_NEWNET | CLONE_VM | CLONE_THREAD, 0, 0, 0,
                   0) != -2;
}

int attack_tiocsti(const struct jail_run *run)
{
    (void)run;
    return expect(0, "ioctl gave %d", ioctl(0, TIOCSTI, "x"));
}

int attack_tiocsti_high(const struct jail_run *run)
{
    (void)run;
    return expect(0, "ioctl gave %ld",
                  syscall(SYS_ioctl, 0, 0x100000000ul | TIOCSTI, "x"));
}

int attack_tioclinux(const struct jail_run *run)
{
    (void)run;
    return expect(0, "ioctl gave %d", ioctl(0, TIOCLINUX, "x"));
}

int attack_new_personality(const struct jail_run *run)
{
    (void)run;
    return expect_errno(personality(ADDR_NO_RANDOMIZE), ENOSYS, "personality") |
           expect(personality(0xffffffff) != -1, "asking for it fails");
}

int attack_privileges_gone(const struct jail_run *run)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    int bad;

    (void)run;
    bad = expect(syscall(SYS_capget, &head, data) == 0, "capget");
    bad |= expect((data[0].effective | data[0].permitted | data[1].effective |
                   data[1].permitted | data[0].inheritable) == 0,
                  "rights are left");
    bad |= expect(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
                  "new privileges can be had");
    bad |= expect(prctl(PR_GET_DUMPABLE) == 0, "it can be dumped");
    bad |= expect_errno(setrlimit(RLIMIT_AS, &limit), EPERM, "setrlimit");
    return bad;
}

int attack_privileges(const struct jail_run *run)
{
    const struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    int bad = attack_privileges_gone(run);

    for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
        bad |= expect(prctl(PR_CAPBSET_READ, cap) == 0, "right %d is bounded",
                      cap);
    }
    bad |= expect_errno(setrlimit(RLIMIT_NPROC, &limit), EPERM, "setrlimit");
    return bad | expect(getuid() == 0 && geteuid() == 0 && getgid() == 0,
                        "user %d", (int)getuid());
}

int attack_spare_others(const struct jail_run *run)
{
    pid_t parent = getppid();

    (void)run;
    /* Where there is a pid namespace they are lost, else refused: were one
     * delivered, the worker would be gone and with it the verdict. */
    kill(parent, SIGKILL);
    kill(-1, SIGKILL);
    syscall(SYS_tgkill, parent, parent, SIGKILL);
    syscall(SYS_tkill, parent, SIGKILL);
    return expect(raise(0) == 0, "raise: %s", strerror(errno));
}

int attack_fake_denied(const struct jail_run *run)
{
    int pid = getpid();
    int bad;

    (void)run;
    bad = expect_errno(raise(SIGSYS) ? -1 : 0, EPERM, "raise");
    bad |= expect_errno(kill(pid, SIGSYS), EPERM, "kill");
    bad |= expect_errno(kill(0, SIGSYS), EPERM, "kill the group");
    bad |= expect_errno(kill(pid, SIGXCPU), EPERM, "kill");
    bad |= expect_errno(syscall(SYS_tkill, pid, SIGSYS), EPERM, "tkill");
    bad |= expect_errno(syscall(SYS_tgkill, pid, pid, SIGSYS), EPERM, "tgkill");
    bad |= expect_errno(sigqueue(pid, SIGSYS, (union sigval){0}), EPERM,
                        "sigqueue");
    return bad;
}

int attack_fake_denied_high(const struct jail_run *run)
{
    long pid = getpid();
    unsigned long sig = 0xffffffff00000000ul | SIGSYS;

    (void)run;
    return expect_errno(syscall(SYS_kill, pid, sig), EPERM, "kill") |
           expect_errno(syscall(SYS_tgkill, pid, pid, sig), EPERM, "tgkill");
}

int attack_fake_filter(const struct jail_run *run)
{
    (void)run;
    return expect_errno(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0),
                        EPERM, "seccomp") |
           expect_errno(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), ENOSYS,
                        "prctl");
}

int attack_fake_channel(const struct jail_run *run)
{
    static const char forged[] = "1MWC forged";
    int n_taken = 0;

    (void)run;
    for (int fd = 3; fd < 1024; fd++) {
        n_taken += write(fd, forged, sizeof(forged)) >= 0;
    }
    return expect(n_taken == 0, "%d descriptors took it", n_taken);
}

int attack_exit_255(const struct jail_run *run)
{
    (void)run;
    return 255;
}

int attack_abort_itself(const struct jail_run *run)
{
    (void)run;
    abort();
}

int attack_kill_itself(const struct jail_run *run)
{
    (void)run;
    kill(getpid(), SIGKILL);
    return 1;
}
