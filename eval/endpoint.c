/* SPDX-License-Identifier: MIT */
/*
 * endpoint.c -- see endpoint.h: one libcurl multi handle, driven by one loop.
 *
 * Requests under way live in slots.  A slot is idle, waits until a moment
 * (before a try, also the first), or has a transfer under way.
 */
#include "eval/endpoint.h"

#include <curl/curl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "eval/draw.h"
#include "eval/endpoint_internal.h"

enum {
    N_PARALLEL = 8,
    MAX_PARALLEL = 1024,
    N_TRIES = 6,
    TIMEOUT_MS = 600000, /* long reasoning takes minutes */
    WAIT_MS = 500,
    MAX_WAIT_MS = 60000,
    CONNECT_MS = 20000,
    MAX_ANSWER_BYTES = 16 << 20,
    MAX_REQUEST_BYTES = 64 << 20,
    MAX_URL_BYTES = 4096,
    MAX_KEY_BYTES = 4096,
    MAX_DETAIL_BYTES = 200,
    LOOK_MS = 100 /* how often a request to stop is looked for */
};

enum slot_state { SLOT_IDLE, SLOT_WAITS, SLOT_RUNS };

struct slot {
    enum slot_state state;
    size_t i; /* the request */
    unsigned n_tries;
    double due;     /* SLOT_WAITS: seconds on the clock */
    double started; /* SLOT_RUNS */
    struct hash key;
    struct cwm_buf request; /* owned: its JSON */
    struct cwm_buf body;    /* owned: what comes */
    bool is_full;           /* more came than may */
    CURL *easy;             /* owned */
};

struct endpoint {
    struct endpoint_options o;  /* texts are not kept; numbers without zeros */
    char *url;                  /* owned; without a slash at its end */
    char *secret;               /* owned: the key, or NULL */
    struct curl_slist *headers; /* owned */
    CURLM *multi;               /* owned */
    struct slot *slots;         /* owned; [o.n_parallel] */
    struct endpoint__store *store; /* owned; or NULL */
    struct draw draw;              /* jitter of waits */
    double hold_until;             /* no try before; set by a 429 */
    double next_start;             /* no try before; the rate */
};

/* What one call of endpoint_ask() works on. */
struct asking {
    struct endpoint *e;
    const struct endpoint_request *requests;
    size_t n, n_taken, n_done;
    endpoint_told on_answer;
    void *ctx;
    struct endpoint_counts *counts;
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- opening ---- */

static enum cwm_rc check_url(const char *url, struct cwm_err *err)
{
    CURLU *parts = curl_url();
    char *scheme = NULL; /* libcurl's */
    char *user = NULL;   /* libcurl's */
    enum cwm_rc rc = CWM_OK;

    if (!parts) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold an address");
    }
    if (strlen(url) > MAX_URL_BYTES ||
        curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        rc = CWM_FAIL(err, CWM_USAGE,
                      "'%.200s' is no http or https address\n"
                      "it looks like http://127.0.0.1:8080/v1",
                      url);
    } else if (curl_url_get(parts, CURLUPART_USER, &user, 0) == CURLUE_OK) {
        rc = CWM_FAIL(err, CWM_USAGE,
                      "cannot take an address with a user or password in it\n"
                      "put the key into an environment variable");
    }
    curl_free(scheme);
    curl_free(user);
    curl_url_cleanup(parts);
    return rc;
}

static enum cwm_rc take_key(struct endpoint *e, const char *name,
                            struct cwm_err *err)
{
    const char *key = getenv(name);
    size_t len = key ? strlen(key) : 0;

    if (len == 0) {
        return CWM_FAIL(err, CWM_USAGE,
                        "the environment variable '%s' holds no key", name);
    }
    for (size_t i = 0; i < len; i++) {
        if (key[i] <= ' ' || key[i] > '~' || len > MAX_KEY_BYTES) {
            return CWM_FAIL(err, CWM_USAGE,
                            "the key in the environment variable '%s' cannot "
                            "stand in a header",
                            name);
        }
    }
    e->secret = cwm_strndup(key, len);
    return e->secret ? CWM_OK
                     : CWM_FAIL(err, CWM_NOMEM, "could not hold a key");
}

static bool add_header(struct endpoint *e, const char *line)
{
    struct curl_slist *more = curl_slist_append(e->headers, line);

    e->headers = more ? more : e->headers;
    return more != NULL;
}

static enum cwm_rc make_headers(struct endpoint *e, struct cwm_err *err)
{
    char line[MAX_KEY_BYTES + 32];
    bool ok = add_header(e, "Content-Type: application/json") &&
              add_header(e, "Accept: application/json") &&
              add_header(e, "Expect:"); /* no round trip before a long body */

    if (ok && e->secret) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", e->secret);
        ok = add_header(e, line);
        explicit_bzero(line, sizeof line);
    }
    return ok ? CWM_OK : CWM_FAIL(err, CWM_NOMEM, "could not hold headers");
}

static void fill_defaults(struct endpoint_options *o)
{
    o->n_parallel = o->n_parallel ? o->n_parallel : N_PARALLEL;
    o->n_parallel = o->n_parallel < MAX_PARALLEL ? o->n_parallel : MAX_PARALLEL;
    o->n_tries = o->n_tries ? o->n_tries : N_TRIES;
    o->timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_MS;
    o->wait_ms = o->wait_ms ? o->wait_ms : WAIT_MS;
    o->max_wait_ms = o->max_wait_ms ? o->max_wait_ms : MAX_WAIT_MS;
    o->max_answer_bytes =
        o->max_answer_bytes ? o->max_answer_bytes : MAX_ANSWER_BYTES;
}

static size_t on_bytes(char *data, size_t size, size_t n, void *ctx)
{
    struct slot *slot = ctx;

    if (cwm_buf_add(&slot->body, data, size * n) != CWM_OK) {
        slot->is_full = slot->body.failed == CWM_LIMIT;
        return 0;
    }
    return size * n;
}

static enum cwm_rc make_slots(struct endpoint *e, struct cwm_err *err)
{
    e->slots = cwm_calloc(e->o.n_parallel, sizeof *e->slots);
    e->multi = curl_multi_init();
    for (size_t i = 0; e->slots && i < e->o.n_parallel; i++) {
        cwm_buf_init(&e->slots[i].request, MAX_REQUEST_BYTES);
        cwm_buf_init(&e->slots[i].body, e->o.max_answer_bytes);
        e->slots[i].easy = curl_easy_init();
        if (!e->slots[i].easy) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold a request");
        }
    }
    return e->slots && e->multi
               ? CWM_OK
               : CWM_FAIL(err, CWM_NOMEM, "could not hold %u requests",
                          e->o.n_parallel);
}

enum cwm_rc endpoint_open(const struct endpoint_options *options,
                          struct endpoint **ret_endpoint, struct cwm_err *err)
{
    struct endpoint *e = NULL; /* owned */
    enum cwm_rc rc;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not set up libcurl");
    }
    rc = check_url(options->url, err);
    if (rc != CWM_OK) {
        goto out;
    }
    e = cwm_calloc(1, sizeof *e);
    if (e) {
        size_t len = strlen(options->url);

        e->o = *options;
        fill_defaults(&e->o);
        e->draw = draw_seed((uint64_t)time(NULL), 0); /* waits are no data */
        while (len > 0 && options->url[len - 1] == '/') {
            len--;
        }
        e->url = cwm_strndup(options->url, len);
    }
    if (!e || !e->url) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold an endpoint");
        goto out;
    }
    if (options->key_env) {
        rc = take_key(e, options->key_env, err);
    }
    if (rc == CWM_OK) {
        rc = make_headers(e, err);
    }
    if (rc == CWM_OK) {
        rc = make_slots(e, err);
    }
    if (rc == CWM_OK && options->store) {
        rc = endpoint__store_open(options->store, &e->store, err);
    }
    if (rc == CWM_OK) {
        *ret_endpoint = e;
        return CWM_OK; /* endpoint_close() gives libcurl back */
    }
out:
    if (e) {
        endpoint_close(e);
    } else {
        curl_global_cleanup();
    }
    return rc;
}

/* The header with the key is libcurl's memory; it is ours to wipe. */
static void wipe_headers(struct endpoint *e)
{
    for (struct curl_slist *h = e->headers; h; h = h->next) {
        explicit_bzero(h->data, strlen(h->data));
    }
    curl_slist_free_all(e->headers);
}

void endpoint_close(struct endpoint *e)
{
    if (!e) {
        return;
    }
    for (size_t i = 0; e->slots && i < e->o.n_parallel; i++) {
        curl_easy_cleanup(e->slots[i].easy);
        cwm_buf_release(&e->slots[i].request);
        cwm_buf_release(&e->slots[i].body);
    }
    cwm_free(e->slots);
    if (e->multi) {
        curl_multi_cleanup(e->multi);
    }
    endpoint__store_close(e->store);
    wipe_headers(e);
    if (e->secret) {
        explicit_bzero(e->secret, strlen(e->secret));
    }
    cwm_free(e->secret);
    cwm_free(e->url);
    cwm_free(e);
    curl_global_cleanup();
}

/* ---- what came ---- */

/* A server may send the key back, in a message about it. */
static void blot_out(struct cwm_buf *body, const char *secret)
{
    size_t len = secret ? strlen(secret) : 0;
    char *at = body->data;
    char *end = at ? at + body->len : NULL;

    while (len > 0 && at &&
           (at = memmem(at, (size_t)(end - at), secret, len)) != NULL) {
        memset(at, '*', len);
        at += len;
    }
}

static enum endpoint_outcome outcome_of_network(const struct slot *slot,
                                                CURLcode code)
{
    switch ((int)code) {
    case CURLE_OPERATION_TIMEDOUT:
        return ENDPOINT_TIMEOUT;
    case CURLE_WRITE_ERROR:
        return slot->is_full ? ENDPOINT_TOO_LARGE : ENDPOINT_CUT_OFF;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return ENDPOINT_CUT_OFF;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ENDPOINT_GARBAGE;
    default:
        return ENDPOINT_UNREACHABLE;
    }
}

static bool is_json_type(CURL *easy)
{
    const char *type = NULL; /* libcurl's */
    size_t len;

    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    if (!type) { /* some servers say nothing: the body tells */
        return true;
    }
    len = strcspn(type, "; ");
    return (len == 16 && strncasecmp(type, "application/json", len) == 0) ||
           (len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

static enum endpoint_outcome outcome_of_status(const struct slot *slot,
                                               long status)
{
    if (status == 429) {
        return ENDPOINT_RATE_LIMITED;
    }
    if (status >= 500) {
        return ENDPOINT_SERVER_ERROR;
    }
    if (status == 408) {
        return ENDPOINT_TIMEOUT;
    }
    if (status >= 400) {
        return ENDPOINT_REFUSED;
    }
    if (status >= 300) {
        return ENDPOINT_REDIRECTED;
    }
    if (status < 200) {
        return ENDPOINT_GARBAGE;
    }
    return is_json_type(slot->easy) ? ENDPOINT_ANSWERED : ENDPOINT_WRONG_TYPE;
}

static bool may_work_again(enum endpoint_outcome outcome)
{
    return outcome == ENDPOINT_RATE_LIMITED ||
           outcome == ENDPOINT_SERVER_ERROR || outcome == ENDPOINT_TIMEOUT ||
           outcome == ENDPOINT_UNREACHABLE || outcome == ENDPOINT_CUT_OFF ||
           outcome == ENDPOINT_GARBAGE || outcome == ENDPOINT_WRONG_TYPE;
}

/* One line, printable, of what a server said. */
static void make_detail(const struct slot *slot, CURLcode code, char *detail)
{
    const char *text = code != CURLE_OK  ? curl_easy_strerror(code)
                       : slot->body.data ? slot->body.data
                                         : "";
    size_t n = 0;

    for (; text[n] && n < MAX_DETAIL_BYTES - 1; n++) {
        detail[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : ' ';
    }
    detail[n] = '\0';
}

/* ---- asking ---- */

static enum cwm_rc tell(struct asking *a, size_t i,
                        const struct endpoint_answer *answer,
                        struct cwm_err *err)
{
    struct endpoint_counts *c = a->counts;

    a->n_done++;
    if (c) {
        c->n_outcomes[answer->outcome]++;
        c->n_from_store += answer->from_store;
        if (!answer->from_store) {
            c->prompt_tokens += answer->prompt_tokens;
            c->completion_tokens += answer->completion_tokens;
        }
    }
    return a->on_answer ? a->on_answer(a->ctx, i, answer, err) : CWM_OK;
}

/* `answer` gets what the body says; a body that says nothing is an outcome. */
static enum cwm_rc tell_body(struct asking *a, struct slot *slot,
                             struct endpoint_answer *answer,
                             struct cwm_err *err)
{
    struct endpoint__message m = {.choices = NULL};
    enum cwm_rc rc = CWM_OK;

    if (answer->outcome == ENDPOINT_ANSWERED) {
        rc = endpoint__read(slot->body.data, slot->body.len, &m,
                            &answer->outcome, err);
    }
    if (rc == CWM_OK) {
        answer->choices = m.choices;
        answer->n_choices = m.n_choices;
        answer->prompt_tokens = m.prompt_tokens;
        answer->completion_tokens = m.completion_tokens;
        answer->cpu_s = m.cpu_s;
        rc = tell(a, slot->i, answer, err);
    }
    endpoint__message_release(&m);
    return rc;
}

static enum cwm_rc make_key(struct asking *a, struct slot *slot,
                            struct cwm_err *err)
{
    const struct endpoint_request *r = &a->requests[slot->i];
    struct hasher *h = NULL; /* owned */
    enum cwm_rc rc = endpoint__write(r, &slot->request, err);

    if (rc == CWM_OK) {
        rc = hasher_new(&h, err);
    }
    if (rc == CWM_OK) {
        hasher_add_text(h, a->e->url);
        hasher_add_number(h, r->is_chat);
        hasher_add_number(h, r->repeat);
        hasher_add(h, slot->request.data, slot->request.len);
        slot->key = hasher_end(h);
    }
    hasher_free(h);
    return rc;
}

/* The next request moves into an idle slot, or is answered from the store. */
static enum cwm_rc take(struct asking *a, struct slot *slot,
                        struct cwm_err *err)
{
    bool is_kept = false;
    enum cwm_rc rc;

    slot->i = a->n_taken++;
    slot->n_tries = 0;
    slot->due = 0;
    cwm_buf_clear(&slot->request);
    cwm_buf_clear(&slot->body);
    rc = make_key(a, slot, err);
    if (rc == CWM_OK && a->e->store) {
        rc = endpoint__store_get(a->e->store, &slot->key, &is_kept, &slot->body,
                                 err);
    }
    if (rc == CWM_OK && is_kept) {
        struct endpoint_answer answer = {.outcome = ENDPOINT_ANSWERED,
                                         .from_store = true,
                                         .http_status = 200,
                                         .detail = ""};

        return tell_body(a, slot, &answer, err);
    }
    slot->state = SLOT_WAITS;
    return rc;
}

static void set_options(const struct endpoint *e, struct slot *slot,
                        const char *url)
{
    CURL *easy = slot->easy;

    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* with our key */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, slot->request.data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)slot->request.len);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, e->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)e->o.timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    /* All that curl can unpack; the limit counts unpacked bytes. */
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
}

static enum cwm_rc start(struct asking *a, struct slot *slot, double now,
                         struct cwm_err *err)
{
    struct endpoint *e = a->e;
    char url[MAX_URL_BYTES + 32];

    snprintf(url, sizeof url, "%s/%s", e->url,
             a->requests[slot->i].is_chat ? "chat/completions" : "completions");
    cwm_buf_clear(&slot->body);
    slot->is_full = false;
    set_options(e, slot, url);
    if (curl_multi_add_handle(e->multi, slot->easy) != CURLM_OK) {
        return CWM_FAIL(err, CWM_SYSTEM, "could not begin a request");
    }
    slot->state = SLOT_RUNS;
    slot->started = now;
    slot->n_tries++;
    if (a->counts) {
        a->counts->n_tries++;
    }
    if (e->o.requests_per_s > 0) {
        e->next_start = now + 1 / e->o.requests_per_s;
    }
    return CWM_OK;
}

/*
 * Half of the wait is certain, half is drawn, so that requests that failed
 * together do not come back together.  Returns false when the server asks for
 * more patience than there is.
 */
static bool wait_again(struct endpoint *e, struct slot *slot,
                       enum endpoint_outcome outcome, double now)
{
    double most = e->o.max_wait_ms * 1e-3;
    double wait = ldexp(e->o.wait_ms * 1e-3, (int)slot->n_tries - 1);
    curl_off_t asked_s = 0;

    wait = wait < most ? wait : most;
    wait *= 0.5 + 0.5 * (double)(draw_bits(&e->draw) >> 11) * 0x1p-53;
    curl_easy_getinfo(slot->easy, CURLINFO_RETRY_AFTER, &asked_s);
    if ((double)asked_s > most) {
        return false;
    }
    wait = wait > (double)asked_s ? wait : (double)asked_s;
    slot->due = now + wait;
    slot->state = SLOT_WAITS;
    if (outcome == ENDPOINT_RATE_LIMITED && e->hold_until < slot->due) {
        e->hold_until = slot->due;
    }
    return true;
}

/* A try has ended: it is told, or another will follow. */
static enum cwm_rc finish(struct asking *a, struct slot *slot, CURLcode code,
                          struct cwm_err *err)
{
    struct endpoint *e = a->e;
    struct endpoint_answer answer = {.n_tries = slot->n_tries};
    char detail[MAX_DETAIL_BYTES];
    double now = now_s();
    enum cwm_rc rc = CWM_OK;

    if (slot->body.failed == CWM_NOMEM) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold an answer");
    }
    blot_out(&slot->body, e->secret);
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &answer.http_status);
    answer.seconds = now - slot->started;
    answer.outcome = code == CURLE_OK
                         ? outcome_of_status(slot, answer.http_status)
                         : outcome_of_network(slot, code);
    make_detail(slot, code, detail);
    answer.detail = detail;
    if (answer.outcome == ENDPOINT_ANSWERED) { /* is it one? */
        struct endpoint__message m;

        rc = endpoint__read(slot->body.data, slot->body.len, &m,
                            &answer.outcome, err);
        if (rc != CWM_OK) {
            return rc;
        }
        endpoint__message_release(&m);
    }
    if (may_work_again(answer.outcome) && slot->n_tries < e->o.n_tries &&
        wait_again(e, slot, answer.outcome, now)) {
        return CWM_OK;
    }
    slot->state = SLOT_IDLE;
    if (e->store) {
        rc = endpoint__store_put(e->store, &slot->key, &slot->request,
                                 answer.outcome, answer.http_status,
                                 &slot->body, err);
    }
    return rc == CWM_OK ? tell_body(a, slot, &answer, err) : rc;
}

static enum cwm_rc finish_all(struct asking *a, bool *ret_any,
                              struct cwm_err *err)
{
    CURLM *multi = a->e->multi;
    enum cwm_rc rc = CWM_OK;
    CURLMsg *message; /* libcurl's */
    int n_left = 0;

    *ret_any = false;
    while (rc == CWM_OK &&
           (message = curl_multi_info_read(multi, &n_left)) != NULL) {
        CURLcode code = message->data.result;
        CURL *easy = message->easy_handle;
        struct slot *slot = NULL;

        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
        curl_multi_remove_handle(multi, easy);
        *ret_any = true;
        rc = finish(a, slot, code, err);
    }
    return rc;
}

/* Fill idle slots, begin what is due; *ret_wake is when the next one is. */
static enum cwm_rc move_slots(struct asking *a, double *ret_wake,
                              struct cwm_err *err)
{
    struct endpoint *e = a->e;
    double now = now_s();
    enum cwm_rc rc = CWM_OK;

    *ret_wake = now + LOOK_MS * 1e-3;
    for (size_t i = 0; i < e->o.n_parallel && rc == CWM_OK; i++) {
        struct slot *slot = &e->slots[i];
        double due;

        while (slot->state == SLOT_IDLE && a->n_taken < a->n && rc == CWM_OK &&
               !cwm_is_cancelled(e->o.cancel)) {
            rc = take(a, slot, err);
        }
        if (slot->state != SLOT_WAITS || rc != CWM_OK) {
            continue;
        }
        due = fmax(slot->due, fmax(e->hold_until, e->next_start));
        if (due <= now) {
            rc = start(a, slot, now, err);
        } else {
            *ret_wake = fmin(*ret_wake, due);
        }
    }
    return rc;
}

static enum cwm_rc step(struct asking *a, struct cwm_err *err)
{
    double wake;
    double wait;
    int n_running = 0;
    bool any_ended = false;
    enum cwm_rc rc = move_slots(a, &wake, err);

    if (rc != CWM_OK) {
        return rc;
    }
    if (cwm_is_cancelled(a->e->o.cancel)) {
        return CWM_FAIL(err, CWM_CANCELLED, "stopped on request");
    }
    curl_multi_perform(a->e->multi, &n_running);
    rc = finish_all(a, &any_ended, err);
    wait = ceil((wake - now_s()) * 1e3);
    if (rc == CWM_OK && !any_ended && a->n_done < a->n && wait > 0) {
        curl_multi_poll(a->e->multi, NULL, 0, (int)wait, NULL);
    }
    return rc;
}

enum cwm_rc endpoint_ask(struct endpoint *e,
                         const struct endpoint_request *requests, size_t n,
                         endpoint_told on_answer, void *ctx,
                         struct endpoint_counts *counts, struct cwm_err *err)
{
    struct asking a = {.e = e,
                       .requests = requests,
                       .n = n,
                       .on_answer = on_answer,
                       .ctx = ctx,
                       .counts = counts};
    enum cwm_rc rc = CWM_OK;

    while (a.n_done < n && rc == CWM_OK) {
        rc = step(&a, err);
    }
    for (size_t i = 0; i < e->o.n_parallel; i++) {
        if (e->slots[i].state == SLOT_RUNS) {
            curl_multi_remove_handle(e->multi, e->slots[i].easy);
        }
        e->slots[i].state = SLOT_IDLE;
    }
    if (counts && rc != CWM_OK) {
        counts->n_outcomes[ENDPOINT_NOT_ASKED] += n - a.n_done;
    }
    return rc;
}
