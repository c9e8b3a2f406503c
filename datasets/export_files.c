/* SPDX-License-Identifier: MIT */
/* export_files.c -- shards, compressed as they are written. */
#include "datasets/export_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"

enum {
    MAX_PATH_BYTES = 4096,
    OUT_BYTES = 1 << 17,
    /* Rows repeat themselves so much that a higher level gains little. */
    LEVEL = 3
};

struct shard {
    int fd;         /* owned; -1 */
    uint64_t n;     /* files of this split so far */
    uint64_t bytes; /* of rows in this one */
    char path[MAX_PATH_BYTES];
};

struct export_files {
    char *folder; /* owned */
    char *part;   /* owned: where it is written */
    bool plain, overwrite, is_made;
    uint64_t shard_bytes;
    struct shard shards[CLEAN_N_SPLITS];
    ZSTD_CCtx *contexts[CLEAN_N_SPLITS]; /* owned; NULL: plain */
    char *out;                           /* owned */
};

static enum cwm_rc io_failed(const char *what, const char *path,
                             struct cwm_err *err)
{
    return CWM_FAIL(err, CWM_IO, "could not %s '%s': %s", what, path,
                    strerror(errno));
}

/* Only files that an export has are removed, so that a folder that was named
 * by mistake keeps what it holds. */
static bool is_ours(const char *name)
{
    size_t len = strlen(name);

    if (strcmp(name, "README.md") == 0 || strcmp(name, "removed.jsonl") == 0) {
        return true;
    }
    for (int i = 0; i < CLEAN_N_SPLITS; i++) {
        const char *split = clean_split_text((enum clean_split)i);

        if (strncmp(name, split, strlen(split)) == 0 &&
            ((len > 6 && strcmp(name + len - 6, ".jsonl") == 0) ||
             (len > 10 && strcmp(name + len - 10, ".jsonl.zst") == 0))) {
            return true;
        }
    }
    return false;
}

/* Every file of ours, then the folder; what else is there stays. */
static enum cwm_rc remove_export(const char *folder, struct cwm_err *err)
{
    char path[MAX_PATH_BYTES];
    struct dirent *entry;
    DIR *dir = opendir(folder);

    if (!dir) {
        return errno == ENOENT ? CWM_OK : io_failed("open", folder, err);
    }
    while ((entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (is_ours(entry->d_name)) {
            unlink(path);
        }
    }
    closedir(dir);
    return rmdir(folder) == 0 ? CWM_OK : io_failed("remove", folder, err);
}

/* Nothing but what an export has? */
static bool holds_only_ours(const char *folder)
{
    struct dirent *entry;
    DIR *dir = opendir(folder);
    bool only = dir != NULL;

    while (dir && (entry = readdir(dir)) != NULL) {
        only = only &&
               (strcmp(entry->d_name, ".") == 0 ||
                strcmp(entry->d_name, "..") == 0 || is_ours(entry->d_name));
    }
    if (dir) {
        closedir(dir);
    }
    return only;
}

static enum cwm_rc make_folder(struct export_files *f, struct cwm_err *err)
{
    struct stat st;

    if (lstat(f->folder, &st) == 0 && !f->overwrite) {
        return CWM_FAIL(err, CWM_USAGE,
                        "'%s' is there already\ngive --overwrite to replace "
                        "an earlier export",
                        f->folder);
    }
    if (lstat(f->folder, &st) == 0 && !holds_only_ours(f->folder)) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot replace '%s': it holds more than an export",
                        f->folder);
    }
    if (remove_export(f->part, err) != CWM_OK) {
        return CWM_IO;
    }
    if (mkdir(f->part, 0777) != 0) {
        return errno == ENOENT || errno == EACCES
                   ? CWM_FAIL(err, CWM_USAGE, "could not make '%s': %s",
                              f->part, strerror(errno))
                   : io_failed("make", f->part, err);
    }
    f->is_made = true;
    return CWM_OK;
}

static bool name_folders(struct export_files *f, const char *folder)
{
    size_t len = strlen(folder);

    while (len > 1 && folder[len - 1] == '/') {
        len--;
    }
    f->folder = cwm_strndup(folder, len);
    f->part = cwm_malloc(len + sizeof ".part");
    if (!f->folder || !f->part) {
        return false;
    }
    snprintf(f->part, len + sizeof ".part", "%s.part", f->folder);
    return true;
}

enum cwm_rc export_files_new(const char *folder, bool overwrite, bool plain,
                             uint64_t shard_bytes,
                             struct export_files **ret_files,
                             struct cwm_err *err)
{
    struct export_files *f = cwm_calloc(1, sizeof *f); /* owned */
    bool ok = f != NULL;
    enum cwm_rc rc;

    for (int i = 0; ok && i < CLEAN_N_SPLITS; i++) {
        f->shards[i].fd = -1;
        f->contexts[i] = plain ? NULL : ZSTD_createCCtx();
        ok = plain || f->contexts[i];
        if (ok && !plain) {
            ZSTD_CCtx_setParameter(f->contexts[i], ZSTD_c_compressionLevel,
                                   LEVEL);
        }
    }
    if (ok) {
        f->overwrite = overwrite;
        f->plain = plain;
        f->shard_bytes = shard_bytes;
        f->out = cwm_malloc(OUT_BYTES);
        ok = f->out && name_folders(f, folder);
    }
    rc = ok ? make_folder(f, err)
            : CWM_FAIL(err, CWM_NOMEM, "could not start an export");
    if (rc == CWM_OK) {
        *ret_files = f;
        f = NULL;
    }
    export_files_free(f);
    return rc;
}

void export_files_free(struct export_files *f)
{
    if (!f) {
        return;
    }
    for (int i = 0; i < CLEAN_N_SPLITS; i++) {
        if (f->shards[i].fd >= 0) {
            close(f->shards[i].fd);
        }
        ZSTD_freeCCtx(f->contexts[i]);
    }
    if (f->is_made) {
        remove_export(f->part, NULL);
    }
    cwm_free(f->folder);
    cwm_free(f->part);
    cwm_free(f->out);
    cwm_free(f);
}

static enum cwm_rc open_shard(struct export_files *f, enum clean_split split,
                              struct cwm_err *err)
{
    struct shard *s = &f->shards[split];
    int n = snprintf(s->path, sizeof s->path, "%s/%s-%05llu.jsonl%s", f->part,
                     clean_split_text(split), (unsigned long long)s->n,
                     f->plain ? "" : ".zst");

    if (n < 0 || (size_t)n >= sizeof s->path) {
        return CWM_FAIL(err, CWM_USAGE, "the path '%s' is too long", f->part);
    }
    s->fd = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (s->fd < 0) {
        return io_failed("write", s->path, err);
    }
    s->n++;
    s->bytes = 0;
    return CWM_OK;
}

/* Compress and write; at the end of a file: all that is left. */
static enum cwm_rc pack(struct export_files *f, enum clean_split split,
                        const void *data, size_t len, bool is_end,
                        struct cwm_err *err)
{
    struct shard *s = &f->shards[split];
    ZSTD_inBuffer in = {data, len, 0};
    size_t left = 1;
    enum cwm_rc rc = CWM_OK;

    while (rc == CWM_OK && (is_end ? left > 0 : in.pos < in.size)) {
        ZSTD_outBuffer out = {f->out, OUT_BYTES, 0};

        left = ZSTD_compressStream2(f->contexts[split], &out, &in,
                                    is_end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) {
            return CWM_FAIL(err, CWM_NOMEM, "could not compress '%s': %s",
                            s->path, ZSTD_getErrorName(left));
        }
        rc = io_write_all(s->fd, s->path, f->out, out.pos, NULL, err);
    }
    return rc;
}

static enum cwm_rc close_shard(struct export_files *f, enum clean_split split,
                               struct cwm_err *err)
{
    struct shard *s = &f->shards[split];
    enum cwm_rc rc = CWM_OK;
    int fd = s->fd;

    if (fd < 0) {
        return CWM_OK;
    }
    if (!f->plain) {
        rc = pack(f, split, "", 0, true, err);
    }
    if (rc == CWM_OK && fsync(fd) != 0) {
        rc = io_failed("write", s->path, err);
    }
    s->fd = -1;
    close(fd);
    return rc;
}

enum cwm_rc export_files_add(struct export_files *f, enum clean_split split,
                             const void *rows, size_t len, struct cwm_err *err)
{
    struct shard *s = &f->shards[split];
    enum cwm_rc rc = CWM_OK;

    if (len == 0) {
        return CWM_OK;
    }
    if (s->fd >= 0 && s->bytes >= f->shard_bytes) {
        rc = close_shard(f, split, err);
    }
    if (rc == CWM_OK && s->fd < 0) {
        rc = open_shard(f, split, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    s->bytes += len;
    return f->plain ? io_write_all(s->fd, s->path, rows, len, NULL, err)
                    : pack(f, split, rows, len, false, err);
}

enum cwm_rc export_files_put(struct export_files *f, const char *name,
                             const struct cwm_buf *text, struct cwm_err *err)
{
    char path[MAX_PATH_BYTES];

    snprintf(path, sizeof path, "%s/%s", f->part, name);
    return io_replace_file(path, text->data ? text->data : "", text->len, err);
}

uint64_t export_files_n_of(const struct export_files *f, enum clean_split split)
{
    return f->shards[split].n;
}

uint64_t export_files_n(const struct export_files *f)
{
    uint64_t n = 0;

    for (int i = 0; i < CLEAN_N_SPLITS; i++) {
        n += f->shards[i].n;
    }
    return n;
}

enum cwm_rc export_files_finish(struct export_files *f, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    for (int i = 0; i < CLEAN_N_SPLITS && rc == CWM_OK; i++) {
        rc = close_shard(f, (enum clean_split)i, err);
    }
    if (rc == CWM_OK && f->overwrite) {
        rc = remove_export(f->folder, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (rename(f->part, f->folder) != 0) {
        return io_failed("make", f->folder, err);
    }
    f->is_made = false;
    io_sync_folder_of(f->folder);
    return CWM_OK;
}
