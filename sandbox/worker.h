/* SPDX-License-Identifier: MIT */
/*
 * worker.h -- the worker process as the host holds it: started, warm, gone;
 * private to sandbox/.
 */
#ifndef SANDBOX_WORKER_H
#define SANDBOX_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "cwm/base/err.h"
#include "sandbox/cgroup.h"
#include "sandbox/sandbox.h"

struct worker {
    pid_t pid;            /* the outer process; 0: not running */
    int control_fd;       /* owned; -1 */
    int shared_fd;        /* owned: the shared memory's file */
    uint8_t *shared;      /* owned mapping, read-only; NULL when empty */
    size_t shared_len;    /* bytes */
    struct cgroup cgroup; /* version 0: the machine gives none */
    uint64_t base_bytes;  /* memory of the warm worker in its cgroup */
    uint64_t oom_kills;   /* as last read from the cgroup */
    char *hello;          /* owned */
    uint32_t missing;     /* walls that are accepted to be missing, and are */
    /* Copies of the policy, owned. */
    char *path;
    char **args;       /* NULL-ended, args[0] is the path */
    char **read_paths; /* NULL-ended */
    uint32_t allow_missing;
};

/* Copies the policy and makes the shared memory; starts nothing. */
enum cwm_rc worker_init(struct worker *w, const struct sandbox_policy *policy,
                        struct cwm_err *err);
/* Stops it too. */
void worker_release(struct worker *w);

/* Start it, unless it runs, and wait until it is warm. */
enum cwm_rc worker_start(struct worker *w, struct cwm_err *err);
/*
 * End it: ask (`force` false) or kill.  Returns when no process of it is left.
 */
void worker_stop(struct worker *w, bool force);

#endif /* SANDBOX_WORKER_H */
