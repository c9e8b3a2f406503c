/* SPDX-License-Identifier: MIT */
/*
 * execute.c -- the matrix is filled: what the store has is taken from there,
 * the rest is run by threads with a judge each, and stored program by program.
 */
#include "eval/execute.h"

#include <pthread.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "eval/execute_internal.h"
#include "tracer/workers.h"

struct work {
    struct execute__plan *plan;   /* borrowed */
    struct worker_program worker; /* owned */
    struct matrix_store *store;   /* owned */
    pthread_mutex_t lock;         /* of all below */
    size_t next;                  /* job */
    uint64_t n_done;
    uint64_t n_run;
    uint64_t n_all; /* jobs that want something */
    enum cwm_rc rc; /* the first failure of a thread */
    struct cwm_err err;
};

struct thread {
    struct work *work; /* borrowed */
    struct execute__runner runner;
    pthread_t id;
    bool is_started;
};

static enum cwm_rc no_memory(struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_NOMEM, "could not hold the verdicts");
}

/* ---- the store ---- */

static struct matrix_key own_key(const struct execute__plan *plan,
                                 const struct execute__job *job)
{
    return (struct matrix_key){.program = job->program,
                               .test = execute__own_name(plan, job->task),
                               .setting = plan->setting_own};
}

static struct matrix_key cell_key(const struct execute__plan *plan,
                                  const struct execute__job *job,
                                  uint32_t column)
{
    return (struct matrix_key){.program = job->program,
                               .test =
                                   execute__test_name(plan, job->task, column),
                               .setting = plan->setting_cell};
}

/* What the store has the job no longer wants. */
static enum cwm_rc look_up(struct work *w, struct execute__job *job,
                           struct cwm_err *err)
{
    const struct execute__plan *plan = w->plan;
    struct matrix_key key;
    enum cwm_rc rc = CWM_OK;
    size_t n_left = 0;
    bool is_there;

    if (job->wants_own) {
        key = own_key(plan, job);
        rc = matrix_store_get(w->store, &key, &is_there, &job->own, err);
        job->wants_own = rc != CWM_OK || !is_there;
    }
    for (size_t i = 0; i < job->n_columns && rc == CWM_OK; i++) {
        uint32_t column = job->columns[i];

        key = cell_key(plan, job, column);
        rc = matrix_store_get(w->store, &key, &is_there, &job->cells[column],
                              err);
        if (!is_there) {
            job->columns[n_left++] = column;
        }
    }
    job->n_columns = rc == CWM_OK ? n_left : job->n_columns;
    return rc;
}

static enum cwm_rc look_up_all(struct work *w, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < w->plan->n_jobs && rc == CWM_OK; i++) {
        struct execute__job *job = &w->plan->jobs[i];

        if (matrix_store_n_cells(w->store) > 0) {
            rc = look_up(w, job, err);
        }
        w->n_all += job->wants_own || job->n_columns > 0;
    }
    return rc;
}

/* What the job has run, in one transaction. */
static enum cwm_rc keep(struct work *w, const struct execute__job *job,
                        struct cwm_err *err)
{
    size_t n = job->n_columns + job->wants_own;
    struct matrix_key *keys = cwm_calloc(n + 1, sizeof *keys);       /* owned */
    struct matrix_value *values = cwm_calloc(n + 1, sizeof *values); /* owned */
    enum cwm_rc rc = keys && values ? CWM_OK : no_memory(err);

    for (size_t i = 0; i < job->n_columns && rc == CWM_OK; i++) {
        keys[i] = cell_key(w->plan, job, job->columns[i]);
        values[i] = job->cells[job->columns[i]];
    }
    if (rc == CWM_OK && job->wants_own) {
        keys[n - 1] = own_key(w->plan, job);
        values[n - 1] = job->own;
    }
    if (rc == CWM_OK) {
        rc = matrix_store_put(w->store, keys, values, n, err);
    }
    cwm_free(keys);
    cwm_free(values);
    return rc;
}

/* ---- threads ---- */

static void fail(struct work *w, enum cwm_rc rc, const struct cwm_err *err)
{
    pthread_mutex_lock(&w->lock);
    if (w->rc == CWM_OK) {
        w->rc = rc;
        w->err = *err;
    }
    pthread_mutex_unlock(&w->lock);
}

/* The next job that wants something, or NULL. */
static struct execute__job *take_job(struct work *w)
{
    struct execute__job *job = NULL;

    pthread_mutex_lock(&w->lock);
    while (!job && w->rc == CWM_OK && w->next < w->plan->n_jobs) {
        struct execute__job *one = &w->plan->jobs[w->next++];

        job = one->wants_own || one->n_columns > 0 ? one : NULL;
    }
    pthread_mutex_unlock(&w->lock);
    return job;
}

static enum cwm_rc give_back(struct work *w, const struct execute__job *job,
                             struct cwm_err *err)
{
    const struct execute_options *o = w->plan->options;
    enum cwm_rc rc;

    pthread_mutex_lock(&w->lock);
    rc = keep(w, job, err);
    w->n_run++;
    w->n_done++;
    if (rc == CWM_OK && o->progress) {
        o->progress(o->progress_ctx, w->n_done, w->n_all);
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static enum cwm_rc open_judge(const struct work *w, struct execute__runner *r,
                              struct cwm_err *err)
{
    const struct execute_options *o = r->plan->options;
    const struct judge_options options = {.worker = &w->worker,
                                          .allow_missing = o->allow_missing,
                                          .memory_mb = o->memory_mb,
                                          .hash_seed = o->hash_seed};

    return r->judge ? CWM_OK : judge_open(&options, &r->judge, err);
}

static void *work_on(void *ctx)
{
    struct thread *t = ctx;
    struct cwm_err err = {0};
    struct execute__job *job;
    enum cwm_rc rc = CWM_OK;

    while (rc == CWM_OK && (job = take_job(t->work)) != NULL) {
        rc = open_judge(t->work, &t->runner, &err);
        if (rc == CWM_OK) {
            rc = execute__run(&t->runner, job, &err);
        }
        if (rc == CWM_OK) {
            rc = give_back(t->work, job, &err);
        }
    }
    if (rc != CWM_OK) {
        fail(t->work, rc, &err);
    }
    return NULL;
}

static enum cwm_rc run_all(struct work *w, struct thread *threads, unsigned n,
                           struct cwm_err *err)
{
    for (unsigned i = 0; i < n; i++) {
        threads[i].is_started =
            pthread_create(&threads[i].id, NULL, work_on, &threads[i]) == 0;
    }
    if (!threads[0].is_started) {
        (void)work_on(&threads[0]);
    }
    for (unsigned i = 0; i < n; i++) {
        if (threads[i].is_started) {
            pthread_join(threads[i].id, NULL);
        }
    }
    if (w->rc != CWM_OK && err) {
        *err = w->err;
    }
    return w->rc;
}

/* Nobody else runs any more. */
static enum cwm_rc run_near_misses(struct work *w, struct execute__runner *r,
                                   uint64_t *ret_n, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < w->plan->n_jobs && rc == CWM_OK; i++) {
        struct execute__job *job = &w->plan->jobs[i];
        uint64_t before = *ret_n;

        if (!job->has_run) {
            continue;
        }
        rc = open_judge(w, r, err);
        if (rc == CWM_OK) {
            rc = execute__run_again(r, job, ret_n, err);
        }
        if (rc == CWM_OK && *ret_n > before) {
            rc = keep(w, job, err);
        }
    }
    return rc;
}

/* ---- all ---- */

static void fill(struct execute__plan *plan)
{
    for (size_t i = 0; i < plan->n_jobs; i++) {
        const struct execute__job *job = &plan->jobs[i];
        struct matrix_task *m = &plan->matrix->tasks[job->task];

        m->own[job->row] = job->own.cell;
        m->own_cpu_us[job->row] = job->own.cpu_us;
        for (size_t c = 0; c < m->n_tests; c++) {
            m->cells[job->row * m->n_tests + c] = job->cells[c].cell;
            m->cpu_us[job->row * m->n_tests + c] = job->cells[c].cpu_us;
        }
    }
}

static void count(const struct work *w, const struct thread *threads,
                  unsigned n, struct execute_counts *counts)
{
    const struct execute__plan *plan = w->plan;

    counts->n_programs = plan->n_jobs;
    counts->n_run = w->n_run;
    for (size_t i = 0; i < plan->n_jobs; i++) {
        counts->n_cells += plan->matrix->tasks[plan->jobs[i].task].n_tests +
                           (plan->jobs[i].own.cell != MATRIX_NOT_RUN);
    }
    for (unsigned i = 0; i < n; i++) {
        counts->cpu_us += threads[i].runner.cpu_us;
    }
}

/* The interpreter's version is part of what a verdict is called by. */
static enum cwm_rc find_worker(struct work *w, char python[16],
                               struct cwm_err *err)
{
    const struct tracer_options find = {.python = w->plan->options->python};
    enum cwm_rc rc = worker_program_find(&find, &w->worker, err);

    if (rc == CWM_OK) {
        size_t len = strnlen(w->worker.about.version, 15);

        memcpy(python, w->worker.about.version, len);
        python[len] = '\0';
    }
    return rc;
}

enum cwm_rc execute_all(const struct problem_set *problems,
                        const struct sample_set *samples,
                        const struct generated_set *tests,
                        const struct execute_options *options,
                        struct matrix *ret_matrix,
                        struct execute_counts *ret_counts, struct cwm_err *err)
{
    const unsigned n = options->n_workers ? options->n_workers : 1;
    struct matrix matrix = {.tasks = NULL};
    struct execute_counts counts = {.n_programs = 0};
    struct execute__plan plan = {.problems = problems,
                                 .samples = samples,
                                 .tests = tests,
                                 .options = options,
                                 .matrix = &matrix};
    struct work w = {.plan = &plan, .rc = CWM_OK};
    struct thread *threads = cwm_calloc(n, sizeof *threads); /* owned */
    enum cwm_rc rc = threads ? CWM_OK : no_memory(err);

    pthread_mutex_init(&w.lock, NULL);
    for (unsigned i = 0; threads && i < n; i++) {
        threads[i].work = &w;
        execute__runner_init(&threads[i].runner, &plan);
    }
    if (rc == CWM_OK) {
        rc = find_worker(&w, counts.python, err);
    }
    if (rc == CWM_OK) {
        rc = matrix_store_open(options->store, &w.store, err);
    }
    if (rc == CWM_OK) {
        rc = execute__plan_make(&plan, counts.python, err);
    }
    if (rc == CWM_OK) {
        rc = look_up_all(&w, err);
    }
    if (rc == CWM_OK) {
        rc = run_all(&w, threads, n, err);
    }
    if (rc == CWM_OK) {
        rc = run_near_misses(&w, &threads[0].runner, &counts.n_again, err);
    }
    if (rc == CWM_OK) {
        fill(&plan);
        count(&w, threads, n, &counts);
        *ret_matrix = matrix;
        *ret_counts = counts;
    } else {
        matrix_release(&matrix);
    }
    for (unsigned i = 0; threads && i < n; i++) {
        execute__runner_release(&threads[i].runner);
    }
    worker_program_release(&w.worker);
    execute__plan_release(&plan);
    matrix_store_close(w.store);
    pthread_mutex_destroy(&w.lock);
    cwm_free(threads);
    return rc;
}
