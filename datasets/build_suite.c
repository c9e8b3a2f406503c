/* SPDX-License-Identifier: MIT */
/*
 * build_suite.c -- the episodes of a test file, and which of them are kept.
 *
 * Of every function so many: first one of each way through it, then others
 * with other values, both drawn by hash and seed.  What can be chosen from is
 * bounded for each function, by a rule that looks at the order of the tests
 * alone.
 */
#include "datasets/build_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/build_rows.h"
#include "datasets/suite_trace.h"
#include "datasets/trace_blob.h"

enum {
    /* Episodes of a function to choose from, for each one that is kept. */
    CHOICE = 4,
    MAX_EPISODES = 1 << 14,
    /* Of one item, together: a build holds many items. */
    MAX_HELD_BYTES = 48 << 20,
};

/* A function that was seen, by file and line. */
struct function {
    char *path; /* owned */
    uint32_t first_line;
    uint32_t n_held;
    uint32_t n_kept;
};

/* An episode that may be kept; everything owned. */
struct held {
    size_t function;
    uint64_t kind;
    uint64_t draw;
    struct hash program;
    struct hash name; /* of the trace */
    char *path;
    char *text; /* the context */
    size_t text_len;
    char *entry;
    char *args;
    const char *label; /* static */
    char *payload;
    struct store_trace trace; /* its texts are the above */
    bool is_kept;
};

struct chooser {
    struct build__thread *thread; /* borrowed */
    const char *node;             /* the test that runs */
    struct function *functions;   /* owned */
    size_t n_functions, max_functions;
    struct held *held; /* owned */
    size_t n_held, max_held;
    size_t n_bytes;
    uint32_t max_per_function;
};

static enum cwm_rc no_memory(struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_NOMEM, "could not hold an episode");
}

/* ---- gathering ---- */

/* SIZE_MAX: not seen yet. */
static size_t find_function(const struct chooser *c, const char *path,
                            size_t len, uint32_t first_line)
{
    for (size_t i = 0; i < c->n_functions; i++) {
        const struct function *f = &c->functions[i];

        if (f->first_line == first_line && strlen(f->path) == len &&
            memcmp(f->path, path, len) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static bool wants(void *ctx, const char *path, size_t path_len,
                  uint32_t first_line, uint64_t call, uint64_t kind)
{
    const struct chooser *c = ctx;
    size_t function = find_function(c, path, path_len, first_line);
    bool is_known = false;

    (void)call;
    if (c->n_held == MAX_EPISODES || c->n_bytes > MAX_HELD_BYTES) {
        return false;
    }
    if (function == SIZE_MAX) {
        return true;
    }
    if (c->functions[function].n_held >= CHOICE * c->max_per_function) {
        return false;
    }
    for (size_t i = 0; i < c->n_held && !is_known; i++) {
        is_known = c->held[i].function == function && c->held[i].kind == kind;
    }
    return !is_known || c->functions[function].n_held < c->max_per_function;
}

static enum cwm_rc add_function(struct chooser *c, const struct suite_seen *s,
                                size_t *ret_function, struct cwm_err *err)
{
    struct function *list = c->functions;

    *ret_function = find_function(c, s->path, strlen(s->path), s->first_line);
    if (*ret_function != SIZE_MAX) {
        return CWM_OK;
    }
    if (c->n_functions == c->max_functions) {
        c->max_functions = c->max_functions ? 2 * c->max_functions : 64;
        list = cwm_realloc(list, c->max_functions, sizeof *list);
        if (!list) {
            return no_memory(err);
        }
        c->functions = list;
    }
    list = &c->functions[c->n_functions];
    *list = (struct function){.path = cwm_strdup(s->path),
                              .first_line = s->first_line};
    if (!list->path) {
        return no_memory(err);
    }
    *ret_function = c->n_functions++;
    return CWM_OK;
}

static enum cwm_rc copy_texts(struct held *h, const struct chooser *c,
                              const struct suite_seen *s, struct cwm_err *err)
{
    const struct cwm_buf *payload = &c->thread->payload;
    const struct suite_settings *settings = &c->thread->options->suites;
    struct cwm_buf args;
    bool has_all;

    cwm_buf_init(&args, 1 << 16);
    suite_args_write(&settings->how, c->node, s->call, &args);
    h->args = args.failed == CWM_OK ? args.data : NULL;
    if (!h->args) {
        cwm_buf_release(&args);
    }
    h->path = cwm_strdup(s->path);
    h->entry = cwm_strdup(s->context->entry);
    h->text_len = s->context->text.len;
    h->text = cwm_strndup(s->context->text.data, h->text_len);
    h->payload = cwm_malloc(payload->len + 1);
    has_all = h->args && h->path && h->entry && h->text && h->payload;
    if (has_all) {
        memcpy(h->payload, payload->data, payload->len);
    }
    return has_all ? CWM_OK : no_memory(err);
}

static enum cwm_rc take(void *ctx, const struct suite_seen *s,
                        struct cwm_err *err)
{
    struct chooser *c = ctx;
    struct build__thread *t = c->thread;
    struct held *h = c->held;
    size_t function;
    enum cwm_rc rc = add_function(c, s, &function, err);

    if (rc == CWM_OK && c->n_held == c->max_held) {
        c->max_held = c->max_held ? 2 * c->max_held : 64;
        h = cwm_realloc(h, c->max_held, sizeof *h);
        if (!h) {
            return no_memory(err);
        }
        c->held = h;
    }
    if (rc != CWM_OK) {
        return rc;
    }
    h = &c->held[c->n_held];
    *h = (struct held){
        .function = function, .kind = s->kind, .label = s->outcome};
    cwm_buf_clear(&t->payload);
    rc = trace_blob_write(&s->result, NULL, 0, true, &t->payload, &h->trace,
                          t->hasher, err);
    if (rc == CWM_LIMIT) {
        return CWM_OK; /* larger than any row may be */
    }
    if (rc != CWM_OK) {
        return rc;
    }
    c->n_held++; /* released with the others */
    h->program = hash_of(s->context->text.data, s->context->text.len);
    h->draw = hash_draw(&h->trace.content, t->options->seed);
    c->functions[function].n_held++;
    c->n_bytes += t->payload.len + s->context->text.len;
    return copy_texts(h, c, s, err);
}

/* ---- choosing ---- */

/* By function, then as drawn; equal contents side by side. */
static int compare_draws(const void *a, const void *b)
{
    const struct held *p = a;
    const struct held *q = b;

    if (p->function != q->function) {
        return p->function < q->function ? -1 : 1;
    }
    if (p->draw != q->draw) {
        return p->draw < q->draw ? -1 : 1;
    }
    return strcmp(p->args, q->args);
}

static bool has_kind(const struct chooser *c, size_t end, uint64_t kind,
                     size_t function)
{
    for (size_t i = end; i-- > 0 && c->held[i].function == function;) {
        if (c->held[i].is_kept && c->held[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static void choose(struct chooser *c)
{
    if (c->n_held > 0) {
        qsort(c->held, c->n_held, sizeof *c->held, compare_draws);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < c->n_held; i++) {
            struct held *h = &c->held[i];
            struct function *f = &c->functions[h->function];
            bool is_copy =
                i > 0 && h[-1].function == h->function &&
                hash_compare(&h[-1].program, &h->program) == 0 &&
                hash_compare(&h[-1].trace.content, &h->trace.content) == 0;

            if (h->is_kept || is_copy || f->n_kept == c->max_per_function ||
                (pass == 0 && has_kind(c, i, h->kind, h->function))) {
                continue;
            }
            h->is_kept = true;
            f->n_kept++;
        }
    }
}

/* ---- rows ---- */

/* Programs side by side, traces of one in the order of their names. */
static int compare_programs(const void *a, const void *b)
{
    const struct held *p = a;
    const struct held *q = b;
    int order = hash_compare(&p->program, &q->program);

    return order != 0 ? order : strcmp(p->args, q->args);
}

static void put_program(struct chooser *c, const struct held *h,
                        const struct repository *repo)
{
    struct store_origin origin = {
        .kind = STORE_KIND_PYTEST,
        .origin = repository_name(repo),
        .path = h->path,
        .commit = repository_commit(repo),
        .licence = repository_licence(repo),
        .family = h->path, /* contexts of one file share its lines */
    };

    build_rows_put_program(c->thread->rows, h->text, h->text_len, &origin);
    c->thread->note->n_programs++;
}

static enum cwm_rc put_trace(struct chooser *c, struct held *h,
                             struct cwm_err *err)
{
    struct build__thread *t = c->thread;
    struct store_setting setting = {
        .python = suite_tester_python(t->suite),
        .seed = t->options->seed,
        .limits = t->options->limits,
    };
    struct hash setting_hash = store_setting_hash(t->hasher, &setting);

    h->trace.entry = h->entry;
    h->trace.args = h->args;
    h->trace.input_origin = -1;
    h->trace.label = h->label;
    h->trace.detail = NULL;
    h->trace.hash = store_trace_hash(t->hasher, &h->program, &setting_hash,
                                     &h->trace, NULL, 0);
    cwm_buf_clear(&t->payload);
    cwm_buf_add(&t->payload, h->payload, h->trace.payload_bytes);
    return build__put_row(t, &h->trace, &setting, err);
}

static enum cwm_rc put_rows(struct chooser *c, struct cwm_err *err)
{
    const struct repository *repo = suite_tester_repository(c->thread->suite);
    const struct held *last = NULL;
    enum cwm_rc rc = CWM_OK;

    choose(c);
    if (c->n_held > 0) {
        qsort(c->held, c->n_held, sizeof *c->held, compare_programs);
    }
    for (size_t i = 0; i < c->n_held && rc == CWM_OK; i++) {
        struct held *h = &c->held[i];

        if (!h->is_kept) {
            continue;
        }
        if (!last || hash_compare(&last->program, &h->program) != 0) {
            put_program(c, h, repo);
        }
        last = h;
        rc = put_trace(c, h, err);
    }
    return rc;
}

/* ---- an item ---- */

static void release(struct chooser *c)
{
    for (size_t i = 0; i < c->n_held; i++) {
        cwm_free(c->held[i].path);
        cwm_free(c->held[i].text);
        cwm_free(c->held[i].entry);
        cwm_free(c->held[i].args);
        cwm_free(c->held[i].payload);
    }
    for (size_t i = 0; i < c->n_functions; i++) {
        cwm_free(c->functions[i].path);
    }
    cwm_free(c->held);
    cwm_free(c->functions);
}

/* The thread's tester, for this item's repository. */
static enum cwm_rc need_suite(struct build__thread *t,
                              const struct source_item *item,
                              struct cwm_err *err)
{
    struct cwm_buf path;
    enum cwm_rc rc;

    cwm_buf_init(&path, 1 << 16);
    cwm_buf_addf(&path, "%s%s", item->folder, item->source);
    rc = cwm_buf_check(&path, "a path", err);
    if (rc == CWM_OK &&
        (!t->suite || strcmp(repository_path(suite_tester_repository(t->suite)),
                             path.data) != 0)) {
        suite_tester_close(t->suite);
        t->suite = NULL;
        rc = suite_tester_open(path.data, &t->options->tracer, &t->suite, err);
    }
    cwm_buf_release(&path);
    return rc;
}

static enum cwm_rc run_tests(struct chooser *c, const struct source_item *item,
                             struct suite_counts *counts, uint64_t *ret_n_tests,
                             struct cwm_err *err)
{
    const struct build_options *o = c->thread->options;
    struct suite_wish wish = {wants, take, c};
    const char *at = memchr(item->data, '\n', item->len);
    const char *end = (const char *)item->data + item->len;
    enum cwm_rc rc = CWM_OK;

    for (at = at ? at + 1 : end; at < end && rc == CWM_OK;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        char *node; /* owned */

        stop = stop ? stop : end;
        node = cwm_strndup(at, (size_t)(stop - at));
        if (!node) {
            return no_memory(err);
        }
        c->node = node;
        rc = suite_test(c->thread->suite, &o->suites.how, node, o->seed,
                        &o->limits, o->cancel, &wish, counts, err);
        cwm_free(node);
        ++*ret_n_tests;
        at = stop + 1;
    }
    return rc;
}

enum cwm_rc build__work_suite(struct build__thread *t,
                              const struct source_item *item,
                              struct cwm_err *err)
{
    struct chooser c = {
        .thread = t, .max_per_function = t->options->suites.max_per_function};
    struct suite_counts counts = {.n_episodes = 0};
    uint64_t n_tests = 0;
    uint64_t start = build__cpu_us();
    enum cwm_rc rc = need_suite(t, item, err);

    if (rc == CWM_OK) {
        rc = run_tests(&c, item, &counts, &n_tests, err);
    }
    t->note->cpu_trace_us += counts.cpu_us + build__cpu_us() - start;
    t->note->n_unstable += (uint32_t)counts.n_unstable;
    start = build__cpu_us();
    if (rc == CWM_OK) {
        rc = put_rows(&c, err);
    }
    t->note->cpu_store_us += build__cpu_us() - start;
    if (rc == CWM_OK && t->note->n_traces == 0) {
        snprintf(t->note->skip, sizeof t->note->skip,
                 "no episode came of its %llu tests (%llu out of time or "
                 "memory, %llu episodes that differ from run to run)",
                 (unsigned long long)n_tests, (unsigned long long)counts.n_out,
                 (unsigned long long)counts.n_unstable);
    }
    release(&c);
    return rc;
}
