/* SPDX-License-Identifier: MIT */
/* cmd_eval_ask.c -- `cwm eval cruxeval --endpoint`: a model is asked. */
#include <stdlib.h>
#include <string.h>

#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_eval.h"

#define NAME "eval cruxeval"

typedef unsigned long long ull;

/* -1 to go on, else an exit code. */
static int parse_decimal(const char *option, const char *text, double most,
                         double *ret_value)
{
    char *end = NULL;

    *ret_value = strtod(text, &end);
    if (end == text || *end != '\0' ||
        !(*ret_value >= 0 && *ret_value <= most)) {
        return cli_usage(NAME, "%s must be from 0 to %g, not '%.40s'", option,
                         most, text);
    }
    return -1;
}

static int check_options(const struct eval_fields *f)
{
    if (f->results) {
        return cli_usage(NAME, "--results and --endpoint cannot both be "
                               "what is judged");
    }
    if (!f->problems) {
        return cli_usage(NAME, "--problems FILE is missing");
    }
    if (!f->model) {
        return cli_usage(NAME, "--model NAME is missing");
    }
    if (f->crux_mode == CRUXEVAL_AUTO) {
        return cli_usage(NAME, "--mode output or --mode input is missing");
    }
    return -1;
}

static int make_options(const struct eval_fields *f, struct crux_ask_options *o)
{
    int code = check_options(f);

    *o = (struct crux_ask_options){
        .endpoint = {.url = f->endpoint,
                     .key_env = f->key_env,
                     .store = f->answers,
                     .n_parallel = (unsigned)f->parallel,
                     .n_tries = (unsigned)f->tries,
                     .timeout_ms = (uint32_t)f->request_timeout_ms,
                     .requests_per_s = (double)f->requests_per_s,
                     .cancel = cli_catch_signals()},
        .model = f->model,
        .mode = (enum cruxeval_mode)f->crux_mode,
        .style = (enum crux_style)f->style,
        .is_chat = f->chat,
        .n = (uint32_t)f->n_answers,
        .max_tokens = (uint32_t)f->max_tokens,
        .has_seed = true,
        .seed = f->seed};
    if (code < 0) {
        code =
            parse_decimal("--temperature", f->temperature, 2, &o->temperature);
    }
    if (code < 0) {
        code = parse_decimal("--top-p", f->top_p, 1, &o->top_p);
    }
    return code;
}

int eval_ask_cruxeval(const struct eval_fields *f,
                      struct problem_set *ret_problems,
                      struct sample_set *ret_samples,
                      struct crux_ask_counts *ret_counts)
{
    struct crux_ask_options options;
    struct cwm_err err = {0};
    int code = make_options(f, &options);

    if (code >= 0) {
        return code;
    }
    if (problem_set_read(f->problems, ret_problems, &err) != CWM_OK) {
        return eval_fail("cruxeval", &err);
    }
    if (crux_ask(ret_problems, &options, ret_samples, ret_counts, &err) !=
        CWM_OK) {
        problem_set_release(ret_problems);
        return eval_fail("cruxeval", &err);
    }
    return -1;
}

void eval_put_asked(struct cwm_buf *out, const struct crux_ask_counts *c)
{
    const char *gap = "";

    cwm_buf_addf(out,
                 ", \"missing_answers\": %llu, \"no_answer\": %llu, "
                 "\"out_of_budget\": %llu, \"from_store\": %llu, "
                 "\"tries\": %llu, \"prompt_tokens\": %llu, "
                 "\"completion_tokens\": %llu, \"requests\": {",
                 (ull)c->n_missing, (ull)c->n_no_answer,
                 (ull)c->n_out_of_budget, (ull)c->endpoint.n_from_store,
                 (ull)c->endpoint.n_tries, (ull)c->endpoint.prompt_tokens,
                 (ull)c->endpoint.completion_tokens);
    for (int i = 0; i < ENDPOINT_N_OUTCOMES; i++) {
        if (c->endpoint.n_outcomes[i] > 0) {
            cwm_buf_addf(out, "%s\"%s\": %llu", gap,
                         endpoint_outcome_text((enum endpoint_outcome)i),
                         (ull)c->endpoint.n_outcomes[i]);
            gap = ", ";
        }
    }
    cwm_buf_addc(out, '}');
}

void eval_put_asked_lines(struct cwm_buf *out, const struct crux_ask_counts *c)
{
    cwm_buf_addf(out, "asked: %llu tries, %llu answers were kept before\n",
                 (ull)c->endpoint.n_tries, (ull)c->endpoint.n_from_store);
    for (int i = 0; i < ENDPOINT_N_OUTCOMES; i++) {
        if (c->endpoint.n_outcomes[i] > 0) {
            cwm_buf_addf(out, "  %-12s %llu\n",
                         endpoint_outcome_text((enum endpoint_outcome)i),
                         (ull)c->endpoint.n_outcomes[i]);
        }
    }
    if (c->n_no_answer > 0) {
        cwm_buf_addf(out, "  %-12s %llu answers, %llu of them out of budget\n",
                     "no answer", (ull)c->n_no_answer, (ull)c->n_out_of_budget);
    }
}
