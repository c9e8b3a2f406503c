/* SPDX-License-Identifier: MIT */
/* crux_ask.c -- see crux_ask.h. */
#include "eval/crux_ask.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/predicted.h"
#include "eval/prompts.h"
#include "tracer/source.h"

enum { MAX_PROMPT_BYTES = 1 << 20, MAX_ANSWER_BYTES = 4 << 20 };

#define CALL_FRAME "<|call_sep|>{}<|action_sep|>def main():\n<|frame_sep|>"
#define END_MARK   "[END]"

/* ---- prompts ---- */

/* {code}, {input} and {output} stand for the problem's. */
static void fill_in(const char *prompt, const struct problem *p,
                    const struct problem_case *c, struct cwm_buf *out)
{
    const struct {
        const char *name;
        const struct problem_text *text;
    } parts[] = {{"{code}", &p->canonical},
                 {"{input}", &c->input},
                 {"{output}", &c->output}};

    while (*prompt) {
        size_t i = 0;

        while (i < 3 &&
               strncmp(prompt, parts[i].name, strlen(parts[i].name)) != 0) {
            i++;
        }
        if (i < 3) {
            cwm_buf_add(out, parts[i].text->data, parts[i].text->len);
            prompt += strlen(parts[i].name);
        } else {
            cwm_buf_addc(out, *prompt++);
        }
    }
}

/* The context of main(), which returns f(INPUT). */
static enum cwm_rc add_context(const struct problem *p,
                               const struct problem_case *c,
                               struct cwm_buf *out, struct cwm_err *err)
{
    struct source *bare = NULL;    /* owned */
    struct source *wrapped = NULL; /* owned */
    struct cwm_buf text;
    size_t n = 0;
    int def = -1;
    enum cwm_rc rc;

    cwm_buf_init(&text, MAX_PROMPT_BYTES);
    rc = source_new_text(p->canonical.data, p->canonical.len, "program", &bare,
                         err);
    if (rc == CWM_OK) {
        rc = source_wrap_main(bare, "f", c->input.data, &text, err);
    }
    if (rc == CWM_OK) {
        rc = source_new_text(text.data, text.len, "program", &wrapped, err);
    }
    if (rc == CWM_OK) {
        rc = source_entry(wrapped, "main", &def, err);
    }
    if (rc == CWM_OK) {
        rc = source_context(wrapped, source_defs(wrapped, &n)[def].def_line,
                            out, err);
    }
    source_free(bare);
    source_free(wrapped);
    cwm_buf_release(&text);
    return rc;
}

enum cwm_rc crux_prompt(const struct problem *p, enum cruxeval_mode mode,
                        enum crux_style style, struct cwm_buf *out,
                        struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    if (p->n_cases == 0 || !p->canonical.data) {
        return CWM_FAIL(err, CWM_USAGE, "'%.80s' has no code, input and output",
                        p->task_id.data);
    }
    if (style == CRUX_TRACE && mode == CRUXEVAL_INPUT) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot ask for an input by trace: a trace begins "
                        "with it");
    }
    if (style == CRUX_TRACE) {
        cwm_buf_adds(out, "<|begin_of_text|><|trace_context_start|>");
        rc = add_context(p, &p->cases[0], out, err);
        cwm_buf_adds(out, "<|frame_sep|>" CALL_FRAME);
    } else {
        fill_in(mode == CRUXEVAL_INPUT ? prompt_cruxeval_input
                                       : prompt_cruxeval_output,
                p, &p->cases[0], out);
    }
    return rc == CWM_OK ? cwm_buf_check(out, "a prompt", err) : rc;
}

/* ---- answers ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void trim(const char **text, size_t *len)
{
    while (*len > 0 && is_space((*text)[*len - 1])) {
        --*len;
    }
    while (*len > 0 && is_space(**text)) {
        ++*text;
        --*len;
    }
}

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

/* What is within a fence of code is taken, whatever it says it is. */
static void take_fenced(const char **text, size_t *len)
{
    const char *at = memmem(*text, *len, "```", 3);
    const char *line_end;

    if (!at) {
        return;
    }
    *len -= (size_t)(at + 3 - *text);
    *text = at + 3;
    line_end = memchr(*text, '\n', *len);
    if (line_end) {
        *len -= (size_t)(line_end + 1 - *text);
        *text = line_end + 1;
    }
    at = memmem(*text, *len, "```", 3);
    *len = at ? (size_t)(at - *text) : *len;
}

static bool direct_answer(const char *text, size_t len, struct cwm_buf *out)
{
    const char *end = memmem(text, len, END_MARK, strlen(END_MARK));

    len = end ? (size_t)(end - text) : len;
    cut_before(&text, &len, "[VALUE]"); /* chat models say it again */
    cut_before(&text, &len, "[CALL]");
    take_fenced(&text, &len);
    trim(&text, &len);
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
    cwm_buf_init(&whole, MAX_ANSWER_BYTES);
    cwm_buf_adds(&whole, CALL_FRAME);
    cwm_buf_add(&whole, text, len);
    rc = cwm_buf_check(&whole, "a predicted trace", err);
    if (rc == CWM_OK) {
        rc = predicted_parse(whole.data, whole.len, NULL, 0, &p, err);
    }
    if (rc == CWM_OK && p.n_frames > 0 && predicted_open_scopes(&p) <= 0) {
        const struct predicted_frame *last = &p.frames[p.n_frames - 1];

        if (last->event == TRACE_RETURN && last->arg.text) {
            cwm_buf_add(out, last->arg.text, last->arg.len);
            *ret_found = last->arg.len > 0;
        }
    }
    predicted_release(&p);
    cwm_buf_release(&whole);
    return rc;
}

enum cwm_rc crux_answer(const struct problem *p, enum crux_style style,
                        const char *text, size_t len, struct cwm_buf *out,
                        bool *ret_found, struct cwm_err *err)
{
    (void)p;
    if (style == CRUX_TRACE) {
        return traced_answer(text, len, out, ret_found, err);
    }
    *ret_found = direct_answer(text, len, out);
    return cwm_buf_check(out, "an answer", err);
}

/* ---- asking ---- */

struct asked {
    const struct problem_set *problems;
    const struct crux_ask_options *options;
    struct sample_set *samples;
    struct crux_ask_counts *counts;
};

static enum cwm_rc put_sample(struct asked *a, size_t task, size_t i,
                              const struct endpoint_choice *choice,
                              struct cwm_err *err)
{
    struct sample *s = &a->samples->list[task * a->options->n + i];
    struct cwm_buf answer;
    bool found = false;
    enum cwm_rc rc;

    cwm_buf_init(&answer, MAX_ANSWER_BYTES);
    rc = crux_answer(&a->problems->list[task], a->options->style, choice->text,
                     choice->len, &answer, &found, err);
    if (rc == CWM_OK && found) {
        cwm_free(s->text.data);
        s->text.data = cwm_strndup(answer.data, answer.len);
        s->text.len = answer.len;
        if (!s->text.data) {
            rc = CWM_FAIL(err, CWM_NOMEM, "could not hold an answer");
        }
        a->samples->n_empty--;
    } else {
        a->counts->n_no_answer++;
        a->counts->n_out_of_budget += !choice->is_whole;
    }
    s->n_tokens = choice->n_tokens;
    cwm_buf_release(&answer);
    return rc;
}

static enum cwm_rc on_answer(void *ctx, size_t task,
                             const struct endpoint_answer *answer,
                             struct cwm_err *err)
{
    struct asked *a = ctx;
    size_t n =
        answer->n_choices < a->options->n ? answer->n_choices : a->options->n;
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < n && rc == CWM_OK; i++) {
        rc = put_sample(a, task, i, &answer->choices[i], err);
    }
    a->counts->n_missing += a->options->n - n;
    return rc;
}

/* All samples, empty as yet. */
static enum cwm_rc make_samples(const struct problem_set *problems, uint32_t n,
                                struct sample_set *samples, struct cwm_err *err)
{
    samples->list = cwm_calloc(problems->n * n, sizeof *samples->list);
    samples->n_of_task = cwm_calloc(problems->n, sizeof *samples->n_of_task);
    samples->n_tasks = problems->n;
    for (size_t i = 0;
         samples->list && samples->n_of_task && i < problems->n * n; i++) {
        struct sample *s = &samples->list[i];

        *s = (struct sample){.task = i / n, .line = i + 1};
        s->text.data = cwm_strdup("");
        if (!s->text.data) {
            break;
        }
        samples->n_of_task[i / n]++;
        samples->n++;
        samples->n_empty++;
    }
    return samples->n == problems->n * n && samples->n_of_task
               ? CWM_OK
               : CWM_FAIL(err, CWM_NOMEM, "could not hold %zu samples",
                          problems->n * n);
}

static enum cwm_rc make_requests(const struct asked *a, struct cwm_buf *prompts,
                                 struct endpoint_request *requests,
                                 struct cwm_err *err)
{
    const struct crux_ask_options *o = a->options;
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < a->problems->n && rc == CWM_OK; i++) {
        rc = crux_prompt(&a->problems->list[i], o->mode, o->style, &prompts[i],
                         err);
        requests[i] = (struct endpoint_request){
            .model = o->model,
            .prompt = prompts[i].data,
            .prompt_len = prompts[i].len,
            .is_chat = o->is_chat,
            .n = o->n,
            .max_tokens = o->max_tokens,
            .temperature = o->temperature,
            .top_p = o->top_p,
            .has_seed = o->has_seed,
            .seed = o->seed,
            .stops = {o->style == CRUX_TRACE ? "<|end_of_text|>" : END_MARK},
            .n_stops = 1};
    }
    return rc;
}

static enum cwm_rc ask_all(struct asked *a, struct cwm_buf *prompts,
                           struct endpoint_request *requests,
                           struct cwm_err *err)
{
    struct endpoint *e = NULL; /* owned */
    enum cwm_rc rc = make_requests(a, prompts, requests, err);

    if (rc == CWM_OK) {
        rc = endpoint_open(&a->options->endpoint, &e, err);
    }
    if (rc == CWM_OK) {
        rc = endpoint_ask(e, requests, a->problems->n, on_answer, a,
                          &a->counts->endpoint, err);
    }
    endpoint_close(e);
    return rc;
}

enum cwm_rc crux_ask(const struct problem_set *problems,
                     const struct crux_ask_options *options,
                     struct sample_set *ret_samples,
                     struct crux_ask_counts *ret_counts, struct cwm_err *err)
{
    struct sample_set samples = {.n = 0};
    struct crux_ask_counts counts = {.n_missing = 0};
    struct asked a = {problems, options, &samples, &counts};
    struct cwm_buf *prompts =
        cwm_calloc(problems->n, sizeof *prompts); /* owned */
    struct endpoint_request *requests =
        cwm_calloc(problems->n, sizeof *requests); /* owned */
    enum cwm_rc rc = prompts && requests
                         ? CWM_OK
                         : CWM_FAIL(err, CWM_NOMEM, "could not hold prompts");

    for (size_t i = 0; prompts && i < problems->n; i++) {
        cwm_buf_init(&prompts[i], MAX_PROMPT_BYTES);
    }
    if (rc == CWM_OK) {
        rc = make_samples(problems, options->n, &samples, err);
    }
    if (rc == CWM_OK) {
        rc = ask_all(&a, prompts, requests, err);
    }
    for (size_t i = 0; prompts && i < problems->n; i++) {
        cwm_buf_release(&prompts[i]);
    }
    cwm_free(prompts);
    cwm_free(requests);
    if (rc == CWM_OK) {
        *ret_samples = samples;
        *ret_counts = counts;
    } else {
        sample_set_release(&samples);
    }
    return rc;
}
