/* SPDX-License-Identifier: MIT */
/* cmd_tokenizer_lines.c -- many lines through a tokenizer, and into one. */
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/base/lines.h"
#include "cwm/base/pipeline.h"
#include "cwm/cli/cmd_tokenizer.h"
#include "cwm/model/bpe_train.h"
#include "cwm/model/token_lines.h"

enum {
    WINDOW_LINES = 1024,
    FLUSH_BYTES = 1 << 16,
    /* Texts that are counted at once: enough for all threads to be busy. */
    BATCH_TEXTS = 4096,
    BATCH_BYTES = 32 << 20,
};

#define BUDGET_BYTES ((size_t)256 << 20)

/* A line that was cut, or that ends an error: where it stands. */
static enum cwm_rc check_line(const struct line *line, struct cwm_err *err)
{
    if (line->cut) {
        return CWM_FAIL(err, CWM_LIMIT, "line %llu is longer than %zu bytes",
                        (unsigned long long)line->number,
                        TOKENIZER_MAX_LINE_BYTES);
    }
    return CWM_OK;
}

/* ---- encode and decode ----------------------------------------------------
 */

struct thread_state {
    struct tokenizer_encoder *encoder; /* owned */
    struct token_ids ids;
    struct cwm_buf text;
};

struct convert {
    const struct tokenizer *t; /* borrowed */
    bool to_ids;
    bool special;
    struct lines *lines;          /* owned */
    struct thread_state *threads; /* owned; [n_threads] */
    unsigned n_threads;
    struct cwm_buf out; /* lines that wait to be written */
};

static enum cwm_rc read_line(void *ctx, struct pipeline_item *item,
                             bool *ret_more, struct cwm_err *err)
{
    struct convert *c = ctx;
    struct line line;
    enum cwm_rc rc = lines_next(c->lines, &line, ret_more, err);

    if (rc != CWM_OK || !*ret_more) {
        return rc;
    }
    rc = check_line(&line, err);
    if (rc == CWM_OK) {
        item->tag = line.number;
        cwm_buf_add(&item->in, line.text, line.len);
        rc = cwm_buf_check(&item->in, "a line", err);
    }
    return rc;
}

static enum cwm_rc encode_line(const struct convert *c, struct thread_state *s,
                               struct pipeline_item *item, struct cwm_err *err)
{
    enum cwm_rc rc;

    cwm_buf_clear(&s->text);
    s->ids.n = 0;
    rc = token_line_text(item->in.data ? item->in.data : "", item->in.len,
                         &s->text, err);
    if (rc == CWM_OK) {
        rc = tokenizer_encode(s->encoder, s->text.data ? s->text.data : "",
                              s->text.len, c->special, &s->ids, err);
    }
    if (rc == CWM_OK) {
        token_line_put_ids(&s->ids, &item->out);
        rc = cwm_buf_check(&item->out, "the ids", err);
    }
    return rc;
}

static enum cwm_rc decode_line(const struct convert *c, struct thread_state *s,
                               struct pipeline_item *item, struct cwm_err *err)
{
    enum cwm_rc rc;

    cwm_buf_clear(&s->text);
    s->ids.n = 0;
    rc = token_line_ids(item->in.data ? item->in.data : "", item->in.len,
                        &s->ids, err);
    if (rc == CWM_OK) {
        rc = tokenizer_decode(c->t, s->ids.ids, s->ids.n, &s->text, err);
    }
    if (rc == CWM_OK) {
        token_line_put_text(s->text.data ? s->text.data : "", s->text.len,
                            &item->out);
        rc = cwm_buf_check(&item->out, "the text", err);
    }
    return rc;
}

static enum cwm_rc convert_line(void *ctx, unsigned thread,
                                struct pipeline_item *item, struct cwm_err *err)
{
    struct convert *c = ctx;
    struct thread_state *s = &c->threads[thread];
    enum cwm_rc rc =
        c->to_ids ? encode_line(c, s, item, err) : decode_line(c, s, item, err);

    if (rc != CWM_OK) {
        cwm_err_context(err, "line %llu", (unsigned long long)item->tag);
    }
    return rc;
}

static enum cwm_rc flush(struct convert *c, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    if (c->out.len > 0) {
        rc = io_write_all(STDOUT_FILENO, "standard output", c->out.data,
                          c->out.len, NULL, err);
        cwm_buf_clear(&c->out);
    }
    return rc;
}

static enum cwm_rc write_line(void *ctx, struct pipeline_item *item,
                              struct cwm_err *err)
{
    struct convert *c = ctx;

    cwm_buf_add(&c->out, item->out.data, item->out.len);
    if (cwm_buf_check(&c->out, "the output", err) != CWM_OK) {
        return c->out.failed;
    }
    return c->out.len >= FLUSH_BYTES ? flush(c, err) : CWM_OK;
}

static enum cwm_rc start_threads(struct convert *c, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    unsigned i;

    c->threads = cwm_calloc(c->n_threads, sizeof *c->threads);
    if (!c->threads) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the threads");
    }
    for (i = 0; i < c->n_threads && rc == CWM_OK; i++) {
        cwm_buf_init(&c->threads[i].text, TOKENIZER_MAX_LINE_BYTES);
        rc = tokenizer_encoder_new(c->t, &c->threads[i].encoder, err);
    }
    return rc;
}

static void release(struct convert *c)
{
    unsigned i;

    for (i = 0; c->threads && i < c->n_threads; i++) {
        tokenizer_encoder_free(c->threads[i].encoder);
        token_ids_release(&c->threads[i].ids);
        cwm_buf_release(&c->threads[i].text);
    }
    cwm_free(c->threads);
    lines_close(c->lines);
    cwm_buf_release(&c->out);
}

enum cwm_rc tokenizer_convert(const struct tokenizer *t, bool to_ids,
                              bool special, unsigned n_threads,
                              const volatile int *cancel, struct cwm_err *err)
{
    static const struct pipeline_ops ops = {read_line, convert_line, write_line,
                                            NULL};
    struct convert c = {t, to_ids, special, .n_threads = n_threads};
    struct pipeline_options options = {
        .n_threads = n_threads,
        .window = WINDOW_LINES,
        .budget_bytes = BUDGET_BYTES,
        .max_item_bytes = 8 * TOKENIZER_MAX_LINE_BYTES,
        .cancel = cancel,
    };
    enum cwm_rc rc;
    enum cwm_rc flushed;

    cwm_buf_init(&c.out, 16 * TOKENIZER_MAX_LINE_BYTES);
    rc = lines_open("-", TOKENIZER_MAX_LINE_BYTES, cancel, &c.lines, err);
    if (rc == CWM_OK) {
        rc = start_threads(&c, err);
    }
    if (rc == CWM_OK) {
        rc = pipeline_run(&options, &ops, &c, err);
        /* what came before a bad line is a result, too */
        flushed = flush(&c, rc == CWM_OK ? err : NULL);
        rc = rc == CWM_OK ? flushed : rc;
    }
    release(&c);
    return rc;
}

/* ---- train ----------------------------------------------------------------
 */

struct batch {
    struct cwm_buf bytes;   /* of all texts */
    size_t *ends;           /* owned; [BATCH_TEXTS] */
    struct bpe_text *texts; /* owned; [BATCH_TEXTS] */
    size_t n;
};

/* Texts are pointed at only now: the buffer moved while it grew. */
static enum cwm_rc count_batch(struct batch *b, struct bpe_trainer *trainer,
                               struct cwm_err *err)
{
    size_t from = 0;
    enum cwm_rc rc;
    size_t i;

    for (i = 0; i < b->n; i++) {
        b->texts[i].text = b->bytes.data ? b->bytes.data + from : "";
        b->texts[i].len = b->ends[i] - from;
        from = b->ends[i];
    }
    rc = bpe_trainer_add(trainer, b->texts, b->n, err);
    cwm_buf_clear(&b->bytes);
    b->n = 0;
    return rc;
}

static enum cwm_rc read_file(const char *path, struct batch *b,
                             struct bpe_trainer *trainer,
                             const volatile int *cancel, struct cwm_err *err)
{
    struct lines *lines = NULL; /* owned */
    struct line line;
    bool more = true;
    enum cwm_rc rc =
        lines_open(path, TOKENIZER_MAX_LINE_BYTES, cancel, &lines, err);

    while (rc == CWM_OK) {
        rc = lines_next(lines, &line, &more, err);
        if (rc != CWM_OK || !more) {
            break;
        }
        rc = check_line(&line, err);
        if (rc == CWM_OK) {
            rc = token_line_text(line.text, line.len, &b->bytes, err);
        }
        if (rc != CWM_OK) {
            cwm_err_context(err, "%s: line %llu", path,
                            (unsigned long long)line.number);
            break;
        }
        b->ends[b->n++] = b->bytes.len;
        if (b->n == BATCH_TEXTS || b->bytes.len >= BATCH_BYTES) {
            rc = count_batch(b, trainer, err);
        }
    }
    lines_close(lines);
    return rc;
}

enum cwm_rc tokenizer_learn(const struct tokenizer_fields *fields,
                            unsigned n_threads, const char **files, size_t n,
                            const volatile int *cancel,
                            struct tokenizer **ret_tokenizer,
                            struct cwm_err *err)
{
    struct bpe_train_options options = {
        .vocab_size = (uint32_t)fields->vocab_size,
        .n_threads = n_threads,
        .min_count = fields->min_count,
        .max_token_bytes = (uint32_t)fields->max_token_bytes,
        .digits_apart = fields->digits_apart,
        .strings_apart = fields->strings_apart,
        .cancel = cancel,
    };
    struct bpe_trainer *trainer = NULL; /* owned */
    struct batch b = {0};
    enum cwm_rc rc = bpe_trainer_new(&options, &trainer, err);
    size_t i;

    cwm_buf_init(&b.bytes, 2 * TOKENIZER_MAX_LINE_BYTES);
    b.ends = cwm_calloc(BATCH_TEXTS, sizeof *b.ends);
    b.texts = cwm_calloc(BATCH_TEXTS, sizeof *b.texts);
    if (rc == CWM_OK && (!b.ends || !b.texts)) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold the texts");
    }
    for (i = 0; i < n && rc == CWM_OK; i++) {
        rc = read_file(files[i], &b, trainer, cancel, err);
    }
    if (rc == CWM_OK) {
        rc = count_batch(&b, trainer, err);
    }
    if (rc == CWM_OK) {
        rc = bpe_trainer_finish(trainer, ret_tokenizer, err);
    }
    cwm_free(b.ends);
    cwm_free(b.texts);
    cwm_buf_release(&b.bytes);
    bpe_trainer_free(trainer);
    return rc;
}
