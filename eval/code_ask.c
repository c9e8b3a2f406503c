/* SPDX-License-Identifier: MIT */
/* code_ask.c -- see code_ask.h. */
#include "eval/code_ask.h"

#include <string.h>

#include "eval/prompts.h"

/* Of a task's tests a prompt shows as many as MBPP's own prompt does. */
enum { N_SHOWN_TESTS = 3, MAX_TESTS_BYTES = 1 << 20 };

/* The first asserts that begin a line. */
static void take_tests(const struct problem *p, struct cwm_buf *out)
{
    static const char word[] = "assert ";
    const char *at = p->test.data ? p->test.data : "";

    for (int n = 0; *at && n < N_SHOWN_TESTS;) {
        size_t len = strcspn(at, "\n");

        if (strncmp(at, word, sizeof word - 1) == 0) {
            cwm_buf_add(out, at, len);
            cwm_buf_addc(out, '\n');
            n++;
        }
        at += len + (at[len] == '\n');
    }
}

enum cwm_rc code_prompt(const struct problem *p, bool is_chat,
                        struct cwm_buf *out, struct cwm_err *err)
{
    bool continues = p->prompt.data && p->prompt.len > 0;
    const struct problem_text *task = continues ? &p->prompt : &p->description;
    struct problem_text tests;
    struct cwm_buf shown;
    const struct ask_part parts[] = {{"{task}", task}, {"{tests}", &tests}};

    if (!task->data || task->len == 0) {
        return CWM_FAIL(err, CWM_USAGE, "'%.80s' does not say what its task is",
                        p->task_id.data);
    }
    if (continues && !is_chat) {
        cwm_buf_add(out, task->data, task->len);
        return cwm_buf_check(out, "a prompt", err);
    }
    cwm_buf_init(&shown, MAX_TESTS_BYTES);
    if (p->kind == PROBLEM_MBPP) {
        take_tests(p, &shown);
    }
    tests = (struct problem_text){shown.data, shown.len};
    ask_fill_in(is_chat ? prompt_code_chat : prompt_code_text, parts, 2, out);
    cwm_buf_release(&shown);
    return cwm_buf_check(out, "a prompt", err);
}

enum cwm_rc code_answer(bool is_chat, const char *text, size_t len,
                        struct cwm_buf *out, bool *ret_found,
                        struct cwm_err *err)
{
    const char *left = text;
    size_t n_left = len;

    if (is_chat) {
        ask_take_fenced(&text, &len);
        left = text;
        n_left = len;
    }
    ask_trim(&left, &n_left);
    *ret_found = n_left > 0;
    cwm_buf_add(out, text, len); /* indentation is part of it */
    return cwm_buf_check(out, "an answer", err);
}

/* ---- asking ---- */

static enum cwm_rc prompt_of(const void *ctx, const struct problem *p,
                             struct cwm_buf *out, size_t *ret_context_at,
                             size_t *ret_context_len, struct cwm_err *err)
{
    const struct ask_settings *settings = ctx;

    *ret_context_at = *ret_context_len = 0;
    return code_prompt(p, settings->is_chat, out, err);
}

static enum cwm_rc answer_of(const void *ctx, const struct problem *p,
                             const char *text, size_t len, struct cwm_buf *out,
                             bool *ret_found, struct cwm_err *err)
{
    const struct ask_settings *settings = ctx;

    (void)p;
    return code_answer(settings->is_chat, text, len, out, ret_found, err);
}

enum cwm_rc code_ask(const struct problem_set *problems,
                     const struct ask_settings *settings,
                     struct sample_set *ret_samples,
                     struct ask_counts *ret_counts, struct cwm_err *err)
{
    /* What stands at the margin behind a function ends it. */
    static const struct ask_kind continued = {
        .prompt = prompt_of,
        .answer = answer_of,
        .stops = {"\ndef ", "\nclass ", "\nif __name__", "\nprint("},
        .n_stops = 4};
    static const struct ask_kind whole = {.prompt = prompt_of,
                                          .answer = answer_of,
                                          .stops = {"\n\"\"\"", "\nassert "},
                                          .n_stops = 2,
                                          .is_whole = true};
    static const struct ask_kind chat = {
        .prompt = prompt_of, .answer = answer_of, .is_whole = true};
    const struct ask_kind *kind = settings->is_chat ? &chat
                                  : problems->kind == PROBLEM_HUMANEVAL
                                      ? &continued
                                      : &whole;

    return ask_samples(problems, settings, kind, settings, ret_samples,
                       ret_counts, err);
}
