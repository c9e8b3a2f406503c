/* SPDX-License-Identifier: MIT */
/*
 * fuzz_source.c -- any bytes as a program: what source.h promises must hold.
 *
 * Spans are ordered and nested, every reachable function is found by its name,
 * a marked text reads as before, what is compiled has as many lines.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tracer/source_flow.h"

/* An input beyond this finds nothing new, only slowly. */
#define MAX_INPUT_BYTES 4096

static void check_defs(const struct source *s)
{
    size_t n;
    size_t text_len;
    const struct source_def *defs = source_defs(s, &n);

    (void)source_text(s, &text_len);
    for (size_t i = 0; i < n; i++) {
        const struct source_def *d = &defs[i];
        int at = -1;

        must(1 <= d->first_line && d->first_line <= d->def_line);
        must(d->def_line <= d->header_end_line);
        must(d->last_line <= source_n_lines(s));
        must(d->start_byte < d->end_byte && d->end_byte <= text_len);
        must(d->parent < (int32_t)i);
        if (d->parent >= 0) {
            const struct source_def *p = &defs[d->parent];

            must(p->start_byte <= d->start_byte);
            must(p->end_byte >= d->end_byte && p->last_line >= d->last_line);
        }
        if (d->is_reachable && d->kind != SOURCE_CLASS &&
            source_entry(s, d->qualname, &at, NULL) == CWM_OK) {
            must(strcmp(defs[at].qualname, d->qualname) == 0);
        }
    }
    for (uint32_t line = 0; line <= source_n_lines(s) + 1; line++) {
        int at = source_def_at(s, line);

        must(at < (int)n);
        must(at < 0 ||
             (defs[at].first_line <= line && line <= defs[at].last_line));
    }
}

/* The marked text is a program again, with the same lines to be shown. */
static void check_context(const struct source *s, uint32_t line)
{
    struct source *again = NULL;
    struct cwm_buf out;
    size_t len;
    size_t len_again;

    cwm_buf_init(&out, (size_t)1 << 20);
    must(source_context(s, line, &out, NULL) == CWM_OK);
    if (source_new_text(out.data, out.len, "context.py", &again, NULL) ==
        CWM_OK) {
        /* A last line that was nothing but a marker is gone. */
        must(source_n_lines(again) + 1 >= source_n_lines(s));
        must(source_n_lines(again) <= source_n_lines(s));
        for (uint32_t i = 1; i < line; i++) {
            const char *a = source_line(s, i, &len);
            const char *b = source_line(again, i, &len_again);

            must(len == len_again && memcmp(a, b, len) == 0);
        }
    }
    source_free(again);
    cwm_buf_release(&out);
}

static void check_compiled(const struct source *s)
{
    struct cwm_buf out;
    bool differs = false;
    size_t len;
    const char *text = source_text(s, &len);

    cwm_buf_init(&out, (size_t)1 << 20);
    must(source_without_main_guard(s, &out, &differs, NULL) == CWM_OK);
    if (differs) {
        must(out.len == len);
        for (size_t i = 0; i < len; i++) {
            must((text[i] == '\n') == (out.data[i] == '\n'));
        }
    }
    cwm_buf_release(&out);
}

/* Some way through the program, always on: every line is one of its own. */
static void check_flow(const struct source *s)
{
    enum { N_STEPS = 12 };
    struct flow_places at = {.n = 0};
    struct flow_places next = {.n = 0};
    struct source_flow *f = NULL;
    uint32_t n_lines = source_n_lines(s);
    struct cwm_err err;

    if (source_flow_new(s, &f, &err) != CWM_OK) {
        must(err.code == CWM_LIMIT && err.message[0] != '\0');
        return;
    }
    must(source_flow_calls(f, &at, NULL) == CWM_OK);
    for (int i = 0; i < N_STEPS && at.n > 0; i++) {
        for (size_t k = 0; k < at.n; k++) {
            must(at.at[k].first >= 1 && at.at[k].first <= at.at[k].last);
            must(at.at[k].last <= n_lines + 1);
        }
        must(source_flow_next(f, &at, (enum flow_event)(i % 5 % 3), &next,
                              NULL) == CWM_OK);
        must(i > 0 || next.n > 0); /* a line can follow a call */
        must(flow_places_copy(&next, &at, NULL) == CWM_OK);
    }
    must(source_flow_script(f, &at, NULL) == CWM_OK);
    flow_places_release(&at);
    flow_places_release(&next);
    source_flow_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct source *s = NULL;
    struct cwm_err err = {0};
    int at = -1;

    if (len > MAX_INPUT_BYTES) {
        return 0;
    }
    (void)source_check_args((const char *)data, len, NULL);
    if (source_new(data, len, "fuzz.py", &s, &err) != CWM_OK) {
        must(err.message[0] != '\0');
        return 0;
    }
    check_defs(s);
    check_compiled(s);
    check_flow(s);
    (void)source_entry(s, "f", &at, &err);
    (void)source_entry(s, NULL, &at, &err);
    for (uint32_t line = 1; line <= source_n_lines(s) && line < 4; line++) {
        check_context(s, line);
    }
    source_free(s);
    return 0;
}
