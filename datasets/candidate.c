/* SPDX-License-Identifier: MIT */
/* candidate.c -- items of every kind as programs and calls. */
#include "datasets/candidate.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/calls.h"
#include "datasets/inputs.h"
#include "tracer/job_read.h"
#include "tracer/source.h"

enum {
    MAX_TEXTS = 1024, /* sets of arguments found in one item */
    MAX_PATH_BYTES = 256
};

struct candidate {
    const struct candidate_options *options; /* borrowed: while it is made */
    json_t *root;                            /* owned; texts point into it */
    struct job_line *job;                    /* owned */
    struct source *parsed; /* owned; names of functions point into it */
    struct cwm_buf text;   /* a program put together */
    struct generated generated;
    char *data;   /* owned: a file's bytes */
    char *source; /* owned: the item's source, name and commit */
    char *name;
    char *commit;
    char path[MAX_PATH_BYTES];
    struct calls *found; /* owned, n_found of them */
    size_t n_found;
    struct candidate_program *programs; /* owned */
    size_t n_programs;
    struct candidate_call *calls; /* owned: of all programs */
    size_t n_calls, calls_capacity;
};

void candidate_free(struct candidate *c)
{
    if (!c) {
        return;
    }
    for (size_t i = 0; i < c->n_found; i++) {
        calls_release(&c->found[i]);
    }
    cwm_free(c->found);
    json_decref(c->root);
    job_line_free(c->job);
    source_free(c->parsed);
    cwm_buf_release(&c->text);
    generated_release(&c->generated);
    cwm_free(c->data);
    cwm_free(c->source);
    cwm_free(c->name);
    cwm_free(c->commit);
    cwm_free(c->programs);
    cwm_free(c->calls);
    cwm_free(c);
}

const struct candidate_program *candidate_programs(const struct candidate *c,
                                                   size_t *ret_n)
{
    *ret_n = c->n_programs;
    return c->programs;
}

/* ---- parts ---- */

static enum cwm_rc no_memory(struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_NOMEM, "could not hold a program");
}

/* A text of an object without NULs, or NULL. */
static const char *text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static enum cwm_rc make_programs(struct candidate *c, size_t n,
                                 struct cwm_err *err)
{
    c->programs = cwm_calloc(n, sizeof *c->programs);
    c->n_programs = c->programs ? n : 0;
    return c->programs ? CWM_OK : no_memory(err);
}

/* The next call, with the settings that hold for all; NULL: no memory.  Calls
 * move as they grow: programs learn where theirs lie in the end. */
static struct candidate_call *add_call(struct candidate *c,
                                       struct candidate_program *program)
{
    struct candidate_call *call;

    if (c->n_calls == c->calls_capacity) {
        size_t capacity = c->calls_capacity ? 2 * c->calls_capacity : 8;
        struct candidate_call *more =
            cwm_realloc(c->calls, capacity, sizeof *more);

        if (!more) {
            return NULL;
        }
        c->calls = more;
        c->calls_capacity = capacity;
    }
    call = &c->calls[c->n_calls++];
    memset(call, 0, sizeof *call);
    call->input_origin = INPUTS_GIVEN;
    call->seed = c->options->run_seed;
    call->limits = c->options->limits;
    program->n_calls++;
    return call;
}

/* The programs' calls lie one behind the other. */
static void settle_calls(struct candidate *c)
{
    const struct candidate_call *next = c->calls;

    for (size_t i = 0; i < c->n_programs; i++) {
        c->programs[i].calls = next;
        if (next) { /* NULL: there is none at all */
            next += c->programs[i].n_calls;
        }
    }
}

/* Parse the line; texts point into it from then on. */
static enum cwm_rc parse_line(struct candidate *c,
                              const struct source_item *item,
                              struct cwm_err *err)
{
    json_error_t why;

    c->root = json_loadb(item->data, item->len,
                         JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &why);
    if (!c->root) {
        return CWM_FAIL(err, CWM_USAGE, "not JSON: %s", why.text);
    }
    return json_is_object(c->root)
               ? CWM_OK
               : CWM_FAIL(err, CWM_USAGE, "not a JSON object");
}

/* "task_id" and the like: a text, or a number as text; NULL: not there. */
static const char *id_of(struct candidate *c, const char *name)
{
    const json_t *value = json_object_get(c->root, name);

    if (json_is_number(value)) {
        snprintf(c->path, sizeof c->path, "%.0f", json_number_value(value));
        return c->path;
    }
    return text_of(c->root, name);
}

/* A program's text and its provenance as a line's fields tell it. */
static enum cwm_rc take_text(struct candidate_program *p, const json_t *object,
                             const char *name, struct cwm_err *err)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_string(value)) {
        return CWM_FAIL(err, CWM_USAGE, "no text '%s'", name);
    }
    p->data = json_string_value(value);
    p->len = json_string_length(value);
    p->is_text = true;
    return CWM_OK;
}

static void take_origin(const struct candidate *c, struct candidate_program *p,
                        const char *path)
{
    const char *origin = text_of(c->root, "origin");
    const char *licence = text_of(c->root, "licence");

    p->origin.origin = origin ? origin : c->source;
    p->origin.path = path ? path : c->name;
    p->origin.commit = text_of(c->root, "commit");
    p->origin.licence = licence ? licence : text_of(c->root, "license");
}

/* Calls of `entry` that stand in `text`, as inputs of the program. */
static enum cwm_rc add_found(struct candidate *c, struct candidate_program *p,
                             const char *text, const char *callee,
                             const char *entry, struct cwm_err *err)
{
    struct calls *found;
    enum cwm_rc rc;

    if (c->n_found == MAX_TEXTS) {
        return CWM_OK;
    }
    if (!c->found) {
        c->found = cwm_calloc(MAX_TEXTS, sizeof *c->found);
    }
    if (!c->found) {
        return no_memory(err);
    }
    found = &c->found[c->n_found++];
    rc = calls_find(text, strlen(text), callee, found, err);
    for (size_t i = 0; rc == CWM_OK && i < found->n; i++) {
        struct candidate_call *call = add_call(c, p);

        if (!call) {
            return no_memory(err);
        }
        call->entry = entry;
        call->args = found->args[i];
        call->input_origin = INPUTS_ASSERT;
    }
    return rc == CWM_LIMIT ? CWM_OK : rc;
}

/* ---- kinds ---- */

static enum cwm_rc from_file(struct candidate *c,
                             const struct source_item *item,
                             struct cwm_err *err)
{
    struct candidate_program *p;

    if (make_programs(c, 1, err) != CWM_OK) {
        return CWM_NOMEM;
    }
    p = c->programs;
    c->data = cwm_strndup(item->data, item->len);
    if (!c->data) {
        return no_memory(err);
    }
    p->data = c->data;
    p->len = item->len;
    p->origin.origin = c->source;
    p->origin.path = c->name;
    p->origin.commit = c->commit;
    p->find_functions = true;
    return CWM_OK;
}

static enum cwm_rc from_jsonl(struct candidate *c,
                              const struct source_item *item,
                              struct cwm_err *err)
{
    enum cwm_rc rc = parse_line(c, item, err);

    if (rc == CWM_OK) {
        rc = make_programs(c, 1, err);
    }
    if (rc == CWM_OK) {
        take_origin(c, c->programs, text_of(c->root, "path"));
        c->programs->find_functions = true;
        rc = take_text(c->programs, c->root, "source", err);
    }
    return rc;
}

static enum cwm_rc from_job(struct candidate *c, const struct source_item *item,
                            struct cwm_err *err)
{
    struct trace_job defaults = {.seed = c->options->run_seed,
                                 .limits = c->options->limits};
    const struct trace_job *job;
    struct candidate_call *call;
    enum cwm_rc rc = job_line_new(item->data, item->len, &defaults,
                                  item->folder, &c->job, err);

    if (rc == CWM_OK) {
        rc = parse_line(c, item, err); /* for what is said of its origin */
    }
    if (rc == CWM_OK) {
        rc = make_programs(c, 1, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    job = job_line_job(c->job);
    take_origin(c, c->programs, job->id);
    c->programs->data = job->source;
    c->programs->len = job->source_len;
    c->programs->is_text = job->is_text;
    call = add_call(c, c->programs);
    if (!call) {
        return no_memory(err);
    }
    call->entry = job->entry;
    call->args = job->entry ? (job->args ? job->args : "") : NULL;
    call->wrap_main = job->wrap_main;
    call->stdin_data = job->stdin_data;
    call->stdin_len = job->stdin_len;
    call->seed = job->seed;
    call->limits = job->limits;
    return CWM_OK;
}

/* What the three benchmarks have in common. */
static enum cwm_rc start_benchmark(struct candidate *c,
                                   const struct source_item *item,
                                   const char *name, const char *id,
                                   struct cwm_err *err)
{
    enum cwm_rc rc = parse_line(c, item, err);

    if (rc == CWM_OK) {
        rc = make_programs(c, 1, err);
    }
    if (rc == CWM_OK) {
        take_origin(c, c->programs, id_of(c, id));
        c->programs->origin.origin = name;
        c->programs->origin.evaluation = true;
    }
    return rc;
}

static enum cwm_rc from_cruxeval(struct candidate *c,
                                 const struct source_item *item,
                                 struct cwm_err *err)
{
    struct candidate_call *call;
    enum cwm_rc rc = start_benchmark(c, item, "cruxeval", "id", err);

    if (rc == CWM_OK) {
        rc = take_text(c->programs, c->root, "code", err);
    }
    if (rc == CWM_OK && !text_of(c->root, "input")) {
        rc = CWM_FAIL(err, CWM_USAGE, "no text 'input'");
    }
    if (rc != CWM_OK) {
        return rc;
    }
    call = add_call(c, c->programs);
    if (!call) {
        return no_memory(err);
    }
    call->entry = "f";
    call->args = text_of(c->root, "input");
    call->wrap_main = true; /* as CWM was asked about it */
    return CWM_OK;
}

/* Put texts one behind the other as the program. */
static enum cwm_rc join(struct candidate *c, const char *first,
                        const char *second, struct cwm_err *err)
{
    cwm_buf_adds(&c->text, first);
    cwm_buf_adds(&c->text, second);
    c->programs->data = c->text.data ? c->text.data : "";
    c->programs->len = c->text.len;
    c->programs->is_text = true;
    return cwm_buf_check(&c->text, "a program", err);
}

static enum cwm_rc from_humaneval(struct candidate *c,
                                  const struct source_item *item,
                                  struct cwm_err *err)
{
    const char *prompt, *solution, *entry, *test;
    enum cwm_rc rc = start_benchmark(c, item, "humaneval", "task_id", err);

    if (rc != CWM_OK) {
        return rc;
    }
    prompt = text_of(c->root, "prompt");
    solution = text_of(c->root, "canonical_solution");
    entry = text_of(c->root, "entry_point");
    test = text_of(c->root, "test");
    if (!prompt || !solution || !entry || !test) {
        return CWM_FAIL(err, CWM_USAGE, "not all fields of a problem");
    }
    rc = join(c, prompt, solution, err);
    return rc == CWM_OK
               ? add_found(c, c->programs, test, "candidate", entry, err)
               : rc;
}

/* Every test that calls a function of the program. */
static enum cwm_rc add_tests(struct candidate *c, struct cwm_err *err)
{
    const json_t *tests = json_object_get(c->root, "test_list");
    size_t n;
    const struct source_def *defs = source_defs(c->parsed, &n);
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < n; i++) {
        if (defs[i].parent >= 0 || defs[i].kind == SOURCE_CLASS) {
            continue;
        }
        for (size_t k = 0; k < json_array_size(tests) && rc == CWM_OK; k++) {
            const char *test = json_string_value(json_array_get(tests, k));

            if (test) {
                rc = add_found(c, c->programs, test, defs[i].name, defs[i].name,
                               err);
            }
        }
    }
    return rc;
}

static enum cwm_rc from_mbpp(struct candidate *c,
                             const struct source_item *item,
                             struct cwm_err *err)
{
    const char *code, *set_up;
    enum cwm_rc rc = start_benchmark(c, item, "mbpp", "task_id", err);

    if (rc != CWM_OK) {
        return rc;
    }
    code = text_of(c->root, "code");
    set_up = text_of(c->root, "test_setup_code");
    if (!code) {
        return CWM_FAIL(err, CWM_USAGE, "no text 'code'");
    }
    rc = join(c, code, set_up && set_up[0] ? "\n" : "", err);
    if (rc == CWM_OK && set_up) {
        rc = join(c, set_up, "", err);
    }
    if (rc == CWM_OK) {
        rc = source_new_text(c->text.data, c->text.len, "a program", &c->parsed,
                             err);
        rc = rc == CWM_NOMEM || rc == CWM_OK ? rc : CWM_USAGE;
    }
    return rc == CWM_OK ? add_tests(c, err) : rc;
}

/* One solution, run on every test's input. */
static enum cwm_rc add_solution(struct candidate *c, const json_t *solution,
                                const char *family, struct cwm_err *err)
{
    const json_t *tests = json_object_get(c->root, "tests");
    const json_t *right = json_object_get(solution, "right");
    struct candidate_program *p = &c->programs[c->n_programs++];
    enum cwm_rc rc = take_text(p, solution, "source", err);

    take_origin(c, p, family);
    p->origin.family = family;
    for (size_t i = 0; rc == CWM_OK && i < json_array_size(tests); i++) {
        const json_t *test = json_array_get(tests, i);
        const json_t *input = json_object_get(test, "input");
        struct candidate_call *call = add_call(c, p);

        if (!call) {
            return no_memory(err);
        }
        call->stdin_data = json_string_value(input);
        call->stdin_len = json_string_length(input);
        call->expected = text_of(test, "output");
        if (json_is_boolean(right)) {
            call->label = json_is_true(right) ? "right" : "wrong";
        }
    }
    return rc;
}

static enum cwm_rc from_contest(struct candidate *c,
                                const struct source_item *item,
                                struct cwm_err *err)
{
    const json_t *solutions;
    const char *id;
    size_t n;
    enum cwm_rc rc = parse_line(c, item, err);

    if (rc != CWM_OK) {
        return rc;
    }
    solutions = json_object_get(c->root, "solutions");
    id = id_of(c, "id");
    n = solutions ? json_array_size(solutions) : 1;
    if (!id || n == 0) {
        return CWM_FAIL(err, CWM_USAGE, id ? "no solutions" : "no 'id'");
    }
    rc = make_programs(c, n, err);
    c->n_programs = 0;
    for (size_t i = 0; i < n && rc == CWM_OK; i++) {
        rc = add_solution(c, solutions ? json_array_get(solutions, i) : c->root,
                          id, err);
    }
    return rc;
}

static enum cwm_rc from_generator(struct candidate *c,
                                  const struct source_item *item,
                                  struct cwm_err *err)
{
    uint64_t index = strtoull(c->name, NULL, 10);
    struct candidate_program *p;
    enum cwm_rc rc = make_programs(c, 1, err);

    (void)item;
    if (rc == CWM_OK) {
        rc = generate_program(c->options->generate, c->options->seed, index,
                              &c->text, &c->generated, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    p = c->programs;
    p->data = c->text.data;
    p->len = c->text.len;
    p->is_text = true;
    snprintf(c->path, sizeof c->path, "%llu/%llu",
             (unsigned long long)c->options->seed, (unsigned long long)index);
    p->origin.origin = "generate";
    p->origin.path = c->path;
    for (size_t i = 0; i < c->generated.n_args; i++) {
        struct candidate_call *call = add_call(c, p);

        if (!call) {
            return no_memory(err);
        }
        call->entry = c->generated.entry;
        call->args = c->generated.args[i];
        call->input_origin = INPUTS_GIVEN;
    }
    return CWM_OK;
}

static enum cwm_rc take_item(struct candidate *c,
                             const struct source_item *item,
                             struct cwm_err *err)
{
    switch (item->kind) {
    case STORE_KIND_FILE:
    case STORE_KIND_DIR:
        return from_file(c, item, err);
    case STORE_KIND_JSONL:
        return from_jsonl(c, item, err);
    case STORE_KIND_JOBS:
        return from_job(c, item, err);
    case STORE_KIND_CRUXEVAL:
        return from_cruxeval(c, item, err);
    case STORE_KIND_HUMANEVAL:
        return from_humaneval(c, item, err);
    case STORE_KIND_MBPP:
        return from_mbpp(c, item, err);
    case STORE_KIND_CONTEST:
        return from_contest(c, item, err);
    case STORE_KIND_GENERATE:
        return from_generator(c, item, err);
    case STORE_KIND_PYTEST:
    case STORE_KIND_MUTANT:
    case STORE_N_KINDS:
        break;
    }
    return CWM_FAIL(err, CWM_USAGE, "no source gives items of this kind");
}

enum cwm_rc candidate_new(const struct source_item *item,
                          const struct candidate_options *options,
                          struct candidate **ret_candidate, struct cwm_err *err)
{
    struct candidate *c = cwm_calloc(1, sizeof *c); /* owned */
    enum cwm_rc rc;

    if (!c) {
        return no_memory(err);
    }
    c->options = options;
    cwm_buf_init(&c->text, SOURCES_MAX_ITEM_BYTES);
    generated_init(&c->generated);
    c->source = cwm_strdup(item->source);
    c->name = cwm_strdup(item->name);
    c->commit = item->commit ? cwm_strdup(item->commit) : NULL;
    if (!c->source || !c->name || (item->commit && !c->commit)) {
        rc = no_memory(err);
    } else {
        rc = take_item(c, item, err);
    }
    if (rc == CWM_OK) {
        for (size_t i = 0; i < c->n_programs; i++) {
            c->programs[i].origin.kind = item->kind;
        }
        settle_calls(c);
        *ret_candidate = c;
        c = NULL;
    }
    candidate_free(c);
    return rc;
}
