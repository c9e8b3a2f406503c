/* SPDX-License-Identifier: MIT */
/*
 * test_endpoint.c -- every way in which a server can misbehave has its own
 * outcome, none is dropped, and what was answered is never asked again.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cwm/base/io.h"
#include "eval/endpoint.h"

#define KEY "sk-very-secret-123"

static struct {
    pid_t pid;
    int in; /* closed: it ends */
    char url[64];
    char store[64];
} server;

/* Reads up to the line's end, however it is cut: into line, ended by NUL,
   without its newline.  False: it ended before. */
static bool read_line(int fd, char *line, size_t room)
{
    size_t len = 0;

    while (len < room && read(fd, line + len, 1) == 1) {
        if (line[len] == '\n') {
            line[len] = '\0';
            return true;
        }
        len++;
    }
    return false;
}

static int start_server(void **state)
{
    int to[2];
    int from[2];
    char port[16];
    bool told;

    (void)state;
    if (pipe(to) != 0 || pipe(from) != 0) {
        return -1;
    }
    server.pid = fork();
    if (server.pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        close(from[0]);
        setenv("PYTHONUNBUFFERED", "1", 1); /* the port comes in two writes */
        execlp("python3", "python3", TEST_MOCK, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    server.in = to[1];
    told = read_line(from[0], port, sizeof port);
    close(from[0]);
    if (!told) {
        print_error("%s says no port\n", TEST_MOCK);
        return -1;
    }
    snprintf(server.url, sizeof server.url, "http://127.0.0.1:%s/v1/", port);
    snprintf(server.store, sizeof server.store, "/tmp/test_endpoint.%d.sqlite",
             (int)getpid());
    setenv("TEST_ENDPOINT_KEY", KEY, 1);
    setenv("no_proxy", "*", 1);
    return 0;
}

static void remove_store(void)
{
    char path[96];

    snprintf(path, sizeof path, "%s-wal", server.store);
    unlink(path);
    snprintf(path, sizeof path, "%s-shm", server.store);
    unlink(path);
    unlink(server.store);
}

static int stop_server(void **state)
{
    (void)state;
    close(server.in);
    waitpid(server.pid, NULL, 0);
    remove_store();
    return 0;
}

/* The last answer, copied; texts cut. */
struct heard {
    size_t n;
    enum endpoint_outcome outcome;
    struct endpoint_answer answer;
    struct endpoint_choice choice;
    char text[2048];
    char detail[256];
};

static enum cwm_rc hear(void *ctx, size_t i,
                        const struct endpoint_answer *answer,
                        struct cwm_err *err)
{
    struct heard *h = ctx;

    (void)i;
    (void)err;
    h->n++;
    h->outcome = answer->outcome;
    h->answer = *answer;
    snprintf(h->detail, sizeof h->detail, "%s", answer->detail);
    h->text[0] = '\0';
    if (answer->n_choices > 0) {
        h->choice = answer->choices[0];
        snprintf(h->text, sizeof h->text, "%s", answer->choices[0].text);
    }
    return CWM_OK;
}

static struct endpoint_options quick(const char *store)
{
    return (struct endpoint_options){.url = server.url,
                                     .key_env = "TEST_ENDPOINT_KEY",
                                     .store = store,
                                     .n_tries = 3,
                                     .timeout_ms = 10000,
                                     .wait_ms = 10,
                                     .max_wait_ms = 2000,
                                     .max_answer_bytes = 1 << 20};
}

static struct endpoint_request request_of(const char *prompt)
{
    return (struct endpoint_request){.model = "m",
                                     .prompt = prompt,
                                     .prompt_len = strlen(prompt),
                                     .temperature = -1,
                                     .top_p = -1};
}

static struct endpoint_counts ask(const struct endpoint_options *o,
                                  const struct endpoint_request *requests,
                                  size_t n, struct heard *heard)
{
    struct endpoint_counts counts = {.n_tries = 0};
    struct endpoint *e = NULL;
    struct cwm_err err = {.message = ""};

    memset(heard, 0, sizeof *heard);
    if (endpoint_open(o, &e, &err) != CWM_OK ||
        endpoint_ask(e, requests, n, hear, heard, &counts, &err) != CWM_OK) {
        fprintf(stderr, "%s\n", err.message);
        fail();
    }
    endpoint_close(e);
    return counts;
}

static void each_way__has_its_own_outcome(void **state)
{
    static const struct {
        const char *prompt;
        enum endpoint_outcome outcome;
        unsigned n_tries;
        long status;
    } ways[] = {
        {"ok", ENDPOINT_ANSWERED, 1, 200},
        {"no-type", ENDPOINT_ANSWERED, 1, 200},
        {"500 1", ENDPOINT_ANSWERED, 2, 200},
        {"429 1", ENDPOINT_ANSWERED, 2, 200},
        {"cut 2", ENDPOINT_ANSWERED, 3, 200},
        {"garbage 1", ENDPOINT_ANSWERED, 2, 200},
        {"close 1", ENDPOINT_ANSWERED, 2, 200},
        {"500", ENDPOINT_SERVER_ERROR, 3, 500},
        {"429-long", ENDPOINT_RATE_LIMITED, 1, 429},
        {"400", ENDPOINT_REFUSED, 1, 400},
        {"redirect", ENDPOINT_REDIRECTED, 1, 307},
        {"cut", ENDPOINT_CUT_OFF, 3, 200},
        {"close", ENDPOINT_CUT_OFF, 3, 0},
        {"garbage", ENDPOINT_GARBAGE, 3, 200},
        {"other-json", ENDPOINT_GARBAGE, 3, 200},
        {"behind", ENDPOINT_GARBAGE, 3, 200},
        {"noise", ENDPOINT_GARBAGE, 3, 0},
        {"html", ENDPOINT_WRONG_TYPE, 3, 200},
        {"huge", ENDPOINT_TOO_LARGE, 1, 200},
        {"empty", ENDPOINT_NO_CHOICE, 1, 200},
        {"null", ENDPOINT_NO_CHOICE, 1, 200},
    };
    struct endpoint_options o = quick(NULL);

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct endpoint_request r = request_of(ways[i].prompt);
        struct heard h;
        struct endpoint_counts counts = ask(&o, &r, 1, &h);

        if (h.n != 1 || h.outcome != ways[i].outcome ||
            h.answer.n_tries != ways[i].n_tries ||
            h.answer.http_status != ways[i].status ||
            counts.n_tries != ways[i].n_tries ||
            counts.n_outcomes[h.outcome] != 1) {
            fprintf(stderr, "%s: %zu times %s after %u tries, status %ld: %s\n",
                    ways[i].prompt, h.n, endpoint_outcome_text(h.outcome),
                    h.answer.n_tries, h.answer.http_status, h.detail);
            fail();
        }
    }
}

static void hanging__is_a_timeout(void **state)
{
    struct endpoint_options o = quick(NULL);
    struct endpoint_request r = request_of("hang");
    struct heard h;

    (void)state;
    o.timeout_ms = 150;
    o.n_tries = 2;
    ask(&o, &r, 1, &h);
    assert_int_equal(h.outcome, ENDPOINT_TIMEOUT);
    assert_int_equal(h.answer.n_tries, 2);
}

static void nobody_there__is_unreachable(void **state)
{
    struct endpoint_options o = quick(NULL);
    struct endpoint_request r = request_of("ok");
    struct heard h;

    (void)state;
    o.url = "http://127.0.0.1:1/v1";
    ask(&o, &r, 1, &h);
    assert_int_equal(h.outcome, ENDPOINT_UNREACHABLE);
    assert_int_equal(h.answer.n_tries, 3);
    assert_true(strlen(h.detail) > 0);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void retry_after__is_heeded_by_all(void **state)
{
    struct endpoint_options o = quick(NULL);
    struct endpoint_request r[] = {request_of("429"), request_of("ok a"),
                                   request_of("ok b")};
    struct heard h;
    double start = seconds();

    (void)state;
    o.n_tries = 2;
    o.n_parallel = 1;
    ask(&o, r, 3, &h);
    assert_int_equal(h.n, 3);
    assert_true(seconds() - start > 0.99); /* what the server asks for */
}

static void many__are_under_way_at_once_and_all_are_told(void **state)
{
    enum { N = 200 };
    struct endpoint_options o = quick(NULL);
    struct endpoint_request r[N];
    char prompts[N][24];
    struct heard h;
    struct endpoint_counts counts;

    (void)state;
    o.n_parallel = 32;
    for (int i = 0; i < N; i++) {
        snprintf(prompts[i], sizeof prompts[i], "%s 1 %d",
                 i % 5 == 0 ? "400" : "ok", i);
        r[i] = request_of(prompts[i]);
    }
    counts = ask(&o, r, N, &h);
    assert_int_equal(h.n, N);
    assert_int_equal(counts.n_outcomes[ENDPOINT_REFUSED], N / 5);
    assert_int_equal(counts.n_outcomes[ENDPOINT_ANSWERED], N - N / 5);
    assert_int_equal(counts.n_tries, N);
}

static void rate__is_kept(void **state)
{
    struct endpoint_options o = quick(NULL);
    struct endpoint_request r[11];
    struct heard h;
    double start = seconds();

    (void)state;
    o.requests_per_s = 20;
    for (int i = 0; i < 11; i++) {
        r[i] = request_of("ok");
    }
    ask(&o, r, 11, &h);
    assert_true(seconds() - start >= 0.49);
}

static void requests__say_what_was_asked_for(void **state)
{
    struct endpoint_options o = quick(NULL);
    struct endpoint_request r = request_of("body");
    struct heard h;

    (void)state;
    r.n = 2;
    r.max_tokens = 7;
    r.temperature = 0.8;
    r.top_p = 0.95;
    r.stops[0] = "\ndef \"";
    r.n_stops = 1;
    r.has_seed = true;
    r.seed = UINT64_MAX;
    ask(&o, &r, 1, &h);
    assert_string_equal(
        h.text, "{\"max_tokens\": 7, \"model\": \"m\", \"n\": 2, \"prompt\": "
                "\"body\", \"seed\": 18446744073709551615, \"stop\": "
                "[\"\\ndef \\\"\"], \"temperature\": 0.8, \"top_p\": 0.95}");
    assert_int_equal(h.answer.n_choices, 2);
    r = request_of("body");
    r.is_chat = true;
    r.system = "be brief";
    ask(&o, &r, 1, &h);
    assert_string_equal(h.text,
                        "{\"messages\": [{\"content\": \"be brief\", \"role\": "
                        "\"system\"}, {\"content\": \"body\", \"role\": "
                        "\"user\"}], \"model\": \"m\"}");
}

static void answers__have_text_tokens_and_logprobs(void **state)
{
    struct endpoint_options o = quick(NULL);
    struct endpoint_request r = request_of("ok");
    struct heard h;

    (void)state;
    for (int chat = 0; chat <= 1; chat++) {
        r.is_chat = chat;
        r.logprobs = true;
        ask(&o, &r, 1, &h);
        assert_string_equal(h.text,
                            "the answer \xC3\xA9\xF0\x9F\x98\x80 to ok");
        assert_int_equal(h.choice.n_tokens, 5);
        assert_true(h.choice.is_whole);
        assert_true(fabs(h.choice.logprob - (chat ? -2.5 : -2.0)) < 1e-12);
        assert_int_equal(h.answer.completion_tokens, 5);
        assert_int_equal(h.answer.prompt_tokens, 3);
        r.logprobs = false;
        ask(&o, &r, 1, &h);
        assert_true(isnan(h.choice.logprob));
        assert_int_equal(h.choice.n_tokens, 5); /* by the usage */
    }
    r = request_of("long");
    ask(&o, &r, 1, &h);
    assert_false(h.choice.is_whole);
}

static void answers__are_kept_and_not_asked_for_again(void **state)
{
    struct endpoint_options o = quick(server.store);
    struct endpoint_request r[] = {
        request_of("ok kept"), request_of("400 kept"), request_of("ok kept")};
    struct heard h;
    struct endpoint_counts counts;

    (void)state;
    r[2].repeat = 1; /* another sample of the same prompt */
    counts = ask(&o, r, 3, &h);
    assert_int_equal(counts.n_tries, 3);
    assert_int_equal(counts.n_from_store, 0);
    counts = ask(&o, r, 3, &h);
    assert_int_equal(counts.n_tries, 1); /* the failure alone */
    assert_int_equal(counts.n_from_store, 2);
    assert_int_equal(counts.n_outcomes[ENDPOINT_ANSWERED], 2);
    counts = ask(&o, r, 1, &h);
    assert_true(h.answer.from_store);
    assert_string_equal(h.text,
                        "the answer \xC3\xA9\xF0\x9F\x98\x80 to ok kept");
    assert_int_equal(counts.completion_tokens, 0); /* it cost nothing */
    r[0].temperature = 0.5;                        /* is another question */
    counts = ask(&o, r, 1, &h);
    assert_int_equal(counts.n_tries, 1);
}

static void key__is_sent_but_never_kept_or_told(void **state)
{
    struct endpoint_options o = quick(server.store);
    struct endpoint_request r[] = {request_of("echo"), request_of("401-echo")};
    struct cwm_buf file;
    struct heard h;
    char wal[96];

    (void)state;
    ask(&o, &r[0], 1, &h);
    assert_string_equal(h.text, "you sent Bearer ******************");
    ask(&o, &r[1], 1, &h);
    assert_string_equal(h.detail, "not Bearer ******************");
    cwm_buf_init(&file, 64 << 20);
    assert_int_equal(io_read_file(server.store, &file, NULL), CWM_OK);
    snprintf(wal, sizeof wal, "%s-wal", server.store);
    io_read_file(wal, &file, NULL); /* where there still is one */
    assert_null(memmem(file.data, file.len, KEY, strlen(KEY)));
    assert_non_null(memmem(file.data, file.len, "you sent", 8));
    cwm_buf_release(&file);
}

static void open__refuses_what_cannot_be(void **state)
{
    struct endpoint_options o = quick(NULL);
    struct endpoint *e = NULL;
    struct cwm_err err;

    (void)state;
    o.url = "ftp://127.0.0.1/";
    assert_int_equal(endpoint_open(&o, &e, &err), CWM_USAGE);
    o.url = "no address";
    assert_int_equal(endpoint_open(&o, &e, &err), CWM_USAGE);
    o.url = "https://me:" KEY "@example.org/v1";
    assert_int_equal(endpoint_open(&o, &e, &err), CWM_USAGE);
    assert_null(strstr(err.message, KEY));
    o = quick(NULL);
    o.key_env = "TEST_ENDPOINT_NO_SUCH_KEY";
    assert_int_equal(endpoint_open(&o, &e, &err), CWM_USAGE);
    setenv("TEST_ENDPOINT_BROKEN", "a\r\nX-Evil: 1", 1);
    o.key_env = "TEST_ENDPOINT_BROKEN";
    assert_int_equal(endpoint_open(&o, &e, &err), CWM_USAGE);
    assert_null(strstr(err.message, "Evil"));
    o = quick(TEST_MOCK); /* no database */
    assert_true(endpoint_open(&o, &e, &err) != CWM_OK);
    assert_null(e);
}

static void cancel__ends_the_wait(void **state)
{
    volatile int cancel = 1;
    struct endpoint_options o = quick(NULL);
    struct endpoint_request r = request_of("ok");
    struct endpoint_counts counts = {.n_tries = 0};
    struct endpoint *e = NULL;

    (void)state;
    o.cancel = &cancel;
    assert_int_equal(endpoint_open(&o, &e, NULL), CWM_OK);
    assert_int_equal(endpoint_ask(e, &r, 1, NULL, NULL, &counts, NULL),
                     CWM_CANCELLED);
    assert_int_equal(counts.n_outcomes[ENDPOINT_NOT_ASKED], 1);
    endpoint_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way__has_its_own_outcome),
        cmocka_unit_test(hanging__is_a_timeout),
        cmocka_unit_test(nobody_there__is_unreachable),
        cmocka_unit_test(retry_after__is_heeded_by_all),
        cmocka_unit_test(many__are_under_way_at_once_and_all_are_told),
        cmocka_unit_test(rate__is_kept),
        cmocka_unit_test(requests__say_what_was_asked_for),
        cmocka_unit_test(answers__have_text_tokens_and_logprobs),
        cmocka_unit_test(answers__are_kept_and_not_asked_for_again),
        cmocka_unit_test(key__is_sent_but_never_kept_or_told),
        cmocka_unit_test(open__refuses_what_cannot_be),
        cmocka_unit_test(cancel__ends_the_wait),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
