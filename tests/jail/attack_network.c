/* SPDX-License-Identifier: MIT */
/* attack_network.c -- sockets of every family, IPC, and what works. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "attacks.h"

int attack_every_family(const struct jail_run *run)
{
    int pair[2];
    int bad = 0;

    (void)run;
    for (int family = 0; family < 64; family++) {
        for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++) {
            char name[48];

            snprintf(name, sizeof(name), "socket %d, %d", family, type);
            bad |= expect_errno(socket(family, type, 0), EPERM, name);
        }
        if (family != AF_UNIX) {
            bad |= expect_errno(socketpair(family, SOCK_STREAM, 0, pair),
                                ENOSYS, "socketpair");
        }
    }
    bad |= expect_errno(syscall(SYS_socket, 0x100000000ul | AF_INET, 1, 0),
                        EPERM, "socket with high bits");
    return bad;
}

int attack_socketpair(const struct jail_run *run)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0abstract"};
    char data[8];
    int pair[2];
    int bad;

    (void)run;
    bad = expect(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
    bad |=
        expect(send(pair[0], "x", 1, 0) == 1 && recv(pair[1], data, 8, 0) == 1,
               "it does not work");
    bad |= expect_errno(bind(pair[0], (struct sockaddr *)&name, 12), EPERM,
                        "bind");
    bad |= expect_errno(connect(pair[0], (struct sockaddr *)&name, 12), EPERM,
                        "connect");
    bad |=
        expect(sendto(pair[0], "x", 1, 0, (struct sockaddr *)&name, 12) == -1,
               "sendto reached somebody");
    bad |= expect_errno(listen(pair[0], 1), EPERM, "listen");
    return bad;
}

int attack_ipc(const struct jail_run *run)
{
    int lib = open("/usr/lib", O_RDONLY | O_DIRECTORY);
    int bad;

    (void)run;
    bad = expect_errno(shmget(1, 4096, IPC_CREAT | 0600), EPERM, "shmget");
    bad |= expect_errno(semget(1, 1, IPC_CREAT | 0600), EPERM, "semget");
    bad |= expect_errno(msgget(1, IPC_CREAT | 0600), EPERM, "msgget");
    bad |= expect_errno(syscall(SYS_mq_open, "q", O_CREAT, 0600, 0), EPERM,
                        "mq_open");
    bad |= expect(shm_open("/x", O_CREAT | O_RDWR, 0600) == -1, "shm_open");
    bad |= expect_errno(flock(lib, LOCK_EX | LOCK_NB), ENOLCK, "flock");
    return bad;
}

static void *count_up(void *arg)
{
    __atomic_add_fetch((int *)arg, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static volatile sig_atomic_t n_alarms;

static void on_alarm(int sig)
{
    (void)sig;
    n_alarms++;
}

static int check_waiting(void)
{
    struct itimerspec soon = {.it_value = {0, 1000000}};
    struct epoll_event event = {.events = EPOLLIN};
    struct itimerval alarm_soon = {.it_value = {0, 1000}};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int counter = eventfd(0, EFD_CLOEXEC);
    int bad;

    bad = expect(timerfd_settime(timer, 0, &soon, NULL) == 0 &&
                     epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) == 0 &&
                     epoll_wait(epoll, &event, 1, 500) == 1,
                 "epoll or timerfd");
    bad |= expect(eventfd_write(counter, 1) == 0, "eventfd");
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &alarm_soon, NULL);
    while (n_alarms == 0) {
        usleep(1000);
    }
    return bad;
}

int attack_ordinary(const struct jail_run *run)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pthread_t threads[4];
    int n_counted = 0;
    char text[64] = "";
    int fd;
    int bad = check_waiting();

    for (int i = 0; i < 4; i++) {
        bad |=
            expect(pthread_create(&threads[i], NULL, count_up, &n_counted) == 0,
                   "thread %d", i);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    bad |= expect(n_counted == 4, "%d threads", n_counted);
    bad |= expect(read(0, text, sizeof(text)) == (ssize_t)strlen(ATTACK_STDIN),
                  "stdin: '%s'", text);
    bad |= expect(getcwd(text, sizeof(text)) && strcmp(text, "/tmp") == 0,
                  "the folder is '%s'", text);
    fd = open("file", O_RDWR | O_CREAT, 0600);
    bad |= expect(write(fd, "x", 1) == 1 && fsync(fd) == 0 &&
                      fcntl(fd, F_SETLK, &lock) == 0 &&
                      rename("file", "other") == 0 && unlink("other") == 0,
                  "files: %s", strerror(errno));
    bad |=
        expect(gethostname(text, sizeof(text)) == 0 && strcmp(text, "cwm") == 0,
               "the host's name is '%s'", text);
    run->shared[run->shared_len - 1] = 1;
    return bad;
}
