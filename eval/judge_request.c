/* SPDX-License-Identifier: MIT */
/* judge_request.c -- requests to the judge's worker, written and read. */
#include "eval/judge_request.h"

#include <string.h>

#include "cwm/base/alloc.h"

static const char magic[] = "CWMJDG5\n";

enum { MAGIC_BYTES = 8, N_TEXTS = 6 };

static void put_u64(struct cwm_buf *out, uint64_t value)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    cwm_buf_add(out, bytes, sizeof bytes);
}

static void put_text(struct cwm_buf *out, const char *data, size_t len)
{
    put_u64(out, len);
    cwm_buf_add(out, len ? data : "", len);
}

enum cwm_rc judge_request_write(const struct judge_request *request,
                                struct cwm_buf *out, struct cwm_err *err)
{
    const struct judge_text *texts[N_TEXTS] = {
        &request->opening, &request->program,   &request->prelude,
        &request->entry,   &request->reference, &request->setup};

    cwm_buf_clear(out);
    cwm_buf_add(out, magic, MAGIC_BYTES);
    put_u64(out, request->mode);
    put_u64(out, request->load_limit_us);
    put_u64(out, request->wall_factor);
    put_u64(out, request->tester_us);
    put_u64(out, request->watches_loops);
    put_u64(out, request->memory_bytes);
    put_u64(out, request->n_tests);
    for (size_t i = 0; i < N_TEXTS; i++) {
        put_text(out, texts[i]->data, texts[i]->len);
    }
    for (size_t i = 0; i < request->n_tests; i++) {
        put_u64(out, request->tests[i].limit_us);
        put_text(out, request->tests[i].text, request->tests[i].len);
    }
    return cwm_buf_check(out, "a request", err);
}

struct in {
    const uint8_t *at, *end;
    bool failed;
};

static uint64_t get_u64(struct in *in)
{
    uint64_t value = 0;

    if (in->failed || in->end - in->at < 8) {
        in->failed = true;
        return 0;
    }
    for (int i = 0; i < 8; i++) {
        value |= (uint64_t)in->at[i] << (8 * i);
    }
    in->at += 8;
    return value;
}

static const char *get_text(struct in *in, size_t *ret_len)
{
    uint64_t len = get_u64(in);
    const char *text = (const char *)in->at;

    *ret_len = 0;
    if (in->failed || len > (uint64_t)(in->end - in->at)) {
        in->failed = true;
        return "";
    }
    in->at += len;
    *ret_len = (size_t)len;
    return text;
}

enum cwm_rc judge_request_read(const uint8_t *data, size_t len,
                               struct judge_request *ret_request,
                               struct cwm_err *err)
{
    struct in in = {data, data + len, false};
    struct judge_request r = {.tests = NULL};
    struct judge_text *texts[N_TEXTS] = {&r.opening, &r.program,   &r.prelude,
                                         &r.entry,   &r.reference, &r.setup};

    if (len < MAGIC_BYTES || memcmp(data, magic, MAGIC_BYTES) != 0) {
        return CWM_FAIL(err, CWM_FORMAT, "a request without its magic");
    }
    in.at += MAGIC_BYTES;
    r.mode = get_u64(&in);
    r.load_limit_us = get_u64(&in);
    r.wall_factor = get_u64(&in);
    r.tester_us = get_u64(&in);
    r.watches_loops = get_u64(&in);
    r.memory_bytes = get_u64(&in);
    r.n_tests = (size_t)get_u64(&in);
    for (size_t i = 0; i < N_TEXTS; i++) {
        texts[i]->data = get_text(&in, &texts[i]->len);
    }
    /* A test takes 16 bytes at least. */
    if (in.failed || r.n_tests > (size_t)(in.end - in.at) / 16) {
        return CWM_FAIL(err, CWM_FORMAT, "a request that breaks off");
    }
    r.tests = cwm_calloc(r.n_tests + 1, sizeof *r.tests);
    if (!r.tests) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the tests");
    }
    for (size_t i = 0; i < r.n_tests; i++) {
        r.tests[i].limit_us = get_u64(&in);
        r.tests[i].text = get_text(&in, &r.tests[i].len);
    }
    if (in.failed) {
        cwm_free(r.tests);
        return CWM_FAIL(err, CWM_FORMAT, "a request that breaks off");
    }
    *ret_request = r;
    return CWM_OK;
}
