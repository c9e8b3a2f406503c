/* SPDX-License-Identifier: MIT */
/* weights.c -- one safetensors file, or an index and its files. */
#include "cwm/model/weights.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"

enum { MAX_PATH_BYTES = 4096, MAX_INDEX_BYTES = 64 << 20, MAX_FILES = 4096 };

struct part {
    const char *name;         /* borrowed from the index, or static */
    struct safetensors *file; /* owned */
};

struct weights {
    json_t *index; /* owned; NULL where there is one file */
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
    char path[MAX_PATH_BYTES];
    enum cwm_rc rc;

    if (w->n_parts == MAX_FILES) {
        return CWM_FAIL(err, CWM_LIMIT, "cannot use more than %d files",
                        MAX_FILES);
    }
    rc = path_in(folder, name, path, err);
    if (rc == CWM_OK) {
        rc = safetensors_open(path, &w->parts[w->n_parts].file, err);
    }
    if (rc == CWM_OK) {
        w->parts[w->n_parts++].name = name;
    }
    return rc;
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

/* Open the files that the map names; each tensor is where it is said to be. */
static enum cwm_rc open_mapped(struct weights *w, const char *folder,
                               struct cwm_err *err)
{
    json_t *map = json_object_get(w->index, "weight_map");
    const char *tensor;
    json_t *value;

    if (json_object_size(map) == 0) {
        return CWM_FAIL(err, CWM_FORMAT, "there is no \"weight_map\"");
    }
    json_object_foreach(map, tensor, value)
    {
        const char *name =
            json_is_string(value) ? json_string_value(value) : "";
        const struct part *part = find_part(w, name);

        if (!is_plain(name)) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot use the file of the tensor '%.120s': it is "
                            "no plain name",
                            tensor);
        }
        if (!part) {
            enum cwm_rc rc = open_part(w, folder, name, err);

            if (rc != CWM_OK) {
                return rc;
            }
            part = &w->parts[w->n_parts - 1];
        }
        if (!safetensors_find(part->file, tensor)) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot find the tensor '%.120s' in '%.120s'",
                            tensor, name);
        }
    }
    return CWM_OK;
}

static enum cwm_rc open_index(struct weights *w, const char *folder,
                              const char *path, struct cwm_err *err)
{
    struct cwm_buf json;
    json_error_t problem;
    enum cwm_rc rc;

    cwm_buf_init(&json, MAX_INDEX_BYTES);
    rc = io_read_file(path, &json, err);
    if (rc != CWM_OK) {
        goto out;
    }
    w->index = json_loadb(json.data ? json.data : "", json.len,
                          JSON_REJECT_DUPLICATES, &problem);
    if (!w->index) {
        rc = CWM_FAIL(err, CWM_FORMAT, "could not read the JSON, line %d: %s",
                      problem.line, problem.text);
    } else {
        rc = open_mapped(w, folder, err);
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
    }
    json_decref(w->index);
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
