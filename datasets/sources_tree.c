/* SPDX-License-Identifier: MIT */
/* sources_tree.c -- the Python files of a folder, and its commit. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "datasets/sources_internal.h"

enum {
    MAX_DEPTH = 64,       /* folders within folders */
    MAX_PATH_BYTES = 4096 /* as the system has it */
};

void sources__tree_release(struct sources__tree *t)
{
    for (size_t i = 0; i < t->n; i++) {
        cwm_free(t->paths[i]);
    }
    cwm_free(t->paths);
    memset(t, 0, sizeof *t);
}

static enum cwm_rc add_path(struct sources__tree *t, const char *path,
                            struct cwm_err *err)
{
    if (t->n == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 64;
        char **more = cwm_realloc(t->paths, capacity, sizeof *more);

        if (!more) {
            return CWM_FAIL(err, CWM_NOMEM, "could not list the files");
        }
        t->paths = more;
        t->capacity = capacity;
    }
    t->paths[t->n] = cwm_strdup(path);
    if (!t->paths[t->n]) {
        return CWM_FAIL(err, CWM_NOMEM, "could not list the files");
    }
    t->n++;
    return CWM_OK;
}

static bool ends_in_py(const char *name)
{
    size_t len = strlen(name);

    return len > 3 && strcmp(name + len - 3, ".py") == 0;
}

static enum cwm_rc list_folder(struct sources__tree *t, const char *root,
                               const char *below, unsigned depth,
                               struct cwm_err *err);

/* One name in a folder: gone into, taken, or passed over. */
static enum cwm_rc take_entry(struct sources__tree *t, const char *root,
                              const char *below, const char *name,
                              unsigned depth, struct cwm_err *err)
{
    char path[MAX_PATH_BYTES];
    char full[MAX_PATH_BYTES];
    struct stat st;
    int n =
        snprintf(path, sizeof path, "%s%s%s", below, below[0] ? "/" : "", name);

    if (n < 0 || (size_t)n >= sizeof path || name[0] == '.') {
        return CWM_OK;
    }
    n = snprintf(full, sizeof full, "%s/%s", root, path);
    if (n < 0 || (size_t)n >= sizeof full || lstat(full, &st) != 0) {
        return CWM_OK; /* it went away, or nobody could open it */
    }
    if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH) {
        return list_folder(t, root, path, depth + 1, err);
    }
    return S_ISREG(st.st_mode) && ends_in_py(name) ? add_path(t, path, err)
                                                   : CWM_OK;
}

static enum cwm_rc list_folder(struct sources__tree *t, const char *root,
                               const char *below, unsigned depth,
                               struct cwm_err *err)
{
    char full[MAX_PATH_BYTES];
    struct dirent *entry;
    DIR *dir;
    enum cwm_rc rc = CWM_OK;

    snprintf(full, sizeof full, "%s%s%s", root, below[0] ? "/" : "", below);
    dir = opendir(full);
    if (!dir) {
        return CWM_FAIL(err, CWM_IO, "could not open '%s': %s", full,
                        strerror(errno));
    }
    while (rc == CWM_OK && (entry = readdir(dir)) != NULL) {
        rc = take_entry(t, root, below, entry->d_name, depth, err);
    }
    closedir(dir);
    return rc;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum cwm_rc sources__tree_list(const char *folder, struct sources__tree *t,
                               struct cwm_err *err)
{
    enum cwm_rc rc = list_folder(t, folder, "", 0, err);

    if (rc == CWM_OK && t->n > 0) {
        qsort(t->paths, t->n, sizeof *t->paths, compare_paths);
    }
    return rc;
}

/* ---- the commit ---- */

/* The first line of FOLDER/.git/NAME, without its end. */
static bool read_git(const char *folder, const char *name, struct cwm_buf *text)
{
    char path[MAX_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/.git/%s", folder, name);

    cwm_buf_clear(text);
    return n > 0 && (size_t)n < sizeof path &&
           io_read_file(path, text, NULL) == CWM_OK && text->len > 0;
}

static bool is_commit(const char *text, size_t len)
{
    return len == 40 && strspn(text, "0123456789abcdef") >= 40;
}

/* "COMMIT REF" lines; the one for `ref`. */
static const char *find_packed(const char *text, const char *ref)
{
    const char *line = text;

    while (line && *line) {
        size_t len = strcspn(line, "\n");

        if (len == 41 + strlen(ref) && is_commit(line, 40) &&
            memcmp(line + 41, ref, strlen(ref)) == 0) {
            return line;
        }
        line += len + (line[len] == '\n');
    }
    return NULL;
}

void sources__commit_of(const char *folder, char *commit, size_t size)
{
    struct cwm_buf text;
    char ref[256] = "";
    const char *found = NULL;

    commit[0] = '\0';
    cwm_buf_init(&text, 1 << 20);
    if (read_git(folder, "HEAD", &text)) {
        if (strncmp(text.data, "ref: ", 5) != 0) {
            found = text.data;
        } else {
            snprintf(ref, sizeof ref, "%.*s", (int)strcspn(text.data + 5, "\n"),
                     text.data + 5);
            if (read_git(folder, ref, &text)) {
                found = text.data;
            } else if (read_git(folder, "packed-refs", &text)) {
                found = find_packed(text.data, ref);
            }
        }
    }
    if (found && is_commit(found, strcspn(found, " \n"))) {
        snprintf(commit, size, "%.40s", found);
    }
    cwm_buf_release(&text);
}
