/* SPDX-License-Identifier: MIT */
/*
 * cgroup.h -- one cgroup a sandbox, where the machine lets us; private to
 * sandbox/.
 *
 * Version 2 where memory and pids can be had below our own cgroup or its
 * parent, else version 1 below the cgroups that /proc/self/cgroup names.
 * Names are cwm-PID-N; those of processes that are gone are removed when the
 * next one is made.
 *
 * Threads: one at a time per struct.
 */
#ifndef SANDBOX_CGROUP_H
#define SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cwm/base/err.h"

#define CGROUP_PATH_BYTES 1024

struct cgroup {
    int version;                        /* 0: none was made */
    char memory_dir[CGROUP_PATH_BYTES]; /* v2: the one folder */
    char pids_dir[CGROUP_PATH_BYTES];   /* v2: the same */
    uint64_t memory_bytes;              /* limit as last set */
    uint64_t tasks;
};

/* Make one.  Fails CWM_SYSTEM with the reason; `c` is then empty but valid. */
enum cwm_rc cgroup_open(struct cgroup *c, struct cwm_err *err);
/*
 * The same where the files `cgroup` and `mounts` of `proc` tell what there is,
 * instead of those of /proc/self: for tests, which have one version at most.
 */
enum cwm_rc cgroup_open_from(struct cgroup *c, const char *proc,
                             struct cwm_err *err);
/* Remove it; its processes must be gone. */
void cgroup_close(struct cgroup *c);
enum cwm_rc cgroup_add(const struct cgroup *c, pid_t pid, struct cwm_err *err);
/* Nothing is written for what is as it was. */
enum cwm_rc cgroup_limit(struct cgroup *c, uint64_t memory_bytes,
                         uint64_t tasks, struct cwm_err *err);
uint64_t cgroup_memory_used(const struct cgroup *c); /* bytes; 0: no idea */
uint64_t cgroup_oom_kills(const struct cgroup *c);

#endif /* SANDBOX_CGROUP_H */
