/* SPDX-License-Identifier: MIT */
/*
 * build_work.c -- one item: its programs, their functions, their inputs.
 *
 * Each program is parsed here once, to find its functions and to refuse what
 * is none; what the interpreter thinks of it shows in its first run.
 */
#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/build_internal.h"
#include "datasets/build_rows.h"
#include "datasets/build_suite.h"
#include "datasets/mutate.h"

enum {
    /* Of each mutant: mutants are many, their inputs need not be. */
    MAX_MUTANT_CALLS = 2,
    MAX_CHANGE_BYTES = 96,
    /* Runs of one function that may be out of time: each costs seconds, and
     * the next inputs are made from those before. */
    MAX_TIMEOUTS = 2
};

/* Where one of these words stands a run may depend on the clock, on chance
 * that no seed governs, on other threads or on addresses. */
static const char *const suspect_words[] = {
    "time",     "uuid",        "secrets",     "urandom",    "getrandom",
    "thread",   "Thread",      "async",       "concurrent", "process",
    "getpid",   "tempfile",    "gc",          "id(",        "hash(",
    "weakref",  "getrefcount", "default_rng", "socket",     "psutil",
    "platform", "stat(",       "resource",    "seed(",      "Random",
};

static bool is_suspect(const struct source *s)
{
    size_t len;
    const char *text = source_text(s, &len);

    for (size_t i = 0; i < sizeof suspect_words / sizeof suspect_words[0];
         i++) {
        if (memmem(text, len, suspect_words[i], strlen(suspect_words[i]))) {
            return true;
        }
    }
    return false;
}

static void skip(struct build__thread *t, const char *why)
{
    if (t->note->skip[0] == '\0') {
        snprintf(t->note->skip, sizeof t->note->skip, "%.*s",
                 (int)strcspn(why, "\n"), why);
    }
}

static void forget_kept(struct build__thread *t)
{
    for (size_t i = 0; i < t->n_kept; i++) {
        cwm_free(t->kept[i].entry);
        cwm_free(t->kept[i].args);
    }
    t->n_kept = 0;
}

static enum cwm_rc remember_kept(struct build__thread *t,
                                 const struct candidate_call *call,
                                 struct cwm_err *err)
{
    struct build__kept *kept = &t->kept[t->n_kept];

    if (t->options->max_mutants == 0 || t->n_kept == BUILD__MAX_KEPT ||
        !call->entry || call->wrap_main) {
        return CWM_OK;
    }
    kept->entry = cwm_strdup(call->entry);
    kept->args = cwm_strdup(call->args ? call->args : "");
    t->n_kept++;
    return kept->entry && kept->args
               ? CWM_OK
               : CWM_FAIL(err, CWM_NOMEM, "could not hold a call");
}

/* ---- functions and their inputs ---- */

/* The program itself is of no use: nothing of it was reached. */
static bool is_hopeless(const struct trace_result *r)
{
    return r->verdict == TRACE_VERDICT_SYNTAX_ERROR ||
           (r->verdict == TRACE_VERDICT_EXCEPTION &&
            trace_reader_end(r->reader)->reason == TRACE_END_MODULE_EXCEPTION);
}

static void skip_hopeless(struct build__thread *t, const struct trace_result *r)
{
    const struct trace_end *end = trace_reader_end(r->reader);
    char why[160];

    snprintf(why, sizeof why, "%s: %.*s",
             r->verdict == TRACE_VERDICT_SYNTAX_ERROR ? "cannot be compiled"
                                                      : "its module raises",
             (int)(end->exception_type_len < 60 ? end->exception_type_len : 60),
             end->exception_type ? (const char *)end->exception_type : "");
    skip(t, why);
}

/* A run that says something about the function. */
static bool is_useful(enum trace_verdict verdict, uint64_t n_frames)
{
    return n_frames > 0 && verdict != TRACE_VERDICT_NO_ENTRY &&
           verdict != TRACE_VERDICT_BAD_ARGS &&
           verdict != TRACE_VERDICT_SYNTAX_ERROR;
}

/* One try: run, report, keep. */
static enum cwm_rc try_input(struct build__thread *t,
                             const struct build__program *p, struct inputs *in,
                             const struct candidate_call *call,
                             uint32_t *n_timeouts, bool *ret_stop,
                             struct cwm_err *err)
{
    struct inputs_outcome outcome = {.edges = NULL};
    struct trace_result result;
    bool keep = false;
    bool put = false;
    enum cwm_rc rc = build__trace(t, p, call, &result, err);

    if (rc != CWM_OK) {
        return rc;
    }
    *n_timeouts += result.verdict == TRACE_VERDICT_TIMEOUT;
    if (is_hopeless(&result)) {
        skip_hopeless(t, &result);
        *ret_stop = true;
        return CWM_OK;
    }
    rc = inputs_outcome_of(&result, &outcome, err);
    if (rc == CWM_OK) {
        rc = inputs_report(in, &outcome, &keep, err);
    }
    inputs_outcome_release(&outcome);
    if (rc == CWM_OK && keep && !result.tracer_failed &&
        is_useful(result.verdict, trace_reader_end(result.reader)->n_frames)) {
        rc = build__put(t, p, call, &result, &put, err);
    }
    return rc == CWM_OK && put ? remember_kept(t, call, err) : rc;
}

static enum cwm_rc try_inputs(struct build__thread *t,
                              const struct build__program *p, struct inputs *in,
                              const char *entry, bool *ret_stop,
                              struct cwm_err *err)
{
    struct inputs_try try;
    uint32_t n_timeouts = 0;
    bool more = true;
    enum cwm_rc rc = CWM_OK;

    while (rc == CWM_OK && more && !*ret_stop && n_timeouts < MAX_TIMEOUTS) {
        rc = inputs_next(in, &try, &more, err);
        if (rc == CWM_OK && more) {
            struct candidate_call call = {
                .entry = entry,
                .args = try.args,
                .input_origin = (int)try.origin,
                .seed = 0,
                .limits = t->options->limits,
            };

            rc = try_input(t, p, in, &call, &n_timeouts, ret_stop, err);
        }
    }
    return rc;
}

static enum cwm_rc try_functions(struct build__thread *t,
                                 const struct build__program *p,
                                 uint32_t *ret_n, struct cwm_err *err)
{
    const struct build_options *o = t->options;
    struct inputs_settings settings;
    size_t n;
    const struct source_def *defs = source_defs(p->source, &n);
    uint64_t seed = hash_draw(&p->hash, o->seed);
    bool stop = false;
    enum cwm_rc rc = CWM_OK;

    inputs_settings_default(&settings);
    settings.max_kept = o->max_inputs;
    settings.exception_permille = o->exception_permille;
    for (size_t i = 0; i < n && rc == CWM_OK && !stop; i++) {
        struct inputs *in = NULL; /* owned */

        if (defs[i].kind == SOURCE_CLASS || !defs[i].is_reachable) {
            continue;
        }
        rc = inputs_new(p->source, (int)i, &settings, seed + i, &in, err);
        if (rc == CWM_USAGE || rc == CWM_LIMIT) {
            rc = CWM_OK; /* not one that can be called as it stands */
        } else if (rc == CWM_OK) {
            ++*ret_n;
            rc = try_inputs(t, p, in, defs[i].qualname, &stop, err);
        }
        inputs_free(in);
    }
    return rc;
}

/* ---- calls that came with the program ---- */

static enum cwm_rc run_calls(struct build__thread *t,
                             const struct build__program *p,
                             const struct candidate_call *calls, size_t n,
                             struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    for (size_t i = 0; i < n && rc == CWM_OK; i++) {
        struct trace_result result;
        bool useful;
        bool put = false;

        rc = build__trace(t, p, &calls[i], &result, err);
        if (rc != CWM_OK || result.tracer_failed) {
            continue;
        }
        useful = is_useful(result.verdict,
                           trace_reader_end(result.reader)->n_frames);
        rc = build__put(t, p, &calls[i], &result, &put, err);
        if (rc == CWM_OK && put && useful) {
            rc = remember_kept(t, &calls[i], err);
        }
    }
    return rc;
}

/* A program of which no trace came is not stored: forget its row. */
struct mark {
    size_t rows;
    uint32_t n_programs, n_traces;
};

static struct mark mark_rows(const struct build__thread *t)
{
    return (struct mark){t->rows->len, t->note->n_programs, t->note->n_traces};
}

static bool drop_if_empty(struct build__thread *t, struct mark mark)
{
    if (t->note->n_traces > mark.n_traces) {
        return false;
    }
    t->rows->len = mark.rows;
    t->note->n_programs = mark.n_programs;
    return true;
}

/* ---- mutants ---- */

/* The kept calls of a function come one behind the other: the first one of
 * the function that the edit is in, or 0. */
static size_t first_call_of(const struct build__thread *t,
                            const struct source *s, uint32_t line)
{
    size_t n;
    const struct source_def *defs = source_defs(s, &n);
    int def = source_def_at(s, line);

    while (def >= 0 && !defs[def].is_reachable) {
        def = defs[def].parent;
    }
    for (size_t i = 0; def >= 0 && i < t->n_kept; i++) {
        if (strcmp(t->kept[i].entry, defs[def].qualname) == 0) {
            return i;
        }
    }
    return 0;
}

static enum cwm_rc run_mutant(struct build__thread *t,
                              const struct build__program *parent,
                              const struct cwm_buf *text,
                              const struct mutation *m, struct cwm_err *err)
{
    struct build__program p = {.is_suspect = parent->is_suspect};
    struct candidate_program from = *parent->from;
    char change[MAX_CHANGE_BYTES];
    size_t n = t->n_kept < MAX_MUTANT_CALLS ? t->n_kept : MAX_MUTANT_CALLS;
    size_t first = first_call_of(t, parent->source, m->line);
    size_t len;
    const char *whole;
    struct mark mark = mark_rows(t);
    enum cwm_rc rc =
        source_new_text(text->data, text->len, "a mutant", &p.source, err);

    if (rc != CWM_OK) {
        return rc == CWM_NOMEM ? rc : CWM_OK;
    }
    snprintf(change, sizeof change, "%s:%u", mutate_kind_text(m->kind),
             m->line);
    from.origin.kind = STORE_KIND_MUTANT;
    from.origin.parent = &parent->hash;
    from.origin.change = change;
    whole = source_text(p.source, &len);
    p.hash = hash_of(whole, len);
    p.from = &from;
    build_rows_put_program(t->rows, whole, len, &from.origin);
    t->note->n_programs++;
    for (size_t i = 0; i < n && rc == CWM_OK; i++) {
        const struct build__kept *kept = &t->kept[(first + i) % t->n_kept];
        struct candidate_call call = {
            .entry = kept->entry,
            .args = kept->args,
            .input_origin = INPUTS_GIVEN,
            .limits = t->options->limits,
        };

        rc = run_calls(t, &p, &call, 1, err);
    }
    drop_if_empty(t, mark);
    source_free(p.source);
    return rc;
}

static enum cwm_rc run_mutants(struct build__thread *t,
                               const struct build__program *p,
                               struct cwm_err *err)
{
    struct mutate_settings settings;
    struct mutator *mutator = NULL; /* owned */
    struct mutation m;
    struct cwm_buf text;
    bool more = true;
    size_t len;
    size_t n_kept = t->n_kept; /* mutants add none */
    const char *whole = source_text(p->source, &len);
    enum cwm_rc rc;

    mutate_settings_default(&settings);
    settings.max_mutants = t->options->max_mutants;
    rc = mutator_new(whole, len, &settings,
                     hash_draw(&p->hash, t->options->seed), &mutator, err);
    if (rc != CWM_OK) {
        return rc == CWM_NOMEM ? rc : CWM_OK;
    }
    cwm_buf_init(&text, SOURCES_MAX_ITEM_BYTES);
    while (rc == CWM_OK && more) {
        rc = mutator_next(mutator, &text, &m, &more, err);
        if (rc == CWM_OK && more) {
            t->n_kept = n_kept;
            rc = run_mutant(t, p, &text, &m, err);
        }
    }
    cwm_buf_release(&text);
    mutator_free(mutator);
    return rc;
}

/* ---- programs ---- */

static enum cwm_rc parse(const struct candidate_program *from,
                         struct source **ret_source, struct cwm_err *err)
{
    return from->is_text ? source_new_text(from->data, from->len,
                                           from->origin.path, ret_source, err)
                         : source_new(from->data, from->len, from->origin.path,
                                      ret_source, err);
}

/* What can be run of it; a script is run where it has no function. */
static enum cwm_rc run_all(struct build__thread *t,
                           const struct build__program *p, struct cwm_err *err)
{
    struct candidate_call script = {.input_origin = INPUTS_GIVEN,
                                    .limits = t->options->limits};
    uint32_t n_functions = 0;
    size_t n_defs;
    enum cwm_rc rc = run_calls(t, p, p->from->calls, p->from->n_calls, err);

    if (rc != CWM_OK || !p->from->find_functions) {
        return rc;
    }
    source_defs(p->source, &n_defs);
    if (n_defs == 0) {
        return run_calls(t, p, &script, 1, err);
    }
    rc = try_functions(t, p, &n_functions, err);
    if (rc == CWM_OK && n_functions == 0) {
        skip(t, "no function that can be called as it stands");
    }
    return rc;
}

static enum cwm_rc work_program(struct build__thread *t,
                                const struct candidate_program *from,
                                struct cwm_err *err)
{
    struct build__program p = {.from = from};
    struct cwm_err why = {.code = CWM_OK};
    const char *text;
    struct mark mark = mark_rows(t);
    size_t len;
    enum cwm_rc rc = parse(from, &p.source, &why);

    if (rc == CWM_FORMAT || rc == CWM_LIMIT) {
        skip(t, "no text that can be decoded");
        return CWM_OK;
    }
    if (rc != CWM_OK) {
        return CWM_FAIL(err, rc, "%s", why.message);
    }
    if (source_first_code_line(p.source) == 0) {
        skip(t, "no code");
    } else if (source_syntax_error(p.source) && from->find_functions) {
        skip(t, "does not parse");
    } else {
        text = source_text(p.source, &len);
        p.hash = hash_of(text, len);
        p.is_suspect = is_suspect(p.source);
        build_rows_put_program(t->rows, text, len, &from->origin);
        t->note->n_programs++;
        forget_kept(t);
        rc = run_all(t, &p, err);
        if (rc == CWM_OK && t->n_kept > 0 && !from->origin.evaluation) {
            rc = run_mutants(t, &p, err);
        }
        forget_kept(t);
    }
    if (rc == CWM_OK && drop_if_empty(t, mark)) {
        skip(t, "no trace came of it");
    }
    source_free(p.source);
    return rc;
}

enum cwm_rc build__work(struct build__thread *t, const struct source_item *item,
                        struct cwm_err *err)
{
    struct candidate_options options = {
        .seed = t->options->seed,
        .generate = &t->options->generate,
        .limits = t->options->limits,
    };
    struct candidate *c = NULL; /* owned */
    struct cwm_err why = {.code = CWM_OK};
    const struct candidate_program *programs;
    size_t n;
    enum cwm_rc rc;

    if (item->skip) {
        skip(t, item->skip);
        return CWM_OK;
    }
    if (item->kind == STORE_KIND_PYTEST) {
        return build__work_suite(t, item, err);
    }
    rc = candidate_new(item, &options, &c, &why);
    if (rc == CWM_USAGE || rc == CWM_LIMIT) {
        skip(t, why.message);
        return CWM_OK;
    }
    if (rc != CWM_OK) {
        return CWM_FAIL(err, rc, "%s", why.message);
    }
    programs = candidate_programs(c, &n);
    for (size_t i = 0; i < n && rc == CWM_OK; i++) {
        rc = work_program(t, &programs[i], err);
    }
    if (t->note->n_traces > 0) {
        t->note->skip[0] = '\0';
    }
    candidate_free(c);
    return rc;
}
