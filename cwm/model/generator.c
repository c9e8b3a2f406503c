/* SPDX-License-Identifier: MIT */
/* generator.c -- see generator.h: what it holds, and the run as a whole. */
#include "cwm/model/generator_internal.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/cancel.h"

/* ---- memory -------------------------------------------------------------- */

static size_t rows_needed(const struct generator_options *options)
{
    size_t n = options->max_batch * GENERATOR_QUEUE_ROWS;

    return n > GENERATOR_PROMPT_ROWS ? n : GENERATOR_PROMPT_ROWS;
}

void generator_decoder_needs(const struct generator_options *options,
                             struct decoder_options *ret_needs)
{
    ret_needs->max_rows = rows_needed(options);
    ret_needs->max_logits = options->max_batch;
}

size_t generator__most_tokens(const struct generator_options *o)
{
    return o->max_tokens > 0 ? o->max_tokens : o->max_prompt + o->max_new;
}

static struct kv_shape shape_of(const struct model_config *c,
                                const struct generator_options *o,
                                size_t max_batch)
{
    size_t n_tokens = generator__most_tokens(o);
    size_t n_ring = kv_pages_ring(c, GENERATOR_PROMPT_ROWS);
    size_t n_all = kv_pages_full(n_tokens);
    size_t n_prompts = o->max_prompts < max_batch ? o->max_prompts : max_batch;

    return (struct kv_shape){
        .n_seqs = max_batch + 1,
        .max_positions = n_tokens,
        .max_rows = GENERATOR_PROMPT_ROWS,
        /* prompts; of each sample its own, and the copy of a page that it
         * shared in part */
        .n_pages_full = (n_prompts + 1) * kv_pages_full(o->max_prompt) +
                        max_batch * (kv_pages_full(o->max_new) + 1),
        .n_pages_ring = (max_batch + 1) * (n_ring < n_all ? n_ring : n_all),
    };
}

/* Is there room on the device for so large a batch?  It is said before it is
 * taken, with a batch that would do. */
static enum cwm_rc check_room(struct ops *o, const struct model_config *c,
                              const struct generator_options *options,
                              struct cwm_err *err)
{
    size_t n = options->max_batch;
    struct kv_shape shape = shape_of(c, options, n);
    size_t wanted = kv_cache_bytes(o, c, &shape);
    size_t left = o->memory_left ? o->memory_left(o) : SIZE_MAX;

    if (wanted <= left) {
        return CWM_OK;
    }
    while (n > 0) {
        n /= 2;
        shape = shape_of(c, options, n);
        if (n > 0 && kv_cache_bytes(o, c, &shape) <= left) {
            return CWM_FAIL(err, CWM_NOMEM,
                            "cannot generate %zu samples of %zu tokens at "
                            "once: %zu MB are needed, %zu are free\n%zu at "
                            "once would do",
                            options->max_batch, generator__most_tokens(options),
                            wanted >> 20, left >> 20, n);
        }
    }
    return CWM_FAIL(err, CWM_NOMEM,
                    "cannot generate on this device: %zu MB are needed for "
                    "%zu samples of %zu tokens, %zu are free\na smaller model "
                    "or shorter samples may do, or --device cpu",
                    wanted >> 20, options->max_batch,
                    generator__most_tokens(options), left >> 20);
}

static enum cwm_rc make_cache(struct generator *g, struct cwm_err *err)
{
    const struct model_config *c = decoder_config(g->d);
    struct ops *o = decoder_ops(g->d);
    struct kv_shape shape = shape_of(c, &g->options, g->options.max_batch);
    enum cwm_rc rc = check_room(o, c, &g->options, err);

    return rc == CWM_OK ? kv_cache_new(o, c, &shape, &g->kv, err) : rc;
}

enum cwm_rc generator_new(struct decoder *d,
                          const struct generator_options *options,
                          struct generator **ret_generator, struct cwm_err *err)
{
    const struct model_config *c = decoder_config(d);
    size_t n_tokens = generator__most_tokens(options);
    struct generator *g; /* owned */
    enum cwm_rc rc;

    if (n_tokens > c->max_positions) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot run the model on %zu tokens: it was made for "
                        "%u",
                        n_tokens, c->max_positions);
    }
    g = cwm_calloc(1, sizeof *g);
    if (!g) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a generator");
    }
    g->d = d;
    g->options = *options;
    g->max_rows = rows_needed(options);
    g->places = cwm_calloc(options->max_batch, sizeof *g->places);
    g->ids = cwm_calloc(g->max_rows, sizeof *g->ids);
    g->positions = cwm_calloc(g->max_rows, sizeof *g->positions);
    g->seqs = cwm_calloc(g->max_rows, sizeof *g->seqs);
    g->logits =
        cwm_calloc(options->max_batch, c->vocab_size * sizeof *g->logits);
    g->first_logits = cwm_calloc(c->vocab_size, sizeof *g->first_logits);
    g->greedy = cwm_calloc(options->max_batch * (decoder_greedy_steps(d) + 1),
                           sizeof *g->greedy);
    g->masks = cwm_calloc(options->max_batch,
                          sample_mask_n(c->vocab_size) * sizeof *g->masks);
    rc = sampler_new(c->vocab_size, &g->sampler, err);
    if (rc == CWM_OK) {
        rc = make_cache(g, err);
    }
    if (rc == CWM_OK &&
        (!g->places || !g->ids || !g->positions || !g->seqs || !g->logits ||
         !g->first_logits || !g->greedy || !g->masks)) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold a batch of %zu samples",
                      options->max_batch);
    }
    if (rc != CWM_OK) {
        generator_free(g);
        return rc;
    }
    *ret_generator = g;
    return CWM_OK;
}

void generator_free(struct generator *g)
{
    size_t i;

    if (!g) {
        return;
    }
    for (i = 0; g->places && i < g->options.max_batch; i++) {
        token_ids_release(&g->places[i].queue);
        trace_state_free(g->places[i].state);
    }
    cwm_free(g->places);
    cwm_free(g->ids);
    cwm_free(g->positions);
    cwm_free(g->seqs);
    cwm_free(g->logits);
    cwm_free(g->first_logits);
    cwm_free(g->greedy);
    cwm_free(g->masks);
    sampler_free(g->sampler);
    kv_cache_free(g->kv);
    cwm_free(g);
}

/* ---- a run ----------------------------------------------------------------
 */

/* After an error: nothing is held any more. */
static void drop_all(struct generation *run)
{
    struct generator *g = run->g;
    size_t i;

    for (i = 0; i < g->options.max_batch; i++) {
        if (g->places[i].is_taken) {
            generator__leave(run, &g->places[i]);
        }
    }
    kv_cache_drop(g->kv, g->options.max_batch);
}

static enum cwm_rc check_cancel(const struct generation *run,
                                struct cwm_err *err)
{
    return cwm_is_cancelled(run->options->cancel)
               ? CWM_FAIL(err, CWM_CANCELLED, "stopped on request")
               : CWM_OK;
}

static enum cwm_rc run_in_turns(struct generation *run, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    do {
        rc = check_cancel(run, err);
        if (rc == CWM_OK) {
            rc = generator__take_turns(run, err);
        }
    } while (rc == CWM_OK && run->n_taken > 0);
    return rc;
}

static enum cwm_rc run_in_steps(struct generation *run, struct cwm_err *err)
{
    enum cwm_rc rc = generator__fill_places(run, err);

    while (rc == CWM_OK && run->n_taken > 0) {
        size_t n_steps = generator__n_alone(run);

        rc = check_cancel(run, err);
        if (rc == CWM_OK) {
            rc = n_steps > 0 ? generator__steps_alone(run, n_steps, err)
                             : generator__step(run, err);
        }
        if (rc == CWM_OK) {
            rc = generator__fill_places(run, err);
        }
    }
    return rc;
}

enum cwm_rc generator_run(struct generator *g,
                          const struct generate_request *requests, size_t n,
                          const struct generate_options *options,
                          generate_fn *visit, void *ctx, struct cwm_err *err)
{
    struct generation run = {.g = g,
                             .requests = requests,
                             .n_requests = n,
                             .options = options,
                             .visit = visit,
                             .ctx = ctx};
    enum cwm_rc rc = sample_check(&options->sample, err);

    memset(&g->counts, 0, sizeof g->counts);
    if (rc == CWM_OK &&
        (options->max_new < 1 || options->max_new > g->options.max_new)) {
        rc = CWM_FAIL(err, CWM_USAGE,
                      "cannot make %zu new tokens: 1 to %zu are possible",
                      options->max_new, g->options.max_new);
    }
    if (rc == CWM_OK) {
        rc = generator__takes_turns(&run) ? run_in_turns(&run, err)
                                          : run_in_steps(&run, err);
    }
    drop_all(&run);
    return rc;
}

void generator_counts(const struct generator *g,
                      struct generate_counts *ret_counts)
{
    *ret_counts = g->counts;
}
