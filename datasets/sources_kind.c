/* SPDX-License-Identifier: MIT */
/* sources_kind.c -- `KIND:PATH` and PATH: which kind of source is it? */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cwm/base/alloc.h"
#include "cwm/base/lines.h"
#include "cwm/base/opt.h"
#include "datasets/sources_internal.h"

void sources__one_release(struct sources__one *one)
{
    cwm_free(one->path);
    cwm_free(one->name);
    cwm_free(one->folder);
    memset(one, 0, sizeof *one);
}

/* The kind that stands in front of a ':', or -1. */
static int kind_of_prefix(const char *word, size_t len)
{
    for (int i = 0; i < STORE_N_KINDS; i++) {
        const char *text = store_kind_text((enum store_kind)i);

        if (i != STORE_KIND_MUTANT && strlen(text) == len &&
            memcmp(text, word, len) == 0) {
            return i;
        }
    }
    return -1;
}

static bool has(const json_t *root, const char *name)
{
    return json_object_get(root, name) != NULL;
}

/* By the fields of a line; -1 when nothing fits. */
static int kind_of_fields(const json_t *root)
{
    if (has(root, "canonical_solution") && has(root, "prompt")) {
        return STORE_KIND_HUMANEVAL;
    }
    if (has(root, "test_list") && has(root, "code")) {
        return STORE_KIND_MBPP;
    }
    if (has(root, "code") && has(root, "input")) {
        return STORE_KIND_CRUXEVAL;
    }
    if (has(root, "tests") && (has(root, "source") || has(root, "solutions"))) {
        return STORE_KIND_CONTEST;
    }
    if (has(root, "id") && (has(root, "source") || has(root, "path"))) {
        return STORE_KIND_JOBS;
    }
    return has(root, "source") ? STORE_KIND_JSONL : -1;
}

/* Reads the first line that is not blank. */
static enum cwm_rc look_into(struct sources__one *one, bool wants_kind,
                             struct cwm_err *err)
{
    struct lines *lines = NULL; /* owned */
    struct line line = {.text = ""};
    json_t *root = NULL; /* owned */
    bool more = true;
    int kind = -1;
    enum cwm_rc rc =
        lines_open(one->path, SOURCES_MAX_ITEM_BYTES, NULL, &lines, err);

    while (rc == CWM_OK && more && strspn(line.text, " \t\r") == line.len) {
        rc = lines_next(lines, &line, &more, err);
    }
    if (rc == CWM_OK && more) {
        one->is_array = line.text[strspn(line.text, " \t")] == '[';
        root = json_loadb(line.text, line.len, JSON_ALLOW_NUL, NULL);
        kind = one->is_array ? STORE_KIND_MBPP : kind_of_fields(root);
    }
    json_decref(root);
    lines_close(lines);
    if (rc == CWM_OK && wants_kind && kind < 0) {
        return CWM_FAIL(err, CWM_USAGE,
                        "could not tell what kind of source '%s' is\nname it: "
                        "KIND:PATH, see 'cwm help dataset'",
                        one->path);
    }
    if (rc == CWM_OK && wants_kind) {
        one->kind = (enum store_kind)kind;
    }
    return rc == CWM_NOMEM ? rc : rc == CWM_OK ? CWM_OK : CWM_USAGE;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);

    return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static enum cwm_rc take_count(struct sources__one *one, struct cwm_err *err)
{
    struct opt count = {.max = INT64_MAX};

    return opt_number(&count, "generate:COUNT", one->path, &one->count, err);
}

/* "a/b/" is "b" in "a/". */
static bool split_path(struct sources__one *one)
{
    size_t len = strlen(one->path);
    size_t start;

    while (len > 1 && one->path[len - 1] == '/') {
        len--;
    }
    for (start = len; start > 0 && one->path[start - 1] != '/';) {
        start--;
    }
    one->name = cwm_strndup(one->path + start, len - start);
    one->folder = cwm_strndup(one->path, start);
    return one->name && one->folder;
}

/* Its name is the folder's own: "." says nothing. */
static enum cwm_rc take_repository(struct sources__one *one,
                                   struct cwm_err *err)
{
    char path[PATH_MAX];

    if (!realpath(one->path, path)) {
        return CWM_FAIL(err, CWM_USAGE, "could not open '%s': %s", one->path,
                        strerror(errno));
    }
    cwm_free(one->path);
    cwm_free(one->name);
    cwm_free(one->folder);
    one->name = NULL;
    one->folder = NULL;
    one->path = cwm_strdup(path);
    if (!one->path || !split_path(one)) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
    }
    sources__commit_of(one->path, one->commit, sizeof one->commit);
    return CWM_OK;
}

/* One that lies in the file system. */
static enum cwm_rc take_path(struct sources__one *one, bool wants_kind,
                             struct cwm_err *err)
{
    struct stat st;

    if (stat(one->path, &st) != 0) {
        return CWM_FAIL(err, CWM_USAGE, "could not open '%s': %s", one->path,
                        strerror(errno));
    }
    if (wants_kind && S_ISDIR(st.st_mode)) {
        one->kind = STORE_KIND_DIR;
    } else if (wants_kind && ends_with(one->path, ".py")) {
        one->kind = STORE_KIND_FILE;
    }
    if (S_ISDIR(st.st_mode) !=
        (one->kind == STORE_KIND_DIR || one->kind == STORE_KIND_PYTEST)) {
        return CWM_FAIL(err, CWM_USAGE, "'%s' is %s folder", one->path,
                        S_ISDIR(st.st_mode) ? "a" : "no");
    }
    if (one->kind == STORE_KIND_PYTEST) {
        return take_repository(one, err);
    }
    if (one->kind == STORE_KIND_DIR) {
        sources__commit_of(one->path, one->commit, sizeof one->commit);
        return CWM_OK;
    }
    if (wants_kind ? one->kind == STORE_KIND_FILE && ends_with(one->path, ".py")
                   : one->kind == STORE_KIND_FILE) {
        return CWM_OK;
    }
    return look_into(one, wants_kind, err);
}

enum cwm_rc sources__one_parse(const char *word, struct sources__one *one,
                               struct cwm_err *err)
{
    const char *colon = strchr(word, ':');
    int kind = colon ? kind_of_prefix(word, (size_t)(colon - word)) : -1;
    enum cwm_rc rc;

    memset(one, 0, sizeof *one);
    one->kind = kind < 0 ? STORE_KIND_FILE : (enum store_kind)kind;
    one->path = cwm_strdup(kind < 0 ? word : colon + 1);
    if (!one->path || !split_path(one)) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
    } else if (kind == STORE_KIND_GENERATE) {
        rc = take_count(one, err);
    } else {
        rc = take_path(one, kind < 0, err);
    }
    if (rc != CWM_OK) {
        sources__one_release(one);
    }
    return rc;
}
