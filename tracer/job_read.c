/* SPDX-License-Identifier: MIT */
/* job_read.c -- jansson does the JSON; here it becomes a checked job. */
#include "tracer/job_read.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/io.h"

/* What source.h takes; a larger file is no program. */
#define MAX_PROGRAM_BYTES (64UL << 20)

/* Whole numbers up to here are exact as a double. */
#define MAX_EXACT 9007199254740992.0

struct job_line {
    json_t *root; /* owned; the job's texts point into it */
    struct trace_job job;
    struct cwm_buf file; /* the program, where `path` names it */
    char id_text[24];    /* an id that was a number */
};

const struct trace_job *job_line_job(const struct job_line *l)
{
    return &l->job;
}

void job_line_free(struct job_line *l)
{
    if (!l) {
        return;
    }
    json_decref(l->root);
    cwm_buf_release(&l->file);
    cwm_free(l);
}

/* The field's value; NULL where it is not there or null. */
static const json_t *field(const struct job_line *l, const char *name)
{
    const json_t *value = json_object_get(l->root, name);

    return json_is_null(value) ? NULL : value;
}

/* *ret_text stays where the field is not there.  ret_len NULL: no NUL bytes
 * are allowed in the text. */
static enum cwm_rc take_text(const struct job_line *l, const char *name,
                             const char **ret_text, size_t *ret_len,
                             struct cwm_err *err)
{
    const json_t *value = field(l, name);

    if (!value) {
        return CWM_OK;
    }
    if (!json_is_string(value)) {
        return CWM_FAIL(err, CWM_USAGE, "'%s' is not a text", name);
    }
    *ret_text = json_string_value(value);
    if (ret_len) {
        *ret_len = json_string_length(value);
    } else if (strlen(*ret_text) != json_string_length(value)) {
        return CWM_FAIL(err, CWM_USAGE, "'%s' holds a NUL character", name);
    }
    return CWM_OK;
}

static enum cwm_rc take_number(const struct job_line *l, const char *name,
                               uint64_t min, uint64_t max, uint64_t *ret_value,
                               struct cwm_err *err)
{
    const json_t *value = field(l, name);
    double real;

    if (!value) {
        return CWM_OK;
    }
    real = json_number_value(value);
    if (!json_is_number(value) || floor(real) < real) {
        return CWM_FAIL(err, CWM_USAGE, "'%s' is not a whole number", name);
    }
    if (real < (double)min || real > (double)max) {
        return CWM_FAIL(err, CWM_USAGE, "'%s' must be from %llu to %llu", name,
                        (unsigned long long)min, (unsigned long long)max);
    }
    *ret_value = json_is_integer(value) ? (uint64_t)json_integer_value(value)
                                        : (uint64_t)real;
    return CWM_OK;
}

static enum cwm_rc take_id(struct job_line *l, struct cwm_err *err)
{
    const json_t *id = field(l, "id");
    double number;

    if (!id) {
        return CWM_FAIL(err, CWM_USAGE, "the field 'id' is not there");
    }
    number = json_number_value(id);
    if (json_is_number(id) && floor(number) >= number &&
        fabs(number) <= MAX_EXACT) { /* real: see parse() */
        snprintf(l->id_text, sizeof l->id_text, "%.0f", number);
        l->job.id = l->id_text;
        return CWM_OK;
    }
    if (!json_is_string(id)) {
        return CWM_FAIL(err, CWM_USAGE,
                        "'id' is neither a text nor a whole number");
    }
    return take_text(l, "id", &l->job.id, NULL, err);
}

static enum cwm_rc read_program(struct job_line *l, const char *folder,
                                const char *path, struct cwm_err *err)
{
    bool is_relative = path[0] != '/' && folder[0] != '\0';
    size_t size = strlen(folder) + strlen(path) + 2;
    char *full = cwm_malloc(size);
    enum cwm_rc rc;

    if (!full) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a path");
    }
    snprintf(full, size, "%s%s%s", is_relative ? folder : "",
             is_relative ? "/" : "", path);
    rc = io_read_file(full, &l->file, err);
    if (rc == CWM_IO || rc == CWM_LIMIT) {
        rc = CWM_USAGE; /* of the line, not of ours */
    }
    l->job.source = l->file.data ? l->file.data : "";
    l->job.source_len = l->file.len;
    l->job.name = path;
    cwm_free(full);
    return rc;
}

static enum cwm_rc take_program(struct job_line *l, const char *folder,
                                struct cwm_err *err)
{
    const char *source = NULL;
    const char *path = NULL;
    enum cwm_rc rc = take_text(l, "source", &source, &l->job.source_len, err);

    if (rc == CWM_OK) {
        rc = take_text(l, "path", &path, NULL, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (source && path) {
        return CWM_FAIL(err, CWM_USAGE, "both 'source' and 'path' are there");
    }
    if (!source && !path) {
        return CWM_FAIL(err, CWM_USAGE, "neither 'source' nor 'path' is there");
    }
    if (path) {
        return read_program(l, folder, path, err);
    }
    l->job.source = source;
    l->job.is_text = true;
    l->job.name = l->job.id;
    return CWM_OK;
}

static enum cwm_rc take_options(struct job_line *l, struct cwm_err *err)
{
    const json_t *wrap = field(l, "wrap_main");
    const char *input = NULL;
    enum cwm_rc rc = take_text(l, "entry", &l->job.entry, NULL, err);

    if (rc == CWM_OK) {
        rc = take_text(l, "args", &l->job.args, NULL, err);
    }
    if (rc == CWM_OK) {
        rc = take_text(l, "stdin", &input, &l->job.stdin_len, err);
    }
    if (rc == CWM_OK) {
        rc = take_number(l, "seed", 0, INT64_MAX, &l->job.seed, err);
    }
    if (rc != CWM_OK) {
        return rc;
    }
    if (input) {
        l->job.stdin_data = input;
    }
    if (wrap && !json_is_boolean(wrap)) {
        return CWM_FAIL(err, CWM_USAGE, "'wrap_main' is not true or false");
    }
    if (wrap) {
        l->job.wrap_main = json_is_true(wrap);
    }
#define TRACE_LIMIT_TAKE(field, option, fallback, min, max, in_bytes, what)    \
    if (rc == CWM_OK) {                                                        \
        rc = take_number(l, #field, min, max, &l->job.limits.field, err);      \
    }
    TRACE_LIMIT_TABLE(TRACE_LIMIT_TAKE)
#undef TRACE_LIMIT_TAKE
    return rc;
}

/* A whole number beyond 64 bits is no reason to refuse a line: it may stand
 * in a field that is none of ours. */
static json_t *parse(const char *text, size_t len, json_error_t *why)
{
    json_t *root = json_loadb(text, len, JSON_ALLOW_NUL, why);

    if (!root && json_error_code(why) == json_error_numeric_overflow) {
        root = json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
                          why);
    }
    return root;
}

enum cwm_rc job_line_new(const char *text, size_t len,
                         const struct trace_job *defaults, const char *folder,
                         struct job_line **ret_line, struct cwm_err *err)
{
    struct job_line *l = cwm_calloc(1, sizeof *l); /* owned till handed over */
    json_error_t why;
    enum cwm_rc rc;

    if (!l) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a job");
    }
    cwm_buf_init(&l->file, MAX_PROGRAM_BYTES);
    l->job = *defaults;
    l->root = parse(text, len, &why);
    if (!l->root) {
        rc = CWM_FAIL(err, CWM_USAGE, "not JSON: %s (column %d)", why.text,
                      why.column);
    } else if (!json_is_object(l->root)) {
        rc = CWM_FAIL(err, CWM_USAGE, "not a JSON object");
    } else {
        rc = take_id(l, err);
        if (rc == CWM_OK) {
            rc = take_options(l, err);
        }
        if (rc == CWM_OK) {
            rc = take_program(l, folder, err);
        }
    }
    if (rc == CWM_OK) {
        *ret_line = l;
        l = NULL;
    }
    job_line_free(l);
    return rc;
}
