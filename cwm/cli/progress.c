/* SPDX-License-Identifier: MIT */
/* progress.c -- the bar, the rate, the time left. */
#include "cwm/cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/io.h"
#include "cwm/cli/cli.h"

enum { BAR_CELLS = 24, MAX_LINE_BYTES = 1024 };

#define REDRAW_SECONDS 0.1

static const char clear_line[] = "\r\033[K";

void progress_init(struct progress *p)
{
    *p = (struct progress){.enabled = cli_is_terminal(STDERR_FILENO),
                           .start = cli_now()};
}

void progress_verdicts(const struct jobs_stats *stats, struct cwm_buf *out)
{
    const char *gap = "";

    for (int i = 0; i < TRACE_N_VERDICTS; i++) {
        if (stats->n_verdicts[i] > 0) {
            cwm_buf_addf(out, "%s%s %llu", gap,
                         trace_verdict_text((enum trace_verdict)i),
                         (unsigned long long)stats->n_verdicts[i]);
            gap = ", ";
        }
    }
}

int progress_digits(double rate)
{
    return rate > 0 && rate < 10 ? 1 : 0;
}

static void add_bar(const struct jobs_stats *stats, struct cwm_buf *out)
{
    uint64_t full = stats->n_passed * BAR_CELLS / stats->n_lines;

    cwm_buf_addc(out, '[');
    for (uint64_t i = 0; i < BAR_CELLS; i++) {
        cwm_buf_addc(out, i < full ? '#' : '.');
    }
    cwm_buf_addf(out, "] %llu/%llu ", (unsigned long long)stats->n_passed,
                 (unsigned long long)stats->n_lines);
}

static void add_line(const struct progress *p, const struct jobs_stats *stats,
                     double now, struct cwm_buf *out)
{
    double seconds = now - p->start;
    double rate = seconds > 0 ? (double)stats->n_written / seconds : 0;
    char left[32];

    if (stats->n_lines > 0) {
        add_bar(stats, out);
    } else {
        cwm_buf_addf(out, "%llu jobs ", (unsigned long long)stats->n_passed);
    }
    cwm_buf_addf(out, " %.*f jobs/s ", progress_digits(rate), rate);
    if (stats->n_lines > stats->n_passed && rate > 0) {
        seconds = (double)(stats->n_lines - stats->n_passed) / rate;
        if (seconds < 10) { /* a guess: no hundredths */
            snprintf(left, sizeof left, "%u s", (unsigned)seconds + 1);
        } else {
            cli_seconds(seconds, left, sizeof left);
        }
        cwm_buf_addf(out, " %s left ", left);
    }
    cwm_buf_addc(out, ' ');
    progress_verdicts(stats, out);
}

/* Leaves out whole parts: half a number would be a wrong one. */
static void cut_line(struct cwm_buf *line, size_t max_bytes)
{
    size_t len = max_bytes;

    if (line->len <= max_bytes) {
        return;
    }
    while (len > 0 && line->data[len] != ',' &&
           strncmp(line->data + len, "  ", 2) != 0) {
        len--;
    }
    line->len = len;
}

void progress_show(struct progress *p, const struct jobs_stats *stats)
{
    struct cwm_buf line;
    double now = cli_now();
    size_t columns = cli_columns(STDERR_FILENO);

    if (!p->enabled || now - p->last < REDRAW_SECONDS) {
        return;
    }
    cwm_buf_init(&line, MAX_LINE_BYTES);
    cwm_buf_adds(&line, clear_line);
    add_line(p, stats, now, &line);
    cut_line(&line, sizeof clear_line - 1 + columns - 1);
    io_write_all(STDERR_FILENO, "standard error", line.data, line.len, NULL,
                 NULL);
    cwm_buf_release(&line);
    p->drawn = true;
    p->last = now;
}

void progress_clear(struct progress *p)
{
    if (p->drawn) {
        io_write_all(STDERR_FILENO, "standard error", clear_line,
                     sizeof clear_line - 1, NULL, NULL);
        p->drawn = false;
        p->last = 0;
    }
}
