/* SPDX-License-Identifier: MIT */
/*
 * sandbox.c -- the host's side of a run: hand it over, drain its output, take
 * the verdict.  The worker process itself: worker.c.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "sandbox/protocol.h"
#include "sandbox/worker.h"

/* How often a cancel flag is looked at. */
#define CANCEL_POLL_MS 20

/* How much longer than the run's own limit we wait for pid 1's verdict. */
#define BACKSTOP_MS 2000

/* Room in the cgroup beside what limits allow: page tables, pipes, the kernel's
 * own, and the private copies of the worker's pages that every fork makes. */
#define SLACK_BYTES (64ull << 20)
/* The outer process, pid 1, scratch processes, one to spare. */
#define SLACK_TASKS 6

/* Larger limits are none: eleven days, a petabyte.  Sums cannot overflow. */
#define MAX_LIMIT_MS    1000000000ull
#define MAX_LIMIT_BYTES (1ull << 50)
#define MAX_LIMIT_TASKS (1u << 20)

struct sandbox {
    struct worker worker;
    uint64_t run_id; /* of the last run */
};

/* One run's descriptors and state on this side. */
struct run {
    int given[RUN_N_FDS]; /* owned until they are sent; -1 */
    int out_fd;           /* owned: reading ends; -1 at their end of file */
    int err_fd;
    struct cwm_buf *out; /* borrowed */
    struct cwm_buf *err_out;
    uint64_t left; /* bytes of output that are kept */
    bool over;     /* there was more */
    bool killing;  /* pid 1 has been told */
    bool answered; /* `answer` is there */
    bool worker_died;
    bool timed_out; /* pid 1 did not answer either */
    struct message answer;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* A memory file with `data` that nobody can change any more. */
static int sealed_file(const char *name, const void *data, size_t len)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        return -1;
    }
    if (protocol_write_all(fd, data, len) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
        fcntl(fd, F_ADD_SEALS,
              F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static enum cwm_rc open_run(struct run *r, const void *request,
                            size_t request_len, const void *stdin_data,
                            size_t stdin_len, struct cwm_err *err)
{
    int out[2] = {-1, -1};
    int err_out[2] = {-1, -1};

    r->given[RUN_FD_REQUEST] = sealed_file("request", request, request_len);
    r->given[RUN_FD_STDIN] = sealed_file("stdin", stdin_data, stdin_len);
    if (r->given[RUN_FD_REQUEST] < 0 || r->given[RUN_FD_STDIN] < 0 ||
        pipe2(out, O_CLOEXEC) < 0) {
        goto fail;
    }
    r->out_fd = out[0];
    r->given[RUN_FD_STDOUT] = out[1];
    if (pipe2(err_out, O_CLOEXEC) < 0) {
        goto fail;
    }
    r->err_fd = err_out[0];
    r->given[RUN_FD_STDERR] = err_out[1];
    if (fcntl(r->out_fd, F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(r->err_fd, F_SETFL, O_NONBLOCK) < 0) {
        goto fail;
    }
    return CWM_OK;
fail:
    return CWM_FAIL(err, CWM_SYSTEM, "could not open what a run needs: %s",
                    strerror(errno));
}

static void close_run(struct run *r)
{
    for (int i = 0; i < RUN_N_FDS; i++) {
        close_fd(&r->given[i]);
    }
    close_fd(&r->out_fd);
    close_fd(&r->err_fd);
}

/* Read what is there; what is over the limit is read and dropped. */
static enum cwm_rc drain(struct run *r, int *fd, struct cwm_buf *to,
                         struct cwm_err *err)
{
    char data[65536];

    while (*fd >= 0) {
        ssize_t n = read(*fd, data, sizeof(data));
        size_t keep;

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return CWM_OK;
        }
        if (n <= 0) {
            close_fd(fd);
            return CWM_OK;
        }
        keep = (uint64_t)n > r->left ? (size_t)r->left : (size_t)n;
        r->over = r->over || keep < (size_t)n;
        r->left -= keep;
        if (cwm_buf_add(to, data, keep) != CWM_OK) {
            return cwm_buf_check(to, "the output of a run", err);
        }
        if ((size_t)n < sizeof(data) && !r->answered) {
            return CWM_OK; /* likely empty; poll() knows better */
        }
    }
    return CWM_OK;
}

/* Bound the run in sum by the cgroup, where there is one. */
static enum cwm_rc limit_sum(struct sandbox *s,
                             const struct sandbox_limits *limits,
                             struct cwm_err *err)
{
    struct worker *w = &s->worker;
    uint64_t bytes = w->base_bytes + limits->memory_bytes + limits->disk_bytes +
                     w->shared_len + SLACK_BYTES;

    return cgroup_limit(&w->cgroup, bytes, limits->tasks + SLACK_TASKS, err);
}

static enum cwm_rc hand_over(struct sandbox *s, struct run *r,
                             const struct sandbox_limits *limits,
                             struct cwm_err *err)
{
    struct worker *w = &s->worker;
    struct message m;
    enum cwm_rc rc;

    if (w->shared_len > 0 &&
        fallocate(w->shared_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                  (off_t)w->shared_len) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not clear shared memory: %s",
                        strerror(errno));
    }
    rc = limit_sum(s, limits, err);
    if (rc != CWM_OK) {
        return rc;
    }
    protocol_message_init(&m, MESSAGE_RUN, NULL);
    m.run_id = ++s->run_id;
    m.u.limits = *limits;
    rc = protocol_send(w->control_fd, &m, r->given, RUN_N_FDS, err);
    for (int i = 0; i < RUN_N_FDS; i++) {
        close_fd(&r->given[i]);
    }
    return rc;
}

static void tell_to_kill(struct sandbox *s, struct run *r, enum sandbox_end end)
{
    struct message m;

    if (r->killing || r->answered || r->worker_died) {
        return;
    }
    r->killing = true;
    protocol_message_init(&m, MESSAGE_KILL, NULL);
    m.run_id = s->run_id;
    m.u.end = (uint32_t)end;
    (void)protocol_send(s->worker.control_fd, &m, NULL, 0, NULL);
}

static void take_answer(struct sandbox *s, struct run *r)
{
    enum cwm_rc rc =
        protocol_receive(s->worker.control_fd, &r->answer, NULL, NULL);

    if (rc != CWM_OK) {
        r->worker_died = true;
    } else {
        r->answered = true;
    }
}

/*
 * Until pid 1 has answered: no process of the run is left then, and all it
 * wrote lies in the pipes.  Their end of file may never come: a run can leave
 * a socket in flight in itself that holds a writing end.
 */
static enum cwm_rc follow_run(struct sandbox *s, struct run *r,
                              const struct sandbox_limits *limits,
                              const volatile int *cancel, struct cwm_err *err)
{
    uint64_t end_ms = now_ms() + limits->wall_ms + BACKSTOP_MS;
    enum cwm_rc rc = CWM_OK;

    while (rc == CWM_OK && !r->answered && !r->worker_died && !r->timed_out) {
        uint64_t now = now_ms();
        struct pollfd fds[] = {
            {s->worker.control_fd, POLLIN, 0},
            {r->out_fd, POLLIN, 0},
            {r->err_fd, POLLIN, 0},
        };
        int timeout = now >= end_ms ? 0 : (int)(end_ms - now);

        if (cancel && timeout > CANCEL_POLL_MS) {
            timeout = CANCEL_POLL_MS;
        }
        if (poll(fds, 3, timeout) < 0 && errno != EINTR) {
            return CWM_FAIL(err, CWM_SYSTEM, "could not wait for a run: %s",
                            strerror(errno));
        }
        if (fds[0].revents) {
            take_answer(s, r);
        }
        rc = drain(r, &r->out_fd, r->out, err);
        if (rc == CWM_OK) {
            rc = drain(r, &r->err_fd, r->err_out, err);
        }
        if (r->over) {
            tell_to_kill(s, r, SANDBOX_END_OUTPUT);
        }
        if (cwm_is_cancelled(cancel)) {
            tell_to_kill(s, r, SANDBOX_END_WALL_TIME);
        }
        r->timed_out = !r->answered && now >= end_ms;
    }
    return rc;
}

/* Has the kernel killed for memory since we last looked? */
static bool killed_for_memory(struct worker *w)
{
    uint64_t before = w->oom_kills;

    w->oom_kills = cgroup_oom_kills(&w->cgroup);
    return w->oom_kills > before;
}

/* What a run that ended with its worker was: our failure, or its verdict? */
static enum cwm_rc judge_death(struct sandbox *s, struct run *r,
                               uint64_t wall_ms,
                               struct sandbox_verdict *ret_verdict,
                               struct cwm_err *err)
{
    bool oom = killed_for_memory(&s->worker);

    worker_stop(&s->worker, true);
    if (!oom && !r->timed_out) {
        return CWM_FAIL(err, CWM_SYSTEM, "the jail's worker ended: %s",
                        r->answered ? r->answer.text : "it was killed");
    }
    memset(ret_verdict, 0, sizeof(*ret_verdict));
    ret_verdict->end = oom ? SANDBOX_END_MEMORY : SANDBOX_END_WALL_TIME;
    ret_verdict->wall_us = wall_ms * 1000;
    return CWM_OK;
}

static enum cwm_rc run_once(struct sandbox *s, const void *request,
                            size_t request_len, const void *stdin_data,
                            size_t stdin_len,
                            const struct sandbox_limits *limits,
                            const volatile int *cancel,
                            struct sandbox_verdict *ret_verdict, struct run *r,
                            struct cwm_err *err)
{
    uint64_t start_ms = now_ms();
    enum cwm_rc rc =
        open_run(r, request, request_len, stdin_data, stdin_len, err);

    if (rc == CWM_OK) {
        rc = hand_over(s, r, limits, err);
        if (rc == CWM_IO) {
            r->worker_died = true;
            rc = CWM_OK;
        }
    }
    if (rc == CWM_OK && !r->worker_died) {
        rc = follow_run(s, r, limits, cancel, err);
    }
    if (rc != CWM_OK) {
        worker_stop(&s->worker, true); /* in a state that we do not know */
        return rc;
    }
    if (r->worker_died || r->timed_out || r->answer.type != MESSAGE_RESULT) {
        return judge_death(s, r, now_ms() - start_ms, ret_verdict, err);
    }
    *ret_verdict = r->answer.u.verdict;
    if (ret_verdict->end == SANDBOX_END_SIGNALLED &&
        killed_for_memory(&s->worker)) {
        ret_verdict->end = SANDBOX_END_MEMORY;
        ret_verdict->code = 0;
    }
    if (r->over) {
        ret_verdict->end = SANDBOX_END_OUTPUT;
        ret_verdict->code = 0;
    }
    return CWM_OK;
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

static struct sandbox_limits bounded(const struct sandbox_limits *limits)
{
    struct sandbox_limits own = *limits;

    own.cpu_ms = at_most(own.cpu_ms, MAX_LIMIT_MS);
    own.wall_ms = at_most(own.wall_ms, MAX_LIMIT_MS);
    own.memory_bytes = at_most(own.memory_bytes, MAX_LIMIT_BYTES);
    own.disk_bytes = at_most(own.disk_bytes, MAX_LIMIT_BYTES);
    own.disk_files = at_most(own.disk_files, MAX_LIMIT_BYTES);
    own.tasks = (uint32_t)at_most(own.tasks, MAX_LIMIT_TASKS);
    return own;
}

enum cwm_rc sandbox_run(struct sandbox *s, const void *request,
                        size_t request_len, const void *stdin_data,
                        size_t stdin_len, const struct sandbox_limits *limits,
                        const volatile int *cancel,
                        struct sandbox_verdict *ret_verdict,
                        struct cwm_buf *out, struct cwm_buf *err_out,
                        struct cwm_err *err)
{
    const struct sandbox_limits own = bounded(limits);
    enum cwm_rc rc = CWM_OK;

    /* The second try is for a worker that somebody killed from outside. */
    for (int attempt = 0; attempt < 2; attempt++) {
        struct run r = {.given = {-1, -1, -1, -1},
                        .out_fd = -1,
                        .err_fd = -1,
                        .out = out,
                        .err_out = err_out,
                        .left = limits->output_bytes};

        cwm_buf_clear(out);
        cwm_buf_clear(err_out);
        rc = worker_start(&s->worker, err);
        if (rc != CWM_OK) {
            return rc;
        }
        rc = run_once(s, request, request_len, stdin_data, stdin_len, &own,
                      cancel, ret_verdict, &r, err);
        close_run(&r);
        if (cwm_is_cancelled(cancel)) {
            return CWM_FAIL(err, CWM_CANCELLED, "stopped on request");
        }
        if (rc != CWM_SYSTEM || s->worker.pid != 0) {
            return rc;
        }
    }
    return rc;
}

enum cwm_rc sandbox_open(const struct sandbox_policy *policy,
                         struct sandbox **ret_sandbox, struct cwm_err *err)
{
    struct sandbox *s = cwm_calloc(1, sizeof(*s)); /* owned */
    enum cwm_rc rc;

    if (!s) {
        return CWM_FAIL(err, CWM_NOMEM, "could not allocate a sandbox");
    }
    rc = worker_init(&s->worker, policy, err);
    if (rc == CWM_OK) {
        rc = worker_start(&s->worker, err);
    }
    if (rc != CWM_OK) {
        sandbox_close(s);
        return rc;
    }
    *ret_sandbox = s;
    return CWM_OK;
}

void sandbox_close(struct sandbox *s)
{
    if (s) {
        worker_release(&s->worker);
        cwm_free(s);
    }
}

const uint8_t *sandbox_shared(const struct sandbox *s, size_t *ret_len)
{
    *ret_len = s->worker.shared_len;
    return s->worker.shared;
}

const char *sandbox_hello(const struct sandbox *s)
{
    return s->worker.hello;
}

uint32_t sandbox_missing(const struct sandbox *s)
{
    return s->worker.missing;
}
