/* SPDX-License-Identifier: MIT */
/* token_lines.c -- jansson reads the lines; they are written directly. */
#include "cwm/model/token_lines.h"

#include <jansson.h>

/* The member `key` of the line's object; *ret_root is the caller's. */
static enum cwm_rc member(const char *line, size_t len, const char *key,
                          json_t **ret_root, const json_t **ret_value,
                          struct cwm_err *err)
{
    json_error_t problem;
    json_t *root = json_loadb(line, len, JSON_ALLOW_NUL, &problem);

    if (!root && json_error_code(&problem) == json_error_out_of_memory) {
        return CWM_FAIL(err, CWM_NOMEM, "could not hold a line");
    }
    if (!root) {
        return CWM_FAIL(err, CWM_FORMAT, "could not read the JSON: %s",
                        problem.text);
    }
    *ret_value = json_object_get(root, key);
    if (!*ret_value) {
        json_decref(root);
        return CWM_FAIL(err, CWM_FORMAT, "there is no \"%s\"", key);
    }
    *ret_root = root;
    return CWM_OK;
}

enum cwm_rc token_line_text(const char *line, size_t len, struct cwm_buf *out,
                            struct cwm_err *err)
{
    json_t *root = NULL; /* owned */
    const json_t *text = NULL;
    enum cwm_rc rc = member(line, len, "text", &root, &text, err);

    if (rc != CWM_OK) {
        return rc;
    }
    if (json_is_string(text)) {
        cwm_buf_add(out, json_string_value(text), json_string_length(text));
        rc = cwm_buf_check(out, "the text", err);
    } else {
        rc = CWM_FAIL(err, CWM_FORMAT, "\"text\" is no string");
    }
    json_decref(root);
    return rc;
}

static enum cwm_rc add_list(const json_t *list, struct token_ids *out,
                            struct cwm_err *err)
{
    enum cwm_rc rc = CWM_OK;
    size_t i;

    if (!json_is_array(list)) {
        return CWM_FAIL(err, CWM_FORMAT, "what should be ids is no list");
    }
    for (i = 0; i < json_array_size(list) && rc == CWM_OK; i++) {
        const json_t *id = json_array_get(list, i);

        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > UINT32_MAX) {
            return CWM_FAIL(err, CWM_FORMAT, "item %zu of a list is no id", i);
        }
        rc = token_ids_add(out, (uint32_t)json_integer_value(id), err);
    }
    return rc;
}

enum cwm_rc token_line_ids(const char *line, size_t len, struct token_ids *out,
                           struct cwm_err *err)
{
    json_t *root = NULL; /* owned */
    const json_t *ids = NULL;
    enum cwm_rc rc = member(line, len, "ids", &root, &ids, err);

    if (rc == CWM_OK) {
        rc = add_list(ids, out, err);
    }
    json_decref(root);
    return rc;
}

enum cwm_rc token_lists_parse(const char *json, size_t len,
                              struct token_ids *out, size_t *ret_n_lists,
                              size_t *ret_n_each, struct cwm_err *err)
{
    json_error_t problem;
    json_t *root = json_loadb(json, len, 0, &problem);
    size_t n_each = json_array_size(json_array_get(root, 0));
    enum cwm_rc rc = CWM_OK;
    size_t i;

    if (!root) {
        return CWM_FAIL(err, CWM_FORMAT, "could not read the JSON, line %d: %s",
                        problem.line, problem.text);
    }
    if (n_each == 0) {
        rc = CWM_FAIL(err, CWM_FORMAT, "there is no list of lists of ids");
    }
    for (i = 0; i < json_array_size(root) && rc == CWM_OK; i++) {
        const json_t *list = json_array_get(root, i);

        rc = add_list(list, out, err);
        if (rc == CWM_OK && json_array_size(list) != n_each) {
            rc = CWM_FAIL(err, CWM_FORMAT,
                          "list %zu has %zu ids, the first one %zu", i,
                          json_array_size(list), n_each);
        }
    }
    *ret_n_lists = i;
    *ret_n_each = n_each;
    json_decref(root);
    return rc;
}

enum cwm_rc token_lists_parse_ragged(const char *json, size_t len,
                                     struct token_ids *out,
                                     struct token_ids *ends,
                                     struct cwm_err *err)
{
    json_error_t problem;
    json_t *root = json_loadb(json, len, 0, &problem);
    enum cwm_rc rc = CWM_OK;
    size_t i;

    if (!root) {
        return CWM_FAIL(err, CWM_FORMAT, "could not read the JSON, line %d: %s",
                        problem.line, problem.text);
    }
    if (json_array_size(root) == 0) {
        rc = CWM_FAIL(err, CWM_FORMAT, "there is no list of lists of ids");
    }
    for (i = 0; i < json_array_size(root) && rc == CWM_OK; i++) {
        size_t before = out->n;

        rc = add_list(json_array_get(root, i), out, err);
        if (rc == CWM_OK && out->n == before) {
            rc = CWM_FAIL(err, CWM_FORMAT, "list %zu is empty", i);
        } else if (rc == CWM_OK && out->n > UINT32_MAX) {
            rc = CWM_FAIL(err, CWM_LIMIT, "the lists have too many ids");
        } else if (rc == CWM_OK) {
            rc = token_ids_add(ends, (uint32_t)out->n, err);
        }
    }
    json_decref(root);
    return rc;
}

void token_line_put_text(const char *text, size_t len, struct cwm_buf *out)
{
    cwm_buf_adds(out, "{\"text\": ");
    cwm_buf_add_json(out, text, len);
    cwm_buf_adds(out, "}\n");
}

/* Decimal digits of n, written from the end of room[10]. */
static const char *digits_of(uint32_t n, char room[10], size_t *ret_len)
{
    size_t at = 10;

    do {
        room[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    *ret_len = 10 - at;
    return room + at;
}

void token_line_put_ids(const struct token_ids *ids, struct cwm_buf *out)
{
    char room[10];
    size_t i;
    size_t n;

    cwm_buf_adds(out, "{\"ids\": [");
    for (i = 0; i < ids->n; i++) {
        const char *digits = digits_of(ids->ids[i], room, &n);

        if (i > 0) {
            cwm_buf_adds(out, ", ");
        }
        cwm_buf_add(out, digits, n);
    }
    cwm_buf_adds(out, "]}\n");
}
