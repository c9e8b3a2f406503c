/* SPDX-License-Identifier: MIT */
/* suite_context.c -- the text of the lines that suite_lines.h takes. */
#include "datasets/suite_context.h"

#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "datasets/suite_lines.h"

enum { MAX_CONTEXT_BYTES = 8 << 20 };

/* ---- the text ---- */

/* Files with frames behind the others, the entry's last. */
static int compare_parts(const void *a, const void *b)
{
    const struct suite_part *p = a;
    const struct suite_part *q = b;

    if (p->has_frames != q->has_frames) {
        return p->has_frames ? 1 : -1;
    }
    return p->file < q->file ? -1 : p->file > q->file;
}

static void put_line(struct cwm_buf *out, const char *text, size_t len,
                     uint32_t *n_lines)
{
    cwm_buf_add(out, text, len);
    cwm_buf_addc(out, '\n');
    ++*n_lines;
}

/* "..." for what is left out behind the head that ends on `line`. */
static void put_dots(struct cwm_buf *out, const struct suite_part *p,
                     uint32_t line, uint32_t *n_lines)
{
    size_t len = 0;
    size_t indent = 0;
    const char *text = "";

    for (line++; line <= source_n_lines(p->source) && indent == len; line++) {
        text = source_line(p->source, line, &len);
        indent = 0;
        while (indent < len && (text[indent] == ' ' || text[indent] == '\t')) {
            indent++;
        }
    }
    cwm_buf_add(out, text, indent);
    put_line(out, "...", 3, n_lines);
}

static void put_part(struct suite_lines *m, struct suite_part *p,
                     struct cwm_buf *out, uint32_t *n_lines)
{
    bool is_first = true;
    bool was_left_out = false;

    for (uint32_t line = 1; line <= source_n_lines(p->source); line++) {
        size_t len;
        const char *text = source_line(p->source, line, &len);

        if (p->use[line] == SUITE_LINE_OUT) {
            was_left_out = true;
            continue;
        }
        if (is_first) {
            const char *name = repository_file(m->repo, p->file);

            if (*n_lines > 0) {
                put_line(out, "", 0, n_lines);
            }
            cwm_buf_adds(out, "# ");
            put_line(out, name, strlen(name), n_lines);
        } else if (was_left_out) {
            put_line(out, "", 0, n_lines);
        }
        is_first = false;
        was_left_out = false;
        put_line(out, text, len, n_lines);
        p->place[line] = *n_lines;
        if (p->use[line] == SUITE_LINE_HEAD_END) {
            put_dots(out, p, line, n_lines);
        }
    }
}

/* Where the stream's lines stand now. */
static enum cwm_rc place_lines(const struct suite_lines *m,
                               struct suite_context *c, struct cwm_err *err)
{
    const struct suite_stream *s = m->stream;
    int *parts = cwm_malloc((s->n_paths + 1) * sizeof *parts); /* owned */

    c->lines = cwm_calloc(s->n_lines + 1, sizeof *c->lines);
    if (!parts || !c->lines) {
        cwm_free(parts);
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a context");
    }
    for (size_t i = 0; i < s->n_paths; i++) {
        int file = repository_find(m->repo, s->paths[i].text, s->paths[i].len);

        parts[i] = -1;
        for (size_t k = 0; k < m->n_parts; k++) {
            if (file >= 0 && m->parts[k].file == (size_t)file) {
                parts[i] = (int)k;
            }
        }
    }
    for (size_t i = 0; i < s->n_lines; i++) {
        int k = parts[s->lines[i].file];

        if (k >= 0 && s->lines[i].line <= source_n_lines(m->parts[k].source)) {
            c->lines[i] = m->parts[k].place[s->lines[i].line];
        }
    }
    cwm_free(parts);
    return CWM_OK;
}

/* ---- all of it ---- */

static enum cwm_rc make(struct suite_lines *m, const struct suite_episode *e,
                        struct suite_context *c, bool *ret_found,
                        struct cwm_err *err)
{
    const struct source_def *entry = NULL;
    struct suite_part *part = NULL;
    uint32_t n_lines = 0;
    size_t entry_file;
    enum cwm_rc rc = suite_lines_take(m, e, &part, &entry, ret_found, err);

    if (rc != CWM_OK || !*ret_found) {
        return rc;
    }
    entry_file = part->file;
    qsort(m->parts, m->n_parts, sizeof m->parts[0], compare_parts);
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].file != entry_file) {
            put_part(m, &m->parts[i], &c->text, &n_lines);
        }
    }
    for (size_t i = 0; i < m->n_parts; i++) {
        if (m->parts[i].file == entry_file) {
            put_part(m, &m->parts[i], &c->text, &n_lines);
            c->entry_line = m->parts[i].place[entry->def_line];
        }
    }
    c->entry = entry->qualname;
    rc = cwm_buf_check(&c->text, "a context", err);
    if (rc == CWM_LIMIT) {
        *ret_found = false;
        return CWM_OK;
    }
    return rc == CWM_OK ? place_lines(m, c, err) : rc;
}

enum cwm_rc suite_context_make(struct repository *repo,
                               const struct suite_stream *s,
                               const struct suite_episode *e,
                               struct suite_context *ret_context,
                               bool *ret_found, struct cwm_err *err)
{
    struct suite_lines *m = cwm_calloc(1, sizeof *m); /* owned: large */
    enum cwm_rc rc;

    memset(ret_context, 0, sizeof *ret_context);
    cwm_buf_init(&ret_context->text, MAX_CONTEXT_BYTES);
    *ret_found = false;
    if (!m) {
        return CWM_FAIL(err, CWM_NOMEM, "could not make a context");
    }
    m->repo = repo;
    m->stream = s;
    rc = make(m, e, ret_context, ret_found, err);
    suite_lines_release(m);
    cwm_free(m);
    return rc;
}

void suite_context_release(struct suite_context *c)
{
    cwm_buf_release(&c->text);
    cwm_free(c->lines);
    memset(c, 0, sizeof *c);
}
