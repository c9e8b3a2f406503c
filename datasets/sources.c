/* SPDX-License-Identifier: MIT */
/* sources.c -- going through what the user named, item by item. */
#include "datasets/sources.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/base/lines.h"
#include "datasets/sources_internal.h"

enum { MAX_NAME_BYTES = 4096 };

struct sources {
    struct sources__one *list; /* owned, n of them */
    size_t n;
    size_t at;         /* the one that is read now */
    bool is_open;      /* it has been opened */
    uint64_t number;   /* of the next item */
    uint64_t position; /* within the source */
    const volatile int *cancel;
    struct lines *lines;                 /* owned */
    struct sources__tree tree;           /* of a folder */
    struct sources__suite suite;         /* of a repository */
    const struct sources_suites *suites; /* borrowed; NULL: none may be run */
    json_t *array;                       /* owned: of a JSON array */
    char *element;                       /* owned by jansson: of the array */
    struct cwm_buf file;
    char name[MAX_NAME_BYTES];
};

static bool has_lines(const struct sources__one *one)
{
    return one->kind != STORE_KIND_FILE && one->kind != STORE_KIND_DIR &&
           one->kind != STORE_KIND_GENERATE && one->kind != STORE_KIND_PYTEST &&
           !one->is_array;
}

enum cwm_rc sources_open(const char *const *names, size_t n,
                         const volatile int *cancel,
                         struct sources **ret_sources, struct cwm_err *err)
{
    struct sources *s = cwm_calloc(1, sizeof *s); /* owned */
    enum cwm_rc rc = CWM_OK;

    if (s) {
        s->list = cwm_calloc(n + 1, sizeof *s->list);
    }
    if (!s || !s->list) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold the sources");
        goto out;
    }
    s->cancel = cancel;
    cwm_buf_init(&s->file, SOURCES_MAX_ITEM_BYTES);
    for (size_t i = 0; i < n && rc == CWM_OK; i++) {
        rc = sources__one_parse(names[i], &s->list[i], err);
        s->n += rc == CWM_OK;
    }
    if (rc == CWM_OK) {
        *ret_sources = s;
        s = NULL;
    }
out:
    sources_close(s);
    return rc;
}

enum cwm_rc sources_open_lines(const char *path, struct sources **ret_sources,
                               struct cwm_err *err)
{
    struct cwm_buf word;
    const char *name;
    enum cwm_rc rc;

    cwm_buf_init(&word, MAX_NAME_BYTES);
    cwm_buf_addf(&word, "%s:%s", store_kind_text(STORE_KIND_MBPP), path);
    name = word.data;
    rc = cwm_buf_check(&word, "a path", err);
    if (rc == CWM_OK) {
        rc = sources_open(&name, 1, NULL, ret_sources, err);
    }
    cwm_buf_release(&word);
    return rc;
}

static void close_one(struct sources *s)
{
    lines_close(s->lines);
    s->lines = NULL;
    sources__tree_release(&s->tree);
    sources__suite_release(&s->suite);
    json_decref(s->array);
    s->array = NULL;
    free(s->element); /* jansson's */
    s->element = NULL;
    s->is_open = false;
    s->position = 0;
}

void sources_use_suites(struct sources *s, const struct sources_suites *suites)
{
    s->suites = suites;
}

void sources_close(struct sources *s)
{
    if (!s) {
        return;
    }
    close_one(s);
    for (size_t i = 0; i < s->n; i++) {
        sources__one_release(&s->list[i]);
    }
    cwm_free(s->list);
    cwm_buf_release(&s->file);
    cwm_free(s);
}

static enum cwm_rc open_array(struct sources *s, const char *path,
                              struct cwm_err *err)
{
    json_error_t why;
    struct cwm_buf text;
    enum cwm_rc rc;

    cwm_buf_init(&text, 1UL << 30);
    rc = io_read_file(path, &text, err);
    if (rc == CWM_OK) {
        s->array = json_loadb(text.data, text.len, JSON_ALLOW_NUL, &why);
        if (!json_is_array(s->array)) {
            rc = CWM_FAIL(err, CWM_USAGE, "'%s' is no JSON array: %s", path,
                          s->array ? "it is something else" : why.text);
        }
    }
    cwm_buf_release(&text);
    return rc;
}

static enum cwm_rc open_one(struct sources *s, struct cwm_err *err)
{
    const struct sources__one *one = &s->list[s->at];
    enum cwm_rc rc = CWM_OK;

    if (one->is_array) {
        rc = open_array(s, one->path, err);
    } else if (one->kind == STORE_KIND_DIR) {
        rc = sources__tree_list(one->path, &s->tree, err);
    } else if (one->kind == STORE_KIND_PYTEST) {
        rc = sources__suite_open(one->path, s->suites, s->cancel, &s->suite,
                                 err);
    } else if (has_lines(one)) {
        rc = lines_open(one->path, SOURCES_MAX_ITEM_BYTES, s->cancel, &s->lines,
                        err);
    }
    s->is_open = rc == CWM_OK;
    return rc;
}

/* ---- items by form ---- */

/* A file's bytes; what is wrong with it is the item's, not ours. */
static enum cwm_rc take_file(struct sources *s, const char *path,
                             struct source_item *item, struct cwm_err *err)
{
    enum cwm_rc rc;

    cwm_buf_clear(&s->file);
    rc = io_read_file(path, &s->file, err);
    item->data = s->file.data ? s->file.data : "";
    item->len = s->file.len;
    if (rc == CWM_LIMIT || rc == CWM_IO) {
        item->skip = rc == CWM_LIMIT ? "too large" : "could not be read";
        item->len = 0;
        return CWM_OK;
    }
    return rc;
}

static enum cwm_rc next_in_tree(struct sources *s, struct source_item *item,
                                bool *ret_more, struct cwm_err *err)
{
    const struct sources__one *one = &s->list[s->at];
    char path[2 * MAX_NAME_BYTES];

    if (s->position == s->tree.n) {
        return CWM_OK;
    }
    snprintf(s->name, sizeof s->name, "%s", s->tree.paths[s->position++]);
    snprintf(path, sizeof path, "%s/%s", one->path, s->name);
    *ret_more = true;
    return take_file(s, path, item, err);
}

static enum cwm_rc next_line(struct sources *s, struct source_item *item,
                             bool *ret_more, struct cwm_err *err)
{
    struct line line = {.text = ""};
    enum cwm_rc rc;

    do {
        rc = lines_next(s->lines, &line, ret_more, err);
    } while (rc == CWM_OK && *ret_more && !line.cut &&
             strspn(line.text, " \t\r") == line.len);
    if (rc == CWM_OK && *ret_more) {
        item->data = line.text;
        item->len = line.len;
        item->line = line.number;
        item->skip = line.cut ? "too large" : NULL;
        snprintf(s->name, sizeof s->name, "line %llu",
                 (unsigned long long)line.number);
    }
    return rc;
}

static enum cwm_rc next_element(struct sources *s, struct source_item *item,
                                bool *ret_more, struct cwm_err *err)
{
    free(s->element);
    s->element = NULL;
    if (s->position == json_array_size(s->array)) {
        return CWM_OK;
    }
    s->element = json_dumps(json_array_get(s->array, s->position++),
                            JSON_COMPACT | JSON_ENCODE_ANY);
    if (!s->element) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold an element");
    }
    item->data = s->element;
    item->len = strlen(s->element);
    item->line = s->position;
    snprintf(s->name, sizeof s->name, "element %llu",
             (unsigned long long)s->position);
    *ret_more = true;
    return CWM_OK;
}

static enum cwm_rc next_in_suite(struct sources *s, struct source_item *item,
                                 bool *ret_more, struct cwm_err *err)
{
    if (s->position == s->suite.files.n) {
        return CWM_OK;
    }
    *ret_more = true;
    snprintf(s->name, sizeof s->name, "%s",
             s->suite.files.list[s->position].name);
    return sources__suite_item(&s->suite, (size_t)s->position++, &s->file, item,
                               err);
}

static enum cwm_rc next_of_one(struct sources *s, struct source_item *item,
                               bool *ret_more, struct cwm_err *err)
{
    const struct sources__one *one = &s->list[s->at];

    *ret_more = false;
    if (one->is_array) {
        return next_element(s, item, ret_more, err);
    }
    if (one->kind == STORE_KIND_DIR) {
        return next_in_tree(s, item, ret_more, err);
    }
    if (one->kind == STORE_KIND_PYTEST) {
        return next_in_suite(s, item, ret_more, err);
    }
    if (one->kind == STORE_KIND_GENERATE) {
        snprintf(s->name, sizeof s->name, "%llu",
                 (unsigned long long)s->position);
        item->data = s->name;
        item->len = strlen(s->name);
        *ret_more = s->position++ < one->count;
        return CWM_OK;
    }
    if (one->kind == STORE_KIND_FILE) {
        snprintf(s->name, sizeof s->name, "%s", one->name);
        *ret_more = s->position++ == 0;
        return *ret_more ? take_file(s, one->path, item, err) : CWM_OK;
    }
    return next_line(s, item, ret_more, err);
}

enum cwm_rc sources_next(struct sources *s, struct source_item *ret_item,
                         bool *ret_more, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    *ret_more = false;
    while (rc == CWM_OK && !*ret_more && s->at < s->n) {
        memset(ret_item, 0, sizeof *ret_item);
        if (!s->is_open) {
            rc = open_one(s, err);
        }
        if (rc == CWM_OK) {
            rc = next_of_one(s, ret_item, ret_more, err);
        }
        if (rc == CWM_OK && !*ret_more) {
            close_one(s);
            s->at++;
        }
    }
    if (rc == CWM_OK && *ret_more) {
        const struct sources__one *one = &s->list[s->at];

        ret_item->kind = one->kind;
        ret_item->number = s->number++;
        ret_item->source =
            one->kind == STORE_KIND_GENERATE ? "generate" : one->name;
        ret_item->folder = one->folder;
        ret_item->name = s->name;
        ret_item->commit = one->commit[0] ? one->commit : NULL;
    }
    return rc;
}

/* ---- counting ---- */

static enum cwm_rc count_lines(const struct sources *s, const char *path,
                               uint64_t *n)
{
    struct lines *lines = NULL; /* owned */
    struct line line;
    bool more = true;
    enum cwm_rc rc = lines_open(path, 1, s->cancel, &lines, NULL);

    while (rc == CWM_OK && more) {
        rc = lines_next(lines, &line, &more, NULL);
        *n += rc == CWM_OK && more && (line.len > 0 || line.cut);
    }
    lines_close(lines);
    return rc;
}

uint64_t sources_n_items(const struct sources *s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct sources__one *one = &s->list[i];
        struct sources__tree tree = {NULL, 0, 0};
        enum cwm_rc rc = CWM_OK;

        if (one->is_array || one->kind == STORE_KIND_PYTEST) {
            return 0;
        }
        if (one->kind == STORE_KIND_DIR) {
            rc = sources__tree_list(one->path, &tree, NULL);
            n += tree.n;
            sources__tree_release(&tree);
        } else if (one->kind == STORE_KIND_GENERATE) {
            n += one->count;
        } else if (has_lines(one)) {
            rc = count_lines(s, one->path, &n);
        } else {
            n++;
        }
        if (rc != CWM_OK) {
            return 0;
        }
    }
    return n;
}
