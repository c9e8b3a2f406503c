/* SPDX-License-Identifier: MIT */
/* problem.c -- problems of benchmarks, read from their own files. */
#include "eval/problem.h"

#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/problem_internal.h"

const char *problem_kind_text(enum problem_kind kind)
{
    switch (kind) {
#define PROBLEM_KIND_CASE(id, text)                                            \
    case PROBLEM_##id:                                                         \
        return text;
        PROBLEM_KIND_TABLE(PROBLEM_KIND_CASE)
#undef PROBLEM_KIND_CASE
    case PROBLEM_N_KINDS:
        break;
    }
    return "kind without a name";
}

/* ---- the index: task ids, hashed, probed one by one ---- */

struct problem_index {
    size_t *slots;  /* owned: place + 1; 0: free */
    size_t n_slots; /* a power of 2, more than half of it free */
};

static size_t hash_text(const char *text, size_t len)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a's */

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)text[i]) * 1099511628211u;
    }
    return (size_t)hash;
}

/* Where the id is, or the free slot that it would take. */
static size_t *find_slot(const struct problem_set *set, const char *task_id,
                         size_t len)
{
    const struct problem_index *index = set->index;

    for (size_t i = hash_text(task_id, len);; i++) {
        size_t *slot = &index->slots[i & (index->n_slots - 1)];
        const struct problem *p = *slot ? &set->list[*slot - 1] : NULL;

        if (!p || (p->task_id.len == len &&
                   memcmp(p->task_id.data, task_id, len) == 0)) {
            return slot;
        }
    }
}

size_t problem_find(const struct problem_set *set, const char *task_id,
                    size_t len)
{
    size_t place = set->index ? *find_slot(set, task_id, len) : 0;

    return place ? place - 1 : PROBLEM_NONE;
}

/* Twice the slots, all problems in them again. */
static bool widen(struct problem_set *set)
{
    struct problem_index *index = set->index;
    size_t n_slots = index->n_slots ? index->n_slots * 2 : 256;
    size_t *slots = cwm_calloc(n_slots, sizeof *slots);

    if (!slots) {
        return false;
    }
    cwm_free(index->slots);
    index->slots = slots;
    index->n_slots = n_slots;
    for (size_t i = 0; i < set->n; i++) {
        const struct problem_text *id = &set->list[i].task_id;

        *find_slot(set, id->data, id->len) = i + 1;
    }
    return true;
}

/* ---- release ---- */

static void problem_release(struct problem *p)
{
    problem__text_release(&p->task_id);
    problem__text_release(&p->prompt);
    problem__text_release(&p->description);
    problem__text_release(&p->entry_point);
    problem__text_release(&p->canonical);
    problem__text_release(&p->test);
    problem__text_release(&p->opening);
    problem__text_release(&p->setup);
    problem__text_release(&p->contract);
    for (size_t i = 0; i < p->n_cases; i++) {
        problem__text_release(&p->cases[i].input);
        problem__text_release(&p->cases[i].output);
    }
    cwm_free(p->cases);
}

void problem_set_release(struct problem_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        problem_release(&set->list[i]);
    }
    cwm_free(set->list);
    if (set->index) {
        cwm_free(set->index->slots);
    }
    cwm_free(set->index);
    memset(set, 0, sizeof *set);
}

/* ---- records ---- */

struct reading {
    struct problem_set *set; /* borrowed */
    size_t capacity;
    char why[96]; /* the record is of no use; or "" */
};

static bool has(struct json_in *record, const char *name)
{
    struct json_in value;

    return json_find(record, name, &value);
}

/* The kind that the record's members tell; -1: none. */
static int kind_of(struct json_in *record)
{
    if (has(record, "public_test_cases")) {
        return PROBLEM_LIVECODE;
    }
    if (has(record, "prompt") && has(record, "entry_point")) {
        return PROBLEM_HUMANEVAL;
    }
    if (has(record, "test_list") ||
        (has(record, "code") && has(record, "test"))) {
        return PROBLEM_MBPP;
    }
    if (has(record, "code") && has(record, "input")) {
        return PROBLEM_CRUXEVAL;
    }
    return has(record, "tests") ? PROBLEM_CONTEST : -1;
}

static bool take_humaneval(struct json_in *record, struct problem *p)
{
    return problem__member(record, "task_id", &p->task_id) &&
           problem__member(record, "prompt", &p->prompt) &&
           problem__member(record, "entry_point", &p->entry_point) &&
           problem__member(record, "canonical_solution", &p->canonical) &&
           problem__member(record, "contract", &p->contract) &&
           problem__member(record, "test", &p->test) &&
           (p->test.data || !has(record, "base_input") ||
            problem__plus_test(record, p));
}

/* The strings of an array, a line each, behind what is in `out`. */
static void add_lines(struct json_in *record, const char *name,
                      struct cwm_buf *out)
{
    struct json_in list;

    if (!json_find(record, name, &list) || !json_open(&list, '[')) {
        return;
    }
    for (bool first = true; json_more(&list, ']', first); first = false) {
        (void)json_string(&list, out);
        cwm_buf_addc(out, '\n');
    }
}

/* Is `name` called in `text`? */
static bool is_called(const char *text, const char *name, size_t len)
{
    for (; *text; text++) {
        if (strncmp(text, name, len) == 0 &&
            text[len + strspn(text + len, " ")] == '(') {
            return true;
        }
    }
    return false;
}

/*
 * MBPP does not name its functions: it is the first one of the solution's
 * that the tests call.
 */
static bool find_entry(struct problem *p)
{
    const char *code = p->canonical.data ? p->canonical.data : "";

    for (const char *at = code; (at = strstr(at, "def ")) != NULL; at += 4) {
        const char *name = at + 4 + strspn(at + 4, " ");
        size_t len = strcspn(name, " (:\r\n\t");

        if ((at == code || at[-1] == '\n') && len > 0 &&
            is_called(p->test.data, name, len)) {
            return problem__copy(&p->entry_point, name, len);
        }
    }
    return problem__copy(&p->entry_point, "", 0);
}

static bool take_mbpp(struct json_in *record, struct problem *p)
{
    struct cwm_buf tests;
    bool done;

    cwm_buf_init(&tests, (size_t)1 << 28);
    add_lines(record, "test_imports", &tests);
    add_lines(record, "test_list", &tests);
    p->whole_canonical = true;
    done = problem__member(record, "task_id", &p->task_id) &&
           problem__member(record, "prompt", &p->description) &&
           problem__member(record, "text", &p->description) &&
           problem__member(record, "code", &p->canonical) &&
           problem__member(record, "test_setup_code", &p->setup) &&
           problem__copy(&p->prompt, "", 0);
    /* The plus form has one text, which holds the list's asserts and more. */
    done = done && problem__member(record, "test", &p->test) &&
           (p->test.data || problem__copy(&p->test, tests.data, tests.len)) &&
           tests.failed == CWM_OK && find_entry(p);
    cwm_buf_release(&tests);
    return done;
}

static bool take_cruxeval(struct json_in *record, struct problem *p)
{
    struct cwm_buf test;
    bool done;

    p->whole_canonical = true;
    p->cases = cwm_calloc(1, sizeof *p->cases);
    done = p->cases != NULL;
    p->n_cases = done;
    done = done && problem__member(record, "id", &p->task_id) &&
           problem__member(record, "code", &p->canonical) &&
           problem__member(record, "input", &p->cases[0].input) &&
           problem__member(record, "output", &p->cases[0].output) &&
           problem__copy(&p->prompt, "", 0) &&
           problem__copy(&p->entry_point, "f", 1);
    if (done && p->cases[0].input.data && p->cases[0].output.data) {
        cwm_buf_init(&test, (size_t)1 << 28);
        cwm_buf_addf(&test, "assert f(%s) == (%s)\n", p->cases[0].input.data,
                     p->cases[0].output.data);
        done = test.failed == CWM_OK &&
               problem__copy(&p->test, test.data, test.len);
        cwm_buf_release(&test);
    }
    return done;
}

/* LiveCodeBench's cases say what they are: calls need a function.  false: no
 * memory. */
static bool look_for_call(struct json_in *one, bool *ret_call)
{
    struct problem_text type = {NULL, 0};
    bool done = problem__member(one, "testtype", &type);

    *ret_call =
        *ret_call || (type.data && strcmp(type.data, "functional") == 0);
    problem__text_release(&type);
    return done;
}

bool problem__take_cases(struct json_in *list, struct problem *p,
                         bool *ret_call)
{
    size_t capacity = p->n_cases;

    if (!json_open(list, '[')) {
        return true;
    }
    for (bool first = true; json_more(list, ']', first); first = false) {
        struct problem_case *one;
        void *cases = p->cases;

        if (!problem__grow(&cases, p->n_cases, &capacity, sizeof *one)) {
            return false;
        }
        p->cases = cases;
        one = &p->cases[p->n_cases++];
        memset(one, 0, sizeof *one);
        if (!look_for_call(list, ret_call) ||
            !problem__member(list, "input", &one->input) ||
            !problem__member(list, "output", &one->output) ||
            !json_skip(list)) {
            return list->failed == CWM_FORMAT;
        }
    }
    return list->failed != CWM_NOMEM;
}

static bool take_contest(struct json_in *record, struct problem *p)
{
    static const char *const ids[] = {"task_id", "id", "name"};
    struct problem_text number = {NULL, 0};
    struct json_in list;
    bool is_call = false; /* no kind of contests' */
    bool done = problem__copy(&p->prompt, "", 0) &&
                problem__copy(&p->entry_point, "", 0) &&
                problem__member(record, "description", &p->description) &&
                problem__member(record, "source", &p->canonical);

    p->whole_canonical = true;
    for (size_t i = 0; i < 3 && done && !p->task_id.data; i++) {
        done = problem__member(record, ids[i], &p->task_id);
    }
    done = done && problem__member(record, "time_limit_ms", &number);
    for (size_t i = 0; i < number.len; i++) {
        p->time_ms = p->time_ms * 10 + (uint64_t)(number.data[i] - '0');
    }
    problem__text_release(&number);
    return done && (!json_find(record, "tests", &list) ||
                    problem__take_cases(&list, p, &is_call));
}

static bool take(struct json_in *record, enum problem_kind kind,
                 struct problem *p, char why[96])
{
    p->kind = kind;
    switch (kind) {
    case PROBLEM_HUMANEVAL:
        return take_humaneval(record, p);
    case PROBLEM_MBPP:
        return take_mbpp(record, p);
    case PROBLEM_CRUXEVAL:
        return take_cruxeval(record, p);
    case PROBLEM_CONTEST:
        return take_contest(record, p);
    case PROBLEM_LIVECODE:
        return problem__livecode(record, p, why, 96);
    case PROBLEM_N_KINDS:
        break;
    }
    return true;
}

static void note_bad(struct problem_set *set, uint64_t line, const char *why)
{
    if (set->n_bad_lines++ == 0) {
        set->first_bad_line = line;
        snprintf(set->first_bad_why, sizeof set->first_bad_why, "%s", why);
    }
}

/* Keeps `p`, or releases it. */
static enum cwm_rc add(struct reading *r, struct problem *p,
                       struct cwm_err *err)
{
    struct problem_set *set = r->set;
    void *list = set->list;
    size_t *slot;

    bool has_room =
        problem__grow(&list, set->n, &r->capacity, sizeof *set->list);

    set->list = list;
    if (!has_room || (2 * set->n >= set->index->n_slots && !widen(set))) {
        problem_release(p);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the problems");
    }
    slot = find_slot(set, p->task_id.data, p->task_id.len);
    if (*slot) {
        set->n_repeated++;
        problem_release(p);
        return CWM_OK;
    }
    set->list[set->n++] = *p;
    *slot = set->n;
    return CWM_OK;
}

static enum cwm_rc use_record(void *ctx, struct json_in *record, uint64_t line,
                              struct cwm_err *err)
{
    struct reading *r = ctx;
    struct problem p;
    bool is_json = json_whole(record);
    int kind = is_json ? kind_of(record) : -1;

    memset(&p, 0, sizeof p);
    if (kind < 0) {
        note_bad(r->set, line, "");
        return CWM_OK;
    }
    r->why[0] = '\0';
    if (!take(record, (enum problem_kind)kind, &p, r->why)) {
        problem_release(&p);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the problems");
    }
    if (r->why[0] || !p.task_id.data || (!p.test.data && p.n_cases == 0)) {
        problem_release(&p);
        note_bad(r->set, line, r->why);
        return CWM_OK;
    }
    return add(r, &p, err);
}

enum cwm_rc problem_set_read(const char *path, struct problem_set *ret_set,
                             struct cwm_err *err)
{
    struct problem_set set = {.list = NULL};
    struct reading r = {.set = &set};
    enum cwm_rc rc;

    set.index = cwm_calloc(1, sizeof *set.index);
    if (!set.index || !widen(&set)) {
        problem_set_release(&set);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the problems");
    }
    rc = problem__each(path, use_record, &r, err);
    if (rc == CWM_OK && set.n == 0) {
        rc = CWM_FAIL(err, CWM_USAGE,
                      "there is no problem in '%s' (%llu records%s%s)\nknown "
                      "are HumanEval, MBPP, CRUXEval, contests' and "
                      "LiveCodeBench records",
                      path, (unsigned long long)set.n_bad_lines,
                      set.first_bad_why[0] ? "; " : "", set.first_bad_why);
    }
    if (rc != CWM_OK) {
        problem_set_release(&set);
        return rc;
    }
    set.kind = set.list[0].kind;
    *ret_set = set;
    return CWM_OK;
}
