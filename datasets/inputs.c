/* SPDX-License-Identifier: MIT */
/* inputs.c -- tries in their order, and which of them say something new. */
#include "datasets/inputs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/inputs_internal.h"

/* Proposals that were made before are not made again; so many in a row, and
 * there are no others. */
#define MAX_REPEATS 40

const char *inputs_origin_text(enum inputs_origin origin)
{
    static const char *const texts[] = {
#define INPUTS_TEXT(name, number, text) [(number)] = (text),
        INPUTS_ORIGIN_TABLE(INPUTS_TEXT)
#undef INPUTS_TEXT
    };

    return origin < INPUTS_N_ORIGINS ? texts[origin] : "";
}

void inputs_settings_default(struct inputs_settings *ret_settings)
{
    *ret_settings = (struct inputs_settings){.max_tries = 40,
                                             .max_kept = 8,
                                             .exception_permille = 200,
                                             .max_frames = 2000,
                                             .keep_written = true};
}

uint32_t inputs__pick(struct inputs *in, uint32_t n)
{
    uint64_t z = in->random += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return (uint32_t)((z >> 32) * n >> 32);
}

/* ---- outcomes ---- */

static int compare_edges(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void copy_text(char *to, size_t size, const uint8_t *from, size_t len)
{
    size_t n = from && len < size ? len : from ? size - 1 : 0;

    if (n > 0) {
        memcpy(to, from, n);
    }
    to[n] = '\0';
}

/* The first characters of a value's text tell its type well enough. */
static uint32_t type_of(const uint8_t *text, size_t len)
{
    if (!text || len == 0) {
        return 0;
    }
    if ((text[0] >= '0' && text[0] <= '9') || text[0] == '-') {
        return memchr(text, '.', len) ? 2 : 1 + (text[0] == '-') * 8;
    }
    /* empty ones are something of their own */
    return (uint32_t)text[0] << 8 | (len == 2 && text[0] != 'N');
}

static uint32_t shape_of(const struct inputs_outcome *outcome,
                         const struct trace_end *end)
{
    uint32_t hash = 2166136261u;

    hash = (hash ^ (uint32_t)outcome->verdict) * 16777619u;
    for (const char *p = outcome->exception_type; *p; p++) {
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    }
    return (hash ^ type_of(end->result, end->result_len)) * 16777619u;
}

static size_t sort_edges(uint64_t *edges, size_t n)
{
    size_t n_kept = 0;

    if (n > 0) {
        qsort(edges, n, sizeof *edges, compare_edges);
    }
    for (size_t i = 0; i < n; i++) {
        if (n_kept == 0 || edges[n_kept - 1] != edges[i]) {
            edges[n_kept++] = edges[i];
        }
    }
    return n_kept;
}

/* Room for one more; loops repeat theirs, so more memory is rarely needed. */
static enum cwm_rc make_room(struct inputs_outcome *outcome, size_t *capacity,
                             struct cwm_err *err)
{
    size_t room = *capacity ? *capacity * 2 : 256;
    uint64_t *edges;

    if (outcome->n_edges < *capacity) {
        return CWM_OK;
    }
    outcome->n_edges = sort_edges(outcome->edges, outcome->n_edges);
    if (*capacity > 0 && outcome->n_edges * 2 <= *capacity) {
        return CWM_OK;
    }
    edges = cwm_realloc(outcome->edges, room, sizeof *edges);
    if (!edges) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a trace's lines");
    }
    outcome->edges = edges;
    *capacity = room;
    return CWM_OK;
}

/* Line to line, as the frames follow each other; by what event. */
static enum cwm_rc read_edges(struct trace_reader *r,
                              struct inputs_outcome *outcome,
                              struct cwm_err *err)
{
    struct trace_frame frame;
    size_t capacity = 0;
    uint64_t before = 0;
    bool more = true;
    enum cwm_rc rc = CWM_OK;

    trace_reader_rewind(r);
    while (rc == CWM_OK && more) {
        rc = trace_reader_next(r, &frame, &more, err);
        if (rc == CWM_OK && more) {
            rc = make_room(outcome, &capacity, err);
        }
        if (rc == CWM_OK && more) {
            outcome->edges[outcome->n_edges++] = before << 34 |
                                                 (uint64_t)frame.line << 2 |
                                                 (uint64_t)frame.event;
            before = frame.line;
        }
    }
    outcome->n_edges = sort_edges(outcome->edges, outcome->n_edges);
    return rc;
}

enum cwm_rc inputs_outcome_of(const struct trace_result *result,
                              struct inputs_outcome *ret_outcome,
                              struct cwm_err *err)
{
    struct inputs_outcome outcome = {.verdict = result->verdict};
    const struct trace_end *end;
    enum cwm_rc rc;

    if (!result->reader) {
        *ret_outcome = outcome;
        return CWM_OK;
    }
    end = trace_reader_end(result->reader);
    copy_text(outcome.exception_type, sizeof outcome.exception_type,
              end->exception_type, end->exception_type_len);
    copy_text(outcome.exception_message, sizeof outcome.exception_message,
              end->exception_message, end->exception_message_len);
    outcome.shape = shape_of(&outcome, end);
    if (!trace_result_is_steady(result)) { /* how far it came is chance */
        *ret_outcome = outcome;
        return CWM_OK;
    }
    outcome.n_frames = end->n_frames;
    rc = read_edges(result->reader, &outcome, err);
    if (rc != CWM_OK) {
        cwm_free(outcome.edges);
        return rc;
    }
    *ret_outcome = outcome;
    return CWM_OK;
}

void inputs_outcome_release(struct inputs_outcome *outcome)
{
    cwm_free(outcome->edges);
    outcome->edges = NULL;
    outcome->n_edges = 0;
}

/* ---- opening ---- */

static enum cwm_rc check_def(const struct source *source, int def,
                             const struct source_def **ret_def,
                             struct cwm_err *err)
{
    size_t n = 0;
    const struct source_def *defs = source_defs(source, &n);

    if (def < 0 || (size_t)def >= n) {
        return CWM_FAIL(err, CWM_USAGE, "there is no definition %d", def);
    }
    if (defs[def].kind != SOURCE_FUNCTION || defs[def].parent >= 0) {
        return CWM_FAIL(err, CWM_USAGE,
                        "'%s' is no function that can be called as it stands",
                        defs[def].qualname);
    }
    *ret_def = &defs[def];
    return CWM_OK;
}

enum cwm_rc inputs_new(const struct source *source, int def,
                       const struct inputs_settings *settings, uint64_t seed,
                       struct inputs **ret_inputs, struct cwm_err *err)
{
    const struct source_def *d = NULL;
    struct inputs *in = NULL; /* owned */
    enum cwm_rc rc = check_def(source, def, &d, err);

    if (rc != CWM_OK) {
        return rc;
    }
    in = cwm_calloc(1, sizeof *in);
    if (!in) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make inputs");
    }
    in->settings = *settings;
    if (in->settings.max_kept > INPUTS_MAX_KEPT) {
        in->settings.max_kept = INPUTS_MAX_KEPT;
    }
    in->random = seed;
    in->name = cwm_strdup(d->name);
    if (!in->name) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not make inputs");
        goto out;
    }
    rc = inputs__read(in, source, d, err);
    if (rc == CWM_OK) {
        *ret_inputs = in;
        in = NULL; /* now the caller's */
    }
out:
    inputs_free(in);
    return rc;
}

void inputs_free(struct inputs *in)
{
    if (!in) {
        return;
    }
    cwm_free(in->name);
    for (size_t i = 0; i < in->n_params; i++) {
        cwm_free(in->params[i].name);
    }
    for (size_t i = 0; i < in->n_written; i++) {
        cwm_free(in->written[i].text);
    }
    for (size_t i = 0; i < in->n_literals; i++) {
        cwm_free(in->literals[i]);
    }
    for (size_t i = 0; i < in->n_kept; i++) {
        cwm_free(in->kept[i].text);
    }
    for (size_t i = 0; i < in->n_waiting; i++) {
        cwm_free(in->waiting[i].text);
    }
    cwm_free(in->last.text);
    cwm_free(in->seen);
    cwm_free(in->edges);
    cwm_free(in);
}

/* ---- proposing ---- */

static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);

    for (; *text; text++) { /* FNV-1a */
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001B3);
    }
    return hash;
}

/* *ret_new false: it was proposed before. */
static enum cwm_rc remember(struct inputs *in, const char *text, bool *ret_new,
                            struct cwm_err *err)
{
    uint64_t hash = hash_of(text);

    *ret_new = true;
    for (size_t i = 0; i < in->n_seen; i++) {
        if (in->seen[i] == hash) {
            *ret_new = false;
            return CWM_OK;
        }
    }
    if (in->n_seen == in->seen_capacity) {
        size_t more = in->seen_capacity ? in->seen_capacity * 2 : 32;
        uint64_t *seen = cwm_realloc(in->seen, more, sizeof *seen);

        if (!seen) {
            return CWM_FAIL(err, CWM_NOMEM, "could not note a try");
        }
        in->seen = seen;
        in->seen_capacity = more;
    }
    in->seen[in->n_seen++] = hash;
    return CWM_OK;
}

static bool may_raise(const struct inputs *in)
{
    return (in->n_kept_exceptions + 1) * UINT64_C(1000) <=
           (uint64_t)in->settings.exception_permille * (in->n_kept + 1);
}

static bool all_have_defaults(const struct inputs *in)
{
    for (size_t i = 0; i < in->n_params; i++) {
        if (!in->params[i].has_default && in->params[i].place != PLACE_REST) {
            return false;
        }
    }
    return true;
}

static void put_out(struct inputs *in, struct inputs_text text,
                    struct inputs_try *ret)
{
    cwm_free(in->last.text);
    in->last = text;
    in->is_out = true;
    *ret = (struct inputs_try){.args = text.text,
                               .origin = text.origin,
                               .line = text.line,
                               .index = in->n_tries++};
}

/* A text of our own making into `out`; its origin. */
static enum inputs_origin propose(struct inputs *in, struct cwm_buf *out)
{
    cwm_buf_clear(out);
    in->n_last_types = 0;
    if (!in->tried_defaults && all_have_defaults(in)) {
        in->tried_defaults = true;
        return INPUTS_DEFAULT;
    }
    if (in->n_kept > 0 && in->n_params > 0 && inputs__chance(in, 450)) {
        inputs__mutated(
            in, in->kept[inputs__pick(in, (uint32_t)in->n_kept)].text, out);
        return INPUTS_MUTATED;
    }
    inputs__typed(in, out);
    return INPUTS_TYPED;
}

static enum cwm_rc next_made(struct inputs *in, struct inputs_try *ret,
                             bool *ret_more, struct cwm_err *err)
{
    struct cwm_buf out;
    enum cwm_rc rc = CWM_OK;

    cwm_buf_init(&out, INPUTS_MAX_ARGS);
    for (int i = 0; i < MAX_REPEATS && rc == CWM_OK; i++) {
        enum inputs_origin origin = propose(in, &out);
        bool is_new = false;

        if (out.failed == CWM_NOMEM) {
            rc = cwm_buf_check(&out, "a try's arguments", err);
            break;
        }
        if (out.failed != CWM_OK) {
            continue; /* too long: another one */
        }
        rc = remember(in, out.data ? out.data : "", &is_new, err);
        if (rc == CWM_OK && is_new) {
            char *text = cwm_strndup(out.data ? out.data : "", out.len);

            if (text) {
                put_out(in, (struct inputs_text){text, origin, 0}, ret);
                *ret_more = true;
            } else {
                rc = CWM_FAIL(err, CWM_NOMEM, "could not hold a try");
            }
            break;
        }
    }
    cwm_buf_release(&out);
    return rc;
}

enum cwm_rc inputs_next(struct inputs *in, struct inputs_try *ret,
                        bool *ret_more, struct cwm_err *err)
{
    *ret_more = false;
    in->was_waiting = false;
    if (in->n_tries >= in->settings.max_tries ||
        in->n_kept >= in->settings.max_kept) {
        return CWM_OK;
    }
    if (in->n_waiting > 0 && may_raise(in)) {
        struct inputs_text text = in->waiting[0];

        memmove(in->waiting, in->waiting + 1,
                --in->n_waiting * sizeof *in->waiting);
        in->was_waiting = true;
        in->n_last_types = 0;
        put_out(in, text, ret);
        *ret_more = true;
        return CWM_OK;
    }
    while (in->next_written < in->n_written) {
        struct inputs_text *text = &in->written[in->next_written++];
        bool is_new = false;
        enum cwm_rc rc = remember(in, text->text, &is_new, err);

        if (rc != CWM_OK) {
            return rc;
        }
        if (is_new) {
            in->n_last_types = 0;
            put_out(in, *text, ret);
            text->text = NULL; /* now in in->last */
            *ret_more = true;
            return CWM_OK;
        }
    }
    if (in->n_params == 0 && in->n_tries > 0) {
        return CWM_OK; /* there is only one way to call it */
    }
    return next_made(in, ret, ret_more, err);
}

/* ---- judging ---- */

/* Lines and branches that are not among those of the inputs kept. */
static size_t count_new(const struct inputs *in,
                        const struct inputs_outcome *outcome)
{
    size_t n_new = 0;
    size_t at = 0;

    for (size_t i = 0; i < outcome->n_edges; i++) {
        while (at < in->n_edges && in->edges[at] < outcome->edges[i]) {
            at++;
        }
        n_new += at == in->n_edges || in->edges[at] != outcome->edges[i];
    }
    return n_new;
}

static bool has_shape(const struct inputs *in, uint32_t shape)
{
    for (size_t i = 0; i < in->n_shapes; i++) {
        if (in->shapes[i] == shape) {
            return true;
        }
    }
    return false;
}

static enum cwm_rc add_edges(struct inputs *in,
                             const struct inputs_outcome *outcome,
                             struct cwm_err *err)
{
    size_t n = in->n_edges + outcome->n_edges;
    uint64_t *edges = cwm_realloc(in->edges, n ? n : 1, sizeof *edges);

    if (!edges) {
        return CWM_FAIL(err, CWM_NOMEM, "could not note what is covered");
    }
    in->edges = edges;
    if (outcome->n_edges > 0) {
        memcpy(edges + in->n_edges, outcome->edges,
               outcome->n_edges * sizeof *edges);
    }
    in->n_edges = sort_edges(edges, n);
    if (in->n_shapes < ARRAY_LEN(in->shapes) &&
        !has_shape(in, outcome->shape)) {
        in->shapes[in->n_shapes++] = outcome->shape;
    }
    return CWM_OK;
}

enum cwm_rc inputs_report(struct inputs *in,
                          const struct inputs_outcome *outcome, bool *ret_keep,
                          struct cwm_err *err)
{
    bool raises = outcome->verdict == TRACE_VERDICT_EXCEPTION;
    bool is_written = in->last.origin <= INPUTS_CALL;
    bool is_new;
    enum cwm_rc rc;

    *ret_keep = false;
    if (!in->is_out) {
        return CWM_OK;
    }
    in->is_out = false;
    inputs__learn(in, outcome);
    is_new = count_new(in, outcome) > 0 || !has_shape(in, outcome->shape) ||
             (is_written && in->settings.keep_written);
    if ((!raises && outcome->verdict != TRACE_VERDICT_OK) || !is_new ||
        outcome->n_frames > in->settings.max_frames ||
        in->n_kept == INPUTS_MAX_KEPT) {
        return CWM_OK;
    }
    if (raises && !may_raise(in)) {
        if (in->n_waiting < INPUTS_MAX_KEPT && !in->was_waiting) {
            in->waiting[in->n_waiting++] = in->last;
            in->last.text = NULL; /* now among those that wait */
        }
        return CWM_OK;
    }
    rc = add_edges(in, outcome, err);
    if (rc != CWM_OK) {
        return rc;
    }
    in->kept[in->n_kept++] = in->last;
    in->last.text = NULL; /* now among those kept */
    in->n_kept_exceptions += raises;
    *ret_keep = true;
    return CWM_OK;
}
