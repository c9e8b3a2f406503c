/* SPDX-License-Identifier: MIT */
/* attack_files.c -- the host's files, and ways out of the private folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "attacks.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

int attack_host_paths(const struct jail_run *run)
{
    static const char *const paths[] = {
        "/etc/passwd",
        "/etc/shadow",
        "/etc/hostname",
        "/proc",
        "/proc/1/root",
        "/proc/self/mem",
        "/proc/self/maps",
        "/proc/sys/kernel",
        "/proc/self/fd/0",
        "/sys",
        "/sys/fs/cgroup",
        "/root",
        "/home",
        "/var",
        "/run",
        "/boot",
        "/dev/shm",
        "/dev/tty",
        "/dev/pts",
        "/dev/kvm",
        "/dev/mem",
        "/tmp/../etc",
        "/tmp/../../etc",
        "/../../../../etc/passwd",
        "/usr/../etc",
        "/usr/lib/../../etc",
    };
    int bad = 0;

    (void)run;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        bad |= expect_errno(open(paths[i], O_PATH), ENOENT, paths[i]);
    }
    bad |= expect(open("/usr/lib", O_RDONLY | O_DIRECTORY) >= 0,
                  "/usr/lib cannot be read: %s", strerror(errno));
    return bad;
}

/* The call must fail, with whichever wall's errno comes first. */
static int expect_no_write(int rc, const char *what)
{
    int error = errno;

    return expect(rc == -1 && (error == EROFS || error == EACCES ||
                               error == EPERM || error == EXDEV),
                  "%s: %d, %s", what, rc, strerror(error));
}

int attack_write_paths(const struct jail_run *run)
{
    static const char *const folders[] = {"/", "/usr", "/usr/lib", "/dev"};
    char name[64];
    int bad = 0;

    (void)run;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        snprintf(name, sizeof(name), "%s/cwm-mark", folders[i]);
        bad |= expect_no_write(open(name, O_WRONLY | O_CREAT, 0600), name);
        bad |=
            expect_no_write(open(folders[i], O_TMPFILE | O_RDWR, 0600), name);
        bad |= expect_no_write(mkdir(name, 0700), name);
        bad |= expect_no_write(symlink("x", name), name);
        bad |= expect_no_write(mkfifo(name, 0600), name);
        bad |= expect_no_write(chmod(folders[i], 0777), folders[i]);
        bad |= expect_no_write(utimensat(AT_FDCWD, folders[i], NULL, 0),
                               folders[i]);
    }
    bad |= expect_no_write(rename("/tmp", "/gone"), "rename /tmp");
    bad |= expect_no_write(rmdir("/usr"), "rmdir /usr") && errno != EBUSY;
    return bad;
}

int attack_links_out(const struct jail_run *run)
{
    int bad;
    int fd;

    (void)run;
    bad = expect(symlink("/etc/shadow", "link") == 0, "symlink");
    bad |= expect_errno(open("link", O_RDONLY), ENOENT, "the link's target");
    bad |= expect(symlink("../../../../etc", "up") == 0, "symlink");
    bad |= expect_errno(open("up/passwd", O_RDONLY), ENOENT, "link with ..");
    bad |= expect_no_write(link("/usr/bin/env", "hard"), "hard link");
    bad |= expect(symlink("/usr/cwm-mark", "write") == 0, "symlink");
    bad |= expect_no_write(open("write", O_WRONLY | O_CREAT, 0600),
                           "write through a link");
    fd = open("/", O_PATH | O_DIRECTORY);
    bad |= expect_errno(openat(fd, "../etc/passwd", O_RDONLY), ENOENT,
                        "openat with ..");
    return bad;
}

int attack_device_nodes(const struct jail_run *run)
{
    struct stat st;
    int bad;

    (void)run;
    bad = expect(mknod("disk", S_IFBLK | 0600, makedev(8, 0)) == -1,
                 "a block device was made");
    bad |= expect(mknod("mem", S_IFCHR | 0600, makedev(1, 1)) == -1,
                  "a character device was made");
    bad |= expect(mknod("sock", S_IFSOCK | 0600, 0) == -1, "a socket was made");
    bad |= expect(stat("disk", &st) == -1, "there is a node");
    return bad;
}

int attack_execute(const struct jail_run *run)
{
    static char *const argv[] = {(char *)(uintptr_t) "x", NULL};
    int fd = open("/usr/bin/env", O_RDONLY);
    int own = open("program", O_RDWR | O_CREAT, 0700);
    void *p;
    int bad;

    (void)run;
    bad = expect_errno(execve("/usr/bin/env", argv, argv), EPERM, "execve");
    bad |= expect_errno(execveat(fd, "", argv, argv, AT_EMPTY_PATH), EPERM,
                        "execveat");
    bad |= expect(write(own, "#!/usr/bin/env\n", 15) == 15, "write");
    bad |= expect_errno(execve("program", argv, argv), EPERM, "own program");
    p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, own, 0);
    bad |= expect_errno(p == MAP_FAILED ? -1 : 0, EPERM, "mmap");
    bad |= expect(chmod("program", 06755) == 0, "chmod");
    return bad;
}

int attack_inherited(const struct jail_run *run)
{
    int bad = 0;

    (void)run;
    for (int fd = 3; fd < 4096; fd++) {
        bad |= expect_errno(fcntl(fd, F_GETFD), EBADF, "a descriptor");
    }
    bad |= expect_errno(write(0, "x", 1), EPERM, "writing to stdin");
    bad |= expect_errno(ftruncate(0, 0), EPERM, "cutting stdin");
    bad |= expect(read(1, &bad, 1) == -1, "stdout can be read");
    return bad;
}

int attack_devices_work(const struct jail_run *run)
{
    char data[16] = "x";
    int null_fd = open("/dev/null", O_RDWR);
    int zero_fd = open("/dev/zero", O_RDONLY);
    int full_fd = open("/dev/full", O_WRONLY);
    int random_fd = open("/dev/urandom", O_RDONLY);
    int bad;

    (void)run;
    bad = expect(write(null_fd, data, 1) == 1, "/dev/null");
    bad |= expect(read(null_fd, data, 1) == 0, "/dev/null");
    bad |= expect(read(zero_fd, data, 1) == 1 && data[0] == 0, "/dev/zero");
    bad |= expect_errno(write(full_fd, data, 1), ENOSPC, "/dev/full");
    bad |= expect(read(random_fd, data, 16) == 16, "/dev/urandom");
    return bad;
}

int attack_chroot_out(const struct jail_run *run)
{
    int bad;

    (void)run;
    bad = expect(mkdir("deep", 0700) == 0, "mkdir");
    bad |= expect_errno(chroot("deep"), EPERM, "chroot");
    for (int i = 0; i < 32; i++) {
        bad |= expect(chdir("..") == 0, "chdir");
    }
    bad |= expect_errno(access("etc/passwd", F_OK), ENOENT, "behind ..");
    return bad;
}
