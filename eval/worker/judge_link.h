/* SPDX-License-Identifier: MIT */
/*
 * judge_link.h -- questions and answers between the process that runs the
 * tests (the tester) and the candidate's (the agent).
 *
 * A message is u32 LE length and that many bytes; the first one says what it
 * is.  The tester asks, the agent answers, one at a time.  The agent and all
 * it sends are hostile: it can answer what it likes, which is no more than a
 * function may do, and the tester checks every length.
 *
 *   tester -> agent                          agent -> tester
 *   L  limits, if it is watched for          V  value, arguments' new values
 *      endless loops: ms of CPU time (0: it
 *      is not), MiB of memory; opening,
 *      program, set-up (texts), names
 *   O  operation, object, name, arguments    E  exception's class, text, what
 *                                               it is made from
 *   X  code to be run in its namespace       S  an iterator's end
 *                                            C  as E: the text is no program
 *                                            H  the question has no end
 */
#ifndef EVAL_WORKER_JUDGE_LINK_H
#define EVAL_WORKER_JUDGE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"

/* A value is not larger on its way; a larger one is an object. */
#define LINK_MAX_BYTES (64u << 20)

enum link_ask { LINK_LOAD = 'L', LINK_OPERATION = 'O', LINK_EXECUTE = 'X' };
enum link_answer {
    LINK_VALUE = 'V',
    LINK_RAISED = 'E',
    LINK_STOP = 'S',
    LINK_NO_CODE = 'C',
    LINK_ENDLESS = 'H',
};

/* What may be done with an object of the candidate's. */
enum link_operation {
    OPERATION_CALL,
    OPERATION_GET, /* an attribute */
    OPERATION_SET,
    OPERATION_ITERATE,
    OPERATION_NEXT,
    OPERATION_LENGTH,
    OPERATION_ITEM,
    OPERATION_PUT, /* an item */
    OPERATION_CONTAINS,
    OPERATION_TRUTH,
    OPERATION_TEXT, /* str() */
    OPERATION_NAME, /* a global: no object */
    OPERATION_REPR,
};

/* False: the other side is gone, or errno. */
bool link_send(int fd, const struct cwm_buf *message);
/* Into `message`; false: gone, larger than allowed, or no memory. */
bool link_receive(int fd, struct cwm_buf *message);

void link_add_u32(struct cwm_buf *out, uint32_t value);
/* False: fewer bytes are left. */
bool link_get_u32(const uint8_t **at, const uint8_t *end, uint32_t *ret_value);

#endif /* EVAL_WORKER_JUDGE_LINK_H */
