/* SPDX-License-Identifier: MIT */
/* samples.c -- samples of solutions, in every form that people write them. */
#include <string.h>

#include "cwm/base/alloc.h"
#include "eval/problem_internal.h"

struct reading {
    const struct problem_set *problems; /* borrowed */
    struct sample_set *set;             /* borrowed */
    size_t capacity;
};

void sample_set_release(struct sample_set *samples)
{
    for (size_t i = 0; i < samples->n; i++) {
        problem__text_release(&samples->list[i].text);
    }
    cwm_free(samples->list);
    cwm_free(samples->n_of_task);
    memset(samples, 0, sizeof *samples);
}

static enum cwm_rc no_memory(struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_NOMEM, "could not hold the samples");
}

static void note_bad(struct sample_set *set, uint64_t line)
{
    if (set->n_bad_lines++ == 0) {
        set->first_bad_line = line;
    }
}

/* Takes `text` over. */
static enum cwm_rc add(struct reading *r, size_t task, struct problem_text text,
                       bool is_whole, uint64_t line, struct cwm_err *err)
{
    struct sample_set *set = r->set;
    void *list = set->list;

    if (!problem__grow(&list, set->n, &r->capacity, sizeof *set->list)) {
        problem__text_release(&text);
        return no_memory(err);
    }
    set->list = list;
    set->list[set->n++] = (struct sample){
        .task = task, .text = text, .is_whole = is_whole, .line = line};
    set->n_of_task[task]++;
    set->n_empty += problem__is_blank(&text);
    return CWM_OK;
}

/* A string, or an array of strings; *ret_n: how many there were. */
static enum cwm_rc add_all(struct reading *r, struct json_in *value,
                           size_t task, bool is_whole, uint64_t line,
                           size_t *ret_n, struct cwm_err *err)
{
    struct cwm_buf text;
    enum cwm_rc rc = CWM_OK;
    bool is_list = json_peek(value) == '[';
    bool first = true;

    *ret_n = 0;
    cwm_buf_init(&text, (size_t)1 << 30);
    if (is_list) {
        (void)json_open(value, '[');
    }
    while (rc == CWM_OK && (is_list ? json_more(value, ']', first) : first)) {
        struct problem_text copy = {NULL, 0};

        first = false;
        cwm_buf_clear(&text);
        if (json_peek(value) != '"') {
            if (!json_skip(value)) {
                break;
            }
            /* null, a number: an empty sample, so that the rest counts, and
             * it, too */
            note_bad(r->set, line);
            rc = problem__copy(&copy, "", 0)
                     ? add(r, task, copy, is_whole, line, err)
                     : no_memory(err);
            ++*ret_n;
            continue;
        }
        if (!json_string(value, &text)) {
            break;
        }
        rc = problem__copy(&copy, text.data, text.len)
                 ? add(r, task, copy, is_whole, line, err)
                 : no_memory(err);
        ++*ret_n;
    }
    if (rc == CWM_OK && text.failed == CWM_NOMEM) {
        rc = no_memory(err);
    }
    cwm_buf_release(&text);
    return rc;
}

static void note_wrong(struct sample_set *set, const struct problem_text *id,
                       uint64_t line)
{
    if (set->n_wrong_id++ == 0) {
        size_t len = id->len < sizeof set->first_wrong_id - 1
                         ? id->len
                         : sizeof set->first_wrong_id - 1;

        memcpy(set->first_wrong_id, id->data ? id->data : "", len);
        set->first_wrong_line = line;
    }
}

/* ---- task_id with completion or solution ---- */

static enum cwm_rc use_named(struct reading *r, struct json_in *record,
                             const struct problem_text *id, uint64_t line,
                             struct cwm_err *err)
{
    /* EvalPlus' own order: a whole program goes before a part. */
    static const char *const names[] = {"solution", "completion", "solutions",
                                        "completions"};
    size_t task = problem_find(r->problems, id->data, id->len);
    enum cwm_rc rc = CWM_OK;
    struct json_in value;
    size_t n = 0;

    if (task == PROBLEM_NONE) {
        note_wrong(r->set, id, line);
        return CWM_OK;
    }
    /* First what is text, then what is there. */
    for (size_t i = 0; i < 8 && rc == CWM_OK && n == 0; i++) {
        size_t before = r->set->n;

        if (!json_find(record, names[i % 4], &value) ||
            (i < 4 && json_peek(&value) != '"' && json_peek(&value) != '[')) {
            continue;
        }
        rc = add_all(r, &value, task, i % 2 == 0, line, &n, err);
        if (rc == CWM_OK && r->set->n == before + 1 &&
            json_find(record, "n_tokens", &value)) {
            (void)json_count(&value, &r->set->list[before].n_tokens);
        }
    }
    if (n == 0) {
        note_bad(r->set, line);
    }
    return rc;
}

/* ---- CodeT's: prompt, samples ---- */

/* What is behind them is no longer the function: CodeT cuts there. */
static const char *const stops[] = {"\nclass", "\ndef", "\n#", "\nif",
                                    "\nprint"};

static void cut(struct problem_text *text)
{
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        char *at = memmem(text->data, text->len, stops[i], strlen(stops[i]));

        if (at) {
            *at = '\0';
            text->len = (size_t)(at - text->data);
        }
    }
}

/* The problem whose prompt this is. */
static size_t find_prompt(const struct problem_set *problems,
                          const struct problem_text *prompt)
{
    for (size_t i = 0; i < problems->n; i++) {
        const struct problem_text *own = &problems->list[i].prompt;

        if (own->len == prompt->len &&
            memcmp(own->data, prompt->data, own->len) == 0) {
            return i;
        }
    }
    return PROBLEM_NONE;
}

static enum cwm_rc use_prompt(struct reading *r, struct json_in *record,
                              const struct problem_text *prompt, uint64_t line,
                              struct cwm_err *err)
{
    size_t task = find_prompt(r->problems, prompt);
    size_t before = r->set->n;
    struct json_in value;
    enum cwm_rc rc;
    size_t n;

    if (task == PROBLEM_NONE) {
        note_wrong(r->set, prompt, line);
        return CWM_OK;
    }
    if (!json_find(record, "samples", &value)) {
        note_bad(r->set, line);
        return CWM_OK;
    }
    rc = add_all(r, &value, task, false, line, &n, err);
    for (size_t i = before; i < r->set->n; i++) {
        cut(&r->set->list[i].text);
    }
    return rc;
}

/* ---- CRUXEval's recorded generations: {"raw_generations": {id: [...]}}, or
 * what stands in it ---- */

static enum cwm_rc use_generations(struct reading *r, struct json_in *all,
                                   struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    struct cwm_buf id;

    cwm_buf_init(&id, 1u << 20);
    (void)json_open(all, '{');
    for (bool first = true; rc == CWM_OK && json_more(all, '}', first);
         first = false) {
        size_t task;
        size_t n;

        cwm_buf_clear(&id);
        (void)json_key(all, &id);
        task = problem_find(r->problems, id.data ? id.data : "", id.len);
        if (task == PROBLEM_NONE) {
            const struct problem_text name = {id.data, id.len};

            note_wrong(r->set, &name, 1);
            (void)json_skip(all);
        } else {
            rc = add_all(r, all, task, true, 1, &n, err);
            if (n == 0) {
                note_bad(r->set, 1);
            }
        }
    }
    if (rc == CWM_OK && (id.failed == CWM_NOMEM || all->failed == CWM_NOMEM)) {
        rc = no_memory(err);
    }
    cwm_buf_release(&id);
    return rc;
}

/* Is one of its members called as a problem is?  CRUXEval's scorer takes them
 * without anything round them. */
static bool names_problems(const struct reading *r, struct json_in record)
{
    struct cwm_buf id;
    bool found = false;

    cwm_buf_init(&id, 1u << 20);
    (void)json_open(&record, '{');
    for (bool first = true; !found && json_more(&record, '}', first);
         first = false) {
        cwm_buf_clear(&id);
        (void)json_key(&record, &id);
        found = id.data &&
                problem_find(r->problems, id.data, id.len) != PROBLEM_NONE;
        (void)json_skip(&record);
    }
    cwm_buf_release(&id);
    return found;
}

static enum cwm_rc use_record(void *ctx, struct json_in *record, uint64_t line,
                              struct cwm_err *err)
{
    struct problem_text id = {NULL, 0};
    struct reading *r = ctx;
    struct json_in value;
    enum cwm_rc rc = CWM_OK;

    if (!json_whole(record)) {
        note_bad(r->set, line);
    } else if (json_find(record, "raw_generations", &value)) {
        rc = use_generations(r, &value, err);
    } else if (!problem__member(record, "task_id", &id)) {
        rc = no_memory(err);
    } else if (id.data) {
        rc = use_named(r, record, &id, line, err);
    } else if (!problem__member(record, "prompt", &id)) {
        rc = no_memory(err);
    } else if (id.data) {
        rc = use_prompt(r, record, &id, line, err);
    } else if (names_problems(r, *record)) {
        rc = use_generations(r, record, err);
    } else {
        note_bad(r->set, line);
    }
    problem__text_release(&id);
    return rc;
}

static enum cwm_rc start(const struct problem_set *problems,
                         struct sample_set *set, struct cwm_err *err)
{
    memset(set, 0, sizeof *set);
    set->n_tasks = problems->n;
    set->n_of_task = cwm_calloc(problems->n + 1, sizeof *set->n_of_task);
    return set->n_of_task ? CWM_OK : no_memory(err);
}

static void count_missing(struct sample_set *set)
{
    for (size_t i = 0; i < set->n_tasks; i++) {
        set->n_missing += set->n_of_task[i] == 0;
    }
}

enum cwm_rc sample_set_read(const char *path, const struct problem_set *set,
                            struct sample_set *ret_samples, struct cwm_err *err)
{
    struct sample_set samples;
    struct reading r = {.problems = set, .set = &samples};
    enum cwm_rc rc = start(set, &samples, err);

    if (rc == CWM_OK) {
        rc = problem__each(path, use_record, &r, err);
    }
    if (rc == CWM_OK && samples.n == 0) {
        rc = CWM_FAIL(err, CWM_USAGE,
                      "there is no sample for these problems in '%s' (%llu of "
                      "other problems, %llu lines that are none)",
                      path, (unsigned long long)samples.n_wrong_id,
                      (unsigned long long)samples.n_bad_lines);
    }
    if (rc != CWM_OK) {
        sample_set_release(&samples);
        return rc;
    }
    count_missing(&samples);
    *ret_samples = samples;
    return CWM_OK;
}

enum cwm_rc sample_set_canonical(const struct problem_set *set,
                                 struct sample_set *ret_samples,
                                 struct cwm_err *err)
{
    struct sample_set samples;
    struct reading r = {.problems = set, .set = &samples};
    enum cwm_rc rc = start(set, &samples, err);

    for (size_t i = 0; i < set->n && rc == CWM_OK; i++) {
        const struct problem *p = &set->list[i];
        struct problem_text copy = {NULL, 0};

        if (!p->canonical.data) {
            continue; /* missing: counted */
        }
        rc = problem__copy(&copy, p->canonical.data, p->canonical.len)
                 ? add(&r, i, copy, p->whole_canonical, 0, err)
                 : no_memory(err);
    }
    if (rc != CWM_OK) {
        sample_set_release(&samples);
        return rc;
    }
    count_missing(&samples);
    *ret_samples = samples;
    return CWM_OK;
}
