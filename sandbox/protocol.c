/* SPDX-License-Identifier: MIT */
/* protocol.c -- messages with descriptors, and the policy's memory file. */
#include "sandbox/protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/buf.h"

/* Far more than any policy holds: a few hundred paths. */
#define POLICY_MAX_BYTES (1u << 20)

struct policy_head {
    uint32_t magic;
    uint32_t allow_missing;
    uint64_t shared_bytes;
};

void protocol_message_init(struct message *m, enum message_type type,
                           const char *text)
{
    size_t len = text ? strnlen(text, PROTOCOL_TEXT_BYTES - 1) : 0;

    memset(m, 0, offsetof(struct message, text));
    m->magic = PROTOCOL_MAGIC;
    m->type = (uint32_t)type;
    m->text_len = (uint32_t)len;
    if (len > 0) {
        memcpy(m->text, text, len);
    }
    m->text[len] = '\0';
}

enum cwm_rc protocol_send(int socket, const struct message *m, const int *fds,
                          size_t n_fds, struct cwm_err *err)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int) * RUN_N_FDS)];
    } control;
    struct iovec iov = {(void *)(uintptr_t)m,
                        offsetof(struct message, text) + m->text_len + 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    if (n_fds > 0) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * n_fds);
    }
    do {
        n = sendmsg(socket, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return CWM_FAIL(err, CWM_IO, "could not talk across the jail: %s",
                        strerror(errno));
    }
    return CWM_OK;
}

/* Take the descriptors out of `msg`; how many there were. */
static size_t take_fds(struct msghdr *msg, int *fds)
{
    size_t n_fds = 0;
    struct cmsghdr *head;

    for (head = CMSG_FIRSTHDR(msg); head; head = CMSG_NXTHDR(msg, head)) {
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
            n_fds = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(fds, CMSG_DATA(head), n_fds * sizeof(int));
        }
    }
    return n_fds;
}

enum cwm_rc protocol_receive(int socket, struct message *ret_m, int *fds,
                             struct cwm_err *err)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int) * RUN_N_FDS)];
    } control;
    struct iovec iov = {ret_m, sizeof(*ret_m)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    int got[RUN_N_FDS];
    size_t n_fds;
    size_t n_wanted;
    ssize_t n;

    if (fds) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);
    }
    do {
        n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno == ECONNRESET)) {
        return CWM_FAIL(err, CWM_CANCELLED, "the other side has hung up");
    }
    if (n < 0) {
        return CWM_FAIL(err, CWM_IO, "could not talk across the jail: %s",
                        strerror(errno));
    }
    n_fds = fds ? take_fds(&msg, got) : 0;
    n_wanted = fds && ret_m->type == MESSAGE_RUN ? RUN_N_FDS : 0;
    if ((size_t)n <= offsetof(struct message, text) ||
        (size_t)n != offsetof(struct message, text) + ret_m->text_len + 1 ||
        ret_m->magic != PROTOCOL_MAGIC || n_fds != n_wanted) {
        for (size_t i = 0; i < n_fds; i++) {
            close(got[i]);
        }
        return CWM_FAIL(err, CWM_FORMAT,
                        "host and worker are not of the same build");
    }
    ret_m->text[ret_m->text_len] = '\0';
    if (n_fds > 0) {
        memcpy(fds, got, sizeof(got));
    }
    return CWM_OK;
}

int protocol_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

enum cwm_rc protocol_policy_write(int fd, const struct sandbox_policy *policy,
                                  struct cwm_err *err)
{
    struct policy_head head = {PROTOCOL_MAGIC, policy->allow_missing,
                               policy->shared_bytes};
    struct cwm_buf buf;
    enum cwm_rc rc;

    cwm_buf_init(&buf, POLICY_MAX_BYTES);
    cwm_buf_add(&buf, &head, sizeof(head));
    for (const char *const *p = policy->read_paths; p && *p; p++) {
        cwm_buf_add(&buf, *p, strlen(*p) + 1);
    }
    cwm_buf_addc(&buf, '\0');
    rc = cwm_buf_check(&buf, "the list of read paths", err);
    if (rc == CWM_OK && (protocol_write_all(fd, buf.data, buf.len) < 0 ||
                         lseek(fd, 0, SEEK_SET) < 0)) {
        rc = CWM_FAIL(err, CWM_IO, "could not write the policy: %s",
                      strerror(errno));
    }
    cwm_buf_release(&buf);
    return rc;
}

/* The paths' pointers and their text as one block, so that one free does. */
static char **split_paths(const char *text, size_t len)
{
    size_t n_paths = 1; /* the last one may lack its NUL */
    char **paths;
    char *copy;

    for (size_t i = 0; i < len; i++) {
        n_paths += text[i] == '\0';
    }
    paths = cwm_malloc((n_paths + 1) * sizeof(*paths) + len + 1);
    if (!paths) {
        return NULL;
    }
    copy = (char *)(paths + n_paths + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    n_paths = 0;
    for (size_t i = 0; i < len && copy[i] != '\0'; i += strlen(copy + i) + 1) {
        paths[n_paths++] = copy + i;
    }
    paths[n_paths] = NULL;
    return paths;
}

enum cwm_rc protocol_policy_read(int fd, struct protocol_policy *ret_policy,
                                 struct cwm_err *err)
{
    struct policy_head head;
    struct stat st;
    char *text = NULL; /* owned */
    size_t len;
    enum cwm_rc rc = CWM_OK;

    if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(head) ||
        st.st_size > POLICY_MAX_BYTES ||
        pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        head.magic != PROTOCOL_MAGIC) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "this program runs only inside the jail that cwm "
                        "builds for it");
    }
    len = (size_t)st.st_size - sizeof(head);
    text = cwm_malloc(len);
    if (!text) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not allocate %zu bytes", len);
        goto out;
    }
    if (pread(fd, text, len, sizeof(head)) != (ssize_t)len) {
        rc = CWM_FAIL(err, CWM_IO, "could not read the policy: %s",
                      strerror(errno));
        goto out;
    }
    ret_policy->read_paths = split_paths(text, len);
    if (!ret_policy->read_paths) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not allocate %zu bytes", len);
        goto out;
    }
    ret_policy->allow_missing = head.allow_missing;
    ret_policy->shared_bytes = head.shared_bytes;
out:
    cwm_free(text);
    return rc;
}

void protocol_policy_release(struct protocol_policy *policy)
{
    cwm_free(policy->read_paths);
    policy->read_paths = NULL;
}
