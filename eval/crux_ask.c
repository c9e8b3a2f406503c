/* SPDX-License-Identifier: MIT */
/* crux_ask.c -- see crux_ask.h. */
#include "eval/crux_ask.h"

#include <string.h>

#include "eval/ask_trace.h"
#include "eval/prompts.h"
#include "tracer/source.h"

enum { MAX_PROGRAM_BYTES = 1 << 20, MAX_TRACE_BYTES = 64 << 20 };

#define END_MARK "[END]"

/* ---- prompts ---- */

/* {code}, {input} and {output} stand for the problem's. */
static void fill_in(const char *prompt, const struct problem *p,
                    struct cwm_buf *out)
{
    const struct problem_case *c = &p->cases[0];
    const struct ask_part parts[] = {{"{code}", &p->canonical},
                                     {"{input}", &c->input},
                                     {"{output}", &c->output}};

    ask_fill_in(prompt, parts, sizeof parts / sizeof parts[0], out);
}

/* The program with main(), which returns f(INPUT). */
static enum cwm_rc wrap(const struct problem *p, struct cwm_buf *out,
                        struct cwm_err *err)
{
    struct source *bare = NULL; /* owned */
    enum cwm_rc rc = source_new_text(p->canonical.data, p->canonical.len,
                                     "program", &bare, err);

    if (rc == CWM_OK) {
        rc = source_wrap_main(bare, "f", p->cases[0].input.data, out, err);
    }
    source_free(bare);
    return rc;
}

static enum cwm_rc trace_prompt(const struct problem *p, struct cwm_buf *out,
                                size_t *ret_context_at, size_t *ret_context_len,
                                struct cwm_err *err)
{
    struct cwm_buf program;
    enum cwm_rc rc;

    cwm_buf_init(&program, MAX_PROGRAM_BYTES);
    rc = wrap(p, &program, err);
    if (rc == CWM_OK) {
        rc = ask_trace_prompt(program.data, program.len, out, ret_context_at,
                              ret_context_len, err);
    }
    cwm_buf_release(&program);
    return rc;
}

enum cwm_rc crux_prompt(const struct problem *p, const struct crux_question *q,
                        struct cwm_buf *out, size_t *ret_context_at,
                        size_t *ret_context_len, struct cwm_err *err)
{
    *ret_context_at = *ret_context_len = 0;
    if (p->n_cases == 0 || !p->canonical.data) {
        return CWM_FAIL(err, CWM_USAGE, "'%.80s' has no code, input and output",
                        p->task_id.data);
    }
    if (q->style == CRUX_TRACE && q->mode == CRUXEVAL_INPUT) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot ask for an input by trace: a trace begins "
                        "with it");
    }
    if (q->style == CRUX_TRACE) {
        return trace_prompt(p, out, ret_context_at, ret_context_len, err);
    }
    fill_in(q->mode == CRUXEVAL_INPUT ? prompt_cruxeval_input
                                      : prompt_cruxeval_output,
            p, out);
    return cwm_buf_check(out, "a prompt", err);
}

/* ---- answers ---- */

/* From behind the last `mark`, if there is one. */
static void cut_before(const char **text, size_t *len, const char *mark)
{
    const char *at;

    while ((at = memmem(*text, *len, mark, strlen(mark))) != NULL) {
        at += strlen(mark);
        *len -= (size_t)(at - *text);
        *text = at;
    }
}

static bool direct_answer(const char *text, size_t len, struct cwm_buf *out)
{
    const char *end = memmem(text, len, END_MARK, strlen(END_MARK));

    len = end ? (size_t)(end - text) : len;
    cut_before(&text, &len, "[VALUE]"); /* chat models say it again */
    cut_before(&text, &len, "[CALL]");
    ask_take_fenced(&text, &len);
    ask_trim(&text, &len);
    cwm_buf_add(out, text, len);
    return len > 0;
}

/* The value of the last frame, when that leaves the entry. */
static enum cwm_rc traced_answer(const char *text, size_t len,
                                 struct cwm_buf *out, bool *ret_found,
                                 struct cwm_err *err)
{
    struct predicted p = {0};
    struct cwm_buf whole;
    enum cwm_rc rc;

    *ret_found = false;
    cwm_buf_init(&whole, MAX_TRACE_BYTES);
    rc = ask_trace_read(text, len, &whole, &p, err);
    if (rc == CWM_OK && ask_trace_last(&p)) {
        const struct predicted_text *value = &ask_trace_last(&p)->arg;

        cwm_buf_add(out, value->text, value->len);
        *ret_found = value->len > 0;
        rc = cwm_buf_check(out, "an answer", err);
    }
    predicted_release(&p);
    cwm_buf_release(&whole);
    return rc;
}

enum cwm_rc crux_answer(enum crux_style style, const char *text, size_t len,
                        struct cwm_buf *out, bool *ret_found,
                        struct cwm_err *err)
{
    if (style == CRUX_TRACE) {
        return traced_answer(text, len, out, ret_found, err);
    }
    *ret_found = direct_answer(text, len, out);
    return cwm_buf_check(out, "an answer", err);
}

/* ---- asking ---- */

static enum cwm_rc prompt_of(const void *ctx, const struct problem *p,
                             struct cwm_buf *out, size_t *ret_context_at,
                             size_t *ret_context_len, struct cwm_err *err)
{
    return crux_prompt(p, ctx, out, ret_context_at, ret_context_len, err);
}

static enum cwm_rc answer_of(const void *ctx, const struct problem *p,
                             const char *text, size_t len, struct cwm_buf *out,
                             bool *ret_found, struct cwm_err *err)
{
    const struct crux_question *q = ctx;

    (void)p;
    return crux_answer(q->style, text, len, out, ret_found, err);
}

enum cwm_rc crux_ask(const struct problem_set *problems,
                     const struct ask_settings *settings,
                     const struct crux_question *question,
                     struct sample_set *ret_samples,
                     struct ask_counts *ret_counts, struct cwm_err *err)
{
    const struct ask_kind kind = {
        .prompt = prompt_of,
        .answer = answer_of,
        .stops = {question->style == CRUX_TRACE ? ASK_TRACE_STOP : END_MARK},
        .n_stops = 1};

    return ask_samples(problems, settings, &kind, question, ret_samples,
                       ret_counts, err);
}
