/* SPDX-License-Identifier: MIT */
/* cmd_train_traces.c -- held-out traces, predicted while a model learns. */
#include "cwm/cli/cmd_train_traces.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/cli/cli.h"
#include "datasets/loader.h"

enum { MAX_BATCH_CPU = 16, MAX_BATCH_CUDA = 64 };

#define MAX_TEXT_BYTES ((size_t)64 << 20)

/* One trace.  Texts begin behind the context, with the frame of the call. */
struct one {
    struct shard_document document; /* owned */
    size_t n_context, n_prompt;     /* tokens */
    struct cwm_buf context;         /* the program, with its marker */
    struct cwm_buf truth, text;
    struct trace_grammar *grammar; /* owned */
    bool is_done;                  /* the prediction has ended */
};

struct train_traces {
    const struct tokenizer *tokenizer; /* borrowed */
    struct trace_vocab *vocab;         /* owned */
    struct one *ones;                  /* owned; [n] */
    struct generate_request *requests; /* owned; [n] */
    size_t n;
    size_t max_prompt, max_new, max_positions; /* tokens */
    double deadline;
    bool is_late;
};

static void one_init(struct one *o)
{
    memset(o, 0, sizeof *o);
    cwm_buf_init(&o->context, MAX_TEXT_BYTES);
    cwm_buf_init(&o->truth, MAX_TEXT_BYTES);
    cwm_buf_init(&o->text, MAX_TEXT_BYTES);
}

static void one_release(struct one *o)
{
    shard_document_release(&o->document);
    cwm_buf_release(&o->context);
    cwm_buf_release(&o->truth);
    cwm_buf_release(&o->text);
    trace_grammar_free(o->grammar);
}

void train_traces_free(struct train_traces *w)
{
    size_t i;

    if (!w) {
        return;
    }
    for (i = 0; w->ones && i < w->n; i++) {
        one_release(&w->ones[i]);
    }
    trace_vocab_free(w->vocab);
    cwm_free(w->ones);
    cwm_free(w->requests);
    cwm_free(w);
}

/* ---- choosing -------------------------------------------------------------
 */

static bool is_token(const struct train_traces *w, uint32_t id,
                     enum trace_token token)
{
    return id == trace_vocab_id(w->vocab, token);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/*
 * Where the parts of a whole trace end whose first frame is a call.  It must
 * fit beside those that were taken: a generator has room for the longest
 * prompt and the longest rest together.
 */
static bool find_parts(const struct train_traces *w, struct one *o)
{
    const struct shard_document *d = &o->document;
    size_t at = 0;

    if (d->n < 3 || !is_token(w, d->ids[0], TRACE_TOKEN_BEGIN) ||
        !is_token(w, d->ids[1], TRACE_TOKEN_CONTEXT) ||
        !is_token(w, d->ids[d->n - 1], TRACE_TOKEN_END)) {
        return false;
    }
    while (at < d->n && d->classes[at] == SHARD_CONTEXT) {
        at++;
    }
    if (at < 3 || at == d->n || !is_token(w, d->ids[at], TRACE_TOKEN_CALL)) {
        return false;
    }
    o->n_context = at;
    while (at < d->n && !is_token(w, d->ids[at], TRACE_TOKEN_FRAME)) {
        at++;
    }
    o->n_prompt = at + 1;
    return o->n_prompt < d->n &&
           larger(w->max_prompt, o->n_prompt) +
                   larger(w->max_new, d->n - o->n_prompt) <=
               w->max_positions;
}

static enum cwm_rc make_grammar(const struct train_traces *w, struct one *o,
                                struct cwm_err *err)
{
    struct source *source = NULL; /* owned */
    int entry = -1;
    enum cwm_rc rc = tokenizer_decode(w->tokenizer, o->document.ids + 2,
                                      o->n_context - 3, &o->context, err);

    if (rc == CWM_OK) {
        rc =
            source_new_text(o->context.data ? o->context.data : "",
                            o->context.len, "a held-out program", &source, err);
    }
    if (rc == CWM_OK) {
        rc = source_entry(source, NULL, &entry, err);
    }
    if (rc == CWM_OK) {
        rc = trace_grammar_new(w->vocab, source, entry, &o->grammar, err);
    }
    source_free(source);
    return rc;
}

/* *ret_fits false: the document is no such trace, and `o` is as it was. */
static enum cwm_rc take(struct train_traces *w, const struct shard_reader *r,
                        uint64_t number, bool *ret_fits, struct cwm_err *err)
{
    struct one *o = &w->ones[w->n];
    enum cwm_rc rc;

    one_init(o);
    rc = shard_read(r, number, &o->document, err);
    *ret_fits = rc == CWM_OK && find_parts(w, o);
    if (*ret_fits) {
        rc = make_grammar(w, o, err);
    }
    if (*ret_fits && rc == CWM_OK) {
        rc = tokenizer_decode(w->tokenizer, o->document.ids + o->n_context,
                              o->document.n - o->n_context, &o->truth, err);
    }
    if (rc != CWM_OK || !*ret_fits) {
        one_release(o);
        return rc;
    }
    w->requests[w->n] = (struct generate_request){
        .prompt = o->document.ids,
        .n_prompt = o->n_prompt,
        .n_samples = 1,
        .grammar = o->grammar,
        .n_grammar = o->n_prompt - o->n_context,
    };
    w->max_prompt = larger(w->max_prompt, o->n_prompt);
    w->max_new = larger(w->max_new, o->document.n - o->n_prompt);
    w->n++;
    return CWM_OK;
}

/* Of n_documents, every (n_documents / n)-th from the first on; where one does
 * not fit the next that does, before it is the next one's turn. */
static enum cwm_rc choose_in(struct train_traces *w,
                             const struct shard_reader *r, uint64_t first,
                             uint64_t n_documents, size_t n,
                             struct cwm_err *err)
{
    uint64_t n_here = shard_reader_info(r)->n_documents;
    enum cwm_rc rc = CWM_OK;
    uint64_t i;

    for (i = 0; i < n_here && w->n < n && rc == CWM_OK; i++) {
        bool fits = false;

        if ((first + i) * n / n_documents >= w->n) {
            rc = take(w, r, i, &fits, err);
        }
    }
    return rc;
}

static enum cwm_rc choose(struct train_traces *w, const char *shards, size_t n,
                          struct cwm_err *err)
{
    char **paths = NULL; /* owned */
    size_t n_paths = 0;
    uint64_t n_documents = 0;
    uint64_t first = 0;
    enum cwm_rc rc =
        loader_find_shards(shards, "held-out", &paths, &n_paths, err);
    int pass;
    size_t i;

    /* first they are counted, then read */
    for (pass = 0; pass < 2; pass++) {
        for (i = 0; i < n_paths && rc == CWM_OK; i++) {
            struct shard_reader *r = NULL; /* owned */

            rc = shard_reader_open(paths[i], &r, err);
            if (rc == CWM_OK && pass == 0) {
                n_documents += shard_reader_info(r)->n_documents;
            } else if (rc == CWM_OK) {
                rc = choose_in(w, r, first, n_documents, n, err);
                first += shard_reader_info(r)->n_documents;
            }
            shard_reader_close(r);
        }
    }
    cwm_free(paths);
    if (rc == CWM_OK && w->n == 0) {
        rc = CWM_FAIL(err, CWM_USAGE,
                      "there is no held-out trace in '%s' that fits %zu "
                      "positions\ncwm pack --held-out keeps some apart; "
                      "without them leave out --judge-traces",
                      shards, w->max_positions);
    }
    return rc;
}

enum cwm_rc train_traces_new(const char *shards, const struct tokenizer *t,
                             const struct model_config *config, size_t n,
                             struct train_traces **ret_traces,
                             struct cwm_err *err)
{
    struct train_traces *w = cwm_calloc(1, sizeof *w); /* owned */
    enum cwm_rc rc = CWM_OK;

    if (w) {
        w->tokenizer = t;
        w->max_positions = config->max_positions;
        w->ones = cwm_calloc(n, sizeof *w->ones);
        w->requests = cwm_calloc(n, sizeof *w->requests);
    }
    if (!w || !w->ones || !w->requests) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold %zu held-out traces", n);
        goto out;
    }
    rc = trace_vocab_new(t, config->vocab_size, &w->vocab, err);
    if (rc == CWM_OK) {
        rc = choose(w, shards, n, err);
    }
    if (rc != CWM_OK) {
        goto out;
    }
    *ret_traces = w;
    w = NULL; /* now the caller's */
out:
    train_traces_free(w);
    return rc;
}

/* ---- predicting -----------------------------------------------------------
 */

static enum cwm_rc take_token(void *ctx, const struct generate_token *token,
                              struct cwm_err *err)
{
    struct train_traces *w = ctx;
    struct one *o = &w->ones[token->request];
    uint32_t id = token->token.id;

    if (cli_now() > w->deadline) {
        w->is_late = true;
        return CWM_FAIL(err, CWM_CANCELLED, "the time is up");
    }
    o->is_done = token->end != GENERATE_GOES_ON;
    return tokenizer_decode(w->tokenizer, &id, 1, &o->text, err);
}

static enum cwm_rc predict(struct train_traces *w, const char *folder,
                           const struct generating_fields *how,
                           const volatile int *cancel, struct cwm_err *err)
{
    const size_t max_batch =
        device_is_cuda(how->device) ? MAX_BATCH_CUDA : MAX_BATCH_CPU;
    const struct generator_options sizes = {
        .max_batch = max_batch,
        .max_prompts = max_batch,
        .max_prompt = w->max_prompt,
        .max_new = w->max_new,
    };
    struct generate_options options = {
        .sample = {.temperature = 0, .top_p = 1},
        .max_new = w->max_new,
        .cancel = cancel,
    };
    struct engine engine = {.o = NULL};
    enum cwm_rc rc = engine_open(folder, how, &sizes, &engine, err);

    if (rc == CWM_OK) {
        options.stops = engine.config.stops;
        options.n_stops = engine.config.n_stops;
        rc = generator_run(engine.g, w->requests, w->n, &options, take_token, w,
                           err);
    }
    engine_release(&engine);
    return rc;
}

/* ---- scoring --------------------------------------------------------------
 */

static enum cwm_rc score(struct one *o, struct score_sums *sums,
                         struct cwm_err *err)
{
    struct predicted truth = {0};
    struct predicted predicted = {0};
    struct score_truth known = {.trace = &truth};
    struct trace_score of_this;
    enum cwm_rc rc =
        predicted_parse(o->truth.data, o->truth.len, o->context.data,
                        o->context.len, &truth, err);

    if (rc == CWM_OK) {
        rc = predicted_parse(o->text.data, o->text.len, o->context.data,
                             o->context.len, &predicted, err);
    }
    if (rc == CWM_OK && truth.n_frames > 0) {
        const struct predicted_frame *last = &truth.frames[truth.n_frames - 1];

        known.result = last->arg;
        known.raised = truth.n_frames > 1 && last[-1].event == TRACE_EXCEPTION;
        rc = score_trace(&known, &predicted, sums, &of_this, err);
    }
    predicted_release(&predicted);
    predicted_release(&truth);
    return rc;
}

/* What is given stands in front of what is predicted. */
static enum cwm_rc begin(struct train_traces *w, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    size_t i;

    for (i = 0; i < w->n && rc == CWM_OK; i++) {
        struct one *o = &w->ones[i];

        o->is_done = false;
        cwm_buf_clear(&o->text);
        rc = tokenizer_decode(w->tokenizer, o->document.ids + o->n_context,
                              o->n_prompt - o->n_context, &o->text, err);
    }
    return rc;
}

enum cwm_rc train_traces_judge(struct train_traces *w, const char *folder,
                               const struct generating_fields *how,
                               double max_seconds, const volatile int *cancel,
                               struct train_traces_result *ret,
                               struct cwm_err *err)
{
    struct train_traces_result r = {.n = w->n};
    double start = cli_now();
    enum cwm_rc rc = begin(w, err);
    size_t i;

    w->deadline = start + max_seconds;
    w->is_late = false;
    if (rc == CWM_OK) {
        rc = predict(w, folder, how, cancel, err);
    }
    rc = rc == CWM_CANCELLED && w->is_late ? CWM_OK : rc;
    for (i = 0; i < w->n && rc == CWM_OK; i++) {
        if (w->ones[i].is_done) {
            rc = score(&w->ones[i], &r.sums, err);
        }
    }
    r.seconds = cli_now() - start;
    if (rc == CWM_OK) {
        *ret = r;
    }
    return rc;
}
