/* SPDX-License-Identifier: MIT */
/* cmd_eval.c -- `cwm eval`: the options, and which verb it is. */
#include "cwm/cli/cmd_eval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/cli/cli.h"

enum { REDRAW_MS = 100, MAX_NAME_BYTES = 64 };

#define FIELD(field) offsetof(struct eval_fields, field)
#define RUNNING_AT   FIELD(run)

static const char *const uses[] = {
    "passk --problems FILE --samples FILE [--k 1,10,100] [options]",
    "bestk --problems FILE --samples FILE --tests FILE [--k 1,2,10] "
    "[--html PAGE] [options]",
    "cruxeval --problems FILE --results FILE [--compat] [options]",
    "cruxeval --problems FILE --endpoint URL --model NAME --mode output|input "
    "[--style direct|trace] [options]",
    NULL};

static const char *const examples[] = {
    "cwm eval passk --problems HumanEval.jsonl.gz --samples samples.jsonl",
    "cwm eval passk --problems mbpp.jsonl --canonical --store verdicts.db",
    "cwm eval bestk --problems p.jsonl --samples s.jsonl --tests t.jsonl",
    "cwm eval cruxeval --problems cruxeval.jsonl --results model_output.json",
    NULL};

/* As enum cruxeval_mode. */
static const char *const crux_modes[] = {"auto", "output", "input", NULL};

/* As enum crux_style. */
static const char *const crux_styles[] = {"direct", "trace", NULL};

static const struct opt options[] = {
    {.group = "What is judged",
     .name = "problems",
     .type = OPT_STRING,
     .offset = FIELD(problems),
     .value = "FILE",
     .help = "HumanEval, MBPP, CRUXEval, contest or LiveCodeBench problems "
             "(plain, .gz, .zst)"},
    {.name = "samples",
     .type = OPT_STRING,
     .offset = FIELD(samples),
     .value = "FILE",
     .help = "of passk: lines with task_id and completion or solution, or "
             "CodeT's with prompt and samples"},
    {.name = "against",
     .type = OPT_STRING,
     .offset = FIELD(against),
     .value = "FILE",
     .help = "of passk: another model's samples of the same problems: the "
             "difference, its interval, how likely chance is"},
    {.name = "canonical",
     .type = OPT_FLAG,
     .offset = FIELD(canonical),
     .help = "of passk: judge the problems' own solutions instead"},
    {.name = "results",
     .type = OPT_STRING,
     .offset = FIELD(results),
     .value = "FILE",
     .help = "of cruxeval: recorded generations (raw_generations); they are "
             "run again, the verdicts in the file are not looked at"},
    {.name = "mode",
     .type = OPT_ENUM,
     .offset = FIELD(crux_mode),
     .choices = crux_modes,
     .fallback = "auto",
     .help = "of cruxeval: what was predicted; auto takes it from what the "
             "generations look like"},
    {.name = "compat",
     .type = OPT_FLAG,
     .offset = FIELD(compat),
     .help = "score as the papers' harnesses do, which can be deceived"},
    {.group = "Scores",
     .name = "k",
     .type = OPT_STRING,
     .offset = FIELD(ks),
     .value = "K,...",
     .fallback = "1",
     .help = "pass@k for each of these"},
    {.name = "draws",
     .type = OPT_U64,
     .offset = FIELD(draws),
     .value = "N",
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .help = "draws of problems for the intervals"},
    {.name = "seed",
     .type = OPT_U64,
     .offset = FIELD(seed),
     .value = "N",
     .fallback = "0",
     .max = INT64_MAX,
     .help = "of the draws"},
    {.group = "Choosing among many (bestk)",
     .name = "tests",
     .type = OPT_STRING,
     .offset = FIELD(tests),
     .value = "FILE",
     .help = "generated tests: lines with task_id and test, or CodeT's with "
             "prompt and samples"},
    {.name = "tests-of-sample",
     .type = OPT_U64,
     .offset = FIELD(tests_of_sample),
     .value = "N",
     .fallback = "5",
     .max = 1000000,
     .help = "take the first so many tests of a sample of tests; 0: all"},
    {.name = "selectors",
     .type = OPT_STRING,
     .offset = FIELD(selectors),
     .value = "NAME,...",
     .fallback = "random,majority,tests,codet,cwm,oracle",
     .help = "what chooses: random, majority, majority-output, tests, codet, "
             "codet-product, codet-solutions, codet-tests, cwm, oracle"},
    {.name = "filter",
     .type = OPT_FLAG,
     .offset = FIELD(filter),
     .help = "leave out tests that tell nothing, for every selector (cwm "
             "never looks at them)"},
    {.name = "pools",
     .type = OPT_U64,
     .offset = FIELD(pools),
     .value = "N",
     .fallback = "200",
     .min = 1,
     .max = 100000,
     .help = "random orders of the candidates that best@k is the mean of, "
             "where it cannot be told exactly"},
    {.name = "tokens-per-s",
     .type = OPT_U64,
     .offset = FIELD(tokens_per_s),
     .value = "N",
     .fallback = "0",
     .max = 1000000000,
     .help = "tokens a second of what generates, for the time to a solution; "
             "0: not known"},
    {.name = "html",
     .type = OPT_STRING,
     .offset = FIELD(html),
     .value = "PAGE",
     .help = "write a page with plots, which needs nothing from elsewhere"},
    {.group = "A model behind an endpoint (cruxeval)",
     .name = "endpoint",
     .type = OPT_STRING,
     .offset = FIELD(endpoint),
     .value = "URL",
     .help = "ask the model here, by OpenAI's protocol, instead of reading "
             "--results: http://127.0.0.1:8080/v1"},
    {.name = "model",
     .type = OPT_STRING,
     .offset = FIELD(model),
     .value = "NAME",
     .help = "what the endpoint calls the model"},
    {.name = "style",
     .type = OPT_ENUM,
     .offset = FIELD(style),
     .choices = crux_styles,
     .fallback = "direct",
     .help = "direct: the question in words, with two examples; trace: the "
             "beginning of a trace, for code world models (outputs only)"},
    {.name = "chat",
     .type = OPT_FLAG,
     .offset = FIELD(chat),
     .help = "ask /chat/completions, not /completions"},
    {.name = "n",
     .type = OPT_U64,
     .offset = FIELD(n_answers),
     .value = "N",
     .fallback = "1",
     .min = 1,
     .max = 1000,
     .help = "answers to each question"},
    {.name = "temperature",
     .type = OPT_STRING,
     .offset = FIELD(temperature),
     .value = "T",
     .fallback = "0.2",
     .help = "0 to 2"},
    {.name = "top-p",
     .type = OPT_STRING,
     .offset = FIELD(top_p),
     .value = "P",
     .fallback = "0.95",
     .help = "0 to 1"},
    {.name = "max-tokens",
     .type = OPT_U64,
     .offset = FIELD(max_tokens),
     .value = "N",
     .fallback = "4096",
     .max = 1000000,
     .help = "of an answer; 0: as the server will"},
    {.name = "key-env",
     .type = OPT_STRING,
     .offset = FIELD(key_env),
     .value = "NAME",
     .help = "the environment variable that holds the endpoint's key; it is "
             "never kept or shown"},
    {.name = "answers",
     .type = OPT_STRING,
     .offset = FIELD(answers),
     .value = "FILE",
     .help = "keep every answer in this file, and ask nothing twice"},
    {.name = "parallel",
     .type = OPT_U64,
     .offset = FIELD(parallel),
     .value = "N",
     .fallback = "8",
     .min = 1,
     .max = 1024,
     .help = "questions under way at once"},
    {.name = "requests-per-s",
     .type = OPT_U64,
     .offset = FIELD(requests_per_s),
     .value = "N",
     .fallback = "0",
     .max = 100000,
     .help = "no more than that; 0: as many as can be"},
    {.name = "tries",
     .type = OPT_U64,
     .offset = FIELD(tries),
     .value = "N",
     .fallback = "6",
     .min = 1,
     .max = 100,
     .help = "of a question that fails for a reason that may pass"},
    {.name = "request-timeout-ms",
     .type = OPT_U64,
     .offset = FIELD(request_timeout_ms),
     .value = "N",
     .fallback = "600000",
     .min = 1,
     .max = 86400000,
     .help = "of one try"},
    {.group = "Output",
     .name = "json",
     .type = OPT_FLAG,
     .offset = FIELD(json),
     .help = "results as one JSON object on standard output"},
    {.name = "each",
     .type = OPT_FLAG,
     .offset = FIELD(each),
     .help = "a line for every sample, with its verdict, before that"},
    {.group = "The runs",
     .name = "store",
     .type = OPT_STRING,
     .offset = FIELD(store),
     .value = "FILE",
     .help = "keep every verdict in this file, and run nothing twice"},
    {.name = "workers",
     .type = OPT_U64,
     .offset = FIELD(workers),
     .value = "N",
     .fallback = "0",
     .max = 256,
     .help = "programs that are run at once; 0 is one for each core"},
    {.name = "timeout-ms",
     .type = OPT_U64,
     .offset = FIELD(timeout_ms),
     .value = "N",
     .fallback = "3000",
     .min = 1,
     .max = 3600000,
     .help = "CPU time of a program with all its task's own tests"},
    {.name = "test-timeout-ms",
     .type = OPT_U64,
     .offset = FIELD(test_timeout_ms),
     .value = "N",
     .fallback = "100",
     .min = 1,
     .max = 3600000,
     .help = "CPU time of one generated test"},
    {.name = "memory-mb",
     .type = OPT_U64,
     .offset = FIELD(memory_mb),
     .value = "N",
     .fallback = "1024",
     .min = 1,
     .max = 1048576,
     .help = "memory that a program may add to the interpreter's, in MiB"},
    {RUNNING_PYTHON},
    {RUNNING_WALLS},
};

static const struct opt_command command = {
    .name = "eval",
    .summary = "judge models and selections: pass@k, best@k, CRUXEval",
    .uses = uses,
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .examples = examples,
    .notes = "A candidate passes when the tests ran to their end and held; "
             "they run in a process\nthat the candidate's code is not in.\n\n"
             "Exit status:\n"
             "  0  done, whatever the score\n"
             "  2  the request cannot be carried out as given\n"
             "  3  our own failure\n",
    .max_positionals = 1,
};

/* ---- what the verbs share ---- */

static void full_name(const char *verb, char name[MAX_NAME_BYTES])
{
    snprintf(name, MAX_NAME_BYTES, "eval %s", verb);
}

int eval_fail(const char *verb, const struct cwm_err *err)
{
    char name[MAX_NAME_BYTES];

    full_name(verb, name);
    return cli_fail(name, err);
}

int eval_parse_ks(const char *verb, const char *text, uint64_t ks[EVAL_MAX_KS],
                  size_t *ret_n)
{
    const struct opt one = {.min = 1, .max = 1000000};
    struct cwm_err err = {0};

    *ret_n = 0;
    while (*ret_n < EVAL_MAX_KS) {
        size_t len = strcspn(text, ",");
        char word[32] = "";

        if (len < sizeof word) {
            memcpy(word, text, len);
        }
        if (opt_number(&one, "--k", word, &ks[*ret_n], &err) != CWM_OK) {
            return eval_fail(verb, &err);
        }
        ++*ret_n;
        if (text[len] == '\0') {
            return -1;
        }
        text += len + 1;
    }
    (void)CWM_FAIL(&err, CWM_USAGE, "--k takes at most %d numbers",
                   EVAL_MAX_KS);
    return eval_fail(verb, &err);
}

static void show(void *ctx, uint64_t n_done, uint64_t n_all)
{
    struct progress *p = ctx;
    double now = cli_now();

    if (!p->enabled || (now - p->last) * 1000 < REDRAW_MS) {
        return;
    }
    fprintf(stderr, "\r\033[K%llu/%llu programs", (unsigned long long)n_done,
            (unsigned long long)n_all);
    fflush(stderr);
    p->drawn = true;
    p->last = now;
}

int eval_execute_options(const struct eval_fields *f, struct progress *progress,
                         struct execute_options *ret_options)
{
    struct tracer_options tracer = {.python = NULL};
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
    int code = running_tracer("eval", &f->run, &tracer);

    if (code >= 0) {
        return code;
    }
    *ret_options =
        (struct execute_options){.n_workers = f->workers ? (unsigned)f->workers
                                              : n_cores > 0 ? (unsigned)n_cores
                                                            : 1,
                                 .compat = f->compat,
                                 .with_own = true,
                                 .own_limit_ms = (uint32_t)f->timeout_ms,
                                 .cell_limit_ms = (uint32_t)f->test_timeout_ms,
                                 .memory_mb = (uint32_t)f->memory_mb,
                                 .python = tracer.python,
                                 .allow_missing = tracer.allow_missing,
                                 .store = f->store,
                                 .cancel = cli_catch_signals(),
                                 .progress = show,
                                 .progress_ctx = progress};
    return -1;
}

static void tell(const struct problem_set *p, const struct sample_set *s)
{
    if (p->n_bad_lines > 0) {
        cli_say("%llu records are no problems, the first one at line %llu",
                (unsigned long long)p->n_bad_lines,
                (unsigned long long)p->first_bad_line);
    }
    if (p->n_repeated > 0) {
        cli_say("%llu problems have the id of an earlier one",
                (unsigned long long)p->n_repeated);
    }
    if (s->n_missing > 0) {
        cli_say("%llu of %zu problems have no sample: they count as failed",
                (unsigned long long)s->n_missing, p->n);
    }
    if (s->n_wrong_id > 0) {
        cli_say("%llu samples are of no problem, the first one '%s' at line "
                "%llu",
                (unsigned long long)s->n_wrong_id, s->first_wrong_id,
                (unsigned long long)s->first_wrong_line);
    }
    if (s->n_bad_lines > 0) {
        cli_say("%llu lines are no samples",
                (unsigned long long)s->n_bad_lines);
    }
}

int eval_open(const struct eval_fields *f, const char *verb,
              struct problem_set *ret_problems, struct sample_set *ret_samples)
{
    const char *samples = f->results ? f->results : f->samples;
    struct cwm_err err = {0};
    enum cwm_rc rc;
    char name[MAX_NAME_BYTES];

    full_name(verb, name);
    if (!f->problems) {
        return cli_usage(name, "--problems FILE is missing");
    }
    if (!samples && !f->canonical) {
        return cli_usage(name, "--%s FILE is missing",
                         strcmp(verb, "cruxeval") == 0 ? "results" : "samples");
    }
    rc = problem_set_read(f->problems, ret_problems, &err);
    if (rc != CWM_OK) {
        return cli_fail(name, &err);
    }
    rc = f->canonical
             ? sample_set_canonical(ret_problems, ret_samples, &err)
             : sample_set_read(samples, ret_problems, ret_samples, &err);
    if (rc != CWM_OK) {
        problem_set_release(ret_problems);
        return cli_fail(name, &err);
    }
    tell(ret_problems, ret_samples);
    return -1;
}

void eval_put_counts(const struct problem_set *problems,
                     const struct sample_set *samples, struct cwm_buf *out)
{
    cwm_buf_addf(out,
                 ", \"problems\": %zu, \"samples\": %zu, \"missing\": %llu, "
                 "\"wrong_id\": %llu, \"bad_lines\": %llu, \"empty\": %llu, "
                 "\"bad_problems\": %llu, \"repeated_problems\": %llu",
                 problems->n, samples->n,
                 (unsigned long long)samples->n_missing,
                 (unsigned long long)samples->n_wrong_id,
                 (unsigned long long)samples->n_bad_lines,
                 (unsigned long long)samples->n_empty,
                 (unsigned long long)problems->n_bad_lines,
                 (unsigned long long)problems->n_repeated);
}

void eval_put_percent(struct cwm_buf *out, double share)
{
    if (isnan(share)) {
        cwm_buf_adds(out, "null");
    } else {
        cwm_buf_addf(out, "%.4f", 100 * share);
    }
}

void eval_put_score(struct cwm_buf *out, uint64_t k,
                    const struct passk_interval *score)
{
    cwm_buf_addf(out, ", \"pass@%llu\": ", (unsigned long long)k);
    eval_put_percent(out, score->mean);
    cwm_buf_addf(out, ", \"interval@%llu\": ", (unsigned long long)k);
    if (isnan(score->mean)) {
        cwm_buf_adds(out, "null");
        return;
    }
    cwm_buf_addc(out, '[');
    eval_put_percent(out, score->low);
    cwm_buf_adds(out, ", ");
    eval_put_percent(out, score->high);
    cwm_buf_addc(out, ']');
}

void eval_put_score_line(struct cwm_buf *out, uint64_t k,
                         const struct passk_interval *score)
{
    if (isnan(score->mean)) {
        cwm_buf_addf(out,
                     "pass@%-4llu       -  (a problem has fewer samples)\n",
                     (unsigned long long)k);
    } else {
        cwm_buf_addf(out, "pass@%-4llu %6.2f %%  [%.2f, %.2f]\n",
                     (unsigned long long)k, 100 * score->mean, 100 * score->low,
                     100 * score->high);
    }
}

void eval_put_outcomes(struct cwm_buf *out, const uint64_t *outcomes)
{
    const char *gap = "";

    cwm_buf_adds(out, ", \"outcomes\": {");
    for (int i = 0; i < MATRIX_N_CELLS; i++) {
        if (outcomes[i] > 0) {
            cwm_buf_addf(out, "%s\"%s\": %llu", gap,
                         matrix_cell_text((enum matrix_cell)i),
                         (unsigned long long)outcomes[i]);
            gap = ", ";
        }
    }
    cwm_buf_addc(out, '}');
}

void eval_put_outcome_lines(struct cwm_buf *out, const uint64_t *outcomes)
{
    for (int i = 0; i < MATRIX_N_CELLS; i++) {
        if (outcomes[i] > 0) {
            cwm_buf_addf(out, "%-12s %llu\n",
                         matrix_cell_text((enum matrix_cell)i),
                         (unsigned long long)outcomes[i]);
        }
    }
}

void eval_put_runs(struct cwm_buf *out, const struct execute_counts *counts)
{
    cwm_buf_addf(out,
                 ", \"programs\": %llu, \"run\": %llu, \"run_again\": %llu, "
                 "\"cpu_seconds\": %.3f, \"python\": \"%s\"",
                 (unsigned long long)counts->n_programs,
                 (unsigned long long)counts->n_run,
                 (unsigned long long)counts->n_again,
                 (double)counts->cpu_us / 1e6, counts->python);
}

/* ---- verbs ---- */

static const struct {
    const char *name;
    int (*run)(const struct eval_fields *f);
} verbs[] = {
    {"passk", eval_passk},
    {"bestk", eval_bestk},
    {"cruxeval", eval_cruxeval},
};

enum { N_VERBS = sizeof verbs / sizeof verbs[0] };

static int no_such_verb(const char *word)
{
    const char *names[N_VERBS];
    const char *near;

    for (size_t i = 0; i < N_VERBS; i++) {
        names[i] = verbs[i].name;
    }
    near = opt_nearest(word, names, N_VERBS);
    if (near) {
        return cli_usage("eval", "there is no verb '%.60s'; did you mean '%s'?",
                         word, near);
    }
    return cli_usage("eval",
                     "there is no verb '%.60s'\n'cwm help eval' lists "
                     "them",
                     word);
}

static int run_verb(const struct eval_fields *f, const struct opt_rest *rest)
{
    if (rest->n == 0) {
        return cli_usage("eval", "say what to judge\n'cwm help eval' lists "
                                 "what there is");
    }
    for (size_t i = 0; i < N_VERBS; i++) {
        if (strcmp(rest->values[0], verbs[i].name) == 0) {
            return verbs[i].run(f);
        }
    }
    return no_such_verb(rest->values[0]);
}

static int run(int argc, char **argv)
{
    struct eval_fields fields = {.problems = NULL};
    struct opt_rest rest = {.n = 0};
    int code = cli_parse(&command, argc, argv, &fields, &rest);

    if (code < 0) {
        code = run_verb(&fields, &rest);
    }
    cwm_free(rest.values);
    return code;
}

const struct cli_command cli_eval = {&command, run};
