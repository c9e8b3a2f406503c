/* SPDX-License-Identifier: MIT */
/*
 * worker_direct.c -- run a worker's program_run() in this process.
 *
 *     worker-direct-X.Y REQUEST RECORDS [SHARED_BYTES [REPEAT]]
 *
 * For tests and benchmarks: no jail and no host.  REQUEST is a file as
 * request.h writes it, RECORDS is made and mapped as the shared memory.  With
 * REPEAT the run is done that many times in forked children, and what one
 * costs is printed on standard error.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/jail.h"
#include "tracer/request.h"
#include "tracer/worker/program.h"
#include "tracer/worker/warm.h"

#define SHARED_BYTES (64ul << 20)

/* Stand-ins for the jail's: a fork, with what it prints thrown away. */
pid_t jail_scratch_fork(uint32_t cpu_ms)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct rlimit limit = {cpu_ms / 1000 + 1, cpu_ms / 1000 + 1};
    setrlimit(RLIMIT_CPU, &limit);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    return 0;
}

int jail_scratch_wait(pid_t pid)
{
    int status;
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static const uint8_t *map_request(const char *path, size_t *ret_len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
        return NULL;
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    *ret_len = (size_t)st.st_size;
    return data == MAP_FAILED ? NULL : data;
}

static uint8_t *map_records(const char *path, size_t len)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)len) != 0)
        return NULL;
    void *data = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return data == MAP_FAILED ? NULL : data;
}

static double cpu_seconds(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           1e-6 * (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

/* Forks and runs `n` times; the CPU time of parent and child for one. */
static int repeat(const struct trace_request *request, uint8_t *shared,
                  size_t shared_len, unsigned long n)
{
    struct rusage before;
    struct rusage after;
    struct rusage children;
    getrusage(RUSAGE_SELF, &before);
    for (unsigned long i = 0; i < n; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(program_run(request, shared, shared_len));
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            return 3;
    }
    getrusage(RUSAGE_SELF, &after);
    getrusage(RUSAGE_CHILDREN, &children);
    fprintf(stderr,
            "%.1f us in the parent, %.1f us and %.0f page faults in the "
            "child\n",
            1e6 * (cpu_seconds(&after) - cpu_seconds(&before)) / (double)n,
            1e6 * cpu_seconds(&children) / (double)n,
            (double)children.ru_minflt / (double)n);
    return 0;
}

int main(int argc, char **argv)
{
    struct cwm_err err = {0};
    struct trace_request request;
    size_t request_len = 0;
    if (argc < 3) {
        fprintf(stderr, "worker-direct: REQUEST RECORDS [SHARED_BYTES]\n");
        return 2;
    }
    size_t shared_len = argc > 3 ? strtoul(argv[3], NULL, 10) : SHARED_BYTES;
    const uint8_t *data = map_request(argv[1], &request_len);
    uint8_t *shared = map_records(argv[2], shared_len);
    if (!data || !shared) {
        perror("worker-direct");
        return 3;
    }
    if (trace_request_read(data, request_len, &request, &err) != CWM_OK ||
        warm_start(NULL, 0, &err) != CWM_OK || warm_up(&err) != CWM_OK) {
        fprintf(stderr, "worker-direct: %s\n", err.message);
        return 3;
    }
    if (argc > 4)
        return repeat(&request, shared, shared_len, strtoul(argv[4], NULL, 10));
    int status = program_run(&request, shared, shared_len);
    fflush(NULL);
    _exit(status);
}
