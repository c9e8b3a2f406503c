/* SPDX-License-Identifier: MIT */
/* bestk.c -- see bestk.h. */
#include "eval/bestk.h"

#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/code_tokens.h"

/* Points of the curve over tests, as far as there are tests. */
static const size_t usual_ms[] = {1, 2, 5, 10, 20, 50, 100, 200, 500};

/* ---- the set ---- */

static enum cwm_rc make_stub(const struct problem *p, struct problem_text *text,
                             struct cwm_err *err)
{
    char stub[320];
    int n =
        snprintf(stub, sizeof stub, "def %.200s(*args, **kwargs):\n    pass\n",
                 p->entry_point.data);

    text->data = cwm_strndup(stub, (size_t)n);
    text->len = (size_t)n;
    return text->data ? CWM_OK
                      : CWM_FAIL(err, CWM_NOMEM, "could not hold a stub");
}

static bool has_stub(const struct problem *p)
{
    return p->entry_point.len > 0 && !p->is_method;
}

static void add_references(const struct problem_set *problems,
                           struct bestk_set *set)
{
    for (size_t i = 0; i < problems->n; i++) {
        const struct problem *p = &problems->list[i];

        if (p->canonical.data) {
            set->all.list[set->all.n++] =
                (struct sample){.task = i,
                                .text = p->canonical,
                                .is_whole = p->whole_canonical};
            set->all.n_of_task[i]++;
            set->n_references++;
        }
    }
}

enum cwm_rc bestk_set_make(const struct problem_set *problems,
                           const struct sample_set *samples,
                           struct bestk_set *ret_set, struct cwm_err *err)
{
    struct bestk_set set = {.all = *samples, .n_real = samples->n};
    enum cwm_rc rc = CWM_OK;

    set.all.list =
        cwm_calloc(samples->n + 2 * problems->n, sizeof *set.all.list);
    set.all.n_of_task = cwm_calloc(problems->n, sizeof *set.all.n_of_task);
    if (!set.all.list || !set.all.n_of_task) {
        cwm_free(set.all.list);
        cwm_free(set.all.n_of_task);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu samples",
                        samples->n);
    }
    memcpy(set.all.list, samples->list, samples->n * sizeof *set.all.list);
    for (size_t i = 0; i < samples->n_tasks && i < problems->n; i++) {
        set.all.n_of_task[i] = samples->n_of_task[i];
    }
    set.all.n_tasks = problems->n;
    add_references(problems, &set);
    for (size_t i = 0; i < problems->n && rc == CWM_OK; i++) {
        struct sample *stub = &set.all.list[set.all.n];

        if (has_stub(&problems->list[i])) {
            *stub = (struct sample){.task = i, .is_whole = true};
            rc = make_stub(&problems->list[i], &stub->text, err);
            set.all.n += rc == CWM_OK;
            set.all.n_of_task[i]++;
        }
    }
    if (rc != CWM_OK) {
        bestk_set_release(&set);
        return rc;
    }
    *ret_set = set;
    return CWM_OK;
}

void bestk_set_release(struct bestk_set *set)
{
    for (size_t i = set->n_real + set->n_references; i < set->all.n; i++) {
        cwm_free(set->all.list[i].text.data);
    }
    cwm_free(set->all.list);
    cwm_free(set->all.n_of_task);
    *set = (struct bestk_set){.n_real = 0};
}

/* ---- one task ---- */

/* A task of the matrix, taken apart; arrays are owned. */
struct taken {
    size_t n, n_rows, n_tests;
    uint32_t *rows;            /* [n] */
    uint32_t *row_of;          /* [programs] row, or UINT32_MAX */
    uint8_t *holds;            /* [n_rows][n_tests] */
    uint8_t *foreseen;         /* the same as a model predicts it */
    uint32_t *programs;        /* [n] */
    uint64_t *n_tokens;        /* [n] */
    uint8_t *is_right;         /* [n] */
    uint8_t *stub, *reference; /* [n_tests] */
    bool has_stub, has_reference;
    enum filter_reason *reasons; /* [n_tests] */
    uint8_t *is_out;             /* [n_tests] */
    uint32_t *weights;           /* [n_tests] */
    double cpu_s;                /* of all candidates on all tests */
    double foresight_tokens, foresight_cpu_s; /* the same, predicted */
};

struct scoring {
    const struct problem_set *problems;
    const struct bestk_set *set;
    const struct generated_set *tests;
    const struct bestk_options *options;
    struct bestk_result *result;
    struct curves_task *tasks; /* owned; [n] */
    struct code_tokens tokens; /* scratch */
    size_t most_weight;        /* of a task's tests */
};

static void taken_release(struct taken *t)
{
    cwm_free(t->rows);
    cwm_free(t->row_of);
    cwm_free(t->holds);
    cwm_free(t->foreseen);
    cwm_free(t->programs);
    cwm_free(t->n_tokens);
    cwm_free(t->is_right);
    cwm_free(t->stub);
    cwm_free(t->reference);
    cwm_free(t->reasons);
    cwm_free(t->is_out);
    cwm_free(t->weights);
}

static bool allocate(struct taken *t, const struct matrix_task *m)
{
    t->n_tests = m->n_tests;
    t->rows = cwm_calloc(m->n_candidates, sizeof *t->rows);
    t->row_of = cwm_malloc((m->n_programs + 1) * sizeof *t->row_of);
    t->holds = cwm_calloc(m->n_programs + 1, m->n_tests);
    t->foreseen = cwm_calloc(m->n_programs + 1, m->n_tests);
    t->programs = cwm_calloc(m->n_candidates, sizeof *t->programs);
    t->n_tokens = cwm_calloc(m->n_candidates, sizeof *t->n_tokens);
    t->is_right = cwm_calloc(m->n_candidates, 1);
    t->stub = cwm_calloc(m->n_tests, 1);
    t->reference = cwm_calloc(m->n_tests, 1);
    t->reasons = cwm_calloc(m->n_tests, sizeof *t->reasons);
    t->is_out = cwm_calloc(m->n_tests, 1);
    t->weights = cwm_calloc(m->n_tests, sizeof *t->weights);
    if (t->row_of) {
        memset(t->row_of, 0xFF, (m->n_programs + 1) * sizeof *t->row_of);
    }
    return t->rows && t->row_of && t->holds && t->foreseen && t->programs &&
           t->n_tokens && t->is_right && t->stub && t->reference &&
           t->reasons && t->is_out && t->weights;
}

static void copy_row(const struct matrix_task *m, size_t c, uint8_t *holds)
{
    for (size_t i = 0; i < m->n_tests; i++) {
        holds[i] = matrix_holds(m, c, i);
    }
}

/* What is foreseen of a candidate; `row` NULL: another is the same program. */
static void take_foresight(const struct foreseen *f,
                           const struct matrix_task *m, size_t c,
                           struct taken *t, uint8_t *row)
{
    const struct foresee_cell *cells;

    if (!f) {
        return;
    }
    cells = &f->tasks[m->task].cells[m->programs[c] * m->n_tests];
    for (size_t i = 0; i < m->n_tests; i++) {
        t->foresight_tokens += cells[i].n_tokens;
        t->foresight_cpu_s += (double)cells[i].cpu_s;
        if (row) {
            row[i] = cells[i].outcome == FORESEE_HOLDS;
        }
    }
}

/* A candidate: its row (once for equal programs), its class, its size. */
static enum cwm_rc take_candidate(struct scoring *s,
                                  const struct matrix_task *m, size_t c,
                                  struct taken *t, struct cwm_err *err)
{
    const struct sample *sample = &s->set->all.list[m->samples[c]];
    uint32_t *row = &t->row_of[m->programs[c]];
    uint8_t *foreseen = NULL;
    enum cwm_rc rc =
        code_tokens_of(sample->text.data, sample->text.len, 0, &s->tokens, err);
    uint64_t hash;

    if (rc != CWM_OK) {
        return rc;
    }
    if (*row == UINT32_MAX) {
        *row = (uint32_t)t->n_rows++;
        copy_row(m, c, t->holds + *row * t->n_tests);
        foreseen = t->foreseen + *row * t->n_tests;
    }
    take_foresight(s->options->foreseen, m, c, t, foreseen);
    for (size_t i = 0; i < m->n_tests; i++) {
        t->cpu_s += m->cpu_us[m->programs[c] * m->n_tests + i] * 1e-6;
    }
    hash = s->tokens.n > 0 ? code_tokens_gram(&s->tokens, 0, s->tokens.n) : 0;
    t->rows[t->n] = *row;
    t->programs[t->n] = (uint32_t)(hash ^ hash >> 32);
    t->n_tokens[t->n] = sample->n_tokens;
    if (sample->n_tokens == 0) {
        t->n_tokens[t->n] = s->tokens.n;
        s->result->is_estimated = true;
    }
    t->is_right[t->n] = matrix_is_right(m, c);
    s->result->n_right += t->is_right[t->n];
    t->n++;
    return CWM_OK;
}

static enum cwm_rc take(struct scoring *s, const struct matrix_task *m,
                        struct taken *t, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    if (!allocate(t, m)) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a task's verdicts");
    }
    for (size_t c = 0; c < m->n_candidates && rc == CWM_OK; c++) {
        size_t sample = m->samples[c];

        if (sample < s->set->n_real) {
            rc = take_candidate(s, m, c, t, err);
        } else if (sample < s->set->n_real + s->set->n_references) {
            t->has_reference = matrix_is_right(m, c);
            s->result->n_bad_references += !t->has_reference;
            copy_row(m, c, t->reference);
        } else {
            t->has_stub = true;
            copy_row(m, c, t->stub);
        }
    }
    return rc;
}

/* What is left out, and with which weights selectors begin. */
static enum cwm_rc filter(struct scoring *s, const struct matrix_task *m,
                          struct taken *t, double *ret_tokens,
                          struct cwm_err *err)
{
    struct filter_task task = {.n_tests = t->n_tests,
                               .n_rows = t->n_rows,
                               .holds = t->holds,
                               .stub = t->has_stub ? t->stub : NULL,
                               .reference =
                                   t->has_reference ? t->reference : NULL,
                               .n_times = m->n_times};
    enum cwm_rc rc = CWM_OK;
    size_t weight = 0;

    for (size_t i = 0; i < t->n_tests && rc == CWM_OK; i++) {
        const struct problem_text *text = &s->tests->list[m->tests[i]].text;

        rc = filter_text(text->data, text->len, &t->reasons[i], err);
        if (rc == CWM_OK) {
            rc = code_tokens_of(text->data, text->len, 0, &s->tokens, err);
        }
        if (t->reasons[i] == FILTER_KEPT && m->unsteady && m->unsteady[i]) {
            t->reasons[i] = FILTER_NOT_DETERMINISTIC;
        }
        *ret_tokens += (double)s->tokens.n * m->n_times[i];
    }
    filter_verdicts(&task, t->reasons);
    filter_count(&task, t->reasons, &s->result->tests);
    for (size_t i = 0; i < t->n_tests; i++) {
        t->is_out[i] = t->reasons[i] != FILTER_KEPT;
        t->weights[i] = t->is_out[i] && s->options->filter ? 0 : m->n_times[i];
        weight += t->weights[i];
    }
    s->most_weight = weight > s->most_weight ? weight : s->most_weight;
    return rc;
}

/* See bestk_options.compat. */
static void spoil(struct scoring *s, const struct matrix_task *m,
                  struct taken *t)
{
    for (size_t i = 0; i < t->n_tests; i++) {
        const struct problem_text *text = &s->tests->list[m->tests[i]].text;

        if (filter_needs_module(text->data, text->len)) {
            memset(t->holds, 0, t->n_rows * t->n_tests);
            s->result->n_spoilt++;
            return;
        }
    }
}

static enum cwm_rc score_task(struct scoring *s, const struct matrix_task *m,
                              struct curves_task *task, struct cwm_err *err)
{
    struct taken t = {.n = 0};
    struct select_input input;
    enum cwm_rc rc = take(s, m, &t, err);

    if (rc == CWM_OK) {
        rc = filter(s, m, &t, &task->tests_tokens, err);
    }
    if (rc == CWM_OK && s->options->compat) {
        spoil(s, m, &t);
    }
    s->result->n_candidates += t.n;
    s->result->n_programs += t.n_rows;
    input = (struct select_input){.n_candidates = t.n,
                                  .n_rows = t.n_rows,
                                  .n_tests = t.n_tests,
                                  .rows = t.rows,
                                  .holds = t.holds,
                                  .predicted =
                                      s->options->foreseen ? t.foreseen : NULL,
                                  .weights = t.weights,
                                  .is_out = t.is_out,
                                  .programs = t.programs,
                                  .n_tokens = t.n_tokens,
                                  .is_right = t.is_right};
    if (rc == CWM_OK && t.n > 0) {
        rc = select_task_new(&input, &task->select, err);
        for (size_t c = 0; c < t.n; c++) {
            task->sample_tokens += (double)t.n_tokens[c] / (double)t.n;
        }
        task->sample_cpu_s = t.cpu_s / (double)t.n;
        task->foresight_tokens = t.foresight_tokens / (double)t.n;
        task->foresight_cpu_s = t.foresight_cpu_s / (double)t.n;
    }
    if (rc != CWM_OK) {
        cwm_err_context(err, "%.80s", s->problems->list[m->task].task_id.data);
    }
    taken_release(&t);
    return rc;
}

/* ---- all of them ---- */

static void choose_ms(struct curves_options *o, size_t most_weight)
{
    size_t n = sizeof usual_ms / sizeof *usual_ms;

    for (size_t i = 0; i < n && usual_ms[i] < most_weight; i++) {
        o->ms[o->n_ms++] = usual_ms[i];
    }
    if (most_weight > 0) {
        o->ms[o->n_ms++] = most_weight;
    }
}

enum cwm_rc bestk_score(const struct problem_set *problems,
                        const struct bestk_set *set,
                        const struct generated_set *tests,
                        const struct matrix *matrix,
                        const struct bestk_options *options,
                        struct bestk_result *ret_result, struct cwm_err *err)
{
    struct bestk_result result = {.options = options->curves,
                                  .n_tasks = matrix->n};
    struct scoring s = {.problems = problems,
                        .set = set,
                        .tests = tests,
                        .options = options,
                        .result = &result};
    enum cwm_rc rc = CWM_OK;

    s.tasks = cwm_calloc(matrix->n, sizeof *s.tasks);
    if (!s.tasks) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu tasks", matrix->n);
    }
    for (size_t i = 0; i < matrix->n && rc == CWM_OK; i++) {
        rc = score_task(&s, &matrix->tasks[i], &s.tasks[i], err);
    }
    if (rc == CWM_OK) {
        if (result.options.n_ms == 0) {
            choose_ms(&result.options, s.most_weight);
        }
        rc = curves_make(s.tasks, matrix->n, &result.options, &result.curves,
                         err);
    }
    for (size_t i = 0; i < matrix->n; i++) {
        select_task_free(s.tasks[i].select);
    }
    cwm_free(s.tasks);
    code_tokens_release(&s.tokens);
    if (rc == CWM_OK) {
        *ret_result = result;
    }
    return rc;
}

void bestk_result_release(struct bestk_result *r)
{
    curves_release(&r->curves);
}
