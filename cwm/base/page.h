/* SPDX-License-Identifier: MIT */
/*
 * page.h -- one HTML page that stands alone: its style, its plots as SVG.
 *
 * No script, and no address of anything elsewhere.  Colours follow the
 * reader's light or dark mode.  Equal input gives equal bytes.
 *
 * Errors are the buffer's: they stick, and the caller checks once.
 */
#ifndef CWM_BASE_PAGE_H
#define CWM_BASE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwm/base/buf.h"

enum { PAGE_PLOT_WIDTH = 460 }; /* in units of its viewBox */

/* Up to and with the heading. */
void page_open(struct cwm_buf *out, const char *title);
void page_close(struct cwm_buf *out);

/* What is from outside, escaped; cut after `max` characters. */
void page_text(struct cwm_buf *out, const char *text, size_t max);
void page_grouped(struct cwm_buf *out, uint64_t n); /* 1,234,567 */
void page_short(struct cwm_buf *out, double n);     /* 1.2 M */

/* Large numbers with their names, side by side. */
void page_open_facts(struct cwm_buf *out);
void page_fact(struct cwm_buf *out, const char *name, uint64_t n);
void page_close_facts(struct cwm_buf *out);

/* Cards in columns, one plot each.  second: in the other colour. */
void page_open_plots(struct cwm_buf *out);
void page_open_plot(struct cwm_buf *out, const char *title,
                    const char *subtitle, bool second); /* NULL: none */
void page_close_plot(struct cwm_buf *out);
void page_close_plots(struct cwm_buf *out);

/* ---- lines (page_lines.c) ---- */

/* Points by rising x; NAN is a point that is not there. */
struct page_line {
    const char *name;
    const double *x, *y;
    const double *low, *high; /* a band; NULL: none */
    size_t n;
};

#define PAGE_MAX_LINES 12 /* as many colours as there are */

struct page_lines {
    const char *title, *subtitle; /* subtitle NULL: none */
    const char *x_name, *y_name;
    bool log_x;    /* x above 0 */
    bool is_share; /* y from 0 to 1, shown as percentages */
    const struct page_line *lines;
    size_t n;
};

/* A card with the lines and what they are called.  Lines beyond the most are
 * left out, and the card says how many. */
void page_add_lines(struct cwm_buf *out, const struct page_lines *plot);

#endif /* CWM_BASE_PAGE_H */
