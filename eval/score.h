/* SPDX-License-Identifier: MIT */
/*
 * score.h -- a predicted trace against the true one.
 *
 * Frames are aligned by position.  Of one trace:
 *     valid format    the whole text parses
 *     state           share of the true call and line frames whose locals are
 *                     predicted exactly (names and texts; their order in the
 *                     object does not count)
 *     action          share of the true frames whose source line is exact
 *     json            share of the true call and line frames for which the
 *                     prediction has a parseable object
 *     key, key+value  mean Jaccard overlap, over the same frames, of the
 *                     names, and of the pairs of name and text
 *     output          the final value equals the true one as a Python value
 *                     (literal.h); where the trace is left by an exception,
 *                     the prediction is, too, by the same one
 * and beside them the shares of exact events and arguments.  Of many traces:
 * the mean of each trace's own score.
 *
 * A prediction whose text stops while scopes are open ran out of budget.  It
 * counts in the scores like any other, and is counted apart as well.
 *
 * Threads: none shared.
 */
#ifndef EVAL_SCORE_H
#define EVAL_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/err.h"
#include "eval/literal.h"
#include "eval/predicted.h"

/* Name in JSON, heading in a table. */
#define SCORE_TABLE(X)                                                         \
    X(FORMAT, "valid_trace_format", "valid trace format")                      \
    X(STATE, "state_exact_match", "state exact match")                         \
    X(ACTION, "action_exact_match", "action exact match")                      \
    X(JSON, "valid_json", "valid JSON")                                        \
    X(KEY, "key_match", "key match")                                           \
    X(KEY_VALUE, "key_value_match", "key+value match")                         \
    X(OUTPUT, "output_pass_at_1", "output pass@1")                             \
    X(EVENT, "event_match", "event match")                                     \
    X(ARGUMENT, "argument_exact_match", "argument exact match")                \
    X(TRACE, "trace_exact_match", "whole trace exact")

enum score {
#define SCORE_ENUM(id, name, heading) SCORE_##id,
    SCORE_TABLE(SCORE_ENUM)
#undef SCORE_ENUM
        SCORE_N
};
const char *score_name(enum score score);    /* "state_exact_match" */
const char *score_heading(enum score score); /* "state exact match" */

/* What differs in the first frame that does. */
enum score_what {
    SCORE_SAME,         /* nothing differs */
    SCORE_BROKEN_FRAME, /* it says the same, but breaks the format */
    SCORE_OTHER_EVENT,
    SCORE_OTHER_LOCALS, /* `name`: another value, or on one side only */
    SCORE_OTHER_SOURCE,
    SCORE_OTHER_ARGUMENT,
    SCORE_NO_FRAME,    /* the prediction has ended */
    SCORE_EXTRA_FRAME, /* the true trace has ended */
    SCORE_N_WHATS
};
const char *score_what_name(enum score_what what); /* "locals", "source" */

/* Texts are borrowed from the traces; without text: there is none. */
struct score_divergence {
    enum score_what what;
    size_t frame; /* from 0 */
    struct predicted_text name;
    struct predicted_text want, got;
};

/*
 * Halting: does the program end within its budget of steps (frames)?  A
 * prediction says so by leaving the entry within the budget; it says no by
 * going on up to the budget, or by ending its text with scopes open, as true
 * traces do that were stopped.  One that its own author's budget cut off has
 * not said it, and one without a frame says nothing.
 */
enum score_halt {
    SCORE_HALT_ENDS,
    SCORE_HALT_RUNS_OUT,
    SCORE_HALT_CUT,    /* of predictions only */
    SCORE_HALT_NOTHING /* of the truth: stopped for another reason */
};
#define SCORE_N_HALTS (SCORE_HALT_NOTHING + 1)
const char *score_halt_name(enum score_halt halt); /* "runs_out" */

struct score_truth {
    const struct predicted *trace; /* borrowed */
    bool is_cut;                   /* it was stopped: more would have come */
    bool ran_out;        /* is_cut: for its time, or the trace's length */
    uint64_t max_frames; /* the budget of steps; 0: not known */
    struct predicted_text result; /* returned by the entry; or none */
    bool raised;                  /* the entry was left by an exception */
};

struct trace_score {
    double value[SCORE_N]; /* 0 to 1; NAN: does not apply (no final value, no
                              argument) */
    bool out_of_budget;
    enum score_halt halt_true, halt_predicted;
    uint64_t n_true, n_predicted; /* frames */
    struct score_divergence first;
};

/* How often something was asked for, and how often it was right. */
struct score_share {
    uint64_t n, n_right;
};

#define SCORE_N_DEPTHS  8  /* the last one: that deep or deeper */
#define SCORE_N_LENGTHS 16 /* frames: 2^i to 2^(i+1) - 1; the last: more */

/* Sums over many traces. */
struct score_sums {
    uint64_t n_traces, n_out_of_budget;
    double sum[SCORE_N];
    uint64_t n[SCORE_N];             /* traces that each score applies to */
    double budget_sum[SCORE_N];      /* of those within budget */
    uint64_t budget_n[SCORE_N];      /* likewise */
    uint64_t n_first[SCORE_N_WHATS]; /* first divergences, by what differs */
    struct score_share events[4];    /* whole frames exact, by enum trace_event
                                      */
    struct score_share kinds[LITERAL_N_KINDS]; /* texts: locals shown in full,
                                                  and what is returned */
    struct score_share depths[SCORE_N_DEPTHS]; /* frames exact; 0: the entry */
    struct score_share lengths[SCORE_N_LENGTHS]; /* traces: output right */
    struct score_share length_frames[SCORE_N_LENGTHS]; /* frames exact */
    struct score_share length_traces[SCORE_N_LENGTHS]; /* whole traces exact */
    uint64_t n_frames;                                 /* of the true traces */
    double sum_before; /* shares of the true traces before they are left; all
                          of it where nothing differs */
    uint64_t halts[2][SCORE_N_HALTS]; /* [true: it ends, or runs out] */
    /* Where both end: steps predicted less true ones. */
    struct score_share steps; /* right: as many */
    double sum_error, sum_absolute_error, sum_relative_error;
};

/*
 * Score one prediction and add it to *sums (NULL is fine).  The truth has at
 * least one frame.  Fails: CWM_NOMEM.
 */
enum cwm_rc score_trace(const struct score_truth *truth,
                        const struct predicted *predicted,
                        struct score_sums *sums, struct trace_score *ret_score,
                        struct cwm_err *err);

/* Add the sums of other traces. */
void score_add(struct score_sums *to, const struct score_sums *more);

/* The mean over the traces that it applies to; NAN when there is none. */
double score_mean(const struct score_sums *sums, enum score score);
double score_mean_in_budget(const struct score_sums *sums, enum score score);

#endif /* EVAL_SCORE_H */
