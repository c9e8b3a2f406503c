/* SPDX-License-Identifier: MIT */
/*
 * fuzz_problems.c -- any bytes as a file that `cwm eval` reads.
 *
 * The first byte says as which: problems (EvalPlus' and LiveCodeBench's too),
 * samples, generated tests, or the pickle within LiveCodeBench's packed tests.
 * What is read can be used as it is: texts end where they say and in a NUL,
 * places are in range, and counts add up.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "eval/problem.h"
#include "eval/problem_internal.h"
#include "tests/fuzz/fuzz.h"

#define MAX_INPUT_BYTES 65536

static const char known[] =
    "{\"task_id\": \"t/0\", \"prompt\": \"def f(x):\\n\", \"entry_point\": "
    "\"f\", \"canonical_solution\": \"    return x\\n\", \"test\": \"def "
    "check(c):\\n    assert c(1) == 1\\n\"}\n"
    "{\"id\": \"sample_0\", \"code\": \"def f(a):\\n    return a\", \"input\": "
    "\"1\", \"output\": \"1\"}\n"
    "{\"task_id\": 11, \"text\": \"Add\", \"code\": \"def g(a):\\n    return a"
    "\", \"test_list\": [\"assert g(1) == 1\"]}\n";

static void check_text(const struct problem_text *text)
{
    must(text->data ? text->data[text->len] == '\0' : text->len == 0);
}

static void check_problem(const struct problem_set *set, size_t i)
{
    const struct problem *p = &set->list[i];

    must(p->kind < PROBLEM_N_KINDS && p->task_id.data);
    must(p->test.data || p->n_cases > 0);
    must(problem_find(set, p->task_id.data, p->task_id.len) == i);
    check_text(&p->task_id);
    check_text(&p->prompt);
    check_text(&p->description);
    check_text(&p->entry_point);
    check_text(&p->canonical);
    check_text(&p->test);
    check_text(&p->setup);
    check_text(&p->contract);
    for (size_t k = 0; k < p->n_cases; k++) {
        check_text(&p->cases[k].input);
        check_text(&p->cases[k].output);
    }
}

static void check_samples(const struct sample_set *s, size_t n_tasks)
{
    size_t n = 0;

    must(s->n_tasks == n_tasks);
    for (size_t i = 0; i < n_tasks; i++) {
        n += s->n_of_task[i];
    }
    must(n == s->n);
    for (size_t i = 0; i < s->n; i++) {
        must(s->list[i].task < n_tasks && s->list[i].text.data);
        check_text(&s->list[i].text);
    }
}

static void read_problems(const char *path)
{
    struct problem_set set;
    struct sample_set samples;

    if (problem_set_read(path, &set, NULL) != CWM_OK) {
        return;
    }
    must(set.n > 0);
    for (size_t i = 0; i < set.n; i++) {
        check_problem(&set, i);
    }
    if (sample_set_canonical(&set, &samples, NULL) == CWM_OK) {
        check_samples(&samples, set.n);
        sample_set_release(&samples);
    }
    problem_set_release(&set);
}

static void read_samples(const char *path, const struct problem_set *set)
{
    struct sample_set samples;

    if (sample_set_read(path, set, &samples, NULL) == CWM_OK) {
        check_samples(&samples, set->n);
        sample_set_release(&samples);
    }
}

static void read_tests(const char *path, const struct problem_set *set)
{
    struct generated_set tests;

    if (generated_set_read(path, set, 5, &tests, NULL) != CWM_OK) {
        return;
    }
    for (size_t i = 0; i < tests.n; i++) {
        must(tests.list[i].task < set->n && tests.list[i].text.data);
        must(i == 0 || tests.list[i - 1].task <= tests.list[i].task);
        check_text(&tests.list[i].text);
    }
    generated_set_release(&tests);
}

/* The pickle as it is published: so that it is read at all. */
static void read_pickle(const uint8_t *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    uLongf n = compressBound((uLong)len);
    uint8_t *packed = malloc(n + 3);
    char *text = malloc(n * 2 + 8);
    char why[96] = "";
    struct cwm_buf out;
    size_t at = 0;

    must(packed && text && compress(packed, &n, data, (uLong)len) == Z_OK);
    memset(packed + n, 0, 3);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = (uint32_t)packed[i] << 16 |
                        (uint32_t)packed[i + 1] << 8 | packed[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6) {
            text[at++] = digits[bits >> shift & 63];
        }
    }
    cwm_buf_init(&out, MAX_INPUT_BYTES);
    if (problem__unpack(text, at, &out, why, sizeof why)) {
        must(out.len < len &&
             memmem(data, len, out.data ? out.data : "", out.len) != NULL);
    } else {
        must(why[0] != '\0');
    }
    cwm_buf_release(&out);
    free(packed);
    free(text);
}

/* A file of these bytes; its name in path. */
static int open_file(const void *data, size_t len, char path[64])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    must(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct problem_set set;
    char path[64];
    int fd;

    if (len < 1 || len > MAX_INPUT_BYTES) {
        return 0;
    }
    if (data[0] % 4 == 3) {
        read_pickle(data + 1, len - 1);
        return 0;
    }
    fd = open_file(known, sizeof known - 1, path);
    must(problem_set_read(path, &set, NULL) == CWM_OK && set.n == 3);
    close(fd);
    fd = open_file(data + 1, len - 1, path);
    if (data[0] % 4 == 0) {
        read_problems(path);
    } else if (data[0] % 4 == 1) {
        read_samples(path, &set);
    } else {
        read_tests(path, &set);
    }
    close(fd);
    problem_set_release(&set);
    return 0;
}
