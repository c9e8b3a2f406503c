/* SPDX-License-Identifier: MIT */
/* score.c -- see score.h. */
#include "eval/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"

enum { N_EVENTS = 4 };

/* A state's members, sorted by name; of equal names the last, as in Python. */
struct state {
    const struct predicted_local **members; /* owned */
    size_t n, capacity;
};

struct scorer {
    const struct score_truth *truth;
    const struct predicted *predicted;
    struct score_sums *sums; /* of this trace only */
    struct trace_score *score;
    struct state want, got;
    uint64_t n_states;
    uint64_t n_arguments;
    int64_t depth;
};

/* ---- names ---- */

const char *score_name(enum score score)
{
    static const char *const names[] = {
#define SCORE_NAME(id, name, heading) name,
        SCORE_TABLE(SCORE_NAME)
#undef SCORE_NAME
    };

    return names[score];
}

const char *score_heading(enum score score)
{
    static const char *const headings[] = {
#define SCORE_HEADING(id, name, heading) heading,
        SCORE_TABLE(SCORE_HEADING)
#undef SCORE_HEADING
    };

    return headings[score];
}

const char *score_what_name(enum score_what what)
{
    static const char *const names[] = {
        [SCORE_SAME] = "none",
        [SCORE_BROKEN_FRAME] = "format",
        [SCORE_OTHER_EVENT] = "event",
        [SCORE_OTHER_LOCALS] = "locals",
        [SCORE_OTHER_SOURCE] = "source",
        [SCORE_OTHER_ARGUMENT] = "arg",
        [SCORE_NO_FRAME] = "missing_frame",
        [SCORE_EXTRA_FRAME] = "extra_frame",
    };

    return names[what];
}

const char *score_halt_name(enum score_halt halt)
{
    static const char *const names[] = {
        [SCORE_HALT_ENDS] = "ends",
        [SCORE_HALT_RUNS_OUT] = "runs_out",
        [SCORE_HALT_CUT] = "cut",
        [SCORE_HALT_NOTHING] = "nothing",
    };

    return names[halt];
}

/* ---- states ---- */

static int compare_text(const struct predicted_text *a,
                        const struct predicted_text *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = len > 0 ? memcmp(a->text, b->text, len) : 0;

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static int by_name(const void *a, const void *b)
{
    const struct predicted_local *x = *(const struct predicted_local *const *)a;
    const struct predicted_local *y = *(const struct predicted_local *const *)b;
    int order = compare_text(&x->name, &y->name);

    return order != 0 ? order : (x > y) - (x < y);
}

static enum cwm_rc load_state(struct state *s, const struct predicted *p,
                              const struct predicted_frame *f,
                              struct cwm_err *err)
{
    const struct predicted_local *locals = predicted_locals(p, f);
    size_t n = 0;

    if (f->n_locals > s->capacity) {
        cwm_free(s->members);
        s->capacity = 0;
        s->members = cwm_malloc(2 * f->n_locals * sizeof *s->members);
        if (!s->members) {
            return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu locals",
                            f->n_locals);
        }
        s->capacity = 2 * f->n_locals;
    }
    for (size_t i = 0; i < f->n_locals; i++) {
        s->members[i] = &locals[i];
    }
    if (f->n_locals > 1) {
        qsort(s->members, f->n_locals, sizeof *s->members, by_name);
    }
    for (size_t i = 0; i < f->n_locals; i++) {
        if (i + 1 == f->n_locals ||
            compare_text(&s->members[i]->name, &s->members[i + 1]->name) != 0) {
            s->members[n++] = s->members[i];
        }
    }
    s->n = n;
    return CWM_OK;
}

static bool same_value(const struct predicted_local *a,
                       const struct predicted_local *b)
{
    return a->is_text && b->is_text && a->value.len == b->value.len &&
           memcmp(a->value.text, b->value.text, a->value.len) == 0;
}

/* Two states side by side. */
struct overlap {
    size_t n_names, n_pairs;                  /* that both have */
    const struct predicted_local *want, *got; /* of the first name, in the true
                                                 order, that differs */
};

/* The first difference is the one that stands first in the true object, or
 * else in the predicted one. */
static void note_difference(struct overlap *o,
                            const struct predicted_local *want,
                            const struct predicted_local *got)
{
    if (!o->want && !o->got) {
        o->want = want;
        o->got = got;
    } else if (want && (!o->want || want < o->want)) {
        o->want = want;
        o->got = got;
    } else if (!want && !o->want && got < o->got) {
        o->got = got;
    }
}

static void count_value(struct score_sums *sums,
                        const struct predicted_local *want, bool right)
{
    const struct predicted_text *value = &want->value;
    struct score_share *share;

    if (value->len == 2 && memcmp(value->text, "..", 2) == 0) {
        return; /* as before: it shows no value */
    }
    share = &sums->kinds[literal_kind(value->text, value->len)];
    share->n++;
    share->n_right += right;
}

static struct overlap compare_states(const struct state *want,
                                     const struct state *got,
                                     struct score_sums *sums)
{
    struct overlap o = {0};
    size_t i = 0;
    size_t k = 0;

    while (i < want->n || k < got->n) {
        int order = i == want->n  ? 1
                    : k == got->n ? -1
                                  : compare_text(&want->members[i]->name,
                                                 &got->members[k]->name);
        bool same = order == 0 && same_value(want->members[i], got->members[k]);

        o.n_names += order == 0;
        o.n_pairs += same;
        if (!same) {
            note_difference(&o, order <= 0 ? want->members[i] : NULL,
                            order >= 0 ? got->members[k] : NULL);
        }
        if (order <= 0) {
            count_value(sums, want->members[i], same);
        }
        i += order <= 0;
        k += order >= 0;
    }
    return o;
}

static double jaccard(size_t n_both, size_t n_want, size_t n_got)
{
    size_t n_either = n_want + n_got - n_both;

    return n_either == 0 ? 1 : (double)n_both / (double)n_either;
}

/* ---- a frame ---- */

static void diverge(struct scorer *s, enum score_what what, size_t frame,
                    const struct predicted_text *want,
                    const struct predicted_text *got)
{
    struct score_divergence *first = &s->score->first;

    if (first->what == SCORE_SAME) {
        first->what = what;
        first->frame = frame;
        first->want = want ? *want : (struct predicted_text){0};
        first->got = got ? *got : (struct predicted_text){0};
    }
}

static bool is_state(const struct predicted_frame *f)
{
    return f->event == TRACE_CALL || f->event == TRACE_LINE;
}

/* got: NULL where the prediction has no such frame.  *ret_exact: the state is
 * as it is to be. */
static enum cwm_rc score_state(struct scorer *s, size_t at,
                               const struct predicted_frame *want,
                               const struct predicted_frame *got,
                               bool *ret_exact, struct cwm_err *err)
{
    double *value = s->score->value;
    bool has_object = got && got->has_locals;
    struct overlap o;
    enum cwm_rc rc = load_state(&s->want, s->truth->trace, want, err);

    s->got.n = 0;
    if (rc == CWM_OK && has_object) {
        rc = load_state(&s->got, s->predicted, got, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    s->n_states++;
    o = compare_states(&s->want, &s->got, s->sums);
    *ret_exact = has_object && !o.want && !o.got;
    if (!has_object) {
        diverge(s, SCORE_OTHER_LOCALS, at, NULL, NULL);
        return CWM_OK;
    }
    value[SCORE_JSON] += 1;
    value[SCORE_STATE] += *ret_exact;
    value[SCORE_KEY] += jaccard(o.n_names, s->want.n, s->got.n);
    value[SCORE_KEY_VALUE] += jaccard(o.n_pairs, s->want.n, s->got.n);
    if (!*ret_exact && s->score->first.what == SCORE_SAME) {
        diverge(s, SCORE_OTHER_LOCALS, at, o.want ? &o.want->value : NULL,
                o.got ? &o.got->value : NULL);
        s->score->first.name = o.want ? o.want->name : o.got->name;
    }
    return CWM_OK;
}

static bool same_source(const struct predicted_frame *want,
                        const struct predicted_frame *got)
{
    return got && got->source_ended &&
           predicted_same_text(&want->source, &got->source);
}

static void count_argument(struct scorer *s, const struct predicted_frame *want,
                           bool right)
{
    enum literal_kind kind = literal_kind(want->arg.text, want->arg.len);

    s->n_arguments++;
    s->score->value[SCORE_ARGUMENT] += right;
    if (want->event == TRACE_RETURN) {
        s->sums->kinds[kind].n++;
        s->sums->kinds[kind].n_right += right;
    }
}

/* What every frame is counted in. */
static void count_frame(struct scorer *s, const struct predicted_frame *want,
                        bool exact)
{
    int64_t depth = s->depth;
    struct score_share *share;

    depth = depth < 0 ? 0 : depth;
    depth = depth < SCORE_N_DEPTHS ? depth : SCORE_N_DEPTHS - 1;
    share = &s->sums->depths[depth];
    share->n++;
    share->n_right += exact;
    share = &s->sums->events[want->event];
    share->n++;
    share->n_right += exact;
}

static enum cwm_rc score_frame(struct scorer *s, size_t at, struct cwm_err *err)
{
    const struct predicted_frame *want = &s->truth->trace->frames[at];
    const struct predicted_frame *got =
        at < s->predicted->n_frames ? &s->predicted->frames[at] : NULL;
    bool event_right = got && got->event == want->event;
    bool state_right = true;
    bool source_right = same_source(want, got);
    bool arg_right = !want->arg.text;
    enum cwm_rc rc = CWM_OK;

    if (!got) {
        diverge(s, SCORE_NO_FRAME, at, NULL, NULL);
    } else if (!event_right) {
        diverge(s, SCORE_OTHER_EVENT, at, NULL, NULL);
    }
    if (is_state(want)) {
        rc = score_state(s, at, want, got, &state_right, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (!source_right) {
        diverge(s, SCORE_OTHER_SOURCE, at, &want->source,
                got ? &got->source : NULL);
    }
    if (want->arg.text) {
        arg_right = got && predicted_same_text(&want->arg, &got->arg);
        count_argument(s, want, arg_right);
    }
    if (!arg_right) {
        diverge(s, SCORE_OTHER_ARGUMENT, at, &want->arg,
                got ? &got->arg : NULL);
    }
    if (got && !got->whole) {
        diverge(s, SCORE_BROKEN_FRAME, at, NULL, NULL);
    }
    s->score->value[SCORE_EVENT] += event_right;
    s->score->value[SCORE_ACTION] += source_right;
    s->depth += want->event == TRACE_CALL;
    s->depth--;
    count_frame(s, want,
                event_right && state_right && source_right && arg_right);
    s->depth += want->event != TRACE_RETURN;
    return CWM_OK;
}

/* ---- the whole ---- */

/*
 * What the prediction ends with, when it does: the last frame is a return,
 * and the text says that it ends, or it is whole and the entry has been left.
 */
static const struct predicted_frame *final_frame(const struct predicted *p)
{
    const struct predicted_frame *last =
        p->n_frames > 0 ? &p->frames[p->n_frames - 1] : NULL;

    if (!last || last->event != TRACE_RETURN || !last->arg.text) {
        return NULL;
    }
    return p->is_finished || (last->whole && predicted_open_scopes(p) <= 0)
               ? last
               : NULL;
}

/* The exception that the last return but passes on, or no text. */
static struct predicted_text final_exception(const struct predicted *p)
{
    const struct predicted_frame *last = final_frame(p);

    if (!last || p->n_frames < 2 || last[-1].event != TRACE_EXCEPTION) {
        return (struct predicted_text){0};
    }
    return last[-1].arg;
}

static enum cwm_rc score_output(const struct scorer *s, double *ret_value,
                                struct cwm_err *err)
{
    const struct score_truth *truth = s->truth;
    const struct predicted_frame *last = final_frame(s->predicted);
    struct predicted_text want = truth->result;
    struct predicted_text got = last ? last->arg : (struct predicted_text){0};
    bool right = false;
    enum cwm_rc rc = CWM_OK;

    *ret_value = (double)NAN;
    if (truth->raised) {
        want = final_exception(truth->trace);
        got = final_exception(s->predicted);
    }
    if (!want.text || truth->is_cut) {
        return CWM_OK;
    }
    if (got.text) {
        rc = literal_equal(want.text, want.len, got.text, got.len, &right, err);
    }
    *ret_value = right;
    return rc;
}

/* The text stops, and does not say that it ends, while scopes are open; what
 * a broken last frame returns from counts as open. */
static bool ran_out(const struct predicted *p)
{
    int64_t open = predicted_open_scopes(p);

    if (p->n_frames > 0 && !p->frames[p->n_frames - 1].whole) {
        open += p->frames[p->n_frames - 1].event == TRACE_RETURN;
    }
    return p->was_cut || (!p->is_finished && open > 0);
}

static void make_means(struct scorer *s)
{
    static const enum score of_states[] = {SCORE_STATE, SCORE_JSON, SCORE_KEY,
                                           SCORE_KEY_VALUE};
    double *value = s->score->value;
    double n_frames = (double)s->truth->trace->n_frames;

    for (size_t i = 0; i < sizeof of_states / sizeof *of_states; i++) {
        value[of_states[i]] = s->n_states > 0
                                  ? value[of_states[i]] / (double)s->n_states
                                  : (double)NAN;
    }
    value[SCORE_EVENT] /= n_frames;
    value[SCORE_ACTION] /= n_frames;
    value[SCORE_ARGUMENT] = s->n_arguments > 0
                                ? value[SCORE_ARGUMENT] / (double)s->n_arguments
                                : (double)NAN;
    value[SCORE_FORMAT] = s->predicted->whole;
    value[SCORE_TRACE] = s->score->first.what == SCORE_SAME;
}

static size_t length_class(uint64_t n_frames)
{
    size_t i = 0;

    while (n_frames > 1 && i + 1 < SCORE_N_LENGTHS) {
        n_frames /= 2;
        i++;
    }
    return i;
}

/* ---- halting ---- */

static enum score_halt true_halt(const struct score_truth *t)
{
    if (t->ran_out) {
        return SCORE_HALT_RUNS_OUT;
    }
    return t->is_cut ? SCORE_HALT_NOTHING : SCORE_HALT_ENDS;
}

static enum score_halt predicted_halt(const struct score_truth *t,
                                      const struct predicted *p)
{
    if (p->n_frames == 0 || p->frames[0].event == PREDICTED_NO_EVENT) {
        return SCORE_HALT_NOTHING;
    }
    if (t->max_frames > 0 &&
        p->n_frames >= t->max_frames + (final_frame(p) != NULL)) {
        return SCORE_HALT_RUNS_OUT;
    }
    if (predicted_open_scopes(p) <= 0 && !p->was_cut) {
        return SCORE_HALT_ENDS;
    }
    return p->is_finished && !p->was_cut ? SCORE_HALT_RUNS_OUT : SCORE_HALT_CUT;
}

static void count_halt(struct score_sums *sums, const struct trace_score *score)
{
    double error = (double)score->n_predicted - (double)score->n_true;

    if (score->halt_true == SCORE_HALT_NOTHING) {
        return;
    }
    sums->halts[score->halt_true][score->halt_predicted] = 1;
    if (score->halt_true == SCORE_HALT_ENDS &&
        score->halt_predicted == SCORE_HALT_ENDS) {
        sums->steps.n = 1;
        sums->steps.n_right = score->n_predicted == score->n_true;
        sums->sum_error = error;
        sums->sum_absolute_error = fabs(error);
        sums->sum_relative_error = fabs(error) / (double)score->n_true;
    }
}

static void count_length(struct score_sums *sums,
                         const struct trace_score *score)
{
    size_t length = length_class(score->n_true);
    bool is_same = score->first.what == SCORE_SAME;
    size_t n_before = score->first.frame;
    double output = score->value[SCORE_OUTPUT];

    if (!isnan(output)) {
        sums->lengths[length].n = 1;
        sums->lengths[length].n_right = output > 0;
    }
    for (size_t i = 0; i < SCORE_N_DEPTHS; i++) { /* every frame has one */
        sums->length_frames[length].n += sums->depths[i].n;
        sums->length_frames[length].n_right += sums->depths[i].n_right;
    }
    sums->length_traces[length].n = 1;
    sums->length_traces[length].n_right = is_same;
    sums->sum_before = is_same || n_before > score->n_true
                           ? 1
                           : (double)n_before / (double)score->n_true;
}

static void count_trace(struct score_sums *sums,
                        const struct trace_score *score)
{

    sums->n_traces = 1;
    sums->n_out_of_budget = score->out_of_budget;
    sums->n_first[score->first.what] = 1;
    sums->n_frames = score->n_true;
    for (int i = 0; i < SCORE_N; i++) {
        if (!isnan(score->value[i])) {
            sums->sum[i] = score->value[i];
            sums->n[i] = 1;
        }
        if (!isnan(score->value[i]) && !score->out_of_budget) {
            sums->budget_sum[i] = score->value[i];
            sums->budget_n[i] = 1;
        }
    }
    count_length(sums, score);
    count_halt(sums, score);
}

enum cwm_rc score_trace(const struct score_truth *truth,
                        const struct predicted *predicted,
                        struct score_sums *sums, struct trace_score *ret_score,
                        struct cwm_err *err)
{
    struct score_sums mine = {0};
    struct scorer s = {.truth = truth,
                       .predicted = predicted,
                       .sums = &mine,
                       .score = ret_score};
    size_t n = truth->trace->n_frames;
    enum cwm_rc rc = CWM_OK;

    *ret_score =
        (struct trace_score){.n_true = n, .n_predicted = predicted->n_frames};
    for (size_t i = 0; i < n && rc == CWM_OK; i++) {
        rc = score_frame(&s, i, err);
    }
    if (rc == CWM_OK && predicted->n_frames > n && !truth->is_cut) {
        diverge(&s, SCORE_EXTRA_FRAME, n, NULL, NULL);
    }
    if (rc == CWM_OK && !predicted->whole) { /* behind the last frame */
        diverge(&s, SCORE_BROKEN_FRAME, n, NULL, NULL);
    }
    if (rc == CWM_OK) {
        rc = score_output(&s, &ret_score->value[SCORE_OUTPUT], err);
    }
    if (rc == CWM_OK) {
        ret_score->out_of_budget = ran_out(predicted);
        ret_score->halt_true = true_halt(truth);
        ret_score->halt_predicted = predicted_halt(truth, predicted);
        make_means(&s);
        count_trace(&mine, ret_score);
    }
    if (rc == CWM_OK && sums) {
        score_add(sums, &mine);
    }
    cwm_free(s.want.members);
    cwm_free(s.got.members);
    return rc;
}

static void add_shares(struct score_share *to, const struct score_share *more,
                       size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i].n += more[i].n;
        to[i].n_right += more[i].n_right;
    }
}

void score_add(struct score_sums *to, const struct score_sums *more)
{
    to->n_traces += more->n_traces;
    to->n_out_of_budget += more->n_out_of_budget;
    to->n_frames += more->n_frames;
    for (int i = 0; i < SCORE_N; i++) {
        to->sum[i] += more->sum[i];
        to->n[i] += more->n[i];
        to->budget_sum[i] += more->budget_sum[i];
        to->budget_n[i] += more->budget_n[i];
    }
    for (int i = 0; i < SCORE_N_WHATS; i++) {
        to->n_first[i] += more->n_first[i];
    }
    add_shares(to->events, more->events, N_EVENTS);
    add_shares(to->kinds, more->kinds, LITERAL_N_KINDS);
    add_shares(to->depths, more->depths, SCORE_N_DEPTHS);
    add_shares(to->lengths, more->lengths, SCORE_N_LENGTHS);
    add_shares(to->length_frames, more->length_frames, SCORE_N_LENGTHS);
    add_shares(to->length_traces, more->length_traces, SCORE_N_LENGTHS);
    add_shares(&to->steps, &more->steps, 1);
    to->sum_before += more->sum_before;
    to->sum_error += more->sum_error;
    to->sum_absolute_error += more->sum_absolute_error;
    to->sum_relative_error += more->sum_relative_error;
    for (int i = 0; i < SCORE_N_HALTS; i++) {
        to->halts[0][i] += more->halts[0][i];
        to->halts[1][i] += more->halts[1][i];
    }
}

double score_mean(const struct score_sums *sums, enum score score)
{
    return sums->n[score] > 0 ? sums->sum[score] / (double)sums->n[score]
                              : (double)NAN;
}

double score_mean_in_budget(const struct score_sums *sums, enum score score)
{
    return sums->budget_n[score] > 0
               ? sums->budget_sum[score] / (double)sums->budget_n[score]
               : (double)NAN;
}
