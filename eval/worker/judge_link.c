/* SPDX-License-Identifier: MIT */
/* judge_link.c -- messages over a stream socket. */
#include "eval/worker/judge_link.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LENGTH_BYTES = 4 };

void link_add_u32(struct cwm_buf *out, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8),
                              (uint8_t)(value >> 16), (uint8_t)(value >> 24)};

    cwm_buf_add(out, bytes, sizeof bytes);
}

bool link_get_u32(const uint8_t **at, const uint8_t *end, uint32_t *ret_value)
{
    const uint8_t *p = *at;

    if (end - p < 4) {
        return false;
    }
    *ret_value = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                 (uint32_t)p[3] << 24;
    *at = p + 4;
    return true;
}

bool link_send(int fd, const struct cwm_buf *message)
{
    const uint32_t len = (uint32_t)message->len;
    uint8_t head[LENGTH_BYTES] = {(uint8_t)len, (uint8_t)(len >> 8),
                                  (uint8_t)(len >> 16), (uint8_t)(len >> 24)};
    struct iovec parts[2] = {{head, sizeof head},
                             {message->data, message->len}};
    size_t i = 0;

    while (i < 2) {
        struct msghdr m = {.msg_iov = parts + i, .msg_iovlen = 2 - i};
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        while (i < 2 && (size_t)n >= parts[i].iov_len) {
            n -= (ssize_t)parts[i++].iov_len;
        }
        if (i < 2) {
            parts[i].iov_base = (char *)parts[i].iov_base + n;
            parts[i].iov_len -= (size_t)n;
        }
    }
    return true;
}

/* At least `least` bytes behind what is there, up to what there is room for. */
static bool read_more(int fd, struct cwm_buf *message, size_t least)
{
    if (cwm_buf_reserve(message, least) != CWM_OK) {
        return false;
    }
    while (least > 0) {
        ssize_t n = read(fd, message->data + message->len, least);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        message->len += (size_t)n;
        least -= (size_t)n;
    }
    message->data[message->len] = '\0';
    return true;
}

bool link_receive(int fd, struct cwm_buf *message)
{
    const uint8_t *at;
    uint32_t len;

    cwm_buf_clear(message);
    if (!read_more(fd, message, LENGTH_BYTES)) {
        return false;
    }
    at = (const uint8_t *)message->data;
    if (!link_get_u32(&at, at + LENGTH_BYTES, &len) || len == 0 ||
        len > LINK_MAX_BYTES) {
        return false;
    }
    cwm_buf_clear(message);
    return read_more(fd, message, len);
}
