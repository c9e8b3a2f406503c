/* SPDX-License-Identifier: MIT */
/* cmd_verify_table.c -- scores for people. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cwm/cli/cmd_verify.h"

enum { MAX_SHOWN_BYTES = 200 };

static void put_percent(struct cwm_buf *out, const char *heading, double value)
{
    if (isnan(value)) {
        cwm_buf_addf(out, "%-22s      -\n", heading);
    } else {
        cwm_buf_addf(out, "%-22s %6.2f %%\n", heading, 100 * value);
    }
}

static void put_share(struct cwm_buf *out, const char *heading,
                      const char *name, const struct score_share *share)
{
    if (share->n > 0) {
        cwm_buf_addf(out, "%-9s %-12s %6.2f %%  of %llu\n", heading, name,
                     100 * (double)share->n_right / (double)share->n,
                     (unsigned long long)share->n);
    }
}

/* By the length of the true trace. */
static void put_lengths(struct cwm_buf *out, const char *heading,
                        const struct score_share *shares)
{
    char name[32];

    cwm_buf_addf(out, "\n%s\n", heading);
    for (int i = 0; i < SCORE_N_LENGTHS; i++) {
        if (i + 1 == SCORE_N_LENGTHS) {
            snprintf(name, sizeof name, "%lu+", 1UL << i);
        } else {
            snprintf(name, sizeof name, "%lu-%lu", 1UL << i, (2UL << i) - 1);
        }
        put_share(out, "frames", name, &shares[i]);
    }
}

static void put_halting(struct cwm_buf *out, const struct score_sums *sums)
{
    static const char *const rows[] = {"it ends", "it runs out"};
    double n = (double)sums->steps.n;

    cwm_buf_addf(out, "\n%-22s %8s %9s %8s %8s\n", "halting, predicted", "ends",
                 "runs out", "cut off", "nothing");
    for (int t = 0; t < 2; t++) {
        const uint64_t *row = sums->halts[t];

        cwm_buf_addf(out, "%-22s %8llu %9llu %8llu %8llu\n", rows[t],
                     (unsigned long long)row[SCORE_HALT_ENDS],
                     (unsigned long long)row[SCORE_HALT_RUNS_OUT],
                     (unsigned long long)row[SCORE_HALT_CUT],
                     (unsigned long long)row[SCORE_HALT_NOTHING]);
    }
    if (sums->steps.n > 0) {
        cwm_buf_addf(out,
                     "steps, where both end  %6.2f %% exact, off by %.2f in "
                     "the mean (%.2f %%)\n",
                     100 * (double)sums->steps.n_right / n,
                     sums->sum_absolute_error / n,
                     100 * sums->sum_relative_error / n);
    }
}

static void put_shares(struct cwm_buf *out, const struct score_sums *sums)
{
    static const char *const events[] = {"call", "line", "return", "exception"};
    char name[32];

    cwm_buf_adds(out, "\nframes exact\n");
    for (int i = 0; i < 4; i++) {
        put_share(out, "event", events[i], &sums->events[i]);
    }
    for (int i = 0; i < SCORE_N_DEPTHS; i++) {
        snprintf(name, sizeof name, "%d%s", i,
                 i + 1 == SCORE_N_DEPTHS ? "+" : "");
        put_share(out, "depth", name, &sums->depths[i]);
    }
    cwm_buf_adds(out, "\nvalues exact\n");
    for (int i = 0; i < LITERAL_N_KINDS; i++) {
        put_share(out, "type", literal_kind_name((enum literal_kind)i),
                  &sums->kinds[i]);
    }
    put_lengths(out, "output right", sums->lengths);
    put_lengths(out, "frames exact, by length", sums->length_frames);
    put_lengths(out, "whole trace exact", sums->length_traces);
    put_halting(out, sums);
}

void verify_put_table(const struct verify_stats *stats, struct cwm_buf *out)
{
    const struct score_sums *sums = &stats->sums;
    const char *gap = "";

    cwm_buf_addf(out, "%llu prediction%s scored, CPython %s\n",
                 (unsigned long long)stats->n_scored,
                 stats->n_scored == 1 ? "" : "s", stats->python);
    for (int i = 0; i < SCORE_N; i++) {
        put_percent(out, score_heading((enum score)i),
                    score_mean(sums, (enum score)i));
    }
    cwm_buf_addf(out, "%-22s %6llu\n", "out of budget",
                 (unsigned long long)sums->n_out_of_budget);
    if (stats->n_no_trace > 0) {
        cwm_buf_addf(out, "%-22s %6llu\n", "without a true trace",
                     (unsigned long long)stats->n_no_trace);
    }
    if (stats->n_bad_lines > 0) {
        cwm_buf_addf(out, "%-22s %6llu\n", "lines that are none",
                     (unsigned long long)stats->n_bad_lines);
    }
    cwm_buf_adds(out, "\nfirst divergence: ");
    for (int i = 0; i < SCORE_N_WHATS; i++) {
        if (sums->n_first[i] > 0) {
            cwm_buf_addf(out, "%s%s %llu", gap,
                         score_what_name((enum score_what)i),
                         (unsigned long long)sums->n_first[i]);
            gap = ", ";
        }
    }
    if (sums->n_traces > 0) {
        cwm_buf_addf(out, "; behind %.2f %% of the trace in the mean",
                     100 * sums->sum_before / (double)sums->n_traces);
    }
    cwm_buf_addc(out, '\n');
    if (sums->n_traces > 0) {
        put_shares(out, sums);
    }
}

/* A text on one line, as JSON has it; cut where it is long. */
static void put_text(struct cwm_buf *out, const char *heading,
                     const struct predicted_text *text)
{
    size_t len = text->len < MAX_SHOWN_BYTES ? text->len : MAX_SHOWN_BYTES;

    cwm_buf_adds(out, heading);
    if (text->text) {
        cwm_buf_add_json(out, text->text, len);
        cwm_buf_adds(out, len < text->len ? " ...\n" : "\n");
    } else {
        cwm_buf_adds(out, "nothing\n");
    }
}

void verify_put_one(const struct verify_record *record, struct cwm_buf *out)
{
    const struct trace_score *score = record->score;
    const struct score_divergence *d = &score->first;

    for (int i = 0; i < SCORE_N; i++) {
        put_percent(out, score_heading((enum score)i), score->value[i]);
    }
    if (score->out_of_budget) {
        cwm_buf_adds(out, "out of budget\n");
    }
    if (!record->predicted->whole) {
        cwm_buf_addf(out, "the text breaks at byte %zu: %s\n",
                     record->predicted->broken_at,
                     record->predicted->broken_why);
    }
    if (d->what == SCORE_SAME) {
        cwm_buf_addf(out, "no divergence in %llu frames\n",
                     (unsigned long long)score->n_true);
        return;
    }
    cwm_buf_addf(out, "first divergence: frame %zu of %llu, %s", d->frame + 1,
                 (unsigned long long)score->n_true, score_what_name(d->what));
    if (d->name.text) {
        cwm_buf_adds(out, " of ");
        cwm_buf_add_json(out, d->name.text, d->name.len);
    }
    cwm_buf_addc(out, '\n');
    if (d->want.text || d->got.text) {
        put_text(out, "  expected   ", &d->want);
        put_text(out, "  predicted  ", &d->got);
    }
}
