/* SPDX-License-Identifier: MIT */
/* jobs_out.c -- records appended to a file that can be gone on with. */
#include "tracer/jobs_out.h"

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
#include "cwm/base/lines.h"

enum {
    ID_LINE_BYTES = 1 << 16, /* a record's beginning, its id within */
    MAX_NOTE_BYTES = 1 << 16
};

/* Every record starts with this: render.h's JSON. */
static const char record_start[] = "{\"id\": ";

struct jobs_out {
    const char *path; /* borrowed; NULL: standard output */
    const char *name; /* for messages */
    char *note_path;  /* owned; NULL: the file cannot be gone on with */
    char *note;       /* owned: the note's content */
    int fd;           /* owned but for standard output */
    bool had_note;
    bool foreign;        /* there were records, and no note */
    struct lines *there; /* owned; the records that are there; NULL: none */
    json_t *id;          /* owned: of the last record read */
    uint64_t whole_bytes;
};

/* ---- the note ---- */

static char *make_note(const struct jobs_stamp *stamp)
{
    struct cwm_buf b;

    cwm_buf_init(&b, MAX_NOTE_BYTES);
    cwm_buf_addf(&b, "this run is not complete; the same command goes on\n");
    cwm_buf_addf(&b, "cwm %s\npython %s\noptions %s\njobs %s\n", stamp->tool,
                 stamp->python, stamp->options, stamp->jobs);
    if (b.failed != CWM_OK) {
        cwm_buf_release(&b);
    }
    return b.data;
}

/* The first line in which the two differ, without its '\n'. */
static void first_difference(const char *old, const char *new, char *old_line,
                             char *new_line, size_t size)
{
    for (;;) {
        size_t old_len = strcspn(old, "\n");
        size_t new_len = strcspn(new, "\n");

        if (old_len != new_len || memcmp(old, new, old_len) != 0 ||
            old[old_len] == '\0') {
            snprintf(old_line, size, "%.*s", (int)old_len, old);
            snprintf(new_line, size, "%.*s", (int)new_len, new);
            return;
        }
        old += old_len + 1;
        new += new_len + 1;
    }
}

static enum cwm_rc check_note(const struct jobs_out *out,
                              const struct cwm_buf *found, struct cwm_err *err)
{
    const char *old = found->data ? found->data : "";
    char old_line[160];
    char new_line[160];

    if (strcmp(old, out->note) == 0) {
        return CWM_OK;
    }
    first_difference(old, out->note, old_line, new_line, sizeof old_line);
    return CWM_FAIL(err, CWM_USAGE,
                    "cannot go on with '%s': it was begun with '%s', this is "
                    "'%s'\ngive --overwrite to start anew, or another -o",
                    out->path, old_line, new_line);
}

/* Read the note that is there, if any. */
static enum cwm_rc find_note(struct jobs_out *out, struct cwm_err *err)
{
    struct cwm_buf found;
    enum cwm_rc rc;

    if (access(out->note_path, F_OK) != 0) {
        return CWM_OK;
    }
    out->had_note = true;
    cwm_buf_init(&found, MAX_NOTE_BYTES);
    rc = io_read_file(out->note_path, &found, err);
    if (rc == CWM_OK) {
        rc = check_note(out, &found, err);
    }
    cwm_buf_release(&found);
    return rc;
}

static enum cwm_rc write_note(const struct jobs_out *out, struct cwm_err *err)
{
    return io_replace_file(out->note_path, out->note, strlen(out->note), err);
}

/* ---- opening ---- */

static enum cwm_rc open_special(struct jobs_out *out, struct cwm_err *err)
{
    out->fd = open(out->path, O_WRONLY | O_CLOEXEC);
    if (out->fd < 0) {
        return CWM_FAIL(err, CWM_IO, "could not open '%s' for writing: %s",
                        out->path, strerror(errno));
    }
    return CWM_OK;
}

static enum cwm_rc name_note(struct jobs_out *out,
                             const struct jobs_stamp *stamp,
                             struct cwm_err *err)
{
    size_t size = strlen(out->path) + sizeof ".resume";

    out->note_path = cwm_malloc(size);
    out->note = make_note(stamp);
    if (!out->note_path || !out->note) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a file's name");
    }
    snprintf(out->note_path, size, "%s.resume", out->path);
    return CWM_OK;
}

static enum cwm_rc open_and_lock(struct jobs_out *out, struct cwm_err *err)
{
    out->fd = open(out->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (out->fd < 0) {
        return CWM_FAIL(err, CWM_IO, "could not open '%s' for writing: %s",
                        out->path, strerror(errno));
    }
    if (flock(out->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot write '%s': another cwm is writing it",
                        out->path);
    }
    return CWM_OK;
}

static enum cwm_rc open_regular(struct jobs_out *out, bool overwrite,
                                const struct jobs_stamp *stamp,
                                struct cwm_err *err)
{
    struct stat st;
    enum cwm_rc rc = name_note(out, stamp, err);

    if (rc == CWM_OK) {
        rc = open_and_lock(out, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (fstat(out->fd, &st) != 0 || (overwrite && ftruncate(out->fd, 0) != 0)) {
        return CWM_FAIL(err, CWM_IO, "could not use '%s': %s", out->path,
                        strerror(errno));
    }
    if (overwrite || st.st_size == 0) {
        return write_note(out, err);
    }
    rc = find_note(out, err);
    if (rc == CWM_OK) {
        out->foreign = !out->had_note;
        rc = lines_open(out->path, ID_LINE_BYTES, NULL, &out->there, err);
    }
    return rc;
}

enum cwm_rc jobs_out_open(const char *path, bool overwrite,
                          const struct jobs_stamp *stamp,
                          struct jobs_out **ret_out, struct cwm_err *err)
{
    struct jobs_out *out = cwm_calloc(1, sizeof *out);
    struct stat st;
    enum cwm_rc rc = CWM_OK;

    if (!out) {
        return CWM_FAIL(err, CWM_NOMEM, "could not open the output");
    }
    out->path = path;
    out->name = path ? path : "standard output";
    out->fd = STDOUT_FILENO;
    if (path) {
        out->fd = -1;
        rc = stat(path, &st) == 0 && !S_ISREG(st.st_mode)
                 ? open_special(out, err)
                 : open_regular(out, overwrite, stamp, err);
    }
    if (rc == CWM_OK) {
        *ret_out = out;
        out = NULL;
    }
    jobs_out_close(out);
    return rc;
}

void jobs_out_close(struct jobs_out *out)
{
    if (!out) {
        return;
    }
    lines_close(out->there);
    json_decref(out->id);
    if (out->path && out->fd >= 0) {
        close(out->fd);
    }
    cwm_free(out->note_path);
    cwm_free(out->note);
    cwm_free(out);
}

/* ---- what is there ---- */

/* The text of the JSON string that `text` starts with, as jansson reads it. */
static json_t *leading_string(const char *text, size_t len)
{
    size_t i = 1;

    while (i < len && text[i] != '"') {
        i += text[i] == '\\' ? 2 : 1;
    }
    return len > 0 && text[0] == '"' && i < len
               ? json_loadb(text, i + 1, JSON_DECODE_ANY, NULL)
               : NULL;
}

enum cwm_rc jobs_out_next_id(struct jobs_out *out, const char **ret_id,
                             bool *ret_more, struct cwm_err *err)
{
    size_t start = sizeof record_start - 1;
    struct line line;
    enum cwm_rc rc;

    *ret_more = false;
    if (!out->there) {
        return CWM_OK;
    }
    rc = lines_next(out->there, &line, ret_more, err);
    if (rc != CWM_OK || !*ret_more) {
        return rc;
    }
    if (!line.whole) { /* the run was killed in the middle of it */
        *ret_more = false;
        return CWM_OK;
    }
    json_decref(out->id);
    out->id = NULL;
    if (line.len > start && memcmp(line.text, record_start, start) == 0) {
        out->id = leading_string(line.text + start, line.len - start);
    }
    if (!out->id) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot go on with '%s': line %llu is no trace "
                        "record\ngive --overwrite to start anew, or another "
                        "-o",
                        out->path, (unsigned long long)line.number);
    }
    out->whole_bytes = line.end;
    *ret_id = json_string_value(out->id);
    return CWM_OK;
}

bool jobs_out_must_be_complete(const struct jobs_out *out)
{
    return out->foreign;
}

enum cwm_rc jobs_out_start(struct jobs_out *out, bool all_there,
                           struct cwm_err *err)
{
    if (!out->there) {
        return CWM_OK;
    }
    if (out->foreign && !all_there) {
        return CWM_FAIL(err, CWM_USAGE,
                        "cannot go on with '%s': it lacks records, and no "
                        "'%s' says how it was begun\ngive --overwrite to "
                        "start anew, or another -o",
                        out->path, out->note_path);
    }
    lines_close(out->there);
    out->there = NULL;
    if (!out->foreign &&
        (ftruncate(out->fd, (off_t)out->whole_bytes) != 0 ||
         lseek(out->fd, (off_t)out->whole_bytes, SEEK_SET) < 0)) {
        return CWM_FAIL(err, CWM_IO, "could not go on with '%s': %s", out->path,
                        strerror(errno));
    }
    return CWM_OK;
}

/* ---- adding ---- */

enum cwm_rc jobs_out_add(struct jobs_out *out, const void *line, size_t len,
                         struct cwm_err *err)
{
    size_t written = 0;
    enum cwm_rc rc = io_write_all(out->fd, out->name, line, len, &written, err);

    if (rc != CWM_OK && written > 0) {
        off_t at = lseek(out->fd, 0, SEEK_CUR);

        /* No pipe: take back the part of the line that went out. */
        if (at >= (off_t)written &&
            ftruncate(out->fd, at - (off_t)written) != 0) {
            cwm_err_context(err, "the last line is not whole");
        }
    }
    return rc;
}

enum cwm_rc jobs_out_complete(struct jobs_out *out, struct cwm_err *err)
{
    if (!out->note_path) {
        return CWM_OK;
    }
    if (fsync(out->fd) != 0) {
        return CWM_FAIL(err, CWM_IO, "could not write '%s': %s", out->name,
                        strerror(errno));
    }
    unlink(out->note_path);
    io_sync_folder_of(out->path);
    return CWM_OK;
}
