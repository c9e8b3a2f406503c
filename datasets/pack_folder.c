/* SPDX-License-Identifier: MIT */
/* pack_folder.c -- see pack_folder.h. */
#include "datasets/pack_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"

/* A million shards' names. */
#define MAX_LIST_BYTES ((size_t)64 << 20)

static const char list_name[] = "shards.json";
static const char note_name[] = "pack.resume";

struct split {
    struct pack_split_info info; /* n_shards: finished ones */
    struct cwm_buf names;        /* of those, as JSON strings with ", " */
    struct shard_writer *writer; /* owned; NULL: none in this group */
};

struct pack_folder {
    struct pack_folder_options options;
    char *path;  /* owned: a path in the folder, made anew again and again */
    size_t size; /* of path */
    int lock;    /* owned: the folder */
    uint64_t n_groups;
    uint64_t n_group_tokens; /* of the train shard at work */
    struct split splits[PACK_N_SPLITS];
};

const char *pack_split_name(enum pack_split split)
{
    return split == PACK_TRAIN ? "train" : "held-out";
}

enum pack_split pack_split_of(uint64_t program_hash, double fraction)
{
    /* 53 bits of it as a number from 0 up to 1 */
    double at = (double)(program_hash >> 11) * 0x1p-53;

    return at < fraction ? PACK_HELD_OUT : PACK_TRAIN;
}

void pack_folder_info(const struct pack_folder *f, enum pack_split split,
                      struct pack_split_info *ret_info)
{
    *ret_info = f->splits[split].info;
}

/* FOLDER/NAME; borrowed until the next call. */
static const char *path_of(struct pack_folder *f, const char *name)
{
    snprintf(f->path, f->size, "%s/%s", f->options.folder, name);
    return f->path;
}

static void shard_name(char name[64], enum pack_split split, uint64_t group)
{
    snprintf(name, 64, "%s-%05llu.shard", pack_split_name(split),
             (unsigned long long)group);
}

/* ---- the note and the list ---- */

static void put_counts(const struct pack_counts *counts, struct cwm_buf *out)
{
    const char *gap = "";

    cwm_buf_adds(out, "\"counts\": {");
#define PACK_COUNT_PUT(name)                                                   \
    cwm_buf_addf(out, "%s\"" #name "\": %llu", gap,                            \
                 (unsigned long long)counts->name);                            \
    gap = ", ";
    PACK_COUNT_TABLE(PACK_COUNT_PUT)
#undef PACK_COUNT_PUT
    (void)gap;
    cwm_buf_adds(out, "}");
}

static void put_split(const struct split *s, struct cwm_buf *out)
{
    cwm_buf_addf(out,
                 "{\"shards\": [%s], \"documents\": %llu, \"tokens\": %llu, ",
                 s->names.data ? s->names.data : "",
                 (unsigned long long)s->info.n_documents,
                 (unsigned long long)s->info.n_tokens);
    cwm_buf_adds(out, "\"classes\": [");
    for (int i = 0; i < SHARD_N_CLASSES; i++) {
        cwm_buf_addf(out, "%s%llu", i > 0 ? ", " : "",
                     (unsigned long long)s->info.n_of_class[i]);
    }
    cwm_buf_addf(out, "], \"longest\": %llu}",
                 (unsigned long long)s->info.longest);
}

static enum cwm_rc write_list(struct pack_folder *f, const char *name,
                              const struct pack_counts *counts,
                              struct cwm_err *err)
{
    const char *stamp = f->options.stamp ? f->options.stamp : "";
    struct cwm_buf out;
    enum cwm_rc rc;

    cwm_buf_init(&out, 2 * MAX_LIST_BYTES);
    cwm_buf_adds(&out, "{\"format\": 1, \"stamp\": ");
    cwm_buf_add_json(&out, stamp, strlen(stamp));
    cwm_buf_addf(&out,
                 ", \"tokenizer_hash\": \"%016llx\", \"n_ids\": %llu, "
                 "\"groups\": %llu, ",
                 (unsigned long long)f->options.info.tokenizer_hash,
                 (unsigned long long)f->options.info.n_ids,
                 (unsigned long long)f->n_groups);
    put_counts(counts, &out);
    for (int i = 0; i < PACK_N_SPLITS; i++) {
        cwm_buf_addf(&out, "%s\"%s\": ", i == 0 ? ", \"splits\": {" : ", ",
                     pack_split_name((enum pack_split)i));
        put_split(&f->splits[i], &out);
    }
    cwm_buf_adds(&out, "}}\n");
    rc = cwm_buf_check(&out, "the list of shards", err);
    if (rc == CWM_OK) {
        rc = io_replace_file(path_of(f, name), out.data, out.len, err);
    }
    cwm_buf_release(&out);
    return rc;
}

static bool get(const json_t *object, const char *name, uint64_t *ret)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return false;
    }
    *ret = (uint64_t)json_integer_value(value);
    return true;
}

/* A name is one of ours, and the shard is there and whole. */
static enum cwm_rc take_shard(struct pack_folder *f, struct split *s,
                              const char *name, struct cwm_err *err)
{
    struct shard_reader *r = NULL;
    enum cwm_rc rc;

    if (!name || strchr(name, '/')) {
        return CWM_FAIL(err, CWM_FORMAT, "a shard has no name");
    }
    rc = shard_reader_open(path_of(f, name), &r, err);
    if (rc == CWM_OK) {
        cwm_buf_adds(&s->names, s->info.n_shards > 0 ? ", " : "");
        cwm_buf_add_json(&s->names, name, strlen(name));
        s->info.n_shards++;
        rc = cwm_buf_check(&s->names, "the shards' names", err);
    }
    shard_reader_close(r);
    return rc;
}

static enum cwm_rc take_split(struct pack_folder *f, struct split *s,
                              const json_t *object, struct cwm_err *err)
{
    const json_t *shards = json_object_get(object, "shards");
    const json_t *classes = json_object_get(object, "classes");
    enum cwm_rc rc = CWM_OK;
    bool ok = json_is_array(shards) &&
              json_array_size(classes) == SHARD_N_CLASSES &&
              get(object, "documents", &s->info.n_documents) &&
              get(object, "tokens", &s->info.n_tokens) &&
              get(object, "longest", &s->info.longest);

    for (size_t i = 0; ok && i < SHARD_N_CLASSES; i++) {
        const json_t *n = json_array_get(classes, i);

        ok = json_is_integer(n);
        s->info.n_of_class[i] = (uint64_t)json_integer_value(n);
    }
    if (!ok) {
        return CWM_FAIL(err, CWM_FORMAT, "a split's counts are not there");
    }
    for (size_t i = 0; rc == CWM_OK && i < json_array_size(shards); i++) {
        rc =
            take_shard(f, s, json_string_value(json_array_get(shards, i)), err);
    }
    return rc;
}

static enum cwm_rc take_list(struct pack_folder *f, const json_t *root,
                             struct pack_counts *counts, struct cwm_err *err)
{
    const json_t *object = json_object_get(root, "counts");
    const char *stamp = json_string_value(json_object_get(root, "stamp"));
    bool ok = get(root, "groups", &f->n_groups);
    enum cwm_rc rc = CWM_OK;

    if (!stamp || !f->options.stamp || strcmp(stamp, f->options.stamp) != 0) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot go on in '%s': its shards were made from other "
                        "traces, or by other settings\ngive --overwrite to "
                        "start anew, or another --out",
                        f->options.folder);
    }
#define PACK_COUNT_GET(name) ok = ok && get(object, #name, &counts->name);
    PACK_COUNT_TABLE(PACK_COUNT_GET)
#undef PACK_COUNT_GET
    if (!ok) {
        return CWM_FAIL(err, CWM_FORMAT, "its counts are not there");
    }
    for (int i = 0; rc == CWM_OK && i < PACK_N_SPLITS; i++) {
        rc = take_split(f, &f->splits[i],
                        json_object_get(json_object_get(root, "splits"),
                                        pack_split_name((enum pack_split)i)),
                        err);
    }
    return rc;
}

/* Read the note or the list; *ret_there false when there is none. */
static enum cwm_rc read_list(struct pack_folder *f, const char *name,
                             struct pack_counts *counts, bool *ret_there,
                             struct cwm_err *err)
{
    struct cwm_buf text;
    json_error_t why;
    json_t *root = NULL; /* owned */
    enum cwm_rc rc;

    *ret_there = access(path_of(f, name), F_OK) == 0;
    if (!*ret_there) {
        return CWM_OK;
    }
    cwm_buf_init(&text, MAX_LIST_BYTES);
    rc = io_read_file(f->path, &text, err);
    if (rc == CWM_OK) {
        root = json_loadb(text.data ? text.data : "", text.len, 0, &why);
        rc = root ? take_list(f, root, counts, err)
                  : CWM_FAIL(err, CWM_FORMAT, "%s", why.text);
        if (rc != CWM_OK && rc != CWM_USAGE) {
            cwm_err_context(err, "cannot go on with '%s/%s'", f->options.folder,
                            name);
        }
    }
    json_decref(root);
    cwm_buf_release(&text);
    return rc;
}

/* ---- opening ---- */

/* Take away what an earlier run has left. */
static enum cwm_rc clear_folder(struct pack_folder *f, struct cwm_err *err)
{
    DIR *d = opendir(f->options.folder);
    struct dirent *entry;
    enum cwm_rc rc = CWM_OK;

    if (!d) {
        return CWM_FAIL(err, CWM_IO, "could not read '%s': %s",
                        f->options.folder, strerror(errno));
    }
    /* The list first: without it nothing counts as complete. */
    unlink(path_of(f, list_name));
    unlink(path_of(f, note_name));
    while ((entry = readdir(d)) != NULL) {
        const char *name = entry->d_name;
        const char *end = strstr(name, ".shard");
        bool ours =
            (strncmp(name, "train-", 6) == 0 ||
             strncmp(name, "held-out-", 9) == 0) &&
            end &&
            (strcmp(end, ".shard") == 0 || strcmp(end, ".shard.partial") == 0);

        if (ours && unlinkat(dirfd(d), name, 0) != 0) {
            rc = CWM_FAIL(err, CWM_IO, "could not remove '%s/%s': %s",
                          f->options.folder, name, strerror(errno));
        }
    }
    closedir(d);
    return rc;
}

static enum cwm_rc open_folder(struct pack_folder *f, struct cwm_err *err)
{
    const char *folder = f->options.folder;

    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return CWM_FAIL(err, CWM_USAGE, "could not make '%s': %s", folder,
                        strerror(errno));
    }
    f->lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->lock < 0) {
        return CWM_FAIL(err, CWM_USAGE, "could not use '%s': %s", folder,
                        strerror(errno));
    }
    if (flock(f->lock, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? CWM_FAIL(err, CWM_USAGE,
                              "'%s' is being filled by another process", folder)
                   : CWM_FAIL(err, CWM_IO, "could not lock '%s': %s", folder,
                              strerror(errno));
    }
    return CWM_OK;
}

/* What an earlier run has done, of the same records with the same settings. */
static enum cwm_rc take_up(struct pack_folder *f, struct pack_counts *counts,
                           bool *ret_complete, struct cwm_err *err)
{
    bool there = false;
    enum cwm_rc rc;

    if (f->options.overwrite) {
        return clear_folder(f, err);
    }
    rc = read_list(f, list_name, counts, ret_complete, err);
    if (rc == CWM_OK && !*ret_complete) {
        rc = read_list(f, note_name, counts, &there, err);
    }
    return rc;
}

enum cwm_rc pack_folder_open(const struct pack_folder_options *options,
                             struct pack_folder **ret_folder,
                             struct pack_counts *ret_counts, bool *ret_complete,
                             struct cwm_err *err)
{
    struct pack_folder *f = cwm_calloc(1, sizeof *f); /* owned */
    enum cwm_rc rc;

    *ret_counts = (struct pack_counts){0};
    *ret_complete = false;
    if (!f) {
        return CWM_FAIL(err, CWM_NOMEM, "could not open a folder");
    }
    f->options = *options;
    f->lock = -1;
    for (int i = 0; i < PACK_N_SPLITS; i++) {
        cwm_buf_init(&f->splits[i].names, MAX_LIST_BYTES);
    }
    f->size = strlen(options->folder) + 100;
    f->path = cwm_malloc(f->size);
    rc = f->path ? open_folder(f, err)
                 : CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
    if (rc == CWM_OK) {
        rc = take_up(f, ret_counts, ret_complete, err);
    }
    if (rc == CWM_OK) {
        *ret_folder = f;
        f = NULL;
    }
    pack_folder_close(f);
    return rc;
}

void pack_folder_close(struct pack_folder *f)
{
    if (!f) {
        return;
    }
    for (int i = 0; i < PACK_N_SPLITS; i++) {
        shard_writer_free(f->splits[i].writer);
        cwm_buf_release(&f->splits[i].names);
    }
    if (f->lock >= 0) {
        close(f->lock);
    }
    cwm_free(f->path);
    cwm_free(f);
}

/* ---- filling ---- */

enum cwm_rc pack_folder_add(struct pack_folder *f, enum pack_split split,
                            const uint32_t *ids, const uint8_t *classes,
                            size_t n, struct cwm_err *err)
{
    struct split *s = &f->splits[split];
    char name[64];
    enum cwm_rc rc = CWM_OK;

    if (!s->writer) {
        shard_name(name, split, f->n_groups);
        rc = shard_writer_new(path_of(f, name), &f->options.info, &s->writer,
                              err);
    }
    if (rc == CWM_OK) {
        rc = shard_writer_add(s->writer, ids, classes, n, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        s->info.n_of_class[classes[i]]++;
    }
    s->info.n_documents++;
    s->info.n_tokens += n;
    s->info.longest = n > s->info.longest ? n : s->info.longest;
    f->n_group_tokens += split == PACK_TRAIN ? n : 0;
    return CWM_OK;
}

static enum cwm_rc finish_group(struct pack_folder *f, struct cwm_err *err)
{
    for (int i = 0; i < PACK_N_SPLITS; i++) {
        struct split *s = &f->splits[i];
        char name[64];
        enum cwm_rc rc;

        if (!s->writer) {
            continue;
        }
        rc = shard_writer_finish(s->writer, err);
        if (rc != CWM_OK) {
            return rc;
        }
        shard_writer_free(s->writer);
        s->writer = NULL;
        shard_name(name, (enum pack_split)i, f->n_groups);
        cwm_buf_adds(&s->names, s->info.n_shards > 0 ? ", " : "");
        cwm_buf_add_json(&s->names, name, strlen(name));
        s->info.n_shards++;
        rc = cwm_buf_check(&s->names, "the shards' names", err);
        if (rc != CWM_OK) {
            return rc;
        }
    }
    f->n_groups++;
    f->n_group_tokens = 0;
    return CWM_OK;
}

enum cwm_rc pack_folder_pass(struct pack_folder *f,
                             const struct pack_counts *counts,
                             struct cwm_err *err)
{
    enum cwm_rc rc;

    if (f->n_group_tokens < f->options.shard_tokens) {
        return CWM_OK;
    }
    rc = finish_group(f, err);
    if (rc == CWM_OK && f->options.stamp) {
        rc = write_list(f, note_name, counts, err);
    }
    return rc;
}

enum cwm_rc pack_folder_complete(struct pack_folder *f,
                                 const struct pack_counts *counts,
                                 struct cwm_err *err)
{
    enum cwm_rc rc = finish_group(f, err);

    if (rc == CWM_OK) {
        rc = write_list(f, list_name, counts, err);
    }
    if (rc == CWM_OK) {
        unlink(path_of(f, note_name));
    }
    return rc;
}
