/* SPDX-License-Identifier: MIT */
/* worker.c -- starting and ending the worker process. */
#include "sandbox/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "sandbox/protocol.h"

/* An interpreter with its modules is warm in 0.2 s; 300 times that on a
 * machine under heavy load. */
#define WARM_MS 60000

/* A worker that is asked to end and has nothing to do needs 1 ms. */
#define STOP_MS 2000

/* What a worker that is not warm yet may use. */
#define WARM_BYTES (4ull << 30)
#define WARM_TASKS 64

/* Descriptors that are handed to the worker are kept above its fixed ones. */
#define FD_FLOOR 16

static char **copy_strings(const char *first, const char *const *rest)
{
    size_t n_strings = first ? 1 : 0;
    size_t at = 0;
    char **copy;

    for (const char *const *p = rest; p && *p; p++) {
        n_strings++;
    }
    copy = cwm_calloc(n_strings + 1, sizeof(*copy));
    if (!copy) {
        return NULL;
    }
    for (; at < n_strings; at++) {
        copy[at] =
            cwm_strdup(first && at == 0 ? first : rest[first ? at - 1 : at]);
        if (!copy[at]) {
            break;
        }
    }
    if (at == n_strings) {
        return copy;
    }
    while (at > 0) {
        cwm_free(copy[--at]);
    }
    cwm_free(copy);
    return NULL;
}

static void free_strings(char **strings)
{
    for (size_t i = 0; strings && strings[i]; i++) {
        cwm_free(strings[i]);
    }
    cwm_free(strings);
}

/* A memory file above the worker's descriptors; -1 with errno. */
static int memory_file(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int high;

    if (fd < 0) {
        return -1;
    }
    high = fcntl(fd, F_DUPFD_CLOEXEC, FD_FLOOR);
    close(fd);
    return high;
}

static enum cwm_rc make_shared(struct worker *w, struct cwm_err *err)
{
    void *p;

    w->shared_fd = memory_file("shared");
    if (w->shared_fd < 0 || ftruncate(w->shared_fd, (off_t)w->shared_len) < 0 ||
        fcntl(w->shared_fd, F_ADD_SEALS,
              F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "could not make %zu bytes of shared memory: %s",
                        w->shared_len, strerror(errno));
    }
    if (w->shared_len == 0) {
        return CWM_OK;
    }
    p = mmap(NULL, w->shared_len, PROT_READ, MAP_SHARED, w->shared_fd, 0);
    if (p == MAP_FAILED) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "could not map %zu bytes of shared memory: %s",
                        w->shared_len, strerror(errno));
    }
    w->shared = p;
    return CWM_OK;
}

enum cwm_rc worker_init(struct worker *w, const struct sandbox_policy *policy,
                        struct cwm_err *err)
{
    memset(w, 0, sizeof(*w));
    w->control_fd = w->shared_fd = -1;
    w->allow_missing = policy->allow_missing;
    w->shared_len = policy->shared_bytes;
    w->path = cwm_strdup(policy->worker_path);
    w->args = copy_strings(policy->worker_path, policy->worker_args);
    w->read_paths = copy_strings(NULL, policy->read_paths);
    if (!w->path || !w->args || !w->read_paths) {
        return CWM_FAIL(err, CWM_NOMEM, "could not copy the sandbox's policy");
    }
    return make_shared(w, err);
}

void worker_release(struct worker *w)
{
    worker_stop(w, false);
    if (w->shared) {
        munmap(w->shared, w->shared_len);
    }
    if (w->shared_fd >= 0) {
        close(w->shared_fd);
    }
    cwm_free(w->hello);
    cwm_free(w->path);
    free_strings(w->args);
    free_strings(w->read_paths);
}

static enum cwm_rc policy_file(const struct worker *w, int *ret_fd,
                               struct cwm_err *err)
{
    const struct sandbox_policy policy = {
        .read_paths = (const char *const *)w->read_paths,
        .shared_bytes = w->shared_len,
        .allow_missing = w->allow_missing,
    };
    int fd = memory_file("policy");
    enum cwm_rc rc;

    if (fd < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not make a memory file: %s",
                        strerror(errno));
    }
    rc = protocol_policy_write(fd, &policy, err);
    if (rc != CWM_OK) {
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return CWM_OK;
}

/* posix_spawn() with the worker's descriptors, signals and environment. */
static int spawn(struct worker *w, int control, int policy, int log)
{
    static char lang[] = "LC_ALL=C.UTF-8";
    static char zone[] = "TZ=UTC";
    char *const environment[] = {lang, zone, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t set;
    pid_t pid;
    int rc;

    if (posix_spawn_file_actions_init(&actions) != 0) {
        return ENOMEM;
    }
    if (posix_spawnattr_init(&attr) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    sigfillset(&set);
    posix_spawnattr_setsigdefault(&attr, &set);
    sigemptyset(&set);
    posix_spawnattr_setsigmask(&attr, &set);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    rc =
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (rc == 0) {
        rc = posix_spawn_file_actions_adddup2(&actions, log, 1) ||
             posix_spawn_file_actions_adddup2(&actions, log, 2) ||
             posix_spawn_file_actions_adddup2(&actions, control,
                                              PROTOCOL_CONTROL_FD) ||
             posix_spawn_file_actions_adddup2(&actions, w->shared_fd,
                                              PROTOCOL_SHARED_FD) ||
             posix_spawn_file_actions_adddup2(&actions, policy,
                                              PROTOCOL_POLICY_FD);
        rc = rc ? ENOMEM : 0;
    }
    if (rc == 0) {
        rc = posix_spawn(&pid, w->path, &actions, &attr, w->args, environment);
    }
    if (rc == 0) {
        w->pid = pid;
    }
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* The end of what the worker wrote before it was warm, as one line. */
static void read_log(int log, char *text, size_t room)
{
    off_t size = lseek(log, 0, SEEK_END);
    off_t from = size > (off_t)room - 1 ? size - (off_t)room + 1 : 0;
    ssize_t n = pread(log, text, room - 1, from);

    text[n > 0 ? n : 0] = '\0';
    for (char *p = text; *p != '\0'; p++) {
        if (*p == '\n' || *p == '\r') {
            *p = p[1] == '\0' ? '\0' : ' ';
        }
    }
}

static enum cwm_rc fail_unwarmed(struct worker *w, int log, const char *what,
                                 struct cwm_err *err)
{
    char said[256];

    read_log(log, said, sizeof(said));
    return CWM_FAIL(err, CWM_SYSTEM, "could not start '%s': %s%s%s", w->path,
                    what, said[0] != '\0' ? ": " : "", said);
}

static enum cwm_rc await_hello(struct worker *w, int log, struct cwm_err *err)
{
    struct pollfd pfd = {w->control_fd, POLLIN, 0};
    struct message m;
    int n;

    do {
        n = poll(&pfd, 1, WARM_MS);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return fail_unwarmed(w, log, "it did not get warm in time", err);
    }
    if (protocol_receive(w->control_fd, &m, NULL, NULL) != CWM_OK) {
        return fail_unwarmed(w, log, "it ended before it was warm", err);
    }
    if (m.type == MESSAGE_REFUSE) {
        return CWM_FAIL(err, (enum cwm_rc)m.u.code, "%s", m.text);
    }
    w->missing = m.u.missing;
    cwm_free(w->hello);
    w->hello = cwm_strdup(m.text);
    if (!w->hello) {
        return CWM_FAIL(err, CWM_NOMEM, "could not allocate a text");
    }
    w->base_bytes = cgroup_memory_used(&w->cgroup);
    w->oom_kills = cgroup_oom_kills(&w->cgroup);
    return CWM_OK;
}

/* The cgroup is a wall that need not be: without it the rlimits bound sums. */
static void open_cgroup(struct worker *w)
{
    if (cgroup_open(&w->cgroup, NULL) != CWM_OK) {
        return;
    }
    if (cgroup_limit(&w->cgroup, WARM_BYTES + w->shared_len, WARM_TASKS,
                     NULL) != CWM_OK ||
        cgroup_add(&w->cgroup, w->pid, NULL) != CWM_OK) {
        cgroup_close(&w->cgroup);
    }
}

enum cwm_rc worker_start(struct worker *w, struct cwm_err *err)
{
    int sockets[2] = {-1, -1}; /* owned: ours, the worker's */
    int policy = -1;           /* owned */
    int log = -1;              /* owned */
    int high = -1;             /* owned */
    struct message go;
    enum cwm_rc rc = CWM_OK;
    int error;

    if (w->pid != 0) {
        return CWM_OK;
    }
    rc = policy_file(w, &policy, err);
    if (rc != CWM_OK) {
        goto out;
    }
    log = memory_file("log");
    if (log < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ||
        (high = fcntl(sockets[1], F_DUPFD_CLOEXEC, FD_FLOOR)) < 0) {
        rc = CWM_FAIL(err, CWM_SYSTEM, "could not open what a worker needs: %s",
                      strerror(errno));
        goto out;
    }
    error = spawn(w, high, policy, log);
    if (error != 0) {
        rc = CWM_FAIL(err, CWM_SYSTEM, "could not start '%s': %s", w->path,
                      strerror(error));
        goto out;
    }
    w->control_fd = sockets[0];
    sockets[0] = -1;
    close(high);
    close(sockets[1]);
    high = sockets[1] = -1;
    open_cgroup(w);
    protocol_message_init(&go, MESSAGE_GO, NULL);
    if (protocol_send(w->control_fd, &go, NULL, 0, NULL) != CWM_OK) {
        rc = fail_unwarmed(w, log, "it ended at once", err);
    } else {
        rc = await_hello(w, log, err);
    }
    if (rc != CWM_OK) {
        worker_stop(w, true);
    }
out:
    for (int i = 0; i < 2; i++) {
        if (sockets[i] >= 0) {
            close(sockets[i]);
        }
    }
    if (policy >= 0) {
        close(policy);
    }
    if (log >= 0) {
        close(log);
    }
    if (high >= 0) {
        close(high);
    }
    return rc;
}

/* Until every holder of the other end is gone; false: not in time. */
static bool await_hang_up(int fd, int timeout_ms)
{
    struct pollfd pfd = {fd, POLLIN, 0};
    char byte[64];
    struct timespec now;
    struct timespec end;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += timeout_ms / 1000;
    do {
        if (poll(&pfd, 1, 50) > 0 && recv(fd, byte, sizeof(byte), 0) <= 0) {
            return true;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec < end.tv_sec);
    return false;
}

void worker_stop(struct worker *w, bool force)
{
    if (w->pid == 0) {
        return;
    }
    if (!force) {
        shutdown(w->control_fd, SHUT_WR);
        force = !await_hang_up(w->control_fd, STOP_MS);
    }
    if (force) {
        /* Its death is pid 1's, which takes the whole jail along. */
        kill(w->pid, SIGKILL);
        (void)await_hang_up(w->control_fd, STOP_MS);
    }
    close(w->control_fd);
    w->control_fd = -1;
    while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    w->pid = 0;
    cgroup_close(&w->cgroup);
}
