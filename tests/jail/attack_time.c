/* SPDX-License-Identifier: MIT */
/* attack_time.c -- time, and what tries to outlive its run. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attacks.h"

int attack_sleep_long(const struct jail_run *run)
{
    (void)run;
    sleep(60);
    return 0;
}

static void *spin(void *arg)
{
    volatile unsigned n = 0;

    for (;;) {
        n++;
    }
    return arg;
}

int attack_spin(const struct jail_run *run)
{
    (void)run;
    spin(NULL);
    return 0;
}

int attack_spin_threads(const struct jail_run *run)
{
    pthread_t thread;

    (void)run;
    for (int i = 0; i < 3; i++) {
        if (pthread_create(&thread, NULL, spin, NULL) != 0) {
            return expect(0, "no thread");
        }
    }
    spin(NULL);
    return 0;
}

int attack_spin_ignoring(const struct jail_run *run)
{
    sigset_t all;

    (void)run;
    for (int sig = 1; sig <= 64; sig++) {
        signal(sig, SIG_IGN);
    }
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    spin(NULL);
    return 0;
}

int attack_stop_itself(const struct jail_run *run)
{
    (void)run;
    kill(getpid(), SIGSTOP);
    sleep(60);
    return 0;
}

int attack_block_on_pipe(const struct jail_run *run)
{
    int fds[2];
    char byte;

    (void)run;
    return pipe(fds) < 0 || read(fds[0], &byte, 1) < 0;
}

int attack_block_on_fifo(const struct jail_run *run)
{
    (void)run;
    return mkfifo("fifo", 0600) < 0 || open("fifo", O_RDONLY) < 0;
}

/* By `sig`, or on a loaded machine by the timer of real time. */
static int scratch_ends_by(int (*work)(void), int sig)
{
    pid_t pid = jail_scratch_fork(50);
    int status;

    if (pid == 0) {
        _exit(work());
    }
    if (pid < 0) {
        return expect(0, "no scratch process: %s", strerror(errno));
    }
    status = jail_scratch_wait(pid);
    return expect(WIFSIGNALED(status) &&
                      (WTERMSIG(status) == sig || WTERMSIG(status) == SIGALRM),
                  "scratch status %#x", status);
}

/* Tries all that could keep the timers' signals away, then spins. */
static int spin_stubbornly(void)
{
    const struct timespec none = {0, 0};
    sigset_t all;

    (void)none;
    for (int sig = 1; sig <= 64; sig++) {
        signal(sig, SIG_IGN);
    }
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    alarm(0);
    spin(NULL);
    return 0;
}

static int sleep_stubbornly(void)
{
    struct timespec long_time = {60, 0};

    alarm(0);
    signal(SIGALRM, SIG_IGN);
    nanosleep(&long_time, NULL);
    return 0;
}

int attack_scratch_spin(const struct jail_run *run)
{
    (void)run;
    return scratch_ends_by(spin_stubbornly, SIGPROF);
}

int attack_scratch_sleep(const struct jail_run *run)
{
    (void)run;
    return scratch_ends_by(sleep_stubbornly, SIGALRM);
}

int attack_thread_stays(const struct jail_run *run)
{
    pthread_t thread;

    (void)run;
    return pthread_create(&thread, NULL, spin, NULL) != 0;
}

int attack_scratch_stays(const struct jail_run *run)
{
    pid_t pid = jail_scratch_fork(10000);

    (void)run;
    if (pid == 0) {
        spin(NULL);
    }
    return expect(pid > 0, "no scratch process");
}

int attack_session(const struct jail_run *run)
{
    (void)run;
    /* It leads a session already. */
    return expect_errno(setsid(), EPERM, "setsid") |
           expect(prctl(PR_SET_PDEATHSIG, 0) == 0, "prctl");
}

int attack_kill_everybody(const struct jail_run *run)
{
    (void)run;
    kill(-1, SIGKILL);
    kill(1, SIGKILL);
    kill(1, SIGTERM);
    kill(0, 0);
    return expect(getppid() <= 1, "parent %d", (int)getppid());
}

/* A scratch process that tries to leave a mark everywhere. */
static int leave_marks(uint8_t *shared, volatile int *variable)
{
    int fd;

    *variable = 2;
    if (write(1, "mark\n", 5) == 5) {
        /* stdout is /dev/null here; the run's output tells. */
    }
    fd = open("mark", O_WRONLY | O_CREAT, 0600);
    if (fd >= 0) {
        return 1;
    }
    if (mkdir("dir", 0700) == 0 || unlink("there") == 0 ||
        kill(getppid(), SIGKILL) == 0 || kill(2, SIGKILL) == 0 ||
        setenv("MARK", "1", 1) != 0) {
        return 2;
    }
    if (jail_scratch_fork(10) >= 0) {
        return 3;
    }
    fd = open("there", O_RDWR);
    if (fd >= 0) {
        return 4;
    }
    (void)shared;
    return 42;
}

int attack_scratch_works(const struct jail_run *run)
{
    volatile int variable = 1;
    uint8_t *common = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int fd = open("there", O_RDWR | O_CREAT, 0600);
    const pid_t run_pid = getpid();
    int bad = 0;

    for (int i = 0; i < 20; i++) {
        pid_t pid = jail_scratch_fork(1000);
        int status;

        if (pid == 0) {
            common[0] = (uint8_t)(i + 1);
            /* libc knows the copy's own id, who asks for the process the
             * run's. */
            _exit(write(fd, "x", 1) == 1 || getpid() != run_pid ||
                          gettid() != (pid_t)syscall(SYS_getpid)
                      ? 9
                      : leave_marks(run->shared, &variable));
        }
        if (pid < 0) {
            return expect(0, "no scratch process: %s", strerror(errno));
        }
        status = jail_scratch_wait(pid);
        bad |= expect(WIFEXITED(status) && WEXITSTATUS(status) == 42,
                      "scratch status %#x", status);
        bad |= expect(common[0] == i + 1, "its result is %d", common[0]);
    }
    bad |= expect(variable == 1, "the variable is %d", variable);
    bad |= expect(access("mark", F_OK) < 0 && access("dir", F_OK) < 0,
                  "it left a file");
    bad |= expect(lseek(fd, 0, SEEK_END) == 0, "it wrote to an open file");
    bad |= expect_errno(waitpid(-1, NULL, WNOHANG | __WALL), ECHILD, "waitpid");
    return bad;
}
