/* SPDX-License-Identifier: MIT */
/* narrate.c -- a trace as a list of facts, and the check of a narration. */
#include "datasets/narrate.h"

#include <inttypes.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/utf8.h"
#include "datasets/narrate_internal.h"

const char *narrate_style_text(enum narrate_style style)
{
    static const char *const texts[NARRATE_N_STYLES] = {"story", "steps",
                                                        "dialogue"};

    return style < NARRATE_N_STYLES ? texts[style] : "";
}

/* ---- lists of facts ---- */

struct narration *narrate__new(void)
{
    struct narration *n = cwm_calloc(1, sizeof *n);

    if (n) {
        cwm_buf_init(&n->texts, NARRATE_MAX_BYTES);
    }
    return n;
}

void narration_free(struct narration *n)
{
    if (n) {
        cwm_free(n->raw);
        cwm_free(n->facts);
        cwm_buf_release(&n->texts);
        cwm_free(n);
    }
}

enum cwm_rc narrate__add(struct narration *n, enum narrate_fact_kind kind,
                         uint32_t line, const void *name, size_t name_len,
                         const void *value, size_t value_len,
                         struct cwm_err *err)
{
    struct narrate__fact *fact;

    if (n->n_facts == n->capacity) {
        size_t more = n->capacity ? n->capacity * 2 : 64;
        struct narrate__fact *raw = cwm_realloc(n->raw, more, sizeof *raw);

        if (!raw) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold a narration");
        }
        n->raw = raw;
        n->capacity = more;
    }
    fact = &n->raw[n->n_facts];
    *fact = (struct narrate__fact){.kind = kind,
                                   .line = line,
                                   .has_name = name != NULL,
                                   .has_value = value != NULL,
                                   .name_at = n->texts.len,
                                   .name_len = name_len,
                                   .value_len = value_len};
    cwm_buf_add(&n->texts, name ? name : "", name ? name_len : 0);
    fact->value_at = n->texts.len;
    cwm_buf_add(&n->texts, value ? value : "", value ? value_len : 0);
    n->n_facts++;
    return cwm_buf_check(&n->texts, "the narration", err);
}

enum cwm_rc narrate__finish(struct narration *n, struct cwm_err *err)
{
    n->facts = cwm_calloc(n->n_facts + 1, sizeof *n->facts);
    if (!n->facts) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a narration");
    }
    for (size_t i = 0; i < n->n_facts; i++) {
        const struct narrate__fact *raw = &n->raw[i];
        const char *texts = n->texts.data ? n->texts.data : "";

        n->facts[i] = (struct narrate_fact){
            .kind = raw->kind,
            .line = raw->line,
            .name = raw->has_name ? texts + raw->name_at : NULL,
            .name_len = raw->has_name ? raw->name_len : 0,
            .value = raw->has_value ? texts + raw->value_at : NULL,
            .value_len = raw->has_value ? raw->value_len : 0};
    }
    return CWM_OK;
}

const struct narrate_fact *narration_facts(const struct narration *n,
                                           size_t *ret_n)
{
    *ret_n = n->n_facts;
    return n->facts;
}

/* ---- a trace's facts ---- */

/*
 * Two lone surrogates in a row come out of a narration as one character; so
 * they are taken as that from the start.
 */
static enum cwm_rc add_text(struct narration *n, enum narrate_fact_kind kind,
                            uint32_t line, const void *name, size_t name_len,
                            const void *value, size_t value_len,
                            struct cwm_err *err)
{
    struct cwm_buf json;
    struct cwm_buf clean;
    enum cwm_rc rc;

    if (!value || cwm_utf8_valid_prefix(value, value_len) == value_len) {
        return narrate__add(n, kind, line, name, name_len, value, value_len,
                            err);
    }
    cwm_buf_init(&json, NARRATE_MAX_BYTES);
    cwm_buf_init(&clean, NARRATE_MAX_BYTES);
    rc = cwm_buf_add_json(&json, value, value_len);
    if (rc == CWM_OK) {
        narrate__decode_json(json.data, json.data + json.len, &clean);
        rc = clean.failed;
    }
    if (rc != CWM_OK) {
        rc = CWM_FAIL(err, rc, "could not hold a value");
    } else {
        rc = narrate__add(n, kind, line, name, name_len, clean.data, clean.len,
                          err);
    }
    cwm_buf_release(&json);
    cwm_buf_release(&clean);
    return rc;
}

static enum cwm_rc add_locals(struct narration *n,
                              const struct trace_frame *frame, bool all,
                              struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < frame->n_locals && rc == CWM_OK; i++) {
        const struct trace_local *local = &frame->locals[i];

        if (all || local->changed) {
            rc = add_text(n, NARRATE_FACT_VALUE, 0, local->name,
                          local->name_len, local->value, local->value_len, err);
        }
    }
    for (size_t i = 0; i < frame->n_unbound && rc == CWM_OK; i++) {
        rc = add_text(n, NARRATE_FACT_UNBOUND, 0, frame->unbound[i].name,
                      frame->unbound[i].name_len, NULL, 0, err);
    }
    return rc;
}

/* The activation that the last frame belonged to, if it is still there. */
struct told {
    bool any;
    bool left; /* it was left by its last frame */
    uint32_t activation;
};

static enum cwm_rc add_frame(struct narration *n,
                             const struct trace_frame *frame, struct told *told,
                             struct cwm_err *err)
{
    enum narrate_fact_kind kind = NARRATE_FACT_LINE;
    enum cwm_rc rc = CWM_OK;

    if (frame->event != TRACE_CALL && told->any &&
        frame->activation != told->activation) {
        rc = add_text(n, NARRATE_FACT_BACK, 0, frame->function,
                      frame->function_len, NULL, 0, err);
    }
    told->any = true;
    told->activation = frame->activation;
    if (rc != CWM_OK) {
        return rc;
    }
    switch (frame->event) {
    case TRACE_CALL:
        kind = frame->resumed ? NARRATE_FACT_RESUME : NARRATE_FACT_CALL;
        rc = add_text(n, kind, frame->line, frame->function,
                      frame->function_len, NULL, 0, err);
        return rc == CWM_OK ? add_locals(n, frame, true, err) : rc;
    case TRACE_LINE:
        rc = add_text(n, kind, frame->line, NULL, 0, NULL, 0, err);
        return rc == CWM_OK ? add_locals(n, frame, false, err) : rc;
    case TRACE_RETURN:
        kind = frame->suspended ? NARRATE_FACT_YIELD : NARRATE_FACT_RETURN;
        return add_text(n, kind, frame->line, frame->function,
                        frame->function_len, frame->arg, frame->arg_len, err);
    case TRACE_EXCEPTION:
        break;
    }
    return add_text(n, NARRATE_FACT_EXCEPTION, frame->line, NULL, 0, frame->arg,
                    frame->arg_len, err);
}

static enum cwm_rc add_end(struct narration *n, const struct trace_end *end,
                           const struct trace_summary *summary,
                           struct cwm_err *err)
{
    struct cwm_buf text;
    enum cwm_rc rc;

    if (end->result) {
        return add_text(n, NARRATE_FACT_END, 0, summary->verdict,
                        strlen(summary->verdict), end->result, end->result_len,
                        err);
    }
    if (!end->exception_type) {
        return add_text(n, NARRATE_FACT_END, 0, summary->verdict,
                        strlen(summary->verdict), NULL, 0, err);
    }
    cwm_buf_init(&text, NARRATE_MAX_BYTES);
    cwm_buf_add(&text, end->exception_type, end->exception_type_len);
    cwm_buf_adds(&text, ": ");
    cwm_buf_add(&text, end->exception_message, end->exception_message_len);
    rc = cwm_buf_check(&text, "the exception", err);
    if (rc == CWM_OK) {
        rc = add_text(n, NARRATE_FACT_END, 0, summary->verdict,
                      strlen(summary->verdict), text.data, text.len, err);
    }
    cwm_buf_release(&text);
    return rc;
}

enum cwm_rc narrate__of_trace(struct trace_reader *r,
                              const struct trace_summary *summary,
                              uint32_t max_frames,
                              struct narration **ret_narration,
                              struct cwm_err *err)
{
    struct narration *n = narrate__new(); /* owned */
    const struct trace_end *end = trace_reader_end(r);
    struct told told = {0};
    struct trace_frame frame;
    bool more = true;
    enum cwm_rc rc = CWM_OK;

    if (!n) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a narration");
    }
    if (max_frames > 0 && end->n_frames > max_frames) {
        rc = CWM_FAIL(err, CWM_LIMIT,
                      "the trace has %" PRIu64
                      " frames, over the limit of %" PRIu32,
                      end->n_frames, max_frames);
        goto out;
    }
    trace_reader_rewind(r);
    while (more) {
        rc = trace_reader_next(r, &frame, &more, err);
        if (rc == CWM_OK && more) {
            rc = add_frame(n, &frame, &told, err);
        }
        if (rc != CWM_OK) {
            goto out;
        }
    }
    rc = add_end(n, end, summary, err);
    if (rc == CWM_OK) {
        rc = narrate__finish(n, err);
    }
    if (rc == CWM_OK) {
        *ret_narration = n;
        n = NULL; /* now the caller's */
    }
out:
    narration_free(n);
    return rc;
}

/* ---- the check ---- */

static bool same_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return (a == NULL) == (b == NULL) && a_len == b_len &&
           (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static enum cwm_rc compare(const struct narrate_fact *said,
                           const struct narrate_fact *true_one, size_t i,
                           struct cwm_err *err)
{
    if (said->kind != true_one->kind) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "statement %zu is of another kind than the trace's", i);
    }
    if (said->line != true_one->line) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "statement %zu says line %" PRIu32
                        ", the trace says %" PRIu32,
                        i, said->line, true_one->line);
    }
    if (!same_text(said->name, said->name_len, true_one->name,
                   true_one->name_len)) {
        return CWM_FAIL(
            err, CWM_FORMAT, "statement %zu names '%.*s', not '%.*s'", i,
            (int)said->name_len, said->name ? said->name : "",
            (int)true_one->name_len, true_one->name ? true_one->name : "");
    }
    if (!same_text(said->value, said->value_len, true_one->value,
                   true_one->value_len)) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "statement %zu gives '%.*s' the value '%.*s', not "
                        "'%.*s'",
                        i, (int)said->name_len, said->name ? said->name : "",
                        said->value_len < 80 ? (int)said->value_len : 80,
                        said->value ? said->value : "",
                        true_one->value_len < 80 ? (int)true_one->value_len
                                                 : 80,
                        true_one->value ? true_one->value : "");
    }
    return CWM_OK;
}

enum cwm_rc narrate_check(const char *text, size_t len, struct trace_reader *r,
                          const struct source *s,
                          const struct trace_summary *summary,
                          struct cwm_err *err)
{
    struct narration *said = NULL;     /* owned */
    struct narration *true_one = NULL; /* owned */
    enum cwm_rc rc = narrate_read(text, len, &said, err);

    (void)s; /* lines' texts are quoted, not stated */
    if (rc == CWM_OK) {
        rc = narrate__of_trace(r, summary, 0, &true_one, err);
    }
    if (rc != CWM_OK) {
        goto out;
    }
    for (size_t i = 0; i < said->n_facts && i < true_one->n_facts; i++) {
        rc = compare(&said->facts[i], &true_one->facts[i], i, err);
        if (rc != CWM_OK) {
            goto out;
        }
    }
    if (said->n_facts != true_one->n_facts) {
        rc = CWM_FAIL(err, CWM_FORMAT,
                      "the narration makes %zu statements, the trace %zu",
                      said->n_facts, true_one->n_facts);
    }
out:
    narration_free(said);
    narration_free(true_one);
    return rc;
}
