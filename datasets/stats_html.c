/* SPDX-License-Identifier: MIT */
/*
 * stats_html.c -- statistics as one page: inline SVG, no script, no address.
 *
 * Two kinds of plots: bars by name, lying, with their numbers; and bars over
 * powers of two, standing.  Colours follow the reader's light or dark mode.
 */
#include <stdio.h>
#include <string.h>

#include "datasets/stats.h"

typedef unsigned long long ull;

enum {
    WIDTH = 460,           /* of a plot, in units of its viewBox */
    NAME_WIDTH = 150,      /* of the names in front of lying bars */
    LONG_NAME_WIDTH = 250, /* where some are longer than NAME_LETTERS */
    NUMBER_WIDTH = 92,
    BAR = 20,     /* height of a lying bar with its gap */
    HEIGHT = 170, /* of standing bars */
    MAX_BARS = 12,
    NAME_LETTERS = 22,
    LONG_NAME_LETTERS = 40
};

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1c2733;--soft:#64748b;"
    "--page:#f6f7f9;--card:#fff;--line:#dfe4ea;--bar:#3b76c4;--bar2:#d98032}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e9f0;--soft:#94a3b8;"
    "--page:#12171e;--card:#1b222c;--line:#303a47;--bar:#6ea3ea;"
    "--bar2:#e79a54}}\n"
    "body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 "
    "system-ui,sans-serif}\n"
    "main{max-width:1060px;margin:0 auto;padding:28px 20px 40px}\n"
    "h1{font-size:24px;margin:0 0 2px}h2{font-size:15px;margin:0 0 10px}\n"
    "p{margin:0;color:var(--soft)}code{font-size:13px}\n"
    ".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,"
    "1fr));gap:12px;margin:22px 0}\n"
    ".facts div,.plot{background:var(--card);border:1px solid var(--line);"
    "border-radius:8px;padding:14px 16px}\n"
    ".facts b{display:block;font-size:22px;font-weight:600;"
    "font-variant-numeric:tabular-nums}\n"
    ".facts span,.plot p{color:var(--soft);font-size:13px}\n"
    ".plots{columns:2 420px;column-gap:14px}"
    ".plot{break-inside:avoid;margin-bottom:14px}\n"
    "svg{width:100%;height:auto;display:block}\n"
    "text{fill:var(--ink);font:12px system-ui,sans-serif}"
    ".n{fill:var(--soft);font-variant-numeric:tabular-nums}\n"
    ".narrow .n{font-size:9px}\n"
    "rect{fill:var(--bar)}.second rect{fill:var(--bar2)}"
    "line{stroke:var(--line)}\n";

/* What is from outside: names of repositories, of exceptions. */
static void add_escaped(struct cwm_buf *out, const char *text, size_t max)
{
    size_t n = 0;

    for (; *text && n < max; text++) {
        /* whole characters only */
        n += ((unsigned char)*text & 0xC0) != 0x80;
        switch (*text) {
        case '<':
            cwm_buf_adds(out, "&lt;");
            break;
        case '>':
            cwm_buf_adds(out, "&gt;");
            break;
        case '&':
            cwm_buf_adds(out, "&amp;");
            break;
        case '"':
            cwm_buf_adds(out, "&quot;");
            break;
        default:
            cwm_buf_addc(out, *text);
        }
    }
    while (*text && ((unsigned char)*text & 0xC0) == 0x80) {
        cwm_buf_addc(out, *text++);
    }
    if (*text) {
        cwm_buf_adds(out, "\xE2\x80\xA6");
    }
}

/* 1234567 as 1,234,567. */
static void add_grouped(struct cwm_buf *out, uint64_t n)
{
    char digits[32];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%llu", (ull)n);

    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            cwm_buf_addc(out, ',');
        }
        cwm_buf_addc(out, digits[i]);
    }
}

/* 1234567 as 1.2 M. */
static void add_short(struct cwm_buf *out, double n)
{
    static const char *const units[] = {"", " k", " M", " G", " T"};
    size_t i = 0;

    while (n >= 999.5 && i < 4) {
        n /= 1000;
        i++;
    }
    cwm_buf_addf(out, i > 0 && n < 9.95 ? "%.1f%s" : "%.0f%s", n, units[i]);
}

static void open_plot(struct cwm_buf *out, const char *title,
                      const char *subtitle, bool second)
{
    cwm_buf_addf(out, "<section class=\"plot%s\"><h2>%s</h2>",
                 second ? " second" : "", title);
    if (subtitle) {
        cwm_buf_addf(out, "<p>%s</p>", subtitle);
    }
}

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
    add_escaped(out, count->name, is_long ? LONG_NAME_LETTERS : NAME_LETTERS);
    cwm_buf_addf(out,
                 "</text><rect x=\"%d\" y=\"%d\" "
                 "width=\"%.1f\" height=\"%d\" rx=\"2\"/>"
                 "<text class=\"n\" x=\"%.1f\" y=\"%d\">",
                 name_width, y + 3, width < 1 ? 1 : width, BAR - 6,
                 name_width + width + 6, y + 14);
    add_short(out, (double)n);
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
    open_plot(out, title, subtitle, second);
    cwm_buf_addf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\">", WIDTH,
                 (n + (rest.n > 0)) * BAR);
    for (int i = 0; i < n; i++) {
        add_bar(out, is_long, i, &c->rows[i], c->rows[0].n, total);
    }
    if (rest.n > 0) {
        add_bar(out, is_long, n, &rest,
                c->rows[0].n > rest.n ? c->rows[0].n : rest.n, total);
    }
    cwm_buf_adds(out, "</svg></section>\n");
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
    add_short(out, (double)n);
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
    add_grouped(&numbers, h->median);
    cwm_buf_adds(&numbers, ", 95 % up to ");
    add_grouped(&numbers, h->p95);
    cwm_buf_adds(&numbers, ", largest ");
    add_grouped(&numbers, h->max);
    open_plot(out, title, numbers.data ? numbers.data : "", second);
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
        cwm_buf_addf(out,
                     "<text class=\"n\" x=\"%.1f\" y=\"%d\" "
                     "text-anchor=\"middle\">",
                     x + width / 2, HEIGHT - 5);
        add_bound(out, i);
        cwm_buf_adds(out, "</text>");
    }
    cwm_buf_adds(out, "</svg></section>\n");
}

/* ---- the page ---- */

static void add_fact(struct cwm_buf *out, const char *name, uint64_t n)
{
    cwm_buf_adds(out, "<div><b>");
    add_grouped(out, n);
    cwm_buf_addf(out, "</b><span>%s</span></div>", name);
}

static void add_facts(struct cwm_buf *out, const struct stats *s,
                      uint64_t store_bytes)
{
    cwm_buf_adds(out, "<div class=\"facts\">");
    add_fact(out, "programs", s->counts.n_programs);
    add_fact(out, "traces", s->counts.n_traces);
    add_fact(out, "frames", s->counts.n_frames);
    add_fact(out, "bytes of text", s->counts.n_text_bytes);
    add_fact(out, "bytes of the store", store_bytes);
    if (s->counts.n_evaluation > 0) {
        add_fact(out, "programs for evaluation only", s->counts.n_evaluation);
    }
    cwm_buf_adds(out, "</div>\n");
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
    cwm_buf_adds(out, "<!doctype html>\n<html lang=\"en\"><head><meta "
                      "charset=\"utf-8\"><meta name=\"viewport\" "
                      "content=\"width=device-width,initial-scale=1\"><title>");
    add_escaped(out, title, 200);
    cwm_buf_addf(out, "</title><style>%s</style></head><body><main>\n<h1>",
                 style);
    add_escaped(out, title, 200);
    cwm_buf_addf(out, "</h1><p>content <code>%s</code></p>\n", content);
    add_facts(out, s, store_bytes);
    cwm_buf_adds(out, "<div class=\"plots\">\n");
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
    cwm_buf_adds(out, "</div></main></body></html>\n");
}
