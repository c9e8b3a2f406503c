/* SPDX-License-Identifier: MIT */
/* endpoint_message.c -- requests written and answers read, as JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/json_in.h"
#include "cwm/base/utf8.h"
#include "eval/endpoint_internal.h"

enum { MAX_CHOICES = 65536, MAX_NAME_BYTES = 256, MAX_REASON_BYTES = 64 };

static const char *const outcome_texts[] = {
#define OUTCOME_TEXT(id, number, text) [number] = (text),
    ENDPOINT_OUTCOME_TABLE(OUTCOME_TEXT)
#undef OUTCOME_TEXT
};

const char *endpoint_outcome_text(enum endpoint_outcome outcome)
{
    return outcome_texts[outcome];
}

/* ---- requests ---- */

static void add_member(struct cwm_buf *out, const char *name)
{
    cwm_buf_addf(out, ",\"%s\":", name);
}

static void add_prompt(struct cwm_buf *out, const struct endpoint_request *r)
{
    if (!r->is_chat) {
        add_member(out, "prompt");
        cwm_buf_add_json(out, r->prompt, r->prompt_len);
        return;
    }
    add_member(out, "messages");
    cwm_buf_addc(out, '[');
    if (r->system) {
        cwm_buf_adds(out, "{\"role\":\"system\",\"content\":");
        cwm_buf_add_json(out, r->system, strlen(r->system));
        cwm_buf_adds(out, "},");
    }
    cwm_buf_adds(out, "{\"role\":\"user\",\"content\":");
    cwm_buf_add_json(out, r->prompt, r->prompt_len);
    cwm_buf_adds(out, "}]");
}

static void add_stops(struct cwm_buf *out, const struct endpoint_request *r)
{
    if (r->n_stops == 0) {
        return;
    }
    add_member(out, "stop");
    for (size_t i = 0; i < r->n_stops; i++) {
        cwm_buf_addc(out, i == 0 ? '[' : ',');
        cwm_buf_add_json(out, r->stops[i], strlen(r->stops[i]));
    }
    cwm_buf_addc(out, ']');
}

static void add_sampling(struct cwm_buf *out, const struct endpoint_request *r)
{
    if (r->n > 1) {
        add_member(out, "n");
        cwm_buf_addf(out, "%u", r->n);
    }
    if (r->max_tokens > 0) {
        add_member(out, "max_tokens");
        cwm_buf_addf(out, "%u", r->max_tokens);
    }
    if (r->temperature >= 0) {
        add_member(out, "temperature");
        cwm_buf_addf(out, "%.10g", r->temperature);
    }
    if (r->top_p >= 0) {
        add_member(out, "top_p");
        cwm_buf_addf(out, "%.10g", r->top_p);
    }
    add_stops(out, r);
    if (r->has_seed) {
        add_member(out, "seed");
        cwm_buf_addf(out, "%llu", (unsigned long long)r->seed);
    }
    if (r->logprobs) { /* a number for one kind, a flag for the other */
        add_member(out, "logprobs");
        cwm_buf_adds(out, r->is_chat ? "true" : "1");
    }
}

enum cwm_rc endpoint__write(const struct endpoint_request *r,
                            struct cwm_buf *out, struct cwm_err *err)
{
    if (!r->model || !r->model[0]) {
        return CWM_FAIL(err, CWM_USAGE, "a request needs the model's name");
    }
    if (cwm_utf8_valid_prefix(r->prompt, r->prompt_len) != r->prompt_len) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot send a prompt that is not UTF-8");
    }
    cwm_buf_adds(out, "{\"model\":");
    cwm_buf_add_json(out, r->model, strlen(r->model));
    add_prompt(out, r);
    add_sampling(out, r);
    cwm_buf_addc(out, '}');
    return cwm_buf_check(out, "a request", err);
}

/* ---- answers ---- */

struct reader {
    struct json_in in;
    struct cwm_buf name;             /* of a member; scratch */
    struct cwm_buf *texts;           /* borrowed */
    struct endpoint_choice *choices; /* owned until the end */
    size_t n_choices, capacity;
    uint64_t prompt_tokens, completion_tokens, cpu_us;
    enum cwm_rc rc;
};

/* The next member's name in r->name; false at the end of the object. */
static bool next_member(struct reader *r, bool *first)
{
    bool more = json_more(&r->in, '}', *first);

    *first = false;
    cwm_buf_clear(&r->name);
    return more && json_key(&r->in, &r->name);
}

static bool is_named(const struct reader *r, const char *name)
{
    return r->name.len == strlen(name) &&
           (r->name.len == 0 || memcmp(r->name.data, name, r->name.len) == 0);
}

/* A number, or NAN for anything else; passed over either way. */
static double read_number(struct reader *r)
{
    char sign = json_peek(&r->in);
    const char *text = r->in.text + r->in.at;
    double value = (double)NAN;

    if (sign == '-' || (sign >= '0' && sign <= '9')) {
        value = strtod(text, NULL);
    }
    json_skip(&r->in);
    return value;
}

static uint64_t read_count(struct reader *r)
{
    double value = read_number(r);

    return value >= 0 && value < 9e15 ? (uint64_t)value : 0;
}

/* Append a string and its NUL; where it begins.  Null counts as no text. */
static bool read_text(struct reader *r, struct endpoint_choice *choice,
                      size_t *offset)
{
    size_t at = r->texts->len;

    if (json_peek(&r->in) != '"') {
        json_skip(&r->in);
        return false;
    }
    if (!json_string(&r->in, r->texts) || cwm_buf_addc(r->texts, '\0')) {
        return false;
    }
    choice->len = r->texts->len - 1 - at;
    *offset = at;
    return true;
}

static void add_logprob(struct endpoint_choice *choice, double value)
{
    choice->n_tokens++;
    if (!isnan(value)) { /* the first token's may be null */
        choice->logprob =
            isnan(choice->logprob) ? value : choice->logprob + value;
    }
}

/* {"token": ..., "logprob": x, ...} of a chat. */
static void read_chat_token(struct reader *r, struct endpoint_choice *choice)
{
    bool first = true;

    if (json_peek(&r->in) != '{') {
        json_skip(&r->in);
        return;
    }
    json_open(&r->in, '{');
    while (next_member(r, &first)) {
        if (is_named(r, "logprob")) {
            add_logprob(choice, read_number(r));
        } else {
            json_skip(&r->in);
        }
    }
}

/* {"token_logprobs": [x, ...]} or {"content": [{"logprob": x}, ...]}. */
static void read_logprobs(struct reader *r, struct endpoint_choice *choice)
{
    bool first = true;

    if (json_peek(&r->in) != '{') {
        json_skip(&r->in);
        return;
    }
    json_open(&r->in, '{');
    while (next_member(r, &first)) {
        bool plain = is_named(r, "token_logprobs");

        if ((!plain && !is_named(r, "content")) || json_peek(&r->in) != '[') {
            json_skip(&r->in);
            continue;
        }
        json_open(&r->in, '[');
        for (bool none = true; json_more(&r->in, ']', none); none = false) {
            if (plain) {
                add_logprob(choice, read_number(r));
            } else {
                read_chat_token(r, choice);
            }
        }
    }
}

/* {"role": ..., "content": "..."} */
static bool read_content(struct reader *r, struct endpoint_choice *choice,
                         size_t *offset)
{
    bool first = true;
    bool found = false;

    if (json_peek(&r->in) != '{') {
        json_skip(&r->in);
        return false;
    }
    json_open(&r->in, '{');
    while (next_member(r, &first)) {
        if (is_named(r, "content")) {
            found = read_text(r, choice, offset) || found;
        } else {
            json_skip(&r->in);
        }
    }
    return found;
}

static void read_reason(struct reader *r, struct endpoint_choice *choice)
{
    struct cwm_buf reason;

    if (json_peek(&r->in) != '"') {
        json_skip(&r->in);
        return;
    }
    cwm_buf_init(&reason, MAX_REASON_BYTES);
    if (json_string(&r->in, &reason) && reason.data) {
        choice->is_whole = strcmp(reason.data, "length") != 0;
    }
    cwm_buf_release(&reason);
}

/* What a choice's text is called by while `texts` still grows. */
static void keep_offset(struct endpoint_choice *choice, size_t offset)
{
    choice->text = (const char *)(uintptr_t)offset;
}

static bool add_choice(struct reader *r, const struct endpoint_choice *choice)
{
    if (r->n_choices == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 4;
        struct endpoint_choice *more =
            capacity <= MAX_CHOICES
                ? cwm_realloc(r->choices, capacity, sizeof *more)
                : NULL;

        if (!more) {
            r->rc = CWM_NOMEM;
            return false;
        }
        r->choices = more;
        r->capacity = capacity;
    }
    r->choices[r->n_choices++] = *choice;
    return true;
}

static void read_choice(struct reader *r)
{
    struct endpoint_choice choice = {.is_whole = true, .logprob = (double)NAN};
    bool first = true;
    bool found = false;
    size_t offset = 0;

    if (json_peek(&r->in) != '{') {
        json_skip(&r->in);
        return;
    }
    json_open(&r->in, '{');
    while (next_member(r, &first)) {
        if (is_named(r, "text")) {
            found = read_text(r, &choice, &offset) || found;
        } else if (is_named(r, "message")) {
            found = read_content(r, &choice, &offset) || found;
        } else if (is_named(r, "finish_reason")) {
            read_reason(r, &choice);
        } else if (is_named(r, "logprobs")) {
            read_logprobs(r, &choice);
        } else if (is_named(r, "n_tokens")) {
            choice.n_tokens = read_count(r);
        } else if (is_named(r, "logprob")) {
            choice.logprob = read_number(r);
        } else {
            json_skip(&r->in);
        }
    }
    if (found && !r->in.failed) {
        keep_offset(&choice, offset);
        add_choice(r, &choice);
    }
}

static void read_choices(struct reader *r)
{
    if (json_peek(&r->in) != '[') {
        json_skip(&r->in);
        return;
    }
    json_open(&r->in, '[');
    for (bool first = true; r->rc == CWM_OK && json_more(&r->in, ']', first);
         first = false) {
        read_choice(r);
    }
}

static void read_usage(struct reader *r)
{
    bool first = true;

    if (json_peek(&r->in) != '{') {
        json_skip(&r->in);
        return;
    }
    json_open(&r->in, '{');
    while (next_member(r, &first)) {
        if (is_named(r, "prompt_tokens")) {
            r->prompt_tokens = read_count(r);
        } else if (is_named(r, "completion_tokens")) {
            r->completion_tokens = read_count(r);
        } else if (is_named(r, "cpu_us")) {
            r->cpu_us = read_count(r);
        } else {
            json_skip(&r->in);
        }
    }
}

/* Is it an object with choices in it, and nothing behind it? */
static bool read_answer(struct reader *r)
{
    bool first = true;
    bool has_choices = false;

    if (!json_open(&r->in, '{')) {
        return false;
    }
    while (r->rc == CWM_OK && next_member(r, &first)) {
        if (is_named(r, "choices")) {
            has_choices = json_peek(&r->in) == '[';
            read_choices(r);
        } else if (is_named(r, "usage")) {
            read_usage(r);
        } else {
            json_skip(&r->in);
        }
    }
    return has_choices && !r->in.failed && json_peek(&r->in) == '\0' &&
           r->in.at == r->in.len;
}

/* The texts stand still now. */
static void end_answer(struct reader *r, struct endpoint__message *m)
{
    for (size_t i = 0; i < r->n_choices; i++) {
        size_t offset = (uintptr_t)r->choices[i].text;

        r->choices[i].text = m->texts.data + offset;
        if (r->n_choices == 1 && r->choices[i].n_tokens == 0) {
            r->choices[i].n_tokens = r->completion_tokens;
        }
    }
    m->choices = r->choices;
    m->n_choices = r->n_choices;
    m->prompt_tokens = r->prompt_tokens;
    m->completion_tokens = r->completion_tokens;
    m->cpu_s = (double)r->cpu_us * 1e-6;
}

enum cwm_rc endpoint__read(const char *body, size_t len,
                           struct endpoint__message *ret_message,
                           enum endpoint_outcome *ret_outcome,
                           struct cwm_err *err)
{
    struct endpoint__message m = {.choices = NULL};
    struct reader r = {.in = {.text = body, .len = len}, .texts = &m.texts};
    bool is_answer;

    cwm_buf_init(&m.texts, 2 * len + 16); /* decoded texts are no longer */
    cwm_buf_init(&r.name, MAX_NAME_BYTES);
    is_answer = len > 0 && read_answer(&r);
    if (r.in.failed == CWM_NOMEM || r.rc != CWM_OK ||
        m.texts.failed == CWM_NOMEM) {
        cwm_buf_release(&r.name);
        cwm_free(r.choices);
        cwm_buf_release(&m.texts);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold an answer of %zu bytes",
                        len);
    }
    cwm_buf_release(&r.name);
    *ret_outcome = !is_answer         ? ENDPOINT_GARBAGE
                   : r.n_choices == 0 ? ENDPOINT_NO_CHOICE
                                      : ENDPOINT_ANSWERED;
    if (*ret_outcome != ENDPOINT_ANSWERED) {
        r.n_choices = 0;
    }
    end_answer(&r, &m);
    *ret_message = m;
    return CWM_OK;
}

void endpoint__message_release(struct endpoint__message *m)
{
    cwm_free(m->choices);
    cwm_buf_release(&m->texts);
    m->choices = NULL;
    m->n_choices = 0;
}
