/* SPDX-License-Identifier: MIT */
/*
 * jail_folder.c -- the private folder of a run: a tmpfs of its own, so that
 * size and number of files are bounded in sum, inode numbers start over, and
 * one unmount removes all of it.
 *
 * Without the mount wall it is a folder below the host's /tmp, which is emptied
 * by hand; its size is then bounded for each file only.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/jail_build.h"
#include "sandbox/jail_internal.h"

static int mount_folder(struct jail *jail, const struct sandbox_limits *limits)
{
    const unsigned owner = jail->stays_root ? JAIL_NOBODY : 0;
    char options[128];

    /* One inode is the folder's own; a size of 0 would be no limit. */
    snprintf(options, sizeof(options),
             "size=%llu,nr_inodes=%llu,mode=0700,uid=%u,gid=%u",
             (unsigned long long)(limits->disk_bytes ? limits->disk_bytes : 1),
             (unsigned long long)limits->disk_files + 1, owner, owner);
    snprintf(jail->folder, sizeof(jail->folder), "%s", JAIL_TMP);
    return mount("cwm", JAIL_TMP, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                 options);
}

/*
 * A folder that is nobody's, by pid 1 that is root: as nobody, since no filter
 * of ours lets anybody change a file's owner.
 */
static int make_for_nobody(char *path)
{
    int rc = -1;
    int error = 0;

    if (setegid(JAIL_NOBODY) == 0 && seteuid(JAIL_NOBODY) == 0) {
        rc = mkdtemp(path) ? 0 : -1;
    }
    error = errno;
    if (seteuid(0) < 0 || setegid(0) < 0) {
        return -1;
    }
    errno = error;
    return rc;
}

int jail__folder_open(struct jail *jail, const struct sandbox_limits *limits)
{
    if (jail->walls[SANDBOX_WALL_MOUNT_NS].up) {
        return mount_folder(jail, limits);
    }
    /* Every jail's pid 1 has the same pid: its number would be no name. */
    snprintf(jail->folder, sizeof(jail->folder), "/tmp/cwm-run-XXXXXX");
    if (jail->stays_root) {
        return make_for_nobody(jail->folder);
    }
    return mkdtemp(jail->folder) ? 0 : -1;
}

/* Open what its owner may have shut.  Only folders: a link's target is not
 * ours to change. */
static void make_accessible(int at, const char *name)
{
    struct stat st;

    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(st.st_mode) && fchmodat(at, name, 0700, 0) < 0) {
        return; /* removing it will fail then, and that is seen */
    }
}

/* A stream over a folder; NULL: it is none. */
static DIR *open_folder(int at, const char *name)
{
    int fd;
    DIR *dir = NULL;

    make_accessible(at, name);
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        dir = fdopendir(fd);
        if (!dir) {
            close(fd);
        }
    }
    return dir;
}

static bool remove_entry(int at, const char *name)
{
    return unlinkat(at, name, 0) == 0 || unlinkat(at, name, AT_REMOVEDIR) == 0;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/*
 * Remove the folder top/name; folders in it that are not empty move up to
 * `top` under new names, so that no depth can exhaust us.
 */
static bool flatten(int top, const char *name, unsigned *n_names)
{
    DIR *dir = open_folder(top, name);
    struct dirent *entry;
    char moved[32];

    while (dir && (entry = readdir(dir))) {
        if (!is_dots(entry->d_name) &&
            !remove_entry(dirfd(dir), entry->d_name)) {
            snprintf(moved, sizeof(moved), "..%u", (*n_names)++);
            make_accessible(dirfd(dir), entry->d_name);
            (void)renameat(dirfd(dir), entry->d_name, top, moved);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return unlinkat(top, name, AT_REMOVEDIR) == 0;
}

static void remove_folder(const char *path)
{
    unsigned n_names = 0;
    unsigned n_removed;
    DIR *top;

    /* Each pass takes one level away; one that takes nothing never will. */
    do {
        struct dirent *entry;

        n_removed = 0;
        top = open_folder(AT_FDCWD, path);
        while (top && (entry = readdir(top))) {
            if (!is_dots(entry->d_name) &&
                (remove_entry(dirfd(top), entry->d_name) ||
                 flatten(dirfd(top), entry->d_name, &n_names))) {
                n_removed++;
            }
        }
        if (top) {
            closedir(top);
        }
    } while (n_removed > 0);
    (void)rmdir(path);
}

void jail__folder_close(struct jail *jail)
{
    if (jail->walls[SANDBOX_WALL_MOUNT_NS].up) {
        umount2(JAIL_TMP, MNT_DETACH);
    } else {
        remove_folder(jail->folder);
    }
}
