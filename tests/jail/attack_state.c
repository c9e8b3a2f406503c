/* SPDX-License-Identifier: MIT */
/* attack_state.c -- one run leaves what it can; the next looks for it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attacks.h"

/* What a fork of the warm worker shares with its siblings if we erred. */
static int global = 1;

int attack_leave_state(const struct jail_run *run)
{
    struct rlimit low = {5, 5};
    char data[64];
    int bad;

    bad = expect(open("file", O_WRONLY | O_CREAT, 0600) >= 0, "open");
    bad |= expect(mkdir("dir", 0700) == 0, "mkdir");
    memset(run->shared, 0xaa, run->shared_len);
    bad |= expect(read(0, data, sizeof(data)) > 0, "stdin");
    fcntl(0, F_SETFL, O_NONBLOCK);
    fcntl(1, F_SETFL, O_NONBLOCK);
    fcntl(2, F_SETFL, O_NONBLOCK | O_APPEND);
    umask(0777);
    bad |= expect(chdir("/usr") == 0, "chdir");
    setrlimit(RLIMIT_NOFILE, &low);
    signal(SIGTERM, SIG_IGN);
    setenv("CWM_MARK", "1", 1);
    global = 2;
    return bad;
}

int attack_find_state(const struct jail_run *run)
{
    struct rlimit limit;
    struct stat st;
    char data[64];
    size_t n_dirty = 0;
    int bad;

    bad = expect(getpid() == 2, "pid %d", (int)getpid());
    bad |= expect(stat(".", &st) == 0 && st.st_ino == 1, "inode %lu",
                  (unsigned long)st.st_ino);
    bad |= expect(st.st_uid == 0 && (st.st_mode & 07777) == 0700,
                  "owner %u, mode %o", st.st_uid, st.st_mode);
    bad |= expect(stat("/", &st) == 0 && st.st_uid == 0, "owner of / %u",
                  st.st_uid);
    bad |= expect(access("file", F_OK) < 0 && access("dir", F_OK) < 0,
                  "there are files");
    bad |= expect(open("new", O_WRONLY | O_CREAT, 0666) == 3, "descriptor");
    bad |= expect(stat("new", &st) == 0 && st.st_ino == 2, "inode %lu",
                  (unsigned long)st.st_ino);
    bad |= expect((st.st_mode & 0777) == 0644, "mode %o", st.st_mode);
    for (size_t i = 0; i < run->shared_len; i++) {
        n_dirty += run->shared[i] != 0;
    }
    bad |= expect(n_dirty == 0, "%zu bytes of shared memory", n_dirty);
    bad |= expect(read(0, data, sizeof(data)) == (ssize_t)strlen(ATTACK_STDIN),
                  "stdin");
    for (int fd = 0; fd < 3; fd++) {
        bad |= expect((fcntl(fd, F_GETFL) & (O_NONBLOCK | O_APPEND)) == 0,
                      "flags of descriptor %d: %#x", fd, fcntl(fd, F_GETFL));
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    bad |= expect(limit.rlim_cur == ATTACK_OPEN_FILES, "%lu descriptors",
                  (unsigned long)limit.rlim_cur);
    bad |= expect(signal(SIGTERM, SIG_DFL) == SIG_DFL, "SIGTERM");
    bad |= expect(!getenv("CWM_MARK") && global == 1, "memory");
    return bad;
}

int attack_leave_tree(const struct jail_run *run)
{
    int bad = 0;

    (void)run;
    for (int i = 0; i < 20; i++) {
        bad |= expect(mkdir("deep", 0700) == 0 && symlink("/tmp", "out") == 0 &&
                          mkdir("..7", 0700) == 0 && chdir("deep") == 0,
                      "level %d: %s", i, strerror(errno));
        bad |= expect(chmod("..", i % 2 ? 0 : 0500) == 0, "chmod");
    }
    return bad;
}

int attack_disk_is_empty(const struct jail_run *run)
{
    (void)run;
    return expect(access("deep", F_OK) < 0 && access("out", F_OK) < 0 &&
                      rmdir("deep") < 0,
                  "the folder is not empty");
}
