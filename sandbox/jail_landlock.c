/* SPDX-License-Identifier: MIT */
/*
 * jail_landlock.c -- a second wall round the files, independent of the
 * mounts: read below the read paths, everything below the private folder, no
 * TCP, no abstract socket or signal out of the run.
 *
 * Landlock names folders by what is there at the time, and the private folder
 * is a new mount for every run, so each run's child makes its own ruleset.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* Grant `rights` at and below `path`; one that is not there is skipped. */
static int grant(int ruleset, const char *path, uint64_t rights)
{
    struct landlock_path_beneath_attr attr = {.allowed_access = rights};
    struct stat st;
    int rc;

    attr.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (attr.parent_fd < 0) {
        return 0;
    }
    if (fstat(attr.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode)) {
        attr.allowed_access &= FILE_RIGHTS;
    }
    rc = (int)syscall(SYS_landlock_add_rule, ruleset,
                      LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
    close(attr.parent_fd);
    return rc;
}

int jail__landlock_restrict(const struct jail *jail)
{
    uint64_t all = all_rights(jail->landlock_abi);
    int ruleset = new_ruleset(jail->landlock_abi);
    int rc = -1;

    if (ruleset < 0) {
        return -1;
    }
    /* Folder listings everywhere: as where there is no Landlock. */
    rc = grant(ruleset, "/", FS_READ_DIR);
    if (rc == 0) {
        rc = grant(ruleset, JAIL_TMP, all & ~FS_EXECUTE);
    }
    for (size_t i = 0; rc == 0 && jail->policy.read_paths[i]; i++) {
        rc = grant(ruleset, jail->policy.read_paths[i],
                   FS_READ_FILE | FS_READ_DIR | FS_EXECUTE);
    }
    for (size_t i = 0; rc == 0 && i < sizeof(devices) / sizeof(devices[0]);
         i++) {
        rc = grant(
            ruleset, devices[i],
            all & (FS_READ_FILE | FS_WRITE_FILE | FS_IOCTL_DEV | FS_TRUNCATE));
    }
    if (rc == 0) {
        rc = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
    }
    close(ruleset);
    return rc;
}
