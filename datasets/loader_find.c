/* SPDX-License-Identifier: MIT */
/*
 * loader_find.c -- the shards of a packed folder, by its list `shards.json`.
 *
 * The list is written when all shards are (docs/formats.md): a folder without
 * one is not complete.
 */
#include "datasets/loader.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"

enum { FORMAT = 1 }; /* as pack_folder.c writes it */

/* A million shards' names. */
#define MAX_LIST_BYTES ((size_t)64 << 20)

static enum cwm_rc read_list(const char *path, json_t **ret_root,
                             struct cwm_err *err)
{
    struct cwm_buf text;
    json_error_t why;
    enum cwm_rc rc;

    cwm_buf_init(&text, MAX_LIST_BYTES);
    rc = io_read_file(path, &text, err);
    if (rc == CWM_IO) {
        rc = CWM_FAIL(err, CWM_USAGE,
                      "there is no '%s'\nthe folder is filled by 'cwm pack'; "
                      "stopped before its end it goes on when it is run again",
                      path);
    }
    if (rc == CWM_OK) {
        *ret_root = json_loadb(text.data ? text.data : "", text.len, 0, &why);
        rc = *ret_root ? CWM_OK
             : json_error_code(&why) == json_error_out_of_memory
                 ? CWM_FAIL(err, CWM_NOMEM, "could not hold '%s'", path)
                 : CWM_FAIL(err, CWM_FORMAT, "cannot use '%s': %s", path,
                            why.text);
    }
    cwm_buf_release(&text);
    return rc;
}

/* Another format's members may mean something else. */
static bool is_known(const json_t *root)
{
    const json_t *format = json_object_get(root, "format");

    return json_is_integer(format) && json_integer_value(format) == FORMAT;
}

/* FOLDER/NAME for every name of `list`, pointers and texts in one block; NULL
 * where there is none. */
static enum cwm_rc make_paths(const char *folder, const json_t *list,
                              char ***ret_paths, struct cwm_err *err)
{
    size_t n = json_array_size(list);
    size_t n_bytes = n * sizeof(char *);
    char **paths;
    char *at;

    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (!name || !*name || strchr(name, '/')) {
            return CWM_FAIL(err, CWM_FORMAT,
                            "cannot use '%s/shards.json': shard %zu has no "
                            "name",
                            folder, i);
        }
        n_bytes += strlen(folder) + strlen(name) + 2;
    }
    if (n == 0) {
        *ret_paths = NULL;
        return CWM_OK;
    }
    paths = cwm_malloc(n_bytes);
    if (!paths) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu paths", n);
    }
    at = (char *)(paths + n);
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        size_t size = strlen(folder) + strlen(name) + 2;

        paths[i] = at;
        snprintf(at, size, "%s/%s", folder, name);
        at += size;
    }
    *ret_paths = paths;
    return CWM_OK;
}

enum cwm_rc loader_find_shards(const char *folder, const char *split,
                               char ***ret_paths, size_t *ret_n,
                               struct cwm_err *err)
{
    size_t size = strlen(folder) + sizeof "/shards.json";
    char *path = cwm_malloc(size); /* owned */
    json_t *root = NULL;           /* owned */
    const json_t *list;
    enum cwm_rc rc;

    if (!path) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
    }
    snprintf(path, size, "%s/shards.json", folder);
    rc = read_list(path, &root, err);
    if (rc == CWM_OK && !is_known(root)) {
        rc =
            CWM_FAIL(err, CWM_FORMAT,
                     "cannot use '%s': its \"format\" is not %d", path, FORMAT);
    }
    if (rc == CWM_OK) {
        list = json_object_get(
            json_object_get(json_object_get(root, "splits"), split), "shards");
        rc = json_is_array(list)
                 ? make_paths(folder, list, ret_paths, err)
                 : CWM_FAIL(err, CWM_FORMAT,
                            "cannot use '%s': it has no shards of '%s'", path,
                            split);
        if (rc == CWM_OK) {
            *ret_n = json_array_size(list);
        }
    }
    json_decref(root);
    cwm_free(path);
    return rc;
}
