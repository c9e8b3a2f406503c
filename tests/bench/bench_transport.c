/* SPDX-License-Identifier: MIT */
/*
 * bench_transport.c -- how records should leave the jail.
 *
 * A child writes records of 32 bytes, the parent reads them all, by
 *     shared    memory shared with the parent, fresh for every run
 *     pipe      a pipe, a write() for each record: nothing is lost when the
 *               child is killed, as with shared memory
 *     buffered  a pipe, a write() for every 64 KB: up to 64 KB are lost
 * bench_transport TURNS prints one line of JSON for each size and way: the
 * least CPU time of both processes together.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD_BYTES ((size_t)32)
#define PIPE_BYTES   ((size_t)65536) /* Linux's default capacity */

enum way { SHARED, PIPE, BUFFERED, N_WAYS };

static const char *const way_names[N_WAYS] = {"shared", "pipe", "buffered"};

struct channel {
    enum way way;
    size_t n_bytes;  /* of records in one run */
    uint8_t *memory; /* SHARED: the counter, then the records */
    int fds[2];      /* else */
};

static uint64_t cpu_us(int who)
{
    struct rusage u;

    getrusage(who, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void die(const char *what)
{
    fprintf(stderr, "bench_transport: %s: %s\n", what, strerror(errno));
    exit(3);
}

static void write_whole(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0) {
            _exit(3);
        }
        data += n;
        len -= (size_t)n;
    }
}

static void child_shared(const struct channel *c)
{
    _Atomic uint64_t *committed = (_Atomic uint64_t *)(void *)c->memory;
    uint8_t *records = c->memory + 64;
    uint8_t record[RECORD_BYTES];
    size_t at;

    for (at = 0; at + RECORD_BYTES <= c->n_bytes; at += RECORD_BYTES) {
        memset(record, (int)(at >> 5 & 0x7F), sizeof record);
        memcpy(records + at, record, sizeof record);
        atomic_store_explicit(committed, at + RECORD_BYTES,
                              memory_order_release);
    }
}

static void child_pipe(const struct channel *c)
{
    size_t unit = c->way == PIPE ? RECORD_BYTES : PIPE_BYTES;
    static uint8_t buffer[PIPE_BYTES];
    size_t used = 0;
    size_t at;

    for (at = 0; at + RECORD_BYTES <= c->n_bytes; at += RECORD_BYTES) {
        memset(buffer + used, (int)(at >> 5 & 0x7F), RECORD_BYTES);
        used += RECORD_BYTES;
        if (used == unit) {
            write_whole(c->fds[1], buffer, used);
            used = 0;
        }
    }
    write_whole(c->fds[1], buffer, used);
}

/* A sum over all bytes: what any reader does at least. */
static uint64_t sum_of(const uint8_t *data, size_t len, uint64_t sum)
{
    size_t i;

    for (i = 0; i < len; i++) {
        sum += data[i];
    }
    return sum;
}

static uint64_t read_pipe(int fd)
{
    static uint8_t buffer[PIPE_BYTES];
    uint64_t sum = 0;
    ssize_t n;

    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        sum = sum_of(buffer, (size_t)n, sum);
    }
    return sum;
}

static void open_channel(struct channel *c)
{
    if (c->way != SHARED) {
        if (pipe(c->fds) < 0) {
            die("pipe");
        }
        return;
    }
    c->memory = mmap(NULL, c->n_bytes + 64, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c->memory == MAP_FAILED) {
        die("mmap");
    }
}

/* One run; returns the sum of what arrived. */
static uint64_t run_once(struct channel *c)
{
    uint64_t sum = 0;
    pid_t pid;

    open_channel(c);
    pid = fork();
    if (pid < 0) {
        die("fork");
    }
    if (pid == 0) {
        if (c->way == SHARED) {
            child_shared(c);
        } else {
            close(c->fds[0]);
            child_pipe(c);
        }
        _exit(0);
    }
    if (c->way != SHARED) {
        close(c->fds[1]);
        sum = read_pipe(c->fds[0]);
        close(c->fds[0]);
    }
    if (waitpid(pid, NULL, 0) < 0) {
        die("waitpid");
    }
    if (c->way == SHARED) {
        sum = sum_of(c->memory + 64, c->n_bytes, 0);
        munmap(c->memory, c->n_bytes + 64);
    }
    return sum;
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {1u << 10, 64u << 10, 1u << 20, 4u << 20};
    long n_turns = argc > 1 ? strtol(argv[1], NULL, 10) : 20;
    size_t i;
    int way;
    long turn;

    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t best[N_WAYS] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
        uint64_t sums[N_WAYS] = {0};

        for (turn = 0; turn < n_turns; turn++) {
            for (way = 0; way < N_WAYS; way++) {
                struct channel c = {.way = (enum way)way, .n_bytes = sizes[i]};
                uint64_t before = cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN);
                uint64_t used;

                sums[way] = run_once(&c);
                used = cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN) - before;
                best[way] = used < best[way] ? used : best[way];
            }
        }
        for (way = 0; way < N_WAYS; way++) {
            if (sums[way] != sums[SHARED]) {
                fprintf(stderr, "bench_transport: bytes were lost\n");
                return 3;
            }
            printf("{\"bytes\": %zu, \"way\": \"%s\", \"cpu_us\": %" PRIu64
                   "}\n",
                   sizes[i], way_names[way], best[way]);
        }
    }
    return 0;
}
