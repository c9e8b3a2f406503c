/* SPDX-License-Identifier: MIT */
/*
 * jail_attacks.c -- every attack of attacks.h, as this user and, when that is
 * root, as nobody too; after each, no process may be left but the worker's
 * two, and at the end none and no cgroup.
 *
 * usage: jail_attacks WORKER [NAME]
 * A jail that cannot be had at all is a failure when CWM_MUST_WORK or CI is
 * set, else exit status 77, which ctest shows as skipped.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attacks.h"
#include "sandbox/sandbox.h"

#define NOBODY 65534
#define SKIP   77

/* For runs that real time is not to end. */
#define LONG_MS 30000

static const struct {
    const char *name;
    enum sandbox_end end;
    int code;
    const char *what;
} attacks[] = {
#define ATTACK_ROW(name, end, code, what)                                      \
    {#name, SANDBOX_END_##end, code, what},
    ATTACK_TABLE(ATTACK_ROW)
#undef ATTACK_ROW
};

static const char *const end_texts[] = {
#define END_TEXT(id, text) text,
    SANDBOX_END_TABLE(END_TEXT)
#undef END_TEXT
};

/* Every call that must end a run as denied. */
static const struct {
    const char *name;
    long number;
} denied[] = {
    {"ptrace", SYS_ptrace},
    {"process_vm_readv", SYS_process_vm_readv},
    {"process_vm_writev", SYS_process_vm_writev},
    {"pidfd_getfd", SYS_pidfd_getfd},
    {"process_madvise", SYS_process_madvise},
    {"mount", SYS_mount},
    {"umount2", SYS_umount2},
    {"pivot_root", SYS_pivot_root},
    {"move_mount", SYS_move_mount},
    {"open_tree", SYS_open_tree},
    {"fsopen", SYS_fsopen},
    {"fsconfig", SYS_fsconfig},
    {"fsmount", SYS_fsmount},
    {"fspick", SYS_fspick},
    {"mount_setattr", SYS_mount_setattr},
    {"open_by_handle_at", SYS_open_by_handle_at},
    {"unshare", SYS_unshare},
    {"setns", SYS_setns},
    {"bpf", SYS_bpf},
    {"perf_event_open", SYS_perf_event_open},
    {"io_uring_setup", SYS_io_uring_setup},
    {"io_uring_enter", SYS_io_uring_enter},
    {"io_uring_register", SYS_io_uring_register},
    {"userfaultfd", SYS_userfaultfd},
    {"keyctl", SYS_keyctl},
    {"add_key", SYS_add_key},
    {"request_key", SYS_request_key},
    {"quotactl", SYS_quotactl},
    {"quotactl_fd", SYS_quotactl_fd},
    {"modify_ldt", SYS_modify_ldt},
    {"init_module", SYS_init_module},
    {"finit_module", SYS_finit_module},
    {"delete_module", SYS_delete_module},
    {"kexec_load", SYS_kexec_load},
    {"kexec_file_load", SYS_kexec_file_load},
    {"reboot", SYS_reboot},
    {"swapon", SYS_swapon},
    {"swapoff", SYS_swapoff},
    {"iopl", SYS_iopl},
    {"ioperm", SYS_ioperm},
};

static const struct sandbox_limits limits = {
    .cpu_ms = ATTACK_CPU_MS,
    .wall_ms = ATTACK_WALL_MS,
    .memory_bytes = ATTACK_MEMORY_BYTES,
    .disk_bytes = ATTACK_DISK_BYTES,
    .disk_files = ATTACK_DISK_FILES,
    .output_bytes = ATTACK_OUTPUT_BYTES,
    .tasks = ATTACK_TASKS,
    .open_files = ATTACK_OPEN_FILES,
};

struct driver {
    struct sandbox *sandbox; /* owned */
    char marker[64];         /* in the worker's arguments, to find it by */
    const char *user;
    int n_bad;
    int n_tried;
};

/* Processes on the host with the marker among their arguments. */
static int count_processes(const char *marker)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int n_found = 0;

    while (proc && (entry = readdir(proc))) {
        char path[300];
        char line[4096];
        ssize_t n;
        int fd;

        if (!isdigit((unsigned char)entry->d_name[0])) {
            continue;
        }
        snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;
        if (fd >= 0) {
            close(fd);
        }
        if (n > 0 && memmem(line, (size_t)n, marker, strlen(marker)) &&
            !memmem(line, (size_t)n, "jail_attacks", 12)) {
            n_found++;
        }
    }
    if (proc) {
        closedir(proc);
    }
    return n_found;
}

static void try_one(struct driver *d, const char *request, const char *what,
                    enum sandbox_end end, int code)
{
    struct sandbox_verdict v = {.end = SANDBOX_END_EXITED};
    struct cwm_buf out;
    struct cwm_buf err_out;
    struct cwm_err err;
    struct sandbox_limits own = limits;
    enum cwm_rc rc;
    int n_left;

    /* Real time is the judge only where it is meant to be: a loaded machine
     * must not decide between the two kinds of time. */
    own.wall_ms = end == SANDBOX_END_WALL_TIME ? ATTACK_WALL_MS : LONG_MS;
    cwm_buf_init(&out, 1 << 20);
    cwm_buf_init(&err_out, 1 << 20);
    rc =
        sandbox_run(d->sandbox, request, strlen(request), ATTACK_STDIN,
                    strlen(ATTACK_STDIN), &own, NULL, &v, &out, &err_out, &err);
    d->n_tried++;
    n_left = count_processes(d->marker);
    if (rc != CWM_OK) {
        printf("FAIL %s %s (%s): %s\n", d->user, request, what, err.message);
        d->n_bad++;
    } else if (v.end != end || (code != -2 && v.code != code)) {
        printf("FAIL %s %s (%s): %s %d instead of %s %d; %.*s\n", d->user,
               request, what, end_texts[v.end], v.code, end_texts[end], code,
               (int)(err_out.len < 400 ? err_out.len : 400),
               err_out.data ? err_out.data : "");
        d->n_bad++;
    } else if (n_left != 2) {
        printf("FAIL %s %s: %d processes instead of the worker's 2\n", d->user,
               request, n_left);
        d->n_bad++;
    } else if (out.len + err_out.len > ATTACK_OUTPUT_BYTES ||
               v.wall_us > (own.wall_ms + 1000) * 1000) {
        printf("FAIL %s %s: %zu bytes of output, %lu us\n", d->user, request,
               out.len + err_out.len, (unsigned long)v.wall_us);
        d->n_bad++;
    }
    cwm_buf_release(&out);
    cwm_buf_release(&err_out);
}

static void try_all(struct driver *d, const char *only)
{
    char request[32];

    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        if (!only || strcmp(only, attacks[i].name) == 0) {
            try_one(d, attacks[i].name, attacks[i].what, attacks[i].end,
                    attacks[i].code);
        }
    }
    for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
        if (!only || strcmp(only, denied[i].name) == 0) {
            snprintf(request, sizeof(request), "call %ld", denied[i].number);
            try_one(d, request, denied[i].name, SANDBOX_END_DENIED, -1);
        }
    }
}

/* Cgroups of this process that are left anywhere. */
static int count_cgroups(void)
{
    char command[160];
    int n_left = 0;
    FILE *f;

    snprintf(
        command, sizeof(command),
        "find /sys/fs/cgroup -type d -name 'cwm-%ld-*' 2>/dev/null | wc -l",
        (long)getpid());
    f = popen(command, "re");
    if (f) {
        if (fscanf(f, "%d", &n_left) != 1) {
            n_left = -1;
        }
        pclose(f);
    }
    return n_left;
}

static int attack_as(const char *user, const char *worker, const char *only)
{
    static const char *const read_paths[] = {
        "/usr", "/lib", "/lib64", "/bin", "/no/such/path", NULL,
    };
    struct driver d = {.user = user};
    const char *const args[] = {d.marker, NULL};
    const struct sandbox_policy policy = {.worker_path = worker,
                                          .read_paths = read_paths,
                                          .shared_bytes = ATTACK_SHARED_BYTES,
                                          .worker_args = args};
    struct cwm_err err;
    int n_left;

    snprintf(d.marker, sizeof(d.marker), "cwm-jail-test-%ld", (long)getpid());
    if (sandbox_open(&policy, &d.sandbox, &err) != CWM_OK) {
        bool must = getenv("CWM_MUST_WORK") || getenv("CI");

        printf("%s %s: %s\n", must ? "FAIL" : "SKIP", user, err.message);
        return must ? 1 : SKIP;
    }
    try_all(&d, only);
    sandbox_close(d.sandbox);
    n_left = count_processes(d.marker);
    if (n_left != 0) {
        printf("FAIL %s: %d processes are left\n", user, n_left);
        d.n_bad++;
    }
    n_left = count_cgroups();
    if (n_left != 0) {
        printf("FAIL %s: %d cgroups are left\n", user, n_left);
        d.n_bad++;
    }
    printf("%s: %d attacks, %d failed\n", user, d.n_tried, d.n_bad);
    return d.n_bad != 0 || d.n_tried == 0;
}

/* The worker where nobody can run it too, whatever the build folder is. */
static int copy_worker(const char *from, const char *to)
{
    char data[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    ssize_t n = -1;

    while (in >= 0 && out >= 0 && (n = read(in, data, sizeof(data))) > 0) {
        if (write(out, data, (size_t)n) != n) {
            n = -1;
            break;
        }
    }
    if (in >= 0) {
        close(in);
    }
    if (out >= 0) {
        fchmod(out, 0755);
        close(out);
    }
    return n == 0 ? 0 : -1;
}

static int attack_as_nobody(const char *worker, const char *only)
{
    int status = 1;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) < 0) {
            _exit(1);
        }
        exit(attack_as("nobody", worker, only));
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status)) {
        return 1;
    }
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/cwm-jail-XXXXXX";
    char worker[64];
    int as_me;
    int as_nobody = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: jail_attacks WORKER [NAME]\n");
        return 2;
    }
    if (!mkdtemp(dir) || chmod(dir, 0755) < 0) {
        fprintf(stderr, "could not make a folder: %s\n", strerror(errno));
        return 1;
    }
    snprintf(worker, sizeof(worker), "%s/worker", dir);
    if (copy_worker(argv[1], worker) < 0) {
        fprintf(stderr, "could not copy '%s'\n", argv[1]);
        return 1;
    }
    as_me = attack_as(geteuid() == 0 ? "root" : "user", worker,
                      argc > 2 ? argv[2] : NULL);
    if (geteuid() == 0) {
        as_nobody = attack_as_nobody(worker, argc > 2 ? argv[2] : NULL);
    }
    unlink(worker);
    rmdir(dir);
    return as_me == 1 || as_nobody == 1 ? 1
           : as_me > as_nobody          ? as_me
                                        : as_nobody;
}
