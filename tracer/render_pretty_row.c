/* SPDX-License-Identifier: MIT */
/* render_pretty_row.c -- see render_pretty.h. */
#include "tracer/render_pretty.h"

#include <stdio.h>
#include <string.h>

#include "cwm/base/utf8.h"
#include "tracer/render_width.h"

#define MIN_COLUMNS          40
#define GUIDE_COLUMNS        3  /* "│  " */
#define ARROW_MAX_COLUMNS    32 /* old and new value, to be shown side by side */
#define MIN_VALUE_COLUMNS    8
#define MIN_ARGUMENT_COLUMNS 16 /* with its name */
#define TITLE_COLUMNS        8  /* of the summary */
#define MAX_OUTPUT_ROWS      20 /* of captured output, at a terminal */

static const char *const colour_codes[] = {
    [PRETTY_PLAIN] = "",         [PRETTY_BOLD] = "\x1b[1m",
    [PRETTY_DIM] = "\x1b[2m",    [PRETTY_RED] = "\x1b[31m",
    [PRETTY_GREEN] = "\x1b[32m", [PRETTY_YELLOW] = "\x1b[33m",
    [PRETTY_CYAN] = "\x1b[36m",
};

/* ---- a row ---- */

void pretty__init(struct pretty_row *row, struct cwm_buf *out,
                  const struct render_options *options, uint32_t n_lines)
{
    memset(row, 0, sizeof *row);
    row->out = out;
    row->colour = options->colour;
    row->cuts = options->columns > 0;
    row->columns =
        options->columns < MIN_COLUMNS ? MIN_COLUMNS : options->columns;
    row->max_depth =
        row->cuts ? (uint32_t)row->columns / 3 / GUIDE_COLUMNS : 12;
    if (!row->cuts) {
        row->columns = SIZE_MAX;
    }
    for (row->gutter = 1; n_lines >= 10; n_lines /= 10) {
        row->gutter++;
    }
    row->gutter = row->gutter < 3 ? 3 : row->gutter;
}

size_t pretty__indent(const struct pretty_row *row, uint32_t depth)
{
    uint32_t guides = depth < row->max_depth ? depth : row->max_depth;

    return row->gutter + 1 + GUIDE_COLUMNS * ((size_t)guides + 1);
}

static size_t room_left(const struct pretty_row *row)
{
    return row->columns > row->at ? row->columns - row->at : 0;
}

void pretty__put_text(struct pretty_row *row, enum pretty_colour colour,
                      const void *text, size_t len, size_t max_columns)
{
    size_t room = room_left(row);

    if (room < max_columns) {
        max_columns = room;
    }
    if (row->colour && colour != PRETTY_PLAIN) {
        cwm_buf_adds(row->out, colour_codes[colour]);
    }
    row->at += render__add_shown(row->out, text, len, max_columns);
    if (row->colour && colour != PRETTY_PLAIN) {
        cwm_buf_adds(row->out, "\x1b[0m");
    }
}

void pretty__put(struct pretty_row *row, enum pretty_colour colour,
                 const char *text)
{
    pretty__put_text(row, colour, text, strlen(text), SIZE_MAX);
}

void pretty__pad(struct pretty_row *row, size_t column)
{
    while (row->at < column && row->out->failed == CWM_OK) {
        cwm_buf_addc(row->out, ' ');
        row->at++;
    }
}

void pretty__begin_row(struct pretty_row *row, uint32_t line, uint32_t depth)
{
    char text[32] = "";
    uint32_t i;

    row->at = 0;
    if (line > 0) {
        snprintf(text, sizeof text, "%*u", (int)row->gutter, line);
        pretty__put(row, PRETTY_DIM, text);
    }
    pretty__pad(row, row->gutter + 1);
    if (depth > row->max_depth) {
        snprintf(text, sizeof text, "│ ┄ depth %u", depth);
        pretty__put(row, PRETTY_DIM, text);
        pretty__pad(row, pretty__indent(row, depth) - GUIDE_COLUMNS);
        return;
    }
    for (i = 0; i < depth; i++) {
        pretty__put(row, PRETTY_DIM, "│  ");
    }
}

/* Blanks at the end of a row are noise in what people paste and compare. */
void pretty__end_row(struct pretty_row *row)
{
    struct cwm_buf *out = row->out;

    while (out->failed == CWM_OK && out->len > 0 &&
           out->data[out->len - 1] == ' ') {
        out->len--;
    }
    cwm_buf_addc(out, '\n');
    row->at = 0;
}

/* ---- values ---- */

/* Columns that the arguments take when each value has `max_columns`. */
static size_t argument_columns(const struct trace_local *locals, size_t n,
                               size_t max_columns)
{
    size_t columns = strlen("()");
    size_t i;

    for (i = 0; i < n; i++) {
        size_t value =
            render__columns(locals[i].value, locals[i].value_len, max_columns);

        columns += strlen("=, ") + (value < max_columns ? value : max_columns);
        columns +=
            render__columns(locals[i].name, locals[i].name_len, max_columns);
    }
    return columns;
}

void pretty__put_arguments(struct pretty_row *row,
                           const struct trace_local *locals, size_t n)
{
    size_t room = room_left(row);
    size_t max_columns = room;
    size_t i;

    /* The widest share that lets all of them in. */
    while (max_columns > MIN_VALUE_COLUMNS &&
           argument_columns(locals, n, max_columns) > room) {
        max_columns -= 1 + max_columns / 16;
    }
    pretty__put(row, PRETTY_PLAIN, "(");
    for (i = 0; i < n; i++) {
        if (i > 0) {
            pretty__put(row, PRETTY_PLAIN, ", ");
        }
        if (room_left(row) < MIN_ARGUMENT_COLUMNS && i + 1 < n) {
            pretty__put(row, PRETTY_PLAIN, "…");
            break;
        }
        pretty__put_text(row, PRETTY_PLAIN, locals[i].name, locals[i].name_len,
                         max_columns);
        pretty__put(row, PRETTY_PLAIN, "=");
        pretty__put_text(row, PRETTY_GREEN, locals[i].value,
                         locals[i].value_len, max_columns);
    }
    pretty__put(row, PRETTY_PLAIN, ")");
}

/* Old and new side by side: where both are short. */
static bool shows_old(const struct trace_local *local)
{
    return local->value && local->old &&
           render__columns(local->old, local->old_len, ARROW_MAX_COLUMNS) +
                   render__columns(local->value, local->value_len,
                                   ARROW_MAX_COLUMNS) <=
               ARROW_MAX_COLUMNS;
}

size_t pretty__change_columns(const struct trace_local *local, size_t room)
{
    size_t columns = render__columns(local->name, local->name_len, room);

    if (!local->value) {
        return columns + strlen(" deleted");
    }
    columns += render__columns(local->value, local->value_len, room);
    if (shows_old(local)) {
        return columns + 5 + render__columns(local->old, local->old_len, room);
    }
    return columns + 3;
}

/* The character in front of text[at], at > 0. */
static size_t character_before(const uint8_t *text, size_t at)
{
    do {
        at--;
    } while (at > 0 && (text[at] & 0xC0) == 0x80);
    return at;
}

/*
 * Where to start a value that is too wide for `room`: a little in front of
 * what differs from the old one, but not so late that room is left over.
 */
static size_t start_of_difference(const struct trace_local *local, size_t room)
{
    size_t at = 0;

    if (!local->old) {
        return 0;
    }
    while (at < local->value_len && at < local->old_len &&
           local->value[at] == local->old[at]) {
        at++;
    }
    at = at > MIN_VALUE_COLUMNS ? at - MIN_VALUE_COLUMNS : 0;
    if (at > 0) {
        at = character_before(local->value, at + 1);
    }
    while (at > 0) {
        size_t before = character_before(local->value, at);

        if (render__columns(local->value + before, local->value_len - before,
                            room) >= room) {
            break;
        }
        at = before;
    }
    return at;
}

static void put_new_value(struct pretty_row *row,
                          const struct trace_local *local)
{
    enum pretty_colour colour = local->old ? PRETTY_YELLOW : PRETTY_GREEN;
    size_t room = room_left(row);
    size_t at = 0;

    if (render__columns(local->value, local->value_len, room) > room) {
        at = start_of_difference(local, room);
    }
    if (at > 0 && room > 1) {
        pretty__put(row, colour, "…");
        room--;
    }
    pretty__put_text(row, colour, local->value + at, local->value_len - at,
                     room);
}

void pretty__put_change(struct pretty_row *row, const struct trace_local *local)
{
    size_t half = room_left(row) / 2;

    pretty__put_text(row, PRETTY_PLAIN, local->name, local->name_len, half);
    if (!local->value) {
        pretty__put(row, PRETTY_DIM, " deleted");
        return;
    }
    if (!shows_old(local)) {
        pretty__put(row, PRETTY_PLAIN, " = ");
        put_new_value(row, local);
        return;
    }
    pretty__put(row, PRETTY_PLAIN, ": ");
    pretty__put_text(row, PRETTY_DIM, local->old, local->old_len, half);
    pretty__put(row, PRETTY_DIM, " → ");
    put_new_value(row, local);
}

const uint8_t *pretty__exception(const uint8_t *arg, size_t *len)
{
    static const char head[] = "(<class '";
    static const char tail[] = ", <traceback object>)";
    const size_t n_tail = sizeof tail - 1;
    const uint8_t *end = arg + *len;
    const uint8_t *p;

    if (*len < sizeof head - 1 + n_tail ||
        memcmp(arg, head, sizeof head - 1) != 0 ||
        memcmp(end - n_tail, tail, n_tail) != 0) {
        return arg;
    }
    end -= n_tail;
    p = memmem(arg, (size_t)(end - arg), "'>, ", 4);
    if (!p) {
        return arg;
    }
    *len = (size_t)(end - (p + 4));
    return p + 4;
}

/* ---- the summary ---- */

/* One line of output: people print tables with tabs. */
static void put_tabbed(struct pretty_row *row, const uint8_t *text, size_t len)
{
    while (len > 0) {
        const uint8_t *tab = memchr(text, '\t', len);
        size_t n = tab ? (size_t)(tab - text) : len;

        pretty__put_text(row, PRETTY_PLAIN, text, n, SIZE_MAX);
        if (tab && room_left(row) > 8) {
            pretty__pad(row, (row->at / 8 + 1) * 8);
        }
        n += tab ? 1 : 0;
        text += n;
        len -= n;
    }
}

/* What the program wrote, line by line behind its title. */
static void put_output(struct pretty_row *row, const char *title,
                       const uint8_t *text, size_t len)
{
    size_t n_rows;

    for (n_rows = 0; len > 0 && row->out->failed == CWM_OK; n_rows++) {
        const uint8_t *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;
        char more[64];

        pretty__put(row, PRETTY_DIM, n_rows == 0 ? title : "");
        pretty__pad(row, TITLE_COLUMNS);
        if (row->cuts && n_rows == MAX_OUTPUT_ROWS) {
            snprintf(more, sizeof more, "… and %zu bytes more", len);
            pretty__put(row, PRETTY_DIM, more);
            pretty__end_row(row);
            return;
        }
        put_tabbed(row, text, n);
        pretty__end_row(row);
        n += end ? 1 : 0;
        text += n;
        len -= n;
    }
}

static void put_verdict(struct pretty_row *row,
                        const struct trace_summary *summary,
                        const struct trace_end *end)
{
    const char *verdict = summary->verdict ? summary->verdict : "";
    bool is_ok = strcmp(verdict, "ok") == 0;

    pretty__put(row, is_ok ? PRETTY_GREEN : PRETTY_RED, verdict);
    pretty__pad(row, row->at + 2 > TITLE_COLUMNS ? row->at + 2 : TITLE_COLUMNS);
    if (end->exception_type) {
        pretty__put_text(row, PRETTY_RED, end->exception_type,
                         end->exception_type_len, SIZE_MAX);
        pretty__put(row, PRETTY_RED, ": ");
        pretty__put_text(row, PRETTY_RED, end->exception_message,
                         end->exception_message_len, SIZE_MAX);
    } else if (end->result) {
        pretty__put(row, PRETTY_PLAIN, summary->entry ? summary->entry : "");
        pretty__put(row, PRETTY_PLAIN,
                    summary->entry ? " returned " : "returned ");
        pretty__put_text(row, PRETTY_CYAN, end->result, end->result_len,
                         SIZE_MAX);
    }
    if (summary->detail) {
        bool is_alone = !end->exception_type && !end->result;

        pretty__put(row, PRETTY_PLAIN, is_alone ? "" : " (");
        pretty__put(row, PRETTY_PLAIN, summary->detail);
        pretty__put(row, PRETTY_PLAIN, is_alone ? "" : ")");
    }
    pretty__end_row(row);
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

void pretty__put_summary(struct pretty_row *row,
                         const struct trace_summary *summary,
                         const struct trace_end *end)
{
    char counts[160];

    if (row->out->len > 0) {
        pretty__end_row(row);
    }
    put_verdict(row, summary, end);
    snprintf(counts, sizeof counts,
             "%llu frame%s, %llu call%s, %llu line%s, CPython %s",
             (unsigned long long)end->n_frames, plural(end->n_frames),
             (unsigned long long)end->n_calls, plural(end->n_calls),
             (unsigned long long)end->n_lines, plural(end->n_lines),
             summary->python ? summary->python : "?");
    pretty__pad(row, TITLE_COLUMNS);
    pretty__put(row, PRETTY_DIM, counts);
    pretty__end_row(row);
    if (end->n_cut > 0) {
        snprintf(counts, sizeof counts, "values cut at the limit: %llu",
                 (unsigned long long)end->n_cut);
        pretty__pad(row, TITLE_COLUMNS);
        pretty__put(row, PRETTY_YELLOW, counts);
        pretty__end_row(row);
    }
    if (end->damaged) {
        pretty__pad(row, TITLE_COLUMNS);
        pretty__put(row, PRETTY_RED, "the records are damaged: ");
        pretty__put(row, PRETTY_RED, end->damage);
        pretty__end_row(row);
    }
    put_output(row, "stdout", summary->stdout_data, summary->stdout_len);
    put_output(row, "stderr", summary->stderr_data, summary->stderr_len);
}
