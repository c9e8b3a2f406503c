/* SPDX-License-Identifier: MIT */
/* judge.c -- requests to a warm worker, verdicts out of its memory. */
#include "eval/judge.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/workers.h"

enum {
    MAX_TASKS = 64, /* threads, as for traced runs */
    MAX_OPEN_FILES = 256,
    MAX_FILES = 4096,
    DISK_BYTES = 64 << 20,
    /* Programs whose output is compared print less; the others' is lost. */
    OUTPUT_BYTES = 64 << 20,
    MAX_REQUEST_BYTES = 256 << 20,
    MAX_PATH_BYTES = 1024
};

/* What the tests' own code may take besides the candidate's time. */
#define TESTER_US 10000000u

struct judge {
    struct sandbox *sandbox; /* owned */
    uint64_t memory_bytes;
    struct cwm_buf request;
    struct cwm_buf out;
    struct cwm_buf err_out;
};

/* The judge's program lies beside the tracer's. */
static enum cwm_rc find_program(const struct worker_program *worker,
                                char path[MAX_PATH_BYTES], struct cwm_err *err)
{
    static const char theirs[] = "cwm-worker-";
    const char *name = strrchr(worker->about.path, '/');
    int n;

    name = name ? name + 1 : worker->about.path;
    if (strncmp(name, theirs, sizeof theirs - 1) != 0) {
        return CWM_FAIL(err, CWM_MISSING, "'%s' is no worker of cwm's",
                        worker->about.path);
    }
    n = snprintf(path, MAX_PATH_BYTES, "%.*scwm-judge-%s",
                 (int)(name - worker->about.path), worker->about.path,
                 name + sizeof theirs - 1);
    if (n < 0 || n >= MAX_PATH_BYTES) {
        return CWM_FAIL(err, CWM_LIMIT, "the worker's path is too long");
    }
    return CWM_OK;
}

enum cwm_rc judge_open(const struct judge_options *options,
                       struct judge **ret_judge, struct cwm_err *err)
{
    const struct worker_program *worker = options->worker;
    struct judge *j = cwm_calloc(1, sizeof *j); /* owned */
    const char *args[5] = {NULL};
    char seed[16];
    char path[MAX_PATH_BYTES] = "";
    struct sandbox_policy policy = {0};
    enum cwm_rc rc;

    if (!j) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a judge");
    }
    cwm_buf_init(&j->request, MAX_REQUEST_BYTES);
    cwm_buf_init(&j->out, SIZE_MAX / 2);
    cwm_buf_init(&j->err_out, SIZE_MAX / 2);
    j->memory_bytes = (uint64_t)options->memory_mb << 20;
    rc = find_program(worker, path, err);
    if (rc == CWM_OK) {
        size_t n_args = 0;

        if (worker->python) {
            args[n_args++] = "--python";
            args[n_args++] = worker->python;
        }
        if (options->hash_seed) {
            snprintf(seed, sizeof seed, "%u", options->hash_seed);
            args[n_args++] = "--hash-seed";
            args[n_args++] = seed;
        }
        policy.worker_path = path;
        policy.read_paths = (const char *const *)worker->read_paths;
        policy.shared_bytes =
            JUDGE_HEAD_BYTES + JUDGE_CELL_BYTES * (JUDGE_MAX_TESTS + 1);
        policy.allow_missing = options->allow_missing;
        policy.worker_args = args;
        rc = sandbox_open(&policy, &j->sandbox, err);
    }
    if (rc == CWM_OK) {
        *ret_judge = j;
        j = NULL;
    }
    judge_close(j);
    return rc;
}

void judge_close(struct judge *j)
{
    if (!j) {
        return;
    }
    sandbox_close(j->sandbox);
    cwm_buf_release(&j->request);
    cwm_buf_release(&j->out);
    cwm_buf_release(&j->err_out);
    cwm_free(j);
}

static struct sandbox_limits limits_for(const struct judge *j, uint64_t cpu_us,
                                        uint64_t wall_us)
{
    return (struct sandbox_limits){.cpu_ms = cpu_us / 1000 + 1,
                                   .wall_ms = wall_us / 1000 + 1,
                                   .memory_bytes = j->memory_bytes,
                                   .disk_bytes = DISK_BYTES,
                                   .disk_files = MAX_FILES,
                                   .output_bytes = OUTPUT_BYTES,
                                   .tasks = MAX_TASKS,
                                   .open_files = MAX_OPEN_FILES};
}

/* The kernel's word on a run that did not end by itself. */
static enum matrix_cell cell_of_end(const struct sandbox_verdict *verdict)
{
    switch (verdict->end) {
    case SANDBOX_END_CPU_TIME:
    case SANDBOX_END_WALL_TIME:
        return MATRIX_TIMEOUT;
    case SANDBOX_END_MEMORY:
        return MATRIX_MEMORY;
    case SANDBOX_END_OUTPUT:
        return MATRIX_OUTPUT;
    case SANDBOX_END_DENIED:
        return MATRIX_DENIED;
    case SANDBOX_END_SIGNALLED:
        /* The timer of the tests' own process. */
        return verdict->code == SIGPROF ? MATRIX_TIMEOUT : MATRIX_CRASH;
    case SANDBOX_END_EXITED:
        return MATRIX_CRASH;
    }
    return MATRIX_CRASH;
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static enum matrix_cell cell_at(const uint8_t *p)
{
    uint32_t cell = get_u32(p);

    return cell > MATRIX_NOT_RUN && cell < MATRIX_N_CELLS
               ? (enum matrix_cell)cell
               : MATRIX_CRASH;
}

static struct matrix_value value_at(const uint8_t *p)
{
    return (struct matrix_value){.cell = (uint8_t)cell_at(p),
                                 .cpu_us = get_u32(p + 4),
                                 .wall_us = get_u32(p + 8),
                                 .n_runs = 1};
}

/* The verdicts as they lie in the shared memory. */
static void read_cells(const uint8_t *shared,
                       const struct sandbox_verdict *verdict, size_t n_tests,
                       struct matrix_value *cells, struct judge_result *result)
{
    size_t n = get_u32(shared);
    uint32_t state = get_u32(shared + 4);

    n = n < n_tests ? n : n_tests;
    result->state =
        state <= JUDGE_UNATTENDED ? (enum judge_state)state : JUDGE_BROKEN;
    result->load_cpu_us = get_u32(shared + 8);
    result->load_wall_us = get_u32(shared + 12);
    for (size_t i = 0; i < n_tests; i++) {
        const uint8_t *at = shared + JUDGE_HEAD_BYTES + JUDGE_CELL_BYTES * i;

        cells[i] = (struct matrix_value){.cell = MATRIX_NOT_RUN};
        if (i < n) {
            cells[i] = value_at(at);
        } else if (result->state == JUDGE_UNLOADED && n > 0) {
            cells[i] = cells[0];
            if (cells[i].cell != MATRIX_TIMEOUT) {
                cells[i].cpu_us = 0; /* it was used once */
            }
        }
    }
    /* Ended from outside: the test under way bears it. */
    if (n < n_tests && result->state == JUDGE_STARTED) {
        cells[n] = (struct matrix_value){.cell = (uint8_t)cell_of_end(verdict),
                                         .cpu_us = (uint32_t)verdict->cpu_us,
                                         .wall_us = (uint32_t)verdict->wall_us,
                                         .n_runs = 1};
        n++;
    }
    result->n_done = result->state == JUDGE_UNLOADED ? n_tests : n;
}

/* Sums that cannot overflow: limits are minutes, tests thousands. */
static uint64_t all_limits_us(const struct judge_request *request)
{
    uint64_t sum = request->load_limit_us;

    for (size_t i = 0; i < request->n_tests; i++) {
        sum += request->tests[i].limit_us;
    }
    return sum;
}

bool judge_seems_plain(const char *test, size_t len)
{
    return !memmem(test, len, "import ", 7) && !memmem(test, len, "class ", 6);
}

static bool seem_plain(const struct judge_request *request)
{
    for (size_t i = 0; i < request->n_tests; i++) {
        const struct judge_test *test = &request->tests[i];

        if (!judge_seems_plain(test->text, test->len)) {
            return request->mode == JUDGE_INSIDE;
        }
    }
    return true;
}

enum cwm_rc judge_run(struct judge *j, const struct judge_request *request,
                      const volatile int *cancel, struct matrix_value *cells,
                      struct judge_result *ret_result, struct cwm_err *err)
{
    const uint64_t cpu_us = all_limits_us(request);
    const uint64_t tester_us =
        request->tester_us ? request->tester_us : TESTER_US;
    struct sandbox_limits limits = limits_for(
        j, cpu_us + tester_us, cpu_us * request->wall_factor + 4 * tester_us);
    struct judge_request own = *request;
    struct judge_result result = {.state = JUDGE_STARTED};
    struct sandbox_verdict verdict;
    const uint8_t *shared;
    size_t len;
    enum cwm_rc rc;

    if (request->n_tests == 0 || request->n_tests > JUDGE_MAX_TESTS) {
        return CWM_FAIL(err, CWM_LIMIT, "cannot run %zu tests at once",
                        request->n_tests);
    }
    own.tester_us = tester_us;
    own.memory_bytes = j->memory_bytes;
    rc = judge_request_write(&own, &j->request, err);
    limits.is_attended = seem_plain(request);
    do {
        if (rc == CWM_OK) {
            rc = sandbox_run(j->sandbox, j->request.data, j->request.len, "", 0,
                             &limits, cancel, &verdict, &j->out, &j->err_out,
                             err);
        }
        if (rc != CWM_OK) {
            return rc;
        }
        shared = sandbox_shared(j->sandbox, &len);
        read_cells(shared, &verdict, request->n_tests, cells, &result);
        limits.is_attended = false;
    } while (result.state == JUDGE_UNATTENDED);
    result.end = verdict.end;
    result.code = verdict.code;
    result.cpu_us = verdict.cpu_us;
    result.wall_us = verdict.wall_us;
    if (result.state == JUDGE_BROKEN) {
        return CWM_FAIL(err, CWM_SYSTEM,
                        "the judge's worker could not do its part");
    }
    *ret_result = result;
    return CWM_OK;
}

/* The program can write to the shared memory, too: it may claim that it failed
 * for another reason than it did. */
static enum matrix_cell cell_of_script(struct judge *j,
                                       const struct sandbox_verdict *verdict)
{
    size_t len;

    if (verdict->end != SANDBOX_END_EXITED) {
        return cell_of_end(verdict);
    }
    if (verdict->code == 0) {
        return MATRIX_PASS;
    }
    return get_u32(sandbox_shared(j->sandbox, &len) + 4) == JUDGE_UNLOADED
               ? MATRIX_SYNTAX
               : MATRIX_ERROR;
}

enum cwm_rc judge_script(struct judge *j, const struct judge_text *program,
                         const struct judge_text *opening,
                         const struct judge_text *input, uint64_t limit_us,
                         uint64_t wall_factor, const volatile int *cancel,
                         struct matrix_value *ret_value,
                         struct judge_text *ret_output, struct cwm_err *err)
{
    const struct judge_text none = {NULL, 0};
    const struct judge_request request = {.mode = JUDGE_SCRIPT,
                                          .opening = opening ? *opening : none,
                                          .program = *program};
    const struct sandbox_limits limits =
        limits_for(j, limit_us, limit_us * wall_factor + 2000000u);
    struct sandbox_verdict verdict;
    enum cwm_rc rc = judge_request_write(&request, &j->request, err);

    if (rc == CWM_OK) {
        rc = sandbox_run(j->sandbox, j->request.data, j->request.len,
                         input->data, input->len, &limits, cancel, &verdict,
                         &j->out, &j->err_out, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    *ret_value = (struct matrix_value){.cpu_us = (uint32_t)verdict.cpu_us,
                                       .wall_us = (uint32_t)verdict.wall_us,
                                       .n_runs = 1};
    ret_value->cell = (uint8_t)cell_of_script(j, &verdict);
    ret_output->data = j->out.data ? j->out.data : "";
    ret_output->len = j->out.len;
    return CWM_OK;
}
