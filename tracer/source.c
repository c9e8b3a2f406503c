/* SPDX-License-Identifier: MIT */
/* source.c -- a program's text held: lines, definitions, what stands where. */
#include "tracer/source_internal.h"

#include <string.h>

#include "cwm/base/alloc.h"

bool source__grow(void **items, size_t *capacity, size_t n, size_t size)
{
    size_t wanted;
    void *grown;

    if (n < *capacity) {
        return true;
    }
    wanted = *capacity ? *capacity * 2 : 8;
    grown = cwm_realloc(*items, wanted, size);
    if (!grown) {
        return false;
    }
    *items = grown;
    *capacity = wanted;
    return true;
}

/* A text that does not end in a line end has one line more than line ends. */
static enum cwm_rc find_lines(struct source *s, struct cwm_err *err)
{
    const char *end = s->text + s->len;
    const char *p = s->text;
    size_t n = 0;

    while (p < end) {
        p = memchr(p, '\n', (size_t)(end - p));
        n++;
        p = p ? p + 1 : end;
    }
    s->line_starts = cwm_calloc(n, sizeof *s->line_starts);
    if (!s->line_starts) {
        return CWM_FAIL(err, CWM_NOMEM, "could not allocate %zu lines", n);
    }
    p = s->text;
    for (size_t i = 0; i < n; i++) {
        s->line_starts[i] = (uint32_t)(p - s->text);
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : end;
    }
    s->n_lines = (uint32_t)n;
    return CWM_OK;
}

static enum cwm_rc new_source(const char *data, size_t len, bool is_text,
                              bool for_lines, const char *name,
                              struct source **ret_source, struct cwm_err *err)
{
    struct source *s = NULL; /* owned */
    enum cwm_rc rc = CWM_OK;

    s = cwm_calloc(1, sizeof *s);
    if (s) {
        s->name = cwm_strdup(name ? name : "program");
    }
    if (!s || !s->name) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not allocate a program");
        goto out;
    }
    rc = source__decode(len ? data : "", len, is_text, s->name, &s->text,
                        &s->len, err);
    if (rc != CWM_OK) {
        goto out;
    }
    rc = find_lines(s, err);
    if (rc != CWM_OK) {
        goto out;
    }
    /* What ends a line like a marker may stand in a string. */
    if (!for_lines || strstr(s->text, SOURCE_MARKER)) {
        rc = source__parse(s, err);
    }
    if (rc != CWM_OK) {
        goto out;
    }
    *ret_source = s;
    s = NULL; /* now the caller's */
out:
    source_free(s);
    return rc;
}

enum cwm_rc source_new(const void *data, size_t len, const char *name,
                       struct source **ret_source, struct cwm_err *err)
{
    return new_source(data, len, false, false, name, ret_source, err);
}

enum cwm_rc source_new_text(const char *text, size_t len, const char *name,
                            struct source **ret_source, struct cwm_err *err)
{
    return new_source(text, len, true, false, name, ret_source, err);
}

enum cwm_rc source_new_lines(const char *text, size_t len, const char *name,
                             struct source **ret_source, struct cwm_err *err)
{
    return new_source(text, len, true, true, name, ret_source, err);
}

void source_free(struct source *s)
{
    if (!s) {
        return;
    }
    for (size_t i = 0; i < s->n_defs; i++) {
        char *qualname;

        /* Owned, whatever the public type says: a reader must not write. */
        memcpy(&qualname, &s->defs[i].qualname, sizeof qualname);
        cwm_free(qualname);
    }
    cwm_free(s->defs);
    cwm_free(s->markers);
    cwm_free(s->guards);
    cwm_free(s->line_starts);
    cwm_free(s->text);
    cwm_free(s->name);
    cwm_free(s);
}

const char *source_text(const struct source *s, size_t *ret_len)
{
    *ret_len = s->len;
    return s->text;
}

uint32_t source_n_lines(const struct source *s)
{
    return s->n_lines;
}

/* The marker that ends `line`, or NULL. */
static const struct source__marker *marker_on(const struct source *s,
                                              uint32_t line)
{
    size_t low = 0;
    size_t high = s->n_markers;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->markers[middle].line < line) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < s->n_markers && s->markers[low].line == line ? &s->markers[low]
                                                              : NULL;
}

const char *source_line(const struct source *s, uint32_t line, size_t *ret_len)
{
    const struct source__marker *marker;
    size_t start;
    size_t end;

    if (line < 1 || line > s->n_lines) {
        *ret_len = 0;
        return "";
    }
    start = s->line_starts[line - 1];
    end = line < s->n_lines ? s->line_starts[line] : s->len;
    if (end > start && s->text[end - 1] == '\n') {
        end--;
    }
    marker = marker_on(s, line);
    if (marker) {
        end = marker->start_byte;
    }
    *ret_len = end - start;
    return s->text + start;
}

const struct source_error *source_syntax_error(const struct source *s)
{
    return s->error.line ? &s->error : NULL;
}

const struct source_def *source_defs(const struct source *s, size_t *ret_n)
{
    *ret_n = s->n_defs;
    return s->defs;
}

int source_def_at(const struct source *s, uint32_t line)
{
    size_t low = 0;
    size_t high = s->n_defs;
    int at;

    /* The last definition that begins at `line` or above: what holds the line
     * is that one or encloses it. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->defs[middle].first_line <= line) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    at = (int)low - 1;
    while (at >= 0 &&
           (s->defs[at].kind == SOURCE_CLASS || s->defs[at].last_line < line)) {
        at = s->defs[at].parent;
    }
    return at;
}

uint32_t source_first_code_line(const struct source *s)
{
    return s->first_code_line;
}
