/* SPDX-License-Identifier: MIT */
/* source_entry.c -- which function the trace starts at, or why none does. */
#include "tracer/source_internal.h"

#include <stdio.h>
#include <string.h>

#include "cwm/base/utf8.h"

/* How many entries a message lists. */
#define MAX_LISTED 10
/* Names longer than this are neither compared nor listed in full. */
#define MAX_COMPARED_BYTES 64

/* How many bytes of a name a message shows: whole characters. */
static int shown(const char *name)
{
    return (int)cwm_utf8_valid_prefix(name, strnlen(name, MAX_COMPARED_BYTES));
}

static bool is_entry(const struct source_def *d)
{
    return d->is_reachable && d->kind != SOURCE_CLASS;
}

/* The last definition of that qualified name that a name can reach, or -1. */
static int find_last(const struct source *s, const char *name)
{
    for (size_t i = s->n_defs; i > 0; i--) {
        const struct source_def *d = &s->defs[i - 1];

        if (d->is_reachable && strcmp(d->qualname, name) == 0) {
            return (int)(i - 1);
        }
    }
    return -1;
}

/* " f, A.m, g" and " and 3 more"; a name that is defined again counts once
 * as far as its neighbours tell. */
static void list_entries(const struct source *s, const char *prefix, char *out,
                         size_t size)
{
    size_t prefix_len = strlen(prefix);
    const char *last = "";
    size_t used = 0;
    size_t n = 0;
    size_t n_listed = 0;

    out[0] = '\0';
    for (size_t i = 0; i < s->n_defs; i++) {
        const struct source_def *d = &s->defs[i];
        int got;

        if (!is_entry(d) || strcmp(d->qualname, last) == 0 ||
            strncmp(d->qualname, prefix, prefix_len) != 0) {
            continue;
        }
        last = d->qualname;
        n++;
        if (n_listed == MAX_LISTED || used + 40 > size) {
            continue;
        }
        got = snprintf(out + used, size - used, "%s%.*s%s",
                       n_listed ? ", " : "", shown(d->qualname), d->qualname,
                       strlen(d->qualname) > MAX_COMPARED_BYTES ? "..." : "");
        if (got < 0 || (size_t)got >= size - used) {
            out[used] = '\0';
            used = size; /* full: the rest is counted */
            continue;
        }
        used += (size_t)got;
        n_listed++;
    }
    if (n > n_listed && strlen(out) + 24 <= size) {
        used = strlen(out);
        snprintf(out + used, size - used, " and %zu more", n - n_listed);
    }
}

/* Levenshtein's distance of two short names. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[MAX_COMPARED_BYTES + 1];

    for (size_t j = 0; j <= m; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            best = best < row[j] + 1 ? best : row[j] + 1;
            best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

/* The entry whose name is nearest to `name`, or NULL when none is near. */
static const char *nearest(const struct source *s, const char *name)
{
    size_t len = strlen(name);
    size_t best = len / 3 + 1; /* that many slips of the finger, at most */
    const char *found = NULL;

    if (len > MAX_COMPARED_BYTES) {
        return NULL;
    }
    for (size_t i = 0; i < s->n_defs; i++) {
        const struct source_def *d = &s->defs[i];
        size_t n = strlen(d->qualname);
        size_t gap = n > len ? n - len : len - n;
        size_t far;

        if (!is_entry(d)) {
            continue;
        }
        if (strcmp(d->name, name) == 0) {
            return d->qualname; /* a method called without its class */
        }
        if (n > MAX_COMPARED_BYTES || gap > best) {
            continue;
        }
        far = distance(name, len, d->qualname, n);
        if (far < best || (far == best && !found)) {
            best = far;
            found = d->qualname;
        }
    }
    return found;
}

static enum cwm_rc fail_missing(const struct source *s, const char *name,
                                struct cwm_err *err)
{
    char list[256];
    const char *near = nearest(s, name);

    list_entries(s, "", list, sizeof list);
    if (!list[0]) {
        return CWM_FAIL(err, CWM_USAGE,
                        "no function '%.*s' in '%.80s', which defines none",
                        shown(name), name, s->name);
    }
    if (near) {
        return CWM_FAIL(err, CWM_USAGE,
                        "no function '%.*s'; there are %s\n"
                        "did you mean '%.*s'?",
                        shown(name), name, list, shown(near), near);
    }
    return CWM_FAIL(err, CWM_USAGE, "no function '%.*s'; there are %s",
                    shown(name), name, list);
}

static enum cwm_rc fail_class(const struct source *s,
                              const struct source_def *d, struct cwm_err *err)
{
    char prefix[2 * MAX_COMPARED_BYTES];
    char list[256] = "";

    snprintf(prefix, sizeof prefix, "%.*s.", MAX_COMPARED_BYTES, d->qualname);
    if (strlen(d->qualname) <= MAX_COMPARED_BYTES) {
        list_entries(s, prefix, list, sizeof list);
    }
    return CWM_FAIL(err, CWM_USAGE, "'%.*s' is a class, not a function%s%s",
                    shown(d->qualname), d->qualname,
                    list[0] ? "; its methods are " : ", and has no methods",
                    list);
}

static enum cwm_rc fail_nested(const struct source_def *d, struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_USAGE,
                    "'%.*s' (line %u) is made inside a function, so no call "
                    "from outside can start at it",
                    shown(d->qualname), d->qualname, d->def_line);
}

static enum cwm_rc entry_by_name(const struct source *s, const char *name,
                                 int *ret_def, struct cwm_err *err)
{
    int at = find_last(s, name);

    if (at >= 0 && s->defs[at].kind == SOURCE_CLASS) {
        return fail_class(s, &s->defs[at], err);
    }
    if (at >= 0) {
        *ret_def = at;
        return CWM_OK;
    }
    for (size_t i = 0; i < s->n_defs; i++) {
        const struct source_def *d = &s->defs[i];

        if (!d->is_reachable && strcmp(d->qualname, name) == 0) {
            return fail_nested(d, err);
        }
    }
    return fail_missing(s, name, err);
}

/* The definition whose header holds `line`, or -1. */
static int def_with_header(const struct source *s, uint32_t line)
{
    for (size_t i = 0; i < s->n_defs; i++) {
        const struct source_def *d = &s->defs[i];

        if (d->def_line <= line && line <= d->header_end_line) {
            return (int)i;
        }
    }
    return -1;
}

static enum cwm_rc entry_by_marker(const struct source *s, int *ret_def,
                                   struct cwm_err *err)
{
    const struct source_def *d;
    uint32_t line;
    int at;

    if (s->n_markers == 0) {
        *ret_def = -1;
        return CWM_OK;
    }
    line = s->markers[0].line;
    if (s->n_markers > 1) {
        return CWM_FAIL(err, CWM_USAGE,
                        "'%.80s' has two markers '" SOURCE_MARKER
                        "', on lines %u and %u",
                        s->name, line, s->markers[1].line);
    }
    at = def_with_header(s, line);
    if (at < 0 && line == s->first_code_line) {
        *ret_def = -1; /* a script's own context */
        return CWM_OK;
    }
    if (at < 0) {
        return CWM_FAIL(err, CWM_USAGE,
                        "the marker '" SOURCE_MARKER "' on line %u of '%.80s' "
                        "does not stand on a function's def line",
                        line, s->name);
    }
    d = &s->defs[at];
    if (d->kind == SOURCE_CLASS) {
        return fail_class(s, d, err);
    }
    if (!d->is_reachable) {
        return fail_nested(d, err);
    }
    *ret_def = at;
    return CWM_OK;
}

enum cwm_rc source_entry(const struct source *s, const char *name, int *ret_def,
                         struct cwm_err *err)
{
    return name ? entry_by_name(s, name, ret_def, err)
                : entry_by_marker(s, ret_def, err);
}
