/* SPDX-License-Identifier: MIT */
/*
 * generator_steps.c -- the model reads what the samples' queues hold, and the
 * next words are chosen: by the host, or by the device in turns, or for many
 * steps by the device alone.
 */
#include "cwm/model/generator_internal.h"

#include <string.h>

enum {
    LEAST_TO_SPLIT = 64
}; /* samples: fewer would only wait for each other */

/* ---- steps --------------------------------------------------------------- */

static size_t n_taking(const struct generator_place *p)
{
    size_t n = p->queue.n - p->n_queued;

    return n < GENERATOR_QUEUE_ROWS ? n : GENERATOR_QUEUE_ROWS;
}

static bool wants_logits(const struct generator_place *p)
{
    return p->queue.n - p->n_queued <= GENERATOR_QUEUE_ROWS;
}

static void put_row(struct generator *g, const struct generator_place *p,
                    size_t k, struct decoder_rows *rows)
{
    g->ids[rows->n] = p->queue.ids[p->n_queued + k];
    g->positions[rows->n] = (uint32_t)(p->n_read + k);
    g->seqs[rows->n] = (uint32_t)(p - g->places);
    rows->n++;
}

/* So many of the samples that wait go into this call. */
static void enlist(struct generator *g, unsigned turn, size_t most)
{
    size_t i;

    for (i = 0; i < g->options.max_batch && most > 0; i++) {
        struct generator_place *p = &g->places[i];

        if (p->is_taken && p->turn == GENERATOR_IDLE) {
            p->turn = turn;
            most--;
        }
    }
}

/* Rows of all queues of a call: first those without logits, then those with;
 * of these the masks too, where they are wanted. */
static enum cwm_rc gather_rows(struct generator *g, unsigned turn,
                               bool wants_masks, struct decoder_rows *rows,
                               struct cwm_err *err)
{
    size_t n_mask = sample_mask_n(decoder_config(g->d)->vocab_size);
    enum cwm_rc rc = CWM_OK;
    size_t i;
    size_t k;

    for (i = 0; i < g->options.max_batch && rc == CWM_OK; i++) {
        const struct generator_place *p = &g->places[i];
        bool is_in = p->is_taken && p->turn == turn;
        size_t n = is_in ? n_taking(p) : 0;

        if (n > 0) {
            rc = kv_cache_reserve(g->kv, i, p->n_read, n, err);
        }
        for (k = 0; k + (is_in && wants_logits(p)) < n; k++) {
            put_row(g, p, k, rows);
        }
    }
    for (i = 0; i < g->options.max_batch; i++) {
        const struct generator_place *p = &g->places[i];
        uint64_t *mask = g->masks + rows->n_logits * n_mask;

        if (!p->is_taken || p->turn != turn || !wants_logits(p)) {
            continue;
        }
        put_row(g, p, n_taking(p) - 1, rows);
        rows->n_logits++;
        if (wants_masks && p->state) {
            memcpy(mask, trace_state_mask(p->state), n_mask * sizeof *mask);
        } else if (wants_masks) {
            memset(mask, 0xFF, n_mask * sizeof *mask);
        }
    }
    return rc;
}

/* The call's rows are read; is a token of the sample to be chosen? */
static bool have_read(struct generator_place *p)
{
    bool chooses = wants_logits(p);
    size_t n = n_taking(p);

    p->turn = GENERATOR_IDLE;
    p->n_read += n;
    p->n_queued += n;
    if (chooses) {
        p->queue.n = 0; /* all of it is read */
        p->n_queued = 0;
    }
    return chooses;
}

static void count_step(struct generator *g, const struct decoder_rows *rows)
{
    g->counts.n_steps++;
    g->counts.n_rows += rows->n;
}

enum cwm_rc generator__step(struct generation *run, struct cwm_err *err)
{
    struct generator *g = run->g;
    size_t n_words = decoder_config(g->d)->vocab_size;
    struct decoder_rows rows = {g->ids, g->positions, g->seqs, 0, 0};
    const float *logits = g->logits;
    enum cwm_rc rc;
    size_t i;

    enlist(g, 0, g->options.max_batch);
    rc = gather_rows(g, 0, false, &rows, err);
    if (rc == CWM_OK) {
        rc = decoder_run(g->d, g->kv, &rows, g->logits, err);
    }
    count_step(g, &rows);
    for (i = 0; i < g->options.max_batch && rc == CWM_OK; i++) {
        struct generator_place *p = &g->places[i];

        if (p->is_taken && p->turn == 0 && have_read(p)) {
            rc = generator__choose(run, p, logits, err);
            logits += n_words;
        }
    }
    return rc;
}

/* ---- steps whose words the device chooses ----------------------------------
 *
 * Under a grammar each sample needs the host between two tokens: what may come
 * next.  That goes to the device with the rows, so that only words come back;
 * and two halves of the batch take turns: while the device has the one, the
 * host is at work on the other.
 */

bool generator__takes_turns(const struct generation *run)
{
    const struct generate_options *o = run->options;
    bool has_grammar = false;
    size_t i;

    for (i = 0; i < run->n_requests; i++) {
        has_grammar |= run->requests[i].grammar != NULL;
    }
    return has_grammar && o->sample.temperature == 0 && !o->want_logprobs &&
           !o->no_shortcuts && decoder_chooses(run->g->d);
}

/* A half of the samples, or where they are few all of them: then it is waited
 * for those that are still under way. */
static enum cwm_rc begin_turn(struct generation *run, unsigned turn,
                              struct cwm_err *err)
{
    struct generator *g = run->g;
    struct decoder_rows rows = {g->ids, g->positions, g->seqs, 0, 0};
    bool splits = run->n_taken >= LEAST_TO_SPLIT;
    enum cwm_rc rc;

    if (!splits && run->is_under_way[!turn]) {
        return CWM_OK;
    }
    enlist(g, turn,
           splits ? (run->n_taken + 1) / GENERATOR_TURNS : run->n_taken);
    rc = gather_rows(g, turn, true, &rows, err);
    if (rc == CWM_OK && rows.n > 0) {
        rc = decoder_begin(g->d, g->kv, &rows, g->masks, turn, err);
        run->is_under_way[turn] = true;
        run->n_chosen[turn] = rows.n_logits;
        count_step(g, &rows);
    }
    return rc;
}

static enum cwm_rc end_turn(struct generation *run, unsigned turn,
                            struct cwm_err *err)
{
    struct generator *g = run->g;
    enum cwm_rc rc =
        decoder_end(g->d, turn, run->n_chosen[turn], g->greedy, err);
    size_t n = 0;
    size_t i;

    run->is_under_way[turn] = false;
    for (i = 0; i < g->options.max_batch && rc == CWM_OK; i++) {
        struct generator_place *p = &g->places[i];

        if (p->is_taken && p->turn == turn && have_read(p)) {
            const struct sampled chosen = {.id = g->greedy[n++]};

            rc = generator__go_on(run, p, &chosen, err);
        }
    }
    return rc;
}

enum cwm_rc generator__take_turns(struct generation *run, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    unsigned turn;

    for (turn = 0; turn < GENERATOR_TURNS && rc == CWM_OK; turn++) {
        if (run->is_under_way[turn]) {
            rc = end_turn(run, turn, err);
        }
        if (rc == CWM_OK) {
            rc = generator__fill_places(run, err);
        }
        if (rc == CWM_OK) {
            rc = begin_turn(run, turn, err);
        }
    }
    return rc;
}

/* ---- steps that the device goes alone -------------------------------------
 */

size_t generator__n_alone(const struct generation *run)
{
    const struct generator *g = run->g;
    const struct generate_options *o = run->options;
    size_t n = decoder_greedy_steps(g->d);
    size_t i;

    if (o->sample.temperature != 0 || o->want_logprobs || o->no_shortcuts) {
        return 0;
    }
    for (i = 0; i < g->options.max_batch; i++) {
        const struct generator_place *p = &g->places[i];

        if (p->is_taken && (p->state || p->queue.n - p->n_queued != 1)) {
            return 0;
        }
        if (p->is_taken && generator__max_new(run, p) - p->n_new < n) {
            n = generator__max_new(run, p) - p->n_new;
        }
    }
    return n;
}

/* The steps' tokens of one sample, until it ends. */
static enum cwm_rc take_steps(struct generation *run, struct generator_place *p,
                              const uint32_t *ids, size_t n_rows,
                              size_t n_steps, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    size_t i;

    p->n_read += n_steps;
    for (i = 0; i < n_steps && rc == CWM_OK && p->is_taken; i++) {
        const struct sampled sampled = {.id = ids[i * n_rows]};

        p->queue.n = 0; /* the one before is read */
        p->n_queued = 0;
        rc = generator__take_token(run, p, &sampled, false, err);
    }
    return rc;
}

enum cwm_rc generator__steps_alone(struct generation *run, size_t n_steps,
                                   struct cwm_err *err)
{
    struct generator *g = run->g;
    struct decoder_rows rows = {g->ids, g->positions, g->seqs, 0, 0};
    enum cwm_rc rc = CWM_OK;
    size_t n = 0;
    size_t i;

    for (i = 0; i < g->options.max_batch && rc == CWM_OK; i++) {
        const struct generator_place *p = &g->places[i];

        if (p->is_taken) {
            rc = kv_cache_reserve(g->kv, i, p->n_read, n_steps, err);
            put_row(g, p, 0, &rows);
        }
    }
    rows.n_logits = rows.n;
    if (rc == CWM_OK) {
        rc = decoder_greedy(g->d, g->kv, &rows, n_steps, g->greedy, err);
    }
    g->counts.n_steps += n_steps;
    g->counts.n_rows += n_steps * rows.n;
    for (i = 0; i < g->options.max_batch && rc == CWM_OK; i++) {
        if (g->places[i].is_taken) {
            rc = take_steps(run, &g->places[i], g->greedy + n++, rows.n,
                            n_steps, err);
        }
    }
    return rc;
}
