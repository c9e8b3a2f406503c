/* SPDX-License-Identifier: MIT */
/* page_lines.c -- lines with bands over an axis, as inline SVG. */
#include <math.h>
#include <string.h>

#include "cwm/base/page.h"

enum {
    HEIGHT = 270,
    LEFT = 46, /* room for the numbers of the y axis */
    RIGHT = 12,
    TOP = 12,
    BOTTOM = 40,   /* for the numbers and the name of the x axis */
    MAX_TICKS = 8, /* about; as numbers need room */
    NAME_LETTERS = 30
};

/* What is shown, and where. */
struct frame {
    const struct page_lines *plot;
    double x_low, x_high, y_low, y_high; /* x: logarithms where log_x */
    size_t n;                            /* lines shown */
};

static double on_axis(const struct page_lines *plot, double x)
{
    return plot->log_x ? log2(x) : x;
}

static double place_x(const struct frame *f, double x)
{
    double share = (on_axis(f->plot, x) - f->x_low) / (f->x_high - f->x_low);

    return LEFT + share * (PAGE_PLOT_WIDTH - LEFT - RIGHT);
}

static double place_y(const struct frame *f, double y)
{
    double share = (y - f->y_low) / (f->y_high - f->y_low);

    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
}

static bool is_there(const struct page_lines *plot, const struct page_line *l,
                     size_t i)
{
    return isfinite(l->y[i]) && isfinite(l->x[i]) &&
           (!plot->log_x || l->x[i] > 0);
}

static void widen(double value, double *low, double *high)
{
    if (isfinite(value)) {
        *low = fmin(*low, value);
        *high = fmax(*high, value);
    }
}

/* 1, 2 or 5 times a power of ten, so that about MAX_TICKS fit. */
static double tick_step(double range)
{
    double step = pow(10, floor(log10(range / MAX_TICKS)));

    while (range / step > MAX_TICKS) {
        double ten = pow(10, floor(log10(step) + 1e-9));

        step *= step / ten > 1.5 && step / ten < 2.5 ? 2.5 : 2;
    }
    return step;
}

/* False: there is nothing to show. */
static bool make_frame(const struct page_lines *plot, struct frame *f)
{
    double step;

    *f = (struct frame){.plot = plot,
                        .x_low = (double)INFINITY,
                        .x_high = -(double)INFINITY,
                        .y_low = (double)INFINITY,
                        .y_high = -(double)INFINITY,
                        .n = plot->n < PAGE_MAX_LINES ? plot->n
                                                      : PAGE_MAX_LINES};
    for (size_t s = 0; s < f->n; s++) {
        const struct page_line *l = &plot->lines[s];

        for (size_t i = 0; i < l->n; i++) {
            if (is_there(plot, l, i)) {
                widen(on_axis(plot, l->x[i]), &f->x_low, &f->x_high);
                widen(l->y[i], &f->y_low, &f->y_high);
                widen(l->low ? l->low[i] : l->y[i], &f->y_low, &f->y_high);
                widen(l->high ? l->high[i] : l->y[i], &f->y_low, &f->y_high);
            }
        }
    }
    if (!isfinite(f->x_low) || !isfinite(f->y_low)) {
        return false;
    }
    if (f->x_high - f->x_low < 1e-9) { /* one point, in the middle */
        f->x_low -= 1;
        f->x_high += 1;
    }
    if (f->y_high - f->y_low < 1e-9) {
        f->y_low -= plot->is_share ? 0.05 : 1;
        f->y_high += plot->is_share ? 0.05 : 1;
    }
    step = tick_step(f->y_high - f->y_low);
    f->y_low = floor(f->y_low / step) * step;
    f->y_high = ceil(f->y_high / step) * step;
    return true;
}

/* ---- axes ---- */

static void add_y_axis(struct cwm_buf *out, const struct frame *f)
{
    double step = tick_step(f->y_high - f->y_low);
    int n = (int)round((f->y_high - f->y_low) / step);

    for (int i = 0; i <= n; i++) {
        double y = f->y_low + i * step;
        double at = place_y(f, y);

        cwm_buf_addf(out,
                     "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                     "<text class=\"n\" x=\"%d\" y=\"%.1f\" "
                     "text-anchor=\"end\">%.6g%s</text>",
                     LEFT, PAGE_PLOT_WIDTH - RIGHT, at, at, LEFT - 6, at + 4,
                     f->plot->is_share ? round(y * 1e4) / 100 : y,
                     f->plot->is_share ? " %" : "");
    }
}

static void add_x_tick(struct cwm_buf *out, const struct frame *f, double x)
{
    double at = place_x(f, x);

    if (at < LEFT - 1 || at > PAGE_PLOT_WIDTH - RIGHT + 1) {
        return;
    }
    cwm_buf_addf(out,
                 "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
                 "<text class=\"n\" x=\"%.1f\" y=\"%d\" "
                 "text-anchor=\"middle\">",
                 at, at, HEIGHT - BOTTOM, HEIGHT - BOTTOM + 4, at,
                 HEIGHT - BOTTOM + 17);
    if (x >= 1000) {
        page_short(out, x);
    } else {
        cwm_buf_addf(out, "%.3g", x);
    }
    cwm_buf_adds(out, "</text>");
}

/* Powers of 2, as many as there is room for. */
static void add_doublings(struct cwm_buf *out, const struct frame *f)
{
    double step = fmax(1, ceil((f->x_high - f->x_low) / MAX_TICKS));
    double first = ceil(f->x_low - 1e-9);

    for (int i = 0; first + i * step <= f->x_high + 1e-9; i++) {
        add_x_tick(out, f, exp2(first + i * step));
    }
}

/* For parts of seconds: 1, 2, 5 times powers of ten, or those alone. */
static void add_decades(struct cwm_buf *out, const struct frame *f)
{
    static const double digits[] = {1, 2, 5};
    bool is_wide = f->x_high - f->x_low > MAX_TICKS;
    int first = (int)floor(f->x_low * log10(2));
    int last = (int)ceil(f->x_high * log10(2));

    for (int ten = first; ten <= last; ten++) {
        for (int i = 0; i < (is_wide ? 1 : 3); i++) {
            add_x_tick(out, f, digits[i] * pow(10, ten));
        }
    }
}

static void add_x_axis(struct cwm_buf *out, const struct frame *f)
{
    if (f->plot->log_x && f->x_low >= 0) {
        add_doublings(out, f);
    } else if (f->plot->log_x) {
        add_decades(out, f);
    } else {
        double step = tick_step(f->x_high - f->x_low);
        double first = ceil(f->x_low / step) * step;

        for (int i = 0; first + i * step <= f->x_high; i++) {
            add_x_tick(out, f, first + i * step);
        }
    }
    cwm_buf_addf(out,
                 "<text class=\"n\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
                 (LEFT + PAGE_PLOT_WIDTH - RIGHT) / 2, HEIGHT - 4);
    page_text(out, f->plot->x_name, 80);
    cwm_buf_adds(out, "</text>");
}

/* ---- lines ---- */

static void add_band(struct cwm_buf *out, const struct frame *f, size_t s)
{
    const struct page_line *l = &f->plot->lines[s];

    if (!l->low || !l->high) {
        return;
    }
    cwm_buf_addf(out, "<polygon style=\"fill:var(--l%zu)\" points=\"", s);
    for (size_t i = 0; i < l->n; i++) {
        if (is_there(f->plot, l, i)) {
            cwm_buf_addf(out, "%.1f,%.1f ", place_x(f, l->x[i]),
                         place_y(f, l->high[i]));
        }
    }
    for (size_t i = l->n; i-- > 0;) {
        if (is_there(f->plot, l, i)) {
            cwm_buf_addf(out, "%.1f,%.1f ", place_x(f, l->x[i]),
                         place_y(f, l->low[i]));
        }
    }
    cwm_buf_adds(out, "\"/>");
}

/* The line, and its points, which say their numbers when pointed at. */
static void add_line(struct cwm_buf *out, const struct frame *f, size_t s)
{
    const struct page_line *l = &f->plot->lines[s];
    double scale = f->plot->is_share ? 100 : 1;

    cwm_buf_addf(out, "<polyline style=\"stroke:var(--l%zu)\" points=\"", s);
    for (size_t i = 0; i < l->n; i++) {
        if (is_there(f->plot, l, i)) {
            cwm_buf_addf(out, "%.1f,%.1f ", place_x(f, l->x[i]),
                         place_y(f, l->y[i]));
        }
    }
    cwm_buf_adds(out, "\"/>");
    for (size_t i = 0; i < l->n; i++) {
        if (is_there(f->plot, l, i)) {
            cwm_buf_addf(out,
                         "<circle style=\"fill:var(--l%zu)\" cx=\"%.1f\" "
                         "cy=\"%.1f\" r=\"3\"><title>",
                         s, place_x(f, l->x[i]), place_y(f, l->y[i]));
            page_text(out, l->name, NAME_LETTERS);
            cwm_buf_addf(out, ", %.6g: %.4g%s", l->x[i], l->y[i] * scale,
                         f->plot->is_share ? " %" : "");
            cwm_buf_adds(out, "</title></circle>");
        }
    }
}

void page_add_lines(struct cwm_buf *out, const struct page_lines *plot)
{
    struct frame f;

    page_open_plot(out, plot->title, plot->subtitle, false);
    if (!make_frame(plot, &f)) {
        cwm_buf_adds(out, "<p>nothing to show</p>");
        page_close_plot(out);
        return;
    }
    cwm_buf_addf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\">",
                 PAGE_PLOT_WIDTH, HEIGHT);
    add_y_axis(out, &f);
    add_x_axis(out, &f);
    for (size_t s = 0; s < f.n; s++) {
        add_band(out, &f, s);
    }
    for (size_t s = 0; s < f.n; s++) {
        add_line(out, &f, s);
    }
    cwm_buf_adds(out, "</svg><div class=\"names\">");
    for (size_t s = 0; s < f.n; s++) {
        cwm_buf_addf(out, "<span><i style=\"background:var(--l%zu)\"></i>", s);
        page_text(out, plot->lines[s].name, NAME_LETTERS);
        cwm_buf_adds(out, "</span>");
    }
    cwm_buf_adds(out, "</div>");
    if (plot->n > f.n) {
        cwm_buf_addf(out, "<p>%zu more are not shown</p>", plot->n - f.n);
    }
    page_close_plot(out);
}
