/* SPDX-License-Identifier: MIT */
/*
 * jail_seccomp.c -- which system calls a run may make.
 *
 * Three answers.  Allowed: what ordinary Python programs need to compute, to
 * use their private folder, threads, timers and signals among themselves.
 * Refused with an errno: what ordinary programs try and can do without; the
 * program gets its normal exception.  Killed: what only an attack makes; the
 * verdict is SANDBOX_END_DENIED.  A call that is in no table is ENOSYS, as on
 * a kernel that does not have it (clone3 too, whose flags lie in memory where
 * no filter sees them: glibc then uses clone).
 *
 * Two filters, since loading a large one costs a tenth of a millisecond: the
 * lists, loaded by pid 1 when it is warm and inherited by every run's child
 * for nothing, which also let through what it takes to make a run; and the
 * gate, small and written by hand, which every child loads last.  The gate
 * shuts what the lists had to leave open, and lets clone() and seccomp()
 * through by the instruction that makes them, which libseccomp cannot compare.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "sandbox/jail_internal.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Call names as libseccomp knows them; one that it does not know is left out
 * of the filter and thereby ENOSYS. */
static const char allowed[] =
    /* descriptors and data */
    "read write readv writev pread64 pwrite64 preadv pwritev preadv2 "
    "pwritev2 close close_range lseek dup dup2 dup3 pipe pipe2 sendfile "
    "copy_file_range splice tee fsync fdatasync sync_file_range fadvise64 "
    "readahead ftruncate fallocate "
    /* the file tree: the mounts and Landlock say what is there */
    "open openat openat2 creat stat lstat fstat newfstatat statx statfs "
    "fstatfs access faccessat faccessat2 getdents getdents64 getcwd chdir "
    "fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 "
    "link linkat symlink symlinkat readlink readlinkat chmod fchmod "
    "fchmodat fchmodat2 truncate utime utimes utimensat futimesat umask "
    "getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr "
    /* waiting */
    "select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl "
    "epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 timerfd_create "
    "timerfd_settime timerfd_gettime signalfd signalfd4 pidfd_open wait4 "
    "waitid "
    /* memory; RLIMIT_AS bounds it */
    "mmap munmap mremap mprotect madvise brk mincore msync mlock mlock2 "
    "munlock mlockall munlockall membarrier "
    /* threads and signals */
    "futex futex_waitv set_robust_list get_robust_list rseq "
    "set_tid_address gettid sched_yield sched_getaffinity sched_getparam "
    "sched_getscheduler sched_get_priority_max sched_get_priority_min "
    "sched_rr_get_interval getpriority rt_sigaction rt_sigprocmask "
    "rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack "
    "restart_syscall pause alarm getitimer setitimer exit exit_group "
    /* clocks and the like */
    "nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday "
    "time times getrandom getcpu sysinfo uname getrusage getrlimit "
    "setrlimit "
    /* who am I */
    "getpid getppid getuid geteuid getgid getegid getresuid getresgid "
    "getgroups getpgid getpgrp getsid setpgid setsid capget "
    /* over the socketpair(), the only sockets there are */
    "sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg shutdown getsockopt "
    "getsockname getpeername "
    /* to make a run; shut or narrowed by the gate */
    "mount umount2 capset setgroups setresgid setresuid "
    "landlock_create_ruleset landlock_add_rule "
    "landlock_restrict_self "
    "clone seccomp kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo";

/* Refused as a machine would that does not let its users do it. */
static const struct {
    int error;
    const char *names;
} refused[] = {
    /* As if the limit of processes were reached. */
    {EAGAIN, "fork vfork"},
    /* PermissionError in Python, whatever the family. */
    {EPERM, "socket connect bind listen accept accept4 setsockopt"},
    {EPERM, "execve execveat"},
    /* A lock on a shared library would be seen outside. */
    {ENOLCK, "flock"},
    {EPERM, "chown fchown lchown fchownat chroot name_to_handle_at"},
    {EPERM, "setpriority ioprio_set ioprio_get sched_setscheduler "
            "sched_setparam sched_setaffinity sched_setattr"},
    {EPERM, "inotify_init inotify_init1 inotify_add_watch fanotify_init "
            "fanotify_mark"},
    /* Memory beside RLIMIT_AS and the folder's size. */
    {EPERM, "memfd_create vmsplice"},
    {EPERM, "shmget shmat shmctl semget semop semtimedop semctl msgget msgsnd "
            "msgrcv msgctl mq_open mq_unlink mq_notify"},
    {EPERM, "setuid setgid setreuid setregid setfsuid setfsgid kcmp"},
    {EPERM, "sethostname setdomainname settimeofday clock_settime "
            "clock_adjtime adjtimex syslog acct vhangup"},
    /* The whole host's disks. */
    {EPERM, "sync syncfs"},
    /* The folder's size does not bound them. */
    {EOPNOTSUPP, "setxattr lsetxattr fsetxattr removexattr lremovexattr "
                 "fremovexattr"},
};

/* Only an attack makes these. */
static const char killed[] =
    /* other processes' memory and descriptors */
    "ptrace process_vm_readv process_vm_writev pidfd_getfd process_madvise "
    /* mounts, old way and new, and file handles that go round paths */
    "umount pivot_root move_mount open_tree fsopen fsconfig fsmount fspick "
    "mount_setattr open_by_handle_at "
    /* namespaces */
    "unshare setns "
    /* large pieces of kernel that no program here needs */
    "bpf perf_event_open io_uring_setup io_uring_enter io_uring_register "
    "userfaultfd keyctl add_key request_key quotactl quotactl_fd modify_ldt "
    /* the machine itself */
    "init_module finit_module delete_module kexec_load kexec_file_load "
    "reboot swapon swapoff iopl ioperm";

/* An allowed call with one argument that must be one of the values. */
struct allowed_value {
    const char *name;
    unsigned int arg;
    uint64_t value;
};

static const struct allowed_value allowed_values[] = {
    /* fcntl: no locks of open files, leases, notices, pipe sizes, owners */
    {"fcntl", 1, F_DUPFD},
    {"fcntl", 1, F_DUPFD_CLOEXEC},
    {"fcntl", 1, F_GETFD},
    {"fcntl", 1, F_SETFD},
    {"fcntl", 1, F_GETFL},
    {"fcntl", 1, F_SETFL},
    {"fcntl", 1, F_SETLK},
    {"fcntl", 1, F_SETLKW},
    {"fcntl", 1, F_GETPIPE_SZ},
    {"fcntl", 1, F_GET_SEALS},
    /* ioctl: what isatty() and sockets' and pipes' users ask */
    {"ioctl", 1, TCGETS},
    {"ioctl", 1, TIOCGWINSZ},
    {"ioctl", 1, TIOCGPGRP},
    {"ioctl", 1, FIONREAD},
    {"ioctl", 1, FIONBIO},
    {"ioctl", 1, FIOCLEX},
    {"ioctl", 1, FIONCLEX},
    {"prctl", 0, PR_SET_NAME},
    {"prctl", 0, PR_GET_NAME},
    {"prctl", 0, PR_GET_DUMPABLE},
    {"prctl", 0, PR_CAPBSET_READ},
    {"prctl", 0, PR_GET_NO_NEW_PRIVS},
    {"prctl", 0, PR_SET_PDEATHSIG}, /* nothing rests on it in a run */
    {"prctl", 0, PR_GET_PDEATHSIG},
    {"prctl", 0, PR_GET_TID_ADDRESS},
    {"prctl", 0, PR_CAPBSET_DROP},          /* pid 1's child, before the gate */
    {"ioctl", 1, SECCOMP_IOCTL_NOTIF_RECV}, /* pid 1's, on a descriptor */
    {"ioctl", 1, SECCOMP_IOCTL_NOTIF_SEND}, /* that no run has */
    {"socketpair", 0, AF_UNIX},
    {"personality", 0, 0xffffffff}, /* asks only */
    {"prlimit64", 0, 0},            /* its own */
#ifdef __x86_64__
    {"arch_prctl", 0, 0x1002}, /* ARCH_SET_FS: the thread pointer */
    {"arch_prctl", 0, 0x1003}, /* ARCH_GET_FS */
#endif
};

static const uint32_t node_types[] = {0, S_IFREG, S_IFIFO};

/* What a scratch process may do; openat() read-only comes besides. */
static const char scratch_allowed[] =
    "read readv pread64 preadv close lseek fstat stat lstat newfstatat "
    "statx getdents64 readlink readlinkat getcwd access faccessat "
    "faccessat2 mmap munmap mremap mprotect madvise brk futex "
    "clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday "
    "time getrandom getcpu sched_yield sched_getaffinity uname sysinfo "
    "getrusage getpid gettid getppid getuid geteuid getgid getegid "
    "rt_sigreturn sigaltstack rseq exit exit_group restart_syscall ";

#define NEW_NAMESPACES                                                         \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |             \
     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* What pthread_create() sets and no fork does. */
#define THREAD_FLAGS                                                           \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |        \
     CLONE_SYSVSEM)

/* The gate: two values of an argument's low half get `action`; the kernel
 * takes an int there, so the upper half must not hide them. */
static const struct {
    uint32_t nr;
    uint32_t arg;
    uint32_t values[2];
    uint32_t action;
} gated_values[] = {
    /* No program can end as if a filter or RLIMIT_CPU had killed it. */
    {SYS_kill, 1, {SIGSYS, SIGXCPU}, SECCOMP_RET_ERRNO | EPERM},
    {SYS_tkill, 1, {SIGSYS, SIGXCPU}, SECCOMP_RET_ERRNO | EPERM},
    {SYS_tgkill, 2, {SIGSYS, SIGXCPU}, SECCOMP_RET_ERRNO | EPERM},
    {SYS_rt_sigqueueinfo, 1, {SIGSYS, SIGXCPU}, SECCOMP_RET_ERRNO | EPERM},
    {SYS_rt_tgsigqueueinfo, 2, {SIGSYS, SIGXCPU}, SECCOMP_RET_ERRNO | EPERM},
    /* Typing into somebody's terminal. */
    {SYS_ioctl, 1, {TIOCSTI, TIOCLINUX}, SECCOMP_RET_KILL_PROCESS},
    {SYS_prctl,
     0,
     {PR_CAPBSET_DROP, PR_CAPBSET_DROP},
     SECCOMP_RET_ERRNO | ENOSYS},
};

/* What the lists left open for pid 1 and for the child so far. */
static const struct {
    uint32_t nr;
    uint32_t action;
} gated_calls[] = {
    {SYS_mount, SECCOMP_RET_KILL_PROCESS},
    {SYS_umount2, SECCOMP_RET_KILL_PROCESS},
    {SYS_capset, SECCOMP_RET_ERRNO | EPERM},
    {SYS_setgroups, SECCOMP_RET_ERRNO | EPERM},
    {SYS_setresgid, SECCOMP_RET_ERRNO | EPERM},
    {SYS_setresuid, SECCOMP_RET_ERRNO | EPERM},
    {SYS_landlock_create_ruleset, SECCOMP_RET_ERRNO | ENOSYS},
    {SYS_landlock_add_rule, SECCOMP_RET_ERRNO | ENOSYS},
    {SYS_landlock_restrict_self, SECCOMP_RET_ERRNO | ENOSYS},
};

/* One rule for each of the names between blanks. */
static int add_names(scmp_filter_ctx ctx, uint32_t action, const char *names)
{
    char name[48];
    int rc = 0;

    while (rc == 0 && *names != '\0') {
        size_t len = strcspn(names, " ");
        int nr = __NR_SCMP_ERROR;

        if (len > 0 && len < sizeof(name)) {
            memcpy(name, names, len);
            name[len] = '\0';
            nr = seccomp_syscall_resolve_name(name);
        }
        if (nr >= 0) {
            rc = seccomp_rule_add(ctx, action, nr, 0);
        }
        names += len;
        names += strspn(names, " ");
    }
    return rc;
}

static int add_tables(scmp_filter_ctx ctx)
{
    int rc = add_names(ctx, SCMP_ACT_ALLOW, allowed);

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(refused); i++) {
        rc = add_names(ctx, SCMP_ACT_ERRNO((unsigned)refused[i].error),
                       refused[i].names);
    }
    return rc == 0 ? add_names(ctx, SCMP_ACT_KILL_PROCESS, killed) : rc;
}

static int add_values(scmp_filter_ctx ctx)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(allowed_values); i++) {
        const struct allowed_value *row = &allowed_values[i];
        int nr = seccomp_syscall_resolve_name(row->name);

        if (nr >= 0) {
            rc =
                seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
                                 SCMP_CMP64(row->arg, SCMP_CMP_EQ, row->value));
        }
    }
    /* FIFOs and plain files, but no device nodes. */
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(node_types); i++) {
        rc = seccomp_rule_add(
            ctx, SCMP_ACT_ALLOW, SCMP_SYS(mknodat), 1,
            SCMP_A2_64(SCMP_CMP_MASKED_EQ, S_IFMT, node_types[i]));
        if (rc == 0 && SCMP_SYS(mknod) >= 0) {
            rc = seccomp_rule_add(
                ctx, SCMP_ACT_ALLOW, SCMP_SYS(mknod), 1,
                SCMP_A1_64(SCMP_CMP_MASKED_EQ, S_IFMT, node_types[i]));
        }
    }
    return rc;
}

#define LOAD(field)                                                            \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define IF_EQUAL(value, yes, no)                                               \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))

static uint32_t low_half(const void *address)
{
    return (uint32_t)(uintptr_t)address;
}

static uint32_t high_half(const void *address)
{
    return (uint32_t)((uint64_t)(uintptr_t)address >> 32);
}

/* Every call that sends a signal, to the process in its first argument. */
static const uint32_t signalling[] = {SYS_kill, SYS_tkill, SYS_tgkill,
                                      SYS_rt_sigqueueinfo,
                                      SYS_rt_tgsigqueueinfo};

/* More than write_gate() writes. */
#define GATE_MAX_CODES 256

/*
 * The last filter of a run, into code[GATE_MAX_CODES]; returns its length.
 * only_pid: where there are others, the only process to send signals to.
 * The little-endian halves are what the offsets of LOAD() name.
 */
static size_t write_gate(struct sock_filter *code, uint32_t only_pid)
{
    const void *clone_ip = jail__scratch_clone_ip;
    const void *seccomp_ip = jail__scratch_seccomp_ip;
    const struct sock_filter tail[] = {
        IF_EQUAL(SYS_seccomp, 0, 6),
        LOAD(instruction_pointer),
        IF_EQUAL(low_half(seccomp_ip), 0, 3),
        LOAD(instruction_pointer) /* + 4, below */,
        IF_EQUAL(high_half(seccomp_ip), 0, 1),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_ERRNO | EPERM),
        IF_EQUAL(SYS_clone, 0, 12),
        LOAD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 9, 0),
        IF_EQUAL(JAIL_SCRATCH_CLONE_FLAGS, 0, 4),
        LOAD(instruction_pointer),
        IF_EQUAL(low_half(clone_ip), 0, 5),
        LOAD(instruction_pointer) /* + 4, below */,
        IF_EQUAL(high_half(clone_ip), 2, 3),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, THREAD_FLAGS),
        IF_EQUAL(THREAD_FLAGS, 0, 1),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_ERRNO | EAGAIN), /* as if processes ran out */
        RETURN(SECCOMP_RET_KILL_PROCESS),
        RETURN(SECCOMP_RET_ALLOW),
    };
    size_t n = 0;

    code[n++] = (struct sock_filter)LOAD(nr);
    for (size_t i = 0; i < ARRAY_LEN(gated_calls); i++) {
        code[n++] = (struct sock_filter)IF_EQUAL(gated_calls[i].nr, 0, 1);
        code[n++] = (struct sock_filter)RETURN(gated_calls[i].action);
    }
    for (size_t i = 0; only_pid && i < ARRAY_LEN(signalling); i++) {
        const struct sock_filter block[] = {
            IF_EQUAL(signalling[i], 0, 3),
            LOAD(args[0]),
            IF_EQUAL(only_pid, 1, 0),
            RETURN(SECCOMP_RET_ERRNO | EPERM),
            LOAD(nr),
        };

        memcpy(code + n, block, sizeof(block));
        n += ARRAY_LEN(block);
    }
    for (size_t i = 0; i < ARRAY_LEN(gated_values); i++) {
        const struct sock_filter block[] = {
            IF_EQUAL(gated_values[i].nr, 0, 5),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                     (uint32_t)offsetof(struct seccomp_data, args) +
                         gated_values[i].arg * 8),
            IF_EQUAL(gated_values[i].values[0], 1, 0),
            IF_EQUAL(gated_values[i].values[1], 0, 1),
            RETURN(gated_values[i].action),
            RETURN(SECCOMP_RET_ALLOW),
        };

        memcpy(code + n, block, sizeof(block));
        n += ARRAY_LEN(block);
    }
    memcpy(code + n, tail, sizeof(tail));
    code[n + 3].k += 4;
    code[n + 13].k += 4;
    n += ARRAY_LEN(tail);
    return n;
}

/* Take the program out of libseccomp, which only writes to descriptors. */
static int export_filter(scmp_filter_ctx ctx, struct jail_filter *filter)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    struct stat st;
    int rc = -1;

    if (fd < 0) {
        return -1;
    }
    if (seccomp_export_bpf(ctx, fd) == 0 && fstat(fd, &st) == 0) {
        size_t n_codes = (size_t)st.st_size / sizeof(*filter->code);

        filter->code = cwm_malloc((size_t)st.st_size);
        if (filter->code && n_codes <= BPF_MAXINSNS &&
            pread(fd, filter->code, (size_t)st.st_size, 0) == st.st_size) {
            filter->n_codes = (unsigned short)n_codes;
            rc = 0;
        }
    }
    close(fd);
    return rc;
}

static int compile_lists(struct jail_filter *filter)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int rc = -1;

    if (!ctx) {
        return -1;
    }
    /* 32-bit and x32 calls, whose numbers mean other things. */
    rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0) {
        /* A binary tree: fewer steps to every answer. */
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    }
    if (rc == 0) {
        rc = add_tables(ctx);
    }
    if (rc == 0) {
        rc = add_values(ctx);
    }
    if (rc == 0) {
        rc = export_filter(ctx, filter);
    }
    seccomp_release(ctx);
    return rc == 0 ? 0 : -1;
}

/*
 * A scratch process computes and reads: everything else fails in it, so that
 * nothing it does is seen by the run or outlives it.
 */
static int compile_scratch(struct jail_filter *filter)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rc = 0;

    if (!ctx) {
        return -1;
    }
    rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0) {
        /* The kernel tries the filter with each call's number when it loads
         * it, for every scratch process. */
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    }
    if (rc == 0) {
        rc = add_names(ctx, SCMP_ACT_ALLOW, scratch_allowed);
    }
    if (rc == 0) {
        rc = seccomp_rule_add(
            ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
            SCMP_A2_64(SCMP_CMP_MASKED_EQ,
                       O_ACCMODE | O_CREAT | O_TRUNC | O_TMPFILE, O_RDONLY));
    }
    if (rc == 0) {
        rc = export_filter(ctx, filter);
    }
    seccomp_release(ctx);
    return rc == 0 ? 0 : -1;
}

enum cwm_rc jail__seccomp_compile(struct jail *jail, struct cwm_err *err)
{
    if (compile_lists(&jail->lists) < 0 ||
        compile_scratch(&jail->scratch_filter) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "could not compile the filters of system calls");
    }
    return CWM_OK;
}

void jail__seccomp_release(struct jail *jail)
{
    cwm_free(jail->lists.code);
    cwm_free(jail->scratch_filter.code);
}

/* A listener's descriptor or 0; -1 with errno. */
static int load_program(unsigned flags, struct sock_fprog *program)
{
    long rc = jail__scratch_seccomp(SECCOMP_SET_MODE_FILTER, flags, program);

    if (rc < 0) {
        errno = (int)-rc;
        return -1;
    }
    return (int)rc;
}

int jail__seccomp_load(const struct jail_filter *filter)
{
    struct sock_fprog program = {filter->n_codes, filter->code};

    return load_program(0, &program);
}

int jail__seccomp_load_gate(const struct jail *jail, bool has_others)
{
    struct sock_filter code[GATE_MAX_CODES];
    struct sock_fprog program = {.filter = code};
    bool alone = jail->walls[SANDBOX_WALL_PID_NS].up && !has_others;

    program.len =
        (unsigned short)write_gate(code, alone ? 0 : (uint32_t)getpid());
    return load_program(0, &program);
}

/*
 * The asker waits for the answer, so whoever is woken may run where the other
 * one ran (SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP,
 * which older headers lack).
 */
#define NOTIFY_SET_FLAGS    SECCOMP_IOW(4, uint64_t)
#define NOTIFY_SYNC_WAKE_UP 1ul

int jail__seccomp_notify(void)
{
    const void *clone_ip = jail__scratch_clone_ip;
    struct sock_filter code[] = {
        LOAD(nr),
        IF_EQUAL(SYS_clone, 0, 5),
        LOAD(instruction_pointer),
        IF_EQUAL(low_half(clone_ip), 0, 3),
        LOAD(instruction_pointer) /* + 4, below */,
        IF_EQUAL(high_half(clone_ip), 0, 1),
        RETURN(SECCOMP_RET_USER_NOTIF),
        RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {ARRAY_LEN(code), code};
    int fd;

    code[4].k += 4;
    fd = load_program(SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (fd >= 0) {
        /* Since Linux 6.6; without it, asking is slower and no more. */
        ioctl(fd, NOTIFY_SET_FLAGS, NOTIFY_SYNC_WAKE_UP);
    }
    return fd;
}
