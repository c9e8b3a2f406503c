/* SPDX-License-Identifier: MIT */
/*
 * cruxeval.c -- generations made programs with tests, and those judged.
 *
 * What is run is an ordinary problem (problem.h) of which a generation is a
 * sample: matrix, store and judge are the same as for all others.
 */
#include "eval/cruxeval.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/buf.h"
#include "eval/judge_request.h"
#include "eval/literal.h"
#include "eval/passk.h"
#include "eval/problem_internal.h"

#define MAX_TEXT_BYTES ((size_t)1 << 30)

struct making {
    const struct problem_set *problems; /* borrowed */
    const struct sample_set *samples;   /* borrowed */
    enum cruxeval_mode mode;
    bool compat;
    struct problem_set run_problems; /* owned; without an index */
    struct sample_set run_samples;   /* owned */
    struct cwm_buf text;
};

static enum cwm_rc no_memory(struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_NOMEM, "could not hold the generations");
}

/* ---- generations ---- */

/* Without white space round it. */
static struct judge_text trimmed(const struct problem_text *text)
{
    static const char white[] = " \t\r\n";
    struct judge_text t = {text->data, text->len};

    while (t.len > 0 && memchr(white, t.data[t.len - 1], sizeof white - 1)) {
        t.len--;
    }
    while (t.len > 0 && memchr(white, *t.data, sizeof white - 1)) {
        t.data++;
        t.len--;
    }
    return t;
}

/* The place of the bracket that closes one from before the text; `len`: there
 * is none. */
static size_t find_close(const char *text, size_t len)
{
    size_t depth = 0;
    size_t i = 0;

    while (i < len) {
        const char c = text[i];

        if (c == '\'' || c == '"') {
            i = literal_pass_string(text, len, i);
            continue;
        }
        if (c == '#') {
            const char *end = memchr(text + i, '\n', len - i);

            i = end ? (size_t)(end - text) : len;
            continue;
        }
        if (c == ')' || c == ']' || c == '}') {
            if (depth == 0) {
                return i;
            }
            depth--;
        }
        depth += c == '(' || c == '[' || c == '{';
        i++;
    }
    return len;
}

/* A call of f, and nothing behind it. */
static bool is_call(const struct judge_text *t)
{
    return t->len >= 3 && memcmp(t->data, "f(", 2) == 0 &&
           find_close(t->data + 2, t->len - 2) == t->len - 3;
}

static enum cruxeval_mode guess_mode(const struct sample_set *samples)
{
    size_t n_calls = 0;

    for (size_t i = 0; i < samples->n; i++) {
        struct judge_text t = trimmed(&samples->list[i].text);

        n_calls += is_call(&t);
    }
    return 2 * n_calls > samples->n ? CRUXEVAL_INPUT : CRUXEVAL_OUTPUT;
}

/* Does CRUXEval's scorer pass it over?  By its own two rules. */
static bool scorer_refuses(struct making *m, const struct problem *p,
                           const struct problem_text *g)
{
    if (m->mode == CRUXEVAL_INPUT) {
        return memmem(g->data, g->len, "f(", 2) == NULL;
    }
    cwm_buf_clear(&m->text);
    cwm_buf_addf(&m->text, "f(%s)", p->cases[0].input.data);
    return m->text.data &&
           memmem(g->data, g->len, m->text.data, m->text.len) != NULL;
}

/* The program that a generation becomes; false: it is refused. */
static bool write_program(struct making *m, const struct problem *p,
                          const struct problem_text *g)
{
    struct judge_text t = trimmed(g);

    if (m->compat) {
        if (scorer_refuses(m, p, g)) {
            return false;
        }
        cwm_buf_clear(&m->text);
        cwm_buf_adds(&m->text, p->canonical.data);
        cwm_buf_addf(&m->text, "\nassert %s == ", p->cases[0].output.data);
        cwm_buf_add(&m->text, g->data, g->len);
        return true;
    }
    cwm_buf_clear(&m->text);
    if (m->mode == CRUXEVAL_OUTPUT) {
        /* What closes our bracket goes on outside of it. */
        if (t.len == 0 || find_close(t.data, t.len) < t.len) {
            return false;
        }
        cwm_buf_adds(&m->text, "def prediction():\n"
                               "    return (lambda value: value)(\n");
        cwm_buf_add(&m->text, t.data, t.len);
    } else {
        if (!is_call(&t)) {
            return false;
        }
        cwm_buf_adds(&m->text, "def arguments():\n"
                               "    return (lambda *a, **k: (a, k))(\n");
        cwm_buf_add(&m->text, t.data + 2, t.len - 3);
    }
    cwm_buf_adds(&m->text, "\n)\n");
    return true;
}

/* ---- problems ---- */

static void write_test(struct making *m, const struct problem *p)
{
    cwm_buf_clear(&m->text);
    if (m->compat) {
        cwm_buf_adds(&m->text, "pass\n"); /* the program has the assert */
    } else if (m->mode == CRUXEVAL_OUTPUT) {
        cwm_buf_addf(&m->text, "assert prediction() == (%s)\n",
                     p->cases[0].output.data);
    } else {
        cwm_buf_adds(&m->text, "given = arguments()\n");
        cwm_buf_adds(&m->text, p->canonical.data);
        cwm_buf_addf(&m->text, "\nassert f(*given[0], **given[1]) == (%s)\n",
                     p->cases[0].output.data);
    }
}

static bool make_problem(struct making *m, const struct problem *p,
                         struct problem *out)
{
    const char *entry = m->compat                    ? ""
                        : m->mode == CRUXEVAL_OUTPUT ? "prediction"
                                                     : "arguments";

    out->kind = PROBLEM_CRUXEVAL;
    write_test(m, p);
    return m->text.failed == CWM_OK &&
           problem__copy(&out->task_id, p->task_id.data, p->task_id.len) &&
           problem__copy(&out->prompt, "", 0) &&
           problem__copy(&out->entry_point, entry, strlen(entry)) &&
           problem__copy(&out->test, m->text.data, m->text.len);
}

static enum cwm_rc make_problems(struct making *m, struct cwm_err *err)
{
    const size_t n = m->problems->n;

    m->run_problems.list = cwm_calloc(n + 1, sizeof *m->run_problems.list);
    m->run_samples.list =
        cwm_calloc(m->samples->n + 1, sizeof *m->run_samples.list);
    m->run_samples.n_of_task = cwm_calloc(n + 1, sizeof(size_t));
    if (!m->run_problems.list || !m->run_samples.list ||
        !m->run_samples.n_of_task) {
        return no_memory(err);
    }
    m->run_samples.n_tasks = n;
    for (size_t i = 0; i < n; i++) {
        const struct problem *p = &m->problems->list[i];

        if (p->kind != PROBLEM_CRUXEVAL || !p->canonical.data) {
            return CWM_FAIL(err, CWM_USAGE, "'%s' is no problem of CRUXEval's",
                            p->task_id.data);
        }
        m->run_problems.n++;
        if (!make_problem(m, p, &m->run_problems.list[i])) {
            return no_memory(err);
        }
    }
    return CWM_OK;
}

/* places[i]: where generation i is among those that are run + 1; 0: refused. */
static enum cwm_rc make_samples(struct making *m, size_t *places,
                                struct cwm_err *err)
{
    for (size_t i = 0; i < m->samples->n; i++) {
        const struct sample *s = &m->samples->list[i];
        struct sample *out = &m->run_samples.list[m->run_samples.n];

        if (!write_program(m, &m->problems->list[s->task], &s->text)) {
            continue;
        }
        *out = (struct sample){.task = s->task, .is_whole = true};
        if (m->text.failed != CWM_OK ||
            !problem__copy(&out->text, m->text.data, m->text.len)) {
            return no_memory(err);
        }
        m->run_samples.n_of_task[s->task]++;
        places[i] = ++m->run_samples.n;
    }
    return CWM_OK;
}

/* ---- scores ---- */

/* Verdicts of what was run, by place among the run samples. */
static void take_cells(const struct matrix *matrix, uint8_t *cells)
{
    for (size_t t = 0; t < matrix->n; t++) {
        const struct matrix_task *m = &matrix->tasks[t];

        for (size_t c = 0; c < m->n_candidates; c++) {
            cells[m->samples[c]] = m->own[m->programs[c]];
        }
    }
}

static void count(const struct making *m, const size_t *places,
                  const uint8_t *cells, struct cruxeval_result *result)
{
    for (size_t i = 0; i < m->samples->n; i++) {
        size_t task = m->samples->list[i].task;
        uint8_t cell = places[i] ? cells[places[i] - 1] : MATRIX_REFUSED;

        if (cell == MATRIX_REFUSED &&
            problem__is_blank(&m->samples->list[i].text)) {
            cell = MATRIX_EMPTY;
        }
        result->cells[i] = cell;
        result->outcomes[cell]++;
        result->n_right[task] += cell == MATRIX_PASS;
        result->n_counted[task] += !m->compat || places[i] != 0;
    }
    for (size_t t = 0; m->compat && t < result->n_tasks; t++) {
        if (result->n_right[t] == 0) {
            result->n_counted[t] = m->samples->n_of_task[t];
        }
    }
}

static enum cwm_rc run(struct making *m, const struct execute_options *options,
                       struct cruxeval_result *result, struct cwm_err *err)
{
    size_t *places = cwm_calloc(m->samples->n + 1, sizeof *places); /* owned */
    uint8_t *cells = cwm_calloc(m->samples->n + 1, 1);              /* owned */
    struct matrix matrix = {.tasks = NULL};
    enum cwm_rc rc = places && cells ? CWM_OK : no_memory(err);

    if (rc == CWM_OK) {
        rc = make_problems(m, err);
    }
    if (rc == CWM_OK) {
        rc = make_samples(m, places, err);
    }
    if (rc == CWM_OK) {
        rc = execute_all(&m->run_problems, &m->run_samples, NULL, options,
                         &matrix, &result->counts, err);
    }
    if (rc == CWM_OK) {
        take_cells(&matrix, cells);
        count(m, places, cells, result);
    }
    matrix_release(&matrix);
    cwm_free(places);
    cwm_free(cells);
    return rc;
}

enum cwm_rc cruxeval_judge(const struct problem_set *problems,
                           const struct sample_set *samples,
                           enum cruxeval_mode mode,
                           const struct execute_options *options,
                           struct cruxeval_result *ret_result,
                           struct cwm_err *err)
{
    struct cruxeval_result result = {.n_tasks = problems->n};
    struct making m = {
        .problems = problems, .samples = samples, .compat = options->compat};
    struct execute_options how = *options;
    enum cwm_rc rc = CWM_OK;

    m.mode = mode == CRUXEVAL_AUTO ? guess_mode(samples) : mode;
    result.mode = m.mode;
    how.with_own = true;
    how.tester_ms = options->own_limit_ms; /* f runs there for inputs */
    cwm_buf_init(&m.text, MAX_TEXT_BYTES);
    result.n_counted = cwm_calloc(problems->n + 1, sizeof(uint64_t));
    result.n_right = cwm_calloc(problems->n + 1, sizeof(uint64_t));
    result.cells = cwm_calloc(samples->n + 1, 1);
    if (!result.n_counted || !result.n_right || !result.cells) {
        rc = no_memory(err);
    }
    if (rc == CWM_OK) {
        rc = run(&m, &how, &result, err);
    }
    if (rc == CWM_OK) {
        *ret_result = result;
    } else {
        cruxeval_release(&result);
    }
    problem_set_release(&m.run_problems);
    sample_set_release(&m.run_samples);
    cwm_buf_release(&m.text);
    return rc;
}

void cruxeval_release(struct cruxeval_result *result)
{
    cwm_free(result->n_counted);
    cwm_free(result->n_right);
    cwm_free(result->cells);
    memset(result, 0, sizeof *result);
}

double cruxeval_pass(const struct cruxeval_result *result, size_t task,
                     uint64_t k, bool compat)
{
    const uint64_t n = result->n_counted[task];
    const uint64_t right = result->n_right[task];

    if (compat) {
        return n - right < k ? 1 : passk_estimate(n, right, k);
    }
    return n == 0 ? 0 : passk_estimate(n, right, k);
}
