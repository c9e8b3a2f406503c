/* SPDX-License-Identifier: MIT */
/* suite_collect.c -- which tests a repository has. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "datasets/suite_tester.h"

enum {
    /* All test files are imported in one run. */
    COLLECT_TIMES = 12,
    MAX_NODES_BYTES = 64 << 20,
    MAX_REASON_BYTES = 120,
};

void suite_files_release(struct suite_files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        cwm_free(f->list[i].name);
        cwm_free(f->list[i].skip);
        cwm_buf_release(&f->list[i].nodes);
    }
    cwm_free(f->list);
    memset(f, 0, sizeof *f);
}

static enum cwm_rc no_memory(struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_NOMEM, "could not hold a test's name");
}

/* The file of that name, added where it is not there; NULL: no memory. */
static struct suite_file *file_named(struct suite_files *f, const char *name,
                                     size_t len)
{
    struct suite_file *list;

    for (size_t i = f->n; i-- > 0;) {
        if (strlen(f->list[i].name) == len &&
            memcmp(f->list[i].name, name, len) == 0) {
            return &f->list[i];
        }
    }
    if (f->n == f->max) {
        f->max = f->max ? 2 * f->max : 64;
        list = cwm_realloc(f->list, f->max, sizeof *list);
        if (!list) {
            return NULL;
        }
        f->list = list;
    }
    list = &f->list[f->n];
    memset(list, 0, sizeof *list);
    cwm_buf_init(&list->nodes, MAX_NODES_BYTES);
    list->name = cwm_strndup(name, len);
    if (!list->name) {
        return NULL;
    }
    f->n++;
    return list;
}

static enum cwm_rc add_skip(struct suite_files *f, const char *name, size_t len,
                            const char *what, const char *why, size_t why_len,
                            struct cwm_err *err)
{
    struct suite_file *file = file_named(f, name, len);
    char text[MAX_REASON_BYTES + 80];

    if (!file) {
        return no_memory(err);
    }
    if (why_len > MAX_REASON_BYTES) {
        why_len = MAX_REASON_BYTES;
    }
    snprintf(text, sizeof text, "%s%s%.*s", what, why_len > 0 ? ": " : "",
             (int)why_len, why);
    if (!file->skip) {
        file->skip = cwm_strdup(text);
    }
    return file->skip ? CWM_OK : no_memory(err);
}

static bool is_chosen(const struct suite_settings *settings, const char *node)
{
    for (size_t i = 0; i < settings->n_tests; i++) {
        if (fnmatch(settings->tests[i], node, 0) == 0) {
            return true;
        }
    }
    return settings->n_tests == 0;
}

static enum cwm_rc add_node(const struct suite_settings *settings,
                            const struct suite_text *text,
                            struct suite_files *f, struct cwm_err *err)
{
    const char *colons = memmem(text->text, text->len, "::", 2);
    size_t len = colons ? (size_t)(colons - text->text) : text->len;
    char *node = cwm_strndup(text->text, text->len); /* owned */
    struct suite_file *file;
    enum cwm_rc rc = CWM_OK;

    if (!node) {
        return no_memory(err);
    }
    if (!strchr(node, '\n') && strlen(node) == text->len &&
        is_chosen(settings, node)) {
        file = file_named(f, text->text, len);
        if (!file) {
            rc = no_memory(err);
        } else {
            cwm_buf_addf(&file->nodes, "%s\n", node);
            rc = cwm_buf_check(&file->nodes, "the names of tests", err);
        }
    }
    cwm_free(node);
    return rc;
}

/* "FILE\nREASON"; FILE may be empty: all of it. */
static enum cwm_rc add_broken(const struct suite_text *text,
                              struct suite_files *f, struct cwm_err *err)
{
    const char *end = memchr(text->text, '\n', text->len);
    size_t len = end ? (size_t)(end - text->text) : text->len;
    const char *why = end ? end + 1 : "";

    return add_skip(f, len > 0 ? text->text : ".", len > 0 ? len : 1,
                    "cannot be collected", why, end ? text->len - len - 1 : 0,
                    err);
}

static enum cwm_rc take_stream(const struct suite_settings *settings,
                               const struct suite_stream *s,
                               struct suite_files *f, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < s->n_tells && rc == CWM_OK; i++) {
        if (s->tells[i].what == SUITE_TELL_NODE) {
            rc = add_node(settings, &s->tells[i].text, f, err);
        } else if (s->tells[i].what == SUITE_TELL_BROKEN) {
            rc = add_broken(&s->tells[i].text, f, err);
        }
    }
    return rc;
}

/* ---- why nothing came ---- */

/* The last line that says something: what pytest ends with. */
static void last_words(const struct suite_tester *t, char *out, size_t size)
{
    struct cwm_buf both[2];

    out[0] = '\0';
    tracer_printed(t->tracer, both);
    for (int i = 0; i < 2 && out[0] == '\0'; i++) {
        const char *text = both[1 - i].data ? both[1 - i].data : "";
        size_t end = both[1 - i].len;

        while (end > 0 && strchr(" \n\r\t", text[end - 1])) {
            end--;
        }
        for (size_t start = end; end > 0; start--) {
            if (start == 0 || text[start - 1] == '\n') {
                snprintf(out, size, "%.*s", (int)(end - start), text + start);
                break;
            }
        }
    }
}

static const char *end_text(const struct sandbox_verdict *kernel)
{
    switch (kernel->end) {
    case SANDBOX_END_CPU_TIME:
    case SANDBOX_END_WALL_TIME:
        return "collecting takes too long";
    case SANDBOX_END_MEMORY:
        return "collecting takes too much memory";
    case SANDBOX_END_DENIED:
        return "collecting makes a forbidden system call";
    case SANDBOX_END_SIGNALLED:
    case SANDBOX_END_OUTPUT:
    case SANDBOX_END_EXITED:
        break;
    }
    return "collecting ends the process";
}

/* ---- runs ---- */

static struct trace_limits collect_limits(const struct trace_limits *limits)
{
    struct trace_limits more = *limits;

    more.timeout_ms = limits->timeout_ms * COLLECT_TIMES;
    more.wall_ms = 0;
    more.max_output_bytes = 16 << 20;
    return more;
}

/* Collect `node` (a file; NULL: all).  *ret_done false: the process ended. */
static enum cwm_rc collect_once(
    struct suite_tester *t, const struct suite_settings *settings,
    const char *node, const struct trace_limits *limits,
    const volatile int *cancel, struct suite_files *f, bool *ret_done,
    struct sandbox_verdict *kernel, struct cwm_err *err)
{
    static const char missing[] =
        "no pytest: install it for the interpreter (python3-pytest), or into "
        "the repository's .venv";
    struct suite_how how = settings->how;
    struct trace_limits more = collect_limits(limits);
    struct suite_stream s;
    const uint8_t *shared = NULL;
    size_t len = 0;
    char words[200];
    enum cwm_rc rc;

    how.venv = repository_venv(t->repo);
    rc = suite__run(t, &how, node, true, 0, &more, cancel, kernel, &shared,
                    &len, err);
    if (rc == CWM_OK) {
        rc = suite_stream_read(shared, len, &s, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    *ret_done = suite_stream_told(&s, SUITE_TELL_STATUS) != NULL;
    if (suite_stream_told(&s, SUITE_TELL_NO_PYTEST)) {
        *ret_done = true;
        rc = add_skip(f, ".", 1, missing, "", 0, err);
    } else if (*ret_done) {
        size_t before = f->n;

        rc = take_stream(settings, &s, f, err);
        if (rc == CWM_OK && f->n == before &&
            suite_stream_told(&s, SUITE_TELL_STATUS)->text[0] != '5') {
            last_words(t, words, sizeof words);
            rc = add_skip(f, node ? node : ".", strlen(node ? node : "."),
                          "cannot be collected", words, strlen(words), err);
        }
    }
    suite_stream_release(&s);
    return rc;
}

static bool is_test_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t len = strlen(name);

    return strncmp(name, "test_", 5) == 0 ||
           (len >= 8 && strcmp(name + len - 8, "_test.py") == 0);
}

static enum cwm_rc collect_each(struct suite_tester *t,
                                const struct suite_settings *settings,
                                const struct trace_limits *limits,
                                const volatile int *cancel,
                                struct suite_files *f, struct cwm_err *err)
{
    size_t n = repository_n_files(t->repo);
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < n && rc == CWM_OK; i++) {
        const char *name = repository_file(t->repo, i);
        struct sandbox_verdict kernel;
        bool done = false;
        char words[200];

        if (!is_test_file(name)) {
            continue;
        }
        rc = collect_once(t, settings, name, limits, cancel, f, &done, &kernel,
                          err);
        if (rc == CWM_OK && !done) {
            last_words(t, words, sizeof words);
            rc = add_skip(f, name, strlen(name), end_text(&kernel), words,
                          strlen(words), err);
        }
    }
    return rc;
}

enum cwm_rc suite_collect(struct suite_tester *t,
                          const struct suite_settings *settings,
                          const struct trace_limits *limits,
                          const volatile int *cancel, struct suite_files *ret,
                          struct cwm_err *err)
{
    struct sandbox_verdict kernel;
    bool done = false;
    enum cwm_rc rc;

    memset(ret, 0, sizeof *ret);
    rc = collect_once(t, settings, NULL, limits, cancel, ret, &done, &kernel,
                      err);
    if (rc == CWM_OK && !done) {
        rc = collect_each(t, settings, limits, cancel, ret, err);
    }
    if (rc == CWM_OK && ret->n == 0) {
        rc = add_skip(ret, ".", 1,
                      settings->n_tests > 0 ? "no test is chosen"
                                            : "no tests were found",
                      "", 0, err);
    }
    if (rc != CWM_OK) {
        suite_files_release(ret);
    }
    return rc;
}
