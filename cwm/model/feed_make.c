/* SPDX-License-Identifier: MIT */
/* feed_make.c -- a program is made, run and packed. */
#include "cwm/model/feed_internal.h"

#include <string.h>
#include <xxhash.h>

#include "tracer/render.h"

/* Programs are a page at most; a record is as large as a trace may be. */
#define MAX_SOURCE_BYTES ((size_t)1 << 20)
#define MAX_RECORD_BYTES ((size_t)256 << 20)

enum cwm_rc feed__maker_init(struct feed_maker *m,
                             const struct feed_options *options,
                             struct cwm_err *err)
{
    *m = (struct feed_maker){.options = options,
                             .slot = {.options = &options->tracer}};
    generated_init(&m->program);
    cwm_buf_init(&m->source, MAX_SOURCE_BYTES);
    cwm_buf_init(&m->record, MAX_RECORD_BYTES);
    return trace_packer_new(options->tokenizer, &m->packer, err);
}

void feed__maker_release(struct feed_maker *m)
{
    tracer_slot_close(&m->slot);
    trace_packer_free(m->packer);
    generated_release(&m->program);
    code_tokens_release(&m->tokens);
    cwm_buf_release(&m->source);
    cwm_buf_release(&m->record);
}

/* ---- calls ---- */

static void fill_up(struct cwm_buf *out)
{
    static const char zeros[8] = {0};

    cwm_buf_add(out, zeros, (8 - out->len % 8) % 8);
}

static void put_call(const struct packed_trace *t, struct cwm_buf *out)
{
    uint64_t n = t->n;

    cwm_buf_add(out, &n, sizeof n);
    cwm_buf_add(out, t->ids, t->n * sizeof *t->ids);
    cwm_buf_add(out, t->classes, t->n);
    fill_up(out);
}

struct feed_call feed__call_at(const char **at)
{
    struct feed_call c;
    size_t n_bytes;

    memcpy(&c.n, *at, sizeof c.n);
    *at += sizeof c.n;
    c.ids = (const uint32_t *)(const void *)*at;
    c.classes = (const uint8_t *)*at + c.n * sizeof *c.ids;
    n_bytes = c.n * (sizeof *c.ids + 1);
    *at += (n_bytes + 7) / 8 * 8;
    return c;
}

/* A run that was stopped, or that the tracer spoiled, teaches nothing. */
static bool is_whole(const struct trace_result *r)
{
    return (r->verdict == TRACE_VERDICT_OK ||
            r->verdict == TRACE_VERDICT_EXCEPTION) &&
           !r->tracer_failed && trace_result_is_steady(r);
}

static enum cwm_rc run_call(struct feed_maker *m, const char *args,
                            const volatile int *cancel, struct feed_head *head,
                            struct cwm_buf *out, struct cwm_err *err)
{
    const struct trace_job job = {
        .source = m->source.data,
        .source_len = m->source.len,
        .is_text = true,
        .name = "a generated program",
        .entry = m->program.entry,
        .args = args,
        .limits = m->options->limits,
    };
    const struct render_options how = {.full_locals = false};
    struct packed_trace packed = {.n = 0};
    struct trace_result result;
    enum cwm_rc rc = tracer_slot_run(&m->slot, &job, cancel, &result, err);

    if (rc == CWM_OK && is_whole(&result)) {
        cwm_buf_clear(&m->record);
        rc = render_json(result.reader, result.source, &result.summary, &how,
                         &m->record, err);
        if (rc == CWM_OK) {
            rc = trace_pack(m->packer, m->record.data, m->record.len, &packed,
                            err);
        }
    }
    if (rc != CWM_OK) {
        return rc;
    }
    head->n_failed += packed.n == 0;
    if (m->options->max_tokens > 0 && packed.n > m->options->max_tokens) {
        head->n_too_long++;
        packed.n = 0;
    }
    put_call(&packed, out);
    return CWM_OK;
}

/* ---- programs ---- */

static enum cwm_rc sketch(struct feed_maker *m, struct minhash *ret,
                          struct cwm_err *err)
{
    enum cwm_rc rc =
        code_tokens_of(m->source.data, m->source.len, 0, &m->tokens, err);

    if (rc == CWM_OK) {
        minhash_of(&m->tokens, ret);
    }
    return rc;
}

static bool is_similar(const struct minhash *sketch,
                       const struct feed_held_out *held_out)
{
    for (size_t i = 0; i < held_out->n; i++) {
        if (minhash_percent(sketch, &held_out->sketches[i]) >=
            FEED_FAMILY_PERCENT) {
            return true;
        }
    }
    return false;
}

/* The same call twice would be the same sequence twice. */
static bool came_before(const struct generated *g, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(g->args[k], g->args[i]) == 0) {
            return true;
        }
    }
    return false;
}

static enum cwm_rc run_calls(struct feed_maker *m, const volatile int *cancel,
                             struct feed_head *head, struct cwm_buf *out,
                             struct cwm_err *err)
{
    const struct packed_trace none = {.n = 0};
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < m->program.n_args && rc == CWM_OK; i++) {
        head->n_calls++;
        if (came_before(&m->program, i)) {
            put_call(&none, out);
        } else {
            rc = run_call(m, m->program.args[i], cancel, head, out, err);
        }
    }
    if (rc != CWM_OK) {
        cwm_err_context(err, "program %llu of seed %llu",
                        (unsigned long long)head->number,
                        (unsigned long long)m->options->seed);
    }
    return rc;
}

enum cwm_rc feed__make(struct feed_maker *m, uint64_t number, bool runs,
                       const struct feed_held_out *held_out,
                       const volatile int *cancel, struct cwm_buf *out,
                       struct cwm_err *err)
{
    struct feed_head head = {.number = number};
    size_t at = out->len;
    enum cwm_rc rc = generate_program(&m->options->programs, m->options->seed,
                                      number, &m->source, &m->program, err);

    if (rc != CWM_OK) {
        return rc;
    }
    head.hash = XXH3_64bits(m->source.data, m->source.len);
    if (runs) {
        rc = sketch(m, &head.sketch, err);
        head.is_similar = rc == CWM_OK && number >= m->options->n_held_out &&
                          is_similar(&head.sketch, held_out);
    }
    cwm_buf_add(out, &head, sizeof head);
    if (rc == CWM_OK && runs && !head.is_similar) {
        rc = run_calls(m, cancel, &head, out, err);
    }
    if (rc == CWM_OK) {
        rc = cwm_buf_check(out, "a program's traces", err);
    }
    if (rc == CWM_OK) {
        head.n_bytes = out->len - at - sizeof head;
        memcpy(out->data + at, &head, sizeof head);
    }
    return rc;
}
