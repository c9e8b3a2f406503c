/* SPDX-License-Identifier: MIT */
/*
 * jail_landlock.c -- a second wall round the files, independent of the
 * mounts: read below the read paths, everything below the private folder, no
 * TCP, no abstract socket or signal out of the run.
 *
 * Landlock names folders by what is there at the time, and the private folder
 * is a new mount for every run, so each run's child makes its own ruleset, of
 * descriptors that pid 1 opened once.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "sandbox/jail_build.h"
#include "sandbox/jail_internal.h"

/* Access rights by the ABI that brought them (the header may be older). */
#define FS_EXECUTE    (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE  (1ull << 2)
#define FS_READ_DIR   (1ull << 3)
#define FS_ABI_1      ((1ull << 13) - 1)
#define FS_REFER      (1ull << 13) /* ABI 2 */
#define FS_TRUNCATE   (1ull << 14) /* ABI 3 */
#define FS_IOCTL_DEV  (1ull << 15) /* ABI 5 */
#define NET_TCP       (3ull)       /* ABI 4: bind and connect */
#define SCOPES        (3ull)       /* ABI 6: abstract sockets and signals */

/* What a rule on something that is no folder may grant. */
#define FILE_RIGHTS                                                            \
    (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

/* struct landlock_ruleset_attr as of ABI 6; older kernels take a prefix. */
struct ruleset_attr {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

static const char *const devices[] = {
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
};

static uint64_t all_rights(int abi)
{
    uint64_t rights = FS_ABI_1;

    rights |= abi >= 2 ? FS_REFER : 0;
    rights |= abi >= 3 ? FS_TRUNCATE : 0;
    rights |= abi >= 5 ? FS_IOCTL_DEV : 0;
    return rights;
}

static int new_ruleset(int abi)
{
    struct ruleset_attr attr = {all_rights(abi), 0, 0};
    size_t size = sizeof(attr.fs);

    if (abi >= 4) {
        attr.net = NET_TCP;
        size = offsetof(struct ruleset_attr, scoped);
    }
    if (abi >= 6) {
        attr.scoped = SCOPES;
        size = sizeof(attr);
    }
    return (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
}

static int add_rule(int ruleset, int fd, uint64_t rights)
{
    const struct landlock_path_beneath_attr attr = {.allowed_access = rights,
                                                    .parent_fd = fd};

    return (int)syscall(SYS_landlock_add_rule, ruleset,
                        LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
}

/* Grant `rights` at and below `path`; one that is not there is skipped. */
static void prepare_rule(struct jail *jail, const char *path, uint64_t rights)
{
    struct jail_landlock_rule *rule = &jail->landlock[jail->n_landlock];
    struct stat st;

    rule->fd = open(path, O_PATH | O_CLOEXEC);
    if (rule->fd < 0) {
        return;
    }
    rule->rights = rights & all_rights(jail->landlock_abi);
    if (fstat(rule->fd, &st) == 0 && !S_ISDIR(st.st_mode)) {
        rule->rights &= FILE_RIGHTS;
    }
    jail->n_landlock++;
}

int jail__landlock_prepare(struct jail *jail)
{
    const size_t n_devices = sizeof(devices) / sizeof(devices[0]);
    size_t n_paths = 0;

    while (jail->policy.read_paths[n_paths]) {
        n_paths++;
    }
    jail->landlock =
        cwm_calloc(1 + n_paths + n_devices, sizeof(*jail->landlock));
    if (!jail->landlock) {
        errno = ENOMEM;
        return -1;
    }
    /* Folder listings everywhere: as where there is no Landlock. */
    prepare_rule(jail, "/", FS_READ_DIR);
    for (size_t i = 0; i < n_paths; i++) {
        const char *path = jail->policy.read_paths[i];

        prepare_rule(jail, *path == '=' ? SANDBOX_PLACE : path,
                     FS_READ_FILE | FS_READ_DIR | FS_EXECUTE);
    }
    for (size_t i = 0; i < n_devices; i++) {
        prepare_rule(jail, devices[i],
                     FS_READ_FILE | FS_WRITE_FILE | FS_IOCTL_DEV | FS_TRUNCATE);
    }
    return 0;
}

int jail__landlock_ruleset(const struct jail *jail)
{
    int ruleset = new_ruleset(jail->landlock_abi);

    for (size_t i = 0; ruleset >= 0 && i < jail->n_landlock; i++) {
        if (add_rule(ruleset, jail->landlock[i].fd, jail->landlock[i].rights) <
            0) {
            close(ruleset);
            ruleset = -1;
        }
    }
    return ruleset;
}

int jail__landlock_restrict(const struct jail *jail, int ruleset,
                            bool has_folder)
{
    int folder = has_folder ? open(".", O_PATH | O_CLOEXEC) : -1;
    int rc = has_folder ? -1 : 0;

    if (folder >= 0) {
        rc = add_rule(ruleset, folder,
                      all_rights(jail->landlock_abi) & ~FS_EXECUTE);
        close(folder);
    }
    return rc < 0 ? -1 : (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}
