/* SPDX-License-Identifier: MIT */
/* generator_places.c -- samples begin, grow token by token, and end. */
#include "cwm/model/generator_internal.h"

#include "cwm/base/cancel.h"

/* ---- tokens -------------------------------------------------------------- */

void generator__leave(struct generation *run, struct generator_place *p)
{
    struct generator *g = run->g;

    kv_cache_drop(g->kv, (size_t)(p - g->places));
    trace_state_free(p->state);
    p->state = NULL;
    p->is_taken = false;
    run->n_taken--;
}

size_t generator__max_new(const struct generation *run,
                          const struct generator_place *p)
{
    size_t own = run->requests[p->request].max_new;

    return own > 0 ? own : run->options->max_new;
}

static bool is_stop(const struct generation *run,
                    const struct generator_place *p, uint32_t id)
{
    const struct trace_grammar *grammar = run->requests[p->request].grammar;
    size_t i;

    for (i = 0; i < run->options->n_stops; i++) {
        if (run->options->stops[i] == id) {
            return true;
        }
    }
    return grammar && trace_vocab_token(trace_grammar_vocab(grammar), id) ==
                          TRACE_TOKEN_END;
}

enum cwm_rc generator__take_token(struct generation *run,
                                  struct generator_place *p,
                                  const struct sampled *sampled, bool is_forced,
                                  struct cwm_err *err)
{
    struct generate_token token = {
        .request = p->request,
        .sample = p->sample,
        .position = p->n_new,
        .token = *sampled,
        .is_forced = is_forced,
    };
    bool allowed = true;
    enum cwm_rc rc = CWM_OK;

    p->n_new++;
    if (p->state) {
        rc = trace_state_step(p->state, sampled->id, &allowed, err);
    }
    if (is_stop(run, p, sampled->id) ||
        (run->options->ends && run->options->ends(run->ctx, &token))) {
        token.end = GENERATE_STOPPED;
    } else if (p->n_new == generator__max_new(run, p)) {
        token.end = GENERATE_FULL;
    }
    if (rc == CWM_OK) {
        rc = token_ids_add(&p->queue, sampled->id, err);
    }
    if (rc == CWM_OK) {
        rc = run->visit(run->ctx, &token, err);
    }
    if (token.end != GENERATE_GOES_ON) {
        generator__leave(run, p);
    }
    return rc;
}

enum cwm_rc generator__go_on(struct generation *run, struct generator_place *p,
                             const struct sampled *chosen, struct cwm_err *err)
{
    const struct generate_options *o = run->options;
    bool skips = p->state && !o->no_shortcuts && !o->want_logprobs;
    struct sampled forced = {.logprob = 0};
    enum cwm_rc rc = generator__take_token(run, p, chosen, false, err);

    while (rc == CWM_OK && skips && p->is_taken &&
           trace_state_forced(p->state, &forced.id)) {
        run->g->counts.n_forced++;
        rc = generator__take_token(run, p, &forced, true, err);
    }
    return rc;
}

enum cwm_rc generator__choose(struct generation *run, struct generator_place *p,
                              const float *logits, struct cwm_err *err)
{
    const struct generate_options *o = run->options;
    struct sample_place where = {.sample = p->number, .position = p->n_new};
    struct sampled sampled = {0};
    enum cwm_rc rc = sampler_pick(run->g->sampler, &o->sample, &where, logits,
                                  p->state ? trace_state_mask(p->state) : NULL,
                                  o->want_logprobs, &sampled, err);

    return rc == CWM_OK ? generator__go_on(run, p, &sampled, err) : rc;
}

/* ---- prompts ------------------------------------------------------------- */

/* Tokens that two prompts begin with alike, but for the last one of `b`: the
 * logits behind that are still to be made. */
static size_t n_alike(const struct generate_request *a,
                      const struct generate_request *b)
{
    size_t n = 0;

    while (n < a->n_prompt && n + 1 < b->n_prompt &&
           a->prompt[n] == b->prompt[n]) {
        n++;
    }
    return n;
}

/* How much of the prompt is in the cache from the one before; what else is
 * there is forgotten. */
static size_t keep_alike(struct generation *run,
                         const struct generate_request *r)
{
    struct generator *g = run->g;
    size_t n = run->held ? n_alike(run->held, r) : 0;

    run->held = NULL;
    if (n > 0 && kv_cache_rewind(g->kv, g->options.max_batch, n)) {
        return n;
    }
    kv_cache_drop(g->kv, g->options.max_batch);
    return 0;
}

/* Its samples are all begun: the prompt stays where the next one is like it. */
static void end_prompt(struct generation *run)
{
    const struct generate_request *r = &run->requests[run->request++];

    run->n_started = 0;
    run->is_read = false;
    if (run->request < run->n_requests &&
        n_alike(r, &run->requests[run->request]) >= OPS_PAGE_TOKENS) {
        run->held = r;
    } else {
        kv_cache_drop(run->g->kv, run->g->options.max_batch);
    }
}

/* Read the current request's prompt into the sequence that holds prompts. */
static enum cwm_rc read_prompt(struct generation *run, struct cwm_err *err)
{
    struct generator *g = run->g;
    const struct generate_request *request = &run->requests[run->request];
    size_t holder = g->options.max_batch;
    enum cwm_rc rc = CWM_OK;
    size_t n_new;
    size_t at;
    size_t i;

    if (request->n_prompt < 1 || request->n_prompt > g->options.max_prompt) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot continue a prompt of %zu tokens: 1 to %zu are "
                        "possible",
                        request->n_prompt, g->options.max_prompt);
    }
    n_new = request->max_new ? request->max_new : run->options->max_new;
    if (n_new > g->options.max_new ||
        request->n_prompt + n_new > generator__most_tokens(&g->options)) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot make %zu new tokens behind a prompt of %zu",
                        n_new, request->n_prompt);
    }
    at = keep_alike(run, request);
    for (; at < request->n_prompt && rc == CWM_OK;
         at += GENERATOR_PROMPT_ROWS) {
        size_t left = request->n_prompt - at;
        size_t n = left < GENERATOR_PROMPT_ROWS ? left : GENERATOR_PROMPT_ROWS;
        struct decoder_rows rows = {request->prompt + at, g->positions, g->seqs,
                                    n, left == n ? 1 : 0};

        for (i = 0; i < n; i++) {
            g->positions[i] = (uint32_t)(at + i);
            g->seqs[i] = (uint32_t)holder;
        }
        rc = cwm_is_cancelled(run->options->cancel)
                 ? CWM_FAIL(err, CWM_CANCELLED, "stopped on request")
                 : kv_cache_reserve(g->kv, holder, at, n, err);
        if (rc == CWM_OK) {
            rc = decoder_run(g->d, g->kv, &rows, g->first_logits, err);
        }
    }
    run->is_read = rc == CWM_OK;
    return rc;
}

/* The grammar's state behind the prompt. */
static enum cwm_rc start_grammar(const struct generate_request *request,
                                 struct generator_place *p, struct cwm_err *err)
{
    enum cwm_rc rc = trace_state_new(request->grammar, &p->state, err);
    size_t i;

    for (i = request->n_prompt - request->n_grammar;
         rc == CWM_OK && i < request->n_prompt; i++) {
        bool allowed;

        rc = trace_state_step(p->state, request->prompt[i], &allowed, err);
        if (rc == CWM_OK && !allowed) {
            rc = CWM_FAIL(err, CWM_USAGE,
                          "cannot go on from this beginning of a trace: token "
                          "%zu of the prompt cannot stand there",
                          i);
        }
    }
    return rc;
}

/* The next sample of the current request into the free place p. */
static enum cwm_rc start_sample(struct generation *run,
                                struct generator_place *p, struct cwm_err *err)
{
    struct generator *g = run->g;
    const struct generate_request *request = &run->requests[run->request];
    size_t holder = g->options.max_batch;
    enum cwm_rc rc = CWM_OK;

    if (!run->is_read) {
        rc = read_prompt(run, err);
    }
    if (rc == CWM_OK && request->grammar) {
        rc = start_grammar(request, p, err);
    }
    if (rc != CWM_OK) {
        trace_state_free(p->state);
        p->state = NULL;
        return rc;
    }
    p->is_taken = true;
    p->turn = GENERATOR_IDLE;
    p->request = run->request;
    p->sample = run->n_started;
    p->number = request->first_sample + run->n_started;
    p->n_read = request->n_prompt;
    p->n_new = 0;
    p->queue.n = 0;
    p->n_queued = 0;
    run->n_taken++;
    kv_cache_fork(g->kv, holder, (size_t)(p - g->places));
    rc = generator__choose(run, p, g->first_logits, err);
    run->n_started++;
    if (run->n_started == request->n_samples) {
        end_prompt(run);
    }
    return rc;
}

enum cwm_rc generator__fill_places(struct generation *run, struct cwm_err *err)
{
    struct generator *g = run->g;
    enum cwm_rc rc = CWM_OK;
    size_t i = 0;

    while (rc == CWM_OK && i < g->options.max_batch &&
           run->request < run->n_requests) {
        if (run->requests[run->request].n_samples == 0) {
            run->request++;
        } else if (g->places[i].is_taken) {
            i++;
        } else {
            rc = start_sample(run, &g->places[i], err);
        }
    }
    return rc;
}
