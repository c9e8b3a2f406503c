/* SPDX-License-Identifier: MIT */
/* cgroup.c -- control groups of both versions, by their files. */
#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "cwm-"

/* How long a cgroup may take to see that its last process is gone. */
#define REMOVE_TRIES    200
#define REMOVE_PAUSE_NS 1000000

/* Numbers the cgroups of this process. */
static atomic_uint n_made;

static int write_file(const char *dir, const char *name, const char *text)
{
    char path[CGROUP_PATH_BYTES + 64];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    n = write(fd, text, strlen(text));
    close(fd);
    return n < 0 ? -1 : 0;
}

static int write_number(const char *dir, const char *name, uint64_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    return write_file(dir, name, text);
}

/* The first bytes of a file as text; an empty one when it cannot be read. */
static void read_file(const char *dir, const char *name, char *text,
                      size_t room)
{
    char path[CGROUP_PATH_BYTES + 64];
    ssize_t n = -1;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, room - 1);
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
}

/* The number behind "KEY " at the start of a line; 0 when there is none. */
static uint64_t keyed_number(const char *text, const char *key)
{
    size_t len = strlen(key);

    while (text && *text != '\0') {
        if (strncmp(text, key, len) == 0 && text[len] == ' ') {
            return strtoull(text + len, NULL, 10);
        }
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    return 0;
}

/* Does the list `text` hold `word`, between any of " ,\n"? */
static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);

    while (*text != '\0') {
        size_t n = strcspn(text, " ,\n");

        if (n == len && strncmp(text, word, len) == 0) {
            return true;
        }
        text += n;
        text += strspn(text, " ,\n");
    }
    return false;
}

/* A file below `proc` (cgroup_open_from()); NULL: it cannot be read. */
static FILE *open_proc(const char *proc, const char *name)
{
    char path[CGROUP_PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s", proc, name);

    return n > 0 && (size_t)n < sizeof(path) ? fopen(path, "re") : NULL;
}

/*
 * Our own cgroup in the hierarchy of `controller` ("" is version 2), as
 * /proc/self/cgroup tells it: "N:controllers:path" a line.
 */
static bool own_path(const char *proc, const char *controller, char *path,
                     size_t room)
{
    char line[CGROUP_PATH_BYTES + 128];
    FILE *f = open_proc(proc, "cgroup");
    bool found = false;

    while (f && !found && fgets(line, sizeof(line), f)) {
        char *names = strchr(line, ':');
        char *where = names ? strchr(names + 1, ':') : NULL;

        if (!where) {
            continue;
        }
        *where++ = '\0';
        where[strcspn(where, "\n")] = '\0';
        names++;
        found = controller[0] == '\0' ? names[0] == '\0'
                                      : has_word(names, controller);
        if (found) {
            found = snprintf(path, room, "%s", where) < (int)room;
        }
    }
    if (f) {
        fclose(f);
    }
    return found;
}

/*
 * Where the hierarchy is mounted: "DEVICE POINT TYPE OPTIONS 0 0" a line of
 * /proc/self/mounts.
 */
static bool mount_point(const char *proc, const char *controller, char *point,
                        size_t room)
{
    char line[4096];
    FILE *f = open_proc(proc, "mounts");
    bool found = false;

    while (f && !found && fgets(line, sizeof(line), f)) {
        char where[1024];
        char type[64];
        char options[1024];

        if (sscanf(line, "%*s %1023s %63s %1023s", where, type, options) != 3) {
            continue;
        }
        found = controller[0] == '\0' ? strcmp(type, "cgroup2") == 0
                                      : strcmp(type, "cgroup") == 0 &&
                                            has_word(options, controller);
        if (found) {
            found = snprintf(point, room, "%s", where) < (int)room;
        }
    }
    if (f) {
        fclose(f);
    }
    return found;
}

/* Our own folder of a hierarchy. */
static bool own_dir(const char *proc, const char *controller, char *dir,
                    size_t room)
{
    char point[512];
    char path[512];
    int n;

    if (!mount_point(proc, controller, point, sizeof(point)) ||
        !own_path(proc, controller, path, sizeof(path))) {
        return false;
    }
    n = snprintf(dir, room, "%s%s", point, strcmp(path, "/") ? path : "");
    return n > 0 && (size_t)n < room && access(dir, F_OK) == 0;
}

/* Remove what processes that are gone have left; an occupied one stays. */
static void remove_stale(const char *parent)
{
    DIR *dir = opendir(parent);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0) {
            long pid = strtol(entry->d_name + strlen(PREFIX), NULL, 10);

            if (pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH) {
                unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
            }
        }
    }
    if (dir) {
        closedir(dir);
    }
}

static int make_dir(const char *parent, unsigned number, char *ret_dir)
{
    int n;

    remove_stale(parent);
    n = snprintf(ret_dir, CGROUP_PATH_BYTES, "%s/" PREFIX "%ld-%u", parent,
                 (long)getpid(), number);
    if (n < 0 || n >= CGROUP_PATH_BYTES) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return mkdir(ret_dir, 0755);
}

/* Version 2, below `parent` if it hands out memory and pids. */
static bool open_v2_at(struct cgroup *c, const char *parent, unsigned number)
{
    char have[256];

    read_file(parent, "cgroup.subtree_control", have, sizeof(have));
    if (!has_word(have, "memory") || !has_word(have, "pids")) {
        /* Works in the root cgroup and where no process sits in it. */
        (void)write_file(parent, "cgroup.subtree_control", "+memory +pids");
        read_file(parent, "cgroup.subtree_control", have, sizeof(have));
    }
    if (!has_word(have, "memory") || !has_word(have, "pids") ||
        make_dir(parent, number, c->memory_dir) < 0) {
        return false;
    }
    memcpy(c->pids_dir, c->memory_dir, sizeof(c->pids_dir));
    c->version = 2;
    return true;
}

static bool open_v2(struct cgroup *c, const char *proc, unsigned number)
{
    char dir[CGROUP_PATH_BYTES];
    char *slash;

    if (!own_dir(proc, "", dir, sizeof(dir))) {
        return false;
    }
    if (open_v2_at(c, dir, number)) {
        return true;
    }
    slash = strrchr(dir, '/');
    if (!slash || slash == dir) {
        return false;
    }
    *slash = '\0';
    return open_v2_at(c, dir, number);
}

static bool open_v1(struct cgroup *c, const char *proc, unsigned number)
{
    char memory[CGROUP_PATH_BYTES];
    char pids[CGROUP_PATH_BYTES];

    if (!own_dir(proc, "memory", memory, sizeof(memory)) ||
        !own_dir(proc, "pids", pids, sizeof(pids)) ||
        make_dir(memory, number, c->memory_dir) < 0) {
        return false;
    }
    if (make_dir(pids, number, c->pids_dir) < 0) {
        rmdir(c->memory_dir);
        return false;
    }
    c->version = 1;
    return true;
}

enum cwm_rc cgroup_open_from(struct cgroup *c, const char *proc,
                             struct cwm_err *err)
{
    unsigned number = atomic_fetch_add(&n_made, 1);

    memset(c, 0, sizeof(*c));
    errno = 0;
    if (!open_v2(c, proc, number) && !open_v1(c, proc, number)) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "no cgroup with memory and pids can be made here (%s)",
                        errno ? strerror(errno) : "none is mounted");
    }
    return CWM_OK;
}

enum cwm_rc cgroup_open(struct cgroup *c, struct cwm_err *err)
{
    return cgroup_open_from(c, "/proc/self", err);
}

static void remove_dir(const char *dir)
{
    const struct timespec pause = {0, REMOVE_PAUSE_NS};

    for (int i = 0; i < REMOVE_TRIES; i++) {
        if (rmdir(dir) == 0 || errno != EBUSY) {
            return;
        }
        nanosleep(&pause, NULL);
    }
}

void cgroup_close(struct cgroup *c)
{
    if (c->version != 0) {
        remove_dir(c->memory_dir);
        if (c->version == 1) {
            remove_dir(c->pids_dir);
        }
        c->version = 0;
    }
}

enum cwm_rc cgroup_add(const struct cgroup *c, pid_t pid, struct cwm_err *err)
{
    if (c->version == 0) {
        return CWM_OK;
    }
    if (write_number(c->memory_dir, "cgroup.procs", (uint64_t)pid) < 0 ||
        (c->version == 1 &&
         write_number(c->pids_dir, "cgroup.procs", (uint64_t)pid) < 0)) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "could not put the worker into its cgroup: %s",
                        strerror(errno));
    }
    return CWM_OK;
}

/* Memory and swap together; a limit of the sum may never be the smaller. */
static int limit_memory_v1(const char *dir, uint64_t bytes, bool raise)
{
    static const char plain[] = "memory.limit_in_bytes";
    static const char with_swap[] = "memory.memsw.limit_in_bytes";
    bool has_swap;
    char now[64];

    read_file(dir, with_swap, now, sizeof(now));
    has_swap = now[0] != '\0';
    if (has_swap && raise && write_number(dir, with_swap, bytes) < 0) {
        return -1;
    }
    if (write_number(dir, plain, bytes) < 0) {
        return -1;
    }
    return has_swap && !raise ? write_number(dir, with_swap, bytes) : 0;
}

enum cwm_rc cgroup_limit(struct cgroup *c, uint64_t memory_bytes,
                         uint64_t tasks, struct cwm_err *err)
{
    int rc = 0;

    if (c->version == 0) {
        return CWM_OK;
    }
    if (memory_bytes != c->memory_bytes) {
        if (c->version == 2) {
            rc = write_number(c->memory_dir, "memory.max", memory_bytes);
            /* Absent where the kernel counts no swap. */
            (void)write_number(c->memory_dir, "memory.swap.max", 0);
        } else {
            bool raise = c->memory_bytes != 0 && memory_bytes > c->memory_bytes;

            rc = limit_memory_v1(c->memory_dir, memory_bytes, raise);
        }
    }
    if (rc == 0 && tasks != c->tasks) {
        rc = write_number(c->pids_dir, "pids.max", tasks);
    }
    if (rc < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not set a cgroup's limit: %s",
                        strerror(errno));
    }
    c->memory_bytes = memory_bytes;
    c->tasks = tasks;
    return CWM_OK;
}

uint64_t cgroup_memory_used(const struct cgroup *c)
{
    char text[64] = "";

    if (c->version != 0) {
        read_file(c->memory_dir,
                  c->version == 2 ? "memory.current" : "memory.usage_in_bytes",
                  text, sizeof(text));
    }
    return strtoull(text, NULL, 10);
}

uint64_t cgroup_oom_kills(const struct cgroup *c)
{
    char text[512] = "";

    if (c->version != 0) {
        read_file(c->memory_dir,
                  c->version == 2 ? "memory.events" : "memory.oom_control",
                  text, sizeof(text));
    }
    return keyed_number(text, "oom_kill");
}
