/* SPDX-License-Identifier: MIT */
/*
 * export.c -- the pipeline from a store to files.
 *
 * read: the next program of the plan.  work: all its rows, on a connection of
 * the thread's own.  write: into the file of its split.
 */
#include "datasets/export.h"

#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/pipeline.h"
#include "datasets/export_card.h"
#include "datasets/export_files.h"
#include "datasets/export_row.h"
#include "datasets/trace_blob.h"

enum {
    WINDOW = 64,
    BUDGET_BYTES = 128 << 20,
    MAX_CARD_BYTES = 1 << 20,
    /* Programs of an item: most are small, and handing one on costs as much
       as its rows would. */
    BATCH = 8
};

/* Rows of one program: its traces are bounded, each to CODEC_MAX_BYTES. */
#define MAX_ROWS_BYTES (4UL << 30)

/* One program of an item. */
struct part {
    size_t index; /* in the plan */
    size_t n_bytes;
    uint64_t n_traces, n_filtered, n_untold;
};

struct note {
    size_t n;
    struct part parts[BATCH];
};

struct thread {
    struct store *store;     /* owned */
    struct trace_view *view; /* owned */
    struct export_scratch scratch;
};

struct export
{
    const struct export_options *options;
    struct export_stats *stats;
    struct store *store;              /* owned */
    struct clean *plan;               /* owned */
    struct clean_decision *decisions; /* owned: the plan, for all threads */
    size_t n_decisions;
    struct thread *threads;     /* owned */
    struct export_files *files; /* owned */
    size_t next;                /* of the plan */
};

/* ---- the pipeline ---- */

static bool is_wanted(const struct export *x, const struct clean_decision *d)
{
    return d->reason ==
           (x->options->evaluation ? CLEAN_EVALUATION : CLEAN_KEPT);
}

static enum cwm_rc read_step(void *ctx, struct pipeline_item *item,
                             bool *ret_more, struct cwm_err *err)
{
    struct export *x = ctx;
    struct note *note = item->note;

    note->n = 0;
    for (; x->next < x->n_decisions && note->n < BATCH; x->next++) {
        if (is_wanted(x, &x->decisions[x->next])) {
            note->parts[note->n++] = (struct part){.index = x->next};
        }
    }
    *ret_more = note->n > 0;
    cwm_buf_addc(&item->in, ' '); /* an item has some weight */
    return cwm_buf_check(&item->in, "an item", err);
}

static bool passes(const struct export_options *o, const struct store_trace *t)
{
    return (o->verdicts == 0 || (o->verdicts & 1u << t->verdict)) &&
           (o->max_frames == 0 || t->n_frames <= o->max_frames) &&
           (o->max_text_bytes == 0 || t->n_text_bytes <= o->max_text_bytes) &&
           (t->n_frames > 0 || o->evaluation);
}

static enum cwm_rc add_row(const struct export *x, struct thread *t,
                           const struct store_trace *trace,
                           const struct export_provenance *from,
                           struct part *part, struct cwm_buf *out,
                           struct cwm_err *err)
{
    struct store_setting setting;
    struct trace_seen seen;
    char id[HASH_TEXT];
    bool is_told = true;
    enum cwm_rc rc = store_setting(t->store, trace->setting_id, &setting, err);

    hash_text(&trace->hash, id);
    if (rc == CWM_OK) {
        rc = trace_view_open(t->view, trace, &setting, id, &seen, err);
    }
    if (rc == CWM_OK && x->options->format == EXPORT_JSONL) {
        rc = export_row_json(&seen, trace, from, x->options->full_locals,
                             &t->scratch, out, err);
    } else if (rc == CWM_OK && x->options->format == EXPORT_CWM) {
        rc = export_row_text(&seen, trace, from, &t->scratch, &is_told, out,
                             err);
    } else if (rc == CWM_OK) {
        rc = export_row_narration(&seen, trace, from, x->options->clean.seed,
                                  &t->scratch, &is_told, out, err);
    }
    if (rc != CWM_OK) {
        cwm_err_context(err, "trace %s", id);
        return rc;
    }
    part->n_traces += is_told;
    part->n_untold += !is_told;
    return CWM_OK;
}

static enum cwm_rc add_rows(const struct export *x, struct thread *t,
                            int64_t program_id,
                            const struct export_provenance *from,
                            struct part *part, struct cwm_buf *out,
                            struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_trace trace;
    bool more = true;
    enum cwm_rc rc = store_traces(t->store, program_id, &cursor, err);

    while (rc == CWM_OK && more) {
        rc = store_trace_next(cursor, &trace, &more, err);
        if (rc != CWM_OK || !more) {
            continue;
        }
        if (passes(x->options, &trace)) {
            rc = add_row(x, t, &trace, from, part, out, err);
        } else {
            part->n_filtered++;
        }
    }
    store_cursor_close(cursor);
    return rc;
}

static enum cwm_rc count_origins(struct store *s, int64_t program_id,
                                 uint32_t *ret_n, struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_origin origin;
    bool more = true;
    enum cwm_rc rc = store_origins(s, program_id, &cursor, err);

    *ret_n = 0;
    while (rc == CWM_OK && more) {
        rc = store_origin_next(cursor, &origin, &more, err);
        *ret_n += rc == CWM_OK && more;
    }
    store_cursor_close(cursor);
    return rc;
}

/* The program's rows, with the first of its origins. */
static enum cwm_rc add_program(const struct export *x, struct thread *t,
                               const struct store_program *program,
                               struct part *part, struct cwm_buf *out,
                               struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned: holds the origin's texts */
    struct store_origin origin = {.origin = ""};
    struct export_provenance from = {.decision = &x->decisions[part->index],
                                     .origin = &origin};
    bool more = false;
    enum cwm_rc rc = trace_view_lines(t->view, program, err);

    if (rc == CWM_OK) {
        rc = count_origins(t->store, program->id, &from.n_origins, err);
    }
    if (rc == CWM_OK) {
        rc = store_origins(t->store, program->id, &cursor, err);
    }
    if (rc == CWM_OK) {
        rc = store_origin_next(cursor, &origin, &more, err);
    }
    if (rc == CWM_OK && !more) {
        rc = CWM_FAIL(err, CWM_FORMAT, "program %lld has no origin",
                      (long long)program->id);
    }
    if (rc == CWM_OK) {
        rc = add_rows(x, t, program->id, &from, part, out, err);
    }
    store_cursor_close(cursor);
    return rc;
}

static enum cwm_rc find_program(const struct export *x, struct thread *t,
                                struct part *part, struct cwm_buf *out,
                                struct cwm_err *err)
{
    struct store_cursor *cursor = NULL; /* owned */
    struct store_program program;
    char text[HASH_TEXT];
    bool more = false;
    enum cwm_rc rc;

    hash_text(&x->decisions[part->index].program, text);
    rc = store_find_program(t->store, text, &cursor, err);
    if (rc == CWM_OK) {
        rc = store_program_next(cursor, &program, &more, err);
    }
    if (rc == CWM_OK && more) {
        rc = add_program(x, t, &program, part, out, err);
    }
    store_cursor_close(cursor);
    return rc;
}

static enum cwm_rc work_step(void *ctx, unsigned thread,
                             struct pipeline_item *item, struct cwm_err *err)
{
    struct export *x = ctx;
    struct note *note = item->note;
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < note->n && rc == CWM_OK; i++) {
        size_t before = item->out.len;

        rc = find_program(x, &x->threads[thread], &note->parts[i], &item->out,
                          err);
        note->parts[i].n_bytes = item->out.len - before;
    }
    return rc;
}

static enum cwm_rc write_part(struct export *x, const struct part *part,
                              const char *rows, struct cwm_err *err)
{
    enum clean_split split = x->decisions[part->index].split;
    struct export_stats *s = x->stats;
    enum cwm_rc rc =
        export_files_add(x->files, split, rows, part->n_bytes, err);

    if (rc != CWM_OK) {
        return rc;
    }
    s->n_programs_done++;
    s->n_split_programs[split] += part->n_traces > 0;
    s->n_traces[split] += part->n_traces;
    s->n_bytes += part->n_bytes;
    s->n_filtered += part->n_filtered;
    s->n_untold += part->n_untold;
    return CWM_OK;
}

static enum cwm_rc write_step(void *ctx, struct pipeline_item *item,
                              struct cwm_err *err)
{
    struct export *x = ctx;
    const struct note *note = item->note;
    const char *rows = item->out.data ? item->out.data : "";
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < note->n && rc == CWM_OK; i++) {
        rc = write_part(x, &note->parts[i], rows, err);
        rows += note->parts[i].n_bytes;
    }
    x->options->on_progress(x->options->ctx, x->stats);
    return rc;
}

static void tick_step(void *ctx)
{
    struct export *x = ctx;

    x->options->on_progress(x->options->ctx, x->stats);
}

/* ---- what was left out ---- */

static enum cwm_rc add_removed(struct export *x, const struct clean_decision *d,
                               struct cwm_buf *out, struct cwm_err *err)
{
    struct store_cursor *cursor = NULL;  /* owned */
    struct store_cursor *origins = NULL; /* owned */
    struct store_program program;
    struct store_origin origin;
    char text[HASH_TEXT];
    bool more = false;
    enum cwm_rc rc;

    hash_text(&d->program, text);
    rc = store_find_program(x->store, text, &cursor, err);
    if (rc == CWM_OK) {
        rc = store_program_next(cursor, &program, &more, err);
    }
    if (rc == CWM_OK && more) {
        rc = store_origins(x->store, program.id, &origins, err);
    }
    if (rc == CWM_OK && more) {
        rc = store_origin_next(origins, &origin, &more, err);
    }
    if (rc == CWM_OK && more) {
        cwm_buf_addf(out, "{\"program\": \"%s\", \"reason\": \"%s\", ", text,
                     clean_reason_text(d->reason));
        hash_text(&d->twin, text);
        cwm_buf_addf(out, d->has_twin ? "\"near\": \"%s\"" : "\"near\": null",
                     text);
        cwm_buf_adds(out, ", \"what\": ");
        if (d->what) {
            cwm_buf_add_json(out, d->what, strlen(d->what));
        } else {
            cwm_buf_adds(out, "null");
        }
        cwm_buf_adds(out, ", \"origin\": ");
        cwm_buf_add_json(out, origin.origin, strlen(origin.origin));
        cwm_buf_adds(out, ", \"path\": ");
        cwm_buf_add_json(out, origin.path, strlen(origin.path));
        cwm_buf_adds(out, "}\n");
        rc = cwm_buf_check(out, "the list of what was left out", err);
    }
    store_cursor_close(origins);
    store_cursor_close(cursor);
    return rc;
}

static enum cwm_rc put_removed(struct export *x, struct cwm_err *err)
{
    struct cwm_buf text;
    enum cwm_rc rc = CWM_OK;

    cwm_buf_init(&text, MAX_ROWS_BYTES);
    for (size_t i = 0; i < x->n_decisions && rc == CWM_OK; i++) {
        if (!is_wanted(x, &x->decisions[i]) &&
            x->decisions[i].reason != CLEAN_KEPT) {
            rc = add_removed(x, &x->decisions[i], &text, err);
        }
    }
    if (rc == CWM_OK) {
        rc = export_files_put(x->files, "removed.jsonl", &text, err);
    }
    cwm_buf_release(&text);
    return rc;
}

static enum cwm_rc put_card(struct export *x, struct cwm_err *err)
{
    struct stats *stats = cwm_calloc(1, sizeof *stats); /* owned: large */
    struct cwm_buf card;
    enum cwm_rc rc;

    if (!stats) {
        return CWM_FAIL(err, CWM_NOMEM, "could not write the card");
    }
    cwm_buf_init(&card, MAX_CARD_BYTES);
    rc = stats_make(x->store, false, x->options->cancel, stats, err);
    if (rc == CWM_OK) {
        x->stats->content = stats->content;
        rc = export_card(x->options, x->store, x->stats, stats, x->files, &card,
                         err);
    }
    if (rc == CWM_OK) {
        rc = cwm_buf_check(&card, "the card", err);
    }
    if (rc == CWM_OK) {
        rc = export_files_put(x->files, "README.md", &card, err);
    }
    cwm_buf_release(&card);
    cwm_free(stats);
    return rc;
}

/* ---- set-up ---- */

/* Decisions as a table: the plan itself is for one thread. */
static enum cwm_rc take_plan(struct export *x, struct cwm_err *err)
{
    enum cwm_rc rc = clean_new(x->store, &x->options->clean, &x->plan, err);

    if (rc != CWM_OK) {
        return rc;
    }
    x->n_decisions = clean_n(x->plan);
    x->decisions = cwm_calloc(x->n_decisions + 1, sizeof *x->decisions);
    if (!x->decisions) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu programs",
                        x->n_decisions);
    }
    for (size_t i = 0; i < x->n_decisions; i++) {
        clean_get(x->plan, i, &x->decisions[i]);
        x->stats->n_removed[x->decisions[i].reason]++;
        x->stats->n_programs += is_wanted(x, &x->decisions[i]);
    }
    return CWM_OK;
}

static enum cwm_rc open_threads(struct export *x, struct cwm_err *err)
{
    unsigned n = x->options->n_workers;
    enum cwm_rc rc = CWM_OK;

    x->threads = cwm_calloc(n, sizeof *x->threads);
    if (!x->threads) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make %u workers", n);
    }
    for (unsigned i = 0; i < n && rc == CWM_OK; i++) {
        struct thread *t = &x->threads[i];

        export_scratch_init(&t->scratch);
        rc = store_open(x->options->store_path, STORE_READ, &t->store, err);
        if (rc == CWM_OK) {
            rc = trace_view_new(store_codec(t->store), &t->view, err);
        }
    }
    return rc;
}

static void close_all(struct export *x)
{
    for (unsigned i = 0; x->threads && i < x->options->n_workers; i++) {
        trace_view_free(x->threads[i].view);
        store_close(x->threads[i].store);
        export_scratch_release(&x->threads[i].scratch);
    }
    cwm_free(x->threads);
    cwm_free(x->decisions);
    export_files_free(x->files);
    clean_free(x->plan);
    store_close(x->store);
}

enum cwm_rc export_run(const struct export_options *options,
                       struct export_stats *stats, struct cwm_err *err)
{
    static const struct pipeline_ops steps = {
        .read = read_step,
        .work = work_step,
        .write = write_step,
        .tick = tick_step,
    };
    struct pipeline_options how = {
        .n_threads = options->n_workers,
        .window = WINDOW,
        .budget_bytes = BUDGET_BYTES,
        .max_item_bytes = MAX_ROWS_BYTES,
        .note_bytes = sizeof(struct note),
        .cancel = options->cancel,
    };
    struct export x = {.options = options, .stats = stats};
    enum cwm_rc rc;

    memset(stats, 0, sizeof *stats);
    rc = store_open(options->store_path, STORE_READ, &x.store, err);
    if (rc == CWM_OK) {
        rc = export_files_new(options->folder, options->overwrite,
                              options->plain, options->shard_bytes, &x.files,
                              err);
    }
    if (rc == CWM_OK) {
        rc = take_plan(&x, err);
    }
    if (rc == CWM_OK) {
        rc = open_threads(&x, err);
    }
    if (rc == CWM_OK) {
        rc = pipeline_run(&how, &steps, &x, err);
    }
    if (rc == CWM_OK) {
        stats->n_files = export_files_n(x.files);
        rc = put_removed(&x, err);
    }
    if (rc == CWM_OK) {
        rc = put_card(&x, err);
    }
    if (rc == CWM_OK) {
        rc = export_files_finish(x.files, err);
    }
    close_all(&x);
    return rc;
}
