/* SPDX-License-Identifier: MIT */
/*
 * execute_program.c -- one program against its tests, in as few runs as are
 * right: the task's own tests have a run to themselves, as they have in every
 * harness; generated tests share one until the candidate's process is gone.
 */
#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/execute_internal.h"
#include "eval/output.h"

#define MAX_TEXT_BYTES ((size_t)1 << 30)

void execute__runner_init(struct execute__runner *r,
                          const struct execute__plan *plan)
{
    memset(r, 0, sizeof *r);
    r->plan = plan;
    cwm_buf_init(&r->program, MAX_TEXT_BYTES);
    cwm_buf_init(&r->own, MAX_TEXT_BYTES);
}

void execute__runner_release(struct execute__runner *r)
{
    judge_close(r->judge);
    cwm_buf_release(&r->program);
    cwm_buf_release(&r->own);
    cwm_free(r->tests);
    cwm_free(r->values);
    memset(r, 0, sizeof *r);
}

static bool reserve(struct execute__runner *r, size_t n)
{
    if (n > r->capacity) {
        cwm_free(r->tests);
        cwm_free(r->values);
        r->tests = cwm_calloc(n, sizeof *r->tests);
        r->values = cwm_calloc(n, sizeof *r->values);
        r->capacity = r->tests && r->values ? n : 0;
    }
    return n <= r->capacity;
}

static uint64_t given_us(uint64_t limit_ms)
{
    return limit_ms * 10 * EXECUTE_GIVEN_PERCENT;
}

static struct judge_text as_text(const struct problem_text *text)
{
    return (struct judge_text){text->data, text->data ? text->len : 0};
}

static struct judge_request request_for(struct execute__runner *r,
                                        const struct problem *p)
{
    const struct execute_options *o = r->plan->options;

    return (struct judge_request){
        .mode = o->compat ? JUDGE_INSIDE : JUDGE_APART,
        .load_limit_us = given_us(o->own_limit_ms),
        .wall_factor = EXECUTE_WALL_FACTOR,
        .program = {r->program.data, r->program.len},
        .prelude = as_text(&p->prompt),
        .entry = p->is_method ? (struct judge_text){"Solution", 8}
                              : as_text(&p->entry_point),
        .reference = p->whole_canonical ? as_text(&p->canonical)
                                        : (struct judge_text){NULL, 0},
        .opening = as_text(&p->opening),
        .setup = as_text(&p->setup),
        .tests = r->tests,
        .tester_us = (uint64_t)o->tester_ms * 1000,
        .watches_loops = !r->is_again};
}

/* ---- the task's own tests ---- */

/* A JSON string is Python's too, but for what lies beyond 16 bits. */
static void add_call_case(struct cwm_buf *out, const struct problem *p,
                          const struct problem_case *c, bool compat)
{
    cwm_buf_adds(out, "assert ");
    cwm_buf_adds(out, compat ? "list_of(Solution()." : "(Solution().");
    cwm_buf_add(out, p->entry_point.data, p->entry_point.len);
    cwm_buf_adds(out, "(*map(value_of, ");
    cwm_buf_add_json(out, c->input.data, c->input.len);
    cwm_buf_adds(out, ".split('\\n')))) == value_of(");
    cwm_buf_add_json(out, c->output.data, c->output.len);
    cwm_buf_adds(out, ")\n");
}

static enum cwm_rc write_own(struct execute__runner *r, const struct problem *p,
                             struct cwm_err *err)
{
    struct cwm_buf *out = &r->own;

    cwm_buf_clear(out);
    if (p->is_method) {
        cwm_buf_adds(out, "import json\ndef value_of(text):\n    return json."
                          "loads(text.encode('utf-16', 'surrogatepass')."
                          "decode('utf-16'))\n");
        /* JSON has no tuples: its own checker takes one for a list, where it
         * is the whole result and nowhere within. */
        cwm_buf_adds(out, r->plan->options->compat
                              ? "def list_of(value):\n    return list(value) "
                                "if isinstance(value, tuple) else value\n"
                              : "");
        for (size_t i = 0; i < p->n_cases; i++) {
            add_call_case(out, p, &p->cases[i], r->plan->options->compat);
        }
    } else {
        cwm_buf_add(out, p->test.data, p->test.len);
        if (p->kind == PROBLEM_HUMANEVAL) {
            cwm_buf_adds(out, "\ncheck(");
            cwm_buf_add(out, p->entry_point.data, p->entry_point.len);
            cwm_buf_adds(out, ")\n");
        }
    }
    return cwm_buf_check(out, "a task's tests", err);
}

/* Loading counts: the limit is for both. */
static void settle(struct matrix_value *value, uint64_t more_us,
                   uint64_t limit_us)
{
    value->cpu_us += (uint32_t)more_us;
    if (value->cpu_us > limit_us &&
        (value->cell == MATRIX_PASS || value->cell == MATRIX_FAIL ||
         value->cell == MATRIX_ERROR)) {
        value->cell = MATRIX_TIMEOUT;
    }
}

static enum cwm_rc run_asserts(struct execute__runner *r,
                               const struct problem *p,
                               struct matrix_value *ret_value,
                               struct cwm_err *err)
{
    const struct execute_options *o = r->plan->options;
    struct judge_request request;
    struct judge_result result;
    enum cwm_rc rc = write_own(r, p, err);

    if (rc == CWM_OK && !reserve(r, 1)) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold the tests");
    }
    if (rc != CWM_OK) {
        return rc;
    }
    r->tests[0] = (struct judge_test){.limit_us = given_us(o->own_limit_ms),
                                      .text = r->own.data,
                                      .len = r->own.len};
    request = request_for(r, p);
    request.n_tests = 1;
    rc = judge_run(r->judge, &request, o->cancel, ret_value, &result, err);
    if (rc == CWM_OK) {
        r->cpu_us += result.cpu_us;
        settle(ret_value,
               result.state == JUDGE_UNLOADED ? 0 : result.load_cpu_us,
               (uint64_t)o->own_limit_ms * 1000);
    }
    return rc;
}

static bool is_right_output(const struct problem *p,
                            const struct judge_text *output,
                            const struct problem_text *expected)
{
    return p->kind == PROBLEM_LIVECODE
               ? output_is_same_livecode(output->data, output->len,
                                         expected->data, expected->len)
               : output_is_same(output->data, output->len, expected->data,
                                expected->len);
}

/* Each case is a run; the first one that is not right is the verdict. */
static enum cwm_rc run_cases(struct execute__runner *r, const struct problem *p,
                             struct matrix_value *ret_value,
                             struct cwm_err *err)
{
    const struct execute_options *o = r->plan->options;
    const uint64_t limit_ms = p->time_ms ? p->time_ms : o->own_limit_ms;
    const struct judge_text program = {r->program.data, r->program.len};
    const struct judge_text opening = as_text(&p->opening);
    struct matrix_value worst = {.cell = MATRIX_PASS, .n_runs = 1};

    for (size_t i = 0; i < p->n_cases && worst.cell == MATRIX_PASS; i++) {
        const struct judge_text input = as_text(&p->cases[i].input);
        struct matrix_value value;
        struct judge_text output;
        enum cwm_rc rc = judge_script(r->judge, &program, &opening, &input,
                                      given_us(limit_ms), EXECUTE_WALL_FACTOR,
                                      o->cancel, &value, &output, err);

        if (rc != CWM_OK) {
            return rc;
        }
        r->cpu_us += value.cpu_us;
        if (value.cell == MATRIX_PASS &&
            !is_right_output(p, &output, &p->cases[i].output)) {
            value.cell = MATRIX_FAIL;
        }
        settle(&value, 0, limit_ms * 1000);
        if (value.cell != MATRIX_PASS || value.cpu_us > worst.cpu_us) {
            worst = value;
        }
    }
    *ret_value = worst;
    return CWM_OK;
}

static bool is_blank(const struct problem_text *text)
{
    return text->len == strspn(text->data, " \t\r\n\f\v");
}

static enum cwm_rc run_own(struct execute__runner *r,
                           const struct execute__job *job,
                           struct matrix_value *ret_value, struct cwm_err *err)
{
    const struct problem *p = &r->plan->problems->list[job->task];

    if (is_blank(&r->plan->samples->list[job->sample].text)) {
        *ret_value = (struct matrix_value){.cell = MATRIX_EMPTY, .n_runs = 1};
        return CWM_OK;
    }
    if (p->n_cases > 0 && !p->is_method && !p->test.data) {
        return run_cases(r, p, ret_value, err);
    }
    return run_asserts(r, p, ret_value, err);
}

/* ---- generated tests ---- */

/* Those of a job's columns that have no verdict yet, as they will be run. */
struct left {
    const uint32_t *columns;    /* borrowed */
    struct matrix_value *cells; /* borrowed: one for each column */
    size_t *list;               /* owned: places of both */
    size_t n;
};

/* What the first `n_done` of those left got. */
static void take_values(struct execute__runner *r, size_t n_done,
                        struct left *left)
{
    const uint64_t limit_ms = r->plan->options->cell_limit_ms;

    for (size_t i = 0; i < n_done; i++) {
        settle(&r->values[i], 0, limit_ms * 1000);
        left->cells[left->list[i]] = r->values[i];
    }
    left->n -= n_done;
    memmove(left->list, left->list + n_done, left->n * sizeof *left->list);
}

/*
 * Test `last` was ended at its limit.  Where it was the first that its process
 * ran, others with the same call do the same to the same process: they have
 * its verdict.  Else they come first in the next one, and then it is so.
 */
static void share_timeout(const uint32_t *calls, size_t last, bool was_first,
                          struct left *left)
{
    const uint32_t call = calls[left->columns[last]];
    size_t n_same = 0;
    size_t n = 0;

    for (size_t i = 0; i < left->n; i++) {
        const size_t one = left->list[i];

        if (calls[left->columns[one]] != call) {
            continue;
        }
        if (was_first) {
            left->cells[one] = left->cells[last];
            left->list[i] = SIZE_MAX;
        } else {
            memmove(left->list + n_same + 1, left->list + n_same,
                    (i - n_same) * sizeof *left->list);
            left->list[n_same++] = one;
        }
    }
    for (size_t i = 0; i < left->n; i++) {
        if (left->list[i] != SIZE_MAX) {
            left->list[n++] = left->list[i];
        }
    }
    left->n = n;
}

/* Objects of the program's own may take their time when they are compared:
 * then it is not the call alone that decides. */
static bool has_operators(const struct execute__runner *r)
{
    return memmem(r->program.data, r->program.len, "def __", 6) != NULL;
}

static const struct problem_text *text_of(const struct execute__runner *r,
                                          const struct execute__job *job,
                                          uint32_t column)
{
    const struct matrix_task *m = &r->plan->matrix->tasks[job->task];

    return &r->plan->tests->list[m->tests[column]].text;
}

/* The next run's tests: those that seem plain, then the others. */
static size_t choose_tests(struct execute__runner *r,
                           const struct execute__job *job,
                           const struct left *left)
{
    bool is_plain = false;
    size_t n = 0;

    while (n < left->n && n < JUDGE_MAX_TESTS) {
        const struct problem_text *text =
            text_of(r, job, left->columns[left->list[n]]);
        bool seems_plain = judge_seems_plain(text->data, text->len);

        if (n > 0 && seems_plain != is_plain) {
            break;
        }
        is_plain = seems_plain;
        r->tests[n++] = (struct judge_test){
            .limit_us = given_us(r->plan->options->cell_limit_ms),
            .text = text->data,
            .len = text->len};
    }
    return n;
}

/* As many of those left as one run takes. */
static enum cwm_rc run_left(struct execute__runner *r,
                            const struct execute__job *job, struct left *left,
                            struct cwm_err *err)
{
    const struct execute__plan *plan = r->plan;
    const uint64_t given = given_us(plan->options->cell_limit_ms);
    struct judge_request request =
        request_for(r, &plan->problems->list[job->task]);
    struct judge_result result;
    const struct matrix_value *value;
    size_t last;
    enum cwm_rc rc;

    request.n_tests = choose_tests(r, job, left);
    rc = judge_run(r->judge, &request, plan->options->cancel, r->values,
                   &result, err);
    if (rc == CWM_OK && result.n_done == 0) {
        rc = CWM_FAIL(err, CWM_SYSTEM, "a run came to nothing");
    }
    if (rc != CWM_OK) {
        return rc;
    }
    r->cpu_us += result.cpu_us;
    last = left->list[result.n_done - 1];
    take_values(r, result.n_done, left);
    value = &left->cells[last];
    if (value->cell == MATRIX_TIMEOUT && value->cpu_us >= given &&
        !has_operators(r)) {
        share_timeout(plan->calls[job->task], last, result.n_done == 1, left);
    }
    return CWM_OK;
}

/* columns[0..n) of the job, from the first one until none is left. */
static enum cwm_rc run_columns(struct execute__runner *r,
                               const struct execute__job *job,
                               const uint32_t *columns, size_t n,
                               struct matrix_value *cells, struct cwm_err *err)
{
    struct left left = {.columns = columns, .cells = cells};
    enum cwm_rc rc = CWM_OK;

    left.list = cwm_calloc(n + 1, sizeof *left.list);
    if (!left.list || !reserve(r, n)) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold the tests");
    }
    for (int other = 0; left.list && other < 2; other++) {
        for (size_t i = 0; i < n; i++) {
            const struct problem_text *text = text_of(r, job, columns[i]);

            if (judge_seems_plain(text->data, text->len) != (other != 0)) {
                left.list[left.n++] = i;
            }
        }
    }
    while (rc == CWM_OK && left.n > 0) {
        rc = run_left(r, job, &left, err);
    }
    cwm_free(left.list);
    return rc;
}

enum cwm_rc execute__run(struct execute__runner *r, struct execute__job *job,
                         struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    struct matrix_value *cells = NULL; /* owned */

    execute__program(r->plan, job->sample, &r->program);
    rc = cwm_buf_check(&r->program, "a program", err);
    if (rc == CWM_OK && job->wants_own) {
        rc = run_own(r, job, &job->own, err);
    }
    if (rc == CWM_OK && job->n_columns > 0) {
        cells = cwm_calloc(job->n_columns, sizeof *cells);
        rc = cells
                 ? run_columns(r, job, job->columns, job->n_columns, cells, err)
                 : CWM_FAIL(err, CWM_NOMEM, "could not hold the verdicts");
        for (size_t i = 0; rc == CWM_OK && i < job->n_columns; i++) {
            job->cells[job->columns[i]] = cells[i];
        }
    }
    cwm_free(cells);
    job->has_run = rc == CWM_OK;
    return rc;
}

/* ---- near misses ---- */

static bool is_near(const struct matrix_value *value, uint64_t limit_ms)
{
    const uint64_t least = limit_ms * 10 * EXECUTE_NEAR_LEAST_PERCENT;

    /* Ended by the wall's clock, although it had CPU time left. */
    if (value->cell == MATRIX_TIMEOUT && value->cpu_us < given_us(limit_ms)) {
        return true;
    }
    return value->cell != MATRIX_TIMEOUT && value->cpu_us > least;
}

/* The one that took less is the truth: nothing makes a program faster. */
static void take_better(struct matrix_value *old,
                        const struct matrix_value *now)
{
    uint32_t n_runs = old->n_runs + 1;

    if (old->cell == MATRIX_TIMEOUT || now->cpu_us < old->cpu_us) {
        *old = *now;
    }
    old->n_runs = n_runs;
}

static enum cwm_rc own_again(struct execute__runner *r,
                             struct execute__job *job, uint64_t *ret_n,
                             struct cwm_err *err)
{
    const struct problem *p = &r->plan->problems->list[job->task];
    const uint64_t limit_ms =
        p->time_ms ? p->time_ms : r->plan->options->own_limit_ms;
    enum cwm_rc rc = CWM_OK;

    for (unsigned i = 0; rc == CWM_OK && i < EXECUTE_RUNS_ALONE &&
                         job->wants_own && is_near(&job->own, limit_ms);
         i++) {
        struct matrix_value now;

        rc = run_own(r, job, &now, err);
        if (rc == CWM_OK) {
            take_better(&job->own, &now);
            *ret_n += i == 0;
        }
    }
    return rc;
}

enum cwm_rc execute__run_again(struct execute__runner *r,
                               struct execute__job *job, uint64_t *ret_n,
                               struct cwm_err *err)
{
    const uint64_t limit_ms = r->plan->options->cell_limit_ms;
    enum cwm_rc rc;

    execute__program(r->plan, job->sample, &r->program);
    r->is_again = true;
    rc = own_again(r, job, ret_n, err);
    for (size_t i = 0; rc == CWM_OK && i < job->n_columns; i++) {
        struct matrix_value *cell = &job->cells[job->columns[i]];

        for (unsigned k = 0;
             rc == CWM_OK && k < EXECUTE_RUNS_ALONE && is_near(cell, limit_ms);
             k++) {
            struct matrix_value now = {.cell = MATRIX_NOT_RUN};

            rc = run_columns(r, job, &job->columns[i], 1, &now, err);
            if (rc == CWM_OK) {
                take_better(cell, &now);
                *ret_n += k == 0;
            }
        }
    }
    r->is_again = false;
    return rc;
}
