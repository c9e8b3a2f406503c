/* SPDX-License-Identifier: MIT */
/*
 * cmd_predict_show.c -- a predicted trace as it comes, and beside the true
 * one.
 *
 * The pretty form is the one of `cwm trace`: what was predicted so far becomes
 * records (eval/predicted_records.h), which the renderer shows.  While the text
 * comes, rows are written once nothing can change them any more: all but the
 * last, which waits for what its line did.
 */
#include <string.h>
#include <unistd.h>

#include "cwm/base/io.h"
#include "cwm/cli/cli.h"
#include "cwm/cli/cmd_predict.h"
#include "cwm/cli/cmd_verify.h"
#include "eval/predicted_records.h"

#define MAX_SHOWN_BYTES ((size_t)1 << 30)
#define REDRAW_SECONDS  0.1

enum { DEFAULT_COLUMNS = 120, MIN_CELL_COLUMNS = 20 };

static enum cwm_rc write_out(const char *text, size_t len, struct cwm_err *err)
{
    return len > 0 ? io_write_all(STDOUT_FILENO, "standard output", text, len,
                                  NULL, err)
                   : CWM_OK;
}

static bool is_pretty(const struct predict_fields *f)
{
    return f->trace.form == FORM_AUTO || f->trace.form == FORM_PRETTY;
}

/* ---- the text as it comes ------------------------------------------------ */

static enum cwm_rc show_text(struct predict_show *show, struct cwm_err *err)
{
    const struct cwm_buf *context = &show->program->context;
    size_t from = show->n_shown;
    enum cwm_rc rc = CWM_OK;

    if (!show->has_begun) {
        static const char head[] = "<|begin_of_text|><|trace_context_start|>";

        rc = write_out(head, strlen(head), err);
        if (rc == CWM_OK) {
            rc = write_out(context->data, context->len, err);
        }
        if (rc == CWM_OK) {
            rc = write_out("<|frame_sep|>", strlen("<|frame_sep|>"), err);
        }
    }
    show->has_begun = true;
    show->n_shown = show->text->len;
    return rc == CWM_OK
               ? write_out(show->text->data + from, show->text->len - from, err)
               : rc;
}

/* ---- pretty -------------------------------------------------------------- */

/* "CPython ?" is for what was run. */
static void say_predicted(struct cwm_buf *out)
{
    static const char python[] = ", CPython ?";
    char *at =
        out->data ? memmem(out->data, out->len, python, strlen(python)) : NULL;
    char *next;

    while (at && (next = memmem(at + 1, out->len - (size_t)(at + 1 - out->data),
                                python, strlen(python)))) {
        at = next; /* the last one: values may hold the same text */
    }
    if (at) {
        memcpy(at, ", predicted", strlen(python));
    }
}

static enum cwm_rc render(const struct predict_show *show, struct cwm_buf *out,
                          struct cwm_err *err)
{
    const struct predict_program *p = show->program;
    const struct render_options how = {
        .colour = cli_has_colour(STDOUT_FILENO),
        .columns = cli_columns(STDOUT_FILENO),
    };
    size_t n_defs;
    const struct source_def *defs = source_defs(p->source, &n_defs);
    struct trace_summary summary = {
        .entry = p->entry < 0 ? NULL : defs[p->entry].qualname,
    };
    struct predicted predicted = {0};
    struct trace_reader *reader = NULL; /* owned */
    struct cwm_buf records;
    size_t n = 0;
    enum cwm_rc rc = predicted_parse(show->text->data ? show->text->data : "",
                                     show->text->len, p->context.data,
                                     p->context.len, &predicted, err);

    cwm_buf_init(&records, MAX_SHOWN_BYTES);
    if (rc == CWM_OK) {
        rc = replay_records(&predicted, p->source, p->entry, &records, &n, err);
    }
    if (rc == CWM_OK) {
        rc = trace_reader_new((const uint8_t *)records.data, records.len,
                              source_n_lines(p->source), &reader, err);
    }
    if (rc == CWM_OK) {
        summary.verdict = trace_reader_end(reader)->reason == TRACE_END_OK
                              ? "ok"
                              : "unfinished";
        rc = render_pretty(reader, p->source, &summary, &how, out, err);
    }
    if (rc == CWM_OK && n < predicted.n_frames) {
        cwm_buf_addf(out,
                     "        frame %zu is none that this program can have\n",
                     n + 1);
    }
    say_predicted(out);
    trace_reader_free(reader);
    cwm_buf_release(&records);
    predicted_release(&predicted);
    return rc;
}

/* Where row number `row` begins. */
static size_t row_start(const char *text, size_t len, size_t row)
{
    size_t at = 0;

    while (row > 0 && at < len) {
        const char *end = memchr(text + at, '\n', len - at);

        at = end ? (size_t)(end - text) + 1 : len;
        row--;
    }
    return at;
}

/* Rows in front of the summary, which an empty row parts off. */
static size_t n_body_rows(const char *text, size_t len)
{
    size_t n = 0;
    size_t n_body = 0;
    size_t at = 0;

    while (at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t next = end ? (size_t)(end - text) + 1 : len;

        if (next == at + 1) {
            n_body = n;
        }
        n++;
        at = next;
    }
    return n_body;
}

static enum cwm_rc show_rows(struct predict_show *show, bool is_end,
                             struct cwm_err *err)
{
    struct cwm_buf out;
    size_t n_rows;
    size_t from;
    size_t to;
    enum cwm_rc rc;

    cwm_buf_init(&out, MAX_SHOWN_BYTES);
    rc = render(show, &out, err);
    if (rc == CWM_OK && out.len > 0) {
        n_rows = n_body_rows(out.data, out.len);
        from = row_start(out.data, out.len, show->n_shown);
        to = is_end ? out.len
                    : row_start(out.data, out.len, n_rows > 0 ? n_rows - 1 : 0);
        if (to > from) {
            rc = write_out(out.data + from, to - from, err);
            show->n_shown = n_rows > 0 ? n_rows - 1 : 0;
        }
    }
    cwm_buf_release(&out);
    return rc;
}

/* ---- what the command calls ---------------------------------------------- */

enum cwm_rc predict_show_more(struct predict_show *show, bool is_frame_end,
                              struct cwm_err *err)
{
    double now;

    if (show->f->compare) {
        return CWM_OK;
    }
    if (show->f->trace.form == FORM_CWM) {
        return show_text(show, err);
    }
    if (!is_pretty(show->f) || !is_frame_end) {
        return CWM_OK;
    }
    now = cli_now();
    if (now - show->shown_at < REDRAW_SECONDS) {
        return CWM_OK;
    }
    show->shown_at = now;
    return show_rows(show, false, err);
}

/* A line for `cwm verify --predicted`. */
static enum cwm_rc show_line(const struct predict_show *show, bool is_whole,
                             struct cwm_err *err)
{
    const struct trace_fields *f = &show->f->trace;
    const struct predict_program *p = show->program;
    const char *slash = strrchr(p->name, '/');
    const char *id = slash ? slash + 1 : p->name;
    struct cwm_buf out;
    enum cwm_rc rc;

    cwm_buf_init(&out, MAX_SHOWN_BYTES);
    cwm_buf_adds(&out, "{\"id\": ");
    cwm_buf_add_json(&out, id, strlen(id));
    cwm_buf_adds(&out, ", \"source\": ");
    cwm_buf_add_json(&out, p->file.data ? p->file.data : "", p->file.len);
    if (f->entry) {
        cwm_buf_adds(&out, ", \"entry\": ");
        cwm_buf_add_json(&out, f->entry, strlen(f->entry));
    }
    if (f->args) {
        cwm_buf_adds(&out, ", \"args\": ");
        cwm_buf_add_json(&out, f->args, strlen(f->args));
    }
    cwm_buf_addf(&out, ", \"wrap_main\": %s, \"prediction\": ",
                 f->wrap_main ? "true" : "false");
    cwm_buf_add_json(&out, show->text->data ? show->text->data : "",
                     show->text->len);
    cwm_buf_addf(&out, ", \"finish_reason\": \"%s\"}\n",
                 is_whole ? "stop" : "length");
    rc = cwm_buf_check(&out, "the line", err);
    if (rc == CWM_OK) {
        rc = write_out(out.data, out.len, err);
    }
    cwm_buf_release(&out);
    return rc;
}

enum cwm_rc predict_show_end(struct predict_show *show, bool is_whole,
                             struct cwm_err *err)
{
    enum cwm_rc rc;

    if (show->f->trace.form == FORM_JSONL) {
        return show_line(show, is_whole, err);
    }
    if (is_pretty(show->f)) {
        return show_rows(show, true, err);
    }
    rc = show_text(show, err);
    return rc == CWM_OK && is_whole
               ? write_out("<|end_of_text|>", strlen("<|end_of_text|>"), err)
               : rc;
}

/* ---- side by side -------------------------------------------------------- */

static const char *const event_names[] = {
    [TRACE_CALL] = "call",
    [TRACE_LINE] = "line",
    [TRACE_RETURN] = "return",
    [TRACE_EXCEPTION] = "raise",
};

static void put_part(struct cwm_buf *out, const struct predicted_text *text)
{
    for (size_t i = 0; text->text && i < text->len; i++) {
        unsigned char c = (unsigned char)text->text[i];

        cwm_buf_addc(out, c < 0x20 || c == 0x7F ? ' ' : (char)c);
    }
}

/* A frame in one row: its event, its line, what it says of values. */
static void put_frame(struct cwm_buf *out, const struct predicted *p, size_t i)
{
    const struct predicted_frame *f = &p->frames[i];
    const struct predicted_local *locals = predicted_locals(p, f);

    cwm_buf_addf(out, "%-7s", f->event >= 0 ? event_names[f->event] : "?");
    put_part(out, &f->source);
    for (size_t k = 0; k < f->n_locals; k++) {
        if (locals[k].value.len == 2 &&
            memcmp(locals[k].value.text, "..", 2) == 0) {
            continue;
        }
        cwm_buf_adds(out, "  ");
        put_part(out, &locals[k].name);
        cwm_buf_adds(out, "=");
        put_part(out, &locals[k].value);
    }
    if (f->arg.text) {
        cwm_buf_adds(out, "  -> ");
        put_part(out, &f->arg);
    }
}

/* The row's first `columns` characters, and blanks up to there. */
static void put_cell(struct cwm_buf *out, const struct cwm_buf *row,
                     size_t columns)
{
    size_t n = 0;
    size_t i = 0;

    while (i < row->len && n < columns) {
        size_t from = i++;

        while (i < row->len && ((unsigned char)row->data[i] & 0xC0) == 0x80) {
            i++;
        }
        if (++n == columns && i < row->len) {
            cwm_buf_adds(out, "…");
        } else {
            cwm_buf_add(out, row->data + from, i - from);
        }
    }
    for (; n < columns; n++) {
        cwm_buf_addc(out, ' ');
    }
}

static void put_side_by_side(const struct predicted *truth,
                             const struct predicted *got, size_t first,
                             struct cwm_buf *out)
{
    const struct predicted *const sides[] = {truth, got};
    unsigned width = cli_columns(STDOUT_FILENO);
    size_t columns = ((width ? width : DEFAULT_COLUMNS) - 7) / 2;
    size_t n =
        truth->n_frames > got->n_frames ? truth->n_frames : got->n_frames;
    struct cwm_buf row;

    columns = columns < MIN_CELL_COLUMNS ? MIN_CELL_COLUMNS : columns;
    cwm_buf_init(&row, MAX_SHOWN_BYTES);
    cwm_buf_adds(&row, "true");
    cwm_buf_adds(out, "  ");
    put_cell(out, &row, columns);
    cwm_buf_adds(out, " | predicted\n");
    for (size_t i = 0; i < n; i++) {
        cwm_buf_adds(out, i == first ? "≠ " : i > first ? ". " : "  ");
        for (size_t k = 0; k < 2; k++) {
            cwm_buf_clear(&row);
            if (i < sides[k]->n_frames) {
                put_frame(&row, sides[k], i);
            }
            put_cell(out, &row, columns);
            cwm_buf_adds(out, k == 0 ? " | " : "");
        }
        while (out->len > 0 && out->data[out->len - 1] == ' ') {
            out->len--;
        }
        cwm_buf_addc(out, '\n');
    }
    cwm_buf_addc(out, '\n');
    cwm_buf_release(&row);
}

int predict_compare(const struct predict_fields *f,
                    const struct trace_result *truth,
                    const struct cwm_buf *text, bool was_cut)
{
    struct predicted got = {0};
    struct predicted want = {0};
    struct trace_score score;
    struct verify_record record = {
        .id = truth->summary.id,
        .verdict = truth->summary.verdict,
        .detail = truth->summary.detail,
        .predicted = &got,
    };
    struct cwm_buf out;
    struct cwm_err err;
    bool scored = false;
    bool is_same = false;
    int code;

    cwm_buf_init(&out, MAX_SHOWN_BYTES);
    if (verify_result(truth, f->trace.run.limits.max_frames,
                      text->data ? text->data : "", text->len, was_cut, NULL,
                      &got, &want, &score, &scored, &err) != CWM_OK) {
        code = cli_fail("predict", &err);
        goto out;
    }
    if (!scored) {
        code = cli_usage("predict", "the program gives no frame: %s",
                         truth->summary.detail ? truth->summary.detail
                                               : truth->summary.verdict);
        goto out;
    }
    is_same = score.first.what == SCORE_SAME;
    record.score = &score;
    put_side_by_side(&want, &got, is_same ? SIZE_MAX : score.first.frame, &out);
    verify_put_one(&record, &out);
    code = cli_print("predict", &out);
    if (code == CLI_YES && !is_same) {
        code = CLI_NO;
    }
out:
    cwm_buf_release(&out);
    predicted_release(&got);
    predicted_release(&want);
    return code;
}
