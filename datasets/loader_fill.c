/* SPDX-License-Identifier: MIT */
/*
 * loader_fill.c -- documents into the rows of one batch.
 *
 * The plan is made for the rows of all ranks, from the documents' lengths;
 * only what lies in this rank's rows is read.
 */
#include "datasets/loader_internal.h"

#include <string.h>

#include "cwm/base/alloc.h"

/* Of documents that are made, left out in a row: a thousandth of a second's
 * work each, where programs are traced. */
#define MAX_SKIPPED_MADE UINT64_C(1000)

/* A batch while it is made. */
struct filling {
    struct loader_filler *f;
    struct loader_slot *slot;
    struct loader_position at;
    uint64_t number;    /* the document at `at`, of all shards */
    uint64_t n_inputs;  /* tokens of it that go into rows */
    uint64_t n_skipped; /* documents in a row that gave nothing */
    bool ended;         /* the epochs are over */
    bool is_empty;      /* nothing was placed yet */
};

enum cwm_rc loader__filler_init(struct loader_filler *f,
                                const struct loader_options *options,
                                struct loader_files *files, struct cwm_err *err)
{
    *f = (struct loader_filler){
        .options = options, .files = files, .document_number = UINT64_MAX};
    f->used = cwm_calloc(options->n_rows, sizeof *f->used);
    return f->used ? CWM_OK
                   : CWM_FAIL(err, CWM_NOMEM, "could not plan %u rows",
                              options->n_rows);
}

void loader__filler_release(struct loader_filler *f)
{
    shard_document_release(&f->document);
    cwm_free(f->used);
    f->used = NULL;
}

/* ---- the next document ---- */

static void step_over(struct filling *g)
{
    g->at.document++;
    g->at.token = 0;
}

static bool is_left_out(const struct filling *g)
{
    const struct loader_options *o = g->f->options;

    return g->n_inputs == 0 || (o->packing == LOADER_WHOLE &&
                                o->long_documents == LOADER_LONG_DROP &&
                                g->n_inputs > o->row_tokens);
}

/* So many left out in a row, and no other will come: all there are, or more
 * than chance would leave out of those that are made. */
static uint64_t skipped_at_most(const struct loader_files *files)
{
    return files->source && files->n_documents > MAX_SKIPPED_MADE
               ? MAX_SKIPPED_MADE
               : files->n_documents;
}

/* Stand at a document that has tokens left, or at the end. */
static enum cwm_rc need_document(struct filling *g, struct cwm_err *err)
{
    struct loader_filler *f = g->f;
    const struct loader_options *o = f->options;
    uint64_t n = f->files->n_documents;

    for (;;) {
        uint64_t n_tokens = 0;
        enum cwm_rc rc;

        if (g->at.document >= n) {
            g->at.epoch++;
            g->at.document = 0;
        }
        g->ended = o->n_epochs > 0 && g->at.epoch >= o->n_epochs;
        if (g->ended) {
            return CWM_OK;
        }
        g->number = o->in_order
                        ? g->at.document
                        : loader__permute(g->at.document, n,
                                          loader__key(o->seed, g->at.epoch));
        rc = loader__files_length(f->files, g->number, &n_tokens, err);
        if (rc != CWM_OK) {
            return rc;
        }
        g->n_inputs = n_tokens > 0 ? n_tokens - 1 : 0;
        if (is_left_out(g) && ++g->n_skipped >= skipped_at_most(f->files)) {
            return CWM_FAIL(err, CWM_USAGE,
                            "no document fits into rows of %u tokens",
                            o->row_tokens);
        }
        if (!is_left_out(g) && g->at.token < g->n_inputs) {
            g->n_skipped = 0;
            return CWM_OK;
        }
        step_over(g);
    }
}

/* ---- placing ---- */

/* The rows of this rank: [first, first + R). */
static uint32_t rows_of_rank(const struct loader_options *o)
{
    return o->n_rows / o->world;
}

static enum cwm_rc read_document(struct loader_filler *f, uint64_t number,
                                 struct cwm_err *err)
{
    enum cwm_rc rc;

    if (f->document_number == number) {
        return CWM_OK;
    }
    f->document_number = UINT64_MAX;
    rc = loader__files_read(f->files, number, &f->document, err);
    if (rc == CWM_OK) {
        f->document_number = number;
    }
    return rc;
}

/* Put n tokens into row `row` of this rank at `column`. */
static void copy(struct filling *g, uint32_t row, uint32_t column, uint32_t n)
{
    const struct shard_document *d = &g->f->document;
    const float *weights = g->f->options->weights;
    struct loader_slot *slot = g->slot;
    size_t to = (size_t)row * g->f->options->row_tokens + column;
    size_t from = (size_t)g->at.token;

    memcpy(slot->ids + to, d->ids + from, n * sizeof *slot->ids);
    memcpy(slot->targets + to, d->ids + from + 1, n * sizeof *slot->targets);
    for (uint32_t i = 0; i < n; i++) {
        float weight = weights[d->classes[from + 1 + i]];

        slot->weights[to + i] = weight;
        slot->starts[to + i] = column;
        slot->batch.weight_sum += (double)weight;
        slot->batch.n_targets += weight > 0;
    }
    slot->batch.n_tokens += n;
}

/* The next n tokens of the document into global row `row`. */
static enum cwm_rc place(struct filling *g, uint32_t row, uint32_t n,
                         struct cwm_err *err)
{
    const struct loader_options *o = g->f->options;
    uint32_t first = o->rank * rows_of_rank(o);
    uint32_t column = g->f->used[row];
    enum cwm_rc rc = CWM_OK;

    if (row >= first && row - first < rows_of_rank(o)) {
        rc = read_document(g->f, g->number, err);
        if (rc == CWM_OK && g->f->document.n != g->n_inputs + 1) {
            rc = CWM_FAIL(err, CWM_FORMAT, "a shard was changed meanwhile");
        }
        if (rc != CWM_OK) {
            return rc;
        }
        copy(g, row - first, column, n);
    }
    if (g->is_empty) {
        g->slot->batch.epoch = g->at.epoch;
        g->is_empty = false;
    }
    g->f->used[row] += n;
    g->at.token += n;
    return CWM_OK;
}

static uint32_t at_most(uint64_t n, uint32_t limit)
{
    return n < limit ? (uint32_t)n : limit;
}

static enum cwm_rc fill_stream(struct filling *g, struct cwm_err *err)
{
    const struct loader_options *o = g->f->options;

    for (uint32_t row = 0; row < o->n_rows; row++) {
        while (g->f->used[row] < o->row_tokens) {
            enum cwm_rc rc = need_document(g, err);

            if (rc == CWM_OK && !g->ended) {
                rc = place(g, row,
                           at_most(g->n_inputs - g->at.token,
                                   o->row_tokens - g->f->used[row]),
                           err);
            }
            if (rc != CWM_OK || g->ended) {
                return rc;
            }
        }
    }
    return CWM_OK;
}

/* The first row with room for n tokens, n_rows when there is none. */
static uint32_t first_fit(const struct filling *g, uint32_t n)
{
    const struct loader_options *o = g->f->options;
    uint32_t row = 0;

    while (row < o->n_rows && o->row_tokens - g->f->used[row] < n) {
        row++;
    }
    return row;
}

static enum cwm_rc fill_whole(struct filling *g, struct cwm_err *err)
{
    const struct loader_options *o = g->f->options;

    for (;;) {
        enum cwm_rc rc = need_document(g, err);
        uint32_t row;
        uint32_t n;

        if (rc != CWM_OK || g->ended) {
            return rc;
        }
        n = at_most(g->n_inputs - g->at.token, o->row_tokens);
        row = first_fit(g, n);
        if (row == o->n_rows) {
            return CWM_OK;
        }
        rc = place(g, row, n, err);
        if (rc != CWM_OK) {
            return rc;
        }
        if (o->long_documents == LOADER_LONG_CUT) {
            step_over(g); /* what is behind the cut is left out */
        }
    }
}

static void pad(const struct filling *g)
{
    const struct loader_options *o = g->f->options;
    struct loader_slot *slot = g->slot;
    uint32_t n_rows = rows_of_rank(o);

    for (uint32_t row = 0; row < n_rows; row++) {
        uint32_t used = g->f->used[o->rank * n_rows + row];
        size_t at = (size_t)row * o->row_tokens;

        for (uint32_t t = used; t < o->row_tokens; t++) {
            slot->ids[at + t] = 0;
            slot->targets[at + t] = 0;
            slot->weights[at + t] = 0;
            slot->starts[at + t] = t;
        }
    }
}

enum cwm_rc loader__fill(struct loader_filler *f,
                         const struct loader_position *from,
                         struct loader_slot *slot, struct cwm_err *err)
{
    const struct loader_options *o = f->options;
    struct filling g = {.f = f, .slot = slot, .at = *from, .is_empty = true};
    enum cwm_rc rc;

    memset(f->used, 0, o->n_rows * sizeof *f->used);
    slot->batch = (struct loader_batch){.ids = slot->ids,
                                        .targets = slot->targets,
                                        .weights = slot->weights,
                                        .starts = slot->starts};
    rc = o->packing == LOADER_STREAM ? fill_stream(&g, err)
                                     : fill_whole(&g, err);
    if (rc != CWM_OK) {
        return rc;
    }
    pad(&g);
    slot->more = !g.is_empty;
    slot->after = g.at;
    slot->after.batch += slot->more;
    return CWM_OK;
}
