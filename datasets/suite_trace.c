/* SPDX-License-Identifier: MIT */
/* suite_trace.c -- one test, run twice, and its episodes as traces. */
#include "datasets/suite_trace.h"

#include <jansson.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"
#include "datasets/suite_tester.h"

enum cwm_rc suite_tester_open(const char *path,
                              const struct tracer_options *options,
                              struct suite_tester **ret_tester,
                              struct cwm_err *err)
{
    struct suite_tester *t = cwm_calloc(1, sizeof *t); /* owned */
    enum cwm_rc rc;

    if (!t) {
        return CWM_FAIL(err, CWM_NOMEM, "could not run tests");
    }
    cwm_buf_init(&t->first, 2 * SUITE_STREAM_BYTES);
    cwm_buf_init(&t->records, 2 * SUITE_STREAM_BYTES);
    rc = repository_open(path, &t->repo, err);
    if (rc == CWM_OK) {
        t->options = *options;
        repository_tracer(t->repo, &t->options);
        t->options.max_trace_bytes = SUITE_STREAM_BYTES;
        rc = tracer_open(&t->options, &t->tracer, err);
    }
    if (rc == CWM_OK &&
        (tracer_missing(t->tracer) & 1u << SANDBOX_WALL_MOUNT_NS)) {
        rc = CWM_FAIL(err, CWM_MISSING,
                      "cannot run tests without the wall mount-ns: they are to "
                      "see their repository at a place of its own, read-only");
    }
    if (rc == CWM_OK) {
        *ret_tester = t;
        t = NULL;
    }
    suite_tester_close(t);
    return rc;
}

void suite_tester_close(struct suite_tester *t)
{
    if (!t) {
        return;
    }
    tracer_close(t->tracer);
    repository_close(t->repo);
    cwm_buf_release(&t->first);
    cwm_buf_release(&t->records);
    cwm_free(t);
}

struct repository *suite_tester_repository(const struct suite_tester *t)
{
    return t->repo;
}

const char *suite_tester_python(const struct suite_tester *t)
{
    return t->tracer ? tracer_python(t->tracer) : "";
}

enum cwm_rc suite__run(struct suite_tester *t, const struct suite_how *how,
                       const char *node, bool collect, uint64_t seed,
                       const struct trace_limits *limits,
                       const volatile int *cancel,
                       struct sandbox_verdict *ret_kernel,
                       const uint8_t **ret_shared, size_t *ret_len,
                       struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    for (int attempt = 0; attempt < 2; attempt++) {
        if (!t->tracer) {
            rc = tracer_open(&t->options, &t->tracer, err);
        }
        if (rc == CWM_OK) {
            rc = suite_run(t->tracer, how, node, collect, seed, limits, cancel,
                           ret_kernel, ret_shared, ret_len, err);
        }
        if (cwm_is_cancelled(cancel)) {
            return CWM_FAIL(err, CWM_CANCELLED, "stopped on request");
        }
        if (rc == CWM_OK) {
            return CWM_OK;
        }
        tracer_close(t->tracer);
        t->tracer = NULL;
    }
    return rc;
}

/* ---- are two runs the same? ---- */

/* Bytes of a stream that are committed, its header with them. */
static size_t stream_bytes(const uint8_t *shared, size_t len)
{
    uint64_t n = 0;

    for (int i = 7; i >= 0 && len >= TRACE_SHARED_HEADER_BYTES; i--) {
        n = n << 8 | shared[8 + i];
    }
    return n <= len - TRACE_SHARED_HEADER_BYTES
               ? TRACE_SHARED_HEADER_BYTES + (size_t)n
               : len;
}

/* An episode's bytes with its files' own lines in them. */
static enum cwm_rc plain_bytes(const struct suite_stream *s,
                               const struct suite_episode *e,
                               struct cwm_buf *out, struct cwm_err *err)
{
    uint32_t *lines = cwm_malloc((s->n_lines + 1) * sizeof *lines); /* owned */
    enum cwm_rc rc;

    if (!lines) {
        return CWM_FAIL(err, CWM_NOMEM, "could not compare two runs");
    }
    for (size_t i = 0; i < s->n_lines; i++) {
        lines[i] = s->lines[i].line;
    }
    cwm_buf_clear(out);
    rc = suite_place_lines(e, lines, s->n_lines, out, err);
    cwm_free(lines);
    return rc;
}

static bool is_same_text(const char *a, size_t n, const char *b, size_t m)
{
    return n == m && memcmp(a, b, n) == 0;
}

static const struct suite_episode *find_again(const struct suite_stream *again,
                                              const struct suite_episode *e)
{
    for (size_t i = 0; i < again->n_episodes; i++) {
        const struct suite_episode *other = &again->episodes[i];

        if (other->complete && other->call == e->call &&
            other->kind == e->kind && other->first_line == e->first_line &&
            is_same_text(other->path, other->path_len, e->path, e->path_len) &&
            is_same_text(other->qualname, other->qualname_len, e->qualname,
                         e->qualname_len)) {
            return other;
        }
    }
    return NULL;
}

/* again NULL: all of the streams is the same. */
static enum cwm_rc is_stable(struct suite_tester *t,
                             const struct suite_stream *s,
                             const struct suite_stream *again,
                             const struct suite_episode *e, bool *ret_same,
                             struct cwm_err *err)
{
    const struct suite_episode *other;
    struct cwm_buf second;
    enum cwm_rc rc;

    *ret_same = !again;
    other = again ? find_again(again, e) : NULL;
    if (!other) {
        return CWM_OK;
    }
    cwm_buf_init(&second, 2 * SUITE_STREAM_BYTES);
    rc = plain_bytes(s, e, &t->records, err);
    if (rc == CWM_OK) {
        rc = plain_bytes(again, other, &second, err);
    }
    *ret_same = rc == CWM_OK && t->records.len == second.len &&
                memcmp(t->records.data, second.data, second.len) == 0;
    cwm_buf_release(&second);
    return rc == CWM_NOMEM ? rc : CWM_OK;
}

/* ---- one episode ---- */

/* false: not one that a trace of a function ends with. */
static bool verdict_of(const struct trace_end *end,
                       enum trace_verdict *ret_verdict)
{
    if (end->is_text_cut) {
        *ret_verdict = TRACE_VERDICT_BYTE_LIMIT;
        return true;
    }
    switch ((int)end->reason) {
    case TRACE_END_OK:
        *ret_verdict = TRACE_VERDICT_OK;
        return true;
    case TRACE_END_EXCEPTION:
        *ret_verdict = TRACE_VERDICT_EXCEPTION;
        return true;
    case TRACE_END_EXIT:
        *ret_verdict = TRACE_VERDICT_EXIT;
        return true;
    case TRACE_END_FRAME_LIMIT:
        *ret_verdict = TRACE_VERDICT_FRAME_LIMIT;
        return true;
    case TRACE_END_BYTE_LIMIT:
        *ret_verdict = TRACE_VERDICT_BYTE_LIMIT;
        return true;
    default:
        return false;
    }
}

static enum cwm_rc hand_over(const struct suite_wish *wish,
                             struct suite_seen *seen,
                             struct trace_reader *reader, struct source *source,
                             bool *ret_taken, struct cwm_err *err)
{
    const struct trace_end *end = trace_reader_end(reader);

    *ret_taken = !end->damaged && end->n_frames > 0 &&
                 verdict_of(end, &seen->result.verdict);
    if (!*ret_taken) {
        return CWM_OK;
    }
    seen->result.reader = reader;
    seen->result.records =
        trace_reader_records(reader, &seen->result.records_len);
    seen->result.context_line = seen->context->entry_line;
    seen->result.source = source;
    seen->result.summary.entry = seen->context->entry;
    return wish->take(wish->ctx, seen, err);
}

/* Its context made, its lines placed, and read as any trace is. */
static enum cwm_rc take_episode(struct suite_tester *t,
                                const struct suite_stream *s,
                                const struct suite_episode *e,
                                const struct trace_limits *limits,
                                const char *outcome,
                                const struct suite_wish *wish, bool *ret_taken,
                                struct cwm_err *err)
{
    struct suite_context context;
    struct trace_reader *reader = NULL; /* owned */
    struct source *source = NULL;       /* owned */
    struct suite_seen seen = {.first_line = e->first_line,
                              .call = e->call,
                              .kind = e->kind,
                              .outcome = outcome,
                              .context = &context};
    int file = repository_find(t->repo, e->path, e->path_len);
    bool found = false;
    enum cwm_rc rc = suite_context_make(t->repo, s, e, &context, &found, err);

    *ret_taken = false;
    cwm_buf_clear(&t->records);
    if (rc != CWM_OK || !found || file < 0) {
        goto out;
    }
    seen.path = repository_file(t->repo, (size_t)file);
    rc = suite_place_lines(e, context.lines, s->n_lines, &t->records, err);
    if (rc == CWM_OK) {
        rc = source_new_text(context.text.data, context.text.len, seen.path,
                             &source, err);
    }
    if (rc == CWM_OK) {
        rc = trace_reader_new_within((const uint8_t *)t->records.data,
                                     t->records.len, source,
                                     limits->max_trace_bytes, &reader, err);
    }
    if (rc == CWM_OK) {
        rc = hand_over(wish, &seen, reader, source, ret_taken, err);
    } else if (rc == CWM_FORMAT || rc == CWM_LIMIT) {
        rc = CWM_OK; /* not what the repository's text says */
    }
out:
    trace_reader_free(reader);
    source_free(source);
    suite_context_release(&context);
    return rc;
}

/* ---- one test ---- */

static const char *outcome_of(const struct suite_stream *s)
{
    static const char *const known[] = {"passed", "failed", "skipped"};
    const struct suite_text *told = suite_stream_told(s, SUITE_TELL_OUTCOME);

    for (size_t i = 0; told && i < sizeof known / sizeof known[0]; i++) {
        if (is_same_text(told->text, told->len, known[i], strlen(known[i]))) {
            return known[i];
        }
    }
    return "crashed";
}

static bool is_out(const struct sandbox_verdict *kernel)
{
    return kernel->end == SANDBOX_END_CPU_TIME ||
           kernel->end == SANDBOX_END_WALL_TIME ||
           kernel->end == SANDBOX_END_MEMORY;
}

static enum cwm_rc take_all(struct suite_tester *t,
                            const struct suite_stream *s,
                            const struct suite_stream *again,
                            const struct trace_limits *limits,
                            const struct suite_wish *wish,
                            struct suite_counts *counts, struct cwm_err *err)
{
    const char *outcome = outcome_of(s);
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < s->n_episodes && rc == CWM_OK; i++) {
        const struct suite_episode *e = &s->episodes[i];
        bool same = false;
        bool taken = false;

        if (!e->complete || !wish->wants(wish->ctx, e->path, e->path_len,
                                         e->first_line, e->call, e->kind)) {
            continue;
        }
        rc = is_stable(t, s, again, e, &same, err);
        counts->n_unstable += rc == CWM_OK && !same;
        if (rc == CWM_OK && same) {
            rc = take_episode(t, s, e, limits, outcome, wish, &taken, err);
            counts->n_episodes += taken;
        }
    }
    return rc;
}

/* The second run, compared with t->first. */
static enum cwm_rc run_again(struct suite_tester *t,
                             const struct suite_how *how, const char *node,
                             uint64_t seed, const struct trace_limits *limits,
                             const volatile int *cancel,
                             const struct suite_wish *wish,
                             struct suite_counts *counts, struct cwm_err *err)
{
    struct suite_stream first = {.n_episodes = 0};
    struct suite_stream second = {.n_episodes = 0};
    struct sandbox_verdict kernel;
    const uint8_t *shared = NULL;
    size_t len = 0;
    bool same;
    enum cwm_rc rc = suite__run(t, how, node, false, seed, limits, cancel,
                                &kernel, &shared, &len, err);

    if (rc != CWM_OK) {
        return rc;
    }
    counts->cpu_us += kernel.cpu_us;
    if (is_out(&kernel)) {
        counts->n_out++;
        return CWM_OK;
    }
    len = stream_bytes(shared, len);
    same = len == t->first.len && memcmp(shared, t->first.data, len) == 0;
    rc = suite_stream_read((const uint8_t *)t->first.data, t->first.len, &first,
                           err);
    if (rc == CWM_OK && !same) {
        rc = suite_stream_read(shared, len, &second, err);
    }
    if (rc == CWM_OK) {
        rc = take_all(t, &first, same ? NULL : &second, limits, wish, counts,
                      err);
    }
    suite_stream_release(&first);
    suite_stream_release(&second);
    return rc;
}

enum cwm_rc suite_test(struct suite_tester *t, const struct suite_how *how,
                       const char *node, uint64_t seed,
                       const struct trace_limits *limits,
                       const volatile int *cancel,
                       const struct suite_wish *wish,
                       struct suite_counts *counts, struct cwm_err *err)
{
    struct suite_how own = *how;
    struct sandbox_verdict kernel;
    const uint8_t *shared = NULL;
    size_t len = 0;
    enum cwm_rc rc;

    own.venv = repository_venv(t->repo);
    rc = suite__run(t, &own, node, false, seed, limits, cancel, &kernel,
                    &shared, &len, err);
    if (rc != CWM_OK) {
        return rc;
    }
    counts->cpu_us += kernel.cpu_us;
    if (is_out(&kernel)) {
        counts->n_out++;
        return CWM_OK;
    }
    cwm_buf_clear(&t->first);
    cwm_buf_add(&t->first, shared, stream_bytes(shared, len));
    rc = cwm_buf_check(&t->first, "a run", err);
    return rc == CWM_OK ? run_again(t, &own, node, seed, limits, cancel, wish,
                                    counts, err)
                        : rc;
}

/* ---- names ---- */

void suite_args_write(const struct suite_how *how, const char *node,
                      uint64_t call, struct cwm_buf *out)
{
    cwm_buf_adds(out, "{\"test\": ");
    cwm_buf_add_json(out, node, strlen(node));
    cwm_buf_addf(out,
                 ", \"call\": %llu, \"enter\": %u, \"depth\": %u, "
                 "\"test_functions\": %s}",
                 (unsigned long long)call, how->enter_permille, how->max_depth,
                 how->tests ? "true" : "false");
}

static bool take_number(const json_t *root, const char *name,
                        uint64_t *ret_number)
{
    const json_t *number = json_object_get(root, name);

    *ret_number = json_is_integer(number) && json_integer_value(number) >= 0
                      ? (uint64_t)json_integer_value(number)
                      : UINT64_MAX;
    return *ret_number <= INT64_MAX;
}

bool suite_args_read(const char *args, struct suite_how *ret_how,
                     char **ret_node, uint64_t *ret_call)
{
    json_t *root = json_loads(args ? args : "", 0, NULL); /* owned */
    const char *node = json_string_value(json_object_get(root, "test"));
    uint64_t enter = 0;
    uint64_t depth = 0;
    bool good = node && take_number(root, "call", ret_call) &&
                take_number(root, "enter", &enter) && enter <= 1000 &&
                take_number(root, "depth", &depth) && depth <= UINT32_MAX;

    if (good) {
        ret_how->enter_permille = (uint32_t)enter;
        ret_how->max_depth = (uint32_t)depth;
        ret_how->tests = json_is_true(json_object_get(root, "test_functions"));
        ret_how->venv = "";
        *ret_node = cwm_strdup(node);
        good = *ret_node != NULL;
    }
    json_decref(root);
    return good;
}
