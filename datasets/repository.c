/* SPDX-License-Identifier: MIT */
/* repository.c -- see repository.h. */
#include "datasets/repository.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"
#include "datasets/sources_internal.h"

enum { MAX_LICENCE_BYTES = 1 << 20 };

struct repository {
    char path[PATH_MAX];
    char python[PATH_MAX]; /* of the virtual environment, or "" */
    char venv[16];
    bool own_pytest;
    char commit[64];
    char licence[64];
    struct sources__tree tree;
    struct source **sources; /* owned, each too; NULL: not read */
    bool *was_read;          /* owned: by file */
};

/* ---- what it says of itself ---- */

/* Two phrases that only this licence has both of. */
static const struct {
    const char *first, *second;
    const char *name;
} licences[] = {
    {"Apache License", "Version 2.0", "Apache-2.0"},
    {"GNU AFFERO GENERAL PUBLIC", "Version 3", "AGPL-3.0"},
    {"GNU LESSER GENERAL PUBLIC", "Version 3", "LGPL-3.0"},
    {"GNU LESSER GENERAL PUBLIC", "Version 2.1", "LGPL-2.1"},
    {"GNU GENERAL PUBLIC LICENSE", "Version 3", "GPL-3.0"},
    {"GNU GENERAL PUBLIC LICENSE", "Version 2", "GPL-2.0"},
    {"Mozilla Public License", "2.0", "MPL-2.0"},
    {"PYTHON SOFTWARE FOUNDATION LICENSE", "VERSION 2", "PSF-2.0"},
    {"Redistribution and use in source", "Neither the name", "BSD-3-Clause"},
    {"Redistribution and use in source", "binary forms", "BSD-2-Clause"},
    {"Permission is hereby granted", "free of charge", "MIT"},
    {"Permission to use, copy, modify", "distribute this software", "ISC"},
    {"free and unencumbered software", "public domain", "Unlicense"},
};

static void read_licence(struct repository *r)
{
    static const char *const names[] = {
        "LICENSE", "LICENSE.txt", "LICENSE.md", "LICENSE.rst",
        "LICENCE", "LICENCE.txt", "COPYING",    "COPYING.txt"};
    char path[PATH_MAX + 32];
    struct cwm_buf text;

    cwm_buf_init(&text, MAX_LICENCE_BYTES);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cwm_buf_clear(&text);
        snprintf(path, sizeof path, "%s/%s", r->path, names[i]);
        if (io_read_file(path, &text, NULL) != CWM_OK || text.len == 0) {
            continue;
        }
        snprintf(r->licence, sizeof r->licence, "see %s", names[i]);
        for (size_t k = 0; k < sizeof licences / sizeof licences[0]; k++) {
            if (memmem(text.data, text.len, licences[k].first,
                       strlen(licences[k].first)) &&
                memmem(text.data, text.len, licences[k].second,
                       strlen(licences[k].second))) {
                snprintf(r->licence, sizeof r->licence, "%s", licences[k].name);
                break;
            }
        }
        break;
    }
    cwm_buf_release(&text);
}

/* ---- its virtual environment ---- */

static bool has_own_pytest(const struct repository *r)
{
    char pattern[PATH_MAX + 64];
    glob_t found = {0};
    bool has;

    snprintf(pattern, sizeof pattern,
             "%s/%s/lib/python3*/site-packages/_pytest", r->path, r->venv);
    has = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
    globfree(&found);
    return has;
}

static bool is_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

static enum cwm_rc take_venv(struct repository *r, const char *name,
                             struct cwm_err *err)
{
    char link[PATH_MAX + 64];
    const char *last;

    snprintf(link, sizeof link, "%s/%s/bin/python", r->path, name);
    if (!realpath(link, r->python)) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot use the virtual environment '%s/%s': its "
                        "bin/python leads nowhere (%s)\nmake it anew with "
                        "'python3 -m venv', or remove it and name an "
                        "interpreter by --python",
                        r->path, name, strerror(errno));
    }
    last = strrchr(r->python, '/') + 1;
    if (is_below(r->python, r->path) || strncmp(last, "python", 6) != 0) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot use the virtual environment '%s/%s': its "
                        "bin/python is '%s', which is no interpreter of this "
                        "machine's\nmake it anew with 'python3 -m venv "
                        "--symlinks', or remove it and name an interpreter by "
                        "--python",
                        r->path, name, r->python);
    }
    snprintf(r->venv, sizeof r->venv, "%s", name);
    r->own_pytest = has_own_pytest(r);
    return CWM_OK;
}

static enum cwm_rc find_venv(struct repository *r, struct cwm_err *err)
{
    static const char *const names[] = {".venv", "venv"};
    char path[PATH_MAX + 64];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s/pyvenv.cfg", r->path, names[i]);
        if (access(path, R_OK) == 0) {
            return take_venv(r, names[i], err);
        }
    }
    return CWM_OK;
}

/* ---- opening ---- */

/* The virtual environment's files are no part of it. */
static void drop_venv_files(struct repository *r)
{
    size_t n = 0;
    char below[sizeof r->venv + 1];

    snprintf(below, sizeof below, "%s/", r->venv);
    for (size_t i = 0; i < r->tree.n; i++) {
        if (r->venv[0] &&
            strncmp(r->tree.paths[i], below, strlen(below)) == 0) {
            cwm_free(r->tree.paths[i]);
        } else {
            r->tree.paths[n++] = r->tree.paths[i];
        }
    }
    r->tree.n = n;
}

enum cwm_rc repository_open(const char *path, struct repository **ret_repo,
                            struct cwm_err *err)
{
    struct repository *r = cwm_calloc(1, sizeof *r); /* owned */
    enum cwm_rc rc;

    if (!r) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a repository");
    }
    if (!realpath(path, r->path)) {
        rc = CWM_FAIL(err, CWM_USAGE, "could not open '%s': %s", path,
                      strerror(errno));
        goto out;
    }
    rc = find_venv(r, err);
    if (rc == CWM_OK) {
        rc = sources__tree_list(r->path, &r->tree, err);
    }
    if (rc != CWM_OK) {
        goto out;
    }
    drop_venv_files(r);
    r->sources = cwm_calloc(r->tree.n + 1, sizeof *r->sources);
    r->was_read = cwm_calloc(r->tree.n + 1, sizeof *r->was_read);
    if (!r->sources || !r->was_read) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not hold a repository");
        goto out;
    }
    sources__commit_of(r->path, r->commit, sizeof r->commit);
    read_licence(r);
    *ret_repo = r;
    r = NULL;
out:
    repository_close(r);
    return rc;
}

void repository_close(struct repository *r)
{
    if (!r) {
        return;
    }
    for (size_t i = 0; r->sources && i < r->tree.n; i++) {
        source_free(r->sources[i]);
    }
    cwm_free(r->sources);
    cwm_free(r->was_read);
    sources__tree_release(&r->tree);
    cwm_free(r);
}

/* ---- asking ---- */

const char *repository_path(const struct repository *r)
{
    return r->path;
}

const char *repository_name(const struct repository *r)
{
    return strrchr(r->path, '/') + 1;
}

const char *repository_commit(const struct repository *r)
{
    return r->commit[0] ? r->commit : NULL;
}

const char *repository_licence(const struct repository *r)
{
    return r->licence[0] ? r->licence : NULL;
}

const char *repository_venv(const struct repository *r)
{
    return r->venv;
}

void repository_tracer(const struct repository *r,
                       struct tracer_options *options)
{
    options->folder = r->path;
    options->own_pytest = r->own_pytest;
    if (r->python[0]) {
        options->python = r->python;
    }
}

size_t repository_n_files(const struct repository *r)
{
    return r->tree.n;
}

const char *repository_file(const struct repository *r, size_t i)
{
    return r->tree.paths[i];
}

int repository_find(const struct repository *r, const char *path, size_t len)
{
    size_t low = 0;
    size_t high = r->tree.n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *have = r->tree.paths[middle];
        int order = strncmp(have, path, len);

        if (order == 0 && have[len] == '\0') {
            return (int)middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return -1;
}

enum cwm_rc repository_source(struct repository *r, size_t i,
                              const struct source **ret_source,
                              struct cwm_err *err)
{
    char path[2 * PATH_MAX];
    struct cwm_buf text;
    enum cwm_rc rc = CWM_OK;

    if (!r->was_read[i]) {
        cwm_buf_init(&text, SOURCES_MAX_ITEM_BYTES);
        snprintf(path, sizeof path, "%s/%s", r->path, r->tree.paths[i]);
        rc = io_read_file(path, &text, err);
        if (rc == CWM_OK) {
            rc = source_new(text.data ? text.data : "", text.len,
                            r->tree.paths[i], &r->sources[i], err);
        }
        cwm_buf_release(&text);
        r->was_read[i] = rc != CWM_NOMEM;
    }
    *ret_source = r->sources[i];
    return rc == CWM_NOMEM ? rc : CWM_OK;
}

static void add_file(const struct repository *r, const char *name,
                     struct cwm_buf *text, struct hasher *h)
{
    char path[2 * PATH_MAX];

    cwm_buf_clear(text);
    snprintf(path, sizeof path, "%s/%s", r->path, name);
    hasher_add_text(h, name);
    if (io_read_file(path, text, NULL) == CWM_OK) {
        hasher_add(h, text->data ? text->data : "", text->len);
    }
}

enum cwm_rc repository_digest(const struct repository *r,
                              struct hash *ret_digest, struct cwm_err *err)
{
    static const char *const settings[] = {
        "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"};
    struct hasher *h = NULL; /* owned */
    struct cwm_buf text;
    enum cwm_rc rc = hasher_new(&h, err);

    cwm_buf_init(&text, SOURCES_MAX_ITEM_BYTES);
    for (size_t i = 0; rc == CWM_OK && i < r->tree.n; i++) {
        add_file(r, r->tree.paths[i], &text, h);
    }
    for (size_t i = 0; rc == CWM_OK && i < sizeof settings / sizeof settings[0];
         i++) {
        add_file(r, settings[i], &text, h);
    }
    if (rc == CWM_OK) {
        hasher_add_text(h, r->venv);
        *ret_digest = hasher_end(h);
    }
    cwm_buf_release(&text);
    hasher_free(h);
    return rc;
}
