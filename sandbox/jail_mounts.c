/* SPDX-License-Identifier: MIT */
/*
 * jail_mounts.c -- the root of the jail: a small tmpfs in which the read paths
 * are bound, read-only, at their own places.
 *
 * Sources are taken relative to a descriptor of the old root, destinations
 * relative to the new tmpfs, and symbolic links are walked by hand: no path is
 * ever resolved by the kernel across a link, so that the same code works in a
 * chroot (whose root the process has to leave, since a process in a chroot
 * gets no user namespace) and on systems where /lib is a link to usr/lib.
 *
 * Needs Linux 5.12: open_tree, move_mount, mount_setattr.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/buf.h"
#include "sandbox/jail_build.h"

/* As the kernel: more links than this in one path are a loop. */
#define MAX_LINKS 40

/* Bound with everything but nodev. */
static const char *const devices[] = {
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", NULL,
};

struct root {
    int old_fd;   /* owned: the root that paths are meant in */
    int new_fd;   /* owned: the tmpfs */
    uid_t owner;  /* of what is made in it */
    char **bound; /* owned, and its elements: folders bound so far */
    size_t n_bound;
};

static enum cwm_rc fail_path(struct cwm_err *err, const char *what,
                             const char *path)
{
    return CWM_FAIL(err, CWM_SYSTEM, "could not %s '%s' in the jail: %s", what,
                    path, strerror(errno));
}

/* Is `path` at or below something that is bound already? */
static bool is_covered(const struct root *root, const char *path)
{
    for (size_t i = 0; i < root->n_bound; i++) {
        size_t len = strlen(root->bound[i]);

        if (strncmp(path, root->bound[i], len) == 0 &&
            (path[len] == '/' || path[len] == '\0')) {
            return true;
        }
    }
    return false;
}

static enum cwm_rc remember_bound(struct root *root, const char *path,
                                  struct cwm_err *err)
{
    char **bound = cwm_realloc(root->bound, root->n_bound + 1, sizeof(*bound));

    if (bound) {
        root->bound = bound;
        bound[root->n_bound] = cwm_strdup(path);
    }
    if (!bound || !bound[root->n_bound]) {
        return CWM_FAIL(err, CWM_NOMEM, "could not allocate a path");
    }
    root->n_bound++;
    return CWM_OK;
}

/* A folder (or an empty file) to mount on; one that is there will do. */
static enum cwm_rc make_point(const struct root *root, const char *path,
                              bool is_dir, struct cwm_err *err)
{
    if (is_dir) {
        if (mkdirat(root->new_fd, path + 1, 0755) < 0 && errno != EEXIST) {
            return fail_path(err, "make", path);
        }
    } else if (mknodat(root->new_fd, path + 1, S_IFREG | 0444, 0) < 0 &&
               errno != EEXIST) {
        return fail_path(err, "make", path);
    }
    if (fchownat(root->new_fd, path + 1, root->owner, root->owner,
                 AT_SYMLINK_NOFOLLOW) < 0) {
        return fail_path(err, "own", path);
    }
    return CWM_OK;
}

/* Bind `path`, which has no link in it, at `place`. */
static enum cwm_rc bind_at(const struct root *root, const char *path,
                           const char *place, uint64_t attributes,
                           struct cwm_err *err)
{
    struct mount_attr attr = {.attr_set = attributes};
    int tree = open_tree(root->old_fd, path + 1,
                         OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
                             AT_SYMLINK_NOFOLLOW);
    enum cwm_rc rc = CWM_OK;

    if (tree < 0) {
        return fail_path(err, "take", path);
    }
    if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
                      sizeof(attr)) < 0) {
        rc = fail_path(err, "protect", path);
    } else if (move_mount(tree, "", root->new_fd, place + 1,
                          MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        rc = fail_path(err, "bind", path);
    }
    close(tree);
    return rc;
}

/*
 * Write to `next` where the link at path[0..end) leads, with path's remainder
 * behind it; false when that is too long.
 */
static bool follow_link(const char *path, size_t end, const char *target,
                        char next[PATH_MAX])
{
    size_t parent = end;
    int n;

    while (path[parent - 1] != '/') {
        parent--;
    }
    n = target[0] == '/' ? snprintf(next, PATH_MAX, "%s%s", target, path + end)
                         : snprintf(next, PATH_MAX, "%.*s%s%s", (int)parent,
                                    path, target, path + end);
    return n > 0 && n < PATH_MAX;
}

/* Take out "//", "/./" and "/../" by the letter; links have been followed. */
static void clean_path(char *path)
{
    char *out = path;
    const char *in = path;

    while (*in != '\0') {
        size_t len;

        in += strspn(in, "/");
        len = strcspn(in, "/");
        if (len == 0 || (len == 1 && in[0] == '.')) {
            in += len;
        } else if (len == 2 && in[0] == '.' && in[1] == '.') {
            while (out > path && *--out != '/') {
            }
            in += len;
        } else {
            *out++ = '/';
            memmove(out, in, len);
            out += len;
            in += len;
        }
    }
    *out = '\0';
}

/*
 * What is at path[0..end)?  A folder to go on below of is made in the new
 * root; a link is made there too and its target comes back in `next`.
 * *ret_done: the path is not there, or all of it is handled.
 */
static enum cwm_rc walk_step(const struct root *root, const char *path,
                             size_t end, char next[PATH_MAX], bool *ret_done,
                             struct cwm_err *err)
{
    char prefix[PATH_MAX];
    char target[PATH_MAX];
    struct stat st;
    ssize_t len;

    snprintf(prefix, sizeof(prefix), "%.*s", (int)end, path);
    next[0] = '\0';
    if (fstatat(root->old_fd, prefix + 1, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        *ret_done = true;
        return CWM_OK;
    }
    if (S_ISLNK(st.st_mode)) {
        len = readlinkat(root->old_fd, prefix + 1, target, sizeof(target) - 1);
        if (len <= 0) {
            return fail_path(err, "read", prefix);
        }
        target[len] = '\0';
        if (!is_covered(root, prefix) &&
            symlinkat(target, root->new_fd, prefix + 1) < 0 &&
            errno != EEXIST) {
            return fail_path(err, "link", prefix);
        }
        *ret_done = !follow_link(path, end, target, next);
        return CWM_OK;
    }
    if (path[end] == '/') {
        *ret_done = !S_ISDIR(st.st_mode);
        return *ret_done || is_covered(root, prefix)
                   ? CWM_OK
                   : make_point(root, prefix, true, err);
    }
    *ret_done = is_covered(root, path);
    return *ret_done ? CWM_OK
                     : make_point(root, path, S_ISDIR(st.st_mode), err);
}

/* Bind one path; one that is not there is skipped. */
static enum cwm_rc bind_path(struct root *root, const char *wanted,
                             uint64_t attributes, struct cwm_err *err)
{
    char path[PATH_MAX];
    char next[PATH_MAX];
    int n_links = 0;
    size_t end = 0;
    bool done = false;
    enum cwm_rc rc;

    if (wanted[0] != '/' || strlen(wanted) >= sizeof(path)) {
        return CWM_FAIL(err, CWM_USAGE, "the read path '%s' is not absolute",
                        wanted);
    }
    memcpy(path, wanted, strlen(wanted) + 1);
    clean_path(path);
    while (path[end] != '\0') {
        end += 1 + strcspn(path + end + 1, "/");
        rc = walk_step(root, path, end, next, &done, err);
        if (rc != CWM_OK || done) {
            return rc;
        }
        if (next[0] != '\0') {
            if (++n_links > MAX_LINKS) {
                return CWM_OK;
            }
            memcpy(path, next, sizeof(path));
            clean_path(path);
            end = 0;
        }
    }
    if (end == 0) {
        return CWM_FAIL(err, CWM_USAGE, "cannot bind all of / in the jail");
    }
    rc = bind_at(root, path, path, attributes, err);
    return rc == CWM_OK ? remember_bound(root, path, err) : rc;
}

/* Bind a folder, whose path has no link in it, at SANDBOX_PLACE. */
static enum cwm_rc bind_folder(struct root *root, const char *path,
                               uint64_t attributes, struct cwm_err *err)
{
    enum cwm_rc rc;

    if (path[0] != '/' || path[1] == '\0') {
        return CWM_FAIL(err, CWM_USAGE, "cannot bind '%s' in the jail", path);
    }
    rc = make_point(root, SANDBOX_PLACE, true, err);
    if (rc == CWM_OK) {
        rc = bind_at(root, path, SANDBOX_PLACE, attributes, err);
    }
    return rc == CWM_OK ? remember_bound(root, SANDBOX_PLACE, err) : rc;
}

/*
 * Out of a chroot into the mount namespace's true root, in the way that only
 * root can: with the root moved aside, ".." from the old one leads up.  The
 * tmpfs `aside_fd` serves as the place aside.
 */
static enum cwm_rc climb_out(const struct root *root, int aside_fd,
                             struct cwm_err *err)
{
    struct stat here;
    struct stat up;

    if (fchdir(aside_fd) < 0 || chroot(".") < 0 || fchdir(root->old_fd) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not leave the root: %s",
                        strerror(errno));
    }
    do {
        if (stat(".", &here) < 0 || chdir("..") < 0 || stat(".", &up) < 0) {
            return CWM_FAIL(err, CWM_SYSTEM, "could not leave the root: %s",
                            strerror(errno));
        }
    } while (here.st_ino != up.st_ino || here.st_dev != up.st_dev);
    if (chroot(".") < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not leave the root: %s",
                        strerror(errno));
    }
    return CWM_OK;
}

/* A tmpfs that is mounted nowhere yet; a descriptor or -1. */
static int new_tmpfs(void)
{
    static const struct {
        const char *key;
        const char *value;
    } options[] = {{"size", "1m"}, {"nr_inodes", "4096"}, {"mode", "0755"}};
    int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    int fd = -1;
    bool ok = fs >= 0;

    for (size_t i = 0; ok && i < sizeof(options) / sizeof(options[0]); i++) {
        ok = fsconfig(fs, FSCONFIG_SET_STRING, options[i].key, options[i].value,
                      0) == 0;
    }
    if (ok && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) {
        fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    }
    if (fs >= 0) {
        close(fs);
    }
    return fd;
}

/* The tmpfs becomes the root; the old one lies on it. */
static enum cwm_rc change_root(const struct root *root, struct cwm_err *err)
{
    if (fchdir(root->new_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not change the root: %s",
                        strerror(errno));
    }
    return CWM_OK;
}

/* Nothing of the old root is reachable, and nothing of the new one writable. */
static enum cwm_rc shut_root(struct cwm_err *err)
{
    struct mount_attr attr = {.attr_set =
                                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};

    if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not leave the old root: %s",
                        strerror(errno));
    }
    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not protect the root: %s",
                        strerror(errno));
    }
    return CWM_OK;
}

/*
 * Back to the root as it was before anything was mounted: a half-made one
 * counts as a chroot, in which the kernel gives no user namespace.
 */
static void move_back(const struct root *root, bool leave_chroot)
{
    if (fchdir(root->new_fd) == 0) {
        (void)umount2(".", MNT_DETACH);
    }
    if (fchdir(root->old_fd) < 0 || (leave_chroot && chroot(".") < 0)) {
        return; /* as it was with the mounts: without a user namespace */
    }
}

static enum cwm_rc bind_all(struct root *root, const char *const *read_paths,
                            struct cwm_err *err)
{
    const uint64_t file_attributes =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    const uint64_t device_attributes =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    enum cwm_rc rc = make_point(root, JAIL_TMP, true, err);

    for (; rc == CWM_OK && read_paths && *read_paths; read_paths++) {
        rc = **read_paths == '='
                 ? bind_folder(root, *read_paths + 1, file_attributes, err)
                 : bind_path(root, *read_paths, file_attributes, err);
    }
    for (size_t i = 0; rc == CWM_OK && devices[i]; i++) {
        rc = bind_path(root, devices[i], device_attributes, err);
    }
    return rc;
}

enum cwm_rc jail__mounts(const char *const *read_paths, uint32_t owner,
                         bool leave_chroot, struct cwm_err *err)
{
    struct root root = {.old_fd = -1, .new_fd = -1, .owner = owner};
    enum cwm_rc rc = CWM_OK;

    root.old_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    root.new_fd = new_tmpfs();
    if (root.old_fd < 0 || root.new_fd < 0 ||
        fchownat(root.new_fd, "", owner, owner, AT_EMPTY_PATH) < 0) {
        rc = CWM_FAIL(err, CWM_SYSTEM, "could not make the jail's root: %s",
                      strerror(errno));
        goto out;
    }
    if (leave_chroot) {
        rc = climb_out(&root, root.new_fd, err);
    }
    if (rc == CWM_OK &&
        (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
         move_mount(root.new_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) <
             0)) {
        rc = CWM_FAIL(err, CWM_SYSTEM, "could not mount the jail's root: %s",
                      strerror(errno));
    }
    if (rc == CWM_OK) {
        rc = bind_all(&root, read_paths, err);
    }
    if (rc == CWM_OK) {
        rc = change_root(&root, err);
    }
    if (rc == CWM_OK) {
        rc = shut_root(err);
    } else {
        move_back(&root, leave_chroot);
    }
out:
    for (size_t i = 0; i < root.n_bound; i++) {
        cwm_free(root.bound[i]);
    }
    cwm_free(root.bound);
    if (root.old_fd >= 0) {
        close(root.old_fd);
    }
    if (root.new_fd >= 0) {
        close(root.new_fd);
    }
    return rc;
}
