/* SPDX-License-Identifier: MIT */
/*
 * render_stream.c -- a record stream as text, for looking at and for tests:
 *
 *     render_stream SOURCE STREAM cwm|json|pretty|colour [COLUMNS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "tracer/render.h"

/* Read all of `path` into `b`; 0, or -1 with a message printed. */
static int read_all(const char *path, struct cwm_buf *b)
{
    char piece[4096];
    size_t n;
    FILE *f = fopen(path, "rb");

    if (!f) {
        perror(path);
        return -1;
    }
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) {
        cwm_buf_add(b, piece, n);
    }
    fclose(f);
    return b->failed == CWM_OK ? 0 : -1;
}

static enum cwm_rc render(const char *form, const char *columns,
                          struct trace_reader *r, const struct source *s,
                          struct cwm_buf *out, struct cwm_err *err)
{
    static const char hello[] = "hello\n";
    struct render_options options = {0};
    struct trace_summary summary = {.id = "a",
                                    .verdict = "ok",
                                    .python = "3.11.2",
                                    .entry = "main",
                                    .stdout_data = (const uint8_t *)hello,
                                    .stdout_len = sizeof hello - 1};

    summary.context = source_text(s, &summary.context_len);
    options.columns = columns ? (uint32_t)strtoul(columns, NULL, 10) : 0;
    options.colour = strcmp(form, "colour") == 0;
    if (strcmp(form, "cwm") == 0) {
        return render_cwm_frames(r, s, out, err);
    }
    if (strcmp(form, "json") == 0) {
        return render_json(r, s, &summary, &options, out, err);
    }
    return render_pretty(r, s, &summary, &options, out, err);
}

int main(int argc, char **argv)
{
    struct cwm_buf text, stream, out;
    struct source *s = NULL;
    struct trace_reader *r = NULL;
    struct cwm_err err = {0};
    enum cwm_rc rc = CWM_IO;

    if (argc < 4) {
        fprintf(stderr, "render_stream SOURCE STREAM FORM [COLUMNS]\n");
        return 2;
    }
    cwm_buf_init(&text, 1u << 26);
    cwm_buf_init(&stream, 1u << 30);
    cwm_buf_init(&out, 1u << 30);
    if (read_all(argv[1], &text) == 0 && read_all(argv[2], &stream) == 0) {
        rc = source_new(text.data, text.len, argv[1], &s, &err);
    }
    if (rc == CWM_OK) {
        rc = trace_reader_new((const uint8_t *)stream.data, stream.len,
                              source_n_lines(s), &r, &err);
    }
    if (rc == CWM_OK) {
        rc = render(argv[3], argc > 4 ? argv[4] : NULL, r, s, &out, &err);
    }
    if (rc == CWM_OK) {
        fwrite(out.data, 1, out.len, stdout);
    } else {
        fprintf(stderr, "render_stream: %s\n", err.message);
    }
    if (r && trace_reader_end(r)->damaged) {
        fprintf(stderr, "damaged: %s\n", trace_reader_end(r)->damage);
    }
    trace_reader_free(r);
    source_free(s);
    cwm_buf_release(&text);
    cwm_buf_release(&stream);
    cwm_buf_release(&out);
    return rc == CWM_OK ? 0 : 3;
}
