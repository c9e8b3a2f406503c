/* SPDX-License-Identifier: MIT */
/* stats_text.c -- statistics as JSON and as a table. */
#include <stdio.h>
#include <string.h>

#include "datasets/stats.h"

typedef unsigned long long ull;

/* ---- JSON ---- */

static void add_number(struct cwm_buf *out, const char *key, uint64_t n)
{
    cwm_buf_addf(out, "%s%llu", key, (ull)n);
}

static void add_counts(struct cwm_buf *out, const char *key,
                       const struct stats_counts *c)
{
    cwm_buf_addf(out, ", \"%s\": {", key);
    for (size_t i = 0; i < c->n; i++) {
        cwm_buf_adds(out, i > 0 ? ", " : "");
        cwm_buf_add_json(out, c->rows[i].name, strlen(c->rows[i].name));
        add_number(out, ": ", c->rows[i].n);
    }
    if (c->n_other > 0) {
        add_number(out, ", \"(others)\": ", c->n_other);
    }
    cwm_buf_addc(out, '}');
}

static void add_histogram(struct cwm_buf *out, const char *key,
                          const struct stats_histogram *h)
{
    size_t last = STATS_N_BUCKETS;

    while (last > 0 && h->n[last - 1] == 0) {
        last--;
    }
    cwm_buf_addf(out,
                 ", \"%s\": {\"sum\": %llu, \"median\": %llu, \"p95\": %llu, "
                 "\"max\": %llu, \"powers_of_two\": [",
                 key, (ull)h->sum, (ull)h->median, (ull)h->p95, (ull)h->max);
    for (size_t i = 0; i < last; i++) {
        add_number(out, i > 0 ? ", " : "", h->n[i]);
    }
    cwm_buf_adds(out, "]}");
}

void stats_json(const struct stats *s, struct cwm_buf *out)
{
    const struct store_counts *c = &s->counts;
    char content[HASH_TEXT];

    hash_text(&s->content, content);
    cwm_buf_addf(out, "{\"content\": \"%s\"", content);
    add_number(out, ", \"programs\": ", c->n_programs);
    add_number(out, ", \"evaluation_programs\": ", c->n_evaluation);
    add_number(out, ", \"traces\": ", c->n_traces);
    add_number(out, ", \"frames\": ", c->n_frames);
    add_number(out, ", \"calls\": ", c->n_calls);
    add_number(out, ", \"lines\": ", c->n_lines);
    add_number(out, ", \"items\": ", c->n_items);
    add_number(out, ", \"skipped_items\": ", c->n_skipped);
    add_counts(out, "verdicts", &s->verdicts);
    add_counts(out, "kinds", &s->kinds);
    add_counts(out, "origins", &s->origins);
    add_counts(out, "licences", &s->licences);
    add_counts(out, "inputs", &s->inputs);
    add_counts(out, "labels", &s->labels);
    add_counts(out, "mutations", &s->changes);
    add_counts(out, "pythons", &s->pythons);
    add_counts(out, "skips", &s->skips);
    add_histogram(out, "frames_per_trace", &s->frames);
    add_histogram(out, "depth_per_trace", &s->depth);
    add_histogram(out, "text_bytes_per_trace", &s->text_bytes);
    add_histogram(out, "bytes_per_program", &s->program_bytes);
    add_histogram(out, "traces_per_program", &s->traces);
    add_number(out, ", \"sampled_traces\": ", s->n_sampled);
    add_counts(out, "exceptions", &s->exceptions);
    cwm_buf_adds(out, ", \"value_types\": {");
    for (int i = 0; i < STATS_N_TYPES; i++) {
        cwm_buf_addf(out, "%s\"%s\": %llu", i > 0 ? ", " : "",
                     stats_type_text((enum stats_type)i), (ull)s->n_types[i]);
    }
    cwm_buf_adds(out, "}}\n");
}

/* ---- the table ---- */

static void add_row(struct cwm_buf *out, const char *name, uint64_t n)
{
    cwm_buf_addf(out, "  %-24s %14llu\n", name, (ull)n);
}

static void add_rows(struct cwm_buf *out, const char *title,
                     const struct stats_counts *c)
{
    enum { MAX_ROWS = 12 };
    uint64_t rest = c->n_other;

    if (c->n == 0) {
        return;
    }
    cwm_buf_addf(out, "%s\n", title);
    for (size_t i = 0; i < c->n; i++) {
        if (i < MAX_ROWS) {
            cwm_buf_addf(out, "  %-24.60s %14llu\n", c->rows[i].name,
                         (ull)c->rows[i].n);
        } else {
            rest += c->rows[i].n;
        }
    }
    if (rest > 0) {
        add_row(out, "(others)", rest);
    }
}

static void add_spread(struct cwm_buf *out, const char *name,
                       const struct stats_histogram *h)
{
    cwm_buf_addf(out, "  %-24s %14llu %10llu %10llu\n", name, (ull)h->median,
                 (ull)h->p95, (ull)h->max);
}

void stats_table(const struct stats *s, uint64_t store_bytes,
                 struct cwm_buf *out)
{
    const struct store_counts *c = &s->counts;
    char content[HASH_TEXT];

    hash_text(&s->content, content);
    cwm_buf_addf(out, "content %s\n", content);
    add_row(out, "programs", c->n_programs);
    add_row(out, "  from benchmarks", c->n_evaluation);
    add_row(out, "traces", c->n_traces);
    add_row(out, "frames", c->n_frames);
    add_row(out, "items dealt with", c->n_items);
    add_row(out, "  passed over", c->n_skipped);
    add_row(out, "bytes of text", c->n_text_bytes);
    add_row(out, "bytes of the store", store_bytes);
    cwm_buf_addf(out, "%-26s %14s %10s %10s\n", "of one trace", "median",
                 "95 %", "largest");
    add_spread(out, "frames", &s->frames);
    add_spread(out, "depth", &s->depth);
    add_spread(out, "bytes of text", &s->text_bytes);
    cwm_buf_adds(out, "of one program\n");
    add_spread(out, "bytes", &s->program_bytes);
    add_spread(out, "traces", &s->traces);
    add_rows(out, "verdicts", &s->verdicts);
    add_rows(out, "programs by kind of source", &s->kinds);
    add_rows(out, "programs by origin", &s->origins);
    add_rows(out, "programs by licence", &s->licences);
    add_rows(out, "traces by where their input is from", &s->inputs);
    add_rows(out, "traces by label", &s->labels);
    add_rows(out, "mutants by kind", &s->changes);
    add_rows(out, "traces by interpreter", &s->pythons);
    add_rows(out, "exceptions that end a trace", &s->exceptions);
    add_rows(out, "why items were passed over", &s->skips);
}
