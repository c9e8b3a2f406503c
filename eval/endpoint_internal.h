/* SPDX-License-Identifier: MIT */
/*
 * endpoint_internal.h -- what endpoint*.c share: messages and their store.
 */
#ifndef EVAL_ENDPOINT_INTERNAL_H
#define EVAL_ENDPOINT_INTERNAL_H

#include "cwm/base/buf.h"
#include "datasets/hash.h"
#include "eval/endpoint.h"

/* ---- messages ---- */

/* Append the request's JSON.  Equal requests give equal bytes.  Fails:
 * CWM_USAGE (no model, a text that is no UTF-8), CWM_NOMEM, CWM_LIMIT. */
enum cwm_rc endpoint__write(const struct endpoint_request *request,
                            struct cwm_buf *out, struct cwm_err *err);

/* An answer taken apart. */
struct endpoint__message {
    struct endpoint_choice *choices; /* owned */
    size_t n_choices;
    uint64_t prompt_tokens, completion_tokens;
    double cpu_s;
    struct cwm_buf texts; /* owned: what the choices borrow from */
};

/*
 * What servers do not say is in the answers of own_model.c: of a choice
 * "n_tokens" and "logprob" (summed), of the usage "cpu_us".
 *
 * body[len] is NUL.  ret_outcome: ANSWERED, GARBAGE or NO_CHOICE.  Fails:
 * CWM_NOMEM.
 */
enum cwm_rc endpoint__read(const char *body, size_t len,
                           struct endpoint__message *ret_message,
                           enum endpoint_outcome *ret_outcome,
                           struct cwm_err *err);
void endpoint__message_release(struct endpoint__message *m);

/* ---- the store ---- */

struct endpoint__store; /* opaque: endpoint_store.c */

enum cwm_rc endpoint__store_open(const char *path,
                                 struct endpoint__store **ret_store,
                                 struct cwm_err *err);
void endpoint__store_close(struct endpoint__store *s); /* NULL is fine */
/* The body of an answer (ANSWERED only) is appended to `body`. */
enum cwm_rc endpoint__store_get(struct endpoint__store *s,
                                const struct hash *key, bool *ret_is_there,
                                struct cwm_buf *body, struct cwm_err *err);
enum cwm_rc endpoint__store_put(struct endpoint__store *s,
                                const struct hash *key,
                                const struct cwm_buf *request,
                                enum endpoint_outcome outcome, long status,
                                const struct cwm_buf *body,
                                struct cwm_err *err);

#endif /* EVAL_ENDPOINT_INTERNAL_H */
