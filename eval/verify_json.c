/* SPDX-License-Identifier: MIT */
/* verify_json.c -- scores as JSON objects (docs/formats.md section 11). */
#include "eval/verify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of the texts of a divergence, unless all of them is wanted. */
enum { MAX_SHOWN_BYTES = 400 };

/* Where the texts and scores are from is ours: all names are plain. */
static void put_number(struct cwm_buf *out, double value)
{
    if (isnan(value)) {
        cwm_buf_adds(out, "null");
    } else {
        cwm_buf_addf(out, "%.10g", value);
        /* 1 is written as 1.0: a score is a fraction */
        if (floor(value) >= value) {
            cwm_buf_adds(out, ".0");
        }
    }
}

static void put_count(struct cwm_buf *out, const char *name, uint64_t n)
{
    cwm_buf_addf(out, "\"%s\": %llu", name, (unsigned long long)n);
}

static void put_text(struct cwm_buf *out, const struct predicted_text *text,
                     bool full)
{
    size_t len = text->len;

    if (!text->text) {
        cwm_buf_adds(out, "null");
        return;
    }
    if (!full && len > MAX_SHOWN_BYTES) {
        len = MAX_SHOWN_BYTES;
        while (len > 0 && ((unsigned char)text->text[len] & 0xC0) == 0x80) {
            len--; /* no half of a character */
        }
    }
    cwm_buf_add_json(out, text->text, len);
    if (len < text->len && out->failed == CWM_OK) {
        out->len--; /* the closing quote */
        cwm_buf_adds(out, "\\u2026\"");
    }
}

static void put_divergence(struct cwm_buf *out,
                           const struct verify_record *record)
{
    const struct score_divergence *d = &record->score->first;

    if (d->what == SCORE_SAME) {
        cwm_buf_adds(out, "null");
        return;
    }
    cwm_buf_adds(out, "{");
    put_count(out, "frame", d->frame);
    cwm_buf_addf(out,
                 ", \"what\": \"%s\", \"name\": ", score_what_name(d->what));
    put_text(out, &d->name, record->full_texts);
    cwm_buf_adds(out, ", \"expected\": ");
    put_text(out, &d->want, record->full_texts);
    cwm_buf_adds(out, ", \"predicted\": ");
    put_text(out, &d->got, record->full_texts);
    cwm_buf_addc(out, '}');
}

static void put_scores(struct cwm_buf *out, const double value[SCORE_N])
{
    cwm_buf_addc(out, '{');
    for (int i = 0; i < SCORE_N; i++) {
        cwm_buf_addf(out, "%s\"%s\": ", i > 0 ? ", " : "",
                     score_name((enum score)i));
        put_number(out, value[i]);
    }
    cwm_buf_addc(out, '}');
}

static void put_string(struct cwm_buf *out, const char *text)
{
    if (text) {
        cwm_buf_add_json(out, text, strlen(text));
    } else {
        cwm_buf_adds(out, "null");
    }
}

void verify_put_record(const struct verify_record *record, struct cwm_buf *out)
{
    const struct predicted *p = record->predicted;

    cwm_buf_adds(out, "{\"id\": ");
    put_string(out, record->id);
    cwm_buf_adds(out, ", \"verdict\": ");
    put_string(out, record->verdict);
    cwm_buf_adds(out, ", \"detail\": ");
    put_string(out, record->detail);
    cwm_buf_adds(out, ", \"scores\": ");
    if (!record->score) {
        cwm_buf_adds(out, "null}");
        return;
    }
    put_scores(out, record->score->value);
    cwm_buf_adds(out, ", \"first_divergence\": ");
    put_divergence(out, record);
    cwm_buf_adds(out, ", \"format_error\": ");
    if (p->whole) {
        cwm_buf_adds(out, "null");
    } else {
        cwm_buf_adds(out, "{");
        put_count(out, "byte", p->broken_at);
        cwm_buf_addf(out, ", \"message\": \"%s\"}", p->broken_why);
    }
    cwm_buf_addf(out, ", \"out_of_budget\": %s, \"frames\": {",
                 record->score->out_of_budget ? "true" : "false");
    put_count(out, "true", record->score->n_true);
    cwm_buf_adds(out, ", ");
    put_count(out, "predicted", record->score->n_predicted);
    cwm_buf_adds(out, "}, \"halting\": ");
    if (record->score->halt_true == SCORE_HALT_NOTHING) {
        cwm_buf_adds(out, "null}");
        return;
    }
    cwm_buf_addf(out, "{\"true\": \"%s\", \"predicted\": \"%s\"}}",
                 score_halt_name(record->score->halt_true),
                 score_halt_name(record->score->halt_predicted));
}

/* ---- the totals ---- */

static void put_share(struct cwm_buf *out, const char *gap, const char *name,
                      const struct score_share *share)
{
    cwm_buf_addf(
        out, "%s\"%s\": {\"n\": %llu, \"right\": %llu, \"share\": ", gap, name,
        (unsigned long long)share->n, (unsigned long long)share->n_right);
    put_number(out, share->n > 0 ? (double)share->n_right / (double)share->n
                                 : (double)NAN);
    cwm_buf_addc(out, '}');
}

static void put_events(struct cwm_buf *out, const struct score_sums *sums)
{
    static const char *const names[] = {"call", "line", "return", "exception"};

    cwm_buf_adds(out, ", \"by_event\": {");
    for (int i = 0; i < 4; i++) {
        put_share(out, i > 0 ? ", " : "", names[i], &sums->events[i]);
    }
    cwm_buf_adds(out, "}, \"by_value_type\": {");
    for (int i = 0; i < LITERAL_N_KINDS; i++) {
        put_share(out, i > 0 ? ", " : "",
                  literal_kind_name((enum literal_kind)i), &sums->kinds[i]);
    }
    cwm_buf_addc(out, '}');
}

/* Shares by the length of the true trace, those that have any. */
static void put_lengths(struct cwm_buf *out, const char *heading,
                        const struct score_share *shares)
{
    char name[64];
    const char *gap = "";

    cwm_buf_addf(out, ", \"%s\": {", heading);
    for (int i = 0; i < SCORE_N_LENGTHS; i++) {
        if (i + 1 == SCORE_N_LENGTHS) {
            snprintf(name, sizeof name, "%lu+", 1UL << i);
        } else {
            snprintf(name, sizeof name, "%lu-%lu", 1UL << i, (2UL << i) - 1);
        }
        if (shares[i].n > 0) {
            put_share(out, gap, name, &shares[i]);
            gap = ", ";
        }
    }
    cwm_buf_addc(out, '}');
}

static void put_halting(struct cwm_buf *out, const struct score_sums *sums)
{
    double n = sums->steps.n > 0 ? (double)sums->steps.n : (double)NAN;

    cwm_buf_adds(out, ", \"halting\": {");
    for (int t = 0; t < 2; t++) {
        cwm_buf_addf(out, "%s\"%s\": {", t > 0 ? "}, " : "",
                     score_halt_name((enum score_halt)t));
        for (int i = 0; i < SCORE_N_HALTS; i++) {
            cwm_buf_adds(out, i > 0 ? ", " : "");
            put_count(out, score_halt_name((enum score_halt)i),
                      sums->halts[t][i]);
        }
    }
    put_share(out, "}, ", "steps_exact", &sums->steps);
    cwm_buf_adds(out, ", \"mean_step_error\": ");
    put_number(out, sums->sum_error / n);
    cwm_buf_adds(out, ", \"mean_absolute_step_error\": ");
    put_number(out, sums->sum_absolute_error / n);
    cwm_buf_adds(out, ", \"mean_relative_step_error\": ");
    put_number(out, sums->sum_relative_error / n);
    cwm_buf_addc(out, '}');
}

static void put_depths(struct cwm_buf *out, const struct score_sums *sums)
{
    char name[64];
    const char *gap = "";

    cwm_buf_adds(out, ", \"by_depth\": {");
    for (int i = 0; i < SCORE_N_DEPTHS; i++) {
        snprintf(name, sizeof name, "%d%s", i,
                 i + 1 == SCORE_N_DEPTHS ? "+" : "");
        if (sums->depths[i].n > 0) {
            put_share(out, gap, name, &sums->depths[i]);
            gap = ", ";
        }
    }
    cwm_buf_addc(out, '}');
    put_lengths(out, "output_by_frames", sums->lengths);
    put_lengths(out, "frames_exact_by_frames", sums->length_frames);
    put_lengths(out, "trace_exact_by_frames", sums->length_traces);
}

static void put_means(struct cwm_buf *out, const struct score_sums *sums,
                      double (*mean)(const struct score_sums *, enum score))
{
    double value[SCORE_N];

    for (int i = 0; i < SCORE_N; i++) {
        value[i] = mean(sums, (enum score)i);
    }
    put_scores(out, value);
}

void verify_put_totals(const struct verify_stats *stats, struct cwm_buf *out)
{
    const struct score_sums *sums = &stats->sums;

    cwm_buf_adds(out, "{\"total\": true, ");
    put_count(out, "lines", stats->n_lines);
    cwm_buf_adds(out, ", ");
    put_count(out, "scored", stats->n_scored);
    cwm_buf_adds(out, ", ");
    put_count(out, "without_true_trace", stats->n_no_trace);
    cwm_buf_adds(out, ", ");
    put_count(out, "bad_lines", stats->n_bad_lines);
    cwm_buf_adds(out, ", ");
    put_count(out, "out_of_budget", sums->n_out_of_budget);
    cwm_buf_adds(out, ", ");
    put_count(out, "true_frames", sums->n_frames);
    cwm_buf_adds(out, ", \"python\": ");
    put_string(out, stats->python);
    cwm_buf_adds(out, ", \"scores\": ");
    put_means(out, sums, score_mean);
    cwm_buf_adds(out, ", \"scores_within_budget\": ");
    put_means(out, sums, score_mean_in_budget);
    cwm_buf_adds(out, ", \"first_divergences\": {");
    for (int i = 0; i < SCORE_N_WHATS; i++) {
        cwm_buf_adds(out, i > 0 ? ", " : "");
        put_count(out, score_what_name((enum score_what)i), sums->n_first[i]);
    }
    cwm_buf_adds(out, "}, \"mean_share_before_divergence\": ");
    put_number(out, sums->n_traces > 0
                        ? sums->sum_before / (double)sums->n_traces
                        : (double)NAN);
    put_events(out, sums);
    put_depths(out, sums);
    put_halting(out, sums);
    cwm_buf_addc(out, '}');
}

/* ---- static checks ---- */

void verify_put_check(const char *id, const struct predicted *predicted,
                      const struct check_result *result, struct cwm_buf *out)
{
    cwm_buf_adds(out, "{\"id\": ");
    put_string(out, id);
    cwm_buf_addf(out, ", \"sound\": %s, ",
                 result->n_problems == 0 ? "true" : "false");
    put_count(out, "frames", predicted->n_frames);
    cwm_buf_adds(out, ", ");
    put_count(out, "n_problems", result->n_problems);
    cwm_buf_adds(out, ", \"problems\": [");
    for (size_t i = 0; i < result->n_kept; i++) {
        const struct check_problem *problem = &result->kept[i];

        cwm_buf_adds(out, i > 0 ? ", {" : "{");
        put_count(out, "frame", problem->frame);
        cwm_buf_addf(out, ", \"problem\": \"%s\", \"what\": ",
                     check_kind_name(problem->kind));
        put_string(out, problem->what);
        cwm_buf_addc(out, '}');
    }
    cwm_buf_adds(out, "]}");
}

void verify_put_check_totals(const struct verify_stats *stats,
                             struct cwm_buf *out)
{
    cwm_buf_adds(out, "{\"total\": true, ");
    put_count(out, "lines", stats->n_lines);
    cwm_buf_adds(out, ", ");
    put_count(out, "checked", stats->n_checked);
    cwm_buf_adds(out, ", ");
    put_count(out, "sound", stats->n_sound);
    cwm_buf_adds(out, ", ");
    put_count(out, "bad_lines", stats->n_bad_lines);
    cwm_buf_adds(out, ", \"with_problem\": {");
    for (int i = 0; i < CHECK_N_KINDS; i++) {
        cwm_buf_adds(out, i > 0 ? ", " : "");
        put_count(out, check_kind_name((enum check_kind)i),
                  stats->n_with_kind[i]);
    }
    cwm_buf_adds(out, "}}");
}
