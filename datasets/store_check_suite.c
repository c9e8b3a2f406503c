/* SPDX-License-Identifier: MIT */
/* store_check_suite.c -- see store_check_suite.h. */
#include "datasets/store_check_suite.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/trace_blob.h"

/* The one episode that is looked for. */
struct wanted {
    const struct store_program *program;
    const struct store_origin *origin;
    const struct store_trace *trace;
    uint64_t call;
    struct hasher *hasher;
    struct cwm_buf payload;
    bool is_same;
};

void store_check_suite_release(struct store_check_suite *s)
{
    suite_tester_close(s->tester);
    s->tester = NULL;
}

static bool wants(void *ctx, const char *path, size_t path_len,
                  uint32_t first_line, uint64_t call, uint64_t kind)
{
    const struct wanted *w = ctx;

    (void)first_line;
    (void)kind;
    return call == w->call && strlen(w->origin->path) == path_len &&
           memcmp(w->origin->path, path, path_len) == 0;
}

static enum cwm_rc take(void *ctx, const struct suite_seen *seen,
                        struct cwm_err *err)
{
    struct wanted *w = ctx;
    struct store_trace again = {.id = 0};
    const struct cwm_buf *text = &seen->context->text;
    enum cwm_rc rc;

    if (strcmp(seen->context->entry, w->trace->entry) != 0 ||
        text->len != w->program->len ||
        memcmp(text->data, w->program->text, text->len) != 0) {
        return CWM_OK;
    }
    cwm_buf_clear(&w->payload);
    rc = trace_blob_write(&seen->result, NULL, 0, true, &w->payload, &again,
                          w->hasher, err);
    w->is_same |=
        rc == CWM_OK && hash_compare(&again.content, &w->trace->content) == 0;
    return rc;
}

/* Open the repository of that name; *ret_open false: it is not named. */
static enum cwm_rc open_named(struct store_check_suite *s,
                              const struct tracer_options *tracer,
                              const struct store_origin *origin, bool *ret_open,
                              struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    *ret_open =
        s->tester && strcmp(repository_name(suite_tester_repository(s->tester)),
                            origin->origin) == 0;
    for (size_t i = 0; i < s->n_paths && rc == CWM_OK && !*ret_open; i++) {
        store_check_suite_release(s);
        rc = suite_tester_open(s->paths[i], tracer, &s->tester, err);
        *ret_open = rc == CWM_OK &&
                    strcmp(repository_name(suite_tester_repository(s->tester)),
                           origin->origin) == 0;
    }
    return rc;
}

static bool fits(const struct store_check_suite *s,
                 const struct store_origin *origin,
                 const struct store_setting *setting)
{
    const char *commit = repository_commit(suite_tester_repository(s->tester));

    return strcmp(suite_tester_python(s->tester), setting->python) == 0 &&
           strcmp(commit ? commit : "", origin->commit ? origin->commit : "") ==
               0;
}

enum cwm_rc store_check_suite_run(
    struct store_check_suite *s, const struct tracer_options *tracer,
    const struct store_program *program, const struct store_origin *origin,
    const struct store_trace *trace, const struct store_setting *setting,
    struct hasher *hasher, const volatile int *cancel,
    enum store_check_again *ret_again, struct cwm_err *err)
{
    struct wanted w = {
        .program = program, .origin = origin, .trace = trace, .hasher = hasher};
    struct suite_wish wish = {wants, take, &w};
    struct suite_counts counts = {.n_episodes = 0};
    struct suite_how how;
    char *node = NULL; /* owned */
    bool is_open = false;
    enum cwm_rc rc = open_named(s, tracer, origin, &is_open, err);

    *ret_again = STORE_CHECK_UNKNOWN;
    if (rc != CWM_OK || !is_open || !fits(s, origin, setting)) {
        return rc;
    }
    *ret_again = STORE_CHECK_OTHER;
    if (!trace->entry || !suite_args_read(trace->args, &how, &node, &w.call)) {
        return CWM_OK;
    }
    cwm_buf_init(&w.payload, CODEC_MAX_BYTES);
    rc = suite_test(s->tester, &how, node, setting->seed, &setting->limits,
                    cancel, &wish, &counts, err);
    if (rc == CWM_OK && w.is_same) {
        *ret_again = STORE_CHECK_SAME;
    }
    cwm_buf_release(&w.payload);
    cwm_free(node);
    return rc;
}
