/* SPDX-License-Identifier: MIT */
/* loader_files.c -- many shards as one list of documents. */
#include "datasets/loader_internal.h"

#include <string.h>
#include <xxhash.h>

#include "cwm/base/alloc.h"

/* The place of a reader that may be closed; the one used longest ago. */
static struct loader_open_file *oldest(struct loader_files *f)
{
    struct loader_open_file *place = &f->open[0];

    for (size_t i = 1; i < LOADER_N_OPEN && place->reader; i++) {
        if (!f->open[i].reader || f->open[i].used < place->used) {
            place = &f->open[i];
        }
    }
    return place;
}

static enum cwm_rc open_file(struct loader_files *f, size_t file,
                             struct shard_reader **ret_reader,
                             struct cwm_err *err)
{
    struct loader_open_file *place = NULL;
    enum cwm_rc rc;

    for (size_t i = 0; i < LOADER_N_OPEN && !place; i++) {
        if (f->open[i].reader && f->open[i].file == file) {
            place = &f->open[i];
        }
    }
    if (!place) {
        place = oldest(f);
        shard_reader_close(place->reader);
        place->reader = NULL;
        rc = shard_reader_open(f->files[file].path, &place->reader, err);
        if (rc != CWM_OK) {
            return rc;
        }
        place->file = file;
    }
    place->used = ++f->clock;
    *ret_reader = place->reader;
    return CWM_OK;
}

/* ---- documents ---- */

/* The shard that document `number` is in. */
static size_t file_of(const struct loader_files *f, uint64_t number)
{
    size_t low = 0;
    size_t high = f->n;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (f->files[middle].n_before <= number) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* A shard must be the very one that it was when all were opened. */
static enum cwm_rc find(struct loader_files *f, uint64_t number,
                        struct shard_reader **ret_reader, uint64_t *ret_number,
                        struct cwm_err *err)
{
    size_t file = file_of(f, number);
    enum cwm_rc rc = open_file(f, file, ret_reader, err);

    if (rc != CWM_OK) {
        return rc;
    }
    if (shard_reader_info(*ret_reader)->n_documents !=
        f->files[file].n_documents) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use '%s': it was changed meanwhile",
                        f->files[file].path);
    }
    *ret_number = number - f->files[file].n_before;
    return CWM_OK;
}

/* What cannot be read is opened anew when it is asked for again: it may have
 * been put right by then. */
static void forget(struct loader_files *f, const struct shard_reader *r)
{
    for (size_t i = 0; i < LOADER_N_OPEN; i++) {
        if (f->open[i].reader == r) {
            shard_reader_close(f->open[i].reader);
            f->open[i].reader = NULL;
        }
    }
}

enum cwm_rc loader__files_length(struct loader_files *f, uint64_t number,
                                 uint64_t *ret_tokens, struct cwm_err *err)
{
    struct shard_reader *r = NULL;
    uint64_t at = 0;
    enum cwm_rc rc;

    if (f->source) {
        return f->source->length(f->source->ctx, number, ret_tokens, err);
    }
    rc = find(f, number, &r, &at, err);
    if (rc == CWM_OK) {
        rc = shard_reader_length(r, at, ret_tokens, err);
    }
    if (rc != CWM_OK && r) {
        forget(f, r);
    }
    return rc;
}

enum cwm_rc loader__files_read(struct loader_files *f, uint64_t number,
                               struct shard_document *document,
                               struct cwm_err *err)
{
    struct shard_reader *r = NULL;
    uint64_t at = 0;
    enum cwm_rc rc;

    if (f->source) {
        return f->source->read(f->source->ctx, number, document, err);
    }
    rc = find(f, number, &r, &at, err);
    if (rc == CWM_OK) {
        rc = shard_read(r, at, document, err);
    }
    if (rc != CWM_OK && r) {
        forget(f, r);
    }
    return rc;
}

/* ---- opening ---- */

static enum cwm_rc check_info(const char *path, const struct shard_info *info,
                              const struct loader_options *options,
                              struct cwm_err *err)
{
    if (info->tokenizer_hash != options->tokenizer_hash) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use '%s': its ids are of tokenizer %016llx, "
                        "not of %016llx",
                        path, (unsigned long long)info->tokenizer_hash,
                        (unsigned long long)options->tokenizer_hash);
    }
    if (info->n_ids > options->n_ids) {
        return CWM_FAIL(err, CWM_FORMAT,
                        "cannot use '%s': it may hold ids up to %llu, the "
                        "model knows %llu",
                        path, (unsigned long long)(info->n_ids - 1),
                        (unsigned long long)options->n_ids);
    }
    return CWM_OK;
}

static enum cwm_rc add_file(struct loader_files *f, const char *path,
                            const struct loader_options *options,
                            struct cwm_err *err)
{
    struct loader_file *file = &f->files[f->n];
    const struct shard_info *info;
    struct shard_reader *r = NULL;
    enum cwm_rc rc;

    file->path = cwm_strdup(path);
    if (!file->path) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
    }
    f->n++;
    rc = open_file(f, f->n - 1, &r, err);
    if (rc != CWM_OK) {
        return rc;
    }
    info = shard_reader_info(r);
    rc = check_info(path, info, options, err);
    file->n_before = f->n_documents;
    file->n_documents = info->n_documents;
    f->n_documents += info->n_documents;
    f->n_tokens += info->n_tokens;
    f->n_ids = info->n_ids > f->n_ids ? info->n_ids : f->n_ids;
    f->fingerprint = XXH3_64bits_withSeed(
        &info->content_hash, sizeof info->content_hash, f->fingerprint);
    return rc;
}

enum cwm_rc loader__files_open(struct loader_files *f,
                               const struct loader_options *options,
                               struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    memset(f, 0, sizeof *f);
    if (options->source) {
        f->source = options->source;
        f->n_documents = options->source->n_documents;
        f->fingerprint = options->source->fingerprint;
        return CWM_OK;
    }
    f->files = cwm_calloc(options->n_paths, sizeof *f->files);
    if (!f->files) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold %zu shards",
                        options->n_paths);
    }
    for (size_t i = 0; i < options->n_paths && rc == CWM_OK; i++) {
        rc = add_file(f, options->paths[i], options, err);
    }
    if (rc == CWM_OK && f->n_documents == 0) {
        rc = CWM_FAIL(err, CWM_USAGE, "there is no document in %zu shards",
                      options->n_paths);
    }
    return rc;
}

void loader__files_close(struct loader_files *f)
{
    for (size_t i = 0; i < LOADER_N_OPEN; i++) {
        shard_reader_close(f->open[i].reader);
    }
    for (size_t i = 0; i < f->n; i++) {
        cwm_free(f->files[i].path);
    }
    cwm_free(f->files);
    memset(f, 0, sizeof *f);
}
