/* SPDX-License-Identifier: MIT */
/* execute_plan.c -- what is to be run: programs and tests that differ. */
#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/execute_internal.h"
#include "eval/one_call.h"

#define MAX_PROGRAM_BYTES ((size_t)1 << 30)

/* Verdicts of a judge that decides otherwise are others. */
#define JUDGE_VERSION 4u

static enum cwm_rc no_memory(struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_NOMEM, "could not hold the matrix");
}

void execute__program(const struct execute__plan *plan, size_t sample,
                      struct cwm_buf *out)
{
    const struct sample *s = &plan->samples->list[sample];
    const struct problem *p = &plan->problems->list[s->task];

    cwm_buf_clear(out);
    if (!s->is_whole && p->prompt.data) {
        cwm_buf_add(out, p->prompt.data, p->prompt.len);
    }
    cwm_buf_add(out, s->text.data, s->text.len);
}

static void add_text(struct hasher *h, const struct problem_text *text)
{
    hasher_add(h, text->data, text->len);
}

/* All that a verdict depends on besides program and setting. */
static void add_problem(struct hasher *h, const struct problem *p)
{
    hasher_add_number(h, p->kind);
    add_text(h, &p->prompt);
    add_text(h, &p->entry_point);
    add_text(h, &p->canonical);
    add_text(h, &p->setup);
    if (p->opening.data) {
        add_text(h, &p->opening);
    }
}

static struct hash finish(struct hasher *h)
{
    struct hash hash = {{0}};

    if (h) {
        hash = hasher_end(h);
    }
    hasher_free(h);
    return hash;
}

struct hash execute__own_name(const struct execute__plan *plan, size_t task)
{
    const struct problem *p = &plan->problems->list[task];
    struct hasher *h = NULL;

    if (hasher_new(&h, NULL) == CWM_OK) {
        hasher_add_text(h, "own");
        add_problem(h, p);
        add_text(h, &p->test);
        hasher_add_number(h, p->time_ms);
        for (size_t i = 0; i < p->n_cases; i++) {
            add_text(h, &p->cases[i].input);
            add_text(h, &p->cases[i].output);
        }
    }
    return finish(h);
}

struct hash execute__test_name(const struct execute__plan *plan, size_t task,
                               uint32_t column)
{
    const struct matrix_task *m = &plan->matrix->tasks[task];
    struct hasher *h = NULL;

    if (hasher_new(&h, NULL) == CWM_OK) {
        hasher_add_text(h, "generated");
        add_problem(h, &plan->problems->list[task]);
        add_text(h, &plan->tests->list[m->tests[column]].text);
    }
    return finish(h);
}

static struct hash setting(const struct execute_options *o, const char *python,
                           uint32_t limit_ms)
{
    struct hasher *h = NULL;

    if (hasher_new(&h, NULL) == CWM_OK) {
        hasher_add_number(h, JUDGE_VERSION);
        hasher_add_text(h, python);
        hasher_add_number(h, o->compat);
        hasher_add_number(h, limit_ms);
        hasher_add_number(h, o->memory_mb);
        if (o->hash_seed) {
            hasher_add_number(h, o->hash_seed);
        }
    }
    return finish(h);
}

/* ---- tests that differ ---- */

/* Of one task: places [first, end) of the generated set. */
static enum cwm_rc make_columns(struct execute__plan *plan, size_t task,
                                size_t first, size_t end, struct cwm_err *err)
{
    struct matrix_task *m = &plan->matrix->tasks[task];
    size_t n = end - first;

    m->tests = cwm_calloc(n + 1, sizeof *m->tests);
    m->n_times = cwm_calloc(n + 1, sizeof *m->n_times);
    if (!m->tests || !m->n_times) {
        return no_memory(err);
    }
    for (size_t i = first; i < end; i++) {
        const struct problem_text *text = &plan->tests->list[i].text;
        size_t c = 0;

        /* Tens of tests a task, hundreds at most. */
        while (c < m->n_tests) {
            const struct problem_text *other =
                &plan->tests->list[m->tests[c]].text;

            if (other->len == text->len &&
                memcmp(other->data, text->data, text->len) == 0) {
                break;
            }
            c++;
        }
        if (c == m->n_tests) {
            m->tests[m->n_tests++] = i;
        }
        m->n_times[c]++;
    }
    return CWM_OK;
}

struct call {
    const char *text; /* NULL: the test is more than one */
    size_t len;
};

static bool is_same_call(const struct call *a, const struct call *b)
{
    return a->text && b->text && a->len == b->len &&
           memcmp(a->text, b->text, a->len) == 0;
}

static enum cwm_rc find_calls(struct execute__plan *plan, size_t task,
                              struct cwm_err *err)
{
    const struct matrix_task *m = &plan->matrix->tasks[task];
    const size_t n = plan->tests ? m->n_tests : 0;
    struct call *found = cwm_calloc(m->n_tests + 1, sizeof *found); /* owned */
    uint32_t *calls = cwm_calloc(m->n_tests + 1, sizeof *calls);

    plan->calls[task] = calls;
    for (uint32_t i = 0; found && calls && i < n; i++) {
        const struct problem_text *text = &plan->tests->list[m->tests[i]].text;

        if (!one_call_of(text->data, text->len, &found[i].text,
                         &found[i].len)) {
            found[i].text = NULL;
        }
        while (calls[i] < i && !is_same_call(&found[calls[i]], &found[i])) {
            calls[i]++;
        }
    }
    cwm_free(found);
    return found && calls ? CWM_OK : no_memory(err);
}

static enum cwm_rc make_all_columns(struct execute__plan *plan,
                                    struct cwm_err *err)
{
    const struct generated_set *tests = plan->tests;
    enum cwm_rc rc = CWM_OK;
    size_t at = 0;

    for (size_t t = 0; t < plan->problems->n && rc == CWM_OK; t++) {
        size_t first = at;

        while (tests && at < tests->n && tests->list[at].task == t) {
            at++;
        }
        rc = make_columns(plan, t, first, at, err);
        if (rc == CWM_OK) {
            rc = find_calls(plan, t, err);
        }
    }
    return rc;
}

/* ---- programs that differ ---- */

static enum cwm_rc add_job(struct execute__plan *plan, size_t sample,
                           const struct hash *program, struct cwm_err *err)
{
    size_t task = plan->samples->list[sample].task;
    struct matrix_task *m = &plan->matrix->tasks[task];
    struct execute__job *job = &plan->jobs[plan->n_jobs];

    job->task = task;
    job->row = (uint32_t)m->n_programs++;
    job->sample = sample;
    job->program = *program;
    job->wants_own = plan->options->with_own;
    job->columns = cwm_calloc(m->n_tests + 1, sizeof *job->columns);
    job->cells = cwm_calloc(m->n_tests + 1, sizeof *job->cells);
    plan->n_jobs++;
    if (!job->columns || !job->cells) {
        return no_memory(err);
    }
    for (uint32_t i = 0; i < m->n_tests; i++) {
        job->columns[job->n_columns++] = i;
    }
    return CWM_OK;
}

/*
 * The row of the sample's program; a new one where it has none yet.  *last:
 * the task's last job + 1, which tells the one before it.
 */
static enum cwm_rc place(struct execute__plan *plan, size_t sample,
                         struct cwm_buf *text, size_t *last,
                         struct cwm_err *err)
{
    struct matrix_task *m =
        &plan->matrix->tasks[plan->samples->list[sample].task];
    struct hash program;
    enum cwm_rc rc;

    execute__program(plan, sample, text);
    rc = cwm_buf_check(text, "a program", err);
    if (rc != CWM_OK) {
        return rc;
    }
    program = hash_of(text->data ? text->data : "", text->len);
    for (size_t i = *last; i > 0; i = plan->jobs[i - 1].previous) {
        const struct execute__job *job = &plan->jobs[i - 1];

        if (hash_compare(&job->program, &program) == 0) {
            m->programs[m->n_candidates++] = job->row;
            return CWM_OK;
        }
    }
    plan->jobs[plan->n_jobs].previous = *last;
    *last = plan->n_jobs + 1;
    m->programs[m->n_candidates++] = (uint32_t)m->n_programs;
    return add_job(plan, sample, &program, err);
}

static enum cwm_rc make_rows(struct execute__plan *plan, struct cwm_err *err)
{
    const struct sample_set *samples = plan->samples;
    size_t *last = cwm_calloc(plan->problems->n + 1, sizeof *last); /* owned */
    struct cwm_buf text;
    enum cwm_rc rc = CWM_OK;

    cwm_buf_init(&text, MAX_PROGRAM_BYTES);
    plan->jobs = cwm_calloc(samples->n + 1, sizeof *plan->jobs);
    if (!plan->jobs || !last) {
        rc = no_memory(err);
    }
    for (size_t t = 0; t < plan->problems->n && rc == CWM_OK; t++) {
        struct matrix_task *m = &plan->matrix->tasks[t];

        m->samples = cwm_calloc(samples->n_of_task[t] + 1, sizeof(size_t));
        m->programs = cwm_calloc(samples->n_of_task[t] + 1, sizeof(uint32_t));
        if (!m->samples || !m->programs) {
            rc = no_memory(err);
        }
    }
    for (size_t i = 0; i < samples->n && rc == CWM_OK; i++) {
        size_t task = samples->list[i].task;
        struct matrix_task *m = &plan->matrix->tasks[task];

        m->samples[m->n_candidates] = i;
        rc = place(plan, i, &text, &last[task], err);
    }
    cwm_buf_release(&text);
    cwm_free(last);
    return rc;
}

static enum cwm_rc make_cells(struct execute__plan *plan, struct cwm_err *err)
{
    for (size_t t = 0; t < plan->problems->n; t++) {
        struct matrix_task *m = &plan->matrix->tasks[t];
        size_t n = m->n_programs;

        m->own = cwm_calloc(n + 1, 1);
        m->own_cpu_us = cwm_calloc(n + 1, sizeof(uint32_t));
        m->cells = cwm_calloc(n * m->n_tests + 1, 1);
        m->cpu_us = cwm_calloc(n * m->n_tests + 1, sizeof(uint32_t));
        if (!m->own || !m->own_cpu_us || !m->cells || !m->cpu_us) {
            return no_memory(err);
        }
    }
    return CWM_OK;
}

enum cwm_rc execute__plan_make(struct execute__plan *plan, const char *python,
                               struct cwm_err *err)
{
    const struct execute_options *o = plan->options;
    struct matrix *m = plan->matrix;
    enum cwm_rc rc;

    m->n = plan->problems->n;
    m->own_limit_us = o->own_limit_ms * 1000;
    m->cell_limit_us = o->cell_limit_ms * 1000;
    m->tasks = cwm_calloc(m->n + 1, sizeof *m->tasks);
    plan->calls = cwm_calloc(m->n + 1, sizeof *plan->calls);
    if (!m->tasks || !plan->calls) {
        return no_memory(err);
    }
    for (size_t t = 0; t < m->n; t++) {
        m->tasks[t].task = t;
    }
    plan->setting_own = setting(o, python, o->own_limit_ms);
    plan->setting_cell = setting(o, python, o->cell_limit_ms);
    rc = make_all_columns(plan, err);
    if (rc == CWM_OK) {
        rc = make_rows(plan, err);
    }
    return rc == CWM_OK ? make_cells(plan, err) : rc;
}

void execute__plan_release(struct execute__plan *plan)
{
    for (size_t i = 0; i < plan->n_jobs; i++) {
        cwm_free(plan->jobs[i].columns);
        cwm_free(plan->jobs[i].cells);
    }
    for (size_t t = 0; plan->calls && t < plan->problems->n; t++) {
        cwm_free(plan->calls[t]);
    }
    cwm_free(plan->calls);
    cwm_free(plan->jobs);
    plan->calls = NULL;
    plan->jobs = NULL;
    plan->n_jobs = 0;
}
