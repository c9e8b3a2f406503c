/* SPDX-License-Identifier: MIT */
/* weights.c -- one safetensors file, or an index and its files. */
#include "cwm/model/weights.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "cwm/base/json_in.h"

enum { MAX_PATH_BYTES = 4096, MAX_INDEX_BYTES = 64 << 20, MAX_FILES = 4096 };

struct part {
    char *name;               /* owned */
    struct safetensors *file; /* owned */
};

struct weights {
    struct part parts[MAX_FILES];
    size_t n_parts;
};

static enum cwm_rc path_in(const char *folder, const char *name,
                           char path[MAX_PATH_BYTES], struct cwm_err *err)
{
    if (snprintf(path, MAX_PATH_BYTES, "%s/%s", folder, name) >=
        MAX_PATH_BYTES) {
        return CWM_FAIL(err, CWM_IO,
                        "could not open '%.80s...': the name is too long",
                        folder);
    }
    return CWM_OK;
}

static enum cwm_rc open_part(struct weights *w, const char *folder,
                             const char *name, struct cwm_err *err)
{
    struct part *part = &w->parts[w->n_parts];
    char path[MAX_PATH_BYTES];
    enum cwm_rc rc;

    if (w->n_parts == MAX_FILES) {
        return CWM_FAIL(err, CWM_LIMIT, "cannot use more than %d files",
                        MAX_FILES);
    }
    rc = path_in(folder, name, path, err);
    if (rc != CWM_OK) {
        return rc;
    }
    part->name = cwm_strdup(name);
    if (!part->name) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a file's name");
    }
    w->n_parts++; /* from here on weights_close() sees to it */
    return safetensors_open(path, &part->file, err);
}

static const struct part *find_part(const struct weights *w, const char *name)
{
    size_t i;

    for (i = 0; i < w->n_parts; i++) {
        if (strcmp(w->parts[i].name, name) == 0) {
            return &w->parts[i];
        }
    }
    return NULL;
}

/* A name that leads out of the folder is none. */
static bool is_plain(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* The file `name`, opened if it is not yet, must hold the tensor. */
static enum cwm_rc find_mapped(struct weights *w, const char *folder,
                               const char *tensor, const char *name,
                               struct cwm_err *err)
{
    const struct part *part = find_part(w, name);
    enum cwm_rc rc = CWM_OK;

    if (!is_plain(name)) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use the file of the tensor '%.120s': it is "
                        "no plain name",
                        tensor);
    }
    if (!part) {
        rc = open_part(w, folder, name, err);
        part = &w->parts[w->n_parts - 1];
    }
    if (rc == CWM_OK && !safetensors_find(part->file, tensor)) {
        rc = CWM_FAIL(err, CWM_FORMAT,
                      "cannot find the tensor '%.120s' in '%.120s'", tensor,
                      name);
    }
    return rc;
}

/* Open the files that the map names; each tensor is where it is said to be. */
static enum cwm_rc open_mapped(struct weights *w, const char *folder,
                               struct json_in map, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    struct cwm_buf text; /* the tensor's name and the file's, each with a NUL */
    size_t n = 0;

    cwm_buf_init(&text, MAX_INDEX_BYTES);
    json_open(&map, '{');
    for (bool first = true; rc == CWM_OK && json_more(&map, '}', first);
         first = false) {
        size_t n_tensor;

        cwm_buf_clear(&text);
        json_key(&map, &text);
        cwm_buf_addc(&text, '\0');
        n_tensor = text.len;
        if (json_peek(&map) == '"') {
            json_string(&map, &text);
        } else {
            json_skip(&map); /* and no name is no plain one */
        }
        cwm_buf_addc(&text, '\0');
        rc = cwm_buf_check(&text, "an entry of \"weight_map\"", err);
        if (rc == CWM_OK) {
            rc = find_mapped(w, folder, text.data, text.data + n_tensor, err);
        }
        n++;
    }
    cwm_buf_release(&text);
    if (rc == CWM_OK && n == 0) {
        rc = CWM_FAIL(err, CWM_FORMAT, "\"weight_map\" is empty");
    }
    return rc;
}

static enum cwm_rc open_index(struct weights *w, const char *folder,
                              const char *path, struct cwm_err *err)
{
    struct json_in index;
    struct json_in map;
    struct cwm_buf json;
    enum cwm_rc rc;

    cwm_buf_init(&json, MAX_INDEX_BYTES);
    rc = io_read_file(path, &json, err);
    if (rc != CWM_OK) {
        goto out;
    }
    index =
        (struct json_in){.text = json.data ? json.data : "", .len = json.len};
    if (!json_whole(&index)) {
        rc = CWM_FAIL(err, CWM_FORMAT,
                      "could not read the JSON: line %zu breaks its grammar",
                      json_line(&index));
    } else if (json_find(&index, "weight_map", &map) &&
               json_peek(&map) == '{') {
        rc = open_mapped(w, folder, map, err);
    } else {
        rc = index.failed == CWM_NOMEM
                 ? CWM_FAIL(err, CWM_NOMEM, "could not hold a name")
                 : CWM_FAIL(err, CWM_FORMAT, "there is no \"weight_map\"");
    }
    if (rc != CWM_OK) {
        cwm_err_context(err, "%s", path);
    }
out:
    cwm_buf_release(&json);
    return rc;
}

enum cwm_rc weights_open(const char *folder, struct weights **ret_weights,
                         struct cwm_err *err)
{
    struct weights *w = cwm_calloc(1, sizeof *w);
    char single[MAX_PATH_BYTES];
    char index[MAX_PATH_BYTES];
    enum cwm_rc rc;

    if (!w) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold the weights");
    }
    rc = path_in(folder, "model.safetensors", single, err);
    if (rc == CWM_OK) {
        rc = path_in(folder, "model.safetensors.index.json", index, err);
    }
    if (rc != CWM_OK) {
        goto out;
    }
    if (access(single, F_OK) != 0 && access(index, F_OK) == 0) {
        rc = open_index(w, folder, index, err);
    } else {
        rc = open_part(w, folder, "model.safetensors", err);
    }
    if (rc != CWM_OK) {
        goto out;
    }
    *ret_weights = w;
    w = NULL; /* now the caller's */
out:
    weights_close(w);
    return rc;
}

void weights_close(struct weights *w)
{
    size_t i;

    if (!w) {
        return;
    }
    for (i = 0; i < w->n_parts; i++) {
        safetensors_close(w->parts[i].file);
        cwm_free(w->parts[i].name);
    }
    cwm_free(w);
}

const struct tensor *weights_find(const struct weights *w, const char *name)
{
    const struct tensor *t = NULL;
    size_t i;

    for (i = 0; i < w->n_parts && !t; i++) {
        t = safetensors_find(w->parts[i].file, name);
    }
    return t;
}

void weights_forget(const struct weights *w, const struct tensor *t)
{
    size_t i;

    for (i = 0; i < w->n_parts; i++) {
        if (safetensors_find(w->parts[i].file, t->name) == t) {
            safetensors_forget(w->parts[i].file, t);
        }
    }
}
