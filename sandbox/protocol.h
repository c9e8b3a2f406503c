/* SPDX-License-Identifier: MIT */
/*
 * protocol.h -- what host and worker say to each other; private to sandbox/.
 *
 * One SOCK_SEQPACKET socket, one struct message a packet, cut behind the text
 * that is used.  Both ends are trusted (no untrusted code can reach the
 * socket: a run's child closes it before anything of the program runs) and are
 * built from the same source, which the magic number checks; that is why a
 * struct may be sent as it lies in memory.
 *
 *   host -> worker                     worker -> host
 *   GO                                 REFUSE  code, text
 *                                      HELLO   missing, text
 *   RUN    run_id, limits + 4 fds      RESULT  run_id, verdict
 *   KILL   run_id, end
 *
 * The descriptors of a RUN are the request, stdin, stdout, stderr in this
 * order.  The request travels in a memory file that only the child maps, so
 * that nothing of it stays in the worker for the next run to find.
 */
#ifndef SANDBOX_PROTOCOL_H
#define SANDBOX_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "sandbox/sandbox.h"

#define PROTOCOL_MAGIC      0x314d5743u /* "CWM1" */
#define PROTOCOL_TEXT_BYTES 8192

/* The descriptors that a worker is started with, besides 0, 1 and 2. */
enum {
    PROTOCOL_CONTROL_FD = 3,
    PROTOCOL_SHARED_FD,
    PROTOCOL_POLICY_FD,
    PROTOCOL_N_FDS, /* everything from here on is closed */
};

enum message_type {
    MESSAGE_GO,
    MESSAGE_RUN,
    MESSAGE_KILL,
    MESSAGE_HELLO,
    MESSAGE_REFUSE,
    MESSAGE_RESULT,
};

enum { RUN_FD_REQUEST, RUN_FD_STDIN, RUN_FD_STDOUT, RUN_FD_STDERR, RUN_N_FDS };

struct message {
    uint32_t magic;
    uint32_t type; /* enum message_type */
    uint64_t run_id;
    union {
        struct sandbox_limits limits;   /* RUN */
        uint32_t end;                   /* KILL: enum sandbox_end */
        uint32_t code;                  /* REFUSE: enum cwm_rc */
        uint32_t missing;               /* HELLO: 1u << wall */
        struct sandbox_verdict verdict; /* RESULT */
    } u;
    uint32_t text_len;
    char text[PROTOCOL_TEXT_BYTES]; /* HELLO, REFUSE: NUL-terminated */
};

/* `text` NULL is none; one that is too long is cut. */
void protocol_message_init(struct message *m, enum message_type type,
                           const char *text);

/* Send with `n_fds` (0 to RUN_N_FDS) descriptors. */
enum cwm_rc protocol_send(int socket, const struct message *m, const int *fds,
                          size_t n_fds, struct cwm_err *err);

/*
 * Receive one message.  With `fds` not NULL it must carry exactly RUN_N_FDS
 * descriptors when it is a RUN and none else; they are then the caller's.
 * CWM_CANCELLED: the other side has hung up.
 */
enum cwm_rc protocol_receive(int socket, struct message *ret_m, int *fds,
                             struct cwm_err *err);

/*
 * The policy as the worker gets it in a memory file:
 * u32 magic, u32 allow_missing, u64 shared_bytes, then every read path with
 * its NUL, then one more NUL.
 */
struct protocol_policy {
    uint32_t allow_missing;
    size_t shared_bytes;
    char **read_paths; /* owned, NULL-ended; one block behind it */
};

enum cwm_rc protocol_policy_write(int fd, const struct sandbox_policy *policy,
                                  struct cwm_err *err);
enum cwm_rc protocol_policy_read(int fd, struct protocol_policy *ret_policy,
                                 struct cwm_err *err);
void protocol_policy_release(struct protocol_policy *policy);

/* Write all of it, however many calls that takes; -1 with errno. */
int protocol_write_all(int fd, const void *data, size_t len);

#endif /* SANDBOX_PROTOCOL_H */
