/* SPDX-License-Identifier: MIT */
/*
 * attacks.h -- what is tried in the jail, and how each must end.
 *
 * One table for both sides: the worker (jail_worker.c) carries out the row
 * that its request names, the driver (jail_attacks.c) knows the verdict.  An
 * attack that is met with an errno checks that itself and exits 0, or says on
 * stderr what differed and exits 1.
 */
#ifndef TESTS_JAIL_ATTACKS_H
#define TESTS_JAIL_ATTACKS_H

#include <stddef.h>
#include <stdint.h>

#include "sandbox/jail.h"

/* name, end (SANDBOX_END_*), code (-2: any), what is tried */
#define ATTACK_TABLE(X)                                                        \
    /* resources */                                                            \
    X(fork_once, EXITED, 0, "fork, vfork, clone and clone3")                   \
    X(many_threads, EXITED, 0, "threads without end")                          \
    X(memory_touch, EXITED, 0, "memory by touch")                              \
    X(memory_reserve, EXITED, 0, "a terabyte reserved")                        \
    X(memory_files, EXITED, 0, "memory files")                                 \
    X(disk_one_file, EXITED, 0, "one file without end")                        \
    X(disk_many_files, EXITED, 0, "the folder filled by many files")           \
    X(disk_inodes, EXITED, 0, "empty files without end")                       \
    X(disk_sparse, EXITED, 0, "a sparse terabyte")                             \
    X(descriptors, EXITED, 0, "descriptors without end")                       \
    X(pipe_memory, EXITED, 0, "larger pipes")                                  \
    X(flood_stdout, OUTPUT, -2, "stdout without end")                          \
    X(flood_stderr, OUTPUT, -2, "stderr without end")                          \
    X(flood_both, OUTPUT, -2, "both, in small pieces")                         \
    X(flood_exit, OUTPUT, -2, "a little too much, then exit")                  \
    X(scratch_bomb, EXITED, 0, "scratch processes without end")                \
    X(stack, SIGNALLED, 11, "recursion without end")                           \
    /* time */                                                                 \
    X(sleep_long, WALL_TIME, 0, "sleep")                                       \
    X(spin, CPU_TIME, 0, "spin")                                               \
    X(spin_threads, CPU_TIME, 0, "spin in four threads")                       \
    X(spin_ignoring, CPU_TIME, 0, "spin with every signal ignored")            \
    X(stop_itself, WALL_TIME, 0, "SIGSTOP on itself")                          \
    X(block_on_pipe, WALL_TIME, 0, "read what nobody writes")                  \
    X(block_on_fifo, WALL_TIME, 0, "open a FIFO that nobody opens")            \
    X(scratch_spin, EXITED, 0, "spin in a scratch process")                    \
    X(scratch_sleep, EXITED, 0, "sleep in a scratch process")                  \
    /* survival */                                                             \
    X(thread_stays, EXITED, 0, "exit with a thread running")                   \
    X(scratch_stays, EXITED, 0, "exit with a scratch process running")         \
    X(session, EXITED, 0, "new session, parent-death signal reset")            \
    X(kill_everybody, EXITED, 0, "kill(-1), kill(1), the session")             \
    /* files */                                                                \
    X(host_paths, EXITED, 0, "files of the host")                              \
    X(write_paths, EXITED, 0, "writing outside the folder")                    \
    X(links_out, EXITED, 0, "links and .. out of the folder")                  \
    X(device_nodes, EXITED, 0, "device nodes")                                 \
    X(execute, EXITED, 0, "execve, fexecve, mapping the folder's files")       \
    X(inherited, EXITED, 0, "inherited descriptors")                           \
    X(devices_work, EXITED, 0, "/dev/null and friends do work")                \
    X(chroot_out, EXITED, 0, "chroot and ..")                                  \
    /* kernel */                                                               \
    X(refused_calls, EXITED, 0, "each call that is refused with an errno")     \
    X(unlisted_calls, EXITED, 0, "every call number that no table has")        \
    X(other_ioctls, EXITED, 0, "ioctl, fcntl and prctl that are not listed")   \
    X(int_0x80, DENIED, -1, "32-bit calls by int 0x80")                        \
    X(x32, DENIED, -1, "x32 calls")                                            \
    X(clone_user_ns, DENIED, -1, "clone() into a user namespace")              \
    X(clone_net_ns, DENIED, -1, "clone() into a network namespace")            \
    X(tiocsti, DENIED, -1, "typing into the terminal")                         \
    X(tiocsti_high, DENIED, -1, "the same with high bits set")                 \
    X(tioclinux, DENIED, -1, "the console's selection")                        \
    X(new_personality, EXITED, 0, "another personality")                       \
    X(privileges, EXITED, 0, "no right left, none to be had")                  \
    /* network and ipc */                                                      \
    X(every_family, EXITED, 0, "socket() of every family")                     \
    X(socketpair, EXITED, 0, "what socketpair() gives stays inside")           \
    X(ipc, EXITED, 0, "SysV and POSIX ipc, locks")                             \
    /* forgery */                                                              \
    X(fake_denied, EXITED, 0, "SIGSYS and SIGXCPU sent by itself")             \
    X(fake_denied_high, EXITED, 0, "the same with high bits set")              \
    X(fake_filter, EXITED, 0, "a filter of its own")                           \
    X(fake_channel, EXITED, 0, "messages on every descriptor")                 \
    X(exit_255, EXITED, 255, "exit code 255")                                  \
    X(abort_itself, SIGNALLED, 6, "abort()")                                   \
    X(kill_itself, SIGNALLED, 9, "SIGKILL on itself")                          \
    /* what ordinary programs need does work */                                \
    X(ordinary, EXITED, 0, "threads, pipes, epoll, timers, files")             \
    X(scratch_works, EXITED, 0, "a scratch process has no effects")            \
    /* one run and the next */                                                 \
    X(leave_state, EXITED, 0, "leave everything changed")                      \
    X(find_state, EXITED, 0, "and find nothing of it")

#define ATTACK_DECLARE(name, end, code, what)                                  \
    int attack_##name(const struct jail_run *run);
ATTACK_TABLE(ATTACK_DECLARE)
#undef ATTACK_DECLARE

/* More for jail_host.c, whose ends depend on what the host does. */
#define ATTACK_HELPER_TABLE(X)                                                 \
    X(echo_stdin)      /* as much as there is, to stdout */                    \
    X(touch_late)      /* 200 MB, after 400 ms */                              \
    X(privileges_gone) /* as attack_privileges, whoever the user is */         \
    X(spare_others)    /* signals to whom is no part of the run */             \
    X(leave_tree)      /* deep, shut folders with links to the host */         \
    X(disk_is_empty)   /* nothing of that */
#define ATTACK_HELPER_DECLARE(name)                                            \
    int attack_##name(const struct jail_run *run);
ATTACK_HELPER_TABLE(ATTACK_HELPER_DECLARE)
#undef ATTACK_HELPER_DECLARE

/* One system call by its number with arguments of 0. */
int attack_call(long number);

/* Says on stderr what differed and returns 1; 0 when `ok`. */
int expect(int ok, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* rc must be -1 with this errno. */
int expect_errno(long rc, int error, const char *what);

/* The limits of every run, which the attacks measure themselves against. */
#define ATTACK_CPU_MS       300
#define ATTACK_WALL_MS      900
#define ATTACK_MEMORY_BYTES (64ull << 20)
#define ATTACK_DISK_BYTES   (1ull << 20)
#define ATTACK_DISK_FILES   50
#define ATTACK_OUTPUT_BYTES (64ull << 10)
#define ATTACK_TASKS        16
#define ATTACK_OPEN_FILES   64
#define ATTACK_SHARED_BYTES (1u << 20)
#define ATTACK_STDIN        "a line for stdin\n"

#endif /* TESTS_JAIL_ATTACKS_H */
