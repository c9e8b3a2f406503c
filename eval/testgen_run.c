/* SPDX-License-Identifier: MIT */
/*
 * testgen_run.c -- tests and mutants are run, by execute_all().
 *
 * A mutant that never ends would cost every test's time limit.  So all mutants
 * first meet a few tests of their task; those that ran out of time there are
 * killed, and meet no others.
 */
#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/problem_internal.h"
#include "eval/testgen_internal.h"

enum {
    N_FIRST = 3,   /* tests that all mutants meet */
    OTHER_SEED = 1 /* for hashes, and for random */
};

/* What is run together; texts are borrowed. */
struct batch {
    struct generated_set tests;
    size_t tests_capacity;
    struct sample_set samples;
    size_t samples_capacity;
    uint32_t *mutants; /* owned: which mutant of its task each sample is */
    size_t mutants_capacity;
    struct matrix matrix;
    bool has_matrix;
};

static enum cwm_rc no_memory(struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_NOMEM, "could not hold the tests");
}

void testgen__task_release(struct testgen__task *t)
{
    for (size_t i = 0; i < t->n_candidates; i++) {
        cwm_free(t->candidates[i].property);
        cwm_free(t->candidates[i].text);
        cwm_free(t->candidates[i].needs);
    }
    for (size_t i = 0; i < t->n_mutants; i++) {
        cwm_free(t->mutants[i]);
    }
    cwm_free(t->candidates);
    cwm_free(t->mutants);
    cwm_free(t->kills);
    cwm_free(t->given);
    cwm_free(t->stopped);
    memset(t, 0, sizeof *t);
}

/* ---- batches ---- */

static void batch_release(struct batch *b)
{
    cwm_free(b->tests.list);
    cwm_free(b->samples.list);
    cwm_free(b->samples.n_of_task);
    cwm_free(b->mutants);
    if (b->has_matrix) {
        matrix_release(&b->matrix);
    }
    memset(b, 0, sizeof *b);
}

static enum cwm_rc batch_init(struct batch *b, size_t n_tasks,
                              struct cwm_err *err)
{
    memset(b, 0, sizeof *b);
    b->samples.n_of_task = cwm_calloc(n_tasks + 1, sizeof(size_t));
    b->samples.n_tasks = n_tasks;
    return b->samples.n_of_task ? CWM_OK : no_memory(err);
}

static enum cwm_rc add_test(struct batch *b, size_t task, char *text,
                            struct cwm_err *err)
{
    struct generated_set *set = &b->tests;
    void *list = set->list;

    if (!problem__grow(&list, set->n, &b->tests_capacity, sizeof *set->list)) {
        return no_memory(err);
    }
    set->list = list;
    set->list[set->n] = (struct generated_test){
        .task = task, .order = set->n, .text = {text, strlen(text)}};
    set->n++;
    return CWM_OK;
}

static enum cwm_rc add_sample(struct batch *b, size_t task,
                              const struct problem_text *text, bool is_whole,
                              size_t mutant, struct cwm_err *err)
{
    struct sample_set *set = &b->samples;
    void *list = set->list;
    void *mutants = b->mutants;
    bool done =
        problem__grow(&list, set->n, &b->samples_capacity, sizeof *set->list);

    set->list = list;
    done = done && problem__grow(&mutants, set->n, &b->mutants_capacity,
                                 sizeof *b->mutants);
    b->mutants = mutants;
    if (!done) {
        return no_memory(err);
    }
    b->mutants[set->n] = (uint32_t)mutant;
    set->list[set->n++] =
        (struct sample){.task = task, .text = *text, .is_whole = is_whole};
    set->n_of_task[task]++;
    return CWM_OK;
}

static enum cwm_rc run(struct batch *b, const struct problem_set *problems,
                       const struct execute_options *how,
                       struct testgen_result *result, struct cwm_err *err)
{
    struct execute_counts counts;
    enum cwm_rc rc = execute_all(problems, &b->samples, &b->tests, how,
                                 &b->matrix, &counts, err);

    if (rc == CWM_OK) {
        b->has_matrix = true;
        result->n_run += counts.n_run;
        result->cpu_us += counts.cpu_us;
        memcpy(result->python, counts.python, sizeof result->python);
    }
    return rc;
}

/* The column of the test's text; the task has it. */
static size_t column_of(const struct batch *b, const struct matrix_task *m,
                        const char *text)
{
    size_t c = 0;

    while (c + 1 < m->n_tests &&
           strcmp(b->tests.list[m->tests[c]].text.data, text) != 0) {
        c++;
    }
    return c;
}

/* ---- do they hold? ---- */

static enum cwm_rc add_reference(struct batch *b,
                                 const struct problem_set *problems,
                                 const struct testgen__task *tasks, size_t task,
                                 struct cwm_err *err)
{
    const struct problem *p = &problems->list[task];
    const struct testgen__task *t = &tasks[task];
    enum cwm_rc rc = CWM_OK;

    if (t->n_candidates == 0) {
        return CWM_OK;
    }
    for (size_t i = 0; i < t->n_candidates && rc == CWM_OK; i++) {
        rc = add_test(b, task, t->candidates[i].text, err);
        if (rc == CWM_OK && t->candidates[i].needs[0]) {
            rc = add_test(b, task, t->candidates[i].needs, err);
        }
    }
    return rc == CWM_OK
               ? add_sample(b, task, &p->canonical, p->whole_canonical, 0, err)
               : rc;
}

/* A value's test that fails under the hashes that its value was made with
 * depends on chance or on a clock. */
static void note_held(const struct batch *b, const struct matrix_task *m,
                      struct testgen__candidate *c, bool is_first)
{
    size_t column = column_of(b, m, c->text);
    bool holds =
        matrix_holds(m, 0, column) &&
        (c->needs[0] == '\0' || matrix_holds(m, 0, column_of(b, m, c->needs)));

    if (is_first) {
        c->holds = holds;
        c->is_unsteady =
            c->kind == TESTGEN_VALUE &&
            m->cells[m->programs[0] * m->n_tests + column] == MATRIX_FAIL;
    } else {
        c->is_unsteady = c->is_unsteady || holds != c->holds;
        c->holds = c->holds && holds;
    }
}

enum cwm_rc testgen__check(const struct problem_set *problems,
                           struct testgen__task *tasks,
                           const struct testgen_options *options,
                           struct testgen_result *result, struct cwm_err *err)
{
    struct execute_options how = options->how;
    enum cwm_rc rc = CWM_OK;

    how.with_own = false;
    for (uint32_t pass = 0; pass < 2 && rc == CWM_OK; pass++) {
        struct batch b;

        how.hash_seed = pass * OTHER_SEED;
        rc = batch_init(&b, problems->n, err);
        for (size_t t = 0; t < problems->n && rc == CWM_OK; t++) {
            rc = add_reference(&b, problems, tasks, t, err);
        }
        if (rc == CWM_OK) {
            rc = run(&b, problems, &how, result, err);
        }
        for (size_t t = 0; t < problems->n && rc == CWM_OK; t++) {
            for (size_t i = 0; i < tasks[t].n_candidates; i++) {
                note_held(&b, &b.matrix.tasks[t], &tasks[t].candidates[i],
                          pass == 0);
            }
        }
        batch_release(&b);
    }
    return rc;
}

/* ---- whom do they kill? ---- */

static bool was_killed(uint8_t cell)
{
    return cell != MATRIX_PASS && cell != MATRIX_NOT_RUN &&
           cell != MATRIX_BAD_TEST;
}

/* Of the tests that hold, [first, end) of each task, and mutants that are
 * still to be run. */
static enum cwm_rc add_mutants(struct batch *b, struct testgen__task *t,
                               size_t task, size_t first, size_t end,
                               struct cwm_err *err)
{
    size_t n_held = 0;
    size_t n_added = 0;
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < t->n_candidates && rc == CWM_OK; i++) {
        if (t->candidates[i].holds && n_held++ >= first && n_held <= end) {
            rc = add_test(b, task, t->candidates[i].text, err);
            n_added++;
        }
    }
    for (size_t k = 0; k < t->n_mutants && n_added > 0 && rc == CWM_OK; k++) {
        struct problem_text text = {t->mutants[k], strlen(t->mutants[k])};

        if (!t->stopped[k]) {
            rc = add_sample(b, task, &text, true, k, err);
        }
    }
    return rc;
}

static void take_kills(const struct batch *b, const struct matrix_task *m,
                       struct testgen__task *t, size_t first, size_t end,
                       bool with_own)
{
    size_t n_held = 0;

    for (size_t c = 0; with_own && c < m->n_candidates; c++) {
        t->given[b->mutants[m->samples[c]]] =
            was_killed(m->own[m->programs[c]]);
    }
    for (size_t i = 0; i < t->n_candidates && m->n_tests > 0; i++) {
        size_t column;

        if (!t->candidates[i].holds || n_held++ < first || n_held > end) {
            continue;
        }
        column = column_of(b, m, t->candidates[i].text);
        for (size_t c = 0; c < m->n_candidates; c++) {
            size_t mutant = b->mutants[m->samples[c]];
            uint8_t cell = m->cells[m->programs[c] * m->n_tests + column];

            t->kills[mutant * t->n_candidates + i] = was_killed(cell);
            t->stopped[mutant] |= cell == MATRIX_TIMEOUT;
        }
    }
}

static enum cwm_rc kill_by(const struct problem_set *problems,
                           struct testgen__task *tasks, size_t first,
                           size_t end, const struct execute_options *how,
                           struct testgen_result *result, struct cwm_err *err)
{
    struct batch b;
    enum cwm_rc rc = batch_init(&b, problems->n, err);

    for (size_t t = 0; t < problems->n && rc == CWM_OK; t++) {
        rc = add_mutants(&b, &tasks[t], t, first, end, err);
    }
    if (rc == CWM_OK && b.samples.n > 0) {
        rc = run(&b, problems, how, result, err);
        for (size_t t = 0; t < problems->n && rc == CWM_OK; t++) {
            take_kills(&b, &b.matrix.tasks[t], &tasks[t], first, end,
                       how->with_own);
        }
    }
    batch_release(&b);
    return rc;
}

enum cwm_rc testgen__kill(const struct problem_set *problems,
                          struct testgen__task *tasks,
                          const struct testgen_options *options,
                          struct testgen_result *result, struct cwm_err *err)
{
    struct execute_options how = options->how;
    enum cwm_rc rc = CWM_OK;

    how.hash_seed = 0;
    how.with_own = options->with_given;
    for (size_t t = 0; t < problems->n && rc == CWM_OK; t++) {
        struct testgen__task *one = &tasks[t];

        one->kills = cwm_calloc(one->n_mutants + 1, one->n_candidates + 1);
        one->given = cwm_calloc(one->n_mutants + 1, 1);
        one->stopped = cwm_calloc(one->n_mutants + 1, 1);
        if (!one->kills || !one->given || !one->stopped) {
            rc = no_memory(err);
        }
    }
    if (rc == CWM_OK) {
        rc = kill_by(problems, tasks, 0, N_FIRST, &how, result, err);
    }
    how.with_own = false;
    return rc == CWM_OK
               ? kill_by(problems, tasks, N_FIRST, SIZE_MAX, &how, result, err)
               : rc;
}
