/* SPDX-License-Identifier: MIT */
/* suite_lines.c -- which lines of which files; the header says more. */
#include "datasets/suite_lines.h"

#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"

enum {
    /* Shorter ones say more whole than their heads would. */
    WHOLE_FUNCTION_LINES = 12,
    WHOLE_CLASS_LINES = 20,
    MAX_STATEMENT_LINES = 12,
    /* Of all that is only named: a screen or two. */
    MAX_NAMED_LINES = 120,
};

/* ---- parts ---- */

static enum cwm_rc part_of_file(struct suite_lines *m, int file,
                                struct suite_part **ret_part,
                                struct cwm_err *err)
{
    const struct source *source = NULL;
    struct suite_part *p;
    uint32_t n;
    enum cwm_rc rc;

    *ret_part = NULL;
    for (size_t i = 0; file >= 0 && i < m->n_parts; i++) {
        if (m->parts[i].file == (size_t)file) {
            *ret_part = &m->parts[i];
            return CWM_OK;
        }
    }
    if (file < 0 || m->n_parts == SUITE_MAX_FILES) {
        return CWM_OK;
    }
    rc = repository_source(m->repo, (size_t)file, &source, err);
    if (rc != CWM_OK || !source) {
        return rc;
    }
    n = source_n_lines(source);
    p = &m->parts[m->n_parts];
    *p = (struct suite_part){.file = (size_t)file, .source = source};
    p->use = cwm_calloc((size_t)n + 2, sizeof *p->use);
    p->place = cwm_calloc((size_t)n + 2, sizeof *p->place);
    m->n_parts++; /* released with the others */
    if (!p->use || !p->place) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a context");
    }
    *ret_part = p;
    return CWM_OK;
}

static void take_lines(struct suite_part *p, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i <= last && i <= source_n_lines(p->source); i++) {
        p->use[i] = SUITE_LINE_IN;
    }
}

/* ---- functions that have frames ---- */

static const char *last_part(const struct suite_code *code, size_t *ret_len)
{
    const char *dot = memrchr(code->qualname, '.', code->qualname_len);
    const char *name = dot ? dot + 1 : code->qualname;

    *ret_len = (size_t)(code->qualname + code->qualname_len - name);
    return name;
}

/* The definition that the code was compiled from; NULL: there is none. */
static const struct source_def *find_def(const struct source *s,
                                         const struct suite_code *code)
{
    size_t n;
    size_t len;
    const struct source_def *defs = source_defs(s, &n);
    const char *name = last_part(code, &len);

    for (size_t i = 0; i < n; i++) {
        if (defs[i].first_line == code->first_line &&
            defs[i].kind != SOURCE_CLASS && strlen(defs[i].name) == len &&
            memcmp(defs[i].name, name, len) == 0) {
            return &defs[i];
        }
    }
    return NULL;
}

/* Whole, with the heads of the classes round it. */
static void take_def(struct suite_part *p, const struct source_def *def)
{
    size_t n;
    const struct source_def *defs = source_defs(p->source, &n);
    const struct source_def *outer = def;

    for (int32_t i = def->parent; i >= 0; i = defs[i].parent) {
        if (defs[i].kind != SOURCE_CLASS) {
            outer = &defs[i];
        }
    }
    take_lines(p, outer->first_line, outer->last_line);
    for (int32_t i = outer->parent; i >= 0; i = defs[i].parent) {
        take_lines(p, defs[i].first_line, defs[i].header_end_line);
    }
}

/* The bracketed statement that begins on `line`: its last line. */
static uint32_t statement_end(const struct source *s, uint32_t line)
{
    int depth = 0;

    for (; line <= source_n_lines(s); line++) {
        size_t len;
        const char *text = source_line(s, line, &len);
        char quote = '\0';

        for (size_t i = 0; i < len; i++) {
            if (quote != '\0') {
                i += text[i] == '\\';
                quote = i < len && text[i] == quote ? '\0' : quote;
            } else if (text[i] == '#') {
                break;
            } else if (text[i] == '"' || text[i] == '\'') {
                quote = text[i];
            } else {
                depth += strchr("([{", text[i]) != NULL;
                depth -= strchr(")]}", text[i]) != NULL;
            }
        }
        if (depth <= 0 && (len == 0 || text[len - 1] != '\\')) {
            break;
        }
    }
    return line < source_n_lines(s) ? line : source_n_lines(s);
}

/* One function that has frames; *ret_found false: it is not in the text. */
static enum cwm_rc take_code(struct suite_lines *m,
                             const struct suite_code *code,
                             struct suite_part **ret_part,
                             const struct source_def **ret_def,
                             struct cwm_err *err)
{
    const struct suite_text *path = &m->stream->paths[code->file];
    const struct source_def *defs;
    struct suite_part *p;
    size_t n;
    size_t len;
    int at;
    enum cwm_rc rc = part_of_file(
        m, repository_find(m->repo, path->text, path->len), &p, err);

    *ret_part = NULL;
    *ret_def = NULL;
    if (rc != CWM_OK || !p || code->first_line == 0 ||
        code->first_line > source_n_lines(p->source)) {
        return rc;
    }
    *ret_def = find_def(p->source, code);
    if (*ret_def) {
        take_def(p, *ret_def);
    } else if (*last_part(code, &len) == '<') {
        defs = source_defs(p->source, &n);
        at = source_def_at(p->source, code->first_line);
        if (at >= 0) {
            take_def(p, &defs[at]);
        } else {
            take_lines(p, code->first_line,
                       statement_end(p->source, code->first_line));
        }
    } else {
        return CWM_OK;
    }
    p->has_frames = true;
    *ret_part = p;
    return CWM_OK;
}

/* ---- names ---- */

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_name_char(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

static bool is_named(const struct suite_lines *m, const char *text, size_t len)
{
    for (size_t i = 0; i < m->n_names; i++) {
        if (m->names[i].len == len &&
            memcmp(m->names[i].text, text, len) == 0) {
            return true;
        }
    }
    return false;
}

/* Behind a string that begins at text[at]. */
static size_t pass_string(const char *text, size_t len, size_t at)
{
    char quote = text[at];
    bool is_long =
        at + 2 < len && text[at + 1] == quote && text[at + 2] == quote;

    at += is_long ? 3 : 1;
    while (at < len) {
        if (text[at] == '\\') {
            at += 2;
        } else if (text[at] != quote) {
            at++;
        } else if (!is_long) {
            return at + 1;
        } else if (at + 2 < len && text[at + 1] == quote &&
                   text[at + 2] == quote) {
            return at + 3;
        } else {
            at++;
        }
    }
    return len;
}

/* The names in a piece of text, outside of strings and comments. */
static void collect_names(struct suite_lines *m, const char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t start = at;

        if (text[at] == '#') {
            while (at < len && text[at] != '\n') {
                at++;
            }
        } else if (text[at] == '"' || text[at] == '\'') {
            at = pass_string(text, len, at);
        } else if (is_name_start(text[at])) {
            while (at < len && is_name_char(text[at])) {
                at++;
            }
            if (m->n_names < SUITE_MAX_NAMES &&
                !is_named(m, text + start, at - start)) {
                m->names[m->n_names++] =
                    (struct suite_name){text + start, at - start};
            }
        } else {
            at++;
        }
    }
}

static void collect_from(struct suite_lines *m, const struct suite_part *p,
                         const struct source_def *def)
{
    size_t len;
    const char *text = source_text(p->source, &len);

    collect_names(m, text + def->start_byte, def->end_byte - def->start_byte);
}

/* ---- what is named ---- */

static uint32_t n_lines_of(const struct source_def *def)
{
    return def->last_line - def->first_line + 1;
}

static bool has_budget(struct suite_lines *m, uint32_t n)
{
    if (m->n_named_lines + n > MAX_NAMED_LINES) {
        return false;
    }
    m->n_named_lines += n;
    return true;
}

/* A function as its head and "...". */
static void take_head(struct suite_lines *m, struct suite_part *p,
                      const struct source_def *def)
{
    uint32_t n = def->header_end_line - def->first_line + 2;

    if (p->use[def->first_line] != SUITE_LINE_OUT || !has_budget(m, n)) {
        return;
    }
    take_lines(p, def->first_line, def->header_end_line);
    if (def->header_end_line < def->last_line) {
        p->use[def->header_end_line] = SUITE_LINE_HEAD_END;
    }
}

static void take_named_function(struct suite_lines *m, struct suite_part *p,
                                const struct source_def *def)
{
    uint32_t n = n_lines_of(def);

    if (p->use[def->first_line] != SUITE_LINE_OUT) {
        return;
    }
    if (n > WHOLE_FUNCTION_LINES) {
        take_head(m, p, def);
    } else if (has_budget(m, n)) {
        take_lines(p, def->first_line, def->last_line);
    }
}

static void take_named_class(struct suite_lines *m, struct suite_part *p,
                             const struct source_def *def)
{
    size_t n;
    const struct source_def *defs = source_defs(p->source, &n);
    uint32_t head = def->header_end_line - def->first_line + 1;
    int32_t index = (int32_t)(def - defs);

    if (p->use[def->first_line] == SUITE_LINE_OUT &&
        n_lines_of(def) <= WHOLE_CLASS_LINES &&
        has_budget(m, n_lines_of(def))) {
        take_lines(p, def->first_line, def->last_line);
        return;
    }
    if (p->use[def->first_line] == SUITE_LINE_OUT && has_budget(m, head)) {
        take_lines(p, def->first_line, def->header_end_line);
        p->use[def->header_end_line] = SUITE_LINE_HEAD_END;
    }
    for (size_t i = 0; i < n; i++) {
        if (defs[i].parent != index || defs[i].kind == SOURCE_CLASS) {
            continue;
        }
        if (strcmp(defs[i].name, "__init__") == 0) {
            take_named_function(m, p, &defs[i]);
        } else {
            take_head(m, p, &defs[i]);
        }
    }
}

static void take_named_def(struct suite_lines *m, struct suite_part *p,
                           const struct source_def *def)
{
    if (def->kind == SOURCE_CLASS) {
        take_named_class(m, p, def);
    } else {
        take_named_function(m, p, def);
    }
}

/* Methods of the class that `def` is in, as far as they are named. */
static void take_siblings(struct suite_lines *m, struct suite_part *p,
                          const struct source_def *def)
{
    size_t n;
    const struct source_def *defs = source_defs(p->source, &n);

    for (size_t i = 0; def->parent >= 0 && i < n; i++) {
        if (defs[i].parent == def->parent && defs[i].kind != SOURCE_CLASS &&
            defs[def->parent].kind == SOURCE_CLASS &&
            (strcmp(defs[i].name, "__init__") == 0 ||
             is_named(m, defs[i].name, strlen(defs[i].name)))) {
            take_named_function(m, p, &defs[i]);
        }
    }
}

/* ---- statements at module level ---- */

static size_t name_length(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && is_name_char(text[n])) {
        n++;
    }
    return n;
}

/* "NAME = ..." or "NAME: TYPE = ..." of a name that is used. */
static bool is_named_assignment(const struct suite_lines *m, const char *text,
                                size_t len)
{
    size_t n = name_length(text, len);
    size_t at = n;

    while (at < len && (text[at] == ' ' || text[at] == ':')) {
        if (text[at] == ':') {
            return n > 0 && memchr(text + at, '=', len - at) &&
                   is_named(m, text, n);
        }
        at++;
    }
    return n > 0 && at + 1 < len && text[at] == '=' && text[at + 1] != '=' &&
           is_named(m, text, n);
}

/* The file that "from MODULE import" of `p` means, or -1. */
static int imported_file(const struct suite_lines *m,
                         const struct suite_part *p, const char *module,
                         size_t len)
{
    static const char *const ends[] = {".py", "/__init__.py"};
    char base[1024] = "";
    char name[512];
    char path[2048];
    size_t dots = 0;

    while (dots < len && module[dots] == '.') {
        dots++;
    }
    if (dots > 0) {
        snprintf(base, sizeof base, "%s", repository_file(m->repo, p->file));
        for (size_t i = 0; i < dots; i++) {
            char *slash = strrchr(base, '/');

            if (i > 0 && slash) {
                *slash = '\0';
                slash = strrchr(base, '/');
            }
            if (slash) {
                slash[1] = '\0';
            } else {
                base[0] = '\0';
            }
        }
    }
    snprintf(name, sizeof name, "%.*s", (int)(len - dots), module + dots);
    for (char *c = name; *c; c++) {
        *c = *c == '.' ? '/' : *c;
    }
    for (int i = 0; i < 4; i++) {
        int n =
            snprintf(path, sizeof path, "%s%s%s",
                     dots == 0 && i >= 2 ? "src/" : base, name, ends[i % 2]);
        int file = n > 0 && (size_t)n < sizeof path
                       ? repository_find(m->repo, path, (size_t)n)
                       : -1;

        if (file >= 0) {
            return file;
        }
    }
    return -1;
}

/* What is imported by that name, where the repository has it. */
static enum cwm_rc take_imported(struct suite_lines *m, int file,
                                 const char *name, size_t len,
                                 struct cwm_err *err)
{
    struct suite_part *p;
    size_t n;
    const struct source_def *defs;
    enum cwm_rc rc = part_of_file(m, file, &p, err);

    if (rc != CWM_OK || !p) {
        return rc;
    }
    defs = source_defs(p->source, &n);
    for (size_t i = 0; i < n; i++) {
        if (defs[i].parent < 0 && strlen(defs[i].name) == len &&
            memcmp(defs[i].name, name, len) == 0) {
            take_named_def(m, p, &defs[i]);
        }
    }
    return CWM_OK;
}

/* An import statement on lines first..last: in, when it binds what is used. */
static enum cwm_rc take_import(struct suite_lines *m, struct suite_part *p,
                               uint32_t first, uint32_t last,
                               struct cwm_err *err)
{
    size_t len;
    const char *text = source_line(p->source, first, &len);
    const char *end = source_line(p->source, last, &len) + len;
    const char *names;
    int file = -1;
    bool is_used = false;
    enum cwm_rc rc = CWM_OK;

    len = (size_t)(end - text);
    names = text + 6; /* "import" */
    if (text[0] == 'f') {
        const char *import = memmem(text, len, " import", 7);

        if (!import || import < text + 5) {
            return CWM_OK;
        }
        file = imported_file(m, p, text + 5, (size_t)(import - text - 5));
        names = import + 7;
    }
    for (const char *at = names; rc == CWM_OK && at < end;) {
        size_t n = name_length(at, (size_t)(end - at));

        if (n == 0) {
            at++;
            continue;
        }
        if (is_named(m, at, n)) {
            is_used = true;
            if (file >= 0) {
                rc = take_imported(m, file, at, n, err);
            }
        }
        at += n;
    }
    if (rc == CWM_OK && is_used && p->use[first] == SUITE_LINE_OUT &&
        has_budget(m, last - first + 1)) {
        take_lines(p, first, last);
    }
    return rc;
}

static bool begins(const char *text, size_t len, const char *word)
{
    return len > strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

static enum cwm_rc take_statements(struct suite_lines *m, struct suite_part *p,
                                   struct cwm_err *err)
{
    uint32_t n = source_n_lines(p->source);
    enum cwm_rc rc = CWM_OK;

    for (uint32_t line = 1; line <= n && rc == CWM_OK;) {
        size_t len;
        const char *text = source_line(p->source, line, &len);
        uint32_t last = line;

        if (len > 0 && is_name_start(text[0])) {
            last = statement_end(p->source, line);
            if (begins(text, len, "import ") || begins(text, len, "from ")) {
                rc = take_import(m, p, line, last, err);
            } else if (p->use[line] == SUITE_LINE_OUT &&
                       last - line < MAX_STATEMENT_LINES &&
                       is_named_assignment(m, text, len) &&
                       has_budget(m, last - line + 1)) {
                take_lines(p, line, last);
            }
        }
        line = last + 1;
    }
    return rc;
}

static enum cwm_rc take_named(struct suite_lines *m, struct suite_part *p,
                              struct cwm_err *err)
{
    size_t n;
    const struct source_def *defs = source_defs(p->source, &n);

    for (size_t i = 0; i < n; i++) {
        if (defs[i].parent < 0 &&
            is_named(m, defs[i].name, strlen(defs[i].name))) {
            take_named_def(m, p, &defs[i]);
        }
    }
    return take_statements(m, p, err);
}

/* ---- all of it ---- */

/* The functions that have frames, and the names in them. */
static enum cwm_rc take_codes(struct suite_lines *m,
                              const struct suite_episode *e,
                              struct suite_part **ret_part,
                              const struct source_def **ret_entry,
                              bool *ret_found, struct cwm_err *err)
{
    const struct source_def *def;
    struct suite_part *p;
    enum cwm_rc rc = CWM_OK;

    *ret_found = e->n_funcs > 0;
    for (size_t i = 0; i < e->n_funcs && *ret_found && rc == CWM_OK; i++) {
        rc = take_code(m, &m->stream->codes[e->funcs[i]], &p, &def, err);
        *ret_found = rc == CWM_OK && p && (i > 0 || def);
        if (i == 0) {
            *ret_part = p;
            *ret_entry = def;
        }
        if (*ret_found && def) {
            collect_from(m, p, def);
        }
    }
    for (size_t i = 0; i < e->n_funcs && *ret_found && rc == CWM_OK; i++) {
        rc = take_code(m, &m->stream->codes[e->funcs[i]], &p, &def, err);
        if (rc == CWM_OK && def) {
            take_siblings(m, p, def);
        }
    }
    return rc;
}

enum cwm_rc suite_lines_take(struct suite_lines *m,
                             const struct suite_episode *e,
                             struct suite_part **ret_part,
                             const struct source_def **ret_entry,
                             bool *ret_found, struct cwm_err *err)
{
    enum cwm_rc rc = take_codes(m, e, ret_part, ret_entry, ret_found, err);
    size_t n = rc == CWM_OK && *ret_found ? m->n_parts : 0;

    for (size_t i = 0; i < n && rc == CWM_OK; i++) {
        rc = take_named(m, &m->parts[i], err);
    }
    return rc;
}

void suite_lines_release(struct suite_lines *m)
{
    for (size_t i = 0; i < m->n_parts; i++) {
        cwm_free(m->parts[i].use);
        cwm_free(m->parts[i].place);
    }
    m->n_parts = 0;
}
