/* SPDX-License-Identifier: MIT */
/*
 * stats_html.c -- statistics as one page (cwm/base/page.h).
 *
 * Two kinds of plots: bars by name, lying, with their numbers; and bars over
 * powers of two, standing.
 */
#include <stdio.h>
#include <string.h>

#include "cwm/base/page.h"
#include "datasets/stats.h"

enum {
    WIDTH = PAGE_PLOT_WIDTH,
    NAME_WIDTH = 150,      /* of the names in front of lying bars */
    LONG_NAME_WIDTH = 250, /* where some are longer than NAME_LETTERS */
    NUMBER_WIDTH = 92,
    BAR = 20,         /* height of a lying bar with its gap */
    HEIGHT = 170,     /* of standing bars */
    BOUND_WIDTH = 34, /* of "128k" and a gap: narrower bars share one */
    MAX_BARS = 12,
    NAME_LETTERS = 22,
    LONG_NAME_LETTERS = 40
};

/* ---- lying bars ---- */

static void add_bar(struct cwm_buf *out, bool is_long, int row,
                    const struct stats_count *count, uint64_t most,
                    uint64_t total)
{
    int y = row * BAR;
    int name_width = is_long ? LONG_NAME_WIDTH : NAME_WIDTH;
    double room = WIDTH - name_width - NUMBER_WIDTH;
    uint64_t n = count->n;
    double width = most > 0 ? (double)n / (double)most * room : 0;

    cwm_buf_addf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">",
                 name_width - 8, y + 14);
    page_text(out, count->name, is_long ? LONG_NAME_LETTERS : NAME_LETTERS);
    cwm_buf_addf(out,
                 "</text><rect x=\"%d\" y=\"%d\" "
                 "width=\"%.1f\" height=\"%d\" rx=\"2\"/>"
                 "<text class=\"n\" x=\"%.1f\" y=\"%d\">",
                 name_width, y + 3, width < 1 ? 1 : width, BAR - 6,
                 name_width + width + 6, y + 14);
    page_short(out, (double)n);
    if (total > 0) {
        cwm_buf_addf(out, " \xC2\xB7 %.*f %%", n * 1000 < 99 * total ? 1 : 0,
                     100.0 * (double)n / (double)total);
    }
    cwm_buf_adds(out, "</text>");
}

static void add_bars(struct cwm_buf *out, const char *title,
                     const char *subtitle, const struct stats_counts *c,
                     bool second)
{
    uint64_t total = c->n_other;
    uint64_t shown = 0;
    int n = c->n < MAX_BARS ? (int)c->n : MAX_BARS;
    struct stats_count rest = {.name = "(others)"};
    bool is_long = false;

    if (c->n == 0) {
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        total += c->rows[i].n;
        shown += (int)i < n ? c->rows[i].n : 0;
        is_long = is_long || strlen(c->rows[i].name) > NAME_LETTERS;
    }
    rest.n = total - shown;
    page_open_plot(out, title, subtitle, second);
    cwm_buf_addf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\">", WIDTH,
                 (n + (rest.n > 0)) * BAR);
    for (int i = 0; i < n; i++) {
        add_bar(out, is_long, i, &c->rows[i], c->rows[0].n, total);
    }
    if (rest.n > 0) {
        add_bar(out, is_long, n, &rest,
                c->rows[0].n > rest.n ? c->rows[0].n : rest.n, total);
    }
    cwm_buf_adds(out, "</svg>");
    page_close_plot(out);
}

/* ---- standing bars ---- */

static void add_column(struct cwm_buf *out, double x, double width, uint64_t n,
                       uint64_t most)
{
    double room = HEIGHT - 40;
    double height = (double)n / (double)most * room;

    if (n == 0) {
        return;
    }
    if (height < 1) {
        height = 1;
    }
    cwm_buf_addf(out,
                 "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                 "rx=\"2\"/>",
                 x + 1, HEIGHT - 20 - height, width - 2, height);
    cwm_buf_addf(out,
                 "<text class=\"n\" x=\"%.1f\" y=\"%.1f\" "
                 "text-anchor=\"middle\">",
                 x + width / 2, HEIGHT - 24 - height);
    page_short(out, (double)n);
    cwm_buf_adds(out, "</text>");
}

/* The least value of a bucket: 0, 1, 2, 4, ... 1k, 2k. */
static void add_bound(struct cwm_buf *out, int i)
{
    static const char *const units[] = {"", "k", "M"};

    cwm_buf_addf(out, "%d%s", i == 0 ? 0 : 1 << (i - 1) % 10,
                 i == 0 ? "" : units[(i - 1) / 10]);
}

static void add_histogram(struct cwm_buf *out, const char *title,
                          const struct stats_histogram *h, bool second)
{
    char subtitle[160];
    struct cwm_buf numbers;
    int first = 0;
    int last = STATS_N_BUCKETS;
    uint64_t most = 1;
    double width;

    while (last > 1 && h->n[last - 1] == 0) {
        last--;
    }
    while (first < last - 1 && h->n[first] == 0) {
        first++;
    }
    for (int i = first; i < last; i++) {
        most = h->n[i] > most ? h->n[i] : most;
    }
    cwm_buf_init(&numbers, sizeof subtitle);
    cwm_buf_adds(&numbers, "median ");
    page_grouped(&numbers, h->median);
    cwm_buf_adds(&numbers, ", 95 % up to ");
    page_grouped(&numbers, h->p95);
    cwm_buf_adds(&numbers, ", largest ");
    page_grouped(&numbers, h->max);
    page_open_plot(out, title, numbers.data ? numbers.data : "", second);
    cwm_buf_release(&numbers);
    width = (double)(WIDTH - 10) / (last - first);
    width = width > 60 ? 60 : width;
    cwm_buf_addf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\"%s>", WIDTH,
                 HEIGHT, width < 30 ? " class=\"narrow\"" : "");
    cwm_buf_addf(out, "<line x1=\"0\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
                 WIDTH, HEIGHT - 19.5, HEIGHT - 19.5);
    for (int i = first; i < last; i++) {
        double x = 5 + width * (i - first);

        add_column(out, x, width, h->n[i], most);
        if (width < BOUND_WIDTH && (i - first) % 2 != 0) {
            continue;
        }
        cwm_buf_addf(out,
                     "<text class=\"n\" x=\"%.1f\" y=\"%d\" "
                     "text-anchor=\"middle\">",
                     x + width / 2, HEIGHT - 5);
        add_bound(out, i);
        cwm_buf_adds(out, "</text>");
    }
    cwm_buf_adds(out, "</svg>");
    page_close_plot(out);
}

/* ---- the page ---- */

static void add_facts(struct cwm_buf *out, const struct stats *s,
                      uint64_t store_bytes)
{
    page_open_facts(out);
    page_fact(out, "programs", s->counts.n_programs);
    page_fact(out, "traces", s->counts.n_traces);
    page_fact(out, "frames", s->counts.n_frames);
    page_fact(out, "bytes of text", s->counts.n_text_bytes);
    page_fact(out, "bytes of the store", store_bytes);
    if (s->counts.n_evaluation > 0) {
        page_fact(out, "programs for evaluation only", s->counts.n_evaluation);
    }
    page_close_facts(out);
}

static struct stats_counts types_of(const struct stats *s)
{
    struct stats_counts c = {.n = 0};

    for (int i = 0; i < STATS_N_TYPES; i++) {
        size_t at = c.n++;

        while (at > 0 && c.rows[at - 1].n < s->n_types[i]) {
            c.rows[at] = c.rows[at - 1];
            at--;
        }
        c.rows[at] = (struct stats_count){.n = s->n_types[i]};
        snprintf(c.rows[at].name, sizeof c.rows[at].name, "%s",
                 stats_type_text((enum stats_type)i));
    }
    return c;
}

void stats_html(const struct stats *s, uint64_t store_bytes, const char *title,
                struct cwm_buf *out)
{
    struct stats_counts types = types_of(s);
    char content[HASH_TEXT];

    hash_text(&s->content, content);
    page_open(out, title);
    cwm_buf_addf(out, "<p>content <code>%s</code></p>\n", content);
    add_facts(out, s, store_bytes);
    page_open_plots(out);
    add_histogram(out, "Frames of a trace", &s->frames, false);
    add_histogram(out, "Bytes of text of a trace", &s->text_bytes, false);
    add_histogram(out, "Deepest call of a trace", &s->depth, false);
    add_histogram(out, "Traces of a program", &s->traces, false);
    add_bars(out, "How runs ended", "traces by verdict", &s->verdicts, true);
    add_bars(out, "Types of values", "new and changed values, in a sample",
             &types, true);
    add_bars(out, "Exceptions", "that end a trace, in a sample", &s->exceptions,
             true);
    add_bars(out, "Where inputs come from", "traces", &s->inputs, true);
    add_histogram(out, "Bytes of a program", &s->program_bytes, false);
    add_bars(out, "Sources", "programs by kind", &s->kinds, false);
    add_bars(out, "Origins", "programs", &s->origins, false);
    add_bars(out, "Licences", "programs", &s->licences, false);
    add_bars(out, "Mutants", "by kind of change", &s->changes, false);
    add_bars(out, "Labels", "traces", &s->labels, true);
    add_bars(out, "Passed over", "items of sources, by reason", &s->skips,
             true);
    page_close_plots(out);
    page_close(out);
}
