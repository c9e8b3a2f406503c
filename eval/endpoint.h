/* SPDX-License-Identifier: MIT */
/*
 * endpoint.h -- asking models behind an OpenAI-compatible HTTP endpoint.
 *
 * Many requests are under way at once.  What may work next time (429, 408,
 * 5xx, time-outs, connections that fail or are cut off, answers that are no
 * JSON) is tried again, after a wait that doubles and is never shorter than
 * the server's Retry-After; a 429 makes the other requests wait as well.  At
 * its end every request has exactly one outcome, and outcomes are counted.
 *
 * Answers are kept in an SQLite file, by a hash of the URL and the request's
 * content, as soon as they come: asking again what was asked costs nothing,
 * and a kill loses what is under way and no more.  Failures are kept as well,
 * to be looked at, but asked again.
 *
 * Trust: what the server sends is hostile: bounded, parsed, never followed
 * elsewhere (redirects are not).  The key comes from an environment variable,
 * goes into one header, and is wiped; it is no part of the hash, and a server
 * that sends it back finds it blotted out before the answer is kept.
 *
 * Threads: an endpoint belongs to one at a time, and makes none.
 */
#ifndef EVAL_ENDPOINT_H
#define EVAL_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"

/* Kept by number: append only. */
#define ENDPOINT_OUTCOME_TABLE(X)                                              \
    X(NOT_ASKED, 0, "not_asked") /* stopped before */                          \
    X(ANSWERED, 1, "answered")                                                 \
    X(REFUSED, 2, "refused")           /* a 4xx that stays */                  \
    X(RATE_LIMITED, 3, "rate_limited") /* 429, to the last try */              \
    X(SERVER_ERROR, 4, "server_error") /* 5xx, to the last try */              \
    X(TIMEOUT, 5, "timeout")                                                   \
    X(UNREACHABLE, 6, "unreachable") /* no connection */                       \
    X(CUT_OFF, 7, "cut_off")         /* it ended in the middle */              \
    X(WRONG_TYPE, 8, "wrong_type")   /* 200, but no JSON by its header */      \
    X(GARBAGE, 9, "garbage")         /* 200, but not what was asked for */     \
    X(TOO_LARGE, 10, "too_large")                                              \
    X(REDIRECTED, 11, "redirected") /* elsewhere: not followed */              \
    X(NO_CHOICE, 12, "no_choice")   /* an answer without a text */

enum endpoint_outcome {
#define ENDPOINT_OUTCOME_ENUM(id, number, text) ENDPOINT_##id = (number),
    ENDPOINT_OUTCOME_TABLE(ENDPOINT_OUTCOME_ENUM)
#undef ENDPOINT_OUTCOME_ENUM
        ENDPOINT_N_OUTCOMES
};
const char *endpoint_outcome_text(enum endpoint_outcome outcome);

#define ENDPOINT_MAX_STOPS 4

/* All texts are borrowed for the call; UTF-8. */
struct endpoint_request {
    const char *model;
    const char *system; /* NULL: none; of a chat only */
    const char *prompt;
    size_t prompt_len;
    bool is_chat;              /* /chat/completions, else /completions */
    uint32_t n;                /* answers; 0: 1 */
    uint32_t max_tokens;       /* 0: as the server will */
    double temperature, top_p; /* below 0: as the server will */
    const char *stops[ENDPOINT_MAX_STOPS];
    size_t n_stops;
    bool has_seed;
    uint64_t seed;
    bool logprobs;
    /* Of a trace's beginning: where in the prompt its program lies, which is
     * text whatever stands in it; the rest holds tokens by their names.  For
     * models that are run here (own_model.h).  0 bytes: the prompt is text. */
    size_t context_at, context_len;
    uint64_t repeat; /* tells requests apart that are equal otherwise: how
                        many samples of one prompt are asked for one by one */
};

struct endpoint_choice {
    const char *text; /* ends in a NUL, and may hold others */
    size_t len;
    bool is_whole;     /* it ended by itself, not by max_tokens */
    uint64_t n_tokens; /* 0: the server does not say */
    double logprob;    /* of all its tokens, summed; NAN: not told */
};

struct endpoint_answer {
    enum endpoint_outcome outcome;
    bool from_store;
    long http_status; /* of the last try; 0: none came */
    unsigned n_tries; /* 0: from the store */
    double seconds;   /* of the last try, as the request's clock saw it */
    uint64_t prompt_tokens, completion_tokens; /* as the server says */
    double cpu_s; /* that it took; 0: not told, as by servers */
    const struct endpoint_choice *choices; /* borrowed until the next answer */
    size_t n_choices;                      /* may be fewer than asked for */
    const char *detail; /* one line of what the server or the network said */
};

struct endpoint_options {
    const char *url;       /* "http://127.0.0.1:8080/v1" */
    const char *key_env;   /* name of an environment variable; NULL: no key */
    const char *store;     /* NULL: nothing is kept */
    unsigned n_parallel;   /* 0: 8 */
    unsigned n_tries;      /* 0: 6 */
    uint32_t timeout_ms;   /* of one try; 0: 600,000 */
    uint32_t wait_ms;      /* before the second try; 0: 500 */
    uint32_t max_wait_ms;  /* before any; also how long a Retry-After is heeded;
                              0: 60,000 */
    double requests_per_s; /* begun; 0: as many as can be */
    size_t max_answer_bytes; /* 0: 16 MiB */
    const volatile int *cancel;
};

struct endpoint_counts {
    uint64_t n_outcomes[ENDPOINT_N_OUTCOMES];  /* requests, by their outcome */
    uint64_t n_from_store;                     /* of those */
    uint64_t n_tries;                          /* sent over the network */
    uint64_t prompt_tokens, completion_tokens; /* of answers not from store */
};

struct endpoint; /* opaque: endpoint.c */

/*
 * Fails: CWM_USAGE (no http or https URL, or one with a password in it; a key
 * that is not there or cannot stand in a header), CWM_IO, CWM_FORMAT (the
 * store), CWM_NOMEM, CWM_SYSTEM.
 */
enum cwm_rc endpoint_open(const struct endpoint_options *options,
                          struct endpoint **ret_endpoint, struct cwm_err *err);
void endpoint_close(struct endpoint *e); /* NULL is fine */

/*
 * Ask all of requests[0..n).  `on_answer` is told of each, in the order in
 * which answers come; it may fail, which ends the call with its code.
 * *counts (NULL is fine) is added to.  An outcome is not an error: fails only
 * with CWM_CANCELLED (answers so far are kept), CWM_NOMEM, CWM_IO (the store).
 */
typedef enum cwm_rc (*endpoint_told)(void *ctx, size_t i,
                                     const struct endpoint_answer *answer,
                                     struct cwm_err *err);
enum cwm_rc endpoint_ask(struct endpoint *e,
                         const struct endpoint_request *requests, size_t n,
                         endpoint_told on_answer, void *ctx,
                         struct endpoint_counts *counts, struct cwm_err *err);

#endif /* EVAL_ENDPOINT_H */
