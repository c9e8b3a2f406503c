/* SPDX-License-Identifier: MIT */
/* problem_file.c -- records of a file, and texts of records. */
#include <string.h>

#include "cwm/base/alloc.h"
#include "cwm/base/lines.h"
#include "eval/problem_internal.h"

/* Files of this kind are megabytes; LiveCodeBench's are a few hundred. */
#define MAX_FILE_BYTES ((size_t)4 << 30)
#define MAX_LINE_BYTES ((size_t)1 << 30)

bool problem__grow(void **list, size_t n, size_t *capacity, size_t size)
{
    size_t larger = *capacity ? *capacity * 2 : 64;
    void *moved;

    if (n < *capacity) {
        return true;
    }
    moved = cwm_realloc(*list, larger, size);
    if (!moved) {
        return false;
    }
    *list = moved;
    *capacity = larger;
    return true;
}

bool problem__copy(struct problem_text *text, const char *data, size_t len)
{
    text->data = cwm_strndup(len ? data : "", len);
    text->len = len;
    return text->data != NULL;
}

void problem__text_release(struct problem_text *text)
{
    cwm_free(text->data);
    text->data = NULL;
    text->len = 0;
}

bool problem__member(struct json_in *record, const char *name,
                     struct problem_text *text)
{
    struct json_in value;
    struct cwm_buf out;
    bool done = true;
    char sign;

    if (!json_find(record, name, &value)) {
        return record->failed != CWM_NOMEM;
    }
    sign = json_peek(&value);
    cwm_buf_init(&out, MAX_LINE_BYTES);
    if (sign == '"' && json_string(&value, &out)) {
        done = problem__copy(text, out.data, out.len);
    } else if (sign == '-' || (sign >= '0' && sign <= '9')) {
        size_t start = value.at;

        if (json_skip(&value)) {
            done = problem__copy(text, value.text + start, value.at - start);
        }
    }
    done = done && out.failed != CWM_NOMEM;
    cwm_buf_release(&out);
    return done;
}

bool problem__is_blank(const struct problem_text *text)
{
    for (size_t i = 0; i < text->len; i++) {
        if (!memchr(" \t\r\n\f\v", text->data[i], 6)) {
            return false;
        }
    }
    return true;
}

/* A member that is not found for want of memory is not a missing one. */
static enum cwm_rc use_one(problem__record use, void *ctx, struct json_in *one,
                           uint64_t line, struct cwm_err *err)
{
    enum cwm_rc rc = use(ctx, one, line, err);

    if (rc == CWM_OK && one->failed == CWM_NOMEM) {
        rc = CWM_FAIL(err, CWM_NOMEM, "could not read a record");
    }
    return rc;
}

/* Some editors put one before a text. */
static const char byte_order_mark[] = "\xEF\xBB\xBF";
#define BOM_BYTES (sizeof byte_order_mark - 1)

static enum cwm_rc read_all(const char *path, struct cwm_buf *out,
                            struct cwm_err *err)
{
    struct lines *lines = NULL; /* owned */
    struct line line;
    bool more = true;
    enum cwm_rc rc = lines_open(path, MAX_LINE_BYTES, NULL, &lines, err);

    if (rc == CWM_IO) { /* it was named by who asked */
        rc = CWM_USAGE;
        if (err) {
            err->code = rc;
        }
    }
    while (rc == CWM_OK && more) {
        rc = lines_next(lines, &line, &more, err);
        if (rc == CWM_OK && more) {
            const bool has_mark =
                out->len == 0 && line.len >= BOM_BYTES &&
                memcmp(line.text, byte_order_mark, BOM_BYTES) == 0;
            const size_t skip = has_mark ? BOM_BYTES : 0;

            cwm_buf_add(out, line.text + skip, line.len - skip);
            cwm_buf_addc(out, '\n');
        }
    }
    lines_close(lines);
    return rc == CWM_OK ? cwm_buf_check(out, path, err) : rc;
}

static enum cwm_rc each_element(struct json_in *all, problem__record use,
                                void *ctx, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;

    (void)json_open(all, '[');
    for (bool first = true; rc == CWM_OK && json_more(all, ']', first);
         first = false) {
        uint64_t line = json_line(all);
        size_t start;

        (void)json_peek(all);
        start = all->at;
        if (json_skip(all)) {
            struct json_in one = {.text = all->text + start,
                                  .len = all->at - start};

            rc = use_one(use, ctx, &one, line, err);
        }
    }
    if (rc == CWM_OK && all->failed) {
        return CWM_FAIL(err, CWM_FORMAT, "line %zu breaks the array",
                        json_line(all));
    }
    return rc;
}

static enum cwm_rc each_line(const struct cwm_buf *text, problem__record use,
                             void *ctx, struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    uint64_t number = 0;
    size_t at = 0;

    while (rc == CWM_OK && text->data && at < text->len) {
        const char *start = text->data + at;
        const char *end = memchr(start, '\n', text->len - at);
        size_t len = end ? (size_t)(end - start) : text->len - at;
        struct json_in one = {.text = start, .len = len};

        number++;
        at += len + 1;
        if (strspn(start, " \t\r") < len) {
            rc = use_one(use, ctx, &one, number, err);
        }
    }
    return rc;
}

enum cwm_rc problem__each(const char *path, problem__record use, void *ctx,
                          struct cwm_err *err)
{
    struct cwm_buf text;
    struct json_in all;
    enum cwm_rc rc;

    cwm_buf_init(&text, MAX_FILE_BYTES);
    rc = read_all(path, &text, err);
    if (rc == CWM_OK) {
        all = (struct json_in){.text = text.data ? text.data : "",
                               .len = text.len};
        if (json_peek(&all) == '[') {
            rc = each_element(&all, use, ctx, err);
        } else if (json_whole(&all)) { /* one object, however it is laid out */
            rc = use_one(use, ctx, &all, 1, err);
        } else {
            rc = each_line(&text, use, ctx, err);
        }
    }
    cwm_buf_release(&text);
    return rc;
}
